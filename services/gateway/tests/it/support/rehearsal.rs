//! Rehearsals that begin and end at once, without another start of the process.

use async_trait::async_trait;
use axum::Router;
use axum::routing::{get, post};
use paihao_gateway::http::rehearsal::{RehearsalEnding, RehearsalError, Rehearsals};
use std::sync::atomic::{AtomicBool, Ordering};

/// Rehearsals whose phones answer with their names.
#[derive(Default)]
pub struct InstantRehearsals {
    pub is_under_way: AtomicBool,
}

impl InstantRehearsals {
    fn turn(&self, from: bool, to: bool) -> Result<(), RehearsalError> {
        let turned =
            self.is_under_way.compare_exchange(from, to, Ordering::SeqCst, Ordering::SeqCst);
        turned.map(|_| ()).map_err(|_| RehearsalError::NotPossible)
    }
}

#[async_trait]
impl Rehearsals for InstantRehearsals {
    fn is_under_way(&self) -> bool {
        self.is_under_way.load(Ordering::SeqCst)
    }

    fn phones(&self) -> Option<Router> {
        let phones = Router::new()
            .route("/phones", get(async || "phones"))
            .route("/sim/api/scan", post(async || "scanned"));
        self.is_under_way().then_some(phones)
    }

    async fn begin(&self) -> Result<(), RehearsalError> {
        self.turn(false, true)
    }

    async fn end(&self, _: RehearsalEnding) -> Result<(), RehearsalError> {
        self.turn(true, false)
    }
}
