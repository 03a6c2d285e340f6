//! Attempt lease: an exclusive right in the cache to attempt a notice.
//!
//! Two replicas never send one key at the same time, and the retry window of nine minutes counts
//! from the first attempt of any replica.

use crate::ports::{StoreError, read_stored};
use bytes::Bytes;
use paihao_cache::{Cache, CasOutcome, Unavailable};
use paihao_contracts::envelope::Form;
use paihao_contracts::notice::{Channel, ChannelAttempt};
use paihao_contracts::outcome::AttemptAnnounced;
use paihao_contracts::streams;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// Longest duration of an attempt, including the second call after a refused token.
pub const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(15);

/// Duration of a lease. It is longer than an attempt, so its holder has finished or died by then,
/// and shorter than the queue's ack-wait, so a redelivery finds the lease expired.
pub(crate) const LEASE_TTL: Duration = Duration::from_secs(20);

/// State of the attempts of a notice.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AttemptLease {
    /// Start of the first attempt in Unix milliseconds.
    #[serde(rename = "first")]
    pub first_attempt_at: i64,
    /// Count of attempts that have begun.
    pub attempts: u32,
    /// Expiry of the lease in Unix milliseconds, 0 after its release.
    pub held_until: i64,
    /// True if an attempt ended without a response, so that WeChat may have the message.
    pub unsure: bool,
    /// Error of the last attempt.
    #[serde(rename = "last")]
    pub last_error: String,
    /// Channel of the last attempt, until it certainly did not accept the notice.
    #[serde(default)]
    pub channel: Option<Channel>,
    /// Channels that did not accept the notice.
    #[serde(rename = "tried", default)]
    pub earlier_attempts: Vec<ChannelAttempt>,
}

impl Form for AttemptLease {
    const NAME: &'static str = "attempt lease";
    const VERSION_IF_ABSENT: Option<u32> = Some(1);
}

impl AttemptLease {
    /// Returns the only channel that the next attempt may use. `None` if any may be used.
    pub fn required_channel(&self) -> Option<Channel> {
        // Leases written before channels existed are of template messages.
        self.channel.or(self.unsure.then_some(Channel::Template))
    }
}

/// Result of acquiring a lease.
#[derive(Debug, PartialEq, Eq)]
pub enum AcquireResult {
    /// The lease is acquired.
    Acquired(AttemptLease),
    /// Another attempt is in progress. Retry after this delay.
    Held(Duration),
}

/// Loads the lease of a notice, if there has been an attempt.
pub(crate) async fn load(cache: &dyn Cache, key: &str) -> Result<Option<AttemptLease>, StoreError> {
    let stored = cache.get(&streams::attempt_lease_key(key)).await?;
    Ok(stored.as_deref().map_or(Ok(None), read_stored)?)
}

/// Restores the lease of an announced attempt that the cache has lost. The result of the attempt is
/// unknown, and its worker has finished by the time the lease expires.
pub(crate) async fn restore(
    cache: &dyn Cache,
    key: &str,
    announced: &AttemptAnnounced,
) -> Result<Option<AttemptLease>, StoreError> {
    let restored = AttemptLease {
        first_attempt_at: announced.at,
        attempts: 1,
        held_until: announced.at + LEASE_TTL.as_millis() as i64,
        unsure: true,
        last_error: "no answer".into(),
        channel: Some(announced.channel),
        earlier_attempts: announced.earlier_attempts.clone(),
    };
    Ok(match compare_and_set(cache, key, None, &restored).await? {
        CasOutcome::Swapped => Some(restored),
        CasOutcome::Mismatch(_) => load(cache, key).await?,
    })
}

/// Acquires the lease for an attempt at `now` through `channel`, after `earlier_attempts`.
pub async fn acquire(
    cache: &dyn Cache,
    key: &str,
    previous: Option<&AttemptLease>,
    (channel, earlier_attempts): (Channel, &[ChannelAttempt]),
    now: i64,
) -> Result<AcquireResult, Unavailable> {
    let held_until = now + LEASE_TTL.as_millis() as i64;
    let next = match previous {
        Some(lease) if lease.held_until > now => {
            return Ok(AcquireResult::Held(Duration::from_millis((lease.held_until - now) as u64)));
        }
        // The result of the new attempt is unknown until its worker reports it.
        Some(lease) => AttemptLease {
            attempts: lease.attempts + 1,
            held_until,
            unsure: true,
            channel: Some(channel),
            earlier_attempts: earlier_attempts.to_vec(),
            ..lease.clone()
        },
        None => AttemptLease {
            first_attempt_at: now,
            attempts: 1,
            held_until,
            unsure: true,
            last_error: "no answer".into(),
            channel: Some(channel),
            earlier_attempts: earlier_attempts.to_vec(),
        },
    };
    let swapped = compare_and_set(cache, key, previous, &next).await?;
    Ok(match swapped {
        CasOutcome::Swapped => AcquireResult::Acquired(next),
        CasOutcome::Mismatch(_) => AcquireResult::Held(Duration::from_secs(1)),
    })
}

/// Releases a lease after an attempt that WeChat deferred or that did not reach it.
pub async fn release(
    cache: &dyn Cache,
    key: &str,
    lease: &AttemptLease,
    was_unsure: bool,
    last_error: String,
) -> Result<(), Unavailable> {
    let released = AttemptLease { held_until: 0, unsure: was_unsure, last_error, ..lease.clone() };
    compare_and_set(cache, key, Some(lease), &released).await.map(drop)
}

/// Releases a lease after a channel certainly refused the notice, so that the next channel is
/// tried.
pub async fn release_for_next_channel(
    cache: &dyn Cache,
    key: &str,
    lease: &AttemptLease,
    refused: ChannelAttempt,
) -> Result<(), Unavailable> {
    let mut earlier_attempts = lease.earlier_attempts.clone();
    earlier_attempts.push(refused);
    let released = AttemptLease {
        held_until: 0,
        unsure: false,
        channel: None,
        earlier_attempts,
        ..lease.clone()
    };
    compare_and_set(cache, key, Some(lease), &released).await.map(drop)
}

async fn compare_and_set(
    cache: &dyn Cache,
    key: &str,
    previous: Option<&AttemptLease>,
    next: &AttemptLease,
) -> Result<CasOutcome, Unavailable> {
    let expected = previous.map(encode);
    let key = streams::attempt_lease_key(key);
    cache.compare_and_set(&key, expected.as_deref(), encode(next), streams::ATTEMPT_LEASE_TTL).await
}

fn encode(lease: &AttemptLease) -> Bytes {
    serde_json::to_vec(lease).expect("a lease has string keys only").into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use paihao_cache::{MemoryCache, MemoryOptions};

    const VIA_TEMPLATE: (Channel, &[ChannelAttempt]) = (Channel::Template, &[]);

    fn cache() -> MemoryCache {
        MemoryCache::new(MemoryOptions::default())
    }

    #[tokio::test]
    async fn of_two_simultaneous_requests_one_acquires_the_lease() {
        let cache = cache();
        assert!(matches!(
            acquire(&cache, "k", None, VIA_TEMPLATE, 0).await.unwrap(),
            AcquireResult::Acquired(_)
        ));
        assert!(matches!(
            acquire(&cache, "k", None, VIA_TEMPLATE, 0).await.unwrap(),
            AcquireResult::Held(_)
        ));
    }

    #[tokio::test]
    async fn the_lease_of_a_dead_holder_expires_and_its_attempt_is_unsure() {
        let cache = cache();
        acquire(&cache, "k", None, VIA_TEMPLATE, 0).await.unwrap();
        let lease = load(&cache, "k").await.unwrap().unwrap();
        let acquired = acquire(&cache, "k", Some(&lease), VIA_TEMPLATE, 5_000).await.unwrap();
        assert_eq!(acquired, AcquireResult::Held(Duration::from_secs(15)));
        let AcquireResult::Acquired(second) =
            acquire(&cache, "k", Some(&lease), VIA_TEMPLATE, 20_000).await.unwrap()
        else {
            panic!("the lease should be expired");
        };
        assert_eq!((second.first_attempt_at, second.attempts, second.unsure), (0, 2, true));
    }

    #[tokio::test]
    async fn a_released_lease_keeps_its_count_and_can_be_acquired_at_once() {
        let cache = cache();
        let AcquireResult::Acquired(lease) =
            acquire(&cache, "k", None, VIA_TEMPLATE, 0).await.unwrap()
        else {
            panic!()
        };
        release(&cache, "k", &lease, false, "busy".into()).await.unwrap();
        let reloaded = load(&cache, "k").await.unwrap().unwrap();
        assert_eq!(
            (reloaded.attempts, reloaded.unsure, reloaded.last_error.as_str()),
            (1, false, "busy")
        );
        assert!(matches!(
            acquire(&cache, "k", Some(&reloaded), VIA_TEMPLATE, 1).await.unwrap(),
            AcquireResult::Acquired(_)
        ));
    }

    #[tokio::test]
    async fn a_refusing_channel_is_recorded_and_the_attempt_is_not_unsure() {
        let cache = cache();
        let AcquireResult::Acquired(lease) =
            acquire(&cache, "k", None, VIA_TEMPLATE, 0).await.unwrap()
        else {
            panic!()
        };
        let refused = ChannelAttempt {
            channel: Channel::Template,
            reason: "not_following".into(),
            code: Some(43004),
            detail: None,
        };
        release_for_next_channel(&cache, "k", &lease, refused.clone()).await.unwrap();
        let released = load(&cache, "k").await.unwrap().unwrap();
        assert_eq!(
            (released.required_channel(), released.unsure, released.earlier_attempts),
            (None, false, vec![refused])
        );
    }

    #[tokio::test]
    async fn a_restored_lease_is_held_and_unsure() {
        let cache = cache();
        let announced = AttemptAnnounced {
            v: 1,
            key: "k".into(),
            channel: Channel::CustomerService,
            at: 1_000,
            earlier_attempts: vec![],
        };
        let reloaded = restore(&cache, "k", &announced).await.unwrap().unwrap();
        assert_eq!(
            (reloaded.first_attempt_at, reloaded.unsure, reloaded.held_until),
            (1_000, true, 21_000)
        );
        assert_eq!(reloaded.required_channel(), Some(Channel::CustomerService));
        let acquired = acquire(&cache, "k", Some(&reloaded), VIA_TEMPLATE, 2_000).await.unwrap();
        assert_eq!(acquired, AcquireResult::Held(Duration::from_secs(19)));
        assert_eq!(restore(&cache, "k", &announced).await.unwrap(), Some(reloaded), "once");
    }

    #[test]
    fn a_lease_without_a_channel_belongs_to_a_template_message() {
        let old = r#"{"first":0,"attempts":1,"held_until":0,"unsure":true,"last":"no answer"}"#;
        let lease: AttemptLease = serde_json::from_str(old).unwrap();
        assert_eq!(lease.required_channel(), Some(Channel::Template));
    }
}
