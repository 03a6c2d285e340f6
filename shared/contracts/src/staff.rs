//! Log of the staff roster: members, API keys, paired kiosks and the signing keys of logins. Kept
//! for ever, but for the names of those who are former ones.

use crate::envelope::Form;
use crate::stored_secret::StoredSecret;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// Newest version of an entry of the roster log. Version 1 had no migration of an account, no API
/// key with limits, no paired kiosk, no revoked signing key, no sealed secret, and no erased name.
pub const STAFF_VERSION: u32 = 2;

/// Generation of forms from which entries of version 2 are written.
pub const STAFF_GENERATION: u32 = 2;

/// Version of an entry that every program reads.
const FIRST_VERSION: u32 = 1;

/// An entry of the roster log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StaffEntry {
    /// Version that a reader has to know, at most [`STAFF_VERSION`] of the writer.
    pub v: u32,
    /// Time of the event, in Unix milliseconds.
    pub at: i64,
    /// The operator: id of a member, name of a key, `first` or `system`.
    pub by: String,
    /// Approximate origin of the operator's request: an address without its last part.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// The event.
    #[serde(flatten)]
    pub event: StaffEvent,
}

/// Events of the roster log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum StaffEvent {
    /// The deployment's secret was created, once: persons are stored as their hash under it.
    SecretMade {
        /// 32 random bytes, base64url; sealed from version 2 of the entry on.
        secret: StoredSecret,
        /// Time of its creation, in Unix milliseconds, if it was sealed again.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        made_at: Option<i64>,
    },
    /// A signing key for tokens of logins was created.
    SigningKeyMade {
        /// Public id of the key.
        kid: String,
        /// Private key: ES256, PKCS #8, base64url; sealed from version 2 of the entry on.
        pkcs8: StoredSecret,
        /// Time of its creation, in Unix milliseconds, if it was sealed again.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        made_at: Option<i64>,
    },
    /// A signing key was revoked: its signatures are good no longer.
    SigningKeyRevoked {
        /// Public id of the key.
        kid: String,
    },
    /// A person accepted an invitation and is a member from now on.
    Joined {
        /// The new member.
        member: Member,
        /// Hash of the person's account and openid under the deployment's secret.
        person: String,
        /// Id of the invitation, which can be used once.
        invitation: String,
    },
    /// A member was renamed.
    Renamed {
        /// Id of the member.
        id: String,
        /// New name.
        name: String,
    },
    /// Role, sites or counters of a member changed.
    RoleChanged {
        /// Id of the member.
        id: String,
        /// New role.
        role: StaffRole,
        /// New sites; `None` is every site.
        sites: Option<BTreeSet<String>>,
        /// New counters.
        counters: BTreeSet<String>,
    },
    /// A member has another openid, since the account by which they log in migrated.
    Migrated {
        /// Id of the member.
        id: String,
        /// Hash of the new account and openid under the deployment's secret.
        person: String,
    },
    /// A member was removed.
    Removed {
        /// Id of the member.
        id: String,
    },
    /// An API key was created.
    KeyMade {
        /// The key.
        key: ApiKey,
    },
    /// An API key was revoked.
    KeyRevoked {
        /// Id of the key.
        id: String,
    },
    /// A kiosk was paired.
    KioskPaired {
        /// The kiosk.
        kiosk: Kiosk,
    },
    /// A kiosk is paired no longer.
    KioskUnpaired {
        /// Id of the kiosk.
        id: String,
    },
    /// The name of a former member, key or kiosk was erased: the entries in which it stood are
    /// removed, and this is left of them.
    NameErased {
        /// Id of the member, key or kiosk.
        id: String,
        /// Content of the removed entries, without names and without hashes of people.
        entries: Vec<NamelessEntry>,
    },
}

/// Remainder of an entry that was removed for the name in it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NamelessEntry {
    /// Position that the entry had.
    pub position: u64,
    /// Time of the event, in Unix milliseconds.
    pub at: i64,
    /// The operator: id of a member, name of a key, `first` or `system`.
    pub by: String,
    /// Approximate origin of the operator's request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// The event.
    #[serde(flatten)]
    pub event: NamelessEvent,
}

/// Events of removed entries.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum NamelessEvent {
    /// A person joined.
    Joined {
        /// Role at that time.
        role: StaffRole,
        /// Sites at that time; `None` is every site.
        sites: Option<BTreeSet<String>>,
        /// Counters at that time.
        counters: BTreeSet<String>,
        /// Id of the invitation, which stays used.
        invitation: String,
    },
    /// A member was renamed.
    Renamed,
    /// A member had another openid.
    Migrated,
    /// An API key was created. Its id stays taken.
    KeyMade {
        /// Sites of the key; `None` is every site.
        sites: Option<BTreeSet<String>>,
        /// Counters of the key.
        counters: BTreeSet<String>,
    },
    /// A kiosk was paired.
    KioskPaired {
        /// Site of the kiosk.
        site: String,
        /// SHA-256 of its credential in hex, which stays unpaired.
        hash: String,
    },
}

impl StaffEntry {
    /// Returns the member, key or kiosk that the entry names, and what is left of the entry without
    /// the name. `None` if it names nobody.
    pub fn without_name(&self, position: u64) -> Option<(&str, NamelessEntry)> {
        let (id, event) = match &self.event {
            StaffEvent::Joined { member, invitation, .. } => {
                let Member { id, role, sites, counters, .. } = member;
                let (role, sites, counters) = (*role, sites.clone(), counters.clone());
                let invitation = invitation.clone();
                (id, NamelessEvent::Joined { role, sites, counters, invitation })
            }
            StaffEvent::Renamed { id, .. } => (id, NamelessEvent::Renamed),
            StaffEvent::Migrated { id, .. } => (id, NamelessEvent::Migrated),
            StaffEvent::KeyMade { key } => {
                let (sites, counters) = (key.sites.clone(), key.counters.clone());
                (&key.id, NamelessEvent::KeyMade { sites, counters })
            }
            StaffEvent::KioskPaired { kiosk } => {
                let (site, hash) = (kiosk.site.clone(), kiosk.hash.clone());
                (&kiosk.id, NamelessEvent::KioskPaired { site, hash })
            }
            StaffEvent::SecretMade { .. }
            | StaffEvent::SigningKeyMade { .. }
            | StaffEvent::SigningKeyRevoked { .. }
            | StaffEvent::RoleChanged { .. }
            | StaffEvent::Removed { .. }
            | StaffEvent::KeyRevoked { .. }
            | StaffEvent::KioskUnpaired { .. }
            | StaffEvent::NameErased { .. } => return None,
        };
        let StaffEntry { at, by, from, .. } = self;
        let (by, from) = (by.clone(), from.clone());
        Some((id, NamelessEntry { position, at: *at, by, from, event }))
    }
}

/// Roles of staff.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StaffRole {
    /// Manages the sites.
    Manager,
    /// Works at certain counters.
    Staff,
}

/// A member of staff.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Member {
    /// Id in the ledger and in logs, never reused: `m_` and hex digits.
    pub id: String,
    /// Display name.
    pub name: String,
    /// Role.
    pub role: StaffRole,
    /// Sites of the member; `None` is every site.
    pub sites: Option<BTreeSet<String>>,
    /// Counters of the member at these sites; a manager has access to all.
    pub counters: BTreeSet<String>,
}

/// API key of a program.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApiKey {
    /// Id in the ledger and in logs, never reused: `k_` and hex digits.
    pub id: String,
    /// Display name.
    pub name: String,
    /// SHA-256 of the key in hex; the key itself is shown once and not kept.
    pub hash: String,
    /// Sites of the key; `None` is every site.
    pub sites: Option<BTreeSet<String>>,
    /// Counters of the key; a key without counters acts as a manager.
    pub counters: BTreeSet<String>,
    /// Purpose of the key, in the words of whoever made it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub purpose: Option<String>,
    /// Scopes of the key; `None` is everything that its counters permit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scopes: Option<BTreeSet<KeyScope>>,
    /// Time of the key's end, in Unix milliseconds; `None` is never.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<i64>,
}

impl ApiKey {
    /// Returns whether the key is limited in what it may do or for how long.
    pub fn has_limits(&self) -> bool {
        self.scopes.is_some() || self.expires_at.is_some()
    }

    /// Returns whether the key has ended.
    pub fn has_expired(&self, now_ms: i64) -> bool {
        self.expires_at.is_some_and(|at| at <= now_ms)
    }
}

/// Kiosk that a manager has paired with a site.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Kiosk {
    /// Id in the ledger and in logs, never reused: `kiosk_` and hex digits.
    pub id: String,
    /// Display name.
    pub name: String,
    /// Site of the kiosk.
    pub site: String,
    /// SHA-256 of the credential in the cookie of its browser, in hex.
    pub hash: String,
}

/// Scopes of an API key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum KeyScope {
    /// Reads, without the feed.
    Read,
    /// Reads the feed of events.
    Feed,
    /// Acts on the line, as staff at the key's counters do.
    Counter,
    /// Everything else that a program may do.
    Manage,
}

impl StaffEntry {
    /// Creates an entry under the oldest version that can express its event.
    pub fn new(at: i64, by: &str, event: StaffEvent) -> StaffEntry {
        let v = match event {
            StaffEvent::SecretMade { ref secret, .. }
            | StaffEvent::SigningKeyMade { pkcs8: ref secret, .. }
                if secret.is_sealed() =>
            {
                STAFF_VERSION
            }
            StaffEvent::Migrated { .. }
            | StaffEvent::SigningKeyRevoked { .. }
            | StaffEvent::KioskPaired { .. }
            | StaffEvent::KioskUnpaired { .. }
            | StaffEvent::NameErased { .. } => STAFF_VERSION,
            StaffEvent::KeyMade { ref key } if key.has_limits() => STAFF_VERSION,
            _ => FIRST_VERSION,
        };
        StaffEntry { v, at, by: by.to_owned(), from: None, event }
    }

    /// Returns the entry with the approximate origin of the operator's request.
    #[must_use]
    pub fn with_origin(self, from: Option<&str>) -> StaffEntry {
        StaffEntry { from: from.map(str::to_owned), ..self }
    }

    /// Encodes the stored form.
    pub fn encode(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("numbers and text always have a JSON form")
    }
}

/// Deployment's secret, for a reader that needs nothing else of the roster log: of other entries
/// it is `None`, of newer ones too.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeploymentSecret(pub Option<StoredSecret>);

impl<'de> Deserialize<'de> for DeploymentSecret {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        struct Members {
            event: String,
            #[serde(default)]
            secret: Option<StoredSecret>,
        }
        let Members { event, secret } = Members::deserialize(deserializer)?;
        Ok(DeploymentSecret(secret.filter(|_| event == "secret_made")))
    }
}

/// A reader of the secret alone, which is not a stored form of its own.
impl Form for DeploymentSecret {
    const NAME: &'static str = "deployment secret";
    const VERSION: u32 = STAFF_VERSION;
}

/// A logged-in browser of a member. Each entry under its subject is complete, so the newest one
/// suffices.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StaffSession {
    /// Version of this form: 1.
    pub v: u32,
    /// Identity of the session.
    pub holder: SessionHolder,
    /// Time of the login, in Unix milliseconds.
    pub begun_at: i64,
    /// Approximate time of the last use, in Unix milliseconds.
    pub seen_at: i64,
    /// Time of the end, in Unix milliseconds, once it has ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<i64>,
    /// Id of the member, or name of the key, that ended it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_by: Option<String>,
    /// Approximate origin of the request that ended it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_from: Option<String>,
    /// Kind of browser, in a few words.
    pub browser: String,
    /// Approximate origin: an address without its last part.
    pub address: String,
}

/// Identities of a session.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "holder", rename_all = "snake_case")]
pub enum SessionHolder {
    /// A member of staff.
    Member {
        /// Id of the member.
        id: String,
    },
    /// The holder of a key of the configuration.
    Key {
        /// Name of the key.
        name: String,
        /// First digits of the key's hash: another key of the same name ends the session.
        print: String,
    },
}

impl StaffSession {
    /// Encodes the stored form.
    pub fn encode(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("numbers and text always have a JSON form")
    }
}
