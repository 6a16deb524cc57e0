//! When people are told what: grouped by cause, repeated later and later while it lasts, and once when it is over.
//!
//! Pure: it is given what the last plan shows, what people were told of before, and the time. An alert is the memory of a
//! cause; a message is what follows from how it has changed. What is told and that it was told are one write of the store's.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use crate::model::{Alert, Destination, EnvName, Notice, NoticeKind, Phase, Symptom, like};

/// A cause is told of when it has lasted for so long: by then everything that it hits is known, and is one message.
const SETTLE: SignedDuration = SignedDuration::from_secs(20);
/// What could not be read for so long is told of. Reads fail for moments all the time.
const UNKNOWN_FOR: SignedDuration = SignedDuration::from_mins(15);
/// A cause is over when nothing has shown it for so long.
const OVER: SignedDuration = SignedDuration::from_mins(2);
/// After how long people are told again: the first time, the second, and from then on.
const AGAIN: [SignedDuration; 3] =
    [SignedDuration::from_hours(1), SignedDuration::from_hours(4), SignedDuration::from_hours(24)];
/// Causes of one environment that are known at once. What is beyond is told of when others are over.
const ALERTS_MAX: usize = 50;

/// How often it is looked whether something is to be told.
pub const EVERY: Duration = Duration::from_secs(5);

/// What people know of from now on, and the messages that tell them. `seen` is what the last plan of the environment shows.
#[must_use]
pub fn news(environment: &EnvName, seen: &[Symptom], known: &[Alert], now: Timestamp) -> (Vec<Alert>, Vec<Notice>) {
    let mut causes = grouped(seen, now);
    let (mut alerts, mut notices) = (Vec::new(), Vec::new());
    for alert in known {
        match causes.remove(&(alert.kind, alert.cause.clone())) {
            Some(found) => alerts.push(lasting(alert, found, now)),
            None => match over(alert, now) {
                Some(gone) => alerts.push(gone),
                None if alert.told > 0 => notices.push(Notice::of(environment, alert, Phase::Recovered, now)),
                None => {}
            },
        }
    }
    let room = ALERTS_MAX.saturating_sub(alerts.len());
    alerts.extend(causes.into_values().take(room));
    for alert in &mut alerts {
        if let Some(phase) = due(alert, now) {
            notices.push(Notice::of(environment, alert, phase, now));
            alert.told = alert.told.saturating_add(1);
            alert.last = Some(now);
        }
    }
    (alerts, notices)
}

/// Whether a message goes to a destination.
#[must_use]
pub fn goes_to(notice: &Notice, destination: &Destination) -> bool {
    let kind = notice.kind;
    let urgency = kind.map_or(notice.urgency, NoticeKind::urgency);
    let environment = destination.environments.iter().any(|pattern| like(pattern, notice.environment.as_str()));
    environment && urgency >= destination.least && kind.is_none_or(|kind| destination.kinds.contains(&kind))
}

/// What is seen, by cause.
fn grouped(seen: &[Symptom], now: Timestamp) -> BTreeMap<(NoticeKind, String), Alert> {
    let mut causes: BTreeMap<(NoticeKind, String), Alert> = BTreeMap::new();
    for symptom in seen {
        let alert = causes.entry((symptom.kind, symptom.cause.clone())).or_insert_with(|| Alert {
            kind: symptom.kind,
            cause: symptom.cause.clone(),
            occasion: symptom.occasion.clone(),
            objects: [].into(),
            text: symptom.text.clone(),
            since: now,
            told: 0,
            last: None,
            gone: None,
        });
        alert.objects.insert(symptom.object.clone());
    }
    causes
}

/// What was known, as it is now. In another revision it is something new. A text that is not told keeps its words: it may hold a
/// duration, and would be written down at every look.
fn lasting(known: &Alert, found: Alert, now: Timestamp) -> Alert {
    if known.occasion != found.occasion {
        return found;
    }
    let kept = Alert { since: known.since, told: known.told, last: known.last, ..found };
    if due(&kept, now).is_some() { kept } else { Alert { text: known.text.clone(), ..kept } }
}

/// What nothing shows any more, while that may be a gap; `None`: it is over.
fn over(alert: &Alert, now: Timestamp) -> Option<Alert> {
    let gone = alert.gone.unwrap_or(now);
    let lasts = alert.told > 0 && now.duration_since(gone) < OVER;
    lasts.then(|| Alert { gone: Some(gone), ..alert.clone() })
}

/// Whether people are to be told of it now, and as what.
fn due(alert: &Alert, now: Timestamp) -> Option<Phase> {
    if alert.gone.is_some() {
        return None;
    }
    let Some(last) = alert.last else {
        let patience = if alert.kind == NoticeKind::Unknown { UNKNOWN_FOR } else { SETTLE };
        return (now.duration_since(alert.since) >= patience).then_some(Phase::Began);
    };
    let nth = usize::try_from(alert.told.saturating_sub(1)).unwrap_or(usize::MAX).min(AGAIN.len() - 1);
    let pause = AGAIN.get(nth).copied().unwrap_or(SignedDuration::MAX);
    (now.duration_since(last) >= pause).then_some(Phase::Lasts)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{NoticeForm, SecretRef, Urgency};

    fn start() -> Timestamp {
        "2026-01-01T00:00:00Z".parse().unwrap()
    }

    fn dev() -> EnvName {
        "dev".parse().unwrap()
    }

    fn symptom(object: &str, kind: NoticeKind, cause: &str, occasion: &str) -> Symptom {
        let object = format!("dev/stack/{object}").parse().unwrap();
        Symptom { object, kind, cause: cause.to_owned(), occasion: occasion.to_owned(), text: "why".to_owned() }
    }

    /// What is told, second by second: what is seen from each of these moments on.
    fn told(seen: &[(i64, Vec<Symptom>)], until: i64) -> Vec<(i64, NoticeKind, Phase, usize)> {
        let (mut alerts, mut told) = (Vec::new(), Vec::new());
        for second in (0..until).step_by(10) {
            let now = start() + SignedDuration::from_secs(second);
            let current = seen.iter().rev().find(|(from, _)| *from <= second).map(|(_, seen)| seen.as_slice());
            let (kept, notices) = news(&dev(), current.unwrap_or_default(), &alerts, now);
            alerts = kept;
            told.extend(notices.iter().map(|one| (second, one.kind.unwrap(), one.phase, one.count)));
        }
        told
    }

    #[test]
    fn one_outage_is_one_message_however_many_objects_it_hits() {
        let failed = |name: &str| symptom(name, NoticeKind::Failed, "limit", "r1");
        let few = vec![failed("a")];
        let many = vec![failed("a"), failed("b"), failed("c")];
        let seen = [(0, few), (10, many.clone()), (7_000, many)];
        let hour = 3_600;
        let expected = [(20, NoticeKind::Failed, Phase::Began, 3), (20 + hour, NoticeKind::Failed, Phase::Lasts, 3)];
        assert_eq!(told(&seen, 10_000), expected);
    }

    #[test]
    fn it_is_repeated_later_and_later_and_told_once_when_it_is_over() {
        let seen = [(0, vec![symptom("a", NoticeKind::Stalled, "refused", "r1")]), (200_000, Vec::new())];
        let times: Vec<(i64, Phase)> = told(&seen, 210_000).into_iter().map(|(at, _, phase, _)| (at, phase)).collect();
        let lasts = Phase::Lasts;
        let expected = [
            (20, Phase::Began),
            (3_620, lasts),
            (18_020, lasts),
            (104_420, lasts),
            (190_820, lasts),
            (200_120, Phase::Recovered),
        ];
        assert_eq!(times, expected);
    }

    #[test]
    fn what_comes_and_goes_is_told_once_and_what_was_never_told_is_not_over() {
        let one = || vec![symptom("a", NoticeKind::Failed, "flaky", "r1")];
        let seen = [(0, one()), (60, Vec::new()), (100, one()), (160, Vec::new()), (200, one())];
        assert_eq!(told(&seen, 600).len(), 1);
        assert_eq!(told(&[(0, one()), (10, Vec::new())], 600), []);
    }

    #[test]
    fn another_revision_or_another_plan_is_told_of_anew_and_is_no_recovery() {
        let of = |occasion: &str| vec![symptom("a", NoticeKind::Approval, "approval", occasion)];
        let phases: Vec<Phase> =
            told(&[(0, of("plan1")), (100, of("plan2"))], 300).into_iter().map(|(_, _, phase, _)| phase).collect();
        assert_eq!(phases, [Phase::Began, Phase::Began]);
    }

    #[test]
    fn what_cannot_be_read_is_told_of_when_it_lasts() {
        let unknown = vec![symptom("a", NoticeKind::Unknown, "read", "")];
        assert_eq!(told(&[(0, unknown.clone()), (600, Vec::new())], 2_000), []);
        assert_eq!(told(&[(0, unknown)], 1_000), [(900, NoticeKind::Unknown, Phase::Began, 1)]);
    }

    #[test]
    fn a_message_has_the_same_id_when_it_is_made_again_and_another_one_otherwise() {
        let seen = vec![symptom("a", NoticeKind::Failed, "limit", "r1")];
        let (alerts, _) = news(&dev(), &seen, &[], start());
        let later = start() + SignedDuration::from_secs(60);
        let ids = |at| news(&dev(), &seen, &alerts, at).1.into_iter().map(|one| one.id).collect::<Vec<_>>();
        assert_eq!(ids(later), ids(later + SignedDuration::from_secs(1)), "a crash before it was written down");
        let (told, first) = news(&dev(), &seen, &alerts, later);
        let (_, second) = news(&dev(), &seen, &told, later + SignedDuration::from_hours(2));
        assert_ne!(first[0].id, second[0].id);
    }

    #[test]
    fn a_duration_in_a_text_changes_nothing_until_it_is_told() {
        let of = |text: &str| vec![Symptom { text: text.to_owned(), ..symptom("a", NoticeKind::Failed, "slow", "r1") }];
        let (alerts, _) = news(&dev(), &of("for 1m"), &[], start());
        let soon = start() + SignedDuration::from_secs(5);
        assert_eq!(news(&dev(), &of("for 2m"), &alerts, soon), (alerts.clone(), Vec::new()));
        let (_, told) = news(&dev(), &of("for 3m"), &alerts, start() + SignedDuration::from_secs(60));
        assert_eq!(told[0].text, "for 3m");
    }

    #[test]
    fn messages_are_routed_by_environment_kind_and_urgency() {
        let (_, notices) = {
            let seen = [symptom("a", NoticeKind::Drift, "drift", "")];
            let (alerts, _) = news(&dev(), &seen, &[], start());
            news(&dev(), &seen, &alerts, start() + SignedDuration::from_secs(60))
        };
        let to = |environments: &str, kinds: &[NoticeKind], least| Destination {
            name: "chat".to_owned(),
            form: NoticeForm::Slack,
            url: SecretRef::Value { name: "URL".to_owned(), value: None },
            keys: Vec::new(),
            environments: vec![environments.to_owned()],
            kinds: kinds.iter().copied().collect(),
            least,
        };
        let goes = |destination: &Destination| goes_to(&notices[0], destination);
        assert!(goes(&to("*", &NoticeKind::ALL, Urgency::Info)));
        assert!(goes(&to("d?v", &[NoticeKind::Drift], Urgency::Warning)));
        assert!(!goes(&to("prod", &NoticeKind::ALL, Urgency::Info)));
        assert!(!goes(&to("*", &[NoticeKind::Failed], Urgency::Info)));
        assert!(!goes(&to("*", &NoticeKind::ALL, Urgency::Critical)));
    }
}
