//! `landfast traffic`: where the traffic of failover records goes, and whose word that is.

use std::time::Duration;

use super::ask::{Asked, put, show_pending};
use super::person::reason;
use crate::cli::args::Global;
use crate::cli::exit::{Exit, Trouble};
use crate::cli::terminal;
use crate::cli::view::View;
use crate::model::{
    Environment, FailoverRole, Key, Metric, RecordMemory, RecordPlace, Region, Routing, Seen, Serving, TrafficProblem,
    TrafficSeen, TrafficVerdict, Wish,
};
use crate::report::{clean, time};

/// How long Route 53 is waited for where somebody names the region of the alarm.
const PATIENCE: Duration = Duration::from_secs(15);

/// Shows where traffic was sent, and what else could move it.
pub(super) fn status(global: &Global, words: &[String]) -> Result<Exit, Trouble> {
    let view = View::of_environments(global, words)?;
    show_pending(&view);
    let (mut pairs, mut unknown, mut wrong) = (0, false, false);
    for environment in view.environments() {
        let memory = view.store.memory(&environment.name)?;
        for key in primaries(environment) {
            pairs += 1;
            let known = memory.objects.records.get(key).cloned().unwrap_or_default();
            let mut lines = vec![format!("{key}: {}", sent(&known))];
            let Some(place) = &known.place else {
                terminal::print(&format!("{}\n  its record set does not exist yet\n", lines.join("\n")))?;
                wrong = true;
                continue;
            };
            let (seen, verdict) = look(&view, environment, place)?;
            lines.push(format!("  metric: {}{}", Metric::of_traffic(&place.of.name), within(alarm_region(&seen))));
            lines.extend(verdict.seconds.map(|seconds| format!("  moves within {seconds} s")));
            if verdict.problems.is_empty() {
                lines.push("  nothing but this metric decides".to_owned());
            }
            lines.extend(verdict.problems.iter().map(told));
            unknown |= verdict.problems.iter().any(is_unknown);
            wrong |= !verdict.problems.is_empty();
            terminal::print(&(lines.join("\n") + "\n"))?;
        }
    }
    if pairs == 0 {
        terminal::print("No DnsRecord has `failover: primary`.\n")?;
    }
    view.session.save()?;
    Ok(view.exit(match (unknown, wrong) {
        (true, _) => Exit::Failed,
        (false, true) => Exit::Differs,
        (false, false) => Exit::Done,
    }))
}

/// Sends traffic somewhere.
pub(super) fn send(
    global: &Global,
    object: &str,
    to: Serving,
    because: &str,
    region: Option<Region>,
) -> Result<Exit, Trouble> {
    let because = reason(because).map_err(Trouble::Traffic)?;
    let (view, key) = View::to_ask(global, object)?;
    let [environment] = view.environments() else {
        return Err(Trouble::Traffic(format!("{key} is not in one environment")));
    };
    let known = view.store.memory(&environment.name)?.objects.records.get(&key).cloned().unwrap_or_default();
    // What keeps the record from being one that moves traffic is said by whoever grants it.
    let looked = match &known.place {
        // Whoever names the region expects no answer, and does not wait long for one.
        Some(place) if region.is_some() => {
            let controller = &view.controller;
            let look = controller.look_at_traffic(&view.loaded.desired, environment, place);
            view.drive(async { Ok(controller.context().timeout(PATIENCE, look).await) })?
        }
        Some(place) => Some(look(&view, environment, place)?),
        None => None,
    };
    let (region, seconds) = match (&looked, region) {
        (Some((seen, verdict)), region) => (judged(&key, seen, verdict, region)?, verdict.seconds),
        (None, Some(region)) => (unchecked(&key, region), None),
        // Not to be used: it will be declined.
        (None, None) => (environment.scope.region.clone(), None),
    };
    let wish = Wish::Send { to, region: region.clone(), because: because.to_owned() };
    if let Asked::Left(_) = put(&view, &key, wish)? {
        return Ok(Exit::Done);
    }
    view.controller.board.publish(view.loaded.desired.clone(), &view.loaded.broken.iter().cloned().collect());
    let published = view.drive(async { Ok(view.controller.publish_once(&key).await?) })?;
    published.map_err(|error| {
        let doing = format!("the order is in the journal, but its metric could not be published in {region}");
        Trouble::machine(doing, error)
    })?;
    let seconds = seconds.map(|seconds| format!(" within {seconds} s")).unwrap_or_default();
    terminal::print(&format!("{key}: traffic goes to the {to}{seconds}\n"))?;
    terminal::note(
        "note: published once, because no daemon runs on this state. The health check keeps its last status; a daemon \
         publishes it every minute",
    );
    view.session.save()?;
    Ok(Exit::Done)
}

/// The region of the alarm, where traffic can be sent. One that is named is taken where the rest could not be read, and only
/// then.
fn judged(key: &Key, seen: &TrafficSeen, verdict: &TrafficVerdict, named: Option<Region>) -> Result<Region, Trouble> {
    let found = alarm_region(seen).cloned();
    let (unknown, known): (Vec<_>, Vec<_>) = verdict.problems.iter().partition(|problem| is_unknown(problem));
    let lines = |problems: &[&TrafficProblem]| problems.iter().map(|one| told(one)).collect::<Vec<_>>().join("\n");
    if !known.is_empty() {
        let lines = lines(&known);
        return Err(Trouble::Traffic(format!(
            "the traffic of {key} cannot be moved by its metric; nothing was done\n{lines}"
        )));
    }
    if let (Some(found), Some(named)) = (&found, &named)
        && found != named
    {
        return Err(Trouble::Traffic(format!("the alarm of {key} is in {found}, not in {named}; nothing was done")));
    }
    if unknown.is_empty() {
        return found.or(named).ok_or_else(|| Trouble::Traffic(format!("the alarm of {key} was not found")));
    }
    let Some(region) = named else {
        let lines = lines(&unknown);
        return Err(Trouble::Traffic(format!(
            "the records of {key} could not be checked; nothing was done. To publish anyway, name the alarm's region with \
             `--region`\n{lines}"
        )));
    };
    Ok(unchecked(key, region))
}

fn unchecked(key: &Key, region: Region) -> Region {
    terminal::note(&format!("note: not checked whether the metric in {region} moves the traffic of {key}"));
    region
}

fn look(view: &View, environment: &Environment, place: &RecordPlace) -> Result<(TrafficSeen, TrafficVerdict), Trouble> {
    view.drive(async { Ok(view.controller.look_at_traffic(&view.loaded.desired, environment, place).await) })
}

fn primaries(environment: &Environment) -> impl Iterator<Item = &Key> {
    let records = environment.records.iter();
    let is_primary = |routing: &Routing| matches!(routing, Routing::Failover { role: FailoverRole::Primary, .. });
    records.filter(move |(_, spec)| is_primary(&spec.routing)).map(|(key, _)| key)
}

fn sent(known: &RecordMemory) -> String {
    known.traffic.as_ref().map_or_else(
        || "no order in the journal; traffic stays where it is".to_owned(),
        |order| {
            let (by, because) = (clean(&order.by), clean(&order.because));
            format!("traffic was sent to the {} by {by} at {} because {because}", order.to, time(order.at))
        },
    )
}

fn alarm_region(seen: &TrafficSeen) -> Option<&Region> {
    match &seen.check {
        Seen::Present(check) => check.alarm.as_ref().map(|alarm| &alarm.region),
        Seen::Absent | Seen::Unknown(_) => None,
    }
}

fn within(region: Option<&Region>) -> String {
    region.map(|region| format!(" in {region}")).unwrap_or_default()
}

fn is_unknown(problem: &TrafficProblem) -> bool {
    matches!(problem, TrafficProblem::Unknown { .. })
}

fn told(problem: &TrafficProblem) -> String {
    format!("  problem: {}\n    remedy: {}", clean(&problem.to_string()), problem.remedy())
}
