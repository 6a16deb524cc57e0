//! The kinds of documents: one row for each, and what becomes of its documents.
//!
//! A further kind is a noun, a row here, a file that has its document and makes the desired state from it, and a place for
//! that in the [`Environment`](crate::model::Environment).

use std::sync::LazyLock;

use serde::de::DeserializeOwned;
use serde_json::Value;

use super::backup::BackupDocument;
use super::document::{EnvironmentDocument, Mismatch, decode, schema_of};
use super::made::Made;
use super::maker::Resource;
use super::nouns::{self, Noun};
use super::record::RecordDocument;
use super::secret::SecretDocument;
use super::service::ServiceDocument;
use super::stack::StackDocument;
use super::{backup, record};
use crate::yaml::Node;

/// What becomes of the documents of a kind.
pub(super) struct Row {
    /// The object's metadata.
    pub(super) noun: &'static Noun,
    /// The file of its schema.
    pub(super) schema_file: &'static str,
    /// Its schema.
    pub(super) schema: &'static LazyLock<Value>,
    /// How its documents are read; environments are read by themselves.
    pub(super) decode: Option<Decode>,
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
    Row { noun: &nouns::ENVIRONMENT, schema_file: "environment.json", schema: &ENVIRONMENT, decode: None },
    Row { noun: &nouns::STACK, schema_file: "stack.json", schema: &STACK, decode: Some(boxed::<StackDocument>) },
    Row {
        noun: &nouns::SERVICE,
        schema_file: "service.json",
        schema: &SERVICE,
        decode: Some(boxed::<ServiceDocument>),
    },
    Row { noun: &nouns::SECRET, schema_file: "secret.json", schema: &SECRET, decode: Some(boxed::<SecretDocument>) },
    Row { noun: &nouns::RECORD, schema_file: "dnsrecord.json", schema: &RECORD, decode: Some(boxed::<RecordDocument>) },
    Row {
        noun: &nouns::BACKUP,
        schema_file: "backuppolicy.json",
        schema: &BACKUP,
        decode: Some(boxed::<BackupDocument>),
    },
];

fn boxed<T: Resource + DeserializeOwned + 'static>(root: &Node) -> Result<Box<dyn Resource>, Mismatch> {
    Ok(Box::new(decode::<T>(root)?))
}

/// How documents of a kind are read; `None` for an environment's.
pub(super) fn decoder(noun: &Noun) -> Option<Decode> {
    ROWS.iter().find(|row| row.noun.word == noun.word)?.decode
}

/// Which of AWS's objects it is: no two manifests may mean the same.
pub(super) fn identity(made: &Made) -> String {
    match made {
        Made::Stack(spec) => spec.address().to_string(),
        Made::Service(spec) => format!("{}/{}/{}", spec.scope, spec.cluster, spec.service),
        Made::Secret(spec) => format!("{}/{}", spec.scope, spec.name),
        Made::Record(spec) => record::identity(spec),
        Made::Backup(spec) => backup::identity(spec),
    }
}
