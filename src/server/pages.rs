//! What a machine asks the daemon: whether it lives, whether it is ready, and how everything stands, in figures.
//!
//! These pages name environments and accounts, and ask nobody who they are: they are for this machine alone.

use std::net::{IpAddr, SocketAddr};

use tokio::net::TcpStream;

use super::health::Health;
use super::listen::{Answer, Handler, Request};

/// The media type of the figures (`OpenMetrics` 1.0).
const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// `/livez`, `/readyz` and `/metrics`.
pub struct Pages<'a> {
    health: &'a dyn Fn() -> Health,
}

impl std::fmt::Debug for Pages<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Pages").finish_non_exhaustive()
    }
}

impl<'a> Pages<'a> {
    /// `health` is asked for each request.
    pub fn new(health: &'a dyn Fn() -> Health) -> Self {
        Self { health }
    }

    fn page(&self, request: &Request) -> Answer {
        if !request.header("host").is_some_and(is_here) {
            return Answer::text("403 Forbidden", "these pages are for this machine: use localhost");
        }
        if request.method != "GET" {
            return Answer::text("405 Method Not Allowed", "use GET");
        }
        match request.path.as_str() {
            "/livez" => Answer::text("200 OK", "ok"),
            "/readyz" => {
                let missing = (self.health)().missing();
                if missing.is_empty() {
                    return Answer::text("200 OK", "ok");
                }
                Answer::text("503 Service Unavailable", &missing.join("\n"))
            }
            "/metrics" => match (self.health)().metrics() {
                Ok(text) => Answer::document(OPEN_METRICS, text),
                Err(why) => Answer::text("500 Internal Server Error", &why.to_string()),
            },
            _ => Answer::text("404 Not Found", "not found: there are /livez, /readyz and /metrics"),
        }
    }
}

impl Handler for Pages<'_> {
    async fn answer(&self, request: Request, _: &mut TcpStream) -> std::io::Result<Answer> {
        Ok(self.page(&request))
    }
}

/// Whether a `Host` names this machine. A browser that was led here under a name of its owner's sends that name (DNS
/// rebinding).
fn is_here(host: &str) -> bool {
    let name = host.parse::<SocketAddr>().map(|address| address.ip()).or_else(|_| host.parse::<IpAddr>());
    if let Ok(address) = name {
        return address.is_loopback();
    }
    let name = host.rsplit_once(':').map_or(host, |(name, _)| name);
    name.eq_ignore_ascii_case("localhost") || host == "[::1]"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_of_this_machine_are_answered() {
        for host in ["localhost", "localhost:9464", "LOCALHOST:1", "127.0.0.1", "127.0.0.1:9464", "[::1]:9464", "[::1]"]
        {
            assert!(is_here(host), "{host}");
        }
        for host in ["", "evil.example", "evil.example:9464", "localhost.evil.example", "10.0.0.1:9464", "0.0.0.0:9464"]
        {
            assert!(!is_here(host), "{host}");
        }
    }
}
