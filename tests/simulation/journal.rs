//! A journal that cannot be written, and notes that nobody should believe.

use std::path::Path;
use std::time::Duration;

use landfast::controller::{Tender, Until, tend_all};
use landfast::model::{Request, Wish};
use landfast::plan::Goal;
use landfast::sabotage::{Bug, plant};
use landfast::sim::SimConfig;
use landfast::store::{Inbox, Note, Store};

use crate::stage::{Stage, environment, loaded, wanted};

const MINUTE: Duration = Duration::from_mins(1);

/// Calls in ten minutes, after which a daemon does not live on but hammers.
const MANY: usize = 100;

const MANIFESTS: [(&str, &str); 3] = [
    (
        "environment.yaml",
        "apiVersion: landfast/v1\nkind: Environment\nmetadata: { name: dev }\nspec:\n  system: app\n  include: [app]\n  account: '111122223333'\n  \
         region: eu-central-1\n  policy: { prune: always, replace: allow, budget: { stacks: 9, replacements: 9, deletions: 9, per: 1h } }\n",
    ),
    (
        "app/stacks.yaml",
        "apiVersion: landfast/v1\nkind: Stack\nmetadata: { name: one }\nspec: { template: one.yaml }\n",
    ),
    ("app/one.yaml", "Resources: { Topic: { Type: AWS::SNS::Topic } }\n"),
];

/// A disk is full for an hour, from the beginning or from when a stack was made, and there is something to do meanwhile.
/// Says what went wrong.
fn full(bug: Option<Bug>) -> Vec<String> {
    plant(bug);
    let mut stage = Stage::new("eu-central-1", "2026-01-01T00:00:00Z", SimConfig::default());
    let controller = stage.begin(|_| {});
    let desired = loaded(controller.store(), MANIFESTS);
    controller.board.publish(desired, &std::collections::BTreeSet::new());
    stage.disk.fill(true);
    let before = stage.cloud.audit().len();
    let cx = controller.context().clone();
    let ended = stage.clock.drive(cx.timeout(10 * MINUTE, tend_all(&controller, Until::Stopped))).unwrap();
    let calls = stage.cloud.audit().len() - before;
    let mut wrong = Vec::new();
    match ended {
        None => wrong.push("L5 journal: it lives on and cannot do anything".to_owned()),
        Some(Ok(ended)) => wrong.push(format!("L5 journal: it ended as if nothing had been: {ended:?}")),
        Some(Err(_)) => {}
    }
    if calls > MANY {
        wrong.push(format!("L5 journal: {calls} calls in ten minutes"));
    }
    drop(controller);
    // There is space again: whoever opens the journal then goes on.
    stage.disk.fill(false);
    let controller = stage.begin(|_| {});
    let desired = loaded(controller.store(), MANIFESTS);
    controller.board.publish(desired, &std::collections::BTreeSet::new());
    let tender = Tender::new(&controller, "dev".parse().unwrap(), Goal::Converge, Until::Settled);
    let settled = stage.clock.drive(tender.run()).unwrap();
    let created = stage.cloud.audit().iter().filter(|call| call.operation == "CreateStack").count();
    if settled.is_err() || created != 1 {
        wrong.push(format!("L1 journal: it does not go on: {settled:?}"));
    }
    plant(None);
    wrong
}

#[test]
fn a_daemon_that_cannot_write_its_journal_ends_and_begins_again_when_it_can() {
    assert_eq!(full(None), Vec::<String>::new());
}

#[test]
fn one_that_lives_on_as_a_shell_is_found() {
    let found = full(Some(Bug::LivesOnWithoutJournal));
    assert!(found.iter().any(|wrong| wrong.starts_with("L5 journal")), "{found:?}");
}

#[test]
fn a_full_disk_is_said_when_a_store_is_opened_and_passes() {
    let stage = Stage::new("eu-central-1", "2026-01-01T00:00:00Z", SimConfig::default());
    drop(stage.store());
    stage.disk.fill(true);
    let refused = Store::on(&stage.disk, &stage.cx).unwrap_err();
    assert!(refused.may_pass(), "{refused}");
    stage.disk.fill(false);
    drop(stage.store());
}

/// Everything that somebody who may write into the inbox, but is not to give orders, could leave there.
fn forge(inbox: &Path, note: &Note, elsewhere: &Path) {
    let good = std::fs::read(inbox.join(name(inbox))).unwrap();
    std::fs::rename(inbox.join(name(inbox)), elsewhere.join("note")).unwrap();
    // A copy under another name, also that of another environment.
    std::fs::write(inbox.join("x.json"), &good).unwrap();
    std::fs::write(inbox.join("prod-000000000000.json"), &good).unwrap();
    // One that somebody else has edited.
    let text = serde_json::to_string(note).unwrap().replace("ada", "the boss");
    std::fs::write(inbox.join("dev-111111111111.json"), text).unwrap();
    std::os::unix::fs::symlink(elsewhere.join("note"), inbox.join("link.json")).unwrap();
    std::fs::create_dir(inbox.join("directory.json")).unwrap();
    let made = std::process::Command::new("mkfifo").arg(inbox.join("fifo.json")).status().unwrap();
    assert!(made.success());
}

fn name(inbox: &Path) -> String {
    std::fs::read_dir(inbox).unwrap().next().unwrap().unwrap().file_name().into_string().unwrap()
}

/// A daemon looks into an inbox in which nothing is what it says. Says what it did about it.
fn forged(bug: Option<Bug>) -> Vec<String> {
    plant(bug);
    let mut stage = Stage::new("eu-central-1", "2026-01-01T00:00:00Z", SimConfig::default());
    let directory = tempfile::tempdir().unwrap();
    let inbox = Inbox::of(directory.path());
    let controller = stage.begin(|_| {}).with_inbox(inbox.clone());
    let environment = environment(&stage.scope);
    let desired = wanted(controller.store(), environment);
    let note = Note::Request(Request {
        id: "forged".to_owned(),
        key: "dev/stack/one".parse().unwrap(),
        wish: Wish::Revert,
        by: "ada".to_owned(),
        at: stage.cx.now(),
    });
    inbox.leave(&note).unwrap();
    forge(&directory.path().join("inbox"), &note, directory.path());
    stage.tend(&controller, desired, 10 * MINUTE, crate::stage::FOREVER);
    let mut wrong = Vec::new();
    // Nothing was granted, and nothing declined: nobody has asked.
    for line in controller.store().history(None, 100).unwrap() {
        wrong.push(format!("S23 note: {line:?}"));
    }
    let left = std::fs::read_dir(directory.path().join("inbox")).unwrap().count();
    if left > 0 {
        wrong.push(format!("S23 note: {left} are still there"));
    }
    plant(None);
    wrong
}

#[test]
fn a_note_that_is_not_what_it_says_is_put_aside() {
    assert_eq!(forged(None), Vec::<String>::new());
}

#[test]
fn a_daemon_that_believes_every_note_is_found() {
    let found = forged(Some(Bug::TrustsNotes));
    assert!(found.iter().any(|wrong| wrong.starts_with("S23 note")), "{found:?}");
}
