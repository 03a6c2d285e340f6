//! Client that passes pushes on to other systems of the owner's, and their replies back, unchanged.
//!
//! The addresses are settings that change while the system runs. So a target in a private network
//! is reached only if the configuration of the process allows it, whatever a name resolves to.

use crate::client::ClientBuildError;
use crate::transport::root_cause;
use bytes::{Bytes, BytesMut};
use ipnet::IpNet;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::header::{CONTENT_TYPE, HeaderName, HeaderValue};
use reqwest::redirect;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Duration;
use url::{Host, Url};

/// Header of a forwarded push. A push that has it is not forwarded again.
pub const FORWARDED: HeaderName = HeaderName::from_static("paihao-forwarded");

/// Largest reply that is passed on. WeChat's own limit on a text is far below.
pub const MAX_REPLY_BYTES: usize = 256 << 10;

/// Longest wait for a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);

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

/// Private networks in which targets may be.
#[derive(Debug, Clone, Default)]
pub struct PrivateTargets(Arc<[IpNet]>);

/// Reason why pushes are not forwarded to an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TargetError {
    /// Not an address of HTTP, or with a user or a fragment.
    #[error("it is no https address")]
    Malformed,
    /// HTTP without TLS leaves the private networks.
    #[error("without https it has to be in a network that gateway.forward_private names")]
    Plain,
    /// A private address that the configuration does not allow.
    #[error("it is in a private network that gateway.forward_private does not name")]
    Private,
}

/// Failure of forwarding. It quotes no address, which may hold a key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ForwardError {
    /// The address is not allowed.
    #[error(transparent)]
    Target(#[from] TargetError),
    /// No connection, for this reason.
    #[error("no connection: {0}")]
    Unreachable(String),
    /// No whole reply in time.
    #[error("no answer in time")]
    TimedOut,
    /// The connection broke before the reply was complete.
    #[error("the connection broke")]
    Broken,
    /// A status other than 200.
    #[error("it answered with status {0}")]
    Status(u16),
    /// A reply larger than [`MAX_REPLY_BYTES`].
    #[error("its answer is too large")]
    TooLarge,
    /// A reply that WeChat would count as a failure.
    #[error("its answer is neither success nor a reply of WeChat's form")]
    NotAReply,
}

impl ForwardError {
    /// Short name, as a metric label.
    pub fn label(&self) -> &'static str {
        match self {
            ForwardError::Target(_) => "not_allowed",
            ForwardError::Unreachable(_) => "unreachable",
            ForwardError::TimedOut => "timed_out",
            ForwardError::Broken => "broken",
            ForwardError::Status(_) => "status",
            ForwardError::TooLarge => "too_large",
            ForwardError::NotAReply => "not_a_reply",
        }
    }
}

/// Push as it came from WeChat.
#[derive(Clone, Copy)]
pub struct RawPush<'a> {
    /// Query of the address, with the signatures.
    pub query: &'a str,
    /// Type of the body.
    pub content_type: Option<&'a HeaderValue>,
    /// Body.
    pub body: &'a Bytes,
}

/// Reply of another system, to be passed on as it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ForwardedReply {
    /// Type of the body.
    pub content_type: Option<HeaderValue>,
    /// Body.
    pub body: Bytes,
}

impl ForwardedReply {
    /// Returns whether the person sees nothing of it.
    pub fn is_silent(&self) -> bool {
        matches!(self.body.trim_ascii(), b"" | b"success")
    }

    /// Returns whether WeChat takes it for a reply.
    fn is_legal(&self) -> bool {
        let text = self.body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&self.body).trim_ascii();
        self.is_silent() || (text.starts_with(b"<xml") && text.ends_with(b"</xml>"))
    }
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

/// Resolver that drops the addresses to which pushes are not forwarded.
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

/// Client for forwarding. Cheap to clone.
#[derive(Clone)]
pub struct PushForwarder {
    allowed: PrivateTargets,
    plain: reqwest::Client,
    tls: reqwest::Client,
}

impl PushForwarder {
    /// Creates a client that also reaches these private networks.
    pub fn new(allowed: PrivateTargets) -> Result<PushForwarder, ClientBuildError> {
        let client = |is_plain| {
            build_client(GuardedResolver { allowed: allowed.clone(), is_plain })
                .map_err(|error| ClientBuildError(root_cause(&error.without_url())))
        };
        Ok(PushForwarder { plain: client(true)?, tls: client(false)?, allowed })
    }

    /// Forwards a push, and returns the reply if it comes within the timeout.
    pub async fn forward(
        &self,
        target: &Url,
        push: RawPush<'_>,
        timeout: Duration,
    ) -> Result<ForwardedReply, ForwardError> {
        self.allowed.check(target)?;
        let mut url = target.clone();
        url.set_query(Some(&match target.query() {
            Some(own) if !own.is_empty() => format!("{own}&{}", push.query),
            _ => push.query.to_owned(),
        }));
        let client = if url.scheme() == "http" { &self.plain } else { &self.tls };
        let mut request = client.post(url).header(FORWARDED, "1").timeout(timeout);
        if let Some(content_type) = push.content_type {
            request = request.header(CONTENT_TYPE, content_type);
        }
        let sent = request.body(push.body.clone()).send().await;
        let mut response = sent.map_err(forward_error)?;
        if response.status() != reqwest::StatusCode::OK {
            return Err(ForwardError::Status(response.status().as_u16()));
        }
        let content_type = response.headers().get(CONTENT_TYPE).cloned();
        let mut body = BytesMut::new();
        while let Some(chunk) = response.chunk().await.map_err(forward_error)? {
            if body.len() + chunk.len() > MAX_REPLY_BYTES {
                return Err(ForwardError::TooLarge);
            }
            body.extend_from_slice(&chunk);
        }
        let reply = ForwardedReply { content_type, body: body.freeze() };
        if reply.is_legal() { Ok(reply) } else { Err(ForwardError::NotAReply) }
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "pushes go to hosts of the owner's, and must not share a client with WeChat's tokens"
)]
fn build_client(resolver: GuardedResolver) -> reqwest::Result<reqwest::Client> {
    // reqwest uses the process's provider. It does no harm if another crate has installed one.
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder()
        .redirect(redirect::Policy::none())
        .no_proxy()
        .referer(false)
        .user_agent("Mozilla/4.0")
        .connect_timeout(CONNECT_TIMEOUT)
        .pool_max_idle_per_host(16)
        .dns_resolver(Arc::new(resolver))
        .build()
}

/// Converts an error of reqwest's, which prints addresses, into ours, which does not.
fn forward_error(error: reqwest::Error) -> ForwardError {
    let error = error.without_url();
    if error.is_timeout() {
        ForwardError::TimedOut
    } else if error.is_connect() {
        ForwardError::Unreachable(root_cause(&error))
    } else {
        ForwardError::Broken
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
            let resolver = GuardedResolver { allowed, is_plain };
            resolver.resolve("localhost".parse().unwrap()).await.is_ok()
        };
        assert!(!resolve("", false).await, "a name of this machine");
        assert!(!resolve("10.0.0.0/8", true).await);
        assert!(resolve("127.0.0.0/8 ::1/128", true).await);
    }

    #[test]
    fn only_what_wechat_takes_for_a_reply_is_passed_on() {
        let reply = |body: &'static str| ForwardedReply {
            content_type: None,
            body: Bytes::from_static(body.as_bytes()),
        };
        for (body, silent) in [
            ("", true),
            ("success", true),
            (" success\n", true),
            ("<xml><ToUserName>a</ToUserName></xml>\n", false),
            ("\u{feff}<xml>a</xml>", false),
        ] {
            assert!(reply(body).is_legal(), "{body}");
            assert_eq!(reply(body).is_silent(), silent, "{body}");
        }
        for body in ["<html>", "{\"errcode\":0}", "fail", "<xml>cut", "<!DOCTYPE html><xml></xml>"]
        {
            assert!(!reply(body).is_legal(), "{body}");
        }
    }
}
