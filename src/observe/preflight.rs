//! Asks what a preflight has to know. Like every look it never fails: what could not be read is in the answers.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::stream::iter;
use jiff::SignedDuration;

use super::Observer;
use crate::model::{Bucket, Scope, Seen, Unknown, UsageMetric};
use crate::plan::preflight::{
    Answers, ON_KEYS, ON_TRANSFORMS, Questions, Quota, key_arn, policy_source, transform_arn,
};
use crate::ports::{Account, PortError, Priority, all};

/// Questions that are asked at the same time.
const AT_ONCE: usize = 8;

/// How long one may take, waiting for its turn included: dozens wait for the same API.
const WITHIN: Duration = Duration::from_mins(1);

/// Within which a metric must have a value: usage is published every few minutes.
const PUBLISHED_WITHIN: SignedDuration = SignedDuration::from_hours(1);

/// Actions in one simulation; the API's default page of answers.
const ACTIONS_AT_ONCE: usize = 100;

impl Observer<'_> {
    /// The answers to `questions`, in one account and region.
    pub async fn preflight(&self, scope: &Scope, questions: &Questions) -> Answers {
        let port = self.governor.account(scope, self.role(scope), Priority::Status);
        let port = &*port;
        let principal = self.asked(port.principal()).await;
        // Without credentials every further question has the same answer.
        if let Err(why) = &principal {
            return blind(questions, why);
        }
        let types = self.each(&questions.types, |name| port.resource_type(name)).await;
        let certificates = self.each(&questions.certificates, |arn| port.certificate(arn)).await;
        let (mut used, mut measured, mut quotas) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
        for quota in questions.quotas() {
            let state = seen(self.asked(port.quota(quota.service, quota.code)).await);
            let ids = self.asked(ids(port, quota.kind)).await;
            if quota.is_measured() {
                let metric = state.present().and_then(|state| state.usage.as_ref());
                measured.insert(quota.kind.to_owned(), self.measured(port, &quota, metric, &ids).await);
            }
            quotas.insert(quota.code.to_owned(), state);
            used.insert(quota.kind.to_owned(), ids.map(|ids| ids.len()));
        }
        let source = principal.as_ref().ok().map(|principal| policy_source(&principal.arn));
        // The root of an account may do everything.
        let source = source.flatten();
        let denied = match &source {
            Some(source) => self.denied(port, source, questions.actions(&types), None).await,
            None => Ok(BTreeSet::new()),
        };
        let mut transforms_denied = Ok(BTreeSet::new());
        for name in source.iter().flat_map(|_| &questions.transforms) {
            let arn = transform_arn(scope, name);
            let action = BTreeSet::from([ON_TRANSFORMS.to_owned()]);
            let refused = self.denied(port, source.as_deref().unwrap_or_default(), action, Some(&arn)).await;
            transforms_denied = refused.and_then(|refused| {
                let mut all: BTreeSet<String> = transforms_denied?;
                all.extend((!refused.is_empty()).then_some(arn));
                Ok(all)
            });
        }
        let bucket = match &questions.bucket {
            Some(name) => Some(self.bucket(scope, name).await),
            None => None,
        };
        let usable = matches!(bucket, Some(Seen::Present(Bucket::Versioned | Bucket::Unversioned)));
        let key = match questions.bucket.as_ref().filter(|_| usable) {
            Some(name) => {
                let objects = self.governor.objects(scope, self.role(scope), Priority::Status);
                Some(seen(self.asked(objects.key(name)).await))
            }
            None => None,
        };
        let key_denied = match (key.as_ref().and_then(Seen::present), &source) {
            (Some(key), Some(source)) => {
                let actions = ON_KEYS.map(str::to_owned).into();
                self.denied(port, source, actions, key_arn(scope, key).as_deref()).await
            }
            _ => Ok(BTreeSet::new()),
        };
        Answers {
            principal,
            types,
            denied,
            used,
            measured,
            quotas,
            bucket,
            key,
            key_denied,
            transforms_denied,
            certificates,
        }
    }

    /// How much of a quota is used: as AWS's own metric says, or as the resources do. Where nothing exists, and nothing
    /// was published, nothing is used.
    async fn measured(
        &self,
        port: &dyn Account,
        quota: &Quota,
        metric: Option<&UsageMetric>,
        ids: &Result<Vec<String>, Unknown>,
    ) -> Result<f64, Unknown> {
        if let Some(metric) = metric {
            let now = self.cx.now();
            let from = now.saturating_sub(PUBLISHED_WITHIN).unwrap_or(now);
            return match self.asked(port.usage(metric, from, now)).await? {
                Some(used) => Ok(used),
                None if ids.as_ref().is_ok_and(Vec::is_empty) => Ok(0.0),
                None => Err(Unknown::because(format!("no value of {} was published in the last hour", metric.name))),
            };
        }
        let Some(property) = quota.property() else { return Err(Unknown::because("AWS provides no metric for it")) };
        let ids = ids.as_ref().map_err(Clone::clone)?;
        let sizes = iter(ids).map(|id| self.asked(port.size(quota.kind, id, property))).buffered(AT_ONCE);
        let sizes: Vec<Result<Option<f64>, Unknown>> = sizes.collect().await;
        let mut sum = 0.0;
        for (size, id) in sizes.into_iter().zip(ids) {
            sum += size?.ok_or_else(|| Unknown::because(format!("{id} has no {property}")))?;
        }
        Ok(sum)
    }

    async fn asked<T>(&self, read: impl Future<Output = Result<T, PortError>>) -> Result<T, Unknown> {
        match self.cx.timeout(WITHIN, read).await {
            Some(answer) => answer.map_err(Unknown::because),
            None => Err(Unknown::because(format!("no answer within {}", humantime::format_duration(WITHIN)))),
        }
    }

    async fn each<'q, T, F>(
        &self,
        names: &'q BTreeSet<String>,
        read: impl Fn(&'q str) -> F,
    ) -> BTreeMap<String, Seen<T>>
    where
        F: Future<Output = Result<Option<T>, PortError>>,
    {
        let answers = iter(names).map(|name| {
            let read = read(name);
            async move { (name.clone(), seen(self.asked(read).await)) }
        });
        answers.buffered(AT_ONCE).collect().await
    }

    async fn denied(
        &self,
        port: &dyn Account,
        source: &str,
        actions: BTreeSet<String>,
        resource: Option<&str>,
    ) -> Result<BTreeSet<String>, Unknown> {
        let actions: Vec<String> = actions.into_iter().collect();
        let mut denied = BTreeSet::new();
        for some in actions.chunks(ACTIONS_AT_ONCE) {
            let read = all("SimulatePrincipalPolicy", |page| port.denied(source, some, resource, page));
            denied.extend(self.asked(read).await?);
        }
        Ok(denied)
    }
}

fn seen<T>(answer: Result<Option<T>, Unknown>) -> Seen<T> {
    match answer {
        Ok(Some(value)) => Seen::Present(value),
        Ok(None) => Seen::Absent,
        Err(why) => Seen::Unknown(why),
    }
}

async fn ids(port: &dyn Account, kind: &str) -> Result<Vec<String>, PortError> {
    all("ListResources", |page| port.resources(kind, page)).await
}

fn blind(questions: &Questions, why: &Unknown) -> Answers {
    let unknown = || why.clone();
    Answers {
        principal: Err(unknown()),
        types: questions.types.iter().map(|name| (name.clone(), Seen::Unknown(unknown()))).collect(),
        denied: Err(unknown()),
        used: BTreeMap::new(),
        measured: BTreeMap::new(),
        quotas: questions.quotas().map(|quota| (quota.code.to_owned(), Seen::Unknown(unknown()))).collect(),
        bucket: questions.bucket.as_ref().map(|_| Seen::Unknown(unknown())),
        key: questions.bucket.as_ref().map(|_| Seen::Unknown(unknown())),
        key_denied: Err(unknown()),
        transforms_denied: Err(unknown()),
        certificates: questions.certificates.iter().map(|arn| (arn.clone(), Seen::Unknown(unknown()))).collect(),
    }
}
