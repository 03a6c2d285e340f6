//! Entries of a log, their positions and their subjects.

use bytes::Bytes;
use std::fmt;
use std::sync::Arc;

/// Position of an entry in its log. A larger position is later. The number has no other meaning,
/// and positions of one subject are not consecutive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Position(pub u64);

impl Position {
    /// Position before the first entry.
    pub const START: Position = Position(0);
}

/// Entry to append: a payload, and headers that carry its context but never its meaning.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Entry {
    /// Bytes that the store does not interpret.
    pub payload: Bytes,
    /// Header names and values in visible ASCII, for example `traceparent`. Their order is not
    /// kept, and headers that a store cannot carry are dropped: see [`Entry::carried_headers`].
    pub headers: Vec<(String, String)>,
}

impl Entry {
    /// Creates an entry without headers.
    pub fn new(payload: impl Into<Bytes>) -> Self {
        Entry { payload: payload.into(), headers: Vec::new() }
    }

    /// Adds a header.
    #[must_use]
    pub fn with_header(mut self, name: &str, value: impl Into<String>) -> Self {
        self.headers.push((name.to_owned(), value.into()));
        self
    }

    /// Returns the value of the first header with this name.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n == name).map(|(_, v)| v.as_str())
    }

    /// Returns the headers that every store can carry: a name of letters, digits, `-` and `_`, and
    /// a value of visible ASCII and inner spaces.
    pub fn carried_headers(&self) -> impl Iterator<Item = (&str, &str)> {
        self.headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).filter(
            |(name, value)| {
                is_name(name)
                    && !value.is_empty()
                    && value.bytes().all(|b| (0x20..0x7f).contains(&b))
                    && value.trim_matches(' ') == *value
            },
        )
    }

    /// Returns the size of payload and headers in bytes.
    pub fn size(&self) -> usize {
        let headers: usize =
            self.headers.iter().map(|(name, value)| name.len() + value.len()).sum();
        self.payload.len() + headers
    }
}

/// Entry as a log stores it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredEntry {
    /// Position in the log.
    pub position: Position,
    /// Subject of the entry.
    pub subject: Subject,
    /// Time of the append in Unix milliseconds, by the store's clock.
    pub at_ms: i64,
    /// The payload and the headers.
    pub entry: Entry,
}

/// Name that groups entries of a log: one or more parts, separated by dots, each of ASCII letters,
/// digits, `-` and `_`. Cheap to clone.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Subject(Arc<str>);

/// Error for a subject part that is empty or has a character outside the allowed set.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a subject part takes letters, digits, - and _")]
pub struct InvalidSubject;

impl Subject {
    /// Builds a subject from its parts.
    pub fn new(parts: &[&str]) -> Result<Self, InvalidSubject> {
        if parts.is_empty() || !parts.iter().all(|part| is_name(part)) {
            return Err(InvalidSubject);
        }
        Ok(Subject(parts.join(".").into()))
    }

    /// Parses the text form that [`Subject::as_str`] returns.
    pub fn parse(text: &str) -> Result<Self, InvalidSubject> {
        if !text.split('.').all(is_name) {
            return Err(InvalidSubject);
        }
        Ok(Subject(text.into()))
    }

    /// Returns the text form, the parts separated by dots.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Iterates over the parts, first to last.
    pub fn parts(&self) -> impl Iterator<Item = &str> {
        self.0.split('.')
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

fn is_name(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn subjects_take_letters_digits_and_two_signs() {
        assert_eq!(Subject::new(&["gh_1", "Hall-2"]).unwrap().as_str(), "gh_1.Hall-2");
        assert_eq!(Subject::parse("a.b").unwrap(), Subject::new(&["a", "b"]).unwrap());
        assert_eq!(Subject::parse("a.b").unwrap().parts().collect::<Vec<_>>(), ["a", "b"]);
        for text in ["", ".", "a.", ".a", "a..b", "a b", "a.*", "a.>", "a/b", "大厅", "a\n", "a:b"]
        {
            assert_eq!(Subject::parse(text), Err(InvalidSubject), "{text:?}");
        }
        assert_eq!(Subject::new(&[]), Err(InvalidSubject));
        assert_eq!(Subject::new(&["a.b"]), Err(InvalidSubject));
    }

    #[test]
    fn headers_that_no_store_carries_are_left_out() {
        let entry = Entry::new("x")
            .with_header("fine", "a value: with signs")
            .with_header("bad name", "v")
            .with_header("", "v")
            .with_header("empty", "")
            .with_header("padded", " v")
            .with_header("split", "a\r\nInjected: b");
        assert_eq!(entry.carried_headers().collect::<Vec<_>>(), [("fine", "a value: with signs")]);
    }
}
