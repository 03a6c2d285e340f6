//! Seals of the secrets in the log of staff: opened for the roster, and made anew for what a former
//! version stored in the clear or another key has sealed.

use paihao_chassis::sealing::{Keyring, UnsealError};
use paihao_contracts::staff::{StaffEntry, StaffEvent};
use paihao_contracts::stored_secret::{StoredSecret, deployment_secret_place, signing_key_place};
use paihao_ledger::Position;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Secrets of the log, with the entries that hold them.
#[derive(Clone, Default)]
pub(crate) struct RosterSeals {
    keyring: Option<Arc<Keyring>>,
    /// Secrets, by their places.
    secrets: BTreeMap<String, SecretEntries>,
}

/// Entries of one secret.
#[derive(Clone)]
struct SecretEntries {
    /// Event with the secret in the clear.
    opened: StaffEvent,
    /// Time of its creation, in Unix milliseconds.
    made_at: i64,
    /// Position of the newest entry.
    newest: Position,
    /// True if the newest entry is sealed under the present key.
    is_current: bool,
    /// Positions of the entries before it.
    former: Vec<Position>,
}

impl RosterSeals {
    /// Creates the state before the first entry.
    pub(crate) fn new(keyring: Option<Arc<Keyring>>) -> RosterSeals {
        RosterSeals { keyring, secrets: BTreeMap::new() }
    }

    /// Returns the state before the first entry, with the same keys.
    pub(crate) fn emptied(&self) -> RosterSeals {
        RosterSeals::new(self.keyring.clone())
    }

    /// Opens the secret of an entry, if it has one.
    pub(crate) fn open(
        &mut self,
        position: Position,
        mut entry: StaffEntry,
    ) -> Result<StaffEntry, UnsealError> {
        let Some((place, secret, made_at)) = secret_of(&mut entry.event) else {
            return Ok(entry);
        };
        let stored = secret.as_stored();
        let mut is_current = false;
        if secret.is_sealed() {
            let id = || paihao_chassis::sealing::key_id(stored).unwrap_or_default().to_owned();
            let keyring = self.keyring.as_ref().ok_or_else(|| UnsealError::UnknownKey(id()))?;
            is_current = keyring.is_current(stored);
            *secret = StoredSecret::new(keyring.open(&place, stored)?);
        }
        let made_at = made_at.unwrap_or(entry.at);
        let mut former = Vec::new();
        if let Some(before) = self.secrets.remove(&place) {
            former = before.former;
            former.push(before.newest);
        }
        let opened = entry.event.clone();
        let entries = SecretEntries { opened, made_at, newest: position, is_current, former };
        self.secrets.insert(place, entries);
        Ok(entry)
    }

    /// Returns the event that seals a secret which is not sealed under the present key.
    pub(crate) fn next_resealing(&self) -> Option<StaffEvent> {
        let keyring = self.keyring.as_ref()?;
        let entries = self.secrets.values().find(|entries| !entries.is_current)?;
        let mut event = entries.opened.clone();
        let (place, secret, _) = secret_of(&mut event)?;
        *secret = StoredSecret::new(keyring.seal(&place, secret.as_stored()));
        match &mut event {
            StaffEvent::SecretMade { made_at, .. } | StaffEvent::SigningKeyMade { made_at, .. } => {
                *made_at = Some(entries.made_at);
            }
            _ => return None,
        }
        Some(event)
    }

    /// Returns the positions of entries whose secret is sealed in a later one.
    pub(crate) fn replaced(&self) -> BTreeSet<Position> {
        let sealed = self.secrets.values().filter(|entries| entries.is_current);
        sealed.flat_map(|entries| entries.former.iter().copied()).collect()
    }
}

/// Returns the place of an event's secret, the secret, and the time of its creation if the event
/// tells it.
fn secret_of(event: &mut StaffEvent) -> Option<(String, &mut StoredSecret, Option<i64>)> {
    match event {
        StaffEvent::SecretMade { secret, made_at } => {
            Some((deployment_secret_place(), secret, *made_at))
        }
        StaffEvent::SigningKeyMade { kid, pkcs8, made_at } => {
            Some((signing_key_place(kid), pkcs8, *made_at))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keyring(keys: &[&str]) -> Option<Arc<Keyring>> {
        Some(Arc::new(Keyring::parse(&keys.join("\n")).unwrap()))
    }

    fn secret(at: i64, secret: &str) -> StaffEntry {
        let secret = StoredSecret::new(secret);
        StaffEntry::new(at, "system", StaffEvent::SecretMade { secret, made_at: None })
    }

    fn signing_key(at: i64, kid: &str) -> StaffEntry {
        let (kid, pkcs8) = (kid.to_owned(), StoredSecret::new(format!("private {kid}")));
        StaffEntry::new(at, "system", StaffEvent::SigningKeyMade { kid, pkcs8, made_at: None })
    }

    /// Seals until nothing is left to do. Returns the entries that were added.
    fn reseal(seals: &mut RosterSeals, mut position: u64) -> Vec<StaffEntry> {
        let mut added = Vec::new();
        while let Some(event) = seals.next_resealing() {
            let entry = StaffEntry::new(99, "system", event);
            position += 1;
            seals.open(Position(position), entry.clone()).unwrap();
            added.push(entry);
        }
        added
    }

    #[test]
    fn what_stands_in_the_clear_is_sealed_once_and_the_clear_entries_are_named() {
        let key = Keyring::generate_key();
        let mut seals = RosterSeals::new(keyring(&[&key]));
        let clear = [secret(1, "top"), signing_key(2, "k1"), signing_key(3, "k2")];
        for (position, entry) in (1..).zip(clear) {
            assert_eq!(seals.open(Position(position), entry.clone()), Ok(entry));
        }
        assert!(seals.replaced().is_empty());
        let added = reseal(&mut seals, 3);
        assert_eq!(added.len(), 3);
        assert!(added.iter().all(|entry| entry.v == 2));
        let text = format!("{added:?}") + &serde_json::to_string(&added).unwrap();
        assert!(!text.contains("top") && !text.contains("private"), "{text}");
        assert_eq!(seals.replaced(), [1, 2, 3].map(Position).into());
        // A replica that reads them alone has the same, with the times of their creation.
        let mut other = RosterSeals::new(keyring(&[&key]));
        let read = (4..).zip(added).map(|(at, entry)| other.open(Position(at), entry).unwrap());
        let times: Vec<_> = read
            .map(|mut entry| {
                let (_, secret, made_at) = secret_of(&mut entry.event).unwrap();
                (secret.as_stored().to_owned(), made_at)
            })
            .collect();
        let expected =
            [("top", 1), ("private k1", 2), ("private k2", 3)].map(|(a, b)| (a.into(), Some(b)));
        assert_eq!(times, expected);
        assert!(other.next_resealing().is_none() && other.replaced().is_empty());
    }

    #[test]
    fn another_key_seals_anew_and_a_missing_one_opens_nothing() {
        let [new, old] = [(); 2].map(|()| Keyring::generate_key());
        let mut before = RosterSeals::new(keyring(&[&old]));
        before.open(Position(1), secret(1, "top")).unwrap();
        let sealed = reseal(&mut before, 1).remove(0);
        let mut rotated = RosterSeals::new(keyring(&[&new, &old]));
        rotated.open(Position(2), sealed.clone()).unwrap();
        let resealed = reseal(&mut rotated, 2).remove(0);
        assert_eq!(rotated.replaced(), [Position(2)].into());
        for keyring in [None, keyring(&[&new])] {
            let mut seals = RosterSeals::new(keyring);
            let refused = seals.open(Position(2), sealed.clone());
            assert!(matches!(refused, Err(UnsealError::UnknownKey(_))), "{refused:?}");
        }
        assert!(RosterSeals::new(keyring(&[&new])).open(Position(3), resealed).is_ok());
    }

    #[test]
    fn without_a_key_nothing_is_sealed() {
        let mut seals = RosterSeals::new(None);
        seals.open(Position(1), secret(1, "top")).unwrap();
        assert!(seals.next_resealing().is_none() && seals.replaced().is_empty());
    }
}
