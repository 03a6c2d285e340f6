//! Entry of the digits of a phone at a page.

use crate::scan::sessions::{ScanSessions, SessionError};
use paihao_contracts::session::{
    DeclineReason, DigitChallenge, ScanProgress, ScanSession, UnionId,
};
use subtle::ConstantTimeEq;
use uuid::Uuid;

/// Result of an entry.
pub(crate) enum DigitEntry {
    /// The digits are those of the phone of this person.
    Right { person: String, unionid: Option<UnionId>, tag: String },
    /// They are not; there are further attempts.
    Wrong,
    /// Nothing was entered, since the session is in another state, or was the last attempt.
    NotAsked(Box<ScanSession>),
}

/// Compares the digits that were entered at a page. The last wrong entry declines the session.
pub(crate) async fn enter(
    sessions: &ScanSessions,
    uuid: Uuid,
    entered: &str,
) -> Result<DigitEntry, SessionError> {
    let mut entry = None;
    let session = sessions.advance(uuid, |session| {
        entry = None;
        let ScanProgress::AwaitingConfirmation { person, challenge: Some(challenge), unionid } =
            &session.progress
        else {
            return None;
        };
        if challenge.digits.as_bytes().ct_eq(entered.as_bytes()).into() {
            let (person, unionid) = (person.clone(), unionid.clone());
            entry = Some(DigitEntry::Right { person, unionid, tag: challenge.tag.clone() });
            return None;
        }
        if challenge.attempts <= 1 {
            let reason = DeclineReason::ByPerson;
            return Some(ScanProgress::Declined { person: person.clone(), reason });
        }
        entry = Some(DigitEntry::Wrong);
        Some(ScanProgress::AwaitingConfirmation {
            person: person.clone(),
            challenge: Some(DigitChallenge {
                attempts: challenge.attempts - 1,
                ..challenge.clone()
            }),
            unionid: unionid.clone(),
        })
    });
    let session = session.await?;
    Ok(entry.unwrap_or_else(|| DigitEntry::NotAsked(Box::new(session))))
}
