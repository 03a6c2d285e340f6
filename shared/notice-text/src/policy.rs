//! Policies of an account for each kind of notice, with overrides by a site.

use crate::field_text::is_short;
use crate::render::{Binding, CALLED_TEXT, MISSED_TEXT, PROGRESS_TEXT};
use paihao_contracts::notice::Channel;
use paihao_contracts::settings::{
    AccountSetup, MiniProgramSetup, NoticeSetup, TemplateSetup, Wording,
};
use paihao_wechat::Api;
use paihao_wechat::template::FieldType;
use std::collections::BTreeMap;

/// Policies of one account by kind of notice: `called`, `missed`, `progress`.
pub type AccountPolicies = BTreeMap<&'static str, NoticePolicy>;

/// Policy of an account for one kind of notice.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NoticePolicy {
    /// The channels, in the order in which they are tried.
    pub channels: Vec<Channel>,
    /// Template message.
    pub template: Option<Binding>,
    /// Subscription notice.
    pub subscription: Option<Binding>,
    /// Customer-service text; none is sent if empty.
    pub text: String,
}

impl NoticePolicy {
    /// Channels that have what they need.
    pub fn usable_channels(&self) -> impl Iterator<Item = Channel> + '_ {
        self.channels.iter().copied().filter(|channel| match channel {
            Channel::PassiveReply => true,
            Channel::CustomerService => !self.text.is_empty(),
            Channel::Template => self.template.is_some(),
            Channel::Subscription => self.subscription.is_some(),
        })
    }

    /// APIs of WeChat that the policy uses.
    pub fn apis(&self) -> impl Iterator<Item = Api> + '_ {
        self.usable_channels().filter_map(|channel| match channel {
            Channel::PassiveReply => None,
            Channel::CustomerService => Some(Api::SendText),
            Channel::Template => Some(Api::SendTemplate),
            Channel::Subscription => Some(Api::SendSubscription),
        })
    }

    /// Applies the texts of a site: its `news` replaces `{news}`, and its text that of the account.
    #[must_use]
    pub fn with_wording(mut self, site: &Wording) -> NoticePolicy {
        if let Some(text) = &site.text {
            self.text.clone_from(text);
        }
        if let Some(news) = &site.news {
            self.text = self.text.replace("{news}", news);
            let bindings = self.template.iter_mut().chain(&mut self.subscription);
            for (key, wording) in bindings.flat_map(|binding| &mut binding.fields) {
                *wording = with_news(key, wording, news);
            }
        }
        self
    }
}

/// Wording of a field with the `news` of a site in it; a type that is too short for them goes on to
/// name the change.
pub(crate) fn with_news(key: &str, wording: &str, news: &str) -> String {
    match FieldType::from_key(key) {
        Some(short) if is_short(short) && short.check(news).is_err() => wording.to_owned(),
        _ => wording.replace("{news}", news),
    }
}

/// Kinds of notices with texts of their own: name, settings of the account, and default text. A new
/// kind gets its line here.
pub fn notice_kinds(
    setup: &AccountSetup,
) -> [(&'static str, Option<&NoticeSetup>, &'static str); 3] {
    [
        ("called", setup.called.as_ref(), CALLED_TEXT),
        ("missed", setup.missed.as_ref(), MISSED_TEXT),
        ("progress", setup.progress.as_ref(), PROGRESS_TEXT),
    ]
}

/// Policies from the settings of an account.
pub fn account_policies(setup: &AccountSetup) -> AccountPolicies {
    notice_kinds(setup)
        .map(|(kind, notice, text)| (kind, notice_policy(setup, notice, text)))
        .into()
}

/// True if any kind of notice may be sent as a customer-service text.
pub fn sends_customer_service_texts(setup: &AccountSetup) -> bool {
    account_policies(setup)
        .values()
        .any(|policy| policy.usable_channels().any(|channel| channel == Channel::CustomerService))
}

fn notice_policy(account: &AccountSetup, notice: Option<&NoticeSetup>, text: &str) -> NoticePolicy {
    let with_template = notice.filter(|notice| !notice.template_id.is_empty());
    let template = with_template.map(|notice| {
        template_binding(&notice.template_id, &notice.fields, notice.miniprogram.as_ref())
    });
    let subscription_setup = notice.and_then(|notice| notice.subscription.as_ref());
    let subscription =
        subscription_setup.map(|TemplateSetup { template_id, fields, miniprogram }| {
            template_binding(template_id, fields, miniprogram.as_ref())
        });
    let listed =
        notice.and_then(|notice| notice.channels.clone()).or_else(|| account.channels.clone());
    let channels = listed.unwrap_or_else(|| {
        let last = subscription.as_ref().map(|_| Channel::Subscription);
        [Channel::Template, Channel::CustomerService].into_iter().chain(last).collect()
    });
    let text = notice.and_then(|notice| notice.text.as_deref()).unwrap_or(text).to_owned();
    NoticePolicy { channels, template, subscription, text }
}

fn template_binding(
    template_id: &str,
    fields: &BTreeMap<String, String>,
    mini_program: Option<&MiniProgramSetup>,
) -> Binding {
    Binding {
        template_id: template_id.to_owned(),
        fields: fields.clone().into_iter().collect(),
        mini_program: mini_program.cloned(),
    }
}
