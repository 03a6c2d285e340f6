//! Rendering of a notice with the texts of an account: a pure function.

use crate::exact;
use crate::field_text;
use crate::policy::NoticePolicy;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use paihao_contracts::notice::{Notice, NoticeContent};
use paihao_contracts::settings::MiniProgramSetup;
use paihao_wechat::template::{fit, list::check_texts};
use paihao_wechat::text::fit_text;
use paihao_wechat::{MiniProgramPage, OpenId, SubscriptionNotice, TemplateMessage};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use sha2::{Digest, Sha256};

/// A template with the contents of its fields.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Binding {
    /// WeChat's id of the template in this account.
    pub template_id: String,
    /// Field key (`thing1`) and text, in which the [`PLACEHOLDERS`] are replaced.
    pub fields: Vec<(String, String)>,
    /// Page of a mini program that a tap opens, with [`LINK`] replaced in its path.
    pub mini_program: Option<MiniProgramSetup>,
}

/// Placeholder in the path of a mini program's page: the address of the ticket, percent-encoded.
pub const LINK: &str = "{link}";

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

/// Default customer-service text about a ticket that has no place in the line.
const NO_PLACE_TEXT: &str = MISSED_TEXT;

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
        mini_program: binding.mini_program.as_ref().map(|page| mini_program_page(notice, page)),
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
        mini_program: binding.mini_program.as_ref().map(|page| mini_program_page(notice, page)),
        fields: render_fields(notice, binding)?,
    })
}

fn mini_program_page(notice: &Notice, page: &MiniProgramSetup) -> MiniProgramPage {
    let link = notice.link.as_deref().unwrap_or_default();
    let link = utf8_percent_encode(link, NON_ALPHANUMERIC).to_string();
    MiniProgramPage { appid: page.appid.clone(), path: page.pagepath.replace(LINK, &link) }
}

/// Renders the customer-service text.
pub fn text(notice: &Notice, policy: &NoticePolicy) -> Result<String, Unrenderable> {
    if policy.text.is_empty() {
        return Err(unbound_error(notice));
    }
    let has_place = field_text::quoted_wait(&notice.content).is_some();
    let wording = match &*policy.text {
        PROGRESS_TEXT if !has_place => NO_PLACE_TEXT,
        wording => wording,
    };
    let text = fill_placeholders(wording, &placeholder_values(notice));
    let anchor = |address| format!("\n<a href=\"{address}\">查看进度 · Follow your number</a>");
    let link = notice.link.as_ref().map(anchor).unwrap_or_default();
    Ok(fit_text(&(text + &link)).into_owned())
}

fn unbound_error(notice: &Notice) -> Unrenderable {
    Unrenderable::Unbound(kind(notice), notice.account.to_string())
}

fn render_fields(
    notice: &Notice,
    binding: &Binding,
) -> Result<Vec<(String, String)>, Unrenderable> {
    let fields = binding.fields.iter();
    let fields: Vec<_> =
        fields.map(|(key, wording)| (key.clone(), field_text(key, wording, notice))).collect();
    if let Some(fault) = check_texts(&fields).first() {
        return Err(Unrenderable::InvalidText(kind(notice), fault.to_string()));
    }
    for ((key, shown), (_, wording)) in fields.iter().zip(&binding.fields) {
        if let Some(name) = exact::untrue(key, wording, shown, notice) {
            let fault = format!("{key} would not show {name} as it is");
            return Err(Unrenderable::InvalidText(kind(notice), fault));
        }
    }
    Ok(fields)
}

/// Renders the text of a template's field.
pub(crate) fn field_text(key: &str, wording: &str, notice: &Notice) -> String {
    fit(key, &unfitted_field_text(key, wording, notice))
}

/// Text of a template's field before it is fitted to its type.
pub(crate) fn unfitted_field_text(key: &str, wording: &str, notice: &Notice) -> String {
    fill_placeholders(wording, &field_text::values_for_field(key, notice))
}

/// Name of the counter to which a notice asks its holder.
pub(crate) fn counter_name(content: &NoticeContent) -> Option<&str> {
    match content {
        NoticeContent::Called { counter_name, .. }
        | NoticeContent::Recalled { counter_name, .. } => Some(counter_name),
        NoticeContent::Returned { detail, .. } => detail.counter_name.as_deref(),
        NoticeContent::Near { .. }
        | NoticeContent::Next { .. }
        | NoticeContent::Missed { .. }
        | NoticeContent::Slipped { .. }
        | NoticeContent::Halted { .. }
        | NoticeContent::QueueClosed { .. } => None,
    }
}

/// Values of the placeholders.
pub(crate) fn placeholder_values(notice: &Notice) -> [(&'static str, String); 10] {
    let counter = counter_name(&notice.content).unwrap_or("—");
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
    use paihao_contracts::commit::{
        HoldNotice, NewReturnCause, Number, QueueEnd, QuotedWait, RemovalNotice, ReturnCause,
        ReturnDetail,
    };

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
        let binding = Binding { template_id: "T".into(), fields, mini_program: None };
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
        let bound = Some(Binding { template_id: "T".into(), fields, mini_program: None });
        let policy = NoticePolicy { template: bound, ..policy() };
        let quoted = QuotedWait { ahead: 3, minutes: Some((15, 25)), cold: false };
        let counter_name: std::sync::Arc<str> = "3号窗口".into();
        let until = Some(1_767_581_400_000);
        let returned = |cause, because| {
            let detail = ReturnDetail { because, ..ReturnDetail::default() };
            NoticeContent::Returned { cause, quoted, detail }
        };
        let at_counter = |because| {
            let (because, counter_name) = (Some(because), Some(counter_name.clone()));
            let detail = ReturnDetail { because, counter_name, reason: None };
            let quoted = QuotedWait { ahead: 0, minutes: None, cold: false };
            NoticeContent::Returned { cause: ReturnCause::Return, quoted, detail }
        };
        let held = |suspended, until| NoticeContent::Halted {
            quoted: QuotedWait { minutes: None, ..quoted },
            hold: Some(HoldNotice { suspended, reason: "去补材料".into(), until }),
        };
        let closed = |end, removed: Option<&str>| {
            let reason = |reason: &str| (!reason.is_empty()).then(|| reason.into());
            let removed = removed.map(|text| RemovalNotice { reason: reason(text) });
            NoticeContent::QueueClosed { end, removed }
        };
        for (content, news, ahead, wait) in [
            (NoticeContent::Near { quoted }, "即将叫号，请做好准备", "3人", "25分内"),
            (
                NoticeContent::Next { quoted: QuotedWait { ahead: 0, minutes: None, cold: false } },
                "下一位就是您",
                "0人",
                "—",
            ),
            (
                NoticeContent::Recalled { counter_name: counter_name.clone(), call: 2 },
                "再次叫号，请到3号窗口",
                "0人",
                "0分",
            ),
            (
                NoticeContent::Missed { until, places: Some(3) },
                "已过号，10:50前可顺延3位",
                "—",
                "—",
            ),
            (NoticeContent::Missed { until, places: None }, "已过号，10:50前可重新排队", "—", "—"),
            (NoticeContent::Missed { until: None, places: None }, "已过号，号码作废", "—", "—"),
            (returned(ReturnCause::Return, None), "已重新排队", "3人", "25分内"),
            (returned(ReturnCause::Transfer, None), "已转到户籍", "3人", "25分内"),
            (returned(ReturnCause::PutBack, None), "叫号更正，请继续等候", "3人", "25分内"),
            (
                returned(ReturnCause::Return, Some(NewReturnCause::Resumed)),
                "已恢复排队",
                "3人",
                "25分内",
            ),
            (
                returned(ReturnCause::Return, Some(NewReturnCause::Restored)),
                "号码已恢复",
                "3人",
                "25分内",
            ),
            (
                returned(ReturnCause::Return, Some(NewReturnCause::Prioritised)),
                "优先级已调整",
                "3人",
                "25分内",
            ),
            (
                returned(ReturnCause::Return, Some(NewReturnCause::Reopened)),
                "恢复叫号，请留意",
                "3人",
                "25分内",
            ),
            (at_counter(NewReturnCause::Restored), "号码恢复，请到3号窗口", "—", "—"),
            (at_counter(NewReturnCause::Resumed), "继续办理，请到3号窗口", "—", "—"),
            (
                NoticeContent::Slipped {
                    quoted: QuotedWait { ahead: 9, minutes: Some((65, 90)), cold: false },
                },
                "等候时间延长，请谅解",
                "9人",
                ">60分",
            ),
            (
                NoticeContent::Halted {
                    quoted: QuotedWait { minutes: None, ..quoted },
                    hold: None,
                },
                "暂停叫号，号码保留",
                "3人",
                "—",
            ),
            (held(false, None), "已暂时离队，号码保留：去补材料", "3人", "—"),
            (held(true, None), "已暂停办理：去补材料", "3人", "—"),
            (held(false, until), "10:50恢复排队：去补材料", "3人", "—"),
            (closed(None, None), "今日已结束", "—", "—"),
            (closed(Some(QueueEnd::Closed), None), "已停止办理，号码保留", "—", "—"),
            (closed(Some(QueueEnd::Cleared), None), "队伍已清空，号码作废", "—", "—"),
            (closed(None, Some("重复取号")), "号码已被取消：重复取号", "—", "—"),
            (closed(None, Some("")), "号码已被取消", "—", "—"),
        ] {
            let message = template(&Notice { content, ..notice() }, &policy).unwrap();
            let values: Vec<_> = message.fields.iter().map(|(_, value)| value.as_str()).collect();
            assert_eq!(values[..3], [news, ahead, wait]);
        }
    }

    #[test]
    fn nobody_is_ahead_of_a_ticket_that_has_no_place() {
        let progress = NoticePolicy { text: PROGRESS_TEXT.into(), ..policy() };
        let said = |content| text(&Notice { content, ..notice() }, &progress).unwrap();
        let ended =
            said(NoticeContent::QueueClosed { end: Some(QueueEnd::Cleared), removed: None });
        assert!(ended.ends_with("A012 队伍已清空，号码作废"), "{ended}");
        let quoted = QuotedWait { ahead: 3, minutes: None, cold: false };
        let halted = said(NoticeContent::Halted { quoted, hold: None });
        assert!(halted.ends_with("A012 暂停叫号，号码保留，前面 3人"), "{halted}");
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
        assert!(long_text.ends_with('…'));
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
            assert!(text.len() <= paihao_wechat::text::MAX_TEXT_BYTES);
        }
    }

    #[test]
    fn a_mini_program_is_opened_and_told_the_link() {
        let page = |pagepath: &str| {
            let mini_program = MiniProgramSetup { appid: "wx1".into(), pagepath: pagepath.into() };
            let bind = |binding: Option<Binding>| {
                binding.map(|it| Binding { mini_program: Some(mini_program.clone()), ..it })
            };
            let usual = policy();
            NoticePolicy {
                template: bind(usual.template),
                subscription: bind(usual.subscription),
                ..usual
            }
        };
        let link: std::sync::Arc<str> = "https://q.example/t/1?k=2".into();
        let linked = Notice { link: Some(link.clone()), ..notice() };
        let path = |notice: &Notice, policy: &NoticePolicy| {
            let message = template(notice, policy).unwrap();
            let subscribed = subscription(notice, policy).unwrap();
            assert_eq!(message.url.as_deref(), notice.link.as_deref(), "for phones without it");
            assert_eq!(message.mini_program, subscribed.mini_program);
            message.mini_program.unwrap().path
        };
        let encoded = "https%3A%2F%2Fq%2Eexample%2Ft%2F1%3Fk%3D2";
        assert_eq!(path(&linked, &page("web?url={link}")), format!("web?url={encoded}"));
        assert_eq!(path(&notice(), &page("web?url={link}")), "web?url=");
        assert_eq!(path(&linked, &page("")), "");
        assert_eq!(template(&linked, &policy()).unwrap().mini_program, None);
    }

    #[test]
    fn an_unbound_notice_cannot_be_rendered() {
        let empty_policy = NoticePolicy::default();
        assert!(template(&notice(), &empty_policy).is_err());
        assert!(subscription(&notice(), &empty_policy).is_err());
        assert!(text(&notice(), &empty_policy).is_err());
    }
}
