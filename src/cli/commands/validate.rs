//! `landfast validate`: everything that is wrong with the manifests, at once.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::Serialize;

use crate::cli::args::{Global, Output};
use crate::cli::exit::{Exit, Trouble};
use crate::cli::manifests::Manifests;
use crate::cli::view::show;
use crate::cli::{operator, place, session, terminal};
use crate::manifest::{Diagnostic, Excluded};
use crate::model::Environment;
use crate::report::API_VERSION;

/// What `validate -o json` writes.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Validation<'a> {
    /// `landfast/v1`.
    #[schemars(extend("const" = "landfast/v1"))]
    api_version: &'static str,
    /// `Validation`.
    #[schemars(extend("const" = "Validation"))]
    kind: &'static str,
    /// No error was found.
    valid: bool,
    /// Environments that were loaded.
    environments: usize,
    /// Stacks in them.
    stacks: usize,
    /// Services in them.
    services: usize,
    /// Secrets in them.
    secrets: usize,
    /// DNS records in them.
    records: usize,
    /// Backup policies in them.
    backups: usize,
    /// Environments that were left out because of an error.
    broken: Vec<String>,
    /// Everything that was found.
    diagnostics: &'a [Diagnostic],
    /// Files and directories that are not manifests, each with the rule that excludes it.
    passed_over: &'a BTreeSet<Excluded>,
}

pub(super) fn run(global: &Global, path: Option<PathBuf>, output: Output) -> Result<Exit, Trouble> {
    let root = path.clone().unwrap_or_else(|| place::root(global));
    let operator = operator::find(global, &root)?;
    let manifests =
        path.map_or_else(|| Manifests::of(global, &operator), |path| Ok(Manifests::in_directory(path, None)))?;
    let loaded = session::load_unrecorded(&manifests, &operator)?;
    manifests.told().iter().for_each(|told| terminal::note(&format!("note: {told}")));
    let errors = session::errors(&loaded.diagnostics);
    let environments = loaded.desired.environments.len();
    let count = |of: fn(&Environment) -> usize| loaded.desired.environments.values().map(|one| of(one)).sum();
    let stacks: usize = count(|environment| environment.stacks.len());
    let services: usize = count(|environment| environment.services.len());
    let secrets: usize = count(|environment| environment.secrets.len());
    let records: usize = count(|environment| environment.records.len());
    let backups: usize = count(|environment| environment.backups.len());
    match output {
        Output::Json | Output::Yaml => {
            let report = Validation {
                api_version: API_VERSION,
                kind: "Validation",
                valid: errors == 0,
                environments,
                stacks,
                services,
                secrets,
                records,
                backups,
                broken: loaded.broken.iter().map(ToString::to_string).collect(),
                diagnostics: &loaded.diagnostics,
                passed_over: &loaded.passed,
            };
            show(output, &report, |_| String::new())?;
        }
        Output::Text => {
            session::show_diagnostics(&loaded.diagnostics);
            let warnings = loaded.diagnostics.len() - errors;
            let mut found = format!("{}: {environments} environments, {stacks} stacks", root.display());
            for (count, what) in
                [(services, "services"), (secrets, "secrets"), (records, "DNS records"), (backups, "backup policies")]
            {
                if count > 0 {
                    let _ = write!(found, ", {count} {what}");
                }
            }
            terminal::print(&format!("{found}, {errors} errors, {warnings} warnings\n"))?;
            terminal::print(&passed_over(&loaded.passed))?;
        }
    }
    Ok(if errors == 0 { Exit::Done } else { Exit::Manifest })
}

/// How many of the files of one rule are named.
const NAMED: usize = 3;

/// What is no manifest, by rule.
fn passed_over(passed: &BTreeSet<Excluded>) -> String {
    let mut rules: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for one in passed {
        rules.entry(&one.rule).or_default().push(&one.path);
    }
    if rules.is_empty() {
        return String::new();
    }
    let mut text = "Not read as manifests:\n".to_owned();
    for (rule, paths) in rules {
        let named = paths.iter().take(NAMED).map(|path| path.escape_debug().to_string()).collect::<Vec<_>>().join(", ");
        let more = paths.len().saturating_sub(NAMED);
        let more = if more > 0 { format!(" and {more} more (-o json lists them)") } else { String::new() };
        let _ = writeln!(text, "  {rule}: {named}{more}");
    }
    text
}
