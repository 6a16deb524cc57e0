//! stub
use crate::model::Scope;
/// Priority.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Priority { /// a
 Failover, /// b
 Deploy, /// c
 Status, /// d
 Drift }
/// Usage
#[derive(Clone, Debug)]
pub struct Usage { #[expect(missing_docs)] pub scope: Scope }
/// Governor
pub struct Governor;
