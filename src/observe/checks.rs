//! What is read of readiness checks.

use std::collections::BTreeSet;
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::stream::iter;
use regex::bytes::Regex;

use super::Observer;
use crate::model::{
    AlarmSeen, AlarmState, CheckAnswer, CheckNeed, CheckOutcome, HttpRequest, Observation, RolloutState, Scope, Seen,
    ServiceState, ServiceStatus, TargetHealth, TargetState, Unknown,
};
use crate::ports::{HttpAnswer, NoHttpAnswer, Priority, all};
use crate::sabotage::{self, Bug};

/// Checks that are asked at the same time: enough for an environment, few enough for anybody's server.
const AT_ONCE: usize = 8;

/// What a request may take beyond its own timeout until it is given up: it has to be begun and ended.
const GRACE: Duration = Duration::from_secs(1);

impl Observer<'_> {
    /// Reads what the planner needs to know of readiness checks, and adds it to the observation.
    pub(super) async fn answer_checks(&self, observation: &mut Observation, needs: BTreeSet<CheckNeed>) {
        let mut answers = iter(needs).map(|need| self.check(need)).buffered(AT_ONCE);
        while let Some((need, outcome)) = answers.next().await {
            observation.checks.answers.insert(need, CheckAnswer { at: self.cx.now(), outcome });
        }
    }

    async fn check(&self, need: CheckNeed) -> (CheckNeed, CheckOutcome) {
        let outcome = match &need {
            CheckNeed::Http(request) | CheckNeed::Consumer(request, _) => self.http(request).await,
            CheckNeed::ServiceSteady { scope, cluster, service } => self.is_steady(scope, cluster, service).await,
            CheckNeed::Targets { scope, group, healthy } => self.targets(scope, group, *healthy).await,
            CheckNeed::Alarm { scope, name } => self.alarm(scope, name).await,
        };
        (need, outcome)
    }

    async fn is_steady(&self, scope: &Scope, cluster: &str, service: &str) -> CheckOutcome {
        let port = self.governor.containers(scope, self.role(scope), Priority::Status);
        let names = [service.to_owned()];
        let read = async { port.services(cluster, &names).await.map(|all| all.into_iter().next().flatten()) };
        let seen = self.seen(read).await;
        told(seen, "the service does not exist", |state| steady(&state))
    }

    async fn targets(&self, scope: &Scope, group: &str, healthy: u32) -> CheckOutcome {
        let port = self.governor.health(scope, self.role(scope), Priority::Status);
        let seen = self.seen(async { port.targets(group).await.map(Some) }).await;
        told(seen, "the target group does not exist", |targets| serving(&targets, healthy))
    }

    async fn alarm(&self, scope: &Scope, name: &str) -> CheckOutcome {
        let port = self.governor.health(scope, self.role(scope), Priority::Status);
        let names = [name.to_owned()];
        let read = async {
            let alarms = all("DescribeAlarms", |page| port.alarms(&names, page)).await?;
            Ok(alarms.into_iter().find(|alarm| alarm.name == name))
        };
        told(self.within(read).await, "the alarm does not exist", |alarm| quiet(&alarm))
    }

    async fn http(&self, request: &HttpRequest) -> CheckOutcome {
        let limit = request.timeout.saturating_add(GRACE);
        let reach = &self.environment.limits.reach;
        // Before anybody else: what a manifest names is judged in the same way whoever asks.
        if let Err(why) = reach.server(&request.url)
            && !sabotage::is(Bug::ProbesAnywhere)
        {
            return judge(request, Err(NoHttpAnswer::Refused(why)));
        }
        match self.cx.timeout(limit, self.probes.get(request, reach)).await {
            Some(answer) => judge(request, answer),
            None => CheckOutcome::Fails(format!("no answer within {}", humantime::format_duration(request.timeout))),
        }
    }
}

/// What was read, judged. What does not exist is not as it should be.
fn told<T>(seen: Seen<T>, missing: &str, judge: impl FnOnce(T) -> Result<(), String>) -> CheckOutcome {
    match seen {
        Seen::Present(value) => judge(value).map_or_else(CheckOutcome::Fails, |()| CheckOutcome::Holds),
        Seen::Absent => CheckOutcome::Fails(missing.to_owned()),
        Seen::Unknown(why) => CheckOutcome::Unknown(why),
    }
}

/// One deployment, completed, with as many tasks as are wanted (AWS: *waiter `ServicesStable`*, which does not look at
/// the rollout).
fn steady(service: &ServiceState) -> Result<(), String> {
    if service.status != ServiceStatus::Active {
        return Err(format!("it is {}", service.status));
    }
    if service.running != service.desired {
        return Err(format!("{} of {} tasks run", service.running, service.desired));
    }
    if service.deployments.len() > 1 {
        return Err(format!("{} deployments are in progress", service.deployments.len()));
    }
    match service.primary().and_then(|primary| primary.rollout) {
        Some(RolloutState::Completed) | None => Ok(()),
        Some(rollout) => Err(format!("its deployment is {rollout}")),
    }
}

/// Enough targets are healthy, and none fails its checks.
fn serving(targets: &[TargetHealth], healthy: u32) -> Result<(), String> {
    let number = |state| targets.iter().filter(|target| target.state == state).count();
    let well = number(TargetState::Healthy);
    if well < healthy as usize {
        return Err(format!("{well} of {} targets are healthy; required: {healthy}", targets.len()));
    }
    match number(TargetState::Unhealthy) {
        0 => Ok(()),
        failing => Err(format!("{failing} of {} targets fail their health checks", targets.len())),
    }
}

/// An alarm that has nothing to say does not say that something is wrong.
fn quiet(alarm: &AlarmSeen) -> Result<(), String> {
    if alarm.state != AlarmState::Alarm {
        return Ok(());
    }
    Err(alarm.reason.as_ref().map_or_else(|| "it is in ALARM".to_owned(), |reason| format!("it is in ALARM: {reason}")))
}

/// Whether the answer is the one that is expected. What is in the body is not repeated: it may be anything.
fn judge(request: &HttpRequest, answer: Result<HttpAnswer, NoHttpAnswer>) -> CheckOutcome {
    let answer = match answer {
        Ok(answer) => answer,
        Err(NoHttpAnswer::Server(why)) => return CheckOutcome::Fails(why),
        Err(NoHttpAnswer::Refused(why)) => return CheckOutcome::Fails(format!("not checked: {why}")),
        Err(NoHttpAnswer::NotAsked) => return CheckOutcome::NotAsked,
        Err(NoHttpAnswer::Here(why)) => return CheckOutcome::Unknown(Unknown::because(why)),
    };
    if answer.status != request.expect {
        return CheckOutcome::Fails(format!("answered {}, expected {}", answer.status, request.expect));
    }
    let Some(pattern) = &request.body else { return CheckOutcome::Holds };
    match Regex::new(pattern) {
        Ok(pattern) if pattern.is_match(&answer.body) => CheckOutcome::Holds,
        Ok(_) => CheckOutcome::Fails(format!("answered {}, but the body does not match /{pattern}/", answer.status)),
        Err(error) => CheckOutcome::Unknown(Unknown::because(format!("/{pattern}/ cannot be used: {error}"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Tls;

    fn request(body: Option<&str>) -> HttpRequest {
        HttpRequest {
            url: "http://a.example".to_owned(),
            expect: 200,
            body: body.map(str::to_owned),
            tls: Tls::Verify,
            timeout: Duration::from_secs(1),
        }
    }

    fn answered(status: u16, body: &str) -> HttpAnswer {
        HttpAnswer { status, body: body.as_bytes().to_vec() }
    }

    #[test]
    fn a_check_says_what_was_expected_and_never_what_was_in_the_body() {
        let judge = |body, answer| judge(&request(body), Ok(answer));
        assert_eq!(judge(None, answered(200, "")), CheckOutcome::Holds);
        assert_eq!(judge(Some("\"UP\""), answered(200, "{\"status\":\"UP\"}")), CheckOutcome::Holds);
        let fails = |why: &str| CheckOutcome::Fails(why.to_owned());
        assert_eq!(judge(None, answered(503, "canary")), fails("answered 503, expected 200"));
        assert_eq!(judge(Some("UP"), answered(200, "canary")), fails("answered 200, but the body does not match /UP/"));
        let refused = Err(NoHttpAnswer::Server("connection refused".to_owned()));
        assert_eq!(super::judge(&request(None), refused), fails("connection refused"));
    }

    #[test]
    fn targets_are_enough_of_them_and_none_that_fails() {
        let target = |state| TargetHealth { id: "a".to_owned(), port: None, state, reason: None, description: None };
        let (well, ill, new) = (TargetState::Healthy, TargetState::Unhealthy, TargetState::Initial);
        let judge = |states: &[TargetState], healthy| {
            serving(&states.iter().map(|state| target(*state)).collect::<Vec<_>>(), healthy)
        };
        assert_eq!(judge(&[well, well, new], 2), Ok(()));
        assert_eq!(judge(&[well, new], 2), Err("1 of 2 targets are healthy; required: 2".to_owned()));
        assert_eq!(judge(&[well, well, ill], 2), Err("1 of 3 targets fail their health checks".to_owned()));
        assert_eq!(judge(&[], 1), Err("0 of 0 targets are healthy; required: 1".to_owned()));
    }

    #[test]
    fn an_alarm_without_data_is_no_alarm() {
        let alarm = |state| AlarmSeen { name: "a".to_owned(), state, reason: None, since: None };
        assert_eq!(quiet(&alarm(AlarmState::InsufficientData)), Ok(()));
        assert_eq!(quiet(&alarm(AlarmState::Alarm)), Err("it is in ALARM".to_owned()));
    }

    #[test]
    fn what_could_not_be_asked_has_not_failed() {
        let outcome = super::judge(&request(None), Err(NoHttpAnswer::Here("no network".to_owned())));
        assert!(matches!(outcome, CheckOutcome::Unknown(_)));
        assert!(matches!(super::judge(&request(Some("(")), Ok(answered(200, ""))), CheckOutcome::Unknown(_)));
    }
}
