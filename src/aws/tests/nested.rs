//! Nested stacks and processed templates on the wire (AWS: *Change sets for nested stacks*, *`GetTemplate`*).

use super::{CHANGE_SET, STACK, change, id};
use crate::aws::wire::{Wire, refusal, result, scope};
use crate::model::{ChangeSetStatus, NESTED_STACK};
use crate::ports::Cloud as _;

const NESTED: &str = "arn:aws:cloudformation:eu-central-1:111122223333:changeSet/landfast-1-Data-ABC/3";

#[tokio::test]
async fn the_change_of_a_nested_stack_names_the_change_set_that_says_what_it_does() {
    let data = change(&format!(
        "<Action>Modify</Action><LogicalResourceId>Data</LogicalResourceId><ResourceType>{NESTED_STACK}</ResourceType>\
         <Replacement>False</Replacement><ChangeSetId>{NESTED}</ChangeSetId>"
    ));
    let text = format!(
        "<ChangeSetName>landfast-1</ChangeSetName><ChangeSetId>{CHANGE_SET}</ChangeSetId><StackId>{STACK}</StackId>\
         <Status>CREATE_COMPLETE</Status><ExecutionStatus>AVAILABLE</ExecutionStatus>\
         <IncludeNestedStacks>true</IncludeNestedStacks><Changes>{data}</Changes>"
    );
    let wire = Wire::answering([result("DescribeChangeSet", &text)]);
    let name = "landfast-1".parse().unwrap();
    let (state, _) = wire.stacks().await.describe_change_set(&id(), &name, None).await.unwrap().unwrap();
    assert_eq!(state.parent, None);
    assert_eq!(state.changes[0].nested.as_ref().map(crate::model::ChangeSetId::as_str), Some(NESTED));
}

#[tokio::test]
async fn a_nested_change_set_is_asked_for_by_its_id_and_says_whose_it_is() {
    let text = format!(
        "<ChangeSetName>landfast-1-Data-ABC</ChangeSetName><ChangeSetId>{NESTED}</ChangeSetId><StackId>{STACK}</StackId>\
         <Status>CREATE_COMPLETE</Status><ExecutionStatus>UNAVAILABLE</ExecutionStatus>\
         <ParentChangeSetId>{CHANGE_SET}</ParentChangeSetId><RootChangeSetId>{CHANGE_SET}</RootChangeSetId>\
         <Changes/><NextToken>more</NextToken>"
    );
    let gone = refusal(404, "ChangeSetNotFound", "ChangeSet does not exist");
    let wire = Wire::answering([result("DescribeChangeSet", &text), gone]);
    let stacks = wire.stacks().await;
    let nested = NESTED.parse().unwrap();
    let (state, next) = stacks.nested_change_set(&nested, None).await.unwrap().unwrap();
    let form = wire.sent()[0].form();
    assert!(form.contains(&format!("ChangeSetName={NESTED}\n")) && !form.contains("StackName"), "{form}");
    assert_eq!(state.parent.as_ref().map(crate::model::ChangeSetId::as_str), Some(CHANGE_SET));
    assert_eq!(state.status, ChangeSetStatus::Available, "only its root's is executed: it can be read all the same");
    assert_eq!(next.as_deref(), Some("more"));
    assert_eq!(stacks.nested_change_set(&nested, None).await.unwrap(), None);
}

#[tokio::test]
async fn both_stages_of_a_template_are_asked_for_by_name() {
    let answer = |body: &str| result("GetTemplate", &format!("<TemplateBody>{body}</TemplateBody>"));
    let wire = Wire::answering([answer("as written"), answer("as processed")]);
    let stacks = wire.stacks().await;
    assert_eq!(stacks.template(&id()).await.unwrap(), "as written");
    assert_eq!(stacks.processed_template(&id()).await.unwrap(), "as processed");
    assert!(wire.sent()[0].form().contains("TemplateStage=Original\n"), "{}", wire.sent()[0].form());
    assert!(wire.sent()[1].form().contains("TemplateStage=Processed\n"), "{}", wire.sent()[1].form());
}

#[tokio::test]
async fn what_a_failed_deletion_has_deleted_is_not_listed() {
    let line = |name: &str, status: &str| {
        format!(
            "<member><LogicalResourceId>{name}</LogicalResourceId><PhysicalResourceId>x</PhysicalResourceId>\
             <ResourceType>AWS::SQS::Queue</ResourceType><ResourceStatus>{status}</ResourceStatus></member>"
        )
    };
    let lines = [line("Gone", "DELETE_COMPLETE"), line("Kept", "DELETE_SKIPPED"), line("There", "DELETE_FAILED")];
    let text = format!("<StackResourceSummaries>{}</StackResourceSummaries>", lines.concat());
    let wire = Wire::answering([result("ListStackResources", &text)]);
    let page = wire.cloud(None).await.drift(&scope(), None).resources(&id(), None).await.unwrap();
    assert_eq!(page.items.iter().map(|item| item.resource.as_str()).collect::<Vec<_>>(), ["There"]);
}
