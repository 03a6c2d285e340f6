//! Checks of texts and templates in the settings, before any notice is sent.

use crate::exact;
use crate::length::LongestNames;
use crate::policy::{self, NoticePolicy};
use crate::render::{self, Binding, LINK, PLACEHOLDERS, fill_placeholders, placeholder_values};
use crate::sample::{self, SITE_NOTICE_KINDS, usual_context};
use crate::words::{MAX_WORD_BYTES, normalise, usual_action};
use paihao_chassis::config::ConfigProblems;
use paihao_contracts::notice::Channel;
use paihao_contracts::settings::{
    AccountSetup, KeywordAction, MiniProgramSetup, NoticeSetup, SiteSetup,
};
use paihao_contracts::validation_error::{self, TEXT_TOO_LONG, ValidationError};
use paihao_wechat::template::fields::FieldType;
use paihao_wechat::text::MAX_TEXT_BYTES;
use std::collections::BTreeSet;

pub use crate::length::{MAX_LINK_BYTES, MAX_PUBLIC_URL_BYTES};

/// Bytes of a page's path that are certainly sent on.
const MAX_PAGE_PATH_BYTES: usize = 1024;

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
    check_words(at, setup, problems);
    check_customer_service(at, setup, problems);
    check_channels(&format!("{at}.channels"), setup.channels.as_deref(), problems);
    let policies = policy::account_policies(setup);
    for (kind, notice, _) in policy::notice_kinds(setup) {
        let Some(notice) = notice else { continue };
        check_notice_kind(&format!("{at}.{kind}"), kind, notice, &policies[kind], problems);
    }
}

/// Checks the owner's words and the actions of words and menu keys.
fn check_words(at: &str, setup: &AccountSetup, problems: &mut ConfigProblems) {
    let mut seen = BTreeSet::new();
    for (word, action) in &setup.keywords {
        let key = format!("{at}.keywords.{word}");
        let compared = normalise(word);
        if compared.is_empty() || compared.len() > MAX_WORD_BYTES {
            let description = format!("{} bytes of letters and digits", compared.len());
            problems.add(&key, description, format!("use 1 to {MAX_WORD_BYTES} of them"));
        }
        let is_text = matches!(action, KeywordAction::Text(_));
        if is_text && setup.usual_words && usual_action(&compared).is_some() {
            refuse(&key, &validation_error::USUAL_WORD, problems);
        }
        if !seen.insert(compared) {
            refuse(&key, &validation_error::WORD_TWICE, problems);
        }
        check_action(&key, action, problems);
    }
    for (entry, action) in &setup.menu {
        check_action(&format!("{at}.menu.{entry}"), action, problems);
    }
}

fn check_action(key: &str, action: &KeywordAction, problems: &mut ConfigProblems) {
    match action {
        KeywordAction::Text(text) if text.trim().is_empty() => {
            problems.add(key, "an empty text", "say something, or leave the word out");
        }
        KeywordAction::Text(text) => check_text_length(key, text, problems),
        KeywordAction::Queue(path) => {
            let parts: Vec<_> = path.split('/').collect();
            if parts.len() != 2 || parts.contains(&"") {
                problems.add(key, format!("{path:?} names no queue"), "use SITE/QUEUE");
            }
        }
        _ => {}
    }
}

/// Adds a contradiction of the catalogue.
fn refuse(key: &str, kind: &ValidationError, problems: &mut ConfigProblems) {
    problems.add_with_code(kind.code, key, kind.message(), kind.advice);
}

fn check_customer_service(at: &str, setup: &AccountSetup, problems: &mut ConfigProblems) {
    let service = setup.customer_service.as_ref();
    let Some(account) = service.and_then(|service| service.kf_account.as_deref()) else { return };
    let is_account = account.split_once('@').is_some_and(|(name, of)| {
        let is_plain = |part: &str| {
            !part.is_empty()
                && part.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-".contains(&b))
        };
        is_plain(name) && is_plain(of)
    });
    if !is_account {
        let key = format!("{at}.customer_service.kf_account");
        let advice = "use the whole account of WeChat's console, such as ming@gh_shop";
        problems.add(&key, format!("{account:?} is no account of customer service"), advice);
    }
}

/// Checks that the templates of an account show the numbers and counters of its sites as they are;
/// `at` is the key of the account.
pub fn exactness<'a>(
    at: &str,
    setup: &AccountSetup,
    sites: impl IntoIterator<Item = (&'a str, &'a SiteSetup)>,
    problems: &mut ConfigProblems,
) {
    exact::check(at, setup, sites, problems);
}

/// Checks the texts of a site; `at` is their key in the configuration.
pub fn wording(at: &str, site: &SiteSetup, problems: &mut ConfigProblems) {
    let names = LongestNames::of_site(site);
    for (kind, texts) in &site.wording {
        let at = format!("{at}.{kind}");
        let text = texts.text.as_deref().unwrap_or_default();
        check_longest_text(&format!("{at}.text"), text, &names, texts.news.as_deref(), problems);
        if kind == "joined" {
            check_placeholders(&format!("{at}.text"), text, &JOINED_PLACEHOLDERS, problems);
            if texts.news.is_some() {
                let advice = "say it in text: the answer to a scan is no template";
                problems.add(&format!("{at}.news"), "there is no field to stand in", advice);
            }
            continue;
        }
        let Some(notice) = sample::notice(kind, &usual_context()) else {
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
        refuse(&format!("{at}.template_id"), &validation_error::NO_TEMPLATE, problems);
    }
    if named(Channel::Subscription) && policy.subscription.is_none() {
        refuse(&format!("{at}.subscription"), &validation_error::NO_SUBSCRIPTION, problems);
    }
    let names = LongestNames::possible();
    check_longest_text(&format!("{at}.text"), &policy.text, &names, None, problems);
    check_placeholders(&format!("{at}.text"), &policy.text, &PLACEHOLDERS, problems);
    for (part, binding) in [("", &policy.template), ("subscription.", &policy.subscription)] {
        if let Some(binding) = binding {
            check_template_id(&format!("{at}.{part}fields"), &binding.template_id, problems);
            check_fields(&format!("{at}.{part}fields"), kind, binding, problems);
            if let Some(page) = &binding.mini_program {
                check_mini_program(&format!("{at}.{part}miniprogram"), page, problems);
            }
        }
    }
    if notice.miniprogram.is_some() && policy.template.is_none() {
        let description = "a tap on a template message opens it, and there is no template";
        problems.add(&format!("{at}.miniprogram"), description, "set template_id, or take it out");
    }
}

/// Checks that WeChat can open the page.
fn check_mini_program(at: &str, page: &MiniProgramSetup, problems: &mut ConfigProblems) {
    let digits = page.appid.strip_prefix("wx").unwrap_or_default();
    if digits.len() != 16 || !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        let description = format!("{:?} is no AppID of a mini program", page.appid);
        problems.add(&format!("{at}.appid"), description, "use its own: wx and 16 digits");
    }
    let at = format!("{at}.pagepath");
    check_placeholders(&at, &page.pagepath, &[LINK], problems);
    let is_address = page.pagepath.contains("://");
    let is_broken = page.pagepath.chars().any(|c| c.is_whitespace() || c.is_control());
    if is_address || is_broken || page.pagepath.len() > MAX_PAGE_PATH_BYTES {
        let description = format!("{:?} is no page of a mini program", page.pagepath);
        problems.add(
            &at,
            description,
            "use a path as in its app.json, such as pages/web?url={link}",
        );
    }
}

/// Checks the id of a template, whose fields have this key.
fn check_template_id(fields: &str, id: &str, problems: &mut ConfigProblems) {
    if !id.bytes().all(|byte| byte.is_ascii_graphic()) {
        let key = format!("{}template_id", fields.strip_suffix("fields").unwrap_or(fields));
        let description = "there is white space in it, or a character that no id of WeChat's has";
        problems.add(&key, description, "copy it again, and nothing around it");
    }
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
        for notice in kinds.filter_map(|(name, _)| sample::notice(name, &usual_context())) {
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

/// Checks the length of a text without placeholders.
fn check_text_length(key: &str, text: &str, problems: &mut ConfigProblems) {
    if text.len() > MAX_TEXT_BYTES {
        let description = format!("{}: {} bytes", TEXT_TOO_LONG.message(), text.len());
        problems.add_with_code(TEXT_TOO_LONG.code, key, description, TEXT_TOO_LONG.advice);
    }
}

/// Checks the length of a text with the longest names and a link below it.
fn check_longest_text(
    key: &str,
    text: &str,
    names: &LongestNames,
    news: Option<&str>,
    problems: &mut ConfigProblems,
) {
    let longest = names.longest_text(text, news) + MAX_LINK_BYTES;
    if longest > MAX_TEXT_BYTES {
        let message = TEXT_TOO_LONG.message();
        let description = format!("{message}: {longest} bytes with the longest names and the link");
        problems.add_with_code(TEXT_TOO_LONG.code, key, description, TEXT_TOO_LONG.advice);
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

/// True if every name in braces stands for something.
pub(crate) fn known_placeholders(text: &str) -> bool {
    let mut problems = ConfigProblems::new();
    check_placeholders("", text, &PLACEHOLDERS, &mut problems);
    problems.into_result().is_ok()
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

#[cfg(test)]
mod tests {
    use super::*;
    use paihao_contracts::settings::{CustomerServiceSetup, TemplateSetup, Wording};

    fn problems_of(setup: &AccountSetup) -> String {
        let mut problems = ConfigProblems::new();
        account("accounts.shop", setup, &mut problems);
        problems.into_result().err().map_or(String::new(), |error| error.to_string())
    }

    fn bound(key: &str, wording: &str) -> AccountSetup {
        let notice = NoticeSetup {
            template_id: "T".into(),
            fields: [(key.to_owned(), wording.to_owned())].into(),
            miniprogram: None,
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
    fn words_are_told_apart_and_clash_with_ours_only_if_it_is_meant() {
        let with = |words: &[(&str, KeywordAction)]| AccountSetup {
            keywords: words.iter().map(|(word, act)| ((*word).to_owned(), act.clone())).collect(),
            ..AccountSetup::default()
        };
        let text = |text: &str| KeywordAction::Text(text.to_owned());
        let good = [("停车", text("地下一层")), ("取消", KeywordAction::MyTicket)];
        assert_eq!(problems_of(&with(&good)), "");
        for (words, description) in [
            (vec![("取消", text("请打电话"))], "usual_words"),
            (vec![(" 取 消！", text("请打电话"))], "usual_words"),
            (vec![("停车", text("a")), ("停 车。", text("b"))], "twice"),
            (vec![("！！", text("a"))], "0 bytes"),
            (vec![(&"长".repeat(21), text("a"))], "63 bytes"),
            (vec![("停车", text(" "))], "empty"),
            (vec![("停车", text(&"长".repeat(700)))], "2100 bytes"),
            (vec![("停车", KeywordAction::Queue("hall".into()))], "SITE/QUEUE"),
        ] {
            let problems = problems_of(&with(&words));
            assert!(problems.contains("keywords.") && problems.contains(description), "{problems}");
        }
        let meant =
            AccountSetup { usual_words: false, ..with(&[("取消", text("请打电话"))]) };
        assert_eq!(problems_of(&meant), "");
    }

    #[test]
    fn an_account_of_customer_service_is_written_in_full() {
        let with = |account: Option<&str>| AccountSetup {
            customer_service: Some(CustomerServiceSetup { kf_account: account.map(str::to_owned) }),
            ..AccountSetup::default()
        };
        assert_eq!(problems_of(&with(None)) + &problems_of(&with(Some("ming@gh_shop"))), "");
        for account in ["", "ming", "@gh", "ming@", "a b@gh", "]]>@gh"] {
            assert!(problems_of(&with(Some(account))).contains("kf_account"), "{account}");
        }
    }

    #[test]
    fn a_page_that_wechat_cannot_open_is_refused() {
        let with_page = |appid: &str, pagepath: &str, template_id: &str| {
            let mut setup = bound("thing1", "{site}");
            let called = setup.called.as_mut().unwrap();
            called.template_id = template_id.into();
            called.miniprogram =
                Some(MiniProgramSetup { appid: appid.into(), pagepath: pagepath.into() });
            problems_of(&setup)
        };
        let appid = "wx0123456789abcdef";
        for path in ["", "pages/index", "pages/web?url={link}"] {
            assert_eq!(with_page(appid, path, "T"), "");
        }
        for (appid, path, template_id, key) in [
            ("", "index", "T", "called.miniprogram.appid"),
            ("gh_0123456789abcdef", "index", "T", "called.miniprogram.appid"),
            ("wx0123456789abcde", "index", "T", "called.miniprogram.appid"),
            ("wx0123456789abcdeg", "index", "T", "called.miniprogram.appid"),
            (appid, "https://hall.example/", "T", "called.miniprogram.pagepath"),
            (appid, "index ", "T", "called.miniprogram.pagepath"),
            (appid, "index?n={number}", "T", "called.miniprogram.pagepath"),
            (appid, &"x".repeat(1025), "T", "called.miniprogram.pagepath"),
            (appid, "index", "", "called.miniprogram"),
        ] {
            let problems = with_page(appid, path, template_id);
            assert!(problems.contains(key), "{key}: {problems}");
        }
        let mut setup = bound("thing1", "{site}");
        setup.called.as_mut().unwrap().subscription = Some(TemplateSetup {
            template_id: "S".into(),
            fields: [("thing1".to_owned(), "{site}".to_owned())].into(),
            miniprogram: Some(MiniProgramSetup { appid: "x".into(), pagepath: String::new() }),
        });
        assert!(problems_of(&setup).contains("called.subscription.miniprogram.appid"));
    }

    #[test]
    fn a_sites_texts_have_known_placeholders_and_are_short() {
        let problems_of = |kind: &str, news: Option<&str>, text: Option<&str>| {
            let texts = Wording { news: news.map(Into::into), text: text.map(Into::into) };
            let mut site: SiteSetup =
                serde_json::from_str(r#"{"account": "shop", "name": "大厅"}"#).unwrap();
            site.wording.insert(kind.to_owned(), texts);
            let mut problems = ConfigProblems::new();
            wording("sites.hall.wording", &site, &mut problems);
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
        let most = MAX_TEXT_BYTES - MAX_LINK_BYTES;
        assert_eq!(problems_of("joined", None, Some(&"x".repeat(most))), "");
        for text in ["x".repeat(most + 1), format!("{}{{site}}", "x".repeat(most - 3))] {
            assert!(problems_of("joined", None, Some(&text)).contains("joined.text"), "{text}");
        }
    }
}
