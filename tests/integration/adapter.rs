//! The AWS adapter against the emulator, with faults in between.

use std::time::Duration;

use landfast::ports::{Class, Cloud as _};

use crate::contract::{FENCE, create};
use crate::emulator;
use crate::faults::{Fault, Faults};

#[tokio::test]
async fn a_creation_whose_answer_was_lost_is_recognised_when_it_is_repeated() {
    let Some(account) = emulator::account(Duration::ZERO) else { return };
    let faults = Faults::none().on("CreateStack", 1..=1, Fault::AnswerLost);
    let stacks = account.cloud(Some(faults.client())).await.stacks(&account.scope("us-east-1"), None);
    let error = stacks.create(FENCE, create("lost")).await.unwrap_err();
    assert_eq!(error.class, Class::Transient);
    assert_eq!(faults.calls("CreateStack"), 1, "the SDK must not try again by itself");
    let made = stacks.describe(&"lost".parse().unwrap()).await.unwrap().unwrap();
    assert_eq!(stacks.create(FENCE, create("lost")).await.unwrap(), made.id);
}

#[tokio::test]
async fn a_throttled_or_failed_call_is_reported_and_does_nothing() {
    let Some(account) = emulator::account(Duration::ZERO) else { return };
    let faults = Faults::none().on("CreateStack", 1..=1, Fault::Throttled).on("CreateStack", 2..=2, Fault::Unavailable);
    let stacks = account.cloud(Some(faults.client())).await.stacks(&account.scope("us-east-1"), None);
    for expected in [Class::Throttled, Class::Transient] {
        assert_eq!(stacks.create(FENCE, create("never")).await.unwrap_err().class, expected);
    }
    assert_eq!(stacks.describe(&"never".parse().unwrap()).await.unwrap(), None);
    assert_eq!((faults.calls("CreateStack"), faults.calls("DescribeStacks")), (2, 1));
}

#[tokio::test]
async fn a_late_answer_is_an_answer() {
    let Some(account) = emulator::account(Duration::ZERO) else { return };
    let faults = Faults::none().on("DescribeStacks", 1..=1, Fault::Late(Duration::from_millis(50)));
    let stacks = account.cloud(Some(faults.client())).await.stacks(&account.scope("us-east-1"), None);
    assert!(stacks.list(None).await.unwrap().items.is_empty());
}

#[tokio::test]
async fn an_assumed_role_leads_to_its_account() {
    let Some(account) = emulator::account(Duration::ZERO) else { return };
    let cloud = account.cloud(None).await;
    let role = landfast::model::AssumeRole {
        arn: "arn:aws:iam::999988887777:role/landfast".parse().unwrap(),
        external_id: None,
        session_name: "landfast-test".to_owned(),
    };
    let scope = account.scope("us-east-1");
    assert_eq!(cloud.stacks(&scope, None).caller().await.unwrap(), account.id);
    assert_eq!(cloud.stacks(&scope, Some(&role)).caller().await.unwrap().as_str(), "999988887777");
}

#[tokio::test]
async fn an_emulator_that_is_not_there_is_transient() {
    let settings = landfast::aws::Settings {
        // Port 9 is "discard": nobody listens.
        endpoint_url: Some("http://127.0.0.1:9".to_owned()),
        region: Some("us-east-1".parse().unwrap()),
        credentials: Some(aws_credential_types::provider::SharedCredentialsProvider::new(
            aws_credential_types::Credentials::for_tests(),
        )),
        ..Default::default()
    };
    let scope =
        landfast::model::Scope { account: "111122223333".parse().unwrap(), region: "us-east-1".parse().unwrap() };
    let stacks = landfast::aws::AwsCloud::connect(settings).await.stacks(&scope, None);
    let error = stacks.list(None).await.unwrap_err();
    assert_eq!(error.class, Class::Transient);
    assert!(std::error::Error::source(&error).is_some(), "{error:?}");
}
