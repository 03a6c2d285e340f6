//! Index of the invitations that are open, in the cache beside their sessions.

use crate::scan::sessions::SessionError;
use paihao_cache::{Cache, Unavailable, update};
use paihao_contracts::envelope::read_stored;
use paihao_contracts::session::{OpenInvitation, OpenInvitations};
use paihao_contracts::streams;
use std::sync::Arc;
use std::time::Duration;
use uuid::Uuid;

/// Time for which the index is kept after its newest invitation: longer than one is open.
const RETENTION: Duration = Duration::from_secs(3600);

/// Largest number of invitations of the index. The oldest one leaves first, and works all the same.
const MAX_INVITATIONS: usize = 200;

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
        update(&*self.0, streams::open_invitations_key(), RETENTION, |stored| {
            let mut invitations = read(stored, now_ms)?;
            invitations.push(OpenInvitation { uuid: uuid.to_string(), expires_at });
            let excess = invitations.len().saturating_sub(MAX_INVITATIONS);
            invitations.drain(..excess);
            let index = OpenInvitations { v: 1, invitations };
            Ok(serde_json::to_vec(&index).expect("string keys only").into())
        })
        .await
    }

    /// Returns the uuids of the invitations whose codes may still work, oldest first.
    pub(crate) async fn list(&self, now_ms: i64) -> Result<Vec<Uuid>, SessionError> {
        let stored = self.0.get(streams::open_invitations_key()).await?;
        let list = read(stored.as_deref(), now_ms)?.into_iter();
        Ok(list.filter_map(|invitation| Uuid::try_parse(&invitation.uuid).ok()).collect())
    }
}

/// Reads the index. A scan prolongs its invitation, so those that ended a moment ago stay.
fn read(stored: Option<&[u8]>, now_ms: i64) -> Result<Vec<OpenInvitation>, SessionError> {
    let index = read_stored::<OpenInvitations>(stored);
    let index = index.map_err(|newer| Unavailable(newer.to_string()))?;
    let invitations = index.map_or_else(Vec::new, |index| index.invitations);
    let since = now_ms - RETENTION.as_millis() as i64;
    Ok(invitations.into_iter().filter(|one| one.expires_at > since).collect())
}
