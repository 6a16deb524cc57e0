//! What is read of readiness checks.

use std::collections::BTreeSet;
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::stream::iter;
use regex::bytes::Regex;

use super::Observer;
use crate::model::{CheckAnswer, CheckNeed, CheckOutcome, HttpRequest, Observation, Unknown};
use crate::ports::{HttpAnswer, NoHttpAnswer};

/// Checks that are asked at the same time: enough for an environment, few enough for anybody's server.
const AT_ONCE: usize = 8;

/// What a request may take beyond its own timeout until it is given up: it has to be begun and ended.
const GRACE: Duration = Duration::from_secs(1);

/// A check that has held so recently is not asked again while operations are followed, every few seconds.
const FRESH: Duration = Duration::from_secs(30);

impl Observer<'_> {
    /// Reads what the planner needs to know of readiness checks, and adds it to the observation.
    pub(super) async fn answer_checks(&self, observation: &mut Observation, needs: BTreeSet<CheckNeed>) {
        let mut answers = iter(needs).map(|need| self.check(need)).buffered(AT_ONCE);
        while let Some((need, outcome)) = answers.next().await {
            observation.checks.answers.insert(need, CheckAnswer { at: self.cx.now(), outcome });
        }
    }

    /// Of an earlier look, the checks that have just been seen to hold.
    pub(super) fn fresh_checks(&self, mut checks: crate::model::ChecksSeen) -> crate::model::ChecksSeen {
        let now = self.cx.now();
        checks.answers.retain(|_, answer| {
            // A clock that was set back makes everything old.
            let age = Duration::try_from(now.duration_since(answer.at)).unwrap_or(Duration::MAX);
            answer.outcome == CheckOutcome::Holds && age < FRESH
        });
        checks
    }

    async fn check(&self, need: CheckNeed) -> (CheckNeed, CheckOutcome) {
        let outcome = match &need {
            CheckNeed::Http(request) => self.http(request).await,
            CheckNeed::ServiceSteady { .. } | CheckNeed::Targets { .. } | CheckNeed::Alarm { .. } => {
                CheckOutcome::Unknown(Unknown::because("checks of this kind cannot be made yet"))
            }
        };
        (need, outcome)
    }

    async fn http(&self, request: &HttpRequest) -> CheckOutcome {
        let limit = request.timeout.saturating_add(GRACE);
        match self.cx.timeout(limit, self.probes.get(request)).await {
            Some(answer) => judge(request, answer),
            None => CheckOutcome::Fails(format!("no answer within {}", humantime::format_duration(request.timeout))),
        }
    }
}

/// Whether the answer is the one that is expected. What is in the body is not repeated: it may be anything.
fn judge(request: &HttpRequest, answer: Result<HttpAnswer, NoHttpAnswer>) -> CheckOutcome {
    let answer = match answer {
        Ok(answer) => answer,
        Err(NoHttpAnswer::Server(why)) => return CheckOutcome::Fails(why),
        Err(NoHttpAnswer::Here(why)) => return CheckOutcome::Unknown(Unknown::because(why)),
    };
    if answer.status != request.expect {
        return CheckOutcome::Fails(format!("answered {}, expected {}", answer.status, request.expect));
    }
    let Some(pattern) = &request.body else { return CheckOutcome::Holds };
    match Regex::new(pattern) {
        Ok(pattern) if pattern.is_match(&answer.body) => CheckOutcome::Holds,
        Ok(_) => CheckOutcome::Fails(format!("answered {}, and /{pattern}/ is not in its body", answer.status)),
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
        assert_eq!(judge(Some("UP"), answered(200, "canary")), fails("answered 200, and /UP/ is not in its body"));
        assert_eq!(
            judge(None, Err(NoHttpAnswer::Server("connection refused".to_owned()))),
            fails("connection refused")
        );
    }

    #[test]
    fn what_could_not_be_asked_has_not_failed() {
        let outcome = judge(&request(None), Err(NoHttpAnswer::Here("no network".to_owned())));
        assert!(matches!(outcome, CheckOutcome::Unknown(_)));
        assert!(matches!(judge(&request(Some("(")), Ok(answered(200, ""))), CheckOutcome::Unknown(_)));
    }
}
