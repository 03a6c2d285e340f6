//! Check of the webhooks, for the notifier and the gateway.

use super::{Config, Webhook};
use paihao_chassis::config::{ConfigProblems, SecretText};
use paihao_contracts::public_event::PublicEventKind;
use paihao_contracts::webhook::hook_name;
use paihao_gateway::settings::validate::{check_id, refuse_unknown};
use paihao_notifier::webhooks::{Settings, WebhookEndpoint};
use paihao_wechat::private_targets::{PrivateTargets, TargetError};
use std::collections::{BTreeMap, BTreeSet};

/// Event types by site and webhook. The gateway publishes only these.
pub(super) type WebhookEventTypes = BTreeMap<String, BTreeMap<String, BTreeSet<String>>>;

impl Config {
    /// Converts the webhooks of every site.
    pub(super) fn webhook_settings(
        &self,
        problems: &mut ConfigProblems,
    ) -> (Settings, WebhookEventTypes) {
        let in_flight = self.notifier.webhook_in_flight;
        if !(1..=256).contains(&in_flight) {
            let description = format!("{in_flight} messages at once");
            problems.add("notifier.webhook_in_flight", description, "use 1 to 256; 8 is good");
        }
        let networks = self.notifier.webhook_private.iter().map(String::as_str);
        let private_targets = PrivateTargets::parse(networks).unwrap_or_else(|error| {
            let advice = "name addresses or ranges like 10.0.0.0/8";
            problems.add("notifier.webhook_private", error.to_string(), advice);
            PrivateTargets::default()
        });
        let mut settings = Settings { in_flight, private_targets, ..Settings::default() };
        let mut event_types = WebhookEventTypes::new();
        for (site, section) in &self.sites {
            for (name, webhook) in &section.webhooks {
                let at = format!("sites.{site}.webhooks.{name}");
                check_id(&at, name, problems);
                let Some(hook) = check_webhook(&at, webhook, &settings, problems) else { continue };
                let types = hook.events.clone();
                event_types.entry(site.clone()).or_default().insert(name.clone(), types);
                settings.endpoints.insert(hook_name(site, name), hook);
            }
        }
        (settings, event_types)
    }
}

fn check_webhook(
    at: &str,
    webhook: &Webhook,
    settings: &Settings,
    problems: &mut ConfigProblems,
) -> Option<WebhookEndpoint> {
    let former = webhook.former_secret.as_ref().map(|secret| ("former_secret", secret));
    let secrets = [("secret", &webhook.secret)].into_iter().chain(former);
    for (key, secret) in secrets.clone() {
        if secret.expose().len() < 24 {
            let advice = "use 24 or more random ones";
            problems.add(&format!("{at}.{key}"), "fewer than 24 characters", advice);
        }
    }
    let secrets: Vec<SecretText> = secrets.map(|(_, secret)| secret.clone()).collect();
    let known_names = PublicEventKind::TYPES.map(str::to_owned);
    let events = match &webhook.events {
        None => known_names.iter().cloned().collect(),
        Some(events) => {
            for event in events.iter().filter(|event| !known_names.contains(event)) {
                let key = format!("{at}.events");
                refuse_unknown(&key, "type of event", event, known_names.iter(), problems);
            }
            events.iter().cloned().collect()
        }
    };
    let url = webhook.url.parse().map_err(|_| TargetError::Malformed);
    match url.and_then(|url| settings.private_targets.check(&url).map(|()| url)) {
        Ok(url) => Some(WebhookEndpoint { url, secrets, events }),
        Err(error) => {
            // The message does not quote the address: it may hold a password.
            let advice = "use https://…; a private address, or one without https, has to be in notifier.webhook_private";
            problems.add(&format!("{at}.url"), error.to_string(), advice);
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::config::{Config, Role};
    use paihao_contracts::public_event::PublicEventKind;
    use std::fmt::Write;

    fn checked(webhook: &str) -> Result<crate::config::ResolvedConfig, String> {
        let mut text = "
            [accounts.shop]
            appid = 'wx1'
            secret = 's'
            callback_token = 'token1'
            mode = 'plain'
            [sites.hall]
            account = 'shop'
            name = '大厅'
            [sites.hall.webhooks.crm]
            "
        .to_owned();
        let _ = writeln!(text, "{webhook}");
        let config = Config::from_text("in x.toml", &text).map_err(|error| error.to_string())?;
        config.resolve(Role::All).map_err(|error| error.to_string())
    }

    #[test]
    fn a_webhook_gets_every_event_type_unless_it_lists_some() {
        let secret = "secret = 'a-secret-of-24-characters'";
        let resolved = checked(&format!("url = 'https://crm.example.com/x'\n{secret}")).unwrap();
        let hook = &resolved.webhooks.endpoints["hall/crm"];
        assert_eq!((hook.secrets.len(), hook.events.len()), (1, PublicEventKind::TYPES.len()));
        assert_eq!(resolved.settings.webhooks["hall"]["crm"], hook.events);
        let more = "former_secret = 'another-one-of-24-letters'\nevents = ['ticket_called']";
        let resolved =
            checked(&format!("url = 'https://[2606:4700::1]/x'\n{secret}\n{more}")).unwrap();
        let hook = &resolved.webhooks.endpoints["hall/crm"];
        assert_eq!((hook.secrets.len(), hook.events.len()), (2, 1));
    }

    #[test]
    fn every_error_is_reported_without_the_address() {
        let text = "url = 'http://user:hunter2@crm.example.com/'\nsecret = 'short'\nevents = ['ticket_caled']";
        let Err(message) = checked(text) else { panic!("it was accepted") };
        for key in ["crm.url", "crm.secret", "crm.events", "ticket_called"] {
            assert!(message.contains(key), "{key} is missing in:\n{message}");
        }
        assert!(!message.contains("hunter2"), "{message}");
    }
}
