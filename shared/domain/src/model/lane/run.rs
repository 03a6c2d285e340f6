//! Neighbours in a lane, which one node of its tree holds.

use super::slip_threshold::{Position, SlipThreshold};
use crate::model::ids::TicketId;
use crate::model::rank::Rank;
use crate::model::time::Timestamp;
use std::cmp::Ordering;

/// Most tickets of a node. Whoever comes last joins the last node, so that nodes are full.
pub(super) const MAX_RUN: usize = 16;

/// Waiting ticket, in little memory.
#[derive(Clone, Copy)]
pub(super) struct Entry {
    arrival: Timestamp,
    threshold: SlipThreshold,
    sequence: u32,
    offset: i32,
    pub(super) ticket: TicketId,
    class: u8,
}

impl Entry {
    pub(super) fn new((rank, ticket): Position, threshold: SlipThreshold) -> Entry {
        let Rank { class, arrival, sequence, offset } = rank;
        Entry { arrival, threshold, sequence, offset, ticket, class }
    }

    pub(super) fn position(&self) -> Position {
        let Entry { class, arrival, sequence, offset, .. } = *self;
        (Rank { class, arrival, sequence, offset }, self.ticket)
    }
}

/// Neighbours in a lane, in order.
pub(super) struct Run {
    pub(super) entries: Vec<Entry>,
    /// Lower bound of their thresholds.
    pub(super) min_threshold: SlipThreshold,
}

impl Run {
    pub(super) fn new(entries: &[Entry]) -> Run {
        let mut run =
            Run { entries: Vec::with_capacity(MAX_RUN), min_threshold: SlipThreshold::NEVER };
        run.entries.extend_from_slice(entries);
        run.update_threshold();
        run
    }

    pub(super) fn update_threshold(&mut self) {
        self.min_threshold = min_threshold(&self.entries);
    }

    pub(super) fn is_full(&self) -> bool {
        self.entries.len() >= MAX_RUN
    }

    /// Side of this run on which a position is: before all, behind all, or between them.
    pub(super) fn side_of(&self, position: &Position) -> Ordering {
        let is_before = |entry: &Entry| *position < entry.position();
        let is_behind = |entry: &Entry| *position > entry.position();
        if self.entries.first().is_some_and(is_before) {
            Ordering::Less
        } else if self.entries.last().is_some_and(is_behind) {
            Ordering::Greater
        } else {
            Ordering::Equal
        }
    }

    pub(super) fn find(&self, position: &Position) -> Result<usize, usize> {
        self.entries.binary_search_by(|entry| entry.position().cmp(position))
    }

    /// Inserts an entry. Returns the upper half as a run of its own if there is no room.
    pub(super) fn insert(&mut self, entry: Entry) -> Option<Run> {
        match self.find(&entry.position()) {
            Ok(index) => {
                self.entries[index] = entry;
                self.update_threshold();
                None
            }
            Err(index) if !self.is_full() => {
                self.entries.insert(index, entry);
                self.min_threshold = self.min_threshold.min_of(entry.threshold);
                None
            }
            Err(_) => {
                let mut upper = Run::new(&self.entries[MAX_RUN / 2..]);
                self.entries.truncate(MAX_RUN / 2);
                let is_upper = upper.side_of(&entry.position()) != Ordering::Less;
                let half = if is_upper { &mut upper } else { &mut *self };
                half.insert(entry);
                self.update_threshold();
                Some(upper)
            }
        }
    }

    pub(super) fn remove(&mut self, position: &Position) {
        if let Ok(index) = self.find(position) {
            self.entries.remove(index);
            self.update_threshold();
        }
    }
}

impl Clone for Run {
    /// With room for those that a copy is made to insert.
    fn clone(&self) -> Run {
        let mut entries = Vec::with_capacity(MAX_RUN);
        entries.extend_from_slice(&self.entries);
        Run { entries, min_threshold: self.min_threshold }
    }
}

/// To judge a stretch costs more than to find its lowest threshold: a run is searched by halves.
pub(super) fn find_in_run(
    entries: &[Entry],
    first: u32,
    may: &mut impl FnMut(&SlipThreshold, u32, u32) -> bool,
    found: &mut impl FnMut(TicketId, u32),
) {
    let min_threshold = min_threshold(entries);
    let last = first + entries.len() as u32 - 1;
    if min_threshold == SlipThreshold::NEVER || !may(&min_threshold, first, last) {
        return;
    }
    if let [entry] = entries {
        return found(entry.ticket, first);
    }
    let (before, behind) = entries.split_at(entries.len() / 2);
    find_in_run(before, first, may, found);
    find_in_run(behind, first + before.len() as u32, may, found);
}

fn min_threshold(entries: &[Entry]) -> SlipThreshold {
    let thresholds = entries.iter().map(|entry| entry.threshold);
    thresholds.fold(SlipThreshold::NEVER, SlipThreshold::min_of)
}
