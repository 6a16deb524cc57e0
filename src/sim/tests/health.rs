//! Target health and alarms, held to what AWS documents.

use super::Rig;
use crate::model::{AlarmState, TargetState};
use crate::ports::{Class, Cloud as _};
use crate::sim::NewService;

#[test]
fn targets_are_what_the_services_imply_until_somebody_says_otherwise() {
    let rig = Rig::new();
    let health = rig.cloud.health(&rig.scope, None);
    let group = "arn:aws:elasticloadbalancing:us-east-1:111122223333:targetgroup/web/0123456789abcdef";
    let error = rig.run(health.targets(group)).unwrap_err();
    assert_eq!((error.class, error.code.as_deref()), (Class::NotFound, Some("TargetGroupNotFound")));
    let definition = rig.console.register_task_definition("web", &[("web", "nginx:1")]).unwrap();
    let mut request = NewService::new("dev", "web", definition);
    request.target_groups.insert(group.to_owned());
    rig.console.create_service(&request).unwrap();
    rig.pass(std::time::Duration::from_secs(25));
    let states = || rig.run(health.targets(group)).unwrap().iter().map(|target| target.state).collect::<Vec<_>>();
    assert_eq!(states(), [TargetState::Initial; 2]);
    rig.pass(std::time::Duration::from_mins(1));
    assert_eq!(states(), [TargetState::Healthy; 2]);
    rig.console.set_targets(group, Some(Vec::new()));
    assert!(states().is_empty());
}

#[test]
fn alarms_that_do_not_exist_are_left_out() {
    let rig = Rig::new();
    let health = rig.cloud.health(&rig.scope, None);
    rig.console.set_alarm("errors", AlarmState::Alarm);
    let names = ["errors".to_owned(), "none".to_owned()];
    let page = rig.run(health.alarms(&names, None)).unwrap();
    assert_eq!(page.items.len(), 1);
    assert_eq!((page.items[0].state, page.next), (AlarmState::Alarm, None));
}
