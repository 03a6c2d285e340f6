//! A site as this replica knows it: a value that is replaced as the ledger grows.

use super::Observer;
use crate::stored::{self, Unreadable};
use bytes::Bytes;
use paihao_domain::{Decision, Event, Site};
use paihao_ledger::{Position, Recorded, Subject};
use parking_lot::Mutex;
use sha2::{Digest, Sha256};
use std::sync::Arc;
use tokio::sync::watch;

/// A site at a position of the ledger. Cloning it costs nothing.
#[derive(Clone, Default)]
pub struct View {
    /// The site.
    pub site: Site,
    /// The newest entry of the site that is in it.
    pub position: Position,
    /// Set when an entry could not be understood: a newer program wrote it, and this one must not
    /// decide for the site.
    pub unreadable: bool,
    /// The site at the end of the business day before, if that day is known here.
    pub former: Option<Arc<Site>>,
    /// How often the ledger was found to be another one, or to hold nothing any more.
    pub(crate) life: u64,
}

/// An entry on its way to the ledger, with the site as it will be once the entry stands: whoever
/// learns of that first, the follower or the desk, need not work it out again.
pub(super) struct Draft {
    /// What is written.
    pub(super) payload: Bytes,
    /// What was decided.
    pub(super) decisions: Vec<Decision>,
    /// The site after it.
    pub(super) site: Site,
}

struct Drafted {
    draft: Draft,
    /// The view it was decided on.
    on: (u64, Position),
}

impl View {
    fn place(&self) -> (u64, Position) {
        (self.life, self.position)
    }

    /// Before these decisions are taken in: what the day was in the end that they end, if they do.
    fn keep_the_day_that_ends(&mut self, decisions: &[Decision]) {
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
                self.former = ended.day().is_some().then(|| Arc::new(ended));
            }
            site.apply(decision);
        }
    }

    /// A hash of the whole state. Replicas that applied the same decisions have the same.
    pub fn digest(&self) -> String {
        hex::encode(Sha256::digest(format!("{:?}", self.site)))
    }
}

/// Holds the newest view of a site. Written by the follower and by the site's desk, whichever
/// learns of an entry first.
pub(super) struct SiteView {
    pub(super) subject: Subject,
    view: watch::Sender<View>,
    drafted: Mutex<Option<Drafted>>,
    observer: Observer,
}

impl SiteView {
    pub(super) fn new(subject: Subject, observer: Observer) -> Self {
        let view = watch::Sender::new(View::default());
        SiteView { subject, view, drafted: Mutex::default(), observer }
    }

    pub(super) fn now(&self) -> View {
        self.view.borrow().clone()
    }

    pub(super) fn watch(&self) -> watch::Receiver<View> {
        self.view.subscribe()
    }

    /// Wakes whoever watches: what is set up about the site has changed, and so how it is shown.
    pub(super) fn wake(&self) {
        self.view.send_modify(|_| {});
    }

    /// Something was decided on `view` and is about to be written.
    pub(super) fn draft(&self, view: &View, draft: Draft) {
        *self.drafted.lock() = Some(Drafted { draft, on: view.place() });
    }

    /// The draft stands at `position`, directly after what it was decided on.
    pub(super) fn stands(&self, position: Position) {
        self.view.send_if_modified(|view| {
            // The follower may have brought it already.
            if position <= view.position {
                return false;
            }
            match self.drafted.lock().take() {
                Some(Drafted { draft, on }) if on == view.place() => {
                    self.adopt(view, draft, position);
                }
                Some(Drafted { draft, .. }) => self.evolve(view, &draft.decisions, position),
                None => return false,
            }
            true
        });
    }

    /// Takes in an entry that the follower read.
    pub(super) fn read(&self, recorded: &Recorded) {
        let payload = &recorded.entry.payload;
        let mut is_known = false;
        self.view.send_if_modified(|view| {
            // The desk and the follower both bring this replica's own entries.
            is_known = recorded.position <= view.position;
            if is_known {
                return false;
            }
            let is_ours =
                |own: &mut Drafted| own.on == view.place() && own.draft.payload == *payload;
            let Some(own) = self.drafted.lock().take_if(is_ours) else { return false };
            self.adopt(view, own.draft, recorded.position);
            is_known = true;
            true
        });
        if is_known {
            return;
        }
        let decisions = stored::decode(payload);
        self.view.send_if_modified(|view| self.take_in(view, recorded.position, decisions));
    }

    /// Takes in an entry that the follower read and decoded before this replica was ready. Wakes
    /// nobody: who does this wakes all in the end.
    pub(super) fn replay(&self, position: Position, decisions: Result<Vec<Decision>, Unreadable>) {
        self.view.send_if_modified(|view| {
            self.take_in(view, position, decisions);
            false
        });
    }

    /// Says whether that was new.
    fn take_in(
        &self,
        view: &mut View,
        position: Position,
        decisions: Result<Vec<Decision>, Unreadable>,
    ) -> bool {
        if position <= view.position {
            return false;
        }
        match decisions {
            Ok(decisions) => self.evolve(view, &decisions, position),
            Err(error) => {
                let subject = self.subject.as_str();
                tracing::error!(subject, position = position.0, %error, "entry not understood");
                view.position = position;
                view.unreadable = true;
            }
        }
        true
    }

    fn adopt(&self, view: &mut View, draft: Draft, position: Position) {
        view.keep_the_day_that_ends(&draft.decisions);
        view.site = draft.site;
        view.position = position;
        for decision in &draft.decisions {
            (self.observer)(&self.subject, decision);
        }
    }

    fn evolve(&self, view: &mut View, decisions: &[Decision], position: Position) {
        view.keep_the_day_that_ends(decisions);
        for decision in decisions {
            view.site.apply(decision);
            (self.observer)(&self.subject, decision);
        }
        view.position = position;
    }

    /// The ledger no longer holds what this view was made of, but keeps no newer truth either: the
    /// next entry is expected where nothing is.
    pub(super) fn aged_out(&self) {
        self.view.send_modify(|view| {
            view.position = Position::START;
            view.life += 1;
        });
    }

    /// The ledger was made anew.
    pub(super) fn forget(&self) {
        self.view.send_modify(|view| *view = View { life: view.life + 1, ..View::default() });
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

    /// A view, and how many decisions its observer was told of.
    fn view() -> (SiteView, Arc<Mutex<usize>>) {
        let subject = Subject::new(&["shop", "hall"]).unwrap();
        let told = Arc::new(Mutex::new(0));
        let count = told.clone();
        (SiteView::new(subject, Arc::new(move |_, _| *count.lock() += 1)), told)
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

    fn entry(view: &SiteView, decision: &Decision, position: u64) -> Recorded {
        Recorded {
            position: Position(position),
            subject: view.subject.clone(),
            at_ms: 1,
            entry: stored::encode(&facts(), std::slice::from_ref(decision)),
        }
    }

    /// Drafts a decision on what the view holds now.
    fn draft(view: &SiteView, decision: &Decision) -> Recorded {
        let (now, recorded) = (view.now(), entry(view, decision, view.now().position.0 + 5));
        let mut site = now.site.clone();
        site.apply(decision);
        let payload = recorded.entry.payload.clone();
        view.draft(&now, Draft { payload, decisions: vec![decision.clone()], site });
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
                view.read(&recorded);
            }
            view.stands(recorded.position);
            view.read(&recorded);
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
            live.read(&recorded);
            late.replay(recorded.position, stored::decode(&recorded.entry.payload));
        }
        assert_eq!(late.now().site, live.now().site);
        assert_eq!((late.now().position, *told.lock()), (Position(7), 2));
        assert!(!watching.has_changed().unwrap());

        late.replay(Position(9), stored::decode(b"{}"));
        assert!(late.now().unreadable && !watching.has_changed().unwrap());
        late.wake();
        assert!(watching.has_changed().unwrap());
    }

    #[test]
    fn a_draft_gives_way_to_what_another_replica_wrote() {
        let (view, _) = view();
        draft(&view, &opening("1"));
        view.read(&entry(&view, &opening("2"), 3));
        assert_eq!(view.now().site, evolved(&[opening("2")]));
        let again = draft(&view, &opening("1"));
        view.read(&again);
        assert_eq!(view.now().site, evolved(&[opening("2"), opening("1")]));
    }

    #[test]
    fn a_draft_on_a_ledger_that_is_gone_brings_nothing_of_it_back() {
        let (view, _) = view();
        view.read(&entry(&view, &opening("2"), 3));
        view.aged_out();
        let recorded = draft(&view, &opening("1"));
        view.forget();
        view.read(&recorded);
        assert_eq!(view.now().site, evolved(&[opening("1")]));
    }
}
