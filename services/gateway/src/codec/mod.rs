//! Conversion of the domain's decisions to the form in which the ledger stores them, and back.

mod event;
mod notification;
mod outcome;
mod ticket;
mod values;
mod visit;

pub(crate) use visit::visit_from_stored;

use event::{author_from_stored, author_to_stored, event_from_stored, event_to_stored};
use outcome::{outcome_from_stored, outcome_to_stored};
use paihao_contracts::commit as c;
use paihao_domain as d;
use paihao_ledger::Entry;

/// Reason why an entry cannot be decoded.
#[derive(Debug, thiserror::Error)]
pub(super) enum DecodeError {
    /// The payload is not a commit of a known form.
    #[error("not a commit of a known form: {0}")]
    Form(#[from] serde_json::Error),
    /// The commit was written by a newer program.
    #[error("version {0} is newer than this program's")]
    NewerVersion(u32),
    /// An id or fingerprint is not hexadecimal of the right length.
    #[error("a command id or fingerprint is malformed")]
    Hex,
}

pub(super) fn encode(facts: &c::SiteFacts, decisions: &[d::Decision]) -> Entry {
    let commit = c::Commit::new(facts.clone(), decisions.iter().map(decision_to_stored).collect());
    Entry::new(serde_json::to_vec(&commit).expect("a commit has string keys only"))
}

pub(super) fn decode(payload: &[u8]) -> Result<Vec<d::Decision>, DecodeError> {
    #[derive(serde::Deserialize)]
    struct Version {
        v: u32,
    }
    let commit: c::Commit = match serde_json::from_slice(payload) {
        Ok(commit) => commit,
        Err(error) => {
            return Err(match serde_json::from_slice::<Version>(payload) {
                Ok(Version { v }) if v > c::COMMIT_VERSION => DecodeError::NewerVersion(v),
                _ => error.into(),
            });
        }
    };
    if commit.v > c::COMMIT_VERSION {
        Err(DecodeError::NewerVersion(commit.v))
    } else {
        commit.decisions.into_iter().map(decision_from_stored).collect()
    }
}

fn decision_to_stored(decision: &d::Decision) -> c::Decision {
    c::Decision {
        command: hex::encode(decision.command.0),
        fingerprint: hex::encode(decision.fingerprint.to_be_bytes()),
        at: decision.at.0,
        by: decision.by.as_ref().map(author_to_stored),
        outcome: outcome_to_stored(&decision.outcome),
        events: decision.events.iter().map(event_to_stored).collect(),
    }
}

fn decision_from_stored(decision: c::Decision) -> Result<d::Decision, DecodeError> {
    let mut id = [0; 16];
    hex::decode_to_slice(&decision.command, &mut id).map_err(|_| DecodeError::Hex)?;
    let mut fingerprint = [0; 8];
    hex::decode_to_slice(&decision.fingerprint, &mut fingerprint).map_err(|_| DecodeError::Hex)?;
    Ok(d::Decision {
        command: d::CommandId(id),
        fingerprint: u64::from_be_bytes(fingerprint),
        at: d::Timestamp(decision.at),
        by: decision.by.map(author_from_stored),
        outcome: outcome_from_stored(decision.outcome),
        events: decision.events.into_iter().map(event_from_stored).collect(),
    })
}
