//! What people read is plain, current English: none of the strange words of earlier releases is in a golden file, a help
//! text, a schema, the documentation, an example, or a text in the source.

use std::fs;
use std::path::{Path, PathBuf};

use regex::Regex;

/// What is not said, and what is said instead.
const NOT: [(&str, &str); 20] = [
    (r"\bails?\b|\bailing\b", "has a problem"),
    (r"\bpast (its|the) stack\b|\bpast CloudFormation\b", "outside CloudFormation"),
    (r"the world has moved", "the plan changed"),
    (r"nothing asks for it", "its manifest was removed"),
    (r"could not be asked", "the AWS request failed"),
    (r"as far as it could be compared", "partly compared"),
    (r"\btend(s|ed|ing|er)?\b", "reconcile"),
    (r"another landfast has", "the state is in use"),
    (r"nobody is there", "no terminal is attached"),
    (r"a person('s approval| must decide| to decide| has to decide)", "needs approval, or a decision"),
    (r"\bputs? (it |them )?back\b", "revert"),
    (r"\b(in|into|out of) step\b", "in sync; skipped in a rollback"),
    (r"as the manifest (says|asks)", "matches its manifest"),
    (r"\bunless said otherwise\b", "by default"),
    (r"\bmade anew\b", "regenerated"),
    (r"\btaken? over\b", "adopted"),
    (r"\bcures?\b", "remedy"),
    (r"\bhas it that\b|\b(is|be) told of\b", "is reported"),
    (r"\bfastened\b", "reconciled"),
    (r"\bwould release\b|\breleases it\b", "resolves"),
];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn files(below: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(below).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files(&path, found);
        } else {
            found.push(path);
        }
    }
}

/// The texts in a source file, without its tests and comments.
fn literals(source: &str) -> impl Iterator<Item = (usize, &str)> {
    let code = source.split("#[cfg(test)]").next().unwrap_or_default();
    let lines = code.lines().enumerate().filter(|(_, line)| !line.trim_start().starts_with("//"));
    lines.flat_map(|(number, line)| line.split('"').skip(1).step_by(2).map(move |text| (number + 1, text)))
}

#[test]
fn what_people_read_is_plain_english() {
    let not: Vec<(Regex, &str)> =
        NOT.iter().map(|(word, better)| (Regex::new(&format!("(?i){word}")).unwrap(), *better)).collect();
    let mut strange = Vec::new();
    let mut check = |path: &Path, line: usize, text: &str| {
        for (word, better) in &not {
            if let Some(found) = word.find(text) {
                let path = path.strip_prefix(root()).unwrap().display();
                strange.push(format!("{path}:{line}: {:?}: say {better:?}", found.as_str()));
            }
        }
    };
    let mut read = vec![root().join("README.md")];
    for directory in ["docs/src", "tests/golden", "manifests", "examples", "src"] {
        files(&root().join(directory), &mut read);
    }
    let mut texts = 0;
    for path in read {
        let Ok(text) = fs::read_to_string(&path) else { continue };
        let name = path.display().to_string();
        if path.extension().is_some_and(|extension| extension == "rs") {
            // AWS speaks through the simulation in words of its own.
            if !name.contains("/tests") && !name.contains("/sim/") && !name.contains("fixtures") {
                literals(&text).for_each(|(line, text)| check(&path, line, text));
                texts += 1;
            }
        } else if !name.contains("/test/") && !name.ends_with("ARCHITECTURE.md") {
            text.lines().enumerate().for_each(|(line, text)| check(&path, line + 1, text));
            texts += 1;
        }
    }
    assert!(texts > 500, "{texts}");
    assert!(strange.is_empty(), "{} strange words:\n{}", strange.len(), strange.join("\n"));
}
