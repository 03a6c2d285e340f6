//! What time alone brings about: commands that any replica may propose, each with an identity made
//! of what it ends, so that however many propose it, one lands.

use crate::chooser::choose;
use crate::milestones;
use crate::model::ids::{CounterId, QueueId};
use crate::model::line::Line;
use crate::model::rules::Rules;
use crate::model::site::{Counter, Site};
use crate::model::ticket::{Stage, Ticket};
use crate::model::time::{Now, Timestamp};
use crate::pieces::{begun, first_of_all};
use crate::protocol::command::{Act, Command, Served};

/// What is due at a site now.
pub fn due(site: &Site, rules: &Rules, now: &Now) -> Vec<Command> {
    let Some(day) = site.day else { return Vec::new() };
    if let Some(command) = first_of_all(site, rules, now) {
        return vec![command];
    }
    if day < now.day() {
        return match goes_into_the_night(site) {
            true => vec![Command::by_system(&format!("closeday/{}", day.0), Act::CloseDay)],
            false => Vec::new(),
        };
    }
    let passed = site.deadlines.iter().take_while(|(deadline, _)| *deadline <= now.at);
    let over = passed.filter_map(|(deadline, id)| over(rules, site.ticket(*id)?, *deadline));
    let next = idle(site, rules).map(|(counter, calls)| {
        let text = format!("next/{}/{}/{calls}", day.0, counter.as_str());
        Command::by_system(&text, Act::CallNext(counter.clone()))
    });
    let slipped = rules.queues.keys().filter_map(|queue| slip(site, rules, queue, now));
    begun(site, rules).chain(over).chain(next).chain(slipped).collect()
}

/// When to look again, if nothing happens meanwhile: before that, nothing more is due than now.
/// `None` while nothing will come of itself.
pub fn next_due(site: &Site, rules: &Rules, now: &Now) -> Option<Timestamp> {
    let day = site.day?;
    if first_of_all(site, rules, now).is_some() || begun(site, rules).next().is_some() {
        return Some(now.at);
    }
    if day < now.day() {
        return goes_into_the_night(site).then_some(now.at);
    }
    let live = site.deadlines.iter().find(|(deadline, id)| {
        site.ticket(*id).is_some_and(|ticket| over(rules, ticket, *deadline).is_some())
    });
    let deadline = live.map(|(deadline, _)| *deadline);
    let next = idle(site, rules).next().map(|_| now.at);
    let slipped = rules.queues.keys().find_map(|queue| slip(site, rules, queue, now));
    let slipped = slipped.map(|_| now.at);
    let impatient = site.lines.values().any(Line::anybody_impatient);
    let look = impatient.then(|| milestones::next_look(now));
    let end = (now.today.lasts.to.0 < i64::MAX).then_some(now.today.lasts.to);
    [deadline, next, slipped, look, end].into_iter().flatten().min()
}

/// Whether there is anything that the end of its day ends.
fn goes_into_the_night(site: &Site) -> bool {
    let waits = |line: &Line| !line.is_empty() || line.held() > 0 || line.missed() > 0;
    let works = |counter: &Counter| {
        counter.login.is_some() || counter.is_open() || counter.serving.is_some()
    };
    site.lines.values().any(waits) || site.counters.values().any(works)
}

/// Telling those of a queue who wait much longer than they were told, once for each look.
fn slip(site: &Site, rules: &Rules, queue: &QueueId, now: &Now) -> Option<Command> {
    if !milestones::waits_long(site, rules, queue, now) {
        return None;
    }
    let look = milestones::last_look(now).at.0;
    let text = format!("slipped/{}/{look}", queue.as_str());
    let command = Command::by_system(&text, Act::TellSlipped(queue.clone()));
    let told = site.remembered(&command.id).is_some();
    (!told && !milestones::impatient(site, rules, now, queue).is_empty()).then_some(command)
}

/// What a ticket's deadline brings, if the rules let it bring anything. The deadline is part of what
/// it is called: an end that was taken back has another one, and comes about a second time.
fn over(rules: &Rules, ticket: &Ticket, deadline: Timestamp) -> Option<Command> {
    let (id, deadline) = (ticket.id.0, deadline.0);
    let of_queue = rules.queues.get(&ticket.queue)?;
    match &ticket.stage {
        Stage::Called { counter, call, round, .. } => {
            let number = Some(ticket.number.to_string());
            let served = Served { counter: counter.clone(), number };
            if of_queue.auto_recall && *round == 1 && of_queue.calls > 1 {
                return Some(Command::by_system(
                    &format!("recall/{id}/{call}/{deadline}"),
                    Act::Recall(served),
                ));
            }
            let miss =
                || Command::by_system(&format!("noshow/{id}/{call}/{deadline}"), Act::Miss(served));
            of_queue.auto_miss.then(miss)
        }
        Stage::Missed { .. } => {
            let misses = ticket.counts.misses;
            Some(Command::by_system(
                &format!("expire/{id}/{misses}/{deadline}"),
                Act::Expire(ticket.id),
            ))
        }
        Stage::Held { .. } => {
            let holds = ticket.counts.holds;
            Some(Command::by_system(
                &format!("resume/{id}/{holds}/{deadline}"),
                Act::Resume(ticket.id),
            ))
        }
        _ => None,
    }
}

/// Counters that call by themselves, have nobody, and could have somebody.
fn idle<'a>(site: &'a Site, rules: &'a Rules) -> impl Iterator<Item = (&'a CounterId, u32)> {
    rules.counters.iter().filter_map(|(id, of_counter)| {
        let is = site.counters.get(id)?;
        let idle = of_counter.auto_next && is.is_open() && is.serving.is_none();
        (idle && choose(site, rules, of_counter).is_some()).then_some((id, is.calls))
    })
}
