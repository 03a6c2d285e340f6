//! Limits of actions and streams per ticket link: enough for the phones of a family, and not for a
//! program that has gone wild.

use crate::http::refusals::{self, Problem};
use paihao_chassis::permits::{Permit, Permits};
use parking_lot::Mutex;
use std::collections::HashMap;
use std::sync::Arc;

/// Actions of one ticket in a minute.
const MAX_ACTIONS_PER_MINUTE: u32 = 20;

/// Streams of one ticket at once.
const MAX_STREAMS_PER_TICKET: usize = 8;

const MINUTE_MS: i64 = 60_000;

/// Counts for every link that is in use.
#[derive(Clone, Default)]
pub(crate) struct LinkLimiter {
    actions: Arc<Mutex<ActionCounts>>,
    streams: Permits<String>,
}

#[derive(Default)]
struct ActionCounts {
    minute: i64,
    by_link: HashMap<String, u32>,
}

impl LinkLimiter {
    /// Admits one more action on this ticket, unless the limit is reached.
    pub(crate) fn admit_action(&self, site: &str, id: &str, now_ms: i64) -> Result<(), Problem> {
        let mut counts = self.actions.lock();
        let minute = now_ms.div_euclid(MINUTE_MS);
        if counts.minute != minute {
            counts.minute = minute;
            counts.by_link.clear();
        }
        let actions = counts.by_link.entry(link_key(site, id)).or_default();
        *actions += 1;
        if *actions > MAX_ACTIONS_PER_MINUTE {
            Err(Problem::new(&refusals::TOO_MANY_WISHES))
        } else {
            Ok(())
        }
    }

    /// Permit for one more stream of this ticket.
    pub(crate) fn acquire_stream(&self, site: &str, id: &str) -> Result<Permit<String>, Problem> {
        let permit = self.streams.try_acquire([(link_key(site, id), MAX_STREAMS_PER_TICKET)]);
        permit.ok_or_else(|| Problem::new(&refusals::TOO_MANY_WISHES))
    }
}

fn link_key(site: &str, id: &str) -> String {
    format!("{site}/{id}")
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
        assert!(limiter.streams.are_free());
    }
}
