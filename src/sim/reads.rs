//! The reading requests, as the world answers them: now, or as things were a while ago.

use std::ops::Bound;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use super::stack::Version;
use super::validate::invalid;
use super::world::World;
use crate::model::{
    ChangeSetId, ChangeSetName, ChangeSetState, ChangeSetStatus, ChangeSetSummary, DeletedStack, ResourceChange,
    StackEvent, StackId, StackName, StackState, StackStatus,
};
use crate::ports::{Class, Page, PageToken, PortError};

/// How long AWS tells of deleted stacks (AWS: *`ListStacks`*: "kept for 90 days after the stack is deleted").
const TOLD_FOR: Duration = Duration::from_hours(90 * 24);

/// How a read is bent by a fault.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Lens {
    /// See things as they were this long ago.
    pub(super) stale: Option<Duration>,
    /// Give less than a full page.
    pub(super) partial: bool,
}

impl Lens {
    pub(super) fn size(self, full: usize, available: usize) -> usize {
        if self.partial { available.min(full) / 2 } else { full }
    }
}

/// A template as AWS shows it (aws-cloudformation/cloudformation-coverage-roadmap#1220).
fn as_it_is_shown(template: &str) -> String {
    template.chars().map(|c| if c.is_ascii() { c } else { '?' }).collect()
}

impl World {
    /// AWS: *`DescribeStacks`* without a name. A token is the last name that was given, so that pages neither repeat
    /// nor miss a stack while others come and go.
    pub(super) fn list_stacks(
        &self,
        region: usize,
        lens: Lens,
        page: Option<&PageToken>,
    ) -> Result<Page<StackState>, PortError> {
        let after = match page {
            None => None,
            Some(token) => {
                let name = token
                    .strip_prefix("stacks:")
                    .filter(|name| !name.is_empty())
                    .map(str::parse::<StackName>)
                    .transpose();
                name.map_err(|_| bad_token("DescribeStacks"))?
            }
        };
        let after = after.map_or(Bound::Unbounded, Bound::Excluded);
        let region = &self.data.regions[region];
        let full = self.config.page_size.max(1);
        let mut items: Vec<StackState> = Vec::new();
        let mut last = None;
        if let Some(age) = lens.stale {
            let then = self.ago(age);
            let all = self
                .data
                .stacks
                .iter()
                .enumerate()
                .filter(|(_, stack)| self.data.regions[stack.region].scope == region.scope);
            let mut seen: Vec<&StackState> =
                all.filter_map(|(ix, _)| self.as_of(ix, then)).map(|version| version.state.as_ref()).collect();
            seen.sort_by(|one, other| one.name.cmp(&other.name));
            seen.retain(|state| match &after {
                Bound::Excluded(name) => state.name > *name,
                _ => true,
            });
            let more = seen.len() > full;
            items.extend(seen.into_iter().take(full).cloned());
            last = items.last().filter(|_| more).map(|state| state.name.clone());
        } else {
            let mut rest = region.live.range::<StackName, _>((after.as_ref(), Bound::Unbounded)).peekable();
            let size = if lens.partial { lens.size(full, region.live.len()) } else { full };
            while items.len() < size
                && let Some((_, ix)) = rest.next()
            {
                items.push(self.data.stacks[*ix].state.as_ref().clone());
            }
            if rest.peek().is_some() {
                last = items.last().map(|state| state.name.clone());
                if items.is_empty() {
                    // An empty page that is not the last: read on from where this one began.
                    return Ok(Page { items, next: Some(page.cloned().unwrap_or_else(|| "stacks:".to_owned())) });
                }
            }
        }
        Ok(Page { items, next: last.map(|name| format!("stacks:{name}")) })
    }

    /// AWS: *`DescribeStacks`* with a name.
    pub(super) fn describe_stack(&self, region: usize, lens: Lens, name: &StackName) -> Option<StackState> {
        match lens.stale {
            None => self.named(region, name).map(|ix| self.data.stacks[ix].state.as_ref().clone()),
            Some(age) => {
                let then = self.ago(age);
                let mut named = self
                    .data
                    .stacks
                    .iter()
                    .enumerate()
                    .filter(|(_, stack)| stack.region == region && stack.state.name == *name);
                named.find_map(|(ix, _)| self.as_of(ix, then)).map(|version| version.state.as_ref().clone())
            }
        }
    }

    /// AWS: *`ListStacks`* of those that were deleted, newest first, for 90 days.
    pub(super) fn deleted_stacks(
        &self,
        region: usize,
        lens: Lens,
        page: Option<&PageToken>,
    ) -> Result<Page<DeletedStack>, PortError> {
        let then = self.then(lens);
        let since = self.ago(TOLD_FOR);
        let stacks = self.data.stacks.iter().rev().filter(|stack| stack.region == region);
        let deleted = stacks.filter_map(|stack| {
            let at = stack.events.last().map(|event| event.at).filter(|at| (since..=then).contains(at))?;
            let gone = stack.state.status == StackStatus::DeleteComplete;
            let (id, name) = (stack.state.id.clone(), stack.state.name.clone());
            gone.then_some(DeletedStack { id, name, at: Some(at) })
        });
        let deleted: Vec<DeletedStack> = deleted.collect();
        super::ecs::page("ListStacks", &deleted, self.config.page_size.max(1), lens, page)
    }

    /// AWS: *`DescribeStacks`* with an id, also of a deleted stack for 90 days.
    pub(super) fn known_stack(&self, region: usize, lens: Lens, id: &StackId) -> Option<StackState> {
        let ix = self.find(region, id)?;
        let stack = &self.data.stacks[ix];
        let gone = stack.state.status == StackStatus::DeleteComplete;
        if gone && stack.events.last().is_some_and(|event| event.at < self.ago(TOLD_FOR)) {
            return None;
        }
        let before = lens.stale.and_then(|age| self.as_of(ix, self.ago(age)));
        Some(before.map_or(&stack.state, |version| &version.state).as_ref().clone())
    }

    /// AWS: *`GetTemplate`*. Works for deleted stacks by id. What is not ASCII comes back as `?`
    /// (aws-cloudformation/cloudformation-coverage-roadmap#1220).
    pub(super) fn template(&self, region: usize, lens: Lens, id: &StackId) -> Result<String, PortError> {
        let ix = self.any(region, id, "GetTemplate")?;
        let version: Option<&Version> = lens.stale.and_then(|age| self.as_of(ix, self.ago(age)));
        let template = version.map_or(&self.data.stacks[ix].template, |version| &version.template);
        Ok(as_it_is_shown(template))
    }

    /// The same, stage `Processed`.
    pub(super) fn processed_template(&self, region: usize, id: &StackId) -> Result<String, PortError> {
        let ix = self.any(region, id, "GetTemplate")?;
        let submission = self.submitted(ix);
        let Some(processed) = &submission.processed else { return Ok(submission.template.to_string()) };
        let root = serde_json::from_str::<serde_json::Map<String, serde_json::Value>>(processed);
        let mut root = root.map_err(|error| PortError::new(Class::Transient, "GetTemplate", error.to_string()))?;
        // It says here which functions are known, and nothing to whoever reads it.
        root.remove("Transform");
        Ok(serde_json::Value::Object(root).to_string())
    }

    /// The stack of that id, deleted or not.
    pub(super) fn any(&self, region: usize, id: &StackId, operation: &'static str) -> Result<usize, PortError> {
        self.find(region, id).ok_or_else(|| {
            PortError::new(Class::NotFound, operation, format!("Stack [{id}] does not exist"))
                .with_code("ValidationError")
        })
    }

    /// AWS: *`DescribeStackEvents`*, newest first. A token counts events from the oldest, so that new events do not move
    /// the pages.
    pub(super) fn events(
        &self,
        region: usize,
        lens: Lens,
        id: &StackId,
        page: Option<&PageToken>,
    ) -> Result<Page<StackEvent>, PortError> {
        let ix = self.any(region, id, "DescribeStackEvents")?;
        let events = &self.data.stacks[ix].events;
        let visible = match lens.stale {
            None => events.len(),
            Some(age) => {
                let then = self.ago(age);
                events.partition_point(|event| event.at <= then)
            }
        };
        let end = match page {
            None => visible,
            Some(token) => number(token, "events:").ok_or_else(|| bad_token("DescribeStackEvents"))?.min(visible),
        };
        let from = end.saturating_sub(lens.size(self.config.page_size.max(1), end));
        let items = events.get(from..end).unwrap_or_default().iter().rev().cloned().collect();
        Ok(Page { items, next: (from > 0).then(|| format!("events:{from}")) })
    }

    /// AWS: *`ListChangeSets`*.
    pub(super) fn change_sets(
        &self,
        region: usize,
        lens: Lens,
        id: &StackId,
        page: Option<&PageToken>,
    ) -> Result<Page<ChangeSetSummary>, PortError> {
        let ix = self.existing(region, id, "ListChangeSets")?;
        let after = match page {
            None => Bound::Unbounded,
            Some(token) => match token.strip_prefix("change-sets:") {
                Some("") => Bound::Unbounded,
                Some(name) => Bound::Excluded(name.parse::<ChangeSetName>().map_err(|_| bad_token("ListChangeSets"))?),
                None => return Err(bad_token("ListChangeSets")),
            },
        };
        let then = self.then(lens);
        let all = &self.data.stacks[ix].change_sets;
        let rest = all.range::<ChangeSetName, _>((after.as_ref(), Bound::Unbounded));
        let mut rest = rest.filter(|(_, set)| set.created <= then).peekable();
        let size = lens.size(self.config.page_size.max(1), all.len());
        let mut items = Vec::new();
        while items.len() < size
            && let Some((name, set)) = rest.next()
        {
            let status = if set.ready.is_none_or(|ready| ready > then) {
                ChangeSetStatus::Creating
            } else {
                set.state.status.clone()
            };
            items.push(ChangeSetSummary { id: set.state.id.clone(), name: name.clone(), status });
        }
        let next = rest.peek().is_some().then(|| match items.last() {
            Some(last) => format!("change-sets:{}", last.name),
            None => page.cloned().unwrap_or_else(|| "change-sets:".to_owned()),
        });
        Ok(Page { items, next })
    }

    /// AWS: *`DescribeChangeSet`*.
    pub(super) fn describe_change_set(
        &self,
        region: usize,
        lens: Lens,
        id: &StackId,
        name: &ChangeSetName,
        page: Option<&PageToken>,
    ) -> Result<Option<(ChangeSetState, Option<PageToken>)>, PortError> {
        let Some(ix) = self.find(region, id) else { return Ok(None) };
        self.show_change_set(ix, lens, name, page)
    }

    /// The same, by its id alone.
    pub(super) fn nested_change_set(
        &self,
        region: usize,
        lens: Lens,
        id: &ChangeSetId,
        page: Option<&PageToken>,
    ) -> Result<Option<(ChangeSetState, Option<PageToken>)>, PortError> {
        let Some((ix, name)) = self.change_set_by_id(region, id) else { return Ok(None) };
        self.show_change_set(ix, lens, &name, page)
    }

    fn show_change_set(
        &self,
        ix: usize,
        lens: Lens,
        name: &ChangeSetName,
        page: Option<&PageToken>,
    ) -> Result<Option<(ChangeSetState, Option<PageToken>)>, PortError> {
        let then = self.then(lens);
        let Some(set) = self.data.stacks[ix].change_sets.get(name).filter(|set| set.created <= then) else {
            return Ok(None);
        };
        let ready = set.ready.is_some_and(|ready| ready <= then);
        let from = match page {
            None => 0,
            Some(token) => number(token, "changes:").ok_or_else(|| bad_token("DescribeChangeSet"))?,
        };
        let all = if ready { set.state.changes.as_slice() } else { &[] };
        let rest = all.get(from..).unwrap_or_default();
        let size = lens.size(self.config.change_page_size.max(1), rest.len());
        let context = |change: &ResourceChange| {
            let context = set.state.contexts.get(&change.resource)?;
            Some((change.resource.clone(), context.clone()))
        };
        let state = ChangeSetState {
            id: set.state.id.clone(),
            name: name.clone(),
            stack: set.state.stack.clone(),
            status: if ready || set.state.status == ChangeSetStatus::Spent {
                set.state.status.clone()
            } else {
                ChangeSetStatus::Creating
            },
            mode: set.state.mode,
            parent: set.state.parent.clone(),
            changes: rest.iter().take(size).cloned().collect(),
            inputs: set.state.inputs.clone(),
            contexts: rest.iter().take(size).filter_map(context).collect(),
        };
        Ok(Some((state, (rest.len() > size).then(|| format!("changes:{}", from + size)))))
    }

    /// AWS: *`GetTemplate`*, `ChangeSetName`.
    pub(super) fn change_set_template(
        &self,
        region: usize,
        lens: Lens,
        id: &StackId,
        name: &ChangeSetName,
    ) -> Option<String> {
        let (ix, then) = (self.find(region, id)?, self.then(lens));
        let set = self.data.stacks[ix].change_sets.get(name).filter(|set| set.created <= then)?;
        Some(as_it_is_shown(&set.submission.template))
    }

    /// AWS: *`ListImports`*.
    pub(super) fn importers(
        &self,
        region: usize,
        lens: Lens,
        export: &str,
        page: Option<&PageToken>,
    ) -> Result<Page<StackName>, PortError> {
        // One that did not exist then did not import.
        let then = self.then(lens);
        let existed = |name: &&StackName| {
            let user = self.data.stacks.iter().rev().find(|stack| stack.region == region && stack.state.name == **name);
            user.is_some_and(|user| user.state.created <= then)
        };
        let users: Vec<&StackName> =
            self.data.regions[region].imports.get(export).into_iter().flatten().filter(existed).collect();
        let from = match page {
            None => 0,
            Some(token) => number(token, "imports:").ok_or_else(|| bad_token("ListImports"))?,
        };
        let size = lens.size(self.config.page_size.max(1), users.len().saturating_sub(from));
        let items: Vec<StackName> = users.iter().skip(from).take(size).copied().cloned().collect();
        let end = from + items.len();
        Ok(Page { items, next: (end < users.len()).then(|| format!("imports:{end}")) })
    }

    fn then(&self, lens: Lens) -> Timestamp {
        lens.stale.map_or(Timestamp::MAX, |age| self.ago(age))
    }

    /// The policy of a stack.
    pub(super) fn policy(&self, region: usize, id: &StackId) -> Result<Option<String>, PortError> {
        let ix = self.existing(region, id, "GetStackPolicy")?;
        Ok(self.data.stacks[ix].policy.clone())
    }

    /// The state of a stack, shared.
    pub(super) fn state_of(&self, ix: usize) -> Arc<StackState> {
        Arc::clone(&self.data.stacks[ix].state)
    }
}

fn number(token: &str, kind: &str) -> Option<usize> {
    token.strip_prefix(kind)?.parse().ok()
}

fn bad_token(operation: &'static str) -> PortError {
    invalid(operation, "Invalid next token")
}
