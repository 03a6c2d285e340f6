//! Configuration of every role, read from the defaults, a file and the environment.
//!
//! `default.toml` is compiled in; it holds the defaults and is the manual. [`check`] converts a
//! parsed configuration into the services' settings and lists all its errors.

mod account;
mod calls;
mod check;
mod codes;
mod credentials;
mod https;
mod login;
mod notices;
mod published;
mod staff;
mod traces;
mod webhooks;

pub use calls::ResolvedTokenConfig;
pub use check::{ResolvedConfig, Role};
pub use https::{Acme, CertificateSource, Https};
pub use published::{MIN_TOKEN_CHARS, PUBLISHED_SECRETS};

use paihao_chassis::config::{ConfigError, Layers, SecretText};
use paihao_contracts::menu::MenuButton;
use paihao_contracts::notice::Channel;
use paihao_contracts::settings::{
    self, AccountSetup, CodeKind, CounterSetup, CustomerServiceSetup, ForwardSetup, KeywordAction,
    NoticeSetup, QueueSetup, SiteSetup, Wording,
};
use paihao_contracts::staff::KeyScope;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// Text of `default.toml`.
pub const DEFAULTS: &str = include_str!("default.toml");

/// Parsed configuration, before its checks. Each key is explained in `default.toml`.
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
    pub secrets: Secrets,
    pub cache: Cache,
    pub wechat: WeChat,
    pub token: Token,
    pub notifier: Notifier,
    pub login: Login,
    pub clock: Clock,
    pub log: Log,
    pub traces: Traces,
    pub stop: Stop,
    pub accounts: BTreeMap<String, Account>,
    pub sites: BTreeMap<String, Site>,
    pub staff: BTreeMap<String, Staff>,
    pub sim: Sim,
}

macro_rules! section {
    ($name:ident { $($field:ident: $type:ty $(= $default:expr)?),* $(,)? }) => {
        #[doc = "Section of the same name in `default.toml`."]
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
    callback_listen: String,
    public: String,
    callback_window_seconds: u64,
    callback_body_limit: usize,
    session_expiry_seconds: u64,
    phones: String,
    board_framed_by: Vec<String>,
    codes_shown_by: Vec<String>,
    trusted_proxies: Vec<String>,
    forward_private: Vec<String>,
    tls: Tls,
    pool: Pool,
    codes: Codes,
    limits: GatewayLimits,
});
section!(Tls { certificate: PathBuf, key: PathBuf, redirect_listen: String, acme: Acme });
section!(Codes { strangers_percent: u32, logins_percent: u32, permanent_per_site: u64 });
section!(GatewayLimits {
    codes_per_minute: u32,
    looks_per_minute: u32,
    slips_per_minute: u32,
    kiosk_slips_per_minute: u32,
    guesses_per_minute: u32,
    guesses_per_minute_in_all: u32,
    streams: usize,
    streams_per_address: usize,
    connections: usize,
    connections_per_address: usize,
});
section!(Pool { size: usize, keep_seconds: u64, per_second: u32 });
section!(Admin { listen: String });
section!(Ledger {
    kind: LedgerKind,
    file: PathBuf,
    url: String,
    namespace: String,
    monitor: String,
    replicas: usize,
    partitions: usize,
    user: String,
    password: Option<SecretText> = "Option::default",
    tls_ca: PathBuf,
    tls_certificate: PathBuf,
    tls_key: PathBuf,
    history_days: u16,
    max_file_mb: u64,
    max_stream_mb: BTreeMap<String, u64>,
    begin_empty: bool,
    write_version: u32,
    timeout_ms: u64,
});
section!(Secrets { key: Option<SecretText> = "Option::default" });
section!(Cache {
    kind: CacheKind,
    url: String,
    password: Option<SecretText> = "Option::default",
    tls_ca: PathBuf,
    tls_certificate: PathBuf,
    tls_key: PathBuf,
    namespace: String,
    timeout_ms: u64,
    max_entries: usize,
});
section!(WeChat {
    api: String,
    mp: String,
    proxy: Option<SecretText> = "Option::default",
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
    reserve_percent: Option<u64> = "Option::default",
});
section!(AccountLimits {
    reserve_percent: Option<u64> = "Option::default",
    qrcode_create: Option<LimitChange> = "Option::default",
    template_send: Option<LimitChange> = "Option::default",
    subscription_send: Option<LimitChange> = "Option::default",
    service_text: Option<LimitChange> = "Option::default",
    user_info: Option<LimitChange> = "Option::default",
    code_exchange: Option<LimitChange> = "Option::default",
});
section!(LimitChange {
    in_flight: Option<usize> = "Option::default",
    per_second: Option<u32> = "Option::default",
    per_day: Option<u64> = "Option::default",
    reserve_percent: Option<u64> = "Option::default",
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
section!(Notifier {
    webhook_in_flight: usize,
    webhook_private: Vec<String>,
    in_flight: usize,
    bindings_check_seconds: u64,
});
section!(Login {
    account: String, confirm: bool, idle_hours: u64, longest_hours: u64, former_names_days: u64,
    clients: BTreeMap<String, LoginClient>,
});
section!(LoginClient {
    name: String, redirects: Vec<String>, account: String = "String::default",
    confirm: LoginConfirm = "confirmed", staff_only: bool = "bool::default",
    sites: Vec<String> = "Vec::default", roles: Vec<LoginRole> = "Vec::default",
    logout: Option<String> = "Option::default", unionid: bool = "bool::default",
});

/// Confirmation of a login: by digits, by an answer on the phone, or none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(untagged, expecting = "true, false or \"reply\"")]
pub enum LoginConfirm {
    /// By the digits that the phone shows, or not at all.
    Digits(bool),
    /// By an answer on the phone.
    Reply(ReplyConfirm),
}

/// The word for a confirmation by an answer on the phone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ReplyConfirm {
    /// People answer 1.
    Reply,
}

/// Roles that a client may admit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum LoginRole {
    /// Manages sites.
    Manager,
    /// Works at counters.
    Staff,
}

section!(Clock { max_skew_seconds: u64 });
section!(Log { format: LogFormat, filter: String });
section!(Traces {
    endpoint: String,
    authorization: Option<SecretText> = "Option::default",
    ratio: f64,
});
section!(Stop { lame_duck_seconds: u64, soft_limit_seconds: u64 });
section!(Account {
    appid: String,
    secret: SecretText,
    callback_token: SecretText,
    token_channel: TokenChannel = "stable",
    mode: Mode = "secure",
    former_mode: Option<Mode> = "Option::default",
    former_mode_until: Option<String> = "Option::default",
    aes_key: Option<SecretText> = "Option::default",
    former_callback_token: Option<SecretText> = "Option::default",
    former_aes_key: Option<SecretText> = "Option::default",
    greeting: String = "greeting",
    failure: Option<String> = "Option::default",
    keywords: BTreeMap<String, KeywordAction> = "settings::queueing",
    usual_words: bool = "yes",
    codes: CodeKind = "wechat_codes",
    customer_service: Option<CustomerServiceSetup> = "Option::default",
    forward: Vec<ForwardSetup> = "Vec::new",
    menu: BTreeMap<String, KeywordAction> = "BTreeMap::new",
    buttons: Vec<MenuButton> = "Vec::new",
    channels: Option<Vec<Channel>> = "Option::default",
    called: Option<NoticeSetup> = "Option::default",
    missed: Option<NoticeSetup> = "Option::default",
    progress: Option<NoticeSetup> = "Option::default",
    limits: Option<AccountLimits> = "Option::default",
});
section!(Site {
    account: String,
    name: String,
    name_en: Option<String> = "Option::default",
    time_zone: String = "shanghai",
    day_starts_at: i8 = "four",
    several_counters: bool = "bool::default",
    kiosk_slips: u32 = "u32::default",
    paired_kiosks_only: bool = "bool::default",
    accent: Option<String> = "Option::default",
    dates: Vec<String> = "Vec::new",
    queues: BTreeMap<String, Box<QueueSetup>> = "BTreeMap::new",
    counters: BTreeMap<String, Box<CounterSetup>> = "BTreeMap::new",
    wording: BTreeMap<String, Wording> = "BTreeMap::new",
    webhooks: BTreeMap<String, Webhook> = "BTreeMap::new",
});
section!(Webhook {
    url: String,
    secret: SecretText,
    former_secret: Option<SecretText> = "Option::default",
    events: Option<Vec<String>> = "Option::default",
});
section!(Staff {
    key: SecretText,
    sites: Vec<String>,
    role: StaffRole = "manager",
    counters: Vec<String> = "Vec::new",
    scopes: Option<BTreeSet<KeyScope>> = "Option::default",
});
section!(Sim { listen: String, gateway: String, open_platform: String });

/// Adapter of the ledger.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs, reason = "the names say it")]
pub enum LedgerKind {
    Sqlite,
    Nats,
}

/// Adapter of the cache.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs, reason = "the names say it")]
pub enum CacheKind {
    Memory,
    Redis,
}

/// Format of the logs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs, reason = "the names say it")]
pub enum LogFormat {
    Text,
    Json,
}

/// WeChat's encryption mode of callbacks (消息加解密方式).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs, reason = "the names say it")]
pub enum Mode {
    Plain,
    Compatible,
    Secure,
}

/// Role of the holder of a staff key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs, reason = "the names say it")]
pub enum StaffRole {
    Staff,
    Manager,
    Api,
}

/// WeChat's endpoint for access tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs, reason = "the names say it")]
pub enum TokenChannel {
    Stable,
    Classic,
}

fn stable() -> TokenChannel {
    TokenChannel::Stable
}

fn secure() -> Mode {
    Mode::Secure
}

fn greeting() -> String {
    paihao_gateway::settings::DEFAULT_GREETING.into()
}

fn wechat_codes() -> CodeKind {
    CodeKind::Wechat
}

fn shanghai() -> String {
    "Asia/Shanghai".into()
}

fn four() -> i8 {
    4
}

fn yes() -> bool {
    true
}

fn confirmed() -> LoginConfirm {
    LoginConfirm::Digits(true)
}

fn manager() -> StaffRole {
    StaffRole::Manager
}

impl Site {
    /// Settings of the site that can change at run time.
    pub fn setup(&self) -> SiteSetup {
        SiteSetup {
            account: self.account.clone(),
            name: self.name.clone(),
            name_en: self.name_en.clone(),
            time_zone: self.time_zone.clone(),
            day_starts_at: self.day_starts_at,
            several_counters: self.several_counters,
            kiosk_slips: self.kiosk_slips,
            paired_kiosks_only: self.paired_kiosks_only,
            accent: self.accent.clone(),
            dates: self.dates.clone(),
            queues: self.queues.clone(),
            counters: self.counters.clone(),
            wording: self.wording.clone(),
        }
    }
}

impl Account {
    /// Settings of the account that can change at run time: all but its credentials.
    pub fn setup(&self) -> AccountSetup {
        AccountSetup {
            greeting: Some(self.greeting.clone()),
            failure: self.failure.clone(),
            keywords: self.keywords.clone(),
            usual_words: self.usual_words,
            codes: self.codes,
            customer_service: self.customer_service.clone(),
            forward: self.forward.clone(),
            menu: self.menu.clone(),
            buttons: self.buttons.clone(),
            channels: self.channels.clone(),
            called: self.called.clone(),
            missed: self.missed.clone(),
            progress: self.progress.clone(),
        }
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

    /// Reads the defaults with a text on top. `place` names the text in errors, as in "in the
    /// demo".
    pub fn from_text(source: &str, text: &str) -> Result<Config, ConfigError> {
        Layers::from_defaults(DEFAULTS).text(source, text).read()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_are_a_valid_configuration() {
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
    fn an_unknown_key_is_refused_with_a_similar_one() {
        let error = Config::from_text("in x.toml", "[gateway]\nlistn = '0.0.0.0:80'").unwrap_err();
        let message = error.to_string();
        assert!(message.contains("gateway.listn") && message.contains("listen"), "{message}");
    }

    #[test]
    fn secrets_do_not_print() {
        let text = "[staff.desk]\nkey = 'correct-horse-battery'\nsites = []";
        let config = Config::from_text("in x.toml", text).unwrap();
        let rendered = paihao_chassis::config::render(&config);
        assert!(!rendered.contains("correct-horse") && rendered.contains("***"), "{rendered}");
    }
}
