//! The door of the system: everything that people, browsers and WeChat say comes in here.
//!
//! A request becomes a command, the command a decision, the decision an entry of the ledger, and
//! only then an answer. A replica holds nothing of its own: its view of the lines is what the
//! ledger says, so any replica may take any request.
//!
//! In reading order: [`book`] is what the owner set up, [`calendar`] its days; [`lines`] decides and
//! follows; [`callback`] hears WeChat; [`codes`] are the QR codes that WeChat makes; [`sessions`] is
//! a browser waiting for a scan, `holders` the ticket behind a link; `staff` is who works here, [`login`]
//! how they come in; [`fates`] knows what became of each message, `letters` what could not be done; `feed` is what happened, for others;
//! [`api`] serves programs and pages; `openapi` is how a route says what it is; [`refusals`] lists
//! every "no".

pub mod book;
pub mod calendar;
pub mod history;
pub mod lines;

pub mod callback;
pub mod codes;
pub mod qr;
pub mod scene;
pub mod sessions;
pub mod wording;

mod holders;
pub mod login;
mod staff;

pub mod fates;
mod letters;

mod feed;

pub mod api;
mod openapi;
pub mod refusals;

mod body;
pub mod callers;
mod cookies;
pub mod framing;
pub mod limits;
mod pages;

use api::Screens;
use api::book::Templates;
use api::ticket::Turns;
use axum::Router;
use book::Book;
use book::running::Running;
use codes::CodeSource;
use codes::cost::Costs;
use codes::doors::Doors;
use codes::pool::{PoolSettings, Pools};
use fates::Fates;
use feed::Feed;
use framing::Origin;
use letters::Letters;
use limits::Limits;
use lines::Lines;
use lines::past::Past;
use login::settings::LoginSettings;
use openapi::Routes;
use paihao_cache::Cache;
use paihao_chassis::Tasks;
use paihao_chassis::clock::Clock;
use paihao_ledger::Ledger;
use paihao_wechat::Caller;
use refusals::Problem;
use sessions::ScanSessions;
use staff::register::Register;
use staff::sessions::{Lasting, StaffSessions};
use std::ops::Deref;
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

/// What every handler can reach: one pointer, since a request copies it several times.
#[derive(Clone)]
struct Door(Arc<Within>);

/// What is behind the door.
struct Within {
    book: Arc<Book>,
    setup: Running,
    templates: Templates,
    lines: Lines,
    sessions: Arc<ScanSessions>,
    staff: Arc<Register>,
    logins: Arc<StaffSessions>,
    limits: Limits,
    codes: Arc<dyn CodeSource>,
    doors: Arc<Doors>,
    ledger: Arc<dyn Ledger>,
    cache: Arc<dyn Cache>,
    costs: Arc<Costs>,
    fates: Fates,
    letters: Letters,
    turns: Turns,
    feed: Feed,
    past: Past,
    screens: Screens,
    clock: Arc<dyn Clock>,
    settings: Settings,
    stop: CancellationToken,
}

impl Deref for Door {
    type Target = Within;

    fn deref(&self) -> &Within {
        &self.0
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
    paihao_chassis::http::serve(&door, "http", listener, router(Door(Arc::new(within))));
    tasks.spawn("closing", async move {
        door.ended().await;
        closed.cancel();
    });
    Gateway { lines, setup, fates, staff: known }
}

/// Everything that is served.
fn described() -> Routes {
    callback::routes().merge(api::routes()).merge(pages::routes())
}

fn router(door: Door) -> Router {
    let routes = described().into_router();
    let routes = routes
        .method_not_allowed_fallback(async || Problem::new(&refusals::METHOD_NOT_ALLOWED))
        .fallback(async || Problem::new(&refusals::UNKNOWN_PATH));
    api::layers(routes).with_state(door)
}
