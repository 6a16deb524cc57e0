//! Manifests as data: what a scenario edits, and the files that come of it.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use landfast::model::{FileContent, Snapshot};
use landfast::operator::Operator;
use serde::{Deserialize, Serialize};

use crate::app::{App, Named, Vault};
use crate::stage::DAY;

/// Stacks from this number on are in the second environment.
pub(crate) const SECOND: u8 = 6;

/// The repository of the service's image.
pub(crate) const REPOSITORY: &str = "shop/web";

/// Stands in for a secret: must never come out anywhere (S12).
pub(crate) const CANARY: &str = "canary-4f1d9c";

/// Everything that the manifests say.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Fleet {
    pub(crate) units: BTreeMap<u8, Unit>,
    pub(crate) policy: Policy,
    #[serde(default)]
    pub(crate) web: Option<Web>,
    #[serde(default)]
    pub(crate) app: App,
    /// The manifests ask for everything, and it is the operator who says what may be done.
    #[serde(default)]
    pub(crate) floored: bool,
    /// When no change begins in `dev`: from a second of the run, until another.
    #[serde(default)]
    pub(crate) windows: Vec<(u64, u64)>,
}

/// The service `web` of the cluster `shop`, whose image follows a repository.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Web {
    /// A stack owns it. Otherwise it was made by hand, and is deployed through ECS.
    pub(crate) stack: bool,
    /// Its circuit breaker, where a stack owns it.
    pub(crate) breaker: bool,
    /// Which image, as the manifest says it.
    pub(crate) select: String,
    /// Its strategy, where a stack owns it and it is not the usual one: properties of the deployment's configuration.
    #[serde(default)]
    pub(crate) strategy: String,
    /// Further resources of its stack's template, as lines.
    #[serde(default)]
    pub(crate) beside: String,
}

/// What may be done without asking.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Policy {
    pub(crate) prune: Prune,
    pub(crate) observe: bool,
    /// How many stacks may be deleted within an hour.
    pub(crate) deletions: u32,
    /// Replacements of stateful resources are done where there is a backup.
    pub(crate) replace: bool,
}

impl Policy {
    /// What somebody would write who wants everything.
    const LOOSEST: Self = Self { prune: Prune::Always, observe: false, deletions: 1000, replace: true };
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Prune {
    Never,
    Confirm,
    Always,
}

/// One stack.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[expect(clippy::struct_excessive_bools, reason = "each is a line of a manifest")]
pub(crate) struct Unit {
    /// The stack whose output it takes as a parameter.
    pub(crate) upstream: Option<u8>,
    /// The stack whose export it imports.
    pub(crate) imports: Option<u8>,
    pub(crate) size: u8,
    pub(crate) tag: u8,
    pub(crate) shape: u8,
    pub(crate) secret: u8,
    pub(crate) protected: bool,
    pub(crate) retained: bool,
    pub(crate) adopt: bool,
    /// Minutes after which an operation is overdue.
    pub(crate) timeout: Option<u8>,
    /// Drift of it is put back.
    #[serde(default)]
    pub(crate) revert: bool,
    /// How its table comes about.
    #[serde(default)]
    pub(crate) made: Made,
    /// Its template is too large for a request, and goes through the bucket.
    #[serde(default)]
    pub(crate) large: bool,
    /// Its manifest has its other name; the stack keeps its own.
    #[serde(default)]
    pub(crate) renamed: bool,
}

/// How the table of a stack comes about.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Made {
    /// Its template says so.
    #[default]
    Plainly,
    /// It is in a nested stack.
    Nested,
    /// A macro makes it.
    Expanded,
}

/// The templates of nested stacks: bucket, key, and how the address of an object there begins.
const NESTED: (&str, &str) = ("nested", "https://nested.s3.us-east-1.amazonaws.com/");

/// The templates of nested stacks, by key.
pub(crate) fn nested_templates() -> impl Iterator<Item = (&'static str, String, String)> {
    (0..9_u8).map(|shape| {
        let body = format!("Resources:\n  {}\n", table(shape, "Table"));
        (NESTED.0, format!("table-{shape}.yaml"), body)
    })
}

/// The key's name is immutable: another shape means another table.
fn table(shape: u8, name: &str) -> String {
    format!(
        "{name}: {{ Type: AWS::DynamoDB::Table, Properties: {{ BillingMode: PAY_PER_REQUEST, KeySchema: [{{ AttributeName: \
         k{shape}, KeyType: HASH }}] }} }}"
    )
}

impl Unit {
    pub(crate) fn plain() -> Self {
        Self {
            upstream: None,
            imports: None,
            size: 1,
            tag: 1,
            shape: 0,
            secret: 0,
            protected: false,
            retained: false,
            adopt: false,
            timeout: None,
            revert: false,
            large: false,
            made: Made::Plainly,
            renamed: false,
        }
    }

    /// The template, which depends on nothing but the shape and what is imported.
    pub(crate) fn template(&self, number: u8) -> String {
        let expanded = self.shape % 3 == 2 && self.made == Made::Expanded;
        let macros = if expanded { "Transform: AWS::LanguageExtensions\n" } else { "" };
        let mut text = format!(
            "Description: shape {}\n{macros}Parameters:\n  Size: {{ Type: String }}\n  Upstream: {{ Type: String, Default: none }}\n  \
             Secret: {{ Type: String, NoEcho: true, Default: none }}\nResources:\n  \
             Topic: {{ Type: AWS::SNS::Topic, Properties: {{ DisplayName: !Ref Size, Tracing: !Ref Upstream }} }}\n",
            self.shape
        );
        if self.shape % 3 == 1 {
            text.push_str("  Extra: { Type: AWS::SSM::Parameter, Properties: { Type: String, Value: !Ref Secret } }\n");
        }
        if self.shape % 3 == 2 {
            let line = match self.made {
                Made::Plainly => table(self.shape, "Table"),
                Made::Nested => format!(
                    "Data: {{ Type: AWS::CloudFormation::Stack, Properties: {{ TemplateURL: {}table-{}.yaml }} }}",
                    NESTED.1, self.shape
                ),
                Made::Expanded => {
                    format!("'Fn::ForEach::Tables': [Name, [Table], {{ {} }}]", table(self.shape, "'${Name}'"))
                }
            };
            let _ = writeln!(text, "  {line}");
        }
        if let Some(other) = self.imports {
            let _ = writeln!(
                text,
                "  Uses: {{ Type: AWS::SSM::Parameter, Properties: {{ Type: String, Value: !ImportValue {} }} }}",
                export(other)
            );
        }
        let _ = writeln!(
            text,
            "Outputs:\n  Echo: {{ Value: !Ref Size }}\n  Topic: {{ Value: !Ref Topic, Export: {{ Name: {} }} }}",
            export(number)
        );
        if self.large {
            let _ = writeln!(text, "# {}", "large ".repeat(9_000));
        }
        text
    }

    fn manifest(&self, number: u8) -> String {
        let mut text = format!(
            "apiVersion: landfast/v1\nkind: Stack\nmetadata: {{ name: s{number} }}\nspec:\n  template: s{number}.tpl\n  \
             parameters:\n    Size: \"{}\"\n    Secret: \"{CANARY}-{}\"\n",
            self.size, self.secret
        );
        if let Some(other) = self.upstream {
            let reference = if environment(other) == environment(number) {
                format!("${{stacks.s{other}.outputs.Echo}}")
            } else {
                format!("${{environments.{}.stacks.s{other}.outputs.Echo}}", environment(other))
            };
            let _ = writeln!(text, "    Upstream: \"{reference}\"");
        }
        if self.made == Made::Expanded {
            text.push_str("  capabilities: [CAPABILITY_AUTO_EXPAND]\n");
        }
        let _ = writeln!(text, "  tags: {{ Edition: \"{}\" }}", self.tag);
        for (on, line) in [
            (self.protected, "terminationProtection: true"),
            (self.retained, "deletionPolicy: retain"),
            (self.adopt, "adopt: true"),
            (self.revert, "drift: { action: revert }"),
        ] {
            if on {
                let _ = writeln!(text, "  {line}");
            }
        }
        if let Some(minutes) = self.timeout {
            let _ = writeln!(text, "  timeout: {minutes}m");
        }
        text
    }
}

impl Web {
    /// Its manifests and, where a stack owns it, the template.
    fn files(&self) -> Vec<(&'static str, String)> {
        let deliver = if self.stack { "  deliver: { stack: web, parameters: { web: Image } }\n" } else { "" };
        let (cluster, name) = if self.stack {
            ("'${stacks.web.outputs.Cluster}'", "'${stacks.web.outputs.Service}'")
        } else {
            ("shop", "web")
        };
        let service = format!(
            "apiVersion: landfast/v1\nkind: Service\nmetadata: {{ name: web }}\nspec:\n  cluster: {cluster}\n  service: {name}\n  \
             images: {{ web: {{ repository: {REPOSITORY}, {} }} }}\n  adopt: true\n{deliver}",
            self.select
        );
        let stack = "apiVersion: landfast/v1\nkind: Stack\nmetadata: { name: web }\nspec: { template: web.tpl }\n";
        let template = format!(
            "Parameters: {{ Image: {{ Type: String }} }}\nResources:\n  \
             Cluster: {{ Type: AWS::ECS::Cluster, Properties: {{ ClusterName: shop }} }}\n  Definition:\n    \
             Type: AWS::ECS::TaskDefinition\n    Properties:\n      Family: web\n      \
             ContainerDefinitions: [{{ Name: web, Image: !Ref Image }}]\n  Service:\n    Type: AWS::ECS::Service\n    \
             Properties:\n      ServiceName: web\n      Cluster: !Ref Cluster\n      TaskDefinition: !Ref Definition\n      \
             DeploymentConfiguration: {{ {1}DeploymentCircuitBreaker: {{ Enable: {0}, Rollback: {0} }} }}\n{2}\
             Outputs: {{ Cluster: {{ Value: !Ref Cluster }}, Service: {{ Value: !GetAtt Service.Name }} }}\n",
            self.breaker, self.strategy, self.beside
        );
        let mut files = vec![("dev/web.yaml", service)];
        if self.stack {
            files.extend([("dev/web-stack.yaml", stack.to_owned()), ("dev/web.tpl", template)]);
        }
        files
    }
}

/// The environment of a stack.
pub(crate) fn environment(number: u8) -> &'static str {
    if number < SECOND { "dev" } else { "ops" }
}

/// The name of a stack in its manifest.
pub(crate) fn object_name(number: u8, unit: &Unit) -> String {
    if unit.renamed { format!("r{number}") } else { format!("s{number}") }
}

/// The name of a stack in CloudFormation.
pub(crate) fn stack_name(number: u8) -> String {
    format!("{}-shop-s{number}", environment(number))
}

pub(crate) fn export(number: u8) -> String {
    format!("s{number}-topic")
}

/// What went wrong with the checkout.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) enum Glitch {
    /// No file at all.
    Empty,
    /// Only the environments.
    NoStacks,
    /// A conflict marker in one of the stacks.
    Conflict,
    /// An environment cannot be read.
    Unreadable,
    /// The manifest of a stack is called as a backup of an editor is.
    Renamed,
}

impl Fleet {
    /// A service alone, where everything may be done without asking.
    pub(crate) fn of_service(web: Web) -> Self {
        Self {
            units: BTreeMap::new(),
            policy: Policy { prune: Prune::Always, observe: false, deletions: 9, replace: true },
            web: Some(web),
            app: App::default(),
            floored: false,
            windows: Vec::new(),
        }
    }

    /// Whether there is anything in an environment.
    pub(crate) fn describes(&self, name: &str) -> bool {
        let app = name == "dev" && (self.web.is_some() || self.app.size() > 0);
        app || self.units.keys().any(|number| environment(*number) == name)
    }

    /// The files of a checkout.
    pub(crate) fn snapshot(&self, glitch: Option<Glitch>) -> Snapshot {
        let mut files: BTreeMap<String, String> = BTreeMap::new();
        for (name, account) in [("dev", "111122223333"), ("ops", "111122223333")] {
            files.insert(format!("{name}.yaml"), self.environment(name, account));
            files.insert(format!("{name}/readme.txt"), String::new());
        }
        for (number, unit) in &self.units {
            let folder = environment(*number);
            files.insert(format!("{folder}/s{number}.yaml"), unit.manifest(*number));
            files.insert(format!("{folder}/s{number}.tpl"), unit.template(*number));
        }
        for (file, text) in self.web.iter().flat_map(Web::files) {
            files.insert(file.to_owned(), text);
        }
        files.extend(self.app.files(self.web.is_some()));
        for (number, unit) in self.units.iter().filter(|(_, unit)| unit.renamed) {
            let (before, after) = (format!("name: s{number} }}\nspec:\n"), object_name(*number, unit));
            let named = format!("name: {after} }}\nspec:\n  stackName: {}\n", stack_name(*number));
            for text in files.values_mut() {
                *text = text.replace(&format!("stacks.s{number}.outputs"), &format!("stacks.{after}.outputs"));
                *text = text.replace(&before, &named);
            }
        }
        match glitch {
            None => {}
            Some(Glitch::Empty) => files.clear(),
            Some(Glitch::NoStacks) => files.retain(|path, _| {
                let text = std::path::Path::new(path).extension().is_some_and(|extension| extension == "txt");
                !path.contains('/') || text
            }),
            Some(Glitch::Conflict) => {
                if let Some(text) = files.iter_mut().find(|(path, _)| {
                    path.contains("/s") && std::path::Path::new(path).extension().is_some_and(|x| x == "yaml")
                }) {
                    text.1.push_str("<<<<<<< HEAD\n");
                }
            }
            Some(Glitch::Renamed) => {
                let last = files
                    .keys()
                    .rev()
                    .find(|path| {
                        path.contains("/s") && std::path::Path::new(path).extension().is_some_and(|x| x == "yaml")
                    })
                    .cloned();
                if let Some((path, text)) = last.and_then(|path| files.remove_entry(&path)) {
                    files.insert(format!("{path}~"), text);
                }
            }
            Some(Glitch::Unreadable) => _ = files.insert("dev.yaml".to_owned(), "kind: [".to_owned()),
        }
        let files =
            files.into_iter().map(|(path, text)| (path, FileContent::Bytes(text.into_bytes().into()))).collect();
        Snapshot::new("manifests", files, None)
    }

    fn environment(&self, name: &str, account: &str) -> String {
        let asked = if self.floored { Policy::LOOSEST } else { self.policy };
        let Policy { prune, observe, deletions, replace } = asked;
        let prune = format!("{prune:?}").to_lowercase();
        let mode = if observe { "observe" } else { "apply" };
        let replace = if replace { "allow" } else { "deny" };
        let every = if self.units.values().any(|unit| unit.revert) { crate::tampering::EVERY } else { DAY / 4 };
        let bucket = if self.units.values().any(|unit| unit.large) { "  templateBucket: templates\n" } else { "" };
        let windows = if name == "dev" { crate::freezes::manifest(&self.windows) } else { String::new() };
        format!(
            "apiVersion: landfast/v1\nkind: Environment\nmetadata: {{ name: {name} }}\nspec:\n  system: shop\n  account: \"{account}\"\n  \
             region: us-east-1\n  include: [{name}]\n{bucket}  tags: {{ Team: core }}\n  policy:\n    mode: {mode}\n    prune: {prune}\n    \
             replace: {replace}\n{windows}    broaden: allow\n    driftEvery: {}m\n    \
             budget: {{ stacks: 1000, replacements: 1000, deletions: {deletions}, per: 1h }}\n# {:?}\n",
            every.as_secs() / 60,
            // What the operator says anew counts from when the manifests are read again.
            self.policy,
        )
    }

    /// What the operator says.
    pub(crate) fn operator(&self) -> Operator {
        if !self.floored {
            return Operator::default();
        }
        let Policy { prune, observe, deletions, replace } = self.policy;
        let prune = format!("{prune:?}").to_lowercase();
        let mode = if observe { "observe" } else { "apply" };
        let replace = if replace { "allow" } else { "deny" };
        let text = format!(
            "[[environment]]\nname = ['*']\naccounts = ['111122223333']\nmode = '{mode}'\nprune = '{prune}'\n\
             replace = '{replace}'\nbudget = {{ deletions = {deletions} }}\n"
        );
        landfast::operator::read("landfast.toml", &text).unwrap()
    }
}

#[test]
fn every_fleet_that_can_be_drawn_loads_without_a_problem() {
    let mut units = BTreeMap::new();
    for number in 0..8_u8 {
        let mut unit = Unit { shape: number, protected: number == 3, adopt: number == 4, ..Unit::plain() };
        unit.upstream = number.checked_sub(1);
        unit.imports = number.checked_sub(2).filter(|other| environment(*other) == environment(number));
        unit.timeout = (number == 2).then_some(5);
        unit.made = [Made::Plainly, Made::Nested, Made::Expanded][usize::from(number % 3)];
        units.insert(number, unit);
    }
    let policy = Policy { prune: Prune::Always, observe: false, deletions: 9, replace: true };
    let web = Some(Web {
        stack: true,
        breaker: true,
        select: "semver: '1'".to_owned(),
        strategy: String::new(),
        beside: String::new(),
    });
    let vault = Vault { fields: 2, every: Some(1), restarts: true, edition: 1, delete: true };
    let named = Named { target: 1, upstream: Some(0), label: 0 };
    let app = App { secrets: BTreeMap::from([(0, vault)]), records: BTreeMap::from([(0, named)]) };
    let snapshot = Fleet { units, policy, web, app, floored: false, windows: Vec::new() }.snapshot(None);
    let revision = landfast::model::Revision { sequence: 1, content: snapshot.content.clone(), commit: None };
    let loaded = landfast::manifest::load(&snapshot, revision);
    assert!(loaded.diagnostics.is_empty(), "{:#?}", loaded.diagnostics);
    assert_eq!(loaded.desired.environments.len(), 2);
    assert_eq!(loaded.desired.environments.values().map(|environment| environment.stacks.len()).sum::<usize>(), 9);
    assert_eq!(loaded.desired.environments.values().map(|environment| environment.services.len()).sum::<usize>(), 1);
}

#[test]
fn a_checkout_without_stacks_still_describes_its_environments() {
    let policy = Policy { prune: Prune::Always, observe: false, deletions: 9, replace: true };
    let units = BTreeMap::from([(0, Unit::plain())]);
    let fleet = Fleet { units, policy, web: None, app: App::default(), floored: false, windows: Vec::new() };
    let snapshot = fleet.snapshot(Some(Glitch::NoStacks));
    let revision = landfast::model::Revision { sequence: 1, content: snapshot.content.clone(), commit: None };
    let loaded = landfast::manifest::load(&snapshot, revision);
    assert_eq!(loaded.desired.environments.len(), 2, "{:#?}", loaded.diagnostics);
}
