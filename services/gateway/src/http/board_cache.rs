//! Cache of the rendered boards of sites, shared by all that watch one.

use super::api::sites::current_board;
use crate::engine::{Engine, SiteSnapshot};
use crate::projections::visits::VisitProjection;
use crate::settings::SiteSettings;
use parking_lot::Mutex;
use std::collections::HashMap;
use std::sync::Arc;

/// Milliseconds for which a drawing holds while nothing happens: waits and hours go on.
const MAX_RENDER_AGE_MS: i64 = 1_000;

/// The last drawing of each site.
#[derive(Default)]
pub(crate) struct BoardCache(Mutex<HashMap<String, Arc<Mutex<Option<CachedBoard>>>>>);

struct CachedBoard {
    book: Arc<SiteSettings>,
    /// Of the ledger, and the position in it.
    version: (u64, u64),
    rendered_at_ms: i64,
    json: Arc<str>,
}

impl BoardCache {
    /// Public view of a site, as JSON.
    pub(super) fn board_json(
        &self,
        lines: &Engine,
        visits: &VisitProjection,
        book: &Arc<SiteSettings>,
        view: SiteSnapshot,
        at_ms: i64,
    ) -> Arc<str> {
        let place = self.0.lock().entry(book.facts.id.to_string()).or_default().clone();
        // Held while it is drawn: a thousand screens wake at once, and one of them draws.
        let mut last = place.lock();
        let of = (view.incarnation, view.position.0);
        let holds = |drawn: &CachedBoard| {
            let age = at_ms - drawn.rendered_at_ms;
            Arc::ptr_eq(&drawn.book, book)
                && drawn.version == of
                && (0..MAX_RENDER_AGE_MS).contains(&age)
        };
        match &*last {
            Some(drawn) if holds(drawn) => drawn.json.clone(),
            _ => {
                let json: Arc<str> =
                    current_board(lines, visits, book, view, at_ms).to_json().into();
                *last = Some(CachedBoard {
                    book: book.clone(),
                    version: of,
                    rendered_at_ms: at_ms,
                    json: json.clone(),
                });
                json
            }
        }
    }
}
