//! What would be sent to CloudFormation now, as far as it is known.

use std::collections::BTreeMap;

use super::drift::{HIDDEN, shown};
use super::planner::Planner;
use super::{Input, stack};
use crate::model::{Rendered, RenderedValue, StackSpec, Value, ValueSource};

/// The stacks of an environment as they would be sent now.
#[must_use]
pub fn rendered(input: &Input<'_>) -> Vec<Rendered> {
    let planner = Planner::new(input);
    input.environment.stacks.values().map(|spec| one(&planner, spec)).collect()
}

fn one(planner: &Planner<'_>, spec: &StackSpec) -> Rendered {
    let resolved = stack::resolved(planner, spec);
    let options = &resolved.options;
    let parameters: BTreeMap<String, RenderedValue> = spec
        .template
        .parameters
        .iter()
        .map(|(name, declared)| {
            let of = |from, value: Option<&String>| {
                let value = value.map(|value| shown(spec, "", name, value));
                let hidden = declared.no_echo || value.as_deref() == Some(HIDDEN);
                if hidden && !matches!(from, ValueSource::Previous | ValueSource::AfterApply) {
                    return RenderedValue { from: ValueSource::Hidden, value: None };
                }
                RenderedValue { from, value }
            };
            let value = match options.parameters.get(name) {
                _ if resolved.pending.contains(name) => of(ValueSource::AfterApply, None),
                Some(Value::Plain(value)) => of(ValueSource::Manifest, Some(value)),
                Some(Value::NoEcho(_)) => of(ValueSource::Hidden, None),
                Some(Value::Previous) => of(ValueSource::Previous, None),
                None => of(ValueSource::Default, declared.default.as_ref()),
            };
            (name.clone(), value)
        })
        .collect();
    Rendered {
        object: spec.key.clone(),
        stack_name: spec.stack_name.to_string(),
        account: spec.scope.account.to_string(),
        region: spec.scope.region.to_string(),
        template_file: spec.template_file.clone(),
        template: std::sync::Arc::clone(&spec.template.body),
        parameters,
        tags: options.tags.clone().into_iter().collect(),
        capabilities: options.capabilities.clone(),
        role_arn: options.role_arn.clone(),
        notifications: options.notifications.clone(),
        rollback_alarms: options.rollback_alarms.clone(),
        monitoring_minutes: options.monitoring_minutes,
        termination_protection: spec.termination_protection,
        stack_policy: spec.stack_policy.clone(),
    }
}
