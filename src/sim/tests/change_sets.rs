//! Change sets (AWS: *Update CloudFormation stacks using change sets*).

use std::time::Duration;

use super::{FENCE, Rig, TWO, change, map, parameters, request, stack_name};
use crate::model::{
    ChangeAction, ChangeSetStatus, Redacted, Replacement, ResourceChange, StackStatus, Value, ValueChange,
};
use crate::ports::Class;
use crate::sim::SimConfig;

fn of<'a>(changes: &'a [ResourceChange], resource: &str) -> &'a ResourceChange {
    changes.iter().find(|change| change.resource == resource).unwrap_or_else(|| panic!("{resource} in {changes:?}"))
}

#[test]
fn a_change_set_is_computed_after_a_while_and_says_what_is_added_changed_and_removed() {
    let rig = Rig::new();
    let id = rig.deployed("one", TWO);
    let template = TWO
        .replace("Outputs:", "  More: { Type: AWS::SQS::Queue }\nOutputs:")
        .replace("  Data: { Type: AWS::S3::Bucket, Properties: { Note: !Ref Size } }\n", "")
        .replace("Bucket: !Ref Data", "Bucket: x")
        .replace("Value: !Ref Data", "Value: x");
    let wanted = change(&id, "c1", &template);
    rig.run(rig.stacks.create_change_set(FENCE, wanted.clone())).unwrap();
    let (early, _) = rig.run(rig.stacks.describe_change_set(&id, &wanted.name, None)).unwrap().unwrap();
    assert_eq!(early.status, ChangeSetStatus::Creating);
    rig.pass(Duration::from_secs(2));
    let (state, _) = rig.run(rig.stacks.describe_change_set(&id, &wanted.name, None)).unwrap().unwrap();
    assert_eq!(state.status, ChangeSetStatus::Available);
    assert_eq!(of(&state.changes, "More").action, ChangeAction::Add);
    assert_eq!(of(&state.changes, "Data").action, ChangeAction::Remove);
    let table = of(&state.changes, "Table");
    assert_eq!((table.action, table.replacement), (ChangeAction::Modify, Replacement::Never));
    assert_eq!(table.properties.iter().collect::<Vec<_>>(), ["Bucket"]);
}

#[test]
fn names_are_unique_on_a_stack() {
    let rig = Rig::new();
    let id = rig.deployed("one", TWO);
    rig.change_set(change(&id, "c1", TWO));
    let again = rig.run(rig.stacks.create_change_set(FENCE, change(&id, "c1", TWO))).unwrap_err();
    assert_eq!((again.class, again.code.as_deref()), (Class::Conflict, Some("AlreadyExistsException")));
}

#[test]
fn comments_and_form_are_no_change_and_an_empty_change_set_cannot_be_executed() {
    let rig = Rig::new();
    let id = rig.deployed("one", TWO);
    let (change_set, state) = rig.change_set(change(&id, "c1", &format!("# the same\nDescription: new words\n{TWO}")));
    assert_eq!((state.status, state.changes.len()), (ChangeSetStatus::Empty, 0));
    assert_eq!(rig.run(rig.stacks.execute_change_set(FENCE, &change_set, "t")).unwrap_err().class, Class::Conflict);
    assert_eq!(rig.run(rig.stacks.change_sets(&id, None)).unwrap().items.len(), 1, "it stays until it is deleted");
    rig.run(rig.stacks.delete_change_set(FENCE, &id, &state.name)).unwrap();
    rig.run(rig.stacks.delete_change_set(FENCE, &id, &state.name)).unwrap();
    assert!(rig.run(rig.stacks.change_sets(&id, None)).unwrap().items.is_empty());
}

#[test]
fn executing_a_change_set_deletes_the_others_and_spends_it() {
    let rig = Rig::new();
    let id = rig.deployed("one", TWO);
    let (first, _) = rig.change_set(change(&id, "c1", &TWO.replace("PAY_PER_REQUEST", "A")));
    let (second, _) = rig.change_set(change(&id, "c2", &TWO.replace("PAY_PER_REQUEST", "B")));
    rig.run(rig.stacks.execute_change_set(FENCE, &first, "t")).unwrap();
    rig.run(rig.stacks.execute_change_set(FENCE, &first, "t")).expect("the same request again, its answer being lost");
    assert_eq!(rig.run(rig.stacks.execute_change_set(FENCE, &first, "other")).unwrap_err().class, Class::Conflict);
    let listed = rig.run(rig.stacks.change_sets(&id, None)).unwrap().items;
    assert_eq!(
        listed.iter().map(|set| (&set.id, &set.status)).collect::<Vec<_>>(),
        [(&first, &ChangeSetStatus::Spent)]
    );
    assert_eq!(rig.run(rig.stacks.execute_change_set(FENCE, &second, "t2")).unwrap_err().class, Class::NotFound);
    assert_eq!(rig.status_after("one", 5), StackStatus::UpdateComplete);
    assert_eq!(rig.state("one").change_set, Some(first));
}

#[test]
fn an_update_by_somebody_else_makes_a_change_set_obsolete() {
    let rig = Rig::new();
    let id = rig.deployed("one", TWO);
    let (change_set, state) = rig.change_set(change(&id, "c1", &TWO.replace("PAY_PER_REQUEST", "A")));
    rig.console.set_tag(&stack_name("one"), "a", "b").unwrap();
    let (seen, _) = rig.run(rig.stacks.describe_change_set(&id, &state.name, None)).unwrap().unwrap();
    assert_eq!(seen.status, ChangeSetStatus::Spent);
    assert_eq!(rig.run(rig.stacks.execute_change_set(FENCE, &change_set, "t")).unwrap_err().class, Class::Conflict);
}

#[test]
fn a_stack_that_is_busy_takes_no_change_set() {
    let rig = Rig::new();
    let id = rig.create(request("one", TWO)).unwrap();
    let busy = rig.run(rig.stacks.create_change_set(FENCE, change(&id, "c1", TWO))).unwrap_err();
    assert_eq!(busy.class, Class::Conflict);
    assert!(busy.message.contains("CREATE_IN_PROGRESS state and can not be updated"), "{}", busy.message);
}

#[test]
fn what_depends_on_a_replaced_resource_may_be_replaced_too() {
    let rig = Rig::new();
    let net = "
Resources:
  Vpc: { Type: AWS::EC2::VPC, Properties: { CidrBlock: 10.0.0.0/16 } }
  Subnet: { Type: AWS::EC2::Subnet, Properties: { VpcId: !Ref Vpc, CidrBlock: 10.0.1.0/24 } }
";
    let id = rig.deployed("net", net);
    let (_, state) = rig.change_set(change(&id, "c1", &net.replace("10.0.0.0/16", "10.0.0.0/8")));
    assert_eq!(of(&state.changes, "Vpc").replacement, Replacement::Always);
    assert_eq!(of(&state.changes, "Subnet").replacement, Replacement::Conditional);
    let (_, state) = rig.change_set(change(
        &id,
        "c2",
        &net.replace("Resources", "Description: x\nResources")
            .replace("{ CidrBlock: 10.0.0", "{ EnableDnsSupport: true, CidrBlock: 10.0.0"),
    ));
    assert_eq!(state.changes.len(), 1, "a reference to what is only changed stays the same: {:?}", state.changes);
}

#[test]
fn an_attribute_of_a_changed_resource_is_dynamic() {
    let rig = Rig::new();
    let template = "
Resources:
  Role: { Type: AWS::SQS::Queue, Properties: { DelaySeconds: 1 } }
  Task: { Type: AWS::ECS::TaskDefinition, Properties: { TaskRoleArn: !GetAtt Role.Arn } }
";
    let id = rig.deployed("one", template);
    let (change_set, state) =
        rig.change_set(change(&id, "c1", &template.replace("DelaySeconds: 1", "DelaySeconds: 2")));
    assert_eq!(of(&state.changes, "Task").replacement, Replacement::Conditional);
    rig.run(rig.stacks.execute_change_set(FENCE, &change_set, "t")).unwrap();
    assert_eq!(rig.status_after("one", 5), StackStatus::UpdateComplete);
    let counts = rig.cloud.inventory().stack("one").unwrap().counts.clone();
    assert_eq!((counts["Task"].creates, counts["Task"].updates), (1, 0), "in the end nothing was to be done");
}

#[test]
fn stack_tags_reach_the_resources_that_take_tags() {
    let rig = Rig::new();
    let id = rig.deployed("one", "Resources: { T: { Type: AWS::DynamoDB::Table }, A: { Type: AWS::KMS::Alias } }");
    let mut wanted =
        change(&id, "c1", "Resources: { T: { Type: AWS::DynamoDB::Table }, A: { Type: AWS::KMS::Alias } }");
    wanted.options.tags = map(&[("owner", "landfast")]).into();
    let (_, state) = rig.change_set(wanted);
    assert_eq!(state.changes.len(), 1);
    assert_eq!(of(&state.changes, "T").properties.iter().collect::<Vec<_>>(), ["Tags"]);
}

#[test]
fn secret_parameters_are_compared_for_real_and_shown_as_stars() {
    let rig = Rig::new();
    let template = "
Parameters: { Password: { Type: String, NoEcho: true } }
Resources: { Db: { Type: AWS::RDS::DBInstance, Properties: { MasterUserPassword: !Ref Password } } }
";
    let secret = |text: &str| [("Password".to_owned(), Value::NoEcho(Redacted::new(text.to_owned())))].into();
    let mut wanted = request("one", template);
    wanted.options.parameters = secret("canary");
    let id = rig.create(wanted).unwrap();
    assert_eq!(rig.status_after("one", 20), StackStatus::CreateComplete);
    assert_eq!(rig.state("one").parameters["Password"], "****");
    let mut same = change(&id, "c1", template);
    same.options.parameters = secret("canary");
    assert_eq!(rig.change_set(same).1.status, ChangeSetStatus::Empty);
    let mut other = change(&id, "c2", template);
    other.options.parameters = secret("sesame");
    let (_, state) = rig.change_set(other);
    assert_eq!(state.status, ChangeSetStatus::Available);
    let stars = Some("****".to_owned());
    let value = ValueChange { path: "/Properties/MasterUserPassword".to_owned(), before: stars.clone(), after: stars };
    assert_eq!(state.changes[0].values, [value]);
    let said = format!("{state:?}");
    assert!(said.contains("MasterUserPassword") && !said.contains("canary") && !said.contains("sesame"), "{said}");
}

#[test]
fn changes_come_in_pages() {
    let rig = Rig::with(SimConfig { change_page_size: 2, ..SimConfig::default() });
    let id = rig.deployed("one", TWO);
    let many = (0..5).fold(TWO.replace("Outputs:", ""), |text, n| {
        text.replace("  Bucket: { Value: !Ref Data }\n", "") + &format!("  Q{n}: {{ Type: AWS::SQS::Queue }}\n")
    });
    let (_, state) = rig.change_set(change(&id, "c1", &many));
    assert_eq!(state.changes.len(), 2);
    let mut all = Vec::new();
    let mut page = None;
    loop {
        let (state, next) =
            rig.run(rig.stacks.describe_change_set(&id, &"c1".parse().unwrap(), page)).unwrap().unwrap();
        all.extend(state.changes);
        page = next;
        if page.is_none() {
            break;
        }
    }
    assert_eq!(all.len(), 5);
}

#[test]
fn an_output_alone_is_a_change() {
    let rig = Rig::new();
    let id = rig.deployed("one", TWO);
    let (change_set, state) = rig.change_set(change(&id, "c1", &format!("{TWO}  More: {{ Value: text }}\n")));
    assert_eq!((state.status, state.changes.len()), (ChangeSetStatus::Available, 0));
    rig.run(rig.stacks.execute_change_set(FENCE, &change_set, "t")).unwrap();
    assert_eq!(rig.status_after("one", 1), StackStatus::UpdateComplete);
    assert_eq!(rig.state("one").outputs["More"].value, "text");
}

#[test]
fn an_unused_parameter_is_no_change() {
    let rig = Rig::new();
    let template = "
Parameters: { Unused: { Type: String, Default: a } }
Resources: { Q: { Type: AWS::SQS::Queue } }
";
    let id = rig.deployed("one", template);
    let mut wanted = change(&id, "c1", template);
    wanted.options.parameters = parameters(&[("Unused", "b")]);
    assert_eq!(rig.change_set(wanted).1.status, ChangeSetStatus::Empty);
}

#[test]
fn a_change_set_on_a_stack_that_was_deleted_is_gone() {
    let rig = Rig::new();
    let id = rig.deployed("one", TWO);
    let (change_set, state) = rig.change_set(change(&id, "c1", &TWO.replace("PAY_PER_REQUEST", "A")));
    rig.console.delete_stack(&stack_name("one")).unwrap();
    rig.pass(Duration::from_mins(2));
    assert!(rig.run(rig.stacks.describe_change_set(&id, &state.name, None)).unwrap().is_none());
    assert_eq!(rig.run(rig.stacks.execute_change_set(FENCE, &change_set, "t")).unwrap_err().class, Class::NotFound);
}
