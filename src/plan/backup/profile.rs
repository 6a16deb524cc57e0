//! Settings that a restored table has not yet, in the order in which it gets them.
//!
//! What protects comes first. What acts on items comes last, and only once they were compared: a stream tells its readers
//! of everything that happens from then on, and an expiry deletes.

use std::collections::BTreeMap;

use crate::model::{AlarmDefinition, Billing, RESTORED_TAG, ScalingTarget, Setting, TableName, TableProfile};

/// The longest name of an alarm (AWS: *`PutMetricAlarm`*).
const ALARM_NAME_MAX: usize = 255;

/// Tags of ours say whose something is: a restored table is nobody's.
const OURS: &str = "landfast:";

/// The settings of `wanted`, which belongs to the table `of`, as the table `to` has to have them.
pub(super) fn retarget(wanted: &TableProfile, of: &TableName, to: &TableName) -> TableProfile {
    let mut profile = wanted.clone();
    profile.tags.retain(|key, _| !key.starts_with(OURS) && !key.starts_with("aws:"));
    profile.tags.insert(RESTORED_TAG.to_owned(), of.to_string());
    // Settings that were kept by an earlier version may have them.
    let own = wanted.alarms.iter().filter(|alarm| !alarm.is_of_scaling());
    profile.alarms = own.map(|alarm| renamed(alarm, of, to)).collect();
    // An ARN in a policy names the table; a name that goes on after it is another table's.
    profile.policy = wanted.policy.as_ref().map(|body| {
        let parts: Vec<&str> = body.split(&format!(":table/{of}")).collect();
        let mut text = String::new();
        for (index, part) in parts.iter().enumerate() {
            if index > 0 {
                let ends = part.starts_with(['"', '/']);
                text.push_str(":table/");
                text.push_str(if ends { to.as_str() } else { of.as_str() });
            }
            text.push_str(part);
        }
        text.into()
    });
    profile
}

/// The settings that a table has to have again that comes back under its name. Tags of ours stay where the table had them
/// that it replaces: its stack has given them. Those that are kept with a point may be another environment's.
pub(super) fn given_back(wanted: &TableProfile, replaces: bool) -> TableProfile {
    let mut profile = wanted.clone();
    profile.tags.retain(|key, _| !key.starts_with("aws:") && (replaces || !key.starts_with(OURS)));
    profile.alarms.retain(|alarm| !alarm.is_of_scaling());
    profile
}

/// An alarm of the same name would be overwritten, so it gets another.
fn renamed(alarm: &AlarmDefinition, of: &TableName, to: &TableName) -> AlarmDefinition {
    let name = if alarm.name.contains(of.as_str()) {
        alarm.name.replace(of.as_str(), to.as_str())
    } else {
        format!("{}-{to}", alarm.name)
    };
    let name = name.chars().take(ALARM_NAME_MAX).collect();
    let table = |value: &String| if value == of.as_str() { to.to_string() } else { value.clone() };
    let dimensions = alarm.dimensions.iter().map(|(key, value)| (key.clone(), table(value))).collect();
    AlarmDefinition { name, dimensions, ..alarm.clone() }
}

/// What the table lacks of what is wanted. Nothing is taken away that it has.
pub(super) fn lacks(wanted: &TableProfile, has: &TableProfile) -> Vec<Setting> {
    let mut settings = Vec::new();
    let tags: BTreeMap<String, String> = wanted
        .tags
        .iter()
        .filter(|(key, value)| has.tags.get(*key) != Some(value))
        .map(|(key, value)| (key.clone(), value.clone()))
        .collect();
    if !tags.is_empty() {
        settings.push(Setting::Tags(tags));
    }
    if wanted.deletion_protected && !has.deletion_protected {
        settings.push(Setting::DeletionProtection);
    }
    if let Some(days) = wanted.recovery_days.filter(|days| has.recovery_days != Some(*days)) {
        settings.push(Setting::Recovery(days));
    }
    if pays_otherwise(wanted, has) {
        settings.push(Setting::Billing(wanted.billing));
    }
    let missing = |target: &&ScalingTarget| !has.scaling.iter().any(|one| scales_alike(one, target));
    settings.extend(wanted.scaling.iter().filter(missing).cloned().map(Setting::Scaling));
    let missing = |alarm: &&AlarmDefinition| !has.alarms.contains(alarm);
    settings.extend(wanted.alarms.iter().filter(missing).cloned().map(Box::new).map(Setting::Alarm));
    if let Some(policy) =
        wanted.policy.as_ref().filter(|policy| has.policy.as_deref().is_none_or(|has| !same(has, policy)))
    {
        settings.push(Setting::Policy(policy.clone()));
    }
    if wanted.class != has.class {
        settings.push(Setting::Class(wanted.class));
    }
    if let Some(view) = wanted.stream.filter(|_| has.stream.is_none()) {
        settings.push(Setting::Stream(view));
    }
    if let Some(attribute) = wanted.time_to_live.as_ref().filter(|_| has.time_to_live.is_none()) {
        settings.push(Setting::TimeToLive(attribute.clone()));
    }
    settings
}

/// Capacity that is scaled is the scaling's to choose.
fn pays_otherwise(wanted: &TableProfile, has: &TableProfile) -> bool {
    let scaled = wanted.scaling.iter().any(|target| target.index.is_none());
    match (wanted.billing, has.billing) {
        (Billing::Provisioned { .. }, Billing::Provisioned { .. }) if scaled => false,
        (wanted, has) => wanted != has,
    }
}

/// AWS chooses the role, and the names of nothing else.
fn scales_alike(one: &ScalingTarget, other: &ScalingTarget) -> bool {
    let plain = |target: &ScalingTarget| {
        let mut plain = ScalingTarget { role: None, ..target.clone() };
        plain.policies.sort();
        plain
    };
    plain(one) == plain(other)
}

/// Whether two policies are the same text, but for blanks.
fn same(one: &str, other: &str) -> bool {
    let plain = |text: &str| text.split_whitespace().collect::<String>();
    plain(one) == plain(other)
}

/// The part of a table's settings that a setting belongs to, as it is named where it could not be read.
pub(super) fn part(setting: &Setting) -> Option<&'static str> {
    Some(match setting {
        Setting::Tags(_) => "tags",
        Setting::Recovery(_) => "point-in-time recovery",
        Setting::Scaling(_) => "scaling",
        Setting::Alarm(_) => "alarms",
        Setting::Policy(_) => "resource policy",
        Setting::TimeToLive(_) => "time to live",
        Setting::DeletionProtection | Setting::Billing(_) | Setting::Class(_) | Setting::Stream(_) => return None,
    })
}

/// It acts on items, or tells of them.
pub(super) fn acts_on_items(setting: &Setting) -> bool {
    matches!(setting, Setting::Stream(_) | Setting::TimeToLive(_))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;
    use crate::model::{KeyType, ScalingPolicy, StreamView, TableClass, TableKey};

    fn bare() -> TableProfile {
        TableProfile {
            key: TableKey { partition: ("id".to_owned(), KeyType::Text), sort: None },
            indexes: BTreeMap::new(),
            billing: Billing::OnDemand,
            class: TableClass::Standard,
            deletion_protected: false,
            recovery_days: None,
            stream: None,
            time_to_live: None,
            tags: BTreeMap::new(),
            policy: None,
            scaling: Vec::new(),
            alarms: Vec::new(),
            unread: BTreeSet::new(),
            by_hand: BTreeSet::new(),
        }
    }

    fn alarm(table: &str) -> AlarmDefinition {
        AlarmDefinition {
            name: format!("{table}-throttles"),
            description: None,
            namespace: "AWS/DynamoDB".to_owned(),
            metric: "ThrottledRequests".to_owned(),
            dimensions: BTreeMap::from([("TableName".to_owned(), table.to_owned())]),
            statistic: "Sum".to_owned(),
            period: 60,
            evaluation_periods: 5,
            datapoints: None,
            threshold: "1".to_owned(),
            comparison: "GreaterThanThreshold".to_owned(),
            missing: None,
            alarm_actions: BTreeSet::new(),
            ok_actions: BTreeSet::new(),
            no_data_actions: BTreeSet::new(),
        }
    }

    fn scaling() -> ScalingTarget {
        let policy = ScalingPolicy {
            name: "reads".to_owned(),
            metric: "DynamoDBReadCapacityUtilization".to_owned(),
            target_milli: 70_000,
            scale_in_cooldown: None,
            scale_out_cooldown: None,
            only_out: false,
        };
        ScalingTarget { index: None, writes: false, min: 5, max: 50, role: None, policies: vec![policy] }
    }

    /// Gives a table one setting, as AWS does.
    fn given(mut has: TableProfile, setting: Setting) -> TableProfile {
        match setting {
            Setting::Tags(tags) => has.tags.extend(tags),
            Setting::DeletionProtection => has.deletion_protected = true,
            Setting::Recovery(days) => has.recovery_days = Some(days),
            Setting::Billing(billing) => has.billing = billing,
            Setting::Scaling(target) => {
                let others = |one: &ScalingTarget| (&one.index, one.writes) != (&target.index, target.writes);
                has.scaling.retain(others);
                has.scaling.push(target);
            }
            Setting::Alarm(alarm) => {
                has.alarms.retain(|one| one.name != alarm.name);
                has.alarms.push(*alarm);
            }
            Setting::Policy(body) => has.policy = Some(body),
            Setting::Class(class) => has.class = class,
            Setting::Stream(view) => has.stream = Some(view),
            Setting::TimeToLive(attribute) => has.time_to_live = Some(attribute),
        }
        has
    }

    fn any_profile() -> impl Strategy<Value = TableProfile> {
        let flags = (any::<bool>(), any::<bool>(), any::<bool>(), any::<bool>(), any::<bool>());
        let more = (any::<bool>(), any::<bool>(), 0_u16..36, 1_u64..9, "[a-c]{0,2}");
        (flags, more).prop_map(|((protected, stream, expires, alarms, scaled), (class, policy, days, read, tag))| {
            TableProfile {
                billing: if scaled { Billing::Provisioned { read, write: 1 } } else { Billing::OnDemand },
                class: if class { TableClass::InfrequentAccess } else { TableClass::Standard },
                deletion_protected: protected,
                recovery_days: (days > 0).then_some(days),
                stream: stream.then_some(StreamView::NewImage),
                time_to_live: expires.then(|| "until".to_owned()),
                tags: BTreeMap::from([("Team".to_owned(), tag)]),
                policy: policy.then(|| "{\"Resource\":\"arn:aws:dynamodb:x:1:table/dev-Reviews\"}".into()),
                scaling: if scaled { vec![scaling()] } else { Vec::new() },
                alarms: if alarms { vec![alarm("dev-Reviews")] } else { Vec::new() },
                ..bare()
            }
        })
    }

    fn names() -> (TableName, TableName) {
        ("dev-Reviews".parse().unwrap(), "dev-Reviews-restored".parse().unwrap())
    }

    proptest! {
        #[test]
        fn given_one_after_the_other_the_settings_end_with_nothing_lacking(wanted in any_profile(), has in any_profile()) {
            let (of, to) = names();
            let wanted = retarget(&wanted, &of, &to);
            let mut has = TableProfile { class: wanted.class, ..has };
            let mut last = None;
            for _ in 0..20 {
                let Some(setting) = lacks(&wanted, &has).into_iter().next() else { break };
                if last.as_ref().is_some_and(acts_on_items) {
                    prop_assert!(acts_on_items(&setting), "{} comes after what acts on items", setting.name());
                }
                last = Some(setting.clone());
                has = given(has, setting);
            }
            prop_assert_eq!(lacks(&wanted, &has), Vec::new());
        }
    }

    #[test]
    fn alarms_and_policies_are_told_of_the_new_table_and_leave_the_old_ones_alone() {
        let (of, to) = names();
        let policy = r#"{"Resource":["arn:aws:dynamodb:r:1:table/dev-Reviews","arn:aws:dynamodb:r:1:table/dev-Reviews/index/x","arn:aws:dynamodb:r:1:table/dev-ReviewsOld"]}"#;
        let profile = TableProfile {
            alarms: vec![alarm("dev-Reviews")],
            policy: Some(policy.into()),
            tags: [("landfast:owner", "dev/stack/x"), ("Team", "a")].map(|(k, v)| (k.to_owned(), v.to_owned())).into(),
            ..bare()
        };
        let told = retarget(&profile, &of, &to);
        assert_eq!(told.alarms, [alarm("dev-Reviews-restored")]);
        let expected =
            policy.replace("dev-Reviews\"", "dev-Reviews-restored\"").replace("dev-Reviews/", "dev-Reviews-restored/");
        assert_eq!(told.policy.as_deref(), Some(expected.as_str()));
        assert_eq!(told.tags.keys().map(String::as_str).collect::<Vec<_>>(), ["Team", RESTORED_TAG]);
    }

    #[test]
    fn capacity_that_is_scaled_is_left_to_the_scaling() {
        let provisioned = |read| Billing::Provisioned { read, write: 1 };
        let wanted = TableProfile { billing: provisioned(5), scaling: vec![scaling()], ..bare() };
        let has = TableProfile { billing: provisioned(40), scaling: vec![scaling()], ..bare() };
        assert_eq!(lacks(&wanted, &has), Vec::new());
    }
}
