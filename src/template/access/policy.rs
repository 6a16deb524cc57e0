//! Policy documents: what one allows that another one does not.
//!
//! AWS has this analysis as a service (IAM Access Analyzer, *`CheckNoNewAccess`*). It is not used: it takes no
//! expressions, only documents in which every value is known; every question is paid for and limited to a few a second;
//! and a guard that is asked at every look may not depend on a service that may be denied or down. Nor does a crate do it: those that
//! there are decide whether a request is allowed by a policy, not whether a policy allows more than another one.
//!
//! So these are rules, and they are on the safe side: what they do not understand is only equal to itself. Everything
//! that a new statement allows (each action on each resource to each principal) has to be allowed by some old
//! statement whose conditions are no stricter; and everything that an old statement denies has to be denied by some
//! new one. AWS: *IAM JSON policy elements reference*, *Policy evaluation logic*.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::condition::{self, Conditions};
use super::pattern::{Letters, Pattern};
use crate::template::canonical::shown;

/// So many combinations of action, resource and principal of one statement are compared one by one. One with more has to
/// be allowed by one old statement as a whole.
const COMBINATIONS_MAX: usize = 20_000;

/// One element of a statement.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Element {
    /// The statement has no such element.
    Absent,
    /// One of these.
    In(BTreeSet<Pattern>),
    /// Anything but these (`NotAction`, `NotResource`, `NotPrincipal`).
    Not(BTreeSet<Pattern>),
}

/// One of what an element is about.
enum Item<'a> {
    Absent,
    One(&'a Pattern),
    AllBut(&'a BTreeSet<Pattern>),
}

/// A statement in a form in which what is written in different ways and means the same is equal.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Statement {
    allows: bool,
    principal: Element,
    action: Element,
    resource: Element,
    conditions: Conditions,
}

/// What a policy document consists of.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Policy {
    statements: BTreeSet<Statement>,
    /// Statements, or whole documents, that are not understood, as JSON.
    opaque: BTreeSet<String>,
    /// Versions of the language, where policy variables are used: they mean something from 2012 on.
    versions: BTreeSet<String>,
}

/// Something that is allowed and was not.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Gain {
    /// In words.
    pub(super) grants: String,
    /// A value in it is known only after something else was applied.
    pub(super) pending: bool,
    /// It could not be judged.
    pub(super) unseen: bool,
}

impl Policy {
    /// The policy that these documents are together.
    pub(super) fn of<'v>(documents: impl IntoIterator<Item = &'v Value>) -> Self {
        let mut policy = Self::default();
        for document in documents {
            policy.add(document);
        }
        policy
    }

    fn add(&mut self, document: &Value) {
        let parsed = document.as_str().and_then(|text| serde_json::from_str::<Value>(text).ok());
        let document = parsed.as_ref().unwrap_or(document);
        if document.is_null() {
            return;
        }
        let Some(statements) = document.get("Statement") else {
            self.opaque.insert(document.to_string());
            return;
        };
        let statements = match statements {
            Value::Array(items) => items.iter().collect(),
            one => vec![one],
        };
        for statement in statements {
            match Statement::read(statement) {
                Some(statement) => _ = self.statements.insert(statement),
                None => _ = self.opaque.insert(statement.to_string()),
            }
        }
        if document.to_string().contains("${") {
            let version = document.get("Version").and_then(shown).unwrap_or_else(|| "2008-10-17".to_owned());
            self.versions.insert(version);
        }
    }

    /// A statement that is no policy document's.
    pub(super) fn insert(&mut self, statement: Statement) {
        self.statements.insert(statement);
    }

    /// Adds all of another one.
    pub(super) fn join(&mut self, other: &Self) {
        self.statements.extend(other.statements.iter().cloned());
        self.opaque.extend(other.opaque.iter().cloned());
        self.versions.extend(other.versions.iter().cloned());
    }

    /// There is nothing in it.
    pub(super) fn is_empty(&self) -> bool {
        self.statements.is_empty() && self.opaque.is_empty()
    }

    /// What this one allows and `before` did not.
    pub(super) fn gains(&self, before: &Self) -> Vec<Gain> {
        let mut gains = self.adds(before);
        gains.extend(before.lifts(self));
        let versions = !before.versions.is_empty() && !self.versions.is_empty() && before.versions != self.versions;
        if versions && gains.is_empty() {
            gains.push(Gain::unseen("Version", "changed, which changes the meaning of policy variables"));
        }
        gains
    }

    /// What this one allows by a statement that `before` has nothing like.
    pub(super) fn adds(&self, before: &Self) -> Vec<Gain> {
        let old: Vec<&Statement> = before.of_effect(true).collect();
        let mut gains: Vec<Gain> =
            self.of_effect(true).filter(|one| !is_within(one, &old)).map(|one| one.gain("")).collect();
        gains.extend(self.opaque.difference(&before.opaque).map(|text| Gain::unseen(text, "cannot be analyzed")));
        gains
    }

    /// What this one denies and `after` does not.
    pub(super) fn lifts(&self, after: &Self) -> Vec<Gain> {
        let new: Vec<&Statement> = after.of_effect(false).collect();
        let mut gains: Vec<Gain> =
            self.of_effect(false).filter(|one| !is_within(one, &new)).map(|one| one.gain("no longer: ")).collect();
        // What is not understood and goes may have been a denial.
        let gone = self.opaque.difference(&after.opaque);
        gains.extend(gone.map(|text| Gain::unseen(text, "is removed and cannot be analyzed")));
        gains
    }

    fn of_effect(&self, allows: bool) -> impl Iterator<Item = &Statement> {
        self.statements.iter().filter(move |one| one.allows == allows)
    }
}

impl Gain {
    fn unseen(text: &str, why: &str) -> Self {
        let pending = text.contains(crate::template::evaluate::PENDING);
        Self { grants: format!("{text} {why}"), pending, unseen: true }
    }
}

impl Statement {
    /// An allowing statement made of single elements.
    pub(super) fn allowing(principal: &Value, action: &Value, resource: &Value, conditions: Conditions) -> Self {
        Self {
            allows: true,
            principal: Element::In(principals(principal).unwrap_or_default()),
            action: Element::In(BTreeSet::from([Pattern::of(action, Letters::WildCaseless)])),
            resource: Element::In(BTreeSet::from([Pattern::of(resource, Letters::Wild)])),
            conditions,
        }
    }

    /// `None`: there is something in it that is not understood.
    fn read(value: &Value) -> Option<Self> {
        let entries = value.as_object()?;
        let known = [
            "Sid",
            "Effect",
            "Principal",
            "NotPrincipal",
            "Action",
            "NotAction",
            "Resource",
            "NotResource",
            "Condition",
        ];
        if entries.keys().any(|key| !known.contains(&key.as_str())) {
            return None;
        }
        let allows = match value.get("Effect")?.as_str()? {
            "Allow" => true,
            "Deny" => false,
            _ => return None,
        };
        let element = |name: &str, read: &dyn Fn(&Value) -> Option<BTreeSet<Pattern>>| {
            Some(match (value.get(name), value.get(format!("Not{name}"))) {
                (None, None) => Element::Absent,
                (Some(these), None) => Element::In(read(these)?),
                (None, Some(these)) => Element::Not(read(these)?),
                (Some(_), Some(_)) => return None,
            })
        };
        Some(Self {
            allows,
            principal: element("Principal", &principals)?,
            action: element("Action", &|these| patterns(these, Letters::WildCaseless))?,
            resource: element("Resource", &|these| patterns(these, Letters::Wild))?,
            conditions: match value.get("Condition") {
                None => Conditions::default(),
                Some(block) => condition::read(block)?,
            },
        })
    }

    fn gain(&self, before: &str) -> Gain {
        Gain { grants: format!("{before}{self}"), pending: self.is_pending(), unseen: false }
    }

    fn is_pending(&self) -> bool {
        let elements = [&self.principal, &self.action, &self.resource];
        elements.into_iter().flat_map(Element::patterns).any(Pattern::is_pending)
            || self.conditions.values().flatten().any(Pattern::is_pending)
    }
}

impl Element {
    fn patterns(&self) -> impl Iterator<Item = &Pattern> {
        let these = match self {
            Self::Absent => None,
            Self::In(these) | Self::Not(these) => Some(these),
        };
        these.into_iter().flatten()
    }

    fn items(&self) -> Vec<Item<'_>> {
        match self {
            Self::Absent => vec![Item::Absent],
            Self::In(these) => these.iter().map(Item::One).collect(),
            Self::Not(these) => vec![Item::AllBut(these)],
        }
    }

    fn covers(&self, item: &Item<'_>) -> bool {
        match (self, item) {
            (Self::Absent, Item::Absent) => true,
            (Self::In(these), Item::One(one)) => these.iter().any(|pattern| pattern.covers(one)),
            (Self::In(these), Item::AllBut(_)) => these.iter().any(Pattern::is_everything),
            (Self::Not(these), Item::One(one)) => {
                one.is_literal()
                    && one.is_fixed()
                    && these.iter().all(|pattern| !pattern.covers(one) && pattern.is_fixed())
            }
            (Self::Not(old), Item::AllBut(new)) => old.iter().all(|old| new.iter().any(|new| new.covers(old))),
            (Self::Absent, _) | (_, Item::Absent) => false,
        }
    }
}

/// Whether all that a statement is about is in others of the same effect. For a denial the other way round: then what
/// was denied is still denied.
fn is_within(one: &Statement, others: &[&Statement]) -> bool {
    let as_strict = |other: &&&Statement| condition::is_as_strict(&one.conditions, &other.conditions);
    let others: Vec<&Statement> = others.iter().filter(as_strict).copied().collect();
    let (principals, actions, resources) = (one.principal.items(), one.action.items(), one.resource.items());
    let whole = |other: &&Statement| {
        principals.iter().all(|item| other.principal.covers(item))
            && actions.iter().all(|item| other.action.covers(item))
            && resources.iter().all(|item| other.resource.covers(item))
    };
    if others.iter().any(whole) {
        return true;
    }
    let combinations = principals.len().saturating_mul(actions.len()).saturating_mul(resources.len());
    if combinations == 0 || combinations > COMBINATIONS_MAX {
        return combinations == 0;
    }
    principals.iter().all(|principal| {
        let of: Vec<_> = others.iter().filter(|other| other.principal.covers(principal)).collect();
        actions.iter().all(|action| {
            let of: Vec<_> = of.iter().filter(|other| other.action.covers(action)).collect();
            resources.iter().all(|resource| of.iter().any(|other| other.resource.covers(resource)))
        })
    })
}

fn patterns(value: &Value, letters: Letters) -> Option<BTreeSet<Pattern>> {
    match value {
        Value::Array(items) => Some(items.iter().map(|item| Pattern::of(item, letters)).collect()),
        Value::Null => None,
        one => Some(BTreeSet::from([Pattern::of(one, letters)])),
    }
}

/// Principals as `Type:value`. An account is written by its number, as its root, or as the ARN of its root; everybody as
/// `*` or as `{"AWS": "*"}` (AWS: *AWS JSON policy elements: Principal*).
fn principals(value: &Value) -> Option<BTreeSet<Pattern>> {
    match value {
        Value::String(text) if text == "*" => Some(BTreeSet::from([everybody()])),
        Value::Object(types) if crate::template::canonical::intrinsic(value).is_none() => {
            let mut all = BTreeSet::new();
            for (kind, these) in types {
                let one = |value: &Value| principal(kind, value);
                match these {
                    Value::Array(items) => all.extend(items.iter().map(one)),
                    item => _ = all.insert(one(item)),
                }
            }
            Some(all)
        }
        _ => None,
    }
}

fn everybody() -> Pattern {
    Pattern::text("*", Letters::Wild).after("AWS:")
}

fn principal(kind: &str, value: &Value) -> Pattern {
    if kind == "AWS" {
        match shown(value) {
            Some(text) if text == "*" => return everybody(),
            Some(text) => {
                let account = account_of(&text).unwrap_or(&text);
                return Pattern::text(account, Letters::Plain).after("AWS:");
            }
            None => {}
        }
    }
    Pattern::of(value, Letters::Plain).after(&format!("{kind}:"))
}

fn account_of(text: &str) -> Option<&str> {
    let parts: Vec<&str> = text.split(':').collect();
    match parts.as_slice() {
        ["arn", _, "iam", "", account, "root"] => Some(*account),
        _ => None,
    }
}

impl std::fmt::Display for Statement {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(if self.allows { "Allow " } else { "Deny " })?;
        self.action.write(f, "", "anything")?;
        if self.resource != Element::Absent {
            self.resource.write(f, " on ", "")?;
        }
        if self.principal != Element::Absent {
            self.principal.write(f, " to ", "")?;
        }
        condition::write(&self.conditions, f)
    }
}

impl Element {
    fn write(&self, f: &mut std::fmt::Formatter<'_>, before: &str, absent: &str) -> std::fmt::Result {
        let names = || self.patterns().map(|one| everyone(&one.to_string())).collect::<Vec<_>>().join(", ");
        match self {
            Self::Absent => f.write_str(absent),
            Self::In(_) => write!(f, "{before}{}", names()),
            Self::Not(_) => write!(f, "{before}everything except {}", names()),
        }
    }
}

fn everyone(text: &str) -> String {
    if text == "AWS:*" { "everyone (*)".to_owned() } else { text.to_owned() }
}

/// What AWS takes for a policy where there is none, if that is not *nothing*.
pub(super) fn everything() -> Policy {
    let all = |letters| Element::In(BTreeSet::from([Pattern::text("*", letters)]));
    let statement = Statement {
        allows: true,
        principal: Element::In(BTreeSet::from([everybody()])),
        action: all(Letters::WildCaseless),
        resource: all(Letters::Wild),
        conditions: BTreeMap::new(),
    };
    Policy { statements: BTreeSet::from([statement]), ..Policy::default() }
}
