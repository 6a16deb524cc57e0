//! Colour, or none.
//!
//! The caller knows whether a terminal is attached and what `NO_COLOR` says; a report only asks for a style by what it
//! is for. Every style is an ornament of a word that says the same.

use std::fmt;

use anstyle::{AnsiColor, Effects, Style};

/// Whether styles are written into the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Paint {
    /// As ANSI escapes.
    Colour,
    /// Not at all: for files, pipes and golden tests.
    Plain,
}

impl Paint {
    /// `Colour` if `yes`.
    #[must_use]
    pub fn when(yes: bool) -> Self {
        if yes { Self::Colour } else { Self::Plain }
    }

    /// Every escape sequence that a report in these colours may have. Any other is somebody else's.
    pub(super) fn sequences(self) -> &'static [&'static str] {
        match self {
            Self::Colour => {
                &["\u{1b}[0m", "\u{1b}[1m", "\u{1b}[2m", "\u{1b}[31m", "\u{1b}[32m", "\u{1b}[33m", "\u{1b}[36m"]
            }
            Self::Plain => &[],
        }
    }

    fn style(self, style: Style, text: impl fmt::Display) -> String {
        match self {
            Self::Colour => format!("{style}{text}{style:#}"),
            Self::Plain => text.to_string(),
        }
    }

    /// The name of the thing a block is about.
    #[must_use]
    pub fn title(self, text: impl fmt::Display) -> String {
        self.style(Style::new().effects(Effects::BOLD), text)
    }

    /// Something comes into being, or is as it should be.
    #[must_use]
    pub fn good(self, text: impl fmt::Display) -> String {
        self.style(AnsiColor::Green.on_default(), text)
    }

    /// Something changes, or is under way.
    #[must_use]
    pub fn change(self, text: impl fmt::Display) -> String {
        self.style(AnsiColor::Yellow.on_default(), text)
    }

    /// Something is destroyed or has failed.
    #[must_use]
    pub fn danger(self, text: impl fmt::Display) -> String {
        self.style(AnsiColor::Red.on_default().effects(Effects::BOLD), text)
    }

    /// Something a person may type.
    #[must_use]
    pub fn command(self, text: impl fmt::Display) -> String {
        self.style(AnsiColor::Cyan.on_default(), text)
    }

    /// What the eye may skip.
    #[must_use]
    pub fn quiet(self, text: impl fmt::Display) -> String {
        self.style(Style::new().effects(Effects::DIMMED), text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_text_has_no_escapes_and_coloured_text_ends_them() {
        assert_eq!(Paint::Plain.danger("REPLACES"), "REPLACES");
        let painted = Paint::when(true).danger("REPLACES");
        assert!(painted.starts_with('\u{1b}') && painted.ends_with("\u{1b}[0m"), "{painted:?}");
    }

    #[test]
    fn every_sequence_that_is_written_is_a_known_one() {
        let paint = Paint::Colour;
        let all =
            [paint.title(""), paint.good(""), paint.change(""), paint.danger(""), paint.command(""), paint.quiet("")];
        let mut left = all.concat();
        for known in paint.sequences() {
            assert!(left.contains(known), "{known:?} is written by nothing");
            left = left.replace(known, "");
        }
        assert_eq!(left, "");
    }
}
