//! What other programs say of the record sets that they keep: a TXT record with `heritage=…` beside it.
//!
//! external-dns and those that follow its convention put it under the record's name, or under that name with something
//! in front of it or behind its first label (external-dns: *The TXT registry*, `--txt-prefix`, `--txt-suffix`): with the
//! record's type (`cname-api.example.com`), with a word of the operator's choice, or with both.

use std::collections::BTreeMap;

use super::{DnsName, RecordContent, RecordSet};

/// Who keeps record sets of these, by the record's name.
pub type Claims = BTreeMap<DnsName, Claim>;

/// Somebody's claim to a record set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim {
    /// Who: `external-dns (owner prod, ingress/default/api)`.
    pub by: String,
    /// The TXT record that says so.
    pub said_by: DnsName,
}

/// The claims that all record sets of a zone make. Our own markers are none.
#[must_use]
pub fn claims(sets: &[RecordSet]) -> Claims {
    let said: Vec<Claim> = sets.iter().filter_map(claim).collect();
    let mut claims = Claims::new();
    for claim in said {
        let kept = sets.iter().filter(|set| matches!(set.of.kind.as_str(), "A" | "AAAA" | "CNAME"));
        let meant = kept.map(|set| &set.of.name).filter(|name| speaks_of(&claim.said_by, name));
        // `cname-my-api` is of `my-api` and not of `api`.
        if let Some(name) = meant.max_by_key(|name| name.len()) {
            claims.entry(name.clone()).or_insert(claim);
        }
    }
    claims
}

fn claim(set: &RecordSet) -> Option<Claim> {
    let RecordContent::Values { values, .. } = &set.content else { return None };
    if set.of.kind != "TXT" {
        return None;
    }
    let by = values.iter().find_map(|value| heritage(value))?;
    Some(Claim { by, said_by: set.of.name.clone() })
}

/// `"heritage=external-dns,external-dns/owner=prod,external-dns/resource=ingress/default/api"`.
fn heritage(value: &str) -> Option<String> {
    let fields: Vec<(&str, &str)> =
        value.trim().trim_matches('"').split(',').filter_map(|field| field.trim().split_once('=')).collect();
    let tool = fields.iter().find(|(name, _)| *name == "heritage").map(|(_, tool)| *tool)?;
    let field = |name: &str| {
        let is = |(field, _): &&(&str, &str)| field.rsplit_once('/').is_some_and(|(_, last)| last == name);
        fields.iter().find(is).map(|(_, value)| *value)
    };
    if tool == "landfast" {
        return None;
    }
    let owner = field("owner").map(|owner| format!("owner {owner}"));
    let details: Vec<String> = owner.into_iter().chain(field("resource").map(str::to_owned)).collect();
    Some(if details.is_empty() { tool.to_owned() } else { format!("{tool} ({})", details.join(", ")) })
}

/// Whether a TXT record of this name may be there for a record of that one: below the same domain, the record's first
/// label is in it as a word.
fn speaks_of(text: &DnsName, record: &DnsName) -> bool {
    let Some((label, domain)) = record.as_str().split_once('.') else { return false };
    let before = text.as_str().strip_suffix(domain).and_then(|rest| rest.strip_suffix('.'));
    let Some(before) = before else { return false };
    let ends = |c: Option<char>| c.is_none_or(|c| matches!(c, '-' | '_' | '.'));
    before.match_indices(label).any(|(at, _)| {
        let (left, right) = (before.get(..at).unwrap_or_default(), before.get(at + label.len()..).unwrap_or_default());
        ends(left.chars().next_back()) && ends(right.chars().next())
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{RecordsOf, SetRouting};

    fn set(kind: &str, name: &str, value: &str) -> RecordSet {
        RecordSet {
            of: RecordsOf { name: DnsName::new(name), kind: kind.to_owned() },
            set: None,
            content: RecordContent::Values { values: vec![value.to_owned()], ttl: 300 },
            routing: SetRouting::Simple,
            health_check: None,
        }
    }

    const EXTERNAL_DNS: &str =
        "\"heritage=external-dns,external-dns/owner=prod,external-dns/resource=ingress/default/api\"";

    #[test]
    fn a_claim_is_recognised_wherever_its_text_stands() {
        for text in [
            "api.example.com",
            "a-api.example.com",
            "cname-api.example.com",
            "extdns-api.example.com",
            "extdns-cname-api.example.com",
            "extdns.api.example.com",
            "api-extdns.example.com",
            "a-api_txt.example.com",
        ] {
            let sets = [
                set("A", "api.example.com", "192.0.2.1"),
                set("A", "web.example.com", "192.0.2.1"),
                set("A", "pi.example.com", "192.0.2.1"),
                set("TXT", text, EXTERNAL_DNS),
            ];
            let found = claims(&sets);
            let of: Vec<&str> = found.keys().map(DnsName::as_str).collect();
            assert_eq!(of, ["api.example.com"], "{text}");
            assert_eq!(found[&DnsName::new("api.example.com")].by, "external-dns (owner prod, ingress/default/api)");
        }
    }

    #[test]
    fn a_claim_is_of_the_longest_name_and_of_no_other_domain() {
        let sets = |text: &str| {
            [
                set("CNAME", "api.example.com", "x"),
                set("CNAME", "my-api.example.com", "x"),
                set("CNAME", "*.example.com", "x"),
                set("CNAME", "api.other.com", "x"),
                set("TXT", text, EXTERNAL_DNS),
            ]
        };
        let of = |text: &str| claims(&sets(text)).keys().map(ToString::to_string).collect::<Vec<_>>();
        assert_eq!(of("cname-my-api.example.com"), ["my-api.example.com"]);
        assert_eq!(of("cname-*.example.com"), ["*.example.com"]);
        assert_eq!(of("cname-gone.example.com"), Vec::<String>::new());
    }

    #[test]
    fn other_texts_and_our_own_markers_claim_nothing() {
        for value in ["\"v=spf1 -all\"", "\"heritage=landfast,landfast/owner=dev/dnsrecord/api\"", "\"\""] {
            let sets = [set("A", "api.example.com", "192.0.2.1"), set("TXT", "api.example.com", value)];
            assert!(claims(&sets).is_empty(), "{value}");
        }
        let sets = [set("A", "api.example.com", "192.0.2.1"), set("TXT", "api.example.com", "\"heritage=other-tool\"")];
        assert_eq!(claims(&sets).into_values().next().unwrap().by, "other-tool");
    }
}
