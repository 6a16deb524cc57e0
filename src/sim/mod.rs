//! An in-memory AWS that bites.
//!
//! It implements the ports with the semantics that AWS documents and operators trip over: asynchronous operations with
//! every stack status, rollback that can fail, change sets that go stale, exports in use, capabilities, names that are
//! taken, nested stacks, macros, pages, throttling, lost answers, stale reads. The same object is the test double of every room, the ground
//! of the simulation and the embedded cloud of `landfast demo`.
//!
//! Time comes from the [`Context`](crate::context::Context) alone; nothing happens in the background and nothing is
//! random, so that a run can be repeated exactly. Start reading at [`SimCloud`]; what goes wrong is a [`FaultPlan`];
//! whoever else is at work in the account is a [`Console`]; the truth is the [`Inventory`].

mod account;
mod assertions;
mod attributes;
mod audit;
mod change_set;
mod checks;
mod cloud;
mod config;
mod console;
mod constraints;
mod containers;
mod custom;
mod dns;
mod drift;
mod dynamo;
mod ecs;
mod evaluate;
mod events;
mod exports;
mod extensions;
mod fault;
mod health;
mod inventory;
mod limit;
mod metrics;
mod nested;
mod nested_sets;
mod objects;
mod operation;
mod parameters;
mod policy;
mod process;
mod quotas;
mod reader;
mod reads;
mod records;
mod requests;
mod resource;
mod rollback;
mod rules;
mod secret;
mod secrets;
mod serverless;
mod site;
mod spelling;
mod stack;
mod tampered;
mod task;
mod trail;
mod validate;
mod vault;
mod vaults;
mod wanted;
mod web;
mod world;
mod yaml;
mod zone;

#[cfg(test)]
mod tests;

pub use audit::Call;
pub use cloud::SimCloud;
pub use config::{BucketFlaw, DriftAware, ReadRate, SimConfig};
pub use console::{Console, ImportOutcome};
pub use dynamo::{BackupTruth, NewTable, TableTruth};
pub use ecs::{ImageBehaviour, LifecycleHook, NewService};
pub use events::EventPath;
pub use fault::{Fault, FaultPlan, ResourceFailure, ResourceFault, Window};
pub use inventory::{Inventory, Monitor, StackRecord, View};
pub use resource::ResourceOperation;
pub use secrets::SecretTruth;
pub use site::Site;
pub use stack::Counts;
