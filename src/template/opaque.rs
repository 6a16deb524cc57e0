//! Texts that are compared without being understood.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::Value;

use crate::model::{Digest, TemplateFacts};

/// The digest of a JSON document in which neither white space nor the order of keys matters: a stack policy, which AWS
/// may give back laid out differently. What is not JSON counts as its text.
#[must_use]
pub fn json_digest(body: &str) -> Digest {
    match serde_json::from_str::<Value>(body) {
        Ok(mut value) => {
            value.sort_all_objects();
            Digest::of(&value)
        }
        Err(_) => Digest::of_bytes(body.as_bytes()),
    }
}

/// What is known of a deployed template that cannot be read: its digest, which equals that of no template that can.
#[must_use]
pub fn opaque_facts(body: &str) -> Arc<TemplateFacts> {
    Arc::new(TemplateFacts {
        digest: Digest::of_bytes(body.as_bytes()),
        outputs: BTreeMap::new(),
        resources: BTreeMap::new(),
        retained: BTreeSet::new(),
        gives_access: true,
        generated: true,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn layout_and_key_order_of_a_policy_do_not_matter_and_its_content_does() {
        assert_eq!(
            json_digest(r#"{"a": 1, "b": {"d": 2, "c": 3}}"#),
            json_digest("{\"b\":{\"c\":3,\"d\":2},\n\"a\":1}")
        );
        assert_ne!(json_digest(r#"{"a": 1}"#), json_digest(r#"{"a": 2}"#));
    }
}
