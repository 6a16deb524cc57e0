//! What a recovery point of ours is called: whose it is and for when it was made.
//!
//! An on-demand backup cannot be tagged, and making one has no idempotency token (AWS: *`CreateBackup`*). So all of this
//! is in its name, by which a lost answer is found again, and by which a backup is known for ours when the journal is lost.

use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

use crate::model::{EnvName, InvalidName, Key, Kind, ObjectName};

/// The tag of a recovery point in a vault that says for when it was made.
pub const SLOT_TAG: &str = "landfast:slot";
/// The tag of a recovery point in a vault that names its table's settings.
pub const PROFILE_TAG: &str = "landfast:profile";

/// The tag of a recovery point in a vault that says how many items its table had by AWS's count when it was begun: AWS
/// Backup keeps none, and counts a table's items about every six hours (AWS: *`TableDescription`*, `ItemCount`).
pub const ITEMS_TAG: &str = "landfast:items";

const PREFIX: &str = "landfast.";
const SLOT: &str = "%Y%m%dT%H%M%SZ";

/// The name of a recovery point of ours: `landfast.dev.tables.20260101T030000Z`, and after it, where its table's settings
/// are kept with it, the first twelve digits of their digest.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct PointName {
    /// The environment.
    pub environment: EnvName,
    /// The policy.
    pub policy: ObjectName,
    /// For when it was made, to the second.
    pub slot: Timestamp,
    /// Which settings are kept with it.
    pub profile: Option<String>,
}

impl PointName {
    /// The name of what `policy` makes for a slot.
    #[must_use]
    pub fn new(policy: &Key, slot: Timestamp, profile: Option<String>) -> Self {
        let slot = Timestamp::from_second(slot.as_second()).unwrap_or(slot);
        Self { environment: policy.environment.clone(), policy: policy.name.clone(), slot, profile }
    }

    /// The policy that it belongs to.
    #[must_use]
    pub fn key(&self) -> Key {
        Key::new(self.environment.clone(), Kind::BackupPolicy, self.policy.clone())
    }

    /// A slot as names and tags write it.
    #[must_use]
    pub fn slot_text(slot: Timestamp) -> String {
        slot.strftime(SLOT).to_string()
    }

    /// The slot that a name or tag writes so.
    #[must_use]
    pub fn slot_of(text: &str) -> Option<Timestamp> {
        let civil = DateTime::strptime(SLOT, text).ok()?;
        civil.to_zoned(TimeZone::UTC).ok().map(|zoned| zoned.timestamp())
    }
}

impl fmt::Display for PointName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { environment, policy, slot, profile } = self;
        write!(f, "{PREFIX}{environment}.{policy}.{}", Self::slot_text(*slot))?;
        profile.iter().try_for_each(|profile| write!(f, ".{profile}"))
    }
}

impl FromStr for PointName {
    type Err = InvalidName;

    fn from_str(text: &str) -> Result<Self, InvalidName> {
        let wrong = || InvalidName::new(text, "the name of a backup that Landfast made");
        let mut parts = text.strip_prefix(PREFIX).ok_or_else(wrong)?.split('.');
        let (Some(environment), Some(policy), Some(slot), profile, None) =
            (parts.next(), parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(wrong());
        };
        let slot = Self::slot_of(slot).ok_or_else(wrong)?;
        let profile = profile.map(str::to_owned);
        Ok(Self { environment: environment.parse()?, policy: policy.parse()?, slot, profile })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_reads_back_as_it_was_written_and_no_other_is_ours() {
        let key: Key = "dev/backuppolicy/tables".parse().unwrap();
        let slot = "2026-01-01T03:00:00.9Z".parse().unwrap();
        for profile in [None, Some("0123456789ab".to_owned())] {
            let name = PointName::new(&key, slot, profile);
            let read: PointName = name.to_string().parse().unwrap();
            assert_eq!((&read, read.key(), read.slot.as_second()), (&name, key.clone(), slot.as_second()));
            assert!((3..=255).contains(&name.to_string().len()));
        }
        for other in
            ["nightly", "landfast.dev.tables", "landfast.dev.tables.yesterday", "landfast.a.b.20260101T030000Z.c.d"]
        {
            assert!(other.parse::<PointName>().is_err(), "{other}");
        }
    }
}
