//! What a Git host is told: how a commit stands in an environment, and what a pull request would change.
//!
//! Texts alone: who writes them, and when, is decided elsewhere.

use std::fmt::Write as _;

use super::change::is_quiet;
use super::markup::code;
use super::pull_request::MARKER;
use super::{order, words};
use crate::model::{Action, Entry, Guard, Key, Plan, Waiting};

/// The longest description of a state (GitHub: *Commit statuses*).
const DESCRIPTION_MAX: usize = 140;
/// The longest comment, in characters (GitHub: 65,536; GitLab: 1,000,000).
const COMMENT_MAX: usize = 65_536;
/// So many characters of a comment are for its newest plan; the rest is for those before it.
pub const PLAN_MAX: usize = 40_000;
/// So many errors in manifests are listed.
const ERRORS_MAX: usize = 20;

const END: &str = "<!-- landfast:end -->";
const OF: &str = "<!-- landfast:of ";

/// How a commit stands in an environment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// AWS is as it says.
    Good,
    /// Something is going on, or somebody has to decide.
    Open,
    /// Something failed or is refused.
    Bad,
}

/// How the plan of a followed commit stands, in at most 140 characters.
#[must_use]
pub fn standing(plan: &Plan) -> (Standing, String) {
    let entries = order::entries(plan);
    let named = |found: &[&(&Key, &Entry)]| {
        let first = found.first().map(|(key, _)| key.to_string()).unwrap_or_default();
        let more = if found.len() > 1 { format!(" and {} more", found.len() - 1) } else { String::new() };
        format!("{first}{more}")
    };
    let those = |is: &dyn Fn(&Entry) -> bool| entries.iter().filter(|(_, entry)| is(entry)).collect::<Vec<_>>();
    let waits = |is: fn(&Waiting) -> bool| move |entry: &Entry| entry.waiting.iter().any(is);
    let stalled = |entry: &Entry| entry.refused.iter().any(|refusal| refusal.guard == Guard::Stalled);
    let backs_off =
        waits(|waiting| matches!(waiting, Waiting::Backoff { .. } | Waiting::Readiness { overdue: true, .. }));
    let failed = those(&|entry| stalled(entry) || backs_off(entry));
    let refused = those(&|entry| !entry.refused.is_empty());
    let unknown = those(&|entry| entry.action == Action::Unknown);
    let approval = those(&waits(|waiting| matches!(waiting, Waiting::Approval { .. })));
    let open = those(&|entry| !is_quiet(entry) && entry.action != Action::Retain);
    let objects = words::count(plan.entries.len(), "object");
    let (standing, text) = match () {
        () if !failed.is_empty() => (Standing::Bad, format!("Failed: {}", named(&failed))),
        () if !refused.is_empty() => (Standing::Bad, format!("Refused: {}", named(&refused))),
        () if !unknown.is_empty() => (Standing::Open, format!("Not read: {}", named(&unknown))),
        () if !approval.is_empty() => {
            (Standing::Open, format!("Needs approval of plan {}: {}", plan.digest.short(), named(&approval)))
        }
        () if !open.is_empty() => (Standing::Open, format!("{} of {objects} to do: {}", open.len(), named(&open))),
        () => (Standing::Good, format!("In sync: {objects}")),
    };
    (standing, described(&text))
}

/// How a commit stands in whose manifests an environment has errors.
#[must_use]
pub fn broken() -> (Standing, String) {
    (Standing::Bad, "The manifests have errors; the last good revision stays in effect".to_owned())
}

/// How a commit stands that is not followed.
#[must_use]
pub fn not_followed(why: &str) -> (Standing, String) {
    (Standing::Bad, described(why))
}

/// One line, not longer than it may be.
fn described(text: &str) -> String {
    let text = words::clean(text);
    if text.chars().count() <= DESCRIPTION_MAX {
        return text;
    }
    text.chars().take(DESCRIPTION_MAX - 1).collect::<String>() + "…"
}

/// The first line of the comments of a source.
#[must_use]
pub fn comment_marker(source: &str) -> String {
    format!("<!-- landfast:plan:{source} -->")
}

/// What a comment says of one commit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Section {
    /// The commit that is planned.
    pub head: String,
    /// The one that was followed then.
    pub base: String,
    /// What is said.
    pub text: String,
}

impl Section {
    fn written(&self) -> String {
        // The first line of a plan that stands alone is the comment's here.
        let text = self.text.strip_prefix(MARKER).unwrap_or(&self.text).trim();
        format!("{OF}{} {} -->\n{text}\n{END}\n", self.head, self.base)
    }

    /// The sections of a comment, the newest first.
    fn all(body: &str) -> Vec<Self> {
        let mut sections = Vec::new();
        let mut open: Option<Self> = None;
        for line in body.lines() {
            let line = line.trim_end();
            let commits = line.strip_prefix(OF).and_then(|rest| rest.strip_suffix(" -->")?.split_once(' '));
            if let Some((head, base)) = commits {
                open = Some(Self { head: head.to_owned(), base: base.to_owned(), text: String::new() });
            } else if line == END {
                sections.extend(open.take());
            } else if let Some(section) = &mut open {
                let _ = writeln!(section.text, "{line}");
            }
        }
        sections
    }

    /// The newest section of a comment that is there.
    #[must_use]
    pub fn newest(body: &str) -> Option<Self> {
        Self::all(body).into_iter().next()
    }

    /// Whether they say the same of the same commit.
    #[must_use]
    pub fn says(&self, other: &Self) -> bool {
        let plain = |section: &Self| section.text.strip_prefix(MARKER).unwrap_or(&section.text).trim().to_owned();
        self.head == other.head && plain(self) == plain(other)
    }
}

/// A comment: its newest plan, and those before it, folded. `before` is what it says so far.
#[must_use]
pub fn comment(source: &str, newest: &Section, before: Option<&str>) -> String {
    let mut text = format!("{}\n{}", comment_marker(source), newest.written());
    let earlier: Vec<Section> = before.map(Section::all).unwrap_or_default();
    let earlier = earlier.iter().filter(|section| section.head != newest.head);
    let mut room = COMMENT_MAX.saturating_sub(text.chars().count() + 200);
    let mut kept: Vec<String> = Vec::new();
    for section in earlier {
        let written = format!("\n{}", section.written());
        let length = written.chars().count();
        if length > room {
            break;
        }
        room -= length;
        kept.push(written);
    }
    if !kept.is_empty() {
        let plans = words::count(kept.len(), "earlier plan");
        let _ = write!(text, "\n<details><summary>{plans}</summary>\n{}\n</details>\n", kept.concat());
    }
    text
}

/// What is said of a pull request beside its plan.
#[must_use]
pub fn remarks(errors: &[String], left_out: &[(String, &'static str)]) -> String {
    let mut text = String::new();
    if !errors.is_empty() {
        let _ = write!(text, "\n**{} in the manifests:**\n\n", words::count(errors.len(), "error"));
        for error in errors.iter().take(ERRORS_MAX) {
            let shown: String = error.chars().take(400).collect();
            let _ = writeln!(text, "- {}", code(&shown));
        }
        if errors.len() > ERRORS_MAX {
            let _ = writeln!(text, "- and {} more: `landfast validate` shows all", errors.len() - ERRORS_MAX);
        }
    }
    if !left_out.is_empty() {
        text.push('\n');
    }
    for (environment, why) in left_out {
        let _ = writeln!(text, "- {} is not planned: {why}", code(environment));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::{changes_markdown, fixtures};

    fn section(head: &str, text: &str) -> Section {
        Section { head: head.to_owned(), base: "base".to_owned(), text: text.to_owned() }
    }

    #[test]
    fn a_state_is_said_in_140_characters() {
        let (how, text) = standing(&fixtures::in_sync());
        assert_eq!(how, Standing::Good);
        assert!(text.starts_with("In sync: "), "{text}");
        let (how, text) = standing(&fixtures::everything());
        assert_eq!(how, Standing::Bad);
        assert!(text.starts_with("Failed: ") && text.chars().count() <= DESCRIPTION_MAX, "{text}");
        assert_eq!(described(&"ü".repeat(141)).chars().count(), DESCRIPTION_MAX);
    }

    #[test]
    fn earlier_plans_are_folded_and_the_same_commit_is_said_once() {
        let first = comment("main", &section("a", &format!("{MARKER}\n## Plan\n")), None);
        assert!(first.starts_with("<!-- landfast:plan:main -->\n"), "{first}");
        assert_eq!(first.matches("landfast:plan").count(), 1, "{first}");
        assert!(Section::newest(&first).unwrap().says(&section("a", "## Plan")));
        let same = comment("main", &section("a", "## Plan, again"), Some(&first));
        assert!(!same.contains("<details>") && same.contains("again"), "{same}");
        // Hosts may keep other ends of lines.
        let second = comment("main", &section("b", "## Other"), Some(&same.replace('\n', "\r\n")));
        assert!(second.contains("1 earlier plan</summary>") && second.contains("## Plan, again"), "{second}");
        let third = comment("main", &section("c", "## Third"), Some(&second));
        assert!(third.contains("2 earlier plans</summary>"), "{third}");
        assert_eq!(Section::newest(&third).unwrap().head, "c");
        assert!(comment("main", &section("c", "## Third"), Some(&third)) == third, "nothing to write");
    }

    #[test]
    fn a_comment_is_never_longer_than_it_may_be_and_no_plan_is_cut() {
        let mut body: Option<String> = None;
        for number in 0..6 {
            let text = changes_markdown(&vec![fixtures::everything(); 4], &[], "base", 20_000);
            body = Some(comment("main", &section(&number.to_string(), &text), body.as_deref()));
            let body = body.as_ref().unwrap();
            assert!(body.chars().count() <= COMMENT_MAX, "{}", body.chars().count());
            assert_eq!(body.matches("<details>").count(), body.matches("</details>").count());
            assert_eq!(body.matches(OF).count(), body.matches(END).count());
        }
        assert!(Section::all(&body.unwrap()).len() > 1);
    }

    #[test]
    fn what_others_wrote_ends_no_section() {
        let remarks = remarks(&[format!("{END}\n@you `x|")], &[("dev".to_owned(), "it is new")]);
        assert!(remarks.lines().all(|line| line != END) && !remarks.contains("@you"), "{remarks}");
    }
}
