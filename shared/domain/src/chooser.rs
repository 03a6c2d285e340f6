//! Who is next at a counter: a pure function of the lines it serves and the owner's policy.

use crate::model::ids::{QueueId, TicketId};
use crate::model::line::Line;
use crate::model::rules::{CounterRules, MISSED_LANE, Policy, QueueRules, Rules};
use crate::model::site::Site;
use crate::model::ticket::Rank;

/// Who is next, and what that means for the others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Choice {
    pub(crate) ticket: TicketId,
    /// The queues in which somebody of a lower class, who had come before, is passed.
    pub(crate) over: Vec<QueueId>,
    /// Where the queue's interleaving stands after this.
    pub(crate) turn: Option<u32>,
}

/// Somebody who could be next.
struct Nominee {
    rank: Rank,
    ticket: TicketId,
    turn: Option<u32>,
}

/// Who is next; `None` if nobody waits whom the counter may call.
pub(crate) fn choose(site: &Site, rules: &Rules, counter: &CounterRules) -> Option<Choice> {
    let lines = || callable(site, rules, counter);
    // Whoever was passed as often as may be goes first, and of those, who came first.
    let starving = lines().flat_map(|(_, of_queue, line)| starving(of_queue, line));
    let first = starving.min_by_key(|nominee| (by_arrival(nominee.rank), nominee.ticket));
    let nominees = || lines().filter_map(|(_, of_queue, line)| nominee(of_queue, line));
    let chosen = match first {
        Some(starving) => starving,
        None => nominees().min_by_key(|nominee| (nominee.rank, nominee.ticket))?,
    };
    let over = lines().filter(|(_, _, line)| {
        line.heads().any(|(head, ticket)| {
            let earlier = (by_arrival(head), ticket) < (by_arrival(chosen.rank), chosen.ticket);
            head.class > chosen.rank.class && earlier
        })
    });
    let over = over.map(|(id, _, _)| id.clone()).collect();
    Some(Choice { ticket: chosen.ticket, over, turn: chosen.turn })
}

fn by_arrival(rank: Rank) -> Rank {
    Rank { class: 0, ..rank }
}

/// The lines from which the counter may call now.
fn callable<'a>(
    site: &'a Site,
    rules: &'a Rules,
    counter: &'a CounterRules,
) -> impl Iterator<Item = (&'a QueueId, &'a QueueRules, &'a Line)> {
    counter.queues.iter().filter_map(|queue| {
        let (of_queue, line) = (rules.queues.get(queue)?, site.lines.get(queue)?);
        (site.calls(rules, queue) && !line.is_empty()).then_some((queue, of_queue, line))
    })
}

/// Those heads of lanes that were passed as often as may be.
fn starving(of_queue: &QueueRules, line: &Line) -> impl Iterator<Item = Nominee> {
    let bound = of_queue.bound;
    let strict = of_queue.policy == Policy::Strict;
    let heads = line.heads().filter(move |(rank, ticket)| {
        strict && (bound == 0 || line.passed(*rank, *ticket, bound) >= bound)
    });
    heads.map(|(rank, ticket)| Nominee { rank, ticket, turn: None })
}

/// Whom a queue would send.
fn nominee(of_queue: &QueueRules, line: &Line) -> Option<Nominee> {
    match of_queue.policy {
        Policy::Strict => {
            let (rank, ticket) = line.heads().next()?;
            Some(Nominee { rank, ticket, turn: None })
        }
        Policy::Interleave { first, second, missed_lane } => {
            let own = of_queue.class + 1;
            let aside = if missed_lane { MISSED_LANE } else { u8::MAX };
            let lanes = [0..own, own..aside, aside..u8::MAX];
            let more = line.len_of(lanes[1].clone()) > line.len_of(lanes[0].clone());
            let first = if more { second.min(first) } else { first };
            let cycle = [first, second, u32::from(missed_lane)];
            let length: u32 = cycle.iter().sum();
            (0..length.max(1)).find_map(|step| {
                let place = (line.turn + step) % length.max(1);
                let lane = match place {
                    place if place < cycle[0] => 0,
                    place if place < cycle[0] + cycle[1] => 1,
                    _ => 2,
                };
                let (rank, ticket) =
                    line.heads().find(|(rank, _)| lanes[lane].contains(&rank.class))?;
                Some(Nominee { rank, ticket, turn: Some((place + 1) % length.max(1)) })
            })
        }
    }
}
