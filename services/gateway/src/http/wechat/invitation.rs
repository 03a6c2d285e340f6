//! Scan of an invitation: the person is told digits, which the manager who invited asks for.

use super::dispatch::{PushHandler, Reply};
use crate::http::api::invitations::is_still_good;
use crate::http::login_approval::{CONFIRMATION_TIMEOUT_MS, LoginError, local_time};
use crate::http::replies;
use crate::identity::login::{digits, prompt};
use paihao_contracts::session::{Invitation, ScanProgress};
use paihao_contracts::staff::StaffRole;
use tokio::time::timeout_at;
use uuid::Uuid;

impl PushHandler<'_> {
    /// Handles the scan of an invitation.
    pub(super) async fn handle_invitation_scan(
        &self,
        uuid: Uuid,
        invitation: Invitation,
    ) -> (Reply, &'static str) {
        if self.state.login_account().as_deref() != Some(self.account_name) {
            return (self.text_reply(replies::expired_code_reply()), "refused");
        }
        let asked = timeout_at(self.deadline, self.ask_for_membership(uuid, &invitation));
        match asked.await.unwrap_or(Err(LoginError::Unavailable)) {
            Ok(scanned) => scanned,
            Err(LoginError::Expired) => (self.text_reply(replies::expired_code_reply()), "refused"),
            Err(LoginError::Unavailable) => {
                (self.failure_reply(replies::REQUEST_FAILED), "not_now")
            }
        }
    }

    async fn ask_for_membership(
        &self,
        uuid: Uuid,
        invitation: &Invitation,
    ) -> Result<(Reply, &'static str), LoginError> {
        let roster = self.state.roster.loaded().await?;
        let person = self.person_tag(&roster)?;
        let member = &invitation.member;
        if let Some(joined) = roster.member_by_person_hash(&person) {
            let text = if joined.id == member.id {
                prompt::welcome_member(&joined.name, joined.role == StaffRole::Manager)
            } else {
                prompt::invitation_unusable()
            };
            return Ok((self.text_reply(text), "refused"));
        }
        if !is_still_good(self.state, &roster, uuid, invitation) {
            return Ok((self.text_reply(prompt::invitation_unusable()), "refused"));
        }
        let now = self.state.clock.now_ms();
        let challenge = digits::new_challenge(&roster, uuid, &person, now);
        let challenge = challenge.ok_or(LoginError::Unavailable)?;
        let advanced = self.state.scan_sessions.advance(uuid, |session| {
            session.expires_at = session.expires_at.max(now + CONFIRMATION_TIMEOUT_MS);
            (session.progress == ScanProgress::Pending).then(|| {
                ScanProgress::AwaitingConfirmation {
                    person: person.clone(),
                    challenge: Some(challenge.clone()),
                    unionid: None,
                }
            })
        });
        Ok(match advanced.await?.progress {
            ScanProgress::AwaitingConfirmation {
                person: asked,
                challenge: Some(challenge),
                ..
            } if asked == person => {
                let time = local_time(self.state, self.account_name, challenge.at);
                let is_manager = member.role == StaffRole::Manager;
                let text = prompt::membership_prompt(&member.name, is_manager, &time, &challenge);
                (self.text_reply(text), "asked")
            }
            ScanProgress::AwaitingConfirmation { .. } => {
                (self.text_reply(prompt::code_already_scanned()), "refused")
            }
            _ => (self.text_reply(prompt::invitation_unusable()), "refused"),
        })
    }
}
