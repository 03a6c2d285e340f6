//! Tests of the delivery status from plans and outcomes.

use super::*;
use paihao_contracts::notice::NoticeOutcome;
use paihao_contracts::outcome::NoticeReceipt;
use paihao_contracts::receipt::ReceiptStatus;
use paihao_domain::{Day, Number, Person, QuotedWait, Timestamp};

fn trigger(ticket: u32, day: i32, order: u32, kind: NotificationKind) -> NotificationTrigger {
    NotificationTrigger {
        ticket: TicketId(ticket),
        day: Day(day),
        person: Person::new("openid"),
        key: None,
        number: Number { prefix: "A".into(), serial: ticket },
        queue_name: "综合".into(),
        kind,
        occurrence: 1,
        order,
        at: Timestamp(1000 + i64::from(order)),
        valid_until: Timestamp(9000),
    }
}

fn called(call: u32) -> NotificationKind {
    NotificationKind::Called { counter_name: "1号".into(), call }
}

fn ended(key: &str, outcome: DeliveryOutcome) -> OutcomeRecord {
    let key = key.to_owned();
    let via = matches!(outcome, DeliveryOutcome::Sent { .. }).then_some(Channel::Template);
    OutcomeRecord::Ended(NoticeOutcome {
        v: 1,
        key,
        outcome,
        at: 2000,
        attempts: 1,
        channel: via,
        earlier_attempts: vec![],
    })
}

fn receipt(key: &str, receipt: ReceiptStatus) -> OutcomeRecord {
    OutcomeRecord::Receipt(NoticeReceipt {
        v: 1,
        key: key.to_owned(),
        receipt,
        status_text: "said".to_owned(),
        at: 3000,
    })
}

fn stages(
    statuses: &DeliveryStatusProjection,
    day: i32,
    ticket: u32,
) -> Vec<(String, &'static str)> {
    let notices = statuses.for_ticket("hall", day, TicketId(ticket)).into_iter();
    notices.map(|status| (status.notice, status.stage.name())).collect()
}

#[test]
fn a_message_goes_from_its_plan_to_its_receipt() {
    let statuses = DeliveryStatusProjection::default();
    let quoted = QuotedWait { ahead: 2, estimate: None, cold: false };
    statuses.apply_plan("hall", &trigger(7, 20_000, 1, NotificationKind::Joined(quoted)));
    statuses.apply_plan("hall", &trigger(7, 20_000, 2, called(1)));
    let joined = ("joined".to_owned(), "delivered");
    let called_name = "called".to_owned();
    assert_eq!(stages(&statuses, 20_000, 7), [joined.clone(), (called_name.clone(), "waiting")]);

    let mut changes = statuses.watch("hall");
    let key = "hall/20000/7/called#1";
    statuses.apply_outcome(ended(key, DeliveryOutcome::Sent { message_id: 5 }));
    assert!(changes.has_changed().unwrap());
    changes.mark_unchanged();
    assert_eq!(stages(&statuses, 20_000, 7)[1], (called_name.clone(), "sent"));
    statuses.apply_outcome(receipt(key, ReceiptStatus::Refused));
    let status = &statuses.for_ticket("hall", 20_000, TicketId(7))[1];
    assert_eq!(status.stage, DeliveryStage::NotDelivered);
    assert_eq!(status.reason.as_deref(), Some("refused"));
    assert_eq!(
        (status.at, status.since, status.channel),
        (Some(1002), Some(3000), Some(Channel::Template))
    );
    statuses.apply_outcome(receipt(key, ReceiptStatus::Delivered));
    assert_eq!(stages(&statuses, 20_000, 7)[1], (called_name, "delivered"));
    assert_eq!(stages(&statuses, 20_000, 8), []);
}

#[test]
fn an_outcome_may_come_before_its_plan_and_each_ticket_has_its_own() {
    let statuses = DeliveryStatusProjection::default();
    let name = "not_following".to_owned();
    statuses.apply_outcome(ended(
        "hall/20000/7/called#2",
        DeliveryOutcome::Refused { code: 43004, name },
    ));
    statuses.apply_outcome(ended("hall/20000/70/called#1", DeliveryOutcome::Superseded));
    statuses.apply_outcome(ended("other/20000/7/called#1", DeliveryOutcome::Stale));
    statuses.apply_outcome(ended("no key of ours", DeliveryOutcome::Stale));
    let status = &statuses.for_ticket("hall", 20_000, TicketId(7))[0];
    assert_eq!((status.occurrence, status.at, status.stage), (2, None, DeliveryStage::Failed));
    assert_eq!(status.reason.as_deref(), Some("not_following"));
    assert_eq!(stages(&statuses, 20_000, 70), [("called".to_owned(), "superseded")]);
}

#[test]
fn what_was_tried_again_stands_after_what_it_was_and_before_what_came_later() {
    let statuses = DeliveryStatusProjection::default();
    statuses.apply_plan("hall", &trigger(7, 20_000, 1, called(1)));
    statuses.apply_plan("hall", &trigger(7, 20_000, 2, called(2)));
    let name = "template_unknown".to_owned();
    statuses.apply_outcome(ended(
        "hall/20000/7/called#1",
        DeliveryOutcome::Refused { code: 40037, name },
    ));
    statuses.apply_outcome(ended("hall/20000/7/called#1~1", DeliveryOutcome::Superseded));
    let notices = statuses.for_ticket("hall", 20_000, TicketId(7));
    let stages: Vec<_> = notices.iter().map(|n| (n.occurrence, n.stage, n.at)).collect();
    let first = Some(1001);
    let second = Some(1002);
    assert_eq!(
        stages,
        [
            (1, DeliveryStage::Failed, first),
            (1, DeliveryStage::Superseded, first),
            (2, DeliveryStage::Waiting, second)
        ]
    );
    let counts = statuses.count_by_stage("hall", 20_000, 20_000);
    let counted: Vec<_> = counts.into_iter().map(|((_, _, stage), n)| (stage, n)).collect();
    assert_eq!(counted, [("superseded", 1), ("waiting", 1)]);
    assert_eq!(statuses.latest_order("hall", 20_000, TicketId(7)), 2);
    assert_eq!(statuses.attempts("hall/20000/7/called#1~1"), Some(1));
}

#[test]
fn days_that_are_over_leave() {
    let statuses = DeliveryStatusProjection::default();
    for day in 20_000..20_005 {
        statuses.apply_plan("hall", &trigger(1, day, 1, called(1)));
    }
    statuses.apply_outcome(ended("hall/20000/1/called#1", DeliveryOutcome::Stale));
    assert_eq!(retained_days(&statuses, "hall"), [20_001, 20_002, 20_003, 20_004]);
}

fn retained_days(statuses: &DeliveryStatusProjection, site: &str) -> Vec<i32> {
    statuses.site(site).unwrap().lock().retained_days()
}

#[test]
fn a_day_in_the_future_hides_no_other() {
    for days_ahead in [1, 2, 4, 400] {
        let statuses = DeliveryStatusProjection::default();
        let plan = |site: &str, day: i32| {
            statuses.apply_plan(site, &trigger(1, day, 1, called(1)));
        };
        for day in 20_000..20_003 {
            plan("hall", day);
            plan("other", day);
        }
        plan("hall", 20_002 + days_ahead);
        let days = [20_000, 20_001, 20_002, 20_002 + days_ahead];
        assert_eq!(retained_days(&statuses, "hall"), days);
        assert_eq!(retained_days(&statuses, "other"), [20_000, 20_001, 20_002]);
        for (day, stage) in [(20_002, "stale"), (20_001, "stale")] {
            let key = format!("hall/{day}/1/called#1");
            statuses.apply_outcome(ended(&key, DeliveryOutcome::Stale));
            assert_eq!(stages(&statuses, day, 1), [("called".to_owned(), stage)]);
        }
        // The true days go on, and it leaves before them.
        for day in 20_003..20_006 {
            plan("hall", day);
            assert_eq!(stages(&statuses, day, 1), [("called".to_owned(), "waiting")]);
            assert_eq!(stages(&statuses, day - 1, 1).len(), 1, "{days_ahead}");
        }
    }
}

#[test]
fn a_log_made_anew_leaves_the_plans() {
    let statuses = DeliveryStatusProjection::default();
    statuses.apply_plan("hall", &trigger(1, 20_000, 1, called(1)));
    statuses.apply_outcome(ended("hall/20000/1/called#1", DeliveryOutcome::Stale));
    statuses.clear_outcomes();
    assert_eq!(stages(&statuses, 20_000, 1), [("called".to_owned(), "waiting")]);
}

#[test]
fn while_an_outcome_of_a_newer_program_is_left_out_a_message_without_one_is_unknown() {
    let statuses = DeliveryStatusProjection::default();
    for ticket in [1, 2] {
        statuses.apply_plan("hall", &trigger(ticket, 20_000, 1, called(1)));
    }
    let mut projection = OutcomeProjection {
        statuses: statuses.clone(),
        clock: Arc::new(paihao_chassis::clock::ManualClock::at(1)),
    };
    let mut apply = |text: String| {
        projection.apply(StoredEntry {
            position: paihao_ledger::Position(1),
            subject: Subject::new(&["shop", "x"]).unwrap(),
            at_ms: 1,
            entry: paihao_ledger::Entry::new(text),
        })
    };
    let newer = apply(r#"{"v":2,"key":"hall/20000/1/called#1","fate":"gilded"}"#.to_owned());
    assert_eq!(statuses.newer().map(ReadError::from), newer.err());
    assert_eq!(stages(&statuses, 20_000, 1), [("called".to_owned(), "unknown")]);
    let known = ended("hall/20000/2/called#1", DeliveryOutcome::Stale);
    apply(serde_json::to_string(&known).unwrap()).unwrap();
    assert_eq!(stages(&statuses, 20_000, 2), [("called".to_owned(), "stale")]);
    projection.reset();
    assert_eq!(stages(&statuses, 20_000, 1), [("called".to_owned(), "waiting")]);
}

#[test]
fn the_records_of_a_ticket_tell_of_each_of_its_notices() {
    let records =
        include_str!("../../../../../shared/contracts/tests/fixtures/ticket-record-v1.jsonl");
    let statuses = DeliveryStatusProjection::default();
    let mut projection = OutcomeProjection {
        statuses: statuses.clone(),
        clock: Arc::new(paihao_chassis::clock::ManualClock::at(1)),
    };
    let (called, recalled) = ("called".to_owned(), "recalled".to_owned());
    let mut expected = vec![vec![(called.clone(), "sending")]; 3];
    expected.push(vec![(called.clone(), "sent")]);
    expected.push(vec![(called, "sent"), (recalled, "failed")]);
    for (record, expected) in records.lines().zip(expected) {
        let entry = paihao_ledger::Entry::new(record);
        let subject = Subject::new(&["shop", "ticket"]).unwrap();
        let position = paihao_ledger::Position(1);
        projection.apply(StoredEntry { position, subject, at_ms: 1, entry }).unwrap();
        assert_eq!(stages(&statuses, 20_780, 1), expected, "{record}");
    }
    let status = &statuses.for_ticket("hall", 20_780, TicketId(1))[0];
    assert_eq!((status.channel, status.attempted.len()), (Some(Channel::Template), 1));
}
