//! The `Events` of a function (AWS: *`EventSource`*; *CloudFormation resources generated …*, event sources).

use serde_json::{Map, Value as Json, json};

use super::api::Route;
use super::called::Function;
use super::{Template, kind, taken};
use crate::sim::limit::Refusal;

/// Of a mapping, what AWS SAM leaves as it is.
const MAPPED: [&str; 18] = [
    "BatchSize",
    "BisectBatchOnFunctionError",
    "DestinationConfig",
    "Enabled",
    "FilterCriteria",
    "FunctionResponseTypes",
    "KmsKeyArn",
    "LoggingConfig",
    "MaximumBatchingWindowInSeconds",
    "MaximumRecordAgeInSeconds",
    "MaximumRetryAttempts",
    "MetricsConfig",
    "ParallelizationFactor",
    "ProvisionedPollerConfig",
    "ScalingConfig",
    "StartingPosition",
    "StartingPositionTimestamp",
    "TumblingWindowInSeconds",
];

/// One event of a function.
struct Event<'a> {
    function: &'a Function,
    /// The name of the event.
    name: &'a str,
    /// Its type.
    kind: &'a str,
    given: &'a Map<String, Json>,
    /// The logical id of what is made of it.
    id: String,
}

/// Makes what an event stands for.
pub(super) fn expand(
    template: &mut Template,
    function: &mut Function,
    name: &str,
    source: &Json,
) -> Result<(), Refusal> {
    let none = Map::new();
    let given = source.get("Properties").and_then(Json::as_object).unwrap_or(&none);
    let kind = kind(source);
    let policy = match kind {
        "SQS" => "service-role/AWSLambdaSQSQueueExecutionRole",
        "Kinesis" => "service-role/AWSLambdaKinesisExecutionRole",
        "DynamoDB" => "service-role/AWSLambdaDynamoDBExecutionRole",
        "MSK" => "service-role/AWSLambdaMSKExecutionRole",
        _ => "",
    };
    if !policy.is_empty() && !function.policies.contains(&policy) {
        function.policies.push(policy);
    }
    let event = Event { function, name, kind, given, id: format!("{}{name}", function.name) };
    match kind {
        "Schedule" => event.schedule(template),
        "ScheduleV2" => event.scheduler(template),
        "EventBridgeRule" | "CloudWatchEvent" => event.rule(template),
        "SQS" => event.mapping(template, "Queue"),
        "Kinesis" | "DynamoDB" | "MSK" => event.mapping(template, "Stream"),
        "SNS" => event.topic(template),
        "S3" => event.bucket(template),
        "Api" => event.rest(template),
        "HttpApi" => event.http(template),
        _ => Err(event.cannot(&format!("events of type {kind} are not among those it knows"))),
    }
}

impl Event<'_> {
    fn cannot(&self, why: &str) -> Refusal {
        Refusal::cannot(format!("expand the event {} of {}: {why}", self.name, self.function.name))
    }

    /// What AWS SAM says of an event.
    fn invalid(&self, why: &str) -> Refusal {
        super::invalid(&self.function.name, &format!("Event with id [{}] is invalid. {why}", self.id))
    }

    /// Only these properties are expanded.
    fn only(&self, known: &[&[&str]]) -> Result<(), Refusal> {
        let unknown = self.given.keys().find(|key| !known.iter().any(|known| known.contains(&key.as_str())));
        unknown.map_or(Ok(()), |key| Err(self.cannot(&format!("it does not know {key} of {}", self.kind))))
    }

    fn required(&self, property: &str) -> Result<&Json, Refusal> {
        self.given.get(property).ok_or_else(|| self.invalid(&format!("Missing required property '{property}'.")))
    }

    fn permit(&self, template: &mut Template, suffix: &str, principal: &str, source: (&str, Json)) {
        let mut properties = json!({
            "Action": "lambda:InvokeFunction",
            "FunctionName": self.function.called(),
            "Principal": principal,
        });
        properties[source.0] = source.1;
        let name = format!("{}Permission{suffix}", self.id);
        template.make(name, "AWS::Lambda::Permission", &self.function.passed_on, properties);
    }

    /// `State`, also said as `Enabled`.
    fn state(&self) -> Result<Option<Json>, Refusal> {
        match (self.given.get("State"), self.given.get("Enabled")) {
            (Some(_), Some(_)) => Err(self.invalid("State and Enabled Properties cannot both be specified.")),
            (None, Some(Json::String(on))) => {
                Ok(Some(Json::from(if on.eq_ignore_ascii_case("true") { "ENABLED" } else { "DISABLED" })))
            }
            (None, Some(_)) => Err(self.cannot("it does not compute Enabled")),
            (state, None) => Ok(state.cloned()),
        }
    }

    /// The function as the target of a rule or a schedule.
    fn target(&self, more: &[&str]) -> Result<Json, Refusal> {
        let own = self.given.get("Target").and_then(|target| target.get("Id")).cloned();
        let mut target = taken(self.given, more);
        target.insert("Arn".to_owned(), self.function.arn());
        target.insert("Id".to_owned(), own.unwrap_or_else(|| Json::from(format!("{}LambdaTarget", self.id))));
        if let Some(dead) = self.given.get("DeadLetterConfig") {
            let arn = dead.get("Arn").ok_or_else(|| self.cannot("it does not make the queue of DeadLetterConfig"))?;
            target.insert("DeadLetterConfig".to_owned(), json!({ "Arn": arn }));
        }
        Ok(Json::Object(target))
    }

    /// A rule of EventBridge, and the permission to call the function.
    fn make_rule(
        &self,
        template: &mut Template,
        mut properties: Map<String, Json>,
        target: Json,
    ) -> Result<(), Refusal> {
        properties.extend(self.state()?.map(|state| ("State".to_owned(), state)));
        properties.insert("Targets".to_owned(), Json::Array(vec![target]));
        template.make(self.id.clone(), "AWS::Events::Rule", &self.function.passed_on, Json::Object(properties));
        let arn = json!({ "Fn::GetAtt": [self.id, "Arn"] });
        self.permit(template, "", "events.amazonaws.com", ("SourceArn", arn));
        Ok(())
    }

    fn schedule(&self, template: &mut Template) -> Result<(), Refusal> {
        let kept = ["Description", "Name"];
        self.only(&[&kept, &["Schedule", "Input", "Enabled", "State", "DeadLetterConfig", "RetryPolicy"]])?;
        let mut properties = taken(self.given, &kept);
        properties.insert("ScheduleExpression".to_owned(), self.required("Schedule")?.clone());
        self.make_rule(template, properties, self.target(&["Input", "RetryPolicy"])?)
    }

    fn rule(&self, template: &mut Template) -> Result<(), Refusal> {
        let kept = ["EventBusName"];
        let target = ["Input", "InputPath", "InputTransformer", "RetryPolicy"];
        self.only(&[&kept, &target, &["Pattern", "Enabled", "State", "DeadLetterConfig", "Target", "RuleName"]])?;
        let mut properties = taken(self.given, &kept);
        properties.insert("EventPattern".to_owned(), self.required("Pattern")?.clone());
        properties.extend(self.given.get("RuleName").map(|name| ("Name".to_owned(), name.clone())));
        self.make_rule(template, properties, self.target(&target)?)
    }

    /// A schedule of EventBridge Scheduler, which calls the function in a role: there is no permission.
    fn scheduler(&self, template: &mut Template) -> Result<(), Refusal> {
        let kept =
            ["Description", "EndDate", "GroupName", "KmsKeyArn", "ScheduleExpressionTimezone", "StartDate", "State"];
        let turned = ["ScheduleExpression", "Input", "RetryPolicy", "DeadLetterConfig", "FlexibleTimeWindow", "Name"];
        self.only(&[&kept, &turned, &["OmitName", "PermissionsBoundary", "RoleArn"]])?;
        let mut properties = taken(self.given, &kept);
        properties.insert("ScheduleExpression".to_owned(), self.required("ScheduleExpression")?.clone());
        let window = self.given.get("FlexibleTimeWindow").cloned().unwrap_or_else(|| json!({ "Mode": "OFF" }));
        properties.insert("FlexibleTimeWindow".to_owned(), window);
        if self.given.get("OmitName").and_then(Json::as_str) != Some("true") {
            let name = self.given.get("Name").cloned().unwrap_or_else(|| Json::from(self.id.as_str()));
            properties.insert("Name".to_owned(), name);
        }
        let mut target = self.target(&["Input", "RetryPolicy"])?;
        let role = self.given.get("RoleArn").cloned().unwrap_or_else(|| self.role(template));
        if let Some(target) = target.as_object_mut() {
            target.remove("Id");
            target.insert("RoleArn".to_owned(), role);
        }
        properties.insert("Target".to_owned(), target);
        template.make(self.id.clone(), "AWS::Scheduler::Schedule", &self.function.passed_on, Json::Object(properties));
        Ok(())
    }

    /// The role in which the schedule calls the function.
    fn role(&self, template: &mut Template) -> Json {
        let name = format!("{}Role", self.id);
        let trust = json!({
            "Version": "2012-10-17",
            "Statement": [{
                "Effect": "Allow",
                "Action": ["sts:AssumeRole"],
                "Principal": { "Service": ["scheduler.amazonaws.com"] },
            }],
        });
        let policy = json!({
            "Version": "2012-10-17",
            "Statement": [{ "Effect": "Allow", "Action": "lambda:InvokeFunction", "Resource": self.function.arn() }],
        });
        let mut properties = taken(self.given, &["PermissionsBoundary"]);
        properties.insert("AssumeRolePolicyDocument".to_owned(), trust);
        let policy = json!({ "PolicyName": format!("{}LambdaPolicy", self.id), "PolicyDocument": policy });
        properties.insert("Policies".to_owned(), json!([policy]));
        template.make(name.clone(), "AWS::IAM::Role", &self.function.passed_on, Json::Object(properties));
        json!({ "Fn::GetAtt": [name, "Arn"] })
    }

    /// What Lambda reads by itself.
    fn mapping(&self, template: &mut Template, source: &str) -> Result<(), Refusal> {
        let own: &[&str] = if self.kind == "MSK" { &["Topics", "ConsumerGroupId"] } else { &[] };
        self.only(&[&MAPPED, &[source], own])?;
        let mut properties = taken(self.given, &MAPPED);
        properties.extend(taken(self.given, &["Topics"]));
        if let Some(group) = self.given.get("ConsumerGroupId") {
            let config = json!({ "ConsumerGroupId": group });
            properties.insert("AmazonManagedKafkaEventSourceConfig".to_owned(), config);
        }
        properties.insert("EventSourceArn".to_owned(), self.required(source)?.clone());
        properties.insert("FunctionName".to_owned(), self.function.called());
        let kind = "AWS::Lambda::EventSourceMapping";
        template.make(self.id.clone(), kind, &self.function.passed_on, Json::Object(properties));
        Ok(())
    }

    fn topic(&self, template: &mut Template) -> Result<(), Refusal> {
        let kept = ["FilterPolicy", "FilterPolicyScope", "RedrivePolicy", "Region"];
        self.only(&[&kept, &["Topic"]])?;
        let topic = self.required("Topic")?.clone();
        let mut properties = taken(self.given, &kept);
        properties.insert("Protocol".to_owned(), Json::from("lambda"));
        properties.insert("Endpoint".to_owned(), self.function.arn());
        properties.insert("TopicArn".to_owned(), topic.clone());
        template.make(self.id.clone(), "AWS::SNS::Subscription", &self.function.passed_on, Json::Object(properties));
        self.permit(template, "", "sns.amazonaws.com", ("SourceArn", topic));
        Ok(())
    }

    /// A bucket of the same template tells the function.
    fn bucket(&self, template: &mut Template) -> Result<(), Refusal> {
        self.only(&[&["Bucket", "Events", "Filter"]])?;
        let events = match self.required("Events")? {
            Json::Array(all) => all.clone(),
            one => vec![one.clone()],
        };
        let bucket = self.required("Bucket")?.get("Ref").and_then(Json::as_str).unwrap_or_default();
        let is_bucket = template.made.get(bucket).is_some_and(|decl| kind(decl) == "AWS::S3::Bucket");
        if !is_bucket {
            return Err(self.invalid("S3 events must reference an S3 bucket in the same template."));
        }
        self.permit(template, "", "s3.amazonaws.com", ("SourceAccount", json!({ "Ref": "AWS::AccountId" })));
        let permission = format!("{}Permission", self.id);
        let configurations = events.into_iter().map(|event| {
            let mut configuration = taken(self.given, &["Filter"]);
            configuration.insert("Event".to_owned(), event);
            configuration.insert("Function".to_owned(), self.function.arn());
            self.where_function_is(Json::Object(configuration))
        });
        let configurations: Vec<Json> = configurations.collect();
        let Some(decl) = template.made.get_mut(bucket) else { return Ok(()) };
        let properties = place(decl, "Properties", || json!({}));
        let told = place(properties, "NotificationConfiguration", || json!({}));
        let told = place(told, "LambdaConfigurations", || json!([]));
        told.as_array_mut().into_iter().for_each(|all| all.extend(configurations.clone()));
        if self.function.condition().is_some() {
            // A dependency cannot be conditional; a reference in a tag can (AWS SAM does the same).
            let reference = self.where_function_is_or(json!({ "Ref": permission }), &Json::from("no dependency"));
            let tag = json!({ "Key": format!("sam:ConditionalDependsOn:{permission}"), "Value": reference });
            let tags = place(properties, "Tags", || json!([]));
            tags.as_array_mut().into_iter().for_each(|all| all.push(tag.clone()));
            return Ok(());
        }
        let depends = place(decl, "DependsOn", || json!([]));
        match depends {
            Json::Array(all) => all.push(Json::from(permission)),
            one => *one = json!([one.clone(), permission]),
        }
        Ok(())
    }

    /// A value that is there only if the function is.
    fn where_function_is(&self, value: Json) -> Json {
        self.where_function_is_or(value, &json!({ "Ref": "AWS::NoValue" }))
    }

    fn where_function_is_or(&self, value: Json, otherwise: &Json) -> Json {
        match self.function.condition() {
            Some(condition) => json!({ "Fn::If": [condition, value, otherwise] }),
            None => value,
        }
    }

    fn rest(&self, template: &mut Template) -> Result<(), Refusal> {
        self.only(&[&["Path", "Method", "RestApiId", "TimeoutInMillis"]])?;
        let api = self.api(template, "RestApiId", "AWS::Serverless::Api", Route::REST)?;
        let stage = match &api {
            Some(api) if api != Route::REST => {
                let decl = template.given.get(api).cloned().unwrap_or_default();
                let stage = template.properties("Api", &decl).get("StageName").cloned();
                stage.map_or_else(|| "Stage".to_owned(), |stage| stage.as_str().unwrap_or("Stage").to_owned())
            }
            _ => "Prod".to_owned(),
        };
        let suffix: String = stage.chars().filter(char::is_ascii_alphanumeric).collect();
        let (path, method) = (self.text("Path")?, self.text("Method")?.to_ascii_lowercase());
        self.route(template, api.as_deref(), &suffix, &path, &method, "")
    }

    fn http(&self, template: &mut Template) -> Result<(), Refusal> {
        self.only(&[&["Path", "Method", "ApiId", "PayloadFormatVersion", "TimeoutInMillis"]])?;
        let api = self.api(template, "ApiId", "AWS::Serverless::HttpApi", Route::HTTP)?;
        let version = self.given.get("PayloadFormatVersion").and_then(Json::as_str).unwrap_or("2.0").to_owned();
        let (path, method) = match self.given.get("Path") {
            None => ("$default".to_owned(), "any".to_owned()),
            Some(_) if self.given.contains_key("Method") => {
                (self.text("Path")?, self.text("Method")?.to_ascii_lowercase())
            }
            Some(_) => (self.text("Path")?, "any".to_owned()),
        };
        self.route(template, api.as_deref(), "", &path, &method, &version)
    }

    fn text(&self, property: &str) -> Result<String, Refusal> {
        let text = self.required(property)?.as_str().map(str::to_owned);
        text.ok_or_else(|| self.cannot(&format!("it does not compute {property}")))
    }

    /// The API of this template that has the route; `None`: one that is made elsewhere, which is only permitted to call.
    fn api(&self, template: &Template, property: &str, wanted: &str, own: &str) -> Result<Option<String>, Refusal> {
        let Some(api) = self.given.get(property) else { return Ok(Some(own.to_owned())) };
        let name = api.get("Ref").and_then(Json::as_str);
        let decl = name.and_then(|name| template.given.get(name));
        match (name, decl.map(kind)) {
            (Some(name), Some(kind)) if kind == wanted => Ok(Some(name.to_owned())),
            (_, Some(kind)) if kind.starts_with("AWS::Serverless::") => {
                Err(self.invalid(&format!("{property} must refer to an {wanted}.")))
            }
            _ => Ok(None),
        }
    }

    fn route(
        &self,
        template: &mut Template,
        api: Option<&str>,
        suffix: &str,
        path: &str,
        method: &str,
        version: &str,
    ) -> Result<(), Refusal> {
        let property = if version.is_empty() { "RestApiId" } else { "ApiId" };
        let id = match api {
            Some(api) => json!({ "Ref": api }),
            None => self.required(property)?.clone(),
        };
        let called = match (method, path) {
            (_, "$default") => "*".to_owned(),
            ("any", path) => format!("*{}", any_segment(path)),
            (method, path) => format!("{}{}", method.to_ascii_uppercase(), any_segment(path)),
        };
        let arn = format!(
            "arn:${{AWS::Partition}}:execute-api:${{AWS::Region}}:${{AWS::AccountId}}:${{__ApiId__}}/${{__Stage__}}/{called}"
        );
        let source = json!({ "Fn::Sub": [arn, { "__ApiId__": id, "__Stage__": "*" }] });
        self.permit(template, suffix, "apigateway.amazonaws.com", ("SourceArn", source));
        let Some(api) = api else { return Ok(()) };
        let integration = json!({
            "type": "aws_proxy",
            "httpMethod": "POST",
            "uri": { "Fn::Sub": format!(
                "arn:${{AWS::Partition}}:apigateway:${{AWS::Region}}:lambda:path/2015-03-31/functions/${{{}}}/invocations",
                self.function.sub(),
            ) },
        });
        let mut integration = integration.as_object().cloned().unwrap_or_default();
        integration.extend(self.given.get("TimeoutInMillis").map(|most| ("timeoutInMillis".to_owned(), most.clone())));
        if !version.is_empty() {
            integration.insert("payloadFormatVersion".to_owned(), Json::from(version));
        }
        let mut operation = json!({ "x-amazon-apigateway-integration": integration, "responses": {} });
        if path == "$default" {
            operation["isDefaultRoute"] = json!(true);
        }
        template.routes.push(Route {
            api: api.to_owned(),
            path: path.to_owned(),
            method: if method == "any" { "x-amazon-apigateway-any-method".to_owned() } else { method.to_owned() },
            operation: self.where_function_is(operation),
            condition: self.function.condition().and_then(Json::as_str).map(str::to_owned),
        });
        Ok(())
    }
}

/// A path as a permission names it: a variable is anything.
fn any_segment(path: &str) -> String {
    let parts = path.split('/').map(|part| if part.starts_with('{') { "*" } else { part });
    parts.collect::<Vec<_>>().join("/")
}

/// What is in a map under a name, made if it is not there.
fn place<'a>(map: &'a mut Json, name: &str, new: impl FnOnce() -> Json) -> &'a mut Json {
    if map.get(name).is_none_or(Json::is_null) {
        map[name] = new();
    }
    &mut map[name]
}
