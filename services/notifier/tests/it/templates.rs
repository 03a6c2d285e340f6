//! Templates that were set through the API, at a start of the notifier.

use crate::support::{TestEnv, notice_key, open_id};
use paihao_contracts::notice::DeliveryOutcome;
use paihao_contracts::settings_log::{SettingsEntry, SettingsEvent};
use paihao_contracts::streams::{DEAD_LETTERS, NOTICES, OUTCOMES, SETTINGS};
use paihao_ledger::conformance::held_log::HeldLog;
use paihao_ledger::{Entry, ExpectedPosition, Ledger, Subject};
use paihao_notifier::NoticePolicy;
use serde_json::json;
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;
use wechat_sim::SimTemplate;

#[tokio::test]
async fn a_notice_waits_for_its_template_at_a_start() {
    let env = TestEnv::new().await;
    env.add_followers(1..2);
    let setup = json!({
        "called": {
            "template_id": SimTemplate::DEMO_CALLED,
            "fields": {
                "thing1": "{site}",
                "character_string2": "{number}",
                "thing3": "{counter}",
                "time4": "{time}",
            },
        },
    });
    let setup = Box::new(serde_json::from_value(setup).unwrap());
    let account = "shop".to_owned();
    let event =
        SettingsEvent::AccountSet { account, by: "boss".to_owned(), setup, idempotency: None };
    let entry = Entry::new(SettingsEntry::new(0, event).encode());
    let subject = Subject::new(&["account", "shop"]).unwrap();
    env.ledger.append(&SETTINGS, &subject, ExpectedPosition::Any, entry).await.unwrap();

    // The configuration alone has no channel for it.
    let released = CancellationToken::new();
    let held = HeldLog::new(env.ledger.clone(), &SETTINGS, released.clone());
    env.notifier_over(Arc::new(held), NoticePolicy::default(), 8);
    env.enqueue_notice(1, |_| {}).await;
    // Another worker of the queue gets it: the notifier, which knows no template yet, has not.
    let mut other = env.ledger.consume_queue(&NOTICES, 1).await.unwrap();
    let delivery = tokio::time::timeout(Duration::from_secs(10), other.next()).await;
    drop(delivery.expect("nobody has taken it"));
    drop(other);
    assert_eq!(env.log_len(&OUTCOMES).await, 0);
    released.cancel();
    let outcomes = env.wait_for_outcomes(1).await;
    assert!(matches!(outcomes[&notice_key(1)], DeliveryOutcome::Sent { .. }), "{outcomes:?}");
    assert_eq!(env.wechat.messages(&open_id(1)).len(), 1);
    assert_eq!(env.log_len(&DEAD_LETTERS).await, 0);
}
