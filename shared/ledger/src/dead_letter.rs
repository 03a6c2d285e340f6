//! Dead letters: entries that were given up, with the cause in their headers.

use crate::{Entry, StoredEntry};
use percent_encoding::{AsciiSet, CONTROLS, percent_decode_str, utf8_percent_encode};

/// Header with the reason for giving up.
pub const REASON_HEADER: &str = "Paihao-Reason";
/// Header with the name of the work queue or log of origin.
pub const ORIGIN_HEADER: &str = "Paihao-Origin";
/// Header with the message key, or the subject and position of a log entry.
pub const KEY_HEADER: &str = "Paihao-Key";

// Reasons and keys may hold anything; headers are visible ASCII. Spaces stay readable.
const PERCENT_ENCODE_SET: &AsciiSet = &CONTROLS.add(b'%');

/// Reason and origin of a dead letter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cause {
    /// Reason given by the worker.
    pub reason: String,
    /// Name of the work queue or log of origin.
    pub origin: String,
    /// Key of the message, or `subject/position` for an entry of a log.
    pub key: String,
}

impl Cause {
    /// Builds the cause for a log entry that a consumer gave up.
    pub fn for_log_entry(log: &str, recorded: &StoredEntry, reason: &str) -> Self {
        Cause {
            reason: reason.to_owned(),
            origin: log.to_owned(),
            key: format!("{}/{}", recorded.subject, recorded.position.0),
        }
    }

    /// Builds the dead letter of an entry. It replaces the cause of an earlier dead letter.
    pub fn to_dead_letter(&self, entry: &Entry) -> Entry {
        let mut dead_letter = entry.clone();
        dead_letter.headers.retain(|(name, _)| {
            ![REASON_HEADER, ORIGIN_HEADER, KEY_HEADER].contains(&name.as_str())
        });
        dead_letter
            .with_header(REASON_HEADER, encode(&self.reason))
            .with_header(ORIGIN_HEADER, encode(&self.origin))
            .with_header(KEY_HEADER, encode(&self.key))
    }

    /// Reads the cause from a dead letter. `None` if a header is missing.
    pub fn from_dead_letter(dead_letter: &Entry) -> Option<Cause> {
        Some(Cause {
            reason: decode(dead_letter.header(REASON_HEADER)?),
            origin: decode(dead_letter.header(ORIGIN_HEADER)?),
            key: decode(dead_letter.header(KEY_HEADER)?),
        })
    }
}

/// Encodes any text as a header value. [`decode`] reverses it.
pub fn encode(text: &str) -> String {
    let encoded = utf8_percent_encode(text, PERCENT_ENCODE_SET).to_string();
    // A store may trim the ends of a value.
    let inner = encoded.trim_matches(' ');
    let before = encoded.len() - encoded.trim_start_matches(' ').len();
    if inner.is_empty() {
        return "%20".repeat(encoded.len());
    }
    let after = encoded.len() - before - inner.len();
    format!("{}{inner}{}", "%20".repeat(before), "%20".repeat(after))
}

/// Decodes a header value that [`encode`] produced.
pub fn decode(value: &str) -> String {
    percent_decode_str(value).decode_utf8_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_text_survives_a_header() {
        for text in ["", " ", "  a b ", "100%", "%20", "门诊 A001\r\nX: y", "a:b*>", "\u{7f}\t"] {
            let encoded = encode(text);
            assert!(encoded.bytes().all(|b| (0x20..0x7f).contains(&b)), "{encoded}");
            assert_eq!(encoded.trim(), encoded);
            assert_eq!(decode(&encoded), text);
        }
    }

    #[test]
    fn a_cause_is_read_back_and_replaces_an_older_one() {
        let older = Cause { reason: "a".into(), origin: "b".into(), key: "c".into() };
        let cause = Cause { reason: "不行".into(), origin: "notices".into(), key: "k/1".into() };
        let dead_letter =
            cause.to_dead_letter(&older.to_dead_letter(&Entry::new("x").with_header("h", "v")));
        assert_eq!(Cause::from_dead_letter(&dead_letter), Some(cause));
        assert_eq!(dead_letter.header("h"), Some("v"));
        assert_eq!(dead_letter.headers.len(), 4);
        assert_eq!(Cause::from_dead_letter(&Entry::new("x")), None);
    }
}
