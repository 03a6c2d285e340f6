//! Choice of the next ticket for a counter: a pure function of its lines and the owner's policy.
//!
//! The same choice is made for a call and for a forecast that runs the lines forward.

use crate::model::ids::{QueueId, TicketId};
use crate::model::line::Line;
use crate::model::rank::Rank;
use crate::model::rules::{CallPolicy, CounterRules, MISSED_LANE_CLASS, QueueRules, Rules};
use crate::model::site::Site;
use std::ops::Range;

/// Next ticket for a counter, and the effects of the choice on others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct NextTicket {
    pub(crate) ticket: TicketId,
    /// Queues in which an earlier ticket of a lower class is passed over.
    pub(crate) passed_over: Vec<QueueId>,
    /// Step of the queue's interleaving after this call.
    pub(crate) next_interleave_step: Option<u32>,
}

/// Line as the choice sees it.
pub(crate) trait CallableLine {
    /// First position of each class, best class first.
    fn lane_heads(&self) -> impl Iterator<Item = (Rank, TicketId)> + '_;
    /// Number of waiting tickets in these classes.
    fn len_of_classes(&self, classes: Range<u8>) -> usize;
    /// Number of times that tickets of a better class that came later were called before this
    /// position. Counting stops at `max`.
    fn count_passes(&self, rank: Rank, ticket: TicketId, max: u32) -> u32;
    /// Step of the interleaving.
    fn interleave_step(&self) -> u32;
}

/// Chosen ticket; `K` names lines.
pub(crate) struct Choice<K> {
    pub(crate) line: K,
    pub(crate) rank: Rank,
    pub(crate) ticket: TicketId,
    /// Lines in which an earlier ticket of a lower class is passed over.
    pub(crate) passed_over: Vec<K>,
    pub(crate) next_interleave_step: Option<u32>,
}

/// Ticket that could be next.
struct Candidate<K> {
    line: K,
    rank: Rank,
    ticket: TicketId,
    next_interleave_step: Option<u32>,
}

impl CallableLine for Line {
    fn lane_heads(&self) -> impl Iterator<Item = (Rank, TicketId)> + '_ {
        Line::lane_heads(self)
    }

    fn len_of_classes(&self, classes: Range<u8>) -> usize {
        Line::len_of_classes(self, classes)
    }

    fn count_passes(&self, rank: Rank, ticket: TicketId, max: u32) -> u32 {
        Line::count_passes(self, rank, ticket, max)
    }

    fn interleave_step(&self) -> u32 {
        self.interleave_step
    }
}

/// Next ticket for a counter; `None` if no ticket waits that it may call.
pub(crate) fn next_ticket(
    site: &Site,
    rules: &Rules,
    counter: &CounterRules,
) -> Option<NextTicket> {
    let chosen = choose(|| callable_lines(site, rules, counter))?;
    Some(NextTicket {
        ticket: chosen.ticket,
        passed_over: chosen.passed_over.into_iter().cloned().collect(),
        next_interleave_step: chosen.next_interleave_step,
    })
}

/// Chooses the next ticket from some lines; `None` if nobody waits in them.
pub(crate) fn choose<'a, K, L, I>(lines: impl Fn() -> I) -> Option<Choice<K>>
where
    K: Copy,
    L: CallableLine + 'a,
    I: Iterator<Item = (K, &'a QueueRules, &'a L)>,
{
    // Tickets that were passed over as often as allowed go first; among them, the earliest arrival.
    let starving =
        lines().flat_map(|(key, queue_rules, line)| starved_candidates(key, queue_rules, line));
    let first = starving.min_by_key(|candidate| (ignoring_class(candidate.rank), candidate.ticket));
    let candidates =
        || lines().filter_map(|(key, queue_rules, line)| queue_candidate(key, queue_rules, line));
    let chosen = match first {
        Some(starving) => starving,
        None => candidates().min_by_key(|candidate| (candidate.rank, candidate.ticket))?,
    };
    let Candidate { line, rank, ticket, next_interleave_step } = chosen;
    let passed_lines = lines().filter(|(_, _, line)| {
        line.lane_heads().any(|(head, waiting)| {
            let earlier = (ignoring_class(head), waiting) < (ignoring_class(rank), ticket);
            head.class > rank.class && earlier
        })
    });
    let passed_over = passed_lines.map(|(key, _, _)| key).collect();
    Some(Choice { line, rank, ticket, passed_over, next_interleave_step })
}

fn ignoring_class(rank: Rank) -> Rank {
    Rank { class: 0, ..rank }
}

/// Lines from which the counter may call now.
fn callable_lines<'a>(
    site: &'a Site,
    rules: &'a Rules,
    counter: &'a CounterRules,
) -> impl Iterator<Item = (&'a QueueId, &'a QueueRules, &'a Line)> {
    counter.queues.iter().filter_map(|queue| {
        let queue_rules = rules.queues.get(queue)?;
        let line = site.lines.get(queue)?;
        (site.is_calling(rules, queue) && !line.is_empty()).then_some((queue, queue_rules, &**line))
    })
}

/// First tickets of lanes that were passed over as often as allowed.
fn starved_candidates<'a, K: Copy + 'a>(
    key: K,
    queue_rules: &QueueRules,
    line: &'a impl CallableLine,
) -> impl Iterator<Item = Candidate<K>> + 'a {
    let bound = queue_rules.max_passes;
    let strict = queue_rules.policy == CallPolicy::Strict;
    let heads = line.lane_heads().filter(move |(rank, ticket)| {
        strict && (bound == 0 || line.count_passes(*rank, *ticket, bound) >= bound)
    });
    heads.map(move |(rank, ticket)| Candidate {
        line: key,
        rank,
        ticket,
        next_interleave_step: None,
    })
}

/// Ticket that a queue offers by its policy.
fn queue_candidate<K>(
    key: K,
    queue_rules: &QueueRules,
    line: &impl CallableLine,
) -> Option<Candidate<K>> {
    match queue_rules.policy {
        CallPolicy::Strict => {
            let (rank, ticket) = line.lane_heads().next()?;
            Some(Candidate { line: key, rank, ticket, next_interleave_step: None })
        }
        CallPolicy::Interleave { first, second, missed_lane } => {
            let first_other = queue_rules.class + 1;
            let missed = if missed_lane { MISSED_LANE_CLASS } else { u8::MAX };
            let lanes = [0..first_other, first_other..missed, missed..u8::MAX];
            let more =
                line.len_of_classes(lanes[1].clone()) > line.len_of_classes(lanes[0].clone());
            let first = if more { second.min(first) } else { first };
            let cycle = [first, second, u32::from(missed_lane)];
            let length: u32 = cycle.iter().sum();
            let (rank, ticket, next_step) = (0..length.max(1)).find_map(|step| {
                let step_in_cycle = (line.interleave_step() + step) % length.max(1);
                let lane = if step_in_cycle < cycle[0] {
                    0
                } else if step_in_cycle < cycle[0] + cycle[1] {
                    1
                } else {
                    2
                };
                let (rank, ticket) =
                    line.lane_heads().find(|(rank, _)| lanes[lane].contains(&rank.class))?;
                Some((rank, ticket, (step_in_cycle + 1) % length.max(1)))
            })?;
            Some(Candidate { line: key, rank, ticket, next_interleave_step: Some(next_step) })
        }
    }
}
