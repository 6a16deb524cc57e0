//! `ports::Probes`, simulated: what answers at an address.
//!
//! A load balancer that a stack has made answers 200 under its own name, as long as nobody says otherwise; a name in a
//! hosted zone leads to where its record points. Everything else does not resolve.

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use super::cloud::SimCloud;
use super::console::Console;
use super::world::World;
use crate::model::HttpRequest;
use crate::ports::{HttpAnswer, NoHttpAnswer, Probes};

/// A record that points to a record that points to a record: more than anybody has.
const HOPS_MAX: usize = 8;

/// What a web server does.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Site {
    /// It answers.
    Answers {
        /// With this status.
        status: u16,
        /// And this body.
        body: String,
    },
    /// Nobody listens.
    Refuses,
    /// It takes the connection and says nothing.
    Silent,
    /// The request cannot be made from where we are.
    OutOfReach,
}

impl Console {
    /// From here on a host answers like this; `None`: as it would by itself.
    pub fn set_site(&self, host: &str, site: Option<Site>) {
        let host = host.to_ascii_lowercase();
        let mut world = self.world();
        match site {
            Some(site) => _ = world.data.sites.insert(host, site),
            None => _ = world.data.sites.remove(&host),
        }
    }
}

#[async_trait]
impl Probes for SimCloud {
    async fn get(&self, request: &HttpRequest) -> Result<HttpAnswer, NoHttpAnswer> {
        let Some(host) = host(&request.url) else {
            return Err(NoHttpAnswer::Here(format!("{} is no address that can be asked", request.url)));
        };
        self.pass_latency().await;
        let site = self.lock().site(host);
        match site {
            Some(Site::Answers { status, body }) => Ok(HttpAnswer { status, body: body.into_bytes() }),
            Some(Site::Refuses) => Err(NoHttpAnswer::Server("connection refused".to_owned())),
            Some(Site::Silent) => {
                self.pass(request.timeout).await;
                let timeout = humantime::format_duration(request.timeout);
                Err(NoHttpAnswer::Server(format!("no answer within {timeout}")))
            }
            Some(Site::OutOfReach) => Err(NoHttpAnswer::Here("there is no network from here".to_owned())),
            None => Err(NoHttpAnswer::Server("its name does not resolve".to_owned())),
        }
    }
}

/// The host in an address.
fn host(url: &str) -> Option<&str> {
    let rest = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://"))?;
    let host = rest.split(['/', '?', '#', ':']).next()?;
    (!host.is_empty()).then_some(host)
}

impl World {
    fn site(&self, host: &str) -> Option<Site> {
        let mut host = host.to_ascii_lowercase();
        for _ in 0..HOPS_MAX {
            if let Some(site) = self.data.sites.get(&host) {
                return Some(site.clone());
            }
            if self.is_load_balancer(&host) {
                return Some(Site::Answers { status: 200, body: "{\"status\":\"UP\"}".to_owned() });
            }
            host = self.resolve_name(&host)?;
        }
        None
    }

    fn is_load_balancer(&self, host: &str) -> bool {
        self.data.stacks.iter().enumerate().any(|(ix, stack)| {
            stack.resources.values().any(|resource| {
                resource.kind == "AWS::ElasticLoadBalancingV2::LoadBalancer"
                    && resource.exists()
                    && resource.attribute(self.scope_of(ix), "DNSName").eq_ignore_ascii_case(host)
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::host;

    #[test]
    fn the_host_is_what_stands_between_scheme_and_path() {
        assert_eq!(host("https://a.example:8443/x?y"), Some("a.example"));
        assert_eq!(host("http://a.example"), Some("a.example"));
        for wrong in ["a.example", "ftp://a", "https:///x"] {
            assert_eq!(host(wrong), None, "{wrong}");
        }
    }
}
