//! QR codes with a scene: rules of their creation, tickets, and lifetimes.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Serialize;
use serde_json::Value;

/// Longest life of a temporary code, in seconds.
const MAX_EXPIRE_SECONDS: i64 = 2_592_000;
/// Life of a temporary code whose request does not set one, in seconds.
const DEFAULT_EXPIRE_SECONDS: i64 = 60;
/// Limit of permanent codes of an account.
const MAX_PERMANENT_CODES: usize = 100_000;

/// A created code.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Code {
    /// Ticket, the parameter of `showqrcode`.
    pub ticket: String,
    /// Content of the code.
    pub url: String,
    /// AppID of the account that created it.
    pub appid: String,
    /// Scene, which a scan reports to the account and which cannot be seen in the code itself.
    #[serde(skip)]
    pub scene: String,
    /// Time of creation in Unix milliseconds.
    pub created_at: u64,
    /// End of life in Unix milliseconds; `None` for a permanent code.
    pub expires_at: Option<u64>,
}

impl Code {
    /// True if a scan at `now` (Unix milliseconds) gives no event any more.
    pub fn expired(&self, now: u64) -> bool {
        self.expires_at.is_some_and(|at| at <= now)
    }
}

/// A valid request for a code.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct QrCodeRequest {
    pub(crate) scene: String,
    /// Life in seconds; `None` for a permanent code.
    pub(crate) expire_seconds: Option<u32>,
}

/// Parses the request of `qrcode/create`, or returns the error code that refuses it.
pub(crate) fn parse_request(request: &Value) -> Result<QrCodeRequest, i64> {
    let (temporary, numbered) = match request["action_name"].as_str() {
        Some("QR_SCENE") => (true, true),
        Some("QR_STR_SCENE") => (true, false),
        Some("QR_LIMIT_SCENE") => (false, true),
        Some("QR_LIMIT_STR_SCENE") => (false, false),
        _ => return Err(40052),
    };
    let scene = &request["action_info"]["scene"];
    let scene = if numbered {
        let id = scene["scene_id"].as_u64().filter(|id| *id != 0).ok_or(40053)?;
        if !temporary && id > 100_000 {
            return Err(40053);
        }
        id.min(u64::from(u32::MAX)).to_string()
    } else {
        let text = scene["scene_str"].as_str().ok_or(40053)?;
        if !(1..=64).contains(&text.chars().count()) {
            return Err(40053);
        }
        text.to_owned()
    };
    let expire_seconds = match &request["expire_seconds"] {
        Value::Null => DEFAULT_EXPIRE_SECONDS,
        seconds => seconds.as_i64().ok_or(40053)?,
    };
    if temporary && !(1..=MAX_EXPIRE_SECONDS).contains(&expire_seconds) {
        return Err(40053);
    }
    Ok(QrCodeRequest { scene, expire_seconds: temporary.then_some(expire_seconds as u32) })
}

/// Encodes a ticket as WeChat does: the address and the two times in 96 characters of base64.
pub(crate) fn encode_ticket(varying: [u8; 2], url: &str, created_s: u32, expire_s: u32) -> String {
    let mut bytes = vec![0x81, 0x01, varying[0], varying[1], 0x3c, 0, 0, 0, 0, 0, 0, 0, 0x01];
    bytes.push(url.len() as u8 + 1);
    bytes.extend_from_slice(url.as_bytes());
    bytes.extend_from_slice(&[0, 0x02, 0x04]);
    bytes.extend_from_slice(&created_s.to_le_bytes());
    bytes.extend_from_slice(&[0x03, 0x04]);
    bytes.extend_from_slice(&expire_s.to_le_bytes());
    STANDARD.encode(bytes)
}

/// Codes of all accounts, found by ticket or content. Only the newest temporary ones are kept.
#[derive(Debug)]
pub(crate) struct Codes {
    by_ticket: HashMap<String, Arc<Code>>,
    ticket_of_url: HashMap<String, String>,
    order: VecDeque<Arc<Code>>,
    permanent: VecDeque<Arc<Code>>,
    max_temporary: usize,
}

impl Codes {
    /// Creates a store that keeps at most `limit` temporary codes.
    pub(crate) fn new(limit: usize) -> Self {
        Self {
            by_ticket: HashMap::new(),
            ticket_of_url: HashMap::new(),
            order: VecDeque::new(),
            permanent: VecDeque::new(),
            max_temporary: limit,
        }
    }

    /// Adds a code, or returns the error code that refuses it.
    pub(crate) fn add(&mut self, code: Code) -> Result<Arc<Code>, i64> {
        let code = Arc::new(code);
        if code.expires_at.is_none() {
            let owned = self.permanent.iter().filter(|other| other.appid == code.appid).count();
            if owned >= MAX_PERMANENT_CODES {
                return Err(45029);
            }
            self.permanent.push_back(code.clone());
        } else {
            if self.order.len() >= self.max_temporary
                && let Some(oldest) = self.order.pop_front()
            {
                self.by_ticket.remove(&oldest.ticket);
                self.ticket_of_url.remove(&oldest.url);
            }
            self.order.push_back(code.clone());
        }
        self.ticket_of_url.insert(code.url.clone(), code.ticket.clone());
        self.by_ticket.insert(code.ticket.clone(), code.clone());
        Ok(code)
    }

    /// Finds a code by its ticket or its content.
    pub(crate) fn find(&self, ticket_or_url: &str) -> Option<Arc<Code>> {
        let ticket = self.ticket_of_url.get(ticket_or_url).map_or(ticket_or_url, String::as_str);
        self.by_ticket.get(ticket).cloned()
    }

    /// Returns the `limit` newest codes, newest first.
    pub(crate) fn recent(&self, limit: usize) -> Vec<Arc<Code>> {
        let temporary = self.order.iter().rev().take(limit);
        let permanent = self.permanent.iter().rev().take(limit);
        let mut all: Vec<_> = temporary.chain(permanent).cloned().collect();
        all.sort_by_key(|code| std::cmp::Reverse(code.created_at));
        all.truncate(limit);
        all
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn expected_request(scene: &str, expire_seconds: Option<u32>) -> Result<QrCodeRequest, i64> {
        Ok(QrCodeRequest { scene: scene.into(), expire_seconds })
    }

    fn request(action: &str, scene: Value, expire: Value) -> Value {
        json!({"action_name": action, "action_info": {"scene": scene}, "expire_seconds": expire})
    }

    #[test]
    fn tickets_have_the_shape_of_captured_ones() {
        let url = "http://weixin.qq.com/q/02i_CE54ZYc4E1kHQ9xwcQ";
        let ticket = encode_ticket([0x89, 0xef], url, 1_615_426_003, 600);
        let captured = "gQGJ7zwAAAAAAAAAAS5odHRwOi8vd2VpeGluLnFxLmNvbS9xLzAyaV9DRTU0WlljNEUxa0hROXh3Y1EAAgTTcUlgAwRYAgAA";
        assert_eq!(ticket, captured);
    }

    #[test]
    fn the_four_kinds_and_their_scenes() {
        let id = |id: i64| json!({ "scene_id": id });
        let text = |text: &str| json!({ "scene_str": text });
        let none = Value::Null;
        assert_eq!(
            parse_request(&request("QR_SCENE", id(7), json!(600))),
            expected_request("7", Some(600))
        );
        assert_eq!(
            parse_request(&request("QR_STR_SCENE", text("q/1"), json!(9))),
            expected_request("q/1", Some(9))
        );
        assert_eq!(
            parse_request(&request("QR_LIMIT_SCENE", id(100_000), none.clone())),
            expected_request("100000", None)
        );
        assert_eq!(
            parse_request(&request("QR_LIMIT_STR_SCENE", text("a"), none.clone())),
            expected_request("a", None)
        );
        assert_eq!(
            parse_request(&request("QR_STR_SCENE", text("a"), none.clone())),
            expected_request("a", Some(60))
        );
        assert_eq!(
            parse_request(&request("QR_SCENE", id(1 << 40), none.clone())),
            expected_request("4294967295", Some(60)),
            "an id beyond 32 bits is delivered as the largest"
        );
        for (bad, code) in [
            (request("QR_OTHER", text("a"), none.clone()), 40052),
            (json!({}), 40052),
            (request("QR_SCENE", id(0), none.clone()), 40053),
            (request("QR_SCENE", id(-4), none.clone()), 40053),
            (request("QR_SCENE", text("a"), none.clone()), 40053),
            (request("QR_LIMIT_SCENE", id(100_001), none.clone()), 40053),
            (request("QR_STR_SCENE", text(""), none.clone()), 40053),
            (request("QR_STR_SCENE", text(&"a".repeat(65)), none.clone()), 40053),
            (request("QR_STR_SCENE", text("a"), json!(2_592_001)), 40053),
            (request("QR_STR_SCENE", text("a"), json!(0)), 40053),
        ] {
            assert_eq!(parse_request(&bad), Err(code), "{bad}");
        }
        assert!(
            parse_request(&request("QR_STR_SCENE", text(&"号".repeat(64)), json!(2_592_000)))
                .is_ok()
        );
    }

    #[test]
    fn the_oldest_temporary_codes_are_forgotten_and_permanent_ones_stay() {
        let code = |name: &str, at, expires_at| Code {
            ticket: name.into(),
            url: format!("u/{name}"),
            appid: "wx".into(),
            scene: name.into(),
            created_at: at,
            expires_at,
        };
        let mut codes = Codes::new(2);
        codes.add(code("door", 0, None)).unwrap();
        for (at, name) in [(1, "a"), (2, "b"), (3, "c")] {
            codes.add(code(name, at, Some(10))).unwrap();
        }
        assert!(codes.find("a").is_none() && codes.find("u/a").is_none());
        assert_eq!(codes.find("u/door").unwrap().scene, "door");
        let names: Vec<_> = codes.recent(9).iter().map(|code| code.ticket.clone()).collect();
        assert_eq!(names, ["c", "b", "door"]);
        assert!(codes.find("b").unwrap().expired(10) && !codes.find("b").unwrap().expired(9));
    }
}
