//! Address of a request's client, and a short description of its browser.

use crate::http::openapi::ApiArgument;
use crate::http::refusals::Problem;
use crate::http::state::AppState;
use axum::extract::{ConnectInfo, FromRequestParts};
use axum::http::request::Parts;
use axum::http::{HeaderMap, header};
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::str::FromStr;

/// A range of addresses: `10.0.0.0/8`, or one address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IpRange {
    network: IpAddr,
    prefix_len: u8,
}

/// Text that is no IP range.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not an address, nor a range like 10.0.0.0/8")]
pub struct InvalidIpRange;

impl FromStr for IpRange {
    type Err = InvalidIpRange;

    fn from_str(text: &str) -> Result<IpRange, InvalidIpRange> {
        let (address, bits) = match text.trim().split_once('/') {
            Some((address, bits)) => {
                (address, Some(bits.parse::<u8>().map_err(|_| InvalidIpRange)?))
            }
            None => (text.trim(), None),
        };
        let first: IpAddr = address.parse().map_err(|_| InvalidIpRange)?;
        let most = if first.is_ipv4() { 32 } else { 128 };
        let bits = bits.unwrap_or(most);
        if bits <= most {
            Ok(IpRange { network: first, prefix_len: bits })
        } else {
            Err(InvalidIpRange)
        }
    }
}

impl IpRange {
    /// True if the address is in the range.
    pub fn contains(&self, address: IpAddr) -> bool {
        match (self.network, canonical(address)) {
            (IpAddr::V4(first), IpAddr::V4(address)) => {
                let shift = 32 - u32::from(self.prefix_len);
                let head = |a: Ipv4Addr| u32::from(a).checked_shr(shift).unwrap_or(0);
                head(first) == head(address)
            }
            (IpAddr::V6(first), IpAddr::V6(address)) => {
                let shift = 128 - u32::from(self.prefix_len);
                let head = |a| u128::from(a).checked_shr(shift).unwrap_or(0);
                head(first) == head(address)
            }
            _ => false,
        }
    }
}

/// Address of the client, as far as proxies are trusted to report it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ClientIp(pub(crate) IpAddr);

impl ApiArgument<AppState> for ClientIp {}

impl FromRequestParts<AppState> for ClientIp {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<ClientIp, Problem> {
        let peer = parts.extensions.get::<ConnectInfo<SocketAddr>>();
        let peer = peer.map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |peer| peer.0.ip());
        Ok(ClientIp(client_address(peer, &parts.headers, &state.settings.trusted_proxies)))
    }
}

/// The nearest address that is not a trusted proxy's. What stands further to the left in the header
/// is what somebody claims.
fn client_address(peer: IpAddr, headers: &HeaderMap, trusted: &[IpRange]) -> IpAddr {
    let is_trusted = |address| trusted.iter().any(|range| range.contains(address));
    let lines = headers.get_all("x-forwarded-for").iter();
    let named: Vec<_> = lines.flat_map(|line| line.to_str().unwrap_or("?").split(',')).collect();
    let mut nearest = canonical(peer);
    for name in named.into_iter().rev() {
        if !is_trusted(nearest) {
            break;
        }
        let Ok(next) = name.trim().parse::<IpAddr>() else { break };
        nearest = canonical(next);
    }
    nearest
}

/// An IPv4 address that came through an IPv6 socket is one all the same.
fn canonical(address: IpAddr) -> IpAddr {
    address.to_canonical()
}

impl ClientIp {
    /// The address without its end, for people: enough to know one's own office by.
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

/// The kind of browser in a few words; what it says of itself is not repeated.
pub(crate) fn browser_label(headers: &HeaderMap) -> String {
    let said = headers.get(header::USER_AGENT).and_then(|said| said.to_str().ok());
    let said = said.unwrap_or_default();
    // In this order: most of them also say that they are their rivals.
    let kinds = [
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
    let first = |of: &[(&'static str, &'static str)]| {
        of.iter().find(|(mark, _)| said.contains(mark)).map(|(_, name)| *name)
    };
    match (first(&kinds), first(&machines)) {
        (Some(kind), Some(machine)) => format!("{kind} · {machine}"),
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
        for line in forwarded {
            headers.append("x-forwarded-for", HeaderValue::try_from(*line).unwrap());
        }
        let trusted: Vec<IpRange> = trusted.iter().map(|range| range.parse().unwrap()).collect();
        client_address(peer.parse().unwrap(), &headers, &trusted).to_string()
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
        let of = |said: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::USER_AGENT, HeaderValue::from_static(said));
            browser_label(&headers)
        };
        let chrome = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0 Safari/537.36";
        assert_eq!(of(chrome), "Chrome · Windows");
        assert_eq!(of("curl/8.0 <script>"), "?");
        assert_eq!(ClientIp("203.0.113.9".parse().unwrap()).masked(), "203.0.113.*");
        assert_eq!(ClientIp("2001:db8:7::9".parse().unwrap()).masked(), "2001:db8:7:*");
    }
}
