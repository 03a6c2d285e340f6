//! Runs of faults against three gateways on three NATS servers, with a history that must stay
//! linearizable in every round.
//!
//! Each round has a site of its own, a fault, and clients that go on all the time. The test takes a
//! few kinds of faults; `PAIHAO_NEMESIS_MINUTES` makes it take all of them in turn for so long, and
//! `PAIHAO_NEMESIS_FAULTS` some, by their names in the code, separated by commas.

mod faults;

mod report;

mod zones;

use super::check::check;
use super::clients::{Extent, LinearRun, extra_site_config, served_queues};
use crate::support::cluster::{Cluster, ClusterSetup, site_id, subject_entries};
use faults::{FaultKind, inflict, until_recovered};
use paihao_contracts::commit::{Commit, Decision};
use paihao_contracts::streams::LEDGER;
use paihao_ledger::Subject;
use report::{RoundResult, longest_silence, table};
use std::time::{Duration, Instant};
use zones::{TimeZones, zone_name};

/// Kinds of faults in the test.
const BOUNDED_RUN: [FaultKind; 5] = [
    FaultKind::DayTurns,
    FaultKind::GatewayInMinority,
    FaultKind::LeaderKilled,
    FaultKind::OlderData,
    FaultKind::GatewayKilled,
];
/// Time between two instants at which the day of a site turns.
const TURN_INTERVAL: Duration = Duration::from_secs(10);
/// Time of the clients alone, before a fault and after the recovery.
const CALM_TIME: Duration = Duration::from_secs(2);
/// Shortest time of a round, by which the sites of a run are counted.
const MIN_ROUND_TIME: Duration = Duration::from_secs(8);
/// Longest wait for the first round.
const START_TIME: Duration = Duration::from_secs(120);

/// Id of the site whose day turns by the i-th zone.
fn turning_site(i: usize) -> String {
    format!("turn-{i}")
}

/// Starts the cluster with a site for each round, and for each turn of the day.
async fn start_cluster(zones: &TimeZones, rounds: usize) -> Cluster {
    let mut extra_config: String = (0..rounds).map(|i| extra_site_config(&site_id(i))).collect();
    for i in 0..zones.len() {
        let site = turning_site(i);
        let zone = zone_name(i);
        extra_config += &format!(
            "
            [sites.{site}]
            account = 'shop'
            name = '{site}'
            time_zone = '{zone}'
            [sites.{site}.queues.a]
            name = '综合业务'
            prefix = 'A'
            carry_over = true
            "
        );
        extra_config += &extra_site_config(&site);
    }
    let environment = vec![("TZDIR".into(), zones.path().as_os_str().to_owned())];
    Cluster::start_setup(ClusterSetup {
        processes: [3, 0, 0],
        sites: rounds,
        servers: 3,
        partitions: 1,
        extra_config,
        extra_sites: (0..zones.len()).map(turning_site).collect(),
        environment,
        with_clocks: true,
        open_platform: None,
        further_accounts: Vec::new(),
    })
    .await
}

async fn run_round(
    cluster: &mut Cluster,
    kind: FaultKind,
    round: usize,
    zones: &TimeZones,
) -> RoundResult {
    let turn = zones.next_turn(CALM_TIME + Duration::from_secs(3));
    let site = if kind == FaultKind::DayTurns { turning_site(turn) } else { site_id(round) };
    let run = LinearRun::new(site.clone(), &cluster.gateways, Extent::Unbounded);
    let nemesis = async {
        tokio::time::sleep(CALM_TIME).await;
        let since = run.now();
        inflict(kind, round, cluster, zones.until_turn(turn)).await;
        until_recovered(cluster).await;
        tokio::time::sleep(CALM_TIME).await;
        run.stop();
        (since, run.now())
    };
    let ((), (since, until)) = tokio::join!(run.run(), nemesis);
    let subject = Subject::new(&["shop", &site]).unwrap();
    let commits = subject_entries::<Commit>(cluster, &LEDGER, &subject).await;
    let ledger: Vec<Decision> = commits.into_iter().flat_map(|commit| commit.decisions).collect();
    let history = run.take_history();
    RoundResult {
        kind,
        site,
        operations: history.len(),
        retried: history.iter().filter(|op| op.retried).count(),
        violations: check(&ledger, &history, served_queues()),
        without_service: longest_silence(&history, since, until),
    }
}

/// Kinds of faults that the environment names, or all.
fn chosen_kinds() -> Vec<FaultKind> {
    let chosen = std::env::var("PAIHAO_NEMESIS_FAULTS").unwrap_or_default();
    let named = |kind: &FaultKind| {
        chosen.is_empty() || chosen.split(',').any(|name| name == format!("{kind:?}"))
    };
    FaultKind::ALL.into_iter().filter(named).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_cluster_under_faults_is_linearizable() {
    let minutes = std::env::var("PAIHAO_NEMESIS_MINUTES").ok();
    let limit = minutes.map(|text| Duration::from_secs(60 * text.parse::<u64>().expect("minutes")));
    let (kinds, max_rounds) = match limit {
        Some(limit) => (chosen_kinds(), (limit.as_secs() / MIN_ROUND_TIME.as_secs()) as usize + 1),
        None => (BOUNDED_RUN.to_vec(), BOUNDED_RUN.len()),
    };
    let all_turns = START_TIME * 2 + limit.unwrap_or(START_TIME);
    let turns = (all_turns.as_secs() / TURN_INTERVAL.as_secs()) as usize;
    let zones = TimeZones::create(turns, TURN_INTERVAL);
    let mut cluster = start_cluster(&zones, max_rounds).await;
    let started = Instant::now();
    let mut rounds = Vec::new();
    for (round, kind) in kinds.iter().cycle().enumerate().take(max_rounds) {
        if limit.is_some_and(|limit| started.elapsed() >= limit) {
            break;
        }
        let result = run_round(&mut cluster, *kind, round, &zones).await;
        println!(
            "{:>4} s  round {round}, {}: {} operations, {} sent again, {:.1} s without service",
            started.elapsed().as_secs(),
            kind.name(),
            result.operations,
            result.retried,
            result.without_service.as_secs_f64()
        );
        let violations = &result.violations;
        assert!(
            violations.is_empty(),
            "{kind:?}, {} violations: {violations:#?}",
            violations.len()
        );
        assert!(result.operations > 50, "{kind:?}: only {} operations", result.operations);
        rounds.push(result);
    }
    println!("{} rounds in {} s\n{}", rounds.len(), started.elapsed().as_secs(), table(&rounds));
    let gateways: Vec<_> = cluster.gateways.iter().collect();
    let site = &rounds.last().expect("a round").site;
    cluster.wait_until_agreed_at(site, &gateways).await;
}
