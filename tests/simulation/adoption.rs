//! What was made by hand, adopted: the manifests that are written ask for what runs, and for nothing else.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use landfast::adopt::{Ask, Survey, Which, Written, write};
use landfast::context::{Context, Virtual};
use landfast::controller::{Controller, Ended, Tender, Until};
use landfast::manifest::{self, Loaded};
use landfast::model::{
    Action, Difference, DnsName, FileContent, Kind, OWNER_TAG, Plan, RecordChange, RecordContent, RecordSet,
    RecordVerb, RecordsOf, Revision, SetRouting, Snapshot, StackName, VaultPlan, VaultRule, VaultSelection,
};
use landfast::observe::survey;
use landfast::plan::Goal;
use landfast::ports::{Gate, Governor};
use landfast::sabotage::{Bug, plant};
use landfast::sim::{Console, SimCloud, SimConfig};
use landfast::source;
use landfast::store::Store;

use crate::fleet::CANARY;
use crate::rig::scope;

/// Longer than anything that a stack here takes.
const WHILE: Duration = Duration::from_hours(4);

struct World {
    clock: Virtual,
    cx: Context,
    cloud: SimCloud,
    store: Store,
    revision: u64,
}

impl World {
    fn new(seed: u64) -> Self {
        let clock = Virtual::starting_at("2026-01-01T00:00:00Z".parse().unwrap());
        let cx = Context::simulated(&clock, seed);
        let cloud = SimCloud::new(cx.clone(), SimConfig { page_size: 3, ..SimConfig::default() });
        let store = Store::in_memory(&cx).unwrap();
        Self { clock, cx, cloud, store, revision: 0 }
    }

    fn console(&self) -> Console {
        self.cloud.console(&scope())
    }

    fn pass(&self) {
        self.clock.drive(self.cx.sleep(WHILE)).unwrap();
    }

    fn below(&self, limit: usize) -> usize {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            clippy::cast_precision_loss,
            reason = "a die"
        )]
        let drawn = (self.cx.random() * limit as f64) as usize;
        drawn.min(limit.saturating_sub(1))
    }

    fn survey(&self, ask: &Ask) -> Survey {
        let gate = Gate::new(0);
        gate.close();
        let governor = Governor::new(self.cx.clone(), Arc::new(self.cloud.clone()), gate);
        self.clock.drive(survey(&governor, ask)).unwrap()
    }

    fn controller(&self) -> Controller {
        Controller::new(self.cx.clone(), Arc::new(self.cloud.clone()), self.store.clone(), Arc::new(|_, _| ()))
    }

    fn plan(&self, loaded: &Loaded) -> Plan {
        let environment = &loaded.desired.environments[&"dev".parse().unwrap()];
        let controller = self.controller();
        self.clock.drive(controller.glance(&loaded.desired, environment)).unwrap().unwrap().plan
    }

    fn apply(&self, loaded: &Loaded) -> Plan {
        let controller = self.controller();
        controller.board.publish(loaded.desired.clone(), &loaded.broken);
        let tender = Tender::new(&controller, "dev".parse().unwrap(), Goal::Converge, Until::Settled);
        match self.clock.drive(tender.run()).unwrap().unwrap() {
            Ended::Settled(plan) => *plan,
            Ended::Stopped => panic!("it was stopped"),
        }
    }

    /// What was written, as the loader reads it. A person lets it act without being asked.
    fn load(&mut self, written: &Written) -> Loaded {
        let files = written.files.iter().map(|(path, text)| {
            let text = if path == "environment.yaml" {
                text.replace("mode: approve", "mode: apply")
            } else {
                text.to_string()
            };
            (path.clone(), FileContent::Bytes(text.into_bytes().into()))
        });
        let snapshot = Snapshot::new("adopted", files.collect(), None);
        self.revision += 1;
        let revision = Revision { sequence: self.revision, content: snapshot.content.clone(), commit: None };
        let loaded = manifest::load(&snapshot, revision);
        assert!(loaded.diagnostics.is_empty(), "{:#?}\n{:#?}", loaded.diagnostics, written.files);
        loaded
    }
}

fn all() -> Ask {
    Ask {
        environment: "dev".parse().unwrap(),
        scope: scope(),
        role: None,
        system: None,
        which: Which::All { prefix: String::new() },
    }
}

/// Nothing but whose it is, and for every object at most once.
fn only_ownership(plan: &Plan, files: &Written) {
    for (key, entry) in &plan.entries {
        let context = || format!("{key}: {entry:#?}\n{:#?}", files.files);
        let owner = |difference: &Difference| match difference {
            Difference::Owner => true,
            Difference::Value { name, .. } => name == "owner",
            _ => false,
        };
        assert!(entry.differences.iter().all(owner), "{}", context());
        assert!(matches!(entry.action, Action::Adopt | Action::None), "{}", context());
        assert!(entry.refused.is_empty(), "{}", context());
        assert!(key.kind != Kind::Stack || entry.action == Action::Adopt, "{}", context());
    }
}

/// Adopts, plans, applies once, plans again; what the stacks had before is what they have afterwards.
fn round_trip(world: &mut World, ask: &Ask) -> Written {
    let seen = world.survey(ask);
    let written = write(&seen, ask);
    assert!(!written.is_partial(), "{:#?}", written.left);
    assert!(written.files.values().all(|text| !text.contains(CANARY)), "S12 secrets");
    let loaded = world.load(&written);
    only_ownership(&world.plan(&loaded), &written);
    let before = inputs(world);
    let settled = world.apply(&loaded);
    assert!(settled.in_sync(), "{settled:#?}");
    let again = world.plan(&loaded);
    assert!(again.in_sync() && again.entries.values().all(|entry| entry.step.is_none()), "{again:#?}");
    assert_eq!(inputs(world), before, "taking ownership changed something");
    written
}

/// What every stack is made from, secrets in the clear, ownership left out.
fn inputs(world: &World) -> BTreeMap<String, String> {
    let stacks = world.cloud.inventory().stacks.into_iter().filter(|stack| !stack.is_deleted());
    let told = stacks.map(|stack| {
        let mut tags = stack.state.tags.clone();
        tags.remove(OWNER_TAG);
        let (protected, outputs) = (stack.state.termination_protection, &stack.state.outputs);
        let told = (&stack.parameters, tags, &stack.template, outputs, protected, &stack.policy);
        (stack.state.name.to_string(), format!("{told:?}"))
    });
    told.collect()
}

/// A stack that somebody made, as text, and what it was given.
struct Made {
    name: StackName,
    template: String,
    parameters: BTreeMap<String, String>,
    tags: BTreeMap<String, String>,
}

/// A stack of its own shape, which takes something of those before it.
fn draw(world: &World, number: usize, before: &[Made]) -> Made {
    let name = match world.below(6) {
        0 => format!("Legacy-{number}"),
        1 => format!("dev-other-s{number}"),
        _ => format!("dev-shop-s{number}"),
    };
    let outputs = |stack: &Made| {
        let inventory = world.cloud.inventory();
        let outputs = &inventory.stack(stack.name.as_str()).unwrap().state.outputs;
        outputs.iter().map(|(key, output)| (key.clone(), output.value.clone())).collect::<BTreeMap<_, _>>()
    };
    let upstream = (!before.is_empty() && world.below(4) > 0).then(|| &before[world.below(before.len())]);
    let mut parameters = BTreeMap::from([
        ("Environment".to_owned(), "dev".to_owned()),
        ("Size".to_owned(), ["1", "2", "10"][world.below(3)].to_owned()),
        ("Note".to_owned(), ["plain", "", "${x}: y", "a \"b\" #c", " - d", "é\u{1f600}"][world.below(6)].to_owned()),
    ]);
    let mut template = String::from(
        "Parameters:\n  Environment: { Type: String }\n  Size: { Type: Number, Default: 2 }\n  Note: { Type: String }\n  \
         Upstream: { Type: String, Default: none }\n  Topics: { Type: CommaDelimitedList, Default: '' }\n  \
         Secret: { Type: String, NoEcho: true, Default: changeme }\nResources:\n  \
         Topic: { Type: AWS::SNS::Topic, Properties: { DisplayName: !Ref Note, Tracing: !Ref Upstream } }\n  \
         Greeter: { Type: AWS::SNS::Topic, Properties: { DisplayName: 'Grüße' } }\n",
    );
    if world.below(2) == 0 {
        parameters.insert("Secret".to_owned(), format!("{CANARY}-{number}"));
    }
    if let Some(upstream) = upstream {
        let outputs = outputs(upstream);
        let of = ["Topic", "Table", "Size"][world.below(3)];
        parameters.insert("Upstream".to_owned(), outputs[of].clone());
        if world.below(3) == 0 {
            let _ = writeln!(
                template,
                "  Uses: {{ Type: AWS::SSM::Parameter, Properties: {{ Type: String, Value: !ImportValue {}-topic }} }}",
                upstream.name
            );
        }
    }
    if before.len() > 1 && world.below(2) == 0 {
        let topics: Vec<String> = before.iter().take(2).map(|stack| outputs(stack)["Topic"].clone()).collect();
        parameters.insert("Topics".to_owned(), topics.join(","));
    }
    let recovery = [
        "",
        "PointInTimeRecoverySpecification: { PointInTimeRecoveryEnabled: true }, ",
        "PointInTimeRecoverySpecification: { PointInTimeRecoveryEnabled: true, RecoveryPeriodInDays: 7 }, ",
    ][world.below(3)];
    let _ = write!(
        template,
        "  Table: {{ Type: AWS::DynamoDB::Table, Properties: {{ TableName: dev-Things{number}, BillingMode: PAY_PER_REQUEST, \
         {recovery}KeySchema: [{{ AttributeName: id, KeyType: HASH }}] }} }}\nOutputs:\n  \
         Topic: {{ Value: !Ref Topic, Export: {{ Name: {name}-topic }} }}\n  Table: {{ Value: !Ref Table }}\n  \
         Size: {{ Value: !Ref Size }}\n"
    );
    let tags = BTreeMap::from([
        ("CostCenter".to_owned(), "people-ops".to_owned()),
        ("Edition".to_owned(), world.below(2).to_string()),
    ]);
    Made { name: name.parse().unwrap(), template, parameters, tags }
}

fn build(world: &World, made: &Made) {
    let console = world.console();
    console.create_stack(&made.name, &made.template, &made.parameters, &made.tags).unwrap();
    world.pass();
    if world.below(3) == 0 {
        console.set_termination_protection(&made.name, true).unwrap();
    }
    if world.below(3) == 0 {
        let policy = r#"{"Statement":[{"Effect":"Allow","Action":"Update:*","Principal":"*","Resource":"*"}]}"#;
        console.set_stack_policy(&made.name, policy).unwrap();
    }
}

/// An account that somebody made by hand, adopted; how many references were recovered.
fn adopt_drawn(seed: u64) -> usize {
    let mut world = World::new(seed);
    let mut made: Vec<Made> = Vec::new();
    for number in 0..2 + world.below(5) {
        let stack = draw(&world, number, &made);
        build(&world, &stack);
        made.push(stack);
    }
    let written = round_trip(&mut world, &all());
    let stacks = written.files.iter().find(|(path, _)| path.ends_with("stacks.yaml")).unwrap().1;
    assert!(!stacks.contains(".outputs.Size"), "equal by chance: {stacks}");
    let recovers = |stack: &&Made| stack.template.contains("PointInTimeRecoveryEnabled: true");
    assert_eq!(written.counts["backups"], made.iter().filter(recovers).count(), "{:#?}", written.files);
    stacks.matches(".outputs.").count()
}

#[test]
fn whatever_was_made_by_hand_is_adopted_with_nothing_to_do_but_ownership() {
    let mut references = 0;
    for seed in 0..24 {
        references += adopt_drawn(seed);
    }
    assert!(references > 24, "hardly anything was recovered: {references}");
}

#[test]
fn records_and_secrets_of_the_environment_come_along() {
    let mut world = World::new(1);
    let template = "Resources:\n  Alb: { Type: AWS::ElasticLoadBalancingV2::LoadBalancer, Properties: { Name: dev-shop } }\n\
                    Outputs:\n  Dns: { Value: !GetAtt Alb.DNSName }\n";
    let name: StackName = "dev-shop-alb".parse().unwrap();
    let console = world.console();
    console.create_stack(&name, template, &BTreeMap::new(), &BTreeMap::new()).unwrap();
    world.pass();
    let host = world.cloud.inventory().stacks[0].state.outputs["Dns"].value.clone();
    let zone = console.zone("example.com").unwrap();
    let set = |name: &str, value: &str| RecordChange {
        verb: RecordVerb::Create,
        set: RecordSet {
            of: RecordsOf { name: DnsName::new(name), kind: "CNAME".to_owned() },
            set: None,
            content: RecordContent::Values { values: vec![value.to_owned()], ttl: 300 },
            routing: SetRouting::Simple,
            health_check: None,
        },
    };
    let changes = [set("api.example.com", &host), set("www.example.com", "elsewhere.example.org")];
    console.change_records(&zone, &changes).unwrap();
    for secret in ["dev/shop/app-secrets", "prod/shop/app-secrets"] {
        console.create_secret(secret, CANARY, &BTreeMap::new()).unwrap();
    }
    let written = round_trip(&mut world, &Ask { which: Which::All { prefix: "dev-".to_owned() }, ..all() });
    assert_eq!((written.counts["records"], written.counts["secrets"]), (1, 1), "{:#?}", written.files);
    let sets = console.record_sets(&zone);
    assert!(sets.iter().any(|set| set.of.name.as_str() == "api.example.com"), "{sets:?}");
}

/// The shipped environment, deployed by the shipped manifests: what Landfast knows of it is taken away, and it is adopted.
#[test]
fn the_shipped_environment_is_adopted_as_it_was_deployed() {
    let mut world = World::new(7);
    let snapshot = source::read(std::path::Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/manifests"))).unwrap();
    let revision = Revision { sequence: 1, content: snapshot.content.clone(), commit: None };
    let shipped = manifest::load(&snapshot, revision);
    let console = world.console();
    console.build("dev-performance-management", "1.0.0");
    let zone = console.zone("dev.example.com").unwrap();
    world.apply(&shipped);
    // Landfast was never there.
    world.store = Store::in_memory(&world.cx).unwrap();
    let names: BTreeSet<StackName> =
        world.cloud.inventory().stacks.iter().map(|stack| stack.state.name.clone()).collect();
    for name in &names {
        console.remove_tag(name, OWNER_TAG).unwrap();
        world.pass();
    }
    let sets = console.record_sets(&zone).into_iter();
    let markers = sets.filter(|set| set.of.kind == "TXT").map(|set| RecordChange { verb: RecordVerb::Delete, set });
    let markers: Vec<RecordChange> = markers.collect();
    assert_eq!(markers.len(), 1);
    console.change_records(&zone, &markers).unwrap();
    console.remove_secret_tag("dev/performance-mgmt/app-secrets", OWNER_TAG).unwrap();
    world.pass();
    let ask = Ask { which: Which::Named(names), ..all() };
    let written = round_trip(&mut world, &ask);
    assert_eq!(written.system, "performance-mgmt");
    assert_eq!(written.counts["stacks"], 12);
    assert_eq!(written.counts["services proposed"], 1, "{:#?}", written.left);
    let others = ["secrets", "records", "backups"].map(|kind| written.counts[kind]);
    assert_eq!(others, [1; 3], "{:#?}", written.left);
    let stacks = &written.files["performance-mgmt/stacks.yaml"];
    let shipped =
        std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/manifests/performance-mgmt/stacks.yaml"));
    let of = |text: &str| -> BTreeSet<String> {
        let references = text.split("${stacks.").skip(1).filter_map(|rest| rest.split('}').next());
        references.map(str::to_owned).collect()
    };
    let (shipped, recovered) = (of(&shipped.unwrap()), of(stacks));
    // Numbers and address ranges are equal by chance too often: they stay as they are.
    let missing: BTreeSet<&str> = shipped.difference(&recovered).map(String::as_str).collect();
    let numbers = ["BrokerCount", "NodeCount", "MinTaskCount", "PrimaryEndpointPort", "VpcCidrBlock"];
    let others: Vec<&&str> = missing.iter().filter(|one| !numbers.iter().any(|number| one.ends_with(number))).collect();
    assert!(others.is_empty(), "not recovered: {others:?}\n{stacks}");
    let invented: Vec<&String> = recovered.difference(&shipped).collect();
    assert!(invented.is_empty(), "never there: {invented:?}");
}

/// A parameter that nobody here knows keeps its value through the first update, and a change set that says so.
/// What is protected stays so without a step, and what AWS Backup does is said.
#[test]
fn tables_are_adopted_as_they_are_protected() {
    let mut world = World::new(5);
    let table = |name: &str, protected: bool| {
        format!(
            "  {name}:\n    Type: AWS::DynamoDB::Table\n    Properties:\n      TableName: dev-{name}\n      BillingMode: \
             PAY_PER_REQUEST\n      AttributeDefinitions: [{{ AttributeName: id, AttributeType: S }}]\n      \
             KeySchema: [{{ AttributeName: id, KeyType: HASH }}]\n      DeletionProtectionEnabled: {protected}\n"
        )
    };
    let template = format!("Resources:\n{}{}{}", table("A", false), table("B", true), table("C", false));
    let none = BTreeMap::new();
    world.console().create_stack(&"dev-shop-data".parse().unwrap(), &template, &none, &none).unwrap();
    world.pass();
    world.console().set_recovery(&"dev-B".parse().unwrap(), Some(7)).unwrap();
    let rule = VaultRule {
        name: "nightly".to_owned(),
        vault: "Default".to_owned(),
        schedule: Some("cron(0 3 ? * * *)".to_owned()),
        zone: None,
        delete_after_days: Some(35),
        cold_after_days: None,
        copies: Vec::new(),
    };
    let all_tables = VaultSelection {
        role: "arn:aws:iam::111122223333:role/backup".to_owned(),
        resources: vec!["arn:aws:dynamodb:*:*:table/*".to_owned()],
        not_resources: vec!["*:table/dev-C".to_owned()],
        ..VaultSelection::default()
    };
    let plan = VaultPlan { name: "plan".to_owned(), rules: vec![rule], selections: vec![all_tables] };
    world.console().create_vault_plan(&plan);
    world.pass();
    let written = round_trip(&mut world, &all());
    let text = &written.files["shop/backups.yaml"];
    let live = "  tables: { names: [dev-B] }\n  pointInTimeRecovery: { window: 7d }\n  deletionProtection: true\n";
    assert!(text.contains(live), "{text}");
    assert!(text.contains("  # schedule: \"0 3 * * *\"\n  # retention: { daily: 35 }\n"), "{text}");
    assert!(text.contains("#   tables: { names: [dev-A] }\n"), "{text}");
    assert!(text.ends_with("# These tables are not protected, so the policy is commented out: dev-C.\n"), "{text}");
    let table = world.console().table(&"dev-A".parse().unwrap()).unwrap();
    assert!(!table.continuous.on && !table.state.deletion_protected, "nothing was switched on");
}

#[test]
fn a_value_that_aws_does_not_show_stays_what_it_is() {
    let mut world = World::new(3);
    let template = "Parameters: { Password: { Type: String, NoEcho: true, Default: changeme } }\nResources:\n  \
                    P: { Type: AWS::SSM::Parameter, Properties: { Type: String, Value: !Ref Password } }\n";
    let name: StackName = "dev-shop-db".parse().unwrap();
    let given = [("Password".to_owned(), CANARY.to_owned())].into();
    world.console().create_stack(&name, template, &given, &BTreeMap::new()).unwrap();
    world.pass();
    let written = round_trip(&mut world, &all());
    assert_eq!(written.kept, 1);
    // A new stack has no previous value: nothing is made up, and nothing is created.
    world.console().set_termination_protection(&name, false).unwrap();
    world.console().delete_stack(&name).unwrap();
    world.pass();
    let loaded = world.load(&written);
    let plan = world.apply(&loaded);
    let entry = plan.entries.values().next().unwrap();
    assert!(entry.refused.iter().any(|refusal| refusal.guard == landfast::model::Guard::NoPreviousValue), "{entry:#?}");
}

/// A harness that cannot fail is worse than none.
#[test]
fn planted_bugs_of_adoption_are_found() {
    for (bug, sign) in [
        (Bug::EqualIsReference, "equal by chance"),
        (Bug::LeavesOutHidden, "taking ownership changed something"),
        (Bug::TakesQuestionMarks, "taking ownership changed something"),
    ] {
        plant(Some(bug));
        let found = (0..12).find_map(|seed| std::panic::catch_unwind(|| adopt_drawn(seed)).err());
        plant(None);
        let found = found.unwrap_or_else(|| panic!("{bug:?} was not found"));
        let said = found.downcast_ref::<String>().cloned().unwrap_or_default();
        assert!(said.contains(sign), "{bug:?} was found by something else: {said}");
    }
}
