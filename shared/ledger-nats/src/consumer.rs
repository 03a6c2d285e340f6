//! Delivery stream of one worker, from a durable pull consumer.

use crate::abandoned::AbandonedQueue;
use crate::append::{PublishOutcome, publish};
use crate::connection::{
    CallError, Connection, ConnectionState, reconnected, retry_backoff, unavailable,
};
use crate::gather::{AckGathering, Gathering};
use crate::message;
use crate::naming::QUEUE_CONSUMER;
use crate::pull_request::{Pull, PullEnd, PullEvent};
use crate::streams::{StreamKind, Streams};
use async_nats::header::NATS_MESSAGE_ID;
use async_nats::jetstream::consumer::{AckPolicy, DeliverPolicy, pull};
use async_nats::jetstream::{self, AckKind};
use async_nats::subject::Subject as NatsSubject;
use async_nats::{HeaderMap, Message};
use async_trait::async_trait;
use futures::stream::{SelectAll, StreamExt, unfold};
use paihao_chassis::backoff::Backoff;
use paihao_contracts::streams::{Consumer, DEAD_LETTERS, Log, WorkQueue};
use paihao_ledger::dead_letter::Cause;
use paihao_ledger::{
    Acknowledge, Deliveries, Delivery, Disposition, Position, StoredEntry, Subject, Unavailable,
};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};

/// Source of deliveries.
#[derive(Clone, Copy)]
pub(crate) enum Source {
    Consumer(Log, Consumer),
    Queue(WorkQueue),
}

impl Source {
    fn kind(&self) -> StreamKind {
        match self {
            Source::Consumer(log, _) => StreamKind::Log(*log),
            Source::Queue(queue) => StreamKind::Queue(*queue),
        }
    }

    fn consumer_name(&self) -> &'static str {
        match self {
            Source::Consumer(_, consumer) => consumer.name,
            Source::Queue(_) => QUEUE_CONSUMER,
        }
    }

    fn ack_wait(&self) -> Duration {
        match self {
            Source::Consumer(_, consumer) => consumer.ack_wait,
            Source::Queue(queue) => queue.ack_wait,
        }
    }

    fn gather(&self) -> Duration {
        match self {
            Source::Consumer(_, consumer) => consumer.gather,
            Source::Queue(_) => Duration::ZERO,
        }
    }
}

/// Shared dependencies of a worker and its deliveries.
#[derive(Clone)]
pub(crate) struct LedgerContext {
    pub(crate) connection: Arc<Connection>,
    pub(crate) streams: Arc<Streams>,
    pub(crate) abandoned: AbandonedQueue,
}

/// Configuration of a consumer that workers share.
pub(crate) fn durable(
    name: &str,
    ack_wait: Duration,
    deliver_policy: DeliverPolicy,
) -> pull::Config {
    pull::Config {
        durable_name: Some(name.to_owned()),
        deliver_policy,
        ack_policy: AckPolicy::Explicit,
        ack_wait,
        max_deliver: -1,
        // Every worker has its own limit; delayed messages count here too and must not block
        // others.
        max_ack_pending: -1,
        max_waiting: 4096,
        ..pull::Config::default()
    }
}

struct DeliveryStream {
    context: LedgerContext,
    source: Source,
    in_flight: usize,
    permits: Arc<Semaphore>,
    pulls: SelectAll<Pull>,
    /// Number of requested messages that have not arrived.
    requested: usize,
    gathering: Gathering,
    acks: Arc<AckGathering>,
    prepared: bool,
    connect_count: u64,
    connection_state: watch::Receiver<ConnectionState>,
    recreations: watch::Receiver<u64>,
    backoff: Backoff,
    /// True since the last failure, until something arrives.
    failing: bool,
}

pub(crate) async fn deliveries(
    context: LedgerContext,
    source: Source,
    in_flight: usize,
) -> Result<Deliveries, Unavailable> {
    let in_flight = in_flight.clamp(1, 100_000);
    let mut worker = DeliveryStream {
        source,
        in_flight,
        permits: Arc::new(Semaphore::new(in_flight)),
        pulls: SelectAll::new(),
        requested: 0,
        gathering: Gathering::new(source.gather()),
        acks: Arc::new(AckGathering::new(in_flight, source.gather())),
        prepared: false,
        connect_count: 0,
        connection_state: context.connection.state(),
        recreations: context.streams.recreations(),
        backoff: retry_backoff(),
        failing: false,
        context,
    };
    worker.prepare().await?;
    Ok(Deliveries::new(
        unfold(worker, async |mut worker| {
            let next = worker.next().await;
            Some((next, worker))
        })
        .boxed(),
    ))
}

impl DeliveryStream {
    async fn next(&mut self) -> Delivery {
        loop {
            let ready = if self.prepared { Ok(()) } else { self.prepare().await };
            let ready = match ready {
                Ok(()) => self.request_messages().await,
                failed => failed,
            };
            if let Err(error) = ready {
                self.back_off(&error.0).await;
                continue;
            }
            if self.requested == 0 && !self.gathering.is_waiting() {
                // All permits are taken by open deliveries: wait for one of them to end.
                drop(self.permits.acquire().await);
                continue;
            }
            tokio::select! {
                biased;
                Some(pulled) = self.pulls.next() => match pulled {
                    PullEvent::Message(message) => {
                        self.requested -= 1;
                        self.gathering.arrived();
                        self.recovered();
                        if let Some(delivery) = self.to_delivery(message).await {
                            return delivery;
                        }
                    }
                    PullEvent::Ended { remaining, reason } => {
                        self.requested -= remaining;
                        self.gathering.ended();
                        match reason {
                            PullEnd::Expired => self.recovered(),
                            PullEnd::Rejected => self.back_off("the consumer is not there").await,
                            PullEnd::TimedOut => self.back_off("the server is silent").await,
                        }
                    }
                },
                () = self.gathering.wait() => {}
                () = reconnected(&mut self.connection_state, self.connect_count) => self.reset(),
                _ = self.recreations.changed() => self.reset(),
            }
        }
    }

    /// Creates stream and consumer if they are missing.
    async fn prepare(&mut self) -> Result<(), Unavailable> {
        self.recreations.borrow_and_update();
        self.connect_count = self.connection_state.borrow_and_update().connect_count;
        let LedgerContext { connection, streams, .. } = &self.context;
        streams.ensure(self.source.kind()).await?;
        let name = self.source.consumer_name();
        let config = durable(name, self.source.ack_wait(), DeliverPolicy::All);
        let stream = streams.name(self.source.kind());
        let jetstream = connection.jetstream();
        let created =
            connection.with_timeout(jetstream.create_consumer_on_stream(config, &stream)).await?;
        if let Err(error) = created {
            // A restored one begins elsewhere than at the first entry.
            let found = jetstream.get_consumer_from_stream::<pull::Config, _, _>(name, &stream);
            if connection.with_timeout(found).await?.is_err() {
                return Err(unavailable(&error));
            }
        }
        self.prepared = true;
        Ok(())
    }

    /// Requests as many messages as there are permits, unless they are too few for a request.
    async fn request_messages(&mut self) -> Result<(), Unavailable> {
        let free = self.permits.available_permits().saturating_sub(self.requested);
        let (free, kind) = self.gathering.request(free, self.requested);
        let min_request = if self.requested == 0 { 1 } else { (self.in_flight / 16).max(1) };
        if free < min_request {
            return Ok(());
        }
        let LedgerContext { connection, streams, .. } = &self.context;
        let inbox = connection.new_inbox();
        let subscriber = connection.subscribe(inbox.clone()).await?;
        let stream = streams.name(self.source.kind());
        let next = format!("$JS.API.CONSUMER.MSG.NEXT.{stream}.{}", self.source.consumer_name());
        connection.publish(next, Some(inbox), Pull::request(free, kind).into()).await?;
        self.pulls.push(Pull::new(subscriber, free));
        self.requested += free;
        Ok(())
    }

    async fn back_off(&mut self, reason: &str) {
        self.reset();
        if !std::mem::replace(&mut self.failing, true) {
            tracing::warn!(
                source = self.source.kind().name(),
                reason,
                "cannot receive deliveries, retrying"
            );
        }
        self.backoff.wait().await;
    }

    fn recovered(&mut self) {
        self.backoff.reset();
        self.failing = false;
    }

    /// Returns the messages that were not handed over, and starts again with fresh state.
    fn reset(&mut self) {
        self.prepared = false;
        self.requested = 0;
        self.gathering.ended();
        for subscriber in
            std::mem::take(&mut self.pulls).into_iter().filter_map(Pull::into_subscriber)
        {
            self.context.abandoned.nak_all(subscriber);
        }
    }

    /// Converts a message to a delivery; `None` if it is not due yet.
    async fn to_delivery(&self, message: Message) -> Option<Delivery> {
        let reply = message.reply.clone()?;
        let connection = &self.context.connection;
        let message = jetstream::Message { message, context: connection.jetstream().clone() };
        let info = message.info().ok()?;
        let sequence = info.stream_sequence;
        let published = info.published;
        let delivered = u64::try_from(info.delivered).unwrap_or(1).max(1);
        let message = message.message;
        let headers = message.headers.as_ref();
        let delay = message::delay(headers);
        if let Some(delay) = delay {
            // The first delivery of a delayed message only starts its delay, so that the attempt's
            // number is known; the delay may be over already.
            let remaining = delay.saturating_sub(age(published));
            if delivered == 1 || !remaining.is_zero() {
                let remaining = remaining.max(Duration::from_millis(1));
                let _ = connection.publish(reply, None, AckKind::Nak(Some(remaining)).into()).await;
                return None;
            }
        }
        let subject = match &self.source {
            Source::Consumer(log, _) => {
                self.context.streams.namespace().parse_subject(log, &message.subject)
            }
            Source::Queue(queue) => Subject::new(&[queue.name]).ok(),
        };
        let Some(subject) = subject else {
            tracing::warn!(
                source = self.source.kind().name(),
                sequence,
                "discarding a message with a foreign subject"
            );
            let _ = connection.publish(reply, None, AckKind::Term.into()).await;
            return None;
        };
        let recorded = StoredEntry {
            position: Position(sequence),
            subject,
            at_ms: message::appended_at(headers, published),
            entry: message::entry(headers, message.payload.clone()),
        };
        let permit = Arc::clone(&self.permits).try_acquire_owned().ok();
        let handle = AckHandle {
            context: self.context.clone(),
            source: self.source,
            reply,
            acks: Arc::clone(&self.acks),
            message: recorded.clone(),
            key: message::key(headers),
            published: published.unix_timestamp_nanos(),
            _permit: permit,
        };
        Some(Delivery::new(recorded, delivered - u64::from(delay.is_some()), Box::new(handle)))
    }
}

impl Drop for DeliveryStream {
    fn drop(&mut self) {
        self.reset();
    }
}

struct AckHandle {
    context: LedgerContext,
    source: Source,
    reply: NatsSubject,
    acks: Arc<AckGathering>,
    message: StoredEntry,
    key: String,
    published: i128,
    _permit: Option<OwnedSemaphorePermit>,
}

impl AckHandle {
    /// Sends an acknowledgement and waits for the server's confirmation.
    async fn send_ack(&self, kind: AckKind) -> Result<(), Unavailable> {
        let response = self
            .context
            .connection
            .request(self.reply.to_string(), HeaderMap::new(), kind.into())
            .await;
        response.map(drop).map_err(|error| match error {
            CallError::NoResponders => Unavailable("the consumer is not there any more".to_owned()),
            CallError::Unavailable(unavailable) => unavailable,
        })
    }

    async fn publish_dead_letter(&self, reason: &str) -> Result<(), Unavailable> {
        let LedgerContext { connection, streams, .. } = &self.context;
        let origin = self.source.kind().name();
        let cause = match self.source {
            Source::Consumer(log, _) => Cause::for_log_entry(log.name, &self.message, reason),
            Source::Queue(queue) => Cause {
                reason: reason.to_owned(),
                origin: queue.name.to_owned(),
                key: self.key.clone(),
            },
        };
        let dead_letter = cause.to_dead_letter(&self.message.entry);
        let mut headers = message::headers(&dead_letter);
        let stream = streams.name(self.source.kind());
        let message_id = format!("{stream}/{}/{}", self.message.position.0, self.published);
        headers.insert(NATS_MESSAGE_ID, message_id.as_str());
        let subject = Subject::new(&[origin])
            .map_err(|_| Unavailable("a name that is no subject".to_owned()))?;
        let full_subject = streams.namespace().log_subject(&DEAD_LETTERS, &subject);
        let kind = StreamKind::Log(DEAD_LETTERS);
        match publish(
            connection,
            streams,
            kind,
            &full_subject,
            || headers.clone(),
            &dead_letter.payload,
        )
        .await?
        {
            PublishOutcome::Stored { .. } => Ok(()),
            PublishOutcome::Rejected(error) => Err(unavailable(&error)),
        }
    }
}

#[async_trait]
impl Acknowledge for AckHandle {
    async fn settle(&self, disposition: Disposition) -> Result<(), Unavailable> {
        match disposition {
            Disposition::Ack => {
                self.acks.wait().await;
                self.send_ack(AckKind::Ack).await
            }
            Disposition::RetryAfter(delay) => self.send_ack(AckKind::Nak(Some(delay))).await,
            Disposition::DeadLetter(reason) => {
                self.publish_dead_letter(&reason).await?;
                self.send_ack(AckKind::Term).await
            }
        }
    }

    async fn extend(&self) -> Result<(), Unavailable> {
        self.send_ack(AckKind::Progress).await
    }

    fn abandon(&self) {
        self.context.abandoned.nak(self.reply.clone());
    }
}

/// Age of a message by our clock, which may differ from the server's.
fn age(published: async_nats::datetime::DateTime) -> Duration {
    let now = async_nats::datetime::now().unix_timestamp_nanos();
    let nanos = now.saturating_sub(published.unix_timestamp_nanos()).max(0);
    Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
}
