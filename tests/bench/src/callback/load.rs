//! The load: a closed loop finds the most that a server does, an open one what people wait.

use super::crowd::{Crowd, Form, opened, sealed_account};
use super::wire::{Reply, Wire};
use anyhow::Context;
use hdrhistogram::Histogram;
use paihao_chassis::clock::{Clock, SystemClock};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::Instant;

/// Whom to ask, and what a good answer is.
#[derive(Debug, Clone, Copy)]
pub struct Target {
    pub port: u16,
    pub good: Good,
}

/// What a good answer holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Good {
    /// A number. A new one at its site every time, if the server gives real ones.
    Number,
    /// The same, sealed as in secure mode; the requests are, too.
    SealedNumber,
    /// `success`.
    Success,
}

/// How long to ask.
#[derive(Debug, Clone, Copy)]
pub struct Span {
    /// Before anything is recorded.
    pub lead: Duration,
    /// While it is recorded.
    pub time: Duration,
    /// Requests to record at least, should that take longer: a machine that is busy with other
    /// things may let few through.
    pub least: u64,
    /// Requests at most, those of the lead included.
    pub most: u64,
}

/// What came of it. Times are in nanoseconds.
pub struct Tally {
    /// All requests that were answered, those of the lead included.
    pub made: u64,
    /// Those that were answered in the recorded time.
    pub recorded: u64,
    /// How long was recorded.
    pub time: Duration,
    /// From asking, or from when asking was due, to the whole answer.
    pub latency: Histogram<u64>,
    /// Open loop only: from when a request was due to when it was sent.
    pub late: Histogram<u64>,
    /// Site and serial of every number.
    pub given: Vec<(usize, u32)>,
    /// Answers that were not good.
    pub bad: u64,
    /// The first of them.
    pub first_bad: Option<String>,
    /// A good answer, if good ones hold numbers.
    pub sample: Option<String>,
}

impl Tally {
    fn new(time: Duration) -> Tally {
        let histogram =
            || Histogram::new_with_bounds(1_000, 60_000_000_000, 3).expect("constant bounds");
        Tally {
            made: 0,
            recorded: 0,
            time,
            latency: histogram(),
            late: histogram(),
            given: Vec::new(),
            bad: 0,
            first_bad: None,
            sample: None,
        }
    }

    /// Requests a second.
    pub fn rate(&self) -> f64 {
        self.recorded as f64 / self.time.as_secs_f64()
    }

    pub fn add(&mut self, other: Tally) {
        self.made += other.made;
        self.recorded += other.recorded;
        self.latency.add(&other.latency).expect("the same bounds");
        self.late.add(&other.late).expect("the same bounds");
        self.given.extend(other.given);
        self.bad += other.bad;
        self.first_bad = self.first_bad.take().or(other.first_bad);
        self.sample = self.sample.take().or(other.sample);
    }

    fn judge(&mut self, reply: &Reply<'_>, good: Good, site: usize) {
        self.made += 1;
        let number = match good {
            Good::Number => reply.number(),
            Good::SealedNumber => sealed_number(reply),
            Good::Success => None,
        };
        let number = number.filter(|_| reply.status == 200);
        match number {
            Some(serial) => {
                self.given.push((site, serial));
                self.sample.get_or_insert_with(|| String::from_utf8_lossy(reply.body).into());
            }
            None if good == Good::Success && reply.status == 200 && reply.body == b"success" => {}
            None => {
                self.bad += 1;
                let said = || format!("{} {}", reply.status, String::from_utf8_lossy(reply.body));
                self.first_bad.get_or_insert_with(said);
            }
        }
    }
}

fn sealed_number(reply: &Reply<'_>) -> Option<u32> {
    let plain = opened(&sealed_account(), std::str::from_utf8(reply.body).ok()?)?;
    Reply { status: reply.status, body: &plain }.number()
}

/// Each connection asks again as soon as it was answered.
pub fn closed(
    target: Target,
    crowd: &Arc<Crowd>,
    connections: usize,
    span: Span,
) -> anyhow::Result<Tally> {
    on_one_thread(async {
        let begun = Instant::now() + Duration::from_millis(50);
        let (from, until) = (begun + span.lead, begun + span.lead + span.time);
        let (made, recorded) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
        let mut last = from;
        let mut all = Tally::new(span.time);
        let mut workers = connected(target, crowd, connections, |mut wire, mut form| {
            let (crowd, made, recorded) = (crowd.clone(), made.clone(), recorded.clone());
            async move {
                let mut tally = Tally::new(span.time);
                let goes_on = |now| now < until || recorded.load(Ordering::Relaxed) < span.least;
                tokio::time::sleep_until(begun).await;
                let mut asked = Instant::now();
                while goes_on(asked) && made.fetch_add(1, Ordering::Relaxed) < span.most {
                    let (person, site) = crowd.next();
                    let reply = wire.ask(form.fill(person, site)).await?;
                    tally.judge(&reply, target.good, site);
                    let answered = Instant::now();
                    if answered >= from && goes_on(answered) {
                        recorded.fetch_add(1, Ordering::Relaxed);
                        tally.recorded += 1;
                        tally.latency.saturating_record(nanos(answered - asked));
                    }
                    asked = answered;
                }
                Ok((tally, asked))
            }
        })
        .await?;
        while let Some(worker) = workers.join_next().await {
            let (tally, ended) = worker.context("a connection panicked")??;
            all.add(tally);
            last = last.max(ended);
        }
        // The last answers of a full span come after it, unrecorded.
        let was_enough = all.recorded > span.least || last < until;
        all.time = if was_enough { span.time.min(last - from) } else { last - from };
        Ok(all)
    })
}

/// Requests become due at a fixed rate, whatever became of those before; the first connection that
/// is free sends what has been due longest. Latency counts from when a request was due, so a server
/// that stalls is charged for everybody who had to wait.
pub fn open(
    target: Target,
    crowd: &Arc<Crowd>,
    connections: usize,
    rate: f64,
    span: Span,
) -> anyhow::Result<Tally> {
    let interval = Duration::from_secs_f64(1.0 / rate);
    let in_lead = (span.lead.as_secs_f64() * rate).ceil() as u64;
    let in_time = (span.time.as_secs_f64() * rate) as u64;
    let most = (in_lead + in_time.max(span.least)).min(span.most);
    on_one_thread(async {
        let begun = Instant::now() + Duration::from_millis(50);
        let from = begun + span.lead;
        let due = move |i: u64| begun + Duration::from_secs_f64(interval.as_secs_f64() * i as f64);
        let (turn, next) = (Arc::new(Semaphore::new(0)), Arc::new(AtomicU64::new(0)));
        let mut workers = connected(target, crowd, connections, |mut wire, mut form| {
            let (crowd, turn, next) = (crowd.clone(), turn.clone(), next.clone());
            async move {
                let mut tally = Tally::new(span.time);
                loop {
                    turn.acquire().await.context("the turns ended")?.forget();
                    let i = next.fetch_add(1, Ordering::Relaxed);
                    if i >= most {
                        return Ok(tally);
                    }
                    let due = due(i);
                    let late = Instant::now() - due;
                    let (person, site) = crowd.next();
                    let reply = wire.ask(form.fill(person, site)).await?;
                    tally.judge(&reply, target.good, site);
                    if due >= from {
                        tally.recorded += 1;
                        tally.latency.saturating_record(nanos(due.elapsed()));
                        tally.late.saturating_record(nanos(late));
                    }
                }
            }
        })
        .await?;
        // A thread of its own: the runtime's timer knows milliseconds only.
        let caller = std::thread::spawn({
            let turn = turn.clone();
            move || {
                for i in 0..most {
                    std::thread::sleep(due(i).saturating_duration_since(Instant::now()));
                    turn.add_permits(1);
                }
                turn.add_permits(connections);
            }
        });
        let mut all = Tally::new(span.time);
        while let Some(worker) = workers.join_next().await {
            all.add(worker.context("a connection panicked")??);
        }
        caller.join().map_err(|_| anyhow::anyhow!("the caller of turns panicked"))?;
        Ok(all)
    })
}

/// Opens all connections, and starts what each is to do.
async fn connected<T: Send + 'static, F>(
    target: Target,
    crowd: &Crowd,
    connections: usize,
    worker: impl Fn(Wire, Form) -> F,
) -> anyhow::Result<JoinSet<anyhow::Result<T>>>
where
    F: Future<Output = anyhow::Result<T>> + Send + 'static,
{
    let sealed = target.good == Good::SealedNumber;
    let form = crowd.form(target.port, SystemClock.now_ms(), sealed);
    let mut workers = JoinSet::new();
    for _ in 0..connections {
        workers.spawn(worker(Wire::to(target.port).await?, form.clone()));
    }
    Ok(workers)
}

/// One thread is enough for the load, and costs the servers least.
fn on_one_thread<T>(work: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(work)
}

fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}
