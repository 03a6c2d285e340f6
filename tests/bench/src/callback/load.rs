//! Load generator: a closed loop measures the highest rate of a server, an open loop the latency at
//! a fixed rate.

use super::scans::{CallbackForm, ScanGenerator, secure_account, unseal_reply};
use super::wire::{HttpConnection, HttpReply};
use anyhow::Context;
use hdrhistogram::Histogram;
use paihao_chassis::clock::{Clock, SystemClock};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::Instant;

/// Server under load, and the answer that is expected of it.
#[derive(Debug, Clone, Copy)]
pub struct Target {
    pub port: u16,
    pub expected: ExpectedReply,
}

/// Expected answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExpectedReply {
    /// A number, and each time a new one of its site if the server gives real ones.
    Number,
    /// A number, sealed as in secure mode; the requests are sealed too.
    SealedNumber,
    /// The word `success`.
    Success,
}

/// Duration of a load.
#[derive(Debug, Clone, Copy)]
pub struct LoadSpan {
    /// Time before recording starts.
    pub warm_up: Duration,
    /// Time of recording.
    pub recorded: Duration,
    /// Fewest requests to record, even if that takes longer: a machine that is busy with other work
    /// may let few through.
    pub min_requests: u64,
    /// Most requests, those of the warm-up included.
    pub max_requests: u64,
}

/// Result of a load. Times are in nanoseconds.
pub struct LoadResult {
    /// Requests that were answered, those of the warm-up included.
    pub answered: u64,
    /// Requests that were answered in recorded time.
    pub recorded: u64,
    /// Recorded time.
    pub time: Duration,
    /// Time from the request, or from its due moment, to the whole answer.
    pub latency: Histogram<u64>,
    /// Time from the due moment of a request to its sending; open loop only.
    pub lateness: Histogram<u64>,
    /// Longest latency among the requests that became due in each second; open loop only.
    pub slowest_by_second: Vec<u64>,
    /// Site and serial of every number.
    pub serials: Vec<(usize, u32)>,
    /// Number of unexpected answers.
    pub unexpected: u64,
    /// First unexpected answer.
    pub first_bad: Option<String>,
    /// An expected answer, if it has a number.
    pub sample: Option<String>,
}

impl LoadResult {
    fn new(time: Duration) -> LoadResult {
        let histogram =
            || Histogram::new_with_bounds(1_000, 60_000_000_000, 3).expect("constant bounds");
        LoadResult {
            answered: 0,
            recorded: 0,
            time,
            latency: histogram(),
            lateness: histogram(),
            slowest_by_second: Vec::new(),
            serials: Vec::new(),
            unexpected: 0,
            first_bad: None,
            sample: None,
        }
    }

    /// Recorded requests a second.
    pub fn rate(&self) -> f64 {
        self.recorded as f64 / self.time.as_secs_f64()
    }

    pub fn merge(&mut self, other: LoadResult) {
        self.answered += other.answered;
        self.recorded += other.recorded;
        self.latency.add(&other.latency).expect("the same bounds");
        self.lateness.add(&other.lateness).expect("the same bounds");
        for (second, slowest) in other.slowest_by_second.into_iter().enumerate() {
            self.record_slowest(second, slowest);
        }
        self.serials.extend(other.serials);
        self.unexpected += other.unexpected;
        self.first_bad = self.first_bad.take().or(other.first_bad);
        self.sample = self.sample.take().or(other.sample);
    }

    fn record_slowest(&mut self, second: usize, latency: u64) {
        let seconds = self.slowest_by_second.len().max(second + 1);
        self.slowest_by_second.resize(seconds, 0);
        let slowest = &mut self.slowest_by_second[second];
        *slowest = latency.max(*slowest);
    }

    fn record_reply(&mut self, reply: &HttpReply<'_>, expected: ExpectedReply, site: usize) {
        self.answered += 1;
        let number = match expected {
            ExpectedReply::Number => reply.ticket_serial(),
            ExpectedReply::SealedNumber => sealed_number(reply),
            ExpectedReply::Success => None,
        };
        let number = number.filter(|_| reply.status == 200);
        match number {
            Some(serial) => {
                self.serials.push((site, serial));
                self.sample.get_or_insert_with(|| String::from_utf8_lossy(reply.body).into());
            }
            None if expected == ExpectedReply::Success
                && reply.status == 200
                && reply.body == b"success" => {}
            None => {
                self.unexpected += 1;
                let description =
                    || format!("{} {}", reply.status, String::from_utf8_lossy(reply.body));
                self.first_bad.get_or_insert_with(description);
            }
        }
    }
}

fn sealed_number(reply: &HttpReply<'_>) -> Option<u32> {
    let plain = unseal_reply(&secure_account(), std::str::from_utf8(reply.body).ok()?)?;
    HttpReply { status: reply.status, body: &plain }.ticket_serial()
}

/// Runs a closed loop: each connection sends its next request as soon as it has an answer.
pub fn run_closed_loop(
    target: Target,
    generator: &Arc<ScanGenerator>,
    connections: usize,
    span: LoadSpan,
) -> anyhow::Result<LoadResult> {
    block_on_single_thread(async {
        let start = Instant::now() + Duration::from_millis(50);
        let recording_from = start + span.warm_up;
        let recording_until = start + span.warm_up + span.recorded;
        let request_count = Arc::new(AtomicU64::new(0));
        let recorded = Arc::new(AtomicU64::new(0));
        let mut last_reply_at = recording_from;
        let mut all = LoadResult::new(span.recorded);
        let mut workers =
            run_connections(target, generator, connections, |mut connection, mut form| {
                let generator = generator.clone();
                let request_count = request_count.clone();
                let recorded = recorded.clone();
                async move {
                    let mut tally = LoadResult::new(span.recorded);
                    let continues = |now| {
                        now < recording_until
                            || recorded.load(Ordering::Relaxed) < span.min_requests
                    };
                    tokio::time::sleep_until(start).await;
                    let mut sent_at = Instant::now();
                    while continues(sent_at)
                        && request_count.fetch_add(1, Ordering::Relaxed) < span.max_requests
                    {
                        let (person, site) = generator.next();
                        let reply = connection.request(form.fill(person, site)).await?;
                        tally.record_reply(&reply, target.expected, site);
                        let replied_at = Instant::now();
                        if replied_at >= recording_from && continues(replied_at) {
                            recorded.fetch_add(1, Ordering::Relaxed);
                            tally.recorded += 1;
                            tally.latency.saturating_record(nanos(replied_at - sent_at));
                        }
                        sent_at = replied_at;
                    }
                    Ok((tally, sent_at))
                }
            })
            .await?;
        while let Some(worker) = workers.join_next().await {
            let (tally, ended) = worker.context("a connection panicked")??;
            all.merge(tally);
            last_reply_at = last_reply_at.max(ended);
        }
        // The last answers of a full span arrive after it and are not recorded.
        let is_complete = all.recorded > span.min_requests || last_reply_at < recording_until;
        all.time = if is_complete {
            span.recorded.min(last_reply_at - recording_from)
        } else {
            last_reply_at - recording_from
        };
        Ok(all)
    })
}

/// Runs an open loop: requests become due at a fixed rate, independent of earlier answers, and the
/// first free connection sends the one that has been due longest. Latency counts from the due
/// moment, so a stall of the server counts for every request that had to wait.
pub fn run_open_loop(
    target: Target,
    generator: &Arc<ScanGenerator>,
    connections: usize,
    rate: f64,
    span: LoadSpan,
) -> anyhow::Result<LoadResult> {
    let interval = Duration::from_secs_f64(1.0 / rate);
    let warm_up_requests = (span.warm_up.as_secs_f64() * rate).ceil() as u64;
    let recorded_requests = (span.recorded.as_secs_f64() * rate) as u64;
    let total =
        (warm_up_requests + recorded_requests.max(span.min_requests)).min(span.max_requests);
    block_on_single_thread(async {
        let start = Instant::now() + Duration::from_millis(50);
        let recording_from = start + span.warm_up;
        let due = move |i: u64| start + Duration::from_secs_f64(interval.as_secs_f64() * i as f64);
        let permits = Arc::new(Semaphore::new(0));
        let next = Arc::new(AtomicU64::new(0));
        let mut workers =
            run_connections(target, generator, connections, |mut connection, mut form| {
                let generator = generator.clone();
                let permits = permits.clone();
                let next = next.clone();
                async move {
                    let mut tally = LoadResult::new(span.recorded);
                    loop {
                        permits.acquire().await.context("the turns ended")?.forget();
                        let i = next.fetch_add(1, Ordering::Relaxed);
                        if i >= total {
                            return Ok(tally);
                        }
                        let due = due(i);
                        let lateness = Instant::now() - due;
                        let (person, site) = generator.next();
                        let reply = connection.request(form.fill(person, site)).await?;
                        tally.record_reply(&reply, target.expected, site);
                        if due >= recording_from {
                            tally.recorded += 1;
                            let latency = nanos(due.elapsed());
                            tally.latency.saturating_record(latency);
                            tally
                                .record_slowest((due - recording_from).as_secs() as usize, latency);
                            tally.lateness.saturating_record(nanos(lateness));
                        }
                    }
                }
            })
            .await?;
        // This is a thread, because the runtime's timer has a resolution of a millisecond.
        let pacer = std::thread::spawn({
            let permits = permits.clone();
            move || {
                for i in 0..total {
                    std::thread::sleep(due(i).saturating_duration_since(Instant::now()));
                    permits.add_permits(1);
                }
                permits.add_permits(connections);
            }
        });
        let mut all = LoadResult::new(span.recorded);
        while let Some(worker) = workers.join_next().await {
            all.merge(worker.context("a connection panicked")??);
        }
        pacer.join().map_err(|_| anyhow::anyhow!("the caller of turns panicked"))?;
        Ok(all)
    })
}

/// Opens all connections and starts a worker on each.
async fn run_connections<T: Send + 'static, F>(
    target: Target,
    generator: &ScanGenerator,
    connections: usize,
    worker: impl Fn(HttpConnection, CallbackForm) -> F,
) -> anyhow::Result<JoinSet<anyhow::Result<T>>>
where
    F: Future<Output = anyhow::Result<T>> + Send + 'static,
{
    let sealed = target.expected == ExpectedReply::SealedNumber;
    let form = generator.callback_form(target.port, SystemClock.now_ms(), sealed);
    let mut workers = JoinSet::new();
    for _ in 0..connections {
        workers.spawn(worker(HttpConnection::connect(target.port).await?, form.clone()));
    }
    Ok(workers)
}

/// Runs the load on a single thread, which is enough and takes the least from the servers.
fn block_on_single_thread<T>(work: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(work)
}

fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}
