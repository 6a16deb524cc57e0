//! Tells the program its version: the package's, and the commit that it is built from.
//!
//! `LANDFAST_COMMIT` names the commit where there is no checkout (the container image). Git is asked for releases only: a
//! development build would be compiled again with every commit.

#![expect(clippy::disallowed_methods, reason = "cargo talks to build scripts through the environment")]

use std::process::Command;

fn main() {
    println!("cargo::rerun-if-env-changed=LANDFAST_COMMIT");
    let release = std::env::var("PROFILE").is_ok_and(|profile| profile == "release");
    let named = std::env::var("LANDFAST_COMMIT").ok().filter(|commit| !commit.is_empty());
    let commit = named.or_else(|| release.then(checked_out).flatten());
    let version = env!("CARGO_PKG_VERSION");
    let version = commit.map_or_else(|| version.to_owned(), |commit| format!("{version} ({commit})"));
    println!("cargo::rustc-env=LANDFAST_VERSION={version}");
}

/// The commit of this checkout, marked where files differ from it.
fn checked_out() -> Option<String> {
    // A path that is missing would run this again in every build.
    for path in [".git/HEAD", ".git/logs/HEAD", "src"].into_iter().filter(|path| std::path::Path::new(path).exists()) {
        println!("cargo::rerun-if-changed={path}");
    }
    let output =
        Command::new("git").args(["describe", "--always", "--dirty", "--abbrev=12", "--match="]).output().ok()?;
    let text = String::from_utf8(output.stdout).ok().filter(|_| output.status.success())?;
    Some(text.trim().to_owned()).filter(|text| !text.is_empty())
}
