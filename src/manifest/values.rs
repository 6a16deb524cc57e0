//! Values for a template's parameters, held against what the template declares.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use regex::Regex;

use super::diagnostic::Problem;
use super::parameters::FileEntry;
use super::render::{Rendered, Site, public};
use crate::model::{ImageParameter, Parameter, Redacted, SmallMap, Template, TemplateParameter, Text, whole};
use crate::yaml::Span;

/// Compiled patterns that are kept; each may take megabytes.
const MOST_PATTERNS: usize = 64;
/// The longest value that CloudFormation takes (AWS: *CloudFormation quotas*, parameter values).
const LONGEST: usize = 4_096;

/// A value that the stack's manifest gives.
pub(super) struct Given<'g> {
    /// It stays what the stack has.
    pub(super) kept: bool,
    /// `None`: it stands for nothing, and that was reported.
    pub(super) rendered: Option<Rendered>,
    /// It was written as a list.
    pub(super) many: bool,
    pub(super) site: Site<'g>,
    pub(super) key_span: Span,
}

/// What came of it.
#[derive(Default)]
pub(super) struct Resolved {
    pub(super) values: BTreeMap<String, Parameter>,
    pub(super) problems: Vec<Problem>,
    /// Entries of the parameter file that were passed on.
    pub(super) used: BTreeSet<String>,
}

/// Compiled `AllowedPattern`s; `None` for those that this regular expression engine does not know.
#[derive(Default)]
pub(super) struct Patterns(BTreeMap<String, Option<Regex>>);

impl Patterns {
    fn get(&mut self, pattern: &str) -> Option<&Regex> {
        if self.0.len() >= MOST_PATTERNS {
            self.0.clear();
        }
        let compile = || whole(pattern).ok();
        self.0.entry(pattern.to_owned()).or_insert_with(compile).as_ref()
    }
}

/// What gives values beside the stack's manifest.
pub(super) struct Sources<'e> {
    /// Where the environment's parameter file is.
    pub(super) path: Option<&'e Arc<str>>,
    /// The environment's parameter file.
    pub(super) file: &'e BTreeMap<String, FileEntry>,
    /// Parameters that a template of this environment declares `NoEcho`.
    pub(super) secrets: &'e BTreeSet<String>,
    /// Parameters whose values are the images of services: these alone give them.
    pub(super) images: &'e SmallMap<ImageParameter>,
}

/// The value of every parameter that the template declares: from the manifest, else from the environment's parameter
/// file, else the template's default (and then it is not passed at all).
pub(super) fn resolve(
    template: &Template,
    given: BTreeMap<&str, Given<'_>>,
    sources: &Sources<'_>,
    owner: Site<'_>,
    patterns: &mut Patterns,
) -> Resolved {
    let mut out = Resolved::default();
    for (name, value) in &given {
        if !template.parameters.contains_key(*name) {
            let message = format!("the template has no parameter `{name}`");
            let problem = Problem::error("unknown-parameter", message, value.site.file, value.key_span);
            out.problems.push(problem.suggest(name, template.parameters.keys().map(String::as_str)));
        }
    }
    let mut given = given;
    for (name, declared) in template.parameters.iter().filter(|(name, _)| !sources.images.contains_key(*name)) {
        let mut one = One { name, declared, patterns, out: &mut out };
        match (given.remove(name.as_str()), sources.file.get(name)) {
            (Some(value), _) => one.take_from_manifest(value),
            (None, Some(_)) if sources.secrets.contains(name) && !declared.no_echo => {
                let message = format!("`{name}` is declared NoEcho by another template, but this one would reveal it");
                let help = "declare it NoEcho here too, or give it another name";
                let problem = Problem::error("secret-in-plain-text", message, owner.file, owner.span);
                out.problems.push(problem.help(help));
            }
            (None, Some(entry)) => {
                let site = Site { file: sources.path.unwrap_or(owner.file), source: "", span: entry.value_span };
                one.take_from_file(entry, site);
            }
            (None, None) if declared.default.is_some() => {}
            (None, None) => {
                let message = format!("the template parameter `{name}` has no value and no default");
                let help = "set it in `parameters` or in the environment's parameter file";
                out.problems.push(Problem::error("missing-parameter", message, owner.file, owner.span).help(help));
            }
        }
    }
    out
}

struct One<'o> {
    name: &'o str,
    declared: &'o TemplateParameter,
    patterns: &'o mut Patterns,
    out: &'o mut Resolved,
}

impl One<'_> {
    fn take_from_file(&mut self, entry: &FileEntry, site: Site<'_>) {
        self.out.used.insert(self.name.to_owned());
        if entry.kept {
            self.out.values.insert(self.name.to_owned(), Parameter::Previous);
            return;
        }
        self.check(&entry.value, site, "");
        let value = if self.declared.no_echo {
            Parameter::NoEcho(Redacted::new(entry.value.clone()))
        } else {
            Parameter::Plain(Text::literal(entry.value.as_str()))
        };
        self.out.values.insert(self.name.to_owned(), value);
    }

    fn take_from_manifest(&mut self, given: Given<'_>) {
        if given.kept {
            self.out.values.insert(self.name.to_owned(), Parameter::Previous);
            return;
        }
        let Some(rendered) = given.rendered else { return };
        if given.many && !takes_list(&self.declared.kind) {
            let message = format!("the parameter `{}` accepts one value, not a list", self.name);
            self.out.problems.push(Problem::error("wrong-type", message, given.site.file, given.key_span));
            return;
        }
        let known = rendered.text.as_literal().map(str::to_owned);
        if let Some(text) = &known {
            self.check(text, given.site, "");
        }
        let value = match (self.declared.no_echo, known) {
            (true, Some(text)) => Parameter::NoEcho(Redacted::new(text)),
            (true, None) => {
                let message = format!("`{}` is declared NoEcho: its value must not come from an output", self.name);
                let help = "let the template read the secret with {{resolve:secretsmanager:…}}";
                self.out
                    .problems
                    .push(Problem::error("not-known-yet", message, given.site.file, given.site.span).help(help));
                return;
            }
            (false, _) => match public(rendered, given.site) {
                Ok(rendered) => Parameter::Plain(rendered.text),
                Err(problems) => return self.out.problems.extend(problems),
            },
        };
        self.out.values.insert(self.name.to_owned(), value);
    }

    /// Holds a value against the declaration. Secrets are checked too, and not quoted.
    fn check(&mut self, text: &str, site: Site<'_>, origin: &str) {
        let declared = self.declared;
        // The value is the name of an SSM parameter; what it holds is known to AWS alone.
        if declared.kind.starts_with("AWS::SSM::Parameter::Value") {
            return;
        }
        if text.len() > LONGEST {
            let message = format!("the parameter `{}`{origin} is longer than {LONGEST} bytes", self.name);
            return self.out.problems.push(Problem::error("parameter-not-allowed", message, site.file, site.span));
        }
        let shown = |part: &str| if declared.no_echo { "its value".to_owned() } else { format!("`{part}`") };
        let list = takes_list(&declared.kind);
        let parts: Vec<&str> = if list { text.split(',').map(str::trim).collect() } else { vec![text] };
        for part in parts {
            let number = matches!(declared.kind.as_str(), "Number" | "List<Number>");
            let reason = if number && part.parse::<f64>().is_err() {
                Some(format!("{} is not a number", shown(part)))
            } else if !declared.allowed_values.is_empty()
                && !declared.allowed_values.iter().any(|allowed| allowed == part)
            {
                Some(format!("{} is not one of its AllowedValues: {}", shown(part), declared.allowed_values.join(", ")))
            } else {
                self.pattern(part, site, &shown)
            };
            if let Some(reason) = reason {
                let message = format!("the parameter `{}`{origin}: {reason}", self.name);
                let mut problem = Problem::error("parameter-not-allowed", message, site.file, site.span);
                if !declared.no_echo {
                    problem = problem.suggest(part, declared.allowed_values.iter().map(String::as_str));
                }
                self.out.problems.push(problem);
                return;
            }
        }
    }

    fn pattern(&mut self, part: &str, site: Site<'_>, shown: &dyn Fn(&str) -> String) -> Option<String> {
        let pattern = self.declared.allowed_pattern.as_deref()?;
        if let Some(regex) = self.patterns.get(pattern) {
            return (!regex.is_match(part))
                .then(|| format!("{} does not match its AllowedPattern {pattern}", shown(part)));
        }
        let message =
            format!("the AllowedPattern of `{}` is not checked: it uses syntax that only Java supports", self.name);
        self.out.problems.push(Problem::warning("pattern-not-checked", message, site.file, site.span));
        None
    }
}

fn takes_list(kind: &str) -> bool {
    kind == "CommaDelimitedList" || kind.contains("List<")
}
