//! Texts that a customer reads in WeChat: Chinese first, English below.

mod standing;

use crate::http::hours::hours_sentences;
use crate::settings::SiteSettings;
use paihao_contracts::settings::SiteSetup;
use paihao_domain::{
    Estimate, Outcome, QueueId, QueueState, QuotedWait, Refusal, StandingState, TicketAct,
    TicketStanding, Timestamp,
};
use paihao_notice_text::render::fill_placeholders;
use standing::{NO_WAIT, is_calling, join, standing_sentences, wait_en, wait_zh};

/// Reply to a scan that led to a ticket, decided at a time.
pub fn ticket_reply(settings: &SiteSettings, outcome: &Outcome, at: Timestamp) -> String {
    let Outcome::Holding { number, queue, new, standing, .. } = outcome else {
        return TICKET_UNAVAILABLE.into();
    };
    let number = number.to_string();
    let is_usual = standing.state == StandingState::Waiting && is_calling(standing);
    if let (Some(template), true, true) = (&settings.joined_reply, *new, is_usual) {
        let queue_name = queue_name(settings, queue);
        return custom_joined_reply(template, &settings.facts.name, queue_name, &number, standing);
    }
    let heading =
        if *new { format!("取号成功 {number}") } else { format!("您已取号 {number}") };
    ticket_text(&heading, settings, queue, &number, standing, at)
}

/// Reply to a customer who left the line for a while, with the word that ends it, or who is back.
pub fn changed_reply(
    settings: &SiteSettings,
    outcome: &Outcome,
    back: Option<&str>,
    at: Timestamp,
) -> String {
    let Outcome::TicketChanged { number, queue, standing, .. } = outcome else {
        return REQUEST_FAILED.into();
    };
    let number = number.to_string();
    let heading = match standing.state {
        StandingState::Waiting => format!("{number} 已回到队伍"),
        StandingState::Held { .. } => format!("{number} 已暂离"),
        StandingState::Called { .. }
        | StandingState::Serving { .. }
        | StandingState::Missed { .. }
        | StandingState::Done
        | StandingState::Closed { .. } => format!("您的号码 {number}"),
    };
    let text = ticket_text(&heading, settings, queue, &number, standing, at);
    let may_return = standing.allows(TicketAct::Resume) || standing.allows(TicketAct::Return);
    match back.filter(|_| may_return) {
        Some(word) => {
            format!("{text}\n\n回来了请回复「{word}」。 Reply {word} when you are back.")
        }
        None => text,
    }
}

/// Text about a ticket under a heading.
fn ticket_text(
    heading: &str,
    settings: &SiteSettings,
    queue: &QueueId,
    number: &str,
    standing: &TicketStanding,
    at: Timestamp,
) -> String {
    let (zh, en) = standing_sentences(settings, queue, standing, at);
    let subject = match standing.state {
        StandingState::Waiting => format!("Your number is {number}."),
        StandingState::Called { .. }
        | StandingState::Serving { .. }
        | StandingState::Held { .. }
        | StandingState::Missed { .. }
        | StandingState::Done
        | StandingState::Closed { .. } => number.to_owned(),
    };
    format!(
        "{heading}\n{queue} · {site}\n{zh}\n\n{subject} {en}",
        queue = queue_name(settings, queue),
        site = settings.facts.name,
    )
}

/// Reply to a customer whose ticket does not allow what they asked for; `None` if they hold none.
/// `held` is how the ticket stands, if it is known.
pub fn ticket_refusal_reply(
    settings: &SiteSettings,
    refusal: &Refusal,
    held: Option<(&QueueId, &TicketStanding)>,
    at: Timestamp,
) -> Option<String> {
    let site = &settings.facts.name;
    Some(match refusal {
        Refusal::NoTicketHeld | Refusal::PersonUnknown | Refusal::UnknownTicket(_) => return None,
        Refusal::WrongState { number, .. } => match held {
            Some((queue, standing)) => {
                let number = number.to_string();
                ticket_text(&format!("您的号码 {number}"), settings, queue, &number, standing, at)
            }
            None => {
                format!("{number} 现在不能这样操作。\n{site}\n\n{number} does not allow this now.")
            }
        },
        Refusal::TooOften(number) => {
            format!("{number} 的次数已用完。\n{site}\n\n{number} has used this up.")
        }
        Refusal::TooLate(number) => {
            format!("{number} 已超过保留时间。\n{site}\n\nThe time of {number} is over.")
        }
        Refusal::TicketEnded(number) => {
            format!("{number} 已结束。\n{site}\n\n{number} has ended.")
        }
        Refusal::DayTurned => format!(
            "{site}：营业日刚刚更替，请再试一次。\n\nThe business day has just turned. Please try again."
        ),
        _ => format!("{site}：现在不能这样操作。\n\nThis is not possible now."),
    })
}

/// One line about a ticket, without its number.
pub(crate) fn ticket_line(settings: &SiteSettings, outcome: &Outcome, at: Timestamp) -> String {
    let Outcome::Holding { queue, standing, .. } = outcome else {
        return TICKET_UNAVAILABLE.into();
    };
    let (zh, en) = standing_sentences(settings, queue, standing, at);
    let zh = zh.lines().collect::<Vec<_>>().join(" ");
    format!("{} · {}：{zh} · {en}", queue_name(settings, queue), settings.facts.name)
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
    let standing = TicketStanding {
        state: StandingState::Waiting,
        queue_state: QueueState::Open,
        wait: Some(quoted),
        may: Vec::new(),
    };
    let queue = site.queues.values().next();
    let (name, prefix) = queue.map_or(("综合业务", "A"), |queue| (&queue.name, &queue.prefix));
    let number = format!("{prefix}012");
    match site.wording.get("joined").and_then(|wording| wording.text.as_deref()) {
        Some(template) => custom_joined_reply(template, &site.name, name, &number, &standing),
        None => format!(
            "取号成功 {number}\n{name} · {}\n{}\n轮到您时，微信会通知您。\n\nYour number is {number}. {} WeChat tells you when it is your turn.",
            site.name,
            wait_zh(&quoted),
            wait_en(&quoted),
        ),
    }
}

/// Reply with the owner's own text.
fn custom_joined_reply(
    template: &str,
    site: &str,
    queue: &str,
    number: &str,
    standing: &TicketStanding,
) -> String {
    let quoted = standing.wait.unwrap_or(NO_WAIT);
    fill_placeholders(
        template,
        &[
            ("{site}", site.to_owned()),
            ("{queue}", queue.to_owned()),
            ("{number}", number.to_owned()),
            ("{ahead}", quoted.ahead.to_string()),
            ("{wait}", wait_zh(&quoted)),
        ],
    )
}

/// Reply to a scan that the rules refuse, at a time in Unix milliseconds. Where it says that no
/// numbers are given out now, it says when they are.
pub fn refusal_reply(settings: &SiteSettings, refusal: &Refusal, now_ms: i64) -> String {
    let with_hours = |queue: &QueueId, zh: &str, en: &str| {
        let (hours_zh, hours_en) = hours_sentences(settings, queue, now_ms);
        let zh = join(zh, "\n", &hours_zh);
        format!("{}{zh}\n\n{}", queue_name(settings, queue), join(en, " ", &hours_en))
    };
    match refusal {
        Refusal::QueueClosed(queue) | Refusal::QueuePaused(queue) => with_hours(
            queue,
            "现在不取号，请留意现场通知。",
            "This queue gives out no numbers right now.",
        ),
        Refusal::QueueFull(queue) => {
            format!("{}名额已满，请稍后再来。\n\nThis queue is full.", queue_name(settings, queue))
        }
        Refusal::PersonLimit(queue) => {
            let limit = settings.rules.queues.get(queue).and_then(|queue| queue.daily_per_person);
            let limit = limit.unwrap_or_default();
            format!(
                "您今天已取{}的号 {limit} 个，到了每人每天的上限。请把其中任何一个号给工作人员看，他们可以为您放开。\n\n\
                 You have taken {limit} of this queue's numbers today, as many as one person may. Show any of them to the staff, who can lift this.",
                queue_name(settings, queue)
            )
        }
        Refusal::QueueClosing(queue) => with_hours(
            queue,
            "今天排不到了，请改天再来。",
            "This queue will not come to another number before it closes.",
        ),
        Refusal::OutOfHours(queue) => with_hours(
            queue,
            "现在不是取号时间，请在开放时间再来。",
            "This queue is outside of its opening hours.",
        ),
        _ => expired_code_reply(),
    }
}

/// Reply to a customer who gave up their place.
pub fn cancelled_reply(settings: &SiteSettings, outcome: &Outcome) -> String {
    let Outcome::Left { number, .. } = outcome else { return no_ticket_reply(None) };
    format!(
        "已取消 {number}\n{site}\n需要时请重新扫码取号。\n\n{number} is given up. Scan again for a new number.",
        site = settings.facts.name,
    )
}

/// Reply to a customer who asks for their ticket and holds none, with the word that takes a number.
pub fn no_ticket_reply(word: Option<&str>) -> String {
    match word {
        None => "您现在没有排队的号，扫门口或页面上的二维码即可取号。\n\nYou hold no number. Scan a code to take one."
            .into(),
        Some(word) => format!(
            "您现在没有排队的号，回复「{word}」即可取号。\n\nYou hold no number. Reply {word} to take one."
        ),
    }
}

/// Reply to an entry of a menu that has been replaced, or whose queue is no longer there.
pub fn replaced_entry_reply() -> String {
    "菜单已更新，请退出公众号再进入一次。\n\nThe menu has changed. Please leave the account and open it again."
        .into()
}

/// Reply to a customer who wants a number of a queue that there is not.
pub fn no_queue_reply() -> String {
    "现在没有可以取号的业务。\n\nThere is no queue to take a number of.".into()
}

/// Reply when the ticket could not be made durable in time, unless the owner has set another text.
pub const TICKET_UNAVAILABLE: &str =
    "系统繁忙，没有取到号，请稍后再扫一次。\n\nNo number was taken. Please scan again in a moment.";

/// Reply when another request failed, unless the owner has set another text.
pub const REQUEST_FAILED: &str =
    "系统繁忙，请稍后再试。\n\nThat did not work. Please try again in a moment.";

/// Reply to the scan of a template's test.
pub const TEST_SENT: &str = "测试消息已交给微信，请看下一条消息。\nThe test has been handed to WeChat: see the next message.";

/// Reply to a scan of a template's test after the first.
pub const TEST_TAKEN: &str = "这个测试二维码已经用过了，请在页面上再做一个。\nThis test code has been used: make another on the page.";

/// Reply to the scan of a template's test that WeChat refused.
pub fn test_refused(words: &str) -> String {
    format!("微信没有接受测试消息：{words}\nWeChat did not take the test.")
}

/// Reply to a code that no longer works.
pub fn expired_code_reply() -> String {
    "这个二维码已失效，请扫页面或门口的新码。\n\nThis code no longer works. Please scan a new one."
        .into()
}

fn queue_name<'a>(settings: &'a SiteSettings, queue: &'a QueueId) -> &'a str {
    settings.rules.queues.get(queue).map_or(queue.as_str(), |rules| &rules.name)
}

#[cfg(test)]
pub(crate) mod samples;

#[cfg(test)]
mod tests {
    use super::samples::Names;
    use super::*;
    use crate::identity::login::prompt;
    use paihao_contracts::session::{LoginRequest, LoginTarget};
    use paihao_notice_text::check::MAX_LINK_BYTES;
    use paihao_notice_text::words::MAX_WORD_BYTES;
    use paihao_wechat::text::MAX_TEXT_BYTES;

    /// Every reply with these names, by what it is.
    fn every_reply(names: &Names) -> Vec<String> {
        let settings = samples::settings(names);
        let queue = || QueueId::new(samples::QUEUE);
        let refusals = [
            Refusal::QueueClosed(queue()),
            Refusal::QueuePaused(queue()),
            Refusal::QueueFull(queue()),
            Refusal::PersonLimit(queue()),
            Refusal::QueueClosing(queue()),
            Refusal::OutOfHours(queue()),
            Refusal::PersonUnknown,
        ];
        let refused = refusals.iter().map(|refusal| refusal_reply(&settings, refusal, 0));
        let outcomes = samples::outcomes(names);
        let of_tickets = outcomes.iter().map(|outcome| match outcome {
            Outcome::Left { .. } => cancelled_reply(&settings, outcome),
            _ => with_link(ticket_reply(&settings, outcome, Timestamp(0)), Some(&names.url)),
        });
        let request = LoginRequest {
            target: LoginTarget::First,
            browser: names.site.clone(),
            address: names.site.clone(),
            ..samples::login_request()
        };
        let logins = [
            prompt::confirmation_prompt(&names.site, true, &request, "14:03", Some("4827")),
            prompt::confirmation_prompt(&names.site, true, &request, "14:03", None),
            prompt::membership_prompt(&names.site, true, "14:03", &samples::challenge()),
            prompt::login_succeeded(&names.site, true, &request),
            prompt::login_refused(),
            prompt::not_staff(),
            prompt::code_already_scanned(),
            prompt::welcome_member(&names.site, true),
            prompt::welcome_member(&names.site, false),
            prompt::invitation_unusable(),
        ];
        let fixed = [TICKET_UNAVAILABLE.into(), REQUEST_FAILED.into()];
        let word = "号".repeat(MAX_WORD_BYTES / "号".len());
        let none = [
            no_ticket_reply(None),
            no_ticket_reply(Some(&word)),
            no_queue_reply(),
            replaced_entry_reply(),
            expired_code_reply(),
        ];
        refused.chain(of_tickets).chain(logins).chain(fixed).chain(none).collect()
    }

    #[test]
    fn every_reply_fits_with_the_longest_names_and_numbers() {
        for names in samples::names() {
            for reply in every_reply(&names) {
                assert!(reply.len() <= MAX_TEXT_BYTES, "{} bytes: {reply}", reply.len());
            }
        }
    }

    #[test]
    fn each_state_is_told_as_it_is() {
        let names = &samples::names()[0];
        let settings = samples::settings(names);
        for outcome in samples::outcomes(names) {
            let Outcome::Holding { standing, .. } = &outcome else { continue };
            let full = ticket_reply(&settings, &outcome, Timestamp(0));
            let line = ticket_line(&settings, &outcome, Timestamp(0));
            let waits = standing.state == StandingState::Waiting;
            for text in [&full, &line] {
                assert_eq!(text.contains("前面"), waits, "{standing:?}: {text}");
                let goes_on = waits && is_calling(standing);
                assert_eq!(text.contains("轮到您时"), goes_on, "{standing:?}: {text}");
                let has_place = standing.wait.is_some();
                let is_halted = has_place && standing.queue_state == QueueState::Halted;
                assert_eq!(text.contains("暂停叫号"), is_halted, "{standing:?}: {text}");
                let is_closed = has_place && standing.queue_state == QueueState::Closed;
                assert_eq!(text.contains("业务已停止"), is_closed, "{standing:?}: {text}");
            }
        }
    }

    #[test]
    fn the_longest_link_has_the_room_that_is_kept_for_it() {
        let longest = samples::names()
            .into_iter()
            .map(|names| with_link(String::new(), Some(&names.url)).len());
        assert!(longest.max().unwrap() <= MAX_LINK_BYTES);
    }

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
