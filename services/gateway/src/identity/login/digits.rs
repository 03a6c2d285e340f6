//! Digits that a phone shows and a page asks for.
//!
//! A code that is scanned says nothing about whose screen it was on. Whoever enters the digits at a
//! page has the phone that scanned before them, so a stranger's code logs nobody in.

use crate::identity::roster::Roster;
use paihao_chassis::entropy;
use paihao_contracts::session::DigitChallenge;
use uuid::Uuid;

/// Number of digits: with so few entries one in 3,333 strangers is let in by chance.
pub(crate) const DIGITS: usize = 4;

/// Number of entries.
const MAX_ATTEMPTS: u8 = 3;

/// Makes the digits for the person who scanned the code of a session.
pub(crate) fn new_challenge(
    roster: &Roster,
    uuid: Uuid,
    person: &str,
    now_ms: i64,
) -> Option<DigitChallenge> {
    let number = u32::from_be_bytes(entropy::bytes()) % 10_u32.pow(DIGITS as u32);
    let tag = roster.tag("scan tag", &[&uuid.to_string(), person])?;
    Some(DigitChallenge {
        digits: format!("{number:0DIGITS$}"),
        attempts: MAX_ATTEMPTS,
        tag: tag[..4].to_owned(),
        at: now_ms,
    })
}
