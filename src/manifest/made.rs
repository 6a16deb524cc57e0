//! A desired object of any kind, before it is in its environment.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::model::{BackupSpec, Environment, Key, RecordSpec, SecretSpec, ServiceSpec, StackSpec};

/// A desired object of any kind.
pub(super) enum Made {
    Stack(StackSpec),
    Service(ServiceSpec),
    Secret(SecretSpec),
    Record(RecordSpec),
    Backup(Box<BackupSpec>),
}

impl Made {
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
