//! What may lie in an inbox, and who may have left it.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, symlink};
use std::process::Command;
use std::time::{Duration, SystemTime};

use super::place::{NOBODY, Place, said, until};

/// Everything that has ended a daemon, or was acted on.
fn litter(place: &Place) -> usize {
    // Each comes as a whole: a daemon may look in at any moment.
    let draft = tempfile::tempdir_in(place.dir.path()).unwrap();
    let at = |name: &str| draft.path().join(name);
    fs::File::create(at("huge.json")).unwrap().set_len(1 << 40).unwrap();
    fs::create_dir_all(at("directory.json/below")).unwrap();
    symlink("/etc/passwd", at("link.json")).unwrap();
    symlink("nowhere", at("dangling.json")).unwrap();
    assert!(Command::new("mkfifo").arg(at("fifo.json")).status().unwrap().success());
    fs::write(at("text.json"), "\u{1b}]0;x\u{7}\n::error::x").unwrap();
    fs::write(at("no-note"), "").unwrap();
    let request = |at: &str| {
        format!(r#"{{"id":"1","key":"dev/stack/one","wish":{{"what":"revert"}},"by":"the boss","at":"{at}"}}"#)
    };
    fs::write(at("other-name.json"), request("2026-01-01T00:00:00Z")).unwrap();
    let old = fs::File::create(at("old.json")).unwrap();
    fs::write(at("old.json"), request("2020-01-01T00:00:00Z")).unwrap();
    old.set_modified(SystemTime::UNIX_EPOCH + Duration::from_secs(1_600_000_000)).unwrap();
    fs::write(at("open.json"), request("2026-01-01T00:00:00Z")).unwrap();
    fs::set_permissions(at("open.json"), std::os::unix::fs::PermissionsExt::from_mode(0o666)).unwrap();
    let entries = fs::read_dir(draft.path()).unwrap().map(|entry| entry.unwrap().file_name());
    entries.map(|name| fs::rename(at(name.to_str().unwrap()), place.inbox(name.to_str().unwrap())).unwrap()).count()
}

#[test]
fn whatever_lies_in_an_inbox_a_daemon_lives_and_says_what_it_was() {
    let place = Place::new();
    let mut daemon = place.start(&[]);
    until("it has begun", || place.concluded() > 0);
    let number = litter(&place);
    until("all of it is out of the way", || fs::read_dir(place.inbox("")).unwrap().count() == 0);
    place.applies(&mut daemon, 1);
    let log = daemon.log();
    assert!(log.matches("a request was rejected").count() >= 8, "{log}");
    assert!(!log.contains('\u{1b}') && !log.contains("\n::error"), "{log}");
    let status = said(&place.run(&["status", "dev"]));
    assert_eq!((status.matches("note: request ").count(), number), (10, 10), "{status}");
    let events = said(&place.run(&["events", "dev/stack/one"]));
    assert!(!events.contains("the boss"), "nothing of it was acted on: {events}");
    // It is there at the next start, too.
    litter(&place);
    daemon.terminate();
    let mut daemon = place.start(&[]);
    until("all of it is out of the way", || fs::read_dir(place.inbox("")).unwrap().count() == 0);
    assert!(!daemon.has_ended());
}

#[test]
fn an_inbox_that_is_something_else_ends_nothing() {
    for make in [
        (|place: &Place| symlink("/tmp", place.inbox("").parent().unwrap().join("inbox")).unwrap()) as fn(&Place),
        |place| fs::write(place.state().join("inbox"), "").unwrap(),
        |place| {
            fs::create_dir(place.state().join("inbox")).unwrap();
            fs::set_permissions(place.inbox(""), std::os::unix::fs::PermissionsExt::from_mode(0o777)).unwrap();
        },
    ] {
        let place = Place::new();
        fs::create_dir(place.state()).unwrap();
        make(&place);
        let mut daemon = place.start(&[]);
        until("it has begun", || place.concluded() > 0);
        until("it says what is wrong", || daemon.log().contains("a request was rejected"));
        place.applies(&mut daemon, 1);
        assert_eq!(daemon.log().matches("a request was rejected").count(), 1, "{}", daemon.log());
    }
}

#[test]
fn what_root_leaves_for_a_daemon_of_another_user_is_taken() {
    let Some(place) = Place::of(NOBODY) else { return };
    let mut daemon = place.start(&[]);
    until("it has begun", || place.concluded() > 0);
    let asked = place.as_ourselves(&["drift", "--revert", "dev/stack/one"]).output().unwrap();
    // It says that there is nothing to put back, or leaves a note: both without harm.
    eprintln!("{}", said(&asked));
    let approval =
        place.as_ourselves(&["apply", "dev", "--plan", "0123456789abcdef0123456789abcdef"]).output().unwrap();
    assert!(approval.status.success(), "{}", said(&approval));
    place.applies(&mut daemon, 1);
    // One that it cannot even read is told of.
    fs::write(place.inbox("mine.json"), "{}").unwrap();
    fs::set_permissions(place.inbox("mine.json"), std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    until("it says so", || daemon.log().contains("cannot be read"));
    place.applies(&mut daemon, 2);
    for entry in fs::read_dir(place.state()).unwrap() {
        let entry = entry.unwrap();
        assert_eq!(entry.metadata().unwrap().uid(), NOBODY, "{}", entry.path().display());
    }
}

#[test]
fn an_inbox_that_root_made_first_can_be_read() {
    let Some(place) = Place::of(NOBODY) else { return };
    // Whoever looks first leaves nothing behind that the daemon could not open.
    for arguments in [&["plan", "dev"][..], &["status", "dev"], &["apply", "dev", "--yes"]] {
        place.as_ourselves(arguments).output().unwrap();
    }
    let mut daemon = place.start(&[]);
    until("it has begun", || daemon.log().contains("object ready") || daemon.has_ended());
    assert!(!daemon.has_ended(), "{}", daemon.log());
    place.applies(&mut daemon, 1);
}
