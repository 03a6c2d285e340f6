//! Roster of the staff: members, API keys and paired kiosks, from the entries of its log.

use hmac::{Hmac, KeyInit, Mac};
use paihao_contracts::staff::{
    ApiKey, Kiosk, Member, NamelessEntry, NamelessEvent, StaffEntry, StaffEvent, StaffRole,
};
use paihao_domain::{Actor, ApiScope, CounterId};
use paihao_wechat::PersonTags;
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use subtle::ConstantTimeEq;

/// Invitation of a first manager who opened their link in a browser, without scanning.
pub(crate) const FIRST_IN_BROWSER: &str = "first-in-browser";

/// Members, keys of programs, kiosks, and the secret of the deployment.
#[derive(Debug, Clone, Default)]
pub(crate) struct Roster {
    secret: Option<String>,
    /// Maker of keyed tags under the secret.
    person_tags: Option<PersonTags>,
    members: BTreeMap<String, MemberEntry>,
    keys: BTreeMap<String, KeyEntry>,
    /// Ids of all keys that were ever created.
    issued_key_ids: BTreeSet<String>,
    kiosks: BTreeMap<String, KioskEntry>,
    /// Hashes of the credentials of kiosks that were unpaired.
    retired_kiosk_hashes: BTreeSet<String>,
    /// Ids of the invitations that were used.
    used_invitations: BTreeSet<String>,
    /// Id of the first manager who opened their link in a browser and has scanned nothing yet.
    browser_manager: Option<String>,
    signing_keys: Vec<SigningKey>,
    /// Ids of the signing keys that were ever revoked.
    revoked_signing_keys: BTreeSet<String>,
}

#[derive(Debug, Clone)]
struct MemberEntry {
    member: Member,
    /// Hash of their account and openid.
    person_hash: String,
}

/// API key with its maker.
#[derive(Debug, Clone)]
pub(crate) struct KeyEntry {
    pub(crate) key: ApiKey,
    /// Member or key of the configuration that made it.
    pub(crate) made_by: String,
    /// Time of its creation, in Unix milliseconds.
    pub(crate) made_at: i64,
}

/// Paired kiosk with the member who paired it.
#[derive(Debug, Clone)]
pub(crate) struct KioskEntry {
    pub(crate) kiosk: Kiosk,
    /// Member or key of the configuration that paired it.
    pub(crate) paired_by: String,
    /// Time of the pairing, in Unix milliseconds.
    pub(crate) paired_at: i64,
}

/// Key that tokens of logins are signed with.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct SigningKey {
    pub(crate) kid: String,
    /// Private key in PKCS #8, as base64url.
    pub(crate) pkcs8: String,
    /// Time of creation, in Unix milliseconds.
    pub(crate) made_at: i64,
    /// True if nothing that it signed is good any longer.
    pub(crate) is_revoked: bool,
}

impl std::fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SigningKey({})", self.kid)
    }
}

impl Roster {
    /// Applies an entry, whose secrets are opened.
    pub(crate) fn apply(&mut self, entry: &StaffEntry) {
        match entry.event.clone() {
            StaffEvent::SecretMade { secret, .. } => {
                self.person_tags = Some(PersonTags::new(secret.as_stored(), true));
                self.secret = Some(secret.as_stored().to_owned());
            }
            StaffEvent::SigningKeyMade { kid, pkcs8, made_at } => {
                let made_at = made_at.unwrap_or(entry.at);
                let is_revoked = self.revoked_signing_keys.contains(&kid);
                let pkcs8 = pkcs8.as_stored().to_owned();
                // A key that was sealed again is the same key.
                self.signing_keys.retain(|key| key.kid != kid);
                self.signing_keys.push(SigningKey { kid, pkcs8, made_at, is_revoked });
                self.signing_keys.sort_by_key(|key| key.made_at);
            }
            StaffEvent::SigningKeyRevoked { kid } => {
                let revoked = self.signing_keys.iter_mut().filter(|key| key.kid == kid);
                revoked.for_each(|key| key.is_revoked = true);
                self.revoked_signing_keys.insert(kid);
            }
            StaffEvent::Joined { member, person, invitation } => {
                if invitation == FIRST_IN_BROWSER {
                    self.browser_manager = Some(member.id.clone());
                } else {
                    self.used_invitations.insert(invitation);
                }
                self.members.insert(member.id.clone(), MemberEntry { member, person_hash: person });
            }
            StaffEvent::Renamed { id, name } => {
                if let Some(MemberEntry { member, .. }) = self.members.get_mut(&id) {
                    member.name = name;
                }
            }
            StaffEvent::RoleChanged { id, role, sites, counters } => {
                if let Some(MemberEntry { member, .. }) = self.members.get_mut(&id) {
                    *member = Member { role, sites, counters, ..member.clone() };
                }
                self.drop_keys_beyond(&id);
            }
            StaffEvent::Migrated { id, person } => {
                if self.browser_manager.take_if(|browser| *browser == id).is_some() {
                    self.used_invitations.insert(FIRST_IN_BROWSER.to_owned());
                }
                if let Some(MemberEntry { person_hash, .. }) = self.members.get_mut(&id) {
                    *person_hash = person;
                }
            }
            StaffEvent::Removed { id } => {
                self.browser_manager.take_if(|browser| *browser == id);
                self.members.remove(&id);
                self.drop_keys_beyond(&id);
            }
            StaffEvent::KeyMade { key } => {
                self.issued_key_ids.insert(key.id.clone());
                let made_by = entry.by.clone();
                let key_entry = KeyEntry { key, made_by, made_at: entry.at };
                self.keys.insert(key_entry.key.id.clone(), key_entry);
            }
            StaffEvent::KeyRevoked { id } => drop(self.keys.remove(&id)),
            StaffEvent::KioskPaired { kiosk } => {
                let paired_by = entry.by.clone();
                let kiosk_entry = KioskEntry { kiosk, paired_by, paired_at: entry.at };
                self.kiosks.insert(kiosk_entry.kiosk.id.clone(), kiosk_entry);
            }
            StaffEvent::NameErased { id, entries } => self.apply_nameless(id, entries),
            StaffEvent::KioskUnpaired { id } => {
                let removed = self.kiosks.remove(&id);
                self.retired_kiosk_hashes.extend(removed.map(|entry| entry.kiosk.hash));
            }
        }
    }

    /// Applies what is left of the entries of a former member, key or kiosk.
    fn apply_nameless(&mut self, id: String, entries: Vec<NamelessEntry>) {
        let mut is_browser_manager = false;
        for entry in entries {
            match entry.event {
                NamelessEvent::Joined { invitation, .. } if invitation == FIRST_IN_BROWSER => {
                    is_browser_manager = true;
                }
                NamelessEvent::Joined { invitation, .. } => {
                    self.used_invitations.insert(invitation);
                }
                NamelessEvent::Migrated if is_browser_manager => {
                    self.used_invitations.insert(FIRST_IN_BROWSER.to_owned());
                }
                NamelessEvent::KeyMade { .. } => {
                    self.keys.remove(&id);
                    self.issued_key_ids.insert(id.clone());
                }
                NamelessEvent::KioskPaired { hash, .. } => {
                    self.retired_kiosk_hashes.insert(hash);
                }
                NamelessEvent::Renamed | NamelessEvent::Migrated => {}
            }
        }
    }

    /// Drops the keys that a former member made, or that a member could not make any longer.
    fn drop_keys_beyond(&mut self, maker: &str) {
        let member = self.member(maker).cloned();
        self.keys.retain(|_, entry| {
            entry.made_by != maker
                || member.as_ref().is_some_and(|member| may_grant(member, &entry.key.sites))
        });
    }

    /// Returns all members, by id.
    pub(crate) fn members(&self) -> impl Iterator<Item = &Member> {
        self.members.values().map(|entry| &entry.member)
    }

    /// Returns the member of an id.
    pub(crate) fn member(&self, id: &str) -> Option<&Member> {
        self.members.get(id).map(|entry| &entry.member)
    }

    /// Returns the member with this hash of their WeChat identity.
    pub(crate) fn member_by_person_hash(&self, person: &str) -> Option<&Member> {
        let mut members = self.members.values();
        members.find(|entry| entry.person_hash == person).map(|entry| &entry.member)
    }

    /// Returns the hash of a member's WeChat identity.
    pub(crate) fn person_hash_of(&self, id: &str) -> Option<&str> {
        self.members.get(id).map(|entry| &*entry.person_hash)
    }

    /// Returns whether an invitation has been used.
    pub(crate) fn is_invitation_used(&self, invitation: &str) -> bool {
        self.used_invitations.contains(invitation)
    }

    /// Returns whether there was ever a member who is known by their WeChat. If so, nobody becomes
    /// the first manager.
    pub(crate) fn has_had_members(&self) -> bool {
        !self.used_invitations.is_empty()
    }

    /// Returns the first manager who opened their link in a browser and has scanned nothing yet.
    pub(crate) fn browser_manager(&self) -> Option<&str> {
        self.browser_manager.as_deref()
    }

    /// Returns the keys of programs, by id, those that have expired included.
    pub(crate) fn keys(&self) -> impl Iterator<Item = &KeyEntry> {
        self.keys.values()
    }

    /// Returns the key of a program by its id.
    pub(crate) fn key(&self, id: &str) -> Option<&ApiKey> {
        self.keys.get(id).map(|entry| &entry.key)
    }

    /// Returns whether a member, key or kiosk of this id is there.
    pub(crate) fn has(&self, id: &str) -> bool {
        self.members.contains_key(id) || self.keys.contains_key(id) || self.kiosks.contains_key(id)
    }

    /// Returns whether there was ever a key of this id.
    pub(crate) fn is_key_id_issued(&self, id: &str) -> bool {
        self.issued_key_ids.contains(id)
    }

    /// Returns the entry of a key. Every hash is compared, so that the time taken reveals nothing
    /// about them.
    pub(crate) fn find_key(&self, key: &str) -> Option<&ApiKey> {
        let hash = hex::encode(Sha256::digest(key));
        let matches = |key: &ApiKey| bool::from(key.hash.as_bytes().ct_eq(hash.as_bytes()));
        let keys = self.keys.values().map(|entry| &entry.key);
        keys.fold(None, |matching, key| if matches(key) { Some(key) } else { matching })
    }

    /// Returns the paired kiosks of a site, by id.
    pub(crate) fn kiosks_of<'a>(&'a self, site: &'a str) -> impl Iterator<Item = &'a KioskEntry> {
        self.kiosks.values().filter(move |entry| entry.kiosk.site == site)
    }

    /// Returns the kiosk of a site that has this hash of a credential.
    pub(crate) fn kiosk_by_hash(&self, site: &str, hash: &str) -> Option<&KioskEntry> {
        let is_it = |entry: &&KioskEntry| entry.kiosk.site == site && entry.kiosk.hash == hash;
        self.kiosks.values().find(is_it)
    }

    /// Returns whether a kiosk with a credential of this hash was unpaired.
    pub(crate) fn is_retired_kiosk_hash(&self, hash: &str) -> bool {
        self.retired_kiosk_hashes.contains(hash)
    }

    /// Returns the keys that tokens are signed with, oldest first.
    pub(crate) fn signing_keys(&self) -> &[SigningKey] {
        &self.signing_keys
    }

    /// Returns whether the deployment's secret is known yet.
    pub(crate) fn has_secret(&self) -> bool {
        self.secret.is_some()
    }

    /// Computes a hash of several parts under the deployment's secret: 32 hex digits. The purpose
    /// separates hashes of different kinds.
    pub(crate) fn tag(&self, purpose: &str, parts: &[&str]) -> Option<String> {
        Some(hex::encode(&self.mac(purpose, parts)?[..16]))
    }

    /// Derives a key from the deployment's secret, which encrypts for this purpose alone.
    pub(crate) fn encryption_key(&self, purpose: &str) -> Option<[u8; 32]> {
        self.mac(purpose, &[])
    }

    fn mac(&self, purpose: &str, parts: &[&str]) -> Option<[u8; 32]> {
        let secret = self.secret.as_ref()?;
        let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes())
            .expect("HMAC takes keys of any length");
        mac.update(purpose.as_bytes());
        for part in parts {
            mac.update(&(part.len() as u64).to_be_bytes());
            mac.update(part.as_bytes());
        }
        Some(mac.finalize().into_bytes().into())
    }

    /// Returns the maker of the tags that stand for customers. `are_keyed` says whether keyed ones
    /// are written.
    pub(crate) fn person_tags(&self, are_keyed: bool) -> Option<PersonTags> {
        Some(self.person_tags.clone()?.writing_keyed(are_keyed))
    }

    /// Computes the hash of a person, who is an openid at an account.
    pub(crate) fn person_hash(&self, account: &str, openid: &str) -> Option<String> {
        self.tag("person", &[account, openid])
    }
}

/// Returns whether a member may give somebody else access to these sites.
pub(crate) fn may_grant(member: &Member, sites: &Option<BTreeSet<String>>) -> bool {
    let covers = match (&member.sites, sites) {
        (None, _) => true,
        (Some(_), None) => false,
        (Some(own), Some(granted)) => own.is_superset(granted),
    };
    member.role == StaffRole::Manager && covers
}

/// Returns the actor of a member, which has the member's id and not the name, since names change.
pub(crate) fn member_actor(member: &Member) -> Actor {
    let name: Arc<str> = member.id.as_str().into();
    match member.role {
        StaffRole::Manager => Actor::Manager(name),
        StaffRole::Staff => Actor::Staff { name, counters: counter_ids(&member.counters) },
    }
}

/// Returns the actor of a program.
pub(crate) fn program_actor(key: &ApiKey) -> Actor {
    let scope = if key.counters.is_empty() {
        ApiScope::Manager
    } else {
        ApiScope::Counters(counter_ids(&key.counters))
    };
    Actor::Api { name: key.id.as_str().into(), scope }
}

fn counter_ids(ids: &BTreeSet<String>) -> Arc<BTreeSet<CounterId>> {
    Arc::new(ids.iter().map(|id| CounterId::new(id)).collect())
}

#[cfg(test)]
mod tests;
