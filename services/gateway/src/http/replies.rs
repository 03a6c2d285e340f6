//! What a customer reads in WeChat: Chinese first, English beside it.

use crate::settings::SiteSettings;
use paihao_contracts::settings::SiteSetup;
use paihao_domain::{
    Estimate, EstimatePhrase, Outcome, QueueId, QuotedWait, Refusal, TicketStatus,
};
use paihao_notice_text::render::fill_placeholders;

/// What is answered to a scan that led to a ticket.
pub fn ticket_reply(book: &SiteSettings, outcome: &Outcome) -> String {
    let Outcome::Holding { number, queue, quoted, called_to, new, state, .. } = outcome else {
        return TICKET_UNAVAILABLE.into();
    };
    let queue_name = queue_name(book, queue);
    let heading = match new {
        true => format!("取号成功 {number}"),
        false => format!("您已取号 {number}"),
    };
    if let Some(counter) = called_to {
        let counter = book.rules.counters.get(counter).map_or("", |rules| &rules.name);
        return format!(
            "{heading}\n{queue_name} · {site}\n已叫到您，请到{counter}。\n\n{number}: please go to {counter}.",
            site = book.facts.name,
        );
    }
    if let (Some(own), true) = (&book.joined_reply, *new) {
        return custom_joined_reply(own, &book.facts.name, queue_name, &number.to_string(), quoted);
    }
    if *state == TicketStatus::Held {
        return format!(
            "{heading}\n{queue_name} · {site}\n暂离中，号码为您保留。\n\nYour number is {number}. Your place is kept while you are away.",
            site = book.facts.name,
        );
    }
    let number = number.to_string();
    waiting_reply(&heading, queue_name, &book.facts.name, &number, quoted)
}

fn waiting_reply(
    heading: &str,
    queue: &str,
    site: &str,
    number: &str,
    told: &QuotedWait,
) -> String {
    format!(
        "{heading}\n{queue} · {site}\n{zh}\n轮到您时，微信会通知您。\n\nYour number is {number}. {en}",
        zh = wait_zh(told),
        en = wait_en(told),
    )
}

/// The same with the way to the ticket's page, if there is one.
pub fn with_link(text: String, address: Option<&str>) -> String {
    match address {
        Some(address) => {
            format!(
                "{text}\n\n<a href=\"{address}\">查看进度 / 暂离 / 取消 · Follow your number</a>"
            )
        }
        None => text,
    }
}

/// What would be answered to a scan that took a number at a site like this.
pub(crate) fn joined_reply_sample(site: &SiteSetup) -> String {
    let told = QuotedWait { ahead: 3, estimate: Some(Estimate { low: 15, high: 25 }), cold: false };
    let queue = site.queues.values().next();
    let (name, prefix) = queue.map_or(("综合业务", "A"), |queue| (&queue.name, &queue.prefix));
    let number = format!("{prefix}012");
    match site.wording.get("joined").and_then(|own| own.text.as_deref()) {
        Some(own) => custom_joined_reply(own, &site.name, name, &number, &told),
        None => waiting_reply(&format!("取号成功 {number}"), name, &site.name, &number, &told),
    }
}

/// The owner's words for it.
fn custom_joined_reply(
    own: &str,
    site: &str,
    queue: &str,
    number: &str,
    told: &QuotedWait,
) -> String {
    fill_placeholders(
        own,
        &[
            ("{site}", site.to_owned()),
            ("{queue}", queue.to_owned()),
            ("{number}", number.to_owned()),
            ("{ahead}", told.ahead.to_string()),
            ("{wait}", wait_zh(told)),
        ],
    )
}

/// What is answered to a scan that the rules refuse.
pub fn refusal_reply(book: &SiteSettings, refusal: &Refusal) -> String {
    match refusal {
        Refusal::QueueClosed(queue) | Refusal::QueuePaused(queue) => format!(
            "{}现在不取号，请留意现场通知。\n\nThis queue gives out no numbers right now.",
            queue_name(book, queue)
        ),
        Refusal::QueueFull(queue) => {
            format!("{}名额已满，请稍后再来。\n\nThis queue is full.", queue_name(book, queue))
        }
        Refusal::QueueClosing(queue) => format!(
            "{}今天排不到了，请改天再来。\n\nThis queue will not come to another number before it closes.",
            queue_name(book, queue)
        ),
        Refusal::OutOfHours(queue) => format!(
            "{}现在不是取号时间，请在开放时间再来。\n\nThis queue is outside of its opening hours.",
            queue_name(book, queue)
        ),
        _ => expired_code_reply(),
    }
}

/// What is answered to somebody who gave up their place.
pub fn cancelled_reply(book: &SiteSettings, outcome: &Outcome) -> String {
    let Outcome::Left { number, .. } = outcome else { return no_ticket_reply() };
    format!(
        "已取消 {number}\n{site}\n需要时请重新扫码取号。\n\n{number} is given up. Scan again for a new number.",
        site = book.facts.name,
    )
}

/// What is answered to somebody who asks for a ticket and holds none.
pub fn no_ticket_reply() -> String {
    "您现在没有排队的号，扫门口或页面上的二维码即可取号。\n\nYou hold no number. Scan a code to take one.".into()
}

/// What is answered when the number could not be made durable in time, unless the owner has other
/// words.
pub const TICKET_UNAVAILABLE: &str =
    "系统繁忙，没有取到号，请稍后再扫一次。\n\nNo number was taken. Please scan again in a moment.";

/// The same for everything else that could not be done.
pub const REQUEST_FAILED: &str =
    "系统繁忙，请稍后再试。\n\nThat did not work. Please try again in a moment.";

/// What is answered to a code that no longer leads anywhere.
pub fn expired_code_reply() -> String {
    "这个二维码已失效，请扫页面或门口的新码。\n\nThis code no longer works. Please scan a new one."
        .into()
}

fn queue_name<'a>(book: &'a SiteSettings, queue: &'a QueueId) -> &'a str {
    book.rules.queues.get(queue).map_or(queue.as_str(), |rules| &rules.name)
}

fn wait_zh(told: &QuotedWait) -> String {
    let ahead = match told.ahead {
        0 => "前面没有人".to_owned(),
        ahead => format!("前面 {ahead} 位"),
    };
    // 约 is said of what is rough.
    let about = if told.cold { "约" } else { "" };
    match told.estimate.map(Estimate::phrase) {
        None => ahead,
        Some(EstimatePhrase::LessThan(high)) => format!("{ahead}，预计不到 {high} 分钟"),
        Some(EstimatePhrase::MoreThan(low)) => format!("{ahead}，预计 {low} 分钟以上"),
        Some(EstimatePhrase::Between(low, high)) => {
            format!("{ahead}，预计{about} {low}–{high} 分钟")
        }
    }
}

fn wait_en(told: &QuotedWait) -> String {
    let ahead = match told.ahead {
        0 => "Nobody is ahead of you".to_owned(),
        1 => "1 person is ahead of you".to_owned(),
        ahead => format!("{ahead} people are ahead of you"),
    };
    let about = if told.cold { "about " } else { "" };
    match told.estimate.map(Estimate::phrase) {
        None => format!("{ahead}."),
        Some(EstimatePhrase::LessThan(high)) => format!("{ahead}, less than {high} minutes."),
        Some(EstimatePhrase::MoreThan(low)) => format!("{ahead}, more than {low} minutes."),
        Some(EstimatePhrase::Between(low, high)) => {
            format!("{ahead}, {about}{low}–{high} minutes.")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wait_is_said_as_people_say_it() {
        let told = |ahead, range: Option<(u32, u32)>, cold| {
            let estimate = range.map(|(low, high)| Estimate { low, high });
            wait_zh(&QuotedWait { ahead, estimate, cold })
        };
        assert_eq!(told(0, Some((0, 5)), true), "前面没有人，预计不到 5 分钟");
        assert_eq!(told(7, Some((15, 25)), false), "前面 7 位，预计 15–25 分钟");
        assert_eq!(told(7, Some((15, 25)), true), "前面 7 位，预计约 15–25 分钟");
        assert_eq!(told(40, Some((60, 95)), false), "前面 40 位，预计 60 分钟以上");
        assert_eq!(told(3, None, false), "前面 3 位");
    }
}
