//! Check of the notices at the end of a run: each notification has one end, and WeChat has what the
//! log of outcomes says that it has, in order.

use super::findings::FindingKind;
use crate::process::Outside;
use crate::wechat::platform::{AcceptedContent, AcceptedMessage};
use crate::world::World;
use paihao_contracts::commit::Commit;
use paihao_contracts::notice::{Channel, DeliveryOutcome, Notice, NoticeOutcome};
use paihao_contracts::outcome::OutcomeRecord;
use paihao_contracts::streams::{DEAD_LETTERS, NOTICES, OUTCOMES};
use paihao_ledger::dead_letter::Cause;
use paihao_notice_text::AccountPolicies;
use paihao_notice_text::render;
use paihao_notifier::planning::plan::plan;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Reason of an attempt that needs no operator.
const GAVE_UP: &str = "gave_up";

/// Notice with its identities at WeChat and its outcomes.
pub struct ExpectedNotice {
    notice: Notice,
    /// `client_msg_id` of its template message.
    message_id: String,
    /// Customer-service text.
    text: String,
    outcomes: Vec<NoticeOutcome>,
}

/// Returns the notices of all notifications in the ledger, with their outcomes.
pub fn expected_notices(outside: &Outside, policies: &AccountPolicies) -> Vec<ExpectedNotice> {
    let mut outcomes: BTreeMap<String, Vec<NoticeOutcome>> = BTreeMap::new();
    for stored in outside.store.past(&OUTCOMES) {
        if let Ok(OutcomeRecord::Ended(ended)) = serde_json::from_slice(&stored.entry.payload) {
            outcomes.entry(ended.key.clone()).or_default().push(ended);
        }
    }
    let commits = outside.store.decisions().into_iter();
    let commits =
        commits.filter_map(|stored| serde_json::from_slice::<Commit>(&stored.entry.payload).ok());
    let mut notices = Vec::new();
    for notice in commits.flat_map(|commit| plan(&commit)) {
        let absolute = |path: &Arc<str>| format!("https://queue.example{path}").into();
        let linked = Notice { link: notice.link.as_ref().map(absolute), ..notice.clone() };
        let policy = policies.get(render::kind(&notice));
        let text = policy.and_then(|policy| render::text(&linked, policy).ok());
        notices.push(ExpectedNotice {
            message_id: render::client_msg_id(&notice),
            text: text.unwrap_or_default(),
            outcomes: outcomes.get(&notice.key).cloned().unwrap_or_default(),
            notice,
        });
    }
    notices
}

/// Returns true if every notification has an end.
pub fn all_have_ended(notices: &[ExpectedNotice]) -> bool {
    notices.iter().all(|notice| !notice.outcomes.is_empty())
}

/// Checks all notices once every fault is over and everything has come to rest.
pub fn check(outside: &Outside, notices: &[ExpectedNotice], deaths_ms: &[i64]) {
    let world = &*outside.world;
    let accepted = outside.platform.accepted();
    let letters = dead_letter_keys(outside);
    for expected in notices {
        let key = &expected.notice.key;
        match &*expected.outcomes {
            [] => world.report(FindingKind::NoEnd, format_args!("{key} has no outcome")),
            [ended] => {
                check_end(outside, expected, ended, &accepted, deaths_ms);
                if needs_operator(ended) && !letters.contains(key) {
                    let text = format!("{key} ended as {:?} without a dead letter", ended.outcome);
                    world.report(FindingKind::DeadLetterLost, format_args!("{text}"));
                }
            }
            [_, _, ..] => {
                let outcomes: Vec<_> = expected.outcomes.iter().map(|end| &end.outcome).collect();
                let text = format!("{key} has the outcomes {outcomes:?}");
                world.report(FindingKind::TwoOutcomes, format_args!("{text}"));
            }
        }
    }
    check_texts(world, notices, &accepted);
    let overtaken = if outside.cache.was_lost() {
        FindingKind::OvertakenWithoutCache
    } else {
        FindingKind::Overtaken
    };
    check_order(world, overtaken, notices, &accepted);
}

fn check_end(
    outside: &Outside,
    expected: &ExpectedNotice,
    ended: &NoticeOutcome,
    accepted: &[AcceptedMessage],
    deaths_ms: &[i64],
) {
    let world = &*outside.world;
    let ExpectedNotice { notice, message_id, text, .. } = expected;
    let key = &notice.key;
    let content = AcceptedContent::Template(message_id.clone());
    let messages = accepted.iter().filter(|message| message.content == content).count();
    if messages > 1 {
        let text = format_args!("WeChat has {messages} template messages of {key}");
        world.report(FindingKind::AcceptedTwice, text);
    }
    match &ended.outcome {
        DeliveryOutcome::Sent { .. } => {
            if ended.channel == Some(Channel::Template) && messages == 0 {
                let text = format_args!("{key} was recorded as sent");
                world.report(FindingKind::SentNotAccepted, text);
            }
        }
        DeliveryOutcome::Unknown { last_error } => {
            let died = deaths_ms.iter().any(|at_ms| (notice.at..=ended.at).contains(at_ms));
            let sent = outside.platform.was_sent(message_id) || outside.platform.was_sent(text);
            if !sent && !died {
                let text = format_args!("{key} is unknown ({last_error}), and nothing was sent");
                world.report(FindingKind::UnknownUnsent, text);
            }
        }
        outcome => {
            if messages > 0 {
                let text = format_args!("WeChat has {key}, which ended as {outcome:?}");
                world.report(FindingKind::EndedThoughAccepted, text);
            }
            if matches!(outcome, DeliveryOutcome::Unrenderable { .. }) {
                let text = format_args!("{key} ended as {outcome:?}");
                world.report(FindingKind::NoticeBuried, text);
            }
        }
    }
}

/// Compares the customer-service texts with the outcomes of the notices that have each text.
fn check_texts(world: &World, notices: &[ExpectedNotice], accepted: &[AcceptedMessage]) {
    let mut by_text: BTreeMap<&str, Vec<&ExpectedNotice>> = BTreeMap::new();
    for expected in notices {
        by_text.entry(&expected.text).or_default().push(expected);
    }
    for (text, notices) in by_text {
        let content = AcceptedContent::Text(text.to_owned());
        let messages = accepted.iter().filter(|message| message.content == content).count();
        let ended = notices.iter().filter_map(|expected| expected.outcomes.first());
        let via_text: Vec<_> =
            ended.filter(|end| end.channel == Some(Channel::CustomerService)).collect();
        let is_sent = |end: &&&NoticeOutcome| matches!(end.outcome, DeliveryOutcome::Sent { .. });
        let sent = via_text.iter().filter(is_sent).count();
        let maybe = via_text.len();
        let keys: Vec<_> = notices.iter().map(|expected| &expected.notice.key).collect();
        if messages > notices.len() {
            let text = format!("WeChat has {messages} texts of {keys:?}");
            world.report(FindingKind::AcceptedTwice, format_args!("{text}"));
        } else if messages < sent {
            let text = format!("WeChat has {messages} texts of {keys:?}, of which {sent} are sent");
            world.report(FindingKind::SentNotAccepted, format_args!("{text}"));
        } else if messages > maybe {
            let text =
                format!("WeChat has {messages} texts of {keys:?}, of which {maybe} may be sent");
            world.report(FindingKind::EndedThoughAccepted, format_args!("{text}"));
        }
    }
}

/// Checks that the messages of each ticket were accepted in the order of its notices.
fn check_order(
    world: &World,
    overtaken: FindingKind,
    notices: &[ExpectedNotice],
    accepted: &[AcceptedMessage],
) {
    let mut same_text: BTreeMap<&str, usize> = BTreeMap::new();
    for expected in notices {
        *same_text.entry(&expected.text).or_default() += 1;
    }
    let mut by_ticket: BTreeMap<&str, Vec<(usize, u32, &str)>> = BTreeMap::new();
    for expected in notices {
        let is_its = |message: &AcceptedMessage| match &message.content {
            AcceptedContent::Template(id) => *id == expected.message_id,
            AcceptedContent::Text(text) => {
                *text == expected.text && same_text.get(&**text) == Some(&1)
            }
        };
        if let Some(index) = accepted.iter().position(is_its) {
            let Notice { order, key, .. } = &expected.notice;
            let ticket = expected.notice.ticket_prefix();
            by_ticket.entry(ticket).or_default().push((index, *order, key));
        }
    }
    for (_, mut accepted) in by_ticket {
        accepted.sort_unstable();
        for pair in accepted.windows(2) {
            let [(_, earlier, first), (_, later, second)] = pair else { continue };
            if earlier > later {
                let text = format_args!("{second} was accepted after {first}");
                world.report(overtaken, text);
            }
        }
    }
}

/// Returns true if an outcome is a mistake of ours that an operator has to correct.
fn needs_operator(ended: &NoticeOutcome) -> bool {
    let is_fault = |detail: bool, reason: &str| detail && reason != GAVE_UP;
    match ended.outcome {
        DeliveryOutcome::Unrenderable { .. } => true,
        DeliveryOutcome::Refused { .. } | DeliveryOutcome::GaveUp { .. } => ended
            .earlier_attempts
            .iter()
            .any(|attempt| is_fault(attempt.detail.is_some(), &attempt.reason)),
        _ => false,
    }
}

fn dead_letter_keys(outside: &Outside) -> BTreeSet<String> {
    let letters = outside.store.past(&DEAD_LETTERS).into_iter();
    let causes = letters.filter_map(|stored| Cause::from_dead_letter(&stored.entry));
    causes.filter(|cause| cause.origin == NOTICES.name).map(|cause| cause.key).collect()
}
