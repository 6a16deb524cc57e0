//! A manifest that is there is not gone (S25): whatever has become of its file, its name, its place and its text.

use super::*;
use crate::model::{EnvName, Passed};

/// What is in the file, and where.
type Case = (&'static str, &'static str, FileContent);

fn bytes(content: impl AsRef<[u8]>) -> FileContent {
    FileContent::Bytes(content.as_ref().into())
}

fn utf16(text: &str, little: bool, mark: bool) -> Vec<u8> {
    let mark = if mark { "\u{feff}" } else { "" };
    let units = format!("{mark}{text}");
    units.encode_utf16().flat_map(|unit| if little { unit.to_le_bytes() } else { unit.to_be_bytes() }).collect()
}

/// The environment with its stack `web` in another form.
fn with(path: &str, content: FileContent) -> Snapshot {
    let mut files = snapshot(&[]).files;
    files.remove("stacks/web.yaml");
    files.insert(path.to_owned(), content);
    Snapshot::new("manifests", files, None)
}

fn dev() -> EnvName {
    "dev".parse().unwrap()
}

fn web_key() -> Key {
    "dev/stack/web".parse().unwrap()
}

#[derive(Debug, PartialEq)]
enum Standing {
    /// The stack is there as it was.
    There,
    /// The environment is left as it is.
    Broken,
    /// The stack is not desired, and is not deleted either.
    Held,
    /// The stack is gone.
    Gone,
}

fn standing(loaded: &Loaded) -> Standing {
    let Some(environment) = loaded.desired.environments.get(&dev()) else {
        assert!(loaded.broken.contains(&dev()));
        return Standing::Broken;
    };
    match environment.gaps.against(&web_key()) {
        _ if environment.stacks.contains_key(&web_key()) => Standing::There,
        Some(gap) => {
            assert!(!loaded.diagnostics.is_empty(), "{gap:?} is said");
            Standing::Held
        }
        None => Standing::Gone,
    }
}

/// Texts that are in the file in which the manifest was.
fn texts() -> Vec<(&'static str, Vec<u8>)> {
    let good = web(GOOD);
    let json = r#"{"apiVersion":"landfast/v1","kind":"Stack","metadata":{"name":"web"},"spec":{"template":"web.tpl","parameters":{"VpcId":"v"}}}"#;
    let changed = |from: &str, to: &str| good.replacen(from, to, 1).into_bytes();
    vec![
        ("misspelt", changed("apiVersion", "apiversion")),
        ("misspelt more", changed("apiVersion", "apiVersoin")),
        ("no version", changed("apiVersion: landfast/v1\n", "")),
        ("no group", changed("landfast/v1", "v1")),
        ("another group", changed("landfast/v1", "lf/v1")),
        ("capitals", changed("landfast/v1", "Landfast/V1")),
        ("a domain", changed("landfast/v1", "landfast.io/v1")),
        ("another version", changed("landfast/v1", "landfast/v2")),
        ("a number", changed("landfast/v1", "1")),
        ("no value", changed("landfast/v1", "")),
        ("no kind", changed("kind: Stack\n", "")),
        ("another kind", changed("kind: Stack", "kind: Stak")),
        ("no name", changed("metadata: { name: web }\n", "")),
        ("quoted and broken", changed("apiVersion", "\"apiVersion\"").into_iter().chain(*b"x: {").collect()),
        ("json without its end", json.as_bytes()[..json.len() - 1].to_vec()),
        ("json twice", format!("{json}{json}").into_bytes()),
        ("broken", format!("{good}  : : [\n").into_bytes()),
        ("a template of another tool", changed("name: web", "name: {{ .Values.name }}")),
        ("a conflict", format!("<<<<<<< HEAD\n{good}=======\n>>>>>>> x\n").into_bytes()),
        ("random", (0..=255).rev().cycle().step_by(7).take(500).collect()),
        ("zeros", vec![0; 200]),
        ("zeros at the end", good.bytes().take(60).chain([0; 60]).collect()),
        ("empty", Vec::new()),
        ("white space", b" \n\n".to_vec()),
        ("utf-16", utf16(&good, true, true)),
        ("utf-16, the other way", utf16(&good, false, true)),
        ("utf-16 without a mark", utf16(&good, true, false)),
        (
            "latin-1",
            changed("name: web", "name: web # \u{e4}").iter().map(|b| if *b == 0xc3 { 0xe4 } else { *b }).collect(),
        ),
        ("a pointer of lfs", b"version https://git-lfs.github.com/spec/v1\noid sha256:12\nsize 3\n".to_vec()),
        ("encrypted", b"\0GITCRYPT\0\x01\x02".to_vec()),
        ("a link as text", b"../elsewhere/web.yaml".to_vec()),
        ("in a list", format!("- {}", good.replace('\n', "\n  ")).into_bytes()),
        ("below a key", format!("web:\n  {}", good.replace('\n', "\n  ")).into_bytes()),
        ("its first half", good.bytes().take(46).collect()),
        ("its second half", good.bytes().skip(60).collect()),
        ("only its spec", good.bytes().skip(good.find("spec").unwrap()).collect()),
        ("a value", good.bytes().skip(good.find("template").unwrap()).collect()),
    ]
}

#[test]
fn whatever_became_of_its_text_its_environment_stays_as_it_is() {
    for path in ["stacks/web.yaml", "stacks/sub/web.YML", "stacks/other.yml"] {
        for (name, text) in texts() {
            let loaded = load_snapshot(&with(path, bytes(&text)));
            assert_eq!(standing(&loaded), Standing::Broken, "{path}, {name}: {:?}", said(&loaded));
        }
    }
}

#[test]
fn whatever_became_of_its_file_its_environment_stays_as_it_is() {
    let cases: [Case; 6] = [
        ("too large", "stacks/web.yaml", FileContent::TooLarge(2 << 20)),
        ("unreadable", "stacks/web.yaml", FileContent::Unreadable("permission denied".to_owned())),
        ("a directory, or a link", "stacks/web.yaml", FileContent::NotListed("a link out".to_owned())),
        ("a directory below", "stacks/sub", FileContent::NotListed("permission denied".to_owned())),
        ("the directory", "stacks", FileContent::NotListed("too deep".to_owned())),
        ("a directory without a name", "stacks/\u{fffd}", FileContent::NotListed("no name".to_owned())),
    ];
    for (name, path, content) in cases {
        let loaded = load_snapshot(&with(path, content));
        assert_eq!(standing(&loaded), Standing::Broken, "{name}: {:?}", said(&loaded));
    }
}

#[test]
fn a_manifest_that_is_written_in_another_way_is_read() {
    let good = web(GOOD);
    let json = r#"{"apiVersion":"landfast/v1","kind":"Stack","metadata":{"name":"web"},"spec":{"template":"web.tpl","parameters":{"VpcId":"v"}}}"#;
    let cases: [(&str, String); 9] = [
        ("stacks/web.YML", good.clone()),
        ("stacks/web.Yaml", good.clone()),
        ("stacks/web.json", json.to_owned()),
        ("stacks/web.json", good.clone()),
        ("stacks/web.yaml", json.to_owned()),
        ("stacks/web.yaml", good.replace("apiVersion", "\"apiVersion\"").replace("kind", "'kind'")),
        ("stacks/web.yaml", format!("\u{feff}{good}")),
        ("stacks/web.yaml", good.replace('\n', "\r\n")),
        ("stacks/a/b/c/web.yaml", good.replace("web.tpl", "../../../web.tpl")),
    ];
    for (path, text) in cases {
        let loaded = load_snapshot(&with(path, bytes(&text)));
        assert_eq!(standing(&loaded), Standing::There, "{path}, {text}: {:?}", said(&loaded));
    }
}

#[test]
fn under_another_name_it_is_not_read_and_not_gone() {
    let good = web(GOOD);
    for path in [
        "stacks/web.yaml~",
        "stacks/web.yaml.bak",
        "stacks/web.yml.orig",
        "stacks/#web.yaml#",
        "stacks/web.ymal",
        "stacks/web.txt",
        "stacks/web",
        "stacks/web.yaml.disabled",
        // Moved to where nobody reads it.
        "web.yaml",
        "other/web.yaml",
    ] {
        let loaded = load_snapshot(&with(path, bytes(&good)));
        assert_eq!(standing(&loaded), Standing::Held, "{path}: {:?}", said(&loaded));
        let environment = &loaded.desired.environments[&dev()];
        let another = "dev/stack/another".parse().unwrap();
        assert_eq!(environment.gaps.against(&another), None, "{path} is known to hold nothing else");
    }
    for (path, text) in [
        ("stacks/web.yaml~", &b"apiVersion: landfast/v1\nkind: [\n"[..]),
        ("stacks/web.yaml.gz", &[0x1f, 0x8b, 0xff, 0xfe]),
        ("stacks/web.yaml.bak", &utf16(&good, true, true)),
        ("other/web.yaml", b"apiVersion: landfast/v1\nkind: [\n"),
        ("other/web.yaml", good.replace("apiVersion", "apiversion").as_bytes()),
    ] {
        let loaded = load_snapshot(&with(path, bytes(text)));
        assert_eq!(standing(&loaded), Standing::Held, "{path}: {:?}", said(&loaded));
    }
}

#[test]
fn behind_a_name_that_is_passed_over_it_is_not_read_and_not_gone() {
    let good = web(GOOD);
    let aside = |path: &str, content: FileContent| {
        let mut files = snapshot(&[]).files;
        files.remove("stacks/web.yaml");
        let directory = path.split('/').take(2).collect::<Vec<_>>().join("/");
        let passed = [(directory, Passed::Hidden)].into();
        let looked = super::super::aside(&Snapshot::passing("manifests", files.clone(), None, passed, BTreeMap::new()));
        assert_eq!(looked.len(), 1, "{path} lies where manifests are read");
        let passed = looked.into_iter().map(|path| (path, Passed::Hidden)).collect();
        load_snapshot(&Snapshot::passing("manifests", files, None, passed, [(path.to_owned(), content)].into()))
    };
    for (path, content) in [
        ("stacks/.web.yaml", bytes(&good)),
        ("stacks/.old/web.yaml", bytes(&good)),
        ("stacks/target/sub/web.yaml", bytes(&good)),
        ("stacks/.web.yaml.swp", bytes(b"b0VIM 8\0landfast/v1")),
        ("stacks/.old/web.yaml", FileContent::TooLarge(2 << 20)),
        ("stacks/.old", FileContent::NotListed("permission denied".to_owned())),
    ] {
        let loaded = aside(path, content);
        assert_eq!(standing(&loaded), Standing::Held, "{path}: {:?}", said(&loaded));
    }
    for (path, content) in
        [("stacks/.DS_Store", bytes(b"\0\0\0\x01Bud1")), ("stacks/.gitlab-ci.yml", bytes("stages: [a]\n"))]
    {
        let loaded = aside(path, content);
        assert_eq!(standing(&loaded), Standing::Gone, "{path}: {:?}", said(&loaded));
    }
}

#[test]
fn what_was_removed_is_gone() {
    for (path, content) in [
        ("README.md", format!("Like this:\n```yaml\n{}```\n", web(GOOD))),
        ("stacks/README.md", format!("Like this:\n```yaml\n{}```\n", web(GOOD))),
        ("stacks/web.yaml", "# apiVersion: landfast/v1\n# kind: Stack\n".to_owned()),
        ("stacks/web.yaml", "Resources: { A: { Type: AWS::SNS::Topic } }\n".to_owned()),
        ("stacks/web.yaml", "apiVersion: apps/v1\nkind: Deployment\n".to_owned()),
        ("stacks/policy.json", r#"{"Version": "2012-10-17", "Statement": []}"#.to_owned()),
        ("stacks/picture.png", "\0\u{1}".to_owned()),
        ("compose.yaml", "services: { web: {} }\n".to_owned()),
    ] {
        let loaded = load_snapshot(&with(path, bytes(&content)));
        assert_eq!(standing(&loaded), Standing::Gone, "{path}: {:?}", said(&loaded));
        assert!(loaded.passed.iter().any(|one| one.path == path), "{path}: {:?}", loaded.passed);
    }
}

#[test]
fn an_environment_may_be_what_was_not_understood() {
    for text in [ENV.replace("apiVersion", "apiversion"), ENV.replace("landfast/v1", "v1"), "kind: [".to_owned()] {
        let loaded = load_with(&[("ops.yaml", &text)]);
        assert!(loaded.obscure && loaded.broken.is_empty(), "{text}: {:?}", said(&loaded));
    }
    let loaded = load_with(&[("ops.yaml", &ENV.replace("name: dev", "name: Dev!"))]);
    assert!(loaded.obscure, "{:?}", said(&loaded));
    assert!(!load_with(&[]).obscure);
}

#[test]
fn what_is_included_by_name_and_passed_over_is_an_error_that_says_so() {
    let mut files = snapshot(&[("env.yaml", &ENV.replace("[stacks]", "[stacks, .more/web, target]"))]).files;
    files.retain(|path, _| path != "stacks/web.yaml");
    let passed = [(".more".to_owned(), Passed::Hidden), ("target".to_owned(), Passed::Tool)].into();
    let loaded = load_snapshot(&Snapshot::passing("manifests", files, None, passed, BTreeMap::new()));
    let codes: Vec<&str> = loaded.diagnostics.iter().map(|diagnostic| diagnostic.code).collect();
    assert_eq!(codes, ["include-passed-over", "include-passed-over"]);
    assert_eq!(standing(&loaded), Standing::Broken);
}

#[test]
fn no_snippet_shows_what_was_not_understood() {
    let text = "user: admin\npassword: canary-4711\n";
    let loaded = load_with(&[("stacks/odd.yaml", text), ("stacks/worse.yaml", &format!("{text}  x: [\n"))]);
    assert_eq!(loaded.broken.len(), 1);
    assert!(!rendered(&loaded).contains("canary"), "{}", rendered(&loaded));
}
