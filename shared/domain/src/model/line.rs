//! Line of one queue: a lane for each priority class, ordered by effective arrival.
//!
//! The position of a ticket in a lane is found in logarithmic time, never by walking the line.

use crate::model::ids::{Number, TicketId};
use crate::model::lane::{Lane, SlipThreshold};
use crate::model::position_changes::{PositionChange, PositionChangeCause, PositionChanges};
use crate::model::rank::Rank;
use crate::model::remainder::Remainder;
use crate::model::time::Timestamp;
use crate::protocol::command::QueueState;
use imbl::{OrdMap, OrdSet, Vector};
use std::collections::BTreeSet;

/// Line of one queue, with its counts of the day.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Line {
    pub(crate) lanes: OrdMap<u8, Lane>,
    pub(crate) state: Option<QueueState>,
    pub(crate) taken: u32,
    pub(crate) calls: u32,
    pub(crate) out_of_order: u32,
    pub(crate) interleave_step: u32,
    pub(crate) held: OrdSet<TicketId>,
    pub(crate) missed: OrdSet<TicketId>,
    pub(crate) last_called: Option<Number>,
    /// Tickets of a better class that were called before a ticket that had come earlier, by
    /// arrival.
    pub(crate) priority_passes: OrdMap<(Timestamp, u32, i32, TicketId), u8>,
    pub(crate) position_changes: PositionChanges,
    pub(crate) overtakes: Vector<Overtake>,
    /// Tickets whose holders are still to be notified that the queue was halted or closed.
    pub(crate) unnotified: Option<Remainder>,
    /// Tickets that a clearing has still to void; calling rests meanwhile.
    pub(crate) uncleared: Option<Remainder>,
    /// Wait in seconds of the person called last, up to their first call.
    pub(crate) last_wait_s: Option<u32>,
}

/// Overtaking: a ticket was placed before others, or called from behind them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Overtake {
    /// Tickets behind this position were overtaken; `None` for all of them.
    pub behind: Option<(Rank, TicketId)>,
    /// Tickets before this position were overtaken; `None` for all of them.
    pub before: Option<(Rank, TicketId)>,
    /// Cause of the overtaking.
    pub cause: PositionChangeCause,
}

impl Line {
    /// Number of overtakings recorded today.
    pub(crate) fn overtake_count(&self) -> u32 {
        self.overtakes.len() as u32
    }

    pub(crate) fn record_overtake(&mut self, overtake: Overtake) {
        self.overtakes.push_back(overtake);
    }

    /// Returns `true` if a ticket waits behind this position.
    pub(crate) fn has_anyone_behind(&self, rank: Rank, ticket: TicketId) -> bool {
        let last = self.lanes.get_max().and_then(|(_, lane)| lane.last());
        last.is_some_and(|last| last > (rank, ticket))
    }

    /// Causes for which a ticket at this position was overtaken, from the overtaking with index
    /// `from`.
    pub(crate) fn overtake_causes(
        &self,
        rank: Rank,
        ticket: TicketId,
        from: u32,
    ) -> impl Iterator<Item = PositionChangeCause> + '_ {
        let position = (rank, ticket);
        let later = self.overtakes.iter().skip(from as usize);
        let overtaking = later.filter(move |overtake| {
            overtake.behind.is_none_or(|from| from < position)
                && overtake.before.is_none_or(|to| position < to)
        });
        overtaking.map(|overtake| overtake.cause)
    }

    /// Waiting tickets, first to last.
    pub fn waiting(&self) -> impl Iterator<Item = TicketId> + '_ {
        self.lanes.values().flat_map(Lane::iter).map(|(_, ticket)| ticket)
    }

    /// Tickets whose holders are notified of the queue's state, in order, with the number ahead of
    /// each: those that wait or are held, without those that a clearing is about to void.
    pub(crate) fn notification_targets(&self) -> impl Iterator<Item = (TicketId, u32)> + '_ {
        let uncleared: BTreeSet<TicketId> =
            self.uncleared.iter().flat_map(|remainder| remainder.tickets.iter().copied()).collect();
        let held: Vec<_> =
            self.held.iter().filter(|id| !uncleared.contains(*id)).map(|id| (*id, 0)).collect();
        let waiting = self.waiting().filter(move |id| !uncleared.contains(id));
        waiting.zip(0..).chain(held)
    }

    /// Tickets that a clearing voids, in order.
    pub(crate) fn all_tickets(&self) -> impl Iterator<Item = TicketId> + '_ {
        self.waiting().chain(self.held.iter().chain(self.missed.iter()).copied())
    }

    /// Number of waiting tickets.
    pub fn len(&self) -> usize {
        self.lanes.values().map(Lane::len).sum()
    }

    /// Returns `true` if no ticket waits.
    pub fn is_empty(&self) -> bool {
        self.lanes.is_empty()
    }

    /// Number of held tickets, which keep their position.
    pub fn held(&self) -> usize {
        self.held.len()
    }

    /// Number of missed tickets that may return.
    pub fn missed(&self) -> usize {
        self.missed.len()
    }

    /// Number on the ticket called last.
    pub fn last_called(&self) -> Option<&Number> {
        self.last_called.as_ref()
    }

    /// State that staff set today, if any.
    pub fn state(&self) -> Option<QueueState> {
        self.state
    }

    /// Tickets taken today.
    pub fn taken(&self) -> u32 {
        self.taken
    }

    /// Calls of today, without recalls.
    pub fn calls(&self) -> u32 {
        self.calls
    }

    /// Calls of today that were out of order.
    pub fn out_of_order(&self) -> u32 {
        self.out_of_order
    }

    /// Latest position changes other than by waiting, oldest first.
    pub fn position_changes(&self) -> impl Iterator<Item = &PositionChange> {
        self.position_changes.iter()
    }

    /// First position of each class, best class first.
    pub(crate) fn lane_heads(&self) -> impl Iterator<Item = (Rank, TicketId)> + '_ {
        self.lanes.values().filter_map(Lane::first)
    }

    /// Last position of each class, best class first.
    pub(crate) fn lane_tails(&self) -> impl Iterator<Item = (Rank, TicketId)> + '_ {
        self.lanes.values().filter_map(Lane::last)
    }

    /// Number of waiting tickets in these classes.
    pub(crate) fn len_of_classes(&self, classes: std::ops::Range<u8>) -> usize {
        self.lanes.range(classes).map(|(_, lane)| lane.len()).sum()
    }

    pub(crate) fn insert(
        &mut self,
        rank: Rank,
        ticket: TicketId,
        threshold: Option<SlipThreshold>,
    ) {
        self.lanes.entry(rank.class).or_default().insert((rank, ticket), threshold);
    }

    pub(crate) fn remove(&mut self, rank: Rank, ticket: TicketId) {
        let Some(lane) = self.lanes.get_mut(&rank.class) else { return };
        lane.remove(&(rank, ticket));
        if lane.is_empty() {
            self.lanes.remove(&rank.class);
        }
    }

    /// Position with so many waiting tickets ahead.
    pub(crate) fn position_behind(&self, ahead: u32) -> Option<(Rank, TicketId)> {
        let mut before = ahead as usize;
        for lane in self.lanes.values() {
            match lane.nth(before) {
                None => before -= lane.len(),
                found => return found,
            }
        }
        None
    }

    /// Number of waiting tickets before this position.
    pub(crate) fn count_ahead(&self, rank: Rank, ticket: TicketId) -> usize {
        let better = self.len_of_classes(0..rank.class);
        let lane = self.lanes.get(&rank.class);
        better + lane.map_or(0, |lane| lane.count_before(&(rank, ticket)))
    }

    /// Returns `true` if any ticket here can ever get a notice of a longer wait.
    pub(crate) fn has_slip_candidates(&self) -> bool {
        self.lanes.values().any(Lane::has_slip_candidates)
    }

    /// Tickets whose slip threshold may be exceeded, in order, with the number ahead of each. `may`
    /// judges a stretch of the line by its lowest threshold and by the number ahead of its first
    /// and of its last ticket; a stretch that it rejects is skipped.
    pub(crate) fn slip_candidates(
        &self,
        mut may: impl FnMut(&SlipThreshold, u32, u32) -> bool,
    ) -> Vec<(TicketId, u32)> {
        let mut candidates = Vec::new();
        let mut better = 0;
        for lane in self.lanes.values() {
            lane.slip_candidates(
                &mut |least, first, last| may(least, better + first, better + last),
                &mut |ticket, before| candidates.push((ticket, better + before)),
            );
            better += lane.len() as u32;
        }
        candidates
    }

    /// Rank of this class behind `places` others; `None` if the lane holds no more than that.
    pub(crate) fn rank_behind(&self, class: u8, places: u32) -> Option<Rank> {
        let lane = self.lanes.get(&class)?;
        let places = places as usize;
        if places == 0 {
            return self.front_rank(class);
        }
        if lane.len() <= places {
            return None;
        }
        // A ticket that was placed beside the same one before stays before.
        let (neighbour, _) = lane.nth(places - 1)?;
        let same =
            |rank: &Rank| (rank.arrival, rank.sequence) == (neighbour.arrival, neighbour.sequence);
        let later = (places..).map_while(|before| lane.nth(before)).map(|(rank, _)| rank);
        let last = later.take_while(same).last().unwrap_or(neighbour);
        Some(Rank { offset: last.offset + 1, ..last })
    }

    /// Rank of this class before everybody; `None` if the lane is empty.
    pub(crate) fn front_rank(&self, class: u8) -> Option<Rank> {
        let (first, _) = self.lanes.get(&class)?.first()?;
        Some(Rank { offset: first.offset - 1, ..first })
    }

    /// Rank of this class behind everybody: `rank` itself if it is last, or one behind the last.
    pub(crate) fn tail_rank(&self, rank: Rank) -> Rank {
        match self.lanes.get(&rank.class).and_then(Lane::last) {
            Some((last, _)) if last >= rank => Rank { offset: last.offset + 1, ..last },
            _ => rank,
        }
    }

    /// Records that a ticket of a better class was called before others who had come earlier.
    pub(crate) fn record_pass(&mut self, rank: Rank, ticket: TicketId) {
        self.priority_passes.insert((rank.arrival, rank.sequence, rank.offset, ticket), rank.class);
    }

    /// Number of times that tickets of a better class that came later were called before this
    /// position. Counting stops at `max`.
    pub(crate) fn count_passes(&self, rank: Rank, ticket: TicketId, max: u32) -> u32 {
        // The usual line has no priorities, and a range of an empty map is not free.
        if self.priority_passes.is_empty() {
            return 0;
        }
        let position = (rank.arrival, rank.sequence, rank.offset, ticket);
        let later =
            self.priority_passes.range(position..).filter(|(_, class)| **class < rank.class);
        later.take(max as usize).count() as u32
    }
}
