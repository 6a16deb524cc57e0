//! Freezes: what is not changed for a while, by whose word, why, and until when.

use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{InvalidName, Key, Kind, like};

/// Everything.
const ALL: &str = "*";

/// A person's word that nothing of some objects is changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Freeze {
    /// Tells it from every other one, and names it in `landfast thaw`.
    pub id: String,
    /// What is frozen.
    pub scope: FreezeScope,
    /// Who froze it, as far as known.
    pub by: String,
    /// Why.
    pub because: String,
    /// When.
    pub at: Timestamp,
    /// When it ends by itself; none: when somebody thaws it.
    pub until: Option<Timestamp>,
    /// The last record of the journal that was written before. What was begun by then goes on. The store sets it.
    #[serde(default)]
    pub after: u64,
    /// Who thawed it, and when.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub thawed: Option<Thawed>,
}

/// How a freeze ended before its time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Thawed {
    /// Who thawed it, as far as known.
    pub by: String,
    /// When.
    pub at: Timestamp,
    /// The last record of the journal that was written before. The store sets it.
    #[serde(default)]
    pub after: u64,
}

impl Freeze {
    /// Whether it holds at this moment. It ends at the moment that it names.
    #[must_use]
    pub fn is_active(&self, now: Timestamp) -> bool {
        self.thawed.is_none() && self.until.is_none_or(|until| now < until)
    }

    /// When it ended, if it has.
    #[must_use]
    pub fn ended(&self, now: Timestamp) -> Option<Timestamp> {
        self.thawed.as_ref().map(|thawed| thawed.at).or_else(|| self.until.filter(|until| *until <= now))
    }
}

/// What a freeze is about: `*`, `prod`, `prod/secret`, `*/stack`, `prod/service/api`. In each part `*` is any text and `?`
/// any character.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct FreezeScope(String);

impl FreezeScope {
    /// Everything, everywhere.
    #[must_use]
    pub fn everything() -> Self {
        Self(ALL.to_owned())
    }

    /// As it was written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The pattern of environments.
    #[must_use]
    pub fn environment(&self) -> &str {
        self.0.split('/').next().unwrap_or_default()
    }

    /// Whether it is about everything, everywhere.
    #[must_use]
    pub fn is_everything(&self) -> bool {
        self.0.split('/').all(|part| part == ALL)
    }

    /// Whether an object is frozen by it.
    #[must_use]
    pub fn includes(&self, key: &Key) -> bool {
        let names = [key.environment.as_str(), key.kind.as_str(), key.name.as_str()];
        self.0.split('/').zip(names).all(|(pattern, name)| like(pattern, name))
    }

    /// Whether it says this kind in so many words, and does not only include it.
    #[must_use]
    pub fn names_kind(&self, kind: Kind) -> bool {
        self.0.split('/').nth(1) == Some(kind.as_str())
    }
}

impl FromStr for FreezeScope {
    type Err = InvalidName;

    fn from_str(text: &str) -> Result<Self, InvalidName> {
        let parts: Vec<&str> = text.split('/').collect();
        let legal = |part: &&str| {
            !part.is_empty()
                && part.len() <= 63
                && part.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"-*?".contains(&b))
        };
        if parts.len() > 3 || !parts.iter().all(legal) {
            return Err(InvalidName::new(
                text,
                "something to freeze: write `*`, prod, prod/stack or prod/stack/network",
            ));
        }
        let kind = |pattern: &str| Kind::ALL.iter().any(|kind| like(pattern, kind.as_str()));
        if parts.get(1).is_some_and(|pattern| !kind(pattern)) {
            let kinds = "something to freeze: kinds are stack, service, secret, dnsrecord and backuppolicy";
            return Err(InvalidName::new(text, kinds));
        }
        Ok(Self(text.to_owned()))
    }
}

impl TryFrom<String> for FreezeScope {
    type Error = InvalidName;

    fn try_from(text: String) -> Result<Self, InvalidName> {
        text.parse()
    }
}

impl From<FreezeScope> for String {
    fn from(scope: FreezeScope) -> Self {
        scope.0
    }
}

impl fmt::Display for FreezeScope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scope(text: &str) -> FreezeScope {
        text.parse().unwrap()
    }

    #[test]
    fn a_scope_includes_what_its_parts_are_like() {
        let network: Key = "prod/stack/network".parse().unwrap();
        let tables: Key = "prod/backuppolicy/tables".parse().unwrap();
        for (text, of_network, of_tables) in [
            ("*", true, true),
            ("prod", true, true),
            ("dev", false, false),
            ("pr*", true, true),
            ("prod/stack", true, false),
            ("*/stack", true, false),
            ("prod/stack/net*", true, false),
            ("prod/*/network", true, false),
            ("prod/stack/web", false, false),
            ("prod/backuppolicy", false, true),
        ] {
            assert_eq!(scope(text).includes(&network), of_network, "{text}");
            assert_eq!(scope(text).includes(&tables), of_tables, "{text}");
        }
    }

    #[test]
    fn a_kind_is_named_in_so_many_words_or_not_at_all() {
        for (text, names) in
            [("prod/backuppolicy", true), ("*/backuppolicy/*", true), ("prod/backup*", false), ("*", false)]
        {
            assert_eq!(scope(text).names_kind(Kind::BackupPolicy), names, "{text}");
        }
    }

    #[test]
    fn what_names_nothing_is_no_scope() {
        for text in ["", "/", "prod/", "prod/pod", "prod/stack/a/b", "Prod", "prod stack", "prod/stack/\u{1b}"] {
            assert!(text.parse::<FreezeScope>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_freeze_ends_at_the_moment_that_it_names() {
        let at = |text: &str| text.parse::<Timestamp>().unwrap();
        let (noon, one) = (at("2026-01-01T12:00:00Z"), at("2026-01-01T13:00:00Z"));
        let freeze = Freeze {
            id: "a".to_owned(),
            scope: FreezeScope::everything(),
            by: "ada".to_owned(),
            because: "release".to_owned(),
            at: noon,
            until: Some(one),
            after: 0,
            thawed: None,
        };
        assert!(freeze.is_active(noon) && !freeze.is_active(one));
        assert_eq!((freeze.ended(noon), freeze.ended(one)), (None, Some(one)));
        let thawed = Freeze { thawed: Some(Thawed { by: "bob".to_owned(), at: noon, after: 0 }), ..freeze };
        assert!(!thawed.is_active(noon));
    }
}
