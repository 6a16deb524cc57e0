//! The corpus: for each rule what is narrower, equal and wider.
#![expect(
    clippy::needless_pass_by_value,
    clippy::cloned_ref_to_slice_refs,
    reason = "cases that read as what they say"
)]

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::template::evaluate::{Tree, Values, evaluate};

/// What a change of one policy document allows, in words.
fn gains(before: &Value, after: &Value) -> Vec<String> {
    policy_gains(Some(&before.to_string()), &after.to_string())
}

fn policy(statements: &[Value]) -> Value {
    json!({ "Version": "2012-10-17", "Statement": statements })
}

fn allow(action: Value, resource: Value) -> Value {
    json!({ "Effect": "Allow", "Action": action, "Resource": resource })
}

/// A statement of a resource policy with a condition.
fn to(principal: Value, condition: Value) -> Value {
    json!({ "Effect": "Allow", "Principal": principal, "Action": "s3:GetObject", "Resource": "*", "Condition": condition })
}

fn with(statement: &Value, key: &str, value: Value) -> Value {
    let mut statement = statement.clone();
    statement[key] = value;
    statement
}

/// `narrow` is within `wide`, and not the other way round.
#[track_caller]
fn wider(narrow: &Value, wide: &Value) {
    let (narrow, wide) = (policy(&[narrow.clone()]), policy(&[wide.clone()]));
    assert_eq!(gains(&wide, &narrow), Vec::<String>::new(), "narrower");
    assert!(!gains(&narrow, &wide).is_empty(), "wider");
}

#[track_caller]
fn equal(one: &Value, other: &Value) {
    let (one, other) = (policy(&[one.clone()]), policy(&[other.clone()]));
    assert_eq!((gains(&one, &other), gains(&other, &one)), (Vec::new(), Vec::new()));
}

#[test]
fn actions_and_resources() {
    let one = allow(json!("s3:GetObject"), json!("arn:aws:s3:::a/*"));
    equal(&one, &allow(json!(["S3:getobject"]), json!(["arn:aws:s3:::a/*"])));
    equal(&one, &with(&one, "Sid", json!("Read")));
    wider(&one, &with(&one, "Action", json!(["s3:GetObject", "s3:PutObject"])));
    wider(&one, &with(&one, "Action", json!("s3:Get*")));
    wider(&one, &with(&one, "Action", json!("*")));
    wider(&one, &with(&one, "Resource", json!("*")));
    wider(&one, &with(&one, "Resource", json!(["arn:aws:s3:::a/*", "arn:aws:s3:::b/*"])));
    wider(&with(&one, "Resource", json!("arn:aws:s3:::a/x")), &one);
    wider(&with(&one, "Resource", json!("arn:aws:s3:::a/?")), &one);
    // A resource has upper and lower case.
    assert!(!gains(&policy(&[one.clone()]), &policy(&[with(&one, "Resource", json!("arn:aws:s3:::A/*"))])).is_empty());
}

#[test]
fn order_of_statements_and_how_they_are_divided_do_not_matter() {
    let (a, b) = (allow(json!("s3:GetObject"), json!("x")), allow(json!("s3:PutObject"), json!("x")));
    let both = allow(json!(["s3:PutObject", "s3:GetObject"]), json!("x"));
    assert_eq!(gains(&policy(&[a.clone(), b.clone()]), &policy(&[b.clone(), a.clone()])), Vec::<String>::new());
    assert_eq!(gains(&policy(&[a.clone(), b.clone()]), &policy(&[both.clone()])), Vec::<String>::new());
    assert_eq!(gains(&policy(&[both]), &policy(&[a.clone(), b])), Vec::<String>::new());
    assert_eq!(gains(&json!({"Version": "2012-10-17", "Statement": a}), &policy(&[a])), Vec::<String>::new());
    // Each action on the other's resource is more than both had.
    let (a, b) = (allow(json!("s3:GetObject"), json!("x")), allow(json!("s3:PutObject"), json!("y")));
    let crossed = allow(json!(["s3:GetObject", "s3:PutObject"]), json!(["x", "y"]));
    assert!(!gains(&policy(&[a, b]), &policy(&[crossed])).is_empty());
}

#[test]
fn what_a_statement_is_not_about() {
    let not = |actions: Value| json!({ "Effect": "Allow", "NotAction": actions, "Resource": "*" });
    equal(&not(json!("iam:*")), &not(json!(["IAM:*"])));
    wider(&not(json!(["iam:*", "kms:*"])), &not(json!("iam:*")));
    wider(&allow(json!("s3:GetObject"), json!("*")), &not(json!("iam:*")));
    wider(&not(json!("iam:*")), &allow(json!("*"), json!("*")));
    let other = |resources: Value| json!({ "Effect": "Allow", "Action": "*", "NotResource": resources });
    wider(&other(json!("arn:aws:s3:::*")), &other(json!("arn:aws:s3:::a")));
    let nobody =
        |who: Value| json!({ "Effect": "Allow", "NotPrincipal": { "AWS": who }, "Action": "*", "Resource": "*" });
    equal(&nobody(json!("111122223333")), &nobody(json!(["arn:aws:iam::111122223333:root"])));
    // A pattern, or what is not known, may be among what is left out.
    let before = policy(&[not(json!("iam:*"))]);
    assert!(!gains(&before, &policy(&[allow(json!("i*"), json!("*"))])).is_empty());
    assert!(!gains(&before, &policy(&[allow(json!({ "Ref": "X" }), json!("*"))])).is_empty());
    let own = policy(&[json!({ "Effect": "Allow", "Action": "*", "NotResource": "arn:${aws:username}" })]);
    assert!(!gains(&own, &policy(&[allow(json!("*"), json!("arn:bob"))])).is_empty());
}

#[test]
fn principals() {
    let of = |principal: Value| to(principal, json!({}));
    for same in [
        json!({ "AWS": "arn:aws:iam::111122223333:root" }),
        json!({ "AWS": ["arn:aws-cn:iam::111122223333:root"] }),
        json!({ "AWS": 111_122_223_333_u64 }),
    ] {
        equal(&of(json!({ "AWS": "111122223333" })), &of(same));
    }
    equal(&of(json!("*")), &of(json!({ "AWS": "*" })));
    wider(&of(json!({ "AWS": "111122223333" })), &of(json!("*")));
    wider(&of(json!({ "AWS": "111122223333" })), &of(json!({ "AWS": ["111122223333", "444455556666"] })));
    let service = of(json!({ "Service": "ecs.amazonaws.com" }));
    wider(&service, &of(json!({ "Service": "ecs.amazonaws.com", "AWS": "111122223333" })));
    for other in [json!({ "Federated": "ecs.amazonaws.com" }), json!({ "Service": "ec2.amazonaws.com" })] {
        assert!(!gains(&policy(&[service.clone()]), &policy(&[of(other)])).is_empty());
    }
    // Everybody with credentials of AWS, and not every service.
    assert!(!gains(&policy(&[of(json!("*"))]), &policy(&[service])).is_empty());
    // A role may be used without a policy of its own account's; its account's root needs one.
    let role = of(json!({ "AWS": "arn:aws:iam::111122223333:role/a" }));
    assert!(!gains(&policy(&[of(json!({ "AWS": "111122223333" }))]), &policy(&[role])).is_empty());
}

#[test]
fn conditions() {
    let of = |condition: Value| to(json!("*"), condition);
    let org = json!({ "StringEquals": { "aws:PrincipalOrgID": "o-1" } });
    equal(&of(org.clone()), &of(json!({ "StringEquals": { "AWS:principalorgid": ["o-1"] } })));
    equal(
        &of(json!({ "Bool": { "aws:SecureTransport": true } })),
        &of(json!({ "Bool": { "aws:SecureTransport": "True" } })),
    );
    wider(&of(org.clone()), &of(json!({})));
    wider(&of(org.clone()), &of(json!({ "StringEquals": { "aws:PrincipalOrgID": ["o-1", "o-2"] } })));
    wider(
        &of(json!({ "StringEquals": { "aws:PrincipalOrgID": "o-1" }, "Bool": { "aws:SecureTransport": "true" } })),
        &of(org.clone()),
    );
    let arn = |value: &str| of(json!({ "ArnLike": { "aws:SourceArn": value } }));
    wider(&arn("arn:aws:ecs:eu-west-1:1:*"), &arn("arn:aws:ecs:*"));
    let ip = |value: Value| of(json!({ "IpAddress": { "aws:SourceIp": value } }));
    wider(&ip(json!("10.0.0.0/16")), &ip(json!("10.0.0.0/8")));
    equal(&ip(json!("10.0.0.1")), &ip(json!("10.0.0.1/32")));
    let not = |value: Value| of(json!({ "NotIpAddress": { "aws:SourceIp": value } }));
    wider(&not(json!("10.0.0.0/8")), &not(json!("10.0.0.0/16")));
    let all = |value: Value| of(json!({ "ForAllValues:StringLike": { "aws:TagKeys": value } }));
    wider(&all(json!(["a"])), &all(json!(["a", "b*"])));
    // An order, a flag, another operator: equal or not.
    for other in [
        json!({ "NumericLessThan": { "s3:max-keys": 20 } }),
        json!({ "StringEqualsIfExists": { "aws:PrincipalOrgID": "o-1" } }),
        json!({ "StringLike": { "aws:PrincipalOrgID": "o-1" } }),
        json!({ "Null": { "aws:PrincipalOrgID": "false" } }),
    ] {
        assert!(!gains(&policy(&[of(org.clone())]), &policy(&[of(other)])).is_empty());
    }
}

#[test]
fn denials_removed_or_narrowed_widen_and_added_ones_do_not() {
    let everything = allow(json!("*"), json!("*"));
    let deny = json!({ "Effect": "Deny", "Action": "iam:*", "Resource": "*" });
    let both = policy(&[everything.clone(), deny.clone()]);
    let alone = policy(&[everything.clone()]);
    assert_eq!(gains(&alone, &both), Vec::<String>::new());
    assert_eq!(gains(&both, &alone), ["no longer: Deny iam:* on *"]);
    let narrower = policy(&[everything.clone(), with(&deny, "Action", json!("iam:Create*"))]);
    assert!(!gains(&both, &narrower).is_empty());
    assert_eq!(gains(&narrower, &both), Vec::<String>::new());
    let conditional = with(&deny, "Condition", json!({ "Bool": { "aws:MultiFactorAuthPresent": "false" } }));
    assert!(!gains(&both, &policy(&[everything, conditional])).is_empty());
    // A denial that becomes a permission does both.
    assert_eq!(gains(&policy(&[deny.clone()]), &policy(&[with(&deny, "Effect", json!("Allow"))])).len(), 2);
}

#[test]
fn what_is_not_understood_is_equal_to_itself_alone() {
    let odd = json!({ "Fn::If": ["Unknown", { "Effect": "Allow" }, { "Ref": "AWS::NoValue" }] });
    let known = allow(json!("s3:GetObject"), json!("*"));
    let (with_odd, without) = (policy(&[known.clone(), odd.clone()]), policy(&[known.clone()]));
    assert_eq!(gains(&with_odd, &with_odd), Vec::<String>::new());
    assert!(!gains(&without, &with_odd).is_empty() && !gains(&with_odd, &without).is_empty());
    for odd in [
        json!({ "Effect": "Maybe", "Action": "*", "Resource": "*" }),
        json!({ "Effect": "Allow", "Action": "*", "Resource": "*", "Sometimes": true }),
        json!({ "Effect": "Allow", "Action": "*", "NotAction": "a", "Resource": "*" }),
        with(&known, "Condition", json!({ "Ref": "X" })),
        json!({ "Effect": "Allow", "Principal": { "Ref": "X" }, "Action": "*" }),
    ] {
        assert!(!gains(&without, &policy(&[known.clone(), odd.clone()])).is_empty(), "{odd}");
    }
    assert!(!policy_gains(Some("{}"), "not a policy").is_empty());
    // Variables are letters before 2012.
    let own = allow(json!("s3:*"), json!("arn:aws:s3:::home/${aws:username}"));
    let old = json!({ "Version": "2008-10-17", "Statement": [own.clone()] });
    assert!(!gains(&old, &policy(&[own])).is_empty());
}

#[test]
fn a_statement_in_words_is_whole() {
    let statement = json!({
        "Effect": "Allow", "Principal": { "AWS": "*" }, "NotAction": ["s3:Put*", "s3:Delete*"],
        "Resource": { "Fn::Join": ["", [{ "Fn::GetAtt": ["Bucket", "Arn"] }, "/*"] ] },
        "Condition": { "StringEquals": { "aws:SourceVpc": ["a", "b"] }, "Bool": { "aws:SecureTransport": "true" } },
    });
    assert_eq!(
        gains(&policy(&[]), &policy(&[statement])),
        ["Allow everything except s3:Delete*, s3:Put* on ${Bucket.Arn}/* to everyone (*) if aws:securetransport \
            Bool true and aws:sourcevpc StringEquals a | b"]
    );
}

// ---- resources ----

fn resources(body: &str) -> std::collections::BTreeMap<String, Evaluated> {
    evaluate(&Tree::read(&format!("Resources:\n{body}")), &Values::default())
}

/// What changes from one template to another, as `resource property: grants`.
fn changes(before: &str, after: &str) -> Vec<String> {
    let found = broadened(&resources(before), &resources(after));
    found.into_iter().map(|one| format!("{} {}: {}", one.resource, one.property, one.grants)).collect()
}

#[track_caller]
fn only_forth(before: &str, after: &str, found: &[&str]) {
    assert_eq!(changes(before, after), found);
    assert_eq!(changes(after, before), Vec::<String>::new(), "back");
}

const ROLE: &str = "  R:\n    Type: AWS::IAM::Role\n    Properties:\n      AssumeRolePolicyDocument: { Statement: [{ Effect: Allow, \
                    Principal: { Service: a.amazonaws.com }, Action: 'sts:AssumeRole' }] }\n";

#[test]
fn roles_and_what_is_attached_to_them() {
    only_forth(
        ROLE,
        &ROLE.replace("a.amazonaws.com", "[a.amazonaws.com, b.amazonaws.com]"),
        &["R AssumeRolePolicyDocument: Allow sts:AssumeRole to Service:a.amazonaws.com, Service:b.amazonaws.com"],
    );
    let managed = format!("{ROLE}      ManagedPolicyArns: [arn:aws:iam::aws:policy/AdministratorAccess]\n");
    only_forth(ROLE, &managed, &["R ManagedPolicyArns: arn:aws:iam::aws:policy/AdministratorAccess is attached"]);
    let limited = format!("{ROLE}      PermissionsBoundary: arn:b\n");
    only_forth(&limited, ROLE, &["R PermissionsBoundary: arn:b no longer limits it"]);
    let inline = |names: &[(&str, &str)]| {
        let policies = names.iter().map(|(name, action)| {
            format!(
                "        - {{ PolicyName: {name}, PolicyDocument: {{ Statement: [{{ Effect: Allow, Action: '{action}', Resource: '*' }}] }} }}\n"
            )
        });
        format!("{ROLE}      Policies:\n{}", policies.collect::<String>())
    };
    only_forth(
        &inline(&[("one", "s3:Get*")]),
        &inline(&[("one", "s3:*")]),
        &["R Policies/one/PolicyDocument: Allow s3:* on *"],
    );
    // From one policy of a role to another one.
    assert_eq!(changes(&inline(&[("one", "s3:*"), ("two", "a:b")]), &inline(&[("two", "s3:*")])), Vec::<String>::new());
    assert_eq!(changes(&inline(&[("one", "s3:*")]), ROLE), Vec::<String>::new());
    // A new one is all new, one that goes gives nothing.
    assert_eq!(changes("", ROLE).len(), 1);
    assert_eq!(changes(ROLE, ""), Vec::<String>::new());
}

#[test]
fn policies_of_their_own() {
    let policy = |roles: &str, effect: &str| {
        format!(
            "  P: {{ Type: AWS::IAM::Policy, Properties: {{ PolicyName: p, Roles: [{roles}], PolicyDocument: {{ Statement: \
             [{{ Effect: {effect}, Action: 's3:*', Resource: '*' }}] }} }} }}\n"
        )
    };
    let found = changes(&policy("a", "Allow"), &policy("a, b", "Allow"));
    assert_eq!(found, ["P PolicyDocument: Allow s3:* on *", "P Roles: now attached to b"]);
    assert_eq!(changes(&policy("a, b", "Allow"), &policy("a", "Allow")), Vec::<String>::new());
    assert_eq!(changes(&policy("a", "Deny"), ""), ["P PolicyDocument: no longer: Deny s3:* on *"]);
    assert_eq!(changes(&policy("a", "Allow"), ""), Vec::<String>::new());
}

#[test]
fn policies_of_resources_wherever_they_are() {
    for (kind, property) in [
        ("AWS::S3::BucketPolicy", "PolicyDocument"),
        ("AWS::SQS::QueuePolicy", "PolicyDocument"),
        ("AWS::SNS::TopicPolicy", "PolicyDocument"),
        ("AWS::KMS::Key", "KeyPolicy"),
        ("AWS::SecretsManager::ResourcePolicy", "ResourcePolicy"),
        ("AWS::ECR::Repository", "RepositoryPolicyText"),
        ("AWS::Some::Thing", "Anything"),
    ] {
        let of = |who: &str| {
            format!(
                "  P: {{ Type: {kind}, Properties: {{ {property}: {{ Statement: [{{ Effect: Allow, Principal: {who}, \
                 Action: 'a:b', Resource: '*' }}] }} }} }}\n"
            )
        };
        let grants = format!("P {property}: Allow a:b on * to everyone (*)");
        only_forth(&of("{ AWS: '111122223333' }"), &of("'*'"), &[&grants]);
        only_forth(&format!("  P: {{ Type: {kind} }}\n"), &of("'*'"), &[&grants]);
    }
    let table = |who: &str| {
        format!(
            "  T: {{ Type: AWS::DynamoDB::Table, Properties: {{ ResourcePolicy: {{ PolicyDocument: {{ Statement: [{{ Effect: \
             Allow, Principal: {who}, Action: 'a:b', Resource: '*' }}] }} }} }} }}\n"
        )
    };
    only_forth(
        &table("{ AWS: '1' }"),
        &table("'*'"),
        &["T ResourcePolicy/PolicyDocument: Allow a:b on * to everyone (*)"],
    );
    // As text, and as an expression.
    let text = "  L: { Type: AWS::Logs::ResourcePolicy, Properties: { PolicyDocument: '{\"Statement\":[{\"Effect\":\"Allow\",\
                \"Principal\":\"*\",\"Action\":\"a:b\",\"Resource\":\"*\"}]}' } }\n";
    assert_eq!(changes("", text), ["L PolicyDocument: Allow a:b on * to everyone (*)"]);
    let expression = |name: &str| {
        format!("  P: {{ Type: AWS::S3::BucketPolicy, Properties: {{ PolicyDocument: !ImportValue {name} }} }}\n")
    };
    assert_eq!(changes(&expression("a"), &expression("a")), Vec::<String>::new());
    assert!(changes(&expression("a"), &expression("b")).iter().all(|line| line.contains("cannot be analyzed")));
    assert!(!changes("", &expression("b")).is_empty());
    // An endpoint without a policy lets everything through.
    let endpoint = "  E: { Type: AWS::EC2::VPCEndpoint, Properties: { PolicyDocument: { Statement: [{ Effect: Allow, Principal: \
                    '*', Action: 's3:*', Resource: '*' }] } } }\n";
    only_forth(endpoint, "  E: { Type: AWS::EC2::VPCEndpoint }\n", &["E PolicyDocument: Allow * on * to everyone (*)"]);
}

#[test]
fn permissions_of_functions() {
    let of = |more: &str| {
        format!(
            "  P: {{ Type: AWS::Lambda::Permission, Properties: {{ FunctionName: f, Action: 'lambda:InvokeFunction', \
             Principal: sns.amazonaws.com{more} }} }}\n"
        )
    };
    only_forth(
        &of(", SourceArn: 'arn:a'"),
        &of(""),
        &["P Principal: Allow lambda:InvokeFunction on f to Service:sns.amazonaws.com"],
    );
    assert_eq!(changes("", &of("")).len(), 1);
    assert_eq!(changes(&of(""), ""), Vec::<String>::new());
}

#[test]
fn security_groups() {
    let group = |rules: &str| {
        format!("  G: {{ Type: AWS::EC2::SecurityGroup, Properties: {{ SecurityGroupIngress: [{rules}] }} }}\n")
    };
    let tcp =
        |source: &str, from: i32, to: i32| format!("{{ IpProtocol: tcp, FromPort: {from}, ToPort: {to}, {source} }}");
    let lan = tcp("CidrIp: 10.0.0.0/16", 443, 443);
    for (after, grants) in [
        (tcp("CidrIp: 0.0.0.0/0", 443, 443), "tcp 443 from anywhere (0.0.0.0/0)"),
        (tcp("CidrIp: 10.0.0.0/8", 443, 443), "tcp 443 from 10.0.0.0/8"),
        (tcp("CidrIp: 10.0.0.0/16", 400, 443), "tcp 400-443 from 10.0.0.0/16"),
        ("{ IpProtocol: -1, CidrIp: 10.0.0.0/16 }".to_owned(), "everything from 10.0.0.0/16"),
    ] {
        only_forth(&group(&lan), &group(&after), &[&format!("G SecurityGroupIngress: {grants}")]);
    }
    for more in ["CidrIpv6: '::/0'", "SourceSecurityGroupId: !Ref Other", "SourcePrefixListId: pl-1"] {
        let both = format!("{lan}, {}", tcp(more, 443, 443));
        assert_eq!(changes(&group(&lan), &group(&both)).len(), 1, "{more}");
        assert_eq!(changes(&group(&both), &group(&lan)), Vec::<String>::new());
    }
    // The same in other words.
    assert_eq!(
        changes(&group(&lan), &group("{ IpProtocol: '6', FromPort: '443', ToPort: 443, CidrIp: 10.0.0.0/16 }")),
        Vec::<String>::new()
    );
    let own = |cidr: &str| {
        format!(
            "  I: {{ Type: AWS::EC2::SecurityGroupIngress, Properties: {{ GroupId: g, IpProtocol: tcp, FromPort: 1, ToPort: 1, \
             CidrIp: {cidr} }} }}\n"
        )
    };
    only_forth(&own("10.0.0.0/16"), &own("0.0.0.0/0"), &["I CidrIp: tcp 1 from anywhere (0.0.0.0/0)"]);
    let acl = |action: &str| {
        format!(
            "  A: {{ Type: AWS::EC2::NetworkAclEntry, Properties: {{ RuleAction: {action}, Protocol: -1, CidrBlock: 0.0.0.0/0 }} }}\n"
        )
    };
    assert_eq!(changes(&acl("deny"), &acl("allow")).len(), 1);
}

#[test]
fn settings_that_open_a_resource() {
    let of = |kind: &str, properties: &str| format!("  X: {{ Type: {kind}, Properties: {{ A: 1, {properties} }} }}\n");
    for (kind, closed, open) in [
        ("AWS::S3::Bucket", "PublicAccessBlockConfiguration: { BlockPublicPolicy: true }", "B: 1"),
        (
            "AWS::S3::Bucket",
            "PublicAccessBlockConfiguration: { BlockPublicPolicy: true }",
            "PublicAccessBlockConfiguration: { BlockPublicPolicy: false }",
        ),
        ("AWS::S3::Bucket", "AccessControl: Private", "AccessControl: PublicRead"),
        ("AWS::RDS::DBInstance", "PubliclyAccessible: false", "PubliclyAccessible: true"),
        ("AWS::Redshift::Cluster", "PubliclyAccessible: 'false'", "PubliclyAccessible: 'true'"),
        ("AWS::ElasticLoadBalancingV2::LoadBalancer", "Scheme: internal", "Scheme: internet-facing"),
        ("AWS::ElasticLoadBalancingV2::LoadBalancer", "Scheme: internal", "B: 1"),
        ("AWS::Lambda::Url", "AuthType: AWS_IAM", "AuthType: NONE"),
        (
            "AWS::EC2::Instance",
            "NetworkInterfaces: [{ AssociatePublicIpAddress: false }]",
            "NetworkInterfaces: [{ AssociatePublicIpAddress: true }]",
        ),
        ("AWS::RDS::DBInstance", "PubliclyAccessible: false", "PubliclyAccessible: !Ref Unknown"),
    ] {
        let (closed, open) = (of(kind, closed), of(kind, open));
        assert_eq!(changes(&closed, &open).len(), 1, "{kind} {open}");
        assert_eq!(changes(&open, &closed), Vec::<String>::new(), "{kind}");
        assert_eq!(changes("", &closed), Vec::<String>::new(), "{kind}");
    }
    assert_eq!(changes("", &of("AWS::ElasticLoadBalancingV2::LoadBalancer", "B: 1")).len(), 1);
    assert_eq!(changes("", &of("AWS::S3::Bucket", "B: 1")), Vec::<String>::new());
}

#[test]
fn a_nested_stack_that_changes_counts_because_it_is_not_seen() {
    let nested =
        |url: &str| format!("  N: {{ Type: AWS::CloudFormation::Stack, Properties: {{ TemplateURL: {url} }} }}\n");
    assert_eq!(changes(&nested("a"), &nested("a")), Vec::<String>::new());
    let found = broadened(&resources(&nested("a")), &resources(&nested("b")));
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].access, Access::Unseen);
}

// ---- at random ----

fn element(values: &'static [&'static str]) -> impl Strategy<Value = Vec<String>> {
    prop::collection::vec(prop::sample::select(values), 1..3)
        .prop_map(|list| list.into_iter().map(str::to_owned).collect())
}

prop_compose! {
    fn statement()(
        deny in prop::bool::weighted(0.2),
        actions in element(&["s3:Get*", "s3:PutObject", "kms:Decrypt", "iam:Pass?ole"]),
        resources in element(&["arn:aws:s3:::a/*", "arn:aws:s3:::b", "arn:aws:kms:*:1:key/k"]),
        principals in element(&["111122223333", "444455556666", "arn:aws:iam::111122223333:role/r"]),
        org in prop::option::of(prop::sample::select(vec!["o-1", "o-2"])),
    ) -> Value {
        let mut statement = json!({
            "Effect": if deny { "Deny" } else { "Allow" }, "Action": actions, "Resource": resources,
            "Principal": { "AWS": principals },
        });
        if let Some(org) = org {
            statement["Condition"] = json!({ "StringEquals": { "aws:PrincipalOrgID": [org] } });
        }
        statement
    }
}

/// The same, written in another way.
fn rewritten(statement: &Value) -> Value {
    let mut other = json!({ "Sid": "Other" });
    for (key, value) in statement.as_object().unwrap().iter().rev() {
        other[key] = value.clone();
    }
    for key in ["Action", "Resource"] {
        let list = other[key].as_array_mut().unwrap();
        list.reverse();
        let first = list[0].clone();
        if list.len() == 1 {
            other[key] = first;
        } else {
            list.push(first);
        }
    }
    let upper = other["Action"].to_string().replace("s3:", "S3:");
    other["Action"] = serde_json::from_str(&upper).unwrap();
    let principals =
        other["Principal"]["AWS"].to_string().replace("\"111122223333\"", "\"arn:aws:iam::111122223333:root\"");
    other["Principal"] = json!({ "AWS": serde_json::from_str::<Value>(&principals).unwrap() });
    other
}

proptest! {
    #[test]
    fn a_policy_written_in_another_way_gives_nothing(statements in prop::collection::vec(statement(), 1..5)) {
        let other: Vec<Value> = statements.iter().rev().map(rewritten).collect();
        prop_assert_eq!(gains(&policy(&statements), &policy(&other)), Vec::<String>::new());
        prop_assert_eq!(gains(&policy(&other), &policy(&statements)), Vec::<String>::new());
    }

    /// Each element of each statement, made wider than anything that is drawn, is found.
    #[test]
    fn whatever_is_widened_is_found(
        statements in prop::collection::vec(statement(), 1..5), which in any::<prop::sample::Index>(), what in 0..6_usize,
    ) {
        let mut after = statements.clone();
        let index = which.index(after.len());
        let denies = after[index]["Effect"] == "Deny";
        match (what, denies) {
            // A statement that denies widens by going.
            (_, true) => { after.remove(index); }
            (0, _) => after[index]["Action"] = json!("*"),
            (1, _) => after[index]["Resource"] = json!("*"),
            (2, _) => after[index]["Principal"] = json!("*"),
            (3, _) => after[index]["Principal"]["Service"] = json!("new.amazonaws.com"),
            (4, _) => after.push(json!({ "Effect": "Allow", "Action": "new:Action", "Resource": "*", "Principal": "*" })),
            (_, _) => {
                let action = after[index]["Action"].as_array_mut().unwrap();
                action.push(json!("new:Action"));
            }
        }
        // Others may deny the same together.
        let others: Vec<Value> = after.iter().filter(|other| other["Effect"] == "Deny").cloned().collect();
        let remains = denies && gains(&policy(&[statements[index].clone()]), &policy(&others)).is_empty();
        prop_assume!(!remains);
        prop_assert!(!gains(&policy(&statements), &policy(&after)).is_empty(), "{statements:?} {after:?}");
    }
}
