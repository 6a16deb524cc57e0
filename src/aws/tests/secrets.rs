//! What Secrets Manager is told and answers, and that no error repeats a value.

use super::super::wire::{Answer, Wire, scope};
use super::*;

const ARN: &str = "arn:aws:secretsmanager:eu-central-1:111122223333:secret:dev/app-AbCdEf";

fn version() -> crate::model::VersionId {
    "landfast-00000000000000000000000000000001".parse().unwrap()
}

#[tokio::test]
async fn a_version_is_put_with_its_token_and_label() {
    let wire = Wire::answering([Answer::Http(200, format!(r#"{{"ARN":"{ARN}"}}"#))]);
    let request = crate::ports::PutSecretValue {
        secret: ARN.parse().unwrap(),
        value: Redacted::new(SECRET.to_owned()),
        token: version(),
        labels: strings(&["AWSPENDING"]),
    };
    assert!(!format!("{request:?}").contains(SECRET));
    wire.cloud(None).await.secrets(&scope(), None).put_value(FENCE, request).await.unwrap();
    let sent: serde_json::Value = serde_json::from_str(&wire.sent()[0].body).unwrap();
    let wanted = serde_json::json!({
        "SecretId": ARN,
        "ClientRequestToken": version().as_str(),
        "SecretString": SECRET,
        "VersionStages": ["AWSPENDING"],
    });
    assert_eq!(sent, wanted);
}

#[tokio::test]
async fn an_error_of_secrets_manager_does_not_repeat_the_value() {
    let answer = format!(r#"{{"__type":"InvalidParameterException","message":"{SECRET} is too long"}}"#);
    let wire = Wire::answering([Answer::Http(400, answer)]);
    let request = crate::ports::CreateSecret {
        name: "dev/app".to_owned(),
        value: Redacted::new(SECRET.to_owned()),
        token: version(),
        description: None,
        kms_key: None,
        tags: BTreeMap::new(),
    };
    let error = wire.cloud(None).await.secrets(&scope(), None).create(FENCE, request).await.unwrap_err();
    assert_eq!(error.class, Class::Invalid);
    assert!(!format!("{error} {error:?}").contains(SECRET), "{error:?}");
}

#[tokio::test]
async fn a_value_that_cannot_be_read_is_in_no_error() {
    let broken = format!(r#"{{"ARN":"{ARN}","VersionId":"short","SecretString":"{SECRET}"}}"#);
    let unfinished = format!(r#"{{"ARN":"{ARN}","SecretString":"{SECRET}"#);
    for answer in [broken, unfinished] {
        let wire = Wire::answering([Answer::Http(200, answer)]);
        let port = wire.cloud(None).await.secrets(&scope(), None);
        let error = port.value(&ARN.parse().unwrap(), &version()).await.unwrap_err();
        let mut text = format!("{error} {error:?}");
        let mut below = error.source();
        while let Some(cause) = below {
            let _ = write!(text, "{cause} {cause:?}");
            below = cause.source();
        }
        assert!(!text.contains(SECRET), "{text}");
    }
}

#[tokio::test]
async fn a_listing_includes_what_can_be_restored_and_reads_labels() {
    let token = version();
    let answer = format!(
        r#"{{"SecretList":[{{"ARN":"{ARN}","Name":"dev/app","DeletedDate":1767225600,
        "Tags":[{{"Key":"landfast:owner","Value":"dev/secret/app"}}],
        "SecretVersionsToStages":{{"{token}":["AWSCURRENT"]}}}}],"NextToken":"more"}}"#
    );
    let wire = Wire::answering([Answer::Http(200, answer)]);
    let page = wire.cloud(None).await.secrets(&scope(), None).list(None).await.unwrap();
    assert!(wire.sent()[0].body.contains(r#""IncludePlannedDeletion":true"#));
    assert_eq!(page.next.as_deref(), Some("more"));
    let secret = &page.items[0];
    assert_eq!((secret.current(), secret.replicas.as_ref()), (Some(&token), None));
    assert_eq!(secret.deleted.unwrap().to_string(), "2026-01-01T00:00:00Z");
}
