//! Conversion between entries and NATS messages.

use crate::connection::Connection;
use async_nats::HeaderMap;
use async_nats::header::{HeaderName, NATS_MESSAGE_ID};
use bytes::Bytes;
use paihao_ledger::{Entry, dead_letter};
use std::str::FromStr;
use std::time::Duration;

/// Header with the delay of a message's first delivery, in milliseconds after it was enqueued.
const DELAY_HEADER: &str = "Paihao-Delay";

/// Header with the time of the first append of a restored entry, in Unix milliseconds.
const APPENDED_AT_HEADER: &str = "Paihao-At";

/// Headers of the entry, without those that have a meaning to the server or to this crate.
pub(crate) fn headers(entry: &Entry) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in entry.carried_headers().filter(|(name, _)| is_entry_header(name)) {
        if let Ok(name) = HeaderName::from_str(name) {
            headers.append(name, value);
        }
    }
    headers
}

pub(crate) fn set_key(headers: &mut HeaderMap, key: &str) {
    headers.insert(NATS_MESSAGE_ID, dead_letter::encode(key).as_str());
}

pub(crate) fn key(headers: Option<&HeaderMap>) -> String {
    let encoded = headers.and_then(|headers| headers.get(NATS_MESSAGE_ID));
    dead_letter::decode(encoded.map_or("", |value| value.as_str()))
}

pub(crate) fn set_delay(headers: &mut HeaderMap, delay: Duration) {
    let nanos = Duration::from_nanos(delay.as_nanos().min(u128::from(u64::MAX)) as u64);
    headers.insert(DELAY_HEADER, nanos.as_millis().max(1).to_string().as_str());
}

pub(crate) fn delay(headers: Option<&HeaderMap>) -> Option<Duration> {
    let millis = headers?.get(DELAY_HEADER)?.as_str().parse().ok()?;
    Some(Duration::from_millis(millis))
}

pub(crate) fn set_appended_at(headers: &mut HeaderMap, at_ms: i64) {
    headers.insert(APPENDED_AT_HEADER, at_ms.to_string().as_str());
}

/// Time of the append in Unix milliseconds: that of the header, or that of the server.
pub(crate) fn appended_at(
    headers: Option<&HeaderMap>,
    stored: async_nats::datetime::DateTime,
) -> i64 {
    let restored =
        headers.and_then(|headers| headers.get(APPENDED_AT_HEADER)?.as_str().parse().ok());
    restored.unwrap_or_else(|| unix_millis(stored))
}

pub(crate) fn entry(headers: Option<&HeaderMap>, payload: Bytes) -> Entry {
    let mut read: Vec<(String, String)> = headers
        .into_iter()
        .flat_map(HeaderMap::iter)
        .filter(|(name, _)| is_entry_header(name.as_ref()))
        .flat_map(|(name, values)| {
            values.iter().map(move |value| (name.to_string(), value.as_str().to_owned()))
        })
        .collect();
    read.sort_unstable();
    Entry { payload, headers: read }
}

fn is_entry_header(name: &str) -> bool {
    let is_nats = name.get(..5).is_some_and(|begin| begin.eq_ignore_ascii_case("nats-"));
    let is_ours =
        [DELAY_HEADER, APPENDED_AT_HEADER].iter().any(|own| name.eq_ignore_ascii_case(own));
    !is_nats && !is_ours
}

/// Time at which a message was stored, in Unix milliseconds.
pub(crate) fn unix_millis(at: async_nats::datetime::DateTime) -> i64 {
    i64::try_from(at.unix_timestamp_nanos() / 1_000_000).unwrap_or(0)
}

/// Checks that the server accepts a message of this size; otherwise returns the size that is left
/// for the entry.
pub(crate) fn check_size(connection: &Connection, entry: &Entry) -> Result<(), usize> {
    // Names and values are counted in the entry; separators and the added headers are not.
    let overhead = 512 + 4 * entry.headers.len();
    let limit = connection.max_payload().saturating_sub(overhead);
    if entry.size() > limit { Err(limit) } else { Ok(()) }
}
