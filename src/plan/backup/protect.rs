//! Point-in-time recovery and deletion protection of a table.
//!
//! Switching recovery on, or its window longer, takes nothing away. A shorter window destroys history at once, and
//! switching it off and on again begins a new one (AWS: *Point-in-time recovery: how it works*); so the first needs a
//! person, and the second is never done.

use std::collections::BTreeSet;

use super::{Covered, Deciding, Wanted, refused};
use crate::model::{
    ChangeAction, Entry, Guard, ProtectTable, Replacement, ResourceChange, SetRecovery, TableStatus, Tried,
};
use crate::template;

impl Deciding<'_> {
    /// Adds what a table's protection needs. False while it is not as asked.
    pub(super) fn protection(&self, entry: &mut Entry, table: &Covered<'_>, wanted: &mut Wanted) -> bool {
        let recovers = self.recovery(entry, table, wanted);
        let protects = self.deletion(entry, table, wanted);
        recovers && protects
    }

    fn recovery(&self, entry: &mut Entry, table: &Covered<'_>, wanted: &mut Wanted) -> bool {
        let Some(to) = self.spec.recovery_days else { return true };
        let recovery = table.seen.recovery;
        let from = recovery.on.then_some(recovery.window_days);
        if from == Some(to) {
            return true;
        }
        let was = from.map_or_else(|| "off".to_owned(), |days| format!("{days} days"));
        Self::unprotected(entry, table.name, "point-in-time recovery", was, format!("{to} days"));
        if let Some((stack, settings)) = self.template_settings(table)
            && (settings.recovery == Some(false) || settings.recovery_days.is_some_and(|days| days != to))
        {
            let sets = match (settings.recovery, settings.recovery_days) {
                (Some(false), _) | (_, None) => "off".to_owned(),
                (_, Some(days)) => format!("to {days} days"),
            };
            let reason = format!("the template of {stack} sets point-in-time recovery of {} {sets}", table.name);
            refused(entry, Guard::TwoWriters, reason, "use the same value in both, or remove it from one of them");
            return false;
        }
        if self.is_held(entry, table, &Tried::recovery(from, to)) {
            return false;
        }
        let change = SetRecovery { table: table.name.clone(), id: table.seen.state.id.clone(), from, to };
        if from.is_some_and(|from| from > to) {
            wanted.lost.push(ResourceChange {
                resource: format!("{}: changes older than {to} days", table.name),
                kind: "AWS::DynamoDB::Table".to_owned(),
                physical_id: None,
                action: ChangeAction::Remove,
                replacement: Replacement::Never,
                properties: BTreeSet::new(),
                values: Vec::new(),
                retained: false,
                nested: None,
                only_tags: false,
                unknown: None,
            });
            wanted.shorten.push(change);
        } else {
            wanted.recover.push(change);
        }
        false
    }

    fn deletion(&self, entry: &mut Entry, table: &Covered<'_>, wanted: &mut Wanted) -> bool {
        let state = &table.seen.state;
        if !self.spec.deletion_protection || state.deletion_protected {
            return true;
        }
        Self::unprotected(entry, table.name, "deletion protection", "off".to_owned(), "on".to_owned());
        if let Some((stack, settings)) = self.template_settings(table)
            && settings.protected == Some(false)
        {
            let reason = format!("the template of {stack} disables deletion protection of {}", table.name);
            refused(entry, Guard::TwoWriters, reason, "use the same value in both, or remove it from one of them");
            return false;
        }
        // One change of a table at a time (AWS: *`UpdateTable`*).
        if state.status == TableStatus::Active && !self.is_held(entry, table, &Tried::protection()) {
            wanted.protect.push(ProtectTable { table: table.name.clone(), id: state.id.clone() });
        }
        false
    }

    /// What the template of the stack that has the table says of it: asked only where something differs.
    fn template_settings(&self, table: &Covered<'_>) -> Option<(crate::model::Key, template::TableSettings)> {
        let (stack, resource) = table.origin?;
        let spec = self.planner.input.environment.stacks.get(stack)?;
        let value = |name: &str| match spec.parameters.get(name) {
            Some(crate::model::Parameter::Plain(text)) => text.as_literal().map(str::to_owned),
            Some(crate::model::Parameter::NoEcho(_) | crate::model::Parameter::Previous) => None,
            None => spec.template.parameters.get(name).and_then(|parameter| parameter.default.clone()),
        };
        let settings = template::table_settings(&spec.template.body, resource, &value)?;
        Some((stack.clone(), settings))
    }
}
