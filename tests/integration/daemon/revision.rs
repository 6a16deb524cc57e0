//! Plans of commits that are neither checked out nor followed.

use super::host::Hosted;
use super::place::{Place, said};

fn repository() -> (Place, String) {
    let place = Place::new();
    let git = |arguments: &[&str]| crate::git::git(&place.manifests(), arguments);
    git(&["init", "-q", "-b", "main"]);
    place.write("app/two.yaml", "Resources: { Queue: { Type: AWS::SQS::Queue } }\n");
    place.write(
        "app/more.yaml",
        "apiVersion: landfast/v1\nkind: Stack\nmetadata: { name: two }\nspec: { template: two.yaml }\n",
    );
    git(&["add", "-A"]);
    git(&["commit", "-q", "-m", "one"]);
    let base = git(&["rev-parse", "HEAD"]);
    git(&["checkout", "-q", "-b", "topic"]);
    place.edit(2);
    git(&["commit", "-q", "-a", "-m", "two"]);
    git(&["checkout", "-q", "main"]);
    (place, base)
}

#[test]
fn a_commit_is_planned_whatever_is_checked_out_and_compared_with_its_base() {
    let (place, base) = repository();
    let run = |arguments: &[&str]| {
        let output = place.run(arguments);
        (output.status.code(), said(&output))
    };
    assert_eq!(run(&["apply", "dev", "--yes"]).0, Some(0));
    let (code, said) = run(&["plan", "dev"]);
    assert_eq!(code, Some(0), "{said}");
    // What is checked out may be broken, or gone.
    place.write("app/stacks.yaml", "broken");
    place.write("app/more.yaml", "broken");
    let (code, said) = run(&["plan", "dev", "--revision", "topic"]);
    assert!(code == Some(2) && said.contains("dev/stack/one") && said.contains("1 to update"), "{said}");
    let (code, said) = run(&["plan", "--revision", &base[..10]]);
    assert!(code == Some(0) && said.contains("In sync"), "{said}");
    let (code, said) = run(&["plan", "dev", "--revision", "nowhere"]);
    assert!(code == Some(1) && said.contains("has no commit `nowhere`"), "{said}");
    let (code, said) = run(&["plan", "dev", "--base", "main"]);
    assert!(code == Some(64) && said.contains("--revision"), "{said}");
    // What was accepted stays so, and nothing is left behind.
    std::fs::remove_dir_all(place.manifests().join("app")).unwrap();
    let (code, said) = run(&["plan", "dev", "--revision", "topic", "--base", "main", "-o", "markdown"]);
    assert_eq!(code, Some(2), "{said}");
    assert!(said.starts_with("<!-- landfast:plan -->\n## Plan for dev\n"), "{said}");
    assert!(said.contains(&format!("compared with `{}`", &base[..12])), "{said}");
    assert!(said.contains("| `~` | `dev/stack/one` | will be updated |"), "{said}");
    assert!(said.contains("landfast apply dev --plan ") && !said.contains("has too"), "{said}");
}

#[test]
fn what_the_base_changes_anyway_is_folded() {
    let (place, base) = repository();
    let run = |arguments: &[&str]| {
        let output = place.run(arguments);
        (output.status.code(), said(&output))
    };
    // Nothing is applied yet: both stacks would be created with or without the change.
    let (code, text) = run(&["plan", "--revision", "topic", "--base", "main", "-o", "markdown"]);
    assert_eq!(code, Some(2), "{text}");
    let (shown, folded) = text.split_once("<details><summary>1 object with changes that").expect(&text);
    assert!(shown.contains("`dev/stack/one`") && !shown.contains("dev/stack/two"), "{text}");
    assert!(folded.contains(&base[..12]) && folded.contains("`dev/stack/two`"), "{text}");
    let (_, text) = run(&["plan", "--revision", "topic", "--base", "main"]);
    assert!(text.contains("dev/stack/one") && !text.contains("dev/stack/two"), "{text}");
    assert!(text.contains(&format!("1 objects with changes that {} has too", &base[..12])), "{text}");
    let (_, text) = run(&["plan", "--revision", "main", "--base", "main", "-o", "markdown"]);
    assert!(text.contains("The change makes no difference to AWS."), "{text}");
}

#[test]
fn a_commit_of_a_host_is_planned_and_what_is_followed_stays() {
    let hosted = Hosted::new();
    let (code, said) = hosted.run(&["apply", "dev", "--yes"]);
    assert_eq!(code, Some(0), "{said}");
    hosted.git(&["checkout", "-q", "-b", "topic"]);
    hosted.place.edit(2);
    hosted.git(&["commit", "-q", "-a", "-m", "two"]);
    hosted.git(&["push", "-q", "origin", "HEAD:refs/heads/topic", "HEAD:refs/pull/7/head"]);
    let head = hosted.git(&["rev-parse", "HEAD"]);
    for name in ["topic", "refs/pull/7/head", &head, &head[..12]] {
        let (code, said) = hosted.run(&["plan", "dev", "--revision", name, "--base", "main"]);
        assert!(code == Some(2) && said.contains(&head[..12]) && said.contains("1 to update"), "{name}: {said}");
    }
    for name in ["nowhere", "0123456789", "a..b", "refs/x/*"] {
        let (code, said) = hosted.run(&["plan", "dev", "--revision", name]);
        assert!(code == Some(1) && said.contains("has no"), "{name}: {said}");
    }
    // An ordinary merge is followed after that: what was looked at has not changed what is known of history.
    hosted.git(&["push", "-q", "origin", "HEAD:refs/heads/main"]);
    let (code, said) = hosted.run(&["apply", "dev", "--yes"]);
    assert!(code == Some(0) && said.contains(&head[..12]), "{said}");
}
