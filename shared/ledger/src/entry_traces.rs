//! Trace context of an entry, in its headers: of the whole, and of parts that have another.

use crate::Entry;
use paihao_chassis::trace::{TRACEPARENT_HEADER, Traceparent};

impl Entry {
    /// Adds the position in a trace that the entry continues, if there is one.
    #[must_use]
    pub fn in_trace(self, at: Option<Traceparent>) -> Self {
        match at {
            Some(at) => self.with_header(TRACEPARENT_HEADER, at.to_string()),
            None => self,
        }
    }

    /// Returns the position in a trace that the entry continues.
    pub fn trace(&self) -> Option<Traceparent> {
        self.header(TRACEPARENT_HEADER)?.parse().ok()
    }
}

/// Positions that parts of one entry continue, by the index of the part. A part that is not among
/// them continues that of the entry.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PartTraces(Vec<(usize, Traceparent)>);

impl PartTraces {
    const HEADER: &'static str = "traceparent-parts";

    /// Reads the positions of an entry. What cannot be read is left out: it is a trace less.
    pub fn of(entry: &Entry) -> PartTraces {
        let parts = entry.header(PartTraces::HEADER).unwrap_or_default().split(' ');
        let part = |part: &str| {
            let (index, position) = part.split_once('=')?;
            Some((index.parse().ok()?, position.parse().ok()?))
        };
        parts.filter_map(part).collect()
    }

    /// Adds the positions to an entry, if there are any.
    pub fn add_to(&self, entry: Entry) -> Entry {
        if self.0.is_empty() {
            return entry;
        }
        let parts = self.0.iter().map(|(index, position)| format!("{index}={position}"));
        entry.with_header(PartTraces::HEADER, parts.collect::<Vec<_>>().join(" "))
    }

    /// Returns the position of one part.
    pub fn get(&self, index: usize) -> Option<Traceparent> {
        self.0.iter().find(|(part, _)| *part == index).map(|(_, position)| *position)
    }
}

impl FromIterator<(usize, Traceparent)> for PartTraces {
    fn from_iter<I: IntoIterator<Item = (usize, Traceparent)>>(parts: I) -> PartTraces {
        PartTraces(parts.into_iter().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_traces_of_parts_are_read_as_they_were_written() {
        let (second, fifth) = (Traceparent::new_root(), Traceparent::new_root());
        let entry = PartTraces::from_iter([(1, second), (4, fifth)]).add_to(Entry::new("x"));
        assert_eq!(entry.carried_headers().count(), 1, "every store carries it");
        let read = PartTraces::of(&entry);
        assert_eq!((read.get(1), read.get(4), read.get(0)), (Some(second), Some(fifth), None));
        assert_eq!(PartTraces::default().add_to(Entry::new("x")), Entry::new("x"));
    }

    #[test]
    fn what_is_no_trace_is_left_out() {
        let good = Traceparent::new_root();
        for other in ["", "x", "1=", "=00", "1=00-0-0-0", "-1=x"] {
            let header = format!("{other} 7={good}");
            let read = PartTraces::of(&Entry::new("x").with_header(PartTraces::HEADER, header));
            assert_eq!(read, PartTraces(vec![(7, good)]), "{other:?}");
        }
    }
}
