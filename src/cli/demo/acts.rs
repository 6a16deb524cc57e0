//! The acts. Each leaves the environment in sync for the next.

use std::collections::BTreeSet;
use std::time::Duration;

use futures_util::future::{Either, select};
use jiff::Timestamp;

use super::manifests::Manifests;
use super::screen::{Screen, excerpt, span};
use super::stage::{News, Process, Stage, told, untold};
use crate::cli::exit::Trouble;
use crate::controller::Until;
use crate::model::{Conclusion, Guard, Key, OperationKind, Plan, RolloutOutcome, Waiting};
use crate::report::{self, Progress};
use crate::sim::{FaultPlan, ResourceFailure, ResourceFault, ResourceOperation};

#[expect(clippy::disallowed_methods, reason = "how long the person in front of it has waited, not what time it is")]
pub(super) fn deploy(stage: &mut Stage, screen: &Screen) -> Result<(), Trouble> {
    screen.say(
        "The development environment: twelve CloudFormation stacks, the image of the service that runs on them, its \
        secret, its DNS name and the backups of its tables. No order is configured; Landfast derives it from \
        references between outputs and parameters. `landfast apply dev`:",
    )?;
    let wall = std::time::Instant::now();
    let process = stage.start()?;
    let began = stage.cx.now();
    let plan = stage.settle(&process)?;
    let wall = wall.elapsed();
    in_sync(&plan, "the deployment ends in sync")?;
    let news = stage.news();
    let ended = concluded(&news);
    let total = ended.len();
    for (index, ended) in ended.into_iter().enumerate() {
        let done = format!("{}{}", "#".repeat(index + 1), "·".repeat(total.saturating_sub(index + 1)));
        screen.line(&format!("  {}  {done}", ended.line(began)))?;
    }
    screen.gap()?;
    screen.say("The same run as a timeline, with the critical path:")?;
    let timeline = process.timeline();
    screen.figure(&timeline.text(screen.paint))?;
    told(timeline.bars.len() == 12, || "each of twelve stacks is created once".to_owned())?;
    screen.say(&format!(
        "{} of AWS time; simulated in {}. {} of {} objects are ready. The service is ready because its tasks run the \
        selected digest, and `/actuator/health` returns 200 through the load balancer.",
        report::duration(Duration::from_secs(timeline.makespan_seconds)),
        span(wall),
        plan.entries.values().filter(|entry| entry.ready).count(),
        plan.entries.len()
    ))
}

pub(super) fn edit(stage: &mut Stage, screen: &Screen) -> Result<(), Trouble> {
    stage.next_day()?;
    screen.say(
        "The next day a developer commits `\"LogRetentionDays\": \"14\"`. The plan uses change sets that \
        CloudFormation computed, so it shows single properties. Two of its entries:",
    )?;
    commit(stage, |manifests| manifests.with_parameter("LogRetentionDays", "14"))?;
    let process = stage.start()?;
    let preview = stage.preview(&process)?;
    screen.show(&excerpt(&report::plan(&preview.looked.plan, screen.paint), &["network", "iam"]))?;
    let began = stage.cx.now();
    stage.news();
    let before = versions(stage);
    let plan = stage.settle(&process)?;
    in_sync(&plan, "the edit ends in sync")?;
    follow(stage, screen, began)?;
    let moved = versions(stage).symmetric_difference(&before).map(|(name, _)| name.clone()).collect::<BTreeSet<_>>();
    told(moved.len() == 5, || format!("five stacks change, not {moved:?}"))?;
    screen.say(&format!(
        "{} of 12 stacks were updated. Stacks that refer to them were checked and did not need an update.",
        moved.len()
    ))
}

pub(super) fn refuse(stage: &mut Stage, screen: &Screen) -> Result<(), Trouble> {
    stage.next_day()?;
    let good = stage.manifests.clone();
    screen.say(
        "A commit renames a table and removes its `UpdateReplacePolicy: Retain`. To CloudFormation this is a normal \
        update: it would create an empty table and delete the one with the data.",
    )?;
    commit(stage, Manifests::with_renamed_table)?;
    let process = stage.start()?;
    let preview = stage.preview(&process)?;
    let plan = &preview.looked.plan;
    screen.show(&excerpt(&report::plan(plan, screen.paint), &["dynamodb"]))?;
    let asks = |waiting: &Waiting| matches!(waiting, Waiting::Approval { .. });
    told(plan.entries.values().any(|entry| entry.waiting.iter().any(asks)), || "approval is requested".to_owned())?;
    screen.say("It needs approval. Suppose that someone approves it too quickly:")?;
    stage.approve(&process, &preview)?;
    let before = versions(stage);
    stage.news();
    let plan = stage.settle(&process)?;
    let refusal = plan.entries.values().flat_map(|entry| &entry.refused).find(|one| one.guard == Guard::Backup);
    let Some(refusal) = refusal else { return Err(untold("what has no backup is not replaced")) };
    screen.line(&format!("  {} {}.", screen.paint.danger("REFUSED (backup):"), refusal.reason))?;
    screen.line(&format!("  Release: {}.", refusal.release))?;
    screen.gap()?;
    told(versions(stage) == before, || "nothing is changed by a plan that is refused".to_owned())?;
    screen.say("Nothing was changed. The commit is reverted.")?;
    stage.manifests = good;
    drop(process);
    let process = stage.start()?;
    process.controller.store().consent(&process.environment.name, None)?;
    let plan = stage.settle(&process)?;
    in_sync(&plan, "without the edit all is in sync")
}

pub(super) fn fail(stage: &mut Stage, screen: &Screen) -> Result<(), Trouble> {
    stage.next_day()?;
    screen.say(
        "A commit requests a larger cache with a second node, but the first zone does not offer that node type. \
        CloudFormation reports a dozen events. `landfast why` shows the root cause, and which objects wait for it:",
    )?;
    let larger = |manifests: Manifests, kind| {
        manifests.with_parameter("CacheNodeType", kind)?.with_parameter("CacheNodeCount", "2")
    };
    commit(stage, |manifests| larger(manifests, "cache.r7g.large"))?;
    stage.cloud.set_faults(FaultPlan { resources: vec![not_offered()], ..FaultPlan::default() });
    let process = stage.start()?;
    let plan = stage.settle(&process)?;
    let key = object(&process, "elasticache")?;
    let memory = process.controller.store().memory(&process.environment.name)?;
    let why = report::why(&plan, &memory, &key, stage.cx.now(), [], screen.paint);
    screen.show(&why.map_err(|error| untold(&error.to_string()))?)?;
    let stalled = plan.entries.get(&key).is_some_and(|entry| {
        entry.refused.iter().any(|one| one.guard == Guard::Stalled && one.reason.contains("ReplicationGroup"))
    });
    told(stalled, || "the failed stack names the resource that failed".to_owned())?;
    let waits = |waiting: &Waiting| matches!(waiting, Waiting::Dependency { .. });
    let waiting = plan.entries.values().filter(|entry| entry.waiting.iter().any(waits)).count();
    told(waiting > 0, || "dependants of a failed stack wait".to_owned())?;
    drop(process);
    screen.say(
        "Landfast does not retry the same request, because it would fail again. It tries a commit with another node \
        type:",
    )?;
    commit(stage, |manifests| larger(manifests, "cache.m7g.large"))?;
    let process = stage.start()?;
    stage.news();
    let began = stage.cx.now();
    let plan = stage.settle(&process)?;
    in_sync(&plan, "the fix ends in sync")?;
    follow(stage, screen, began)?;
    screen.say("The alarms of `monitoring` follow the second node automatically: its number is an output of the cache.")
}

pub(super) fn kill(stage: &mut Stage, screen: &Screen) -> Result<(), Trouble> {
    const EXECUTE: &str = "ExecuteChangeSet";
    stage.next_day()?;
    screen.say(
        "The brokers get larger disks. The daemon is killed at the worst moment: AWS has accepted the update, but the \
        response has not arrived. The daemon is restarted, and killed again five minutes later.",
    )?;
    commit(stage, |manifests| manifests.with_parameter("BrokerVolumeSize", "100"))?;
    let (first, began, elapsed) = (stage.cloud.calls(), stage.cx.now(), stage.cx.elapsed());
    let at = |stage: &Stage| report::duration(stage.cx.now().duration_since(began).unsigned_abs());
    let accepted = |stage: &Stage| {
        let calls = stage.calls_since(first);
        calls.iter().filter(|call| call.operation == EXECUTE && call.applied).count()
    };

    let process = stage.start()?;
    until_killed(stage, &process, async {
        while accepted(stage) == 0 {
            stage.cx.sleep(Duration::from_millis(5)).await;
        }
    })?;
    drop(process);
    screen.line(&format!("  +{:>8}  killed: AWS accepted the update, response not received", at(stage)))?;
    let process = stage.start()?;
    until_killed(stage, &process, stage.cx.sleep(Duration::from_mins(5)))?;
    drop(process);
    screen.line(&format!("  +{:>8}  killed again during the update", at(stage)))?;
    stage.worked_since(elapsed);
    stage.news();
    let process = stage.start()?;
    let plan = stage.settle(&process)?;
    in_sync(&plan, "what was interrupted ends in sync")?;
    follow(stage, screen, began)?;
    told(accepted(stage) == 1, || format!("one update, not {}", accepted(stage)))?;
    let inventory = stage.cloud.inventory();
    let cluster = inventory.stack("dev-performance-mgmt-msk").and_then(|stack| stack.counts.get("Cluster"));
    told(cluster.is_some_and(|counts| (counts.creates, counts.updates) == (1, 1)), || {
        format!("the cluster is updated once: {cluster:?}")
    })?;
    screen.say(
        "One update, executed once: Landfast journals each call before it makes it, and AWS's events contain the \
        journaled token. No repair was needed.",
    )
}

pub(super) fn drift(stage: &mut Stage, screen: &Screen) -> Result<(), Trouble> {
    stage.next_day()?;
    screen.say(
        "The daemon runs. Someone opens the console, sets the log retention of the load balancer to one day, and \
        removes the CostCenter tag of the registry.",
    )?;
    let process = stage.start()?;
    let console = stage.console(&process);
    let name = |object: &str| format!("dev-performance-mgmt-{object}").parse();
    let (Ok(alb), Ok(ecr)) = (name("alb"), name("ecr")) else { return Err(untold("the stacks have names")) };
    let refused = |error: crate::ports::PortError| untold(&format!("the console works: {error}"));
    let scenario = async {
        stage.cx.sleep(Duration::from_mins(1)).await;
        console
            .update_parameters(&alb, &[("AccessLogRetentionDays".to_owned(), "1".to_owned())].into())
            .map_err(refused)?;
        console.remove_tag(&ecr, "CostCenter").map_err(refused)?;
        let edited = stage.cx.now();
        stage.news();
        stage.cx.sleep(Duration::from_mins(2)).await;
        let looked = process.controller.glance(&process.desired, &process.environment).await?;
        let succeeded = |progress: &Progress| matches!(progress, Progress::Concluded { .. });
        // An hour at most: what is not put back by then is not put back.
        for _ in 0..3600 {
            if stage.overhear(succeeded) == 2 {
                break;
            }
            stage.cx.sleep(Duration::from_secs(1)).await;
        }
        // The last look, at which everything is in sync again.
        stage.cx.sleep(Duration::from_secs(30)).await;
        Ok::<_, Trouble>((edited, looked.plan))
    };
    let began = stage.cx.elapsed();
    let done = stage.drive(select(Box::pin(process.tender(Until::Stopped).run()), Box::pin(scenario)))?;
    let Either::Right((done, tender)) = done else { return Err(untold("the daemon runs on")) };
    drop(tender);
    let (edited, plan) = done?;
    screen.show(&excerpt(&report::plan(&plan, screen.paint), &["alb", "ecr"]))?;
    screen.say("The next reconciliation, at most five and a half minutes later, detects and reverts both:")?;
    follow(stage, screen, edited)?;
    stage.worked_since(began);
    let looked = stage.drive(process.controller.glance(&process.desired, &process.environment))??;
    in_sync(&looked.plan, "manual changes are reverted")
}

/// What a detection of drift asks.
const DETECTION: [&str; 5] = [
    "DetectStackDrift",
    "DescribeStackDriftDetectionStatus",
    "DescribeStackResourceDrifts",
    "ListStackResources",
    "LookupEvents",
];

/// What is asked of tables that are backed up, and of their backups.
const TABLES: [&str; 3] = ["DescribeTable", "DescribeContinuousBackups", "ListBackups"];

pub(super) fn rest(stage: &mut Stage, screen: &Screen) -> Result<(), Trouble> {
    stage.next_day()?;
    let process = stage.start()?;
    let plan = stage.settle(&process)?;
    in_sync(&plan, "everything is in sync")?;
    // What has expired since yesterday is remembered until no listing can show it any more; then there is nothing left.
    until_killed(stage, &process, stage.cx.sleep(Duration::from_mins(17)))?;
    let first = stage.cloud.calls();
    // Two intervals of at most five and a half minutes, and a little.
    until_killed(stage, &process, stage.cx.sleep(Duration::from_secs(2 * 330 + 5)))?;
    let mut calls = stage.calls_since(first);
    // A detection of drift is due every few hours, and looks at everything else than the plan does.
    // Tables are asked for one by one.
    calls.retain(|call| !DETECTION.contains(&call.operation) && !TABLES.contains(&call.operation));
    // Whose the credentials are is asked again every quarter of an hour.
    calls.retain(|call| call.operation != "GetCallerIdentity");
    let mutating = calls.iter().filter(|call| call.mutating).count();
    told(mutating == 0, || format!("no mutating call at rest, not {mutating}"))?;
    let asked: BTreeSet<&str> = calls.iter().map(|call| call.operation).collect();
    let thrice = asked.iter().all(|asked| calls.iter().filter(|call| call.operation == *asked).count() == 3);
    told(thrice, || format!("three reconciliations make the same calls, not {calls:?}"))?;
    let left = stage.cloud.inventory().leftovers();
    told(left.is_empty(), || format!("nothing is left behind, not {left:?}"))?;
    screen.say(&format!(
        "All {} objects are in sync. The daemon was idle for eleven minutes: three reconciliations with {} read calls \
        each ({}), regardless of the number of stacks and secrets on a result page; table reads are extra. No write \
        calls, no secret values read, no change sets left over.",
        plan.entries.len(),
        asked.len(),
        asked.into_iter().collect::<Vec<_>>().join(", ")
    ))
}

// ---- what the acts have in common ----

pub(super) fn in_sync(plan: &Plan, what: &str) -> Result<(), Trouble> {
    told(plan.in_sync(), || format!("{what}; {}", report::plan(plan, report::Paint::Plain)))
}

pub(super) fn commit(stage: &mut Stage, change: impl FnOnce(Manifests) -> Option<Manifests>) -> Result<(), Trouble> {
    let changed = change(stage.manifests.clone());
    stage.manifests = changed.ok_or_else(|| untold("the shipped manifests have what is edited"))?;
    Ok(())
}

pub(super) fn object(process: &Process, name: &str) -> Result<Key, Trouble> {
    let mut keys = process.environment.stacks.keys();
    keys.find(|key| key.name.as_str() == name).cloned().ok_or_else(|| untold("the environment has the stack"))
}

/// Runs the daemon until something happens, and kills it: all that it had in hand is dropped.
fn until_killed<T>(stage: &Stage, process: &Process, event: impl Future<Output = T>) -> Result<(), Trouble> {
    let tender = Box::pin(process.tender(Until::Stopped).run());
    match stage.drive(select(tender, Box::pin(event)))? {
        Either::Right(_) => Ok(()),
        Either::Left(_) => Err(untold("the daemon runs until it is killed")),
    }
}

/// Every stack as it is: changes if it was updated, even back and forth.
fn versions(stage: &Stage) -> BTreeSet<(String, String)> {
    let stacks = stage.cloud.inventory().stacks;
    stacks.iter().map(|stack| (stack.state.name.to_string(), format!("{:?}", stack.state.version()))).collect()
}

fn not_offered() -> ResourceFault {
    ResourceFault {
        stack: "*-elasticache".to_owned(),
        resource: "ReplicationGroup".to_owned(),
        operation: ResourceOperation::Update,
        what: ResourceFailure::Fails {
            reason: "The node type cache.r7g.large is not supported in the availability zone us-east-1e".to_owned(),
            code: "InvalidRequest".to_owned(),
        },
        times: 1,
    }
}

/// One operation that has ended.
struct Concluded {
    at: Timestamp,
    object: String,
    what: String,
}

impl Concluded {
    fn line(&self, began: Timestamp) -> String {
        let after = report::duration(self.at.duration_since(began).unsigned_abs());
        format!("+{after:>8}  {:<12} {:<22}", self.object, self.what)
    }
}

fn concluded(news: &News) -> Vec<Concluded> {
    let ended = news.iter().filter_map(|(at, progress)| {
        if let Progress::RolledOut { key, ended } = progress {
            let images = ended.images.values().cloned().collect::<Vec<_>>().join(", ");
            let what = match ended.outcome {
                RolloutOutcome::Proven => format!("{images} rolled out successfully"),
                RolloutOutcome::RolledBack => format!("{images} is ROLLED BACK: {}", ended.evidence.why()),
                RolloutOutcome::Superseded | RolloutOutcome::Unproven | RolloutOutcome::Failed => "FAILED".to_owned(),
            };
            return Some(Concluded { at: *at, object: key.name.to_string(), what });
        }
        let Progress::Concluded { key, kind, conclusion, took } = progress else { return None };
        let what = match (kind, conclusion) {
            (OperationKind::Create, Conclusion::Succeeded) => "created",
            (OperationKind::Update, Conclusion::Succeeded) => "updated",
            (OperationKind::ContinueRollback, Conclusion::Succeeded) => "rolled back",
            (OperationKind::Resync, Conclusion::Succeeded) => "resynced",
            (_, Conclusion::Succeeded) => "done",
            _ => "FAILED",
        };
        let what = format!("{what} in {}", report::duration(*took));
        Some(Concluded { at: *at, object: key.name.to_string(), what })
    });
    ended.collect()
}

/// Lists the operations that have ended.
pub(super) fn follow(stage: &Stage, screen: &Screen, began: Timestamp) -> Result<(), Trouble> {
    for ended in concluded(&stage.news()) {
        screen.line(&format!("  {}", ended.line(began)))?;
    }
    screen.gap()
}
