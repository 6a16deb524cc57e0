//! The templates of this repository deploy in the simulation as they are.

use std::collections::BTreeMap;

use super::{Rig, request};
use crate::model::{StackStatus, Value};

#[test]
fn every_template_of_the_guide_is_accepted_and_its_stack_completes() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("manifests/performance-mgmt/templates");
    let mut files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    assert!(!files.is_empty());
    for file in files {
        let name = file.file_stem().unwrap().to_string_lossy().into_owned();
        let body = std::fs::read_to_string(&file).unwrap();
        let rig = Rig::new();
        let mut wanted = request(&format!("dev-{name}"), &body);
        wanted.capabilities = ["CAPABILITY_NAMED_IAM".to_owned()].into();
        let parsed = crate::sim::reader::read(&body).unwrap();
        let missing = parsed.parameters.iter().filter(|(_, decl)| decl.default.is_none());
        wanted.parameters = missing
            .map(|(name, decl)| {
                let value = match decl.allowed.first() {
                    Some(first) => first.clone(),
                    None if decl.kind == "Number" => "1".to_owned(),
                    None if decl.is_list() => "a,b,c".to_owned(),
                    None => "dev".to_owned(),
                };
                (name.clone(), Value::Plain(value))
            })
            .collect::<BTreeMap<_, _>>();
        let id = rig.create(wanted).unwrap();
        assert_eq!(
            rig.status_after(&format!("dev-{name}"), 60),
            StackStatus::CreateComplete,
            "{name}: {:#?}",
            rig.events(&id)
        );
    }
}
