//! From a manifest with references to the inputs of a request.

use std::cell::OnceCell;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::Serialize;

use super::names::{OWNER_TAG, RETAIN_TAG};
use crate::model::{
    DeletionPolicy, Digest, Environment, Fingerprint, FingerprintKey, ImageParameter, Inputs, OutputRef, Parameter,
    SmallMap, StackOptions, StackSpec, Template, Text, Value,
};

/// The largest template that a request may carry in itself (AWS: *CloudFormation quotas*); above it, S3.
pub(super) const BODY_MAX: usize = 51_200;

/// What a reference to an output is worth at the moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Lookup {
    /// This, for good.
    Known(String),
    /// This now, but what it refers to is about to change.
    MayChange(String),
    /// Not known before that stack is ready.
    Pending,
}

/// The inputs, as far as they are known.
pub(super) struct Resolved {
    template: Arc<Template>,
    /// Where the template is uploaded to, if it has to be.
    bucket: Option<String>,
    /// Everything but the template, with placeholders where `pending` is not empty.
    pub(super) options: StackOptions,
    /// Fingerprints of `NoEcho` values.
    pub(super) no_echo: BTreeMap<String, Fingerprint>,
    /// Parameters whose value is known only after apply.
    pub(super) pending: BTreeSet<String>,
    /// Some value may still change: what the plan shows is not final.
    pub(super) uncertain: bool,
    /// Parameters whose value stands in Parameter Store.
    pub(super) stored: BTreeMap<String, Stored>,
    /// All of it, once it was asked for.
    inputs: OnceCell<Arc<Inputs>>,
}

/// What a parameter takes from Systems Manager Parameter Store.
pub(super) struct Stored {
    /// The name there.
    pub(super) name: String,
    /// The value there, where it was read.
    pub(super) value: Option<String>,
}

impl Resolved {
    /// With what stands in Parameter Store: it is part of the inputs, as `CloudFormation` will look it up.
    pub(super) fn taking(self, stored: BTreeMap<String, Stored>) -> Self {
        Self { stored, inputs: OnceCell::new(), ..self }
    }

    /// The request's inputs and their digest. Made when they are asked for: of a stack at rest, nobody does.
    pub(super) fn inputs(&self) -> &Arc<Inputs> {
        self.inputs.get_or_init(|| {
            let known = self.stored.iter().filter_map(|(name, stored)| Some((name.clone(), stored.value.clone()?)));
            let stored: BTreeMap<String, String> = known.collect();
            let mut digest = digest(&self.options, &self.no_echo, &self.template.facts.digest);
            if !self.stored.is_empty() {
                digest = Digest::of(&(&digest, &stored));
            }
            Arc::new(Inputs {
                previous: false,
                body: Arc::clone(&self.template.body),
                upload: self.bucket.clone().map(|bucket| (bucket, uploaded(&self.template))),
                options: self.options.clone(),
                digest,
                no_echo: self.no_echo.clone(),
                stored,
            })
        })
    }
}

/// Fills in what `lookup` knows.
pub(super) fn resolve(
    environment: &Environment,
    spec: &StackSpec,
    key: &FingerprintKey,
    lookup: &dyn Fn(&OutputRef) -> Lookup,
    image: &dyn Fn(&str, &ImageParameter) -> Option<String>,
) -> Resolved {
    let mut reading = Reading { lookup, uncertain: false, incomplete: false };
    let mut pending = BTreeSet::new();
    let mut no_echo: BTreeMap<String, Fingerprint> = BTreeMap::new();
    let mut parameters = SmallMap::new();
    for (name, parameter) in &spec.parameters {
        let value = match parameter {
            Parameter::NoEcho(secret) => {
                no_echo.insert(name.clone(), key.fingerprint(secret.expose()));
                Value::NoEcho(secret.clone())
            }
            Parameter::Previous => Value::Previous,
            Parameter::Plain(text) => {
                if let Some(value) = reading.text(text) {
                    Value::Plain(value)
                } else {
                    pending.insert(name.clone());
                    continue;
                }
            }
        };
        parameters.insert(name.clone(), value);
    }
    for (name, parameter) in &spec.images {
        match image(name, parameter) {
            Some(uri) => _ = parameters.insert(name.clone(), Value::Plain(uri)),
            None => _ = pending.insert(name.clone()),
        }
    }
    let role_arn = spec.role_arn.as_ref().and_then(|text| reading.text(text));
    let notifications: BTreeSet<String> = spec.notifications.iter().filter_map(|text| reading.text(text)).collect();
    let rollback_alarms: BTreeSet<String> = spec.rollback_alarms.iter().filter_map(|text| reading.text(text)).collect();
    let mut tags = SmallMap::new();
    for (name, text) in &spec.tags {
        if let Some(value) = reading.text(text) {
            tags.insert(name.clone(), value);
        }
    }
    tags.insert(OWNER_TAG.to_owned(), spec.key.to_string());
    if spec.deletion_policy == DeletionPolicy::Retain {
        tags.insert(RETAIN_TAG.to_owned(), "true".to_owned());
    }
    let uncertain = reading.uncertain || reading.incomplete;
    let options = StackOptions {
        parameters,
        capabilities: spec.capabilities.clone(),
        tags,
        role_arn,
        notifications,
        rollback_alarms,
        monitoring_minutes: spec.monitoring_minutes,
    };
    let template = Arc::clone(&spec.template);
    let bucket = if template.body.len() > BODY_MAX { environment.template_bucket.clone() } else { None };
    let (stored, inputs) = (BTreeMap::new(), OnceCell::new());
    Resolved { template, bucket, options, no_echo, pending, uncertain, stored, inputs }
}

struct Reading<'a> {
    lookup: &'a dyn Fn(&OutputRef) -> Lookup,
    uncertain: bool,
    incomplete: bool,
}

impl Reading<'_> {
    fn text(&mut self, text: &Text) -> Option<String> {
        if let Some(literal) = text.as_literal() {
            return Some(literal.to_owned());
        }
        let may_change = std::cell::Cell::new(false);
        let value = text.resolve(|reference| match (self.lookup)(reference) {
            Lookup::Known(value) => Some(value),
            Lookup::MayChange(value) => {
                may_change.set(true);
                Some(value)
            }
            Lookup::Pending => None,
        });
        self.uncertain |= may_change.get();
        self.incomplete |= value.is_err();
        value.ok()
    }
}

/// As what a template that is too large for a request is uploaded: content-addressed, so that repeating it is harmless.
fn uploaded(template: &Template) -> String {
    format!("landfast/templates/{}", Digest::of_bytes(template.body.as_bytes()).as_str())
}

/// Equal inputs have equal digests; `NoEcho` values take part as fingerprints.
fn digest(options: &StackOptions, no_echo: &BTreeMap<String, Fingerprint>, template: &Digest) -> Digest {
    #[derive(Serialize)]
    struct Shape<'a> {
        template: &'a Digest,
        parameters: BTreeMap<&'a String, &'a str>,
        no_echo: &'a BTreeMap<String, Fingerprint>,
        #[serde(skip_serializing_if = "BTreeSet::is_empty")]
        previous: BTreeSet<&'a String>,
        capabilities: &'a BTreeSet<String>,
        tags: &'a SmallMap<String>,
        role_arn: &'a Option<String>,
        notifications: &'a BTreeSet<String>,
        rollback_alarms: &'a BTreeSet<String>,
        monitoring_minutes: Option<i32>,
    }
    let parameters = options
        .parameters
        .iter()
        .filter_map(|(name, value)| match value {
            Value::Plain(text) => Some((name, text.as_str())),
            Value::NoEcho(_) | Value::Previous => None,
        })
        .collect();
    let previous = options.parameters.iter().filter(|(_, value)| **value == Value::Previous).map(|(name, _)| name);
    Digest::of(&Shape {
        template,
        parameters,
        no_echo,
        previous: previous.collect(),
        capabilities: &options.capabilities,
        tags: &options.tags,
        role_arn: &options.role_arn,
        notifications: &options.notifications,
        rollback_alarms: &options.rollback_alarms,
        monitoring_minutes: options.monitoring_minutes,
    })
}

/// Digest of the manifest's side alone, references unresolved: what an approval is bound to. Every field of the manifest is
/// named here, so that a new one does not compile before it is decided whether consent covers it.
pub(super) fn spec_digest(spec: &StackSpec, key: &FingerprintKey) -> Digest {
    spec.digest.get(key, || make_spec_digest(spec, key))
}

fn make_spec_digest(spec: &StackSpec, key: &FingerprintKey) -> Digest {
    let StackSpec {
        key: _,
        scope: _,
        stack_name: _,
        template,
        parameters,
        given: _,
        images,
        capabilities,
        tags,
        role_arn,
        termination_protection,
        stack_policy,
        on_failure,
        timeout,
        rollback_alarms,
        monitoring_minutes,
        notifications,
        deletion_policy,
        adopt,
        drift,
        depends_on,
        // Where it is written changes nothing.
        manifest: _,
        template_file: _,
        // What is put up with is not written anywhere: a revert names what it puts back.
        tolerances: _,
        digest: _,
    } = spec;
    let shown = |parameter: &Parameter| match parameter {
        Parameter::Plain(text) => text.to_string(),
        Parameter::NoEcho(secret) => format!("{:?}", key.fingerprint(secret.expose())),
        // No value can be written so: a `$` before a brace is escaped.
        Parameter::Previous => "${previous}".to_owned(),
    };
    let parameters: BTreeMap<_, _> = parameters.iter().map(|(name, parameter)| (name, shown(parameter))).collect();
    let tags: BTreeMap<_, _> = tags.iter().map(|(name, text)| (name, text.to_string())).collect();
    let texts = |texts: &[Text]| texts.iter().map(ToString::to_string).collect::<Vec<_>>();
    let identity = (spec.key.to_string(), spec.address(), deletion_policy, adopt, depends_on);
    let protection = (termination_protection, stack_policy, on_failure, timeout, drift);
    let role = role_arn.as_ref().map(ToString::to_string);
    let watched = (texts(rollback_alarms), monitoring_minutes, texts(notifications));
    Digest::of(&(identity, &template.text, (parameters, images, capabilities, tags, role), protection, watched))
}
