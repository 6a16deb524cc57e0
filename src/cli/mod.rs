//! The command line: arguments in, text and an exit code out.
//!
//! The only room that prints, reads the environment or decides which back end is used. Data goes to standard output,
//! progress and logs to standard error, and every command ends in one of the documented [exit codes](exit::Exit).

mod args;
mod beacon;
mod commands;
mod complete;
mod demo;
mod directory;
mod exit;
#[cfg(feature = "git")]
mod feedback;
#[cfg(not(feature = "git"))]
#[path = "feedback_without.rs"]
mod feedback;
mod furnish;
#[cfg(feature = "git")]
mod health;
#[cfg(not(feature = "git"))]
#[path = "health_without.rs"]
mod health;
mod history;
#[cfg(feature = "git")]
mod hooks;
#[cfg(not(feature = "git"))]
#[path = "hooks_without.rs"]
mod hooks;
mod live;
mod loading;
mod logging;
mod manifests;
mod news;
#[cfg(feature = "git")]
mod notify;
#[cfg(not(feature = "git"))]
#[path = "notify_without.rs"]
mod notify;
mod operator;
mod pager;
mod place;
mod progress;
mod queue;
mod reach;
mod revision;
mod running;
mod select;
mod session;
mod stderr;
mod terminal;
mod view;
mod wrap;

pub use args::{Cli, command};
pub use exit::{Exit, Trouble};

use std::process::ExitCode;

use clap::FromArgMatches as _;

/// The whole program.
#[must_use]
pub fn main() -> ExitCode {
    if complete::answer() {
        return Exit::Done.into();
    }
    let parsed = args::command().try_get_matches().and_then(|matches| Cli::from_arg_matches(&matches));
    let mut cli = match parsed {
        Ok(cli) => cli,
        Err(error) => {
            // Help and version are what was asked for; anything else is a usage error (sysexits: 64).
            let code = if error.use_stderr() { Exit::Usage } else { Exit::Done };
            if error.use_stderr() {
                // It repeats arguments, which may be somebody else's text.
                terminal::note(error.render().to_string().trim_end());
            } else if !terminal::is_help_paged(&error) {
                let _ = error.print();
            }
            return code.into();
        }
    };
    logging::start(&cli.global, matches!(cli.command, args::Command::Run(_)));
    // Whatever becomes of the working directory, it stays the same place.
    if let Ok(state) = std::path::absolute(&cli.global.state) {
        cli.global.state = state;
    }
    let code = match commands::run(cli) {
        Ok(exit) => exit.into(),
        Err(trouble) => {
            terminal::trouble(&trouble);
            trouble.exit().into()
        }
    };
    stderr::flush();
    code
}
