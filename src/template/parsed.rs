//! Templates that were parsed lately.
//!
//! A stack that is created or updated is judged again in every round of every look, and its template is the same each time.

use std::sync::Arc;

use serde_json::Value;

use super::canonical::canonical;
use super::memo::Memo;
use crate::model::Digest;
use crate::yaml;

/// Texts of so many bytes are kept in all: those of an environment of a few hundred stacks.
const BYTES_MAX: usize = 4 << 20;

static KEPT: Memo<Digest, Arc<Value>> = Memo::new(BYTES_MAX);

/// The canonical form of a template and the digest of its text; nothing of a text that cannot be read.
pub(super) fn parsed(body: &str) -> (Digest, Arc<Value>) {
    let digest = Digest::of_bytes(body.as_bytes());
    let known = KEPT.get(&digest);
    let tree = known.unwrap_or_else(|| {
        let root = yaml::parse(body).documents.into_iter().next().map(|document| canonical(&document.root));
        let tree = Arc::new(root.unwrap_or(Value::Null));
        KEPT.keep(digest.clone(), Arc::clone(&tree), body.len());
        tree
    });
    (digest, tree)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_parsed_once() {
        let text = |number: usize| format!("Resources: {{ Parsed{number}: {{ Type: AWS::SNS::Topic }} }}\n");
        let (digest, tree) = parsed(&text(0));
        assert_eq!((digest, tree), parsed(&text(0)));
        assert_ne!(parsed(&text(0)), parsed(&text(1)));
    }
}
