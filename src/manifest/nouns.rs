//! What the kinds of documents are called, and what is known of each before any of its documents is read. What becomes
//! of them is in [`kinds`](super::kinds).

use crate::model::Kind;

/// What of a document may be secret, and is kept out of snippets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Secrecy {
    /// Nothing.
    Public,
    /// The parameters, until its template has told which of them are.
    Parameters,
    /// All of it: somebody may have written a value where none belongs.
    Document,
}

/// A kind of document by name.
pub(super) struct Noun {
    /// The kind, as `kind` names it.
    pub(super) word: &'static str,
    /// What of it may be secret.
    pub(super) secrecy: Secrecy,
    /// The kind of object that it describes; none for an environment.
    pub(super) kind: Option<Kind>,
    /// The field that says which of AWS's objects it is.
    pub(super) identity: &'static [&'static str],
}

/// An account and a region, and what is in them.
pub(super) static ENVIRONMENT: Noun =
    Noun { word: "Environment", secrecy: Secrecy::Public, kind: None, identity: &["metadata", "name"] };

/// A CloudFormation stack.
pub(super) static STACK: Noun =
    Noun { word: "Stack", secrecy: Secrecy::Parameters, kind: Some(Kind::Stack), identity: &["spec", "template"] };

/// An ECS service.
pub(super) static SERVICE: Noun =
    Noun { word: "Service", secrecy: Secrecy::Public, kind: Some(Kind::Service), identity: &["spec", "service"] };

/// A secret.
pub(super) static SECRET: Noun =
    Noun { word: "Secret", secrecy: Secrecy::Document, kind: Some(Kind::Secret), identity: &["spec", "name"] };

/// A record in a zone.
pub(super) static RECORD: Noun =
    Noun { word: "DnsRecord", secrecy: Secrecy::Public, kind: Some(Kind::DnsRecord), identity: &["spec", "name"] };

/// How tables are backed up.
pub(super) static BACKUP: Noun = Noun {
    word: "BackupPolicy",
    secrecy: Secrecy::Public,
    kind: Some(Kind::BackupPolicy),
    identity: &["spec", "tables"],
};

/// Every kind.
pub(super) static NOUNS: [&Noun; 6] = [&ENVIRONMENT, &STACK, &SERVICE, &SECRET, &RECORD, &BACKUP];

/// The words of all kinds.
pub(super) fn words() -> impl Iterator<Item = &'static str> {
    NOUNS.iter().map(|noun| noun.word)
}

/// Fields that other tools have for a value in the clear.
pub(super) const CLEAR: [&str; 10] = [
    "value",
    "values",
    "plain",
    "plaintext",
    "data",
    "stringData",
    "secretString",
    "SecretString",
    "secretBinary",
    "password",
];
