//! `landfast adopt`: manifests for what already runs.
//!
//! What was there before is never written over without being asked, and even then it is put aside and not deleted.

use super::put::{check, put};
use crate::adopt::{Ask, Which, summary, write};
use crate::cli::args::{AdoptArgs, Global};
use crate::cli::exit::{Exit, Trouble};
use crate::cli::session::{Pace, Session};
use crate::cli::{place, terminal};
use crate::model::{EnvName, InvalidName, Scope};
use crate::observe::survey;

/// Where environments are, below the root.
pub(super) const ENVIRONMENTS: &str = "environments";

pub(super) fn run(global: &Global, args: AdoptArgs) -> Result<Exit, Trouble> {
    let ask = asked(&args)?;
    let root = args.out.unwrap_or_else(|| place::root(global));
    let place = root.join(ENVIRONMENTS).join(ask.environment.as_str());
    // Said before minutes are spent on reading.
    if place.exists() && !args.force {
        return Err(Trouble::Exists(place.display().to_string()));
    }
    let session = Session::start(global, Pace::Virtual)?;
    let governor = session.governor();
    let seen = session.ask(survey(&governor, &ask))?;
    let written = write(&seen, &ask);
    if written.is_partial() && !args.partial {
        let missing = written.left.iter().filter(|left| left.partial);
        let missing: Vec<String> = missing.map(|left| format!("  {}: {}", left.what, left.why)).collect();
        return Err(Trouble::Partial(missing.join("\n")));
    }
    if written.counts.get("stacks").copied().unwrap_or(0) == 0 {
        let left = written.left.iter().map(|left| format!("\n  {}: {}", left.what, left.why));
        return Err(Trouble::NothingToAdopt(left.collect()));
    }
    let before = put(&place, &written.files)
        .map_err(|error| Trouble::machine(format!("{} could not be written", place.display()), error))?;
    let arguments = if root == place::root(global) {
        global.manifests.as_ref().map_or_else(String::new, |root| format!(" --manifests {}", root.display()))
    } else {
        format!(" --manifests {}", root.display())
    };
    terminal::print(&summary(&written, &ask, &place.display().to_string(), &arguments))?;
    if let Some(before) = before {
        terminal::note(&format!("note: the previous files were moved to {}", before.display()));
    }
    check(&written.files)
}

/// What was asked for, each part of it well formed.
fn asked(args: &AdoptArgs) -> Result<Ask, Trouble> {
    let environment = environment_name(&args.environment)?;
    args.system.as_deref().map(system_name).transpose()?;
    let names = args.stack.iter().map(|name| name.parse()).collect::<Result<_, _>>().map_err(Trouble::Address)?;
    let which =
        if args.all { Which::All { prefix: args.prefix.clone().unwrap_or_default() } } else { Which::Named(names) };
    Ok(Ask {
        environment,
        scope: Scope {
            account: args.account.parse().map_err(Trouble::Address)?,
            region: args.region.parse().map_err(Trouble::Address)?,
        },
        role: args.role.as_deref().map(str::parse).transpose().map_err(Trouble::Address)?,
        system: args.system.clone(),
        which,
    })
}

/// A name that an environment can have.
pub(super) fn environment_name(text: &str) -> Result<EnvName, Trouble> {
    let rule = "the name of an environment: 2 to 10 lowercase letters and digits";
    let is_one = (2..=10).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
    if !is_one {
        return Err(Trouble::Address(InvalidName::new(text, rule)));
    }
    text.parse().map_err(Trouble::Address)
}

/// A name that a system can have.
pub(super) fn system_name(text: &str) -> Result<&str, Trouble> {
    let is_one = !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
    let rule = "the name of a system: letters, digits and hyphens";
    if is_one { Ok(text) } else { Err(Trouble::Address(InvalidName::new(text, rule))) }
}
