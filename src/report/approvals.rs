//! Which plans wait for approval, and what people have said of them.

use std::fmt::Write as _;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::paint::Paint;
use super::{API_VERSION, words};

/// What `approvals -o json` writes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ApprovalList {
    /// `landfast/v1`.
    #[schemars(extend("const" = "landfast/v1"))]
    pub api_version: String,
    /// `ApprovalList`.
    #[schemars(extend("const" = "ApprovalList"))]
    pub kind: String,
    /// How the plan of each environment stands.
    pub plans: Vec<PlanApproval>,
    /// What people have said, the oldest first. What has expired is kept for 90 days.
    pub reviews: Vec<ReviewState>,
}

/// How the plan of an environment stands with people.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PlanApproval {
    /// The environment.
    pub environment: String,
    /// The digest of the plan, with all digits.
    pub plan: String,
    /// Its code, as `plan` shows it.
    pub code: String,
    /// The objects whose change waits for approval.
    pub waiting: Vec<String>,
    /// How it stands.
    pub standing: PlanStanding,
    /// An approval has to be signed by so many different people; 0: it is given by the account that owns the state directory,
    /// whose identity is not verified.
    pub required: u32,
    /// Groups of which somebody has to be among them.
    pub groups: Vec<String>,
    /// Who can sign.
    pub approvers: Vec<String>,
}

/// How a plan stands with people.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "is", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum PlanStanding {
    /// Nothing of it waits for approval.
    NotNeeded,
    /// It needs more approvals.
    Waiting {
        /// Who approves it.
        given: Vec<String>,
        /// What is missing.
        missing: Vec<String>,
    },
    /// Enough people approve it.
    Approved {
        /// Who.
        by: Vec<String>,
        /// Until when.
        #[schemars(with = "String")]
        until: Timestamp,
    },
    /// Somebody rejects it.
    Rejected {
        /// Who.
        by: String,
        /// Why.
        because: String,
    },
}

/// An approval or a rejection.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ReviewState {
    /// Its ID.
    pub id: String,
    /// The environment.
    pub environment: String,
    /// The digest of the plan, with all digits.
    pub plan: String,
    /// Whether it approves; otherwise it rejects.
    pub approves: bool,
    /// Why a plan is rejected.
    pub because: Option<String>,
    /// Who: the name of the person whose key has signed it, or the account that gave it.
    pub by: String,
    /// The key that has signed it; `null`: it was not signed, and nobody has verified who it was.
    pub key: Option<String>,
    /// When.
    #[schemars(with = "String")]
    pub at: Timestamp,
    /// Until when it is valid.
    #[schemars(with = "String")]
    pub until: Timestamp,
    /// How it counts.
    pub state: ReviewCounts,
}

/// How an approval or a rejection counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum ReviewCounts {
    /// It counts, as long as the plan is the same.
    Valid,
    /// It has expired.
    Expired,
    /// The plan was applied with it. It is not used again.
    Used,
    /// It is void: the plan was rejected after it.
    Void,
    /// It does not count here: it was not signed by one of the people who can sign.
    NotAllowed,
    /// The plan has changed since.
    OtherPlan,
}

impl ReviewCounts {
    const fn word(self) -> &'static str {
        match self {
            Self::Valid => "valid",
            Self::Expired => "expired",
            Self::Used => "used",
            Self::Void => "void: rejected",
            Self::NotAllowed => "not allowed",
            Self::OtherPlan => "the plan changed",
        }
    }
}

impl ApprovalList {
    /// Of these.
    #[must_use]
    pub fn of(plans: Vec<PlanApproval>, reviews: Vec<ReviewState>) -> Self {
        Self { api_version: API_VERSION.to_owned(), kind: "ApprovalList".to_owned(), plans, reviews }
    }

    /// As sentences and a table.
    #[must_use]
    pub fn text(&self, paint: Paint) -> String {
        let mut text = String::new();
        for plan in &self.plans {
            let (environment, code) = (words::clean(&plan.environment), &plan.code);
            let names = |names: &[String]| words::clean(&names.join(", "));
            let _ = match &plan.standing {
                PlanStanding::NotNeeded => writeln!(text, "{environment}: no change waits for approval."),
                PlanStanding::Waiting { given, missing } => {
                    let _ = write!(text, "{environment}: plan {code} needs {}", names(missing));
                    let _ = if given.is_empty() { Ok(()) } else { write!(text, " (approved by {})", names(given)) };
                    writeln!(text, ". It waits with {}.", names(&plan.waiting))
                }
                PlanStanding::Approved { by, until } => {
                    writeln!(
                        text,
                        "{environment}: plan {code} is approved by {} until {}.",
                        names(by),
                        words::time(*until)
                    )
                }
                PlanStanding::Rejected { by, because } => {
                    let (by, because) = (words::clean(by), words::clean(because));
                    writeln!(text, "{environment}: plan {code} is rejected by {by}: {because}")
                }
            };
            if plan.required == 0 && plan.groups.is_empty() {
                text.push_str("  Approvals are not signed here: nobody verifies who gives them.\n");
            }
        }
        if self.reviews.is_empty() {
            text.push_str("\nNothing was approved or rejected.\n");
            return text;
        }
        text.push('\n');
        let titled = |y: usize, _: usize, cell: String| if y == 0 { paint.title(cell) } else { cell };
        let mut rows =
            vec![["ENVIRONMENT", "PLAN", "REVIEW", "BY", "VERIFIED", "UNTIL", "STATE"].map(str::to_owned).to_vec()];
        rows.extend(self.reviews.iter().map(|review| {
            let says = review
                .because
                .as_ref()
                .map_or_else(|| "approved".to_owned(), |because| format!("rejected: {}", words::clean(because)));
            let verified = if review.key.is_some() { "signature" } else { "no" };
            vec![
                words::clean(&review.environment),
                review.plan.get(..8).unwrap_or_default().to_owned(),
                says,
                words::clean(&review.by),
                verified.to_owned(),
                words::time(review.until),
                review.state.word().to_owned(),
            ]
        }));
        text.push_str(&words::table(&rows, titled));
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::fixtures::at;

    fn list() -> ApprovalList {
        let plan = |environment: &str, standing| PlanApproval {
            environment: environment.to_owned(),
            plan: "0123456789abcdef".repeat(4),
            code: "01234567-89abcdef-01234567-89abcdef".to_owned(),
            waiting: vec!["prod/stack/network".to_owned()],
            standing,
            required: u32::from(environment == "prod") * 2,
            groups: Vec::new(),
            approvers: vec!["ada".to_owned(), "grace".to_owned()],
        };
        let waiting =
            PlanStanding::Waiting { given: vec!["ada".to_owned()], missing: vec!["1 more approver".to_owned()] };
        let review = |by: &str, because: Option<&str>, key: Option<&str>, state| ReviewState {
            id: "0a1b".to_owned(),
            environment: "prod".to_owned(),
            plan: "0123456789abcdef".repeat(4),
            approves: because.is_none(),
            because: because.map(str::to_owned),
            by: by.to_owned(),
            key: key.map(str::to_owned),
            at: at("02:00:00"),
            until: at("04:00:00"),
            state,
        };
        let reviews = vec![
            review("ada", None, Some("ssh-ed25519 AAAA"), ReviewCounts::Valid),
            review("bob", Some("not \u{1b}[2Jtoday"), None, ReviewCounts::Expired),
        ];
        ApprovalList::of(vec![plan("prod", waiting), plan("dev", PlanStanding::NotNeeded)], reviews)
    }

    #[test]
    fn the_text_says_what_is_missing_who_was_verified_and_who_was_not() {
        let text = list().text(Paint::when(false));
        assert!(!text.contains('\u{1b}'), "{text}");
        for part in [
            "prod: plan 01234567-89abcdef-01234567-89abcdef needs 1 more approver (approved by ada).",
            "dev: no change waits for approval.\n  Approvals are not signed here: nobody verifies who gives them.",
            "ada  signature",
            "bob  no",
            "valid",
            "expired",
        ] {
            assert!(text.contains(part), "{part}: {text}");
        }
        assert!(ApprovalList::of(Vec::new(), Vec::new()).text(Paint::when(false)).contains("Nothing was approved"));
    }
}
