//! Conformance suite of the cache port.
//!
//! It waits for conditions, never for guessed durations: an implementation may expire a little
//! late, but never early by more than a clock tick. So a value that must still exist has a lifetime
//! of an hour, and one that must be gone is polled until it is.

pub mod layer;

use crate::{Cache, CacheValue, CasOutcome, Lease};
use bytes::Bytes;
use futures::future::join_all;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, sleep};

const HOUR: Duration = Duration::from_secs(3600);
const SHORT_TTL: Duration = Duration::from_millis(120);
const EXPIRY_TIMEOUT: Duration = Duration::from_secs(20);

/// Runs the suite against one cache, which may hold other data. `run` distinguishes the keys of
/// this run from those of others. Panics at the first violation.
pub async fn run(cache: Arc<dyn Cache>, run: &str) {
    let suite = Suite { cache, run: run.to_owned() };
    suite.check().await;
    suite.absent_is_absent().await;
    suite.put_is_got_and_replaced().await;
    suite.all_of_many_are_put().await;
    suite.any_bytes_any_key().await;
    suite.expired_is_absent().await;
    suite.put_renews_the_expiry().await;
    suite.put_if_absent_stores_once().await;
    suite.compare_and_set_compares().await;
    suite.compare_and_set_takes_absence().await;
    suite.remove_removes().await;
    suite.a_lease_has_one_holder().await;
    suite.a_lease_expires_and_the_fence_grows().await;
    suite.a_lease_given_up_is_free().await;
    suite.renewing_holds_on().await;
    suite.leases_and_values_do_not_mix().await;
    suite.races_have_one_winner().await;
    suite.no_update_is_lost().await;
    suite.time_goes_on().await;
}

struct Suite {
    cache: Arc<dyn Cache>,
    run: String,
}

fn bytes(text: &str) -> Bytes {
    Bytes::copy_from_slice(text.as_bytes())
}

impl Suite {
    /// A clock of its own goes on as this machine's does, which may show another time.
    async fn time_goes_on(&self) {
        let Some(first) = self.cache.time().await.expect("time") else {
            assert_eq!(self.cache.time().await.expect("time"), None);
            return;
        };
        let begun = Instant::now();
        sleep(Duration::from_millis(300)).await;
        let second = self.cache.time().await.expect("time").expect("it has a clock");
        let passed = begun.elapsed().as_millis() as i64;
        assert!((250..=passed + 1000).contains(&(second - first)), "{first} {second} {passed}");
        assert!(first > 1_700_000_000_000, "{first} is no time in milliseconds");
    }

    fn key(&self, name: &str) -> String {
        format!("{}/{name}", self.run)
    }

    async fn get(&self, key: &str) -> Option<Bytes> {
        self.cache.get(key).await.expect("get")
    }

    async fn acquire(&self, name: &str, holder: &str, ttl: Duration) -> Option<Lease> {
        self.cache.acquire(name, holder, ttl).await.expect("acquire")
    }

    async fn wait_until_expired(&self, key: &str) {
        let deadline = Instant::now() + EXPIRY_TIMEOUT;
        while self.get(key).await.is_some() {
            assert!(Instant::now() < deadline, "{key} never expired");
            sleep(Duration::from_millis(20)).await;
        }
    }

    /// Retries until the lease is free.
    async fn acquire_when_free(&self, name: &str, holder: &str) -> Lease {
        let deadline = Instant::now() + EXPIRY_TIMEOUT;
        loop {
            if let Some(lease) = self.acquire(name, holder, HOUR).await {
                return lease;
            }
            assert!(Instant::now() < deadline, "{name} never became free");
            sleep(Duration::from_millis(20)).await;
        }
    }

    async fn check(&self) {
        self.cache.check().await.expect("a running cache answers");
    }

    async fn absent_is_absent(&self) {
        assert_eq!(self.get(&self.key("absent")).await, None);
        self.cache.remove(&self.key("absent")).await.expect("removing what is absent is fine");
    }

    async fn put_is_got_and_replaced(&self) {
        let key = self.key("put");
        self.cache.put(&key, bytes("a"), HOUR).await.expect("put");
        assert_eq!(self.get(&key).await, Some(bytes("a")));
        self.cache.put(&key, bytes("b"), HOUR).await.expect("put");
        assert_eq!(self.get(&key).await, Some(bytes("b")), "over whatever was there");
    }

    async fn all_of_many_are_put(&self) {
        for count in [0, 1, 300] {
            let key = |i: usize| self.key(&format!("many {count} {i}"));
            let value = |i: usize, text: &str, ttl| CacheValue {
                key: key(i),
                value: bytes(&format!("{text} {i}")),
                ttl,
            };
            // Of two values with one key the later one stays, for its own time.
            let earlier = (0..count).map(|i| value(i, "earlier", SHORT_TTL));
            let later = (0..count).map(|i| value(i, "later", HOUR));
            let short = value(count, "short", SHORT_TTL);
            let values = earlier.chain(later).chain([short]).collect();
            self.cache.put_all(values).await.expect("put_all");
            self.wait_until_expired(&key(count)).await;
            for i in 0..count {
                assert_eq!(self.get(&key(i)).await, Some(bytes(&format!("later {i}"))));
            }
        }
    }

    async fn any_bytes_any_key(&self) {
        let all: Bytes = (0..=255).collect::<Vec<u8>>().into();
        for key in ["排号", "a b\n:*{x}", ""].map(|name| self.key(name)) {
            for value in [all.clone(), Bytes::new()] {
                self.cache.put(&key, value.clone(), HOUR).await.expect("put");
                assert_eq!(self.get(&key).await, Some(value.clone()), "{key:?}");
                let swap = self.cache.compare_and_set(&key, Some(&value), all.clone(), HOUR).await;
                assert_eq!(swap.expect("swap"), CasOutcome::Swapped, "{key:?}");
            }
        }
    }

    async fn expired_is_absent(&self) {
        let key = self.key("expiring");
        self.cache.put(&key, bytes("a"), SHORT_TTL).await.expect("put");
        self.wait_until_expired(&key).await;
        assert!(self.cache.put_if_absent(&key, bytes("b"), SHORT_TTL).await.expect("put"));
        self.wait_until_expired(&key).await;
        let swap = self.cache.compare_and_set(&key, Some(b"b"), bytes("c"), HOUR).await;
        assert_eq!(swap.expect("swap"), CasOutcome::Mismatch(None));
        let swap = self.cache.compare_and_set(&key, None, bytes("d"), SHORT_TTL).await;
        assert_eq!(swap.expect("swap"), CasOutcome::Swapped);
        self.wait_until_expired(&key).await;
        self.cache.put(&key, bytes("e"), Duration::ZERO).await.expect("no life at all is fine");
        self.wait_until_expired(&key).await;
    }

    async fn put_renews_the_expiry(&self) {
        let [put, swapped, reference] = ["renewed", "swapped", "reference"].map(|k| self.key(k));
        for key in [&put, &swapped, &reference] {
            self.cache.put(key, bytes("a"), SHORT_TTL).await.expect("put");
        }
        self.cache.put(&put, bytes("b"), HOUR).await.expect("put");
        // It may have expired already on a slow machine; then it is stored again, which tests the
        // same.
        let swap = self.cache.compare_and_set(&swapped, Some(b"a"), bytes("b"), HOUR).await;
        if swap.expect("swap") != CasOutcome::Swapped {
            self.cache.put(&swapped, bytes("b"), HOUR).await.expect("put");
        }
        self.wait_until_expired(&reference).await;
        sleep(SHORT_TTL).await;
        assert_eq!(self.get(&put).await, Some(bytes("b")), "the later ttl counts");
        assert_eq!(self.get(&swapped).await, Some(bytes("b")), "the later ttl counts");
    }

    async fn put_if_absent_stores_once(&self) {
        let key = self.key("once");
        assert!(self.cache.put_if_absent(&key, bytes("a"), HOUR).await.expect("put"));
        assert!(!self.cache.put_if_absent(&key, bytes("b"), HOUR).await.expect("put"));
        assert_eq!(self.get(&key).await, Some(bytes("a")), "what was there stays");
    }

    async fn compare_and_set_compares(&self) {
        let key = self.key("swap");
        self.cache.put(&key, bytes("a"), HOUR).await.expect("put");
        let mismatched = self.cache.compare_and_set(&key, Some(b"b"), bytes("c"), HOUR).await;
        assert_eq!(mismatched.expect("swap"), CasOutcome::Mismatch(Some(bytes("a"))));
        let prefix = self.cache.compare_and_set(&key, Some(b""), bytes("c"), HOUR).await;
        assert_eq!(prefix.expect("swap"), CasOutcome::Mismatch(Some(bytes("a"))));
        assert_eq!(self.get(&key).await, Some(bytes("a")), "a wrong guess changes nothing");
        let matched = self.cache.compare_and_set(&key, Some(b"a"), bytes("c"), HOUR).await;
        assert_eq!(matched.expect("swap"), CasOutcome::Swapped);
        assert_eq!(self.get(&key).await, Some(bytes("c")));
    }

    async fn compare_and_set_takes_absence(&self) {
        let key = self.key("swap-absent");
        let mismatched = self.cache.compare_and_set(&key, Some(b""), bytes("a"), HOUR).await;
        assert_eq!(mismatched.expect("swap"), CasOutcome::Mismatch(None), "empty is not absent");
        let matched = self.cache.compare_and_set(&key, None, Bytes::new(), HOUR).await;
        assert_eq!(matched.expect("swap"), CasOutcome::Swapped);
        let second = self.cache.compare_and_set(&key, None, bytes("b"), HOUR).await;
        assert_eq!(
            second.expect("swap"),
            CasOutcome::Mismatch(Some(Bytes::new())),
            "empty is not absent"
        );
    }

    async fn remove_removes(&self) {
        let key = self.key("remove");
        self.cache.put(&key, bytes("a"), HOUR).await.expect("put");
        self.cache.remove(&key).await.expect("remove");
        assert_eq!(self.get(&key).await, None);
        assert!(self.cache.put_if_absent(&key, bytes("b"), HOUR).await.expect("put"));
    }

    async fn a_lease_has_one_holder(&self) {
        let name = self.key("lease");
        let lease = self.acquire(&name, "one", HOUR).await.expect("it is free");
        assert_eq!((&lease.name, lease.holder.as_str()), (&name, "one"));
        assert_eq!(self.acquire(&name, "other", HOUR).await, None, "somebody holds it");
        assert_eq!(self.acquire(&name, "one", HOUR).await, None, "the holder renews instead");
        assert!(self.cache.renew(&lease, HOUR).await.expect("renew"));
        let other = self.acquire(&self.key("lease-2"), "other", HOUR).await;
        assert!(other.is_some(), "another name is another lease");
    }

    async fn a_lease_expires_and_the_fence_grows(&self) {
        let name = self.key("fence");
        let mut fence = 0;
        for holder in ["one", "other", "one"] {
            let first_lease = self.acquire(&name, holder, SHORT_TTL).await.expect("it is free");
            let next = self.acquire_when_free(&name, "next").await;
            assert!(
                first_lease.fence > fence && next.fence > first_lease.fence,
                "{first_lease:?} {next:?}"
            );
            fence = next.fence;
            assert!(!self.cache.renew(&first_lease, HOUR).await.expect("renew"), "it is another's");
            self.cache.release(&first_lease).await.expect("releasing a lost lease is fine");
            assert!(self.cache.renew(&next, HOUR).await.expect("renew"), "and harms nobody");
            self.cache.release(&next).await.expect("release");
        }
        // The same holder again: it must not be able to use its former lease.
        let first_lease = self.acquire(&name, "same", SHORT_TTL).await.expect("it is free");
        let next = self.acquire_when_free(&name, "same").await;
        assert!(
            !self.cache.renew(&first_lease, HOUR).await.expect("renew"),
            "an old fence is lost"
        );
        self.cache.release(&first_lease).await.expect("release");
        assert!(self.cache.renew(&next, HOUR).await.expect("renew"));
    }

    async fn a_lease_given_up_is_free(&self) {
        let name = self.key("given-up");
        let first = self.acquire(&name, "one", HOUR).await.expect("it is free");
        self.cache.release(&first).await.expect("release");
        assert!(!self.cache.renew(&first, HOUR).await.expect("renew"), "given up is given up");
        self.cache.release(&first).await.expect("twice is fine");
        let second = self.acquire(&name, "other", HOUR).await.expect("free at once");
        assert!(second.fence > first.fence);
    }

    async fn renewing_holds_on(&self) {
        let [name, reference] = ["renewing", "not-renewing"].map(|k| self.key(k));
        let ttl = Duration::from_secs(1);
        let lease = self.acquire(&name, "one", ttl).await.expect("it is free");
        self.acquire(&reference, "one", ttl).await.expect("it is free");
        assert!(self.cache.renew(&lease, HOUR).await.expect("renew"));
        self.acquire_when_free(&reference, "other").await;
        sleep(SHORT_TTL).await;
        assert_eq!(self.acquire(&name, "other", HOUR).await, None, "held from the renewal on");
        let expired = self.acquire(&self.key("expired"), "one", SHORT_TTL).await.expect("free");
        let deadline = Instant::now() + EXPIRY_TIMEOUT;
        self.assert_lease_expired(&expired, deadline).await;
    }

    /// An expired lease is lost even if no other holder took it.
    async fn assert_lease_expired(&self, lease: &Lease, deadline: Instant) {
        sleep(SHORT_TTL * 2).await;
        assert!(Instant::now() < deadline);
        assert!(!self.cache.renew(lease, HOUR).await.expect("renew"), "expired is lost");
    }

    async fn leases_and_values_do_not_mix(&self) {
        let name = self.key("both");
        self.cache.put(&name, bytes("a"), HOUR).await.expect("put");
        let lease = self.acquire(&name, "one", HOUR).await.expect("a value is no lease");
        assert_eq!(self.get(&name).await, Some(bytes("a")));
        self.cache.remove(&name).await.expect("remove");
        assert!(self.cache.renew(&lease, HOUR).await.expect("renew"), "still held");
    }

    async fn races_have_one_winner(&self) {
        let key = self.key("race-put");
        let puts = (0..64).map(|i| self.cache.put_if_absent(&key, bytes(&i.to_string()), HOUR));
        let winners = join_all(puts).await.into_iter().filter(|won| *won.as_ref().expect("put"));
        assert_eq!(winners.count(), 1, "put_if_absent");

        let key = self.key("race-swap");
        self.cache.put(&key, bytes("start"), HOUR).await.expect("put");
        let swaps = (0..64)
            .map(|i| self.cache.compare_and_set(&key, Some(b"start"), bytes(&i.to_string()), HOUR));
        let swaps = join_all(swaps).await;
        let winner = self.get(&key).await.expect("the winner's");
        let (winners, losers): (Vec<_>, Vec<_>) = swaps
            .into_iter()
            .map(|swap| swap.expect("swap"))
            .partition(|s| *s == CasOutcome::Swapped);
        assert_eq!(winners.len(), 1, "compare_and_set");
        assert!(
            losers.iter().all(|s| *s == CasOutcome::Mismatch(Some(winner.clone()))),
            "losers see it"
        );

        let name = self.key("race-lease");
        let holders: Vec<String> = (0..64).map(|i| format!("holder-{i}")).collect();
        let acquisitions = holders.iter().map(|holder| self.cache.acquire(&name, holder, HOUR));
        let leases: Vec<Lease> = join_all(acquisitions)
            .await
            .into_iter()
            .filter_map(|lease| lease.expect("acquire"))
            .collect();
        assert_eq!(leases.len(), 1, "acquire");
        assert!(self.cache.renew(&leases[0], HOUR).await.expect("renew"), "the winner holds it");
    }

    async fn no_update_is_lost(&self) {
        let key = self.key("counter");
        self.cache.put(&key, bytes("0"), HOUR).await.expect("put");
        let add = async || {
            let mut value = self.get(&key).await.expect("the counter");
            loop {
                let n: u32 = std::str::from_utf8(&value).expect("text").parse().expect("a number");
                let next = bytes(&(n + 1).to_string());
                match self.cache.compare_and_set(&key, Some(&value), next, HOUR).await {
                    Ok(CasOutcome::Swapped) => break,
                    Ok(CasOutcome::Mismatch(found)) => value = found.expect("the counter"),
                    Err(unavailable) => panic!("{unavailable}"),
                }
            }
        };
        join_all((0..24).map(|_| add())).await;
        assert_eq!(self.get(&key).await, Some(bytes("24")));
    }
}
