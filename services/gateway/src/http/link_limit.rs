//! Limits of actions and streams per ticket link: enough for the phones of a family, and not for a
//! program that has gone wild.

use crate::http::refusals::{self, Problem};
use parking_lot::Mutex;
use std::collections::HashMap;
use std::sync::Arc;

/// Actions of one ticket in a minute.
const MAX_ACTIONS_PER_MINUTE: u32 = 20;

/// Streams of one ticket at once.
const MAX_STREAMS_PER_TICKET: u32 = 8;

const MINUTE_MS: i64 = 60_000;

/// Counts for every link that is in use.
#[derive(Clone, Default)]
pub(crate) struct LinkLimiter(Arc<Mutex<Counts>>);

#[derive(Default)]
struct Counts {
    minute: i64,
    actions: HashMap<String, u32>,
    streams: HashMap<String, u32>,
}

/// Permit of one stream, returned when it is dropped.
pub(crate) struct StreamPermit {
    counts: Arc<Mutex<Counts>>,
    link: String,
}

impl LinkLimiter {
    /// Admits one more action on this ticket, unless the limit is reached.
    pub(crate) fn admit_action(&self, site: &str, id: &str, now_ms: i64) -> Result<(), Problem> {
        let mut counts = self.0.lock();
        let minute = now_ms.div_euclid(MINUTE_MS);
        if counts.minute != minute {
            counts.minute = minute;
            counts.actions.clear();
        }
        let actions = counts.actions.entry(link_key(site, id)).or_default();
        *actions += 1;
        if *actions > MAX_ACTIONS_PER_MINUTE {
            Err(Problem::new(&refusals::TOO_MANY_WISHES))
        } else {
            Ok(())
        }
    }

    /// Permit for one more stream of this ticket.
    pub(crate) fn acquire_stream(&self, site: &str, id: &str) -> Result<StreamPermit, Problem> {
        let link = link_key(site, id);
        let mut counts = self.0.lock();
        let streams = counts.streams.entry(link.clone()).or_default();
        if *streams >= MAX_STREAMS_PER_TICKET {
            return Err(Problem::new(&refusals::TOO_MANY_WISHES));
        }
        *streams += 1;
        Ok(StreamPermit { counts: self.0.clone(), link })
    }
}

fn link_key(site: &str, id: &str) -> String {
    format!("{site}/{id}")
}

impl Drop for StreamPermit {
    fn drop(&mut self) {
        let mut counts = self.counts.lock();
        if let Some(streams) = counts.streams.get_mut(&self.link) {
            *streams -= 1;
            if *streams == 0 {
                counts.streams.remove(&self.link);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_ticket_has_its_own_permits_and_gets_them_back() {
        let limiter = LinkLimiter::default();
        let act = |id: &str, now| limiter.admit_action("hall", id, now).is_ok();
        assert!((0..MAX_ACTIONS_PER_MINUTE).all(|_| act("a", 0)));
        assert!(!act("a", 59_999) && act("b", 59_999) && act("a", 60_000));

        let mut permits: Vec<_> = (0..MAX_STREAMS_PER_TICKET)
            .map(|_| limiter.acquire_stream("hall", "a").ok().unwrap())
            .collect();
        assert!(
            limiter.acquire_stream("hall", "a").is_err()
                && limiter.acquire_stream("hall", "b").is_ok()
        );
        permits.pop();
        assert!(limiter.acquire_stream("hall", "a").is_ok());
        permits.clear();
        assert!(limiter.0.lock().streams.is_empty());
    }
}
