//! What is in the account beside what manifests describe: stacks, shells, and change sets that have piled up.

use landfast::model::{DeploymentMode, StackOptions};
use landfast::ports::{CreateChangeSet, Fence, TemplateSource};

use super::*;

const MINE: &str = "Resources: { Mine: { Type: AWS::SNS::Topic } }";

impl Ward {
    /// A whole round of the doctor.
    fn round(&mut self) -> Vec<Diagnosis> {
        let life = self.life();
        let desired = life.controller.board.desired();
        let examined = self.clock.drive(life.controller.examine(&desired, &life.environment)).unwrap().unwrap();
        assert_eq!(examined.unknown, Vec::<String>::new());
        examined.diagnoses
    }
}

#[test]
fn what_no_manifest_describes_is_counted_and_told_with_what_becomes_of_it() {
    let mut ward = Ward::new(Wanted::sized(1));
    ward.run(5 * MINUTE);
    assert_eq!(ward.round(), vec![]);
    let console = ward.console();
    console.create_stack(&"theirs".parse().unwrap(), MINE, &BTreeMap::new(), &BTreeMap::new()).unwrap();
    console.review(&"dev-shop-preview".parse().unwrap(), MINE).unwrap();
    let owner = [("landfast:owner".to_owned(), "dev/stack/former".to_owned())].into();
    console.create_stack(&"dev-shop-former".parse().unwrap(), MINE, &BTreeMap::new(), &owner).unwrap();
    // Somebody else's environment describes nothing here, and is not blamed for it.
    ward.run(5 * MINUTE);
    let found = ward.round();
    let told: BTreeMap<String, Ailment> = found.iter().map(|one| (one.stack.clone(), one.ailment)).collect();
    assert_eq!(told.get("theirs"), Some(&Ailment::Unmanaged), "{found:?}");
    assert_eq!(told.get("dev-shop-preview"), Some(&Ailment::Shell), "{found:?}");
    assert!(!told.contains_key(NAME), "{found:?}");
    let shell = found.iter().find(|one| one.ailment == Ailment::Shell).unwrap();
    assert!(shell.remedy.is_decision(), "{shell:?}");
    // A tag can be set by anybody: what carries ours and is not in the journal waits for a person.
    assert!(
        found.iter().any(|one| one.stack == "dev-shop-former" && one.ailment == Ailment::UnprovenOwner),
        "{found:?}"
    );
    assert_eq!(ward.applied("DeleteStack"), 0, "{:?}", ward.truth.blames());
}

#[test]
fn change_sets_that_others_have_piled_up_are_told_before_no_more_can_be_made() {
    let mut ward = Ward::new(Wanted::sized(1));
    ward.run(5 * MINUTE);
    // Another tool at work, past the eyes of the monitor.
    ward.cloud.set_monitor(Box::new(|_, _| {}));
    let port = ward.cloud.stacks(&scope(), None);
    let stack = ward.cloud.inventory().stack(NAME).unwrap().state.id.clone();
    for number in 0..120 {
        let request = CreateChangeSet {
            stack: stack.clone(),
            name: format!("preview-{number}").parse().unwrap(),
            template: TemplateSource::Previous,
            options: StackOptions {
                parameters: [("Size".to_owned(), landfast::model::Value::Previous)].into(),
                ..StackOptions::default()
            },
            nested: true,
            mode: DeploymentMode::Ordinary,
        };
        let _ = ward.clock.drive(port.create_change_set(Fence { epoch: 1, revision: 1 }, request)).unwrap();
    }
    let found = ward.round();
    let piled = found.iter().find(|one| one.ailment == Ailment::ChangeSets);
    let piled = piled.unwrap_or_else(|| panic!("{found:?}"));
    assert!(piled.evidence[0].contains("120 change sets, 120 of them not created by Landfast"), "{piled:?}");
}
