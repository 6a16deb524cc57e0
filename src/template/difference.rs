//! Where the properties of a resource differ, and how.

use serde_json::Value;

use super::canonical::shown;

/// So many differences of one resource are listed; a person looks at the whole after that.
const DIFFERENCES_MAX: usize = 100;

/// One place at which two values differ.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Differing {
    /// Where: `/Tags/0/Value`.
    pub path: String,
    /// What it was; none: it was not there.
    pub before: Option<String>,
    /// What it becomes; none: it goes.
    pub after: Option<String>,
}

/// The places at which two values differ, as deep as both have the same shape. A number and a text that reads the same are
/// equal: CloudFormation takes one for the other.
#[must_use]
pub fn differing(before: &Value, after: &Value) -> Vec<Differing> {
    let mut found = Vec::new();
    walk(String::new(), Some(before), Some(after), &mut found);
    found
}

fn walk(path: String, before: Option<&Value>, after: Option<&Value>, found: &mut Vec<Differing>) {
    if before == after || found.len() >= DIFFERENCES_MAX {
        return;
    }
    match (before, after) {
        (Some(Value::Object(old)), Some(Value::Object(new))) => {
            let gone = old.keys().filter(|key| !new.contains_key(*key));
            for key in new.keys().chain(gone) {
                walk(format!("{path}/{}", escaped(key)), old.get(key), new.get(key), found);
            }
        }
        (Some(Value::Array(old)), Some(Value::Array(new))) if old.len() == new.len() => {
            for (index, (old, new)) in old.iter().zip(new).enumerate() {
                walk(format!("{path}/{index}"), Some(old), Some(new), found);
            }
        }
        (before, after) => {
            let (before, after) = (before.and_then(text), after.and_then(text));
            if before != after {
                found.push(Differing { path, before, after });
            }
        }
    }
}

/// As in a JSON pointer (RFC 6901).
fn escaped(key: &str) -> String {
    key.replace('~', "~0").replace('/', "~1")
}

fn text(value: &Value) -> Option<String> {
    if value.is_null() {
        return None;
    }
    Some(shown(value).unwrap_or_else(|| value.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn differences_are_named_as_deep_as_the_shapes_are_the_same() {
        let before = json!({"A": 1, "B": {"C": "x", "D": [1, 2]}, "L": [1], "Gone": true});
        let after = json!({"A": "1", "B": {"C": "y", "D": [1, 3]}, "L": [1, 2], "a/b": "n"});
        let found: Vec<_> =
            differing(&before, &after).into_iter().map(|one| (one.path, one.before, one.after)).collect();
        let some = |text: &str| Some(text.to_owned());
        assert_eq!(
            found,
            [
                ("/B/C".to_owned(), some("x"), some("y")),
                ("/B/D/1".to_owned(), some("2"), some("3")),
                ("/L".to_owned(), some("[1]"), some("[1,2]")),
                ("/a~1b".to_owned(), None, some("n")),
                ("/Gone".to_owned(), some("true"), None),
            ]
        );
    }
}
