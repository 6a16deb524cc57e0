//! Manifests from a Git host over SSH, in a process that can start no other program: its `PATH` is empty.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::Ordering;

use super::host::Hosted;
use super::place::{Daemon, said, until};
use super::ssh_host::{SshHost, public};

/// A repository, and a host that serves it over SSH.
struct Over {
    hosted: Hosted,
    ssh: SshHost,
}

impl Over {
    fn new() -> Self {
        let mut hosted = Hosted::new();
        hosted.host.stop();
        Self { hosted, ssh: SshHost::new("ed25519") }
    }

    fn url(&self) -> String {
        self.ssh.url(&self.hosted.host.root().join("m.git"))
    }

    fn command_with(&self, arguments: &[&str], key: &Path, known: &Path) -> Command {
        let mut command = self.hosted.place.command(arguments);
        command.env("PATH", "").args(["--git", &self.url(), "--git-ref", "main"]);
        command.arg("--git-ssh-key-file").arg(key).arg("--git-known-hosts").arg(known);
        command
    }

    /// With the right keys.
    fn command(&self, arguments: &[&str]) -> Command {
        self.command_with(arguments, &self.ssh.file("client"), &self.ssh.known_hosts())
    }

    fn sync(&self) {
        let output = self.hosted.place.run(&["sync"]);
        assert!(output.status.success(), "{}", said(&output));
    }
}

#[track_caller]
fn ends(mut command: Command, code: i32) -> String {
    let output = command.output().unwrap();
    let said = said(&output);
    assert_eq!(output.status.code(), Some(code), "{said}");
    said
}

#[test]
fn a_daemon_follows_a_host_over_ssh_and_goes_on_without_it() {
    let mut over = Over::new();
    let log = over.hosted.place.dir.path().join("log");
    let mut command = over.command(&["run", "--resync", "2s", "--sim-speed", "3600", "--git-interval", "5s"]);
    command.stdout(Stdio::null()).stderr(fs::File::create(&log).unwrap());
    let mut daemon = Daemon::logging(command.spawn().unwrap(), log);
    until("the first commit is applied", || over.hosted.place.concluded() > 0);
    let converges = |over: &Over, number: usize| {
        let before = over.hosted.place.concluded();
        over.hosted.edit(number);
        over.sync();
        until("a commit is applied", || over.hosted.place.concluded() > before);
    };
    converges(&over, 2);
    // The host is gone.
    over.ssh.stop();
    over.sync();
    until("it says so", || daemon.log().contains("continuing with commit"));
    assert!(daemon.log().contains("refused"), "{}", daemon.log());
    over.ssh.start();
    converges(&over, 3);
    // Somebody else is there in its place.
    over.ssh.stop();
    over.ssh.make("host", "ed25519");
    over.ssh.start();
    let (shown, edit) = (over.ssh.conduct.shown.load(Ordering::Relaxed), over.hosted.edit(4));
    over.sync();
    until("it says so", || daemon.log().contains("which is not the one in"));
    assert!(!daemon.log().contains(&edit[..12]), "{}", daemon.log());
    assert_eq!(over.ssh.conduct.shown.load(Ordering::Relaxed), shown, "nothing is shown to it");
    // The operator has compared the new key; no restart is needed.
    over.ssh.known_hosts();
    converges(&over, 5);
    assert!(!daemon.has_ended());
    assert_eq!(daemon.terminate().0, Some(0));
}

#[test]
fn only_a_host_that_is_known_is_believed() {
    let over = Over::new();
    let (client, known) = (over.ssh.file("client"), over.ssh.known_hosts());
    let plan = |known: &Path| over.command_with(&["plan", "dev"], &client, known);
    let write = |text: &str| fs::write(&known, text).unwrap();
    let line = over.ssh.known_line();
    write("");
    let text = ends(plan(&known), 1);
    assert!(text.contains("is unknown") && text.contains("ssh-keyscan -p"), "{text}");
    let other = fs::read_to_string(over.ssh.make("other", "ed25519").with_extension("pub")).unwrap();
    write(&format!("[127.0.0.1]:{} {other}", over.ssh.port));
    let text = ends(plan(&known), 1);
    assert!(text.contains("which is not the one in") && text.contains("SHA256:"), "{text}");
    let other = fs::read_to_string(over.ssh.make("other", "ecdsa").with_extension("pub")).unwrap();
    write(&format!("[127.0.0.1]:{} {other}", over.ssh.port));
    let text = ends(plan(&known), 1);
    assert!(text.contains("has no key of the type that") && text.contains("ecdsa-sha2-nistp256"), "{text}");
    write(&format!("{line}\n@revoked {line}"));
    let text = ends(plan(&known), 1);
    assert!(text.contains("is revoked in"), "{text}");
    write(&format!("@cert-authority {line}"));
    let text = ends(plan(&known), 1);
    assert!(text.contains("certificate authority, which is not supported"), "{text}");
    assert_eq!(over.ssh.conduct.shown.load(Ordering::Relaxed), 0, "our key was shown to nobody");
    write(&format!("{line}[127.0.0.1]:{} {other}", over.ssh.port));
    ends(plan(&known), 2);
    // Neither is there a default.
    let mut without = over.hosted.place.command(&["plan", "dev", "--git", &over.url()]);
    without.arg("--git-ssh-key-file").arg(&client);
    let text = ends(without, 64);
    assert!(text.contains("needs `knownHosts`"), "{text}");
}

#[test]
fn only_a_key_that_the_host_knows_lets_in_and_it_is_never_shown() {
    let over = Over::new();
    let known = over.ssh.known_hosts();
    let plan = |key: &Path| over.command_with(&["-vv", "plan", "dev"], key, &known);
    let stranger = over.ssh.make("stranger", "ed25519");
    let text = ends(plan(&stranger), 1);
    assert!(text.contains("the Git host refused access") && text.contains("does not accept the key SHA256:"), "{text}");
    let rsa = over.ssh.make("rsa", "rsa");
    let text = ends(plan(&rsa), 1);
    assert!(text.contains("RSA keys are not supported"), "{text}");
    // With a passphrase; and a key on another curve.
    for kind in ["ed25519", "ecdsa"] {
        let locked = over.ssh.make_with("locked", &["-t", kind, "-N", "canary-words"]);
        let key = russh::keys::load_secret_key(&locked, Some("canary-words")).unwrap();
        over.ssh.conduct.allowed.lock().unwrap().push(key.public_key().clone());
        let text = ends(plan(&locked), 1);
        assert!(text.contains("it is encrypted, and no passphrase is set"), "{text}");
        let mut command = plan(&locked);
        command.env("LANDFAST_GIT_SSH_PASSPHRASE", "canary-words");
        let text = ends(command, 2);
        assert!(!text.contains("canary") && !text.contains("PRIVATE KEY"), "{text}");
        fs::remove_dir_all(over.hosted.place.state().join("git")).unwrap();
    }
    // A repository that is not there.
    let mut missing = over.hosted.place.command(&["plan", "dev", "--git"]);
    missing.arg(over.ssh.url(&over.hosted.host.root().join("x.git"))).arg("--git-known-hosts").arg(&known);
    missing.arg("--git-ssh-key-file").arg(over.ssh.file("client"));
    let text = ends(missing, 1);
    assert!(text.contains("the Git host refused access") && text.contains("the host says: fatal:"), "{text}");
}

#[test]
fn a_configuration_names_key_and_hosts_and_signatures_are_verified_over_ssh_too() {
    let over = Over::new();
    let hosted = &over.hosted;
    // A path that a shell would read otherwise.
    std::os::unix::fs::symlink(hosted.host.root(), hosted.host.file("it's")).unwrap();
    let signer = over.ssh.make("ada", "ed25519");
    let allowed = over.ssh.file("allowed_signers");
    fs::write(&allowed, format!("ada {}\n", public(&signer).to_openssh().unwrap())).unwrap();
    let config = hosted.place.dir.path().join("landfast.toml");
    let text = format!(
        "[[environment]]\nname = ['*']\n[[source]]\nname = 'main'\nurl = \"{}\"\nbranch = 'main'\nsshKey = {{ env = 'KEY' }}\n\
         knownHosts = ['{}']\nallowedSigners = '{}'\n",
        over.ssh.url(&hosted.host.file("it's").join("m.git")),
        over.ssh.known_line().trim(),
        allowed.display()
    );
    fs::write(&config, text).unwrap();
    let key = fs::read_to_string(over.ssh.file("client")).unwrap();
    let apply = || {
        let mut command = hosted.place.command(&["apply", "dev", "--yes", "--config", config.to_str().unwrap()]);
        command.env("PATH", "").env("KEY", &key);
        command
    };
    let text = ends(apply(), 1);
    assert!(text.contains("it has no signature"), "{text}");
    hosted.git(&["config", "gpg.format", "ssh"]);
    hosted.git(&["config", "user.signingkey", signer.to_str().unwrap()]);
    hosted.place.edit(2);
    hosted.push(&["-S"]);
    ends(apply(), 0);
    hosted.edit(3);
    let text = ends(apply(), 3);
    assert!(text.contains("it has no signature"), "{text}");
    // A host that takes no variables speaks the older protocol.
    over.ssh.conduct.is_old.store(true, Ordering::Relaxed);
    hosted.place.edit(4);
    hosted.push(&["-S"]);
    let done = hosted.place.concluded();
    ends(apply(), 0);
    assert!(hosted.place.concluded() > done);
}

#[test]
fn a_host_that_hangs_or_sends_without_end_is_cut_off() {
    let over = Over::new();
    ends(over.command(&["apply", "dev", "--yes"]), 0);
    over.ssh.conduct.floods.store(true, Ordering::Relaxed);
    over.hosted.edit(2);
    let text = ends(over.command(&["plan", "dev"]), 0);
    assert!(text.contains("sent more than 512 MiB") && text.contains("continuing with commit"), "{text}");
    over.ssh.conduct.floods.store(false, Ordering::Relaxed);
    over.ssh.conduct.hangs.store(true, Ordering::Relaxed);
    let config = over.hosted.place.dir.path().join("landfast.toml");
    let text = format!(
        "[[environment]]\nname = ['*']\n[[source]]\nname = 'other'\nurl = '{}'\nsshKey = {{ file = '{}' }}\nknownHosts = '{}'\n\
         timeout = '5s'\n",
        over.url(),
        over.ssh.file("client").display(),
        over.ssh.known_hosts().display()
    );
    fs::write(&config, text).unwrap();
    let command = over.hosted.place.command(&["plan", "dev", "--config", config.to_str().unwrap()]);
    let text = ends(command, 1);
    assert!(text.contains("did not finish within 5s"), "{text}");
}
