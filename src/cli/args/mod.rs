//! The command line, as clap reads it.

mod command;
mod forms;
mod global;
mod parts;

pub(super) use command::Command;
pub(super) use forms::{DriftOutput, GraphFormat, ListOutput, Output, PlanOutput};
pub(super) use global::{CloudKind, Color, Global, LogFormat};
pub(super) use parts::{
    AdoptArgs, ApplyArgs, ApproveArgs, BackupCommand, EventSourceCommand, EventsCommand, FreezeArgs, InitArgs,
    LogsArgs, NotifyCommand, Quarantine, RejectArgs, RestoreArgs, RunArgs, SecretCommand, SigningArgs, StateCommand,
    ThawArgs, TrafficCommand, WaitFor,
};

use std::fmt::Write as _;

use clap::builder::styling::{AnsiColor, Styles};
use clap::{CommandFactory as _, Parser};

/// The version, and the commit that it was built from, where the build knows it.
pub(super) const VERSION: &str = env!("LANDFAST_VERSION");

const STYLES: Styles = Styles::styled()
    .header(AnsiColor::Green.on_default().bold())
    .usage(AnsiColor::Green.on_default().bold())
    .literal(AnsiColor::Cyan.on_default().bold())
    .placeholder(AnsiColor::Cyan.on_default());

const AFTER: &str = "Targets:
  dev                  an environment
  dev/stack/network    an object; kinds are stack, service, secret, dnsrecord, backuppolicy
  dev/stack            all objects of a kind
  network              an object by its name, in the environment of --env or in any
  'dev/stack/net*'     a pattern

Exit codes:
  0    in sync, or done
  1    something failed, or could not be read
  2    there are differences
  3    needs a decision: approve a plan, resolve a refusal, or thaw; or a window is closed
  64   the command line is wrong
  65   the manifests are wrong; nothing was changed
  130  interrupted";

/// The commands by what people want to do, as `landfast --help` lists them.
const GROUPS: [(&str, &[&str]); 6] = [
    ("Write manifests", &["init", "adopt", "validate", "graph", "render", "schema"]),
    ("Deploy", &["plan", "apply", "wait", "destroy", "run", "sync", "rollback", "quarantine", "traffic"]),
    ("Decide", &["approve", "reject", "approvals", "freeze", "thaw", "queue"]),
    ("Inspect", &["status", "why", "explain", "events", "logs", "outputs", "images", "drift", "doctor", "preflight"]),
    ("Secrets and backups", &["seal", "secret", "backup", "restore"]),
    ("Try and set up", &["demo", "state", "notify", "completions", "man", "help"]),
];

/// Continuously reconciles AWS environments with the manifests in Git.
#[derive(Debug, Parser)]
#[command(name = "landfast", version = VERSION, styles = STYLES, after_help = AFTER, max_term_width = 100, propagate_version = true)]
pub struct Cli {
    /// Options of every command.
    #[command(flatten)]
    pub global: Global,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// The command line with its help in groups.
#[must_use]
pub fn command() -> clap::Command {
    let command = Cli::command();
    let mut text = String::new();
    let (header, literal) = (STYLES.get_header(), STYLES.get_literal());
    for (group, names) in GROUPS {
        let _ = writeln!(text, "{header}{group}:{header:#}");
        for name in names {
            let about = command.find_subcommand(name).and_then(|one| one.get_about()).map(ToString::to_string);
            // Clap adds `help` only when it parses.
            let about = about.unwrap_or_else(|| "Print help of a command".to_owned());
            let _ = writeln!(text, "  {literal}{name:<12}{literal:#}  {}", first_sentence(&about));
        }
        text.push('\n');
    }
    command.help_template(format!(
        "{{about-with-newline}}\n{{usage-heading}} {{usage}}\n\n{text}{{options}}{{after-help}}"
    ))
}

fn first_sentence(text: &str) -> &str {
    text.split_once(". ").map_or(text, |(first, _)| first).trim_end_matches('.')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_command_is_in_one_group_of_the_help() {
        let listed: Vec<&str> = GROUPS.iter().flat_map(|(_, names)| names.iter().copied()).collect();
        for command in Cli::command().get_subcommands().filter(|command| !command.is_hide_set()) {
            let name = command.get_name();
            assert_eq!(listed.iter().filter(|listed| **listed == name).count(), 1, "{name}");
        }
        for name in &listed {
            assert!(*name == "help" || Cli::command().find_subcommand(name).is_some(), "{name}");
        }
    }

    #[test]
    fn the_command_line_is_well_formed() {
        super::command().debug_assert();
    }
}
