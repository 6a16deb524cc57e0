//! What is said about manifests is harmless, whatever is in them: the check of the fuzz target, with fewer inputs.

#[path = "../fuzz/diagnostics.rs"]
mod check;

use proptest::prelude::*;

/// What a file is made of: pieces of manifests, and what does something to a terminal or a CI system.
fn piece() -> impl Strategy<Value = Vec<u8>> {
    let text = prop::sample::select(vec![
        "apiVersion: landfast/v1\n",
        "kind: Stack\n",
        "kind: Environment\n",
        "metadata: { name: ",
        "spec:\n",
        "  template: ",
        "x: ",
        "- ",
        "'",
        "\"",
        "\n",
        "}\n",
        "---\n",
        "<<<<<<< HEAD\n",
        "##vso[task.setvariable variable=a]b",
        "##[error]",
        "::set-output name=a::b\n",
        "\n::error::x",
        "##teamcity[x]",
        "\u{1b}[2J",
        "\u{1b}]0;title\u{7}",
        "\r",
        "\t",
        "\u{202e}evil\u{2066}",
        "\u{200b}",
        "\u{feff}",
        "\u{85}",
        "\u{2028}",
        "ä",
        "🙂",
        "\0",
        "&a [*a, *a]",
        "!Sub '${",
        "{{resolve:",
    ]);
    prop_oneof![
        6 => text.prop_map(|text| text.as_bytes().to_vec()),
        1 => prop::collection::vec(any::<u8>(), 0..16),
        1 => ("[a-z#:\u{1b}]", 1usize..5000).prop_map(|(letter, times)| letter.repeat(times).into_bytes()),
    ]
}

proptest! {
    #[test]
    fn what_is_said_of_any_manifest_is_short_and_harmless(pieces in prop::collection::vec(piece(), 0..40)) {
        check::check(&pieces.concat());
    }
}

#[test]
fn what_is_said_of_the_corpus_is_short_and_harmless() {
    let corpus = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fuzz/corpus");
    for target in ["diagnostics", "manifest"] {
        for file in std::fs::read_dir(format!("{corpus}/{target}")).unwrap() {
            check::check(&std::fs::read(file.unwrap().path()).unwrap());
        }
    }
}
