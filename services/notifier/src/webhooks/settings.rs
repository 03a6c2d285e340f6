//! Settings of webhooks.

use paihao_chassis::config::SecretText;
use reqwest::Url;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use url::Host;

/// Settings of webhooks.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    /// Most messages to one webhook in progress at once, per replica.
    pub in_flight: usize,
    /// Webhooks by site and id, for example `hall/crm`.
    pub endpoints: BTreeMap<Arc<str>, WebhookEndpoint>,
}

/// Receiver of events.
#[derive(Debug, Clone)]
pub struct WebhookEndpoint {
    /// URL that messages are posted to, restricted by [`is_allowed_url`].
    pub url: Url,
    /// Signing secrets: one, or the new and the former one during a change.
    pub secrets: Vec<SecretText>,
    /// Event types that the receiver subscribes to.
    pub events: BTreeSet<String>,
}

/// Returns true for a URL with HTTPS, or with HTTP on a loopback host.
pub fn is_allowed_url(url: &Url) -> bool {
    let is_loopback = match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => return false,
    };
    url.scheme() == "https" || (url.scheme() == "http" && is_loopback)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_https_leaves_the_machine() {
        for url in [
            "https://crm.example.com/paihao",
            "http://127.0.0.1:9000/",
            "http://[::1]/",
            "http://localhost/x",
        ] {
            assert!(is_allowed_url(&url.parse().unwrap()), "{url}");
        }
        for url in [
            "http://crm.example.com/",
            "http://10.0.0.1/",
            "http://localhost.example.com/",
            "ftp://127.0.0.1/",
            "file:///etc/passwd",
        ] {
            assert!(!is_allowed_url(&url.parse().unwrap()), "{url}");
        }
    }
}
