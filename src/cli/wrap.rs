//! Fits text to the width of a terminal: long lines are broken between words, and go on below the column in which they
//! were broken, so that a table stays one.

use textwrap::core::display_width;
use textwrap::{Options, WordSeparator, WordSplitter};

/// Narrower than this nothing is readable, and nothing is broken.
const NARROWEST: usize = 40;

/// The last column gets at least so much room, wherever it begins.
const COLUMN: usize = 24;

/// The text, with no line wider than `width` unless a word is.
pub(super) fn wrap(text: &str, width: usize) -> String {
    if width < NARROWEST {
        return text.to_owned();
    }
    let mut wrapped = String::with_capacity(text.len());
    for line in text.split_inclusive('\n') {
        let (line, end) = line.strip_suffix('\n').map_or((line, ""), |line| (line, "\n"));
        if display_width(line) <= width {
            wrapped.push_str(line);
        } else {
            // A long word (an ARN) begins as far left as it needs to stay whole.
            let longest = line.split(' ').map(display_width).max().unwrap_or_default();
            let indent = " ".repeat(column(line).min(width - COLUMN).min(width.saturating_sub(longest).max(2)));
            // Words are what stands between blanks: paths, addresses and commands stay whole.
            let options = Options::new(width)
                .subsequent_indent(&indent)
                .break_words(false)
                .word_separator(WordSeparator::AsciiSpace)
                .word_splitter(WordSplitter::NoHyphenation);
            wrapped.push_str(&textwrap::fill(line, options));
        }
        wrapped.push_str(end);
    }
    wrapped
}

/// Where the last column of a line begins: behind the last gap of two blanks or more.
fn column(line: &str) -> usize {
    let mut begins = 0;
    let mut rest = line;
    let mut before = 0;
    while let Some(gap) = rest.find("  ") {
        let after = rest.get(gap..).unwrap_or_default().trim_start_matches(' ');
        if after.is_empty() {
            break;
        }
        before += rest.len() - after.len();
        begins = before;
        rest = after;
    }
    // Escapes and wide characters count as they are seen.
    display_width(line.get(..begins).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_stays_a_table_at_any_width() {
        let table =
            "OBJECT           MESSAGE\ndev/stack/kms    waits for dev/stack/network and for dev/stack/security too\n";
        assert_eq!(wrap(table, 200), table);
        let expected = "OBJECT           MESSAGE\ndev/stack/kms    waits for dev/stack/network\n                 and for dev/stack/security\n                 too\n";
        assert_eq!(wrap(table, 44), expected);
        for width in 40..=200 {
            let wrapped = wrap(table, width);
            assert!(wrapped.lines().all(|line| display_width(line) <= width), "{width}\n{wrapped}");
            let words = |text: &str| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
            assert_eq!(words(&wrapped), words(table), "{width}");
        }
    }

    #[test]
    fn escapes_have_no_width_and_a_long_word_is_not_broken() {
        let painted = "\u{1b}[31mdev/stack/kms\u{1b}[0m    \u{1b}[32mone two three four five six\u{1b}[0m";
        assert_eq!(wrap(painted, 44), painted);
        let word = "x".repeat(50);
        let wrapped = wrap(&format!("dev/stack/kms  KeyArn                 {word}"), 60);
        assert_eq!(wrapped, format!("dev/stack/kms  KeyArn\n{}{word}", " ".repeat(10)));
        let word = "x".repeat(100);
        assert!(wrap(&format!("a {word} b"), 60).contains(&word));
    }
}
