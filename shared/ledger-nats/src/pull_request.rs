//! A pull request for messages, and its result.

use async_nats::{Message, StatusCode, Subscriber};
use futures::stream::{Stream, StreamExt};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::time::{Instant, Sleep};

/// Time after which the server discards a request. As long it hands messages to a process that
/// stands still.
const PULL_EXPIRY: Duration = Duration::from_secs(5);
/// The same where nobody waits for the messages. Servers with several copies of a consumer write
/// each request and its end to their disks.
const PATIENT_PULL_EXPIRY: Duration = Duration::from_secs(60);
/// Interval at which the server tells that such a request still waits.
const PULL_HEARTBEAT: Duration = Duration::from_secs(3);
/// Time without a word of the server after which we discard a request.
const MAX_SILENCE: Duration = Duration::from_secs(7);

/// Messages that a request is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PullKind {
    /// Those that are there, and those that come.
    Waiting,
    /// The same, for which nobody waits.
    Patient,
    /// Those that are there.
    Present,
}

/// A request for several messages: yields those that arrive, and finally the reason for its end.
pub(crate) struct Pull {
    subscriber: Subscriber,
    remaining: usize,
    deadline: Pin<Box<Sleep>>,
}

pub(crate) enum PullEvent {
    Message(Message),
    /// The request ended, with this number of messages missing.
    Ended {
        remaining: usize,
        reason: PullEnd,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PullEnd {
    /// No more messages for now.
    Expired,
    /// The consumer or its stream does not exist, or the server refuses.
    Rejected,
    /// The server did not report the end.
    TimedOut,
}

impl Pull {
    pub(crate) fn new(subscriber: Subscriber, requested: usize) -> Self {
        let deadline = Box::pin(tokio::time::sleep(MAX_SILENCE));
        Pull { subscriber, remaining: requested, deadline }
    }

    /// Body of the request.
    pub(crate) fn request(requested: usize, kind: PullKind) -> String {
        match kind {
            PullKind::Waiting => {
                format!(r#"{{"batch":{requested},"expires":{}}}"#, PULL_EXPIRY.as_nanos())
            }
            PullKind::Patient => format!(
                r#"{{"batch":{requested},"expires":{},"idle_heartbeat":{}}}"#,
                PATIENT_PULL_EXPIRY.as_nanos(),
                PULL_HEARTBEAT.as_nanos()
            ),
            PullKind::Present => format!(r#"{{"batch":{requested},"no_wait":true}}"#),
        }
    }

    /// Subscription on which messages may still arrive.
    pub(crate) fn into_subscriber(self) -> Option<Subscriber> {
        (self.remaining > 0).then_some(self.subscriber)
    }

    fn end(&mut self, reason: PullEnd) -> Poll<Option<PullEvent>> {
        Poll::Ready(Some(PullEvent::Ended {
            remaining: std::mem::take(&mut self.remaining),
            reason,
        }))
    }
}

impl Stream for Pull {
    type Item = PullEvent;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<PullEvent>> {
        if self.remaining == 0 {
            return Poll::Ready(None);
        }
        while let Poll::Ready(message) = self.subscriber.poll_next_unpin(cx) {
            let Some(message) = message else { return self.end(PullEnd::TimedOut) };
            self.deadline.as_mut().reset(Instant::now() + MAX_SILENCE);
            match message.status {
                None | Some(StatusCode::OK) => {
                    self.remaining -= 1;
                    return Poll::Ready(Some(PullEvent::Message(message)));
                }
                Some(StatusCode::IDLE_HEARTBEAT) => {}
                Some(StatusCode::TIMEOUT | StatusCode::NOT_FOUND) => {
                    return self.end(PullEnd::Expired);
                }
                Some(_) => return self.end(PullEnd::Rejected),
            }
        }
        match self.deadline.as_mut().poll(cx) {
            Poll::Ready(()) => self.end(PullEnd::TimedOut),
            Poll::Pending => Poll::Pending,
        }
    }
}
