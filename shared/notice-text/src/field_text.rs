//! Values of the placeholders: Chinese, and short enough for a template's fields.

use crate::render::local_time;
use paihao_contracts::commit::{QuotedWait, ReturnCause};
use paihao_contracts::notice::{Notice, NoticeContent};

/// Value of an empty placeholder: WeChat refuses an empty field.
const EMPTY_VALUE: &str = "—";

fn quoted_wait(content: &NoticeContent) -> Option<&QuotedWait> {
    match content {
        NoticeContent::Near { quoted }
        | NoticeContent::Next { quoted }
        | NoticeContent::Returned { quoted, .. }
        | NoticeContent::Slipped { quoted }
        | NoticeContent::Halted { quoted } => Some(quoted),
        NoticeContent::Called { .. }
        | NoticeContent::Recalled { .. }
        | NoticeContent::Missed { .. }
        | NoticeContent::QueueClosed => None,
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
        NoticeContent::Returned { cause: ReturnCause::Return, .. } => "已重新排队".into(),
        NoticeContent::Returned { cause: ReturnCause::Transfer, .. } => {
            format!("已转到{}", notice.queue_name)
        }
        NoticeContent::Returned { cause: ReturnCause::PutBack, .. } => {
            "叫号更正，请继续等候".into()
        }
        NoticeContent::Slipped { .. } => "等候时间延长，请谅解".into(),
        NoticeContent::Halted { .. } => "暂停叫号，号码保留".into(),
        NoticeContent::QueueClosed => "今日已结束".into(),
    }
}
