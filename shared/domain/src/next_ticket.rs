//! Choice of the next ticket for a counter: a pure function of its lines and the owner's policy.

use crate::model::ids::{QueueId, TicketId};
use crate::model::line::Line;
use crate::model::rank::Rank;
use crate::model::rules::{CallPolicy, CounterRules, MISSED_LANE_CLASS, QueueRules, Rules};
use crate::model::site::Site;

/// Next ticket for a counter, and the effects of the choice on others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct NextTicket {
    pub(crate) ticket: TicketId,
    /// Queues in which an earlier ticket of a lower class is passed over.
    pub(crate) passed_over: Vec<QueueId>,
    /// Step of the queue's interleaving after this call.
    pub(crate) next_interleave_step: Option<u32>,
}

/// Ticket that could be next.
struct Candidate {
    rank: Rank,
    ticket: TicketId,
    next_interleave_step: Option<u32>,
}

/// Next ticket for a counter; `None` if no ticket waits that it may call.
pub(crate) fn next_ticket(
    site: &Site,
    rules: &Rules,
    counter: &CounterRules,
) -> Option<NextTicket> {
    let lines = || callable_lines(site, rules, counter);
    // Tickets that were passed over as often as allowed go first; among them, the earliest arrival.
    let starving = lines().flat_map(|(_, queue_rules, line)| starved_candidates(queue_rules, line));
    let first = starving.min_by_key(|candidate| (ignoring_class(candidate.rank), candidate.ticket));
    let candidates =
        || lines().filter_map(|(_, queue_rules, line)| queue_candidate(queue_rules, line));
    let chosen = match first {
        Some(starving) => starving,
        None => candidates().min_by_key(|candidate| (candidate.rank, candidate.ticket))?,
    };
    let passed_lines = lines().filter(|(_, _, line)| {
        line.lane_heads().any(|(head, ticket)| {
            let earlier =
                (ignoring_class(head), ticket) < (ignoring_class(chosen.rank), chosen.ticket);
            head.class > chosen.rank.class && earlier
        })
    });
    Some(NextTicket {
        ticket: chosen.ticket,
        passed_over: passed_lines.map(|(id, _, _)| id.clone()).collect(),
        next_interleave_step: chosen.next_interleave_step,
    })
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
        (site.is_calling(rules, queue) && !line.is_empty()).then_some((queue, queue_rules, line))
    })
}

/// First tickets of lanes that were passed over as often as allowed.
fn starved_candidates(queue_rules: &QueueRules, line: &Line) -> impl Iterator<Item = Candidate> {
    let bound = queue_rules.max_passes;
    let strict = queue_rules.policy == CallPolicy::Strict;
    let heads = line.lane_heads().filter(move |(rank, ticket)| {
        strict && (bound == 0 || line.count_passes(*rank, *ticket, bound) >= bound)
    });
    heads.map(|(rank, ticket)| Candidate { rank, ticket, next_interleave_step: None })
}

/// Ticket that a queue offers by its policy.
fn queue_candidate(queue_rules: &QueueRules, line: &Line) -> Option<Candidate> {
    match queue_rules.policy {
        CallPolicy::Strict => {
            let (rank, ticket) = line.lane_heads().next()?;
            Some(Candidate { rank, ticket, next_interleave_step: None })
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
            (0..length.max(1)).find_map(|step| {
                let step_in_cycle = (line.interleave_step + step) % length.max(1);
                let lane = if step_in_cycle < cycle[0] {
                    0
                } else if step_in_cycle < cycle[0] + cycle[1] {
                    1
                } else {
                    2
                };
                let (rank, ticket) =
                    line.lane_heads().find(|(rank, _)| lanes[lane].contains(&rank.class))?;
                Some(Candidate {
                    rank,
                    ticket,
                    next_interleave_step: Some((step_in_cycle + 1) % length.max(1)),
                })
            })
        }
    }
}
