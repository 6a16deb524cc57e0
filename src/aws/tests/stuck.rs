//! What is asked of stacks that are stuck.

use super::*;

#[tokio::test]
async fn what_is_deployed_is_deployed_again_without_being_repeated() {
    let answer = format!("<Id>{CHANGE_SET}</Id><StackId>{STACK}</StackId>");
    let wire = Wire::answering([result("CreateChangeSet", &answer)]);
    let parameters = SmallMap::from([("Password".to_owned(), Value::Previous)]);
    let options = StackOptions { parameters, ..StackOptions::default() };
    let mode = DeploymentMode::RevertDrift;
    let request = CreateChangeSet { template: TemplateSource::Previous, options, nested: false, mode, ..change_set() };
    wire.stacks().await.create_change_set(FENCE, request).await.unwrap();
    let form = wire.sent()[0].form();
    for line in [
        "UsePreviousTemplate=true",
        "Parameters.member.1.ParameterKey=Password",
        "Parameters.member.1.UsePreviousValue=true",
        "DeploymentMode=REVERT_DRIFT",
    ] {
        assert!(form.lines().any(|field| field == line), "{line} is missing in:\n{form}");
    }
    assert!(
        !form.contains("ParameterValue") && !form.contains("TemplateBody") && !form.contains("TemplateURL"),
        "{form}"
    );
}

#[tokio::test]
async fn what_is_skipped_and_what_is_kept_is_named_and_otherwise_left_out() {
    let operations = ["ContinueUpdateRollback", "ContinueUpdateRollback", "DeleteStack", "DeleteStack"];
    let wire = Wire::answering(operations.map(|operation| result(operation, "")));
    let stacks = wire.stacks().await;
    let (nothing, some) = (BTreeSet::new(), strings(&["Queue", "dev-network-Inner-1.Table"]));
    stacks.continue_rollback(FENCE, &id(), &some, "token").await.unwrap();
    stacks.continue_rollback(FENCE, &id(), &nothing, "token").await.unwrap();
    stacks.delete(FENCE, &id(), &some, "token").await.unwrap();
    stacks.delete(FENCE, &id(), &nothing, "token").await.unwrap();
    let sent = wire.sent();
    let named = |at: usize, list: &str| {
        sent[at].form().lines().filter(|line| line.starts_with(list)).map(str::to_owned).collect::<Vec<_>>()
    };
    let both =
        |list: &str| vec![format!("{list}.member.1=Queue"), format!("{list}.member.2=dev-network-Inner-1.Table")];
    assert_eq!(named(0, "ResourcesToSkip"), both("ResourcesToSkip"));
    assert_eq!(named(1, "ResourcesToSkip"), Vec::<String>::new());
    assert_eq!(named(2, "RetainResources"), both("RetainResources"));
    assert_eq!(named(3, "RetainResources"), Vec::<String>::new());
}
