//! A site as this replica knows it: a value that is replaced as the ledger grows.

use super::Observer;
use super::stored;
use crate::book::SiteBook;
use paihao_domain::{Decision, Site};
use paihao_ledger::{Position, Recorded};
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
}

impl View {
    /// A hash of the whole state. Replicas that applied the same decisions have the same.
    pub fn digest(&self) -> String {
        hex::encode(Sha256::digest(format!("{:?}", self.site)))
    }
}

/// Holds the newest view of a site. Written by the follower and by the site's desk, whichever
/// learns of an entry first.
pub(super) struct SiteView {
    pub(super) book: Arc<SiteBook>,
    view: watch::Sender<View>,
    observer: Observer,
}

impl SiteView {
    pub(super) fn new(book: Arc<SiteBook>, observer: Observer) -> Self {
        SiteView { book, view: watch::Sender::new(View::default()), observer }
    }

    pub(super) fn now(&self) -> View {
        self.view.borrow().clone()
    }

    pub(super) fn watch(&self) -> watch::Receiver<View> {
        self.view.subscribe()
    }

    /// Takes in an entry that the follower read.
    pub(super) fn read(&self, recorded: &Recorded) {
        if recorded.position <= self.view.borrow().position {
            return;
        }
        match stored::decode(&recorded.entry.payload) {
            Ok(decisions) => self.absorb(&decisions, recorded.position),
            Err(error) => {
                let site = &*self.book.facts.id;
                tracing::error!(site, position = recorded.position.0, %error, "entry not understood");
                self.view.send_modify(|view| {
                    view.position = recorded.position;
                    view.unreadable = true;
                });
            }
        }
    }

    /// Takes in decisions that stand at `position`, directly after what is known.
    pub(super) fn absorb(&self, decisions: &[Decision], position: Position) {
        self.view.send_if_modified(|view| {
            // The desk and the follower both bring this replica's own entries.
            if position <= view.position {
                return false;
            }
            for decision in decisions {
                view.site.apply(decision);
                (self.observer)(&self.book, decision);
            }
            view.position = position;
            true
        });
    }

    /// The ledger no longer holds what this view was made of, but keeps no newer truth either: the
    /// next entry is expected where nothing is.
    pub(super) fn aged_out(&self) {
        self.view.send_modify(|view| view.position = Position::START);
    }

    /// The ledger was made anew.
    pub(super) fn forget(&self) {
        self.view.send_replace(View::default());
    }
}
