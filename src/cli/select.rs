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
use super::{session, terminal};
use crate::manifest::Loaded;
use crate::model::{Environment, FreezeScope, InvalidName, Key, Kind};

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
        let all = Names::of(loaded);
        let patterns = words.iter().map(|word| Pattern::read(word, here, &all)).collect::<Result<Vec<_>, _>>()?;
        let mut names = BTreeSet::new();
        for pattern in &patterns {
            let mut of_it = all.environments.iter().filter(|name| pattern.is_of(name)).peekable();
            if of_it.peek().is_none() {
                return Err(all.no_such_environment(&pattern.environment.to_string()));
            }
            // A name alone is only looked for where it is.
            names.extend(of_it.filter(|name| !pattern.anywhere || all.have(name, pattern)).cloned());
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
    let names = Names::of(loaded);
    let pattern = Pattern::read(word, here, &names)?;
    if let Some(key) = pattern.address()? {
        return Ok(key);
    }
    let keys = names.objects;
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

/// What a word freezes: as it stands, with a kind by any of its names.
pub(super) fn freeze_scope(word: &str) -> Result<FreezeScope, InvalidName> {
    let mut parts: Vec<&str> = word.split('/').collect();
    if let Some(part) = parts.get_mut(1)
        && let Some(kind) = kind(part)
    {
        *part = kind.as_str();
    }
    parts.join("/").parse()
}

/// Refuses to freeze an environment that the manifests do not have. An object may be gone from them, or come later.
pub(super) fn require_frozen(scope: &FreezeScope, loaded: &Loaded) -> Result<(), Trouble> {
    let pattern = WildMatch::new(scope.environment());
    let known = known(loaded);
    if !known.iter().any(|name| pattern.matches(name)) {
        return Err(Trouble::NoSuchEnvironment { name: scope.environment().to_owned(), known });
    }
    let named = scope.as_str().split('/').count() == 3;
    if named && !objects(loaded).any(|key| scope.includes(key)) {
        terminal::note(&format!("note: no manifest describes an object that {scope} names"));
    }
    Ok(())
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

/// What there is to name: in the manifests, or in what a daemon saw.
pub(super) struct Names<'a> {
    /// The environments, in alphabetical order.
    pub(super) environments: Vec<String>,
    pub(super) objects: Vec<&'a Key>,
}

impl<'a> Names<'a> {
    fn of(loaded: &'a Loaded) -> Self {
        Self { environments: known(loaded), objects: objects(loaded).collect() }
    }

    fn have(&self, environment: &str, pattern: &Pattern) -> bool {
        self.objects.iter().any(|key| key.environment.as_str() == environment && pattern.matches(key))
    }

    fn no_such_environment(&self, name: &str) -> Trouble {
        Trouble::NoSuchEnvironment { name: name.to_owned(), known: self.environments.clone() }
    }

    /// Which of the objects these words name; all in the environment `here`, or everywhere, if there are no words.
    pub(super) fn chosen(&self, words: &[String], here: Option<&str>) -> Result<BTreeSet<&'a Key>, Trouble> {
        let alone: Vec<String> = here.map(str::to_owned).into_iter().collect();
        let words = if words.is_empty() { alone.as_slice() } else { words };
        if words.is_empty() {
            return Ok(self.objects.iter().copied().collect());
        }
        let mut chosen = BTreeSet::new();
        for word in words {
            let pattern = Pattern::read(word, here, self)?;
            let mut found = self.objects.iter().copied().filter(|key| pattern.matches(key)).peekable();
            if found.peek().is_none() && !pattern.is_whole() {
                return Err(Trouble::no_such_object(word, self.objects.iter().copied()));
            }
            chosen.extend(found);
        }
        Ok(chosen)
    }
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
    fn read(word: &str, here: Option<&str>, names: &Names<'_>) -> Result<Self, Trouble> {
        let is_one = |text: &str| names.environments.iter().any(|name| WildMatch::new(text).matches(name));
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
        match word.split('/').collect::<Vec<_>>().as_slice() {
            [environment, kind, name] if is_one(environment) => {
                Ok(within(environment, Some(kinds(word, kind)?), Some(name)))
            }
            [environment, _, _] => Err(names.no_such_environment(environment)),
            [environment, kind] if is_one(environment) => Ok(within(environment, Some(kinds(word, kind)?), None)),
            [kind, name] => Ok(anywhere(Some(kinds(word, kind)?), name)),
            [environment] if is_one(environment) => Ok(within(environment, None, None)),
            [name] => {
                let pattern = anywhere(None, name);
                let is_there = names.objects.iter().any(|key| pattern.matches(key));
                if is_there { Ok(pattern) } else { Err(names.no_such_environment(name)) }
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
