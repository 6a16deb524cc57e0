//! What is read of a pair of failover records: the records, the primary's health check, and the alarm behind it.

use super::Observer;
use super::records::read_sets;
use crate::model::{FailoverRole, RecordPlace, Scope, Seen, SetRouting, TrafficSeen};
use crate::ports::{Priority, all};

impl Observer<'_> {
    /// Reads the records of the name and type at `place`, the health check of the primary and its alarm. Three calls: two
    /// to Route 53's control plane, and one to CloudWatch in the alarm's region.
    pub async fn traffic(&self, place: &RecordPlace) -> TrafficSeen {
        let scope = &place.scope;
        let records = self.governor.records(scope, self.role(scope), Priority::Status);
        let sets = self.within(async { read_sets(&*records, &place.zone, Some(&place.of)).await.map(Some) }).await;
        let primary = SetRouting::Failover(FailoverRole::Primary);
        let id = match &sets {
            Seen::Present(sets) => {
                sets.iter().find(|set| set.routing == primary).and_then(|set| set.health_check.clone())
            }
            Seen::Absent => None,
            Seen::Unknown(why) => {
                let (check, alarm) = (Seen::Unknown(why.clone()), Seen::Unknown(why.clone()));
                return TrafficSeen { sets, check, alarm };
            }
        };
        let check = match id {
            Some(id) => self.within(records.health_check(&id)).await,
            None => Seen::Absent,
        };
        let alarm = match &check {
            Seen::Present(check) => match &check.alarm {
                Some(watched) => {
                    let there = Scope { account: scope.account.clone(), region: watched.region.clone() };
                    let health = self.governor.health(&there, self.role(&there), Priority::Status);
                    let names = [watched.name.clone()];
                    let read = async {
                        let alarms = all("DescribeAlarms", |page| health.alarms(&names, page)).await?;
                        Ok(alarms.into_iter().find(|alarm| alarm.name == names[0]))
                    };
                    self.within(read).await
                }
                None => Seen::Absent,
            },
            Seen::Absent => Seen::Absent,
            Seen::Unknown(why) => Seen::Unknown(why.clone()),
        };
        TrafficSeen { sets, check, alarm }
    }
}
