//! What the answers to a preflight's questions mean: one line for each prerequisite.

use jiff::{SignedDuration, Timestamp};

use super::{Answers, Measure, ON_KEYS, ON_TRANSFORMS, Questions, Quota, sizes};
use crate::model::{Bucket, Met, Prerequisite, Principal, Scope, Seen, TypeFacts, Unknown};

/// A certificate that ends sooner is reported. ACM renews 60 days before, where it can; at 30 something is wrong.
const CERTIFICATE_LEFT: SignedDuration = SignedDuration::from_hours(30 * 24);

/// What the answers mean: one line for each prerequisite.
#[must_use]
pub fn judge(scope: &Scope, asked: &Questions, answers: &Answers, now: Timestamp) -> Vec<Prerequisite> {
    let mut lines = vec![credentials(scope, &answers.principal)];
    lines.push(permissions(asked, answers));
    if !asked.transforms.is_empty() {
        lines.push(transforms(scope, asked, answers));
    }
    lines.push(availability(scope, asked, answers));
    lines.extend(asked.bucket.iter().zip(&answers.bucket).map(|(name, seen)| bucket(scope, name, seen)));
    lines.extend(asked.bucket.iter().zip(&answers.key).filter_map(|(name, key)| encryption(name, key, answers)));
    lines.extend(asked.quotas().map(|quota| room(&quota, asked, answers)));
    lines.extend(asked.certificates.iter().map(|arn| certificate(arn, answers, now)));
    lines
}

fn line(topic: &str, what: String, met: Met, found: String, remedy: Option<String>) -> Prerequisite {
    Prerequisite { topic: topic.to_owned(), what, met, found, remedy }
}

fn credentials(scope: &Scope, principal: &Result<Principal, Unknown>) -> Prerequisite {
    let what = format!("credentials of account {}", scope.account);
    match principal {
        Ok(principal) if principal.account == scope.account => {
            line("credentials", what, Met::Ok, principal.arn.clone(), None)
        }
        Ok(principal) => {
            let found = format!("{} belongs to account {}", principal.arn, principal.account);
            let remedy = "use other credentials, or set `role` of the environment to a role in that account";
            line("credentials", what, Met::Missing, found, Some(remedy.to_owned()))
        }
        Err(why) => {
            let remedy = "make `aws sts get-caller-identity` work here; if a role is assumed, its trust policy must allow the caller";
            line("credentials", what, Met::Unknown, why.to_string(), Some(remedy.to_owned()))
        }
    }
}

fn permissions(asked: &Questions, answers: &Answers) -> Prerequisite {
    let actions = asked.actions(&answers.types).len();
    let what = format!("permission for {actions} actions");
    match &answers.denied {
        Ok(denied) if denied.is_empty() => {
            line("permission", what, Met::Ok, "the policies allow all of them".to_owned(), None)
        }
        Ok(denied) => {
            let list = denied.iter().map(String::as_str).collect::<Vec<_>>().join(", ");
            let remedy = "allow them in the caller's policies; the simulation does not cover resource conditions and \
            organization policies";
            line("permission", what, Met::Missing, format!("not allowed: {list}"), Some(remedy.to_owned()))
        }
        Err(why) => {
            let remedy = "allow iam:SimulatePrincipalPolicy for the caller, or review the caller's policies";
            line("permission", what, Met::Unknown, why.to_string(), Some(remedy.to_owned()))
        }
    }
}

/// What a caller needs on each macro, beside what it needs on the stack.
fn transforms(scope: &Scope, asked: &Questions, answers: &Answers) -> Prerequisite {
    let named: Vec<&str> = asked.transforms.iter().map(String::as_str).collect();
    let what = format!("permission for {ON_TRANSFORMS} on the transforms {}", named.join(", "));
    match &answers.transforms_denied {
        Ok(denied) if denied.is_empty() => line("permission", what, Met::Ok, "the policies allow it".to_owned(), None),
        Ok(denied) => {
            let list = denied.iter().map(String::as_str).collect::<Vec<_>>().join(", ");
            let any = format!("arn:{}:cloudformation:{}:*:transform/*", scope.region.partition(), scope.region);
            let remedy = format!("allow {ON_TRANSFORMS} on them in the caller's policies, or on {any}");
            line("permission", what, Met::Missing, format!("not allowed on {list}"), Some(remedy))
        }
        Err(why) => {
            let remedy = "allow iam:SimulatePrincipalPolicy for the caller, or review the caller's policies";
            line("permission", what, Met::Unknown, why.to_string(), Some(remedy.to_owned()))
        }
    }
}

/// What a caller needs on the key that encrypts a bucket. Nothing is said where AWS manages the key.
fn encryption(bucket: &str, key: &Seen<String>, answers: &Answers) -> Option<Prerequisite> {
    let both = ON_KEYS.join(" and ");
    let key = match key {
        Seen::Absent => return None,
        Seen::Present(key) => key,
        Seen::Unknown(why) => {
            let what = format!("encryption of bucket {bucket}");
            let remedy =
                format!("allow s3:GetEncryptionConfiguration; if a KMS key encrypts it, allow {both} on that key");
            return Some(line("permission", what, Met::Unknown, why.to_string(), Some(remedy)));
        }
    };
    let what = format!("permission for {both} on the key of bucket {bucket}");
    Some(match &answers.key_denied {
        Ok(denied) if denied.is_empty() => {
            line("permission", what, Met::Ok, format!("the policies allow them on {key}"), None)
        }
        // A key's policy can allow what the caller's do not (AWS: *Key policies in AWS KMS*), and the simulation lacks it.
        Ok(denied) => {
            let list = denied.iter().map(String::as_str).collect::<Vec<_>>().join(", ");
            let found = format!("the caller's policies do not allow {list} on {key}; its key policy may allow it");
            let remedy = format!("allow {both} on the key in the caller's policies, or check the key's policy");
            line("permission", what, Met::Unknown, found, Some(remedy))
        }
        Err(why) => {
            let remedy = format!("review the caller's policies and the key's policy: both actions are needed on {key}");
            line("permission", what, Met::Unknown, why.to_string(), Some(remedy))
        }
    })
}

fn bucket(scope: &Scope, name: &str, seen: &Seen<Bucket>) -> Prerequisite {
    let what = format!("bucket {name} for templates");
    match seen {
        Seen::Present(Bucket::Versioned) => {
            line("bucket", what, Met::Ok, "it exists and versioning is enabled".to_owned(), None)
        }
        Seen::Present(Bucket::Unversioned) => {
            let remedy =
                format!("`aws s3api put-bucket-versioning --bucket {name} --versioning-configuration Status=Enabled`");
            line("bucket", what, Met::Missing, "its versioning is off".to_owned(), Some(remedy))
        }
        Seen::Present(Bucket::Unusable(why)) => {
            let remedy = format!("set `templateBucket` to a bucket of account {} in {}", scope.account, scope.region);
            line("bucket", what, Met::Missing, why.clone(), Some(remedy))
        }
        Seen::Absent => {
            line("bucket", what, Met::Missing, "it does not exist".to_owned(), Some("create it".to_owned()))
        }
        Seen::Unknown(why) => {
            line("bucket", what, Met::Unknown, why.to_string(), Some("allow s3:GetBucketVersioning".to_owned()))
        }
    }
}

fn availability(scope: &Scope, asked: &Questions, answers: &Answers) -> Prerequisite {
    let what = format!("{} resource types in {}", asked.types.len(), scope.region);
    let of = |wanted: fn(&Seen<TypeFacts>) -> bool| -> Vec<&str> {
        let found = asked.types.iter().filter(|name| answers.types.get(*name).is_some_and(wanted));
        found.map(String::as_str).collect()
    };
    let (absent, unknown) = (of(|seen| *seen == Seen::Absent), of(|seen| matches!(seen, Seen::Unknown(_))));
    if !absent.is_empty() {
        let found = format!("not available in this region: {}", absent.join(", "));
        let remedy = "choose another region, or remove these types from the templates";
        return line("type", what, Met::Missing, found, Some(remedy.to_owned()));
    }
    if let Some(first) = unknown.first() {
        let why = answers.types.get(*first).and_then(|seen| match seen {
            Seen::Unknown(why) => Some(why.to_string()),
            _ => None,
        });
        let found = format!("{} could not be looked up: {}", unknown.join(", "), why.unwrap_or_default());
        return line("type", what, Met::Unknown, found, Some("allow cloudformation:DescribeType".to_owned()));
    }
    line("type", what, Met::Ok, "all are available".to_owned(), None)
}

fn room(quota: &Quota, asked: &Questions, answers: &Answers) -> Prerequisite {
    let new = asked.new.get(quota.kind).copied().unwrap_or_default();
    let what = format!("{new} × {} within {}", quota.kind, quota.name);
    let allowed = match answers.quotas.get(quota.code) {
        Some(Seen::Present(quota)) => quota.value,
        Some(Seen::Absent) => {
            return line("quota", what, Met::Ok, "the region does not have this quota".to_owned(), None);
        }
        Some(Seen::Unknown(why)) => return no_quota(what, why),
        None => return no_quota(what, &Unknown::because("it was not requested")),
    };
    let used = match answers.used.get(quota.kind) {
        Some(Ok(used)) => *used,
        Some(Err(why)) => {
            let sum = asked.sizes.get(quota.kind);
            if let Some(sum) = sum.filter(|sum| sum.known > allowed) {
                let found = format!("the plan needs {sum}; the quota is {allowed}");
                let remedy = format!("request an increase in Service Quotas ({}, {})", quota.name, quota.code);
                return line("quota", what, Met::Missing, found, Some(remedy));
            }
            let needs = sum.map_or_else(String::new, |sum| format!("the plan needs {sum}; "));
            let found = format!("{needs}the quota is {allowed}; current usage is unknown: {why}");
            let remedy = "allow cloudformation:ListResources and read access to this type, or count manually";
            return line("quota", what, Met::Unknown, found, Some(remedy.to_owned()));
        }
        None => 0,
    };
    let found = format!("{used} of {allowed} used");
    let fits = used.saturating_add(new) as f64 <= allowed;
    let more = format!(
        "request an increase in Service Quotas ({}, {}, `aws service-quotas request-service-quota-increase`), or \
        delete unused resources",
        quota.name, quota.code
    );
    match (quota.measure, fits) {
        (Measure::Each | Measure::EachInItsZone, true) => line("quota", what, Met::Ok, found, None),
        (Measure::Each, false) => line("quota", what, Met::Missing, found, Some(more)),
        (Measure::EachInItsZone, false) => {
            line("quota", what, Met::Unknown, format!("{found} in all zones"), Some(more))
        }
        (Measure::Brokers | Measure::Processors, _) => {
            let sum = asked.sizes.get(quota.kind).cloned().unwrap_or_default();
            let unmeasured = Err(Unknown::because("it was not requested"));
            let measured = answers.measured.get(quota.kind).unwrap_or(&unmeasured);
            let (met, found) = sizes::judge(&sum, allowed, measured, used, quota.measure == Measure::Brokers);
            let compare = "allow cloudwatch:GetMetricStatistics and cloudformation:GetResource with the read \
            permissions of the type, or compare with the quota manually";
            let remedy = match met {
                Met::Ok => None,
                Met::Missing => Some(more),
                Met::Unknown => Some(format!("{compare}; {more}")),
            };
            line("quota", what, met, found, remedy)
        }
    }
}

fn no_quota(what: String, why: &Unknown) -> Prerequisite {
    let remedy = "allow servicequotas:GetServiceQuota, or look it up manually";
    line("quota", what, Met::Unknown, format!("the quota could not be read: {why}"), Some(remedy.to_owned()))
}

fn certificate(arn: &str, answers: &Answers, now: Timestamp) -> Prerequisite {
    let what = format!("certificate {arn}");
    match answers.certificates.get(arn) {
        Some(Seen::Present(found)) => {
            let left = found.not_after.map(|until| until.duration_since(now));
            let until =
                found.not_after.map_or_else(String::new, |until| format!(", until {}", until.strftime("%Y-%m-%d")));
            let told = format!("{} for {}{until}", found.status, found.domain);
            if found.status != "ISSUED" {
                let remedy =
                    "complete its validation (the CNAME records that ACM requires), or use another certificate";
                return line("certificate", what, Met::Missing, told, Some(remedy.to_owned()));
            }
            if left.is_some_and(|left| left < CERTIFICATE_LEFT) {
                let remedy = "find out why it is not renewed: check its validation records; imported certificates are \
                not renewed";
                return line("certificate", what, Met::Missing, told, Some(remedy.to_owned()));
            }
            line("certificate", what, Met::Ok, told, None)
        }
        Some(Seen::Absent) => {
            let remedy = "request it in ACM in the same account and region, or correct the parameter";
            line("certificate", what, Met::Missing, "no certificate has this ARN".to_owned(), Some(remedy.to_owned()))
        }
        Some(Seen::Unknown(why)) => {
            line("certificate", what, Met::Unknown, why.to_string(), Some("allow acm:DescribeCertificate".to_owned()))
        }
        None => line("certificate", what, Met::Unknown, "it was not checked".to_owned(), None),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use super::super::Purpose;
    use super::*;
    use crate::model::{Certificate, QuotaState};

    fn scope() -> Scope {
        Scope { account: "111122223333".parse().unwrap(), region: "us-east-1".parse().unwrap() }
    }

    fn now() -> Timestamp {
        "2026-01-01T00:00:00Z".parse().unwrap()
    }

    fn asked() -> Questions {
        Questions {
            types: ["AWS::EC2::VPC".to_owned()].into(),
            own_types: ["AWS::EC2::VPC".to_owned()].into(),
            new: [("AWS::EC2::VPC".to_owned(), 2)].into(),
            purposes: [Purpose::Stacks].into(),
            bucket: None,
            certificates: ["arn:aws:acm:us-east-1:111122223333:certificate/1".to_owned()].into(),
            ..Questions::default()
        }
    }

    fn answers() -> Answers {
        let facts = TypeFacts { create: ["ec2:CreateVpc".to_owned(), "ec2:*".to_owned()].into() };
        let not_after = now().saturating_add(SignedDuration::from_hours(24 * 90)).ok();
        let certificate = Certificate { domain: "api.example.com".to_owned(), status: "ISSUED".to_owned(), not_after };
        Answers {
            principal: Ok(Principal { account: scope().account, arn: "arn:aws:iam::111122223333:user/ops".to_owned() }),
            types: [("AWS::EC2::VPC".to_owned(), Seen::Present(facts))].into(),
            denied: Ok(BTreeSet::new()),
            used: [("AWS::EC2::VPC".to_owned(), Ok(3))].into(),
            measured: BTreeMap::new(),
            quotas: [("L-F678F1CE".to_owned(), Seen::Present(QuotaState { value: 5.0, usage: None }))].into(),
            bucket: None,
            key: None,
            key_denied: Ok(BTreeSet::new()),
            transforms_denied: Ok(BTreeSet::new()),
            certificates: asked()
                .certificates
                .into_iter()
                .map(|arn| (arn, Seen::Present(certificate.clone())))
                .collect(),
        }
    }

    fn met(answers: &Answers) -> Vec<Met> {
        judge(&scope(), &asked(), answers, now()).iter().map(|line| line.met).collect()
    }

    #[test]
    fn what_is_there_is_ok_and_needs_no_remedy() {
        let lines = judge(&scope(), &asked(), &answers(), now());
        assert!(lines.iter().all(|line| line.met == Met::Ok && line.remedy.is_none()), "{lines:?}");
        assert_eq!(lines.len(), 5);
    }

    #[test]
    fn whatever_is_missing_says_so_and_what_to_do() {
        let mut wrong = answers();
        wrong.principal = Ok(Principal { account: "999999999999".parse().unwrap(), arn: "arn:x".to_owned() });
        wrong.denied = Ok(["ec2:CreateVpc".to_owned()].into());
        wrong.types = [("AWS::EC2::VPC".to_owned(), Seen::Absent)].into();
        wrong.used = [("AWS::EC2::VPC".to_owned(), Ok(4))].into();
        wrong.certificates = asked().certificates.into_iter().map(|arn| (arn, Seen::Absent)).collect();
        let lines = judge(&scope(), &asked(), &wrong, now());
        assert!(lines.iter().all(|line| line.met == Met::Missing && line.remedy.is_some()), "{lines:?}");
    }

    #[test]
    fn what_could_not_be_read_is_unknown_and_never_ok() {
        let why = || Unknown::because("no answer");
        let blind = Answers {
            principal: Err(why()),
            types: [("AWS::EC2::VPC".to_owned(), Seen::Unknown(why()))].into(),
            denied: Err(why()),
            used: BTreeMap::new(),
            measured: BTreeMap::new(),
            quotas: [("L-F678F1CE".to_owned(), Seen::Unknown(why()))].into(),
            bucket: None,
            key: None,
            key_denied: Err(why()),
            transforms_denied: Err(why()),
            certificates: asked().certificates.into_iter().map(|arn| (arn, Seen::Unknown(why()))).collect(),
        };
        assert_eq!(met(&blind), [Met::Unknown; 5]);
    }

    #[test]
    fn a_certificate_that_ends_soon_or_is_not_issued_is_not_good_enough() {
        for (status, days) in [("ISSUED", 10), ("PENDING_VALIDATION", 300)] {
            let mut answers = answers();
            for seen in answers.certificates.values_mut() {
                let not_after = now().saturating_add(SignedDuration::from_hours(24 * days)).ok();
                *seen = Seen::Present(Certificate { domain: "a".to_owned(), status: status.to_owned(), not_after });
            }
            assert_eq!(met(&answers).last(), Some(&Met::Missing), "{status}");
        }
    }

    #[test]
    fn transforms_and_the_key_of_the_bucket_are_judged_where_there_are_some() {
        let asked = Questions {
            bucket: Some("templates".to_owned()),
            transforms: ["AWS::LanguageExtensions".to_owned()].into(),
            ..asked()
        };
        let mut answers =
            Answers { bucket: Some(Seen::Present(Bucket::Versioned)), key: Some(Seen::Absent), ..answers() };
        let of = |answers: &Answers, what: &str| {
            let lines = judge(&scope(), &asked, answers, now());
            lines.into_iter().find(|line| line.what.contains(what)).map(|line| (line.met, line.found))
        };
        assert_eq!(of(&answers, "transforms").unwrap().0, Met::Ok);
        assert_eq!(of(&answers, "kms:"), None, "AWS manages the key");
        let arn = "arn:aws:cloudformation:us-east-1:aws:transform/LanguageExtensions";
        answers.transforms_denied = Ok([arn.to_owned()].into());
        answers.key = Some(Seen::Present("1234abcd".to_owned()));
        let (met, found) = of(&answers, "transforms").unwrap();
        assert!(met == Met::Missing && found.contains(arn), "{found}");
        assert_eq!(of(&answers, "kms:").unwrap().0, Met::Ok);
        // The key's own policy may allow it.
        answers.key_denied = Ok(["kms:Decrypt".to_owned()].into());
        assert_eq!(of(&answers, "kms:").unwrap().0, Met::Unknown);
        answers.key = Some(Seen::Unknown(Unknown::because("no answer")));
        assert_eq!(of(&answers, "encryption of bucket").unwrap().0, Met::Unknown);
    }

    #[test]
    fn wildcards_are_not_simulated_and_own_calls_are() {
        let actions = asked().actions(&answers().types);
        assert!(actions.contains("ec2:CreateVpc") && actions.contains("cloudformation:CreateStack"));
        assert!(!actions.iter().any(|action| action.contains('*')));
    }
}
