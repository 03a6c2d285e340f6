//! Template messages from commit to outcome: once, in time, or not at all.

use crate::world::{SEND, World, key, person};
use futures::StreamExt;
use paihao_contracts::notice::DeliveryOutcome;
use paihao_contracts::streams::{DEAD_LETTERS, OUTCOMES};
use paihao_ledger::{Ledger, LogItem, Position};
use std::time::Duration;
use wechat_sim::{Fault, Refusal, SimTemplate};

#[tokio::test]
async fn two_notifiers_tell_everybody_once_however_often_a_commit_is_planned() {
    let world = World::new().await;
    world.followers(1..101);
    world.notifier(SimTemplate::DEMO_CALLED);
    world.notifier(SimTemplate::DEMO_CALLED);
    for first in (1..101).step_by(10) {
        world.call(first..first + 10).await;
        // The same again: as if a planner had died before it said that it was done.
        world.call(first..first + 10).await;
    }
    let outcomes = world.outcomes(100).await;
    assert!(
        outcomes.values().all(|fate| matches!(fate, DeliveryOutcome::Sent { .. })),
        "{outcomes:?}"
    );
    for i in 1..101 {
        assert_eq!(world.wechat.messages(&person(i)).len(), 1);
    }
    world.tasks.stop_and_wait().await;
    assert_eq!(world.count(&OUTCOMES).await, 100);
    assert_eq!(world.wechat.stats().messages_accepted, 100);
    assert_eq!(world.wechat.stats().messages_repeated, 0, "WeChat had to tell two of them apart");
}

#[tokio::test]
async fn what_is_no_longer_true_is_not_sent_and_that_is_recorded() {
    let world = World::new().await;
    world.followers(1..2);
    world.call(1..2).await;
    world.clock.advance(Duration::from_secs(181));
    world.notifier(SimTemplate::DEMO_CALLED);
    assert_eq!(world.outcomes(1).await[&key(1)], DeliveryOutcome::Stale);
    assert_eq!(world.wechat.stats().messages_accepted, 0);
}

#[tokio::test]
async fn somebody_who_refuses_is_left_alone() {
    let world = World::new().await;
    world.wechat.set_person(None, &person(1), true, Refusal::AtOnce);
    world.wechat.set_person(None, &person(2), false, Refusal::No);
    world.call(1..3).await;
    world.notifier(SimTemplate::DEMO_CALLED);
    let outcomes = world.outcomes(2).await;
    assert!(
        matches!(outcomes[&key(1)], DeliveryOutcome::Refused { code: 43101, .. }),
        "{outcomes:?}"
    );
    assert!(
        matches!(outcomes[&key(2)], DeliveryOutcome::Refused { code: 43004, .. }),
        "{outcomes:?}"
    );
    world.tasks.stop_and_wait().await;
    assert_eq!(world.count(&DEAD_LETTERS).await, 0, "nobody has to look at a refusal");
    assert_eq!(world.wechat.stats().calls[SEND], 2, "asked again although refused");
}

#[tokio::test]
async fn our_own_mistake_goes_to_the_dead_letters_with_its_reason() {
    let world = World::new().await;
    world.followers(1..2);
    world.call(1..2).await;
    world.notifier("a-template-that-was-deleted");
    let outcomes = world.outcomes(1).await;
    assert!(
        matches!(outcomes[&key(1)], DeliveryOutcome::Refused { code: 40037, .. }),
        "{outcomes:?}"
    );
    let mut letters = world.ledger.follow(&DEAD_LETTERS, Position::START).await.unwrap();
    let letter = tokio::time::timeout(Duration::from_secs(30), letters.next()).await.unwrap();
    let Some(LogItem::Entry(letter)) = letter else { panic!("{letter:?}") };
    let headers = format!("{:?}", letter.entry.headers);
    assert!(headers.contains("40037"), "{headers}");
    assert!(!headers.contains(&person(1)), "an openid in a reason: {headers}");
}

#[tokio::test]
async fn a_busy_wechat_is_asked_again_and_then_given_up_after_nine_minutes() {
    let world = World::new().await;
    world.followers(1..3);
    world.wechat.add_fault(Fault::errcode(SEND, -1).containing(&person(1)).times(1));
    world.wechat.add_fault(Fault::errcode(SEND, -1).containing(&person(2)));
    world.call(1..3).await;
    world.notifier(SimTemplate::DEMO_CALLED);
    assert!(matches!(world.outcomes(1).await[&key(1)], DeliveryOutcome::Sent { .. }));
    world.clock.advance(Duration::from_secs(9 * 60));
    let outcomes = world.outcomes(2).await;
    assert!(matches!(outcomes[&key(2)], DeliveryOutcome::GaveUp { .. }), "{outcomes:?}");
    assert_eq!(world.wechat.messages(&person(2)).len(), 0);
}
