//! Markdown that whatever others wrote can be put into.

use std::fmt::Write as _;

use super::words;

/// A value in a cell of a table; a dash if there is none.
pub(super) fn cell(value: Option<&str>) -> String {
    value.filter(|value| !value.is_empty()).map_or_else(|| "–".to_owned(), code)
}

/// As code: nothing in it means anything, and it stays in its cell.
pub(super) fn code(value: &str) -> String {
    let text = words::clean(value);
    // Within backticks a cell still ends at `|`, and whether a backslash before it counts depends on who renders it.
    if text.is_empty() || text.contains(['`', '|', '\\']) || text.starts_with(' ') || text.ends_with(' ') {
        return format!("<code>{}</code>", html(&text));
    }
    format!("`{text}`")
}

/// As text in which nothing means anything. A backslash keeps marks from being read; but whoever looks for `@somebody`,
/// `#1` and addresses looks at what is shown (GitHub), so a comment stands in their midst.
pub(super) fn inline(value: &str) -> String {
    let mut text = String::new();
    for letter in words::clean(value).chars() {
        match letter {
            '<' => text.push_str("&lt;"),
            '&' => text.push_str("&amp;"),
            '@' | '#' => _ = write!(text, "\\{letter}<!-- -->"),
            '|' => text.push_str("&#124;"),
            '\\' => text.push_str("&#92;"),
            '>' | '*' | '_' | '[' | ']' | '`' | '~' | '!' | '$' | '%' | '^' => _ = write!(text, "\\{letter}"),
            letter => text.push(letter),
        }
    }
    text.replace("://", ":<!-- -->//").replace("www.", "www<!-- -->.").replace("GH-", "GH<!-- -->-")
}

/// As text within HTML, where a backslash is one. What looks like a reference is none within `<code>` alone.
pub(super) fn html(value: &str) -> String {
    let mut text = String::new();
    for letter in words::clean(value).chars() {
        match letter {
            letter if letter.is_ascii_punctuation() && !matches!(letter, '/' | '-' | '.' | ',' | '+') => {
                _ = write!(text, "&#{};", u32::from(letter));
            }
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
        assert_eq!(code("a b"), "`a b`");
        assert_eq!(code("a|`b`"), "<code>a&#124;&#96;b&#96;</code>");
        // Whoever reads `\\` first would see the end of the cell behind it.
        assert_eq!(code("a\\|@you"), "<code>a&#92;&#124;&#64;you</code>");
        assert_eq!(inline("<b> @you #1 [x](y)"), "&lt;b\\> \\@<!-- -->you \\#<!-- -->1 \\[x\\](y)");
        assert_eq!(inline("see: https://x.example GH-1"), "see: https:<!-- -->//x.example GH<!-- -->-1");
        assert_eq!(inline("!1 $2"), "\\!1 \\$2");
        assert_eq!(html("</summary> & @you"), "&#60;/summary&#62; &#38; &#64;you");
        assert_eq!(block("", "a\n```\nb"), "````\na\n```\nb\n````\n");
    }
}
