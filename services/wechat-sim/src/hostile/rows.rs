//! Every hostile push, and the statuses that a right server answers it with.

use crate::clock::wall_ms;
use crate::config::{PushMode, SimAccount};
use crate::crypt::{Warp, seal};
use crate::dice;
use crate::push::sealed_body;
use crate::sign::{msg_signature, signature};

/// Who seems to send it, unless the body says otherwise.
pub(super) const OPENID: &str = "oHostile000000000000000000001";

/// A request that WeChat never made.
pub(super) struct Forgery {
    pub(super) get: bool,
    pub(super) query: String,
    pub(super) body: String,
}

/// Who is attacked, and what the forgeries are made of.
pub(super) struct Mark<'a> {
    pub(super) own: &'a SimAccount,
    pub(super) body: &'a str,
}

/// One kind of forgery.
pub(super) struct Row {
    pub(super) what: &'static str,
    /// What is right for an account in plain mode.
    pub(super) plain: &'static [u16],
    /// What is right in the two modes that seal.
    pub(super) sealed: &'static [u16],
    pub(super) forge: fn(&Mark) -> Forgery,
}

/// The signature does not hold.
const FORGED: &[u16] = &[401, 403];
/// What was signed is no message.
const MALFORMED: &[u16] = &[400];
/// Either way of seeing it.
const REFUSED: &[u16] = &[400, 401, 403];
const LARGE: &[u16] = &[413];

/// Signatures are good for five minutes, give or take.
const STALE_S: i64 = 400;

struct Stamp<'a> {
    token: &'a str,
    timestamp: String,
    nonce: String,
    signature: String,
}

impl Stamp<'_> {
    fn query(&self) -> String {
        let Self { signature, timestamp, nonce, .. } = self;
        format!("signature={signature}&timestamp={timestamp}&nonce={nonce}")
    }

    fn plain(&self) -> String {
        format!("{}&openid={OPENID}", self.query())
    }

    fn sealed(&self, encrypt: &str) -> String {
        let signed = msg_signature(self.token, &self.timestamp, &self.nonce, encrypt);
        format!("{}&encrypt_type=aes&msg_signature={signed}", self.plain())
    }
}

impl Mark<'_> {
    fn stamp(&self, age_s: i64) -> Stamp<'_> {
        let token = self.own.callback_token.as_str();
        let timestamp = (wall_ms() as i64 / 1000 - age_s).to_string();
        let nonce = dice::nonce();
        let signature = signature(token, &timestamp, &nonce);
        Stamp { token, timestamp, nonce, signature }
    }

    /// Sealed with the account's key; in plain mode it may have none.
    fn seal(&self, message: &str, warp: &Warp) -> String {
        let key = match self.own.aes_key.as_str() {
            "" => "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG",
            key => key,
        };
        seal(key, &self.own.appid, dice::bytes(), message.as_bytes(), warp)
    }

    /// The body around a sealed text: with the true fields beside it where the mode has them, so
    /// that a server that reads those is found out.
    fn around(&self, encrypt: &str) -> String {
        sealed_body(self.own.mode, &self.own.original_id, self.body, encrypt)
    }

    /// A rightly signed push of this sealed text.
    fn with(&self, encrypt: &str) -> Forgery {
        Forgery { get: false, query: self.stamp(0).sealed(encrypt), body: self.around(encrypt) }
    }

    fn warped(&self, warp: Warp) -> Forgery {
        self.with(&self.seal(self.body, &warp))
    }

    /// Padded with so many bytes, and nothing else is wrong with it.
    fn padded(&self, count: usize) -> Forgery {
        let mut message = self.body.to_owned();
        while !(20 + message.len() + self.own.appid.len() + count).is_multiple_of(32) {
            message.push('\n');
        }
        self.with(&self.seal(&message, &Warp { pad_count: Some(count), ..Warp::default() }))
    }

    /// A message in the account's own mode, as WeChat would send it.
    pub(super) fn good(&self, message: &str) -> Forgery {
        self.aged(message, 0)
    }

    fn aged(&self, message: &str, age_s: i64) -> Forgery {
        let stamp = self.stamp(age_s);
        if self.own.mode == PushMode::Plain {
            return Forgery { get: false, query: stamp.plain(), body: message.to_owned() };
        }
        let encrypt = self.seal(message, &Warp::default());
        let body = sealed_body(self.own.mode, &self.own.original_id, message, &encrypt);
        Forgery { get: false, query: stamp.sealed(&encrypt), body }
    }

    /// A good push whose query is changed.
    fn queried(&self, change: impl FnOnce(String) -> String) -> Forgery {
        let good = self.good(self.body);
        Forgery { query: change(good.query), ..good }
    }

    /// A push sealed for the account whatever its mode, whose query is changed.
    fn sealed(&self, change: impl FnOnce(&Stamp, String) -> String) -> Forgery {
        let encrypt = self.seal(self.body, &Warp::default());
        let stamp = self.stamp(0);
        let query = change(&stamp, stamp.sealed(&encrypt));
        Forgery { get: false, query, body: self.around(&encrypt) }
    }

    /// The console's verification with this query.
    fn asked(&self, query: String) -> Forgery {
        Forgery { get: true, query: format!("{query}&echostr=42"), body: String::new() }
    }
}

/// The query with another value, or without one.
fn change(query: &str, name: &str, to: impl FnOnce(&str) -> Option<String>) -> String {
    let mut to = Some(to);
    let pairs = query.split('&').filter_map(|pair| match pair.split_once('=') {
        Some((key, value)) if key == name => {
            let value = to.take().and_then(|to| to(value))?;
            Some(format!("{name}={value}"))
        }
        _ => Some(pair.to_owned()),
    });
    pairs.collect::<Vec<_>>().join("&")
}

/// Another signature of the same shape.
fn another(signature: &str) -> Option<String> {
    let first = if signature.starts_with('0') { "1" } else { "0" };
    Some(format!("{first}{}", signature.get(1..)?))
}

pub(super) const ROWS: &[Row] = &[
    Row {
        what: "wrong signature, GET",
        plain: FORGED,
        sealed: FORGED,
        forge: |mark| mark.asked(change(&mark.stamp(0).query(), "signature", another)),
    },
    Row {
        what: "no signature, GET",
        plain: REFUSED,
        sealed: REFUSED,
        forge: |mark| mark.asked(change(&mark.stamp(0).query(), "signature", |_| None)),
    },
    Row {
        what: "signature of 400 seconds ago, GET",
        plain: FORGED,
        sealed: FORGED,
        forge: |mark| mark.asked(mark.stamp(STALE_S).query()),
    },
    Row {
        what: "wrong signature, the rest right",
        plain: FORGED,
        sealed: FORGED,
        forge: |mark| mark.queried(|query| change(&query, "signature", another)),
    },
    Row {
        what: "empty signature",
        plain: REFUSED,
        sealed: REFUSED,
        forge: |mark| mark.queried(|query| change(&query, "signature", |_| Some(String::new()))),
    },
    Row {
        what: "no signature",
        plain: REFUSED,
        sealed: REFUSED,
        forge: |mark| mark.queried(|query| change(&query, "signature", |_| None)),
    },
    Row {
        what: "no query at all",
        plain: REFUSED,
        sealed: REFUSED,
        forge: |mark| mark.queried(|_| String::new()),
    },
    Row {
        what: "signature twice",
        plain: REFUSED,
        sealed: REFUSED,
        forge: |mark| mark.queried(|query| format!("{query}&signature=1")),
    },
    Row {
        what: "signature of 400 seconds ago",
        plain: FORGED,
        sealed: FORGED,
        forge: |mark| mark.aged(mark.body, STALE_S),
    },
    Row {
        what: "signature of 400 seconds ahead",
        plain: FORGED,
        sealed: FORGED,
        forge: |mark| mark.aged(mark.body, -STALE_S),
    },
    Row {
        what: "wrong msg_signature, signature right",
        plain: REFUSED,
        sealed: FORGED,
        forge: |mark| mark.sealed(|_, query| change(&query, "msg_signature", another)),
    },
    Row {
        what: "wrong signature, msg_signature right",
        plain: FORGED,
        sealed: FORGED,
        forge: |mark| mark.sealed(|_, query| change(&query, "signature", another)),
    },
    Row {
        what: "no msg_signature, signature right",
        plain: REFUSED,
        sealed: REFUSED,
        forge: |mark| mark.sealed(|_, query| change(&query, "msg_signature", |_| None)),
    },
    Row {
        what: "msg_signature over another body",
        plain: REFUSED,
        sealed: FORGED,
        forge: |mark| mark.sealed(|stamp, _| stamp.sealed("x")),
    },
    Row {
        what: "signature given as msg_signature too",
        plain: REFUSED,
        sealed: FORGED,
        forge: |mark| {
            mark.sealed(|stamp, query| {
                change(&query, "msg_signature", |_| Some(stamp.signature.clone()))
            })
        },
    },
    Row {
        what: "a plain body under an aes query",
        plain: REFUSED,
        sealed: REFUSED,
        forge: |mark| Forgery {
            get: false,
            query: mark.stamp(0).sealed(mark.body),
            body: mark.body.to_owned(),
        },
    },
    Row {
        what: "a plain body under a plain query",
        plain: MALFORMED,
        sealed: REFUSED,
        forge: |mark| Forgery {
            get: false,
            query: format!("{}&encrypt_type=raw", mark.stamp(0).plain()),
            // Where this is the way of the mode, an empty one.
            body: if mark.own.mode == PushMode::Plain { "<xml></xml>" } else { mark.body }.into(),
        },
    },
    Row {
        what: "an aes body without an aes query",
        plain: MALFORMED,
        sealed: REFUSED,
        forge: |mark| mark.sealed(|stamp, _| stamp.plain()),
    },
    Row {
        what: "sealed for another appid",
        plain: REFUSED,
        sealed: REFUSED,
        forge: |mark| {
            let appid: String = mark.own.appid.chars().rev().collect();
            mark.warped(Warp { appid: Some(appid), ..Warp::default() })
        },
    },
    Row {
        what: "sealed with another key",
        plain: REFUSED,
        sealed: REFUSED,
        forge: |mark| {
            let (appid, body) = (&mark.own.appid, mark.body.as_bytes());
            mark.with(&seal(&"K".repeat(43), appid, dice::bytes(), body, &Warp::default()))
        },
    },
    Row {
        what: "padding of 0",
        plain: REFUSED,
        sealed: MALFORMED,
        forge: |mark| mark.warped(Warp { pad_byte: Some(0), ..Warp::default() }),
    },
    Row { what: "padding of 33", plain: REFUSED, sealed: MALFORMED, forge: |mark| mark.padded(33) },
    Row {
        what: "padding of 200",
        plain: REFUSED,
        sealed: MALFORMED,
        forge: |mark| mark.padded(200),
    },
    Row {
        what: "a length beyond the end",
        plain: REFUSED,
        sealed: MALFORMED,
        forge: |mark| mark.warped(Warp { length: Some(u32::MAX), ..Warp::default() }),
    },
    Row {
        what: "a length that cuts the message",
        plain: REFUSED,
        sealed: MALFORMED,
        forge: |mark| mark.warped(Warp { length: Some(9), ..Warp::default() }),
    },
    Row {
        what: "Encrypt that is no base64",
        plain: REFUSED,
        sealed: MALFORMED,
        forge: |mark| mark.with("!!!!"),
    },
    Row {
        what: "Encrypt that is empty",
        plain: REFUSED,
        sealed: MALFORMED,
        forge: |mark| mark.with(""),
    },
    Row {
        what: "Encrypt twice",
        plain: REFUSED,
        sealed: MALFORMED,
        forge: |mark| {
            let once = mark.sealed(|_, query| query);
            let body = once.body.replace("</xml>", "<Encrypt>x</Encrypt></xml>");
            Forgery { body, ..once }
        },
    },
    Row {
        what: "rightly signed, an empty body",
        plain: MALFORMED,
        sealed: MALFORMED,
        forge: |mark| Forgery { body: String::new(), ..mark.good(mark.body) },
    },
    Row {
        what: "rightly signed and sealed: not XML",
        plain: MALFORMED,
        sealed: MALFORMED,
        forge: |mark| mark.good("{\"json\":true}"),
    },
    Row {
        what: "rightly signed and sealed: empty",
        plain: MALFORMED,
        sealed: MALFORMED,
        forge: |mark| mark.good(""),
    },
    Row {
        what: "rightly signed and sealed: no MsgType",
        plain: MALFORMED,
        sealed: MALFORMED,
        forge: |mark| mark.good(&mark.body.replace("MsgType", "Type")),
    },
    Row {
        what: "rightly signed and sealed: a DTD",
        plain: MALFORMED,
        sealed: MALFORMED,
        forge: |mark| {
            let dtd = "<!DOCTYPE x [<!ENTITY e SYSTEM 'file:///etc/passwd'>]>";
            mark.good(&format!("{dtd}{}", mark.body))
        },
    },
    Row {
        what: "rightly signed and sealed: cut in half",
        plain: MALFORMED,
        sealed: MALFORMED,
        forge: |mark| {
            let half = mark.body.chars().count() / 2;
            mark.good(&mark.body.chars().take(half).collect::<String>())
        },
    },
    Row {
        what: "4 MB",
        plain: LARGE,
        sealed: LARGE,
        forge: |mark| Forgery { body: "x".repeat(4 << 20), ..mark.good(mark.body) },
    },
];
