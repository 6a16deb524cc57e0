//! The emulator: AWS as somebody else understood it, behind the real wire.
//!
//! It is a Python program (see `tests/emulator/README.md`), installed once under `target/` from pinned requirements and
//! started once for each test process on a free loopback port. Each test has an account of its own. Without Python
//! (or without a network, the first time) the tests say so and pass, unless `LANDFAST_REQUIRE_E2E` is set.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_smithy_runtime_api::client::http::SharedHttpClient;
use landfast::aws::{AwsCloud, Settings};
use landfast::model::{AccountId, Scope};

/// A cold start takes 0.3 s on an idle machine.
const START: Duration = Duration::from_mins(1);

/// An account in a running emulator.
#[derive(Clone, Debug)]
pub struct Account {
    /// Where the emulator listens.
    pub url: String,
    /// The account, which is also the access key.
    pub id: AccountId,
}

/// An account of its own for a test, in an emulator whose stack operations take `delay`; `None`, having said why, if
/// there is no emulator and none is required.
pub fn account(delay: Duration) -> Option<Account> {
    static NEXT: AtomicU32 = AtomicU32::new(1);
    match url(delay) {
        Ok(url) => {
            let id = format!("{:06}{:06}", std::process::id() % 1_000_000, NEXT.fetch_add(1, Ordering::Relaxed));
            Some(Account { url, id: id.parse().unwrap() })
        }
        Err(reason) => {
            assert!(std::env::var_os("LANDFAST_REQUIRE_E2E").is_none(), "the emulator is required: {reason}");
            eprintln!("skipped, there is no emulator: {reason}");
            None
        }
    }
}

impl Account {
    /// This account in a region.
    pub fn scope(&self, region: &str) -> Scope {
        Scope { account: self.id.clone(), region: region.parse().unwrap() }
    }

    /// The credentials that lead here.
    pub fn credentials(&self) -> SharedCredentialsProvider {
        let builder = Credentials::builder().access_key_id(self.id.as_str()).secret_access_key("none");
        SharedCredentialsProvider::new(builder.provider_name("emulator").build())
    }

    /// The adapter, its calls going here, through `http_client` if there is one.
    pub async fn cloud(&self, http_client: Option<SharedHttpClient>) -> AwsCloud {
        AwsCloud::connect(Settings {
            endpoint_url: Some(self.url.clone()),
            region: Some("us-east-1".parse().unwrap()),
            credentials: Some(self.credentials()),
            http_client,
            ..Settings::default()
        })
        .await
    }

    /// Makes a bucket, which no port does.
    pub async fn make_bucket(&self, name: &str) {
        let config = aws_sdk_s3::Config::builder()
            .behavior_version(aws_sdk_s3::config::BehaviorVersion::latest())
            .endpoint_url(&self.url)
            .force_path_style(true)
            .region(aws_sdk_s3::config::Region::new("us-east-1"))
            .credentials_provider(self.credentials())
            .build();
        aws_sdk_s3::Client::from_conf(config).create_bucket().bucket(name).send().await.unwrap();
    }
}

/// The address of this process's emulator of that delay, started when first asked for.
fn url(delay: Duration) -> Result<String, String> {
    static RUNNING: Mutex<BTreeMap<Duration, Emulator>> = Mutex::new(BTreeMap::new());
    let mut running = RUNNING.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(emulator) = running.get(&delay) {
        return Ok(emulator.url.clone());
    }
    let python = installed()?;
    let emulator = Emulator::start(&python, delay)?;
    let url = emulator.url.clone();
    running.insert(delay, emulator);
    Ok(url)
}

/// A running emulator. It ends with its standard input, and so with this process however that ends.
struct Emulator {
    child: Child,
    url: String,
}

impl Drop for Emulator {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Emulator {
    fn start(python: &Path, delay: Duration) -> Result<Self, String> {
        // Somebody else may take the port between looking and using it: then the emulator ends, and another is tried.
        (0..5)
            .map(|_| Self::start_once(python, delay))
            .find(Result::is_ok)
            .unwrap_or_else(|| Err(format!("it does not start; try {} {}", python.display(), overlay().display())))
    }

    fn start_once(python: &Path, delay: Duration) -> Result<Self, String> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).map_err(|error| error.to_string())?;
        let address = listener.local_addr().map_err(|error| error.to_string())?;
        drop(listener);
        let child = Command::new(python)
            .arg(overlay())
            .env("BIND_HOST", "127.0.0.1")
            .env("GATEWAY_PORT", address.port().to_string())
            .env("IOT_MTLS_ENABLED", "0")
            .env("SFTP_ENABLED", "0")
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .env("LANDFAST_EMULATOR_DELAY", delay.as_secs_f64().to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .map_err(|error| error.to_string())?;
        let mut emulator = Self { child, url: format!("http://{address}") };
        let deadline = Instant::now() + START;
        while !healthy(address) {
            if Instant::now() > deadline || emulator.child.try_wait().is_ok_and(|ended| ended.is_some()) {
                return Err("it ended, or does not answer".to_owned());
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(emulator)
    }
}

fn healthy(address: SocketAddr) -> bool {
    let Ok(mut stream) = TcpStream::connect_timeout(&address, Duration::from_secs(1)) else { return false };
    let _ = stream.set_read_timeout(Some(Duration::from_secs(5)));
    let asked = stream.write_all(b"GET /_ministack/health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    let mut status = [0; 12];
    asked.is_ok() && stream.read_exact(&mut status).is_ok() && status.ends_with(b" 200")
}

fn overlay() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/emulator/overlay.py")
}

/// The interpreter that has the pinned requirements, and nothing else. Installed by whoever comes first.
fn installed() -> Result<PathBuf, String> {
    let requirements = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/emulator/requirements.txt");
    let wanted = fs::read_to_string(&requirements).map_err(|error| error.to_string())?;
    // `target/tmp`, whose parent survives `cargo clean -p`.
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().ok_or("no target directory")?;
    let environment = target.join("emulator-venv");
    let lock = File::create(target.join("emulator-venv.lock")).map_err(|error| error.to_string())?;
    lock.lock().map_err(|error| error.to_string())?;
    let (marker, python) = (environment.join("installed.txt"), environment.join("bin/python"));
    if fs::read_to_string(&marker).is_ok_and(|installed| installed == wanted) {
        return Ok(python);
    }
    run(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&environment))?;
    run(Command::new(&python).args(["-m", "pip", "install", "--quiet", "--requirement"]).arg(&requirements))?;
    fs::write(marker, wanted).map_err(|error| error.to_string())?;
    Ok(python)
}

fn run(command: &mut Command) -> Result<(), String> {
    let output = command.stdin(Stdio::null()).output().map_err(|error| format!("{command:?}: {error}"))?;
    if output.status.success() {
        return Ok(());
    }
    Err(format!("{command:?}: {}", String::from_utf8_lossy(&output.stderr)))
}
