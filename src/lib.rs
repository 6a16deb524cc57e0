#![doc = include_str!("ARCHITECTURE.md")]
// Tests say what they expect by panicking, and print what a person should see.
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::allow_attributes))]

pub mod model;

pub mod context;

pub mod ports;
