//! Change sets and what they do to a stack.

use landfast::model::{ChangeAction, ChangeSetStatus, Replacement, StackStatus, Value};
use landfast::ports::{Class, TemplateSource};

use super::{Backend, FENCE, TEMPLATE, all, change, create, events, tags};

pub async fn a_change_set_says_what_it_will_do_and_does_it(backend: &Backend) {
    let stacks = backend.stacks();
    let before = backend.created(&*stacks, create("queue")).await;
    let mut request = change(&before, "first", &[("QueueName", "queue"), ("Delay", "5")]);
    request.template = TemplateSource::Body(format!("{TEMPLATE}  Note: {{ Value: added }}\n").into());
    let id = stacks.create_change_set(FENCE, request).await.unwrap();
    let change_set = backend.computed(&*stacks, &before.id, "first").await.unwrap();
    // What it was made from is said by it, and its template beside it.
    let template = stacks.change_set_template(&before.id, &change_set.name).await.unwrap().unwrap();
    assert!(template.ends_with("Note: { Value: added }\n"), "{template}");
    assert_eq!(change_set.inputs.parameters["Delay"], "5");
    assert_eq!(change_set.inputs.tags, before.tags);
    assert_eq!((&change_set.id, &change_set.stack), (&id, &before.id));
    assert_eq!(change_set.status, ChangeSetStatus::Available);
    let [queue] = change_set.changes.as_slice() else { panic!("{:?}", change_set.changes) };
    assert_eq!((queue.resource.as_str(), queue.kind.as_str()), ("Queue", "AWS::SQS::Queue"));
    assert_eq!((queue.action, queue.replacement), (ChangeAction::Modify, Replacement::Never));
    assert!(queue.properties.contains("DelaySeconds") && queue.physical_id.is_some(), "{queue:?}");
    let listed = all(|page| stacks.change_sets(&before.id, page)).await;
    assert_eq!(
        listed.iter().map(|line| (&line.id, &line.status)).collect::<Vec<_>>(),
        [(&id, &ChangeSetStatus::Available)]
    );
    assert_eq!(backend.settled(&*stacks, "queue").await.unwrap(), before, "nothing changes before it is executed");
    stacks.execute_change_set(FENCE, &id, "execute").await.unwrap();
    let after = backend.settled(&*stacks, "queue").await.unwrap();
    assert_eq!(after.status, StackStatus::UpdateComplete);
    assert_eq!((after.parameters["Delay"].as_str(), after.outputs["Note"].value.as_str()), ("5", "added"));
    assert_eq!(after.change_set, Some(id.clone()));
    assert!(after.version().moved > before.version().moved);
    // Whether an executed change set can still be looked at is not documented.
    let executed = backend.computed(&*stacks, &before.id, "first").await;
    assert!(executed.is_none_or(|state| state.status == ChangeSetStatus::Spent));
    assert_eq!(stacks.execute_change_set(FENCE, &id, "another").await.unwrap_err().class, {
        let listed = all(|page| stacks.change_sets(&before.id, page)).await;
        if listed.iter().any(|line| line.id == id) { Class::Conflict } else { Class::NotFound }
    });
}

/// *Parameter*, `UsePreviousValue`: the value that the stack has, and not the template's default.
pub async fn a_parameter_can_keep_its_previous_value(backend: &Backend) {
    let stacks = backend.stacks();
    let before = backend.created(&*stacks, create("kept")).await;
    let before = backend.changed(&*stacks, change(&before, "set", &[("QueueName", "kept"), ("Delay", "7")])).await;
    let mut request = change(&before, "keep", &[("QueueName", "renamed")]);
    request.options.parameters.insert("Delay".to_owned(), Value::Previous);
    let after = backend.changed(&*stacks, request).await;
    assert_eq!(after.parameters["Delay"], "7");
    assert!(after.outputs["QueueArn"].value.ends_with(":renamed"));
}

pub async fn a_change_of_name_replaces_the_resource(backend: &Backend) {
    let stacks = backend.stacks();
    let before = backend.created(&*stacks, create("old")).await;
    stacks.create_change_set(FENCE, change(&before, "rename", &[("QueueName", "new")])).await.unwrap();
    let change_set = backend.computed(&*stacks, &before.id, "rename").await.unwrap();
    let [queue] = change_set.changes.as_slice() else { panic!("{:?}", change_set.changes) };
    assert_eq!((queue.action, queue.replacement), (ChangeAction::Modify, Replacement::Always));
    assert!(queue.is_destructive() && !queue.retained);
    stacks.execute_change_set(FENCE, &change_set.id, "execute").await.unwrap();
    let after = backend.settled(&*stacks, "old").await.unwrap();
    assert_eq!(after.status, StackStatus::UpdateComplete);
    assert!(after.outputs["QueueArn"].value.ends_with(":new"));
}

pub async fn a_second_change_set_of_the_same_name_is_a_conflict(backend: &Backend) {
    let stacks = backend.stacks();
    let state = backend.created(&*stacks, create("named")).await;
    let request = change(&state, "same", &[("QueueName", "named"), ("Delay", "5")]);
    stacks.create_change_set(FENCE, request.clone()).await.unwrap();
    assert_eq!(stacks.create_change_set(FENCE, request).await.unwrap_err().class, Class::Conflict);
}

pub async fn a_change_set_without_a_change_is_empty(backend: &Backend) {
    let stacks = backend.stacks();
    let state = backend.created(&*stacks, create("still")).await;
    stacks.create_change_set(FENCE, change(&state, "nothing", &[("QueueName", "still")])).await.unwrap();
    let change_set = backend.computed(&*stacks, &state.id, "nothing").await.unwrap();
    assert_eq!((change_set.status, change_set.changes), (ChangeSetStatus::Empty, Vec::new()));
    assert_eq!(stacks.execute_change_set(FENCE, &change_set.id, "token").await.unwrap_err().class, Class::Conflict);
}

/// aws-cdk, pull request 2029: "If only stack Outputs are changed, `CloudFormation` generates a `ChangeSet` that is executable but
/// has 0 changes".
pub async fn a_change_of_outputs_alone_is_executed_and_has_no_changes(backend: &Backend) {
    let stacks = backend.stacks();
    let before = backend.created(&*stacks, create("noted")).await;
    let with_note = |name: &str, note: &str| {
        let mut request = change(&before, name, &[("QueueName", "noted")]);
        request.template = TemplateSource::Body(format!("{TEMPLATE}  Note: {{ Value: {note} }}\n").into());
        request
    };
    for (name, note) in [("added", "one"), ("changed", "two")] {
        stacks.create_change_set(FENCE, with_note(name, note)).await.unwrap();
        let change_set = backend.computed(&*stacks, &before.id, name).await.unwrap();
        assert_eq!((change_set.status, change_set.changes), (ChangeSetStatus::Available, Vec::new()));
        stacks.execute_change_set(FENCE, &change_set.id, name).await.unwrap();
        let after = backend.settled(&*stacks, "noted").await.unwrap();
        assert_eq!((after.status, after.outputs["Note"].value.as_str()), (StackStatus::UpdateComplete, note));
    }
    stacks.create_change_set(FENCE, with_note("same", "two")).await.unwrap();
    let same = backend.computed(&*stacks, &before.id, "same").await.unwrap();
    assert_eq!(same.status, ChangeSetStatus::Empty, "the same outputs are no change");
    backend.changed(&*stacks, change(&before, "removed", &[("QueueName", "noted")])).await;
    assert!(!backend.settled(&*stacks, "noted").await.unwrap().outputs.contains_key("Note"));
}

pub async fn a_change_set_is_spent_when_another_was_executed(backend: &Backend) {
    let stacks = backend.stacks();
    let state = backend.created(&*stacks, create("raced")).await;
    let slow = change(&state, "slow", &[("QueueName", "raced"), ("Delay", "7")]);
    let slow = stacks.create_change_set(FENCE, slow).await.unwrap();
    backend.computed(&*stacks, &state.id, "slow").await.unwrap();
    backend.changed(&*stacks, change(&state, "fast", &[("QueueName", "raced"), ("Delay", "5")])).await;
    // *ExecuteChangeSet*: all other change sets of the stack are deleted.
    let left = backend.computed(&*stacks, &state.id, "slow").await;
    assert!(left.is_none_or(|left| left.status == ChangeSetStatus::Spent));
    let error = stacks.execute_change_set(FENCE, &slow, "token").await.unwrap_err();
    assert!(matches!(error.class, Class::Conflict | Class::NotFound), "{error}");
    assert_eq!(backend.settled(&*stacks, "raced").await.unwrap().parameters["Delay"], "5");
}

pub async fn a_deleted_change_set_is_gone_and_may_be_deleted_again(backend: &Backend) {
    let stacks = backend.stacks();
    let state = backend.created(&*stacks, create("tidy")).await;
    let request = change(&state, "brief", &[("QueueName", "tidy"), ("Delay", "5")]);
    stacks.create_change_set(FENCE, request).await.unwrap();
    backend.computed(&*stacks, &state.id, "brief").await.unwrap();
    for _ in 0..2 {
        stacks.delete_change_set(FENCE, &state.id, &"brief".parse().unwrap()).await.unwrap();
    }
    assert_eq!(backend.computed(&*stacks, &state.id, "brief").await, None);
    assert!(all(|page| stacks.change_sets(&state.id, page)).await.is_empty());
}

pub async fn a_stack_that_was_rolled_back_takes_no_change_set(backend: &Backend) {
    let stacks = backend.stacks();
    backend.created(&*stacks, create("first")).await;
    let mut request = create("second");
    // The queue of the first stack has that name.
    let clash = TEMPLATE.replace("AWS::SQS::Queue", "AWS::DynamoDB::Table").replace("QueueName: !Ref QueueName", TABLE);
    let clash = clash.replace("      DelaySeconds: !Ref Delay\n", "").replace("Queue.QueueName", "Queue.Arn");
    request.template = TemplateSource::Body(clash.clone().into());
    let mut other = create("other");
    other.template = TemplateSource::Body(clash.into());
    backend.created(&*stacks, other).await;
    stacks.create(FENCE, request).await.unwrap();
    let state = backend.settled(&*stacks, "second").await.unwrap();
    assert_eq!(state.status, StackStatus::RollbackComplete);
    let error = stacks.create_change_set(FENCE, change(&state, "late", &[("QueueName", "x")])).await.unwrap_err();
    assert_eq!(error.class, Class::Conflict, "{error}");
}

const TABLE: &str = "TableName: shared\n      BillingMode: PAY_PER_REQUEST\n      \
    AttributeDefinitions: [{ AttributeName: id, AttributeType: S }]\n      \
    KeySchema: [{ AttributeName: id, KeyType: HASH }]";

pub async fn tags_alone_are_a_change(backend: &Backend) {
    let stacks = backend.stacks();
    let state = backend.created(&*stacks, create("labels")).await;
    let mut request = change(&state, "retag", &[("QueueName", "labels")]);
    request.options.tags = tags(&[("landfast:owner", "test"), ("Team", "people")]).into();
    let wanted = request.options.tags.clone();
    let state = backend.changed(&*stacks, request).await;
    assert_eq!((state.status, state.tags), (StackStatus::UpdateComplete, wanted));
}

pub async fn a_busy_stack_takes_no_other_change(backend: &Backend) {
    let stacks = backend.stacks();
    let state = backend.created(&*stacks, create("busy")).await;
    let request = change(&state, "one", &[("QueueName", "busy"), ("Delay", "5")]);
    let id = stacks.create_change_set(FENCE, request).await.unwrap();
    backend.computed(&*stacks, &state.id, "one").await.unwrap();
    stacks.execute_change_set(FENCE, &id, "execute").await.unwrap();
    let busy = stacks.describe(&state.name).await.unwrap().unwrap();
    assert_eq!(busy.status, StackStatus::UpdateInProgress);
    let request = change(&state, "two", &[("QueueName", "busy"), ("Delay", "7")]);
    for error in [
        stacks.create_change_set(FENCE, request).await.unwrap_err(),
        stacks.delete(FENCE, &state.id, &std::collections::BTreeSet::new(), "delete").await.unwrap_err(),
        stacks.continue_rollback(FENCE, &state.id, &std::collections::BTreeSet::new(), "continue").await.unwrap_err(),
    ] {
        assert_eq!(error.class, Class::Conflict, "{error}");
    }
    assert_eq!(backend.settled(&*stacks, "busy").await.unwrap().status, StackStatus::UpdateComplete);
    let error = stacks.cancel_update(FENCE, &state.id, "cancel").await.unwrap_err();
    assert_eq!(error.class, Class::Conflict, "{error}");
}

pub async fn a_cancelled_update_is_rolled_back(backend: &Backend) {
    let stacks = backend.stacks();
    let state = backend.created(&*stacks, create("cancelled")).await;
    let request = change(&state, "one", &[("QueueName", "cancelled"), ("Delay", "5")]);
    let id = stacks.create_change_set(FENCE, request).await.unwrap();
    backend.computed(&*stacks, &state.id, "one").await.unwrap();
    stacks.execute_change_set(FENCE, &id, "execute").await.unwrap();
    stacks.cancel_update(FENCE, &state.id, "cancel").await.unwrap();
    let after = backend.settled(&*stacks, "cancelled").await.unwrap();
    let own = |event: &&landfast::model::StackEvent| event.resource == "cancelled";
    let statuses: Vec<_> = events(&*stacks, &state.id).await.iter().filter(own).map(|e| e.status.clone()).collect();
    // *CancelUpdateStack*: the update is rolled back. The emulator looks for a cancellation only before each resource.
    if backend.is_emulator && after.status == StackStatus::UpdateComplete {
        return;
    }
    assert_eq!(after.status, StackStatus::UpdateRollbackComplete, "{statuses:?}");
    assert_eq!(after.parameters["Delay"], "0");
}
