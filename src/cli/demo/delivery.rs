//! The acts about what runs on the stacks: images that follow the registry, and a secret that changes by itself.

use std::collections::BTreeSet;
use std::time::Duration;

use super::acts::{follow, in_sync};
use super::screen::{Screen, paragraphs};
use super::stage::{Process, Stage, told, untold};
use crate::cli::exit::Trouble;
use crate::model::{AWSCURRENT, AWSPREVIOUS, Key, Plan, RolloutOutcome, VersionId};
use crate::report::{self, Progress};
use crate::sim::ImageBehaviour;

const REPOSITORY: &str = "dev-performance-management";
const SECRET: &str = "dev/performance-mgmt/app-secrets";

pub(super) fn images(stage: &mut Stage, screen: &Screen) -> Result<(), Trouble> {
    stage.next_day()?;
    screen.say(
        "A build pushes image 1.1.0. No manifest changes: it specifies the newest version of a range. Landfast \
        resolves the tag to a digest once, and passes it as a parameter to the stack that deploys the service:",
    )?;
    push(stage, "1.1.0", ImageBehaviour::Runs)?;
    let process = stage.start()?;
    let plan = deliver(stage, screen, &process)?;
    in_sync(&plan, "a new image ends in sync")?;
    explain(stage, screen, &process, &plan, &["What was decided", "The last rollout"])?;
    told(outcome(&process)? == Some(RolloutOutcome::Proven), || "the running tasks have the new digest".to_owned())?;
    drop(process);

    screen.say(
        "Then the build pushes 1.2.0, which crashes. CloudFormation would wait three hours. Landfast detects the \
        crashing tasks after minutes and cancels the update:",
    )?;
    push(stage, "1.2.0", ImageBehaviour::Crashes)?;
    let process = stage.start()?;
    let plan = deliver(stage, screen, &process)?;
    in_sync(&plan, "an image that fails is taken back")?;
    explain(stage, screen, &process, &plan, &["What was decided", "In quarantine"])?;
    told(outcome(&process)? == Some(RolloutOutcome::RolledBack), || "the bad image is rolled back".to_owned())?;
    screen.say("1.1.0 served requests the whole time. 1.2.0 stays in quarantine; 1.2.1 would be deployed.")
}

pub(super) fn rotation(stage: &mut Stage, screen: &Screen) -> Result<(), Trouble> {
    stage.drive(stage.cx.sleep(Duration::from_hours(30 * 24)))?;
    screen.say(
        "A month later. Landfast generated the application's signing key when it created the environment; the manifest \
        has `rotate: { every: 30d }`:",
    )?;
    let process = stage.start()?;
    let console = stage.console(&process);
    let truth = || console.secret_truth(SECRET).ok_or_else(|| untold("there is the secret"));
    let before = truth()?;
    stage.news();
    let began = stage.cx.now();
    let plan = stage.settle(&process)?;
    in_sync(&plan, "a rotation ends in sync")?;
    let after = truth()?;
    let (old, new) = (labelled(&before, AWSCURRENT)?, labelled(&after, AWSCURRENT)?);
    told(old != new && labelled(&after, AWSPREVIOUS)? == old, || "the version before is kept".to_owned())?;
    let steps = stage.news();
    for (at, progress) in &steps {
        if let Progress::Took { key, verb } = progress
            && key.name.as_str() == "app-secrets"
        {
            let after = report::duration(at.duration_since(began).unsigned_abs());
            screen.line(&format!("  +{after:>8}  {verb}"))?;
        }
    }
    screen.gap()?;
    let values: BTreeSet<String> = before.into_values().chain(after.into_values()).map(|(value, _)| value).collect();
    let heard = format!("{steps:?}");
    told(!values.iter().any(|value| heard.contains(value)), || "no value is shown".to_owned())?;
    screen.say(&format!(
        "The current version is {}; the previous version is still available as {AWSPREVIOUS}. The service was \
        restarted once, so all tasks use the new value. Neither value appears in a plan, log or journal.",
        short(&new)
    ))
}

/// Somebody pushes an image.
fn push(stage: &Stage, tag: &str, behaviour: ImageBehaviour) -> Result<(), Trouble> {
    let process = stage.start()?;
    let console = stage.console(&process);
    let digest = console.push_image(REPOSITORY, tag, &[tag], None);
    let digest = digest.ok_or_else(|| untold("an image has a digest"))?;
    console.set_image_behaviour(&digest, behaviour);
    Ok(())
}

/// The daemon looks, and what follows from that is followed to its end.
fn deliver(stage: &Stage, screen: &Screen, process: &Process) -> Result<Plan, Trouble> {
    stage.news();
    let began = stage.cx.now();
    let plan = stage.settle(process)?;
    follow(stage, screen, began)?;
    Ok(plan)
}

fn service(process: &Process) -> Result<Key, Trouble> {
    process.environment.services.keys().next().cloned().ok_or_else(|| untold("there is a service"))
}

fn outcome(process: &Process) -> Result<Option<RolloutOutcome>, Trouble> {
    let memory = process.controller.store().memory(&process.environment.name)?;
    let memory = memory.objects.services.get(&service(process)?).and_then(|memory| memory.last.as_ref());
    Ok(memory.map(|last| last.outcome))
}

/// What `landfast why` says of the service, in part.
fn explain(stage: &Stage, screen: &Screen, process: &Process, plan: &Plan, wanted: &[&str]) -> Result<(), Trouble> {
    let memory = process.controller.store().memory(&process.environment.name)?;
    let why = report::why(plan, &memory, &service(process)?, stage.cx.now(), [], screen.paint);
    let why = why.map_err(|error| untold(&error.to_string()))?;
    // ARNs are for whoever has to look something up, and wider than a terminal.
    let lines = paragraphs(&why, wanted);
    let lines = lines.lines().filter(|line| !line.contains(" arn:")).collect::<Vec<_>>();
    screen.show(&lines.join("\n"))
}

fn labelled(versions: &crate::sim::SecretTruth, label: &str) -> Result<VersionId, Trouble> {
    let found = versions.iter().find(|(_, (_, labels))| labels.contains(label)).map(|(version, _)| version.clone());
    found.ok_or_else(|| untold(&format!("a version has the label {label}")))
}

/// The beginning of an id.
fn short(version: &VersionId) -> String {
    version.as_str().chars().take(24).collect::<String>() + "…"
}
