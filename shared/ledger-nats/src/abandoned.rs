//! Return of abandoned deliveries to the server, in the background.

use crate::connection::Connection;
use async_nats::jetstream::AckKind;
use async_nats::subject::Subject;
use async_nats::{StatusCode, Subscriber};
use futures::stream::{FuturesUnordered, StreamExt};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};

enum AbandonedItem {
    /// Reply subject for the acknowledgement of one message.
    Message(Subject),
    /// A subscription with messages that may still arrive.
    Subscription(Subscriber),
    /// An ephemeral consumer of a stream, by its name.
    Consumer { stream: String, name: String },
    /// A caller that waits until everything before it has been returned.
    Flush(oneshot::Sender<()>),
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

    /// Removes an ephemeral consumer. The server would keep it for half a minute.
    pub(crate) fn delete_consumer(&self, stream: String, name: String) {
        let _ = self.0.send(AbandonedItem::Consumer { stream, name });
    }

    /// Waits until everything that was added before has been returned to the server.
    pub(crate) async fn flush(&self) {
        let (done, flushed) = oneshot::channel();
        if self.0.send(AbandonedItem::Flush(done)).is_ok() {
            let _ = flushed.await;
        }
    }
}

async fn run(connection: Arc<Connection>, mut abandoned: mpsc::UnboundedReceiver<AbandonedItem>) {
    let mut draining = FuturesUnordered::new();
    loop {
        tokio::select! {
            biased;
            item = abandoned.recv() => match item {
                Some(AbandonedItem::Message(reply)) => nak(&connection, reply).await,
                Some(AbandonedItem::Subscription(subscriber)) => draining.push(nak_remaining(&connection, subscriber)),
                Some(AbandonedItem::Consumer { stream, name }) => {
                    let jetstream = connection.jetstream();
                    let deletion = jetstream.delete_consumer_from_stream(&name, &stream);
                    let _ = connection.with_timeout(deletion).await;
                }
                Some(AbandonedItem::Flush(done)) => {
                    while draining.next().await.is_some() {}
                    connection.flush().await;
                    let _ = done.send(());
                }
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
