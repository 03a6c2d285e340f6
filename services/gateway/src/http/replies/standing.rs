//! Standing of a ticket in the words of replies: Chinese and English.

use crate::http::hours::{clock_time, hours_sentences};
use crate::settings::SiteSettings;
use paihao_domain::{
    CloseReason, Estimate, EstimatePhrase, HoldKind, QueueId, QueueState, QuotedWait,
    StandingState, TicketAct, TicketStanding, Timestamp,
};

/// Standing of a ticket, in Chinese and English.
pub(super) fn standing_sentences(
    settings: &SiteSettings,
    queue: &QueueId,
    standing: &TicketStanding,
    at: Timestamp,
) -> (String, String) {
    let time = |at: &Timestamp| clock_time(settings, *at);
    let (zh, en) = match &standing.state {
        StandingState::Waiting => {
            let quoted = standing.wait.unwrap_or(NO_WAIT);
            let (zh, en) = (wait_zh(&quoted), wait_en(&quoted));
            match standing.queue_state {
                QueueState::Open | QueueState::Paused => (
                    format!("{zh}\n轮到您时，微信会通知您。"),
                    format!("{en} WeChat tells you when it is your turn."),
                ),
                QueueState::Halted | QueueState::Closed => (format!("{zh}。"), en),
            }
        }
        StandingState::Called { counter, deadline } => {
            let counter = settings.counter_name(counter);
            (
                format!("已叫到您，请到{counter}，{} 前有效。", time(deadline)),
                format!("is called: please go to {counter} by {}.", time(deadline)),
            )
        }
        StandingState::Serving { counter } => {
            let counter = settings.counter_name(counter);
            (format!("正在{counter}办理。"), format!("is being served at {counter}."))
        }
        StandingState::Held { kind, reason, until, others } => {
            held_sentences(*kind, reason, until.as_ref().map(time).as_deref(), *others)
        }
        StandingState::Missed { until, places } if standing.allows(TicketAct::Return) => {
            let until = until.as_ref().map(time).unwrap_or_default();
            let (behind_zh, behind_en) = match places {
                Some(1) => ("，顺延 1 位".to_owned(), ", 1 place further back".to_owned()),
                Some(places) => {
                    (format!("，顺延 {places} 位"), format!(", {places} places further back"))
                }
                None => Default::default(),
            };
            (
                format!("已过号，{until} 前再取一次号即可回到队伍{behind_zh}。"),
                format!("was missed. Take a number again by {until} to be back{behind_en}."),
            )
        }
        StandingState::Missed { .. } => (
            "已过号，号码作废，需要时请重新取号。".to_owned(),
            "was missed and is void. Please take a new one.".to_owned(),
        ),
        StandingState::Done => ("已办完。".to_owned(), "is done.".to_owned()),
        StandingState::Closed { reason, note } => closed_sentences(*reason, note.as_deref()),
    };
    let (stop_zh, stop_en) = match (standing.wait.is_some(), standing.queue_state) {
        (true, QueueState::Halted) => (
            "现在暂停叫号，位置保留，恢复时会通知您。".to_owned(),
            "Nobody is called for now. Your place is kept, and you are told when it goes on."
                .to_owned(),
        ),
        (true, QueueState::Closed) => {
            let (hours_zh, hours_en) = hours_sentences(settings, queue, at.0);
            (
                format!("这个业务已停止，位置还在，重新开放时会通知您。{hours_zh}"),
                format!(
                    "This service is closed. Your place is kept, and you are told when it opens. {hours_en}"
                ),
            )
        }
        (true, QueueState::Open | QueueState::Paused) | (false, _) => Default::default(),
    };
    (join(&zh, "\n", &stop_zh), join(&en, " ", stop_en.trim_end()))
}

fn held_sentences(
    kind: HoldKind,
    reason: &str,
    until: Option<&str>,
    others: Option<u32>,
) -> (String, String) {
    let (zh, en) = match kind {
        HoldKind::LetPass => ("暂离中，号码为您保留", "keeps its place while you are away"),
        HoldKind::Staff => {
            ("工作人员请您暂时离队，位置为您保留", "was put aside by staff; its place is kept")
        }
        HoldKind::Suspended => {
            ("办理暂停，窗口会再叫您", "is suspended; the counter will call you again")
        }
    };
    let (reason_zh, reason_en) = match &*short_reason(reason) {
        "" => Default::default(),
        reason => (format!("（{reason}）"), format!(" ({reason})")),
    };
    let (end_zh, end_en) = match (others, until) {
        (Some(others), Some(until)) => (
            format!("，再叫 {others} 位后恢复，最晚 {until}"),
            format!(", back after {others} more, by {until} at the latest"),
        ),
        (None, Some(until)) => {
            (format!("，最晚保留到 {until}"), format!(", until {until} at the latest"))
        }
        (_, None) => Default::default(),
    };
    (format!("{zh}{reason_zh}{end_zh}。"), format!("{en}{reason_en}{end_en}."))
}

fn closed_sentences(reason: CloseReason, note: Option<&str>) -> (String, String) {
    let (zh, en) = match reason {
        CloseReason::ByCustomer => ("已取消", "is given up"),
        CloseReason::ByStaff => ("已被工作人员取消", "was removed by staff"),
        CloseReason::Expired => ("过号后没有按时回来，已作废", "was missed and is void"),
        CloseReason::DayClosed => ("营业日已经结束，已作废", "is void, since the day has ended"),
        CloseReason::QueueCleared => ("队伍已清空，已作废", "is void, since the line was cleared"),
        CloseReason::Duplicate => ("您另有一个号", "is void, since you hold another number"),
    };
    match &*short_reason(note.unwrap_or_default()) {
        "" => (format!("{zh}。"), format!("{en}.")),
        note => (format!("{zh}：{note}。"), format!("{en}: {note}.")),
    }
}

/// Words of staff in one line, cut to what fits into a reply twice.
fn short_reason(reason: &str) -> String {
    let words = reason.split_whitespace().collect::<Vec<_>>().join(" ");
    match words.char_indices().nth(MAX_REASON_CHARS) {
        Some((end, _)) => format!("{}…", &words[..end]),
        None => words,
    }
}

/// Joins two texts, of which the second may be empty.
pub(super) fn join(first: &str, between: &str, second: &str) -> String {
    if second.is_empty() { first.to_owned() } else { format!("{first}{between}{second}") }
}

/// Returns whether tickets of the queue are called, so that minutes can be told.
pub(super) fn is_calling(standing: &TicketStanding) -> bool {
    match standing.queue_state {
        QueueState::Open | QueueState::Paused => true,
        QueueState::Halted | QueueState::Closed => false,
    }
}

/// Largest number of characters of a reason in a reply.
pub(super) const MAX_REASON_CHARS: usize = 60;

/// Wait of a ticket without one.
pub(super) const NO_WAIT: QuotedWait = QuotedWait { ahead: 0, estimate: None, cold: false };

pub(super) fn wait_zh(quoted: &QuotedWait) -> String {
    let ahead = match quoted.ahead {
        0 => "前面没有人".to_owned(),
        ahead => format!("前面 {ahead} 位"),
    }; // 约 marks a rough estimate.
    let about = if quoted.cold { "约" } else { "" };
    match quoted.estimate.map(Estimate::phrase) {
        None => ahead,
        Some(EstimatePhrase::LessThan(high)) => format!("{ahead}，预计不到 {high} 分钟"),
        Some(EstimatePhrase::MoreThan(low)) => format!("{ahead}，预计 {low} 分钟以上"),
        Some(EstimatePhrase::Between(low, high)) => {
            format!("{ahead}，预计{about} {low}–{high} 分钟")
        }
    }
}

pub(super) fn wait_en(quoted: &QuotedWait) -> String {
    let ahead = match quoted.ahead {
        0 => "Nobody is ahead of you".to_owned(),
        1 => "1 person is ahead of you".to_owned(),
        ahead => format!("{ahead} people are ahead of you"),
    };
    let about = if quoted.cold { "about " } else { "" };
    match quoted.estimate.map(Estimate::phrase) {
        None => format!("{ahead}."),
        Some(EstimatePhrase::LessThan(high)) => format!("{ahead}, less than {high} minutes."),
        Some(EstimatePhrase::MoreThan(low)) => format!("{ahead}, more than {low} minutes."),
        Some(EstimatePhrase::Between(low, high)) => {
            format!("{ahead}, {about}{low}–{high} minutes.")
        }
    }
}
