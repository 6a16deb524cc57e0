//! Which secrets there are, and what is read of one because a decision depends on it.
//!
//! A value that is read becomes fingerprints here, and goes no further.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::StreamExt as _;
use futures_util::stream::iter;

use super::Observer;
use super::details::AT_ONCE;
use crate::model::{
    Address, FingerprintKey, OWNER_TAG, Observation, Scope, SecretArn, SecretFields, SecretNeed, SecretState, Seen,
    Unknown, ValueFacts, VersionId,
};
use crate::ports::{PortError, Priority, Secrets, all};
use crate::template;

enum Answer {
    Listing(Scope, Result<BTreeMap<Address, SecretState>, Unknown>),
    Described(Box<(Address, Seen<SecretState>)>),
    Policy(Address, Seen<String>),
    Value((Address, VersionId), Seen<ValueFacts>),
}

impl Observer<'_> {
    /// Answers what must be known of secrets.
    pub(super) async fn answer_secrets(
        &self,
        observation: &mut Observation,
        needs: BTreeSet<SecretNeed>,
        key: &FingerprintKey,
    ) {
        let seen = &mut observation.secrets;
        let mut answers = iter(needs).map(|need| self.ask_secret(need, key)).buffered(AT_ONCE);
        while let Some(answer) = answers.next().await {
            match answer {
                Answer::Listing(scope, Ok(listed)) => {
                    seen.listed.extend(listed);
                    seen.listings.insert(scope, Ok(()));
                }
                Answer::Listing(scope, Err(why)) => {
                    seen.listings.insert(scope, Err(why));
                }
                Answer::Described(described) => {
                    let (address, state) = *described;
                    seen.described.insert(address, state);
                }
                Answer::Policy(address, body) => {
                    if let Seen::Present(body) = &body {
                        seen.policy_texts.insert(address.clone(), body.as_str().into());
                    }
                    seen.policies.insert(address, body.map(|body| template::policy_digest(&body)));
                }
                Answer::Value(version, facts) => {
                    seen.values.insert(version, facts);
                }
            }
        }
    }

    async fn ask_secret(&self, need: SecretNeed, key: &FingerprintKey) -> Answer {
        match need {
            SecretNeed::Listing(scope) => {
                let listed = self.within(self.list_secrets(&scope)).await;
                let listed = match listed {
                    Seen::Present(listed) => Ok(listed),
                    Seen::Absent => Ok(BTreeMap::new()),
                    Seen::Unknown(why) => Err(why),
                };
                Answer::Listing(scope, listed)
            }
            SecretNeed::Describe(address) => {
                let port = self.secrets(&address.scope);
                let state = self.within(port.describe(&address.name)).await;
                Answer::Described(Box::new((address, state)))
            }
            SecretNeed::Policy(address, arn) => {
                let port = self.secrets(&address.scope);
                let policy = self.within(port.policy(&arn)).await;
                Answer::Policy(address, policy)
            }
            SecretNeed::Value(address, arn, version) => {
                let port = self.secrets(&address.scope);
                let facts = self.within(read_value(&*port, &address, &arn, &version, key)).await;
                Answer::Value((address, version), facts)
            }
        }
    }

    fn secrets(&self, scope: &Scope) -> std::sync::Arc<dyn Secrets> {
        self.governor.secrets(scope, self.role(scope), Priority::Status)
    }

    /// All secrets of an account and region that concern us.
    async fn list_secrets(&self, scope: &Scope) -> Result<Option<BTreeMap<Address, SecretState>>, PortError> {
        let port = self.secrets(scope);
        let wanted: BTreeSet<Address> = self.environment.secrets.values().map(|spec| spec.address()).collect();
        let prefix = format!("{}/", self.environment.name);
        let listed = all("ListSecrets", |page| port.list(page)).await?.into_iter().filter_map(|state| {
            let address = Address { scope: scope.clone(), name: state.name.as_str().into() };
            let ours = state.tags.get(OWNER_TAG).is_some_and(|owner| owner.starts_with(&prefix));
            (ours || wanted.contains(&address)).then_some((address, state))
        });
        Ok(Some(listed.collect()))
    }
}

async fn read_value(
    port: &dyn Secrets,
    address: &Address,
    arn: &SecretArn,
    version: &VersionId,
    key: &FingerprintKey,
) -> Result<Option<ValueFacts>, PortError> {
    let Some(found) = port.value(arn, version).await? else { return Ok(None) };
    let made = found.made;
    let facts = found.value.map(|value| SecretFields::of(&value).fingerprints(key, address));
    Ok(facts.map(|fields| ValueFacts { fields, made }))
}
