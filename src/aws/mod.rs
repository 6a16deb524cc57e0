//! AWS itself, or anything that speaks its wire.
//!
//! The only room that names `aws_*`. An adapter turns one call of a port into one request, and its answer into our
//! nouns or an error with a [class](crate::ports::Class). It does not retry, wait or decide: the SDK's own retries are
//! switched off, because they would hide calls from the governor, which counts them.

mod account;
mod answer;
mod blobs;
mod cloud;
mod containers;
mod definition;
mod drift;
mod dynamo;
mod ecs;
mod error;
mod health;
mod items;
mod metrics;
mod objects;
mod plans;
mod queue;
mod records;
mod request;
mod scaling;
mod secrets;
mod stacks;
mod tables;
#[cfg(test)]
mod tests;
mod trail;
mod vaults;
#[cfg(test)]
mod wire;

pub use cloud::{AwsCloud, Settings};

/// A log filter for what the SDK says of missing credentials: at length, before it fails with an error that says the same.
pub const QUIET_LOGS: &str = "aws_config=error";
