//! Exit codes, and everything that can end a command early.

use std::path::PathBuf;
use std::process::ExitCode;

use crate::model::{Action, Guard, InvalidName, Key, Plan, Waiting, nearest};
use crate::source::SourceError;
use crate::store::StoreError;

/// How a command ended. Documented in `docs/src/reference/exit-codes.md`; scripts rely on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Exit {
    /// In sync, or done.
    Done = 0,
    /// Something failed.
    Failed = 1,
    /// There are differences.
    Differs = 2,
    /// A person must decide.
    Waiting = 3,
    /// It was interrupted (128 and SIGINT, as shells report it).
    Interrupted = 130,
    /// The command line is wrong (sysexits `EX_USAGE`).
    Usage = 64,
    /// The manifests are wrong (sysexits `EX_DATAERR`).
    Manifest = 65,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

impl Exit {
    /// How a plan that was only shown ends the command.
    #[must_use]
    pub fn of_shown(plan: &Plan) -> Self {
        match Self::of_settled(plan) {
            Self::Waiting | Self::Differs => Self::Differs,
            exit => exit,
        }
    }

    /// How a plan that was carried out as far as possible ends the command.
    #[must_use]
    pub fn of_settled(plan: &Plan) -> Self {
        let entries = || plan.entries.values();
        let failed = entries().any(|entry| {
            entry.action == Action::Unknown
                || entry
                    .refused
                    .iter()
                    .any(|refusal| matches!(refusal.guard, Guard::Stalled | Guard::ChangeSet | Guard::TemplateBucket))
                || entry.waiting.iter().any(|waiting| {
                    matches!(
                        waiting,
                        Waiting::Backoff { .. } | Waiting::Unknown { .. } | Waiting::Readiness { overdue: true, .. }
                    )
                })
        });
        let asks = entries().any(|entry| {
            !entry.refused.is_empty()
                || entry.waiting.iter().any(|one| matches!(one, Waiting::Approval { .. }) || one.is_hold())
        });
        match () {
            () if failed => Self::Failed,
            () if asks => Self::Waiting,
            () if !entries().all(|entry| matches!(entry.action, Action::None | Action::Retain)) => Self::Differs,
            () if entries().flat_map(|entry| &entry.waiting).any(|one| matches!(one, Waiting::Readiness { .. })) => {
                Self::Differs
            }
            () => Self::Done,
        }
    }
}

/// What ends a command before it could do its work.
#[derive(Debug, thiserror::Error)]
pub enum Trouble {
    /// The manifests' directory could not be read.
    #[error("the manifests could not be read")]
    Source(#[source] SourceError),
    /// The journal could not be opened or written.
    #[error("the journal could not be used")]
    Store(#[source] StoreError),
    /// The state directory is among the manifests.
    #[error(
        "the state directory {} is inside the manifests {}: authors of manifests could put approvals in it. Choose \
        another directory with --state or LANDFAST_STATE",
        .state.display(), .root.display()
    )]
    StateAmongManifests {
        /// The state directory.
        state: PathBuf,
        /// The manifests.
        root: PathBuf,
    },
    /// The state directory of a daemon is in the checkout of the manifests.
    #[error(
        "the state directory {} is inside the Git checkout {} of the manifests: committers could put approvals in it. \
        Choose another directory with --state or LANDFAST_STATE",
        .state.display(), .checkout.display()
    )]
    StateInCheckout {
        /// The state directory.
        state: PathBuf,
        /// The checkout.
        checkout: PathBuf,
    },
    /// The manifests have errors, which have been shown.
    #[error("{0}; nothing was changed")]
    Manifest(String),
    /// No environment of that name.
    #[error("no environment or object is named `{name}`{}", choices(.known))]
    NoSuchEnvironment {
        /// The name.
        name: String,
        /// Those that there are.
        known: Vec<String>,
    },
    /// Nothing says which environments are to be changed.
    #[error("name the environments to apply, or pass --all{}", choices(.0))]
    NoEnvironmentNamed(Vec<String>),
    /// A command is about whole environments.
    #[error("`{0}` is an object, but this command works on whole environments: name the environment")]
    WholeEnvironments(String),
    /// A name is that of several objects.
    #[error("`{name}` is not unique: use one of {}", .known.join(", "))]
    SeveralObjects {
        /// The name.
        name: String,
        /// The objects that it names.
        known: Vec<String>,
    },
    /// Not an object's address.
    #[error(transparent)]
    Address(InvalidName),
    /// No such object.
    #[error("no object is named `{name}`{}; `landfast status` lists all", did_you_mean(.near.as_deref()))]
    NoSuchObject {
        /// The name.
        name: String,
        /// The object that may be meant.
        near: Option<String>,
    },
    /// No such stack, or not a stack.
    #[error("no stack is named `{0}` (only stacks have a template)")]
    NoSuchStack(String),
    /// Nothing is explained under this name.
    #[error("nothing is known of `{name}`{}", did_you_mean(.near.as_deref()))]
    NoSuchCode {
        /// The code or the message.
        name: String,
        /// The code that may be meant.
        near: Option<String>,
    },
    /// Not a service.
    #[error("{0} has no logs: only services have containers")]
    NoLogs(String),
    /// An object that a command is about does not exist in AWS.
    #[error("{0} does not exist in AWS; `landfast plan` shows what creates it")]
    NotThere(String),
    /// No such table.
    #[error("{scope} has no table named `{table}`{}; to restore a deleted table, name a recovery point with --point", did_you_mean(.near.as_deref()))]
    NoSuchTable {
        /// The name.
        table: String,
        /// Where.
        scope: String,
        /// The table that may be meant.
        near: Option<String>,
    },
    /// A policy covers no table that is there.
    #[error("{0} covers no table that exists: name one with --table")]
    NothingToRestore(String),
    /// The new table's name is in use.
    #[error("{scope} has a table named `{table}` already: choose another name with --as. Nothing was changed")]
    TableExists {
        /// The name.
        table: String,
        /// Where.
        scope: String,
    },
    /// Something that was asked for did not come to an end, and nothing more happens by itself.
    #[error("{what} is not finished, and waits for something: `landfast why {object}` shows it")]
    NotFinished {
        /// What it is.
        what: String,
        /// Of which object.
        object: String,
    },
    /// No stack has such an output.
    #[error("no output is named `{name}`{}", choices(.known))]
    NoSuchOutput {
        /// The name.
        name: String,
        /// Those that there are.
        known: Vec<String>,
    },
    /// A service has no such image to go back to, or to release.
    #[error("{object} has no such image{}", choices(.known))]
    NoSuchRelease {
        /// The service.
        object: String,
        /// Those that there are.
        known: Vec<String>,
    },
    /// A freeze cannot be made like this.
    #[error("{0}")]
    Freeze(String),
    /// A plan cannot be approved or rejected like this.
    #[error("{0}")]
    Review(String),
    /// Traffic cannot be sent like this.
    #[error("{0}")]
    Traffic(String),
    /// Nothing of that name is frozen.
    #[error("no freeze has the ID or the scope `{name}`{}", choices(.known))]
    NoSuchFreeze {
        /// What was named.
        name: String,
        /// Those that there are.
        known: Vec<String>,
    },
    /// The operator's configuration is wrong, or is where it may not be.
    #[error("{0}")]
    Operator(String),
    /// A person has to be asked, and nobody is there.
    #[error("{0}")]
    NobodyToAsk(String),
    /// The plan is not the one that was approved.
    #[error("the plan changed since {wanted}; review and approve {now}")]
    OtherPlan {
        /// The approved digest.
        wanted: String,
        /// The present one.
        now: String,
    },
    /// What is checked out is older than what was accepted.
    #[error(
        "commit {commit} is older than the last accepted commit ({newer}); nothing was changed. Check out that commit \
        or a newer one; to go back, revert commits in Git, or accept this one with `--accept-older-commit {commit}` of \
        `apply`, `destroy` or `run`"
    )]
    OlderCommit {
        /// The one that is checked out.
        commit: String,
        /// The ones that were accepted, and for which environments.
        newer: String,
    },
    /// The newest commit of a Git source may not be followed.
    #[error("{0}. Nothing was changed")]
    NotFollowed(String),
    /// A commit is named, and nothing says of which repository.
    #[error(
        "there are several Git sources ({0}): name an environment, so that it is clear which of them has the revision"
    )]
    WhichSource(String),
    /// Manifests are there already.
    #[error("{0} exists: choose another directory with --out, or move it aside with --force")]
    Exists(String),
    /// Not everything could be adopted.
    #[error("nothing was written, because the result would be incomplete (--partial writes it anyway):\n{0}")]
    Partial(String),
    /// There is nothing to adopt.
    #[error("no stack to adopt{0}")]
    NothingToAdopt(String),
    /// A call to AWS failed.
    #[error("AWS request failed")]
    Port(#[source] crate::ports::PortError),
    /// Something of the machine's failed.
    #[error("{doing}")]
    Machine {
        /// What was attempted.
        doing: String,
        /// Why it failed.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// Nothing of what the command is about could be seen.
    #[error(
        "nothing could be read. AWS requests failed for\n  {0}\n`aws sts get-caller-identity` must work here; if a \
        role is assumed, its trust policy must allow the caller"
    )]
    Unreachable(String),
    /// An argument is missing, and nobody can be asked.
    #[error("{0} is missing, and there is no terminal to ask for it")]
    Missing(String),
    /// What was waited for did not come.
    #[error("not in time: {0}")]
    NotInTime(String),
    /// There is no journal.
    #[error("no journal exists at {}: name the state directory with --state", .0.display())]
    NoJournal(PathBuf),
    /// There is no queue of events.
    #[error(
        "the operator's configuration names no queue of events: add `[events]` with `queue` to landfast.toml (see \
         `docs/src/operations/events.md`)"
    )]
    NoEventQueue,
    /// Nobody is told under this name.
    #[error(
        "{}{}", .name.as_ref().map_or_else(
            || "the operator's configuration has no [[notify]]".to_owned(),
            |name| format!("no [[notify]] of the operator's configuration is named `{name}`")
        ), choices(.known)
    )]
    NoSuchDestination {
        /// What was named.
        name: Option<String>,
        /// Those that there are.
        known: Vec<String>,
    },
    /// No daemon says how things stand.
    #[error(
        "no daemon has written its status to {}: leave out --cached to ask AWS, or name the daemon's state directory with \
         --state", .0.display()
    )]
    NoDaemon(PathBuf),
    /// This program knows the simulation alone.
    #[error(
        "this build does not support AWS, only the simulation: add `--cloud sim` (or set LANDFAST_CLOUD=sim), or build \
        with AWS support: `cargo build --release`"
    )]
    WithoutAws,
    /// The simulation stands still.
    #[error("the simulation is deadlocked: please report this")]
    Deadlock,
    /// The demonstration came out otherwise than it tells: a bug.
    #[error("the demo did not behave as described; expected: {0}. Please report this")]
    Demonstration(String),
    /// The command was interrupted.
    #[error("interrupted")]
    Interrupted,
    /// The command was interrupted, and AWS goes on with what it began.
    #[error(
        "interrupted. AWS goes on with what was started: {}. `landfast status` shows it; run `landfast apply` again to \
         resume", if .0.is_empty() { "nothing" } else { .0 }
    )]
    LeftRunning(String),
}

fn choices(known: &[String]) -> String {
    match known {
        [] => String::new(),
        [only] => format!(": there is {only}"),
        several => format!("; available: {}", several.join(", ")),
    }
}

fn did_you_mean(near: Option<&str>) -> String {
    near.map(|near| format!(" (did you mean `{near}`?)")).unwrap_or_default()
}

impl Trouble {
    /// The exit code it ends the command with.
    #[must_use]
    pub fn exit(&self) -> Exit {
        match self {
            Self::Manifest(_) => Exit::Manifest,
            Self::Operator(_)
            | Self::NoSuchEnvironment { .. }
            | Self::NoEnvironmentNamed(_)
            | Self::Missing(_)
            | Self::NoJournal(_)
            | Self::NoEventQueue
            | Self::WholeEnvironments(_)
            | Self::SeveralObjects { .. }
            | Self::Address(_)
            | Self::NoSuchObject { .. }
            | Self::NoSuchStack(_)
            | Self::NoSuchCode { .. }
            | Self::NoSuchOutput { .. }
            | Self::NoLogs(_)
            | Self::NoSuchTable { .. }
            | Self::TableExists { .. }
            | Self::NothingToRestore(_)
            | Self::NoSuchRelease { .. }
            | Self::Freeze(_)
            | Self::Review(_)
            | Self::NoSuchDestination { .. }
            | Self::NoSuchFreeze { .. }
            | Self::StateAmongManifests { .. }
            | Self::StateInCheckout { .. }
            | Self::Exists(_)
            | Self::WithoutAws => Exit::Usage,
            Self::NobodyToAsk(_) | Self::OtherPlan { .. } | Self::OlderCommit { .. } | Self::NotFollowed(_) => {
                Exit::Waiting
            }
            Self::Interrupted | Self::LeftRunning(_) => Exit::Interrupted,
            _ => Exit::Failed,
        }
    }

    /// No object has this name; one that `seen` has may be meant.
    pub fn no_such_object<'k>(name: &str, seen: impl IntoIterator<Item = &'k Key>) -> Self {
        let addresses: Vec<String> = seen.into_iter().map(ToString::to_string).collect();
        let tail = |address: &str| address.rsplit('/').next().unwrap_or_default().to_owned();
        let tails: Vec<String> = addresses.iter().map(|address| tail(address)).collect();
        // A person may have typed the whole address, or the name alone.
        let whole = nearest(name, addresses.iter().map(String::as_str)).map(str::to_owned);
        let near = whole.or_else(|| {
            let meant = nearest(name, tails.iter().map(String::as_str))?;
            addresses.iter().find(|address| tail(address) == meant).cloned()
        });
        Self::NoSuchObject { name: name.to_owned(), near }
    }

    /// The machine failed while `doing` something.
    pub fn machine(doing: impl Into<String>, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self::Machine { doing: doing.into(), source: source.into() }
    }
}

impl From<StoreError> for Trouble {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}
