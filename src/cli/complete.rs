//! What a shell completes: environments and objects, from the manifests where the command line is typed.
//!
//! A person waits for it between two keys, and whatever is wrong with the manifests is said by the command itself: here,
//! nothing is completed then.

use std::path::Path;

use clap::{Arg, Command};
use clap_complete::engine::{ArgValueCandidates, CompletionCandidate};
use clap_complete::env::{CompleteEnv, Shells};

use super::args;
use super::exit::Trouble;
use super::loading::{self, Against};
use super::manifests::Manifests;
use super::{place, select};
use crate::manifest::Loaded;

/// The variable by which a shell asks.
const VARIABLE: &str = "COMPLETE";

/// Answers a shell that asks for completions. False if none does.
pub(super) fn answer() -> bool {
    let here = std::env::current_dir().ok();
    let complete = CompleteEnv::with_factory(|| with_names(args::command())).var(VARIABLE).bin("landfast");
    complete.try_complete(std::env::args_os(), here.as_deref()).unwrap_or(false)
}

/// The script that makes a shell ask this program.
pub(super) fn script(shell: clap_complete::Shell) -> Result<String, Trouble> {
    let doing = "the completion script could not be written";
    let shells = Shells::builtins();
    let Some(completer) = shells.completer(&shell.to_string()) else {
        return Err(Trouble::machine(doing, format!("no completions for {shell}")));
    };
    let mut script = Vec::new();
    let written = completer.write_registration(VARIABLE, "landfast", "landfast", "landfast", &mut script);
    written.map_err(|error| Trouble::machine(doing, error))?;
    Ok(String::from_utf8_lossy(&script).into_owned())
}

/// The same commands, which know what the manifests name.
fn with_names(command: Command) -> Command {
    command.mut_args(named).mut_subcommands(with_names)
}

fn named(arg: Arg) -> Arg {
    let names: Vec<&str> = arg.get_value_names().unwrap_or_default().iter().map(clap::builder::Str::as_str).collect();
    match names.as_slice() {
        ["TARGET" | "OBJECT"] => arg.add(ArgValueCandidates::new(objects)),
        ["ENVIRONMENT"] => arg.add(ArgValueCandidates::new(environments)),
        _ if arg.get_id() == "env" => arg.add(ArgValueCandidates::new(environments)),
        _ => arg,
    }
}

fn environments() -> Vec<CompletionCandidate> {
    let Some(loaded) = loaded() else { return Vec::new() };
    loaded.desired.environments.keys().map(|name| CompletionCandidate::new(name.to_string())).collect()
}

fn objects() -> Vec<CompletionCandidate> {
    let Some(loaded) = loaded() else { return Vec::new() };
    let mut names = environments();
    names.extend(select::objects(&loaded).map(|key| CompletionCandidate::new(key.to_string())));
    names
}

/// The manifests where the command line is typed.
fn loaded() -> Option<Loaded> {
    let root = place::root_of(std::env::var_os("LANDFAST_MANIFESTS").as_deref().map(Path::new));
    loading::load(&Manifests::in_directory(root, None), &Against::default()).ok().map(|(loaded, _)| loaded)
}
