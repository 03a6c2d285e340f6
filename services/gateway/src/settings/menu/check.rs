//! Validation of a menu: WeChat's limits, and the queues that its entries name.

use paihao_chassis::config::ConfigProblems;
use paihao_contracts::menu::{MenuAction, MenuButton, MiniProgramTarget, TakeTarget};
use paihao_contracts::settings::SiteSetup;
use paihao_wechat::menu::{
    MAX_BUTTON_NAME_BYTES, MAX_BUTTONS, MAX_ENTRIES, MAX_ENTRY_NAME_BYTES, MAX_URL_BYTES,
};
use std::collections::BTreeMap;

/// Longest text that WeChat shows as a reply, in bytes.
const MAX_TEXT_BYTES: usize = 2047;

/// Length of a mini program's AppID: `wx` and 16 hexadecimal digits.
const APPID_CHARS: usize = 18;

/// Checks the buttons of an account; `at` is their key in the settings, and `sites` are the
/// account's sites by id.
pub fn check(
    at: &str,
    buttons: &[MenuButton],
    sites: &BTreeMap<&str, &SiteSetup>,
    problems: &mut ConfigProblems,
) {
    if buttons.len() > MAX_BUTTONS {
        let message = format!("{} buttons, and WeChat shows {MAX_BUTTONS}", buttons.len());
        problems.add(at, message, "put entries below a heading");
    }
    for (index, button) in buttons.iter().enumerate() {
        let at = format!("{at}.{index}");
        check_name(&format!("{at}.name"), &button.name, MAX_BUTTON_NAME_BYTES, problems);
        match (&button.action, button.entries.len()) {
            (Some(action), 0) => check_action(&format!("{at}.action"), action, sites, problems),
            (Some(_), _) => {
                let advice = "leave out its action, or its entries";
                problems.add(&at, "a button with entries has no action of its own", advice);
            }
            (None, 0) => {
                problems.add(&at, "a button that does nothing", "give it an action, or entries");
            }
            (None, count) if count > MAX_ENTRIES => {
                let message = format!("{count} entries, and WeChat shows {MAX_ENTRIES}");
                problems.add(&format!("{at}.entries"), message, "use another button");
            }
            (None, _) => {}
        }
        for (index, entry) in button.entries.iter().enumerate() {
            let at = format!("{at}.entries.{index}");
            check_name(&format!("{at}.name"), &entry.name, MAX_ENTRY_NAME_BYTES, problems);
            check_action(&format!("{at}.action"), &entry.action, sites, problems);
        }
    }
}

fn check_name(key: &str, name: &str, limit: usize, problems: &mut ConfigProblems) {
    let length = name.len();
    if name.trim().is_empty() || name.chars().any(char::is_control) {
        problems.add(key, "no name that people can read", "say what happens");
    } else if name.trim() != name {
        problems.add(key, "blanks around the name", "take them away");
    } else if length > limit {
        let message = format!("{length} bytes, and WeChat takes {limit}");
        let advice = format!("use at most {} Chinese characters or {limit} letters", limit / 3);
        problems.add(key, message, advice);
    }
}

fn check_action(
    at: &str,
    action: &MenuAction,
    sites: &BTreeMap<&str, &SiteSetup>,
    problems: &mut ConfigProblems,
) {
    match action {
        MenuAction::MyTicket | MenuAction::LetPass | MenuAction::Leave | MenuAction::Hours => {}
        MenuAction::Take(target) => check_target(&format!("{at}.take"), target, sites, problems),
        MenuAction::Text(text) => check_text(&format!("{at}.text"), text, problems),
        MenuAction::Page(url) => check_url(&format!("{at}.page"), url, problems),
        MenuAction::MiniProgram(MiniProgramTarget { appid, path, url }) => {
            let at = format!("{at}.mini_program");
            let is_hex = |c: char| c.is_ascii_hexdigit() && !c.is_ascii_uppercase();
            let digits = appid.strip_prefix("wx").filter(|digits| digits.chars().all(is_hex));
            if digits.is_none() || appid.len() != APPID_CHARS {
                let message = format!("{appid:?} is no AppID of a mini program");
                problems.add(&format!("{at}.appid"), message, "use wx and 16 digits of 0-9, a-f");
            }
            let key = format!("{at}.path");
            if path.trim().is_empty() || path.trim() != path || path.len() > MAX_URL_BYTES {
                let advice = format!("use something like pages/index, {MAX_URL_BYTES} bytes");
                problems.add(&key, format!("{path:?} is no path of a page"), advice);
            }
            check_url(&format!("{at}.url"), url, problems);
        }
    }
}

fn check_target(
    at: &str,
    TakeTarget { site, queue }: &TakeTarget,
    sites: &BTreeMap<&str, &SiteSetup>,
    problems: &mut ConfigProblems,
) {
    let listed = |names: Vec<&str>| format!("the ones there are: {}", names.join(", "));
    match (site, queue) {
        (None, None) => {}
        (None, Some(queue)) => {
            let message = format!("{queue:?} is a queue of no site");
            problems.add(&format!("{at}.queue"), message, "name its site, too");
        }
        (Some(site), queue) => match (sites.get(site.as_str()), queue) {
            (None, _) => {
                let message = format!("the account has no site {site:?}");
                let advice = listed(sites.keys().copied().collect());
                problems.add(&format!("{at}.site"), message, advice);
            }
            (Some(setup), Some(queue)) if !setup.queues.contains_key(queue) => {
                let message = format!("there is no queue {queue:?} at the site {site:?}");
                let advice = listed(setup.queues.keys().map(String::as_str).collect());
                problems.add(&format!("{at}.queue"), message, advice);
            }
            _ => {}
        },
    }
}

fn check_text(key: &str, text: &str, problems: &mut ConfigProblems) {
    if text.trim().is_empty() {
        problems.add(key, "an answer that says nothing", "write the text");
    } else if text.len() > MAX_TEXT_BYTES {
        let message = format!("{} bytes, and WeChat shows {MAX_TEXT_BYTES}", text.len());
        problems.add(key, message, "say it in fewer words");
    }
}

fn check_url(key: &str, text: &str, problems: &mut ConfigProblems) {
    let usable = |url: url::Url| url.has_host() && matches!(url.scheme(), "http" | "https");
    if text.chars().any(char::is_whitespace) || !url::Url::parse(text).is_ok_and(usable) {
        let advice = "use something like https://example.com/page";
        problems.add(key, format!("{text:?} is no address of a page"), advice);
    } else if text.len() > MAX_URL_BYTES {
        let message = format!("{} bytes, and WeChat takes {MAX_URL_BYTES}", text.len());
        problems.add(key, message, "use a shorter address");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn hall() -> SiteSetup {
        let queue = json!({"name": "存取款", "prefix": "A"});
        let hall = json!({"account": "shop", "name": "大厅", "queues": {"cash": queue}});
        serde_json::from_value(hall).unwrap()
    }

    /// Returns the keys of the problems of these buttons.
    fn problems_of(buttons: Value) -> Vec<String> {
        let buttons: Vec<MenuButton> = serde_json::from_value(buttons).unwrap();
        let hall = hall();
        let mut problems = ConfigProblems::new();
        check("buttons", &buttons, &[("hall", &hall)].into(), &mut problems);
        let problems = problems.into_result().err();
        problems.map_or(Vec::new(), |error| {
            error.problems().iter().map(|problem| problem.key.clone()).collect()
        })
    }

    fn with_name(name: &str) -> Value {
        json!([{"name": name, "action": "my_ticket"}])
    }

    fn with_entry_name(name: &str) -> Value {
        json!([{"name": "更多", "entries": [{"name": name, "action": "my_ticket"}]}])
    }

    fn with_action(action: Value) -> Value {
        json!([{"name": "更多", "entries": [{"name": "这里", "action": action}]}])
    }

    #[test]
    fn each_limit_is_kept_to_the_byte() {
        for (limit, fits) in [(MAX_BUTTON_NAME_BYTES, true), (MAX_BUTTON_NAME_BYTES + 1, false)] {
            let expected: &[&str] = if fits { &[] } else { &["buttons.0.name"] };
            assert_eq!(problems_of(with_name(&"a".repeat(limit))), expected);
        }
        assert_eq!(problems_of(with_name("五个汉字啊")), [""; 0]);
        assert_eq!(problems_of(with_name("六个汉字太长")), ["buttons.0.name"]);
        for (limit, fits) in [(MAX_ENTRY_NAME_BYTES, true), (MAX_ENTRY_NAME_BYTES + 1, false)] {
            let expected: &[&str] = if fits { &[] } else { &["buttons.0.entries.0.name"] };
            assert_eq!(problems_of(with_entry_name(&"a".repeat(limit))), expected);
        }
        assert_eq!(problems_of(with_entry_name(&"汉".repeat(20))), [""; 0]);
        assert_eq!(problems_of(with_entry_name(&"汉".repeat(21))), ["buttons.0.entries.0.name"]);
        let page = |bytes: usize| {
            let start = "https://example.com/";
            with_action(json!({"page": format!("{start}{}", "a".repeat(bytes - start.len()))}))
        };
        assert_eq!(problems_of(page(MAX_URL_BYTES)), [""; 0]);
        assert_eq!(problems_of(page(MAX_URL_BYTES + 1)), ["buttons.0.entries.0.action.page"]);
        let text = |bytes: usize| with_action(json!({"text": "a".repeat(bytes)}));
        assert_eq!(problems_of(text(MAX_TEXT_BYTES)), [""; 0]);
        assert_eq!(problems_of(text(MAX_TEXT_BYTES + 1)), ["buttons.0.entries.0.action.text"]);
        let button = json!({"name": "号", "action": "my_ticket"});
        assert_eq!(problems_of(json!([button, button, button])), [""; 0]);
        assert_eq!(problems_of(json!([button, button, button, button])), ["buttons"]);
        let heading =
            |count: usize| json!([{"name": "号", "entries": vec![button.clone(); count]}]);
        assert_eq!(problems_of(heading(MAX_ENTRIES)), [""; 0]);
        assert_eq!(problems_of(heading(MAX_ENTRIES + 1)), ["buttons.0.entries"]);
    }

    #[test]
    fn each_problem_is_reported_where_it_is() {
        let mini_program = |appid: &str, path: &str, url: &str| {
            with_action(json!({"mini_program": {"appid": appid, "path": path, "url": url}}))
        };
        let appid = "wx0123456789abcdef";
        let at = "buttons.0.entries.0.action";
        for (buttons, key) in [
            (with_name(""), "buttons.0.name"),
            (with_name(" "), "buttons.0.name"),
            (with_name(" 号"), "buttons.0.name"),
            (with_name("号\n码"), "buttons.0.name"),
            (json!([{"name": "号"}]), "buttons.0"),
            (
                json!([{"name": "号", "action": "leave", "entries": [{"name": "号", "action": "leave"}]}]),
                "buttons.0",
            ),
            (with_action(json!({"page": "example.com"})), &format!("{at}.page")),
            (with_action(json!({"page": "ftp://example.com/"})), &format!("{at}.page")),
            (with_action(json!({"page": "https://example.com/a b"})), &format!("{at}.page")),
            (with_action(json!({"text": " "})), &format!("{at}.text")),
            (with_action(json!({"take": {"site": "hal"}})), &format!("{at}.take.site")),
            (with_action(json!({"take": {"queue": "cash"}})), &format!("{at}.take.queue")),
            (
                with_action(json!({"take": {"site": "hall", "queue": "cahs"}})),
                &format!("{at}.take.queue"),
            ),
            (
                mini_program("wx1", "pages/index", "https://example.com/"),
                &format!("{at}.mini_program.appid"),
            ),
            (mini_program(appid, "", "https://example.com/"), &format!("{at}.mini_program.path")),
            (mini_program(appid, "pages/index", ""), &format!("{at}.mini_program.url")),
        ] {
            assert_eq!(problems_of(buttons.clone()), [key], "{buttons}");
        }
        for action in [
            json!("my_ticket"),
            json!("let_pass"),
            json!("leave"),
            json!("hours"),
            json!({"take": {}}),
            json!({"take": {"site": "hall"}}),
            json!({"take": {"site": "hall", "queue": "cash"}}),
            json!({"text": "城南路 1 号"}),
            json!({"page": "http://example.com"}),
            json!({"mini_program": {"appid": appid, "path": "pages/index?a=1", "url": "https://example.com/"}}),
        ] {
            assert_eq!(problems_of(with_action(action.clone())), [""; 0], "{action}");
        }
    }
}
