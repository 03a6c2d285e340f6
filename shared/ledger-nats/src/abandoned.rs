//! Return of abandoned deliveries to the server, in the background.

use crate::connection::Connection;
use async_nats::jetstream::AckKind;
use async_nats::subject::Subject;
use async_nats::{StatusCode, Subscriber};
use futures::stream::{FuturesUnordered, StreamExt};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;

enum AbandonedItem {
    /// Reply subject for the acknowledgement of one message.
    Message(Subject),
    /// A subscription with messages that may still arrive.
    Subscription(Subscriber),
}

/// Queue of abandoned items. Adding to it does not wait. Its task ends when the last handle is
/// dropped.
#[derive(Clone)]
pub(crate) struct AbandonedQueue(mpsc::UnboundedSender<AbandonedItem>);

impl AbandonedQueue {
    pub(crate) fn start(link: Arc<Connection>) -> Self {
        let (sender, receiver) = mpsc::unbounded_channel();
        #[expect(clippy::disallowed_methods, reason = "ends when the last handle is dropped")]
        tokio::spawn(run(link, receiver));
        AbandonedQueue(sender)
    }

    /// Returns one message for early redelivery.
    pub(crate) fn nak(&self, reply: Subject) {
        let _ = self.0.send(AbandonedItem::Message(reply));
    }

    /// Returns everything that has arrived or is on its way, for early redelivery.
    pub(crate) fn nak_all(&self, subscriber: Subscriber) {
        let _ = self.0.send(AbandonedItem::Subscription(subscriber));
    }
}

async fn run(link: Arc<Connection>, mut returns: mpsc::UnboundedReceiver<AbandonedItem>) {
    let mut emptying = FuturesUnordered::new();
    loop {
        tokio::select! {
            taken = returns.recv() => match taken {
                Some(AbandonedItem::Message(reply)) => nak(&link, reply).await,
                Some(AbandonedItem::Subscription(subscriber)) => emptying.push(nak_remaining(&link, subscriber)),
                None => break,
            },
            Some(()) = emptying.next() => {}
        }
    }
    while emptying.next().await.is_some() {}
}

/// Sends a negative acknowledgement. On failure the server redelivers when the ack-wait is over.
async fn nak(link: &Connection, reply: Subject) {
    let _ = link.publish(reply, None, AckKind::Nak(None).into()).await;
}

/// Unsubscribes and returns the messages that the server had sent by then.
async fn nak_remaining(link: &Connection, mut subscriber: Subscriber) {
    if subscriber.drain().await.is_err() {
        return;
    }
    let emptied = async {
        while let Some(message) = subscriber.next().await {
            let is_message = message.status.is_none_or(|status| status == StatusCode::OK);
            if let Some(reply) = message.reply.filter(|_| is_message) {
                nak(link, reply).await;
            }
        }
    };
    let _ = tokio::time::timeout(Duration::from_secs(5), emptied).await;
}
