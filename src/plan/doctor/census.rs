//! Everything that is in an account, against everything that is asked for: stacks that nobody's manifest describes, shells
//! and ruins among them, and change sets that have piled up.

use std::collections::{BTreeMap, BTreeSet};

use super::command::aws;
use crate::model::{
    Ailment, Census, Choice, Desired, Diagnosis, Environment, Key, Remedy, Seen, StackAddress, StackState, StackStatus,
};
use crate::plan::names::{change_set_prefix, owner};
use crate::plan::standing::{Standing, row};

/// `CloudFormation` keeps so many change sets of a stack, and makes no more of it then (users' reports:
/// aws/aws-cli#4534, awslabs/seed-farmer#441). AWS does not say.
const CHANGE_SETS_MAX: usize = 1_000;

/// From here on there is time to do something about it.
const CHANGE_SETS_MANY: usize = 100;

/// What ails the accounts of an environment beside its own objects.
#[must_use]
pub fn census(desired: &Desired, environment: &Environment, seen: &Census) -> Vec<Diagnosis> {
    let described: BTreeSet<StackAddress> = desired
        .environments
        .values()
        .flat_map(|environment| environment.stacks.values())
        .map(|spec| spec.address())
        .collect();
    let by_address: BTreeMap<StackAddress, &Key> =
        environment.stacks.values().map(|spec| (spec.address(), &spec.key)).collect();
    let prefix = format!("{}-{}-", environment.name, environment.system);
    let mut found = Vec::new();
    for (address, state) in &seen.stacks {
        // What is nested belongs to the stack that it is nested in.
        let gone = row(state.status).standing == Standing::Gone;
        if !described.contains(address) && state.parent.is_none() && !gone {
            found.push(undescribed(environment, address, state, &prefix));
        }
    }
    for (address, sets) in &seen.change_sets {
        let Seen::Present(sets) = sets else { continue };
        let foreign = sets.iter().filter(|set| !set.name.as_str().starts_with(change_set_prefix())).count();
        if foreign >= CHANGE_SETS_MANY {
            let diagnosis = change_sets(address, foreign, sets.len());
            found.push(match by_address.get(address) {
                Some(key) => diagnosis.about(key),
                None => diagnosis,
            });
        }
    }
    found.sort();
    found
}

fn undescribed(environment: &Environment, address: &StackAddress, state: &StackState, prefix: &str) -> Diagnosis {
    let since = Some(state.updated.unwrap_or(state.created));
    let delete = aws(address, "delete-stack", "");
    let shell = state.status == StackStatus::ReviewInProgress;
    let tag = owner(state);
    let ours = tag.and_then(|owner| owner.parse::<Key>().ok());
    let named_like_ours = state.name.as_str().starts_with(prefix);
    let evidence = match tag {
        Some(tag) => format!("it is in {} and has the owner tag of {tag}", state.status),
        None => format!("it is in {}, and it has no owner tag", state.status),
    };
    let ailment = match (shell, row(state.status).standing, tag) {
        (true, ..) => Ailment::Shell,
        (_, Standing::NeverHealthy, _) => Ailment::NeverHealthy,
        (_, _, Some(_)) => Ailment::Orphaned,
        _ => Ailment::Unmanaged,
    };
    let remedy = match (ailment, &ours) {
        (Ailment::Shell, _) => {
            let list = aws(address, "list-change-sets", "");
            let mine = if named_like_ours {
                "its name follows Landfast's pattern: it was left by an older tool"
            } else {
                "it is not managed by Landfast"
            };
            Remedy::Decision {
                what: format!("whether its change set is still needed ({mine})"),
                choices: vec![Choice::new("find out who created it", [list]), Choice::new("delete it", [delete])],
            }
        }
        (_, Some(key)) if key.environment == environment.name => Remedy::Decision {
            what: "what to do with it: its manifest was removed".to_owned(),
            choices: vec![
                Choice::new(
                    "delete it if `policy.prune` allows it: see the plan",
                    [format!("landfast plan {}", environment.name)],
                ),
                Choice::new(
                    "keep it: restore its manifest, or remove its owner tag",
                    [aws(address, "describe-stacks", "--query \"Stacks[0].Tags\"")],
                ),
            ],
        },
        (Ailment::NeverHealthy, _) => {
            Remedy::Command { what: "deletes the remains of a failed creation".to_owned(), commands: vec![delete] }
        }
        _ => Remedy::Command {
            what: "no problem; to manage it with Landfast, describe and adopt it".to_owned(),
            commands: vec![aws(address, "get-template", "--query TemplateBody --output text")],
        },
    };
    let diagnosis = Diagnosis::of(address, ailment, remedy).since(since).shown_by([evidence]);
    match ours {
        Some(key) => diagnosis.about(&key),
        None => diagnosis,
    }
}

fn change_sets(address: &StackAddress, foreign: usize, all: usize) -> Diagnosis {
    let list = aws(address, "list-change-sets", "--query \"Summaries[?Status=='FAILED'].ChangeSetName\" --output text");
    let delete = aws(address, "delete-change-set", "--change-set-name NAME");
    let remedy = Remedy::Command {
        what:
            "lists the failed and empty change sets; delete them by name. The next update by Landfast deletes all of \
            them"
                .to_owned(),
        commands: vec![list, delete],
    };
    let evidence =
        format!("it has {all} change sets, {foreign} of them not created by Landfast; the limit is {CHANGE_SETS_MAX}");
    Diagnosis::of(address, Ailment::ChangeSets, remedy).shown_by([evidence])
}
