//! Who asks or approves, when, and why: as the machine at hand and the command line say.

use jiff::Timestamp;

use crate::cli::exit::Trouble;
use crate::context::Context;
use crate::files;
use crate::store::author;

/// Letters of a reason. A note holds no more.
const REASON_MAX: usize = 500;

/// The reason that `--because` gives.
///
/// # Errors
/// There is none, or it is too long.
pub(super) fn reason(because: &str) -> Result<&str, String> {
    let because = because.trim();
    if because.is_empty() || because.chars().count() > REASON_MAX {
        return Err(format!("--because needs a reason of 1 to {REASON_MAX} letters"));
    }
    Ok(because)
}

/// The time of day, whichever clock the cloud has.
pub(super) fn wall_clock() -> Result<Timestamp, Trouble> {
    Ok(system()?.now())
}

/// What the operating system gives: its clock, and randomness.
pub(super) fn system() -> Result<Context, Trouble> {
    Context::system()
        .map_err(|error| Trouble::machine("the operating system provides no random numbers", error.to_string()))
}

/// Who approves: the user of this process, with what they call themselves.
pub(super) fn ourselves() -> String {
    author(files::user(), &whoami())
}

/// What whoever approves calls themselves.
#[expect(clippy::disallowed_methods, reason = "the command line is where the environment is read")]
pub(super) fn whoami() -> String {
    ["LANDFAST_USER", "SUDO_USER", "USER"].iter().find_map(|name| std::env::var(name).ok()).unwrap_or_default()
}
