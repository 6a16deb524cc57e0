//! What runs in an account, read for adoption: once, and with everything that could not be read said.
//!
//! It changes nothing, needs no manifest, and reads no value of any secret.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use futures_util::StreamExt as _;
use futures_util::stream::iter;

use super::backups::{GLOBAL_TABLE, TABLE};
use super::details::AT_ONCE;
use super::records::{read_sets, read_zones};
use crate::adopt::{Ask, FoundService, FoundStack, FoundTable, FoundZone, Left, Survey, Which, choose, ecr_image};
use crate::model::{
    AssumeRole, ResourceState, ServiceState, ServiceStatus, StackName, StackState, TableName, VaultPlan,
};
use crate::ports::{Class, Containers, Drift, Governor, PortError, Priority, Stacks, Tables, all, found};

/// Services that one call describes (AWS: *`DescribeServices`*).
const SERVICES: usize = 10;

/// The session name that `CloudTrail` shows.
const SESSION: &str = "landfast-adopt";

/// Reads all that adoption needs to know.
pub async fn survey(governor: &Governor, ask: &Ask) -> Survey {
    let arn = ask.role.clone();
    let role = arn.map(|arn| AssumeRole { arn, external_id: None, session_name: SESSION.to_owned() });
    let reader = Reader { governor, ask, role: role.as_ref() };
    let mut survey = Survey::default();
    if let Err(error) = reader.stacks(&mut survey).await {
        survey.left.push(Left::missing("stacks", unread(&error)));
        return survey;
    }
    if let Err(error) = reader.services(&mut survey).await {
        survey.left.push(Left::missing("services", unread(&error)));
    }
    if let Err(error) = reader.plans(&mut survey).await {
        survey.left.push(Left::missing("backup plans of AWS Backup", unread(&error)));
    }
    let secrets = governor.secrets(&ask.scope, reader.role, Priority::Status);
    match all("ListSecrets", |page| secrets.list(page)).await {
        Ok(found) => survey.secrets = found,
        Err(error) => survey.left.push(Left::missing("secrets", unread(&error))),
    }
    if let Err(error) = reader.zones(&mut survey).await {
        survey.left.push(Left::missing("DNS records", unread(&error)));
    }
    survey
}

fn unread(error: &PortError) -> String {
    format!("could not be read: {error}")
}

struct Reader<'a> {
    governor: &'a Governor,
    ask: &'a Ask,
    role: Option<&'a AssumeRole>,
}

impl Reader<'_> {
    async fn stacks(&self, survey: &mut Survey) -> Result<(), PortError> {
        let port = self.governor.stacks(&self.ask.scope, self.role, Priority::Status);
        let drift = self.governor.drift(&self.ask.scope, self.role);
        let tables = self.governor.tables(&self.ask.scope, self.role, Priority::Status);
        let listed = all("DescribeStacks", |page| port.list(page)).await?;
        let choice = choose(&listed, self.ask);
        survey.left.extend(choice.left);
        let read = iter(choice.stacks).map(|state| {
            let (port, drift, tables) = (Arc::clone(&port), Arc::clone(&drift), Arc::clone(&tables));
            async move { (state.name.clone(), read_stack(&*port, &*drift, &*tables, state).await) }
        });
        let read: Vec<(StackName, Result<FoundStack, PortError>)> = read.buffered(AT_ONCE).collect().await;
        // Parameters of one moment and a template of another are of no stack that ever was.
        let after: BTreeMap<StackName, StackState> = all("DescribeStacks", |page| port.list(page))
            .await?
            .into_iter()
            .map(|state| (state.name.clone(), state))
            .collect();
        for (name, stack) in read {
            let what = format!("stack {name}");
            match stack {
                Err(error) => survey.left.push(Left::missing(what, unread(&error))),
                Ok(stack) if after.get(&name) == Some(&stack.state) => _ = survey.stacks.insert(name, stack),
                Ok(_) => survey.left.push(Left::missing(what, "it changed during the read: run this again")),
            }
        }
        Ok(())
    }

    /// Services that adopted stacks made, and those that nobody's stack made on their clusters or on the environment's.
    async fn services(&self, survey: &mut Survey) -> Result<(), PortError> {
        let port = self.governor.containers(&self.ask.scope, self.role, Priority::Status);
        let mut clusters = clusters_of(survey);
        if matches!(self.ask.which, Which::All { .. }) {
            let listed = all("ListClusters", |page| port.clusters(page)).await?;
            let names = listed.iter().filter_map(|arn| arn.as_str().rsplit('/').next());
            let prefix = format!("{}-", self.ask.environment);
            let ours = names.filter(|name| name.starts_with(&prefix) || *name == self.ask.environment.as_str());
            clusters.extend(ours.map(str::to_owned));
        }
        for cluster in clusters {
            for state in read_services(&*port, &cluster).await? {
                self.service(&*port, state, survey).await?;
            }
        }
        Ok(())
    }

    async fn service(&self, port: &dyn Containers, state: ServiceState, survey: &mut Survey) -> Result<(), PortError> {
        let what = format!("service {}", state.name);
        let adopted = |stack: &str| survey.stacks.keys().any(|name| name.as_str() == stack);
        if let Some(stack) = state.tags.get("aws:cloudformation:stack-name").filter(|stack| !adopted(stack)) {
            survey.left.push(Left::aside(what, format!("the stack {stack} creates it, and that stack is not adopted")));
            return Ok(());
        }
        let Some(arn) = &state.task_definition else {
            survey.left.push(Left::aside(what, format!("{} deploys it, not ECS", state.controller)));
            return Ok(());
        };
        let Some(definition) = port.task_definition(arn.as_str()).await? else {
            survey.left.push(Left::missing(what, format!("its task definition {} no longer exists", arn.short())));
            return Ok(());
        };
        let mut images = BTreeMap::new();
        for container in &definition.containers {
            let Some((repository, id)) = ecr_image(&container.image) else { continue };
            match port.image(&repository, &id).await {
                Ok(Some(image)) => _ = images.insert(container.image.clone(), image),
                Ok(None) => {}
                Err(error) if error.class == Class::NotFound => {}
                Err(error) => {
                    let what = format!("image {} of {what}", container.image);
                    survey.left.push(Left::missing(what, unread(&error)));
                }
            }
        }
        survey.services.push(FoundService { state, definition, images });
        Ok(())
    }

    /// Backup plans of AWS Backup, where there is a table that one could keep.
    async fn plans(&self, survey: &mut Survey) -> Result<(), PortError> {
        if survey.stacks.values().all(|stack| stack.tables.is_empty()) {
            return Ok(());
        }
        let port = self.governor.vaults(&self.ask.scope, self.role, Priority::Status);
        for (id, name) in all("ListBackupPlans", |page| port.plans(page)).await? {
            // One that was deleted since it was listed keeps nothing.
            let Some(rules) = port.rules(&id).await? else { continue };
            let Some(ids) = found(all("ListBackupSelections", |page| port.selections(&id, page)).await)? else {
                continue;
            };
            let mut selections = Vec::new();
            for selection in ids {
                selections.extend(port.selection(&id, &selection).await?);
            }
            survey.plans.push(VaultPlan { name, rules, selections });
        }
        survey.plans.sort_by(|one, other| one.name.cmp(&other.name));
        Ok(())
    }

    /// Record sets, where a stack has an output that one of them could point at.
    async fn zones(&self, survey: &mut Survey) -> Result<(), PortError> {
        let is_host = |text: &str| text.contains('.') && !text.contains(['/', ':', ',', ' ']);
        let outputs = survey.stacks.values().flat_map(|stack| stack.state.outputs.values());
        if !outputs.into_iter().any(|output| is_host(&output.value)) {
            return Ok(());
        }
        let port = self.governor.records(&self.ask.scope, self.role, Priority::Status);
        for zone in read_zones(&*port, "").await?.unwrap_or_default() {
            let sets = read_sets(&*port, &zone.id, None).await?;
            survey.zones.push(FoundZone { zone, sets });
        }
        Ok(())
    }
}

async fn read_stack(
    port: &dyn Stacks,
    drift: &dyn Drift,
    tables: &dyn Tables,
    state: StackState,
) -> Result<FoundStack, PortError> {
    let template = port.template(&state.id).await?;
    let policy = port.stack_policy(&state.id).await?;
    let resources = all("ListStackResources", |page| drift.resources(&state.id, page)).await?;
    let tables = read_tables(tables, &resources).await?;
    Ok(FoundStack { state, template, policy, resources, tables })
}

/// How the tables among these are protected. One that is gone is left out.
async fn read_tables(
    port: &dyn Tables,
    resources: &[ResourceState],
) -> Result<BTreeMap<TableName, FoundTable>, PortError> {
    let mut tables = BTreeMap::new();
    for resource in resources.iter().filter(|resource| matches!(resource.kind.as_str(), TABLE | GLOBAL_TABLE)) {
        let name = resource.physical_id.as_deref().and_then(|id| id.parse::<TableName>().ok());
        let Some(name) = name else { continue };
        let Some(state) = port.describe(&name).await? else { continue };
        let Some(recovery) = port.continuous_backups(&name).await? else { continue };
        let Some(tags) = found(all("ListTagsOfResource", |page| port.tags(&state.arn, page)).await)? else { continue };
        let table = FoundTable {
            arn: state.arn,
            recovery: recovery.on.then_some(recovery.window_days),
            protected: state.deletion_protected,
            tags: tags.into_iter().collect(),
        };
        tables.insert(name, table);
    }
    Ok(tables)
}

/// Names of the clusters that adopted stacks made, or deploy to.
fn clusters_of(survey: &Survey) -> BTreeSet<String> {
    let resources = survey.stacks.values().flat_map(|stack| &stack.resources);
    let names = resources.filter_map(|resource| {
        let id = resource.physical_id.as_deref()?;
        match resource.kind.as_str() {
            "AWS::ECS::Cluster" => id.rsplit('/').next().map(str::to_owned),
            // arn:aws:ecs:region:account:service/cluster/name; an ARN of the old form does not say.
            "AWS::ECS::Service" => {
                let (_, place) = id.split_once("service/")?;
                place.split_once('/').map(|(cluster, _)| cluster.to_owned())
            }
            _ => None,
        }
    });
    names.collect()
}

async fn read_services(port: &dyn Containers, cluster: &str) -> Result<Vec<ServiceState>, PortError> {
    let arns = match all("ListServices", |page| port.list_services(cluster, page)).await {
        // Its stack says that it made it, and somebody deleted it.
        Err(error) if error.class == Class::NotFound => return Ok(Vec::new()),
        arns => arns?,
    };
    let mut states = Vec::new();
    for some in arns.chunks(SERVICES) {
        let names: Vec<String> = some.iter().map(ToString::to_string).collect();
        let told = port.services(cluster, &names).await?;
        states.extend(told.into_iter().flatten().filter(|state| state.status == ServiceStatus::Active));
    }
    Ok(states)
}
