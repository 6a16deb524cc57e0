//! GitHub's requests and answers (*REST API*, version 2022-11-28: *Commit statuses*, *Pulls*, *Issue comments*).

use reqwest::Method;
use serde_json::{Value, json};

use super::said::{Ask, Author, Comment, Mark, PAGE, Pull, State, escaped};

pub(super) fn repository(project: &str) -> Ask {
    Ask::get(format!("/repos/{project}"))
}

/// In reverse chronological order, says the page: the first of a context is its newest.
pub(super) fn marks(project: &str, commit: &str, _: &str, page: usize) -> Ask {
    Ask::get(format!("/repos/{project}/commits/{commit}/statuses?per_page={PAGE}&page={page}"))
}

pub(super) fn mark(value: &Value) -> Option<Mark> {
    let state = match value.get("state")?.as_str()? {
        "pending" => Some(State::Pending),
        "success" => Some(State::Success),
        "failure" => Some(State::Failure),
        _ => None,
    };
    let text = |name: &str| value.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    Some(Mark { context: text("context"), state, description: text("description") })
}

pub(super) fn set_mark(project: &str, commit: &str, mark: &Mark) -> Ask {
    let state = match mark.state {
        Some(State::Success) => "success",
        Some(State::Failure) => "failure",
        Some(State::Pending) | None => "pending",
    };
    let body = json!({ "state": state, "description": mark.description, "context": mark.context });
    Ask::send(Method::POST, format!("/repos/{project}/statuses/{commit}"), body)
}

pub(super) fn pulls(project: &str, branch: &str, page: usize) -> Ask {
    let branch = escaped(branch);
    Ask::get(format!(
        "/repos/{project}/pulls?state=open&base={branch}&sort=updated&direction=desc&per_page={PAGE}&page={page}"
    ))
}

pub(super) fn pull(value: &Value) -> Option<Pull> {
    let number = value.get("number")?.as_u64()?;
    // The repository of a head is null if it was deleted.
    let of = |side: &str| value.get(side)?.get("repo")?.get("id")?.as_u64();
    let head = value.get("head")?.get("sha")?.as_str()?.to_owned();
    let is_fork = of("head").is_none() || of("head") != of("base");
    Some(Pull { number, head, reference: format!("refs/pull/{number}/head"), is_fork })
}

pub(super) fn comments(project: &str, pull: u64, page: usize) -> Ask {
    Ask::get(format!("/repos/{project}/issues/{pull}/comments?per_page={PAGE}&page={page}"))
}

pub(super) fn comment(value: &Value, author: &Author) -> Option<Comment> {
    let is_ours = match author {
        Author::User(id) => value.get("user")?.get("id")?.as_u64() == Some(*id),
        Author::App(app) => value.get("performed_via_github_app").is_some_and(|by| {
            by.get("id").and_then(Value::as_u64).is_some_and(|id| id.to_string() == *app)
                || by.get("client_id").and_then(Value::as_str) == Some(app)
        }),
    };
    let body = value.get("body").and_then(Value::as_str).unwrap_or_default().to_owned();
    Some(Comment { id: value.get("id")?.as_u64()?, body, is_ours })
}

pub(super) fn create(project: &str, pull: u64, body: &str) -> Ask {
    Ask::send(Method::POST, format!("/repos/{project}/issues/{pull}/comments"), json!({ "body": body }))
}

pub(super) fn update(project: &str, _: u64, comment: u64, body: &str) -> Ask {
    Ask::send(Method::PATCH, format!("/repos/{project}/issues/comments/{comment}"), json!({ "body": body }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pull_request_of_a_fork_or_of_a_deleted_one_is_told_apart() {
        let of = |head: Value| json!({"number": 7, "head": {"sha": "a", "repo": head}, "base": {"repo": {"id": 1}}});
        for (head, is_fork) in [(json!({"id": 1}), false), (json!({"id": 2}), true), (Value::Null, true)] {
            let pull = pull(&of(head)).unwrap();
            assert_eq!((pull.is_fork, pull.reference.as_str()), (is_fork, "refs/pull/7/head"));
        }
    }

    #[test]
    fn a_comment_is_ours_by_its_author_and_not_by_its_text() {
        let value =
            json!({"id": 1, "body": "x", "user": {"id": 5}, "performed_via_github_app": {"id": 9, "client_id": "Iv1"}});
        let is_ours = |author: Author| comment(&value, &author).unwrap().is_ours;
        assert!(
            is_ours(Author::User(5)) && is_ours(Author::App("9".to_owned())) && is_ours(Author::App("Iv1".to_owned()))
        );
        assert!(!is_ours(Author::User(6)) && !is_ours(Author::App("8".to_owned())));
    }
}
