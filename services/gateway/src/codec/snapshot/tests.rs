//! Tests that a snapshot keeps the whole state of a site.

use super::*;
use paihao_domain::{
    Act, Actor, BusinessDay, Command, CommandId, CounterId, CounterRules, CounterTicket, Day,
    DecisionInput, DecisionResult, Interval, Mark, Person, QueueId, QueueRules, QueueState, Rules,
    Site, TicketId, TicketKey, Timestamp, decide,
};
use proptest::prelude::*;
use serde_json::Value;
use std::collections::BTreeMap;

const FIXTURES: &str =
    include_str!("../../../../../shared/contracts/tests/fixtures/snapshot-v1.jsonl");

const MIGRATED_FIXTURE: &str =
    include_str!("../../../../../shared/contracts/tests/fixtures/snapshot-v3.jsonl");

fn facts() -> SiteFacts {
    SiteFacts {
        account: "shop".into(),
        id: "hall".into(),
        name: "大厅".into(),
        zone: "Asia/Shanghai".into(),
    }
}

fn compress(text: &str) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(text.as_bytes()).unwrap();
    encoder.finish().unwrap()
}

fn text(entry: &Entry) -> String {
    String::from_utf8(decompress(&entry.payload).unwrap()).unwrap()
}

#[test]
fn what_is_stored_passes_through_the_domain_unchanged() {
    for line in FIXTURES.lines().chain(MIGRATED_FIXTURE.lines()) {
        let stored: Value = serde_json::from_str(line).unwrap();
        let parts = decode(&compress(line)).unwrap();
        assert_eq!(decode_position(&compress(line)).unwrap(), parts.position);
        let facts = decode_facts(&compress(line)).unwrap();
        let entry = encode(&facts, parts.position, &parts.site, parts.previous_day.as_ref());
        assert_eq!(serde_json::from_str::<Value>(&text(&entry)).unwrap(), stored);
    }
}

#[test]
fn what_cannot_be_decoded_says_why() {
    let line = FIXTURES.lines().next().unwrap();
    let newer = line.replacen("\"v\":1", "\"v\":99", 1);
    assert!(matches!(decode(&compress(&newer)), Err(DecodeError::Newer(_))));
    assert!(matches!(decode_position(&compress(&newer)), Err(DecodeError::Newer(_))));
    assert!(matches!(decode(line.as_bytes()), Err(DecodeError::Compression(_))));
    let mut cut = compress(line);
    cut.truncate(cut.len() / 2);
    assert!(matches!(decode(&cut), Err(DecodeError::Compression(_))));
    assert!(matches!(
        decode(&compress("{\"v\":1,\"position\":3}")),
        Err(DecodeError::Malformed(_))
    ));
    assert_eq!(decode_floor(&encode_floor(Position(7)).payload).unwrap(), Position(7));
}

fn rules() -> Rules {
    let a = QueueRules { carry_over: true, let_pass: 2, ..QueueRules::new("存取款", "A") };
    let b = QueueRules { class: 3, ..QueueRules::new("对公", "B") };
    let queues = || vec![QueueId::new("a"), QueueId::new("b")];
    let counter = |name: &str| CounterRules::new(name, queues());
    Rules {
        queues: [(QueueId::new("a"), a), (QueueId::new("b"), b)].into(),
        counters: [(CounterId::new("1"), counter("1号")), (CounterId::new("2"), counter("2号"))]
            .into(),
        several_counters: true,
    }
}

/// The input of the n-th step. A day has 80 steps.
fn input(n: usize) -> DecisionInput {
    const DAY_MS: i64 = 1_600_000;
    let since = n as i64 * 20_000;
    let day = since.div_euclid(DAY_MS);
    let at = |ms: i64| Timestamp(1_000_000_000 + ms);
    let interval = Interval { from: at(day * DAY_MS), to: at((day + 1) * DAY_MS) };
    let day = Day(20_000 + day as i32);
    DecisionInput::new(
        at(since),
        Arc::new(BusinessDay { day, interval, hours: BTreeMap::new(), shifts: BTreeMap::new() }),
    )
}

/// One of all kinds of acts that change what a snapshot holds.
fn act(kind: u8, n: u8) -> Act {
    let counter = CounterId::new(if n.is_multiple_of(2) { "1" } else { "2" });
    let queue = QueueId::new(if n.is_multiple_of(3) { "b" } else { "a" });
    let ticket = TicketId(u32::from(n % 30) + 1);
    let served = CounterTicket { counter: counter.clone(), number: None };
    match kind {
        0..=7 => Act::Take {
            queue,
            person: (!n.is_multiple_of(5)).then(|| Person::new(&format!("p{}", n % 14))),
            scan_session: None,
            class: n.is_multiple_of(7).then_some(1),
            key: Some(TicketKey([n; 16])),
        },
        8..=10 => Act::OpenCounter(counter),
        11..=15 => Act::CallNext(counter),
        16 => Act::CallTicket { counter, ticket, reason: Some("急".into()) },
        17 => Act::Start(served),
        18 => Act::PutBack(served),
        19..=21 => Act::Finish(served),
        22 | 23 => Act::Miss(served),
        24 => Act::Return(ticket),
        25 => Act::Hold { ticket, reason: "证件".into(), minutes: Some(3) },
        26 => Act::Resume(ticket),
        27 => Act::Suspend { served, reason: "补材料".into(), affinity: true },
        28 => Act::Transfer { ticket, queue },
        29 => Act::Undo(ticket),
        30 => Act::Prioritise { ticket, class: n % 9, reason: "军人".into() },
        31 if n.is_multiple_of(2) => Act::Mark { ticket, mark: Mark::LimitLifted },
        31 => Act::Mark { ticket, mark: Mark::Arrived },
        32 => Act::BreakCounter(counter),
        33 => Act::SetQueueState {
            queue,
            state: if n.is_multiple_of(4) { QueueState::Halted } else { QueueState::Open },
        },
        34 => Act::Leave { ticket, reason: Some("走了".into()) },
        35 => Act::Forget { person: Person::new(&format!("p{}", n % 14)) },
        _ => Act::MigrateHolder {
            from: Person::new(&format!("p{}", n % 14)),
            to: Person::new(&format!("p{}", n % 13 + 1)),
        },
    }
}

/// Runs the steps, and calls `see` with the site before and after each decision.
fn run(steps: &[(u8, u8)], mut see: impl FnMut(&Site, &Site)) {
    let rules = rules();
    let mut site = Site::default();
    for (n, (kind, choice)) in steps.iter().enumerate() {
        let mut id = [0; 16];
        id[8..].copy_from_slice(&(n as u64).to_be_bytes());
        let act = act(*kind, *choice);
        let actor = match &act {
            Act::Take { person: Some(person), .. } | Act::Forget { person } => {
                Actor::Customer(person.clone())
            }
            _ => Actor::Manager("boss".into()),
        };
        let (id, day) = (CommandId(id), site.day());
        let command = Command { id, fingerprint: n as u64, actor, act, day };
        if let Ok(DecisionResult::Decided(_, after)) = decide(&site, &rules, &command, &input(n)) {
            see(&site, &after);
            site = *after;
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn a_snapshot_holds_the_state_to_the_byte(
        steps in prop::collection::vec((0..38u8, any::<u8>()), 1..200),
    ) {
        let mut yesterday: Option<Site> = None;
        run(&steps, |before, after| {
            if before.day().is_some() && before.day() != after.day() {
                yesterday = Some(before.clone());
            }
            let entry = encode(&facts(), Position(9), after, yesterday.as_ref());
            let parts = decode(&entry.payload).unwrap();
            assert_eq!(format!("{:?}", parts.site), format!("{after:?}"));
            assert_eq!(&parts.site, after);
            assert_eq!(parts.previous_day.is_some(), yesterday.is_some());
            for ticket in yesterday.iter().flat_map(Site::tickets) {
                let stored = parts.previous_day.as_ref().unwrap().ticket(ticket.id).unwrap();
                let kept = |ticket: &d::Ticket| {
                    (ticket.key, ticket.number.clone(), ticket.state.clone(), ticket.taken_at)
                };
                assert_eq!(kept(stored), kept(ticket));
                assert_eq!((&stored.person, &stored.past.former_person), (&None, &None));
                assert_eq!(stored.past.undo_point, None);
            }
        });
    }
}
