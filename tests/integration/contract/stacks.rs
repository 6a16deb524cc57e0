//! Creating, reading and deleting stacks.

use std::collections::BTreeMap;

use landfast::model::{SmallMap, StackStatus};
use landfast::ports::{Class, TemplateSource};

use super::{Backend, FENCE, TEMPLATE, all, change, create, events, parameters, tags};

pub async fn a_created_stack_says_what_it_was_created_with(backend: &Backend) {
    let stacks = backend.stacks();
    let mut request = create("full");
    request.options.parameters =
        parameters(&[("QueueName", "full"), ("Password", "hunter2-canary"), ("Export", "full-queue")]);
    request.options.tags = tags(&[("landfast:owner", "test"), ("Team", "people")]).into();
    request.termination_protection = true;
    request.options.notifications.insert(format!("arn:aws:sns:us-east-1:{}:events", backend.account));
    request.options.rollback_alarms.insert(format!("arn:aws:cloudwatch:us-east-1:{}:alarm:high", backend.account));
    request.options.monitoring_minutes = Some(3);
    let wanted = request.clone();
    let state = backend.created(&*stacks, request).await;
    assert_eq!(state.name.as_str(), "full");
    assert_eq!(state.tags, wanted.options.tags);
    assert_eq!(state.parameters["QueueName"], "full");
    assert_eq!(state.parameters["Delay"], "0", "defaults are shown");
    assert_eq!(state.parameters["Password"], "****");
    assert_eq!(state.outputs["QueueName"].value, "full");
    assert_eq!(state.outputs["QueueName"].export.as_deref(), Some("full-queue"));
    assert!(state.outputs["QueueArn"].value.ends_with(":full"));
    assert!(state.termination_protection);
    assert_eq!(state.notifications, wanted.options.notifications);
    assert_eq!(state.rollback_alarms, wanted.options.rollback_alarms);
    assert_eq!(state.monitoring_minutes, wanted.options.monitoring_minutes);
    assert_eq!((state.updated, state.change_set, state.parent), (None, None, None));
    assert_eq!(stacks.caller().await.unwrap(), backend.account);
}

pub async fn the_template_comes_back_byte_for_byte(backend: &Backend) {
    let stacks = backend.stacks();
    let state = backend.created(&*stacks, create("text")).await;
    assert_eq!(stacks.template(&state.id).await.unwrap(), TEMPLATE);
}

pub async fn a_second_stack_of_the_same_name_is_a_conflict(backend: &Backend) {
    let stacks = backend.stacks();
    let first = backend.created(&*stacks, create("twice")).await;
    let mut second = create("twice");
    second.token = "another".into();
    assert_eq!(stacks.create(FENCE, second).await.unwrap_err().class, Class::Conflict);
    // The same request again is recognised by its token.
    assert_eq!(stacks.create(FENCE, create("twice")).await.unwrap(), first.id);
}

pub async fn a_stack_that_is_missing_is_none_and_not_an_error(backend: &Backend) {
    let stacks = backend.stacks();
    assert_eq!(stacks.describe(&"missing".parse().unwrap()).await.unwrap(), None);
    let id = format!("arn:aws:cloudformation:us-east-1:{}:stack/missing/1", backend.account).parse().unwrap();
    assert_eq!(stacks.template(&id).await.unwrap_err().class, Class::NotFound);
    assert_eq!(stacks.events(&id, None).await.unwrap_err().class, Class::NotFound);
    assert_eq!(stacks.describe_change_set(&id, &"missing".parse().unwrap(), None).await.unwrap(), None);
    stacks.delete(FENCE, &id, &std::collections::BTreeSet::new(), "token").await.unwrap();
    stacks.delete_change_set(FENCE, &id, &"missing".parse().unwrap()).await.unwrap();
}

/// The name of the queue is free; that of the table is taken by the other table.
const FAILING: &str = r"
Parameters:
  QueueName: { Type: String }
Resources:
  Queue:
    Type: AWS::SQS::Queue
    Properties: { QueueName: !Ref QueueName }
  First:
    Type: AWS::DynamoDB::Table
    DependsOn: Queue
    Properties:
      TableName: taken
      BillingMode: PAY_PER_REQUEST
      AttributeDefinitions: [{ AttributeName: id, AttributeType: S }]
      KeySchema: [{ AttributeName: id, KeyType: HASH }]
  Second:
    Type: AWS::DynamoDB::Table
    DependsOn: First
    Properties:
      TableName: taken
      BillingMode: PAY_PER_REQUEST
      AttributeDefinitions: [{ AttributeName: id, AttributeType: S }]
      KeySchema: [{ AttributeName: id, KeyType: HASH }]
";

fn failing(name: &str) -> landfast::ports::CreateStack {
    let mut request = create(name);
    request.template = TemplateSource::Body(FAILING.into());
    request
}

pub async fn a_creation_that_fails_is_rolled_back_and_says_why(backend: &Backend) {
    let stacks = backend.stacks();
    let id = stacks.create(FENCE, failing("fails")).await.unwrap();
    let state = backend.settled(&*stacks, "fails").await.unwrap();
    assert_eq!(state.status, StackStatus::RollbackComplete);
    let events = events(&*stacks, &id).await;
    // Newest first: the root cause is the oldest failure.
    let cause = events.iter().rev().find(|event| event.status.ends_with("_FAILED")).unwrap();
    assert_eq!((cause.resource.as_str(), cause.status.as_str()), ("Second", "CREATE_FAILED"));
    assert!(cause.reason.as_deref().unwrap_or_default().contains("already exists"), "{cause:?}");
    assert!(events.first().unwrap().at >= events.last().unwrap().at);
}

pub async fn a_stack_that_was_rolled_back_keeps_its_name_until_it_is_deleted(backend: &Backend) {
    let stacks = backend.stacks();
    let id = stacks.create(FENCE, failing("again")).await.unwrap();
    backend.settled(&*stacks, "again").await;
    let mut second = create("again");
    second.token = "second".into();
    assert_eq!(stacks.create(FENCE, second.clone()).await.unwrap_err().class, Class::Conflict);
    stacks.delete(FENCE, &id, &std::collections::BTreeSet::new(), "delete").await.unwrap();
    assert_eq!(backend.settled(&*stacks, "again").await, None);
    backend.created(&*stacks, second).await;
}

pub async fn a_deleted_stack_is_gone_and_its_events_are_not(backend: &Backend) {
    let stacks = backend.stacks();
    let state = backend.created(&*stacks, create("short")).await;
    stacks.delete(FENCE, &state.id, &std::collections::BTreeSet::new(), "delete").await.unwrap();
    assert_eq!(backend.settled(&*stacks, "short").await, None);
    stacks.delete(FENCE, &state.id, &std::collections::BTreeSet::new(), "delete").await.unwrap();
    assert!(all(|page| stacks.list(page)).await.iter().all(|stack| stack.id != state.id));
    let events = events(&*stacks, &state.id).await;
    let last = &events[0];
    assert_eq!((last.resource.as_str(), last.status.as_str()), ("short", "DELETE_COMPLETE"));
    assert_eq!(last.physical_id.as_deref(), Some(state.id.as_str()));
}

pub async fn a_name_used_again_is_another_stack(backend: &Backend) {
    let stacks = backend.stacks();
    let first = backend.created(&*stacks, create("phoenix")).await;
    stacks.delete(FENCE, &first.id, &std::collections::BTreeSet::new(), "delete").await.unwrap();
    backend.settled(&*stacks, "phoenix").await;
    let mut request = create("phoenix");
    request.token = "second".into();
    let second = backend.created(&*stacks, request).await;
    assert_ne!(first.id, second.id);
    let old = events(&*stacks, &first.id).await;
    assert_eq!(old[0].status, "DELETE_COMPLETE");
    // Deleting the old one does nothing to the new one.
    stacks.delete(FENCE, &first.id, &std::collections::BTreeSet::new(), "delete-again").await.unwrap();
    let state = backend.settled(&*stacks, "phoenix").await.unwrap();
    assert_eq!((state.id, state.status), (second.id, StackStatus::CreateComplete));
}

pub async fn termination_protection_refuses_to_delete(backend: &Backend) {
    let stacks = backend.stacks();
    let mut request = create("protected");
    request.termination_protection = true;
    let state = backend.created(&*stacks, request).await;
    let error = stacks.delete(FENCE, &state.id, &std::collections::BTreeSet::new(), "delete").await.unwrap_err();
    // It says something of the stack's state, which anybody may change: look again.
    assert_eq!(error.class, Class::Conflict, "{error}");
    assert_eq!(backend.settled(&*stacks, "protected").await.unwrap().status, StackStatus::CreateComplete);
    stacks.set_termination_protection(FENCE, &state.id, false).await.unwrap();
    stacks.delete(FENCE, &state.id, &std::collections::BTreeSet::new(), "delete").await.unwrap();
    assert_eq!(backend.settled(&*stacks, "protected").await, None);
}

const IMPORTER: &str = r"
Resources:
  Queue:
    Type: AWS::SQS::Queue
Outputs:
  Imported:
    Value: !ImportValue exported-queue
";

pub async fn an_export_knows_its_importers_and_cannot_be_deleted_under_them(backend: &Backend) {
    let stacks = backend.stacks();
    let mut exporter = create("exporter");
    exporter.options.parameters = parameters(&[("QueueName", "exporter"), ("Export", "exported-queue")]);
    let exporter = backend.created(&*stacks, exporter).await;
    assert!(stacks.importers("exported-queue", None).await.unwrap().items.is_empty());
    let mut importer = create("importer");
    importer.template = TemplateSource::Body(IMPORTER.into());
    importer.options.parameters.clear();
    let importer = backend.created(&*stacks, importer).await;
    assert_eq!(importer.outputs["Imported"].value, "exporter");
    let importers = all(|page| stacks.importers("exported-queue", page)).await;
    assert_eq!(importers, std::slice::from_ref(&importer.name));
    // User Guide, *Get exported outputs from a deployed CloudFormation stack*: refused while it is imported. Whether
    // the call or the operation fails is not documented; either way the stack stays.
    if let Err(error) = stacks.delete(FENCE, &exporter.id, &std::collections::BTreeSet::new(), "delete").await {
        assert_eq!(error.class, Class::Conflict, "{error}");
    }
    assert_eq!(backend.settled(&*stacks, "exporter").await.unwrap().id, exporter.id);
    stacks.delete(FENCE, &importer.id, &std::collections::BTreeSet::new(), "delete").await.unwrap();
    backend.settled(&*stacks, "importer").await;
    assert!(stacks.importers("exported-queue", None).await.unwrap().items.is_empty());
    stacks.delete(FENCE, &exporter.id, &std::collections::BTreeSet::new(), "delete-2").await.unwrap();
    assert_eq!(backend.settled(&*stacks, "exporter").await, None);
}

pub async fn a_template_may_be_read_from_a_bucket(backend: &Backend) {
    let stacks = backend.stacks();
    let (bucket, key) = (&backend.bucket, "dev/ab12.yaml");
    assert!(stacks.keeps_versions(bucket).await.unwrap());
    assert_eq!(stacks.newest_upload(bucket, key).await.unwrap(), None);
    let first = stacks.upload_template(FENCE, bucket, key, TEMPLATE).await.unwrap();
    let second = stacks.upload_template(FENCE, bucket, key, "Resources: {}").await.unwrap();
    assert_eq!(stacks.newest_upload(bucket, key).await.unwrap(), Some(second.clone()));
    // What was written is what is read, whatever is written after it (AWS: *Selecting a stack template*).
    let version = first.version.clone().unwrap();
    assert_ne!(Some(&version), second.version.as_ref());
    assert_eq!(stacks.uploaded_template(bucket, key, &version).await.unwrap().as_deref(), Some(TEMPLATE));
    let mut request = create("large");
    request.template = TemplateSource::Url(first.url);
    let state = backend.created(&*stacks, request).await;
    assert_eq!(stacks.template(&state.id).await.unwrap(), TEMPLATE);
    for left in [Some(version.clone()), None] {
        let newest = stacks.newest_upload(bucket, key).await.unwrap().unwrap();
        stacks.delete_upload(FENCE, bucket, key, newest.version.as_deref()).await.unwrap();
        let now = stacks.newest_upload(bucket, key).await.unwrap();
        assert_eq!(now.and_then(|now| now.version), left);
    }
    assert_eq!(stacks.uploaded_template(bucket, key, &version).await.unwrap(), None);
    let error = stacks.keeps_versions("no-such-bucket-anywhere").await.unwrap_err();
    assert_eq!(error.class, Class::NotFound);
    let error = stacks.upload_template(FENCE, "no-such-bucket-anywhere", "key", TEMPLATE).await.unwrap_err();
    assert_eq!(error.class, Class::NotFound);
}

const POLICY: &str = r#"{"Statement":[{"Effect":"Allow","Action":"Update:*","Principal":"*","Resource":"*"}]}"#;

pub async fn a_stack_policy_is_kept(backend: &Backend) {
    let stacks = backend.stacks();
    let plain = backend.created(&*stacks, create("open")).await;
    assert_eq!(stacks.stack_policy(&plain.id).await.unwrap(), None);
    stacks.set_stack_policy(FENCE, &plain.id, POLICY).await.unwrap();
    assert_eq!(stacks.stack_policy(&plain.id).await.unwrap().as_deref(), Some(POLICY));
    let mut request = create("guarded");
    request.stack_policy = Some(POLICY.into());
    let guarded = backend.created(&*stacks, request).await;
    assert_eq!(stacks.stack_policy(&guarded.id).await.unwrap().as_deref(), Some(POLICY));
}

pub async fn events_carry_the_token_of_their_request(backend: &Backend) {
    let stacks = backend.stacks();
    let state = backend.created(&*stacks, create("traced")).await;
    let state = backend.changed(&*stacks, change(&state, "traced-1", &[("QueueName", "traced"), ("Delay", "5")])).await;
    stacks.delete(FENCE, &state.id, &std::collections::BTreeSet::new(), "delete-traced").await.unwrap();
    backend.settled(&*stacks, "traced").await;
    for event in events(&*stacks, &state.id).await {
        let expected = match event.status.split('_').next() {
            Some("CREATE") => "create-traced",
            Some("UPDATE") => "execute-traced-1",
            _ => "delete-traced",
        };
        assert_eq!(event.token.as_deref(), Some(expected), "{event:?}");
    }
}

/// AWS: *`GetParameters`*; *Parameter*, `ResolvedValue`.
pub async fn a_value_in_parameter_store_is_looked_up_by_name(backend: &Backend) {
    const STORE: &str = r#"AWSTemplateFormatVersion: "2010-09-09"
Resources:
  One: { Type: AWS::SSM::Parameter, Properties: { Name: /contract/one, Type: String, Value: first } }
"#;
    const TAKES: &str = r#"AWSTemplateFormatVersion: "2010-09-09"
Parameters:
  One: { Type: "AWS::SSM::Parameter::Value<String>" }
  Plain: { Type: String, Default: /contract/one }
Resources:
  Queue: { Type: AWS::SQS::Queue, Properties: { QueueName: !Sub "takes-${One}" } }
Outputs:
  One: { Value: !Ref One }
"#;
    let stacks = backend.stacks();
    let asked = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
    assert_eq!(stacks.stored(&asked(&["/contract/one"])).await.unwrap(), BTreeMap::new());
    let mut request = create("takes");
    request.template = TemplateSource::Body(TAKES.into());
    request.options.parameters = parameters(&[("One", "/contract/one")]);
    let refused = stacks.create(FENCE, request.clone()).await.unwrap_err();
    assert_eq!(refused.class, Class::Invalid, "{refused:?}");

    let mut store = create("store");
    store.template = TemplateSource::Body(STORE.into());
    store.options.parameters.clear();
    backend.created(&*stacks, store).await;
    let found = stacks.stored(&asked(&["/contract/none", "/contract/one"])).await.unwrap();
    assert_eq!(found, BTreeMap::from([("/contract/one".to_owned(), "first".to_owned())]));
    let state = backend.created(&*stacks, request).await;
    let (name, value) = ("/contract/one".to_owned(), "first".to_owned());
    assert_eq!(state.parameters["One"], name);
    assert_eq!(state.stored, SmallMap::from([("One".to_owned(), value.clone())]));
    assert_eq!(state.outputs["One"].value, value);
}

/// AWS: *CloudFormation template Rules syntax*: "If a parameter value isn't valid, CloudFormation doesn't create or update the stack."
pub async fn a_rule_that_fails_refuses_creations_and_updates(backend: &Backend) {
    let stacks = backend.stacks();
    let rules = "Rules:
  Names:
    RuleCondition: !Not [!Equals [!Ref Export, free]]
    Assertions:
      - Assert:
          Fn::And:
            - !Not [{ Fn::Contains: [[bad, worse], !Ref QueueName] }]
            - Fn::EachMemberIn: [[!Ref Delay], ['0', '5']]
        AssertDescription: the queue has another name
Resources:
";
    let template = TEMPLATE.replace("Resources:\n", rules);
    let with = |name: &str, given: &[(&str, &str)]| {
        let mut request = create(name);
        request.template = TemplateSource::Body(template.clone().into());
        request.options.parameters = parameters(given);
        request
    };
    for given in [&[("QueueName", "bad")][..], &[("QueueName", "good"), ("Delay", "7")]] {
        let refused = stacks.create(FENCE, with("judged", given)).await.unwrap_err();
        assert_eq!(refused.class, Class::Invalid);
        assert!(refused.message.contains("the queue has another name"), "{refused}");
    }
    let state = backend.created(&*stacks, with("judged", &[("QueueName", "judged")])).await;
    let mut request = change(&state, "c1", &[("QueueName", "worse")]);
    request.template = TemplateSource::Body(template.clone().into());
    let refused = stacks.create_change_set(FENCE, request).await.unwrap_err();
    assert!(refused.message.contains("the queue has another name"), "{refused}");
    // Where the condition of the rule does not hold, nothing is asserted.
    backend.created(&*stacks, with("freely", &[("QueueName", "bad"), ("Export", "free")])).await;
    let unsupported = template.replace("{ Fn::Contains: [[bad, worse], !Ref QueueName] }", "!If [Exported, a, b]");
    let mut request = with("unsupported", &[("QueueName", "good")]);
    request.template = TemplateSource::Body(unsupported.into());
    let refused = stacks.create(FENCE, request).await.unwrap_err();
    let words = "Following functions are not supported in the Rules block of the template: [Fn::If]";
    assert!(refused.message.contains(words), "{refused}");
}

/// AWS: *CloudFormation quotas*.
pub async fn a_template_has_a_most_of_everything(backend: &Backend) {
    let stacks = backend.stacks();
    let state = backend.created(&*stacks, create("bounded")).await;
    let many =
        |count: usize, each: &str| (0..count).map(|at| format!("  N{at}: {{ {each} }}\n")).collect::<Vec<_>>().concat();
    let long = "v".repeat(4_097);
    let mapping = (0..201).map(|at| format!("k{at}: {{ a: b }}, ")).collect::<Vec<_>>().concat();
    for more in [
        format!("Resources:\n{}", many(501, "Type: AWS::SNS::Topic")),
        TEMPLATE.replace("Outputs:\n", &format!("Outputs:\n{}", many(200, "Value: x"))),
        TEMPLATE.replace("Parameters:\n", &format!("Parameters:\n{}", many(200, "Type: String, Default: a"))),
        format!("{TEMPLATE}Mappings:\n  M: {{ {mapping} }}\n"),
        format!("{TEMPLATE}Description: {}\n", "d".repeat(1_025)),
        TEMPLATE.replace("Default: none", &format!("Default: {long}")),
        format!("{TEMPLATE}# {}\n", "x".repeat(51_200)),
    ] {
        let mut request = change(&state, "c1", &[("QueueName", "bounded")]);
        request.template = TemplateSource::Body(more.clone().into());
        let start = || more.chars().take(200).collect::<String>();
        let refused = stacks.create_change_set(FENCE, request).await.err();
        assert_eq!(refused.map(|error| error.class), Some(Class::Invalid), "{}", start());
        let mut request = create("unbounded");
        request.template = TemplateSource::Body(more.clone().into());
        let refused = stacks.create(FENCE, request).await.err();
        assert_eq!(refused.map(|error| error.class), Some(Class::Invalid), "{}", start());
    }
    let refused = stacks.create_change_set(FENCE, change(&state, "c2", &[("QueueName", &long)])).await.unwrap_err();
    assert_eq!(refused.class, Class::Invalid, "{refused}");
}
