//! Choice of a queue in the chat: a text with a line for each, which a tap on it answers.
//!
//! The tap sends a text in the person's name. WeChat adds the id in the link, but not for a test
//! account, so the words of the text name the queue as well.

use crate::http::hours::day_hours;
use crate::settings::SiteSettings;
use crate::settings::menu::key::MenuKey;
use paihao_contracts::menu::TakeTarget;
use paihao_domain::{QueueAvailability, QueueId};
use paihao_notice_text::words;
use paihao_wechat::text::MAX_TEXT_BYTES;
use std::fmt::Write;
use std::sync::Arc;

/// Queue that a person may choose.
pub(super) struct Offer {
    pub(super) settings: Arc<SiteSettings>,
    pub(super) queue: QueueId,
    /// Number of people who wait.
    pub(super) waiting: usize,
    pub(super) availability: QueueAvailability,
    /// Time of the offer, in Unix milliseconds.
    pub(super) now_ms: i64,
}

/// Reply that offers these queues. Those that do not fit are left out, and the reply says so.
pub(super) fn reply(offers: &[Offer], has_several_sites: bool) -> String {
    let ending = "\n\nTap a line to take a number.";
    let rest = "\n其余业务请扫现场的二维码。 More at the door.";
    let mut text = "点一下要办理的业务，即可取号：\n".to_owned();
    let mut site = None;
    for offer in offers {
        let facts = &offer.settings.facts;
        let mut line = String::new();
        if has_several_sites && site != Some(&*facts.id) {
            let _ = write!(line, "\n{}", plain(&facts.name));
        }
        line.push('\n');
        line.push_str(&offer_line(offer, has_several_sites));
        if text.len() + line.len() + rest.len() + ending.len() > MAX_TEXT_BYTES {
            text.push_str(rest);
            break;
        }
        site = Some(&*facts.id);
        text.push_str(&line);
    }
    text + ending
}

fn offer_line(offer: &Offer, has_several_sites: bool) -> String {
    let key = MenuKey::for_queue(&offer.settings.facts.id, offer.queue.as_str());
    let words = escape_link(&choice_words(&offer.settings, &offer.queue, has_several_sites));
    let name = plain(queue_name(&offer.settings, &offer.queue));
    let note = match offer.availability {
        QueueAvailability::Open | QueueAvailability::Halted => match offer.waiting {
            0 => "，没有人在等".to_owned(),
            count => format!("，{count} 人在等"),
        },
        QueueAvailability::Full => "，名额已满".to_owned(),
        QueueAvailability::Closing
        | QueueAvailability::Paused
        | QueueAvailability::OutOfHours
        | QueueAvailability::Closed => {
            let today = offer.settings.calendar.at(offer.now_ms);
            let hours = if today.today.hours.contains_key(&offer.queue) {
                format!("（今天 {}）", day_hours(&offer.settings, &today, &offer.queue).0)
            } else {
                String::new()
            };
            format!("，现在不取号{hours}")
        }
    };
    format!(
        "› <a href=\"weixin://bizmsgmenu?msgmenucontent={words}&msgmenuid={key}\">{name}</a>{note}"
    )
}

/// Returns the queue whose words these are.
pub(super) fn find_chosen(sites: &[Arc<SiteSettings>], text: &str) -> Option<TakeTarget> {
    if !text.starts_with(TAKE_WORD) {
        return None;
    }
    let mut queues = sites
        .iter()
        .flat_map(|settings| settings.rules.queues.keys().map(move |queue| (settings, queue)));
    let (settings, queue) =
        queues.find(|(settings, queue)| choice_words(settings, queue, sites.len() > 1) == text)?;
    let site = Some(settings.facts.id.to_string());
    Some(TakeTarget { site, queue: Some(queue.as_str().to_owned()) })
}

/// Returns whether somebody means a queue: its name, prefix or id, normalised.
pub(super) fn is_named(settings: &SiteSettings, queue: &QueueId, text: &str) -> bool {
    let prefix = settings.rules.queues.get(queue).map_or("", |rules| &rules.prefix);
    let names = [queue_name(settings, queue), prefix, queue.as_str()];
    names.iter().any(|name| words::normalise(name) == text)
}

/// First word of a choice.
const TAKE_WORD: &str = "取号";

/// Text that a tap on a queue sends: 取号 大厅 存取款.
fn choice_words(settings: &SiteSettings, queue: &QueueId, has_several_sites: bool) -> String {
    let name = queue_name(settings, queue);
    if has_several_sites {
        format!("{TAKE_WORD} {} {name}", settings.facts.name)
    } else {
        format!("{TAKE_WORD} {name}")
    }
}

fn queue_name<'a>(settings: &'a SiteSettings, queue: &'a QueueId) -> &'a str {
    settings.rules.queues.get(queue).map_or(queue.as_str(), |rules| &rules.name)
}

/// Text without the characters that would begin another link.
fn plain(text: &str) -> String {
    text.replace(['<', '>'], "")
}

/// Escapes the characters that end a value in a link. WeChat reads others as they are.
fn escape_link(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_ascii() && !c.is_ascii_alphanumeric() {
            let _ = write!(escaped, "%{:02X}", u32::from(c));
        } else {
            escaped.push(c);
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::site::calendar::Calendar;
    use jiff::tz::TimeZone;
    use paihao_contracts::commit::SiteFacts;
    use paihao_domain::{QueueRules, Rules};
    use paihao_ledger::Subject;

    fn site(id: &str, name: &str, queues: &[(&str, &str)]) -> Arc<SiteSettings> {
        let facts = SiteFacts {
            account: "shop".into(),
            id: id.into(),
            name: name.into(),
            zone: "Asia/Shanghai".into(),
        };
        let queues = queues.iter().map(|(id, name)| (QueueId::new(id), QueueRules::new(name, "A")));
        let rules = Rules { queues: queues.collect(), ..Rules::default() };
        let subject = Subject::new(&["shop", id]).unwrap();
        Arc::new(SiteSettings::new(facts, subject, rules, Calendar::new(TimeZone::UTC, 4)))
    }

    fn offers(sites: &[Arc<SiteSettings>], availability: QueueAvailability) -> Vec<Offer> {
        let offers = sites.iter().flat_map(|settings| {
            settings.rules.queues.keys().map(move |queue| Offer {
                settings: settings.clone(),
                queue: queue.clone(),
                waiting: 3,
                availability,
                now_ms: 0,
            })
        });
        offers.collect()
    }

    #[test]
    fn each_queue_has_a_line_that_names_it_twice() {
        let sites = [site("hall", "大厅", &[("cash", "存取款"), ("card", "开户 & 换卡")])];
        let text = reply(&offers(&sites, QueueAvailability::Open), false);
        let line = "› <a href=\"weixin://bizmsgmenu?msgmenucontent=取号%20存取款\
                    &msgmenuid=paihao.take.hall.cash\">存取款</a>，3 人在等";
        assert!(text.contains(line), "{text}");
        assert!(text.contains("msgmenucontent=取号%20开户%20%26%20换卡&msgmenuid="), "{text}");
        assert!(!text.contains("大厅"), "the only site needs no name: {text}");
        let closed = reply(&offers(&sites, QueueAvailability::Closed), false);
        assert!(closed.contains("存取款</a>，现在不取号"), "{closed}");
    }

    #[test]
    fn the_words_of_a_line_find_its_queue_and_no_others_do() {
        let hall = site("hall", "大厅", &[("cash", "存取款"), ("card", "开户")]);
        let branch = site("branch", "小站", &[("cash", "存取款")]);
        let chosen = |sites: &[Arc<SiteSettings>], text: &str| {
            let target = find_chosen(sites, text)?;
            Some((target.site.unwrap(), target.queue.unwrap()))
        };
        let expected = |site: &str, queue: &str| Some((site.to_owned(), queue.to_owned()));
        let one = [hall.clone()];
        assert_eq!(chosen(&one, "取号 存取款"), expected("hall", "cash"));
        let both = [hall, branch];
        assert_eq!(chosen(&both, "取号 小站 存取款"), expected("branch", "cash"));
        for text in ["取号", "取号 ", "存取款", "取号 存取款", "取号 小站 开户", ""]
        {
            assert_eq!(chosen(&both, text), None, "{text}");
        }
    }

    #[test]
    fn a_long_list_is_cut_at_a_line_and_fits() {
        let names: Vec<_> = (0..60).map(|n| (format!("q{n}"), format!("业务{n:02}"))).collect();
        let queues: Vec<_> = names.iter().map(|(id, name)| (&**id, &**name)).collect();
        let text = reply(&offers(&[site("hall", "大厅", &queues)], QueueAvailability::Open), true);
        assert!(text.len() <= MAX_TEXT_BYTES, "{}", text.len());
        assert!(text.contains("其余业务请扫现场的二维码"), "{text}");
        let complete = text.lines().filter(|line| line.starts_with('›'));
        assert!(
            complete.clone().count() > 5 && complete.clone().all(|line| line.contains("</a>，"))
        );
        assert!(text.ends_with("Tap a line to take a number."));
    }
}
