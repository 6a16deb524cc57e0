//! A Git host over SSH on this machine: it starts `git upload-pack`, as others do.

use std::collections::BTreeMap;
use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};

use russh::keys::{PrivateKey, PublicKey, load_secret_key};
use russh::server::{Auth, ChannelOpenHandle, Config, Handle, Handler, Msg, Session, VerifiedPublicKey, run_stream};
use russh::{Channel, ChannelId};

/// What the host does, and what has happened to it.
#[derive(Default)]
pub struct Conduct {
    /// The keys that are let in.
    pub allowed: Mutex<Vec<PublicKey>>,
    /// It answers nothing to a command.
    pub hangs: AtomicBool,
    /// It sends what has no end.
    pub floods: AtomicBool,
    /// It takes no variable: what is spoken is the older version of the protocol.
    pub is_old: AtomicBool,
    /// How often somebody has shown a key.
    pub shown: AtomicUsize,
    is_gone: AtomicBool,
    lines: Mutex<Vec<TcpStream>>,
}

/// A host; gone when dropped.
pub struct SshHost {
    dir: tempfile::TempDir,
    pub conduct: Arc<Conduct>,
    pub port: u16,
    accepting: Option<std::thread::JoinHandle<()>>,
}

impl SshHost {
    /// A host with a key of this type, that lets in who has the key `client`.
    pub fn new(kind: &str) -> Self {
        let mut host = Self { dir: tempfile::tempdir().unwrap(), conduct: Arc::default(), port: 0, accepting: None };
        host.make("host", kind);
        let client = host.make("client", "ed25519");
        host.conduct.allowed.lock().unwrap().push(public(&client));
        host.start();
        host
    }

    pub fn file(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Makes a key: where it is.
    pub fn make(&self, name: &str, kind: &str) -> PathBuf {
        self.make_with(name, &["-t", kind, "-N", ""])
    }

    pub fn make_with(&self, name: &str, arguments: &[&str]) -> PathBuf {
        let path = self.file(name);
        let _ = fs::remove_file(&path);
        let made = Command::new("ssh-keygen").args(["-q", "-C", "", "-f"]).arg(&path).args(arguments).status();
        assert!(made.unwrap().success());
        path
    }

    /// A list with the key of the host as it is now.
    pub fn known_hosts(&self) -> PathBuf {
        let path = self.file("known_hosts");
        fs::write(&path, self.known_line()).unwrap();
        path
    }

    pub fn known_line(&self) -> String {
        format!("[127.0.0.1]:{} {}", self.port, fs::read_to_string(self.file("host.pub")).unwrap())
    }

    pub fn url(&self, repository: &Path) -> String {
        format!("ssh://git@127.0.0.1:{}{}", self.port, repository.display())
    }

    /// Serves, with the key that is there, at the same port as before.
    pub fn start(&mut self) {
        let listener = TcpListener::bind(("127.0.0.1", self.port)).unwrap();
        self.port = listener.local_addr().unwrap().port();
        let key = load_secret_key(self.file("host"), None).unwrap();
        let conduct = Arc::clone(&self.conduct);
        conduct.is_gone.store(false, Ordering::Relaxed);
        self.accepting = Some(std::thread::spawn(move || accept(&listener, &key, &conduct)));
    }

    pub fn stop(&mut self) {
        let Some(accepting) = self.accepting.take() else { return };
        self.conduct.is_gone.store(true, Ordering::Relaxed);
        let _ = TcpStream::connect(("127.0.0.1", self.port));
        accepting.join().unwrap();
        for line in self.conduct.lines.lock().unwrap().drain(..) {
            let _ = line.shutdown(Shutdown::Both);
        }
    }
}

impl Drop for SshHost {
    fn drop(&mut self) {
        self.stop();
    }
}

pub fn public(key: &Path) -> PublicKey {
    load_secret_key(key, None).unwrap().public_key().clone()
}

fn accept(listener: &TcpListener, key: &PrivateKey, conduct: &Arc<Conduct>) {
    let config =
        Config { keys: vec![key.clone()], auth_rejection_time: std::time::Duration::ZERO, ..Config::default() };
    let config = Arc::new(config);
    for line in listener.incoming() {
        if conduct.is_gone.load(Ordering::Relaxed) {
            return;
        }
        let line = line.unwrap();
        conduct.lines.lock().unwrap().push(line.try_clone().unwrap());
        let (config, conduct) = (Arc::clone(&config), Arc::clone(conduct));
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                line.set_nonblocking(true).unwrap();
                let line = tokio::net::TcpStream::from_std(line).unwrap();
                let visitor = Visitor { conduct, variables: BTreeMap::new(), input: None };
                if let Ok(session) = run_stream(config, line, visitor).await {
                    let _ = session.await;
                }
            });
        });
    }
}

/// Who is connected.
struct Visitor {
    conduct: Arc<Conduct>,
    variables: BTreeMap<String, String>,
    input: Option<mpsc::Sender<Vec<u8>>>,
}

impl Handler for Visitor {
    type Error = russh::Error;

    async fn auth_publickey(&mut self, user: &str, key: VerifiedPublicKey<'_>) -> Result<Auth, russh::Error> {
        self.conduct.shown.fetch_add(1, Ordering::Relaxed);
        let allowed = self.conduct.allowed.lock().unwrap();
        let is_allowed = user == "git" && allowed.iter().any(|known| known.key_data() == key.public_key.key_data());
        Ok(if is_allowed { Auth::Accept } else { Auth::reject() })
    }

    async fn channel_open_session(
        &mut self,
        _: Channel<Msg>,
        reply: ChannelOpenHandle,
        _: &mut Session,
    ) -> Result<(), russh::Error> {
        reply.accept().await;
        Ok(())
    }

    async fn env_request(
        &mut self,
        _: ChannelId,
        name: &str,
        value: &str,
        _: &mut Session,
    ) -> Result<(), russh::Error> {
        if !self.conduct.is_old.load(Ordering::Relaxed) {
            self.variables.insert(name.to_owned(), value.to_owned());
        }
        Ok(())
    }

    async fn exec_request(&mut self, id: ChannelId, command: &[u8], session: &mut Session) -> Result<(), russh::Error> {
        let command = String::from_utf8_lossy(command).into_owned();
        let Some(path) = command.strip_prefix("git-upload-pack ") else { return session.channel_failure(id) };
        session.channel_success(id)?;
        if self.conduct.hangs.load(Ordering::Relaxed) {
            return Ok(());
        }
        let handle = session.handle();
        if self.conduct.floods.load(Ordering::Relaxed) {
            std::thread::spawn(move || flood(&handle, id));
            return Ok(());
        }
        // A shell reads it, as everywhere.
        let mut shell = Command::new("sh");
        shell.arg("-c").arg(format!("exec git upload-pack {path}")).env("GIT_CONFIG_NOSYSTEM", "1").env("HOME", "/");
        shell.envs(&self.variables).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let (sender, receiver) = mpsc::channel::<Vec<u8>>();
        self.input = Some(sender);
        std::thread::spawn(move || serve(shell, &handle, id, receiver));
        Ok(())
    }

    async fn data(&mut self, _: ChannelId, data: &[u8], _: &mut Session) -> Result<(), russh::Error> {
        if let Some(input) = &self.input {
            let _ = input.send(data.to_vec());
        }
        Ok(())
    }

    async fn channel_eof(&mut self, _: ChannelId, _: &mut Session) -> Result<(), russh::Error> {
        self.input = None;
        Ok(())
    }
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().build().unwrap()
}

fn serve(mut shell: Command, handle: &Handle, id: ChannelId, input: mpsc::Receiver<Vec<u8>>) {
    let mut child = shell.spawn().unwrap();
    let (mut into, mut from, mut aside) =
        (child.stdin.take().unwrap(), child.stdout.take().unwrap(), child.stderr.take().unwrap());
    std::thread::scope(|scope| {
        scope.spawn(move || {
            while let Ok(data) = input.recv() {
                if into.write_all(&data).and_then(|()| into.flush()).is_err() {
                    break;
                }
            }
        });
        let runtime = runtime();
        let mut buffer = vec![0; 32 << 10];
        loop {
            let read = from.read(&mut buffer).unwrap();
            if read == 0 || runtime.block_on(handle.data(id, buffer[..read].to_vec())).is_err() {
                break;
            }
        }
        drop(from);
        let mut said = Vec::new();
        aside.read_to_end(&mut said).unwrap();
        let status = child.wait().unwrap().code().unwrap_or(255);
        runtime.block_on(async {
            if !said.is_empty() {
                let _ = handle.extended_data(id, 1, said).await;
            }
            let _ = handle.exit_status_request(id, status.unsigned_abs()).await;
            let _ = handle.eof(id).await;
            let _ = handle.close(id).await;
        });
    });
}

/// What it says beside the protocol has no end.
fn flood(handle: &Handle, id: ChannelId) {
    let runtime = runtime();
    let piece = vec![b'.'; 1 << 15];
    while runtime.block_on(handle.extended_data(id, 1, piece.clone())).is_ok() {}
}
