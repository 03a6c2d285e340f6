//! Deployment of a simulation: one account, its sites, and the settings of each service.

use crate::calendar::{DAY_STARTS_AT, ZONE};
use crate::plan::Plan;
use crate::wechat::platform::TEMPLATES;
use crate::wechat::pushes::CALLBACK_TOKEN;
use paihao_chassis::sealing::Keyring;
use paihao_contracts::envelope::WriteVersion;
use paihao_contracts::notice::Channel;
use paihao_contracts::settings::{AccountSetup, SiteSetup};
use paihao_contracts::settings_log::{SettingsEntry, SettingsEvent};
use paihao_contracts::streams::SETTINGS;
use paihao_gateway::scan::codes::pool::PoolSettings;
use paihao_gateway::settings::documents::ConfiguredDocuments;
use paihao_gateway::settings::{ALL_SITES, AccountSettings, DeploymentSettings, StaffKey};
use paihao_ledger::{Entry, ExpectedPosition, Subject};
use paihao_notice_text::policy::account_policies;
use paihao_notifier::AccountCheckIntervals;
use paihao_token::{Account, Channel as TokenChannel};
use paihao_wechat::callback::Protection;
use paihao_wechat::{AppId, AppSecret, CallbackToken};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// The account.
pub const ACCOUNT: &str = "shop";
/// Key of a manager of every site.
pub const MANAGER_KEY: &str = "a-managers-key-of-the-simulation";
/// Counters of every site.
pub const COUNTERS: [&str; 2] = ["1", "2"];
/// Word with which customers leave.
pub const LEAVE_WORD: &str = "离开";
/// Word with which customers ask for their ticket.
pub const SHOW_WORD: &str = "排队";

const APP_ID: &str = "wx0000000000000001";

/// Operator's key of all processes.
pub fn keyring() -> Arc<Keyring> {
    Arc::new(Keyring::parse(&"A".repeat(43)).expect("32 bytes"))
}

/// Configuration of the gateways. The sites come from the settings log.
pub fn deployment_settings() -> DeploymentSettings {
    let protection =
        Protection::plain(AppId(APP_ID.to_owned()), CallbackToken::new(CALLBACK_TOKEN));
    let configured = configured_account();
    let account = AccountSettings::new(protection, &configured);
    DeploymentSettings {
        accounts: [(ACCOUNT.to_owned(), Arc::new(account))].into(),
        staff_keys: vec![StaffKey::new("manager", MANAGER_KEY, [ALL_SITES.to_owned()].into())],
        configured: ConfiguredDocuments::new(
            BTreeMap::new(),
            [(ACCOUNT.to_owned(), configured)].into(),
        ),
        ..DeploymentSettings::default()
    }
}

/// Settings of a gateway.
pub fn gateway_settings() -> paihao_gateway::Settings {
    paihao_gateway::Settings {
        max_callback_clock_skew: Duration::from_secs(300),
        max_callback_body_bytes: 65_536,
        scan_session_ttl: Duration::from_secs(600),
        pool: PoolSettings { size: 0, max_age: Duration::from_secs(60), max_per_second: 1 },
        public_url: Some("https://queue.example".to_owned()),
        simulator_url: None,
        login: Default::default(),
        code_embedders: Default::default(),
        code_shares: Default::default(),
        permanent_codes: Default::default(),
        trusted_proxies: Default::default(),
        frame_ancestors: Vec::new(),
        limits: Default::default(),
        guesses: Default::default(),
        streams: Default::default(),
        connections: Default::default(),
        write_version: WriteVersion::NEWEST,
    }
}

/// Settings of a notifier.
pub fn notifier_settings() -> paihao_notifier::Settings {
    let hour = Duration::from_secs(3600);
    let checks = AccountCheckIntervals { bindings_interval: 6 * hour, ..Default::default() };
    paihao_notifier::Settings {
        in_flight: 8,
        accounts: [(ACCOUNT.to_owned(), account_policies(&configured_account()))].into(),
        wording: BTreeMap::new(),
        account_checks: AccountCheckIntervals { quotas_interval: Duration::ZERO, ..checks },
        keyring: Some(keyring()),
        keyed_tags: true,
        public_url: Some("https://queue.example".to_owned()),
    }
}

/// Settings of a token service. Its lease is longer than usual, so that it asks less often.
pub fn token_settings() -> paihao_token::Settings {
    paihao_token::Settings { lease: Duration::from_secs(45), ..Default::default() }
}

/// Account whose tokens are kept.
pub fn token_account() -> Account {
    Account {
        name: ACCOUNT.to_owned(),
        app: AppId(APP_ID.to_owned()),
        secret: AppSecret::new("a-secret-of-the-simulation"),
        channel: TokenChannel::Stable,
    }
}

/// Account without a template: those that are used are set through the API.
fn configured_account() -> AccountSetup {
    AccountSetup { channels: Some(vec![Channel::Template]), ..AccountSetup::default() }
}

/// Settings documents that the owner has set before the run begins, with their subjects.
pub fn documents(plan: &Plan, at_ms: i64) -> Vec<(Subject, Entry)> {
    let entry = |event| Entry::new(SettingsEntry::new(at_ms, event).encode());
    let subject = |kind, name| Subject::new(&[kind, name]).expect("the names are plain");
    let by = || "manager".to_owned();
    let account = SettingsEvent::AccountSet {
        account: ACCOUNT.to_owned(),
        by: by(),
        setup: Box::new(account_setup(plan)),
        idempotency: None,
    };
    let sites = plan.sites.iter().map(|site| {
        let setup = Box::new(site_setup(plan, site));
        let event =
            SettingsEvent::SiteSet { site: (*site).to_owned(), by: by(), setup, idempotency: None };
        (subject("site", site), entry(event))
    });
    let sites: Vec<_> = sites.collect();
    [(subject("account", ACCOUNT), entry(account))].into_iter().chain(sites).collect()
}

/// Appends the documents of the owner.
pub fn set_documents(store: &crate::stores::ledger::Store, plan: &Plan, at_ms: i64) {
    for (subject, entry) in documents(plan, at_ms) {
        let set = store.append(&SETTINGS, &subject, ExpectedPosition::Empty, &entry);
        set.expect("the settings log is empty");
    }
}

/// Texts and channels of the account.
pub fn account_setup(plan: &Plan) -> AccountSetup {
    let notice = |template: &str, letter: &str| {
        json!({
            "template_id": template,
            "fields": { "thing1": "{site}", "character_string2": "{number}" },
            "text": format!("{letter} {{number}} {{site}} {{time}}"),
        })
    };
    from_json(json!({
        "keywords": { SHOW_WORD: "my_ticket", LEAVE_WORD: "leave" },
        "channels": plan.channels,
        "called": notice(TEMPLATES[0], "called"),
        "missed": notice(TEMPLATES[1], "missed"),
        "progress": notice(TEMPLATES[2], "progress"),
    }))
}

/// Settings of a site.
pub fn site_setup(plan: &Plan, site: &str) -> SiteSetup {
    let queue = |name: &str, prefix: &str| {
        json!({
            "name": name,
            "prefix": prefix,
            "grace_seconds": 60,
            "minutes": 1,
            "carry_over": plan.carry_over,
            "auto_miss": plan.auto_miss,
            "start_on_call": plan.start_on_call,
        })
    };
    let counter = |name: &str| json!({ "name": name, "queues": ["a", "b"] });
    from_json(json!({
        "account": ACCOUNT,
        "name": site,
        "time_zone": ZONE,
        "day_starts_at": DAY_STARTS_AT,
        "queues": { "a": queue("存取款", "A"), "b": queue("开户", "B") },
        "counters": { "1": counter("1号"), "2": counter("2号") },
    }))
}

fn from_json<T: serde::de::DeserializeOwned>(value: Value) -> T {
    serde_json::from_value(value).expect("the document is well-formed")
}
