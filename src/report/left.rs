//! Tables that restore tests have left: what each is, and what removes it.

use std::fmt::Write as _;

use super::{Paint, remedy, words};
use crate::model::LeftTable;

/// A paragraph for each, and nothing where there are none.
pub(super) fn told(tables: &[LeftTable], paint: Paint) -> String {
    let mut text = String::new();
    for left in tables {
        let named = format!("{} in {}/{}", words::clean(&left.table), left.account, left.region);
        let since = left.since.map(|since| format!(", since {}", words::time(since))).unwrap_or_default();
        let problem = paint.danger("left over from a restore test");
        let _ = writeln!(text, "{}  {problem}{since}", paint.title(named));
        let of = left.of.as_deref().unwrap_or("an unknown table");
        let whose =
            left.policy.as_deref().map_or("it has no owner tag".to_owned(), |key| format!("its tag says {key}"));
        let evidence = format!("restored from {of}; {whose}; the test is in no known journal");
        text.push_str(&words::wrapped(&words::clean(&evidence), "    ", 100));
        text.push_str(&remedy::text(&left.remedy, paint));
        text.push('\n');
    }
    text
}

/// One that goes by itself, and one that a person has to delete.
#[cfg(test)]
pub(super) fn fixtures() -> Vec<LeftTable> {
    use super::fixtures::{at, scope};
    use crate::model::Remedy;

    let table = |table: &str, policy: Option<&str>, remedy| LeftTable {
        table: table.to_owned(),
        account: scope().account.to_string(),
        region: scope().region.to_string(),
        of: policy.map(|_| "dev-Users".to_owned()),
        policy: policy.map(str::to_owned),
        since: Some(at("03:10:00")),
        over: true,
        remedy,
    };
    let goes = Remedy::Automatic { what: "deletes it in the next reconciliation, if the policy allows it".to_owned() };
    let what = "deletes it; it has no owner tag, so Landfast does not do this".to_owned();
    let command = "aws dynamodb delete-table --region us-east-1 --table-name landfast-test-2".to_owned();
    vec![
        table("landfast-test-1", Some("dev/backuppolicy/tables"), goes),
        table("landfast-test-2", None, Remedy::Command { what, commands: vec![command] }),
    ]
}
