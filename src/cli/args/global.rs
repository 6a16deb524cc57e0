//! Options that every command takes.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};

use super::parts::duration;

/// Options of every command.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Global options")]
pub struct Global {
    /// Environment of everything that is named without one.
    #[arg(short, long, global = true, env = "LANDFAST_ENV", value_name = "NAME")]
    pub env: Option<String>,
    /// Directory of the manifests [default: `manifests` if it exists, else the current directory].
    #[arg(short, long, global = true, env = "LANDFAST_MANIFESTS", value_name = "DIR")]
    pub manifests: Option<PathBuf>,
    #[command(flatten)]
    pub git: GitArgs,
    /// The operator's configuration, which limits what manifests may do. It must be outside the manifests' repository
    /// [default: `/etc/landfast/landfast.toml`, else `landfast.toml` in the current directory, if one exists].
    #[arg(long, global = true, env = "LANDFAST_CONFIG", value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// State directory: the journal of operations, approvals, and the simulation.
    #[arg(long, global = true, env = "LANDFAST_STATE", value_name = "DIR", default_value = ".landfast")]
    pub state: PathBuf,
    /// AWS, or a simulation that needs no account and is kept in the state directory.
    #[arg(long, global = true, env = "LANDFAST_CLOUD", value_name = "CLOUD", default_value = "aws")]
    pub cloud: CloudKind,
    /// Profile of the AWS configuration files.
    #[arg(long, global = true, value_name = "NAME")]
    pub profile: Option<String>,
    /// Endpoint of an emulator or a proxy, instead of AWS.
    #[arg(long, global = true, env = "AWS_ENDPOINT_URL", value_name = "URL")]
    pub endpoint_url: Option<String>,
    /// File with the age identities that decrypt sealed secrets.
    #[arg(long, global = true, env = "LANDFAST_IDENTITY", value_name = "FILE")]
    pub identity: Option<PathBuf>,
    /// File with the age identity that encrypts the fingerprint key in the journal. Without the file, secret values cannot
    /// be brute-forced from the journal.
    #[arg(long, global = true, env = "LANDFAST_FINGERPRINT_KEY", value_name = "FILE")]
    pub fingerprint_key: Option<PathBuf>,
    /// When to use colour. `auto` respects `NO_COLOR` and `CLICOLOR_FORCE`.
    #[arg(long, global = true, value_name = "WHEN", default_value = "auto")]
    pub color: Color,
    /// Print long reports and help at once. On a terminal they go through `LANDFAST_PAGER`, `PAGER` or `less`.
    #[arg(long, global = true)]
    pub no_pager: bool,
    /// Log more to standard error: -v info, -vv debug. `LANDFAST_LOG` takes a filter.
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub verbose: u8,
    /// Format of log lines.
    #[arg(long, global = true, env = "LANDFAST_LOG_FORMAT", value_name = "FORM", default_value = "text")]
    pub log_format: LogFormat,
}

/// A Git repository that manifests are read from, instead of a directory.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Git source")]
pub struct GitArgs {
    /// Read the manifests from this Git repository (`https://HOST/PATH`, `ssh://USER@HOST/PATH` or `USER@HOST:PATH`) instead of a directory.
    /// Landfast fetches it by itself.
    /// Overrides the sources in the operator's configuration. The variable `LANDFAST_GIT_TOKEN` can hold a token.
    #[arg(long, global = true, env = "LANDFAST_GIT", value_name = "URL", conflicts_with = "manifests")]
    pub git: Option<String>,
    /// With --git: the branch to follow, or refs/tags/TAG [default: the repository's default branch].
    #[arg(long, global = true, env = "LANDFAST_GIT_REF", value_name = "REF")]
    pub git_ref: Option<String>,
    /// With --git: the directory of the manifests in the repository [default: the whole repository].
    #[arg(long, global = true, env = "LANDFAST_GIT_PATH", value_name = "DIR")]
    pub git_path: Option<String>,
    /// With --git: file with a token that can read the repository. It is read again at every fetch.
    #[arg(long, global = true, env = "LANDFAST_GIT_TOKEN_FILE", value_name = "FILE")]
    pub git_token_file: Option<PathBuf>,
    /// With --git: user name that is sent with the token.
    #[arg(long, global = true, env = "LANDFAST_GIT_USER", value_name = "NAME", default_value = "x-access-token")]
    pub git_user: String,
    /// With --git: file with the CA certificates (PEM) that are trusted for the Git host, instead of those of the system.
    #[arg(long, global = true, env = "LANDFAST_GIT_AUTHORITIES", value_name = "FILE")]
    pub git_authorities: Option<PathBuf>,
    /// With --git and an address of SSH: file with the private key (OpenSSH format; Ed25519 or ECDSA). The variable
    /// `LANDFAST_GIT_SSH_PASSPHRASE` can hold its passphrase.
    #[arg(long, global = true, env = "LANDFAST_GIT_SSH_KEY_FILE", value_name = "FILE")]
    pub git_ssh_key_file: Option<PathBuf>,
    /// With --git and an address of SSH: file with the host keys that are trusted, in the format of `known_hosts` of OpenSSH.
    #[arg(long, global = true, env = "LANDFAST_GIT_KNOWN_HOSTS", value_name = "FILE")]
    pub git_known_hosts: Option<PathBuf>,
    /// With --git: file of allowed signers (see ssh-keygen). Only commits and tags with their signature are applied.
    #[arg(long, global = true, env = "LANDFAST_GIT_ALLOWED_SIGNERS", value_name = "FILE")]
    pub git_allowed_signers: Option<PathBuf>,
    /// With --git: file of armored OpenPGP public keys. Commits and tags that one of them has signed are applied too.
    #[arg(long, global = true, env = "LANDFAST_GIT_OPENPGP_KEYS", value_name = "FILE")]
    pub git_openpgp_keys: Option<PathBuf>,
    /// With --git: how often the repository is fetched [default: 1m].
    #[arg(long, global = true, env = "LANDFAST_GIT_INTERVAL", value_name = "DURATION", value_parser = duration)]
    pub git_interval: Option<Duration>,
}

/// Which cloud.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum CloudKind {
    /// Amazon Web Services, or what answers at `--endpoint-url`.
    Aws,
    /// The embedded simulation.
    Sim,
}

/// When to colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Color {
    /// When a terminal is attached and `NO_COLOR` is not set.
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// Format of log lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}
