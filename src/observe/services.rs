//! What is read of services: ten at a time where AWS allows it, each of the rest on its own, with its pages.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use futures_util::StreamExt as _;
use futures_util::stream::iter;
use jiff::Timestamp;

use super::Observer;
use super::details::AT_ONCE;
use crate::model::{
    Deployed, ImageDigest, ImageManifest, ImageState, LogLine, LogStream, Observation, Platform, Repository, Scope,
    Seen, ServiceNeed, ServiceRef, ServiceRevisionArn, ServiceState, TargetHealth, TaskDefinitionArn,
    TaskDefinitionState, TasksSeen, Unknown,
};
use crate::ports::{Containers, PortError, Priority, TasksWanted, all};

/// Services that one call describes (AWS: *`DescribeServices`*).
const SERVICES: usize = 10;
/// Service deployments and service revisions that one call describes.
const DEPLOYMENTS: usize = 20;
/// Tasks that one call describes (AWS: *`DescribeTasks`*).
const TASKS: usize = 100;

/// The newest service deployments that are looked at. A rollout is among the newest; the rest is history.
const NEWEST: usize = 20;

/// Lines of a log.
const LINES: u32 = 20;

/// Services that are described together: those of one cluster.
type Batch = (Scope, String, Vec<String>);

enum Answer {
    Services(Scope, Vec<(ServiceRef, Seen<ServiceState>)>),
    Images(Scope, Repository, Seen<Arc<[ImageState]>>),
    Platforms(Scope, Repository, ImageDigest, Seen<Option<Vec<Platform>>>),
    Definition(Scope, TaskDefinitionArn, Seen<TaskDefinitionState>),
    Deployments(Scope, ServiceRef, Seen<Vec<Deployed>>),
    Tasks(Scope, ServiceRef, Seen<TasksSeen>),
    Targets(Scope, String, Seen<Vec<TargetHealth>>),
    Log(Scope, LogStream, Seen<Vec<LogLine>>),
}

impl Observer<'_> {
    /// Reads what the planner needs to know of services, and adds it to the observation.
    pub(super) async fn answer_services(&self, observation: &mut Observation, needs: BTreeSet<ServiceNeed>) {
        let (batches, others) = sorted(needs);
        let batches = iter(batches).map(|batch| self.describe_services(batch)).buffered(AT_ONCE);
        let mut answers = batches.chain(iter(others).map(|need| self.answer_service(need)).buffered(AT_ONCE)).boxed();
        while let Some(answer) = answers.next().await {
            enter(observation, answer);
        }
    }

    async fn describe_services(&self, (scope, cluster, names): Batch) -> Answer {
        let port = self.containers(&scope);
        let read = async { port.services(&cluster, &names).await.map(Some) };
        let seen = self.seen(read).await;
        let each = names.into_iter().enumerate().map(|(index, service)| {
            let one = match &seen {
                Seen::Present(states) => match states.get(index) {
                    Some(Some(state)) => Seen::Present(state.clone()),
                    Some(None) => Seen::Absent,
                    None => Seen::Unknown(Unknown::because("DescribeServices answered for fewer services than asked")),
                },
                Seen::Absent => Seen::Absent,
                Seen::Unknown(why) => Seen::Unknown(why.clone()),
            };
            (ServiceRef { cluster: cluster.clone(), service }, one)
        });
        let each = each.collect();
        Answer::Services(scope, each)
    }

    async fn answer_service(&self, need: ServiceNeed) -> Answer {
        match need {
            ServiceNeed::Service(scope, service) => {
                let batch = (scope, service.cluster, vec![service.service]);
                self.describe_services(batch).await
            }
            ServiceNeed::Images(scope, repository) => {
                let port = self.containers(&scope);
                let images = self.seen(read_images(&*port, &repository)).await;
                Answer::Images(scope, repository, images)
            }
            ServiceNeed::Platforms(scope, repository, digest) => {
                let port = self.containers(&scope);
                let platforms = self.seen(read_platforms(&*port, &repository, &digest)).await;
                Answer::Platforms(scope, repository, digest, platforms)
            }
            ServiceNeed::TaskDefinition(scope, arn) => {
                let port = self.containers(&scope);
                let definition = self.seen(port.task_definition(arn.as_str())).await;
                Answer::Definition(scope, arn, definition)
            }
            ServiceNeed::Deployments(scope, service, since) => {
                let port = self.containers(&scope);
                let deployments = self.seen(read_deployments(&*port, &service, since)).await;
                Answer::Deployments(scope, service, deployments)
            }
            ServiceNeed::Tasks(scope, service) => {
                let port = self.containers(&scope);
                let tasks = self.seen(read_tasks(&*port, &service)).await;
                Answer::Tasks(scope, service, tasks)
            }
            ServiceNeed::Targets(scope, group) => {
                let port = self.governor.health(&scope, self.role(&scope), Priority::Status);
                let read = async { port.targets(&group).await.map(Some) };
                let targets = self.seen(read).await;
                Answer::Targets(scope, group, targets)
            }
            ServiceNeed::Log(scope, stream) => {
                let port = self.containers(&scope);
                let lines = self.seen(port.log_lines(&stream, LINES)).await;
                Answer::Log(scope, stream, lines)
            }
        }
    }

    fn containers(&self, scope: &Scope) -> Arc<dyn Containers> {
        self.governor.containers(scope, self.role(scope), Priority::Status)
    }
}

/// Services by cluster, ten to the call; and the rest.
fn sorted(needs: BTreeSet<ServiceNeed>) -> (Vec<Batch>, Vec<ServiceNeed>) {
    let mut clusters: BTreeMap<(Scope, String), Vec<String>> = BTreeMap::new();
    let mut others = Vec::new();
    for need in needs {
        match need {
            ServiceNeed::Service(scope, ServiceRef { cluster, service }) => {
                clusters.entry((scope, cluster)).or_default().push(service);
            }
            other => others.push(other),
        }
    }
    let batches = clusters.into_iter().flat_map(|((scope, cluster), services)| {
        let batches = services.chunks(SERVICES).map(|some| (scope.clone(), cluster.clone(), some.to_vec()));
        batches.collect::<Vec<_>>()
    });
    (batches.collect(), others)
}

fn enter(observation: &mut Observation, answer: Answer) {
    let seen = &mut observation.services;
    match answer {
        Answer::Services(scope, services) => {
            seen.services.extend(services.into_iter().map(|(service, state)| ((scope.clone(), service), state)));
        }
        Answer::Platforms(scope, repository, digest, platforms) => {
            seen.platforms.insert((scope, repository, digest), platforms);
        }
        Answer::Images(scope, repository, images) => _ = seen.images.insert((scope, repository), images),
        Answer::Definition(scope, arn, definition) => _ = seen.task_definitions.insert((scope, arn), definition),
        Answer::Deployments(scope, service, deployments) => {
            seen.deployments.insert((scope, service), deployments);
        }
        Answer::Tasks(scope, service, tasks) => _ = seen.tasks.insert((scope, service), tasks),
        Answer::Targets(scope, group, targets) => _ = seen.targets.insert((scope, group), targets),
        Answer::Log(scope, stream, lines) => _ = seen.logs.insert((scope, stream), lines),
    }
}

async fn read_images(port: &dyn Containers, repository: &Repository) -> Result<Option<Arc<[ImageState]>>, PortError> {
    let images = all("DescribeImages", |page| port.images(repository, page)).await?;
    Ok(Some(images.into()))
}

async fn read_platforms(
    port: &dyn Containers,
    repository: &Repository,
    digest: &ImageDigest,
) -> Result<Option<Option<Vec<Platform>>>, PortError> {
    Ok(Some(match port.image_manifest(repository, digest).await? {
        ImageManifest::Index(platforms) => Some(platforms),
        ImageManifest::Single(None) => None,
        ImageManifest::Single(Some(config)) => {
            port.built_for(repository, &config).await?.map(|platform| vec![platform])
        }
    }))
}

async fn read_deployments(
    port: &dyn Containers,
    service: &ServiceRef,
    since: Timestamp,
) -> Result<Option<Vec<Deployed>>, PortError> {
    let list = |page| port.list_service_deployments(service, Some(since), page);
    let mut newest = all("ListServiceDeployments", list).await?;
    newest.sort_by(|a, b| (b.created, &b.arn).cmp(&(a.created, &a.arn)));
    newest.truncate(NEWEST);
    let arns: Vec<_> = newest.iter().map(|deployment| deployment.arn.clone()).collect();
    let mut states = Vec::new();
    for some in arns.chunks(DEPLOYMENTS) {
        states.extend(port.service_deployments(some).await?);
    }
    states.sort_by(|a, b| (b.created, &b.arn).cmp(&(a.created, &a.arn)));
    let targets: BTreeSet<ServiceRevisionArn> = states.iter().filter_map(|state| state.target.clone()).collect();
    let targets: Vec<ServiceRevisionArn> = targets.into_iter().collect();
    let mut revisions = BTreeMap::new();
    for some in targets.chunks(DEPLOYMENTS) {
        let read = port.service_revisions(some).await?;
        revisions.extend(read.into_iter().map(|revision| (revision.arn.clone(), revision)));
    }
    let deployed = states.into_iter().map(|state| {
        let target = state.target.as_ref().and_then(|arn| revisions.get(arn)).cloned();
        Deployed { state, target }
    });
    Ok(Some(deployed.collect()))
}

async fn read_tasks(port: &dyn Containers, service: &ServiceRef) -> Result<Option<TasksSeen>, PortError> {
    let mut seen = TasksSeen::default();
    for wanted in [TasksWanted::Running, TasksWanted::Stopped] {
        let arns = all("ListTasks", |page| port.list_tasks(service, wanted, page)).await?;
        let tasks = match wanted {
            TasksWanted::Running => &mut seen.running,
            TasksWanted::Stopped => &mut seen.stopped,
        };
        for some in arns.chunks(TASKS) {
            tasks.extend(port.tasks(&service.cluster, some).await?);
        }
    }
    Ok(Some(seen))
}
