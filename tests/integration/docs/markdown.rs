//! Just enough Markdown to check our own pages: fenced blocks, inline code, headings, links.

use std::fs;
use std::path::{Path, PathBuf};

use regex::Regex;

/// A page, by its path in the repository.
#[derive(Debug, Clone)]
pub struct Page {
    /// `docs/src/guide/ci.md`
    pub path: String,
    pub text: String,
}

/// A block of code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Block {
    /// The line of its first line of code, from 1.
    pub line: usize,
    /// What is written behind the fence; `indented` for a block without one.
    pub language: String,
    pub lines: Vec<String>,
}

impl Block {
    pub fn text(&self) -> String {
        self.lines.iter().flat_map(|line| [line.as_str(), "\n"]).collect()
    }
}

pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

pub fn page(path: &str) -> Page {
    let text = fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"));
    Page { path: path.to_owned(), text }
}

/// The README and every page of the book.
pub fn pages() -> Vec<Page> {
    let mut paths = vec![root().join("README.md")];
    below(&root().join("docs/src"), &mut paths);
    paths.sort();
    let name = |path: &PathBuf| path.strip_prefix(root()).unwrap().to_str().unwrap().to_owned();
    paths.iter().map(|path| page(&name(path))).collect()
}

fn below(directory: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            below(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "md") {
            found.push(path);
        }
    }
}

/// The fenced blocks, and those that are indented by four after an empty line.
pub fn blocks(text: &str) -> Vec<Block> {
    let (mut found, mut open, mut indented): (Vec<Block>, Option<Block>, bool) = (Vec::new(), None, false);
    let mut before = "";
    for (at, line) in text.lines().enumerate() {
        if let Some(language) = line.strip_prefix("```") {
            match open.take() {
                Some(block) => found.push(block),
                None => open = Some(Block { line: at + 2, language: language.to_owned(), lines: Vec::new() }),
            }
        } else if let Some(block) = &mut open {
            block.lines.push(line.to_owned());
        } else if let Some(code) = line.strip_prefix("    ").filter(|_| indented || before.is_empty()) {
            if !indented {
                found.push(Block { line: at + 1, language: "indented".to_owned(), lines: Vec::new() });
            }
            found.last_mut().unwrap().lines.push(code.to_owned());
            (indented, before) = (true, line);
            continue;
        }
        (indented, before) = (false, line);
    }
    assert!(open.is_none(), "a block of code is not closed");
    found
}

/// The lines outside fenced blocks, with their numbers.
pub fn prose(text: &str) -> Vec<(usize, &str)> {
    let mut inside = false;
    let lines = text.lines().enumerate().filter_map(|(at, line)| {
        let fence = line.starts_with("```");
        inside ^= fence;
        (!inside && !fence).then_some((at + 1, line))
    });
    lines.collect()
}

/// The code within the lines: what stands between two backticks.
pub fn inline_code(text: &str) -> Vec<(usize, String)> {
    let code = Regex::new("`([^`]+)`").unwrap();
    let lines = prose(text).into_iter();
    lines.flat_map(|(at, line)| code.captures_iter(line).map(move |code| (at, code[1].to_owned()))).collect()
}

/// The links: their line and where they lead.
pub fn links(text: &str) -> Vec<(usize, String)> {
    let code = Regex::new("`[^`]*`").unwrap();
    let leads = Regex::new(r"\]\(([^)\s]+)\)").unwrap();
    let mut found = Vec::new();
    for (at, line) in prose(text) {
        let line = code.replace_all(line, "");
        found.extend(leads.captures_iter(&line).map(|link| (at, link[1].to_owned())));
    }
    found
}

/// The anchors of the headings, as GitHub and mdBook make them.
pub fn anchors(text: &str) -> Vec<String> {
    let headings = prose(text).into_iter().filter_map(|(_, line)| {
        let title = line.trim_start_matches('#');
        (title.len() < line.len() && title.starts_with(' ')).then(|| title.trim())
    });
    let mut found: Vec<String> = Vec::new();
    for heading in headings {
        let kept = heading.to_lowercase().replace(' ', "-");
        let slug: String = kept.chars().filter(|c| c.is_alphanumeric() || matches!(c, '-' | '_')).collect();
        let same = found.iter().filter(|other| **other == slug).count();
        found.push(if same == 0 { slug } else { format!("{slug}-{same}") });
    }
    found
}

#[test]
fn a_page_is_taken_apart() {
    let text =
        "# One `a`\n\n```sh\nls # [x](y)\n```\n\nsee [it](b.md#c), `[n](o)`, `ls`\n\n    cat x\n    cat y\n## One a\n";
    let found: Vec<(usize, String)> = blocks(text).iter().map(|block| (block.line, block.text())).collect();
    assert_eq!(found, [(4, "ls # [x](y)\n".to_owned()), (9, "cat x\ncat y\n".to_owned())]);
    assert_eq!(links(text), [(7, "b.md#c".to_owned())]);
    assert_eq!(anchors(text), ["one-a", "one-a-1"]);
    assert_eq!(inline_code(text).last().unwrap(), &(7, "ls".to_owned()));
}
