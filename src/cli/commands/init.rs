//! `landfast init`: a small environment to begin with, which validates and can be deployed.

use std::fmt::Write as _;
use std::sync::Arc;

use super::adopt::{ENVIRONMENTS, environment_name, system_name};
use super::put::{Files, check, put};
use crate::cli::args::{CloudKind, Global, InitArgs};
use crate::cli::exit::{Exit, Trouble};
use crate::cli::{place, terminal};
use crate::model::{AccountId, Region};

/// The smallest example, whose environment is written anew.
const FILES: [(&str, &str); 3] = [
    ("stacks.yaml", include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/examples/smallest/stacks.yaml"))),
    ("queue.yaml", include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/examples/smallest/queue.yaml"))),
    ("worker.yaml", include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/examples/smallest/worker.yaml"))),
];

pub(super) fn run(global: &Global, args: &InitArgs) -> Result<Exit, Trouble> {
    let sim = global.cloud == CloudKind::Sim;
    let name = answer(args.environment.as_deref(), "Name of the environment", "ENVIRONMENT", Some("dev"))?;
    let name = environment_name(&name)?;
    // An account that AWS gives to examples.
    let account = answer(args.account.as_deref(), "AWS account ID", "--account", sim.then_some("111122223333"))?;
    let account: AccountId = account.parse().map_err(Trouble::Address)?;
    let region = answer(args.region.as_deref(), "AWS region", "--region", Some("us-east-1"))?;
    let region: Region = region.parse().map_err(Trouble::Address)?;
    let system = system_name(&args.system)?;
    let root = args.out.clone().unwrap_or_else(|| place::root_or_new(global));
    let place = root.join(ENVIRONMENTS).join(name.as_str());
    if place.exists() {
        return Err(Trouble::Exists(place.display().to_string()));
    }
    let environment = format!(
        "apiVersion: landfast/v1\nkind: Environment\nmetadata: {{ name: {name} }}\nspec:\n  system: {system} # stacks are named \
         {name}-{system}-NAME\n  account: \"{account}\"\n  region: {region}\n  include: [stacks.yaml]\n  policy:\n    mode: approve \
         # every change waits for `landfast apply --plan DIGEST`; `apply` makes them at once\n"
    );
    let mut files: Files = FILES.iter().map(|(path, text)| ((*path).to_owned(), Arc::from(*text))).collect();
    files.insert("environment.yaml".to_owned(), environment.into());
    check(&files)?;
    let failed = |error| Trouble::machine(format!("{} could not be written", place.display()), error);
    put(&place, &files).map_err(failed)?;
    let mut text = String::new();
    for file in files.keys() {
        let _ = writeln!(text, "wrote {}", place.join(file).display());
    }
    let elsewhere =
        if root == place::root(global) { String::new() } else { format!(" --manifests {}", root.display()) };
    let _ = write!(
        text,
        "\nNext, without an AWS account:\n  landfast validate{elsewhere}\n  landfast plan {name} --cloud sim{elsewhere}\n  \
         landfast apply {name} --cloud sim{elsewhere}\nOn AWS, leave out --cloud sim.\n"
    );
    terminal::print(&text)?;
    Ok(Exit::Done)
}

/// What was given, or what is answered to a question; the suggestion, if there is one and nobody answers.
fn answer(given: Option<&str>, question: &str, argument: &str, suggestion: Option<&str>) -> Result<String, Trouble> {
    if let Some(given) = given {
        return Ok(given.to_owned());
    }
    if !terminal::is_attended() {
        return suggestion.map(str::to_owned).ok_or_else(|| Trouble::Missing(argument.to_owned()));
    }
    let hint = suggestion.map(|suggestion| format!(" [{suggestion}]")).unwrap_or_default();
    let answer = terminal::ask(&format!("{question}{hint}:"))?;
    match (answer.as_str(), suggestion) {
        ("", Some(suggestion)) => Ok(suggestion.to_owned()),
        ("", None) => Err(Trouble::Missing(argument.to_owned())),
        _ => Ok(answer),
    }
}
