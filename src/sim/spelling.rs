//! What names and identifiers are made of: the least that everything else of a template is read and written with.

use crate::model::Digest;

/// Names in `${…}` of a `Fn::Sub` text, without those written `${!…}`.
pub(super) fn sub_names(text: &str) -> impl Iterator<Item = &str> {
    text.split("${")
        .skip(1)
        .filter_map(|rest| rest.split_once('}'))
        .map(|(name, _)| name.trim())
        .filter(|name| !name.starts_with('!'))
}

/// The partition a region is in, and its domain.
pub(super) fn partition(region: &str) -> (&'static str, &'static str) {
    match region {
        _ if region.starts_with("us-gov-") => ("aws-us-gov", "amazonaws.com"),
        _ if region.starts_with("cn-") => ("aws-cn", "amazonaws.com.cn"),
        _ => ("aws", "amazonaws.com"),
    }
}

/// Hexadecimal digits that depend on all of `seed` and on nothing else.
pub(super) fn digits(seed: &[&str], length: usize) -> String {
    Digest::of(seed).as_str().chars().take(length).collect()
}

/// A UUID that depends on all of `seed` and on nothing else.
pub(super) fn uuid(seed: &[&str]) -> String {
    let hex = digits(seed, 32);
    let part = |from: usize, to: usize| hex.get(from..to).unwrap_or_default();
    format!("{}-{}-{}-{}-{}", part(0, 8), part(8, 12), part(12, 16), part(16, 20), part(20, 32))
}
