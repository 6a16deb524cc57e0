//! What AWS refuses.

use std::time::Duration;

use super::{FENCE, Rig, TWO, change, map, parameters, request, stack_name};
use crate::model::{ChangeSetStatus, StackStatus};
use crate::ports::{Class, TemplateSource};
use crate::sim::SimConfig;

#[test]
fn a_name_that_exists_is_a_conflict_unless_it_is_the_same_request_again() {
    let rig = Rig::new();
    let id = rig.create(request("one", TWO)).unwrap();
    assert_eq!(rig.create(request("one", TWO)).unwrap(), id);
    let mut other = request("one", TWO);
    other.token = "other".into();
    let refused = rig.create(other).unwrap_err();
    assert_eq!((refused.class, refused.code.as_deref()), (Class::Conflict, Some("AlreadyExistsException")));
}

#[test]
fn parameters_must_fit_the_template() {
    let rig = Rig::new();
    let template = "
Parameters: { Need: { Type: String }, Pick: { Type: String, Default: a, AllowedValues: [a, b] }, Count: { Type: Number, Default: 1, MinValue: 1 },\n  Short: { Type: String, Default: abc, MinLength: 3, AllowedPattern: '[a-z]+' }, Said: { Type: String, Default: a, MaxLength: 2, ConstraintDescription: must be short } }
Resources: { Q: { Type: AWS::SQS::Queue } }
";
    for (given, words) in [
        (parameters(&[]), "Parameters: [Need] must have values"),
        (parameters(&[("Need", "x"), ("Odd", "y")]), "Parameters: [Odd] do not exist in the template"),
        (parameters(&[("Need", "x"), ("Pick", "c")]), "AllowedValues"),
        (parameters(&[("Need", "x"), ("Count", "many")]), "must be a number"),
        (parameters(&[("Need", "x"), ("Count", "0")]), "Parameter 'Count' must be a number not less than 1"),
        (parameters(&[("Need", "x"), ("Short", "ab")]), "Parameter 'Short' must contain at least 3 characters"),
        (parameters(&[("Need", "x"), ("Short", "ABCD")]), "Parameter 'Short' must match pattern [a-z]+"),
        (parameters(&[("Need", "x"), ("Said", "longer")]), "Parameter 'Said' must be short"),
    ] {
        let mut wanted = request("one", template);
        wanted.options.parameters = given;
        let refused = rig.create(wanted).unwrap_err();
        assert_eq!(refused.class, Class::Invalid);
        assert!(refused.message.contains(words), "{}", refused.message);
    }
}

#[test]
fn a_template_has_a_most_of_everything_when_it_is_created_and_when_it_is_changed() {
    let rig = Rig::new();
    let id = rig.deployed("one", TWO);
    let many =
        |count: usize, each: &str| (0..count).map(|at| format!("N{at}: {{ {each} }}, ")).collect::<Vec<_>>().concat();
    let long = "v".repeat(4_097);
    for (more, words) in [
        (
            format!("Outputs: {{ {} }}", many(201, "Value: x")),
            "Number of outputs, 201, is greater than maximum allowed, 200",
        ),
        (format!("Parameters: {{ {} }}", many(201, "Type: String, Default: a")), "Number of parameters, 201"),
        (format!("Mappings: {{ M: {{ {} }} }}", many(201, "a: b")), "Number of mapping attributes in M, 201"),
        (format!("Description: {}", "d".repeat(1_025)), "Template description may not exceed 1024 bytes."),
        (format!("Parameters: {{ P: {{ Type: String, Default: {long} }} }}"), "length is greater than 4096."),
        (format!("Outputs: {{ {}: {{ Value: x }} }}", "N".repeat(256)), "may not exceed 255 characters."),
        (
            format!("Metadata: {{ a: '{}' }}", "{{resolve:ssm:a}}".repeat(61)),
            "Number of dynamic references, 61, is greater than maximum allowed, 60",
        ),
    ] {
        let template = format!("{more}\nResources: {{ Q: {{ Type: AWS::SQS::Queue }} }}\n");
        let created = rig.create(request("two", &template)).unwrap_err();
        let changed = rig.run(rig.stacks.create_change_set(FENCE, change(&id, "c1", &template))).unwrap_err();
        for refused in [created, changed] {
            assert_eq!(refused.code.as_deref(), Some("ValidationError"));
            assert!(refused.message.contains(words), "{refused}");
        }
    }
    let resources = format!("Resources: {{ {} }}", many(501, "Type: AWS::SQS::Queue"));
    for refused in [
        rig.create(request("two", &resources)).unwrap_err(),
        rig.run(rig.stacks.create_change_set(FENCE, change(&id, "c1", &resources))).unwrap_err(),
    ] {
        assert!(
            refused.message.contains("Number of resources, 501, is greater than maximum allowed, 500"),
            "{refused}"
        );
    }
    let large = format!("{TWO}# {}\n", "x".repeat(51_200));
    let refused = rig.run(rig.stacks.create_change_set(FENCE, change(&id, "c1", &large))).unwrap_err();
    assert!(refused.message.contains("less than or equal to 51200"), "{refused}");
    let mut value =
        change(&id, "c1", "Parameters: { P: { Type: String } }\nResources: { Q: { Type: AWS::SQS::Queue } }");
    value.options.parameters = parameters(&[("P", &long)]);
    let refused = rig.run(rig.stacks.create_change_set(FENCE, value)).unwrap_err();
    assert!(refused.message.contains("less than or equal to 4096"), "{refused}");
}

#[test]
fn capabilities_must_be_acknowledged() {
    let rig = Rig::new();
    let role = "Resources: { R: { Type: AWS::IAM::Role } }";
    let named = "Resources: { R: { Type: AWS::IAM::Role, Properties: { RoleName: boss } } }";
    let with_macro = "Transform: AWS::LanguageExtensions\nResources: { Q: { Type: AWS::SQS::Queue } }";
    for (name, template, capability, enough) in [
        ("a", role, "CAPABILITY_NAMED_IAM", true),
        ("b", role, "CAPABILITY_IAM", true),
        ("c", role, "CAPABILITY_AUTO_EXPAND", false),
        ("d", named, "CAPABILITY_IAM", false),
        ("e", named, "CAPABILITY_NAMED_IAM", true),
        ("f", with_macro, "CAPABILITY_IAM", false),
        ("g", with_macro, "CAPABILITY_AUTO_EXPAND", true),
    ] {
        let mut wanted = request(name, template);
        wanted.options.capabilities = [capability.to_owned()].into();
        match rig.create(wanted) {
            Ok(_) => assert!(enough, "{name}"),
            Err(refused) => {
                assert!(!enough, "{name}");
                assert_eq!(refused.code.as_deref(), Some("InsufficientCapabilitiesException"));
            }
        }
    }
}

#[test]
fn a_large_template_must_come_from_s3() {
    let rig = Rig::new();
    let large = format!("{TWO}# {}\n", "x".repeat(51_200));
    assert_eq!(rig.create(request("one", &large)).unwrap_err().class, Class::Invalid);
    let url = rig.run(rig.stacks.upload_template(FENCE, "templates", "one.yaml", &large)).unwrap().url;
    let mut wanted = request("one", "");
    wanted.template = TemplateSource::Url(url.clone());
    rig.create(wanted).unwrap();
    let mut missing = request("two", "");
    missing.template = TemplateSource::Url(url.replace("one.yaml", "two.yaml"));
    assert_eq!(rig.create(missing).unwrap_err().class, Class::Invalid);
    let strict = Rig::with(SimConfig { buckets: Some(std::collections::BTreeSet::new()), ..SimConfig::default() });
    let refused = strict.run(strict.stacks.upload_template(FENCE, "templates", "one.yaml", &large)).unwrap_err();
    assert_eq!(refused.class, Class::NotFound);
}

#[test]
fn the_quota_of_stacks_is_a_limit() {
    let rig = Rig::with(SimConfig { stack_quota: 1, ..SimConfig::default() });
    rig.create(request("one", TWO)).unwrap();
    assert_eq!(rig.create(request("two", TWO)).unwrap_err().class, Class::Limit);
}

#[test]
fn a_protected_stack_is_not_deleted_and_switching_protection_does_not_move_it() {
    let rig = Rig::new();
    let id = rig.deployed("one", TWO);
    let version = rig.state("one").version();
    rig.run(rig.stacks.set_termination_protection(FENCE, &id, true)).unwrap();
    rig.run(rig.stacks.set_stack_policy(FENCE, &id, r#"{"Statement":[]}"#)).unwrap();
    assert_eq!(rig.state("one").version(), version);
    let refused = rig.run(rig.stacks.delete(FENCE, &id, &std::collections::BTreeSet::new(), "d")).unwrap_err();
    assert_eq!(refused.class, Class::Conflict);
    assert!(refused.message.contains("TerminationProtection is enabled"));
}

#[test]
fn a_stack_that_is_being_updated_is_not_deleted() {
    let rig = Rig::new();
    let id = rig.deployed("one", TWO);
    rig.update(&id, "c1", &TWO.replace("PAY_PER_REQUEST", "A"));
    assert_eq!(
        rig.run(rig.stacks.delete(FENCE, &id, &std::collections::BTreeSet::new(), "d")).unwrap_err().class,
        Class::Conflict
    );
}

#[test]
fn a_stack_policy_denies_what_it_does_not_allow() {
    let rig = Rig::new();
    let id = rig.deployed("one", TWO);
    let policy = r#"{"Statement":[
        {"Effect":"Allow","Action":"Update:*","Principal":"*","Resource":"*"},
        {"Effect":"Deny","Action":["Update:Replace","Update:Delete"],"Principal":"*","Resource":"LogicalResourceId/Data"}]}"#;
    rig.run(rig.stacks.set_stack_policy(FENCE, &id, policy)).unwrap();
    assert_eq!(rig.run(rig.stacks.stack_policy(&id)).unwrap().as_deref(), Some(policy));
    rig.update(&id, "c1", &TWO.replace("Note:", "BucketName: other, Note:"));
    assert_eq!(rig.status_after("one", 5), StackStatus::UpdateRollbackComplete);
    rig.update(&id, "c2", &TWO.replace("Note:", "Remark:"));
    assert_eq!(rig.status_after("one", 5), StackStatus::UpdateComplete);
    rig.update(&id, "c3", "Resources: { Other: { Type: AWS::SQS::Queue } }");
    assert_eq!(rig.status_after("one", 5), StackStatus::UpdateRollbackComplete, "removing it is denied as well");
}

const EXPORTER: &str = "
Parameters: { Tag: { Type: String, Default: a } }
Resources: { Vpc: { Type: AWS::EC2::VPC, Properties: { CidrBlock: 10.0.0.0/16 } } }
Outputs: { Vpc: { Value: !Ref Vpc, Export: { Name: !Sub '${AWS::Region}-vpc' } }, Tag: { Value: !Ref Tag } }
";
const IMPORTER: &str = "
Resources: { G: { Type: AWS::EC2::SecurityGroup, Properties: { VpcId: !ImportValue us-east-1-vpc } } }
";

#[test]
fn an_import_of_nothing_fails_and_an_export_is_unique() {
    let rig = Rig::new();
    let id = rig.create(request("early", IMPORTER)).unwrap();
    assert_eq!(rig.status_after("early", 1), StackStatus::RollbackComplete);
    let why = rig.events(&id).into_iter().find(|event| event.status == "ROLLBACK_IN_PROGRESS").unwrap().reason.unwrap();
    assert_eq!(why, "No export named us-east-1-vpc found. Rollback requested by user.");
    rig.deployed("net", EXPORTER);
    rig.create(request("net-two", EXPORTER)).unwrap();
    assert_eq!(rig.status_after("net-two", 1), StackStatus::RollbackComplete);
    let user = rig.deployed("user", IMPORTER);
    assert_eq!(rig.run(rig.stacks.importers("us-east-1-vpc", None)).unwrap().items, [stack_name("user")]);
    let missing = rig.change_set(change(&user, "c1", &IMPORTER.replace("1-vpc", "1-nothing"))).1.status;
    assert_eq!(missing, ChangeSetStatus::Failed("No export named us-east-1-nothing found.".into()));
}

#[test]
fn an_exporter_in_use_keeps_its_status_when_it_is_to_be_deleted() {
    let rig = Rig::new();
    let net = rig.deployed("net", EXPORTER);
    let user = rig.deployed("user", IMPORTER);
    rig.run(rig.stacks.delete(FENCE, &net, &std::collections::BTreeSet::new(), "d")).unwrap();
    let state = rig.state("net");
    assert_eq!(state.status, StackStatus::CreateComplete);
    assert_eq!(
        state.status_reason.unwrap(),
        "Delete canceled. Cannot delete export us-east-1-vpc as it is in use by user."
    );
    assert_eq!(rig.events(&net)[0].token.as_deref(), Some("d"));
    rig.run(rig.stacks.delete(FENCE, &user, &std::collections::BTreeSet::new(), "d2")).unwrap();
    rig.pass(Duration::from_mins(1));
    rig.run(rig.stacks.delete(FENCE, &net, &std::collections::BTreeSet::new(), "d3")).unwrap();
    rig.pass(Duration::from_mins(1));
    assert!(rig.run(rig.stacks.describe(&stack_name("net"))).unwrap().is_none());
}

#[test]
fn an_export_in_use_is_neither_removed_nor_changed() {
    let rig = Rig::new();
    let net = rig.deployed("net", EXPORTER);
    rig.deployed("user", IMPORTER);
    for (name, template, words) in [
        (
            "c1",
            EXPORTER.replace(", Export: { Name: !Sub '${AWS::Region}-vpc' }", ""),
            "Cannot delete export us-east-1-vpc as it is in use by user",
        ),
        (
            "c2",
            EXPORTER.replace("10.0.0.0/16", "10.1.0.0/16"),
            "Cannot update export us-east-1-vpc as it is in use by user",
        ),
    ] {
        rig.update(&net, name, &template);
        assert_eq!(rig.status_after("net", 5), StackStatus::UpdateRollbackComplete);
        let events = rig.events(&net);
        let why =
            events.iter().find(|event| event.status == "UPDATE_ROLLBACK_IN_PROGRESS").unwrap().reason.clone().unwrap();
        assert!(why.contains(words), "{why}");
    }
}

#[test]
fn two_resources_cannot_have_one_name() {
    let rig = Rig::new();
    let table = "Resources: { T: { Type: AWS::DynamoDB::Table, Properties: { TableName: people, KeySchema: a } } }";
    let id = rig.deployed("one", table);
    let two = rig.create(request("two", table)).unwrap();
    assert_eq!(rig.status_after("two", 1), StackStatus::RollbackComplete);
    let events = rig.events(&two);
    let failed = events.iter().find(|event| event.status == "CREATE_FAILED").unwrap();
    assert!(failed.reason.as_ref().unwrap().contains("AlreadyExists"));
    assert!(rig.cloud.inventory().stack("one").unwrap().resources.contains_key("T"));
    rig.run(rig.stacks.delete(FENCE, &two, &std::collections::BTreeSet::new(), "d")).unwrap();
    rig.pass(Duration::from_mins(1));
    // A resource with a name of its own cannot be replaced under that name.
    rig.update(&id, "c1", &table.replace("KeySchema: a", "KeySchema: b"));
    assert_eq!(rig.status_after("one", 2), StackStatus::UpdateRollbackComplete);
    let events = rig.events(&id);
    assert!(
        events
            .iter()
            .any(|e| e.reason.as_ref().is_some_and(|why| why.contains("custom-named resource requires replacing")))
    );
}

#[test]
fn tags_of_aws_itself_are_refused() {
    let rig = Rig::new();
    let mut wanted = request("one", TWO);
    wanted.options.tags = map(&[("aws:owner", "me")]).into();
    assert_eq!(rig.create(wanted).unwrap_err().class, Class::Invalid);
}
