//! Failover records, held to what AWS documents: *`ResourceRecordSet`*, `Failover`, and *Health checks that monitor
//! CloudWatch alarms*.

use std::collections::BTreeSet;
use std::time::Duration;

use super::{FENCE, Rig, request};
use crate::model::{
    AlarmState, DnsName, FailoverRole, HttpRequest, Metric, Reach, RecordChange, RecordContent, RecordSet, RecordVerb,
    RecordsOf, Region, Scope, Serving, SetRouting, StackStatus, Tls, ZoneId,
};
use crate::ports::{Class, Cloud as _, Probes as _};
use crate::sim::{Fault, FaultPlan, Site, Window};

const TEMPLATE: &str = include_str!("../../../manifests/performance-mgmt/templates/traffic.yaml");

/// A name with a record in the east and one in the west, and an alarm in the west.
struct Pair {
    rig: Rig,
    west: Scope,
    zone: ZoneId,
    check: String,
}

fn west() -> Region {
    "us-west-2".parse().unwrap()
}

impl Pair {
    fn new() -> Self {
        Self::of(TEMPLATE)
    }

    /// With what the template's health check says changed.
    fn with(from: &str, to: &str) -> Self {
        assert!(TEMPLATE.contains(from), "{from}");
        Self::of(&TEMPLATE.replace(from, to))
    }

    fn of(template: &str) -> Self {
        let rig = Rig::new();
        let west = Scope { region: west(), ..rig.scope.clone() };
        let mut wanted = request("prod-traffic", template);
        wanted.options.parameters = super::parameters(&[("Environment", "prod"), ("RecordName", "api.example.com")]);
        let stacks = rig.cloud.stacks(&west, None);
        rig.run(stacks.create(FENCE, wanted)).unwrap();
        rig.pass(Duration::from_mins(10));
        let stack = rig.run(stacks.describe(&super::stack_name("prod-traffic"))).unwrap().unwrap();
        assert_eq!(stack.status, StackStatus::CreateComplete);
        let check = stack.outputs["HealthCheckId"].value.clone();
        let zone = rig.console.create_zone("example.com", false).unwrap();
        for (role, host) in [(FailoverRole::Primary, "east.example.net"), (FailoverRole::Secondary, "west.example.net")]
        {
            let body = host.to_owned();
            rig.console.set_site(host, Some(Site::Answers { status: 200, body }));
            let set = RecordSet {
                of: RecordsOf { name: DnsName::new("api.example.com"), kind: "CNAME".to_owned() },
                set: Some(role.to_string()),
                content: RecordContent::Values { values: vec![host.to_owned()], ttl: 60 },
                routing: SetRouting::Failover(role),
                health_check: (role == FailoverRole::Primary).then(|| check.clone()),
            };
            rig.console.change_records(&zone, &[RecordChange { verb: RecordVerb::Create, set }]).unwrap();
            rig.pass(Duration::from_secs(5));
        }
        Self { rig, west, zone, check }
    }

    fn publish(&self, to: Serving) {
        let metric = Metric::of_traffic(&DnsName::new("api.example.com"));
        self.rig.run(self.rig.cloud.metrics(&self.west, None).put(FENCE, &metric, to.value())).unwrap();
    }

    /// Which region answers at the public name, asked as a client would.
    fn answers(&self) -> String {
        let request = HttpRequest {
            url: "https://api.example.com/".to_owned(),
            expect: 200,
            body: None,
            tls: Tls::Verify,
            timeout: Duration::from_secs(5),
        };
        let answer = self.rig.run(self.rig.cloud.get(&request, &Reach::default())).unwrap();
        String::from_utf8(answer.body).unwrap()
    }

    fn change(&self, role: FailoverRole, change: impl Fn(&mut RecordSet)) {
        let sets = self.rig.console.record_sets(&self.zone);
        let mut set = sets.into_iter().find(|set| set.routing == SetRouting::Failover(role)).unwrap();
        change(&mut set);
        self.rig.console.change_records(&self.zone, &[RecordChange { verb: RecordVerb::Upsert, set }]).unwrap();
        self.rig.pass(Duration::from_secs(5));
    }
}

const EAST: &str = "east.example.net";
const WEST: &str = "west.example.net";

#[test]
fn traffic_follows_the_metric_and_stays_without_one() {
    let pair = Pair::new();
    assert_eq!(pair.answers(), EAST, "a new check is healthy");
    pair.publish(Serving::Primary);
    pair.rig.pass(Duration::from_mins(2));
    assert_eq!(pair.answers(), EAST);
    pair.publish(Serving::Standby);
    pair.rig.pass(Duration::from_mins(2));
    assert_eq!(pair.answers(), WEST);
    pair.rig.pass(Duration::from_hours(24));
    assert_eq!(pair.answers(), WEST, "the last known status holds");
    pair.publish(Serving::Primary);
    pair.rig.pass(Duration::from_mins(2));
    assert_eq!(pair.answers(), EAST);
    pair.rig.pass(Duration::from_hours(24));
    assert_eq!(pair.answers(), EAST);
}

#[test]
fn a_data_point_counts_once_its_minute_is_over_and_the_smallest_value_of_the_minute_decides() {
    let pair = Pair::new();
    let second = pair.rig.cx.now().as_second().rem_euclid(60);
    pair.rig.pass(Duration::from_secs(u64::try_from(65 - second).unwrap()));
    pair.publish(Serving::Primary);
    pair.rig.pass(Duration::from_secs(20));
    pair.publish(Serving::Standby);
    pair.rig.pass(Duration::from_secs(10));
    assert_eq!(pair.answers(), EAST);
    pair.rig.pass(Duration::from_secs(30));
    assert_eq!(pair.answers(), WEST);
}

#[test]
fn what_the_check_says_without_data_is_what_its_configuration_says() {
    let pair = Pair::with("InsufficientDataHealthStatus: LastKnownStatus", "InsufficientDataHealthStatus: Unhealthy");
    assert_eq!(pair.answers(), WEST, "it was never published");
    pair.publish(Serving::Primary);
    pair.rig.pass(Duration::from_mins(1));
    assert_eq!(pair.answers(), EAST);
    pair.rig.pass(Duration::from_mins(10));
    assert_eq!(pair.answers(), WEST);
    let pair = Pair::with("InsufficientDataHealthStatus: LastKnownStatus", "InsufficientDataHealthStatus: Healthy");
    pair.publish(Serving::Standby);
    pair.rig.pass(Duration::from_mins(1));
    assert_eq!(pair.answers(), WEST);
    pair.rig.pass(Duration::from_mins(10));
    assert_eq!(pair.answers(), EAST);
}

#[test]
fn an_alarm_that_somebody_sets_moves_nothing() {
    let pair = Pair::new();
    pair.rig.console.elsewhere(&pair.west).set_alarm("prod-performance-mgmt-traffic", AlarmState::Alarm);
    pair.rig.pass(Duration::from_mins(5));
    assert_eq!(pair.answers(), EAST);
}

#[test]
fn an_inverted_check_says_the_opposite_and_a_disabled_one_is_healthy() {
    let pair = Pair::with("Type: CLOUDWATCH_METRIC", "Type: CLOUDWATCH_METRIC\n        Inverted: true");
    pair.publish(Serving::Primary);
    pair.rig.pass(Duration::from_mins(1));
    assert_eq!(pair.answers(), WEST);
    let pair = Pair::new();
    pair.publish(Serving::Standby);
    pair.rig.pass(Duration::from_mins(1));
    pair.rig.console.disable_health_check(&pair.check, true);
    assert_eq!(pair.answers(), EAST);
    pair.rig.console.disable_health_check(&pair.check, false);
    assert_eq!(pair.answers(), WEST);
}

#[test]
fn without_a_healthy_secondary_the_primary_is_answered() {
    let pair = Pair::new();
    pair.change(FailoverRole::Secondary, |set| set.health_check = Some(pair.check.clone()));
    pair.publish(Serving::Standby);
    pair.rig.pass(Duration::from_mins(1));
    assert_eq!(pair.answers(), EAST, "both are unhealthy");
    pair.change(FailoverRole::Secondary, |set| set.health_check = None);
    assert_eq!(pair.answers(), WEST, "a record without a health check is healthy");
    pair.change(FailoverRole::Primary, |set| set.health_check = None);
    assert_eq!(pair.answers(), EAST);
}

#[test]
fn a_check_of_an_endpoint_is_as_healthy_as_the_endpoint() {
    let template = "
Resources:
  Check:
    Type: AWS::Route53::HealthCheck
    Properties:
      HealthCheckConfig: { Type: HTTPS, FullyQualifiedDomainName: east.example.net, ResourcePath: /health }
Outputs:
  Id: { Value: !Ref Check }
";
    let pair = Pair::new();
    pair.rig.deployed("endpoint", template);
    let check = pair.rig.state("endpoint").outputs["Id"].value.clone();
    pair.change(FailoverRole::Primary, |set| set.health_check = Some(check.clone()));
    assert_eq!(pair.answers(), EAST);
    pair.rig.console.set_site(EAST, Some(Site::Answers { status: 503, body: String::new() }));
    assert_eq!(pair.answers(), WEST);
}

/// The alarm's region is lost with the metric in it: what was known last holds, and nobody can publish.
#[test]
fn in_a_lost_region_nothing_is_published() {
    let pair = Pair::new();
    pair.rig.cloud.set_faults(FaultPlan {
        windows: vec![Window {
            from: Duration::ZERO,
            until: Duration::MAX,
            scope: Some(pair.west.clone()),
            operations: BTreeSet::new(),
            fault: Fault::ErrorBefore,
        }],
        ..FaultPlan::default()
    });
    let metric = Metric::of_traffic(&DnsName::new("api.example.com"));
    let error = pair.rig.run(pair.rig.cloud.metrics(&pair.west, None).put(FENCE, &metric, 0.0)).unwrap_err();
    assert_eq!(error.class, Class::Transient);
    pair.rig.pass(Duration::from_mins(10));
    assert_eq!(pair.answers(), EAST);
}

#[test]
fn a_health_check_is_read_with_the_rule_of_its_alarm() {
    let pair = Pair::new();
    let records = pair.rig.cloud.records(&pair.rig.scope, None);
    let check = pair.rig.run(records.health_check(&pair.check)).unwrap().unwrap();
    let alarm = check.alarm.unwrap();
    assert_eq!((check.kind.as_str(), &alarm.region), ("CLOUDWATCH_METRIC", &west()));
    assert_eq!(alarm.rule.unwrap().metric, Metric::of_traffic(&DnsName::new("api.example.com")));
    assert_eq!(pair.rig.run(records.health_check("none")).unwrap(), None);
    let other = Scope { account: "444455556666".parse().unwrap(), ..pair.rig.scope.clone() };
    assert_eq!(pair.rig.run(pair.rig.cloud.records(&other, None).health_check(&pair.check)).unwrap(), None);
}
