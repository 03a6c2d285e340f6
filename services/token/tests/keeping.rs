//! Tests of keepers in paused time: fetches, hand-over of the lease, and the tokens that readers
//! get.

mod world;

use bytes::Bytes;
use futures::future::join_all;
use paihao_cache::Cache;
use paihao_contracts::streams::{REFUSED_TOKENS, access_token_key};
use paihao_ledger::{Entry, Ledger};
use paihao_token::Channel;
use paihao_wechat::{AccessToken, CallError, TokenSource, fingerprint};
use std::time::Duration;
use tokio::time::{Instant, sleep};
use world::{ACCOUNT, World, until, wrong_secret};

fn secs(n: u64) -> Duration {
    Duration::from_secs(n)
}

#[tokio::test(start_paused = true)]
async fn many_keepers_and_many_readers_fetch_one_token() {
    for channel in [Channel::Stable, Channel::Classic] {
        let world = World::new(channel);
        let reads = (0..64).map(|_| {
            let reader = world.reader();
            async move { reader.current(ACCOUNT).await }
        });
        let waiting = join_all(reads);
        let _replicas = [world.replica(), world.replica(), world.replica()];
        let tokens = waiting.await;
        assert!(tokens.iter().all(|t| t.as_ref().unwrap().expose() == "1_token"), "{tokens:?}");
        sleep(secs(3600)).await;
        assert_eq!(world.wechat.calls().len(), 1, "{channel:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn one_token_is_fetched_every_two_hours_and_there_is_always_one() {
    for (channel, ahead) in [(Channel::Stable, 250..300), (Channel::Classic, 540..661)] {
        let world = World::new(channel);
        let _replicas = [world.replica(), world.replica()];
        let reader = world.reader();
        let started = Instant::now();
        while started.elapsed() < secs(24 * 3600) {
            reader.current(ACCOUNT).await.unwrap();
            sleep(secs(7)).await;
        }
        let calls = world.wechat.calls();
        let span = if channel == Channel::Stable { 12..=13 } else { 13..=15 };
        assert!(span.contains(&calls.len()), "{channel:?}: {} fetches", calls.len());
        for pair in calls.windows(2) {
            let left = 7200 - (pair[1].at - pair[0].at).as_secs();
            assert!((ahead.start - 30..ahead.end).contains(&left), "{channel:?}: {left} s left");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn the_old_token_is_served_until_the_new_one_is_stored() {
    let world = World::new(Channel::Classic);
    let replica = world.replica();
    until("the first token", async || world.stored().await.is_some()).await;
    let _stands_by = world.replica();
    replica.issuer.set_delay(secs(120));
    until("the second fetch", async || world.wechat.calls().len() == 2).await;
    let reader = world.reader();
    for _ in 0..100 {
        assert_eq!(reader.current(ACCOUNT).await.unwrap().expose(), "1_token");
        assert_eq!(world.stored_token().await.as_deref(), Some("1_token"));
        sleep(secs(1)).await;
    }
    until("the new token", async || world.stored_token().await.as_deref() == Some("2_token")).await;
    assert_eq!(world.reader().current(ACCOUNT).await.unwrap().expose(), "2_token");
    assert_eq!(world.wechat.calls().len(), 2, "the lease was held through the slow fetch");
}

#[tokio::test(start_paused = true)]
async fn a_failing_refresh_leaves_the_old_token_and_goes_on_until_it_works() {
    let world = World::new(Channel::Stable);
    let _replica = world.replica();
    until("the first token", async || world.stored().await.is_some()).await;
    world.wechat.fail(8, CallError::TimedOut);
    let reader = world.reader();
    until("the refresh", async || {
        reader.current(ACCOUNT).await.unwrap();
        world.stored_token().await.as_deref() == Some("2_token")
    })
    .await;
    assert_eq!(world.wechat.calls().len(), 10);
}

#[tokio::test(start_paused = true)]
async fn a_keeper_that_dies_is_followed_by_another_after_its_lease() {
    let world = World::new(Channel::Stable);
    let first = world.replica();
    until("the first token", async || world.stored().await.is_some()).await;
    let second = world.replica();
    let fence = world.stored().await.unwrap().fence;
    first.die();
    world.wechat.forced_by_somebody_else();
    let refused = AccessToken::new("1_token");
    let died_at = Instant::now();
    until("a report is settled by the second", async || {
        world.reader().replace_refused(ACCOUNT, &refused).await.is_ok()
    })
    .await;
    assert!(died_at.elapsed() < secs(40), "{:?}", died_at.elapsed());
    assert!(world.stored().await.unwrap().fence > fence);
    drop(second);
}

#[tokio::test(start_paused = true)]
async fn a_keeper_that_stops_hands_over_without_waiting_for_its_lease() {
    let world = World::new(Channel::Stable);
    let first = world.replica();
    until("the first token", async || world.stored().await.is_some()).await;
    let second = world.replica();
    sleep(secs(10)).await;
    first.tasks.stop_and_wait().await;
    world.wechat.forced_by_somebody_else();
    let stopped = Instant::now();
    let refused = AccessToken::new("1_token");
    until("the second keeps", async || {
        world.reader().replace_refused(ACCOUNT, &refused).await.is_ok()
    })
    .await;
    assert!(stopped.elapsed() < secs(12), "{:?}", stopped.elapsed());
    drop(second);
}

#[tokio::test(start_paused = true)]
async fn a_slow_former_keeper_cannot_overwrite_the_newer_token() {
    let world = World::new(Channel::Classic);
    let first = world.replica();
    until("the first token", async || world.stored().await.is_some()).await;
    first.issuer.set_delay(secs(300));
    until("the slow fetch", async || world.wechat.calls().len() == 2).await;
    // The first holds on to its fetch but loses the lease; the second takes over and stores.
    first.cache_link.cut(true);
    let second = world.replica();
    until("the second's token", async || world.stored_token().await.as_deref() == Some("3_token"))
        .await;
    first.cache_link.cut(false);
    sleep(secs(600)).await;
    assert_eq!(world.stored_token().await.as_deref(), Some("3_token"));
    assert_eq!(world.wechat.calls().len(), 3);
    drop(second);
}

#[tokio::test(start_paused = true)]
async fn a_fetched_token_is_stored_when_the_cache_comes_back() {
    let world = World::new(Channel::Classic);
    let replica = world.replica();
    until("the first token", async || world.stored().await.is_some()).await;
    replica.issuer.set_delay(secs(3));
    until("the second fetch", async || world.wechat.calls().len() == 2).await;
    replica.cache_link.cut(true);
    sleep(secs(7)).await;
    replica.cache_link.cut(false);
    until("it is stored", async || world.stored_token().await.as_deref() == Some("2_token")).await;
    assert_eq!(world.wechat.calls().len(), 2, "and nothing was fetched again");
}

#[tokio::test(start_paused = true)]
async fn many_refusals_of_one_token_make_one_fetch() {
    let world = World::new(Channel::Stable);
    let _replicas = [world.replica(), world.replica()];
    until("the first token", async || world.stored().await.is_some()).await;
    world.wechat.forced_by_somebody_else();
    let refused = AccessToken::new("1_token");
    let readers = [world.reader(), world.reader()];
    let other_results =
        join_all((0..64).map(|i| readers[i % 2].replace_refused(ACCOUNT, &refused))).await;
    assert!(
        other_results.iter().all(|t| t.as_ref().unwrap().expose() == "2_token"),
        "{other_results:?}"
    );
    assert_eq!(readers[0].current(ACCOUNT).await.unwrap().expose(), "2_token");
    until("the reports are settled", async || world.queue.open() == 0).await;
    assert_eq!(world.wechat.calls().len(), 2, "one ask, and nothing forced");
    assert_eq!(world.wechat.forced(), 0);
    // A late caller still reports the old token.
    let late_result = world.reader().replace_refused(ACCOUNT, &refused).await.unwrap();
    assert_eq!(late_result.expose(), "2_token");
    sleep(secs(300)).await;
    assert_eq!(world.wechat.calls().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_token_that_wechat_gives_out_and_refuses_is_forced_once() {
    let world = World::new(Channel::Stable);
    let _replicas = [world.replica(), world.replica()];
    let reader = world.reader();
    let refused = reader.current(ACCOUNT).await.unwrap();
    let other = reader.replace_refused(ACCOUNT, &refused).await.unwrap();
    assert_eq!(other.expose(), "2_token");
    sleep(secs(300)).await;
    assert_eq!((world.wechat.calls().len(), world.wechat.forced()), (3, 1));
    assert_eq!(world.stored().await.unwrap().forced_at_ms.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn refusals_of_every_token_for_an_hour_are_answered_within_the_ration() {
    let world = World::new(Channel::Stable);
    let _replica = world.replica();
    let reader = world.reader();
    let started = Instant::now();
    while started.elapsed() < secs(3600) {
        if let Ok(token) = reader.current(ACCOUNT).await {
            let _ = reader.replace_refused(ACCOUNT, &token).await;
        }
        sleep(Duration::from_millis(500)).await;
    }
    let calls = world.wechat.calls();
    let forced: Vec<Instant> = calls.iter().filter(|c| c.force).map(|c| c.at).collect();
    assert!((3..=20).contains(&forced.len()), "{}", forced.len());
    assert!(forced.windows(2).all(|pair| pair[1] - pair[0] >= secs(30)));
    assert!(calls.windows(7).all(|span| span[6].at - span[0].at >= secs(59)), "six a minute");
}

#[tokio::test(start_paused = true)]
async fn a_refused_classic_token_is_fetched_anew_once() {
    let world = World::new(Channel::Classic);
    let _replicas = [world.replica(), world.replica()];
    let reader = world.reader();
    let refused = reader.current(ACCOUNT).await.unwrap();
    let readers: Vec<_> = (0..8).map(|_| world.reader()).collect();
    let other_results =
        join_all(readers.iter().map(|r| r.replace_refused(ACCOUNT, &refused))).await;
    assert!(
        other_results.iter().all(|t| t.as_ref().unwrap().expose() == "2_token"),
        "{other_results:?}"
    );
    sleep(secs(300)).await;
    assert_eq!(world.wechat.calls().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_wrong_secret_is_tried_a_few_times_an_hour_and_heals() {
    let world = World::new(Channel::Stable);
    world.wechat.fail(14, wrong_secret());
    let _replicas = [world.replica(), world.replica()];
    let unavailable = world.reader().current(ACCOUNT).await.unwrap_err();
    assert!(unavailable.to_string().contains("token service"), "{unavailable}");
    sleep(secs(3600)).await;
    assert!((4..=10).contains(&world.wechat.calls().len()), "{}", world.wechat.calls().len());
    until("it heals by itself", async || world.stored().await.is_some()).await;
}

#[tokio::test(start_paused = true)]
async fn a_cache_that_lost_everything_has_the_token_again_within_seconds() {
    let world = World::new(Channel::Stable);
    let _replicas = [world.replica(), world.replica()];
    until("the first token", async || world.stored().await.is_some()).await;
    let key = paihao_contracts::streams::access_token_key(ACCOUNT);
    paihao_cache::Cache::remove(&*world.cache, &key).await.unwrap();
    let lost_at = Instant::now();
    until("it is back", async || world.stored().await.is_some()).await;
    assert!(lost_at.elapsed() < secs(8), "{:?}", lost_at.elapsed());
    assert_eq!(world.stored_token().await.as_deref(), Some("1_token"), "the stable channel's");
}

#[tokio::test(start_paused = true)]
async fn a_report_names_the_token_by_its_fingerprint_only() {
    let world = World::new(Channel::Stable);
    let reader = world.reader();
    let _ = reader.replace_refused(ACCOUNT, &AccessToken::new("43_secret")).await;
    let payloads = world.queue.payloads();
    assert_eq!(payloads.len(), 1);
    assert!(payloads[0].contains(&fingerprint("43_secret")), "{payloads:?}");
    assert!(!payloads[0].contains("secret\""), "{payloads:?}");
    assert!(!payloads[0].contains("43_"), "{payloads:?}");
}

#[tokio::test(start_paused = true)]
async fn a_new_secret_is_proved_at_once_and_kept_by() {
    for channel in [Channel::Stable, Channel::Classic] {
        let world = World::new(channel);
        let one = world.replica();
        let two = world.replica();
        until("the first token", async || world.stored().await.is_some()).await;
        let fence = world.stored().await.unwrap().fence;
        world.wechat.set_secret("new");
        let started = Instant::now();
        for replica in [&one, &two] {
            let changes = replica.service.reload(vec![world.account("new")]).await;
            assert_eq!(changes.changed, [ACCOUNT]);
            let second_reload = replica.service.reload(vec![world.account("new")]).await;
            assert!(second_reload.is_empty(), "what stays is left alone: {second_reload:?}");
        }
        until("a token of the new secret", async || {
            world.stored_token().await.as_deref() == Some("2_token")
        })
        .await;
        assert!(started.elapsed() < secs(20), "{channel:?}: {:?}", started.elapsed());
        assert!(world.stored().await.unwrap().fence > fence, "under a lease of its own");
        sleep(secs(3600)).await;
        let fetches = world.wechat.calls().len();
        assert!(fetches <= 3, "{channel:?}: a keeper each proved it once at most: {fetches}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_new_secret_that_is_wrong_leaves_the_living_token_and_is_tried_seldom() {
    let world = World::new(Channel::Stable);
    let replica = world.replica();
    until("the first token", async || world.stored().await.is_some()).await;
    replica.service.reload(vec![world.account("mistyped")]).await;
    sleep(secs(3600)).await;
    assert_eq!(world.stored_token().await.as_deref(), Some("1_token"));
    assert!((5..=12).contains(&world.wechat.calls().len()), "{}", world.wechat.calls().len());
}

#[tokio::test(start_paused = true)]
async fn a_reload_lets_a_fetch_under_way_end_and_its_token_be_stored() {
    let world = World::new(Channel::Classic);
    let replica = world.replica();
    until("the first token", async || world.stored().await.is_some()).await;
    replica.issuer.set_delay(secs(20));
    until("the second fetch", async || world.wechat.calls().len() == 2).await;
    let reloaded = replica.service.reload(vec![world.account("mistyped")]);
    let (changes, ()) = tokio::join!(reloaded, async {
        sleep(secs(5)).await;
        assert_eq!(world.stored_token().await.as_deref(), Some("1_token"), "not cut off");
    });
    assert_eq!(changes.changed, [ACCOUNT]);
    assert_eq!(world.stored_token().await.as_deref(), Some("2_token"));
}

#[tokio::test(start_paused = true)]
async fn accounts_come_and_go() {
    let world = World::new(Channel::Stable);
    let replica = world.replica();
    until("the first token", async || world.stored().await.is_some()).await;
    let other = paihao_token::Account { name: "other".into(), ..world.account("secret") };
    let changes = replica.service.reload(vec![other]).await;
    assert_eq!(
        (&*changes.added, &*changes.removed),
        (&["other".to_owned()][..], &[ACCOUNT.to_owned()][..])
    );
    assert!(replica.service.keeps("other") && !replica.service.keeps(ACCOUNT));
    let key = paihao_contracts::streams::access_token_key("other");
    until("the other's token", async || {
        paihao_cache::Cache::get(&*world.cache, &key).await.unwrap().is_some()
    })
    .await;
    replica.tasks.stop_and_wait().await;
    assert_eq!(replica.tasks.failure(), None, "an ended keeper is no failure");
}

/// Value of a newer program.
const WONDERS: &str = r#"{"v":2,"token":["gilded"],"fence":"large"}"#;

#[tokio::test(start_paused = true)]
async fn a_token_of_a_newer_keeper_is_neither_fetched_nor_overwritten_nor_taken_for_none() {
    let world = World::new(Channel::Classic);
    let key = access_token_key(ACCOUNT);
    world.cache.put(&key, Bytes::from(WONDERS), secs(7200)).await.unwrap();
    let _replicas = [world.replica(), world.replica()];
    sleep(secs(600)).await;
    assert_eq!(world.wechat.calls().len(), 0, "a fetch would end the newer keeper's token");
    assert_eq!(world.cache.get(&key).await.unwrap(), Some(Bytes::from(WONDERS)));
    let error = world.reader().current(ACCOUNT).await.unwrap_err();
    assert!(error.to_string().contains("newer program"), "{error}");
    // The newer keeper has stopped, and its token has expired.
    world.cache.remove(&key).await.unwrap();
    until("the account is kept again", async || world.stored().await.is_some()).await;
}

#[tokio::test(start_paused = true)]
async fn a_keeper_that_meets_a_newer_token_gives_up_its_lease() {
    let world = World::new(Channel::Stable);
    let _replica = world.replica();
    until("the first token", async || world.stored().await.is_some()).await;
    let key = access_token_key(ACCOUNT);
    world.cache.put(&key, Bytes::from(WONDERS), secs(7200)).await.unwrap();
    let name = paihao_contracts::streams::token_lease(ACCOUNT);
    until("the lease is free", async || {
        world.cache.acquire(&name, "newer", secs(60)).await.unwrap().is_some()
    })
    .await;
    sleep(secs(600)).await;
    assert_eq!(world.wechat.calls().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_report_waits_for_a_newer_program_that_reads_it_or_the_token() {
    let report = r#"{"v":2,"account":["gilded"],"wonders":1}"#;
    let known = format!(r#"{{"v":1,"account":"{ACCOUNT}","fingerprint":"00","refused_at_ms":1}}"#);
    let world = World::new(Channel::Stable);
    let _replica = world.replica();
    until("the first token", async || world.stored().await.is_some()).await;
    for (key, text) in [("a", report), ("b", report)] {
        let entry = Entry::new(text);
        world.queue.enqueue(&REFUSED_TOKENS, key, entry, secs(0)).await.unwrap();
    }
    sleep(secs(600)).await;
    assert_eq!(world.queue.payloads(), [report, report], "neither acknowledged nor buried");
    // A newer program that joins gets each of them once.
    let mut deliveries = world.queue.consume_queue(&REFUSED_TOKENS, 1).await.unwrap();
    for _ in 0..2 {
        let delivery = deliveries.next().await.unwrap();
        assert_eq!(&delivery.message.entry.payload[..], report.as_bytes());
        delivery.ack().await.unwrap();
    }
    drop(deliveries);
    assert_eq!(world.queue.open(), 0);
    world.queue.enqueue(&REFUSED_TOKENS, "c", Entry::new(known), secs(0)).await.unwrap();
    until("a report of another token is settled", async || world.queue.open() == 0).await;
}
