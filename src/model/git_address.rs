//! Addresses of Git repositories: `https://`, and the two ways in which Git writes an address of SSH.

use super::GitSource;

/// The port of SSH where an address names none.
const PORT: u16 = 22;
/// More than any path of a repository has.
const LONGEST_PATH: usize = 1000;

/// A repository on an SSH server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SshAddress {
    /// Who we are there: `git` at most hosts.
    pub user: String,
    /// The name or address of the server, in lower case and without brackets.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// The repository's path there: absolute, or relative to the user's home directory.
    pub path: String,
}

impl SshAddress {
    /// What this address says: `ssh://USER@HOST[:PORT]/PATH` or `USER@HOST:PATH`. `None`: it is no address of SSH.
    ///
    /// # Errors
    /// It is one, and is not complete. The text is not repeated: there may be a password in it.
    #[must_use]
    pub fn parse(text: &str) -> Option<Result<Self, String>> {
        if text.starts_with("ssh://") {
            return Some(of_url(text));
        }
        let (before, path) = text.split_once(':')?;
        // Git takes `host:path` for SSH unless a slash comes first; a server's IPv6 address is in brackets.
        if before.contains('/') || path.starts_with("//") {
            return None;
        }
        let (user, host) = before.split_once('@')?;
        if let Some(rest) = host.strip_prefix('[') {
            let (behind, whole) = (format!("{rest}:{path}"), path);
            return Some(match behind.split_once("]:") {
                Some((host, path)) => complete(user, host, PORT, path),
                None => complete(user, host, PORT, whole),
            });
        }
        Some(complete(user, host, PORT, path))
    }

    /// The host as a file of known hosts names it: with its port, unless that is the usual one.
    #[must_use]
    pub fn known_as(&self) -> String {
        self.unusual_port().map_or_else(|| self.host.clone(), |port| format!("[{}]:{port}", self.host))
    }

    /// Its port, unless that is the usual one.
    #[must_use]
    pub fn unusual_port(&self) -> Option<u16> {
        (self.port != PORT).then_some(self.port)
    }
}

fn of_url(text: &str) -> Result<SshAddress, String> {
    let url = url::Url::parse(text).map_err(|_| wrong("it is not an address"))?;
    if url.password().is_some() {
        return Err("it contains a password: use `sshKey` instead, which names a file".to_owned());
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err(wrong("it is not the address of a repository"));
    }
    let host = url.host_str().unwrap_or_default();
    let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    // As Git reads it: `/~user/x` is in the home directory of that user.
    let path = if url.path().starts_with("/~") { url.path().trim_start_matches('/') } else { url.path() };
    complete(url.username(), host, url.port().unwrap_or(PORT), path)
}

fn complete(user: &str, host: &str, port: u16, path: &str) -> Result<SshAddress, String> {
    let is_user = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    if user.is_empty() || user.starts_with('-') || !user.chars().all(is_user) {
        return Err(wrong("it needs a user name"));
    }
    let is_host = |c: char| c.is_ascii_alphanumeric() || "._-:".contains(c);
    if host.is_empty() || host.starts_with('-') || !host.chars().all(is_host) {
        return Err(wrong("it needs the name of a host"));
    }
    // A path that begins with `-` is an option to the program that reads it.
    let is_path = |c: char| !c.is_control() && c != '%';
    if path.trim_matches('/').is_empty()
        || path.starts_with('-')
        || path.len() > LONGEST_PATH
        || !path.chars().all(is_path)
    {
        return Err(wrong("it needs the path of a repository, without `%` and control characters"));
    }
    Ok(SshAddress { user: user.to_owned(), host: host.to_lowercase(), port, path: path.to_owned() })
}

fn wrong(why: &str) -> String {
    format!("{why}: write ssh://USER@HOST/PATH or USER@HOST:PATH")
}

/// An address that is fetched from.
///
/// # Errors
/// It is another kind of address, or holds a password.
pub(super) fn repository(text: &str) -> Result<String, String> {
    match SshAddress::parse(text) {
        Some(address) => address.map(|_| text.to_owned()),
        None => https(text),
    }
}

/// An address of a web server.
///
/// # Errors
/// It is another kind of address, or holds a password.
pub(super) fn https(text: &str) -> Result<String, String> {
    // The text itself is not repeated: there may be a password in it.
    let url = url::Url::parse(text)
        .map_err(|_| "it is not an address: write https://HOST/PATH, ssh://USER@HOST/PATH or USER@HOST:PATH")?;
    match url.scheme() {
        "https" => {}
        scheme => return Err(format!("`{scheme}:` addresses are not supported: use an https:// or ssh:// address")),
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err("it contains a user name or password: use `token` instead, which names a file".to_owned());
    }
    if url.query().is_some() || url.fragment().is_some() || url.host_str().is_none() {
        return Err("it is not the address of a repository: write https://HOST/PATH".to_owned());
    }
    Ok(url.to_string())
}

/// The host, its port for the web and the path of a repository's address.
pub(super) fn parts(url: &str) -> Result<(String, Option<u16>, String), String> {
    if let Some(address) = SshAddress::parse(url) {
        let SshAddress { host, path, .. } = address?;
        return Ok((host, None, path));
    }
    let url = url::Url::parse(url).map_err(|error| error.to_string())?;
    Ok((url.host_str().unwrap_or_default().to_owned(), url.port(), url.path().to_owned()))
}

impl GitSource {
    /// What it is over SSH; `None`: it is fetched over HTTPS.
    #[must_use]
    pub fn ssh(&self) -> Option<SshAddress> {
        SshAddress::parse(&self.url)?.ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> Option<SshAddress> {
        SshAddress::parse(text).map(Result::unwrap)
    }

    #[test]
    fn addresses_of_ssh_are_read_as_git_reads_them() {
        for (text, user, host, port, path) in [
            ("ssh://git@git.example.com/a/b.git", "git", "git.example.com", 22, "/a/b.git"),
            ("ssh://git@Git.Example.com:2222/a b", "git", "git.example.com", 2222, ""),
            ("ssh://git@git.example.com:2222/a", "git", "git.example.com", 2222, "/a"),
            ("ssh://git@[::1]:2222/a", "git", "::1", 2222, "/a"),
            ("ssh://me@host/~/a.git", "me", "host", 22, "~/a.git"),
            ("git@git.example.com:a/b.git", "git", "git.example.com", 22, "a/b.git"),
            ("git@git.example.com:/srv/a b's.git", "git", "git.example.com", 22, "/srv/a b's.git"),
            ("git@[::1]:a", "git", "::1", 22, "a"),
            ("git@GIT.example.com:~/a", "git", "git.example.com", 22, "~/a"),
        ] {
            if path.is_empty() {
                assert!(SshAddress::parse(text).unwrap().is_err(), "{text}");
                continue;
            }
            let wanted = SshAddress { user: user.to_owned(), host: host.to_owned(), port, path: path.to_owned() };
            assert_eq!(of(text), Some(wanted), "{text}");
        }
        for other in ["https://git.example.com/a", "file:///a", "/a/b", "a/b:c", "host:path", "https://u@host:80/a"] {
            assert!(SshAddress::parse(other).is_none(), "{other}");
        }
    }

    #[test]
    fn an_address_that_is_not_complete_or_holds_a_password_is_refused_without_repeating_it() {
        for wrong in [
            "ssh://git.example.com/canary",
            "ssh://git:canary@git.example.com/a",
            "ssh://git@git.example.com",
            "ssh://git@git.example.com/",
            "ssh://git@/canary",
            "ssh://git@git.example.com/canary?x=y",
            "ssh://git@git.example.com/canary%20x",
            "ssh://-oProxyCommand=canary@host/a",
            "git@-oProxyCommand=canary:a",
            "git@host:",
            "git@host:-canary",
            "git@:canary",
            "@host:canary",
            "git@ho st:canary",
            "git@host:canary\nx",
            "git@[::1]canary",
            "git@[::1:canary",
        ] {
            let error = repository(wrong).unwrap_err();
            assert!(!error.contains("canary") && !error.is_empty(), "{wrong}: {error}");
        }
    }

    #[test]
    fn a_host_is_known_with_a_port_that_is_not_the_usual_one() {
        assert_eq!(of("git@host:a").unwrap().known_as(), "host");
        assert_eq!(of("ssh://git@host:22/a").unwrap().known_as(), "host");
        assert_eq!(of("ssh://git@host:2222/a").unwrap().known_as(), "[host]:2222");
        assert_eq!(of("ssh://git@[::1]:2222/a").unwrap().known_as(), "[::1]:2222");
    }
}
