//! What is seen: headings, sentences, excerpts, and the time to read them.

use std::fmt::Write as _;
use std::time::Duration;

use anstream::adapter::strip_str;

use crate::cli::exit::Trouble;
use crate::cli::terminal;
use crate::model::Kind;
use crate::report::{self, Paint};

/// Text is broken at this many columns, which every terminal has.
const WIDTH: usize = 80;

/// The pause after a line of a list, and after a paragraph, where somebody watches.
const LINE: Duration = Duration::from_millis(60);
const PARAGRAPH: Duration = Duration::from_millis(900);

pub(super) struct Screen {
    pub(super) paint: Paint,
    /// Somebody watches, and wants to follow.
    pub(super) paced: bool,
}

impl Screen {
    /// Begins an act.
    pub(super) fn heading(&self, number: usize, title: &str) -> Result<(), Trouble> {
        let title = format!("── {number}  {title}");
        let rule = "─".repeat(WIDTH.saturating_sub(title.chars().count() + 1));
        terminal::print(&format!("\n{} {}\n\n", self.paint.title(title), self.paint.quiet(rule)))
    }

    /// Says something.
    pub(super) fn say(&self, text: &str) -> Result<(), Trouble> {
        terminal::print(&format!("{}\n\n", wrap(text, WIDTH, 0)))?;
        self.pause(PARAGRAPH);
        Ok(())
    }

    /// One line of a list.
    pub(super) fn line(&self, text: &str) -> Result<(), Trouble> {
        terminal::print(&format!("{}\n", wrap(text, WIDTH, 4)))?;
        self.pause(LINE);
        Ok(())
    }

    /// A report, indented.
    pub(super) fn show(&self, text: &str) -> Result<(), Trouble> {
        for line in text.trim_end().lines() {
            let depth = 2 + line.chars().take_while(|c| *c == ' ').count();
            let line = if line.is_empty() { String::new() } else { format!("  {line}") };
            terminal::print(&format!("{}\n", wrap(&line, WIDTH, depth + 2)))?;
        }
        terminal::print("\n")?;
        self.pause(PARAGRAPH);
        Ok(())
    }

    /// A chart, which is as wide as it is.
    pub(super) fn figure(&self, text: &str) -> Result<(), Trouble> {
        for line in text.trim_end().lines() {
            terminal::print(&format!("{}\n", if line.contains('|') { line.to_owned() } else { wrap(line, WIDTH, 2) }))?;
            self.pause(LINE);
        }
        self.gap()
    }

    /// An end of a list.
    pub(super) fn gap(&self) -> Result<(), Trouble> {
        terminal::print("\n")?;
        self.pause(PARAGRAPH);
        Ok(())
    }

    #[expect(clippy::disallowed_methods, reason = "the person reads meanwhile, and nothing else runs")]
    fn pause(&self, duration: Duration) {
        if self.paced {
            std::thread::sleep(duration);
        }
    }
}

/// Blocks of a plan's text that are about these objects, and its summary; the others are only counted.
pub(super) fn excerpt(plan: &str, objects: &[&str]) -> String {
    let mut text = String::new();
    let mut left_out = 0;
    for block in plan.split("\n\n") {
        // Colours are not part of what it says.
        let first = strip_str(block.lines().next().unwrap_or_default()).to_string();
        let is_entry =
            first.starts_with("  ") && Kind::ALL.iter().any(|kind| first.contains(&format!("/{}/", kind.as_str())));
        let wanted = objects.iter().any(|name| first.contains(&format!("/{name} ")) || first.ends_with(name));
        if is_entry && !wanted {
            left_out += 1;
            continue;
        }
        if !is_entry && left_out > 0 {
            let _ = write!(text, "  … and {left_out} more like these\n\n");
            left_out = 0;
        }
        text.push_str(block.trim_end());
        text.push_str("\n\n");
    }
    text
}

/// The paragraphs of a report that begin like this.
pub(super) fn paragraphs(text: &str, beginnings: &[&str]) -> String {
    let wanted = |block: &&str| beginnings.iter().any(|begin| strip_str(block).to_string().starts_with(begin));
    text.split("\n\n").filter(wanted).map(str::trim_end).collect::<Vec<_>>().join("\n")
}

/// A duration to the second, or finer below ten.
pub(super) fn span(duration: Duration) -> String {
    let seconds = duration.as_secs_f64();
    if seconds < 10.0 { format!("{seconds:.1}s") } else { report::duration(duration) }
}

/// Breaks a line at spaces; what follows is indented by `hang`. Escapes have no width.
fn wrap(text: &str, width: usize, hang: usize) -> String {
    let indent = text.len() - text.trim_start_matches(' ').len();
    let mut line = " ".repeat(indent);
    let mut lines = Vec::new();
    let mut used = indent;
    let mut fresh = true;
    for word in text.trim_start_matches(' ').split(' ') {
        let size = visible(word);
        if !fresh && used + 1 + size > width {
            lines.push(std::mem::replace(&mut line, " ".repeat(hang)));
            used = hang;
            fresh = true;
        }
        if !fresh {
            line.push(' ');
            used += 1;
        }
        line.push_str(word);
        used += size;
        fresh = false;
    }
    lines.push(line);
    let lines: Vec<&str> = lines.iter().map(|line| line.trim_end()).collect();
    lines.join("\n")
}

/// Columns that a word takes.
fn visible(word: &str) -> usize {
    strip_str(word).to_string().chars().count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_break_at_spaces_and_colours_have_no_width() {
        assert_eq!(wrap("  one two three", 9, 4), "  one two\n    three");
        assert_eq!(wrap("\u{1b}[1mone\u{1b}[0m two", 7, 0), "\u{1b}[1mone\u{1b}[0m two");
        assert_eq!(wrap("a   b", 80, 0), "a   b");
    }

    #[test]
    fn paragraphs_are_chosen_by_how_they_begin() {
        let text = "One is this.\n  a\n\n\u{1b}[1mTwo\u{1b}[0m is that.\n\nThree.\n";
        assert_eq!(paragraphs(text, &["Two", "One"]), "One is this.\n  a\n\u{1b}[1mTwo\u{1b}[0m is that.");
    }

    #[test]
    fn an_excerpt_counts_what_it_leaves_out() {
        let plan =
            "dev  account\n\n  ~ dev/stack/one  changes\n\n  ~ dev/stack/two  changes\n\n  = 3 others\n\nPlan: 2\n";
        let coloured = plan.replace("dev/stack/one", "\u{1b}[1mdev/stack/one\u{1b}[0m");
        assert!(excerpt(&coloured, &["one"]).contains("1 more like these"));
        let text = excerpt(plan, &["one"]);
        assert_eq!(
            text.trim_end(),
            "dev  account\n\n  ~ dev/stack/one  changes\n\n  … and 1 more like these\n\n  = 3 others\n\nPlan: 2"
        );
    }
}
