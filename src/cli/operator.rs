//! The operator's own configuration: where it is found, and where it may not be.
//!
//! Whoever writes manifests must not be able to write it. So it is never read from the directory of the manifests, nor from
//! anywhere in the Git work tree that they are part of.

use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use super::args::{CloudKind, Global};
use super::exit::Trouble;
use super::manifests::is_git;
use super::{place, terminal};
use crate::operator::{self, Operator};

/// Where it is looked for, where it is not named.
const PLACES: [&str; 2] = ["/etc/landfast/landfast.toml", "landfast.toml"];

/// More than anybody says.
const LARGEST: u64 = 1 << 20;

/// What the operator says for these manifests.
pub(super) fn find(global: &Global, manifests: &Path) -> Result<Operator, Trouble> {
    let named = global.config.clone();
    let path = named.or_else(|| PLACES.iter().map(PathBuf::from).find(|path| path.exists()));
    let operator = match path {
        None => Operator::default(),
        Some(path) => {
            let text = read(&path)?;
            let read = operator::read(&path.display().to_string(), &text);
            let read =
                read.map_err(|wrong| Trouble::Operator(format!("the operator's configuration is wrong\n{wrong}")));
            // Where the manifests are in repositories of a host, they are in no directory that it could be in.
            if matches!(&read, Ok(operator) if is_git(global, operator)) && *manifests == place::root(global) {
                writable_by_all(&path, &path)?;
            } else {
                apart(&path, manifests)?;
            }
            read?
        }
    };
    Ok(operator.with_local_cloud(global.cloud == CloudKind::Aws && is_local(global.endpoint_url.as_deref())))
}

/// Says once, where a program runs this and nobody would ask, that whoever writes the manifests writes their policy.
pub(super) fn mention(operator: &Operator) {
    let ci = std::env::var_os("CI").is_some_and(|value| !value.is_empty() && value != "false");
    if ci && operator.file().is_none() {
        terminal::note(
            "note: no operator configuration, so only the manifests limit what is allowed: anyone who can change them \
            can change their policy (see landfast.toml in the documentation)",
        );
    }
}

/// Everything that is made answers on this machine, because AWS itself does: an emulator.
fn is_local(endpoint: Option<&str>) -> bool {
    let Some(Ok(url)) = endpoint.map(url::Url::parse) else { return false };
    match url.host() {
        Some(url::Host::Ipv4(address)) => address.is_loopback(),
        Some(url::Host::Ipv6(address)) => address.is_loopback(),
        // RFC 6761 keeps this name for loopback; nobody else's resolver is believed.
        Some(url::Host::Domain(name)) => name.trim_end_matches('.') == "localhost",
        None => false,
    }
}

/// Makes sure that it is nothing that a manifest's author writes.
fn apart(path: &Path, manifests: &Path) -> Result<(), Trouble> {
    let failed =
        |error| Trouble::machine(format!("the operator's configuration {} could not be read", path.display()), error);
    let real = fs::canonicalize(path).map_err(failed)?;
    // Manifests that are not there are reported by whoever reads them.
    let Ok(tree) = fs::canonicalize(manifests) else { return Ok(()) };
    let work_tree = tree.ancestors().find(|directory| directory.join(".git").exists());
    for (directory, what) in [(Some(tree.as_path()), "the directory"), (work_tree, "the Git work tree")] {
        let Some(directory) = directory else { continue };
        // A link that leads out of it is written by the same people.
        let written = std::path::absolute(path).is_ok_and(|path| path.starts_with(directory));
        if written || real.starts_with(directory) {
            return Err(Trouble::Operator(format!(
                "the operator's configuration {} is in {what} of the manifests ({}), so authors of manifests could \
                change it: move it, for example to /etc/landfast/landfast.toml",
                path.display(),
                directory.display()
            )));
        }
    }
    writable_by_all(path, &real)
}

#[cfg(unix)]
fn writable_by_all(path: &Path, real: &Path) -> Result<(), Trouble> {
    use std::os::unix::fs::MetadataExt as _;
    let mode = fs::metadata(real).map(|metadata| metadata.mode()).unwrap_or_default();
    if mode & 0o002 == 0 {
        return Ok(());
    }
    Err(Trouble::Operator(format!(
        "the operator's configuration {} is writable by every user of this machine: `chmod o-w` it",
        path.display()
    )))
}

#[cfg(not(unix))]
fn writable_by_all(_: &Path, _: &Path) -> Result<(), Trouble> {
    Ok(())
}

fn read(path: &Path) -> Result<String, Trouble> {
    let failed =
        |error| Trouble::machine(format!("the operator's configuration {} could not be read", path.display()), error);
    let file = File::open(path).map_err(failed)?;
    if !file.metadata().map_err(failed)?.is_file() {
        return Err(failed(io::Error::new(io::ErrorKind::InvalidInput, "it is not a file")));
    }
    let mut text = String::new();
    file.take(LARGEST + 1).read_to_string(&mut text).map_err(failed)?;
    if text.len() as u64 > LARGEST {
        return Err(failed(io::Error::new(io::ErrorKind::InvalidData, "it is larger than 1 MiB")));
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_emulator_on_this_machine_is_told_by_its_address() {
        for local in ["http://127.0.0.1:4566", "http://localhost:4566", "http://[::1]:1/", "http://127.1/"] {
            assert!(is_local(Some(local)), "{local}");
        }
        for other in
            ["https://aws.example.com", "http://localhost.example.com", "http://10.0.0.1", "127.0.0.1:4566", ""]
        {
            assert!(!is_local(Some(other)), "{other}");
        }
        assert!(!is_local(None));
    }

    #[test]
    fn it_is_never_read_from_where_the_manifests_are() {
        let directory = tempfile::tempdir().unwrap();
        let (repository, outside) = (directory.path().join("repository"), directory.path().join("outside"));
        let manifests = repository.join("manifests");
        for made in [&manifests, &outside, &repository.join(".git")] {
            fs::create_dir_all(made).unwrap();
        }
        let text = "[[environment]]\nname = ['*']\n";
        let write = |path: &Path| {
            fs::write(path, text).unwrap();
            path.to_owned()
        };
        assert!(apart(&write(&outside.join("landfast.toml")), &manifests).is_ok());
        for inside in [manifests.join("landfast.toml"), repository.join("landfast.toml")] {
            assert!(apart(&write(&inside), &manifests).is_err(), "{}", inside.display());
        }
        #[cfg(unix)]
        {
            use std::os::unix::fs::{PermissionsExt as _, symlink};
            let link = outside.join("link.toml");
            symlink(manifests.join("landfast.toml"), &link).unwrap();
            assert!(apart(&link, &manifests).is_err(), "a link into the manifests");
            let way_out = manifests.join("out.toml");
            symlink(outside.join("landfast.toml"), &way_out).unwrap();
            assert!(apart(&way_out, &manifests).is_err(), "a link that the manifests' authors wrote");
            fs::set_permissions(outside.join("landfast.toml"), fs::Permissions::from_mode(0o666)).unwrap();
            assert!(apart(&outside.join("landfast.toml"), &manifests).is_err(), "everybody's");
        }
    }
}
