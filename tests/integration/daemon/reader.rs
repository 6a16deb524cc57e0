//! Whoever reads what it says goes away, or stands still.

use std::io::{BufRead as _, BufReader, Read as _};
use std::process::Stdio;
use std::time::Duration;

use super::place::{Place, until};

#[test]
fn a_reader_that_goes_away_does_not_end_it() {
    let place = Place::new();
    let mut daemon = place.start_with(&["-vv"], Stdio::piped(), None);
    let mut lines = BufReader::new(daemon.child.stderr.take().unwrap()).lines();
    for _ in 0..3 {
        lines.next().unwrap().unwrap();
    }
    drop(lines);
    until("it has begun", || place.concluded() > 0);
    for number in 1..3 {
        place.applies(&mut daemon, number);
    }
    let (code, took) = daemon.terminate();
    assert_eq!(code, Some(0));
    assert!(took < Duration::from_secs(10), "{took:?}");
}

#[test]
fn a_reader_that_stands_still_stops_nothing_and_is_told_what_it_missed() {
    let place = Place::new();
    // A pipe takes 64 KiB, and the buffer some thousand lines.
    let mut command = place.command(&["run", "--resync", "1s", "--sim-speed", "3600"]);
    command.env("LANDFAST_LOG", "trace").stdout(Stdio::null()).stderr(Stdio::piped());
    let mut daemon = super::place::Daemon::of(command.spawn().unwrap());
    until("it has begun", || place.concluded() > 0);
    for number in 1..4 {
        place.applies(&mut daemon, number);
    }
    let (code, took) = daemon.terminate();
    assert_eq!(code, Some(0));
    assert!(took < Duration::from_secs(10), "{took:?}");
}

#[test]
fn what_was_said_last_is_written_before_it_ends() {
    let place = Place::new();
    let mut command = place.command(&["run", "--once", "--sim-speed", "3600", "-v"]);
    let child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let mut text = String::new();
    let mut daemon = super::place::Daemon::of(child);
    daemon.child.stderr.take().unwrap().read_to_string(&mut text).unwrap();
    assert_eq!(daemon.ends(), Some(0));
    assert!(text.contains("1 of 1 object ready"), "{text}");
}
