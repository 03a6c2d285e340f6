//! Members of staff of an account that is about to migrate, with their openids, which nothing else
//! keeps. An operator holds the value, sealed, until the account has migrated.

use serde::{Deserialize, Serialize};

/// Members who follow the account.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MigratingMembers {
    /// Version of this form: 1.
    pub v: u32,
    /// The account, by its name in the configuration.
    pub account: String,
    /// The members.
    pub members: Vec<MigratingMember>,
}

/// Member who follows the account.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MigratingMember {
    /// Id of the member.
    pub id: String,
    /// Openid at the account.
    pub person: String,
}

impl MigratingMembers {
    /// Creates the value of one account.
    pub fn new(account: &str, members: Vec<MigratingMember>) -> MigratingMembers {
        MigratingMembers { v: 1, account: account.to_owned(), members }
    }

    /// Returns the form that is sealed.
    pub fn encode(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("string keys only")
    }
}

impl std::fmt::Debug for MigratingMembers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "MigratingMembers({}, {} members)", self.account, self.members.len())
    }
}

impl std::fmt::Debug for MigratingMember {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "MigratingMember({}, ***)", self.id)
    }
}
