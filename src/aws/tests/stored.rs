//! Values in Parameter Store.

use std::collections::BTreeMap;

use crate::aws::wire::{Answer, Wire, scope};
use crate::ports::Cloud as _;

/// *`GetParameters`*: "The name, or names with labels and versions, or ARNs"; what is not there is in `InvalidParameters`.
#[tokio::test]
async fn a_value_is_found_again_under_whatever_name_it_was_asked_for() {
    const ARN: &str = "arn:aws:ssm:eu-central-1:111122223333:parameter/shared";
    let answer = serde_json::json!({
        "Parameters": [
            { "Name": "/a/b", "Type": "String", "Value": "one", "Version": 4, "ARN": "arn:aws:ssm:eu-central-1:1:parameter/a/b" },
            { "Name": "/a/b", "Type": "String", "Value": "old", "Version": 3, "Selector": ":3", "ARN": "arn:aws:ssm:eu-central-1:1:parameter/a/b" },
            { "Name": "shared", "Type": "StringList", "Value": "x,y", "Version": 1, "ARN": ARN },
        ],
        "InvalidParameters": ["/none"],
    });
    let wire = Wire::answering([Answer::Http(200, answer.to_string())]);
    let stacks = wire.cloud(None).await.stacks(&scope(), None);
    let names = ["/a/b", "/a/b:3", ARN, "/none"].map(str::to_owned);
    let found = stacks.stored(&names).await.unwrap();
    let expected = [("/a/b", "one"), ("/a/b:3", "old"), (ARN, "x,y")];
    assert_eq!(found, BTreeMap::from(expected.map(|(name, value)| (name.to_owned(), value.to_owned()))));
    let sent: serde_json::Value = serde_json::from_str(&wire.sent()[0].body).unwrap();
    assert_eq!(sent, serde_json::json!({ "Names": names }));
}
