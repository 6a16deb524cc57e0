//! A checkout of an older commit: nothing is taken back by it until a person says so.

use std::fs;
use std::time::Duration;

use super::place::{Place, said, until};

/// Git in the manifests' directory.
fn git(place: &Place, arguments: &[&str]) -> String {
    crate::git::git(&place.manifests(), arguments)
}

/// A commit of what is there, and its id.
fn commit(place: &Place) -> String {
    git(place, &["add", "-A"]);
    git(place, &["commit", "-q", "--allow-empty", "-m", "manifests"]);
    git(place, &["rev-parse", "HEAD"])
}

fn checkout(place: &Place, commit: &str) {
    git(place, &["checkout", "-q", "-f", "--detach", commit]);
}

/// Two commits, of which nothing is applied.
fn two() -> (Place, String, String) {
    let place = Place::new();
    git(&place, &["init", "-q", "-b", "main"]);
    place.edit(1);
    let one = commit(&place);
    place.edit(2);
    let two = commit(&place);
    checkout(&place, &one);
    (place, one, two)
}

#[track_caller]
fn applies(place: &Place, more: &[&str]) -> String {
    let output = place.run(&[&["apply", "dev", "--yes"], more].concat());
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    said(&output)
}

#[track_caller]
fn refuses(place: &Place, arguments: &[&str]) -> String {
    let world = || fs::read(place.state().join("sim.json")).unwrap();
    let before = (world(), place.concluded());
    let output = place.run(arguments);
    assert_eq!(output.status.code(), Some(3), "{}", said(&output));
    assert!(said(&output).contains("is older than the last accepted commit"), "{}", said(&output));
    assert_eq!((world(), place.concluded()), before, "nothing has changed");
    said(&output)
}

#[test]
fn an_older_commit_is_refused_until_it_is_named() {
    let (place, one, two) = two();
    applies(&place, &[]);
    checkout(&place, &two);
    applies(&place, &[]);
    let done = place.concluded();
    checkout(&place, &one);
    let said_so = refuses(&place, &["apply", "dev", "--yes"]);
    assert!(said_so.contains(&format!("dev: {}", &two[..12])), "{said_so}");
    assert!(said_so.contains(&format!("--accept-older-commit {}", &one[..12])), "{said_so}");
    refuses(&place, &["apply", "--all"]);
    refuses(&place, &["destroy", "dev"]);
    // Another one is named, not this.
    refuses(&place, &["apply", "dev", "--yes", "--accept-older-commit", &two]);
    assert_eq!(place.run(&["apply", "--accept-older-commit", "HEAD"]).status.code(), Some(64));

    let plan = place.run(&["plan", "dev"]);
    assert_eq!(plan.status.code(), Some(2), "{}", said(&plan));
    let plan = said(&plan);
    assert!(plan.contains("note: commit") && plan.contains("refused (older revision)"), "{plan}");
    let why = said(&place.run(&["why", "dev/stack/one"]));
    assert!(why.contains("is older than") && why.contains("--accept-older-commit"), "{why}");
    let json = said(&place.run(&["plan", "dev", "-o", "json"]));
    assert!(json.contains("OlderRevision") || json.contains("\"revision\""), "{json}");
    let named = place.run(&["plan", "dev", "--accept-older-commit", &one[..7]]);
    assert!(!said(&named).contains("refused"), "{}", said(&named));
    refuses(&place, &["apply", "dev", "--yes"]);

    applies(&place, &["--accept-older-commit", &one[..12]]);
    assert_eq!(place.concluded(), done + 1);
    applies(&place, &[]);
    checkout(&place, &two);
    applies(&place, &[]);
    assert_eq!(place.concluded(), done + 2);
    checkout(&place, &one);
    refuses(&place, &["apply", "dev", "--yes"]);
}

#[test]
fn what_takes_nothing_back_is_accepted_and_what_nobody_can_tell_is_said() {
    let (place, one, two) = two();
    checkout(&place, &two);
    applies(&place, &[]);
    // Looking at a newer commit accepts nothing.
    place.edit(3);
    let three = commit(&place);
    assert_eq!(place.run(&["plan", "dev"]).status.code(), Some(2));
    checkout(&place, &two);
    applies(&place, &[]);
    // An edit that is not committed is not older.
    place.edit(4);
    applies(&place, &[]);
    checkout(&place, &three);
    applies(&place, &[]);
    // The same files under another commit.
    let four = commit(&place);
    applies(&place, &[]);
    checkout(&place, &three);
    applies(&place, &[]);
    place.edit(5);
    refuses(&place, &["apply", "dev", "--yes"]);
    // A commit that takes back what others did is newer than they are.
    checkout(&place, &four);
    place.edit(2);
    commit(&place);
    applies(&place, &[]);
    // Another branch.
    checkout(&place, &one);
    place.edit(6);
    commit(&place);
    let other = applies(&place, &[]);
    assert!(other.contains("note: commit") && other.contains("it is on another branch"), "{other}");
    // A checkout that has no history.
    fs::remove_dir_all(place.manifests().join(".git")).unwrap();
    git(&place, &["init", "-q", "-b", "main"]);
    place.edit(7);
    commit(&place);
    let other = applies(&place, &[]);
    assert!(other.contains("note: it is unknown whether commit"), "{other}");
}

#[test]
fn a_daemon_goes_on_with_the_newer_commit_and_says_so_once() {
    let (place, one, two) = two();
    let mut daemon = place.start(&[]);
    until("the first commit is applied", || place.concluded() == 1);
    checkout(&place, &two);
    until("the second commit is applied", || place.concluded() == 2);
    checkout(&place, &one);
    until("it says that the first one is older", || daemon.log().contains("is older than the last accepted commit"));
    // Two more looks.
    std::thread::sleep(Duration::from_secs(5));
    assert_eq!(place.concluded(), 2);
    assert_eq!(daemon.log().matches("is older than").count(), 1, "{}", daemon.log());
    checkout(&place, &two);
    place.edit(3);
    commit(&place);
    until("a newer commit is applied", || place.concluded() == 3);
    checkout(&place, &one);
    until("it says so again", || daemon.log().matches("is older than").count() == 2);
    daemon.terminate();

    // One that begins with it knows nothing newer, and changes nothing.
    let mut begun = place.start(&[]);
    until("it says that it is older", || begun.log().contains("is older than"));
    std::thread::sleep(Duration::from_secs(3));
    begun.terminate();
    assert_eq!(place.concluded(), 3);
    let mut told = place.start(&["--accept-older-commit", &one]);
    until("the older commit is applied", || place.concluded() == 4);
    told.terminate();
    applies(&place, &[]);
    assert_eq!(place.concluded(), 4);
}
