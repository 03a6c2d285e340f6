//! Cases of the partitions of a ledger: each log of one is a log of its own.

use super::*;
use crate::ExpectedPosition;
use paihao_contracts::partitions::Partitions;
use paihao_contracts::streams::{PLANNER, VISIT_WRITER};
use std::collections::BTreeSet;
use std::sync::Arc;

fn four() -> Partitions {
    Partitions::new(4).expect("a number of partitions")
}

/// A site has its entries in the logs of its partition, and nowhere else.
pub async fn each_site_is_in_one(ledger: Arc<dyn Ledger>) {
    let site = |index: usize| subject(&format!("site-{index}"));
    let log_of = |index: usize| four().of(site(index).as_str()).ledger;
    let mut last = Vec::new();
    for index in 0..24 {
        let (log, site) = (log_of(index), site(index));
        let append = |expect| ledger.append(&log, &site, expect, Entry::new("x"));
        let first = append(ExpectedPosition::Empty).await.unwrap();
        last.push(append(ExpectedPosition::At(first)).await.unwrap());
    }
    for partition in four().all() {
        let own = (0..24).filter(|index| log_of(*index) == partition.ledger);
        let own: BTreeSet<_> = own.map(site).collect();
        assert!(!own.is_empty(), "24 sites reach every partition");
        let mut follower = ledger.follow(&partition.ledger, Position::START).await.unwrap();
        let entries = next_entries(&mut follower, 2 * own.len()).await;
        assert_eq!(entries.iter().map(|entry| entry.subject.clone()).collect::<BTreeSet<_>>(), own);
        assert_pending("entries of another partition", follower.next()).await;
        let newest = entries.iter().map(|entry| entry.position).max().unwrap();
        assert_eq!(ledger.head(&partition.ledger).await.unwrap(), newest);
        for (index, last) in last.iter().enumerate() {
            let found = ledger.last(&partition.ledger, &site(index)).await.unwrap();
            let expected = own.contains(&site(index)).then_some(*last);
            assert_eq!(found.map(|entry| entry.position), expected);
        }
    }
}

/// A consumer of one name has a progress of its own in each partition.
pub async fn consumers_of_one_name_do_not_share(ledger: Arc<dyn Ledger>) {
    for round in 0..3 {
        for partition in four().all() {
            let payload = format!("{} {round}", partition.index);
            append_any(&*ledger, &partition.ledger, "a", payload).await;
        }
    }
    for partition in four().all() {
        for consumer in [PLANNER, VISIT_WRITER] {
            let mut deliveries = ledger.consume(&partition.ledger, &consumer, 1).await.unwrap();
            for round in 0..=partition.index.min(2) {
                let delivery = next_delivery(&mut deliveries).await;
                let expected = format!("{} {round}", partition.index);
                assert_eq!(payload_text(&delivery.message), expected);
                delivery.ack().await.unwrap();
            }
        }
    }
    ledger.close().await;
    for partition in four().all() {
        let mut deliveries = ledger.consume(&partition.ledger, &PLANNER, 1).await.unwrap();
        for round in partition.index.min(2) + 1..3 {
            let delivery = next_delivery(&mut deliveries).await;
            assert_eq!(payload_text(&delivery.message), format!("{} {round}", partition.index));
            delivery.ack().await.unwrap();
        }
        assert_pending("everything is done", deliveries.next()).await;
    }
}
