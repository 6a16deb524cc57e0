//! `[[source]]`: a Git repository that manifests are read from, as it is written.

use std::path::PathBuf;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, de};
use toml::Spanned;

use super::period::Period;
use crate::model::{
    Feedback, ForgeKind, GitCredentials, GitRef, GitSource, KnownHosts, SecretRef, SourceName, WebhookSecret, git_path,
};

/// GitHub's own API.
const GITHUB: &str = "https://api.github.com";
/// The user name beside a token where nothing else is said: GitHub requires none in particular, GitLab takes any.
const USER: &str = "x-access-token";
/// A repository is not asked more often than this.
const SHORTEST: Duration = Duration::from_secs(5);

/// A Git repository that manifests are read from. Landfast fetches it over HTTPS or SSH and follows one branch or tag of it.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "Source")]
pub(super) struct SourceDocument {
    /// A name for messages and for the path of its webhook: lowercase letters, digits and hyphens.
    #[schemars(with = "String")]
    name: Spanned<SourceName>,
    /// Address of the repository: `https://HOST/PATH`, `ssh://USER@HOST[:PORT]/PATH` or `USER@HOST:PATH`, without a password.
    /// SSH needs a build with the feature `ssh`, which the image has.
    #[schemars(with = "String")]
    url: Repository,
    /// The branch to follow; default: the repository's default branch.
    #[schemars(with = "Option<String>")]
    branch: Option<Branch>,
    /// The tag to follow, instead of a branch.
    #[schemars(with = "Option<String>")]
    tag: Option<Tag>,
    /// Directory of the manifests in the repository; default: the whole repository.
    #[schemars(with = "Option<String>")]
    path: Option<Inside>,
    /// How often the repository is fetched; default `1m`, at least `5s`. Each wait varies by up to 10 percent.
    #[schemars(with = "Option<String>")]
    interval: Option<Spanned<Period>>,
    /// The longest time for one fetch; default `2m`.
    #[schemars(with = "Option<String>")]
    timeout: Option<Spanned<Period>>,
    /// A token that can read the repository.
    token: Option<TokenDocument>,
    /// A GitHub App that can read the repository, instead of a token.
    github_app: Option<AppDocument>,
    /// The SSH key that can read the repository, for addresses of SSH.
    ssh_key: Option<KeyDocument>,
    /// The host keys that are trusted, for addresses of SSH: a file in the format of `known_hosts` of OpenSSH, which is read
    /// again at every fetch, or a list of its lines. There is no default: an unknown host is refused.
    known_hosts: Option<KnownHostsDocument>,
    /// File with the CA certificates (PEM) that are trusted for this host, instead of those of the system.
    authorities: Option<PathBuf>,
    /// Environments that this repository is allowed to define; default: all. With several sources, every source needs this
    /// list.
    #[schemars(with = "Option<Vec<String>>")]
    environments: Option<Spanned<Vec<String>>>,
    /// File of allowed signers, in the format of `ssh-keygen`. If set, only commits and tags that an allowed signer has signed
    /// with an SSH key are applied.
    allowed_signers: Option<PathBuf>,
    /// File of armored OpenPGP public keys, as `gpg --armor --export` writes it. Commits and tags that one of them has signed
    /// are applied too; unsigned ones are not. For merges made on GitHub it is the key at `https://github.com/web-flow.gpg`.
    /// Needs a build with the feature `openpgp`, which the image has.
    openpgp_keys: Option<PathBuf>,
    /// Webhook calls of the Git host. They are accepted at `/webhooks/NAME` of the listener.
    webhook: Option<WebhookDocument>,
    /// What the daemon reports to the Git host: commit statuses, and comments on pull requests. Default: nothing.
    #[schemars(with = "Option<FeedbackDocument>")]
    feedback: Option<Spanned<FeedbackDocument>>,
}

/// Where a secret is: in a file or in an environment variable.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "Token")]
struct TokenDocument {
    /// File with the token. It is read again at every fetch.
    file: Option<PathBuf>,
    /// Environment variable with the token.
    env: Option<String>,
    /// User name that is sent with the token; default `x-access-token`.
    user: Option<String>,
}

/// Where an SSH key is: in a file or in an environment variable.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "SshKey")]
struct KeyDocument {
    /// File with the private key in the format of OpenSSH: Ed25519 or ECDSA. It is read again at every fetch.
    file: Option<PathBuf>,
    /// Environment variable with the private key.
    env: Option<String>,
    /// The passphrase of an encrypted key.
    passphrase: Option<PassphraseDocument>,
}

/// Where a passphrase is: in a file or in an environment variable.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "Passphrase")]
struct PassphraseDocument {
    /// File with the passphrase.
    file: Option<PathBuf>,
    /// Environment variable with the passphrase.
    env: Option<String>,
}

/// Host keys that are trusted.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(untagged, expecting = "expected a path or a list of lines")]
#[schemars(rename = "KnownHosts")]
enum KnownHostsDocument {
    /// A file in the format of `known_hosts` of OpenSSH.
    File(PathBuf),
    /// Lines of such a file.
    Lines(Vec<String>),
}

/// A GitHub App.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "GitHubApp")]
struct AppDocument {
    /// ID or client ID of the App.
    app_id: AppId,
    /// ID of its installation.
    installation_id: u64,
    /// File with the private key of the App (PEM).
    key_file: PathBuf,
    /// Address of GitHub's API; default `https://api.github.com`.
    #[schemars(with = "Option<String>")]
    api: Option<Url>,
}

/// An ID that GitHub shows as a number or as a text.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
enum AppId {
    /// `12345`.
    Number(u64),
    /// `Iv23abc`.
    Text(String),
}

/// How webhook calls prove that they come from the Git host.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "Webhook")]
struct WebhookDocument {
    /// File with the secret that is also set at the Git host.
    secret_file: PathBuf,
}

/// What the daemon reports to the Git host.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "Feedback")]
struct FeedbackDocument {
    /// API of the Git host: `github` or `gitlab`. Needed unless the host is github.com or gitlab.com.
    kind: Option<KindDocument>,
    /// Set a commit status for each environment; default `true`.
    status: Option<bool>,
    /// Comment on pull requests with the plan of their changes; default `true`.
    comments: Option<bool>,
    /// Also plan pull requests from forks; default `false`. Anyone who can open a pull request then makes the daemon read what
    /// the manifests in it name.
    forks: Option<bool>,
    /// Address of the API; default: the usual address for the host.
    #[schemars(with = "Option<String>")]
    api: Option<Url>,
    /// A token for feedback; default: the credentials of the source.
    token: Option<FeedbackToken>,
}

/// API of a Git host.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(rename = "FeedbackKind")]
enum KindDocument {
    /// GitHub, GitHub Enterprise Server.
    GitHub,
    /// GitLab.
    GitLab,
}

/// Where a token is: in a file or in an environment variable.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "FeedbackToken")]
struct FeedbackToken {
    /// File with the token. It is read again for every request.
    file: Option<PathBuf>,
    /// Environment variable with the token.
    env: Option<String>,
}

fn feedback(document: FeedbackDocument, source: &GitSource) -> Result<Feedback, String> {
    let kind = document.kind.map(|kind| match kind {
        KindDocument::GitHub => ForgeKind::GitHub,
        KindDocument::GitLab => ForgeKind::GitLab,
    });
    let of_app = match &source.credentials {
        GitCredentials::App { api, .. } => Some(api.clone()),
        GitCredentials::None | GitCredentials::Token { .. } | GitCredentials::SshKey { .. } => None,
    };
    // An App is GitHub's.
    let kind = kind.or(of_app.is_some().then_some(ForgeKind::GitHub));
    let made = Feedback::new(&source.url, kind, document.api.map(|Url(url)| url).or(of_app))?;
    let token = document.token.map(|token| secret("feedback.token", token.file, token.env)).transpose()?;
    if token.is_none() && matches!(source.credentials, GitCredentials::SshKey { .. }) {
        return Err("`feedback` over SSH needs `feedback.token`: the API of the Git host takes no SSH key".to_owned());
    }
    if token.is_none() && matches!(source.credentials, GitCredentials::None) {
        return Err("`feedback` needs credentials: set `token` or `githubApp`, or `feedback.token`".to_owned());
    }
    let (status, comments) = (document.status.unwrap_or(true), document.comments.unwrap_or(true));
    if comments && matches!(source.reference, GitRef::Tag(_)) {
        return Err(
            "`feedback` comments on pull requests for a branch: set `comments = false`, or follow a branch".to_owned()
        );
    }
    Ok(Feedback { status, comments, forks: document.forks.unwrap_or(false), token, ..made })
}

/// Where a secret is that a field names.
fn secret(field: &str, file: Option<PathBuf>, env: Option<String>) -> Result<SecretRef, String> {
    match (file, env) {
        (Some(file), None) => Ok(SecretRef::File(file)),
        (None, Some(name)) => Ok(SecretRef::Value { name, value: None }),
        _ => Err(format!("`{field}` needs either `file` or `env`")),
    }
}

/// What lets us in.
fn credentials(
    token: Option<TokenDocument>,
    app: Option<AppDocument>,
    key: Option<KeyDocument>,
) -> Result<GitCredentials, String> {
    Ok(match (token, app, key) {
        (None, None, None) => GitCredentials::None,
        (Some(TokenDocument { file, env, user }), None, None) => {
            let token = secret("token", file, env)?;
            GitCredentials::Token { user: user.unwrap_or_else(|| USER.to_owned()), token }
        }
        (None, Some(app), None) => GitCredentials::App {
            app: match app.app_id {
                AppId::Number(number) => number.to_string(),
                AppId::Text(text) => text,
            },
            installation: app.installation_id,
            key: SecretRef::File(app.key_file),
            api: app.api.map_or_else(|| GITHUB.to_owned(), |Url(url)| url),
        },
        (None, None, Some(KeyDocument { file, env, passphrase })) => {
            let passphrase = passphrase.map(|at| secret("sshKey.passphrase", at.file, at.env)).transpose()?;
            GitCredentials::SshKey { key: secret("sshKey", file, env)?, passphrase }
        }
        _ => return Err("set one of `token`, `githubApp` and `sshKey`".to_owned()),
    })
}

/// A text that has a form.
macro_rules! checked {
    ($name:ident, $of:ty, $check:expr) => {
        #[derive(Debug)]
        struct $name($of);

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let check: fn(&str) -> Result<$of, String> = $check;
                check(&String::deserialize(deserializer)?).map(Self).map_err(de::Error::custom)
            }
        }
    };
}

checked!(Url, String, |text| GitSource::address(text));
checked!(Repository, String, |text| GitSource::repository(text));
checked!(Branch, GitRef, |text| GitRef::branch(text));
checked!(Tag, GitRef, |text| GitRef::tag(text));
checked!(Inside, String, git_path);

/// What is wrong, and at which byte.
pub(super) type At = (usize, String);

/// The sources that these documents describe.
pub(super) fn sources(documents: Vec<SourceDocument>) -> Result<Vec<GitSource>, At> {
    let several = documents.len() > 1;
    let mut sources: Vec<GitSource> = Vec::new();
    for document in documents {
        let at = document.name.span().start;
        let has_environments = document.environments.is_some();
        let source = source(document)?;
        if sources.iter().any(|known| known.name == source.name) {
            return Err((at, format!("there are two sources named `{}`", source.name)));
        }
        if several && !has_environments {
            let name = &source.name;
            return Err((
                at,
                format!(
                    "there are several sources, so `{name}` needs `environments`: the ones that it is allowed to define"
                ),
            ));
        }
        sources.push(source);
    }
    Ok(sources)
}

fn source(document: SourceDocument) -> Result<GitSource, At> {
    let at = document.name.span().start;
    let wrong = |why: &str| (at, format!("source `{}`: {why}", document.name.get_ref()));
    let reference = match (document.branch, document.tag) {
        (Some(_), Some(_)) => return Err(wrong("set `branch` or `tag`, not both")),
        (Some(Branch(branch)), None) => branch,
        (None, Some(Tag(tag))) => tag,
        (None, None) => GitRef::Default,
    };
    let credentials = credentials(document.token, document.github_app, document.ssh_key).map_err(|why| wrong(&why))?;
    let mut source = GitSource::new(document.name.get_ref().clone(), &document.url.0).map_err(|why| wrong(&why))?;
    if let Some(interval) = document.interval {
        source.interval = interval.get_ref().0;
        if source.interval < SHORTEST {
            return Err((interval.span().start, "`interval` must be at least 5s".to_owned()));
        }
    }
    if let Some(timeout) = document.timeout {
        source.timeout = timeout.get_ref().0;
        if source.timeout < SHORTEST {
            return Err((timeout.span().start, "`timeout` must be at least 5s".to_owned()));
        }
    }
    if let Some(environments) = document.environments {
        source.environments = environments.into_inner();
    }
    let told = document.feedback;
    let source = GitSource {
        reference,
        path: document.path.map_or_else(String::new, |Inside(path)| path),
        credentials,
        authorities: document.authorities,
        known_hosts: document.known_hosts.map(|known| match known {
            KnownHostsDocument::File(path) => KnownHosts::File(path),
            KnownHostsDocument::Lines(lines) => KnownHosts::Lines(lines),
        }),
        signers: document.allowed_signers,
        openpgp_keys: document.openpgp_keys,
        webhook: document.webhook.map(|webhook| WebhookSecret { secret: SecretRef::File(webhook.secret_file) }),
        ..source
    };
    source.check().map_err(|why| (at, format!("source `{}`: {why}", source.name)))?;
    let Some(told) = told else { return Ok(source) };
    let at = told.span().start;
    let feedback =
        feedback(told.into_inner(), &source).map_err(|why| (at, format!("source `{}`: {why}", source.name)))?;
    Ok(GitSource { feedback: Some(feedback), ..source })
}

#[cfg(test)]
mod tests {
    use super::super::document::read;

    const GOOD: &str = "[[source]]\nname = 'main'\nurl = 'https://git.example.com/a/b.git'\n";

    const SSH: &str = "[[source]]\nname = 'main'\nurl = 'git@git.example.com:a/b.git'\nsshKey = { file = '/k' }\n\
                       knownHosts = '/known'\n";

    #[test]
    fn a_source_over_ssh_has_a_key_and_the_hosts_that_are_known() {
        use crate::model::{GitCredentials, KnownHosts, SecretRef};
        let of = |text: &str| read("landfast.toml", text).unwrap().sources()[0].clone();
        let source = of(SSH);
        assert!(matches!(&source.credentials, GitCredentials::SshKey { key: SecretRef::File(_), passphrase: None }));
        assert!(matches!(&source.known_hosts, Some(KnownHosts::File(path)) if path.as_os_str() == "/known"));
        let text = SSH.replace("'/known'", "['git.example.com ssh-ed25519 AAAA']");
        let source = of(&text.replace("file = '/k'", "env = 'KEY', passphrase = { env = 'WORDS' }"));
        assert!(matches!(&source.known_hosts, Some(KnownHosts::Lines(lines)) if lines.len() == 1));
        let GitCredentials::SshKey { key: SecretRef::Value { name, .. }, passphrase: Some(_) } = source.credentials
        else {
            panic!("{source:?}");
        };
        assert_eq!(name, "KEY");
    }

    #[test]
    fn everything_of_a_source_is_read() {
        let text = format!(
            "{GOOD}branch = 'release/1'\npath = './manifests/'\ninterval = '30s'\ntimeout = '1m'\ntoken = {{ file = '/t' }}\n\
             authorities = '/ca.pem'\nenvironments = ['dev', 'prod-*']\nallowedSigners = '/signers'\n\
             webhook = {{ secretFile = '/hook' }}\n"
        );
        let operator = read("landfast.toml", &text).unwrap();
        let [source] = operator.sources() else { panic!("{:?}", operator.sources()) };
        assert_eq!(
            (source.path.as_str(), source.reference.full_name().as_str()),
            ("manifests", "refs/heads/release/1")
        );
        assert_eq!((source.interval.as_secs(), source.timeout.as_secs()), (30, 60));
        assert!(source.has(&"prod-eu".parse().unwrap()) && !source.has(&"staging".parse().unwrap()));
        assert!(source.webhook.is_some() && source.signers.is_some() && source.authorities.is_some());
    }

    #[test]
    fn feedback_is_read_with_what_is_usual_for_the_host() {
        let text = format!("{GOOD}token = {{ file = '/t' }}\nfeedback = {{ kind = 'gitlab', forks = true }}\n");
        let operator = read("landfast.toml", &text).unwrap();
        let feedback = operator.sources()[0].feedback.clone().unwrap();
        assert_eq!((feedback.api.as_str(), feedback.project.as_str()), ("https://git.example.com/api/v4", "a/b"));
        assert!(feedback.status && feedback.comments && feedback.forks && feedback.token.is_none());
        let app =
            "githubApp = { appId = 1, installationId = 2, keyFile = '/k', api = 'https://git.example.com/api/v3' }\n";
        let operator = read("landfast.toml", &format!("{GOOD}{app}feedback = {{ comments = false }}\n")).unwrap();
        let feedback = operator.sources()[0].feedback.clone().unwrap();
        assert!(feedback.api == "https://git.example.com/api/v3" && !feedback.comments && !feedback.forks);
    }

    #[test]
    fn the_example_is_good() {
        let operator = read("git-source.toml", include_str!("../../examples/git-source.toml")).unwrap();
        let names: Vec<&str> = operator.sources().iter().map(|source| source.name.as_str()).collect();
        assert_eq!((names, operator.listens_at().is_some()), (vec!["platform", "team"], true));
    }

    #[test]
    fn what_is_wrong_with_a_source_is_said_with_its_line() {
        let two = format!("{GOOD}\n[[source]]\nname = 'other'\nurl = 'https://git.example.com/c'\n");
        let twice = format!(
            "{GOOD}environments = ['a']\n[[source]]\nname = 'main'\nurl = 'https://x.example.com/c'\nenvironments = ['b']\n"
        );
        for (text, place, words) in [
            (format!("{GOOD}brunch = 'x'\n"), "line 4", "unknown field `brunch`"),
            (format!("{GOOD}branch = 'a b'\n"), "line 4", "not a name of a branch"),
            (format!("{GOOD}branch = 'a'\ntag = 'b'\n"), "landfast.toml:2", "not both"),
            (format!("{GOOD}interval = '1s'\n"), "landfast.toml:4", "at least 5s"),
            (format!("{GOOD}interval = 'often'\n"), "line 4", "not a duration"),
            (format!("{GOOD}path = '../up'\n"), "line 4", "not a directory within"),
            (format!("{GOOD}token = {{}}\n"), "landfast.toml:2", "either `file` or `env`"),
            (format!("{GOOD}token = {{ file = '/a', env = 'B' }}\n"), "landfast.toml:2", "either `file` or `env`"),
            (format!("{GOOD}token = 'canary'\n"), "line 4", "invalid type"),
            (
                "[[source]]\nname = 'main'\nurl = 'https://u:canary@git.example.com/a'\n".to_owned(),
                "line 3",
                "user name or password",
            ),
            ("[[source]]\nname = 'main'\nurl = 'git.example.com/a/b'\n".to_owned(), "line 3", "https://HOST/PATH"),
            (
                "[[source]]\nname = 'main'\nurl = 'git@git.example.com:a/b'\n".to_owned(),
                "landfast.toml:2",
                "needs `sshKey`",
            ),
            (SSH.replace("knownHosts", "#"), "landfast.toml:2", "needs `knownHosts`"),
            (format!("{SSH}token = {{ file = '/t' }}\n"), "landfast.toml:2", "one of `token`"),
            (format!("{SSH}authorities = '/ca'\n"), "landfast.toml:2", "for https:// addresses"),
            (format!("{SSH}feedback = {{ kind = 'gitlab' }}\n"), "landfast.toml:6", "takes no SSH key"),
            (SSH.replace("'/known'", "7"), "line 5", "a path or a list of lines"),
            (format!("{GOOD}knownHosts = []\n"), "landfast.toml:2", "for ssh:// addresses"),
            ("[[source]]\nname = 'Main'\nurl = 'https://git.example.com/a'\n".to_owned(), "line 2", "lower-case"),
            ("[[source]]\nname = 'main'\n".to_owned(), "line 1", "missing field `url`"),
            (format!("{GOOD}feedback = {{}}\n"), "landfast.toml:4", "needs `kind`"),
            (format!("{GOOD}feedback = {{ kind = 'github' }}\n"), "landfast.toml:4", "needs credentials"),
            (format!("{GOOD}feedback = {{ kind = 'gitea' }}\n"), "line 4", "unknown variant `gitea`"),
            (
                format!("{GOOD}feedback = {{ kind = 'gitlab', token = {{}} }}\n"),
                "landfast.toml:4",
                "either `file` or `env`",
            ),
            (
                format!("{GOOD}tag = 'v1'\ntoken = {{ file = '/t' }}\nfeedback = {{ kind = 'gitlab' }}\n"),
                "landfast.toml:6",
                "comments = false",
            ),
            (two, "landfast.toml:2", "needs `environments`"),
            (twice, "landfast.toml:6", "two sources named `main`"),
        ] {
            let error = read("landfast.toml", &text).unwrap_err().to_string();
            assert!(error.contains(place) && error.contains(words), "{text}: {error}");
        }
    }
}
