//! Course of a run: the screens connect, nothing happens for a while, and then tickets are called.

use super::Options;
use super::clients::{SiteScreens, watch_stream};
use super::deployment::{WatchedGateway, site_id};
use super::figures::WatchersFigures;
use crate::callback::wire::HttpConnection;
use crate::process::{machine_cpu_time, process_usage, processors};
use crate::staff::call_next;
use anyhow::{Context, ensure};
use futures::StreamExt;
use futures::stream::FuturesUnordered;
use hdrhistogram::Histogram;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::runtime::Builder;
use tokio::time::{Instant, sleep, sleep_until, timeout};

/// Time after which a screen counts as one that missed the call.
const SCREEN_TIMEOUT: Duration = Duration::from_secs(20);

/// Streams that are opened concurrently.
const CONCURRENT_CONNECTS: usize = 200;

/// Runs the whole measurement.
pub fn measure(options: &Options) -> anyhow::Result<WatchersFigures> {
    let runtime = Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(measure_all(options))
}

async fn measure_all(options: &Options) -> anyhow::Result<WatchersFigures> {
    let started = Instant::now();
    let log =
        |step_name: &str| eprintln!("[{:6.1} s] {step_name}", started.elapsed().as_secs_f64());
    log("starting NATS, Redis and a gateway");
    let deployment = WatchedGateway::start(options.sites).await?;
    let customers = deployment.fill_queues(options.sites, options.calls).await?;
    let pid = deployment.gateway.program.pid().context("the gateway does not run")?;
    let before = process_usage(pid)?.resident;

    log(&format!("opening {} streams", options.streams));
    let screens: Vec<_> = (0..options.sites).map(|_| Arc::new(SiteScreens::default())).collect();
    let mut watching = FuturesUnordered::new();
    let screen_count = |i: usize| {
        options.streams / options.sites + usize::from(i < options.streams % options.sites)
    };
    for i in 0..options.streams {
        let site = i % options.sites;
        let stream_index = i / options.sites;
        let path = match stream_index % 2 {
            0 => format!("/api/v1/sites/{}/events", site_id(site)),
            _ => customers[site]
                .get(stream_index / 2)
                .context("more customers than tickets")?
                .clone(),
        };
        watching.push(watch_stream(deployment.gateway.port, path, screens[site].clone()));
        if i % CONCURRENT_CONNECTS == CONCURRENT_CONNECTS - 1 {
            let opened = i + 1;
            run_while_watching(&mut watching, wait_until_streaming(&screens, opened)).await?;
        }
    }
    run_while_watching(&mut watching, wait_until_streaming(&screens, options.streams)).await?;
    let with_all = process_usage(pid)?.resident;

    log("nothing happens");
    let cpu = process_usage(pid)?.cpu;
    let busy = machine_cpu_time()?;
    let start = Instant::now();
    run_while_watching(&mut watching, async {
        sleep(Duration::from_secs_f64(options.rest)).await;
        Ok(())
    })
    .await?;
    let rested = start.elapsed().as_secs_f64();
    let at_rest = process_usage(pid)?.cpu - cpu;
    let machine = machine_cpu_time()? - busy;
    let others_at_rest =
        machine.saturating_sub(at_rest).as_secs_f64() / rested / processors() as f64;

    log(&format!("{} calls", options.calls));
    let cpu = process_usage(pid)?.cpu;
    let start = Instant::now() + Duration::from_millis(100);
    let mut tally = CallLatencies::new();
    run_while_watching(&mut watching, async {
        let sites = (0..options.sites)
            .map(|i| call_site(options, &deployment, i, screen_count(i), start, &screens[i]));
        for site in futures::future::try_join_all(sites).await? {
            tally.merge(&site);
        }
        Ok(())
    })
    .await?;
    let calling = process_usage(pid)?.cpu - cpu;
    let duration = start.elapsed().as_secs_f64();
    let figures = WatchersFigures {
        streams: options.streams,
        sites: options.sites,
        calls: tally.last_screen.len() as usize,
        every_ms: options.every_ms,
        board_bytes: screens[0].board_bytes.load(Ordering::Relaxed),
        customer_bytes: screens[0].customer_bytes.load(Ordering::Relaxed),
        to_a_screen: (&tally.per_screen).into(),
        to_the_last_screen: (&tally.last_screen).into(),
        missed: tally.missed,
        before_mib: before as f64 / 1_048_576.0,
        with_all_mib: with_all as f64 / 1_048_576.0,
        kib_a_stream: with_all.saturating_sub(before) as f64 / 1024.0 / options.streams as f64,
        at_rest_percent: at_rest.as_secs_f64() / rested * 100.0,
        others_at_rest,
        calling_percent: calling.as_secs_f64() / duration * 100.0,
    };
    drop(watching);
    deployment.stop()?;
    log("everything has stopped");
    Ok(figures)
}

/// Nanoseconds from the press at the counter to the screens.
struct CallLatencies {
    per_screen: Histogram<u64>,
    last_screen: Histogram<u64>,
    missed: usize,
}

impl CallLatencies {
    fn new() -> CallLatencies {
        let histogram = || Histogram::new_with_bounds(1_000, 60_000_000_000, 3);
        let new = || histogram().expect("constant bounds");
        CallLatencies { per_screen: new(), last_screen: new(), missed: 0 }
    }

    fn merge(&mut self, other: &CallLatencies) {
        self.per_screen.add(&other.per_screen).expect("the same bounds");
        self.last_screen.add(&other.last_screen).expect("the same bounds");
        self.missed += other.missed;
    }
}

/// Makes the calls of one site, each at its due moment.
async fn call_site(
    options: &Options,
    deployment: &WatchedGateway,
    i: usize,
    screen_count: usize,
    started: Instant,
    screens: &SiteScreens,
) -> anyhow::Result<CallLatencies> {
    let mut wire = HttpConnection::connect(deployment.gateway.port).await?;
    let mut tally = CallLatencies::new();
    for call_index in (i..options.calls).step_by(options.sites) {
        sleep_until(started + Duration::from_millis(options.every_ms) * call_index as u32).await;
        let pressed = Instant::now();
        let number = call_next(&mut wire, &site_id(i)).await?;
        let times = timeout(SCREEN_TIMEOUT, screens.wait_for_all(screen_count, &number)).await;
        let times = times.unwrap_or_else(|_| screens.shown_at(&number));
        tally.missed += screen_count.saturating_sub(times.len());
        let after = |at: &Instant| at.saturating_duration_since(pressed).as_nanos() as u64;
        for at in &times {
            tally.per_screen.saturating_record(after(at));
        }
        tally.last_screen.saturating_record(times.iter().map(after).max().unwrap_or(0));
    }
    Ok(tally)
}

async fn wait_until_streaming(screens: &[Arc<SiteScreens>], expected: usize) -> anyhow::Result<()> {
    let started = Instant::now();
    loop {
        let open: usize =
            screens.iter().map(|site| site.started_screens.load(Ordering::Relaxed)).sum();
        if open >= expected {
            return Ok(());
        }
        ensure!(started.elapsed() < SCREEN_TIMEOUT * 3, "{open} of {expected} streams are open");
        sleep(Duration::from_millis(5)).await;
    }
}

/// Runs `work` while the screens watch. A screen that stops watching is an error.
async fn run_while_watching<T>(
    watching: &mut FuturesUnordered<impl Future<Output = anyhow::Result<()>>>,
    work: impl Future<Output = anyhow::Result<T>>,
) -> anyhow::Result<T> {
    tokio::select! {
        result = work => result,
        Some(ended) = watching.next() => {
            ended?;
            anyhow::bail!("a screen stopped watching")
        }
    }
}
