//! A Git repository that manifests are read from, as the operator's configuration or the command line names it.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::aws::identifier;
use super::git_address::{https, parts, repository};
use super::key::is_label;
use super::{Digest, EnvName, Redacted, like};

/// How often a repository is fetched where nothing else says so.
pub const GIT_INTERVAL: Duration = Duration::from_mins(1);

/// The most time that one fetch may take where nothing else says so.
pub const GIT_TIMEOUT: Duration = Duration::from_mins(2);

identifier! {
    /// The name of a source: a name for people, for its directory in the state directory, and for its webhook.
    SourceName, "1 to 63 lower-case letters, digits and hyphens, starting with a letter", is_label
}

/// Which commit of a repository is followed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum GitRef {
    /// What the repository's own `HEAD` names.
    Default,
    /// The newest commit of a branch.
    Branch(String),
    /// What a tag names.
    Tag(String),
}

impl GitRef {
    /// Its full name in the repository.
    #[must_use]
    pub fn full_name(&self) -> String {
        match self {
            Self::Default => "HEAD".to_owned(),
            Self::Branch(name) => format!("refs/heads/{name}"),
            Self::Tag(name) => format!("refs/tags/{name}"),
        }
    }

    /// As people write it on a command line: a branch, or a full name (`refs/tags/v1`).
    ///
    /// # Errors
    /// Git allows no such name.
    pub fn parse(text: &str) -> Result<Self, String> {
        if let Some(tag) = text.strip_prefix("refs/tags/") {
            return Self::tag(tag);
        }
        if text == "HEAD" {
            return Ok(Self::Default);
        }
        Self::branch(text.strip_prefix("refs/heads/").unwrap_or(text))
    }

    /// A branch.
    ///
    /// # Errors
    /// Git allows no such name.
    pub fn branch(name: &str) -> Result<Self, String> {
        is_ref(name).then(|| Self::Branch(name.to_owned())).ok_or_else(|| format!("`{name}` is not a name of a branch"))
    }

    /// A tag.
    ///
    /// # Errors
    /// Git allows no such name.
    pub fn tag(name: &str) -> Result<Self, String> {
        is_ref(name).then(|| Self::Tag(name.to_owned())).ok_or_else(|| format!("`{name}` is not a name of a tag"))
    }
}

impl fmt::Display for GitRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("the default branch"),
            Self::Branch(name) => write!(f, "branch {name}"),
            Self::Tag(name) => write!(f, "tag {name}"),
        }
    }
}

/// What `git check-ref-format` allows of a branch's or tag's name, in plain ASCII: no part of it is a pattern of a refspec.
fn is_ref(name: &str) -> bool {
    let part = |part: &str| {
        !part.is_empty()
            && !part.starts_with('.')
            && part.strip_suffix(".lock").is_none()
            && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.+#%=,!@".contains(&byte))
    };
    name.len() <= 250
        && !name.starts_with('-')
        && !name.ends_with('.')
        && !name.contains("..")
        && name != "@"
        && name.split('/').all(part)
}

/// Where a secret is.
#[derive(Clone, Debug)]
pub enum SecretRef {
    /// In a file, which is read again each time: what rotates it needs no restart.
    File(PathBuf),
    /// In an environment variable, which was read when the process started.
    Value {
        /// The variable.
        name: String,
        /// What it held; `None`: it was not set.
        value: Option<Redacted>,
    },
}

/// By what a repository lets us in.
#[derive(Clone, Debug)]
pub enum GitCredentials {
    /// It lets everybody in.
    None,
    /// A user name and a password or token.
    Token {
        /// The user name. Forges that take any name beside a token get `x-access-token`.
        user: String,
        /// The token.
        token: SecretRef,
    },
    /// A GitHub App's installation. Its tokens are made when they are needed, and last an hour.
    App {
        /// The App's ID or client ID.
        app: String,
        /// The installation's ID.
        installation: u64,
        /// The App's private key, in PEM.
        key: SecretRef,
        /// GitHub's API: `https://api.github.com`.
        api: String,
    },
    /// An SSH key.
    SshKey {
        /// The private key, in the format of OpenSSH.
        key: SecretRef,
        /// What it is encrypted with; `None`: it is not.
        passphrase: Option<SecretRef>,
    },
}

/// By which keys we know SSH servers, as `known_hosts` of OpenSSH has them.
#[derive(Clone, Debug)]
pub enum KnownHosts {
    /// In a file, which is read again at every fetch.
    File(PathBuf),
    /// These lines.
    Lines(Vec<String>),
}

/// How calls of a Git host that say *look now* prove that they are its own.
#[derive(Clone, Debug)]
pub struct WebhookSecret {
    /// The shared secret.
    pub secret: SecretRef,
}

/// Whose API a Git host speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ForgeKind {
    /// GitHub and GitHub Enterprise Server.
    GitHub,
    /// GitLab, also self-managed.
    GitLab,
}

/// What a Git host is told about the commits of a repository.
#[derive(Clone, Debug)]
pub struct Feedback {
    /// Whose API it is.
    pub kind: ForgeKind,
    /// Its address: `https://api.github.com`.
    pub api: String,
    /// The repository's name there: `owner/name`.
    pub project: String,
    /// Commits get a status for each environment.
    pub status: bool,
    /// Pull requests get a comment with their plan.
    pub comments: bool,
    /// Pull requests from forks, too.
    pub forks: bool,
    /// A token for this alone; `None`: what the repository is read with.
    pub token: Option<SecretRef>,
}

/// A repository.
#[derive(Clone, Debug)]
pub struct GitSource {
    /// Its name.
    pub name: SourceName,
    /// `https://host/path`, `ssh://user@host/path` or `user@host:path`, without a password.
    pub url: String,
    /// Which commit is followed.
    pub reference: GitRef,
    /// The directory of the manifests in it; empty: all of it.
    pub path: String,
    /// How often it is fetched, give or take a tenth.
    pub interval: Duration,
    /// How long a fetch may take.
    pub timeout: Duration,
    /// How we are let in.
    pub credentials: GitCredentials,
    /// A file with the certificates of authorities that the server's certificate may be of, instead of the system's.
    pub authorities: Option<PathBuf>,
    /// The keys by which we know the server, if it is one of SSH.
    pub known_hosts: Option<KnownHosts>,
    /// Which environments may come from it, by pattern.
    pub environments: Vec<String>,
    /// The file of allowed signers by SSH. Commits need a signature if this or the next is named.
    pub signers: Option<PathBuf>,
    /// The file of OpenPGP keys that may sign.
    pub openpgp_keys: Option<PathBuf>,
    /// How webhooks prove themselves; `None`: there are none.
    pub webhook: Option<WebhookSecret>,
    /// What its host is told; `None`: nothing.
    pub feedback: Option<Feedback>,
}

impl GitSource {
    /// A source of which only this is known.
    ///
    /// # Errors
    /// The address is not one that is fetched from.
    pub fn new(name: SourceName, url: &str) -> Result<Self, String> {
        Ok(Self {
            name,
            url: repository(url)?,
            reference: GitRef::Default,
            path: String::new(),
            interval: GIT_INTERVAL,
            timeout: GIT_TIMEOUT,
            credentials: GitCredentials::None,
            authorities: None,
            known_hosts: None,
            environments: vec!["*".to_owned()],
            signers: None,
            openpgp_keys: None,
            webhook: None,
            feedback: None,
        })
    }

    /// The address of a repository, checked.
    ///
    /// # Errors
    /// It is another kind of address, or holds a password.
    pub fn repository(text: &str) -> Result<String, String> {
        repository(text)
    }

    /// The address of an API, checked.
    ///
    /// # Errors
    /// It is another kind of address, or holds a password.
    pub fn address(text: &str) -> Result<String, String> {
        https(text)
    }

    /// Checks that what it has fits how it is fetched.
    ///
    /// # Errors
    /// Something is missing for SSH, or is for the other way.
    pub fn check(&self) -> Result<(), String> {
        let has_key = matches!(self.credentials, GitCredentials::SshKey { .. });
        let is_for_web = !has_key && !matches!(self.credentials, GitCredentials::None) || self.authorities.is_some();
        let why = match (self.ssh(), has_key, self.known_hosts.is_some()) {
            (None, false, false) => return Ok(()),
            (None, ..) => "an SSH key and known hosts are for ssh:// addresses: use a token for https://",
            (Some(_), ..) if is_for_web => {
                "a token, a GitHub App and authorities are for https:// addresses: use an SSH key for ssh://"
            }
            (Some(_), false, _) => "an address of SSH needs `sshKey` (or --git-ssh-key-file)",
            (Some(_), true, false) => {
                "an address of SSH needs `knownHosts` (or --git-known-hosts): the host keys that are trusted"
            }
            (Some(_), true, true) => return Ok(()),
        };
        Err(why.to_owned())
    }

    /// Whether an environment may come from it.
    #[must_use]
    pub fn has(&self, environment: &EnvName) -> bool {
        self.environments.iter().any(|pattern| like(pattern, environment.as_str()))
    }

    /// A name for its clone, which another repository of the same name does not have.
    #[must_use]
    pub fn place(&self) -> String {
        format!("{}-{}", self.name, Digest::of(&(&self.url, self.reference.full_name())).short())
    }
}

impl Feedback {
    /// Feedback for a repository at this address. Of known hosts it is known whose API they speak and where it is; for
    /// others `kind` says so, and `api` may.
    ///
    /// # Errors
    /// It is not known, or the address is not that of a repository there.
    pub fn new(url: &str, kind: Option<ForgeKind>, api: Option<String>) -> Result<Self, String> {
        let (host, port, path) = parts(url)?;
        let known = match host.as_str() {
            "github.com" => Some(ForgeKind::GitHub),
            "gitlab.com" => Some(ForgeKind::GitLab),
            _ => None,
        };
        let kind = kind.or(known).ok_or("`feedback` needs `kind`: `github` or `gitlab`")?;
        let project = path.trim_matches('/').trim_end_matches(".git").to_owned();
        let parts = project.split('/').count();
        if project.is_empty() || parts < 2 || kind == ForgeKind::GitHub && parts > 2 {
            return Err("`feedback` needs a `url` with the owner and the name of the repository".to_owned());
        }
        let port = port.map(|port| format!(":{port}")).unwrap_or_default();
        let usual = match kind {
            ForgeKind::GitHub if host == "github.com" => "https://api.github.com".to_owned(),
            ForgeKind::GitHub => format!("https://{host}{port}/api/v3"),
            ForgeKind::GitLab => format!("https://{host}{port}/api/v4"),
        };
        let api = api.unwrap_or(usual).trim_end_matches('/').to_owned();
        Ok(Self { kind, api, project, status: true, comments: true, forks: false, token: None })
    }
}

impl fmt::Display for GitSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.url, self.reference)
    }
}

/// A directory in a repository, as it is written there: without `/` at either end.
///
/// # Errors
/// It leads out of the repository.
pub fn git_path(text: &str) -> Result<String, String> {
    let trimmed = text.trim_start_matches("./").trim_end_matches('/');
    if trimmed.is_empty() || trimmed == "." {
        return Ok(String::new());
    }
    let is_plain = trimmed.split('/').all(|part| !part.is_empty() && part != "." && part != "..");
    if is_plain { Ok(trimmed.to_owned()) } else { Err(format!("`{text}` is not a directory within a repository")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_plain_addresses_are_taken_and_no_password_is_repeated() {
        let name = || "main".parse::<SourceName>().unwrap();
        assert_eq!(
            GitSource::new(name(), "https://git.example.com/a/b.git").unwrap().url,
            "https://git.example.com/a/b.git"
        );
        for wrong in [
            "http://git.example.com/a",
            "git://git.example.com/a",
            "git+ssh://git@git.example.com/a",
            "file:///a",
            "/a/b",
            "https://u:canary@git.example.com/a",
            "https://canary@git.example.com/a",
            "https://git.example.com/a?x=canary",
        ] {
            let error = GitSource::new(name(), wrong).unwrap_err();
            assert!(!error.contains("canary"), "{error}");
        }
    }

    #[test]
    fn what_a_source_has_fits_how_it_is_fetched() {
        let file = || SecretRef::File("/k".into());
        let key = || GitCredentials::SshKey { key: file(), passphrase: None };
        let token = || GitCredentials::Token { user: "u".to_owned(), token: file() };
        let source = |url: &str, credentials: GitCredentials, known: bool| {
            let known_hosts = known.then(|| KnownHosts::Lines(Vec::new()));
            GitSource { credentials, known_hosts, ..GitSource::new("main".parse().unwrap(), url).unwrap() }.check()
        };
        let (ssh, web) = ("git@git.example.com:a", "https://git.example.com/a");
        assert!(source(ssh, key(), true).is_ok() && source(web, token(), false).is_ok());
        assert!(source(web, GitCredentials::None, false).is_ok());
        for (url, credentials, known, words) in [
            (ssh, GitCredentials::None, true, "needs `sshKey`"),
            (ssh, key(), false, "needs `knownHosts`"),
            (ssh, token(), true, "for https:// addresses"),
            (web, key(), true, "for ssh:// addresses"),
            (web, token(), true, "for ssh:// addresses"),
        ] {
            let error = source(url, credentials, known).unwrap_err();
            assert!(error.contains(words), "{url}: {error}");
        }
    }

    #[test]
    fn names_of_references_are_never_patterns() {
        for good in ["main", "release/1.2", "feature/a_b-c"] {
            assert_eq!(GitRef::parse(good).unwrap().full_name(), format!("refs/heads/{good}"));
        }
        assert_eq!(GitRef::parse("refs/tags/v1").unwrap(), GitRef::Tag("v1".to_owned()));
        for wrong in [
            "",
            "*",
            "a*",
            "a:b",
            "a..b",
            "a//b",
            "/a",
            "a/",
            "-a",
            ".a",
            "a.lock",
            "a b",
            "a~1",
            "a^",
            "refs/heads/",
            "@",
            "a?",
        ] {
            assert!(GitRef::parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn the_api_of_a_host_is_where_its_documentation_says() {
        use ForgeKind::{GitHub, GitLab};
        for (url, kind, api, project) in [
            ("https://github.com/a/b.git", None, "https://api.github.com", "a/b"),
            ("https://gitlab.com/a/b/c", None, "https://gitlab.com/api/v4", "a/b/c"),
            ("https://git.example.com:8443/a/b", Some(GitHub), "https://git.example.com:8443/api/v3", "a/b"),
            ("https://git.example.com/a/b.git", Some(GitLab), "https://git.example.com/api/v4", "a/b"),
            ("ssh://git@git.example.com:2222/a/b.git", Some(GitLab), "https://git.example.com/api/v4", "a/b"),
            ("git@github.com:a/b.git", None, "https://api.github.com", "a/b"),
        ] {
            let feedback = Feedback::new(url, kind, None).unwrap();
            assert_eq!((feedback.api.as_str(), feedback.project.as_str()), (api, project), "{url}");
        }
        let own =
            Feedback::new("https://git.example.com/a/b", Some(GitHub), Some("https://api.example.com/".to_owned()));
        assert_eq!(own.unwrap().api, "https://api.example.com");
        assert!(Feedback::new("https://git.example.com/a/b", None, None).unwrap_err().contains("`kind`"));
        for wrong in ["https://github.com/a", "https://github.com/", "https://github.com/a/b/c"] {
            assert!(Feedback::new(wrong, None, None).unwrap_err().contains("owner"), "{wrong}");
        }
    }

    #[test]
    fn a_path_stays_in_the_repository() {
        for (text, path) in [("", ""), (".", ""), ("./", ""), ("a/b/", "a/b"), ("./a", "a")] {
            assert_eq!(git_path(text).as_deref(), Ok(path), "{text}");
        }
        for wrong in ["..", "a/../b", "/a", "a//b", "a/./b"] {
            assert!(git_path(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn the_clone_of_another_repository_is_elsewhere() {
        let source = |url: &str, reference: &str| {
            let source = GitSource::new("main".parse().unwrap(), url).unwrap();
            GitSource { reference: GitRef::parse(reference).unwrap(), ..source }.place()
        };
        let one = source("https://a/b", "main");
        assert!(one.starts_with("main-"));
        assert_eq!(one, source("https://a/b", "main"));
        assert_ne!(one, source("https://a/c", "main"));
        assert_ne!(one, source("https://a/b", "other"));
    }
}
