//! `Service`: its document, and the desired images of an ECS service that it becomes in an environment.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;

use super::diagnostic::Problem;
use super::document::{ApiVersion, Metadata, Or, duration_or_reference_schema, number_schema};
use super::graph::Origin;
use super::made::Made;
use super::maker::{At, Maker, Resource, word};
use super::readiness::{CheckDocument, HealthDocument, compiled};
use crate::model::{
    AccountId, Delivery, Digest, ImageDigest, ImageSpec, Key, Kind, MovedTag, NewestBy, RolloutFailure, RolloutSpec,
    Select, ServiceSpec, StackSpec, VersionRange,
};

/// The default timeout of a rollout.
const ROLLOUT: Duration = Duration::from_mins(15);
/// Longer than the longest bake time that ECS takes, which is a day.
const LONGEST_ROLLOUT: Duration = Duration::from_hours(48);
/// The default number of task definition revisions to keep.
const REVISIONS: u32 = 10;

/// Marks the document as a service.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
enum ServiceKind {
    /// A service.
    Service,
}

/// The images of an ECS service, instantiated in every environment that includes this file.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(title = "Landfast service")]
pub(super) struct ServiceDocument {
    /// The version of the manifest language.
    #[expect(dead_code, reason = "checked by its type")]
    api_version: ApiVersion,
    /// The kind of document.
    #[expect(dead_code, reason = "checked by its type")]
    kind: ServiceKind,
    /// The object's metadata.
    #[expect(dead_code, reason = "read from the tree, so that it is known of broken documents too")]
    metadata: Metadata,
    /// The desired state.
    spec: ServiceDocumentSpec,
}

/// The desired images of an ECS service. Texts can contain `${env}`, `${system}`, `${account}`, `${region}`,
/// `${values.name}`, `${parameters.Name}` and, where stated, `${stacks.name.outputs.Key}`.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "ServiceSpec")]
struct ServiceDocumentSpec {
    /// The cluster's name or ARN. Stack outputs can be used.
    cluster: String,
    /// The service's name or ARN. Stack outputs can be used.
    service: String,
    /// The image of each container, by the container's name in the task definition.
    images: BTreeMap<String, ImageDocument>,
    /// The stack that owns the service, and its parameters for the images. If omitted, images are deployed directly
    /// with ECS, which is for services that no stack owns.
    #[serde(default)]
    deliver: Option<DeliverDocument>,
    /// When a rollout counts as failed, and what happens then.
    #[serde(default)]
    rollout: RolloutDocument,
    /// The number of task definition revisions to keep, of those that Landfast registered; default 10.
    #[serde(default)]
    #[schemars(schema_with = "number_schema::<1, 1000>")]
    keep_revisions: Option<Or<i64>>,
    /// Adopt an existing service that has no owner.
    #[serde(default)]
    adopt: Option<Or<bool>>,
    /// The region. Default: the environment's region.
    #[serde(default)]
    #[expect(dead_code, reason = "read from the tree, as for every kind")]
    region: Option<String>,
    /// An HTTP check that must pass before the service is ready: short for one check of `ready`.
    #[serde(default)]
    health: Option<HealthDocument>,
    /// Checks that must pass, in addition to its rollout, before the service is ready for its dependents.
    #[serde(default)]
    #[expect(dead_code, reason = "read from the tree, as for every kind")]
    ready: Vec<CheckDocument>,
    /// Objects of this environment that must be ready first: a stack by its name, others as `secret/name`. Needed only
    /// for dependencies that no reference shows.
    #[serde(default)]
    #[expect(dead_code, reason = "read from the tree, as for every kind")]
    depends_on: Vec<String>,
}

/// The image of a container: exactly one of `digest`, `tag`, `semver` and `newest`. It is resolved to a digest, and
/// the digest is deployed.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "Image")]
struct ImageDocument {
    /// The repository's name in ECR, without the registry and without a tag.
    repository: String,
    /// The account ID of the registry, twelve digits in quotes. Default: the environment's account.
    #[serde(default)]
    registry: Option<String>,
    /// The image digest: `sha256:` and 64 hexadecimal digits.
    #[serde(default)]
    digest: Option<String>,
    /// The image that this tag points to.
    #[serde(default)]
    tag: Option<String>,
    /// The highest version in a range: `>=1.4, <2`, `^1.4`, `~1.4.2`, `1.*`; `1.4.2` is exactly that version. Tags can
    /// start with `v`. Pre-releases are selected with `prereleases: true`, or if the range names one: `>=1.4.0-0`.
    #[serde(default)]
    semver: Option<String>,
    /// `true`: `semver` also selects the pre-releases within its range, such as `1.5.0-rc.1` or `1.4.2-17-gabc1234`.
    #[serde(default)]
    prereleases: Option<Or<bool>>,
    /// The newest of the tags that match a regular expression completely: the expression, or the expression and the
    /// order of tags.
    #[serde(default)]
    newest: Option<NewestDocument>,
    /// How long an image must be in the registry before it is selected, for example `10m`. Default: no delay.
    #[serde(default)]
    #[schemars(schema_with = "duration_or_reference_schema")]
    soak: Option<String>,
    /// Regular expressions, one of which must match the whole tag. If omitted, any tag is allowed.
    #[serde(default)]
    allow: Vec<String>,
    /// Regular expressions, none of which may match the whole tag.
    #[serde(default)]
    deny: Vec<String>,
    /// What happens when the selected tag points to another image: `report` (the default) or `deploy`.
    #[serde(default)]
    moved: Option<Or<MovedTag>>,
    /// Additional regions whose registry must have the running image, for example standby regions. A missing image is
    /// reported.
    #[serde(default)]
    also_in: Vec<String>,
}

/// An expression, or an expression and an order.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
enum NewestDocument {
    /// A regular expression; tags are compared by when they were pushed.
    Pattern(String),
    /// A regular expression and the order of tags.
    Full(NewestFields),
}

/// A regular expression and the order of tags.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "Newest")]
struct NewestFields {
    /// A regular expression that must match the whole tag. If it has a group, the first group is compared.
    pattern: String,
    /// The order: `pushed` (by push time, the default), `numerical` or `alphabetical`.
    #[serde(default)]
    by: Option<Or<NewestBy>>,
}

/// The stack that owns the service.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "Deliver")]
struct DeliverDocument {
    /// A stack of this environment.
    stack: String,
    /// The template parameter for the image of each container.
    parameters: BTreeMap<String, String>,
}

/// When a rollout counts as failed, and what happens then.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "Rollout")]
struct RolloutDocument {
    /// The timeout after which it counts as failed; default `15m`.
    #[serde(default)]
    #[schemars(schema_with = "duration_or_reference_schema")]
    timeout: Option<String>,
    /// What happens when it fails: `rollback` (the default) or `report`.
    #[serde(default)]
    on_failure: Option<Or<RolloutFailure>>,
}

impl Resource for ServiceDocument {
    fn make(&self, maker: &mut Maker<'_>) -> Option<Made> {
        self.spec.service(maker).map(Made::Service)
    }
}

impl ServiceDocumentSpec {
    fn service(&self, maker: &mut Maker<'_>) -> Option<ServiceSpec> {
        let spec = maker.at(&["spec"]);
        let cluster = maker.open(&self.cluster, spec.key("cluster"));
        let service = maker.open(&self.service, spec.key("service"));
        let fields = spec.key("images");
        if self.images.is_empty() {
            maker.wrong("`images` is empty", fields);
        }
        let mut images = BTreeMap::new();
        for (container, image) in &self.images {
            let legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
            if !(1..=255).contains(&container.len()) || !container.chars().all(legal) {
                let message = format!("`{container}` is not a valid container name (letters, digits, `-`, `_`)");
                maker.wrong(message, fields.key(container));
            }
            if let Some(image) = image.image(maker, fields.key(container)) {
                images.insert(container.clone(), image);
            }
        }
        let delivery = match &self.deliver {
            None => Some(Delivery::Direct),
            Some(deliver) => deliver.delivery(maker, &self.images),
        };
        let rollout = spec.key("rollout");
        let limits = Duration::from_mins(1)..=LONGEST_ROLLOUT;
        let timeout = maker.duration(self.rollout.timeout.as_deref(), rollout.key("timeout"), "timeout", limits);
        let on_failure = self.rollout.on_failure.as_ref();
        let default = RolloutFailure::default();
        let on_failure = maker.choice(on_failure, default, rollout.key("onFailure"), "onFailure", &word);
        let place = spec.key("keepRevisions");
        let revisions_kept = maker.number(self.keep_revisions.as_ref(), REVISIONS, 1..=1000, place, "keepRevisions");
        let adopt = maker.flag(self.adopt.as_ref(), spec.key("adopt"), "adopt");
        let health = self.health.as_ref().and_then(|health| health.check(maker, spec.key("health")));
        maker.out.ready.extend(health);
        let rollout = RolloutSpec { timeout: timeout.unwrap_or(ROLLOUT), on_failure };
        let (scope, cluster, service, delivery) = (maker.scope(), cluster?, service?, delivery?);
        let through = match &delivery {
            Delivery::Stack { stack, parameters } => Some((stack, parameters)),
            Delivery::Direct => None,
        };
        let said = (&scope, &cluster, &service, &images, through, &rollout, revisions_kept, adopt);
        let digest = Digest::of(&said);
        Some(ServiceSpec {
            key: maker.key.clone(),
            scope,
            cluster,
            service,
            images,
            delivery,
            rollout,
            revisions_kept,
            adopt,
            depends_on: BTreeSet::new(),
            digest,
        })
    }
}

impl ImageDocument {
    fn image(&self, maker: &mut Maker<'_>, at: At<'_>) -> Option<ImageSpec> {
        let repository = maker.closed(&self.repository, at.key("repository"));
        if let Some(Err((why, help))) = repository.as_deref().map(is_repository) {
            let problem = maker.error("invalid-value", why, at.key("repository"));
            maker.add(problem.help(help));
        }
        let registry = self.registry.as_ref().map(|text| maker.parsed::<AccountId>(text, at.key("registry")));
        let select = self.select(maker, at);
        let prereleases = maker.flag(self.prereleases.as_ref(), at.key("prereleases"), "prereleases");
        if self.prereleases.is_some() && self.semver.is_none() {
            maker.wrong("`prereleases` needs `semver`: other selections compare no versions", at.key("prereleases"));
        }
        let soak = maker.duration(self.soak.as_deref(), at.key("soak"), "soak", Duration::ZERO..=Duration::MAX);
        let allow = expressions(maker, &self.allow, at.key("allow"));
        let deny = expressions(maker, &self.deny, at.key("deny"));
        let moved = maker.choice(self.moved.as_ref(), MovedTag::default(), at.key("moved"), "moved", &word);
        let regions = self.also_in.iter().zip(at.key("alsoIn").items());
        let also_in = regions.filter_map(|(text, at)| maker.region(text, at)).collect();
        Some(ImageSpec {
            registry: registry.flatten(),
            repository: repository?,
            select: select?,
            prereleases,
            soak: soak.unwrap_or_default(),
            allow,
            deny,
            moved,
            also_in,
        })
    }

    fn select(&self, maker: &mut Maker<'_>, at: At<'_>) -> Option<Select> {
        let known = ["digest", "tag", "semver", "newest"];
        if known.into_iter().filter(|field| at.key(field).is_given()).count() != 1 {
            maker.wrong(format!("an image has exactly one of {}", known.join(", ")), at);
            return None;
        }
        match (&self.digest, &self.tag, &self.semver, &self.newest) {
            (Some(digest), ..) => maker.parsed::<ImageDigest>(digest, at.key("digest")).map(Select::Digest),
            (_, Some(tag), ..) => {
                let at = at.key("tag");
                let tag = maker.closed(tag, at)?;
                if !is_tag(&tag) {
                    maker
                        .wrong(format!("`{tag}` is not a valid tag (letters, digits, `_`, `.`, `-`, at most 128)"), at);
                    return None;
                }
                Some(Select::Tag(tag))
            }
            (_, _, Some(range), _) => range_of(maker, range, at.key("semver")).map(Select::Semver),
            (.., Some(newest)) => {
                let at = at.key("newest");
                let (pattern, place, by) = match newest {
                    NewestDocument::Pattern(pattern) => (pattern, at, None),
                    NewestDocument::Full(fields) => (&fields.pattern, at.key("pattern"), fields.by.as_ref()),
                };
                let by = maker.choice(by, NewestBy::default(), at.key("by"), "by", &word);
                expression(maker, pattern, place).map(|pattern| Select::Newest { pattern, by })
            }
            _ => None,
        }
    }
}

/// A range of versions, as its manifest writes it.
fn range_of(maker: &mut Maker<'_>, range: &str, at: At<'_>) -> Option<String> {
    let range = maker.closed(range, at)?;
    match VersionRange::parse(&range) {
        Ok(_) => Some(range),
        Err(why) => {
            let problem = maker.error("invalid-value", format!("`{range}` is not a version range: {why}"), at);
            maker.add(
                problem.help(
                    "for example `>=1.4, <2`: a version must match all parts; `1.4.2` matches exactly that version",
                ),
            );
            None
        }
    }
}

/// A regular expression that is to match a whole tag.
fn expression(maker: &mut Maker<'_>, pattern: &str, at: At<'_>) -> Option<String> {
    let pattern = maker.closed(pattern, at)?;
    match compiled(&pattern) {
        Ok(_) => Some(pattern),
        Err(why) => {
            maker.wrong(why, at);
            None
        }
    }
}

fn expressions(maker: &mut Maker<'_>, list: &[String], at: At<'_>) -> Vec<String> {
    list.iter().zip(at.items()).filter_map(|(pattern, at)| expression(maker, pattern, at)).collect()
}

/// Checks a repository's name (AWS: ECR, `CreateRepository`, parameter `repositoryName`).
fn is_repository(name: &str) -> Result<(), (String, &'static str)> {
    if name.contains(".dkr.ecr.") {
        let help = "write only its name; set another account in `registry`";
        return Err((format!("`{name}` is a repository address, not a name"), help));
    }
    let part = |part: &str| {
        let alphanumeric = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
        part.starts_with(alphanumeric)
            && part.ends_with(alphanumeric)
            && part.chars().all(|c| alphanumeric(c) || matches!(c, '.' | '_' | '-'))
    };
    if (2..=256).contains(&name.len()) && name.split('/').all(part) {
        return Ok(());
    }
    let help = "2 to 256 lower-case letters, digits, `.`, `_`, `-` and `/`; the tag is a separate field";
    Err((format!("`{name}` is not a valid repository name"), help))
}

fn is_tag(tag: &str) -> bool {
    (1..=128).contains(&tag.len())
        && !tag.starts_with(['.', '-'])
        && tag.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-'))
}

impl DeliverDocument {
    fn delivery(&self, maker: &mut Maker<'_>, images: &BTreeMap<String, ImageDocument>) -> Option<Delivery> {
        let at = maker.at(&["spec", "deliver"]);
        for container in images.keys().filter(|container| !self.parameters.contains_key(*container)) {
            let message = format!("`deliver` has no parameter for the container `{container}`");
            let problem = maker.error("missing-field", message, at.key("parameters"));
            maker.add(problem);
        }
        let Some(stack) = maker.member(Kind::Stack, &self.stack) else {
            let message = format!("`{}` has no stack `{}`", maker.environment(), self.stack);
            let problem = maker.error("unknown-stack", message, at.key("stack")).absent(&self.stack);
            let stacks = maker.around.members.of(Kind::Stack).map(|sheet| sheet.name.as_str());
            maker.add(problem.suggest(&self.stack, stacks));
            return None;
        };
        maker.waits_for(stack.clone(), at.key("stack"), "deliver");
        for (container, parameter) in &self.parameters {
            let place = at.key("parameters").key(container);
            if !images.contains_key(container) {
                let message = format!("`images` has no container `{container}`");
                let problem = maker.error("unknown-container", message, place);
                maker.add(problem.suggest(container, images.keys().map(String::as_str)));
            }
            for problem in misdelivered(maker, &stack, container, parameter, place) {
                maker.add(problem);
            }
        }
        Some(Delivery::Stack { stack, parameters: self.parameters.clone() })
    }
}

/// What is wrong with the parameter of a stack for an image.
fn misdelivered(maker: &Maker<'_>, stack: &Key, container: &str, parameter: &str, at: At<'_>) -> Vec<Problem> {
    let mut problems = Vec::new();
    let members = maker.around.members;
    let owner = maker.around.deliveries.get(&stack.name).and_then(|parameters| parameters.get(parameter));
    if let Some((owner, place)) = owner
        && (owner.service != *maker.key || owner.container != container)
    {
        let message =
            format!("the parameter `{parameter}` of `{stack}` is already used for the image of another container");
        let help = format!("`{}` uses it for `{}`, at {place}", owner.service, owner.container);
        problems.push(maker.error("two-writers", message, at).help(help));
    }
    let Some(sheet) = members.get(Kind::Stack, &stack.name) else { return problems };
    let given = sheet.doc.entries(&["spec", "parameters"]).iter().find(|entry| entry.key == parameter);
    if let Some(entry) = given {
        let message = format!("the parameter `{parameter}` of `{stack}` is also set in the stack's manifest");
        let help = format!(
            "remove it there, at {}:{}: Landfast sets it to the image",
            sheet.doc.file, entry.key_span.start.line
        );
        problems.push(maker.error("two-writers", message, at).help(help));
    }
    let Some(template) = members.template(&stack.name) else { return problems };
    match template.parameters.get(parameter) {
        None => {
            let message = format!("the template of `{stack}` has no parameter `{parameter}`");
            let known = template.parameters.keys().map(String::as_str);
            problems.push(maker.error("unknown-parameter", message, at).suggest(parameter, known));
        }
        Some(declared) if declared.no_echo || declared.kind != "String" => {
            let kind = if declared.no_echo { "NoEcho" } else { &declared.kind };
            let message =
                format!("the parameter `{parameter}` of `{stack}` is declared {kind}; an image needs a String");
            problems.push(maker.error("invalid-value", message, at));
        }
        Some(_) => {}
    }
    problems
}

/// Services that are delivered through a stack of another region: it cannot own them.
pub(super) fn misplaced<'s>(
    services: impl Iterator<Item = (&'s ServiceSpec, &'s Origin)>,
    stack: impl Fn(&Key) -> Option<&'s StackSpec>,
) -> Vec<(Problem, Key)> {
    let mut problems = Vec::new();
    for (spec, origin) in services {
        let Delivery::Stack { stack: key, .. } = &spec.delivery else { continue };
        let Some(stack) = stack(key).filter(|stack| stack.scope != spec.scope) else { continue };
        let (here, there) = (&spec.scope.region, &stack.scope.region);
        let message = format!("the service is in {here}, but `{key}`, which deploys it, is in {there}");
        let problem = Problem::error("invalid-value", message, &origin.file, origin.span);
        problems.push((problem.help(format!("set `region: {there}`")), spec.key.clone()));
    }
    problems
}
