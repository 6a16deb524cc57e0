//! What a policy comes to under the operator's sections: never looser than the policy, never looser than any section.

use std::collections::BTreeSet;
use std::fmt::Display;
use std::time::Duration;

use super::section::{Said, Section};
use crate::model::{Broaden, Cut, DriftAction, Mode, Policy, Prune, Replace};
use crate::sabotage::{self, Bug};

/// The period of a budget that does not say one.
const PERIOD: Duration = Duration::from_hours(1);

/// The policy that holds where `asked` is asked for, and what was cut of it. `stateful` are the types that hold state by
/// default: a manifest cannot say of them that they hold none.
#[must_use]
pub fn floor(asked: Policy, sections: &[&Section], stateful: &[&str]) -> (Policy, Vec<Cut>) {
    if sabotage::is(Bug::NoFloor) {
        return (asked, Vec::new());
    }
    let mut cutter = Cutter { cuts: Vec::new() };
    let mut policy = asked;
    for section in sections {
        cutter.choices(&mut policy, section);
        cutter.budget(&mut policy, section);
        cutter.lists(&mut policy, section, stateful);
        cutter.most("backupMaxAge", &mut policy.backup_max_age, section.backup_max_age.as_ref(), span);
    }
    (policy, cutter.cuts)
}

struct Cutter {
    cuts: Vec<Cut>,
}

impl Cutter {
    fn choices(&mut self, policy: &mut Policy, section: &Section) {
        self.most("mode", &mut policy.mode, section.mode.as_ref(), |mode| {
            match mode {
                Mode::Observe => "observe",
                Mode::Approve => "approve",
                Mode::Apply => "apply",
            }
            .to_owned()
        });
        self.most("prune", &mut policy.prune, section.prune.as_ref(), |prune| {
            match prune {
                Prune::Never => "never",
                Prune::Confirm => "confirm",
                Prune::Always => "always",
            }
            .to_owned()
        });
        self.most("replace", &mut policy.replace, section.replace.as_ref(), |replace| {
            match replace {
                Replace::Deny => "deny",
                Replace::Approve => "approve",
                Replace::Allow => "allow",
            }
            .to_owned()
        });
        self.most("broaden", &mut policy.broaden, section.broaden.as_ref(), |broaden| {
            match broaden {
                Broaden::Deny => "deny",
                Broaden::Approve => "approve",
                Broaden::Allow => "allow",
            }
            .to_owned()
        });
        self.most("drift", &mut policy.drift, section.drift.as_ref(), |drift| {
            match drift {
                DriftAction::Report => "report",
                DriftAction::Revert => "revert",
            }
            .to_owned()
        });
    }

    fn budget(&mut self, policy: &mut Policy, section: &Section) {
        let budget = &mut policy.budget;
        self.most("budget.stacks", &mut budget.stacks, section.budget_stacks.as_ref(), number);
        self.most("budget.replacements", &mut budget.replacements, section.budget_replacements.as_ref(), number);
        self.most("budget.deletions", &mut budget.deletions, section.budget_deletions.as_ref(), number);
        // So many within an hour are more than so many within a day.
        let numbers = [&section.budget_stacks, &section.budget_replacements, &section.budget_deletions];
        let default = numbers.into_iter().flatten().next().map(|said| Said { value: PERIOD, by: said.by.clone() });
        if let Some(said) = section.budget_per.clone().or(default).filter(|said| said.value > budget.per) {
            self.cut("budget.per", span(budget.per), span(said.value), &said.by);
            budget.per = said.value;
        }
    }

    fn lists(&mut self, policy: &mut Policy, section: &Section, stateful: &[&str]) {
        let kept =
            stateful.iter().map(|kind| (*kind).to_owned()).filter(|kind| !section.stateful_remove.contains(kind));
        let wanted: Vec<String> = kept.chain(section.stateful_add.iter().cloned()).collect();
        // What nobody can judge, such as a custom resource, holds state too unless the operator says otherwise.
        let may_hold_none = |kind: &String| section.stateful_remove.contains(kind) && !wanted.contains(kind);
        let is_missing = |kind: &&String| stateful.contains(&kind.as_str()) && !policy.stateful_types.contains(*kind);
        let unproven = policy.stateless_types.iter().filter(|kind| !may_hold_none(kind));
        let removed: BTreeSet<&str> = wanted.iter().filter(is_missing).chain(unproven).map(String::as_str).collect();
        if !removed.is_empty() {
            let names = removed.into_iter().collect::<Vec<_>>().join(", ");
            self.cut("statefulTypes", format!("{names}: stateless"), "stateful".to_owned(), &section.by);
        }
        policy.stateless_types.retain(may_hold_none);
        policy.stateful_types.extend(wanted);
        if let Some(tags) = &section.required_tags {
            policy.required_tags.extend(tags.value.iter().cloned());
        }
    }

    /// No more than what is said.
    fn most<T: Copy + PartialOrd>(
        &mut self,
        field: &str,
        held: &mut T,
        said: Option<&Said<T>>,
        word: impl Fn(T) -> String,
    ) {
        let Some(said) = said.filter(|said| said.value < *held) else { return };
        self.cut(field, word(*held), word(said.value), &said.by);
        *held = said.value;
    }

    /// A field that is cut again was asked for only once.
    fn cut(&mut self, field: &str, asked: String, holds: String, by: &str) {
        match self.cuts.iter_mut().find(|cut| cut.field == field) {
            Some(cut) => (cut.holds, cut.by) = (holds, by.to_owned()),
            None => self.cuts.push(Cut { field: field.to_owned(), asked, holds, by: by.to_owned() }),
        }
    }
}

fn number(number: u32) -> String {
    number.to_string()
}

fn span(duration: Duration) -> String {
    let shown: &dyn Display = &humantime::format_duration(duration);
    shown.to_string()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::model::Budget;

    const TYPES: [&str; 4] = ["T::A", "T::B", "T::C", "T::D"];
    const STATEFUL: [&str; 2] = ["T::A", "T::B"];

    fn some<T: std::fmt::Debug + Clone + 'static>(
        value: impl Strategy<Value = T> + 'static,
    ) -> impl Strategy<Value = Option<Said<T>>> {
        let said = |value: Option<T>| value.map(|value| Said { value, by: "landfast.toml:1".into() });
        prop::option::of(value).prop_map(said)
    }

    fn subset(of: &'static [&'static str]) -> impl Strategy<Value = BTreeSet<String>> {
        prop::sample::subsequence(of, 0..=of.len())
            .prop_map(|some| some.into_iter().map(str::to_owned).collect::<BTreeSet<_>>())
    }

    fn mode() -> impl Strategy<Value = Mode> {
        prop::sample::select(vec![Mode::Observe, Mode::Approve, Mode::Apply])
    }

    fn prune() -> impl Strategy<Value = Prune> {
        prop::sample::select(vec![Prune::Never, Prune::Confirm, Prune::Always])
    }

    fn broaden() -> impl Strategy<Value = Broaden> {
        prop::sample::select(vec![Broaden::Deny, Broaden::Approve, Broaden::Allow])
    }

    fn replace() -> impl Strategy<Value = Replace> {
        prop::sample::select(vec![Replace::Deny, Replace::Approve, Replace::Allow])
    }

    fn drift() -> impl Strategy<Value = DriftAction> {
        prop::sample::select(vec![DriftAction::Report, DriftAction::Revert])
    }

    fn seconds() -> impl Strategy<Value = Duration> {
        (1u64..5).prop_map(|hours| Duration::from_secs(hours * 1800))
    }

    prop_compose! {
        fn budget()(stacks in 0u32..4, replacements in 0u32..4, deletions in 0u32..4, per in seconds()) -> Budget {
            Budget { stacks, replacements, deletions, per }
        }
    }

    prop_compose! {
        fn policies()(
            mode in mode(),
            prune in prune(),
            replace in replace(),
            broaden in broaden(),
            budget in budget(),
            required_tags in subset(&["x", "y"]),
            stateful_types in subset(&TYPES),
            stateless_types in subset(&["T::A", "T::C", "Custom::X"]),
            backup_max_age in seconds(),
            drift in drift(),
        ) -> Policy {
            Policy {
                mode, prune, replace, broaden, budget, required_tags, stateful_types, stateless_types,
                backup_max_age, drift,
                stack_name: ".*".to_owned(),
                drift_every: None,
            }
        }
    }

    prop_compose! {
        fn limits()(
            mode in some(mode()),
            prune in some(prune()),
            replace in some(replace()),
            broaden in some(broaden()),
            drift in some(drift()),
            backup_max_age in some(seconds()),
            required_tags in some(subset(&["x", "y", "z"])),
            stateful_add in subset(&TYPES),
            stateful_remove in subset(&["T::A", "T::B", "T::C", "T::D", "Custom::X"]),
        ) -> Section {
            Section {
                mode, prune, replace, broaden, drift, backup_max_age, required_tags, stateful_add, stateful_remove,
                ..Section::default()
            }
        }
    }

    prop_compose! {
        fn sections()(
            section in limits(),
            budget_stacks in some(0u32..4),
            budget_replacements in some(0u32..4),
            budget_deletions in some(0u32..4),
            budget_per in some(seconds()),
        ) -> Section {
            Section { budget_stacks, budget_replacements, budget_deletions, budget_per, ..section }
        }
    }

    /// Whether all that `one` allows is allowed by `other`. Every field is named, so that a new one is not forgotten.
    fn within(one: &Policy, other: &Policy) -> bool {
        let Policy {
            mode,
            prune,
            replace,
            broaden,
            budget: Budget { stacks, replacements, deletions, per },
            stack_name,
            required_tags,
            stateful_types,
            stateless_types,
            backup_max_age,
            drift,
            drift_every: _,
        } = one;
        *mode <= other.mode
            && *prune <= other.prune
            && *replace <= other.replace
            && *broaden <= other.broaden
            && stateless_types.is_subset(&other.stateless_types)
            && *stacks <= other.budget.stacks
            && *replacements <= other.budget.replacements
            && *deletions <= other.budget.deletions
            && *per >= other.budget.per
            && *stack_name == other.stack_name
            && required_tags.is_superset(&other.required_tags)
            && stateful_types.is_superset(&other.stateful_types)
            && *backup_max_age <= other.backup_max_age
            && *drift <= other.drift
    }

    /// The most permissive policy that a section allows.
    fn loosest(section: &Section) -> Policy {
        fn value<T: Clone>(said: Option<&Said<T>>, otherwise: T) -> T {
            said.map_or(otherwise, |said| said.value.clone())
        }
        let numbers = [&section.budget_stacks, &section.budget_replacements, &section.budget_deletions];
        let period = if numbers.iter().any(|said| said.is_some()) { PERIOD } else { Duration::ZERO };
        let mut stateful: BTreeSet<String> = STATEFUL.iter().map(|kind| (*kind).to_owned()).collect();
        stateful.retain(|kind| !section.stateful_remove.contains(kind));
        stateful.extend(section.stateful_add.iter().cloned());
        let stateless_types = section.stateful_remove.difference(&stateful).cloned().collect();
        Policy {
            mode: value(section.mode.as_ref(), Mode::Apply),
            prune: value(section.prune.as_ref(), Prune::Always),
            replace: value(section.replace.as_ref(), Replace::Allow),
            broaden: value(section.broaden.as_ref(), Broaden::Allow),
            budget: Budget {
                stacks: value(section.budget_stacks.as_ref(), u32::MAX),
                replacements: value(section.budget_replacements.as_ref(), u32::MAX),
                deletions: value(section.budget_deletions.as_ref(), u32::MAX),
                per: value(section.budget_per.as_ref(), period),
            },
            stack_name: ".*".to_owned(),
            required_tags: value(section.required_tags.as_ref(), BTreeSet::new()),
            stateful_types: stateful,
            stateless_types,
            backup_max_age: value(section.backup_max_age.as_ref(), Duration::MAX),
            drift: value(section.drift.as_ref(), DriftAction::Revert),
            drift_every: None,
        }
    }

    proptest! {
        #[test]
        fn what_holds_is_looser_than_nobody_says(asked in policies(), a in sections(), b in sections()) {
            let (held, cuts) = floor(asked.clone(), &[&a, &b], &STATEFUL);
            prop_assert!(within(&held, &asked), "{held:?} is looser than what was asked for");
            for section in [&a, &b] {
                prop_assert!(within(&held, &loosest(section)), "{held:?} is looser than {section:?}");
            }
            // The order of sections decides nothing, and what holds is not cut again.
            prop_assert_eq!(&floor(asked.clone(), &[&b, &a], &STATEFUL).0, &held);
            prop_assert_eq!(floor(held.clone(), &[&a, &b], &STATEFUL), (held.clone(), Vec::new()));
            // Whatever was taken away is said; a tag or a type more is nothing that was asked for.
            let taken = Policy { required_tags: asked.required_tags.clone(), ..held.clone() };
            let types = STATEFUL.iter().any(|kind| {
                held.stateful_types.contains(*kind) && !asked.stateful_types.contains(*kind)
            });
            let same = Policy { stateful_types: asked.stateful_types.clone(), ..taken } == asked;
            prop_assert_eq!(cuts.is_empty(), same && !types, "{:?}", cuts);
        }

        #[test]
        fn nothing_said_is_nothing_cut(asked in policies()) {
            prop_assert_eq!(floor(asked.clone(), &[], &STATEFUL), (asked, Vec::new()));
        }
    }

    #[test]
    fn a_cut_says_what_was_asked_for_what_holds_and_who_says_so() {
        let text = "[[environment]]\nname = ['*']\nprune = 'confirm'\n[[environment]]\nname = ['p']\nprune = 'never'\n";
        let operator = crate::operator::read("/etc/landfast/landfast.toml", text).unwrap();
        let asked = loosest(&Section::default());
        let (held, cuts) = operator.floor_of(&"p".parse().unwrap()).unwrap().policy(asked, &[]);
        assert_eq!(held.prune, Prune::Never);
        let said: Vec<String> = cuts.iter().map(ToString::to_string).collect();
        let expected =
            "`policy.prune` is always here, but the operator's /etc/landfast/landfast.toml:6 limits it to never";
        assert_eq!(said, [expected]);
    }
}
