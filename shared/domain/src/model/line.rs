//! One queue's line: lanes by priority class, each in the order of effective arrival.
//!
//! Somebody's place in a lane is found by halving and never by walking the line.

use crate::model::ids::{Number, TicketId};
use crate::model::lane::{Lane, SlipThreshold};
use crate::model::position_changes::{PositionChange, PositionChangeCause, PositionChanges};
use crate::model::rank::Rank;
use crate::model::remainder::Remainder;
use crate::model::time::Timestamp;
use crate::protocol::command::QueueState;
use imbl::{OrdMap, OrdSet, Vector};
use std::collections::BTreeSet;

/// The line of one queue.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Line {
    lanes: OrdMap<u8, Lane>,
    pub(crate) state: Option<QueueState>,
    pub(crate) taken: u32,
    pub(crate) calls: u32,
    pub(crate) out_of_order: u32,
    pub(crate) interleave_step: u32,
    pub(crate) held: OrdSet<TicketId>,
    pub(crate) missed: OrdSet<TicketId>,
    pub(crate) last_called: Option<Number>,
    /// Those of a better class who went before somebody that had come earlier, by arrival.
    priority_passes: OrdMap<(Timestamp, u32, i32, TicketId), u8>,
    pub(crate) position_changes: PositionChanges,
    overtakes: Vector<Overtake>,
    /// Those who are still to be told that the queue was halted or closed.
    pub(crate) unnotified: Option<Remainder>,
    /// Those whom a clearing has still to void; nobody is called meanwhile.
    pub(crate) uncleared: Option<Remainder>,
    /// Seconds that the person called last had waited, for the first call of theirs.
    pub(crate) last_wait_s: Option<u32>,
}

/// Somebody came to stand before others, or was called from behind them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Overtake {
    /// Those behind this place were overtaken; all, if there is none,
    pub(crate) behind: Option<(Rank, TicketId)>,
    /// and before this one.
    pub(crate) before: Option<(Rank, TicketId)>,
    pub(crate) cause: PositionChangeCause,
}

impl Line {
    /// How many overtakes there were.
    pub(crate) fn overtake_count(&self) -> u32 {
        self.overtakes.len() as u32
    }

    pub(crate) fn record_overtake(&mut self, overtake: Overtake) {
        self.overtakes.push_back(overtake);
    }

    /// Whether somebody waits behind this place.
    pub(crate) fn has_anyone_behind(&self, rank: Rank, ticket: TicketId) -> bool {
        let last = self.lanes.get_max().and_then(|(_, lane)| lane.last());
        last.is_some_and(|last| last > (rank, ticket))
    }

    /// Through what somebody at this place was overtaken, from the so-manieth overtake on.
    pub(crate) fn overtake_causes(
        &self,
        rank: Rank,
        ticket: TicketId,
        from: u32,
    ) -> impl Iterator<Item = PositionChangeCause> + '_ {
        let place = (rank, ticket);
        let later = self.overtakes.iter().skip(from as usize);
        let past = later.filter(move |overtake| {
            overtake.behind.is_none_or(|from| from < place)
                && overtake.before.is_none_or(|to| place < to)
        });
        past.map(|overtake| overtake.cause)
    }

    /// Those who wait, first to last.
    pub fn waiting(&self) -> impl Iterator<Item = TicketId> + '_ {
        self.lanes.values().flat_map(Lane::iter).map(|(_, ticket)| ticket)
    }

    /// Those who are told how the queue stands, in order, with how many are ahead of them: who waits
    /// or is held, but for those who are voided in a moment.
    pub(crate) fn notification_targets(&self) -> impl Iterator<Item = (TicketId, u32)> + '_ {
        let unswept = self.uncleared.iter().flat_map(|rest| rest.tickets.iter().copied());
        let unswept: BTreeSet<_> = unswept.collect();
        let held = self.held.iter().filter(|id| !unswept.contains(*id));
        let held: Vec<_> = held.map(|id| (*id, 0)).collect();
        let waiting = self.waiting().filter(move |id| !unswept.contains(id));
        waiting.zip(0..).chain(held)
    }

    /// Those whom a clearing voids, in order.
    pub(crate) fn all_tickets(&self) -> impl Iterator<Item = TicketId> + '_ {
        self.waiting().chain(self.held.iter().chain(self.missed.iter()).copied())
    }

    /// How many wait.
    pub fn len(&self) -> usize {
        self.lanes.values().map(Lane::len).sum()
    }

    /// Whether nobody waits.
    pub fn is_empty(&self) -> bool {
        self.lanes.is_empty()
    }

    /// How many are held, their place kept.
    pub fn held(&self) -> usize {
        self.held.len()
    }

    /// How many were missed and may return.
    pub fn missed(&self) -> usize {
        self.missed.len()
    }

    /// The number called last.
    pub fn last_called(&self) -> Option<&Number> {
        self.last_called.as_ref()
    }

    /// What staff made of the queue today, if anything.
    pub fn state(&self) -> Option<QueueState> {
        self.state
    }

    /// How many numbers it gave out today.
    pub fn taken(&self) -> u32 {
        self.taken
    }

    /// How many calls it made today, recalls left out.
    pub fn calls(&self) -> u32 {
        self.calls
    }

    /// How many were called before it was their turn, today.
    pub fn out_of_order(&self) -> u32 {
        self.out_of_order
    }

    /// Why people's places changed other than by waiting, oldest first; the last few.
    pub fn position_changes(&self) -> impl Iterator<Item = &PositionChange> {
        self.position_changes.iter()
    }

    /// Each class's first, best class first.
    pub(crate) fn lane_heads(&self) -> impl Iterator<Item = (Rank, TicketId)> + '_ {
        self.lanes.values().filter_map(Lane::first)
    }

    /// How many wait in these classes.
    pub(crate) fn len_of_classes(&self, classes: std::ops::Range<u8>) -> usize {
        self.lanes.range(classes).map(|(_, lane)| lane.len()).sum()
    }

    pub(crate) fn insert(&mut self, rank: Rank, ticket: TicketId, patience: Option<SlipThreshold>) {
        self.lanes.entry(rank.class).or_default().insert((rank, ticket), patience);
    }

    pub(crate) fn remove(&mut self, rank: Rank, ticket: TicketId) {
        let Some(lane) = self.lanes.get_mut(&rank.class) else { return };
        lane.remove(&(rank, ticket));
        if lane.is_empty() {
            self.lanes.remove(&rank.class);
        }
    }

    /// How many wait before this place.
    pub(crate) fn count_ahead(&self, rank: Rank, ticket: TicketId) -> usize {
        let better = self.len_of_classes(0..rank.class);
        let lane = self.lanes.get(&rank.class);
        better + lane.map_or(0, |lane| lane.count_before(&(rank, ticket)))
    }

    /// Whether anybody could ever be told that it takes longer.
    pub(crate) fn has_slip_candidates(&self) -> bool {
        self.lanes.values().any(Lane::has_slip_candidates)
    }

    /// Those who may have lost their patience, in order, with how many are ahead of them. `authorize` is
    /// asked of stretches of the line: the least patience in it, and how many are ahead of its first
    /// and of its last; where it says no, nobody is looked at.
    pub(crate) fn slip_candidates(
        &self,
        mut may: impl FnMut(&SlipThreshold, u32, u32) -> bool,
    ) -> Vec<(TicketId, u32)> {
        let (mut found, mut better) = (Vec::new(), 0);
        for lane in self.lanes.values() {
            lane.slip_candidates(
                &mut |least, first, last| may(least, better + first, better + last),
                &mut |ticket, before| found.push((ticket, better + before)),
            );
            better += lane.len() as u32;
        }
        found
    }

    /// A place of this class behind `places` others; `None` if there are no more than that.
    pub(crate) fn rank_behind(&self, class: u8, places: u32) -> Option<Rank> {
        let lane = self.lanes.get(&class)?;
        let places = places as usize;
        if places == 0 {
            return self.front_rank(class);
        }
        if lane.len() <= places {
            return None;
        }
        // Whoever was put beside the same one before stays before.
        let (beside, _) = lane.nth(places - 1)?;
        let same = |rank: &Rank| (rank.arrival, rank.sequence) == (beside.arrival, beside.sequence);
        let later = (places..).map_while(|before| lane.nth(before)).map(|(rank, _)| rank);
        let last = later.take_while(same).last().unwrap_or(beside);
        Some(Rank { offset: last.offset + 1, ..last })
    }

    /// A place of this class before everybody; `None` if nobody has it.
    pub(crate) fn front_rank(&self, class: u8) -> Option<Rank> {
        let (first, _) = self.lanes.get(&class)?.first()?;
        Some(Rank { offset: first.offset - 1, ..first })
    }

    /// A place of this class behind everybody: `rank` if that is one, or behind the last.
    pub(crate) fn tail_rank(&self, rank: Rank) -> Rank {
        match self.lanes.get(&rank.class).and_then(Lane::last) {
            Some((last, _)) if last >= rank => Rank { offset: last.offset + 1, ..last },
            _ => rank,
        }
    }

    /// Somebody of a better class went before others who had come earlier.
    pub(crate) fn record_pass(&mut self, rank: Rank, ticket: TicketId) {
        self.priority_passes.insert((rank.arrival, rank.sequence, rank.offset, ticket), rank.class);
    }

    /// How often somebody at this place was passed by people of a better class who came later;
    /// counts no further than `most`.
    pub(crate) fn count_passes(&self, rank: Rank, ticket: TicketId, most: u32) -> u32 {
        let place = (rank.arrival, rank.sequence, rank.offset, ticket);
        let later = self.priority_passes.range(place..).filter(|(_, class)| **class < rank.class);
        later.take(most as usize).count() as u32
    }
}
