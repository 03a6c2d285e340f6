//! Tests of the log of a ticket: claims of workers that cannot reach it, and tickets with many
//! notices.

use crate::support::{TestEnv, deliver, notice_key_for_call, open_id, policy_for};
use async_trait::async_trait;
use paihao_contracts::envelope;
use paihao_contracts::notice::{Channel, DeliveryOutcome, Notice};
use paihao_contracts::streams::{Log, OUTCOMES};
use paihao_ledger::conformance::layer::LedgerLayer;
use paihao_ledger::{
    AppendError, Disposition, Entry, ExpectedPosition, Ledger, Position, Subject, Unavailable,
};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use wechat_sim::SimTemplate;

/// Ledger whose answers are lost, and which soon cannot be reached at all.
struct CutOff {
    inner: Arc<dyn Ledger>,
    is_cut: AtomicBool,
    has_appended: AtomicBool,
}

#[async_trait]
impl LedgerLayer for CutOff {
    fn inner(&self) -> &dyn Ledger {
        &*self.inner
    }

    async fn append(
        &self,
        log: &Log,
        subject: &Subject,
        expect: ExpectedPosition,
        entry: Entry,
    ) -> Result<Position, AppendError> {
        if !self.is_cut.load(Ordering::SeqCst) {
            return self.inner.append(log, subject, expect, entry).await;
        }
        // The first append arrives, and nothing comes back.
        if !self.has_appended.swap(true, Ordering::SeqCst) {
            self.inner.append(log, subject, expect, entry).await?;
        }
        Err(Unavailable("cut off".to_owned()).into())
    }
}

/// Builds the notice of the n-th call of the first ticket.
fn notice(env: &TestEnv, call: u32) -> Notice {
    let commit = env.commit("shop", vec![env.call_event(1, call)]);
    paihao_notifier::planning::plan::plan(&commit).remove(0)
}

#[tokio::test]
async fn a_claim_that_was_not_used_is_withdrawn_when_it_is_questioned() {
    let channels = [Channel::Template, Channel::Subscription, Channel::CustomerService];
    for channel in channels {
        for (is_back, is_later) in [(true, false), (true, true), (false, false), (false, true)] {
            // A template message alone is simply sent again.
            if channel != Channel::Template || is_later {
                check_questioned_claim(channel, is_back, is_later).await;
            }
        }
    }
}

/// Lets a worker claim an attempt and cuts it off, and another one meet the claim with the same
/// notice or a later one.
async fn check_questioned_claim(channel: Channel, is_back: bool, is_later: bool) {
    let case = format!("{channel:?}, back: {is_back}, later: {is_later}");
    let env = TestEnv::new().await;
    env.add_followers(1..2);
    env.wechat.grant_notices(None, &open_id(1), SimTemplate::DEMO_PROGRESS, 5);
    env.person_writes(1).await;
    let handlers = env.handlers(policy_for(&[channel]), 8);
    let link = Arc::new(CutOff {
        inner: env.ledger.clone(),
        is_cut: AtomicBool::new(true),
        has_appended: AtomicBool::new(false),
    });
    let cut_off = handlers.delivery(env.ports(link.clone()));
    let other = handlers.delivery(env.ports(env.ledger.clone()));
    let first = notice(&env, 1);
    let met = if is_later { notice(&env, 2) } else { first.clone() };
    let mut claiming = Box::pin(deliver(&cut_off, &first));
    let is_claimed = async || {
        while env.outcome_records().await.is_empty() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::select! {
        disposition = &mut claiming => panic!("{disposition:?} without an answer"),
        () = is_claimed() => {}
    }
    let held = deliver(&other, &met).await;
    assert!(matches!(held, Disposition::RetryAfter(_)), "{case}: {held:?}");
    env.clock.advance(Duration::from_secs(20));
    let questioned = Disposition::RetryAfter(Duration::from_secs(5));
    assert_eq!(deliver(&other, &met).await, questioned, "{case}");
    if is_back {
        link.is_cut.store(false, Ordering::SeqCst);
        assert_eq!(claiming.await, Disposition::RetryAfter(Duration::ZERO), "{case}");
    }
    env.clock.advance(Duration::from_secs(5));
    assert_eq!(deliver(&other, &met).await, Disposition::Ack, "{case}");
    assert_eq!(deliver(&other, &first).await, Disposition::Ack, "{case}");
    let ends = env.ended_outcomes().await;
    let end_of = |call| {
        let key = notice_key_for_call(1, call);
        ends.iter().find(|end| end.key == key).map(|end| &end.outcome)
    };
    match (end_of(1).expect("its outcome"), is_back, is_later) {
        (DeliveryOutcome::Sent { .. }, true, false) | (DeliveryOutcome::Superseded, true, true) => {
        }
        // Nobody knows what a worker has done that does not come back.
        (DeliveryOutcome::Unknown { .. }, false, _) => {}
        (outcome, ..) => panic!("{case}: {outcome:?}"),
    }
    let is_sent = matches!(end_of(2), Some(DeliveryOutcome::Sent { .. }));
    assert_eq!(is_sent, is_later, "{case}: {ends:?}");
    assert_eq!(ends.len(), 1 + usize::from(is_later), "{case}");
}

#[tokio::test]
async fn a_notice_of_a_long_ticket_ends_once() {
    const CALLS: u32 = 70;
    let env = TestEnv::new().await;
    env.add_followers(1..2);
    let handlers = env.handlers(policy_for(&[Channel::Template]), 8);
    let worker = handlers.delivery(env.ports(env.ledger.clone()));
    for call in 1..=CALLS {
        assert_eq!(deliver(&worker, &notice(&env, call)).await, Disposition::Ack);
    }
    // Each acknowledgement was lost; and one notice was late.
    let late = Notice { key: notice_key_for_call(1, 99), ..notice(&env, 1) };
    for _ in 0..2 {
        for call in 1..=CALLS {
            assert_eq!(deliver(&worker, &notice(&env, call)).await, Disposition::Ack);
        }
        assert_eq!(deliver(&worker, &late).await, Disposition::Ack);
    }
    let mut keys: Vec<_> = env.ended_outcomes().await.into_iter().map(|end| end.key).collect();
    assert_eq!(keys.len() as u32, CALLS + 1);
    keys.sort();
    keys.dedup();
    assert_eq!(keys.len() as u32, CALLS + 1, "each once");
    assert_eq!(env.wechat.messages(&open_id(1)).len() as u32, CALLS);
}

#[tokio::test]
async fn the_newest_record_alone_tells_the_state_of_a_ticket() {
    let env = TestEnv::new().await;
    env.add_followers(1..2);
    let handlers = env.handlers(policy_for(&[Channel::Template]), 8);
    let worker = handlers.delivery(env.ports(env.ledger.clone()));
    for call in [1, 2] {
        assert_eq!(deliver(&worker, &notice(&env, call)).await, Disposition::Ack);
    }
    let head = env.ledger.head(&OUTCOMES).await.unwrap();
    let last = env.ledger.get(&OUTCOMES, head).await.unwrap().unwrap();
    let record: paihao_contracts::ticket_record::TicketRecord =
        envelope::decode(&last.entry.payload).unwrap();
    let names: Vec<_> = record.ticket.ended.iter().map(|ended| &*ended.name).collect();
    assert_eq!((record.ticket.newest, names), (2, vec!["called#1", "called#2"]));
    assert!(record.ticket.open.is_empty() && !record.ticket.shortened);
}
