//! Lists as OpenSSH writes them, and what they say of a host.

use std::process::Command;

use super::*;

const ONE: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJdD7y3aLq454yWBdwLWbieU1ebz9/cu7/QEXn9OIeZJ";
const TWO: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIA6rWI3G1sz07DnfFlrouTcysQlj2P+jpNSOEWD9OJ3X";

fn at(url: &str) -> SshAddress {
    SshAddress::parse(url).unwrap().unwrap()
}

fn key(text: &str) -> PublicKey {
    PublicKey::from_openssh(text).unwrap()
}

fn known(text: &str, url: &str) -> Result<Known, String> {
    Known::of(text, "known_hosts", &at(url))
}

/// Whether a host with this key is let through.
fn is_good(text: &str, url: &str, shown: &str) -> bool {
    known(text, url).is_ok_and(|known| known.judge(&key(shown)).is_ok())
}

#[test]
fn a_host_is_known_by_its_name_and_port_and_nothing_else() {
    for (hosts, url, good) in [
        ("git.example.com", "git@git.example.com:a", true),
        ("GIT.example.com", "git@git.EXAMPLE.com:a", true),
        ("other,git.example.com,192.0.2.1", "git@git.example.com:a", true),
        ("*.example.com", "git@git.example.com:a", true),
        ("git?.example.com", "git@git1.example.com:a", true),
        ("*.example.com,!git.example.com", "git@git.example.com:a", false),
        ("!git.example.com", "git@git.example.com:a", false),
        ("example.com", "git@git.example.com:a", false),
        ("git.example.com.evil.example", "git@git.example.com:a", false),
        ("[git.example.com]:2222", "ssh://git@git.example.com:2222/a", true),
        ("[*.example.com]:2222", "ssh://git@git.example.com:2222/a", true),
        ("[git.example.com]:2222", "git@git.example.com:a", false),
        ("git.example.com", "ssh://git@git.example.com:2222/a", false),
        ("[git.example.com]:2222", "ssh://git@git.example.com:2223/a", false),
        ("::1", "git@[::1]:a", true),
    ] {
        assert_eq!(is_good(&format!("{hosts} {ONE} a comment\n"), url, ONE), good, "{hosts} {url}");
        assert!(!is_good(&format!("{hosts} {ONE}\n"), url, TWO), "{hosts} {url}");
    }
}

#[test]
fn a_list_that_ssh_keygen_has_hashed_says_the_same() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("known_hosts");
    let text = format!("git.example.com {ONE}\n[git.example.com]:2222 {TWO}\n");
    std::fs::write(&path, text).unwrap();
    assert!(Command::new("ssh-keygen").arg("-q").arg("-H").arg("-f").arg(&path).status().unwrap().success());
    let hashed = std::fs::read_to_string(&path).unwrap();
    assert!(hashed.starts_with("|1|") && !hashed.contains("example"), "{hashed}");
    assert!(is_good(&hashed, "git@git.example.com:a", ONE));
    assert!(!is_good(&hashed, "git@git.example.com:a", TWO));
    assert!(is_good(&hashed, "ssh://git@git.example.com:2222/a", TWO));
    assert!(!is_good(&hashed, "git@other.example.com:a", ONE));
    let list = KnownHosts::File(path);
    assert!(Known::read(Some(&list), &at("git@git.example.com:a")).is_ok());
}

#[test]
fn a_revoked_key_is_refused_whatever_else_is_written() {
    for text in [
        format!("git.example.com {ONE}\n@revoked * {ONE}\n"),
        format!("@revoked git.example.com {ONE}\ngit.example.com {ONE}\n"),
        format!("git.example.com {TWO}\n@revoked\tgit.example.com  {ONE}\n"),
    ] {
        let known = known(&text, "git@git.example.com:a").unwrap();
        let why = known.judge(&key(ONE)).unwrap_err();
        assert!(why.contains("is revoked in known_hosts, line"), "{why}");
    }
    // Another host's.
    assert!(is_good(&format!("git.example.com {ONE}\n@revoked other {ONE}\n"), "git@git.example.com:a", ONE));
}

#[test]
fn an_unknown_host_and_a_changed_key_say_what_to_do() {
    let unknown = known(&format!("other {ONE}\n# nothing\n\n"), "ssh://git@git.example.com:2222/a").unwrap_err();
    for words in ["[git.example.com]:2222 is unknown", "`ssh-keyscan -p 2222 git.example.com`", "fingerprint"] {
        assert!(unknown.contains(words), "{unknown}");
    }
    let known = known(&format!("\ngit.example.com {ONE}\n"), "git@git.example.com:a").unwrap();
    assert_eq!(known.algorithms(), [Algorithm::Ed25519]);
    let changed = known.judge(&key(TWO)).unwrap_err();
    for words in ["SHA256:", "not the one in known_hosts, line 2", "intercepting", "replace the old line"] {
        assert!(changed.contains(words), "{changed}");
    }
    assert!(known.of_other_type().contains("(ssh-ed25519), line 2"), "{}", known.of_other_type());
}

#[test]
fn what_does_not_help_is_said_and_what_is_not_understood_is_an_error() {
    let of = |text: &str| known(text, "git@git.example.com:a").unwrap_err();
    let authority = of(&format!("@cert-authority *.example.com {ONE}\n"));
    assert!(authority.contains("line 1 is a certificate authority, which is not supported"), "{authority}");
    assert!(!is_good(&format!("@cert-authority * {ONE}\n"), "git@git.example.com:a", ONE));
    let rsa = of("git.example.com ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAABgQC\n");
    assert!(rsa.contains("is unknown") && rsa.contains("line 1 is of the type ssh-rsa"), "{rsa}");
    for (line, words) in [
        ("git.example.com", "line 2: write HOST KEYTYPE KEY"),
        ("@revoked git.example.com ssh-ed25519", "line 2: write HOST"),
        ("@banned git.example.com ssh-ed25519 AAAA", "unknown marker `@banned`"),
        ("git.example.com ssh-ed25519 AAAA", "the key is not valid"),
        ("@revoked * ssh-ed25519 AAAA", "the key is not valid"),
        ("|1|x ssh-ed25519 AAAA", "the hashed host is not valid"),
    ] {
        let error = of(&format!("git.example.com {ONE}\n{line}\n"));
        assert!(error.contains(words), "{line}: {error}");
    }
    // What is beside the key of the host harms nobody.
    let beside =
        format!("git.example.com ssh-rsa AAAA\ngit.example.com {ONE}\n@cert-authority * {TWO}\nother ssh-dss x\n");
    assert!(is_good(&beside, "git@git.example.com:a", ONE));
    assert!(Known::read(None, &at("git@git.example.com:a")).is_err());
    let missing = KnownHosts::File("/nonexistent/known_hosts".into());
    let missing = Known::read(Some(&missing), &at("git@git.example.com:a")).unwrap_err().to_string();
    assert!(missing.contains("/nonexistent/known_hosts cannot be used"), "{missing}");
}
