//! Asks who has changed a resource. What cannot be found out is not known: never an error.

use std::time::Duration;

use jiff::Timestamp;

use super::Observer;
use crate::model::{Deed, Region, Scope};

/// How long one question may take.
const WITHIN: Duration = Duration::from_mins(1);

/// Pages that are read: whoever changed it last is on the first, unless it is changed all the time.
const PAGES_MAX: usize = 3;

/// Where services without a region tell what was done, by partition (AWS: *Global service events*; each partition has its
/// own global services, and no credentials are good in two of them). A region's name begins with that of its partition.
const GLOBAL: [(&str, &str); 8] = [
    ("cn-", "cn-north-1"),
    ("us-gov-", "us-gov-west-1"),
    ("us-isob-", "us-isob-east-1"),
    ("us-isof-", "us-isof-south-1"),
    ("us-iso-", "us-iso-east-1"),
    ("eu-isoe-", "eu-isoe-west-1"),
    ("eusc-", "eusc-de-east-1"),
    ("", "us-east-1"),
];

/// Where services without a region tell what was done, in the partition of a region.
#[must_use]
pub fn global_region(region: &Region) -> Option<Region> {
    let found = GLOBAL.iter().find(|(prefix, _)| region.as_str().starts_with(prefix));
    found.and_then(|(_, region)| region.parse().ok())
}

/// Services without a region tell there what was done.
#[must_use]
pub fn is_global(region: &Region) -> bool {
    global_region(region).as_ref() == Some(region)
}

/// These have none.
const GLOBAL_TYPES: [&str; 3] = ["AWS::IAM::", "AWS::Route53::", "AWS::CloudFront::"];

impl Observer<'_> {
    /// The calls that concern a resource, newest first; or why they are not known.
    pub async fn deeds(&self, scope: &Scope, kind: &str, id: &str, since: Timestamp) -> Result<Vec<Deed>, String> {
        let mut scope = scope.clone();
        if GLOBAL_TYPES.iter().any(|global| kind.starts_with(global))
            && let Some(region) = global_region(&scope.region)
        {
            scope.region = region;
        }
        let found = self.named(&scope, id, since).await?;
        // Some services write the name, where `CloudFormation` knows the ARN.
        match id.rsplit(['/', ':']).next() {
            Some(name) if found.is_empty() && name != id && !name.is_empty() => self.named(&scope, name, since).await,
            _ => Ok(found),
        }
    }

    async fn named(&self, scope: &Scope, name: &str, since: Timestamp) -> Result<Vec<Deed>, String> {
        let port = self.governor.trail(scope, self.role(scope));
        let read = async {
            let (mut deeds, mut next) = (Vec::new(), None);
            for _ in 0..PAGES_MAX {
                let page = port.deeds(name, since, next).await.map_err(|error| error.to_string())?;
                deeds.extend(page.items);
                next = page.next;
                if next.is_none() {
                    break;
                }
            }
            Ok(deeds)
        };
        let limit = || format!("no answer within {}", humantime::format_duration(WITHIN));
        self.cx.timeout(WITHIN, read).await.unwrap_or_else(|| Err(limit()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn global_services_are_asked_for_in_the_partition_of_the_region() {
        let pairs = [
            ("eu-central-1", "us-east-1"),
            ("us-west-2", "us-east-1"),
            ("cn-northwest-1", "cn-north-1"),
            ("us-gov-east-1", "us-gov-west-1"),
            ("us-isob-east-1", "us-isob-east-1"),
        ];
        for (region, global) in pairs {
            let found = global_region(&region.parse().unwrap()).unwrap();
            assert_eq!(found.as_str(), global, "{region}");
        }
    }
}
