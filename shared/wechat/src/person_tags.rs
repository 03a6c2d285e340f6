//! Tags of people: what stands for an openid in the keys of caches and queues and in the ids of
//! commands.
//!
//! A tag is an HMAC under a key that follows from the deployment's secret: whoever reads a store
//! and has a list of openids does not find them in it. Former versions used a hash without a key,
//! which is written as long as they may run beside this one, and is always found.

use crate::callback::Message;
use crate::secret::OpenId;
use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};
use std::fmt;

/// Purpose of the key that follows from the deployment's secret.
const PURPOSE: &[u8] = b"tags of people";

/// Maker of tags.
#[derive(Clone)]
pub struct PersonTags {
    /// HMAC that has taken its key; `None` if the deployment's secret is not known.
    keyed: Option<Hmac<Sha256>>,
    /// True if every program that runs knows keyed tags, so that no other is written.
    are_keyed: bool,
}

impl fmt::Debug for PersonTags {
    /// Prints without the key.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PersonTags").field("are_keyed", &self.are_keyed).finish_non_exhaustive()
    }
}

impl PersonTags {
    /// Creates the maker of a deployment. `are_keyed` says whether keyed tags are written.
    pub fn new(deployment_secret: &str, are_keyed: bool) -> PersonTags {
        let mut mac = hmac_of(deployment_secret.as_bytes());
        mac.update(PURPOSE);
        PersonTags { keyed: Some(hmac_of(&mac.finalize().into_bytes())), are_keyed }
    }

    /// Creates the maker of tags of former versions alone, for where the secret is not known and
    /// they may be written.
    pub fn of_former_versions() -> PersonTags {
        PersonTags { keyed: None, are_keyed: false }
    }

    /// Returns the same maker, which writes keyed tags or none.
    #[must_use]
    pub fn writing_keyed(self, are_keyed: bool) -> PersonTags {
        PersonTags { are_keyed, ..self }
    }

    /// Returns the tag of a person of an account under which something is stored: 32 hex digits.
    pub fn tag(&self, account: &str, person: &OpenId) -> String {
        if self.are_keyed {
            self.keyed_tag(account, person).unwrap_or_default()
        } else {
            former_tag(account, person)
        }
    }

    /// Returns the tags under which something may be found, first that under which it is stored.
    pub fn all(&self, account: &str, person: &OpenId) -> Vec<String> {
        self.both(account, person).into_iter().flatten().collect()
    }

    fn both(&self, account: &str, person: &OpenId) -> [Option<String>; 2] {
        let keyed = self.keyed_tag(account, person);
        let former = Some(former_tag(account, person));
        if self.are_keyed { [keyed, former] } else { [former, keyed] }
    }

    fn keyed_tag(&self, account: &str, person: &OpenId) -> Option<String> {
        let parts = ["person", account, person.expose()].map(str::as_bytes);
        self.mac(&parts).map(|mac| hex::encode(&mac[..16]))
    }

    /// Returns the ids by which the same push is known, first the one that is stored.
    pub fn push_ids(&self, account: &str, push: &Message) -> Vec<[u8; 16]> {
        let identity = push.identity();
        let parts = [&b"push"[..], account.as_bytes(), &identity];
        let keyed = self.mac(&parts).map(|mac| first_bytes(&mac));
        let former = Some(former_push_id(account, &identity));
        let ids = if self.are_keyed { [keyed, former] } else { [former, keyed] };
        ids.into_iter().flatten().collect()
    }

    /// Returns the name of a push among those of its account: 32 hex digits.
    pub fn push_name(&self, account: &str, push: &Message) -> String {
        let identity = push.identity();
        let keyed = || Some(first_bytes(&self.mac(&[b"name", account.as_bytes(), &identity])?));
        let keyed = if self.are_keyed { keyed() } else { None };
        hex::encode(keyed.unwrap_or(identity))
    }

    fn mac(&self, parts: &[&[u8]]) -> Option<[u8; 32]> {
        let mut mac = self.keyed.clone()?;
        for part in parts {
            mac.update(&(part.len() as u64).to_be_bytes());
            mac.update(part);
        }
        Some(mac.finalize().into_bytes().into())
    }
}

fn hmac_of(key: &[u8]) -> Hmac<Sha256> {
    Hmac::new_from_slice(key).expect("HMAC takes keys of any length")
}

fn first_bytes(mac: &[u8; 32]) -> [u8; 16] {
    let mut first = [0; 16];
    first.copy_from_slice(&mac[..16]);
    first
}

/// Tag of former versions, a hash without a key.
fn former_tag(account: &str, person: &OpenId) -> String {
    hex::encode(&Sha256::digest(format!("{account}\0{}", person.expose()))[..16])
}

/// Id of a push in former versions, a hash without a key.
fn former_push_id(account: &str, identity: &[u8; 16]) -> [u8; 16] {
    let mut text = format!("callback\0{account}\0").into_bytes();
    text.extend_from_slice(identity);
    first_bytes(&Sha256::digest(text).into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::callback::parse;

    fn push(openid: &str) -> Message {
        let text = format!(
            "<xml><ToUserName>gh_1</ToUserName><FromUserName>{openid}</FromUserName>\
             <CreateTime>1795384475</CreateTime><MsgType>event</MsgType>\
             <Event>unsubscribe</Event></xml>"
        );
        parse(text.as_bytes(), 4096).unwrap()
    }

    #[test]
    fn a_tag_is_of_one_person_at_one_account_of_one_deployment() {
        let tags = PersonTags::new("secret", true);
        let ann = OpenId::new("oAnn");
        let tag = tags.tag("shop", &ann);
        assert_eq!(tag, PersonTags::new("secret", true).tag("shop", &OpenId::new("oAnn")));
        assert!(tag.len() == 32 && !tag.contains("oAnn"));
        assert_ne!(tag, tags.tag("other", &ann));
        assert_ne!(tag, tags.tag("shop", &OpenId::new("oBob")));
        assert_ne!(tag, PersonTags::new("another", true).tag("shop", &ann));
        assert_ne!(tag, former_tag("shop", &ann));
    }

    #[test]
    fn programs_before_and_after_the_keys_find_what_the_other_has_stored() {
        let before = PersonTags::new("secret", false);
        let after = PersonTags::new("secret", true);
        let (ann, push) = (OpenId::new("oAnn"), push("oAnn"));
        for (one, other) in [(&before, &after), (&after, &before)] {
            assert!(one.all("shop", &ann).contains(&other.tag("shop", &ann)));
            assert!(one.push_ids("shop", &push).contains(&other.push_ids("shop", &push)[0]));
            assert_eq!(one.all("shop", &ann)[0], one.tag("shop", &ann));
        }
        let oldest = PersonTags::of_former_versions();
        assert_eq!(oldest.all("shop", &ann), [before.tag("shop", &ann)]);
        assert_eq!(oldest.push_ids("shop", &push), before.push_ids("shop", &push)[..1]);
        assert_eq!(oldest.push_name("shop", &push), before.push_name("shop", &push));
    }

    #[test]
    fn former_versions_had_these_tags_and_ids() {
        let before = PersonTags::of_former_versions();
        let push = push("oAnn");
        let tag = before.tag("shop", &OpenId::new("oAnn"));
        assert_eq!(tag, "bd274dcd7f1f61766441f1ed53ae192b");
        assert_eq!(before.push_name("shop", &push), hex::encode(push.identity()));
        let other = PersonTags::new("secret", true);
        assert_ne!(other.push_name("shop", &push), hex::encode(push.identity()));
        assert_ne!(other.push_ids("shop", &push)[0], before.push_ids("shop", &push)[0]);
    }
}
