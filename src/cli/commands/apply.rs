//! `landfast apply`: does what the plan says, and follows it to its end.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::failed::{FailedRestore, FailedRollout};
use super::person::{ourselves, wall_clock, whoami};
use super::plan::{clean, look_ahead, severity, show, tell_history};
use crate::cli::args::{ApplyArgs, Global, Output};
use crate::cli::exit::{Exit, Trouble};
use crate::cli::history::History;
use crate::cli::live::Live;
use crate::cli::manifests::Manifests;
use crate::cli::reach::reach;
use crate::cli::select::{self, Selection};
use crate::cli::session::{self, Pace, Session};
use crate::cli::view::yaml;
use crate::cli::{loading, operator, place, terminal};
use crate::controller::{Controller, Ended, Preview, Tender, Until};
use crate::manifest::Loaded;
use crate::model::{Action, BackupMemory, Consent, EnvName, Environment, Key, Plan};
use crate::plan::{Goal, Input, Tally, consent, tally};
use crate::report::{Timeline, clean as tidy, to_json};
use crate::store::{Approval, Inbox, Note, StoreError};

pub(super) fn run(global: &Global, asked: &ApplyArgs) -> Result<Exit, Trouble> {
    let mut named = match asked.environments.environments.as_slice() {
        _ if asked.all => Vec::new(),
        [] => global.env.iter().cloned().collect(),
        words => words.to_vec(),
    };
    if named.is_empty() && !asked.all {
        let root = place::root(global);
        let operator = operator::find(global, &root)?;
        named = select::known(&session::load_unrecorded(&Manifests::of(global, &operator)?, &operator)?);
        // Where there is only one, nothing else can be meant.
        if named.len() != 1 {
            return Err(Trouble::NoEnvironmentNamed(named));
        }
    }
    let named = named.as_slice();
    let session = Session::start(global, Pace::Virtual)?;
    let (digest, older) = (asked.plan.as_deref(), asked.accept_older_commit.as_deref());
    session.accept_older(older);
    let store = match (session.store(), named, digest) {
        (Err(Trouble::Store(StoreError::Locked { .. })), [environment], Some(digest)) if older.is_none() => {
            return leave_for_daemon(&session, environment, digest);
        }
        (store, ..) => store?,
    };
    let read = session.load(&store)?;
    let (loaded, history) = &read;
    // With --all the environment of --env is not what is meant.
    let whole = Global { env: None, ..global.clone() };
    let selection = Selection::of_environments(named, &whole, loaded)?;
    let environments = selection.environments.as_slice();
    session.manifests.permit(environments.iter().map(|environment| &environment.name))?;
    permit(history, environments)?;
    tell_history(history, environments);
    let live = Live::default();
    let controller = session.controller(store, live.listener()).obeying(Inbox::of(&global.state));
    session.drive_unsaved(&controller, reach(&controller, environments))??;
    let mut worst = Exit::Done;
    for environment in environments {
        let run = Run::of(&session, &controller, &live, &read, environment, Goal::Converge);
        let exit = run.run(&Asking::of(asked.yes, digest), asked.output)?;
        worst = if severity(exit) > severity(worst) { exit } else { worst };
    }
    Ok(if selection.is_concerned(loaded) { Exit::Manifest } else { worst })
}

/// Refuses an older commit, unless a person who may approve has named it.
pub(super) fn permit(history: &History, environments: &[Arc<Environment>]) -> Result<(), Trouble> {
    let about = |name: &EnvName| environments.iter().any(|environment| environment.name == *name);
    if let Some(refused) = history.refusal(about) {
        return Err(refused);
    }
    for environment in environments {
        if history.given_up(&environment.name).is_some() {
            environment.limits.may_approve(&ourselves()).map_err(Trouble::NobodyToAsk)?;
        }
    }
    Ok(())
}

/// The daemon has the journal: it is told, and acts if its plan is the one that is named.
fn leave_for_daemon(session: &Session, environment: &str, digest: &str) -> Result<Exit, Trouble> {
    let environment = environment.parse().map_err(Trouble::Address)?;
    // The daemon says no too, where nobody may see it.
    let loaded = session::load_unrecorded(&session.manifests, &session.operator).ok();
    let known = loaded.as_ref().and_then(|loaded| loaded.desired.environments.get(&environment));
    if known.is_some_and(|known| known.limits.approvals.needs_signatures()) {
        return Err(Trouble::NobodyToAsk(format!(
            "approvals of {environment} must be signed: `landfast approve {environment} {digest} --key FILE`"
        )));
    }
    let approval = Approval { environment, plan: digest.to_owned(), by: whoami(), at: wall_clock()? };
    Inbox::of(&session.global.state).leave(&Note::Approval(approval))?;
    let told = "state is in use by another Landfast process: the approval was sent to it, and it applies the plan if \
    it is still the same";
    terminal::note(told);
    Ok(Exit::Done)
}

/// How consent is given.
pub(super) enum Asking<'a> {
    /// By typing this answer to the question.
    Asked { question: String, answer: String },
    /// By naming the plan.
    Plan(&'a str),
    /// Not at all: what needs consent stays undone.
    None,
}

impl<'a> Asking<'a> {
    fn of(yes: bool, digest: Option<&'a str>) -> Self {
        match digest {
            Some(digest) => Self::Plan(digest),
            None if yes => Self::None,
            None => {
                Self::Asked { question: "Apply this plan? Type `yes` to approve:".to_owned(), answer: "yes".to_owned() }
            }
        }
    }
}

/// One environment, carried to a goal.
pub(super) struct Run<'a> {
    session: &'a Session,
    controller: &'a Controller,
    live: &'a Live,
    loaded: &'a Loaded,
    history: &'a History,
    environment: &'a Arc<Environment>,
    goal: Goal,
}

impl<'a> Run<'a> {
    /// Of an environment of what was loaded.
    pub(super) fn of(
        session: &'a Session,
        controller: &'a Controller,
        live: &'a Live,
        (loaded, history): &'a loading::Read,
        environment: &'a Arc<Environment>,
        goal: Goal,
    ) -> Self {
        Self { session, controller, live, loaded, history, environment, goal }
    }

    /// Shows the plan, asks for consent, and follows what is done.
    pub(super) fn run(&self, approval: &Asking<'_>, output: Output) -> Result<Exit, Trouble> {
        let preview = self
            .session
            .drive(self.controller, look_ahead(self.controller, self.loaded, self.environment, self.goal))??;
        let plan = &preview.looked.plan;
        // Where nothing is to be done and nothing to be said, the sentence at the end is enough.
        let rests = plan.is_as_asked() && plan.cuts.is_empty();
        if output == Output::Text && !rests {
            show(&self.session.global, output.into(), std::slice::from_ref(plan))?;
        }
        if is_blind(plan) {
            // The reads were repeated as often as makes sense, and nothing follows from what was not seen.
            if output != Output::Text {
                return self.report(Ended::Settled(Box::new(plan.clone())), output, false);
            }
            return Ok(Exit::of_settled(plan));
        }
        let agreed = if plan.in_sync() { Ok(None) } else { self.agree(&preview, approval) };
        let agreed = match agreed {
            Ok(agreed) => agreed,
            Err(trouble) => {
                self.session.drive(self.controller, clean(self.controller, self.environment, &preview))?;
                return Err(trouble);
            }
        };
        if self.goal == Goal::Converge {
            let (store, revision) = (self.controller.store(), &self.loaded.desired.revision);
            self.session.accept(store, self.history, [&self.environment.name], revision)?;
        }
        self.controller.store().consent(&self.environment.name, agreed)?;
        let ended = self.carry_out()?;
        self.controller.store().consent(&self.environment.name, None)?;
        self.report(ended, output, rests)
    }

    /// Consent to the plan that was shown, or none where none is needed.
    fn agree(&self, preview: &Preview, approval: &Asking<'_>) -> Result<Option<Consent>, Trouble> {
        let (plan, limits, now) = (&preview.looked.plan, &self.environment.limits, self.session.cx.now());
        match approval {
            Asking::None => return Ok(None),
            Asking::Plan(wanted) if !plan.digest.is_named(wanted) => {
                let (wanted, now) = ((*wanted).to_owned(), plan.digest.code());
                return Err(Trouble::OtherPlan { wanted, now });
            }
            Asking::Plan(_) | Asking::Asked { .. } => {}
        }
        let given = |by: String| consent(plan, &self.input(preview), by, now, true);
        match tally(&plan.digest, &preview.looked.memory.reviews, limits, now) {
            Tally::Rejected { by, because } => {
                return Err(Trouble::NobodyToAsk(format!("{} rejected this plan: {}", tidy(&by), tidy(&because))));
            }
            Tally::Approved { by, until, reviews } if limits.approvals.needs_signatures() => {
                return Ok(Some(Consent { until: Some(until), reviews, ..given(by.join(", ")) }));
            }
            Tally::Lacking { missing, .. } if limits.approvals.needs_signatures() => {
                let (missing, name, digest) = (missing.join(" and "), &self.environment.name, plan.digest.as_str());
                return Err(Trouble::NobodyToAsk(format!(
                    "the plan needs {missing}, who each sign it: `landfast approve {name} {digest} --key FILE`"
                )));
            }
            Tally::Approved { .. } | Tally::Lacking { .. } => {}
        }
        limits.may_approve(&ourselves()).map_err(Trouble::NobodyToAsk)?;
        match approval {
            Asking::None | Asking::Plan(_) => {}
            Asking::Asked { question, answer } => {
                if !terminal::is_attended() {
                    let digest = plan.digest.code();
                    let how = format!("no terminal: to approve this plan, pass `--plan {digest}`");
                    return Err(Trouble::NobodyToAsk(how));
                }
                if terminal::ask(question)? != *answer {
                    return Err(Trouble::NobodyToAsk("not approved; nothing was changed".to_owned()));
                }
            }
        }
        Ok(Some(given(ourselves())))
    }

    fn input<'i>(&'i self, preview: &'i Preview) -> Input<'i> {
        static IDLE: BTreeSet<Key> = BTreeSet::new();
        Input {
            desired: &self.loaded.desired,
            environment: self.environment,
            observation: &preview.looked.observation,
            memory: &preview.looked.memory,
            now: self.session.cx.now(),
            goal: self.goal,
            busy: &IDLE,
        }
    }

    fn carry_out(&self) -> Result<Ended, Trouble> {
        let mut desired = self.loaded.desired.clone();
        let ours = |name: &EnvName| *name == self.environment.name;
        desired.environments.entry(self.environment.name.clone()).or_insert_with(|| Arc::clone(self.environment));
        debug_assert!(desired.environments.keys().any(ours), "the environment is among the loaded ones");
        self.controller.board.publish(desired, &std::collections::BTreeSet::new());
        let tender = Tender::new(self.controller, self.environment.name.clone(), self.goal, Until::Settled);
        let run = async {
            tokio::select! {
                biased;
                ended = tender.run() => ended,
                never = self.live.follow(self.controller, self.environment) => match never {},
            }
        };
        Ok(self.session.drive(self.controller, run)??)
    }

    fn report(&self, ended: Ended, output: Output, rested: bool) -> Result<Exit, Trouble> {
        let Ended::Settled(plan) = ended else { return Err(self.left_running()?) };
        let timeline = self.timeline();
        let mut failed = self.controller.narrator().failed_rollouts();
        failed.retain(|key| key.environment == self.environment.name);
        let restores = self.failed_restores()?;
        let exit = if failed.is_empty() && restores.is_empty() { Exit::of_settled(&plan) } else { Exit::Failed };
        match output {
            Output::Text => {
                let paint = terminal::paint(&self.session.global);
                if !timeline.bars.is_empty() {
                    terminal::print(&format!("\n{}", timeline.text(paint)))?;
                }
                for key in &failed {
                    let how = format!("landfast images {} -o json", self.environment.name);
                    terminal::print(&format!("\nA rollout of {key} FAILED. For details: `{how}`\n"))?;
                }
                for restore in &restores {
                    terminal::print(&format!("\n{restore}\n"))?;
                }
                if plan.is_as_asked() {
                    let gap = if rested && timeline.bars.is_empty() { "" } else { "\n" };
                    terminal::print(&format!("{gap}{} is in sync.\n", self.environment.name))?;
                } else {
                    terminal::print("\n")?;
                    show(&self.session.global, output.into(), std::slice::from_ref(&*plan))?;
                }
            }
            Output::Json | Output::Yaml => {
                let text = to_json(&Applied::of(&plan, &timeline, self.failures(&failed)?, &restores));
                let text = text.map_err(|error| Trouble::machine("the report could not be written", error))?;
                terminal::print(&if output == Output::Yaml { yaml(&text)? } else { text })?;
            }
        }
        // What was taken back is in sync with what is decided now, and not what was to be brought about; and a restore
        // is nothing that could be in sync.
        self.are_told(&restores)?;
        Ok(exit)
    }

    /// Restores and restore tests that have failed, and of which nobody was told: also those that a look has found to be
    /// impossible before this one.
    fn failed_restores(&self) -> Result<Vec<FailedRestore>, Trouble> {
        let memory = self.controller.store().memory(&self.environment.name)?;
        Ok(FailedRestore::untold(&memory.objects.backups))
    }

    fn are_told(&self, restores: &[FailedRestore]) -> Result<(), Trouble> {
        let store = self.controller.store();
        for restore in restores {
            store.cache(&restore.object, |memory: &mut BackupMemory| memory.told = memory.told.max(Some(restore.at)));
        }
        Ok(store.flush()?)
    }

    /// How each of these rollouts has failed.
    fn failures(&self, failed: &BTreeSet<Key>) -> Result<Vec<FailedRollout>, Trouble> {
        let memory = self.controller.store().memory(&self.environment.name)?;
        let last = |key: &Key| memory.objects.services.get(key).and_then(|memory| memory.last.clone());
        Ok(failed.iter().map(|key| FailedRollout::of(key, last(key))).collect())
    }

    /// The command was interrupted, and these operations go on.
    fn left_running(&self) -> Result<Trouble, Trouble> {
        let memory = self.controller.store().memory(&self.environment.name)?;
        let running: Vec<String> = memory.objects.pending_stacks().map(ToString::to_string).collect();
        Ok(Trouble::LeftRunning(running.join(", ")))
    }

    fn timeline(&self) -> Timeline {
        let spans: Vec<_> = self
            .controller
            .narrator()
            .spans()
            .into_iter()
            .filter(|span| span.key.environment == self.environment.name)
            .collect();
        let stacks = self.environment.stacks.iter();
        let dependencies: BTreeMap<_, _> = stacks.map(|(key, spec)| (key.clone(), spec.depends_on.clone())).collect();
        Timeline::of(&spans, &dependencies)
    }
}

/// Whether nothing at all could be seen: the wrong account, no credentials, no connection.
fn is_blind(plan: &Plan) -> bool {
    !plan.entries.is_empty() && plan.entries.values().all(|entry| entry.action == Action::Unknown)
}

/// What `apply -o json` prints: the final plan, and a timeline of the operations.
#[derive(serde::Serialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Applied<'a> {
    /// `landfast/v1`.
    #[schemars(extend("const" = "landfast/v1"))]
    api_version: &'static str,
    /// `Applied`.
    #[schemars(extend("const" = "Applied"))]
    kind: &'static str,
    /// The final plan.
    plan: crate::report::PlanDocument,
    /// A timeline of the operations.
    timeline: &'a Timeline,
    /// Rollouts that failed during the apply, even if a later rollout succeeded: then the exit code is 1.
    failed_rollouts: Vec<FailedRollout>,
    /// Restores and restore tests that failed since the last apply: then the exit code is 1, too.
    failed_restores: &'a [FailedRestore],
}

impl<'a> Applied<'a> {
    fn of(
        plan: &Plan,
        timeline: &'a Timeline,
        failed_rollouts: Vec<FailedRollout>,
        failed_restores: &'a [FailedRestore],
    ) -> Self {
        let plan = crate::report::PlanDocument::of(plan);
        Self {
            api_version: crate::report::API_VERSION,
            kind: "Applied",
            plan,
            timeline,
            failed_rollouts,
            failed_restores,
        }
    }
}
