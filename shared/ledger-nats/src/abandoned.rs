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
    pub(crate) fn start(connection: Arc<Connection>) -> Self {
        let (sender, receiver) = mpsc::unbounded_channel();
        #[expect(clippy::disallowed_methods, reason = "ends when the last handle is dropped")]
        tokio::spawn(run(connection, receiver));
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

async fn run(connection: Arc<Connection>, mut abandoned: mpsc::UnboundedReceiver<AbandonedItem>) {
    let mut draining = FuturesUnordered::new();
    loop {
        tokio::select! {
            item = abandoned.recv() => match item {
                Some(AbandonedItem::Message(reply)) => nak(&connection, reply).await,
                Some(AbandonedItem::Subscription(subscriber)) => draining.push(nak_remaining(&connection, subscriber)),
                None => break,
            },
            Some(()) = draining.next() => {}
        }
    }
    while draining.next().await.is_some() {}
}

/// Sends a negative acknowledgement. On failure the server redelivers when the ack-wait is over.
async fn nak(connection: &Connection, reply: Subject) {
    let _ = connection.publish(reply, None, AckKind::Nak(None).into()).await;
}

/// Unsubscribes and returns the messages that the server had sent by then.
async fn nak_remaining(connection: &Connection, mut subscriber: Subscriber) {
    if subscriber.drain().await.is_err() {
        return;
    }
    let drained = async {
        while let Some(message) = subscriber.next().await {
            let is_message = message.status.is_none_or(|status| status == StatusCode::OK);
            if let Some(reply) = message.reply.filter(|_| is_message) {
                nak(connection, reply).await;
            }
        }
    };
    let _ = tokio::time::timeout(Duration::from_secs(5), drained).await;
}
