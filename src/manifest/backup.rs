//! `BackupPolicy`: its document, and the desired policy that it becomes in an environment.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;
use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;

use super::document::{ApiVersion, Metadata, Or, duration_or_reference_schema, number_schema};
use super::made::Made;
use super::maker::{At, Maker, Resource};
use super::readiness::CheckDocument;
use crate::model::{
    BackupSpec, Digest, Key, Kind, Objectives, Region, Retention, Schedule, TableName, TableSelection, TestedPoint,
    VaultName, VaultSpec, VerifySpec, WrongSchedule,
};

const DAY: Duration = Duration::from_hours(24);
/// How far point-in-time recovery goes back (AWS: *`PointInTimeRecoverySpecification`*, `RecoveryPeriodInDays`).
const WINDOW: RangeInclusive<Duration> = DAY..=Duration::from_hours(35 * 24);
const UTC: &str = "UTC";

/// Marks the document as a backup policy.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
enum BackupKind {
    /// A backup policy.
    BackupPolicy,
}

/// How DynamoDB tables are backed up, instantiated in every environment that includes this file.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(title = "Landfast backup policy")]
pub(super) struct BackupDocument {
    /// The version of the manifest language.
    #[expect(dead_code, reason = "checked by its type")]
    api_version: ApiVersion,
    /// The kind of document.
    #[expect(dead_code, reason = "checked by its type")]
    kind: BackupKind,
    /// The object's metadata.
    #[expect(dead_code, reason = "read from the tree, so that it is known of broken documents too")]
    metadata: Metadata,
    /// The desired state.
    spec: BackupDocumentSpec,
}

/// What a backup policy covers and requires. Texts can contain `${env}`, `${system}`, `${account}`, `${region}`,
/// `${values.name}`, `${parameters.Name}` and, where stated, `${stacks.name.outputs.Key}`.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "BackupPolicySpec")]
struct BackupDocumentSpec {
    /// Which tables it covers.
    tables: TablesDocument,
    /// Point-in-time recovery. If omitted, not managed. Landfast never disables it.
    #[serde(default)]
    point_in_time_recovery: Option<RecoveryDocument>,
    /// `true` enables deletion protection. Landfast never disables it. If omitted, not managed.
    #[serde(default)]
    deletion_protection: Option<Or<bool>>,
    /// When backups are created: a cron expression of minute, hour, day of month, month and day of week. If omitted,
    /// there are no scheduled backups. After missed times, one backup is created.
    #[serde(default)]
    schedule: Option<String>,
    /// The time zone of the schedule, and of the days, weeks and months of the retention: for example `Europe/Berlin`;
    /// default `UTC`.
    #[serde(default)]
    timezone: Option<String>,
    /// How long backups are kept. If omitted, forever.
    #[serde(default)]
    retention: Option<RetentionDocument>,
    /// The AWS Backup vault that stores the backups, so that they can be copied; and from which tables are restored in
    /// place, from copies of other regions too. Required with `copyTo`.
    #[serde(default)]
    vault: Option<VaultDocument>,
    /// Regions that get a copy of every backup: a list, if the vaults there have the same name as this one; or a
    /// mapping from region to vault name.
    #[serde(default)]
    copy_to: Option<CopiesDocument>,
    /// How often backups are tested by a restore. If omitted, never.
    #[serde(default)]
    verify: Option<VerifyDocument>,
    /// Recovery objectives.
    #[serde(default)]
    objectives: Option<ObjectivesDocument>,
    /// The region of the tables. Default: the environment's region.
    #[serde(default)]
    #[expect(dead_code, reason = "read from the tree, as for every kind")]
    region: Option<String>,
    /// Checks that must pass before the policy is ready for its dependents.
    #[serde(default)]
    #[expect(dead_code, reason = "read from the tree, as for every kind")]
    ready: Vec<CheckDocument>,
    /// Objects of this environment that must be ready first: a stack by its name, others as `service/name`. Needed only
    /// for dependencies that no reference shows.
    #[serde(default)]
    #[expect(dead_code, reason = "read from the tree, as for every kind")]
    depends_on: Vec<String>,
}

/// Which tables: exactly one of `stack`, `names`, `prefix` and `tagged`.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "Tables")]
struct TablesDocument {
    /// Every table of this stack of the environment, and of its nested stacks.
    #[serde(default)]
    stack: Option<String>,
    /// Tables with these names. Stack outputs can be used.
    #[serde(default)]
    names: Option<Vec<String>>,
    /// Every table of the account and region whose name starts with this.
    #[serde(default)]
    prefix: Option<String>,
    /// Every table of the account and region that has all of these tags.
    #[serde(default)]
    tagged: Option<BTreeMap<String, String>>,
    /// Names of tables to exclude.
    #[serde(default)]
    except: Vec<String>,
}

/// Point-in-time recovery.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "PointInTimeRecovery")]
struct RecoveryDocument {
    /// How far back a table can be restored to any second: `1d` to `35d` (the default). A shorter window than the
    /// current one deletes history and needs approval.
    #[serde(default)]
    #[schemars(schema_with = "duration_or_reference_schema")]
    window: Option<String>,
}

/// How long backups are kept. A backup is kept if any of these rules keeps it. None is deleted before a newer backup
/// exists.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "Retention")]
struct RetentionDocument {
    /// The number of newest backups to keep; default 1.
    #[serde(default)]
    #[schemars(schema_with = "number_schema::<1, 1000>")]
    last: Option<Or<i64>>,
    /// The number of days for which the newest backup of the day is kept; default 0.
    #[serde(default)]
    #[schemars(schema_with = "number_schema::<0, 1000>")]
    daily: Option<Or<i64>>,
    /// The number of weeks for which the newest backup of the week is kept; default 0.
    #[serde(default)]
    #[schemars(schema_with = "number_schema::<0, 1000>")]
    weekly: Option<Or<i64>>,
    /// The number of months for which the newest backup of the month is kept; default 0.
    #[serde(default)]
    #[schemars(schema_with = "number_schema::<0, 1000>")]
    monthly: Option<Or<i64>>,
    /// Minimum age before a backup is deleted; default `24h`.
    #[serde(default)]
    #[schemars(schema_with = "duration_or_reference_schema")]
    min_age: Option<String>,
    /// The number of newest backups to keep that a restore test has verified; default 2.
    #[serde(default)]
    #[schemars(schema_with = "number_schema::<1, 1000>")]
    keep_verified: Option<Or<i64>>,
}

/// A vault of AWS Backup.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "Vault")]
struct VaultDocument {
    /// Its name.
    name: String,
    /// The ARN of the role that AWS Backup uses. Stack outputs can be used.
    role: String,
}

/// Regions, or regions with vaults.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
enum CopiesDocument {
    /// Regions in which the vault has the same name.
    List(Vec<String>),
    /// Regions, each with its vault.
    Vaults(BTreeMap<String, String>),
}

/// How often backups are tested by a restore.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "Verify")]
struct VerifyDocument {
    /// The interval for each table, for example `7d`.
    #[schemars(schema_with = "duration_or_reference_schema")]
    every: String,
    /// The number of items to compare; default 1,000.
    #[serde(default)]
    #[schemars(schema_with = "number_schema::<1, 10000>")]
    sample: Option<Or<i64>>,
    /// Which backup is restored; default: the newest.
    #[serde(default)]
    point: Option<TestedPoint>,
    /// Tolerated percentage of items that differ from the live table, for each day of the backup's age; default 10.
    /// Items that were deleted since do not count.
    #[serde(default)]
    #[schemars(schema_with = "number_schema::<0, 100>")]
    tolerance: Option<Or<i64>>,
}

/// Recovery objectives. A policy whose measured values exceed them is not ready.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "Objectives")]
struct ObjectivesDocument {
    /// Maximum duration of a restore.
    #[serde(default)]
    #[schemars(schema_with = "duration_or_reference_schema")]
    rto: Option<String>,
    /// Maximum age of the restored data.
    #[serde(default)]
    #[schemars(schema_with = "duration_or_reference_schema")]
    rpo: Option<String>,
}

impl Resource for BackupDocument {
    fn make(&self, maker: &mut Maker<'_>) -> Option<Made> {
        self.spec.policy(maker).map(Box::new).map(Made::Backup)
    }
}

impl BackupDocumentSpec {
    fn policy(&self, maker: &mut Maker<'_>) -> Option<BackupSpec> {
        let spec = maker.at(&["spec"]);
        let tables = self.tables.selection(maker, spec.key("tables"));
        let except = self.tables.except(maker, spec.key("tables").key("except"));
        let recovery_days = self.recovery_days(maker, spec.key("pointInTimeRecovery"));
        let place = spec.key("deletionProtection");
        let deletion_protection = maker.flag(self.deletion_protection.as_ref(), place, "deletionProtection");
        let schedule = self.schedule(maker, spec);
        let retention = self.retention.as_ref().map(|given| given.retention(maker, spec.key("retention")));
        let vault = self.vault.as_ref().and_then(|given| given.vault(maker, spec.key("vault")));
        let copy_to = self.copies(maker, spec, vault.as_ref());
        let verify = self.verify.as_ref().and_then(|given| given.verify(maker, spec.key("verify")));
        let objectives = self.objectives.as_ref();
        let objectives = objectives.map(|given| given.objectives(maker, spec.key("objectives"))).unwrap_or_default();
        let backs_up = spec.key("pointInTimeRecovery").is_given() || spec.key("schedule").is_given();
        if !backs_up && !deletion_protection {
            let message = "the policy has no effect: set `pointInTimeRecovery`, `schedule` or `deletionProtection`";
            let problem = maker.error("missing-field", message, spec);
            maker.add(problem);
        }
        if !backs_up && self.verify.is_some() {
            maker.wrong("restore tests need `pointInTimeRecovery` or `schedule`", spec.key("verify"));
        }
        let (scope, tables) = (maker.scope(), tables?);
        let kept = (recovery_days, deletion_protection, &schedule, &retention);
        let digest = Digest::of(&(&scope, &tables, &except, kept, (&vault, &copy_to), verify, objectives));
        Some(BackupSpec {
            key: maker.key.clone(),
            scope,
            tables,
            except,
            recovery_days,
            deletion_protection,
            schedule,
            retention,
            vault,
            copy_to,
            verify,
            objectives,
            depends_on: BTreeSet::new(),
            digest,
        })
    }

    fn recovery_days(&self, maker: &mut Maker<'_>, at: At<'_>) -> Option<u16> {
        let given = self.point_in_time_recovery.as_ref()?;
        let Some(window) = &given.window else { return Some(35) };
        let window = maker.duration(Some(window), at.key("window"), "window", WINDOW)?;
        if !window.as_secs().is_multiple_of(DAY.as_secs()) {
            maker.wrong("`window` must be whole days", at.key("window"));
        }
        u16::try_from(window.as_secs() / DAY.as_secs()).ok()
    }

    fn schedule(&self, maker: &mut Maker<'_>, spec: At<'_>) -> Option<Schedule> {
        let zone = match &self.timezone {
            Some(zone) => maker.closed(zone, spec.key("timezone"))?,
            None => UTC.to_owned(),
        };
        let given = self.schedule.as_ref().map(|pattern| maker.closed(pattern, spec.key("schedule")));
        let Some(given) = given else {
            for field in ["timezone", "retention", "copyTo"].into_iter().filter(|field| spec.key(field).is_given()) {
                maker.wrong(format!("`{field}` has no effect without `schedule`"), spec.key(field));
            }
            return None;
        };
        match Schedule::new(&given?, &zone) {
            Ok(schedule) => Some(schedule),
            Err(why @ WrongSchedule::Zone(_)) => {
                let problem = maker.error("invalid-value", why.to_string(), spec.key("timezone"));
                let problem = problem.help("use a time zone name of the IANA database: `Europe/Berlin`, `UTC`");
                maker.add(problem.suggest(&zone, Schedule::zones().iter().map(String::as_str)));
                None
            }
            Err(why) => {
                let problem = maker.error("invalid-value", why.to_string(), spec.key("schedule"));
                maker.add(problem.help("every day at three: `0 3 * * *`"));
                None
            }
        }
    }

    fn copies(&self, maker: &mut Maker<'_>, spec: At<'_>, vault: Option<&VaultSpec>) -> BTreeMap<Region, VaultName> {
        let at = spec.key("copyTo");
        let given: Vec<(&String, Option<&String>, At<'_>)> = match &self.copy_to {
            None => Vec::new(),
            Some(CopiesDocument::List(regions)) => {
                regions.iter().zip(at.items()).map(|(region, at)| (region, None, at)).collect()
            }
            Some(CopiesDocument::Vaults(vaults)) => {
                vaults.iter().map(|(region, vault)| (region, Some(vault), at.key(region))).collect()
            }
        };
        if self.copy_to.is_some() && self.vault.is_none() {
            let message = "`copyTo` needs `vault`: only recovery points in an AWS Backup vault can be copied";
            let problem = maker.error("missing-field", message, spec.key("copyTo"));
            maker.add(problem);
        }
        let home = maker.scope().region;
        let mut copies = BTreeMap::new();
        for (region, name, at) in given {
            let Some(region) = maker.parsed::<Region>(region, at) else { continue };
            let name = match name {
                Some(name) => maker.parsed::<VaultName>(name, at),
                None => vault.map(|vault| vault.name.clone()),
            };
            if region == home {
                maker.wrong("the copy must be in a region other than the tables", at);
            }
            let Some(name) = name else { continue };
            if copies.insert(region.clone(), name).is_some() {
                maker.wrong(format!("`{region}` is listed twice"), at);
            }
        }
        copies
    }
}

impl TablesDocument {
    fn selection(&self, maker: &mut Maker<'_>, at: At<'_>) -> Option<TableSelection> {
        let known = ["stack", "names", "prefix", "tagged"];
        if known.into_iter().filter(|field| at.key(field).is_given()).count() != 1 {
            maker.wrong("set exactly one of `stack`, `names`, `prefix` and `tagged`", at);
            return None;
        }
        if let Some(stack) = &self.stack {
            return Self::stack(maker, stack, at.key("stack")).map(TableSelection::Stack);
        }
        if let Some(names) = &self.names {
            let place = at.key("names");
            if names.is_empty() {
                maker.wrong("`names` is empty", place);
            }
            let mut texts = Vec::new();
            for (name, at) in names.iter().zip(place.items()) {
                let Some(text) = maker.open(name, at) else { continue };
                if let Some(Err(why)) = text.as_literal().map(str::parse::<TableName>) {
                    maker.wrong(why.to_string(), at);
                }
                if texts.contains(&text) {
                    maker.wrong(format!("`{text}` is listed twice"), at);
                }
                texts.push(text);
            }
            return (texts.len() == names.len()).then_some(TableSelection::Names(texts));
        }
        if let Some(prefix) = &self.prefix {
            let prefix = maker.closed(prefix, at.key("prefix"))?;
            if prefix.is_empty() {
                maker.wrong("an empty `prefix` would cover every table in the account", at.key("prefix"));
            }
            return Some(TableSelection::Prefix(prefix));
        }
        let mut tags = BTreeMap::new();
        for (name, value) in self.tagged.iter().flatten() {
            tags.insert(name.clone(), maker.closed(value, at.key("tagged").key(name))?);
        }
        if tags.is_empty() {
            maker.wrong("`tagged` is empty", at.key("tagged"));
            return None;
        }
        Some(TableSelection::Tagged(tags))
    }

    fn stack(maker: &mut Maker<'_>, name: &str, at: At<'_>) -> Option<Key> {
        let name = maker.closed(name, at)?;
        if let Some(key) = maker.member(Kind::Stack, &name) {
            maker.waits_for(key.clone(), at, "tables");
            return Some(key);
        }
        let problem =
            maker.error("unknown-stack", format!("`{}` has no stack `{name}`", maker.environment()), at).absent(&name);
        let known = maker.around.members.addresses();
        let problem = maker.around.guesses.suggest(problem, &name, known.iter().map(String::as_str));
        maker.add(problem);
        None
    }

    fn except(&self, maker: &mut Maker<'_>, at: At<'_>) -> BTreeSet<TableName> {
        self.except.iter().zip(at.items()).filter_map(|(name, at)| maker.parsed(name, at)).collect()
    }
}

impl RetentionDocument {
    fn retention(&self, maker: &mut Maker<'_>, at: At<'_>) -> Retention {
        let mut number = |given: &Option<Or<i64>>, default: u16, least: i64, field: &str| -> u16 {
            maker.number(given.as_ref(), default, least..=1000, at.key(field), field)
        };
        let last = number(&self.last, 1, 1, "last");
        let daily = number(&self.daily, 0, 0, "daily");
        let weekly = number(&self.weekly, 0, 0, "weekly");
        let monthly = number(&self.monthly, 0, 0, "monthly");
        let keep_verified = number(&self.keep_verified, 2, 1, "keepVerified");
        let limits = Duration::from_hours(1)..=Duration::from_hours(24 * 365);
        let min_age = maker.duration(self.min_age.as_deref(), at.key("minAge"), "minAge", limits);
        Retention { last, daily, weekly, monthly, min_age: min_age.unwrap_or(DAY), keep_verified }
    }
}

impl VaultDocument {
    fn vault(&self, maker: &mut Maker<'_>, at: At<'_>) -> Option<VaultSpec> {
        let name = maker.parsed(&self.name, at.key("name"));
        let role = maker.open(&self.role, at.key("role"));
        Some(VaultSpec { name: name?, role: role? })
    }
}

impl VerifyDocument {
    fn verify(&self, maker: &mut Maker<'_>, at: At<'_>) -> Option<VerifySpec> {
        let limits = Duration::from_hours(1)..=Duration::from_hours(24 * 365);
        let every = maker.duration(Some(&self.every), at.key("every"), "every", limits);
        let sample = maker.number(self.sample.as_ref(), 1000u32, 1..=10_000, at.key("sample"), "sample");
        let tolerance = maker.number(self.tolerance.as_ref(), 10_u32, 0..=100, at.key("tolerance"), "tolerance");
        let point = self.point.unwrap_or_default();
        Some(VerifySpec { every: every?, sample, point, tolerance_milli: tolerance * 10 })
    }
}

impl ObjectivesDocument {
    fn objectives(&self, maker: &mut Maker<'_>, at: At<'_>) -> Objectives {
        let limits = Duration::from_mins(1)..=Duration::from_hours(24 * 365);
        let rto = maker.duration(self.rto.as_deref(), at.key("rto"), "rto", limits.clone());
        let rpo = maker.duration(self.rpo.as_deref(), at.key("rpo"), "rpo", limits);
        Objectives { rto, rpo }
    }
}

/// What it is about: no two manifests may mean the same.
pub(super) fn identity(spec: &BackupSpec) -> String {
    let names = match &spec.tables {
        TableSelection::Names(names) => names.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "),
        other => other.to_string(),
    };
    format!("{} of {}", names, spec.scope)
}
