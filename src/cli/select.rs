//! What a command is about: environments and objects, as people name them.
//!
//! `dev` is an environment, `dev/stack/network` an object, `dev/stack` every stack of an environment. A name alone
//! (`network`, `stack/network`) is looked up in the environment of `--env`, or in all of them. `*` and `?` stand for any
//! text and any character. Kinds have the short names that people type (`svc`, `dns`).

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use wildmatch::WildMatch;

use super::args::Global;
use super::exit::Trouble;
use super::session;
use crate::manifest::Loaded;
use crate::model::{Environment, InvalidName, Key, Kind};

/// Environments, and which of their objects.
#[derive(Clone, Debug, Default)]
pub(super) struct Selection {
    /// The environments, in alphabetical order.
    pub(super) environments: Vec<Arc<Environment>>,
    /// Objects have to match one of these; all do if there is none.
    patterns: Vec<Pattern>,
    /// Somebody named environments: then a broken one elsewhere is not this command's affair.
    named: bool,
}

impl Selection {
    /// What these words name; everything in the environment of `--env`, or in all, if there is none.
    pub(super) fn of(words: &[String], global: &Global, loaded: &Loaded) -> Result<Self, Trouble> {
        let here = global.env.as_deref();
        if words.is_empty() {
            let environments = session::choose(loaded, here)?;
            return Ok(Self { environments, patterns: Vec::new(), named: here.is_some() });
        }
        let patterns = words.iter().map(|word| Pattern::read(word, here, loaded)).collect::<Result<Vec<_>, _>>()?;
        let mut names = BTreeSet::new();
        for pattern in &patterns {
            let found = known(loaded).into_iter().filter(|name| pattern.is_of(name));
            let before = names.len();
            // A name alone is only looked for where it is.
            names.extend(found.filter(|name| !pattern.anywhere || has(loaded, name, pattern)));
            if names.len() == before && !known(loaded).iter().any(|name| pattern.is_of(name)) {
                return Err(Trouble::NoSuchEnvironment { name: pattern.environment.to_string(), known: known(loaded) });
            }
        }
        let mut environments = Vec::new();
        for name in &names {
            let exact = patterns.iter().any(|pattern| pattern.environment.to_string() == *name);
            match session::choose(loaded, Some(name)) {
                Ok(chosen) => environments.extend(chosen),
                // One of many is broken: the others go ahead, and the exit code says so.
                Err(Trouble::Manifest(_)) if !exact && names.len() > 1 => {}
                Err(trouble) => return Err(trouble),
            }
        }
        let exact = patterns.iter().all(|pattern| !pattern.environment.to_string().contains(['*', '?']));
        Ok(Self { environments, patterns, named: exact })
    }

    /// Environments alone, for a command that cannot be about less.
    pub(super) fn of_environments(words: &[String], global: &Global, loaded: &Loaded) -> Result<Self, Trouble> {
        let selection = Self::of(words, global, loaded)?;
        match selection.patterns.iter().position(|pattern| !pattern.is_whole()) {
            Some(at) => Err(Trouble::WholeEnvironments(words.get(at).cloned().unwrap_or_default())),
            None => Ok(selection),
        }
    }

    /// Whether an object is meant.
    pub(super) fn includes(&self, key: &Key) -> bool {
        self.patterns.is_empty() || self.patterns.iter().any(|pattern| pattern.matches(key))
    }

    /// Whether all objects of its environments are meant.
    pub(super) fn is_whole(&self) -> bool {
        self.patterns.is_empty() || self.patterns.iter().any(Pattern::is_whole)
    }

    /// Whether errors in the manifests of other environments concern the command.
    pub(super) fn is_concerned(&self, loaded: &Loaded) -> bool {
        !self.named && !loaded.broken.is_empty()
    }

    /// The objects that were named by their whole address.
    pub(super) fn addresses(&self) -> Vec<Key> {
        self.patterns.iter().filter_map(|pattern| pattern.address().ok().flatten()).collect()
    }

    /// Refuses words that none of these objects matches.
    pub(super) fn require<'k>(&self, seen: impl IntoIterator<Item = &'k Key>) -> Result<(), Trouble> {
        let seen: Vec<&Key> = seen.into_iter().collect();
        for pattern in self.patterns.iter().filter(|pattern| !pattern.is_whole()) {
            if !seen.iter().any(|key| pattern.matches(key)) {
                return Err(Trouble::no_such_object(&pattern.to_string(), seen.iter().copied()));
            }
        }
        Ok(())
    }
}

/// The one object that a word names. It need not be in the manifests if the word is a whole address.
pub(super) fn object(word: &str, global: &Global, loaded: &Loaded) -> Result<Key, Trouble> {
    let here = global.env.as_deref();
    let pattern = Pattern::read(word, here, loaded)?;
    if let Some(key) = pattern.address()? {
        return Ok(key);
    }
    let keys: Vec<&Key> = objects(loaded).collect();
    let found: Vec<&Key> = keys.iter().copied().filter(|key| pattern.matches(key)).collect();
    match found.as_slice() {
        [key] => Ok((*key).clone()),
        [] => Err(Trouble::no_such_object(word, keys.iter().copied())),
        several => {
            let known = several.iter().map(ToString::to_string).collect();
            Err(Trouble::SeveralObjects { name: word.to_owned(), known })
        }
    }
}

/// Every object of the manifests.
pub(super) fn objects(loaded: &Loaded) -> impl Iterator<Item = &Key> {
    loaded.desired.environments.values().flat_map(|environment| environment.dependencies().map(|(key, _)| key))
}

/// The kind that people mean by a word.
fn kind(word: &str) -> Option<Kind> {
    let word = word.to_ascii_lowercase();
    Some(match word.as_str() {
        "stack" | "stacks" => Kind::Stack,
        "service" | "services" | "svc" => Kind::Service,
        "secret" | "secrets" => Kind::Secret,
        "dnsrecord" | "dnsrecords" | "dns" | "record" | "records" => Kind::DnsRecord,
        "backuppolicy" | "backuppolicies" | "backup" | "backups" | "bp" => Kind::BackupPolicy,
        _ => return None,
    })
}

/// The environments that the manifests have, broken ones included.
pub(super) fn known(loaded: &Loaded) -> Vec<String> {
    let names: BTreeSet<String> =
        loaded.desired.environments.keys().chain(&loaded.broken).map(ToString::to_string).collect();
    names.into_iter().collect()
}

fn has(loaded: &Loaded, environment: &str, pattern: &Pattern) -> bool {
    objects(loaded).any(|key| key.environment.as_str() == environment && pattern.matches(key))
}

/// One word.
#[derive(Clone, Debug)]
struct Pattern {
    environment: WildMatch,
    /// `None`: every kind.
    kind: Option<WildMatch>,
    /// `None`: every name.
    name: Option<WildMatch>,
    /// The word does not name an environment.
    anywhere: bool,
}

impl Pattern {
    fn read(word: &str, here: Option<&str>, loaded: &Loaded) -> Result<Self, Trouble> {
        let environments = known(loaded);
        let is_one = |text: &str| environments.iter().any(|name| WildMatch::new(text).matches(name));
        let within = |environment: &str, kind: Option<WildMatch>, name: Option<&str>| Self {
            environment: WildMatch::new(environment),
            kind,
            name: name.map(WildMatch::new),
            anywhere: false,
        };
        let anywhere = |kind: Option<WildMatch>, name: &str| Self {
            anywhere: here.is_none(),
            ..within(here.unwrap_or("*"), kind, Some(name))
        };
        let missing = |name: &str| Trouble::NoSuchEnvironment { name: name.to_owned(), known: environments.clone() };
        match word.split('/').collect::<Vec<_>>().as_slice() {
            [environment, kind, name] if is_one(environment) => {
                Ok(within(environment, Some(kinds(word, kind)?), Some(name)))
            }
            [environment, _, _] => Err(missing(environment)),
            [environment, kind] if is_one(environment) => Ok(within(environment, Some(kinds(word, kind)?), None)),
            [kind, name] => Ok(anywhere(Some(kinds(word, kind)?), name)),
            [environment] if is_one(environment) => Ok(within(environment, None, None)),
            [name] => {
                let pattern = anywhere(None, name);
                if objects(loaded).any(|key| pattern.matches(key)) { Ok(pattern) } else { Err(missing(name)) }
            }
            _ => Err(Trouble::Address(not_a_kind(word))),
        }
    }

    /// All of an environment.
    fn is_whole(&self) -> bool {
        self.kind.is_none() && self.name.is_none()
    }

    fn is_of(&self, environment: &str) -> bool {
        self.environment.matches(environment)
    }

    fn matches(&self, key: &Key) -> bool {
        self.is_of(key.environment.as_str())
            && self.kind.as_ref().is_none_or(|kind| kind.matches(key.kind.as_str()))
            && self.name.as_ref().is_none_or(|name| name.matches(key.name.as_str()))
    }

    /// The address, if it is a whole one.
    fn address(&self) -> Result<Option<Key>, Trouble> {
        let text = self.to_string();
        if self.anywhere || self.name.is_none() || text.contains(['*', '?']) {
            return Ok(None);
        }
        text.parse().map(Some).map_err(Trouble::Address)
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut parts = Vec::new();
        if !self.anywhere {
            parts.push(self.environment.to_string());
        }
        parts.extend(self.kind.as_ref().map(ToString::to_string));
        parts.extend(self.name.as_ref().map(ToString::to_string));
        f.write_str(&parts.join("/"))
    }
}

/// A kind by any of its names, or a pattern of kinds.
fn kinds(word: &str, text: &str) -> Result<WildMatch, Trouble> {
    let pattern = kind(text).map_or_else(|| WildMatch::new(text), |kind| WildMatch::new(kind.as_str()));
    let is_any = Kind::ALL.iter().any(|kind| pattern.matches(kind.as_str()));
    if is_any { Ok(pattern) } else { Err(Trouble::Address(not_a_kind(word))) }
}

fn not_a_kind(word: &str) -> InvalidName {
    InvalidName::new(
        word,
        "an object: write dev/stack/network, stack/network or network; kinds are stack, service, secret, dnsrecord and \
         backuppolicy",
    )
}
