//! Who works here, as what was written down says. Pure.

use hmac::{Hmac, KeyInit, Mac};
use paihao_contracts::staff::{Member, ProgramKey, StaffEntry, StaffEvent, StaffRole};
use paihao_domain::{Actor, CounterId, Scope};
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use subtle::ConstantTimeEq;

/// Everybody, and every key.
#[derive(Debug, Clone, Default)]
pub(crate) struct Roster {
    secret: Option<String>,
    members: BTreeMap<String, Known>,
    keys: BTreeMap<String, ProgramKey>,
    /// The id of every key there ever was.
    made: BTreeSet<String>,
    /// Those that somebody has used.
    invitations: BTreeSet<String>,
    signing: Vec<SigningKey>,
}

#[derive(Debug, Clone)]
struct Known {
    member: Member,
    /// Hash of their account and openid.
    person: String,
}

/// A key that tokens of logins are signed with.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct SigningKey {
    pub(crate) kid: String,
    /// Base64url.
    pub(crate) pkcs8: String,
    /// Unix milliseconds.
    pub(crate) made_at: i64,
}

impl std::fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SigningKey({})", self.kid)
    }
}

impl Roster {
    /// What holds after a further entry.
    pub(crate) fn apply(&mut self, entry: &StaffEntry) {
        match entry.event.clone() {
            StaffEvent::SecretMade { secret } => self.secret = Some(secret),
            StaffEvent::SigningKeyMade { kid, pkcs8 } => {
                self.signing.push(SigningKey { kid, pkcs8, made_at: entry.at });
            }
            StaffEvent::Joined { member, person, invitation } => {
                self.invitations.insert(invitation);
                self.members.insert(member.id.clone(), Known { member, person });
            }
            StaffEvent::Renamed { id, name } => {
                if let Some(known) = self.members.get_mut(&id) {
                    known.member.name = name;
                }
            }
            StaffEvent::RoleChanged { id, role, sites, counters } => {
                if let Some(Known { member, .. }) = self.members.get_mut(&id) {
                    *member = Member { role, sites, counters, ..member.clone() };
                }
            }
            StaffEvent::Removed { id } => drop(self.members.remove(&id)),
            StaffEvent::KeyMade { key } => {
                self.made.insert(key.id.clone());
                self.keys.insert(key.id.clone(), key);
            }
            StaffEvent::KeyRevoked { id } => drop(self.keys.remove(&id)),
        }
    }

    /// Everybody who works here, by id.
    pub(crate) fn members(&self) -> impl Iterator<Item = &Member> {
        self.members.values().map(|known| &known.member)
    }

    /// Somebody by their id.
    pub(crate) fn member(&self, id: &str) -> Option<&Member> {
        self.members.get(id).map(|known| &known.member)
    }

    /// Somebody by the hash of who they are in WeChat.
    pub(crate) fn of_person(&self, person: &str) -> Option<&Member> {
        let mut members = self.members.values();
        members.find(|known| known.person == person).map(|known| &known.member)
    }

    /// Whether an invitation has been used.
    pub(crate) fn is_used(&self, invitation: &str) -> bool {
        self.invitations.contains(invitation)
    }

    /// Whether anybody ever worked here: then there is no first one any more.
    pub(crate) fn has_begun(&self) -> bool {
        !self.invitations.is_empty()
    }

    /// Every key of a program, by id.
    pub(crate) fn keys(&self) -> impl Iterator<Item = &ProgramKey> {
        self.keys.values()
    }

    /// Whether there was ever a key of this id.
    pub(crate) fn was_made(&self, id: &str) -> bool {
        self.made.contains(id)
    }

    /// The key that this is. Each is compared, so that the time taken says nothing about any.
    pub(crate) fn key(&self, given: &str) -> Option<&ProgramKey> {
        let given = hex::encode(Sha256::digest(given));
        let is = |key: &ProgramKey| bool::from(key.hash.as_bytes().ct_eq(given.as_bytes()));
        self.keys.values().fold(None, |found, key| if is(key) { Some(key) } else { found })
    }

    /// What tokens are signed with, oldest first.
    pub(crate) fn signing(&self) -> &[SigningKey] {
        &self.signing
    }

    /// Whether the deployment's secret is known yet.
    pub(crate) fn has_secret(&self) -> bool {
        self.secret.is_some()
    }

    /// A hash under the deployment's secret, of several parts and what they are for: 32 hex digits.
    pub(crate) fn tag(&self, what: &str, parts: &[&str]) -> Option<String> {
        let secret = self.secret.as_ref()?;
        let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes())
            .expect("HMAC takes keys of any length");
        mac.update(what.as_bytes());
        for part in parts {
            mac.update(&(part.len() as u64).to_be_bytes());
            mac.update(part.as_bytes());
        }
        Some(hex::encode(&mac.finalize().into_bytes()[..16]))
    }

    /// Somebody's hash: which account, which openid.
    pub(crate) fn person(&self, account: &str, openid: &str) -> Option<String> {
        self.tag("person", &[account, openid])
    }
}

/// As whom a member acts. In the ledger they are their id, whatever they are called.
pub(crate) fn actor_of(member: &Member) -> Actor {
    let name: Arc<str> = member.id.as_str().into();
    match member.role {
        StaffRole::Manager => Actor::Manager(name),
        StaffRole::Staff => Actor::Staff { name, counters: counters(&member.counters) },
    }
}

/// As whom a program acts.
pub(crate) fn actor_of_key(key: &ProgramKey) -> Actor {
    let scope = match key.counters.is_empty() {
        true => Scope::Manager,
        false => Scope::Counters(counters(&key.counters)),
    };
    Actor::Api { name: key.id.as_str().into(), scope }
}

fn counters(ids: &BTreeSet<String>) -> Arc<BTreeSet<CounterId>> {
    Arc::new(ids.iter().map(|id| CounterId::new(id)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entries() -> Vec<StaffEntry> {
        let stored = include_str!("../../../../shared/contracts/tests/fixtures/staff-v1.jsonl");
        stored.lines().map(|line| StaffEntry::decode(line.as_bytes()).unwrap()).collect()
    }

    fn after(n: usize) -> Roster {
        let mut roster = Roster::default();
        entries().iter().take(n).for_each(|entry| roster.apply(entry));
        roster
    }

    #[test]
    fn who_joins_is_known_by_their_hash_until_they_are_removed() {
        assert!(!after(2).has_begun());
        let four = after(4);
        let lei = four.of_person("899119a90202799119a90202799119a9").unwrap();
        assert_eq!((&*lei.id, lei.role), ("m_4e5f6a7b", StaffRole::Staff));
        assert!(four.is_used("0b2f6c9e-7d1a-4e0e-9a5f-0a1b2c3d4e5f"));
        assert_eq!(after(5).member("m_4e5f6a7b").unwrap().name, "李磊");
        assert!(matches!(actor_of(after(6).member("m_4e5f6a7b").unwrap()), Actor::Manager(_)));
        let gone = after(7);
        assert!(gone.of_person("899119a90202799119a90202799119a9").is_none());
        assert!(gone.is_used("0b2f6c9e-7d1a-4e0e-9a5f-0a1b2c3d4e5f"), "an invitation works once");
    }

    #[test]
    fn a_programs_key_is_known_by_its_hash_until_it_is_revoked() {
        assert_eq!(after(8).key("abc").unwrap().id, "k_0a1b2c3d");
        assert!(after(8).key("abd").is_none());
        assert!(after(9).key("abc").is_none());
    }

    #[test]
    fn a_hash_depends_on_the_secret_and_on_where_its_parts_end() {
        assert_eq!(Roster::default().person("shop", "oAnn"), None);
        let tag = |a: &str, b: &str| after(1).person(a, b).unwrap();
        assert_eq!(tag("shop", "oAnn"), tag("shop", "oAnn"));
        assert_ne!(tag("shop", "oAnn"), tag("shopo", "Ann"));
        let mut other = Roster::default();
        let event = StaffEvent::SecretMade { secret: "another".into() };
        other.apply(&StaffEntry { v: 1, at: 0, by: "system".into(), event });
        assert_ne!(other.person("shop", "oAnn"), after(1).person("shop", "oAnn"));
    }
}
