//! What was done with a dead letter, and by whom: written once for each, beside it, under the subject
//! `handled`, the letter's position.

use serde::{Deserialize, Serialize};

/// What was done with a dead letter.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeadLetterResolution {
    /// Version of this form: 1.
    pub v: u32,
    /// When, in Unix milliseconds.
    pub at: i64,
    /// Who: the id of a member, or the name of a key.
    pub by: String,
    /// What.
    #[serde(flatten)]
    pub action: DeadLetterAction,
}

/// What can be done with one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "did", rename_all = "snake_case")]
pub enum DeadLetterAction {
    /// It is tried once more, under the key that [`redrive_key`] gives.
    Redriven {
        /// The place in its ticket's order of the newest notice that was known then; 0 if none was.
        #[serde(default, skip_serializing_if = "none_known")]
        newest: u32,
    },
    /// Nobody needs it any more.
    Dropped,
}

fn none_known(newest: &u32) -> bool {
    *newest == 0
}

/// The first part of the subject of what was done; of letters it is where they came from.
pub const HANDLED_SUBJECT: &str = "handled";

/// The key under which something is tried again that was given up under this one. A key of its own,
/// since the old one has its recorded end; and always the same, so that it is tried once however often
/// somebody asks.
pub fn redrive_key(key: &str) -> String {
    let (first, times) = parse_redrive_key(key);
    format!("{first}~{}", times + 1)
}

/// The key under which it was tried first, and how often it was redriven since.
pub fn parse_redrive_key(key: &str) -> (&str, u32) {
    let again = key.rsplit_once('~').and_then(|(first, times)| Some((first, times.parse().ok()?)));
    again.unwrap_or((key, 0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_time_it_is_tried_again_has_one_key() {
        let first = "hall/20779/17/called#1";
        let (second, third) = (redrive_key(first), redrive_key(&redrive_key(first)));
        assert_eq!((&*second, &*third), ("hall/20779/17/called#1~1", "hall/20779/17/called#1~2"));
        assert_eq!(parse_redrive_key(&third), (first, 2));
        assert_eq!(parse_redrive_key(first), (first, 0));
        assert_eq!(parse_redrive_key("a~b"), ("a~b", 0));
    }
}
