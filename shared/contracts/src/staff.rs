//! Who works here: people, keys of programs, and what logins are signed with. Kept for ever.

use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// One entry, version 1.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StaffEntry {
    /// Always 1: another shape gets another number.
    pub v: u32,
    /// When it happened, Unix milliseconds.
    pub at: i64,
    /// Who did it: the id of a member, the name of a key, `first` or `system`.
    pub by: String,
    /// What happened.
    #[serde(flatten)]
    pub event: StaffEvent,
}

/// What can happen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum StaffEvent {
    /// The deployment's own secret was made, once: people are known by their hash under it.
    SecretMade {
        /// 32 random bytes, base64url.
        secret: String,
    },
    /// A key to sign tokens of logins with was made.
    SigningKeyMade {
        /// Its public name.
        kid: String,
        /// ES256, PKCS #8, base64url.
        pkcs8: String,
    },
    /// Somebody scanned an invitation and works here from now on.
    Joined {
        /// Who.
        member: Member,
        /// Hash of their account and openid under the deployment's secret.
        person: String,
        /// The invitation, each of which works once.
        invitation: String,
    },
    /// A member is called otherwise.
    Renamed {
        /// The member's id.
        id: String,
        /// The new name.
        name: String,
    },
    /// A member may do other things, or elsewhere.
    RoleChanged {
        /// The member's id.
        id: String,
        /// The new role.
        role: StaffRole,
        /// The sites that are open to them from now on; `None` is every site.
        sites: Option<BTreeSet<String>>,
        /// And their counters.
        counters: BTreeSet<String>,
    },
    /// A member no longer works here.
    Removed {
        /// The member's id.
        id: String,
    },
    /// A key for a program was made.
    KeyMade {
        /// The key.
        key: ApiKey,
    },
    /// A program's key no longer opens anything.
    KeyRevoked {
        /// The key's id.
        id: String,
    },
}

/// What somebody may do at their sites.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StaffRole {
    /// Runs them.
    Manager,
    /// Sits at certain counters.
    Staff,
}

/// Somebody who works here.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Member {
    /// Their name in the ledger and in logs, never another's: `m_` and hex digits.
    pub id: String,
    /// What people call them.
    pub name: String,
    /// What they may do.
    pub role: StaffRole,
    /// Where; `None` is every site.
    pub sites: Option<BTreeSet<String>>,
    /// At which counters of these sites; a manager is at every one.
    pub counters: BTreeSet<String>,
}

/// A key for a program.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApiKey {
    /// Its name in the ledger and in logs, never another's: `k_` and hex digits.
    pub id: String,
    /// What people call it.
    pub name: String,
    /// SHA-256 of the key in hex; the key itself is shown once and not kept.
    pub hash: String,
    /// What it opens; `None` is every site.
    pub sites: Option<BTreeSet<String>>,
    /// At which counters it acts; as a manager if there is none.
    pub counters: BTreeSet<String>,
}

impl StaffEntry {
    /// The stored form.
    pub fn encode(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("numbers and text always have a JSON form")
    }

    /// Reads a stored form; `None` if a newer program wrote it.
    pub fn decode(stored: &[u8]) -> Option<Self> {
        serde_json::from_slice(stored).ok().filter(|entry: &Self| entry.v == 1)
    }
}

/// Somebody's browser that is logged in: each entry of its subject says all of it, so that the
/// newest one is enough.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StaffSession {
    /// Version of this form: 1.
    pub v: u32,
    /// Who is logged in.
    pub holder: SessionHolder,
    /// Since when, in Unix milliseconds.
    pub begun_at: i64,
    /// When it was last used, give or take; Unix milliseconds.
    pub seen_at: i64,
    /// When it was ended, if it was; Unix milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<i64>,
    /// The kind of browser, in a few words.
    pub browser: String,
    /// Roughly where from: an address without its end.
    pub address: String,
}

/// Who is logged in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "holder", rename_all = "snake_case")]
pub enum SessionHolder {
    /// A member.
    Member {
        /// Their id.
        id: String,
    },
    /// Whoever holds a key of the configuration.
    Key {
        /// Its name.
        name: String,
        /// The head of its hash: with another key of the same name the session is over.
        print: String,
    },
}

impl StaffSession {
    /// The stored form.
    pub fn encode(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("numbers and text always have a JSON form")
    }

    /// Reads a stored form; `None` if a newer program wrote it.
    pub fn decode(stored: &[u8]) -> Option<Self> {
        serde_json::from_slice(stored).ok().filter(|session: &Self| session.v == 1)
    }
}
