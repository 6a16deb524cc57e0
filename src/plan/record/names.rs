//! The marker beside a record set: a TXT record that says whose it is.
//!
//! It stands under a name of its own, so that it never meets a CNAME, and one for each type and set identifier, so that
//! record sets of one name may belong to different objects. Both change in one batch.

use crate::model::{DOMAIN_MAX, Digest, DnsName, Key, RecordContent, RecordPlace, RecordSet, RecordsOf, SetRouting};

/// The first label of a marker's name, before the type.
const PREFIX: &str = "_landfast-";

/// Seconds that resolvers may remember a marker: nobody asks for it.
const TTL: u32 = 300;

/// The longest set identifier that is put into a label as it is: a label has 63 characters (RFC 1035).
const READABLE: usize = 40;

/// Where the marker of a record set is: below the record's own name, and where that would be longer than a name may be,
/// below the first of the domains above it where it is not.
pub(super) fn marker_of(place: &RecordPlace) -> RecordsOf {
    let kind = place.of.kind.to_ascii_lowercase();
    let label = match place.set.as_deref() {
        None => format!("{PREFIX}{kind}"),
        Some(set) if is_readable(set) => format!("{PREFIX}{kind}-{set}"),
        Some(set) => format!("{PREFIX}{kind}--{}", Digest::of(set).as_str().get(..16).unwrap_or_default()),
    };
    let name = &place.of.name;
    let own = name.below(&label);
    let fits = |marker: &DnsName| marker.len() <= DOMAIN_MAX;
    if fits(&own) {
        return RecordsOf { name: own, kind: "TXT".to_owned() };
    }
    // There it stands among those of other records, so the whole name is in it.
    let digest = Digest::of(&(name, place.set.as_deref()));
    let label = format!("{PREFIX}{kind}--{}", digest.as_str().get(..32).unwrap_or_default());
    let above = std::iter::successors(name.above(), DnsName::above).map(|above| above.below(&label)).find(fits);
    RecordsOf { name: above.unwrap_or(own), kind: "TXT".to_owned() }
}

/// It tells set identifiers apart in a name, which has no capitals; and it is not taken for a digest.
fn is_readable(set: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    (1..=READABLE).contains(&set.len()) && !set.starts_with('-') && set.bytes().all(plain)
}

/// The marker that says that a record set is this object's.
pub(super) fn marker(of: &RecordsOf, key: &Key) -> RecordSet {
    RecordSet {
        of: of.clone(),
        set: None,
        content: RecordContent::Values {
            values: vec![format!("\"heritage=landfast,landfast/owner={key}\"")],
            ttl: TTL,
        },
        routing: SetRouting::Simple,
        health_check: None,
    }
}

/// Whose a marker says the record set is; `None` if it is no marker.
pub(super) fn owner(marker: &RecordSet) -> Option<&str> {
    let RecordContent::Values { values, .. } = &marker.content else { return None };
    let [value] = values.as_slice() else { return None };
    let fields = value.strip_prefix("\"heritage=landfast,")?.strip_suffix('"')?;
    fields.split(',').find_map(|field| field.strip_prefix("landfast/owner="))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::DnsName;

    fn place(kind: &str, set: Option<&str>) -> RecordPlace {
        RecordPlace {
            scope: crate::model::Scope {
                account: "111122223333".parse().unwrap(),
                region: "us-east-1".parse().unwrap(),
            },
            zone: "Z1".parse().unwrap(),
            of: RecordsOf { name: DnsName::new("api.example.com"), kind: kind.to_owned() },
            set: set.map(str::to_owned),
        }
    }

    #[test]
    fn a_marker_has_a_name_of_its_own_for_each_type_and_set() {
        let name = |kind, set| marker_of(&place(kind, set)).name.to_string();
        assert_eq!(name("CNAME", None), "_landfast-cname.api.example.com");
        assert_eq!(name("A", Some("blue-1")), "_landfast-a-blue-1.api.example.com");
        assert!(name("A", Some("Blue 1")).starts_with("_landfast-a--"));
        assert_ne!(name("A", Some("Blue")), name("A", Some("bLUE")));
        assert!(name("A", Some(&"x".repeat(128))).split('.').next().unwrap().len() < 63);
    }

    #[test]
    fn a_marker_is_never_longer_than_a_name_may_be() {
        let mut seen = std::collections::BTreeSet::new();
        for length in 200..=DOMAIN_MAX {
            for (kind, set) in [("A", None), ("CNAME", None), ("AAAA", Some("x".repeat(40)))] {
                let tail = format!(".{}.{}.{}.example.com", "a".repeat(60), "b".repeat(60), "c".repeat(20));
                let first = "d".repeat(length - tail.len());
                let name = if first.len() > 60 { format!("{}.{}", &first[..50], &first[51..]) } else { first };
                let of = RecordsOf { name: DnsName::new(&format!("{name}{tail}")), kind: kind.to_owned() };
                assert_eq!(of.name.len(), length);
                let marker = marker_of(&RecordPlace { of, set, ..place(kind, None) }).name;
                assert!(marker.len() <= DOMAIN_MAX && marker.is_within(&DnsName::new("example.com")), "{marker}");
                assert!(marker.as_str().split('.').all(|label| label.len() <= 63), "{marker}");
                assert!(seen.insert(marker.clone()), "two records have the marker {marker}");
            }
        }
    }

    #[test]
    fn a_marker_says_whose_it_is_and_nothing_else_does() {
        let key: Key = "dev/dnsrecord/api".parse().unwrap();
        let of = marker_of(&place("A", None));
        let ours = marker(&of, &key);
        assert_eq!(owner(&ours), Some("dev/dnsrecord/api"));
        for text in ["\"heritage=external-dns,external-dns/owner=x\"", "heritage=landfast,landfast/owner=x", "\"\""] {
            let content = RecordContent::Values { values: vec![text.to_owned()], ttl: 1 };
            assert_eq!(owner(&RecordSet { content, ..ours.clone() }), None, "{text}");
        }
    }
}
