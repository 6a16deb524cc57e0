//! What is taken, and everything else that may lie in an inbox.

use std::os::unix::fs::symlink;

use super::*;

struct Case {
    state: tempfile::TempDir,
    inbox: Inbox,
    environment: EnvName,
    plan: Digest,
}

fn at(time: &str) -> Timestamp {
    time.parse().unwrap()
}

fn now() -> Timestamp {
    at("2026-01-01T00:01:00Z")
}

fn make() -> Case {
    let state = tempfile::tempdir().unwrap();
    let inbox = Inbox::of(state.path());
    inbox.prepare().unwrap();
    Case { state, inbox, environment: "dev".parse().unwrap(), plan: Digest::of("plan") }
}

impl Case {
    fn approval(&self) -> Approval {
        let (environment, plan) = (self.environment.clone(), self.plan.code());
        Approval { environment, plan, by: "ada".to_owned(), at: at("2026-01-01T00:00:00Z") }
    }

    /// A good approval, where its file is.
    fn left(&self, approval: Approval) -> PathBuf {
        let note = Note::Approval(approval);
        self.inbox.leave(&note).unwrap();
        self.path(&note.file_name())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.state.path().join("inbox").join(name)
    }

    fn take(&self, now: Timestamp) -> Option<Approval> {
        let held = self.inbox.holds(&self.environment, &self.plan, now);
        let taken = self.inbox.take(&self.environment, &self.plan, now);
        assert_eq!(held, taken.is_some());
        taken
    }

    /// It is not acted on, told of once, out of the way, and `status` knows of it.
    #[track_caller]
    fn rejects(&self, why: &str) {
        assert_eq!(self.take(now()), None, "{why}");
        let told = self.inbox.sweep(now());
        assert!(told.len() == 1 && told[0].why.contains(why), "{why}: {told:?}");
        assert!(self.inbox.sweep(now()).is_empty(), "{why}: told twice");
        assert_eq!(fs::read_dir(self.path("")).unwrap().count(), 0, "{why}");
        assert_eq!(self.inbox.rejected(now()), told);
    }
}

#[test]
fn an_approval_is_taken_once_and_only_for_the_plan_that_it_names() {
    let one = make();
    let other = Digest::of("other");
    assert_eq!(one.take(now()), None);
    one.left(one.approval());
    assert_eq!(one.inbox.take(&one.environment, &other, now()), None);
    assert_eq!(one.inbox.take(&"prod".parse().unwrap(), &one.plan, now()), None);
    let taken = one.take(now()).unwrap();
    let by = format!("{} (claims to be \"ada\")", files::account(files::user()));
    assert_eq!(taken, Approval { by, ..one.approval() }, "the owner of the file is who approved");
    assert_eq!(one.take(now()), None);
    assert!(one.inbox.sweep(now()).is_empty());
}

#[test]
fn an_approval_of_a_plan_that_never_comes_expires() {
    let one = make();
    one.left(one.approval());
    let late = at("2026-01-01T00:16:00Z");
    assert_eq!(one.take(late), None);
    assert!(one.inbox.sweep(late)[0].why.contains("has expired"));
    assert_eq!(one.take(now()), None);
}

#[test]
fn what_is_from_another_time_is_rejected_by_its_text_or_by_its_file() {
    for (text, file, why) in [
        ("2025-01-01T00:00:00Z", "2025-01-01T00:00:00Z", "has expired"),
        ("2025-01-01T00:00:00Z", "2026-01-01T00:00:00Z", "has expired"),
        ("2026-01-01T00:00:00Z", "2025-01-01T00:00:00Z", "has expired"),
        ("2027-01-01T00:00:00Z", "2026-01-01T00:00:00Z", "in the future"),
        ("2026-01-01T00:00:00Z", "2027-01-01T00:00:00Z", "in the future"),
    ] {
        let one = make();
        let path = one.left(Approval { at: at(text), ..one.approval() });
        File::open(path).unwrap().set_modified(at(file).into()).unwrap();
        one.rejects(why);
    }
}

#[test]
fn a_copy_under_another_name_is_no_note() {
    let one = make();
    let path = one.left(one.approval());
    fs::rename(path, one.path("prod-000000000000.json")).unwrap();
    one.rejects("does not match its content");
    let one = make();
    let path = one.left(one.approval());
    fs::rename(path, one.path("note.txt")).unwrap();
    one.rejects("does not match its content");
}

#[test]
fn what_others_may_have_written_is_no_note() {
    let one = make();
    let path = one.left(one.approval());
    fs::set_permissions(path, fs::Permissions::from_mode(0o620)).unwrap();
    one.rejects("mode 620");
    let one = make();
    let path = one.left(one.approval());
    fs::hard_link(path, one.state.path().join("elsewhere")).unwrap();
    one.rejects("hard link");
    let one = make();
    let path = one.left(one.approval());
    if std::os::unix::fs::chown(path, Some(4_321), None).is_ok() {
        one.rejects("created by uid 4321");
    }
}

#[test]
fn whatever_is_no_file_is_put_aside_without_being_opened() {
    let one = make();
    let path = one.left(one.approval());
    let kept = one.state.path().join("kept.json");
    fs::rename(&path, &kept).unwrap();
    symlink(&kept, path).unwrap();
    one.rejects("a symbolic link");
    assert!(kept.is_file());

    let one = make();
    fs::create_dir_all(one.path("dev-000000000000.json/deep/er")).unwrap();
    one.rejects("a directory");

    let one = make();
    let made = std::process::Command::new("mkfifo").arg(one.path("dev-000000000000.json")).status().unwrap();
    assert!(made.success());
    one.rejects("a FIFO");

    let one = make();
    let _socket = std::os::unix::net::UnixListener::bind(one.path("s.json")).unwrap();
    one.rejects("a socket");
}

#[test]
fn what_is_too_large_or_says_something_else_is_put_aside() {
    let one = make();
    File::create(one.path("huge.json")).unwrap().set_len(1 << 40).unwrap();
    one.rejects("1099511627776 bytes");
    for text in [&b""[..], b"{}", b"null", b"\xff\xfe", b"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[["] {
        let one = make();
        fs::write(one.path("x.json"), text).unwrap();
        one.rejects("not a Landfast request");
    }
    let one = make();
    let mut more = serde_json::to_value(one.approval()).unwrap();
    more["yes"] = true.into();
    fs::write(one.path("x.json"), more.to_string()).unwrap();
    one.rejects("not a Landfast request");
}

#[test]
fn what_cannot_be_put_aside_is_told_of_once_and_again_when_it_changes() {
    let one = make();
    fs::write(one.path("x.json"), "{}").unwrap();
    // A file is where it would be put.
    fs::write(one.state.path().join("inbox-rejected"), "").unwrap();
    let told = one.inbox.sweep(now());
    assert!(told[0].why.contains("could not be moved aside"), "{told:?}");
    assert!(one.inbox.sweep(now()).is_empty());
    fs::remove_file(one.path("x.json")).unwrap();
    assert!(one.inbox.sweep(now()).is_empty());
    fs::write(one.path("x.json"), "{ }").unwrap();
    assert_eq!(one.inbox.sweep(now()).len(), 1);
}

#[test]
fn a_directory_that_is_not_protected_is_not_read_and_told_of_once() {
    let one = make();
    one.left(one.approval());
    let open = |mode| fs::set_permissions(one.path(""), fs::Permissions::from_mode(mode)).unwrap();
    open(0o777);
    assert_eq!(one.take(now()), None);
    assert!(one.inbox.sweep(now())[0].why.contains("mode 777"));
    assert!(one.inbox.sweep(now()).is_empty());
    open(0o700);
    assert!(one.take(now()).is_some(), "mended, it is read again");
    fs::remove_dir(one.path("")).unwrap();
    symlink("/tmp", one.state.path().join("inbox")).unwrap();
    assert!(one.inbox.sweep(now())[0].why.contains("symbolic link"));
}

#[test]
fn neither_many_entries_nor_many_rejected_ones_grow_without_bound() {
    let one = make();
    for round in 0..40 {
        for number in 0..5 {
            fs::write(one.path(&format!("{round}-{number}.json")), "{}").unwrap();
        }
        assert_eq!(one.inbox.sweep(now()).len(), 5);
    }
    let kept = fs::read_dir(one.state.path().join("inbox-rejected")).unwrap().count();
    assert!(kept <= 64, "{kept}");
    for number in 0..=MOST {
        fs::write(one.path(&format!("{number}.json")), "{}").unwrap();
    }
    one.left(one.approval());
    // The good one may be among those that were looked at.
    assert!((MOST - 1..=MOST).contains(&one.inbox.sweep(now()).len()));
    assert!(one.take(now()).is_some(), "what is good has its turn");
}

#[test]
fn an_unfinished_note_is_left_alone_until_nobody_can_be_writing_it() {
    let one = make();
    let path = one.path(".note-x.new");
    fs::write(&path, "{").unwrap();
    assert!(one.inbox.sweep(now()).is_empty() && path.exists());
    File::open(&path).unwrap().set_modified(at("2020-01-01T00:00:00Z").into()).unwrap();
    assert!(one.inbox.sweep(now()).is_empty() && !path.exists());
}

#[test]
fn requests_stay_until_they_are_removed_and_come_in_the_order_in_which_they_were_made() {
    let one = make();
    let request = |id: &str, at: &str| Request {
        id: id.to_owned(),
        key: "dev/secret/app".parse().unwrap(),
        wish: crate::model::Wish::Rotate,
        by: files::account(files::user()),
        at: at.parse().unwrap(),
    };
    let (late, early) = (request("a", "2026-01-01T00:00:01Z"), request("b", "2026-01-01T00:00:00Z"));
    for note in [&late, &early] {
        one.inbox.leave(&Note::Request(note.clone())).unwrap();
    }
    one.left(one.approval());
    assert_eq!(one.inbox.take(&one.environment, &Digest::of("other"), now()), None);
    assert_eq!(one.inbox.requests(&one.environment, now()), [early.clone(), late.clone()]);
    assert_eq!(one.inbox.requests(&"prod".parse().unwrap(), now()), []);
    one.inbox.remove(&early, now());
    one.inbox.remove(&early, now());
    assert_eq!(one.inbox.requests(&one.environment, now()), [late]);
    assert!(one.take(now()).is_some());
}
