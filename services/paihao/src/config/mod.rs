//! The one configuration: what can be set, read from defaults, a file and the environment.
//!
//! `default.toml` is compiled in; it is the default and the manual at once. [`check`] turns what was
//! read into what the services take, and says everything that is wrong with it.

mod account;
mod calls;
mod check;
mod login;
mod notices;
mod staff;
mod webhooks;

pub use calls::ResolvedTokenConfig;
pub use check::{ResolvedConfig, Role};

use paihao_chassis::config::{ConfigError, Layers, SecretText};
use paihao_contracts::notice::Channel;
use paihao_contracts::settings::{
    self, AccountSetup, CounterSetup, KeywordAction, NoticeSetup, QueueSetup, SiteSetup, Wording,
};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// The defaults and the manual.
pub const DEFAULTS: &str = include_str!("default.toml");

/// Everything that can be set. Each key is explained in `default.toml`.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
#[allow(
    missing_docs,
    reason = "the manual of every key is default.toml, and a test keeps it whole"
)]
pub struct Config {
    pub gateway: Gateway,
    pub admin: Admin,
    pub ledger: Ledger,
    pub cache: Cache,
    pub wechat: WeChat,
    pub token: Token,
    pub notifier: Notifier,
    pub login: Login,
    pub log: Log,
    pub stop: Stop,
    pub accounts: BTreeMap<String, Account>,
    pub sites: BTreeMap<String, Site>,
    pub staff: BTreeMap<String, Staff>,
    pub sim: Sim,
}

macro_rules! section {
    ($name:ident { $($field:ident: $type:ty $(= $default:expr)?),* $(,)? }) => {
        #[doc = concat!("The section of the same name in `default.toml`.")]
        #[derive(Debug, Clone, Deserialize, Serialize)]
        #[serde(deny_unknown_fields)]
        #[allow(missing_docs, reason = "the manual of every key is default.toml")]
        pub struct $name {
            $($(#[serde(default = $default)])? pub $field: $type,)*
        }
    };
}

section!(Gateway {
    listen: String,
    public: String,
    callback_window_seconds: u64,
    callback_body_limit: usize,
    session_expiry_seconds: u64,
    phones: String,
    board_framed_by: Vec<String>,
    trusted_proxies: Vec<String>,
    pool: Pool,
    limits: GatewayLimits,
});
section!(GatewayLimits { codes_per_minute: u32, looks_per_minute: u32 });
section!(Pool { size: usize, keep_seconds: u64, per_second: u32 });
section!(Admin { listen: String });
section!(Ledger {
    kind: LedgerKind,
    file: PathBuf,
    url: String,
    namespace: String,
    replicas: usize,
    user: String,
    password: Option<SecretText> = "none",
    history_days: u16,
    timeout_ms: u64,
});
section!(Cache {
    kind: CacheKind,
    url: String,
    password: Option<SecretText> = "none",
    namespace: String,
    timeout_ms: u64,
    max_entries: usize,
});
section!(WeChat {
    api: String,
    mp: String,
    look_back_seconds: u64,
    connect_timeout_ms: u64,
    total_timeout_ms: u64,
    limits: Limits,
});
section!(Limits {
    reserve_percent: u64,
    patience_ms: u64,
    quota_look_seconds: u64,
    quota_read_seconds: u64,
    qrcode_create: Limit,
    template_send: Limit,
    subscription_send: Limit,
    service_text: Limit,
    user_info: Limit,
    code_exchange: Limit,
    circuit: Circuit,
});
section!(Limit {
    in_flight: usize,
    per_second: u32,
    per_day: u64,
    reserve_percent: Option<u64> = "none",
});
section!(AccountLimits {
    reserve_percent: Option<u64> = "none",
    qrcode_create: Option<LimitChange> = "none",
    template_send: Option<LimitChange> = "none",
    subscription_send: Option<LimitChange> = "none",
    service_text: Option<LimitChange> = "none",
    user_info: Option<LimitChange> = "none",
    code_exchange: Option<LimitChange> = "none",
});
section!(LimitChange {
    in_flight: Option<usize> = "none",
    per_second: Option<u32> = "none",
    per_day: Option<u64> = "none",
    reserve_percent: Option<u64> = "none",
});
section!(Circuit { failures: u32, open_ms: u64, longest_ms: u64 });
section!(Token {
    lease_seconds: u64,
    stable_ahead_seconds: u64,
    classic_ahead_seconds: u64,
    reload_seconds: u64,
    server: TokenServer,
});
section!(TokenServer {
    listen: String,
    per_minute: u32,
    keys: BTreeMap<String, TokenServerKey>,
});
section!(TokenServerKey { key: SecretText, accounts: Vec<String>, });
section!(Notifier { webhook_in_flight: usize, in_flight: usize, bindings_check_seconds: u64 });
section!(Login {
    account: String, confirm: bool, idle_hours: u64, longest_hours: u64,
    clients: BTreeMap<String, LoginClient>,
});
section!(LoginClient {
    name: String, redirects: Vec<String>, account: String = "nothing",
    confirm: bool = "yes", staff_only: bool = "no",
});
section!(Log { format: LogFormat, filter: String });
section!(Stop { soft_limit_seconds: u64 });
section!(Account {
    appid: String,
    secret: SecretText,
    callback_token: SecretText,
    token_channel: TokenChannel = "stable",
    mode: Mode = "plain",
    aes_key: Option<SecretText> = "none",
    former_callback_token: Option<SecretText> = "none",
    former_aes_key: Option<SecretText> = "none",
    greeting: String = "greeting",
    failure: Option<String> = "none",
    keywords: BTreeMap<String, KeywordAction> = "queueing",
    menu: BTreeMap<String, KeywordAction> = "empty",
    channels: Option<Vec<Channel>> = "none",
    called: Option<NoticeSetup> = "none",
    missed: Option<NoticeSetup> = "none",
    progress: Option<NoticeSetup> = "none",
    limits: Option<AccountLimits> = "none",
});
section!(Site {
    account: String,
    name: String,
    time_zone: String = "shanghai",
    day_starts_at: i8 = "four",
    several_counters: bool = "no",
    dates: Vec<String> = "no_names",
    queues: BTreeMap<String, QueueSetup> = "empty",
    counters: BTreeMap<String, CounterSetup> = "empty",
    wording: BTreeMap<String, Wording> = "empty",
    webhooks: BTreeMap<String, Webhook> = "empty",
});
section!(Webhook {
    url: String,
    secret: SecretText,
    former_secret: Option<SecretText> = "none",
    events: Option<Vec<String>> = "none",
});
section!(Staff {
    key: SecretText,
    sites: Vec<String>,
    role: StaffRole = "manager",
    counters: Vec<String> = "no_names",
});
section!(Sim { listen: String, gateway: String });

/// Which ledger.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs, reason = "the names say it")]
pub enum LedgerKind {
    Sqlite,
    Nats,
}

/// Which cache.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs, reason = "the names say it")]
pub enum CacheKind {
    Memory,
    Redis,
}

/// How logs look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs, reason = "the names say it")]
pub enum LogFormat {
    Text,
    Json,
}

/// Which of WeChat's three modes of callbacks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs, reason = "the names say it")]
pub enum Mode {
    Plain,
    Compatible,
    Secure,
}

/// As whom the holder of a staff key acts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs, reason = "the names say it")]
pub enum StaffRole {
    Staff,
    Manager,
    Api,
}

/// Which of WeChat's two token endpoints.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs, reason = "the names say it")]
pub enum TokenChannel {
    Stable,
    Classic,
}

fn none<T>() -> Option<T> {
    None
}

fn empty<T>() -> BTreeMap<String, T> {
    BTreeMap::new()
}

fn stable() -> TokenChannel {
    TokenChannel::Stable
}

fn plain() -> Mode {
    Mode::Plain
}

fn greeting() -> String {
    paihao_gateway::http::replies::GREETING.into()
}

fn queueing() -> BTreeMap<String, KeywordAction> {
    settings::queueing()
}

fn shanghai() -> String {
    "Asia/Shanghai".into()
}

fn four() -> i8 {
    4
}

fn no() -> bool {
    false
}

fn yes() -> bool {
    true
}

fn nothing() -> String {
    String::new()
}

fn no_names() -> Vec<String> {
    Vec::new()
}

fn manager() -> StaffRole {
    StaffRole::Manager
}

impl Site {
    /// What of it the book may change.
    pub fn setup(&self) -> SiteSetup {
        SiteSetup {
            account: self.account.clone(),
            name: self.name.clone(),
            time_zone: self.time_zone.clone(),
            day_starts_at: self.day_starts_at,
            several_counters: self.several_counters,
            dates: self.dates.clone(),
            queues: self.queues.clone(),
            counters: self.counters.clone(),
            wording: self.wording.clone(),
        }
    }
}

impl Account {
    /// What of it the book may change: everything but what WeChat knows it by.
    pub fn setup(&self) -> AccountSetup {
        AccountSetup {
            greeting: Some(self.greeting.clone()),
            failure: self.failure.clone(),
            keywords: self.keywords.clone(),
            menu: self.menu.clone(),
            channels: self.channels.clone(),
            called: self.called.clone(),
            missed: self.missed.clone(),
            progress: self.progress.clone(),
        }
    }
}

impl Gateway {
    /// Where people reach it, without a slash at the end, if that is known.
    pub fn public_url(&self) -> Option<String> {
        let public = self.public.trim_end_matches('/');
        (!public.is_empty()).then(|| public.to_owned())
    }
}

impl Config {
    /// Reads the defaults, then the file if there is one, then the environment.
    pub fn read(
        file: Option<&Path>,
        environment: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Config, ConfigError> {
        let layers = Layers::from_defaults(DEFAULTS);
        let layers = match file {
            Some(file) => layers.file(file),
            None => layers,
        };
        layers.environment(environment).read()
    }

    /// The defaults with a text on top; `queue_position` says in errors where the text stands.
    pub fn from_text(place: &str, text: &str) -> Result<Config, ConfigError> {
        Layers::from_defaults(DEFAULTS).text(place, text).read()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_are_a_configuration() {
        Config::read(None, []).unwrap();
    }

    #[test]
    fn every_key_of_the_defaults_is_explained_above_it() {
        let mut above = "";
        for line in DEFAULTS.lines() {
            let key = line.split_once(" = ").is_some() || line.starts_with('[');
            if key && !line.starts_with('#') {
                assert!(above.starts_with("# ") || above == "#", "not explained: {line}");
            }
            above = line;
        }
    }

    #[test]
    fn an_unknown_key_is_refused_with_the_one_that_was_meant() {
        let error = Config::from_text("in x.toml", "[gateway]\nlistn = '0.0.0.0:80'").unwrap_err();
        let told = error.to_string();
        assert!(told.contains("gateway.listn") && told.contains("listen"), "{told}");
    }

    #[test]
    fn secrets_do_not_print() {
        let text = "[staff.desk]\nkey = 'correct-horse-battery'\nsites = []";
        let config = Config::from_text("in x.toml", text).unwrap();
        let shown = paihao_chassis::config::render(&config);
        assert!(!shown.contains("correct-horse") && shown.contains("***"), "{shown}");
    }
}
