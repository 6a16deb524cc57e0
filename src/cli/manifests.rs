//! Where manifests come from, for every command alike: a directory, or repositories that Landfast follows itself.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::args::Global;
use super::directory::{Directory, read, with_aside};
use super::exit::Trouble;
use super::history::History;
use super::place;
use crate::manifest::{self, Loaded};
use crate::model::{
    Ancestry, Desired, Digest, EnvName, Environment, GitCredentials, GitRef, GitSource, KnownHosts, Redacted, Revision,
    SecretRef, git_path,
};
use crate::operator::Operator;
use crate::source::{self, Chosen, Remote, RemoteError, SourceError};

/// What was fetched so lately is not fetched again by the same command.
const LATELY: SignedDuration = SignedDuration::from_secs(2);

/// A look that comes after so much of an interval fetches: looks come a tenth early at times.
const EARLY: f64 = 0.85;

/// The variable that a token is in.
const TOKEN: &str = "LANDFAST_GIT_TOKEN";
/// The variable that the passphrase of an SSH key is in.
const PASSPHRASE: &str = "LANDFAST_GIT_SSH_PASSPHRASE";

/// What the manifests are held against.
#[derive(Clone, Debug, Default)]
pub(super) struct Against {
    /// What the operator allows.
    pub(super) operator: Operator,
    /// What each environment follows.
    pub(super) accepted: BTreeMap<EnvName, Revision>,
    /// The older commit that a person accepts.
    pub(super) named: Option<String>,
}

/// The manifests, and how they stand to what was accepted.
pub(super) type Read = (Loaded, History);

/// What was read: the files, and the commit that they are of.
pub(super) type Known = (Digest, Option<String>);

/// Manifests that stay what they are.
pub(super) trait Fixed: fmt::Display + Send + Sync {
    /// Loads them. This blocks.
    fn load(&self, against: &Against) -> Result<Read, Trouble>;
}

/// Where manifests are.
#[derive(Clone)]
pub(super) enum Manifests {
    /// In a directory.
    Directory(Arc<Directory>),
    /// In repositories.
    Git(Arc<Repositories>),
    /// In one commit, whatever is checked out or followed.
    Commit(Arc<dyn Fixed>),
}

/// What was found of a repository.
struct Found {
    /// When it was fetched.
    at: Timestamp,
    choice: Result<Chosen, Arc<RemoteError>>,
    /// By a look that knew of no journal: the next one, which does, need not fetch again.
    unused: bool,
}

/// Repositories that are followed, and what was last found of each.
pub(super) struct Repositories {
    remotes: Vec<Remote>,
    found: Mutex<BTreeMap<usize, Found>>,
    told: Mutex<Vec<String>>,
    /// By source: environments with errors, and the commit that has them.
    broken: Mutex<BTreeMap<usize, BTreeMap<EnvName, String>>>,
    /// Somebody asks for a look now: no interval counts.
    urgent: AtomicBool,
}

/// Whether the manifests are in repositories, for these options.
pub(super) fn is_git(global: &Global, operator: &Operator) -> bool {
    global.git.git.is_some() || global.manifests.is_none() && !operator.sources().is_empty()
}

impl Manifests {
    /// Those that the options or the operator's configuration name.
    pub(super) fn of(global: &Global, operator: &Operator) -> Result<Self, Trouble> {
        if !is_git(global, operator) {
            return Ok(Self::in_directory(place::root(global), Some(&global.state)));
        }
        let sources = match named(global)? {
            Some(source) => vec![source],
            None => operator.sources().iter().cloned().map(with_environment).collect(),
        };
        let remotes = sources.into_iter().map(|source| Remote::new(source, &global.state)).collect();
        let repositories = Repositories {
            remotes,
            found: Mutex::default(),
            told: Mutex::default(),
            broken: Mutex::default(),
            urgent: AtomicBool::new(false),
        };
        Ok(Self::Git(Arc::new(repositories)))
    }

    /// Those in a directory, of which this state directory has what is followed.
    pub(super) fn in_directory(root: PathBuf, state: Option<&Path>) -> Self {
        Self::Directory(Arc::new(Directory::new(root, state)))
    }

    /// The directory, if it is one.
    pub(super) fn directory(&self) -> Option<&Path> {
        match self {
            Self::Directory(directory) => Some(directory.root()),
            Self::Git(_) | Self::Commit(_) => None,
        }
    }

    /// The repositories that are followed: none, if the manifests are in a directory.
    pub(super) fn remotes(&self) -> &[Remote] {
        match self {
            Self::Git(repositories) => &repositories.remotes,
            Self::Directory(_) | Self::Commit(_) => &[],
        }
    }

    /// The repository that may define an environment.
    pub(super) fn remote_of(&self, environment: &EnvName) -> Option<&Remote> {
        self.remotes().iter().find(|remote| remote.source().has(environment))
    }

    /// How often they are fetched, at least; `None`: somebody else changes them.
    pub(super) fn interval(&self) -> Option<Duration> {
        match self {
            Self::Directory(_) | Self::Commit(_) => None,
            Self::Git(repositories) => repositories.remotes.iter().map(|remote| remote.source().interval).min(),
        }
    }

    /// What has to be said beside what was loaded: what could not be fetched, and what is not followed.
    pub(super) fn told(&self) -> Vec<String> {
        match self {
            Self::Directory(_) | Self::Commit(_) => Vec::new(),
            Self::Git(repositories) => repositories.told.lock().unwrap_or_else(PoisonError::into_inner).clone(),
        }
    }

    /// The next look fetches, whatever the intervals of the sources are.
    pub(super) fn hurry(&self) {
        if let Self::Git(repositories) = self {
            repositories.urgent.store(true, Ordering::Relaxed);
        }
    }

    /// Removes the clones of repositories that are not followed any more.
    pub(super) fn forget_others(&self, state: &Path) {
        if let Self::Git(repositories) = self {
            source::forget_others(state, &repositories.remotes);
        }
    }

    /// Environments with errors in the commit that was read last, and that commit.
    #[cfg(feature = "git")]
    pub(super) fn broken(&self) -> BTreeMap<EnvName, String> {
        let Self::Git(repositories) = self else { return BTreeMap::new() };
        let broken = repositories.broken.lock().unwrap_or_else(PoisonError::into_inner);
        broken.values().flatten().map(|(name, commit)| (name.clone(), commit.clone())).collect()
    }

    /// The newest commit of a source, if it is not followed, and why.
    #[cfg(feature = "git")]
    pub(super) fn refused(&self, source: &crate::model::SourceName) -> Option<(String, String)> {
        let Self::Git(repositories) = self else { return None };
        let index = repositories.remotes.iter().position(|remote| remote.source().name == *source)?;
        match &repositories.lock().get(&index)?.choice {
            Ok(Chosen { newest, refused: Some(why), .. }) => Some((newest.clone(), why.clone())),
            _ => None,
        }
    }

    /// Refuses to change these environments while the newest commit of their repository may not be followed: what would be
    /// applied is not what whoever asks has in mind.
    pub(super) fn permit<'n>(&self, environments: impl IntoIterator<Item = &'n EnvName>) -> Result<(), Trouble> {
        let Self::Git(repositories) = self else { return Ok(()) };
        let found = repositories.lock();
        for environment in environments {
            let choice = repositories.owner(environment).and_then(|index| found.get(&index));
            if let Some(Found { choice: Ok(Chosen { refused: Some(why), .. }), .. }) = choice {
                return Err(Trouble::NotFollowed(why.clone()));
            }
        }
        Ok(())
    }

    /// What these environments followed last, read from the clones or from what was kept: for those that are broken now,
    /// where nobody remembers how they were. Environments of which that is not known are left out.
    pub(super) fn last_good(&self, of: &BTreeSet<EnvName>, against: &Against) -> Option<Desired> {
        let found: Vec<(Revision, Arc<Environment>)> = match self {
            Self::Git(repositories) => of.iter().filter_map(|name| repositories.last_good(name, against)).collect(),
            Self::Directory(directory) => directory.last_good(of, &against.accepted, &against.operator),
            Self::Commit(_) => Vec::new(),
        };
        let revision = found.iter().map(|(revision, _)| revision).max()?.clone();
        let environments = found.into_iter().map(|(_, environment)| (environment.name.clone(), environment));
        Some(Desired { revision, environments: environments.collect() })
    }

    /// Keeps what was loaded last, if that is followed now: it may be broken when somebody asks for it. What is followed in
    /// repositories is in their clones.
    pub(super) fn keep(&self, accepted: &BTreeMap<EnvName, Revision>) -> std::io::Result<()> {
        match self {
            Self::Directory(directory) => directory.keep(accepted),
            Self::Git(_) | Self::Commit(_) => Ok(()),
        }
    }

    /// Loads them, held against what is accepted; `None` if they are what is `known`.
    pub(super) fn load(&self, known: Option<&Known>, against: &Against) -> Result<Option<Read>, Trouble> {
        match self {
            Self::Directory(directory) => of_directory(directory, known, against),
            Self::Git(repositories) => repositories.load(known, against),
            Self::Commit(pinned) => pinned.load(against).map(Some),
        }
    }
}

impl fmt::Display for Manifests {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Directory(directory) => write!(f, "{}", directory.root().display()),
            Self::Git(repositories) => {
                let sources: Vec<String> =
                    repositories.remotes.iter().map(|remote| remote.source().to_string()).collect();
                f.write_str(&sources.join(", "))
            }
            Self::Commit(pinned) => pinned.fmt(f),
        }
    }
}

fn of_directory(directory: &Directory, known: Option<&Known>, against: &Against) -> Result<Option<Read>, Trouble> {
    let snapshot = read(directory.root())?;
    if known.is_some_and(|(content, commit)| *content == snapshot.content && *commit == snapshot.commit) {
        return Ok(None);
    }
    let revision = Revision { sequence: 0, content: snapshot.content.clone(), commit: snapshot.commit.clone() };
    let ancestry = |of: &str, to: &str| source::ancestry(directory.root(), of, to);
    let history = History::of(&revision, against.accepted.clone(), against.named.as_deref(), ancestry);
    let mut loaded = manifest::load_under(&snapshot, revision, &against.operator);
    history.mark(&mut loaded);
    directory.has_loaded(snapshot);
    Ok(Some((loaded, history)))
}

impl Repositories {
    /// The source that may define an environment: the first whose patterns have its name.
    fn owner(&self, environment: &EnvName) -> Option<usize> {
        self.remotes.iter().position(|remote| remote.source().has(environment))
    }

    fn load(&self, known: Option<&Known>, against: &Against) -> Result<Option<Read>, Trouble> {
        let now = real_time();
        let urgent = self.urgent.swap(false, Ordering::Relaxed);
        let mut told = Vec::new();
        let mut chosen: Vec<(usize, Chosen)> = Vec::new();
        let mut failed = None;
        for (index, remote) in self.remotes.iter().enumerate() {
            match self.choose(index, remote, against, now, urgent) {
                Ok(choice) => {
                    let name = &remote.source().name;
                    told.extend(choice.stale.iter().map(|why| {
                        let commit = crate::model::short_commit(&choice.commit);
                        format!("Git source {name}: {why}; continuing with commit {commit}")
                    }));
                    told.extend(choice.refused.iter().map(|why| format!("Git source {name}: {why}")));
                    chosen.push((index, choice));
                }
                Err(why) => {
                    told.push(format!("Git source {}: {why}", remote.source().name));
                    failed = Some((remote.source(), why));
                }
            }
        }
        *self.told.lock().unwrap_or_else(PoisonError::into_inner) = told;
        if let (true, Some((source, why))) = (chosen.is_empty(), &failed) {
            return Err(trouble(source, &why.to_string()));
        }
        let single = self.remotes.len() == 1;
        let mut is_partial = failed.is_some();
        let commits: Vec<(&str, &str)> = chosen
            .iter()
            .filter_map(|(index, choice)| {
                Some((self.remotes.get(*index)?.source().name.as_str(), choice.commit.as_str()))
            })
            .collect();
        let key = Digest::of(&commits);
        let is_known = known.is_some_and(|(content, commit)| match (single, commits.first()) {
            (true, Some((_, newest))) => commit.as_deref() == Some(*newest),
            _ => *content == key,
        });
        if is_known {
            return Ok(None);
        }
        let mut reads = Vec::new();
        for (index, choice) in &chosen {
            if let Some(remote) = self.remotes.get(*index) {
                match self.read(*index, remote, &choice.commit, against) {
                    Ok(read) => reads.push(read),
                    Err(why) if single => return Err(trouble(remote.source(), &why.to_string())),
                    Err(why) => {
                        self.say(format!("Git source {}: {why}", remote.source().name));
                        is_partial = true;
                    }
                }
            }
        }
        let read = if single { reads.pop() } else { Some(together(reads, key, is_partial)) };
        Ok(read)
    }

    fn last_good(&self, name: &EnvName, against: &Against) -> Option<(Revision, Arc<Environment>)> {
        let revision = against.accepted.get(name)?;
        let (commit, remote) = (revision.commit.as_deref()?, self.remotes.get(self.owner(name)?)?);
        if !remote.may_follow(commit, real_time()) {
            return None;
        }
        let snapshot = with_aside(|opened| remote.read(commit, opened)).ok()?;
        let loaded = manifest::load_under(&snapshot, revision.clone(), &against.operator);
        Some((revision.clone(), Arc::clone(loaded.desired.environments.get(name)?)))
    }

    fn say(&self, text: String) {
        self.told.lock().unwrap_or_else(PoisonError::into_inner).push(text);
    }

    /// What to follow of one source. It is fetched when its interval is over, whatever those of other sources are; and what
    /// was fetched for a look without a journal is not fetched again for the one with it.
    fn choose(
        &self,
        index: usize,
        remote: &Remote,
        against: &Against,
        now: Timestamp,
        urgent: bool,
    ) -> Result<Chosen, Arc<RemoteError>> {
        let before = self.lock().remove(&index);
        let early = remote.source().interval.mul_f64(EARLY);
        let fetched = before.filter(|found| {
            let age = now.duration_since(found.at).abs();
            found.unused && age < LATELY || !urgent && age.unsigned_abs() < early
        });
        let (at, fetched) = fetched.and_then(|found| Some((found.at, found.choice.ok()?))).unzip();
        let accepted = self.accepted_of(index, against);
        let choice = remote.choose(&accepted, against.named.as_deref(), now, fetched.as_ref()).map_err(Arc::new);
        let unused = fetched.is_none() && against.accepted.is_empty();
        self.lock().insert(index, Found { at: at.unwrap_or_else(real_time), choice: choice.clone(), unused });
        choice
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<usize, Found>> {
        self.found.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What the environments of a source follow.
    fn accepted_of(&self, index: usize, against: &Against) -> BTreeMap<EnvName, Revision> {
        let ours = |(name, _): &(&EnvName, &Revision)| self.owner(name) == Some(index);
        against.accepted.iter().filter(ours).map(|(name, revision)| (name.clone(), revision.clone())).collect()
    }

    fn read(&self, index: usize, remote: &Remote, commit: &str, against: &Against) -> Result<Read, RemoteError> {
        let snapshot = with_aside(|opened| remote.read(commit, opened))?;
        let revision = Revision { sequence: 0, content: snapshot.content.clone(), commit: snapshot.commit.clone() };
        let accepted = self.accepted_of(index, against);
        let ancestry = |of: &str, to: &str| -> Ancestry { remote.ancestry(of, to) };
        let history = History::of(&revision, accepted, against.named.as_deref(), ancestry).strict();
        let mut loaded = manifest::load_under(&snapshot, revision, &against.operator);
        let name = &remote.source().name;
        loaded.desired.environments.retain(|environment, _| {
            let is_ours = self.owner(environment) == Some(index);
            if !is_ours {
                self.say(format!(
                    "Git source {name}: the environment {environment} is ignored, because the operator's configuration does \
                     not allow this source to define it"
                ));
            }
            is_ours
        });
        loaded.broken.retain(|environment| self.owner(environment) == Some(index));
        let broken = loaded.broken.iter().map(|environment| (environment.clone(), commit.to_owned())).collect();
        self.broken.lock().unwrap_or_else(PoisonError::into_inner).insert(index, broken);
        history.mark(&mut loaded);
        Ok((loaded, history))
    }
}

/// Several sources as one revision. Where one of them could not be read, what it holds may be anything.
fn together(reads: Vec<Read>, content: Digest, is_partial: bool) -> Read {
    let revision = Revision { sequence: 0, content, commit: None };
    let mut all = Loaded {
        desired: Desired { revision: revision.clone(), environments: BTreeMap::new() },
        diagnostics: Vec::new(),
        broken: BTreeSet::new(),
        found: 0,
        passed: BTreeSet::new(),
        obscure: is_partial,
    };
    let mut history = History::nothing(revision);
    for (loaded, of) in reads {
        history.join(of, loaded.desired.environments.keys());
        all.desired.environments.extend(loaded.desired.environments);
        all.diagnostics.extend(loaded.diagnostics);
        all.broken.extend(loaded.broken);
        all.found += loaded.found;
        all.passed.extend(loaded.passed);
        all.obscure |= loaded.obscure;
    }
    (all, history)
}

pub(super) fn trouble(source: &GitSource, why: &str) -> Trouble {
    let why = why.to_owned();
    Trouble::Source(SourceError::Remote { name: source.name.to_string(), url: source.url.clone(), why })
}

/// The source that the options name.
fn named(global: &Global) -> Result<Option<GitSource>, Trouble> {
    let git = &global.git;
    let Some(url) = &git.git else { return Ok(None) };
    let wrong = |option: &str| {
        let option = option.to_owned();
        move |why: String| Trouble::Operator(format!("{option}: {why}"))
    };
    let name = "main".parse().map_err(Trouble::Address)?;
    let source = GitSource::new(name, url).map_err(wrong("--git"))?;
    let of_variable =
        |name: &str| variable(name).map(|value| SecretRef::Value { name: name.to_owned(), value: Some(value) });
    let token = git.git_token_file.clone().map(SecretRef::File).or_else(|| of_variable(TOKEN));
    let credentials = match (&git.git_ssh_key_file, token) {
        (Some(key), _) => {
            GitCredentials::SshKey { key: SecretRef::File(key.clone()), passphrase: of_variable(PASSPHRASE) }
        }
        (None, Some(token)) => GitCredentials::Token { user: git.git_user.clone(), token },
        (None, None) => GitCredentials::None,
    };
    let reference = git.git_ref.as_deref().map(GitRef::parse).transpose().map_err(wrong("--git-ref"))?;
    let path = git.git_path.as_deref().map(git_path).transpose().map_err(wrong("--git-path"))?;
    let source = GitSource {
        reference: reference.unwrap_or(GitRef::Default),
        path: path.unwrap_or_default(),
        interval: git.git_interval.unwrap_or(source.interval),
        credentials,
        authorities: git.git_authorities.clone(),
        known_hosts: git.git_known_hosts.clone().map(KnownHosts::File),
        signers: git.git_allowed_signers.clone(),
        openpgp_keys: git.git_openpgp_keys.clone(),
        ..source
    };
    source.check().map_err(wrong("--git"))?;
    Ok(Some(source))
}

/// The same source, with what it takes from the environment.
fn with_environment(mut source: GitSource) -> GitSource {
    let (first, second) = match &mut source.credentials {
        GitCredentials::Token { token, .. } => (Some(token), None),
        GitCredentials::SshKey { key, passphrase } => (Some(key), passphrase.as_mut()),
        GitCredentials::None | GitCredentials::App { .. } => (None, None),
    };
    let own = source.feedback.as_mut().and_then(|feedback| feedback.token.as_mut());
    for at in [first, second, own].into_iter().flatten() {
        if let SecretRef::Value { name, value } = at {
            *value = variable(name);
        }
    }
    source
}

/// What an environment variable holds, if anything.
pub(super) fn variable(name: &str) -> Option<Redacted> {
    std::env::var_os(name)?.into_string().ok().filter(|value| !value.is_empty()).map(Redacted::new)
}

/// A Git host lives in real time, also where AWS is simulated.
#[expect(clippy::disallowed_methods, reason = "hosts, tokens and keys know no virtual time")]
pub(super) fn real_time() -> Timestamp {
    Timestamp::now()
}
