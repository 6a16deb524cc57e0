//! Asks what a preflight has to know. Like every look it never fails: what could not be read is in the answers.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::stream::iter;

use super::Observer;
use super::pages::all;
use crate::model::{Scope, Seen, Unknown};
use crate::plan::preflight::{Answers, Questions, policy_source};
use crate::ports::{Account, PortError, Priority};

/// Questions that are asked at the same time.
const AT_ONCE: usize = 8;

/// How long one may take, waiting for its turn included: dozens wait for the same API.
const WITHIN: Duration = Duration::from_mins(1);

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
        let (mut used, mut quotas) = (BTreeMap::new(), BTreeMap::new());
        for quota in questions.quotas() {
            quotas.insert(quota.code.to_owned(), seen(self.asked(port.quota(quota.service, quota.code)).await));
            used.insert(quota.kind.to_owned(), self.asked(count(port, quota.kind)).await);
        }
        let source = principal.as_ref().ok().map(|principal| policy_source(&principal.arn));
        let denied = match source {
            Some(Some(source)) => self.denied(port, &source, questions.actions(&types)).await,
            _ => Ok(BTreeSet::new()),
        };
        Answers { principal, types, denied, used, quotas, certificates }
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
    ) -> Result<BTreeSet<String>, Unknown> {
        let actions: Vec<String> = actions.into_iter().collect();
        let mut denied = BTreeSet::new();
        for some in actions.chunks(ACTIONS_AT_ONCE) {
            denied.extend(self.asked(all("SimulatePrincipalPolicy", |page| port.denied(source, some, page))).await?);
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

async fn count(port: &dyn Account, kind: &str) -> Result<usize, PortError> {
    Ok(all("ListResources", |page| port.resources(kind, page)).await?.len())
}

fn blind(questions: &Questions, why: &Unknown) -> Answers {
    let unknown = || why.clone();
    Answers {
        principal: Err(unknown()),
        types: questions.types.iter().map(|name| (name.clone(), Seen::Unknown(unknown()))).collect(),
        denied: Err(unknown()),
        used: BTreeMap::new(),
        quotas: questions.quotas().map(|quota| (quota.code.to_owned(), Seen::Unknown(unknown()))).collect(),
        certificates: questions.certificates.iter().map(|arn| (arn.clone(), Seen::Unknown(unknown()))).collect(),
    }
}
