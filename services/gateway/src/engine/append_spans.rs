//! Spans of one append, one in the trace of each command that it decides.
//!
//! The entry carries the first as its `traceparent`, and the others that are recorded in a header
//! of their own, so that the message about each decision is in the trace of its command.

use paihao_chassis::trace::{Span, SpanKind, Traceparent};
use paihao_ledger::{AppendError, Entry, PartTraces, Position};

/// Spans of the decisions of one entry, in their order.
pub(super) struct AppendSpans(Vec<Option<Span>>);

impl AppendSpans {
    /// Begins a span in each of these traces, which are those of the decided commands.
    pub(super) fn begin(site: &str, traces: impl Iterator<Item = Option<Traceparent>>) -> Self {
        let mut spans: Vec<_> = traces
            .map(|trace| {
                let mut span = Span::child_of(trace?, SpanKind::Producer, "append entry");
                span.site(site);
                Some(span)
            })
            .collect();
        let decisions = spans.len() as i64;
        for span in spans.iter_mut().flatten() {
            span.number("messaging.batch.message_count", decisions);
        }
        AppendSpans(spans)
    }

    /// Adds the positions that what follows from the entry continues.
    pub(super) fn add_to(&self, entry: Entry) -> Entry {
        let mut positions = self.0.iter().enumerate().filter_map(|(index, span)| {
            let span = span.as_ref()?;
            Some((index, span.at(), span.is_recorded()))
        });
        let Some((_, first, _)) = positions.next() else { return entry };
        let entry = entry.in_trace(Some(first));
        let others = positions.filter(|(.., recorded)| *recorded).map(|(index, at, _)| (index, at));
        others.collect::<PartTraces>().add_to(entry)
    }

    /// Ends the spans with the result of the append.
    pub(super) fn end(self, result: &Result<Position, AppendError>) {
        for mut span in self.0.into_iter().flatten() {
            match result {
                Ok(position) => span.number("paihao.position", position.0 as i64),
                // It is decided again.
                Err(AppendError::Conflict { .. }) => span.label("paihao.outcome", "conflict"),
                Err(AppendError::TooLarge { .. }) => span.fail("the entry is too large"),
                Err(AppendError::Unavailable(_)) => span.fail("the ledger did not answer"),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use paihao_chassis::trace::{self, SpanRecord, SpanSink};
    use parking_lot::Mutex;
    use std::sync::Arc;

    struct Recorded(Arc<Mutex<Vec<SpanRecord>>>);

    impl SpanSink for Recorded {
        fn record(&self, span: SpanRecord) {
            self.0.lock().push(span);
        }
    }

    #[test]
    fn each_decision_goes_on_in_the_trace_of_its_command() {
        let none = AppendSpans::begin("hall", [None, None].into_iter());
        assert_eq!(none.add_to(Entry::new("x")), Entry::new("x"));
        let unrecorded = Traceparent::new_root();
        assert!(!unrecorded.sampled());
        let spans = AppendSpans::begin("hall", [Some(unrecorded); 2].into_iter());
        let entry = spans.add_to(Entry::new("x"));
        assert_eq!(entry.trace().unwrap().trace(), unrecorded.trace(), "the log names its trace");
        assert_eq!(entry.headers.len(), 1, "and nothing more is stored");

        let all = Arc::new(Mutex::new(Vec::new()));
        trace::install(Recorded(all.clone()), 1.0).expect("the only recorder of these tests");
        let [first, second] = [Traceparent::new_root(), Traceparent::new_root()];
        let spans = AppendSpans::begin("hall", [None, Some(first), Some(second)].into_iter());
        let entry = spans.add_to(Entry::new("x"));
        let parts = PartTraces::of(&entry);
        spans.end(&Ok(Position(7)));
        let recorded = all.lock();
        for (trace, continued) in [(first, entry.trace()), (second, parts.get(2))] {
            let span = recorded.iter().find(|span| span.parent == Some(trace)).unwrap();
            assert_eq!((Some(span.at), span.site.as_deref()), (continued, Some("hall")));
            assert!(span.numbers.contains(&("paihao.position", 7)), "{span:?}");
        }
        assert_eq!((parts.get(0), parts.get(1)), (None, None), "they have that of the entry");
    }
}
