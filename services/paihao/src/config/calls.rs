//! Checks of the sections `[wechat]` and `[token]`: calls to WeChat, and the token service.

use super::credentials::check_key;
use super::{AccountLimits, Config, Limit as LimitConfig, LimitChange};
use paihao_chassis::config::ConfigProblems;
use paihao_token::server::{ServerKey, ServerSettings};
use paihao_wechat::traffic::{BreakerRules, Limit, Limits};
use paihao_wechat::{Api, ClientOptions, Endpoints, ProxyAddress};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;
use url::Url;

/// Settings of the token service and of its server.
pub struct ResolvedTokenConfig {
    /// Lease and renewal times.
    pub settings: paihao_token::Settings,
    /// Address of the token server and the keys it accepts; `None` if it is off.
    pub server: Option<(SocketAddr, ServerSettings)>,
    /// Interval of reloads of the configuration; `None` is on SIGHUP only.
    pub reload_interval: Option<Duration>,
}

impl Config {
    pub(super) fn client_options(&self, problems: &mut ConfigProblems) -> ClientOptions {
        let mut url = |key: &str, text: &str| {
            let parsed = Url::parse(text.trim());
            parsed.ok().filter(|url| url.has_host()).unwrap_or_else(|| {
                let description = format!("{text:?} is not an address");
                problems.add(key, description, "use an address like https://host/");
                Url::parse("http://invalid/").expect("a constant address is one")
            })
        };
        let mut apis = self.wechat.api.split(',').map(|text| url("wechat.api", text));
        let api = apis.next().expect("splitting always gives one part");
        let fallbacks = apis.collect();
        let mp = url("wechat.mp", &self.wechat.mp);
        let proxy = self.proxy(problems);
        ClientOptions {
            endpoints: Endpoints { api, mp },
            fallbacks,
            failback_interval: Duration::from_secs(self.wechat.look_back_seconds),
            connect_timeout: Duration::from_millis(self.wechat.connect_timeout_ms),
            total_timeout: Duration::from_millis(self.wechat.total_timeout_ms),
            proxy,
            ..ClientOptions::default()
        }
    }

    fn proxy(&self, problems: &mut ConfigProblems) -> Option<ProxyAddress> {
        let text = self.wechat.proxy.as_ref()?.expose().trim();
        let proxy = ProxyAddress::parse(text);
        if proxy.is_none() {
            // The address may hold a password.
            let advice = "use an address like http://proxy.example:3128";
            problems.add("wechat.proxy", "that is no address of an HTTP proxy", advice);
        }
        proxy
    }

    pub(super) fn call_limits(&self, problems: &mut ConfigProblems) -> Limits {
        let limits = &self.wechat.limits;
        check_reserve("wechat.limits", Some(limits.reserve_percent), problems);
        let mut all = Limits {
            reserve_percent: limits.reserve_percent,
            max_wait: Duration::from_millis(limits.patience_ms),
            quota_probe_interval: Duration::from_secs(limits.quota_look_seconds),
            breaker: BreakerRules {
                failure_threshold: limits.circuit.failures,
                open_duration: Duration::from_millis(limits.circuit.open_ms),
                max_open_duration: Duration::from_millis(limits.circuit.longest_ms),
            },
            ..Limits::default()
        };
        for (api, limit) in [
            (Api::CreateQr, &limits.qrcode_create),
            (Api::SendTemplate, &limits.template_send),
            (Api::SendSubscription, &limits.subscription_send),
            (Api::SendText, &limits.service_text),
            (Api::UserInfo, &limits.user_info),
            (Api::ExchangeCode, &limits.code_exchange),
        ] {
            let LimitConfig { in_flight, per_second, per_day, reserve_percent } = *limit;
            check_reserve(&format!("wechat.limits.{}", api.name()), reserve_percent, problems);
            all.apis.insert(api, Limit { in_flight, per_second, per_day, reserve_percent });
        }
        for (name, account) in &self.accounts {
            if let Some(changes) = &account.limits {
                let at = format!("accounts.{name}.limits");
                let limits = account_limits(&at, changes, &all, problems);
                all.accounts.insert(name.clone(), limits);
            }
        }
        all
    }

    pub(super) fn token_config(&self, problems: &mut ConfigProblems) -> ResolvedTokenConfig {
        let token = &self.token;
        let mut seconds =
            |key: &str, value: u64, range: std::ops::RangeInclusive<u64>, reason: &str| {
                if !range.contains(&value) {
                    let advice = format!("use {} to {}", range.start(), range.end());
                    problems.add(key, format!("{value}: {reason}"), advice);
                }
                Duration::from_secs(value)
            };
        let settings = paihao_token::Settings {
            lease: seconds(
                "token.lease_seconds",
                token.lease_seconds,
                3..=300,
                "not a sound lease",
            ),
            stable_ahead: seconds(
                "token.stable_ahead_seconds",
                token.stable_ahead_seconds,
                30..=290,
                "until its last 300 seconds WeChat gives the same token out again",
            ),
            classic_ahead: seconds(
                "token.classic_ahead_seconds",
                token.classic_ahead_seconds,
                60..=3600,
                "a token lives two hours",
            ),
        };
        let server = self.token_server_config(problems);
        let reload = Some(token.reload_seconds).filter(|seconds| *seconds > 0);
        ResolvedTokenConfig { settings, server, reload_interval: reload.map(Duration::from_secs) }
    }

    fn token_server_config(
        &self,
        problems: &mut ConfigProblems,
    ) -> Option<(SocketAddr, ServerSettings)> {
        let server = &self.token.server;
        for (name, key) in &server.keys {
            let at = format!("token.server.keys.{name}");
            check_key(&format!("{at}.key"), &key.key, problems);
            if key.key.expose().len() < 24 {
                let advice = "use 24 or more random ones: it opens everything the account can do";
                problems.add(&format!("{at}.key"), "fewer than 24 characters", advice);
            }
        }
        if server.listen.is_empty() {
            return None;
        }
        if server.keys.is_empty() {
            let advice = "add [token.server.keys.NAME], or leave listen empty";
            problems.add("token.server.listen", "nobody has a key to this server", advice);
        }
        let keys = server.keys.iter().map(|(name, key)| {
            ServerKey::new(name, key.key.expose(), key.accounts.iter().cloned().collect())
        });
        let settings = ServerSettings { keys: keys.collect(), per_minute: server.per_minute };
        match server.listen.parse() {
            Ok(address) => Some((address, settings)),
            Err(_) => {
                let description = format!("{:?} is not an address and a port", server.listen);
                problems.add(
                    "token.server.listen",
                    description,
                    "use something like 10.0.0.5:8070",
                );
                None
            }
        }
    }
}

/// Limits of one account: those of all accounts with its changes.
fn account_limits(
    at: &str,
    account: &AccountLimits,
    all: &Limits,
    problems: &mut ConfigProblems,
) -> BTreeMap<Api, Limit> {
    check_reserve(at, account.reserve_percent, problems);
    let changes = [
        (Api::CreateQr, &account.qrcode_create),
        (Api::SendTemplate, &account.template_send),
        (Api::SendSubscription, &account.subscription_send),
        (Api::SendText, &account.service_text),
        (Api::UserInfo, &account.user_info),
        (Api::ExchangeCode, &account.code_exchange),
    ];
    let changed = changes.into_iter().map(|(api, change)| {
        let mut limit = all.apis[&api];
        limit.reserve_percent = account.reserve_percent.or(limit.reserve_percent);
        if let Some(LimitChange { in_flight, per_second, per_day, reserve_percent }) = change {
            check_reserve(&format!("{at}.{}", api.name()), *reserve_percent, problems);
            limit.in_flight = in_flight.unwrap_or(limit.in_flight);
            limit.per_second = per_second.unwrap_or(limit.per_second);
            limit.per_day = per_day.unwrap_or(limit.per_day);
            limit.reserve_percent = reserve_percent.or(limit.reserve_percent);
        }
        (api, limit)
    });
    changed.collect()
}

fn check_reserve(at: &str, percent: Option<u64>, problems: &mut ConfigProblems) {
    if let Some(percent) = percent.filter(|percent| *percent > 50) {
        let description = format!("{percent} percent for calls of high value");
        problems.add(&format!("{at}.reserve_percent"), description, "use 0 to 50");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Role;

    const SHOP: &str =
        "[accounts.shop]\nappid = 'wx1'\nsecret = 's'\ncallback_token = 'token1'\nmode = 'plain'\n";

    fn check(more: &str) -> Result<crate::config::ResolvedConfig, String> {
        let config = Config::from_text("in x.toml", &format!("{SHOP}{more}")).unwrap();
        config.resolve(Role::All).map_err(|problems| problems.to_string())
    }

    #[test]
    fn the_defaults_equal_the_librarys_and_call_the_real_wechat() {
        let resolved = check("").unwrap();
        let library = Limits::default();
        assert_eq!(resolved.call_limits.apis, library.apis, "default.toml and the library agree");
        assert_eq!(resolved.call_limits.breaker, library.breaker);
        assert_eq!(resolved.call_limits.reserve_percent, library.reserve_percent);
        assert_eq!(
            (resolved.call_limits.max_wait, resolved.call_limits.quota_probe_interval),
            (library.max_wait, library.quota_probe_interval)
        );
        assert_eq!(resolved.wechat_client.endpoints, Endpoints::default());
        let fallbacks: Vec<_> = resolved.wechat_client.fallbacks.iter().map(Url::as_str).collect();
        assert_eq!(fallbacks, ["https://api2.weixin.qq.com/"]);
        let settings = resolved.token.settings;
        let library = paihao_token::Settings::default();
        assert_eq!(settings.lease, library.lease);
        assert_eq!(settings.stable_ahead, library.stable_ahead);
        assert_eq!(settings.classic_ahead, library.classic_ahead);
        assert!(resolved.token.server.is_none(), "off");
    }

    #[test]
    fn an_address_that_is_set_has_no_fallback() {
        let resolved = check("[wechat]\napi = 'http://127.0.0.1:8090/'").unwrap();
        assert!(resolved.wechat_client.fallbacks.is_empty(), "a test calls the real WeChat never");
        let message = check("[wechat]\napi = 'https://a/,b'").err().unwrap();
        assert!(message.contains("wechat.api"), "{message}");
    }

    #[test]
    fn a_proxy_is_an_http_address_and_its_password_is_not_printed() {
        assert_eq!(check("").unwrap().wechat_client.proxy, None);
        let good = "[wechat]\nproxy = 'http://user:secret@10.0.0.8:3128'";
        let resolved = check(good).unwrap();
        assert!(resolved.wechat_client.proxy.is_some());
        assert!(!format!("{:?}", resolved.wechat_client).contains("secret"));
        for bad in ["socks5://a:1", "https://a:1", "10.0.0.8:3128", "http://:secret@"] {
            let message = check(&format!("[wechat]\nproxy = '{bad}'")).err().unwrap();
            assert!(message.contains("wechat.proxy") && !message.contains("secret"), "{message}");
        }
    }

    #[test]
    fn one_value_of_a_limit_can_be_changed() {
        let resolved = check("[wechat.limits.template_send]\nper_day = 10000").unwrap();
        let limit = resolved.call_limits.for_api("shop", Api::SendTemplate);
        let expected =
            Limit { in_flight: 128, per_second: 2_000, per_day: 10_000, reserve_percent: None };
        assert_eq!(limit, expected);
    }

    #[test]
    fn an_account_has_limits_of_its_own() {
        let changes = "[accounts.shop.limits]\nreserve_percent = 20\n\
                   template_send = { in_flight = 8, per_day = 10000 }\n\
                   service_text = { reserve_percent = 0 }\n";
        let resolved = check(changes).unwrap();
        let limit = |account, api| resolved.call_limits.for_api(account, api);
        let template = limit("shop", Api::SendTemplate);
        let of_others = limit("other", Api::SendTemplate);
        assert_eq!((template.in_flight, template.per_day), (8, 10_000));
        assert_eq!((template.per_second, template.reserve_percent), (2_000, Some(20)));
        assert_eq!((of_others.in_flight, of_others.reserve_percent), (128, None));
        assert_eq!(limit("shop", Api::SendText).reserve_percent, Some(0));
        assert_eq!(limit("shop", Api::CreateQr).reserve_percent, Some(20));
        let result = check("[accounts.shop.limits]\ntemplate_send = { reserve_percent = 51 }\n");
        let message = result.err().unwrap();
        assert!(
            message.contains("accounts.shop.limits.template_send.reserve_percent"),
            "{message}"
        );
        let invalid = format!("{SHOP}[accounts.shop.limits]\ntemplate_sent = {{ per_day = 1 }}\n");
        let message = Config::from_text("in x.toml", &invalid).unwrap_err().to_string();
        assert!(
            message.contains("template_sent") && message.contains("template_send"),
            "{message}"
        );
    }

    #[test]
    fn the_token_server_is_served_to_those_with_a_key() {
        let server = "[token.server]\nlisten = '127.0.0.1:8070'\n";
        let key =
            "[token.server.keys.crm]\nkey = 'long-and-random-and-secret'\naccounts = ['shop']";
        let resolved = check(&format!("{server}{key}")).unwrap();
        let (address, settings) = resolved.token.server.unwrap();
        assert_eq!((address.port(), settings.keys.len(), settings.per_minute), (8070, 1, 600));
        let message = check(server).err().unwrap();
        assert!(message.contains("token.server.listen"), "{message}");
        let invalid = key.replace("long-and-random-and-secret", "short");
        let message = check(&format!("{server}{invalid}")).err().unwrap();
        assert!(message.contains("keys.crm.key"), "{message}");
    }

    #[test]
    fn times_out_of_range_are_refused() {
        let message =
            check("[token]\nstable_ahead_seconds = 600\nlease_seconds = 1\n").err().unwrap();
        assert!(
            message.contains("stable_ahead_seconds") && message.contains("lease_seconds"),
            "{message}"
        );
    }
}
