//! Reading a template for execution.
//!
//! Not the template room: that one answers what a planner asks of a template. This one keeps expressions, because a
//! simulation has to evaluate them, and it says no in `CloudFormation`'s own words (AWS: *Template anatomy*).

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value as Json};

use super::constraints::Constraints;
use super::limit::Refusal;
use super::spelling::sub_names;
use super::{attributes, custom, quotas, rules, yaml};

/// A declared parameter.
#[derive(Clone, Debug, Default)]
pub(super) struct ParameterDecl {
    pub(super) kind: String,
    pub(super) default: Option<String>,
    pub(super) no_echo: bool,
    pub(super) allowed: Vec<String>,
    pub(super) constraints: Constraints,
}

impl ParameterDecl {
    /// Its value is a list: `Ref` gives one.
    pub(super) fn is_list(&self) -> bool {
        self.kind == "CommaDelimitedList" || self.kind.starts_with("List<") || self.kind.contains("<List<")
    }

    /// Holds a value against what the template asks of it. What is looked up is not: its value is the name of a parameter.
    pub(super) fn check(&self, name: &str, value: &str) -> Result<(), Refusal> {
        let numbers = self.kind == "Number" || self.kind == "List<Number>";
        match (self.is_stored(), self.is_list()) {
            (true, _) => Ok(()),
            (false, true) => self.constraints.check(name, numbers, value.split(',').map(str::trim)),
            (false, false) => self.constraints.check(name, numbers, [value]),
        }
    }

    /// Its value is the name of a parameter in the Systems Manager store.
    pub(super) fn is_stored(&self) -> bool {
        self.kind.starts_with("AWS::SSM::Parameter::Value<")
    }
}

/// A described resource.
#[derive(Clone, Debug, Default)]
pub(super) struct ResourceDecl {
    pub(super) kind: String,
    pub(super) properties: Json,
    pub(super) metadata: Json,
    pub(super) condition: Option<String>,
    /// By `DependsOn`, `Ref`, `Fn::GetAtt` and `Fn::Sub`.
    pub(super) depends_on: BTreeSet<String>,
    pub(super) deletion_policy: Option<String>,
    pub(super) update_replace_policy: Option<String>,
}

/// A described output.
#[derive(Clone, Debug, Default)]
pub(super) struct OutputDecl {
    pub(super) value: Json,
    pub(super) export: Option<Json>,
    pub(super) condition: Option<String>,
}

/// A template that `CloudFormation` would accept.
#[derive(Clone, Debug, Default)]
pub(super) struct Parsed {
    pub(super) parameters: BTreeMap<String, ParameterDecl>,
    pub(super) mappings: Json,
    pub(super) conditions: Map<String, Json>,
    pub(super) rules: Map<String, Json>,
    pub(super) resources: BTreeMap<String, ResourceDecl>,
    pub(super) outputs: BTreeMap<String, OutputDecl>,
}

/// The sections that a template may have (AWS: *Template sections*).
const SECTIONS: [&str; 11] = [
    "AWSTemplateFormatVersion",
    "Conditions",
    "Description",
    "Hooks",
    "Mappings",
    "Metadata",
    "Outputs",
    "Parameters",
    "Resources",
    "Rules",
    "Transform",
];

/// What is declared with a logical id, which is alphanumeric (AWS: *Resources*, *Parameters*, *Outputs*, *Mappings*).
const NAMED: [(&str, &str); 4] =
    [("Resources", "Resource"), ("Parameters", "Parameter"), ("Outputs", "Output"), ("Mappings", "Mapping")];

/// The macro that AWS hosts for more functions than there were.
pub(super) const EXTENSIONS: &str = "AWS::LanguageExtensions";

/// The text of a template as a map.
pub(super) fn structure(body: &str) -> Result<Map<String, Json>, String> {
    match yaml::read(body)? {
        Json::Object(root) => Ok(root),
        _ => Err("Template format error: unsupported structure.".to_owned()),
    }
}

/// The macros that a whole template is to be processed by, in their order.
pub(super) fn transforms(root: &Map<String, Json>) -> Vec<Json> {
    match root.get("Transform") {
        None | Some(Json::Null) => Vec::new(),
        Some(Json::Array(all)) => all.clone(),
        Some(one) => vec![one.clone()],
    }
}

/// What expressions can refer to before there is any resource.
pub(super) fn declared(root: &Map<String, Json>) -> Parsed {
    Parsed {
        parameters: section(root, "Parameters").iter().map(|(name, decl)| (name.clone(), parameter(decl))).collect(),
        mappings: root.get("Mappings").cloned().unwrap_or_default(),
        conditions: section(root, "Conditions").clone(),
        rules: section(root, "Rules").clone(),
        outputs: BTreeMap::new(),
        resources: BTreeMap::new(),
    }
}

fn check_names(root: &Map<String, Json>) -> Result<(), String> {
    let unknown: Vec<&str> = root.keys().map(String::as_str).filter(|name| !SECTIONS.contains(name)).collect();
    if !unknown.is_empty() {
        return Err(format!("Template format error: Invalid template property or properties [{}]", unknown.join(", ")));
    }
    for (section_name, what) in NAMED {
        let mut names = section(root, section_name).keys();
        if let Some(name) = names.find(|name| !name.bytes().all(|byte| byte.is_ascii_alphanumeric())) {
            return Err(format!("Template format error: {what} name {name} is non alphanumeric."));
        }
    }
    quotas::check(root)?;
    let extended = transforms(root).iter().any(|name| name.as_str() == Some(EXTENSIONS));
    let unsupported = ["Resources", "Outputs"].iter().find_map(|name| unsupported(root.get(*name)?));
    match unsupported.filter(|_| !extended) {
        None => Ok(()),
        Some(name) => Err(format!("Template error: Encountered unsupported function: {name}")),
    }
}

/// A function that only [`EXTENSIONS`] knows.
fn unsupported(value: &Json) -> Option<&str> {
    match value {
        Json::Array(items) => items.iter().find_map(unsupported),
        Json::Object(map) => map.iter().find_map(|(key, value)| match key.as_str() {
            "Fn::Length" | "Fn::ToJsonString" => Some(key.as_str()),
            "Fn::FindInMap" if value.as_array().is_some_and(|list| list.len() > 3) => Some(key.as_str()),
            _ => unsupported(value),
        }),
        _ => None,
    }
}

/// Reads a template, or says what `CloudFormation` would.
pub(super) fn read(body: &str) -> Result<Parsed, String> {
    let root = structure(body)?;
    check_names(&root)?;
    let mut parsed = declared(&root);
    rules::check(&parsed.rules, |name| parsed.parameters.contains_key(name))?;
    parsed.outputs = section(&root, "Outputs").iter().map(|(name, decl)| (name.clone(), output(decl))).collect();
    for (name, decl) in section(&root, "Resources") {
        let Some(kind) = decl.get("Type").and_then(Json::as_str) else {
            return Err(format!(
                "Template format error: [/Resources/{name}] Every Resources object must contain a Type member."
            ));
        };
        let resource = resource(kind, decl);
        custom::check(name, kind, &resource.properties)?;
        parsed.resources.insert(name.clone(), resource);
    }
    if parsed.resources.is_empty() {
        return Err("Template format error: At least one Resources member must be defined.".to_owned());
    }
    check_references(&mut parsed)?;
    let known = |logical: &str| parsed.resources.get(logical).map(|decl| (decl.kind.as_str(), &decl.properties));
    parsed.resources.values().try_for_each(|decl| attributes::check(&decl.properties, &known))?;
    parsed.outputs.values().try_for_each(|output| attributes::check(&output.value, &known))?;
    Ok(parsed)
}

pub(super) fn section<'a>(root: &'a Map<String, Json>, name: &str) -> &'a Map<String, Json> {
    static EMPTY: std::sync::LazyLock<Map<String, Json>> = std::sync::LazyLock::new(Map::new);
    root.get(name).and_then(Json::as_object).unwrap_or(&EMPTY)
}

fn text(decl: &Json, field: &str) -> Option<String> {
    decl.get(field).and_then(Json::as_str).map(str::to_owned)
}

fn parameter(decl: &Json) -> ParameterDecl {
    let allowed = decl.get("AllowedValues").and_then(Json::as_array);
    ParameterDecl {
        kind: text(decl, "Type").unwrap_or_else(|| "String".to_owned()),
        default: text(decl, "Default"),
        no_echo: text(decl, "NoEcho").is_some_and(|on| on.eq_ignore_ascii_case("true")),
        allowed: allowed.into_iter().flatten().filter_map(Json::as_str).map(str::to_owned).collect(),
        constraints: Constraints::of(decl),
    }
}

fn output(decl: &Json) -> OutputDecl {
    OutputDecl {
        value: decl.get("Value").cloned().unwrap_or_default(),
        export: decl.get("Export").and_then(|export| export.get("Name")).cloned(),
        condition: text(decl, "Condition"),
    }
}

fn resource(kind: &str, decl: &Json) -> ResourceDecl {
    let mut depends_on = BTreeSet::new();
    let properties = decl.get("Properties").cloned().unwrap_or_else(|| Json::Object(Map::new()));
    references(&properties, &mut depends_on);
    match decl.get("DependsOn") {
        Some(Json::String(one)) => _ = depends_on.insert(one.clone()),
        Some(Json::Array(many)) => depends_on.extend(many.iter().filter_map(Json::as_str).map(str::to_owned)),
        _ => {}
    }
    ResourceDecl {
        kind: kind.to_owned(),
        properties,
        metadata: decl.get("Metadata").cloned().unwrap_or_default(),
        condition: text(decl, "Condition"),
        depends_on,
        deletion_policy: text(decl, "DeletionPolicy"),
        update_replace_policy: text(decl, "UpdateReplacePolicy"),
    }
}

/// Everything an expression refers to: logical ids, parameters and pseudo parameters alike.
fn references(expression: &Json, found: &mut BTreeSet<String>) {
    match expression {
        Json::Array(items) => items.iter().for_each(|item| references(item, found)),
        Json::Object(map) => {
            for (key, value) in map {
                match (key.as_str(), value) {
                    ("Ref", Json::String(name)) => _ = found.insert(name.clone()),
                    ("Fn::GetAtt", Json::Array(path)) => {
                        found.extend(path.first().and_then(Json::as_str).map(str::to_owned));
                    }
                    ("Fn::Sub", Json::String(text)) => found.extend(sub_names(text).map(head)),
                    ("Fn::Sub", Json::Array(parts)) => {
                        let own = parts.get(1).and_then(Json::as_object);
                        let text = parts.first().and_then(Json::as_str).unwrap_or_default();
                        found.extend(
                            sub_names(text).filter(|name| !own.is_some_and(|own| own.contains_key(*name))).map(head),
                        );
                        own.into_iter().flat_map(Map::values).for_each(|value| references(value, found));
                    }
                    _ => references(value, found),
                }
            }
        }
        _ => {}
    }
}

fn head(name: &str) -> String {
    name.split('.').next().unwrap_or(name).to_owned()
}

/// Every name must be a resource, a parameter or a pseudo parameter; what is left in `depends_on` are resources, and
/// they must not form a circle.
fn check_references(parsed: &mut Parsed) -> Result<(), String> {
    let names: BTreeSet<String> = parsed.resources.keys().cloned().collect();
    let mut unresolved = BTreeSet::new();
    for decl in parsed.resources.values_mut() {
        for name in std::mem::take(&mut decl.depends_on) {
            if names.contains(&name) {
                decl.depends_on.insert(name);
            } else if !parsed.parameters.contains_key(&name) && !name.starts_with("AWS::") {
                unresolved.insert(name);
            }
        }
    }
    if !unresolved.is_empty() {
        return Err(format!(
            "Template format error: Unresolved resource dependencies [{}] in the Resources block of the template",
            unresolved.into_iter().collect::<Vec<_>>().join(", ")
        ));
    }
    let mut wanted = BTreeSet::new();
    parsed.outputs.values().for_each(|output| references(&output.value, &mut wanted));
    wanted.retain(|name| !names.contains(name) && !parsed.parameters.contains_key(name) && !name.starts_with("AWS::"));
    if !wanted.is_empty() {
        return Err(format!(
            "Template format error: Unresolved dependencies [{}]. Cannot reference resources in the Outputs block of the template",
            wanted.into_iter().collect::<Vec<_>>().join(", ")
        ));
    }
    if order(parsed).len() < parsed.resources.len() {
        let placed: BTreeSet<&String> = order(parsed).into_iter().collect();
        let circle: Vec<&str> = names.iter().filter(|name| !placed.contains(name)).map(String::as_str).collect();
        return Err(format!("Circular dependency between resources: [{}]", circle.join(", ")));
    }
    Ok(())
}

/// Logical ids, dependencies first; those in a circle are left out.
pub(super) fn order(parsed: &Parsed) -> Vec<&String> {
    let mut placed: BTreeSet<&str> = BTreeSet::new();
    let mut ordered = Vec::with_capacity(parsed.resources.len());
    loop {
        let before = ordered.len();
        for (name, decl) in &parsed.resources {
            if !placed.contains(name.as_str()) && decl.depends_on.iter().all(|on| placed.contains(on.as_str())) {
                placed.insert(name);
                ordered.push(name);
            }
        }
        if ordered.len() == before {
            return ordered;
        }
    }
}
