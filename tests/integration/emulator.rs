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
use landfast::model::{AccountId, AssumeRole, Scope, ZoneId};

/// A cold start takes 0.3 s on an idle machine.
const START: Duration = Duration::from_mins(1);

/// The operations of stacks take one to seven seconds, each another time than the one before.
pub const UNEQUAL: Duration = Duration::MAX;

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
    account_in(Program::Ministack(delay))
}

/// The same in another emulator: a second opinion on Secrets Manager and Route 53. Its account is entered by a role.
pub fn second_opinion() -> Option<Account> {
    account_in(Program::Moto)
}

fn account_in(program: Program) -> Option<Account> {
    static NEXT: AtomicU32 = AtomicU32::new(1);
    match url(program) {
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

    /// The program, in a directory, with these arguments and what leads here by way of `endpoint`; of this machine's
    /// environment it has nothing.
    pub fn program(&self, arguments: &[&str], endpoint: &str, directory: &Path) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_landfast"));
        command
            .args(arguments)
            .args(["--endpoint-url", endpoint])
            .current_dir(directory)
            .env_clear()
            .env("HOME", directory)
            .env("AWS_ACCESS_KEY_ID", self.id.as_str())
            .env("AWS_SECRET_ACCESS_KEY", "none")
            .env("AWS_EC2_METADATA_DISABLED", "true")
            .stdin(Stdio::null());
        command
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

    /// Makes a hosted zone, which no port does, in the account that `role` leads to; its id.
    pub async fn make_zone(&self, name: &str, role: Option<&AssumeRole>) -> ZoneId {
        static NEXT: AtomicU32 = AtomicU32::new(1);
        let credentials = match role {
            Some(role) => self.assumed(role).await,
            None => self.credentials(),
        };
        let config = aws_sdk_route53::Config::builder()
            .behavior_version(aws_sdk_route53::config::BehaviorVersion::latest())
            .endpoint_url(&self.url)
            .region(aws_sdk_route53::config::Region::new("us-east-1"))
            .credentials_provider(credentials)
            .build();
        let request = aws_sdk_route53::Client::from_conf(config).create_hosted_zone().name(name);
        let reference = format!("{}-{}", self.id, NEXT.fetch_add(1, Ordering::Relaxed));
        let answer = request.caller_reference(reference).send().await.unwrap();
        answer.hosted_zone().unwrap().id().trim_start_matches("/hostedzone/").parse().unwrap()
    }

    /// Makes a target group with one target, which the emulator's stacks leave without any; its ARN.
    pub async fn make_target_group(&self, name: &str) -> String {
        use aws_sdk_elasticloadbalancingv2::types::{TargetDescription, TargetTypeEnum};
        let config = aws_sdk_elasticloadbalancingv2::Config::builder()
            .behavior_version(aws_sdk_elasticloadbalancingv2::config::BehaviorVersion::latest())
            .endpoint_url(&self.url)
            .region(aws_sdk_elasticloadbalancingv2::config::Region::new("us-east-1"))
            .credentials_provider(self.credentials())
            .build();
        let client = aws_sdk_elasticloadbalancingv2::Client::from_conf(config);
        let request = client.create_target_group().name(name).target_type(TargetTypeEnum::Ip).port(80);
        let made = request.send().await.unwrap();
        let group = made.target_groups()[0].target_group_arn().unwrap().to_owned();
        let target = TargetDescription::builder().id("10.0.0.5").port(80).build();
        client.register_targets().target_group_arn(&group).targets(target).send().await.unwrap();
        group
    }

    /// Makes a repository with one image in it.
    pub async fn push_image(&self, repository: &str, tag: &str) {
        let config = aws_sdk_ecr::Config::builder()
            .behavior_version(aws_sdk_ecr::config::BehaviorVersion::latest())
            .endpoint_url(&self.url)
            .region(aws_sdk_ecr::config::Region::new("us-east-1"))
            .credentials_provider(self.credentials())
            .build();
        let client = aws_sdk_ecr::Client::from_conf(config);
        client.create_repository().repository_name(repository).send().await.unwrap();
        let manifest = r#"{"schemaVersion":2,"mediaType":"application/vnd.docker.distribution.manifest.v2+json"}"#;
        let request = client.put_image().repository_name(repository).image_manifest(manifest).image_tag(tag);
        request.send().await.unwrap();
    }

    /// What assuming a role gives.
    pub async fn assumed(&self, role: &AssumeRole) -> SharedCredentialsProvider {
        let config = aws_sdk_sts::Config::builder()
            .behavior_version(aws_sdk_sts::config::BehaviorVersion::latest())
            .endpoint_url(&self.url)
            .region(aws_sdk_sts::config::Region::new("us-east-1"))
            .credentials_provider(self.credentials())
            .build();
        let request = aws_sdk_sts::Client::from_conf(config).assume_role().role_arn(role.arn.as_str());
        let answer = request.role_session_name(&role.session_name).send().await.unwrap();
        let given = answer.credentials().unwrap();
        let builder = Credentials::builder()
            .access_key_id(given.access_key_id())
            .secret_access_key(given.secret_access_key())
            .session_token(given.session_token());
        SharedCredentialsProvider::new(builder.provider_name("emulator").build())
    }

    /// Makes a bucket that keeps versions, which no port does.
    pub async fn make_bucket(&self, name: &str) {
        let client = self.make_plain_bucket(name).await;
        let enabled = aws_sdk_s3::types::BucketVersioningStatus::Enabled;
        let versions = aws_sdk_s3::types::VersioningConfiguration::builder().status(enabled).build();
        client.put_bucket_versioning().bucket(name).versioning_configuration(versions).send().await.unwrap();
    }

    /// Makes a bucket as it is made without further settings: what is in it is written over.
    pub async fn make_plain_bucket(&self, name: &str) -> aws_sdk_s3::Client {
        let config = aws_sdk_s3::Config::builder()
            .behavior_version(aws_sdk_s3::config::BehaviorVersion::latest())
            .endpoint_url(&self.url)
            .force_path_style(true)
            .region(aws_sdk_s3::config::Region::new("us-east-1"))
            .credentials_provider(self.credentials())
            .build();
        let client = aws_sdk_s3::Client::from_conf(config);
        client.create_bucket().bucket(name).send().await.unwrap();
        client
    }
}

/// Which program stands in for AWS.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Program {
    /// ministack with its overlay; stack operations take so long.
    Ministack(Duration),
    /// moto, for the services that it knows well.
    Moto,
}

/// The address of this process's emulator, started when first asked for.
fn url(program: Program) -> Result<String, String> {
    static RUNNING: Mutex<BTreeMap<Program, Emulator>> = Mutex::new(BTreeMap::new());
    let mut running = RUNNING.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(emulator) = running.get(&program) {
        return Ok(emulator.url.clone());
    }
    let python = program.installed()?;
    let emulator = Emulator::start(&python, program)?;
    let url = emulator.url.clone();
    running.insert(program, emulator);
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
    fn start(python: &Path, program: Program) -> Result<Self, String> {
        // Somebody else may take the port between looking and using it: then the emulator ends, and another is tried.
        (0..5).map(|_| Self::start_once(python, program)).find(Result::is_ok).unwrap_or_else(|| {
            Err(format!("it does not start; try {} {}", python.display(), program.script().display()))
        })
    }

    fn start_once(python: &Path, program: Program) -> Result<Self, String> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).map_err(|error| error.to_string())?;
        let address = listener.local_addr().map_err(|error| error.to_string())?;
        drop(listener);
        let child = program
            .command(python, address.port())
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .map_err(|error| error.to_string())?;
        let mut emulator = Self { child, url: format!("http://{address}") };
        let deadline = Instant::now() + START;
        while !healthy(address, program.health()) {
            if Instant::now() > deadline || emulator.child.try_wait().is_ok_and(|ended| ended.is_some()) {
                return Err("it ended, or does not answer".to_owned());
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(emulator)
    }
}

fn healthy(address: SocketAddr, path: &str) -> bool {
    let Ok(mut stream) = TcpStream::connect_timeout(&address, Duration::from_secs(1)) else { return false };
    let _ = stream.set_read_timeout(Some(Duration::from_secs(5)));
    let asked = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    let mut status = [0; 12];
    let asked = stream.write_all(asked.as_bytes());
    asked.is_ok() && stream.read_exact(&mut status).is_ok() && status.ends_with(b" 200")
}

fn delays(delay: Duration) -> String {
    if delay == UNEQUAL { "3,1,5,2,7,4,1,6".to_owned() } else { delay.as_secs_f64().to_string() }
}

impl Program {
    fn file(name: &str) -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/emulator").join(name)
    }

    fn script(self) -> PathBuf {
        match self {
            Self::Ministack(_) => Self::file("overlay.py"),
            Self::Moto => Self::file("second.py"),
        }
    }

    fn health(self) -> &'static str {
        match self {
            Self::Ministack(_) => "/_ministack/health",
            Self::Moto => "/moto-api/",
        }
    }

    fn command(self, python: &Path, port: u16) -> Command {
        let mut command = Command::new(python);
        command.arg(self.script());
        match self {
            Self::Moto => command.arg(port.to_string()),
            Self::Ministack(delay) => command
                .env("BIND_HOST", "127.0.0.1")
                .env("GATEWAY_PORT", port.to_string())
                .env("IOT_MTLS_ENABLED", "0")
                .env("SFTP_ENABLED", "0")
                .env("CLOUDTRAIL_RECORDING", "1")
                .env("LANDFAST_EMULATOR_DELAY", delays(delay)),
        };
        command
    }

    /// The interpreter that has the pinned requirements, and nothing else.
    fn installed(self) -> Result<PathBuf, String> {
        match self {
            Self::Ministack(_) => installed("requirements.txt", "emulator-venv"),
            Self::Moto => installed("requirements-moto.txt", "moto-venv"),
        }
    }
}

/// The AWS CLI, as people have it; `None`, having said why, if it cannot be had and is not required.
pub fn aws_cli() -> Option<PathBuf> {
    match installed("requirements-awscli.txt", "awscli-venv") {
        Ok(python) => Some(python.with_file_name("aws")),
        Err(reason) => {
            assert!(std::env::var_os("LANDFAST_REQUIRE_E2E").is_none(), "the AWS CLI is required: {reason}");
            eprintln!("skipped, there is no AWS CLI: {reason}");
            None
        }
    }
}

/// An interpreter that has these requirements, and nothing else. Installed by whoever comes first.
fn installed(requirements: &str, name: &str) -> Result<PathBuf, String> {
    let requirements = Program::file(requirements);
    let wanted = fs::read_to_string(&requirements).map_err(|error| error.to_string())?;
    // `target/tmp`, whose parent survives `cargo clean -p`.
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().ok_or("no target directory")?;
    let environment = target.join(name);
    let lock = File::create(target.join(format!("{name}.lock"))).map_err(|error| error.to_string())?;
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
