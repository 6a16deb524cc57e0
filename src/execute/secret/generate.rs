//! Makes a field: each character chosen evenly from its set.

use zeroize::Zeroizing;

use crate::context::Context;
use crate::model::{Charset, GeneratedField, Redacted};

const UPPER: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ";
const LOWER: &[u8] = b"abcdefghijklmnopqrstuvwxyz";
const DIGITS: &[u8] = b"0123456789";

/// The characters of a set.
fn characters(charset: Charset) -> Vec<u8> {
    match charset {
        Charset::Alphanumeric => [UPPER, LOWER, DIGITS].concat(),
        Charset::Base64url => [UPPER, LOWER, DIGITS, b"-_"].concat(),
        Charset::Hex => b"0123456789abcdef".to_vec(),
        Charset::Digits => DIGITS.to_vec(),
        Charset::Printable => (b'!'..=b'~').filter(|byte| !b"\"'`@/\\".contains(byte)).collect(),
    }
}

/// A field as it was asked for.
pub(super) fn field(cx: &Context, field: GeneratedField) -> Result<Redacted, getrandom::Error> {
    let set = characters(field.charset);
    let length = usize::from(field.length.clamp(1, 1_024));
    let mut text = Zeroizing::new(String::with_capacity(length));
    // Bytes above the largest multiple of the set's size would favour its first characters: they are thrown away.
    let fair = 256 - 256 % set.len();
    let mut bytes = Zeroizing::new([0_u8; 64]);
    while text.len() < length {
        cx.fill_secret(&mut *bytes)?;
        let fair_ones = bytes.iter().map(|byte| usize::from(*byte)).filter(|byte| *byte < fair);
        for byte in fair_ones.take(length - text.len()) {
            text.push(char::from(set[byte % set.len()]));
        }
    }
    Ok(Redacted::new(std::mem::take(&mut *text)))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::context::Virtual;

    #[test]
    fn every_character_of_a_set_comes_up_about_as_often() {
        let clock = Virtual::starting_at("2026-01-01T00:00:00Z".parse().unwrap());
        let cx = Context::simulated(&clock, 1);
        let all = [Charset::Alphanumeric, Charset::Base64url, Charset::Hex, Charset::Digits, Charset::Printable];
        for charset in all {
            let set = characters(charset);
            let mut counts: BTreeMap<u8, u32> = BTreeMap::new();
            let wanted = GeneratedField { length: 1_000, charset };
            for _ in 0..100 {
                let text = field(&cx, wanted).unwrap();
                assert_eq!(text.expose().len(), 1_000);
                text.expose().bytes().for_each(|byte| *counts.entry(byte).or_default() += 1);
            }
            assert!(counts.keys().all(|byte| set.contains(byte)));
            assert_eq!(counts.len(), set.len());
            // Each is expected 100,000 / n times; five standard deviations either way.
            let expected = 100_000.0 / f64::from(u32::try_from(set.len()).unwrap());
            let far = counts.values().find(|count| (f64::from(**count) - expected).abs() > 5.0 * expected.sqrt());
            assert_eq!(far, None, "{charset:?}");
        }
    }

    #[test]
    fn what_databases_and_urls_refuse_is_never_in_it() {
        let set = characters(Charset::Printable);
        assert!(b" \"'@/\\".iter().all(|byte| !set.contains(byte)) && set.len() == 88);
    }
}
