//! Tests that settings which change at run time apply from the next decision on.

use crate::support::engine::{
    MORNING_MS, deployment_settings, digest, open_ledger, settings_with_queue, start_engine,
    take_ticket, ticket_number,
};
use paihao_chassis::clock::ManualClock;
use paihao_domain::{QueueRules, Refusal};
use paihao_gateway::engine::SubmitError;
use paihao_gateway::settings::DeploymentSettings;

fn closed_settings() -> DeploymentSettings {
    settings_with_queue(QueueRules { open: false, ..QueueRules::new("存取款", "A") })
}

#[tokio::test]
async fn the_next_decision_is_made_with_the_new_rules() {
    let clock = ManualClock::at(MORNING_MS);
    let (ledger, _folder) = open_ledger(&clock);
    let engine = start_engine(ledger.clone(), &clock).await;
    assert_eq!(ticket_number(engine.submit("hall", take_ticket("ann")).await), "A001");
    let mut snapshots = engine.watch("hall").unwrap();
    snapshots.mark_unchanged();

    engine.set_sites(&settings_with_queue(QueueRules::new("贷款", "B")).sites);
    assert!(snapshots.has_changed().unwrap(), "screens are told");
    assert_eq!(
        &*engine.settings("hall").unwrap().rules.queues.values().next().unwrap().name,
        "贷款"
    );
    assert_eq!(ticket_number(engine.submit("hall", take_ticket("bob")).await), "B001");

    engine.set_sites(&closed_settings().sites);
    let refused = engine.submit("hall", take_ticket("cid")).await.unwrap_err();
    assert!(matches!(refused, SubmitError::Refused(Refusal::QueueClosed(_))), "{refused:?}");
}

/// Two replicas have different rules for a moment, and each decides by its own. Both agree with the
/// ledger, since the events hold the decisions.
#[tokio::test]
async fn replicas_of_different_rules_agree_on_what_happened() {
    let clock = ManualClock::at(MORNING_MS);
    let (ledger, _folder) = open_ledger(&clock);
    let old = start_engine(ledger.clone(), &clock).await;
    let new = start_engine(ledger.clone(), &clock).await;
    new.set_sites(&settings_with_queue(QueueRules::new("贷款", "B")).sites);
    assert_eq!(ticket_number(old.submit("hall", take_ticket("ann")).await), "A001");
    assert_eq!(ticket_number(new.submit("hall", take_ticket("bob")).await), "B001");
    assert_eq!(ticket_number(old.submit("hall", take_ticket("cid")).await), "A002");
    let same = digest(&old, &*ledger).await;
    assert_eq!(digest(&new, &*ledger).await, same);
    // A replica that starts with a third set of rules reads the same state.
    let late =
        crate::support::engine::start_engine_with(&closed_settings(), ledger.clone(), &clock).await;
    assert_eq!(digest(&late, &*ledger).await, same);
}

#[tokio::test]
async fn a_site_that_comes_later_has_the_line_that_others_wrote() {
    let clock = ManualClock::at(MORNING_MS);
    let (ledger, _folder) = open_ledger(&clock);
    let with = start_engine(ledger.clone(), &clock).await;
    let without = crate::support::engine::start_engine_with(
        &DeploymentSettings::default(),
        ledger.clone(),
        &clock,
    )
    .await;
    let refused = without.submit("hall", take_ticket("ann")).await;
    assert_eq!(refused, Err(SubmitError::UnknownSite));
    assert_eq!(ticket_number(with.submit("hall", take_ticket("ann")).await), "A001");

    without.set_sites(&deployment_settings().sites);
    assert_eq!(ticket_number(without.submit("hall", take_ticket("bob")).await), "A002");
    without.set_sites(&DeploymentSettings::default().sites);
    assert_eq!(without.submit("hall", take_ticket("cid")).await, Err(SubmitError::UnknownSite));
    assert!(without.settings("hall").is_none() && without.snapshot("hall").is_none());
    without.set_sites(&deployment_settings().sites);
    assert_eq!(ticket_number(without.submit("hall", take_ticket("cid")).await), "A003");
}
