//! The actions that a preflight asks for, held against what the adapters call and what the documentation says.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use landfast::plan::preflight;
use regex::Regex;

/// Called by `adopt` alone, which only looks; under the name of another permission (`ListObjectsV2`: `s3:ListBucket`); or by
/// a preflight, which says itself what it could not read.
const BESIDE: [&str; 18] = [
    "DeleteMessageBatch",
    "DescribeCertificate",
    "DescribeType",
    "GetBackupPlan",
    "GetBackupSelection",
    "GetBucketEncryption",
    "GetCallerIdentity",
    "GetMetricStatistics",
    "GetResource",
    "GetServiceQuota",
    "HeadObject",
    "ListBackupPlans",
    "ListBackupSelections",
    "ListClusters",
    "ListObjectsV2",
    "ListResources",
    "ListServices",
    "SimulatePrincipalPolicy",
];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).to_owned()
}

fn actions() -> BTreeSet<&'static str> {
    preflight::actions().flat_map(|(_, actions)| actions.iter().copied()).collect()
}

/// The names of all operations, as the adapters name them in errors.
fn operations() -> BTreeSet<String> {
    let named = Regex::new(
        r#"(?:const (?:OPERATION|DESCRIBE|REGISTER): &str = |(?:port_error|PortError::new)\((?:Class::\w+, )?)"([A-Z]\w+)""#,
    );
    let named = named.unwrap();
    let mut found = BTreeSet::new();
    for entry in std::fs::read_dir(root().join("src/aws")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "rs") && !path.ends_with("tests.rs") {
            let text = std::fs::read_to_string(path).unwrap();
            found.extend(named.captures_iter(&text).map(|found| found[1].to_owned()));
        }
    }
    found
}

#[test]
fn every_operation_of_an_adapter_is_a_permission_that_preflight_asks_for() {
    let (operations, actions) = (operations(), actions());
    assert!(operations.len() > 80, "{operations:?}");
    let asked = |name: &str| actions.iter().any(|action| action.split(':').nth(1) == Some(name));
    let missing: Vec<&String> =
        operations.iter().filter(|name| !asked(name) && !BESIDE.contains(&name.as_str())).collect();
    assert!(missing.is_empty(), "called, and not in plan/preflight/actions.rs: {missing:?}");
}

#[test]
fn every_permission_that_preflight_asks_for_is_documented() {
    let page = std::fs::read_to_string(root().join("docs/src/reference/iam.md")).unwrap();
    let missing: Vec<&str> = actions().into_iter().filter(|action| !names(&page, action)).collect();
    assert!(missing.is_empty(), "in plan/preflight/actions.rs, and not in docs/src/reference/iam.md: {missing:?}");
}

/// Whether a text names an action as a whole.
fn names(text: &str, action: &str) -> bool {
    text.match_indices(action).any(|(at, _)| !text[at + action.len()..].starts_with(char::is_alphanumeric))
}
