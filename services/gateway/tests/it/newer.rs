//! Tests of a gateway beside newer programs: it tells whose entries it cannot read.

use crate::support::cluster::Cluster;
use crate::support::wait_until;
use paihao_contracts::dead_letter::HANDLED_SUBJECT;
use paihao_contracts::streams::{LEDGER, LOGS, SETTINGS, SNAPSHOTS, STAFF, STAFF_SESSIONS};
use paihao_gateway::settings::DeploymentSettings;
use paihao_ledger::{Entry, ExpectedPosition, Ledger, Subject};

/// Logs that gateways write. The others are written by the notifier.
const WRITTEN_BY_GATEWAYS: [&str; 4] =
    [LEDGER.name, SETTINGS.name, STAFF.name, STAFF_SESSIONS.name];

#[tokio::test]
async fn a_newer_entry_of_any_log_is_known_at_once_and_after_a_restart() {
    // Of a snapshot only a start takes notice, and only if the ledger does not do in its place.
    for log in LOGS.into_iter().filter(|log| *log != SNAPSHOTS) {
        let cluster = Cluster::new();
        let start = async || {
            let gateway = cluster.start(cluster.setup(DeploymentSettings::default())).await;
            gateway.service
        };
        let running = start().await;
        assert_eq!((running.newer_gateway(), running.newer_notifier()), (None, None));
        let subject = Subject::new(&[HANDLED_SUBJECT, "1"]).unwrap();
        let newer = Entry::new(&br#"{"v":99,"wonders":[]}"#[..]);
        cluster.ledger.append(&log, &subject, ExpectedPosition::Any, newer).await.unwrap();
        let by_gateway = WRITTEN_BY_GATEWAYS.contains(&log.name);
        for gateway in [running, start().await] {
            let behind = || (gateway.newer_gateway(), gateway.newer_notifier());
            wait_until(log.name, async || behind() != (None, None)).await;
            let (gateway, notifier) = behind();
            assert_eq!((gateway.is_some(), notifier.is_some()), (by_gateway, !by_gateway));
            assert_eq!(gateway.or(notifier).map(|newer| newer.version), Some(99));
        }
        cluster.tasks.stop().cancel();
    }
}
