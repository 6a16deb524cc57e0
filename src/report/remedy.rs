//! What helps against a problem that was found: by itself, by a command, or by a person's decision.

use std::fmt::Write as _;

use super::{Paint, words};
use crate::model::{Choice, Remedy};

/// What would help: in lines of their own.
pub(super) fn text(remedy: &Remedy, paint: Paint) -> String {
    let mut text = String::new();
    match remedy {
        Remedy::Automatic { what } => {
            let line = format!("automatic: {}", words::clean(what));
            text.push_str(&words::wrapped(&line, "  → ", 100));
        }
        Remedy::Command { what, commands } => {
            choice(&mut text, &Choice { what: what.clone(), commands: commands.clone() }, "command", paint);
        }
        Remedy::Decision { what, choices } => {
            text.push_str(&words::wrapped(&format!("decision needed: {}", words::clean(what)), "  → ", 100));
            for one in choices {
                choice(&mut text, one, "-", paint);
            }
        }
    }
    text
}

fn choice(text: &mut String, choice: &Choice, mark: &str, paint: Paint) {
    let (mark, what) = (if mark == "-" { "-".to_owned() } else { format!("→ {mark}:") }, words::clean(&choice.what));
    let indent = if mark == "-" { "    " } else { "  " };
    text.push_str(&words::wrapped(&format!("{mark} {what}"), indent, 100));
    for command in &choice.commands {
        let _ = writeln!(text, "        {}", paint.command(words::clean(command)));
    }
}
