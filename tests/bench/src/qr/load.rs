//! Load generator: browsers that each request their own code, at a fixed rate.

use crate::callback::scans::{QUEUE, site_id};
use crate::callback::wire::HttpConnection;
use anyhow::Context;
use hdrhistogram::Histogram;
use paihao_chassis::entropy;
use std::collections::HashSet;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::time::{Instant, sleep_until};

/// Result of a turn.
pub struct LoadResult {
    /// Nanoseconds from the due moment of a request to the whole picture.
    pub latency: Histogram<u64>,
    /// Hashes of the pictures.
    pub picture_hashes: HashSet<u64>,
    /// All answers.
    pub answers: u64,
    /// Answers with a picture.
    pub codes: u64,
    /// First answer without a picture.
    pub first_bad: Option<String>,
}

impl LoadResult {
    pub fn new() -> LoadResult {
        let latency = Histogram::new_with_bounds(1_000, 60_000_000_000, 3);
        LoadResult {
            latency: latency.expect("constant bounds"),
            picture_hashes: HashSet::new(),
            answers: 0,
            codes: 0,
            first_bad: None,
        }
    }

    pub fn add(&mut self, other: LoadResult) {
        self.latency.add(&other.latency).expect("the same bounds");
        self.picture_hashes.extend(other.picture_hashes);
        self.answers += other.answers;
        self.codes += other.codes;
        self.first_bad = self.first_bad.take().or(other.first_bad);
    }

    fn record(&mut self, status: u16, body: &[u8]) {
        self.answers += 1;
        let svg = body.windows(4).take(200).any(|window| window == b"<svg");
        if status == 200 && (svg || body.starts_with(&[0xff, 0xd8])) {
            let mut hash = DefaultHasher::new();
            body.hash(&mut hash);
            self.picture_hashes.insert(hash.finish());
            self.codes += 1;
        } else {
            let description = || format!("{status} {}", String::from_utf8_lossy(body));
            self.first_bad.get_or_insert_with(description);
        }
    }
}

/// Runs the load. Requests become due at a fixed rate and wait for a free connection; their latency
/// counts from the due moment.
pub async fn run_load(
    port: u16,
    connections: usize,
    rate: f64,
    time: Duration,
) -> anyhow::Result<LoadResult> {
    let mut wires = Vec::new();
    for _ in 0..connections {
        wires.push(HttpConnection::connect(port).await?);
    }
    let start = Instant::now() + Duration::from_millis(50);
    let next = AtomicU64::new(0);
    let workers = wires.into_iter().map(async |mut wire| {
        let mut tally = LoadResult::new();
        loop {
            let after = Duration::from_secs_f64(next.fetch_add(1, Ordering::Relaxed) as f64 / rate);
            if after >= time {
                return Ok::<_, anyhow::Error>(tally);
            }
            let due = start + after;
            sleep_until(due).await;
            let request = format!(
                "GET /qr/{}.svg?site={}&queue={QUEUE} HTTP/1.1\r\nHost: localhost\r\n\r\n",
                entropy::uuid(),
                site_id(0)
            );
            let reply = wire.request(request.as_bytes()).await.context("no answer")?;
            tally.latency.saturating_record(due.elapsed().as_nanos() as u64);
            tally.record(reply.status, reply.body);
        }
    });
    let mut all = LoadResult::new();
    for tally in futures::future::try_join_all(workers).await? {
        all.add(tally);
    }
    Ok(all)
}
