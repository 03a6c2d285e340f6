//! Scopes that keys of programs need.

use paihao_contracts::staff::KeyScope;

/// Scope that a program's key needs for an operation, by its method, by the pattern of its path,
/// and by whether keys of counters may call it.
pub(crate) fn required_scope(is_safe: bool, path: &str, is_for_counters: bool) -> KeyScope {
    match (is_safe, is_for_counters) {
        (true, _) if path.split('/').any(|part| part == "feed") => KeyScope::Feed,
        (true, _) => KeyScope::Read,
        (false, true) => KeyScope::Counter,
        (false, false) => KeyScope::Manage,
    }
}
