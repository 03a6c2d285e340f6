//! Cache of the rendered boards of sites, shared by all that watch one.

use super::current_board;
use crate::engine::{Engine, SiteSnapshot};
use crate::settings::SiteSettings;
use paihao_domain::QueueId;
use parking_lot::Mutex;
use std::collections::HashMap;
use std::sync::Arc;

/// Milliseconds for which a rendered board is valid while nothing happens: waits and hours go on.
const MAX_RENDER_AGE_MS: i64 = 1_000;

/// Last rendered board of each site.
#[derive(Default)]
pub(crate) struct BoardCache(Mutex<HashMap<String, Arc<Mutex<Option<CachedBoard>>>>>);

struct CachedBoard {
    settings: Arc<SiteSettings>,
    /// Incarnation of the ledger, and position in it.
    version: (u64, u64),
    rendered_at_ms: i64,
    json: Arc<str>,
}

impl BoardCache {
    /// Public view of a site as JSON, rendered again if the cached one is not of this snapshot.
    pub(crate) fn board_json(
        &self,
        engine: &Engine,
        settings: &Arc<SiteSettings>,
        snapshot: SiteSnapshot,
        at_ms: i64,
        has_door_code: impl Fn(&QueueId) -> bool,
    ) -> Arc<str> {
        let entry = self.0.lock().entry(settings.facts.id.to_string()).or_default().clone();
        // Held during the rendering: a thousand screens wake at once, and one of them renders.
        let mut last = entry.lock();
        let version = (snapshot.incarnation, snapshot.position.0);
        let is_valid = |cached: &CachedBoard| {
            let age = at_ms - cached.rendered_at_ms;
            Arc::ptr_eq(&cached.settings, settings)
                && cached.version == version
                && (0..MAX_RENDER_AGE_MS).contains(&age)
        };
        match &*last {
            Some(cached) if is_valid(cached) => cached.json.clone(),
            _ => {
                let json: Arc<str> =
                    current_board(engine, settings, snapshot, at_ms, has_door_code)
                        .to_json()
                        .into();
                *last = Some(CachedBoard {
                    settings: settings.clone(),
                    version,
                    rendered_at_ms: at_ms,
                    json: json.clone(),
                });
                json
            }
        }
    }
}
