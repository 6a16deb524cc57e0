//! `AWS::Serverless::Api` and `AWS::Serverless::HttpApi`, and the two that functions have without naming one (AWS: *CloudFormation
//! resources generated when `AWS::Serverless::Api` is specified*, *… `AWS::Serverless::HttpApi` …*).

use std::collections::BTreeSet;

use serde_json::{Map, Value as Json, json};

use super::{ATTRIBUTES, PASSED_ON, Template, attributes, invalid, only, tags, taken};
use crate::sim::limit::Refusal;
use crate::sim::spelling::digits;

/// What a function asks of an API.
pub(super) struct Route {
    /// The API's logical id.
    pub(super) api: String,
    pub(super) path: String,
    pub(super) method: String,
    /// What the API does with a request.
    pub(super) operation: Json,
    /// The function's condition.
    pub(super) condition: Option<String>,
}

impl Route {
    /// The REST API of functions that name none.
    pub(super) const REST: &str = "ServerlessRestApi";
    /// The HTTP API of functions that name none.
    pub(super) const HTTP: &str = "ServerlessHttpApi";
}

/// Of a REST API, what stays as it is.
const REST: [&str; 8] = [
    "ApiKeySourceType",
    "BinaryMediaTypes",
    "Description",
    "DisableExecuteApiEndpoint",
    "FailOnWarnings",
    "MinimumCompressionSize",
    "Mode",
    "Name",
];

/// Of its stage.
const STAGE: [&str; 7] = [
    "AccessLogSetting",
    "CacheClusterEnabled",
    "CacheClusterSize",
    "CanarySetting",
    "MethodSettings",
    "TracingEnabled",
    "Variables",
];

/// What AWS SAM knows of it, and the simulation does not.
const REST_LIMITS: [&str; 11] = [
    "AlwaysDeploy",
    "Auth",
    "Cors",
    "Domain",
    "GatewayResponses",
    "MergeDefinitions",
    "Models",
    "OpenApiVersion",
    "Policy",
    "PropagateTags",
    "SecurityPolicy",
];

/// Of an HTTP API, what stays as it is.
const HTTP: [&str; 4] = ["Description", "DisableExecuteApiEndpoint", "FailOnWarnings", "Name"];

/// Of its stage.
const HTTP_STAGE: [&str; 3] = ["AccessLogSettings", "DefaultRouteSettings", "RouteSettings"];

const HTTP_LIMITS: [&str; 4] = ["Auth", "CorsConfiguration", "Domain", "PropagateTags"];

/// The APIs of functions that name none, with what all APIs have.
pub(super) fn implicit(template: &mut Template) -> Result<(), Refusal> {
    for (name, stage) in [(Route::REST, Some("Prod")), (Route::HTTP, None)] {
        if !template.routes.iter().any(|route| route.api == name) {
            continue;
        }
        let properties = stage.map_or_else(|| json!({}), |stage| json!({ "StageName": stage }));
        let mut decl = json!({ "Properties": properties });
        if let Some(condition) = condition(template, name) {
            decl["Condition"] = Json::from(condition);
        }
        match stage {
            Some(_) => rest(template, name, &decl)?,
            None => http(template, name, &decl)?,
        }
    }
    Ok(())
}

/// The condition of an API all of whose functions are under one.
fn condition(template: &mut Template, api: &str) -> Option<String> {
    let routes = template.routes.iter().filter(|route| route.api == api);
    let all: Option<BTreeSet<&String>> = routes.map(|route| route.condition.as_ref()).collect();
    let all: Vec<String> = all?.into_iter().cloned().collect();
    if let [one] = all.as_slice() {
        return Some(one.clone());
    }
    let name = format!("{api}Condition");
    let any: Vec<Json> = all.iter().map(|one| json!({ "Condition": one })).collect();
    template.conditions.insert(name.clone(), json!({ "Fn::Or": any }));
    Some(name)
}

/// The definition of an API: what is given, and what functions ask of it.
fn body(template: &Template, name: &str, given: &Map<String, Json>, version: (&str, &str)) -> Json {
    let mut body = given.get("DefinitionBody").cloned().unwrap_or_else(|| {
        json!({ "info": { "version": "1.0", "title": { "Ref": "AWS::StackName" } }, "paths": {}, version.0: version.1 })
    });
    for route in template.routes.iter().filter(|route| route.api == name) {
        if body.get("paths").is_none_or(|paths| !paths.is_object()) {
            body["paths"] = json!({});
        }
        if body["paths"].get(&route.path).is_none() {
            body["paths"][&route.path] = json!({});
        }
        body["paths"][&route.path][&route.method] = route.operation.clone();
    }
    body
}

/// Where the definition is, if it is not in the template.
fn location(name: &str, given: &Map<String, Json>) -> Result<Option<Json>, Refusal> {
    let of = |bucket: &Json, key: &Json| Some(json!({ "Bucket": bucket, "Key": key }));
    match given.get("DefinitionUri") {
        None => Ok(None),
        Some(Json::Object(place)) => {
            Ok(place.get("Bucket").zip(place.get("Key")).and_then(|(bucket, key)| of(bucket, key)))
        }
        Some(uri) => {
            let place = uri.as_str().and_then(|uri| uri.strip_prefix("s3://")?.split_once('/'));
            let (bucket, key) = place.ok_or_else(|| {
                invalid(name, "'DefinitionUri' is not a valid S3 Uri of the form 's3://bucket/key' with optional versionId query parameter.")
            })?;
            Ok(of(&Json::from(bucket), &Json::from(key)))
        }
    }
}

pub(super) fn rest(template: &mut Template, name: &str, decl: &Json) -> Result<(), Refusal> {
    let given = template.properties("Api", decl);
    let turned = ["DefinitionBody", "DefinitionUri", "EndpointConfiguration", "StageName", "Tags"];
    only(name, "AWS::Serverless::Api", &given, &[&REST, &STAGE, &turned], &REST_LIMITS)?;
    let stage =
        given.get("StageName").cloned().ok_or_else(|| invalid(name, "Missing required property 'StageName'."))?;
    let mut properties = taken(&given, &REST);
    let definition = match location(name, &given)? {
        Some(place) => ("BodyS3Location".to_owned(), place),
        None => ("Body".to_owned(), body(template, name, &given, ("swagger", "2.0"))),
    };
    let deployed = definition.1.to_string();
    properties.extend([definition]);
    if let Some(endpoint) = given.get("EndpointConfiguration") {
        let kind = endpoint.get("Type").unwrap_or(endpoint);
        let mut configuration = json!({ "Types": [kind] });
        if let Some(endpoints) = endpoint.get("VPCEndpointIds") {
            configuration["VpcEndpointIds"] = endpoints.clone();
        }
        properties.insert("EndpointConfiguration".to_owned(), configuration);
    }
    if given.contains_key("Tags") {
        properties.insert("Tags".to_owned(), tags(&given, None));
    }
    let api = json!({ "Ref": name });
    let digest = digits(&[&deployed], 10);
    let deployment = format!("{name}Deployment{digest}");
    let letters: String = stage.as_str().unwrap_or_default().chars().filter(char::is_ascii_alphanumeric).collect();
    let passed_on = attributes(decl, &PASSED_ON);
    let mut staged = taken(&given, &STAGE);
    staged.insert("RestApiId".to_owned(), api.clone());
    staged.insert("DeploymentId".to_owned(), json!({ "Ref": deployment }));
    staged.insert("StageName".to_owned(), stage);
    if given.contains_key("Tags") {
        staged.insert("Tags".to_owned(), tags(&given, None));
    }
    template.make(name, "AWS::ApiGateway::RestApi", &attributes(decl, &ATTRIBUTES), Json::Object(properties));
    let description = format!("RestApi deployment id: {digest}");
    let properties = json!({ "RestApiId": api, "StageName": "Stage", "Description": description });
    template.make(deployment, "AWS::ApiGateway::Deployment", &passed_on, properties);
    template.make(format!("{name}{letters}Stage"), "AWS::ApiGateway::Stage", &passed_on, Json::Object(staged));
    Ok(())
}

pub(super) fn http(template: &mut Template, name: &str, decl: &Json) -> Result<(), Refusal> {
    let given = template.properties("HttpApi", decl);
    let turned = ["DefinitionBody", "DefinitionUri", "StageName", "StageVariables", "Tags"];
    only(name, "AWS::Serverless::HttpApi", &given, &[&HTTP, &HTTP_STAGE, &turned], &HTTP_LIMITS)?;
    let mut properties = taken(&given, &HTTP);
    let definition = match location(name, &given)? {
        Some(place) => ("BodyS3Location".to_owned(), place),
        None => ("Body".to_owned(), body(template, name, &given, ("openapi", "3.0.1"))),
    };
    properties.extend([definition]);
    let mut staged = taken(&given, &HTTP_STAGE);
    let all = given.get("Tags").cloned().map(|tags| ("Tags".to_owned(), tags));
    properties.extend(all.clone());
    staged.extend(all);
    let stage = given.get("StageName").cloned().unwrap_or_else(|| Json::from("$default"));
    let letters: String = match stage.as_str() {
        Some("$default") => "ApiGatewayDefault".to_owned(),
        stage => stage.unwrap_or_default().chars().filter(char::is_ascii_alphanumeric).collect(),
    };
    staged.insert("ApiId".to_owned(), json!({ "Ref": name }));
    staged.insert("AutoDeploy".to_owned(), json!(true));
    staged.insert("StageName".to_owned(), stage);
    staged.extend(given.get("StageVariables").map(|variables| ("StageVariables".to_owned(), variables.clone())));
    template.make(name, "AWS::ApiGatewayV2::Api", &attributes(decl, &ATTRIBUTES), Json::Object(properties));
    let passed_on = attributes(decl, &PASSED_ON);
    template.make(format!("{name}{letters}Stage"), "AWS::ApiGatewayV2::Stage", &passed_on, Json::Object(staged));
    Ok(())
}
