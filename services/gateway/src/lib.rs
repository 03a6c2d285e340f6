//! Gateway service: turns requests of people, browsers and WeChat into decisions on the ledger.
//!
//! A request becomes a command, the command a decision, the decision an entry of the ledger, and
//! only then an answer. A replica holds nothing of its own: its view of the lines is what the
//! ledger says, so any replica may take any request.
//!
//! In reading order: [`settings`] holds the settings documents; [`engine`] decides and follows;
//! [`identity`] is who works here and how they log in; [`projections`] are read models folded from
//! logs; [`handle_scan`] covers QR codes and the sessions that wait for a scan; [`http`] is the edge.

mod codec;
pub mod engine;
pub mod settings;

pub mod identity;
pub mod projections;
pub mod scan;

pub mod http;
mod pages;

use engine::Engine;
use engine::as_of::PointInTimeReader;
use http::api::settings::TemplateCache;
use http::api::ticket::LinkLimiter;
use http::board_cache::BoardCache;
use http::csp::Origin;
use http::rate_limit::RateLimiter;
use http::state::{AppState, AppStateInner};
use http::{client_ip, rate_limit};
use identity::browser_sessions::{BrowserSessions, SessionLifetime};
use identity::login;
use identity::login::settings::LoginSettings;
use identity::roster_log::RosterLog;
use paihao_cache::Cache;
use paihao_chassis::Tasks;
use paihao_chassis::clock::Clock;
use paihao_ledger::Ledger;
use paihao_wechat::AccountClient;
use projections::dead_letters::DeadLetterProjection;
use projections::delivery_status::DeliveryStatusProjection;
use projections::feed::Feed;
use scan::codes::CodeSource;
use scan::codes::permanent::PermanentCodes;
use scan::codes::pool::{PoolSettings, Pools};
use scan::codes::usage::QrUsageReader;
use scan::sessions::ScanSessions;
use settings::DeploymentSettings;
use settings::live::LiveSettings;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

/// What can be set about a gateway.
#[derive(Debug, Clone)]
pub struct Settings {
    /// How far a callback's timestamp may be from this machine's clock.
    pub max_callback_clock_skew: Duration,
    /// Bytes a callback's body may have.
    pub max_callback_body_bytes: usize,
    /// How long a session's QR code works.
    pub scan_session_ttl: Duration,
    /// Codes that are made ahead of need.
    pub pool: PoolSettings,
    /// Under which address people reach this gateway, without a slash at the end; without it nobody
    /// is given a link.
    pub public_url: Option<String>,
    /// Where the simulator's phones are, for the links of a demo.
    pub simulator_url: Option<String>,
    /// Whose pages may show the board within them.
    pub frame_ancestors: Vec<Origin>,
    /// How people log in.
    pub login: LoginSettings,
    /// Proxies that are believed where a request comes from.
    pub trusted_proxies: Vec<client_ip::IpRange>,
    /// How much one address may ask of what anybody may ask for.
    pub limits: rate_limit::RateLimitSettings,
}

/// What a gateway stands on.
pub struct Ports {
    /// The message store.
    pub ledger: Arc<dyn Ledger>,
    /// The cache.
    pub cache: Arc<dyn Cache>,
    /// WeChat, with the token taken care of.
    pub wechat: AccountClient,
    /// The time.
    pub clock: Arc<dyn Clock>,
}

/// A running gateway.
pub struct Gateway {
    /// The lines of its sites; for readiness and the admin port.
    pub engine: Engine,
    /// What is set up; for readiness.
    pub live_settings: LiveSettings,
    roster: Arc<RosterLog>,
    /// What became of the messages about its tickets.
    pub delivery_status: DeliveryStatusProjection,
}

impl Gateway {
    /// The code with which the first of all becomes a manager, once it is known that nobody has.
    /// Waits as long as that is not known.
    pub fn first_manager_code(&self) -> impl Future<Output = Option<String>> + Send + use<> {
        let staff = self.roster.clone();
        async move {
            loop {
                if let Ok(roster) = staff.loaded().await {
                    return login::first_manager_code(&roster);
                }
            }
        }
    }
}

/// Starts a gateway on a listener. On the soft stop the door closes first, then the lines.
pub fn start(
    settings: Settings,
    book: Arc<DeploymentSettings>,
    ports: Ports,
    listener: TcpListener,
    tasks: &Tasks,
) -> Gateway {
    let Ports { ledger, cache, wechat, clock } = ports;
    let templates = TemplateCache::new(wechat.clone());
    let codes: Arc<dyn CodeSource> = Arc::new(wechat);
    let expiry = settings.scan_session_ttl;
    let accounts = book.sites.values().map(|site| site.facts.account.to_string());
    let pools = Pools::start(&settings.pool, accounts, expiry, &codes, &clock, tasks);
    let sessions =
        ScanSessions::new(cache.clone(), codes.clone(), pools.clone(), clock.clone(), expiry);
    let sessions = Arc::new(sessions);
    let doors =
        PermanentCodes::start(ledger.clone(), cache.clone(), codes.clone(), clock.clone(), tasks);
    let costs = Arc::new(QrUsageReader::new(codes.clone(), doors.clone(), pools.clone()));
    let staff = RosterLog::start(ledger.clone(), clock.clone(), tasks);
    let lasting = SessionLifetime {
        idle_timeout: settings.login.idle_timeout,
        max_age: settings.login.max_lifetime,
    };
    let known = staff.clone();
    let logins = BrowserSessions::start(ledger.clone(), clock.clone(), lasting, tasks);
    let told = sessions.clone();
    let fates = DeliveryStatusProjection::start(ledger.clone(), clock.clone(), tasks);
    let letters = DeadLetterProjection::start(ledger.clone(), tasks);
    let planned = fates.clone();
    let observer: engine::DecisionObserver = Arc::new(move |book, decision| {
        told.observe(decision);
        planned.observe(book, decision);
    });

    let (door, closed) = (tasks.child("door"), CancellationToken::new());
    let (feed, past) = (Feed::new(ledger.clone(), &door), PointInTimeReader::new(ledger.clone()));
    let lines = Engine::start(&book, ledger.clone(), clock.clone(), observer, &closed, tasks);
    let (read, stop) = (ledger.clone(), closed.clone());
    let setup = LiveSettings::start(book.clone(), lines.clone(), pools, read, stop, tasks);
    let within = AppStateInner {
        deployment: book,
        live_settings: setup.clone(),
        templates,
        engine: lines.clone(),
        scan_sessions: sessions,
        roster: staff,
        browser_sessions: logins,
        rate_limiter: RateLimiter::new(settings.limits, clock.clone()),
        code_source: codes,
        permanent_codes: doors,
        ledger,
        cache,
        qr_usage: costs,
        delivery_status: fates.clone(),
        dead_letters: letters,
        link_limiter: LinkLimiter::default(),
        feed,
        point_in_time: past,
        board_cache: BoardCache::default(),
        clock,
        settings,
        stop: door.stop().clone(),
    };
    paihao_chassis::http::serve(&door, "http", listener, http::router(AppState(Arc::new(within))));
    tasks.spawn("closing", async move {
        door.wait().await;
        closed.cancel();
    });
    Gateway { engine: lines, live_settings: setup, delivery_status: fates, roster: known }
}
