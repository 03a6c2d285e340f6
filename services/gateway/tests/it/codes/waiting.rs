//! Tests of what browsers that wait for a scan cost, and of what they are told.

use super::code_source::FakeCodeSource;
use super::strangers::{CountingCache, sessions, ticket};
use futures::{Stream, StreamExt};
use paihao_cache::{Cache, MemoryCache};
use paihao_contracts::session::{RefusedScan, ScanProgress};
use paihao_gateway::scan::codes::share::{CodeShareSettings, CodeWorth};
use paihao_gateway::scan::follow::{SessionChange, follow};
use paihao_gateway::scan::sessions::ScanSessions;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::time::{Instant, timeout};
use uuid::Uuid;

type Changes = Pin<Box<dyn Stream<Item = SessionChange> + Send>>;

fn counting(inner: &Arc<dyn Cache>) -> Arc<CountingCache> {
    Arc::new(CountingCache { inner: inner.clone(), reads: AtomicUsize::new(0) })
}

/// Sessions of a replica over a cache.
fn replica(cache: Arc<CountingCache>) -> Arc<ScanSessions> {
    sessions(cache, FakeCodeSource::new(), CodeShareSettings::default())
}

/// Opens a session of a kiosk, and waits for it.
async fn wait_at_kiosk(sessions: &Arc<ScanSessions>, kiosk: u128) -> Changes {
    let uuid = Uuid::from_u128(kiosk);
    let session = sessions.open_as(CodeWorth::Known, uuid, "shop", ticket()).await.unwrap();
    let mut changes = Box::pin(follow(sessions, uuid, session, Duration::from_secs(600)));
    let first = changes.next().await;
    assert_eq!(first, Some(SessionChange::Progress(ScanProgress::Pending)));
    changes
}

async fn refuse(sessions: &ScanSessions, kiosk: u128, at: i64) {
    let uuid = Uuid::from_u128(kiosk);
    let session = sessions.find(uuid).await.unwrap();
    sessions.store_refusal(uuid, session, RefusedScan { limit: 1, at }).await;
}

#[tokio::test(start_paused = true)]
async fn a_thousand_idle_kiosks_cost_a_read_of_the_cache_a_second() {
    let inner: Arc<dyn Cache> = Arc::new(MemoryCache::default());
    let cache = counting(&inner);
    let sessions = replica(cache.clone());
    let begun = Instant::now();
    let mut kiosks = Vec::new();
    for kiosk in 0..1000 {
        kiosks.push(wait_at_kiosk(&sessions, kiosk).await);
        // They were switched on at different moments.
        tokio::time::advance(Duration::from_millis(7)).await;
    }
    cache.reads.store(0, Ordering::Relaxed);
    let seconds = 60;
    let idle = futures::future::join_all(
        kiosks.iter_mut().map(|kiosk| timeout(Duration::from_secs(seconds), kiosk.next())),
    );
    assert!(idle.await.iter().all(Result::is_err), "nothing happens");
    assert!(begun.elapsed() > Duration::from_secs(seconds));
    let reads = cache.reads.load(Ordering::Relaxed) as u64;
    assert!((seconds / 3..=seconds + 1).contains(&reads), "{reads}");
}

#[tokio::test(start_paused = true)]
async fn a_refused_scan_is_told_once_at_its_kiosk_alone_whichever_replica_had_it() {
    let inner: Arc<dyn Cache> = Arc::new(MemoryCache::default());
    let [one, other] = [(); 2].map(|()| replica(counting(&inner)));
    // More than the value holds, so that the oldest leave it after they were told.
    let count = 300;
    let mut kiosks = Vec::new();
    for kiosk in 0..count {
        kiosks.push(wait_at_kiosk(if kiosk % 2 == 0 { &one } else { &other }, kiosk).await);
    }
    let silence = Duration::from_secs(5);
    for first in (0..count).step_by(100) {
        for kiosk in first..first + 100 {
            refuse(&one, kiosk, kiosk as i64).await;
        }
        let told = kiosks.iter_mut().map(|kiosk| timeout(silence, kiosk.next()));
        for (kiosk, told) in (0..count).zip(futures::future::join_all(told).await) {
            let expected = SessionChange::Refused(RefusedScan { limit: 1, at: kiosk as i64 });
            let is_refused = (first..first + 100).contains(&kiosk);
            assert_eq!(told.ok().flatten(), is_refused.then_some(expected), "kiosk {kiosk}");
        }
    }
    // The next one at the same kiosk is told again, and a page that comes later is told none.
    refuse(&other, 7, 1_000_000).await;
    let again = timeout(silence, kiosks[7].next()).await.unwrap();
    assert_eq!(again, Some(SessionChange::Refused(RefusedScan { limit: 1, at: 1_000_000 })));
    let mut later = wait_at_kiosk(&one, 7).await;
    assert!(timeout(silence, later.next()).await.is_err());
    // At its end a stream says so, and nothing more.
    let end = timeout(Duration::from_secs(3600), kiosks[8].next()).await.unwrap();
    assert_eq!(end, Some(SessionChange::Expired));
    assert_eq!(kiosks[8].next().await, None);
}
