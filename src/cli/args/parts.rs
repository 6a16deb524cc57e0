//! Arguments that several commands share, or that are many.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand, ValueEnum};

use super::forms::Output;
use crate::controller::ReportPlace;
use crate::model::{PointId, Region, Serving, TableName};

/// Which objects a command is about.
#[derive(Debug, Clone, Default, Args)]
pub struct Targets {
    /// Environments, objects or patterns: dev, dev/stack/network, 'dev/service/*' [default: everything].
    #[arg(value_name = "TARGET")]
    pub targets: Vec<String>,
}

/// Which environments a command is about.
#[derive(Debug, Clone, Default, Args)]
pub struct Environments {
    /// Environments, or patterns of their names [default: all].
    #[arg(value_name = "ENVIRONMENT")]
    pub environments: Vec<String>,
}

/// What is applied, and how it is approved.
#[derive(Debug, Clone, Args)]
pub struct ApplyArgs {
    #[command(flatten)]
    pub environments: Environments,
    /// Apply every environment, in alphabetical order.
    #[arg(long, conflicts_with = "environments")]
    pub all: bool,
    /// Do not ask. What the policy leaves to a person is not done.
    #[arg(short, long, visible_alias = "auto-approve")]
    pub yes: bool,
    /// Approve the plan with this digest, as `plan` showed it. Refused if the plan changed since.
    #[arg(long, value_name = "DIGEST", conflicts_with_all = ["yes", "all"])]
    pub plan: Option<String>,
    /// Only show the plan, as `landfast plan` does.
    #[arg(long, conflicts_with_all = ["yes", "plan"])]
    pub dry_run: bool,
    /// Go back to this commit, which is checked out and older than the commit that was accepted last. Newer commits are
    /// accepted without this option.
    #[arg(long, value_name = "COMMIT", value_parser = commit)]
    pub accept_older_commit: Option<String>,
    /// Format of the report.
    #[arg(short, long, default_value = "text")]
    pub output: Output,
}

/// What is frozen, why, and for how long.
#[derive(Debug, Clone, Args)]
#[command(group = clap::ArgGroup::new("end").required(true))]
pub struct FreezeArgs {
    /// What is frozen: `prod`, `prod/stack`, `prod/stack/network`, `'*/secret'` [default: the environment of --env, or
    /// everything].
    #[arg(value_name = "SCOPE")]
    pub scopes: Vec<String>,
    /// Why. Shown with everything that waits for the freeze.
    #[arg(long, value_name = "TEXT")]
    pub because: String,
    /// For how long: 90m, 2h, 3d.
    #[arg(long = "for", value_name = "DURATION", value_parser = duration, group = "end")]
    pub lasts: Option<Duration>,
    /// Until when: 2026-12-24T17:00:00Z, or 2026-12-24T18:00[Europe/Berlin].
    #[arg(long, value_name = "TIME", value_parser = moment, group = "end")]
    pub until: Option<jiff::Timestamp>,
    /// Until somebody thaws it.
    #[arg(long, group = "end")]
    pub until_thawed: bool,
}

/// What is thawed.
#[derive(Debug, Clone, Args)]
pub struct ThawArgs {
    /// IDs of freezes, or what was frozen, in the words of `landfast queue` [default: the environment of --env, or the
    /// freezes of everything].
    #[arg(value_name = "FREEZE|SCOPE")]
    pub freezes: Vec<String>,
    /// Thaw everything, whoever froze it.
    #[arg(long, conflicts_with = "freezes")]
    pub all: bool,
}

/// What to do with notifications.
#[derive(Debug, Clone, Subcommand)]
pub enum NotifyCommand {
    /// Send a test to every destination of the operator's configuration, or to one. Exit code 1 means that one was not
    /// delivered.
    Test {
        /// The destination.
        destination: Option<String>,
    },
}

/// Which plan is approved, for how long, and how that is signed.
#[derive(Debug, Clone, Args)]
pub struct ApproveArgs {
    /// The environment.
    pub environment: String,
    /// The digest of the plan, as it was shown. With all 64 digits no request is sent to AWS; with its code, the plan is made
    /// again and has to be the same.
    pub digest: String,
    /// How long the approval is valid: 90m, 2h, 3d [default: as the operator's configuration says, else 24h].
    #[arg(long = "for", value_name = "DURATION", value_parser = duration)]
    pub lasts: Option<Duration>,
    #[command(flatten)]
    pub signing: SigningArgs,
}

/// Which plan is rejected, and why.
#[derive(Debug, Clone, Args)]
pub struct RejectArgs {
    /// The environment.
    pub environment: String,
    /// The digest of the plan, as it was shown.
    pub digest: String,
    /// Why. Shown to whoever wants to apply the plan.
    #[arg(long, value_name = "TEXT")]
    pub because: String,
    #[command(flatten)]
    pub signing: SigningArgs,
}

/// How it is signed.
#[derive(Debug, Clone, Args)]
#[group(multiple = false)]
pub struct SigningArgs {
    /// Sign with this private SSH key (Ed25519, not encrypted). For every other key, use --print and `ssh-keygen`.
    #[arg(long, value_name = "FILE")]
    pub key: Option<PathBuf>,
    /// Print what has to be signed, and do nothing else. Write it to FILE, and sign it with `ssh-keygen -Y sign -n
    /// approval@landfast -f KEY FILE`.
    #[arg(long)]
    pub print: bool,
    /// Send what --print has written to this file, with the signature in FILE.sig.
    #[arg(long, value_name = "FILE")]
    pub signed: Option<PathBuf>,
}

/// What a new environment is.
#[derive(Debug, Clone, Args)]
pub struct InitArgs {
    /// Name of the environment: 2 to 10 lowercase letters and digits.
    pub environment: Option<String>,
    /// ID of its AWS account.
    #[arg(long, value_name = "ACCOUNT")]
    pub account: Option<String>,
    /// Its region.
    #[arg(long, value_name = "REGION")]
    pub region: Option<String>,
    /// Name of the system, which is part of the stacks' names.
    #[arg(long, value_name = "NAME", default_value = "hello")]
    pub system: String,
    /// Directory of the manifests to write to [default: --manifests, else `manifests`]. The files go to
    /// `environments/ENVIRONMENT` in it.
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
}

/// What is waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum WaitFor {
    /// In sync and healthy.
    Ready,
    /// In sync with the manifests.
    Synced,
    /// Healthy.
    Healthy,
    /// Deleted.
    Deleted,
}

/// What is done with the journal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Subcommand)]
pub enum StateCommand {
    /// Check that the journal can be read as a whole.
    Check,
    /// Print the journal as JSON, without the fingerprint key.
    Export,
}

/// How the daemon runs.
#[derive(Debug, Clone, Args)]
pub struct RunArgs {
    /// Reconcile until everything is settled, then exit.
    #[arg(long)]
    pub once: bool,
    /// With --once: give up after this time, with exit code 1. What was started goes on in AWS.
    #[arg(long, value_name = "DURATION", value_parser = duration, requires = "once")]
    pub timeout: Option<Duration>,
    /// How often everything is compared although no event arrived, give or take a tenth.
    #[arg(long, value_name = "DURATION", default_value = "5m", value_parser = duration)]
    pub resync: Duration,
    /// Go back to this commit once, which is older than the commit that was accepted last.
    #[arg(long, value_name = "COMMIT", value_parser = commit)]
    pub accept_older_commit: Option<String>,
    /// Receive the webhooks of Git sources at this address, for example 127.0.0.1:8321. Overrides `listen` of the operator's
    /// configuration.
    #[arg(long, env = "LANDFAST_LISTEN", value_name = "ADDRESS")]
    pub listen: Option<SocketAddr>,
    /// Serve `/livez`, `/readyz` and `/metrics` at this address of this machine, for example 127.0.0.1:9464. Other addresses are
    /// refused: the pages ask nobody who they are.
    #[arg(long, env = "LANDFAST_HEALTH_LISTEN", value_name = "ADDRESS")]
    pub health_listen: Option<SocketAddr>,
    /// Write drift reports there: pages and documents, the newest as `drift-latest`. A directory, or `s3://BUCKET/PREFIX`
    /// (with `?region=REGION` for a bucket elsewhere), which gets one report for each environment, written with its role.
    /// May be repeated.
    #[arg(long, value_name = "DIR|S3-URL")]
    pub drift_reports: Vec<ReportPlace>,
    /// How often a drift report is written.
    #[arg(long, value_name = "DURATION", default_value = "24h", value_parser = duration, requires = "drift_reports")]
    pub drift_report_every: Duration,
    /// How many drift reports are kept.
    #[arg(long, value_name = "NUMBER", default_value_t = 30, requires = "drift_reports")]
    pub drift_reports_kept: usize,
    /// With --cloud sim: how much faster than AWS the simulation is.
    #[arg(long, value_name = "FACTOR", default_value_t = 60.0, value_parser = factor)]
    pub sim_speed: f64,
}

/// What is to be adopted, and where its manifests go.
#[derive(Debug, Clone, Args)]
pub struct AdoptArgs {
    /// Name of the new environment: 2 to 10 lowercase letters and digits.
    pub environment: String,
    /// ID of the account. Any other account is refused.
    #[arg(long, value_name = "ACCOUNT")]
    pub account: String,
    /// The region.
    #[arg(long, value_name = "REGION")]
    pub region: String,
    /// ARN of the role to assume, now and by the new environment.
    #[arg(long, value_name = "ARN")]
    pub role: Option<String>,
    /// Name of a stack. May be repeated.
    #[arg(long, value_name = "NAME", num_args = 1.., required_unless_present = "all", conflicts_with = "all")]
    pub stack: Vec<String>,
    /// Every stack of the account and region that has no owner.
    #[arg(long)]
    pub all: bool,
    /// With --all: only stacks whose names begin with this text.
    #[arg(long, value_name = "TEXT", requires = "all")]
    pub prefix: Option<String>,
    /// The `system` in the naming rule `{env}-{system}-{name}` [default: what the stacks' names have in common].
    #[arg(long, value_name = "NAME")]
    pub system: Option<String>,
    /// Directory of the manifests to write to [default: --manifests]. The files go to `environments/ENVIRONMENT` in it.
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// Write even if something could not be read, or is missing.
    #[arg(long)]
    pub partial: bool,
    /// Write even if the environment exists. Its files are moved aside, not deleted.
    #[arg(long)]
    pub force: bool,
}

/// What `logs` is asked for.
#[derive(Debug, Args)]
pub struct LogsArgs {
    /// The service: dev/service/api.
    pub object: String,
    /// Only this container.
    #[arg(short, long, value_name = "NAME")]
    pub container: Option<String>,
    /// Print at most this many lines, the newest.
    #[arg(short = 'n', long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub limit: u32,
    /// Also print the lines of tasks that stopped within the last hour.
    #[arg(long)]
    pub stopped: bool,
    /// Keep printing new lines, until interrupted.
    #[arg(short, long)]
    pub follow: bool,
}

/// What `restore` is asked for.
#[derive(Debug, Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is an option")]
pub struct RestoreArgs {
    /// The backup policy that covers the table: dev/backuppolicy/tables.
    pub object: String,
    /// The table.
    #[arg(long, required_unless_present = "all")]
    pub table: Option<TableName>,
    #[command(flatten)]
    pub from: RestoreFromArgs,
    /// Restore the table under its own name. If a table of that name exists, it is deleted first; one item in it ends the
    /// restore and nothing is deleted. `--latest` restores the newest recovery point, copies from other regions included.
    #[arg(long, conflicts_with_all = ["to", "to_time"])]
    pub in_place: bool,
    /// Restore every table that the policy covers in place.
    #[arg(long, requires = "in_place", conflicts_with_all = ["table", "point"])]
    pub all: bool,
    /// Do not ask before tables are deleted that are restored in place.
    #[arg(long, requires = "in_place")]
    pub yes: bool,
    /// Name of the new table [default: the table's name and the time].
    #[arg(long = "as", value_name = "NAME")]
    pub to: Option<TableName>,
    /// Return at once; a daemon or the next `apply` restores it.
    #[arg(long)]
    pub no_wait: bool,
}

/// What a table is restored from.
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
pub struct RestoreFromArgs {
    /// The table at this time, to the second: 2026-01-01T00:00:00Z. Needs point-in-time recovery.
    #[arg(long, value_name = "TIME")]
    pub to_time: Option<jiff::Timestamp>,
    /// This recovery point.
    #[arg(long, value_name = "ID")]
    pub point: Option<PointId>,
    /// The latest restorable time: about five minutes ago. Needs point-in-time recovery, except with `--in-place`.
    #[arg(long)]
    pub latest: bool,
}

/// What is asked of backup policies.
#[derive(Debug, Subcommand)]
pub enum BackupCommand {
    /// Print the recovery points of backup policies, removed policies included.
    List {
        #[command(flatten)]
        environments: Environments,
        /// Format of the report.
        #[arg(short, long, default_value = "text")]
        output: Output,
    },
    /// Request a backup of a policy's tables. The daemon, or the next `apply`, makes it.
    Now {
        /// The backup policy: dev/backuppolicy/tables.
        object: String,
    },
    /// Print which policy covers each table. Exit code 2 means that a table is not covered.
    Coverage {
        #[command(flatten)]
        environments: Environments,
        /// Format of the report.
        #[arg(short, long, default_value = "text")]
        output: Output,
    },
    /// Request a restore test: the table is restored into a temporary table, which is compared, measured and deleted.
    Verify {
        /// The backup policy: dev/backuppolicy/tables.
        object: String,
        /// The table [default: all tables that the policy covers].
        #[arg(long)]
        table: Option<TableName>,
        /// Return at once; a daemon or the next `apply` runs the test.
        #[arg(long)]
        no_wait: bool,
    },
}

/// What is asked of secrets.
#[derive(Debug, Subcommand)]
pub enum SecretCommand {
    /// Show versions, field names and rotation, from the journal.
    Status {
        #[command(flatten)]
        environments: Environments,
    },
    /// Request new values for the generated fields of a secret. The daemon, or the next `apply`, makes them.
    Rotate {
        /// The secret: dev/secret/app-secrets.
        object: String,
    },
}

/// What to do with traffic.
#[derive(Debug, Subcommand)]
pub enum TrafficCommand {
    /// Show which region traffic was sent to, and whether anything but Landfast can move it. Exit code 2 means that
    /// something can.
    Status {
        #[command(flatten)]
        environments: Environments,
    },
    /// Send traffic to the primary or to the standby. No record and no health check is changed: a metric is published,
    /// once a minute while the daemon runs, and the health check keeps its last status when it does not.
    Send {
        /// The primary failover record: prod/dnsrecord/api.
        object: String,
        /// Who is to serve: primary or standby.
        #[arg(long, value_name = "primary|standby")]
        to: Serving,
        /// Why. It is written to the journal.
        #[arg(long, value_name = "REASON")]
        because: String,
        /// The region of the alarm, for when Route 53 cannot be asked for it.
        #[arg(long, value_name = "REGION")]
        region: Option<Region>,
    },
}

/// What to do with events.
#[derive(Debug, Subcommand)]
pub enum EventsCommand {
    /// The queue in which events of AWS arrive.
    Source {
        #[command(subcommand)]
        command: EventSourceCommand,
    },
}

/// What to do with the queue of events.
#[derive(Debug, Subcommand)]
pub enum EventSourceCommand {
    /// Wait for a heartbeat of each account and region, which a rule sends every minute by the way of all events, and print
    /// how late it is. Exit code 1 means that one is missing.
    Check {
        #[command(flatten)]
        environments: Environments,
        /// How long to wait.
        #[arg(long, value_name = "DURATION", value_parser = duration, default_value = "3m")]
        timeout: Duration,
        /// Format of the report.
        #[arg(short, long, default_value = "text")]
        output: Output,
    },
}

/// What to do with images in quarantine.
#[derive(Debug, Subcommand)]
pub enum Quarantine {
    /// Print the images in quarantine, and why they failed.
    List {
        #[command(flatten)]
        environments: Environments,
    },
    /// Allow an image to be deployed again.
    Release {
        /// The service: dev/service/api.
        object: String,
        /// Tag or digest of the image.
        image: String,
    },
}

/// A duration as people write it.
pub(super) fn duration(text: &str) -> Result<Duration, String> {
    humantime::parse_duration(text).map_err(|error| format!("{error}; write 90s, 5m or 1h"))
}

/// A commit's id, or so much of it that it means no other one.
pub(super) fn commit(text: &str) -> Result<String, String> {
    let is_id = (7..=64).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    if is_id {
        Ok(text.to_ascii_lowercase())
    } else {
        Err("write a commit ID: at least 7 hexadecimal digits".to_owned())
    }
}

fn factor(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(factor) if factor.is_finite() && factor > 0.0 => Ok(factor),
        _ => Err("write a number greater than 0".to_owned()),
    }
}

/// A moment: with an offset from UTC, or with a time zone.
fn moment(text: &str) -> Result<jiff::Timestamp, String> {
    let zoned = || text.parse::<jiff::Zoned>().map(|zoned| zoned.timestamp());
    text.parse::<jiff::Timestamp>()
        .or_else(|_| zoned())
        .map_err(|_| "write 2026-12-24T17:00:00Z or 2026-12-24T18:00[Europe/Berlin]".to_owned())
}
