//! Domain names, as Route 53 keeps them.
//!
//! It takes more than host names have (AWS: *DNS domain name format*): a record's label may hold any printable ASCII
//! character, begin with a hyphen, or be `*` in the middle. Others are written as octal escapes, and names in other
//! scripts as their punycode (RFC 5891), which is what DNS has of them.

use std::fmt::{self, Write as _};

use idna::AsciiDenyList;
use idna::uts46::{DnsLength, Hyphens, Uts46};
use serde::{Deserialize, Serialize};

/// The longest label (RFC 1035).
const LABEL_MAX: usize = 63;

/// The longest name without the dot at its end: 255 bytes with the lengths of its labels (RFC 1035, 2.3.4).
pub const DOMAIN_MAX: usize = 253;

/// What is wrong with a text that is no domain name at all, as the end of a sentence.
pub const NO_DOMAIN: &str = "is not a domain name";

/// A domain name as it is compared: in small letters, without the last dot, octal escapes resolved where they stand for
/// a printable character (an asterisk comes back as `\052`), and in punycode.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub struct DnsName(String);

impl DnsName {
    /// The name that `text` writes. What has no punycode stays as it is; [`DnsName::parse`] says so.
    #[must_use]
    pub fn new(text: &str) -> Self {
        let text = text.trim();
        let ascii = (!text.is_ascii()).then(|| punycode(text)).flatten();
        let mut name = String::with_capacity(text.len());
        let mut rest = ascii.as_deref().unwrap_or(text).trim_end_matches('.');
        while let Some((before, after)) = rest.split_once('\\') {
            name.push_str(before);
            // A dot and a backslash would be taken for something else without their escape.
            let plain = escaped(after).filter(|byte| byte.is_ascii_graphic() && !matches!(byte, b'.' | b'\\'));
            if let Some(byte) = plain {
                name.push(char::from(byte));
                rest = after.get(3..).unwrap_or_default();
            } else {
                name.push('\\');
                rest = after;
            }
        }
        name.push_str(rest);
        Self(name.to_ascii_lowercase())
    }

    /// The name that `text` writes, if Route 53 takes it for the name of a record.
    ///
    /// # Errors
    /// What is wrong with it, as the end of a sentence that begins with the name.
    pub fn parse(text: &str) -> Result<Self, String> {
        let name = Self::new(text);
        let labels: Vec<&str> = name.0.split('.').collect();
        if !name.0.is_ascii() {
            return Err("cannot be encoded as punycode, which DNS uses for such names".to_owned());
        }
        if labels.len() < 2
            || name.0.contains("://")
            || has_port(&name.0)
            || !labels.iter().all(|label| is_label(label))
        {
            return Err(NO_DOMAIN.to_owned());
        }
        let shown = if text.is_ascii() { String::new() } else { format!(" (as {name})") };
        if let Some(label) = labels.iter().find(|label| length(label) > LABEL_MAX) {
            let length = length(label);
            return Err(format!("has a label of {length} characters{shown}; DNS allows at most {LABEL_MAX}: {label}"));
        }
        let length = length(&name.0);
        if length > DOMAIN_MAX {
            return Err(format!("has {length} characters{shown}; DNS allows at most {DOMAIN_MAX}"));
        }
        Ok(name)
    }

    /// Without the last dot.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// As a request writes it: what is neither a letter, a digit, `-`, `_` nor `*` as an octal escape.
    #[must_use]
    pub fn wire(&self) -> String {
        let mut wire = String::with_capacity(self.0.len());
        for (at, c) in self.0.char_indices() {
            let plain = c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | '*');
            let is_escape = c == '\\' && escaped(self.0.get(at + 1..).unwrap_or_default()).is_some();
            if plain || is_escape || !c.is_ascii() {
                wire.push(c);
            } else {
                _ = write!(wire, "\\{:03o}", u32::from(c));
            }
        }
        wire
    }

    /// How many characters it has, an escape being one.
    #[must_use]
    pub fn len(&self) -> usize {
        length(&self.0)
    }

    /// It is the root.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// It is `zone`, or below it.
    #[must_use]
    pub fn is_within(&self, zone: &Self) -> bool {
        self == zone || self.0.strip_suffix(&zone.0).is_some_and(|rest| rest.ends_with('.'))
    }

    /// The same with `label` put in front.
    #[must_use]
    pub fn below(&self, label: &str) -> Self {
        Self::new(&format!("{label}.{}", self.0))
    }

    /// The name without its first label.
    #[must_use]
    pub fn above(&self) -> Option<Self> {
        self.0.split_once('.').map(|(_, above)| Self(above.to_owned()))
    }
}

/// In punycode, with everything that ASCII has left as it is: a record's name may have underscores and asterisks.
fn punycode(text: &str) -> Option<String> {
    let ascii = Uts46::new().to_ascii(text.as_bytes(), AsciiDenyList::EMPTY, Hyphens::Allow, DnsLength::Ignore);
    ascii.ok().map(std::borrow::Cow::into_owned)
}

/// The byte that three octal digits after a backslash stand for.
fn escaped(after: &str) -> Option<u8> {
    let digits = after.get(..3).filter(|digits| digits.bytes().all(|digit| matches!(digit, b'0'..=b'7')))?;
    u8::from_str_radix(digits, 8).ok()
}

fn is_label(label: &str) -> bool {
    let backslash = |(at, _)| escaped(label.get(at + 1..).unwrap_or_default()).is_some();
    !label.is_empty() && label.bytes().all(|byte| byte.is_ascii_graphic()) && label.match_indices('\\').all(backslash)
}

/// A port behind it is somebody's mistake, though Route 53 would take a colon.
fn has_port(name: &str) -> bool {
    name.rsplit_once(':').is_some_and(|(_, port)| !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit()))
}

fn length(text: &str) -> usize {
    text.len().saturating_sub(3 * text.matches('\\').count())
}

impl From<String> for DnsName {
    fn from(text: String) -> Self {
        Self::new(&text)
    }
}

impl From<DnsName> for String {
    fn from(name: DnsName) -> Self {
        name.0
    }
}

impl fmt::Display for DnsName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_name_is_compared_without_its_last_dot_its_case_and_its_escapes() {
        assert_eq!(DnsName::new("\\052.Example.COM."), DnsName::new("*.example.com"));
        assert_eq!(DnsName::new("a\\9.example.com").as_str(), "a\\9.example.com");
        let zone = DnsName::new("example.com");
        assert!(DnsName::new("api.example.com").is_within(&zone) && zone.is_within(&zone));
        assert!(!DnsName::new("badexample.com").is_within(&zone));
        assert_eq!(DnsName::new("api.example.com").above(), Some(zone));
    }

    #[test]
    fn names_in_other_scripts_are_their_punycode() {
        for (text, ascii) in [
            ("bücher.example", "xn--bcher-kva.example"),
            ("API.BÜCHER.example.", "api.xn--bcher-kva.example"),
            ("*.bücher.example", "*.xn--bcher-kva.example"),
            ("_dmarc.straße.example", "_dmarc.xn--strae-oqa.example"),
            ("xn--bcher-kva.bücher.example", "xn--bcher-kva.xn--bcher-kva.example"),
            ("bu\u{308}cher.example", "xn--bcher-kva.example"),
            ("例え。テスト", "xn--r8jz45g.xn--zckzah"),
            ("-a_b.bücher.example", "-a_b.xn--bcher-kva.example"),
        ] {
            assert_eq!(DnsName::parse(text).as_ref().map(DnsName::as_str), Ok(ascii), "{text}");
        }
        let long = DnsName::parse(&format!("{}.example", "ü".repeat(63))).unwrap_err();
        assert!(long.contains("xn--") && long.contains("label of"), "{long}");
        assert!(DnsName::parse("a\u{200d}b.example").is_err());
    }

    #[test]
    fn what_route_53_takes_is_a_name_and_what_people_mistype_is_none() {
        for good in [
            "example.com",
            "api.dev.example.com",
            "*.example.com",
            "x.*.example.com",
            "-odd_name.example.com",
            "_acme.example.com",
            "a-.example.com",
            "0/25.2.0.192.in-addr.arpa",
            "a\\040b.example.com",
            "a!b.example.com",
            "xn--bcher-kva.example",
        ] {
            assert!(DnsName::parse(good).is_ok(), "{good}");
        }
        let long = format!("{}.example.com", "a".repeat(64));
        let longer = format!("{}example.com", format!("{}.", "a".repeat(60)).repeat(4));
        for wrong in [
            "",
            "example",
            "a..b",
            ".example.com",
            "a b.example.com",
            "https://a.b",
            "a.b:80",
            "a\\9.example.com",
            "a\tb.example.com",
            long.as_str(),
            longer.as_str(),
        ] {
            assert!(DnsName::parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_request_escapes_what_is_no_letter() {
        assert_eq!(DnsName::new("*.a_b-c.example.com").wire(), "*.a_b-c.example.com");
        assert_eq!(DnsName::new("a!b.example.com").wire(), "a\\041b.example.com");
        assert_eq!(DnsName::new("a\\040b\\134.example.com").wire(), "a\\040b\\134.example.com");
        assert_eq!(DnsName::new("a\\9.example.com").wire(), "a\\1349.example.com");
    }

    proptest! {
        #[test]
        fn what_is_sent_is_read_back_as_it_was(labels in prop::collection::vec("[!-~&&[^.\\\\]]{1,9}|\\\\0[0-3][0-7]", 2..5)) {
            let name = DnsName::new(&labels.join("."));
            prop_assert_eq!(DnsName::new(&name.wire()), name.clone());
            prop_assert_eq!(DnsName::new(name.as_str()), name);
        }
    }
}
