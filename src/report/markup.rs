//! Markdown that whatever others wrote can be put into.

use std::fmt::Write as _;

use super::words;

/// A value in a cell of a table; a dash if there is none.
pub(super) fn cell(value: Option<&str>) -> String {
    value.filter(|value| !value.is_empty()).map_or_else(|| "–".to_owned(), code)
}

/// As code: nothing in it means anything, and it stays in its cell.
pub(super) fn code(value: &str) -> String {
    let text = words::clean(value).replace('|', "\\|");
    let longest = text.split(|letter| letter != '`').map(str::len).max().unwrap_or(0);
    let fence = "`".repeat(longest + 1);
    let space = if text.starts_with('`') || text.ends_with('`') { " " } else { "" };
    format!("{fence}{space}{text}{space}{fence}")
}

/// As text in which nothing means anything.
pub(super) fn inline(value: &str) -> String {
    let mut text = String::new();
    for letter in words::clean(value).chars() {
        if matches!(letter, '<' | '>' | '&' | '*' | '_' | '[' | ']' | '`' | '|' | '\\' | '#' | '@' | '~') {
            text.push('\\');
        }
        text.push(letter);
    }
    text
}

/// As text within HTML, where a backslash is one.
pub(super) fn html(value: &str) -> String {
    let mut text = String::new();
    for letter in words::clean(value).chars() {
        match letter {
            '<' | '>' | '&' | '"' | '\'' | '@' | '`' | '*' | '_' => _ = write!(text, "&#{};", u32::from(letter)),
            letter => text.push(letter),
        }
    }
    text
}

/// A block of code.
pub(super) fn block(language: &str, value: &str) -> String {
    let longest = value.split(|letter| letter != '`').map(str::len).max().unwrap_or(0);
    let fence = "`".repeat(longest.max(2) + 1);
    format!("{fence}{language}\n{}\n{fence}\n", value.trim_end())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_others_wrote_means_anything() {
        assert_eq!(code("a|`b`"), "`` a\\|`b` ``");
        assert_eq!(inline("<b> @you #1 [x](y)"), "\\<b\\> \\@you \\#1 \\[x\\](y)");
        assert_eq!(html("</summary> & @you"), "&#60;/summary&#62; &#38; &#64;you");
        assert_eq!(block("", "a\n```\nb"), "````\na\n```\nb\n````\n");
    }
}
