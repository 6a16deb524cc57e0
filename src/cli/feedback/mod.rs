//! Feedback where people look: states of the commits that are followed, and comments on pull requests.
//!
//! Nothing waits for it. What a commit's state is to say has one place for each environment, where the newest replaces the
//! one before; one task for each source writes it when its Git host lets it. What has been written is read back from the
//! host, so a restart writes nothing twice.

mod pulls;
mod reporter;
mod states;

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::{Arc, Mutex, PoisonError};

use futures_util::FutureExt as _;
use futures_util::future::join_all;
use tokio::sync::Notify;

use self::reporter::Reporter;
use super::exit::Trouble;
use super::session::Session;
use crate::controller::{Controller, PlanObserver};
use crate::model::{Digest, EnvName};
use crate::report::{self, Standing};

/// How an environment stands, and of which revision's files that is said.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Told {
    content: Digest,
    standing: Standing,
    text: String,
}

/// How all environments stand: the newest of each.
#[derive(Debug, Default)]
struct Wanted(Mutex<BTreeMap<EnvName, Told>>);

/// What Git hosts are told; nothing, if no source asks for it.
#[derive(Default)]
pub(super) struct Feedback {
    wanted: Arc<Wanted>,
    reporters: Vec<Reporter>,
    bells: Vec<Arc<Notify>>,
}

impl Feedback {
    /// For the sources that ask for it.
    pub(super) fn of(session: &Session) -> Result<Self, Trouble> {
        let mut feedback = Self::default();
        for remote in session.manifests.remotes() {
            if let Some(asked) = &remote.source().feedback {
                let bell = Arc::<Notify>::default();
                feedback.reporters.push(Reporter::new(&session.cx, remote, asked, &bell)?);
                feedback.bells.push(bell);
            }
        }
        Ok(feedback)
    }

    /// Sees every plan, and gives it to another observer.
    pub(super) fn beside(&self, other: PlanObserver) -> PlanObserver {
        if self.reporters.is_empty() {
            return other;
        }
        let (wanted, bells) = (Arc::clone(&self.wanted), self.bells.clone());
        Arc::new(move |plan, memory| {
            let (standing, text) = report::standing(&plan);
            let told = Told { content: plan.revision.content.clone(), standing, text };
            if wanted.lock().insert(plan.environment.clone(), told.clone()).as_ref() != Some(&told) {
                for bell in &bells {
                    bell.notify_one();
                }
            }
            other(plan, memory);
        })
    }

    /// A Git host has called: there may be another pull request.
    pub(super) fn ring(&self) {
        self.reporters.iter().for_each(Reporter::called);
        self.bells.iter().for_each(|bell| bell.notify_one());
    }

    /// Gives feedback for ever.
    pub(super) async fn keep_giving(&self, session: &Session, controller: &Controller) -> Infallible {
        let each = self.reporters.iter().map(|reporter| reporter.keep_giving(session, controller, &self.wanted));
        // Each is for ever; none at all is, too.
        let all = join_all(each).map(|ended: Vec<Infallible>| drop(ended));
        all.await;
        std::future::pending().await
    }
}

impl Wanted {
    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<EnvName, Told>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
