//! The values of a template's resources, as far as they are known without deploying it.
//!
//! Parameters, pseudo parameters, conditions and mappings are filled in. What depends on anything else stays as an
//! expression, in one form for all ways of writing it: `Fn::Sub` and `Fn::Join` become one `Fn::Join` with an empty
//! separator. So two expressions that mean the same are equal, and two that are not equal may still turn out to be.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::canonical::{intrinsic, is_no_echo, shown};
use super::export::{Piece, pieces, substitution};
use super::growth;
use super::parsed::parsed;
use crate::model::{TemplateParameter, partition};

/// How deep conditions may refer to each other. CloudFormation takes no circles.
const CONDITIONS_DEEP: usize = 64;

/// Stands for a value that is known only after something else was applied.
pub(super) const PENDING: &str = "Fn::Pending";
/// Stands for a secret value that is another one than before.
pub(super) const CHANGED: &str = "Fn::Changed";

/// A template as a tree in canonical form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tree(pub(super) Arc<Value>);

impl Tree {
    /// Reads a template. What cannot be read has no resources.
    #[must_use]
    pub fn read(body: &str) -> Self {
        Self(parsed(body).1)
    }

    /// It declares that the value of this parameter is secret.
    #[must_use]
    pub fn hides(&self, parameter: &str) -> bool {
        self.0.get("Parameters").and_then(|all| all.get(parameter)).is_some_and(is_no_echo)
    }

    /// It has a transform or a macro: what that makes of the template cannot be seen in it. Loops are no macro once they are
    /// unrolled.
    #[must_use]
    pub fn is_transformed(&self) -> bool {
        self.0.get("Transform").is_some() || has_macro(&self.0)
    }
}

pub(super) fn has_macro(value: &Value) -> bool {
    match value {
        Value::Array(items) => items.iter().any(has_macro),
        Value::Object(entries) => entries
            .iter()
            .any(|(key, item)| key == "Fn::Transform" || key.starts_with("Fn::ForEach") || has_macro(item)),
        _ => false,
    }
}

/// What is known of a parameter.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Known {
    /// Its value.
    Text(String),
    /// It is secret, and what is deployed.
    Secret,
    /// It is secret, and another one than what is deployed.
    NewSecret,
    /// It is known only after apply.
    AfterApply,
}

/// What a template is evaluated with.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Values {
    /// Parameters; those that are missing have their default.
    pub parameters: BTreeMap<String, Known>,
    /// The account's id.
    pub account: String,
    /// The region.
    pub region: String,
    /// The stack's name.
    pub stack: String,
}

/// A resource with its properties evaluated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Evaluated {
    /// Its type.
    pub kind: String,
    /// Its properties.
    pub properties: Value,
}

/// The resources of a template that exist with these values, or may exist.
#[must_use]
pub fn evaluate(tree: &Tree, values: &Values) -> BTreeMap<String, Evaluated> {
    let reading = Reading::new(&tree.0, values);
    let all = tree.0.get("Resources").and_then(Value::as_object);
    let named = all.into_iter().flatten().filter(|(name, _)| !name.starts_with("Fn::"));
    let there = named.filter(|(_, resource)| {
        let condition = resource.get("Condition").and_then(Value::as_str);
        condition.and_then(|name| reading.named(name, 0)) != Some(false)
    });
    there
        .map(|(name, resource)| {
            let kind = resource.get("Type").and_then(shown).unwrap_or_default();
            let properties = resource.get("Properties").map(|value| reading.value(value)).unwrap_or_default();
            (name.clone(), Evaluated { kind, properties })
        })
        .collect()
}

/// A template and the values it is read with.
pub(super) struct Reading<'a> {
    /// The whole template.
    pub(super) root: &'a Value,
    /// What is known beside it.
    values: &'a Values,
    /// Conditions that were looked at: each is evaluated once, however often it is named.
    known: RefCell<BTreeMap<String, Option<bool>>>,
}

impl<'a> Reading<'a> {
    /// A template with these values.
    pub(super) fn new(root: &'a Value, values: &'a Values) -> Self {
        Self { root, values, known: RefCell::default() }
    }

    /// It becomes too large to be evaluated.
    pub(super) fn bursts(&self) -> bool {
        let declared = self.root.get("Parameters").and_then(Value::as_object).into_iter().flatten();
        let length = |(name, declaration): (&'a String, &'a Value)| {
            let length = match self.values.parameters.get(name) {
                Some(Known::Text(text)) => text.len(),
                Some(Known::Secret | Known::NewSecret | Known::AfterApply) => 0,
                None => declaration.get("Default").and_then(shown).unwrap_or_default().len(),
            };
            (name.as_str(), length)
        };
        growth::bursts(self.root, &declared.map(length).collect())
    }

    /// A value of the template, as far as it is known.
    pub(super) fn value(&self, value: &Value) -> Value {
        if let Some((name, argument)) = intrinsic(value) {
            return self.function(name, argument);
        }
        match value {
            Value::Array(items) => {
                Value::Array(items.iter().map(|item| self.value(item)).filter(|item| !is_none(item)).collect())
            }
            Value::Object(entries) => {
                let entries = entries.iter().map(|(key, item)| (key.clone(), self.value(item)));
                Value::Object(entries.filter(|(_, item)| !is_none(item)).collect())
            }
            scalar => scalar.clone(),
        }
    }

    fn function(&self, name: &str, argument: &Value) -> Value {
        let kept = |argument: Value| Value::Object(Map::from_iter([(name.to_owned(), argument)]));
        match name {
            // Computed names are an extension (AWS: *`AWS::LanguageExtensions` transform*).
            "Ref" => match self.value(argument) {
                Value::String(name) => self.reference(&name),
                computed => kept(computed),
            },
            "Fn::GetAtt" => kept(self.value(argument)),
            "Fn::Sub" => self.substitute(argument).unwrap_or_else(|| kept(self.value(argument))),
            "Fn::If" => self.choose(argument).unwrap_or_else(|| kept(self.value(argument))),
            _ => {
                let argument = self.value(argument);
                let known = match name {
                    "Fn::Join" => join(&argument),
                    "Fn::Select" => select(&argument),
                    "Fn::Split" => split(&argument),
                    "Fn::FindInMap" => self.find(&argument),
                    _ => None,
                };
                known.unwrap_or_else(|| kept(argument))
            }
        }
    }

    fn reference(&self, name: &str) -> Value {
        let values = self.values;
        match name {
            "AWS::AccountId" if !values.account.is_empty() => return values.account.clone().into(),
            "AWS::Region" if !values.region.is_empty() => return values.region.clone().into(),
            "AWS::StackName" if !values.stack.is_empty() => return values.stack.clone().into(),
            "AWS::Partition" if !values.region.is_empty() => return partition(&values.region).into(),
            "AWS::URLSuffix" if !values.region.is_empty() => return suffix(&values.region).into(),
            _ => {}
        }
        let Some(declared) = self.root.get("Parameters").and_then(|all| all.get(name)) else {
            return json!({ "Ref": name });
        };
        let kind = declared.get("Type").and_then(Value::as_str).unwrap_or_default();
        let text = match values.parameters.get(name) {
            Some(Known::Secret) => return json!({ "Ref": name }),
            Some(Known::NewSecret) => return json!({ CHANGED: name }),
            Some(Known::AfterApply) => return json!({ PENDING: name }),
            Some(Known::Text(text)) => text.clone(),
            None => match declared.get("Default").and_then(shown) {
                Some(text) => text,
                None => return json!({ "Ref": name }),
            },
        };
        // The value is that of the parameter in the parameter store, which is looked up at every update.
        if kind.starts_with(TemplateParameter::STORED) {
            return json!({ "Ref": name, "Parameter": text });
        }
        if kind == "CommaDelimitedList" || kind.starts_with("List<") {
            return Value::Array(text.split(',').map(|item| Value::from(item.trim())).collect());
        }
        text.into()
    }

    fn substitute(&self, argument: &Value) -> Option<Value> {
        let (text, variables) = substitution(argument)?;
        let variables: BTreeMap<&str, Value> =
            variables.into_iter().flatten().map(|(name, value)| (name.as_str(), self.value(value))).collect();
        let parts = pieces(text).map(|piece| match piece {
            Piece::Text(text) => Value::from(text),
            Piece::Name(name) => match (name.strip_prefix('!'), variables.get(name)) {
                (Some(literal), _) => Value::from(format!("${{{literal}}}")),
                (None, Some(value)) => value.clone(),
                (None, None) => match name.split_once('.') {
                    Some((resource, attribute)) => json!({ "Fn::GetAtt": [resource, attribute] }),
                    None => self.reference(name),
                },
            },
        });
        Some(joined(parts))
    }

    fn choose(&self, argument: &Value) -> Option<Value> {
        let [Value::String(name), yes, no] = argument.as_array()?.as_slice() else { return None };
        Some(self.value(if self.named(name, 0)? { yes } else { no }))
    }

    fn find(&self, argument: &Value) -> Option<Value> {
        let [map, first, second] = argument.as_array()?.get(..3)? else { return None };
        let (map, first, second) = (map.as_str()?, shown(first)?, shown(second)?);
        let map = self.root.get("Mappings").and_then(|all| all.get(map));
        let found = map.and_then(|map| map.get(first)).and_then(|keys| keys.get(second));
        // What it is otherwise is an extension, too.
        found.or_else(|| argument.get(3)?.get("DefaultValue")).cloned()
    }

    /// Whether a condition of the template holds, if that is known.
    fn named(&self, name: &str, deep: usize) -> Option<bool> {
        if deep > CONDITIONS_DEEP {
            return None;
        }
        if let Some(known) = self.known.borrow().get(name) {
            return *known;
        }
        let holds = self.holds(self.root.get("Conditions")?.get(name)?, deep + 1);
        self.known.borrow_mut().insert(name.to_owned(), holds);
        holds
    }

    fn holds(&self, condition: &Value, deep: usize) -> Option<bool> {
        let (name, argument) = condition.as_object()?.iter().next()?;
        let all = || -> Vec<Option<bool>> {
            argument.as_array().into_iter().flatten().map(|item| self.holds(item, deep)).collect()
        };
        let both = |decides: bool| match all() {
            all if all.contains(&Some(decides)) => Some(decides),
            all => all.iter().all(Option::is_some).then_some(!decides),
        };
        match name.as_str() {
            "Condition" => self.named(argument.as_str()?, deep),
            "Fn::Not" => all().first()?.map(|holds| !holds),
            "Fn::And" => both(false),
            "Fn::Or" => both(true),
            "Fn::Equals" => {
                let [left, right] = argument.as_array()?.as_slice() else { return None };
                let (left, right) = (self.value(left), self.value(right));
                Some(shown(&left)? == shown(&right)?)
            }
            _ => None,
        }
    }
}

/// `AWS::NoValue`, which leaves out what it is the value of.
fn is_none(value: &Value) -> bool {
    value.get("Ref").and_then(Value::as_str) == Some("AWS::NoValue")
}

fn suffix(region: &str) -> &'static str {
    match partition(region) {
        "aws-cn" => "amazonaws.com.cn",
        "aws-iso" => "c2s.ic.gov",
        "aws-iso-b" => "sc2s.sgov.gov",
        "aws-eusc" => "amazonaws.eu",
        _ => "amazonaws.com",
    }
}

fn join(argument: &Value) -> Option<Value> {
    let [Value::String(separator), Value::Array(items)] = argument.as_array()?.as_slice() else { return None };
    let between = (!separator.is_empty()).then(|| Value::from(separator.as_str()));
    let parts = items.iter().enumerate().flat_map(|(index, item)| {
        let before = between.clone().filter(|_| index > 0);
        before.into_iter().chain([item.clone()])
    });
    Some(joined(parts))
}

fn select(argument: &Value) -> Option<Value> {
    let [index, Value::Array(items)] = argument.as_array()?.as_slice() else { return None };
    items.get(shown(index)?.parse::<usize>().ok()?).cloned()
}

fn split(argument: &Value) -> Option<Value> {
    let [Value::String(separator), Value::String(text)] = argument.as_array()?.as_slice() else { return None };
    (!separator.is_empty()).then(|| text.split(separator.as_str()).map(Value::from).collect())
}

/// One text, if all parts are known; else one `Fn::Join` of the fewest parts.
fn joined(parts: impl Iterator<Item = Value>) -> Value {
    let mut merged: Vec<Value> = Vec::new();
    let mut push = |part: Value| match (merged.last_mut(), shown(&part)) {
        (_, Some(text)) if text.is_empty() => {}
        (Some(Value::String(last)), Some(text)) => last.push_str(&text),
        (_, Some(text)) => merged.push(text.into()),
        (_, None) => merged.push(part),
    };
    for part in parts {
        match part.get("Fn::Join").and_then(Value::as_array).map(Vec::as_slice) {
            // Only ours have an empty separator and a list of parts.
            Some([Value::String(separator), Value::Array(inner)]) if separator.is_empty() => {
                inner.iter().cloned().for_each(&mut push);
            }
            _ => push(part),
        }
    }
    match merged.as_slice() {
        [] => Value::from(""),
        [Value::String(text)] => Value::from(text.as_str()),
        _ => json!({ "Fn::Join": ["", merged] }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BODY: &str = r#"
Parameters:
  Env: { Type: String, Default: dev }
  Arns: { Type: CommaDelimitedList }
  Password: { Type: String, NoEcho: true }
  Later: { Type: String }
  Stored: { Type: AWS::SSM::Parameter::Value<String>, Default: /a/b }
Conditions:
  IsDev: !Equals [!Ref Env, dev]
  NotDev: !Not [!Condition IsDev]
  Open: !Equals [!Ref Later, x]
Mappings: { Sizes: { dev: { Count: 2 } } }
Resources:
  There:
    Type: T
    Condition: IsDev
    Properties:
      Sub: !Sub "arn:${AWS::Partition}:x:${AWS::Region}:${AWS::AccountId}:${Env}"
      Same: !Sub ["${A}-${Other.Arn}", { A: !Ref Env }]
      Joined: !Join ["-", [!Ref Env, !GetAtt Other.Arn]]
      List: !Ref Arns
      Second: !Select [1, !Ref Arns]
      Found: !FindInMap [Sizes, !Ref Env, Count]
      Chosen: !If [IsDev, one, two]
      Open: !If [Open, a, b]
      Gone: !If [IsDev, !Ref AWS::NoValue, a]
      Secret: !Ref Password
      Later: !Sub "x-${Later}"
      Literal: !Sub "${!aws:username}"
      Stored: !Ref Stored
  Gone: { Type: T, Condition: NotDev }
  Perhaps: { Type: T, Condition: Open }
  Other: { Type: T }
"#;

    #[test]
    fn what_is_known_is_filled_in_and_the_rest_has_one_form() {
        let parameters = BTreeMap::from([
            ("Arns".to_owned(), Known::Text("a, b".to_owned())),
            ("Password".to_owned(), Known::Secret),
            ("Later".to_owned(), Known::AfterApply),
        ]);
        let values = Values {
            parameters,
            account: "111122223333".to_owned(),
            region: "eu-west-1".to_owned(),
            stack: "s".to_owned(),
        };
        let resources = evaluate(&Tree::read(BODY), &values);
        assert_eq!(resources.keys().collect::<Vec<_>>(), ["Other", "Perhaps", "There"]);
        let got = &resources["There"].properties;
        let text = |name: &str| got[name].as_str().unwrap_or_default().to_owned();
        assert_eq!(text("Sub"), "arn:aws:x:eu-west-1:111122223333:dev");
        assert_eq!(got["Same"], json!({"Fn::Join": ["", ["dev-", {"Fn::GetAtt": ["Other", "Arn"]}]]}));
        assert_eq!(got["Same"], got["Joined"]);
        assert_eq!(got["List"], json!(["a", "b"]));
        assert_eq!(
            (text("Second"), text("Chosen"), text("Literal")),
            ("b".into(), "one".into(), "${aws:username}".into())
        );
        assert_eq!(got["Found"], json!(2));
        assert_eq!(got["Open"], json!({"Fn::If": ["Open", "a", "b"]}));
        assert!(got.get("Gone").is_none());
        assert_eq!(got["Secret"], json!({"Ref": "Password"}));
        assert_eq!(got["Later"], json!({"Fn::Join": ["", ["x-", {"Fn::Pending": "Later"}]]}));
        assert_eq!(got["Stored"], json!({"Ref": "Stored", "Parameter": "/a/b"}));
    }

    #[test]
    fn circles_of_conditions_and_odd_arguments_are_left_alone() {
        let body = "Conditions: { A: !Condition B, B: !Condition A }\nResources:\n  X:\n    Type: T\n    Condition: A\n    \
                    Properties: { J: !Join [1, 2], S: !Select [9, [a]], F: !FindInMap [a], T: !Sub 1, I: !If [A] }\n";
        let resources = evaluate(&Tree::read(body), &Values::default());
        assert_eq!(resources["X"].properties["S"], json!({"Fn::Select": [9, ["a"]]}));
    }
}
