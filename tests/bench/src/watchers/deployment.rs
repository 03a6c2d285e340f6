//! Gateway on NATS and Redis, with sites whose lines are full.

use crate::callback::deployment::shared_stores;
use crate::callback::wire::HttpConnection;
use crate::member::RoleProcess;
use crate::staff::{self, post};
use anyhow::{Context, ensure};
use harness::{NatsServer, RedisServer};
use paihao_chassis::clock::{Clock, SystemClock};
use paihao_contracts::commit::{Commit, Event};
use paihao_contracts::partitions::Partitions;
use paihao_contracts::streams::LEDGER;
use paihao_contracts::ticket_link::TicketLink;
use paihao_ledger::{Ledger, Subject};
use paihao_ledger_nats::{NatsLedger, NatsOptions};
use std::fmt::Write as _;

/// Tickets of each site that are never called; their customers watch.
const WAITING_PER_SITE: usize = 10;

/// Limit of streams per ticket, enough for the phones of a family.
const STREAMS_PER_TICKET: usize = 8;

/// Hour at which business days begin: half a day away, so that no day ends during the run.
fn day_starts_at(now_ms: i64) -> i64 {
    (now_ms.div_euclid(3_600_000).rem_euclid(24) + 12) % 24
}

/// The gateway and its servers.
pub struct WatchedGateway {
    pub gateway: RoleProcess,
    day: i32,
    nats: NatsServer,
    _redis: RedisServer,
}

/// Id of a site.
pub fn site_id(i: usize) -> String {
    format!("s{i:03}")
}

impl WatchedGateway {
    /// Starts the gateway and waits until it is ready.
    pub async fn start(sites: usize) -> anyhow::Result<WatchedGateway> {
        let nats = NatsServer::start();
        let redis = RedisServer::start();
        let now = SystemClock.now_ms();
        let day_starts_at = day_starts_at(SystemClock.now_ms());
        let day = i32::try_from((now - day_starts_at * 3_600_000).div_euclid(86_400_000))?;
        let program = std::env::current_exe().context("this program does not know its file")?;
        let gateway = RoleProcess::start(&program, "gateway", |port, admin| {
            configuration(sites, day_starts_at, port, admin, &nats, &redis)
        });
        gateway.wait_until_ready().await?;
        Ok(WatchedGateway { gateway, day, nats, _redis: redis })
    }

    /// Opens every site's counter and fills the lines. Returns the paths of the streams of tickets
    /// that are never called, each as often as a ticket may be watched.
    pub async fn fill_queues(
        &self,
        sites: usize,
        calls: usize,
    ) -> anyhow::Result<Vec<Vec<String>>> {
        let called = calls.div_ceil(sites);
        let options = NatsOptions { url: self.nats.url(), ..NatsOptions::default() };
        let ledger = NatsLedger::connect(options).await?;
        let ledger = &ledger;
        let fill = (0..sites).map(async |i| {
            let mut wire = HttpConnection::connect(self.gateway.port).await?;
            post(&mut wire, &site_id(i), "counters/1/open").await?;
            let mut streams = Vec::new();
            for person in 0..called + WAITING_PER_SITE {
                post(&mut wire, &site_id(i), "queues/a/tickets").await?;
                if person >= called {
                    let ticket = self.newest_ticket(ledger, &site_id(i)).await?;
                    let stream = format!("/api/v1/tickets/{}/{ticket}/events", site_id(i));
                    streams.extend(std::iter::repeat_n(stream, STREAMS_PER_TICKET));
                }
            }
            anyhow::Ok(streams)
        });
        futures::future::try_join_all(fill).await
    }

    /// Link id of the ticket that was taken last, read from the ledger; people without WeChat have
    /// it on their slip.
    async fn newest_ticket(&self, ledger: &NatsLedger, site: &str) -> anyhow::Result<String> {
        let last = ledger.last(&LEDGER, &Subject::new(&["shop", site])?).await?;
        let last = last.context("a site without a commit")?;
        let commit: Commit = serde_json::from_slice(&last.entry.payload)?;
        let mut events = commit.decisions.iter().flat_map(|decision| &decision.events);
        let link = events.find_map(|event| match event {
            Event::TicketTaken { ticket, key: Some(key), .. } => {
                Some(TicketLink { day: self.day, ticket: *ticket, key: *key })
            }
            _ => None,
        });
        Ok(link.context("the last commit takes no ticket")?.id())
    }

    /// Stops the gateway softly.
    pub fn stop(mut self) -> anyhow::Result<()> {
        let code = self.gateway.program.stop();
        ensure!(code == Some(0), "the gateway ended with {code:?}\n{}", self.gateway.log_tail());
        Ok(())
    }
}

fn configuration(
    sites: usize,
    day_starts_at: i64,
    port: u16,
    admin: u16,
    nats: &NatsServer,
    redis: &RedisServer,
) -> String {
    let mut text = format!(
        "
        [gateway]
        listen = '127.0.0.1:{port}'
        [gateway.pool]
        size = 0
        [gateway.limits]
        streams = 0
        streams_per_address = 0
        connections_per_address = 8192
        [admin]
        listen = '127.0.0.1:{admin}'
        {stores}
        [accounts.shop]
        appid = 'wx1'
        secret = 'not-asked-for'
        callback_token = 'tokenOfTheseTests'
        mode = 'plain'
        {staff}
        ",
        staff = staff::settings(),
        stores = shared_stores(&nats.url(), 1, Partitions::ONE, redis),
    );
    for i in 0..sites {
        write!(
            text,
            "
            [sites.{site}]
            account = 'shop'
            name = '城南大厅 {site}'
            time_zone = 'UTC'
            day_starts_at = {day_starts_at}
            [sites.{site}.queues.a]
            name = '综合业务'
            prefix = 'A'
            start_on_call = true
            [sites.{site}.counters.1]
            name = '1号窗口'
            queues = ['a']
            ",
            site = site_id(i),
        )
        .expect("writing to memory");
    }
    text
}
