//! Templates that were parsed lately.
//!
//! A stack that is created or updated is judged again in every round of every look, and its template is the same each time.
//! What a text parses to depends on nothing else, so that it is kept is seen by nobody but the clock.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::Value;

use super::canonical::canonical;
use crate::model::Digest;
use crate::yaml;

/// Texts of so many bytes are kept in all: those of an environment of a few hundred stacks.
const BYTES_MAX: usize = 4 << 20;

#[derive(Default)]
struct Kept {
    trees: BTreeMap<Digest, Arc<Value>>,
    bytes: usize,
}

static KEPT: Mutex<Kept> = Mutex::new(Kept { trees: BTreeMap::new(), bytes: 0 });

/// The canonical form of a template; nothing of a text that cannot be read.
pub(super) fn parsed(body: &str) -> Arc<Value> {
    let digest = Digest::of_bytes(body.as_bytes());
    let known = KEPT.lock().unwrap_or_else(PoisonError::into_inner).trees.get(&digest).cloned();
    known.unwrap_or_else(|| {
        let root = yaml::parse(body).documents.into_iter().next().map(|document| canonical(&document.root));
        let tree = Arc::new(root.unwrap_or(Value::Null));
        let mut kept = KEPT.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.bytes + body.len() > BYTES_MAX {
            *kept = Kept::default();
        }
        if body.len() <= BYTES_MAX && kept.trees.insert(digest, Arc::clone(&tree)).is_none() {
            kept.bytes += body.len();
        }
        tree
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_parsed_once_and_what_is_kept_is_bounded() {
        let text = |number: usize| format!("Resources: {{ T{number}: {{ Type: AWS::SNS::Topic }} }}\n");
        assert!(Arc::ptr_eq(&parsed(&text(0)), &parsed(&text(0))));
        assert_ne!(parsed(&text(0)), parsed(&text(1)));
        let large = format!("{}# {}\n", text(2), "x".repeat(BYTES_MAX / 2));
        for number in 0..3 {
            parsed(&format!("{large}# {number}\n"));
            assert!(KEPT.lock().unwrap().bytes <= BYTES_MAX);
        }
    }
}
