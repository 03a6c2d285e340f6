//! Roster of the staff: members and API keys, from the entries of its log.

use hmac::{Hmac, KeyInit, Mac};
use paihao_contracts::staff::{ApiKey, Member, StaffEntry, StaffEvent, StaffRole};
use paihao_domain::{Actor, ApiScope, CounterId};
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use subtle::ConstantTimeEq;

/// Members, keys of programs, and the secret of the deployment.
#[derive(Debug, Clone, Default)]
pub(crate) struct Roster {
    secret: Option<String>,
    members: BTreeMap<String, MemberEntry>,
    keys: BTreeMap<String, ApiKey>,
    /// Ids of all keys that were ever created.
    issued_key_ids: BTreeSet<String>,
    /// Ids of the invitations that were used.
    used_invitations: BTreeSet<String>,
    signing_keys: Vec<SigningKey>,
}

#[derive(Debug, Clone)]
struct MemberEntry {
    member: Member,
    /// Hash of their account and openid.
    person_hash: String,
}

/// Key that tokens of logins are signed with.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct SigningKey {
    pub(crate) kid: String,
    /// Private key in PKCS #8, as base64url.
    pub(crate) pkcs8: String,
    /// Time of creation, in Unix milliseconds.
    pub(crate) made_at: i64,
}

impl std::fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SigningKey({})", self.kid)
    }
}

impl Roster {
    /// Applies an entry.
    pub(crate) fn apply(&mut self, entry: &StaffEntry) {
        match entry.event.clone() {
            StaffEvent::SecretMade { secret } => self.secret = Some(secret),
            StaffEvent::SigningKeyMade { kid, pkcs8 } => {
                self.signing_keys.push(SigningKey { kid, pkcs8, made_at: entry.at });
            }
            StaffEvent::Joined { member, person, invitation } => {
                self.used_invitations.insert(invitation);
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
            }
            StaffEvent::Migrated { id, person } => {
                if let Some(MemberEntry { person_hash, .. }) = self.members.get_mut(&id) {
                    *person_hash = person;
                }
            }
            StaffEvent::Removed { id } => drop(self.members.remove(&id)),
            StaffEvent::KeyMade { key } => {
                self.issued_key_ids.insert(key.id.clone());
                self.keys.insert(key.id.clone(), key);
            }
            StaffEvent::KeyRevoked { id } => drop(self.keys.remove(&id)),
        }
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

    /// Returns whether there was ever a member. If so, nobody becomes the first manager.
    pub(crate) fn has_had_members(&self) -> bool {
        !self.used_invitations.is_empty()
    }

    /// Returns the keys of programs, by id.
    pub(crate) fn keys(&self) -> impl Iterator<Item = &ApiKey> {
        self.keys.values()
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
        self.keys
            .values()
            .fold(None, |matching, key| if matches(key) { Some(key) } else { matching })
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

    /// Computes the hash of a person, who is an openid at an account.
    pub(crate) fn person_hash(&self, account: &str, openid: &str) -> Option<String> {
        self.tag("person", &[account, openid])
    }
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
mod tests {
    use super::*;
    use paihao_contracts::envelope;

    fn entries() -> Vec<StaffEntry> {
        let stored = include_str!("../../../../shared/contracts/tests/fixtures/staff-v1.jsonl");
        stored.lines().map(|line| envelope::decode(line.as_bytes()).unwrap()).collect()
    }

    fn roster_after(n: usize) -> Roster {
        let mut roster = Roster::default();
        entries().iter().take(n).for_each(|entry| roster.apply(entry));
        roster
    }

    #[test]
    fn who_joins_is_known_by_their_hash_until_they_are_removed() {
        assert!(!roster_after(2).has_had_members());
        let four = roster_after(4);
        let lei = four.member_by_person_hash("899119a90202799119a90202799119a9").unwrap();
        assert_eq!((&*lei.id, lei.role), ("m_4e5f6a7b", StaffRole::Staff));
        assert!(four.is_invitation_used("0b2f6c9e-7d1a-4e0e-9a5f-0a1b2c3d4e5f"));
        assert_eq!(roster_after(5).member("m_4e5f6a7b").unwrap().name, "李磊");
        assert!(matches!(
            member_actor(roster_after(6).member("m_4e5f6a7b").unwrap()),
            Actor::Manager(_)
        ));
        let gone = roster_after(7);
        assert!(gone.member_by_person_hash("899119a90202799119a90202799119a9").is_none());
        assert!(
            gone.is_invitation_used("0b2f6c9e-7d1a-4e0e-9a5f-0a1b2c3d4e5f"),
            "an invitation works once"
        );
    }

    #[test]
    fn whoever_migrated_is_known_by_the_new_hash_alone() {
        let mut roster = roster_after(4);
        let migrated = include_str!("../../../../shared/contracts/tests/fixtures/staff-v2.jsonl");
        roster.apply(&envelope::decode(migrated.as_bytes()).unwrap());
        let (former, new) =
            ("799119a90202799119a90202799119a9", "999119a90202799119a90202799119a9");
        assert!(roster.member_by_person_hash(former).is_none());
        let member = roster.member_by_person_hash(new).unwrap();
        assert_eq!((&*member.id, member.role), ("m_0a1b2c3d", StaffRole::Manager));
        assert_eq!(roster.person_hash_of("m_0a1b2c3d"), Some(new));
    }

    #[test]
    fn a_programs_key_is_known_by_its_hash_until_it_is_revoked() {
        assert_eq!(roster_after(8).find_key("abc").unwrap().id, "k_0a1b2c3d");
        assert!(roster_after(8).find_key("abd").is_none());
        assert!(roster_after(9).find_key("abc").is_none());
    }

    #[test]
    fn a_hash_depends_on_the_secret_and_on_where_its_parts_end() {
        assert_eq!(Roster::default().person_hash("shop", "oAnn"), None);
        let tag = |a: &str, b: &str| roster_after(1).person_hash(a, b).unwrap();
        assert_eq!(tag("shop", "oAnn"), tag("shop", "oAnn"));
        assert_ne!(tag("shop", "oAnn"), tag("shopo", "Ann"));
        let mut other = Roster::default();
        let event = StaffEvent::SecretMade { secret: "another".into() };
        other.apply(&StaffEntry::new(0, "system", event));
        assert_ne!(other.person_hash("shop", "oAnn"), roster_after(1).person_hash("shop", "oAnn"));
    }
}
