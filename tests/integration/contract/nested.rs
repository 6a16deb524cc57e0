//! Stacks within stacks, and what macros make of templates.

use landfast::model::{ChangeSetStatus, NESTED_STACK, StackId, StackOptions, StackState, StackStatus};
use landfast::ports::{Class, CreateStack, TemplateSource};

use super::{Backend, FENCE, all, change, create, options};

const CHILD: &str = r#"AWSTemplateFormatVersion: "2010-09-09"
Parameters:
  Name: { Type: String }
Resources:
  Queue:
    Type: AWS::SQS::Queue
    Properties: { QueueName: !Ref Name }
Outputs:
  Arn: { Value: !GetAtt Queue.Arn }
"#;

fn root(url: &str) -> String {
    format!(
        "AWSTemplateFormatVersion: \"2010-09-09\"\nParameters:\n  Name: {{ Type: String }}\nResources:\n  Data:\n    \
         Type: {NESTED_STACK}\n    Properties:\n      TemplateURL: {url}\n      Parameters: {{ Name: !Ref Name }}\n\
         Outputs:\n  Arn: {{ Value: !GetAtt Data.Outputs.Arn }}\n"
    )
}

/// A root with a nested stack, its template, and the id of the nested one.
async fn made(backend: &Backend, name: &str) -> (StackState, String, StackId) {
    let stacks = backend.stacks();
    let url = stacks.upload_template(FENCE, &backend.bucket, "nested/child.yaml", CHILD).await.unwrap();
    let body = root(&url.url);
    let request = CreateStack {
        template: TemplateSource::Body(body.as_str().into()),
        options: options(&[("Name", name)]),
        ..create(name)
    };
    let state = backend.created(&*stacks, request).await;
    let drift = backend.cloud.drift(&backend.scope(), None);
    let listed = all(|page| drift.resources(&state.id, page)).await;
    let [data] = listed.as_slice() else { panic!("{listed:?}") };
    assert_eq!((data.resource.as_str(), data.kind.as_str()), ("Data", NESTED_STACK));
    let child = data.physical_id.as_ref().unwrap().parse().unwrap();
    (state, body, child)
}

pub async fn a_nested_stack_has_resources_of_its_own_and_goes_with_its_root(backend: &Backend) {
    let stacks = backend.stacks();
    let (state, _, child) = made(backend, "nest").await;
    assert!(state.outputs["Arn"].value.ends_with(":nest"), "{:?}", state.outputs);
    let drift = backend.cloud.drift(&backend.scope(), None);
    let within = all(|page| drift.resources(&child, page)).await;
    let [queue] = within.as_slice() else { panic!("{within:?}") };
    assert_eq!((queue.resource.as_str(), queue.kind.as_str()), ("Queue", "AWS::SQS::Queue"));
    assert_eq!(stacks.processed_template(&child).await.unwrap(), CHILD, "without macros both are the same");
    let listed = all(|page| stacks.list(page)).await;
    let nested = listed.iter().find(|stack| stack.id == child).expect("it is listed like any other");
    // *Stack*, `ParentId`: the emulator says of none that it is nested.
    if !backend.is_emulator {
        assert_eq!(nested.parent.as_ref(), Some(&state.id));
    }
    stacks.delete(FENCE, &state.id, &[].into(), "delete").await.unwrap();
    assert_eq!(backend.settled(&*stacks, "nest").await, None);
    let left = all(|page| stacks.list(page)).await;
    assert!(left.iter().all(|stack| stack.id != child || stack.status == StackStatus::DeleteComplete), "{left:?}");
}

/// *Change sets for nested stacks*: each stack of the hierarchy has its own, and the root's is executed for all. The emulator
/// does not know `IncludeNestedStacks`: a change of a nested stack has no change set there, which guards take for the worst.
pub async fn a_change_set_reaches_into_nested_stacks(backend: &Backend) {
    let stacks = backend.stacks();
    let (state, body, child) = made(backend, "reach").await;
    let mut request = change(&state, "rename", &[("Name", "reached")]);
    request.template = TemplateSource::Body(body.as_str().into());
    let id = stacks.create_change_set(FENCE, request).await.unwrap();
    let set = backend.computed(&*stacks, &state.id, "rename").await.unwrap();
    let data = set.changes.iter().find(|change| change.resource == "Data").unwrap();
    if backend.is_emulator {
        assert_eq!(data.nested, None);
        return;
    }
    let nested = data.nested.as_ref().expect("no change set of the nested stack");
    let (inner, _) = stacks.nested_change_set(nested, None).await.unwrap().unwrap();
    assert_eq!((inner.parent.as_ref(), &inner.stack, &inner.status), (Some(&id), &child, &ChangeSetStatus::Available));
    assert_eq!(inner.changes.len(), 1, "{:?}", inner.changes);
    let alone = stacks.execute_change_set(FENCE, nested, "alone").await.unwrap_err();
    assert_eq!(alone.class, Class::Invalid, "{alone}");
    stacks.execute_change_set(FENCE, &id, "all").await.unwrap();
    let after = backend.settled(&*stacks, "reach").await.unwrap();
    assert_eq!(after.status, StackStatus::UpdateComplete);
    assert!(after.outputs["Arn"].value.ends_with(":reached"), "{:?}", after.outputs);
    assert_eq!(stacks.nested_change_set(nested, None).await.unwrap(), None);
}

/// *`GetTemplate`*, `TemplateStage`; *`Fn::ForEach`*.
pub async fn both_the_template_and_what_macros_made_of_it_can_be_read(backend: &Backend) {
    const LOOP: &str = r#"AWSTemplateFormatVersion: "2010-09-09"
Transform: AWS::LanguageExtensions
Resources:
  Fn::ForEach::Queues:
    - Name
    - [One, Two]
    - "Queue${Name}": { Type: AWS::SQS::Queue, DeletionPolicy: Retain }
"#;
    let stacks = backend.stacks();
    let options =
        StackOptions { capabilities: ["CAPABILITY_AUTO_EXPAND".to_owned()].into(), ..StackOptions::default() };
    let request = CreateStack { template: TemplateSource::Body(LOOP.into()), options, ..create("loop") };
    let state = backend.created(&*stacks, request).await;
    assert_eq!(stacks.template(&state.id).await.unwrap(), LOOP);
    let processed = stacks.processed_template(&state.id).await.unwrap();
    let processed = landfast::template::parse(&processed).unwrap();
    assert_eq!(processed.resources.keys().collect::<Vec<_>>(), ["QueueOne", "QueueTwo"]);
    assert_eq!(processed.facts.retained.len(), 2);
    let drift = backend.cloud.drift(&backend.scope(), None);
    assert_eq!(all(|page| drift.resources(&state.id, page)).await.len(), 2);
}
