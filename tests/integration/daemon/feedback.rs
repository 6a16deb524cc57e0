//! What Git hosts are told: states of commits, comments on pull requests. The hosts are small servers that speak the APIs of
//! GitHub and GitLab and write down every call.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use super::host::{Hosted, Server};
use super::place::{Daemon, until};

/// A Git host's API, with the certificate of a host.
struct Forge {
    hosted: Hosted,
    server: Server,
    kind: &'static str,
}

impl Forge {
    fn new(kind: &'static str) -> Self {
        let hosted = Hosted::new();
        symlink(".", hosted.host.root().join("o")).unwrap();
        let mut forge = Self { hosted, server: Server::new("forge.py"), kind };
        fs::create_dir(forge.file("")).unwrap();
        fs::write(forge.hosted.host.file("token"), "canary-token\n").unwrap();
        forge.start();
        forge
    }

    fn file(&self, name: &str) -> PathBuf {
        self.hosted.host.file("forge").join(name)
    }

    fn start(&mut self) {
        let host = &self.hosted.host;
        self.server.start(&host.file("forge"), &[host.file("host.pem"), host.file("host.key")]);
    }

    fn stop(&mut self) {
        self.server.stop();
    }

    fn daemon(&self) -> Daemon {
        let token = format!("token = {{ file = '{}' }}", self.hosted.host.file("token").display());
        let version = if self.kind == "github" { 3 } else { 4 };
        let api = format!("kind = '{}', api = 'https://127.0.0.1:{}/api/v{version}'", self.kind, self.server.port);
        self.daemon_with(&token, &api)
    }

    fn daemon_with(&self, credentials: &str, feedback: &str) -> Daemon {
        let (host, dir) = (&self.hosted.host, self.hosted.place.dir.path());
        let (config, log) = (dir.join("landfast.toml"), dir.join("log"));
        let text = format!(
            "[[environment]]\nname = ['*']\n[[source]]\nname = 'main'\nurl = '{}'\nauthorities = '{}'\nbranch = 'main'\n\
             interval = '5s'\n{credentials}\nfeedback = {{ {feedback} }}\n",
            host.url().replace("/m.git", "/o/m.git"),
            host.authority(),
        );
        fs::write(&config, text).unwrap();
        let mut command =
            self.hosted.place.command(&["run", "--sim-speed", "3600", "--config", config.to_str().unwrap()]);
        command.env("PATH", "").stdout(Stdio::null()).stderr(fs::File::create(&log).unwrap());
        Daemon::logging(command.spawn().unwrap(), log)
    }

    fn state(&self) -> Value {
        let text = fs::read_to_string(self.file("state.json")).unwrap_or_default();
        serde_json::from_str(&text).unwrap_or_else(|_| json!({"statuses": {}, "comments": {}, "next": 100}))
    }

    /// The states of a commit, in the order in which they were written.
    fn states(&self, commit: &str) -> Vec<String> {
        let name = if self.kind == "github" { "state" } else { "status" };
        let state = self.state();
        let states = state["statuses"][commit].as_array().cloned().unwrap_or_default();
        states.iter().map(|one| one[name].as_str().unwrap().to_owned()).collect()
    }

    /// The texts of our comments.
    fn comments(&self, pull: u64) -> Vec<String> {
        let author = if self.kind == "github" { "user" } else { "author" };
        let state = self.state();
        let comments = state["comments"][pull.to_string()].as_array().cloned().unwrap_or_default();
        let ours = comments.iter().filter(|one| one[author]["id"] == 5);
        ours.map(|one| one["body"].as_str().unwrap().to_owned()).collect()
    }

    fn calls(&self) -> Vec<Value> {
        let text = fs::read_to_string(self.file("calls.jsonl")).unwrap_or_default();
        text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
    }

    fn writes(&self) -> Vec<Value> {
        self.calls().into_iter().filter(|call| call["method"] != "GET" && call["limited"] == false).collect()
    }

    /// Another head of a pull request, from `main`: its commit.
    fn pull(&self, number: u64, edit: impl Fn()) -> String {
        let hosted = &self.hosted;
        hosted.git(&["checkout", "-q", "-B", &format!("topic-{number}")]);
        edit();
        hosted.git(&["add", "-A"]);
        hosted.git(&["commit", "-q", "-m", "change"]);
        let of = if self.kind == "github" { "pull" } else { "merge-requests" };
        hosted.git(&["push", "-q", "--force", "origin", &format!("HEAD:refs/{of}/{number}/head")]);
        let commit = hosted.git(&["rev-parse", "HEAD"]);
        hosted.git(&["checkout", "-q", "main"]);
        commit
    }

    fn lists(&self, pulls: &[(u64, &str, bool)]) {
        let one = |(number, head, fork): &(u64, &str, bool)| match self.kind {
            "github" => json!({
                "number": number,
                "head": {"sha": head, "repo": {"id": if *fork { 2 } else { 1 }}},
                "base": {"repo": {"id": 1}}
            }),
            _ => json!({
                "iid": number, "sha": head, "source_project_id": if *fork { 2 } else { 1 }, "target_project_id": 1
            }),
        };
        let list: Vec<Value> = pulls.iter().map(one).collect();
        fs::write(self.file("pulls.new"), json!(list).to_string()).unwrap();
        fs::rename(self.file("pulls.new"), self.file("pulls.json")).unwrap();
    }

    fn head(&self) -> String {
        self.hosted.git(&["rev-parse", "main"])
    }

    fn syncs(&self) {
        let output = self.hosted.place.run(&["sync"]);
        assert!(output.status.success(), "{}", super::place::said(&output));
    }
}

#[test]
fn a_commit_has_a_state_and_a_pull_request_one_comment_that_is_kept_up_to_date() {
    let forge = Forge::new("github");
    let first = forge.head();
    // Somebody else's comment with our first line stays theirs.
    let theirs = json!({"id": 1, "body": "<!-- landfast:plan:main -->\nmine", "user": {"id": 99}});
    fs::write(forge.file("state.json"), json!({"statuses": {}, "comments": {"7": [theirs]}, "next": 100}).to_string())
        .unwrap();
    let mut daemon = forge.daemon();
    until("the commit is said to be good", || forge.states(&first).last().is_some_and(|state| state == "success"));
    let states = forge.states(&first);
    assert!(states[0] == "pending" && !states.contains(&"failure".to_owned()), "{states:?}");
    let said = &forge.state()["statuses"][&first];
    assert!(said[0]["context"] == "landfast/dev" && said.to_string().contains("In sync: 1 object"), "{said}");

    let place = &forge.hosted.place;
    let one = forge.pull(7, || place.edit(2));
    let stranger = forge.pull(8, || place.edit(3));
    let moved = forge.pull(9, || {
        let file = place.manifests().join("environment.yaml");
        let text = fs::read_to_string(&file).unwrap();
        fs::write(&file, text.replace("111122223333", "444455556666")).unwrap();
    });
    let nothing = forge.pull(10, || place.write("README.md", "nothing"));
    forge.lists(&[(7, &one, false), (8, &stranger, true), (9, &moved, false), (10, &nothing, false)]);
    until("the pull requests are commented", || !forge.comments(7).is_empty() && !forge.comments(9).is_empty());
    let body = forge.comments(7).remove(0);
    assert!(body.starts_with("<!-- landfast:plan:main -->\n") && body.contains(&one[..12]), "{body}");
    assert!(body.contains(&format!("compared with `{}`", &first[..12])), "{body}");
    assert!(body.contains("| `~` | `dev/stack/one` | will be updated |"), "{body}");
    let refused = forge.comments(9).remove(0);
    assert!(refused.contains("`dev` is not planned: its account, region or role changes"), "{refused}");

    let two = forge.pull(7, || place.edit(4));
    forge.lists(&[(7, &two, false), (8, &stranger, true), (9, &moved, false), (10, &nothing, false)]);
    until("the comment is updated", || forge.comments(7)[0].contains(&two[..12]));
    let comments = forge.comments(7);
    assert!(comments.len() == 1 && comments[0].contains("1 earlier plan</summary>"), "{comments:?}");
    assert_eq!(forge.state()["comments"]["7"][0]["body"], "<!-- landfast:plan:main -->\nmine");
    assert!(forge.comments(8).is_empty() && forge.comments(10).is_empty());
    // What a pull request asks for is not done.
    assert_eq!(place.concluded(), 1);

    // Writes are a second apart, and a restart repeats none.
    let writes = forge.writes();
    let times: Vec<f64> = writes.iter().map(|call| call["at"].as_f64().unwrap()).collect();
    assert!(times.windows(2).all(|pair| pair[1] - pair[0] > 0.9), "{times:?}");
    assert!(forge.calls().iter().all(|call| call["authorization"] == "Bearer canary-token"));
    assert_eq!(daemon.terminate().0, Some(0));
    assert!(!daemon.log().contains("canary"), "{}", daemon.log());
    let before = forge.calls().len();
    let mut daemon = forge.daemon();
    let again =
        |path: &str| forge.calls().iter().skip(before).any(|call| call["path"].as_str().unwrap().contains(path));
    until("it has read back what is there", || again("/statuses?") && again("/issues/7/") && again("/issues/10/"));
    std::thread::sleep(std::time::Duration::from_secs(3));
    assert_eq!(forge.writes(), writes, "{}", daemon.log());
    assert_eq!(daemon.terminate().0, Some(0));
}

#[test]
fn a_pull_request_is_compared_with_where_it_has_left_the_branch() {
    const TWO: &str = "apiVersion: landfast/v1\nkind: Stack\nmetadata: { name: one }\nspec: { template: one.yaml }\n---\n\
                       apiVersion: landfast/v1\nkind: Stack\nmetadata: { name: two }\nspec: { template: one.yaml }\n";
    let forge = Forge::new("github");
    let (first, hosted) = (forge.head(), &forge.hosted);
    let head = forge.pull(7, || hosted.place.write("app/stacks.yaml", TWO));
    // The branch goes on; the clone has no older commit than this.
    hosted.edit(5);
    let second = forge.head();
    let mut daemon = forge.daemon();
    let is_good = |commit: &str| forge.states(commit).last().is_some_and(|state| state == "success");
    until("the commit is said to be good", || is_good(&second));
    forge.lists(&[(7, &head, false)]);
    until("the pull request is commented", || !forge.comments(7).is_empty());
    let body = forge.comments(7).remove(0);
    assert!(body.contains(&format!("compared with `{}`", &first[..12])), "{body}");
    // What the branch has done since is no change of the pull request.
    assert!(body.contains("| `+` | `dev/stack/two` | will be created |"), "{body}");
    assert!(body.contains(&format!("1 object with changes that <code>{}</code> has too", &first[..12])), "{body}");
    // The branch was merged into it, and goes on.
    hosted.git(&["checkout", "-q", "topic-7"]);
    hosted.git(&["merge", "-q", "-m", "merge", "main"]);
    hosted.git(&["push", "-q", "origin", "HEAD:refs/pull/7/head"]);
    let merged = hosted.git(&["rev-parse", "HEAD"]);
    hosted.git(&["checkout", "-q", "main"]);
    hosted.edit(6);
    let third = forge.head();
    until("the commit is said to be good", || is_good(&third));
    forge.lists(&[(7, &merged, false)]);
    until("the comment is updated", || forge.comments(7)[0].contains(&format!("compared with `{}`", &second[..12])));
    // Its head is on the branch: it changes nothing.
    hosted.git(&["merge", "-q", "-m", "merge", &merged]);
    hosted.git(&["push", "-q", "origin", "HEAD:refs/heads/main"]);
    forge.lists(&[(7, &merged, false), (8, &second, false)]);
    hosted.git(&["push", "-q", "origin", &format!("{second}:refs/pull/8/head")]);
    until("the commit is said to be good", || is_good(&forge.head()));
    forge.syncs();
    std::thread::sleep(std::time::Duration::from_secs(8));
    assert!(forge.comments(8).is_empty(), "{:?}", forge.comments(8));
    assert_eq!(daemon.terminate().0, Some(0));
}

#[test]
fn a_host_that_limits_or_is_down_holds_up_nothing_and_hears_the_newest_afterwards() {
    let mut forge = Forge::new("gitlab");
    let first = forge.head();
    let limits = json!([[429, {"Retry-After": "3"}], [502, {}]]);
    fs::write(forge.file("limit.json"), limits.to_string()).unwrap();
    let mut daemon = forge.daemon();
    until("it is applied", || forge.hosted.place.concluded() > 0);
    until("it is told", || forge.states(&first).last().is_some_and(|state| state == "success"));
    let calls = forge.calls();
    let at = |index: usize| calls[index]["at"].as_f64().unwrap();
    assert!(at(1) - at(0) > 2.9, "nothing is asked while it asks for a pause: {calls:?}");
    assert!(daemon.log().contains("limits requests"), "{}", daemon.log());

    forge.stop();
    let lost = forge.hosted.edit(2);
    forge.syncs();
    until("it is applied without the API", || forge.hosted.place.concluded() > 1);
    let second = forge.hosted.edit(3);
    forge.syncs();
    until("and the next", || forge.hosted.place.concluded() > 2);
    forge.start();
    until("the newest is told", || forge.states(&second).last().is_some_and(|state| state == "success"));
    assert!(forge.states(&lost).is_empty(), "what nobody follows any more is not told");

    // Manifests with errors are a failure of the commit that has them.
    forge.hosted.place.write("app/stacks.yaml", "apiVersion: landfast/v1\nkind: Stack\n");
    let broken = forge.hosted.push(&[]);
    forge.syncs();
    until("the error is told", || forge.states(&broken) == ["failed"]);
    forge.hosted.git(&["revert", "--no-edit", "HEAD"]);
    forge.hosted.git(&["push", "-q", "origin", "HEAD:refs/heads/main"]);
    forge.syncs();
    let good = forge.head();
    until("the revert is good", || forge.states(&good).last().is_some_and(|state| state == "success"));

    // A merge request with errors says where.
    let head = forge.pull(3, || forge.hosted.place.write("app/stacks.yaml", "kind: Stack\n"));
    forge.lists(&[(3, &head, false)]);
    until("it is commented", || !forge.comments(3).is_empty());
    assert!(forge.comments(3)[0].contains("in the manifests:**") && forge.comments(3)[0].contains("app/stacks.yaml"));
    // A force-push is not followed, and the commit says so.
    forge.hosted.git(&["reset", "-q", "--hard", "HEAD~2"]);
    let forced = forge.hosted.edit(9);
    forge.syncs();
    until("the refusal is told", || forge.states(&forced) == ["failed"]);
    assert_eq!(daemon.terminate().0, Some(0));
}

#[test]
fn an_app_reads_and_reports_with_one_token_for_an_hour() {
    let forge = Forge::new("github");
    let key = forge.hosted.host.file("app.pem");
    let made = Command::new("openssl").args(["genrsa", "-out"]).arg(&key).arg("2048").output().unwrap();
    assert!(made.status.success());
    fs::write(forge.hosted.host.root().join(".token"), "canary-app").unwrap();
    let app = format!(
        "githubApp = {{ appId = 12345, installationId = 5, keyFile = '{}', api = 'https://127.0.0.1:{}/api/v3' }}",
        key.display(),
        forge.server.port
    );
    let mut daemon = forge.daemon_with(&app, "");
    let first = forge.head();
    until("the commit is said to be good", || forge.states(&first).last().is_some_and(|state| state == "success"));
    let bodies = || {
        let comments = forge.state()["comments"]["7"].as_array().cloned().unwrap_or_default();
        comments.iter().map(|one| one["body"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    for number in [2, 3] {
        let head = forge.pull(7, || forge.hosted.place.edit(number));
        forge.lists(&[(7, &head, false)]);
        until("it is commented", || bodies().first().is_some_and(|body| body.contains(&head[..12])));
    }
    assert_eq!(bodies().len(), 1, "the App knows its comment again");
    let calls = forge.calls();
    let (tokens, others): (Vec<_>, Vec<_>) =
        calls.iter().partition(|call| call["path"].as_str().unwrap().ends_with("/access_tokens"));
    assert_eq!(tokens.len(), 1, "{tokens:?}");
    assert!(others.iter().all(|call| call["authorization"] == "Bearer canary-app"));
    assert!(!daemon.log().contains("canary"), "{}", daemon.log());
    assert_eq!(daemon.terminate().0, Some(0));
}
