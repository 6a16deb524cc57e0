//! Which web servers may be asked by a check, judged by their address.
//!
//! A manifest names any URL, and a name resolves to whatever its owner wants. So the name is only the first question; what
//! counts is the address that is connected to. Addresses that mean *this machine*, *this link* or *the cloud's metadata* are
//! asked only where the operator's own configuration says so. Private networks are asked: internal load balancers are
//! what checks are mostly for, and the operator's `probes` narrows them.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use url::{Host, Url};

use super::like;

/// Which web servers the checks of an environment may ask.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reach {
    /// Names, by pattern: one of each list has to fit.
    pub hosts: Vec<(Vec<String>, Arc<str>)>,
    /// Networks: one of each list has to contain the address. Each with where the operator says so.
    pub networks: Vec<(Vec<IpNet>, Arc<str>)>,
    /// AWS itself is an emulator on this machine, and so what it makes answers there too.
    pub local: bool,
}

/// A server, as a URL names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Server {
    /// By an address, however that was written.
    Address(IpAddr),
    /// By a name, which is judged again by what it resolves to.
    Name(String),
}

const fn v4(a: u8, b: u8, c: u8, d: u8, prefix: u8) -> IpNet {
    IpNet::V4(Ipv4Net::new_assert(Ipv4Addr::new(a, b, c, d), prefix))
}

const fn v6(segments: [u16; 8], prefix: u8) -> IpNet {
    let mut bits = 0;
    let mut at = 0;
    while at < segments.len() {
        bits = (bits << 16) | segments[at] as u128;
        at += 1;
    }
    IpNet::V6(Ipv6Net::new_assert(Ipv6Addr::from_bits(bits), prefix))
}

/// IPv4 addresses as a NAT64 gateway has them (RFC 6052): AWS's own DNS64 makes them of public names.
const NAT64: IpNet = v6([0x64, 0xff9b, 0, 0, 0, 0, 0, 0], 96);

/// Ranges that no check should need (IANA: *Special-Purpose Address Registries*), the narrow ones first.
const SPECIAL: [(IpNet, &str); 23] = [
    // AWS: *Instance metadata and user data*, *Amazon ECS task metadata*, *EKS Pod Identity*.
    (v4(169, 254, 0, 0, 16), "a link-local address, where metadata services are"),
    (v6([0xfd00, 0x0ec2, 0, 0, 0, 0, 0, 0], 32), "an address of instance services such as instance metadata"),
    // Other clouds have theirs elsewhere.
    (v4(100, 100, 100, 200, 32), "the address of a metadata service"),
    (v4(168, 63, 129, 16, 32), "the address of a metadata service"),
    (v4(192, 0, 0, 0, 24), "an address for protocols, and of a metadata service"),
    (v6([0xfd20, 0x00ce, 0, 0, 0, 0, 0, 0x254], 128), "the address of a metadata service"),
    (v4(127, 0, 0, 0, 8), "a loopback address"),
    (v6([0, 0, 0, 0, 0, 0, 0, 1], 128), "a loopback address"),
    (v4(0, 0, 0, 0, 8), "an unspecified address, which means this machine"),
    (v6([0, 0, 0, 0, 0, 0, 0, 0], 128), "an unspecified address, which means this machine"),
    (v6([0xfe80, 0, 0, 0, 0, 0, 0, 0], 10), "a link-local address"),
    (v6([0xfec0, 0, 0, 0, 0, 0, 0, 0], 10), "a site-local address"),
    (v4(224, 0, 0, 0, 4), "a multicast address"),
    (v6([0xff00, 0, 0, 0, 0, 0, 0, 0], 8), "a multicast address"),
    (v4(240, 0, 0, 0, 4), "a reserved address"),
    // Another address is inside of these, and what it would be judged as is not what is connected to.
    (v6([0, 0, 0, 0, 0, 0xffff, 0, 0], 96), "an IPv4 address inside an IPv6 one"),
    (v6([0, 0, 0, 0, 0xffff, 0, 0, 0], 96), "an IPv4 address inside an IPv6 one"),
    (v6([0, 0, 0, 0, 0, 0, 0, 0], 96), "an IPv4 address inside an IPv6 one"),
    (v6([0x64, 0xff9b, 1, 0, 0, 0, 0, 0], 48), "an IPv4 address inside an IPv6 one"),
    (v6([0x2002, 0, 0, 0, 0, 0, 0, 0], 16), "an IPv4 address inside an IPv6 one (6to4)"),
    (v6([0x2001, 0, 0, 0, 0, 0, 0, 0], 32), "an IPv4 address inside an IPv6 one (Teredo)"),
    (v6([0x0100, 0, 0, 0, 0, 0, 0, 0], 64), "a discard-only address"),
    (v6([0x5f00, 0, 0, 0, 0, 0, 0, 0], 16), "a segment routing identifier, not a server"),
];

/// Where an emulator on this machine is.
const LOOPBACK: [IpNet; 2] = [v4(127, 0, 0, 0, 8), v6([0, 0, 0, 0, 0, 0, 0, 1], 128)];

impl Reach {
    /// The server of a URL, if it may be asked as far as that can be told before its name is resolved. Numbers are read as
    /// every client reads them, so that `2130706433`, `0x7f.1` and `127.0.0.1.` are all one address.
    ///
    /// # Errors
    /// It may not, or it is no URL of a web server; in words that say why.
    pub fn server(&self, url: &str) -> Result<Server, String> {
        let parsed = Url::parse(url).map_err(|error| format!("it is not a valid URL: {error}"))?;
        if !matches!(parsed.scheme(), "http" | "https") {
            return Err("only `http://` and `https://` URLs are allowed".to_owned());
        }
        if !parsed.username().is_empty() || parsed.password().is_some() {
            return Err("a URL with a user name or password is not allowed".to_owned());
        }
        let server = match parsed.host() {
            None => return Err("the URL has no host".to_owned()),
            Some(Host::Ipv4(address)) => Server::Address(address.into()),
            Some(Host::Ipv6(address)) => Server::Address(address.into()),
            Some(Host::Domain(name)) => Server::Name(name.trim_end_matches('.').to_ascii_lowercase()),
        };
        let shown = match &server {
            Server::Address(address) => address.to_string(),
            Server::Name(name) => name.clone(),
        };
        for (hosts, by) in &self.hosts {
            if !hosts.iter().any(|pattern| like(&pattern.to_ascii_lowercase(), &shown)) {
                return Err(format!("checks are not allowed to reach host {shown} ({by})"));
            }
        }
        if let Server::Address(address) = server {
            self.address(address)?;
        }
        Ok(server)
    }

    /// Whether this address may be connected to.
    ///
    /// # Errors
    /// It may not; in words that say why.
    pub fn address(&self, address: IpAddr) -> Result<(), String> {
        if let Some(inside) = nat64(address) {
            return self.address(inside.into()).map_err(|why| format!("{address} embeds {inside}: {why}"));
        }
        let special = SPECIAL.iter().find(|(range, _)| range.contains(&address));
        for (networks, by) in &self.networks {
            // Whoever allows everything does not mean the metadata of this machine.
            let meant = |network: &&IpNet| special.is_none_or(|(range, _)| range.contains(*network));
            if !networks.iter().filter(meant).any(|network| network.contains(&address)) {
                let what = special.map(|(_, what)| format!(", {what}")).unwrap_or_default();
                return Err(format!("{address}{what} is not in a network that checks are allowed to reach ({by})"));
            }
        }
        let Some((_, what)) = special.filter(|_| self.networks.is_empty()) else { return Ok(()) };
        if self.local && LOOPBACK.iter().any(|range| range.contains(&address)) {
            return Ok(());
        }
        Err(format!("{address} is {what}; to allow it, add it to `probes.networks` in landfast.toml"))
    }
}

fn nat64(address: IpAddr) -> Option<Ipv4Addr> {
    let IpAddr::V6(long) = address else { return None };
    let [.., a, b, c, d] = long.octets();
    NAT64.contains(&address).then(|| Ipv4Addr::new(a, b, c, d))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reach(networks: &[&str]) -> Reach {
        let networks: Vec<IpNet> = networks.iter().map(|network| network.parse().unwrap()).collect();
        Reach { networks: vec![(networks, "landfast.toml:3".into())], ..Reach::default() }
    }

    #[test]
    fn an_address_is_what_is_connected_to_however_it_is_written() {
        for url in [
            "http://127.0.0.1/",
            "http://127.1/",
            "http://2130706433/",
            "http://0x7f000001/",
            "http://0x7f.0.0.1/",
            "http://017700000001/",
            "http://0177.0.0.01/",
            "http://127.0.0.1./",
            "http://127.0.0.1.:8080/x",
            "http://%31%32%37.0.0.1/",
            "http://１２７.0.0.1/",
            "http:\\\\127.0.0.1\\",
            "http://0/",
            "http://0.0.0.0/",
            "http://[::]/",
            "http://[::1]/",
            "http://[0:0:0:0:0:0:0:1]:80/",
            "http://[::ffff:127.0.0.1]/",
            "http://[::ffff:7f00:1]/",
            "http://[::127.0.0.1]/",
            "http://[::ffff:169.254.169.254]/",
            "http://169.254.169.254/latest/meta-data/",
            "http://2852039166/",
            "http://0xa9fea9fe/",
            "http://0251.0376.0251.0376/",
            "http://169.254.43518/",
            "http://169.254.170.2/v2/credentials",
            "http://[fd00:ec2::254]/",
            "http://[fd00:ec2::23]/",
            "http://[64:ff9b::169.254.169.254]/",
            "http://[64:ff9b::a9fe:a9fe]/",
            "http://[64:ff9b:1::a9fe:a9fe]/",
            "http://[2002:a9fe:a9fe::1]/",
            "http://[2001::1]/",
            "http://[fe80::1]/",
            "http://[ff02::1]/",
            "http://224.0.0.1/",
            "http://255.255.255.255/",
            "http://100.100.100.200/",
            "https://me@169.254.169.254/",
            "http://10.0.0.1@127.0.0.1/",
            "http://10.0.0.1:80@example.com/",
            "file:///etc/passwd",
            "http://[fe80::1%25eth0]/",
        ] {
            assert!(Reach::default().server(url).is_err(), "{url} is asked");
        }
        for url in [
            "http://10.0.0.1/",
            "http://192.168.1.1:8080/",
            "http://172.31.0.2/",
            "http://100.64.0.1/",
            "http://[fd12:3456::1]/",
            "http://[2600:1f18::1]/",
            "http://93.184.216.34/",
            "http://[64:ff9b::808:808]/",
            "https://example.com/",
        ] {
            assert!(Reach::default().server(url).is_ok(), "{url} is not asked");
        }
    }

    #[test]
    fn a_name_is_known_without_its_last_dot_and_in_small_letters() {
        assert_eq!(Reach::default().server("http://LocalHost.:80/"), Ok(Server::Name("localhost".to_owned())));
    }

    #[test]
    fn what_the_operator_names_is_reached_and_all_the_rest_is_not() {
        let local = reach(&["127.0.0.0/8", "::1/128"]);
        assert_eq!(local.address("127.0.0.1".parse().unwrap()), Ok(()));
        assert_eq!(local.address("::1".parse().unwrap()), Ok(()));
        for other in ["10.0.0.1", "93.184.216.34", "169.254.169.254", "::ffff:127.0.0.1"] {
            let why = local.address(other.parse().unwrap()).unwrap_err();
            assert!(why.contains("landfast.toml:3"), "{why}");
        }
        let metadata = reach(&["169.254.169.254/32"]);
        assert_eq!(metadata.address("169.254.169.254".parse().unwrap()), Ok(()));
        assert!(metadata.address("169.254.170.2".parse().unwrap()).is_err());
    }

    #[test]
    fn everything_is_not_the_metadata_of_this_machine() {
        let all = reach(&["0.0.0.0/0", "::/0"]);
        for address in ["127.0.0.1", "169.254.169.254", "::1", "fd00:ec2::254", "::ffff:10.0.0.1", "0.0.0.0"] {
            assert!(all.address(address.parse().unwrap()).is_err(), "{address}");
        }
        assert_eq!(all.address("10.0.0.1".parse().unwrap()), Ok(()));
        assert_eq!(all.address("2600::1".parse().unwrap()), Ok(()));
    }

    #[test]
    fn an_emulator_on_this_machine_opens_loopback_and_nothing_else() {
        let local = Reach { local: true, ..Reach::default() };
        assert_eq!(local.address("127.0.0.1".parse().unwrap()), Ok(()));
        assert_eq!(local.address("::1".parse().unwrap()), Ok(()));
        for address in ["169.254.169.254", "0.0.0.0", "fd00:ec2::254", "::ffff:127.0.0.1"] {
            assert!(local.address(address.parse().unwrap()).is_err(), "{address}");
        }
        // What the operator says counts for more.
        assert!(Reach { local: true, ..reach(&["10.0.0.0/8"]) }.address("127.0.0.1".parse().unwrap()).is_err());
    }

    #[test]
    fn hosts_are_those_of_every_list() {
        let lists = [(vec!["*.example.com".to_owned()], "a:1".into()), (vec!["api.*".to_owned()], "a:2".into())];
        let reach = Reach { hosts: lists.into(), ..Reach::default() };
        assert!(reach.server("https://api.example.com/").is_ok());
        assert!(reach.server("https://API.example.com./").is_ok());
        assert!(reach.server("https://web.example.com/").unwrap_err().contains("a:2"));
        assert!(reach.server("https://example.com.evil.test/").is_err());
        assert!(reach.server("https://10.0.0.1/").is_err());
    }
}
