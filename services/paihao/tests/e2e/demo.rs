//! Tests of `paihao demo`: a customer's visit through its HTTP interfaces.

use crate::support::http::{SseReader, client, send_json, staff_request};
use harness::{Program, free_port, wait_until};
use reqwest::{Client, StatusCode};
use serde_json::{Value, json};
use std::time::Duration;

/// Running demo, driven by the addresses that it prints.
pub struct Demo {
    program: Program,
    http: Client,
}

impl Demo {
    pub fn start() -> Demo {
        let port = free_port().to_string();
        let arguments = ["demo", "--port", &port, "--data", "{dir}/data"];
        let program = Program::start(env!("CARGO_BIN_EXE_paihao"), &arguments, &[]);
        Demo { program, http: client() }
    }

    pub async fn wait_for_greeting(&self, times: usize) {
        let greeted = async || self.program.output().matches("Ctrl-C to stop").count() >= times;
        wait_until("the demo prints its greeting", Duration::from_secs(30), greeted).await;
    }

    /// Last printed address on a line with this word.
    fn printed_address(&self, word: &str) -> String {
        let output = self.program.output();
        let line = output.lines().rfind(|line| line.contains(word) && line.contains("http://"));
        let line = line.unwrap_or_else(|| panic!("no address of {word} in:\n{output}"));
        line[line.find("http://").unwrap()..].trim().to_owned()
    }

    fn pages(&self) -> String {
        self.printed_address("/kiosk/").split("/kiosk/").next().unwrap().to_owned()
    }

    fn phones(&self) -> String {
        self.printed_address("The phones").trim_end_matches('/').to_owned()
    }

    fn key(&self) -> String {
        self.printed_address("#key=").split("#key=").nth(1).unwrap().to_owned()
    }

    async fn get(&self, url: &str) -> Value {
        send_json(self.http.get(url)).await.1
    }

    pub async fn open_session(&self, queue: &str) -> Value {
        let url = format!("{}/api/v1/scan-sessions", self.pages());
        let body = json!({"purpose": "ticket", "site": "hall", "queue": queue}).to_string();
        let (status, session) = send_json(self.http.post(url).body(body)).await;
        assert_eq!(status, StatusCode::CREATED, "{session}");
        session
    }

    /// Scans the code of a session. Returns the reply on the phone.
    pub async fn scan(&self, openid: &str, session: &Value) -> String {
        let link = session["scan_link"].as_str().unwrap();
        let code = link.split("?scan=").nth(1).unwrap();
        let url = format!("{}/sim/api/scan", self.phones());
        let scan = self.http.post(url).json(&json!({"openid": openid, "url": code}));
        let (_, outcome) = send_json(scan).await;
        outcome["reply"].as_str().unwrap_or_else(|| panic!("no reply: {outcome}")).to_owned()
    }

    async fn post_counter_act(&self, counter: &str, act: &str, key: &str) -> (StatusCode, Value) {
        let url = format!("{}/api/v1/sites/hall/counters/{counter}/{act}", self.pages());
        send_json(staff_request(&self.http, &self.key(), &url, key)).await
    }

    /// Posts to an address of the hall with the printed key. The path begins behind the site.
    pub async fn post(&self, path: &str, body: &str, key: &str) -> (StatusCode, Value) {
        let url = format!("{}/api/v1/sites/hall/{path}", self.pages());
        send_json(staff_request(&self.http, &self.key(), &url, key).body(body.to_owned())).await
    }

    /// Gets from an address of the API with the printed key. The path begins behind `/api/v1/`.
    pub async fn get_as_manager(&self, path: &str) -> Value {
        let url = format!("{}/api/v1/{path}", self.pages());
        let (status, answer) = send_json(self.http.get(&url).bearer_auth(self.key())).await;
        assert_eq!(status, StatusCode::OK, "{path}: {answer}");
        answer
    }

    /// Messages of every number of the hall, each with its number.
    pub async fn all_notices(&self) -> Vec<(String, Value)> {
        let tickets = self.get_as_manager("sites/hall/tickets?limit=500").await;
        let mut notices = Vec::new();
        for ticket in tickets["tickets"].as_array().unwrap() {
            let number = ticket["number"].as_str().unwrap();
            let path = format!("sites/hall/tickets/{number}/notices");
            let of_ticket = self.get_as_manager(&path).await["notices"].as_array().unwrap().clone();
            notices.extend(of_ticket.into_iter().map(|notice| (number.to_owned(), notice)));
        }
        notices
    }

    /// Everything that the process has printed.
    pub fn output(&self) -> String {
        self.program.output()
    }

    /// Ends the process.
    pub fn stop(&mut self) {
        self.program.stop();
    }

    async fn messages(&self, openid: &str) -> Vec<Value> {
        let url = format!("{}/sim/api/messages?openid={openid}", self.phones());
        self.get(&url).await.as_array().unwrap().clone()
    }
}

#[tokio::test]
async fn a_scan_becomes_a_number_and_a_call_becomes_a_message() {
    let demo = Demo::start();
    demo.wait_for_greeting(1).await;

    let session = demo.open_session("general").await;
    let events = format!("{}{}", demo.pages(), session["events"].as_str().unwrap());
    let mut events = SseReader::new(demo.http.get(events).send().await.unwrap());
    assert_eq!(events.next().await.0, "pending");

    let board = format!("{}/api/v1/sites/hall/events", demo.pages());
    let mut board = SseReader::new(demo.http.get(board).send().await.unwrap());
    assert_eq!(board.next().await.1["queues"][0]["waiting_count"], 0);

    let reply = demo.scan("oAnn", &session).await;
    assert!(reply.contains("取号成功 A001") && reply.contains("Your number is A001"), "{reply}");
    assert_eq!(events.next().await.0, "scanned");
    let (name, ticket) = events.next().await;
    assert_eq!(
        (name.as_str(), &ticket["number"], &ticket["ahead"]),
        ("ticket", &json!("A001"), &json!(0))
    );
    let (_, state) = board.next().await;
    assert_eq!(state["queues"][0]["waiting"], json!([{"number": "A001"}]));

    // The same person keeps the number; another person gets the next one.
    let reply = demo.scan("oAnn", &demo.open_session("social").await).await;
    assert!(reply.contains("您已取号 A001"), "{reply}");
    let reply = demo.scan("oBen", &demo.open_session("general").await).await;
    assert!(reply.contains("A002") && reply.contains("前面 1 位"), "{reply}");

    let (status, called) = demo.post_counter_act("1", "call-next", "first").await;
    assert_eq!((status, &called["number"]), (StatusCode::OK, &json!("A001")), "{called}");
    let notified = async || demo.messages("oAnn").await.len() == 1;
    wait_until("the called person is notified", Duration::from_secs(20), notified).await;
    let message = &demo.messages("oAnn").await[0];
    let fields: Vec<_> = message["data"].as_object().unwrap().values().collect();
    assert!(fields.contains(&&json!("A001")) && fields.contains(&&json!("1号窗口")), "{message}");
    assert!(demo.messages("oBen").await.is_empty());

    // A request with the same idempotency key is answered alike and executed once.
    let (_, repeated) = demo.post_counter_act("1", "call-next", "first").await;
    assert_eq!(repeated, called);
    let state = demo.get(&format!("{}/api/v1/sites/hall", demo.pages())).await;
    assert_eq!(state["calls"].as_array().unwrap().len(), 1);
    assert!(!state.to_string().contains("oAnn"), "an identity is on the board");

    let (_, finished) = demo.post_counter_act("1", "finish", "done").await;
    assert_eq!(finished["outcome"], "finished");
    let (_, next) = demo.post_counter_act("1", "call-next", "second").await;
    assert_eq!(next["number"], "A002");
}

#[tokio::test]
async fn a_session_code_is_an_image_in_every_format() {
    let demo = Demo::start();
    demo.wait_for_greeting(1).await;
    let uuid = "0b2f6c9e-7d1a-4e0e-9a5f-0a1b2c3d4e5f";
    let formats: [(&str, &str, &[u8]); 3] = [
        ("", "image/svg+xml", b"<?xml"),
        (".png", "image/png", b"\x89PNG"),
        (".jpg", "image/jpeg", b"\xff\xd8\xff"),
    ];
    for (end, content_type, magic) in formats {
        let url = format!("{}/qr/{uuid}{end}?site=hall&queue=general", demo.pages());
        let response = demo.http.get(url).send().await.unwrap();
        assert_eq!(response.status(), StatusCode::OK);
        assert_eq!(response.headers()["content-type"], content_type);
        assert!(response.bytes().await.unwrap().starts_with(magic), "{content_type}");
    }
    // All formats show the one code of the session; the others are of the queues' doors.
    let codes = demo.get(&format!("{}/sim/api/codes", demo.phones())).await;
    let codes = codes["codes"].as_array().unwrap();
    let of_sessions = codes.iter().filter(|code| !code["expires_at"].is_null());
    assert_eq!((of_sessions.count(), codes.len()), (1, 3));
}

#[tokio::test]
async fn a_second_start_keeps_the_data_unless_fresh_and_ctrl_c_ends_cleanly() {
    let mut demo = Demo::start();
    demo.wait_for_greeting(1).await;
    demo.scan("oAnn", &demo.open_session("general").await).await;
    assert_eq!(demo.program.stop(), Some(0), "{}", demo.program.output());

    demo.program.restart();
    demo.wait_for_greeting(2).await;
    let state = demo.get(&format!("{}/api/v1/sites/hall", demo.pages())).await;
    assert_eq!(state["queues"][0]["waiting"], json!([{"number": "A001"}]));
    let reply = demo.scan("oBen", &demo.open_session("general").await).await;
    assert!(reply.contains("A002"), "{reply}");
    assert_eq!(demo.program.stop(), Some(0));

    let data = demo.program.folder().join("data");
    let port = free_port().to_string();
    let arguments = ["demo", "--fresh", "--port", &port, "--data", data.to_str().unwrap()];
    let fresh = Program::start(env!("CARGO_BIN_EXE_paihao"), &arguments, &[]);
    let fresh = Demo { program: fresh, http: client() };
    fresh.wait_for_greeting(1).await;
    let state = fresh.get(&format!("{}/api/v1/sites/hall", fresh.pages())).await;
    assert_eq!(state["queues"][0]["waiting_count"], 0);
}

#[tokio::test]
async fn nothing_secret_is_printed() {
    let mut demo = Demo::start();
    demo.wait_for_greeting(1).await;
    demo.scan("oSecretPerson", &demo.open_session("general").await).await;
    demo.post_counter_act("1", "call-next", "first").await;
    let notified = async || demo.messages("oSecretPerson").await.len() == 1;
    wait_until("the called person is notified", Duration::from_secs(20), notified).await;
    demo.program.stop();
    let output = demo.program.output();
    assert!(!output.contains("oSecretPerson") && !output.contains("0123456789abcdef"), "{output}");
}
