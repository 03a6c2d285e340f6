//! Replica of one site: a snapshot that is replaced as the ledger grows.

use crate::codec::{self, DecodeError};
use bytes::Bytes;
use paihao_domain::{Decision, Event, Site};
use paihao_ledger::{Position, StoredEntry, Subject};
use parking_lot::Mutex;
use sha2::{Digest, Sha256};
use std::sync::Arc;
use tokio::sync::watch;

/// Receives every decision that this replica learns of, its own included, once each and in the order
/// of the ledger; the subject is the site's in the ledger. Must not block.
pub type DecisionObserver = Arc<dyn Fn(&Subject, &Decision) + Send + Sync>;

/// Snapshot of a site at a position of the ledger. Cheap to clone.
#[derive(Clone, Default)]
pub struct SiteSnapshot {
    /// The site.
    pub site: Site,
    /// Position of the newest entry of the site that is in it.
    pub position: Position,
    /// True if an entry was written by a newer program. This program must not decide for the site
    /// then.
    pub unreadable: bool,
    /// Site at the end of the business day before, if that day is known here.
    pub previous_day: Option<Arc<Site>>,
    /// Number of times that the ledger was found to be made anew, or to hold no entry of the site
    /// any more.
    pub(crate) incarnation: u64,
}

/// Entry that is being appended, with the site as it will be once the entry stands. The follower or
/// the worker, whichever learns of that first, need not compute it again.
pub(super) struct PendingWrite {
    /// Bytes of the entry.
    pub(super) payload: Bytes,
    /// Decisions in it.
    pub(super) decisions: Vec<Decision>,
    /// Site after them.
    pub(super) site: Site,
}

struct UnconfirmedWrite {
    write: PendingWrite,
    /// Version of the snapshot that it was decided on.
    base_version: (u64, Position),
}

impl SiteSnapshot {
    fn version(&self) -> (u64, Position) {
        (self.incarnation, self.position)
    }

    /// Keeps the ending day for `previous_day`, if one of these decisions, which are applied next,
    /// opens a new one.
    fn retain_ending_day(&mut self, decisions: &[Decision]) {
        let opens = |event: &Event| matches!(event, Event::DayOpened { .. });
        if !decisions.iter().any(|decision| decision.events.iter().any(opens)) {
            return;
        }
        let mut site = self.site.clone();
        for decision in decisions {
            if let Some(end) = decision.events.iter().position(opens) {
                let mut last = decision.clone();
                last.events.truncate(end);
                let mut ended = site.clone();
                ended.apply(&last);
                self.previous_day = ended.day().is_some().then(|| Arc::new(ended));
            }
            site.apply(decision);
        }
    }

    /// Hash of the whole state. Replicas that applied the same decisions have the same.
    pub fn digest(&self) -> String {
        hex::encode(Sha256::digest(format!("{:?}", self.site)))
    }
}

/// Replica of a site. The follower and the site's worker write it, whichever learns of an entry
/// first.
pub(super) struct SiteReplica {
    pub(super) subject: Subject,
    snapshot: watch::Sender<SiteSnapshot>,
    pending: Mutex<Option<UnconfirmedWrite>>,
    observer: DecisionObserver,
}

impl SiteReplica {
    pub(super) fn new(subject: Subject, observer: DecisionObserver) -> Self {
        let view = watch::Sender::new(SiteSnapshot::default());
        SiteReplica { subject, snapshot: view, pending: Mutex::default(), observer }
    }

    pub(super) fn now(&self) -> SiteSnapshot {
        self.snapshot.borrow().clone()
    }

    pub(super) fn watch(&self) -> watch::Receiver<SiteSnapshot> {
        self.snapshot.subscribe()
    }

    /// Wakes the watchers: the settings of the site have changed, or it has caught up.
    pub(super) fn notify(&self) {
        self.snapshot.send_modify(|_| {});
    }

    /// Remembers a write that was decided on `view` and is about to be appended.
    pub(super) fn set_pending(&self, view: &SiteSnapshot, draft: PendingWrite) {
        *self.pending.lock() =
            Some(UnconfirmedWrite { write: draft, base_version: view.version() });
    }

    /// Applies the pending write, which stands at `position`, directly after the state that it was
    /// decided on.
    pub(super) fn confirm(&self, position: Position) {
        self.snapshot.send_if_modified(|view| {
            // The follower may have read it already.
            if position <= view.position {
                return false;
            }
            match self.pending.lock().take() {
                Some(UnconfirmedWrite { write: draft, base_version: on })
                    if on == view.version() =>
                {
                    self.apply_pending(view, draft, position);
                }
                Some(UnconfirmedWrite { write: draft, .. }) => {
                    self.apply_decisions(view, &draft.decisions, position)
                }
                None => return false,
            }
            true
        });
    }

    /// Applies an entry that the follower read.
    pub(super) fn apply_entry(&self, recorded: &StoredEntry) {
        let payload = &recorded.entry.payload;
        let mut is_known = false;
        self.snapshot.send_if_modified(|view| {
            // The worker and the follower both bring this replica's own entries.
            is_known = recorded.position <= view.position;
            if is_known {
                return false;
            }
            let is_ours = |own: &mut UnconfirmedWrite| {
                own.base_version == view.version() && own.write.payload == *payload
            };
            let Some(own) = self.pending.lock().take_if(is_ours) else { return false };
            self.apply_pending(view, own.write, recorded.position);
            is_known = true;
            true
        });
        if is_known {
            return;
        }
        let decisions = codec::decode(payload);
        self.snapshot
            .send_if_modified(|view| self.apply_decoded(view, recorded.position, decisions));
    }

    /// Applies an entry that was read and decoded while catching up. Wakes nobody: the end of
    /// catching up wakes all watchers.
    pub(super) fn replay(&self, position: Position, decisions: Result<Vec<Decision>, DecodeError>) {
        self.snapshot.send_if_modified(|view| {
            self.apply_decoded(view, position, decisions);
            false
        });
    }

    /// Returns whether the entry was new.
    fn apply_decoded(
        &self,
        view: &mut SiteSnapshot,
        position: Position,
        decisions: Result<Vec<Decision>, DecodeError>,
    ) -> bool {
        if position <= view.position {
            return false;
        }
        match decisions {
            Ok(decisions) => self.apply_decisions(view, &decisions, position),
            Err(error) => {
                let subject = self.subject.as_str();
                tracing::error!(subject, position = position.0, %error, "entry not understood");
                view.position = position;
                view.unreadable = true;
            }
        }
        true
    }

    fn apply_pending(&self, view: &mut SiteSnapshot, draft: PendingWrite, position: Position) {
        view.retain_ending_day(&draft.decisions);
        view.site = draft.site;
        view.position = position;
        for decision in &draft.decisions {
            (self.observer)(&self.subject, decision);
        }
    }

    fn apply_decisions(&self, view: &mut SiteSnapshot, decisions: &[Decision], position: Position) {
        view.retain_ending_day(decisions);
        for decision in decisions {
            view.site.apply(decision);
            (self.observer)(&self.subject, decision);
        }
        view.position = position;
    }

    /// Notes that the ledger holds no entry of the site any more: the next one is expected where
    /// nothing is.
    pub(super) fn mark_aged_out(&self) {
        self.snapshot.send_modify(|view| {
            view.position = Position::START;
            view.incarnation += 1;
        });
    }

    /// Forgets the state: the ledger was made anew.
    pub(super) fn reset(&self) {
        self.snapshot.send_modify(|view| {
            *view = SiteSnapshot { incarnation: view.incarnation + 1, ..SiteSnapshot::default() }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use paihao_contracts::commit::SiteFacts;
    use paihao_domain::{CommandId, CounterId, Outcome, Timestamp};

    fn facts() -> SiteFacts {
        SiteFacts {
            account: "shop".into(),
            id: "hall".into(),
            name: "大厅".into(),
            zone: "UTC".into(),
        }
    }

    /// A replica, and the number of decisions that its observer received.
    fn view() -> (SiteReplica, Arc<Mutex<usize>>) {
        let subject = Subject::new(&["shop", "hall"]).unwrap();
        let told = Arc::new(Mutex::new(0));
        let count = told.clone();
        (SiteReplica::new(subject, Arc::new(move |_, _| *count.lock() += 1)), told)
    }

    fn opening(counter: &str) -> Decision {
        let counter = CounterId::new(counter);
        Decision {
            command: CommandId([7; 16]),
            fingerprint: 0,
            at: Timestamp(1),
            by: None,
            outcome: Outcome::CounterOpen(counter.clone()),
            events: vec![Event::CounterOpened { counter, login: None }],
        }
    }

    fn entry(view: &SiteReplica, decision: &Decision, position: u64) -> StoredEntry {
        StoredEntry {
            position: Position(position),
            subject: view.subject.clone(),
            at_ms: 1,
            entry: codec::encode(&facts(), std::slice::from_ref(decision)),
        }
    }

    /// Sets a decision on the present snapshot as pending.
    fn draft(view: &SiteReplica, decision: &Decision) -> StoredEntry {
        let (now, recorded) = (view.now(), entry(view, decision, view.now().position.0 + 5));
        let mut site = now.site.clone();
        site.apply(decision);
        let payload = recorded.entry.payload.clone();
        view.set_pending(&now, PendingWrite { payload, decisions: vec![decision.clone()], site });
        recorded
    }

    fn evolved(decisions: &[Decision]) -> Site {
        let mut site = Site::default();
        decisions.iter().for_each(|decision| site.apply(decision));
        site
    }

    #[test]
    fn an_own_entry_counts_once_whoever_brings_it_first() {
        for follower_first in [true, false] {
            let (view, told) = view();
            let recorded = draft(&view, &opening("1"));
            if follower_first {
                view.apply_entry(&recorded);
            }
            view.confirm(recorded.position);
            view.apply_entry(&recorded);
            assert_eq!(view.now().position, recorded.position);
            assert_eq!(view.now().site, evolved(&[opening("1")]));
            assert_eq!(*told.lock(), 1);
        }
    }

    #[test]
    fn what_is_replayed_leads_to_the_same_and_wakes_nobody() {
        let ((live, _), (late, told)) = (view(), view());
        let watching = late.watch();
        let [first, second] = ["1", "2"].map(opening);
        for (decision, position) in [(&first, 3), (&second, 7), (&first, 7)] {
            let recorded = entry(&live, decision, position);
            live.apply_entry(&recorded);
            late.replay(recorded.position, codec::decode(&recorded.entry.payload));
        }
        assert_eq!(late.now().site, live.now().site);
        assert_eq!((late.now().position, *told.lock()), (Position(7), 2));
        assert!(!watching.has_changed().unwrap());

        late.replay(Position(9), codec::decode(b"{}"));
        assert!(late.now().unreadable && !watching.has_changed().unwrap());
        late.notify();
        assert!(watching.has_changed().unwrap());
    }

    #[test]
    fn a_draft_gives_way_to_what_another_replica_wrote() {
        let (view, _) = view();
        draft(&view, &opening("1"));
        view.apply_entry(&entry(&view, &opening("2"), 3));
        assert_eq!(view.now().site, evolved(&[opening("2")]));
        let again = draft(&view, &opening("1"));
        view.apply_entry(&again);
        assert_eq!(view.now().site, evolved(&[opening("2"), opening("1")]));
    }

    #[test]
    fn a_draft_on_a_ledger_that_is_gone_brings_nothing_of_it_back() {
        let (view, _) = view();
        view.apply_entry(&entry(&view, &opening("2"), 3));
        view.mark_aged_out();
        let recorded = draft(&view, &opening("1"));
        view.reset();
        view.apply_entry(&recorded);
        assert_eq!(view.now().site, evolved(&[opening("1")]));
    }
}
