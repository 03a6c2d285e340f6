//! Commands that fall due with time alone.
//!
//! Any replica may propose them. The id of each is derived from what it ends, so that one of
//! several equal proposals takes effect.

use crate::batches::{continuation_commands, day_close_command};
use crate::day_rollover;
use crate::model::ids::{CounterId, QueueId};
use crate::model::line::Line;
use crate::model::rules::Rules;
use crate::model::site::{Counter, Site};
use crate::model::ticket::{Ticket, TicketState};
use crate::model::time::{DecisionInput, Timestamp};
use crate::notifications;
use crate::protocol::command::{Act, Command, CounterTicket};

/// Commands that are due at a site now.
pub fn due_commands(site: &Site, rules: &Rules, now: &DecisionInput) -> Vec<Command> {
    let Some(day) = site.day else { return Vec::new() };
    if day_rollover::is_unconfirmed(site, now) {
        return Vec::new();
    }
    if let Some(command) = day_close_command(site, rules, now) {
        return vec![command];
    }
    if day < now.day() {
        return if needs_day_close(site) {
            vec![Command::by_system(&format!("closeday/{}", day.0), Act::CloseDay)]
        } else {
            Vec::new()
        };
    }
    let passed = site.deadlines.iter().take_while(|(deadline, _)| *deadline <= now.at);
    let expired =
        passed.filter_map(|(deadline, id)| deadline_command(rules, site.ticket(*id)?, *deadline));
    let expired = expired.map(|command| command.on_day(site.day));
    let free = auto_call_counters(site, rules, now).filter(|(_, _, due)| *due <= now.at);
    let next = free.map(|(counter, calls, _)| {
        let text = format!("next/{}/{}/{calls}", day.0, counter.as_str());
        Command::by_system(&text, Act::CallNext(counter.clone()))
    });
    let slipped = rules.queues.keys().filter_map(|queue| slip_command(site, rules, queue, now));
    continuation_commands(site, rules).chain(expired).chain(next).chain(slipped).collect()
}

/// Time of the next check if nothing happens until then: no more is due before it than now. `None`
/// if nothing falls due with time.
pub fn next_due_at(site: &Site, rules: &Rules, now: &DecisionInput) -> Option<Timestamp> {
    let slipped =
        || rules.queues.keys().any(|queue| slip_command(site, rules, queue, now).is_some());
    next_due(site, rules, now, slipped)
}

/// As [`next_due_at`], where [`due_commands`] has found nothing: no holder has to be notified of a
/// longer wait, which is the costly part to find out.
pub fn next_due_after(site: &Site, rules: &Rules, now: &DecisionInput) -> Option<Timestamp> {
    next_due(site, rules, now, || false)
}

fn next_due(
    site: &Site,
    rules: &Rules,
    now: &DecisionInput,
    is_slipped: impl Fn() -> bool,
) -> Option<Timestamp> {
    let day = site.day?;
    if day_rollover::is_unconfirmed(site, now) {
        return None;
    }
    if day_close_command(site, rules, now).is_some()
        || continuation_commands(site, rules).next().is_some()
    {
        return Some(now.at);
    }
    if day < now.day() {
        return needs_day_close(site).then_some(now.at);
    }
    let live = site.deadlines.iter().find(|(deadline, id)| {
        site.ticket(*id).is_some_and(|ticket| deadline_command(rules, ticket, *deadline).is_some())
    });
    let deadline = live.map(|(deadline, _)| *deadline);
    let next = auto_call_counters(site, rules, now).map(|(_, _, due)| due).min();
    let slipped = is_slipped().then_some(now.at);
    let has_candidates = site.lines.values().any(|line| line.has_slip_candidates());
    let check = has_candidates.then(|| notifications::next_slip_check(now));
    let end = (now.today.interval.to.0 < i64::MAX).then_some(now.today.interval.to);
    [deadline, next, slipped, check, end].into_iter().flatten().min()
}

/// Returns `true` if the end of the day has anything to end, or if the state names anybody: it
/// names the holders of all tickets of the day, and a snapshot keeps it while the site is closed.
fn needs_day_close(site: &Site) -> bool {
    let waits = |line: &Line| !line.is_empty() || line.held() > 0 || line.missed() > 0;
    let works = |counter: &Counter| {
        counter.login.is_some() || counter.is_open() || counter.serving.is_some()
    };
    site.lines.values().any(|line| waits(line))
        || site.counters.values().any(works)
        || site.tickets().any(|ticket| ticket.person.is_some())
}

/// Command that notifies holders of a longer wait, at most once for each check.
fn slip_command(
    site: &Site,
    rules: &Rules,
    queue: &QueueId,
    now: &DecisionInput,
) -> Option<Command> {
    if !notifications::has_long_wait(site, rules, queue, now) {
        return None;
    }
    let check = notifications::last_slip_check(now).at.0;
    let text = format!("slipped/{}/{check}", queue.as_str());
    let command = Command::by_system(&text, Act::NotifySlipped(queue.clone()));
    let already_sent = site.has_decided(&command.id);
    (!already_sent && !notifications::slipped_tickets(site, rules, now, queue).is_empty())
        .then_some(command)
}

/// Command that a ticket's deadline brings, if the rules allow one. The deadline is part of the
/// command's id: an end that was taken back has another deadline, and falls due a second time.
fn deadline_command(rules: &Rules, ticket: &Ticket, deadline: Timestamp) -> Option<Command> {
    let id = ticket.id.0;
    let deadline = deadline.0;
    let queue_rules = rules.queues.get(&ticket.queue)?;
    match &*ticket.state {
        TicketState::Called { counter, call, round, .. } => {
            let number = Some(ticket.number.to_string());
            let served = CounterTicket { counter: counter.clone(), number };
            if queue_rules.auto_recall && *round == 1 && queue_rules.calls > 1 {
                return Some(Command::by_system(
                    &format!("recall/{id}/{call}/{deadline}"),
                    Act::Recall(served),
                ));
            }
            let miss =
                || Command::by_system(&format!("noshow/{id}/{call}/{deadline}"), Act::Miss(served));
            queue_rules.auto_miss.then(miss)
        }
        TicketState::Missed { .. } => {
            let misses = ticket.counts.misses;
            Some(Command::by_system(
                &format!("expire/{id}/{misses}/{deadline}"),
                Act::Expire(ticket.id),
            ))
        }
        TicketState::Held { .. } => {
            let holds = ticket.counts.holds;
            Some(Command::by_system(
                &format!("resume/{id}/{holds}/{deadline}"),
                Act::Resume(ticket.id),
            ))
        }
        _ => None,
    }
}

/// Counters at which the system calls, with their calls so far and the time of the next one.
fn auto_call_counters<'a>(
    site: &'a Site,
    rules: &'a Rules,
    now: &'a DecisionInput,
) -> impl Iterator<Item = (&'a CounterId, u32, Timestamp)> {
    rules.counters.keys().filter_map(|id| {
        let due = site.auto_call_due_at(rules, id, now)?;
        Some((id, site.counters.get(id)?.calls, due))
    })
}
