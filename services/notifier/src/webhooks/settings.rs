//! Settings of webhooks.

use paihao_chassis::config::SecretText;
use paihao_wechat::private_targets::PrivateTargets;
use reqwest::Url;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Settings of webhooks.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    /// Most messages to one webhook in progress at once, per replica.
    pub in_flight: usize,
    /// Private networks in which webhooks may be.
    pub private_targets: PrivateTargets,
    /// Webhooks by site and id, for example `hall/crm`.
    pub endpoints: BTreeMap<Arc<str>, WebhookEndpoint>,
}

/// Receiver of events.
#[derive(Debug, Clone)]
pub struct WebhookEndpoint {
    /// URL that messages are posted to: public, or in the networks that are named.
    pub url: Url,
    /// Signing secrets: one, or the new and the former one during a change.
    pub secrets: Vec<SecretText>,
    /// Event types that the receiver subscribes to.
    pub events: BTreeSet<String>,
}
