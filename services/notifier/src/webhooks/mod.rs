//! Tells the owner's other systems what happened, signed, until they have taken it.
//!
//! - the **planner** reads commits, by a consumer of its own, and puts one message for each webhook
//!   and event on a queue of its own: `planner`;
//! - the **senders** post them: [`signature`] (who sent it, and when), `client` (the one that posts),
//!   [`retry`] (pure: when again, and until when), `sender`.
//!
//! Nothing of it is shared with the messages to WeChat: a receiver that hangs slows nobody else.

pub mod retry;
pub mod signature;

mod client;

mod planner;
mod sender;

pub use client::BuildError;

use paihao_chassis::Tasks;
use paihao_chassis::clock::Clock;
use paihao_chassis::config::SecretText;
use paihao_ledger::Ledger;
use reqwest::Url;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use url::Host;

/// What can be set about webhooks.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    /// Messages on their way to one webhook at once, from one replica.
    pub in_flight: usize,
    /// The webhooks, by site and id: `hall/crm`.
    pub endpoints: BTreeMap<Arc<str>, WebhookEndpoint>,
}

/// One system that is told.
#[derive(Debug, Clone)]
pub struct WebhookEndpoint {
    /// Where it takes them; [`is_fine`].
    pub url: Url,
    /// What messages are signed with: one secret, or the new and the former one.
    pub secrets: Vec<SecretText>,
    /// The types of event it is told of.
    pub events: BTreeSet<String>,
}

/// Whether messages may go there: by HTTPS, or to this machine itself.
pub fn is_allowed_url(url: &Url) -> bool {
    let is_here = match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => return false,
    };
    url.scheme() == "https" || (url.scheme() == "http" && is_here)
}

/// Starts planning and sending; nothing at all without a webhook. On the soft stop nothing new is
/// taken and what is under way ends.
pub fn start(
    settings: Settings,
    ledger: Arc<dyn Ledger>,
    clock: Arc<dyn Clock>,
    tasks: &Tasks,
) -> Result<(), BuildError> {
    if settings.endpoints.is_empty() {
        return Ok(());
    }
    let client = client::Client::new()?;
    let settings = Arc::new(settings);
    planner::worker(settings.clone(), ledger.clone(), clock.clone())
        .start("webhook-planner", tasks);
    sender::worker(settings, client, ledger, clock).start("webhook-sender", tasks);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_https_leaves_the_machine() {
        for fine in [
            "https://crm.example.com/paihao",
            "http://127.0.0.1:9000/",
            "http://[::1]/",
            "http://localhost/x",
        ] {
            assert!(is_allowed_url(&fine.parse().unwrap()), "{fine}");
        }
        for bad in [
            "http://crm.example.com/",
            "http://10.0.0.1/",
            "http://localhost.example.com/",
            "ftp://127.0.0.1/",
            "file:///etc/passwd",
        ] {
            assert!(!is_allowed_url(&bad.parse().unwrap()), "{bad}");
        }
    }
}
