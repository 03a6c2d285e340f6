//! Rendering of a notice with the texts of an account: a pure function.

use crate::field_text;
use crate::policy::NoticePolicy;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use paihao_contracts::notice::{Notice, NoticeContent};
use paihao_wechat::template::{fit, list::check_texts};
use paihao_wechat::{OpenId, SubscriptionNotice, TemplateMessage};
use sha2::{Digest, Sha256};

/// A template with the contents of its fields.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Binding {
    /// WeChat's id of the template in this account.
    pub template_id: String,
    /// Field key (`thing1`) and text, in which the [`PLACEHOLDERS`] are replaced.
    pub fields: Vec<(String, String)>,
}

/// Names of the placeholders: site, queue, number, counter, time of the event, people ahead, upper
/// bound of the wait, end of the time for a return, places lost by it, and summary of the change.
pub const PLACEHOLDERS: [&str; 10] = [
    "{site}",
    "{queue}",
    "{number}",
    "{counter}",
    "{time}",
    "{ahead}",
    "{wait}",
    "{until}",
    "{places}",
    "{news}",
];

/// Default customer-service text of a call.
pub const CALLED_TEXT: &str = "【{site}】请 {number} 到 {counter}";

/// Default customer-service text after a miss.
pub const MISSED_TEXT: &str = "【{site}】{number} {news}";

/// Default customer-service text about the progress.
pub const PROGRESS_TEXT: &str = "【{site}】{number} {news}，前面 {ahead}";

/// Bytes of a customer-service text that WeChat reliably accepts.
const MAX_TEXT_BYTES: usize = 2048;

/// Reasons for which a notice cannot be rendered.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unrenderable {
    /// The account has no text or template for this kind.
    #[error("no template is bound for \"{0}\" in account {1}")]
    Unbound(&'static str, String),
    /// WeChat would refuse the text, or show another.
    #[error("what the account's template is to say for \"{0}\" does not fit: {1}")]
    InvalidText(&'static str, String),
}

/// Kind of a notice, by its name in the configuration.
pub fn kind(notice: &Notice) -> &'static str {
    match notice.content {
        NoticeContent::Called { .. } | NoticeContent::Recalled { .. } => "called",
        NoticeContent::Missed { .. } => "missed",
        _ => "progress",
    }
}

/// Renders the template message.
pub fn template(notice: &Notice, policy: &NoticePolicy) -> Result<TemplateMessage, Unrenderable> {
    let binding = policy.template.as_ref().ok_or_else(|| unbound_error(notice))?;
    Ok(TemplateMessage {
        to: OpenId::new(&*notice.person),
        template_id: binding.template_id.clone(),
        url: notice.link.as_deref().map(str::to_owned),
        client_msg_id: Some(client_msg_id(notice)),
        fields: render_fields(notice, binding)?,
    })
}

/// Renders the subscription notice.
pub fn subscription(
    notice: &Notice,
    policy: &NoticePolicy,
) -> Result<SubscriptionNotice, Unrenderable> {
    let binding = policy.subscription.as_ref().ok_or_else(|| unbound_error(notice))?;
    Ok(SubscriptionNotice {
        to: OpenId::new(&*notice.person),
        template_id: binding.template_id.clone(),
        page: None,
        fields: render_fields(notice, binding)?,
    })
}

/// Renders the customer-service text.
pub fn text(notice: &Notice, policy: &NoticePolicy) -> Result<String, Unrenderable> {
    if policy.text.is_empty() {
        return Err(unbound_error(notice));
    }
    let mut text = fill_placeholders(&policy.text, &placeholder_values(notice));
    let anchor = |address| format!("\n<a href=\"{address}\">查看进度 · Follow your number</a>");
    let link = notice.link.as_ref().map(anchor).unwrap_or_default();
    while text.len() + link.len() > MAX_TEXT_BYTES && text.pop().is_some() {}
    Ok(text + &link)
}

fn unbound_error(notice: &Notice) -> Unrenderable {
    Unrenderable::Unbound(kind(notice), notice.account.to_string())
}

fn render_fields(
    notice: &Notice,
    binding: &Binding,
) -> Result<Vec<(String, String)>, Unrenderable> {
    let values = placeholder_values(notice);
    let fields = binding.fields.iter();
    let fields: Vec<_> = fields
        .map(|(key, wording)| (key.clone(), fit(key, &fill_placeholders(wording, &values))))
        .collect();
    match check_texts(&fields).first() {
        Some(fault) => Err(Unrenderable::InvalidText(kind(notice), fault.to_string())),
        None => Ok(fields),
    }
}

/// Renders the text of a template's field.
pub(crate) fn field_text(key: &str, wording: &str, notice: &Notice) -> String {
    fit(key, &fill_placeholders(wording, &placeholder_values(notice)))
}

/// Values of the placeholders.
pub(crate) fn placeholder_values(notice: &Notice) -> [(&'static str, String); 10] {
    let counter = match &notice.content {
        NoticeContent::Called { counter_name, .. }
        | NoticeContent::Recalled { counter_name, .. } => counter_name,
        _ => "—",
    };
    [
        ("{site}", notice.site_name.to_string()),
        ("{queue}", notice.queue_name.to_string()),
        ("{number}", notice.number.to_string()),
        ("{counter}", counter.to_owned()),
        ("{time}", local_time(notice, notice.at, "%Y-%m-%d %H:%M")),
        ("{ahead}", field_text::ahead_text(&notice.content)),
        ("{wait}", field_text::wait_text(&notice.content)),
        ("{until}", field_text::return_deadline_text(notice)),
        ("{places}", field_text::places_text(&notice.content)),
        ("{news}", field_text::news_text(notice)),
    ]
}

/// Replaces the placeholders in a text.
pub fn fill_placeholders(wording: &str, values: &[(&str, String)]) -> String {
    values.iter().fold(wording.to_owned(), |text, (name, value)| text.replace(name, value))
}

/// Deduplication id, by which WeChat recognizes a repeated message for ten minutes: 32 hexadecimal
/// digits derived from account and key.
pub fn client_msg_id(notice: &Notice) -> String {
    let hash = Sha256::digest(format!("{}\0{}", notice.account, notice.key));
    hex::encode(&hash[..16])
}

/// Formats an instant in the site's time zone.
pub(crate) fn local_time(notice: &Notice, at: i64, format: &str) -> String {
    let zone = TimeZone::get(&notice.zone).unwrap_or(TimeZone::UTC);
    let instant = Timestamp::from_millisecond(at).unwrap_or(Timestamp::UNIX_EPOCH);
    instant.to_zoned(zone).strftime(format).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use paihao_contracts::commit::{Number, QuotedWait, ReturnCause};

    fn notice() -> Notice {
        Notice {
            v: 1,
            key: "hall/20779/17/called#1".into(),
            account: "demo".into(),
            site_name: "城南街道政务服务中心综合业务办事大厅一楼东区".into(),
            zone: "Asia/Shanghai".into(),
            person: "openid".into(),
            number: Number { prefix: "A".into(), serial: 12 },
            queue_name: "户籍".into(),
            content: NoticeContent::Called { counter_name: "3号窗口".into(), call: 1 },
            order: 1,
            at: 1_767_579_600_000,
            valid_until: 1_767_579_780_000,
            link: None,
            replied: false,
        }
    }

    fn policy() -> NoticePolicy {
        let field = |key: &str, wording: &str| (key.to_owned(), wording.to_owned());
        let fields = vec![
            field("thing1", "{site}"),
            field("character_string2", "{number}"),
            field("thing3", "请到{counter}"),
            field("time4", "{time}"),
        ];
        let binding = Binding { template_id: "T".into(), fields };
        let text = "【{site}】请 {number} 到 {counter}（{queue}）".into();
        let template = Some(binding.clone());
        let subscription = Some(binding);
        NoticePolicy { channels: vec![], template, subscription, text }
    }

    #[test]
    fn every_content_renders_to_texts_that_fit() {
        let field = |key: &str, wording: &str| (key.to_owned(), wording.to_owned());
        let fields = vec![
            field("thing1", "{news}"),
            field("short_thing2", "{ahead}"),
            field("short_thing3", "{wait}"),
            field("character_string4", "{number}"),
        ];
        let bound = Some(Binding { template_id: "T".into(), fields });
        let policy = NoticePolicy { template: bound, ..policy() };
        let quoted = QuotedWait { ahead: 3, minutes: Some((15, 25)), cold: false };
        let counter_name: std::sync::Arc<str> = "3号窗口".into();
        let until = Some(1_767_581_400_000);
        for (content, news, ahead, wait) in [
            (NoticeContent::Near { quoted }, "即将叫号，请做好准备", "3人", "25分内"),
            (
                NoticeContent::Next { quoted: QuotedWait { ahead: 0, minutes: None, cold: false } },
                "下一位就是您",
                "0人",
                "—",
            ),
            (NoticeContent::Recalled { counter_name, call: 2 }, "再次叫号，请到3号窗口", "—", "—"),
            (
                NoticeContent::Missed { until, places: Some(3) },
                "已过号，10:50前可顺延3位",
                "—",
                "—",
            ),
            (NoticeContent::Missed { until, places: None }, "已过号，10:50前可重新排队", "—", "—"),
            (NoticeContent::Missed { until: None, places: None }, "已过号，号码作废", "—", "—"),
            (
                NoticeContent::Returned { cause: ReturnCause::Return, quoted },
                "已重新排队",
                "3人",
                "25分内",
            ),
            (
                NoticeContent::Returned { cause: ReturnCause::Transfer, quoted },
                "已转到户籍",
                "3人",
                "25分内",
            ),
            (
                NoticeContent::Returned { cause: ReturnCause::PutBack, quoted },
                "叫号更正，请继续等候",
                "3人",
                "25分内",
            ),
            (
                NoticeContent::Slipped {
                    quoted: QuotedWait { ahead: 9, minutes: Some((65, 90)), cold: false },
                },
                "等候时间延长，请谅解",
                "9人",
                ">60分",
            ),
            (NoticeContent::Halted { quoted }, "暂停叫号，号码保留", "3人", "25分内"),
            (NoticeContent::QueueClosed, "今日已结束", "—", "—"),
        ] {
            let message = template(&Notice { content, ..notice() }, &policy).unwrap();
            let values: Vec<_> = message.fields.iter().map(|(_, value)| value.as_str()).collect();
            assert_eq!(values[..3], [news, ahead, wait]);
        }
    }

    #[test]
    fn placeholders_are_replaced_in_the_fields() {
        let message = template(&notice(), &policy()).unwrap();
        let values: Vec<_> = message.fields.iter().map(|(_, value)| value.as_str()).collect();
        assert_eq!(values[1..], ["A012", "请到3号窗口", "2026-01-05 10:20"]);
    }

    #[test]
    fn a_name_too_long_is_cut_where_people_can_see_it() {
        let message = template(&notice(), &policy()).unwrap();
        assert_eq!(message.fields[0].1.chars().count(), 20);
        assert!(message.fields[0].1.ends_with('…'));
    }

    #[test]
    fn the_message_id_is_the_keys_and_fits_wechat() {
        let id = client_msg_id(&notice());
        assert_eq!(id.len(), 32);
        assert_eq!(id, client_msg_id(&notice()));
        let other = Notice { key: "hall/20779/17/called#2".into(), ..notice() };
        assert_ne!(id, client_msg_id(&other));
    }

    #[test]
    fn a_text_that_does_not_fit_is_not_rendered() {
        let mut policy = policy();
        for binding in [&mut policy.template, &mut policy.subscription] {
            let fields = &mut binding.as_mut().unwrap().fields;
            fields.push(("number5".into(), "{number}".into()));
        }
        let errors = [
            template(&notice(), &policy).unwrap_err().to_string(),
            subscription(&notice(), &policy).unwrap_err().to_string(),
        ];
        for error in errors {
            assert!(error.contains("number5") && !error.contains("A012"), "{error}");
        }
    }

    #[test]
    fn a_subscription_notice_has_the_same_fields_and_a_text_is_free() {
        let notice_of = subscription(&notice(), &policy()).unwrap();
        assert_eq!(notice_of.fields, template(&notice(), &policy()).unwrap().fields);
        let text = text(&notice(), &policy()).unwrap();
        assert!(
            text.starts_with("【城南街道政务服务中心综合业务办事大厅一楼东区】请 A012"),
            "{text}"
        );
        let long = NoticePolicy { text: "好".repeat(700), ..policy() };
        let long_text = super::text(&notice(), &long).unwrap();
        assert_eq!(long_text.len(), 2046, "cut on a character");
    }

    #[test]
    fn a_link_is_that_of_the_card_and_whole_under_a_text() {
        let link: std::sync::Arc<str> = "https://queue.example/t/hall/1-2-3".into();
        let linked = Notice { link: Some(link.clone()), ..notice() };
        assert_eq!(template(&linked, &policy()).unwrap().url.as_deref(), Some(&*link));
        assert_eq!(template(&notice(), &policy()).unwrap().url, None);
        let long = NoticePolicy { text: "好".repeat(700), ..policy() };
        for policy in [policy(), long] {
            let text = super::text(&linked, &policy).unwrap();
            assert!(text.contains(&format!("\n<a href=\"{link}\">")) && text.ends_with("</a>"));
            assert!(text.len() <= MAX_TEXT_BYTES);
        }
    }

    #[test]
    fn an_unbound_notice_cannot_be_rendered() {
        let empty_policy = NoticePolicy::default();
        assert!(template(&notice(), &empty_policy).is_err());
        assert!(subscription(&notice(), &empty_policy).is_err());
        assert!(text(&notice(), &empty_policy).is_err());
    }
}
