//! Conversion of the domain's decisions to the form in which the ledger stores them, and back.

mod event;
mod notification;
mod outcome;
pub(crate) mod record_mac;
pub(crate) mod snapshot;
mod standing;
mod ticket;
mod values;
mod visit;

pub(crate) use visit::visit_from_stored;

use event::{author_from_stored, author_to_stored, event_from_stored, event_to_stored};
use outcome::{outcome_from_stored, outcome_to_stored};
use paihao_contracts::commit as c;
use paihao_contracts::envelope::{self, MalformedForm, NewerForm, ReadError};
use paihao_domain as d;
use paihao_ledger::Entry;

/// Reason why an entry cannot be decoded.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DecodeError {
    /// A newer program wrote the commit.
    #[error(transparent)]
    Newer(NewerForm),
    /// The payload is not a commit of a known form.
    #[error(transparent)]
    Malformed(MalformedForm),
    /// The payload of a snapshot cannot be decompressed.
    #[error("cannot be decompressed: {0}")]
    Compression(#[from] std::io::Error),
}

impl From<ReadError> for DecodeError {
    fn from(error: ReadError) -> DecodeError {
        match error {
            ReadError::Newer(newer) => DecodeError::Newer(newer),
            ReadError::Malformed(error) => DecodeError::Malformed(error),
        }
    }
}

/// Bytes that a decision usually takes, so that its buffer need not grow.
const USUAL_DECISION_BYTES: usize = 1_024;

pub(super) fn encode(facts: &c::SiteFacts, decisions: &[d::Decision]) -> Entry {
    let commit = c::Commit::new(facts.clone(), decisions.iter().map(decision_to_stored).collect());
    let mut payload = Vec::with_capacity(USUAL_DECISION_BYTES * decisions.len());
    serde_json::to_writer(&mut payload, &commit).expect("a commit has string keys only");
    Entry::new(payload)
}

pub(super) fn decode(payload: &[u8]) -> Result<Vec<d::Decision>, DecodeError> {
    let commit: c::Commit = envelope::decode(payload)?;
    Ok(commit.decisions.into_iter().map(decision_from_stored).collect())
}

/// Decodes the facts of the site in a commit.
pub(super) fn decode_facts(payload: &[u8]) -> Option<c::SiteFacts> {
    envelope::decode::<c::Commit>(payload).ok().map(|commit| commit.site)
}

fn decision_to_stored(decision: &d::Decision) -> c::Decision {
    c::Decision {
        command: decision.command.0,
        fingerprint: decision.fingerprint.to_be_bytes(),
        at: decision.at.0,
        by: decision.by.as_ref().map(author_to_stored),
        outcome: outcome_to_stored(&decision.outcome),
        events: decision.events.iter().map(event_to_stored).collect(),
    }
}

fn decision_from_stored(decision: c::Decision) -> d::Decision {
    d::Decision {
        command: d::CommandId(decision.command),
        fingerprint: u64::from_be_bytes(decision.fingerprint),
        at: d::Timestamp(decision.at),
        by: decision.by.map(author_from_stored),
        outcome: outcome_from_stored(decision.outcome),
        events: decision.events.into_iter().map(event_from_stored).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;

    const FIXTURES: [&str; 5] = [
        include_str!("../../../../shared/contracts/tests/fixtures/commit-v1.jsonl"),
        include_str!("../../../../shared/contracts/tests/fixtures/commit-v2.jsonl"),
        include_str!("../../../../shared/contracts/tests/fixtures/commit-v3.jsonl"),
        include_str!("../../../../shared/contracts/tests/fixtures/commit-v4.jsonl"),
        include_str!("../../../../shared/contracts/tests/fixtures/commit-v5.jsonl"),
    ];

    /// The fixtures hold every kind of event and outcome of every version.
    #[test]
    fn what_is_stored_passes_through_the_domain_unchanged() {
        for line in FIXTURES.iter().flat_map(|file| file.lines()) {
            let stored: Value = serde_json::from_str(line).unwrap();
            let facts: c::SiteFacts = serde_json::from_value(stored["site"].clone()).unwrap();
            let decisions = decode(line.as_bytes()).unwrap();
            let entry = encode(&facts, &decisions);
            let written: Value = serde_json::from_slice(&entry.payload).unwrap();
            assert_eq!(written["decisions"], stored["decisions"]);
            assert_eq!(decode(&entry.payload).unwrap(), decisions);
        }
    }

    #[test]
    fn what_cannot_be_decoded_says_why() {
        let newer = format!(r#"{{"v":{},"anything":[]}}"#, c::COMMIT_VERSION + 1);
        assert!(matches!(decode(newer.as_bytes()), Err(DecodeError::Newer(_))));
        assert!(matches!(decode(b"{\"v\":1}"), Err(DecodeError::Malformed(_))));
        let commit = FIXTURES[0].lines().next().unwrap();
        let bad = commit.replacen("\"command\":\"01", "\"command\":\"zz", 1);
        assert!(matches!(decode(bad.as_bytes()), Err(DecodeError::Malformed(_))));
    }
}
