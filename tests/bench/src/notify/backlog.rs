//! A backlog of calls, and the rate at which notifiers send it.

use crate::callback::deployment::Deployment;
use crate::callback::scans::{ACCOUNT, SECURE_ACCOUNT, secure_site_id, site_id};
use crate::process::{machine_cpu_time, process_usage, processors};
use anyhow::{Context, ensure};
use futures::stream::{self, StreamExt, TryStreamExt};
use paihao_chassis::clock::{Clock, SystemClock};
use paihao_contracts::commit::Number;
use paihao_contracts::notice::{Notice, NoticeContent};
use paihao_contracts::streams::NOTICES;
use paihao_ledger::{Entry, Ledger};
use std::time::Duration;
use tokio::time::Instant;

/// Notices that are put on the queue at once.
const CONCURRENT_ENQUEUES: usize = 256;

/// Shares of the backlog between which the rate is measured.
const MEASURED_SHARES: [f64; 2] = [0.2, 0.9];

/// Recipients of a backlog.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Backlog {
    /// Customers of the account in plain mode.
    Usual,
    /// Customers of the other account.
    OfOtherAccount,
}

impl Backlog {
    /// Beginning of the openids of the customers.
    pub fn person_prefix(self) -> &'static str {
        match self {
            Backlog::Usual => "oNobody",
            Backlog::OfOtherAccount => "oOthers",
        }
    }
}

/// Rate of one backlog.
pub struct Rate {
    pub per_second: f64,
    /// Processor time of the notifiers for each notice, in microseconds.
    pub cpu_us: f64,
    /// Share of the processors that was busy meanwhile, 0 to 1, whoever was.
    pub busy_share: f64,
}

/// State at one moment of a backlog.
struct Moment {
    at: Instant,
    sent: u64,
    cpu: Duration,
    machine: Duration,
}

/// Starts notifiers, lets them send the backlog and stops them. `sent` counts what was sent of it.
pub async fn measure(
    deployment: &Deployment,
    replicas: usize,
    notices: u64,
    limit: Duration,
    sent: impl Fn() -> u64,
) -> anyhow::Result<Rate> {
    let before = sent();
    let sent = || sent() - before;
    let mut notifiers = Vec::new();
    for _ in 0..replicas {
        notifiers.push(deployment.add_notifier());
    }
    let mut pids = Vec::new();
    for notifier in &notifiers {
        pids.push(notifier.program.pid().context("a notifier has ended")?);
    }
    let moment = || -> anyhow::Result<Moment> {
        let mut cpu = Duration::ZERO;
        for pid in &pids {
            cpu += process_usage(*pid)?.cpu;
        }
        Ok(Moment { at: Instant::now(), sent: sent(), cpu, machine: machine_cpu_time()? })
    };
    let started = Instant::now();
    let mut moments = Vec::new();
    for share in MEASURED_SHARES {
        while sent() < (notices as f64 * share) as u64 {
            let log = || notifiers[0].log_tail();
            ensure!(started.elapsed() < limit, "the notices are not sent in time\n{}", log());
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        moments.push(moment()?);
    }
    while sent() < notices {
        ensure!(started.elapsed() < limit, "the last notices are not sent in time");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    for mut notifier in notifiers {
        let code = notifier.program.stop();
        ensure!(code == Some(0), "a notifier ended with {code:?}\n{}", notifier.log_tail());
    }
    ensure!(sent() == notices, "a notice was sent twice");
    let [first, last] = &moments[..] else { unreachable!("two shares") };
    let (seconds, sent) = ((last.at - first.at).as_secs_f64(), (last.sent - first.sent) as f64);
    let busy = last.machine.saturating_sub(first.machine).as_secs_f64();
    Ok(Rate {
        per_second: sent / seconds,
        cpu_us: last.cpu.saturating_sub(first.cpu).as_secs_f64() * 1e6 / sent,
        busy_share: busy / (seconds * processors() as f64),
    })
}

/// Puts a call of each of these tickets on the queue.
pub async fn enqueue(
    ledger: &impl Ledger,
    backlog: Backlog,
    tickets: std::ops::Range<u32>,
) -> anyhow::Result<()> {
    let now_ms = SystemClock.now_ms();
    let (account, site) = match backlog {
        Backlog::Usual => (ACCOUNT, site_id(0)),
        Backlog::OfOtherAccount => (SECURE_ACCOUNT, secure_site_id(0)),
    };
    let notices = stream::iter(tickets).map(|ticket| {
        let key = format!("{site}/20777/{ticket}/called#1");
        let notice = Notice {
            v: 1,
            key: key.clone(),
            account: account.into(),
            site_name: "城南大厅".into(),
            zone: "UTC".into(),
            person: format!("{}{ticket:021}", backlog.person_prefix()).into(),
            number: Number { prefix: "A".into(), serial: ticket },
            queue_name: "综合业务".into(),
            content: NoticeContent::Called { counter_name: "1号窗口".into(), call: 1 },
            order: 1,
            at: now_ms,
            valid_until: now_ms + 3_600_000,
            link: None,
            replied: false,
        };
        async move {
            let entry = Entry::new(serde_json::to_vec(&notice)?);
            ledger.enqueue(&NOTICES, &key, entry, Duration::ZERO).await?;
            Ok::<_, anyhow::Error>(())
        }
    });
    notices.buffer_unordered(CONCURRENT_ENQUEUES).try_collect().await
}
