//! Every row of the status table: the stack is driven into it, and it ends in recovery or in a person's decision that is
//! named, with the commands.

use landfast::sim::ImportOutcome;

use super::*;

/// How a row ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    /// As the manifest says, by itself.
    Recovers,
    /// A person is told this; what is stuck is then let go, and it recovers.
    Told(Ailment),
    /// A person has to decide this, and nothing is done.
    Decides(Ailment),
}

const HOUR: Duration = Duration::from_hours(1);

/// What is added to the template where something is to be removed again.
const EXTRA: &str = "  Extra: { Type: AWS::SNS::Topic }\n";

/// Drives a stack into a status: what is done to it, and for how long until it shows.
fn drive(ward: &mut Ward, status: StackStatus) {
    use ResourceOperation::{Create, Delete, Update};
    use StackStatus as S;
    let name = NAME.parse().unwrap();
    let console = ward.console();
    let transient = "NotStabilized";
    let creates = matches!(
        status,
        S::CreateInProgress
            | S::CreateFailed
            | S::RollbackInProgress
            | S::RollbackFailed
            | S::RollbackComplete
            | S::ReviewInProgress
    );
    if creates {
        match status {
            S::CreateInProgress => ward.fail(vec![sticks("Queue", Create, 1)]),
            S::CreateFailed => {
                ward.commit(Wanted { spec: "  onFailure: nothing\n", ..Wanted::sized(1) });
                ward.fail(vec![fails("Queue", Create, 1, transient)]);
            }
            S::RollbackInProgress => ward.fail(vec![fails("Queue", Create, 1, transient), sticks("Alarm", Delete, 1)]),
            S::RollbackFailed => {
                ward.fail(vec![fails("Queue", Create, 1, transient), fails("Alarm", Delete, 1, transient)]);
            }
            S::ReviewInProgress => {
                console.review(&name, "Resources: { T: { Type: AWS::SNS::Topic } }").unwrap();
            }
            _ => ward.fail(vec![fails("Queue", Create, 1, transient)]),
        }
        return;
    }
    let with_extra = matches!(status, S::UpdateCompleteCleanupInProgress);
    ward.commit(Wanted { more: if with_extra { EXTRA } else { "" }, ..Wanted::sized(1) });
    ward.run(5 * MINUTE);
    assert_eq!(ward.status(), Some(S::CreateComplete), "{status}");
    match status {
        S::DeleteInProgress => {
            ward.fail(vec![sticks("Queue", Delete, 1)]);
            console.delete_stack(&name).unwrap();
        }
        S::DeleteFailed => {
            ward.fail(vec![fails("Queue", Delete, 1, transient)]);
            console.delete_stack(&name).unwrap();
        }
        S::DeleteComplete => console.delete_stack(&name).unwrap(),
        S::UpdateInProgress => ward.fail(vec![sticks("Queue", Update, 1)]),
        S::UpdateCompleteCleanupInProgress => ward.fail(vec![sticks("Extra", Delete, 1)]),
        S::UpdateFailed => {
            ward.fail(vec![fails("Queue", Update, 1, transient)]);
            let broken = "Parameters: { Size: { Type: String } }\nResources: { Queue: { Type: AWS::SQS::Queue, Properties: { Note: broken } } }";
            console.update_template_without_rollback(&name, broken).unwrap();
            ward.run(2 * MINUTE);
            return;
        }
        S::UpdateRollbackInProgress => ward.fail(vec![fails("Queue", Update, 1, transient), sticks("Slow", Update, 2)]),
        S::UpdateRollbackFailed => ward.fail(vec![fails("Queue", Update, 3, transient)]),
        S::UpdateRollbackCompleteCleanupInProgress => {
            ward.fail(vec![fails("Slow", Update, 1, transient), sticks("Extra", Delete, 1)]);
            ward.commit(Wanted { more: EXTRA, ..Wanted::sized(2) });
            return;
        }
        S::UpdateRollbackComplete => ward.fail(vec![fails("Queue", Update, 1, transient)]),
        S::ImportInProgress | S::ImportComplete => console.import(&name, ImportOutcome::Complete).unwrap(),
        S::ImportRollbackInProgress | S::ImportRollbackComplete => {
            console.import(&name, ImportOutcome::RolledBack).unwrap();
        }
        S::ImportRollbackFailed => {
            console.import(&name, ImportOutcome::RollbackFailed).unwrap();
            ward.run(2 * MINUTE);
            return;
        }
        _ => {}
    }
    let deleted = matches!(status, S::DeleteInProgress | S::DeleteFailed | S::DeleteComplete);
    if !deleted {
        ward.commit(Wanted::sized(2));
    }
}

fn ends(status: StackStatus) -> End {
    use StackStatus as S;
    match status {
        S::CreateInProgress
        | S::RollbackInProgress
        | S::DeleteInProgress
        | S::UpdateInProgress
        | S::UpdateCompleteCleanupInProgress
        | S::UpdateRollbackInProgress
        | S::UpdateRollbackCompleteCleanupInProgress => End::Told(Ailment::Stalled),
        S::UpdateRollbackFailed => End::Decides(Ailment::RollbackFailed),
        S::DeleteFailed => End::Decides(Ailment::DeletionFailed),
        S::UpdateFailed => End::Decides(Ailment::UpdateFailed),
        S::ImportRollbackFailed => End::Decides(Ailment::ImportFailed),
        S::ReviewInProgress => End::Decides(Ailment::Shell),
        S::CreateFailed
        | S::CreateComplete
        | S::RollbackFailed
        | S::RollbackComplete
        | S::DeleteComplete
        | S::UpdateComplete
        | S::UpdateRollbackComplete
        // What is imported passes within a second; it is waited for like any other operation.
        | S::ImportInProgress
        | S::ImportComplete
        | S::ImportRollbackInProgress
        | S::ImportRollbackComplete => End::Recovers,
    }
}

/// It has recovered; or it held state, somebody else has deleted it, and a person decides what takes its place.
fn settled(ward: &mut Ward, status: StackStatus) {
    if matches!(status, StackStatus::DeleteInProgress | StackStatus::DeleteComplete) {
        let found = ward.ailments();
        assert_eq!((ward.status(), found.first().map(|one| one.ailment)), (None, Some(Ailment::StackGone)), "{status}");
        assert!(found[0].remedy.is_decision(), "{status}: {found:?}");
    } else {
        assert!(ward.in_sync(), "{status}: {:?} {:?}", ward.status(), ward.ailments());
    }
}

fn plays(status: StackStatus) {
    let mut ward = Ward::new(Wanted::sized(1));
    drive(&mut ward, status);
    match ends(status) {
        End::Recovers => {
            ward.run(30 * MINUTE);
            settled(&mut ward, status);
        }
        End::Told(ailment) => {
            ward.run(3 * HOUR);
            assert_eq!(ward.status(), Some(status), "{:?}", ward.passed());
            let found = ward.ailments();
            let told = found.iter().find(|one| one.ailment == ailment);
            let told = told.unwrap_or_else(|| panic!("{status} is not diagnosed: {found:?}"));
            assert!(told.since.is_some() && told.evidence.len() >= 2, "{status}: {told:?}");
            assert!(!format!("{:?}", told.remedy).contains("commands: []") || told.remedy.is_decision(), "{told:?}");
            ward.console().release(&NAME.parse().unwrap()).unwrap();
            ward.run(40 * MINUTE);
            settled(&mut ward, status);
        }
        End::Decides(ailment) => {
            ward.run(30 * MINUTE);
            assert_eq!(ward.status(), Some(status), "{:?}", ward.passed());
            let calls = ward.truth.mutations();
            let found = ward.ailments();
            assert_eq!(found.first().map(|one| one.ailment), Some(ailment), "{status}: {found:?}");
            let Remedy::Decision { choices, .. } = &found[0].remedy else { panic!("{status}: {found:?}") };
            assert!(choices.iter().any(|choice| !choice.commands.is_empty()), "{status}: {found:?}");
            ward.run(HOUR);
            assert_eq!(ward.truth.mutations(), calls, "{status}: nothing is done without a person");
        }
    }
    assert!(ward.passed().contains(status.as_str()), "{status} was not reached: {:?}", ward.passed());
    assert_eq!(ward.truth.blames(), Vec::<String>::new(), "{status}");
}

#[test]
fn every_status_ends_in_recovery_or_in_a_named_decision() {
    std::thread::scope(|threads| {
        let halves = [0, 1].map(|half| threads.spawn(move || all(half)));
        let failed: Vec<String> = halves.into_iter().flat_map(|half| half.join().unwrap()).collect();
        assert!(failed.is_empty(), "{}", failed.join("\n"));
    });
}

fn all(half: usize) -> Vec<String> {
    let mut failed = Vec::new();
    for status in StackStatus::ALL.into_iter().skip(half).step_by(2) {
        let played = std::panic::catch_unwind(|| plays(status));
        if let Err(why) = played {
            let why = why.downcast_ref::<String>().cloned().unwrap_or_else(|| "?".to_owned());
            failed.push(format!("{status}: {why}"));
        }
    }
    failed
}
