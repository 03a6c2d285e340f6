//! An event on its way to one of the owner's other systems.

use crate::public_event::PublicEvent;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// One event for one webhook.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WebhookMessage {
    /// Version of this form: 1.
    pub v: u32,
    /// Site and id of the webhook: `hall/crm`.
    pub hook: Arc<str>,
    /// Since when it is to be sent, in Unix milliseconds.
    pub since: i64,
    /// What is sent.
    pub event: PublicEvent,
}

impl WebhookMessage {
    /// The key of the work: the same for every replica that plans it.
    pub fn key(&self) -> String {
        format!("{}/{}", self.hook, self.event.id)
    }

    /// The stored form.
    pub fn encode(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("string keys only")
    }
}

/// The name of a site's webhook among those of all sites.
pub fn hook_name(site: &str, id: &str) -> Arc<str> {
    format!("{site}/{id}").into()
}
