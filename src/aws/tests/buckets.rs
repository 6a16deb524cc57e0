//! Templates, settings and reports in buckets.

use crate::aws::wire::{Answer, FENCE, Wire, scope};
use crate::ports::{Class, Cloud as _, Uploaded};

const OWNER: &str = "111122223333";

#[tokio::test]
async fn a_template_is_read_from_where_and_as_it_was_put() {
    let rows = [
        (None, "https://templates.s3.eu-central-1.amazonaws.com/dev/ab12"),
        (Some("http://127.0.0.1:4566"), "http://127.0.0.1:4566/templates/dev/ab12"),
    ];
    let versioned = Some("?versionId=3sL4kqtJlcpXroDTDmJ%2BrmSpXd3dIbrHY");
    for (endpoint, place) in rows {
        for (headers, query) in [
            (&[("x-amz-version-id", "3sL4kqtJlcpXroDTDmJ+rmSpXd3dIbrHY")][..], versioned),
            // The bucket keeps none, or has stopped to.
            (&[][..], None),
            (&[("x-amz-version-id", "null")][..], None),
        ] {
            let wire = Wire::answering([Answer::Headed(200, headers, String::new())]);
            let stacks = wire.cloud(endpoint).await.stacks(&scope(), None);
            let Uploaded { url, version } =
                stacks.upload_template(FENCE, "templates", "dev/ab12", "Resources: {}").await.unwrap();
            assert_eq!(url, format!("{place}{}", query.unwrap_or_default()));
            assert_eq!(version.is_some(), query.is_some());
            assert_eq!(wire.sent()[0].uri.split('?').next(), Some(place));
            assert_eq!((wire.sent().len(), wire.sent()[0].owner.as_str()), (1, OWNER));
        }
    }
}

/// AWS: *Verifying bucket ownership with bucket owner condition*.
#[tokio::test]
async fn every_request_names_the_account_that_the_bucket_has_to_belong_to() {
    let fine = || Answer::Headed(200, &[("content-length", "2"), ("x-amz-version-id", "v1")], "{}".to_owned());
    let wire = Wire::answering((0..11).map(|_| fine()));
    let cloud = wire.cloud(None).await;
    let (stacks, objects) = (cloud.stacks(&scope(), None), cloud.objects(&scope(), None));
    let _ = objects.keys("b", "", None).await;
    let _ = objects.get("b", "k").await;
    objects.put(FENCE, "b", "k", "application/json", "{}").await.unwrap();
    objects.delete(FENCE, "b", "k").await.unwrap();
    let _ = stacks.keeps_versions("b").await;
    stacks.upload_template(FENCE, "b", "k", "{}").await.unwrap();
    assert_eq!(stacks.uploaded_template("b", "k", "v1").await.unwrap().as_deref(), Some("{}"));
    assert_eq!(stacks.newest_upload("b", "k").await.unwrap().unwrap().version.as_deref(), Some("v1"));
    stacks.delete_upload(FENCE, "b", "k", Some("v1")).await.unwrap();
    let _ = objects.key("b").await;
    let sent = wire.sent();
    assert_eq!(sent.len(), 10);
    for sent in &sent {
        assert_eq!(sent.owner, OWNER, "{}", sent.uri);
    }
    for at in [6, 8] {
        assert!(sent[at].uri.contains("versionId=v1"), "{}", sent[at].uri);
    }
}

/// AWS: *`GetBucketEncryption`*. The key that AWS manages for S3 takes no permission, and neither does that of S3 itself.
#[tokio::test]
async fn the_key_of_a_bucket_is_the_accounts_own_or_none() {
    let rule = |rule: &str| {
        let body = format!(
            "<ServerSideEncryptionConfiguration><Rule><ApplyServerSideEncryptionByDefault>{rule}\
            </ApplyServerSideEncryptionByDefault></Rule></ServerSideEncryptionConfiguration>"
        );
        Answer::Headed(200, &[], body)
    };
    let kms = |key: &str| rule(&format!("<SSEAlgorithm>aws:kms</SSEAlgorithm>{key}"));
    let missing = "<Error><Code>ServerSideEncryptionConfigurationNotFoundError</Code><Message>No</Message></Error>";
    let arn = "arn:aws:kms:eu-central-1:111122223333:key/1234abcd";
    let rows = [
        (rule("<SSEAlgorithm>AES256</SSEAlgorithm>"), None),
        (kms(""), None),
        (kms("<KMSMasterKeyID>arn:aws:kms:eu-central-1:111122223333:alias/aws/s3</KMSMasterKeyID>"), None),
        (kms(&format!("<KMSMasterKeyID>{arn}</KMSMasterKeyID>")), Some(arn)),
        (Answer::Headed(404, &[], missing.to_owned()), None),
    ];
    for (answer, key) in rows {
        let wire = Wire::answering([answer]);
        let objects = wire.cloud(None).await.objects(&scope(), None);
        assert_eq!(objects.key("templates").await.unwrap().as_deref(), key);
        assert!(wire.sent()[0].uri.contains("encryption"), "{}", wire.sent()[0].uri);
    }
    let refused = "<Error><Code>AccessDenied</Code><Message>No</Message></Error>".to_owned();
    let wire = Wire::answering([Answer::Headed(403, &[], refused)]);
    let error = wire.cloud(None).await.objects(&scope(), None).key("templates").await.unwrap_err();
    assert_eq!(error.class, Class::Denied);
}

/// AWS: *`SimulatePrincipalPolicy`*, `ResourceArns`.
#[tokio::test]
async fn what_is_denied_is_asked_of_one_resource_or_of_any() {
    let result = |decision: &str| {
        let body = format!(
            "<SimulatePrincipalPolicyResponse><SimulatePrincipalPolicyResult><IsTruncated>false</IsTruncated>\
            <EvaluationResults><member><EvalActionName>kms:Decrypt</EvalActionName>\
            <EvalDecision>{decision}</EvalDecision></member></EvaluationResults></SimulatePrincipalPolicyResult>\
            </SimulatePrincipalPolicyResponse>"
        );
        Answer::Headed(200, &[], body)
    };
    let key = "arn:aws:kms:eu-central-1:111122223333:key/1234abcd";
    for (decision, resource, denied) in
        [("allowed", Some(key), 0), ("implicitDeny", Some(key), 1), ("allowed", None, 0)]
    {
        let wire = Wire::answering([result(decision)]);
        let account = wire.cloud(None).await.account(&scope(), None);
        let principal = "arn:aws:iam::111122223333:role/landfast";
        let page = account.denied(principal, &["kms:Decrypt".to_owned()], resource, None).await.unwrap();
        assert_eq!(page.items.len(), denied);
        let named = wire.sent()[0].body.contains("ResourceArns.member.1=arn%3Aaws%3Akms");
        assert_eq!(named, resource.is_some(), "{}", wire.sent()[0].body);
        // A permission on this condition would be denied without it.
        assert!(wire.sent()[0].body.contains("ContextKeyName=cloudwatch%3Anamespace"), "{}", wire.sent()[0].body);
    }
}

#[tokio::test]
async fn what_is_wrong_with_a_bucket_is_said_and_is_not_tried_again() {
    let refusal = |code: &str| format!("<Error><Code>{code}</Code><Message>No</Message></Error>");
    let rows = [
        (404, &[][..], refusal("NoSuchBucket"), Class::NotFound, "bucket templates does not exist"),
        (
            301,
            &[("x-amz-bucket-region", "us-west-2")][..],
            refusal("PermanentRedirect"),
            Class::Invalid,
            "the bucket templates is in the region us-west-2, not in eu-central-1",
        ),
        (
            400,
            &[("x-amz-bucket-region", "us-west-2")][..],
            refusal("AuthorizationHeaderMalformed"),
            Class::Invalid,
            "the bucket templates is in the region us-west-2, not in eu-central-1",
        ),
        // Without a word, as after `HEAD`.
        (301, &[][..], String::new(), Class::Invalid, "the bucket templates is in another region, not in eu-central-1"),
        (
            403,
            &[][..],
            refusal("AccessDenied"),
            Class::Denied,
            "the bucket templates does not belong to account 111122223333, or access is denied",
        ),
        (503, &[][..], refusal("SlowDown"), Class::Throttled, "No"),
    ];
    for (status, headers, body, class, words) in rows {
        let wire = Wire::answering((0..2).map(|_| Answer::Headed(status, headers, body.clone())));
        let stacks = wire.stacks().await;
        for error in [
            stacks.keeps_versions("templates").await.unwrap_err(),
            stacks.upload_template(FENCE, "templates", "k", "{}").await.unwrap_err(),
        ] {
            assert_eq!(error.class, class, "{status}: {error}");
            assert!(error.message.starts_with(words), "{status}: {error}");
        }
    }
}

#[tokio::test]
async fn an_answer_that_cannot_be_read_counts_by_its_status() {
    for (status, class) in [
        (301, Class::Invalid),
        (302, Class::Invalid),
        (403, Class::Denied),
        (404, Class::Invalid),
        (502, Class::Transient),
    ] {
        let wire = Wire::answering([Answer::Http(status, "<html>Log in</html".to_owned())]);
        let error = wire.stacks().await.list(None).await.unwrap_err();
        assert_eq!(error.class, class, "{status}: {error}");
    }
}
