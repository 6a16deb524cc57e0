//! What is made of every file that is no manifest.
//!
//! A manifest that is there is not gone (invariant S25). So every file is understood, or excluded by a rule that
//! `landfast validate` prints, or an error for the environments that include the place where it lies. What is excluded and
//! describes something all the same leaves a [`Gap`]: nothing that may be in it is deleted.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use schemars::JsonSchema;
use serde::Serialize;

use super::diagnostic::{Problem, Report, Severity, typed};
use super::environment::Env;
use super::files::{Found, is_manifest_name};
use super::secrecy;
use super::shape::{Shape, claims, describes, is_no_text, resembles, shape};
use super::text::{fault, text};
use crate::model::{EnvName, FileContent, Gap, Gaps, Kind, ObjectName, Passed, Snapshot};
use crate::yaml::{self, Span};

/// What Git itself keeps is never looked into.
const GIT: &str = ".git";

const NAMED: &str = "referenced by a manifest";
const OTHER: &str = "its name does not end in .yaml, .yml or .json";
const OUTSIDE: &str = "no environment includes its directory";
const NOTHING: &str = "it contains no document";

/// A file or directory that is not a manifest, and the rule that excludes it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
// The schema's name for it is part of the contract with machines.
#[schemars(rename = "PassedOver")]
pub struct Excluded {
    /// The rule.
    pub rule: String,
    /// The path, relative to the root of the manifests.
    pub path: String,
}

/// What came of it.
#[derive(Default)]
pub(super) struct Survey {
    pub(super) passed: BTreeSet<Excluded>,
    pub(super) gaps: BTreeMap<EnvName, Gaps>,
    /// Something was not understood that no environment includes: it may describe one.
    pub(super) obscure: bool,
}

/// Looks at everything that [`find`](super::files::find) has left.
pub(super) struct Surveyor<'a, 's> {
    pub(super) snapshot: &'s Snapshot,
    pub(super) environments: &'a BTreeMap<EnvName, Env<'s>>,
    /// Files that manifests name: templates, policies, sealed values.
    pub(super) named: &'a BTreeSet<String>,
    pub(super) report: &'a mut Report,
    pub(super) survey: Survey,
}

/// Which of what was passed over by its name lies where manifests are read.
pub(super) fn aside(snapshot: &Snapshot, environments: &BTreeMap<EnvName, Env<'_>>) -> BTreeSet<String> {
    let passed = snapshot.passed.iter().filter(|(path, why)| {
        let git = path.rsplit('/').next() == Some(GIT);
        **why != Passed::Listed && !git && environments.values().any(|env| env.covers(path))
    });
    passed.map(|(path, _)| path.clone()).collect()
}

impl Surveyor<'_, '_> {
    /// Looks at every file that has no document of ours.
    pub(super) fn run(mut self, found: &BTreeSet<Arc<str>>) -> Survey {
        for (path, content) in &self.snapshot.files {
            if found.contains(path.as_str()) {
                continue;
            }
            match content {
                _ if self.named.contains(path) => self.pass(path, NAMED),
                FileContent::NotListed(why) => {
                    let message = format!("what is below `{}` cannot be read: {why}", typed(&self.snapshot.root, path));
                    self.wrong(path, "not-listed", message, Span::default(), false);
                }
                _ if is_manifest_name(path) => self.candidate(path, content),
                FileContent::Bytes(bytes) => self.other(path, bytes),
                FileContent::TooLarge(_) | FileContent::Unreadable(_) => self.pass(path, OTHER),
            }
        }
        for (path, why) in &self.snapshot.passed {
            self.pass(path, &why.to_string());
        }
        for (path, content) in &self.snapshot.aside {
            self.hidden(path, content);
        }
        self.survey
    }

    /// A document that no environment includes is not gone either: somebody may have forgotten to.
    pub(super) fn unused(&mut self, file: &str, kind: Kind, name: &ObjectName) {
        let gap = Gap {
            why: format!("`{file}` describes it, but no environment includes that file"),
            release: format!("include `{file}`, remove it, or list it in .landfastignore"),
            holds: Some(BTreeSet::from([(kind, name.clone())])),
        };
        self.gap(self.environments.keys().cloned().collect(), &gap);
    }

    /// A manifest that cannot be read and lies where no environment reads any: it may have been moved there.
    pub(super) fn unreadable(&mut self, file: &str) {
        self.survey.obscure = true;
        let gap = Gap {
            why: format!("`{file}` may describe it: it is a manifest that cannot be read"),
            release: format!("correct `{file}`, remove it, or list it in .landfastignore"),
            holds: None,
        };
        self.gap(self.environments.keys().cloned().collect(), &gap);
    }

    fn owners(&self, path: &str) -> Vec<EnvName> {
        self.environments.iter().filter(|(_, env)| env.covers(path)).map(|(name, _)| name.clone()).collect()
    }

    fn pass(&mut self, path: &str, rule: &str) {
        self.survey.passed.insert(Excluded { rule: rule.to_owned(), path: path.to_owned() });
    }

    fn gap(&mut self, environments: Vec<EnvName>, gap: &Gap) {
        for name in environments {
            self.survey.gaps.entry(name).or_default().add(gap.clone());
        }
    }

    /// An error where an environment reads manifests. Elsewhere it is one if it is about something that is meant to be a
    /// manifest, and a warning if that cannot be told.
    fn wrong(&mut self, path: &str, code: &'static str, message: String, span: Span, meant: bool) {
        let file: Arc<str> = Arc::from(path);
        let owners = self.owners(path);
        let mut problem = Problem::error(code, message, &file, span);
        problem = problem.help(
            "a manifest begins with `apiVersion: landfast/v1` and its `kind`; what else lies below an included directory is named by \
             a manifest, or listed in .landfastignore",
        );
        if let Ok(source) = text(self.snapshot, path) {
            for mask in secrecy::unreadable(source) {
                self.report.mask(&file, mask);
            }
        }
        if owners.is_empty() {
            if meant {
                self.unreadable(path);
            }
            self.survey.obscure = true;
            problem.severity = if meant { Severity::Error } else { Severity::Warning };
        }
        self.report.add(problem, &owners);
    }

    /// A file in which manifests are looked for.
    fn candidate(&mut self, path: &str, content: &FileContent) {
        let source = match text(self.snapshot, path) {
            Ok(source) => source,
            Err((code, message, span)) => {
                let bytes = if let FileContent::Bytes(bytes) = content { &**bytes } else { &[] };
                return self.wrong(path, code, message, span, claims(bytes));
            }
        };
        let meant = resembles(source);
        let outside = self.owners(path).is_empty();
        if outside && !meant && path.to_ascii_lowercase().ends_with("json") {
            return self.pass(path, OUTSIDE);
        }
        if source.trim().is_empty() {
            if outside {
                return self.pass(path, OUTSIDE);
            }
            return self.wrong(
                path,
                "empty-file",
                format!("`{}` is empty", typed(&self.snapshot.root, path)),
                Span::default(),
                false,
            );
        }
        let stream = yaml::parse(source);
        if let Some(reason) = &stream.fault {
            let problem = fault(reason, &Arc::from(path), source);
            return self.wrong(path, problem.code, problem.message.into_string(), problem.span, meant);
        }
        let json = path.to_ascii_lowercase().ends_with("json");
        let mut rule = NOTHING;
        for document in &stream.documents {
            match shape(&document.root, json) {
                Shape::Nothing => {}
                Shape::Known(known) => rule = known,
                Shape::Unknown(_) if outside && !meant => rule = OUTSIDE,
                Shape::Unknown(why) => {
                    let message = format!("this is no manifest: {why}");
                    return self.wrong(path, "not-a-manifest", message, document.root.span, meant);
                }
            }
        }
        self.pass(path, rule);
    }

    /// A file whose name says that it is no manifest.
    fn other(&mut self, path: &str, bytes: &[u8]) {
        self.pass(path, OTHER);
        self.excluded(path, bytes, "its name does not end in .yaml, .yml or .json");
    }

    /// A file that was passed over by name, where manifests are read.
    fn hidden(&mut self, path: &str, content: &FileContent) {
        let why = "its name or directory is excluded";
        match content {
            FileContent::Bytes(bytes) => self.excluded(path, bytes, why),
            FileContent::TooLarge(_) | FileContent::Unreadable(_) if !is_like_a_manifest(path) => {}
            FileContent::TooLarge(_) | FileContent::Unreadable(_) | FileContent::NotListed(_) => {
                self.excluded_as(path, None, "it cannot be read");
            }
        }
    }

    /// A file that is excluded, and may describe something all the same.
    fn excluded(&mut self, path: &str, bytes: &[u8], why: &str) {
        let like = is_like_a_manifest(path);
        if !claims(bytes) {
            if has_ending(path) && is_no_text(bytes) {
                self.excluded_as(path, None, "it is not a text file");
            }
            return;
        }
        match describes(bytes) {
            None if like => self.excluded_as(path, None, why),
            None => {}
            Some(objects) if objects.is_empty() => {}
            Some(objects) => self.excluded_as(path, Some(objects), why),
        }
    }

    fn excluded_as(&mut self, path: &str, holds: Option<BTreeSet<(Kind, ObjectName)>>, why: &str) {
        let owners = self.owners(path);
        if owners.is_empty() {
            return;
        }
        let what = if holds.is_some() { "describes it" } else { "may describe it" };
        let release = format!(
            "give `{path}` the name of a manifest (.yaml, .yml, .json), remove it, or list it in .landfastignore"
        );
        let shown = typed(&self.snapshot.root, path);
        let message =
            format!("`{shown}` looks like a manifest and is not read: {why}; nothing that it may describe is deleted");
        let problem = Problem::warning("looks-like-a-manifest", message, &Arc::from(path), Span::default());
        self.report.add(problem.help(release.clone()), &owners);
        self.gap(owners, &Gap { why: format!("`{path}` {what} but is not read: {why}"), release, holds });
    }
}

/// `b.yaml~`, `b.yaml.bak`, `#b.yml#`, `b`: names that manifests come to have, beside those that they ought to have.
fn is_like_a_manifest(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or_default();
    !name.trim_start_matches('.').contains('.') || has_ending(path)
}

/// An ending of manifests is somewhere in the name.
fn has_ending(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or_default().to_ascii_lowercase();
    [".yaml", ".yml", ".json"].iter().any(|ending| name.contains(ending))
}

/// The files that have documents of ours.
pub(super) fn files_of(found: &Found<'_>) -> BTreeSet<Arc<str>> {
    let environments = found.environments.iter().map(|doc| &doc.file);
    found.resources.keys().chain(found.problems.keys()).chain(environments).cloned().collect()
}
