//! Access that a plan gives to somebody who did not have it, listed apart.

use std::fmt::Write as _;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Paint, order, words};
use crate::model::{Access, Broadening, Key, Plan};

/// Access that one object grants.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Broadened {
    /// The object's address.
    pub object: String,
    /// What it gives.
    #[serde(flatten)]
    pub broadening: Broadening,
}

/// All of them, in the order of the plan.
pub(super) fn of(plan: &Plan) -> Vec<(&Key, &Broadening)> {
    let entries = order::entries(plan);
    entries.into_iter().flat_map(|(key, entry)| entry.broadenings.iter().map(move |one| (key, one))).collect()
}

/// The same, as documents have it.
pub(super) fn documents(plan: &Plan) -> Vec<Broadened> {
    let document = |(key, one): (&Key, &Broadening)| Broadened { object: key.to_string(), broadening: one.clone() };
    of(plan).into_iter().map(document).collect()
}

/// The part of a plan for a terminal. Empty where nothing is given.
pub(super) fn text(plan: &Plan, paint: Paint) -> String {
    let all = of(plan);
    if all.is_empty() {
        return String::new();
    }
    let mut text = format!("\n{}\n", paint.danger(format!("GRANTS NEW ACCESS in {}:", count(all.len()))));
    let mut object = None;
    for (key, one) in all {
        if object != Some(key) {
            let _ = writeln!(text, "  {key}");
            object = Some(key);
        }
        let property =
            if one.property.is_empty() { String::new() } else { format!(" {}", words::clean(&one.property)) };
        let (resource, kind) = (words::clean(&one.resource), words::clean(&one.kind));
        let _ = writeln!(text, "    {} {resource} ({kind}){property}", paint.danger("!"));
        let line = format!("{}: {}{}", how(one.access), words::clean(&one.grants), later(one));
        text.push_str(&words::wrapped(&line, "        ", 120));
    }
    text
}

fn count(number: usize) -> String {
    if number == 1 { "1 place".to_owned() } else { format!("{number} places") }
}

/// Said of what depends on a value that is not known yet.
pub(super) fn later(one: &Broadening) -> &'static str {
    if one.after_apply { " (values known after apply)" } else { "" }
}

/// How access is granted.
pub(super) fn how(access: Access) -> &'static str {
    match access {
        Access::Identity => "permissions",
        Access::Trust => "trust",
        Access::Resource => "resource policy",
        Access::Key => "key policy",
        Access::Attachment => "attached",
        Access::Boundary => "permissions boundary",
        Access::Network => "ingress",
        Access::Public => "public",
        Access::Unseen => "cannot be analyzed",
    }
}
