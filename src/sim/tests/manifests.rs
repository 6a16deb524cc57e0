//! The templates of this repository deploy in the simulation as they are.

use super::{FENCE, Rig, request};
use crate::model::{StackStatus, Value};

/// Values of which one fits each pattern.
const VALUES: [&str; 19] = [
    "dev",
    "10.0.0.0/16",
    "111122223333.dkr.ecr.us-east-1.amazonaws.com/api:1.0.0",
    "arn:aws:acm:us-east-1:111122223333:certificate/1",
    "arn:aws:secretsmanager:us-east-1:111122223333:secret:a",
    "a@example.com",
    "/aws/vpc/a",
    "/ecs/a",
    "7.1",
    "3.6.0",
    "app/a",
    "arn:aws:ecr:us-east-1:111122223333:repository/a",
    "arn:aws:elasticloadbalancing:us-east-1:111122223333:targetgroup/a/1",
    "arn:aws:iam::111122223333:role/a",
    "arn:aws:kafka:us-east-1:111122223333:cluster/a/1",
    "arn:aws:kms:us-east-1:111122223333:key/1",
    "cache.t4g.micro",
    "targetgroup/a",
    "abcdefghijklmnopq",
];

#[test]
fn every_template_of_the_guide_is_accepted_and_its_stack_completes() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("manifests/performance-mgmt/templates");
    let mut files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    assert!(!files.is_empty());
    let rig = Rig::new();
    // Whatever imports what is not there yet is tried again, as a person without Landfast would.
    for _ in 0..files.len() {
        files.retain(|file| !completes(&rig, file));
    }
    assert!(files.is_empty(), "{files:?}: {:#?}", rig.cloud.inventory());
}

/// Whether the stack of a template completes; if not, it is removed.
fn completes(rig: &Rig, file: &std::path::Path) -> bool {
    let name = format!("dev-{}", file.file_stem().unwrap().to_string_lossy());
    let body = std::fs::read_to_string(file).unwrap();
    let mut wanted = request(&name, &body);
    wanted.options.capabilities = ["CAPABILITY_NAMED_IAM".to_owned()].into();
    let parsed = crate::sim::reader::read(&body).unwrap();
    let missing = parsed.parameters.iter().filter(|(_, decl)| decl.default.is_none());
    wanted.options.parameters = missing
        .map(|(name, decl)| {
            let value = match decl.allowed.first() {
                Some(first) => first.clone(),
                None if decl.kind == "Number" => "1".to_owned(),
                None if decl.is_list() => "a,b,c".to_owned(),
                None => {
                    let fits = |value: &&&str| decl.check(name, value).is_ok();
                    (*VALUES.iter().find(fits).expect("a value for every pattern")).to_owned()
                }
            };
            (name.clone(), Value::Plain(value))
        })
        .collect();
    let id = rig.create(wanted).unwrap();
    if rig.status_after(&name, 60) == StackStatus::CreateComplete {
        return true;
    }
    rig.run(rig.stacks.delete(FENCE, &id, &std::collections::BTreeSet::new(), "again")).unwrap();
    rig.pass(std::time::Duration::from_mins(30));
    false
}
