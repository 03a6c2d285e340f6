//! Menu of an account (自定义菜单): the limits of WeChat, and what an entry does when it is pressed.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

const MAX_BUTTONS: usize = 3;
const MAX_ENTRIES: usize = 5;
const MAX_BUTTON_NAME_BYTES: usize = 16;
const MAX_ENTRY_NAME_BYTES: usize = 60;
const MAX_KEY_BYTES: usize = 128;
const MAX_URL_BYTES: usize = 1024;
const APPID_CHARS: usize = 18;

/// Types of entries that push an event with their key.
const KEYED_KINDS: [&str; 7] = [
    "click",
    "scancode_push",
    "scancode_waitmsg",
    "pic_sysphoto",
    "pic_photo_or_album",
    "pic_weixin",
    "location_select",
];

/// Menu as it was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Menu {
    pub(crate) id: u64,
    pub(crate) buttons: Vec<Button>,
}

/// Button, or an entry below one. Members that its type does not have are dropped.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Button {
    pub(crate) name: String,
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    pub(crate) kind: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) key: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) url: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) appid: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) pagepath: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) media_id: Option<String>,
    pub(crate) sub_button: Vec<Button>,
}

/// Error codes of a level of the menu: those of buttons, and those of entries below them.
struct LevelCodes {
    count: i64,
    kind: i64,
    name: i64,
    key: i64,
    url: i64,
    domain: i64,
}

const BUTTON_CODES: LevelCodes =
    LevelCodes { count: 40016, kind: 40017, name: 40018, key: 40019, url: 40020, domain: 40055 };
const ENTRY_CODES: LevelCodes =
    LevelCodes { count: 40023, kind: 40024, name: 40025, key: 40026, url: 40027, domain: 40054 };

/// Reads the buttons of a `menu/create`, or returns the error code that refuses them.
pub(crate) fn parse_buttons(body: &[u8]) -> Result<Vec<Button>, i64> {
    #[derive(Deserialize)]
    struct CreateMenuRequest {
        button: Vec<Button>,
    }
    let request: Value = serde_json::from_slice(body).map_err(|_| 47001)?;
    if !request.is_object() {
        return Err(47001);
    }
    let CreateMenuRequest { button } = serde_json::from_value(request).map_err(|_| 40015)?;
    check_level(button, MAX_BUTTONS, MAX_BUTTON_NAME_BYTES, &BUTTON_CODES, |button| {
        let entries = std::mem::take(&mut button.sub_button);
        if entries.is_empty() {
            return Ok(());
        }
        let depth = |entry: &mut Button| {
            if entry.sub_button.is_empty() { Ok(()) } else { Err(40022) }
        };
        button.sub_button =
            check_level(entries, MAX_ENTRIES, MAX_ENTRY_NAME_BYTES, &ENTRY_CODES, depth)?;
        Ok(())
    })
}

fn check_level(
    buttons: Vec<Button>,
    max_count: usize,
    max_name_bytes: usize,
    codes: &LevelCodes,
    mut check_below: impl FnMut(&mut Button) -> Result<(), i64>,
) -> Result<Vec<Button>, i64> {
    if !(1..=max_count).contains(&buttons.len()) {
        return Err(codes.count);
    }
    let checked = buttons.into_iter().map(|mut button| {
        if !(1..=max_name_bytes).contains(&button.name.len()) {
            return Err(codes.name);
        }
        check_below(&mut button)?;
        if !button.sub_button.is_empty() {
            let Button { name, sub_button, .. } = button;
            return Ok(Button { name, sub_button, ..Button::default() });
        }
        check_entry(button, codes)
    });
    checked.collect()
}

/// Checks what a type needs, and keeps nothing else.
fn check_entry(button: Button, codes: &LevelCodes) -> Result<Button, i64> {
    let Button { name, kind, key, url, appid, pagepath, media_id, .. } = button;
    let kind = kind.ok_or(codes.kind)?;
    let entry = Button { name, kind: Some(kind.clone()), ..Button::default() };
    match &*kind {
        kind if KEYED_KINDS.contains(&kind) => {
            let fits = |key: &String| (1..=MAX_KEY_BYTES).contains(&key.len());
            Ok(Button { key: Some(key.filter(fits).ok_or(codes.key)?), ..entry })
        }
        "view" => Ok(Button { url: Some(check_url(url, codes)?), ..entry }),
        "miniprogram" => {
            let is_linked = |appid: &String| appid.starts_with("wx") && appid.len() == APPID_CHARS;
            let appid = appid.filter(is_linked).ok_or(45064)?;
            let pagepath = pagepath.filter(|path| !path.is_empty()).ok_or(40165)?;
            let url = check_url(url, codes)?;
            Ok(Button { url: Some(url), appid: Some(appid), pagepath: Some(pagepath), ..entry })
        }
        "media_id" | "view_limited" => {
            Ok(Button { media_id: Some(media_id.ok_or(40007)?), ..entry })
        }
        _ => Err(codes.kind),
    }
}

fn check_url(url: Option<String>, codes: &LevelCodes) -> Result<String, i64> {
    let fits = |url: &String| (1..=MAX_URL_BYTES).contains(&url.len());
    let url = url.filter(fits).ok_or(codes.url)?;
    let host = url.strip_prefix("http://").or_else(|| url.strip_prefix("https://"));
    if host.is_some_and(|host| !host.is_empty()) { Ok(url) } else { Err(codes.domain) }
}

impl Menu {
    /// Answer of `menu/get`.
    pub(crate) fn made_answer(&self) -> Value {
        json!({ "menu": { "button": self.buttons, "menuid": self.id } })
    }

    /// Answer of `get_current_selfmenu_info`, in which entries are a list in a list.
    pub(crate) fn shown_answer(&self) -> Value {
        let button = |button: &Button| {
            let mut value = json!(button);
            match value["sub_button"].take() {
                Value::Array(entries) if !entries.is_empty() => {
                    let entries = entries.into_iter().map(without_entries);
                    value["sub_button"] = json!({ "list": entries.collect::<Vec<_>>() });
                    value
                }
                _ => without_entries(value),
            }
        };
        let buttons: Vec<_> = self.buttons.iter().map(button).collect();
        json!({ "is_menu_open": 1, "selfmenu_info": { "button": buttons } })
    }

    /// Finds a button by its place, or an entry below it by its own.
    pub(crate) fn find(&self, button: usize, entry: Option<usize>) -> Option<&Button> {
        let button = self.buttons.get(button)?;
        match entry {
            Some(entry) => button.sub_button.get(entry),
            None => Some(button).filter(|button| button.sub_button.is_empty()),
        }
    }
}

fn without_entries(mut button: Value) -> Value {
    if let Some(members) = button.as_object_mut() {
        members.remove("sub_button");
    }
    button
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(buttons: Value) -> i64 {
        let body = json!({ "button": buttons }).to_string();
        parse_buttons(body.as_bytes()).err().unwrap_or(0)
    }

    fn click(name: &str) -> Value {
        json!({ "type": "click", "name": name, "key": "K" })
    }

    #[test]
    fn each_limit_of_a_button_and_of_an_entry_has_its_code() {
        let button = |member: &str, value: Value| {
            let mut button = click("a");
            button[member] = value;
            button
        };
        let view = |url: String| json!({ "type": "view", "name": "a", "url": url });
        let long_url = |bytes: usize| format!("https://a/{}", "a".repeat(bytes - 10));
        for (wrong, as_button, as_entry) in [
            (button("name", "".into()), 40018, 40025),
            (button("name", "a".repeat(61).into()), 40018, 40025),
            (button("name", "a".repeat(60).into()), 40018, 0),
            (button("name", "a".repeat(16).into()), 0, 0),
            (button("key", "".into()), 40019, 40026),
            (button("key", "a".repeat(129).into()), 40019, 40026),
            (button("key", "a".repeat(128).into()), 0, 0),
            (button("type", "clack".into()), 40017, 40024),
            (json!({ "name": "a" }), 40017, 40024),
            (view(String::new()), 40020, 40027),
            (view(long_url(1025)), 40020, 40027),
            (view(long_url(1024)), 0, 0),
            (view("example.com".into()), 40055, 40054),
            (json!({ "type": "miniprogram", "name": "a", "url": "https://a/" }), 45064, 45064),
            (json!({ "type": "media_id", "name": "a" }), 40007, 40007),
        ] {
            assert_eq!(code(json!([wrong])), as_button, "{wrong}");
            let heading = json!({ "name": "更多", "sub_button": [wrong] });
            assert_eq!(code(json!([heading])), as_entry, "below a heading: {wrong}");
        }
    }

    #[test]
    fn counts_and_depth_are_limited() {
        for (count, expected) in [(0, 40016), (3, 0), (4, 40016)] {
            assert_eq!(code(vec![click("a"); count].into()), expected, "{count} buttons");
        }
        let heading = |entries: Vec<Value>| json!([{ "name": "a", "sub_button": entries }]);
        for (count, expected) in [(0, 40017), (5, 0), (6, 40023)] {
            assert_eq!(code(heading(vec![click("a"); count])), expected, "{count} entries");
        }
        let deep = json!({ "name": "a", "sub_button": [click("a")] });
        assert_eq!(code(heading(vec![deep])), 40022);
        assert_eq!(parse_buttons(b"{").err(), Some(47001));
        assert_eq!(parse_buttons(b"[]").err(), Some(47001));
        assert_eq!(parse_buttons(br#"{"button":{}}"#).err(), Some(40015));
    }

    #[test]
    fn a_menu_is_answered_in_both_forms() {
        let buttons = json!({ "button": [
            click("取号"),
            { "name": "更多", "type": "click", "key": "ignored", "sub_button": [click("我的号")] },
        ]});
        let buttons = parse_buttons(buttons.to_string().as_bytes()).unwrap();
        let menu = Menu { id: 7, buttons };
        let entry =
            |name: &str| json!({ "type": "click", "name": name, "key": "K", "sub_button": [] });
        let made = json!({ "menu": { "menuid": 7, "button": [
            entry("取号"),
            { "name": "更多", "sub_button": [entry("我的号")] },
        ]}});
        assert_eq!(menu.made_answer(), made);
        let shown = json!({ "is_menu_open": 1, "selfmenu_info": { "button": [
            click("取号"),
            { "name": "更多", "sub_button": { "list": [click("我的号")] } },
        ]}});
        assert_eq!(menu.shown_answer(), shown);
        assert_eq!(menu.find(0, None).unwrap().name, "取号");
        assert_eq!(menu.find(1, Some(0)).unwrap().name, "我的号");
        for (button, entry) in [(1, None), (0, Some(0)), (1, Some(1)), (2, None)] {
            assert_eq!(menu.find(button, entry), None, "{button} {entry:?}");
        }
    }
}
