//! What freezes and maintenance windows hold, and the order in which it will run.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::paint::Paint;
use super::{API_VERSION, order, words};
use crate::model::{Action, Freeze, Key, Plan, Waiting};

/// What `queue -o json` writes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct QueueList {
    /// `landfast/v1`.
    #[schemars(extend("const" = "landfast/v1"))]
    pub api_version: String,
    /// `QueueList`.
    #[schemars(extend("const" = "QueueList"))]
    pub kind: String,
    /// The freezes that hold now, the oldest first.
    pub freezes: Vec<FreezeState>,
    /// The maintenance windows of each environment that has some.
    pub windows: Vec<WindowState>,
    /// The changes that are held, in the order in which they will begin. Those that do not depend on each other begin
    /// together.
    pub items: Vec<QueueItem>,
}

/// A freeze.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct FreezeState {
    /// Its ID, for `landfast thaw`.
    pub id: String,
    /// What it freezes: `*`, `prod`, `prod/stack`, `prod/stack/network`.
    pub scope: String,
    /// Who froze it.
    pub by: String,
    /// Why.
    pub because: String,
    /// When.
    #[schemars(with = "String")]
    pub at: Timestamp,
    /// When it ends by itself; `null`: when it is thawed.
    #[schemars(with = "Option<String>")]
    pub until: Option<Timestamp>,
}

impl From<&Freeze> for FreezeState {
    fn from(freeze: &Freeze) -> Self {
        Self {
            id: freeze.id.clone(),
            scope: freeze.scope.to_string(),
            by: freeze.by.clone(),
            because: freeze.because.clone(),
            at: freeze.at,
            until: freeze.until,
        }
    }
}

/// How the maintenance windows of an environment stand.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct WindowState {
    /// The environment.
    pub environment: String,
    /// Changes may begin now.
    pub open: bool,
    /// When they may begin; `null`: no window is in sight.
    #[schemars(with = "Option<String>")]
    pub opens: Option<Timestamp>,
}

/// A change that is held.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct QueueItem {
    /// The object.
    pub object: String,
    /// What will be done to it.
    pub action: Action,
    /// What else of the queue has to be done before.
    pub after: Vec<String>,
    /// What it waits for.
    pub waiting: Vec<Waiting>,
}

impl QueueList {
    /// What of these plans is held. `freezes` are those that hold now, `is_meant` are the objects that are asked for.
    #[must_use]
    pub fn of<'a>(
        freezes: impl IntoIterator<Item = &'a Freeze>,
        windows: Vec<WindowState>,
        plans: impl IntoIterator<Item = &'a Plan>,
        is_meant: impl Fn(&Key) -> bool,
    ) -> Self {
        let mut items = Vec::new();
        for plan in plans {
            let order = order::entries(plan);
            let mut held: BTreeMap<&Key, BTreeSet<String>> = BTreeMap::new();
            // In the order of dependencies, what waits for something that is held comes after it.
            for (key, entry) in &order {
                let names: BTreeSet<String> = held.keys().map(ToString::to_string).collect();
                let needs = entry.waiting.iter().filter_map(|waiting| match waiting {
                    Waiting::Dependency { objects } => Some(objects),
                    _ => None,
                });
                let after: BTreeSet<String> =
                    needs.flatten().filter(|object| names.contains(*object)).cloned().collect();
                if entry.waiting.iter().any(Waiting::is_hold) || !after.is_empty() {
                    held.insert(key, after);
                }
            }
            let held = order.iter().filter_map(|(key, entry)| Some((*key, *entry, held.get(key)?)));
            items.extend(held.filter(|(key, ..)| is_meant(key)).map(|(key, entry, after)| QueueItem {
                object: key.to_string(),
                action: entry.action,
                after: after.iter().cloned().collect(),
                waiting: entry.waiting.clone(),
            }));
        }
        let freezes = freezes.into_iter().map(FreezeState::from).collect();
        Self { api_version: API_VERSION.to_owned(), kind: "QueueList".to_owned(), freezes, windows, items }
    }

    /// As tables.
    #[must_use]
    pub fn text(&self, paint: Paint) -> String {
        let mut text = String::new();
        let titled = |y: usize, _: usize, cell: String| if y == 0 { paint.title(cell) } else { cell };
        if self.freezes.is_empty() {
            text.push_str("Nothing is frozen.\n");
        } else {
            let mut rows = vec![["FREEZE", "SCOPE", "BY", "UNTIL", "BECAUSE"].map(str::to_owned).to_vec()];
            rows.extend(self.freezes.iter().map(|freeze| {
                let until = freeze.until.map_or_else(|| "thawed".to_owned(), words::time);
                let [id, scope, by, because] =
                    [&freeze.id, &freeze.scope, &freeze.by, &freeze.because].map(|text| words::clean(text));
                vec![id, scope, by, until, because]
            }));
            text.push_str(&words::table(&rows, titled));
        }
        for WindowState { environment, open, opens } in &self.windows {
            let _ = match (open, opens) {
                (true, _) => writeln!(text, "The maintenance windows of {environment} are open."),
                (false, Some(opens)) => {
                    writeln!(text, "The maintenance windows of {environment} open at {}.", words::time(*opens))
                }
                (false, None) => {
                    writeln!(text, "The maintenance windows of {environment} are closed, and none is in sight.")
                }
            };
        }
        text.push('\n');
        if self.items.is_empty() {
            text.push_str("No change is held.\n");
            return text;
        }
        let mut rows = vec![["#", "OBJECT", "ACTION", "WAITS FOR"].map(str::to_owned).to_vec()];
        rows.extend(self.items.iter().enumerate().map(|(nth, item)| {
            let waits: Vec<String> = item.waiting.iter().map(words::waiting).collect();
            vec![(nth + 1).to_string(), words::clean(&item.object), item.action.to_string(), waits.join("; ")]
        }));
        text.push_str(&words::table(&rows, titled));
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::FreezeScope;
    use crate::report::fixtures::{self, at, key};

    fn freeze() -> Freeze {
        Freeze {
            id: "0a1b2c3d".to_owned(),
            scope: "dev".parse::<FreezeScope>().unwrap(),
            by: "ada".to_owned(),
            because: "the region\u{1b}[2J is unwell".to_owned(),
            at: at("02:00:00"),
            until: Some(at("04:00:00")),
            after: 7,
            thawed: None,
        }
    }

    fn list() -> QueueList {
        let mut plan = fixtures::everything();
        let held = Waiting::Frozen {
            freeze: "0a1b2c3d".to_owned(),
            scope: "dev".to_owned(),
            by: "ada".to_owned(),
            because: "the region is unwell".to_owned(),
            until: Some(at("04:00:00")),
        };
        for entry in plan.entries.values_mut() {
            entry.waiting.clear();
        }
        let (network, alb) = (key("network"), key("alb"));
        plan.entries.get_mut(&network).unwrap().waiting.push(held);
        let objects = BTreeSet::from([network.to_string()]);
        plan.entries.get_mut(&alb).unwrap().waiting.push(Waiting::Dependency { objects });
        let windows = vec![WindowState { environment: "dev".to_owned(), open: false, opens: Some(at("05:00:00")) }];
        QueueList::of([&freeze()], windows, [&plan], |_| true)
    }

    #[test]
    fn what_waits_for_something_held_comes_after_it() {
        let list = list();
        let order: Vec<(&str, usize)> =
            list.items.iter().map(|item| (item.object.as_str(), item.after.len())).collect();
        assert_eq!(order, [("dev/stack/network", 0), ("dev/stack/alb", 1)]);
    }

    #[test]
    fn the_text_says_what_holds_until_when_and_no_control_characters() {
        let text = list().text(Paint::when(false));
        assert!(!text.contains('\u{1b}'), "{text}");
        for part in ["0a1b2c3d", "ada", "the maintenance windows".to_uppercase().as_str(), "1  dev/stack/network"] {
            assert!(text.to_uppercase().contains(&part.to_uppercase()), "{part}: {text}");
        }
        let empty = QueueList::of([], Vec::new(), [], |_| true);
        assert_eq!(empty.text(Paint::when(false)), "Nothing is frozen.\n\nNo change is held.\n");
    }
}
