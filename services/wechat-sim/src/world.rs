//! State of the simulator, shared by its handlers.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use parking_lot::{Mutex, RwLock};
use serde::Serialize;
use tokio::sync::{broadcast, mpsc, watch};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::clock::Clock;
use crate::codes::Codes;
use crate::config::{Behaviour, SimAccount, SimConfig};
use crate::dedup::MessageDedup;
use crate::faults::Faults;
use crate::media::Media;
use crate::menu::Menu;
use crate::migration::Migration;
use crate::people::{ChatContent, People};
use crate::push::{Push, PushPause, PushRecord};
use crate::quota::CallCounter;
use crate::stats::Counters;
use crate::tags::Tags;
use crate::templates::SimTemplate;
use crate::tokens::{TokenStatus, Tokens};
use crate::visits::PageVisits;

pub(crate) type SharedState = Arc<SimulatorState>;

/// First msgid; above 2^53, as WeChat's are.
const FIRST_MSGID: u64 = 3_557_254_367_693_750_277;

/// Account with its state.
#[derive(Debug)]
pub(crate) struct AccountState {
    pub(crate) index: usize,
    pub(crate) config: SimAccount,
    pub(crate) tokens: Mutex<Tokens>,
    pub(crate) quota: Mutex<CallCounter>,
    /// Current AppSecret, which can be changed while the simulator runs.
    pub(crate) secret: Mutex<String>,
    /// Ticket with which web pages sign, and its end in Unix milliseconds.
    pub(crate) jsapi_ticket: Mutex<Option<(String, u64)>>,
    pub(crate) menu: Mutex<Option<Menu>>,
    /// Templates of template messages; library templates are added to them.
    pub(crate) templates: Mutex<Vec<SimTemplate>>,
    /// Templates of subscription notices.
    pub(crate) subscriptions: Mutex<Vec<SimTemplate>>,
    pub(crate) tags: Mutex<Tags>,
    pub(crate) push_pause: Mutex<PushPause>,
    urls: RwLock<Vec<String>>,
    next_url: AtomicUsize,
}

impl AccountState {
    pub(crate) fn set_urls(&self, urls: Vec<String>) {
        *self.urls.write() = urls;
    }

    /// Returns the callbacks of the next push, the one for the first delivery first; empty if there
    /// are none.
    pub(crate) fn next_urls(&self) -> Vec<String> {
        let mut urls = self.urls.read().clone();
        if !urls.is_empty() {
            let first = self.next_url.fetch_add(1, Ordering::Relaxed) % urls.len();
            urls.rotate_left(first);
        }
        urls
    }
}

/// Receipt that waits for its time.
#[derive(Debug)]
pub(crate) struct ScheduledReceipt {
    /// Due time in Unix milliseconds of the wall clock.
    pub(crate) due_ms: u64,
    pub(crate) push: Push,
}

/// Event for open pages.
#[derive(Debug, Clone)]
pub(crate) struct PageEvent {
    pub(crate) event: &'static str,
    pub(crate) json: String,
}

pub(crate) struct SimulatorState {
    pub(crate) config: SimConfig,
    pub(crate) behaviour: Mutex<Behaviour>,
    pub(crate) clock: Clock,
    pub(crate) accounts: Vec<AccountState>,
    pub(crate) codes: Mutex<Codes>,
    pub(crate) people: Mutex<People>,
    pub(crate) dedup: Mutex<MessageDedup>,
    pub(crate) page_visits: Mutex<PageVisits>,
    pub(crate) media: Mutex<Media>,
    pub(crate) migrations: Mutex<Vec<Migration>>,
    pub(crate) pushes: Mutex<VecDeque<Arc<PushRecord>>>,
    pub(crate) stats: Counters,
    pub(crate) faults: Faults,
    pub(crate) client: reqwest::Client,
    pub(crate) receipts: mpsc::Sender<ScheduledReceipt>,
    pub(crate) page_events: broadcast::Sender<PageEvent>,
    pub(crate) refusing_connections: watch::Sender<bool>,
    pub(crate) tasks: TaskTracker,
    pub(crate) stop: CancellationToken,
    next_msgid: AtomicU64,
    next_push: AtomicU64,
}

impl SimulatorState {
    pub(crate) fn new(config: SimConfig, receipts: mpsc::Sender<ScheduledReceipt>) -> Self {
        let SimConfig { templates, subscriptions, .. } = &config;
        let account = |(index, config): (usize, &SimAccount)| AccountState {
            index,
            urls: RwLock::new(config.callback_urls.clone()),
            config: config.clone(),
            tokens: Mutex::default(),
            quota: Mutex::default(),
            secret: Mutex::new(config.secret.clone()),
            jsapi_ticket: Mutex::default(),
            menu: Mutex::default(),
            templates: Mutex::new(config.templates.as_ref().unwrap_or(templates).clone()),
            subscriptions: Mutex::new(subscriptions.clone()),
            tags: Mutex::default(),
            push_pause: Mutex::default(),
            next_url: AtomicUsize::new(0),
        };
        let retention = config.retention;
        Self {
            behaviour: Mutex::new(config.behaviour),
            clock: Clock::default(),
            accounts: config.accounts.iter().enumerate().map(account).collect(),
            codes: Mutex::new(Codes::new(retention.codes)),
            people: Mutex::new(People::new(
                config.accounts.len(),
                retention.people,
                retention.lines,
            )),
            dedup: Mutex::new(MessageDedup::new(retention.client_msg_ids)),
            page_visits: Mutex::default(),
            media: Mutex::new(Media::new(retention.pictures)),
            migrations: Mutex::default(),
            pushes: Mutex::default(),
            stats: Counters::default(),
            faults: Faults::default(),
            client: push_client(),
            receipts,
            page_events: broadcast::channel(1024).0,
            refusing_connections: watch::channel(false).0,
            tasks: TaskTracker::new(),
            stop: CancellationToken::new(),
            next_msgid: AtomicU64::new(FIRST_MSGID),
            next_push: AtomicU64::new(1),
            config,
        }
    }

    /// Returns the account with this appid, or the first account if none is named.
    pub(crate) fn account(&self, appid: Option<&str>) -> Option<&AccountState> {
        match appid {
            Some(appid) => self.accounts.iter().find(|account| account.config.appid == appid),
            None => self.accounts.first(),
        }
    }

    /// Returns the account that a token belongs to, or the error code that refuses the token.
    pub(crate) fn account_of_token(&self, token: Option<&str>) -> Result<&AccountState, i64> {
        self.check_address()?;
        let token = token.filter(|token| !token.is_empty()).ok_or(41001)?;
        let generation = token.split('_').next().unwrap_or_default();
        if generation.is_empty() || !generation.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(40014);
        }
        let now = self.clock.now_ms();
        let statuses = self.accounts.iter().filter_map(|account| {
            account.tokens.lock().status(token, now).map(|status| (account, status))
        });
        match statuses.into_iter().next() {
            Some((account, TokenStatus::Valid)) => {
                let limit = self.config.quotas.calls_per_minute;
                let is_free = account.quota.lock().try_take_this_minute("calls", limit, now);
                if is_free { Ok(account) } else { Err(45011) }
            }
            Some((_, TokenStatus::Expired)) => Err(42001),
            Some((_, TokenStatus::NotLatest)) | None => Err(40001),
        }
    }

    /// Returns the account with these credentials, or the error code that refuses them.
    pub(crate) fn account_of_credentials(
        &self,
        appid: Option<&str>,
        secret: Option<&str>,
    ) -> Result<&AccountState, i64> {
        let is_present = |value: Option<&str>| value.is_some_and(|value| !value.is_empty());
        if !is_present(appid) {
            return Err(41002);
        }
        if !is_present(secret) {
            return Err(41004);
        }
        let account = self.account(appid).ok_or(40013)?;
        if secret != Some(account.secret.lock().as_str()) {
            return Err(40125);
        }
        self.check_address()?;
        Ok(account)
    }

    fn check_address(&self) -> Result<(), i64> {
        if self.behaviour.lock().address_listed { Ok(()) } else { Err(40164) }
    }

    pub(crate) fn new_msgid(&self) -> u64 {
        self.next_msgid.fetch_add(1, Ordering::Relaxed)
    }

    pub(crate) fn new_push_id(&self) -> u64 {
        self.next_push.fetch_add(1, Ordering::Relaxed)
    }

    pub(crate) fn is_refusing(&self) -> bool {
        *self.refusing_connections.borrow()
    }

    /// Adds a line to a customer's chat and publishes it to the open pages.
    pub(crate) fn append_chat_line(
        &self,
        account: &AccountState,
        openid: &str,
        content: ChatContent,
    ) {
        let line =
            self.people.lock().append_line(account.index, openid, self.clock.now_ms(), content);
        self.publish(
            "line",
            || serde_json::json!({ "appid": account.config.appid, "openid": openid, "line": *line }),
        );
    }

    /// Replaces or deletes the menu of an account, and shows it on the open pages.
    pub(crate) fn set_menu(&self, account: &AccountState, menu: Option<Menu>) {
        let buttons = menu.as_ref().map(|menu| menu.buttons.clone()).unwrap_or_default();
        *account.menu.lock() = menu;
        let appid = &account.config.appid;
        self.publish("menu", || serde_json::json!({ "appid": appid, "buttons": buttons }));
    }

    /// Sends an event to the open pages, if there are any.
    pub(crate) fn publish<T: Serialize>(&self, event: &'static str, value: impl FnOnce() -> T) {
        if self.page_events.receiver_count() > 0 {
            let json = serde_json::to_string(&value()).expect("news has no maps with odd keys");
            // The last page may have closed just now.
            let _ = self.page_events.send(PageEvent { event, json });
        }
    }

    pub(crate) fn record_push(&self, pushed: PushRecord) -> Arc<PushRecord> {
        let pushed = Arc::new(pushed);
        let mut pushes = self.pushes.lock();
        if pushes.len() >= self.config.retention.pushes {
            pushes.pop_front();
        }
        pushes.push_back(pushed.clone());
        pushed
    }
}

/// Creates the HTTP client of all pushes. It follows no redirects, as WeChat does not.
fn push_client() -> reqwest::Client {
    // Another part of the process may have chosen the provider already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy()
        .pool_max_idle_per_host(1024)
        // Callbacks go to test gateways over plain HTTP, so the system's certificates are not
        // needed.
        .tls_certs_only([])
        .user_agent("Mozilla/4.0")
        .build()
        .expect("the client needs nothing of the system")
}
