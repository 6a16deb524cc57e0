//! A task definition registered again, with other images and nothing else changed.
//!
//! What `DescribeTaskDefinition` answers is handed on as it was received, and not by way of the SDK's types: they know the
//! fields of the day on which they were made, and whatever ECS has learned since would be lost without a word; so would
//! a number that is nought, which they do not tell from one that was not said. Left out is only what AWS adds and no request
//! takes.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use aws_sdk_ecs::operation::register_task_definition::RegisterTaskDefinitionOutput;
use aws_sdk_ecs::types::TaskDefinitionField;
use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::interceptors::Intercept;
use aws_smithy_runtime_api::client::interceptors::context::AfterDeserializationInterceptorContextRef;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::config_bag::ConfigBag;
use serde_json::{Map, Value, json};

use super::error::{port_error, unreadable};
use crate::ports::{Class, CopyTaskDefinition, PortError};

const DESCRIBE: &str = "DescribeTaskDefinition";
const REGISTER: &str = "RegisterTaskDefinition";

/// What AWS says of a task definition and no request can say (AWS: *`TaskDefinition`*, held against the parameters of
/// *`RegisterTaskDefinition`*; a test holds this list against the SDK).
const ONLY_TOLD: [&str; 9] = [
    "taskDefinitionArn",
    "revision",
    "status",
    "requiresAttributes",
    "compatibilities",
    "registeredAt",
    "deregisteredAt",
    "deleteRequestedAt",
    "registeredBy",
];

/// Registers a copy of what there is.
pub(super) async fn copy(
    ecs: &aws_sdk_ecs::Client,
    request: CopyTaskDefinition,
) -> Result<RegisterTaskDefinitionOutput, PortError> {
    let found = Received::default();
    let call = ecs.describe_task_definition().task_definition(request.from.as_str());
    let call = call.include(TaskDefinitionField::Tags).customize().interceptor(found.clone());
    call.send().await.map_err(|e| port_error(DESCRIBE, e, &[]))?;
    let body = registration(&found.taken()?, request)?.to_string();
    let call = ecs.register_task_definition().customize().mutate_request(move |request| {
        request.headers_mut().insert("content-length", body.len().to_string());
        *request.body_mut() = SdkBody::from(body.clone());
    });
    call.send().await.map_err(|e| port_error(REGISTER, e, &[]))
}

/// What is sent to have `described` registered with these images and tags.
fn registration(described: &[u8], request: CopyTaskDefinition) -> Result<Value, PortError> {
    let unread = |why: &str| unreadable(DESCRIBE, why);
    let described: Value = serde_json::from_slice(described).map_err(|error| unread(&error.to_string()))?;
    let Value::Object(mut described) = described else { return Err(unread("it is not an object")) };
    let tags = described.remove("tags").unwrap_or_default();
    let Some(Value::Object(mut definition)) = described.remove("taskDefinition") else {
        return Err(unread("it has no taskDefinition"));
    };
    for field in ONLY_TOLD {
        // The others stay in the order in which they came.
        definition.shift_remove(field);
    }
    definition.retain(|_, value| !value.is_null());
    with_images(&mut definition, &request.images)?;
    let mut all: BTreeMap<String, String> = BTreeMap::new();
    for tag in tags.as_array().into_iter().flatten() {
        let text = |field: &str| tag.get(field).and_then(Value::as_str).map(str::to_owned);
        let Some(key) = text("key") else { continue };
        // AWS's own: whoever sends one is refused.
        if !key.to_ascii_lowercase().starts_with("aws:") {
            all.insert(key, text("value").unwrap_or_default());
        }
    }
    all.extend(request.tags);
    // An empty list of tags is refused, so none is sent.
    if !all.is_empty() {
        let tags = all.iter().map(|(key, value)| json!({ "key": key, "value": value }));
        definition.insert("tags".to_owned(), tags.collect());
    }
    Ok(Value::Object(definition))
}

/// Puts other images into some of the containers.
fn with_images(definition: &mut Map<String, Value>, images: &BTreeMap<String, String>) -> Result<(), PortError> {
    let mut containers = definition.get_mut("containerDefinitions").and_then(Value::as_array_mut);
    for (name, image) in images {
        let containers = containers.iter_mut().flat_map(|containers| containers.iter_mut());
        let mut named =
            containers.filter(|container| container.get("name").and_then(Value::as_str) == Some(name.as_str()));
        let container = named.next().and_then(Value::as_object_mut).ok_or_else(|| {
            PortError::new(Class::Invalid, REGISTER, format!("the task definition has no container `{name}`"))
        })?;
        container.insert("image".to_owned(), Value::from(image.clone()));
    }
    Ok(())
}

/// The body of an answer, as it was received. Task definitions may hold what nobody should see: it is never shown.
#[derive(Clone, Default)]
struct Received(Arc<Mutex<Option<Vec<u8>>>>);

impl fmt::Debug for Received {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Received")
    }
}

impl Received {
    fn taken(&self) -> Result<Vec<u8>, PortError> {
        let body = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        body.ok_or_else(|| unreadable(DESCRIBE, "its response was not stored"))
    }
}

impl Intercept for Received {
    fn name(&self) -> &'static str {
        "Received"
    }

    fn read_after_deserialization(
        &self,
        context: &AfterDeserializationInterceptorContextRef<'_>,
        _components: &RuntimeComponents,
        _config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let body = context.response().body().bytes().map(<[u8]>::to_vec);
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = body;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use aws_sdk_ecs::operation::register_task_definition::RegisterTaskDefinitionInput;
    use aws_sdk_ecs::types::TaskDefinition;

    use super::*;

    /// The fields of a type of the SDK, as its `Debug` names them, in the words of the API.
    fn fields(shown: &str) -> BTreeSet<String> {
        let inner = shown.split_once('{').unwrap().1.trim_end_matches('}');
        let names = inner.split(',').filter_map(|field| field.split_once(':')).map(|(name, _)| name.trim());
        let camel = |name: &str| {
            let mut parts = name.split('_');
            let first = parts.next().unwrap_or_default().to_owned();
            parts.fold(first, |name, part| name + &part[..1].to_ascii_uppercase() + &part[1..])
        };
        names.map(camel).collect()
    }

    #[test]
    fn every_field_of_a_task_definition_is_either_sent_again_or_only_told() {
        let told = fields(&format!("{:?}", TaskDefinition::builder().build()));
        let taken = fields(&format!("{:?}", RegisterTaskDefinitionInput::builder().build().unwrap()));
        assert!(told.len() > 20 && taken.len() > 15, "{told:?} {taken:?}");
        let again: BTreeSet<String> = taken.iter().filter(|field| *field != "tags").cloned().collect();
        let only_told: BTreeSet<String> = ONLY_TOLD.map(str::to_owned).into();
        let neither: Vec<_> =
            told.iter().filter(|field| !again.contains(*field) && !only_told.contains(*field)).collect();
        assert!(neither.is_empty(), "AWS tells these, and it is not decided whether a request takes them: {neither:?}");
        let refused: Vec<_> = only_told.intersection(&taken).collect();
        assert!(refused.is_empty(), "a request takes these, and they are lost: {refused:?}");
        let lost: Vec<_> = again.difference(&told).collect();
        assert!(lost.is_empty(), "a request takes these, and no answer tells them: {lost:?}");
    }

    #[test]
    fn what_nobody_knows_yet_is_handed_on_as_it_is() {
        let definition = json!({
            "taskDefinitionArn": "arn", "revision": 7, "status": "ACTIVE", "family": "web", "brandNew": { "a": [0, ""] },
            "containerDefinitions": [
                { "name": "web", "image": "old", "cpu": 0, "command": [], "environment": [{ "name": "E", "value": "" }],
                  "alsoNew": false, "nothing": null },
                { "name": "side", "image": "car" }
            ]
        });
        let described = json!({ "taskDefinition": definition, "tags": [{ "key": "Empty", "value": "" }] });
        let request = CopyTaskDefinition {
            from: "arn:aws:ecs:us-east-1:111122223333:task-definition/web:7".parse().unwrap(),
            images: [("web".to_owned(), "new".to_owned())].into(),
            tags: [("landfast:owner".to_owned(), "dev/service/web".to_owned())].into(),
        };
        let sent = registration(described.to_string().as_bytes(), request).unwrap();
        let mut expected = definition;
        for field in ["taskDefinitionArn", "revision", "status"] {
            expected.as_object_mut().unwrap().remove(field);
        }
        expected["containerDefinitions"][0]["image"] = json!("new");
        expected["tags"] =
            json!([{ "key": "Empty", "value": "" }, { "key": "landfast:owner", "value": "dev/service/web" }]);
        assert_eq!(sent, expected);
    }
}
