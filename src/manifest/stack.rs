//! `Stack`: its document, and the desired stack that it becomes in an environment.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;

use super::diagnostic::{Problem, Severity, nearest};
use super::document::{ApiVersion, Metadata, Or, ParameterValue, Scalar, duration_or_reference_schema};
use super::drift::DriftDocument;
use super::made::Made;
use super::maker::{At, Maker, Resource, word};
use super::parameters::{joined, torn};
use super::readiness::CheckDocument;
use super::render::Site;
use super::values::{Given, Sources, resolve};
use crate::model::{
    DeletionPolicy, GivenAt, ImageParameter, InvalidName, OnFailure, OnceDigest, Parameter, Place, RoleArn, SmallMap,
    StackName, StackSpec, Template, Text,
};
use crate::yaml::Node;

/// The capabilities that CloudFormation knows.
const CAPABILITIES: [&str; 3] = ["CAPABILITY_IAM", NAMED, EXPAND];
const NAMED: &str = "CAPABILITY_NAMED_IAM";
const EXPAND: &str = "CAPABILITY_AUTO_EXPAND";
const MINUTE: Duration = Duration::from_mins(1);

/// Marks the document as a stack.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
enum StackKind {
    /// A stack.
    Stack,
}

/// A CloudFormation stack, instantiated in every environment that includes this file.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(title = "Landfast stack")]
pub(super) struct StackDocument {
    /// The version of the manifest language.
    #[expect(dead_code, reason = "checked by its type")]
    api_version: ApiVersion,
    /// The kind of document.
    #[expect(dead_code, reason = "checked by its type")]
    kind: StackKind,
    /// The object's metadata.
    #[expect(dead_code, reason = "read from the tree, so that it is known of broken documents too")]
    metadata: Metadata,
    /// The desired state.
    spec: StackDocumentSpec,
}

/// The desired stack. Texts can contain `${env}`, `${system}`, `${account}`, `${region}`, `${values.name}`,
/// `${parameters.Name}` and, where stated, `${stacks.name.outputs.Key}`; `$${` is a literal `${`.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "StackSpec")]
struct StackDocumentSpec {
    /// Its name in CloudFormation; default `{env}-{system}-{name}`.
    #[serde(default)]
    stack_name: Option<String>,
    /// Its template, relative to this file.
    template: String,
    /// Values for the template's parameters; a list becomes a comma-separated text. Stack outputs can be used.
    /// `{ previous: true }` keeps the stack's current value.
    #[serde(default)]
    #[expect(dead_code, reason = "read from the tree, where numbers are as they were written")]
    parameters: BTreeMap<String, ParameterValue>,
    /// Acknowledged capabilities: `CAPABILITY_IAM`, `CAPABILITY_NAMED_IAM`, `CAPABILITY_AUTO_EXPAND`.
    #[serde(default)]
    capabilities: Vec<String>,
    /// Tags, in addition to the environment's. Stack outputs can be used.
    #[serde(default)]
    #[expect(dead_code, reason = "read from the tree, where numbers are as they were written")]
    tags: BTreeMap<String, Scalar>,
    /// The region. Default: the environment's region.
    #[serde(default)]
    #[expect(dead_code, reason = "read from the tree, as for every kind")]
    region: Option<String>,
    /// The service role that CloudFormation uses. Stack outputs can be used.
    #[serde(default)]
    role_arn: Option<String>,
    /// Objects of this environment that must be ready first: a stack by its name, others as `secret/name`. Needed only
    /// for dependencies that no reference shows.
    #[serde(default)]
    #[expect(dead_code, reason = "read from the tree, as for every kind")]
    depends_on: Vec<String>,
    /// Checks that must pass, in addition to its status, before the stack is ready for its dependents.
    #[serde(default)]
    #[expect(dead_code, reason = "read from the tree, as for every kind")]
    ready: Vec<CheckDocument>,
    /// What happens when resources drift.
    #[serde(default)]
    drift: Option<DriftDocument>,
    /// Whether CloudFormation prevents deletion of the stack.
    #[serde(default)]
    termination_protection: Option<Or<bool>>,
    /// A stack policy: a JSON file, relative to this one.
    #[serde(default)]
    stack_policy: Option<String>,
    /// What CloudFormation does when a creation fails: `rollback` (the default), `delete` or `nothing`.
    #[serde(default)]
    on_failure: Option<Or<OnFailure>>,
    /// The timeout of an operation: then a creation fails, and an update is cancelled.
    #[serde(default)]
    #[schemars(schema_with = "duration_or_reference_schema")]
    timeout: Option<String>,
    /// ARNs of CloudWatch alarms that roll a deployment back. Stack outputs can be used.
    #[serde(default)]
    rollback_alarms: Vec<String>,
    /// How long the alarms are monitored after a deployment: up to 180 minutes.
    #[serde(default)]
    #[schemars(schema_with = "duration_or_reference_schema")]
    monitoring_time: Option<String>,
    /// ARNs of SNS topics that get the stack's events. Stack outputs can be used.
    #[serde(default)]
    notifications: Vec<String>,
    /// What happens when this manifest is removed: `delete` (the default), if the environment's policy allows it, or
    /// `retain`.
    #[serde(default)]
    deletion_policy: Option<Or<DeletionPolicy>>,
    /// Adopt an existing stack of this name that has no owner.
    #[serde(default)]
    adopt: Option<Or<bool>>,
}

impl StackDocument {
    /// Where its template is, relative to the manifest. Read from the tree: it is needed before anything is made.
    pub(super) fn template_of(root: &Node) -> Option<&str> {
        root.get("spec")?.get("template")?.text()
    }
}

impl Resource for StackDocument {
    fn make(&self, maker: &mut Maker<'_>) -> Option<Made> {
        self.spec.stack(maker).map(Made::Stack)
    }
}

impl StackDocumentSpec {
    fn stack(&self, maker: &mut Maker<'_>) -> Option<StackSpec> {
        let template = maker.around.members.template(&maker.key.name).cloned();
        let stack_name = self.stack_name(maker);
        let images = template.as_ref().map(|template| images(maker, template)).unwrap_or_default();
        let parameters = parameters(maker, template.as_ref(), &images);
        let given = template.as_ref().map(|template| given(maker, template)).unwrap_or_default();
        let tags = maker.tags();
        let field = maker.at(&["spec", "roleArn"]);
        let role_arn = self.role_arn.as_ref().and_then(|text| maker.open(text, field));
        if let Some(text) = role_arn.as_ref().and_then(Text::as_literal)
            && let Err(why) = text.parse::<RoleArn>()
        {
            maker.wrong(why.to_string(), field);
        }
        let field = maker.at(&["spec", "rollbackAlarms"]);
        let rollback_alarms = maker.texts(&self.rollback_alarms, field);
        let field = maker.at(&["spec", "notifications"]);
        let notifications = maker.texts(&self.notifications, field);
        let capabilities = self.capabilities(maker, template.as_deref());
        let field = maker.at(&["spec", "terminationProtection"]);
        let termination_protection = maker.flag(self.termination_protection.as_ref(), field, "terminationProtection");
        let field = maker.at(&["spec", "onFailure"]);
        let on_failure = maker.choice(self.on_failure.as_ref(), OnFailure::default(), field, "onFailure", &word);
        let field = maker.at(&["spec", "deletionPolicy"]);
        let deletion_policy =
            maker.choice(self.deletion_policy.as_ref(), DeletionPolicy::default(), field, "deletionPolicy", &word);
        let field = maker.at(&["spec", "adopt"]);
        let adopt = maker.flag(self.adopt.as_ref(), field, "adopt");
        let field = maker.at(&["spec", "timeout"]);
        let timeout = maker.duration(self.timeout.as_deref(), field, "timeout", MINUTE..=Duration::MAX);
        let field = maker.at(&["spec", "monitoringTime"]);
        let limits = Duration::ZERO..=180 * MINUTE;
        let monitoring = maker.duration(self.monitoring_time.as_deref(), field, "monitoringTime", limits);
        let field = maker.at(&["spec", "stackPolicy"]);
        let stack_policy = maker.json_file(self.stack_policy.as_deref(), field, "stack policy");
        let tolerances = self.drift.as_ref().map(|drift| drift.tolerances(maker)).unwrap_or_default();
        let drift = self.drift.as_ref().and_then(|drift| drift.action);
        Some(StackSpec {
            digest: OnceDigest::default(),
            key: maker.key.clone(),
            scope: maker.scope(),
            stack_name: stack_name?,
            template: template?,
            template_file: beside(&maker.doc.file, &self.template),
            parameters: parameters?,
            given,
            images,
            capabilities,
            tags: tags.into(),
            role_arn,
            termination_protection,
            stack_policy,
            on_failure,
            timeout,
            rollback_alarms,
            monitoring_minutes: monitoring.and_then(|time| i32::try_from(time.as_secs() / 60).ok()),
            notifications,
            deletion_policy,
            adopt,
            manifest: Place { file: maker.doc.file.clone(), line: maker.doc.span(&["metadata", "name"]).start.line },
            tolerances,
            drift,
            depends_on: BTreeSet::new(),
        })
    }

    fn stack_name(&self, maker: &mut Maker<'_>) -> Option<StackName> {
        if let Some(text) = &self.stack_name {
            let field = maker.at(&["spec", "stackName"]);
            let text = maker.closed(text, field)?;
            let why = match (too_long(&text), text.parse::<StackName>()) {
                (None, Ok(name)) => return Some(name),
                (None, Err(why)) => why.to_string(),
                (Some(long), _) => long,
            };
            maker.wrong(why, field);
            return None;
        }
        let name = format!("{}-{}-{}", maker.environment(), maker.system(), maker.key.name);
        let site = maker.name_site();
        let parsed = name.parse().map_err(|why: InvalidName| {
            let why = too_long(&name).unwrap_or_else(|| why.to_string());
            let problem = maker.error("invalid-value", why, site);
            maker.add(problem.help("the stack's name is `{env}-{system}-{name}`; `stackName` gives it another one"));
        });
        parsed.ok()
    }

    fn capabilities(&self, maker: &mut Maker<'_>, template: Option<&Template>) -> BTreeSet<String> {
        let (mut known, mut wrong) = (BTreeSet::new(), false);
        let fields = maker.at(&["spec", "capabilities"]);
        for (text, at) in self.capabilities.iter().zip(fields.items()) {
            let Some(text) = maker.closed(text, at) else { continue };
            if CAPABILITIES.contains(&text.as_str()) {
                known.insert(text);
            } else {
                wrong = true;
                let message = format!("`{text}` is not a capability; known: {}", CAPABILITIES.join(", "));
                let problem = maker.error("invalid-value", message, at).suggest(&text, CAPABILITIES);
                maker.add(problem);
            }
        }
        if let Some(template) = template.filter(|_| !wrong) {
            missing_capability(maker, template, &known, fields);
        }
        known
    }
}

/// That a stack's name has too many characters.
fn too_long(name: &str) -> Option<String> {
    let length = name.chars().count();
    (length > 128).then(|| format!("this stack name has {length} characters; CloudFormation takes at most 128"))
}

/// CloudFormation refuses a template whose capabilities are not acknowledged: that is known before anything is created.
fn missing_capability(maker: &mut Maker<'_>, template: &Template, given: &BTreeSet<String>, fields: At<'_>) {
    let lacks = |capability: &str| !given.contains(capability) && !given.contains(NAMED);
    let of_iam = template.capabilities.iter().filter(|needed| lacks(needed.capability));
    // What is there for certain before what may be, and the wider capability before the other, which it includes.
    let needed = of_iam.min_by_key(|needed| (needed.conditional, needed.capability != NAMED));
    let (capability, why, certain) = match needed {
        Some(needed) => {
            let what = if needed.capability == NAMED { "an IAM resource with a name" } else { "an IAM resource" };
            (needed.capability, format!("`{}` is {what}", needed.resource), !needed.conditional)
        }
        None if template.has_transform && !given.contains(EXPAND) => {
            (EXPAND, "it has a transform or a macro".to_owned(), true)
        }
        None => return,
    };
    let at = if fields.is_given() { fields } else { maker.at(&["spec", "template"]) };
    let message = format!("the template needs `{capability}`: {why}");
    let problem = maker.error("missing-capability", message, at);
    let mut all: Vec<&str> = given.iter().map(String::as_str).collect();
    all.push(capability);
    let problem = problem.help(format!("acknowledge it: `capabilities: [{}]`", all.join(", ")));
    let severity = if certain { Severity::Error } else { Severity::Warning };
    maker.add(Problem { severity, ..problem });
}

/// A path relative to a file, as a path relative to the root.
fn beside(file: &str, path: &str) -> String {
    let mut parts: Vec<&str> = file.split('/').collect();
    parts.pop();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => _ = parts.pop(),
            part => parts.push(part),
        }
    }
    parts.join("/")
}

/// The parameters whose values are the images of services. What cannot be one is reported where the service says so.
fn images(maker: &Maker<'_>, template: &Template) -> SmallMap<ImageParameter> {
    let delivered = maker.around.deliveries.get(&maker.key.name).into_iter().flatten();
    let declared = delivered.filter(|(name, _)| template.parameters.contains_key(*name));
    declared.map(|(name, (owner, _))| (name.clone(), owner.clone())).collect()
}

/// Where the values of parameters are given: in the manifest, in what the manifest refers to, or in the parameter file.
fn given(maker: &Maker<'_>, template: &Template) -> Box<[(String, GivenAt)]> {
    let (doc, env) = (maker.doc, maker.around.env);
    let at =
        |file: &Arc<str>, line: usize, field: String| GivenAt { place: Place { file: Arc::clone(file), line }, field };
    let in_file = |name: &str| {
        let (file, entry) = (env.parameter_file.as_ref()?, env.parameters.get(name)?);
        Some(at(file, entry.key_span.start.line, format!("Parameters.{name}")))
    };
    let of = |name: &String| {
        let field = maker.at(&["spec", "parameters"]).entries().iter().find(|entry| entry.key == *name);
        let Some(entry) = field else { return in_file(name) };
        let text = joined(&entry.value).unwrap_or_default();
        let inside = text.strip_prefix("${").and_then(|rest| rest.strip_suffix('}')).map(str::trim);
        let referred = inside.and_then(|inside| match inside.split_once('.')? {
            ("parameters", name) => in_file(name),
            ("values", name) => {
                let path: Vec<&str> = ["spec", "values"].into_iter().chain(name.split('.')).collect();
                env.values.contains_key(name).then(|| at(&env.doc.file, env.doc.span(&path).start.line, path.join(".")))
            }
            _ => None,
        });
        Some(referred.unwrap_or_else(|| at(&doc.file, entry.key_span.start.line, format!("spec.parameters.{name}"))))
    };
    template.parameters.keys().filter_map(|name| Some((name.clone(), of(name)?))).collect()
}

/// An unknown parameter may be a misspelt secret, unless it is a misspelling of something else.
fn may_be_secret(name: &str, template: &Template) -> bool {
    if template.parameters.contains_key(name) {
        return false;
    }
    let secret = |name: &str| template.parameters.get(name).is_none_or(|declared| declared.no_echo);
    nearest(name, template.parameters.keys().map(String::as_str)).is_none_or(secret)
}

fn parameters(
    maker: &mut Maker<'_>,
    template: Option<&Arc<Template>>,
    images: &SmallMap<ImageParameter>,
) -> Option<SmallMap<Parameter>> {
    let doc = maker.doc;
    let fields = maker.at(&["spec", "parameters"]);
    let Some(template) = template else {
        // It cannot be told which of them are secret.
        maker.out.masks.extend(fields.entries().iter().map(|entry| (Arc::clone(&doc.file), entry.value.span)));
        return None;
    };
    let mut given = BTreeMap::new();
    for entry in fields.entries() {
        let site = Site::of(doc, &entry.value);
        let secret = template.parameters.get(&entry.key).is_some_and(|declared| declared.no_echo);
        if secret || may_be_secret(&entry.key, template) {
            maker.out.masks.push((Arc::clone(&doc.file), entry.value.span));
        }
        if let Some(flag) = entry.value.get("previous") {
            if flag.as_scalar().and_then(crate::yaml::Scalar::as_bool) != Some(true) {
                let message = format!("`previous` of the parameter `{}` can only be `true`", entry.key);
                let problem = Problem::error("invalid-value", message, &doc.file, flag.span);
                maker.out.problems.push(problem.help("set the value instead"));
            }
            given.insert(
                entry.key.as_str(),
                Given { kept: true, rendered: None, many: false, site, key_span: entry.key_span },
            );
            continue;
        }
        maker.out.problems.extend(torn(&entry.key, &entry.value, &doc.file));
        let text = joined(&entry.value).unwrap_or_default();
        let rendered = maker.rendered(&text, At::of(entry));
        if secret && let Some(rendered) = &rendered {
            for value in &rendered.values {
                let path: Vec<&str> = ["spec", "values"].into_iter().chain(value.split('.')).collect();
                let doc = &maker.around.env.doc;
                maker.out.masks.push((Arc::clone(&doc.file), doc.span(&path)));
            }
        }
        let many = !entry.value.items().is_empty();
        given.insert(entry.key.as_str(), Given { kept: false, rendered, many, site, key_span: entry.key_span });
    }
    let at = maker.at(&["spec", "template"]);
    let owner = maker.site(at);
    let sources = Sources {
        path: maker.around.env.parameter_file.as_ref(),
        file: &maker.around.env.parameters,
        secrets: maker.around.secrets,
        images,
    };
    let resolved = resolve(template, given, &sources, owner, maker.patterns);
    maker.out.problems.extend(resolved.problems);
    maker.out.used.extend(resolved.used);
    Some(resolved.values.into())
}
