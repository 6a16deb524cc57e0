//! Text in which some parts are known only after another stack is ready.

use serde::Serialize;

use super::{Key, Kind};

/// `${stacks.network.outputs.VpcId}`: an output of another stack; or `${secrets.keys.arn}`, which a secret has as if it
/// were its one output.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct OutputRef {
    /// The stack (or secret) that has the output; also a dependency.
    pub stack: Key,
    /// The output's key.
    pub output: String,
}

/// A piece of a [`Text`].
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Part {
    /// Known when the manifests are loaded.
    Literal(String),
    /// Known when that stack is ready.
    Output(OutputRef),
}

/// A string as a manifest gives it, once `${env}`, `${values.…}` and `${parameters.…}` are filled in. What is left are
/// references to outputs.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(transparent)]
pub struct Text(Vec<Part>);

impl Text {
    /// A text of these parts; neighbouring literals are joined so that equal texts compare equal.
    #[must_use]
    pub fn new(parts: impl IntoIterator<Item = Part>) -> Self {
        let mut joined: Vec<Part> = Vec::new();
        for part in parts {
            match (joined.last_mut(), part) {
                (Some(Part::Literal(before)), Part::Literal(after)) => before.push_str(&after),
                (_, Part::Literal(text)) if text.is_empty() => {}
                (_, part) => joined.push(part),
            }
        }
        Self(joined)
    }

    /// A text that is wholly known.
    #[must_use]
    pub fn literal(text: impl Into<String>) -> Self {
        Self::new([Part::Literal(text.into())])
    }

    /// Its parts, in order.
    #[must_use]
    pub fn parts(&self) -> &[Part] {
        &self.0
    }

    /// The outputs it refers to.
    pub fn references(&self) -> impl Iterator<Item = &OutputRef> {
        self.0.iter().filter_map(|part| match part {
            Part::Output(reference) => Some(reference),
            Part::Literal(_) => None,
        })
    }

    /// The text, where nothing in it has to be looked up.
    #[must_use]
    pub fn as_literal(&self) -> Option<&str> {
        match self.0.as_slice() {
            [] => Some(""),
            [Part::Literal(text)] => Some(text),
            _ => None,
        }
    }

    /// The whole text, with each reference replaced by what `lookup` knows.
    ///
    /// # Errors
    /// The first reference that `lookup` does not know.
    pub fn resolve(&self, lookup: impl Fn(&OutputRef) -> Option<String>) -> Result<String, &OutputRef> {
        let mut text = String::new();
        for part in &self.0 {
            match part {
                Part::Literal(literal) => text.push_str(literal),
                Part::Output(reference) => text.push_str(&lookup(reference).ok_or(reference)?),
            }
        }
        Ok(text)
    }
}

impl std::fmt::Display for Text {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.iter().try_for_each(|part| match part {
            Part::Literal(text) => f.write_str(text),
            Part::Output(OutputRef { stack, output }) if stack.kind == Kind::Secret => {
                write!(f, "${{secrets.{}.{output}}}", stack.name)
            }
            Part::Output(OutputRef { stack, output }) => write!(f, "${{stacks.{}.outputs.{output}}}", stack.name),
        })
    }
}
