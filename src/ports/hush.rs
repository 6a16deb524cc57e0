//! Secrets that we know, taken out of what AWS says.
//!
//! AWS repeats values in its texts: why a resource failed (`Invalid master password 'hunter2'`), why a change set did, what
//! is wrong with a request. Such a text is logged, written into the journal and shown. What a `NoEcho` parameter has is
//! known here, so it is taken out of every text at the door, before anybody else reads it.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};

use super::PortError;
use crate::model::{
    ChangeSetState, ChangeSetStatus, ChangeSetSummary, EnvName, Environment, Parameter, Redacted, StackEvent,
    StackState,
};

/// Shorter values are in every text by chance, and a text without them would say nothing. CloudFormation's guidance, and
/// every service that takes a password, asks for more.
const SHORTEST: usize = 4;

/// So many values are known: those that were replaced are still in the texts of operations under way.
const MOST: usize = 4_096;

/// The values that are known. Clones know the same.
#[derive(Clone, Default)]
pub struct Hush {
    known: Arc<RwLock<Known>>,
}

#[derive(Default)]
struct Known {
    /// Up to which revision each environment's values are known.
    revisions: BTreeMap<EnvName, u64>,
    /// The longest first: one may be a part of another.
    values: Vec<Redacted>,
}

impl std::fmt::Debug for Hush {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Hush").finish_non_exhaustive()
    }
}

impl Hush {
    /// From here on the secret values of this environment, as of this revision, are in no text.
    pub fn learn(&self, environment: &Environment, revision: u64) {
        let is_new = |known: &Known| known.revisions.get(&environment.name) != Some(&revision);
        if !is_new(&self.known.read().unwrap_or_else(PoisonError::into_inner)) {
            return;
        }
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        let parameters = environment.stacks.values().flat_map(|spec| spec.parameters.values());
        for parameter in parameters {
            if let Parameter::NoEcho(value) = parameter {
                known.add(value);
            }
        }
        known.revisions.insert(environment.name.clone(), revision);
    }

    /// A text without them.
    fn text(&self, text: &mut String) {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        for value in &known.values {
            if text.contains(value.expose()) {
                *text = text.replace(value.expose(), "<redacted>");
            }
        }
    }

    fn option(&self, text: &mut Option<String>) {
        if let Some(text) = text {
            self.text(text);
        }
    }

    /// An error without them.
    pub(super) fn error(&self, mut error: PortError) -> PortError {
        self.text(&mut error.message);
        error
    }
}

impl Known {
    fn add(&mut self, value: &Redacted) {
        let plain = value.expose();
        // As it stands within JSON, which is how CloudFormation's handlers often quote it.
        let quoted = serde_json::to_string(plain).unwrap_or_default();
        let quoted = quoted.get(1..quoted.len().saturating_sub(1)).unwrap_or_default();
        for form in [quoted, plain] {
            let short = form.chars().count() < SHORTEST;
            if short || self.values.iter().any(|known| known.expose() == form) {
                continue;
            }
            let place = self.values.iter().position(|known| known.expose().len() < form.len());
            self.values.insert(place.unwrap_or(self.values.len()), Redacted::new(form.to_owned()));
        }
        self.values.truncate(MOST);
    }
}

/// What has texts of AWS in it.
pub(super) trait Spoken: Sized {
    /// The same, without the secrets that are known.
    fn hushed(self, hush: &Hush) -> Self;
}

impl Spoken for StackState {
    fn hushed(mut self, hush: &Hush) -> Self {
        hush.option(&mut self.status_reason);
        self
    }
}

impl Spoken for StackEvent {
    fn hushed(mut self, hush: &Hush) -> Self {
        hush.option(&mut self.reason);
        self
    }
}

impl Spoken for ChangeSetStatus {
    fn hushed(mut self, hush: &Hush) -> Self {
        if let Self::Failed(reason) = &mut self {
            hush.text(reason);
        }
        self
    }
}

impl Spoken for ChangeSetSummary {
    fn hushed(mut self, hush: &Hush) -> Self {
        self.status = self.status.hushed(hush);
        self
    }
}

impl Spoken for ChangeSetState {
    fn hushed(mut self, hush: &Hush) -> Self {
        self.status = self.status.hushed(hush);
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn knowing(values: &[&str]) -> Hush {
        let hush = Hush::default();
        for value in values {
            hush.known.write().unwrap().add(&Redacted::new((*value).to_owned()));
        }
        hush
    }

    fn said(hush: &Hush, text: &str) -> String {
        let mut text = text.to_owned();
        hush.text(&mut text);
        text
    }

    #[test]
    fn a_value_is_taken_out_wherever_it_stands_and_as_a_whole() {
        let hush = knowing(&["hunter2", "hunter2-and-more", "a\"b\\c"]);
        assert_eq!(said(&hush, "no 'hunter2', nor hunter2-and-more."), "no '<redacted>', nor <redacted>.");
        assert_eq!(said(&hush, r#"{"p":"a\"b\\c"} a"b\c"#), r#"{"p":"<redacted>"} <redacted>"#);
        assert_eq!(said(&hush, "nothing"), "nothing");
    }

    #[test]
    fn what_is_too_short_to_be_one_stays() {
        assert_eq!(said(&knowing(&["1", "", "abc"]), "Resource 1 of abc"), "Resource 1 of abc");
    }

    #[test]
    fn the_longest_is_taken_out_first_whichever_was_known_first() {
        assert_eq!(said(&knowing(&["abcd", "abcdefgh"]), "abcdefgh"), "<redacted>");
    }

    #[test]
    fn an_error_has_none() {
        let error = PortError::new(super::super::Class::Invalid, "UpdateStack", "'hunter2' is too short");
        assert_eq!(knowing(&["hunter2"]).error(error).message, "'<redacted>' is too short");
    }
}
