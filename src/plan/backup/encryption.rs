//! How a table is encrypted that is restored from a vault: in AWS Backup's words.

use std::collections::BTreeMap;

use super::Deciding;
use super::seen::NotYet;
use crate::model::{BackupNeed, Entry, PointId, Region, Replaced, VaultName};

/// What AWS Backup says of encryption, and what it is told (AWS: *Restore an Amazon `DynamoDB` table*,
/// <https://docs.aws.amazon.com/aws-backup/latest/devguide/restoring-dynamodb.html>): `KMS` with the ARN of a key,
/// `Default` with `Not Applicable`. That the restore metadata of a point has them under these names was not tried on AWS:
/// its page lists none (*`GetRecoveryPointRestoreMetadata`*: they "vary depending on the service"). Where they are
/// called otherwise, nothing is told, and the table is restored with a key of `DynamoDB`'s own.
const ENCRYPTION: [&str; 2] = ["encryptionType", "kmsMasterKeyArn"];

impl Deciding<'_> {
    /// How a table that is restored from a vault is encrypted: as the one that was backed up. AWS Backup would take a key of
    /// `DynamoDB`'s own (AWS: *Restore an Amazon DynamoDB table*); its words are handed back as they are.
    pub(super) fn encryption(
        &self,
        entry: &mut Entry,
        vault: &VaultName,
        id: &PointId,
    ) -> Result<BTreeMap<String, String>, NotYet> {
        let place = (self.spec.scope.clone(), id.clone());
        let found = self.planner.input.observation.backups.metadata.get(&place);
        let need = BackupNeed::Metadata(place.0, vault.clone(), place.1);
        let how = format!("how the recovery point of {vault} is encrypted");
        let says = (&*format!("{how} could not be read"), format!("{how} has not been read"));
        // "The metadata is not case-sensitive".
        let ours = |name: &str| ENCRYPTION.iter().any(|known| known.eq_ignore_ascii_case(name));
        let words = self.looked_at(entry, found, need, says)?.into_iter().flatten();
        Ok(words.filter(|(name, _)| ours(name)).map(|(name, value)| (name.clone(), value.clone())).collect())
    }
}

/// How a table is encrypted that comes in the place of another: with the key that this one had (AWS: *Restore an Amazon
/// DynamoDB table*). The point may be a copy, whose words name a key of another region.
pub(super) fn as_replaced(replaced: &Replaced) -> BTreeMap<String, String> {
    let values = match &replaced.kms_key {
        Some(key) => ["KMS", key.as_str()],
        None => ["Default", "Not Applicable"],
    };
    ENCRYPTION.iter().zip(values).map(|(name, value)| ((*name).to_owned(), value.to_owned())).collect()
}

/// The words of a point, for a table of this region. A key of another region has a replica here only if it is a multi-Region
/// key, whose id is the same everywhere (AWS KMS: *How multi-Region keys work*).
///
/// # Errors
/// It is no such key: another one is never chosen instead.
pub(super) fn here(mut words: BTreeMap<String, String>, region: &Region) -> Result<BTreeMap<String, String>, String> {
    for value in words.values_mut().filter(|value| value.starts_with("arn:")) {
        let mut parts: Vec<&str> = value.splitn(6, ':').collect();
        let foreign = parts.get(3).is_some_and(|of| *of != region.as_str());
        if !foreign {
            continue;
        }
        if !value.contains(":key/mrk-") {
            return Err(format!(
                "its key {value} is of another region, and is not a multi-Region key; create the empty table first, so \
                that its key is used"
            ));
        }
        parts[3] = region.as_str();
        *value = parts.join(":");
    }
    Ok(words)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(key: &str) -> BTreeMap<String, String> {
        ["KMS", key].into_iter().zip(ENCRYPTION).map(|(value, name)| (name.to_owned(), value.to_owned())).collect()
    }

    #[test]
    fn a_key_of_another_region_is_used_here_only_if_it_is_the_same_key_everywhere() {
        let region = "eu-west-1".parse().unwrap();
        let key = |region: &str, id: &str| format!("arn:aws:kms:{region}:111122223333:key/{id}");
        for (has, used) in [
            (key("eu-west-1", "1"), Some(key("eu-west-1", "1"))),
            (key("eu-central-1", "mrk-1"), Some(key("eu-west-1", "mrk-1"))),
            (key("eu-central-1", "1"), None),
            ("Not Applicable".to_owned(), Some("Not Applicable".to_owned())),
        ] {
            assert_eq!(here(words(&has), &region).ok(), used.map(|used| words(&used)), "{has}");
        }
    }
}
