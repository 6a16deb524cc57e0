//! Templates that were lately filled in with values, and what one gives that another one did not.
//!
//! Both follow from the text of a template and its values alone, and both are asked in every round of every look, of every
//! stack that is to be created or updated. So they are worked out once for each text and values.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value;

use super::access::broadened;
use super::evaluate::{Evaluated, Known, Tree, Values, evaluate};
use super::memo::Memo;
use super::parsed::parsed;
use crate::model::{Broadening, Digest};

/// So many bytes are kept of each kind: those of an environment of a few hundred stacks.
const BYTES_MAX: usize = 16 << 20;

/// The text of a template, and what it is filled in with.
type Question = (Digest, Values);

/// What was there, if anything, and what comes.
type Pair = (Option<Arc<Question>>, Arc<Question>);

static FILLED: Memo<Question, Arc<Filled>> = Memo::new(BYTES_MAX);
static GIVEN: Memo<Pair, Arc<[Broadening]>> = Memo::new(BYTES_MAX);

/// A template with its loops unrolled, where they can be, and its values filled in, as far as they are known.
#[derive(Debug)]
pub struct Filled {
    of: Arc<Question>,
    /// The resources that exist with these values, or may exist.
    pub resources: BTreeMap<String, Evaluated>,
    /// A macro makes something of it that is not seen in it.
    pub transformed: bool,
}

/// Fills a template in.
#[must_use]
pub fn filled(body: &str, values: Values) -> Arc<Filled> {
    let (digest, whole) = parsed(body);
    let question = (digest, values);
    if let Some(known) = FILLED.get(&question) {
        return known;
    }
    let tree = Tree(whole).unrolled(&question.1);
    let resources = evaluate(&tree, &question.1);
    let weight = heavy(&question) + resources.values().map(|resource| size(&resource.properties)).sum::<usize>();
    let made = Arc::new(Filled { of: Arc::new(question.clone()), resources, transformed: tree.is_transformed() });
    FILLED.keep(question, Arc::clone(&made), weight);
    made
}

/// What the second gives that the first did not. Where there was no stack, everything is new.
#[must_use]
pub fn given(before: Option<&Filled>, after: &Filled) -> Arc<[Broadening]> {
    let question = (before.map(|before| Arc::clone(&before.of)), Arc::clone(&after.of));
    GIVEN.get(&question).unwrap_or_else(|| {
        let nothing = BTreeMap::new();
        let found = broadened(before.map_or(&nothing, |before| &before.resources), &after.resources);
        let texts = |one: &Broadening| one.resource.len() + one.kind.len() + one.property.len() + one.grants.len();
        let sides = question.0.iter().chain([&question.1]).map(|side| heavy(side));
        let weight = sides.chain(found.iter().map(|one| EACH + texts(one))).sum();
        let found: Arc<[Broadening]> = found.into();
        GIVEN.keep(question, Arc::clone(&found), weight);
        found
    })
}

/// What a value takes beside its text, about.
const EACH: usize = 64;

fn heavy((_, values): &Question) -> usize {
    let text = |known: &Known| if let Known::Text(text) = known { text.len() } else { 0 };
    let parameters = values.parameters.iter().map(|(name, known)| EACH + name.len() + text(known));
    4 * EACH + parameters.sum::<usize>()
}

fn size(value: &Value) -> usize {
    EACH + match value {
        Value::String(text) => text.len(),
        Value::Array(items) => items.iter().map(size).sum(),
        Value::Object(entries) => entries.iter().map(|(key, item)| EACH + key.len() + size(item)).sum(),
        Value::Null | Value::Bool(_) | Value::Number(_) => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROLE: &str = "Parameters: { Who: { Type: String } }\nResources:\n  R: { Type: AWS::SQS::QueuePolicy, Properties: \
                        { PolicyDocument: { Statement: [{ Effect: Allow, Action: '*', Principal: !Ref Who }] } } }\n";

    fn with(who: &str) -> Values {
        Values { parameters: BTreeMap::from([("Who".to_owned(), Known::Text(who.to_owned()))]), ..Values::default() }
    }

    #[test]
    fn a_template_is_filled_in_once_for_each_text_and_values() {
        let (one, other) = (filled(ROLE, with("filled")), filled(ROLE, with("*")));
        assert!(Arc::ptr_eq(&one, &filled(ROLE, with("filled"))));
        assert_ne!(one.resources, other.resources);
        let commented = filled(&format!("{ROLE}# filled\n"), with("filled"));
        assert_eq!(one.resources, commented.resources);
    }

    #[test]
    fn what_is_given_is_what_the_comparison_says() {
        let (one, other) = (filled(ROLE, with("given")), filled(ROLE, with("*")));
        for _ in 0..2 {
            assert_eq!(given(Some(&one), &other).to_vec(), broadened(&one.resources, &other.resources));
            assert_eq!(given(None, &other).to_vec(), broadened(&BTreeMap::new(), &other.resources));
            assert!(given(Some(&one), &one).is_empty());
        }
        assert_ne!(given(Some(&one), &other), given(None, &one));
    }
}
