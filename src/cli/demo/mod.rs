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
    ("A small edit moves what it must, and nothing else", acts::edit),
    ("An edit that would lose a table is refused", acts::refuse),
    ("A failure says where it comes from", acts::fail),
    ("A rollback that fails, and the way back", doctor::rollback),
    ("The daemon is killed in the middle of it", acts::kill),
    ("Somebody changes things by hand", acts::drift),
    ("Somebody changes what no stack tells of", tamper::table),
    ("A backup is worth what a restore shows", restore::rehearse),
    ("A new image, and one that is no good", delivery::images),
    ("A secret changes by itself", delivery::rotation),
    ("Nothing to do costs next to nothing", acts::rest),
];

/// Plays all acts. `fast`: without pauses, as if nobody watched.
#[expect(clippy::disallowed_methods, reason = "how long the person in front of it has waited, not what time it is")]
pub(super) fn run(global: &Global, fast: bool) -> Result<Exit, Trouble> {
    let began = std::time::Instant::now();
    let paced = !fast && std::io::stdout().is_terminal();
    let screen = Screen { paint: terminal::paint(global), paced };
    let mut stage = Stage::new();
    screen.say(
        "Landfast on a simulated AWS, with the manifests of this repository. Time is simulated too: hours pass in \
         moments. Nothing outside this process is touched.",
    )?;
    for (index, (title, act)) in ACTS.iter().enumerate() {
        screen.heading(index + 1, title)?;
        act(&mut stage, &screen)?;
    }
    summary::show(&stage, &screen, ACTS.len() + 1, began.elapsed())?;
    Ok(Exit::Done)
}
