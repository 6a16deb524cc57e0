//! What commands that look at environments begin with, and how their reports are printed.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;

use super::args::{Global, Output};
use super::exit::{Exit, Trouble};
use super::history::History;
use super::manifests::Manifests;
use super::reach::reach;
use super::revision::Pinned;
use super::select::{self, Selection};
use super::session::{Holder, Pace, Session};
use super::{loading, progress, running, terminal};
use crate::controller::{Controller, Looked};
use crate::manifest::Loaded;
use crate::model::{EnvName, Environment, Key, short_commit};
use crate::report::{Paint, to_json};
use crate::store::Store;

/// How often a command looks that goes on looking.
pub(super) const EVERY: Duration = Duration::from_secs(5);

/// Environments, and everything to look at them with.
pub(super) struct View {
    pub(super) session: Session,
    pub(super) store: Store,
    /// Who has the journal: if it is another process, this is a copy.
    pub(super) holder: Holder,
    pub(super) loaded: Loaded,
    /// Whether what the daemon runs is looked at where that is broken, and the environments of which it is.
    instead: Option<BTreeSet<EnvName>>,
    /// How it stands to what was accepted.
    pub(super) history: History,
    /// What the command is about.
    pub(super) selection: Selection,
    pub(super) controller: Controller,
}

/// What a plan is of.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct ToPlan<'a> {
    /// Web servers are asked.
    pub(super) probe: bool,
    /// As if this older commit was accepted.
    pub(super) older: Option<&'a str>,
    /// Of this commit.
    pub(super) revision: Option<&'a str>,
    /// Compared with this one.
    pub(super) base: Option<&'a str>,
}

/// What a plan is compared with.
pub(super) struct Base {
    /// What the commit is called.
    pub(super) name: String,
    /// Its manifests.
    pub(super) loaded: Loaded,
}

/// How a session opens its journal.
type Opening = fn(&Session) -> Result<(Store, Holder), Trouble>;

/// How it reads the manifests: also, of which environments it has what the daemon runs instead.
type Reading = fn(&Session, &Store) -> Result<(loading::Read, Option<BTreeSet<EnvName>>), Trouble>;

/// As they are.
fn as_they_are(session: &Session, store: &Store) -> Result<(loading::Read, Option<BTreeSet<EnvName>>), Trouble> {
    session.load(store).map(|read| (read, None))
}

/// Where they are broken, what the daemon runs.
fn as_they_run(session: &Session, store: &Store) -> Result<(loading::Read, Option<BTreeSet<EnvName>>), Trouble> {
    running::load(session, store, true).map(|(read, instead)| (read, Some(instead)))
}

impl View {
    /// Of what these words name; of everything, if there are none.
    pub(super) fn open(global: &Global, words: &[String]) -> Result<Self, Trouble> {
        Self::at(Pace::Virtual, global, words, Session::store_for_looking, as_they_are)
    }

    /// The same, of what the daemon runs where the manifests are broken.
    pub(super) fn of_running(global: &Global, words: &[String]) -> Result<Self, Trouble> {
        Self::at(Pace::Virtual, global, words, Session::store_for_looking, as_they_run)
    }

    /// The same, to be looked at for a while, without holding the journal.
    pub(super) fn watching(global: &Global, words: &[String]) -> Result<Self, Trouble> {
        Self::at(Pace::Real(1.0), global, words, Session::store_for_watching, as_they_are)
    }

    /// The same, of what the daemon runs where the manifests are broken.
    pub(super) fn watching_running(global: &Global, words: &[String]) -> Result<Self, Trouble> {
        Self::at(Pace::Real(1.0), global, words, Session::store_for_watching, as_they_run)
    }

    /// The same, as things are now: others may have changed the manifests, the journal, and AWS.
    pub(super) fn again(self, words: &[String]) -> Result<Self, Trouble> {
        let global = self.session.global.clone();
        let opened = self.session.store_for_watching()?;
        // What is wrong with them was said before, or is said by whoever looks once.
        let read = match self.instead {
            None => (self.session.load_silently(&opened.0)?, None),
            Some(_) => running::load(&self.session, &opened.0, false).map(|(read, instead)| (read, Some(instead)))?,
        };
        Self::of(self.session, opened, read, |loaded| Selection::of(words, &global, loaded))
    }

    fn at(pace: Pace, global: &Global, words: &[String], open: Opening, read: Reading) -> Result<Self, Trouble> {
        Self::over(Session::start(global, pace)?, open, read, |loaded| Selection::of(words, global, loaded))
    }

    /// Of whole environments.
    pub(super) fn of_environments(global: &Global, words: &[String]) -> Result<Self, Trouble> {
        Self::over(Session::start(global, Pace::Virtual)?, Session::store_for_looking, as_they_are, |loaded| {
            Selection::of_environments(words, global, loaded)
        })
    }

    /// The same, of what the daemon runs where the manifests are broken.
    pub(super) fn of_running_environments(global: &Global, words: &[String]) -> Result<Self, Trouble> {
        Self::over(Session::start(global, Pace::Virtual)?, Session::store_for_looking, as_they_run, |loaded| {
            Selection::of_environments(words, global, loaded)
        })
    }

    /// The same, for as long as a daemon beside it takes.
    pub(super) fn watching_environments(global: &Global, words: &[String]) -> Result<Self, Trouble> {
        Self::over(Session::start(global, Pace::Real(1.0))?, Session::store_for_watching, as_they_are, |loaded| {
            Selection::of_environments(words, global, loaded)
        })
    }

    /// Of one object of what the daemon runs where the manifests are broken.
    pub(super) fn of_object(global: &Global, word: &str) -> Result<(Self, Key), Trouble> {
        Self::over_object(global, word, Session::store_for_looking, as_they_run)
    }

    /// The same, to ask something of the object.
    pub(super) fn to_ask(global: &Global, word: &str) -> Result<(Self, Key), Trouble> {
        Self::over_object(global, word, Session::store_for_asking, as_they_are)
    }

    /// To plan.
    pub(super) fn to_plan(
        global: &Global,
        words: &[String],
        asked: ToPlan<'_>,
    ) -> Result<(Self, Option<Base>), Trouble> {
        let mut session = Session::start(global, Pace::Virtual)?;
        session.accept_older(asked.older);
        if !asked.probe {
            session.ask_no_web_servers();
        }
        let choose = |loaded: &Loaded| Selection::of(words, global, loaded);
        let Some(name) = asked.revision else {
            return Ok((Self::over(session, Session::store_for_looking, as_they_are, choose)?, None));
        };
        let find = |name: &str| Pinned::find(&session.manifests, global, words, name).map(Arc::new);
        let (head, base) = (find(name)?, asked.base.map(find).transpose()?);
        let opened = session.store_for_looking()?;
        let base = match base {
            None => None,
            Some(commit) => {
                let name = short_commit(commit.commit()).to_owned();
                session.manifests = Manifests::Commit(commit);
                let (loaded, _) = session.load_silently(&opened.0)?;
                let broken = loaded.broken.len();
                if broken > 0 {
                    let them = if broken == 1 { "an environment has" } else { "environments have" };
                    terminal::note(&format!("note: in the base {name}, {them} errors: all changes of it are shown"));
                }
                Some(Base { name, loaded })
            }
        };
        session.manifests = Manifests::Commit(head);
        opened.1.mention();
        let read = as_they_are(&session, &opened.0)?;
        Ok((Self::of(session, opened, read, choose)?, base))
    }

    fn over_object(global: &Global, word: &str, open: Opening, read: Reading) -> Result<(Self, Key), Trouble> {
        let session = Session::start(global, Pace::Virtual)?;
        let opened = open(&session)?;
        let read = read(&session, &opened.0)?;
        opened.1.mention();
        let key = select::object(word, global, &read.0.0)?;
        let view = Self::of(session, opened, read, |loaded| Selection::of(&[key.to_string()], global, loaded))?;
        Ok((view, key))
    }

    fn over(
        session: Session,
        open: Opening,
        read: Reading,
        choose: impl FnOnce(&Loaded) -> Result<Selection, Trouble>,
    ) -> Result<Self, Trouble> {
        let opened = open(&session)?;
        let read = read(&session, &opened.0)?;
        // That manifests are broken is said first.
        opened.1.mention();
        Self::of(session, opened, read, choose)
    }

    fn of(
        session: Session,
        (store, holder): (Store, Holder),
        ((loaded, history), instead): (loading::Read, Option<BTreeSet<EnvName>>),
        choose: impl FnOnce(&Loaded) -> Result<Selection, Trouble>,
    ) -> Result<Self, Trouble> {
        let selection = choose(&loaded)?;
        let controller = session.controller(store.clone(), progress::silent());
        Ok(Self { session, store, holder, loaded, instead, history, selection, controller })
    }

    /// The environments that the command is about.
    pub(super) fn environments(&self) -> &[Arc<Environment>] {
        &self.selection.environments
    }

    /// The exit code of a command that ended with `exit`, where the manifests of its environments may be broken, or those
    /// beside them.
    pub(super) fn exit(&self, exit: Exit) -> Exit {
        let runs = |environment: &Arc<Environment>| {
            self.instead.as_ref().is_some_and(|instead| instead.contains(&environment.name))
        };
        let is_broken = self.selection.is_concerned(&self.loaded) || self.environments().iter().any(runs);
        if is_broken { Exit::Manifest } else { exit }
    }

    /// Runs a future to its end.
    pub(super) fn drive<T>(&self, future: impl Future<Output = Result<T, Trouble>>) -> Result<T, Trouble> {
        self.session.drive(&self.controller, future)?
    }

    /// Makes sure that AWS can be asked; whether all of it can.
    pub(super) async fn reach(&self) -> Result<bool, Trouble> {
        reach(&self.controller, self.environments()).await
    }

    /// One look at each environment, which changes nothing.
    pub(super) async fn glance(&self) -> Result<Vec<Looked>, Trouble> {
        let mut looks = Vec::new();
        for environment in self.environments() {
            looks.push(self.controller.glance(&self.loaded.desired, environment).await?);
        }
        Ok(looks)
    }

    /// How to paint what goes to standard output.
    pub(super) fn paint(&self) -> Paint {
        terminal::paint(&self.session.global)
    }
}

/// A report in the form that was asked for.
pub(super) fn rendered<T: Serialize + ?Sized>(
    output: Output,
    report: &T,
    text: impl FnOnce(&T) -> String,
) -> Result<String, Trouble> {
    let failed = |error| Trouble::machine("the report could not be written", error);
    match output {
        Output::Text => Ok(text(report)),
        Output::Json => to_json(report).map_err(failed),
        Output::Yaml => yaml(&to_json(report).map_err(failed)?),
    }
}

/// Prints a report in the form that was asked for.
pub(super) fn show<T: Serialize + ?Sized>(
    output: Output,
    report: &T,
    text: impl FnOnce(&T) -> String,
) -> Result<(), Trouble> {
    terminal::print(&rendered(output, report, text)?)
}

/// The same of a report that may be long: what people read goes through a pager, and what programs read does not.
pub(super) fn page<T: Serialize + ?Sized>(
    global: &Global,
    output: Output,
    report: &T,
    text: impl FnOnce(&T) -> String,
) -> Result<(), Trouble> {
    let text = rendered(output, report, text)?;
    if output == Output::Text { terminal::page(global, &text) } else { terminal::print(&text) }
}

/// A JSON document as YAML.
pub(super) fn yaml(json: &str) -> Result<String, Trouble> {
    let failed =
        |error: Box<dyn std::error::Error + Send + Sync>| Trouble::machine("the report could not be written", error);
    let document: serde_json::Value = serde_json::from_str(json).map_err(|error| failed(error.into()))?;
    serde_yaml::to_string(&document).map_err(|error| failed(error.into()))
}
