//! Tests of forged callbacks in all three modes.

use crate::support::gateway::{ModesDeployment, TEST_ACCOUNTS, console_account, scan_body};
use crate::support::http::send_json;
use paihao_chassis::clock::{Clock, SystemClock};
use reqwest::StatusCode;
use serde_json::Value;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use wechat_sim::{SealOverrides, SimAccount, msg_signature, seal, signature};

/// Signature of a callback, with the values that it signs.
struct SignedQuery {
    token: String,
    timestamp: String,
    signature: String,
}

const NONCE: &str = "1320562132";

impl SignedQuery {
    fn now(account: &SimAccount) -> SignedQuery {
        let timestamp = (SystemClock.now_ms() / 1000).to_string();
        let token = account.callback_token.clone();
        let signature = signature(&token, &timestamp, NONCE);
        SignedQuery { token, timestamp, signature }
    }

    fn query(&self) -> String {
        format!("signature={}&timestamp={}&nonce={NONCE}", self.signature, self.timestamp)
    }

    fn with_encrypt_type(&self, encrypt: &str) -> String {
        let signed = msg_signature(&self.token, &self.timestamp, NONCE, encrypt);
        format!("{}&encrypt_type=aes&msg_signature={signed}", self.query())
    }

    async fn post(
        &self,
        deployment: &ModesDeployment,
        name: &str,
        query: &str,
        body: String,
    ) -> (StatusCode, Value) {
        send_json(
            deployment.http.post(format!("{}/wechat/{name}?{query}", deployment.url)).body(body),
        )
        .await
    }
}

const WRONG_SIGNATURE: &str = "403 wrong_signature";
const BAD_QUERY: &str = "400 bad_callback_query";
const STALE_CALLBACK: &str = "403 stale_callback";
const ENCRYPTED_CALLBACK: &str = "200 encrypted_callback";
const PLAIN_CALLBACK: &str = "200 plain_callback";
const UNDECIPHERABLE_CALLBACK: &str = "200 undecipherable_callback";
const MALFORMED_XML: &str = "200 malformed_xml";
const BODY_TOO_LARGE: &str = "200 body_too_large";
const ACCEPTED: &str = "200 success";

/// Cases of the simulator, and the expected responses in plain, compatible and secure mode: the
/// status, and the code of the refusal or of the header `paihao-ignored`.
const EXPECTED_RESPONSES: &[(&str, [&str; 3])] = &[
    ("wrong signature, GET", [WRONG_SIGNATURE; 3]),
    ("no signature, GET", [BAD_QUERY; 3]),
    ("signature of 400 seconds ago, GET", [STALE_CALLBACK; 3]),
    ("wrong signature, the rest right", [WRONG_SIGNATURE; 3]),
    ("empty signature", [WRONG_SIGNATURE; 3]),
    ("no signature", [BAD_QUERY; 3]),
    ("no query at all", [BAD_QUERY; 3]),
    ("signature twice", [BAD_QUERY; 3]),
    ("signature of 400 seconds ago", [STALE_CALLBACK; 3]),
    ("signature of 400 seconds ahead", [STALE_CALLBACK; 3]),
    (
        "wrong msg_signature, signature right",
        [ENCRYPTED_CALLBACK, WRONG_SIGNATURE, WRONG_SIGNATURE],
    ),
    ("wrong signature, msg_signature right", [WRONG_SIGNATURE; 3]),
    ("no msg_signature, signature right", [ENCRYPTED_CALLBACK, PLAIN_CALLBACK, PLAIN_CALLBACK]),
    ("msg_signature over another body", [ENCRYPTED_CALLBACK, WRONG_SIGNATURE, WRONG_SIGNATURE]),
    (
        "signature given as msg_signature too",
        [ENCRYPTED_CALLBACK, WRONG_SIGNATURE, WRONG_SIGNATURE],
    ),
    ("a plain body under an aes query", [ENCRYPTED_CALLBACK, PLAIN_CALLBACK, PLAIN_CALLBACK]),
    ("a plain body under a plain query", [MALFORMED_XML, PLAIN_CALLBACK, PLAIN_CALLBACK]),
    ("an aes body without an aes query", [ENCRYPTED_CALLBACK, PLAIN_CALLBACK, PLAIN_CALLBACK]),
    (
        "sealed for another appid",
        [ENCRYPTED_CALLBACK, UNDECIPHERABLE_CALLBACK, UNDECIPHERABLE_CALLBACK],
    ),
    (
        "sealed with another key",
        [ENCRYPTED_CALLBACK, UNDECIPHERABLE_CALLBACK, UNDECIPHERABLE_CALLBACK],
    ),
    ("padding of 0", [ENCRYPTED_CALLBACK, UNDECIPHERABLE_CALLBACK, UNDECIPHERABLE_CALLBACK]),
    ("padding of 33", [ENCRYPTED_CALLBACK, UNDECIPHERABLE_CALLBACK, UNDECIPHERABLE_CALLBACK]),
    ("padding of 200", [ENCRYPTED_CALLBACK, UNDECIPHERABLE_CALLBACK, UNDECIPHERABLE_CALLBACK]),
    (
        "a length beyond the end",
        [ENCRYPTED_CALLBACK, UNDECIPHERABLE_CALLBACK, UNDECIPHERABLE_CALLBACK],
    ),
    (
        "a length that cuts the message",
        [ENCRYPTED_CALLBACK, UNDECIPHERABLE_CALLBACK, UNDECIPHERABLE_CALLBACK],
    ),
    (
        "Encrypt that is no base64",
        [ENCRYPTED_CALLBACK, UNDECIPHERABLE_CALLBACK, UNDECIPHERABLE_CALLBACK],
    ),
    (
        "Encrypt that is empty",
        [ENCRYPTED_CALLBACK, UNDECIPHERABLE_CALLBACK, UNDECIPHERABLE_CALLBACK],
    ),
    ("Encrypt twice, the first another", [ENCRYPTED_CALLBACK, WRONG_SIGNATURE, WRONG_SIGNATURE]),
    ("rightly signed, an empty body", [MALFORMED_XML; 3]),
    ("rightly signed and sealed: not XML", [MALFORMED_XML; 3]),
    ("rightly signed and sealed: empty", [MALFORMED_XML; 3]),
    ("rightly signed and sealed: no MsgType", [MALFORMED_XML; 3]),
    ("rightly signed and sealed: a DTD", [MALFORMED_XML; 3]),
    ("rightly signed and sealed: cut in half", [MALFORMED_XML; 3]),
    ("4 MB", [BODY_TOO_LARGE; 3]),
    ("a true push, the second time", [ACCEPTED; 3]),
];

#[tokio::test]
async fn forged_callbacks_are_refused_in_every_mode_and_change_nothing() {
    let deployment = ModesDeployment::start().await;
    let documented = include_str!("../../../../docs/reference/callbacks.md").replace('`', "");
    for (description, expected) in EXPECTED_RESPONSES {
        let row = format!("| {description} | {} |", expected.join(" | "));
        assert!(documented.contains(&row), "docs/reference/callbacks.md lacks this row:\n{row}");
    }
    let hostile = documented.split("What hostile input meets").nth(1).unwrap();
    let rows = hostile.lines().filter(|line| line.starts_with("| ")).count() - 2;
    assert_eq!(
        rows,
        EXPECTED_RESPONSES.len(),
        "docs/reference/callbacks.md has rows that no test runs"
    );
    for (i, (name, ..)) in TEST_ACCOUNTS.iter().enumerate().take(3) {
        let account = console_account(i);
        // If one of them were accepted, oMallory would have a number.
        let scan = scan_body(&account, "oMallory", &format!("q_{name}-one_a"));
        let run = deployment.wechat.run_hostile(Some(&account.appid), Some(scan)).await.unwrap();
        for (case, (description, expected)) in run.cases.iter().zip(EXPECTED_RESPONSES) {
            let problem: Value = serde_json::from_str(&case.answer).unwrap_or_default();
            let refused = problem["code"].as_str();
            let code = case.ignored.as_deref().or(refused).unwrap_or(&case.answer);
            let actual = format!("{} {code}", case.status.unwrap_or_default());
            assert_eq!(
                (case.description, &*actual),
                (*description, expected[i]),
                "{name}: {case:?}"
            );
            assert!(case.agrees, "{name}: {case:?}");
            let shown = &case.answer;
            assert!(!shown.contains("oMallory") && !shown.contains("tokenOf"), "{shown}");
        }
        assert_eq!((run.cases.len(), run.disagreements), (EXPECTED_RESPONSES.len(), 0), "{name}");
        for site in ["one", "two"] {
            assert_eq!(deployment.waiting_counts(&format!("{name}-{site}")).await, 0);
        }
        // The program still works.
        assert!(deployment.scan(i, "oAnn", "one", 1).await[0].contains("A001"));
    }
}

#[tokio::test]
async fn plain_fields_beside_an_encrypted_part_are_ignored() {
    let deployment = ModesDeployment::start().await;
    for i in [1, 2] {
        let name = TEST_ACCOUNTS[i].0;
        let account = console_account(i);
        let scene = format!("q_{name}-one_a");
        let encrypted = scan_body(&account, "oTruth", &scene);
        let plain = scan_body(&account, "oLie", &format!("q_{name}-two_a"));
        let sealed = seal(
            &account.aes_key,
            &account.appid,
            [7; 16],
            encrypted.as_bytes(),
            &SealOverrides::default(),
        );
        let body = plain.replace("</xml>", &format!("<Encrypt>{sealed}</Encrypt></xml>"));
        let stamp = SignedQuery::now(&account);
        let query = stamp.with_encrypt_type(&sealed);
        let (status, response) = stamp.post(&deployment, name, &query, body).await;
        assert_eq!(status, StatusCode::OK);
        assert_eq!(
            (
                deployment.waiting_counts(&format!("{name}-one")).await,
                deployment.waiting_counts(&format!("{name}-two")).await
            ),
            (1.into(), 0.into())
        );
        if i == 1 {
            let reply = response.as_str().unwrap();
            assert!(reply.contains("oTruth") && !reply.contains("oLie"), "{reply}");
        }
    }
}

#[tokio::test]
async fn a_body_that_does_not_arrive_times_out() {
    let deployment = ModesDeployment::start().await;
    let host = deployment.url.strip_prefix("http://").unwrap();
    let mut connection = TcpStream::connect(host).await.unwrap();
    let query = SignedQuery::now(&console_account(2)).query();
    let head = format!(
        "POST /wechat/secure?{query} HTTP/1.1\r\nHost: {host}\r\nContent-Length: 500\r\n\r\n<xml>"
    );
    connection.write_all(head.as_bytes()).await.unwrap();
    let mut buffer = vec![0; 1024];
    let read = tokio::time::timeout(Duration::from_secs(30), connection.read(&mut buffer)).await;
    let length = read.expect("a response in time").unwrap();
    let response = String::from_utf8_lossy(&buffer[..length]);
    assert!(
        response.starts_with("HTTP/1.1 200 ") && response.contains("paihao-ignored: slow_body"),
        "{response}"
    );
}
