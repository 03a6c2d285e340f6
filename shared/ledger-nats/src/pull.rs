//! One request for messages, and what comes of it.

use async_nats::{Message, StatusCode, Subscriber};
use futures::stream::{Stream, StreamExt};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::time::Sleep;

/// The server forgets a request after this long.
pub(crate) const EXPIRES: Duration = Duration::from_secs(5);
/// And if it does not say so, we do after this much longer.
const GRACE: Duration = Duration::from_secs(2);

/// A request for some messages: gives those that come, and in the end why no more will.
pub(crate) struct Pull {
    subscriber: Subscriber,
    left: usize,
    deadline: Pin<Box<Sleep>>,
}

pub(crate) enum Pulled {
    Message(Message),
    /// So many of those asked for did not come.
    Ended {
        left: usize,
        why: Ended,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ended {
    /// There were no more messages for now.
    InTime,
    /// The consumer or its stream is not there, or the server does not want to.
    Refused,
    /// The server has forgotten to say anything.
    Silent,
}

impl Pull {
    pub(crate) fn new(subscriber: Subscriber, asked: usize) -> Self {
        let deadline = Box::pin(tokio::time::sleep(EXPIRES + GRACE));
        Pull { subscriber, left: asked, deadline }
    }

    /// What the server is sent.
    pub(crate) fn request(asked: usize) -> String {
        format!(r#"{{"batch":{asked},"expires":{}}}"#, EXPIRES.as_nanos())
    }

    /// What may still come in.
    pub(crate) fn into_subscriber(self) -> Option<Subscriber> {
        (self.left > 0).then_some(self.subscriber)
    }

    fn end(&mut self, why: Ended) -> Poll<Option<Pulled>> {
        Poll::Ready(Some(Pulled::Ended { left: std::mem::take(&mut self.left), why }))
    }
}

impl Stream for Pull {
    type Item = Pulled;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Pulled>> {
        if self.left == 0 {
            return Poll::Ready(None);
        }
        while let Poll::Ready(message) = self.subscriber.poll_next_unpin(cx) {
            let Some(message) = message else { return self.end(Ended::Silent) };
            match message.status {
                None | Some(StatusCode::OK) => {
                    self.left -= 1;
                    return Poll::Ready(Some(Pulled::Message(message)));
                }
                Some(StatusCode::IDLE_HEARTBEAT) => {}
                Some(StatusCode::TIMEOUT | StatusCode::NOT_FOUND) => {
                    return self.end(Ended::InTime);
                }
                Some(_) => return self.end(Ended::Refused),
            }
        }
        match self.deadline.as_mut().poll(cx) {
            Poll::Ready(()) => self.end(Ended::Silent),
            Poll::Pending => Poll::Pending,
        }
    }
}
