//! Test of linearizability: clients of one busy site at three gateways, one of which is killed,
//! record a history that fits the ledger.

mod history;

mod model;

mod check;

mod checker_tests;

mod clients;

mod nemesis;

use crate::support::cluster::{Cluster, log_entries, site_id};
use check::check;
use clients::{Extent, LinearRun, extra_site_config, served_queues};
use history::Answer;
use paihao_contracts::commit::{Commit, Decision};
use paihao_contracts::streams::LEDGER;
use std::sync::atomic::Ordering;
use std::time::Duration;

/// Numbers that each customer takes, one after the other.
const VISITS_PER_CLIENT: u64 = 25;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_history_of_a_busy_site_is_linearizable() {
    let mut cluster = Cluster::start_gateways(3, &extra_site_config(&site_id(0))).await;
    let run = LinearRun::new(site_id(0), &cluster.gateways, Extent::Visits(VISITS_PER_CLIENT));
    let kill = async {
        let answered = |n| run.answered_count.load(Ordering::Relaxed) >= n;
        let reached = async |n| {
            let timeout = Duration::from_secs(120);
            harness::wait_until("requests are answered", timeout, async || answered(n)).await;
        };
        reached(120).await;
        cluster.gateways[1].program.kill();
        reached(240).await;
        cluster.gateways[1].program.restart();
    };
    tokio::join!(run.run(), kill);

    let commits = log_entries::<Commit>(&cluster, &LEDGER).await;
    let ledger: Vec<Decision> = commits.into_iter().flat_map(|commit| commit.decisions).collect();
    let history = run.take_history();
    let violations = check(&ledger, &history, served_queues());
    assert!(violations.is_empty(), "{} violations: {violations:#?}", violations.len());
    let succeeded = history.iter().filter(|op| matches!(op.answered, Some((_, Answer::Done(_)))));
    let refused = history.len() - succeeded.count();
    assert!(refused > 0, "no request was refused: the clients do not race");
    assert!(history.iter().any(|op| op.retried), "no response was lost: the kill had no effect");
}
