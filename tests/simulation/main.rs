//! The whole daemon on a simulated AWS, in virtual time, held to the invariants.
// Tests say what they expect by panicking; how long a run takes is the real clock's business.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::allow_attributes,
    clippy::disallowed_methods,
    clippy::unchecked_time_subtraction
)]

mod access;
mod adoption;
mod app;
mod approvals;
mod backups;
mod collection;
mod consent;
mod cost;
mod crash;
mod deleted;
mod determinism;
mod doctor;
mod drift;
mod events;
mod fleet;
mod freezes;
mod healing;
mod hush;
mod images;
mod intruder;
mod isolation;
mod journal;
mod monitor;
mod moves;
mod nested;
mod oracle;
mod outputs;
mod outsiders;
mod planner;
mod planted;
mod preflight;
mod readiness;
mod records;
mod restores;
mod rig;
mod run;
mod scenario;
mod secrets;
mod seeds;
mod services;
mod shrink;
mod spy;
mod stage;
mod stored;
mod tampering;
mod templates;
mod traffic;
mod vaults;
mod zones;
