//! One request for messages, and what comes of it.

use async_nats::{Message, StatusCode, Subscriber};
use futures::stream::{Stream, StreamExt};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::time::Sleep;

/// The server forgets a request after this long.
pub(crate) const PULL_EXPIRY: Duration = Duration::from_secs(5);
/// And if it does not say so, we do after this much longer.
const PULL_EXPIRY_GRACE: Duration = Duration::from_secs(2);

/// A request for some messages: gives those that come, and in the end why no more will.
pub(crate) struct Pull {
    subscriber: Subscriber,
    remaining: usize,
    deadline: Pin<Box<Sleep>>,
}

pub(crate) enum PullEvent {
    Message(Message),
    /// So many of those asked for did not come.
    Ended {
        left: usize,
        why: PullEnd,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PullEnd {
    /// There were no more messages for now.
    Expired,
    /// The consumer or its stream is not there, or the server does not want to.
    Rejected,
    /// The server has forgotten to say anything.
    TimedOut,
}

impl Pull {
    pub(crate) fn new(subscriber: Subscriber, asked: usize) -> Self {
        let deadline = Box::pin(tokio::time::sleep(PULL_EXPIRY + PULL_EXPIRY_GRACE));
        Pull { subscriber, remaining: asked, deadline }
    }

    /// What the server is sent.
    pub(crate) fn request(asked: usize) -> String {
        format!(r#"{{"batch":{asked},"expires":{}}}"#, PULL_EXPIRY.as_nanos())
    }

    /// What may still come in.
    pub(crate) fn into_subscriber(self) -> Option<Subscriber> {
        (self.remaining > 0).then_some(self.subscriber)
    }

    fn end(&mut self, why: PullEnd) -> Poll<Option<PullEvent>> {
        Poll::Ready(Some(PullEvent::Ended { left: std::mem::take(&mut self.remaining), why }))
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
