//! A service whose image follows a repository: through ECS itself, and through the stack that owns it.

use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use landfast::model::{ImageDigest, ServiceRef, ServiceState, TaskDefinitionState, TaskStatus};
use landfast::ports::{Cloud as _, Containers, TasksWanted};
use serde_json::Value as Json;

use super::place::{Place, Ran, until};
use crate::contract::all;
use crate::workshop::{Fares, MakeService, Workshop};

const ENVIRONMENT: &str = r#"
apiVersion: landfast/v1
kind: Environment
metadata: { name: dev }
spec:
  system: shop
  account: "ACCOUNT"
  region: us-east-1
  include: [shop]
  policy: { mode: apply, prune: confirm, replace: deny, budget: { stacks: 9, replacements: 0, deletions: 0, per: 1h } }
"#;

const DIRECT: &str = r#"
apiVersion: landfast/v1
kind: Service
metadata: { name: web }
spec:
  cluster: shop
  service: web
  images: { web: { repository: shop/web, semver: "1" } }
  adopt: true
"#;

const THROUGH_A_STACK: &str = r#"
apiVersion: landfast/v1
kind: Service
metadata: { name: web }
spec:
  cluster: "${stacks.web.outputs.Cluster}"
  service: "${stacks.web.outputs.Service}"
  images: { web: { repository: shop/web, semver: "1" } }
  deliver: { stack: web, parameters: { web: Image } }
---
apiVersion: landfast/v1
kind: Stack
metadata: { name: web }
spec: { template: web.tpl }
"#;

const SECRET: &str = r"
apiVersion: landfast/v1
kind: Secret
metadata: { name: made }
spec:
  generate: { password: { length: 24 } }
  rotate: { every: 30d }
";

/// It says nothing of a desired count: that is the autoscaler's.
const TEMPLATE: &str = r"
Parameters: { Image: { Type: String } }
Resources:
  Cluster: { Type: AWS::ECS::Cluster, Properties: { ClusterName: shop } }
  Definition:
    Type: AWS::ECS::TaskDefinition
    Properties:
      Family: web
      ContainerDefinitions: [{ Name: web, Image: !Ref Image }]
  Service:
    Type: AWS::ECS::Service
    Properties:
      ServiceName: web
      Cluster: !Ref Cluster
      TaskDefinition: !Ref Definition
Outputs:
  Cluster: { Value: !Ref Cluster }
  Service: { Value: !GetAtt Service.Name }
";

const OBJECT: &str = "dev/service/web";

/// The program in front of a registry and a service.
struct Shop {
    place: Place,
    workshop: Workshop,
    containers: Arc<dyn Containers>,
    service: ServiceRef,
}

impl Shop {
    /// Version 1.0.0 is in the registry.
    async fn new(files: &[(&str, &str)]) -> Option<Self> {
        let place = Place::of(files)?;
        let workshop = Workshop::Emulated(place.account.clone());
        let containers = place.account.cloud(None).await.containers(&place.account.scope("us-east-1"), None);
        workshop.repository("shop/web").await;
        let service = ServiceRef { cluster: "shop".to_owned(), service: "web".to_owned() };
        let shop = Self { place, workshop, containers, service };
        shop.push("1.0.0", Fares::Well).await;
        Some(shop)
    }

    async fn push(&self, version: &str, fares: Fares) -> ImageDigest {
        self.workshop.push("shop/web", version, version, fares).await
    }

    async fn state(&self) -> ServiceState {
        let names = [self.service.service.clone()];
        self.containers.services("shop", &names).await.unwrap().remove(0).unwrap()
    }

    /// The digest of every task, and how many there are, once no task is on its way: one that was being started when a
    /// deployment was taken back takes a moment to be gone.
    async fn runs(&self) -> (Vec<ImageDigest>, usize) {
        let deadline = tokio::time::Instant::now() + Duration::from_secs(10);
        let tasks = loop {
            let arns = all(|page| self.containers.list_tasks(&self.service, TasksWanted::Running, page)).await;
            let tasks = self.containers.tasks("shop", &arns).await.unwrap();
            if tasks.iter().all(|task| task.status == TaskStatus::Running) {
                break tasks;
            }
            assert!(tokio::time::Instant::now() < deadline, "{tasks:?}");
            tokio::time::sleep(Duration::from_millis(100)).await;
        };
        let mut digests: Vec<_> = tasks.iter().filter_map(|task| task.containers[0].digest.clone()).collect();
        digests.sort();
        digests.dedup();
        (digests, tasks.len())
    }

    /// One line of each task, in the order in which they were written.
    async fn shows_what_containers_wrote(&self, definition: &TaskDefinitionState) {
        let container = &definition.containers[0];
        let arns = all(|page| self.containers.list_tasks(&self.service, TasksWanted::Running, page)).await;
        let log = container.log.as_ref().unwrap();
        let first = Timestamp::now() - SignedDuration::from_secs(60);
        for (number, task) in arns.iter().enumerate() {
            let at = first + SignedDuration::from_secs(number.try_into().unwrap());
            self.workshop
                .log(&log.stream(&container.name, task).unwrap(), &format!("line {number}\u{1b}[2J"), at)
                .await;
        }
        let lines = self.place.run(&["logs", OBJECT, "--container", &container.name]).exits(0).out;
        let said: Vec<&str> = lines.lines().map(|line| line.split_once("  ").unwrap().1).collect();
        assert_eq!(said.len(), arns.len(), "{lines}");
        assert!(said.iter().enumerate().all(|(number, line)| line.starts_with(&format!("line {number}"))), "{lines}");
        assert!(!lines.contains('\u{1b}'), "what a container writes is obeyed by no terminal");
        let last = self.place.run(&["logs", OBJECT, "-n", "1"]).exits(0).out;
        assert_eq!((last.lines().count(), last.contains(&format!("line {}", arns.len() - 1))), (1, true), "{last}");
    }

    fn apply(&self) -> Ran {
        self.place.run(&["apply", "dev", "--yes"])
    }

    /// Nothing is to be done, and to find that out changes nothing.
    #[track_caller]
    fn is_in_sync(&self) {
        self.place.recorder.forget();
        self.place.run(&["plan", "dev"]).exits(0);
        let mutations = self.place.recorder.mutations();
        assert!(mutations.is_empty(), "{mutations:?}");
    }

    fn image(&self) -> Json {
        self.place.run(&["images", "dev", "-o", "json"]).exits(0).json()["items"][0].clone()
    }

    /// An image is pushed that fails: it is taken back, and left alone until there is a newer one.
    async fn survives_a_bad_image(&self, good: &ImageDigest, tasks: usize) {
        let bad = self.push("1.2.0", Fares::CannotBePulled).await;
        // Everything is in sync again in the end, and yet it is no success.
        let applied = self.apply().exits(1);
        assert!(applied.err.contains("rollout of web 1.2.0 rolled back"), "{}", applied.text());
        assert!(applied.out.contains("A rollout of dev/service/web FAILED"), "{}", applied.text());
        assert!(applied.err.contains("CannotPullContainerError"), "{}", applied.text());
        eprintln!("a bad image was taken back after {:?}", applied.took);
        assert_eq!(self.runs().await, (vec![good.clone()], tasks));
        let listed = self.place.run(&["quarantine", "list", "dev"]).exits(0);
        assert!(listed.out.contains("1.2.0") && listed.out.contains(bad.as_str()), "{}", listed.out);
        assert_eq!(self.image()["outcome"], "rolledBack", "{}", self.image());
        self.is_in_sync();
        // Once more, it is not tried again.
        self.place.recorder.forget();
        self.apply().exits(0);
        assert!(self.place.recorder.mutations().is_empty(), "{:?}", self.place.recorder.mutations());
        let newer = self.push("1.3.0", Fares::Well).await;
        self.apply().exits(0);
        assert_eq!(self.runs().await, (vec![newer], tasks));
        self.is_in_sync();
    }

    /// A person goes back, and stays there; and releases what is in quarantine.
    async fn a_person_has_the_say(&self, first: &ImageDigest, tasks: usize) {
        let unknown = self.place.run(&["rollback", OBJECT, "--to", "7.7.7"]);
        assert_ne!(unknown.code, 0);
        assert!(unknown.err.contains("1.0.0"), "{}", unknown.err);
        let back = self.place.run(&["rollback", OBJECT, "--to", "1.0.0"]).exits(0);
        assert!(back.out.contains("rolled back to 1.0.0"), "{}", back.out);
        self.place.run(&["plan", "dev"]).exits(2);
        self.apply().exits(0);
        assert_eq!(self.runs().await, (vec![first.clone()], tasks));
        assert!(self.image()["pinned"].is_string(), "{}", self.image());
        self.is_in_sync();
        self.push("1.4.0", Fares::Well).await;
        self.apply().exits(0);
        assert_eq!(self.runs().await, (vec![first.clone()], tasks));
        self.is_in_sync();
        let released = self.place.run(&["quarantine", "release", OBJECT, "1.2.0"]).exits(0);
        assert!(released.out.contains("can be deployed again"), "{}", released.out);
        let listed = self.place.run(&["quarantine", "list"]).exits(0);
        assert_eq!(listed.out, "No image is in quarantine.\n");
    }
}

#[tokio::test]
async fn an_image_gets_into_a_service_that_no_stack_owns_and_only_the_image() {
    let Some(shop) = Shop::new(&[("dev.yaml", ENVIRONMENT), ("shop/web.yaml", DIRECT)]).await else { return };
    let workshop = &shop.workshop;
    workshop.cluster("shop").await;
    let image = format!("{}.dkr.ecr.us-east-1.amazonaws.com/shop/web:1.0.0", shop.place.account.id);
    let definition = workshop.define("web", &[("web", &image), ("side", "public.ecr.aws/x/side:3")]).await;
    let tags = vec![("Team".to_owned(), "people".to_owned())];
    let (service, desired) = (shop.service.clone(), 2);
    workshop.service(&MakeService { service, definition: definition.clone(), desired, breaker: false, tags }).await;

    let applied = shop.apply().exits(0);
    assert!(applied.out.ends_with("dev is in sync.\n"), "{}", applied.out);
    shop.is_in_sync();
    let counts = shop.place.recorder.counts();
    eprintln!("a plan of a service that is in sync makes these calls: {counts:?}");
    let first = shop.image();
    assert_eq!(
        (&first["tag"], &first["matches"], &first["outcome"]),
        (&"1.0.0".into(), &true.into(), &"proven".into())
    );
    let state = shop.state().await;
    assert_eq!(state.tags.get("landfast:owner").map(String::as_str), Some(OBJECT));
    assert_eq!(state.tags.get("Team").map(String::as_str), Some("people"));

    workshop.scale(&shop.service, 4).await;
    let newer = shop.push("1.1.0", Fares::Well).await;
    let planned = shop.place.run(&["plan", "dev"]).exits(2);
    assert!(planned.out.contains("1.0.0") && planned.out.contains("1.1.0"), "{}", planned.out);
    shop.place.recorder.forget();
    let applied = shop.apply().exits(0);
    let counts = shop.place.recorder.counts();
    eprintln!("a rollout took {:?} and made these calls: {counts:?}", applied.took);
    assert_eq!((counts.get("RegisterTaskDefinition"), counts.get("UpdateService")), (Some(&1), Some(&1)));
    assert_eq!((shop.runs().await, shop.state().await.desired), ((vec![newer.clone()], 4), 4));
    shop.is_in_sync();
    let live = shop.state().await.task_definition.unwrap();
    let live = shop.containers.task_definition(live.as_str()).await.unwrap().unwrap();
    let before = shop.containers.task_definition(definition.as_str()).await.unwrap().unwrap();
    assert_eq!(live.containers[1], before.containers[1], "what is beside the image stays");
    assert_eq!(live.containers[0].log, before.containers[0].log);
    shop.shows_what_containers_wrote(&live).await;

    shop.survives_a_bad_image(&newer, 4).await;
    let first: ImageDigest = first["digest"].as_str().unwrap().parse().unwrap();
    shop.a_person_has_the_say(&first, 4).await;
}

#[tokio::test]
async fn an_image_gets_into_a_service_through_the_parameter_of_its_stack() {
    let files = [("dev.yaml", ENVIRONMENT), ("shop/web.yaml", THROUGH_A_STACK), ("shop/web.tpl", TEMPLATE)];
    let Some(shop) = Shop::new(&files).await else { return };
    let applied = shop.apply().exits(0);
    assert!(applied.out.ends_with("dev is in sync.\n"), "{}", applied.out);
    shop.is_in_sync();
    let first = shop.image();
    assert_eq!(
        (&first["tag"], &first["matches"], &first["outcome"]),
        (&"1.0.0".into(), &true.into(), &"proven".into())
    );
    shop.workshop.scale(&shop.service, 3).await;
    tokio::time::sleep(Duration::from_millis(500)).await;

    let newer = shop.push("1.1.0", Fares::Well).await;
    shop.place.run(&["plan", "dev"]).exits(2);
    shop.place.recorder.forget();
    let applied = shop.apply().exits(0);
    let counts = shop.place.recorder.counts();
    eprintln!("a rollout through a stack took {:?} and made these calls: {counts:?}", applied.took);
    assert_eq!((counts.get("ExecuteChangeSet"), counts.get("UpdateService")), (Some(&1), None));
    assert_eq!((shop.runs().await, shop.state().await.desired), ((vec![newer.clone()], 3), 3));
    shop.is_in_sync();
    let stack = shop.place.stacks().await.describe(&"dev-shop-web".parse().unwrap()).await.unwrap().unwrap();
    assert!(stack.parameters["Image"].ends_with(newer.as_str()), "{:?}", stack.parameters);

    shop.survives_a_bad_image(&newer, 3).await;
    let first: ImageDigest = first["digest"].as_str().unwrap().parse().unwrap();
    shop.a_person_has_the_say(&first, 3).await;
}

#[tokio::test]
async fn a_daemon_does_what_another_process_asks_of_it() {
    let files = [("dev.yaml", ENVIRONMENT), ("shop/web.yaml", DIRECT), ("shop/made.yaml", SECRET)];
    let Some(shop) = Shop::new(&files).await else { return };
    shop.workshop.cluster("shop").await;
    let image = format!("{}.dkr.ecr.us-east-1.amazonaws.com/shop/web:1.0.0", shop.place.account.id);
    let definition = shop.workshop.define("web", &[("web", &image)]).await;
    let service = shop.service.clone();
    shop.workshop.service(&MakeService { service, definition, desired: 1, breaker: false, tags: Vec::new() }).await;
    shop.apply().exits(0);
    let first = shop.runs().await;
    shop.push("1.1.0", Fares::Well).await;
    shop.apply().exits(0);
    assert_ne!(shop.runs().await, first);

    let mut daemon = shop.place.start(&["run", "-v"]);
    until("everything is ready", || daemon.log().contains("2 of 2 objects ready"));
    let left = "the request was sent to the process that uses the state";
    let asked = shop.place.run(&["rollback", OBJECT]).exits(0);
    assert!(asked.err.contains(left), "{}", asked.text());
    let deadline = tokio::time::Instant::now() + Duration::from_mins(1);
    while shop.runs().await != first {
        assert!(tokio::time::Instant::now() < deadline, "{}", daemon.log());
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    let events = shop.place.run(&["events", OBJECT]).exits(0);
    assert!(events.out.contains("rollback to 1.0.0"), "{}", events.out);

    // It was written a moment ago, and is not written again within ten minutes: that it was asked for is known.
    let asked = shop.place.run(&["secret", "rotate", "dev/secret/made"]).exits(0);
    assert!(asked.err.contains(left), "{}", asked.text());
    until("it has taken both", || daemon.log().matches("request granted").count() == 2);
    let status = shop.place.run(&["secret", "status", "dev"]).exits(0);
    assert!(status.out.contains("rotation requested"), "{}", status.text());
    assert_eq!(daemon.terminate().0, Some(0));
}
