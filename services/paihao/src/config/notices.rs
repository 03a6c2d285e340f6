//! Checks of the notifier's settings: notices of each account, and intervals of its checks.

use super::Config;
use paihao_chassis::config::ConfigProblems;
use paihao_contracts::envelope::WriteVersion;
use paihao_contracts::staff::STAFF_GENERATION;
use paihao_notifier::{AccountCheckIntervals, Settings};
use std::time::Duration;

impl Config {
    pub(super) fn notifier_settings(&self, problems: &mut ConfigProblems) -> Settings {
        if self.notifier.in_flight == 0 {
            problems.add("notifier.in_flight", "0 sends nothing", "use 64");
        }
        let bindings = self.notifier.bindings_check_seconds;
        if bindings < 60 {
            let description = format!("templates checked every {bindings} s");
            problems.add(
                "notifier.bindings_check_seconds",
                description,
                "use 60 or more; 21600 is good",
            );
        }
        let quotas = self.wechat.limits.quota_read_seconds;
        if (1..60).contains(&quotas) {
            let description = format!("quotas read every {quotas} s");
            problems.add("wechat.limits.quota_read_seconds", description, "use 60 or more, or 0");
        }
        let accounts = self.accounts.iter().map(|(name, account)| {
            (name.clone(), paihao_notice_text::policy::account_policies(&account.setup()))
        });
        let wording = self.sites.iter().map(|(id, site)| (id.clone(), site.wording.clone()));
        Settings {
            in_flight: self.notifier.in_flight,
            accounts: accounts.collect(),
            keyring: None,
            keyed_tags: WriteVersion::clamped(self.ledger.write_version).allows(STAFF_GENERATION),
            public_url: self.gateway.public_url(),
            wording: wording.collect(),
            account_checks: AccountCheckIntervals {
                bindings_interval: Duration::from_secs(bindings),
                quotas_interval: Duration::from_secs(quotas),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{ResolvedConfig, Role};
    use super::*;
    use paihao_contracts::notice::Channel;
    use paihao_notifier::NoticePolicy;

    const SHOP: &str =
        "[accounts.shop]\nappid = 'wx1'\nsecret = 's'\ncallback_token = 'token1'\nmode = 'plain'\n";

    fn check(more: &str) -> Result<ResolvedConfig, String> {
        let config = Config::from_text("in x.toml", &format!("{SHOP}{more}"));
        let config = config.map_err(|problem| problem.to_string())?;
        config.resolve(Role::All).map_err(|problems| problems.to_string())
    }

    fn called(more: &str) -> NoticePolicy {
        check(more).unwrap().notifier.accounts["shop"]["called"].clone()
    }

    const TEMPLATE: &str =
        "[accounts.shop.called]\ntemplate_id = 'T'\nfields = { thing1 = '{site}' }\n";
    const SUBSCRIPTION: &str =
        "subscription = { template_id = 'S', fields = { thing1 = '{site}' } }\n";

    #[test]
    fn a_call_is_sent_by_template_first_unless_the_channels_are_set() {
        use Channel::{CustomerService, PassiveReply, Subscription, Template};
        assert_eq!(called("").channels, [Template, CustomerService]);
        assert_eq!(called(TEMPLATE).channels, [Template, CustomerService]);
        let both = format!("{TEMPLATE}{SUBSCRIPTION}");
        assert_eq!(called(&both).channels, [Template, CustomerService, Subscription]);
        let account = format!("channels = ['customer-service']\n{both}");
        assert_eq!(called(&account).channels, [CustomerService]);
        let of_kind = format!("{account}channels = ['passive-reply', 'subscription']\n");
        assert_eq!(called(&of_kind).channels, [PassiveReply, Subscription]);
    }

    #[test]
    fn texts_are_noted_for_accounts_that_send_them() {
        let texts =
            |more: &str| check(more).unwrap().settings.accounts["shop"].replies().sends_texts;
        assert!(texts("") && texts(TEMPLATE));
        assert!(!texts("channels = ['template']\n"));
        let kinds = ["called", "missed", "progress"];
        let none = kinds.map(|kind| format!("[accounts.shop.{kind}]\ntext = ''\n"));
        assert!(!texts(&none.concat()) && texts(&none[0]), "every kind has a text of its account");
    }

    #[test]
    fn channels_that_cannot_be_used_are_refused_with_the_missing_key() {
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
            let message = check(more).err().unwrap_or_else(|| panic!("{more} is taken"));
            assert!(message.contains(key), "{key}: {message}");
        }
        let long = format!("[accounts.shop.called]\ntext = '{}'\n", "叫".repeat(700));
        assert!(check(&long).err().unwrap().contains("called.text"));
    }
}
