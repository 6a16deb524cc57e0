//! Sealed values: encrypted to age recipients (X25519, ASCII armor), opened with identities that the command line reads.
//!
//! The plan never opens anything; it compares ciphertexts by digest. Only a step that needs the value is given it, by an
//! [`Unseal`]. The header of an age file does not say to which X25519 recipients it was sealed, only to how many: that is
//! written down beside it when it is sealed, and held against policy when manifests are loaded.

use std::fmt;
use std::io::{Read as _, Write as _};

use age::armor::{ArmoredReader, ArmoredWriter, Format};
use zeroize::Zeroizing;

use crate::model::{Redacted, VALUE_MAX};

/// Why a file could not be sealed or opened. Never says what was in it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SealError {
    /// No identity was given.
    #[error("no identity was given to open it with (`--identity FILE` or `LANDFAST_IDENTITY`)")]
    NoIdentity,
    /// It was sealed to others.
    #[error("none of the identities opens it")]
    NotForUs,
    /// It is no age file, or it was changed after it was sealed.
    #[error("it is not a whole and unchanged age file")]
    Damaged,
    /// There is more in it than a secret can hold.
    #[error("there is more in it than the {VALUE_MAX} bytes that a secret can hold")]
    TooLarge,
    /// What is in it is no text.
    #[error("what is in it is not UTF-8 text")]
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
    /// Encrypting failed.
    #[error("it could not be encrypted")]
    Failed,
}

/// Opens what was sealed.
pub trait Unseal: Send + Sync {
    /// What is in an armored age file.
    ///
    /// # Errors
    /// It cannot be opened, or does not hold a value.
    fn unseal(&self, ciphertext: &str) -> Result<Redacted, SealError>;
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
    fn unseal(&self, ciphertext: &str) -> Result<Redacted, SealError> {
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
        let mut value = Zeroizing::new(Vec::with_capacity(VALUE_MAX + 1));
        reader.take(VALUE_MAX as u64 + 1).read_to_end(&mut value).map_err(|_| SealError::Damaged)?;
        if value.len() > VALUE_MAX {
            return Err(SealError::TooLarge);
        }
        let text = std::str::from_utf8(&value).map_err(|_| SealError::NotText)?;
        Ok(Redacted::new(text.to_owned()))
    }
}

/// Seals a value to these recipients, any one of whom can open it.
///
/// # Errors
/// There is no recipient, one of them is none, or the value is too large.
pub fn seal(value: &Redacted, recipients: &[String]) -> Result<String, SealError> {
    if value.expose().len() > VALUE_MAX {
        return Err(SealError::TooLarge);
    }
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
            assert_eq!(identities.unseal(&sealed).unwrap().expose(), "canary");
        }
        let identities = Identities::parse(&other.0).unwrap();
        assert_eq!(identities.unseal(&sealed).unwrap_err(), SealError::NotForUs);
        assert_eq!(Identities::default().unseal(&sealed).unwrap_err(), SealError::NoIdentity);
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
        assert_eq!(identities.unseal(&changed).unwrap_err(), SealError::Damaged);
        assert_eq!(identities.unseal(&sealed[..sealed.len() / 2]).unwrap_err(), SealError::Damaged);
        assert_eq!(identities.unseal("nothing").unwrap_err(), SealError::Damaged);
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
