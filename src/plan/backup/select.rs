//! Which tables a policy covers, as of now.

use std::collections::{BTreeMap, BTreeSet};

use crate::model::{
    BackupMemory, BackupNeed, BackupSpec, Key, Scope, Seen, StackAddress, StackId, TEST_PREFIX, TableName,
    TableSelection, Unknown,
};
use crate::plan::Input;
use crate::plan::planner::Planner;
use crate::plan::standing::{Standing, row};

/// What keeps a selection from being known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Blocked {
    /// Something could not be seen, or not yet.
    Unknown(String),
    /// This stack is not there yet, or an output of it.
    Pending(Key),
}

/// The tables that are selected, those excepted not. Those of a stack have their logical id with them.
pub(super) type Selected = BTreeMap<TableName, Option<(Key, String)>>;

/// The tables that a policy looks after now. What is being restored is left alone until it is finished, and what a test has
/// made is nobody's to keep.
pub(super) fn select(planner: &Planner<'_>, spec: &BackupSpec) -> Result<Selected, Blocked> {
    let memory: std::sync::Arc<BackupMemory> = planner.remembered(&spec.key);
    let moving = |table: &TableName| {
        memory.restores.get(table).is_some_and(|restore| restore.is_open() && restore.begun.is_some())
    };
    let mut selected = covered(planner, spec)?;
    selected.retain(|table, _| !moving(table) && !is_restored(planner.input, &spec.scope, table));
    Ok(selected)
}

/// Whether a policy of this environment restores a table in place.
pub(super) fn is_restored(input: &Input<'_>, scope: &Scope, table: &TableName) -> bool {
    let here = |key: &Key| input.environment.backups.get(key).is_some_and(|spec| spec.scope == *scope);
    let mut policies = input.memory.objects.backups.iter().filter(|(key, _)| here(key));
    policies.any(|(_, memory)| memory.being_restored().any(|one| one == table))
}

/// The tables that a policy covers, also while they are restored.
pub(super) fn covered(planner: &Planner<'_>, spec: &BackupSpec) -> Result<Selected, Blocked> {
    let mut selected = match &spec.tables {
        TableSelection::Stack(stack) => of_stack(planner, stack)?,
        TableSelection::Names(names) => {
            let mut selected = Selected::new();
            for name in names {
                let text = planner.text(name).map_err(Blocked::Pending)?;
                let name = text.parse().map_err(|why: crate::model::InvalidName| Blocked::Unknown(why.to_string()))?;
                selected.insert(name, None);
            }
            selected
        }
        TableSelection::Prefix(prefix) => {
            let all = tables(planner, &spec.scope)?;
            all.iter()
                .filter(|name| name.as_str().starts_with(prefix.as_str()))
                .map(|name| (name.clone(), None))
                .collect()
        }
        TableSelection::Tagged(tags) => tagged(planner, &spec.scope, tags)?,
    };
    selected.retain(|table, _| !spec.except.contains(table) && !table.as_str().starts_with(TEST_PREFIX));
    Ok(selected)
}

/// All tables of an account and region.
pub(super) fn tables<'p>(planner: &'p Planner<'_>, scope: &Scope) -> Result<&'p BTreeSet<TableName>, Blocked> {
    match planner.input.observation.backups.tables.get(scope) {
        Some(Seen::Present(all)) => Ok(all),
        Some(Seen::Absent) => Err(unread("its tables")),
        Some(Seen::Unknown(Unknown(why))) => Err(Blocked::Unknown(format!("the tables could not be listed: {why}"))),
        None => {
            planner.need(BackupNeed::Tables(scope.clone()));
            Err(unread("its tables"))
        }
    }
}

fn unread(what: &str) -> Blocked {
    Blocked::Unknown(format!("{what} have not been read"))
}

fn of_stack(planner: &Planner<'_>, key: &Key) -> Result<Selected, Blocked> {
    let input = planner.input;
    let Some(spec) = input.environment.stacks.get(key) else { return Err(Blocked::Pending(key.clone())) };
    let address = spec.address();
    let id = match input.observation.stack(&address) {
        Seen::Present(stack) if row(stack.state.status).standing == Standing::Gone => None,
        Seen::Present(stack) => Some(stack.state.id.clone()),
        Seen::Absent => None,
        Seen::Unknown(Unknown(why)) => return Err(Blocked::Unknown(format!("{key} could not be read: {why}"))),
    };
    let Some(id) = id else { return Err(Blocked::Pending(key.clone())) };
    let found = resources(planner, address, id)?;
    if found.is_empty() && !planner.entries.get(key).is_some_and(|entry| entry.ready) {
        // It is being made: that it has no table yet says nothing.
        return Err(Blocked::Pending(key.clone()));
    }
    Ok(found.iter().map(|(table, resource)| (table.clone(), Some((key.clone(), resource.clone())))).collect())
}

fn resources<'p>(
    planner: &'p Planner<'_>,
    address: StackAddress,
    id: StackId,
) -> Result<&'p BTreeMap<TableName, String>, Blocked> {
    let place = (address, id);
    match planner.input.observation.backups.of_stacks.get(&place) {
        Some(Seen::Present(found)) => Ok(found),
        Some(Seen::Absent) => Err(unread("the resources of its stack")),
        Some(Seen::Unknown(Unknown(why))) => {
            Err(Blocked::Unknown(format!("the resources of {} could not be listed: {why}", place.0.name)))
        }
        None => {
            planner.need(BackupNeed::OfStack(place.0, place.1));
            Err(unread("the resources of its stack"))
        }
    }
}

fn tagged(planner: &Planner<'_>, scope: &Scope, wanted: &BTreeMap<String, String>) -> Result<Selected, Blocked> {
    let mut selected = Selected::new();
    let mut blocked = None;
    for table in tables(planner, scope)? {
        match planner.input.observation.backups.tags.get(&(scope.clone(), table.clone())) {
            Some(Seen::Present(tags)) => {
                if wanted.iter().all(|(name, value)| tags.get(name) == Some(value)) {
                    selected.insert(table.clone(), None);
                }
            }
            // Deleted since it was listed.
            Some(Seen::Absent) => {}
            Some(Seen::Unknown(Unknown(why))) => {
                blocked = Some(Blocked::Unknown(format!("the tags of {table} could not be read: {why}")));
            }
            None => {
                planner.need(BackupNeed::Tags(scope.clone(), table.clone()));
                blocked = Some(unread("the tags of its tables"));
            }
        }
    }
    blocked.map_or(Ok(selected), Err)
}
