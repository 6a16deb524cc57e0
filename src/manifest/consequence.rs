//! What only follows from a mistake that is reported already. One mistake is one error: what it makes look wrong elsewhere is
//! left out, and the environments that it stops all the same are those of that error.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::diagnostic::{Problem, Report, nearest};
use super::environment::Env;
use super::graph::Edges;
use super::nouns;
use super::text::text;
use crate::model::{EnvName, Snapshot};

/// Codes of files that are manifests, or meant to be, and were not understood.
const NOT_UNDERSTOOD: [&str; 5] = ["not-a-manifest", "syntax", "conflict-marker", "empty-file", "not-utf8"];

/// Leaves out that objects are missing whose documents could not be read, or are not included because of a mistake, and
/// parameters whose file could not be read. `unread`: files in which something is wrong as a whole; `sheets`: those whose
/// documents were read.
pub(super) fn leave_out(
    report: &mut Report,
    snapshot: &Snapshot,
    environments: &BTreeMap<EnvName, Env<'_>>,
    unread: &BTreeSet<Arc<str>>,
    sheets: &BTreeSet<Arc<str>>,
) {
    let source = |file: &Arc<str>| text(snapshot, file).ok();
    let not_included = report.problems().any(|problem| problem.code == "include-not-found");
    let nobodys = |file: &str| !environments.values().any(|env| env.covers(file));
    let included = |file: &Arc<str>| environments.values().any(|env| env.includes.contains(file));
    let incomplete = |problem: &Problem| {
        let file = problem.file.as_ref().filter(|file| !sheets.contains(*file));
        file.is_some_and(|file| included(file) || source(file).is_some_and(names_an_environment))
    };
    let mut dark: BTreeSet<Arc<str>> = unread.clone();
    dark.extend(sheets.iter().filter(|file| not_included && nobodys(file)).cloned());
    let understood = |problem: &&Problem| !NOT_UNDERSTOOD.contains(&problem.code) && !incomplete(problem);
    let wrong = report.problems().filter(|problem| !understood(problem));
    let files: Vec<Arc<str>> = wrong.filter_map(|problem| problem.file.clone()).collect();
    dark.extend(files);
    let texts: Vec<&str> = dark.iter().filter_map(source).collect();
    let without: BTreeSet<&EnvName> =
        environments.iter().filter(|(_, env)| env.parameters_unread).map(|(name, _)| name).collect();
    report.leave_out(|problem, concerned| {
        let of_file = matches!(problem.code, "missing-parameter" | "unknown-file-parameter");
        of_file && concerned.iter().all(|name| without.contains(name))
            || problem.absent.as_deref().is_some_and(|absent| texts.iter().any(|text| describes(text, &absent.0)))
    });
}

/// A text has a document of this name, as far as can be told of one that is not understood.
fn describes(text: &str, name: &str) -> bool {
    let ends = |c: char| !(c.is_ascii_alphanumeric() || c == '-');
    text.match_indices(name).any(|(at, _)| {
        let before = text.get(..at).unwrap_or_default().trim_end_matches([' ', '"', '\'']);
        let after = text.get(at + name.len()..).unwrap_or_default();
        before.ends_with(':') && (after.is_empty() || after.starts_with(ends))
    })
}

/// A file that cannot be read is meant to describe an environment.
pub(super) fn names_an_environment(text: &str) -> bool {
    let mut kinds = text.lines().filter_map(|line| line.strip_prefix("kind:")).map(str::trim);
    kinds.any(|kind| kind.is_empty() || nearest(kind, [nouns::ENVIRONMENT.word]).is_some())
}

/// An environment that takes outputs from a broken one cannot be complete either. `takes`: the stacks whose outputs each
/// object refers to.
pub(super) fn spread(report: &mut Report, takes: &Edges) {
    loop {
        let broken = report.broken().clone();
        let dependent: BTreeSet<(&EnvName, &EnvName)> = takes
            .iter()
            .filter(|(key, _)| !broken.contains(&key.environment))
            .flat_map(|(key, takes)| takes.keys().map(|to| (&to.environment, &key.environment)))
            .filter(|(to, _)| broken.contains(*to))
            .collect();
        for (from, to) in &dependent {
            report.spread(from, to);
        }
        if dependent.is_empty() {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_found_in_a_text_that_is_not_understood_and_part_of_one_is_not() {
        for text in ["metadata: { name: queue }", "metadata:\n  name: 'queue'\n", "nmae: queue"] {
            assert!(describes(text, "queue"), "{text}");
        }
        for text in ["name: queue-2", "name: my-queue", "# the queue", "queue: 1", ""] {
            assert!(!describes(text, "queue"), "{text}");
        }
    }
}
