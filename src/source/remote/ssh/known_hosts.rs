//! Whether a host is the one that is meant: its key is in the operator's list, or there is no connection.
//!
//! The list has the format of `known_hosts` (`SSH_KNOWN_HOSTS FILE FORMAT` in sshd(8)). Nothing is ever added to it: a host
//! that is seen for the first time is as unknown as one whose key has changed.

use std::fs;

use aws_lc_rs::hmac::{self, HMAC_SHA1_FOR_LEGACY_USE_ONLY};
use russh::keys::ssh_key::known_hosts::HostPatterns;
use russh::keys::{Algorithm, HashAlg, PublicKey};

use super::super::RemoteError;
use crate::model::{KnownHosts, SshAddress, like};

/// More than any list has.
const LARGEST: u64 = 1 << 20;

/// What is known of one host.
#[derive(Debug)]
pub(super) struct Known {
    /// What it is called in the list.
    host: String,
    /// Where the list is.
    list: String,
    keys: Vec<(usize, PublicKey)>,
    revoked: Vec<(usize, PublicKey)>,
}

impl Known {
    /// What the operator's list says of this host.
    pub(super) fn read(list: Option<&KnownHosts>, address: &SshAddress) -> Result<Self, RemoteError> {
        let (shown, text) = match list {
            None => return Err(RemoteError::HostKey("no host keys are trusted: set `knownHosts`".to_owned())),
            Some(KnownHosts::Lines(lines)) => ("`knownHosts`".to_owned(), lines.join("\n")),
            Some(KnownHosts::File(path)) => {
                let shown = path.display().to_string();
                let failed =
                    |why: String| RemoteError::HostKey(format!("the known hosts {shown} cannot be used: {why}"));
                let size = fs::metadata(path).map_err(|error| failed(error.to_string()))?.len();
                if size > LARGEST {
                    return Err(failed("it is larger than 1 MiB".to_owned()));
                }
                let text = fs::read_to_string(path).map_err(|error| failed(error.to_string()))?;
                (shown, text)
            }
        };
        Self::of(&text, &shown, address).map_err(RemoteError::HostKey)
    }

    /// What a text says of this host, or why there is no connection to it.
    fn of(text: &str, list: &str, address: &SshAddress) -> Result<Self, String> {
        let host = address.known_as();
        let mut known = Self { host: host.clone(), list: list.to_owned(), keys: Vec::new(), revoked: Vec::new() };
        let mut unused = Vec::new();
        for (index, line) in text.lines().enumerate() {
            let number = index + 1;
            let said = said(line, &host)
                .map_err(|why| format!("the known hosts {list} cannot be used: line {number}: {why}"))?;
            match said {
                Said::Nothing => {}
                Said::Key(key) => known.keys.push((number, key)),
                Said::Revoked(key) => known.revoked.push((number, key)),
                Said::Unused(why) => unused.push(format!("line {number} {why}")),
            }
        }
        if !known.keys.is_empty() {
            return Ok(known);
        }
        let port = address.unusual_port().map(|port| format!("-p {port} ")).unwrap_or_default();
        let mut why = format!(
            "the host {host} is unknown: {list} has no key of it that can be used. Run `ssh-keyscan {port}{}`, compare the \
             fingerprints (`ssh-keygen -l -f -`) with those that the host publishes, and add the lines",
            address.host
        );
        if !unused.is_empty() {
            why = format!("{why} ({})", unused.join("; "));
        }
        Err(why)
    }

    /// The types of the keys that are known.
    pub(super) fn algorithms(&self) -> Vec<Algorithm> {
        let mut algorithms: Vec<Algorithm> = Vec::new();
        for (_, key) in &self.keys {
            if !algorithms.contains(&key.algorithm()) {
                algorithms.push(key.algorithm());
            }
        }
        algorithms
    }

    /// Whether this is a key of the host.
    pub(super) fn judge(&self, shown: &PublicKey) -> Result<(), String> {
        let (host, list, print) = (&self.host, &self.list, shown.fingerprint(HashAlg::Sha256));
        let is_it = |(_, key): &&(usize, PublicKey)| key.key_data() == shown.key_data();
        if let Some((line, _)) = self.revoked.iter().find(is_it) {
            return Err(format!("the host {host} shows the key {print}, which is revoked in {list}, line {line}"));
        }
        if self.keys.iter().any(|known| is_it(&known)) {
            return Ok(());
        }
        Err(format!(
            "the host {host} shows the key {print} ({}), which is not the one in {list}{}. Someone may be intercepting the \
             connection. If the host has a new key, compare its fingerprint with the one that the host publishes, and replace \
             the old line",
            shown.algorithm(),
            self.lines()
        ))
    }

    /// What a host is told about that has no key of a type that is known.
    pub(super) fn of_other_type(&self) -> String {
        let types: Vec<String> = self.algorithms().iter().map(ToString::to_string).collect();
        format!(
            "the host {} has no key of the type that {} has of it ({}){}. Someone may be intercepting the connection. If the \
             host has a new key, compare its fingerprint with the one that the host publishes, and replace the old line",
            self.host,
            self.list,
            types.join(", "),
            self.lines()
        )
    }

    fn lines(&self) -> String {
        let lines: Vec<String> = self.keys.iter().map(|(line, _)| line.to_string()).collect();
        format!(", line {}", lines.join(", "))
    }
}

/// What a line says of a host.
enum Said {
    Nothing,
    Key(PublicKey),
    Revoked(PublicKey),
    /// Something that does not help, and why.
    Unused(String),
}

/// Reads a line. Strict where it is about this host, or may be: a line that is not understood can hide that a key is revoked.
fn said(line: &str, host: &str) -> Result<Said, String> {
    let line = line.trim();
    if line.is_empty() || line.starts_with('#') {
        return Ok(Said::Nothing);
    }
    let mut words = line.split_whitespace().peekable();
    let marker = words.next_if(|word| word.starts_with('@'));
    let (Some(hosts), Some(kind), Some(blob)) = (words.next(), words.next(), words.next()) else {
        return Err("write HOST KEYTYPE KEY".to_owned());
    };
    let hosts: HostPatterns = hosts.parse().map_err(|_| "the hashed host is not valid".to_owned())?;
    let is_meant = is_among(&hosts, host);
    match marker {
        None | Some("@revoked") => {}
        Some("@cert-authority") if is_meant => {
            let why = "is a certificate authority, which is not supported: list the host's own key";
            return Ok(Said::Unused(why.to_owned()));
        }
        Some("@cert-authority") => return Ok(Said::Nothing),
        Some(other) => return Err(format!("unknown marker `{other}`")),
    }
    if !is_meant {
        return Ok(Said::Nothing);
    }
    if kind != "ssh-ed25519" && !kind.starts_with("ecdsa-sha2-nistp") {
        return Ok(Said::Unused(format!(
            "is of the type {kind}, which is not supported: list an Ed25519 or ECDSA key"
        )));
    }
    let key = PublicKey::from_openssh(&format!("{kind} {blob}")).map_err(|_| "the key is not valid".to_owned())?;
    Ok(if marker.is_some() { Said::Revoked(key) } else { Said::Key(key) })
}

/// Whether a host is one of those that a line is about.
fn is_among(hosts: &HostPatterns, host: &str) -> bool {
    match hosts {
        HostPatterns::HashedName { salt, hash } => {
            let key = hmac::Key::new(HMAC_SHA1_FOR_LEGACY_USE_ONLY, salt);
            hmac::verify(&key, host.as_bytes(), hash).is_ok()
        }
        HostPatterns::Patterns(patterns) => {
            let is = |pattern: &str| like(&pattern.to_lowercase(), host);
            let is_excluded = patterns.iter().filter_map(|pattern| pattern.strip_prefix('!')).any(is);
            !is_excluded && patterns.iter().any(|pattern| is(pattern))
        }
    }
}

#[cfg(test)]
mod tests;
