//! What AWS refuses at the door: templates, parameters, capabilities (AWS: *`CreateStack`*, *`CreateChangeSet`*).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::evaluate::UNKNOWN;
use super::limit::Refusal;
pub(super) use super::limit::invalid;
use super::reader::Parsed;
use super::stack::Submission;
use super::world::World;
use super::{quotas, resource};
use crate::model::{SmallMap, StackOptions, Value};
use crate::ports::{Class, PortError, TemplateSource};

/// The most that a template may have in the request itself.
const BODY_LIMIT: usize = 51_200;
/// The most that a template may have in S3.
const OBJECT_LIMIT: usize = 1_048_576;

/// `ValidationError` for the state that something is in.
pub(super) fn conflict(operation: &'static str, message: impl Into<String>) -> PortError {
    PortError::new(Class::Conflict, operation, message).with_code("ValidationError")
}

impl World {
    /// What a stack is to become by a request, or why AWS refuses it.
    pub(super) fn accept(
        &mut self,
        region: usize,
        operation: &'static str,
        template: &TemplateSource,
        options: StackOptions,
    ) -> Result<Submission, PortError> {
        let template = self.template_of(operation, template)?;
        let processed = self.process(region, &template, &options.parameters);
        let processed = processed.map_err(|refusal| refusal.of(operation))?;
        let parsed =
            self.parsed(processed.as_ref().unwrap_or(&template)).map_err(|reason| invalid(operation, reason))?;
        check_modules(&parsed).map_err(|refusal| refusal.of(operation))?;
        let parameters = self.parameters_of(region, operation, &parsed, &options.parameters)?;
        self.check_rules(region, &parsed, &parameters).map_err(|refusal| refusal.of(operation))?;
        // Without a change set in between, a template is executed at once.
        let expands = processed.is_some() && operation != "CreateChangeSet";
        check_capabilities(operation, &parsed, &options.capabilities, expands)?;
        // AWS: Tag, at most 50 a stack; keys of AWS's own are refused.
        if options.tags.len() > 50 {
            return Err(invalid(
                operation,
                "1 validation error detected: Member must have length less than or equal to 50",
            ));
        }
        if options.tags.keys().any(|key| key.to_ascii_lowercase().starts_with("aws:")) {
            return Err(invalid(operation, "aws: prefixed tag key names are not allowed for external use."));
        }
        let StackOptions { tags, role_arn, notifications, rollback_alarms, monitoring_minutes, capabilities, .. } =
            options;
        Ok(Submission {
            template,
            processed,
            parameters,
            tags,
            role_arn,
            notifications,
            rollback_alarms,
            monitoring_minutes,
            capabilities,
        })
    }

    fn template_of(&self, operation: &'static str, source: &TemplateSource) -> Result<Arc<str>, PortError> {
        match source {
            TemplateSource::Body(body) if body.len() > BODY_LIMIT => Err(invalid(
                operation,
                "1 validation error detected: Value at 'templateBody' failed to satisfy constraint: Member must have length less than or equal to 51200",
            )),
            TemplateSource::Body(body) => Ok(Arc::clone(body)),
            TemplateSource::Previous => Err(invalid(operation, "UsePreviousTemplate is not valid for a new stack")),
            TemplateSource::Url(url) => {
                let Some(body) = self.object(url) else {
                    let bucket = bucket(url).filter(|bucket| !self.data.objects.contains_key(*bucket));
                    return Err(match bucket {
                        Some(bucket) => {
                            let limit = format!("read the template {url}: it has no bucket {bucket}");
                            Refusal::cannot(limit).of(operation)
                        }
                        None => invalid(operation, "S3 error: The specified key does not exist."),
                    });
                };
                if body.len() > OBJECT_LIMIT {
                    return Err(invalid(operation, "Template may not exceed 1000000 bytes in size."));
                }
                Ok(body)
            }
        }
    }

    /// What is in S3 under a URL, in either style.
    pub(super) fn object(&self, url: &str) -> Option<Arc<str>> {
        let (url, query) = url.split_once('?').map_or((url, None), |(url, query)| (url, Some(query)));
        let version = query.and_then(|query| query.strip_prefix("versionId="));
        let (bucket, key) = place(url)?;
        self.object_version(bucket, key, version)
    }

    fn parameters_of(
        &self,
        region: usize,
        operation: &'static str,
        parsed: &Parsed,
        given: &SmallMap<Value>,
    ) -> Result<BTreeMap<String, String>, PortError> {
        let unknown: Vec<&str> =
            given.keys().filter(|name| !parsed.parameters.contains_key(*name)).map(String::as_str).collect();
        if !unknown.is_empty() {
            return Err(invalid(
                operation,
                format!("Parameters: [{}] do not exist in the template", unknown.join(", ")),
            ));
        }
        let mut values = BTreeMap::new();
        let mut missing = Vec::new();
        for (name, decl) in &parsed.parameters {
            let value = match given.get(name) {
                Some(Value::Plain(value)) => value.clone(),
                Some(Value::NoEcho(value)) => value.expose().to_owned(),
                Some(Value::Previous) => {
                    return Err(invalid(operation, format!("Parameter {name} has no previous value")));
                }
                None => {
                    let Some(default) = &decl.default else {
                        missing.push(name.as_str());
                        continue;
                    };
                    default.clone()
                }
            };
            if value.contains(UNKNOWN) {
                // What is known only after the update is checked then.
                values.insert(name.clone(), value);
                continue;
            }
            // AWS: *CloudFormation quotas*, parameter values.
            if value.len() > quotas::VALUE {
                let message = format!(
                    "1 validation error detected: Value of parameter {name} failed to satisfy constraint: Member must \
                    have length less than or equal to 4096"
                );
                return Err(invalid(operation, message));
            }
            if !decl.allowed.is_empty() && !decl.allowed.contains(&value) {
                return Err(invalid(operation, format!("Parameter '{name}' must be one of AllowedValues")));
            }
            if decl.kind == "Number" && value.parse::<f64>().is_err() {
                return Err(invalid(operation, format!("Parameter '{name}' must be a number.")));
            }
            decl.check(name, &value).map_err(|refusal| refusal.of(operation))?;
            if decl.is_stored() && self.in_store(region, &value).is_none() {
                return Err(invalid(
                    operation,
                    format!("Unable to fetch parameters [{value}] from parameter store for this account."),
                ));
            }
            values.insert(name.clone(), value);
        }
        if !missing.is_empty() {
            return Err(invalid(operation, format!("Parameters: [{}] must have values", missing.join(", "))));
        }
        Ok(values)
    }
}

/// Bucket and key that a URL names, in either style.
fn place(url: &str) -> Option<(&str, &str)> {
    let (host, path) = url.strip_prefix("https://")?.split_once('/')?;
    match host.split_once(".s3") {
        Some((bucket, _)) => Some((bucket, path)),
        None => path.split_once('/'),
    }
}

fn bucket(url: &str) -> Option<&str> {
    place(url).map(|(bucket, _)| bucket)
}

/// A module is what somebody registered in the account, which is not there (AWS: *`CloudFormation` modules*).
fn check_modules(parsed: &Parsed) -> Result<(), Refusal> {
    let module = parsed.resources.iter().find(|(_, decl)| decl.kind.ends_with("::MODULE"));
    module.map_or(Ok(()), |(name, decl)| Err(Refusal::cannot(format!("expand {name}: the module {}", decl.kind))))
}

/// AWS: *Acknowledging IAM resources in `CloudFormation` templates*. A macro needs to be acknowledged only where nobody
/// can look at its result before it is executed.
fn check_capabilities(
    operation: &'static str,
    parsed: &Parsed,
    given: &BTreeSet<String>,
    expands: bool,
) -> Result<(), PortError> {
    let has = |capability: &str| given.contains(capability);
    let iam = parsed.resources.values().filter(|decl| resource::is_iam(&decl.kind));
    let named = |kind: &str, properties: &serde_json::Value| {
        resource::name_property(kind).is_some_and(|property| properties.get(property).is_some())
    };
    let mut required = None;
    for decl in iam {
        if named(&decl.kind, &decl.properties) {
            if !has("CAPABILITY_NAMED_IAM") {
                required = Some("CAPABILITY_NAMED_IAM");
            }
        } else if required.is_none() && !has("CAPABILITY_IAM") && !has("CAPABILITY_NAMED_IAM") {
            required = Some("CAPABILITY_IAM");
        }
    }
    if required.is_none() && expands && !has("CAPABILITY_AUTO_EXPAND") {
        required = Some("CAPABILITY_AUTO_EXPAND");
    }
    match required {
        None => Ok(()),
        Some(capability) => {
            Err(PortError::new(Class::Invalid, operation, format!("Requires capabilities : [{capability}]"))
                .with_code("InsufficientCapabilitiesException"))
        }
    }
}
