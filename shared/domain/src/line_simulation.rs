//! Lines of the queues that share counters, run forward by the real choice of the next ticket.
//!
//! Nothing is decided and nothing copied: a cursor walks each lane from its head. People who are
//! still to come are not simulated; the calibration of the forecasts has learned of them.

use crate::estimate::{CallOrder, LiveCounter, SimulatedCall, SimulatedCounter, Simulation};
use crate::model::ids::{CounterId, QueueId, TicketId};
use crate::model::lane::{self, Lane, Position};
use crate::model::line::Line;
use crate::model::rank::Rank;
use crate::model::rules::{CallPolicy, CounterRules, QueueRules, Rules};
use crate::model::site::Site;
use crate::model::time::{DecisionInput, Interval, Timestamp};
use crate::next_ticket::{CallableLine, choose};
use std::collections::BTreeMap;
use std::ops::Range;

/// Returns `true` if the waits in a queue are simulated. That depends on the settings alone: the
/// two methods are calibrated apart, and a queue that changed between them would learn slowly.
pub(crate) fn is_simulated(rules: &Rules, queue: &QueueId, now: &DecisionInput) -> bool {
    let takes_turns = |rules: &QueueRules| rules.policy != CallPolicy::Strict;
    let is_shared = |counter: &CounterRules| {
        counter.queues.iter().any(|other| other != queue && rules.queues.contains_key(other))
    };
    rules.queues.get(queue).is_some_and(takes_turns)
        || rules.counters_of(queue).any(|id| {
            now.today.shifts.contains_key(id) || rules.counters.get(id).is_some_and(is_shared)
        })
}

/// Simulation of the calls of a queue, and of all queues that share counters with it, as far as it
/// was asked for.
pub(crate) struct LineSimulation<'a> {
    simulation: Simulation,
    lines: SimulatedLines<'a>,
    /// Milliseconds from now until the call of each ticket.
    called: BTreeMap<TicketId, u64>,
}

struct SimulatedLines<'a> {
    /// The queue of the forecast is the first.
    queues: Vec<(&'a QueueRules, LineCursor<'a>)>,
    /// Indices of the queues of each counter.
    counters: Vec<Vec<usize>>,
}

/// Line of which some tickets were called in the simulation.
#[derive(Default)]
struct LineCursor<'a> {
    line: Option<&'a Line>,
    /// Lanes with anybody left, best class first.
    lanes: Vec<LaneCursor<'a>>,
    interleave_step: u32,
    /// Simulated calls that passed over a ticket of this line.
    passes: Vec<Position>,
    /// Number of simulated calls.
    called: usize,
}

/// Lane of which the first tickets were called in the simulation.
struct LaneCursor<'a> {
    class: u8,
    lane: Option<&'a Lane>,
    rest: Option<lane::Iter<'a>>,
    /// First ticket of the lane itself.
    next: Option<Position>,
    /// Ticket of the forecast, if it does not wait in the lane.
    inserted: Option<Position>,
    called: usize,
}

impl<'a> LineSimulation<'a> {
    /// Simulation of a queue; `None` while no counter that serves it is open. `inserted` is the
    /// place of a ticket of this queue that is not in its line.
    pub(crate) fn new(
        site: &'a Site,
        rules: &'a Rules,
        queue: &'a QueueId,
        now: &DecisionInput,
        inserted: Option<Position>,
    ) -> Option<LineSimulation<'a>> {
        let serves = |counter: &CounterId| site.counters.get(counter).is_some_and(|c| c.is_open());
        if !rules.counters_of(queue).any(serves) {
            return None;
        }
        let ConnectedQueues { queues, counters } = connected(site, rules, queue, now);
        let index = |id: &QueueId| queues.iter().position(|(queue, _)| *queue == id);
        let served =
            counters.iter().map(|(counter, _)| counter.queues.iter().filter_map(index).collect());
        let cursors = queues.iter().map(|(id, queue_rules)| {
            let is_own = *id == queue;
            let line = site
                .lines
                .get(*id)
                .map(|line| &**line)
                .filter(|_| is_own || site.is_calling(rules, id));
            (*queue_rules, LineCursor::new(line, inserted.filter(|_| is_own)))
        });
        let lines = SimulatedLines { counters: served.collect(), queues: cursors.collect() };
        let minutes = queues.iter().map(|(id, queue_rules)| (*id, queue_rules.minutes));
        let counters = counters.into_iter().map(|(_, counter)| counter).collect();
        let simulation = now.model.simulation(minutes, counters);
        Some(LineSimulation { simulation, lines, called: BTreeMap::new() })
    }

    /// Seconds from now until a ticket of the queue at this place is called; `None` if it never is.
    pub(crate) fn wait_s(&mut self, position: Position) -> Option<f64> {
        let (_, ticket) = position;
        while !self.called.contains_key(&ticket) {
            let Some((at_ms, call)) = self.simulation.next_call(&mut self.lines) else { break };
            self.called.insert(call.ticket, at_ms);
        }
        match self.called.get(&ticket) {
            Some(at_ms) => Some(*at_ms as f64 / 1_000.0),
            None if self.simulation.is_at_limit() => {
                Some(self.simulation.extrapolated_s(self.lines.count_before(position)))
            }
            None => None,
        }
    }
}

/// Queues of one simulation, and their counters.
struct ConnectedQueues<'a> {
    queues: Vec<(&'a QueueId, &'a QueueRules)>,
    counters: Vec<(&'a CounterRules, SimulatedCounter)>,
}

/// Queues that share counters with this one, directly or through others, and all of their counters
/// that call now or later today. The queue itself is the first.
fn connected<'a>(
    site: &'a Site,
    rules: &'a Rules,
    queue: &'a QueueId,
    now: &DecisionInput,
) -> ConnectedQueues<'a> {
    let mut queues: Vec<_> = rules.queues.get_key_value(queue).into_iter().collect();
    let mut candidates: Vec<_> = rules
        .counters
        .iter()
        .map(|(id, counter)| (counter, simulated_counter(site, rules, id, queue, now)))
        .filter(|(_, counter)| !counter.shifts_ms.is_empty())
        .collect();
    stay_until_all_are_served(queue, &mut candidates);
    let mut counters = Vec::new();
    loop {
        let serves_any =
            |counter: &CounterRules| queues.iter().any(|(id, _)| counter.queues.contains(id));
        let (found, others): (Vec<_>, Vec<_>) =
            candidates.into_iter().partition(|(counter, _)| serves_any(counter));
        if found.is_empty() {
            return ConnectedQueues { queues, counters };
        }
        for id in found.iter().flat_map(|(counter, _)| &counter.queues) {
            if let Some(other) = rules.queues.get_key_value(id)
                && !queues.iter().any(|(known, _)| *known == id)
            {
                queues.push(other);
            }
        }
        counters.extend(found);
        candidates = others;
    }
}

/// Lets those counters of a queue that close last serve everybody who is inside.
fn stay_until_all_are_served(queue: &QueueId, counters: &mut [(&CounterRules, SimulatedCounter)]) {
    let own = || counters.iter().filter(|(counter, _)| counter.queues.contains(queue));
    let ends = own().filter_map(|(_, counter)| Some(counter.shifts_ms.last()?.end));
    let Some(latest) = ends.max() else { return };
    for (counter, simulated) in counters {
        if let Some(last) = simulated.shifts_ms.last_mut()
            && last.end == latest
            && counter.queues.contains(queue)
        {
            last.end = u64::MAX;
        }
    }
}

fn simulated_counter(
    site: &Site,
    rules: &Rules,
    id: &CounterId,
    queue: &QueueId,
    now: &DecisionInput,
) -> SimulatedCounter {
    let counter = site.counters.get(id).filter(|counter| counter.is_open());
    let shifts = now.today.shifts.get(id).map(Vec::as_slice);
    SimulatedCounter {
        state: counter
            .map_or(LiveCounter::Free, |counter| site.live_counter(rules, counter, queue, now)),
        shifts_ms: remaining_shifts(counter.is_some(), shifts, now.at),
    }
}

/// Times in which a counter calls, in milliseconds from now. Whoever is at a counter stays until
/// the end of the present shift, or of the next one if none is now; whoever is late or on a break
/// comes with the next shift at the latest.
fn remaining_shifts(is_open: bool, shifts: Option<&[Interval]>, at: Timestamp) -> Vec<Range<u64>> {
    let from_now = |time: Timestamp| u64::try_from(time.since_ms(at)).unwrap_or(0);
    let rest = shifts.into_iter().flatten().filter(|shift| shift.to > at);
    let mut rest: Vec<_> = rest.map(|shift| from_now(shift.from)..from_now(shift.to)).collect();
    if is_open {
        match rest.first_mut() {
            Some(present) => present.start = 0,
            None => rest.push(0..u64::MAX),
        }
    } else {
        rest.retain(|shift| shift.start > 0);
    }
    rest
}

impl CallOrder for SimulatedLines<'_> {
    fn next_call(&mut self, counter: usize) -> Option<SimulatedCall> {
        let served = &self.counters[counter];
        let queues = &self.queues;
        let choice = choose(|| {
            let lines = served.iter().map(|index| (*index, queues[*index].0, &queues[*index].1));
            lines.filter(|(_, _, line)| !line.lanes.is_empty())
        })?;
        for line in choice.passed_over {
            self.queues[line].1.passes.push((choice.rank, choice.ticket));
        }
        let line = &mut self.queues[choice.line].1;
        line.interleave_step = choice.next_interleave_step.unwrap_or(line.interleave_step);
        line.remove_head(choice.rank.class);
        Some(SimulatedCall { ticket: choice.ticket, queue: choice.line })
    }
}

impl SimulatedLines<'_> {
    /// Number of tickets that are called before a place of the first queue, about: the order of
    /// ranks decides between queues, and in a queue whose classes take turns the turns so far.
    fn count_before(&self, (rank, ticket): Position) -> usize {
        let by_rank = |line: &LineCursor| {
            let earlier = line.lanes.iter().filter(|lane| lane.class <= rank.class);
            earlier.map(|lane| lane.count_before((rank, ticket))).sum::<usize>()
        };
        let others: usize = self.queues.iter().skip(1).map(|(_, line)| by_rank(line)).sum();
        let Some((rules, own)) = self.queues.first() else { return others };
        let lane = own.lanes.iter().find(|lane| lane.class == rank.class);
        let own_before = match (rules.policy, lane) {
            (CallPolicy::Interleave { .. }, Some(lane)) if lane.called > 0 => {
                lane.count_before((rank, ticket)) * own.called / lane.called
            }
            _ => by_rank(own),
        };
        others + own_before
    }
}

impl<'a> LineCursor<'a> {
    fn new(line: Option<&'a Line>, inserted: Option<Position>) -> LineCursor<'a> {
        let mut cursor = LineCursor { line, ..LineCursor::default() };
        if let Some(line) = line {
            cursor.interleave_step = line.interleave_step;
            let lanes = line.lanes.iter();
            cursor.lanes = lanes.map(|(class, lane)| LaneCursor::new(*class, lane)).collect();
        }
        if let Some((rank, ticket)) = inserted {
            let at = cursor.lanes.partition_point(|lane| lane.class < rank.class);
            if cursor.lanes.get(at).is_none_or(|lane| lane.class != rank.class) {
                cursor.lanes.insert(at, LaneCursor::empty(rank.class));
            }
            cursor.lanes[at].inserted = Some((rank, ticket));
        }
        cursor
    }

    fn remove_head(&mut self, class: u8) {
        let Some(at) = self.lanes.iter().position(|lane| lane.class == class) else { return };
        self.called += 1;
        self.lanes[at].remove_head();
        if self.lanes[at].head().is_none() {
            self.lanes.remove(at);
        }
    }
}

impl CallableLine for LineCursor<'_> {
    fn lane_heads(&self) -> impl Iterator<Item = (Rank, TicketId)> + '_ {
        self.lanes.iter().filter_map(LaneCursor::head)
    }

    fn len_of_classes(&self, classes: Range<u8>) -> usize {
        let lanes = self.lanes.iter().filter(|lane| classes.contains(&lane.class));
        lanes.map(LaneCursor::len).sum()
    }

    fn count_passes(&self, rank: Rank, ticket: TicketId, max: u32) -> u32 {
        let place = |(rank, ticket): &Position| (rank.arrival, rank.sequence, rank.offset, *ticket);
        let position = place(&(rank, ticket));
        let before = self.line.map_or(0, |line| line.count_passes(rank, ticket, max));
        let simulated = self
            .passes
            .iter()
            .filter(|passed| passed.0.class < rank.class && place(passed) >= position);
        before + simulated.take(max.saturating_sub(before) as usize).count() as u32
    }

    fn interleave_step(&self) -> u32 {
        self.interleave_step
    }
}

impl<'a> LaneCursor<'a> {
    fn new(class: u8, lane: &'a Lane) -> LaneCursor<'a> {
        let mut rest = lane.iter();
        let next = rest.next();
        let (lane, rest) = (Some(lane), Some(rest));
        LaneCursor { class, lane, rest, next, inserted: None, called: 0 }
    }

    fn empty(class: u8) -> LaneCursor<'a> {
        LaneCursor { class, lane: None, rest: None, next: None, inserted: None, called: 0 }
    }

    fn head(&self) -> Option<Position> {
        self.next.into_iter().chain(self.inserted).min()
    }

    fn remove_head(&mut self) {
        if self.head() == self.inserted {
            self.inserted = None;
        } else {
            self.called += 1;
            self.next = self.rest.as_mut().and_then(Iterator::next);
        }
    }

    fn len(&self) -> usize {
        self.lane.map_or(0, Lane::len) - self.called + usize::from(self.inserted.is_some())
    }

    /// Number of tickets of this lane that wait before a place.
    fn count_before(&self, position: Position) -> usize {
        let before = self.lane.map_or(0, |lane| lane.count_before(&position));
        before.saturating_sub(self.called)
    }
}

#[cfg(test)]
mod tests;
