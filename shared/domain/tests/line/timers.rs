//! Tests of due commands against a full scan of the site, over random histories.
//!
//! The commands due are found without examining every ticket, and a replica that sleeps until the
//! next check misses nothing.

use crate::fixture::{SiteFixture, call, close, finish, given_with_rules, open, rules, take};
use paihao_domain::{
    Act, Actor, BusinessDay, CallPolicy, Command, CommandId, CounterId, Day, DecisionInput,
    DecisionResult, Event, ForecastMethod, ForecastModel, Interval, MAX_PROGRESS_TEMPLATES,
    Observation, ObservationEnd, QueueId, Rules, Site, Ticket, TicketId, Timestamp, decide,
    due_commands, is_slipped, next_due_at,
};
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::sync::Arc;

const MINUTE_MS: i64 = 60_000;

/// Rules with slow counters, so that waits grow long.
fn slow_rules() -> Rules {
    let mut rules = rules();
    for queue in rules.queues.values_mut() {
        (queue.minutes, queue.auto_miss, queue.auto_recall) = (12, true, true);
    }
    rules.queues.get_mut(&QueueId::new("b")).unwrap().policy =
        CallPolicy::Interleave { first: 2, second: 1, missed_lane: true };
    rules.counters.get_mut(&CounterId::new("3")).unwrap().auto_next = true;
    rules
}

/// Random act, and the milliseconds before it.
fn step() -> impl Strategy<Value = (Act, i64)> {
    let counter = || prop::sample::select(vec!["1", "2", "3"]);
    let queue = || prop::sample::select(vec!["a", "a", "a", "b"]);
    let ticket = || (1..90u32).prop_map(TicketId);
    let act = prop_oneof![
        12 => (0..80u8, queue()).prop_map(|(n, queue)| take(&format!("p{n}"), queue)),
        3 => queue().prop_map(|queue| Act::Take {
            queue: QueueId::new(queue), person: None, scan_session: None, class: Some(2), key: None,
        }),
        3 => counter().prop_map(open),
        2 => counter().prop_map(close),
        3 => counter().prop_map(call),
        3 => counter().prop_map(finish),
        1 => (ticket(), 0..9u8).prop_map(|(ticket, class)| Act::Prioritise {
            ticket, class, reason: "军人".into(),
        }),
        1 => ticket().prop_map(|ticket| Act::Leave { ticket, reason: Some("走了".into()) }),
        1 => ticket().prop_map(Act::Return),
        1 => ticket().prop_map(|ticket| Act::Hold { ticket, reason: "证件".into(), minutes: Some(9) }),
    ];
    let later = prop_oneof![6 => 0..MINUTE_MS, 2 => MINUTE_MS..9 * MINUTE_MS, 1 => 9 * MINUTE_MS..50 * MINUTE_MS];
    (act, later)
}

/// Model learned from earlier visits: bands with forecast outcomes of their own.
fn trained_model(outcomes: &[(u32, u32, u32)]) -> ForecastModel {
    let mut model = ForecastModel::default();
    for (ahead, ratio, slot_s) in outcomes {
        let end =
            ObservationEnd::Called { waited_s: ratio * 10, slot_s: *slot_s, implausible: false };
        let visit =
            Observation { ahead: *ahead, predicted: Some((ForecastMethod::Formula, 1_000)), end };
        model.learn(&QueueId::new("a"), &visit);
    }
    model
}

fn system_command(act: Act) -> Command {
    let id = CommandId::derived("asked once more");
    Command { id, fingerprint: 0, actor: Actor::System, act, day: Some(Day(20_000)) }
}

fn decide_command(
    site: &Site,
    rules: &Rules,
    command: &Command,
    now: &DecisionInput,
) -> Option<(Site, Vec<Event>)> {
    match decide(site, rules, command, now) {
        Ok(DecisionResult::Decided(decision, after)) => Some((*after, decision.events)),
        _ => None,
    }
}

/// Input of the last check for longer waits.
fn last_slip_check(now: &DecisionInput) -> DecisionInput {
    DecisionInput { at: Timestamp(now.at.0 / (5 * MINUTE_MS) * 5 * MINUTE_MS), ..now.clone() }
}

/// Returns `true` if a wait has become much longer than quoted.
fn has_slipped(site: &Site, rules: &Rules, ticket: &Ticket, at: &DecisionInput) -> bool {
    let room =
        ticket.person.is_some() && ticket.notifications.template_count < MAX_PROGRESS_TEMPLATES;
    let recently = ticket
        .notifications
        .last_template_at
        .is_some_and(|last| at.at.since_ms(last) < 30 * MINUTE_MS);
    let estimate = site.current_quote(rules, ticket, at).estimate;
    let (Some(expected), Some(estimate)) = (ticket.expected_turn_at(), estimate) else {
        return false;
    };
    let whole_s = |then: Timestamp| (then.since_ms(ticket.taken_at).max(0) / 1_000) as u32;
    room && !recently && is_slipped(whole_s(expected), whole_s(at.at.plus_minutes(estimate.low)))
}

/// Tickets of a queue with a slipped wait, by examining every ticket.
fn slipped_tickets(
    site: &Site,
    rules: &Rules,
    queue: &QueueId,
    now: &DecisionInput,
) -> Vec<TicketId> {
    let at = last_slip_check(now);
    let line = site.line(queue);
    let tickets = line.waiting().map(|id| site.ticket(id).unwrap());
    tickets.filter(|ticket| has_slipped(site, rules, ticket, &at)).map(|ticket| ticket.id).collect()
}

/// Checks the commands due and their notices against a full scan. Returns the number of slipped
/// waits.
fn assert_slips_found(site: &Site, rules: &Rules, now: &DecisionInput) -> usize {
    let due = due_commands(site, rules, now);
    let mut people = 0;
    for queue in rules.queues.keys() {
        let all = slipped_tickets(site, rules, queue, now);
        people += all.len();
        let command = due.iter().find(|command| command.act == Act::NotifySlipped(queue.clone()));
        assert!(command.is_none() || !all.is_empty(), "{queue:?}: no notice is due");
        let notify = system_command(Act::NotifySlipped(queue.clone()));
        let notified =
            decide_command(site, rules, &notify, now).map_or(Vec::new(), |(_, events)| {
                let notices =
                    events.iter().filter(|event| matches!(event, Event::NotificationTriggered(_)));
                notices.filter_map(Event::ticket).collect()
            });
        assert_eq!(notified, all[..all.len().min(200)], "{queue:?}");
    }
    people
}

/// Runs the commands that are due until none is left.
fn run_until_idle(site: &mut Site, rules: &Rules, now: &DecisionInput) {
    for _ in 0..20 {
        let due = due_commands(site, rules, now);
        let after = due.iter().find_map(|command| decide_command(site, rules, command, now));
        let Some((after, _)) = after else {
            assert!(due.is_empty(), "a command that is due is not refused: {due:?}");
            return;
        };
        *site = after;
    }
    panic!("commands keep falling due");
}

fn business_day() -> Arc<BusinessDay> {
    let interval = Interval { from: Timestamp(0), to: Timestamp(i64::MAX / 2) };
    let day = Day(20_000);
    Arc::new(BusinessDay { day, interval, hours: BTreeMap::new(), shifts: BTreeMap::new() })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 16, ..ProptestConfig::default() })]

    #[test]
    fn the_commands_due_are_those_that_a_full_scan_finds(
        outcomes in prop::collection::vec((0..30u32, 20..400u32, 60..2_000u32), 0..120),
        people in 0..70u32,
        steps in prop::collection::vec(step(), 1..80),
    ) {
        let rules = slow_rules();
        let mut site = given_with_rules(rules.clone(), [open("1"), open("2")]).site;
        let mut now = DecisionInput::new(Timestamp(1_000_000_000), business_day()).with_model(trained_model(&outcomes));
        let crowd = (0..people).map(|n| (take(&format!("early{n}"), "a"), 2_000));
        for (i, (act, later)) in crowd.chain(steps).enumerate() {
            now.at = now.at.plus_ms(later);
            assert_slips_found(&site, &rules, &now);
            run_until_idle(&mut site, &rules, &now);
            let mut command = system_command(act.clone());
            command.id = CommandId::derived(&format!("step {i}"));
            command.actor = match act {
                Act::Take { person: Some(person), .. } => Actor::Customer(person),
                _ => Actor::Manager("boss".into()),
            };
            if let Some((after, _)) = decide_command(&site, &rules, &command, &now) {
                site = after;
            }
            assert_slips_found(&site, &rules, &now);
            run_until_idle(&mut site, &rules, &now);
            // Nothing falls due before the next check.
            let next = next_due_at(&site, &rules, &now).unwrap();
            prop_assert!(next > now.at);
            let gap = next.since_ms(now.at).min(3 * 60 * MINUTE_MS);
            for part in [1, gap / 3, gap / 2, gap - 1] {
                let then = DecisionInput { at: now.at.plus_ms(part.clamp(0, gap - 1)), ..now.clone() };
                let early = due_commands(&site, &rules, &then);
                prop_assert!(early.is_empty(), "{part} of {gap} ms: {early:?}");
            }
        }
    }
}

#[test]
fn histories_with_slow_counters_have_notices_of_longer_waits() {
    let rules = slow_rules();
    let mut fixture = given_with_rules(rules.clone(), [open("1"), open("2")]);
    (0..60).for_each(|n| drop(fixture.at_once(take(&format!("p{n}"), "a"))));
    fixture.when(close("2"));
    fixture.advance_ms(35 * MINUTE_MS);
    let people = assert_slips_found(&fixture.site, &rules, &fixture.now);
    assert!((20..60).contains(&people), "{people}");
}

#[test]
fn a_day_with_nothing_left_to_end_has_no_next_check_once_it_names_nobody() {
    let mut fixture = given_with_rules(rules(), [open("1"), take("ann", "a"), call("1")]);
    let due_at = |fixture: &SiteFixture| next_due_at(&fixture.site, &fixture.rules, &fixture.now);
    fixture.start_day(20_001);
    assert_eq!(due_at(&fixture), Some(fixture.now.at));
    fixture.start_day(20_000);
    fixture.when(finish("1")).then();
    fixture.when(close("1")).then();
    fixture.start_day(20_001);
    // Nobody is in line, but the ended ticket names its holder.
    assert_eq!(due_at(&fixture), Some(fixture.now.at));
    let due = due_commands(&fixture.site, &fixture.rules, &fixture.now);
    assert_eq!(due.iter().map(|command| &command.act).collect::<Vec<_>>(), [&Act::CloseDay]);
    fixture.when(Act::CloseDay).then();
    fixture.start_day(20_002);
    assert_eq!(due_at(&fixture), None);
    assert_eq!(due_commands(&fixture.site, &fixture.rules, &fixture.now), []);
}
