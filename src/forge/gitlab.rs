//! GitLab's requests and answers (*REST API*: *Commits*, *Merge requests*, *Notes*).

use reqwest::Method;
use serde_json::{Value, json};

use super::said::{Ask, Author, Comment, Mark, PAGE, Pull, State, escaped};

fn project_at(project: &str) -> String {
    format!("/projects/{}", escaped(project))
}

pub(super) fn repository(project: &str) -> Ask {
    Ask::get(project_at(project))
}

/// Without `all`, only the newest of each name is listed.
pub(super) fn marks(project: &str, commit: &str, context: &str, page: usize) -> Ask {
    let (project, name) = (project_at(project), escaped(context));
    Ask::get(format!("{project}/repository/commits/{commit}/statuses?name={name}&per_page={PAGE}&page={page}"))
}

pub(super) fn mark(value: &Value) -> Option<Mark> {
    let state = match value.get("status")?.as_str()? {
        "running" => Some(State::Pending),
        "success" => Some(State::Success),
        "failed" => Some(State::Failure),
        _ => None,
    };
    let text = |name: &str| value.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    Some(Mark { context: text("name"), state, description: text("description") })
}

pub(super) fn set_mark(project: &str, commit: &str, mark: &Mark) -> Ask {
    let state = match mark.state {
        Some(State::Success) => "success",
        Some(State::Failure) => "failed",
        Some(State::Pending) | None => "running",
    };
    let body = json!({ "state": state, "description": mark.description, "name": mark.context });
    Ask::send(Method::POST, format!("{}/statuses/{commit}", project_at(project)), body)
}

pub(super) fn pulls(project: &str, branch: &str, page: usize) -> Ask {
    let (project, branch) = (project_at(project), escaped(branch));
    Ask::get(format!(
        "{project}/merge_requests?state=opened&target_branch={branch}&order_by=updated_at&sort=desc&per_page={PAGE}&page={page}"
    ))
}

pub(super) fn pull(value: &Value) -> Option<Pull> {
    let number = value.get("iid")?.as_u64()?;
    let of = |side: &str| value.get(side).and_then(Value::as_u64);
    let is_fork = of("source_project_id").is_none() || of("source_project_id") != of("target_project_id");
    let head = value.get("sha")?.as_str()?.to_owned();
    Some(Pull { number, head, reference: format!("refs/merge-requests/{number}/head"), is_fork })
}

pub(super) fn comments(project: &str, pull: u64, page: usize) -> Ask {
    let project = project_at(project);
    Ask::get(format!("{project}/merge_requests/{pull}/notes?sort=asc&order_by=created_at&per_page={PAGE}&page={page}"))
}

pub(super) fn comment(value: &Value, author: &Author) -> Option<Comment> {
    let is_ours = match author {
        Author::User(id) => value.get("author")?.get("id")?.as_u64() == Some(*id),
        Author::App(_) => false,
    };
    let body = value.get("body").and_then(Value::as_str).unwrap_or_default().to_owned();
    Some(Comment { id: value.get("id")?.as_u64()?, body, is_ours })
}

pub(super) fn create(project: &str, pull: u64, body: &str) -> Ask {
    Ask::send(Method::POST, format!("{}/merge_requests/{pull}/notes", project_at(project)), json!({ "body": body }))
}

pub(super) fn update(project: &str, pull: u64, comment: u64, body: &str) -> Ask {
    let path = format!("{}/merge_requests/{pull}/notes/{comment}", project_at(project));
    Ask::send(Method::PUT, path, json!({ "body": body }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_project_in_groups_is_one_part_of_the_address() {
        let ask = set_mark(
            "a/b/c",
            "0123",
            &Mark { context: "landfast/dev".to_owned(), state: None, description: String::new() },
        );
        assert_eq!(ask.path, "/projects/a%2Fb%2Fc/statuses/0123");
        assert!(marks("a/b", "0123", "landfast/dev", 1).path.contains("name=landfast%2Fdev"));
    }

    #[test]
    fn a_merge_request_of_another_project_is_a_forks() {
        let of = |source: u64| json!({"iid": 3, "sha": "a", "source_project_id": source, "target_project_id": 1});
        assert!(!pull(&of(1)).unwrap().is_fork && pull(&of(2)).unwrap().is_fork);
    }
}
