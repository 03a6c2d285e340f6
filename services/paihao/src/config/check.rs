//! Conversion of a parsed configuration into the services' settings, with a list of all its errors.

use super::calls::ResolvedTokenConfig;
use super::https::Https;
use super::{
    Account, Cache, CacheKind, Config, GatewayLimits, Ledger, LedgerKind, LogFormat, Pool,
    TokenChannel,
};
use super::{account, staff};
use crate::trace_export::TraceOptions;
use paihao_chassis::config::{ConfigError, ConfigProblems};
use paihao_chassis::http::ConnectionLimits;
use paihao_chassis::telemetry;
use paihao_contracts::envelope::WriteVersion;
use paihao_contracts::partitions::{MAX_PARTITIONS, Partitions};
use paihao_contracts::streams::{LOGS, WORK_QUEUES};
use paihao_gateway::http::client_ip::TrustedProxies;
use paihao_gateway::http::csp::{InvalidOrigin, Origin};
use paihao_gateway::http::guesses::GuessLimits;
use paihao_gateway::http::rate_limit::RateLimitSettings;
use paihao_gateway::http::stream_budget::StreamLimits;
use paihao_gateway::scan::codes::pool::PoolSettings;
use paihao_gateway::settings::DeploymentSettings;
use paihao_gateway::settings::documents::ConfiguredDocuments;
use paihao_gateway::settings::menu;
use paihao_gateway::settings::validate::{self, check_id};
use paihao_notice_text::check::MAX_PUBLIC_URL_BYTES;
use paihao_wechat::traffic::Limits;
use paihao_wechat::{AppId, AppSecret, ClientOptions};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

/// Fewest connections that a port can be limited to.
const MIN_CONNECTIONS: usize = 64;

/// Role of a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Every service in one process.
    All,
    /// Callbacks, QR codes, API and pages.
    Gateway,
    /// Renewal of the access tokens.
    Token,
    /// Delivery of notices and webhooks.
    Notifier,
    /// Simulator of WeChat.
    Sim,
}

/// Checked configuration, in the services' types.
pub struct ResolvedConfig {
    /// Listening address of the gateway.
    pub gateway_listen: SocketAddr,
    /// Address of a port for callbacks alone, if there is one.
    pub callback_listen: Option<SocketAddr>,
    /// HTTPS of the gateway's own port; `None` if it speaks HTTP, behind a proxy or on one machine.
    pub https: Option<Https>,
    /// Listening address of the admin port.
    pub admin_listen: SocketAddr,
    /// Listening address of the simulator.
    pub sim_listen: SocketAddr,
    /// Settings of the gateway.
    pub gateway: paihao_gateway::Settings,
    /// Accounts, sites and keys for the gateway.
    pub settings: Arc<DeploymentSettings>,
    /// Accounts of the token service.
    pub accounts: Vec<paihao_token::Account>,
    /// Settings of the token service.
    pub token: ResolvedTokenConfig,
    /// Webhooks of the notifier.
    pub webhooks: paihao_notifier::webhooks::Settings,
    /// Settings of the notifier.
    pub notifier: paihao_notifier::Settings,
    /// Addresses and timeouts of calls to WeChat.
    pub wechat_client: ClientOptions,
    /// Limits of calls to WeChat.
    pub call_limits: Limits,
    /// Format and filter of the logs.
    pub log: telemetry::LogOptions,
    /// Export of traces; `None` if it is off.
    pub traces: Option<TraceOptions>,
    /// Newest generation of forms that may be written.
    pub write_version: WriteVersion,
    /// Time between the first stop request and the stop, in which the process serves unready.
    pub lame_duck: Duration,
    /// Time that a graceful shutdown may take.
    pub shutdown_timeout: Duration,
}

impl Config {
    /// Checks the configuration for a role. The error lists all problems at once.
    pub fn resolve(&self, role: Role) -> Result<ResolvedConfig, ConfigError> {
        let mut problems = ConfigProblems::new();
        self.check_stores(role, &mut problems);
        self.check_operator_key(&mut problems);
        self.check_published(role, &mut problems);
        let listen = parse_listen_address("gateway.listen", &self.gateway.listen, &mut problems);
        let callback_listen = &self.gateway.callback_listen;
        let callback_listen = (!callback_listen.is_empty()).then(|| {
            parse_listen_address("gateway.callback_listen", callback_listen, &mut problems)
        });
        let is_served_here = matches!(role, Role::All | Role::Gateway);
        let https = is_served_here.then(|| self.https(&mut problems)).flatten();
        let admin = parse_listen_address("admin.listen", &self.admin.listen, &mut problems);
        let sim = parse_listen_address("sim.listen", &self.sim.listen, &mut problems);
        let wechat = self.client_options(&mut problems);
        let limits = self.call_limits(&mut problems);
        let token = self.token_config(&mut problems);
        let log = self.log_options(&mut problems);
        let traces = self.trace_options(&mut problems);
        let gateway = self.gateway_settings(&mut problems);
        if is_served_here {
            self.check_proxies_named(&mut problems);
        }
        let mut settings = self.initial_settings(&mut problems);
        let (webhooks, event_types) = self.webhook_settings(&mut problems);
        settings.webhooks = event_types;
        let accounts = self.accounts.iter().map(|(name, account)| token_account(name, account));
        let accounts = accounts.collect();
        let notifier = self.notifier_settings(&mut problems);
        problems.into_result()?;
        Ok(ResolvedConfig {
            gateway_listen: listen,
            callback_listen,
            https,
            admin_listen: admin,
            sim_listen: sim,
            gateway,
            settings: Arc::new(settings),
            accounts,
            token,
            notifier,
            webhooks,
            wechat_client: wechat,
            call_limits: limits,
            log,
            traces,
            write_version: WriteVersion::clamped(self.ledger.write_version),
            lame_duck: Duration::from_secs(self.stop.lame_duck_seconds),
            shutdown_timeout: Duration::from_secs(self.stop.soft_limit_seconds),
        })
    }

    /// Checks the stores. SQLite and the memory cache serve one process, so the split roles refuse
    /// them.
    fn check_stores(&self, role: Role, problems: &mut ConfigProblems) {
        let split = matches!(role, Role::Gateway | Role::Token | Role::Notifier);
        if split && self.ledger.kind == LedgerKind::Sqlite {
            problems.add(
                "ledger.kind",
                "a SQLite file is for one process, and this role is one of several",
                "use \"nats\", or run everything in one process with `paihao all`",
            );
        }
        if split && self.cache.kind == CacheKind::Memory {
            problems.add(
                "cache.kind",
                "the other roles cannot read this process's memory",
                "use \"redis\", or run everything in one process with `paihao all`",
            );
        }
        if self.ledger.user.is_empty() && self.ledger.password.is_some() {
            problems.add("ledger.password", "a password without a user", "set ledger.user");
        }
        self.check_tls(problems);
        if self.ledger.write_version == 0 {
            problems.add("ledger.write_version", "0 is no generation", "the oldest is 1");
        }
        if !(2..=60).contains(&self.clock.max_skew_seconds) {
            problems.add(
                "clock.max_skew_seconds",
                format!("{} seconds", self.clock.max_skew_seconds),
                "use 2 to 60: less is not measured, and more lets replicas disagree",
            );
        }
        if self.ledger.history_days == 0 {
            problems.add("ledger.history_days", "0 days", "keep it for a day at least");
        }
        let parts = || LOGS.map(|log| log.name).into_iter().chain(WORK_QUEUES.map(|q| q.name));
        for name in self.ledger.max_stream_mb.keys().filter(|name| !parts().any(|p| p == **name)) {
            let advice = format!("use {}", parts().collect::<Vec<_>>().join(", "));
            problems.add("ledger.max_stream_mb", format!("no log or queue {name:?}"), advice);
        }
        if ![1, 3, 5].contains(&self.ledger.replicas) {
            let description = format!("{} copies", self.ledger.replicas);
            problems.add("ledger.replicas", description, "use 1, 3 or 5");
        }
        match Partitions::new(self.ledger.partitions) {
            None => {
                let description = format!("{} partitions", self.ledger.partitions);
                let advice = format!("use 1 to {MAX_PARTITIONS}");
                problems.add("ledger.partitions", description, advice);
            }
            Some(partitions)
                if partitions != Partitions::ONE && self.ledger.kind == LedgerKind::Sqlite =>
            {
                problems.add(
                    "ledger.partitions",
                    "a SQLite file has one writer, which partitions do not divide",
                    "use 1, or ledger.kind = \"nats\"",
                );
            }
            Some(_) => {}
        }
        for (key, name) in [
            ("ledger.namespace", &self.ledger.namespace),
            ("cache.namespace", &self.cache.namespace),
        ] {
            check_id(key, name, problems);
        }
    }

    /// Checks that files of TLS are there for addresses with TLS alone, a key beside its
    /// certificate.
    fn check_tls(&self, problems: &mut ConfigProblems) {
        let Ledger { url, tls_ca, tls_certificate, tls_key, .. } = &self.ledger;
        let with_tls = url.split(',').filter(|server| server.trim().starts_with("tls://")).count();
        if (1..url.split(',').count()).contains(&with_tls) {
            let advice = "begin each with tls://, or none";
            problems.add("ledger.url", "some of the servers are spoken to without TLS", advice);
        }
        let ledger = ("ledger", "tls://", with_tls > 0, [tls_ca, tls_certificate, tls_key]);
        let Cache { url, tls_ca, tls_certificate, tls_key, .. } = &self.cache;
        let has_tls = url.starts_with("rediss://");
        let cache = ("cache", "rediss://", has_tls, [tls_ca, tls_certificate, tls_key]);
        for (section, scheme, has_tls, files) in [ledger, cache] {
            let [has_ca, has_certificate, has_key] = files.map(|file| !file.as_os_str().is_empty());
            if !has_tls && (has_ca || has_certificate || has_key) {
                let advice = format!("begin it with {scheme}, or leave the files out");
                problems.add(
                    &format!("{section}.url"),
                    "there are files of TLS, and it has none",
                    advice,
                );
            }
            if has_certificate != has_key {
                let key = if has_key { "tls_certificate" } else { "tls_key" };
                let description = "a certificate needs its key, and a key its certificate";
                problems.add(&format!("{section}.{key}"), description, "set both, or neither");
            }
        }
    }

    fn gateway_settings(&self, problems: &mut ConfigProblems) -> paihao_gateway::Settings {
        let expiry = self.gateway.session_expiry_seconds;
        if !(60..=2_592_000).contains(&expiry) {
            let description = format!("{expiry} is not a time that WeChat gives a code");
            problems.add(
                "gateway.session_expiry_seconds",
                description,
                "use 60 to 2592000 seconds",
            );
        }
        if self.gateway.callback_window_seconds == 0 {
            let advice = "use 300; WeChat's clock and yours are never the same";
            problems.add("gateway.callback_window_seconds", "0 refuses everything", advice);
        }
        let public = &self.gateway.public;
        let usable = |url: url::Url| url.has_host() && matches!(url.scheme(), "http" | "https");
        if !public.is_empty() && !url::Url::parse(public).is_ok_and(usable) {
            let description = format!("{public:?} is not an address");
            problems.add(
                "gateway.public",
                description,
                "use something like https://queue.example.com",
            );
        }
        if public.len() > MAX_PUBLIC_URL_BYTES {
            let description = format!("{} bytes, which every link to a ticket has", public.len());
            let advice = format!("use an address of at most {MAX_PUBLIC_URL_BYTES}");
            problems.add("gateway.public", description, advice);
        }
        let phones = self.gateway.phones.trim_end_matches('/');
        let trusted_proxies = self.trusted_proxy_ranges(problems);
        let GatewayLimits {
            codes_per_minute,
            looks_per_minute,
            slips_per_minute,
            kiosk_slips_per_minute,
            guesses_per_minute,
            guesses_per_minute_in_all,
            streams,
            streams_per_address,
            ..
        } = self.gateway.limits;
        paihao_gateway::Settings {
            max_callback_clock_skew: Duration::from_secs(self.gateway.callback_window_seconds),
            max_callback_body_bytes: self.gateway.callback_body_limit,
            scan_session_ttl: Duration::from_secs(expiry),
            pool: self.pool_settings(expiry, problems),
            public_url: self.gateway.public_url(),
            simulator_url: (!phones.is_empty()).then(|| format!("{phones}/")),
            frame_ancestors: self.origins(
                "gateway.board_framed_by",
                &self.gateway.board_framed_by,
                problems,
            ),
            code_embedders: self
                .origins("gateway.codes_shown_by", &self.gateway.codes_shown_by, problems)
                .into(),
            code_shares: self.code_shares(problems),
            permanent_codes: self.permanent_code_limits(problems),
            login: self.login_settings(problems),
            connections: self.connection_limits(trusted_proxies.clone(), problems),
            trusted_proxies,
            limits: RateLimitSettings {
                codes_per_minute,
                looks_per_minute,
                slips_per_minute,
                kiosk_slips_per_minute,
            },
            guesses: GuessLimits {
                per_address: guesses_per_minute,
                in_all: guesses_per_minute_in_all,
            },
            streams: StreamLimits { total: streams, per_address: streams_per_address },
            write_version: WriteVersion::clamped(self.ledger.write_version),
        }
    }

    /// Limits of connections. Addresses of proxies speak for many clients.
    fn connection_limits(
        &self,
        proxies: TrustedProxies,
        problems: &mut ConfigProblems,
    ) -> ConnectionLimits {
        let GatewayLimits { connections, connections_per_address, .. } = self.gateway.limits;
        for (key, value) in [
            ("gateway.limits.connections", connections),
            ("gateway.limits.connections_per_address", connections_per_address),
        ] {
            if value < MIN_CONNECTIONS {
                let advice = format!("use at least {MIN_CONNECTIONS}");
                problems.add(key, format!("{value} connections keep people out"), advice);
            }
        }
        let is_proxy = move |address| proxies.contain(address);
        let per_address = connections_per_address;
        ConnectionLimits {
            total: connections,
            per_address,
            is_proxy: Arc::new(is_proxy),
            ..ConnectionLimits::default()
        }
    }

    fn origins(&self, key: &str, texts: &[String], problems: &mut ConfigProblems) -> Vec<Origin> {
        let read = |text: &String| {
            text.parse().map_err(|error: InvalidOrigin| {
                let description = format!("{text:?}: {error}");
                let advice = "use something like [\"https://signs.example.com\"]";
                problems.add(key, description, advice);
            })
        };
        texts.iter().map(read).filter_map(Result::ok).collect()
    }

    fn pool_settings(&self, session: u64, problems: &mut ConfigProblems) -> PoolSettings {
        let Pool { size, keep_seconds, per_second } = self.gateway.pool;
        if size > 1000 {
            let description = format!("{size} codes that every replica throws away when it stops");
            problems.add("gateway.pool.size", description, "use 0 to 1000");
        }
        if size > 0 && keep_seconds < 300 {
            let description = format!("{keep_seconds}: the pool would be replaced all the time");
            problems.add(
                "gateway.pool.keep_seconds",
                description,
                "use 300 or more, such as 86400",
            );
        }
        if size > 0 && keep_seconds.saturating_add(session) > 2_592_000 {
            let description = "with session_expiry_seconds it is more than the 30 days of a code";
            problems.add("gateway.pool.keep_seconds", description, "use less, or size = 0");
        }
        if size > 0 && !(1..=100).contains(&per_second) {
            let description = format!("{per_second} codes a second");
            problems.add("gateway.pool.per_second", description, "use 1 to 100");
        }
        PoolSettings {
            size,
            max_age: Duration::from_secs(keep_seconds),
            max_per_second: per_second,
        }
    }

    fn log_options(&self, problems: &mut ConfigProblems) -> telemetry::LogOptions {
        let format = match self.log.format {
            LogFormat::Text => telemetry::LogFormat::Text,
            LogFormat::Json => telemetry::LogFormat::Json,
        };
        let options = telemetry::LogOptions { format, filter: self.log.filter.clone() };
        if let Err(problem) = options.check() {
            problems.add("log.filter", problem.to_string(), "use a level such as info");
        }
        options
    }

    fn initial_settings(&self, problems: &mut ConfigProblems) -> DeploymentSettings {
        let limits = self.account_limits(problems);
        let mut settings =
            DeploymentSettings { account_limits: limits.clone(), ..DeploymentSettings::default() };
        self.check_appids(problems);
        let classic = self.accounts.values().filter(|it| it.token_channel == TokenChannel::Classic);
        settings.classic_appids = classic.map(|account| account.appid.clone()).collect();
        for (name, account) in &self.accounts {
            let at = format!("accounts.{name}");
            check_id(&at, name, problems);
            let account = account::account_settings(&at, account, &limits, problems);
            settings.accounts.insert(name.clone(), Arc::new(account));
        }
        for (key, name) in self.accounts_elsewhere() {
            check_id(&key, &name, problems);
        }
        let (mut sites, mut accounts) = (BTreeMap::new(), BTreeMap::new());
        for (name, site) in &self.sites {
            let at = format!("sites.{name}");
            let site = site.setup();
            // Accounts of the manager's page are known once the settings are read.
            let named = Some(&site.account).filter(|name| !name.is_empty());
            let known = self.accounts.keys().chain(named);
            if let Some(checked) = validate::validate_site(&at, name, &site, known, problems)
                && self.accounts.contains_key(&site.account)
            {
                settings.sites.insert(name.clone(), Arc::new(checked));
            }
            sites.insert(name.clone(), site);
        }
        for (name, account) in &self.accounts {
            let setup = account.setup();
            let own = sites.iter().map(|(id, site)| (&**id, site));
            let own: BTreeMap<_, _> = own.filter(|(_, site)| site.account == *name).collect();
            let at = format!("accounts.{name}");
            menu::check::check(&format!("{at}.buttons"), &account.buttons, &own, problems);
            paihao_notice_text::check::exactness(&at, &setup, own, problems);
            accounts.insert(name.clone(), setup);
        }
        settings.configured = ConfiguredDocuments::new(sites, accounts);
        for (name, staff) in &self.staff {
            settings.staff_keys.push(staff::staff_key(name, staff, &self.sites, problems));
        }
        settings
    }
}

fn token_account(name: &str, account: &Account) -> paihao_token::Account {
    paihao_token::Account {
        name: name.to_owned(),
        app: AppId(account.appid.clone()),
        secret: AppSecret::new(account.secret.expose()),
        channel: match account.token_channel {
            TokenChannel::Stable => paihao_token::Channel::Stable,
            TokenChannel::Classic => paihao_token::Channel::Classic,
        },
    }
}

pub(super) fn parse_listen_address(
    key: &str,
    text: &str,
    problems: &mut ConfigProblems,
) -> SocketAddr {
    text.parse().unwrap_or_else(|_| {
        let description = format!("{text:?} is not an address and a port");
        problems.add(key, description, "use something like 0.0.0.0:8080");
        SocketAddr::from(([127, 0, 0, 1], 0))
    })
}

#[cfg(test)]
mod tests;
