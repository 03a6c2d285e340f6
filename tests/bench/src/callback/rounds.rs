//! Course of a run: everything is started, the servers take turns, everything is stopped.

use super::Options;
use super::deployment::{BaselineServer, Deployment};
use super::figures::{Figures, MemoryFigures, ValidityChecks};
use super::load::{self, ExpectedReply, LoadResult, LoadSpan, Target};
use super::measured_server::{MeasuredServer, ServerTurn};
use super::peers;
use super::scans::ScanGenerator;
use super::servers::BaselineKind;
use crate::process::{Usage, process_usage};
use anyhow::Context;
use std::sync::Arc;
use std::time::Duration;
use tokio::runtime::{Builder, Runtime};
use tokio::time::Instant;

/// Baseline servers, in the order of the report.
const BASELINES: [(&str, BaselineKind); 5] = [
    ("floor", BaselineKind::Floor),
    ("floor+expect", BaselineKind::Expecting),
    ("floor+follow", BaselineKind::Following),
    ("null", BaselineKind::Null),
    ("tutorial", BaselineKind::Article),
];

/// Positions of the gateway and the floor in the list of servers.
const GATEWAY_INDEX: usize = 0;
const FLOOR_INDEX: usize = 1;

const OPEN_ROUNDS: usize = 3;

/// Fewest requests of a turn, and lowest rate of an open loop, in requests a second.
const MIN_TURN_REQUESTS: u64 = 50;
const MIN_OPEN_RATE: f64 = 25.0;

/// Duration of a stretch, after which callbacks are signed anew; a signature older than five
/// minutes is refused.
const SIGNATURE_LIFETIME: Duration = Duration::from_secs(60);

/// Runs the whole measurement.
pub fn measure(options: &Options) -> anyhow::Result<Figures> {
    let started = Instant::now();
    let log =
        |step_name: &str| eprintln!("[{:6.1} s] {step_name}", started.elapsed().as_secs_f64());

    log("starting NATS, Redis and the roles");
    // This runtime is for the simulator and for waiting; the load has its own.
    let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    let wechat = Duration::from_millis(options.wechat_ms);
    let mut all = runtime.block_on(Deployment::start_on(options.servers, options.sites, wechat))?;
    let at_rest = process_usages(&all)?;
    // The notifier reads every commit, which would take processor time from the measured servers.
    all.notifier.program.stop();

    log("warming up");
    let mut run = CallbackRun::new(options, &all)?;
    let warm = run.run_closed(GATEWAY_INDEX, run.warm_up_span())?;
    let reply = warm.tally.sample.clone().with_context(|| {
        format!("the gateway gave no number; {}", run.first_bad.as_deref().unwrap_or_default())
    })?;
    let commit = runtime.block_on(all.sample_commit())?;
    let baselines = run.start_baselines(&runtime, &all, &commit, &reply)?;

    for round in 0..options.rounds {
        log(&format!("closed loop, round {} of {}", round + 1, options.rounds));
        run.closed_round(round)?;
    }
    let rate =
        options.rate.unwrap_or((run.servers[GATEWAY_INDEX].median_rate() / 2.0).max(MIN_OPEN_RATE));
    let mut open = [Vec::new(), Vec::new()];
    for round in 0..OPEN_ROUNDS {
        log(&format!("open loop at {rate:.0} a second, round {} of {OPEN_ROUNDS}", round + 1));
        for server in
            if round % 2 == 0 { [GATEWAY_INDEX, FLOOR_INDEX] } else { [FLOOR_INDEX, GATEWAY_INDEX] }
        {
            let server_turn = run.run_open(server, rate)?;
            open[server].push(server_turn);
        }
    }
    drop(baselines);

    log(&format!("memory: up to {} callbacks in all", options.callbacks));
    all.notifier.program.restart();
    runtime.block_on(all.notifier.wait_until_ready())?;
    run.send_remaining()?;
    run.validity.unplanned = runtime.block_on(all.wait_until_planned(Duration::from_secs(600)))?;
    let memory = memory_figures(&at_rest, &process_usages(&all)?);
    let nats_server = runtime.block_on(all.nats_version())?;
    runtime.block_on(all.stop())?;
    log("everything has stopped");

    run.validity.check_serials(&mut run.serials);
    let CallbackRun { mut servers, absent, validity, first_bad, .. } = run;
    let sealed = servers.pop().context("the gateway in secure mode is the last")?;
    let secure = sealed.rate_ratio(&servers[GATEWAY_INDEX]);
    let ratios =
        servers[1..].iter().map(|other| servers[GATEWAY_INDEX].rate_ratio(other)).collect();
    let [gateway, floor] = open;
    Ok(Figures {
        nats_server,
        connections: options.connections,
        sites: options.sites,
        commit_bytes: commit.len(),
        reply_bytes: reply.len(),
        wechat_answers_in_ms: options.wechat_ms,
        ratios,
        absent,
        closed: servers
            .into_iter()
            .chain([sealed])
            .map(MeasuredServer::closed_loop_figures)
            .collect(),
        secure,
        open: vec![
            ServerTurn::open_loop_figures("gateway", rate, gateway),
            ServerTurn::open_loop_figures("floor", rate, floor),
        ],
        memory,
        validity,
        first_bad,
    })
}

struct CallbackRun<'a> {
    options: &'a Options,
    scans: Arc<ScanGenerator>,
    nats: Vec<u32>,
    servers: Vec<MeasuredServer>,
    /// Servers that are left out, with the reason.
    absent: Vec<String>,
    validity: ValidityChecks,
    /// Serials that each site has given out.
    serials: Vec<Vec<u32>>,
    first_bad: Option<String>,
}

impl<'a> CallbackRun<'a> {
    fn new(options: &'a Options, all: &Deployment) -> anyhow::Result<CallbackRun<'a>> {
        let target = Target { port: all.gateway.port, expected: ExpectedReply::Number };
        let pid = all.gateway.program.pid().context("the gateway does not run")?;
        Ok(CallbackRun {
            options,
            scans: Arc::new(ScanGenerator::new(options.sites)),
            nats: all.nats_pids()?,
            servers: vec![MeasuredServer::new("gateway", vec![pid], target)],
            absent: Vec::new(),
            validity: ValidityChecks::default(),
            serials: vec![Vec::new(); 2 * options.sites],
            first_bad: None,
        })
    }

    /// Starts and warms up the baseline servers and the peers.
    fn start_baselines(
        &mut self,
        runtime: &Runtime,
        all: &Deployment,
        commit: &[u8],
        reply: &str,
    ) -> anyhow::Result<Vec<BaselineServer>> {
        let mut started = Vec::new();
        for (name, kind) in BASELINES {
            let baseline = runtime.block_on(all.start_baseline(kind, commit, reply))?;
            let expected = if kind == BaselineKind::Article {
                ExpectedReply::Success
            } else {
                ExpectedReply::Number
            };
            let target = Target { port: baseline.port, expected };
            let pid = baseline.program.pid().context("a server does not run")?;
            self.servers.push(MeasuredServer::new(name, vec![pid], target));
            self.run_closed(self.servers.len() - 1, self.warm_up_span())?;
            started.push(baseline);
        }
        let Options { node_modules, wechat_oa_sdk, .. } = self.options;
        for peer in peers::all(node_modules.as_deref(), wechat_oa_sdk.as_deref()) {
            let name = peer.name;
            match runtime.block_on(peer.start()) {
                Ok(server) => {
                    let target = Target { port: server.port, expected: ExpectedReply::Number };
                    let pid = server.program.pid().context("a server does not run")?;
                    let pids = peers::with_children(pid);
                    self.servers.push(MeasuredServer::new(name, pids, target));
                    self.run_closed(self.servers.len() - 1, self.warm_up_span())?;
                    started.push(server);
                }
                Err(error) => self.absent.push(format!("{name}: {error:#}")),
            }
        }
        // The gateway takes part a second time, with an account in secure mode.
        let MeasuredServer { pids, target, .. } = &self.servers[GATEWAY_INDEX];
        let target = Target { expected: ExpectedReply::SealedNumber, ..*target };
        self.servers.push(MeasuredServer::new("secure mode", pids.clone(), target));
        self.run_closed(self.servers.len() - 1, self.warm_up_span())?;
        Ok(started)
    }

    fn warm_up_span(&self) -> LoadSpan {
        let time = Duration::from_secs_f64(self.options.seconds.min(2.0));
        LoadSpan {
            warm_up: Duration::ZERO,
            recorded: time,
            min_requests: MIN_TURN_REQUESTS,
            max_requests: u64::MAX,
        }
    }

    /// Measures every server once, starting with another one each round.
    fn closed_round(&mut self, round: usize) -> anyhow::Result<()> {
        let time = Duration::from_secs_f64(self.options.seconds);
        let warm_up = time.mul_f64(0.125).min(Duration::from_millis(500));
        for step in 0..self.servers.len() {
            let server = (round + step) % self.servers.len();
            let server_turn = self.run_closed(
                server,
                LoadSpan {
                    warm_up,
                    recorded: time,
                    min_requests: MIN_TURN_REQUESTS,
                    max_requests: u64::MAX,
                },
            )?;
            self.servers[server].turns.push(server_turn);
        }
        Ok(())
    }

    fn run_closed(&mut self, server: usize, span: LoadSpan) -> anyhow::Result<ServerTurn> {
        let MeasuredServer { pids, target, .. } = &self.servers[server];
        let server_turn = ServerTurn::run(pids, &self.nats, || {
            load::run_closed_loop(*target, &self.scans, self.options.connections, span)
        })?;
        self.record(server, &server_turn.tally);
        Ok(server_turn)
    }

    fn run_open(&mut self, server: usize, rate: f64) -> anyhow::Result<ServerTurn> {
        let MeasuredServer { pids, target, .. } = &self.servers[server];
        let time = Duration::from_secs_f64(self.options.open_seconds);
        let warm_up = time.mul_f64(0.125).min(Duration::from_secs(1));
        let span = LoadSpan {
            warm_up,
            recorded: time,
            min_requests: MIN_TURN_REQUESTS,
            max_requests: u64::MAX,
        };
        let server_turn = ServerTurn::run(pids, &self.nats, || {
            load::run_open_loop(*target, &self.scans, self.options.connections, rate, span)
        })?;
        self.record(server, &server_turn.tally);
        Ok(server_turn)
    }

    /// Sends callbacks up to the requested total.
    fn send_remaining(&mut self) -> anyhow::Result<()> {
        while self.validity.callbacks < self.options.callbacks {
            let remaining = self.options.callbacks - self.validity.callbacks;
            self.run_closed(
                GATEWAY_INDEX,
                LoadSpan {
                    warm_up: Duration::ZERO,
                    recorded: SIGNATURE_LIFETIME,
                    min_requests: 0,
                    max_requests: remaining,
                },
            )?;
        }
        Ok(())
    }

    fn record(&mut self, server: usize, tally: &LoadResult) {
        self.validity.bad_replies += tally.unexpected;
        if self.first_bad.is_none() {
            let name = self.servers[server].name;
            self.first_bad = tally.first_bad.as_ref().map(|reply| format!("{name}: {reply}"));
        }
        let MeasuredServer { pids, target, .. } = &self.servers[server];
        if *pids == self.servers[GATEWAY_INDEX].pids {
            let first =
                if target.expected == ExpectedReply::SealedNumber { self.options.sites } else { 0 };
            self.validity.callbacks += tally.answered;
            for &(site, serial) in &tally.serials {
                self.serials[first + site].push(serial);
            }
        }
    }
}

fn process_usages(all: &Deployment) -> anyhow::Result<Vec<(&'static str, Usage)>> {
    let processes = [
        ("gateway", all.gateway.program.pid()),
        ("token", all.token.program.pid()),
        ("notifier", all.notifier.program.pid()),
    ];
    let nats = all.nats_pids()?.into_iter().map(|pid| ("nats-server", Some(pid)));
    let redis = [("redis-server", all.redis.pid())];
    let usages = processes.into_iter().chain(nats).chain(redis).map(|(name, pid)| {
        let pid = pid.with_context(|| format!("{name} does not run"))?;
        Ok((name, process_usage(pid)?))
    });
    usages.collect()
}

fn memory_figures(
    before: &[(&'static str, Usage)],
    after: &[(&'static str, Usage)],
) -> Vec<MemoryFigures> {
    let mib = |bytes: u64| bytes as f64 / f64::from(1 << 20);
    let pairs = before.iter().zip(after);
    let memory = pairs.map(|((process, before), (_, after))| MemoryFigures {
        process,
        at_rest_mib: mib(before.resident),
        after_mib: mib(after.resident),
        peak_mib: mib(after.peak),
    });
    memory.collect()
}
