//! Which recovery points there are, and which tables nobody backs up.

use std::fmt::Write as _;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::json::API_VERSION;
use super::points::BackupPoint;
use super::tables::{self, BackedTable};
use super::{Paint, left, words};
use crate::model::{
    Coverage, EnvName, Environment, LeftTable, LeftTables, Memory, OWNER_TAG, Observation, PointName, PointsListed,
    RecoveryPoint, SLOT_TAG, Scope, Seen,
};

/// What `backup list -o json` writes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct BackupList {
    /// `landfast/v1`.
    #[schemars(extend("const" = "landfast/v1"))]
    pub api_version: String,
    /// `BackupList`.
    #[schemars(extend("const" = "BackupList"))]
    pub kind: String,
    /// One for each table.
    pub tables: Vec<BackedTable>,
    /// One for each recovery point, by table, newest first.
    pub items: Vec<BackupPoint>,
    /// Tables that restore tests have left, and what removes them.
    #[serde(default)]
    pub left_tables: Vec<LeftTable>,
    /// What could not be read, and why.
    pub unknown: Vec<String>,
}

impl Default for BackupList {
    fn default() -> Self {
        let (api_version, kind) = (API_VERSION.to_owned(), "BackupList".to_owned());
        let (tables, items, left_tables, unknown) = Default::default();
        Self { api_version, kind, tables, items, left_tables, unknown }
    }
}

impl BackupList {
    /// Adds what restore tests have left there. A table that two environments see is one.
    pub fn leave(&mut self, left: LeftTables) {
        let new = left.tables.into_iter().filter(|one| !self.left_tables.contains(one)).collect::<Vec<_>>();
        self.left_tables.extend(new);
        self.unknown.extend(left.unknown);
    }

    /// Adds the recovery points of an environment.
    pub fn add(&mut self, environment: &Environment, observation: &Observation, memory: &Memory) {
        let seen = &observation.backups;
        let on_demand = seen.points.iter();
        let kept = seen.vaults.iter().map(|((scope, _), listed)| (scope, listed));
        for (scope, listed) in on_demand.chain(kept) {
            match listed {
                Seen::Present(listed) => self.listed(environment, memory, scope, listed),
                Seen::Absent => {}
                Seen::Unknown(why) => self.unknown.push(format!("the recovery points of {scope}: {why}")),
            }
        }
        let own = format!("{}/", environment.name);
        let points: Vec<BackupPoint> =
            self.items.iter().filter(|point| point.policy.starts_with(&own)).cloned().collect();
        self.tables.extend(tables::of(environment, memory, &points));
        self.items
            .sort_by(|one, other| (&one.table, other.created, &one.id).cmp(&(&other.table, one.created, &other.id)));
    }

    fn listed(&mut self, environment: &Environment, memory: &Memory, scope: &Scope, listed: &PointsListed) {
        for point in &listed.points {
            let known = memory
                .objects
                .backups
                .iter()
                .find_map(|(key, memory)| Some((key, memory.tables.get(&point.table)?.points.get(&point.id)?)));
            let Some((policy, slot)) = said(point).or_else(|| known.map(|(key, known)| (key.to_string(), known.slot)))
            else {
                continue;
            };
            let desired = policy.parse().is_ok_and(|key| environment.backups.contains_key(&key));
            self.items.push(BackupPoint {
                table: point.table.to_string(),
                id: point.id.to_string(),
                policy,
                orphan: !desired,
                account: scope.account.to_string(),
                region: scope.region.to_string(),
                slot: Some(slot),
                created: point.created,
                status: point.status.to_string(),
                bytes: point.bytes,
                verified: known.and_then(|(_, known)| known.verified),
            });
        }
    }

    /// A table of the tables, and one of their points.
    #[must_use]
    pub fn text(&self, paint: Paint) -> String {
        let mut text = String::new();
        if !self.tables.is_empty() {
            text.push_str(&tables::text(&self.tables, paint));
            text.push('\n');
        }
        if self.items.is_empty() {
            text.push_str("No recovery points found.\n");
        } else {
            let head = ["TABLE", "FOR", "STATUS", "BYTES", "VERIFIED", "REGION", "POLICY", "ID"];
            let mut rows = vec![head.map(str::to_owned).to_vec()];
            rows.extend(self.items.iter().map(BackupPoint::row));
            text.push_str(&words::table(&rows, |y, x, cell| match (y, x) {
                (0, _) => paint.title(cell),
                (_, 6) if self.items.get(y - 1).is_some_and(|item| item.orphan) => paint.change(cell),
                _ => cell,
            }));
        }
        if !self.left_tables.is_empty() {
            text.push('\n');
            text.push_str(left::told(&self.left_tables, paint).trim_end_matches('\n'));
            text.push('\n');
        }
        unread(&mut text, &self.unknown, paint);
        text
    }
}

/// Whose it is and for when it was made, where it says so.
fn said(point: &RecoveryPoint) -> Option<(String, Timestamp)> {
    if let Some(tags) = &point.tags {
        return Some((tags.get(OWNER_TAG)?.clone(), PointName::slot_of(tags.get(SLOT_TAG)?)?));
    }
    let name: PointName = point.name.as_deref()?.parse().ok()?;
    Some((name.key().to_string(), name.slot))
}

fn unread(text: &mut String, unknown: &[String], paint: Paint) {
    for why in unknown {
        let _ = writeln!(text, "{}", paint.danger(format!("could not be read: {}", words::clean(why))));
    }
}

/// What `backup coverage -o json` writes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CoverageList {
    /// `landfast/v1`.
    #[schemars(extend("const" = "landfast/v1"))]
    pub api_version: String,
    /// `CoverageList`.
    #[schemars(extend("const" = "CoverageList"))]
    pub kind: String,
    /// One for each table of the accounts and regions of an environment.
    pub items: Vec<TableCoverage>,
    /// What could not be read, and why.
    pub unknown: Vec<String>,
}

/// The backup coverage of a table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TableCoverage {
    /// The environment.
    pub environment: String,
    /// The table.
    pub table: String,
    /// Its account.
    pub account: String,
    /// Its region.
    pub region: String,
    /// The policy that covers it.
    pub policy: Option<String>,
    /// The policy that excludes it.
    pub excepted: Option<String>,
    /// It is being restored in place: until that has ended it is neither protected nor backed up.
    pub restoring: bool,
}

impl Default for CoverageList {
    fn default() -> Self {
        let (api_version, kind) = (API_VERSION.to_owned(), "CoverageList".to_owned());
        Self { api_version, kind, items: Vec::new(), unknown: Vec::new() }
    }
}

impl CoverageList {
    /// Adds what covers the tables of an environment.
    pub fn add(&mut self, environment: &EnvName, coverage: Coverage) {
        self.unknown.extend(coverage.unknown);
        self.items.extend(coverage.tables.into_iter().map(|((scope, table), covered)| TableCoverage {
            environment: environment.to_string(),
            table: table.to_string(),
            account: scope.account.to_string(),
            region: scope.region.to_string(),
            policy: covered.by.map(|key| key.to_string()),
            excepted: covered.excepted.map(|key| key.to_string()),
            restoring: covered.restoring,
        }));
    }

    /// How many tables nobody covers, and nobody has excepted.
    #[must_use]
    pub fn uncovered(&self) -> usize {
        self.items.iter().filter(|item| item.policy.is_none() && item.excepted.is_none()).count()
    }

    /// A table, and a line that counts.
    #[must_use]
    pub fn text(&self, paint: Paint) -> String {
        let mut text = String::new();
        if self.items.is_empty() {
            text.push_str("No tables.\n");
        } else {
            let mut rows = vec![["TABLE", "REGION", "COVERED BY"].map(str::to_owned).to_vec()];
            rows.extend(self.items.iter().map(|item| {
                let by = match (&item.policy, &item.excepted) {
                    (Some(policy), _) if item.restoring => format!("{} (being restored)", words::clean(policy)),
                    (Some(policy), _) => words::clean(policy),
                    (None, Some(policy)) => format!("(excluded by {})", words::clean(policy)),
                    (None, None) => "nobody".to_owned(),
                };
                vec![words::clean(&item.table), item.region.clone(), by]
            }));
            text.push_str(&words::table(&rows, |y, x, cell| match (y, x) {
                (0, _) => paint.title(cell),
                (_, 2) if cell == "nobody" => paint.danger(cell),
                _ => cell,
            }));
            let (all, bare) = (self.items.len(), self.uncovered());
            let all = words::count(all, "table");
            let _ = match bare {
                0 => writeln!(text, "{all}: each is covered by a policy or excluded."),
                1 => writeln!(text, "1 of {all} is not covered by a policy."),
                _ => writeln!(text, "{bare} of {all} are not covered by a policy."),
            };
        }
        unread(&mut text, &self.unknown, paint);
        text
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use serde_json::json;

    use super::*;
    use crate::model::{
        BackupMemory, BackupSpec, CoveredTable, Digest, Objectives, Schedule, TableMemory, TableSelection,
    };
    use crate::report::fixtures::{at, check_contract, environment, golden, memory, scope};

    const KEY: &str = "dev/backuppolicy/tables";

    fn spec() -> BackupSpec {
        BackupSpec {
            key: KEY.parse().unwrap(),
            scope: scope(),
            tables: TableSelection::Prefix("dev-".to_owned()),
            except: std::collections::BTreeSet::new(),
            recovery_days: Some(35),
            deletion_protection: false,
            schedule: Some(Schedule::new("0 3 * * *", "UTC").unwrap()),
            retention: None,
            vault: None,
            copy_to: std::collections::BTreeMap::new(),
            verify: None,
            objectives: Objectives {
                rto: Some(std::time::Duration::from_hours(1)),
                rpo: Some(std::time::Duration::from_hours(24)),
            },
            depends_on: std::collections::BTreeSet::new(),
            digest: Digest::of("policy"),
        }
    }

    fn point(table: &str, policy: &str, number: u32, created: Timestamp) -> RecoveryPoint {
        let arn = format!("arn:aws:dynamodb:eu-central-1:111122223333:table/{table}");
        let name = format!("landfast.dev.{policy}.20261122T030000Z");
        serde_json::from_value(json!({
            "id": format!("{arn}/backup/0170000000{number:04}-abcdef01"), "table": table, "tableArn": arn,
            "name": name, "keeper": "table", "status": "AVAILABLE", "created": created, "bytes": 4_096,
        }))
        .unwrap()
    }

    #[test]
    fn a_table_that_nobody_covers_stands_out() {
        let key = || Some(KEY.parse().unwrap());
        let covered = [
            ("dev-Cache", CoveredTable { excepted: key(), ..CoveredTable::default() }),
            ("dev-Orders", CoveredTable { by: key(), ..CoveredTable::default() }),
            ("dev-Reviews", CoveredTable { by: key(), restoring: true, ..CoveredTable::default() }),
            ("dev-Users", CoveredTable::default()),
        ];
        let covered = covered.map(|(table, covered)| ((scope(), table.parse().unwrap()), covered));
        let unknown = vec!["dev/backuppolicy/others: the tables could not be listed: no connection".to_owned()];
        let mut list = CoverageList::default();
        assert_eq!(list.text(Paint::Plain), "No tables.\n");
        list.add(&"dev".parse().unwrap(), Coverage { tables: covered.into(), unknown });
        assert_eq!(list.uncovered(), 1);
        check_contract("CoverageList", &list);
        golden("coverage.txt", &list.text(Paint::Plain));
    }

    #[test]
    fn each_table_says_what_it_could_be_restored_to_and_what_that_takes() {
        let mut environment = environment(&[]);
        environment.backups.insert(KEY.parse().unwrap(), Arc::new(spec()));
        let points = vec![
            point("dev-Orders", "tables", 1, at("03:00:01")),
            point("dev-Users", "tables", 2, at("03:00:02")),
            point("dev-Users", "tables", 3, at("09:00:00")),
            point("dev-Old", "gone", 4, at("03:00:00")),
        ];
        let proof = |failed: Option<&str>, took| {
            json!({
                "at": at("04:00:00"), "point": points[1].id, "took": took, "age": 3_600, "loss": 320,
                "compared": null, "failed": failed,
            })
        };
        let known = json!({"slot": at("03:00:00"), "created": at("03:00:02"), "noted": at("03:00:03"), "verified": at("04:00:00")});
        let mut policy = BackupMemory::default();
        let proven: TableMemory = serde_json::from_value(json!({"points": {points[1].id.to_string(): known}})).unwrap();
        policy.tables.insert("dev-Users".parse().unwrap(), proven);
        let proofs =
            [("dev-Users", proof(None, 1_263)), ("dev-Orders", proof(Some("412 of 1000 items differ"), 4_000))];
        for (table, proof) in proofs {
            policy.proofs.insert(table.parse().unwrap(), serde_json::from_value(proof).unwrap());
        }
        let mut memory = memory();
        Arc::make_mut(&mut memory.objects).backups.insert(KEY.parse().unwrap(), Arc::new(policy));
        let mut observation = Observation::begun(at("10:00:00"));
        let listed =
            PointsListed { at: at("10:00:00"), points, others: Vec::new(), unread: std::collections::BTreeMap::new() };
        observation.backups.points.insert(scope(), Seen::Present(listed));
        let mut list = BackupList::default();
        list.add(&environment, &observation, &memory);
        let left = || LeftTables { tables: left::fixtures(), unknown: Vec::new() };
        list.leave(left());
        list.leave(left());
        check_contract("BackupList", &list);
        golden("backups.txt", &list.text(Paint::Plain));
        assert_eq!(BackupList::default().text(Paint::Plain), "No recovery points found.\n");
    }
}
