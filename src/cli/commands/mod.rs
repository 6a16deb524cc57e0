//! One file for each command.

mod adopt;
mod apply;
mod ask;
mod backup;
mod completions;
mod desk;
mod destroy;
mod doctor;
mod drift;
mod event_source;
mod events;
mod explain;
mod failed;
mod freeze;
mod graph;
mod images;
mod init;
mod logs;
mod man;
mod notify;
mod outputs;
mod person;
mod plan;
mod preflight;
mod put;
mod render;
mod restore;
mod review;
mod run;
mod schema;
mod seal;
mod secret;
mod state;
mod status;
mod sync;
mod traffic;
mod validate;
mod wait;
mod why;

use super::args::{
    BackupCommand, Cli, Command, EventSourceCommand, EventsCommand, NotifyCommand, Quarantine, SecretCommand,
    TrafficCommand,
};
use super::exit::{Exit, Trouble};
use super::view::ToPlan;

/// Runs the command that was asked for.
pub(super) fn run(cli: Cli) -> Result<Exit, Trouble> {
    let global = cli.global;
    match cli.command {
        Command::Init(args) => init::run(&global, &args),
        Command::Validate { path, output } => validate::run(&global, path, output),
        Command::Schema { out } => schema::run(out.as_deref()),
        Command::Graph { environments: of, format } => graph::run(&global, &of.environments, format),
        Command::Plan { targets, probe, accept_older_commit: older, revision, base, output, detailed_exitcode: _ } => {
            let (older, revision, base) = (older.as_deref(), revision.as_deref(), base.as_deref());
            plan::run(&global, &targets.targets, ToPlan { probe, older, revision, base }, output)
        }
        Command::Preflight { environments: of, drift_reports, output } => {
            preflight::run(&global, &of.environments, &drift_reports, output)
        }
        Command::Drift { revert: Some(object), .. } => drift::revert(&global, &object),
        Command::Drift { targets, output, out, revert: None } => {
            drift::run(&global, &targets.targets, output, out.as_deref())
        }
        Command::Adopt(args) => adopt::run(&global, args),
        Command::Doctor { in_step: Some(object), .. } => doctor::in_step(&global, &object),
        Command::Doctor { environments: of, output, in_step: None } => doctor::run(&global, &of.environments, output),
        Command::Apply(args) if args.dry_run => {
            let older = args.accept_older_commit.as_deref();
            let asked = ToPlan { older, ..ToPlan::default() };
            plan::run(&global, &args.environments.environments, asked, args.output.into())
        }
        Command::Apply(args) => apply::run(&global, &args),
        Command::Wait { targets, condition, timeout } => wait::run(&global, &targets, condition, timeout),
        Command::Run(args) => run::run(&global, args),
        Command::Sync => sync::run(&global),
        Command::Approve(asked) => review::approve(&global, &asked),
        Command::Reject(asked) => review::reject(&global, &asked),
        Command::Approvals { environments: of, output } => review::list(&global, &of.environments, output),
        Command::Notify { command: NotifyCommand::Test { destination } } => {
            notify::test(&global, destination.as_deref())
        }
        Command::Freeze(asked) => freeze::freeze(&global, &asked),
        Command::Thaw(asked) => freeze::thaw(&global, &asked),
        Command::Queue { targets, output } => freeze::queue(&global, &targets.targets, output),
        Command::Status { cached: true, targets, output, .. } => status::cached(&global, &targets.targets, output),
        Command::Status { targets, watch, output, .. } => status::run(&global, &targets.targets, watch, output),
        Command::Why { object } => why::run(&global, &object),
        Command::Explain { words } => explain::run(&global, &words),
        Command::Render { targets, output } => render::run(&global, &targets, output),
        Command::Outputs { targets, key, raw, output } => {
            outputs::run(&global, &targets.targets, key.as_deref(), raw, output)
        }
        Command::Logs(asked) => logs::run(&global, &asked),
        Command::Events { command: Some(EventsCommand::Source { command }), .. } => match command {
            EventSourceCommand::Check { environments: of, timeout, output } => {
                event_source::check(&global, &of.environments, timeout, output)
            }
        },
        Command::Events { targets, limit, follow, output, .. } => events::run(&global, &targets, limit, follow, output),
        Command::Destroy { environment, plan, accept_older_commit: older } => {
            destroy::run(&global, &environment, plan.as_deref(), older.as_deref())
        }
        Command::Seal { file, recipients, secrets, exact } => seal::run(&global, &file, &recipients, &secrets, exact),
        Command::Secret { command } => match command {
            SecretCommand::Status { environments: of } => secret::status(&global, &of.environments),
            SecretCommand::Rotate { object } => secret::rotate(&global, &object),
        },
        Command::Traffic { command } => match command {
            TrafficCommand::Status { environments: of } => traffic::status(&global, &of.environments),
            TrafficCommand::Send { object, to, because, region } => {
                traffic::send(&global, &object, to, &because, region)
            }
        },
        Command::Backup { command } => match command {
            BackupCommand::List { environments: of, output } => backup::list(&global, &of.environments, output),
            BackupCommand::Now { object } => backup::now(&global, &object),
            BackupCommand::Coverage { environments: of, output } => backup::coverage(&global, &of.environments, output),
            BackupCommand::Verify { object, table, no_wait } => {
                restore::verify(&global, &object, table.as_ref(), no_wait)
            }
        },
        Command::Restore(asked) => restore::restore(&global, asked),
        Command::Demo { fast } => crate::cli::demo::run(&global, fast),
        Command::Images { environments: of, output } => images::run(&global, &of.environments, output),
        Command::Rollback { object, to } => images::rollback(&global, &object, to.as_deref()),
        Command::Quarantine { what: Quarantine::List { environments: of } } => {
            images::quarantined(&global, &of.environments)
        }
        Command::Quarantine { what: Quarantine::Release { object, image } } => {
            images::release(&global, &object, &image)
        }
        Command::State { command } => state::run(&global, command),
        Command::Man { out } => man::run(out.as_deref()),
        Command::Completions { shell } => completions::run(shell),
    }
}
