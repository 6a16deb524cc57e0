//! `landfast demo` is a promise to whoever tries it first: it runs anywhere, and everything that it tells is so.

use assert_cmd::Command;

#[test]
fn the_demonstration_goes_as_it_tells_and_touches_nothing() {
    let empty = tempfile::tempdir().unwrap();
    let run =
        Command::cargo_bin("landfast").unwrap().arg("demo").current_dir(empty.path()).env_clear().assert().success();
    let text = String::from_utf8(run.get_output().stdout.clone()).unwrap();
    // Lines are broken where the terminal ends.
    let words = text.split_whitespace().collect::<Vec<_>>().join(" ");
    for phrase in [
        "Critical path",
        "parameter LogRetentionDays: \"7\" → \"14\"",
        "REFUSED (backup): ReviewCyclesTable",
        "not supported in the availability zone us-east-1e",
        "the rollback of its update failed",
        "ReplicationGroup (AWS::ElastiCache::ReplicationGroup)",
        "elasticache resynced in",
        "killed: AWS accepted the update",
        "tag CostCenter: (none) → \"people-ops\"",
        "ReviewCyclesTable /SSESpecification/SSEEnabled",
        "by arn:aws:iam::111122223333:user/console",
        "A second check finds no drift.",
        "dev-ReviewCycles: verified at",
        "(RTO)",
        "1.1.0 rolled out successfully",
        "1.2.0 is ROLLED BACK: its tasks exited after they started",
        "All 16 objects are in sync",
    ] {
        assert!(words.contains(phrase), "{phrase} is missing in:\n{text}");
    }
    assert!(!text.contains('\u{1b}'), "colours in a pipe");
    let widest = text.lines().map(|line| line.chars().count()).max();
    assert!(widest <= Some(80), "a line of {widest:?} columns");
    assert_eq!(std::fs::read_dir(empty.path()).unwrap().count(), 0, "files were written");
}
