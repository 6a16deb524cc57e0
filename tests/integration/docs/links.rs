//! Every relative link leads to a file, and every anchor to a heading.

use std::collections::BTreeSet;
use std::path::{Component, Path, PathBuf};

use super::markdown::{self, Page};

/// Where a relative link of a page leads: a path in the repository, and an anchor there.
fn target(page: &Page, link: &str) -> (PathBuf, Option<String>) {
    let (path, anchor) = link.split_once('#').map_or((link, None), |(path, anchor)| (path, Some(anchor.to_owned())));
    if path.is_empty() {
        return (PathBuf::from(&page.path), anchor);
    }
    let mut found = PathBuf::new();
    for part in Path::new(&page.path).parent().unwrap().join(path).components() {
        match part {
            Component::ParentDir => assert!(found.pop(), "{}: {link} leads out of the repository", page.path),
            part => found.push(part),
        }
    }
    (found, anchor)
}

fn check(page: &Page, is_rustdoc: bool) -> Vec<String> {
    let mut wrong = Vec::new();
    for (line, link) in markdown::links(&page.text) {
        // In what is part of the crate's documentation, a path such as `plan::Input` is an item, and rustdoc checks it.
        let is_item = is_rustdoc && !link.contains(['#', '/', '.']);
        if link.contains("://") || link.starts_with("mailto:") || is_item {
            continue;
        }
        let (path, anchor) = target(page, &link);
        let place = format!("{}:{line}: {link}", page.path);
        if !markdown::root().join(&path).exists() {
            wrong.push(format!("{place}: no such file"));
        } else if let Some(anchor) = anchor {
            let there = markdown::anchors(&markdown::page(path.to_str().unwrap()).text);
            if !there.contains(&anchor) {
                wrong.push(format!("{place}: no such heading; there are {}", there.join(", ")));
            }
        }
    }
    wrong
}

#[test]
fn every_relative_link_and_anchor_leads_somewhere() {
    let more = ["CHANGELOG.md", "manifests/README.md", "src/ARCHITECTURE.md", "src/THREATS.md"].map(markdown::page);
    let pages = markdown::pages().into_iter().chain(more);
    let wrong: Vec<String> = pages.flat_map(|page| check(&page, page.path.starts_with("src/"))).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// What is outside of the book does not exist where the book is published.
#[test]
fn pages_of_the_book_link_within_the_book() {
    for page in markdown::pages().iter().filter(|page| page.path.starts_with("docs/")) {
        for (line, link) in markdown::links(&page.text).iter().filter(|(_, link)| !link.contains("://")) {
            let (path, _) = target(page, link);
            assert!(path.starts_with("docs/src"), "{}:{line}: {link} leads out of the book", page.path);
        }
    }
}

#[test]
fn every_page_of_the_book_is_in_its_summary() {
    let summary = markdown::page("docs/src/SUMMARY.md");
    let listed: BTreeSet<PathBuf> =
        markdown::links(&summary.text).iter().map(|(_, link)| target(&summary, link).0).collect();
    let pages = markdown::pages().into_iter().map(|page| PathBuf::from(page.path));
    let pages: BTreeSet<PathBuf> =
        pages.filter(|path| path.starts_with("docs/src") && !path.ends_with("SUMMARY.md")).collect();
    assert_eq!(listed, pages);
}

#[test]
fn the_readme_is_short() {
    let lines = markdown::page("README.md").text.lines().count();
    assert!(lines <= 200, "{lines} lines; what does not fit belongs into docs/");
}

/// Otherwise the test above could not fail.
#[test]
fn a_link_that_leads_nowhere_is_found() {
    let text = "# A\n[a](#a) [b](#b) [c](../../README.md#install) [d](gone.md) [e](https://example.com)\n";
    let page = Page { path: "docs/src/x.md".to_owned(), text: text.to_owned() };
    // The page itself is not on the disk.
    let page = Page { path: "docs/src/introduction.md".to_owned(), ..page };
    let wrong = check(&page, false);
    assert_eq!(wrong.len(), 3, "{wrong:?}");
}
