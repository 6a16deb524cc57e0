//! The file of allowed signers, as `ssh-keygen` reads it (*ALLOWED SIGNERS* in its manual page): who may sign commits, by
//! which keys, and from when to when.
//!
//! Strict: a line that is not understood is an error, because a key that is left out is noticed late and one that is
//! taken for too much is not noticed at all.

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

use crate::model::{SshKey, like};
use crate::sshsig;

/// What Git signs for.
pub(super) const NAMESPACE: &str = "git";

/// A line of the file.
#[derive(Clone, Debug)]
pub(super) struct Signer {
    /// Who it is, as it is written there.
    principals: String,
    key: SshKey,
    namespaces: Option<Vec<String>>,
    after: Option<Timestamp>,
    before: Option<Timestamp>,
}

/// The lines of a file, or the first one that is wrong.
pub(super) fn parse(text: &str) -> Result<Vec<Signer>, String> {
    let mut signers = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        signers.push(signer(line).map_err(|why| format!("line {}: {why}", index + 1))?);
    }
    if signers.is_empty() {
        return Err("it has no signers".to_owned());
    }
    Ok(signers)
}

fn signer(line: &str) -> Result<Signer, String> {
    let (principals, rest) = word(line)?;
    let principals = principals.trim_matches('"').to_owned();
    // Where the options end is where a type of key begins.
    let (first, behind) = word(rest)?;
    let (options, key) = if is_key_type(first) { ("", rest) } else { (first, behind) };
    let mut words = key.split_whitespace();
    let (Some(kind), Some(blob)) = (words.next(), words.next()) else {
        return Err("write PRINCIPALS [OPTIONS] KEYTYPE KEY".to_owned());
    };
    if !is_key_type(kind) {
        return Err(format!("`{kind}` is not a supported type of key"));
    }
    let key = sshsig::public(&format!("{kind} {blob}")).map_err(|error| format!("the key is wrong: {error}"))?;
    let mut signer = Signer { principals, key, namespaces: None, after: None, before: None };
    for option in options_of(options)? {
        match option.split_once('=').unwrap_or((option, "")) {
            ("namespaces", list) => {
                signer.namespaces = Some(list.trim_matches('"').split(',').map(str::to_owned).collect());
            }
            ("valid-after", time) => signer.after = Some(moment(time)?),
            ("valid-before", time) => signer.before = Some(moment(time)?),
            ("cert-authority", _) => return Err("certificate authorities are not supported: list the keys".to_owned()),
            (name, _) => return Err(format!("unknown option `{name}`")),
        }
    }
    Ok(signer)
}

fn is_key_type(word: &str) -> bool {
    ["ssh-ed25519", "ssh-rsa", "sk-ssh-ed25519@openssh.com", "sk-ecdsa-sha2-nistp256@openssh.com"].contains(&word)
        || word.starts_with("ecdsa-sha2-nistp")
}

/// The first word, blanks between quotation marks included, and the rest.
fn word(text: &str) -> Result<(&str, &str), String> {
    let text = text.trim_start();
    let mut quoted = false;
    let end = text.find(|c: char| {
        quoted ^= c == '"';
        c.is_whitespace() && !quoted
    });
    if end.is_none() && text.matches('"').count() % 2 == 1 {
        return Err("a quotation mark is missing".to_owned());
    }
    Ok(end.map_or((text, ""), |end| text.split_at(end)))
}

/// Options are separated by commas that are not between quotation marks.
fn options_of(text: &str) -> Result<Vec<&str>, String> {
    if text.matches('"').count() % 2 == 1 {
        return Err("a quotation mark is missing".to_owned());
    }
    let mut quoted = false;
    let parts = text.split(|c: char| {
        quoted ^= c == '"';
        c == ',' && !quoted
    });
    Ok(parts.filter(|part| !part.is_empty()).collect())
}

/// `YYYYMMDD` or `YYYYMMDDHHMM[SS]`, in UTC: with or without the `Z`, because a daemon has no time zone of its own.
fn moment(text: &str) -> Result<Timestamp, String> {
    let wrong = || format!("`{text}` is not a time such as 20260131Z or 202601311530Z");
    let digits = text.trim_matches('"').trim_end_matches(['Z', 'z']);
    if ![8, 12, 14].contains(&digits.len()) || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(wrong());
    }
    let whole = format!("{digits:0<14}");
    let time = DateTime::strptime("%Y%m%d%H%M%S", &whole).map_err(|_| wrong())?;
    time.to_zoned(TimeZone::UTC).map(|time| time.timestamp()).map_err(|_| wrong())
}

/// Whose a key is at a moment; why it is nobody's.
pub(super) fn owner<'s>(signers: &'s [Signer], key: &SshKey, at: Timestamp) -> Result<&'s str, String> {
    let listed: Vec<&Signer> = signers.iter().filter(|signer| signer.key == *key).collect();
    if listed.is_empty() {
        return Err("its key is not among the allowed signers".to_owned());
    }
    let for_git = |signer: &&&Signer| {
        signer.namespaces.as_ref().is_none_or(|names| names.iter().any(|name| like(name, NAMESPACE)))
    };
    let listed: Vec<&&Signer> = listed.iter().filter(for_git).collect();
    if listed.is_empty() {
        return Err("its key is not allowed to sign for the namespace `git`".to_owned());
    }
    let valid = |signer: &&&&Signer| {
        signer.after.is_none_or(|after| at >= after) && signer.before.is_none_or(|before| at < before)
    };
    let found = listed.iter().find(valid);
    found.map(|signer| signer.principals.as_str()).ok_or_else(|| {
        format!("its key was not valid at {at}, when this commit was first seen (valid-after, valid-before)")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const ADA: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIKHEChAFvN1m1rI7C0Yv7cKYUZ3jC6pX3wZgLQ8ZKXgZ";
    const GRACE: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIBVrI7C0Yv7cKYUZ3jC6pX3wZgLQ8ZKXgZKHEChAFvN1";

    fn key(text: &str) -> SshKey {
        sshsig::public(text).unwrap()
    }

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn a_key_is_somebodys_for_a_while_and_for_a_purpose() {
        let text = format!(
            "# who may sign\n\nada@example.com,a@example.com {ADA} laptop\n\
             \"grace@example.com\" namespaces=\"git,file\",valid-after=\"20260101Z\",valid-before=\"202602011230Z\" {GRACE}\n"
        );
        let signers = parse(&text).unwrap();
        let now = at("2026-01-15T00:00:00Z");
        assert_eq!(owner(&signers, &key(ADA), now).unwrap(), "ada@example.com,a@example.com");
        assert_eq!(owner(&signers, &key(GRACE), now).unwrap(), "grace@example.com");
        for (time, good) in [
            ("2025-12-31T23:59:59Z", false),
            ("2026-01-01T00:00:00Z", true),
            ("2026-02-01T12:29:59Z", true),
            ("2026-02-01T12:30:00Z", false),
        ] {
            assert_eq!(owner(&signers, &key(GRACE), at(time)).is_ok(), good, "{time}");
        }
        let other = parse(&format!("x namespaces=\"file\" {ADA}\n")).unwrap();
        assert!(owner(&other, &key(ADA), now).unwrap_err().contains("namespace"));
        assert!(owner(&other, &key(GRACE), now).unwrap_err().contains("not among"));
    }

    #[test]
    fn a_line_that_is_not_understood_is_an_error() {
        for (line, words) in [
            ("", "no signers"),
            ("# nothing\n", "no signers"),
            ("ada", "line 1: write PRINCIPALS"),
            ("ada ssh-ed25519", "line 1: write PRINCIPALS"),
            ("ada ssh-ed25519 AAAA", "the key is wrong"),
            ("ada ssh-dss AAAA", "line 1: write PRINCIPALS"),
            ("ada namespaces=\"git\" ssh-dss AAAA", "not a supported type"),
            (&format!("\nada cert-authority {ADA}"), "line 2: certificate authorities"),
            (&format!("ada valid-until=\"20260101\" {ADA}"), "unknown option `valid-until`"),
            (&format!("ada valid-after=\"tomorrow\" {ADA}"), "not a time"),
            (&format!("ada valid-after=\"20261301\" {ADA}"), "not a time"),
            (&format!("ada namespaces=\"git {ADA}"), "quotation mark"),
        ] {
            let error = parse(line).unwrap_err();
            assert!(error.contains(words), "{line}: {error}");
        }
    }
}
