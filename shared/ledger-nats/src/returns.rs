//! Giving back what nobody will work on, behind the backs of those who have left.

use crate::link::Link;
use async_nats::jetstream::AckKind;
use async_nats::subject::Subject;
use async_nats::{StatusCode, Subscriber};
use futures::stream::{FuturesUnordered, StreamExt};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;

enum Return {
    /// The way to acknowledge one message.
    Message(Subject),
    /// Where messages may still be coming in.
    Everything(Subscriber),
}

/// Takes back from anywhere, without waiting. Its task ends when the last handle is dropped.
#[derive(Clone)]
pub(crate) struct Returns(mpsc::UnboundedSender<Return>);

impl Returns {
    pub(crate) fn start(link: Arc<Link>) -> Self {
        let (sender, receiver) = mpsc::unbounded_channel();
        #[allow(clippy::disallowed_methods, reason = "ends when the last handle is dropped")]
        tokio::spawn(run(link, receiver));
        Returns(sender)
    }

    /// To be handed out again soon.
    pub(crate) fn give_back(&self, reply: Subject) {
        let _ = self.0.send(Return::Message(reply));
    }

    /// Everything that came or is on its way, to be handed out again soon.
    pub(crate) fn give_back_all(&self, subscriber: Subscriber) {
        let _ = self.0.send(Return::Everything(subscriber));
    }
}

async fn run(link: Arc<Link>, mut returns: mpsc::UnboundedReceiver<Return>) {
    let mut emptying = FuturesUnordered::new();
    loop {
        tokio::select! {
            taken = returns.recv() => match taken {
                Some(Return::Message(reply)) => give_back(&link, reply).await,
                Some(Return::Everything(subscriber)) => emptying.push(empty(&link, subscriber)),
                None => break,
            },
            Some(()) = emptying.next() => {}
        }
    }
    while emptying.next().await.is_some() {}
}

/// On failure the server hands it out again when its ack-wait is over.
async fn give_back(link: &Link, reply: Subject) {
    let _ = link.tell(reply, None, AckKind::Nak(None).into()).await;
}

/// Unsubscribes and returns what the server had already sent by then.
async fn empty(link: &Link, mut subscriber: Subscriber) {
    if subscriber.drain().await.is_err() {
        return;
    }
    let emptied = async {
        while let Some(message) = subscriber.next().await {
            let is_message = message.status.is_none_or(|status| status == StatusCode::OK);
            if let Some(reply) = message.reply.filter(|_| is_message) {
                give_back(link, reply).await;
            }
        }
    };
    let _ = tokio::time::timeout(Duration::from_secs(5), emptied).await;
}
