//! Templates that were set through the API, at a start of the notifier.

use crate::support::{TestEnv, notice_key, open_id};
use async_trait::async_trait;
use futures::StreamExt;
use futures::stream::BoxStream;
use paihao_contracts::notice::DeliveryOutcome;
use paihao_contracts::settings_log::{SettingsEntry, SettingsEvent};
use paihao_contracts::streams::{
    Consumer, DEAD_LETTERS, Log, NOTICES, OUTCOMES, SETTINGS, WorkQueue,
};
use paihao_ledger::{
    AppendError, Deliveries, EnqueueOutcome, Entry, ExpectedPosition, Ledger, LogItem, Position,
    StoredEntry, Subject, Unavailable,
};
use paihao_ledger_sqlite::SqliteLedger;
use paihao_notifier::NoticePolicy;
use serde_json::json;
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;
use wechat_sim::SimTemplate;

/// Ledger whose settings can be read only once they are released.
struct SlowSettings {
    ledger: Arc<SqliteLedger>,
    released: CancellationToken,
}

#[async_trait]
impl Ledger for SlowSettings {
    async fn append(
        &self,
        log: &Log,
        subject: &Subject,
        expect: ExpectedPosition,
        entry: Entry,
    ) -> Result<Position, AppendError> {
        self.ledger.append(log, subject, expect, entry).await
    }

    async fn last(&self, log: &Log, subject: &Subject) -> Result<Option<StoredEntry>, Unavailable> {
        self.ledger.last(log, subject).await
    }

    async fn head(&self, log: &Log) -> Result<Position, Unavailable> {
        self.ledger.head(log).await
    }

    async fn follow(
        &self,
        log: &Log,
        after: Position,
    ) -> Result<BoxStream<'static, LogItem>, Unavailable> {
        let entries = self.ledger.follow(log, after).await?;
        if log.name != SETTINGS.name {
            return Ok(entries);
        }
        let released = self.released.clone();
        let wait = futures::stream::once(async move { released.cancelled().await });
        Ok(wait.flat_map(|()| futures::stream::empty()).chain(entries).boxed())
    }

    async fn consume(
        &self,
        log: &Log,
        consumer: &Consumer,
        in_flight: usize,
    ) -> Result<Deliveries, Unavailable> {
        self.ledger.consume(log, consumer, in_flight).await
    }

    async fn enqueue(
        &self,
        queue: &WorkQueue,
        key: &str,
        entry: Entry,
        delay: Duration,
    ) -> Result<EnqueueOutcome, Unavailable> {
        self.ledger.enqueue(queue, key, entry, delay).await
    }

    async fn consume_queue(
        &self,
        queue: &WorkQueue,
        in_flight: usize,
    ) -> Result<Deliveries, Unavailable> {
        self.ledger.consume_queue(queue, in_flight).await
    }

    async fn check(&self) -> Result<(), Unavailable> {
        self.ledger.check().await
    }
}

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
    let entry = Entry::new(SettingsEntry { v: 1, at: 0, event }.encode());
    let subject = Subject::new(&["account", "shop"]).unwrap();
    env.ledger.append(&SETTINGS, &subject, ExpectedPosition::Any, entry).await.unwrap();

    // The configuration alone has no channel for it.
    let released = CancellationToken::new();
    let slow = SlowSettings { ledger: env.ledger.clone(), released: released.clone() };
    env.notifier_over(Arc::new(slow), NoticePolicy::default(), 8);
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
