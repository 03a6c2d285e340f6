//! Values of the placeholders: Chinese, and short enough for a template's fields.

use crate::render::local_time;
use paihao_contracts::commit::{
    HoldNotice, NewReturnCause, QueueEnd, QuotedWait, RemovalNotice, ReturnCause, ReturnDetail,
};
use paihao_contracts::notice::{Notice, NoticeContent};

/// Value of an empty placeholder: WeChat refuses an empty field.
const EMPTY_VALUE: &str = "—";

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

/// Number of people ahead: 5人.
pub(crate) fn ahead_text(content: &NoticeContent) -> String {
    quoted_wait(content).map_or_else(|| EMPTY_VALUE.into(), |quoted| format!("{}人", quoted.ahead))
}

/// Upper bound of the wait, which is the promise: 25分内. A range does not fit the five characters of
/// a short text.
pub(crate) fn wait_text(content: &NoticeContent) -> String {
    match quoted_wait(content).and_then(|quoted| quoted.minutes) {
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
