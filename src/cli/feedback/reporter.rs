//! One Git host's reporter: when it is told what.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::FutureExt as _;
use tokio::sync::Notify;
use tracing::{info, warn};

use super::states::{self, Written};
use super::{Wanted, pulls};
use crate::cli::exit::Trouble;
use crate::cli::loading;
use crate::cli::manifests::real_time;
use crate::cli::session::Session;
use crate::context::Context;
use crate::controller::Controller;
use crate::forge::{Api, Client, ForgeError, Identity, Lets, Pull};
use crate::model::{self, GitRef};
use crate::report::{self, Section};
use crate::source::Remote;

/// The first pause after a host could not be reached; doubles with each further one.
const PAUSE: Duration = Duration::from_secs(5);
/// The longest such pause.
const PAUSE_MAX: Duration = Duration::from_mins(5);
/// So many pull requests get a comment: those that changed last.
const PULLS_MAX: usize = 50;
/// So often one commit of a pull request is planned that cannot be.
const ATTEMPTS: u32 = 3;
/// By how much an interval varies, so that many daemons do not ask at once.
const JITTER: f64 = 0.1;

/// Tells one Git host.
pub(super) struct Reporter {
    remote: Remote,
    asked: model::Feedback,
    api: Api,
    cx: Context,
    bell: Arc<Notify>,
    /// The host has called since its pull requests were listed.
    called: AtomicBool,
    state: Mutex<Known>,
}

/// What it knows.
#[derive(Default)]
struct Known {
    written: Written,
    /// By number: the commits that a pull request's comment is of.
    done: BTreeMap<u64, (String, String)>,
    /// By number: how often planning has failed, of which commits.
    failed: BTreeMap<u64, ((String, String), u32)>,
    /// What was said last in the log.
    said: Option<String>,
}

impl Reporter {
    pub(super) fn new(
        cx: &Context,
        remote: &Remote,
        asked: &model::Feedback,
        bell: &Arc<Notify>,
    ) -> Result<Self, Trouble> {
        let source = remote.source();
        let doing = || format!("feedback for Git source {} cannot be given", source.name);
        let read = source.authorities.as_ref().map(std::fs::read).transpose();
        let authorities = read.map_err(|error| Trouble::machine(doing(), error))?;
        let lets: Lets = {
            let remote = remote.clone();
            Arc::new(move || {
                let remote = remote.clone();
                // GitHub may have to be asked for a token, by a client that blocks.
                let given = loading::apart(move || remote.feedback_token(real_time()));
                async move {
                    let given = given.await.map_err(|why| why.to_string())?;
                    given.map(|(token, app)| Identity { token, app }).map_err(|why| why.to_string())
                }
                .boxed()
            })
        };
        let client = Client::new(&asked.api, authorities.as_deref(), lets, cx);
        let api = Api::new(client.map_err(|error| Trouble::machine(doing(), error))?, asked);
        Ok(Self {
            remote: remote.clone(),
            asked: asked.clone(),
            api,
            cx: cx.clone(),
            bell: Arc::clone(bell),
            called: AtomicBool::new(false),
            state: Mutex::default(),
        })
    }

    /// The host has called.
    pub(super) fn called(&self) {
        self.called.store(true, Ordering::Relaxed);
    }

    fn known(&self) -> std::sync::MutexGuard<'_, Known> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells it for ever.
    pub(super) async fn keep_giving(&self, session: &Session, controller: &Controller, wanted: &Wanted) -> Infallible {
        let mut attempts: u32 = 0;
        let mut listed: Option<(Duration, String)> = None;
        loop {
            let told = self.tell(session, controller, wanted, &mut listed).await;
            let wait = match told {
                Ok(wait) => {
                    attempts = 0;
                    self.well();
                    wait
                }
                Err(why) => {
                    let pause = PAUSE.saturating_mul(2_u32.saturating_pow(attempts)).min(PAUSE_MAX);
                    attempts = attempts.saturating_add(1);
                    self.complain(&why);
                    // News change nothing about a host that is not there, and are told when it is.
                    self.cx.sleep(pause.max(self.api.client().pause())).await;
                    continue;
                }
            };
            tokio::select! {
                biased;
                () = self.bell.notified() => {}
                () = self.cx.sleep(wait) => {}
            }
        }
    }

    /// Tells what there is to tell, and says how long nothing need be told unless something happens.
    async fn tell(
        &self,
        session: &Session,
        controller: &Controller,
        wanted: &Wanted,
        listed: &mut Option<(Duration, String)>,
    ) -> Result<Duration, ForgeError> {
        let mut wait = self.states(session, controller, wanted).await?.unwrap_or(PAUSE_MAX);
        let Some(followed) = self.followed(session, controller).filter(|_| self.asked.comments) else {
            return Ok(wait);
        };
        let interval = self.remote.source().interval.mul_f64(1.0 - JITTER + 2.0 * JITTER * self.cx.random());
        let is_new = listed.as_ref().is_none_or(|(at, of)| *of != followed || self.cx.elapsed() >= *at + interval);
        if is_new || self.called.swap(false, Ordering::Relaxed) {
            self.pulls(session, controller, wanted, &followed).await?;
            *listed = Some((self.cx.elapsed(), followed));
        }
        wait = wait.min(interval);
        Ok(wait)
    }

    /// The commit that is followed.
    fn followed(&self, session: &Session, controller: &Controller) -> Option<String> {
        let name = &self.remote.source().name;
        let accepted = controller.store().accepted();
        let ours = accepted.iter().filter(|(environment, _)| {
            session.manifests.remote_of(environment).is_some_and(|remote| remote.source().name == *name)
        });
        // Environments with errors may follow an older one.
        ours.max_by_key(|(_, revision)| revision.sequence).and_then(|(_, revision)| revision.commit.clone())
    }

    /// Writes the states that the host does not have. How long those may wait that are left.
    async fn states(
        &self,
        session: &Session,
        controller: &Controller,
        wanted: &Wanted,
    ) -> Result<Option<Duration>, ForgeError> {
        if !self.asked.status {
            return Ok(None);
        }
        loop {
            let source = &self.remote.source().name;
            let want = states::wanted(source, &session.manifests, wanted, &controller.store().accepted());
            let (open, later) = self.known().written.open(&want, self.cx.elapsed());
            // One at a time: what is written takes a while, and the next may have been replaced.
            let Some((place, mark)) = open.into_iter().next() else { return Ok(later) };
            let (commit, context) = &place;
            let written = match self.api.mark(commit, context).await {
                Ok(Some(known)) if known == mark => Ok(()),
                Ok(_) => self.api.set_mark(commit, &mark).await,
                Err(why) => Err(why),
            };
            match written {
                Ok(()) => {}
                // It will be refused again: nothing else waits for it.
                Err(why @ ForgeError::Refused { .. }) => self.complain(&why),
                Err(why) => return Err(why),
            }
            self.known().written.is(place, mark, self.cx.elapsed());
        }
    }

    /// Comments on the pull requests whose comment is not of their newest commit.
    async fn pulls(
        &self,
        session: &Session,
        controller: &Controller,
        wanted: &Wanted,
        followed: &str,
    ) -> Result<(), ForgeError> {
        let branch = match &self.remote.source().reference {
            GitRef::Default => None,
            GitRef::Branch(name) => Some(name.as_str()),
            GitRef::Tag(_) => return Ok(()),
        };
        let pulls = self.api.pulls(branch).await?;
        let open: Vec<Pull> =
            pulls.into_iter().filter(|pull| self.asked.forks || !pull.is_fork).take(PULLS_MAX).collect();
        {
            let mut known = self.known();
            let is_open = |number: &u64| open.iter().any(|pull| pull.number == *number);
            known.done.retain(|number, _| is_open(number));
            known.failed.retain(|number, _| is_open(number));
        }
        for pull in open {
            let of = (pull.head.clone(), followed.to_owned());
            let is_done = {
                let known = self.known();
                let tired =
                    known.failed.get(&pull.number).is_some_and(|(what, times)| *what == of && *times >= ATTEMPTS);
                tired || known.done.get(&pull.number) == Some(&of)
            };
            if is_done {
                continue;
            }
            match self.pull(session, controller, &pull, followed).await {
                Ok(true) => _ = self.known().done.insert(pull.number, of),
                Ok(false) => {
                    let mut known = self.known();
                    let failed = known.failed.entry(pull.number).or_insert_with(|| (of.clone(), 0));
                    *failed = if failed.0 == of { (of, failed.1 + 1) } else { (of, 1) };
                }
                Err(why @ ForgeError::Refused { .. }) => {
                    self.complain(&why);
                    self.known().done.insert(pull.number, of);
                }
                Err(why) => return Err(why),
            }
            // A state is what people wait for.
            self.states(session, controller, wanted).await?;
        }
        Ok(())
    }

    /// Comments on one, if its comment says something else. False: it could not be planned.
    async fn pull(
        &self,
        session: &Session,
        controller: &Controller,
        pull: &Pull,
        followed: &str,
    ) -> Result<bool, ForgeError> {
        let source = self.remote.source().name.as_str();
        let ours = self.api.comments(pull.number, &report::comment_marker(source)).await?;
        let ours = ours.into_iter().find(|comment| comment.is_ours);
        let newest = ours.as_ref().and_then(|comment| Section::newest(&comment.body));
        if newest.as_ref().is_some_and(|section| section.head == pull.head && section.base == followed) {
            return Ok(true);
        }
        let planned = match pulls::plan(session, controller, &self.remote, &pull.reference, followed).await {
            Ok(planned) => planned,
            Err(why) => {
                let cause = std::error::Error::source(&why).map(ToString::to_string);
                warn!(source, pull = pull.number, %why, cause, "a pull request could not be planned");
                return Ok(false);
            }
        };
        let section = Section { head: planned.head, base: followed.to_owned(), text: planned.text };
        match ours {
            None if planned.is_nothing => {}
            None => {
                self.api.comment(pull.number, &report::comment(source, &section, None)).await?;
                info!(source, pull = pull.number, commit = model::short_commit(&section.head), "plan commented");
            }
            Some(_) if newest.is_some_and(|newest| newest.says(&section)) => {}
            Some(comment) => {
                let body = report::comment(source, &section, Some(&comment.body));
                self.api.rewrite(pull.number, comment.id, &body).await?;
                info!(source, pull = pull.number, commit = model::short_commit(&section.head), "plan comment updated");
            }
        }
        Ok(true)
    }

    /// Says what is wrong, once for each time that it begins.
    fn complain(&self, why: &ForgeError) {
        let kind = match why {
            ForgeError::Later(_) => "later".to_owned(),
            why => why.to_string(),
        };
        let is_new = self.known().said.replace(kind.clone()).as_ref() != Some(&kind);
        if is_new {
            warn!(source = %self.remote.source().name, "feedback: {why}");
        }
    }

    fn well(&self) {
        let said = self.known().said.take();
        if said.is_some_and(|said| !said.contains("refused the request")) {
            info!(source = %self.remote.source().name, "feedback is given again");
        }
    }
}
