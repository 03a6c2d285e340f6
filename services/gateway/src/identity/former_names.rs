//! Names of former members, keys and kiosks in the log of staff: where they stand, and since when
//! nobody needs them.

use super::roster::Roster;
use paihao_contracts::staff::{NamelessEntry, NamelessEvent, StaffEntry, StaffEvent};
use paihao_ledger::Position;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// Kinds of what has a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NamedKind {
    Member,
    Key,
    Kiosk,
}

/// Former member, key or kiosk whose name stands in the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct FormerName {
    pub(crate) id: String,
    pub(crate) kind: NamedKind,
    /// Newest name.
    pub(crate) name: String,
    /// Sites where it belonged; `None` is every site.
    pub(crate) sites: Option<BTreeSet<String>>,
    /// Time from which it was a former one, in Unix milliseconds.
    pub(crate) left_at: i64,
}

/// Entries of the log that name somebody or something.
#[derive(Clone, Default)]
pub(crate) struct NamesInLog {
    /// By the id of what they name.
    named: BTreeMap<String, NamedEntries>,
    /// Ids whose names are erased.
    erased: BTreeSet<String>,
    /// Entries that were read and are to be removed.
    removable: BTreeSet<Position>,
}

#[derive(Clone)]
struct NamedEntries {
    kind: NamedKind,
    name: String,
    sites: Option<BTreeSet<String>>,
    /// Remainders of them, without the name.
    entries: Vec<NamelessEntry>,
    left_at: Option<i64>,
}

impl NamesInLog {
    /// Applies an entry. `roster` is the roster after it.
    pub(crate) fn apply(&mut self, position: Position, entry: &StaffEntry, roster: &Roster) {
        if let Some((id, nameless)) = entry.without_name(position.0) {
            self.add(id, entry, nameless);
        }
        match &entry.event {
            StaffEvent::RoleChanged { id, sites, .. } => {
                if let Some(named) = self.named.get_mut(id) {
                    named.sites.clone_from(sites);
                }
                // The keys that the member may make no longer have ended.
                self.note_former(entry.at, roster);
            }
            StaffEvent::Removed { .. }
            | StaffEvent::KeyRevoked { .. }
            | StaffEvent::KioskUnpaired { .. } => self.note_former(entry.at, roster),
            StaffEvent::NameErased { id, entries } => {
                let read = self.named.remove(id).map(|named| named.entries).unwrap_or_default();
                let replaced: BTreeSet<_> = entries.iter().map(|entry| entry.position).collect();
                let removable = read.iter().filter(|read| replaced.contains(&read.position));
                self.removable.extend(removable.map(|read| Position(read.position)));
                self.erased.insert(id.clone());
            }
            _ => {}
        }
    }

    fn add(&mut self, id: &str, entry: &StaffEntry, nameless: NamelessEntry) {
        let (kind, sites, name) = match &entry.event {
            StaffEvent::Joined { member, .. } => {
                (NamedKind::Member, member.sites.clone(), &member.name)
            }
            StaffEvent::KeyMade { key } => (NamedKind::Key, key.sites.clone(), &key.name),
            StaffEvent::KioskPaired { kiosk } => {
                (NamedKind::Kiosk, Some([kiosk.site.clone()].into()), &kiosk.name)
            }
            event => {
                // What comes later about a member who is there.
                if let Some(named) = self.named.get_mut(id) {
                    named.entries.push(nameless);
                    if let StaffEvent::Renamed { name, .. } = event {
                        named.name.clone_from(name);
                    }
                }
                return;
            }
        };
        let (name, entries) = (name.clone(), vec![nameless]);
        let named = NamedEntries { kind, name, sites, entries, left_at: None };
        self.named.insert(id.to_owned(), named);
    }

    fn note_former(&mut self, at: i64, roster: &Roster) {
        for (id, named) in &mut self.named {
            if named.left_at.is_none() && !roster.has(id) {
                named.left_at = Some(at);
            }
        }
    }

    /// Returns the former members, keys and kiosks whose names stand in the log.
    pub(crate) fn former(&self) -> impl Iterator<Item = FormerName> {
        self.named.iter().filter_map(|(id, named)| {
            let NamedEntries { kind, name, sites, left_at, .. } = named.clone();
            Some(FormerName { id: id.clone(), kind, name, sites, left_at: left_at? })
        })
    }

    /// Returns whether a name was erased.
    pub(crate) fn is_erased(&self, id: &str) -> bool {
        self.erased.contains(id)
    }

    /// Returns the id of a name that was kept for its time: of what is former, or of a key that has
    /// ended.
    pub(crate) fn next_due(&self, roster: &Roster, now: i64, retention: Duration) -> Option<&str> {
        let retention = i64::try_from(retention.as_millis()).unwrap_or(i64::MAX);
        let is_due = |(id, named): &(&String, &NamedEntries)| {
            let ended_at = || roster.key(id).and_then(|key| key.expires_at);
            let left_at = named.left_at.or_else(ended_at);
            left_at.is_some_and(|at| at.saturating_add(retention) <= now)
        };
        self.named.iter().find(is_due).map(|(id, _)| id.as_str())
    }

    /// Returns the event that erases a name; `None` if it does not stand in the log.
    pub(crate) fn erasure(&self, id: &str) -> Option<StaffEvent> {
        let entries = self.named.get(id)?.entries.clone();
        Some(StaffEvent::NameErased { id: id.to_owned(), entries })
    }

    /// Returns the positions of entries that were read and are to be removed.
    pub(crate) fn removable(&self) -> &BTreeSet<Position> {
        &self.removable
    }
}

/// Returns the kind of what a name that was erased belonged to.
pub(crate) fn kind_of(entries: &[NamelessEntry]) -> NamedKind {
    match entries.first().map(|entry| &entry.event) {
        Some(NamelessEvent::KeyMade { .. }) => NamedKind::Key,
        Some(NamelessEvent::KioskPaired { .. }) => NamedKind::Kiosk,
        _ => NamedKind::Member,
    }
}
