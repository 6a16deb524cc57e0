//! How an account is entered, and as whom.

use super::super::wire::{Answer, Wire, refusal, result, role, scope};
use super::*;

fn assumed() -> Answer {
    let credentials = "<Credentials><AccessKeyId>AKIA</AccessKeyId><SecretAccessKey>s</SecretAccessKey>\
        <SessionToken>t</SessionToken><Expiration>2099-01-01T00:00:00Z</Expiration></Credentials>";
    result("AssumeRole", credentials)
}

#[tokio::test]
async fn a_role_is_assumed_once_for_all_who_enter_by_it() {
    let none = || result("DescribeStacks", "<Stacks/>");
    let caller = result("GetCallerIdentity", "<Account>111122223333</Account>");
    let wire = Wire::answering([assumed(), none(), none(), caller]);
    let cloud = wire.cloud(None).await;
    cloud.stacks(&scope(), Some(&role())).list(None).await.unwrap();
    cloud.stacks(&scope(), Some(&role())).list(None).await.unwrap();
    assert_eq!(cloud.stacks(&scope(), Some(&role())).caller().await.unwrap(), scope().account);
    let sent = wire.sent();
    assert_eq!(sent[0].uri, "https://sts.eu-central-1.amazonaws.com/");
    for field in
        ["RoleArn=arn:aws:iam::111122223333:role/landfast", "ExternalId=outside", "RoleSessionName=landfast-dev"]
    {
        assert!(sent[0].form().contains(field), "{}", sent[0].form());
    }
}

#[tokio::test]
async fn a_role_that_may_not_be_assumed_is_denied_and_one_that_cannot_just_now_is_not() {
    let rows = [
        (
            refusal(403, "AccessDenied", "not authorized to perform: sts:AssumeRole"),
            Class::Denied,
            ": AssumeRole failed: not authorized to perform: sts:AssumeRole (AccessDenied)",
        ),
        (
            refusal(400, "ValidationError", "roleSessionName is wrong"),
            Class::Denied,
            ": AssumeRole failed: roleSessionName is wrong (ValidationError)",
        ),
        (
            refusal(400, "Throttling", "Rate exceeded"),
            Class::Throttled,
            ": AssumeRole failed: Rate exceeded (Throttling)",
        ),
        (Answer::Http(503, String::new()), Class::Transient, ": AssumeRole failed: HTTP 503 without a reason"),
        (Answer::Broken, Class::Transient, ""),
    ];
    for (answer, expected, why) in rows {
        let shown = format!("{answer:?}");
        let wire = Wire::answering([answer]);
        let cloud = wire.cloud(None).await;
        let error = cloud.stacks(&scope(), Some(&role())).list(None).await.unwrap_err();
        assert_eq!(error.class, expected, "{shown}: {error:?}");
        assert_eq!(error.message, format!("no usable credentials{why}"), "{shown}");
        assert_eq!(wire.sent().len(), 1);
    }
}

#[tokio::test]
async fn the_user_agent_names_landfast() {
    let wire = Wire::answering([result("DescribeStacks", "<Stacks/>")]);
    wire.stacks().await.list(None).await.unwrap();
    assert!(wire.sent()[0].agent.contains("app/landfast"), "{}", wire.sent()[0].agent);
}
