//! The API of a Git host: states of commits, and comments on pull requests.
//!
//! What is said is decided elsewhere (`report`, `cli/feedback`). Here is how it is said: which requests, at what pace, and
//! what an answer means. Nothing that arrives here decides anything about AWS.

mod api;
mod client;
mod error;
mod github;
mod gitlab;
mod pace;
mod said;

pub use api::Api;
pub use client::{Client, Identity, Lets};
pub use error::ForgeError;
pub use said::{Comment, Mark, Pull, State};
