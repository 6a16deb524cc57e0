//! Manifests from a Git host, over HTTPS, in a process that can start no other program: its `PATH` is empty.

use std::fs;
use std::process::{Command, Stdio};

use super::host::Hosted;
use super::place::{Daemon, until};

impl Hosted {
    #[track_caller]
    fn applies(&self, more: &[&str]) -> String {
        let (code, said) = self.run(&[&["apply", "dev", "--yes"], more].concat());
        assert_eq!(code, Some(0), "{said}");
        said
    }

    fn daemon(&self, more: &[&str]) -> Daemon {
        let log = self.place.dir.path().join("log");
        let mut command = self.command(&["run", "--resync", "2s", "--sim-speed", "3600", "--git-interval", "5s"]);
        command.args(more).stdout(Stdio::null()).stderr(fs::File::create(&log).unwrap());
        Daemon::logging(command.spawn().unwrap(), log)
    }

    /// The daemon looks now, and not when its interval is over.
    fn sync(&self) {
        until("the daemon says that it is there", || self.place.state().join("daemon.json").exists());
        let output = self.place.run(&["sync"]);
        assert!(output.status.success(), "{}", super::place::said(&output));
    }

    /// The daemon has applied a revision.
    #[track_caller]
    fn converges(&self, daemon: &mut Daemon, number: usize) {
        let before = self.place.concluded();
        self.edit(number);
        self.sync();
        until("a commit is applied", || {
            assert!(!daemon.has_ended(), "it ended:\n{}", daemon.log());
            self.place.concluded() > before
        });
    }
}

#[test]
fn a_daemon_follows_a_host_and_goes_on_without_it() {
    let mut hosted = Hosted::new();
    let mut daemon = hosted.daemon(&[]);
    until("the first commit is applied", || hosted.place.concluded() > 0);
    hosted.converges(&mut daemon, 2);
    let last = hosted.edit(3);
    hosted.sync();
    until("the commit is loaded", || daemon.log().contains(&last[..12]));
    // The host is gone, and nothing else is.
    hosted.host.stop();
    hosted.sync();
    until("it says so", || daemon.log().contains("continuing with commit"));
    assert!(daemon.log().contains(&format!("continuing with commit {}", &last[..12])), "{}", daemon.log());
    let (_, said) = hosted.run(&["status", "dev"]);
    assert!(said.contains("continuing with commit") && said.contains("dev/stack/one"), "{said}");
    hosted.host.start();
    hosted.converges(&mut daemon, 4);
    assert!(daemon.log().contains("the newest commit is followed again"), "{}", daemon.log());
    // The branch is deleted: the same.
    hosted.git(&["push", "-q", "origin", "HEAD:refs/heads/other"]);
    crate::git::git(&hosted.host.root().join("m.git"), &["update-ref", "-d", "refs/heads/main"]);
    hosted.sync();
    until("it says so", || daemon.log().contains("the repository has no branch main"));
    assert_eq!(daemon.terminate().0, Some(0));
    // And after a restart, from the clone alone.
    hosted.host.stop();
    let (code, said) = hosted.run(&["apply", "dev", "--yes"]);
    assert!(code == Some(0) && said.contains("continuing with commit"), "{said}");
}

#[test]
fn commands_read_from_the_host_and_write_nothing_but_the_clone() {
    let hosted = Hosted::new();
    let (code, said) = hosted.run(&["validate"]);
    assert!(code == Some(0) && said.contains("1 stack"), "{said}");
    let (code, said) = hosted.run(&["plan", "dev"]);
    assert!(code == Some(2) && said.contains("dev/stack/one"), "{said}");
    hosted.applies(&[]);
    let commit = hosted.edit(2);
    let (_, said) = hosted.run(&["plan", "dev"]);
    assert!(said.contains(&commit[..12]) && said.contains("1 to update"), "{said}");
    let (code, said) = hosted.run(&["graph", "dev"]);
    assert!(code == Some(0) && said.contains("one"), "{said}");
    let (code, said) = hosted.run(&["plan", "dev", "--git-path", "nowhere"]);
    assert!(code == Some(1) && said.contains("has no directory `nowhere`"), "{said}");
    let (code, said) = hosted.run(&["plan", "dev", "--git-ref", "nowhere"]);
    assert!(code == Some(1) && said.contains("the repository has no branch nowhere"), "{said}");
}

#[test]
fn a_token_lets_in_and_is_never_shown() {
    let hosted = Hosted::new();
    fs::write(hosted.host.root().join(".token"), "canary-token").unwrap();
    let (code, said) = hosted.run(&["plan", "dev"]);
    assert!(code == Some(1) && said.contains("the Git host refused access"), "{said}");
    let file = hosted.host.file("token");
    fs::write(&file, "canary-token\n").unwrap();
    let (code, said) = hosted.run(&["-vv", "plan", "dev", "--git-token-file", file.to_str().unwrap()]);
    assert!(code == Some(2) && !said.contains("canary"), "{said}");
    let output = hosted.command(&["-vv", "validate"]).env("LANDFAST_GIT_TOKEN", "canary-token").output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", super::place::said(&output));
    let output = hosted.command(&["-vv", "validate"]).env("LANDFAST_GIT_TOKEN", "canary-wrong").output().unwrap();
    let said = super::place::said(&output);
    assert!(output.status.code() == Some(0) && said.contains("continuing with commit"), "the clone is there: {said}");
    assert!(!said.contains("canary"), "{said}");
}

#[test]
fn a_host_of_an_unknown_authority_is_not_believed_and_one_that_hangs_is_left() {
    let hosted = Hosted::new();
    let output = hosted.place.run(&["plan", "dev", "--git", &hosted.host.url()]);
    let said = super::place::said(&output);
    assert!(output.status.code() == Some(1) && said.contains("certificate"), "{said}");
    fs::write(hosted.host.root().join(".hang"), "").unwrap();
    let config = hosted.place.dir.path().join("landfast.toml");
    let text = format!(
        "[[environment]]\nname = ['*']\n[[source]]\nname = 'main'\nurl = '{}'\nauthorities = '{}'\ntimeout = '5s'\n",
        hosted.host.url(),
        hosted.host.authority()
    );
    fs::write(&config, text).unwrap();
    let output = hosted.place.run(&["plan", "dev", "--config", config.to_str().unwrap()]);
    let said = super::place::said(&output);
    assert!(output.status.code() == Some(1) && said.contains("did not finish within 5s"), "{said}");
}

#[test]
fn a_rewritten_history_is_refused_until_it_is_named_and_the_last_good_goes_on() {
    let hosted = Hosted::new();
    hosted.applies(&[]);
    let two = hosted.edit(2);
    hosted.applies(&[]);
    let done = hosted.place.concluded();
    // Back to the first commit, and another one on top: what a force-push does.
    hosted.git(&["reset", "-q", "--hard", "HEAD~1"]);
    let forced = hosted.edit(3);
    let (code, said) = hosted.run(&["plan", "dev"]);
    assert!(said.contains(&format!("commit {} is not applied", &forced[..12])), "{said}");
    assert!(code == Some(0) && said.contains(&format!("--accept-older-commit {}", &forced[..12])), "{said}");
    let (code, said) = hosted.run(&["apply", "dev", "--yes"]);
    assert!(code == Some(3) && said.contains(&format!("descend from {}", &two[..12])), "{said}");
    assert_eq!(hosted.place.concluded(), done, "nothing has changed");
    // A daemon goes on with what it knows, and says so once.
    let mut daemon = hosted.daemon(&[]);
    until("it says so", || daemon.log().contains(&format!("commit {} is not applied", &forced[..12])));
    until("the last good one is loaded", || daemon.log().contains(&format!("revision={}", &two[..12])));
    hosted.sync();
    std::thread::sleep(std::time::Duration::from_secs(2));
    assert_eq!(daemon.log().matches("is not applied").count(), 1, "{}", daemon.log());
    assert_eq!(daemon.terminate().0, Some(0));
    assert_eq!(hosted.place.concluded(), done, "nothing has changed");
    hosted.applies(&["--accept-older-commit", &forced[..12]]);
    assert!(hosted.place.concluded() > done);
    // From here on it is the one to descend from; a revert in Git is an ordinary commit.
    hosted.git(&["revert", "--no-edit", "HEAD"]);
    hosted.git(&["push", "-q", "origin", "HEAD:refs/heads/main"]);
    hosted.applies(&[]);
}

#[test]
fn manifests_that_break_stop_nothing_that_ran() {
    let hosted = Hosted::new();
    let mut daemon = hosted.daemon(&[]);
    until("the first commit is applied", || hosted.place.concluded() > 0);
    hosted.place.write("app/stacks.yaml", "apiVersion: landfast/v1\nkind: Stack\n");
    hosted.push(&[]);
    hosted.sync();
    until("it says what is wrong", || daemon.log().contains("app/stacks.yaml:"));
    // Nor after a restart: the last good commit is read from the clone.
    assert_eq!(daemon.terminate().0, Some(0));
    let mut daemon = hosted.daemon(&[]);
    until("it continues", || daemon.log().contains("continuing with the last accepted commit"));
    assert!(!daemon.has_ended(), "{}", daemon.log());
    hosted.place.write(
        "app/stacks.yaml",
        "apiVersion: landfast/v1\nkind: Stack\nmetadata: { name: one }\nspec: { template: one.yaml }\n",
    );
    hosted.converges(&mut daemon, 2);
    assert_eq!(daemon.terminate().0, Some(0));
}

#[test]
fn only_what_an_allowed_signer_has_signed_is_applied() {
    let hosted = Hosted::new();
    let keys = ["ada", "mallory"].map(|name| {
        let key = hosted.host.file(name);
        let made = Command::new("ssh-keygen").args(["-q", "-N", "", "-t", "ed25519", "-f"]).arg(&key).status().unwrap();
        assert!(made.success());
        key.display().to_string()
    });
    let allowed = hosted.host.file("allowed_signers");
    let public = fs::read_to_string(hosted.host.file("ada.pub")).unwrap();
    fs::write(&allowed, format!("ada@example.com namespaces=\"git\" {public}")).unwrap();
    let allowed = ["--git-allowed-signers", allowed.to_str().unwrap()];
    let (code, said) = hosted.run(&[&["apply", "dev", "--yes"], &allowed[..]].concat());
    assert!(code == Some(1) && said.contains("it has no signature"), "{said}");
    assert_eq!(hosted.place.concluded(), 0);
    let signed = |number: usize, key: &str| {
        hosted.git(&["config", "gpg.format", "ssh"]);
        hosted.git(&["config", "user.signingkey", key]);
        hosted.place.edit(number);
        hosted.push(&["-S"])
    };
    signed(2, &keys[0]);
    hosted.applies(&allowed);
    let done = hosted.place.concluded();
    signed(3, &keys[1]);
    let (code, said) = hosted.run(&[&["apply", "dev", "--yes"], &allowed[..]].concat());
    assert!(code == Some(3) && said.contains("its key is not among the allowed signers"), "{said}");
    hosted.git(&["config", "commit.gpgsign", "false"]);
    let unsigned = hosted.edit(4);
    // Not even by a person's word.
    let named = ["--accept-older-commit", &unsigned[..12]];
    let (code, said) = hosted.run(&[&["apply", "dev", "--yes"], &allowed[..], &named[..]].concat());
    assert!(code == Some(3) && said.contains("it has no signature"), "{said}");
    assert_eq!(hosted.place.concluded(), done, "nothing has changed");
    signed(5, &keys[0]);
    hosted.applies(&allowed);
    assert!(hosted.place.concluded() > done);
}

#[test]
fn several_sources_hold_up_no_other() {
    let hosted = Hosted::new();
    let other = super::host::Host::new();
    crate::git::git(
        &hosted.place.manifests(),
        &["push", "-q", other.root().join("m.git").to_str().unwrap(), "HEAD:main"],
    );
    let config = hosted.place.dir.path().join("landfast.toml");
    let source = |name: &str, host: &super::host::Host, environments: &str| {
        format!(
            "[[source]]\nname = '{name}'\nurl = '{}'\nauthorities = '{}'\nbranch = 'main'\nenvironments = [{environments}]\ntimeout = '5s'\n",
            host.url(),
            host.authority()
        )
    };
    let text = [
        "[[environment]]\nname = ['*']\n".to_owned(),
        source("a", &hosted.host, "'dev'"),
        source("b", &other, "'prod'"),
    ];
    fs::write(&config, text.concat()).unwrap();
    let run = |arguments: &[&str]| {
        let output = hosted.place.run(&[&["--config", config.to_str().unwrap()], arguments].concat());
        (output.status.code(), super::place::said(&output))
    };
    // The second has an environment that only the first may define.
    let (code, said) = run(&["apply", "dev", "--yes"]);
    assert!(code == Some(0) && said.contains("does not allow this source to define it"), "{said}");
    let done = hosted.place.concluded();
    drop(other);
    hosted.edit(2);
    let (code, said) = run(&["apply", "dev", "--yes"]);
    assert!(code == Some(0) && said.contains("Git source b:"), "{said}");
    assert!(hosted.place.concluded() > done);
}

#[test]
fn each_of_several_sources_is_fetched_at_its_own_interval_and_at_once_when_asked() {
    let hosted = Hosted::new();
    let other = super::host::Host::new();
    let elsewhere = super::place::Place::new();
    let environment = fs::read_to_string(elsewhere.manifests().join("environment.yaml")).unwrap();
    elsewhere.write("environment.yaml", &environment.replace("name: dev", "name: prod"));
    let push = || {
        crate::git::git(&elsewhere.manifests(), &["add", "-A"]);
        crate::git::git(&elsewhere.manifests(), &["commit", "-q", "--allow-empty", "-m", "manifests"]);
        crate::git::git(
            &elsewhere.manifests(),
            &["push", "-q", other.root().join("m.git").to_str().unwrap(), "HEAD:main"],
        );
        crate::git::git(&elsewhere.manifests(), &["rev-parse", "HEAD"])
    };
    crate::git::git(&elsewhere.manifests(), &["init", "-q", "-b", "main"]);
    push();
    let config = hosted.place.dir.path().join("landfast.toml");
    let source = |name: &str, host: &super::host::Host, environment: &str, interval: &str| {
        format!(
            "[[source]]\nname = '{name}'\nurl = '{}'\nauthorities = '{}'\nbranch = 'main'\nenvironments = ['{environment}']\n\
             interval = '{interval}'\n",
            host.url(),
            host.authority()
        )
    };
    let text = [
        "[[environment]]\nname = ['*']\n".to_owned(),
        source("a", &hosted.host, "dev", "5s"),
        source("b", &other, "prod", "1h"),
    ];
    fs::write(&config, text.concat()).unwrap();
    // What nobody follows any more is deleted when the daemon starts.
    let old = hosted.place.state().join("git/old-0123456789ab");
    fs::create_dir_all(old.join("clone")).unwrap();
    fs::write(old.join("lock"), "").unwrap();
    let log = hosted.place.dir.path().join("log");
    let mut command = hosted.place.command(&["run", "--sim-speed", "3600", "--config", config.to_str().unwrap()]);
    command.env("PATH", "").stdout(Stdio::null()).stderr(fs::File::create(&log).unwrap());
    let mut daemon = Daemon::logging(command.spawn().unwrap(), log);
    until("both are applied", || hosted.place.concluded() > 1);
    assert!(!old.exists() && fs::read_dir(hosted.place.state().join("git")).unwrap().count() == 2);
    elsewhere.edit(2);
    push();
    let done = hosted.place.concluded();
    hosted.edit(2);
    until("the first is fetched at its interval", || hosted.place.concluded() > done);
    std::thread::sleep(std::time::Duration::from_secs(8));
    assert_eq!(hosted.place.concluded(), done + 1, "the other is not");
    hosted.sync();
    until("somebody asks, and the other is fetched", || hosted.place.concluded() > done + 1);
    assert_eq!(daemon.terminate().0, Some(0));
}

#[test]
fn a_clone_that_has_grown_is_made_anew_and_a_host_that_sends_without_end_is_cut_off() {
    let hosted = Hosted::new();
    hosted.applies(&[]);
    let clone = fs::read_dir(hosted.place.state().join("git")).unwrap().next().unwrap().unwrap().path().join("clone");
    let grown = clone.join("objects/pack/grown");
    fs::File::create(&grown).unwrap().set_len(300 << 20).unwrap();
    hosted.applies(&[]);
    assert!(!grown.exists() && clone.join("HEAD").exists(), "it is made anew");
    // From there on, history is known as before.
    hosted.edit(2);
    hosted.applies(&[]);
    fs::write(hosted.host.root().join(".flood"), "").unwrap();
    hosted.edit(3);
    let (code, said) = hosted.run(&["plan", "dev"]);
    assert!(code == Some(0) && said.contains("sent more than 512 MiB") && said.contains("continuing with"), "{said}");
    fs::remove_file(hosted.host.root().join(".flood")).unwrap();
    hosted.applies(&[]);
}

#[test]
fn a_repository_with_sha256_is_followed_like_any_other() {
    let hosted = Hosted::new();
    fs::remove_dir_all(hosted.host.root().join("m.git")).unwrap();
    fs::remove_dir_all(hosted.place.manifests().join(".git")).unwrap();
    crate::git::git(&hosted.host.root(), &["init", "-q", "--bare", "-b", "main", "--object-format=sha256", "m.git"]);
    hosted.git(&["init", "-q", "-b", "main", "--object-format=sha256"]);
    hosted.git(&["remote", "add", "origin", hosted.host.root().join("m.git").to_str().unwrap()]);
    let one = hosted.push(&[]);
    assert_eq!(one.len(), 64);
    hosted.applies(&[]);
    hosted.edit(2);
    hosted.applies(&[]);
    hosted.git(&["reset", "-q", "--hard", "HEAD~1"]);
    let forced = hosted.edit(3);
    let (code, said) = hosted.run(&["apply", "dev", "--yes"]);
    assert!(code == Some(3) && said.contains(&format!("commit {} is not applied", &forced[..12])), "{said}");
}

/// Sends a request to the listener, and returns the status of the answer.
fn posts(address: &str, path: &str, header: &str, body: &str) -> u16 {
    use std::io::{Read as _, Write as _};
    let mut stream = std::net::TcpStream::connect(address).unwrap();
    let length = body.len();
    write!(stream, "POST {path} HTTP/1.1\r\nHost: {address}\r\nContent-Length: {length}\r\n{header}\r\n\r\n{body}")
        .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer.split(' ').nth(1).unwrap().parse().unwrap()
}

fn signature(secret: &str, body: &str) -> String {
    use hmac::{Hmac, KeyInit as _, Mac as _};
    let mut mac = Hmac::<sha2::Sha256>::new_from_slice(secret.as_bytes()).unwrap();
    mac.update(body.as_bytes());
    let mut header = "X-Hub-Signature-256: sha256=".to_owned();
    for byte in mac.finalize().into_bytes() {
        let _ = std::fmt::Write::write_fmt(&mut header, format_args!("{byte:02x}"));
    }
    header
}

#[test]
fn a_webhook_wakes_the_daemon_and_nobody_elses_call_does() {
    let hosted = Hosted::new();
    let secret = hosted.host.file("hook");
    fs::write(&secret, "canary-hook\n").unwrap();
    let config = hosted.listening("platform", &secret);
    let log = hosted.place.dir.path().join("log");
    let mut command = hosted.place.command(&["run", "--sim-speed", "3600", "--config", config.to_str().unwrap()]);
    command.env("PATH", "").stdout(Stdio::null()).stderr(fs::File::create(&log).unwrap());
    let mut daemon = Daemon::logging(command.spawn().unwrap(), log);
    until("the first commit is applied", || hosted.place.concluded() > 0);
    let address = daemon.address();
    let commit = hosted.edit(2);
    let body = format!("{{\"after\":\"{commit}\"}}");
    let path = "/webhooks/platform";
    assert_eq!(posts(&address, path, &signature("another", &body), &body), 401);
    assert_eq!(posts(&address, path, "X-Other: 1", &body), 401);
    assert_eq!(posts(&address, "/webhooks/other", &signature("canary-hook", &body), &body), 404);
    assert_eq!(posts(&address, "/", "X-Other: 1", ""), 404);
    assert!(!daemon.log().contains("webhook received"), "{}", daemon.log());
    assert_eq!(posts(&address, path, &signature("canary-hook", &body), &body), 202);
    until("the commit is loaded", || daemon.log().contains(&commit[..12]));
    assert_eq!(posts(&address, path, &signature("canary-hook", &body), &body), 200, "the same call again");
    assert_eq!(daemon.log().matches("webhook received").count(), 1, "{}", daemon.log());
    // A connection that says nothing holds up nobody.
    let _silent: Vec<_> = (0..5).map(|_| std::net::TcpStream::connect(&address).unwrap()).collect();
    assert_eq!(posts(&address, path, &signature("canary-hook", "other"), "other"), 202);
    assert!(!daemon.log().contains("canary"), "{}", daemon.log());
    assert_eq!(daemon.terminate().0, Some(0));
}
