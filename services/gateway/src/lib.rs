//! Gateway service: turns requests of people, browsers and WeChat into decisions on the ledger.
//!
//! A request becomes a command, the command a decision, the decision an entry of the ledger, and
//! only then an answer. A replica holds nothing of its own: its view of the lines is what the
//! ledger says, so any replica may take any request.
//!
//! In reading order: [`book`] holds the settings documents; [`lines`] decides and follows;
//! [`identity`] is who works here and how they log in; [`projections`] are read models folded from
//! logs; [`scan`] covers QR codes and the sessions that wait for a scan; [`http`] is the edge.

pub mod book;
pub mod lines;
mod stored;

pub mod identity;
pub mod projections;
pub mod scan;

pub mod http;
mod pages;

use book::Book;
use book::running::Running;
use http::api::book::Templates;
use http::api::ticket::Turns;
use http::framing::Origin;
use http::limits::Limits;
use http::screens::Screens;
use http::state::{Door, Within};
use http::{callers, limits};
use identity::login;
use identity::login::settings::LoginSettings;
use identity::register::Register;
use identity::sessions::{Lasting, StaffSessions};
use lines::Lines;
use lines::past::Past;
use paihao_cache::Cache;
use paihao_chassis::Tasks;
use paihao_chassis::clock::Clock;
use paihao_ledger::Ledger;
use paihao_wechat::Caller;
use projections::fates::Fates;
use projections::feed::Feed;
use projections::letters::Letters;
use scan::codes::CodeSource;
use scan::codes::cost::Costs;
use scan::codes::doors::Doors;
use scan::codes::pool::{PoolSettings, Pools};
use scan::sessions::ScanSessions;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

/// What can be set about a gateway.
#[derive(Debug, Clone)]
pub struct Settings {
    /// How far a callback's timestamp may be from this machine's clock.
    pub callback_window: Duration,
    /// Bytes a callback's body may have.
    pub callback_body_limit: usize,
    /// How long a session's QR code works.
    pub session_expiry: Duration,
    /// Codes that are made ahead of need.
    pub pool: PoolSettings,
    /// Under which address people reach this gateway, without a slash at the end; without it nobody
    /// is given a link.
    pub public: Option<String>,
    /// Where the simulator's phones are, for the links of a demo.
    pub phones: Option<String>,
    /// Whose pages may show the board within them.
    pub framed_by: Vec<Origin>,
    /// How people log in.
    pub login: LoginSettings,
    /// Proxies that are believed where a request comes from.
    pub trusted_proxies: Vec<callers::Range>,
    /// How much one address may ask of what anybody may ask for.
    pub limits: limits::LimitSettings,
}

/// What a gateway stands on.
pub struct Ports {
    /// The message store.
    pub ledger: Arc<dyn Ledger>,
    /// The cache.
    pub cache: Arc<dyn Cache>,
    /// WeChat, with the token taken care of.
    pub wechat: Caller,
    /// The time.
    pub clock: Arc<dyn Clock>,
}

/// A running gateway.
pub struct Gateway {
    /// The lines of its sites; for readiness and the admin port.
    pub lines: Lines,
    /// What is set up; for readiness.
    pub setup: Running,
    staff: Arc<Register>,
    /// What became of the messages about its tickets.
    pub fates: Fates,
}

impl Gateway {
    /// The code with which the first of all becomes a manager, once it is known that nobody has.
    /// Waits as long as that is not known.
    pub fn first_code(&self) -> impl Future<Output = Option<String>> + Send + use<> {
        let staff = self.staff.clone();
        async move {
            loop {
                if let Ok(roster) = staff.known().await {
                    return login::first_code(&roster);
                }
            }
        }
    }
}

/// Starts a gateway on a listener. On the soft stop the door closes first, then the lines.
pub fn start(
    settings: Settings,
    book: Arc<Book>,
    ports: Ports,
    listener: TcpListener,
    tasks: &Tasks,
) -> Gateway {
    let Ports { ledger, cache, wechat, clock } = ports;
    let templates = Templates::new(wechat.clone());
    let codes: Arc<dyn CodeSource> = Arc::new(wechat);
    let expiry = settings.session_expiry;
    let accounts = book.sites.values().map(|site| site.facts.account.to_string());
    let pools = Pools::start(&settings.pool, accounts, expiry, &codes, &clock, tasks);
    let sessions =
        ScanSessions::new(cache.clone(), codes.clone(), pools.clone(), clock.clone(), expiry);
    let sessions = Arc::new(sessions);
    let doors = Doors::start(ledger.clone(), cache.clone(), codes.clone(), clock.clone(), tasks);
    let costs = Arc::new(Costs::new(codes.clone(), doors.clone(), pools.clone()));
    let staff = Register::start(ledger.clone(), clock.clone(), tasks);
    let lasting = Lasting { idle: settings.login.idle, whole: settings.login.longest };
    let known = staff.clone();
    let logins = StaffSessions::start(ledger.clone(), clock.clone(), lasting, tasks);
    let told = sessions.clone();
    let fates = Fates::follow(ledger.clone(), clock.clone(), tasks);
    let letters = Letters::follow(ledger.clone(), tasks);
    let planned = fates.clone();
    let observer: lines::Observer = Arc::new(move |book, decision| {
        told.hear(decision);
        planned.hear(book, decision);
    });

    let (door, closed) = (tasks.child("door"), CancellationToken::new());
    let (feed, past) = (Feed::new(ledger.clone(), &door), Past::new(ledger.clone()));
    let lines = Lines::start(&book, ledger.clone(), clock.clone(), observer, &closed, tasks);
    let (read, stop) = (ledger.clone(), closed.clone());
    let setup = Running::follow(book.clone(), lines.clone(), pools, read, stop, tasks);
    let within = Within {
        book,
        setup: setup.clone(),
        templates,
        lines: lines.clone(),
        sessions,
        staff,
        logins,
        limits: Limits::new(settings.limits, clock.clone()),
        codes,
        doors,
        ledger,
        cache,
        costs,
        fates: fates.clone(),
        letters,
        turns: Turns::default(),
        feed,
        past,
        screens: Screens::default(),
        clock,
        settings,
        stop: door.stop().clone(),
    };
    paihao_chassis::http::serve(&door, "http", listener, http::router(Door(Arc::new(within))));
    tasks.spawn("closing", async move {
        door.ended().await;
        closed.cancel();
    });
    Gateway { lines, setup, fates, staff: known }
}
