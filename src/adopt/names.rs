//! What things are called in the manifests: short, where the convention `{env}-{system}-{name}` is kept.

use std::collections::{BTreeMap, BTreeSet};

use crate::model::{EnvName, ObjectName, StackName};

/// The longest object name.
const LONGEST: usize = 63;

/// The system that the stacks' names speak of: what they have in common after the environment's. `None`: nothing.
pub(super) fn system<'a>(environment: &EnvName, names: impl Iterator<Item = &'a StackName>) -> Option<String> {
    let prefix = format!("{environment}-");
    let within: Vec<Vec<&str>> =
        names.filter_map(|name| Some(name.as_str().strip_prefix(&prefix)?.split('-').collect())).collect();
    let first = within.first()?;
    // A stack's own name is not part of it.
    let most = within.iter().map(Vec::len).min()?.checked_sub(1)?;
    let common = (0..most).take_while(|at| within.iter().all(|other| other.get(*at) == first.get(*at))).count();
    // Of one stack alone it cannot be told where the system's name ends: the last word is taken for its own.
    let system = first.get(..common)?.join("-");
    (!system.is_empty() && system.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-'))
        .then_some(system)
}

/// Names objects of one kind, each once.
pub(super) struct Namer {
    prefixes: Vec<String>,
    taken: BTreeSet<ObjectName>,
}

impl Namer {
    /// One that takes the first of these beginnings off.
    pub(super) fn new(prefixes: impl IntoIterator<Item = String>) -> Self {
        Self { prefixes: prefixes.into_iter().collect(), taken: BTreeSet::new() }
    }

    /// A name for what AWS calls `text`.
    pub(super) fn name(&mut self, text: &str) -> Option<ObjectName> {
        let stripped = self.prefixes.iter().find_map(|prefix| text.strip_prefix(prefix.as_str()));
        let short = label(stripped.filter(|rest| !rest.is_empty()).unwrap_or(text));
        let numbered = (2..1_000).map(|number| {
            let cut = short.get(..short.len().min(LONGEST - 4)).unwrap_or(&short).trim_end_matches('-');
            format!("{cut}-{number}")
        });
        let free = std::iter::once(short.clone()).chain(numbered).filter_map(|name| name.parse::<ObjectName>().ok());
        let name = free.into_iter().find(|name| !self.taken.contains(name))?;
        self.taken.insert(name.clone());
        Some(name)
    }
}

/// Small letters, digits and single hyphens, beginning with a letter.
fn label(text: &str) -> String {
    let mut label = String::new();
    let mut before = None;
    for c in text.chars() {
        let c = if c.is_ascii_alphanumeric() {
            // `AppSecrets` is `app-secrets`, and `MSK` is `msk`.
            if c.is_ascii_uppercase() && before.is_some_and(|before: char| before.is_ascii_lowercase()) {
                label.push('-');
            }
            c.to_ascii_lowercase()
        } else {
            '-'
        };
        if c != '-' || !label.ends_with('-') {
            label.push(c);
        }
        before = text.get(..).and(Some(c)).filter(char::is_ascii_lowercase);
    }
    let label = label.trim_matches('-');
    let begins = label.starts_with(|c: char| c.is_ascii_lowercase());
    let label = if begins { label.to_owned() } else { format!("x-{label}") };
    label.get(..label.len().min(LONGEST)).unwrap_or(&label).trim_end_matches('-').to_owned()
}

/// Names for all stacks.
pub(super) fn stacks<'a>(
    environment: &EnvName,
    system: &str,
    names: impl Iterator<Item = &'a StackName>,
) -> BTreeMap<StackName, ObjectName> {
    let mut given = Namer::new([format!("{environment}-{system}-"), format!("{environment}-")]);
    // Those that keep the convention come first, so that none of them has to give way to another's.
    let (own, others): (Vec<_>, Vec<_>) =
        names.partition(|name| name.as_str().starts_with(&format!("{environment}-{system}-")));
    own.into_iter().chain(others).filter_map(|name| Some((name.clone(), given.name(name.as_str())?))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn system_of(names: &[&str]) -> Option<String> {
        let names: Vec<StackName> = names.iter().map(|name| name.parse().unwrap()).collect();
        system(&"dev".parse().unwrap(), names.iter())
    }

    #[test]
    fn the_system_is_what_stacks_have_in_common() {
        assert_eq!(system_of(&["dev-shop-web", "dev-shop-db-main"]).as_deref(), Some("shop"));
        assert_eq!(
            system_of(&["dev-performance-mgmt-network", "dev-performance-mgmt-ecs-cluster", "other"]).as_deref(),
            Some("performance-mgmt")
        );
        assert_eq!(system_of(&["dev-a-x", "dev-b-x"]), None);
        assert_eq!(system_of(&["dev-shop-web"]).as_deref(), Some("shop"));
        assert_eq!(system_of(&["dev-web", "prod-shop-web"]), None);
        assert_eq!(system_of(&["dev-Shop-a", "dev-Shop-b"]), None);
    }

    #[test]
    fn every_stack_has_a_name_of_its_own() {
        let names: Vec<StackName> =
            ["dev-shop-Web", "dev-shop-web", "Other1", "dev-9"].iter().map(|name| name.parse().unwrap()).collect();
        let given = stacks(&"dev".parse().unwrap(), "shop", names.iter());
        let given: Vec<_> = given.iter().map(|(stack, name)| format!("{stack}={name}")).collect();
        assert_eq!(given, ["Other1=other1", "dev-9=x-9", "dev-shop-Web=web", "dev-shop-web=web-2"]);
        let mut fresh = Namer::new([]);
        assert_eq!(fresh.name(&"A".repeat(90)).unwrap().as_str().len(), 63);
        assert_eq!(fresh.name("AppSecrets").unwrap().as_str(), "app-secrets");
        assert_eq!(fresh.name("--").unwrap().as_str(), "x");
    }
}
