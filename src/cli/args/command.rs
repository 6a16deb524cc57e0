//! The commands.

use std::path::PathBuf;
use std::time::Duration;

use clap::Subcommand;

use super::forms::{DriftOutput, GraphFormat, ListOutput, Output, PlanOutput};
use super::parts::{
    AdoptArgs, ApplyArgs, ApproveArgs, BackupCommand, Environments, EventsCommand, FreezeArgs, InitArgs, LogsArgs,
    NotifyCommand, Quarantine, RejectArgs, RestoreArgs, RunArgs, SecretCommand, StateCommand, Targets, ThawArgs,
    TrafficCommand, WaitFor, commit, duration,
};
use crate::controller::ReportPlace;

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Write a small environment to begin with. Asks for what is not given.
    Init(InitArgs),
    /// Check the manifests, and report every error with its place. Sends no request to AWS.
    #[command(visible_alias = "lint")]
    Validate {
        /// Directory of the manifests, instead of --manifests.
        path: Option<PathBuf>,
        /// Format of the report.
        #[arg(short, long, default_value = "text")]
        output: Output,
    },
    /// Print the JSON Schemas of manifests and reports, or write them to a directory.
    Schema {
        /// Write one file for each schema to this directory.
        #[arg(long, value_name = "DIR")]
        out: Option<PathBuf>,
    },
    /// Show the dependencies between objects.
    Graph {
        #[command(flatten)]
        environments: Environments,
        /// Format of the graph.
        #[arg(short, long, default_value = "tree")]
        format: GraphFormat,
    },
    /// Show what would be done, and why. Changes nothing. Exit code 2 means that there are differences.
    #[command(visible_alias = "diff")]
    Plan {
        #[command(flatten)]
        targets: Targets,
        /// Also send the requests of HTTP checks. Without it, a plan only sends reads to AWS, so that the author of a pull
        /// request cannot make it connect to a server of their choice.
        #[arg(long)]
        probe: bool,
        /// Plan as `apply` with the same option does.
        #[arg(long, value_name = "COMMIT", value_parser = commit)]
        accept_older_commit: Option<String>,
        /// Plan this commit instead of what is checked out or followed: a commit ID, branch or tag of the local repository, or
        /// of the configured Git source. No file is checked out.
        #[arg(long, value_name = "REF", conflicts_with = "accept_older_commit")]
        revision: Option<String>,
        /// Show what the revision changes compared with this commit. Changes that the plan of this commit has too are
        /// summarized.
        #[arg(long, value_name = "REF", requires = "revision")]
        base: Option<String>,
        /// Format of the report.
        #[arg(short, long, default_value = "text")]
        output: PlanOutput,
        /// Accepted for Terraform's habit: the exit code is detailed always.
        #[arg(long, hide = true)]
        detailed_exitcode: bool,
    },
    /// Print stacks as they would be sent to CloudFormation: template, parameters, tags. Secret values are masked.
    Render {
        /// Stacks: dev/stack/network, or an environment for all of its stacks.
        #[arg(value_name = "TARGET", required = true)]
        targets: Vec<String>,
        /// Format: YAML (text), or JSON with a schema.
        #[arg(short, long, default_value = "text")]
        output: Output,
    },
    /// Check what a deployment needs: credentials, permissions, resource types, quotas, certificates. Changes nothing.
    /// Exit code 1 means that something is missing.
    Preflight {
        #[command(flatten)]
        environments: Environments,
        /// Where `run` will write drift reports: the permissions for the bucket are checked too.
        #[arg(long, value_name = "DIR|S3-URL")]
        drift_reports: Vec<ReportPlace>,
        /// Format of the report.
        #[arg(short, long, default_value = "text")]
        output: Output,
    },
    /// Compare the resources of every stack with what was deployed. Takes some minutes. Exit code 2 means drift.
    Drift {
        #[command(flatten)]
        targets: Targets,
        /// Format of the report.
        #[arg(short, long, default_value = "text")]
        output: DriftOutput,
        /// Write the report to this file.
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
        /// Revert the drift that was found last in this object, whatever its drift policy says: dev/stack/msk.
        #[arg(long, value_name = "OBJECT", conflicts_with_all = ["targets", "out"])]
        revert: Option<String>,
    },
    /// Write manifests and templates for stacks that already exist. The plan for them only takes ownership.
    /// Changes nothing in AWS, and reads no secret value.
    #[command(visible_alias = "import")]
    Adopt(AdoptArgs),
    /// Carry out the plan, and wait for the result.
    Apply(ApplyArgs),
    /// Find problems of stacks, with their evidence and remedy. Exit code 3 means that a problem needs a decision.
    Doctor {
        #[command(flatten)]
        environments: Environments,
        /// Format of the report.
        #[arg(short, long, default_value = "text")]
        output: Output,
        /// Confirm that the resources which a rollback of this stack (dev/stack/network) skipped match its template
        /// again. Landfast updates the stack again from then on.
        #[arg(long, value_name = "OBJECT", conflicts_with_all = ["environments", "output"])]
        in_step: Option<String>,
    },
    /// Wait until objects are in sync and healthy. Exit code 1 means that they were not in time.
    Wait {
        /// Objects: dev/stack/network, or an environment for all of its objects.
        #[arg(value_name = "TARGET", required = true)]
        targets: Vec<String>,
        /// The condition.
        #[arg(long = "for", value_name = "CONDITION", default_value = "ready")]
        condition: WaitFor,
        /// How long to wait.
        #[arg(long, value_name = "DURATION", default_value = "30m", value_parser = duration)]
        timeout: Duration,
    },
    /// Ask the daemon to look now: to fetch or read the manifests, and to compare AWS with them.
    Sync,
    /// Run the daemon: watch the manifests, and reconcile every environment continuously.
    Run(RunArgs),
    /// Approve a plan by its digest. It is applied by the daemon, or by `landfast apply`, when enough people approve it.
    Approve(ApproveArgs),
    /// Reject a plan by its digest. Approvals that it has are void, and nothing more of it begins.
    Reject(RejectArgs),
    /// Show which plans wait for approval, and who has approved or rejected what, until when.
    Approvals {
        #[command(flatten)]
        environments: Environments,
        /// Format of the report.
        #[arg(short, long, default_value = "text")]
        output: Output,
    },
    /// Change nothing of some objects for a while. What has begun goes on, nothing new begins, and everything is still
    /// observed.
    Freeze(FreezeArgs),
    /// End a freeze before its time. What it held begins, in the order of `landfast queue`.
    Thaw(ThawArgs),
    /// Show what freezes and maintenance windows hold, until when, and the order in which it will begin.
    Queue {
        #[command(flatten)]
        targets: Targets,
        /// Format of the report.
        #[arg(short, long, default_value = "text")]
        output: Output,
    },
    /// Test whether notifications arrive.
    Notify {
        /// What to do.
        #[command(subcommand)]
        command: NotifyCommand,
    },
    /// Show the state of every object.
    #[command(visible_aliases = ["ls", "get"])]
    Status {
        #[command(flatten)]
        targets: Targets,
        /// Show it again whenever it changes, until interrupted.
        #[arg(short, long)]
        watch: bool,
        /// Show what the daemon of this state directory saw last. Sends no request to AWS, and reads no manifests.
        #[arg(long, conflicts_with_all = ["watch", "targets"])]
        cached: bool,
        /// Format of the report.
        #[arg(short, long, default_value = "text")]
        output: ListOutput,
    },
    /// Explain one object: what it waits for, what failed, what would help.
    #[command(visible_alias = "describe")]
    Why {
        /// The object: dev/stack/network.
        object: String,
    },
    /// Explain a code or a message: what caused it, and what to do.
    Explain {
        /// A code of `validate` (unknown-field), the rule of a refusal (ownership), a stack status, or words of a message.
        #[arg(value_name = "CODE|MESSAGE", required = true)]
        words: Vec<String>,
    },
    /// Print stack outputs.
    Outputs {
        #[command(flatten)]
        targets: Targets,
        /// Only this output.
        #[arg(short, long, value_name = "NAME")]
        key: Option<String>,
        /// Print values alone, one on each line.
        #[arg(long, conflicts_with = "output")]
        raw: bool,
        /// Format of the report.
        #[arg(short, long, default_value = "text")]
        output: Output,
    },
    /// Print the events of objects, oldest first. Those of stacks come from CloudFormation, those of services from ECS, and
    /// the rest from the journal.
    #[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
    Events {
        #[command(subcommand)]
        command: Option<EventsCommand>,
        /// Objects: dev/stack/network, or an environment for all of its objects.
        #[arg(value_name = "TARGET", required = true)]
        targets: Vec<String>,
        /// Print at most this many, the newest.
        #[arg(short = 'n', long, default_value_t = 50)]
        limit: usize,
        /// Keep printing new events, until interrupted.
        #[arg(short, long)]
        follow: bool,
        /// Format of the report.
        #[arg(short, long, default_value = "text", conflicts_with = "follow")]
        output: Output,
    },
    /// Print what the containers of a service have written to CloudWatch Logs, oldest first.
    Logs(LogsArgs),
    /// Delete all stacks of an environment, in reverse order of their dependencies. Asks for the environment's name.
    Destroy {
        /// The environment.
        environment: String,
        /// Approve the deletion with this digest, as it was shown.
        #[arg(long, value_name = "DIGEST")]
        plan: Option<String>,
        /// Accept this commit, although it is older than the last accepted one.
        #[arg(long, value_name = "COMMIT", value_parser = commit)]
        accept_older_commit: Option<String>,
    },
    /// Encrypt a secret value from standard input, to a file that may be committed. Only the secrets whose manifests
    /// reference the file can use it.
    Seal {
        /// The file. It is replaced atomically.
        file: PathBuf,
        /// An age recipient (`age1…`) that can decrypt it. May be repeated.
        #[arg(short, long = "recipient", value_name = "RECIPIENT", required = true)]
        recipients: Vec<String>,
        /// A secret that may use the value (`dev/secret/app`), instead of those whose manifests reference the file. May be
        /// repeated.
        #[arg(long = "for", value_name = "OBJECT")]
        secrets: Vec<String>,
        /// Keep the line end after a value of a single line. The line end after several lines is always kept.
        #[arg(long)]
        exact: bool,
    },
    /// Show or rotate secrets. No command prints a secret value.
    Secret {
        /// What to do with them.
        #[command(subcommand)]
        command: SecretCommand,
    },
    /// Show or choose the region that the traffic of a pair of failover records goes to.
    Traffic {
        /// What to do with it.
        #[command(subcommand)]
        command: TrafficCommand,
    },
    /// List, make and verify backups of tables.
    Backup {
        /// What to do with them.
        #[command(subcommand)]
        command: BackupCommand,
    },
    /// Restore a table into a new table, with the settings of the original, which is not changed; or in place of an empty or
    /// deleted table.
    Restore(RestoreArgs),
    /// Show Landfast on a simulated AWS: deploy, edit, failure, recovery. Needs no account and changes nothing.
    Demo {
        /// Do not pause between the lines.
        #[arg(long)]
        fast: bool,
    },
    /// Show which image every service should run, why, and which it runs.
    Images {
        #[command(flatten)]
        environments: Environments,
        /// Format of the report.
        #[arg(short, long, default_value = "text")]
        output: Output,
    },
    /// Go back to a proven release of a service, until its manifest changes in Git.
    Rollback {
        /// The service: dev/service/api.
        object: String,
        /// Tag or digest of the release [default: the proven release before the current one].
        #[arg(long, value_name = "IMAGE")]
        to: Option<String>,
    },
    /// List or release images whose rollout failed. They are not deployed again while they are in quarantine.
    Quarantine {
        /// What to do with them.
        #[command(subcommand)]
        what: Quarantine,
    },
    /// Check or export the journal in the state directory.
    State {
        /// What to do with it.
        #[command(subcommand)]
        command: StateCommand,
    },
    /// Print the manual page, or write those of all commands to a directory.
    Man {
        /// Write the pages to this directory.
        #[arg(long, value_name = "DIR")]
        out: Option<PathBuf>,
    },
    /// Print a completion script for a shell.
    #[command(visible_alias = "completion")]
    Completions {
        /// The shell.
        shell: clap_complete::Shell,
    },
}
