//! Guard of outgoing requests to addresses that others choose: a target in a private network is
//! reached only if the configuration of the process names the network, whatever a name resolves to.

use ipnet::IpNet;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use url::{Host, Url};

/// Networks that are not part of the public Internet (RFC 6890), of IPv4 and IPv6.
const NOT_PUBLIC: [&str; 19] = [
    "0.0.0.0/8",
    "10.0.0.0/8",
    "100.64.0.0/10",
    "127.0.0.0/8",
    "169.254.0.0/16",
    "172.16.0.0/12",
    "192.0.0.0/24",
    "192.0.2.0/24",
    "192.168.0.0/16",
    "198.18.0.0/15",
    "198.51.100.0/24",
    "203.0.113.0/24",
    "224.0.0.0/3",
    "::/127",
    "64:ff9b:1::/48",
    "2001:db8::/32",
    "fc00::/7",
    "fe80::/10",
    "ff00::/8",
];

/// Private networks in which targets may be; none by default.
#[derive(Debug, Clone, Default)]
pub struct PrivateTargets(Arc<[IpNet]>);

/// Reason why nothing is sent to an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TargetError {
    /// Not an address of HTTP, or with a user or a fragment.
    #[error("it is no https address")]
    Malformed,
    /// HTTP without TLS leaves the private networks.
    #[error("without https it has to be in a private network that the configuration names")]
    Plain,
    /// A private address that the configuration does not allow.
    #[error("it is in a private network that the configuration does not name")]
    Private,
}

/// Text that names no network.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no network")]
pub struct InvalidNetwork(pub String);

impl PrivateTargets {
    /// Allows these networks, each an address or a range like `10.0.0.0/8`.
    pub fn parse<'a>(
        networks: impl IntoIterator<Item = &'a str>,
    ) -> Result<PrivateTargets, InvalidNetwork> {
        let network = |text: &str| {
            let range = text.parse::<IpNet>().ok();
            let range = range.or_else(|| text.parse::<IpAddr>().ok().map(IpNet::from));
            range.ok_or_else(|| InvalidNetwork(text.to_owned()))
        };
        networks.into_iter().map(network).collect::<Result<_, _>>().map(PrivateTargets)
    }

    /// Checks an address as far as it can be told without resolving its name.
    pub fn check(&self, url: &Url) -> Result<(), TargetError> {
        let has_user = !url.username().is_empty() || url.password().is_some();
        if !matches!(url.scheme(), "http" | "https") || has_user || url.fragment().is_some() {
            return Err(TargetError::Malformed);
        }
        let is_plain = url.scheme() == "http";
        match url.host() {
            None => Err(TargetError::Malformed),
            Some(Host::Domain(_)) if is_plain && self.0.is_empty() => Err(TargetError::Plain),
            Some(Host::Domain(_)) => Ok(()),
            Some(Host::Ipv4(address)) => self.check_address(address.into(), is_plain),
            Some(Host::Ipv6(address)) => self.check_address(address.into(), is_plain),
        }
    }

    /// Resolver for clients that send to these targets, over HTTPS or plain HTTP. A literal address
    /// is not resolved: [`Self::check`] refuses it.
    pub fn resolver(&self, is_plain: bool) -> impl Resolve + use<> {
        GuardedResolver { allowed: self.clone(), is_plain }
    }

    fn check_address(&self, address: IpAddr, is_plain: bool) -> Result<(), TargetError> {
        let address = embedded_address(address);
        if self.0.iter().any(|network| network.contains(&address)) {
            Ok(())
        } else if !is_public(address) {
            Err(TargetError::Private)
        } else if is_plain {
            Err(TargetError::Plain)
        } else {
            Ok(())
        }
    }
}

/// Returns the IPv4 address inside an IPv6 address that only carries one.
fn embedded_address(address: IpAddr) -> IpAddr {
    let IpAddr::V6(v6) = address else { return address };
    if let Some(v4) = v6.to_ipv4_mapped() {
        return v4.into();
    }
    let (octets, segments) = (v6.octets(), v6.segments());
    let carried = |at: usize| {
        Ipv4Addr::new(octets[at], octets[at + 1], octets[at + 2], octets[at + 3]).into()
    };
    match segments[..6] {
        [0x64, 0xff9b, 0, 0, 0, 0] => carried(12), // NAT64
        [0x2002, ..] => carried(2),                // 6to4
        _ => address,
    }
}

fn is_public(address: IpAddr) -> bool {
    let is_in =
        |network: &&str| network.parse::<IpNet>().is_ok_and(|network| network.contains(&address));
    !NOT_PUBLIC.iter().any(is_in)
}

/// Resolver that drops the addresses to which nothing is sent.
struct GuardedResolver {
    allowed: PrivateTargets,
    is_plain: bool,
}

impl Resolve for GuardedResolver {
    fn resolve(&self, name: Name) -> Resolving {
        let (allowed, is_plain) = (self.allowed.clone(), self.is_plain);
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            let (mut usable, mut refused) = (Vec::new(), None);
            for address in found {
                match allowed.check_address(address.ip(), is_plain) {
                    Ok(()) => usable.push(address),
                    Err(error) => refused = Some(error),
                }
            }
            match (usable.is_empty(), refused) {
                (true, Some(error)) => Err(error.into()),
                _ => Ok(Box::new(usable.into_iter()) as Addrs),
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checked(allowed: &[&str], url: &str) -> Result<(), TargetError> {
        let targets = PrivateTargets::parse(allowed.iter().copied()).unwrap();
        targets.check(&url.parse().unwrap())
    }

    #[test]
    fn private_networks_are_reached_only_if_they_are_allowed() {
        for url in [
            "https://crm.example.com/wx?key=1",
            "https://8.8.8.8/",
            "https://[2606:4700::1]/",
            "https://[::ffff:8.8.8.8]/",
        ] {
            assert_eq!(checked(&[], url), Ok(()), "{url}");
        }
        for url in [
            "https://127.0.0.1/",
            "https://10.1.2.3/",
            "https://169.254.169.254/latest",
            "https://192.168.1.1/",
            "https://172.31.255.255/",
            "https://100.64.0.1/",
            "https://0.0.0.0/",
            "https://224.0.0.1/",
            "https://255.255.255.255/",
            "https://[::1]/",
            "https://[::]/",
            "https://[fe80::1]/",
            "https://[fd00::1]/",
            "https://[::ffff:10.0.0.1]/",
            "https://[64:ff9b::7f00:1]/",
            "https://[2002:a00:1::]/",
            "https://2130706433/",
        ] {
            assert_eq!(checked(&[], url), Err(TargetError::Private), "{url}");
            assert_eq!(checked(&["0.0.0.0/0", "::/0"], url), Ok(()), "{url}");
        }
    }

    #[test]
    fn without_tls_pushes_stay_in_the_networks_that_are_named() {
        assert_eq!(checked(&[], "http://crm.example.com/"), Err(TargetError::Plain));
        assert_eq!(checked(&["10.0.0.0/8"], "http://crm/"), Ok(()), "told when it is resolved");
        assert_eq!(checked(&["10.0.0.0/8"], "http://10.0.0.1/"), Ok(()));
        assert_eq!(checked(&["10.0.0.0/8"], "http://192.168.0.1/"), Err(TargetError::Private));
        assert_eq!(checked(&["10.0.0.0/8"], "http://8.8.8.8/"), Err(TargetError::Plain));
        for url in ["ftp://8.8.8.8/", "https://u:p@x.com/", "https://x.com/#a", "mailto:a@x.com"] {
            assert_eq!(checked(&[], url), Err(TargetError::Malformed), "{url}");
        }
    }

    #[tokio::test]
    async fn a_name_is_judged_by_what_it_resolves_to() {
        let resolve = async |allowed: &str, is_plain| {
            let allowed = PrivateTargets::parse(allowed.split_whitespace()).unwrap();
            allowed.resolver(is_plain).resolve("localhost".parse().unwrap()).await.is_ok()
        };
        assert!(!resolve("", false).await, "a name of this machine");
        assert!(!resolve("10.0.0.0/8", true).await);
        assert!(resolve("127.0.0.0/8 ::1/128", true).await);
    }
}
