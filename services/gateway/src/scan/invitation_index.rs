//! Index of the invitations that are open, in the cache beside their sessions.

use crate::scan::sessions::SessionError;
use bytes::Bytes;
use paihao_cache::{Cache, CasOutcome};
use paihao_contracts::streams;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use std::time::Duration;
use uuid::Uuid;

/// Time for which the index is kept after its newest invitation: longer than one is open.
const RETENTION: Duration = Duration::from_secs(3600);

/// Largest number of invitations of the index. The oldest one leaves first, and works all the same.
const MAX_INVITATIONS: usize = 200;

/// Invitation of the index.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct OpenInvitation {
    pub(crate) uuid: Uuid,
    /// End of the code's validity, in Unix milliseconds.
    pub(crate) expires_at: i64,
}

/// Index of the invitations of a deployment.
pub(crate) struct InvitationIndex(pub(crate) Arc<dyn Cache>);

impl InvitationIndex {
    /// Adds an invitation.
    pub(crate) async fn add(
        &self,
        uuid: Uuid,
        expires_at: i64,
        now_ms: i64,
    ) -> Result<(), SessionError> {
        let key = streams::open_invitations_key();
        let mut stored = self.0.get(key).await?;
        loop {
            let mut list = read(stored.as_deref(), now_ms);
            list.push(OpenInvitation { uuid, expires_at });
            let excess = list.len().saturating_sub(MAX_INVITATIONS);
            list.drain(..excess);
            let new: Bytes = serde_json::to_vec(&list).expect("uuids and numbers").into();
            match self.0.compare_and_set(key, stored.as_deref(), new, RETENTION).await? {
                CasOutcome::Swapped => return Ok(()),
                CasOutcome::Mismatch(newer) => stored = newer,
            }
        }
    }

    /// Returns the invitations whose codes may still work, oldest first.
    pub(crate) async fn list(&self, now_ms: i64) -> Result<Vec<OpenInvitation>, SessionError> {
        let stored = self.0.get(streams::open_invitations_key()).await?;
        Ok(read(stored.as_deref(), now_ms))
    }
}

/// Reads the index. A scan prolongs its invitation, so those that ended a moment ago stay.
fn read(stored: Option<&[u8]>, now_ms: i64) -> Vec<OpenInvitation> {
    let list: Vec<OpenInvitation> =
        stored.and_then(|stored| serde_json::from_slice(stored).ok()).unwrap_or_default();
    let since = now_ms - RETENTION.as_millis() as i64;
    list.into_iter().filter(|invitation| invitation.expires_at > since).collect()
}
