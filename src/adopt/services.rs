//! `Service` documents.
//!
//! Landfast deploys digests. A service that runs a tag would be deployed once as soon as it has a manifest, and one whose
//! image is a stack's parameter changes that stack's inputs: neither is taking ownership. So they are written out in full
//! and commented out, and whoever takes the comments away decides when. Only a service that no stack owns and that runs
//! digests alone is asked for at once: nothing follows from that.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::names::Namer;
use super::references::{Recovered, References};
use super::scalar::{comment, file, literal, quoted};
use super::survey::{Ask, FoundService, FoundStack, Left, ecr_image};
use crate::model::{ImageId, OWNER_TAG, ObjectName, ServiceState, StackName, Template};

/// What is known beside the services.
pub(super) struct Around<'s> {
    pub(super) ask: &'s Ask,
    pub(super) system: &'s str,
    pub(super) stacks: &'s BTreeMap<StackName, FoundStack>,
    pub(super) templates: &'s BTreeMap<StackName, Template>,
    pub(super) names: &'s BTreeMap<StackName, ObjectName>,
}

/// Documents of services.
#[derive(Default)]
pub(super) struct Services {
    /// Asked for at once.
    pub(super) live: Vec<String>,
    /// Commented out.
    pub(super) proposed: Vec<String>,
}

/// A container, its image, and the parameter of the owning stack that gives it.
struct Container<'s> {
    name: &'s str,
    image: &'s str,
    parameter: Option<&'s str>,
}

/// A document for each service whose images can be followed.
pub(super) fn services(
    found: &[FoundService],
    around: &Around<'_>,
    references: &mut References<'_>,
    left: &mut Vec<Left>,
) -> Services {
    let mut sorted: Vec<&FoundService> = found.iter().collect();
    sorted.sort_by_key(|service| service.state.arn.clone());
    let (environment, system) = (&around.ask.environment, around.system);
    let mut namer = Namer::new([format!("{environment}-{system}-"), format!("{environment}-")]);
    let mut services = Services::default();
    for service in sorted {
        match around.one(service, &mut namer, references) {
            Ok((document, true)) => services.live.push(document),
            Ok((document, false)) => services.proposed.push(document),
            Err(why) => left.push(Left::aside(format!("service {}", service.state.name), why)),
        }
    }
    services
}

impl<'s> Around<'s> {
    fn one(
        &self,
        service: &FoundService,
        namer: &mut Namer,
        references: &mut References<'_>,
    ) -> Result<(String, bool), String> {
        let state = &service.state;
        let owner = self.owner(state);
        // One that a stack owns may have that stack's tags.
        if let Some(whose) = state.tags.get(OWNER_TAG).filter(|_| owner.is_none()) {
            return Err(format!("Landfast already manages it as {whose}"));
        }
        let containers = self.containers(service, owner)?;
        let is_digest = |container: &Container<'_>| matches!(ecr_image(container.image), Some((_, ImageId::Digest(_))));
        let live = owner.is_none() && containers.iter().all(is_digest);
        let name = namer.name(&state.name).ok_or("no free name for it")?;
        let mut text = format!("apiVersion: landfast/v1\nkind: Service\nmetadata: {{ name: {name} }}\nspec:\n");
        let cluster = state.cluster.as_str().rsplit('/').next().unwrap_or_default();
        let _ = writeln!(text, "  cluster: {}", reference(references, "ClusterName", cluster));
        let _ = writeln!(text, "  service: {}\n  images:", reference(references, "ServiceName", &state.name));
        for container in &containers {
            self.image(&mut text, container, service);
        }
        if let Some(stack) = owner.and_then(|owner| self.names.get(owner)) {
            let given = |container: &Container<'_>| {
                Some(format!("{}: {}", quoted(container.name), quoted(container.parameter?)))
            };
            let given: Vec<String> = containers.iter().filter_map(given).collect();
            let _ = writeln!(text, "  deliver: {{ stack: {stack}, parameters: {{ {} }} }}", given.join(", "));
        } else {
            text.push_str("  adopt: true\n");
        }
        if let Some(group) = state.target_groups.iter().next() {
            let group = reference(references, "TargetGroupArn", group);
            // A check that does not hold would be something to wait for.
            let start = if live { "  # " } else { "  " };
            let _ = writeln!(text, "{start}ready: [{{ targets: {{ group: {group}, healthy: 1 }} }}]");
        }
        Ok((text, live))
    }

    /// The adopted stack that made the service.
    fn owner(&self, state: &ServiceState) -> Option<&'s StackName> {
        let short = state.arn.as_str().rsplit_once(":service/").map(|(_, rest)| rest);
        let made = |stack: &FoundStack| {
            let mut services = stack.resources.iter().filter(|resource| resource.kind == "AWS::ECS::Service");
            services.any(|resource| {
                let id = resource.physical_id.as_deref();
                id == Some(state.arn.as_str()) || id == short || id == Some(state.name.as_str())
            })
        };
        self.stacks.iter().find(|(_, stack)| made(stack)).map(|(name, _)| name)
    }

    fn containers<'c>(
        &'c self,
        service: &'c FoundService,
        owner: Option<&StackName>,
    ) -> Result<Vec<Container<'c>>, String> {
        let mut containers = Vec::new();
        let in_ecr = service.definition.containers.iter().filter(|container| ecr_image(&container.image).is_some());
        for container in in_ecr {
            let parameter = owner.and_then(|owner| self.parameter(owner, &container.image));
            if owner.is_none() || parameter.is_some() {
                containers.push(Container { name: &container.name, image: &container.image, parameter });
            }
        }
        match (containers.is_empty(), owner) {
            (false, _) => Ok(containers),
            (true, None) => Err("none of its images is in ECR".to_owned()),
            (true, Some(owner)) => Err(format!(
                "the stack {owner} deploys it, but no parameter of that stack is its image: add one, then use `deliver`"
            )),
        }
    }

    fn parameter(&self, owner: &StackName, image: &str) -> Option<&str> {
        let (stack, template) = (self.stacks.get(owner)?, self.templates.get(owner)?);
        let declared = |key: &String| template.parameters.get(key).is_some_and(|declared| !declared.no_echo);
        let mut given = stack.state.parameters.iter().filter(|(key, value)| *value == image && declared(key));
        given.next().map(|(key, _)| key.as_str())
    }

    fn image(&self, text: &mut String, container: &Container<'_>, service: &FoundService) {
        let Some((repository, id)) = ecr_image(container.image) else { return };
        let _ = writeln!(text, "    {}:\n      repository: {}", quoted(container.name), literal(&repository.name));
        if let Some(registry) = repository.registry.filter(|registry| *registry != self.ask.scope.account) {
            let _ = writeln!(text, "      registry: \"{registry}\"");
        }
        let there = service.images.get(container.image);
        match (id, there) {
            (ImageId::Digest(digest), image) => {
                let tags: Vec<&str> = image.into_iter().flat_map(|image| &image.tags).map(String::as_str).collect();
                let tags = if tags.is_empty() { String::new() } else { format!("    # {}", tags.join(", ")) };
                let _ = writeln!(text, "      digest: {}{tags}", quoted(digest.as_str()));
            }
            (ImageId::Tag(tag), Some(_)) => {
                let _ = writeln!(text, "      tag: {}", literal(&tag));
            }
            (ImageId::Tag(tag), None) => {
                text.push_str(&comment(6, "this tag was not found in ECR: no new task can start with it"));
                let _ = writeln!(text, "      tag: {}", literal(&tag));
            }
        }
    }
}

fn reference(references: &mut References<'_>, called: &str, value: &str) -> String {
    match references.recover(None, called, value, false) {
        Recovered::Reference(text) => quoted(&text),
        Recovered::Literal | Recovered::Unclear(_) => literal(value),
    }
}

impl Services {
    /// The file, if there is anything to say.
    pub(super) fn file(&self) -> Option<String> {
        let mut text = String::new();
        if !self.live.is_empty() {
            text.push_str(&file("The running images, by digest.", &self.live));
        }
        if !self.proposed.is_empty() {
            text.push_str(&comment(
                0,
                "Not active yet: remove the comments to activate it. Landfast deploys digests, so a service that runs \
                a tag is then deployed once, with its current image. If a stack deploys the service, also remove the \
                image parameter from that stack's `parameters`: then only the service sets it.",
            ));
            for document in &self.proposed {
                text.push_str("#\n# ---\n");
                for line in document.lines() {
                    let _ = writeln!(text, "# {line}");
                }
            }
        }
        (!text.is_empty()).then_some(text)
    }
}
