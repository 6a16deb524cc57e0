//! The program as people run it: the shipped manifests, the real binary, the real wire, and the emulator behind it.
//!
//! Each test has an account, a copy of the manifests and a state directory of its own ([`place::Place`]), and sees every
//! call that the program makes ([`recorder::Recorder`]).

mod adoption;
mod backups;
mod changes;
mod deployment;
mod drift;
mod failures;
mod interruptions;
pub mod place;
mod recorder;
mod records;
mod restores;
mod safety;
mod secrecy;
mod services;
mod wire;
