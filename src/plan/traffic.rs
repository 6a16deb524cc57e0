//! Whether the metric that Landfast publishes, and nothing else, decides where the traffic of a name goes.
//!
//! Judged is what Route 53 itself evaluates: the copy of the alarm's settings that the health check has. What could not be
//! read is a problem like any other: nobody may rely on it.

use crate::model::{
    FailoverRole, HealthCheck, Metric, RecordContent, RecordPlace, RecordSet, Region, Seen, Serving, SetRouting,
    TrafficProblem, TrafficSeen, TrafficVerdict, Unknown, WatchedAlarm,
};
use crate::sabotage::{self, Bug};

/// How long traffic may take to move. Whoever waits for it has decided already: evaluation and a TTL of a minute each are
/// three.
const SLOW: u32 = 5 * 60;

/// Of an alias to a load balancer resolvers remember the answer for a minute (AWS: *Choosing between alias and non-alias
/// records*).
const ALIAS_TTL: u32 = 60;

/// The shortest period that health checks follow (AWS: *`AlarmIdentifier`*: "High-resolution metrics aren't supported").
const STANDARD: u32 = 60;

/// Whether the metric of a name decides alone where its traffic goes. `place` is that of the primary record, `primary` the
/// region that it leads to.
#[must_use]
pub fn judge(place: &RecordPlace, primary: &Region, seen: &TrafficSeen) -> TrafficVerdict {
    let mut judge = Judge { problems: Vec::new(), metric: Metric::of_traffic(&place.of.name) };
    let Some(ttl) = judge.records(seen) else { return TrafficVerdict { problems: judge.problems, seconds: None } };
    let evaluated = judge.check(primary, seen);
    let seconds = evaluated.map(|evaluated| evaluated.saturating_add(ttl));
    if let Some(seconds) = seconds.filter(|seconds| *seconds > SLOW) {
        judge.problems.push(TrafficProblem::Slow { seconds });
    }
    TrafficVerdict { problems: judge.problems, seconds }
}

struct Judge {
    problems: Vec<TrafficProblem>,
    metric: Metric,
}

impl Judge {
    fn unknown(&mut self, what: &'static str, why: &Unknown) {
        self.problems.push(TrafficProblem::Unknown { what, why: why.to_string() });
    }

    /// The records. Answers for how many seconds resolvers may remember them; `None`: there is nothing to go on with.
    fn records(&mut self, seen: &TrafficSeen) -> Option<u32> {
        let sets = match &seen.sets {
            Seen::Present(sets) => sets.as_slice(),
            Seen::Absent => &[],
            Seen::Unknown(why) => {
                self.unknown("the records", why);
                return None;
            }
        };
        for set in sets {
            match &set.routing {
                SetRouting::Failover(_) => {}
                SetRouting::Weighted(0) => self.problems.push(TrafficProblem::WeightZero),
                SetRouting::Weighted(_) => self.problems.push(TrafficProblem::OtherRouting("weighted".to_owned())),
                SetRouting::Simple => self.problems.push(TrafficProblem::OtherRouting("simple".to_owned())),
                SetRouting::Other(rule) => self.problems.push(TrafficProblem::OtherRouting(rule.clone())),
            }
        }
        let (primary, secondary) =
            (self.record(seen, FailoverRole::Primary), self.record(seen, FailoverRole::Secondary));
        if let Some(id) = secondary.and_then(|set| set.health_check.clone()) {
            self.problems.push(TrafficProblem::StandbyHealthCheck(id));
        }
        Some(ttl(primary?).max(secondary.map_or(0, ttl)))
    }

    fn record<'s>(&mut self, seen: &'s TrafficSeen, role: FailoverRole) -> Option<&'s RecordSet> {
        let Some(set) = seen.set(role) else {
            self.problems.push(TrafficProblem::NoRecord(role));
            return None;
        };
        if let RecordContent::Alias { evaluate_health: true, .. } = set.content {
            self.problems.push(TrafficProblem::FollowsTarget(role));
        }
        Some(set)
    }

    /// The primary's health check. Answers in how many seconds it follows the metric, at most; `None`: nobody can say.
    fn check(&mut self, primary: &Region, seen: &TrafficSeen) -> Option<u32> {
        let check = match &seen.check {
            Seen::Present(check) => check,
            Seen::Unknown(why) => {
                self.unknown("the health check", why);
                return None;
            }
            Seen::Absent => {
                let id = seen.set(FailoverRole::Primary).and_then(|set| set.health_check.clone());
                self.problems.push(id.map_or(TrafficProblem::NoHealthCheck, TrafficProblem::HealthCheckMissing));
                return None;
            }
        };
        self.settings(check);
        let Some(alarm) = check.alarm.as_ref().filter(|_| check.kind == "CLOUDWATCH_METRIC") else {
            self.problems.push(TrafficProblem::OtherCheck(check.kind.clone()));
            return None;
        };
        if alarm.region == *primary {
            self.problems.push(TrafficProblem::InPrimaryRegion(alarm.region.clone()));
        }
        match &seen.alarm {
            Seen::Present(_) => {}
            Seen::Absent => {
                let (region, name) = (alarm.region.clone(), alarm.name.clone());
                self.problems.push(TrafficProblem::AlarmMissing { region, name });
            }
            Seen::Unknown(why) => self.unknown("the alarm", why),
        }
        self.rule(alarm)
    }

    fn settings(&mut self, check: &HealthCheck) {
        self.problems.extend(check.inverted.then_some(TrafficProblem::Inverted));
        self.problems.extend(check.disabled.then_some(TrafficProblem::Disabled));
        // Where nothing is said, it is the default (AWS: *`InsufficientDataHealthStatus`*).
        let without_data = check.without_data.as_deref().unwrap_or("LastKnownStatus");
        if without_data != "LastKnownStatus" && !sabotage::is(Bug::TrustsAnyHealthCheck) {
            self.problems.push(TrafficProblem::WithoutData(without_data.to_owned()));
        }
    }

    fn rule(&mut self, alarm: &WatchedAlarm) -> Option<u32> {
        let published = self.metric.clone();
        let Some(rule) = &alarm.rule else {
            self.problems.push(TrafficProblem::OtherMetric { published, watched: None });
            return None;
        };
        if rule.metric != published {
            self.problems.push(TrafficProblem::OtherMetric { published, watched: Some(rule.metric.clone()) });
        }
        // A sum or a count says how often it was published too.
        let of_values = ["Minimum", "Maximum", "Average"].contains(&rule.statistic.as_str());
        let tells = |serving: Serving| rule.is_breached_by(serving.value());
        if !of_values || tells(Serving::Standby) != Some(true) || tells(Serving::Primary) != Some(false) {
            let rule = format!("{} {} {}", rule.statistic, rule.comparison, rule.threshold);
            self.problems.push(TrafficProblem::OtherRule { rule });
        }
        if rule.period < STANDARD {
            self.problems.push(TrafficProblem::HighResolution(rule.period));
        }
        // One more: in the period in which it changes, the data of both may count.
        Some(rule.period.saturating_mul(rule.periods.saturating_add(1)))
    }
}

fn ttl(set: &RecordSet) -> u32 {
    match set.content {
        RecordContent::Values { ttl, .. } => ttl,
        RecordContent::Alias { .. } => ALIAS_TTL,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{AlarmRule, AlarmSeen, AlarmState, DnsName, RecordsOf, Scope};

    fn scope() -> Scope {
        Scope { account: "111122223333".parse().unwrap(), region: "us-east-1".parse().unwrap() }
    }

    fn set(role: FailoverRole) -> RecordSet {
        RecordSet {
            of: of(),
            set: Some(role.to_string()),
            content: RecordContent::Values { values: vec!["a.example.net".to_owned()], ttl: 60 },
            routing: SetRouting::Failover(role),
            health_check: (role == FailoverRole::Primary).then(|| "check".to_owned()),
        }
    }

    fn of() -> RecordsOf {
        RecordsOf { name: DnsName::new("api.example.com"), kind: "CNAME".to_owned() }
    }

    fn rule() -> AlarmRule {
        AlarmRule {
            metric: Metric::of_traffic(&DnsName::new("api.example.com")),
            statistic: "Minimum".to_owned(),
            period: 60,
            periods: 1,
            threshold: 1.0,
            comparison: "LessThanThreshold".to_owned(),
        }
    }

    /// A pair that is as it should be.
    fn good() -> TrafficSeen {
        let alarm =
            WatchedAlarm { region: "us-west-2".parse().unwrap(), name: "traffic".to_owned(), rule: Some(rule()) };
        TrafficSeen {
            sets: Seen::Present(vec![set(FailoverRole::Primary), set(FailoverRole::Secondary)]),
            check: Seen::Present(HealthCheck {
                kind: "CLOUDWATCH_METRIC".to_owned(),
                inverted: false,
                disabled: false,
                alarm: Some(alarm),
                without_data: Some("LastKnownStatus".to_owned()),
            }),
            alarm: Seen::Present(AlarmSeen {
                name: "traffic".to_owned(),
                state: AlarmState::Ok,
                reason: None,
                since: None,
            }),
        }
    }

    fn judge(seen: &TrafficSeen) -> TrafficVerdict {
        let place =
            RecordPlace { scope: scope(), zone: "Z1".parse().unwrap(), of: of(), set: Some("primary".to_owned()) };
        super::judge(&place, &scope().region, seen)
    }

    fn sets(change: impl Fn(&mut Vec<RecordSet>)) -> TrafficSeen {
        let mut seen = good();
        let Seen::Present(sets) = &mut seen.sets else { panic!() };
        change(sets);
        seen
    }

    fn check(change: impl Fn(&mut HealthCheck)) -> TrafficSeen {
        let mut seen = good();
        let Seen::Present(check) = &mut seen.check else { panic!() };
        change(check);
        seen
    }

    fn ruled(change: impl Fn(&mut AlarmRule)) -> TrafficSeen {
        check(|check| change(check.alarm.as_mut().unwrap().rule.as_mut().unwrap()))
    }

    fn alias(set: &mut RecordSet, evaluate_health: bool) {
        let (dns_name, zone) = ("lb.example.net".to_owned(), "Z2".to_owned());
        set.content = RecordContent::Alias { dns_name, zone, evaluate_health };
    }

    #[test]
    fn a_pair_whose_metric_decides_alone_has_no_problem_and_says_how_long_it_takes() {
        assert_eq!(judge(&good()), TrafficVerdict { problems: Vec::new(), seconds: Some(180) });
        let aliases = sets(|sets| sets.iter_mut().for_each(|set| alias(set, false)));
        assert_eq!(judge(&aliases), TrafficVerdict { problems: Vec::new(), seconds: Some(180) });
        // What is not said is the default.
        assert_eq!(judge(&check(|check| check.without_data = None)).problems, []);
    }

    #[test]
    fn whatever_else_could_move_traffic_is_named() {
        use TrafficProblem as P;
        let (primary, secondary) = (FailoverRole::Primary, FailoverRole::Secondary);
        let region = scope().region;
        let other = Metric::of_traffic(&DnsName::new("other.example.com"));
        let published = rule().metric;
        let rows = [
            (sets(|sets| _ = sets.remove(0)), vec![P::NoRecord(primary)]),
            (sets(|sets| _ = sets.remove(1)), vec![P::NoRecord(secondary)]),
            (sets(Vec::clear), vec![P::NoRecord(primary), P::NoRecord(secondary)]),
            (
                sets(|sets| sets.iter_mut().for_each(|set| set.routing = SetRouting::Weighted(0))),
                vec![P::WeightZero, P::WeightZero, P::NoRecord(primary), P::NoRecord(secondary)],
            ),
            (
                sets(|sets| sets[0].routing = SetRouting::Other("latency".to_owned())),
                vec![P::OtherRouting("latency".to_owned()), P::NoRecord(primary)],
            ),
            (TrafficSeen { check: Seen::Absent, ..sets(|sets| sets[0].health_check = None) }, vec![P::NoHealthCheck]),
            (TrafficSeen { check: Seen::Absent, ..good() }, vec![P::HealthCheckMissing("check".to_owned())]),
            (sets(|sets| sets[1].health_check = Some("own".to_owned())), vec![P::StandbyHealthCheck("own".to_owned())]),
            (sets(|sets| alias(&mut sets[0], true)), vec![P::FollowsTarget(primary)]),
            (sets(|sets| alias(&mut sets[1], true)), vec![P::FollowsTarget(secondary)]),
            (
                check(|check| {
                    check.kind = "HTTPS".to_owned();
                    check.alarm = None;
                }),
                vec![P::OtherCheck("HTTPS".to_owned())],
            ),
            (check(|check| check.kind = "CALCULATED".to_owned()), vec![P::OtherCheck("CALCULATED".to_owned())]),
            (check(|check| check.inverted = true), vec![P::Inverted]),
            (check(|check| check.disabled = true), vec![P::Disabled]),
            (
                check(|check| check.without_data = Some("Unhealthy".to_owned())),
                vec![P::WithoutData("Unhealthy".to_owned())],
            ),
            (
                check(|check| check.without_data = Some("Healthy".to_owned())),
                vec![P::WithoutData("Healthy".to_owned())],
            ),
            (check(|check| check.alarm.as_mut().unwrap().region = scope().region), vec![P::InPrimaryRegion(region)]),
            (
                TrafficSeen { alarm: Seen::Absent, ..good() },
                vec![P::AlarmMissing { region: "us-west-2".parse().unwrap(), name: "traffic".to_owned() }],
            ),
            (
                check(|check| check.alarm.as_mut().unwrap().rule = None),
                vec![P::OtherMetric { published: published.clone(), watched: None }],
            ),
            (
                ruled(|rule| rule.metric = Metric::of_traffic(&DnsName::new("other.example.com"))),
                vec![P::OtherMetric { published, watched: Some(other) }],
            ),
            (ruled(|rule| rule.period = 10), vec![P::HighResolution(10)]),
            (ruled(|rule| rule.period = 300), vec![P::Slow { seconds: 660 }]),
            (ruled(|rule| rule.periods = 5), vec![P::Slow { seconds: 420 }]),
            (
                sets(|sets| sets[1].content = RecordContent::Values { values: vec!["b".to_owned()], ttl: 3600 }),
                vec![P::Slow { seconds: 3720 }],
            ),
        ];
        for (seen, problems) in rows {
            let verdict = judge(&seen);
            assert_eq!(verdict.problems, problems);
            for problem in &verdict.problems {
                assert!(!problem.to_string().is_empty() && !problem.remedy().is_empty());
            }
        }
    }

    #[test]
    fn a_rule_has_to_tell_0_from_1_by_the_values_themselves() {
        let is_refused = |change: fn(&mut AlarmRule)| {
            let problems = judge(&ruled(change)).problems;
            assert!(matches!(*problems, [] | [TrafficProblem::OtherRule { .. }]), "{problems:?}");
            !problems.is_empty()
        };
        assert!(is_refused(|rule| rule.statistic = "Sum".to_owned()));
        assert!(is_refused(|rule| rule.statistic = "SampleCount".to_owned()));
        assert!(is_refused(|rule| rule.statistic = "p99".to_owned()));
        assert!(is_refused(|rule| rule.threshold = 0.0));
        assert!(is_refused(|rule| rule.threshold = 2.0));
        assert!(is_refused(|rule| rule.comparison = "GreaterThanThreshold".to_owned()));
        assert!(is_refused(|rule| rule.comparison = "LessThanLowerThreshold".to_owned()));
        assert!(!is_refused(|rule| rule.statistic = "Average".to_owned()));
        assert!(!is_refused(|rule| {
            rule.comparison = "LessThanOrEqualToThreshold".to_owned();
            rule.threshold = 0.5;
        }));
    }

    #[test]
    fn what_could_not_be_read_is_never_fine() {
        let unknown = || Unknown::because("no answer".to_owned());
        let rows = [
            TrafficSeen { sets: Seen::Unknown(unknown()), ..good() },
            TrafficSeen { check: Seen::Unknown(unknown()), ..good() },
            TrafficSeen { alarm: Seen::Unknown(unknown()), ..good() },
        ];
        for seen in rows {
            let verdict = judge(&seen);
            assert!(matches!(*verdict.problems, [TrafficProblem::Unknown { .. }]), "{verdict:?}");
        }
    }
}
