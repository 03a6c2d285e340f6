//! Menu of an account: its validation, the form that WeChat takes, and the comparison with the menu
//! that WeChat has.

pub mod check;
pub mod key;

use key::MenuKey;
use paihao_contracts::menu::{MenuAction, MenuButton, MenuEntry, MiniProgramTarget};
use paihao_wechat::menu::{Button, Menu};
use schemars::JsonSchema;
use serde::Serialize;
use std::collections::BTreeMap;

/// State of the menu at WeChat, compared with the one that is set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum MenuState {
    /// WeChat has none.
    Absent,
    /// WeChat has the one that is set.
    Current,
    /// WeChat has another one of ours.
    Outdated,
    /// WeChat has one of another system.
    Foreign,
}

/// Returns the menu in the form that WeChat takes.
pub fn to_wechat(buttons: &[MenuButton]) -> Menu {
    let button = |button: &MenuButton| Button {
        entries: button.entries.iter().map(wechat_entry).collect(),
        ..button.action.as_ref().map_or_else(
            || Button { name: button.name.clone(), ..Button::default() },
            |action| wechat_button(&button.name, action),
        )
    };
    Menu { buttons: buttons.iter().map(button).collect() }
}

fn wechat_entry(entry: &MenuEntry) -> Button {
    wechat_button(&entry.name, &entry.action)
}

fn wechat_button(name: &str, action: &MenuAction) -> Button {
    let button = |kind: &str| Button {
        name: name.to_owned(),
        kind: Some(kind.to_owned()),
        ..Button::default()
    };
    match action {
        MenuAction::Page(url) => Button { url: Some(url.clone()), ..button("view") },
        MenuAction::MiniProgram(MiniProgramTarget { appid, path, url }) => Button {
            appid: Some(appid.clone()),
            pagepath: Some(path.clone()),
            url: Some(url.clone()),
            ..button("miniprogram")
        },
        action => Button { key: MenuKey::of(action).map(|key| key.to_string()), ..button("click") },
    }
}

/// Compares the menu that is set with the one that WeChat has.
pub fn state(buttons: &[MenuButton], at_wechat: Option<&Menu>) -> MenuState {
    let Some(menu) = at_wechat else { return MenuState::Absent };
    if !buttons.is_empty() && *menu == to_wechat(buttons) {
        MenuState::Current
    } else if menu.buttons.iter().any(is_ours) {
        MenuState::Outdated
    } else {
        MenuState::Foreign
    }
}

fn is_ours(button: &Button) -> bool {
    button.key.as_deref().is_some_and(|key| MenuKey::parse(key).is_some())
        || button.entries.iter().any(is_ours)
}

/// Returns the texts of a menu's entries, by the digests in their keys.
pub(super) fn texts(buttons: &[MenuButton]) -> BTreeMap<String, String> {
    let entries = buttons.iter().flat_map(|button| &button.entries).map(|entry| &entry.action);
    let actions = buttons.iter().filter_map(|button| button.action.as_ref()).chain(entries);
    let texts = actions.filter_map(|action| match action {
        MenuAction::Text(text) => Some((key::text_digest(text), text.clone())),
        _ => None,
    });
    texts.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use paihao_contracts::menu::TakeTarget;

    fn entry(name: &str, action: MenuAction) -> MenuEntry {
        MenuEntry { name: name.into(), action }
    }

    fn buttons() -> Vec<MenuButton> {
        let take = MenuAction::Take(TakeTarget::default());
        let entries = vec![
            entry("我的号", MenuAction::MyTicket),
            entry("地址", MenuAction::Text("城南路 1 号".into())),
            entry("官网", MenuAction::Page("https://example.com/".into())),
        ];
        vec![
            MenuButton { name: "取号".into(), action: Some(take), entries: Vec::new() },
            MenuButton { name: "更多".into(), action: None, entries },
        ]
    }

    #[test]
    fn a_heading_has_entries_and_no_type() {
        let menu = serde_json::to_value(to_wechat(&buttons())).unwrap();
        let expected = serde_json::json!({"button": [
            {"name": "取号", "type": "click", "key": "paihao.take"},
            {"name": "更多", "sub_button": [
                {"name": "我的号", "type": "click", "key": "paihao.my_ticket"},
                {"name": "地址", "type": "click",
                 "key": format!("paihao.text.{}", key::text_digest("城南路 1 号"))},
                {"name": "官网", "type": "view", "url": "https://example.com/"},
            ]},
        ]});
        assert_eq!(menu, expected);
    }

    #[test]
    fn the_menu_at_wechat_is_told_from_ours_and_others() {
        let ours = to_wechat(&buttons());
        let mut older = ours.clone();
        older.buttons.truncate(1);
        let other = Button { key: Some("V1001".into()), ..Button::default() };
        let foreign = Menu { buttons: vec![other] };
        for (set, at_wechat, expected) in [
            (buttons(), None, MenuState::Absent),
            (buttons(), Some(&ours), MenuState::Current),
            (buttons(), Some(&older), MenuState::Outdated),
            (buttons(), Some(&foreign), MenuState::Foreign),
            (Vec::new(), None, MenuState::Absent),
            (Vec::new(), Some(&ours), MenuState::Outdated),
            (Vec::new(), Some(&foreign), MenuState::Foreign),
            (Vec::new(), Some(&Menu::default()), MenuState::Foreign),
        ] {
            assert_eq!(state(&set, at_wechat), expected, "{set:?} {at_wechat:?}");
        }
    }

    #[test]
    fn a_text_is_found_by_its_key_wherever_it_stands() {
        let mut buttons = buttons();
        let greeting = MenuAction::Text("您好".into());
        let button =
            MenuButton { name: "您好".into(), action: Some(greeting), entries: Vec::new() };
        buttons.push(button);
        let texts = texts(&buttons);
        assert_eq!(texts.len(), 2);
        for text in ["您好", "城南路 1 号"] {
            assert_eq!(texts.get(&key::text_digest(text)).map(String::as_str), Some(text));
        }
    }
}
