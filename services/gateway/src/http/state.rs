//! Application state that every handler can reach.

use crate::Settings;
use crate::book::DeploymentSettings;
use crate::book::running::LiveSettings;
use crate::http::api::book::TemplateCache;
use crate::http::api::ticket::LinkLimiter;
use crate::http::limits::RateLimiter;
use crate::http::screens::BoardCache;
use crate::identity::register::RosterLog;
use crate::identity::sessions::BrowserSessions;
use crate::lines::Engine;
use crate::lines::past::PointInTimeReader;
use crate::projections::fates::DeliveryStatusProjection;
use crate::projections::feed::Feed;
use crate::projections::letters::DeadLetterProjection;
use crate::scan::codes::CodeSource;
use crate::scan::codes::cost::QrUsageReader;
use crate::scan::codes::doors::PermanentCodes;
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
    pub(crate) book: Arc<DeploymentSettings>,
    pub(crate) setup: LiveSettings,
    pub(crate) templates: TemplateCache,
    pub(crate) lines: Engine,
    pub(crate) sessions: Arc<ScanSessions>,
    pub(crate) staff: Arc<RosterLog>,
    pub(crate) logins: Arc<BrowserSessions>,
    pub(crate) limits: RateLimiter,
    pub(crate) codes: Arc<dyn CodeSource>,
    pub(crate) doors: Arc<PermanentCodes>,
    pub(crate) ledger: Arc<dyn Ledger>,
    pub(crate) cache: Arc<dyn Cache>,
    pub(crate) costs: Arc<QrUsageReader>,
    pub(crate) fates: DeliveryStatusProjection,
    pub(crate) letters: DeadLetterProjection,
    pub(crate) turns: LinkLimiter,
    pub(crate) feed: Feed,
    pub(crate) past: PointInTimeReader,
    pub(crate) screens: BoardCache,
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
