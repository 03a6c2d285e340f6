//! Projection of the dead letters, and of the action taken on each. A letter has only the parts
//! that anybody who runs the system may see.
//!
//! - [`reason`]: reasons of failures, with names and advice;
//! - [`handling`]: redriving and dropping of letters, recorded once.

pub(crate) mod handling;
pub(crate) mod reason;

use paihao_chassis::Tasks;
use paihao_contracts::dead_letter::{DeadLetterResolution, HANDLED_SUBJECT, parse_redrive_key};
use paihao_contracts::envelope::{self, NewerForm, ReadError};
use paihao_contracts::notice::Notice;
use paihao_contracts::streams::{DEAD_LETTERS, NOTICES, WEBHOOKS};
use paihao_contracts::webhook::WebhookMessage;
use paihao_domain::TicketId;
use paihao_ledger::dead_letter::Cause;
use paihao_ledger::projection::Follow;
use paihao_ledger::{Ledger, Projection, StoredEntry};
use parking_lot::Mutex;
use reason::FailureReason;
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// Largest number of letters in memory; older ones are in the ledger only.
const MAX_RETAINED_LETTERS: usize = 10_000;

/// Dead letter.
#[derive(Debug, Clone)]
pub(crate) struct DeadLetter {
    /// Position in the log of dead letters, which is the id.
    pub(crate) position: u64,
    /// Time of the failure, in Unix milliseconds.
    pub(crate) at: i64,
    /// Work queue or log that it came from.
    pub(crate) origin: String,
    /// Subject of the work.
    pub(crate) subject: LetterSubject,
    /// Reason of the failure.
    pub(crate) reason: FailureReason,
    /// Whole error text, without the person's openid.
    pub(crate) error: String,
    /// Action that was taken on it.
    pub(crate) handled: Option<DeadLetterResolution>,
}

/// Subject of a letter, as far as it can be read.
#[derive(Debug, Clone, Default)]
pub(crate) struct LetterSubject {
    /// Key of the work.
    pub(crate) key: String,
    /// Id of the site.
    pub(crate) site: Option<String>,
    /// Kind of notice, or type of event.
    pub(crate) kind: Option<String>,
    /// Number of the ticket.
    pub(crate) number: Option<String>,
    /// Business day and ticket.
    pub(crate) ticket: Option<(i32, TicketId)>,
    /// End of the notice's validity, in Unix milliseconds.
    pub(crate) valid_until: Option<i64>,
    /// True if it can be tried again.
    pub(crate) redrivable: bool,
    /// True if only a newer program can read it, and try it again.
    pub(crate) needs_newer: bool,
}

/// Dead letters that this replica has read. Cheap to clone.
#[derive(Clone, Default)]
pub(crate) struct DeadLetterProjection(Arc<ProjectionInner>);

#[derive(Default)]
struct ProjectionInner {
    letters: Mutex<BTreeMap<u64, Arc<DeadLetter>>>,
    /// Form of a resolution that a newer program wrote.
    newer: Mutex<Option<NewerForm>>,
}

impl DeadLetterProjection {
    /// Begins to follow the log, until the soft stop.
    pub(crate) fn start(ledger: Arc<dyn Ledger>, tasks: &Tasks) -> DeadLetterProjection {
        let letters = DeadLetterProjection::default();
        let follow = Follow::new(ledger, DEAD_LETTERS, tasks.stop().clone());
        let (_, following) = follow.start(letters.clone());
        tasks.spawn("dead-letters", following);
        letters
    }

    /// Returns the letters that the log still has at `now` (Unix milliseconds), oldest first.
    pub(crate) fn retained(&self, now: i64) -> Vec<Arc<DeadLetter>> {
        let retention_ms = DEAD_LETTERS.retention.unwrap_or(Duration::MAX).as_millis() as i64;
        let letters = self.0.letters.lock();
        letters
            .values()
            .filter(|letter| letter.at.saturating_add(retention_ms) > now)
            .cloned()
            .collect()
    }

    /// Returns the form of a resolution that a newer program wrote: how its letter was handled is
    /// not known here.
    pub(crate) fn newer(&self) -> Option<NewerForm> {
        *self.0.newer.lock()
    }

    /// Returns the letter at a position.
    pub(crate) fn get(&self, position: u64) -> Option<Arc<DeadLetter>> {
        self.0.letters.lock().get(&position).cloned()
    }

    fn set_handled(&self, position: u64, handled: DeadLetterResolution) {
        if let Some(letter) = self.0.letters.lock().get_mut(&position) {
            Arc::make_mut(letter).handled = Some(handled);
        }
    }

    fn update_gauge(&self) {
        let waiting =
            self.0.letters.lock().values().filter(|letter| letter.handled.is_none()).count();
        metrics::gauge!("paihao_gateway_dead_letters").set(waiting as f64);
    }
}

impl Projection for DeadLetterProjection {
    type View = ();

    fn view(&self) {}

    fn apply(&mut self, stored: StoredEntry) -> Result<(), ReadError> {
        let mut parts = stored.subject.parts();
        if parts.next() == Some(HANDLED_SUBJECT) {
            let letter = parts.next().and_then(|position| position.parse().ok());
            let handled = envelope::decode(&stored.entry.payload).inspect_err(|error| {
                if let Some(newer) = error.newer() {
                    *self.0.newer.lock() = Some(newer);
                }
            })?;
            if let Some(letter) = letter {
                self.set_handled(letter, handled);
            }
        } else if let Some(letter) = parse_entry(&stored) {
            let mut letters = self.0.letters.lock();
            letters.entry(letter.position).or_insert_with(|| Arc::new(letter));
            while letters.len() > MAX_RETAINED_LETTERS {
                letters.pop_first();
            }
        }
        self.update_gauge();
        Ok(())
    }

    fn reset(&mut self) {
        self.0.letters.lock().clear();
        *self.0.newer.lock() = None;
    }
}

fn parse_entry(stored: &StoredEntry) -> Option<DeadLetter> {
    let Cause { reason, origin, key } = Cause::from_dead_letter(&stored.entry)?;
    let payload = &stored.entry.payload;
    let (subject, person) = match &*origin {
        name if name == NOTICES.name => notice_subject(payload),
        name if name == WEBHOOKS.name => (webhook_subject(payload), None),
        _ => Default::default(),
    };
    // The key of a notice that cannot be decoded names its site, too.
    let site = subject.site.clone().or_else(|| {
        let is_notice = origin == NOTICES.name || origin == WEBHOOKS.name;
        key.split('/').next().filter(|_| is_notice).map(str::to_owned)
    });
    let error = match person {
        Some(person) if !person.is_empty() => reason.replace(&*person, "…"),
        _ if subject.redrivable => reason,
        // An error about unreadable content may repeat some of it.
        _ => reason.split(": ").next().unwrap_or_default().to_owned(),
    };
    Some(DeadLetter {
        position: stored.position.0,
        at: stored.at_ms,
        reason: FailureReason::classify(&origin, &error),
        origin,
        subject: LetterSubject { key, site, ..subject },
        error,
        handled: None,
    })
}

fn notice_subject(payload: &[u8]) -> (LetterSubject, Option<Arc<str>>) {
    let notice: Notice = match envelope::decode(payload) {
        Ok(notice) => notice,
        Err(error) => return (unreadable_subject(&error), None),
    };
    let mut parts = parse_redrive_key(&notice.key).0.rsplitn(4, '/');
    let kind = parts.next().and_then(|name| name.split('#').next()).map(str::to_owned);
    let ticket = parts.next().and_then(|ticket| ticket.parse().ok()).map(TicketId);
    let day = parts.next().and_then(|day| day.parse().ok());
    let subject = LetterSubject {
        site: parts.next().map(str::to_owned),
        kind,
        number: Some(notice.number.to_string()),
        ticket: day.zip(ticket),
        valid_until: Some(notice.valid_until),
        redrivable: true,
        ..LetterSubject::default()
    };
    (subject, Some(notice.person))
}

fn unreadable_subject(error: &ReadError) -> LetterSubject {
    LetterSubject { needs_newer: error.newer().is_some(), ..LetterSubject::default() }
}

fn webhook_subject(payload: &[u8]) -> LetterSubject {
    let message: WebhookMessage = match envelope::decode(payload) {
        Ok(message) => message,
        Err(error) => return unreadable_subject(&error),
    };
    let event = serde_json::to_value(&message.event).unwrap_or(Value::Null);
    LetterSubject {
        site: message.hook.split('/').next().map(str::to_owned),
        kind: Some(message.event.kind.name().to_owned()),
        number: event["number"].as_str().map(str::to_owned),
        redrivable: true,
        ..LetterSubject::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use paihao_contracts::dead_letter::DeadLetterAction;
    use paihao_ledger::{Entry, Position, Subject};

    fn entry(position: u64, subject: &[&str], entry: Entry) -> StoredEntry {
        let subject = Subject::new(subject).unwrap();
        StoredEntry { position: Position(position), subject, at_ms: 1_000, entry }
    }

    fn letter(position: u64, origin: &str, key: &str, payload: &str) -> StoredEntry {
        let reason =
            "template: WeChat refused: 40037 template_unknown: for oPerson: none".to_owned();
        let cause = Cause { reason, origin: origin.to_owned(), key: key.to_owned() };
        entry(position, &[origin], cause.to_dead_letter(&Entry::new(payload.to_owned())))
    }

    const NOTICE: &str = r#"{"v":1,"key":"hall/20779/17/called#1~1","account":"shop",
        "site_name":"大厅","zone":"Asia/Shanghai","person":"oPerson",
        "number":{"prefix":"A","serial":17},"queue_name":"业务",
        "saying":{"saying":"queue_closed"},"order":3,"at":1,"valid_until":9}"#;

    #[test]
    fn of_a_letter_all_is_known_but_whom_it_was_for() {
        let mut letters = DeadLetterProjection::default();
        letters.apply(letter(5, "notices", "hall/20779/17/called#1~1", NOTICE)).unwrap();
        letters.apply(letter(6, "notices", "hall/20779/18/near#1", "{}")).unwrap();
        letters.apply(letter(7, "ledger", "shop.hall/9", "{}")).unwrap();
        let retained = letters.retained(2_000);
        let [notice, unreadable, other] = &retained[..] else { panic!("{retained:?}") };
        assert!(!format!("{retained:?}").contains("oPerson"));
        assert_eq!(notice.subject.ticket, Some((20_779, TicketId(17))));
        let LetterSubject { site, kind, number, .. } = &notice.subject;
        assert_eq!(
            [site, kind, number].map(|text| text.as_deref().unwrap()),
            ["hall", "called", "A017"]
        );
        assert_eq!(notice.reason.name, "template_unknown");
        assert!(notice.subject.redrivable && !unreadable.subject.redrivable);
        assert_eq!(
            (unreadable.subject.site.as_deref(), &other.subject.site),
            (Some("hall"), &None)
        );
    }

    #[test]
    fn what_was_done_stays_with_its_letter_and_both_leave_with_the_log() {
        let mut letters = DeadLetterProjection::default();
        letters.apply(letter(5, "notices", "hall/20779/17/called#1", NOTICE)).unwrap();
        let handled = DeadLetterResolution {
            v: 1,
            at: 7,
            by: "boss".into(),
            action: DeadLetterAction::Dropped,
        };
        let stored = Entry::new(serde_json::to_vec(&handled).unwrap());
        letters.apply(entry(6, &[HANDLED_SUBJECT, "5"], stored)).unwrap();
        assert_eq!(letters.get(5).unwrap().handled, Some(handled));
        let retention_ms = DEAD_LETTERS.retention.unwrap().as_millis() as i64;
        assert_eq!(
            (
                letters.retained(1_000 + retention_ms - 1).len(),
                letters.retained(1_000 + retention_ms).len()
            ),
            (1, 0)
        );
    }

    #[test]
    fn what_a_newer_program_wrote_is_neither_redriven_nor_taken_for_not_handled() {
        let mut letters = DeadLetterProjection::default();
        letters.apply(letter(5, "notices", "hall/20779/17/called#1", NOTICE)).unwrap();
        letters.apply(letter(6, "notices", "hall/20779/18/near#1", r#"{"v":2}"#)).unwrap();
        assert!(letters.get(6).unwrap().subject.needs_newer && letters.newer().is_none());
        let resolution = Entry::new(r#"{"v":2,"did":"gilded"}"#);
        let newer = letters.apply(entry(7, &[HANDLED_SUBJECT, "5"], resolution)).unwrap_err();
        assert_eq!(letters.newer().map(ReadError::from), Some(newer));
        assert_eq!(letters.get(5).unwrap().handled, None);
        letters.reset();
        assert_eq!(letters.newer(), None);
    }
}
