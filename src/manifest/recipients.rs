//! To whom a sealed file was sealed, held against those whom policy allows.
//!
//! An age file names nobody: it says only how many X25519 recipients it has. So `landfast seal` writes a record beside it,
//! with the digest of the file that it is about. That finds the list that has become too long, and the file that was
//! sealed past it; it does not find somebody who writes a false record by hand.

use std::collections::BTreeSet;
use std::io::Read as _;

use super::maker::{At, Maker};
use super::policy::is_recipient;
use super::text::text;
use crate::model::Digest;

/// What the name of a record ends in, after that of its file.
pub const RECORD: &str = ".recipients";

/// What stands before the digest of the file.
const ABOUT: &str = "sha256:";

/// The record of a sealed file.
#[must_use]
pub fn record(ciphertext: &str, recipients: &[String]) -> String {
    let mut text = "# Who can open the file beside this one. Written by `landfast seal`, and checked against\n\
                    # `policy.sealRecipients`.\n"
        .to_owned();
    let lines = std::iter::once(format!("{ABOUT}{}", Digest::of_bytes(ciphertext.as_bytes())));
    let known: BTreeSet<&str> = recipients.iter().map(|recipient| recipient.trim()).collect();
    lines.chain(known.into_iter().map(str::to_owned)).for_each(|line| {
        text.push_str(&line);
        text.push('\n');
    });
    text
}

/// Holds a sealed file against the recipients that policy allows.
pub(super) fn check(maker: &mut Maker<'_>, file: &str, ciphertext: &str, at: At<'_>) {
    let Some(allowed) = &maker.around.env.recipients else { return };
    let path = format!("{file}{RECORD}");
    let record = text(maker.around.snapshot, &path);
    let problems = match record {
        Ok(record) => judge(record, ciphertext, allowed),
        Err(_) => vec![format!("the recipients of this file are unknown: `{RECORD}` does not exist in its directory")],
    };
    maker.out.files.insert(path);
    for message in problems {
        let problem = maker.error("recipients", message, at);
        maker.add(problem.help("run `landfast seal` again, to recipients of `policy.sealRecipients`"));
    }
}

/// What is wrong with a sealed file by its record.
fn judge(record: &str, ciphertext: &str, allowed: &BTreeSet<String>) -> Vec<String> {
    let lines = record.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    let (about, recipients): (BTreeSet<&str>, BTreeSet<&str>) = lines.partition(|line| line.starts_with(ABOUT));
    if about != BTreeSet::from([format!("{ABOUT}{}", Digest::of_bytes(ciphertext.as_bytes())).as_str()]) {
        return vec![format!(
            "the recipients of this file are unknown: the `{RECORD}` in its directory is for another version"
        )];
    }
    let mut problems = Vec::new();
    match stanzas(ciphertext) {
        Some(number) if number == recipients.len() => {}
        Some(number) => problems.push(format!(
            "the number of recipients differs: {number} in this file, {} in `{RECORD}`",
            recipients.len()
        )),
        None => problems.push("the number of recipients of this file is unknown".to_owned()),
    }
    let surplus = recipients.into_iter().filter(|recipient| !allowed.contains(*recipient));
    problems.extend(surplus.map(|recipient| {
        // A recipient is public; what is none may be anything.
        let shown = if is_recipient(recipient) { recipient } else { "an unknown recipient" };
        format!("{shown} can decrypt this file, but is not listed in `policy.sealRecipients`")
    }));
    problems
}

/// How many X25519 recipients the header of an age file has; `None` if there are others, of whom nothing is known. What is
/// there only so that nobody relies on there being nothing else (*grease*) does not count.
fn stanzas(ciphertext: &str) -> Option<usize> {
    let mut bytes = Vec::new();
    age::armor::ArmoredReader::new(ciphertext.as_bytes()).read_to_end(&mut bytes).ok()?;
    let mut count = 0;
    for line in bytes.split(|byte| *byte == b'\n') {
        let Ok(line) = std::str::from_utf8(line) else { break };
        if line.starts_with("---") {
            break;
        }
        match line.strip_prefix("-> ").map(|stanza| stanza.split(' ').next().unwrap_or_default()) {
            Some("X25519") => count += 1,
            Some(kind) if kind.ends_with("-grease") => {}
            Some(_) => return None,
            None => {}
        }
    }
    Some(count)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A file that is sealed to these.
    fn seal(recipients: &[String]) -> String {
        let recipients: Vec<age::x25519::Recipient> = recipients.iter().map(|one| one.parse().unwrap()).collect();
        let recipients = recipients.iter().map(|one| one as &dyn age::Recipient);
        let mut file = Vec::new();
        let armor = age::armor::ArmoredWriter::wrap_output(&mut file, age::armor::Format::AsciiArmor).unwrap();
        let mut writer = age::Encryptor::with_recipients(recipients).unwrap().wrap_output(armor).unwrap();
        std::io::Write::write_all(&mut writer, b"canary").unwrap();
        writer.finish().and_then(age::armor::ArmoredWriter::finish).unwrap();
        String::from_utf8(file).unwrap()
    }

    fn recipient() -> String {
        age::x25519::Identity::generate().to_public().to_string()
    }

    #[test]
    fn a_record_names_those_that_a_file_was_sealed_to() {
        let all = [recipient(), recipient()];
        let sealed = seal(&all);
        assert_eq!(stanzas(&sealed), Some(2));
        let record = record(&sealed, &all);
        let allowed: BTreeSet<String> = all.iter().cloned().collect();
        assert_eq!(judge(&record, &sealed, &allowed), [""; 0]);
        assert!(!record.contains("canary"));
        // One of them has left.
        let fewer = BTreeSet::from([all[0].clone()]);
        let said = judge(&record, &sealed, &fewer);
        assert!(said.len() == 1 && said[0].contains(&all[1]), "{said:?}");
    }

    #[test]
    fn a_file_that_was_sealed_past_its_record_is_found() {
        let (one, other) = (recipient(), recipient());
        let allowed = BTreeSet::from([one.clone()]);
        let sealed = seal(std::slice::from_ref(&one));
        let about_it = record(&sealed, std::slice::from_ref(&one));
        let again = seal(&[one.clone(), other]);
        assert!(judge(&about_it, &again, &allowed)[0].contains("another version"));
        // The digest alone was mended by hand.
        let mended = record(&again, std::slice::from_ref(&one));
        assert_eq!(
            judge(&mended, &again, &allowed),
            ["the number of recipients differs: 2 in this file, 1 in `.recipients`"]
        );
        assert!(judge("hunter2", &sealed, &allowed).concat().contains("another version"));
        let planted = format!("{about_it}hunter2\n");
        assert!(!judge(&planted, &sealed, &allowed).concat().contains("hunter2"));
    }
}
