//! DNS records and checks of readiness: the real binary, Route 53 as the emulator has it, and a web server of our own.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use landfast::model::{RecordContent, ZoneId};
use landfast::ports::Cloud as _;

use super::place::Place;

const ENVIRONMENT: &str = r#"apiVersion: landfast/v1
kind: Environment
metadata: { name: dev }
spec:
  system: shop
  account: "ACCOUNT"
  region: us-east-1
  include: [../../app]
  policy: { prune: always, budget: { deletions: 3 } }
"#;

const APP: &str = r#"apiVersion: landfast/v1
kind: Stack
metadata: { name: web }
spec:
  template: web.yaml
  ready:
    - service: { cluster: "${stacks.web.outputs.Cluster}", service: "${stacks.web.outputs.Service}" }
    - targets: { group: "GROUP" }
    - alarm: "${stacks.web.outputs.Alarm}"
---
apiVersion: landfast/v1
kind: DnsRecord
metadata: { name: api }
spec:
  zone: example.com
  name: api.example.com
  type: CNAME
  target: "${stacks.web.outputs.Cluster}.example.net"
  ready:
    - http: "http://WEB/health"
      body: '"UP"'
      timeout: 2s
---
apiVersion: landfast/v1
kind: DnsRecord
metadata: { name: blue }
spec:
  zone: example.com
  name: www.example.com
  type: A
  values: [192.0.2.1, 192.0.2.2]
  weight: 10
  id: blue
  dependsOn: [web]
"#;

const TEMPLATE: &str = r#"AWSTemplateFormatVersion: "2010-09-09"
Resources:
  Cluster: { Type: AWS::ECS::Cluster, Properties: { ClusterName: shop } }
  Task:
    Type: AWS::ECS::TaskDefinition
    Properties:
      Family: shop
      ContainerDefinitions: [{ Name: app, Image: "nginx:1" }]
  Web:
    Type: AWS::ECS::Service
    Properties: { ServiceName: web, Cluster: !Ref Cluster, TaskDefinition: !Ref Task, DesiredCount: 1 }
  Alarm:
    Type: AWS::CloudWatch::Alarm
    Properties:
      AlarmName: shop-errors
      Namespace: shop
      MetricName: Errors
      Statistic: Sum
      Period: 60
      EvaluationPeriods: 1
      Threshold: 1
      ComparisonOperator: GreaterThanThreshold
Outputs:
  Cluster: { Value: !Ref Cluster }
  Service: { Value: !GetAtt Web.Name }
  Alarm: { Value: !Ref Alarm }
"#;

/// A web server that says `UP` as long as it is told to; its address.
fn web(up: &Arc<AtomicBool>) -> String {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let up = Arc::clone(up);
    std::thread::spawn(move || {
        for mut client in listener.incoming().map_while(Result::ok) {
            let _ = client.set_read_timeout(Some(Duration::from_secs(2)));
            let _ = client.read(&mut [0; 4096]);
            let (status, body) = if up.load(Ordering::Relaxed) {
                ("200 OK", "{\"status\":\"UP\"}")
            } else {
                ("503 Service Unavailable", "{\"status\":\"DOWN\"}")
            };
            let head = format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", body.len());
            let _ = client.write_all(format!("{head}{body}").as_bytes());
        }
    });
    address
}

/// These files in the place of the shipped manifests.
fn write(place: &Place, files: &[(&str, &str)]) {
    fs::remove_dir_all(place.manifests()).unwrap();
    let environment = ENVIRONMENT.replace("ACCOUNT", place.account.id.as_str());
    for (file, text) in files.iter().chain(&[("environments/dev/environment.yaml", environment.as_str())]) {
        let path = place.manifests().join(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
}

/// What is in a zone, as text, without what every zone has.
async fn there(place: &Place, zone: &ZoneId) -> Vec<String> {
    let port = place.account.cloud(None).await.records(&place.account.scope("us-east-1"), None);
    let page = port.record_sets(zone, None).await.unwrap();
    assert_eq!(page.next, None);
    let sets = page.items.into_iter().filter(|set| !matches!(set.of.kind.as_str(), "NS" | "SOA"));
    let lines = sets.map(|set| match set.content {
        RecordContent::Values { values, .. } => format!("{} {} {}", set.of.kind, set.of.name, values.join(" ")),
        RecordContent::Alias { dns_name, .. } => format!("{} {} alias {dns_name}", set.of.kind, set.of.name),
    });
    lines.collect()
}

/// How many batches of record sets were sent.
fn batches(place: &Place) -> usize {
    let calls = place.recorder.calls().into_iter();
    calls.filter(|call| call.action.starts_with("POST") && call.action.contains("/rrset")).count()
}

fn marker(of: &str, owner: &str) -> String {
    format!("TXT {of} \"heritage=landfast,landfast/owner=dev/dnsrecord/{owner}\"")
}

#[tokio::test]
async fn records_are_made_when_what_they_point_to_is_ready_and_follow_their_manifests() {
    let Some(place) = Place::new(Duration::ZERO) else { return };
    let zone = place.account.make_zone("example.com", None).await;
    let group = place.account.make_target_group("shop").await;
    let up = Arc::new(AtomicBool::new(true));
    let app = APP.replace("WEB", &web(&up)).replace("GROUP", &group);
    write(&place, &[("app/app.yaml", &app), ("app/web.yaml", TEMPLATE)]);
    place.run(&["apply", "dev", "--yes"]).exits(0);
    let blue = ["A www.example.com 192.0.2.1 192.0.2.2".to_owned(), marker("_landfast-a-blue.www.example.com", "blue")];
    let api = ["CNAME api.example.com shop.example.net".to_owned(), marker("_landfast-cname.api.example.com", "api")];
    assert_eq!(there(&place, &zone).await, [&api[..], &blue].concat());
    assert_eq!(batches(&place), 1, "both records and both markers");
    let plan = place.run(&["plan", "dev"]).exits(0);
    assert!(plan.out.contains("In sync: 3 objects."), "{}", plan.out);
    let status = place.run(&["status", "dev"]).exits(0);
    assert!(status.out.contains("3 of 3 objects in sync."), "{}", status.out);

    // The check of one of them fails: it is said, and nothing is changed.
    up.store(false, Ordering::Relaxed);
    let status = place.run(&["status", "dev"]);
    assert!(status.out.contains("2 of 3 objects in sync,") && status.out.contains("503"), "{}", status.out);
    assert_eq!(batches(&place), 1);
    up.store(true, Ordering::Relaxed);

    // Another name: made first, and then the old one goes. Another value of a record whose name stays.
    place.edit("app/app.yaml", "name: api.example.com", "name: api2.example.com");
    place.edit("app/app.yaml", "192.0.2.2]", "192.0.2.3]");
    place.run(&["plan", "dev"]).exits(2);
    place.run(&["apply", "dev", "--yes"]).exits(0);
    let api = ["CNAME api2.example.com shop.example.net".to_owned(), marker("_landfast-cname.api2.example.com", "api")];
    let blue = ["A www.example.com 192.0.2.1 192.0.2.3".to_owned(), marker("_landfast-a-blue.www.example.com", "blue")];
    assert_eq!(there(&place, &zone).await, [&api[..], &blue].concat());
    assert_eq!(batches(&place), 3);
    place.run(&["plan", "dev"]).exits(0);

    // One manifest is gone, and with it its record and marker.
    let text = fs::read_to_string(place.manifests().join("app/app.yaml")).unwrap();
    let (rest, _) = text.rsplit_once("---\n").unwrap();
    fs::write(place.manifests().join("app/app.yaml"), rest).unwrap();
    place.run(&["apply", "dev", "--yes"]).exits(0);
    assert_eq!(there(&place, &zone).await, api);
    place.run(&["plan", "dev"]).exits(0);
}

const SERVICE: &str = r#"apiVersion: landfast/v1
kind: Service
metadata: { name: api }
spec:
  cluster: shop
  service: api
  images:
    app: { repository: shop/app, tag: "1.0" }
"#;

#[tokio::test]
async fn preflight_says_whether_the_images_of_services_are_there() {
    let Some(place) = Place::new(Duration::ZERO) else { return };
    write(&place, &[("app/app.yaml", SERVICE)]);
    let said = |what: &str| {
        let text = place.run(&["preflight", "dev"]).text();
        assert!(
            text.lines().any(|line| line.contains("image of app in dev/service/api") && line.contains(what)),
            "{text}"
        );
    };
    said("missing");
    place.account.push_image("shop/app", "1.0").await;
    said("ok");
    said("1.0 is in shop/app");
}
