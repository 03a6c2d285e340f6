//! A pull request for messages, and its result.

use async_nats::{Message, StatusCode, Subscriber};
use futures::stream::{Stream, StreamExt};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::time::Sleep;

/// Time after which the server discards a request.
pub(crate) const PULL_EXPIRY: Duration = Duration::from_secs(5);
/// Additional time after which we discard it, if the server does not report its end.
const PULL_EXPIRY_GRACE: Duration = Duration::from_secs(2);

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
        let deadline = Box::pin(tokio::time::sleep(PULL_EXPIRY + PULL_EXPIRY_GRACE));
        Pull { subscriber, remaining: requested, deadline }
    }

    /// Body of the request.
    pub(crate) fn request(requested: usize) -> String {
        format!(r#"{{"batch":{requested},"expires":{}}}"#, PULL_EXPIRY.as_nanos())
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
