//! Patterns, as ARNs, policies and selections of AWS have them.

use wildmatch::WildMatch;

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
