//! Somebody edits the inbox at random, for some seeds: forged, malformed and replayed notes, links, pipes, huge files. Only
//! what its owner left, whole and fresh and for just this plan, is ever taken, and each note once.

use std::os::unix::fs::symlink;

use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

use super::*;
use crate::sabotage::{self, Bug};

/// How many inboxes, and how many edits of each.
const SEEDS: u64 = 40;
const EDITS: usize = 60;

struct Attacked {
    rng: ChaCha8Rng,
    state: tempfile::TempDir,
    inbox: Inbox,
    environment: EnvName,
    plan: Digest,
    now: Timestamp,
    /// Files of notes that were good once, as they were.
    seen: Vec<(String, Vec<u8>, Timestamp)>,
    /// Notes that are good, and lie there untouched.
    good: Vec<PathBuf>,
    made: usize,
}

impl Attacked {
    fn new(seed: u64) -> Self {
        let state = tempfile::tempdir().unwrap();
        let inbox = Inbox::of(state.path());
        inbox.prepare().unwrap();
        Self {
            rng: ChaCha8Rng::seed_from_u64(seed),
            inbox,
            state,
            environment: "dev".parse().unwrap(),
            plan: Digest::of("plan"),
            now: "2026-01-01T00:00:00Z".parse().unwrap(),
            seen: Vec::new(),
            good: Vec::new(),
            made: 0,
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.state.path().join("inbox").join(name)
    }

    /// A name that is free.
    fn free(&mut self) -> PathBuf {
        self.made += 1;
        self.path(&format!("dev-{:012x}.json", self.made))
    }

    fn approval(&self, plan: &Digest, by: &str) -> Approval {
        let environment = self.environment.clone();
        Approval { environment, plan: plan.code(), by: by.to_owned(), at: self.now }
    }

    /// A person approves the plan.
    fn approve(&mut self) {
        self.made += 1;
        let note = Note::Approval(self.approval(&self.plan, &format!("ada {}", self.made)));
        self.inbox.leave(&note).unwrap();
        let path = self.path(&note.file_name());
        self.seen.push((note.file_name(), fs::read(&path).unwrap(), self.now));
        self.good.push(path);
    }

    /// Something that nobody meant. It may spoil what is good, and may not make anything so.
    fn edit(&mut self) {
        let free = self.free();
        let others = Digest::of(&self.made);
        let forged = serde_json::to_vec(&Note::Approval(self.approval(&self.plan, "the boss"))).unwrap();
        match self.rng.random_range(0..10) {
            // A forged approval under another name, one that others may write, and one for another plan.
            0 => fs::write(free, forged).unwrap(),
            1 => {
                let note = Note::Approval(self.approval(&self.plan, &format!("mallory {}", self.made)));
                let path = self.path(&note.file_name());
                fs::write(&path, serde_json::to_vec(&note).unwrap()).unwrap();
                fs::set_permissions(&path, fs::Permissions::from_mode(0o666)).unwrap();
            }
            2 => self.inbox.leave(&Note::Approval(self.approval(&others, "ada"))).unwrap(),
            // One that was good once: long after, or with a date that says so.
            3 => {
                if let Some((name, text, at)) = self.pick() {
                    let path = self.path(&name);
                    if !self.good.contains(&path) {
                        fs::write(&path, text).unwrap();
                        let file = File::options().write(true).open(&path).unwrap();
                        let is_old = self.now.duration_since(at) > jiff::SignedDuration::from_mins(15);
                        let date = self.now.as_second().unsigned_abs() - if is_old { 0 } else { 3600 };
                        file.set_modified(SystemTime::UNIX_EPOCH + Duration::from_secs(date)).unwrap();
                    }
                }
            }
            // A good one under another name, with another name beside it, or edited.
            4 => {
                if let Some(path) = self.good.pop() {
                    fs::rename(path, free).unwrap();
                }
            }
            5 => {
                if let Some(path) = self.good.pop() {
                    fs::hard_link(path, self.state.path().join(format!("{}", self.made))).unwrap();
                }
            }
            6 => {
                if let Some(path) = self.good.pop() {
                    let mut text = fs::read(&path).unwrap();
                    let at = self.rng.random_range(0..text.len());
                    text[at] ^= 1;
                    fs::write(path, text).unwrap();
                }
            }
            // Links, pipes, directories, and a file that is too large.
            7 => {
                let elsewhere = self.state.path().join("elsewhere");
                fs::write(&elsewhere, forged).unwrap();
                symlink(elsewhere, free).unwrap();
            }
            8 if self.rng.random() => fs::create_dir(free).unwrap(),
            8 => assert!(std::process::Command::new("mkfifo").arg(free).status().unwrap().success()),
            _ => {
                let length = self.rng.random_range(0..100_000);
                fs::write(free, vec![b'{'; length]).unwrap();
            }
        }
    }

    fn pick(&mut self) -> Option<(String, Vec<u8>, Timestamp)> {
        let index = self.rng.random_range(0..self.seen.len().max(1));
        self.seen.get(index).cloned()
    }

    /// The daemon looks. `Err`: it took what was not there to be taken.
    fn look(&mut self) -> Result<(), String> {
        let expected = !self.good.is_empty();
        let taken = self.inbox.take(&self.environment, &self.plan, self.now);
        self.good.clear();
        let owned = taken.as_ref().is_none_or(|taken| taken.by.contains("\"ada "));
        if taken.is_some() != expected || !owned {
            return Err(format!("S23 note: {taken:?}, where one was {}", if expected { "left" } else { "not left" }));
        }
        let _ = self.inbox.sweep(self.now);
        Ok(())
    }
}

/// What was taken that should not have been.
fn attacked(seed: u64) -> Result<(), String> {
    let mut case = Attacked::new(seed);
    for _ in 0..EDITS {
        match case.rng.random_range(0..8) {
            0 => case.approve(),
            1 => case.look()?,
            2 => {
                // Whatever lies there becomes too old.
                case.look()?;
                case.now =
                    case.now.saturating_add(jiff::SignedDuration::from_mins(case.rng.random_range(16..90))).unwrap();
            }
            _ => case.edit(),
        }
    }
    case.look()?;
    let left: Vec<_> = fs::read_dir(case.path("")).unwrap().map(|entry| entry.unwrap().path()).collect();
    let others = |path: &PathBuf| {
        path.symlink_metadata().unwrap().is_file()
            && serde_json::from_slice::<Note>(&fs::read(path).unwrap_or_default()).is_ok()
    };
    // What stays are approvals of other plans, which have their time.
    if left.iter().all(others) { Ok(()) } else { Err(format!("S23 note: {left:?} are still there")) }
}

#[test]
fn whoever_edits_the_inbox_has_nothing_approved() {
    for seed in 0..SEEDS {
        assert_eq!(attacked(seed), Ok(()), "seed {seed}");
    }
}

#[test]
fn a_reader_that_believes_every_note_is_found() {
    sabotage::plant(Some(Bug::TrustsNotes));
    let found = (0..SEEDS).any(|seed| attacked(seed).is_err());
    sabotage::plant(None);
    assert!(found);
}
