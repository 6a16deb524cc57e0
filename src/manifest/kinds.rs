//! The kinds of documents: one row for each, and what becomes of its documents.
//!
//! A further kind is a row here, a file that has its document and makes the desired state from it, and a place for that
//! in the [`Environment`].

use std::collections::BTreeSet;
use std::sync::{Arc, LazyLock};

use serde::de::DeserializeOwned;
use serde_json::Value;

use super::backup::BackupDocument;
use super::document::{EnvironmentDocument, Mismatch, decode};
use super::maker::Resource;
use super::record::RecordDocument;
use super::schema::schema_of;
use super::secret::SecretDocument;
use super::service::ServiceDocument;
use super::stack::StackDocument;
use crate::model::{BackupSpec, Environment, Key, Kind, RecordSpec, SecretSpec, ServiceSpec, StackSpec};
use crate::yaml::Node;

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

/// A kind of document.
pub(super) struct Row {
    /// The kind, as `kind` names it.
    pub(super) word: &'static str,
    /// The file of its schema.
    pub(super) schema_file: &'static str,
    /// Its schema.
    pub(super) schema: &'static LazyLock<Value>,
    /// What of it may be secret.
    pub(super) secrecy: Secrecy,
    /// How its documents are read; environments are read by themselves.
    pub(super) resource: Option<(Kind, Decode)>,
    /// The field that says which of AWS's objects it is.
    pub(super) identity: &'static [&'static str],
}

/// Reads a document of which the schema has nothing to complain about.
pub(super) type Decode = fn(&Node) -> Result<Box<dyn Resource>, Mismatch>;

static ENVIRONMENT: LazyLock<Value> = LazyLock::new(schema_of::<EnvironmentDocument>);
static STACK: LazyLock<Value> = LazyLock::new(schema_of::<StackDocument>);
static SERVICE: LazyLock<Value> = LazyLock::new(schema_of::<ServiceDocument>);
static SECRET: LazyLock<Value> = LazyLock::new(schema_of::<SecretDocument>);
static RECORD: LazyLock<Value> = LazyLock::new(schema_of::<RecordDocument>);
static BACKUP: LazyLock<Value> = LazyLock::new(schema_of::<BackupDocument>);

/// Every kind.
pub(super) static ROWS: [Row; 6] = [
    Row {
        word: "Environment",
        schema_file: "environment.json",
        schema: &ENVIRONMENT,
        secrecy: Secrecy::Public,
        resource: None,
        identity: &["metadata", "name"],
    },
    Row {
        word: "Stack",
        schema_file: "stack.json",
        schema: &STACK,
        secrecy: Secrecy::Parameters,
        resource: Some((Kind::Stack, boxed::<StackDocument>)),
        identity: &["spec", "template"],
    },
    Row {
        word: "Service",
        schema_file: "service.json",
        schema: &SERVICE,
        secrecy: Secrecy::Public,
        resource: Some((Kind::Service, boxed::<ServiceDocument>)),
        identity: &["spec", "service"],
    },
    Row {
        word: "Secret",
        schema_file: "secret.json",
        schema: &SECRET,
        secrecy: Secrecy::Document,
        resource: Some((Kind::Secret, boxed::<SecretDocument>)),
        identity: &["spec", "name"],
    },
    Row {
        word: "DnsRecord",
        schema_file: "dnsrecord.json",
        schema: &RECORD,
        secrecy: Secrecy::Public,
        resource: Some((Kind::DnsRecord, boxed::<RecordDocument>)),
        identity: &["spec", "name"],
    },
    Row {
        word: "BackupPolicy",
        schema_file: "backuppolicy.json",
        schema: &BACKUP,
        secrecy: Secrecy::Public,
        resource: Some((Kind::BackupPolicy, boxed::<BackupDocument>)),
        identity: &["spec", "tables"],
    },
];

fn boxed<T: Resource + DeserializeOwned + 'static>(root: &Node) -> Result<Box<dyn Resource>, Mismatch> {
    Ok(Box::new(decode::<T>(root)?))
}

/// The words of all kinds.
pub(super) fn words() -> impl Iterator<Item = &'static str> {
    ROWS.iter().map(|row| row.word)
}

/// A desired object of any kind.
pub(super) enum Made {
    Stack(StackSpec),
    Service(ServiceSpec),
    Secret(SecretSpec),
    Record(RecordSpec),
    Backup(Box<BackupSpec>),
}

impl Made {
    /// Which of AWS's objects it is: no two manifests may mean the same.
    pub(super) fn identity(&self) -> String {
        match self {
            Self::Stack(spec) => spec.address().to_string(),
            Self::Service(spec) => format!("{}/{}/{}", spec.scope, spec.cluster, spec.service),
            Self::Secret(spec) => format!("{}/{}", spec.scope, spec.name),
            Self::Record(spec) => super::record::identity(spec),
            Self::Backup(spec) => super::backup::identity(spec),
        }
    }

    /// It is a stack.
    pub(super) fn as_stack(&self) -> Option<&StackSpec> {
        if let Self::Stack(spec) = self { Some(spec) } else { None }
    }

    /// It is a service.
    pub(super) fn as_service(&self) -> Option<&ServiceSpec> {
        if let Self::Service(spec) = self { Some(spec) } else { None }
    }

    /// It is a DNS record.
    pub(super) fn as_record(&self) -> Option<&RecordSpec> {
        if let Self::Record(spec) = self { Some(spec) } else { None }
    }

    /// Puts it into its environment, with what it waits for.
    pub(super) fn put(self, key: Key, depends_on: BTreeSet<Key>, environment: &mut Environment) {
        match self {
            Self::Stack(spec) => drop(environment.stacks.insert(key, Arc::new(StackSpec { depends_on, ..spec }))),
            Self::Service(spec) => drop(environment.services.insert(key, Arc::new(ServiceSpec { depends_on, ..spec }))),
            Self::Secret(spec) => drop(environment.secrets.insert(key, Arc::new(SecretSpec { depends_on, ..spec }))),
            Self::Record(spec) => drop(environment.records.insert(key, Arc::new(RecordSpec { depends_on, ..spec }))),
            Self::Backup(spec) => drop(environment.backups.insert(key, Arc::new(BackupSpec { depends_on, ..*spec }))),
        }
    }
}
