//! Address of a request's client, and a short description of its browser.

use axum::extract::{ConnectInfo, FromRef, FromRequestParts};
use axum::http::request::Parts;
use axum::http::{HeaderMap, header};
use ipnet::IpNet;
use paihao_http_api::openapi::ApiArgument;
use std::convert::Infallible;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Range of addresses: `10.0.0.0/8`, or one address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IpRange(IpNet);

/// Text that is no IP range.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not an address, nor a range like 10.0.0.0/8")]
pub struct InvalidIpRange;

impl FromStr for IpRange {
    type Err = InvalidIpRange;

    fn from_str(text: &str) -> Result<IpRange, InvalidIpRange> {
        let text = text.trim();
        let range = text.parse().or_else(|_| text.parse().map(|address: IpAddr| address.into()));
        range.map(IpRange).map_err(|_| InvalidIpRange)
    }
}

impl IpRange {
    /// True if the address is in the range.
    pub fn contains(&self, address: IpAddr) -> bool {
        self.0.contains(&address.to_canonical())
    }
}

/// Proxies whose forwarding headers are believed.
#[derive(Debug, Clone, Default)]
pub struct TrustedProxies {
    ranges: Arc<[IpRange]>,
    has_warned: Arc<AtomicBool>,
}

impl TrustedProxies {
    /// Names the proxies.
    pub fn new(ranges: impl IntoIterator<Item = IpRange>) -> TrustedProxies {
        TrustedProxies { ranges: ranges.into_iter().collect(), has_warned: Arc::default() }
    }

    /// True if the address is one of theirs.
    pub fn contain(&self, address: IpAddr) -> bool {
        self.ranges.iter().any(|range| range.contains(address))
    }

    /// True once, for the first request of what looks like a proxy that is not named: a private
    /// address that forwards.
    fn finds_unnamed(&self, peer: IpAddr, headers: &HeaderMap) -> bool {
        let forwards =
            ["x-forwarded-for", "forwarded"].iter().any(|name| headers.contains_key(*name));
        forwards
            && is_private(peer.to_canonical())
            && !self.contain(peer)
            && !self.has_warned.swap(true, Ordering::Relaxed)
    }
}

/// True for an address within a network of one's own, from which no client on the internet comes.
fn is_private(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => {
            address.is_private() || address.is_loopback() || address.is_link_local()
        }
        IpAddr::V6(address) => {
            address.is_unique_local() || address.is_loopback() || address.is_unicast_link_local()
        }
    }
}

/// Address of the client, as far as proxies are trusted to report it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ClientIp(pub(crate) IpAddr);

impl<S> ApiArgument<S> for ClientIp {}

impl<S> FromRequestParts<S> for ClientIp
where
    TrustedProxies: FromRef<S>,
    S: Send + Sync,
{
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<ClientIp, Infallible> {
        let peer = parts.extensions.get::<ConnectInfo<SocketAddr>>();
        let peer = peer.map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |peer| peer.0.ip());
        let proxies = TrustedProxies::from_ref(state);
        if proxies.finds_unnamed(peer, &parts.headers) {
            tracing::warn!(
                %peer,
                "a private address forwards requests and is not in gateway.trusted_proxies: all its \
                 clients count as one address"
            );
        }
        Ok(ClientIp(client_address(peer, &parts.headers, &proxies)))
    }
}

/// Nearest address that is not a trusted proxy's. Addresses further to the left in the header may
/// be forged.
fn client_address(peer: IpAddr, headers: &HeaderMap, proxies: &TrustedProxies) -> IpAddr {
    let values = headers.get_all("x-forwarded-for").iter();
    let hops: Vec<_> = values.flat_map(|value| value.to_str().unwrap_or("?").split(',')).collect();
    // An IPv4 address that came through an IPv6 socket is one all the same.
    let mut nearest = peer.to_canonical();
    for hop in hops.into_iter().rev() {
        if !proxies.contain(nearest) {
            break;
        }
        let Ok(next) = hop.trim().parse::<IpAddr>() else { break };
        nearest = next.to_canonical();
    }
    nearest
}

impl ClientIp {
    /// Address without its last part, for display: enough to recognise one's own office.
    pub(crate) fn masked(self) -> String {
        match self.0 {
            IpAddr::V4(address) => {
                let [a, b, c, _] = address.octets();
                format!("{a}.{b}.{c}.*")
            }
            IpAddr::V6(address) => {
                let [a, b, c, ..] = address.segments();
                format!("{a:x}:{b:x}:{c:x}:*")
            }
        }
    }
}

impl fmt::Display for ClientIp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.masked().fmt(f)
    }
}

/// Kind of browser and machine in a few words, without the text of its User-Agent.
pub(crate) fn browser_label(headers: &HeaderMap) -> String {
    let user_agent = headers.get(header::USER_AGENT).and_then(|value| value.to_str().ok());
    let user_agent = user_agent.unwrap_or_default();
    // The order matters: most browsers also name their rivals.
    let browsers = [
        ("MicroMessenger", "WeChat"),
        ("Edg", "Edge"),
        ("OPR/", "Opera"),
        ("Firefox", "Firefox"),
        ("Chrome", "Chrome"),
        ("Safari", "Safari"),
    ];
    let machines = [
        ("iPhone", "iPhone"),
        ("iPad", "iPad"),
        ("Android", "Android"),
        ("Windows", "Windows"),
        ("Mac OS", "macOS"),
        ("CrOS", "ChromeOS"),
        ("Linux", "Linux"),
    ];
    let first_match = |names: &[(&'static str, &'static str)]| {
        names.iter().find(|(mark, _)| user_agent.contains(mark)).map(|(_, name)| *name)
    };
    match (first_match(&browsers), first_match(&machines)) {
        (Some(browser), Some(machine)) => format!("{browser} · {machine}"),
        (Some(one), None) | (None, Some(one)) => one.to_owned(),
        (None, None) => "?".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderValue;

    fn client_address_of(peer: &str, forwarded: &[&str], trusted: &[&str]) -> String {
        let mut headers = HeaderMap::new();
        for value in forwarded {
            headers.append("x-forwarded-for", HeaderValue::try_from(*value).unwrap());
        }
        let trusted = trusted.iter().map(|range| range.parse().unwrap());
        let proxies = TrustedProxies::new(trusted);
        client_address(peer.parse().unwrap(), &headers, &proxies).to_string()
    }

    #[test]
    fn only_trusted_proxies_say_where_a_request_comes_from() {
        assert_eq!(client_address_of("203.0.113.9", &["1.2.3.4"], &[]), "203.0.113.9");
        assert_eq!(client_address_of("203.0.113.9", &["1.2.3.4"], &["10.0.0.0/8"]), "203.0.113.9");
        assert_eq!(client_address_of("10.1.2.3", &["1.2.3.4"], &["10.0.0.0/8"]), "1.2.3.4");
        assert_eq!(
            client_address_of("10.1.2.3", &["6.6.6.6, 1.2.3.4, 10.9.9.9"], &["10.0.0.0/8"]),
            "1.2.3.4"
        );
        assert_eq!(
            client_address_of("10.1.2.3", &["6.6.6.6", "1.2.3.4"], &["10.0.0.0/8"]),
            "1.2.3.4"
        );
        assert_eq!(client_address_of("10.1.2.3", &["nonsense"], &["10.0.0.0/8"]), "10.1.2.3");
        assert_eq!(client_address_of("::ffff:10.1.2.3", &["1.2.3.4"], &["10.0.0.0/8"]), "1.2.3.4");
        assert_eq!(client_address_of("::1", &["2001:db8::7"], &["::1"]), "2001:db8::7");
    }

    #[test]
    fn every_hop_that_is_skipped_is_a_named_proxy() {
        let trusted = ["10.0.0.1", "10.0.0.2"];
        // The office's own network is private too, and names no proxy.
        let forged = &["1.2.3.4, 10.0.0.77, 10.0.0.2"];
        assert_eq!(client_address_of("10.0.0.1", forged, &trusted), "10.0.0.77");
        let whole = &["1.2.3.4, 203.0.113.9, 10.0.0.2"];
        assert_eq!(client_address_of("10.0.0.1", whole, &trusted), "203.0.113.9");
        let broken = &["1.2.3.4, , 10.0.0.2"];
        assert_eq!(client_address_of("10.0.0.1", broken, &trusted), "10.0.0.2");
    }

    #[test]
    fn an_unnamed_proxy_is_warned_of_once() {
        let found = |proxies: &TrustedProxies, peer: &str, header: Option<&'static str>| {
            let mut headers = HeaderMap::new();
            if let Some(name) = header {
                headers.insert(name, HeaderValue::from_static("203.0.113.9"));
            }
            proxies.finds_unnamed(peer.parse().unwrap(), &headers)
        };
        let forwarded = Some("x-forwarded-for");
        for peer in ["10.0.0.5", "172.17.0.1", "192.168.1.1", "127.0.0.1", "::1", "fd00::1"] {
            let named = TrustedProxies::new([peer.parse().unwrap()]);
            assert!(!found(&named, peer, forwarded), "{peer} is named");
            let proxies = TrustedProxies::new(["10.9.9.9".parse().unwrap()]);
            assert!(!found(&proxies, peer, None), "{peer} forwards nothing");
            assert!(found(&proxies, peer, Some("forwarded")) && !found(&proxies, peer, forwarded));
        }
        let proxies = TrustedProxies::default();
        assert!(!found(&proxies, "8.8.8.8", forwarded), "a client that makes something up");
        assert!(found(&proxies, "::ffff:10.0.0.5", forwarded));
    }

    #[test]
    fn ranges_are_read_and_nothing_else() {
        let range = |text: &str| text.parse::<IpRange>();
        let all = range("0.0.0.0/0").unwrap();
        assert!(all.contains("8.8.8.8".parse().unwrap()) && !all.contains("::2".parse().unwrap()));
        let one = range("192.168.1.7").unwrap();
        assert!(one.contains("192.168.1.7".parse().unwrap()));
        assert!(!one.contains("192.168.1.8".parse().unwrap()));
        for bad in ["", "10.0.0.0/33", "::/129", "proxy", "10.0.0.0/x", "10.0.0/8"] {
            assert_eq!(range(bad), Err(InvalidIpRange), "{bad}");
        }
    }

    #[test]
    fn a_browser_is_told_in_a_few_words_and_an_address_without_its_end() {
        let label = |user_agent: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::USER_AGENT, HeaderValue::from_static(user_agent));
            browser_label(&headers)
        };
        let chrome = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0 Safari/537.36";
        assert_eq!(label(chrome), "Chrome · Windows");
        assert_eq!(label("curl/8.0 <script>"), "?");
        assert_eq!(ClientIp("203.0.113.9".parse().unwrap()).masked(), "203.0.113.*");
        assert_eq!(ClientIp("2001:db8:7::9".parse().unwrap()).masked(), "2001:db8:7:*");
    }
}
