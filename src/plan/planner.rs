//! What every decision is made with: the input, what was decided before, and what would have to be known.

use std::cell::{OnceCell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use regex::Regex;

use super::Input;
use crate::model::{Entry, Key, Need, Refusal, Remembered};

/// A plan in the making.
pub(super) struct Planner<'a> {
    pub(super) input: &'a Input<'a>,
    /// What is decided so far; dependencies are decided before their dependants.
    pub(super) entries: BTreeMap<Key, Entry>,
    /// What would have to be known.
    needs: RefCell<BTreeSet<Need>>,
    /// The pattern of stack names, compiled at the first need: compiling costs more than deciding on a stack.
    stack_names: OnceCell<Option<Regex>>,
}

impl<'a> Planner<'a> {
    pub(super) fn new(input: &'a Input<'a>) -> Self {
        Self { input, entries: BTreeMap::new(), needs: RefCell::default(), stack_names: OnceCell::new() }
    }

    /// What was decided, and what would have to be known to decide more.
    pub(super) fn finish(self) -> (BTreeMap<Key, Entry>, BTreeSet<Need>) {
        (self.entries, self.needs.into_inner())
    }

    /// What is remembered of an object.
    pub(super) fn remembered<M: Remembered>(&self, key: &Key) -> Arc<M> {
        M::all(&self.input.memory.objects).get(key).cloned().unwrap_or_default()
    }

    /// Whether policy allows a stack of this name.
    pub(super) fn is_stack_name(&self, name: &str) -> bool {
        let pattern = &self.input.environment.policy.stack_name;
        // It was compiled when the manifests were loaded; one that does not compile never gets here.
        let compiled = self.stack_names.get_or_init(|| Regex::new(&format!("^(?:{pattern})$")).ok());
        compiled.as_ref().is_some_and(|pattern| pattern.is_match(name))
    }

    /// Notes that something must be known first.
    pub(super) fn need(&self, need: impl Into<Need>) {
        self.needs.borrow_mut().insert(need.into());
    }
}

/// Refuses an entry: it keeps what it wants to do, and loses the step.
pub(super) fn refuse(entry: &mut Entry, refusal: Refusal) {
    entry.step = None;
    entry.refused.push(refusal);
}
