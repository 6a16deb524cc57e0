//! `landfast restore` and `landfast backup verify`: what people ask of a backup policy, beside what its manifest says.

use super::ask::{Asked, ask};
use crate::cli::args::{Global, RestoreFromArgs};
use crate::cli::exit::{Exit, Trouble};
use crate::cli::terminal;
use crate::model::{Granted, Key, RestoreFrom, TableName, Wish};

/// Has a table restored into a new one.
pub(super) fn restore(
    global: &Global,
    object: &str,
    table: TableName,
    from: &RestoreFromArgs,
    to: Option<TableName>,
) -> Result<Exit, Trouble> {
    let from = match (&from.to_time, &from.point) {
        (Some(at), _) => RestoreFrom::Moment(*at),
        (None, Some(point)) => RestoreFrom::Point(point.clone()),
        (None, None) => RestoreFrom::Latest,
    };
    let (key, asked) = ask(global, object, Wish::Restore { table, from, to })?;
    if let Asked::Granted(Granted::Restore(to, restore)) = asked {
        terminal::print(&format!("Restore requested: {} as of {} to {to}.\n", restore.table, restore.from))?;
        follow(&key, "it");
    }
    Ok(Exit::Done)
}

/// Has it tried now whether tables can be restored.
pub(super) fn verify(global: &Global, object: &str, table: Option<TableName>) -> Result<Exit, Trouble> {
    if let (key, Asked::Granted(_)) = ask(global, object, Wish::Verify { table })? {
        follow(&key, "the test");
    }
    Ok(Exit::Done)
}

fn follow(object: &Key, what: &str) {
    let environment = &object.environment;
    terminal::note(&format!(
        "requested; a daemon or `landfast apply {environment}` runs {what}. To see the result: `landfast why {object}`"
    ));
}
