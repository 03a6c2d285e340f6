//! Course of a run: callbacks in peace, under siege, and in peace again.

use super::Options;
use super::besiegers::{Siege, wait_until_open};
use super::figures::{Figures, SiegeFigures, TurnFigures};
use crate::callback::deployment::Deployment;
use crate::callback::figures::{Latency, ValidityChecks};
use crate::callback::load::{ExpectedReply, LoadSpan, Target, run_open_loop};
use crate::callback::scans::ScanGenerator;
use crate::process::process_usage;
use anyhow::Context;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::runtime::Builder;
use tokio::time::Instant;

/// Connections of the callbacks.
const CALLBACK_CONNECTIONS: usize = 16;

/// Time in which the simulated WeChat answers.
const WECHAT_LATENCY: Duration = Duration::from_millis(80);

/// Time in which the besiegers have to be there.
const SIEGE_TIMEOUT: Duration = Duration::from_secs(60);

/// Shortest turn, in callbacks.
const MIN_TURN_CALLBACKS: u64 = 50;

/// Runs the whole measurement.
pub fn measure(options: &Options) -> anyhow::Result<Figures> {
    let started = Instant::now();
    let log =
        |step_name: &str| eprintln!("[{:6.1} s] {step_name}", started.elapsed().as_secs_f64());
    log("starting NATS, Redis and the roles");
    let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    let deployment = runtime.block_on(Deployment::start(options.sites, WECHAT_LATENCY))?;
    let gateway = runtime.block_on(deployment.add_gateway_with_default_limits())?;
    let pid = gateway.program.pid().context("the gateway does not run")?;
    let mut run = SiegeRun {
        options,
        target: Target { port: gateway.port, expected: ExpectedReply::Number },
        generator: Arc::new(ScanGenerator::new(options.sites)),
        serials: vec![Vec::new(); options.sites],
        validity: ValidityChecks::default(),
        first_bad: None,
    };
    let memory_mib = || anyhow::Ok(process_usage(pid)?.resident as f64 / f64::from(1 << 20));

    log("in peace");
    let before = run.turn("peace", memory_mib()?)?;
    log("under siege");
    let siege = Siege::begin(options, gateway.port);
    let sockets = options.idle + options.streams + options.slow_bodies;
    // Some are closed and come again all the time: the slow ones.
    let wanted = sockets.saturating_sub(options.slow_bodies);
    let open = wait_until_open(&siege.counts, wanted, SIEGE_TIMEOUT);
    let calls_before = deployment.qr_api_calls();
    let besieged = run.turn("siege", memory_mib()?)?;
    let calls = deployment.qr_api_calls() - calls_before;
    let counts = siege.end()?;
    log("in peace again");
    let after = run.turn("peace again", memory_mib()?)?;

    let mut gateway = gateway;
    let code = gateway.program.stop();
    anyhow::ensure!(code == Some(0), "the gateway ended with {code:?}\n{}", gateway.log_tail());
    runtime.block_on(deployment.stop())?;
    log("everything has stopped");
    let SiegeRun { mut serials, mut validity, first_bad, .. } = run;
    validity.check_serials(&mut serials);
    let answers = counts.answers.lock().clone();
    Ok(Figures {
        per_second: options.rate,
        turns: vec![before, besieged, after],
        siege: SiegeFigures {
            idle: options.idle,
            streams: options.streams,
            slow_bodies: options.slow_bodies,
            flood_per_second: options.flood,
            addresses: options.addresses + 1,
            open,
            closed: counts.closed.load(Ordering::Relaxed),
            codes_given: answers.get(&201).copied().unwrap_or_default(),
            codes_refused: answers.get(&429).copied().unwrap_or_default(),
            answers,
            calls_to_wechat: calls,
        },
        validity,
        first_bad,
    })
}

/// Run with what it has collected so far.
struct SiegeRun<'a> {
    options: &'a Options,
    target: Target,
    generator: Arc<ScanGenerator>,
    serials: Vec<Vec<u32>>,
    validity: ValidityChecks,
    first_bad: Option<String>,
}

impl SiegeRun<'_> {
    /// Sends callbacks for one turn.
    fn turn(&mut self, name: &'static str, memory_mib: f64) -> anyhow::Result<TurnFigures> {
        let span = LoadSpan {
            warm_up: Duration::from_secs(1),
            recorded: Duration::from_secs_f64(self.options.seconds),
            min_requests: MIN_TURN_CALLBACKS,
            max_requests: u64::MAX,
        };
        let rate = self.options.rate;
        let load = run_open_loop(self.target, &self.generator, CALLBACK_CONNECTIONS, rate, span)
            .with_context(|| format!("{name}: a callback was not answered"))?;
        for (site, serial) in &load.serials {
            self.serials[*site].push(*serial);
        }
        self.validity.callbacks += load.answered;
        self.validity.bad_replies += load.unexpected;
        self.first_bad = self.first_bad.take().or(load.first_bad);
        Ok(TurnFigures {
            turn: name,
            callbacks: load.recorded,
            latency: Latency::from(&load.latency),
            memory_mib,
        })
    }
}
