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
pub(crate) struct AppState(pub(crate) Arc<AppStateInner>);

/// What is behind the door.
pub(crate) struct AppStateInner {
    pub(crate) deployment: Arc<DeploymentSettings>,
    pub(crate) live_settings: LiveSettings,
    pub(crate) templates: TemplateCache,
    pub(crate) engine: Engine,
    pub(crate) scan_sessions: Arc<ScanSessions>,
    pub(crate) roster: Arc<RosterLog>,
    pub(crate) browser_sessions: Arc<BrowserSessions>,
    pub(crate) rate_limiter: RateLimiter,
    pub(crate) code_source: Arc<dyn CodeSource>,
    pub(crate) permanent_codes: Arc<PermanentCodes>,
    pub(crate) ledger: Arc<dyn Ledger>,
    pub(crate) cache: Arc<dyn Cache>,
    pub(crate) qr_usage: Arc<QrUsageReader>,
    pub(crate) delivery_status: DeliveryStatusProjection,
    pub(crate) dead_letters: DeadLetterProjection,
    pub(crate) link_limiter: LinkLimiter,
    pub(crate) feed: Feed,
    pub(crate) point_in_time: PointInTimeReader,
    pub(crate) board_cache: BoardCache,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) settings: Settings,
    pub(crate) stop: CancellationToken,
}

impl Deref for AppState {
    type Target = AppStateInner;

    fn deref(&self) -> &AppStateInner {
        &self.0
    }
}
