//! The plan of a pull request: read only, and of nothing that the followed commit could not have made the daemon read.
//!
//! Whoever opened it may mean harm. So it is planned with a copy of the journal behind a closed gate, without identities and
//! without web servers; and only in environments that the followed commit has, with the same account, region and role.

use std::sync::Arc;

use crate::cli::exit::Trouble;
use crate::cli::loading;
use crate::cli::manifests::{Fixed as _, real_time, trouble};
use crate::cli::revision::Pinned;
use crate::cli::session::{self, Session};
use crate::controller::Controller;
use crate::manifest::{Diagnostic, Loaded, Severity};
use crate::model::{Environment, Plan, short_commit};
use crate::report;
use crate::source::Remote;

/// What a pull request would change.
pub(super) struct Planned {
    /// Its newest commit, as it was fetched.
    pub(super) head: String,
    /// What there is to say.
    pub(super) text: String,
    /// It changes nothing.
    pub(super) is_nothing: bool,
}

/// Plans what the repository calls `reference`, beside the commit at which it has left the branch. What may be planned is
/// said by the commit that is followed.
pub(super) async fn plan(
    session: &Session,
    controller: &Controller,
    remote: &Remote,
    reference: &str,
    followed: &str,
) -> Result<Planned, Trouble> {
    let (manifests, against, peek) =
        (session.manifests.clone(), session.against(controller.store()), session.peeking());
    let (remote, reference, followed) = (remote.clone(), reference.to_owned(), followed.to_owned());
    let read = loading::apart(move || {
        let found = remote.find_with_base(&reference, &followed, real_time());
        let (head, left) = found.map_err(|why| trouble(remote.source(), &why.to_string()))?;
        let load =
            |commit: &str| Ok::<_, Trouble>(Pinned::hosted(&manifests, &remote, commit.to_owned()).load(&against)?.0);
        let followed = load(&followed)?;
        Ok::<_, Trouble>((followed, load(&left)?, left, load(&head)?, head, peek()?))
    });
    let (mut followed, mut base, left, mut loaded, head, store) = read.await??;
    session::record(&mut followed, &store)?;
    session::record(&mut base, &store)?;
    session::record(&mut loaded, &store)?;
    let looker = session.looker(store);
    let (mut plans, mut before, mut left_out): (Vec<Plan>, Vec<Plan>, Vec<_>) = Default::default();
    for (name, environment) in &loaded.desired.environments {
        match may_plan(environment, followed.desired.environments.get(name)) {
            Ok(()) => {
                // Where it was elsewhere then, or not there, it is compared with how it is now.
                let of_then = base.desired.environments.get(name).map(|then| (&base, then));
                let of_now = followed.desired.environments.get(name).map(|now| (&followed, now));
                let alike =
                    of_then.filter(|(_, then)| then.scope == environment.scope && then.role == environment.role);
                if let Some((of, known)) = alike.or(of_now) {
                    before.push(looker.glance(&of.desired, known).await?.plan);
                }
                plans.push(looker.glance(&loaded.desired, environment).await?.plan);
            }
            Err(why) => left_out.push((name.to_string(), why)),
        }
    }
    let gone = base
        .desired
        .environments
        .keys()
        .filter(|name| !loaded.desired.environments.contains_key(*name) && !loaded.broken.contains(*name));
    left_out.extend(gone.map(|name| (name.to_string(), "its manifest is removed, and its resources stay as they are")));
    let errors = errors(&loaded);
    let changes = |plan: &Plan| {
        let told = report::tell(plan, before.iter().find(|base| base.environment == plan.environment));
        !told.changed.is_empty() || !told.no_longer.is_empty()
    };
    let is_nothing = errors.is_empty() && left_out.is_empty() && !plans.iter().any(changes);
    let text = report::changes_markdown(&plans, &before, short_commit(&left), report::PLAN_MAX);
    Ok(Planned { head, text: text + &report::remarks(&errors, &left_out), is_nothing })
}

/// Whether an environment is in the same place as in the commit that is followed.
fn may_plan(environment: &Environment, followed: Option<&Arc<Environment>>) -> Result<(), &'static str> {
    let Some(followed) = followed else { return Err("it is new, and is planned after the merge") };
    if followed.scope != environment.scope || followed.role != environment.role {
        return Err("its account, region or role changes; it is planned after the merge");
    }
    Ok(())
}

/// What is wrong with the manifests, and where.
fn errors(loaded: &Loaded) -> Vec<String> {
    let wrong = loaded.diagnostics.iter().filter(|one| one.severity == Severity::Error);
    let place = |one: &Diagnostic| {
        let place: Vec<String> =
            [one.file.clone(), one.line.map(|line| line.to_string())].into_iter().flatten().collect();
        if place.is_empty() { one.message.clone() } else { format!("{}: {}", place.join(":"), one.message) }
    };
    wrong.map(place).collect()
}
