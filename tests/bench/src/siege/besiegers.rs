//! Strangers: sockets, streams and slow bodies that come again when they are closed, and a flood of
//! requests for codes.

use super::Options;
use crate::callback::scans::{QUEUE, site_id};
use anyhow::Context;
use futures::future::join_all;
use paihao_chassis::entropy;
use parking_lot::Mutex;
use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::{Instant, MissedTickBehavior, interval, sleep};
use tokio_util::sync::CancellationToken;

/// Address of the one stranger who does half of everything.
const ONE_ADDRESS: Ipv4Addr = Ipv4Addr::new(127, 1, 0, 1);

/// Pause before a closed connection is opened again.
const RECONNECT_DELAY: Duration = Duration::from_millis(500);

/// Interval of the bytes of a slow body.
const BYTE_INTERVAL: Duration = Duration::from_secs(1);

/// Bytes that a slow body is said to have.
const SLOW_BODY_BYTES: usize = 1000;

/// Time for an answer to one request of the flood.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);

/// Counts of the siege.
#[derive(Default)]
pub struct SiegeCounts {
    /// Sockets that are held open.
    pub open: AtomicUsize,
    /// Connections that the server closed or refused.
    pub closed: AtomicUsize,
    /// Answers to the flood, by status; 0 is none.
    pub answers: Mutex<BTreeMap<u16, usize>>,
}

/// Running siege, on a thread of its own.
pub struct Siege {
    pub counts: Arc<SiegeCounts>,
    stop: CancellationToken,
    thread: JoinHandle<anyhow::Result<()>>,
}

impl Siege {
    /// Begins the siege of the server at this port.
    pub fn begin(options: &Options, port: u16) -> Siege {
        let counts = Arc::new(SiegeCounts::default());
        let stop = CancellationToken::new();
        let besiegers = Besiegers {
            options: options.clone(),
            server: SocketAddr::from((Ipv4Addr::LOCALHOST, port)),
            counts: counts.clone(),
        };
        let until = stop.clone();
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            runtime.block_on(async { until.run_until_cancelled(besiegers.run()).await });
            Ok(())
        });
        Siege { counts, stop, thread }
    }

    /// Ends it and closes everything.
    pub fn end(self) -> anyhow::Result<Arc<SiegeCounts>> {
        self.stop.cancel();
        let ended = self.thread.join().map_err(|_| anyhow::anyhow!("the siege panicked"))?;
        ended.map(|()| self.counts)
    }
}

/// All strangers.
struct Besiegers {
    options: Options,
    server: SocketAddr,
    counts: Arc<SiegeCounts>,
}

impl Besiegers {
    async fn run(&self) {
        let Options { idle, streams, slow_bodies, .. } = self.options;
        let idle = join_all((0..idle).map(|index| self.again(index, Besiegers::idle)));
        let streams = join_all((0..streams).map(|index| self.again(index, Besiegers::stream)));
        let slow = join_all((0..slow_bodies).map(|index| self.again(index, Besiegers::slow_body)));
        futures::join!(idle, streams, slow, self.flood());
    }

    /// Holds one connection after the other.
    async fn again(&self, index: usize, hold: impl AsyncFn(&Besiegers, usize, TcpStream)) {
        loop {
            if let Ok(stream) = self.connect(index).await {
                self.counts.open.fetch_add(1, Ordering::Relaxed);
                hold(self, index, stream).await;
                self.counts.open.fetch_sub(1, Ordering::Relaxed);
            }
            self.counts.closed.fetch_add(1, Ordering::Relaxed);
            sleep(RECONNECT_DELAY).await;
        }
    }

    /// Opens a connection from the address of this stranger: every second one has the same.
    async fn connect(&self, index: usize) -> anyhow::Result<TcpStream> {
        let other = u16::try_from(index / 2 % self.options.addresses).context("an address")?;
        let [high, low] = other.to_be_bytes();
        let address = if index.is_multiple_of(2) {
            ONE_ADDRESS
        } else {
            Ipv4Addr::new(127, 2 + high, low, 1)
        };
        let socket = TcpSocket::new_v4()?;
        socket.bind(SocketAddr::from((address, 0)))?;
        Ok(socket.connect(self.server).await?)
    }

    async fn idle(&self, _: usize, mut stream: TcpStream) {
        let _ = stream.read(&mut [0]).await;
    }

    /// Follows a site's events; every second stranger reads nothing.
    async fn stream(&self, index: usize, mut stream: TcpStream) {
        let site = site_id(index % self.options.sites);
        let request =
            format!("GET /api/v1/sites/{site}/events HTTP/1.1\r\nHost: localhost\r\n\r\n");
        if stream.write_all(request.as_bytes()).await.is_err() {
            return;
        }
        if (index / 2).is_multiple_of(2) {
            std::future::pending::<()>().await;
        }
        let mut buffer = vec![0; 4096];
        while matches!(stream.read(&mut buffer).await, Ok(1..)) {}
    }

    async fn slow_body(&self, _: usize, mut stream: TcpStream) {
        let head = format!(
            "POST /api/v1/scan-sessions HTTP/1.1\r\nHost: localhost\r\n\
             Content-Length: {SLOW_BODY_BYTES}\r\n\r\n"
        );
        if stream.write_all(head.as_bytes()).await.is_err() {
            return;
        }
        let (mut answers, mut body) = stream.split();
        let send = async {
            while body.write_all(b" ").await.is_ok() {
                sleep(BYTE_INTERVAL).await;
            }
        };
        // The server answers and closes when the body is too slow.
        let mut buffer = [0; 1024];
        tokio::select! {
            () = send => {}
            _ = answers.read(&mut buffer) => {}
        }
    }

    /// Asks for codes at the rate of the flood, each time on a new connection.
    async fn flood(&self) {
        let mut due = interval(Duration::from_secs(1) / self.options.flood);
        due.set_missed_tick_behavior(MissedTickBehavior::Burst);
        let mut asking = futures::stream::FuturesUnordered::new();
        let mut index = 0;
        loop {
            tokio::select! {
                _ = due.tick() => {
                    asking.push(self.ask(index));
                    index += 1;
                }
                Some(()) = futures::StreamExt::next(&mut asking) => {}
            }
        }
    }

    async fn ask(&self, index: usize) {
        let status = tokio::time::timeout(ANSWER_TIMEOUT, self.ask_for_code(index)).await;
        let status = status.ok().and_then(Result::ok).unwrap_or(0);
        *self.counts.answers.lock().entry(status).or_default() += 1;
    }

    async fn ask_for_code(&self, index: usize) -> anyhow::Result<u16> {
        let mut stream = self.connect(index).await?;
        let site = site_id(index % self.options.sites);
        let request = if (index / 2).is_multiple_of(2) {
            let uuid = entropy::uuid();
            format!(
                "GET /qr/{uuid}.png?site={site}&queue={QUEUE} HTTP/1.1\r\nHost: localhost\r\n\
                 Connection: close\r\n\r\n"
            )
        } else {
            let body = format!(r#"{{"site":"{site}","queue":"{QUEUE}"}}"#);
            format!(
                "POST /api/v1/scan-sessions HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\
                 Content-Length: {}\r\n\r\n{body}",
                body.len()
            )
        };
        stream.write_all(request.as_bytes()).await?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await?;
        let status = answer.get(9..12).context("no answer")?;
        Ok(std::str::from_utf8(status)?.parse()?)
    }
}

/// Waits until this many connections are open, for a while.
pub fn wait_until_open(counts: &SiegeCounts, wanted: usize, limit: Duration) -> usize {
    let started = Instant::now();
    loop {
        let open = counts.open.load(Ordering::Relaxed);
        if open >= wanted || started.elapsed() > limit {
            return open;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}
