//! Our requests in the SDK's words.
//!
//! Whatever a manifest leaves out is said as "none" rather than left out, because `CloudFormation` keeps the previous
//! value of what an update does not mention (AWS: *`CreateChangeSet`*, `Tags`, `NotificationARNs`; *Rollback
//! configuration*).

use std::collections::BTreeSet;
use std::time::Duration;

use aws_sdk_cloudformation::types::{Capability, OnFailure, Parameter, RollbackConfiguration, RollbackTrigger, Tag};

use crate::model::{self, Redacted, SmallMap, StackOptions, Value};
use crate::ports::TemplateSource;

pub(super) fn parameters(values: &SmallMap<Value>) -> Vec<Parameter> {
    let one = |(key, value): (&String, &Value)| {
        let parameter = Parameter::builder().parameter_key(key);
        match value {
            Value::Plain(text) => parameter.parameter_value(text),
            Value::NoEcho(secret) => parameter.parameter_value(secret.expose()),
            Value::Previous => parameter.use_previous_value(true),
        }
        .build()
    };
    values.iter().map(one).collect()
}

/// The values that no error may repeat.
pub(super) fn secrets(values: &SmallMap<Value>) -> Vec<&Redacted> {
    let secrets = values.values().filter_map(|value| match value {
        Value::Plain(_) | Value::Previous => None,
        Value::NoEcho(secret) => Some(secret),
    });
    secrets.collect()
}

pub(super) fn capabilities(names: &BTreeSet<String>) -> Vec<Capability> {
    names.iter().map(|name| Capability::from(name.as_str())).collect()
}

/// A list that is left out where there is nothing in it.
pub(super) fn some(names: &BTreeSet<String>) -> Option<Vec<String>> {
    (!names.is_empty()).then(|| names.iter().cloned().collect())
}

pub(super) fn tags(tags: &SmallMap<String>) -> Vec<Tag> {
    tags.iter().map(|(key, value)| Tag::builder().key(key).value(value).build()).collect()
}

/// Body and URL, one of them set unless the deployed template is used again.
pub(super) fn template(source: &TemplateSource) -> (Option<String>, Option<String>) {
    match source {
        TemplateSource::Body(body) => (Some(body.as_ref().to_owned()), None),
        TemplateSource::Url(url) => (None, Some(url.clone())),
        TemplateSource::Previous => (None, None),
    }
}

pub(super) fn rollback(options: &StackOptions) -> RollbackConfiguration {
    let trigger = |arn: &String| RollbackTrigger::builder().arn(arn).r#type("AWS::CloudWatch::Alarm").build();
    RollbackConfiguration::builder()
        .set_rollback_triggers(Some(options.rollback_alarms.iter().map(trigger).collect()))
        .monitoring_time_in_minutes(options.monitoring_minutes.unwrap_or(0))
        .build()
}

pub(super) fn on_failure(choice: model::OnFailure) -> OnFailure {
    match choice {
        model::OnFailure::Rollback => OnFailure::Rollback,
        model::OnFailure::Delete => OnFailure::Delete,
        model::OnFailure::Nothing => OnFailure::DoNothing,
    }
}

/// Whole minutes, rounded up, at least one.
pub(super) fn minutes(timeout: Duration) -> i32 {
    i32::try_from(timeout.as_secs().div_ceil(60)).unwrap_or(i32::MAX).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_timeout_is_whole_minutes_and_never_none() {
        for (seconds, expected) in [(0, 1), (1, 1), (60, 1), (61, 2), (3600, 60), (u64::MAX, i32::MAX)] {
            assert_eq!(minutes(Duration::from_secs(seconds)), expected, "{seconds} s");
        }
    }
}
