//! Application state that every handler can reach.

use crate::Settings;
use crate::book::Book;
use crate::book::running::Running;
use crate::http::api::book::Templates;
use crate::http::api::ticket::Turns;
use crate::http::limits::Limits;
use crate::http::screens::Screens;
use crate::identity::register::Register;
use crate::identity::sessions::StaffSessions;
use crate::lines::Lines;
use crate::lines::past::Past;
use crate::projections::fates::Fates;
use crate::projections::feed::Feed;
use crate::projections::letters::Letters;
use crate::scan::codes::CodeSource;
use crate::scan::codes::cost::Costs;
use crate::scan::codes::doors::Doors;
use crate::scan::sessions::ScanSessions;
use paihao_cache::Cache;
use paihao_chassis::clock::Clock;
use paihao_ledger::Ledger;
use std::ops::Deref;
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

/// What every handler can reach: one pointer, since a request copies it several times.
#[derive(Clone)]
pub(crate) struct Door(pub(crate) Arc<Within>);

/// What is behind the door.
pub(crate) struct Within {
    pub(crate) book: Arc<Book>,
    pub(crate) setup: Running,
    pub(crate) templates: Templates,
    pub(crate) lines: Lines,
    pub(crate) sessions: Arc<ScanSessions>,
    pub(crate) staff: Arc<Register>,
    pub(crate) logins: Arc<StaffSessions>,
    pub(crate) limits: Limits,
    pub(crate) codes: Arc<dyn CodeSource>,
    pub(crate) doors: Arc<Doors>,
    pub(crate) ledger: Arc<dyn Ledger>,
    pub(crate) cache: Arc<dyn Cache>,
    pub(crate) costs: Arc<Costs>,
    pub(crate) fates: Fates,
    pub(crate) letters: Letters,
    pub(crate) turns: Turns,
    pub(crate) feed: Feed,
    pub(crate) past: Past,
    pub(crate) screens: Screens,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) settings: Settings,
    pub(crate) stop: CancellationToken,
}

impl Deref for Door {
    type Target = Within;

    fn deref(&self) -> &Within {
        &self.0
    }
}
