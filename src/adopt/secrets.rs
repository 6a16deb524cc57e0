//! Secrets, as somebody else's: that they are there is all that is asked. Their values are never read.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use super::names::Namer;
use super::references::{Recovered, References};
use super::scalar::{literal, quoted};
use super::survey::{Ask, FoundStack, Left};
use crate::model::{OWNER_TAG, ObjectName, SecretState, StackName};

/// A secret that gets a document.
pub(super) struct Secret<'s> {
    pub(super) name: ObjectName,
    pub(super) state: &'s SecretState,
}

/// The secrets that belong to the environment: by their names, or because a stack was given them.
pub(super) fn of_environment<'s>(
    all: &'s [SecretState],
    ask: &Ask,
    system: &str,
    stacks: &BTreeMap<StackName, FoundStack>,
    left: &mut Vec<Left>,
) -> Vec<Secret<'s>> {
    let made: BTreeSet<&str> = stacks
        .values()
        .flat_map(|stack| &stack.resources)
        .filter(|resource| resource.kind == "AWS::SecretsManager::Secret")
        .filter_map(|resource| resource.physical_id.as_deref())
        .collect();
    let given: BTreeSet<&str> =
        stacks.values().flat_map(|stack| stack.state.parameters.values()).map(String::as_str).collect();
    let environment = &ask.environment;
    let mut namer = Namer::new([
        format!("{environment}/{system}/"),
        format!("{environment}-{system}-"),
        format!("{environment}/"),
        format!("{environment}-"),
    ]);
    let mut found: Vec<&SecretState> = all.iter().collect();
    found.sort_by(|one, other| one.name.cmp(&other.name));
    let mut secrets = Vec::new();
    for state in found {
        let is_given = given.contains(state.arn.as_str());
        if !(is_given || is_named_after(&state.name, environment.as_str())) {
            continue;
        }
        match not_ours(state, &made, ask) {
            Some(why) => left.push(Left::aside(format!("secret {}", state.name), why)),
            None => secrets.extend(namer.name(&state.name).map(|name| Secret { name, state })),
        }
    }
    secrets
}

/// `dev/…`, `/dev/…`, `dev-…`, `dev_…`, `dev.…`.
fn is_named_after(name: &str, environment: &str) -> bool {
    let rest = name.trim_start_matches('/').strip_prefix(environment);
    rest.is_some_and(|rest| rest.starts_with(['/', '-', '_', '.']))
}

fn not_ours(state: &SecretState, made: &BTreeSet<&str>, ask: &Ask) -> Option<String> {
    if let Some(owner) = state.tags.get(OWNER_TAG) {
        return Some(format!("Landfast already manages it as {owner}"));
    }
    if let Some(stack) = state.tags.get("aws:cloudformation:stack-name") {
        return Some(format!("the stack {stack} creates it"));
    }
    // Of a secret that a stack made, some say the ARN and some the name.
    if made.contains(state.arn.as_str()) || made.contains(state.name.as_str()) {
        return Some("its stack creates it".to_owned());
    }
    if let Some(service) = &state.owning_service {
        return Some(format!("the AWS service {service} manages it"));
    }
    if state.deleted.is_some() {
        return Some("it is scheduled for deletion".to_owned());
    }
    let primary = state.primary.as_ref().filter(|primary| **primary != ask.scope.region)?;
    Some(format!("it is a replica of the one in {primary}"))
}

/// What stands for the ARN of each.
pub(super) fn references(secrets: &[Secret<'_>]) -> BTreeMap<String, String> {
    let each = secrets.iter().map(|secret| (secret.state.arn.to_string(), format!("${{secrets.{}.arn}}", secret.name)));
    each.collect()
}

/// Their documents.
pub(super) fn documents(
    secrets: &[Secret<'_>],
    ask: &Ask,
    system: &str,
    stacks: &BTreeMap<StackName, FoundStack>,
    references: &mut References<'_>,
) -> Vec<String> {
    let mut one = |secret: &Secret<'_>| {
        let mut text = format!("apiVersion: landfast/v1\nkind: Secret\nmetadata: {{ name: {} }}\nspec:\n", secret.name);
        if secret.state.name != format!("{}/{system}/{}", ask.environment, secret.name) {
            let _ = writeln!(text, "  name: {}", literal(&secret.state.name));
        }
        if let Some(key) = key(secret.state, stacks, references) {
            let _ = writeln!(text, "  kmsKey: {}", quoted(&key));
        }
        text.push_str("  external: true\n");
        text
    };
    secrets.iter().map(&mut one).collect()
}

/// The key that encrypts a secret, where a stack made it. A stack that is given the secret then comes after that one too.
fn key(
    state: &SecretState,
    stacks: &BTreeMap<StackName, FoundStack>,
    references: &mut References<'_>,
) -> Option<String> {
    let key = state.kms_key.as_ref()?;
    let given = |stack: &FoundStack| stack.state.parameters.values().any(|value| value == state.arn.as_str());
    let consumers: Vec<&StackName> = stacks.iter().filter(|(_, stack)| given(stack)).map(|(name, _)| name).collect();
    let consumers = consumers.into_iter().map(Some).chain([None]);
    let mut found = None;
    for consumer in consumers {
        match references.recover(consumer, "KmsKeyArn", key, false) {
            Recovered::Reference(text) => found = Some(text),
            Recovered::Literal | Recovered::Unclear(_) => return None,
        }
    }
    found
}
