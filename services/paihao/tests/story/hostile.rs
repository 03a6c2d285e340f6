//! Callbacks that WeChat did not send, in all three modes, through the real program.

use crate::http::ask;
use crate::town::{SHOPS, Town, account, scan_body};
use paihao_chassis::clock::{Clock, SystemClock};
use reqwest::StatusCode;
use serde_json::Value;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use wechat_sim::{SimAccount, Warp, msg_signature, seal, signature};

/// What a request is signed with.
struct Stamp {
    token: String,
    timestamp: String,
    signature: String,
}

const NONCE: &str = "1320562132";

impl Stamp {
    fn now(account: &SimAccount) -> Stamp {
        let timestamp = (SystemClock.now_ms() / 1000).to_string();
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

const SIGNATURE: &str = "403 wrong_signature";
const QUERY: &str = "400 bad_callback_query";
const STALE: &str = "403 stale_callback";
const ENCRYPTED: &str = "400 encrypted_callback";
const PLAIN: &str = "400 plain_callback";
const SEAL: &str = "400 undecipherable_callback";
const XML: &str = "400 malformed_xml";
const LARGE: &str = "413 body_too_large";
const TAKEN: &str = "200 success";

/// What the simulator sends, and what is answered in plain, compatible and secure mode.
const ROWS: &[(&str, [&str; 3])] = &[
    ("wrong signature, GET", [SIGNATURE; 3]),
    ("no signature, GET", [QUERY; 3]),
    ("signature of 400 seconds ago, GET", [STALE; 3]),
    ("wrong signature, the rest right", [SIGNATURE; 3]),
    ("empty signature", [SIGNATURE; 3]),
    ("no signature", [QUERY; 3]),
    ("no query at all", [QUERY; 3]),
    ("signature twice", [QUERY; 3]),
    ("signature of 400 seconds ago", [STALE; 3]),
    ("signature of 400 seconds ahead", [STALE; 3]),
    ("wrong msg_signature, signature right", [ENCRYPTED, SIGNATURE, SIGNATURE]),
    ("wrong signature, msg_signature right", [SIGNATURE; 3]),
    ("no msg_signature, signature right", [ENCRYPTED, QUERY, QUERY]),
    ("msg_signature over another body", [ENCRYPTED, SIGNATURE, SIGNATURE]),
    ("signature given as msg_signature too", [ENCRYPTED, SIGNATURE, SIGNATURE]),
    ("a plain body under an aes query", [ENCRYPTED, PLAIN, PLAIN]),
    ("a plain body under a plain query", [XML, QUERY, QUERY]),
    ("an aes body without an aes query", [ENCRYPTED, QUERY, QUERY]),
    ("sealed for another appid", [ENCRYPTED, SEAL, SEAL]),
    ("sealed with another key", [ENCRYPTED, SEAL, SEAL]),
    ("padding of 0", [ENCRYPTED, SEAL, SEAL]),
    ("padding of 33", [ENCRYPTED, SEAL, SEAL]),
    ("padding of 200", [ENCRYPTED, SEAL, SEAL]),
    ("a length beyond the end", [ENCRYPTED, SEAL, SEAL]),
    ("a length that cuts the message", [ENCRYPTED, SEAL, SEAL]),
    ("Encrypt that is no base64", [ENCRYPTED, SEAL, SEAL]),
    ("Encrypt that is empty", [ENCRYPTED, SEAL, SEAL]),
    ("Encrypt twice", [ENCRYPTED, XML, XML]),
    ("rightly signed, an empty body", [XML; 3]),
    ("rightly signed and sealed: not XML", [XML; 3]),
    ("rightly signed and sealed: empty", [XML; 3]),
    ("rightly signed and sealed: no MsgType", [XML; 3]),
    ("rightly signed and sealed: a DTD", [XML; 3]),
    ("rightly signed and sealed: cut in half", [XML; 3]),
    ("4 MB", [LARGE; 3]),
    ("a true push, the second time", [TAKEN; 3]),
];

#[tokio::test]
async fn what_wechat_did_not_send_is_refused_in_every_mode_and_changes_nothing() {
    let town = Town::start().await;
    let documented = include_str!("../../../../docs/reference/callbacks.md").replace('`', "");
    for (what, expected) in ROWS {
        let row = format!("| {what} | {} |", expected.join(" | "));
        assert!(documented.contains(&row), "docs/reference/callbacks.md lacks this row:\n{row}");
    }
    let hostile = documented.split("What hostile input meets").nth(1).unwrap();
    let rows = hostile.lines().filter(|line| line.starts_with("| ")).count() - 2;
    assert_eq!(rows, ROWS.len(), "docs/reference/callbacks.md has rows that no test runs");
    for (i, (name, ..)) in SHOPS.iter().enumerate().take(3) {
        let account = account(i);
        // Were one of them taken, oMallory would have a number.
        let scan = scan_body(&account, "oMallory", &format!("q_{name}-one_a"));
        let met = town.wechat.hostile(Some(&account.appid), Some(scan)).await.unwrap();
        for (case, (what, expected)) in met.cases.iter().zip(ROWS) {
            let answer: Value = serde_json::from_str(&case.answer).unwrap_or_default();
            let said = answer["code"].as_str().unwrap_or(&case.answer);
            let found = format!("{} {said}", case.status.unwrap_or_default());
            assert_eq!((case.what, &*found), (*what, expected[i]), "{name}: {case:?}");
            assert!(case.agrees, "{name}: {case:?}");
            let shown = &case.answer;
            assert!(!shown.contains("oMallory") && !shown.contains("tokenOf"), "{shown}");
        }
        assert_eq!((met.cases.len(), met.disagreements), (ROWS.len(), 0), "{name}");
        for site in ["one", "two"] {
            assert_eq!(town.waiting(&format!("{name}-{site}")).await, 0);
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
