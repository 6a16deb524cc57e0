//! What a template says of a table's recovery and protection: so that a backup policy and a template that say different
//! things are told so, and do not take turns.

use serde_json::Value;

use super::canonical::canonical;
use crate::yaml;

/// What a template says of a table; what it does not say, or only by conditions, is `None`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TableSettings {
    /// Point-in-time recovery is on.
    pub recovery: Option<bool>,
    /// Its window, in days.
    pub recovery_days: Option<u16>,
    /// Deletion protection is on.
    pub protected: Option<bool>,
}

/// What the template says of the table with this logical id; `parameter` gives the values of its parameters. `None` if
/// it has no such table.
#[must_use]
pub fn table_settings(body: &str, resource: &str, parameter: &dyn Fn(&str) -> Option<String>) -> Option<TableSettings> {
    let stream = yaml::parse(body);
    let document = stream.documents.first()?;
    let table = document.root.get("Resources")?.get(resource)?;
    let properties = canonical(table.get("Properties")?);
    let plain = |value: Option<&Value>| -> Option<String> {
        match value? {
            Value::String(text) => Some(text.clone()),
            Value::Bool(on) => Some(on.to_string()),
            Value::Number(number) => Some(number.to_string()),
            Value::Object(intrinsic) => parameter(intrinsic.get("Ref")?.as_str()?),
            Value::Null | Value::Array(_) => None,
        }
    };
    let recovery = properties.get("PointInTimeRecoverySpecification");
    let of = |name: &str| plain(recovery.and_then(|recovery| recovery.get(name)));
    let on = |text: String| text.to_ascii_lowercase().parse().ok();
    Some(TableSettings {
        recovery: of("PointInTimeRecoveryEnabled").and_then(on),
        recovery_days: of("RecoveryPeriodInDays").and_then(|text| text.parse().ok()),
        protected: plain(properties.get("DeletionProtectionEnabled")).and_then(on),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_template_says_of_a_table_is_read_with_its_parameters() {
        let body = "
Resources:
  Users:
    Type: AWS::DynamoDB::Table
    Properties:
      DeletionProtectionEnabled: !If [Protected, true, false]
      PointInTimeRecoverySpecification:
        PointInTimeRecoveryEnabled: true
        RecoveryPeriodInDays: !Ref Days
";
        let days = |name: &str| (name == "Days").then(|| "7".to_owned());
        let said = table_settings(body, "Users", &days).unwrap();
        assert_eq!(said, TableSettings { recovery: Some(true), recovery_days: Some(7), protected: None });
        assert_eq!(table_settings(body, "Other", &days), None);
    }
}
