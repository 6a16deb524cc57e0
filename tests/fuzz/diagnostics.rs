//! Whatever is in a manifest, what is said about it is short and harmless: no control characters, nothing invisible, no
//! commands for CI systems. Used by a fuzz target and, with fewer inputs, by the tests.

use std::collections::BTreeMap;

use landfast::manifest::load;
use landfast::model::{FileContent, Revision, Snapshot};
use landfast::report::{Paint, safe_line, safe_text, to_json};

/// How much may be said of one problem: a message, an excerpt of a few lines, and help.
const LONGEST: usize = 16_384;

/// More problems than this are not told of, and then how many they are.
const MOST: usize = 1_001;

/// Loads the bytes as a manifest, and looks at every diagnostic as text and as JSON.
pub fn check(input: &[u8]) {
    let files = BTreeMap::from([("all.yaml".to_owned(), FileContent::Bytes(input.to_vec().into()))]);
    let snapshot = Snapshot::new("fuzz", files, None);
    let loaded = load(&snapshot, Revision { sequence: 1, content: snapshot.content.clone(), commit: None });
    assert!(loaded.diagnostics.len() <= MOST, "{} diagnostics", loaded.diagnostics.len());
    let handler = miette::GraphicalReportHandler::new_themed(miette::GraphicalTheme::unicode_nocolor());
    for diagnostic in &loaded.diagnostics {
        let mut text = String::new();
        handler.render_report(&mut text, diagnostic).expect("every span is in its excerpt");
        let text = safe_text(&text, Paint::Plain);
        let line = safe_line(&diagnostic.message);
        let json = to_json(diagnostic).expect("a diagnostic is JSON");
        for said in [&*text, &*line, &json] {
            assert!(said.len() <= LONGEST, "{} bytes of {} bytes", said.len(), input.len());
            harmless(said);
        }
        assert!(!line.contains('\n'));
        let value: serde_json::Value = serde_json::from_str(&json).expect("it is still JSON");
        assert_eq!(value["message"], diagnostic.message.as_str(), "escaping changes no value");
    }
}

fn harmless(said: &str) {
    let hidden = |c: char| {
        (c.is_control() && c != '\n')
            || matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
    };
    assert!(!said.contains(hidden), "a character that is not shown: {said:?}");
    for command in ["##vso[", "##[", "##teamcity["] {
        assert!(!said.contains(command), "a command: {said:?}");
    }
    assert!(said.lines().all(|line| !line.trim_start().starts_with("::")), "a command: {said:?}");
}
