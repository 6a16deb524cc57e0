//! What the daemon tells machines of itself, if it was given an address for that.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::net::SocketAddr;

use super::beacon::Lamp;
use super::exit::Trouble;
use crate::context::Context;
use crate::controller::Board;
use crate::model::{Desired, EnvName, Key};
use crate::report::{ConditionStatus, ConditionType, Status, SyncStatus};
use crate::server::{Health, Listening, Observed, Pages, Standing, serve};

/// A listener for machines.
pub(super) struct HealthPages(Listening);

impl HealthPages {
    /// Takes the address; `None` if there is none.
    pub(super) async fn listen(address: Option<SocketAddr>) -> Result<Option<Self>, Trouble> {
        let Some(address) = address else { return Ok(None) };
        let failed = |error| Trouble::machine(format!("health and metrics cannot be served at {address}"), error);
        if !address.ip().is_loopback() {
            let why = "its pages name environments and ask nobody who they are: use 127.0.0.1 or [::1], and collect \
                       metrics from the same machine or task";
            return Err(failed(std::io::Error::other(why)));
        }
        Listening::at(address, "health and metrics").await.map(|listening| Some(Self(listening))).map_err(failed)
    }

    /// Serves for ever; does nothing for ever, if there is nothing to serve.
    pub(super) async fn serve(cx: &Context, pages: Option<&Self>, lamp: &Lamp, board: &Board) -> Infallible {
        match pages {
            Some(Self(listening)) => {
                let health = || health(lamp, &board.desired());
                serve(cx, listening, &Pages::new(&health)).await
            }
            None => std::future::pending().await,
        }
    }
}

fn health(lamp: &Lamp, desired: &Desired) -> Health {
    lamp.show(|beacon| {
        let observed = |name: &EnvName| {
            let seen = beacon.environments.get(name.as_str())?;
            let mut objects: BTreeMap<Standing, i64> = BTreeMap::new();
            for status in &seen.items {
                *objects.entry(standing(status)).or_default() += 1;
            }
            Some(Observed { at: seen.at, objects })
        };
        Health {
            version: beacon.version.clone(),
            started: beacon.started,
            loaded: beacon.revision.is_some(),
            error: beacon.error.clone(),
            environments: desired.environments.keys().map(|name| (name.to_string(), observed(name))).collect(),
            heartbeats: beacon
                .events
                .iter()
                .map(|(scope, heard)| (scope.clone(), (heard.arrived, heard.late)))
                .collect(),
        }
    })
}

fn standing(status: &Status) -> Standing {
    let kind = status.object.parse::<Key>().map(|key| key.kind.as_str());
    Standing {
        kind: kind.unwrap_or_default().to_owned(),
        sync: format!("{:?}", status.sync),
        health: format!("{:?}", status.health),
        state: match () {
            () if status.is_ready() => "Ready",
            () if status.is_stalled() => "Stalled",
            () if status.awaits_approval() => "ApprovalRequired",
            () if status.is_pending() => "Pending",
            () if status.is(ConditionType::Reconciling, ConditionStatus::True) => "Reconciling",
            () if status.sync == SyncStatus::Retained => "Retained",
            // Nothing that is known says more.
            () => "Unknown",
        },
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_could_not_be_read_is_in_no_other_state() {
        let state = |sync: &str, kind: &str, status: &str| {
            let condition = json!({ "type": kind, "status": status, "reason": "Any", "message": "" });
            let status = json!({
                "object": "dev/stack/net", "name": "net", "account": "111122223333", "region": "us-east-1", "status": null,
                "sync": sync, "health": "Unknown", "action": "unknown", "observedRevision": "1", "conditions": [condition],
                "operationSince": null,
            });
            standing(&serde_json::from_value(status).unwrap()).state
        };
        assert_eq!(state("Unknown", "Ready", "Unknown"), "Unknown");
        assert_eq!(state("Retained", "Ready", "False"), "Retained");
        assert_eq!(state("OutOfSync", "Reconciling", "True"), "Reconciling");
        assert_eq!(state("OutOfSync", "Ready", "False"), "Pending");
        assert_eq!(state("Synced", "Ready", "True"), "Ready");
    }
}
