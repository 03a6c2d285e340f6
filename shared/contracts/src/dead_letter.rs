//! Record of the handling of a dead letter. There is one for each handled letter, in the same log,
//! under the subject `handled`, position of the letter.

use serde::{Deserialize, Serialize};

/// Record of the handling of one dead letter.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeadLetterResolution {
    /// Version of this form: 1.
    pub v: u32,
    /// Time of the handling, in Unix milliseconds.
    pub at: i64,
    /// The operator: id of a member, or name of a key.
    pub by: String,
    /// Action taken.
    #[serde(flatten)]
    pub action: DeadLetterAction,
}

/// Actions on a dead letter.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "did", rename_all = "snake_case")]
pub enum DeadLetterAction {
    /// Tried once more, under the key that [`redrive_key`] gives.
    Redriven {
        /// Ordinal, among its ticket's notices, of the newest notice known then; 0 if none was.
        #[serde(default, skip_serializing_if = "is_zero")]
        newest: u32,
    },
    /// Discarded, as no longer needed.
    Dropped,
}

fn is_zero(newest: &u32) -> bool {
    *newest == 0
}

/// First part of the subject of a handling record. A dead letter has its origin there.
pub const HANDLED_SUBJECT: &str = "handled";

/// Returns the key under which a dead letter is tried again. It differs from the old key, which has
/// its recorded end, and it is deterministic, so that repeated requests lead to one attempt.
pub fn redrive_key(key: &str) -> String {
    let (first, times) = parse_redrive_key(key);
    format!("{first}~{}", times + 1)
}

/// Splits a key into the original key and the number of redrives.
pub fn parse_redrive_key(key: &str) -> (&str, u32) {
    let redriven =
        key.rsplit_once('~').and_then(|(first, times)| Some((first, times.parse().ok()?)));
    redriven.unwrap_or((key, 0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_time_it_is_tried_again_has_one_key() {
        let first = "hall/20779/17/called#1";
        let second = redrive_key(first);
        let third = redrive_key(&redrive_key(first));
        assert_eq!((&*second, &*third), ("hall/20779/17/called#1~1", "hall/20779/17/called#1~2"));
        assert_eq!(parse_redrive_key(&third), (first, 2));
        assert_eq!(parse_redrive_key(first), (first, 0));
        assert_eq!(parse_redrive_key("a~b"), ("a~b", 0));
    }
}
