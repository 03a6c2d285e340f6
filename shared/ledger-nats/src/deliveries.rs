//! Handing out: one worker's stream of deliveries from a durable pull consumer.

use crate::append::{Published, publish};
use crate::backoff::Backoff;
use crate::link::{CallError, Link, State, moved_on, unavailable};
use crate::message;
use crate::naming::WORKERS;
use crate::pull::{Ended, Pull, Pulled};
use crate::returns::Returns;
use crate::streams::{Kind, Streams};
use async_nats::header::NATS_MESSAGE_ID;
use async_nats::jetstream::consumer::{AckPolicy, DeliverPolicy, pull};
use async_nats::jetstream::{self, AckKind};
use async_nats::subject::Subject as NatsSubject;
use async_nats::{HeaderMap, Message};
use async_trait::async_trait;
use futures::stream::{SelectAll, StreamExt, unfold};
use paihao_contracts::names::{Consumer, DEAD_LETTERS, Log, WorkQueue};
use paihao_ledger::dead_letter::Cause;
use paihao_ledger::{
    Acknowledge, Deliveries, Delivery, Position, Recorded, Subject, Unavailable, Verdict,
};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};

/// Where deliveries come from.
#[derive(Clone, Copy)]
pub(crate) enum Source {
    Consumer(Log, Consumer),
    Queue(WorkQueue),
}

impl Source {
    fn kind(&self) -> Kind {
        match self {
            Source::Consumer(log, _) => Kind::Log(*log),
            Source::Queue(queue) => Kind::Queue(*queue),
        }
    }

    fn consumer(&self) -> &'static str {
        match self {
            Source::Consumer(_, consumer) => consumer.name,
            Source::Queue(_) => WORKERS,
        }
    }

    fn ack_wait(&self) -> Duration {
        match self {
            Source::Consumer(_, consumer) => consumer.ack_wait,
            Source::Queue(queue) => queue.ack_wait,
        }
    }
}

/// What a worker and its deliveries stand on.
#[derive(Clone)]
pub(crate) struct Ground {
    pub(crate) link: Arc<Link>,
    pub(crate) streams: Arc<Streams>,
    pub(crate) returns: Returns,
}

struct Worker {
    ground: Ground,
    source: Source,
    in_flight: usize,
    room: Arc<Semaphore>,
    pulls: SelectAll<Pull>,
    /// Messages asked for that have not come.
    asked: usize,
    prepared: bool,
    connection: u64,
    state: watch::Receiver<State>,
    remade: watch::Receiver<u64>,
    backoff: Backoff,
}

pub(crate) async fn deliveries(
    ground: Ground,
    source: Source,
    in_flight: usize,
) -> Result<Deliveries, Unavailable> {
    let in_flight = in_flight.clamp(1, 100_000);
    let mut worker = Worker {
        source,
        in_flight,
        room: Arc::new(Semaphore::new(in_flight)),
        pulls: SelectAll::new(),
        asked: 0,
        prepared: false,
        connection: 0,
        state: ground.link.state(),
        remade: ground.streams.remade(),
        backoff: Backoff::new(ground.link.salt()),
        ground,
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

impl Worker {
    async fn next(&mut self) -> Delivery {
        loop {
            let ready = if self.prepared { Ok(()) } else { self.prepare().await };
            let ready = match ready {
                Ok(()) => self.ask().await,
                failed => failed,
            };
            if let Err(error) = ready {
                self.fail(&error.0).await;
                continue;
            }
            if self.asked == 0 {
                // All room is taken by open deliveries: wait for one of them to end.
                drop(self.room.acquire().await);
                continue;
            }
            tokio::select! {
                biased;
                Some(pulled) = self.pulls.next() => match pulled {
                    Pulled::Message(message) => {
                        self.asked -= 1;
                        self.backoff.worked();
                        if let Some(delivery) = self.hand_over(message).await {
                            return delivery;
                        }
                    }
                    Pulled::Ended { left, why } => {
                        self.asked -= left;
                        match why {
                            Ended::InTime => self.backoff.worked(),
                            Ended::Refused => self.fail("the consumer is not there").await,
                            Ended::Silent => self.fail("the server is silent").await,
                        }
                    }
                },
                () = moved_on(&mut self.state, self.connection) => self.start_over(),
                _ = self.remade.changed() => self.start_over(),
            }
        }
    }

    /// Makes stream and consumer, where they are missing.
    async fn prepare(&mut self) -> Result<(), Unavailable> {
        self.remade.borrow_and_update();
        self.connection = self.state.borrow_and_update().times;
        let Ground { link, streams, .. } = &self.ground;
        streams.ensure(self.source.kind()).await?;
        let config = pull::Config {
            durable_name: Some(self.source.consumer().to_owned()),
            deliver_policy: DeliverPolicy::All,
            ack_policy: AckPolicy::Explicit,
            ack_wait: self.source.ack_wait(),
            max_deliver: -1,
            // Every worker has its own limit; what is put off counts here and must not stop others.
            max_ack_pending: -1,
            max_waiting: 4096,
            ..pull::Config::default()
        };
        let stream = streams.name(self.source.kind());
        let made = link.within(link.context().create_consumer_on_stream(config, stream)).await?;
        made.map_err(|error| unavailable(&error))?;
        self.prepared = true;
        Ok(())
    }

    /// Asks for as many messages as there is room for, unless that is hardly worth a request.
    async fn ask(&mut self) -> Result<(), Unavailable> {
        let free = self.room.available_permits().saturating_sub(self.asked);
        let worth = if self.asked == 0 { 1 } else { (self.in_flight / 16).max(1) };
        if free < worth {
            return Ok(());
        }
        let Ground { link, streams, .. } = &self.ground;
        let inbox = link.new_inbox();
        let subscriber = link.subscribe(inbox.clone()).await?;
        let stream = streams.name(self.source.kind());
        let next = format!("$JS.API.CONSUMER.MSG.NEXT.{stream}.{}", self.source.consumer());
        link.tell(next, Some(inbox), Pull::request(free).into()).await?;
        self.pulls.push(Pull::new(subscriber, free));
        self.asked += free;
        Ok(())
    }

    async fn fail(&mut self, why: &str) {
        self.start_over();
        let (first, wait) = self.backoff.failed();
        if first {
            tracing::warn!(source = self.source.kind().name(), why, "handing out waits for NATS");
        }
        tokio::time::sleep(wait).await;
    }

    /// Gives back what came in and was not handed over, and looks at everything anew.
    fn start_over(&mut self) {
        self.prepared = false;
        self.asked = 0;
        for subscriber in
            std::mem::take(&mut self.pulls).into_iter().filter_map(Pull::into_subscriber)
        {
            self.ground.returns.give_back_all(subscriber);
        }
    }

    /// A message as a delivery; `None` if its time has not come.
    async fn hand_over(&self, message: Message) -> Option<Delivery> {
        let reply = message.reply.clone()?;
        let link = &self.ground.link;
        let message = jetstream::Message { message, context: link.context().clone() };
        let info = message.info().ok()?;
        let (sequence, published) = (info.stream_sequence, info.published);
        let delivered = u64::try_from(info.delivered).unwrap_or(1).max(1);
        let message = message.message;
        let headers = message.headers.as_ref();
        let delay = message::delay(headers);
        if let Some(delay) = delay {
            // The first delivery of a delayed message only starts its wait, so that the number of
            // the attempt is known; there may be nothing left to wait for.
            let left = delay.saturating_sub(age(published));
            if delivered == 1 || !left.is_zero() {
                let left = left.max(Duration::from_millis(1));
                let _ = link.tell(reply, None, AckKind::Nak(Some(left)).into()).await;
                return None;
            }
        }
        let subject = match &self.source {
            Source::Consumer(log, _) => self.ground.streams.namespace().read(log, &message.subject),
            Source::Queue(queue) => Subject::new(&[queue.name]).ok(),
        };
        let Some(subject) = subject else {
            tracing::warn!(source = self.source.kind().name(), sequence, "a message of others");
            let _ = link.tell(reply, None, AckKind::Term.into()).await;
            return None;
        };
        let recorded = Recorded {
            position: Position(sequence),
            subject,
            at_ms: message::millis(published),
            entry: message::entry(headers, message.payload.clone()),
        };
        let permit = Arc::clone(&self.room).try_acquire_owned().ok();
        let handle = Handle {
            ground: self.ground.clone(),
            source: self.source,
            reply,
            recorded: recorded.clone(),
            key: message::key(headers),
            published: published.unix_timestamp_nanos(),
            _permit: permit,
        };
        Some(Delivery::new(recorded, delivered - u64::from(delay.is_some()), Box::new(handle)))
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.start_over();
    }
}

struct Handle {
    ground: Ground,
    source: Source,
    reply: NatsSubject,
    recorded: Recorded,
    key: String,
    published: i128,
    _permit: Option<OwnedSemaphorePermit>,
}

impl Handle {
    /// Says it and waits until the server has heard.
    async fn confirm(&self, kind: AckKind) -> Result<(), Unavailable> {
        let said =
            self.ground.link.call(self.reply.to_string(), HeaderMap::new(), kind.into()).await;
        said.map(drop).map_err(|error| match error {
            CallError::Nobody => Unavailable("the consumer is not there any more".to_owned()),
            CallError::Unavailable(unavailable) => unavailable,
        })
    }

    async fn bury(&self, reason: &str) -> Result<(), Unavailable> {
        let Ground { link, streams, .. } = &self.ground;
        let origin = self.source.kind().name();
        let cause = match self.source {
            Source::Consumer(log, _) => Cause::of_log_entry(log.name, &self.recorded, reason),
            Source::Queue(queue) => Cause {
                reason: reason.to_owned(),
                origin: queue.name.to_owned(),
                key: self.key.clone(),
            },
        };
        let letter = cause.put_on(&self.recorded.entry);
        let mut headers = message::headers(&letter);
        let stream = streams.name(self.source.kind());
        let once = format!("{stream}/{}/{}", self.recorded.position.0, self.published);
        headers.insert(NATS_MESSAGE_ID, once.as_str());
        let subject = Subject::new(&[origin])
            .map_err(|_| Unavailable("a name that is no subject".to_owned()))?;
        let full_subject = streams.namespace().subject(&DEAD_LETTERS, &subject);
        let kind = Kind::Log(DEAD_LETTERS);
        match publish(link, streams, kind, &full_subject, &headers, &letter.payload).await? {
            Published::Stands { .. } => Ok(()),
            Published::Refused(error) => Err(unavailable(&error)),
        }
    }
}

#[async_trait]
impl Acknowledge for Handle {
    async fn say(&self, verdict: Verdict) -> Result<(), Unavailable> {
        match verdict {
            Verdict::Done => self.confirm(AckKind::Ack).await,
            Verdict::Again(delay) => self.confirm(AckKind::Nak(Some(delay))).await,
            Verdict::Never(reason) => {
                self.bury(&reason).await?;
                self.confirm(AckKind::Term).await
            }
        }
    }

    async fn extend(&self) -> Result<(), Unavailable> {
        self.confirm(AckKind::Progress).await
    }

    fn forgotten(&self) {
        self.ground.returns.give_back(self.reply.clone());
    }
}

/// How long ago that was by our clock, which may differ from the server's.
fn age(published: async_nats::datetime::DateTime) -> Duration {
    let now = async_nats::datetime::now().unix_timestamp_nanos();
    let nanos = now.saturating_sub(published.unix_timestamp_nanos()).max(0);
    Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
}
