//! What is within stacks: what a change set would do in nested ones, and what would go with a stack that is deleted.
//!
//! Read only where a decision depends on it. What cannot be read is said of the resource that it is about, and guards take
//! it for the worst.

use std::collections::BTreeMap;

use futures_util::future::{BoxFuture, FutureExt as _};

use crate::model::{
    ChangeAction, ChangeContext, ChangeSetId, ChangeSetName, ChangeSetState, ChangeSetStatus, Contained, NESTED_STACK,
    Replacement, ResourceChange, StackId,
};
use crate::ports::{Class, Drift, PAGES_MAX, PageToken, PortError, Stacks, all, endless, found};
use crate::sabotage::{self, Bug};
use crate::template;

/// Stacks within stacks are followed so far down.
const DEPTH_MAX: usize = 8;

/// A change set, by what is known of it.
#[derive(Clone, Copy)]
enum Asked<'a> {
    Of(&'a StackId, &'a ChangeSetName),
    Nested(&'a ChangeSetId),
}

impl Asked<'_> {
    async fn page(
        self,
        port: &dyn Stacks,
        page: Option<PageToken>,
    ) -> Result<Option<(ChangeSetState, Option<PageToken>)>, PortError> {
        match self {
            Self::Of(stack, name) => port.describe_change_set(stack, name, page).await,
            Self::Nested(id) => port.nested_change_set(id, page).await,
        }
    }

    /// All pages. Deleted between two of them: what was read is not all of it, and it can no longer be executed.
    async fn read(self, port: &dyn Stacks) -> Result<Option<ChangeSetState>, PortError> {
        let Some((mut state, mut next)) = self.page(port, None).await? else { return Ok(None) };
        for _ in 0..PAGES_MAX {
            let Some(token) = next else { return Ok(Some(state)) };
            let Some((more, after)) = self.page(port, Some(token)).await? else { return Ok(None) };
            state.changes.extend(more.changes);
            state.contexts.extend(more.contexts);
            next = after;
        }
        Err(endless("DescribeChangeSet"))
    }
}

/// A change set with all its changes, those in nested stacks too.
pub(super) async fn describe(
    port: &dyn Stacks,
    id: &StackId,
    name: &ChangeSetName,
) -> Result<Option<ChangeSetState>, PortError> {
    let Some(mut state) = Asked::Of(id, name).read(port).await? else { return Ok(None) };
    if state.status == ChangeSetStatus::Available {
        let (changes, contexts) = (std::mem::take(&mut state.changes), std::mem::take(&mut state.contexts));
        let followed = follow(port, &state.id, Followed { changes, contexts }, DEPTH_MAX).await?;
        (state.changes, state.contexts) = (followed.changes, followed.contexts);
    }
    Ok(Some(state))
}

/// Changes, and the resources that they are about as a whole.
#[derive(Default)]
struct Followed {
    changes: Vec<ResourceChange>,
    contexts: BTreeMap<String, ChangeContext>,
}

/// The same, with what is in nested stacks after it, as `Stack/Resource`.
fn follow<'a>(
    port: &'a dyn Stacks,
    set: &'a ChangeSetId,
    Followed { changes, mut contexts }: Followed,
    depth: usize,
) -> BoxFuture<'a, Result<Followed, PortError>> {
    async move {
        let mut followed = Vec::with_capacity(changes.len());
        for mut change in changes {
            let mut within = Followed::default();
            if change.kind == NESTED_STACK && change.action != ChangeAction::Add {
                match judge(port, set, &change, depth).await? {
                    Ok(found) => within = found,
                    Err(why) => change.unknown = Some(why),
                }
            }
            let name = change.resource.clone();
            followed.push(change);
            let inside = |inner: &str| format!("{name}/{inner}");
            contexts.extend(within.contexts.into_iter().map(|(inner, context)| (inside(&inner), context)));
            let changes = within.changes.into_iter();
            followed.extend(changes.map(|inner| ResourceChange { resource: inside(&inner.resource), ..inner }));
        }
        Ok(Followed { changes: followed, contexts })
    }
    .boxed()
}

/// What a change of a nested stack does in it, or why that is not known. An error passes by itself.
async fn judge(
    port: &dyn Stacks,
    parent: &ChangeSetId,
    change: &ResourceChange,
    depth: usize,
) -> Result<Result<Followed, String>, PortError> {
    let unknown = |why: &str| Ok(Err(why.to_owned()));
    match change.action {
        // Nothing is done to it.
        ChangeAction::Sync | ChangeAction::Import | ChangeAction::Add => return Ok(Ok(Followed::default())),
        ChangeAction::Remove => return unknown("its resources have not been read"),
        ChangeAction::Dynamic => return unknown("CloudFormation determines the change during the update"),
        ChangeAction::Modify => {}
    }
    let Some(id) = &change.nested else {
        return Ok(unfollowed(change));
    };
    let Some(depth) = depth.checked_sub(1) else { return unknown("stacks are nested too deeply") };
    let state = match Asked::Nested(id).read(port).await {
        Ok(Some(state)) => state,
        Ok(None) => return unknown("its change set no longer exists"),
        Err(error) if matches!(error.class, Class::Transient | Class::Throttled | Class::Stopped) => return Err(error),
        Err(error) => return unknown(&format!("its change set could not be read: {error}")),
    };
    if state.parent.as_ref() != Some(parent) {
        return unknown("its change set belongs to another change set");
    }
    match state.status {
        ChangeSetStatus::Available => {
            let (changes, contexts) = (state.changes, state.contexts);
            follow(port, &state.id, Followed { changes, contexts }, depth).await.map(Ok)
        }
        ChangeSetStatus::Empty => Ok(Ok(Followed::default())),
        ChangeSetStatus::Creating => unknown("its change set is still being computed"),
        ChangeSetStatus::Spent => unknown("its change set can no longer be executed"),
        ChangeSetStatus::Failed(reason) => unknown(&format!("its change set could not be computed: {reason}")),
    }
}

/// What a nested stack's change does in it, where there is no change set for it. Tags replace nothing.
fn unfollowed(change: &ResourceChange) -> Result<Followed, String> {
    let harmless = change.only_tags && change.replacement == Replacement::Never;
    if harmless || sabotage::is(Bug::NestedLeftOut) {
        return Ok(Followed::default());
    }
    Err("no change set shows its changes".to_owned())
}

/// Everything in a stack and in those nested in it; `None`: there is no such stack.
pub(super) async fn contents(
    stacks: &dyn Stacks,
    drift: &dyn Drift,
    id: &StackId,
) -> Result<Option<Vec<Contained>>, PortError> {
    let mut contents = found(within(stacks, drift, id, DEPTH_MAX).await)?;
    // They are part of what is approved: in whatever order AWS lists them, they are the same.
    if let Some(contents) = &mut contents {
        contents.sort_by(|one, other| one.resource.cmp(&other.resource));
    }
    Ok(contents)
}

fn within<'a>(
    stacks: &'a dyn Stacks,
    drift: &'a dyn Drift,
    id: &'a StackId,
    depth: usize,
) -> BoxFuture<'a, Result<Vec<Contained>, PortError>> {
    async move {
        if sabotage::is(Bug::JudgedAsWritten) {
            return as_written(stacks, id).await;
        }
        let listed = all("ListStackResources", |page| drift.resources(id, page)).await?;
        // What macros made of the template: a policy that a macro wrote counts as any other.
        let body = stacks.processed_template(id).await?;
        let retained = template::parse(&body).map(|template| template.facts.retained.clone()).unwrap_or_default();
        let mut contents = Vec::with_capacity(listed.len());
        for resource in listed {
            let stays = retained.contains(&resource.resource);
            let nested = (resource.kind == NESTED_STACK).then(|| {
                let id = resource.physical_id.as_ref().and_then(|id| id.parse::<StackId>().ok());
                (id, depth.checked_sub(1))
            });
            let mut own = Contained {
                resource: resource.resource,
                kind: resource.kind,
                physical_id: resource.physical_id,
                retained: stays,
                unknown: None,
            };
            match nested {
                None => contents.push(own),
                Some((Some(id), Some(depth))) => {
                    // One that somebody has deleted past its root has nothing in it any more.
                    let inner = found(within(stacks, drift, &id, depth).await)?.unwrap_or_default();
                    let name = own.resource.clone();
                    contents.push(own);
                    // A nested stack that stays keeps what is in it.
                    contents.extend(inner.into_iter().map(|inner| Contained {
                        resource: format!("{name}/{}", inner.resource),
                        retained: stays || inner.retained,
                        ..inner
                    }));
                }
                Some((id, _)) => {
                    let why = if id.is_some() { "stacks are nested too deeply" } else { "it has no ID" };
                    own.unknown = Some(why.to_owned());
                    contents.push(own);
                }
            }
        }
        Ok(contents)
    }
    .boxed()
}

/// What the template says that was submitted: not what macros make of it, nor what is in nested stacks.
async fn as_written(stacks: &dyn Stacks, id: &StackId) -> Result<Vec<Contained>, PortError> {
    let body = stacks.template(id).await?;
    let Ok(template) = template::parse(&body) else { return Ok(Vec::new()) };
    let found = template.facts.resources.iter().map(|(resource, (kind, _))| Contained {
        retained: template.facts.retained.contains(resource),
        resource: resource.clone(),
        kind: kind.clone(),
        physical_id: None,
        unknown: None,
    });
    Ok(found.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_nested_stack_without_a_change_set_passes_only_where_nothing_but_its_tags_changes() {
        let change = |only_tags, replacement| ResourceChange {
            resource: "Data".to_owned(),
            kind: NESTED_STACK.to_owned(),
            physical_id: None,
            action: ChangeAction::Modify,
            replacement,
            properties: std::collections::BTreeSet::from(["Tags".to_owned()]),
            values: Vec::new(),
            retained: false,
            nested: None,
            only_tags,
            unknown: None,
        };
        let passes = |only_tags, replacement| unfollowed(&change(only_tags, replacement)).is_ok();
        assert!(passes(true, Replacement::Never));
        // A property that is called so, and what AWS itself is not sure of.
        assert!(!passes(false, Replacement::Never));
        assert!(!passes(true, Replacement::Conditional) && !passes(true, Replacement::Always));
    }
}
