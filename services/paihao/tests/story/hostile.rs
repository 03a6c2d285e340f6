//! Callbacks that WeChat did not send, in all three modes, through the real program.

use crate::http::ask;
use crate::town::{SHOPS, Town, account, scan_body};
use paihao_chassis::clock::{Clock, SystemClock};
use reqwest::StatusCode;
use serde_json::Value;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use wechat_sim::{PushMode, SimAccount, Warp, msg_signature, seal, signature};

/// What a request is signed with.
struct Stamp {
    token: String,
    timestamp: String,
    signature: String,
}

const NONCE: &str = "1320562132";

impl Stamp {
    fn now(account: &SimAccount) -> Stamp {
        Stamp::aged(account, 0)
    }

    fn aged(account: &SimAccount, seconds: i64) -> Stamp {
        let timestamp = (SystemClock.now_ms() / 1000 - seconds).to_string();
        let token = account.callback_token.clone();
        let signature = signature(&token, &timestamp, NONCE);
        Stamp { token, timestamp, signature }
    }

    fn query(&self) -> String {
        format!("signature={}&timestamp={}&nonce={NONCE}", self.signature, self.timestamp)
    }

    fn aes(&self, encrypt: &str) -> String {
        let signed = msg_signature(&self.token, &self.timestamp, NONCE, encrypt);
        format!("{}&encrypt_type=aes&msg_signature={signed}", self.query())
    }

    async fn post(
        &self,
        town: &Town,
        name: &str,
        query: &str,
        body: String,
    ) -> (StatusCode, Value) {
        ask(town.http.post(format!("{}/wechat/{name}?{query}", town.url)).body(body)).await
    }
}

/// One request that WeChat did not send: `true` for a GET, the query, and the body.
type Sent = (bool, String, String);

/// An account under attack.
struct Mark {
    account: SimAccount,
    scan: String,
}

impl Mark {
    fn seal(&self, message: &str, warp: Warp) -> String {
        let SimAccount { aes_key, appid, .. } = &self.account;
        seal(aes_key, appid, [7; 16], message.as_bytes(), &warp)
    }

    /// The body in the account's own mode, rightly signed.
    fn good(&self, message: &str) -> Sent {
        let stamp = Stamp::now(&self.account);
        match self.account.mode {
            PushMode::Plain => (false, stamp.query(), message.to_owned()),
            _ => self.with(&self.seal(message, Warp::default())),
        }
    }

    /// A rightly signed body whose `Encrypt` is this.
    fn with(&self, encrypt: &str) -> Sent {
        let stamp = Stamp::now(&self.account);
        (false, stamp.aes(encrypt), format!("<xml><Encrypt><![CDATA[{encrypt}]]></Encrypt></xml>"))
    }

    fn warped(&self, warp: Warp) -> Sent {
        self.with(&self.seal(&self.scan, warp))
    }

    fn change(&self, what: &str, to: &str) -> Sent {
        let (_, query, body) = self.good(&self.scan);
        let change = |pair: &str| match pair.split_once('=') {
            Some((name, _)) if name == what => format!("{name}={to}"),
            _ => pair.to_owned(),
        };
        (false, query.split('&').map(change).collect::<Vec<_>>().join("&"), body)
    }

    fn without(&self, what: &str) -> Sent {
        let (_, query, body) = self.good(&self.scan);
        let kept = query.split('&').filter(|pair| !pair.starts_with(&format!("{what}=")));
        (false, kept.collect::<Vec<_>>().join("&"), body)
    }

    fn asked(&self, query: String) -> Sent {
        (true, format!("{query}&echostr=42"), String::new())
    }
}

const SIGNATURE: &str = "403 wrong_signature";
const QUERY: &str = "400 bad_callback_query";
const STALE: &str = "403 stale_callback";
const ENCRYPTED: &str = "400 encrypted_callback";
const PLAIN: &str = "400 plain_callback";
const SEAL: &str = "400 undecipherable_callback";
const XML: &str = "400 malformed_xml";
const LARGE: &str = "413 body_too_large";

/// What is sent, how, and what is answered in plain, compatible and secure mode.
type Row = (&'static str, fn(&Mark) -> Sent, [&'static str; 3]);

const ROWS: &[Row] = &[
    (
        "wrong `signature`, GET",
        |m| m.asked(Stamp::now(&m.account).query().replace("signature=", "signature=0")),
        [SIGNATURE; 3],
    ),
    ("no `signature`, GET", |m| m.asked("timestamp=1&nonce=1".into()), [QUERY; 3]),
    (
        "`signature` of 400 seconds ago, GET",
        |m| m.asked(Stamp::aged(&m.account, 400).query()),
        [STALE; 3],
    ),
    (
        "wrong `signature`, the rest right",
        |m| m.change("signature", &"0".repeat(40)),
        [SIGNATURE; 3],
    ),
    ("empty `signature`", |m| m.change("signature", ""), [SIGNATURE; 3]),
    ("no `signature`", |m| m.without("signature"), [QUERY; 3]),
    ("no query at all", |m| (false, String::new(), m.scan.clone()), [QUERY; 3]),
    (
        "`signature` twice",
        |m| {
            let (get, query, body) = m.good(&m.scan);
            (get, format!("{query}&signature=1"), body)
        },
        [QUERY; 3],
    ),
    (
        "`signature` of 400 seconds ago",
        |m| (false, Stamp::aged(&m.account, 400).query(), m.scan.clone()),
        [STALE; 3],
    ),
    (
        "`signature` of 400 seconds ahead",
        |m| (false, Stamp::aged(&m.account, -400).query(), m.scan.clone()),
        [STALE; 3],
    ),
    (
        "wrong `msg_signature`, `signature` right",
        |m| {
            let (get, query, body) = m.with(&m.seal(&m.scan, Warp::default()));
            (get, query.replace("msg_signature=", "msg_signature=0"), body)
        },
        [ENCRYPTED, SIGNATURE, SIGNATURE],
    ),
    (
        "`msg_signature` over another body",
        |m| {
            let (get, query, _) = m.with("x");
            let (_, _, body) = m.with(&m.seal(&m.scan, Warp::default()));
            (get, query, body)
        },
        [ENCRYPTED, SIGNATURE, SIGNATURE],
    ),
    (
        "`signature` given as `msg_signature` too",
        |m| {
            let stamp = Stamp::now(&m.account);
            let (_, _, body) = m.with(&m.seal(&m.scan, Warp::default()));
            (
                false,
                format!("{}&encrypt_type=aes&msg_signature={}", stamp.query(), stamp.signature),
                body,
            )
        },
        [ENCRYPTED, SIGNATURE, SIGNATURE],
    ),
    (
        "a plain body under an aes query",
        |m| (false, Stamp::now(&m.account).aes(&m.scan), m.scan.clone()),
        [ENCRYPTED, PLAIN, PLAIN],
    ),
    (
        "a plain body under a plain query",
        |m| {
            (
                false,
                format!("{}&encrypt_type=raw", Stamp::now(&m.account).query()),
                if m.account.mode == PushMode::Plain {
                    "<xml></xml>".into()
                } else {
                    m.scan.clone()
                },
            )
        },
        [XML, QUERY, QUERY],
    ),
    (
        "an aes body without an aes query",
        |m| {
            let (_, _, body) = m.with(&m.seal(&m.scan, Warp::default()));
            (false, Stamp::now(&m.account).query(), body)
        },
        [ENCRYPTED, QUERY, QUERY],
    ),
    (
        "sealed for another appid",
        |m| m.warped(Warp { appid: Some("wx0000000000000099".into()), ..Warp::default() }),
        [ENCRYPTED, SEAL, SEAL],
    ),
    (
        "sealed with another key",
        |m| {
            m.with(&seal(
                &"K".repeat(43),
                &m.account.appid,
                [7; 16],
                m.scan.as_bytes(),
                &Warp::default(),
            ))
        },
        [ENCRYPTED, SEAL, SEAL],
    ),
    (
        "padding of 0",
        |m| m.warped(Warp { pad_byte: Some(0), ..Warp::default() }),
        [ENCRYPTED, SEAL, SEAL],
    ),
    (
        "padding of 33",
        |m| m.warped(Warp { pad_count: Some(33), ..Warp::default() }),
        [ENCRYPTED, SEAL, SEAL],
    ),
    (
        "padding of 200",
        |m| m.warped(Warp { pad_count: Some(200), ..Warp::default() }),
        [ENCRYPTED, SEAL, SEAL],
    ),
    (
        "a length beyond the end",
        |m| m.warped(Warp { length: Some(u32::MAX), ..Warp::default() }),
        [ENCRYPTED, SEAL, SEAL],
    ),
    (
        "a length that cuts the message",
        |m| m.warped(Warp { length: Some(9), ..Warp::default() }),
        [ENCRYPTED, SEAL, SEAL],
    ),
    ("`Encrypt` that is no base64", |m| m.with("!!!!"), [ENCRYPTED, SEAL, SEAL]),
    ("`Encrypt` that is empty", |m| m.with(""), [ENCRYPTED, SEAL, SEAL]),
    (
        "`Encrypt` twice",
        |m| {
            let (get, query, body) = m.with(&m.seal(&m.scan, Warp::default()));
            (get, query, body.replace("</xml>", "<Encrypt>x</Encrypt></xml>"))
        },
        [ENCRYPTED, XML, XML],
    ),
    ("rightly signed, an empty body", |m| (false, m.good(&m.scan).1, String::new()), [XML; 3]),
    ("rightly signed and sealed: not XML", |m| m.good("{\"json\":true}"), [XML; 3]),
    ("rightly signed and sealed: empty", |m| m.good(""), [XML; 3]),
    (
        "rightly signed and sealed: no MsgType",
        |m| m.good(&m.scan.replace("MsgType", "Type")),
        [XML; 3],
    ),
    (
        "rightly signed and sealed: a DTD",
        |m| m.good(&format!("<!DOCTYPE x [<!ENTITY e SYSTEM 'file:///etc/passwd'>]>{}", m.scan)),
        [XML; 3],
    ),
    ("rightly signed and sealed: cut in half", |m| m.good(&m.scan[..m.scan.len() / 2]), [XML; 3]),
    ("4 MB", |m| (false, m.good(&m.scan).1, "x".repeat(4 << 20)), [LARGE; 3]),
];

#[tokio::test]
async fn what_wechat_did_not_send_is_refused_in_every_mode_and_changes_nothing() {
    let town = Town::start().await;
    let documented = include_str!("../../../../docs/callbacks.md");
    for (what, how, expected) in ROWS {
        let row = format!("| {what} | {} |", expected.join(" | "));
        assert!(documented.contains(&row), "docs/callbacks.md lacks this row:\n{row}");
        for (i, expected) in expected.iter().enumerate() {
            let name = SHOPS[i].0;
            let account = account(i);
            let scan = scan_body(&account, "oMallory", &format!("q_{name}-one_a"));
            let (get, query, body) = how(&Mark { account, scan });
            let url = format!("{}/wechat/{name}?{query}", town.url);
            let request = if get { town.http.get(url) } else { town.http.post(url).body(body) };
            let (status, answer) = ask(request).await;
            let found = format!("{} {}", status.as_u16(), answer["code"].as_str().unwrap_or(""));
            assert_eq!(found, *expected, "{what}, {name}: {answer}");
            let shown = answer.to_string();
            assert!(!shown.contains("oMallory") && !shown.contains("tokenOf"), "{shown}");
        }
    }
    let hostile = documented.split("What hostile input meets").nth(1).unwrap();
    let rows = hostile.lines().filter(|line| line.starts_with("| ")).count() - 2;
    assert_eq!(rows, ROWS.len(), "docs/callbacks.md has rows that no test runs");
    for (i, shop) in SHOPS.iter().enumerate().take(3) {
        for site in ["one", "two"] {
            assert_eq!(town.waiting(&format!("{}-{site}", shop.0)).await, 0);
        }
        // Whatever it met, the program goes on.
        assert!(town.scan(i, "oAnn", "one", 1).await[0].contains("A001"));
    }
}

#[tokio::test]
async fn plain_fields_beside_a_seal_are_not_read() {
    let town = Town::start().await;
    for i in [1, 2] {
        let (name, account) = (SHOPS[i].0, account(i));
        let scene = format!("q_{name}-one_a");
        let hidden = scan_body(&account, "oTruth", &scene);
        let lie = scan_body(&account, "oLie", &format!("q_{name}-two_a"));
        let sealed =
            seal(&account.aes_key, &account.appid, [7; 16], hidden.as_bytes(), &Warp::default());
        let body = lie.replace("</xml>", &format!("<Encrypt>{sealed}</Encrypt></xml>"));
        let stamp = Stamp::now(&account);
        let answer = stamp.post(&town, name, &stamp.aes(&sealed), body).await;
        assert_eq!(answer.0, StatusCode::OK);
        assert_eq!(
            (
                town.waiting(&format!("{name}-one")).await,
                town.waiting(&format!("{name}-two")).await
            ),
            (1.into(), 0.into())
        );
        if i == 1 {
            let reply = answer.1.as_str().unwrap();
            assert!(reply.contains("oTruth") && !reply.contains("oLie"), "{reply}");
        }
    }
}

#[tokio::test]
async fn a_body_that_does_not_come_is_not_waited_for() {
    let town = Town::start().await;
    let host = town.url.strip_prefix("http://").unwrap();
    let mut connection = TcpStream::connect(host).await.unwrap();
    let query = Stamp::now(&account(2)).query();
    let head = format!(
        "POST /wechat/secure?{query} HTTP/1.1\r\nHost: {host}\r\nContent-Length: 500\r\n\r\n<xml>"
    );
    connection.write_all(head.as_bytes()).await.unwrap();
    let mut answer = vec![0; 1024];
    let read = tokio::time::timeout(Duration::from_secs(30), connection.read(&mut answer)).await;
    let answer = String::from_utf8_lossy(&answer[..read.expect("an answer").unwrap()]).into_owned();
    assert!(answer.starts_with("HTTP/1.1 408 ") && answer.contains("slow_body"), "{answer}");
}
