//! What others wrote, made harmless for whoever shows it.
//!
//! Names, reasons and lines of manifests are other people's, and end on terminals and in logs of CI systems. There a control
//! character moves the cursor, an invisible one hides what a line says, and a line that begins like a command *is* one
//! (`::set-output` for GitHub, `##vso[` for Azure Pipelines). Everything that this program writes passes [`text`],
//! [`line`] or [`json`] at the last door before it leaves, so that no report has to remember to. What a report does
//! beside that ([`super::clean`]) keeps other people's line ends from breaking its layout.
//!
//! What is escaped is still shown: a reader sees that something was there, and what.

use std::borrow::Cow;
use std::fmt::Write as _;

use super::Paint;

/// How commands for CI systems are begun that are found anywhere in a line: Azure Pipelines (`##vso[`, `##[`), the first
/// form of GitHub's, and `TeamCity` (`##teamcity[`).
const ANYWHERE: &str = "##";

/// How GitHub's begin, with only blanks before them.
const AT_LINE_START: &str = "::";

/// Text of several lines, as reports are: line ends stay, and our own colours if it is painted.
#[must_use]
pub fn text(text: &str, paint: Paint) -> Cow<'_, str> {
    if is_harmless(text) { Cow::Borrowed(text) } else { Cow::Owned(escaped(text, paint, true)) }
}

/// A text that is one line, as one event in a log is: a line end within it is escaped too, one at its end stays.
#[must_use]
pub fn line(text: &str) -> Cow<'_, str> {
    let (body, end) = text.strip_suffix('\n').map_or((text, ""), |body| (body, "\n"));
    if !body.contains('\n') && is_harmless(text) {
        return Cow::Borrowed(text);
    }
    Cow::Owned(escaped(body, Paint::Plain, false) + end)
}

/// A JSON document. Its values stay what they are: they are only written in another way.
#[must_use]
pub fn json(document: &str) -> Cow<'_, str> {
    if is_harmless(document) {
        return Cow::Borrowed(document);
    }
    let mut safe = String::with_capacity(document.len() + 16);
    let mut rest = document;
    while let Some(c) = rest.chars().next() {
        let after = rest.get(c.len_utf8()..).unwrap_or_default();
        if begins_command(rest) {
            // Outside of strings JSON has neither.
            safe.push_str("#\\u0023");
            rest = rest.get(ANYWHERE.len()..).unwrap_or_default();
            continue;
        }
        if c == '\n' || is_shown(c) {
            safe.push(c);
        } else {
            let mut units = [0; 2];
            for unit in c.encode_utf16(&mut units) {
                let _ = write!(safe, "\\u{unit:04x}");
            }
        }
        rest = after;
    }
    Cow::Owned(safe)
}

/// Nothing in it has to be escaped in any form. Nearly all text is so.
fn is_harmless(text: &str) -> bool {
    !text.contains(ANYWHERE) && !text.contains(AT_LINE_START) && text.chars().all(|c| c == '\n' || is_shown(c))
}

fn escaped(text: &str, paint: Paint, keeps_lines: bool) -> String {
    let mut safe = String::with_capacity(text.len() + 16);
    let mut rest = text;
    let mut at_start = true;
    while let Some(c) = rest.chars().next() {
        let after = rest.get(c.len_utf8()..).unwrap_or_default();
        if let Some(colour) = paint.sequences().iter().find(|colour| rest.starts_with(**colour)) {
            safe.push_str(colour);
            rest = rest.get(colour.len()..).unwrap_or_default();
            continue;
        }
        if at_start && rest.starts_with(AT_LINE_START) {
            safe.push('\\');
        }
        match c {
            '\n' if keeps_lines => {
                safe.push('\n');
                at_start = true;
                rest = after;
                continue;
            }
            '#' if begins_command(rest) => safe.push_str("#\\"),
            c => push(&mut safe, c),
        }
        at_start &= c.is_whitespace();
        rest = after;
    }
    safe
}

/// Two `#`, and then a word in front of a bracket.
fn begins_command(text: &str) -> bool {
    text.strip_prefix(ANYWHERE).is_some_and(|rest| {
        rest.trim_start_matches(|c: char| c.is_alphanumeric() || "-_.".contains(c)).starts_with('[')
    })
}

/// A character as it is, or as an escape that shows what it would have been.
pub(super) fn push(safe: &mut String, c: char) {
    match c {
        '\n' => safe.push_str("\\n"),
        '\r' => safe.push_str("\\r"),
        '\t' => safe.push_str("\\t"),
        c if is_shown(c) => safe.push(c),
        c => _ = write!(safe, "{}", c.escape_unicode()),
    }
}

/// Whether a character is something to see, and lies where it stands. Not so: controls; separators of lines; and what
/// Unicode calls *format* (category Cf, with everything that reorders text: CVE-2021-42574) or *default ignorable*, which
/// is drawn as nothing.
fn is_shown(c: char) -> bool {
    if c.is_ascii() {
        return !c.is_ascii_control();
    }
    !c.is_control()
        && !matches!(c,
            '\u{ad}' | '\u{34f}' | '\u{600}'..='\u{605}' | '\u{61c}' | '\u{6dd}' | '\u{70f}' | '\u{890}'..='\u{891}'
            | '\u{8e2}' | '\u{115f}'..='\u{1160}' | '\u{17b4}'..='\u{17b5}' | '\u{180b}'..='\u{180f}'
            | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{3164}'
            | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}' | '\u{110bd}' | '\u{110cd}'
            | '\u{13430}'..='\u{1343f}' | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}'
            | '\u{e0000}'..='\u{e0fff}')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// What no output may have, but line ends.
    fn is_raw(c: char) -> bool {
        c.is_control() || "\u{200b}\u{200d}\u{202e}\u{2066}\u{feff}\u{ad}\u{e0041}\u{2028}".contains(c)
    }

    fn commands(output: &str) -> bool {
        output.lines().any(|line| {
            let anywhere = ["##[", "##vso[", "##teamcity["].iter().any(|command| line.contains(command));
            anywhere || line.trim_start().starts_with("::")
        })
    }

    /// Text as somebody would write who means harm.
    fn hostile() -> impl Strategy<Value = String> {
        let part = prop_oneof![
            any::<String>(),
            Just("\n".to_owned()),
            Just("##vso[task.setvariable]x".to_owned()),
            Just("#".to_owned()),
            Just("[".to_owned()),
            Just("::set-output name=a::b".to_owned()),
            Just(":".to_owned()),
            Just(" ".to_owned()),
            Just("\u{1b}]0;title\u{7}".to_owned()),
            Just("\u{1b}[31m".to_owned()),
            Just("\u{1b}[8m".to_owned()),
            Just("\u{1b}[0m".to_owned()),
            Just("\u{9b}2J".to_owned()),
            Just("\r\u{202e}\u{200b}\u{feff}".to_owned()),
            Just("\\".to_owned()),
            Just("\"".to_owned()),
        ];
        proptest::collection::vec(part, 0..12).prop_map(|parts| parts.concat())
    }

    proptest! {
        #[test]
        fn no_text_has_a_raw_control_character_or_a_command(hostile in hostile()) {
            let plain = text(&hostile, Paint::Plain);
            prop_assert!(!plain.chars().any(|c| c != '\n' && is_raw(c)), "{plain:?}");
            prop_assert!(!commands(&plain), "{plain:?}");
            prop_assert_eq!(text(&plain, Paint::Plain), &*plain, "twice is once");
            let mut painted = text(&hostile, Paint::Colour).into_owned();
            for colour in Paint::Colour.sequences() {
                painted = painted.replace(colour, "");
            }
            prop_assert!(!painted.chars().any(|c| c != '\n' && is_raw(c)), "{painted:?}");
            let line = line(&hostile);
            prop_assert!(!line.strip_suffix('\n').unwrap_or(&line).contains('\n') && !commands(&line), "{line:?}");
        }

        #[test]
        fn json_stays_the_same_document(hostile in hostile(), name in hostile()) {
            let document = serde_json::json!({ name: [hostile.clone()], "more": { "x": hostile } });
            for written in [document.to_string(), serde_json::to_string_pretty(&document).unwrap()] {
                let safe = json(&written);
                prop_assert!(!safe.chars().any(|c| c != '\n' && is_raw(c)), "{safe:?}");
                prop_assert!(!commands(&safe), "{safe:?}");
                prop_assert_eq!(&serde_json::from_str::<serde_json::Value>(&safe).unwrap(), &document);
                prop_assert_eq!(text(&safe, Paint::Plain), &*safe, "a document is not escaped again");
            }
        }
    }

    #[test]
    fn what_is_escaped_is_still_shown() {
        let escaped = text("a\u{1b}[2J\r\n::error::b ##[error]\n  ::stop", Paint::Plain);
        assert_eq!(escaped, "a\\u{1b}[2J\\r\n\\::error::b #\\#[error]\n  \\::stop");
        assert_eq!(line("a\nb\n"), "a\\nb\n");
        assert_eq!(json("{\"a\":\"##vso[x]\u{202e}\"}"), "{\"a\":\"#\\u0023vso[x]\\u202e\"}");
    }

    #[test]
    fn only_colours_of_ours_are_colours() {
        let ours = Paint::Colour.danger("REPLACES");
        assert_eq!(text(&ours, Paint::Colour), ours);
        assert!(!text(&ours, Paint::Plain).contains('\u{1b}'));
        assert!(!text("\u{1b}[8mhidden", Paint::Colour).contains('\u{1b}'));
    }

    #[test]
    fn what_people_write_stays() {
        for plain in ["## Drift\n", "a::b AWS::S3::Bucket", "größer — ✓ 日本語 עברית", "# [link](x)", "#1 ##"]
        {
            assert_eq!(text(plain, Paint::Plain), plain);
        }
    }
}
