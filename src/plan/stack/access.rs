//! Access that a change of a stack gives to somebody who did not have it, and the values that it changes.
//!
//! The desired template is compared with the deployed one, each with its parameters as far as they are known. What a
//! change set says beside that is of use in two places: what it does not touch does not change, and what a transform
//! has made, or a nested stack has, is in no template.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value as Json;

use super::Deciding;
use crate::model::{
    Broadening, ChangeAction, ChangeSetState, Changes, DeploymentMode, Entry, Finding, NESTED_STACK, ObservedStack,
    ResourceChange, Seen, StackNeed, StackState, TemplateFacts, Value, ValueChange,
};
use crate::plan::resolve::Resolved;
use crate::plan::{drift, guard};
use crate::template::{self, Evaluated, Filled, Known, Tree, Values};

/// Stands for the resources that a transform makes of a template.
const TRANSFORM: &str = "(transform)";

/// The two sides of a change; a new stack has one.
pub(super) struct Sides {
    before: Option<Arc<Filled>>,
    after: Arc<Filled>,
}

impl Deciding<'_> {
    /// What a new stack gives access to: everything in it is new.
    pub(super) fn opens(&self, entry: &mut Entry, resolved: &Resolved) {
        if !self.spec.template.facts.gives_access {
            return;
        }
        let after = template::filled(&self.spec.template.body, self.desired(resolved, None));
        entry.broadenings = Sides { before: None, after }.broadenings();
    }

    /// What an update of a stack gives access to. `Err`: the deployed template has to be read first, or cannot be.
    pub(super) fn sides(
        &self,
        stack: &ObservedStack,
        deployed: &TemplateFacts,
        resolved: &Resolved,
    ) -> Result<Option<Sides>, String> {
        let wanted = &self.spec.template;
        let shows = guard::is_observed_only(self.planner.input.environment);
        if !wanted.facts.gives_access && !deployed.gives_access && !shows {
            return Ok(None);
        }
        let same = deployed.digest == wanted.facts.digest;
        let deployed = if same { &*wanted.body } else { self.text(stack)? };
        let was = self.deployed_values(&stack.state, &Tree::read(deployed));
        let becomes = self.desired(resolved, Some(&stack.state));
        Ok(Some(Sides {
            before: Some(template::filled(deployed, was)),
            after: template::filled(&wanted.body, becomes),
        }))
    }

    fn text<'b>(&self, stack: &'b ObservedStack) -> Result<&'b str, String> {
        match &stack.text {
            Some(Seen::Present(text)) => Ok(text),
            Some(Seen::Absent) => Err("its template no longer exists".to_owned()),
            Some(Seen::Unknown(why)) => Err(format!("its template could not be read: {why}")),
            None => {
                self.planner.need(StackNeed::Text(self.spec.address(), stack.state.id.clone()));
                Err("its template has not been read".to_owned())
            }
        }
    }

    /// What the change set at hand says of it.
    pub(super) fn judge_access(&self, entry: &mut Entry, set: &ChangeSetState, sides: Option<&Sides>) {
        if set.mode == DeploymentMode::RevertDrift {
            return;
        }
        entry.broadenings.retain(|one| set.changes.iter().any(|change| change.resource == one.resource));
        // What is in a nested stack is judged by the changes of its own, where there is a change set that says them.
        let followed = |change: &ResourceChange| {
            change.kind == NESTED_STACK && change.action == ChangeAction::Modify && change.unknown.is_none()
        };
        let is_followed =
            |one: &Broadening| set.changes.iter().any(|change| change.resource == one.resource && followed(change));
        entry.broadenings.retain(|one| !is_followed(one));
        self.judge_unwritten(entry, set, sides);
        entry.broadenings.sort();
        entry.broadenings.dedup();
    }

    /// What is in no template, or not as it is done: what a transform has made, and what is in a nested stack.
    fn judge_unwritten(&self, entry: &mut Entry, set: &ChangeSetState, sides: Option<&Sides>) {
        let wanted = &self.spec.template;
        // What was compared is what is seen: with its values, more loops can be unrolled than by the template alone.
        let written = |change: &ResourceChange| {
            let kind = match sides {
                Some(sides) => sides.after.resources.get(&change.resource).map(|resource| &resource.kind),
                None => wanted.resources.get(&change.resource).map(|resource| &resource.kind),
            };
            kind == Some(&change.kind)
        };
        let generated = sides.map_or(wanted.facts.generated, Sides::is_transformed);
        let seen = |change: &&ResourceChange| !generated && (written(change) || change.action == ChangeAction::Remove);
        for change in set.changes.iter().filter(|change| !seen(change)) {
            match of_context(change, set) {
                Some(found) => {
                    entry.broadenings.retain(|one| one.resource != change.resource);
                    entry.broadenings.extend(found);
                }
                None if !written(change) => entry.broadenings.extend(not_said(change)),
                None => {}
            }
        }
    }

    /// What putting drift back gives access to: from what there is to what was deployed.
    pub(super) fn puts_back(
        &self,
        entry: &mut Entry,
        stack: &ObservedStack,
        resolved: Option<&Resolved>,
        findings: &[Finding],
    ) {
        let described = stack.change_sets.as_ref().and_then(|sets| sets.described.as_ref());
        let Some(Seen::Present(set)) = described else { return };
        if !matches!(entry.changes, Changes::Known(_)) {
            return;
        }
        let deployed = resolved
            .map(|resolved| template::filled(&self.spec.template.body, self.desired(resolved, Some(&stack.state))));
        let deployed = |name: &String| deployed.as_ref().and_then(|deployed| deployed.resources.get(name));
        entry.broadenings = set
            .changes
            .iter()
            .flat_map(|change| {
                let of_context = of_context(change, set);
                let of_findings = || of_findings(change, deployed(&change.resource), findings);
                of_context.or_else(of_findings).unwrap_or_else(|| not_said(change))
            })
            .collect();
    }

    /// Values that are changed, as AWS says or as the templates do; nothing that must not be shown.
    pub(super) fn shown(&self, changes: &[ResourceChange], sides: Option<&Sides>) -> Vec<ResourceChange> {
        let with_values = |change: &ResourceChange| {
            let values = if change.values.is_empty() { predicted(change, sides) } else { change.values.clone() };
            let hide = |path: &str, value: &String| drift::shown(self.spec, &change.kind, path, value);
            let values = values.into_iter().map(|value| ValueChange {
                before: value.before.as_ref().map(|text| hide(&value.path, text)),
                after: value.after.as_ref().map(|text| hide(&value.path, text)),
                path: value.path,
            });
            ResourceChange { values: values.collect(), ..change.clone() }
        };
        changes.iter().map(with_values).collect()
    }

    // ---- what the two sides are evaluated with ----

    fn values(&self, parameters: BTreeMap<String, Known>) -> Values {
        let address = self.spec.address();
        Values {
            parameters,
            account: address.scope.account.to_string(),
            region: address.scope.region.to_string(),
            stack: address.name.to_string(),
        }
    }

    fn desired(&self, resolved: &Resolved, state: Option<&StackState>) -> Values {
        let deployed =
            self.memory.no_echo.as_ref().filter(|(version, _)| state.is_some_and(|state| state.version() == *version));
        let same = |name: &String| {
            let known = deployed.and_then(|(_, known)| known.get(name));
            known.is_some() && known == resolved.no_echo.get(name)
        };
        let mut parameters = BTreeMap::new();
        for (name, declared) in &self.spec.template.parameters {
            let known = match resolved.options.parameters.get(name) {
                _ if resolved.pending.contains(name) => Known::AfterApply,
                Some(Value::Plain(text)) if !declared.no_echo => Known::Text(text.clone()),
                Some(Value::NoEcho(_) | Value::Plain(_)) if same(name) || state.is_none() => Known::Secret,
                Some(Value::NoEcho(_) | Value::Plain(_)) => Known::NewSecret,
                Some(Value::Previous) | None if declared.no_echo => Known::Secret,
                Some(Value::Previous) => match state.and_then(|state| state.parameters.get(name)) {
                    Some(text) => Known::Text(text.clone()),
                    None => Known::Secret,
                },
                None => continue,
            };
            parameters.insert(name.clone(), known);
        }
        self.values(parameters)
    }

    /// The deployed parameters. `DescribeStacks` has those with defaults too, and shows no secret ones.
    fn deployed_values(&self, state: &StackState, tree: &Tree) -> Values {
        let masked = |text: &str| !text.is_empty() && text.chars().all(|letter| letter == '*');
        let secret = |name: &str, text: &str| tree.hides(name) || masked(text);
        let known = |(name, text): (&String, &String)| {
            let known = if secret(name, text) { Known::Secret } else { Known::Text(text.clone()) };
            (name.clone(), known)
        };
        self.values(state.parameters.iter().map(known).collect())
    }
}

impl Sides {
    fn is_transformed(&self) -> bool {
        self.after.transformed || self.before.as_ref().is_some_and(|before| before.transformed)
    }

    /// What is given that was not.
    pub(super) fn broadenings(&self) -> Vec<Broadening> {
        let mut found = template::given(self.before.as_deref(), &self.after).to_vec();
        if self.is_transformed() {
            let why = "the template uses a transform; its resources are unknown until CloudFormation has processed it";
            found.push(template::unseen(TRANSFORM, "AWS::CloudFormation::Macro", why));
        }
        found
    }
}

/// By what AWS says of a resource as a whole. `None`: it does not.
fn of_context(change: &ResourceChange, set: &ChangeSetState) -> Option<Vec<Broadening>> {
    let context = set.contexts.get(&change.resource)?;
    let properties = |text: &Option<String>| {
        let whole: Json = serde_json::from_str(text.as_ref()?).ok()?;
        Some(whole.get("Properties").cloned().unwrap_or(whole))
    };
    let (before, after) = (properties(&context.before), properties(&context.after));
    let found = match change.action {
        ChangeAction::Sync => return Some(Vec::new()),
        ChangeAction::Remove if !change.kind.ends_with("Policy") => return Some(Vec::new()),
        ChangeAction::Remove => {
            template::broadened_resource(&change.resource, &change.kind, Some(&before?), &Json::default())
        }
        ChangeAction::Add => template::broadened_resource(&change.resource, &change.kind, None, &after?),
        ChangeAction::Modify | ChangeAction::Import | ChangeAction::Dynamic => {
            template::broadened_resource(&change.resource, &change.kind, Some(&before?), &after?)
        }
    };
    Some(found)
}

/// By what drift was found of it. `None`: what was found is not where the template has something.
fn of_findings(change: &ResourceChange, deployed: Option<&Evaluated>, findings: &[Finding]) -> Option<Vec<Broadening>> {
    let deployed = deployed?;
    let mine: Vec<&Finding> =
        findings.iter().filter(|finding| finding.resource.as_deref() == Some(&change.resource)).collect();
    if mine.is_empty() {
        return None;
    }
    if mine.iter().any(|finding| finding.property.is_none()) {
        return Some(template::broadened_resource(&change.resource, &change.kind, None, &deployed.properties));
    }
    let mut live = deployed.properties.clone();
    for finding in mine {
        let (path, value) = (finding.property.as_deref()?, finding.live.as_deref()?);
        if value == drift::HIDDEN {
            return None;
        }
        put(&mut live, path, value, finding.expected.as_deref())?;
    }
    Some(template::broadened_resource(&change.resource, &change.kind, Some(&live), &deployed.properties))
}

/// Puts what there is at a path in the place of what was deployed.
fn put(whole: &mut Json, path: &str, live: &str, expected: Option<&str>) -> Option<()> {
    let nothing = |text: &str| matches!(text, "" | "null");
    let value = serde_json::from_str::<Json>(live).unwrap_or_else(|_| live.into());
    let (parent, last) = path.rsplit_once('/')?;
    match whole.pointer_mut(parent)? {
        Json::Object(entries) => {
            let key = last.replace("~1", "/").replace("~0", "~");
            if nothing(live) {
                entries.remove(&key)?;
            } else {
                entries.insert(key, value);
            }
        }
        Json::Array(items) => {
            let index: usize = last.parse().ok()?;
            match (nothing(live), expected.is_none_or(nothing)) {
                (true, _) if index < items.len() => _ = items.remove(index),
                // Something that is there beside what was deployed.
                (false, true) => items.push(value),
                (false, false) => *items.get_mut(index)? = value,
                (true, _) => return None,
            }
        }
        _ => return None,
    }
    Some(())
}

/// AWS does not say what becomes of it.
fn not_said(change: &ResourceChange) -> Vec<Broadening> {
    let changes =
        !matches!(change.action, ChangeAction::Sync | ChangeAction::Remove) || change.kind.ends_with("Policy");
    if !changes || !template::may_give_access(&change.kind) {
        return Vec::new();
    }
    vec![template::unseen(&change.resource, &change.kind, "the change is unknown until it is done")]
}

fn predicted(change: &ResourceChange, sides: Option<&Sides>) -> Vec<ValueChange> {
    let Some(sides) = sides else { return Vec::new() };
    let of = |filled: &Filled| filled.resources.get(&change.resource).map(|resource| resource.properties.clone());
    let (Some(before), Some(after)) = (sides.before.as_deref().and_then(of), of(&sides.after)) else {
        return Vec::new();
    };
    if change.action != ChangeAction::Modify {
        return Vec::new();
    }
    let values = template::differing(&before, &after).into_iter().map(|one| ValueChange {
        path: format!("/Properties{}", one.path),
        before: one.before,
        after: one.after,
    });
    values.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Finding, Severity, Verdict};
    use crate::plan::drift::HIDDEN;

    fn group() -> Evaluated {
        let properties = serde_json::json!({
            "SecurityGroupIngress": [{ "IpProtocol": "tcp", "FromPort": 443, "ToPort": 443, "CidrIp": "0.0.0.0/0" }],
        });
        Evaluated { kind: "AWS::EC2::SecurityGroup".to_owned(), properties }
    }

    fn found(property: Option<&str>, live: &str, expected: &str) -> Option<Vec<String>> {
        let finding = Finding {
            resource: Some("Group".to_owned()),
            property: property.map(str::to_owned),
            live: Some(live.to_owned()),
            expected: Some(expected.to_owned()),
            ..Finding::of(
                "dev/stack/app".parse().unwrap(),
                "2026-01-01T00:00:00Z".parse().unwrap(),
                Verdict::Drift(Severity::High),
            )
        };
        let change = ResourceChange {
            resource: "Group".to_owned(),
            kind: "AWS::EC2::SecurityGroup".to_owned(),
            physical_id: None,
            action: ChangeAction::Modify,
            replacement: crate::model::Replacement::Never,
            properties: std::collections::BTreeSet::new(),
            values: Vec::new(),
            retained: false,
            nested: None,
            only_tags: false,
            unknown: None,
        };
        let found = of_findings(&change, Some(&group()), &[finding])?;
        Some(found.into_iter().map(|one| one.grants).collect())
    }

    #[test]
    fn putting_back_what_somebody_has_closed_opens_it_again() {
        let opened = Some(vec!["tcp 443 from anywhere (0.0.0.0/0)".to_owned()]);
        assert_eq!(found(Some("/SecurityGroupIngress/0/CidrIp"), "10.0.0.0/8", "0.0.0.0/0"), opened);
        assert_eq!(found(Some("/SecurityGroupIngress/0"), "null", "{}"), opened);
        assert_eq!(found(None, "", ""), opened);
        // What somebody has opened beside it goes.
        let more = r#"{"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22, "CidrIp": "0.0.0.0/0"}"#;
        assert_eq!(found(Some("/SecurityGroupIngress/1"), more, ""), Some(Vec::new()));
        assert_eq!(found(Some("/Tags/0/Value"), "a", "b"), None, "where the template has nothing");
        assert_eq!(found(Some("/SecurityGroupIngress/0/CidrIp"), HIDDEN, "0.0.0.0/0"), None);
    }
}
