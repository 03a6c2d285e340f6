//! What was given up is tried again once somebody has mended the reason: once, and only if it is still
//! worth saying.

use crate::world::{NOW, World, key, person};
use futures::StreamExt;
use paihao_contracts::dead_letter::{
    DeadLetterAction, DeadLetterResolution, HANDLED_SUBJECT, redrive_key,
};
use paihao_contracts::notice::DeliveryOutcome;
use paihao_contracts::streams::{DEAD_LETTERS, Log, OUTCOMES};
use paihao_ledger::dead_letter::Cause;
use paihao_ledger::{Entry, ExpectedPosition, Ledger, LogItem, Position, StoredEntry, Subject};
use std::time::Duration;
use wechat_sim::{Fault, SimTemplate};

/// The entries of a log, as soon as there are so many.
async fn entries(world: &World, log: &Log, count: usize) -> Vec<StoredEntry> {
    let mut follower = world.ledger.follow(log, Position::START).await.unwrap();
    let mut read = Vec::new();
    while read.len() < count {
        let next = tokio::time::timeout(Duration::from_secs(30), follower.next()).await;
        let Ok(Some(LogItem::Entry(recorded))) = next else { panic!("only {read:?}") };
        read.push(recorded);
    }
    read
}

/// Somebody has a letter tried again, as often as given.
async fn redrive(world: &World, letter: &StoredEntry, newest: u32, times: usize) {
    let did = DeadLetterAction::Redriven { newest };
    let handled = DeadLetterResolution { v: 1, at: NOW, by: "boss".to_owned(), action: did };
    let subject = Subject::new(&[HANDLED_SUBJECT, &letter.position.0.to_string()]).unwrap();
    for _ in 0..times {
        let entry = Entry::new(serde_json::to_vec(&handled).unwrap());
        world.ledger.append(&DEAD_LETTERS, &subject, ExpectedPosition::Any, entry).await.unwrap();
    }
}

/// A world in which the first person's call was refused for a template that is not there, and is.
async fn refused() -> (World, StoredEntry) {
    let world = World::new().await;
    world.followers(1..10);
    world.wechat.add_fault(Fault::errcode(crate::world::SEND, 40037).times(1));
    world.notifier(SimTemplate::DEMO_CALLED);
    world.enqueue(1, |_| {}).await;
    let letter = entries(&world, &DEAD_LETTERS, 1).await.remove(0);
    let cause = Cause::from_dead_letter(&letter.entry).unwrap();
    assert!(cause.reason.contains("40037 template_unknown"), "{cause:?}");
    (world, letter)
}

#[tokio::test]
async fn a_letter_whose_reason_is_mended_is_said_once_however_often_it_is_asked_for() {
    let (world, letter) = refused().await;
    redrive(&world, &letter, 1, 3).await;
    let ended = world.outcomes(2).await;
    assert!(matches!(ended[&redrive_key(&key(1))], DeliveryOutcome::Sent { .. }), "{ended:?}");
    assert!(matches!(ended[&key(1)], DeliveryOutcome::Refused { code: 40037, .. }), "as it was");
    // Another one goes through, and nothing was told twice before it.
    world.enqueue(2, |_| {}).await;
    world.outcomes(3).await;
    assert_eq!(world.wechat.messages(&person(1)).len(), 1);
}

#[tokio::test]
async fn a_letter_that_is_no_longer_true_is_stale_and_one_that_was_overtaken_is_superseded() {
    let (world, letter) = refused().await;
    // The cache has lost the ticket's thread; whoever asks knows that a later one was told.
    redrive(&world, &letter, 2, 1).await;
    let ended = world.outcomes(2).await;
    assert_eq!(ended[&redrive_key(&key(1))], DeliveryOutcome::Superseded);

    let (world, letter) = refused().await;
    world.clock.advance(Duration::from_secs(600));
    redrive(&world, &letter, 1, 1).await;
    let ended = world.outcomes(2).await;
    assert_eq!(ended[&redrive_key(&key(1))], DeliveryOutcome::Stale);
    assert_eq!(world.wechat.messages(&person(1)).len(), 0);
}

#[tokio::test]
async fn what_wechat_may_have_is_never_tried_again() {
    let (world, letter) = refused().await;
    // A letter of a notice of which no record says that it was refused.
    let mut notice: serde_json::Value = serde_json::from_slice(&letter.entry.payload).unwrap();
    notice["key"] = "hall/20780/3/called#1".into();
    let cause = Cause {
        key: "hall/20780/3/called#1".into(),
        ..Cause::from_dead_letter(&letter.entry).unwrap()
    };
    let copy = cause.to_dead_letter(&Entry::new(notice.to_string()));
    let subject = Subject::new(&["notices"]).unwrap();
    let position = world.ledger.append(&DEAD_LETTERS, &subject, ExpectedPosition::Any, copy).await;
    redrive(&world, &StoredEntry { position: position.unwrap(), ..letter.clone() }, 1, 1).await;
    // Whoever comes after it in the log is done, and so is it once everything is.
    redrive(&world, &letter, 1, 1).await;
    world.outcomes(2).await;
    world.tasks.stop_and_wait().await;
    assert_eq!(world.count(&OUTCOMES).await, 2);
    assert_eq!(world.wechat.messages(&person(1)).len(), 1);
}
