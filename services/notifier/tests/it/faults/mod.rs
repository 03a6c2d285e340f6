//! Product of faults: a fault at every step between the plan of a notice and its acknowledgement,
//! for each channel, each answer of WeChat, and tickets with an earlier or a later notice.

mod script;
mod steps;

use crate::support::{TestEnv, notice_key_for_call, open_id, policy_for};
use futures::StreamExt;
use paihao_contracts::notice::{Channel, DeliveryOutcome};
use paihao_contracts::outcome::OutcomeRecord;
use paihao_contracts::streams::DEAD_LETTERS;
use paihao_ledger::dead_letter::Cause;
use paihao_ledger::{Ledger, LogItem, Position};
use script::{Answer, Case, Stage, Tickets};
use std::collections::BTreeMap;
use std::time::Duration;
use steps::Fault;
use wechat_sim::ChatContent;

/// Most cases at once.
const MAX_CASES_AT_ONCE: usize = 64;

/// Returns the calls that WeChat accepted for a person, in order.
fn accepted_calls(env: &TestEnv, ticket: u32) -> Vec<u32> {
    let call = |text: &str| {
        let before = text.split_once("号窗口")?.0;
        before.chars().last()?.to_digit(10)
    };
    let of_fields = |fields: &[(String, String)]| fields.iter().find_map(|(_, value)| call(value));
    let chat = env.wechat.chat(&open_id(ticket));
    chat.iter()
        .filter_map(|line| match &line.content {
            ChatContent::Service { text } => call(text),
            ChatContent::Notice { fields, .. } | ChatContent::Card { fields, .. } => {
                of_fields(fields)
            }
            _ => None,
        })
        .collect()
}

/// Counts the dead letters by key.
async fn dead_letters(env: &TestEnv) -> BTreeMap<String, usize> {
    let head = env.ledger.head(&DEAD_LETTERS).await.unwrap();
    let mut letters = BTreeMap::new();
    if head == Position::START {
        return letters;
    }
    let mut entries = env.ledger.follow(&DEAD_LETTERS, Position::START).await.unwrap();
    loop {
        let Some(LogItem::Entry(stored)) = entries.next().await else { panic!("cut off") };
        let cause = Cause::from_dead_letter(&stored.entry).unwrap();
        *letters.entry(cause.key).or_default() += 1;
        if stored.position == head {
            return letters;
        }
    }
}

/// Records of the log of outcomes by key, in order.
async fn records_by_key(env: &TestEnv) -> BTreeMap<String, Vec<OutcomeRecord>> {
    let mut records: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for record in env.outcome_records().await {
        records.entry(record.key().to_owned()).or_default().push(record);
    }
    records
}

/// Kind of a wrong end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Wrong {
    /// WeChat accepted a notice twice, or an earlier one after a later one.
    DoubledOrOvertaken,
    /// A key has no outcome, or two.
    NotOneOutcome,
    /// An outcome says otherwise than WeChat.
    Untrue,
    /// `unknown` although nothing was sent and the worker lived.
    NeedlesslyUnknown,
    /// A dead letter is lost, doubled or needless.
    DeadLetters,
}

/// Returns what is wrong with the end of a case.
fn wrongs_of(
    case: &Case,
    accepted: &[u32],
    records: &BTreeMap<String, Vec<OutcomeRecord>>,
    letters: &BTreeMap<String, usize>,
) -> Vec<(Wrong, String)> {
    let mut wrongs = Vec::new();
    if !accepted.is_sorted_by(|one, next| one < next) {
        wrongs.push((Wrong::DoubledOrOvertaken, format!("{accepted:?}")));
    }
    let calls = if case.tickets == Tickets::Alone { 1 } else { 2 };
    for call in 1..=calls {
        let key = notice_key_for_call(case.ticket, call);
        let records = records.get(&key).map_or(&[][..], Vec::as_slice);
        let ends: Vec<_> = records
            .iter()
            .filter_map(|record| match record {
                OutcomeRecord::Ended(ended) => Some(ended),
                _ => None,
            })
            .collect();
        let [ended] = ends[..] else {
            wrongs.push((Wrong::NotOneOutcome, format!("call {call}: {ends:?}")));
            continue;
        };
        let outcome = &ended.outcome;
        let is_accepted = accepted.contains(&call);
        // Nobody else can know what a worker did after it had announced its attempt.
        let is_in_doubt = case.fault.is_some_and(|(_, fault)| fault.ends_the_worker())
            && records.iter().any(|record| matches!(record, OutcomeRecord::Attempt(_)));
        let wrong = match outcome {
            DeliveryOutcome::Unknown { .. } if is_accepted || is_in_doubt => None,
            DeliveryOutcome::Unknown { .. } => Some(Wrong::NeedlesslyUnknown),
            DeliveryOutcome::Sent { .. } => (!is_accepted).then_some(Wrong::Untrue),
            _ => is_accepted.then_some(Wrong::Untrue),
        };
        wrongs.extend(wrong.map(|wrong| (wrong, format!("call {call}: {outcome:?}"))));
        let is_mistake = ended.earlier_attempts.iter().any(|attempt| attempt.code == Some(40037));
        let is_refused = matches!(outcome, DeliveryOutcome::Refused { .. });
        let expected = usize::from(is_mistake && is_refused);
        let found = letters.get(&key).copied().unwrap_or(0);
        if found != expected {
            let letters = format!("call {call}: {found} letters instead of {expected}");
            wrongs.push((Wrong::DeadLetters, letters));
        }
    }
    wrongs
}

/// Runs all cases of a policy with these channels.
async fn check_channels(channels: &'static [Channel], answers: &[Answer]) {
    let env = TestEnv::new().await;
    let handlers = env.handlers(policy_for(channels), MAX_CASES_AT_ONCE);
    let client = env.wechat_client();
    let token = env.access_token(&client).await;
    let stage = Stage { env: &env, handlers: &handlers, client, token };
    let mut tickets = 1..;
    let mut cases = Vec::new();
    for &answer in answers {
        for order in [Tickets::Alone, Tickets::LaterFirst, Tickets::LaterComes] {
            // Whatever the answer to the later notice, the earlier one is superseded and not sent.
            if order == Tickets::LaterFirst && [Answer::Silent, Answer::BusyOnce].contains(&answer)
            {
                continue;
            }
            let case = |fault, tickets: &mut std::ops::RangeFrom<u32>| {
                let ticket = tickets.next().unwrap();
                Case { ticket, channels, answer, tickets: order, fault }
            };
            let undisturbed = case(None, &mut tickets);
            let steps = stage.run(undisturbed).await;
            cases.push((undisturbed, steps.clone()));
            for (at, step) in steps.iter().enumerate() {
                for fault in Fault::ALL.into_iter().filter(|fault| fault.is_of_its_own_at(step)) {
                    cases.push((case(Some((at, fault)), &mut tickets), steps.clone()));
                }
            }
        }
    }
    let faulty = cases.iter().filter(|(case, _)| case.fault.is_some());
    let runs = futures::stream::iter(faulty).map(|(case, _)| stage.run(*case));
    let runs = runs.buffer_unordered(MAX_CASES_AT_ONCE).for_each(async |_| {});
    tokio::time::timeout(Duration::from_secs(300), runs).await.expect("every case ends");
    let records = records_by_key(&env).await;
    let letters = dead_letters(&env).await;
    let mut found: BTreeMap<_, (usize, String)> = BTreeMap::new();
    for (case, steps) in &cases {
        let accepted = accepted_calls(&env, case.ticket);
        for (wrong, what) in wrongs_of(case, &accepted, &records, &letters) {
            let fault = case.fault.map(|(at, fault)| format!("{fault:?} at {}", steps[at]));
            let example = format!("{what} of {case:?}");
            found.entry((wrong, fault)).or_insert((0, example)).0 += 1;
        }
    }
    let cases = cases.len();
    assert!(found.is_empty(), "of {cases} cases, with how many and one example: {found:#?}");
}

#[tokio::test]
async fn a_message_costs_two_appends() {
    let env = TestEnv::new().await;
    let handlers = env.handlers(policy_for(&[Channel::Template]), MAX_CASES_AT_ONCE);
    let client = env.wechat_client();
    let token = env.access_token(&client).await;
    let stage = Stage { env: &env, handlers: &handlers, client, token };
    let case = Case {
        ticket: 1,
        channels: &[Channel::Template],
        answer: Answer::Accepts,
        tickets: Tickets::Alone,
        fault: None,
    };
    let steps = stage.run(case).await;
    let count = |name| steps.iter().filter(|step| **step == name).count();
    let counts = ["append", "last", "get", "set", "call"].map(count);
    assert_eq!(counts, [2, 2, 1, 3, 1], "{steps:?}");
}

#[tokio::test]
async fn no_fault_doubles_loses_or_misreports_a_template_message() {
    check_channels(&[Channel::Template], &Answer::ALL).await;
}

#[tokio::test]
async fn no_fault_doubles_loses_or_misreports_a_subscription_notice() {
    check_channels(&[Channel::Subscription], &Answer::ALL).await;
}

#[tokio::test]
async fn no_fault_doubles_loses_or_misreports_a_text() {
    check_channels(&[Channel::CustomerService], &Answer::ALL).await;
}

#[tokio::test]
async fn no_fault_doubles_loses_or_misreports_what_a_second_channel_accepts() {
    let answers = [Answer::Accepts, Answer::Misconfigured];
    check_channels(&[Channel::Subscription, Channel::Template], &answers).await;
}
