//! Trace context by W3C `traceparent`, propagated through HTTP and message headers between
//! processes; the spans of the work between, in `span`.

mod span;

pub use span::{AlreadyRecording, Span, SpanKind, SpanRecord, SpanSink, install, is_recording};

use crate::entropy;
use std::fmt;
use std::future::Future;
use std::str::FromStr;
use tokio_util::either::Either;

/// Name of the header, in HTTP and in messages.
pub const TRACEPARENT_HEADER: &str = "traceparent";

/// Position in a trace: id of the trace, and id of the parent span.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Traceparent {
    trace: u128,
    parent: u64,
    flags: u8,
}

/// Error for an invalid `traceparent` header.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a traceparent header")]
pub struct InvalidTraceparent;

impl Traceparent {
    /// Starts a new trace, marked as sampled if this process records it.
    pub fn new_root() -> Traceparent {
        // One question to the system for both. Zero means "none" in the format.
        let random: [u8; 24] = entropy::bytes();
        let (mut trace, mut parent) = ([0; 16], [0; 8]);
        trace.copy_from_slice(&random[..16]);
        parent.copy_from_slice(&random[16..]);
        Traceparent {
            trace: u128::from_be_bytes(trace).max(1),
            parent: u64::from_be_bytes(parent).max(1),
            flags: u8::from(span::draw_sampled().unwrap_or_default()),
        }
    }

    /// Returns a position in the same trace with a new span.
    #[must_use]
    pub fn child(&self) -> Traceparent {
        Traceparent { parent: new_parent(), ..*self }
    }

    /// Returns the same position, marked as sampled or not.
    #[must_use]
    pub fn with_sampled(self, sampled: bool) -> Traceparent {
        Traceparent { flags: self.flags & !1 | u8::from(sampled), ..self }
    }

    /// Id of the trace as a number.
    pub fn trace(&self) -> u128 {
        self.trace
    }

    /// Id of the span as a number.
    pub fn span(&self) -> u64 {
        self.parent
    }

    /// Id of the trace, 32 hexadecimal digits: the field `trace` of log lines.
    pub fn trace_id(&self) -> String {
        format!("{:032x}", self.trace)
    }

    /// Id of the span, 16 hexadecimal digits.
    pub fn span_id(&self) -> String {
        format!("{:016x}", self.parent)
    }

    /// True if the originator of the trace wants it recorded.
    pub fn sampled(&self) -> bool {
        self.flags & 1 == 1
    }
}

fn new_parent() -> u64 {
    u64::from_be_bytes(entropy::bytes()).max(1)
}

/// Formats the header's value.
impl fmt::Display for Traceparent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "00-{:032x}-{:016x}-{:02x}", self.trace, self.parent, self.flags)
    }
}

impl FromStr for Traceparent {
    type Err = InvalidTraceparent;

    /// Parses the header's value. A version newer than 00 may have more fields, which are ignored.
    fn from_str(value: &str) -> Result<Traceparent, InvalidTraceparent> {
        let mut fields = value.trim().splitn(5, '-');
        let mut field = |digits| {
            fields.next().filter(|field| is_lower_hex(field, digits)).ok_or(InvalidTraceparent)
        };
        let version = field(2)?;
        let trace = field(32)?;
        let parent = field(16)?;
        let flags = field(2)?;
        if version == "ff" || (version == "00" && fields.next().is_some()) {
            return Err(InvalidTraceparent);
        }
        let trace = u128::from_str_radix(trace, 16).map_err(|_| InvalidTraceparent)?;
        let parent = u64::from_str_radix(parent, 16).map_err(|_| InvalidTraceparent)?;
        let flags = u8::from_str_radix(flags, 16).map_err(|_| InvalidTraceparent)?;
        if trace == 0 || parent == 0 {
            return Err(InvalidTraceparent);
        }
        Ok(Traceparent { trace, parent, flags })
    }
}

fn is_lower_hex(field: &str, digits: usize) -> bool {
    field.len() == digits && field.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
}

tokio::task_local! {
    static CURRENT: Span;
    /// Position that log lines name: of the current task, or of the one that started it.
    static LOGGED: Traceparent;
}

/// Runs `work` as a span: [`current`] returns its position inside, and log lines carry the id of
/// its trace.
pub async fn scope<F: Future>(span: Span, work: F) -> F::Output {
    CURRENT.scope(span, work).await
}

/// Trace that a log line belongs to.
pub(crate) fn logged() -> Option<Traceparent> {
    current().or_else(|| LOGGED.try_with(|at| *at).ok())
}

/// Has log lines of `work`, which becomes another task, carry the trace of this one.
pub(crate) fn logged_here<F: Future>(work: F) -> impl Future<Output = F::Output> {
    match logged() {
        Some(at) => Either::Left(LOGGED.scope(at, work)),
        None => Either::Right(work),
    }
}

/// Trace position of the current task; `None` outside of [`scope`].
pub fn current() -> Option<Traceparent> {
    CURRENT.try_with(Span::at).ok()
}

/// Trace position of the current task, if its span is recorded.
pub fn recorded() -> Option<Traceparent> {
    CURRENT.try_with(|span| span.is_recorded().then(|| span.at())).ok().flatten()
}

/// Names the site that the current span concerns, which has to exist.
pub fn note_site(site: &str) {
    let _ = CURRENT.try_with(|span| span.clone().site(site));
}

#[cfg(test)]
mod tests {
    use super::*;

    const VALID: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

    #[test]
    fn a_header_is_read_and_written_back_the_same() {
        let read: Traceparent = VALID.parse().unwrap();
        assert_eq!(read.to_string(), VALID);
        assert_eq!(read.trace_id(), "0af7651916cd43dd8448eb211c80319c");
        assert_eq!(read.span_id(), "b7ad6b7169203331");
        assert!(read.sampled());
    }

    #[test]
    fn an_invalid_header_is_refused() {
        for bad in [
            "",
            "00",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331",
            "00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319-b7ad6b7169203331-01",
            "00-+af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            "00-00000000000000000000000000000000-b7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",
            "ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-more",
        ] {
            assert_eq!(bad.parse::<Traceparent>(), Err(InvalidTraceparent), "{bad:?}");
        }
    }

    #[test]
    fn a_newer_version_may_say_more() {
        let newer = "01-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00-more-and-more";
        assert_eq!(newer.parse::<Traceparent>().unwrap().to_string(), VALID.replace("-01", "-00"));
    }

    #[test]
    fn work_goes_on_in_the_trace_it_was_given() {
        let given: Traceparent = VALID.parse().unwrap();
        let trace = |header| {
            let message = Span::of_message(header, "x").at();
            let request = Span::of_request(header, "GET", None).at();
            assert_ne!(message.span_id(), request.span_id());
            (message.trace_id(), request.trace_id())
        };
        assert_eq!(trace(Some(VALID)), (given.trace_id(), given.trace_id()));
        for header in [None, Some("nonsense")] {
            let (message, request) = trace(header);
            assert_ne!(message, given.trace_id());
            assert_ne!(request, given.trace_id());
        }
    }

    #[tokio::test]
    async fn the_current_trace_is_known_inside_only() {
        let at = Traceparent::new_root();
        assert_eq!(scope(at.into(), async { current() }).await, Some(at));
        assert_eq!(current(), None);
    }
}
