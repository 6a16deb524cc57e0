//! What ails an environment: for people and for programs.

use std::fmt::Write as _;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::json::API_VERSION;
use super::{Paint, left, remedy, words};
use crate::model::{Ailment, Diagnosis, EnvName, LeftTable, Remedy};

/// What `doctor -o json` writes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct DoctorReport {
    /// `landfast/v1`.
    #[schemars(extend("const" = "landfast/v1"))]
    pub api_version: String,
    /// `DoctorReport`.
    #[schemars(extend("const" = "DoctorReport"))]
    pub kind: String,
    /// One for each environment.
    pub items: Vec<Examination>,
}

/// The problems found in one environment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Examination {
    /// The environment.
    pub environment: String,
    /// Stacks that were checked in its accounts and regions, managed or not.
    pub stacks: usize,
    /// Problems, worst first.
    pub diagnoses: Vec<Diagnosis>,
    /// Tables that restore tests left behind and no longer need.
    #[serde(default)]
    pub left_tables: Vec<LeftTable>,
    /// What could not be checked, and why.
    pub unknown: Vec<String>,
}

impl Examination {
    /// Of this environment.
    #[must_use]
    pub fn of(environment: &EnvName, stacks: usize, diagnoses: Vec<Diagnosis>, unknown: Vec<String>) -> Self {
        Self { environment: environment.to_string(), stacks, diagnoses, left_tables: Vec::new(), unknown }
    }
}

/// How it stands, in one word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Health {
    /// No problem was found.
    Well,
    /// No problem was found in what could be looked at, and that was not all.
    Unknown,
    /// There is a problem.
    Ailing,
    /// There is a problem, and a person has to decide.
    Undecided,
}

impl DoctorReport {
    /// Of these environments.
    #[must_use]
    pub fn of(items: Vec<Examination>) -> Self {
        Self { api_version: API_VERSION.to_owned(), kind: "DoctorReport".to_owned(), items }
    }

    fn diagnoses(&self) -> impl Iterator<Item = &Diagnosis> {
        self.items.iter().flat_map(|item| &item.diagnoses)
    }

    fn left_tables(&self) -> usize {
        self.items.iter().map(|item| item.left_tables.len()).sum()
    }

    /// The worst of all. That a stack is nobody's is said, and ails nothing; a table that a test has left costs money.
    #[must_use]
    pub fn health(&self) -> Health {
        let one = |diagnosis: &Diagnosis| match (&diagnosis.remedy, diagnosis.ailment) {
            (_, Ailment::Unmanaged) => Health::Well,
            (Remedy::Decision { .. }, _) => Health::Undecided,
            _ => Health::Ailing,
        };
        let left = (self.left_tables() > 0).then_some(Health::Ailing);
        let unknown = self.items.iter().any(|item| !item.unknown.is_empty()).then_some(Health::Unknown);
        self.diagnoses().map(one).chain(left).chain(unknown).max().unwrap_or(Health::Well)
    }

    /// For people.
    #[must_use]
    pub fn text(&self, paint: Paint) -> String {
        let mut text = String::new();
        for item in &self.items {
            for diagnosis in item.diagnoses.iter().filter(|one| one.ailment != Ailment::Unmanaged) {
                text.push_str(&told(diagnosis, paint));
                text.push('\n');
            }
            text.push_str(&left::told(&item.left_tables, paint));
            unmanaged(&mut text, item, paint);
            for why in &item.unknown {
                let _ = writeln!(text, "{} {}\n", paint.change("unknown:"), words::clean(why));
            }
        }
        text.push_str(&self.sentence(paint));
        text
    }

    fn sentence(&self, paint: Paint) -> String {
        let stacks = self.items.iter().map(|item| item.stacks).sum::<usize>();
        let problems = self.diagnoses().filter(|one| one.ailment != Ailment::Unmanaged).count() + self.left_tables();
        let decisions = self.diagnoses().filter(|one| one.remedy.is_decision()).count();
        let unknown = self.items.iter().map(|item| item.unknown.len()).sum::<usize>();
        let looked = words::count(stacks, "stack");
        let mut sentence = if problems > 0 {
            let how = words::count(problems, "problem");
            let need = match decisions {
                0 => String::new(),
                1 => "; 1 needs a decision".to_owned(),
                several => format!("; {several} need a decision"),
            };
            paint.danger(format!("{how} in {looked}{need}"))
        } else if unknown > 0 {
            paint.change(format!("INCOMPLETE: no problems found in {looked}"))
        } else {
            paint.good(format!("No problems found in {looked}"))
        };
        if unknown > 0 {
            let _ = write!(sentence, "; {} could not be checked", words::count(unknown, "part"));
        }
        sentence.push_str(".\n");
        sentence
    }
}

/// Stacks that are nobody's are a list: each of them is somebody's business, and none is an ailment.
fn unmanaged(text: &mut String, item: &Examination, paint: Paint) {
    let found: Vec<&Diagnosis> = item.diagnoses.iter().filter(|one| one.ailment == Ailment::Unmanaged).collect();
    if found.is_empty() {
        return;
    }
    let how = words::count(found.len(), "stack");
    let _ = writeln!(text, "{}", paint.title(format!("{how} without a manifest")));
    for one in found {
        let _ = writeln!(text, "  {} in {}/{}", words::clean(&one.stack), one.account, one.region);
    }
    text.push('\n');
}

/// One diagnosis: what it is, what shows it, what would cure it.
pub(super) fn told(diagnosis: &Diagnosis, paint: Paint) -> String {
    let mut text = String::new();
    let named = diagnosis.object.clone().unwrap_or_else(|| diagnosis.stack.clone());
    let since = diagnosis.since.map(|since| format!(", since {}", words::time(since))).unwrap_or_default();
    let problem = paint.danger(ailment(diagnosis.ailment));
    let _ = writeln!(text, "{}  {problem}{since}", paint.title(words::clean(&named)));
    for evidence in &diagnosis.evidence {
        text.push_str(&words::wrapped(&words::clean(evidence), "    ", 100));
    }
    text.push_str(&remedy::text(&diagnosis.remedy, paint));
    text
}

/// What it is, in half a sentence.
pub(super) fn ailment(ailment: Ailment) -> &'static str {
    match ailment {
        Ailment::StackGone => "deleted outside Landfast",
        Ailment::TableGone => "one of its tables was deleted outside CloudFormation",
        Ailment::RollbackFailed => "the rollback of its update failed",
        Ailment::OutOfStep => "resources were skipped in a rollback and may not match the stack's template",
        Ailment::UpdateFailed => "its update failed and was not rolled back",
        Ailment::ImportFailed => "a resource import failed",
        Ailment::DeletionFailed => "its deletion failed",
        Ailment::Stalled => "its operation makes no progress",
        Ailment::ServiceNotSteady => "it waits for a service that does not reach a steady state",
        Ailment::ExportInUse => "an export that other stacks import would change",
        Ailment::LeftBehind => "its former stack in another region still exists",
        Ailment::NeverHealthy => "its creation failed",
        Ailment::Shell => "empty stack: its change set was never executed",
        Ailment::ChangeSets => "it has too many change sets",
        Ailment::UnprovenOwner => "it has Landfast's owner tag, but the journal has no record that Landfast created it",
        Ailment::ForeignChangeSet => {
            "it has change sets that are named like Landfast's but were not created by Landfast"
        }
        Ailment::Orphaned => "managed by Landfast, but no manifest describes it",
        Ailment::Unmanaged => "no manifest describes it",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Census, Choice, StackAddress};
    use crate::report::fixtures;

    fn diagnosis(ailment: Ailment, remedy: Remedy) -> Diagnosis {
        let address = StackAddress { scope: fixtures::scope(), name: "dev-performance-mgmt-msk".parse().unwrap() };
        Diagnosis::of(&address, ailment, remedy)
    }

    fn report() -> DoctorReport {
        let _ = Census::default();
        let decision = Remedy::Decision {
            what: "how to continue its rollback".to_owned(),
            choices: vec![
                Choice::new("repair what it failed on", ["aws cloudformation continue-update-rollback".to_owned()]),
                Choice::new("open a case with AWS Support", []),
            ],
        };
        let command = Remedy::Command { what: "cancels the update".to_owned(), commands: vec!["aws it".to_owned()] };
        let found = vec![
            diagnosis(Ailment::RollbackFailed, decision)
                .about(&fixtures::key("msk"))
                .since(Some(fixtures::at("03:00:00")))
                .shown_by(["Cluster (AWS::MSK::Cluster): it is\u{1b}[2J gone".to_owned()]),
            diagnosis(Ailment::Stalled, command),
            diagnosis(Ailment::Shell, Remedy::Automatic { what: "clears it".to_owned() }),
            diagnosis(Ailment::Unmanaged, Remedy::Command { what: "nothing".to_owned(), commands: Vec::new() }),
        ];
        let unknown = vec!["the change sets of dev-a could not be listed: throttled".to_owned()];
        let found = Examination::of(&"dev".parse().unwrap(), 14, found, unknown);
        DoctorReport::of(vec![Examination { left_tables: left::fixtures(), ..found }])
    }

    #[test]
    fn a_round_is_text_for_people_and_a_document() {
        let report = report();
        assert_eq!(report.health(), Health::Undecided);
        fixtures::check_contract("DoctorReport", &report);
        fixtures::golden("doctor.txt", &report.text(Paint::Plain));
    }

    #[test]
    fn a_table_that_a_test_has_left_is_an_ailment_by_itself() {
        let found = Examination::of(&"dev".parse().unwrap(), 3, Vec::new(), Vec::new());
        let report = DoctorReport::of(vec![Examination { left_tables: left::fixtures(), ..found }]);
        assert_eq!(report.health(), Health::Ailing);
        assert!(!report.text(Paint::Plain).contains("No problems"));
    }

    #[test]
    fn stacks_that_are_nobodys_ail_nothing() {
        let nobodys = diagnosis(Ailment::Unmanaged, Remedy::Command { what: String::new(), commands: Vec::new() });
        let items = vec![Examination::of(&"dev".parse().unwrap(), 3, vec![nobodys], Vec::new())];
        let report = DoctorReport::of(items);
        assert_eq!(report.health(), Health::Well);
        assert!(report.text(Paint::Plain).ends_with("No problems found in 3 stacks.\n"));
    }
}
