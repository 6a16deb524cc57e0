//! The act about a stack that is stuck: what ails it, what a person agrees to, and how it is well again.

use std::collections::BTreeSet;

use super::acts::{commit, follow, in_sync, object};
use super::screen::Screen;
use super::stage::{Stage, told, untold};
use crate::cli::exit::Trouble;
use crate::model::{Ailment, Difference, Waiting};
use crate::report::{DoctorReport, Examination};
use crate::sim::{FaultPlan, ResourceFailure, ResourceFault, ResourceOperation};

pub(super) fn rollback(stage: &mut Stage, screen: &Screen) -> Result<(), Trouble> {
    const CONTINUE: &str = "ContinueUpdateRollback";
    stage.next_day()?;
    screen.say(
        "A commit requests larger cache nodes while a snapshot is in progress. The update fails, its rollback fails, \
        and so does one attempt to continue the rollback. The stack is in UPDATE_ROLLBACK_FAILED, and CloudFormation \
        refuses every update. `landfast doctor dev`:",
    )?;
    commit(stage, |manifests| manifests.with_parameter("CacheNodeType", "cache.m7g.xlarge"))?;
    stage.cloud.set_faults(FaultPlan { resources: vec![snapshotting()], ..FaultPlan::default() });
    let first = stage.cloud.calls();
    let continued = |stage: &Stage| {
        let calls = stage.calls_since(first);
        calls.iter().filter(|call| call.operation == CONTINUE && call.applied).count()
    };
    let process = stage.start()?;
    let plan = stage.settle(&process)?;
    let key = object(&process, "elasticache")?;
    let entry = plan.entries.get(&key).ok_or_else(|| untold("the cache is in the plan"))?;
    let asks = entry.waiting.iter().any(|waiting| matches!(waiting, Waiting::Approval { .. }));
    let only: BTreeSet<String> = ["ReplicationGroup".to_owned()].into();
    let skips = entry.differences.contains(&Difference::Skip { resources: only });
    told(asks && skips && continued(stage) == 1, || {
        format!("approval of the resources to skip is requested: {entry:?}")
    })?;

    let found = stage.drive(process.controller.examine(&process.desired, &process.environment))??;
    let (name, stacks) = (&process.environment.name, found.stacks);
    let worst = found.diagnoses.first().map(|diagnosis| diagnosis.ailment);
    told(worst == Some(Ailment::RollbackFailed), || format!("the doctor names it: {:?}", found.diagnoses))?;
    let report = DoctorReport::of(vec![Examination::of(name, stacks, found.diagnoses, found.unknown)]);
    screen.show(&report.text(screen.paint))?;

    screen.say(
        "It shows the resource that caused the failure: the smallest set of resources to skip. An operator approves \
        exactly that, by digest:",
    )?;
    let preview = stage.preview(&process)?;
    stage.approve(&process, &preview)?;
    stage.news();
    let began = stage.cx.now();
    let plan = stage.settle(&process)?;
    in_sync(&plan, "what was stuck is in sync")?;
    follow(stage, screen, began)?;
    told(continued(stage) == 2, || format!("it is continued once more, not {} times", continued(stage)))?;
    let memory = process.controller.store().memory(name)?;
    let left = memory.objects.stacks.get(&key).and_then(|memory| memory.skipped.clone());
    told(left.is_none(), || format!("no skipped resources are left: {left:?}"))?;
    screen.say(
        "First the rollback completes and skips it. Then, before any other update, a drift-aware change set syncs it \
        with the stack. Only then are the larger nodes tried again; the snapshot has ended.",
    )
}

fn snapshotting() -> ResourceFault {
    ResourceFault {
        stack: "*-elasticache".to_owned(),
        resource: "ReplicationGroup".to_owned(),
        operation: ResourceOperation::Update,
        what: ResourceFailure::Fails {
            reason: "Cannot modify a replication group that is being snapshotted".to_owned(),
            code: "NotStabilized".to_owned(),
        },
        times: 3,
    }
}
