//! Checks what accounts tell people and how: the channels, templates and texts of each kind of
//! notice.

use super::{Account, Config, Said};
use paihao_chassis::config::Problems;
use paihao_contracts::notice::Channel;
use paihao_notifier::channels::Manner;
use paihao_notifier::render::{Binding, CALLED_TEXT, MISSED_TEXT, PROGRESS_TEXT};
use paihao_notifier::{Settings, Upkeep, channels};
use std::time::Duration;

/// Bytes of a text that WeChat shows for sure.
const LONGEST_TEXT: usize = 2048;

impl Config {
    pub(super) fn notifier(&self, problems: &mut Problems) -> Settings {
        if self.notifier.in_flight == 0 {
            problems.refuse("notifier.in_flight", "0 sends nothing", "use 64");
        }
        let bindings = self.notifier.bindings_check_seconds;
        if bindings < 60 {
            let what = format!("templates looked at every {bindings} s");
            problems.refuse(
                "notifier.bindings_check_seconds",
                what,
                "use 60 or more; 21600 is good",
            );
        }
        let quotas = self.wechat.limits.quota_read_seconds;
        if (1..60).contains(&quotas) {
            let what = format!("quotas asked for every {quotas} s");
            problems.refuse("wechat.limits.quota_read_seconds", what, "use 60 or more, or 0");
        }
        let accounts = self.accounts.iter().map(|(name, account)| {
            let at = format!("accounts.{name}");
            listed(&format!("{at}.channels"), account.channels.as_deref(), problems);
            (name.clone(), account.says(&at, problems))
        });
        Settings {
            in_flight: self.notifier.in_flight,
            accounts: accounts.collect(),
            public: self.gateway.address(),
            upkeep: Upkeep {
                bindings_every: Duration::from_secs(bindings),
                quotas_every: Duration::from_secs(quotas),
            },
        }
    }
}

impl Account {
    /// The kinds of notices, each with the section that describes it and our own words for a text.
    /// A new kind gets its line here.
    fn kinds(&self) -> [(&'static str, Option<&Said>, &'static str); 3] {
        [
            ("called", self.called.as_ref(), CALLED_TEXT),
            ("missed", self.missed.as_ref(), MISSED_TEXT),
            ("progress", self.progress.as_ref(), PROGRESS_TEXT),
        ]
    }

    fn says(&self, at: &str, problems: &mut Problems) -> channels::Account {
        let kinds = self.kinds().map(|(kind, said, text)| {
            let manner = self.manner(said, text);
            if let Some(said) = said {
                check(&format!("{at}.{kind}"), said, &manner, problems);
            }
            (kind, manner)
        });
        kinds.into()
    }

    fn manner(&self, said: Option<&Said>, text: &str) -> Manner {
        let template = said.filter(|said| !said.template_id.is_empty()).map(|said| Binding {
            template_id: said.template_id.clone(),
            fields: said.fields.clone().into_iter().collect(),
        });
        let subscription = said.and_then(|said| said.subscription.as_ref());
        let subscription = subscription.map(|template| Binding {
            template_id: template.template_id.clone(),
            fields: template.fields.clone().into_iter().collect(),
        });
        let listed = said.and_then(|said| said.channels.clone()).or_else(|| self.channels.clone());
        let channels = listed.unwrap_or_else(|| {
            let last = subscription.as_ref().map(|_| Channel::Subscription);
            [Channel::Template, Channel::CustomerService].into_iter().chain(last).collect()
        });
        let text = said.and_then(|said| said.text.as_deref()).unwrap_or(text).to_owned();
        Manner { channels, template, subscription, text }
    }

    /// Whether any kind of notice may be said as a customer-service text.
    pub(super) fn sends_texts(&self) -> bool {
        let mut manners = self.kinds().into_iter().map(|(_, said, text)| self.manner(said, text));
        manners.any(|manner| manner.usable().any(|channel| channel == Channel::CustomerService))
    }
}

fn check(at: &str, said: &Said, manner: &Manner, problems: &mut Problems) {
    listed(&format!("{at}.channels"), said.channels.as_deref(), problems);
    let named = |channel: Channel| said.channels.iter().flatten().any(|named| *named == channel);
    if named(Channel::Template) && manner.template.is_none() {
        let advice = "set it to the id of a template in WeChat's console, or take \"template\" out of \
                      the channels";
        problems.refuse(&format!("{at}.template_id"), "there is no template", advice);
    }
    if named(Channel::Subscription) && manner.subscription.is_none() {
        let advice = "add it, or take \"subscription\" out of the channels";
        problems.refuse(&format!("{at}.subscription"), "there is no template", advice);
    }
    if manner.text.len() > LONGEST_TEXT {
        let what = format!("{} bytes, and WeChat shows {LONGEST_TEXT}", manner.text.len());
        problems.refuse(&format!("{at}.text"), what, "say it in fewer words");
    }
}

/// A list of channels names at least one, and none twice.
fn listed(key: &str, channels: Option<&[Channel]>, problems: &mut Problems) {
    let Some(channels) = channels else { return };
    if channels.is_empty() {
        let advice = "leave it out for the usual ones, or name at least one";
        problems.refuse(key, "nothing would be said", advice);
    }
    let twice = |(i, channel): (usize, &Channel)| channels[..i].contains(channel);
    if channels.iter().enumerate().any(twice) {
        problems.refuse(key, "a channel stands there twice", "name each once");
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Role, Setup};
    use super::*;

    const SHOP: &str = "[accounts.shop]\nappid = 'wx1'\nsecret = 's'\ncallback_token = 'token1'\n";

    fn check(more: &str) -> Result<Setup, String> {
        let config = Config::of_text("in x.toml", &format!("{SHOP}{more}"));
        let config = config.map_err(|problem| problem.to_string())?;
        config.check(Role::All).map_err(|problems| problems.to_string())
    }

    fn called(more: &str) -> Manner {
        check(more).unwrap().notifier.accounts["shop"]["called"].clone()
    }

    const TEMPLATE: &str =
        "[accounts.shop.called]\ntemplate_id = 'T'\nfields = { thing1 = '{site}' }\n";
    const SUBSCRIPTION: &str =
        "subscription = { template_id = 'S', fields = { thing1 = '{site}' } }\n";

    #[test]
    fn a_call_is_told_by_template_first_unless_the_owner_says_otherwise() {
        use Channel::{CustomerService, PassiveReply, Subscription, Template};
        assert_eq!(called("").channels, [Template, CustomerService]);
        assert_eq!(called(TEMPLATE).channels, [Template, CustomerService]);
        let both = format!("{TEMPLATE}{SUBSCRIPTION}");
        assert_eq!(called(&both).channels, [Template, CustomerService, Subscription]);
        let own = format!("channels = ['customer-service']\n{both}");
        assert_eq!(called(&own).channels, [CustomerService]);
        let of_kind = format!("{own}channels = ['passive-reply', 'subscription']\n");
        assert_eq!(called(&of_kind).channels, [PassiveReply, Subscription]);
    }

    #[test]
    fn texts_are_noted_for_accounts_that_send_them() {
        let texts = |more: &str| check(more).unwrap().book.accounts["shop"].texts;
        assert!(texts("") && texts(TEMPLATE));
        assert!(!texts("channels = ['template']\n"));
        let kinds = ["called", "missed", "progress"];
        let none = kinds.map(|kind| format!("[accounts.shop.{kind}]\ntext = ''\n"));
        assert!(!texts(&none.concat()) && texts(&none[0]), "every kind has words of its own");
    }

    #[test]
    fn channels_that_cannot_be_used_are_refused_with_what_is_missing() {
        for (more, key) in [
            ("channels = []\n", "accounts.shop.channels"),
            ("channels = ['template', 'template']\n", "accounts.shop.channels"),
            ("channels = ['letter']\n", "channels"),
            ("[accounts.shop.called]\nchannels = ['template']\n", "called.template_id"),
            ("[accounts.shop.called]\nchannels = ['subscription']\n", "called.subscription"),
            ("[accounts.shop.called]\nchanels = []\n", "chanels"),
            ("[notifier]\nbindings_check_seconds = 1\n", "bindings_check_seconds"),
            ("[wechat.limits]\nquota_read_seconds = 1\n", "quota_read_seconds"),
        ] {
            let told = check(more).err().unwrap_or_else(|| panic!("{more} is taken"));
            assert!(told.contains(key), "{key}: {told}");
        }
        let long = format!("[accounts.shop.called]\ntext = '{}'\n", "叫".repeat(700));
        assert!(check(&long).err().unwrap().contains("called.text"));
    }
}
