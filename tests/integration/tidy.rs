//! The architecture, held against the code: which room uses which, and what may be named where.
//!
//! The table of rooms is read from `src/ARCHITECTURE.md`, so that there is one place that says it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use regex::Regex;

use crate::circles::{Sources, circles};

const MAX_LINES: usize = 600;

/// A file of `src/`.
struct File {
    /// Below `src/`.
    path: PathBuf,
    room: String,
    /// The text with tests and comments blanked out; line numbers are kept.
    code: String,
    /// Compiled only for tests.
    is_test: bool,
}

/// A row of the table.
struct Room {
    may_use: BTreeSet<String>,
    is_pure: bool,
}

fn src() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

fn rust_files(root: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut directories = vec![root.to_owned()];
    while let Some(directory) = directories.pop() {
        for entry in std::fs::read_dir(&directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                directories.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

/// Comments become blank, and everything from `#[cfg(test)]` on an inline module to the end of the file.
fn code_of(text: &str) -> String {
    let production = Regex::new(r"(?m)^#\[cfg\(test\)\]\s*mod \w+ \{").unwrap();
    let end = production.find(text).map_or(text.len(), |found| found.start());
    let comment = Regex::new(r"^\s*//.*$").unwrap();
    text[..end].lines().fold(String::new(), |mut code, line| {
        let _ = writeln!(code, "{}", comment.replace(line, ""));
        code
    })
}

fn files() -> Vec<File> {
    let test_module = Regex::new(r"#\[cfg\(test\)\]\s*(?:pub\(crate\) )?mod (\w+);").unwrap();
    let paths = rust_files(&src());
    // Where a module of tests lives: a file, or a directory of that name.
    let mut tests: BTreeSet<PathBuf> = BTreeSet::new();
    for path in &paths {
        let text = std::fs::read_to_string(path).unwrap();
        let inside = match path.file_name().and_then(|name| name.to_str()) {
            Some("mod.rs" | "lib.rs") => path.parent().unwrap().to_owned(),
            _ => path.with_extension(""),
        };
        tests.extend(test_module.captures_iter(&text).map(|found| inside.join(&found[1])));
    }
    paths
        .into_iter()
        .map(|path| {
            let text = std::fs::read_to_string(&path).unwrap();
            let is_test = tests.iter().any(|test| path.with_extension("") == *test || path.starts_with(test));
            let path = path.strip_prefix(src()).unwrap().to_owned();
            let room = path.iter().next().unwrap().to_string_lossy().trim_end_matches(".rs").to_owned();
            File { room, code: code_of(&text), is_test, path }
        })
        .collect()
}

/// The rooms in the order of the table.
fn rooms() -> Vec<(String, Room)> {
    let text = std::fs::read_to_string(src().join("ARCHITECTURE.md")).unwrap();
    let table = text.lines().skip_while(|line| !line.starts_with("| room |")).skip(2);
    let name = Regex::new(r"`(\w+)`").unwrap();
    let names = |cell: &str| name.captures_iter(cell).map(|found| found[1].to_owned()).collect::<Vec<_>>();
    table
        .take_while(|line| line.starts_with('|'))
        .map(|line| {
            let cells: Vec<&str> = line.split('|').collect();
            let [_, room, uses, io, ..] = cells.as_slice() else { panic!("not a row: {line}") };
            let may_use = names(uses).into_iter().collect();
            (names(room).remove(0), Room { may_use, is_pure: io.trim() == "no" })
        })
        .collect()
}

/// Every place at which `pattern` occurs in the code that `wanted` chooses.
fn places(files: &[File], pattern: &str, wanted: impl Fn(&File) -> bool) -> Vec<String> {
    let pattern = Regex::new(pattern).unwrap();
    let mut found = Vec::new();
    for file in files.iter().filter(|file| wanted(file)) {
        for (number, line) in file.code.lines().enumerate().filter(|(_, line)| pattern.is_match(line)) {
            found.push(format!("src/{}:{}: {}", file.path.display(), number + 1, line.trim()));
        }
    }
    found
}

fn assert_none(found: &[String], rule: &str) {
    assert!(found.is_empty(), "{rule}\n{}", found.join("\n"));
}

#[test]
fn the_table_lists_the_rooms_of_the_crate_in_its_order() {
    let lib = std::fs::read_to_string(src().join("lib.rs")).unwrap();
    // What is hidden from the documentation is for tests, and no room.
    let lib = lib.replace("#[doc(hidden)]\npub mod", "");
    let module = Regex::new(r"(?m)^pub mod (\w+);").unwrap();
    let declared: Vec<String> = module.captures_iter(&lib).map(|found| found[1].to_owned()).collect();
    let listed: Vec<String> = rooms().into_iter().map(|(name, _)| name).collect();
    assert_eq!(listed, declared);
}

#[test]
fn a_room_uses_those_above_it_and_never_those_below() {
    let mut above = BTreeSet::new();
    for (name, room) in rooms() {
        let below: Vec<_> = room.may_use.difference(&above).collect();
        assert!(below.is_empty(), "the table lets `{name}` use {below:?}, which stand below it");
        above.insert(name);
    }
}

#[test]
fn imports_are_those_of_the_table() {
    let rooms: BTreeMap<String, Room> = rooms().into_iter().collect();
    let used = Regex::new(r"\bcrate::(\w+)").unwrap();
    let mut unused: BTreeSet<(String, String)> = BTreeSet::new();
    for (name, room) in &rooms {
        unused.extend(room.may_use.iter().map(|other| (name.clone(), other.clone())));
    }
    let mut faults = Vec::new();
    for file in files().iter().filter(|file| !file.is_test) {
        let Some(room) = rooms.get(&file.room) else { continue };
        for found in used.captures_iter(&file.code) {
            let other = found[1].to_owned();
            unused.remove(&(file.room.clone(), other.clone()));
            if rooms.contains_key(&other) && other != file.room && !room.may_use.contains(&other) {
                faults.push(format!("src/{}: `{}` may not use `{other}`", file.path.display(), file.room));
            }
        }
        if file.code.contains("crate::{") {
            faults.push(format!("src/{}: name rooms one by one, not `crate::{{…}}`", file.path.display()));
        }
    }
    assert_none(&faults, "the table of rooms in src/ARCHITECTURE.md does not allow this");
    assert!(unused.is_empty(), "the table allows what nobody needs: {unused:?}");
}

#[test]
fn no_room_has_a_circle_of_files() {
    let files = files();
    let mut found = Vec::new();
    for (name, _) in rooms() {
        let inside = files.iter().filter(|file| file.room == name && !file.is_test && file.path.iter().count() > 1);
        let module = |file: &File| {
            let parts =
                file.path.with_extension("").iter().skip(1).map(|part| part.to_string_lossy().into_owned()).collect();
            let mut parts: Vec<String> = parts;
            if parts.last().is_some_and(|last| last == "mod") {
                parts.pop();
            }
            parts
        };
        let code = inside.map(|file| (module(file), file.code.clone())).collect();
        found.extend(circles(&Sources { name: &name, code }));
    }
    assert_none(&found, "files that import each other in a circle cannot be read one by one");
}

#[test]
fn pure_rooms_do_no_input_or_output() {
    let pure: BTreeSet<String> = rooms().into_iter().filter(|(_, room)| room.is_pure).map(|(name, _)| name).collect();
    let files = files();
    let forbidden = r"\bstd::(fs|env|process|thread|net::(Tcp|Udp)|io::(std|copy))|SystemTime|Instant::now|Timestamp::now|Zoned::now|\brand::|getrandom|println!|eprintln!";
    let impure = places(&files, forbidden, |file| !file.is_test && pure.contains(&file.room));
    assert_none(&impure, "a room without I/O has no files, clock, environment, randomness or output");
    let runtime = places(&files, r"\btokio::(select!|[a-z]+)", |file| !file.is_test && pure.contains(&file.room));
    let runtime: Vec<_> = runtime.into_iter().filter(|place| !place.contains("tokio::sync")).collect();
    assert_none(&runtime, "a room without I/O needs no runtime; `tokio::sync` alone has none");
}

#[test]
fn only_one_room_names_the_sdk() {
    let named =
        places(&files(), r"\b(aws_sdk_\w+|aws_config|aws_smithy_\w+|aws_credential_types|aws_types)\b", |file| {
            file.room != "aws"
        });
    assert_none(&named, "only `aws` names the SDK");
}

#[test]
fn the_core_does_not_know_its_first_user() {
    let named = places(&files(), r"(?i)performance.?m(gmt|anagement)", |file| !file.is_test && file.room != "cli");
    assert_none(&named, "nothing in src/ knows the service whose manifests are shipped");
}

#[test]
fn concurrency_is_owned_and_repeats() {
    let files = files();
    let spawned = places(&files, r"\b(tokio::spawn|task::spawn|thread::spawn)\b", |file| !file.is_test);
    assert_none(&spawned, "whoever starts something owns it: no detached tasks");
    let unbiased: Vec<String> = files
        .iter()
        .filter(|file| !file.is_test)
        .flat_map(|file| {
            let mut places = Vec::new();
            for (at, _) in file.code.match_indices("select! {") {
                if !file.code[at + "select! {".len()..].trim_start().starts_with("biased;") {
                    places.push(format!("src/{}:{}", file.path.display(), file.code[..at].lines().count()));
                }
            }
            places
        })
        .collect();
    assert_none(&unbiased, "`select!` is `biased`, or a simulated run does not repeat");
}

#[test]
fn files_open_with_what_they_are_and_fit_a_mind() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let marks = Regex::new(concat!(r"\b(TO", r"DO|FIX", r"ME)\b|(un", r"implemented!|to", r"do!)\(")).unwrap();
    let mut faults = Vec::new();
    for path in
        ["src", "tests/integration", "tests/simulation", "tests/bench", "examples"].iter().map(|name| root.join(name))
    {
        if !path.is_dir() {
            continue;
        }
        for path in rust_files(&path) {
            let text = std::fs::read_to_string(&path).unwrap();
            let name = path.strip_prefix(root).unwrap().display();
            let lines = text.lines().count();
            if lines > MAX_LINES {
                faults.push(format!("{name}: {lines} lines are two files"));
            }
            if !text.starts_with("//!") && !text.starts_with("#![doc") {
                faults.push(format!("{name}: says nothing about itself"));
            }
            faults.extend(marks.find_iter(&text).map(|found| format!("{name}: {}", found.as_str())));
        }
    }
    assert_none(&faults, "files open with `//!`, stay short, and leave nothing for later");
}

/// Tests that a text names as `src/some/file.rs::a_test` and that are not there.
fn missing_tests(text: &str) -> Vec<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let named = Regex::new(r"`((?:src|tests)/[\w/.-]+\.rs)::(\w+)`").unwrap();
    let is_missing = |found: &regex::Captures<'_>| {
        let code = std::fs::read_to_string(root.join(&found[1])).unwrap_or_default();
        !code.contains(&format!("fn {}(", &found[2]))
    };
    named.captures_iter(text).filter(is_missing).map(|found| found[0].to_owned()).collect()
}

#[test]
fn every_test_that_the_threat_model_names_is_there() {
    let text = std::fs::read_to_string(src().join("THREATS.md")).unwrap();
    assert!(text.matches(".rs::").count() > 20, "it names the tests that show what it says");
    assert_none(&missing_tests(&text), "src/THREATS.md names tests that are not there");
    assert_eq!(missing_tests("`src/lib.rs::nothing` and `src/nowhere.rs::a`").len(), 2);
    // One table, and every row of it says what shows it.
    let rows: Vec<&str> = text.lines().filter(|line| line.starts_with("| ") && !line.starts_with("| Who")).collect();
    assert!(rows.iter().all(|row| row.contains(".rs::")), "a row names no test");
}
