//! What the `Rules` of a template assert about the values of its parameters, before anything is created or updated (AWS:
//! *CloudFormation template Rules syntax*, *Rule functions*).
//!
//! A value that is known only after an update decides nothing: CloudFormation asks again when the nested stack is updated.
//! What a rule asks of the account (`Fn::RefAll`, `Fn::ValueOf`, `Fn::ValueOfAll`) is answered from what stacks have made here;
//! anything else in a real account is not known, and that is said.

use std::collections::BTreeMap;

use serde_json::Value as Json;

use super::evaluate::{UNKNOWN, shown};
use super::limit::Refusal;
use super::reader::{ParameterDecl, Parsed};
use super::resource::Resource;
use super::spelling::partition;
use super::world::World;
use crate::model::Scope;

/// Pseudo parameters that are known before there is a stack.
const EARLY: [&str; 4] = ["AWS::AccountId", "AWS::Partition", "AWS::Region", "AWS::URLSuffix"];

impl World {
    /// Holds values against the rules of their template, or says which assertion fails.
    pub(super) fn check_rules(
        &self,
        region: usize,
        parsed: &Parsed,
        parameters: &BTreeMap<String, String>,
    ) -> Result<(), Refusal> {
        let values = self.looked_up(region, parsed, parameters);
        let judge =
            |(name, rule): (&String, &Json)| Judge { world: self, region, parsed, values: &values, name }.hold(rule);
        parsed.rules.iter().try_for_each(judge)
    }
}

/// `None`: known only after the update.
type Judged<T> = Result<Option<T>, Refusal>;

/// One rule under judgement.
struct Judge<'a> {
    world: &'a World,
    region: usize,
    parsed: &'a Parsed,
    values: &'a BTreeMap<String, String>,
    name: &'a str,
}

impl Judge<'_> {
    fn hold(&self, rule: &Json) -> Result<(), Refusal> {
        let applies = rule.get("RuleCondition").map_or(Ok(Some(true)), |condition| self.truth(condition))?;
        if applies != Some(true) {
            return Ok(());
        }
        for assertion in rule.get("Assertions").and_then(Json::as_array).into_iter().flatten() {
            if self.truth(assertion.get("Assert").unwrap_or(&Json::Null))? == Some(false) {
                // The description is the author's; what AWS says around it is not published.
                let why = assertion.get("AssertDescription").and_then(Json::as_str).unwrap_or("an assertion is false");
                return Err(Refusal::Aws(format!("Template error: Rule {} failed: {}", self.name, why.trim_end())));
            }
        }
        Ok(())
    }

    fn truth(&self, expression: &Json) -> Judged<bool> {
        let Some((function, argument)) = only(expression) else {
            return Err(Refusal::Aws(format!(
                "Template error: every condition and assertion of the rule {} requires a rule function",
                self.name
            )));
        };
        let all = argument.as_array().map(Vec::as_slice).unwrap_or_default();
        match (function, all) {
            ("Fn::And", [_, _, ..]) if all.len() <= 10 => self.decided(all, false),
            ("Fn::Or", [_, _, ..]) if all.len() <= 10 => self.decided(all, true),
            ("Fn::Not", [one]) => Ok(self.truth(one)?.map(|holds| !holds)),
            ("Fn::Equals", [one, other]) => {
                Ok(self.value(one)?.zip(self.value(other)?).map(|(one, other)| one == other))
            }
            ("Fn::Contains", [list, text]) => {
                Ok(self.list(list)?.zip(self.text(text)?).map(|(list, text)| list.contains(&text)))
            }
            ("Fn::EachMemberEquals", [list, text]) => {
                let both = self.list(list)?.zip(self.text(text)?);
                Ok(both.map(|(list, text)| list.iter().all(|member| *member == text)))
            }
            ("Fn::EachMemberIn", [list, allowed]) => {
                let both = self.list(list)?.zip(self.list(allowed)?);
                Ok(both.map(|(list, allowed)| list.iter().all(|member| allowed.contains(member))))
            }
            _ => Err(Refusal::from(match function {
                "Fn::And" | "Fn::Or" => format!(
                    "Template error: every {function} object requires a list of at least 2 and at most 10 boolean parameters."
                ),
                "Fn::Not" => "Template error: every Fn::Not object requires one boolean parameter.".to_owned(),
                "Fn::Equals" => {
                    "Template error: every Fn::Equals object requires a list of 2 string parameters.".to_owned()
                }
                "Fn::Contains" | "Fn::EachMemberEquals" => {
                    format!("Template error: every {function} object requires a list of strings and a string.")
                }
                "Fn::EachMemberIn" => {
                    "Template error: every Fn::EachMemberIn object requires two lists of strings.".to_owned()
                }
                _ => format!("Template error: {function} is not true or false in the rule {}", self.name),
            })),
        }
    }

    /// Whether one of these is `deciding`, which decides for all.
    fn decided(&self, conditions: &[Json], deciding: bool) -> Judged<bool> {
        let mut known = true;
        for condition in conditions {
            match self.truth(condition)? {
                Some(truth) if truth == deciding => return Ok(Some(deciding)),
                Some(_) => {}
                None => known = false,
            }
        }
        Ok(known.then_some(!deciding))
    }

    fn value(&self, expression: &Json) -> Judged<Json> {
        match expression {
            Json::String(text) if text.contains(UNKNOWN) => Ok(None),
            Json::Array(items) => items.iter().map(|item| self.value(item)).collect(),
            Json::Object(_) => match only(expression) {
                Some(("Ref", name)) => self.reference(&shown(name)),
                Some(("Fn::RefAll", kind)) => {
                    let all = self.every(&shown(kind))?;
                    Ok(Some(all.into_iter().map(|resource| Json::from(resource.physical_id.as_str())).collect()))
                }
                Some(("Fn::ValueOfAll", argument)) => {
                    let (kind, attribute) = pair("Fn::ValueOfAll", argument)?;
                    let all = self.every(kind)?;
                    Ok(Some(all.into_iter().map(|resource| Json::from(self.attribute(resource, attribute))).collect()))
                }
                Some(("Fn::ValueOf", argument)) => {
                    let (parameter, attribute) = pair("Fn::ValueOf", argument)?;
                    self.value_of(parameter, attribute)
                }
                _ => Ok(self.truth(expression)?.map(|truth| Json::from(truth.to_string()))),
            },
            other => Ok(Some(Json::from(shown(other)))),
        }
    }

    fn text(&self, expression: &Json) -> Judged<String> {
        Ok(self.value(expression)?.as_ref().map(shown))
    }

    fn list(&self, expression: &Json) -> Judged<Vec<String>> {
        match self.value(expression)? {
            None => Ok(None),
            Some(Json::Array(items)) => Ok(Some(items.iter().map(shown).collect())),
            Some(_) => Err(self.cannot("take a single value for a list")),
        }
    }

    fn reference(&self, name: &str) -> Judged<Json> {
        if let Some(value) = self.values.get(name) {
            if value.contains(UNKNOWN) {
                return Ok(None);
            }
            let is_list = self.parsed.parameters.get(name).is_some_and(ParameterDecl::is_list);
            let items = || value.split(',').map(str::trim).filter(|item| !item.is_empty()).map(Json::from).collect();
            return Ok(Some(if is_list { items() } else { Json::from(value.as_str()) }));
        }
        let scope = self.scope();
        let (partition, suffix) = partition(scope.region.as_str());
        match EARLY.iter().position(|known| *known == name) {
            Some(0) => Ok(Some(Json::from(scope.account.as_str()))),
            Some(1) => Ok(Some(Json::from(partition))),
            Some(2) => Ok(Some(Json::from(scope.region.as_str()))),
            Some(_) => Ok(Some(Json::from(suffix))),
            None => Err(self.cannot(&format!("know {name} before there is a stack"))),
        }
    }

    /// What a parameter names, and what that says for itself.
    fn value_of(&self, parameter: &str, attribute: &str) -> Judged<Json> {
        let kind = self.parsed.parameters.get(parameter).map(|decl| decl.kind.clone()).unwrap_or_default();
        let Some(value) = self.reference(parameter)? else { return Ok(None) };
        let one = |id: &str| {
            let found = self.world.resources_of(self.region, resource_type(&kind)).find(|made| made.physical_id == id);
            let missing = || self.cannot(&format!("look up {attribute} of {id}: no stack has made it"));
            found.map(|resource| Json::from(self.attribute(resource, attribute))).ok_or_else(missing)
        };
        match &value {
            Json::Array(items) => items.iter().map(|item| one(&shown(item))).collect::<Result<Json, _>>().map(Some),
            value => one(&shown(value)).map(Some),
        }
    }

    /// All of a type that stacks have made.
    fn every(&self, kind: &str) -> Result<Vec<&Resource>, Refusal> {
        let all: Vec<&Resource> = self.world.resources_of(self.region, resource_type(kind)).collect();
        if all.is_empty() {
            return Err(self.cannot(&format!("list every {kind} of the account: no stack has made one")));
        }
        Ok(all)
    }

    fn attribute(&self, resource: &Resource, name: &str) -> String {
        if let Some(key) = name.strip_prefix("Tags.") {
            let own = resource.properties.get("Tags").and_then(Json::as_array).into_iter().flatten();
            let mut own = own.filter(|tag| tag.get("Key").map(shown).as_deref() == Some(key));
            let own = own.find_map(|tag| tag.get("Value").map(shown));
            return own.or_else(|| resource.tags.get(key).cloned()).unwrap_or_default();
        }
        resource.attribute(self.scope(), name).as_ref().map(shown).unwrap_or_default()
    }

    fn scope(&self) -> &Scope {
        &self.world.data.regions[self.region].scope
    }

    fn cannot(&self, what: &str) -> Refusal {
        Refusal::cannot(format!("judge the rule {}: it cannot {what}", self.name))
    }
}

/// The one function that an expression is.
fn only(expression: &Json) -> Option<(&str, &Json)> {
    let map = expression.as_object().filter(|map| map.len() == 1)?;
    map.iter().next().map(|(name, argument)| (name.as_str(), argument))
}

/// "You can't use another function within" these (AWS: *Rule functions*).
fn pair<'a>(function: &str, argument: &'a Json) -> Result<(&'a str, &'a str), Refusal> {
    match argument.as_array().map(Vec::as_slice) {
        Some([Json::String(of), Json::String(attribute)]) => Ok((of, attribute)),
        _ => Err(Refusal::from(format!(
            "Template error: every {function} object requires a list of 2 string parameters."
        ))),
    }
}

/// `AWS::EC2::VPC` of `AWS::EC2::VPC::Id`, also in a list or a parameter of the store.
fn resource_type(parameter_type: &str) -> &str {
    let inner = parameter_type.rsplit('<').next().unwrap_or(parameter_type).trim_end_matches('>');
    inner.rsplit_once("::").map_or(inner, |(kind, _)| kind)
}
