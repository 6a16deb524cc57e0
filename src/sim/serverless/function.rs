//! `AWS::Serverless::Function` (AWS: *CloudFormation resources generated when `AWS::Serverless::Function` is specified*).

use serde_json::{Map, Value as Json, json};

use super::called::Function;
use super::{ATTRIBUTES, PASSED_ON, Template, attributes, events, invalid, only, tags, taken};
use crate::sim::limit::Refusal;
use crate::sim::spelling::digits;

/// Properties that the function of Lambda has too, under the same name.
const KEPT: [&str; 20] = [
    "Architectures",
    "CodeSigningConfigArn",
    "Description",
    "Environment",
    "EphemeralStorage",
    "FileSystemConfigs",
    "FunctionName",
    "Handler",
    "ImageConfig",
    "KmsKeyArn",
    "Layers",
    "LoggingConfig",
    "MemorySize",
    "PackageType",
    "RecursiveLoop",
    "ReservedConcurrentExecutions",
    "Runtime",
    "RuntimeManagementConfig",
    "SnapStart",
    "Timeout",
];

/// Properties that become something else.
const TURNED: [&str; 19] = [
    "AssumeRolePolicyDocument",
    "AutoPublishAlias",
    "CodeUri",
    "DeadLetterQueue",
    "Events",
    "FunctionUrlConfig",
    "ImageUri",
    "InlineCode",
    "PermissionsBoundary",
    "Policies",
    "PropagateTags",
    "ProvisionedConcurrencyConfig",
    "Role",
    "RolePath",
    "Tags",
    "Tracing",
    "VersionDescription",
    "VpcConfig",
    "AutoPublishAliasAllProperties",
];

/// Properties that AWS SAM knows, and the simulation does not.
const LIMITS: [&str; 12] = [
    "AutoPublishCodeSha256",
    "CapacityProviderConfig",
    "DeploymentPreference",
    "DurableConfig",
    "EventInvokeConfig",
    "FunctionScalingConfig",
    "PublishToLatestPublished",
    "SourceKMSKeyArn",
    "TenancyConfig",
    "TenantIsolationConfig",
    "VersionDeletionPolicy",
    "ImageRepositories",
];

pub(super) fn expand(template: &mut Template, name: &str, decl: &Json) -> Result<(), Refusal> {
    let given = template.properties("Function", decl);
    only(name, "AWS::Serverless::Function", &given, &[&KEPT, &TURNED], &LIMITS)?;
    let passed_on = attributes(decl, &PASSED_ON);
    let published = match given.get("AutoPublishAlias") {
        None => None,
        Some(Json::String(alias)) => Some(alias.as_str()),
        Some(_) => return Err(Refusal::cannot(format!("expand {name}: it does not compute AutoPublishAlias"))),
    };
    let alias = published.map(|alias| format!("{name}Alias{alias}"));
    let mut function = Function { name: name.to_owned(), passed_on, alias, policies: Vec::new() };
    for (event, source) in given.get("Events").and_then(Json::as_object).into_iter().flatten() {
        events::expand(template, &mut function, event, source)?;
    }
    let mut made = taken(&given, &KEPT);
    made.insert("Code".to_owned(), code(name, &given)?);
    made.extend(given.get("VpcConfig").map(|config| ("VpcConfig".to_owned(), config.clone())));
    made.extend(given.get("Tracing").map(|mode| ("TracingConfig".to_owned(), json!({ "Mode": mode }))));
    let dead = given.get("DeadLetterQueue").and_then(|queue| queue.get("TargetArn"));
    made.extend(dead.map(|arn| ("DeadLetterConfig".to_owned(), json!({ "TargetArn": arn }))));
    made.insert("Tags".to_owned(), tags(&given, Some("lambda:createdBy")));
    let role = match given.get("Role") {
        Some(role) => role.clone(),
        None => role(template, &function, &given)?,
    };
    made.insert("Role".to_owned(), role);
    let text = Json::Object(made.clone()).to_string();
    template.make(name, "AWS::Lambda::Function", &attributes(decl, &ATTRIBUTES), Json::Object(made));
    if let Some(published) = published {
        publish(template, &function, &given, published, &text);
    }
    url(template, &function, &given);
    Ok(())
}

/// Where the code is.
fn code(name: &str, given: &Map<String, Json>) -> Result<Json, Refusal> {
    if let Some(image) = given.get("ImageUri") {
        return Ok(json!({ "ImageUri": image }));
    }
    let place = match (given.get("InlineCode"), given.get("CodeUri")) {
        (Some(code), _) => return Ok(json!({ "ZipFile": code })),
        (None, Some(Json::String(uri))) => uri,
        (None, Some(Json::Object(place))) => {
            let of = |from: &str, to: &str| Some((to.to_owned(), place.get(from)?.clone()));
            let all = [of("Bucket", "S3Bucket"), of("Key", "S3Key"), of("Version", "S3ObjectVersion")];
            return Ok(Json::Object(all.into_iter().flatten().collect()));
        }
        _ => return Err(invalid(name, "Either 'InlineCode' or 'CodeUri' must be set.")),
    };
    // A directory is what `sam package` or `aws cloudformation package` would have uploaded before.
    let (bucket, key) = place.strip_prefix("s3://").and_then(|uri| uri.split_once('/')).ok_or_else(|| {
        invalid(
            name,
            "'CodeUri' is not a valid S3 Uri of the form 's3://bucket/key' with optional versionId query parameter.",
        )
    })?;
    Ok(match key.split_once("?versionId=") {
        Some((key, version)) => json!({ "S3Bucket": bucket, "S3Key": key, "S3ObjectVersion": version }),
        None => json!({ "S3Bucket": bucket, "S3Key": key }),
    })
}

/// The role of a function that names none.
fn role(template: &mut Template, function: &Function, given: &Map<String, Json>) -> Result<Json, Refusal> {
    let name = format!("{}Role", function.name);
    let service = |name: &str| {
        let suffix = format!(":iam::aws:policy/{name}");
        json!({ "Fn::Join": ["", ["arn:", { "Ref": "AWS::Partition" }, suffix]] })
    };
    let mut managed = vec![service("service-role/AWSLambdaBasicExecutionRole")];
    managed.extend(given.contains_key("VpcConfig").then(|| service("service-role/AWSLambdaVPCAccessExecutionRole")));
    let traced = given.get("Tracing").and_then(Json::as_str) == Some("Active");
    managed.extend(traced.then(|| service("AWSXRayDaemonWriteAccess")));
    managed.extend(function.policies.iter().map(|policy| service(policy)));
    let mut inline = Vec::new();
    let policies = match given.get("Policies") {
        Some(Json::Array(all)) => all.clone(),
        Some(one) => vec![one.clone()],
        None => Vec::new(),
    };
    for (place, policy) in policies.into_iter().enumerate() {
        let named =
            |document: Json| json!({ "PolicyName": format!("{name}Policy{place}"), "PolicyDocument": document });
        match &policy {
            Json::String(text) if text.starts_with("arn:") => managed.push(policy),
            Json::String(text) => managed.push(service(text)),
            Json::Object(map) if map.contains_key("Statement") => inline.push(named(policy)),
            Json::Object(map) if super::is_function(map) => managed.push(policy),
            Json::Object(map) if map.len() == 1 => inline.extend(map.iter().map(|one| named(from_template(one)))),
            _ => return Err(invalid(&function.name, "Policy is malformed.")),
        }
    }
    let mut properties = json!({
        "AssumeRolePolicyDocument": given.get("AssumeRolePolicyDocument").cloned().unwrap_or_else(trust),
        "ManagedPolicyArns": managed,
        "Tags": tags(given, Some("lambda:createdBy")),
    });
    if let Some(properties) = properties.as_object_mut() {
        properties.extend(taken(given, &["PermissionsBoundary"]));
        properties.extend(given.get("RolePath").map(|path| ("Path".to_owned(), path.clone())));
        if !inline.is_empty() {
            properties.insert("Policies".to_owned(), Json::Array(inline));
        }
    }
    template.make(name.clone(), "AWS::IAM::Role", &function.passed_on, properties);
    Ok(json!({ "Fn::GetAtt": [name, "Arn"] }))
}

fn trust() -> Json {
    json!({
        "Version": "2012-10-17",
        "Statement": [{
            "Action": ["sts:AssumeRole"],
            "Effect": "Allow",
            "Principal": { "Service": ["lambda.amazonaws.com"] },
        }],
    })
}

/// What stands in for a policy template of AWS SAM: its name and what it is given. Nobody is denied anything here, so its actions
/// are not known; what it refers to has to exist before the role.
fn from_template((name, given): (&String, &Json)) -> Json {
    let resources: Vec<&Json> = given.as_object().into_iter().flat_map(Map::values).collect();
    let statement = json!({ "Sid": name, "Effect": "Allow", "Action": [], "Resource": resources });
    json!({ "Version": "2012-10-17", "Statement": [statement] })
}

/// A version and the alias that names it.
fn publish(template: &mut Template, function: &Function, given: &Map<String, Json>, alias: &str, text: &str) {
    let name = &function.name;
    let version = format!("{name}Version{}", digits(&[text], 10));
    let mut kept = function.passed_on.clone();
    // The version that the alias named before outlives the update.
    kept.insert("DeletionPolicy".to_owned(), Json::from("Retain"));
    let mut properties = json!({ "FunctionName": { "Ref": name } });
    let described = given.get("VersionDescription");
    properties
        .as_object_mut()
        .into_iter()
        .for_each(|all| all.extend(described.map(|text| ("Description".to_owned(), text.clone()))));
    template.make(version.clone(), "AWS::Lambda::Version", &kept, properties);
    let mut properties = json!({
        "Name": alias,
        "FunctionName": { "Ref": name },
        "FunctionVersion": { "Fn::GetAtt": [version, "Version"] },
    });
    let provisioned = taken(given, &["ProvisionedConcurrencyConfig"]);
    properties.as_object_mut().into_iter().for_each(|all| all.extend(provisioned.clone()));
    template.make(format!("{name}Alias{alias}"), "AWS::Lambda::Alias", &function.passed_on, properties);
}

/// The function's own address.
fn url(template: &mut Template, function: &Function, given: &Map<String, Json>) {
    let Some(config) = given.get("FunctionUrlConfig").and_then(Json::as_object) else { return };
    let name = &function.name;
    let mut properties = taken(config, &["AuthType", "Cors", "InvokeMode"]);
    properties.insert("TargetFunctionArn".to_owned(), json!({ "Ref": name }));
    if let Some(alias) = given.get("AutoPublishAlias") {
        properties.insert("Qualifier".to_owned(), alias.clone());
    }
    template.make(format!("{name}Url"), "AWS::Lambda::Url", &function.passed_on, Json::Object(properties));
    if config.get("AuthType").and_then(Json::as_str) == Some("NONE") {
        let properties = json!({
            "Action": "lambda:InvokeFunctionUrl",
            "FunctionName": function.called(),
            "FunctionUrlAuthType": "NONE",
            "Principal": "*",
        });
        template.make(
            format!("{name}UrlPublicPermissions"),
            "AWS::Lambda::Permission",
            &function.passed_on,
            properties,
        );
    }
}
