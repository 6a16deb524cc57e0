//! `landfast plan`: what would be done, and why.

use std::sync::Arc;

use crate::cli::args::{Global, PlanOutput};
use crate::cli::exit::{Exit, Trouble};
use crate::cli::history::History;
use crate::cli::session::Holder;
use crate::cli::view::{ToPlan, View, yaml};
use crate::cli::{operator, terminal};
use crate::controller::{Controller, Preview, preview};
use crate::manifest::Loaded;
use crate::model::{Entry, EnvName, Environment, Plan};
use crate::plan::Goal;
use crate::report;

pub(super) fn run(global: &Global, words: &[String], asked: ToPlan<'_>, output: PlanOutput) -> Result<Exit, Trouble> {
    let (view, base) = View::to_plan(global, words, asked)?;
    operator::mention(&view.session.operator);
    tell_history(&view.history, view.environments());
    let (mut plans, before) = view.drive(async {
        view.reach().await?;
        // The base comes first: its revision is the older one.
        let mut before = Vec::new();
        for environment in view.environments() {
            let of_base = base.as_ref().and_then(|base| base.loaded.desired.environments.get(&environment.name));
            if let (Some(base), Some(environment)) = (&base, of_base) {
                before.push(one(&view, &base.loaded, environment).await?);
            }
        }
        let mut plans = Vec::new();
        for environment in view.environments() {
            plans.push(one(&view, &view.loaded, environment).await?);
        }
        Ok((plans, before))
    })?;
    view.selection.require(plans.iter().flat_map(|plan| plan.entries.keys()))?;
    let whole: usize = plans.iter().map(|plan| plan.entries.len()).sum();
    let keyless = view.session.has_no_journal();
    let unapprovable = plans.iter().any(|plan| keyless && !plan.keyed().is_empty());
    for plan in &mut plans {
        if !view.selection.is_whole() || (keyless && !plan.keyed().is_empty()) {
            plan.command.clear();
        }
        plan.entries.retain(|key, _| view.selection.includes(key));
    }
    let exits: Vec<Exit> = plans.iter().map(Exit::of_shown).collect();
    match &base {
        Some(base) if output == PlanOutput::Markdown => {
            terminal::print(&report::changes_markdown(&plans, &before, &base.name, usize::MAX))?;
        }
        Some(base) => {
            let left = only_changes(&mut plans, &before);
            show(global, output, &plans)?;
            if left > 0 {
                terminal::note(&format!("note: {left} objects with changes that {} has too are not shown", base.name));
            }
        }
        None => show(global, output, &plans)?,
    }
    if !view.selection.is_whole() {
        let shown: usize = plans.iter().map(|plan| plan.entries.len()).sum();
        let names: Vec<&str> = view.environments().iter().map(|environment| environment.name.as_str()).collect();
        terminal::note(&format!(
            "note: {shown} of {whole} objects are shown; `landfast plan {}` shows the plan that is approved and applied",
            names.join(" ")
        ));
    }
    if !asked.probe && plans.iter().flat_map(|plan| plan.entries.values()).any(is_unasked) {
        terminal::note("note: HTTP checks were not run; to run them, use `landfast plan --probe`");
    }

    if unapprovable {
        terminal::note(&format!(
            "note: {} has no journal yet, and the digest covers secret values, so it cannot be approved with `--plan`. \
            `landfast apply` creates the journal and shows a digest that you can approve",
            global.state.display()
        ));
    }
    let worst = exits.into_iter().max_by_key(|exit| severity(*exit)).unwrap_or(Exit::Done);
    Ok(view.exit(worst))
}

/// The plan of one environment.
async fn one(view: &View, loaded: &Loaded, environment: &Arc<Environment>) -> Result<Plan, Trouble> {
    let controller = &view.controller;
    if view.holder == Holder::Another {
        // Its change sets are there to be read; making and removing others would only get in its way.
        return Ok(controller.glance(&loaded.desired, environment).await?.plan);
    }
    let preview = look_ahead(controller, loaded, environment, Goal::Converge).await?;
    clean(controller, environment, &preview).await;
    Ok(preview.looked.plan)
}

/// Leaves out what the base has too, and says how many objects those are.
fn only_changes(plans: &mut [Plan], base: &[Plan]) -> usize {
    let mut left = 0;
    for plan in plans {
        let told = report::tell(plan, base.iter().find(|base| base.environment == plan.environment));
        plan.entries.retain(|key, _| !told.anyway.contains(key));
        left += told.anyway.len();
    }
    left
}

/// Says where the commit is not newer than the one that was accepted, or nobody can tell.
pub(super) fn tell_history(history: &History, environments: &[Arc<Environment>]) {
    let shown = |name: &EnvName| environments.iter().any(|environment| environment.name == *name);
    if let Some(refused) = history.refusal(shown) {
        terminal::note(&format!("note: {refused}"));
    }
    for doubt in history.doubts(shown) {
        terminal::note(&format!("note: {doubt}"));
    }
}

/// One of its checks is not known to hold or to fail.
fn is_unasked(entry: &Entry) -> bool {
    entry.checks.iter().any(|check| check.since.is_none())
}

/// A failure is worse than a question, and a question worse than a difference.
pub(super) fn severity(exit: Exit) -> u8 {
    match exit {
        Exit::Done => 0,
        Exit::Differs => 1,
        Exit::Waiting => 2,
        Exit::Failed => 3,
        Exit::Usage | Exit::Manifest | Exit::Interrupted => 4,
    }
}

pub(super) async fn look_ahead(
    controller: &Controller,
    loaded: &Loaded,
    environment: &Arc<Environment>,
    goal: Goal,
) -> Result<Preview, Trouble> {
    Ok(preview(controller, &loaded.desired, environment, goal).await?)
}

/// Removes what the preview has made, and says so if something stays.
pub(super) async fn clean(controller: &Controller, environment: &Environment, preview: &Preview) {
    for outcome in preview.clean(controller, environment).await {
        terminal::note(&format!(
            "note: a change set of the preview was not deleted; the next reconciliation deletes it: {outcome}"
        ));
    }
}

pub(super) fn show(global: &Global, output: PlanOutput, plans: &[Plan]) -> Result<(), Trouble> {
    match output {
        PlanOutput::Text => terminal::page(global, &report::plans(plans, terminal::paint(global))),
        PlanOutput::Markdown => terminal::print(&report::markdown(plans)),
        PlanOutput::Json | PlanOutput::Yaml => {
            let text = report::plans_json(plans);
            let text = text.map_err(|error| Trouble::machine("the plan could not be written", error))?;
            terminal::print(&if output == PlanOutput::Yaml { yaml(&text)? } else { text })
        }
    }
}
