//! What the owner changes while a replica runs counts from the next decision on.

use crate::support::replica::{MORNING, book, book_with, digest, ledger, number, replica, take};
use paihao_chassis::clock::ManualClock;
use paihao_domain::{QueueRules, Refusal};
use paihao_gateway::book::DeploymentSettings;
use paihao_gateway::lines::SubmitError;

fn closed() -> DeploymentSettings {
    book_with(QueueRules { open: false, ..QueueRules::new("存取款", "A") })
}

#[tokio::test]
async fn the_next_decision_is_made_with_the_new_rules() {
    let clock = ManualClock::at(MORNING);
    let (ledger, _folder) = ledger(&clock);
    let lines = replica(ledger.clone(), &clock).await;
    assert_eq!(number(lines.submit("hall", take("ann")).await), "A001");
    let mut views = lines.watch("hall").unwrap();
    views.mark_unchanged();

    lines.set_sites(&book_with(QueueRules::new("贷款", "B")).sites);
    assert!(views.has_changed().unwrap(), "screens are told");
    assert_eq!(
        &*lines.settings("hall").unwrap().rules.queues.values().next().unwrap().name,
        "贷款"
    );
    assert_eq!(number(lines.submit("hall", take("bob")).await), "B001");

    lines.set_sites(&closed().sites);
    let refused = lines.submit("hall", take("cid")).await.unwrap_err();
    assert!(matches!(refused, SubmitError::Refused(Refusal::QueueClosed(_))), "{refused:?}");
}

/// Two replicas with different rules for a moment: each decides by its own, and both are where the
/// ledger says, since what was decided stands in the events.
#[tokio::test]
async fn replicas_of_different_rules_agree_on_what_happened() {
    let clock = ManualClock::at(MORNING);
    let (ledger, _folder) = ledger(&clock);
    let (old, new) = (replica(ledger.clone(), &clock).await, replica(ledger.clone(), &clock).await);
    new.set_sites(&book_with(QueueRules::new("贷款", "B")).sites);
    assert_eq!(number(old.submit("hall", take("ann")).await), "A001");
    assert_eq!(number(new.submit("hall", take("bob")).await), "B001");
    assert_eq!(number(old.submit("hall", take("cid")).await), "A002");
    let same = digest(&old, &*ledger).await;
    assert_eq!(digest(&new, &*ledger).await, same);
    // A replica that begins with rules that neither of them had reads the same.
    let late = crate::support::replica::replica_of(&closed(), ledger.clone(), &clock).await;
    assert_eq!(digest(&late, &*ledger).await, same);
}

#[tokio::test]
async fn a_site_that_comes_later_has_the_line_that_others_wrote() {
    let clock = ManualClock::at(MORNING);
    let (ledger, _folder) = ledger(&clock);
    let with = replica(ledger.clone(), &clock).await;
    let without =
        crate::support::replica::replica_of(&DeploymentSettings::default(), ledger.clone(), &clock)
            .await;
    let refused = without.submit("hall", take("ann")).await;
    assert_eq!(refused, Err(SubmitError::UnknownSite));
    assert_eq!(number(with.submit("hall", take("ann")).await), "A001");

    without.set_sites(&book().sites);
    assert_eq!(number(without.submit("hall", take("bob")).await), "A002");
    without.set_sites(&DeploymentSettings::default().sites);
    assert_eq!(without.submit("hall", take("cid")).await, Err(SubmitError::UnknownSite));
    assert!(without.settings("hall").is_none() && without.snapshot("hall").is_none());
    without.set_sites(&book().sites);
    assert_eq!(number(without.submit("hall", take("cid")).await), "A003");
}
