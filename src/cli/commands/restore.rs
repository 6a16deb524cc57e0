//! `landfast restore` and `landfast backup verify`: what people ask of a backup policy, beside what its manifest says, and
//! what came of it.

use std::collections::BTreeSet;
use std::time::Duration;

use jiff::Timestamp;

use super::ask::{Asked, put};
use super::failed::restore_failed;
use crate::cli::args::{Global, RestoreArgs};
use crate::cli::exit::{Exit, Trouble};
use crate::cli::view::{EVERY, View};
use crate::cli::{progress, select, terminal};
use crate::controller::{Ended, Tender, Until};
use crate::model::{
    BackupMemory, Coverage, Granted, Key, PointId, Restore, RestoreFrom, Scope, TableName, Wish, nearest,
};
use crate::plan::Goal;
use crate::report::{duration, items, time};

/// Restores a table into a new one, or tables in place.
pub(super) fn restore(global: &Global, asked: RestoreArgs) -> Result<Exit, Trouble> {
    let RestoreArgs { object, table, from, in_place, all: _, yes, to, no_wait } = asked;
    let table = match table {
        _ if in_place => return restore_in_place(global, &object, (table, from.point), yes, no_wait),
        Some(table) => table,
        None => return Err(Trouble::Missing("--table".to_owned())),
    };
    let from = match (from.to_time, from.point) {
        (Some(at), _) => RestoreFrom::Moment(at),
        (None, Some(point)) => RestoreFrom::Point(point),
        (None, None) => RestoreFrom::Latest,
    };
    let (view, key) = View::to_ask(global, &object)?;
    let tables = look(&view, &key)?;
    if !matches!(from, RestoreFrom::Point(_)) {
        tables.require(&table)?;
    }
    if let Some(to) = &to {
        tables.is_free(to)?;
    }
    let asked = put(&view, &key, Wish::Restore { table, from, to })?;
    let (Asked::Granted(Granted::Restore(to, restore)) | Asked::Left(Granted::Restore(to, restore))) = &asked else {
        return Ok(Exit::Done);
    };
    terminal::print(&format!("Restore requested: {} as of {} to {to}.\n", restore.table, restore.from))?;
    let what = format!("the restore of {} to {to}", restore.table);
    let of = |memory: &BackupMemory| restored(to, memory.restores.get(to)?);
    Follow { view, key, what, of: &of }.follow(&asked, no_wait)
}

/// Restores tables under their own names: this one, or all that the policy covers.
fn restore_in_place(
    global: &Global,
    object: &str,
    (table, point): (Option<TableName>, Option<PointId>),
    yes: bool,
    no_wait: bool,
) -> Result<Exit, Trouble> {
    let (view, key) = View::to_ask(global, object)?;
    let found = look(&view, &key)?;
    let mut tables = match table {
        Some(table) => vec![table],
        None => found.covered.iter().cloned().collect(),
    };
    if tables.is_empty() {
        return Err(Trouble::NothingToRestore(key.to_string()));
    }
    // One that is being restored already declines the request: before another one has been granted.
    let memory = view.store.memory(&key.environment)?;
    let restores = memory.objects.backups.get(&key).map(|memory| &memory.restores);
    let is_open = |table: &TableName| restores.is_some_and(|all| all.get(table).is_some_and(Restore::is_open));
    tables.sort_by_key(|table| !is_open(table));
    found.confirm_deletion(&tables, yes)?;
    let mut last = None;
    for table in &tables {
        let wish = Wish::RestoreInPlace { table: table.clone(), point: point.clone() };
        let asked = put(&view, &key, wish)?;
        if let Asked::Granted(Granted::Restore(_, restore)) | Asked::Left(Granted::Restore(_, restore)) = &asked {
            terminal::print(&format!("Restore requested: {table} in place as of {}.\n", restore.from))?;
        }
        last = Some(asked);
    }
    let Some(asked) = last else { return Ok(Exit::Done) };
    let what = match tables.as_slice() {
        [table] => format!("the restore of {table} in place"),
        all => format!("the restore of {} tables in place", all.len()),
    };
    let of = |memory: &BackupMemory| all_restored(&tables, memory);
    Follow { view, key, what, of: &of }.follow(&asked, no_wait)
}

/// What came of restores in place, once all have ended.
fn all_restored(tables: &[TableName], memory: &BackupMemory) -> Outcome {
    let each = tables.iter().map(|table| restored(table, memory.restores.get(table)?));
    let each: Vec<Result<String, String>> = each.collect::<Option<_>>()?;
    let failed = each.iter().any(Result::is_err);
    let text = each.into_iter().map(|one| one.unwrap_or_else(|why| why)).collect::<Vec<_>>().join("\n");
    Some(if failed { Err(text) } else { Ok(text) })
}

/// Tries now whether tables can be restored.
pub(super) fn verify(global: &Global, object: &str, table: Option<&TableName>, no_wait: bool) -> Result<Exit, Trouble> {
    let (view, key) = View::to_ask(global, object)?;
    let tables = look(&view, &key)?;
    let tables = if let Some(table) = table {
        tables.require(table)?;
        BTreeSet::from([table.clone()])
    } else {
        tables.covered
    };
    let since = view.session.cx.now();
    let asked = put(&view, &key, Wish::Verify { table: table.cloned() })?;
    let of = |memory: &BackupMemory| tested(&tables, since, memory);
    Follow { view, key, what: "the restore test".to_owned(), of: &of }.follow(&asked, no_wait)
}

/// The tables where a backup policy has its own.
struct Tables {
    scope: Scope,
    /// All that there are; nothing, if they could not be listed: AWS says then what is missing.
    all: Option<BTreeSet<TableName>>,
    /// Those that the policy covers.
    covered: BTreeSet<TableName>,
}

fn look(view: &View, key: &Key) -> Result<Tables, Trouble> {
    let found = view.environments().iter().find_map(|one| Some((one, one.backups.get(key)?.scope.clone())));
    let (environment, scope) =
        found.ok_or_else(|| Trouble::no_such_object(&key.to_string(), select::objects(&view.loaded)))?;
    let Coverage { tables, unknown } = view.drive(async {
        view.reach().await?;
        Ok(view.controller.coverage(&view.loaded.desired, environment).await?)
    })?;
    let covered = tables.iter().filter(|(_, covered)| covered.by.as_ref() == Some(key));
    let covered = covered.map(|((_, table), _)| table.clone()).collect();
    let all = tables.into_keys().filter(|(place, _)| *place == scope).map(|(_, table)| table);
    Ok(Tables { all: unknown.is_empty().then(|| all.collect()), covered, scope })
}

impl Tables {
    /// Refuses a table that does not exist at once: a typing error is nothing that a daemon should find out later.
    fn require(&self, table: &TableName) -> Result<(), Trouble> {
        let Some(all) = self.all.as_ref().filter(|all| !all.contains(table)) else { return Ok(()) };
        let near = nearest(table.as_str(), all.iter().map(TableName::as_str)).map(str::to_owned);
        Err(Trouble::NoSuchTable { table: table.to_string(), scope: self.scope.to_string(), near })
    }

    /// Says which tables are deleted for a restore in place, and asks. Nothing is asked where none is there.
    fn confirm_deletion(&self, tables: &[TableName], yes: bool) -> Result<(), Trouble> {
        let is_there = |table: &&TableName| self.all.as_ref().is_none_or(|all| all.contains(*table));
        let there: Vec<&TableName> = tables.iter().filter(is_there).collect();
        if there.is_empty() {
            return Ok(());
        }
        let scope = &self.scope;
        let list: Vec<&str> = there.iter().map(|table| table.as_str()).collect();
        terminal::print(&format!(
            "These tables of {scope} will be DELETED if they have no items, and restored under their names:\n  {}\n",
            list.join("\n  ")
        ))?;
        if yes {
            return Ok(());
        }
        if !terminal::is_attended() {
            let how = "no terminal: to delete these tables if they are empty, pass `--yes`".to_owned();
            return Err(Trouble::NobodyToAsk(how));
        }
        if terminal::ask("Delete them if they are empty? Type `yes` to confirm:")? != "yes" {
            return Err(Trouble::NobodyToAsk("not confirmed; nothing was changed".to_owned()));
        }
        Ok(())
    }

    /// Refuses a name for the new table that is in use.
    fn is_free(&self, to: &TableName) -> Result<(), Trouble> {
        if self.all.as_ref().is_some_and(|all| all.contains(to)) {
            return Err(Trouble::TableExists { table: to.to_string(), scope: self.scope.to_string() });
        }
        Ok(())
    }
}

/// What came of it: a sentence, and whether that is success. Nothing, as long as it goes on.
type Outcome = Option<Result<String, String>>;

/// Something that was asked of a backup policy, followed to its end.
struct Follow<'a> {
    view: View,
    key: Key,
    /// What it is called.
    what: String,
    of: &'a dyn Fn(&BackupMemory) -> Outcome,
}

impl Follow<'_> {
    fn follow(self, asked: &Asked, no_wait: bool) -> Result<Exit, Trouble> {
        let (key, environment) = (&self.key, &self.key.environment);
        match asked {
            _ if no_wait => {
                terminal::note(&format!(
                    "not waiting: a daemon or `landfast apply {environment}` does it. To see the result: `landfast why \
                     {key}`"
                ));
                Ok(Exit::Done)
            }
            Asked::Granted(_) => self.carry_out(),
            Asked::Left(_) => self.watch(),
        }
    }

    /// Does it here: this object alone is acted on.
    fn carry_out(self) -> Result<Exit, Trouble> {
        let Self { view, key, what, of } = self;
        let controller = view.session.controller(view.store.clone(), progress::about(key.clone()));
        controller.board.publish(view.loaded.desired.clone(), &BTreeSet::new());
        let tender = Tender::new(&controller, key.environment.clone(), Goal::Converge, Until::Settled);
        let ended = view.session.drive(&controller, tender.only(key.clone()).run())??;
        let memory = view.store.memory(&key.environment)?;
        let outcome = memory.objects.backups.get(&key).and_then(|memory| of(memory));
        match (outcome, ended) {
            (Some(outcome), _) => tell(outcome),
            (None, Ended::Stopped) => Err(Trouble::LeftRunning(what)),
            (None, Ended::Settled(_)) => Err(Trouble::NotFinished { what, object: key.to_string() }),
        }
    }

    /// Another process does it.
    fn watch(self) -> Result<Exit, Trouble> {
        let Self { mut view, key, what, of } = self;
        terminal::note(&format!("waiting for {what}; interrupting this command does not stop it"));
        loop {
            let memory = view.store.memory(&key.environment)?;
            if let Some(outcome) = memory.objects.backups.get(&key).and_then(|memory| of(memory)) {
                return tell(outcome);
            }
            match view.session.ask(view.session.cx.sleep(EVERY)) {
                Err(Trouble::Interrupted) => return Err(Trouble::LeftRunning(what)),
                slept => slept?,
            }
            view = view.again(&[key.to_string()])?;
        }
    }
}

fn tell(outcome: Result<String, String>) -> Result<Exit, Trouble> {
    let (text, exit) = match outcome {
        Ok(text) => (text, Exit::Done),
        Err(text) => (text, Exit::Failed),
    };
    terminal::print(&format!("{text}\n"))?;
    Ok(exit)
}

fn restored(to: &TableName, restore: &Restore) -> Outcome {
    let (_, failed) = restore.ended.as_ref()?;
    if let Some(why) = failed {
        return Some(Err(restore_failed(restore.table.as_str(), Some(to.as_str()), why)));
    }
    let place = if restore.is_in_place() { "in place".to_owned() } else { format!("to {to}") };
    let counted = restore.items.as_ref().map(|counted| format!(", {}", items(counted))).unwrap_or_default();
    let as_of = restore.as_of.map(|as_of| format!(", as of {}", time(as_of))).unwrap_or_default();
    Some(Ok(format!("Restored: {} {place}{as_of}{counted}{}.", restore.table, took(restore.took()))))
}

/// How long it took, in seconds, as the end of a sentence.
fn took(seconds: Option<u64>) -> String {
    seconds.map(|seconds| format!(", in {}", duration(Duration::from_secs(seconds)))).unwrap_or_default()
}

/// What the restore tests of these tables have shown, once all have ended that were asked for then.
fn tested(tables: &BTreeSet<TableName>, since: Timestamp, memory: &BackupMemory) -> Outcome {
    let proof = |table| memory.proofs.get(table).filter(|proof| proof.at >= since);
    let proofs: Option<Vec<_>> = tables.iter().map(|table| Some((table, proof(table)?))).collect();
    let proofs = proofs.filter(|proofs| !proofs.is_empty())?;
    let is_failed = proofs.iter().any(|(_, proof)| proof.failed.is_some());
    let said = proofs.into_iter().map(|(table, proof)| match &proof.failed {
        Some(why) => restore_failed(table.as_str(), None, why),
        None => format!("The restore test of {table} passed{}.", took(proof.took)),
    });
    let text = said.collect::<Vec<_>>().join("\n");
    Some(if is_failed { Err(text) } else { Ok(text) })
}
