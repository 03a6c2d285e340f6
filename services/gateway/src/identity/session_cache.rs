//! Browser sessions that a replica knows, by id. Those past their maximum age are removed whenever
//! the number of sessions has doubled, so that loading them takes time in proportion to their
//! number.

use paihao_contracts::staff::StaffSession;
use paihao_ledger::Position;
use std::collections::HashMap;

/// Number of sessions up to which none is removed.
const MIN_REMOVAL_SIZE: usize = 64;

/// Sessions by id.
pub(super) struct SessionCache {
    sessions: HashMap<String, CachedSession>,
    /// Number of sessions at which those past their age are removed next.
    next_removal: usize,
    /// Sessions that removals have examined so far.
    #[cfg(test)]
    examined: usize,
}

/// Session of the cache.
pub(super) struct CachedSession {
    pub(super) session: StaffSession,
    /// Position of the newest entry of the session.
    pub(super) position: Position,
    /// True while a use of the session is being recorded.
    pub(super) is_refreshing: bool,
}

impl Default for SessionCache {
    fn default() -> Self {
        SessionCache {
            sessions: HashMap::new(),
            next_removal: MIN_REMOVAL_SIZE,
            #[cfg(test)]
            examined: 0,
        }
    }
}

impl SessionCache {
    /// Stores the session of an entry unless a newer entry was stored. A session that began before
    /// `oldest`, in Unix milliseconds, is past its age.
    pub(super) fn insert(
        &mut self,
        id: String,
        session: StaffSession,
        position: Position,
        oldest: i64,
    ) {
        let is_newer = self.sessions.get(&id).is_none_or(|known| known.position < position);
        if is_newer {
            // The follower may apply an entry before its writer does.
            self.sessions.insert(id, CachedSession { session, position, is_refreshing: false });
        }
        if self.sessions.len() >= self.next_removal {
            self.remove_begun_before(oldest);
            self.next_removal = (self.sessions.len() * 2).max(MIN_REMOVAL_SIZE);
        }
    }

    fn remove_begun_before(&mut self, oldest: i64) {
        #[cfg(test)]
        {
            self.examined += self.sessions.len();
        }
        self.sessions.retain(|_, cached| cached.session.begun_at > oldest);
    }

    pub(super) fn get(&self, id: &str) -> Option<&CachedSession> {
        self.sessions.get(id)
    }

    pub(super) fn get_mut(&mut self, id: &str) -> Option<&mut CachedSession> {
        self.sessions.get_mut(id)
    }

    pub(super) fn remove(&mut self, id: &str) {
        self.sessions.remove(id);
    }

    pub(super) fn clear(&mut self) {
        self.sessions.clear();
    }

    /// Iterates over the sessions with their ids.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&String, &StaffSession)> {
        self.sessions.iter().map(|(id, cached)| (id, &cached.session))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use paihao_contracts::staff::SessionHolder;

    fn session(begun_at: i64) -> StaffSession {
        StaffSession {
            v: 1,
            holder: SessionHolder::Member { id: "m_1".into() },
            begun_at,
            seen_at: begun_at,
            ended_at: None,
            ended_by: None,
            ended_from: None,
            browser: String::new(),
            address: String::new(),
        }
    }

    /// Cache of so many sessions, a millisecond apart, of which those of the last `kept` last.
    fn loaded(count: i64, kept: i64) -> SessionCache {
        let mut cache = SessionCache::default();
        for at in 1..=count {
            cache.insert(at.to_string(), session(at), Position(at as u64), at - kept);
        }
        cache
    }

    #[test]
    fn loading_examines_a_few_sessions_for_each_whatever_their_number() {
        for count in [100, 1_000, 10_000] {
            for kept in [10, count / 2, count] {
                let cache = loaded(count, kept);
                assert!(
                    cache.examined <= 4 * count as usize,
                    "{count} of which {kept} last: {}",
                    cache.examined
                );
            }
        }
    }

    #[test]
    fn sessions_past_their_age_leave_and_the_others_stay() {
        let cache = loaded(10_000, 100);
        assert!(cache.sessions.len() <= 2 * 100 + MIN_REMOVAL_SIZE, "{}", cache.sessions.len());
        assert!((9_901..=10_000).all(|at| cache.get(&at.to_string()).is_some()));
    }

    #[test]
    fn an_older_entry_does_not_replace_a_newer_one() {
        let mut cache = SessionCache::default();
        let ended = StaffSession { ended_at: Some(5), ..session(1) };
        cache.insert("a".into(), ended.clone(), Position(9), 0);
        cache.insert("a".into(), session(1), Position(3), 0);
        assert_eq!(cache.get("a").unwrap().session, ended);
    }
}
