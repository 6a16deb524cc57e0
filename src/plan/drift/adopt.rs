//! The edit of a template that would accept a difference, as a unified diff.

use std::fmt::Write as _;

use super::HIDDEN;
use crate::model::{Finding, FromParameter, StackSpec};
use crate::template;

/// Lines around the one that changes.
const AROUND: usize = 2;

/// What would have to be changed in the template, where it writes the property as a plain value.
#[must_use]
pub fn adopted(spec: &StackSpec, finding: &Finding) -> Option<String> {
    let (resource, path, live) = (finding.resource.as_ref()?, finding.property.as_ref()?, finding.live.as_ref()?);
    let secret = live == HIDDEN || finding.expected.as_deref() == Some(HIDDEN);
    let structured = live.trim_start().starts_with(['{', '[']);
    if !finding.is_drift() || secret || structured || matches!(live.as_str(), "null" | "") || live.contains('\n') {
        return None;
    }
    let body = &*spec.template.body;
    let found = template::written(body, resource, path)?;
    let quoted = || serde_json::to_string(live).unwrap_or_default();
    let simple = live.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.' | b'/'));
    let value = if found.plain && simple { live.clone() } else { quoted() };
    let edited = format!("{}{value}{}", body.get(..found.start)?, body.get(found.end..)?);
    let row = body.get(..found.start)?.matches('\n').count();
    Some(diff(&spec.template_file, body, &edited, row))
}

/// The parameter that the property's value comes from, and where that is given. A secret is named and never shown.
#[must_use]
pub fn from_parameter(spec: &StackSpec, finding: &Finding) -> Option<FromParameter> {
    let (resource, path) = (finding.resource.as_ref()?, finding.property.as_ref()?);
    let name = template::parameter(&spec.template.body, resource, path)?;
    let given = spec.given.iter().find(|(of, _)| *of == name).map(|(_, at)| at.clone());
    Some(FromParameter { name, given })
}

/// The diff of two texts that differ in one line (counted from zero).
fn diff(file: &str, before: &str, after: &str, line: usize) -> String {
    let (old, new): (Vec<&str>, Vec<&str>) = (before.lines().collect(), after.lines().collect());
    let from = line.saturating_sub(AROUND);
    let until = (line + AROUND + 1).min(old.len());
    let length = until.saturating_sub(from);
    let mut text = format!("--- a/{file}\n+++ b/{file}\n@@ -{0},{length} +{0},{length} @@\n", from + 1);
    for (index, same) in old.iter().enumerate().take(until).skip(from) {
        if index == line {
            let changed = new.get(index).copied().unwrap_or_default();
            let _ = write!(text, "-{same}\n+{changed}\n");
        } else {
            let _ = writeln!(text, " {same}");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_diff_changes_the_one_line_that_writes_it() {
        let before = "a: 1\nb: 2\nc: 7\nd: 4\ne: 5\nf: 6\n";
        insta::assert_snapshot!(diff("t.yaml", before, &before.replace('7', "30"), 2), @r"
        --- a/t.yaml
        +++ b/t.yaml
        @@ -1,5 +1,5 @@
         a: 1
         b: 2
        -c: 7
        +c: 30
         d: 4
         e: 5
        ");
    }
}
