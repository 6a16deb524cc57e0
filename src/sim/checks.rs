//! Health checks of Route 53, and which record of a name they let it answer with.
//!
//! A check of an endpoint is as healthy as the endpoint is now: how many checkers agree, and how often they ask, is not
//! simulated. A check of an alarm follows the alarm's settings as they are, where Route 53 keeps a copy of them.

use serde_json::Value as Json;

use super::console::Console;
use super::evaluate::shown;
use super::metrics::rule;
use super::resource::Resource;
use super::site::Site;
use super::web::HOPS_MAX;
use super::world::World;
use crate::model::{AccountId, FailoverRole, HealthCheck, RecordContent, RecordSet, Scope, SetRouting, WatchedAlarm};

const KIND: &str = "AWS::Route53::HealthCheck";

/// A field of a health check's configuration.
fn field(check: &Resource, name: &str) -> Option<String> {
    check.properties.get("HealthCheckConfig")?.get(name).map(shown)
}

fn is_on(check: &Resource, name: &str) -> bool {
    field(check, name).as_deref() == Some("true")
}

/// The alarm that a health check names.
struct Watched<'w> {
    region: String,
    name: String,
    /// Where it is, if it is there.
    found: Option<(usize, &'w Resource)>,
}

impl World {
    fn check(&self, id: &str) -> Option<(&AccountId, &Resource)> {
        self.data.stacks.iter().enumerate().find_map(|(ix, stack)| {
            let found = stack.resources.values().find(|found| found.kind == KIND && found.physical_id == id)?;
            Some((&self.scope_of(ix).account, found))
        })
    }

    /// The number of another region of an account, if anything is there.
    fn region_of(&self, account: &AccountId, region: &str) -> Option<usize> {
        let is_it = |scope: &Scope| scope.account == *account && scope.region.as_str() == region;
        self.data.regions.iter().position(|known| is_it(&known.scope))
    }

    fn watched(&self, account: &AccountId, check: &Resource) -> Option<Watched<'_>> {
        let alarm = check.properties.get("HealthCheckConfig")?.get("AlarmIdentifier")?;
        let text = |name: &str| alarm.get(name).map(shown);
        let (region, name) = (text("Region")?, text("Name")?);
        let found = self.region_of(account, &region).and_then(|at| Some((at, self.alarm(at, &name)?)));
        Some(Watched { region, name, found })
    }

    /// AWS: *`GetHealthCheck`*.
    pub(super) fn health_check(&self, account: &AccountId, id: &str) -> Option<HealthCheck> {
        let (_, check) = self.check(id).filter(|(owner, _)| *owner == account)?;
        let alarm = self.watched(account, check).and_then(|Watched { region, name, found }| {
            let rule = found.and_then(|(_, alarm)| rule(alarm));
            Some(WatchedAlarm { region: region.parse().ok()?, name, rule })
        });
        Some(HealthCheck {
            kind: field(check, "Type").unwrap_or_default(),
            inverted: is_on(check, "Inverted"),
            disabled: self.data.dns.disabled.contains(id),
            alarm,
            without_data: field(check, "InsufficientDataHealthStatus"),
        })
    }

    /// Whether Route 53 takes it for healthy. `hops`: how many names may still be followed to find out.
    fn is_healthy(&self, id: &str, hops: usize) -> bool {
        // What becomes of a record whose check was deleted is not documented.
        let Some((account, check)) = self.check(id) else { return true };
        // A disabled one counts as healthy, and that can be inverted too (AWS: *`HealthCheckConfig`*, `Disabled`).
        let healthy = self.data.dns.disabled.contains(id)
            || match field(check, "Type").as_deref() {
                Some("CLOUDWATCH_METRIC") => self.follows_alarm(account, check),
                Some("CALCULATED") => self.is_enough(check, hops),
                Some("RECOVERY_CONTROL") => true,
                _ => self.answers(check, hops),
            };
        healthy != is_on(check, "Inverted")
    }

    /// The data decide, and not the state that somebody may have set (AWS: *Health checks that monitor CloudWatch alarms*).
    /// A new check is healthy until there are data (AWS: *`InsufficientDataHealthStatus`*).
    fn follows_alarm(&self, account: &AccountId, check: &Resource) -> bool {
        let found = self.watched(account, check).and_then(|watched| watched.found);
        let judged = found.and_then(|(region, alarm)| self.judge_metric(region, &rule(alarm)?));
        // What cannot be read is as if it were not there.
        let readable = found.is_some_and(|(region, _)| !self.is_lost(region));
        match (judged, field(check, "InsufficientDataHealthStatus").as_deref()) {
            (Some(judged), _) if judged.sufficient && readable => !judged.alarm,
            (_, Some("Healthy")) => true,
            (_, Some("Unhealthy")) => false,
            (judged, _) => judged.is_none_or(|judged| !judged.alarm),
        }
    }

    /// Whether so many of its children are healthy as it wants.
    fn is_enough(&self, check: &Resource, hops: usize) -> bool {
        let Some(hops) = hops.checked_sub(1) else { return true };
        let children = check.properties.get("HealthCheckConfig").and_then(|config| config.get("ChildHealthChecks"));
        let children = children.and_then(Json::as_array).into_iter().flatten();
        let healthy = children.filter(|child| self.is_healthy(&shown(child), hops)).count();
        healthy >= field(check, "HealthThreshold").and_then(|number| number.parse().ok()).unwrap_or(0)
    }

    /// Whether an endpoint answers as it should (AWS: *How Route 53 determines whether a health check is healthy*).
    fn answers(&self, check: &Resource, hops: usize) -> bool {
        let Some(host) = field(check, "FullyQualifiedDomainName").or_else(|| field(check, "IPAddress")) else {
            return false;
        };
        let Some(Site::Answers { status, body }) = self.site_of(&host, hops) else { return false };
        let is_http = field(check, "Type").is_some_and(|kind| kind.starts_with("HTTP"));
        let says = field(check, "SearchString").is_none_or(|text| body.contains(&text));
        !is_http || (200..400).contains(&status) && says
    }

    fn is_well(&self, set: &RecordSet, hops: usize) -> bool {
        let Some(hops) = hops.checked_sub(1) else { return true };
        let target = match &set.content {
            RecordContent::Alias { dns_name, evaluate_health: true, .. } => {
                let site = self.site_of(dns_name.trim_end_matches('.').trim_start_matches("dualstack."), hops);
                matches!(site, Some(Site::Answers { status, .. }) if status < 500)
            }
            _ => true,
        };
        target && set.health_check.as_ref().is_none_or(|id| self.is_healthy(id, hops))
    }

    /// Which of the record sets of one name and type is answered (AWS: *How Route 53 chooses records when health checking is
    /// configured*; of failover records: *`ResourceRecordSet`*, `Failover`).
    pub(super) fn answered<'s>(&self, sets: &[&'s RecordSet], hops: usize) -> Option<&'s RecordSet> {
        let role = |role| sets.iter().find(|set| set.routing == SetRouting::Failover(role)).copied();
        let (primary, secondary) = (role(FailoverRole::Primary), role(FailoverRole::Secondary));
        if let (Some(primary), Some(secondary)) = (primary, secondary) {
            let falls = !self.is_well(primary, hops) && self.is_well(secondary, hops);
            return Some(if falls { secondary } else { primary });
        }
        let weighs = |set: &&RecordSet| !matches!(set.routing, SetRouting::Weighted(0));
        let well = || sets.iter().copied().filter(|set| self.is_well(set, hops));
        let all = || sets.iter().copied();
        // Without a healthy one all count as healthy; those of weight 0 only where no other is.
        well().find(weighs).or_else(|| well().next()).or_else(|| all().find(weighs)).or_else(|| all().next())
    }
}

impl Console {
    /// Where a name leads to now, as a public resolver would say that remembers nothing.
    #[must_use]
    pub fn resolve(&self, name: &str) -> Option<String> {
        self.world().resolve_name(name, HOPS_MAX)
    }

    /// Disables a health check, or enables it again.
    pub fn disable_health_check(&self, id: &str, disabled: bool) {
        let mut world = self.world();
        if disabled {
            world.data.dns.disabled.insert(id.to_owned());
        } else {
            world.data.dns.disabled.remove(id);
        }
    }
}
