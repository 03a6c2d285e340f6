//! Checks of texts and templates in the settings, before any notice is sent.

use crate::policy::{self, NoticePolicy};
use crate::render::{self, Binding, PLACEHOLDERS, fill_placeholders, placeholder_values};
use crate::sample::{self, SITE_NOTICE_KINDS, SampleContext};
use paihao_chassis::config::ConfigProblems;
use paihao_contracts::notice::Channel;
use paihao_contracts::settings::{AccountSetup, NoticeSetup, Wording};
use paihao_contracts::validation_error::{self, ValidationError};
use paihao_wechat::template::fields::FieldType;
use std::collections::BTreeMap;

/// Bytes of a text that WeChat reliably shows.
const MAX_TEXT_BYTES: usize = 2048;

/// Characters shown by a template field of the usual type.
const MAX_NEWS_CHARS: usize = 20;

/// Placeholders in the reply to a scan that took a number.
pub const JOINED_PLACEHOLDERS: [&str; 5] = ["{site}", "{queue}", "{number}", "{ahead}", "{wait}"];

/// Checks the texts of an account; `at` is its key in the configuration.
pub fn account(at: &str, setup: &AccountSetup, problems: &mut ConfigProblems) {
    let failure = setup.failure.as_deref().unwrap_or_default();
    let greeting = setup.greeting.as_deref().unwrap_or_default();
    for (key, text) in [("greeting", greeting), ("failure", failure)] {
        check_text_length(&format!("{at}.{key}"), text, problems);
    }
    check_channels(&format!("{at}.channels"), setup.channels.as_deref(), problems);
    let policies = policy::account_policies(setup);
    for (kind, notice, _) in policy::notice_kinds(setup) {
        let Some(notice) = notice else { continue };
        check_notice_kind(&format!("{at}.{kind}"), kind, notice, &policies[kind], problems);
    }
}

/// Checks the texts of a site; `at` is their key in the configuration.
pub fn wording(at: &str, wording: &BTreeMap<String, Wording>, problems: &mut ConfigProblems) {
    for (kind, texts) in wording {
        let at = format!("{at}.{kind}");
        let text = texts.text.as_deref().unwrap_or_default();
        check_text_length(&format!("{at}.text"), text, problems);
        if kind == "joined" {
            check_placeholders(&format!("{at}.text"), text, &JOINED_PLACEHOLDERS, problems);
            if texts.news.is_some() {
                let advice = "say it in text: the answer to a scan is no template";
                problems.add(&format!("{at}.news"), "there is no field to stand in", advice);
            }
            continue;
        }
        let Some(notice) = sample::notice(kind, &sample_context()) else {
            let known_names = SITE_NOTICE_KINDS.map(|(name, _)| name).join(", ");
            let advice = format!("the ones there are: joined, {known_names}");
            problems.add(&at, format!("there is no kind of notice {kind:?}"), advice);
            continue;
        };
        check_placeholders(&format!("{at}.text"), text, &PLACEHOLDERS, problems);
        let Some(news) = &texts.news else { continue };
        let key = format!("{at}.news");
        let allowed: Vec<_> = PLACEHOLDERS.into_iter().filter(|name| *name != "{news}").collect();
        check_placeholders(&key, news, &allowed, problems);
        let length = fill_placeholders(news, &placeholder_values(&notice)).chars().count();
        if news.trim().is_empty() || length > MAX_NEWS_CHARS {
            let description =
                format!("{length} characters, and a template's field shows {MAX_NEWS_CHARS}");
            problems.add(&key, description, "say it in 1 to 20");
        }
    }
}

fn check_notice_kind(
    at: &str,
    kind: &str,
    notice: &NoticeSetup,
    policy: &NoticePolicy,
    problems: &mut ConfigProblems,
) {
    check_channels(&format!("{at}.channels"), notice.channels.as_deref(), problems);
    let named = |channel: Channel| notice.channels.iter().flatten().any(|named| *named == channel);
    if named(Channel::Template) && policy.template.is_none() {
        refuse_unbound(&format!("{at}.template_id"), &validation_error::NO_TEMPLATE, problems);
    }
    if named(Channel::Subscription) && policy.subscription.is_none() {
        refuse_unbound(&format!("{at}.subscription"), &validation_error::NO_SUBSCRIPTION, problems);
    }
    check_text_length(&format!("{at}.text"), &policy.text, problems);
    check_placeholders(&format!("{at}.text"), &policy.text, &PLACEHOLDERS, problems);
    let bound = [("fields", &policy.template), ("subscription.fields", &policy.subscription)];
    for (key, binding) in bound {
        if let Some(binding) = binding {
            check_fields(&format!("{at}.{key}"), kind, binding, problems);
        }
    }
}

fn refuse_unbound(key: &str, kind: &ValidationError, problems: &mut ConfigProblems) {
    problems.add_with_code(kind.code, key, kind.message(), kind.advice);
}

/// Checks that WeChat shows each field and accepts its rendered text.
fn check_fields(at: &str, kind: &str, binding: &Binding, problems: &mut ConfigProblems) {
    for (key, wording) in &binding.fields {
        let at = format!("{at}.{key}");
        check_placeholders(&at, wording, &PLACEHOLDERS, problems);
        let Some(field_type) = FieldType::from_key(key) else {
            let advice = "use the key as WeChat's console has it, such as thing1 or time4";
            let description = "WeChat drops what is said in a field of this name, without a word";
            problems.add(&at, description, advice);
            continue;
        };
        let kinds = SITE_NOTICE_KINDS.iter().filter(|(_, group)| *group == kind);
        for notice in kinds.filter_map(|(name, _)| sample::notice(name, &sample_context())) {
            let text = render::field_text(key, wording, &notice);
            if let Err(misfit) = field_type.check(&text) {
                let name = sample::site_kind(&notice);
                let description =
                    format!("for {name} it would say {text:?}, which does not fit: {misfit}");
                problems.add(&at, description, "use other words, or another field");
                break;
            }
        }
    }
}

fn check_text_length(key: &str, text: &str, problems: &mut ConfigProblems) {
    if text.len() > MAX_TEXT_BYTES {
        let description = format!("{} bytes, and WeChat shows {MAX_TEXT_BYTES}", text.len());
        problems.add(key, description, "say it in fewer words");
    }
}

/// Checks that all placeholders are known.
fn check_placeholders(key: &str, text: &str, known_names: &[&str], problems: &mut ConfigProblems) {
    for (begin, _) in text.match_indices('{') {
        let tail = &text[begin..];
        let name = tail.find('}').map_or(tail, |end| &tail[..=end]);
        if !known_names.contains(&name) {
            let description = format!("{name} stands for nothing here");
            problems.add(key, description, format!("what does: {}", known_names.join(" ")));
        }
    }
}

/// Checks that a list of channels names at least one, and none twice.
fn check_channels(key: &str, channels: Option<&[Channel]>, problems: &mut ConfigProblems) {
    let Some(channels) = channels else { return };
    if channels.is_empty() {
        let advice = "leave it out for the usual ones, or name at least one";
        problems.add(key, "nothing would be said", advice);
    }
    let is_repeated = |(i, channel): (usize, &Channel)| channels[..i].contains(channel);
    if channels.iter().enumerate().any(is_repeated) {
        problems.add(key, "a channel is named twice", "name each once");
    }
}

/// A sample with names of a usual length.
fn sample_context() -> SampleContext {
    SampleContext {
        account: "shop".into(),
        site: "hall".into(),
        site_name: "城南大厅".into(),
        zone: "Asia/Shanghai".into(),
        queue_name: "存取款".into(),
        prefix: "A".into(),
        counter_name: "3号窗口".into(),
        at: 1_795_384_474_775,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problems_of(setup: &AccountSetup) -> String {
        let mut problems = ConfigProblems::new();
        account("accounts.shop", setup, &mut problems);
        problems.into_result().err().map_or(String::new(), |error| error.to_string())
    }

    fn bound(key: &str, wording: &str) -> AccountSetup {
        let notice = NoticeSetup {
            template_id: "T".into(),
            fields: [(key.to_owned(), wording.to_owned())].into(),
            text: None,
            subscription: None,
            channels: None,
        };
        AccountSetup { called: Some(notice), ..AccountSetup::default() }
    }

    #[test]
    fn a_field_that_wechat_drops_or_refuses_is_refused() {
        assert_eq!(problems_of(&bound("thing1", "{site}")), "");
        for (key, wording, description) in [
            ("first", "{site}", "drops"),
            ("number2", "{site}", "does not fit"),
            ("time4", "{number}", "does not fit"),
            ("thing1", "{nubmer}", "{nubmer}"),
            ("thing1", "{number", "stands for nothing"),
        ] {
            let problems = problems_of(&bound(key, wording));
            let at = format!("accounts.shop.called.fields.{key}");
            assert!(
                problems.contains(&at) && problems.contains(description),
                "{key} {wording}: {problems}"
            );
        }
    }

    #[test]
    fn a_sites_texts_have_known_placeholders_and_are_short() {
        let problems_of = |kind: &str, news: Option<&str>, text: Option<&str>| {
            let texts = Wording { news: news.map(Into::into), text: text.map(Into::into) };
            let mut problems = ConfigProblems::new();
            wording("sites.hall.wording", &[(kind.to_owned(), texts)].into(), &mut problems);
            problems.into_result().err().map_or(String::new(), |error| error.to_string())
        };
        assert_eq!(
            problems_of("called", Some("请到{counter}"), Some("请 {number} 到 {counter}")),
            ""
        );
        assert_eq!(problems_of("joined", None, Some("{number}，前面 {ahead}")), "");
        assert!(problems_of("calld", None, None).contains("sites.hall.wording.calld"));
        assert!(problems_of("called", Some("{news}"), None).contains("wording.called.news"));
        assert!(problems_of("called", Some(&"叫".repeat(21)), None).contains("21 characters"));
        assert!(problems_of("called", None, Some("{openid}")).contains("{openid}"));
        assert!(problems_of("joined", None, Some("{counter}")).contains("{counter}"));
        assert!(problems_of("joined", Some("x"), None).contains("joined.news"));
    }
}
