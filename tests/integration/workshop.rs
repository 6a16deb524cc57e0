//! What a build and a person do, and no port does: clusters, repositories, images, services, tables and vaults.

use std::collections::BTreeMap;

use aws_sdk_ecs::types::{
    ContainerDefinition, DeploymentCircuitBreaker, DeploymentConfiguration, LogConfiguration, LogDriver,
};
use landfast::model::{
    AssumeRole, ImageDigest, Platform, Scope, ServiceRef, StackName, TableName, TaskDefinitionArn, VaultName,
    VaultPlan, VaultRule, VaultSelection,
};
use landfast::sim::{Console, ImageBehaviour, NewService, NewTable};

use crate::emulator::Account;

/// How containers of an image fare.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fares {
    /// They run.
    Well,
    /// The image is there and cannot be pulled.
    CannotBePulled,
    /// They exit soon after their start.
    Crashes,
}

/// A service that is made by hand.
#[derive(Clone, Debug)]
pub struct MakeService {
    /// Where, and its name.
    pub service: ServiceRef,
    /// What it runs.
    pub definition: TaskDefinitionArn,
    /// How many tasks.
    pub desired: u32,
    /// With a circuit breaker that goes back.
    pub breaker: bool,
    /// Its tags.
    pub tags: Vec<(String, String)>,
}

/// Hands at work in a back end's `us-east-1`.
#[derive(Clone)]
pub enum Workshop {
    /// In the emulator's account.
    Emulated(Account),
    /// In the simulation.
    Simulated(Console),
}

impl Workshop {
    fn ecs(account: &Account) -> aws_sdk_ecs::Client {
        let config = aws_sdk_ecs::Config::builder()
            .behavior_version(aws_sdk_ecs::config::BehaviorVersion::latest())
            .endpoint_url(&account.url)
            .region(aws_sdk_ecs::config::Region::new("us-east-1"))
            .credentials_provider(account.credentials());
        aws_sdk_ecs::Client::from_conf(config.build())
    }

    fn ecr(account: &Account) -> aws_sdk_ecr::Client {
        let config = aws_sdk_ecr::Config::builder()
            .behavior_version(aws_sdk_ecr::config::BehaviorVersion::latest())
            .endpoint_url(&account.url)
            .region(aws_sdk_ecr::config::Region::new("us-east-1"))
            .credentials_provider(account.credentials());
        aws_sdk_ecr::Client::from_conf(config.build())
    }

    fn logs(account: &Account) -> aws_sdk_cloudwatchlogs::Client {
        let config = aws_sdk_cloudwatchlogs::Config::builder()
            .behavior_version(aws_sdk_cloudwatchlogs::config::BehaviorVersion::latest())
            .endpoint_url(&account.url)
            .region(aws_sdk_cloudwatchlogs::config::Region::new("us-east-1"))
            .credentials_provider(account.credentials());
        aws_sdk_cloudwatchlogs::Client::from_conf(config.build())
    }

    /// Changes past its stack how long a log group keeps what it has.
    pub async fn retain(&self, stack: &StackName, resource: &str, group: &str, days: i32) {
        match self {
            Self::Emulated(account) => {
                let call = Self::logs(account).put_retention_policy().log_group_name(group).retention_in_days(days);
                call.send().await.unwrap();
            }
            Self::Simulated(console) => {
                console.change_resource(stack, resource, "/RetentionInDays", days.into()).unwrap();
            }
        }
    }

    /// Deletes a log group past its stack.
    pub async fn remove(&self, stack: &StackName, resource: &str, group: &str) {
        match self {
            Self::Emulated(account) => {
                Self::logs(account).delete_log_group().log_group_name(group).send().await.unwrap();
            }
            Self::Simulated(console) => console.delete_resource(stack, resource).unwrap(),
        }
    }

    async fn dynamodb(account: &Account, role: Option<&AssumeRole>) -> aws_sdk_dynamodb::Client {
        let credentials = match role {
            Some(role) => account.assumed(role).await,
            None => account.credentials(),
        };
        let config = aws_sdk_dynamodb::Config::builder()
            .behavior_version(aws_sdk_dynamodb::config::BehaviorVersion::latest())
            .endpoint_url(&account.url)
            .region(aws_sdk_dynamodb::config::Region::new("us-east-1"))
            .credentials_provider(credentials);
        aws_sdk_dynamodb::Client::from_conf(config.build())
    }

    /// Makes a table that is paid by request, with one text as its key.
    pub async fn make_table(&self, table: &TableName, by: &str, role: Option<&AssumeRole>) {
        use aws_sdk_dynamodb::types::{
            AttributeDefinition, BillingMode, KeySchemaElement, KeyType, ScalarAttributeType,
        };
        match self {
            Self::Emulated(account) => {
                let part = KeySchemaElement::builder().attribute_name(by).key_type(KeyType::Hash).build().unwrap();
                let text = AttributeDefinition::builder().attribute_name(by).attribute_type(ScalarAttributeType::S);
                let call = Self::dynamodb(account, role).await.create_table().table_name(table.as_str());
                let call = call.key_schema(part).attribute_definitions(text.build().unwrap());
                call.billing_mode(BillingMode::PayPerRequest).send().await.unwrap();
            }
            Self::Simulated(console) => drop(console.begin_table(&NewTable::keyed(table.clone(), by)).unwrap()),
        }
    }

    /// Protects a table from deletion past its stack, or no longer.
    pub async fn protect(&self, stack: &StackName, resource: &str, table: &TableName, on: bool) {
        match self {
            Self::Emulated(account) => {
                let call = Self::dynamodb(account, None).await.update_table().table_name(table.as_str());
                call.deletion_protection_enabled(on).send().await.unwrap();
            }
            Self::Simulated(console) => {
                console.change_resource(stack, resource, "/DeletionProtectionEnabled", on.into()).unwrap();
            }
        }
    }

    /// Deletes a table past its stack.
    pub async fn remove_table(&self, stack: &StackName, resource: &str, table: &TableName) {
        match self {
            Self::Emulated(account) => {
                let call = Self::dynamodb(account, None).await.delete_table().table_name(table.as_str());
                call.send().await.unwrap();
            }
            Self::Simulated(console) => console.delete_resource(stack, resource).unwrap(),
        }
    }

    /// Writes an item, given in AWS's JSON: texts, numbers and sets of texts.
    pub async fn put_item(&self, table: &TableName, item: &serde_json::Value, role: Option<&AssumeRole>) {
        use aws_sdk_dynamodb::types::AttributeValue as Value;
        let value = |given: &serde_json::Value| {
            let text = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
            match (given.get("S"), given.get("N"), given.get("SS")) {
                (Some(value), ..) => Value::S(text(value)),
                (_, Some(value), _) => Value::N(text(value)),
                (.., Some(values)) => Value::Ss(values.as_array().unwrap().iter().map(text).collect()),
                _ => panic!("{given} is of another type"),
            }
        };
        match self {
            Self::Emulated(account) => {
                let item = item.as_object().unwrap().iter().map(|(name, given)| (name.clone(), value(given)));
                let call = Self::dynamodb(account, role).await.put_item().table_name(table.as_str());
                call.set_item(Some(item.collect())).send().await.unwrap();
            }
            Self::Simulated(console) => console.put_item(table, item).unwrap(),
        }
    }

    /// All items of a table, each with its attributes in words, in order.
    pub async fn items(&self, table: &TableName) -> Vec<String> {
        let Self::Emulated(account) = self else { panic!("for the emulator alone") };
        let call = Self::dynamodb(account, None).await.scan().table_name(table.as_str()).consistent_read(true);
        let read: Vec<_> = call.into_paginator().items().send().try_collect().await.unwrap();
        let ordered = |item: std::collections::HashMap<_, _>| item.into_iter().collect::<BTreeMap<String, _>>();
        let mut items: Vec<String> = read.into_iter().map(|item| format!("{:?}", ordered(item))).collect();
        items.sort();
        items
    }

    fn backup(account: &Account, scope: &Scope) -> aws_sdk_backup::Client {
        let config = aws_sdk_backup::Config::builder()
            .behavior_version(aws_sdk_backup::config::BehaviorVersion::latest())
            .endpoint_url(&account.url)
            .region(aws_sdk_backup::config::Region::new(scope.region.to_string()))
            .credentials_provider(account.credentials());
        aws_sdk_backup::Client::from_conf(config.build())
    }

    /// Makes a backup vault, in any region.
    pub async fn make_vault(&self, scope: &Scope, vault: &VaultName) {
        match self {
            Self::Emulated(account) => {
                let client = Self::backup(account, scope);
                client.create_backup_vault().backup_vault_name(vault.as_str()).send().await.unwrap();
            }
            Self::Simulated(console) => console.elsewhere(scope).create_vault(vault),
        }
    }

    /// Makes a backup plan that keeps a table of this ARN every night for 35 days in this vault.
    pub async fn make_plan(&self, scope: &Scope, vault: &VaultName, table: &str, taken: &str) {
        let rule = VaultRule {
            name: "nightly".to_owned(),
            vault: vault.to_string(),
            schedule: Some("cron(0 3 ? * * *)".to_owned()),
            zone: Some("Europe/Berlin".to_owned()),
            delete_after_days: Some(35),
            cold_after_days: None,
            copies: Vec::new(),
        };
        match self {
            Self::Emulated(account) => {
                use aws_sdk_backup::types as sdk;
                let client = Self::backup(account, scope);
                let lifecycle = sdk::Lifecycle::builder().delete_after_days(35).build();
                let rule = sdk::BackupRuleInput::builder()
                    .rule_name(rule.name)
                    .target_backup_vault_name(rule.vault)
                    .schedule_expression("cron(0 3 ? * * *)")
                    .schedule_expression_timezone("Europe/Berlin")
                    .lifecycle(lifecycle)
                    .build()
                    .unwrap();
                let plan = sdk::BackupPlanInput::builder().backup_plan_name("plan").rules(rule).build().unwrap();
                let made = client.create_backup_plan().backup_plan(plan).send().await.unwrap();
                let selection = sdk::BackupSelection::builder().selection_name("tables").iam_role_arn(taken);
                let selection = selection.resources(table).build().unwrap();
                let call = client.create_backup_selection().set_backup_plan_id(made.backup_plan_id);
                call.backup_selection(selection).send().await.unwrap();
            }
            Self::Simulated(console) => {
                let resources = vec![table.to_owned()];
                let selection = VaultSelection { role: taken.to_owned(), resources, ..VaultSelection::default() };
                let plan = VaultPlan { name: "plan".to_owned(), rules: vec![rule], selections: vec![selection] };
                console.elsewhere(scope).create_vault_plan(&plan);
            }
        }
    }

    /// Makes a cluster.
    pub async fn cluster(&self, name: &str) {
        match self {
            Self::Emulated(account) => {
                Self::ecs(account).create_cluster().cluster_name(name).send().await.unwrap();
            }
            Self::Simulated(console) => console.create_cluster(name),
        }
    }

    /// Makes a repository.
    pub async fn repository(&self, name: &str) {
        match self {
            Self::Emulated(account) => {
                Self::ecr(account).create_repository().repository_name(name).send().await.unwrap();
            }
            Self::Simulated(console) => console.create_repository(name),
        }
    }

    /// Pushes an image under a tag. The same content is the same image.
    pub async fn push(&self, repository: &str, content: &str, tag: &str, fares: Fares) -> ImageDigest {
        match self {
            Self::Emulated(account) => {
                let manifest = serde_json::json!({ "schemaVersion": 2, "config": content, "annotations": {
                    "fares": match fares {
                        Fares::Well => "well",
                        Fares::CannotBePulled => "cannot be pulled",
                        Fares::Crashes => "crashes",
                    },
                }});
                self.put(account, repository, tag, &manifest.to_string(), "application/vnd.oci.image.manifest.v1+json")
                    .await
            }
            Self::Simulated(console) => {
                let digest = console.push_image(repository, content, &[tag], None).unwrap();
                let behaviour = match fares {
                    Fares::Well => ImageBehaviour::Runs,
                    Fares::CannotBePulled => ImageBehaviour::CannotBePulled,
                    Fares::Crashes => ImageBehaviour::Crashes,
                };
                console.set_image_behaviour(&digest, behaviour);
                digest
            }
        }
    }

    /// Pushes an image that was built for several platforms.
    pub async fn push_index(&self, repository: &str, tag: &str, platforms: &[Platform]) -> ImageDigest {
        match self {
            Self::Emulated(account) => {
                let entry = |platform: &Platform| serde_json::json!({ "digest": "sha256:…", "platform": platform });
                let mut entries: Vec<_> = platforms.iter().map(entry).collect();
                let attestation = Platform { os: "unknown".to_owned(), architecture: "unknown".to_owned() };
                entries.push(entry(&attestation));
                let manifest = serde_json::json!({ "schemaVersion": 2, "manifests": entries });
                self.put(account, repository, tag, &manifest.to_string(), "application/vnd.oci.image.index.v1+json")
                    .await
            }
            Self::Simulated(console) => {
                let digest = console.push_image(repository, tag, &[tag], None).unwrap();
                console.set_platforms(repository, &digest, platforms);
                digest
            }
        }
    }

    /// Pushes a single image that was built for this platform.
    pub async fn push_built_for(&self, repository: &str, tag: &str, platform: Platform) -> ImageDigest {
        match self {
            Self::Emulated(account) => {
                let digest = format!("sha256:{}", "1".repeat(64));
                let config =
                    serde_json::json!({ "mediaType": "application/vnd.oci.image.config.v1+json", "digest": digest });
                let manifest = serde_json::json!({ "schemaVersion": 2, "config": config }).to_string();
                self.put(account, repository, tag, &manifest, "application/vnd.oci.image.manifest.v1+json").await
            }
            Self::Simulated(console) => {
                let digest = console.push_image(repository, tag, &[tag], None).unwrap();
                console.set_platform(repository, &digest, Some(platform));
                digest
            }
        }
    }

    async fn put(
        &self,
        account: &Account,
        repository: &str,
        tag: &str,
        manifest: &str,
        media_type: &str,
    ) -> ImageDigest {
        let put = Self::ecr(account).put_image().repository_name(repository).image_tag(tag).image_manifest(manifest);
        let put = put.image_manifest_media_type(media_type).send().await.unwrap();
        put.image.unwrap().image_id.unwrap().image_digest.unwrap().parse().unwrap()
    }

    /// Registers a task definition of these containers, whose output goes to `/ecs/FAMILY`.
    pub async fn define(&self, family: &str, containers: &[(&str, &str)]) -> TaskDefinitionArn {
        match self {
            Self::Emulated(account) => {
                let log = LogConfiguration::builder()
                    .log_driver(LogDriver::Awslogs)
                    .options("awslogs-group", format!("/ecs/{family}"))
                    .options("awslogs-stream-prefix", family);
                let log = log.build().unwrap();
                let define = containers.iter().map(|(name, image)| {
                    ContainerDefinition::builder()
                        .name(*name)
                        .image(*image)
                        .essential(true)
                        .log_configuration(log.clone())
                        .build()
                });
                let request = Self::ecs(account).register_task_definition().family(family).cpu("256").memory("512");
                let answer = request.set_container_definitions(Some(define.collect())).send().await.unwrap();
                answer.task_definition.unwrap().task_definition_arn.unwrap().parse().unwrap()
            }
            Self::Simulated(console) => console.register_task_definition(family, containers).unwrap(),
        }
    }

    /// Makes a service.
    pub async fn service(&self, request: &MakeService) {
        let MakeService { service, definition, desired, breaker, tags } = request;
        match self {
            Self::Emulated(account) => {
                let configuration = DeploymentConfiguration::builder()
                    .minimum_healthy_percent(100)
                    .maximum_percent(200)
                    .deployment_circuit_breaker(
                        DeploymentCircuitBreaker::builder().enable(*breaker).rollback(*breaker).build(),
                    );
                let tags =
                    tags.iter().map(|(key, value)| aws_sdk_ecs::types::Tag::builder().key(key).value(value).build());
                let request = Self::ecs(account).create_service();
                let request = request.cluster(&service.cluster).service_name(&service.service);
                let request =
                    request.task_definition(definition.as_str()).desired_count(i32::try_from(*desired).unwrap());
                let request = request.deployment_configuration(configuration.build()).set_tags(Some(tags.collect()));
                request.send().await.unwrap();
            }
            Self::Simulated(console) => {
                let request = NewService {
                    desired: *desired,
                    circuit_breaker: *breaker,
                    rollback: *breaker,
                    tags: tags.iter().cloned().collect(),
                    ..NewService::new(&service.cluster, &service.service, definition.clone())
                };
                console.create_service(&request).unwrap();
            }
        }
    }

    /// Sets the desired count, as an autoscaler does.
    pub async fn scale(&self, service: &ServiceRef, desired: u32) {
        match self {
            Self::Emulated(account) => {
                let request = Self::ecs(account).update_service().cluster(&service.cluster).service(&service.service);
                request.desired_count(i32::try_from(desired).unwrap()).send().await.unwrap();
            }
            Self::Simulated(console) => console.scale_service(service, desired),
        }
    }

    /// Deploys a task definition, as somebody does in the console.
    pub async fn deploy(&self, service: &ServiceRef, definition: &TaskDefinitionArn) {
        match self {
            Self::Emulated(account) => {
                let request = Self::ecs(account).update_service().cluster(&service.cluster).service(&service.service);
                request.task_definition(definition.as_str()).send().await.unwrap();
            }
            Self::Simulated(console) => {
                let task_definition = Some(definition.clone());
                let request =
                    landfast::ports::UpdateService { service: service.clone(), task_definition, force: false };
                console.deploy_service(&request).unwrap();
            }
        }
    }

    /// Deletes a service.
    pub async fn delete(&self, service: &ServiceRef) {
        match self {
            Self::Emulated(account) => {
                let request = Self::ecs(account).delete_service().cluster(&service.cluster).service(&service.service);
                request.force(true).send().await.unwrap();
            }
            Self::Simulated(console) => console.delete_service(service),
        }
    }

    /// Writes a line into a log stream, which is made with its group.
    pub async fn log(&self, stream: &landfast::model::LogStream, message: &str, at: jiff::Timestamp) {
        match self {
            Self::Emulated(account) => {
                let config = aws_sdk_cloudwatchlogs::Config::builder()
                    .behavior_version(aws_sdk_cloudwatchlogs::config::BehaviorVersion::latest())
                    .endpoint_url(&account.url)
                    .region(aws_sdk_cloudwatchlogs::config::Region::new("us-east-1"))
                    .credentials_provider(account.credentials());
                let logs = aws_sdk_cloudwatchlogs::Client::from_conf(config.build());
                let (group, name) = (&stream.group, &stream.stream);
                let _exists = logs.create_log_group().log_group_name(group).send().await;
                let _exists = logs.create_log_stream().log_group_name(group).log_stream_name(name).send().await;
                let event = aws_sdk_cloudwatchlogs::types::InputLogEvent::builder();
                let event = event.timestamp(at.as_millisecond()).message(message).build().unwrap();
                let put = logs.put_log_events().log_group_name(group).log_stream_name(name).log_events(event);
                put.send().await.unwrap();
            }
            Self::Simulated(console) => console.write_log(stream, message),
        }
    }
}
