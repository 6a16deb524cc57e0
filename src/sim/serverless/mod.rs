//! `AWS::Serverless-2016-10-31`, of a few types (AWS: *CloudFormation resources generated*, of each type).
//!
//! Nothing is left out in silence: a type, an event or a property that is not expanded is a limit of the simulation, by name.
//! What AWS SAM does not know is refused in its words.

mod api;
mod called;
mod events;
mod function;

use serde_json::{Map, Value as Json, json};

use super::limit::Refusal;

/// The macro's name.
pub(super) const NAME: &str = "AWS::Serverless-2016-10-31";

/// What is the resource's and not its type's: it stays as it is.
const ATTRIBUTES: [&str; 5] = ["Condition", "DeletionPolicy", "DependsOn", "Metadata", "UpdateReplacePolicy"];

/// What of it is passed on to everything that is made beside it.
const PASSED_ON: [&str; 3] = ["Condition", "DeletionPolicy", "UpdateReplacePolicy"];

/// A template under expansion.
struct Template {
    /// What a type has in `Globals`.
    globals: Map<String, Json>,
    /// All resources as they were written.
    given: Map<String, Json>,
    /// What is there instead.
    made: Map<String, Json>,
    /// What functions ask of the APIs.
    routes: Vec<api::Route>,
    /// Conditions that are made: their names and expressions.
    conditions: Map<String, Json>,
}

/// Expands a template.
pub(super) fn expand(root: &mut Map<String, Json>) -> Result<(), Refusal> {
    let globals = root.remove("Globals").and_then(|globals| globals.as_object().cloned()).unwrap_or_default();
    let Some(Json::Object(given)) = root.remove("Resources") else { return Ok(()) };
    let (serverless, made): (Map<String, Json>, Map<String, Json>) =
        given.clone().into_iter().partition(|(_, decl)| kind(decl).starts_with("AWS::Serverless::"));
    let mut template = Template { globals, given, made, routes: Vec::new(), conditions: Map::new() };
    // Functions say which routes their APIs have: the APIs come last.
    for (name, decl) in &serverless {
        match kind(decl) {
            "AWS::Serverless::Function" => function::expand(&mut template, name, decl)?,
            "AWS::Serverless::SimpleTable" => table(&mut template, name, decl)?,
            "AWS::Serverless::Api" | "AWS::Serverless::HttpApi" => {}
            kind => return Err(Refusal::cannot(format!("expand {name}: {kind} is not among the types it knows"))),
        }
    }
    for (name, decl) in &serverless {
        match kind(decl) {
            "AWS::Serverless::Api" => api::rest(&mut template, name, decl)?,
            "AWS::Serverless::HttpApi" => api::http(&mut template, name, decl)?,
            _ => {}
        }
    }
    api::implicit(&mut template)?;
    root.insert("Resources".to_owned(), Json::Object(template.made));
    if !template.conditions.is_empty() {
        let conditions = root.entry("Conditions").or_insert_with(|| json!({}));
        conditions.as_object_mut().into_iter().for_each(|all| all.extend(template.conditions.clone()));
    }
    Ok(())
}

fn kind(decl: &Json) -> &str {
    decl.get("Type").and_then(Json::as_str).unwrap_or_default()
}

impl Template {
    /// A resource's properties, over those that all of its type have.
    fn properties(&self, short: &str, decl: &Json) -> Map<String, Json> {
        let mut all = Json::Object(self.globals.get(short).and_then(Json::as_object).cloned().unwrap_or_default());
        overlay(&mut all, decl.get("Properties").cloned().unwrap_or_else(|| json!({})));
        all.as_object().cloned().unwrap_or_default()
    }

    /// Adds a resource; attributes are its own or passed on to it.
    fn make(&mut self, name: impl Into<String>, kind: &str, attributes: &Map<String, Json>, properties: Json) {
        let mut decl = attributes.clone();
        decl.insert("Type".to_owned(), Json::from(kind));
        decl.insert("Properties".to_owned(), properties);
        self.made.insert(name.into(), Json::Object(decl));
    }
}

/// AWS: *Globals section of the AWS SAM template*, overridable properties: maps are merged, lists are added to, all else is replaced.
fn overlay(below: &mut Json, above: Json) {
    match (below, above) {
        (Json::Object(below), Json::Object(above)) if !is_function(&above) && !is_function(below) => {
            for (key, value) in above {
                match below.get_mut(&key) {
                    Some(there) => overlay(there, value),
                    None => _ = below.insert(key, value),
                }
            }
        }
        (Json::Array(below), Json::Array(above)) => below.extend(above),
        (below, above) => *below = above,
    }
}

/// Whether a map is a function and not a map.
fn is_function(map: &Map<String, Json>) -> bool {
    map.len() == 1 && map.keys().all(|key| key == "Ref" || key.starts_with("Fn::"))
}

/// These attributes, where a resource has them.
fn attributes(decl: &Json, names: &[&str]) -> Map<String, Json> {
    names.iter().filter_map(|name| Some(((*name).to_owned(), decl.get(*name)?.clone()))).collect()
}

/// These properties, where they are given.
fn taken(given: &Map<String, Json>, names: &[&str]) -> Map<String, Json> {
    names.iter().filter_map(|name| Some(((*name).to_owned(), given.get(*name)?.clone()))).collect()
}

/// Tags as a list, and the one that AWS SAM adds.
fn tags(given: &Map<String, Json>, own: Option<&str>) -> Json {
    let own = own.map(|key| json!({ "Key": key, "Value": "SAM" }));
    let tags = given.get("Tags").and_then(Json::as_object).into_iter().flatten();
    own.into_iter().chain(tags.map(|(key, value)| json!({ "Key": key, "Value": value }))).collect()
}

/// Refuses what is neither expanded nor left as it is: `known` is, `limits` is not, and AWS SAM has no other.
fn only(name: &str, kind: &str, given: &Map<String, Json>, known: &[&[&str]], limits: &[&str]) -> Result<(), Refusal> {
    let mut others = given.keys().map(String::as_str).filter(|key| !known.iter().any(|known| known.contains(key)));
    match others.next() {
        None => Ok(()),
        Some(key) if limits.contains(&key) => {
            Err(Refusal::cannot(format!("expand {name}: it does not know {key} of {kind}")))
        }
        Some(key) => Err(invalid(name, &format!("property {key} not defined for resource of type {kind}"))),
    }
}

/// What AWS SAM says of a resource.
fn invalid(name: &str, why: &str) -> Refusal {
    Refusal::Aws(format!(
        "Transform {NAME} failed with: Invalid Serverless Application Specification document. Number of errors found: 1. \
         Resource with id [{name}] is invalid. {why}"
    ))
}

fn table(template: &mut Template, name: &str, decl: &Json) -> Result<(), Refusal> {
    const KEPT: [&str; 4] =
        ["PointInTimeRecoverySpecification", "ProvisionedThroughput", "SSESpecification", "TableName"];
    let given = template.properties("SimpleTable", decl);
    only(name, "AWS::Serverless::SimpleTable", &given, &[&KEPT, &["PrimaryKey", "Tags"]], &[])?;
    let key = given.get("PrimaryKey");
    let of = |name: &str| key.and_then(|key| key.get(name));
    let attribute = of("Name").cloned().unwrap_or_else(|| Json::from("id"));
    let kind = match of("Type").and_then(Json::as_str) {
        Some("Number") => "N",
        Some("Binary") => "B",
        _ => "S",
    };
    let mut made = taken(&given, &KEPT);
    made.insert("AttributeDefinitions".to_owned(), json!([{ "AttributeName": attribute, "AttributeType": kind }]));
    made.insert("KeySchema".to_owned(), json!([{ "AttributeName": attribute, "KeyType": "HASH" }]));
    if !made.contains_key("ProvisionedThroughput") {
        made.insert("BillingMode".to_owned(), Json::from("PAY_PER_REQUEST"));
    }
    if given.contains_key("Tags") {
        made.insert("Tags".to_owned(), tags(&given, None));
    }
    template.make(name, "AWS::DynamoDB::Table", &attributes(decl, &ATTRIBUTES), Json::Object(made));
    Ok(())
}
