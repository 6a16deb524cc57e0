//! The lines of a file that a diagnostic shows: few, short, and without characters that a terminal obeys.
//!
//! What others write can be one line of a megabyte, and a renderer that pads to its columns panics at 65,536. So the
//! lines are cut out, and cut off, when the diagnostic is made; the place that is named with them stays the true one.

use std::ops::Range;
use std::sync::Arc;

use miette::{MietteError, MietteSpanContents, SourceCode, SourceSpan, SpanContents};

/// Lines around those that it is about.
const AROUND: usize = 1;
/// More lines than this are not shown: then it is about the first.
const MOST_LINES: usize = 12;
/// Characters of a line before and after what it is about, and of any other line.
const BESIDE: usize = 80;
const OTHER: usize = 160;
/// Characters of a stretch that are underlined.
const UNDERLINED: usize = 120;
/// Characters of a message.
const MESSAGE: usize = 1_000;
const CUT: char = '…';

/// A few lines of a file.
#[derive(Clone, Debug)]
pub(super) struct Excerpt {
    name: Arc<str>,
    text: String,
    /// What it is about, within `text`.
    span: Range<usize>,
    /// The number of the first line, from 0.
    first: usize,
    /// The column in the file, from 0.
    column: usize,
}

impl Excerpt {
    /// The lines around a stretch of bytes of a text. `column`: of its beginning, from 1.
    pub(super) fn new(name: &Arc<str>, text: &str, offset: usize, length: usize, column: usize) -> Self {
        let start = floor(text, offset.min(text.len()));
        let mut end = floor(text, offset.saturating_add(length).min(text.len())).max(start);
        let begin = text[..start].rfind('\n').map_or(0, |at| at + 1);
        if text[start..end].matches('\n').count() >= MOST_LINES {
            end = text[start..].find('\n').map_or(text.len(), |at| start + at);
        }
        let first = back(text, begin, AROUND);
        let mut excerpt = Self {
            name: Arc::clone(name),
            text: String::new(),
            span: 0..0,
            first: text[..first].matches('\n').count(),
            column: column.saturating_sub(1),
        };
        let (mut at, mut after, mut opened) = (first, 0, false);
        for line in text[first..].split_inclusive('\n') {
            let next = at + line.len();
            let body = line.trim_end_matches(['\n', '\r']);
            // The stretch within this line.
            let inside = start.clamp(at, at + body.len()) - at..end.clamp(at, at + body.len()) - at;
            let touched =
                at <= end && start < next || start == at && body.is_empty() || start == next && next == text.len();
            let placed = excerpt.line(body, touched.then_some(inside));
            if touched && !opened {
                excerpt.span = placed.clone();
                opened = true;
            }
            if touched {
                excerpt.span.end = placed.end.max(excerpt.span.end);
            }
            at = next;
            after += usize::from(at > end);
            if after > AROUND {
                break;
            }
        }
        excerpt
    }

    /// What it is about, for a label.
    pub(super) fn label(&self) -> (usize, usize) {
        (self.span.start, self.span.len())
    }

    /// Adds a line, cut off. Where what it is about came to be.
    fn line(&mut self, body: &str, inside: Option<Range<usize>>) -> Range<usize> {
        let (window, inside) = match inside {
            Some(inside) => {
                let shown = inside.start..forward(body, inside.start, UNDERLINED).min(inside.end);
                (backward(body, shown.start, BESIDE)..forward(body, shown.end, BESIDE), shown)
            }
            None => (0..forward(body, 0, OTHER), 0..0),
        };
        if window.start > 0 {
            self.text.push(CUT);
        }
        let place = |excerpt: &mut Self, range: Range<usize>| {
            excerpt.text.extend(body.get(range).unwrap_or_default().chars().map(legible));
            excerpt.text.len()
        };
        let inside = inside.start.max(window.start)..inside.end.max(window.start);
        let start = place(self, window.start..inside.start);
        let end = place(self, inside.start..inside.end);
        place(self, inside.end..window.end);
        if window.end < body.len() {
            self.text.push(CUT);
        }
        self.text.push('\n');
        start..end
    }
}

impl SourceCode for Excerpt {
    fn read_span<'a>(
        &'a self,
        span: &SourceSpan,
        before: usize,
        after: usize,
    ) -> Result<Box<dyn SpanContents<'a> + 'a>, MietteError> {
        let found = self.text.read_span(span, before, after)?;
        // Asked for nothing around it, this is the place that is named.
        let column = if before == 0 && after == 0 { self.column } else { found.column() };
        Ok(Box::new(MietteSpanContents::new_named(
            self.name.chars().map(legible).collect(),
            found.data(),
            *found.span(),
            self.first + found.line(),
            column,
            found.line_count(),
        )))
    }
}

/// A message of a bearable length, without characters that a terminal obeys.
pub(super) fn message(text: &str) -> String {
    let mut short: String = text.chars().take(MESSAGE).map(|c| if c == '\n' { c } else { legible(c) }).collect();
    if text.chars().nth(MESSAGE).is_some() {
        short.push(CUT);
    }
    short
}

/// A character, or what stands for one that would be obeyed or could not be seen.
fn legible(c: char) -> char {
    let obeyed = c.is_control() && c != '\t';
    let unseen = matches!(c, '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}');
    if obeyed || unseen { char::REPLACEMENT_CHARACTER } else { c }
}

/// The nearest beginning of a character.
fn floor(text: &str, offset: usize) -> usize {
    (0..=offset).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0)
}

/// The beginning of the line so many lines before.
fn back(text: &str, begin: usize, lines: usize) -> usize {
    (0..lines).fold(begin, |at, _| match text[..at].strip_suffix('\n') {
        Some(before) => before.rfind('\n').map_or(0, |at| at + 1),
        None => at,
    })
}

fn forward(text: &str, from: usize, characters: usize) -> usize {
    let rest = text.get(from..).unwrap_or_default();
    rest.char_indices().nth(characters).map_or(text.len(), |(at, _)| from + at)
}

fn backward(text: &str, from: usize, characters: usize) -> usize {
    text.get(..from).unwrap_or_default().char_indices().rev().take(characters).last().map_or(from, |(at, _)| at)
}

#[cfg(test)]
mod tests {
    use miette::{GraphicalReportHandler, GraphicalTheme, LabeledSpan};
    use proptest::prelude::*;

    use super::*;

    #[derive(Debug)]
    struct Shown(Excerpt);

    impl std::fmt::Display for Shown {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("x")
        }
    }

    impl std::error::Error for Shown {}

    impl miette::Diagnostic for Shown {
        fn source_code(&self) -> Option<&dyn SourceCode> {
            Some(&self.0)
        }

        fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
            let (offset, length) = self.0.label();
            Some(Box::new(std::iter::once(LabeledSpan::new(None, offset, length))))
        }
    }

    fn rendered(text: &str, offset: usize, length: usize) -> String {
        let column = text[..offset].rsplit('\n').next().unwrap_or_default().chars().count() + 1;
        let excerpt = Excerpt::new(&Arc::from("f.yaml"), text, offset, length, column);
        let handler = GraphicalReportHandler::new_themed(GraphicalTheme::unicode_nocolor()).with_width(100);
        let mut shown = String::new();
        handler.render_report(&mut shown, &Shown(excerpt)).unwrap();
        shown
    }

    #[test]
    fn a_line_of_a_megabyte_is_cut_to_what_it_is_about() {
        let text = format!("a: 1\nb: {}WRONG{}\nc: 2\n", "x".repeat(500_000), "y".repeat(500_000));
        let shown = rendered(&text, text.find("WRONG").unwrap(), 5);
        assert!(shown.contains("[f.yaml:2:500004]") && shown.contains("WRONG") && shown.len() < 3_000, "{shown}");
        let whole = rendered(&text, 8, 1_000_005);
        assert!(whole.contains("[f.yaml:2:4]") && whole.len() < 3_000, "{whole}");
    }

    #[test]
    fn a_stretch_of_many_lines_is_about_its_first() {
        let text = "line\n".repeat(10_000);
        let shown = rendered(&text, 5_000, 20_000);
        assert!(shown.contains("[f.yaml:1001:1]") && shown.lines().count() < 20, "{shown}");
    }

    #[test]
    fn what_a_terminal_obeys_is_not_shown() {
        let text = "a: \u{1b}]0;title\u{7} \u{202e}b\u{9b}31m\n";
        let shown = rendered(text, 3, 4);
        assert!(!shown.contains(['\u{1b}', '\u{7}', '\u{202e}', '\u{9b}']), "{shown:?}");
        assert_eq!(message("a\u{1b}[31m\nb"), "a\u{fffd}[31m\nb");
        assert_eq!(message(&"x".repeat(5_000)).chars().count(), 1_001);
    }

    proptest! {
        #[test]
        fn any_stretch_of_any_text_is_shown_without_a_panic(
            pieces in prop::collection::vec(prop_oneof![
                "[a-z:{}\\[\\]\"'# ]{0,20}",
                "[\\u{0}-\\u{1f}\\u{7f}-\\u{9f}]{0,4}",
                "[\\u{202a}-\\u{202e}\\u{2066}-\\u{2069}\\u{200b}-\\u{200f}]{0,4}",
                "[漢字かな😀é\\u{301}]{0,9}",
                Just("\n".to_owned()), Just("\r\n".to_owned()), Just("\t\t".to_owned()),
                (1_usize..80_000).prop_map(|length| "z".repeat(length)),
            ], 0..12),
            from in 0.0..1.0_f64,
            length in prop_oneof![0_usize..40, 0_usize..200_000],
        ) {
            let text = pieces.concat();
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a place in a short text")]
            let offset = floor(&text, (from * text.len() as f64) as usize);
            let shown = rendered(&text, offset, length);
            prop_assert!(shown.len() < 40_000, "{}", shown.len());
            let obeyed = |c: char| c.is_control() && c != '\n';
            prop_assert!(!shown.contains(obeyed), "{shown:?}");
        }
    }
}
