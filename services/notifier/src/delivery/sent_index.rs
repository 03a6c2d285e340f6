//! Index of recently sent messages per person, in the cache: it maps a receipt to its notice.
//!
//! An entry is written before its message is sent. A receipt that arrives before the response is
//! therefore never matched to another message.

use crate::ports::{StoreError, read_stored};
use bytes::Bytes;
use paihao_cache::{Cache, CasOutcome};
use paihao_contracts::envelope::{Form, NewerForm};
use paihao_contracts::notice::Channel;
use paihao_contracts::receipt::Receipt;
use paihao_contracts::streams;
use serde::{Deserialize, Serialize};

/// Most messages kept per person. The oldest are dropped first.
const MAX_SENT_PER_PERSON: usize = 16;
/// Longest time in milliseconds between a message and a receipt without an id.
const MAX_RECEIPT_DELAY_MS: i64 = 10 * 60 * 1000;
/// Tolerance in milliseconds for WeChat's clock, which may lag and has whole seconds only.
const MAX_CLOCK_SKEW_MS: i64 = 3_000;

/// Message that was sent or is about to be sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct SentMessage {
    /// Key of the notice.
    pub(crate) key: String,
    /// Channel of the message.
    pub(crate) channel: Channel,
    /// Id of the template.
    pub(crate) template: String,
    /// Time of the first attempt in Unix milliseconds.
    pub(crate) at: i64,
    /// True after WeChat accepted the message and the outcome of the notice is recorded.
    pub(crate) accepted: bool,
    /// Message id from WeChat's response, 0 for none.
    pub(crate) message_id: u64,
    /// Identity of the matched receipt.
    pub(crate) receipt: Option<String>,
}

/// Stored form of a person's messages, oldest first: a list without a version.
#[derive(Default, Deserialize)]
#[serde(transparent)]
struct SentMessages(Vec<SentMessage>);

impl Form for SentMessages {
    const NAME: &'static str = "sent index";
    const VERSION_IF_ABSENT: Option<u32> = Some(1);
}

/// Result of matching a receipt.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum ReceiptMatch {
    /// The receipt belongs to the notice with this key.
    Notice(String),
    /// The receipt was matched before.
    Duplicate,
    /// No message certainly matches, so far.
    NoMatch,
}

/// Matches a receipt to one of a person's messages. It matches by message id. Without an id in the
/// receipt or in WeChat's response, it matches only if exactly one message is possible.
pub(crate) fn match_receipt(sent: &[SentMessage], receipt: &Receipt) -> ReceiptMatch {
    if sent.iter().any(|sent| sent.receipt.as_ref() == Some(&receipt.identity)) {
        return ReceiptMatch::Duplicate;
    }
    let key = |sent: &SentMessage| ReceiptMatch::Notice(sent.key.clone());
    if receipt.channel == Channel::Template
        && let Some(id) = receipt.message_id
    {
        return sent.iter().find(|sent| sent.message_id == id).map_or(ReceiptMatch::NoMatch, key);
    }
    let created = receipt.created_s * 1000;
    let mut candidates = sent.iter().filter(|sent| {
        sent.channel == receipt.channel
            && receipt.template.as_ref().is_none_or(|template| *template == sent.template)
            && sent.receipt.is_none()
            && sent.at <= created + MAX_CLOCK_SKEW_MS
            && created - sent.at <= MAX_RECEIPT_DELAY_MS
    });
    match (candidates.next(), candidates.next()) {
        (Some(candidate), None) if candidate.accepted => key(candidate),
        _ => ReceiptMatch::NoMatch,
    }
}

/// Loads the messages of a person.
pub(crate) async fn load(
    cache: &dyn Cache,
    account: &str,
    person_key: &str,
) -> Result<Vec<SentMessage>, StoreError> {
    let stored = cache.get(&streams::sent_index_key(account, person_key)).await?;
    Ok(decode(stored.as_deref())?)
}

/// Value that the cache holds for a person, as far as it is known before it is read.
enum Expected {
    Unknown,
    /// Probably this value: a wrong guess costs no more than a read.
    Probably(Option<Bytes>),
}

/// Inserts a message that is about to be sent. Returns the stored messages of the person.
pub(crate) async fn insert(
    cache: &dyn Cache,
    account: &str,
    person_key: &str,
    new: SentMessage,
) -> Result<Option<Bytes>, StoreError> {
    // Mostly the first message to the person within the hour.
    let expected = Expected::Probably(None);
    modify(cache, account, person_key, expected, |all| {
        if !all.iter().any(|sent| sent.key == new.key && sent.channel == new.channel) {
            all.push(new.clone());
        }
        let extra = all.len().saturating_sub(MAX_SENT_PER_PERSON);
        all.drain(..extra);
    })
    .await
}

/// Changes the entry of a message. `None` removes it.
pub(crate) async fn update(
    cache: &dyn Cache,
    account: &str,
    person_key: &str,
    message: (&str, Channel),
    change: impl Fn(&SentMessage) -> Option<SentMessage>,
) -> Result<(), StoreError> {
    let edit = edit_of(message, change);
    modify(cache, account, person_key, Expected::Unknown, edit).await.map(drop)
}

/// As [`update`], for messages that were stored like this a moment ago.
pub(crate) async fn update_inserted(
    cache: &dyn Cache,
    account: &str,
    person_key: &str,
    stored: Option<Bytes>,
    message: (&str, Channel),
    change: impl Fn(&SentMessage) -> Option<SentMessage>,
) -> Result<(), StoreError> {
    let edit = edit_of(message, change);
    modify(cache, account, person_key, Expected::Probably(stored), edit).await.map(drop)
}

fn edit_of(
    (key, channel): (&str, Channel),
    change: impl Fn(&SentMessage) -> Option<SentMessage>,
) -> impl Fn(&mut Vec<SentMessage>) {
    move |all| {
        let changed = all.drain(..).filter_map(|sent| {
            if sent.key == key && sent.channel == channel { change(&sent) } else { Some(sent) }
        });
        *all = changed.collect();
    }
}

async fn modify(
    cache: &dyn Cache,
    account: &str,
    person_key: &str,
    expected: Expected,
    edit: impl Fn(&mut Vec<SentMessage>),
) -> Result<Option<Bytes>, StoreError> {
    let at = streams::sent_index_key(account, person_key);
    let (mut stored, mut is_read) = match expected {
        Expected::Unknown => (cache.get(&at).await?, true),
        Expected::Probably(stored) => (stored, false),
    };
    loop {
        let mut all = decode(stored.as_deref())?;
        let before = all.clone();
        edit(&mut all);
        if all == before {
            if is_read {
                return Ok(stored);
            }
            (stored, is_read) = (cache.get(&at).await?, true);
            continue;
        }
        let new = Bytes::from(serde_json::to_vec(&all).expect("string keys only"));
        let ttl = streams::SENT_INDEX_TTL;
        match cache.compare_and_set(&at, stored.as_deref(), new.clone(), ttl).await? {
            CasOutcome::Swapped => return Ok(Some(new)),
            // Another message to the person or its receipt was written: a few times at most.
            CasOutcome::Mismatch(found) => (stored, is_read) = (found, true),
        }
    }
}

fn decode(stored: Option<&[u8]>) -> Result<Vec<SentMessage>, NewerForm> {
    let Some(stored) = stored else { return Ok(Vec::new()) };
    Ok(read_stored::<SentMessages>(stored)?.unwrap_or_default().0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use paihao_contracts::receipt::ReceiptStatus;

    const AT: i64 = 1_795_384_475_000;

    fn sent(key: &str, message_id: u64) -> SentMessage {
        SentMessage {
            key: key.into(),
            channel: Channel::Template,
            template: "T".into(),
            at: AT,
            accepted: true,
            message_id,
            receipt: None,
        }
    }

    fn receipt(message_id: Option<u64>) -> Receipt {
        Receipt {
            v: 1,
            account: "shop".into(),
            person: "p".into(),
            channel: Channel::Template,
            template: None,
            message_id,
            receipt: ReceiptStatus::Delivered,
            status_text: "success".into(),
            created_s: AT / 1000 + 1,
            received_at: AT + 1_100,
            identity: "r1".into(),
        }
    }

    fn key(name: &str) -> ReceiptMatch {
        ReceiptMatch::Notice(name.into())
    }

    #[test]
    fn a_receipt_matches_by_id_and_an_unknown_id_is_retried() {
        let all = [sent("one", 7), sent("two", 8)];
        assert_eq!(match_receipt(&all, &receipt(Some(8))), key("two"));
        assert_eq!(
            match_receipt(&all, &receipt(Some(9))),
            ReceiptMatch::NoMatch,
            "another program's message, or too early"
        );
        assert_eq!(
            match_receipt(&all[..1], &receipt(Some(9))),
            ReceiptMatch::NoMatch,
            "the only message has another id"
        );
    }

    #[test]
    fn without_an_id_only_the_one_possible_message_matches() {
        assert_eq!(match_receipt(&[sent("one", 7)], &receipt(None)), key("one"));
        assert_eq!(
            match_receipt(&[sent("one", 7), sent("two", 8)], &receipt(None)),
            ReceiptMatch::NoMatch
        );
        let received = SentMessage { receipt: Some("r0".into()), ..sent("one", 7) };
        assert_eq!(match_receipt(&[received.clone(), sent("two", 8)], &receipt(None)), key("two"));
        assert_eq!(
            match_receipt(&[received], &receipt(None)),
            ReceiptMatch::NoMatch,
            "it already has a receipt"
        );
        let pending = SentMessage { accepted: false, ..sent("two", 0) };
        assert_eq!(
            match_receipt(&[sent("one", 7), pending.clone()], &receipt(None)),
            ReceiptMatch::NoMatch
        );
        assert_eq!(
            match_receipt(&[pending], &receipt(None)),
            ReceiptMatch::NoMatch,
            "its response is pending"
        );
        for at in [AT + 60_000, AT - MAX_RECEIPT_DELAY_MS - 1_000] {
            assert_eq!(
                match_receipt(&[SentMessage { at, ..sent("one", 7) }], &receipt(None)),
                ReceiptMatch::NoMatch
            );
        }
    }

    #[test]
    fn a_repeated_receipt_matches_no_other_message() {
        let received = SentMessage { receipt: Some("r1".into()), ..sent("one", 7) };
        assert_eq!(
            match_receipt(&[received, sent("two", 8)], &receipt(None)),
            ReceiptMatch::Duplicate
        );
    }

    #[test]
    fn a_subscription_notice_matches_by_its_template() {
        let subscription_message = |key, template: &str| SentMessage {
            channel: Channel::Subscription,
            template: template.into(),
            ..sent(key, 0)
        };
        let all = [
            subscription_message("one", "S1"),
            subscription_message("two", "S2"),
            sent("three", 7),
        ];
        let receipt = Receipt {
            channel: Channel::Subscription,
            template: Some("S2".into()),
            ..receipt(Some(7))
        };
        assert_eq!(match_receipt(&all, &receipt), key("two"));
    }
}
