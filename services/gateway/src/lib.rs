//! Gateway service: turns requests of people, browsers and WeChat into decisions on the ledger.
//!
//! A request becomes a command, the command a decision, and the decision an entry of the ledger;
//! then the request is answered. A replica has no state of its own: it replays the ledger, so any
//! replica may take any request.
//!
//! In reading order: [`site`] is one site as it is set up; [`settings`] holds the settings
//! documents; [`engine`] decides and follows; [`identity`] has the staff and their logins;
//! [`projections`] are read models folded from logs; [`scan`] covers QR codes and the sessions that
//! wait for a scan; [`http`] is the edge. None of them but `http` knows the others: this file joins
//! them.

mod codec;
pub mod site;

pub mod engine;
pub mod identity;
pub mod projections;
pub mod scan;
pub mod settings;

pub mod http;

pub use http::settings::Settings;

use axum::Router;
use engine::as_of::PointInTimeReader;
use engine::{DecisionObserver, Engine, Forecasts};
use http::Routers;
use http::backchannel_logout::BackchannelLogout;
use http::board::cache::BoardCache;
use http::examinations::{Doctor, Examinations};
use http::fair_use::FairUse;
use http::guesses::GuessLimiter;
use http::link_limit::LinkLimiter;
use http::rate_limit::RateLimiter;
use http::rehearsal::Rehearsals;
use http::state::{AppState, AppStateInner};
use http::stream_budget::StreamBudget;
use http::template_cache::TemplateCache;
use http::wechat::fault::{self, CallbackFaults};
use http::wechat::forwarder::Forwarder;
use http::wechat::late_receipts::LateReceipts;
use http::wechat::open_windows::{self, OpenWindows};
use http::wechat::receipts;
use identity::browser_sessions::{BrowserSessions, SessionLifetime};
use identity::login::first_manager;
use identity::record_macs::RosterMacs;
use identity::roster_log::RosterLog;
use paihao_cache::Cache;
use paihao_chassis::Tasks;
use paihao_chassis::clock::Clock;
use paihao_chassis::http::{ConnectionLimits, Listener, serve};
use paihao_chassis::sealing::{Keyring, UnsealError};
use paihao_contracts::envelope::NewerForm;
use paihao_contracts::settings::CodeKind;
use paihao_contracts::staff::STAFF_GENERATION;
use paihao_domain::ForecastModel;
use paihao_ledger::{Ledger, Subject};
use paihao_wechat::AccountClient;
use projections::dead_letters::DeadLetterProjection;
use projections::dead_letters::handling::DeadLetterHandler;
use projections::delivery_status::DeliveryStatusProjection;
use projections::feed::Feed;
use projections::visits::VisitProjection;
use scan::codes::CodeSource;
use scan::codes::page::{PageCodeSource, PageCodes};
use scan::codes::permanent::PermanentCodes;
use scan::codes::pool::Pools;
use scan::codes::usage::QrUsageReader;
use scan::drawings::DrawingCache;
use scan::invitation_index::InvitationIndex;
use scan::progress_poll::ProgressPolls;
use scan::sessions::ScanSessions;
use scan::template_tests::TemplateTestStore;
use settings::DeploymentSettings;
use settings::live::{LiveSettings, SitesObserver};
use settings::update::{CurrentSite, CurrentSites, SettingsEditor};
use settings::update_credentials;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

/// Adapters that a gateway is built on.
pub struct Ports {
    /// Message store.
    pub ledger: Arc<dyn Ledger>,
    /// Cache of sessions, leases and codes.
    pub cache: Arc<dyn Cache>,
    /// Client of WeChat, which fetches access tokens by itself.
    pub wechat: AccountClient,
    /// Clock.
    pub clock: Arc<dyn Clock>,
    /// Checks of the whole deployment.
    pub doctor: Arc<dyn Doctor>,
    /// Rehearsals with a simulated WeChat; `None` where there are none.
    pub rehearsals: Option<Arc<dyn Rehearsals>>,
    /// Operator's keys, which seal stored secrets; `None` without any.
    pub keyring: Option<Arc<Keyring>>,
}

/// Running gateway.
#[derive(Clone)]
pub struct Gateway {
    /// Engine; for readiness and the admin port.
    pub engine: Engine,
    /// Live settings; for readiness.
    pub live_settings: LiveSettings,
    deployment: Arc<DeploymentSettings>,
    callback_faults: Arc<CallbackFaults>,
    roster: Arc<RosterLog>,
    browser_sessions: Arc<BrowserSessions>,
    dead_letters: DeadLetterProjection,
    clock: Arc<dyn Clock>,
    /// Forecast models learned from finished visits.
    pub visits: VisitProjection,
    /// Delivery status of the notices about its tickets.
    pub delivery_status: DeliveryStatusProjection,
}

impl Gateway {
    /// Returns the form of an entry that a newer gateway wrote. That one can serve what this one
    /// cannot.
    pub fn newer_gateway(&self) -> Option<NewerForm> {
        let logs = [
            self.engine.newer(),
            self.live_settings.newer(),
            self.roster.newer(),
            self.browser_sessions.newer(),
        ];
        logs.into_iter().flatten().next()
    }

    /// Returns the form of an entry that a newer notifier wrote. Every gateway of this version
    /// lacks it, and serves everything else.
    pub fn newer_notifier(&self) -> Option<NewerForm> {
        let logs = [self.delivery_status.newer(), self.dead_letters.newer(), self.visits.newer()];
        logs.into_iter().flatten().next()
    }

    /// Returns the reason why a stored secret of this deployment cannot be opened: the operator's
    /// key is not the one that sealed it.
    pub fn unsealable(&self) -> Option<UnsealError> {
        self.roster.unsealable()
    }

    /// Takes up the modes, tokens and keys of callbacks from a configuration that was read again.
    /// Returns the number of accounts that changed; other changes need a restart.
    pub fn reload(&self, configured: &DeploymentSettings) -> usize {
        let mut changes = 0;
        for (account, settings) in &self.deployment.accounts {
            let Some(new) = configured.accounts.get(account) else { continue };
            match settings.reload(&new.protection()) {
                Ok(true) => {
                    changes += 1;
                    let mode = format!("{:?}", new.protection().mode).to_lowercase();
                    tracing::info!(account, mode, "took up the keys of an account's callbacks");
                }
                Ok(false) => {}
                Err(error) => tracing::warn!(account, %error, "a restart is needed"),
            }
        }
        changes
    }

    /// Routes of the admin port: `GET /callback-faults`, the callbacks that were not acted on since
    /// the start, by account and cause.
    pub fn callback_fault_routes(&self) -> Router {
        fault::routes(self.callback_faults.clone())
    }

    /// Returns a code that makes its bearer the first manager for this time; `None` if there has
    /// been one. Waits until the log of staff has been read.
    pub fn first_manager_code(
        &self,
        ttl: Duration,
    ) -> impl Future<Output = Option<String>> + Send + use<> {
        let roster_log = self.roster.clone();
        let clock = self.clock.clone();
        async move {
            loop {
                if let Ok(roster) = roster_log.loaded().await {
                    return first_manager::make_code(&roster, clock.now_ms(), ttl);
                }
            }
        }
    }
}

/// Bound listeners of a gateway.
pub struct Listeners {
    /// Port of everything.
    pub public: Listener,
    /// Port of WeChat's callbacks alone, if they have one of their own.
    pub callbacks: Option<TcpListener>,
}

/// Starts a gateway on its listeners. At the soft stop they close first; the engine and what it
/// needs go on until the requests under way have been answered.
pub fn start(
    settings: Settings,
    deployment: Arc<DeploymentSettings>,
    ports: Ports,
    listeners: Listeners,
    tasks: &Tasks,
) -> Gateway {
    let limits = settings.connections.clone();
    let serve = |tasks: &Tasks, live_settings, routers| {
        serve_once_read(tasks, live_settings, listeners, routers, limits);
    };
    start_with(settings, deployment, ports, serve, tasks)
}

/// Starts a gateway without a listener, and returns it with its routes, which a caller in the same
/// process calls once the settings are read. At the soft stop the engine does not wait for them.
pub fn start_in_process(
    settings: Settings,
    deployment: Arc<DeploymentSettings>,
    ports: Ports,
    tasks: &Tasks,
) -> (Gateway, Router) {
    let mut in_process = Router::new();
    let serve = |tasks: &Tasks, _: LiveSettings, routers: Routers| {
        in_process = routers.public;
        tasks.spawn("edge", tasks.stop().clone().cancelled_owned());
    };
    let gateway = start_with(settings, deployment, ports, serve, tasks);
    (gateway, in_process)
}

/// Starts a gateway whose routes are served by `serve`, as tasks of the edge.
fn start_with(
    settings: Settings,
    deployment: Arc<DeploymentSettings>,
    ports: Ports,
    serve: impl FnOnce(&Tasks, LiveSettings, Routers),
    tasks: &Tasks,
) -> Gateway {
    let Ports { ledger, cache, wechat, clock, doctor, rehearsals, keyring } = ports;
    settings.login.warn_of_weak_confirmation();
    let edge_tasks = tasks.child("door");
    let requests_answered = CancellationToken::new();

    let templates = TemplateCache::new(wechat.clone());
    let page_codes = page_codes(&settings, &deployment);
    let code_source: Arc<dyn CodeSource> =
        Arc::new(PageCodeSource::new(page_codes.clone(), Arc::new(wechat.clone())));
    let session_ttl = settings.scan_session_ttl;
    let accounts = deployment.sites.values().map(|site| site.facts.account.to_string());
    let pools = Pools::start(&settings.pool, accounts, session_ttl, &code_source, &clock, tasks);
    let scan_sessions = ScanSessions::new(
        cache.clone(),
        code_source.clone(),
        pools.clone(),
        clock.clone(),
        session_ttl,
    );
    let roster = RosterLog::start(
        ledger.clone(),
        clock.clone(),
        keyring.clone(),
        settings.write_version,
        settings.login.former_name_retention,
        tasks,
    );
    let record_macs = Arc::new(RosterMacs {
        roster: roster.clone(),
        is_required: settings.write_version.allows(STAFF_GENERATION),
    });
    let scan_sessions =
        scan_sessions.with_shares(settings.code_shares).with_macs(record_macs.clone());
    let scan_sessions = Arc::new(scan_sessions);
    let permanent_codes = PermanentCodes::start(
        ledger.clone(),
        cache.clone(),
        code_source.clone(),
        clock.clone(),
        settings.permanent_codes,
        tasks,
    );
    let qr_usage = QrUsageReader::new(code_source.clone(), permanent_codes.clone(), pools.clone());

    let session_lifetime = SessionLifetime {
        idle_timeout: settings.login.idle_timeout,
        max_age: settings.login.max_lifetime,
    };
    let browser_sessions =
        BrowserSessions::start(ledger.clone(), clock.clone(), session_lifetime, tasks);

    let delivery_status = DeliveryStatusProjection::start(ledger.clone(), clock.clone(), tasks);
    let dead_letters = DeadLetterProjection::start(ledger.clone(), tasks);
    let dead_letter_handler = DeadLetterHandler {
        ledger: ledger.clone(),
        clock: clock.clone(),
        letters: dead_letters.clone(),
        delivery_status: delivery_status.clone(),
    };
    let feed = Feed::new(ledger.clone(), &edge_tasks);
    let visits = VisitProjection::start(ledger.clone(), requests_answered.clone(), tasks);

    // No site is there before its settings are read: they are published below.
    let engine = Engine::start(
        &BTreeMap::new(),
        ledger.clone(),
        clock.clone(),
        Arc::new(visits.clone()),
        decision_observer(scan_sessions.clone(), delivery_status.clone()),
        &requests_answered,
        tasks,
    );
    let live_settings = LiveSettings::start(
        deployment.clone(),
        sites_observer(engine.clone(), pools),
        ledger.clone(),
        keyring.clone(),
        requests_answered.clone(),
        tasks,
    );
    if let Some(keyring) = keyring.clone() {
        let sealed = update_credentials::keep_sealed(
            live_settings.clone(),
            keyring,
            ledger.clone(),
            clock.clone(),
            tasks.stop().clone(),
        );
        tasks.spawn("sealed credentials", sealed);
    }
    let settings_editor = SettingsEditor {
        deployment: deployment.clone(),
        live_settings: live_settings.clone(),
        sites: Arc::new(engine.clone()),
        ledger: ledger.clone(),
        clock: clock.clone(),
        keyring,
        write_version: settings.write_version,
    };

    let private_targets = deployment.account_limits.private_targets.clone();
    let callback_faults = Arc::new(CallbackFaults::default());
    let open_windows = Arc::new(OpenWindows::default());
    let state = AppState(Arc::new(AppStateInner {
        deployment: deployment.clone(),
        live_settings: live_settings.clone(),
        settings_editor,
        templates,
        wechat,
        engine: engine.clone(),
        visits: visits.clone(),
        progress_polls: ProgressPolls::new(scan_sessions.clone()),
        scan_sessions,
        backchannel_logout: BackchannelLogout::new(
            settings.login.clone(),
            roster.clone(),
            clock.clone(),
            &edge_tasks,
        ),
        invitation_index: InvitationIndex(cache.clone()),
        template_tests: TemplateTestStore::new(cache.clone(), clock.clone()),
        roster: roster.clone(),
        record_macs,
        browser_sessions: browser_sessions.clone(),
        rate_limiter: RateLimiter::new(settings.limits, clock.clone()),
        guesses: GuessLimiter::new(settings.guesses, clock.clone()),
        fair_use: FairUse::new(&clock),
        stream_budget: StreamBudget::new(settings.streams),
        drawings: DrawingCache::default(),
        code_source,
        permanent_codes,
        point_in_time: PointInTimeReader::new(ledger.clone()),
        ledger,
        cache,
        qr_usage: Arc::new(qr_usage),
        delivery_status: delivery_status.clone(),
        dead_letters: dead_letters.clone(),
        dead_letter_handler,
        link_limiter: LinkLimiter::default(),
        callback_faults: callback_faults.clone(),
        examinations: Examinations::new(doctor, clock.clone(), &edge_tasks),
        rehearsals,
        late_receipts: LateReceipts::default(),
        open_windows: open_windows.clone(),
        forwarder: Forwarder::new(private_targets),
        page_codes,
        feed,
        board_cache: BoardCache::default(),
        clock: clock.clone(),
        settings,
        stop: edge_tasks.stop().clone(),
    }));
    http::wechat::late_erasures::start(state.clone(), &edge_tasks);
    receipts::start(state.clone(), &edge_tasks);
    open_windows::start(open_windows, state.cache.clone(), &edge_tasks);
    http::wechat::shared_faults::start(state.clone(), &edge_tasks);
    serve(&edge_tasks, live_settings.clone(), http::routers(state));
    tasks.spawn("closing", async move {
        edge_tasks.wait().await;
        requests_answered.cancel();
    });
    Gateway {
        engine,
        live_settings,
        deployment,
        callback_faults,
        roster,
        browser_sessions,
        dead_letters,
        clock,
        visits,
        delivery_status,
    }
}

/// Returns the codes that lead to pages, for the accounts whose settings say so.
fn page_codes(settings: &Settings, deployment: &Arc<DeploymentSettings>) -> PageCodes {
    let deployment = deployment.clone();
    let is_used_by = move |account: &str| {
        let account = deployment.account(account);
        account.is_some_and(|account| account.replies().codes == CodeKind::Page)
    };
    PageCodes::new(settings.public_url.clone(), Arc::new(is_used_by))
}

/// Serves as soon as the settings are read. Until then connections wait: an answer by the
/// configuration alone could be wrong.
fn serve_once_read(
    tasks: &Tasks,
    live_settings: LiveSettings,
    listeners: Listeners,
    routers: Routers,
    limits: ConnectionLimits,
) {
    let serving = tasks.clone();
    tasks.spawn_vital("open", async move {
        let read = live_settings.until_caught_up();
        if serving.stop().clone().run_until_cancelled(read).await.is_some() {
            let Listeners { public, callbacks } = listeners;
            let Routers { public: everything, callbacks: callback_routes } = routers;
            serve(&serving, "http", public, everything, limits.clone());
            if let Some(listener) = callbacks {
                serve(&serving, "callbacks", listener, callback_routes, limits);
            }
        }
    });
}

/// Hands each decision to the sessions that wait for a scan and to the delivery status.
fn decision_observer(
    scan_sessions: Arc<ScanSessions>,
    delivery_status: DeliveryStatusProjection,
) -> DecisionObserver {
    Arc::new(move |subject, decision| {
        scan_sessions.observe(decision);
        delivery_status.observe(subject, decision);
    })
}

/// Hands the sites to the engine, and their accounts to the pools of codes.
fn sites_observer(engine: Engine, pools: Arc<Pools>) -> SitesObserver {
    Arc::new(move |sites| {
        engine.set_sites(sites);
        pools.add_accounts(sites.values().map(|site| site.facts.account.to_string()));
    })
}

impl Forecasts for VisitProjection {
    fn model(&self, site: &Subject) -> ForecastModel {
        VisitProjection::model(self, site)
    }
}

impl CurrentSites for Engine {
    fn current(&self, site: &str) -> Option<CurrentSite> {
        let state = self.snapshot(site)?.site;
        Some(CurrentSite { settings: self.settings(site)?, state })
    }
}
