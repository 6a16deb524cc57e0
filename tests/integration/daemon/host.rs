//! A Git host: HTTPS in front of `git http-backend`, with an authority of its own.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use super::place::Place;

/// The host, and a repository on it; killed when dropped.
pub struct Host {
    dir: tempfile::TempDir,
    server: Server,
}

/// A server of `tests/git`, which prints its port; killed when dropped.
pub struct Server {
    script: &'static str,
    running: Option<Child>,
    pub port: u16,
}

impl Server {
    pub const fn new(script: &'static str) -> Self {
        Self { script, running: None, port: 0 }
    }

    /// Serves what is in a directory with this certificate and key, at the same port as before.
    pub fn start(&mut self, directory: &Path, identity: &[PathBuf; 2]) {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/git").join(self.script);
        let mut command = Command::new("python3");
        command.arg(script).arg(directory).args(identity).env("PYTHONDONTWRITEBYTECODE", "1");
        if self.port != 0 {
            command.arg(self.port.to_string());
        }
        let mut server = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(server.stdout.take().unwrap()).read_line(&mut line).unwrap();
        self.port = line.trim().parse().expect("the server prints its port");
        self.running = Some(server);
    }

    pub fn stop(&mut self) {
        if let Some(mut server) = self.running.take() {
            let _ = server.kill();
            let _ = server.wait();
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop();
    }
}

impl Host {
    /// With an empty repository `m.git`.
    pub fn new() -> Self {
        let mut host = Self { dir: tempfile::tempdir().unwrap(), server: Server::new("server.py") };
        host.certificate();
        fs::create_dir(host.root()).unwrap();
        crate::git::git(&host.root(), &["init", "-q", "--bare", "-b", "main", "m.git"]);
        host.start();
        host
    }

    pub fn root(&self) -> PathBuf {
        self.dir.path().join("repositories")
    }

    pub fn file(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// An authority, and a certificate of it for 127.0.0.1.
    fn certificate(&self) {
        let run = |arguments: &[&str]| {
            let output = Command::new("openssl").args(arguments).current_dir(self.dir.path()).output().unwrap();
            assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        };
        fs::write(self.file("extensions"), "subjectAltName=IP:127.0.0.1\n").unwrap();
        let key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];
        run(&[
            &["req", "-x509", "-days", "2", "-subj", "/CN=authority", "-keyout", "ca.key", "-out", "ca.pem"],
            &key[..],
        ]
        .concat());
        run(&[&["req", "-subj", "/CN=host", "-keyout", "host.key", "-out", "host.csr"], &key[..]].concat());
        run(&[
            "x509",
            "-req",
            "-days",
            "2",
            "-in",
            "host.csr",
            "-CA",
            "ca.pem",
            "-CAkey",
            "ca.key",
            "-CAcreateserial",
            "-extfile",
            "extensions",
            "-out",
            "host.pem",
        ]);
    }

    /// Serves, at the same port as before.
    pub fn start(&mut self) {
        let (root, identity) = (self.root(), [self.file("host.pem"), self.file("host.key")]);
        self.server.start(&root, &identity);
    }

    pub fn stop(&mut self) {
        self.server.stop();
    }

    pub fn url(&self) -> String {
        format!("https://127.0.0.1:{}/m.git", self.server.port)
    }

    pub fn authority(&self) -> String {
        self.file("ca.pem").display().to_string()
    }
}

/// A place whose manifests are written in a work tree and read from a host.
pub struct Hosted {
    pub place: Place,
    pub host: Host,
}

impl Hosted {
    /// With a first commit.
    pub fn new() -> Self {
        let hosted = Self { place: Place::new(), host: Host::new() };
        hosted.git(&["init", "-q", "-b", "main"]);
        hosted.git(&["remote", "add", "origin", hosted.host.root().join("m.git").to_str().unwrap()]);
        hosted.place.edit(1);
        hosted.push(&[]);
        hosted
    }

    pub fn git(&self, arguments: &[&str]) -> String {
        crate::git::git(&self.place.manifests(), arguments)
    }

    /// Commits what is there, and pushes it: its id.
    pub fn push(&self, how: &[&str]) -> String {
        self.git(&["add", "-A"]);
        self.git(&[&["commit", "-q", "--allow-empty", "-m", "manifests"], how].concat());
        self.git(&["push", "-q", "--force", "origin", "HEAD:refs/heads/main"]);
        self.git(&["rev-parse", "HEAD"])
    }

    /// Another revision, pushed.
    pub fn edit(&self, number: usize) -> String {
        self.place.edit(number);
        self.push(&[])
    }

    /// The operator's configuration of a daemon that follows the repository under a name, and is woken by webhooks alone.
    pub fn listening(&self, name: &str, secret: &Path) -> PathBuf {
        let config = self.place.dir.path().join("landfast.toml");
        let text = format!(
            "listen = '127.0.0.1:0'\n[[environment]]\nname = ['*']\n[[source]]\nname = '{name}'\nurl = '{}'\n\
             authorities = '{}'\nbranch = 'main'\ninterval = '1h'\nwebhook = {{ secretFile = '{}' }}\n",
            self.host.url(),
            self.host.authority(),
            secret.display()
        );
        fs::write(&config, text).unwrap();
        config
    }

    /// The options that name the repository.
    pub fn options(&self) -> [String; 4] {
        ["--git", &self.host.url(), "--git-authorities", &self.host.authority()].map(str::to_owned)
    }

    /// A command that reads from the host, in a place without any other program.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = self.place.command(arguments);
        command.args(self.options()).env("PATH", "");
        if !arguments.contains(&"--git-ref") {
            command.args(["--git-ref", "main"]);
        }
        command
    }

    pub fn run(&self, arguments: &[&str]) -> (Option<i32>, String) {
        let output = self.command(arguments).output().unwrap();
        (output.status.code(), super::place::said(&output))
    }
}
