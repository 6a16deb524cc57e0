//! Values in Systems Manager Parameter Store that a stack takes. `CloudFormation` looks them up at every creation and
//! update, and at no other time (AWS: *SSM parameter types*): a value that changed reaches the stack with its next update.

use std::collections::BTreeMap;

use super::{Deciding, refuse};
use crate::model::{Action, Entry, Guard, Need, Refusal, Seen, Value, Waiting};
use crate::plan::resolve::{Resolved, Stored};

impl Deciding<'_> {
    /// The parameters whose value stands in Parameter Store, with what stands there now, as far as it was read.
    pub(super) fn stored(&self, resolved: &Resolved) -> BTreeMap<String, Stored> {
        let declared = self.spec.template.parameters.iter().filter(|(_, declared)| declared.is_stored());
        let stored = declared.filter_map(|(parameter, declared)| {
            let name = match resolved.options.parameters.get(parameter) {
                Some(Value::Plain(name)) => name.clone(),
                Some(Value::Previous) => self.deployed_parameter(parameter)?,
                Some(Value::NoEcho(_)) => return None,
                None if resolved.pending.contains(parameter) => return None,
                None => declared.default.clone()?,
            };
            let place = (self.spec.scope.clone(), name.clone());
            let seen = self.planner.input.observation.stored.get(&place);
            if seen.is_none() {
                self.planner.need(Need::Stored(place.0, place.1));
            }
            Some((parameter.clone(), Stored { name, value: seen.and_then(Seen::present).cloned() }))
        });
        stored.collect()
    }

    fn deployed_parameter(&self, name: &str) -> Option<String> {
        let stack = self.planner.input.observation.stack(&self.spec.address());
        stack.present()?.state.parameters.get(name).cloned()
    }

    /// A value is not there, or it is not known what it is: AWS would refuse the request, or nobody could say what was
    /// agreed to.
    pub(super) fn lacks_stored_values(&self, entry: &mut Entry, resolved: &Resolved) -> bool {
        let mut lacks = false;
        for (parameter, Stored { name, value }) in &resolved.stored {
            if value.is_some() {
                continue;
            }
            lacks = true;
            let why = match self.planner.input.observation.stored.get(&(self.spec.scope.clone(), name.clone())) {
                Some(Seen::Absent) => {
                    let reason = format!("Parameter Store has no {name}, which parameter {parameter} uses");
                    let release = format!("`aws ssm put-parameter --name {name} …`, or use another name");
                    refuse(entry, Refusal { guard: Guard::Missing, reason, release });
                    continue;
                }
                Some(Seen::Unknown(why)) => format!("{name} in Parameter Store could not be read: {why}"),
                Some(Seen::Present(_)) | None => format!("{name} in Parameter Store has not been read"),
            };
            entry.action = Action::Unknown;
            entry.waiting.push(Waiting::Unknown { why });
        }
        lacks
    }
}
