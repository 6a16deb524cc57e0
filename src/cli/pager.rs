//! Long reports on a terminal: through a pager, as Git shows them.

use std::ffi::OsStr;
use std::io::{self, Write as _};
use std::process::{Command, Stdio};

use terminal_size::{Height, terminal_size_of};
use tokio::signal::unix::{SignalKind, signal};

/// What names the pager, the first that is set. Nothing in it, or `cat`: none.
const VARIABLES: [&str; 2] = ["LANDFAST_PAGER", "PAGER"];

/// The pager, if nothing names one.
const PAGER: &str = "less";

/// What pagers are told if nobody has told them anything, as Git does (`git-config`, `core.pager`): to end where the text
/// fits, to pass colours on, and to leave the text on the screen.
const TOLD: [(&str, &str); 2] = [("LESS", "FRX"), ("LV", "-c")];

/// Shows a text in the pager, if it is longer than the terminal is high. False: it is still to be shown.
pub(super) fn page(text: &str) -> bool {
    let Some((_, Height(rows))) = terminal_size_of(io::stdout()) else { return false };
    let is_dumb = std::env::var_os("TERM").is_some_and(|terminal| terminal == "dumb");
    if is_dumb || text.lines().count() < usize::from(rows) {
        return false;
    }
    let named = VARIABLES.iter().find_map(std::env::var_os);
    shown(text, &words(named.as_deref().and_then(OsStr::to_str))).unwrap_or(false)
}

/// The pager and its arguments: none, if none is wanted.
fn words(named: Option<&str>) -> Vec<String> {
    let words = shlex::split(named.unwrap_or(PAGER)).unwrap_or_default();
    if words == ["cat"] { Vec::new() } else { words }
}

/// Whether the pager has shown it. One that is not there, or fails, has not.
fn shown(text: &str, words: &[String]) -> io::Result<bool> {
    let Some((program, arguments)) = words.split_first() else { return Ok(false) };
    let untold = TOLD.into_iter().filter(|(name, _)| std::env::var_os(name).is_none());
    // Keys that interrupt are the pager's while it runs. It would be left alone with the terminal.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
    let _inside = runtime.enter();
    let _interrupts = signal(SignalKind::interrupt())?;
    let mut pager = Command::new(program).args(arguments).envs(untold).stdin(Stdio::piped()).spawn()?;
    if let Some(mut input) = pager.stdin.take() {
        // Whoever has read enough ends it earlier.
        let _ = input.write_all(text.as_bytes());
    }
    Ok(pager.wait()?.success())
}

#[cfg(test)]
mod tests {
    use super::words;

    #[test]
    fn a_pager_is_named_as_a_shell_would_read_it() {
        assert_eq!(words(None), ["less"]);
        assert_eq!(words(Some("less -R '+G x'")), ["less", "-R", "+G x"]);
        for none in ["", "  ", "cat", "less 'unfinished"] {
            assert_eq!(words(Some(none)), [""; 0], "{none}");
        }
    }
}
