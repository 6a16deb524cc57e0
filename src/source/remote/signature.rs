//! Whether one of the allowed signers has signed a commit, or the tag that names it. In process: neither `gpg` nor
//! `ssh-keygen` is started, and no configuration of the repository is read.
//!
//! Formats: SSHSIG (`PROTOCOL.sshsig` of OpenSSH), which is what Git makes with `gpg.format=ssh`; and OpenPGP, where it is built
//! in (`openpgp.rs`).

use std::fs;
use std::path::Path;

use gix::{ObjectId, Repository};
use jiff::Timestamp;

use super::RemoteError;
use super::accept::Signed;
use super::openpgp;
use super::signers::{NAMESPACE, Signer, owner, parse};
use crate::sshsig::{self, ARMOR};

/// More than any file of signers has.
const LARGEST: u64 = 1 << 20;

/// Who may sign.
pub(super) struct Allowed {
    ssh: Option<Vec<Signer>>,
    openpgp: Option<openpgp::Keys>,
}

impl Allowed {
    /// What the operator's files say: those of SSH keys, and of OpenPGP keys.
    pub(super) fn read(ssh: Option<&Path>, openpgp: Option<&Path>) -> Result<Self, RemoteError> {
        let ssh = ssh.map(|path| read(path, parse)).transpose()?;
        let openpgp = openpgp.map(|path| read(path, openpgp::keys)).transpose()?;
        Ok(Self { ssh, openpgp })
    }
}

/// What a file says.
fn read<T>(path: &Path, parse: impl FnOnce(&str) -> Result<T, String>) -> Result<T, RemoteError> {
    let failed = |why: String| RemoteError::Signers { path: path.display().to_string(), why };
    let size = fs::metadata(path).map_err(|error| failed(error.to_string()))?.len();
    if size > LARGEST {
        return Err(failed("it is larger than 1 MiB".to_owned()));
    }
    let text = fs::read_to_string(path).map_err(|error| failed(error.to_string()))?;
    parse(&text).map_err(failed)
}

/// Whether one of the allowed signers has signed the commit, or `tag`, an annotated tag that names it. `seen` is when
/// the commit was first seen here: what a commit says of its own time proves nothing.
pub(super) fn check(
    repository: &Repository,
    commit: ObjectId,
    tag: Option<ObjectId>,
    by: &Allowed,
    seen: Timestamp,
) -> Result<Signed, RemoteError> {
    let broken = |error: gix::Error| RemoteError::Objects(error.to_string());
    let of_commit = {
        let object = repository.find_commit(commit).map_err(broken)?;
        of_commit(&object.data)
    };
    let verdict = judge(of_commit, by, seen, "commit");
    let (Signed::Not(why), Some(tag)) = (&verdict, tag) else { return Ok(verdict) };
    let object = repository.find_tag(tag).map_err(broken)?;
    Ok(match judge(of_tag(&object.data), by, seen, "tag") {
        Signed::Not(of_tag) => Signed::Not(format!("{why}; {of_tag}")),
        signed => signed,
    })
}

/// A signature and what it is of.
type Parts = Option<(Vec<u8>, Vec<u8>)>;

fn judge(parts: Parts, by: &Allowed, seen: Timestamp, what: &str) -> Signed {
    let verified = match parts {
        None => Err("it has no signature".to_owned()),
        Some((signature, payload)) => verify(&signature, &payload, by, seen),
    };
    match verified {
        Ok(who) => Signed::By(who),
        Err(why) => {
            Signed::Not(format!("the operator requires a signature of an allowed signer on the {what}, but {why}"))
        }
    }
}

fn verify(signature: &[u8], payload: &[u8], by: &Allowed, seen: Timestamp) -> Result<String, String> {
    if signature.starts_with(openpgp::ARMOR) {
        return match &by.openpgp {
            Some(keys) => openpgp::verify(signature, payload, keys, seen),
            None => Err("its signature is by OpenPGP, and the operator names no OpenPGP keys".to_owned()),
        };
    }
    if !signature.starts_with(ARMOR) {
        return Err("its signature is neither by SSH nor by OpenPGP".to_owned());
    }
    let Some(signers) = &by.ssh else {
        return Err("its signature is by SSH, and the operator names no allowed signers".to_owned());
    };
    let key = sshsig::verify(signature, NAMESPACE, payload)?;
    owner(signers, &key, seen).map(str::to_owned)
}

/// The signature of a commit, and the commit without it. A commit with more than one has none: which of them counts is not
/// for its author to choose.
fn of_commit(data: &[u8]) -> Parts {
    let end = find(data, b"\n\n")?;
    let mut signature: Option<Vec<u8>> = None;
    let mut payload = Vec::with_capacity(data.len());
    let mut within = false;
    for line in data.get(..=end)?.split_inclusive(|byte| *byte == b'\n') {
        if let Some(more) = line.strip_prefix(b" ").filter(|_| within) {
            signature.as_mut()?.extend_from_slice(more);
            continue;
        }
        within = false;
        if let Some(first) = line.strip_prefix(b"gpgsig ") {
            if signature.is_some() {
                return None;
            }
            (signature, within) = (Some(first.to_vec()), true);
        } else if line.starts_with(b"gpgsig-") {
            return None;
        } else {
            payload.extend_from_slice(line);
        }
    }
    payload.extend_from_slice(data.get(end + 1..)?);
    Some((signature?, payload))
}

/// The signature at the end of a tag, and the tag without it.
fn of_tag(data: &[u8]) -> Parts {
    let message = find(data, b"\n\n")?;
    let mut at = message + 1;
    let mut found = None;
    while let Some(next) = find(data.get(at..)?, b"\n") {
        at += next + 1;
        let rest = data.get(at..)?;
        if rest.starts_with(ARMOR) || rest.starts_with(openpgp::ARMOR) {
            found = Some(at);
        }
    }
    let (payload, signature) = data.split_at_checked(found?)?;
    Some((signature.to_vec(), payload.to_vec()))
}

fn find(data: &[u8], wanted: &[u8]) -> Option<usize> {
    data.windows(wanted.len()).position(|window| window == wanted)
}

#[cfg(test)]
mod tests;
