//! Where a name leads to, judged before anything is sent there.
//!
//! All addresses of a name are judged, and the connection is made to those that were: the client does not resolve the name
//! again, so that an answer that changes between two questions changes nothing.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};

use crate::model::Reach;
use crate::sabotage::{self, Bug};

/// An address that may not be connected to, and why.
#[derive(Debug)]
pub(super) struct Refused(pub(super) String);

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Refused {}

/// The machine's resolver, with a judgement of what it says.
pub(super) struct Judging(pub(super) Arc<Reach>);

impl Resolve for Judging {
    fn resolve(&self, name: Name) -> Resolving {
        let reach = Arc::clone(&self.0);
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            Ok(judged(name.as_str(), found.collect(), &reach)?)
        })
    }
}

/// A name with one address that may not be asked is not asked at all: nobody has use for half of it.
fn judged(name: &str, found: Vec<SocketAddr>, reach: &Reach) -> Result<Addrs, Refused> {
    let refused = found.iter().find_map(|address| reach.address(address.ip()).err());
    match refused {
        Some(why) if !sabotage::is(Bug::ProbesAnywhere) => Err(Refused(format!("{name} resolves to {why}"))),
        _ => Ok(Box::new(found.into_iter())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_asked_if_all_of_its_addresses_may_be() {
        let addresses =
            |list: &[&str]| list.iter().map(|one| SocketAddr::new(one.parse().unwrap(), 0)).collect::<Vec<_>>();
        let judge = |list: &[&str]| judged("a.example", addresses(list), &Reach::default()).map(Iterator::count);
        assert_eq!(judge(&["10.0.0.1", "2600::1"]).unwrap(), 2);
        let why = judge(&["93.184.216.34", "169.254.169.254"]).unwrap_err().to_string();
        assert!(why.starts_with("a.example resolves to 169.254.169.254 is a link-local address"), "{why}");
        assert!(judge(&["93.184.216.34", "::ffff:127.0.0.1"]).is_err());
    }
}
