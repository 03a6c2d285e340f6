//! Cursor of a feed: the position of a reader, with its text form.

use paihao_contracts::public_event::EventId;
use std::fmt;
use std::str::FromStr;

/// Position of a reader.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cursor {
    /// Before everything that the ledger still holds.
    Beginning,
    /// After everything that the ledger holds now: `now`.
    Now,
    /// After this event: `1042-0`.
    Event(EventId),
    /// After every event of the commits up to this position: `1042`.
    Commit(u64),
}

/// Text that is no cursor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a cursor is the id of an event, the `next` of a page, or `now`")]
pub(crate) struct InvalidCursor;

impl FromStr for Cursor {
    type Err = InvalidCursor;

    fn from_str(text: &str) -> Result<Self, InvalidCursor> {
        match text {
            "0" => Ok(Cursor::Beginning),
            "now" => Ok(Cursor::Now),
            _ if text.contains('-') => text.parse().map(Cursor::Event).map_err(|_| InvalidCursor),
            // A commit's position is the first half of the id of its first event.
            _ => match format!("{text}-0").parse() {
                Ok(EventId { position, .. }) => Ok(Cursor::Commit(position)),
                Err(_) => Err(InvalidCursor),
            },
        }
    }
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Cursor::Beginning => f.write_str("0"),
            Cursor::Now => f.write_str("now"),
            Cursor::Event(id) => id.fmt(f),
            Cursor::Commit(position) => position.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_is_read_as_it_was_written() {
        for text in ["0", "now", "1042", "1042-7"] {
            assert_eq!(text.parse::<Cursor>().unwrap().to_string(), text);
        }
        for bad in ["", "-", "x", "+1", "1-", "-1", "1.0", "NOW", " 1"] {
            assert_eq!(bad.parse::<Cursor>(), Err(InvalidCursor), "{bad}");
        }
    }
}
