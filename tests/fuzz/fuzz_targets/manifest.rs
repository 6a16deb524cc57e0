//! Any files load, in bounded time, and load the same twice. The input is a set of files, divided by lines `=== path`.
#![no_main]

use std::collections::BTreeMap;

use landfast::manifest::{Severity, load};
use landfast::model::{FileContent, Revision, Snapshot};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let mut files: BTreeMap<String, Vec<u8>> = BTreeMap::new();
    let mut path = "all.yaml".to_owned();
    for line in input.split_inclusive(|byte| *byte == b'\n') {
        if let Some(name) = line.strip_prefix(b"=== ") {
            path = String::from_utf8_lossy(name).trim().to_owned();
        } else {
            files.entry(path.clone()).or_default().extend_from_slice(line);
        }
    }
    let files = files.into_iter().map(|(path, bytes)| (path, FileContent::Bytes(bytes.into()))).collect();
    let snapshot = Snapshot::new("fuzz", files, None);
    let read = || load(&snapshot, Revision { sequence: 1, content: snapshot.content.clone(), commit: None });
    let (one, two) = (read(), read());
    assert_eq!(format!("{:?}", one.desired), format!("{:?}", two.desired));
    assert!(one.broken.is_empty() || one.diagnostics.iter().any(|diagnostic| diagnostic.severity == Severity::Error));
    for diagnostic in one.diagnostics {
        // Rendering looks at every span.
        let _ = format!("{:?}", miette::Report::new(diagnostic));
    }
});
