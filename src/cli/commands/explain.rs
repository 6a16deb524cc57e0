//! `landfast explain`: what a code or a message means, as the book's page *Troubleshooting by message* says it.

use std::fmt::Write as _;

use crate::cli::args::Global;
use crate::cli::exit::{Exit, Trouble};
use crate::cli::terminal;
use crate::model::nearest;
use crate::report::Paint;

/// The page. It is the program's too, so that both say the same.
const PAGE: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/src/reference/troubleshooting.md"));

/// More than this are only named.
const MOST: usize = 3;

pub(super) fn run(global: &Global, words: &[String]) -> Result<Exit, Trouble> {
    let wanted = words.join(" ");
    let entries = entries(PAGE);
    let exact: Vec<&Entry> = entries.iter().filter(|entry| entry.is(&wanted)).collect();
    let found = if exact.is_empty() { entries.iter().filter(|entry| entry.mentions(&wanted)).collect() } else { exact };
    if found.is_empty() {
        let names = entries.iter().flat_map(|entry| entry.names.iter().copied());
        let near = nearest(&wanted, names).map(str::to_owned);
        return Err(Trouble::NoSuchCode { name: wanted, near });
    }
    let paint = terminal::paint(global);
    let mut text = found.iter().take(MOST).map(|entry| entry.text(paint)).collect::<Vec<_>>().join("\n");
    if let Some(rest) = found.get(MOST..).filter(|rest| !rest.is_empty()) {
        let names: Vec<&str> = rest.iter().filter_map(|entry| entry.names.first().copied()).collect();
        let _ = writeln!(text, "\nAlso: {}", names.join(", "));
    }
    terminal::page(global, &text)?;
    Ok(Exit::Done)
}

/// One thing that is explained.
struct Entry<'p> {
    /// The section of the page.
    section: &'p str,
    /// Codes, or a message.
    names: Vec<&'p str>,
    /// The explanation, in Markdown.
    body: String,
}

impl Entry<'_> {
    fn is(&self, wanted: &str) -> bool {
        self.names.iter().any(|name| name.eq_ignore_ascii_case(wanted))
    }

    fn mentions(&self, wanted: &str) -> bool {
        let wanted = wanted.to_lowercase();
        let parts = |name: &str| name.to_lowercase().split('…').map(|part| part.trim().to_owned()).collect::<Vec<_>>();
        // A whole message may be given for one that the page has with gaps.
        self.names.iter().any(|name| {
            let parts = parts(name);
            name.to_lowercase().contains(&wanted) || parts.iter().all(|part| part.len() > 3 && wanted.contains(part))
        })
    }

    fn text(&self, paint: Paint) -> String {
        format!("{} ({})\n{}\n", paint.title(self.names.join(", ")), self.section, plain(&self.body))
    }
}

fn entries(page: &str) -> Vec<Entry<'_>> {
    let mut found: Vec<Entry<'_>> = Vec::new();
    let mut section = "";
    let mut columns: Vec<&str> = Vec::new();
    for line in page.lines() {
        if let Some(title) = line.strip_prefix("## ") {
            section = title;
            columns.clear();
        } else if let Some(title) = line.strip_prefix("### ") {
            found.push(Entry { section, names: names(title), body: String::new() });
            columns.clear();
        } else if let Some(row) = line.strip_prefix("| ") {
            let cells: Vec<&str> = row.trim_end_matches('|').split(" | ").map(str::trim).collect();
            match cells.split_first() {
                Some((first, rest)) if !columns.is_empty() && first.starts_with('`') => {
                    let lines = columns.iter().skip(1).zip(rest).map(|(column, cell)| format!("{column}: {cell}"));
                    found.push(Entry { section, names: names(first), body: lines.collect::<Vec<_>>().join("\n") });
                }
                _ => columns = cells,
            }
        } else if !line.starts_with('|')
            && columns.is_empty()
            && let Some(entry) = found.last_mut().filter(|entry| entry.section == section)
        {
            entry.body.push_str(line);
            entry.body.push('\n');
        }
    }
    found
}

/// What stands in backticks; a title without them is a name itself.
fn names(text: &str) -> Vec<&str> {
    let names: Vec<&str> = text.split('`').skip(1).step_by(2).collect();
    if names.is_empty() { vec![text] } else { names }
}

/// Markdown as a terminal shows it: links are their texts, and nothing is bold.
fn plain(markdown: &str) -> String {
    let mut text = String::new();
    let mut rest = markdown;
    while let Some((before, after)) = rest.split_once('[') {
        text.push_str(before);
        match after.split_once("](").and_then(|(label, url)| Some((label, url.split_once(')')?.1))) {
            Some((label, behind)) if !label.contains('\n') => {
                text.push_str(label);
                rest = behind;
            }
            _ => {
                text.push('[');
                rest = after;
            }
        }
    }
    text.push_str(rest);
    let text = text.replace("**", "");
    let lines = text.trim().lines().map(|line| if line.is_empty() { String::new() } else { format!("  {line}") });
    lines.collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_and_a_message_are_found_and_said_without_markup() {
        let entries = entries(PAGE);
        let find = |wanted: &str| entries.iter().find(|entry| entry.is(wanted)).unwrap().text(Paint::Plain);
        let code = find("unknown-field");
        assert!(
            code.starts_with("unknown-field (Manifests)\n  Cause: ") && code.contains("\n  What to do: "),
            "{code}"
        );
        assert!(!code.contains("]("), "{code}");
        assert!(find("missing").contains("Refused steps"));
        let message = entries.iter().find(|entry| entry.mentions("the plan is aaaa-bbbb, not cccc-dddd")).unwrap();
        assert!(message.text(Paint::Plain).contains("Cause: the plan differs"));
        assert!(entries.len() > 60, "{}", entries.len());
    }
}
