//! What commands that look at environments begin with, and how their reports are printed.

use std::sync::Arc;

use serde::Serialize;

use super::args::{Global, Output};
use super::exit::Trouble;
use super::history::History;
use super::reach::reach;
use super::session::{self, Holder, Pace, Session};
use super::{progress, terminal};
use crate::controller::{Controller, Looked};
use crate::manifest::Loaded;
use crate::model::Environment;
use crate::report::{Paint, to_json};
use crate::store::Store;

/// Environments, and everything to look at them with.
pub(super) struct View {
    pub(super) session: Session,
    pub(super) store: Store,
    /// Who has the journal: if it is another process, this is a copy.
    pub(super) holder: Holder,
    pub(super) loaded: Loaded,
    /// How it stands to what was accepted.
    pub(super) history: History,
    /// Those that the command is about.
    pub(super) environments: Vec<Arc<Environment>>,
    pub(super) controller: Controller,
}

impl View {
    /// Of one environment, or of all.
    pub(super) fn open(global: &Global, environment: Option<&str>) -> Result<Self, Trouble> {
        Self::at(Pace::Virtual, global, environment)
    }

    /// The same, at this pace.
    pub(super) fn at(pace: Pace, global: &Global, environment: Option<&str>) -> Result<Self, Trouble> {
        Self::over(Session::start(global, pace)?, environment, Session::store_for_looking)
    }

    /// Of one environment, to ask something of an object in it.
    pub(super) fn to_ask(global: &Global, environment: &str) -> Result<Self, Trouble> {
        Self::over(Session::start(global, Pace::Virtual)?, Some(environment), Session::store_for_asking)
    }

    /// To plan, as if this older commit was accepted; asking web servers only if that is wanted.
    pub(super) fn to_plan(
        global: &Global,
        environment: Option<&str>,
        probe: bool,
        older: Option<&str>,
    ) -> Result<Self, Trouble> {
        let mut session = Session::start(global, Pace::Virtual)?;
        session.accept_older(older);
        if !probe {
            session.ask_no_web_servers();
        }
        Self::over(session, environment, Session::store_for_looking)
    }

    fn over(
        session: Session,
        environment: Option<&str>,
        store: impl FnOnce(&Session) -> Result<(Store, Holder), Trouble>,
    ) -> Result<Self, Trouble> {
        let (store, holder) = store(&session)?;
        let (loaded, history) = session.load(&store)?;
        let environments = session::choose(&loaded, environment)?;
        let controller = session.controller(store.clone(), progress::silent());
        Ok(Self { session, store, holder, loaded, history, environments, controller })
    }

    /// Runs a future to its end.
    pub(super) fn drive<T>(&self, future: impl Future<Output = Result<T, Trouble>>) -> Result<T, Trouble> {
        self.session.drive(&self.controller, future)?
    }

    /// Makes sure that AWS can be asked; whether all of it can.
    pub(super) async fn reach(&self) -> Result<bool, Trouble> {
        reach(&self.controller, &self.environments).await
    }

    /// One look at each environment, which changes nothing.
    pub(super) async fn glance(&self) -> Result<Vec<Looked>, Trouble> {
        let mut looks = Vec::new();
        for environment in &self.environments {
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
    match output {
        Output::Text => Ok(text(report)),
        Output::Json => to_json(report).map_err(|error| Trouble::machine("the report could not be written", error)),
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
