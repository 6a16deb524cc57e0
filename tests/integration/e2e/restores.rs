//! A table that is backed up, restored as of a time, and tried: through the binary and the wire.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use landfast::model::{OWNER_TAG, StreamView, TEST_PREFIX, TableName};
use landfast::ports::{Cloud as _, TableChange, Tables};
use serde_json::json;

use super::place::{Place, Ran};
use crate::contract::{FENCE, all};
use crate::workshop::Workshop;

const ENVIRONMENT: &str = r#"
apiVersion: landfast/v1
kind: Environment
metadata: { name: dev }
spec:
  system: reviews
  account: "ACCOUNT"
  region: us-east-1
  include: [reviews]
  policy: { mode: apply, prune: confirm, replace: deny, budget: { stacks: 9, replacements: 0, deletions: 0, per: 1h } }
"#;

const POLICY: &str = r"
apiVersion: landfast/v1
kind: BackupPolicy
metadata: { name: tables }
spec:
  tables: { names: [dev-ReviewCycles] }
  pointInTimeRecovery: { window: 14d }
  schedule: '0 3 * * *'
  retention: { daily: 7 }
  objectives: { rto: 1h, rpo: 24h }
";

const OBJECT: &str = "dev/backuppolicy/tables";
const TABLE: &str = "dev-ReviewCycles";
const RESTORED: &str = "dev-ReviewCycles-restored";

fn name(text: &str) -> TableName {
    text.parse().unwrap()
}

/// The program in front of one table of items.
struct Office {
    place: Place,
    workshop: Workshop,
    tables: Arc<dyn Tables>,
}

impl Office {
    async fn new(policy: &str) -> Option<Self> {
        let place = Place::of(&[("dev.yaml", ENVIRONMENT), ("reviews/tables.yaml", policy)])?;
        let workshop = Workshop::Emulated(place.account.clone());
        let tables = place.account.cloud(None).await.tables(&place.account.scope("us-east-1"), None);
        let office = Self { place, workshop, tables };
        office.workshop.make_table(&name(TABLE), "id", None).await;
        for id in 0..20 {
            office.put(id, "good").await;
        }
        let (tables, table) = (&office.tables, name(TABLE));
        let arn = tables.describe(&table).await.unwrap().unwrap().arn;
        tables.tag(FENCE, &arn, &BTreeMap::from([("Team".to_owned(), "people".to_owned())])).await.unwrap();
        tables.set_time_to_live(FENCE, &table, "until", true).await.unwrap();
        tables.update(FENCE, &table, &TableChange::Stream(Some(StreamView::NewImage))).await.unwrap();
        Some(office)
    }

    async fn put(&self, id: u32, text: &str) {
        let item = json!({"id": {"S": format!("item-{id}")}, "text": {"S": text}});
        self.workshop.put_item(&name(TABLE), &item, None).await;
    }

    #[track_caller]
    fn apply(&self) -> Ran {
        let applied = self.place.run(&["apply", "dev", "--yes"]).exits(0);
        assert!(applied.out.ends_with("dev is in sync.\n"), "{}", applied.text());
        applied
    }

    /// Nothing is to be done, and to find that out changes nothing.
    #[track_caller]
    fn is_in_sync(&self) {
        self.place.recorder.forget();
        self.place.run(&["plan", "dev"]).exits(0);
        let mutations = self.place.recorder.mutations();
        assert!(mutations.is_empty(), "{mutations:?}");
    }

    /// The names of all tables.
    async fn names(&self) -> Vec<TableName> {
        let mut names = all(|page| self.tables.list(page)).await;
        names.sort();
        names
    }
}

#[tokio::test]
async fn a_table_is_restored_as_of_a_time_with_all_its_settings_and_the_original_is_untouched() {
    let Some(office) = Office::new(POLICY).await else { return };
    let (tables, table, restored) = (&office.tables, name(TABLE), name(RESTORED));
    office.apply();
    office.is_in_sync();
    assert_eq!(tables.continuous_backups(&table).await.unwrap().unwrap().window_days, 14);
    // Moments are whole seconds: this one is after all that is there, and before what comes.
    tokio::time::sleep(Duration::from_millis(1_100)).await;
    let good = Timestamp::from_second(Timestamp::now().as_second()).unwrap();
    let then = office.workshop.items(&table).await;
    assert_eq!(then.len(), 20);
    office.put(3, "bad").await;
    office.put(20, "late").await;
    let now = office.workshop.items(&table).await;
    assert_ne!(now, then);

    let time = good.to_string();
    let restore = |to: &str| office.place.run(&["restore", OBJECT, "--table", TABLE, "--to-time", &time, "--as", to]);
    office.place.recorder.forget();
    let applied = restore(RESTORED).exits(0);
    let asked = format!("Restore requested: {TABLE} as of {time} to {RESTORED}.\nRestored: {TABLE} to {RESTORED}");
    assert!(applied.out.contains(&asked), "{}", applied.text());
    assert!(applied.err.contains("restore started"), "{}", applied.text());
    let counts = office.place.recorder.counts();
    eprintln!("a restore took {:?} and made these calls: {counts:?}", applied.took);
    assert_eq!((counts.get("RestoreTableToPointInTime"), counts.get("DeleteTable")), (Some(&1), None));

    assert_eq!(office.workshop.items(&restored).await, then, "it is as it was then");
    assert_eq!(office.workshop.items(&table).await, now, "the original is as it is");
    let made = tables.describe(&restored).await.unwrap().unwrap();
    assert_eq!(made.stream, Some(StreamView::NewImage));
    assert_eq!(tables.time_to_live(&restored).await.unwrap().attribute.as_deref(), Some("until"));
    let recovery = tables.continuous_backups(&restored).await.unwrap().unwrap();
    assert!(recovery.on && recovery.window_days == 14, "{recovery:?}");
    let has: BTreeMap<String, String> = all(|page| tables.tags(&made.arn, page)).await.into_iter().collect();
    assert_eq!(has.get("Team").map(String::as_str), Some("people"), "{has:?}");
    assert_eq!(has.get(OWNER_TAG), None, "a restored table is nobody's to delete");
    office.is_in_sync();
    let why = office.place.run(&["why", OBJECT]).exits(0);
    // A sample of each is looked for in the other.
    assert!(why.out.contains("41 items compared: 38 equal, 2 changed, 1 in only one of the two"), "{}", why.text());

    // The name is taken now, and what is there stays.
    let refused = restore(TABLE).exits(64);
    assert!(refused.err.contains(&format!("has a table named `{TABLE}` already")), "{}", refused.text());
    let misspelt =
        office.place.run(&["restore", OBJECT, "--table", "dev-ReviewCylces", "--latest", "--as", "dev-other"]);
    let misspelt = misspelt.exits(64);
    assert!(misspelt.err.contains(&format!("(did you mean `{TABLE}`?)")), "{}", misspelt.text());

    // What cannot be done fails at once, and is seen until somebody was told.
    let late = ["restore", OBJECT, "--table", TABLE, "--to-time", "2099-01-01T00:00:00Z", "--as", "dev-late"];
    let failed = office.place.run(&late).exits(1);
    let told = format!("The restore of {TABLE} to dev-late FAILED: ");
    assert!(failed.out.contains(&told), "{}", failed.text());
    let status = office.place.run(&["status", "dev"]);
    assert!(status.out.contains("Degraded") && status.out.contains("to dev-late failed: "), "{}", status.text());
    let applied = office.place.run(&["apply", "dev", "--yes"]).exits(1);
    assert!(applied.out.contains(&told), "{}", applied.text());
    office.apply();
    assert_eq!(office.workshop.items(&restored).await, then);
    assert_eq!(office.names().await, [table, restored]);
}

#[tokio::test]
async fn a_backup_on_request_is_tried_measured_and_listed() {
    let Some(office) = Office::new(POLICY).await else { return };
    office.apply();
    // Backups are for a second, and this one has its backup.
    tokio::time::sleep(Duration::from_millis(1_100)).await;
    office.place.recorder.forget();
    office.place.run(&["backup", "now", OBJECT]).exits(0);
    office.place.run(&["plan", "dev"]).exits(2);
    office.apply();
    assert_eq!(office.place.recorder.counts().get("CreateBackup"), Some(&1));
    let list = || office.place.run(&["backup", "list", "dev", "-o", "json"]).exits(0).json();
    let before = list();
    let points = before["items"].as_array().unwrap();
    assert!(!points.is_empty() && points.iter().all(|point| point["verified"].is_null()), "{before}");

    office.place.recorder.forget();
    let applied = office.place.run(&["backup", "verify", OBJECT]).exits(0);
    assert!(applied.out.contains(&format!("The restore test of {TABLE} passed")), "{}", applied.text());
    let counts = office.place.recorder.counts();
    eprintln!("a restore test took {:?} and made these calls: {counts:?}", applied.took);
    assert_eq!((counts.get("RestoreTableFromBackup"), counts.get("DeleteTable")), (Some(&1), Some(&1)));
    let deleted = office.place.recorder.calls().into_iter().find(|call| call.action == "DeleteTable").unwrap();
    assert!(deleted.body.contains(TEST_PREFIX), "{}", deleted.body);
    assert_eq!(office.names().await, [name(TABLE)]);
    assert_eq!(office.workshop.items(&name(TABLE)).await.len(), 20);
    office.is_in_sync();

    let after = list();
    assert!(after["items"][0]["verified"].is_string(), "the newest is proven: {after}");
    let listed = &after["tables"][0];
    assert_eq!((&listed["table"], &listed["verified"], &listed["failed"]), (&TABLE.into(), &true.into(), &json!(null)));
    assert!(listed["rtoSeconds"].as_u64().unwrap() < 3_600 && listed["rtoObjectiveSeconds"] == 3_600, "{listed}");
    assert!(listed["rpoSeconds"].is_u64() && listed["ageSeconds"].is_u64(), "{listed}");
    let status = office.place.run(&["status", "dev"]).exits(0);
    assert!(status.out.contains("RTO") && status.out.contains("RPO"), "{}", status.text());
    let why = office.place.run(&["why", OBJECT]).exits(0);
    assert!(why.out.contains("40 items compared: 40 equal, 0 changed"), "{}", why.text());
}

/// A table comes back under its name, in the place of an empty one; and not in the place of one that has an item.
#[tokio::test]
async fn a_table_is_restored_in_the_place_of_an_empty_one() {
    let Some(office) = Office::new(POLICY).await else { return };
    office.apply();
    let (tables, table) = (&office.tables, name(TABLE));
    let then = office.workshop.items(&table).await;
    tables.update(FENCE, &table, &TableChange::DeletionProtection(false)).await.unwrap();
    tables.delete(FENCE, &table).await.unwrap();
    tokio::time::sleep(Duration::from_millis(1_100)).await;
    office.workshop.make_table(&table, "id", None).await;
    tables.update(FENCE, &table, &TableChange::DeletionProtection(true)).await.unwrap();
    let arn = tables.describe(&table).await.unwrap().unwrap().arn;
    tables.tag(FENCE, &arn, &BTreeMap::from([("Team".to_owned(), "standby".to_owned())])).await.unwrap();
    let restore = ["restore", OBJECT, "--table", TABLE, "--in-place", "--latest"];

    // Without a terminal nobody has confirmed it.
    let asked = office.place.run(&restore).exits(3);
    assert!(
        asked.out.contains("will be DELETED if they have no items") && asked.err.contains("--yes"),
        "{}",
        asked.text()
    );
    office.put(1, "new").await;
    office.place.recorder.forget();
    let confirmed = [&restore[..], &["--yes"]].concat();
    let refused = office.place.run(&confirmed).exits(1);
    assert!(refused.out.contains("has items; nothing was deleted"), "{}", refused.text());
    assert_eq!(office.place.recorder.counts().get("DeleteTable"), None);
    assert_eq!(office.workshop.items(&table).await.len(), 1);

    // Empty once more.
    tables.update(FENCE, &table, &TableChange::DeletionProtection(false)).await.unwrap();
    tables.delete(FENCE, &table).await.unwrap();
    office.workshop.make_table(&table, "id", None).await;
    let arn = tables.describe(&table).await.unwrap().unwrap().arn;
    tables.tag(FENCE, &arn, &BTreeMap::from([("Team".to_owned(), "standby".to_owned())])).await.unwrap();
    tables.update(FENCE, &table, &TableChange::DeletionProtection(true)).await.unwrap();
    office.place.recorder.forget();
    let all = ["restore", OBJECT, "--all", "--in-place", "--latest", "--yes"];
    let restored = office.place.run(&all).exits(0);
    assert!(restored.out.contains(&format!("Restored: {TABLE} in place, as of ")), "{}", restored.text());
    assert!(restored.out.contains("20 items"), "{}", restored.text());
    assert_eq!(office.place.recorder.counts().get("DeleteTable"), Some(&1));
    assert_eq!(office.workshop.items(&table).await, then);
    let made = tables.describe(&table).await.unwrap().unwrap();
    let tags: BTreeMap<String, String> = all_tags(tables, &made.arn).await;
    assert_eq!(tags, BTreeMap::from([("Team".to_owned(), "standby".to_owned())]));
    assert!(made.deletion_protected);
}

async fn all_tags(tables: &Arc<dyn Tables>, arn: &landfast::model::TableArn) -> BTreeMap<String, String> {
    all(|page| tables.tags(arn, page)).await.into_iter().collect()
}

/// Whichever makes the backups: `--point` takes what `backup list` says.
#[tokio::test]
async fn a_recovery_point_is_restored_by_its_id_from_a_vault_and_without_one() {
    let vaulted = format!(
        "{POLICY}  vault: {{ name: landfast, role: 'arn:aws:iam::111122223333:role/backup' }}\n  copyTo: [us-west-2]\n"
    );
    for (policy, id) in [(POLICY, ":table/"), (vaulted.as_str(), ":recovery-point:")] {
        let Some(office) = Office::new(policy).await else { return };
        let vault = "landfast".parse().unwrap();
        for region in ["us-east-1", "us-west-2"] {
            office.workshop.make_vault(&office.place.account.scope(region), &vault).await;
        }
        office.apply();
        let then = office.workshop.items(&name(TABLE)).await;
        office.put(3, "bad").await;
        let list = office.place.run(&["backup", "list", "dev", "-o", "json"]).exits(0).json();
        let points = list["items"].as_array().unwrap();
        let copies = points.iter().filter(|point| point["region"] == "us-west-2").count();
        assert_eq!(copies, usize::from(policy != POLICY), "{list}");
        let here = points.iter().find(|point| point["region"] == "us-east-1").expect("it is backed up");
        let point = here["id"].as_str().unwrap();
        assert!(point.contains(id), "{point}");
        office
            .place
            .run(&["restore", OBJECT, "--table", TABLE, "--point", point, "--as", RESTORED, "--no-wait"])
            .exits(0);
        let planned = office.place.run(&["plan", "dev"]).exits(2);
        assert!(planned.out.contains(RESTORED), "{}", planned.text());
        office.apply();
        assert_eq!(office.workshop.items(&name(RESTORED)).await, then, "it is as it was backed up");
        let made = office.tables.describe(&name(RESTORED)).await.unwrap().unwrap();
        let tags: BTreeMap<String, String> =
            all(|page| office.tables.tags(&made.arn, page)).await.into_iter().collect();
        assert_eq!((made.stream, tags.get("Team").map(String::as_str)), (Some(StreamView::NewImage), Some("people")));
        let why = office.place.run(&["why", OBJECT]).exits(0);
        assert!(why.out.contains("the recovery point"), "{}", why.text());
        office.place.run(&["plan", "dev"]).exits(0);
    }
}
