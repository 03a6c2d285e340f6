//! Lua scripts for operations that Redis runs atomically.

use paihao_cache::Lease;
use redis::Script;

pub(crate) struct Scripts {
    /// Keys: value. Arguments: 1 if a value is expected, that value, the new value, milliseconds.
    /// Returns 1, or 0 and the value found.
    pub(crate) compare_and_set: Script,
    /// Keys: lease, fencing token. Arguments: holder, milliseconds. Returns the fencing token, or
    /// nothing if the lease is held.
    ///
    /// The token is at least Redis's own time in milliseconds, so that it grows even when Redis has
    /// lost its data and the former token with them.
    pub(crate) acquire: Script,
    /// Keys: lease. Arguments: value of the lease, milliseconds. Returns 1 if it is still held
    /// under this value.
    pub(crate) renew: Script,
    /// Keys: lease. Arguments: value of the lease.
    pub(crate) release: Script,
}

impl Default for Scripts {
    fn default() -> Self {
        Scripts {
            compare_and_set: Script::new(
                "local found = redis.call('GET', KEYS[1])
                 local same = found == false
                 if ARGV[1] == '1' then same = found == ARGV[2] end
                 if not same then return {0, found} end
                 redis.call('SET', KEYS[1], ARGV[3], 'PX', ARGV[4])
                 return {1, false}",
            ),
            acquire: Script::new(
                "if redis.call('EXISTS', KEYS[1]) == 1 then return false end
                 local now = redis.call('TIME')
                 local millis = now[1] * 1000 + math.floor(now[2] / 1000)
                 local fence = math.max(tonumber(redis.call('GET', KEYS[2]) or '0') + 1, millis)
                 fence = string.format('%.0f', fence)
                 redis.call('SET', KEYS[2], fence)
                 redis.call('SET', KEYS[1], fence .. ':' .. ARGV[1], 'PX', ARGV[2])
                 return fence",
            ),
            renew: Script::new(
                "if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
                 redis.call('PEXPIRE', KEYS[1], ARGV[2])
                 return 1",
            ),
            release: Script::new(
                "if redis.call('GET', KEYS[1]) == ARGV[1] then redis.call('DEL', KEYS[1]) end
                 return true",
            ),
        }
    }
}

/// Value of the lease key while this lease is held.
pub(crate) fn lease_value(lease: &Lease) -> String {
    format!("{}:{}", lease.fence, lease.holder)
}
