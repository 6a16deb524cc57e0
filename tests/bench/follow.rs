//! From a commit on a Git host to the first call to AWS: the program itself, a host behind HTTPS, its webhook, the emulator.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::process::Stdio;
use std::time::{Duration, Instant};

use crate::Row;
use crate::emulator;
use crate::host::Hosted;
use crate::place::{Daemon, until};
use crate::proxy::{Proxy, Terms};

/// So long nothing is called before a commit is pushed.
const QUIET: Duration = Duration::from_secs(1);

/// How long anything may take before this gives up.
const PATIENCE: Duration = Duration::from_mins(1);

/// Calls since this was asked last. The patrol that looks for drift in turn goes its own way.
fn caused(proxy: &Proxy) -> usize {
    let is_patrol = |call: &str| call.contains("Drift") || call == "ListStackResources";
    proxy.take().calls.iter().filter(|(call, _)| !is_patrol(call)).map(|(_, count)| count).sum()
}

pub(crate) fn latency(commits: usize) -> Vec<Row> {
    let Some(account) = emulator::account(Duration::from_millis(200)) else { return Vec::new() };
    let proxy = Proxy::before(&account.url, Terms { delay: Duration::ZERO, reads: None });
    let hosted = Hosted::new();
    let environment = hosted.place.manifests().join("environment.yaml");
    let text = fs::read_to_string(&environment).unwrap();
    fs::write(&environment, text.replace("111122223333", account.id.as_str())).unwrap();
    hosted.push(&[]);
    let dir = hosted.place.dir.path();
    let (secret, log) = (dir.join("secret"), dir.join("log"));
    fs::write(&secret, "secret").unwrap();
    let config = hosted.listening("main", &secret);
    let mut command =
        account.program(&["run", "--resync", "1h", "--config", config.to_str().unwrap()], &proxy.url, dir);
    let state = hosted.place.state();
    command.args(["--state", state.to_str().unwrap()]).env("PATH", "");
    let child = command.stdout(Stdio::null()).stderr(fs::File::create(&log).unwrap()).spawn().unwrap();
    let daemon = Daemon::logging(child, log);
    until("it listens", || daemon.log().contains("address="));
    let address = daemon.address();
    until("the first commit is applied", || daemon.log().contains("ready"));
    let (mut of_commit, mut of_call) = (Vec::new(), Vec::new());
    for number in 0..commits {
        let since = Instant::now();
        while {
            caused(&proxy);
            std::thread::sleep(QUIET);
            caused(&proxy) > 0
        } {
            assert!(since.elapsed() < PATIENCE, "commit {number}: it does not come to rest\n{}", daemon.log());
        }
        hosted.place.edit(number + 10);
        hosted.git(&["commit", "-q", "-a", "-m", "edit"]);
        let began = Instant::now();
        hosted.git(&["push", "-q", "origin", "HEAD:refs/heads/main"]);
        let called = Instant::now();
        let body = number.to_string();
        let mut stream = TcpStream::connect(&address).unwrap();
        let head = format!("POST /webhooks/main HTTP/1.1\r\nHost: {address}\r\nX-Gitlab-Token: secret\r\n");
        write!(stream, "{head}Content-Length: {}\r\n\r\n{body}", body.len()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        assert!(answer.contains(" 202 "), "{answer}");
        while caused(&proxy) == 0 {
            std::thread::sleep(Duration::from_millis(1));
            assert!(called.elapsed() < PATIENCE, "commit {number}: nothing is called\n{}", daemon.log());
        }
        of_commit.push(began.elapsed());
        of_call.push(called.elapsed());
    }
    let row = |what: &str, mut took: Vec<Duration>, aim: &str| {
        took.sort();
        let at = |percent: usize| took[(took.len() - 1) * percent / 100].as_secs_f64() * 1e3;
        Row(format!("{what}, {commits} commits"), format!("p50 {:.0} ms, p99 {:.0} ms", at(50), at(99)), aim.to_owned())
    };
    vec![
        row("push to first call, with a webhook", of_commit, "≤ 1 s"),
        row("webhook to first call", of_call, "≤ 300 ms"),
    ]
}
