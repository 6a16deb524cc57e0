//! Sealed values: encrypted to age recipients (X25519, ASCII armor), opened with identities that the command line reads.
//!
//! The plan never opens anything; it compares ciphertexts by digest. Only a step that needs the value is given it, by an
//! [`Unseal`]. The header of an age file does not say to which X25519 recipients it was sealed, only to how many: that is
//! written down beside it when it is sealed, and held against policy when manifests are loaded.
//!
//! A sealed file can be copied by whoever can read it, which says nothing of who may read the secret that another manifest
//! would make of it. So the secrets that a value is for are sealed with it, and it is opened for no other.

use std::fmt;
use std::io::{Read as _, Write as _};

use age::armor::{ArmoredReader, ArmoredWriter, Format};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::model::{Binding, Redacted, VALUE_MAX};
use crate::sabotage::{self, Bug};

/// Why a file could not be sealed or opened. Never says what was in it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SealError {
    /// No identity was given.
    #[error("no identity was given to decrypt it (`--identity FILE` or `LANDFAST_IDENTITY`)")]
    NoIdentity,
    /// It was sealed to others.
    #[error("none of the identities can decrypt it")]
    NotForUs,
    /// It is no age file, or it was changed after it was sealed.
    #[error("it is not a complete, unmodified age file")]
    Damaged,
    /// There is more in it than a secret can hold.
    #[error("its content is larger than the limit of a secret ({VALUE_MAX} bytes)")]
    TooLarge,
    /// What is in it is no text.
    #[error("its content is not UTF-8 text")]
    NotText,
    /// A line of an identity file is none.
    #[error("line {0} is not an X25519 identity (`AGE-SECRET-KEY-1…`)")]
    Identity(usize),
    /// A recipient is none.
    #[error("recipient {0} is not an X25519 recipient (`age1…`)")]
    Recipient(usize),
    /// Nobody to seal to.
    #[error("no recipient was given")]
    NoRecipient,
    /// It is for another secret.
    #[error("it was sealed for {sealed}, not for {wanted}: seal the value again for this secret")]
    ForAnother {
        /// What it was sealed for.
        sealed: String,
        /// What it is asked for.
        wanted: String,
    },
    /// It is for no secret in particular.
    #[error(
        "it was sealed without the name of a secret, which is required here: seal the value again (`landfast seal`), \
        now that a manifest uses the file"
    )]
    Unbound,
    /// It is by another tool, or by a release that did not seal for whom it is.
    #[error(
        "it does not contain the name of its secret, because an older release or another tool sealed it: seal the \
        value again (`landfast seal`)"
    )]
    OldForm,
    /// Encrypting failed.
    #[error("it could not be encrypted")]
    Failed,
}

/// Opens what was sealed.
pub trait Unseal: Send + Sync {
    /// The value in an armored age file, for the secret that it was sealed for. `unbound`: also if it was sealed for none
    /// in particular.
    ///
    /// # Errors
    /// It cannot be opened, does not hold a value, or is for another secret.
    fn unseal(&self, ciphertext: &str, wanted: &Binding, unbound: bool) -> Result<Redacted, SealError>;
}

/// What stands before a sealed value: its form, and the secrets that it is for, on a line of its own.
const FORM: &str = "landfast-sealed/v1 ";

/// The most that it has: as many secrets as anybody shares a value between.
const HEADER_MAX: usize = 16 * 1024;

/// The secrets that a value was sealed for.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Header {
    #[serde(rename = "for")]
    secrets: Vec<Binding>,
}

/// Identities from a file.
#[derive(Default)]
pub struct Identities(Vec<age::x25519::Identity>);

impl Identities {
    /// The identities in the text of a file: one a line; empty lines and those that begin with `#` do not count.
    ///
    /// # Errors
    /// A line is something else. It is named by its number.
    pub fn parse(text: &Redacted) -> Result<Self, SealError> {
        let lines = text.expose().lines().enumerate().map(|(at, line)| (at + 1, line.trim()));
        let lines = lines.filter(|(_, line)| !line.is_empty() && !line.starts_with('#'));
        let read = lines.map(|(at, line)| line.parse().map_err(|_: &str| SealError::Identity(at)));
        Ok(Self(read.collect::<Result<_, _>>()?))
    }
}

impl Identities {
    /// Whom to seal to, so that these open it.
    #[must_use]
    pub fn recipients(&self) -> Vec<String> {
        self.0.iter().map(|identity| identity.to_public().to_string()).collect()
    }
}

impl fmt::Debug for Identities {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Identities({})", self.0.len())
    }
}

impl Unseal for Identities {
    fn unseal(&self, ciphertext: &str, wanted: &Binding, unbound: bool) -> Result<Redacted, SealError> {
        let opened = self.open_within(ciphertext, VALUE_MAX + HEADER_MAX)?;
        let (header, value) = opened.expose().split_once('\n').ok_or(SealError::OldForm)?;
        let header = header.strip_prefix(FORM).ok_or(SealError::OldForm)?;
        // The parser's error quotes what it read.
        let header: Header = serde_json::from_str(header).map_err(|_| SealError::OldForm)?;
        if value.len() > VALUE_MAX {
            return Err(SealError::TooLarge);
        }
        if header.secrets.is_empty() && !unbound {
            return Err(SealError::Unbound);
        }
        let fits = header.secrets.is_empty() || header.secrets.contains(wanted) || sabotage::is(Bug::OpensForAnybody);
        if !fits {
            let sealed: Vec<String> = header.secrets.iter().map(ToString::to_string).collect();
            return Err(SealError::ForAnother { sealed: sealed.join(", "), wanted: wanted.to_string() });
        }
        Ok(Redacted::new(value.to_owned()))
    }
}

impl Identities {
    /// What is in an armored age file, whatever it is for.
    ///
    /// # Errors
    /// It cannot be opened, or holds no text.
    pub fn open(&self, ciphertext: &str) -> Result<Redacted, SealError> {
        self.open_within(ciphertext, VALUE_MAX)
    }

    fn open_within(&self, ciphertext: &str, limit: usize) -> Result<Redacted, SealError> {
        if self.0.is_empty() {
            return Err(SealError::NoIdentity);
        }
        let armored = ArmoredReader::new(ciphertext.as_bytes());
        let decryptor = age::Decryptor::new_buffered(armored).map_err(|_| SealError::Damaged)?;
        let identities = self.0.iter().map(|identity| identity as &dyn age::Identity);
        let reader = decryptor.decrypt(identities).map_err(|error| match error {
            age::DecryptError::NoMatchingKeys => SealError::NotForUs,
            _ => SealError::Damaged,
        })?;
        // Room for all there may be, so that it is never moved while it is read.
        let mut value = Zeroizing::new(Vec::with_capacity(limit + 1));
        reader.take(limit as u64 + 1).read_to_end(&mut value).map_err(|_| SealError::Damaged)?;
        if value.len() > limit {
            return Err(SealError::TooLarge);
        }
        let text = std::str::from_utf8(&value).map_err(|_| SealError::NotText)?;
        Ok(Redacted::new(text.to_owned()))
    }
}

/// Seals a value for these secrets and no others; for none in particular, if there are none. Any one of the recipients can
/// open it.
///
/// # Errors
/// There is no recipient, one of them is none, or the value is too large, or for too many secrets.
pub fn seal_for(value: &Redacted, secrets: Vec<Binding>, recipients: &[String]) -> Result<String, SealError> {
    let header = serde_json::to_string(&Header { secrets }).map_err(|_| SealError::Failed)?;
    if value.expose().len() > VALUE_MAX || FORM.len() + header.len() >= HEADER_MAX {
        return Err(SealError::TooLarge);
    }
    let mut text = Zeroizing::new(String::with_capacity(VALUE_MAX + HEADER_MAX));
    for part in [FORM, &header, "\n", value.expose()] {
        text.push_str(part);
    }
    seal(&Redacted::new((*text).clone()), recipients)
}

/// Encrypts a text to these recipients, any one of whom can open it.
///
/// # Errors
/// There is no recipient, or one of them is none.
pub fn seal(value: &Redacted, recipients: &[String]) -> Result<String, SealError> {
    let read = recipients.iter().enumerate();
    let read = read.map(|(at, text)| text.trim().parse().map_err(|_: &str| SealError::Recipient(at + 1)));
    let recipients: Vec<age::x25519::Recipient> = read.collect::<Result<_, _>>()?;
    if recipients.is_empty() {
        return Err(SealError::NoRecipient);
    }
    let encryptor =
        age::Encryptor::with_recipients(recipients.iter().map(|recipient| recipient as &dyn age::Recipient))
            .map_err(|_| SealError::Failed)?;
    let mut sealed = Vec::new();
    let write = || -> std::io::Result<()> {
        let armor = ArmoredWriter::wrap_output(&mut sealed, Format::AsciiArmor)?;
        let mut writer = encryptor.wrap_output(armor)?;
        writer.write_all(value.expose().as_bytes())?;
        writer.finish()?.finish()?;
        Ok(())
    };
    write().map_err(|_| SealError::Failed)?;
    String::from_utf8(sealed).map_err(|_| SealError::Failed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Address, Scope};

    /// An identity and its recipient.
    fn identity() -> (Redacted, String) {
        use age::secrecy::ExposeSecret as _;
        let identity = age::x25519::Identity::generate();
        (value(identity.to_string().expose_secret()), identity.to_public().to_string())
    }

    fn value(text: &str) -> Redacted {
        Redacted::new(text.to_owned())
    }

    #[test]
    fn what_is_sealed_to_several_is_opened_by_each_and_by_nobody_else() {
        let (ours, theirs, other) = (identity(), identity(), identity());
        let sealed = seal(&value("canary"), &[ours.1.clone(), theirs.1.clone()]).unwrap();
        assert!(sealed.starts_with("-----BEGIN AGE ENCRYPTED FILE-----") && !sealed.contains("canary"));
        for (secret, _) in [&ours, &theirs] {
            let identities = Identities::parse(secret).unwrap();
            assert_eq!(identities.open(&sealed).unwrap().expose(), "canary");
        }
        let identities = Identities::parse(&other.0).unwrap();
        assert_eq!(identities.open(&sealed).unwrap_err(), SealError::NotForUs);
        assert_eq!(Identities::default().open(&sealed).unwrap_err(), SealError::NoIdentity);
    }

    fn binding(environment: &str, account: &str, region: &str, name: &str) -> Binding {
        let scope = Scope { account: account.parse().unwrap(), region: region.parse().unwrap() };
        Binding { environment: environment.parse().unwrap(), secret: Address { scope, name: name.into() } }
    }

    #[test]
    fn a_value_is_opened_for_the_secret_that_it_was_sealed_for_and_for_no_other() {
        let (secret, recipient) = identity();
        let identities = Identities::parse(&secret).unwrap();
        let prod = binding("prod", "444455556666", "us-east-1", "prod/shop/app");
        let dr = binding("dr", "444455556666", "us-west-2", "prod/shop/app");
        let sealed = seal_for(&value("can\nary\n"), vec![prod.clone(), dr.clone()], &[recipient]).unwrap();
        for wanted in [&prod, &dr] {
            assert_eq!(identities.unseal(&sealed, wanted, false).unwrap().expose(), "can\nary\n");
        }
        for other in [
            binding("dev", "444455556666", "us-east-1", "prod/shop/app"),
            binding("prod", "111122223333", "us-east-1", "prod/shop/app"),
            binding("prod", "444455556666", "eu-west-1", "prod/shop/app"),
            binding("prod", "444455556666", "us-east-1", "prod/shop/other"),
        ] {
            for unbound in [true, false] {
                let error = identities.unseal(&sealed, &other, unbound).unwrap_err();
                assert!(matches!(error, SealError::ForAnother { .. }), "{other}: {error}");
                assert!(!error.to_string().contains("ary"));
            }
        }
    }

    #[test]
    fn what_does_not_say_for_whom_it_is_has_to_be_sealed_again() {
        let (secret, recipient) = identity();
        let identities = Identities::parse(&secret).unwrap();
        let wanted = binding("dev", "111122223333", "us-east-1", "dev/shop/app");
        for old in ["canary", "{\"a\": 1}\n", "landfast-sealed/v1 {}\ncanary", "landfast-sealed/v2 {\"for\":[]}\nx", ""]
        {
            let sealed = seal(&value(old), std::slice::from_ref(&recipient)).unwrap();
            assert_eq!(identities.unseal(&sealed, &wanted, true).unwrap_err(), SealError::OldForm, "{old}");
        }
        let unbound = seal_for(&value("canary"), Vec::new(), std::slice::from_ref(&recipient)).unwrap();
        assert_eq!(identities.unseal(&unbound, &wanted, true).unwrap().expose(), "canary");
        assert_eq!(identities.unseal(&unbound, &wanted, false).unwrap_err(), SealError::Unbound);
        let largest = value(&"x".repeat(VALUE_MAX));
        let sealed = seal_for(&largest, vec![wanted.clone()], std::slice::from_ref(&recipient)).unwrap();
        assert_eq!(identities.unseal(&sealed, &wanted, false).unwrap().expose().len(), VALUE_MAX);
        let more = value(&"x".repeat(VALUE_MAX + 1));
        assert_eq!(seal_for(&more, Vec::new(), &[recipient]).unwrap_err(), SealError::TooLarge);
    }

    #[test]
    fn a_changed_file_is_not_opened() {
        let (secret, recipient) = identity();
        let sealed = seal(&value("canary"), &[recipient]).unwrap();
        let identities = Identities::parse(&secret).unwrap();
        let middle = sealed.len() - 60;
        let mut changed = sealed.clone();
        let other = if sealed.as_bytes()[middle] == b'A' { "B" } else { "A" };
        changed.replace_range(middle..=middle, other);
        assert_eq!(identities.open(&changed).unwrap_err(), SealError::Damaged);
        assert_eq!(identities.open(&sealed[..sealed.len() / 2]).unwrap_err(), SealError::Damaged);
        assert_eq!(identities.open("nothing").unwrap_err(), SealError::Damaged);
    }

    #[test]
    fn errors_name_a_line_and_not_what_is_on_it() {
        let text = value("# comment\n\nAGE-SECRET-KEY-1CANARY\n");
        let error = Identities::parse(&text).unwrap_err();
        assert_eq!(error, SealError::Identity(3));
        assert!(!format!("{error} {error:?}").contains("CANARY"));
        assert_eq!(seal(&value("x"), &["age1canary".to_owned()]).unwrap_err(), SealError::Recipient(1));
        assert_eq!(seal(&value("x"), &[]).unwrap_err(), SealError::NoRecipient);
    }
}
