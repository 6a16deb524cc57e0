//! All files of an adopted environment.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::environment::{EnvironmentText, common_tags};
use super::parameters::parameters;
use super::references::References;
use super::scalar::file;
use super::services::Around;
use super::stacks::StackText;
use super::survey::{Ask, FoundStack, Left, Survey, Which};
use super::{backups, names, records, secrets, services};
use crate::model::{ObjectName, StackName, Template};
use crate::template;

/// The largest template that a request may carry in itself (AWS: *CloudFormation quotas*).
const BODY_MAX: usize = 51_200;

/// What adoption came to.
#[derive(Clone, Debug, Default)]
pub struct Written {
    /// Files by their path, relative to the environment's directory.
    pub files: BTreeMap<String, Arc<str>>,
    /// What is not in them, sorted.
    pub left: Vec<Left>,
    /// The middle of the stacks' names.
    pub system: String,
    /// How many documents there are of each kind, by its name.
    pub counts: BTreeMap<&'static str, usize>,
    /// Stacks whose templates need a bucket before anything can be applied.
    pub large: Vec<String>,
    /// `NoEcho` parameters that stay what they are: how many.
    pub kept: usize,
}

impl Written {
    /// Something that was asked for is not in the files.
    #[must_use]
    pub fn is_partial(&self) -> bool {
        self.left.iter().any(|left| left.partial)
    }
}

/// Writes an environment for what was seen. The same for the same.
#[must_use]
pub fn write(survey: &Survey, ask: &Ask) -> Written {
    let mut left = survey.left.clone();
    let (stacks, templates) = readable(survey, ask, &mut left);
    let environment = &ask.environment;
    let guessed = || names::system(environment, stacks.keys());
    let system = ask.system.clone().or_else(guessed).unwrap_or_else(|| environment.to_string());
    let object_names = names::stacks(environment, &system, stacks.keys());
    let common = [environment.to_string(), system.clone(), ask.scope.account.to_string(), ask.scope.region.to_string()];
    let mut references = References::new(&stacks, &templates, &object_names, common.into());
    let secrets = secrets::of_environment(&survey.secrets, ask, &system, &stacks, &mut left);
    let parameters = parameters(&stacks, &templates, &mut references, &secrets::references(&secrets));
    let tags = common_tags(&stacks);
    let mut out = Written { system: system.clone(), ..Written::default() };
    out.large = large(&stacks);
    out.kept = parameters.lines.values().flatten().filter(|(_, line)| line.text == "{ previous: true }").count();

    // Everything but the environment itself is in a directory of its own, so that nothing is read that is not meant.
    let include = directory(&system);
    let mut put = |path: String, text: String| _ = out.files.insert(path, text.into());
    let mut documents = Vec::new();
    for (name, stack) in &stacks {
        let (Some(template), Some(object)) = (templates.get(name), object_names.get(name)) else { continue };
        let extension = if stack.template.trim_start().starts_with('{') { "json" } else { "yaml" };
        let template_file = format!("templates/{object}.{extension}");
        put(format!("{include}/{template_file}"), stack.template.clone());
        if let Some(lines) = shown_otherwise(&stack.template) {
            let why = format!(
                "AWS shows each as `?`: compare {lines} of {template_file} with the original; the deployed template is \
                kept until you change that file"
            );
            left.push(Left::aside(format!("non-ASCII characters in the template of stack {name}"), why));
        }
        let policy_file = stack.policy.as_ref().map(|policy| {
            let file = format!("policies/{object}.json");
            put(format!("{include}/{file}"), policy.clone());
            file
        });
        let document = StackText {
            name: object,
            default_name: format!("{environment}-{system}-{object}"),
            stack,
            template,
            template_file: &template_file,
            policy_file: policy_file.as_deref(),
            parameters: parameters.lines.get(name),
            tags: &tags,
            remarks: &remarks(stack),
        };
        documents.push((object.clone(), document.document(&mut references)));
    }
    documents.sort();
    let documents: Vec<String> = documents.into_iter().map(|(_, text)| text).collect();
    out.counts.insert("stacks", documents.len());
    if !documents.is_empty() {
        let head = "The stacks. Parameters that are not listed under `parameters` come from the environment's \
        parameter file, or are template defaults.";
        put(format!("{include}/stacks.yaml"), file(head, &documents));
    }
    let around = Around { ask, system: &system, stacks: &stacks, templates: &templates, names: &object_names };
    let found = services::services(&survey.services, &around, &mut references, &mut left);
    out.counts.insert("services", found.live.len());
    out.counts.insert("services proposed", found.proposed.len());
    if let Some(text) = found.file() {
        put(format!("{include}/services.yaml"), text);
    }
    let texts = secrets::documents(&secrets, ask, &system, &stacks, &mut references);
    out.counts.insert("secrets", texts.len());
    if !texts.is_empty() {
        let head = "Secrets that are managed elsewhere: Landfast checks that they exist and never reads their values.";
        put(format!("{include}/secrets.yaml"), file(head, &texts));
    }
    let made = made(&stacks);
    let texts = records::documents(&survey.zones, &made, &references, &mut left);
    out.counts.insert("records", texts.len());
    if !texts.is_empty() {
        let head = "DNS records that point to resources of the stacks.";
        put(format!("{include}/records.yaml"), file(head, &texts));
    }
    let found = backups::backups(&stacks, &object_names, &survey.plans, &ask.scope);
    out.counts.insert("backups", found.policies.len());
    if let Some(text) = found.file() {
        put(format!("{include}/backups.yaml"), text);
    }
    let parameter_file = (!parameters.file.is_empty()).then(|| format!("{environment}-parameters.json"));
    if let Some(file) = &parameter_file {
        put(file.clone(), parameters.document());
    }
    let text = EnvironmentText {
        ask,
        system: &system,
        include: &include,
        parameters: parameter_file.as_deref(),
        tags: &tags,
        large: &out.large,
    };
    let text = text.document();
    out.files.insert("environment.yaml".to_owned(), text.into());
    left.sort();
    left.dedup();
    out.left = left;
    out
}

/// Stacks whose templates can be read, with what was read.
fn readable(
    survey: &Survey,
    ask: &Ask,
    left: &mut Vec<Left>,
) -> (BTreeMap<StackName, FoundStack>, BTreeMap<StackName, Template>) {
    let named = matches!(ask.which, Which::Named(_));
    let (mut stacks, mut templates) = (BTreeMap::new(), BTreeMap::new());
    for (name, stack) in &survey.stacks {
        let what = format!("stack {name}");
        if let Some(tool) = tool(stack).filter(|_| !named) {
            let why = format!(
                "{tool} generates its template; `--stack {name}` adopts it anyway, but then {tool} must not change it"
            );
            left.push(Left::aside(what, why));
            continue;
        }
        match template::parse(&stack.template) {
            Ok(parsed) => {
                templates.insert(name.clone(), parsed);
                stacks.insert(name.clone(), stack.clone());
            }
            Err(why) => left.push(Left::missing(what, format!("its template cannot be read: {why}"))),
        }
    }
    (stacks, templates)
}

/// The tool that makes a stack's template anew whenever it is used.
fn tool(stack: &FoundStack) -> Option<&'static str> {
    let text = &stack.template;
    let cdk = text.contains("AWS::CDK::Metadata") || text.contains("aws:cdk:path");
    match () {
        () if cdk => Some("the CDK"),
        () if text.contains("AWS::Serverless-2016-10-31") => Some("SAM"),
        () => None,
    }
}

fn remarks(stack: &FoundStack) -> Vec<String> {
    let tool = tool(stack).map(|tool| format!("{tool} generated this template: from now on, change it only here."));
    let shown = shown_otherwise(&stack.template).map(|lines| {
        format!(
            "AWS shows a `?` for every non-ASCII character of a template, and this one has `?` in {lines}. Restore the \
            original characters before you change the template. Until you change it, the deployed template is kept."
        )
    });
    tool.into_iter().chain(shown).collect()
}

/// The lines of a template in which AWS may show other characters than it has: each that is not ASCII comes back from
/// `GetTemplate` as `?` (aws-cloudformation/cloudformation-coverage-roadmap#1220).
fn shown_otherwise(template: &str) -> Option<String> {
    let lines = template.lines().enumerate().filter(|(_, line)| line.contains('?')).map(|(at, _)| (at + 1).to_string());
    let lines: Vec<String> = lines.collect();
    match lines.as_slice() {
        [] => None,
        [line] => Some(format!("line {line}")),
        [first, second, third, fourth, more, ..] if lines.len() > 5 => {
            Some(format!("lines {first}, {second}, {third}, {fourth}, {more} and {} others", lines.len() - 5))
        }
        several => Some(format!("lines {}", several.join(", "))),
    }
}

fn large(stacks: &BTreeMap<StackName, FoundStack>) -> Vec<String> {
    let over = stacks.iter().filter(|(_, stack)| stack.template.len() > BODY_MAX);
    over.map(|(name, _)| name.to_string()).collect()
}

/// What stacks made, by what AWS calls it.
fn made(stacks: &BTreeMap<StackName, FoundStack>) -> BTreeSet<&str> {
    let resources = stacks.values().flat_map(|stack| &stack.resources);
    let records = resources.filter(|resource| resource.kind.starts_with("AWS::Route53::"));
    records.filter_map(|resource| resource.physical_id.as_deref()).collect()
}

/// The system's name, as a directory.
fn directory(system: &str) -> String {
    let legal = |c: &char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    let name: String = system.chars().filter(legal).collect();
    // Neither hidden nor one of those that are skipped.
    let plain = name.parse::<ObjectName>().is_ok() && name != "target";
    if plain { name } else { "stacks".to_owned() }
}
