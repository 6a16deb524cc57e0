//! Asks who has changed a resource. What cannot be found out is not known: never an error.

use std::time::Duration;

use jiff::Timestamp;

use super::Observer;
use crate::model::{Deed, Scope};

/// How long one question may take.
const WITHIN: Duration = Duration::from_mins(1);

/// Pages that are read: whoever changed it last is on the first, unless it is changed all the time.
const PAGES_MAX: usize = 3;

/// Where services without a region tell what was done (AWS: *Global service events*).
const GLOBAL: &str = "us-east-1";

/// These have none.
const GLOBAL_TYPES: [&str; 3] = ["AWS::IAM::", "AWS::Route53::", "AWS::CloudFront::"];

impl Observer<'_> {
    /// The calls that concern a resource, newest first; or why they are not known.
    pub async fn deeds(&self, scope: &Scope, kind: &str, id: &str, since: Timestamp) -> Result<Vec<Deed>, String> {
        let mut scope = scope.clone();
        if GLOBAL_TYPES.iter().any(|global| kind.starts_with(global))
            && let Ok(region) = GLOBAL.parse()
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
