//! The words that go into a template's fields: Chinese, and short enough for them.

use crate::render::local;
use paihao_contracts::commit::{Through, Told};
use paihao_contracts::notice::{Notice, Saying};

/// What stands where there is nothing to say: an empty field is refused.
const NOTHING: &str = "—";

fn told(saying: &Saying) -> Option<&Told> {
    match saying {
        Saying::Near { told }
        | Saying::Next { told }
        | Saying::Returned { told, .. }
        | Saying::Slipped { told }
        | Saying::Halted { told } => Some(told),
        Saying::Called { .. }
        | Saying::Recalled { .. }
        | Saying::Missed { .. }
        | Saying::QueueClosed => None,
    }
}

/// How many are ahead: 5人.
pub(crate) fn ahead(saying: &Saying) -> String {
    told(saying).map_or_else(|| NOTHING.into(), |told| format!("{}人", told.ahead))
}

/// How long it takes at most, which is what is promised: 25分内. A range does not fit the five
/// characters of a short text.
pub(crate) fn wait(saying: &Saying) -> String {
    match told(saying).and_then(|told| told.minutes) {
        None => NOTHING.into(),
        Some((_, 0..=5)) => "<5分".into(),
        Some((60.., _)) => ">60分".into(),
        Some((_, high)) => format!("{high}分内"),
    }
}

/// Until when a missed number may return: 10:55.
pub(crate) fn until(notice: &Notice) -> String {
    match notice.saying {
        Saying::Missed { until: Some(until), .. } => local(notice, until, "%H:%M"),
        _ => NOTHING.into(),
    }
}

/// By how many places it is behind then: 3位.
pub(crate) fn places(saying: &Saying) -> String {
    match saying {
        Saying::Missed { places: Some(places), .. } => format!("{places}位"),
        _ => NOTHING.into(),
    }
}

/// What is new.
pub(crate) fn news(notice: &Notice) -> String {
    let by = |until: &i64| local(notice, *until, "%H:%M");
    match &notice.saying {
        Saying::Near { .. } => "即将叫号，请做好准备".into(),
        Saying::Next { .. } => "下一位就是您".into(),
        Saying::Called { counter_name, .. } => format!("请到{counter_name}"),
        Saying::Recalled { counter_name, .. } => format!("再次叫号，请到{counter_name}"),
        Saying::Missed { until: Some(until), places: Some(places) } => {
            format!("已过号，{}前可顺延{places}位", by(until))
        }
        Saying::Missed { until: Some(until), .. } => format!("已过号，{}前可重新排队", by(until)),
        Saying::Missed { until: None, .. } => "已过号，号码作废".into(),
        Saying::Returned { through: Through::Return, .. } => "已重新排队".into(),
        Saying::Returned { through: Through::Transfer, .. } => {
            format!("已转到{}", notice.queue_name)
        }
        Saying::Returned { through: Through::PutBack, .. } => "叫号更正，请继续等候".into(),
        Saying::Slipped { .. } => "等候时间延长，请谅解".into(),
        Saying::Halted { .. } => "暂停叫号，号码保留".into(),
        Saying::QueueClosed => "今日已结束".into(),
    }
}
