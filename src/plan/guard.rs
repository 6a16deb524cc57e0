//! What forbids a step that would otherwise be taken, and what would release it.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::approval::needs_approval;
use super::planner::{Planner, refuse};
use super::resolve::BODY_MAX;
use super::{Goal, Input, consent};
use crate::model::{
    Act, Action, Broaden, Bucket, Budget, Do, Entry, Environment, Guard, Inputs, Key, Mode, NESTED_STACK,
    ObservedStack, Plan, Refusal, Replace, ResourceChange, SecretDo, Seen, StackDo, StackNeed, StackSpec, Waiting,
    short_commit,
};
use crate::sabotage::{self, Bug};

/// Naming and tagging conventions (policy `stackName`, `requiredTags`), on every plan.
pub(super) fn conventions(planner: &Planner<'_>, spec: &StackSpec, entry: &mut Entry) {
    let policy = &planner.input.environment.policy;
    if !planner.is_stack_name(spec.stack_name.as_str()) {
        refuse(
            entry,
            Refusal {
                guard: Guard::StackName,
                reason: format!("the stack name {} does not match {}", spec.stack_name, policy.stack_name),
                release: "change `stackName` in the manifest, or the pattern in the environment's policy".to_owned(),
            },
        );
    }
    let missing: Vec<&str> =
        policy.required_tags.iter().filter(|tag| !spec.tags.contains_key(*tag)).map(String::as_str).collect();
    if !missing.is_empty() {
        refuse(
            entry,
            Refusal {
                guard: Guard::RequiredTags,
                reason: format!("required tags are missing: {}", missing.join(", ")),
                release: "add them to `tags` of the stack or of the environment".to_owned(),
            },
        );
    }
}

/// Nothing is changed in an environment that is only observed.
pub(super) fn is_observed_only(environment: &Environment) -> bool {
    environment.policy.mode == Mode::Observe
}

/// The environment's mode (policy `mode`; invariant S11).
pub(super) fn mode(input: &Input<'_>, key: &Key, entry: &mut Entry) {
    let unapproved = match input.environment.policy.mode {
        Mode::Apply => consent::excludes(input, key, entry),
        Mode::Approve => !consent::covers(input, key, entry),
        Mode::Observe => {
            // Writing down what was seen is not acting.
            if entry.step.as_ref().is_none_or(|step| step.action.mutates()) {
                refuse(
                    entry,
                    Refusal {
                        guard: Guard::Mode,
                        reason: format!("{} is in observe mode", input.environment.name),
                        release: input.environment.limits.release("mode", "set `policy.mode` to `approve` or `apply`"),
                    },
                );
            }
            false
        }
    };
    if unapproved && entry.step.as_ref().is_some_and(|step| needs_approval(&step.action)) {
        entry.step = None;
        entry.waiting.push(approval(input));
    }
}

/// Whether a deletion needs a person where policy prunes always.
pub(super) fn asks_to_delete(input: &Input<'_>, key: &Key, entry: &Entry) -> bool {
    let asks = input.environment.policy.mode == Mode::Approve || input.goal == Goal::Destroy;
    asks || consent::excludes(input, key, entry)
}

/// The person's command that approves the plan as it is shown.
pub(super) fn approval(input: &Input<'_>) -> Waiting {
    Waiting::Approval { command: approval_command(input) }
}

/// Stands for the digest while the plan, and so its digest, is being made.
const DIGEST: &str = " DIGEST";

pub(super) fn approval_command(input: &Input<'_>) -> String {
    let environment = &input.environment.name;
    // Who has to sign says so first; then whoever has the journal carries it out.
    if input.environment.limits.approvals.needs_signatures() {
        return format!("landfast approve {environment}{DIGEST}");
    }
    match input.goal {
        Goal::Converge => format!("landfast apply {environment} --plan{DIGEST}"),
        Goal::Destroy => format!("landfast destroy {environment} --plan{DIGEST}"),
    }
}

/// Puts the plan's digest into the commands that approve it.
pub(crate) fn name_commands(plan: &mut Plan) {
    let named = format!(" {}", plan.digest.code());
    let fill = |text: &mut String| *text = text.replace(DIGEST, &named);
    fill(&mut plan.command);
    for entry in plan.entries.values_mut() {
        for waiting in &mut entry.waiting {
            if let Waiting::Approval { command } = waiting {
                fill(command);
            }
        }
        entry.refused.iter_mut().for_each(|refusal| fill(&mut refusal.release));
    }
}

/// Never an older revision over a newer one (invariant S8).
pub(super) fn never_older(input: &Input<'_>, key: &Key, entry: &mut Entry) {
    let planned = input.desired.revision.sequence;
    let applied = input.memory.objects.of(key).and_then(|memory| memory.applied);
    if let Some(applied) = applied
        && applied > planned
        && entry.step.as_ref().is_some_and(|step| step.action.mutates())
    {
        refuse(
            entry,
            Refusal {
                guard: Guard::Revision,
                reason: format!("revision {applied} is already applied; this plan is for revision {planned}"),
                release: "load the newest revision; to go back, commit the older state again".to_owned(),
            },
        );
    }
}

/// Nothing is changed by a commit that is an ancestor of the one that was accepted last (invariant S8). For all kinds at
/// once, deletions included: what an older commit has no manifest of may have been added since.
pub(super) fn older_commit(planner: &mut Planner<'_>) {
    let Some(accepted) = &planner.input.environment.older_than else { return };
    let revision = &planner.input.desired.revision;
    let older = revision.commit.as_deref().unwrap_or_default();
    let (short, accepted) = (short_commit(older), short_commit(accepted));
    let reason = format!("commit {short} is older than {accepted}, the last accepted commit");
    let release = match planner.input.goal {
        Goal::Converge => format!(
            "check out {accepted} or a newer commit; to go back, revert commits in Git, or accept this one with \
             `landfast apply {} --accept-older-commit {short}`",
            planner.input.environment.name
        ),
        Goal::Destroy => format!("check out {accepted} or a newer commit"),
    };
    for entry in planner.entries.values_mut() {
        let asks = |waiting: &Waiting| matches!(waiting, Waiting::Approval { .. });
        if entry.step.as_ref().is_some_and(|step| step.action.mutates()) || entry.waiting.iter().any(asks) {
            entry.waiting.retain(|waiting| !asks(waiting));
            refuse(entry, Refusal { guard: Guard::Revision, reason: reason.clone(), release: release.clone() });
        }
    }
}

/// A template over 51,200 bytes must be uploaded.
pub(super) fn template_size(spec: &StackSpec, inputs: &Inputs, entry: &mut Entry) {
    if inputs.body.len() > BODY_MAX && inputs.upload.is_none() {
        refuse(
            entry,
            Refusal {
                guard: Guard::TemplateSize,
                reason: format!(
                    "the template of {} has {} bytes; the limit without a bucket is {BODY_MAX}",
                    spec.stack_name,
                    inputs.body.len()
                ),
                release: "set `templateBucket` of the environment".to_owned(),
            },
        );
    }
}

/// A template that has to be uploaded, and where to. What is uploaded is read by `CloudFormation` later, so the bucket has to
/// keep versions: only a version cannot be written over in between (invariant S23).
pub(super) fn template_bucket(planner: &Planner<'_>, spec: &StackSpec, inputs: &Inputs, entry: &mut Entry) {
    let Some((bucket, _)) = &inputs.upload else { return };
    let scope = &spec.scope;
    let (reason, release) = match planner.input.observation.buckets.get(&(scope.clone(), bucket.clone())) {
        Some(Seen::Present(Bucket::Versioned)) => return,
        Some(Seen::Present(Bucket::Unversioned)) => (
            format!(
                "versioning of the template bucket {bucket} is off, so a template could be replaced before \
                CloudFormation reads it"
            ),
            format!(
                "`aws s3api put-bucket-versioning --bucket {bucket} --versioning-configuration Status=Enabled`, or set \
                another bucket in `templateBucket`"
            ),
        ),
        Some(Seen::Present(Bucket::Unusable(why))) => (
            format!("the template bucket {bucket} cannot be used: {why}"),
            format!(
                "set `templateBucket` to a bucket of account {} in {} with versioning, and allow its use",
                scope.account, scope.region
            ),
        ),
        Some(Seen::Unknown(why)) => {
            let why = format!("the template bucket {bucket} could not be checked: {why}");
            return not_known(entry, why);
        }
        Some(Seen::Absent) => (format!("bucket {bucket} does not exist"), "create it and enable versioning".to_owned()),
        None => {
            planner.need(StackNeed::Bucket(scope.clone(), bucket.clone()));
            return not_known(entry, format!("the template bucket {bucket} has not been checked"));
        }
    };
    refuse(entry, Refusal { guard: Guard::TemplateBucket, reason, release });
}

fn not_known(entry: &mut Entry, why: String) {
    entry.action = Action::Unknown;
    entry.step = None;
    entry.waiting.push(Waiting::Unknown { why });
}

/// Changes that replace or remove resources that hold state (invariant S4; policy `replace`, `backupMaxAge`).
pub(super) fn replacements(planner: &Planner<'_>, spec: &StackSpec, stack: &ObservedStack, entry: &mut Entry) {
    let environment = planner.input.environment;
    let stateful: Vec<ResourceChange> =
        entry.changes.list().iter().filter(|change| is_lost(environment, change)).cloned().collect();
    if stateful.is_empty() || sabotage::is(Bug::Unguarded) {
        return;
    }
    let approved = consent::covers(planner.input, &spec.key, entry);
    match environment.policy.replace {
        Replace::Deny => refuse(
            entry,
            Refusal {
                guard: Guard::Replace,
                reason: losses(environment, &stateful),
                release: environment
                    .limits
                    .release("replace", "set `policy.replace` to `approve`, then approve the plan"),
            },
        ),
        Replace::Approve if !approved => {
            entry.step = None;
            entry.waiting.push(approval(planner.input));
        }
        Replace::Approve | Replace::Allow => {
            // What is retained can be put back; only what is gone needs a backup.
            let known = |change: &&ResourceChange| environment.policy.stateful_types.contains(&change.kind);
            for change in stateful.iter().filter(|change| !change.retained).filter(known) {
                backup(planner, spec, stack, change, entry);
            }
        }
    }
}

/// Access that would be given to somebody who does not have it (policy `broaden`). Only what gives it is held: a change
/// set is computed, because it shows more, and what protects is done.
pub(super) fn broadening(input: &Input<'_>, key: &Key, entry: &mut Entry) {
    if entry.broadenings.is_empty() || sabotage::is(Bug::BroadensUnasked) {
        return;
    }
    let gives = |action: &Do| match action {
        Do::Stack(step) => matches!(step.action, StackDo::Create { .. } | StackDo::Execute { .. }),
        Do::Secret(step) => matches!(step.action, SecretDo::SetPolicy { .. }),
        Do::Service(_) | Do::Record(_) | Do::Backup(_) => false,
    };
    let gives = entry.step.as_ref().map(|step| gives(&step.action));
    match input.environment.policy.broaden {
        Broaden::Deny if gives != Some(false) => {
            let what = entry.broadenings.iter().map(|one| format!("{} ({})", one.resource, one.kind));
            let what = what.collect::<std::collections::BTreeSet<_>>().into_iter().collect::<Vec<_>>().join(", ");
            refuse(
                entry,
                Refusal {
                    guard: Guard::Broaden,
                    reason: format!("it would grant new access: {what}"),
                    release: input
                        .environment
                        .limits
                        .release("broaden", "set `policy.broaden` to `approve`, then approve the plan"),
                },
            );
        }
        Broaden::Approve if gives == Some(true) && !consent::covers(input, key, entry) => {
            entry.step = None;
            entry.waiting.push(approval(input));
        }
        Broaden::Deny | Broaden::Approve | Broaden::Allow => {}
    }
}

/// What would be lost, and what may be because nobody can tell.
fn losses(environment: &Environment, lost: &[ResourceChange]) -> String {
    let (sure, perhaps): (Vec<_>, Vec<_>) =
        lost.iter().partition(|change| environment.policy.stateful_types.contains(&change.kind));
    let shown = |changes: &[&ResourceChange]| {
        let named = changes.iter().map(|change| match &change.unknown {
            Some(why) => format!("{} ({}: {why})", change.resource, change.kind),
            None => format!("{} ({})", change.resource, change.kind),
        });
        named.collect::<Vec<_>>().join(", ")
    };
    let sure = (!sure.is_empty()).then(|| format!("it would replace or delete stateful resources: {}", shown(&sure)));
    let perhaps =
        (!perhaps.is_empty()).then(|| format!("it may replace or delete stateful resources: {}", shown(&perhaps)));
    sure.into_iter().chain(perhaps).collect::<Vec<_>>().join("; ")
}

/// The change takes something that holds state out of use, or nobody can tell. Retained, it stays in the account, but
/// whatever used it then has an empty one: that is as bad until somebody notices.
pub(super) fn is_lost(environment: &Environment, change: &ResourceChange) -> bool {
    if change.kind == NESTED_STACK {
        // What is in it is judged by itself, where it is known.
        return change.unknown.is_some() && !sabotage::is(Bug::UnknownIsHarmless);
    }
    change.may_destroy() && holds_state(environment, &change.kind)
}

/// Resources of this type hold state: policy says so, or nobody can tell because it is none of AWS's own.
pub(super) fn holds_state(environment: &Environment, kind: &str) -> bool {
    let policy = &environment.policy;
    let unknown = is_foreign(kind) && !policy.stateless_types.contains(kind);
    policy.stateful_types.contains(kind) || (unknown && !sabotage::is(Bug::UnknownIsHarmless))
}

/// A custom resource, a type from a third party, or a module that is not resolved: what stands behind it is its author's.
fn is_foreign(kind: &str) -> bool {
    !kind.starts_with("AWS::") || kind.ends_with("::MODULE") || kind == "AWS::CloudFormation::CustomResource"
}

fn backup(planner: &Planner<'_>, spec: &StackSpec, stack: &ObservedStack, change: &ResourceChange, entry: &mut Entry) {
    let Some(physical) = &change.physical_id else { return no_backup(change, "it has no physical ID yet", entry) };
    let max_age = planner.input.environment.policy.backup_max_age;
    match stack.backups.get(physical) {
        Some(Seen::Present(finished)) => {
            let age = planner.input.now.duration_since(*finished);
            if age > SignedDuration::try_from(max_age).unwrap_or(SignedDuration::MAX) {
                let age = humantime::format_duration(Duration::from_secs(age.unsigned_abs().as_secs()));
                no_backup(change, &format!("its newest backup is {age} old"), entry);
            }
        }
        Some(Seen::Absent) => no_backup(change, "it has no completed backup", entry),
        Some(Seen::Unknown(why)) => no_backup(change, &format!("its backups could not be read: {why}"), entry),
        None => {
            planner.need(StackNeed::Backup(spec.address(), change.kind.clone(), physical.clone()));
            no_backup(change, "its backups have not been read", entry);
        }
    }
}

fn no_backup(change: &ResourceChange, why: &str, entry: &mut Entry) {
    refuse(
        entry,
        Refusal {
            guard: Guard::Backup,
            reason: format!("{} ({}) would be lost; {why}", change.resource, change.kind),
            release: "take a backup, or keep the resource (`DeletionPolicy: Retain`)".to_owned(),
        },
    );
}

/// More than the budget: the whole plan is refused and says so (invariant S3). What a person approved is not counted.
pub(super) fn budget(planner: &mut Planner<'_>) {
    let input = planner.input;
    let budget = input.environment.policy.budget;
    let spent = spent(input, &budget);
    let mut wanted = spent;
    for (key, entry) in &planner.entries {
        if let Some(step) = &entry.step
            && !consent::covers(input, key, entry)
        {
            wanted = Total {
                stacks: wanted.stacks.saturating_add(step.cost.0),
                replacements: wanted.replacements.saturating_add(step.cost.1),
                deletions: wanted.deletions.saturating_add(step.cost.2),
            };
        }
    }
    let over = [
        ("stacks changed", wanted.stacks, budget.stacks),
        ("resources replaced or deleted", wanted.replacements, budget.replacements),
        ("stacks deleted", wanted.deletions, budget.deletions),
    ];
    let over: Vec<String> = over
        .iter()
        .filter(|(_, wanted, allowed)| wanted > allowed)
        .map(|(what, wanted, allowed)| format!("{what}: {wanted} of {allowed}"))
        .collect();
    if over.is_empty() || wanted == spent {
        return;
    }
    let per = humantime::format_duration(budget.per);
    let reason = format!("the budget for {per} is exceeded ({})", over.join("; "));
    let release = format!("approve the plan (`{}`), or raise `policy.budget`", approval_command(input));
    for (key, entry) in &mut planner.entries {
        let counts = entry.step.as_ref().is_some_and(|step| step.cost != (0, 0, 0));
        if counts && !consent::covers(input, key, entry) {
            refuse(entry, Refusal { guard: Guard::Budget, reason: reason.clone(), release: release.clone() });
        }
    }
}

#[derive(Clone, Copy, Default, PartialEq, Eq)]
struct Total {
    stacks: u32,
    replacements: u32,
    deletions: u32,
}

fn spent(input: &Input<'_>, budget: &Budget) -> Total {
    let period = SignedDuration::try_from(budget.per).unwrap_or(SignedDuration::MAX);
    let since = input.now.saturating_sub(period).unwrap_or(Timestamp::MIN);
    input.memory.spent.iter().filter(|spent| spent.at >= since).fold(Total::default(), |total, spent| Total {
        stacks: total.stacks.saturating_add(spent.stacks),
        replacements: total.replacements.saturating_add(spent.replacements),
        deletions: total.deletions.saturating_add(spent.deletions),
    })
}
