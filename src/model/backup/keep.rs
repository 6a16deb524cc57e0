//! Settings of a table that are kept beside a recovery point, in a bucket: what a restore needs must not be lost with the
//! journal. Each recovery point has its own object, so that it goes with its point and with nothing else.

use super::PointName;
use crate::model::{Digest, PointId, TableName, TableProfile, VaultName};

/// Digits of a digest that settings are named by.
const NAME: usize = 12;

/// Settings of a table that are kept in a bucket, or go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeepSettings {
    /// The table.
    pub table: TableName,
    /// The recovery point.
    pub point: PointId,
    /// The vault that it is in; none: it is an on-demand backup.
    pub vault: Option<VaultName>,
    /// The bucket.
    pub bucket: String,
    /// The object in it.
    pub key: String,
    /// The settings; none: the point is gone, and they go too.
    pub settings: Option<Box<TableProfile>>,
}

impl PointName {
    /// Where in a bucket the settings of `table` are that are kept with this point; none: none are.
    #[must_use]
    pub fn settings_key(&self, table: &TableName) -> Option<String> {
        let Self { environment, policy, slot, profile } = self;
        let (slot, profile) = (Self::slot_text(*slot), profile.as_ref()?);
        Some(format!("landfast/settings/{environment}/{policy}/{table}/{slot}.{profile}.json"))
    }
}

impl TableProfile {
    /// What it is kept under: the beginning of its digest.
    #[must_use]
    pub fn name(&self) -> String {
        named(&Digest::of(self))
    }

    /// As it is written down: the text that its name is the digest of.
    #[must_use]
    pub fn text(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }

    /// Reads what was written down under a name.
    ///
    /// # Errors
    ///
    /// If it is not what that name was given to, or cannot be read.
    pub fn read(text: &str, name: &str) -> Result<Self, String> {
        if named(&Digest::of_bytes(text.as_bytes())) != name {
            return Err(format!("the digest does not match {name}: the stored settings were changed"));
        }
        serde_json::from_str(text).map_err(|error| format!("the stored settings cannot be read: {error}"))
    }
}

fn named(digest: &Digest) -> String {
    digest.as_str().get(..NAME).unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn profile() -> TableProfile {
        serde_json::from_value(json!({
            "key": {"partition": ["id", "S"], "sort": null}, "indexes": {}, "billing": "onDemand", "class": "STANDARD",
            "deletionProtected": true, "recoveryDays": 35, "stream": null, "timeToLive": "until",
            "tags": {"Team": "people"}, "policy": null, "scaling": [], "alarms": [],
        }))
        .unwrap()
    }

    #[test]
    fn settings_read_back_as_they_were_written_and_under_no_other_name() {
        let (profile, text) = (profile(), profile().text());
        assert_eq!(TableProfile::read(&text, &profile.name()), Ok(profile.clone()));
        assert!(TableProfile::read(&text.replace("people", "others"), &profile.name()).is_err());
        assert!(TableProfile::read(&text, "0123456789ab").is_err());
    }

    #[test]
    fn each_point_of_each_table_has_an_object_of_its_own() {
        let policy = "dev/backuppolicy/tables".parse().unwrap();
        let at = |slot: &str| PointName::new(&policy, slot.parse().unwrap(), Some("0123456789ab".to_owned()));
        let (one, other) = ("dev-Users".parse().unwrap(), "dev-Reviews".parse().unwrap());
        let (today, tomorrow) = (at("2026-01-01T03:00:00Z"), at("2026-01-02T03:00:00Z"));
        assert_eq!(
            today.settings_key(&one).unwrap(),
            "landfast/settings/dev/tables/dev-Users/20260101T030000Z.0123456789ab.json"
        );
        assert_ne!(today.settings_key(&one), tomorrow.settings_key(&one));
        assert_ne!(today.settings_key(&one), today.settings_key(&other));
        assert_eq!(PointName { profile: None, ..today }.settings_key(&one), None);
    }
}
