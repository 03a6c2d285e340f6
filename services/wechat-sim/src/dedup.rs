//! De-duplication of template messages by `client_msg_id`, for ten minutes.

use std::collections::{HashMap, VecDeque};
use std::hash::{DefaultHasher, Hash, Hasher};

const DEDUP_WINDOW_MS: u64 = 10 * 60 * 1000;

/// Recent message ids. They are kept as 128-bit hashes, so that a long load test fits into memory.
#[derive(Debug)]
pub(crate) struct MessageDedup {
    msgids: HashMap<u128, u64>,
    order: VecDeque<(u128, u64)>,
    max_entries: usize,
}

impl MessageDedup {
    pub(crate) fn new(max_entries: usize) -> Self {
        Self { msgids: HashMap::new(), order: VecDeque::new(), max_entries }
    }

    /// True if a message with this id was sent within the ten minutes.
    pub(crate) fn contains(
        &self,
        appid: &str,
        openid: &str,
        client_msg_id: &str,
        now: u64,
    ) -> bool {
        let key = key((appid, openid, client_msg_id));
        self.msgids.contains_key(&key)
            && self
                .order
                .iter()
                .any(|(entry_key, at)| *entry_key == key && now < at + DEDUP_WINDOW_MS)
    }

    /// Returns the msgid of an earlier message with this id. If there is none, records `msgid` for
    /// it and returns `None`.
    pub(crate) fn get_or_insert(
        &mut self,
        appid: &str,
        openid: &str,
        client_msg_id: &str,
        msgid: u64,
        now: u64,
    ) -> Option<u64> {
        while let Some((key, at)) = self.order.front()
            && (at + DEDUP_WINDOW_MS <= now || self.order.len() >= self.max_entries)
        {
            self.msgids.remove(key);
            self.order.pop_front();
        }
        let key = key((appid, openid, client_msg_id));
        if let Some(first) = self.msgids.get(&key) {
            return Some(*first);
        }
        self.msgids.insert(key, msgid);
        self.order.push_back((key, now));
        None
    }
}

fn key(parts: (&str, &str, &str)) -> u128 {
    let half = |salt: u8| {
        let mut hasher = DefaultHasher::new();
        (salt, parts).hash(&mut hasher);
        u128::from(hasher.finish())
    };
    half(0) << 64 | half(1)
}

#[cfg(test)]
mod tests {
    use super::{DEDUP_WINDOW_MS, MessageDedup};

    #[test]
    fn remembers_ten_minutes_and_no_longer() {
        let mut dedup = MessageDedup::new(10);
        assert_eq!(dedup.get_or_insert("wx", "o", "m1", 1, 0), None);
        assert_eq!(dedup.get_or_insert("wx", "o", "m1", 2, DEDUP_WINDOW_MS - 1), Some(1));
        assert_eq!(dedup.get_or_insert("wx", "p", "m1", 3, 5), None, "per customer");
        assert_eq!(dedup.get_or_insert("wy", "o", "m1", 4, 6), None, "per account");
        assert_eq!(dedup.get_or_insert("wx", "o", "m1", 5, DEDUP_WINDOW_MS), None);
    }
}
