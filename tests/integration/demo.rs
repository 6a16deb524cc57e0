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
        "the rollback of its update has failed",
        "ReplicationGroup (AWS::ElastiCache::ReplicationGroup)",
        "elasticache in step in",
        "killed: update accepted by AWS",
        "tag CostCenter: (none) → \"people-ops\"",
        "ReviewCyclesTable /SSESpecification/SSEEnabled",
        "by arn:aws:iam::111122223333:user/console",
        "Looked at once more, nothing differs.",
        "dev-ReviewCycles: proven at",
        "(RTO)",
        "1.1.0 is proven to run",
        "1.2.0 is ROLLED BACK: its tasks ended after their start",
        "All 16 objects are in sync",
    ] {
        assert!(words.contains(phrase), "{phrase} is missing in:\n{text}");
    }
    assert!(!text.contains('\u{1b}'), "colours in a pipe");
    let widest = text.lines().map(|line| line.chars().count()).max();
    assert!(widest <= Some(80), "a line of {widest:?} columns");
    assert_eq!(std::fs::read_dir(empty.path()).unwrap().count(), 0, "files were written");
}
