//! What adoption says on the terminal: what was written, what was left out and why, what to do next.

use std::fmt::Write as _;

use super::survey::{Ask, Left};
use super::write::Written;

/// The kinds of documents, in the order in which they are told.
const KINDS: [(&str, &str); 5] = [
    ("stacks", "stack"),
    ("services", "service"),
    ("secrets", "secret"),
    ("records", "DNS record"),
    ("backups", "backup policy"),
];

/// The text. `directory` is the environment's, and `arguments` those that lead the next commands there.
#[must_use]
pub fn summary(written: &Written, ask: &Ask, directory: &str, arguments: &str) -> String {
    let counts = KINDS.iter().filter_map(|(plural, noun)| {
        let count = written.counts.get(plural).copied().filter(|count| *count > 0)?;
        Some(many(count, noun))
    });
    let counts: Vec<String> = counts.collect();
    let counts = if counts.is_empty() { "nothing".to_owned() } else { counts.join(", ") };
    let mut text = format!("{} in {}: {counts}.\n\nWritten to {directory}:\n", ask.environment, ask.scope);
    for file in written.files.keys() {
        let _ = writeln!(text, "  {file}");
    }
    for (partial, head) in [(true, "Missing"), (false, "Left out")] {
        let which: Vec<&Left> = written.left.iter().filter(|left| left.partial == partial).collect();
        if !which.is_empty() {
            let _ = writeln!(text, "\n{head}:");
            for left in which {
                let _ = writeln!(text, "  {}: {}", left.what, left.why);
            }
        }
    }
    let mut notes = Vec::new();
    if written.kept > 0 {
        let keeps = if written.kept == 1 { "keeps its value" } else { "keep their values" };
        notes.push(format!("{} declared NoEcho {keeps}: AWS does not show it.", many(written.kept, "parameter")));
    }
    let proposed = written.counts.get("services proposed").copied().unwrap_or(0);
    if proposed > 0 {
        let is = if proposed == 1 { "is" } else { "are" };
        notes.push(format!(
            "{} {is} proposed in services.yaml as comments: when activated, each is deployed once.",
            many(proposed, "service")
        ));
    }
    if !written.large.is_empty() {
        notes.push(format!("Set `templateBucket` first: the template of {} is large.", written.large.join(", ")));
    }
    if !notes.is_empty() {
        let _ = writeln!(text, "\n{}", notes.join("\n"));
    }
    let environment = &ask.environment;
    let _ = write!(
        text,
        "\nNext:\n  landfast validate{arguments}\n  landfast plan {environment}{arguments}                    # only \
         `adopt`: sets the owner tag\n  landfast apply {environment}{arguments} --plan DIGEST     # applies exactly \
         this plan\n"
    );
    text
}

fn many(count: usize, noun: &str) -> String {
    match (count, noun.strip_suffix('y')) {
        (1, _) => format!("1 {noun}"),
        (_, Some(stem)) => format!("{count} {stem}ies"),
        _ => format!("{count} {noun}s"),
    }
}
