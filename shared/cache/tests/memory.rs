//! Tests of the cache in memory: the common suite, its bound, and its clock.

use bytes::Bytes;
use paihao_cache::{Cache, MemoryCache, MemoryOptions, conformance};
use std::sync::Arc;
use std::time::Duration;

#[tokio::test(start_paused = true)]
async fn it_conforms() {
    conformance::run(Arc::new(MemoryCache::default()), "run").await;
}

#[tokio::test]
async fn it_conforms_in_real_time() {
    conformance::run(Arc::new(MemoryCache::default()), "run").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
#[expect(clippy::disallowed_methods, reason = "a race needs tasks on several threads")]
async fn races_between_threads_have_one_winner() {
    let cache = Arc::new(MemoryCache::default());
    for round in 0..50 {
        let tries: Vec<_> = (0..16)
            .map(|i| {
                let cache = cache.clone();
                tokio::spawn(async move {
                    let name = format!("lease-{round}");
                    let holder = format!("holder-{i}");
                    cache.acquire(&name, &holder, Duration::from_secs(60)).await.unwrap().is_some()
                })
            })
            .collect();
        let mut won = 0;
        for one in tries {
            won += u32::from(one.await.unwrap());
        }
        assert_eq!(won, 1);
    }
}

#[tokio::test(start_paused = true)]
async fn a_full_cache_evicts_the_value_that_expires_first() {
    let cache = MemoryCache::new(MemoryOptions { max_entries: 3 });
    let ttl = Duration::from_secs;
    let lease = cache.acquire("lease", "one", ttl(1_000)).await.unwrap().unwrap();
    for (key, seconds) in [("long", 300), ("short", 30), ("middle", 60), ("new", 10)] {
        cache.put(key, Bytes::from_static(b"x"), ttl(seconds)).await.unwrap();
    }
    assert_eq!(cache.get("short").await.unwrap(), None);
    for key in ["long", "middle", "new"] {
        assert!(cache.get(key).await.unwrap().is_some(), "{key}");
    }
    for i in 0..1_000 {
        cache.put(&format!("flood-{i}"), Bytes::new(), ttl(5)).await.unwrap();
    }
    assert_eq!(cache.len(), 3);
    assert!(cache.get("long").await.unwrap().is_some(), "a flood of short ones does not reach it");
    assert!(cache.renew(&lease, ttl(1)).await.unwrap(), "leases are not evicted");
    cache.put("long", Bytes::from_static(b"y"), ttl(300)).await.unwrap();
    assert_eq!(cache.len(), 3, "replacing evicts nobody");
}

#[tokio::test(start_paused = true)]
async fn expired_values_make_room_first() {
    let cache = MemoryCache::new(MemoryOptions { max_entries: 2 });
    cache.put("gone", Bytes::new(), Duration::from_secs(1)).await.unwrap();
    cache.put("stays", Bytes::new(), Duration::from_secs(60)).await.unwrap();
    tokio::time::advance(Duration::from_secs(2)).await;
    cache.put("new", Bytes::new(), Duration::from_secs(90)).await.unwrap();
    assert_eq!(cache.len(), 2);
    assert!(cache.get("stays").await.unwrap().is_some());
}

#[tokio::test(start_paused = true)]
async fn it_expires_to_the_tick() {
    let cache = MemoryCache::default();
    cache.put("key", Bytes::new(), Duration::from_millis(100)).await.unwrap();
    tokio::time::advance(Duration::from_millis(99)).await;
    assert!(cache.get("key").await.unwrap().is_some());
    tokio::time::advance(Duration::from_millis(1)).await;
    assert_eq!(cache.get("key").await.unwrap(), None);
}
