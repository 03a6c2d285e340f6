//! Webhooks: what was read, as the notifier and the gateway take it.

use super::{Config, Webhook};
use paihao_chassis::config::{ConfigProblems, SecretText};
use paihao_contracts::public_event::PublicEventKind;
use paihao_contracts::webhook::hook_name;
use paihao_gateway::settings::validate::{check_id, refuse_unknown};
use paihao_notifier::webhooks::{Settings, WebhookEndpoint, is_allowed_url};
use std::collections::{BTreeMap, BTreeSet};

/// The types of event that each webhook of each site is told of: what the gateway needs to know.
pub(super) type WebhookEventTypes = BTreeMap<String, BTreeMap<String, BTreeSet<String>>>;

impl Config {
    /// Checks all webhooks.
    pub(super) fn webhook_settings(
        &self,
        problems: &mut ConfigProblems,
    ) -> (Settings, WebhookEventTypes) {
        let in_flight = self.notifier.webhook_in_flight;
        if !(1..=256).contains(&in_flight) {
            let what = format!("{in_flight} messages at once");
            problems.add("notifier.webhook_in_flight", what, "use 1 to 256; 8 is good");
        }
        let mut settings = Settings { in_flight, ..Settings::default() };
        let mut told = WebhookEventTypes::new();
        for (site, of_site) in &self.sites {
            for (name, webhook) in &of_site.webhooks {
                let at = format!("sites.{site}.webhooks.{name}");
                check_id(&at, name, problems);
                let Some(hook) = check_webhook(&at, webhook, problems) else { continue };
                told.entry(site.clone()).or_default().insert(name.clone(), hook.events.clone());
                settings.endpoints.insert(hook_name(site, name), hook);
            }
        }
        (settings, told)
    }
}

fn check_webhook(
    at: &str,
    webhook: &Webhook,
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
    let known = PublicEventKind::TYPES.map(str::to_owned);
    let events = match &webhook.events {
        None => known.iter().cloned().collect(),
        Some(events) => {
            for event in events.iter().filter(|event| !known.contains(event)) {
                let key = format!("{at}.events");
                refuse_unknown(&key, "type of event", event, known.iter(), problems);
            }
            events.iter().cloned().collect()
        }
    };
    // What stands in the address is not shown: it may hold a password.
    let refuse = |problems: &mut ConfigProblems| {
        let advice = "use https://…, or http:// on this machine";
        problems.add(&format!("{at}.url"), "messages cannot be sent there", advice);
    };
    match webhook.url.parse() {
        Ok(url) if is_allowed_url(&url) => Some(WebhookEndpoint { url, secrets, events }),
        _ => {
            refuse(problems);
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
    fn a_webhook_is_told_of_everything_unless_it_says_of_what() {
        let secret = "secret = 'a-secret-of-24-characters'";
        let setup = checked(&format!("url = 'https://crm.example.com/x'\n{secret}")).unwrap();
        let hook = &setup.webhooks.endpoints["hall/crm"];
        assert_eq!((hook.secrets.len(), hook.events.len()), (1, PublicEventKind::TYPES.len()));
        assert_eq!(setup.settings.webhooks["hall"]["crm"], hook.events);
        let more = "former_secret = 'another-one-of-24-letters'\nevents = ['ticket_called']";
        let setup = checked(&format!("url = 'http://127.0.0.1:1/x'\n{secret}\n{more}")).unwrap();
        let hook = &setup.webhooks.endpoints["hall/crm"];
        assert_eq!((hook.secrets.len(), hook.events.len()), (2, 1));
    }

    #[test]
    fn everything_that_is_wrong_with_it_is_told_but_not_the_address() {
        let text = "url = 'http://user:hunter2@crm.example.com/'\nsecret = 'short'\nevents = ['ticket_caled']";
        let Err(told) = checked(text) else { panic!("it was taken") };
        for key in ["crm.url", "crm.secret", "crm.events", "ticket_called"] {
            assert!(told.contains(key), "{key} is missing in:\n{told}");
        }
        assert!(!told.contains("hunter2"), "{told}");
    }
}
