//! Spans: units of work within a trace, which the process's recorder takes if there is one.
//!
//! What a span can hold is closed: texts of the program, numbers, the template of a route and the
//! id of a site that exists. Nothing about a person, no secret and no content fits into one.

use super::Traceparent;
use crate::entropy;
use parking_lot::Mutex;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, SystemTime};
use tokio::time::Instant;

/// Relation of a span to others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SpanKind {
    /// Answers a request from outside.
    Server,
    /// Calls another service.
    Client,
    /// Hands a message on.
    Producer,
    /// Handles a message.
    Consumer,
}

/// A span that has ended.
#[derive(Debug, Clone, PartialEq)]
pub struct SpanRecord {
    /// Trace and id of the span.
    pub at: Traceparent,
    /// Span that this one belongs to, in the same trace.
    pub parent: Option<Traceparent>,
    /// Spans of other traces that led to this one.
    pub links: Vec<Traceparent>,
    /// Relation to other spans.
    pub kind: SpanKind,
    /// Name, the same for all spans of one sort.
    pub name: String,
    /// Time of the beginning.
    pub started: SystemTime,
    /// Time from the beginning to the end.
    pub duration: Duration,
    /// Id of the site concerned.
    pub site: Option<String>,
    /// Template of the route of a request: `/wechat/{account}`.
    pub route: Option<String>,
    /// Attributes that are numbers.
    pub numbers: Vec<(&'static str, i64)>,
    /// Attributes that are texts of the program.
    pub labels: Vec<(&'static str, &'static str)>,
    /// Reason of a failure.
    pub error: Option<&'static str>,
}

/// Recorder of spans that have ended.
pub trait SpanSink: Send + Sync + 'static {
    /// Takes a span. It neither waits nor fails: a span may be lost.
    fn record(&self, span: SpanRecord);
}

struct Recorder {
    sink: Box<dyn SpanSink>,
    ratio: f64,
}

static RECORDER: OnceLock<Recorder> = OnceLock::new();

/// Error for a second recorder in one process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("spans are recorded in this process already")]
pub struct AlreadyRecording;

/// Installs the recorder of this process, once. It takes this share of the traces that begin here
/// (0 to 1), and of those that others began all that were marked.
pub fn install(sink: impl SpanSink, ratio: f64) -> Result<(), AlreadyRecording> {
    RECORDER.set(Recorder { sink: Box::new(sink), ratio }).map_err(|_| AlreadyRecording)
}

/// True if this process has a recorder.
pub fn is_recording() -> bool {
    RECORDER.get().is_some()
}

/// Decides whether a trace that begins here is recorded; `None` without a recorder.
pub(super) fn draw_sampled() -> Option<bool> {
    RECORDER.get().map(|recorder| entropy::chance(recorder.ratio))
}

/// A unit of work. It ends, and is recorded, when its last clone is dropped.
#[derive(Debug, Clone)]
pub struct Span {
    at: Traceparent,
    /// `None` if it is not recorded.
    open: Option<Arc<Mutex<OpenSpan>>>,
}

#[derive(Debug)]
struct OpenSpan {
    clock: Instant,
    /// `None` once it is recorded.
    record: Option<SpanRecord>,
}

impl Drop for OpenSpan {
    fn drop(&mut self) {
        if let (Some(mut record), Some(recorder)) = (self.record.take(), RECORDER.get()) {
            record.duration = self.clock.elapsed();
            recorder.sink.record(record);
        }
    }
}

impl Span {
    /// Begins to answer a request. The trace of its `traceparent` goes on, but a client outside
    /// does not decide whether it is recorded.
    pub fn of_request(
        traceparent: Option<&str>,
        method: &'static str,
        route: Option<&str>,
    ) -> Span {
        let parent = parse(traceparent);
        let at = match parent {
            Some(parent) => match draw_sampled() {
                Some(sampled) => parent.child().with_sampled(sampled),
                None => parent.child(),
            },
            None => Traceparent::new_root(),
        };
        let name = || route.map_or_else(|| method.to_owned(), |route| format!("{method} {route}"));
        let mut span = Span::open(at, parent, SpanKind::Server, name);
        span.edit(|record| record.route = route.map(str::to_owned));
        span.label("http.request.method", method);
        span
    }

    /// Begins to handle a message of this consumer or queue that carried this `traceparent`.
    pub fn of_message(traceparent: Option<&str>, source: &'static str) -> Span {
        let parent = parse(traceparent);
        let at = parent.map_or_else(Traceparent::new_root, |parent| parent.child());
        let mut span = Span::open(at, parent, SpanKind::Consumer, || format!("process {source}"));
        span.label("messaging.destination.name", source);
        span
    }

    /// Begins a part of another span. One that is not recorded has no place of its own.
    pub fn child_of(parent: Traceparent, kind: SpanKind, name: &str) -> Span {
        if !parent.sampled() || !is_recording() {
            return Span::from(parent);
        }
        Span::open(parent.child(), Some(parent), kind, || name.to_owned())
    }

    /// Begins a part of the current trace, or a trace of its own.
    pub fn begin(kind: SpanKind, name: &str) -> Span {
        match super::current() {
            Some(parent) => Span::child_of(parent, kind, name),
            None => Span::open(Traceparent::new_root(), None, kind, || name.to_owned()),
        }
    }

    #[expect(clippy::disallowed_methods, reason = "the beginning of a span, which decides nothing")]
    fn open(
        at: Traceparent,
        parent: Option<Traceparent>,
        kind: SpanKind,
        name: impl FnOnce() -> String,
    ) -> Span {
        let open = (at.sampled() && is_recording()).then(|| {
            let record = SpanRecord {
                at,
                parent,
                links: Vec::new(),
                kind,
                name: name(),
                started: SystemTime::now(),
                duration: Duration::ZERO,
                site: None,
                route: None,
                numbers: Vec::new(),
                labels: Vec::new(),
                error: None,
            };
            Arc::new(Mutex::new(OpenSpan { clock: Instant::now(), record: Some(record) }))
        });
        Span { at, open }
    }

    /// Position in the trace, which what follows from this work continues.
    pub fn at(&self) -> Traceparent {
        self.at
    }

    /// True if the span is recorded when it ends.
    pub fn is_recorded(&self) -> bool {
        self.open.is_some()
    }

    /// Names the site concerned, which has to exist.
    pub fn site(&mut self, site: &str) {
        self.edit(|record| record.site = Some(site.to_owned()));
    }

    /// Adds an attribute that is a number.
    pub fn number(&mut self, key: &'static str, value: i64) {
        self.edit(|record| record.numbers.push((key, value)));
    }

    /// Adds an attribute that is a text of the program.
    pub fn label(&mut self, key: &'static str, value: &'static str) {
        self.edit(|record| record.labels.push((key, value)));
    }

    /// Links the span to one of another trace that led to it.
    pub fn link(&mut self, other: Traceparent) {
        self.edit(|record| record.links.push(other));
    }

    /// Marks the span as failed.
    pub fn fail(&mut self, reason: &'static str) {
        self.edit(|record| record.error = Some(reason));
    }

    fn edit(&mut self, edit: impl FnOnce(&mut SpanRecord)) {
        if let Some(open) = &self.open
            && let Some(record) = &mut open.lock().record
        {
            edit(record);
        }
    }
}

/// A position that is not recorded here.
impl From<Traceparent> for Span {
    fn from(at: Traceparent) -> Span {
        Span { at, open: None }
    }
}

fn parse(header: Option<&str>) -> Option<Traceparent> {
    header.and_then(|value| value.parse().ok())
}
