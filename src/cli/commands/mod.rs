//! One file for each command.

mod adopt;
mod apply;
mod ask;
mod backup;
mod completions;
mod destroy;
mod doctor;
mod drift;
mod events;
mod failed;
mod graph;
mod images;
mod outputs;
mod person;
mod plan;
mod preflight;
mod render;
mod restore;
mod run;
mod schema;
mod seal;
mod secret;
mod status;
mod validate;
mod why;

use super::args::{BackupCommand, Cli, Command, Quarantine, SecretCommand};
use super::exit::{Exit, Trouble};
use crate::controller::Reports;

/// Runs the command that was asked for.
pub(super) fn run(cli: Cli) -> Result<Exit, Trouble> {
    let global = cli.global;
    match cli.command {
        Command::Validate { path, output } => validate::run(&global, path, output),
        Command::Schema { out } => schema::run(out.as_deref()),
        Command::Graph { environment, format } => graph::run(&global, environment.as_deref(), format),
        Command::Plan { environment, probe, accept_older_commit: older, output } => {
            plan::run(&global, environment.as_deref(), probe, older.as_deref(), output)
        }
        Command::Preflight { environment, drift_reports, output } => {
            preflight::run(&global, environment.as_deref(), &drift_reports, output)
        }
        Command::Drift { revert: Some(object), .. } => drift::revert(&global, &object),
        Command::Drift { environment, output, out, revert: None } => {
            drift::run(&global, environment.as_deref(), output, out.as_deref())
        }
        Command::Adopt(args) => adopt::run(&global, args),
        Command::Doctor { in_step: Some(object), .. } => doctor::in_step(&global, &object),
        Command::Doctor { environment, output, in_step: None } => doctor::run(&global, environment.as_deref(), output),
        Command::Apply { environment, yes, plan, accept_older_commit: older, output } => {
            let (environment, digest, older) = (environment.as_deref(), plan.as_deref(), older.as_deref());
            apply::run(&global, &apply::Asked { environment, yes, digest, older }, output)
        }
        Command::Run {
            once,
            resync,
            accept_older_commit: older,
            drift_reports,
            drift_report_every,
            drift_reports_kept,
            sim_speed,
        } => {
            let reports = Reports { places: drift_reports, every: drift_report_every, keep: drift_reports_kept };
            run::run(&global, sim_speed, &run::Asked { once, resync, older: older.as_deref(), reports: &reports })
        }
        Command::Status { environment, watch, output } => status::run(&global, environment.as_deref(), watch, output),
        Command::Why { object } => why::run(&global, &object),
        Command::Render { what, output } => render::run(&global, &what, output),
        Command::Outputs { environment, output } => outputs::run(&global, environment.as_deref(), output),
        Command::Events { object, limit, output } => events::run(&global, &object, limit, output),
        Command::Destroy { environment, plan } => destroy::run(&global, &environment, plan.as_deref()),
        Command::Seal { file, recipients, secrets } => seal::run(&global, &file, &recipients, &secrets),
        Command::Secret { command } => match command {
            SecretCommand::Status { environment } => secret::status(&global, environment.as_deref()),
            SecretCommand::Rotate { object } => secret::rotate(&global, &object),
        },
        Command::Backup { command } => match command {
            BackupCommand::List { environment, output } => backup::list(&global, environment.as_deref(), output),
            BackupCommand::Now { object } => backup::now(&global, &object),
            BackupCommand::Coverage { environment, output } => {
                backup::coverage(&global, environment.as_deref(), output)
            }
            BackupCommand::Verify { object, table } => restore::verify(&global, &object, table),
        },
        Command::Restore { object, table, from, to } => restore::restore(&global, &object, table, &from, to),
        Command::Demo { fast } => crate::cli::demo::run(&global, fast),
        Command::Images { environment, output } => images::run(&global, environment.as_deref(), output),
        Command::Rollback { object, to } => images::rollback(&global, &object, to.as_deref()),
        Command::Quarantine { what: Quarantine::List { environment } } => {
            images::quarantined(&global, environment.as_deref())
        }
        Command::Quarantine { what: Quarantine::Release { object, image } } => {
            images::release(&global, &object, &image)
        }
        Command::Completions { shell } => completions::run(shell),
    }
}
