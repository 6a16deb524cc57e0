//! ECS, ECR and what is asked beside them, on the wire.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Value as Json, json};

use crate::aws::wire::{Answer, FENCE, Wire, result, scope};
use crate::model::{
    AlarmState, Digest, ImageDigest, ImageId, ImageManifest, MonitorStatus, Platform, Repository, RolloutState,
    ServiceDeploymentStatus, ServiceRef, TargetState, TaskStatus,
};
use crate::ports::{Class, Cloud as _, Containers, CopyTaskDefinition, UpdateService};

const CLUSTER: &str = "arn:aws:ecs:eu-central-1:111122223333:cluster/dev";
const SERVICE: &str = "arn:aws:ecs:eu-central-1:111122223333:service/dev/web";
const DEFINITION: &str = "arn:aws:ecs:eu-central-1:111122223333:task-definition/web:7";
const DEPLOYMENT: &str = "arn:aws:ecs:eu-central-1:111122223333:service-deployment/dev/web/abc";
const REVISION: &str = "arn:aws:ecs:eu-central-1:111122223333:service-revision/dev/web/1";

fn digest() -> String {
    format!("sha256:{}", "a".repeat(64))
}

#[expect(clippy::needless_pass_by_value, reason = "it reads better where it is called")]
fn answer(body: Json) -> Answer {
    Answer::Http(200, body.to_string())
}

fn refusal(code: &str, message: &str) -> Answer {
    Answer::Http(400, json!({ "__type": code, "message": message }).to_string())
}

async fn containers(wire: &Wire) -> Arc<dyn Containers> {
    wire.cloud(None).await.containers(&scope(), None)
}

fn body(wire: &Wire, index: usize) -> Json {
    serde_json::from_str(&wire.sent()[index].body).unwrap()
}

fn service() -> Json {
    json!({
        "serviceArn": SERVICE, "serviceName": "web", "clusterArn": CLUSTER, "status": "ACTIVE", "createdAt": 100.0,
        "desiredCount": 3, "runningCount": 2, "pendingCount": 1, "taskDefinition": DEFINITION,
        "currentServiceDeployment": DEPLOYMENT,
        "deployments": [{
            "id": "ecs-svc/1", "status": "PRIMARY", "taskDefinition": DEFINITION, "desiredCount": 3,
            "runningCount": 2, "pendingCount": 1, "failedTasks": 4, "rolloutState": "IN_PROGRESS",
            "rolloutStateReason": "ECS deployment ecs-svc/1 in progress.", "createdAt": 100.0, "updatedAt": 101.0
        }],
        "deploymentConfiguration": {
            "strategy": "ROLLING", "deploymentCircuitBreaker": { "enable": true, "rollback": true },
            "alarms": { "alarmNames": ["errors"], "enable": false, "rollback": true },
            "minimumHealthyPercent": 100, "maximumPercent": 200
        },
        "loadBalancers": [{ "targetGroupArn": "group", "containerName": "web", "containerPort": 80 }],
        "events": (0..30).map(|n| json!({ "id": n.to_string(), "createdAt": 90.0, "message": "m" })).collect::<Vec<_>>(),
        "tags": [{ "key": "landfast:owner", "value": "dev/service/web" }]
    })
}

#[tokio::test]
async fn clusters_and_their_services_are_listed_page_by_page() {
    let wire = Wire::answering([
        answer(json!({ "clusterArns": [CLUSTER], "nextToken": "more" })),
        answer(json!({ "clusterArns": [] })),
        answer(json!({ "serviceArns": [SERVICE], "nextToken": "more" })),
        answer(json!({ "serviceArns": [SERVICE] })),
    ]);
    let door = containers(&wire).await;
    let page = door.clusters(None).await.unwrap();
    assert_eq!((page.items, page.next.as_deref()), (vec![CLUSTER.parse().unwrap()], Some("more")));
    let page = door.clusters(page.next).await.unwrap();
    assert_eq!((page.items.len(), page.next), (0, None));
    let page = door.list_services("dev", None).await.unwrap();
    assert_eq!((page.items, page.next.as_deref()), (vec![SERVICE.parse().unwrap()], Some("more")));
    let page = door.list_services("dev", page.next).await.unwrap();
    assert_eq!((page.items.len(), page.next), (1, None));
    let sent: Vec<Json> = (0..4).map(|index| body(&wire, index)).collect();
    let expected = [
        json!({ "maxResults": 100 }),
        json!({ "maxResults": 100, "nextToken": "more" }),
        json!({ "maxResults": 100, "cluster": "dev" }),
        json!({ "maxResults": 100, "cluster": "dev", "nextToken": "more" }),
    ];
    assert_eq!(sent, expected);
}

#[tokio::test]
async fn a_list_that_cannot_be_read_is_not_an_empty_one() {
    let gone = refusal("ClusterNotFoundException", "Cluster not found.");
    let denied = refusal("AccessDeniedException", "not authorized to perform: ecs:ListClusters");
    let strange = answer(json!({ "serviceArns": ["no arn"] }));
    let wire = Wire::answering([gone, denied, strange]);
    let door = containers(&wire).await;
    assert_eq!(door.list_services("dev", None).await.unwrap_err().class, Class::NotFound);
    assert_eq!(door.clusters(None).await.unwrap_err().class, Class::Denied);
    assert!(door.list_services("dev", None).await.is_err());
}

#[tokio::test]
async fn a_service_is_read_and_a_missing_one_is_none() {
    let missing = json!([{ "arn": "arn:aws:ecs:eu-central-1:111122223333:service/dev/none", "reason": "MISSING" }]);
    let wire = Wire::answering([answer(json!({ "services": [service()], "failures": missing }))]);
    let found = containers(&wire).await.services("dev", &["none".to_owned(), "web".to_owned()]).await.unwrap();
    assert!(found[0].is_none());
    let state = found[1].as_ref().unwrap();
    assert_eq!((state.desired, state.running, state.pending), (3, 2, 1));
    let primary = state.primary().unwrap();
    assert_eq!((primary.failed_tasks, primary.rollout), (4, Some(RolloutState::InProgress)));
    assert!(state.configuration.circuit_breaker_rollback);
    assert!(state.configuration.alarms.is_empty(), "they are switched off");
    assert_eq!(state.events.len(), 20);
    assert_eq!(state.tags["landfast:owner"], "dev/service/web");
    assert_eq!(body(&wire, 0)["include"], json!(["TAGS"]));
}

#[tokio::test]
async fn a_service_that_could_not_be_described_is_not_a_missing_one() {
    let failure = |reason: &str| answer(json!({ "services": [], "failures": [{ "arn": "a", "reason": reason }] }));
    let wire = Wire::answering([failure("INTERNAL"), answer(json!({ "services": [], "failures": [] }))]);
    let door = containers(&wire).await;
    for _ in 0..2 {
        let error = door.services("dev", &["web".to_owned()]).await.unwrap_err();
        assert_eq!(error.class, Class::Transient, "{error}");
    }
}

#[tokio::test]
async fn a_copy_of_a_task_definition_keeps_everything_but_the_images_and_the_tags_of_aws() {
    let definition = json!({
        "taskDefinitionArn": DEFINITION, "family": "web", "revision": 7, "status": "ACTIVE", "cpu": "256",
        "memory": "512", "networkMode": "awsvpc", "executionRoleArn": "role", "taskRoleArn": "other",
        "requiresCompatibilities": ["FARGATE"], "compatibilities": ["EC2", "FARGATE"], "registeredAt": 1.0,
        "runtimePlatform": { "cpuArchitecture": "ARM64", "operatingSystemFamily": "LINUX" },
        "volumes": [{ "name": "data" }],
        "containerDefinitions": [
            { "name": "web", "image": "old", "essential": true, "stopTimeout": 17, "secrets": [{ "name": "A", "valueFrom": "b" }],
              "logConfiguration": { "logDriver": "awslogs", "options": { "awslogs-group": "/web", "awslogs-stream-prefix": "web" } } },
            { "name": "side", "image": "car", "essential": false }
        ]
    });
    let tags = json!([{ "key": "team", "value": "a" }, { "key": "aws:cloudformation:stack-name", "value": "b" }]);
    let found = answer(json!({ "taskDefinition": definition, "tags": tags }));
    let made = answer(json!({ "taskDefinition": definition, "tags": [] }));
    let wire = Wire::answering([found, made]);
    let request = CopyTaskDefinition {
        from: DEFINITION.parse().unwrap(),
        images: [("web".to_owned(), "new".to_owned())].into(),
        tags: BTreeMap::from([("landfast:owner".to_owned(), "dev/service/web".to_owned())]),
    };
    let state = containers(&wire).await.copy_task_definition(FENCE, request).await.unwrap();
    assert_eq!(state.platform.cpu.as_deref(), Some("ARM64"));
    let sent = body(&wire, 1);
    let mut expected = definition.clone();
    let fields = expected.as_object_mut().unwrap();
    for only_told in ["taskDefinitionArn", "revision", "status", "compatibilities", "registeredAt"] {
        fields.remove(only_told);
    }
    fields["containerDefinitions"][0]["image"] = json!("new");
    let tags = json!([{ "key": "landfast:owner", "value": "dev/service/web" }, { "key": "team", "value": "a" }]);
    fields.insert("tags".to_owned(), tags);
    for (field, value) in fields {
        // The SDK fills in what AWS left out of lists and numbers; what was said is sent as it was said.
        assert!(contains(&sent[field.as_str()], value), "{field}: {} is not {value}", sent[field.as_str()]);
    }
}

/// Whether everything in `part` is in `whole`.
fn contains(whole: &Json, part: &Json) -> bool {
    match (whole, part) {
        (Json::Object(whole), Json::Object(part)) => {
            part.iter().all(|(name, value)| whole.get(name).is_some_and(|found| contains(found, value)))
        }
        (Json::Array(whole), Json::Array(part)) => {
            whole.len() == part.len() && whole.iter().zip(part).all(|(whole, part)| contains(whole, part))
        }
        _ => whole == part,
    }
}

#[tokio::test]
async fn a_container_that_is_not_there_is_refused_before_anything_is_registered() {
    let definition = json!({ "taskDefinitionArn": DEFINITION, "family": "web", "containerDefinitions": [] });
    let wire = Wire::answering([answer(json!({ "taskDefinition": definition }))]);
    let request = CopyTaskDefinition {
        from: DEFINITION.parse().unwrap(),
        images: [("web".to_owned(), "new".to_owned())].into(),
        tags: BTreeMap::new(),
    };
    let error = containers(&wire).await.copy_task_definition(FENCE, request).await.unwrap_err();
    assert_eq!((error.class, wire.sent().len()), (Class::Invalid, 1));
}

#[tokio::test]
async fn an_update_says_what_to_run_and_nothing_else() {
    let wire = Wire::answering([answer(json!({ "service": service() })), refusal("ServiceNotActiveException", "no")]);
    let door = containers(&wire).await;
    let service = ServiceRef { cluster: "dev".to_owned(), service: "web".to_owned() };
    let request = UpdateService { service, task_definition: Some(DEFINITION.parse().unwrap()), force: false };
    let state = door.update_service(FENCE, request.clone()).await.unwrap();
    assert_eq!(state.current_deployment.unwrap().as_str(), DEPLOYMENT);
    assert_eq!(body(&wire, 0), json!({ "cluster": "dev", "service": "web", "taskDefinition": DEFINITION }));
    assert_eq!(door.update_service(FENCE, request).await.unwrap_err().class, Class::Conflict);
}

#[tokio::test]
async fn a_service_deployment_and_its_revision_are_read() {
    let deployment = json!({
        "serviceDeploymentArn": DEPLOYMENT, "serviceArn": SERVICE, "createdAt": 1.0, "startedAt": 2.0,
        "status": "ROLLBACK_IN_PROGRESS", "statusReason": "because",
        "sourceServiceRevisions": [{ "arn": REVISION }], "targetServiceRevision": { "arn": REVISION },
        "deploymentCircuitBreaker": { "status": "TRIGGERED", "failureCount": 3, "threshold": 3 },
        "rollback": { "reason": "breaker", "startedAt": 3.0, "serviceRevisionArn": REVISION }
    });
    let image = json!({ "containerName": "web", "image": "a:1", "imageDigest": digest() });
    let revision = json!({
        "serviceRevisionArn": REVISION, "serviceArn": SERVICE, "taskDefinition": DEFINITION,
        "containerImages": [image, { "containerName": "side", "image": "b:1" }]
    });
    let wire = Wire::answering([
        answer(json!({ "serviceDeployments": [deployment] })),
        answer(json!({ "serviceRevisions": [revision] })),
    ]);
    let door = containers(&wire).await;
    let found = door.service_deployments(&[DEPLOYMENT.parse().unwrap()]).await.unwrap().remove(0);
    assert_eq!(found.status, ServiceDeploymentStatus::RollbackInProgress);
    assert_eq!(found.circuit_breaker.unwrap().status, MonitorStatus::Triggered);
    assert_eq!(found.rollback.unwrap().to.unwrap().as_str(), REVISION);
    let found = door.service_revisions(&[REVISION.parse().unwrap()]).await.unwrap().remove(0);
    assert_eq!(found.images[0].digest.as_ref().unwrap().as_str(), digest());
    assert_eq!(found.images[1].digest, None);
}

#[tokio::test]
async fn a_stopped_task_says_why() {
    let arn = "arn:aws:ecs:eu-central-1:111122223333:task/dev/0123";
    let task = json!({
        "taskArn": arn, "taskDefinitionArn": DEFINITION, "lastStatus": "STOPPED", "stopCode": "TaskFailedToStart",
        "stoppedReason": "CannotPullContainerError: no", "startedBy": "ecs-svc/1", "createdAt": 1.0, "stoppedAt": 2.0,
        "containers": [{ "name": "web", "image": "a:1", "exitCode": 1, "reason": "no", "healthStatus": "UNKNOWN" }]
    });
    let wire = Wire::answering([answer(json!({ "tasks": [task], "failures": [] }))]);
    let task = containers(&wire).await.tasks("dev", &[arn.parse().unwrap()]).await.unwrap().remove(0);
    assert_eq!((task.status, task.started_by.as_deref()), (TaskStatus::Stopped, Some("ecs-svc/1")));
    assert_eq!(task.stop_code.as_deref(), Some("TaskFailedToStart"));
    assert_eq!(task.containers[0].exit_code, Some(1));
}

#[tokio::test]
async fn a_missing_task_definition_image_or_stream_is_none_and_a_missing_repository_an_error() {
    let wire = Wire::answering([
        refusal("ClientException", "Unable to describe task definition."),
        refusal("ImageNotFoundException", "The image with imageId {imageTag:'1'} does not exist"),
        refusal("RepositoryNotFoundException", "The repository with name 'a' does not exist"),
        refusal("ResourceNotFoundException", "The specified log stream does not exist."),
    ]);
    let door = containers(&wire).await;
    let repository = Repository { registry: Some("444455556666".parse().unwrap()), name: "a".to_owned() };
    let tag = ImageId::Tag("1".to_owned());
    assert_eq!(door.task_definition("web:9").await.unwrap(), None);
    assert_eq!(door.image(&repository, &tag).await.unwrap(), None);
    assert_eq!(door.image(&repository, &tag).await.unwrap_err().class, Class::NotFound);
    let stream = crate::model::LogStream { group: "g".to_owned(), stream: "s".to_owned() };
    assert_eq!(door.log_lines(&stream, 20).await.unwrap(), None);
    assert_eq!(body(&wire, 1)["registryId"], json!("444455556666"));
}

#[tokio::test]
async fn images_come_in_pages_and_a_manifest_names_platforms_or_a_configuration() {
    let index = json!({ "manifests": [
        { "digest": digest(), "platform": { "os": "linux", "architecture": "arm64" } },
        { "digest": digest(), "platform": { "os": "unknown", "architecture": "unknown" } }
    ] });
    let docker = "application/vnd.docker.container.image.v1+json";
    let manifest = |body: &Json| answer(json!({ "images": [{ "imageManifest": body.to_string() }], "failures": [] }));
    let detail = json!({ "imageDigest": digest(), "imageTags": ["1.0", "latest"], "imagePushedAt": 5.0, "imageStatus": "ARCHIVED" });
    let gone = json!({ "images": [], "failures": [{ "failureCode": "ImageNotFound", "failureReason": "no" }] });
    let wire = Wire::answering([
        answer(json!({ "imageDetails": [detail], "nextToken": "more" })),
        manifest(&index),
        manifest(&json!({ "config": { "mediaType": docker, "digest": digest() } })),
        manifest(&json!({ "config": { "mediaType": "application/vnd.cncf.helm.config.v1+json", "digest": digest() } })),
        answer(gone),
    ]);
    let door = containers(&wire).await;
    let repository = Repository { registry: None, name: "a".to_owned() };
    let page = door.images(&repository, None).await.unwrap();
    assert_eq!((page.items[0].tags.len(), page.items[0].archived, page.next.as_deref()), (2, true, Some("more")));
    let digest = digest().parse().unwrap();
    let platform = Platform { os: "linux".to_owned(), architecture: "arm64".to_owned() };
    let index = door.image_manifest(&repository, &digest).await.unwrap();
    assert_eq!(index, ImageManifest::Index(vec![platform]));
    let single = door.image_manifest(&repository, &digest).await.unwrap();
    assert_eq!(single, ImageManifest::Single(Some(digest.clone())));
    let chart = door.image_manifest(&repository, &digest).await.unwrap();
    assert_eq!(chart, ImageManifest::Single(None));
    assert_eq!(door.image_manifest(&repository, &digest).await.unwrap_err().class, Class::NotFound);
    assert!(wire.sent()[1].body.contains("application/vnd.docker.distribution.manifest.v2+json"));
}

#[tokio::test]
async fn what_a_single_image_was_built_for_is_downloaded_and_its_address_never_shown() {
    let address =
        "https://prod-eu-central-1-starport-layer-bucket.s3.eu-central-1.amazonaws.com/a/b?X-Amz-Signature=canary";
    let there = || answer(json!({ "downloadUrl": address, "layerDigest": "sha256:…" }));
    let config = json!({ "architecture": "arm64", "os": "linux", "variant": "v8", "config": { "Env": ["A=b"] } });
    let digest = |content: &str| format!("sha256:{}", Digest::of_bytes(content.as_bytes()).as_str()).parse().unwrap();
    let (config, nothing) = (config.to_string(), json!({ "architecture": "", "os": "" }).to_string());
    let wire = Wire::answering([
        there(),
        Answer::Http(200, config.clone()),
        there(),
        Answer::Http(200, nothing.clone()),
        there(),
        Answer::Http(200, "{}".to_owned()),
        there(),
        Answer::Http(403, "<Error><Code>AccessDenied</Code></Error>".to_owned()),
        there(),
        Answer::Broken,
    ]);
    let door = containers(&wire).await;
    let repository = Repository { registry: Some("444455556666".parse().unwrap()), name: "a".to_owned() };
    let platform = Platform { os: "linux".to_owned(), architecture: "arm64".to_owned() };
    let asked: ImageDigest = digest(&config);
    assert_eq!(door.built_for(&repository, &asked).await.unwrap(), Some(platform));
    assert_eq!(body(&wire, 0), json!({ "registryId": "444455556666", "repositoryName": "a", "layerDigest": asked }));
    assert_eq!(wire.sent()[1].uri, address);
    assert_eq!(door.built_for(&repository, &digest(&nothing)).await.unwrap(), None);
    for class in [Class::Transient, Class::Denied, Class::Transient] {
        let error = door.built_for(&repository, &asked).await.unwrap_err();
        assert_eq!(error.class, class, "{error}");
        assert!(!format!("{error:?}").contains("canary"), "{error:?}");
    }
}

#[tokio::test]
async fn the_health_of_targets_is_read() {
    let target = "<TargetHealthDescriptions><member><Target><Id>10.0.0.1</Id><Port>80</Port></Target>\
        <TargetHealth><State>unhealthy</State><Reason>Target.FailedHealthChecks</Reason></TargetHealth></member>\
        </TargetHealthDescriptions>";
    let wire = Wire::answering([result("DescribeTargetHealth", target)]);
    let health = wire.cloud(None).await.health(&scope(), None);
    let targets = health.targets("group").await.unwrap();
    assert_eq!((targets[0].state, targets[0].port), (TargetState::Unhealthy, Some(80)));
    assert_eq!(targets[0].reason.as_deref(), Some("Target.FailedHealthChecks"));
    assert!("ALARM".parse::<AlarmState>().is_ok());
}
