//! Custom resources (AWS: *`AWS::CloudFormation::CustomResource`*).

use super::{Rig, request};
use crate::model::StackStatus;

const TOKEN: &str = "arn:aws:lambda:us-east-1:111122223333:function:store";

fn template(properties: &str) -> String {
    format!(
        "Resources:\n  Store: {{ Type: Custom::Store, Properties: {{ {properties} }} }}\nOutputs:\n  Url: {{ Value: !GetAtt Store.Url }}\n  \
         First: {{ Value: !Select [0, !GetAtt Store.Zones] }}\n  Id: {{ Value: !Ref Store }}\n"
    )
}

#[test]
fn a_custom_resource_needs_a_service_token_of_its_region() {
    let rig = Rig::new();
    let refused = rig.create(request("none", &template("Name: a"))).unwrap_err();
    assert!(refused.message.ends_with("A custom resource must contain a ServiceToken property."), "{refused}");
    for (name, token, words) in [
        ("text", "x".to_owned(), "it must be the ARN of a Lambda function or an SNS topic"),
        ("far", TOKEN.replace("us-east-1", "eu-west-1"), "it is in eu-west-1, and the stack in us-east-1"),
    ] {
        let id = rig.create(request(name, &template(&format!("ServiceToken: '{token}'")))).unwrap();
        assert_eq!(rig.status_after(name, 5), StackStatus::RollbackComplete);
        let events = rig.events(&id);
        let failed = events.iter().find(|event| event.status == "CREATE_FAILED").unwrap();
        assert!(failed.reason.as_ref().unwrap().contains(words), "{failed:?}");
    }
}

#[test]
fn its_answer_is_made_up_and_says_so() {
    let rig = Rig::new();
    rig.deployed("one", &template(&format!("Url: given, ServiceToken: '{TOKEN}'")));
    let outputs = rig.state("one").outputs;
    let id = &outputs["Id"].value;
    assert_eq!(outputs["Url"].value, format!("simulated-answer-Url-of-{id}"));
    assert_eq!(outputs["First"].value, format!("simulated-answer-Zones-of-{id}"), "nobody knows whether it is a list");
}

#[test]
fn its_service_token_cannot_be_changed() {
    let rig = Rig::new();
    let id = rig.deployed("one", &template(&format!("ServiceToken: '{TOKEN}'")));
    rig.update(&id, "c1", &template(&format!("ServiceToken: '{TOKEN}2'")));
    assert_eq!(rig.status_after("one", 5), StackStatus::UpdateRollbackComplete);
    let events = rig.events(&id);
    let failed = events.iter().find(|event| event.status == "UPDATE_FAILED").unwrap();
    assert_eq!(failed.reason.as_deref(), Some("Modifying service token is not allowed."));
}
