//! JSON where the YAML reader gave up: a tree without positions.

use std::collections::BTreeSet;
use std::fmt;

use serde::de::{Deserialize, DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};

use super::node::MAX_DEPTH;
use super::{Content, Document, Entry, Fault, FaultKind, Node, Span};

/// The document, if the text is JSON.
pub(super) fn parse(text: &str) -> Option<Document> {
    let mut reader = serde_json::Deserializer::from_str(text);
    let mut faults = Vec::new();
    let root = Tree { depth: 0, faults: &mut faults }.deserialize(&mut reader).ok()?;
    reader.end().ok()?;
    Some(Document { root, faults })
}

struct Tree<'f> {
    depth: usize,
    faults: &'f mut Vec<Fault>,
}

fn scalar(text: String, plain: bool) -> Node {
    Node::scalar(text, plain, Span::default())
}

impl<'de> DeserializeSeed<'de> for Tree<'_> {
    type Value = Node;

    fn deserialize<D: Deserializer<'de>>(self, reader: D) -> Result<Node, D::Error> {
        if self.depth > MAX_DEPTH {
            return Err(D::Error::custom("nested too deeply"));
        }
        reader.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Tree<'_> {
    type Value = Node;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Node, E> {
        Ok(scalar("null".to_owned(), true))
    }

    fn visit_bool<E>(self, value: bool) -> Result<Node, E> {
        Ok(scalar(value.to_string(), true))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Node, E> {
        Ok(scalar(value.to_string(), true))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Node, E> {
        Ok(scalar(value.to_string(), true))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Node, E> {
        Ok(scalar(format!("{value:?}"), true))
    }

    fn visit_str<E>(self, value: &str) -> Result<Node, E> {
        Ok(scalar(value.to_owned(), false))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Node, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = access.next_element_seed(Tree { depth: self.depth + 1, faults: self.faults })? {
            items.push(item);
        }
        Ok(Node { content: Content::Sequence(items), tag: None, span: Span::default() })
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Node, A::Error> {
        let (mut entries, mut keys) = (Vec::new(), BTreeSet::new());
        while let Some(Key(key)) = access.next_key::<Key>()? {
            let value = access.next_value_seed(Tree { depth: self.depth + 1, faults: self.faults })?;
            if keys.insert(key.clone()) {
                entries.push(Entry { key, key_span: Span::default(), value });
            } else {
                let message = format!("duplicate key `{key}`");
                self.faults.push(Fault { kind: FaultKind::DuplicateKey, message, span: Span::default() });
            }
        }
        Ok(Node { content: Content::Mapping(entries), tag: None, span: Span::default() })
    }
}

struct Key(String);

impl<'de> Deserialize<'de> for Key {
    fn deserialize<D: Deserializer<'de>>(reader: D) -> Result<Self, D::Error> {
        String::deserialize(reader).map(Self)
    }
}
