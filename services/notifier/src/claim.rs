//! Who may try to send a notice now: a claim in the cache, so that two replicas never send one key
//! at the same time and the nine minutes are counted from the first attempt, whoever made it.

use bytes::Bytes;
use paihao_cache::{Cache, CasOutcome, Unavailable};
use paihao_contracts::notice::{Channel, ChannelAttempt};
use paihao_contracts::outcome::AttemptAnnounced;
use paihao_contracts::streams;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// An attempt takes at most this long, both calls of a refused token included.
pub const ATTEMPT_LIMIT: Duration = Duration::from_secs(15);

/// A claim is held this long: longer than an attempt, so that its holder is surely done or dead,
/// and shorter than the queue's patience, so that a redelivery finds it free.
pub(crate) const HELD: Duration = Duration::from_secs(20);

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
    /// The channel of the last attempt, until it is sure that it did not take the notice.
    #[serde(default)]
    pub channel: Option<Channel>,
    /// The channels that did not take it.
    #[serde(default)]
    pub tried: Vec<ChannelAttempt>,
}

impl Claim {
    /// The channel that an attempt must go through, if it may go through no other.
    pub fn pinned(&self) -> Option<Channel> {
        // Claims of before there were channels are of template messages.
        self.channel.or(self.unsure.then_some(Channel::Template))
    }
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
    let stored = cache.get(&streams::attempt_lease_key(key)).await?;
    Ok(stored.and_then(|bytes| serde_json::from_slice(&bytes).ok()))
}

/// Brings back the claim of an attempt that the ledger knows of and the cache has lost: nobody knows
/// what the attempt led to, and whoever made it is surely done once the claim is free.
pub async fn bring_back(
    cache: &dyn Cache,
    key: &str,
    trying: &AttemptAnnounced,
) -> Result<Option<Claim>, Unavailable> {
    let lost = Claim {
        first: trying.at,
        attempts: 1,
        held_until: trying.at + HELD.as_millis() as i64,
        unsure: true,
        last: "no answer".into(),
        channel: Some(trying.trying),
        tried: trying.tried.clone(),
    };
    Ok(match swap(cache, key, None, &lost).await? {
        CasOutcome::Swapped => Some(lost),
        CasOutcome::Mismatch(_) => known(cache, key).await?,
    })
}

/// Asks to make the next attempt at `now`, through this channel after those.
pub async fn ask(
    cache: &dyn Cache,
    key: &str,
    known: Option<&Claim>,
    (channel, tried): (Channel, &[ChannelAttempt]),
    now: i64,
) -> Result<Asked, Unavailable> {
    let held_until = now + HELD.as_millis() as i64;
    let next = match known {
        Some(claim) if claim.held_until > now => {
            return Ok(Asked::Held(Duration::from_millis((claim.held_until - now) as u64)));
        }
        // Until somebody says what this attempt led to, nobody knows.
        Some(claim) => Claim {
            attempts: claim.attempts + 1,
            held_until,
            unsure: true,
            channel: Some(channel),
            tried: tried.to_vec(),
            ..claim.clone()
        },
        None => Claim {
            first: now,
            attempts: 1,
            held_until,
            unsure: true,
            last: "no answer".into(),
            channel: Some(channel),
            tried: tried.to_vec(),
        },
    };
    let swapped = swap(cache, key, known, &next).await?;
    Ok(match swapped {
        CasOutcome::Swapped => Asked::Granted(next),
        CasOutcome::Mismatch(_) => Asked::Held(Duration::from_secs(1)),
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

/// Gives a claim back after an attempt whose channel surely did not take the notice: the next may.
pub async fn move_on(
    cache: &dyn Cache,
    key: &str,
    claim: &Claim,
    refused: ChannelAttempt,
) -> Result<(), Unavailable> {
    let mut tried = claim.tried.clone();
    tried.push(refused);
    let moved = Claim { held_until: 0, unsure: false, channel: None, tried, ..claim.clone() };
    swap(cache, key, Some(claim), &moved).await.map(drop)
}

async fn swap(
    cache: &dyn Cache,
    key: &str,
    known: Option<&Claim>,
    next: &Claim,
) -> Result<CasOutcome, Unavailable> {
    let expected = known.map(bytes);
    let key = streams::attempt_lease_key(key);
    cache.compare_and_set(&key, expected.as_deref(), bytes(next), streams::ATTEMPT_LEASE_TTL).await
}

fn bytes(claim: &Claim) -> Bytes {
    serde_json::to_vec(claim).expect("a claim has string keys only").into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use paihao_cache::{MemoryCache, MemoryOptions};

    const VIA: (Channel, &[ChannelAttempt]) = (Channel::Template, &[]);

    fn cache() -> MemoryCache {
        MemoryCache::new(MemoryOptions::default())
    }

    #[tokio::test]
    async fn of_two_who_ask_at_once_one_is_granted() {
        let cache = cache();
        assert!(matches!(ask(&cache, "k", None, VIA, 0).await.unwrap(), Asked::Granted(_)));
        assert!(matches!(ask(&cache, "k", None, VIA, 0).await.unwrap(), Asked::Held(_)));
    }

    #[tokio::test]
    async fn a_dead_holders_claim_is_free_after_a_while_and_leaves_a_doubt() {
        let cache = cache();
        ask(&cache, "k", None, VIA, 0).await.unwrap();
        let claim = known(&cache, "k").await.unwrap().unwrap();
        let held = ask(&cache, "k", Some(&claim), VIA, 5_000).await.unwrap();
        assert_eq!(held, Asked::Held(Duration::from_secs(15)));
        let Asked::Granted(second) = ask(&cache, "k", Some(&claim), VIA, 20_000).await.unwrap()
        else {
            panic!("the claim should be free");
        };
        assert_eq!((second.first, second.attempts, second.unsure), (0, 2, true));
    }

    #[tokio::test]
    async fn a_claim_given_back_keeps_count_and_can_be_had_at_once() {
        let cache = cache();
        let Asked::Granted(claim) = ask(&cache, "k", None, VIA, 0).await.unwrap() else { panic!() };
        give_back(&cache, "k", &claim, false, "busy".into()).await.unwrap();
        let back = known(&cache, "k").await.unwrap().unwrap();
        assert_eq!((back.attempts, back.unsure, back.last.as_str()), (1, false, "busy"));
        assert!(matches!(ask(&cache, "k", Some(&back), VIA, 1).await.unwrap(), Asked::Granted(_)));
    }

    #[tokio::test]
    async fn a_channel_that_refused_is_remembered_and_leaves_no_doubt() {
        let cache = cache();
        let Asked::Granted(claim) = ask(&cache, "k", None, VIA, 0).await.unwrap() else { panic!() };
        let refused = ChannelAttempt {
            channel: Channel::Template,
            reason: "not_following".into(),
            code: Some(43004),
            said: None,
        };
        move_on(&cache, "k", &claim, refused.clone()).await.unwrap();
        let moved = known(&cache, "k").await.unwrap().unwrap();
        assert_eq!((moved.pinned(), moved.unsure, moved.tried), (None, false, vec![refused]));
    }

    #[tokio::test]
    async fn a_claim_that_was_lost_comes_back_held_and_in_doubt() {
        let cache = cache();
        let trying = AttemptAnnounced {
            v: 1,
            key: "k".into(),
            trying: Channel::CustomerService,
            at: 1_000,
            tried: vec![],
        };
        let back = bring_back(&cache, "k", &trying).await.unwrap().unwrap();
        assert_eq!((back.first, back.unsure, back.held_until), (1_000, true, 21_000));
        assert_eq!(back.pinned(), Some(Channel::CustomerService));
        let held = ask(&cache, "k", Some(&back), VIA, 2_000).await.unwrap();
        assert_eq!(held, Asked::Held(Duration::from_secs(19)));
        assert_eq!(bring_back(&cache, "k", &trying).await.unwrap(), Some(back), "once");
    }

    #[test]
    fn a_claim_of_before_there_were_channels_is_a_template_messages() {
        let old = r#"{"first":0,"attempts":1,"held_until":0,"unsure":true,"last":"no answer"}"#;
        let claim: Claim = serde_json::from_str(old).unwrap();
        assert_eq!(claim.pinned(), Some(Channel::Template));
    }
}
