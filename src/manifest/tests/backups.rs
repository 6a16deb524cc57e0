//! `BackupPolicy`: what its documents become, and what is wrong with others.

use std::fmt::Write as _;
use std::time::Duration;

use super::*;
use crate::model::{BackupSpec, Retention, TableSelection};

const FULL: &str = "  \
  tables: { stack: network, except: [dev-Cache] }
  pointInTimeRecovery: { window: 14d }
  deletionProtection: true
  schedule: 0 3 * * *
  timezone: Europe/Berlin
  retention: { last: 3, daily: 7, weekly: 4, monthly: 12, minAge: 36h, keepVerified: 3 }
  vault: { name: landfast, role: 'arn:aws:iam::111122223333:role/backup' }
  copyTo: [us-west-2]
  verify: { every: 7d, sample: 500 }
  objectives: { rto: 60m, rpo: 24h }
";

/// A policy `tables` whose `spec` begins on line 5.
fn loaded(spec: &str) -> Loaded {
    let policy = format!("apiVersion: landfast/v1\nkind: BackupPolicy\nmetadata: {{ name: tables }}\nspec:\n{spec}");
    load_with(&[("stacks/tables.yaml", policy.as_str())])
}

fn spec_of(loaded: &Loaded) -> BackupSpec {
    assert_eq!(said(loaded), [""; 0]);
    let environment = loaded.desired.environments.values().next().unwrap();
    environment.backups.values().next().unwrap().as_ref().clone()
}

#[test]
fn a_policy_says_all_that_it_can_say() {
    let spec = spec_of(&loaded(FULL));
    let stack: Key = "dev/stack/network".parse().unwrap();
    assert_eq!(
        (spec.key.to_string().as_str(), &spec.tables),
        ("dev/backuppolicy/tables", &TableSelection::Stack(stack.clone()))
    );
    assert_eq!(spec.depends_on, BTreeSet::from([stack]));
    assert_eq!((spec.recovery_days, spec.deletion_protection, spec.except.len()), (Some(14), true, 1));
    assert_eq!(spec.schedule.as_ref().unwrap().to_string(), "0 3 * * * Europe/Berlin");
    let min_age = Duration::from_hours(36);
    let retention = Retention { last: 3, daily: 7, weekly: 4, monthly: 12, min_age, keep_verified: 3 };
    assert_eq!(spec.retention, Some(retention));
    let copies: Vec<String> = spec.copy_to.iter().map(|(region, vault)| format!("{region} {vault}")).collect();
    assert_eq!(copies, ["us-west-2 landfast"]);
    assert_eq!(spec.verify.unwrap().sample, 500);
    assert_eq!(spec.objectives.rpo, Some(Duration::from_hours(24)));
}

#[test]
fn a_small_policy_has_sensible_defaults() {
    let spec =
        spec_of(&loaded("  tables: { prefix: '${env}-' }\n  schedule: '30 4 * * 1'\n  retention: { daily: 7 }\n"));
    assert_eq!(spec.tables, TableSelection::Prefix("dev-".to_owned()));
    assert_eq!(spec.schedule.unwrap().to_string(), "30 4 * * 1 UTC");
    let kept = spec.retention.unwrap();
    assert_eq!((kept.last, kept.min_age, kept.keep_verified), (1, Duration::from_hours(24), 2));
    assert_eq!((spec.recovery_days, spec.deletion_protection), (None, false));
}

#[test]
fn what_makes_no_sense_is_said_where_it_stands() {
    let wrong = [
        ("  tables: { stack: netwrk }\n  schedule: 0 3 * * *\n", "has no stack `netwrk`"),
        ("  tables: { prefix: a, names: [abc] }\n  schedule: 0 3 * * *\n", "exactly one of"),
        ("  tables: { prefix: '' }\n  schedule: 0 3 * * *\n", "every table in the account"),
        ("  tables: { names: [a b c] }\n  schedule: 0 3 * * *\n", "a table name"),
        ("  tables: { prefix: dev- }\n", "has no effect: set"),
        ("  tables: { prefix: dev- }\n  pointInTimeRecovery: { window: 40d }\n", "at most 35d"),
        ("  tables: { prefix: dev- }\n  pointInTimeRecovery: { window: 36h }\n", "whole days"),
        ("  tables: { prefix: dev- }\n  schedule: 0 25 * * *\n", "cron expression"),
        ("  tables: { prefix: dev- }\n  schedule: 0 0 31 2 *\n", "never comes"),
        ("  tables: { prefix: dev- }\n  schedule: '* * * * *'\n", "more often"),
        ("  tables: { prefix: dev- }\n  schedule: 0 3 * * *\n  timezone: Mars/Base\n", "unknown time zone"),
        (
            "  tables: { prefix: dev- }\n  deletionProtection: true\n  retention: { daily: 1 }\n",
            "`retention` has no effect",
        ),
        ("  tables: { prefix: dev- }\n  schedule: 0 3 * * *\n  copyTo: [us-west-2]\n", "needs `vault`"),
        (
            "  tables: { prefix: dev- }\n  schedule: 0 3 * * *\n  vault: { name: ab, role: r }\n  copyTo: [us-east-1]\n",
            "other than the tables",
        ),
    ];
    let mut told = String::new();
    for (spec, message) in wrong {
        let loaded = loaded(spec);
        let place = said(&loaded);
        let problems: Vec<String> = place
            .iter()
            .zip(&loaded.diagnostics)
            .map(|(place, problem)| format!("{place}\n    {}\n", problem.message))
            .collect();
        let marked = if problems.concat().contains(message) { "" } else { "NOT SAID: " };
        writeln!(told, "{spec}{}{marked}{message}\n", problems.concat()).unwrap();
    }
    assert!(!told.contains("NOT SAID"), "{told}");
    insta::assert_snapshot!("wrong_backups", told);
}
