//! What is said to a Git host and by it, whoever it is.

use reqwest::Method;
use serde_json::Value;

/// So many on a page: the most that both hosts give.
pub(super) const PAGE: usize = 100;
/// How a commit stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Something is going on, or somebody has to decide.
    Pending,
    /// AWS is as it says.
    Success,
    /// Something failed or is refused.
    Failure,
}

/// A state of a commit, under a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mark {
    /// The name: `landfast/dev`.
    pub context: String,
    /// The state; `None`: one that we never set.
    pub state: Option<State>,
    /// A few words, at most 140 characters.
    pub description: String,
}

/// A pull request, or a merge request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pull {
    /// Its number.
    pub number: u64,
    /// Its newest commit, as the host says.
    pub head: String,
    /// Under which name the repository has that.
    pub reference: String,
    /// It comes from another repository.
    pub is_fork: bool,
}

/// A comment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Comment {
    /// Its ID.
    pub id: u64,
    /// Its text.
    pub body: String,
    /// We have written it.
    pub is_ours: bool,
}

/// Who writes our comments.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Author {
    User(u64),
    App(String),
}

/// A request.
pub(super) struct Ask {
    pub(super) method: Method,
    pub(super) path: String,
    pub(super) body: Option<Value>,
}

impl Ask {
    pub(super) fn get(path: String) -> Self {
        Self { method: Method::GET, path, body: None }
    }

    pub(super) fn send(method: Method, path: String, body: Value) -> Self {
        Self { method, path, body: Some(body) }
    }
}

/// A part of an address, as it is written there.
pub(super) fn escaped(text: &str) -> String {
    url::form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>().replace('+', "%20")
}
