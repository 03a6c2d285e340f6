//! What a site's screens show, drawn once for all that watch it.

use super::api::sites::as_it_stands;
use crate::book::SiteBook;
use crate::lines::{Lines, View};
use parking_lot::Mutex;
use std::collections::HashMap;
use std::sync::Arc;

/// Milliseconds for which a drawing holds while nothing happens: waits and hours go on.
const HOLDS_MS: i64 = 1_000;

/// The last drawing of each site.
#[derive(Default)]
pub(crate) struct Screens(Mutex<HashMap<String, Arc<Mutex<Option<Drawn>>>>>);

struct Drawn {
    book: Arc<SiteBook>,
    /// Of the ledger, and the position in it.
    of: (u64, u64),
    at_ms: i64,
    json: Arc<str>,
}

impl Screens {
    /// What anybody may know of a site, as JSON.
    pub(super) fn drawn(
        &self,
        lines: &Lines,
        book: &Arc<SiteBook>,
        view: View,
        at_ms: i64,
    ) -> Arc<str> {
        let place = self.0.lock().entry(book.facts.id.to_string()).or_default().clone();
        // Held while it is drawn: a thousand screens wake at once, and one of them draws.
        let mut last = place.lock();
        let of = (view.life, view.position.0);
        let holds = |drawn: &Drawn| {
            let age = at_ms - drawn.at_ms;
            Arc::ptr_eq(&drawn.book, book) && drawn.of == of && (0..HOLDS_MS).contains(&age)
        };
        match &*last {
            Some(drawn) if holds(drawn) => drawn.json.clone(),
            _ => {
                let json: Arc<str> = as_it_stands(lines, book, view, at_ms).text().into();
                *last = Some(Drawn { book: book.clone(), of, at_ms, json: json.clone() });
                json
            }
        }
    }
}
