//! Behaviour against other people's code: one binary, because each one links the whole SDK.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::disallowed_methods,
    clippy::unchecked_time_subtraction,
    clippy::print_stderr,
    clippy::allow_attributes,
    unreachable_pub
)]

mod adapter;
mod circles;
mod commands;
mod contract;
mod daemon;
mod demo;
mod diagnostics;
mod docs;
mod e2e;
mod emulator;
mod faults;
#[path = "../git/mod.rs"]
mod git;
mod mistakes;
mod operator;
mod ops;
mod page;
mod pager;
mod permissions;
mod queue;
mod shipped;
mod tidy;
mod unreachable;
mod wording;
mod workshop;
