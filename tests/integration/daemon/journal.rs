//! Where the journal is, who made it, and what becomes of a daemon that cannot write it.

use std::fs;
use std::process::{Command, Stdio};
use std::time::Duration;

use super::place::{Daemon, Place, modes, said, until};

#[test]
fn what_only_looks_makes_no_files_and_needs_none() {
    let place = Place::new();
    for arguments in [
        &["plan", "dev"][..],
        &["plan", "dev", "-o", "json"],
        &["status", "dev"],
        &["why", "dev/stack/one"],
        &["outputs", "dev"],
        &["events", "dev/stack/one"],
        &["doctor", "dev"],
        &["drift", "dev"],
        &["preflight", "dev"],
        &["images", "dev"],
        &["graph", "dev"],
        &["backup", "list", "dev"],
    ] {
        let output = place.run(arguments);
        assert!(output.status.code().is_some_and(|code| code < 3), "{arguments:?}: {}", said(&output));
        assert!(!place.state().exists(), "{arguments:?} made {:?}", modes(&place.state()));
    }
    // With a state directory of somebody else's, that cannot be written.
    assert_eq!(place.run(&["apply", "dev", "--yes"]).status.code(), Some(0));
    let before = modes(&place.dir.path().join("state"));
    assert_eq!(place.run(&["plan", "dev"]).status.code(), Some(0));
    assert_eq!(modes(&place.state()), before);
}

#[test]
fn state_is_for_its_owner_alone_and_follows_no_link() {
    let place = Place::new();
    assert_eq!(place.run(&["apply", "dev", "--yes"]).status.code(), Some(0));
    for (path, mode) in modes(&place.state()) {
        assert_eq!(mode & 0o077, 0, "{} has mode {mode:o}", path.display());
    }
    let victim = place.dir.path().join("victim");
    fs::write(&victim, "precious").unwrap();
    for file in ["sim.json", "sim-journal.redb", "sim-journal.redb.lock"] {
        let path = place.state().join(file);
        let kept = place.dir.path().join("kept");
        fs::rename(&path, &kept).unwrap();
        std::os::unix::fs::symlink(&victim, &path).unwrap();
        let refused = place.run(&["apply", "dev", "--yes"]);
        assert_eq!(refused.status.code(), Some(1), "{file}: {}", said(&refused));
        assert!(said(&refused).contains("symbolic link"), "{file}: {}", said(&refused));
        assert_eq!(fs::read_to_string(&victim).unwrap(), "precious", "{file}");
        fs::remove_file(&path).unwrap();
        fs::rename(&kept, &path).unwrap();
    }
    // Nor does what a command is told to write.
    std::os::unix::fs::symlink(&victim, place.dir.path().join("drift.html")).unwrap();
    let refused = place.run(&["drift", "dev", "-o", "html", "--out", "drift.html"]);
    assert!(said(&refused).contains("symbolic link"), "{}", said(&refused));
    place.run(&["drift", "dev", "-o", "html", "--out", "other.html"]);
    assert_eq!(modes(&place.dir.path().join("other.html"))[0].1, 0o600);
    assert_eq!(fs::read_to_string(&victim).unwrap(), "precious");
}

#[test]
fn a_state_directory_where_others_write_is_refused() {
    let place = Place::new();
    for inside in ["manifests", "manifests/.landfast", "x/../manifests/state"] {
        let refused = place.run(&["plan", "dev", "--state", inside]);
        assert_eq!(refused.status.code(), Some(64), "{}", said(&refused));
        assert!(said(&refused).contains("inside the manifests"), "{}", said(&refused));
    }
    fs::create_dir(place.dir.path().join(".git")).unwrap();
    let refused = place.run(&["run", "--once"]);
    assert_eq!(refused.status.code(), Some(64), "{}", said(&refused));
    assert!(said(&refused).contains("inside the Git checkout"), "{}", said(&refused));
    assert!(!place.state().exists());
    // A command that a person gives takes no notes.
    assert_eq!(place.run(&["apply", "dev", "--yes"]).status.code(), Some(0));
}

#[test]
fn a_daemon_whose_state_directory_is_removed_stops_before_a_second_one_is_beside_it() {
    let place = Place::new();
    let mut first = place.start(&[]);
    until("it has begun", || place.concluded() > 0);
    fs::remove_dir_all(place.state()).unwrap();
    assert_eq!(first.ends(), Some(1));
    assert!(first.log().contains("removed or replaced"), "{}", first.log());
    let mut second = place.start(&[]);
    place.applies(&mut second, 1);
    // Restored from a backup, it is another one too.
    let (journal, kept) = (place.state().join("sim-journal.redb"), place.dir.path().join("kept"));
    fs::copy(&journal, &kept).unwrap();
    fs::rename(&kept, &journal).unwrap();
    assert_eq!(second.ends(), Some(1));
}

/// Below this size nothing of its files can be written: as a full disk, that has space again when it is told to.
fn limit(daemon: &Daemon, size: &str) {
    let id = daemon.child.id().to_string();
    let set = Command::new("prlimit").args(["--pid", &id, &format!("--fsize={size}:unlimited")]).status();
    assert!(set.unwrap().success());
}

#[test]
fn a_full_disk_is_waited_for_without_hammering() {
    let place = Place::new();
    let program = place.command(&[]);
    // Writing too much is an error and no signal.
    let mut command = Command::new("sh");
    command
        .args(["-c", "trap '' XFSZ; exec \"$@\"", "sh"])
        .arg(program.get_program())
        .args(["run", "--resync", "2s", "--sim-speed", "3600", "-v"])
        .current_dir(place.dir.path())
        .env_clear()
        .envs(program.get_envs().filter_map(|(name, value)| Some((name, value?))))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped());
    let mut daemon = Daemon::of(command.spawn().unwrap());
    let stderr = daemon.child.stderr.take().unwrap();
    let lines = std::thread::spawn(move || std::io::read_to_string(stderr).unwrap());
    until("it has begun", || place.concluded() > 0);
    limit(&daemon, "1");
    place.edit(1);
    std::thread::sleep(Duration::from_secs(12));
    assert!(!daemon.has_ended());
    limit(&daemon, "unlimited");
    place.applies(&mut daemon, 2);
    daemon.terminate();
    let lines = lines.join().unwrap();
    assert!(lines.contains("the journal is not available"), "{lines}");
    assert!(lines.lines().count() < 200, "{lines}");
}
