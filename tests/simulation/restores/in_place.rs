//! Restores in place, in the region that stands by: a stack has made its tables, nobody has written to them, and what the
//! primary had is in the vault, copied by another environment's policy. Whatever happens, no table goes that has an item, and
//! none that was not remembered (S2, S5, S15).

use landfast::model::{Desired, InPlace, PROFILE_TAG, PointId, PointName, SLOT_TAG, TableId, VaultName};
use landfast::ports::{Cloud as _, Fence, StartBackup, StartCopy};
use landfast::sabotage::Bug;
use landfast::sim::{Fault, FaultPlan, Window};
use landfast::store::Store;

use super::*;

/// Made by the stack.
const REVIEWS: &str = "dev-Reviews";
/// Made by hand, with a key of its own.
const KEYED: &str = "dev-Secrets";
const HERE: &str = "arn:aws:kms:eu-west-1:111122223333:key/standby";
const THERE: &str = "arn:aws:kms:eu-central-1:111122223333:key/primary";
const REQUEST: &str = "failover-1";

const ENVIRONMENT: &str = "apiVersion: landfast/v1\nkind: Environment\nmetadata: { name: dev }\nspec:\n  system: reviews\n  \
                           account: \"111122223333\"\n  region: eu-west-1\n  include: [reviews]\n  policy: { mode: apply, \
                           drift: revert, driftEvery: 10m, prune: confirm, replace: deny, budget: { stacks: 9, \
                           replacements: 0, deletions: 0, per: 1h } }\n";
const STACK: &str = "apiVersion: landfast/v1\nkind: Stack\nmetadata: { name: db }\nspec: { template: db.tpl }\n";
const TEMPLATE: &str = "Resources:\n  Reviews:\n    Type: AWS::DynamoDB::Table\n    Properties:\n      TableName: \
                        dev-Reviews\n      BillingMode: PAY_PER_REQUEST\n      DeletionProtectionEnabled: true\n      \
                        AttributeDefinitions: [{ AttributeName: id, AttributeType: S }]\n      KeySchema: [{ \
                        AttributeName: id, KeyType: HASH }]\n      PointInTimeRecoverySpecification: { \
                        PointInTimeRecoveryEnabled: true }\n      StreamSpecification: { StreamViewType: NEW_IMAGE }\n      \
                        TimeToLiveSpecification: { AttributeName: until, Enabled: true }\n      Tags: [{ Key: Team, Value: \
                        people }]\n";
const POLICY: &str = "apiVersion: landfast/v1\nkind: BackupPolicy\nmetadata: { name: tables }\nspec:\n  tables: { prefix: dev- \
                      }\n  deletionProtection: true\n  vault: { name: landfast, role: \
                      'arn:aws:iam::111122223333:role/backup' }\n";

fn primary() -> Scope {
    Scope { region: "eu-central-1".parse().unwrap(), ..scope() }
}

fn vault() -> VaultName {
    "landfast".parse().unwrap()
}

fn fence() -> Fence {
    Fence { epoch: 1, revision: 1 }
}

/// What the monitor holds calls against.
#[derive(Default)]
struct Watched {
    /// What is against the rules.
    blamed: Vec<String>,
    /// Tables that somebody else has made: never to be touched.
    foreign: BTreeSet<TableId>,
}

struct Region {
    stage: Stage,
    watched: Arc<Mutex<Watched>>,
    policy: String,
    template: String,
}

stage::set_on_a_stage!(Region);

impl Region {
    /// The primary has twenty items in each table, and copies of them are in the standby's vault.
    fn new() -> Self {
        let stage = Stage::new("eu-west-1", "2026-01-01T04:00:00Z", SimConfig::default());
        let mut region =
            Self { stage, watched: Arc::default(), policy: POLICY.to_owned(), template: TEMPLATE.to_owned() };
        let there = region.cloud.console(&primary());
        for (console, key) in [(&there, THERE), (&region.console(), HERE)] {
            console.create_vault(&vault());
            let new = NewTable {
                kms_key: Some(key.to_owned()),
                deletion_protected: true,
                tags: BTreeMap::from([("Team".to_owned(), "secrets".to_owned())]),
                ..NewTable::keyed(table(KEYED), "id")
            };
            console.create_table(&new).unwrap();
        }
        there.create_table(&NewTable::keyed(table(REVIEWS), "id")).unwrap();
        for name in [REVIEWS, KEYED] {
            for id in 0..20 {
                there.put_item(&table(name), &json!({"id": {"S": format!("item-{id}")}})).unwrap();
            }
        }
        for name in [REVIEWS, KEYED] {
            region.copy(name, "prod/backuppolicy/tables");
        }
        region.watch();
        region.run(HOUR, FOREVER);
        let made = region.console().table(&table(REVIEWS)).expect("the stack has made it");
        assert!(made.items.is_empty() && made.state.deletion_protected);
        region
    }

    /// A policy of the primary backs a table up, and copies that here.
    fn copy(&self, name: &str, owner: &str) {
        let (there, now) = (self.cloud.vaults(&primary(), None), self.cx.now());
        let source = self.cloud.console(&primary()).table(&table(name)).unwrap().state.arn;
        let tags = [
            (OWNER_TAG, owner.to_owned()),
            (SLOT_TAG, PointName::slot_text(now)),
            (PROFILE_TAG, "0123456789ab".to_owned()),
        ];
        let role: landfast::model::RoleArn = "arn:aws:iam::111122223333:role/backup".parse().unwrap();
        let backup = StartBackup {
            table: source,
            vault: vault(),
            role: role.clone(),
            token: format!("{name} {now}"),
            tags: tags.map(|(key, value)| (key.to_owned(), value)).into(),
        };
        let job = self.clock.drive(there.start_backup(fence(), backup)).unwrap().unwrap();
        self.clock.drive(self.cx.sleep(HOUR / 4)).unwrap();
        let point = self.clock.drive(there.backup_job(&job)).unwrap().unwrap().unwrap().point.unwrap();
        let to = "arn:aws:backup:eu-west-1:111122223333:backup-vault:landfast".to_owned();
        let copy = StartCopy { point, from: vault(), to, role, token: format!("{name} {now}") };
        self.clock.drive(there.start_copy(fence(), copy)).unwrap().unwrap();
        self.clock.drive(self.cx.sleep(HOUR / 2)).unwrap();
    }

    /// Holds every call that takes something from a table to the rules.
    fn watch(&self) {
        let watched = Arc::clone(&self.watched);
        self.cloud.set_monitor(Box::new(move |view: &View<'_>, call: &Call| {
            if call.fence.is_none() || !["DeleteTable", "UpdateTable"].contains(&call.operation) {
                return;
            }
            let mut watched = watched.lock().unwrap();
            let here = |one: &&TableTruth| one.scope == call.scope && one.state.name.as_str() == call.target;
            for one in view.tables().iter().filter(here) {
                if call.operation == "DeleteTable" && !one.items.is_empty() {
                    watched.blamed.push(format!(
                        "S15 unseen: {} is deleted with {} items",
                        call.target,
                        one.items.len()
                    ));
                }
                if watched.foreign.contains(&one.state.id) {
                    watched.blamed.push(format!("S1 foreign: {} of {} by somebody else", call.operation, call.target));
                }
            }
        }));
    }

    fn desired(&self, store: &Store) -> Desired {
        let files = [
            ("env.yaml", ENVIRONMENT),
            ("reviews/db.yaml", STACK),
            ("reviews/db.tpl", &self.template),
            ("reviews/tables.yaml", &self.policy),
        ];
        stage::unbroken(store, files)
    }

    fn run(&mut self, duration: Duration, dies_at: u64) -> u64 {
        let controller = self.begin(|_| {});
        let desired = self.desired(controller.store());
        self.tend(&controller, desired, duration, dies_at)
    }

    fn ask(&self, request: &str, name: &str, point: Option<PointId>) {
        let store = self.store();
        let desired = self.desired(&store);
        let environment = &desired.environments[&"dev".parse().unwrap()];
        let wish = Wish::RestoreInPlace { table: table(name), point };
        let at = self.cx.now();
        let request = Request { id: request.to_owned(), key: key(), wish, by: "ann".to_owned(), at };
        answer(&store, environment, &request, at).unwrap().unwrap();
    }

    fn remembered(&self) -> BackupMemory {
        self.memory().objects.backups.get(&key()).map(|memory| BackupMemory::clone(memory)).unwrap_or_default()
    }

    fn came(&self, name: &str) -> InPlace {
        self.remembered().in_place(&table(name), REQUEST)
    }

    fn failed(&self, name: &str) -> String {
        match self.came(name) {
            InPlace::Failed { why } => why,
            other => panic!("{other:?}"),
        }
    }

    /// It is there with its items, and with all that its stack has given it.
    fn is_back(&self) {
        let made = self.console().table(&table(REVIEWS)).expect("it is there");
        assert_eq!(made.items.len(), 20);
        assert!(made.state.deletion_protected && made.continuous.on, "{:?}", made.state);
        assert_eq!((made.state.stream, made.time_to_live.as_deref()), (Some(StreamView::NewImage), Some("until")));
        assert_eq!(made.tags.get("Team").map(String::as_str), Some("people"));
        assert_eq!(made.tags.get(landfast::model::RESTORED_TAG), None, "it is the stack's, and no copy");
        self.holds();
    }

    fn holds(&self) {
        assert_eq!(self.watched.lock().unwrap().blamed, Vec::<String>::new());
    }

    fn calls(&self, operation: &str) -> usize {
        let audit = self.cloud.audit();
        audit
            .iter()
            .filter(|call| call.mutating && call.applied && call.fence.is_some() && call.operation == operation)
            .count()
    }
}

/// A world is made once, and every scenario has its own from the same steps.
fn asked() -> Region {
    let region = Region::new();
    region.ask(REQUEST, REVIEWS, None);
    region
}

/// Whether it is found that a table is deleted in which something is.
pub(crate) fn play_planted(bug: Option<Bug>) -> Vec<String> {
    let mut region = asked();
    region.console().put_item(&table(REVIEWS), &json!({"id": {"S": "new"}})).unwrap();
    sabotage::plant(bug);
    region.run(2 * HOUR, FOREVER);
    sabotage::plant(None);
    region.watched.lock().unwrap().blamed.clone()
}

#[test]
fn an_empty_table_is_replaced_by_the_newest_copy_and_is_its_stacks_again() {
    let mut region = asked();
    assert!(matches!(region.came(REVIEWS), InPlace::UnderWay { .. }));
    let before = region.calls("ExecuteChangeSet");
    region.run(2 * HOUR, FOREVER);
    let InPlace::Done { point: Some(_), as_of: Some(as_of), took, items: Some(20) } = region.came(REVIEWS) else {
        panic!("{:?}", region.remembered().restores)
    };
    assert!(as_of < region.cx.now() && (200..1_800).contains(&took), "{as_of} {took}");
    region.is_back();
    assert_eq!((region.calls("DeleteTable"), region.calls("StartRestoreJob")), (1, 1));
    // Neither drift nor the policy had anything to put back, then and later.
    region.run(2 * HOUR, FOREVER);
    assert_eq!(region.calls("ExecuteChangeSet"), before);
    let plan = region.plan(|store| region.desired(store));
    assert!(
        plan.in_sync(),
        "{:#?}",
        plan.entries.values().filter(|entry| entry.action != landfast::model::Action::None).collect::<Vec<_>>()
    );
    // Asked once more by the same request, it is the same.
    region.ask(REQUEST, REVIEWS, None);
    region.run(HOUR, FOREVER);
    assert!(matches!(region.came(REVIEWS), InPlace::Done { .. }));
    assert_eq!(region.calls("DeleteTable"), 1);
    region.is_back();
}

#[test]
fn one_item_ends_it_and_nothing_was_deleted() {
    let mut region = asked();
    region.console().put_item(&table(REVIEWS), &json!({"id": {"S": "new"}})).unwrap();
    region.run(2 * HOUR, FOREVER);
    assert!(region.failed(REVIEWS).contains("has items; nothing was deleted"), "{}", region.failed(REVIEWS));
    let left = region.console().table(&table(REVIEWS)).unwrap();
    assert!(left.items.len() == 1 && left.state.deletion_protected);
    assert_eq!((region.calls("DeleteTable"), region.calls("StartRestoreJob")), (0, 0));
    region.holds();
}

/// What was switched off of it is on again.
#[test]
fn an_item_that_comes_after_its_protection_went_ends_it_too() {
    let mut region = asked();
    for _ in 0..400 {
        region.run(Duration::from_secs(2), FOREVER);
        if !region.console().table(&table(REVIEWS)).unwrap().state.deletion_protected {
            break;
        }
    }
    region.console().put_item(&table(REVIEWS), &json!({"id": {"S": "new"}})).unwrap();
    region.run(2 * HOUR, FOREVER);
    assert!(region.failed(REVIEWS).contains("has items"), "{}", region.failed(REVIEWS));
    let left = region.console().table(&table(REVIEWS)).unwrap();
    assert!(left.items.len() == 1 && left.state.deletion_protected);
    assert_eq!(region.calls("DeleteTable"), 0);
    region.holds();
}

#[test]
fn killed_at_any_moment_it_comes_to_the_same_end() {
    let whole = asked().run(HOUR, FOREVER);
    let stride = usize::try_from((whole / 40).max(1)).unwrap();
    for dies_at in (1..whole).step_by(stride) {
        let mut region = asked();
        region.run(HOUR, dies_at);
        region.run(HOUR, dies_at / 2 + 3);
        region.run(2 * HOUR, FOREVER);
        assert!(
            matches!(region.came(REVIEWS), InPlace::Done { items: Some(20), .. }),
            "killed at {dies_at}: {:?}",
            region.remembered().restores
        );
        region.is_back();
        assert_eq!(region.calls("DeleteTable"), 1, "killed at {dies_at}");
    }
}

#[test]
fn whatever_answer_is_lost_it_comes_to_the_same_end() {
    for operation in ["UpdateTable", "DeleteTable", "StartRestoreJob", "Scan", "DescribeTable", "TagResource"] {
        for fault in [Fault::ErrorBefore, Fault::ErrorAfter, Fault::HangAfter, Fault::Throttle] {
            let mut region = asked();
            let from = region.cx.elapsed();
            let window = Window {
                from,
                until: from + Duration::from_mins(9),
                scope: None,
                operations: BTreeSet::from([operation.to_owned()]),
                fault: fault.clone(),
            };
            region.cloud.set_faults(FaultPlan { windows: vec![window], ..FaultPlan::default() });
            region.run(4 * HOUR, FOREVER);
            assert!(
                matches!(region.came(REVIEWS), InPlace::Done { .. }),
                "{operation} {fault:?}: {:?}",
                region.remembered().restores
            );
            region.is_back();
        }
    }
}

#[test]
fn a_table_that_somebody_makes_in_between_is_never_touched() {
    let mut region = asked();
    for _ in 0..600 {
        region.run(Duration::from_secs(2), FOREVER);
        if region.calls("DeleteTable") > 0 {
            break;
        }
    }
    // The daemon is away just then.
    region.clock.drive(region.cx.sleep(Duration::from_secs(15))).unwrap();
    assert!(region.console().table(&table(REVIEWS)).is_none(), "it is gone");
    region.console().create_table(&NewTable::keyed(table(REVIEWS), "id")).unwrap();
    let theirs = region.console().table(&table(REVIEWS)).unwrap().state.id;
    region.watched.lock().unwrap().foreign.insert(theirs.clone());
    // Its own policy would protect it.
    region.policy = POLICY.replace("prefix: dev-", "prefix: dev-Secrets");
    region.run(2 * HOUR, FOREVER);
    assert!(region.failed(REVIEWS).contains("outside Landfast in the meantime"), "{}", region.failed(REVIEWS));
    assert_eq!(region.console().table(&table(REVIEWS)).unwrap().state.id, theirs);
    region.holds();
}

#[test]
fn a_copy_is_encrypted_with_the_key_of_the_table_that_it_replaces() {
    let mut region = Region::new();
    region.ask(REQUEST, KEYED, None);
    region.run(2 * HOUR, FOREVER);
    assert!(matches!(region.came(KEYED), InPlace::Done { items: Some(20), .. }), "{:?}", region.remembered().restores);
    let made = region.console().table(&table(KEYED)).unwrap();
    assert_eq!(made.state.kms_key.as_deref(), Some(HERE));
    assert!(made.state.deletion_protected && made.tags.get("Team").is_some_and(|team| team == "secrets"));
    region.holds();
}

/// Without the table nothing says which key of this region is meant, and none is chosen.
#[test]
fn without_the_table_a_key_of_another_region_ends_it() {
    let mut region = Region::new();
    region.console().delete_table(&table(KEYED)).unwrap();
    region.ask(REQUEST, KEYED, None);
    region.run(HOUR, FOREVER);
    assert!(region.failed(KEYED).contains("is not a multi-Region key"), "{}", region.failed(KEYED));
}

#[test]
fn a_table_that_was_deleted_comes_back_under_its_name() {
    let mut region = Region::new();
    region.console().delete_table(&table(REVIEWS)).unwrap();
    region.ask(REQUEST, REVIEWS, None);
    region.run(2 * HOUR, FOREVER);
    let made = region.console().table(&table(REVIEWS)).expect("it is back");
    assert_eq!((made.items.len(), region.calls("DeleteTable")), (20, 0));
    region.holds();
}

/// The standby backs its empty tables up too: that is newer than any copy, and has nothing in it.
#[test]
fn what_was_backed_up_of_the_empty_table_is_not_restored() {
    let mut region = Region::new();
    region.policy = format!("{POLICY}  schedule: \"*/30 * * * *\"\n");
    region.run(HOUR, FOREVER);
    assert!(
        region.cloud.backups_of_all().iter().any(|backup| backup.scope == region.scope && backup.items.is_empty()),
        "it is backed up"
    );
    region.ask(REQUEST, REVIEWS, None);
    region.run(2 * HOUR, FOREVER);
    assert!(
        matches!(region.came(REVIEWS), InPlace::Done { items: Some(20), .. }),
        "{:?}",
        region.remembered().restores
    );
    region.is_back();
}

/// Whoever may write to a vault can put a point there; what no backup policy has made is named by whoever wants it.
#[test]
fn what_no_policy_has_made_is_restored_only_by_its_name() {
    let mut region = Region::new();
    let before = region.cloud.backups_of_all().len();
    region.copy(REVIEWS, "a plan of somebody");
    let all = region.cloud.backups_of_all();
    assert_eq!(all.len(), before + 2);
    let theirs =
        all.iter().filter(|backup| backup.scope == region.scope).max_by_key(|backup| backup.point.created).unwrap();
    let theirs = theirs.point.id.clone();
    region.ask(REQUEST, REVIEWS, None);
    region.run(2 * HOUR, FOREVER);
    let InPlace::Done { point, .. } = region.came(REVIEWS) else { panic!("{:?}", region.came(REVIEWS)) };
    assert_ne!(point.as_ref(), Some(&theirs));
    let mut region = Region::new();
    region.copy(REVIEWS, "a plan of somebody");
    let all = region.cloud.backups_of_all();
    let theirs =
        all.iter().filter(|backup| backup.scope == region.scope).max_by_key(|backup| backup.point.created).unwrap();
    region.ask(REQUEST, REVIEWS, Some(theirs.point.id.clone()));
    region.run(2 * HOUR, FOREVER);
    assert!(matches!(region.came(REVIEWS), InPlace::Done { point: Some(point), .. } if point == theirs.point.id));
    region.is_back();
}

/// A job that fails after the table is gone loses nothing: the next request knows what the table was like.
#[test]
fn a_restore_that_fails_half_way_is_asked_for_again() {
    let mut region = asked();
    region.console().fail_vault_jobs(1, "out of luck");
    region.run(2 * HOUR, FOREVER);
    assert!(region.failed(REVIEWS).contains("out of luck"), "{}", region.failed(REVIEWS));
    assert!(region.console().table(&table(REVIEWS)).is_none());
    region.ask("failover-2", REVIEWS, None);
    region.run(2 * HOUR, FOREVER);
    assert!(
        matches!(region.remembered().in_place(&table(REVIEWS), "failover-2"), InPlace::Done { .. }),
        "{:?}",
        region.remembered().restores
    );
    region.is_back();
}

/// While it goes on, nobody else looks after the table, and coverage says what happens.
#[test]
fn the_policy_does_not_fight_it_and_coverage_says_so() {
    let mut region = asked();
    region.run(Duration::from_mins(3), FOREVER);
    assert!(matches!(region.came(REVIEWS), InPlace::UnderWay { .. }));
    let controller = region.begin(|_| {});
    let desired = region.desired(controller.store());
    let environment = Arc::clone(&desired.environments[&"dev".parse().unwrap()]);
    let coverage = region.clock.drive(controller.coverage(&desired, &environment)).unwrap().unwrap();
    let covered = &coverage.tables[&(region.scope.clone(), table(REVIEWS))];
    assert!(covered.restoring && covered.by == Some(key()), "{covered:?}");
}

/// A template that is new is applied when the table is back: an update that meets a table which is not there fails.
#[test]
fn its_stack_is_not_updated_before_it_has_ended() {
    let mut region = asked();
    region.run(Duration::from_mins(2), FOREVER);
    region.template = format!("{TEMPLATE}  Topic: {{ Type: AWS::SNS::Topic }}\n");
    let before = region.calls("ExecuteChangeSet");
    region.run(Duration::from_mins(3), FOREVER);
    assert!(matches!(region.came(REVIEWS), InPlace::UnderWay { .. }));
    assert_eq!(region.calls("ExecuteChangeSet"), before);
    region.run(2 * HOUR, FOREVER);
    assert!(matches!(region.came(REVIEWS), InPlace::Done { .. }));
    assert_eq!(region.calls("ExecuteChangeSet"), before + 1);
    region.is_back();
}
