//! From the text of a template to what Landfast needs to know of it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::Value;

use super::access::gives_access;
use super::anatomy;
use super::canonical::{canonical, intrinsic, is_no_echo, shown};
use super::evaluate::{Known, Values};
use super::export::{Piece, pieces, render};
use super::fault::{TemplateError, is_macro};
use super::loops;
use super::transforms::named;
use crate::model::{
    Digest, NeededCapability, Size, Template, TemplateFacts, TemplateOutput, TemplateParameter, TemplateResource,
};
use crate::yaml::{self, Content, Entry, Node, Span};

/// The largest template that CloudFormation takes, from S3 (AWS: *CloudFormation quotas*, template body size).
pub const MAX_BYTES: usize = 1_048_576;

/// Reads a template, YAML or JSON.
///
/// # Errors
/// It is too large, not YAML, or not a template.
pub fn parse(body: &str) -> Result<Template, TemplateError> {
    if body.len() > MAX_BYTES {
        let message = format!("the template has {} bytes; the limit of CloudFormation is {MAX_BYTES}", body.len());
        return Err(TemplateError { message, span: None, limit: true, help: None });
    }
    let stream = yaml::parse(body);
    if let Some(fault) = stream.fault {
        return Err(fault.into());
    }
    let mut documents = stream.documents.into_iter();
    let (Some(document), None) = (documents.next(), documents.next()) else {
        return Err(TemplateError::new("a template must be a single YAML document", Span::default()));
    };
    if let Some(fault) = document.faults.into_iter().next() {
        return Err(fault.into());
    }
    // AWS: *CloudFormation template formats*; its answer is "YAML aliases are not allowed in CloudFormation templates".
    if let Some(span) = document.alias {
        let error = TemplateError::new("CloudFormation does not support YAML aliases (`*name`) in templates", span);
        return Err(TemplateError { help: Some("write the value here too".to_owned()), ..error });
    }
    let root = document.root;
    check(&root)?;
    anatomy::check(&root)?;
    known_tags(&root)?;
    let written = canonical(&root);
    // What a parameter's value decides is not known here, so that its default does not count.
    let parameters = section(&written, "Parameters").map(|(name, _)| (name.to_owned(), Known::Secret)).collect();
    let unrolled = loops::unrolled(&written, &Values { parameters, ..Values::default() });
    Ok(describe(body, &written, unrolled.as_ref()))
}

/// The short forms of CloudFormation's functions (AWS: *Intrinsic function reference*, *Rule-specific intrinsic functions*).
const TAGS: [&str; 26] = [
    "And",
    "Base64",
    "Cidr",
    "Condition",
    "Contains",
    "EachMemberEquals",
    "EachMemberIn",
    "Equals",
    "FindInMap",
    "GetAZs",
    "GetAtt",
    "If",
    "ImportValue",
    "Join",
    "Length",
    "Not",
    "Or",
    "Ref",
    "RefAll",
    "Select",
    "Split",
    "Sub",
    "ToJsonString",
    "Transform",
    "ValueOf",
    "ValueOfAll",
];

/// Every `!Tag` is one that CloudFormation knows.
fn known_tags(node: &Node) -> Result<(), TemplateError> {
    if let Some(tag) = node.tag.as_deref().filter(|tag| !TAGS.contains(tag)) {
        let error = TemplateError::new(format!("`!{tag}` is not a function of CloudFormation"), node.span);
        let near =
            TAGS.iter().map(|known| (strsim::osa_distance(tag, known), known)).filter(|(away, _)| *away <= 2).min();
        return Err(TemplateError { help: near.map(|(_, known)| format!("did you mean `!{known}`?")), ..error });
    }
    match &node.content {
        Content::Scalar(_) => Ok(()),
        Content::Sequence(items) => items.iter().try_for_each(known_tags),
        Content::Mapping(entries) => entries.iter().try_for_each(|entry| known_tags(&entry.value)),
    }
}

/// What a template must have so that it can be described at all.
fn check(root: &Node) -> Result<(), TemplateError> {
    if !matches!(root.content, Content::Mapping(_)) {
        return Err(TemplateError::new("a template must be a mapping with a `Resources` section", root.span));
    }
    for section in ["Parameters", "Resources", "Outputs", "Conditions", "Mappings"] {
        let Some(entry) = root.entry(section) else { continue };
        if !matches!(entry.value.content, Content::Mapping(_)) {
            let message = format!("`{section}` is {}; it must be a mapping", entry.value.described());
            return Err(TemplateError::new(message, entry.key_span));
        }
    }
    let include = root.entry("Transform").is_some() || root.entry("Fn::Transform").is_some();
    match root.get("Resources") {
        Some(resources) if !resources.entries().is_empty() => {}
        _ if include => {}
        _ => return Err(without_resources(root)),
    }
    let typed = |section: &str, what: &str| {
        let entries = root.get(section).map(Node::entries).unwrap_or_default();
        entries.iter().filter(|entry| !is_macro(&entry.key)).try_for_each(|entry| has_type(entry, what))
    };
    typed("Resources", "resource")?;
    typed("Parameters", "parameter")
}

/// There is no `Resources`, or it has another name.
fn without_resources(root: &Node) -> TemplateError {
    let near = |entry: &&Entry| strsim::osa_distance(&entry.key.to_ascii_lowercase(), "resources") <= 2;
    match root.entries().iter().find(near).filter(|entry| entry.key != "Resources") {
        Some(entry) => {
            let error = TemplateError::new(format!("it has no `Resources`, but `{}`", entry.key), entry.key_span);
            TemplateError { help: Some("did you mean `Resources`?".to_owned()), ..error }
        }
        None => TemplateError::new("it has no `Resources`", root.span),
    }
}

fn has_type(entry: &Entry, what: &str) -> Result<(), TemplateError> {
    if !matches!(entry.value.content, Content::Mapping(_)) {
        let message = format!("the {what} `{}` is {}; it must be a mapping", entry.key, entry.value.described());
        return Err(TemplateError::new(message, entry.key_span));
    }
    let kind = entry.value.get("Type").and_then(Node::text);
    if kind.is_none_or(str::is_empty) {
        return Err(TemplateError::new(format!("the {what} `{}` has no `Type`", entry.key), entry.key_span));
    }
    Ok(())
}

/// What a template is, as it is written and, where that is possible, with its loops unrolled.
fn describe(body: &str, written: &Value, unrolled: Option<&Value>) -> Template {
    let whole = unrolled.unwrap_or(written);
    let parameters = section(whole, "Parameters").map(|(name, value)| (name.to_owned(), parameter(value))).collect();
    let names: BTreeSet<&str> = section(whole, "Resources").map(|(name, _)| name).collect();
    let resources: BTreeMap<String, TemplateResource> =
        section(whole, "Resources").map(|(name, value)| (name.to_owned(), resource(value, &names))).collect();
    let is_parameter = |name: &str| BTreeMap::contains_key(&parameters, name);
    let outputs =
        section(whole, "Outputs").map(|(name, value)| (name.to_owned(), output(value, &parameters, &names))).collect();
    let digests = section(whole, "Resources")
        .map(|(name, value)| (name.to_owned(), (text(value, "Type").unwrap_or_default(), Digest::of(value))))
        .collect();
    let mut walk = Walk { imports: BTreeSet::new(), transforms: false, is_parameter: &is_parameter };
    walk.visit(whole);
    let (imports, inner) = (walk.imports, walk.transforms);
    let generated = inner || whole.get("Transform").is_some();
    let stays =
        |resource: &TemplateResource| resource.deletion_policy.as_deref().is_some_and(|policy| policy != "Delete");
    let retained = resources.iter().filter(|(_, resource)| stays(resource)).map(|(name, _)| name.clone()).collect();
    Template {
        body: Arc::from(body),
        text: Digest::of_bytes(body.as_bytes()),
        facts: Arc::new(TemplateFacts {
            digest: Digest::of(written),
            outputs,
            resources: digests,
            retained,
            gives_access: generated || gives_access(whole),
            generated,
        }),
        parameters,
        resources,
        imports,
        has_transform: generated || unrolled.is_some(),
        transforms: named(written),
        capabilities: section(whole, "Resources").filter_map(|(name, value)| capability(name, value)).collect(),
    }
}

/// The capability that a resource needs, if it needs one (AWS: *Acknowledging IAM resources in CloudFormation templates*).
fn capability(name: &str, resource: &Value) -> Option<NeededCapability> {
    let kind = text(resource, "Type")?;
    let name_of = match kind.strip_prefix("AWS::IAM::")? {
        "Group" => Some("GroupName"),
        "InstanceProfile" => Some("InstanceProfileName"),
        "ManagedPolicy" => Some("ManagedPolicyName"),
        "Role" => Some("RoleName"),
        "User" => Some("UserName"),
        "AccessKey" | "Policy" | "UserToGroupAddition" => None,
        _ => return None,
    };
    let property = name_of.and_then(|name| resource.get("Properties")?.get(name));
    let named = property.is_some_and(|value| value.get("Ref").and_then(Value::as_str) != Some("AWS::NoValue"));
    let capability = if named { "CAPABILITY_NAMED_IAM" } else { "CAPABILITY_IAM" };
    Some(NeededCapability { capability, resource: name.to_owned(), conditional: resource.get("Condition").is_some() })
}

/// The entries of a section that are objects with a name of their own.
fn section<'v>(whole: &'v Value, name: &str) -> impl Iterator<Item = (&'v str, &'v Value)> + use<'v> {
    let entries = whole.get(name).and_then(Value::as_object);
    entries.into_iter().flatten().filter(|(key, _)| !is_macro(key)).map(|(key, value)| (key.as_str(), value))
}

fn text(value: &Value, key: &str) -> Option<String> {
    value.get(key).and_then(shown)
}

fn parameter(value: &Value) -> TemplateParameter {
    let allowed = value.get("AllowedValues").and_then(Value::as_array);
    TemplateParameter {
        kind: text(value, "Type").unwrap_or_default(),
        default: text(value, "Default"),
        no_echo: is_no_echo(value),
        allowed_values: allowed.into_iter().flatten().filter_map(shown).collect(),
        allowed_pattern: text(value, "AllowedPattern"),
    }
}

fn resource(value: &Value, names: &BTreeSet<&str>) -> TemplateResource {
    let mut depends_on = BTreeSet::new();
    references(value, names, &mut depends_on);
    match value.get("DependsOn") {
        Some(Value::String(name)) => drop(depends_on.insert(name.clone())),
        Some(Value::Array(list)) => depends_on.extend(list.iter().filter_map(shown)),
        _ => {}
    }
    let kind = text(value, "Type").unwrap_or_default();
    TemplateResource {
        sizes: sizes(&kind, value.get("Properties").unwrap_or(&Value::Null)),
        kind,
        condition: text(value, "Condition"),
        deletion_policy: text(value, "DeletionPolicy"),
        depends_on,
    }
}

/// What the few types that quotas do not simply count are measured by. No other property is kept: there are thousands of
/// templates.
fn sizes(kind: &str, properties: &Value) -> BTreeMap<String, Size> {
    let measured: &[&str] = match kind {
        "AWS::MSK::Cluster" => &["NumberOfBrokerNodes"],
        "AWS::ECS::Service" => &["DesiredCount", "LaunchType"],
        "AWS::ECS::TaskDefinition" => &["Cpu"],
        _ => &[],
    };
    let found = measured.iter().filter_map(|name| Some(((*name).to_owned(), size(properties.get(name)?))));
    found.collect()
}

fn size(value: &Value) -> Size {
    match value.get("Ref").and_then(Value::as_str) {
        Some(name) => Size::Parameter(name.to_owned()),
        None => shown(value).map_or(Size::Computed, Size::Literal),
    }
}

fn output(output: &Value, parameters: &BTreeMap<String, TemplateParameter>, names: &BTreeSet<&str>) -> TemplateOutput {
    let is_text = |name: &str| parameters.get(name).is_some_and(|declared| !declared.is_stored());
    let export = output.get("Export").and_then(|export| export.get("Name"));
    let value = output.get("Value").unwrap_or(&Value::Null);
    let names = names.iter().copied().chain(parameters.keys().map(String::as_str)).collect();
    let mut uses = BTreeSet::new();
    references(value, &names, &mut uses);
    TemplateOutput {
        value: Digest::of(value),
        export: export.and_then(|name| render(name, &is_text)),
        text: render(value, &is_text),
        uses,
        conditional: output.get("Condition").is_some(),
    }
}

/// Adds the logical ids that an expression refers to.
fn references(value: &Value, names: &BTreeSet<&str>, found: &mut BTreeSet<String>) {
    let mut note = |name: &str| {
        if names.contains(name) {
            found.insert(name.to_owned());
        }
    };
    match intrinsic(value) {
        Some(("Ref", Value::String(name))) => note(name),
        Some(("Fn::GetAtt", Value::Array(parts))) => parts.first().and_then(Value::as_str).into_iter().for_each(note),
        Some(("Fn::Sub", argument)) => {
            let template = argument.as_str().or_else(|| argument.get(0).and_then(Value::as_str)).unwrap_or_default();
            for piece in pieces(template) {
                if let Piece::Name(name) = piece {
                    note(name.split('.').next().unwrap_or_default());
                }
            }
        }
        _ => {}
    }
    match value {
        Value::Array(items) => items.iter().for_each(|item| references(item, names, found)),
        Value::Object(entries) => entries.values().for_each(|item| references(item, names, found)),
        _ => {}
    }
}

struct Walk<'a> {
    imports: BTreeSet<String>,
    transforms: bool,
    is_parameter: &'a dyn Fn(&str) -> bool,
}

impl Walk<'_> {
    fn visit(&mut self, value: &Value) {
        match value {
            Value::Array(items) => items.iter().for_each(|item| self.visit(item)),
            Value::Object(entries) => {
                for (key, item) in entries {
                    match key.as_str() {
                        "Fn::ImportValue" => self.imports.extend(render(item, self.is_parameter)),
                        "Fn::Transform" => self.transforms = true,
                        _ if key.starts_with("Fn::ForEach") => self.transforms = true,
                        _ => {}
                    }
                    self.visit(item);
                }
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const YAML: &str = r#"
AWSTemplateFormatVersion: 2010-09-09
Description: >-
  A network
  of sorts.
Metadata: { AWS::CloudFormation::Interface: { ParameterGroups: [] } }
Mappings: { Sizes: { small: { Count: 2 } } }
Conditions:
  IsProd: !Equals [!Ref Env, prod]
  Both: !And [!Condition IsProd, !Not [!Equals [!Ref Env, dev]]]
Parameters:
  Env: { Type: String, Default: dev, AllowedValues: [dev, prod], AllowedPattern: "^[a-z]+$" }
  Count: { Type: Number, Default: 2 }
  Password: { Type: String, NoEcho: true }
Resources:
  Vpc:
    Type: AWS::EC2::VPC
    DeletionPolicy: Retain
    Properties: { CidrBlock: !Select [0, !GetAZs ""], Tags: [{ Key: Name, Value: !Sub "${Env}-${AWS::Region}" }] }
  Subnet:
    Type: AWS::EC2::Subnet
    Condition: IsProd
    DependsOn: [Gateway]
    Properties:
      VpcId: !Ref Vpc
      Other: !GetAtt Vpc.CidrBlock
      Key: !ImportValue { "Fn::Sub": "${Env}-KeyArn" }
  Gateway: { Type: AWS::EC2::InternetGateway }
Outputs:
  VpcId: { Value: !Ref Vpc, Export: { Name: !Sub "${Env}-VPC-ID" } }
  SubnetId: { Condition: IsProd, Value: !Ref Subnet }
"#;

    #[test]
    fn a_template_says_what_it_declares_exports_and_imports() {
        let template = parse(YAML).unwrap();
        assert_eq!(template.body.as_ref(), YAML);
        let env = &template.parameters["Env"];
        assert_eq!((env.kind.as_str(), env.default.as_deref()), ("String", Some("dev")));
        assert_eq!(env.allowed_values, ["dev", "prod"]);
        assert_eq!(template.parameters["Count"].default.as_deref(), Some("2"));
        assert!(template.parameters["Password"].no_echo && !env.no_echo);
        let subnet = &template.resources["Subnet"];
        assert_eq!(subnet.depends_on, BTreeSet::from(["Gateway".to_owned(), "Vpc".to_owned()]));
        assert_eq!(subnet.condition.as_deref(), Some("IsProd"));
        assert_eq!(template.resources["Vpc"].deletion_policy.as_deref(), Some("Retain"));
        assert_eq!(template.facts.outputs["VpcId"].export.as_deref(), Some("${Env}-VPC-ID"));
        assert!(template.facts.outputs["SubnetId"].conditional && !template.facts.outputs["VpcId"].conditional);
        assert_eq!(template.imports, BTreeSet::from(["${Env}-KeyArn".to_owned()]));
        assert!(!template.has_transform && !template.facts.generated);
    }

    #[test]
    fn short_and_long_forms_yaml_and_json_key_order_and_comments_are_all_one() {
        let short = "Resources:\n  A: { Type: T, Properties: { X: !Ref B, Y: !GetAtt B.C.D, Z: !Sub 'a${B}', N: 1 } }\n  B: {Type: U}\n";
        let long = r#"{"Resources": {"B": {"Type": "U"}, "A": {"Properties": {"N": 1, "Z": {"Fn::Sub": "a${B}"},
            "Y": {"Fn::GetAtt": ["B", "C.D"]}, "X": {"Ref": "B"}}, "Type": "T"}}}"#;
        let commented = format!("# about\n{}", short.replace("!GetAtt B.C.D", "{ Fn::GetAtt: B.C.D }"));
        let digest = parse(short).unwrap().facts.digest.clone();
        assert_eq!(parse(long).unwrap().facts.digest, digest);
        assert_eq!(parse(&commented).unwrap().facts.digest, digest);
        assert_ne!(parse(&short.replace("N: 1", "N: 2")).unwrap().facts.digest, digest);
    }

    #[test]
    fn macros_are_seen_wherever_they_stand() {
        for body in [
            "Transform: AWS::Serverless-2016-10-31\nGlobals: {}\nResources: {A: {Type: T}}",
            "Resources: {A: {Type: T, Properties: {Fn::Transform: {Name: AWS::Include}}}}",
            "Transform: AWS::LanguageExtensions\nResources: {'Fn::ForEach::X': [a, !Ref B, {'${a}': {Type: T}}]}",
        ] {
            let template = parse(body).unwrap();
            assert!(template.has_transform && template.facts.generated, "{body}");
        }
    }

    #[test]
    fn what_is_not_a_template_is_refused_with_line_and_column() {
        for (body, line, column, message) in [
            ("Resources:\n  A:\n    Properties: {}\n", 2, 3, "the resource `A` has no `Type`"),
            ("Resources:\n  A: {Type: T}\n  A: {Type: T}\n", 3, 3, "duplicate key `A`"),
            ("Parameters: {}\n", 1, 1, "it has no `Resources`"),
            ("Resources:\n- a\n", 1, 1, "`Resources` is a list; it must be a mapping"),
        ] {
            let error = parse(body).unwrap_err();
            assert_eq!(error.message, message);
            assert_eq!(error.place(), Some((line, column)), "{body}");
        }
        assert!(parse("Resources: [").unwrap_err().place().is_some());
        assert!(parse(&"x".repeat(MAX_BYTES + 1)).unwrap_err().limit);
        assert!(parse("").is_err());
    }

    proptest! {
        #[test]
        fn no_input_makes_the_reader_panic(cut in 0usize..2000, insert in "[\\PC\n\t]{0,12}", drop in 0usize..20) {
            let chars: Vec<char> = YAML.chars().collect();
            let at = cut.min(chars.len());
            let rest = (at + drop).min(chars.len());
            let body: String = chars[..at].iter().copied().chain(insert.chars()).chain(chars[rest..].iter().copied()).collect();
            let _ = parse(&body);
        }

        #[test]
        fn no_text_makes_the_reader_panic(body in "[ -~\n\tä]{0,200}") {
            let _ = parse(&body);
        }
    }
}
