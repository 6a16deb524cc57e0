//! `Fn::ForEach`, unrolled as `CloudFormation` unrolls it (AWS: *`AWS::LanguageExtensions` transform*, *`Fn::ForEach`*), so that
//! what a loop makes is judged like what is written out.
//!
//! Only where nothing is left to guess: `AWS::LanguageExtensions` is the only macro, every collection is known, and no name
//! means two things. Anything else stays a macro, and what it makes cannot be judged.

use std::sync::Arc;

use serde_json::{Map, Value};

use super::canonical::{attribute, shown};
use super::evaluate::{Reading, Tree, Values, has_macro};

/// The only macro that is understood.
const EXTENSIONS: &str = "AWS::LanguageExtensions";

/// Begins the key of a loop.
const LOOP: &str = "Fn::ForEach::";

/// The sections in which loops may stand, in the order in which they may use each other.
const SECTIONS: [&str; 3] = ["Conditions", "Resources", "Outputs"];

/// How much may be made, in bytes of keys and texts and one for each value and turn. `CloudFormation` takes no template of
/// more than 1,048,576 bytes, and counts what macros have made of it (AWS: *CloudFormation quotas*). The rest is for turns
/// that make nothing.
const MADE_MAX: usize = 2_097_152;

impl Tree {
    /// The tree with its loops unrolled, where they can be: it is transformed no longer. Else as it was. Of one that would
    /// become too large with these values nothing is left but that it cannot be judged.
    #[must_use]
    pub fn unrolled(self, values: &Values) -> Self {
        let whole = unrolled(&self.0, values).map_or(self.0, Arc::new);
        if Reading::new(&whole, values).bursts() {
            return Self(Arc::new(serde_json::json!({ "Transform": "" })));
        }
        Self(whole)
    }
}

/// A template without loops. `None`: it has another macro, or a loop that cannot be unrolled.
pub(super) fn unrolled(whole: &Value, values: &Values) -> Option<Value> {
    let only = match whole.get("Transform")? {
        Value::Array(macros) => matches!(macros.as_slice(), [Value::String(one)] if one == EXTENSIONS),
        one => one.as_str() == Some(EXTENSIONS),
    };
    if Reading::new(whole, values).bursts() {
        return None;
    }
    let mut known = whole.as_object().filter(|_| only)?.clone();
    known.remove("Transform");
    let mut known = Value::Object(known);
    let mut left = MADE_MAX;
    for section in SECTIONS {
        let Some(written) = whole.get(section) else { continue };
        let reading = Reading::new(&known, values);
        let mut made = Unrolling { reading, left: &mut left, bound: Vec::new() }.made(written)?;
        made.sort_all_objects();
        known.as_object_mut()?.insert(section.to_owned(), made);
    }
    let resources = || known.get("Resources").and_then(Value::as_object).into_iter().flat_map(Map::values);
    let typed = resources().all(|resource| resource.get("Type").is_some_and(Value::is_string));
    (typed && !has_macro(&known)).then_some(known)
}

struct Unrolling<'a> {
    reading: Reading<'a>,
    /// How much may still be made.
    left: &'a mut usize,
    /// The identifiers of the loops around, from the outermost in, with their values of this turn.
    bound: Vec<(String, String)>,
}

impl Unrolling<'_> {
    fn take(&mut self, size: usize) -> Option<()> {
        *self.left = self.left.checked_sub(size)?;
        Some(())
    }

    fn made(&mut self, value: &Value) -> Option<Value> {
        self.take(1)?;
        match value {
            Value::String(text) => self.text(text).map(Value::from),
            Value::Array(items) => items.iter().map(|item| self.made(item)).collect(),
            Value::Object(entries) => self.object(entries),
            scalar => Some(scalar.clone()),
        }
    }

    fn object(&mut self, entries: &Map<String, Value>) -> Option<Value> {
        if let Some(Value::String(name)) = entries.get("Ref").filter(|_| entries.len() == 1)
            && let Some(value) = self.value_of(name)
        {
            self.take(value.len())?;
            return Some(Value::from(value));
        }
        let mut done = Map::new();
        for (key, item) in entries {
            if key.starts_with(LOOP) {
                self.turns(item, &mut done)?;
                continue;
            }
            // A variable of its own that is called as the loop's: which of the two is meant is not documented.
            let variables = item.get(1).and_then(Value::as_object).filter(|_| key == "Fn::Sub");
            if variables.is_some_and(|own| own.keys().any(|name| self.value_of(name).is_some())) {
                return None;
            }
            let item = self.made(item)?;
            self.put(&mut done, key, item)?;
        }
        Some(if self.bound.is_empty() { Value::Object(done) } else { settled(done) })
    }

    /// What a loop makes, for each value of its collection.
    fn turns(&mut self, argument: &Value, done: &mut Map<String, Value>) -> Option<()> {
        let [Value::String(identifier), collection, Value::Object(fragment)] = argument.as_array()?.as_slice() else {
            return None;
        };
        let is = |section: &str| self.reading.root.get(section).is_some_and(|all| all.get(identifier).is_some());
        if is("Parameters") || is("Resources") || self.value_of(identifier).is_some() {
            return None;
        }
        let collection = self.made(collection)?;
        let Value::Array(values) = self.reading.value(&collection) else { return None };
        let values: Vec<String> = values.iter().map(shown).collect::<Option<_>>()?;
        self.take(values.iter().map(String::len).sum())?;
        for value in values {
            self.take(1)?;
            self.bound.push((identifier.clone(), value));
            for (key, item) in fragment {
                if key.starts_with(LOOP) {
                    self.turns(item, done)?;
                } else {
                    let item = self.made(item)?;
                    self.put(done, key, item)?;
                }
            }
            self.bound.pop();
        }
        Some(())
    }

    /// `CloudFormation` refuses a template in which a key is made twice.
    fn put(&mut self, map: &mut Map<String, Value>, key: &str, value: Value) -> Option<()> {
        map.insert(self.text(key)?, value).is_none().then_some(())
    }

    fn value_of(&self, identifier: &str) -> Option<String> {
        self.bound.iter().find(|(name, _)| name == identifier).map(|(_, value)| value.clone())
    }

    /// The text with the values of this turn in it. `&{Identifier}` takes letters and digits alone, so that any value can be
    /// in a logical id. How long it becomes is counted before it is made.
    fn text(&mut self, text: &str) -> Option<String> {
        let mut text = text.to_owned();
        for (identifier, value) in self.bound.clone() {
            let alphanumeric: String = value.chars().filter(char::is_ascii_alphanumeric).collect();
            for (placeholder, value) in
                [(format!("${{{identifier}}}"), value), (format!("&{{{identifier}}}"), alphanumeric)]
            {
                let times = text.matches(&placeholder).count();
                if times > 0 {
                    self.take(times.checked_mul(value.len())?)?;
                    text = text.replace(&placeholder, &value);
                }
            }
        }
        self.take(text.len())?;
        Some(text)
    }
}

/// An expression in the form that it would have if it were written out.
fn settled(mut entries: Map<String, Value>) -> Value {
    if entries.len() == 1 {
        if let Some(Value::String(text)) = entries.get("Fn::Sub").filter(|text| !holds_placeholder(text)) {
            return Value::from(text.as_str());
        }
        if let Some(argument) = entries.get_mut("Fn::GetAtt") {
            *argument = attribute(argument.take());
        }
    }
    Value::Object(entries)
}

fn holds_placeholder(text: &Value) -> bool {
    text.as_str().is_none_or(|text| text.contains("${"))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::template::evaluate::{Known, evaluate};
    use crate::template::parse;

    fn with(section: &str) -> String {
        format!("Transform: AWS::LanguageExtensions\n{section}")
    }

    fn values(names: Known) -> Values {
        Values { parameters: BTreeMap::from([("Names".to_owned(), names)]), ..Values::default() }
    }

    /// What is in a template, by evaluating it. `None`: it cannot be judged.
    fn made(body: &str, values: &Values) -> Option<BTreeMap<String, Value>> {
        let tree = Tree::read(body).unrolled(values);
        let resources = evaluate(&tree, values).into_iter();
        (!tree.is_transformed()).then(|| resources.map(|(name, resource)| (name, resource.properties)).collect())
    }

    fn names(body: &str) -> Option<Vec<String>> {
        Some(made(body, &Values::default())?.into_keys().collect())
    }

    const LISTED: &str = "\
Parameters: { Names: { Type: CommaDelimitedList, Default: 'x,y' } }
Resources:
  Fn::ForEach::Topics: [N, !Ref Names, { 'T${N}': { Type: 'AWS::SNS::Topic', Properties: { TopicName: !Ref N } } }]
";

    #[test]
    fn a_loop_is_what_it_would_be_written_out() {
        let looped = with(
            "\
Mappings: { Sizes: { a: { Port: 80 }, b: { Port: 81 } } }
Conditions:
  Fn::ForEach::Conditions: [N, [a, b], { 'Is${N}': !Equals [!Ref N, a] }]
Resources:
  Fn::ForEach::Groups:
  - N
  - [a, b]
  - 'Group${N}':
      Type: AWS::EC2::SecurityGroup
      Properties:
        GroupDescription: !Sub 'of ${N}'
        VpcId: !GetAtt 'Vpc${N}.Id'
        Port: !FindInMap [Sizes, !Ref N, Port]
        Fn::ForEach::Inner: [P, [X, Y], { '${P}${N}': !Ref P }]
    'Only${N}': { Type: 'T::T::${N}', Condition: 'Is${N}' }
Outputs:
  Fn::ForEach::Outputs:
  - N
  - [a, b]
  - '${N}Id': { Value: !Ref 'Group${N}', Export: { Name: !Sub 'shared-${N}' } }
",
        );
        let written = "\
Mappings: { Sizes: { a: { Port: 80 }, b: { Port: 81 } } }
Conditions: { Isa: !Equals [a, a], Isb: !Equals [b, a] }
Resources:
  Groupa:
    Type: AWS::EC2::SecurityGroup
    Properties: { GroupDescription: of a, VpcId: !GetAtt Vpca.Id, Port: !FindInMap [Sizes, a, Port], Xa: X, Ya: Y }
  Groupb:
    Type: AWS::EC2::SecurityGroup
    Properties: { GroupDescription: of b, VpcId: !GetAtt Vpcb.Id, Port: !FindInMap [Sizes, b, Port], Xb: X, Yb: Y }
  Onlya: { Type: 'T::T::a', Condition: Isa }
  Onlyb: { Type: 'T::T::b', Condition: Isb }
Outputs:
  aId: { Value: !Ref Groupa, Export: { Name: shared-a } }
  bId: { Value: !Ref Groupb, Export: { Name: shared-b } }
";
        assert_eq!(made(&looped, &Values::default()), made(written, &Values::default()));
        let (looped, written) = (parse(&looped).unwrap(), parse(written).unwrap());
        assert_eq!(looped.facts.resources, written.facts.resources);
        assert_eq!(looped.facts.outputs, written.facts.outputs);
        assert_eq!((&looped.resources, looped.facts.gives_access), (&written.resources, written.facts.gives_access));
        assert!(looped.has_transform && !looped.facts.generated, "it still has to be acknowledged");
        assert_ne!(looped.facts.digest, written.facts.digest, "it is another template");
    }

    #[test]
    fn loops_within_loops_and_logical_ids_of_letters_and_digits() {
        let nested = "Resources: { 'Fn::ForEach::A': [A, [a, b], { 'Fn::ForEach::B${A}': [B, ['10.0', '10.1'], \
            { '${A}&{B}': { Type: T, Properties: { Is: !Sub '${A}-${B}-${AWS::Region}' } } }] }] }";
        let made = made(&with(nested), &Values { region: "eu-west-1".to_owned(), ..Values::default() }).unwrap();
        assert_eq!(made.keys().collect::<Vec<_>>(), ["a100", "a101", "b100", "b101"]);
        assert_eq!(made["b101"], json!({ "Is": "b-10.1-eu-west-1" }));
    }

    #[test]
    fn what_a_list_holds_is_a_matter_of_the_values() {
        let body = with(LISTED);
        let keys = |values: &Values| made(&body, values).map(|made| made.into_keys().collect::<Vec<_>>());
        assert_eq!(keys(&values(Known::Text("a, b".to_owned()))).unwrap(), ["Ta", "Tb"]);
        assert_eq!(keys(&Values::default()).unwrap(), ["Tx", "Ty"], "its default");
        for unknown in [Known::Secret, Known::NewSecret, Known::AfterApply] {
            assert_eq!(keys(&values(unknown)), None);
        }
        // The text alone does not say it, whatever the default is.
        let template = parse(&body).unwrap();
        assert!(template.facts.generated && template.facts.gives_access && template.resources.is_empty());
    }

    #[test]
    fn what_cannot_be_told_for_sure_is_not_told() {
        let one = "'Fn::ForEach::L': [N, [a, b], { 'T${N}': { Type: T } }]";
        assert_eq!(names(&with(&format!("Resources: {{ {one} }}"))).unwrap(), ["Ta", "Tb"]);
        assert_eq!(names("Transform: [AWS::LanguageExtensions]\nResources: { A: { Type: T } }").unwrap(), ["A"]);
        for body in [
            format!("Resources: {{ {one} }}"),
            format!("Transform: [AWS::LanguageExtensions, Other]\nResources: {{ {one} }}"),
            format!("Transform: {{ Name: AWS::LanguageExtensions }}\nResources: {{ {one} }}"),
            with(&format!("Resources: {{ {one}, A: {{ Type: T, Properties: {{ Fn::Transform: {{ Name: I }} }} }} }}")),
            with(&format!("Mappings: {{ {one} }}\nResources: {{ A: {{ Type: T }} }}")),
            // A collection that is not known, or none.
            with("Resources: { 'Fn::ForEach::L': [N, !ImportValue x, { 'T${N}': { Type: T } }] }"),
            with("Resources: { 'Fn::ForEach::L': [N, [!GetAtt A.B], { 'T${N}': { Type: T } }] }"),
            with("Resources: { 'Fn::ForEach::L': [N, a, { 'T${N}': { Type: T } }] }"),
            with("Resources: { 'Fn::ForEach::L': [N, [a], [b]] }"),
            with("Resources: { 'Fn::ForEach::L': [N, [a]] }"),
            // A key that is made twice.
            with("Resources: { 'Fn::ForEach::L': [N, [a, a], { 'T${N}': { Type: T } }] }"),
            with(&format!("Resources: {{ {one}, Ta: {{ Type: T }} }}")),
            with("Resources: { A: { Type: T, Properties: { Xa: 1, 'Fn::ForEach::L': [N, [a], { 'X${N}': 1 }] } } }"),
            // A name that means two things.
            with(&format!("Parameters: {{ N: {{ Type: String }} }}\nResources: {{ {one} }}")),
            with("Resources: { 'Fn::ForEach::L': [N, [a], { 'Fn::ForEach::M': [N, [b], { 'T${N}': { Type: T } }] }] }"),
            with(
                "Resources: { 'Fn::ForEach::L': [N, [a], \
                 { 'T${N}': { Type: T, Properties: { X: !Sub ['${N}', { N: '*' }] } } }] }",
            ),
            // A type that is not written.
            with("Resources: { 'Fn::ForEach::L': [N, [a], { 'T${N}': { Properties: {} } }] }"),
        ] {
            assert_eq!(names(&body), None, "{body}");
        }
    }

    #[test]
    fn a_bomb_is_given_up_before_it_is_made() {
        let list = (0..1000).map(|n| n.to_string()).collect::<Vec<_>>().join(", ");
        let key: Vec<String> = (0..8).map(|n| format!("${{V{n}}}")).collect();
        let key = key.concat();
        let deep = |inner: String| {
            let looped = |inner, n| format!("'Fn::ForEach::L{n}': [V{n}, [{list}], {{ {inner} }}]");
            with(&format!("Resources: {{ {} }}", (0..8).rev().fold(inner, looped)))
        };
        assert_eq!(names(&deep(format!("'T{key}': {{ Type: T }}"))), None);
        assert_eq!(names(&deep(format!("'Fn::ForEach::None': [N, [], {{ 'T{key}${{N}}': {{ Type: T }} }}]"))), None);
        // One text that repeats a long value.
        let (value, text) = ("v".repeat(100_000), "${N}".repeat(100_000));
        let long =
            format!("'Fn::ForEach::L': [N, [{value}], {{ 'T&{{N}}': {{ Type: T, Properties: {{ X: '{text}' }} }} }}]");
        assert_eq!(names(&with(&format!("Resources: {{ {long} }}"))), None);
    }

    #[test]
    fn a_text_that_repeats_itself_is_given_up_before_it_is_made() {
        let doubled = |inner: String| format!("{{ Fn::Sub: ['${{A}}${{A}}', {{ A: {inner} }}] }}");
        let nested = |levels| (0..levels).fold("x".to_owned(), |inner, _| doubled(inner));
        let body = |levels| {
            let value = nested(levels);
            format!(
                "Resources: {{ A: {{ Type: T, Properties: {{ X: {value} }} }} }}\nOutputs: {{ O: {{ Value: {value} }} }}"
            )
        };
        assert_eq!(made(&body(3), &Values::default()).unwrap()["A"], json!({ "X": "xxxxxxxx" }));
        assert_eq!(parse(&body(3)).unwrap().facts.outputs["O"].text.as_deref(), Some("xxxxxxxx"));
        for levels in [24, 30] {
            assert_eq!(made(&body(levels), &Values::default()), None);
            assert_eq!(parse(&body(levels)).unwrap().facts.outputs["O"].text, None);
        }
        let (separator, items) = ("s".repeat(100_000), vec!["''"; 1000].join(","));
        let joined = format!("!Join ['{separator}', [{items}]]");
        let body = format!(
            "Resources: {{ A: {{ Type: T, Properties: {{ X: {joined} }} }} }}\nOutputs: {{ O: {{ Value: {joined} }} }}"
        );
        assert_eq!(made(&body, &Values::default()), None);
        assert_eq!(parse(&body).unwrap().facts.outputs["O"].text, None);
        // Nor is a condition evaluated more than once.
        let all = |n: usize| format!("C{}: !And [!Condition C{n}, !Condition C{n}]", n + 1);
        let all = (0..50).map(all).collect::<Vec<_>>().join(", ");
        let deep = (0..40).fold("!Equals [a, a]".to_owned(), |inner, _| format!("!Not [{inner}]"));
        let body = format!("Conditions: {{ C0: {deep}, {all} }}\nResources: {{ A: {{ Type: T, Condition: C50 }} }}");
        assert_eq!(names(&body).unwrap(), ["A"]);
    }

    proptest! {
        #[test]
        fn no_template_makes_it_panic(cut in 0usize..400, insert in "[\\PC\n]{0,8}", drop in 0usize..20) {
            let body: Vec<char> = with(LISTED).chars().collect();
            let at = cut.min(body.len());
            let rest = (at + drop).min(body.len());
            let body: String =
                body[..at].iter().copied().chain(insert.chars()).chain(body[rest..].iter().copied()).collect();
            let _ = (made(&body, &Values::default()), parse(&body));
        }
    }
}
