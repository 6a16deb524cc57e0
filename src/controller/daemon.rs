//! All environments at once.

use std::collections::BTreeMap;

use futures_util::StreamExt as _;
use futures_util::future::BoxFuture;
use futures_util::stream::FuturesUnordered;
use tracing::{info, warn};

use super::{Controller, Ended, Tender, Until};
use crate::model::EnvName;
use crate::plan::Goal;
use crate::store::StoreError;

/// Tends every environment that the board shows, and those that it comes to show later. Each has its own tender, so
/// that one that hangs holds up no other. Returns how the tenders ended: when all have settled, or after
/// [`Controller::stop`].
///
/// # Errors
/// The journal could not be read or written. Then everything was stopped.
pub async fn tend_all(controller: &Controller, until: Until) -> Result<BTreeMap<EnvName, Ended>, StoreError> {
    let mut tenders: FuturesUnordered<BoxFuture<'_, (EnvName, Result<Ended, StoreError>)>> = FuturesUnordered::new();
    let mut tended: BTreeMap<EnvName, Option<Ended>> = BTreeMap::new();
    let mut failed = None;
    loop {
        let mut changed = std::pin::pin!(controller.board.changed());
        changed.as_mut().enable();
        if controller.gate.is_open() {
            for name in controller.board.desired().environments.keys() {
                if tended.contains_key(name) {
                    continue;
                }
                info!(environment = %name, "reconciling");
                tended.insert(name.clone(), None);
                let one = Tender::new(controller, name.clone(), Goal::Converge, until);
                let name = name.clone();
                tenders.push(Box::pin(async move { (name, one.run().await) }));
            }
        }
        let over = tenders.is_empty() && (until == Until::Settled || !controller.gate.is_open());
        if let Some(failed) = failed.take_if(|_| tenders.is_empty()) {
            return Err(failed);
        }
        if over {
            return Ok(tended.into_iter().filter_map(|(name, ended)| Some((name, ended?))).collect());
        }
        tokio::select! {
            biased;
            Some((name, ended)) = tenders.next() => match ended {
                Err(why) => {
                    // The journal is everybody's: nothing new begins, and what was sent is waited for, a little.
                    controller.stop();
                    failed.get_or_insert(why);
                }
                Ok(Ended::Stopped) if controller.gate.is_open() => {
                    // Not an instruction to delete anything; it is tended again when a manifest describes it again.
                    warn!(environment = %name, "the manifests no longer contain this environment; its stacks are kept");
                    tended.remove(&name);
                }
                Ok(ended) => {
                    tended.insert(name, Some(ended));
                }
            },
            () = &mut changed => {}
        }
    }
}
