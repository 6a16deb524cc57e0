//! The drift report's page, opened as a person would: in a browser, light and dark, and on paper.
//!
//! It is the page of the golden files, so what is looked at here is what is compared there. Pictures of it are left under
//! `target/pages`. Without Chromium the test says so and passes; `LANDFAST_CHROMIUM` names one that is not in the path.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value as Json;

/// A page takes a second; a browser that starts for the first time on a busy machine some more.
const WITHIN: Duration = Duration::from_mins(2);

/// What a browser made of a page.
#[derive(Debug, Default)]
struct Opened {
    /// What was written to its console, errors of the page included.
    console: Vec<String>,
    /// What the page asked for beside itself.
    asked: Vec<String>,
}

fn chromium() -> Option<PathBuf> {
    let named = std::env::var_os("LANDFAST_CHROMIUM").map(PathBuf::from);
    let path = std::env::var_os("PATH").unwrap_or_default();
    let known = ["chromium", "chromium-browser", "google-chrome", "chrome", "headless_shell"];
    let found = std::env::split_paths(&path).flat_map(|dir| known.map(|name| dir.join(name)));
    let found = named.into_iter().chain(found).find(|file| file.is_file());
    if found.is_none() {
        eprintln!("skipped: no Chromium in the path, and LANDFAST_CHROMIUM does not name one");
    }
    found
}

/// Opens a page; nothing outside of this machine can be reached by it.
fn open(chromium: &Path, page: &Path, scratch: &Path, more: &[String]) -> Opened {
    let (log, net) = (scratch.join("console.txt"), scratch.join("net.json"));
    let profile = scratch.join("profile");
    let mut child = Command::new(chromium)
        .args(["--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--hide-scrollbars"])
        .args(["--no-first-run", "--disable-background-networking", "--disable-component-update"])
        .args(["--host-resolver-rules=MAP * ~NOTFOUND", "--enable-logging=stderr", "--log-level=0"])
        .arg(format!("--user-data-dir={}", profile.display()))
        .arg(format!("--log-net-log={}", net.display()))
        .args(more)
        .arg(format!("file://{}", page.display()))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(fs::File::create(&log).unwrap())
        .spawn()
        .unwrap();
    let began = Instant::now();
    let status = loop {
        if let Some(status) = child.try_wait().unwrap() {
            break status;
        }
        if began.elapsed() > WITHIN {
            child.kill().unwrap();
            panic!("the browser did not end: {}", fs::read_to_string(&log).unwrap());
        }
        std::thread::sleep(Duration::from_millis(50));
    };
    let log = fs::read_to_string(&log).unwrap();
    assert!(status.success(), "{status}: {log}");
    let console = log.lines().filter(|line| line.contains(":CONSOLE:")).map(str::to_owned).collect();
    let net: Json = serde_json::from_slice(&fs::read(&net).unwrap()).unwrap();
    let events = net["events"].as_array().unwrap().iter().map(|event| &event["params"]);
    // A page that is a file has no origin of its own, which is written `null`; what the browser asks for itself has another.
    let asked = events.filter(|params| params["initiator"] == "null").filter_map(|params| params["url"].as_str());
    Opened { console, asked: asked.map(str::to_owned).collect() }
}

/// The width and height of a picture (PNG: the first chunk has them).
fn size(picture: &Path) -> (u32, u32) {
    let bytes = fs::read(picture).unwrap();
    assert!(bytes.starts_with(b"\x89PNG"), "{}", picture.display());
    let number = |at: usize| u32::from_be_bytes(bytes[at..at + 4].try_into().unwrap());
    (number(16), number(20))
}

fn golden_page() -> String {
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/report/drift.html.snap");
    let text = fs::read_to_string(golden).unwrap();
    text[text.find("<!DOCTYPE").unwrap()..].to_owned()
}

#[test]
fn the_drift_report_opens_in_a_browser_without_an_error_and_asks_for_nothing() {
    let Some(chromium) = chromium() else { return };
    let scratch = tempfile::tempdir().unwrap();
    let pictures = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap().join("pages");
    fs::create_dir_all(&pictures).unwrap();
    let page = scratch.path().join("drift.html");
    fs::write(&page, golden_page()).unwrap();
    let wide = "--window-size=1100,2600".to_owned();
    let narrow = "--window-size=500,4200".to_owned();
    let dark = "--blink-settings=preferredColorScheme=0".to_owned();
    for (name, more) in [("light", vec![wide.clone()]), ("dark", vec![wide, dark]), ("narrow", vec![narrow])] {
        let picture = pictures.join(format!("drift-{name}.png"));
        let more = [more, vec![format!("--screenshot={}", picture.display())]].concat();
        let opened = open(&chromium, &page, scratch.path(), &more);
        assert_eq!((opened.console, opened.asked), (vec![], vec![]), "{name}");
        assert!(size(&picture).0 >= 500, "{name}");
        eprintln!("{}", picture.display());
    }
    let (light, dark) = (pictures.join("drift-light.png"), pictures.join("drift-dark.png"));
    assert_ne!(fs::read(light).unwrap(), fs::read(dark).unwrap(), "light and dark are the same picture");
    let paper = pictures.join("drift.pdf");
    let more = [format!("--print-to-pdf={}", paper.display()), "--no-pdf-header-footer".to_owned()];
    open(&chromium, &page, scratch.path(), &more);
    assert!(fs::read(&paper).unwrap().starts_with(b"%PDF"));
}

/// Otherwise the test above could not fail.
#[test]
fn a_page_that_asks_for_something_or_fails_is_found_out() {
    let Some(chromium) = chromium() else { return };
    let scratch = tempfile::tempdir().unwrap();
    let page = scratch.path().join("bad.html");
    let bad = "<!DOCTYPE html><img src=\"https://example.com/a.png\"><script>throw 'up'</script>";
    fs::write(&page, bad).unwrap();
    let picture = format!("--screenshot={}", scratch.path().join("bad.png").display());
    let opened = open(&chromium, &page, scratch.path(), &[picture]);
    assert!(opened.console.iter().any(|line| line.contains("Uncaught up")), "{opened:?}");
    assert!(opened.asked.iter().any(|url| url == "https://example.com/a.png"), "{opened:?}");
}
