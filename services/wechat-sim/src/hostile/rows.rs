//! Table of hostile pushes, with the statuses of a correct server.

use crate::clock::wall_ms;
use crate::config::{PushMode, SimAccount};
use crate::crypt::{SealOverrides, seal};
use crate::push::sealed_body;
use crate::random;
use crate::sign::{msg_signature, signature};

/// Sender of a push, unless the body names another.
pub(super) const OPENID: &str = "oHostile000000000000000000001";

/// Request that WeChat never made.
pub(super) struct Forgery {
    pub(super) get: bool,
    pub(super) query: String,
    pub(super) body: String,
}

/// Account under attack, and the body from which the forgeries are made.
pub(super) struct ForgeryTarget<'a> {
    pub(super) account: &'a SimAccount,
    pub(super) body: &'a str,
}

/// Kind of forgery.
pub(super) struct ForgeryCase {
    pub(super) description: &'static str,
    /// Correct statuses for an account in plain mode.
    pub(super) plain: &'static [u16],
    /// Correct statuses in the two modes that seal.
    pub(super) sealed: &'static [u16],
    pub(super) forge: fn(&ForgeryTarget) -> Forgery,
}

/// Correct statuses for an invalid signature.
const BAD_SIGNATURE_STATUSES: &[u16] = &[401, 403];
/// Correct statuses for a request without one of the parameters that WeChat always sends.
const NO_SIGNATURE_STATUSES: &[u16] = &[400, 401, 403];
/// Correct status for what is rightly signed, whatever its body: several other answers in a row,
/// and WeChat pushes nothing to the account for a minute.
const SIGNED_STATUSES: &[u16] = &[200];
/// Correct statuses if both views are possible.
const ANY_STATUSES: &[u16] = &[200, 400, 401, 403];

/// Age of a stale signature in seconds. Servers accept signatures of up to about five minutes.
const STALE_AGE_S: i64 = 400;

struct SignedQuery<'a> {
    token: &'a str,
    timestamp: String,
    nonce: String,
    signature: String,
}

impl SignedQuery<'_> {
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

impl ForgeryTarget<'_> {
    fn stamp(&self, age_s: i64) -> SignedQuery<'_> {
        let token = self.account.callback_token.as_str();
        let timestamp = (wall_ms() as i64 / 1000 - age_s).to_string();
        let nonce = random::nonce();
        let signature = signature(token, &timestamp, &nonce);
        SignedQuery { token, timestamp, nonce, signature }
    }

    /// Seals a message with the account's key, or with a fixed one if it has none, as in plain
    /// mode.
    fn seal(&self, message: &str, warp: &SealOverrides) -> String {
        let key = match self.account.aes_key.as_str() {
            "" => "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG",
            key => key,
        };
        seal(key, &self.account.appid, random::bytes(), message.as_bytes(), warp)
    }

    /// Builds the body around a sealed text. In compatible mode the true fields stand beside it, so
    /// that a server that reads those is detected.
    fn sealed_body(&self, encrypt: &str) -> String {
        sealed_body(self.account.mode, &self.account.original_id, self.body, encrypt)
    }

    /// Signs a push of this sealed text correctly.
    fn signed_push(&self, encrypt: &str) -> Forgery {
        Forgery {
            get: false,
            query: self.stamp(0).sealed(encrypt),
            body: self.sealed_body(encrypt),
        }
    }

    fn sealed_with(&self, warp: SealOverrides) -> Forgery {
        self.signed_push(&self.seal(self.body, &warp))
    }

    /// Builds a push with this number of padding bytes and no other fault.
    fn sealed_with_padding(&self, count: usize) -> Forgery {
        let mut message = self.body.to_owned();
        while !(20 + message.len() + self.account.appid.len() + count).is_multiple_of(32) {
            message.push('\n');
        }
        self.signed_push(
            &self.seal(
                &message,
                &SealOverrides { pad_count: Some(count), ..SealOverrides::default() },
            ),
        )
    }

    /// Builds a valid push of a message in the account's own mode.
    pub(super) fn valid_push(&self, message: &str) -> Forgery {
        self.push_of_age(message, 0)
    }

    fn push_of_age(&self, message: &str, age_s: i64) -> Forgery {
        let stamp = self.stamp(age_s);
        if self.account.mode == PushMode::Plain {
            return Forgery { get: false, query: stamp.plain(), body: message.to_owned() };
        }
        let encrypt = self.seal(message, &SealOverrides::default());
        let body = sealed_body(self.account.mode, &self.account.original_id, message, &encrypt);
        Forgery { get: false, query: stamp.sealed(&encrypt), body }
    }

    /// Builds a valid push and changes its query.
    fn push_with_query(&self, change: impl FnOnce(String) -> String) -> Forgery {
        let push = self.valid_push(self.body);
        Forgery { query: change(push.query), ..push }
    }

    /// Seals a push for the account, in plain mode too, and changes its query.
    fn sealed_push_with(&self, change: impl FnOnce(&SignedQuery, String) -> String) -> Forgery {
        let encrypt = self.seal(self.body, &SealOverrides::default());
        let stamp = self.stamp(0);
        let query = change(&stamp, stamp.sealed(&encrypt));
        Forgery { get: false, query, body: self.sealed_body(&encrypt) }
    }

    /// Builds the console's verification with this query.
    fn verification(&self, query: String) -> Forgery {
        Forgery { get: true, query: format!("{query}&echostr=42"), body: String::new() }
    }
}

/// Replaces the value of a parameter, or removes the parameter.
fn change_parameter(query: &str, name: &str, to: impl FnOnce(&str) -> Option<String>) -> String {
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

/// Returns another signature of the same form.
fn altered_signature(signature: &str) -> Option<String> {
    let first = if signature.starts_with('0') { "1" } else { "0" };
    Some(format!("{first}{}", signature.get(1..)?))
}

pub(super) const FORGERY_CASES: &[ForgeryCase] = &[
    ForgeryCase {
        description: "wrong signature, GET",
        plain: BAD_SIGNATURE_STATUSES,
        sealed: BAD_SIGNATURE_STATUSES,
        forge: |target| {
            target.verification(change_parameter(
                &target.stamp(0).query(),
                "signature",
                altered_signature,
            ))
        },
    },
    ForgeryCase {
        description: "no signature, GET",
        plain: NO_SIGNATURE_STATUSES,
        sealed: NO_SIGNATURE_STATUSES,
        forge: |target| {
            target.verification(change_parameter(&target.stamp(0).query(), "signature", |_| None))
        },
    },
    ForgeryCase {
        description: "signature of 400 seconds ago, GET",
        plain: BAD_SIGNATURE_STATUSES,
        sealed: BAD_SIGNATURE_STATUSES,
        forge: |target| target.verification(target.stamp(STALE_AGE_S).query()),
    },
    ForgeryCase {
        description: "wrong signature, the rest right",
        plain: BAD_SIGNATURE_STATUSES,
        sealed: BAD_SIGNATURE_STATUSES,
        forge: |target| {
            target.push_with_query(|query| change_parameter(&query, "signature", altered_signature))
        },
    },
    ForgeryCase {
        description: "empty signature",
        plain: NO_SIGNATURE_STATUSES,
        sealed: NO_SIGNATURE_STATUSES,
        forge: |target| {
            target.push_with_query(|query| {
                change_parameter(&query, "signature", |_| Some(String::new()))
            })
        },
    },
    ForgeryCase {
        description: "no signature",
        plain: NO_SIGNATURE_STATUSES,
        sealed: NO_SIGNATURE_STATUSES,
        forge: |target| {
            target.push_with_query(|query| change_parameter(&query, "signature", |_| None))
        },
    },
    ForgeryCase {
        description: "no query at all",
        plain: NO_SIGNATURE_STATUSES,
        sealed: NO_SIGNATURE_STATUSES,
        forge: |target| target.push_with_query(|_| String::new()),
    },
    ForgeryCase {
        description: "signature twice",
        plain: NO_SIGNATURE_STATUSES,
        sealed: NO_SIGNATURE_STATUSES,
        forge: |target| target.push_with_query(|query| format!("{query}&signature=1")),
    },
    ForgeryCase {
        description: "signature of 400 seconds ago",
        plain: BAD_SIGNATURE_STATUSES,
        sealed: BAD_SIGNATURE_STATUSES,
        forge: |target| target.push_of_age(target.body, STALE_AGE_S),
    },
    ForgeryCase {
        description: "signature of 400 seconds ahead",
        plain: BAD_SIGNATURE_STATUSES,
        sealed: BAD_SIGNATURE_STATUSES,
        forge: |target| target.push_of_age(target.body, -STALE_AGE_S),
    },
    ForgeryCase {
        description: "wrong msg_signature, signature right",
        plain: SIGNED_STATUSES,
        sealed: BAD_SIGNATURE_STATUSES,
        forge: |target| {
            target.sealed_push_with(|_, query| {
                change_parameter(&query, "msg_signature", altered_signature)
            })
        },
    },
    ForgeryCase {
        description: "wrong signature, msg_signature right",
        plain: BAD_SIGNATURE_STATUSES,
        sealed: BAD_SIGNATURE_STATUSES,
        forge: |target| {
            target.sealed_push_with(|_, query| {
                change_parameter(&query, "signature", altered_signature)
            })
        },
    },
    ForgeryCase {
        description: "no msg_signature, signature right",
        plain: SIGNED_STATUSES,
        sealed: ANY_STATUSES,
        forge: |target| {
            target.sealed_push_with(|_, query| change_parameter(&query, "msg_signature", |_| None))
        },
    },
    ForgeryCase {
        description: "msg_signature over another body",
        plain: SIGNED_STATUSES,
        sealed: BAD_SIGNATURE_STATUSES,
        forge: |target| target.sealed_push_with(|stamp, _| stamp.sealed("x")),
    },
    ForgeryCase {
        description: "signature given as msg_signature too",
        plain: SIGNED_STATUSES,
        sealed: BAD_SIGNATURE_STATUSES,
        forge: |target| {
            target.sealed_push_with(|stamp, query| {
                change_parameter(&query, "msg_signature", |_| Some(stamp.signature.clone()))
            })
        },
    },
    ForgeryCase {
        description: "a plain body under an aes query",
        plain: SIGNED_STATUSES,
        sealed: ANY_STATUSES,
        forge: |target| Forgery {
            get: false,
            query: target.stamp(0).sealed(target.body),
            body: target.body.to_owned(),
        },
    },
    ForgeryCase {
        description: "a plain body under a plain query",
        plain: SIGNED_STATUSES,
        sealed: ANY_STATUSES,
        forge: |target| Forgery {
            get: false,
            query: format!("{}&encrypt_type=raw", target.stamp(0).plain()),
            // In plain mode this request would be valid, so its body is empty.
            body: if target.account.mode == PushMode::Plain { "<xml></xml>" } else { target.body }
                .into(),
        },
    },
    ForgeryCase {
        description: "an aes body without an aes query",
        plain: SIGNED_STATUSES,
        sealed: ANY_STATUSES,
        forge: |target| target.sealed_push_with(|stamp, _| stamp.plain()),
    },
    ForgeryCase {
        description: "sealed for another appid",
        plain: SIGNED_STATUSES,
        sealed: SIGNED_STATUSES,
        forge: |target| {
            let appid: String = target.account.appid.chars().rev().collect();
            target.sealed_with(SealOverrides { appid: Some(appid), ..SealOverrides::default() })
        },
    },
    ForgeryCase {
        description: "sealed with another key",
        plain: SIGNED_STATUSES,
        sealed: SIGNED_STATUSES,
        forge: |target| {
            let appid = &target.account.appid;
            let body = target.body.as_bytes();
            target.signed_push(&seal(
                &"K".repeat(43),
                appid,
                random::bytes(),
                body,
                &SealOverrides::default(),
            ))
        },
    },
    ForgeryCase {
        description: "padding of 0",
        plain: SIGNED_STATUSES,
        sealed: SIGNED_STATUSES,
        forge: |target| {
            target.sealed_with(SealOverrides { pad_byte: Some(0), ..SealOverrides::default() })
        },
    },
    ForgeryCase {
        description: "padding of 33",
        plain: SIGNED_STATUSES,
        sealed: SIGNED_STATUSES,
        forge: |target| target.sealed_with_padding(33),
    },
    ForgeryCase {
        description: "padding of 200",
        plain: SIGNED_STATUSES,
        sealed: SIGNED_STATUSES,
        forge: |target| target.sealed_with_padding(200),
    },
    ForgeryCase {
        description: "a length beyond the end",
        plain: SIGNED_STATUSES,
        sealed: SIGNED_STATUSES,
        forge: |target| {
            target.sealed_with(SealOverrides { length: Some(u32::MAX), ..SealOverrides::default() })
        },
    },
    ForgeryCase {
        description: "a length that cuts the message",
        plain: SIGNED_STATUSES,
        sealed: SIGNED_STATUSES,
        forge: |target| {
            target.sealed_with(SealOverrides { length: Some(9), ..SealOverrides::default() })
        },
    },
    ForgeryCase {
        description: "Encrypt that is no base64",
        plain: SIGNED_STATUSES,
        sealed: SIGNED_STATUSES,
        forge: |target| target.signed_push("!!!!"),
    },
    ForgeryCase {
        description: "Encrypt that is empty",
        plain: SIGNED_STATUSES,
        sealed: SIGNED_STATUSES,
        forge: |target| target.signed_push(""),
    },
    ForgeryCase {
        description: "Encrypt twice, the first another",
        plain: SIGNED_STATUSES,
        sealed: BAD_SIGNATURE_STATUSES,
        forge: |target| {
            let push = target.sealed_push_with(|_, query| query);
            let body = push.body.replacen("<xml>", "<xml><Encrypt>x</Encrypt>", 1);
            Forgery { body, ..push }
        },
    },
    ForgeryCase {
        description: "rightly signed, an empty body",
        plain: SIGNED_STATUSES,
        sealed: SIGNED_STATUSES,
        forge: |target| Forgery { body: String::new(), ..target.valid_push(target.body) },
    },
    ForgeryCase {
        description: "rightly signed and sealed: not XML",
        plain: SIGNED_STATUSES,
        sealed: SIGNED_STATUSES,
        forge: |target| target.valid_push("{\"json\":true}"),
    },
    ForgeryCase {
        description: "rightly signed and sealed: empty",
        plain: SIGNED_STATUSES,
        sealed: SIGNED_STATUSES,
        forge: |target| target.valid_push(""),
    },
    ForgeryCase {
        description: "rightly signed and sealed: no MsgType",
        plain: SIGNED_STATUSES,
        sealed: SIGNED_STATUSES,
        forge: |target| target.valid_push(&target.body.replace("MsgType", "Type")),
    },
    ForgeryCase {
        description: "rightly signed and sealed: a DTD",
        plain: SIGNED_STATUSES,
        sealed: SIGNED_STATUSES,
        forge: |target| {
            let dtd = "<!DOCTYPE x [<!ENTITY e SYSTEM 'file:///etc/passwd'>]>";
            target.valid_push(&format!("{dtd}{}", target.body))
        },
    },
    ForgeryCase {
        description: "rightly signed and sealed: cut in half",
        plain: SIGNED_STATUSES,
        sealed: SIGNED_STATUSES,
        forge: |target| {
            let half = target.body.chars().count() / 2;
            target.valid_push(&target.body.chars().take(half).collect::<String>())
        },
    },
    ForgeryCase {
        description: "4 MB",
        plain: SIGNED_STATUSES,
        sealed: SIGNED_STATUSES,
        forge: |target| Forgery { body: "x".repeat(4 << 20), ..target.valid_push(target.body) },
    },
];
