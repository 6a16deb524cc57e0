//! Drift through the program: made by somebody else, found, put up with, and shown in a browser.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use landfast::ports::Cloud as _;

use super::place::{Place, until};
use crate::contract::FENCE;
use crate::workshop::Workshop;

const ENVIRONMENT: &str = r#"
apiVersion: landfast/v1
kind: Environment
metadata: { name: dev }
spec: { system: shop, account: "ACCOUNT", region: us-east-1, include: [shop], policy: { mode: apply } }
"#;

const STACK: &str = r"
apiVersion: landfast/v1
kind: Stack
metadata: { name: logs }
spec:
  template: logs.tpl
";

const TEMPLATE: &str = r"
Resources:
  Log:
    Type: AWS::Logs::LogGroup
    Properties: { LogGroupName: shop-drift, RetentionInDays: 7 }
  Handle:
    Type: AWS::CloudFormation::WaitConditionHandle
";

const IGNORE: &str =
    "  drift: { ignore: [{ resource: Log, property: /RetentionInDays, reason: an audit, until: '9999-12-31' }] }\n";

#[tokio::test]
async fn what_somebody_changes_is_found_and_can_be_put_up_with() {
    let files = [("dev.yaml", ENVIRONMENT), ("shop/logs.yaml", STACK), ("shop/logs.tpl", TEMPLATE)];
    let Some(place) = Place::of(&files) else { return };
    place.run(&["apply", "dev", "--yes"]).exits(0);
    let clean = place.run(&["drift", "dev"]).exits(0);
    assert!(clean.out.contains("not compared: Handle: CloudFormation does not check"), "{}", clean.out);
    assert!(clean.out.ends_with("No drift in 1 stack, 1 resource compared, 1 not compared.\n"), "{}", clean.out);

    let workshop = Workshop::Emulated(place.account.clone());
    workshop.retain(&"dev-shop-logs".parse().unwrap(), "Log", "shop-drift", 30).await;
    place.recorder.forget();
    let found = place.run(&["drift", "dev"]).exits(2);
    let looks = ["DetectStackDrift", "LookupEvents"];
    assert!(place.recorder.mutations().iter().all(|call| looks.contains(&&*call.action)));
    assert!(found.out.contains("Log /RetentionInDays") && found.out.contains("live      30"), "{}", found.out);
    let first = place.run(&["drift", "dev", "-o", "json"]).exits(2).json();
    let again = place.run(&["drift", "dev", "-o", "json"]).exits(2).json();
    let finding = |report: &serde_json::Value| report["items"][0]["findings"][0].clone();
    assert_eq!(finding(&first)["since"], finding(&again)["since"], "it is the same difference");
    assert_eq!(again["items"][0]["history"].as_array().map(Vec::len), Some(4));
    for (format, says) in [("markdown", "| medium | `Log`"), ("sarif", "\"level\": \"warning\""), ("junit", "<failure")]
    {
        let report = place.run(&["drift", "dev", "-o", format]).exits(2);
        assert!(report.out.contains(says), "{format}: {}", report.out);
    }
    let page = place.dir.path().join("drift.html");
    place.run(&["drift", "dev", "-o", "html", "--out", page.to_str().unwrap()]).exits(2);
    open_in_a_browser(&page, "/RetentionInDays");

    place.append("shop/logs.yaml", IGNORE);
    let tolerated = place.run(&["drift", "dev"]).exits(0);
    assert!(tolerated.out.contains("1 tolerated"), "{}", tolerated.out);
}

/// The emulator does not know change sets that revert drift, and makes an ordinary one: which would put nothing back.
#[tokio::test]
async fn what_an_endpoint_cannot_put_back_is_said_with_what_does_and_nothing_is_executed() {
    let stack = format!("{STACK}  drift: {{ action: revert }}\n");
    let files = [("dev.yaml", ENVIRONMENT), ("shop/logs.yaml", &*stack), ("shop/logs.tpl", TEMPLATE)];
    let Some(place) = Place::of(&files) else { return };
    place.run(&["apply", "dev", "--yes"]).exits(0);
    place.run(&["drift", "dev"]).exits(0);
    let workshop = Workshop::Emulated(place.account.clone());
    workshop.retain(&"dev-shop-logs".parse().unwrap(), "Log", "shop-drift", 30).await;
    place.run(&["drift", "dev"]).exits(2);
    place.recorder.forget();
    let actions = || place.recorder.mutations().iter().map(|call| call.action.clone()).collect::<Vec<_>>();
    let says = "this endpoint does not support change sets that revert drift (`DeploymentMode=REVERT_DRIFT`)";
    let tried = place.run(&["apply", "dev", "--yes"]);
    assert!(tried.out.contains(says) && tried.out.contains("revert it manually"), "{}", tried.text());
    assert_eq!(actions(), ["CreateChangeSet", "DeleteChangeSet"]);
    // It is known from then on.
    place.run(&["apply", "dev", "--yes"]);
    assert_eq!(actions().len(), 2);
    assert!(place.run(&["why", "dev/stack/logs"]).out.contains(says));
}

/// The first is left a minute after the start.
#[tokio::test]
async fn the_daemon_leaves_reports_in_a_bucket_and_removes_what_is_over() {
    let files = [("dev.yaml", ENVIRONMENT), ("shop/logs.yaml", STACK), ("shop/logs.tpl", TEMPLATE)];
    let Some(place) = Place::of(&files) else { return };
    let bucket = format!("reports-{}", place.account.id);
    place.account.make_bucket(&bucket).await;
    let objects = place.account.cloud(None).await.objects(&place.account.scope("us-east-1"), None);
    let old = ["drift-20260101T000000Z", "drift-20260102T000000Z", "notes"];
    for name in old.iter().flat_map(|name| ["html", "json"].map(|ending| format!("ops/dev/{name}.{ending}"))) {
        objects.put(FENCE, &bucket, &name, "text/plain", "old").await.unwrap();
    }
    place.run(&["apply", "dev", "--yes"]).exits(0);
    // What differs at the first look was AWS's doing.
    place.run(&["drift", "dev"]).exits(0);
    let workshop = Workshop::Emulated(place.account.clone());
    workshop.retain(&"dev-shop-logs".parse().unwrap(), "Log", "shop-drift", 30).await;
    place.run(&["drift", "dev"]).exits(2);
    let reports = format!("s3://{bucket}/ops");
    let mut daemon = place.start(&["run", "-v", "--drift-reports", &reports, "--drift-reports-kept", "2"]);
    std::thread::sleep(Duration::from_secs(45));
    until("it has left a report", || daemon.log().contains("drift report written"));
    // What is over goes after that.
    let mut keys = Vec::new();
    for _ in 0..60 {
        keys = objects.keys(&bucket, "ops/dev/", None).await.unwrap().items;
        if keys.len() <= 8 {
            break;
        }
        std::thread::sleep(Duration::from_secs(1));
    }
    daemon.terminate();
    let (ours, others): (Vec<&str>, Vec<&str>) =
        keys.iter().filter_map(|key| key.strip_prefix("ops/dev/")).partition(|name| name.starts_with("drift-2"));
    assert_eq!(others, ["drift-latest.html", "drift-latest.json", "notes.html", "notes.json"]);
    assert_eq!(ours.len(), 4, "{ours:?}");
    assert_eq!(ours[..2], ["drift-20260102T000000Z.html", "drift-20260102T000000Z.json"]);
    let report = objects.get(&bucket, "ops/dev/drift-latest.json").await.unwrap().unwrap();
    let report: serde_json::Value = serde_json::from_str(&report).unwrap();
    assert_eq!(report["summary"]["differences"], 1, "{report:#}");
    assert_eq!(report["items"][0]["findings"][0]["property"], "/RetentionInDays", "{report:#}");
}

/// It says the same once a browser has read it, and is kept as a picture with what the tests leave.
fn open_in_a_browser(page: &Path, says: &str) {
    let picture = Path::new(env!("CARGO_TARGET_TMPDIR")).join("drift.png");
    let profile = tempfile::tempdir().unwrap();
    let browse = |more: &[&str]| {
        let mut browser = Command::new("chromium");
        browser.args([
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--no-first-run",
            "--disable-background-networking",
        ]);
        browser.args([
            "--disable-component-update",
            "--disable-sync",
            "--enable-logging=stderr",
            "--window-size=1000,1400",
        ]);
        browser.arg(format!("--user-data-dir={}", profile.path().display())).args(more);
        browser.arg(format!("file://{}", page.display())).output()
    };
    let Ok(read) = browse(&["--dump-dom"]) else {
        eprintln!("skipped: there is no chromium here, so the page was not opened in a browser");
        return;
    };
    let dom = String::from_utf8_lossy(&read.stdout);
    assert!(dom.contains(says), "the page says nothing of it:\n{dom}");
    let log = String::from_utf8_lossy(&read.stderr);
    assert!(!log.contains(":CONSOLE"), "the page complains:\n{log}");
    browse(&[&format!("--screenshot={}", picture.display())]).unwrap();
    eprintln!("the page as a picture: {}", picture.display());
}
