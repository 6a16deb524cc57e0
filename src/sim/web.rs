//! `ports::Probes`, simulated: what answers at an address.
//!
//! A load balancer that a stack has made answers under its own name: 200, or 503 while none of its targets is healthy
//! (AWS: *Troubleshoot your Application Load Balancers*), unless somebody says otherwise; a name in a hosted zone leads
//! to where its record points. Everything else does not resolve.

use std::collections::BTreeSet;

use async_trait::async_trait;

use super::cloud::SimCloud;
use super::console::Console;
use super::evaluate::shown;
use super::resource::Resource;
use super::site::Site;
use super::world::World;
use crate::model::{HttpRequest, Reach, TargetState};
use crate::ports::{HttpAnswer, NoHttpAnswer, Probes};
use crate::sabotage::{self, Bug};

/// A record that points to a record that points to a record: more than anybody has.
pub(super) const HOPS_MAX: usize = 8;

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
    async fn get(&self, request: &HttpRequest, reach: &Reach) -> Result<HttpAnswer, NoHttpAnswer> {
        let Some(host) = host(&request.url) else {
            return Err(NoHttpAnswer::Here(format!("{} is not a valid address", request.url)));
        };
        self.pass_latency().await;
        let site = self.lock().site(host, reach).map_err(NoHttpAnswer::Refused)?;
        match site {
            Some(Site::Answers { status, body }) => Ok(HttpAnswer { status, body: body.into_bytes() }),
            Some(Site::Refuses) => Err(NoHttpAnswer::Server("connection refused".to_owned())),
            Some(Site::Silent) => {
                self.pass(request.timeout).await;
                let timeout = humantime::format_duration(request.timeout);
                Err(NoHttpAnswer::Server(format!("no answer within {timeout}")))
            }
            Some(Site::OutOfReach) => Err(NoHttpAnswer::Here("the network is unreachable".to_owned())),
            None => Err(NoHttpAnswer::Server("its host name does not resolve".to_owned())),
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
    /// What answers there. An address that a name leads to is judged, as every client has to.
    fn site(&self, host: &str, reach: &Reach) -> Result<Option<Site>, String> {
        self.follow(host, HOPS_MAX, |host| match host.parse() {
            Ok(address) if !sabotage::is(Bug::ProbesAnywhere) => reach.address(address),
            _ => Ok(()),
        })
    }

    /// The same, for whoever may ask anybody.
    pub(super) fn site_of(&self, host: &str, hops: usize) -> Option<Site> {
        self.follow(host, hops, |_| Ok(())).ok().flatten()
    }

    fn follow(
        &self,
        host: &str,
        hops: usize,
        may_ask: impl Fn(&str) -> Result<(), String>,
    ) -> Result<Option<Site>, String> {
        let mut host = host.to_ascii_lowercase();
        for hops in (0..hops).rev() {
            may_ask(&host)?;
            if let Some(site) = self.data.sites.get(&host) {
                return Ok(Some(site.clone()));
            }
            if let Some(answers) = self.load_balancer(&host) {
                return Ok(Some(answers));
            }
            let Some(target) = self.resolve_name(&host, hops) else { break };
            host = target;
        }
        Ok(None)
    }

    fn load_balancer(&self, host: &str) -> Option<Site> {
        let (ix, balancer) = self.data.stacks.iter().enumerate().find_map(|(ix, stack)| {
            let is_it = |found: &&Resource| {
                found.kind == "AWS::ElasticLoadBalancingV2::LoadBalancer"
                    && found.exists()
                    && found
                        .attribute(self.scope_of(ix), "DNSName")
                        .is_some_and(|name| shown(&name).eq_ignore_ascii_case(host))
            };
            stack.resources.values().find(is_it).map(|found| (ix, &found.physical_id))
        })?;
        let stack = &self.data.stacks[ix];
        let groups: BTreeSet<String> = stack.resources.values().flat_map(|found| forwards(found, balancer)).collect();
        let is_healthy = |group: &String| {
            let targets = self.target_health(stack.region, group).unwrap_or_default();
            targets.iter().any(|target| target.state == TargetState::Healthy)
        };
        // What it forwards to in another stack, or not at all, is taken to be there.
        let answers = groups.is_empty() || groups.iter().any(is_healthy);
        let (status, body) =
            if answers { (200, "{\"status\":\"UP\"}") } else { (503, "503 Service Temporarily Unavailable") };
        Some(Site::Answers { status, body: body.to_owned() })
    }
}

/// The target groups that a listener of this load balancer forwards to by default.
fn forwards(listener: &Resource, balancer: &str) -> Vec<String> {
    let text = |value: &serde_json::Value, name: &str| value.get(name).map(shown);
    let is_of_it = listener.kind == "AWS::ElasticLoadBalancingV2::Listener"
        && listener.exists()
        && text(&listener.properties, "LoadBalancerArn").as_deref() == Some(balancer);
    let actions = listener.properties.get("DefaultActions").and_then(serde_json::Value::as_array);
    let groups = actions.into_iter().flatten().filter_map(|action| text(action, "TargetGroupArn"));
    groups.filter(|_| is_of_it).collect()
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
