//! YAML (and so JSON) as a tree in which every node knows where it stands.
//!
//! Templates and manifests are both read through here, so that limits, duplicate keys and positions are the same for
//! both. What a scalar means is left to the reader: a node keeps its text as written. Every input ends in bounded
//! time and memory: the nesting and the nodes that aliases may add are limited, and the caller limits the size.

mod json;
mod node;
mod read;

pub use node::{Content, Entry, Node, Place, Scalar, Span};
pub use read::{Document, Fault, FaultKind, Stream, parse};
