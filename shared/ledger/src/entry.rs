//! What is written to a log, and where it stands once it is.

use bytes::Bytes;
use std::fmt;

/// Where an entry stands in its log. Larger is later; nothing else may be read from the number,
/// and positions of one subject are not consecutive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Position(pub u64);

impl Position {
    /// Before the first entry.
    pub const START: Position = Position(0);
}

/// What is written: a payload, and headers that carry its context (never its meaning).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Entry {
    /// The payload.
    pub payload: Bytes,
    /// Names and values, visible ASCII both; `traceparent` is one.
    pub headers: Vec<(String, String)>,
}

impl Entry {
    /// An entry without headers.
    pub fn new(payload: impl Into<Bytes>) -> Self {
        Entry { payload: payload.into(), headers: Vec::new() }
    }

    /// The same entry with one header more.
    #[must_use]
    pub fn with_header(mut self, name: &str, value: impl Into<String>) -> Self {
        self.headers.push((name.to_owned(), value.into()));
        self
    }

    /// The value of a header.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n == name).map(|(_, v)| v.as_str())
    }
}

/// An entry that stands in a log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recorded {
    /// Where.
    pub position: Position,
    /// Under which subject.
    pub subject: Subject,
    /// When the store took it: Unix milliseconds by the store's clock.
    pub at_ms: i64,
    /// What was written.
    pub entry: Entry,
}

/// The name under which entries of a log belong together: one or more parts, each of ASCII
/// letters, digits, `-` and `_`, written with dots between them.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Subject(String);

/// A part of a subject was empty or held a character that subjects may not hold.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a subject part takes letters, digits, - and _")]
pub struct InvalidSubject;

impl Subject {
    /// A subject of these parts.
    pub fn new(parts: &[&str]) -> Result<Self, InvalidSubject> {
        let fine = |part: &&str| {
            !part.is_empty()
                && part.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
        };
        if parts.is_empty() || !parts.iter().all(fine) {
            return Err(InvalidSubject);
        }
        Ok(Subject(parts.join(".")))
    }

    /// Reads back what [`Subject::as_str`] gave.
    pub fn parse(text: &str) -> Result<Self, InvalidSubject> {
        Subject::new(&text.split('.').collect::<Vec<_>>())
    }

    /// The parts with dots between them.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The parts, first to last.
    pub fn parts(&self) -> impl Iterator<Item = &str> {
        self.0.split('.')
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
