//! Faults of servers, paths, gateways and clocks, each inflicted on a running cluster and mended.

use crate::support::cluster::Cluster;
use harness::wait_until;
use std::time::Duration;

const LEDGER_STREAM: &str = "PAIHAO_LEDGER";

/// Longer than a server that lost its peers takes itself for the leader.
const PARTITION_TIME: Duration = Duration::from_secs(14);
/// Offset of a wrong clock, in milliseconds.
const CLOCK_OFFSET_MS: i64 = 10 * 60_000;

/// Kinds of faults.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum FaultKind {
    /// None: the clients alone, for comparison.
    Calm,
    /// The leader of the ledger is killed with SIGKILL and comes back.
    LeaderKilled,
    /// Another server is killed with SIGKILL and comes back.
    FollowerKilled,
    /// The leader of the ledger is cut off from the others, with a gateway that reaches it alone.
    GatewayInMinority,
    /// The leader of the ledger is stopped with SIGSTOP.
    LeaderFrozen,
    /// A server comes back with an older copy of its data.
    OlderData,
    /// All servers are stopped with SIGTERM and restarted, one after the other.
    RollingRestart,
    /// The clock of a gateway is ahead of the others, and then behind.
    ClockWrong,
    /// The business day turns, while the leader of the ledger is killed.
    DayTurns,
    /// A gateway is killed with SIGKILL and comes back.
    GatewayKilled,
    /// A gateway is stopped with SIGSTOP.
    GatewayFrozen,
}

impl FaultKind {
    /// All kinds, in the order of a run.
    pub const ALL: [FaultKind; 11] = [
        FaultKind::Calm,
        FaultKind::LeaderKilled,
        FaultKind::FollowerKilled,
        FaultKind::GatewayInMinority,
        FaultKind::LeaderFrozen,
        FaultKind::OlderData,
        FaultKind::RollingRestart,
        FaultKind::ClockWrong,
        FaultKind::DayTurns,
        FaultKind::GatewayKilled,
        FaultKind::GatewayFrozen,
    ];

    /// Name in the report.
    pub fn name(self) -> &'static str {
        match self {
            FaultKind::Calm => "none",
            FaultKind::LeaderKilled => "leader killed",
            FaultKind::FollowerKilled => "follower killed",
            FaultKind::GatewayInMinority => "leader and one gateway cut off",
            FaultKind::LeaderFrozen => "leader stopped for 20 s",
            FaultKind::OlderData => "server back with older data",
            FaultKind::RollingRestart => "rolling restart",
            FaultKind::ClockWrong => "clock of one gateway ±10 min",
            FaultKind::DayTurns => "day turns, leader killed",
            FaultKind::GatewayKilled => "gateway killed",
            FaultKind::GatewayFrozen => "gateway stopped for 8 s",
        }
    }
}

/// Inflicts a fault and mends it. `round` chooses among servers and gateways; the day of the site
/// turns after `until_turn`.
pub async fn inflict(kind: FaultKind, round: usize, cluster: &mut Cluster, until_turn: Duration) {
    let gateway = round % cluster.gateways.len();
    let leader = || cluster.nats.leader_of(LEDGER_STREAM).unwrap_or(0);
    let follower = || (leader() + 1 + round % 2) % 3;
    match kind {
        FaultKind::Calm => pause(5_000).await,
        FaultKind::LeaderKilled => kill_server(cluster, leader()).await,
        FaultKind::FollowerKilled => kill_server(cluster, follower()).await,
        FaultKind::GatewayInMinority => cut_off(cluster, leader(), gateway).await,
        FaultKind::LeaderFrozen => {
            let server = leader();
            cluster.nats.servers()[server].freeze();
            pause(20_000).await;
            cluster.nats.servers()[server].thaw();
        }
        FaultKind::OlderData => {
            let server = if round.is_multiple_of(2) { leader() } else { follower() };
            let server = &cluster.nats.servers()[server];
            let saved = tokio::task::block_in_place(|| server.save_data());
            pause(3_000).await;
            tokio::task::block_in_place(|| {
                server.kill();
                server.put_back(&saved);
                server.restart();
            });
        }
        FaultKind::RollingRestart => {
            for server in cluster.nats.servers() {
                tokio::task::block_in_place(|| {
                    server.restart_softly();
                    cluster.nats.wait_until_healthy();
                });
            }
        }
        FaultKind::ClockWrong => {
            let clock = cluster.gateways[gateway].clock.as_ref().expect("a clock that can be set");
            for offset in [CLOCK_OFFSET_MS, -CLOCK_OFFSET_MS, 0] {
                clock.set_ms(offset);
                pause(4_000).await;
            }
        }
        FaultKind::DayTurns => {
            tokio::time::sleep(until_turn.saturating_sub(Duration::from_secs(1))).await;
            kill_server(cluster, leader()).await;
            pause(3_000).await;
        }
        FaultKind::GatewayKilled => {
            cluster.gateways[gateway].program.kill();
            pause(2_000).await;
            cluster.gateways[gateway].program.restart();
        }
        FaultKind::GatewayFrozen => {
            cluster.gateways[gateway].program.freeze();
            pause(8_000).await;
            cluster.gateways[gateway].program.thaw();
        }
    }
}

/// Waits until every server and every gateway has recovered.
pub async fn until_recovered(cluster: &Cluster) {
    tokio::task::block_in_place(|| cluster.nats.wait_until_healthy());
    for gateway in &cluster.gateways {
        cluster.wait_until_ready(gateway).await;
    }
}

async fn kill_server(cluster: &Cluster, server: usize) {
    cluster.nats.servers()[server].kill();
    pause(3_000).await;
    tokio::task::block_in_place(|| cluster.nats.servers()[server].restart());
}

/// Leaves a server alone with one gateway, which was connected to it before.
async fn cut_off(cluster: &Cluster, server: usize, gateway: usize) {
    let paths = &cluster.gateways[gateway].paths;
    let others = || paths.iter().enumerate().filter(|(to, _)| *to != server);
    tokio::task::block_in_place(|| others().for_each(|(_, path)| path.cut()));
    wait_until("the gateway is connected to the server", PARTITION_TIME, async || {
        paths[server].open_connections() > 0
    })
    .await;
    cluster.nats.isolate(server);
    tokio::time::sleep(PARTITION_TIME).await;
    cluster.nats.heal();
    others().for_each(|(_, path)| path.restore());
}

async fn pause(ms: u64) {
    tokio::time::sleep(Duration::from_millis(ms)).await;
}
