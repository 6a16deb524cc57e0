//! Which change set is ours, and whether it holds what was asked for (invariant S23).
//!
//! Ours is the one whose ARN our own call has answered, by the journal. One of our name alone is not: whoever may create
//! change sets on the stack may have given theirs that name, before our call or in the place of what it made. Where the
//! answer was lost, the change set may well be ours, and is not used either: another one costs a call.

use super::{Deciding, LISTED_WITHIN};
use crate::model::{
    ChangeSetInputs, ChangeSetName, ChangeSetSummary, Digest, Inputs, Prepared, SmallMap, StackSpec, Value,
};
use crate::plan::names::{change_set, upload};
use crate::sabotage::{self, Bug};
use crate::template;

/// What AWS shows in the place of a `NoEcho` value.
const MASKED: &str = "****";

/// Which change set an update goes on with.
pub(super) enum Choice<'a> {
    /// This one, which is ours and is there.
    Ours(&'a ChangeSetName),
    /// This one, which was made a moment ago and is not listed yet.
    NotListed(&'a ChangeSetName),
    /// None that there is: the next one that is asked for is the how-manieth.
    Another(u32),
}

impl Deciding<'_> {
    /// The one that was asked for last for this purpose.
    pub(super) fn asked_for(&self, purpose: &Digest) -> Option<(&ChangeSetName, &Prepared)> {
        let all = self.memory.prepared.iter().filter(|(_, prepared)| prepared.of == *purpose);
        all.max_by_key(|(_, prepared)| prepared.attempt)
    }

    /// Goes on with the one that is ours, or makes another one.
    pub(super) fn choose(&self, purpose: &Digest, listed: &[ChangeSetSummary]) -> Choice<'_> {
        let Some((name, asked)) = self.asked_for(purpose) else {
            return Choice::Another(self.free(purpose, 0, listed));
        };
        let there = listed.iter().find(|set| set.name == *name);
        let known = if sabotage::is(Bug::TrustsNames) { there.map(|set| &set.id) } else { asked.id.as_ref() };
        match (known, there) {
            (Some(known), Some(set)) if set.id == *known && !asked.spoiled => Choice::Ours(name),
            (Some(_), None) if !asked.spoiled && self.is_recent(asked) => Choice::NotListed(name),
            // Its call was lost on the way there, or its name is free again.
            (None, None) if !asked.spoiled => Choice::Another(asked.attempt),
            _ => Choice::Another(self.free(purpose, asked.attempt.saturating_add(1), listed)),
        }
    }

    /// The first attempt from `first` on whose name is not taken.
    fn free(&self, purpose: &Digest, first: u32, listed: &[ChangeSetSummary]) -> u32 {
        let key = &self.planner.input.memory.fingerprint_key;
        let taken = |attempt: u32| {
            change_set(key, purpose, attempt).is_some_and(|name| listed.iter().any(|set| set.name == name))
        };
        let mut attempt = first;
        while taken(attempt) {
            attempt = attempt.saturating_add(1);
        }
        attempt
    }

    fn is_recent(&self, asked: &Prepared) -> bool {
        self.planner.input.now.duration_since(asked.at).abs() < LISTED_WITHIN
    }
}

/// The inputs of a change set, with a place of its own for its template.
pub(super) fn uploading(inputs: &Inputs, name: &ChangeSetName) -> Inputs {
    let upload = inputs.upload.as_ref().map(|(bucket, _)| (bucket.clone(), upload(name)));
    Inputs { upload, ..inputs.clone() }
}

/// In what a change set differs from what was asked for; `None`: in nothing that AWS shows. The service role and `NoEcho`
/// values are not shown: for them our own call's ARN has to do.
pub(super) fn otherwise(spec: &StackSpec, asked: &Inputs, held: &ChangeSetInputs) -> Option<String> {
    if sabotage::is(Bug::NoReadBack) {
        return None;
    }
    // With `UsePreviousTemplate` there is no text of ours, and nobody else's either: the stack's version is in the
    // precondition.
    let wanted = &spec.template;
    let is_ours = |held: &Digest| template::may_be_shown_as(&wanted.body, &wanted.facts.digest, held);
    if !asked.previous && !held.template.as_ref().is_some_and(is_ours) {
        return Some("its template".to_owned());
    }
    if let Some(name) = other_parameter(spec, asked, held) {
        return Some(format!("the parameter {name}"));
    }
    let tags = |tags: &SmallMap<String>| -> SmallMap<String> {
        // Those are AWS's own (AWS: *`Tag`*).
        tags.iter().filter(|(name, _)| !name.starts_with("aws:")).map(|(k, v)| (k.clone(), v.clone())).collect()
    };
    let options = &asked.options;
    let differs = [
        ("its tags", tags(&options.tags) != tags(&held.tags)),
        ("its capabilities", !held.capabilities.is_subset(&options.capabilities)),
        ("its notification topics", options.notifications != held.notifications),
        (
            "its rollback alarms",
            options.rollback_alarms != held.rollback_alarms
                || options.monitoring_minutes.unwrap_or(0) != held.monitoring_minutes.unwrap_or(0),
        ),
    ];
    differs.into_iter().find(|(_, differs)| *differs).map(|(what, _)| what.to_owned())
}

fn other_parameter(spec: &StackSpec, asked: &Inputs, held: &ChangeSetInputs) -> Option<String> {
    let given = &asked.options.parameters;
    let other = given.iter().find(|(name, value)| match (value, held.parameters.get(*name)) {
        (Value::Previous, _) => false,
        (_, None) => true,
        (Value::NoEcho(secret), Some(shown)) => shown != MASKED && shown != secret.expose(),
        (Value::Plain(value), Some(shown)) => shown != value && shown != MASKED,
    });
    // It was changed after it was read: what would be done is not what was agreed to.
    let moved = || asked.stored.iter().find(|(name, value)| held.stored.get(*name).is_some_and(|held| held != *value));
    // What was not given has the template's default.
    let extra = || {
        held.parameters.iter().find(|(name, value)| {
            let default = spec.template.parameters.get(*name).and_then(|declared| declared.default.as_ref());
            !asked.previous && !given.contains_key(*name) && *value != MASKED && default != Some(value)
        })
    };
    let name = other.map(|(name, _)| name).or_else(|| extra().map(|(name, _)| name));
    name.or_else(|| moved().map(|(name, _)| name)).cloned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{StackOptions, fixtures};

    fn map(name: &str, value: &str) -> SmallMap<String> {
        SmallMap::from([(name.to_owned(), value.to_owned())])
    }

    #[test]
    fn a_change_set_holds_what_stood_in_the_store_when_it_was_agreed_to() {
        let spec = fixtures::spec("web", &[]);
        let parameters = SmallMap::from([("Image".to_owned(), Value::Plain("/ami/web".to_owned()))]);
        let options = StackOptions { parameters, ..StackOptions::default() };
        let digest = spec.template.facts.digest.clone();
        let (stored, body) = (map("Image", "ami-1").into_iter().collect(), "".into());
        let asked = Inputs { body, previous: true, upload: None, options, digest, stored, no_echo: [].into() };
        let held =
            |stored| ChangeSetInputs { parameters: map("Image", "/ami/web"), stored, ..ChangeSetInputs::default() };
        assert_eq!(otherwise(&spec, &asked, &held(map("Image", "ami-1"))), None);
        // Where AWS does not say it, nothing speaks against it.
        assert_eq!(otherwise(&spec, &asked, &held(SmallMap::new())), None);
        let moved = otherwise(&spec, &asked, &held(map("Image", "ami-2")));
        assert_eq!(moved.as_deref(), Some("the parameter Image"));
    }
}
