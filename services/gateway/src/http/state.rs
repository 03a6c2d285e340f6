//! Application state of the handlers.

use crate::engine::as_of::PointInTimeReader;
use crate::engine::{Engine, SiteSnapshot};
use crate::http::backchannel_logout::BackchannelLogout;
use crate::http::board::cache::BoardCache;
use crate::http::client_ip::TrustedProxies;
use crate::http::cross_site::CodeEmbedders;
use crate::http::examinations::Examinations;
use crate::http::fair_use::FairUse;
use crate::http::guesses::GuessLimiter;
use crate::http::link_limit::LinkLimiter;
use crate::http::rate_limit::RateLimiter;
use crate::http::refusals::{self, ProblemKind};
use crate::http::rehearsal::Rehearsals;
use crate::http::settings::Settings;
use crate::http::stream_budget::StreamBudget;
use crate::http::template_cache::TemplateCache;
use crate::http::wechat::fault::CallbackFaults;
use crate::http::wechat::forwarder::Forwarder;
use crate::http::wechat::late_receipts::LateReceipts;
use crate::http::wechat::open_windows::OpenWindows;
use crate::identity::browser_sessions::BrowserSessions;
use crate::identity::error::IdentityError;
use crate::identity::login::{self, LoginDestination};
use crate::identity::record_macs::RosterMacs;
use crate::identity::roster_log::RosterLog;
use crate::projections::dead_letters::DeadLetterProjection;
use crate::projections::dead_letters::handling::DeadLetterHandler;
use crate::projections::delivery_status::DeliveryStatusProjection;
use crate::projections::feed::Feed;
use crate::projections::visits::VisitProjection;
use crate::scan::codes::CodeSource;
use crate::scan::codes::page::PageCodes;
use crate::scan::codes::permanent::PermanentCodes;
use crate::scan::codes::usage::QrUsageReader;
use crate::scan::drawings::DrawingCache;
use crate::scan::invitation_index::InvitationIndex;
use crate::scan::progress_poll::ProgressPolls;
use crate::scan::sessions::ScanSessions;
use crate::scan::template_tests::TemplateTestStore;
use crate::settings::DeploymentSettings;
use crate::settings::live::LiveSettings;
use crate::settings::update::SettingsEditor;
use axum::extract::FromRef;
use paihao_cache::Cache;
use paihao_chassis::clock::Clock;
use paihao_contracts::session::LoginTarget;
use paihao_contracts::staff::STAFF_GENERATION;
use paihao_http_api::ApiState;
use paihao_http_api::sse::Positioned;
use paihao_ledger::Ledger;
use paihao_wechat::{AccountClient, PersonTags};
use std::ops::Deref;
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

/// Application state: one pointer, since a request copies it several times.
#[derive(Clone)]
pub(crate) struct AppState(pub(crate) Arc<AppStateInner>);

/// Fields of the application state.
pub(crate) struct AppStateInner {
    pub(crate) deployment: Arc<DeploymentSettings>,
    pub(crate) live_settings: LiveSettings,
    pub(crate) settings_editor: SettingsEditor,
    pub(crate) templates: TemplateCache,
    pub(crate) wechat: AccountClient,
    pub(crate) engine: Engine,
    pub(crate) visits: VisitProjection,
    pub(crate) scan_sessions: Arc<ScanSessions>,
    pub(crate) progress_polls: Arc<ProgressPolls>,
    pub(crate) backchannel_logout: Arc<BackchannelLogout>,
    pub(crate) invitation_index: InvitationIndex,
    pub(crate) template_tests: TemplateTestStore,
    pub(crate) roster: Arc<RosterLog>,
    pub(crate) record_macs: Arc<RosterMacs>,
    pub(crate) browser_sessions: Arc<BrowserSessions>,
    pub(crate) rate_limiter: RateLimiter,
    pub(crate) guesses: GuessLimiter,
    pub(crate) fair_use: FairUse,
    pub(crate) stream_budget: Arc<StreamBudget>,
    pub(crate) drawings: DrawingCache,
    pub(crate) code_source: Arc<dyn CodeSource>,
    pub(crate) permanent_codes: Arc<PermanentCodes>,
    pub(crate) ledger: Arc<dyn Ledger>,
    pub(crate) cache: Arc<dyn Cache>,
    pub(crate) qr_usage: Arc<QrUsageReader>,
    pub(crate) delivery_status: DeliveryStatusProjection,
    pub(crate) dead_letters: DeadLetterProjection,
    pub(crate) dead_letter_handler: DeadLetterHandler,
    pub(crate) link_limiter: LinkLimiter,
    pub(crate) callback_faults: Arc<CallbackFaults>,
    pub(crate) examinations: Arc<Examinations>,
    pub(crate) rehearsals: Option<Arc<dyn Rehearsals>>,
    pub(crate) late_receipts: LateReceipts,
    pub(crate) open_windows: Arc<OpenWindows>,
    pub(crate) forwarder: Forwarder,
    pub(crate) page_codes: PageCodes,
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

impl AppState {
    /// Returns whether WeChat and the phones are simulated.
    pub(crate) fn is_rehearsal(&self) -> bool {
        self.rehearsals.as_ref().is_some_and(|rehearsals| rehearsals.is_under_way())
    }

    /// Returns the account by which staff log in.
    pub(crate) fn login_account(&self) -> Option<String> {
        let configured = self.settings.login.account.clone();
        configured.or_else(|| self.deployment.first_added_account())
    }

    /// Returns the maker of the tags that stand for customers, once the deployment's secret is
    /// known.
    pub(crate) async fn person_tags(&self) -> Result<PersonTags, IdentityError> {
        let roster = self.roster.loaded().await?;
        let are_keyed = self.settings.write_version.allows(STAFF_GENERATION);
        roster.person_tags(are_keyed).ok_or(IdentityError::LedgerUnavailable)
    }

    /// Returns the destination of a login; `None` if it no longer exists.
    pub(crate) fn login_destination(&self, target: &LoginTarget) -> Option<LoginDestination> {
        login::login_destination(&self.settings.login, self.login_account(), target)
    }
}

impl FromRef<AppState> for TrustedProxies {
    fn from_ref(state: &AppState) -> TrustedProxies {
        state.settings.trusted_proxies.clone()
    }
}

impl FromRef<AppState> for CodeEmbedders {
    fn from_ref(state: &AppState) -> CodeEmbedders {
        CodeEmbedders {
            public_url: state.settings.public_url.clone(),
            origins: state.settings.code_embedders.clone(),
        }
    }
}

impl FromRef<AppState> for Arc<StreamBudget> {
    fn from_ref(state: &AppState) -> Arc<StreamBudget> {
        state.stream_budget.clone()
    }
}

impl ApiState for AppState {
    const MALFORMED_REQUEST: &'static ProblemKind = &refusals::MALFORMED_REQUEST;
    const BODY_TOO_LARGE: &'static ProblemKind = &refusals::BODY_TOO_LARGE;
}

impl Positioned for SiteSnapshot {
    fn position(&self) -> u64 {
        self.position.0
    }
}
