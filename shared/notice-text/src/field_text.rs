//! Values of the placeholders: Chinese, and short enough for a template's fields.

use crate::render::{local_time, placeholder_values};
use paihao_contracts::commit::{
    HoldNotice, NewReturnCause, QueueEnd, QuotedWait, RemovalNotice, ReturnCause, ReturnDetail,
};
use paihao_contracts::notice::{Notice, NoticeContent};
use paihao_wechat::template::FieldType;

/// Value of an empty placeholder: WeChat refuses an empty field.
pub(crate) const EMPTY_VALUE: &str = "—";

/// Quoted wait of a notice; `None` if its ticket has no place in the line.
pub(crate) fn quoted_wait(content: &NoticeContent) -> Option<&QuotedWait> {
    match content {
        NoticeContent::Returned { detail: ReturnDetail { counter_name: Some(_), .. }, .. } => None,
        NoticeContent::Near { quoted }
        | NoticeContent::Next { quoted }
        | NoticeContent::Returned { quoted, .. }
        | NoticeContent::Slipped { quoted }
        | NoticeContent::Halted { quoted, .. } => Some(quoted),
        NoticeContent::Called { .. }
        | NoticeContent::Recalled { .. }
        | NoticeContent::Missed { .. }
        | NoticeContent::QueueClosed { .. } => None,
    }
}

/// True for types too short for the summary of a change, which show its name alone.
pub(crate) fn is_short(field_type: FieldType) -> bool {
    matches!(field_type, FieldType::Phrase | FieldType::ShortThing)
}

/// Values of the placeholders in the field with this key: in the form that its type takes.
pub(crate) fn values_for_field(key: &str, notice: &Notice) -> [(&'static str, String); 10] {
    let mut values = placeholder_values(notice);
    let Some(field_type) = FieldType::from_key(key) else { return values };
    let content = &notice.content;
    let replaced = match field_type {
        FieldType::Number => vec![
            ("{ahead}", ahead(content).unwrap_or_default().to_string()),
            ("{wait}", minutes(content).unwrap_or_default().to_string()),
            ("{places}", places(content).unwrap_or_default().to_string()),
        ],
        FieldType::CharacterString => vec![
            ("{ahead}", ahead(content).map_or_else(empty, |count| count.to_string())),
            ("{wait}", wait_text(content).replace("分内", "分").replace('分', "min")),
            ("{places}", places(content).map_or_else(empty, |count| count.to_string())),
        ],
        // A number that cannot return is void from the miss on.
        FieldType::Time | FieldType::Date
            if matches!(content, NoticeContent::Missed { until: None, .. }) =>
        {
            vec![("{until}", local_time(notice, notice.at, "%H:%M"))]
        }
        short if is_short(short) => vec![("{news}", change_name(content).to_owned())],
        _ => Vec::new(),
    };
    for (name, value) in replaced {
        if let Some(place) = values.iter_mut().find(|(placeholder, _)| *placeholder == name) {
            place.1 = value;
        }
    }
    values
}

fn empty() -> String {
    EMPTY_VALUE.to_owned()
}

/// People ahead; `None` if the ticket has no place in the line. Nobody is ahead of a call.
fn ahead(content: &NoticeContent) -> Option<u32> {
    match content {
        NoticeContent::Called { .. } | NoticeContent::Recalled { .. } => Some(0),
        content => quoted_wait(content).map(|quoted| quoted.ahead),
    }
}

/// Upper bound of the wait in minutes; `None` if there is none.
fn minutes(content: &NoticeContent) -> Option<u32> {
    match content {
        NoticeContent::Called { .. } | NoticeContent::Recalled { .. } => Some(0),
        content => quoted_wait(content).and_then(|quoted| quoted.minutes).map(|(_, high)| high),
    }
}

fn places(content: &NoticeContent) -> Option<u32> {
    match content {
        NoticeContent::Missed { places, .. } => *places,
        _ => None,
    }
}

/// Name of the change, in at most five Chinese characters.
fn change_name(content: &NoticeContent) -> &'static str {
    match content {
        NoticeContent::Near { .. } => "即将叫号",
        NoticeContent::Next { .. } => "下一位是您",
        NoticeContent::Called { .. } => "正在叫号",
        NoticeContent::Recalled { .. } => "再次叫号",
        NoticeContent::Missed { until: Some(_), .. } => "已经过号",
        NoticeContent::Missed { until: None, .. } => "号码作废",
        NoticeContent::Returned { cause, detail, .. } => {
            let at_counter = detail.counter_name.is_some();
            match (detail.because, cause) {
                (Some(NewReturnCause::Resumed), _) if at_counter => "继续办理",
                (Some(NewReturnCause::Resumed), _) => "恢复排队",
                (Some(NewReturnCause::Restored), _) => "号码恢复",
                (Some(NewReturnCause::Prioritised), _) => "优先级调整",
                (Some(NewReturnCause::Reopened), _) => "恢复叫号",
                (None, ReturnCause::Return) => "重新排队",
                (None, ReturnCause::Transfer) => "已经转号",
                (None, ReturnCause::PutBack) => "继续等候",
            }
        }
        NoticeContent::Slipped { .. } => "等候延长",
        NoticeContent::Halted { hold: None, .. } => "暂停叫号",
        NoticeContent::Halted { hold: Some(HoldNotice { suspended: true, .. }), .. } => "暂停办理",
        NoticeContent::Halted { hold: Some(_), .. } => "暂时离队",
        NoticeContent::QueueClosed { removed: Some(_), .. } => "号码取消",
        NoticeContent::QueueClosed { end: Some(QueueEnd::Closed), .. } => "停止办理",
        NoticeContent::QueueClosed { end: Some(QueueEnd::Cleared), .. } => "号码作废",
        NoticeContent::QueueClosed { end: None, .. } => "今日结束",
    }
}

/// Number of people ahead: 5人.
pub(crate) fn ahead_text(content: &NoticeContent) -> String {
    ahead(content).map_or_else(empty, |count| format!("{count}人"))
}

/// Upper bound of the wait, which is the promise: 25分内. A range does not fit the five characters of
/// a short text.
pub(crate) fn wait_text(content: &NoticeContent) -> String {
    match quoted_wait(content).and_then(|quoted| quoted.minutes) {
        None if minutes(content).is_some() => "0分".into(),
        None => EMPTY_VALUE.into(),
        Some((_, 0..=5)) => "<5分".into(),
        Some((60.., _)) => ">60分".into(),
        Some((_, high)) => format!("{high}分内"),
    }
}

/// End of the time in which a missed number may return: 10:55.
pub(crate) fn return_deadline_text(notice: &Notice) -> String {
    match notice.content {
        NoticeContent::Missed { until: Some(until), .. } => local_time(notice, until, "%H:%M"),
        _ => EMPTY_VALUE.into(),
    }
}

/// Number of places that a returned number is behind: 3位.
pub(crate) fn places_text(content: &NoticeContent) -> String {
    match content {
        NoticeContent::Missed { places: Some(places), .. } => format!("{places}位"),
        _ => EMPTY_VALUE.into(),
    }
}

/// Summary of the change.
pub(crate) fn news_text(notice: &Notice) -> String {
    let time_of = |until: &i64| local_time(notice, *until, "%H:%M");
    match &notice.content {
        NoticeContent::Near { .. } => "即将叫号，请做好准备".into(),
        NoticeContent::Next { .. } => "下一位就是您".into(),
        NoticeContent::Called { counter_name, .. } => format!("请到{counter_name}"),
        NoticeContent::Recalled { counter_name, .. } => format!("再次叫号，请到{counter_name}"),
        NoticeContent::Missed { until: Some(until), places: Some(places) } => {
            format!("已过号，{}前可顺延{places}位", time_of(until))
        }
        NoticeContent::Missed { until: Some(until), .. } => {
            format!("已过号，{}前可重新排队", time_of(until))
        }
        NoticeContent::Missed { until: None, .. } => "已过号，号码作废".into(),
        NoticeContent::Returned { cause, detail, .. } => returned_text(notice, *cause, detail),
        NoticeContent::Slipped { .. } => "等候时间延长，请谅解".into(),
        NoticeContent::Halted { hold: None, .. } => "暂停叫号，号码保留".into(),
        NoticeContent::Halted { hold: Some(HoldNotice { suspended, reason, until }), .. } => {
            let kept = match until.as_ref().map(time_of) {
                Some(until) => format!("{until}恢复排队"),
                None if *suspended => "已暂停办理".to_owned(),
                None => "已暂时离队，号码保留".to_owned(),
            };
            with_reason(&kept, Some(reason))
        }
        NoticeContent::QueueClosed { removed: Some(RemovalNotice { reason }), .. } => {
            with_reason("号码已被取消", reason.as_deref())
        }
        NoticeContent::QueueClosed { end, removed: None } => match end {
            Some(QueueEnd::Closed) => "已停止办理，号码保留".into(),
            Some(QueueEnd::Cleared) => "队伍已清空，号码作废".into(),
            None => "今日已结束".into(),
        },
    }
}

/// Summary of a return into the line, or of a step that was taken back.
fn returned_text(notice: &Notice, cause: ReturnCause, detail: &ReturnDetail) -> String {
    let ReturnDetail { because, reason, counter_name } = detail;
    let text = match (because, cause, counter_name) {
        (Some(NewReturnCause::Resumed), _, Some(counter)) => format!("继续办理，请到{counter}"),
        (Some(NewReturnCause::Resumed), _, None) => "已恢复排队".into(),
        (Some(NewReturnCause::Restored), _, Some(counter)) => format!("号码恢复，请到{counter}"),
        (Some(NewReturnCause::Restored), _, None) => "号码已恢复".into(),
        (Some(NewReturnCause::Prioritised), ..) => "优先级已调整".into(),
        (Some(NewReturnCause::Reopened), ..) => "恢复叫号，请留意".into(),
        (None, ReturnCause::Return, _) => "已重新排队".into(),
        (None, ReturnCause::Transfer, _) => format!("已转到{}", notice.queue_name),
        (None, ReturnCause::PutBack, _) => "叫号更正，请继续等候".into(),
    };
    with_reason(&text, reason.as_deref())
}

/// Text with the reason that staff gave, in one line.
fn with_reason(text: &str, reason: Option<&str>) -> String {
    let reason = reason.unwrap_or_default().split_whitespace().collect::<Vec<_>>().join(" ");
    if reason.is_empty() { text.to_owned() } else { format!("{text}：{reason}") }
}
