//! Stacks within stacks (AWS: *Split a template into reusable pieces using nested stacks*, *Change sets for nested stacks*).

use super::{FENCE, Rig, change, parameters, request};
use crate::model::{
    ChangeAction, ChangeSetState, ChangeSetStatus, DeploymentMode, NESTED_STACK, Replacement, StackId, StackState,
    StackStatus,
};
use crate::ports::{Class, CreateChangeSet};
use crate::sim::ResourceOperation;

const CHILD: &str = r#"
Parameters: { Size: { Type: String, Default: small } }
Resources:
  Table: { Type: AWS::DynamoDB::Table, Properties: { BillingMode: PAY_PER_REQUEST, TableName: !Sub "users-${Size}" } }
  Queue: { Type: AWS::SQS::Queue, Properties: { Note: !Ref Size } }
Outputs:
  Table: { Value: !Ref Table }
"#;

const ROOT: &str = "
Parameters: { Size: { Type: String, Default: small } }
Resources:
  Data:
    Type: AWS::CloudFormation::Stack
    Properties:
      TemplateURL: https://templates.s3.us-east-1.amazonaws.com/child.yaml
      Parameters: { Size: !Ref Size }
  After: { Type: AWS::SQS::Queue, Properties: { Note: !GetAtt Data.Outputs.Table } }
Outputs:
  Table: { Value: !GetAtt Data.Outputs.Table }
";

fn rig() -> Rig {
    let rig = Rig::new();
    rig.console.put_object("templates", "child.yaml", CHILD);
    rig
}

impl Rig {
    /// The nested stack of one that is there.
    fn nested_in(&self, root: &StackId) -> StackState {
        let all = self.run(self.stacks.list(None)).unwrap().items;
        all.into_iter().find(|state| state.parent.as_ref() == Some(root)).expect("no nested stack")
    }

    fn table(&self) -> String {
        let inventory = self.cloud.inventory();
        let mut tables = inventory.stacks.iter().filter_map(|stack| stack.resources.get("Table"));
        tables.next().cloned().expect("no table")
    }

    fn resized(&self, root: &StackId, size: &str) -> (crate::model::ChangeSetId, ChangeSetState) {
        let mut wanted = change(root, &format!("to-{size}"), ROOT);
        wanted.options.parameters = parameters(&[("Size", size)]);
        self.change_set(wanted)
    }
}

#[test]
fn a_nested_stack_lives_and_goes_with_its_root() {
    let rig = rig();
    let id = rig.deployed("root", ROOT);
    let child = rig.nested_in(&id);
    assert_eq!(child.status, StackStatus::CreateComplete);
    assert!(child.name.as_str().starts_with("root-Data-"), "{}", child.name);
    assert_eq!(child.parameters["Size"], "small");
    assert_eq!(rig.state("root").outputs["Table"].value, "users-small");
    let inventory = rig.cloud.inventory();
    assert_eq!(inventory.stack("root").unwrap().resources["Data"], child.id.as_str());
    assert_eq!(rig.passed_through(&child.id), ["CREATE_IN_PROGRESS", "CREATE_COMPLETE"], "events of its own");
    rig.console.delete_stack(&"root".parse().unwrap()).unwrap();
    rig.pass(std::time::Duration::from_mins(30));
    assert!(rig.cloud.inventory().stacks.iter().all(super::super::StackRecord::is_deleted));
}

#[test]
fn each_nested_stack_has_a_change_set_of_its_own_and_only_the_roots_is_executed() {
    let rig = rig();
    let id = rig.deployed("root", ROOT);
    let (root, state) = rig.resized(&id, "large");
    assert_eq!(state.status, ChangeSetStatus::Available);
    let data = state.changes.iter().find(|change| change.resource == "Data").unwrap();
    assert_eq!((data.action, data.replacement), (ChangeAction::Modify, Replacement::Never));
    let nested = data.nested.clone().expect("no change set of the nested stack");
    let (inner, _) = rig.run(rig.stacks.nested_change_set(&nested, None)).unwrap().unwrap();
    assert_eq!((inner.parent.as_ref(), &inner.status), (Some(&root), &ChangeSetStatus::Available));
    let table = inner.changes.iter().find(|change| change.resource == "Table").unwrap();
    assert_eq!(table.replacement, Replacement::Always);
    let refused = rig.run(rig.stacks.execute_change_set(FENCE, &nested, "x")).unwrap_err();
    assert_eq!(refused.class, Class::Invalid, "{refused}");
    let refused = rig.run(rig.stacks.delete_change_set(FENCE, &inner.stack, &inner.name)).unwrap_err();
    assert_eq!(refused.class, Class::Invalid, "{refused}");
    rig.run(rig.stacks.execute_change_set(FENCE, &root, "x")).unwrap();
    assert_eq!(rig.status_after("root", 10), StackStatus::UpdateComplete, "{:?}", rig.events(&id));
    assert_eq!(rig.nested_in(&id).status, StackStatus::UpdateComplete);
    assert_eq!(rig.table(), "users-large");
    assert_eq!(rig.state("root").outputs["Table"].value, "users-large");
    assert!(rig.cloud.inventory().leftovers().is_empty(), "{:?}", rig.cloud.inventory().leftovers());
}

#[test]
fn what_is_the_same_is_empty_and_without_nested_stacks_it_never_is() {
    let rig = rig();
    let id = rig.deployed("root", ROOT);
    let (_, same) = rig.change_set(change(&id, "same", ROOT));
    assert_eq!(same.status, ChangeSetStatus::Empty);
    let (_, blind) = rig.change_set(CreateChangeSet { nested: false, ..change(&id, "blind", ROOT) });
    assert_eq!(blind.status, ChangeSetStatus::Available, "a nested stack's template may have changed");
    assert!(blind.changes.iter().all(|change| change.kind == NESTED_STACK && change.nested.is_none()));
    // A template that changes under the same URL is found by looking inside.
    rig.console.put_object("templates", "child.yaml", &CHILD.replace("users-", "people-"));
    let (_, seen) = rig.change_set(change(&id, "seen", ROOT));
    assert!(seen.changes.iter().any(|change| change.resource == "Data" && change.nested.is_some()), "{seen:?}");
    let both = CreateChangeSet { mode: DeploymentMode::RevertDrift, ..change(&id, "both", ROOT) };
    assert_eq!(rig.run(rig.stacks.create_change_set(FENCE, both)).unwrap_err().class, Class::Invalid);
}

#[test]
fn nothing_is_removed_before_the_whole_hierarchy_is_updated() {
    let rig = rig();
    let id = rig.deployed("root", ROOT);
    let before = rig.table();
    let (root, _) = rig.resized(&id, "large");
    rig.fail("After", ResourceOperation::Update, 1);
    rig.run(rig.stacks.execute_change_set(FENCE, &root, "x")).unwrap();
    assert_eq!(rig.status_after("root", 10), StackStatus::UpdateRollbackComplete, "{:?}", rig.events(&id));
    let child = rig.nested_in(&id);
    assert_eq!(child.status, StackStatus::UpdateRollbackComplete, "{:?}", rig.events(&child.id));
    assert_eq!(rig.table(), before, "the table that was there is still there");
    let truth = rig.cloud.inventory();
    let counts = truth.stack(child.name.as_str()).unwrap().counts["Table"];
    assert_eq!((counts.creates, counts.deletes), (2, 1), "only the new one went");
}

#[test]
fn what_fails_within_fails_the_root_and_can_be_left_out_by_its_path() {
    let rig = rig();
    let id = rig.deployed("root", ROOT);
    let (root, _) = rig.resized(&id, "large");
    rig.fail("Queue", ResourceOperation::Update, 2);
    rig.run(rig.stacks.execute_change_set(FENCE, &root, "x")).unwrap();
    rig.pass(std::time::Duration::from_mins(10));
    let told = rig.events(&id).into_iter().filter_map(|event| event.reason);
    let told: Vec<String> = told.filter(|reason| reason.starts_with("Embedded stack")).collect();
    assert!(!told.is_empty(), "{:?}", rig.events(&id));
    let child = rig.nested_in(&id);
    if rig.state("root").status == StackStatus::UpdateRollbackFailed {
        let own = rig.run(rig.stacks.continue_rollback(FENCE, &child.id, &[].into(), "y"));
        assert!(own.is_err(), "only from the root");
        let skip = [format!("{}.Queue", child.name)].into();
        rig.run(rig.stacks.continue_rollback(FENCE, &id, &skip, "y")).unwrap();
        rig.pass(std::time::Duration::from_mins(10));
    }
    assert_eq!(rig.state("root").status, StackStatus::UpdateRollbackComplete, "{:?}", rig.events(&id));
}

#[test]
fn a_nested_stack_that_is_not_there_yet_is_previewed_in_a_shell_which_goes_with_its_change_set() {
    let rig = rig();
    let plain = "Resources: { After: { Type: AWS::SQS::Queue } }";
    let id = rig.deployed("root", plain);
    let added = ROOT.replace("Note: !GetAtt Data.Outputs.Table", "Note: x");
    let preview = change(&id, "add", &added);
    let name = preview.name.clone();
    let (_, state) = rig.change_set(preview);
    let data = state.changes.iter().find(|change| change.resource == "Data").unwrap();
    assert_eq!(data.action, ChangeAction::Add);
    assert_eq!(rig.nested_in(&id).status, StackStatus::ReviewInProgress);
    rig.run(rig.stacks.delete_change_set(FENCE, &id, &name)).unwrap();
    rig.pass(std::time::Duration::from_mins(1));
    assert!(rig.cloud.inventory().leftovers().is_empty(), "{:?}", rig.cloud.inventory().leftovers());
    rig.update(&id, "again", &added);
    assert_eq!(rig.status_after("root", 10), StackStatus::UpdateComplete, "{:?}", rig.events(&id));
    assert_eq!(rig.nested_in(&id).status, StackStatus::CreateComplete);
    // And goes when its resource does.
    rig.update(&id, "back", plain);
    assert_eq!(rig.status_after("root", 10), StackStatus::UpdateComplete, "{:?}", rig.events(&id));
    assert_eq!(rig.run(rig.stacks.list(None)).unwrap().items.len(), 1);
}

#[test]
fn capabilities_are_given_to_the_root_for_all_and_templates_come_from_s3() {
    let rig = rig();
    rig.console.put_object("templates", "child.yaml", "Resources: { Role: { Type: AWS::IAM::Role } }");
    let plain = ROOT.replace("Note: !GetAtt Data.Outputs.Table", "Note: x");
    let plain = plain.split("Outputs:").next().unwrap().replace("      Parameters: { Size: !Ref Size }\n", "");
    rig.create(request("one", &plain)).unwrap();
    assert_eq!(rig.status_after("one", 10), StackStatus::RollbackComplete, "the capability is missing");
    let mut wanted = request("two", &plain);
    wanted.options.capabilities = ["CAPABILITY_IAM".to_owned()].into();
    rig.create(wanted).unwrap();
    assert_eq!(rig.status_after("two", 10), StackStatus::CreateComplete);
    let local = plain.replace("https://templates.s3.us-east-1.amazonaws.com/child.yaml", "./child.yaml");
    let id = rig.create(request("three", &local)).unwrap();
    assert_eq!(rig.status_after("three", 10), StackStatus::RollbackComplete);
    let told = rig.events(&id);
    let told = told.iter().any(|event| event.reason.as_ref().is_some_and(|why| why.contains("supported URL")));
    assert!(told, "{:?}", rig.events(&id));
}
