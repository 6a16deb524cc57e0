//! Patterns, as ARNs, policies and selections of AWS have them.

use regex::{Regex, RegexBuilder};
use wildmatch::WildMatch;

/// What a compiled regular expression of somebody else may take: the tag of an image fits (127 letters of any script), nested
/// repetitions by the hundred do not. Matching takes its size times the length of the text.
const EXPRESSION: usize = 10 << 20;
/// The same where the text is an answer of a web server.
const OF_ANSWERS: usize = 256 << 10;

/// A regular expression that others wrote, which a text must match as a whole.
pub fn whole(pattern: &str) -> Result<Regex, regex::Error> {
    RegexBuilder::new(&format!("^(?:{pattern})$")).size_limit(EXPRESSION).dfa_size_limit(EXPRESSION).build()
}

/// A regular expression that others wrote, which is looked for in an answer of 64 KiB at most.
pub fn anywhere(pattern: &str) -> Result<Regex, regex::Error> {
    RegexBuilder::new(pattern).size_limit(OF_ANSWERS).dfa_size_limit(EXPRESSION).build()
}

/// Whether a text is like a pattern, in which `*` is any text and `?` any character (AWS: *IAM JSON policy elements:
/// `Resource`*).
#[must_use]
pub fn like(pattern: &str, text: &str) -> bool {
    WildMatch::new(pattern).matches(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_people_write_fits_and_a_bomb_does_not() {
        let image = whole(r"[a-z0-9][a-z0-9./_-]+(:[\w][\w.-]{0,127})?(@sha256:[0-9a-f]{64})?").unwrap();
        assert!(image.is_match("111122223333.dkr.ecr.us-east-1.amazonaws.com/app:1.2.3"));
        for bomb in [r"((\w{1,100}){1,100}){1,100}", "(((a{100}){100}){100}){100}", r"[^\x00]{1,100000}"] {
            assert!(whole(bomb).is_err() && anywhere(bomb).is_err(), "{bomb}");
        }
        assert!(anywhere(r#""status":\s*"(UP|ok)""#).is_ok());
    }

    #[test]
    fn a_pattern_is_like_what_it_can_become() {
        for (pattern, text, fits) in [
            ("", "", true),
            ("*", "", true),
            ("*", "arn:x", true),
            ("a*c", "abc", true),
            ("a*c", "abcd", false),
            ("a?c", "ac", false),
            ("a?c", "abc", true),
            ("arn:aws:dynamodb:*:*:table/dev-*", "arn:aws:dynamodb:us-east-1:111122223333:table/dev-A", true),
            ("arn:aws:dynamodb:*:*:table/dev-*", "arn:aws:dynamodb:us-east-1:111122223333:table/prod-A", false),
            ("**b*", "aab", true),
            ("*", "anything", true),
            ("dev-*", "dev-network", true),
            ("dev-*", "prod-network", false),
            ("*-network", "dev-network", true),
            ("dev-*-x*", "dev-a-b-xy", true),
            ("dev", "dev-network", false),
        ] {
            assert_eq!(like(pattern, text), fits, "{pattern} {text}");
        }
    }
}
