#![doc = include_str!("ARCHITECTURE.md")]
// Tests say what they expect by panicking, and print what a person should see.
#![cfg_attr(
    test,
    allow(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::disallowed_methods,
        clippy::allow_attributes
    )
)]

pub mod model;

pub mod context;

pub mod files;

pub mod yaml;

pub mod template;

pub mod operator;

pub mod manifest;

pub mod plan;

pub mod adopt;

pub mod events;

pub mod notice;

pub mod ports;

#[cfg_attr(not(feature = "git"), path = "sshsig_without.rs")]
pub mod sshsig;

pub mod source;

pub mod observe;

pub mod store;

pub mod execute;

pub mod report;

pub mod controller;

#[cfg(feature = "aws")]
pub mod aws;

#[cfg(feature = "aws")]
pub mod probe;

pub mod sim;

#[cfg(feature = "git")]
pub mod server;

#[cfg(feature = "git")]
pub mod forge;

#[cfg(feature = "git")]
pub mod courier;

pub mod cli;

#[doc(hidden)]
pub mod sabotage;
