//! Doors into accounts and regions: configuration, credentials, clients.
//!
//! What can be configured is what the AWS command line knows: `aws-config` reads the same environment variables and
//! files (`AWS_PROFILE`, `AWS_ENDPOINT_URL`, `AWS_USE_FIPS_ENDPOINT`, …). Nothing here makes a call by itself.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use aws_config::environment::region::EnvironmentVariableRegionProvider;
use aws_config::meta::region::RegionProviderChain;
use aws_config::profile::ProfileFileRegionProvider;
use aws_config::retry::RetryConfig;
use aws_config::stalled_stream_protection::StalledStreamProtectionConfig;
use aws_config::sts::AssumeRoleProvider;
use aws_config::timeout::TimeoutConfig;
use aws_config::{AppName, BehaviorVersion, SdkConfig};
use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider, future};
use aws_smithy_runtime_api::client::http::SharedHttpClient;
use tokio::sync::OnceCell;

use super::{
    account, containers, drift, health, metrics, objects, queue, records, secrets, stacks, tables, trail, vaults,
};
use crate::model::{AssumeRole, EventQueue, Region, Scope};
use crate::ports::{
    Account, Cloud, Containers, Drift, Health, Metrics, Objects, Queue, Records, Secrets, Stacks, Tables, Trail, Vaults,
};

/// A connection that is not made within this time will not be made: five seconds are several lost packets.
const CONNECT: Duration = Duration::from_secs(5);

/// The last resort against a call that never returns. Deadlines are the governor's business and shorter.
const CEILING: Duration = Duration::from_mins(1);

/// How long an answer may stand still before it is given up; the SDK's own default, said aloud.
const STALLED: Duration = Duration::from_secs(20);

/// Where credential sources that need a region look, if neither environment nor profile names one. The SDK would ask the
/// instance metadata service, which on any other machine takes seconds and ends in warnings.
const NO_REGION: &str = "us-east-1";

/// How AWS is reached, where that differs from what environment and profile say.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// The profile of the shared configuration files.
    pub profile: Option<String>,
    /// The region for credential sources that need one, where neither environment nor profile names one. Calls go to
    /// the region of their [`Scope`], whatever this says.
    pub region: Option<Region>,
    /// One endpoint for all services: an emulator, or a proxy.
    pub endpoint_url: Option<String>,
    /// Credentials, instead of the standard chain.
    pub credentials: Option<SharedCredentialsProvider>,
    /// The HTTP client, instead of the SDK's.
    pub http_client: Option<SharedHttpClient>,
}

/// Clients by where they lead and by which role.
type Doors = BTreeMap<(Scope, Option<AssumeRole>), Clients>;

/// AWS behind one set of credentials, with clients for each scope and role entered from there.
pub struct AwsCloud {
    config: SdkConfig,
    /// One door each, so that credentials of an assumed role and connections are shared by all who go through it.
    doors: Mutex<Doors>,
}

impl fmt::Debug for AwsCloud {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AwsCloud").finish_non_exhaustive()
    }
}

impl AwsCloud {
    /// Reads environment and profile. Whether the credentials are good is found out by the first call.
    pub async fn connect(settings: Settings) -> Self {
        let fallback = settings.region.as_ref().map_or(NO_REGION, Region::as_str).to_owned();
        let mut profile = ProfileFileRegionProvider::builder();
        if let Some(name) = &settings.profile {
            profile = profile.profile_name(name);
        }
        let region = RegionProviderChain::first_try(EnvironmentVariableRegionProvider::new())
            .or_else(profile.build())
            .or_else(aws_config::Region::new(fallback));
        let mut loader = aws_config::defaults(BehaviorVersion::latest())
            .region(region)
            .retry_config(RetryConfig::disabled())
            .timeout_config(TimeoutConfig::builder().connect_timeout(CONNECT).operation_timeout(CEILING).build())
            .stalled_stream_protection(StalledStreamProtectionConfig::enabled().grace_period(STALLED).build());
        if let Ok(name) = AppName::new("landfast") {
            loader = loader.app_name(name);
        }
        if let Some(profile) = settings.profile {
            loader = loader.profile_name(profile);
        }
        if let Some(url) = settings.endpoint_url {
            loader = loader.endpoint_url(url);
        }
        if let Some(credentials) = settings.credentials {
            loader = loader.credentials_provider(credentials);
        }
        if let Some(client) = settings.http_client {
            loader = loader.http_client(client);
        }
        Self { config: loader.load().await, doors: Mutex::default() }
    }

    /// The door to the queue of events, with the credentials of this process: no environment's role leads to it.
    #[must_use]
    pub fn queue(&self, queue: &EventQueue) -> Arc<dyn Queue> {
        Arc::new(queue::Client::new(&self.config, queue))
    }

    fn clients(&self, scope: &Scope, role: Option<&AssumeRole>) -> Clients {
        let mut doors = self.doors.lock().unwrap_or_else(PoisonError::into_inner);
        doors.entry((scope.clone(), role.cloned())).or_insert_with(|| self.open(scope, role)).clone()
    }

    fn open(&self, scope: &Scope, role: Option<&AssumeRole>) -> Clients {
        let region = aws_config::Region::new(scope.region.as_str().to_owned());
        let mut config = self.config.to_builder().region(region).build();
        if let Some(role) = role {
            let entered = Entered { config: config.clone(), role: role.clone(), provider: OnceCell::new() };
            config = config.into_builder().credentials_provider(SharedCredentialsProvider::new(entered)).build();
        }
        Clients {
            stacks: Arc::new(stacks::Client::new(&config, scope)),
            containers: Arc::new(containers::Client::new(&config)),
            secrets: Arc::new(secrets::Client::new(&config)),
            records: Arc::new(records::Client::new(&config)),
            health: Arc::new(health::Client::new(&config)),
            metrics: Arc::new(metrics::Client::new(&config)),
            drift: Arc::new(drift::Client::new(&config)),
            trail: Arc::new(trail::Client::new(&config)),
            objects: Arc::new(objects::Client::new(&config, scope)),
            tables: Arc::new(tables::Client::new(&config)),
            vaults: Arc::new(vaults::Client::new(&config)),
            account: Arc::new(account::Client::new(&config)),
        }
    }
}

impl Cloud for AwsCloud {
    fn stacks(&self, scope: &Scope, role: Option<&AssumeRole>) -> Arc<dyn Stacks> {
        self.clients(scope, role).stacks
    }

    fn containers(&self, scope: &Scope, role: Option<&AssumeRole>) -> Arc<dyn Containers> {
        self.clients(scope, role).containers
    }

    fn secrets(&self, scope: &Scope, role: Option<&AssumeRole>) -> Arc<dyn Secrets> {
        self.clients(scope, role).secrets
    }

    fn records(&self, scope: &Scope, role: Option<&AssumeRole>) -> Arc<dyn Records> {
        self.clients(scope, role).records
    }

    fn health(&self, scope: &Scope, role: Option<&AssumeRole>) -> Arc<dyn Health> {
        self.clients(scope, role).health
    }

    fn metrics(&self, scope: &Scope, role: Option<&AssumeRole>) -> Arc<dyn Metrics> {
        self.clients(scope, role).metrics
    }

    fn drift(&self, scope: &Scope, role: Option<&AssumeRole>) -> Arc<dyn Drift> {
        self.clients(scope, role).drift
    }

    fn trail(&self, scope: &Scope, role: Option<&AssumeRole>) -> Arc<dyn Trail> {
        self.clients(scope, role).trail
    }

    fn objects(&self, scope: &Scope, role: Option<&AssumeRole>) -> Arc<dyn Objects> {
        self.clients(scope, role).objects
    }

    fn tables(&self, scope: &Scope, role: Option<&AssumeRole>) -> Arc<dyn Tables> {
        self.clients(scope, role).tables
    }

    fn vaults(&self, scope: &Scope, role: Option<&AssumeRole>) -> Arc<dyn Vaults> {
        self.clients(scope, role).vaults
    }

    fn account(&self, scope: &Scope, role: Option<&AssumeRole>) -> Arc<dyn Account> {
        self.clients(scope, role).account
    }
}

/// One client for each service: credentials and connections are shared.
#[derive(Clone)]
struct Clients {
    stacks: Arc<dyn Stacks>,
    containers: Arc<dyn Containers>,
    secrets: Arc<dyn Secrets>,
    records: Arc<dyn Records>,
    health: Arc<dyn Health>,
    metrics: Arc<dyn Metrics>,
    drift: Arc<dyn Drift>,
    trail: Arc<dyn Trail>,
    objects: Arc<dyn Objects>,
    tables: Arc<dyn Tables>,
    vaults: Arc<dyn Vaults>,
    account: Arc<dyn Account>,
}

/// Credentials of an assumed role. Asked for when first needed; the SDK caches them until shortly before they expire.
#[derive(Debug)]
struct Entered {
    config: SdkConfig,
    role: AssumeRole,
    /// Building the provider is asynchronous, opening a door is not.
    provider: OnceCell<AssumeRoleProvider>,
}

impl Entered {
    async fn build(&self) -> AssumeRoleProvider {
        let builder = AssumeRoleProvider::builder(self.role.arn.as_str())
            .session_name(self.role.session_name.as_str())
            .configure(&self.config);
        match &self.role.external_id {
            Some(id) => builder.external_id(id.as_str()).build().await,
            None => builder.build().await,
        }
    }
}

impl ProvideCredentials for Entered {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        future::ProvideCredentials::new(async {
            self.provider.get_or_init(|| self.build()).await.provide_credentials().await
        })
    }
}
