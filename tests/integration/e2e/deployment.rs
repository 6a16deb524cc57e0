//! From nothing to everything, and back.

use std::time::Duration;

use landfast::model::StackStatus;

use super::place::{Place, short};
use crate::contract::all;

#[tokio::test]
async fn apply_deploys_everything_and_then_there_is_nothing_to_do() {
    let Some(place) = Place::new(Duration::ZERO) else { return };
    let applied = place.run(&["apply", "dev", "--yes"]).exits(0);
    assert!(applied.out.ends_with("dev is in sync.\n"), "{}", applied.out);
    assert!(!applied.err.contains("WARN"), "{}", applied.err);
    let deployed = place.list().await;
    assert_eq!(deployed.len(), 12, "{:?}", deployed.keys());
    for stack in deployed.values() {
        assert_eq!(stack.status, StackStatus::CreateComplete, "{stack:?}");
        assert_eq!(stack.tags.get("CostCenter").map(String::as_str), Some("people-ops"));
    }
    let counts = place.recorder.counts();
    assert_eq!(counts.get("CreateStack"), Some(&12));
    eprintln!("apply took {:?} and made these calls: {counts:?}", applied.took);

    place.recorder.forget();
    let planned = place.run(&["plan", "dev", "-o", "json"]).exits(0);
    eprintln!("plan took {:?} and made these calls: {:?}", planned.took, place.recorder.counts());
    let plan = planned.json();
    assert_eq!((&plan["kind"], &plan["inSync"]), (&"Plan".into(), &true.into()));
    assert_eq!((&plan["summary"]["objects"], &plan["summary"]["inSync"]), (&12.into(), &12.into()));
    assert_eq!(plan["steps"].as_array().map(Vec::len), Some(0));
    let applied = place.run(&["apply", "dev", "--yes", "-o", "json"]).exits(0);
    assert_eq!((&applied.json()["kind"], &applied.json()["plan"]["inSync"]), (&"Applied".into(), &true.into()));
    let status = place.run(&["status", "dev", "-o", "json"]).exits(0);
    assert!(status.out.contains("CREATE_COMPLETE"), "{}", status.out);
    let outputs = place.run(&["outputs", "dev"]).exits(0);
    assert!(outputs.out.contains("LoadBalancerDNSName"), "{}", outputs.out);
    let events = place.run(&["events", "dev/stack/kms"]).exits(0);
    assert!(events.out.contains("CREATE_COMPLETE"), "{}", events.out);
    assert_eq!(place.recorder.mutations().len(), 0, "{:?}", place.recorder.mutations());
    let stacks = place.stacks().await;
    for stack in deployed.values() {
        assert!(all(|page| stacks.change_sets(&stack.id, page)).await.is_empty());
    }
    assert_eq!(place.list().await, deployed);

    // Without its journal it knows its stacks again, by what they are.
    std::fs::remove_dir_all(place.dir.path().join(".landfast")).unwrap();
    place.run(&["apply", "dev", "--yes"]).exits(0);
    assert_eq!(place.recorder.mutations().len(), 0, "{:?}", place.recorder.mutations());
}

#[tokio::test]
async fn a_plan_leaves_nothing_behind() {
    let Some(place) = Place::new(Duration::ZERO) else { return };
    let planned = place.run(&["plan", "dev"]).exits(2);
    assert!(planned.out.contains("12 to create"), "{}", planned.out);
    assert_eq!(place.recorder.mutations().len(), 0, "of what does not exist there is no change set");
    assert!(place.list().await.is_empty());
    place.run(&["apply", "dev", "--yes"]).exits(0);
    place.edit("environments/dev/dev-parameters.json", r#""LogRetentionDays": "7""#, r#""LogRetentionDays": "14""#);
    let before = place.list().await;
    let planned = place.run(&["plan", "dev"]).exits(2);
    assert!(planned.out.contains(r#"LogRetentionDays: "7" → "14""#), "{}", planned.out);
    let stacks = place.stacks().await;
    for stack in before.values() {
        assert!(all(|page| stacks.change_sets(&stack.id, page)).await.is_empty(), "{}", stack.name);
    }
    assert_eq!(place.list().await, before);
    let again = place.run(&["plan", "dev"]).exits(2);
    assert_eq!(again.digest(), planned.digest(), "the same plan has the same digest");
}

#[tokio::test]
async fn destroy_deletes_everything_dependants_first_and_only_with_consent() {
    let Some(place) = Place::new(Duration::ZERO) else { return };
    place.run(&["apply", "dev", "--yes"]).exits(0);
    place.recorder.forget();
    let asked = place.run(&["destroy", "dev"]).exits(3);
    let refused = place.run(&["destroy", "dev", "--plan", "000000000000"]).exits(3);
    assert!(refused.err.contains("the plan changed since"), "{}", refused.err);
    assert!(place.recorder.mutations().iter().all(|call| call.action != "DeleteStack"));
    assert_eq!(place.list().await.len(), 12);
    place.run(&["destroy", "dev", "--plan", &asked.digest()]).exits(0);
    assert!(place.list().await.is_empty());
    let deletions = place.recorder.mutations().into_iter().filter(|call| call.action == "DeleteStack");
    let order: Vec<_> = deletions.map(|call| short(call.stack.rsplit('/').nth(1).unwrap_or(&call.stack))).collect();
    let place_of =
        |name: &str| order.iter().position(|other| other == name).unwrap_or_else(|| panic!("{name}: {order:?}"));
    assert_eq!(order.len(), 12, "{order:?}");
    for (dependant, dependency) in
        [("monitoring", "ecs-service"), ("ecs-service", "alb"), ("iam", "msk"), ("msk", "network"), ("network", "kms")]
    {
        assert!(place_of(dependant) < place_of(dependency), "{order:?}");
    }
}

#[tokio::test]
async fn a_template_that_is_too_large_for_a_call_goes_through_a_bucket() {
    let Some(place) = Place::new(Duration::ZERO) else { return };
    let bucket = format!("templates-{}", place.account.id);
    place.account.make_bucket(&bucket).await;
    let comment = format!("# {}\n", "long ".repeat(20)).repeat(600);
    place.append("performance-mgmt/templates/ecr.yaml", &comment);
    place.edit("environments/dev/environment.yaml", "  include:", &format!("  templateBucket: {bucket}\n  include:"));
    place.run(&["apply", "dev", "--yes"]).exits(0);
    let stacks = place.stacks().await;
    let template = stacks.template(&place.list().await["ecr"].id).await.unwrap();
    assert!(template.len() > 51_200 && template.ends_with(&comment));
    place.run(&["plan", "dev"]).exits(0);
}

#[tokio::test]
async fn a_bucket_that_cannot_be_used_is_said_by_the_plan_and_ends_an_apply() {
    let Some(place) = Place::new(Duration::ZERO) else { return };
    let plain = format!("plain-{}", place.account.id);
    place.account.make_plain_bucket(&plain).await;
    place.append("performance-mgmt/templates/ecr.yaml", &format!("# {}\n", "long ".repeat(20)).repeat(600));
    let mut before = "  include:".to_owned();
    for (bucket, words) in [("no-such-bucket-anywhere", "does not exist"), (plain.as_str(), "versioning")] {
        let after = format!("  templateBucket: {bucket}\n  include:");
        place.edit("environments/dev/environment.yaml", &before, &after);
        before = after;
        for command in [&["plan", "dev"][..], &["apply", "dev", "--yes"]] {
            let said = place.run(command).exits(1);
            assert!(said.out.contains(words), "{}", said.out);
        }
    }
}
