//! Checks of the section `[login]`, and of the trusted proxies.

use super::{Config, Gateway, LoginClient, LoginConfirm, LoginRole, ReplyConfirm};
use paihao_chassis::config::ConfigProblems;
use paihao_contracts::staff::StaffRole;
use paihao_gateway::http::client_ip::TrustedProxies;
use paihao_gateway::identity::login::settings::{Confirmation, LoginSettings, OAuthClient};
use paihao_gateway::settings::validate::{check_id, check_name, refuse_unknown};
use std::time::Duration;
use url::Url;

impl Config {
    pub(super) fn login_settings(&self, problems: &mut ConfigProblems) -> LoginSettings {
        let login = &self.login;
        let public = self.gateway.public.trim_end_matches('/');
        let mut hours = |key: &str, hours: u64, max: u64| {
            if !(1..=max).contains(&hours) {
                let key = format!("login.{key}");
                problems.add(&key, format!("{hours} hours"), format!("use 1 to {max}"));
            }
            Duration::from_secs(hours.saturating_mul(3600))
        };
        let idle_timeout = hours("idle_hours", login.idle_hours, 720);
        let max_lifetime = hours("longest_hours", login.longest_hours, 720);
        let days = login.former_names_days;
        if !(1..=3650).contains(&days) {
            problems.add("login.former_names_days", format!("{days} days"), "use 1 to 3650");
        }
        let former_name_retention = Duration::from_secs(days.saturating_mul(24 * 3600));
        let account = if login.account.is_empty() {
            self.accounts.keys().next().cloned()
        } else {
            Some(login.account.clone())
        };
        let clients = login.clients.iter().map(|(id, client)| {
            (id.clone(), self.login_client(id, client, account.as_deref(), problems))
        });
        let clients = clients.collect();
        LoginSettings {
            clients,
            public_url: (!public.is_empty()).then(|| public.to_owned()),
            account,
            confirm: login.confirm,
            idle_timeout,
            max_lifetime,
            former_name_retention,
        }
    }

    fn login_client(
        &self,
        name: &str,
        client: &LoginClient,
        account: Option<&str>,
        problems: &mut ConfigProblems,
    ) -> OAuthClient {
        let at = format!("login.clients.{name}");
        check_id(&at, name, problems);
        check_name(&format!("{at}.name"), &client.name, problems);
        if self.gateway.public.is_empty() {
            let description = "a token says who issued it, and that is not known";
            problems.add(
                "gateway.public",
                description,
                "set it to where browsers reach the gateway",
            );
        }
        if client.redirects.is_empty() {
            let advice = "name the address that a browser is sent back to";
            problems.add(&format!("{at}.redirects"), "there is none", advice);
        }
        for redirect in client.redirects.iter().filter(|redirect| !is_safe_redirect(redirect)) {
            let description =
                format!("{redirect:?} is not an address that a browser can be sent back to");
            let advice = "use https, or http on this machine, without a fragment";
            problems.add(&format!("{at}.redirects"), description, advice);
        }
        OAuthClient {
            name: client.name.clone(),
            redirect_uris: client.redirects.clone(),
            account: if client.account.is_empty() {
                account.unwrap_or_default().to_owned()
            } else {
                client.account.clone()
            },
            confirm: match client.confirm {
                LoginConfirm::Digits(true) => Confirmation::Digits,
                LoginConfirm::Digits(false) => Confirmation::None,
                LoginConfirm::Reply(ReplyConfirm::Reply) => Confirmation::Reply,
            },
            staff_only: client.staff_only,
            roles: client.roles.iter().copied().map(staff_role).collect(),
            sites: client.sites.iter().cloned().collect(),
            logout_url: self.logout_url(&at, client, problems),
            unionid: client.unionid,
        }
    }

    fn logout_url(
        &self,
        at: &str,
        client: &LoginClient,
        problems: &mut ConfigProblems,
    ) -> Option<Url> {
        let is_limited = !client.roles.is_empty() || !client.sites.is_empty();
        if !client.staff_only && (is_limited || client.logout.is_some()) {
            let description = "roles, sites and logout are about members of staff";
            let advice = "set staff_only = true, or leave them out";
            problems.add(&format!("{at}.staff_only"), description, advice);
        }
        for site in client.sites.iter().filter(|site| !self.sites.contains_key(*site)) {
            refuse_unknown(&format!("{at}.sites"), "site", site, self.sites.keys(), problems);
        }
        let logout = client.logout.as_ref()?;
        if !is_safe_redirect(logout) {
            let description = format!("{logout:?} is not an address that a logout is sent to");
            let advice = "use https, or http on this machine, without a fragment";
            problems.add(&format!("{at}.logout"), description, advice);
        }
        Url::parse(logout).ok()
    }

    pub(super) fn trusted_proxy_ranges(&self, problems: &mut ConfigProblems) -> TrustedProxies {
        let read = |text: &String| {
            text.parse().map_err(|error: paihao_gateway::http::client_ip::InvalidIpRange| {
                let advice = "use something like [\"10.0.0.0/8\"]";
                problems.add("gateway.trusted_proxies", format!("{text:?}: {error}"), advice);
            })
        };
        TrustedProxies::new(self.gateway.trusted_proxies.iter().map(read).filter_map(Result::ok))
    }

    /// Demands the proxies of an address that only a proxy can serve, since this program speaks no
    /// TLS.
    pub(super) fn check_proxies_named(&self, problems: &mut ConfigProblems) {
        let Gateway { public, trusted_proxies, tls, .. } = &self.gateway;
        let serves_https = tls.acme.enabled || !tls.certificate.as_os_str().is_empty();
        if public.starts_with("https://") && trusted_proxies.is_empty() && !serves_https {
            problems.add(
                "gateway.trusted_proxies",
                "gateway.public is https, which a proxy serves, and no proxy is named: all the \
                 world would count as one address",
                "name its address, such as [\"127.0.0.1\"] or [\"10.0.0.0/8\"], or set gateway.tls",
            );
        }
    }
}

fn staff_role(role: LoginRole) -> StaffRole {
    match role {
        LoginRole::Manager => StaffRole::Manager,
        LoginRole::Staff => StaffRole::Staff,
    }
}

/// Checks that codes reach the address safely: over https, or on this machine.
fn is_safe_redirect(redirect: &str) -> bool {
    let Ok(url) = Url::parse(redirect) else { return false };
    let is_loopback = matches!(url.host_str(), Some("localhost" | "127.0.0.1" | "[::1]"));
    let is_secure = url.scheme() == "https" || url.scheme() == "http" && is_loopback;
    url.fragment().is_none() && is_secure
}

#[cfg(test)]
mod tests {
    use super::super::{Config, Role};

    #[test]
    fn invalid_values_are_refused() {
        let text =
            "[gateway]\ntrusted_proxies = ['10.0.0.0/8', 'proxy']\n[login]\nidle_hours = 0\n";
        let error = Config::from_text("in x.toml", text).unwrap().resolve(Role::All).err().unwrap();
        let message = error.to_string();
        for key in ["gateway.trusted_proxies", "login.idle_hours"] {
            assert!(message.contains(key), "{key}: {message}");
        }
        assert!(!message.contains("10.0.0.0/8\":"), "{message}");
    }

    #[test]
    fn a_browser_is_sent_back_only_where_a_code_is_safe() {
        let problems_of = |redirect: &str| {
            let text = format!(
                "[gateway]\npublic = 'https://q.example.com'\ntrusted_proxies = ['10.0.0.1']\n[login.clients.x]\nname = 'X'\nredirects = ['{redirect}']"
            );
            let checked = Config::from_text("in x.toml", &text).unwrap().resolve(Role::All);
            checked.err().map(|error| error.to_string()).unwrap_or_default()
        };
        for valid in ["https://x.example.com/back?a=1", "http://127.0.0.1:9/back"] {
            assert_eq!(problems_of(valid), "", "{valid}");
        }
        for invalid in
            ["http://x.example.com/", "x", "https://x.example.com/#a", "javascript:alert(1)"]
        {
            assert!(
                problems_of(invalid).contains("login.clients.x.redirects"),
                "{invalid}: {}",
                problems_of(invalid)
            );
        }
    }
}
