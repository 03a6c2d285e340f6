//! Changes of the state of a ticket's notices. Pure.

use paihao_contracts::notice::{Channel, ChannelAttempt, Notice};
use paihao_contracts::outcome::AttemptAnnounced;
use paihao_contracts::ticket_record::{Claim, EndedNotice, OpenNotice, TicketNotices};
use std::time::Duration;

/// Longest duration of an attempt, including the second call after a refused token.
pub const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(15);

/// Duration of a claim. It is longer than an attempt, so its worker has finished or died by then,
/// and shorter than the queue's ack-wait, so a redelivery finds the claim expired.
pub const CLAIM_DURATION: Duration = Duration::from_secs(20);

/// Time for a worker that lives to withdraw an expired claim that it did not use.
pub const QUESTION_DURATION: Duration = Duration::from_secs(5);

/// Most ended notices in the state of a ticket. A ticket mostly has fewer than ten.
const MAX_ENDED: usize = 64;

/// Most characters of a text in the state of a ticket.
const MAX_TEXT_CHARS: usize = 500;

/// Attempt that a claim is for.
pub struct ClaimRequest<'a> {
    /// Notice to send.
    pub notice: &'a Notice,
    /// Channel to send it through.
    pub channel: Channel,
    /// Channels that did not accept the notice, or were left out.
    pub earlier_attempts: &'a [ChannelAttempt],
    /// Random id of the claim.
    pub id: &'a str,
    /// Start of the attempt in Unix milliseconds.
    pub at: i64,
}

/// Returns an open notice of a ticket.
pub fn open<'a>(ticket: &'a TicketNotices, name: &str) -> Option<&'a OpenNotice> {
    ticket.open.iter().find(|open| open.name == name)
}

/// Returns an ended notice of a ticket, if the state still lists it.
pub fn ended<'a>(ticket: &'a TicketNotices, name: &str) -> Option<&'a EndedNotice> {
    ticket.ended.iter().find(|ended| ended.name == name)
}

/// Returns the notice with a claim, of which a ticket has one at most.
pub fn claimed(ticket: &TicketNotices) -> Option<(&OpenNotice, &Claim)> {
    ticket.open.iter().find_map(|open| Some((open, open.claim.as_ref()?)))
}

/// Returns the id of the claim on a notice.
pub fn claim_id<'a>(ticket: &'a TicketNotices, name: &str) -> Option<&'a str> {
    Some(&*open(ticket, name)?.claim.as_ref()?.id)
}

/// Returns true if WeChat may have the message of a notice.
pub fn may_be_sent(open: &OpenNotice) -> bool {
    open.unsure || open.claim.is_some()
}

/// Returns the state of a notice during an attempt, after its state before.
pub fn with_claim(before: Option<&OpenNotice>, request: &ClaimRequest<'_>) -> OpenNotice {
    let ClaimRequest { notice, channel, earlier_attempts, id, at } = *request;
    let until = at + CLAIM_DURATION.as_millis() as i64;
    OpenNotice {
        name: notice.name().to_owned(),
        order: notice.order,
        at: notice.at,
        first_attempt_at: before.map_or(at, |open| open.first_attempt_at.min(at)),
        attempts: before.map_or(0, |open| open.attempts) + 1,
        unsure: before.is_some_and(may_be_sent),
        last_error: before.map_or_else(|| "no answer".to_owned(), |open| open.last_error.clone()),
        channel: Some(channel),
        earlier_attempts: earlier_attempts.to_vec(),
        claim: Some(Claim { id: id.to_owned(), until, questioned: false }),
    }
}

/// Returns the state of a notice after an attempt that WeChat deferred or that did not reach it.
pub fn deferred(open: &OpenNotice, unsure: bool, last_error: String) -> OpenNotice {
    OpenNotice { unsure, last_error, claim: None, ..open.clone() }
}

/// Returns the state of a notice that a channel certainly refused, so that the next one is tried.
pub fn refused(open: &OpenNotice, refused: ChannelAttempt) -> OpenNotice {
    let mut earlier_attempts = open.earlier_attempts.clone();
    earlier_attempts.push(refused);
    OpenNotice { unsure: false, channel: None, earlier_attempts, claim: None, ..open.clone() }
}

/// Returns the state of a notice whose expired claim is questioned: its worker, if it lives,
/// withdraws it in time.
pub fn questioned(open: &OpenNotice, now: i64) -> OpenNotice {
    let until = now + QUESTION_DURATION.as_millis() as i64;
    let claim = open.claim.clone().map(|claim| Claim { until, questioned: true, ..claim });
    OpenNotice { claim, ..open.clone() }
}

/// Replaces the state of a notice, or removes it.
pub fn replace_open(ticket: &TicketNotices, name: &str, open: Option<OpenNotice>) -> TicketNotices {
    let mut next = ticket.clone();
    next.open.retain(|open| open.name != name);
    if let Some(mut open) = open {
        next.newest = next.newest.max(open.order);
        open.last_error = shortened(open.last_error);
        for attempt in &mut open.earlier_attempts {
            attempt.detail = attempt.detail.take().map(shortened);
        }
        next.open.push(open);
    }
    next
}

/// Moves a notice to the ended ones.
pub fn with_end(
    ticket: &TicketNotices,
    (name, order): (&str, u32),
    dead_letter: Option<String>,
) -> TicketNotices {
    let mut next = replace_open(ticket, name, None);
    next.newest = next.newest.max(order);
    next.ended.push(EndedNotice { name: name.to_owned(), dead_letter: dead_letter.map(shortened) });
    let surplus = next.ended.len().saturating_sub(MAX_ENDED);
    next.shortened |= surplus > 0;
    next.ended.drain(..surplus);
    next
}

/// Builds the announcement of an attempt.
pub fn announcement(
    key: String,
    channel: Channel,
    at: i64,
    earlier_attempts: Vec<ChannelAttempt>,
) -> AttemptAnnounced {
    AttemptAnnounced { v: 1, key, channel, at, earlier_attempts }
}

fn shortened(text: String) -> String {
    match text.char_indices().nth(MAX_TEXT_CHARS) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use paihao_contracts::envelope;

    fn notice() -> Notice {
        let lines = include_str!("../../../../shared/contracts/tests/fixtures/notice-v1.jsonl");
        envelope::decode(lines.lines().next().unwrap().as_bytes()).unwrap()
    }

    fn claim(before: Option<&OpenNotice>, at: i64) -> OpenNotice {
        let notice = notice();
        let (channel, id) = (Channel::Template, "id");
        let request = ClaimRequest { notice: &notice, channel, earlier_attempts: &[], id, at };
        with_claim(before, &request)
    }

    fn attempt(detail: Option<String>) -> ChannelAttempt {
        let (channel, reason) = (Channel::Template, "not_following".to_owned());
        ChannelAttempt { channel, reason, code: Some(43004), detail }
    }

    #[test]
    fn an_attempt_is_in_doubt_until_its_result_and_after_the_death_of_its_worker() {
        let first = claim(None, 1_000);
        assert_eq!((first.first_attempt_at, first.attempts, first.unsure), (1_000, 1, false));
        assert!(may_be_sent(&first), "it is under way");
        let answered = deferred(&first, false, "busy".to_owned());
        assert!(!may_be_sent(&answered));
        let second = claim(Some(&answered), 5_000);
        assert_eq!((second.first_attempt_at, second.attempts, second.unsure), (1_000, 2, false));
        let after_death = claim(Some(&second), 30_000);
        assert_eq!((after_death.attempts, after_death.unsure), (3, true));
        assert_eq!(after_death.claim.unwrap().until, 50_000);
    }

    #[test]
    fn a_refusing_channel_is_left_and_the_next_one_is_free() {
        let open = refused(&claim(None, 0), attempt(None));
        assert_eq!((open.channel, open.unsure, &open.claim), (None, false, &None));
        assert_eq!(open.earlier_attempts, [attempt(None)]);
    }

    #[test]
    fn a_claim_is_questioned_once_and_stays_the_same_claim() {
        let open = questioned(&claim(None, 0), 20_000);
        let expected = Claim { id: "id".to_owned(), until: 25_000, questioned: true };
        assert_eq!(open.claim, Some(expected));
    }

    #[test]
    fn the_state_of_a_ticket_is_bounded() {
        let mut ticket = TicketNotices::default();
        let long = "长".repeat(5_000);
        for order in 1..=200 {
            let name = format!("recalled#{order}");
            let open = OpenNotice {
                name: name.clone(),
                order,
                last_error: long.clone(),
                earlier_attempts: vec![attempt(Some(long.clone())); 3],
                ..claim(None, 0)
            };
            ticket = replace_open(&ticket, &name, Some(open));
            assert!(serde_json::to_vec(&ticket).unwrap().len() < 128 * 1024);
            ticket = with_end(&ticket, (&name, order), Some(long.clone()));
            assert!(ticket.open.is_empty() && ended(&ticket, &name).is_some());
        }
        assert_eq!((ticket.newest, ticket.ended.len(), ticket.shortened), (200, MAX_ENDED, true));
    }
}
