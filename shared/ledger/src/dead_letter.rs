//! Form of a dead letter: the entry unchanged, with reason and origin in its headers.

use crate::{Entry, Recorded};
use percent_encoding::{AsciiSet, CONTROLS, percent_decode_str, utf8_percent_encode};

/// Header that holds the reason.
pub const REASON: &str = "Paihao-Reason";
/// Header that holds the name of the work queue or log of origin.
pub const ORIGIN: &str = "Paihao-Origin";
/// Header that holds the key of the work, or subject and position of the log entry.
pub const KEY: &str = "Paihao-Key";

// Reasons and keys may hold anything; headers are visible ASCII. Spaces stay readable.
const KEPT_AS_IS: &AsciiSet = &CONTROLS.add(b'%');

/// Reason and origin of a dead letter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cause {
    /// Reason that the worker gave.
    pub reason: String,
    /// Work queue or log of origin.
    pub origin: String,
    /// Key of the work; for an entry of a log `subject/position`.
    pub key: String,
}

impl Cause {
    /// Cause for an entry of a log that one of its consumers gave up.
    pub fn of_log_entry(log: &str, recorded: &Recorded, reason: &str) -> Self {
        Cause {
            reason: reason.to_owned(),
            origin: log.to_owned(),
            key: format!("{}/{}", recorded.subject, recorded.position.0),
        }
    }

    /// Returns the dead letter of an entry.
    pub fn put_on(&self, entry: &Entry) -> Entry {
        let mut letter = entry.clone();
        letter.headers.retain(|(name, _)| ![REASON, ORIGIN, KEY].contains(&name.as_str()));
        letter
            .with_header(REASON, encode(&self.reason))
            .with_header(ORIGIN, encode(&self.origin))
            .with_header(KEY, encode(&self.key))
    }

    /// Reads the cause from a dead letter.
    pub fn of(letter: &Entry) -> Option<Cause> {
        Some(Cause {
            reason: decode(letter.header(REASON)?),
            origin: decode(letter.header(ORIGIN)?),
            key: decode(letter.header(KEY)?),
        })
    }
}

/// Encodes any text as a header value, for [`decode`].
pub fn encode(text: &str) -> String {
    let encoded = utf8_percent_encode(text, KEPT_AS_IS).to_string();
    // A store may trim the ends of a value.
    let inner = encoded.trim_matches(' ');
    let before = encoded.len() - encoded.trim_start_matches(' ').len();
    if inner.is_empty() {
        return "%20".repeat(encoded.len());
    }
    let after = encoded.len() - before - inner.len();
    format!("{}{inner}{}", "%20".repeat(before), "%20".repeat(after))
}

/// Decodes a value of [`encode`].
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
        let letter = cause.put_on(&older.put_on(&Entry::new("x").with_header("h", "v")));
        assert_eq!(Cause::of(&letter), Some(cause));
        assert_eq!(letter.header("h"), Some("v"));
        assert_eq!(letter.headers.len(), 4);
        assert_eq!(Cause::of(&Entry::new("x")), None);
    }
}
