//! `AWS::Serverless-2016-10-31`, of a few types (AWS: *Generated CloudFormation resources*).

use serde_json::{Map, Value as Json, json};

use super::limit::Refusal;
use super::spelling::digits;

/// The macro's name.
pub(super) const NAME: &str = "AWS::Serverless-2016-10-31";

/// What is the resource's and not its type's: it stays as it is.
const ATTRIBUTES: [&str; 5] = ["Condition", "DeletionPolicy", "DependsOn", "Metadata", "UpdateReplacePolicy"];

/// Expands a template.
pub(super) fn expand(root: &mut Map<String, Json>) -> Result<(), Refusal> {
    let globals = root.remove("Globals").unwrap_or_default();
    let Some(Json::Object(resources)) = root.remove("Resources") else { return Ok(()) };
    let mut made = Map::new();
    for (name, decl) in resources {
        let kind = decl.get("Type").and_then(Json::as_str).unwrap_or_default();
        let Some(short) = kind.strip_prefix("AWS::Serverless::") else {
            made.insert(name, decl);
            continue;
        };
        let given = properties(&decl, globals.get(short));
        let attributes: Map<String, Json> = ATTRIBUTES
            .iter()
            .filter_map(|attribute| Some(((*attribute).to_owned(), decl.get(*attribute)?.clone())))
            .collect();
        let resources = match short {
            "SimpleTable" => vec![(name.clone(), "AWS::DynamoDB::Table", table(&given))],
            "Function" => function(&name, &given),
            "Api" => api(&name, &given),
            _ => return Err(Refusal::cannot(format!("expand {name}: {kind} is not among the types it knows"))),
        };
        for (name, kind, properties) in resources {
            let mut decl = attributes.clone();
            decl.insert("Type".to_owned(), Json::from(kind));
            decl.insert("Properties".to_owned(), properties);
            made.insert(name, Json::Object(decl));
        }
    }
    root.insert("Resources".to_owned(), Json::Object(made));
    Ok(())
}

/// A resource's properties, over those that all of its type have.
fn properties(decl: &Json, globals: Option<&Json>) -> Map<String, Json> {
    let mut all = globals.and_then(Json::as_object).cloned().unwrap_or_default();
    all.extend(decl.get("Properties").and_then(Json::as_object).cloned().unwrap_or_default());
    all
}

/// These properties, where they are given.
fn taken(given: &Map<String, Json>, names: &[&str]) -> Map<String, Json> {
    names.iter().filter_map(|name| Some(((*name).to_owned(), given.get(*name)?.clone()))).collect()
}

fn tags(given: &Map<String, Json>) -> Option<Json> {
    let tags = given.get("Tags")?.as_object()?;
    Some(tags.iter().map(|(key, value)| json!({ "Key": key, "Value": value })).collect())
}

fn table(given: &Map<String, Json>) -> Json {
    let key = given.get("PrimaryKey");
    let of = |name: &str| key.and_then(|key| key.get(name));
    let name = of("Name").cloned().unwrap_or_else(|| Json::from("id"));
    let kind = match of("Type").and_then(Json::as_str) {
        Some("Number") => "N",
        Some("Binary") => "B",
        _ => "S",
    };
    let mut made =
        taken(given, &["TableName", "SSESpecification", "PointInTimeRecoverySpecification", "ProvisionedThroughput"]);
    made.insert("AttributeDefinitions".to_owned(), json!([{ "AttributeName": name, "AttributeType": kind }]));
    made.insert("KeySchema".to_owned(), json!([{ "AttributeName": name, "KeyType": "HASH" }]));
    if !made.contains_key("ProvisionedThroughput") {
        made.insert("BillingMode".to_owned(), Json::from("PAY_PER_REQUEST"));
    }
    made.extend(tags(given).map(|tags| ("Tags".to_owned(), tags)));
    Json::Object(made)
}

fn function(name: &str, given: &Map<String, Json>) -> Vec<(String, &'static str, Json)> {
    let mut made = taken(
        given,
        &["FunctionName", "Handler", "Runtime", "MemorySize", "Timeout", "Environment", "Description", "Layers"],
    );
    let uri = given.get("CodeUri").and_then(Json::as_str).and_then(|uri| uri.strip_prefix("s3://")?.split_once('/'));
    let code = match (given.get("InlineCode"), uri) {
        (Some(code), _) => json!({ "ZipFile": code }),
        (None, Some((bucket, key))) => json!({ "S3Bucket": bucket, "S3Key": key }),
        (None, None) => given.get("CodeUri").cloned().unwrap_or_default(),
    };
    made.insert("Code".to_owned(), code);
    let mut resources = Vec::new();
    let role = given.get("Role").cloned().unwrap_or_else(|| {
        let role = format!("{name}Role");
        let trust = json!({
            "Version": "2012-10-17",
            "Statement": [{
                "Action": ["sts:AssumeRole"],
                "Effect": "Allow",
                "Principal": { "Service": ["lambda.amazonaws.com"] },
            }],
        });
        let policy = "arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole";
        let properties = json!({ "AssumeRolePolicyDocument": trust, "ManagedPolicyArns": [policy] });
        resources.push((role.clone(), "AWS::IAM::Role", properties));
        json!({ "Fn::GetAtt": [role, "Arn"] })
    });
    made.insert("Role".to_owned(), role);
    made.extend(tags(given).map(|tags| ("Tags".to_owned(), tags)));
    resources.push((name.to_owned(), "AWS::Lambda::Function", Json::Object(made)));
    resources
}

fn api(name: &str, given: &Map<String, Json>) -> Vec<(String, &'static str, Json)> {
    let body = given.get("DefinitionBody").cloned().unwrap_or_default();
    let stage = given.get("StageName").and_then(Json::as_str).unwrap_or("Prod").to_owned();
    let letters: String = stage.chars().filter(char::is_ascii_alphanumeric).collect();
    let deployment = format!("{name}Deployment{}", digits(&[&body.to_string()], 10));
    let api = json!({ "Ref": name });
    vec![
        (name.to_owned(), "AWS::ApiGateway::RestApi", json!({ "Body": body })),
        (deployment.clone(), "AWS::ApiGateway::Deployment", json!({ "RestApiId": api, "StageName": "Stage" })),
        (
            format!("{name}{letters}Stage"),
            "AWS::ApiGateway::Stage",
            json!({ "RestApiId": api, "DeploymentId": { "Ref": deployment }, "StageName": stage }),
        ),
    ]
}
