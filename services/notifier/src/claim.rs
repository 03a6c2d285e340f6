//! Who may try to send a notice now: a claim in the cache, so that two replicas never send one key
//! at the same time and the nine minutes are counted from the first attempt, whoever made it.

use bytes::Bytes;
use paihao_cache::{Cache, Swap, Unavailable};
use paihao_contracts::names;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// An attempt takes at most this long, both calls of a refused token included.
pub const ATTEMPT_LIMIT: Duration = Duration::from_secs(15);

/// A claim is held this long: longer than an attempt, so that its holder is surely done or dead,
/// and shorter than the queue's patience, so that a redelivery finds it free.
const HELD: Duration = Duration::from_secs(20);

/// What is known of a notice's attempts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claim {
    /// When the first attempt began, in Unix milliseconds.
    pub first: i64,
    /// How many attempts have begun.
    pub attempts: u32,
    /// Until when one attempt has it for itself, in Unix milliseconds.
    pub held_until: i64,
    /// Whether some attempt ended without an answer, so that WeChat may have the message.
    pub unsure: bool,
    /// What the last attempt met.
    pub last: String,
}

/// What asking for a claim led to.
#[derive(Debug, PartialEq, Eq)]
pub enum Asked {
    /// Go ahead.
    Granted(Claim),
    /// Another attempt is under way; ask again after this long.
    Held(Duration),
}

/// The claim on a notice, if there has been an attempt.
pub async fn known(cache: &dyn Cache, key: &str) -> Result<Option<Claim>, Unavailable> {
    let stored = cache.get(&names::notice_claim(key)).await?;
    Ok(stored.and_then(|bytes| serde_json::from_slice(&bytes).ok()))
}

/// Asks to make the next attempt at `now`.
pub async fn ask(
    cache: &dyn Cache,
    key: &str,
    known: Option<&Claim>,
    now: i64,
) -> Result<Asked, Unavailable> {
    let held_until = now + HELD.as_millis() as i64;
    let next = match known {
        Some(claim) if claim.held_until > now => {
            return Ok(Asked::Held(Duration::from_millis((claim.held_until - now) as u64)));
        }
        // Until somebody says what this attempt led to, nobody knows.
        Some(claim) => {
            Claim { attempts: claim.attempts + 1, held_until, unsure: true, ..claim.clone() }
        }
        None => {
            Claim { first: now, attempts: 1, held_until, unsure: true, last: "no answer".into() }
        }
    };
    let swapped = swap(cache, key, known, &next).await?;
    Ok(match swapped {
        Swap::Done => Asked::Granted(next),
        Swap::Found(_) => Asked::Held(Duration::from_secs(1)),
    })
}

/// Gives a claim back after an attempt that WeChat answered with "later", or that never got through.
pub async fn give_back(
    cache: &dyn Cache,
    key: &str,
    claim: &Claim,
    was_unsure: bool,
    last: String,
) -> Result<(), Unavailable> {
    let given_back = Claim { held_until: 0, unsure: was_unsure, last, ..claim.clone() };
    swap(cache, key, Some(claim), &given_back).await.map(drop)
}

async fn swap(
    cache: &dyn Cache,
    key: &str,
    known: Option<&Claim>,
    next: &Claim,
) -> Result<Swap, Unavailable> {
    let expected = known.map(bytes);
    let key = names::notice_claim(key);
    cache.compare_and_set(&key, expected.as_deref(), bytes(next), names::CLAIM_KEPT).await
}

fn bytes(claim: &Claim) -> Bytes {
    serde_json::to_vec(claim).expect("a claim has string keys only").into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use paihao_cache::{MemoryCache, MemoryOptions};

    fn cache() -> MemoryCache {
        MemoryCache::new(MemoryOptions::default())
    }

    #[tokio::test]
    async fn of_two_who_ask_at_once_one_is_granted() {
        let cache = cache();
        assert!(matches!(ask(&cache, "k", None, 0).await.unwrap(), Asked::Granted(_)));
        assert!(matches!(ask(&cache, "k", None, 0).await.unwrap(), Asked::Held(_)));
    }

    #[tokio::test]
    async fn a_dead_holders_claim_is_free_after_a_while_and_leaves_a_doubt() {
        let cache = cache();
        ask(&cache, "k", None, 0).await.unwrap();
        let claim = known(&cache, "k").await.unwrap().unwrap();
        let held = ask(&cache, "k", Some(&claim), 5_000).await.unwrap();
        assert_eq!(held, Asked::Held(Duration::from_secs(15)));
        let Asked::Granted(second) = ask(&cache, "k", Some(&claim), 20_000).await.unwrap() else {
            panic!("the claim should be free");
        };
        assert_eq!((second.first, second.attempts, second.unsure), (0, 2, true));
    }

    #[tokio::test]
    async fn a_claim_given_back_keeps_count_and_can_be_had_at_once() {
        let cache = cache();
        let Asked::Granted(claim) = ask(&cache, "k", None, 0).await.unwrap() else { panic!() };
        give_back(&cache, "k", &claim, false, "busy".into()).await.unwrap();
        let back = known(&cache, "k").await.unwrap().unwrap();
        assert_eq!((back.attempts, back.unsure, back.last.as_str()), (1, false, "busy"));
        assert!(matches!(ask(&cache, "k", Some(&back), 1).await.unwrap(), Asked::Granted(_)));
    }
}
