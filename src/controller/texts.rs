//! Texts of deployed templates, kept while their stacks do not move: an update that waits for a person is judged again
//! at every look, and costs no call for that.
//!
//! Kept by the process alone. They are too large for the journal, and are needed only while an update is on its way.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use crate::model::{Observation, Seen, StackId, StackVersion};

/// So many are kept. A template has at most a megabyte, and most have a few kilobytes.
const TEXTS_MAX: usize = 256;

/// The texts.
#[derive(Default)]
pub(super) struct Texts(Mutex<BTreeMap<StackId, (StackVersion, Arc<str>)>>);

impl Texts {
    /// Puts what is known into an observation.
    pub(super) fn recall(&self, observation: &mut Observation) {
        let texts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if texts.is_empty() {
            return;
        }
        for stack in observation.stacks.values_mut().filter(|stack| stack.text.is_none()) {
            if let Some((version, text)) = texts.get(&stack.state.id)
                && *version == stack.state.version()
            {
                stack.text = Some(Seen::Present(Arc::clone(text)));
            }
        }
    }

    /// Keeps what was read.
    pub(super) fn keep(&self, observation: &Observation) {
        let mut texts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for stack in observation.stacks.values() {
            if let Some(Seen::Present(text)) = &stack.text {
                if texts.len() >= TEXTS_MAX {
                    texts.clear();
                }
                texts.insert(stack.state.id.clone(), (stack.state.version(), Arc::clone(text)));
            }
        }
    }
}
