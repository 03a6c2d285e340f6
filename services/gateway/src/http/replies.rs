//! Texts that a customer reads in WeChat: Chinese first, English below.

use crate::settings::SiteSettings;
use paihao_contracts::settings::SiteSetup;
use paihao_domain::{
    Estimate, EstimatePhrase, Outcome, QueueId, QuotedWait, Refusal, TicketStatus,
};
use paihao_notice_text::render::fill_placeholders;

/// Reply to a scan that led to a ticket.
pub fn ticket_reply(settings: &SiteSettings, outcome: &Outcome) -> String {
    let Outcome::Holding { number, queue, quoted, called_to, new, state, .. } = outcome else {
        return TICKET_UNAVAILABLE.into();
    };
    let queue_name = queue_name(settings, queue);
    let heading =
        if *new { format!("取号成功 {number}") } else { format!("您已取号 {number}") };
    if let Some(counter) = called_to {
        let counter = settings.counter_name(counter);
        return format!(
            "{heading}\n{queue_name} · {site}\n已叫到您，请到{counter}。\n\n{number}: please go to {counter}.",
            site = settings.facts.name,
        );
    }
    let number = number.to_string();
    if let (Some(template), true) = (&settings.joined_reply, *new) {
        return custom_joined_reply(template, &settings.facts.name, queue_name, &number, quoted);
    }
    if *state == TicketStatus::Held {
        return format!(
            "{heading}\n{queue_name} · {site}\n暂离中，号码为您保留。\n\nYour number is {number}. Your place is kept while you are away.",
            site = settings.facts.name,
        );
    }
    waiting_reply(&heading, queue_name, &settings.facts.name, &number, quoted)
}

fn waiting_reply(
    heading: &str,
    queue: &str,
    site: &str,
    number: &str,
    quoted: &QuotedWait,
) -> String {
    format!(
        "{heading}\n{queue} · {site}\n{zh}\n轮到您时，微信会通知您。\n\nYour number is {number}. {en}",
        zh = wait_zh(quoted),
        en = wait_en(quoted),
    )
}

/// Appends the link to the ticket's page, if there is one.
pub fn with_link(text: String, url: Option<&str>) -> String {
    match url {
        Some(url) => {
            format!("{text}\n\n<a href=\"{url}\">查看进度 / 暂离 / 取消 · Follow your number</a>")
        }
        None => text,
    }
}

/// Sample of the reply to a scan that took a ticket at a site with this set-up.
pub(crate) fn joined_reply_sample(site: &SiteSetup) -> String {
    let quoted =
        QuotedWait { ahead: 3, estimate: Some(Estimate { low: 15, high: 25 }), cold: false };
    let queue = site.queues.values().next();
    let (name, prefix) = queue.map_or(("综合业务", "A"), |queue| (&queue.name, &queue.prefix));
    let number = format!("{prefix}012");
    match site.wording.get("joined").and_then(|wording| wording.text.as_deref()) {
        Some(template) => custom_joined_reply(template, &site.name, name, &number, &quoted),
        None => waiting_reply(&format!("取号成功 {number}"), name, &site.name, &number, &quoted),
    }
}

/// Reply with the owner's own text.
fn custom_joined_reply(
    template: &str,
    site: &str,
    queue: &str,
    number: &str,
    quoted: &QuotedWait,
) -> String {
    fill_placeholders(
        template,
        &[
            ("{site}", site.to_owned()),
            ("{queue}", queue.to_owned()),
            ("{number}", number.to_owned()),
            ("{ahead}", quoted.ahead.to_string()),
            ("{wait}", wait_zh(quoted)),
        ],
    )
}

/// Reply to a scan that the rules refuse.
pub fn refusal_reply(settings: &SiteSettings, refusal: &Refusal) -> String {
    match refusal {
        Refusal::QueueClosed(queue) | Refusal::QueuePaused(queue) => format!(
            "{}现在不取号，请留意现场通知。\n\nThis queue gives out no numbers right now.",
            queue_name(settings, queue)
        ),
        Refusal::QueueFull(queue) => {
            format!("{}名额已满，请稍后再来。\n\nThis queue is full.", queue_name(settings, queue))
        }
        Refusal::QueueClosing(queue) => format!(
            "{}今天排不到了，请改天再来。\n\nThis queue will not come to another number before it closes.",
            queue_name(settings, queue)
        ),
        Refusal::OutOfHours(queue) => format!(
            "{}现在不是取号时间，请在开放时间再来。\n\nThis queue is outside of its opening hours.",
            queue_name(settings, queue)
        ),
        _ => expired_code_reply(),
    }
}

/// Reply to a customer who gave up their place.
pub fn cancelled_reply(settings: &SiteSettings, outcome: &Outcome) -> String {
    let Outcome::Left { number, .. } = outcome else { return no_ticket_reply() };
    format!(
        "已取消 {number}\n{site}\n需要时请重新扫码取号。\n\n{number} is given up. Scan again for a new number.",
        site = settings.facts.name,
    )
}

/// Reply to a customer who asks for their ticket and holds none.
pub fn no_ticket_reply() -> String {
    "您现在没有排队的号，扫门口或页面上的二维码即可取号。\n\nYou hold no number. Scan a code to take one."
        .into()
}

/// Reply when the ticket could not be made durable in time, unless the owner has set another text.
pub const TICKET_UNAVAILABLE: &str =
    "系统繁忙，没有取到号，请稍后再扫一次。\n\nNo number was taken. Please scan again in a moment.";

/// Reply when another request failed, unless the owner has set another text.
pub const REQUEST_FAILED: &str =
    "系统繁忙，请稍后再试。\n\nThat did not work. Please try again in a moment.";

/// Reply to a code that no longer works.
pub fn expired_code_reply() -> String {
    "这个二维码已失效，请扫页面或门口的新码。\n\nThis code no longer works. Please scan a new one."
        .into()
}

fn queue_name<'a>(settings: &'a SiteSettings, queue: &'a QueueId) -> &'a str {
    settings.rules.queues.get(queue).map_or(queue.as_str(), |rules| &rules.name)
}

fn wait_zh(quoted: &QuotedWait) -> String {
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

fn wait_en(quoted: &QuotedWait) -> String {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wait_is_said_as_people_say_it() {
        let wait = |ahead, range: Option<(u32, u32)>, cold| {
            let estimate = range.map(|(low, high)| Estimate { low, high });
            wait_zh(&QuotedWait { ahead, estimate, cold })
        };
        assert_eq!(wait(0, Some((0, 5)), true), "前面没有人，预计不到 5 分钟");
        assert_eq!(wait(7, Some((15, 25)), false), "前面 7 位，预计 15–25 分钟");
        assert_eq!(wait(7, Some((15, 25)), true), "前面 7 位，预计约 15–25 分钟");
        assert_eq!(wait(40, Some((60, 95)), false), "前面 40 位，预计 60 分钟以上");
        assert_eq!(wait(3, None, false), "前面 3 位");
    }
}
