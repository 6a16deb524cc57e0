//! Whether AWS can be asked at all. Where it cannot, a look finds nothing; nothing seen is not nothing wrong, so the cause is
//! said once, and the command ends, instead of saying of each object that it could not be seen.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures_util::future::join_all;

use super::exit::Trouble;
use super::terminal;
use crate::controller::Controller;
use crate::model::{AssumeRole, Environment, Scope};
use crate::report::clean;

/// Asks each account and region whose credentials these are. Whether all of them could be asked; where only some could, a
/// note says which not.
///
/// # Errors
///
/// None could be asked.
pub(super) async fn reach(controller: &Controller, environments: &[Arc<Environment>]) -> Result<bool, Trouble> {
    let mut doors: BTreeMap<(Scope, Option<&AssumeRole>), &Environment> = BTreeMap::new();
    for environment in environments {
        for scope in environment.scopes() {
            // Stacks in other regions are entered by the same role; of other accounts there are none.
            doors.entry((scope, environment.role.as_ref())).or_insert(environment);
        }
    }
    let tried = doors.iter().map(|((scope, role), environment)| async move {
        let why = controller.governor().verify(scope, *role).await.err()?;
        let role = role.map(|role| format!(", as {}", role.arn)).unwrap_or_default();
        Some(format!("{} ({scope}{role}): {}", environment.name, clean(&why.message)))
    });
    let closed: Vec<String> = join_all(tried).await.into_iter().flatten().collect();
    match closed.len() {
        0 => Ok(true),
        some if some == doors.len() => Err(Trouble::Unreachable(closed.join("\n  "))),
        _ => {
            terminal::note(&format!("INCOMPLETE. AWS requests failed for\n  {}", closed.join("\n  ")));
            Ok(false)
        }
    }
}
