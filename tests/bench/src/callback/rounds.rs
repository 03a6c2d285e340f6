//! The course of a run: everything is started, the servers take turns, everything is stopped.

use super::Options;
use super::crowd::Crowd;
use super::deployment::{Beside, Deployment};
use super::figures::{Figures, Memory, Truth};
use super::load::{self, Good, Span, Tally, Target};
use super::servers::Kind;
use super::turns::{Server, Turn};
use crate::process::{Usage, processors, usage};
use anyhow::Context;
use std::sync::Arc;
use std::time::Duration;
use tokio::runtime::{Builder, Runtime};
use tokio::time::Instant;

/// Those beside the gateway, in the order of the report.
const BESIDE: [(&str, Kind); 5] = [
    ("floor", Kind::Floor),
    ("floor+expect", Kind::Expecting),
    ("floor+follow", Kind::Following),
    ("null", Kind::Null),
    ("article", Kind::Article),
];

/// Where gateway and floor stand among the servers.
const GATEWAY: usize = 0;
const FLOOR: usize = 1;

const OPEN_ROUNDS: usize = 3;

/// Requests of a turn at least, and how slow an open loop becomes at most.
const LEAST: u64 = 50;
const SLOWEST: f64 = 25.0;

/// Callbacks are signed anew for every stretch: a signature older than five minutes is refused.
const STRETCH: Duration = Duration::from_secs(60);

/// Measures everything.
pub fn measure(options: &Options) -> anyhow::Result<Figures> {
    let begun = Instant::now();
    let say = |what: &str| eprintln!("[{:6.1} s] {what}", begun.elapsed().as_secs_f64());

    say("starting NATS, Redis and the roles");
    // The simulator and the waiting live on this runtime, the load on one of its own.
    let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    let wechat = Duration::from_millis(options.wechat_ms);
    let mut all = runtime.block_on(Deployment::start(options.sites, wechat))?;
    let at_rest = usages(&all)?;
    // The notifier reads every commit. Here it would only take the processor from who is measured.
    all.notifier.program.stop();

    say("warming up");
    let mut run = Run::new(options, &all)?;
    let warm = run.closed(GATEWAY, run.warm_up())?;
    let reply = warm.tally.sample.clone().with_context(|| {
        format!("the gateway gave no number; {}", run.first_bad.as_deref().unwrap_or_default())
    })?;
    let commit = runtime.block_on(all.commit())?;
    let beside = run.start_beside(&runtime, &all, &commit, &reply)?;

    for round in 0..options.rounds {
        say(&format!("closed loop, round {} of {}", round + 1, options.rounds));
        run.closed_round(round)?;
    }
    let rate = options.rate.unwrap_or((run.servers[GATEWAY].rate() / 2.0).max(SLOWEST));
    let mut open = [Vec::new(), Vec::new()];
    for round in 0..OPEN_ROUNDS {
        say(&format!("open loop at {rate:.0} a second, round {} of {OPEN_ROUNDS}", round + 1));
        for server in if round % 2 == 0 { [GATEWAY, FLOOR] } else { [FLOOR, GATEWAY] } {
            let turn = run.open(server, rate)?;
            open[server].push(turn);
        }
    }
    drop(beside);

    say(&format!("memory: up to {} callbacks in all", options.callbacks));
    all.notifier.program.restart();
    runtime.block_on(all.notifier.until_ready())?;
    run.fill_up()?;
    run.truth.unplanned = runtime.block_on(all.until_planned(Duration::from_secs(600)))?;
    let memory = memory(&at_rest, &usages(&all)?);
    let nats_server = runtime.block_on(all.nats_version())?;
    runtime.block_on(all.stop())?;
    say("everything has stopped");

    run.truth.judge(&mut run.serials);
    let Run { mut servers, truth, first_bad, .. } = run;
    let sealed = servers.pop().context("the gateway in secure mode is the last")?;
    let secure = sealed.ratio(&servers[GATEWAY]);
    let ratios = servers[1..].iter().map(|other| servers[GATEWAY].ratio(other)).collect();
    let [gateway, floor] = open;
    Ok(Figures {
        build: if cfg!(debug_assertions) { "debug" } else { "release" },
        processors: processors(),
        nats_server,
        connections: options.connections,
        sites: options.sites,
        commit_bytes: commit.len(),
        reply_bytes: reply.len(),
        wechat_answers_in_ms: options.wechat_ms,
        ratios,
        closed: servers.into_iter().chain([sealed]).map(Server::figure).collect(),
        secure,
        open: vec![
            Turn::open_figure("gateway", rate, gateway),
            Turn::open_figure("floor", rate, floor),
        ],
        memory,
        truth,
        first_bad,
    })
}

struct Run<'a> {
    options: &'a Options,
    crowd: Arc<Crowd>,
    nats: u32,
    servers: Vec<Server>,
    truth: Truth,
    /// What each site has given out.
    serials: Vec<Vec<u32>>,
    first_bad: Option<String>,
}

impl<'a> Run<'a> {
    fn new(options: &'a Options, all: &Deployment) -> anyhow::Result<Run<'a>> {
        let target = Target { port: all.gateway.port, good: Good::Number };
        let pid = all.gateway.program.pid().context("the gateway does not run")?;
        Ok(Run {
            options,
            crowd: Arc::new(Crowd::new(options.sites)),
            nats: all.nats.pid().context("NATS does not run")?,
            servers: vec![Server::new("gateway", pid, target)],
            truth: Truth::default(),
            serials: vec![Vec::new(); 2 * options.sites],
            first_bad: None,
        })
    }

    /// Starts and warms up those who stand beside.
    fn start_beside(
        &mut self,
        runtime: &Runtime,
        all: &Deployment,
        commit: &[u8],
        reply: &str,
    ) -> anyhow::Result<Vec<Beside>> {
        let mut started = Vec::new();
        for (name, kind) in BESIDE {
            let beside = runtime.block_on(all.beside(kind, commit, reply))?;
            let good = if kind == Kind::Article { Good::Success } else { Good::Number };
            let target = Target { port: beside.port, good };
            let pid = beside.program.pid().context("a server does not run")?;
            self.servers.push(Server::new(name, pid, target));
            self.closed(self.servers.len() - 1, self.warm_up())?;
            started.push(beside);
        }
        // The same process once more, asked and answering in secure mode.
        let Server { pid, target, .. } = self.servers[GATEWAY];
        let target = Target { good: Good::SealedNumber, ..target };
        self.servers.push(Server::new("secure mode", pid, target));
        self.closed(self.servers.len() - 1, self.warm_up())?;
        Ok(started)
    }

    fn warm_up(&self) -> Span {
        let time = Duration::from_secs_f64(self.options.seconds.min(2.0));
        Span { lead: Duration::ZERO, time, least: LEAST, most: u64::MAX }
    }

    /// Every server once. Who begins changes from round to round.
    fn closed_round(&mut self, round: usize) -> anyhow::Result<()> {
        let time = Duration::from_secs_f64(self.options.seconds);
        let lead = time.mul_f64(0.125).min(Duration::from_millis(500));
        for step in 0..self.servers.len() {
            let server = (round + step) % self.servers.len();
            let turn = self.closed(server, Span { lead, time, least: LEAST, most: u64::MAX })?;
            self.servers[server].turns.push(turn);
        }
        Ok(())
    }

    fn closed(&mut self, server: usize, span: Span) -> anyhow::Result<Turn> {
        let Server { pid, target, .. } = self.servers[server];
        let turn = Turn::take(pid, self.nats, || {
            load::closed(target, &self.crowd, self.options.connections, span)
        })?;
        self.note(server, &turn.tally);
        Ok(turn)
    }

    fn open(&mut self, server: usize, rate: f64) -> anyhow::Result<Turn> {
        let Server { pid, target, .. } = self.servers[server];
        let time = Duration::from_secs_f64(self.options.open_seconds);
        let lead = time.mul_f64(0.125).min(Duration::from_secs(1));
        let span = Span { lead, time, least: LEAST, most: u64::MAX };
        let turn = Turn::take(pid, self.nats, || {
            load::open(target, &self.crowd, self.options.connections, rate, span)
        })?;
        self.note(server, &turn.tally);
        Ok(turn)
    }

    /// Makes callbacks until there were as many as was asked for.
    fn fill_up(&mut self) -> anyhow::Result<()> {
        while self.truth.callbacks < self.options.callbacks {
            let most = self.options.callbacks - self.truth.callbacks;
            self.closed(GATEWAY, Span { lead: Duration::ZERO, time: STRETCH, least: 0, most })?;
        }
        Ok(())
    }

    fn note(&mut self, server: usize, tally: &Tally) {
        self.truth.bad_replies += tally.bad;
        if self.first_bad.is_none() {
            let name = self.servers[server].name;
            self.first_bad = tally.first_bad.as_ref().map(|said| format!("{name}: {said}"));
        }
        let Server { pid, target, .. } = self.servers[server];
        if pid == self.servers[GATEWAY].pid {
            let first = if target.good == Good::SealedNumber { self.options.sites } else { 0 };
            self.truth.callbacks += tally.made;
            for &(site, serial) in &tally.given {
                self.serials[first + site].push(serial);
            }
        }
    }
}

fn usages(all: &Deployment) -> anyhow::Result<Vec<(&'static str, Usage)>> {
    let processes = [
        ("gateway", all.gateway.program.pid()),
        ("token", all.token.program.pid()),
        ("notifier", all.notifier.program.pid()),
        ("nats-server", all.nats.pid()),
        ("redis-server", all.redis.pid()),
    ];
    let asked = processes.into_iter().map(|(name, pid)| {
        let pid = pid.with_context(|| format!("{name} does not run"))?;
        Ok((name, usage(pid)?))
    });
    asked.collect()
}

fn memory(before: &[(&'static str, Usage)], after: &[(&'static str, Usage)]) -> Vec<Memory> {
    let mib = |bytes: u64| bytes as f64 / f64::from(1 << 20);
    let pairs = before.iter().zip(after);
    let memory = pairs.map(|((process, before), (_, after))| Memory {
        process,
        at_rest_mib: mib(before.resident),
        after_mib: mib(after.resident),
        peak_mib: mib(after.peak),
    });
    memory.collect()
}
