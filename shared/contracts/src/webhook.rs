//! Event message for one of the owner's other systems.

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
    /// Time from which the message is due, in Unix milliseconds.
    pub since: i64,
    /// The event to be sent.
    pub event: PublicEvent,
}

impl WebhookMessage {
    /// Key of the work: every replica that plans the message computes the same one.
    pub fn key(&self) -> String {
        format!("{}/{}", self.hook, self.event.id)
    }

    /// Encodes the stored form.
    pub fn encode(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("string keys only")
    }
}

/// Full name of a webhook: its site and its id.
pub fn hook_name(site: &str, id: &str) -> Arc<str> {
    format!("{site}/{id}").into()
}
