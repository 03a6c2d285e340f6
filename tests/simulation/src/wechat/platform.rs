//! State of the simulated WeChat, and its answers.

use parking_lot::Mutex;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// Time for which a `client_msg_id` is remembered.
const DEDUPLICATION_MS: i64 = 10 * 60 * 1000;
/// Lifetime of an access token; shorter than WeChat's two hours, so that a run meets several.
const TOKEN_LIFETIME_MS: i64 = 20 * 60 * 1000;
/// Time before its end from which another token is issued, and for which the former one is valid.
const TOKEN_OVERLAP_MS: i64 = 5 * 60 * 1000;

/// Template of the account, for each kind of notice.
pub const TEMPLATES: [&str; 3] = ["template-called", "template-missed", "template-progress"];

/// Message that WeChat has accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AcceptedMessage {
    /// Time of acceptance, in Unix milliseconds.
    pub at_ms: i64,
    /// Recipient.
    pub person: String,
    /// Content.
    pub content: AcceptedContent,
}

/// Content of an accepted message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AcceptedContent {
    /// Template message with this `client_msg_id`.
    Template(String),
    /// Customer-service text.
    Text(String),
}

/// State of an account at WeChat.
#[derive(Default)]
pub struct Platform(Mutex<State>);

#[derive(Default)]
struct State {
    followers: BTreeSet<String>,
    tokens: Vec<IssuedToken>,
    /// Message ids by person and `client_msg_id`, with the time of acceptance.
    remembered: BTreeMap<(String, String), (i64, u64)>,
    accepted: Vec<AcceptedMessage>,
    /// Identities of all messages that were sent to WeChat, whether they arrived or not.
    sent: BTreeSet<String>,
    windows: BTreeMap<String, Vec<Window>>,
    newest_message: u64,
    /// True while the account's templates are deleted.
    without_templates: bool,
    /// True while every message is refused as "system busy".
    busy: bool,
    /// Receipts that are due, by message id.
    receipts: Vec<(String, u64)>,
}

struct IssuedToken {
    text: String,
    until_ms: i64,
    valid_until_ms: i64,
}

struct Window {
    until_ms: i64,
    left: u32,
}

impl Platform {
    /// Has a person follow the account, or unfollow it.
    pub fn set_follows(&self, person: &str, follows: bool) {
        let mut state = self.0.lock();
        if follows {
            state.followers.insert(person.to_owned());
        } else {
            state.followers.remove(person);
            state.windows.remove(person);
        }
    }

    /// Opens the send window that an interaction of a person opens.
    pub fn open_window(&self, person: &str, now_ms: i64, duration_ms: i64, messages: u32) {
        let window = Window { until_ms: now_ms + duration_ms, left: messages };
        self.0.lock().windows.entry(person.to_owned()).or_default().push(window);
    }

    /// Deletes the account's templates, or brings them back.
    pub fn set_without_templates(&self, without: bool) {
        self.0.lock().without_templates = without;
    }

    /// Refuses every message for now, or no longer.
    pub fn set_busy(&self, busy: bool) {
        self.0.lock().busy = busy;
    }

    /// Ends the current access token before its time.
    pub fn end_tokens(&self) {
        self.0.lock().tokens.clear();
    }

    /// Returns the messages that were accepted, in order.
    pub fn accepted(&self) -> Vec<AcceptedMessage> {
        self.0.lock().accepted.clone()
    }

    /// Notes that a message has left for WeChat.
    pub fn note_sent(&self, body: &Value) {
        for identity in [&body["client_msg_id"], &body["text"]["content"]] {
            if let Some(identity) = identity.as_str() {
                self.0.lock().sent.insert(identity.to_owned());
            }
        }
    }

    /// Returns true if a message of this identity has left for WeChat: a `client_msg_id`, or a
    /// text.
    pub fn was_sent(&self, identity: &str) -> bool {
        self.0.lock().sent.contains(identity)
    }

    /// Takes the receipts that are due: recipient and message id.
    pub fn take_receipts(&self) -> Vec<(String, u64)> {
        std::mem::take(&mut self.0.lock().receipts)
    }

    /// Answers a call.
    pub fn answer(&self, path: &str, token: Option<&str>, body: &Value, now_ms: i64) -> Value {
        let mut state = self.0.lock();
        match path {
            "/cgi-bin/stable_token" => {
                state.issue_token(body["force_refresh"] == json!(true), now_ms)
            }
            _ if !state.is_valid(token, now_ms) => refusal(40001, "invalid credential"),
            "/cgi-bin/message/template/send" => state.send_template(body, now_ms),
            "/cgi-bin/message/custom/send" => state.send_text(body, now_ms),
            "/cgi-bin/template/get_all_private_template" => template_list(),
            _ => refusal(48001, "api unauthorized"),
        }
    }
}

impl State {
    fn issue_token(&mut self, force: bool, now_ms: i64) -> Value {
        let current = self.tokens.last().filter(|token| token.until_ms > now_ms + TOKEN_OVERLAP_MS);
        if force || current.is_none() {
            if let Some(former) = self.tokens.last_mut() {
                former.valid_until_ms = former.valid_until_ms.min(now_ms + TOKEN_OVERLAP_MS);
            }
            let until_ms = now_ms + TOKEN_LIFETIME_MS;
            let text = format!("token-issued-at-{now_ms}");
            self.tokens.push(IssuedToken { text, until_ms, valid_until_ms: until_ms });
        }
        let token = self.tokens.last().expect("one was issued");
        json!({ "access_token": token.text, "expires_in": (token.until_ms - now_ms) / 1000 })
    }

    fn is_valid(&self, token: Option<&str>, now_ms: i64) -> bool {
        self.tokens
            .iter()
            .any(|issued| Some(&*issued.text) == token && issued.valid_until_ms > now_ms)
    }

    fn send_template(&mut self, body: &Value, now_ms: i64) -> Value {
        let person = text_of(&body["touser"]);
        let id = text_of(&body["client_msg_id"]);
        if self.busy {
            return refusal(-1, "system error");
        }
        if self.without_templates || !TEMPLATES.contains(&&*text_of(&body["template_id"])) {
            return refusal(40037, "invalid template_id");
        }
        if !self.followers.contains(&person) {
            return refusal(43004, "require subscribe");
        }
        let identity = (person.clone(), id.clone());
        if let Some((at_ms, message)) = self.remembered.get(&identity)
            && now_ms - at_ms < DEDUPLICATION_MS
        {
            return json!({ "errcode": 0, "errmsg": "ok", "msgid": message });
        }
        self.newest_message += 1;
        let message = self.newest_message;
        self.remembered.insert(identity, (now_ms, message));
        self.receipts.push((person.clone(), message));
        let content = AcceptedContent::Template(id);
        self.accepted.push(AcceptedMessage { at_ms: now_ms, person, content });
        json!({ "errcode": 0, "errmsg": "ok", "msgid": message })
    }

    fn send_text(&mut self, body: &Value, now_ms: i64) -> Value {
        let person = text_of(&body["touser"]);
        let text = text_of(&body["text"]["content"]);
        if self.busy {
            return refusal(-1, "system error");
        }
        if !self.followers.contains(&person) {
            return refusal(45015, "response out of time limit or subscription is canceled");
        }
        let windows = self.windows.entry(person.clone()).or_default();
        windows.retain(|window| window.until_ms > now_ms);
        if windows.is_empty() {
            return refusal(45015, "response out of time limit or subscription is canceled");
        }
        let Some(window) = windows.iter_mut().find(|window| window.left > 0) else {
            return refusal(45047, "out of response count limit");
        };
        window.left -= 1;
        let content = AcceptedContent::Text(text);
        self.accepted.push(AcceptedMessage { at_ms: now_ms, person, content });
        json!({ "errcode": 0, "errmsg": "ok" })
    }
}

fn template_list() -> Value {
    let template = |id: &&str| {
        let content = "{{thing1.DATA}}{{character_string2.DATA}}";
        json!({ "template_id": id, "title": "排队", "content": content })
    };
    json!({ "template_list": TEMPLATES.iter().map(template).collect::<Vec<_>>() })
}

fn refusal(code: i64, text: &str) -> Value {
    json!({ "errcode": code, "errmsg": text })
}

fn text_of(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn send(platform: &Platform, id: &str, now_ms: i64) -> Value {
        let token =
            platform.answer("/cgi-bin/stable_token", None, &json!({}), now_ms)["access_token"]
                .as_str()
                .map(str::to_owned);
        let body = json!({
            "touser": "ann", "template_id": TEMPLATES[0], "client_msg_id": id, "data": {},
        });
        platform.answer("/cgi-bin/message/template/send", token.as_deref(), &body, now_ms)
    }

    #[test]
    fn a_second_message_with_its_id_is_dropped_for_ten_minutes() {
        let platform = Platform::default();
        platform.set_follows("ann", true);
        for (id, now_ms, accepted) in
            [("a", 0, 1), ("a", 599_999, 1), ("b", 599_999, 2), ("a", 600_000, 3)]
        {
            assert_eq!(send(&platform, id, now_ms)["errcode"], 0);
            assert_eq!(platform.accepted().len(), accepted, "{id} at {now_ms}");
        }
    }

    #[test]
    fn a_stable_token_lasts_and_its_former_one_ends_later() {
        let platform = Platform::default();
        let issue = |force, now_ms| {
            let body = json!({ "force_refresh": force });
            platform.answer("/cgi-bin/stable_token", None, &body, now_ms)["access_token"].clone()
        };
        let first = issue(false, 0);
        assert_eq!(issue(false, 899_999), first);
        let second = issue(false, 900_000);
        assert_ne!(second, first);
        let list = "/cgi-bin/template/get_all_private_template";
        for (token, now_ms, code) in [
            (&first, 1_199_999, Value::Null),
            (&first, 1_200_000, json!(40001)),
            (&second, 1_200_000, Value::Null),
        ] {
            assert_eq!(platform.answer(list, token.as_str(), &json!({}), now_ms)["errcode"], code);
        }
    }

    #[test]
    fn a_text_needs_an_open_window() {
        let platform = Platform::default();
        platform.set_follows("ann", true);
        let token = issue_token(&platform);
        let send = |now_ms| {
            let body = json!({ "touser": "ann", "text": { "content": "x" } });
            let answer =
                platform.answer("/cgi-bin/message/custom/send", Some(&token), &body, now_ms);
            answer["errcode"].as_i64().unwrap()
        };
        assert_eq!(send(0), 45015);
        platform.open_window("ann", 0, 60_000, 2);
        assert_eq!([send(1), send(2), send(3)], [0, 0, 45047]);
        assert_eq!(send(60_000), 45015);
    }

    fn issue_token(platform: &Platform) -> String {
        let issued = platform.answer("/cgi-bin/stable_token", None, &json!({}), 0);
        issued["access_token"].as_str().unwrap().to_owned()
    }
}
