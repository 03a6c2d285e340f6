//! People who no longer follow an account and are still to be erased, because a store was away when
//! WeChat said so. WeChat repeats that push for 15 seconds only.

use serde::{Deserialize, Serialize};

/// Largest number of people of one value, which bounds its size.
pub const MAX_UNFOLLOWED: usize = 2_000;

/// People of one account who are to be erased. The value is kept in the cache while the ledger is
/// away, and on a queue of the ledger while the cache is.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unfollowed {
    /// Version of this form: 1.
    pub v: u32,
    /// The account.
    pub account: String,
    /// The people, in the order of the pushes.
    pub people: Vec<UnfollowedPerson>,
}

/// Person who is to be erased.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UnfollowedPerson {
    /// Openid of the person.
    pub person: String,
    /// Time at which the person no longer followed, in Unix milliseconds. A ticket that was taken
    /// later is kept: the person has come back.
    pub at: i64,
}

impl Unfollowed {
    /// Creates the value of one account.
    pub fn new(account: &str, people: Vec<UnfollowedPerson>) -> Unfollowed {
        Unfollowed { v: 1, account: account.to_owned(), people }
    }

    /// Returns the stored form.
    pub fn encode(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("string keys only")
    }
}

impl std::fmt::Debug for Unfollowed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Unfollowed({}, {} people)", self.account, self.people.len())
    }
}

impl std::fmt::Debug for UnfollowedPerson {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "UnfollowedPerson(***, {})", self.at)
    }
}
