//! Where a template writes a property.

use crate::yaml::{self, Node};

/// A scalar in a template's text, and how it is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Written {
    /// The byte at which it begins.
    pub start: usize,
    /// The byte after it.
    pub end: usize,
    /// Without quotes.
    pub plain: bool,
}

/// The parameter whose value the property of a resource is, as it stands: `!Ref Name`.
#[must_use]
pub fn parameter(body: &str, resource: &str, path: &str) -> Option<String> {
    let stream = yaml::parse(body);
    let root = &stream.documents.first()?.root;
    let node = property(root, resource, path)?;
    let name = match node.tag.as_deref() {
        Some("Ref") => node.text()?,
        None if node.entries().len() == 1 => node.get("Ref")?.text()?,
        _ => return None,
    };
    root.get("Parameters")?.get(name)?;
    Some(name.to_owned())
}

fn property<'n>(root: &'n Node, resource: &str, path: &str) -> Option<&'n Node> {
    let mut node = root.get("Resources")?.get(resource)?.get("Properties")?;
    for part in path.split('/').filter(|part| !part.is_empty()) {
        node = match part.parse::<usize>() {
            Ok(index) if !node.items().is_empty() => node.items().get(index)?,
            _ => node.get(part)?,
        };
    }
    Some(node)
}

/// Where the property of a resource that a path leads to (`/Tags/0/Value`) is written. None, if it is not written there as
/// a plain value: it is left out, a parameter's, or another function's.
#[must_use]
pub fn written(body: &str, resource: &str, path: &str) -> Option<Written> {
    let stream = yaml::parse(body);
    let root = &stream.documents.first()?.root;
    let node = property(root, resource, path)?;
    let scalar = node.as_scalar().filter(|_| node.tag.is_none())?;
    let (start, end) = (node.span.start.offset, node.span.end);
    // One that goes over several lines is written in ways that a line cannot be put in the place of.
    let text = body.get(start..end)?;
    (!text.contains('\n') && !text.is_empty()).then_some(Written { start, end, plain: scalar.plain })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plain_value_is_found_where_it_is_written_and_nothing_else_is() {
        let body = "Resources:\n  Log:\n    Type: X\n    Properties:\n      Days: 7 # of them\n      Name: !Ref Name\n      \
                    Tags: [{ Key: a, Value: \"b c\" }]\n";
        let text = |path| written(body, "Log", path).map(|found| (&body[found.start..found.end], found.plain));
        assert_eq!(text("/Days"), Some(("7", true)));
        assert_eq!(text("/Tags/0/Value"), Some(("\"b c\"", false)));
        assert_eq!((text("/Name"), text("/Other"), text("/Tags")), (None, None, None));
        let body = format!("Parameters: {{ Name: {{ Type: String }} }}\n{body}");
        assert_eq!(parameter(&body, "Log", "/Name").as_deref(), Some("Name"));
        assert_eq!((parameter(&body, "Log", "/Days"), parameter(&body, "Log", "/Tags/0/Value")), (None, None));
        let json = r#"{"Resources":{"Log":{"Properties":{"Days":"7"}}}}"#;
        let found = written(json, "Log", "/Days").unwrap();
        assert_eq!(&json[found.start..found.end], "\"7\"");
    }
}
