//! What is asked of a Git host, whoever it is.

use serde_json::Value;

use super::client::{Client, Identity};
use super::error::ForgeError;
use super::said::{Ask, Author, Comment, Mark, PAGE, Pull};
use super::{github, gitlab};
use crate::model::{Feedback, ForgeKind};

/// So many pages of pull requests, the newest first.
const PAGES_OF_PULLS: usize = 2;
/// So many pages of comments or states.
const PAGES: usize = 10;

/// A Git host's API, for one repository.
#[derive(Debug)]
pub struct Api {
    client: Client,
    kind: ForgeKind,
    project: String,
}

/// Does the same of either host.
macro_rules! of {
    ($self:expr, $($call:tt)*) => {
        match $self.kind {
            ForgeKind::GitHub => github::$($call)*,
            ForgeKind::GitLab => gitlab::$($call)*,
        }
    };
}

impl Api {
    /// The API that feedback goes to.
    #[must_use]
    pub fn new(client: Client, feedback: &Feedback) -> Self {
        Self { client, kind: feedback.kind, project: feedback.project.clone() }
    }

    /// The client, for its pace.
    #[must_use]
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// The newest state of a commit under a name.
    ///
    /// # Errors
    /// It could not be asked.
    pub async fn mark(&self, commit: &str, context: &str) -> Result<Option<Mark>, ForgeError> {
        for page in 1..=PAGES {
            let answer = self.ask(of!(self, marks(&self.project, commit, context, page))).await?;
            let marks = list(&answer)?;
            let found = marks.iter().filter_map(|one| of!(self, mark(one))).find(|one| one.context == context);
            if found.is_some() || marks.len() < PAGE {
                return Ok(found);
            }
        }
        Ok(None)
    }

    /// Gives a commit a state.
    ///
    /// # Errors
    /// It was not accepted.
    pub async fn set_mark(&self, commit: &str, mark: &Mark) -> Result<(), ForgeError> {
        match self.ask(of!(self, set_mark(&self.project, commit, mark))).await {
            // GitLab refuses a state that the commit has (its words: "Cannot transition status via :run from :running").
            Err(ForgeError::Refused { status: 400, why }) if why.contains("Cannot transition") => Ok(()),
            answer => answer.map(drop),
        }
    }

    /// The open pull requests for a branch, those first that changed last; `None`: for the default branch.
    ///
    /// # Errors
    /// They could not be listed.
    pub async fn pulls(&self, branch: Option<&str>) -> Result<Vec<Pull>, ForgeError> {
        let branch = if let Some(branch) = branch {
            branch.to_owned()
        } else {
            let answer = self.ask(of!(self, repository(&self.project))).await?;
            let name = answer.get("default_branch").and_then(Value::as_str);
            name.ok_or_else(|| ForgeError::Answer("the repository has no default branch".to_owned()))?.to_owned()
        };
        let mut pulls = Vec::new();
        for page in 1..=PAGES_OF_PULLS {
            let answer = self.ask(of!(self, pulls(&self.project, &branch, page))).await?;
            let listed = list(&answer)?;
            pulls.extend(listed.iter().filter_map(|one| of!(self, pull(one))));
            if listed.len() < PAGE {
                break;
            }
        }
        Ok(pulls)
    }

    /// The comments on a pull request that begin with this line, oldest first.
    ///
    /// # Errors
    /// They could not be listed.
    pub async fn comments(&self, pull: u64, marker: &str) -> Result<Vec<Comment>, ForgeError> {
        let author = self.author().await?;
        let mut comments = Vec::new();
        for page in 1..=PAGES {
            let answer = self.ask(of!(self, comments(&self.project, pull, page))).await?;
            let listed = list(&answer)?;
            let read = listed.iter().filter_map(|one| of!(self, comment(one, &author)));
            comments.extend(read.filter(|one| one.body.lines().next().map(str::trim) == Some(marker)));
            if listed.len() < PAGE {
                break;
            }
        }
        Ok(comments)
    }

    /// Comments on a pull request.
    ///
    /// # Errors
    /// It was not accepted.
    pub async fn comment(&self, pull: u64, body: &str) -> Result<(), ForgeError> {
        self.ask(of!(self, create(&self.project, pull, body))).await.map(drop)
    }

    /// Writes a comment anew.
    ///
    /// # Errors
    /// It was not accepted.
    pub async fn rewrite(&self, pull: u64, comment: u64, body: &str) -> Result<(), ForgeError> {
        self.ask(of!(self, update(&self.project, pull, comment, body))).await.map(drop)
    }

    /// Who we are to the host.
    async fn author(&self) -> Result<Author, ForgeError> {
        if let Identity { app: Some(app), .. } = self.client.identity().await? {
            return Ok(Author::App(app));
        }
        let answer = self.ask(Ask::get("/user".to_owned())).await?;
        let id = answer.get("id").and_then(Value::as_u64);
        id.map(Author::User).ok_or_else(|| ForgeError::Answer("it does not say whose the token is".to_owned()))
    }

    async fn ask(&self, ask: Ask) -> Result<Value, ForgeError> {
        self.client.call(ask.method, &ask.path, ask.body.as_ref()).await
    }
}

fn list(answer: &Value) -> Result<&Vec<Value>, ForgeError> {
    answer.as_array().ok_or_else(|| ForgeError::Answer("it is not a list".to_owned()))
}
