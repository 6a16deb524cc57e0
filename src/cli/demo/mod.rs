//! `landfast demo`: the first weeks of an environment in a few seconds, on a simulated AWS, with nothing but the binary.
//!
//! Nothing here pretends. The manifests are those of this repository, the loop is the daemon's, the texts are those of
//! `plan`, `apply` and `why`; only AWS and the clock are simulated. Every act checks that it came out as it tells, and
//! the command fails if one did not: what is shown here holds, or the build is broken. No file is read or written.

mod acts;
mod delivery;
mod doctor;
mod manifests;
mod restore;
mod screen;
mod stage;
mod summary;
mod tamper;

use std::io::IsTerminal as _;

use super::args::Global;
use super::exit::{Exit, Trouble};
use super::terminal;
use screen::Screen;
use stage::Stage;

/// An act: a title, and what happens.
type Act = fn(&mut Stage, &Screen) -> Result<(), Trouble>;

const ACTS: [(&str, Act); 12] = [
    ("An empty account becomes an environment", acts::deploy),
    ("A small edit changes only what it must", acts::edit),
    ("An edit that would delete a table is refused", acts::refuse),
    ("A failure shows its root cause", acts::fail),
    ("Recovery from a failed rollback", doctor::rollback),
    ("The daemon is killed during an update", acts::kill),
    ("Manual changes are reverted", acts::drift),
    ("Drift inside a stack is found", tamper::table),
    ("Backups are tested by restoring them", restore::rehearse),
    ("A new image, and a broken one", delivery::images),
    ("A secret is rotated", delivery::rotation),
    ("An idle environment costs almost nothing", acts::rest),
];

/// Plays all acts. `fast`: without pauses, as if nobody watched.
#[expect(clippy::disallowed_methods, reason = "how long the person in front of it has waited, not what time it is")]
pub(super) fn run(global: &Global, fast: bool) -> Result<Exit, Trouble> {
    let began = std::time::Instant::now();
    let paced = !fast && std::io::stdout().is_terminal();
    let screen = Screen { paint: terminal::paint(global), paced };
    let mut stage = Stage::new();
    screen.say(
        "Landfast on a simulated AWS, with the manifests of this repository. Time is simulated too: hours take \
        moments. Nothing outside this process is changed.",
    )?;
    for (index, (title, act)) in ACTS.iter().enumerate() {
        screen.heading(index + 1, title)?;
        act(&mut stage, &screen)?;
    }
    summary::show(&stage, &screen, ACTS.len() + 1, began.elapsed())?;
    Ok(Exit::Done)
}
