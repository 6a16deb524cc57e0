//! The whole daemon on a simulated AWS, in virtual time, held to the invariants.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout, clippy::print_stderr)]

mod crash;
mod determinism;
mod fleet;
mod monitor;
mod oracle;
mod planner;
mod planted;
mod rig;
mod run;
mod scenario;
mod seeds;
mod shrink;
mod spy;
