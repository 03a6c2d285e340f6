//! Follower of a log: an ordered push consumer, recreated after the last entry seen on any doubt
//! about its state.

use crate::abandoned::AbandonedQueue;
use crate::connection::{Connection, ConnectionState, reconnected, retry_backoff, unavailable};
use crate::consumer::LedgerContext;
use crate::message;
use crate::streams::{StreamKind, Streams};
use async_nats::jetstream::consumer::{AckPolicy, DeliverPolicy, push};
use async_nats::jetstream::context::Context;
use async_nats::{Message, StatusCode, Subscriber, jetstream};
use bytes::Bytes;
use futures::FutureExt;
use futures::stream::{BoxStream, StreamExt, unfold};
use paihao_chassis::backoff::Backoff;
use paihao_contracts::streams::Log;
use paihao_ledger::{LogItem, Position, StoredEntry, Subject, TRUNCATION_GRACE, Unavailable};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::Instant;

struct Follower {
    connection: Arc<Connection>,
    streams: Arc<Streams>,
    abandoned: AbandonedQueue,
    log: Log,
    /// Subject on the server that is followed; empty for all.
    filter: String,
    heartbeat: Duration,
    /// Sequence of the last entry seen.
    after: u64,
    /// Creation time of the stream in which that entry was seen: distinguishes a stream from its
    /// successor.
    stream_created: Option<i128>,
    session: Option<Session>,
    connection_state: watch::Receiver<ConnectionState>,
    recreations: watch::Receiver<u64>,
    backoff: Backoff,
    /// True since the last failure, until an entry arrives.
    failing: bool,
    /// Time since which the stream has been shorter than what was read of it.
    behind_since: Option<Instant>,
}

/// A consumer on the server.
struct Session {
    /// Name of the consumer.
    consumer: String,
    subscriber: Subscriber,
    /// Number of messages received in this session.
    received: u64,
    last_received: Instant,
    connect_count: u64,
    /// Context that is lent to each message to read its origin, since a copy of it costs as much as
    /// the reading.
    context: Option<Context>,
}

/// Meaning of a message of a session.
enum SessionEvent {
    Entry(StoredEntry),
    Ignored,
    /// A message is missing, or the consumer is gone.
    Broken(&'static str),
}

pub(crate) async fn follow(
    context: LedgerContext,
    log: Log,
    subject: Option<&Subject>,
    after: Position,
    heartbeat: Duration,
) -> Result<BoxStream<'static, LogItem>, Unavailable> {
    let LedgerContext { connection, streams, abandoned } = context;
    let mut follower = Follower {
        connection_state: connection.state(),
        recreations: streams.recreations(),
        backoff: retry_backoff(),
        failing: false,
        behind_since: None,
        filter: subject
            .map_or_else(String::new, |only| streams.namespace().log_subject(&log, only)),
        connection,
        streams,
        abandoned,
        log,
        heartbeat,
        after: after.0,
        stream_created: None,
        session: None,
    };
    let restarted = follower.open_session().await?;
    let first = futures::stream::iter(restarted.then_some(LogItem::Restarted));
    let entries = unfold(follower, async |mut follower| {
        let next = follower.next().await;
        Some((next, follower))
    });
    Ok(first.chain(entries).boxed())
}

impl Follower {
    async fn next(&mut self) -> LogItem {
        loop {
            let Some(session) = &mut self.session else {
                match self.open_session().await {
                    Ok(true) => return LogItem::Restarted,
                    Ok(false) => {}
                    Err(error) => self.back_off(&error).await,
                }
                continue;
            };
            let silence = session.last_received + self.heartbeat * 3;
            // A message that is there already needs neither the timer nor the signals.
            let received = match session.subscriber.next().now_or_never() {
                Some(message) => Ok(message),
                None => tokio::select! {
                    biased;
                    message = session.subscriber.next() => Ok(message),
                    () = reconnected(&mut self.connection_state, session.connect_count) => {
                        Err("the connection is a new one")
                    }
                    _ = self.recreations.changed() => Err("a stream was recreated"),
                    () = tokio::time::sleep_until(silence) => Err("the server is silent"),
                },
            };
            let event = match received {
                Ok(Some(message)) => {
                    session
                        .handle_message(&self.connection, &self.streams, &self.log, message)
                        .await
                }
                Ok(None) => SessionEvent::Broken("the subscription has ended"),
                Err(reason) => SessionEvent::Broken(reason),
            };
            match event {
                SessionEvent::Entry(recorded) => {
                    self.after = recorded.position.0;
                    self.backoff.reset();
                    self.failing = false;
                    return LogItem::Entry(recorded);
                }
                SessionEvent::Ignored => {}
                SessionEvent::Broken(reason) => {
                    tracing::debug!(
                        log = self.log.name,
                        reason,
                        "recreating the consumer of a follower"
                    );
                    self.close_session();
                }
            }
        }
    }

    /// Creates a consumer that starts after the last entry seen. Returns true if the stream is
    /// another one, so that the consumer starts at its oldest entry instead.
    async fn open_session(&mut self) -> Result<bool, Unavailable> {
        let kind = StreamKind::Log(self.log);
        self.streams.ensure_once(kind).await?;
        self.recreations.borrow_and_update();
        let connect_count = self.connection_state.borrow_and_update().connect_count;
        let name = self.streams.name(kind);
        let inbox = self.connection.new_inbox();
        let subscriber = self.connection.subscribe(inbox.clone()).await?;
        let consumer = match self.create_consumer(&name, inbox.clone()).await {
            Ok(consumer) => consumer,
            Err(_) => {
                // Most likely the stream is gone.
                self.streams.ensure(kind).await?;
                self.create_consumer(&name, inbox).await?
            }
        };
        // Read after the consumer was created: had the stream been replaced in between, the
        // consumer would have been removed with it and stay silent.
        let Some(mut info) = self.streams.info(&name).await? else {
            self.streams.ensure(kind).await?;
            return Err(Unavailable("the stream has just gone".to_owned()));
        };
        let created = info.created.unix_timestamp_nanos();
        // The identity of a stream is its creation, not its length: a leader that was elected a
        // moment ago may know less than was read from the one before it.
        let known = self.stream_created.replace(created);
        let is_another = known.is_some_and(|previous| previous != created);
        if self.after > info.state.last_sequence {
            info = self.streams.confirmed_info(kind).await?.unwrap_or(info);
        }
        let is_behind = !is_another && self.after > info.state.last_sequence;
        if is_behind && known.is_some() {
            let since = *self.behind_since.get_or_insert_with(Instant::now);
            if since.elapsed() < TRUNCATION_GRACE {
                return Err(Unavailable("the stream is shorter than what was read".to_owned()));
            }
            tracing::error!(
                log = self.log.name,
                read = self.after,
                last = info.state.last_sequence,
                "the store has lost entries that it had confirmed, reading the log again"
            );
        }
        self.behind_since = None;
        if is_another || is_behind {
            self.after = 0;
            return Ok(true);
        }
        self.session = Some(Session {
            consumer,
            subscriber,
            received: 0,
            last_received: Instant::now(),
            connect_count,
            context: None,
        });
        Ok(false)
    }

    /// Returns the name of the consumer.
    async fn create_consumer(&self, stream: &str, inbox: String) -> Result<String, Unavailable> {
        let config = push::Config {
            deliver_subject: inbox,
            filter_subject: self.filter.clone(),
            deliver_policy: match self.after {
                0 => DeliverPolicy::All,
                after => DeliverPolicy::ByStartSequence { start_sequence: after + 1 },
            },
            ack_policy: AckPolicy::None,
            max_deliver: 1,
            flow_control: true,
            idle_heartbeat: self.heartbeat,
            num_replicas: 1,
            memory_storage: true,
            inactive_threshold: Duration::from_secs(30),
            ..push::Config::default()
        };
        let context: &Context = self.connection.jetstream();
        let created =
            self.connection.with_timeout(context.create_consumer_on_stream(config, stream)).await?;
        let created = created.map_err(|error| unavailable(&error))?;
        Ok(created.cached_info().name.clone())
    }

    async fn back_off(&mut self, error: &Unavailable) {
        if !std::mem::replace(&mut self.failing, true) {
            tracing::warn!(log = self.log.name, %error, "cannot follow a log, retrying");
        }
        self.backoff.wait().await;
    }
}

impl Follower {
    /// Ends the session and removes its consumer from the server.
    fn close_session(&mut self) {
        if let Some(session) = self.session.take() {
            let stream = self.streams.name(StreamKind::Log(self.log));
            self.abandoned.delete_consumer(stream, session.consumer);
        }
    }
}

impl Drop for Follower {
    fn drop(&mut self) {
        self.close_session();
    }
}

impl Session {
    async fn handle_message(
        &mut self,
        connection: &Arc<Connection>,
        streams: &Streams,
        log: &Log,
        message: Message,
    ) -> SessionEvent {
        self.last_received = Instant::now();
        if let Some(status) = message.status.filter(|status| *status != StatusCode::OK) {
            return self.handle_status(connection, status, message).await;
        }
        let subject = streams.namespace().parse_subject(log, &message.subject);
        let context = self.context.take();
        let context = context.unwrap_or_else(|| connection.jetstream().clone());
        let message = jetstream::Message { message, context };
        let Ok(info) = message.info() else {
            return SessionEvent::Broken("a message without origin");
        };
        if info.consumer_sequence != self.received + 1 {
            return SessionEvent::Broken("a message is missing");
        }
        self.received += 1;
        let position = Position(info.stream_sequence);
        let published = info.published;
        let jetstream::Message { message, context } = message;
        self.context = Some(context);
        let Some(subject) = subject else {
            tracing::warn!(
                log = log.name,
                position = position.0,
                "skipping an entry with a foreign subject"
            );
            return SessionEvent::Ignored;
        };
        let at_ms = message::appended_at(message.headers.as_ref(), published);
        let entry = message::entry(message.headers.as_ref(), message.payload);
        SessionEvent::Entry(StoredEntry { position, subject, at_ms, entry })
    }

    async fn handle_status(
        &self,
        connection: &Connection,
        status: StatusCode,
        message: Message,
    ) -> SessionEvent {
        if status != StatusCode::IDLE_HEARTBEAT {
            return SessionEvent::Broken("the consumer has ended");
        }
        let header = |name: &str| {
            let value = message.headers.as_ref().and_then(|headers| headers.get(name));
            value.map(|value| value.as_str().to_owned())
        };
        // Flow control requires a reply, in one of two ways.
        let reply_to = match &message.reply {
            Some(reply) => Some(reply.to_string()),
            None => header("Nats-Consumer-Stalled"),
        };
        if let Some(reply_to) = reply_to
            && connection.publish(reply_to, None, Bytes::new()).await.is_err()
        {
            return SessionEvent::Broken("flow control could not be answered");
        }
        match header("Nats-Last-Consumer").and_then(|sent| sent.parse::<u64>().ok()) {
            Some(sent) if sent != self.received => SessionEvent::Broken("a message is missing"),
            _ => SessionEvent::Ignored,
        }
    }
}
