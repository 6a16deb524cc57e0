//! What can be asked for.

use std::path::PathBuf;
use std::time::Duration;

use clap::builder::styling::{AnsiColor, Styles};
use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::controller::ReportPlace;
use crate::model::{PointId, TableName};

const STYLES: Styles = Styles::styled()
    .header(AnsiColor::Green.on_default().bold())
    .usage(AnsiColor::Green.on_default().bold())
    .literal(AnsiColor::Cyan.on_default().bold())
    .placeholder(AnsiColor::Cyan.on_default());

const EXITS: &str = "Exit codes:
  0   in sync, or done
  1   something failed
  2   there are differences
  3   a person must decide: approve a plan, release a guard
  64  the command line is wrong
  65  the manifests are wrong; nothing was changed";

/// Keeps AWS environments fastened to the manifests in Git.
#[derive(Debug, Parser)]
#[command(name = "landfast", version, styles = STYLES, after_help = EXITS, max_term_width = 100, propagate_version = true)]
pub struct Cli {
    /// Options of every command.
    #[command(flatten)]
    pub global: Global,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// Options of every command.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Global options")]
pub struct Global {
    /// Directory of the manifests [default: `manifests` if it exists, else the current directory].
    #[arg(short, long, global = true, env = "LANDFAST_MANIFESTS", value_name = "DIR")]
    pub manifests: Option<PathBuf>,
    /// The operator's own configuration, which limits what the manifests may ask for; never a file of theirs [default:
    /// `/etc/landfast/landfast.toml`, else `landfast.toml` here, if there is one].
    #[arg(long, global = true, env = "LANDFAST_CONFIG", value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Directory of the journal: what has to outlive the process.
    #[arg(long, global = true, env = "LANDFAST_STATE", value_name = "DIR", default_value = ".landfast")]
    pub state: PathBuf,
    /// The cloud: AWS, or a simulation that is kept in the state directory and needs no account.
    #[arg(long, global = true, env = "LANDFAST_CLOUD", value_name = "CLOUD", default_value = "aws")]
    pub cloud: CloudKind,
    /// Profile of the AWS configuration files.
    #[arg(long, global = true, value_name = "NAME")]
    pub profile: Option<String>,
    /// Endpoint of an emulator or a proxy, in place of AWS's.
    #[arg(long, global = true, env = "AWS_ENDPOINT_URL", value_name = "URL")]
    pub endpoint_url: Option<String>,
    /// File with age identities, to open sealed secrets with.
    #[arg(long, global = true, env = "LANDFAST_IDENTITY", value_name = "FILE")]
    pub identity: Option<PathBuf>,
    /// File with an age identity that seals the key of fingerprints in the journal, so that the journal alone is not
    /// enough to try values by.
    #[arg(long, global = true, env = "LANDFAST_FINGERPRINT_KEY", value_name = "FILE")]
    pub fingerprint_key: Option<PathBuf>,
    /// When to colour.
    #[arg(long, global = true, value_name = "WHEN", default_value = "auto")]
    pub color: Color,
    /// More log lines on standard error: -v info, -vv debug (`LANDFAST_LOG` takes a filter).
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub verbose: u8,
    /// Form of the log lines.
    #[arg(long, global = true, env = "LANDFAST_LOG_FORMAT", value_name = "FORM", default_value = "text")]
    pub log_format: LogFormat,
}

/// Which cloud.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum CloudKind {
    /// Amazon Web Services, or what answers at `--endpoint-url`.
    Aws,
    /// The embedded simulation.
    Sim,
}

/// When to colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Color {
    /// When a terminal is attached and `NO_COLOR` is not set.
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// Form of log lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

/// Form of reports.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Output {
    /// For people.
    Text,
    /// For programs: versioned, with a schema (`landfast schema`).
    Json,
}

/// Form of a plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum PlanOutput {
    /// For people.
    Text,
    /// For programs: versioned, with a schema (`landfast schema`).
    Json,
    /// For a pull request: at most 65,000 characters.
    Markdown,
}

impl From<Output> for PlanOutput {
    fn from(output: Output) -> Self {
        match output {
            Output::Text => Self::Text,
            Output::Json => Self::Json,
        }
    }
}

/// Form of a drift report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum DriftOutput {
    /// For a terminal.
    Text,
    /// For programs: versioned, with a schema (`landfast schema`).
    Json,
    /// For a merge request or a chat.
    Markdown,
    /// One page that needs nothing else.
    Html,
    /// For code hosts that show findings beside the code (SARIF 2.1.0).
    Sarif,
    /// For CI systems that show tests.
    Junit,
}

/// Form of a graph.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum GraphFormat {
    /// A tree, for the terminal.
    Tree,
    /// For Markdown that renders Mermaid.
    Mermaid,
    /// For Graphviz.
    Dot,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Check the manifests: everything that is wrong, with its place. Asks AWS nothing.
    Validate {
        /// Directory of the manifests, in place of --manifests.
        path: Option<PathBuf>,
        /// Form of the report.
        #[arg(short, long, default_value = "text")]
        output: Output,
    },
    /// Print the JSON Schemas of manifests and reports, or write them to a directory.
    Schema {
        /// Write one file each to this directory.
        #[arg(long, value_name = "DIR")]
        out: Option<PathBuf>,
    },
    /// Show what depends on what.
    Graph {
        /// Only this environment.
        environment: Option<String>,
        /// Form of the graph.
        #[arg(short, long, default_value = "tree")]
        format: GraphFormat,
    },
    /// Show what would be done and why. Changes nothing and leaves nothing behind. Exit 2 if there are differences.
    Plan {
        /// Only this environment.
        environment: Option<String>,
        /// Ask the web servers that checks name, too. Without it a plan sends nothing but reads to AWS, so that a pull
        /// request's author cannot have it ask a server of their choice.
        #[arg(long)]
        probe: bool,
        /// Plan as `apply` with the same option does.
        #[arg(long, value_name = "COMMIT", value_parser = commit)]
        accept_older_commit: Option<String>,
        /// Form of the report.
        #[arg(short, long, default_value = "text")]
        output: PlanOutput,
    },
    /// Print stacks as they would be sent to CloudFormation now: template, parameters, tags. Secret values are hidden.
    /// Changes nothing.
    Render {
        /// A stack (dev/stack/network), or an environment: all of its stacks.
        #[arg(value_name = "OBJECT|ENVIRONMENT")]
        what: String,
        /// Form: YAML, or JSON with a schema.
        #[arg(short, long, default_value = "text")]
        output: Output,
    },
    /// Check what must be there before anything is deployed: credentials, permissions, resource types, quotas,
    /// certificates. Changes nothing. Exit 1 if something is missing.
    Preflight {
        /// Only this environment.
        environment: Option<String>,
        /// Where `run` will leave reports of drift: what a bucket needs is checked too.
        #[arg(long, value_name = "DIR|S3-URL")]
        drift_reports: Vec<ReportPlace>,
        /// Form of the report.
        #[arg(short, long, default_value = "text")]
        output: Output,
    },
    /// Compare everything that stacks have deployed with what is there. Takes some minutes. Exit 2 if something differs.
    Drift {
        /// Only this environment.
        environment: Option<String>,
        /// Form of the report.
        #[arg(short, long, default_value = "text")]
        output: DriftOutput,
        /// Write the report to this file.
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
        /// Put back what was last found of this object, whatever policy says of drift: `dev/stack/msk`.
        #[arg(long, value_name = "OBJECT", conflicts_with_all = ["environment", "out"])]
        revert: Option<String>,
    },
    /// Write manifests and templates for what already runs, so that the plan has nothing to do but to take ownership.
    /// Changes nothing, and reads no value of a secret.
    Adopt(AdoptArgs),
    /// Do what the plan says, and follow it to its end.
    Apply {
        /// Only this environment.
        environment: Option<String>,
        /// Do not ask. What policy leaves to a person stays undone.
        #[arg(short, long)]
        yes: bool,
        /// Approve exactly the plan with this digest, as `plan` has shown it; refused if the world has moved.
        #[arg(long, value_name = "DIGEST")]
        plan: Option<String>,
        /// Go back to this commit, which is older than the one that was accepted last, and now checked out. Newer ones are
        /// accepted without it.
        #[arg(long, value_name = "COMMIT", value_parser = commit)]
        accept_older_commit: Option<String>,
        /// Form of the report.
        #[arg(short, long, default_value = "text")]
        output: Output,
    },
    /// Say what ails the stacks, what shows it, and what would cure it. Exit code 3: a person has to decide.
    Doctor {
        /// Only this environment.
        environment: Option<String>,
        /// Form of the report.
        #[arg(short, long, default_value = "text")]
        output: Output,
        /// Say of a stack (dev/stack/network) that what a rollback was continued without is as its template says: it is
        /// updated again from then on.
        #[arg(long, value_name = "OBJECT", conflicts_with_all = ["environment", "output"])]
        in_step: Option<String>,
    },
    /// The daemon: watch the manifests and keep every environment as they say.
    Run {
        /// Reconcile once, until everything is settled, and end.
        #[arg(long)]
        once: bool,
        /// How often to look although nothing happened, give or take a tenth.
        #[arg(long, value_name = "DURATION", default_value = "5m", value_parser = duration)]
        resync: Duration,
        /// Go back to this commit once, which is older than the one that was accepted last.
        #[arg(long, value_name = "COMMIT", value_parser = commit)]
        accept_older_commit: Option<String>,
        /// Leave reports of drift there: pages and documents, the newest as `drift-latest`. A directory, or
        /// `s3://BUCKET/PREFIX` (with `?region=REGION` where the bucket is elsewhere), which gets one report for each
        /// environment, sent by its role. May be given more than once.
        #[arg(long, value_name = "DIR|S3-URL")]
        drift_reports: Vec<ReportPlace>,
        /// How often.
        #[arg(long, value_name = "DURATION", default_value = "24h", value_parser = duration, requires = "drift_reports")]
        drift_report_every: Duration,
        /// How many are kept.
        #[arg(long, value_name = "NUMBER", default_value_t = 30, requires = "drift_reports")]
        drift_reports_kept: usize,
        /// With --cloud sim: how much faster than AWS the simulation is.
        #[arg(long, value_name = "FACTOR", default_value_t = 60.0, value_parser = factor)]
        sim_speed: f64,
    },
    /// Show how every object stands.
    Status {
        /// Only this environment.
        environment: Option<String>,
        /// Show it again whenever it changes, until interrupted.
        #[arg(short, long)]
        watch: bool,
        /// Form of the report.
        #[arg(short, long, default_value = "text")]
        output: Output,
    },
    /// Explain one object: what it waits for, what went wrong, what would help.
    Why {
        /// Its address: dev/stack/network.
        object: String,
    },
    /// Print stack outputs.
    Outputs {
        /// Only this environment.
        environment: Option<String>,
        /// Form of the report.
        #[arg(short, long, default_value = "text")]
        output: Output,
    },
    /// Print what happened to one object, oldest first: the events of a stack, the journal of anything else.
    Events {
        /// Its address: dev/stack/network.
        object: String,
        /// At most so many, the newest.
        #[arg(short = 'n', long, default_value_t = 50)]
        limit: usize,
        /// Form of the report.
        #[arg(short, long, default_value = "text")]
        output: Output,
    },
    /// Delete every stack of an environment, dependants first. Asks for the environment's name.
    Destroy {
        /// The environment.
        environment: String,
        /// Approve exactly the deletion with this digest, as it was shown.
        #[arg(long, value_name = "DIGEST")]
        plan: Option<String>,
    },
    /// Encrypt a secret's value, read from standard input, to a file that may be committed. It is sealed for the secrets
    /// whose manifests take the file, and opened for no other.
    Seal {
        /// The file. It is replaced as a whole, or not at all.
        file: PathBuf,
        /// An age recipient (`age1…`) that can open it. May be given several times.
        #[arg(short, long = "recipient", value_name = "RECIPIENT", required = true)]
        recipients: Vec<String>,
        /// A secret that the value is for (`dev/secret/app`), in place of those whose manifests take the file. May be given
        /// several times.
        #[arg(long = "for", value_name = "OBJECT")]
        secrets: Vec<String>,
    },
    /// Ask something of secrets. No command ever prints a value.
    Secret {
        /// What.
        #[command(subcommand)]
        command: SecretCommand,
    },
    /// Backups of tables: what there is, and whether it can be restored.
    Backup {
        /// What.
        #[command(subcommand)]
        command: BackupCommand,
    },
    /// Restore a table into a new one: the original is never touched, and the new table gets its settings back.
    Restore {
        /// The policy that covers the table: dev/backuppolicy/tables.
        object: String,
        /// The table.
        #[arg(long)]
        table: TableName,
        #[command(flatten)]
        from: RestoreFromArgs,
        /// The name of the new table [default: the table's, with the time].
        #[arg(long = "as", value_name = "NAME")]
        to: Option<TableName>,
    },
    /// Show everything on a simulated AWS: deploy, edit, failure, recovery. Needs nothing and touches nothing.
    Demo {
        /// Do not pause between the lines, as if nobody watched.
        #[arg(long)]
        fast: bool,
    },
    /// Show which image every service is to run, why, and what it runs.
    Images {
        /// Only this environment.
        environment: Option<String>,
        /// Form of the report.
        #[arg(short, long, default_value = "text")]
        output: Output,
    },
    /// Go back to a proven release of a service, until its manifest changes in Git.
    Rollback {
        /// Its address: dev/service/api.
        object: String,
        /// The tag or the digest of the release [default: the last proven one before this].
        #[arg(long, value_name = "IMAGE")]
        to: Option<String>,
    },
    /// Images that have failed, and are not tried again.
    Quarantine {
        /// What to do with them.
        #[command(subcommand)]
        what: Quarantine,
    },
    /// Print a completion script for a shell.
    Completions {
        /// The shell.
        shell: clap_complete::Shell,
    },
}

/// What is to be adopted, and where its manifests go.
#[derive(Debug, Clone, Args)]
pub struct AdoptArgs {
    /// What the environment is to be called: 2 to 10 lowercase letters and digits.
    pub environment: String,
    /// The account that it runs in. Another one is refused.
    #[arg(long, value_name = "ACCOUNT")]
    pub account: String,
    /// The region that it runs in.
    #[arg(long, value_name = "REGION")]
    pub region: String,
    /// A role to enter the account with, also from then on.
    #[arg(long, value_name = "ARN")]
    pub role: Option<String>,
    /// A stack. May be given several times.
    #[arg(long, value_name = "NAME", num_args = 1.., required_unless_present = "all", conflicts_with = "all")]
    pub stack: Vec<String>,
    /// Every stack of the account and region that is nobody's.
    #[arg(long)]
    pub all: bool,
    /// With --all: only those whose names begin so.
    #[arg(long, value_name = "TEXT", requires = "all")]
    pub prefix: Option<String>,
    /// The middle of `{env}-{system}-{name}` [default: what the names of the stacks have in common].
    #[arg(long, value_name = "NAME")]
    pub system: Option<String>,
    /// The root of the manifests to write to [default: --manifests]. The files go to `environments/ENVIRONMENT` there.
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// Write also where something could not be read or is missing.
    #[arg(long)]
    pub partial: bool,
    /// Write also where the environment is there already. What is there is put aside, not deleted.
    #[arg(long)]
    pub force: bool,
}

/// What is asked of backup policies.
#[derive(Debug, Subcommand)]
pub enum BackupCommand {
    /// Print the recovery points that backup policies have made, those of policies that are gone included.
    List {
        /// Only this environment.
        environment: Option<String>,
        /// Form of the report.
        #[arg(short, long, default_value = "text")]
        output: Output,
    },
    /// Have the tables of a policy backed up: by the daemon, or by the next `apply`.
    Now {
        /// Its address: dev/backuppolicy/tables.
        object: String,
    },
    /// Print which policy covers each table. Ends with 2 if there is a table that none covers.
    Coverage {
        /// Only this environment.
        environment: Option<String>,
        /// Form of the report.
        #[arg(short, long, default_value = "text")]
        output: Output,
    },
    /// Try now whether tables can be restored: into a table of its own, which is compared, measured and removed.
    Verify {
        /// The policy: dev/backuppolicy/tables.
        object: String,
        /// The table [default: all that it covers].
        #[arg(long)]
        table: Option<TableName>,
    },
}

/// What a table is restored from.
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
pub struct RestoreFromArgs {
    /// As it was at this time, to the second: 2026-01-01T00:00:00Z. Needs point-in-time recovery.
    #[arg(long, value_name = "TIME")]
    pub to_time: Option<jiff::Timestamp>,
    /// As it was when this recovery point was made.
    #[arg(long, value_name = "ID")]
    pub point: Option<PointId>,
    /// As late as point-in-time recovery can: about five minutes ago.
    #[arg(long)]
    pub latest: bool,
}

/// What is asked of secrets.
#[derive(Debug, Subcommand)]
pub enum SecretCommand {
    /// Show versions, names of fields and rotation, as they are remembered.
    Status {
        /// Only this environment.
        environment: Option<String>,
    },
    /// Have the generated fields of a secret made anew: by the daemon, or by the next `apply`.
    Rotate {
        /// Its address: dev/secret/app-secrets.
        object: String,
    },
}

/// What to do with images in quarantine.
#[derive(Debug, Subcommand)]
pub enum Quarantine {
    /// Print them, and how they failed.
    List {
        /// Only this environment.
        environment: Option<String>,
    },
    /// Let one be tried again.
    Release {
        /// The service's address: dev/service/api.
        object: String,
        /// The image: its tag or its digest.
        image: String,
    },
}

fn duration(text: &str) -> Result<Duration, humantime::DurationError> {
    humantime::parse_duration(text)
}

/// A commit's id, or so much of it that it means no other one.
fn commit(text: &str) -> Result<String, String> {
    let is_id = (7..=64).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    if is_id { Ok(text.to_ascii_lowercase()) } else { Err("a commit's id: at least 7 hexadecimal digits".to_owned()) }
}

fn factor(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(factor) if factor.is_finite() && factor > 0.0 => Ok(factor),
        _ => Err("a number greater than 0".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_command_line_is_well_formed() {
        Cli::command().debug_assert();
    }
}
