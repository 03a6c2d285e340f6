//! Tests of the control API and the phones' page, as another process uses them.

use serde_json::{Value, json};

use crate::fake::{FakeBehaviour, FakeGateway, TestClient};

const OPENID: &str = "oPaihaoTest0000000000000001";

#[tokio::test]
async fn a_day_over_http() {
    let caller = TestClient::plain().await;
    let one = FakeGateway::new(&[FakeBehaviour::Reply("A001")]).await;
    let two = FakeGateway::new(&[FakeBehaviour::Reply("A001")]).await;
    caller.post("/sim/api/callbacks", json!({"urls": [one.url]})).await;
    let url = caller.code("q", 600).await;
    let codes = caller.get("/sim/api/codes?limit=1").await;
    assert_eq!(
        (codes["codes"][0]["url"].as_str(), &codes["codes"][0]["expired"]),
        (Some(&*url), &json!(false))
    );
    assert!(codes["codes"][0].get("scene").is_none(), "whoever sees a code cannot see its scene");

    let scan = json!({"openid": OPENID, "url": url, "deliveries": 2, "to": [one.url, two.url]});
    let outcome = caller.post("/sim/api/scan", scan).await;
    assert_eq!((&outcome["seen"], &outcome["reply"]), (&json!("followed"), &json!("A001")));
    assert_eq!(outcome["pushes"][1]["answer"], json!({"kind": "text", "content": "A001"}));
    assert_eq!(outcome["pushes"][1]["deliveries"][0]["status"], 200);

    caller.send(OPENID, json!({})).await;
    let messages = caller.get(&format!("/sim/api/messages?openid={OPENID}")).await;
    assert!(messages[0]["msgid"].as_str().unwrap().parse::<u64>().unwrap() > 1 << 53);
    let chat = caller.get(&format!("/sim/api/chat?openid={OPENID}")).await;
    let kinds: Vec<_> =
        chat.as_array().unwrap().iter().map(|line| line["kind"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["note", "reply", "card"]);

    let person = json!({"openid": OPENID, "refuses": "at_once"});
    assert_eq!(caller.post("/sim/api/people", person).await["refuses"], "at_once");
    assert_eq!(caller.send(OPENID, json!({})).await["errcode"], 43101);
    caller
        .post(
            "/sim/api/faults",
            json!({"path": "*", "effect": "errcode", "errcode": -1, "times": 1}),
        )
        .await;
    assert_eq!(caller.send(OPENID, json!({})).await["errcode"], -1);
    caller.post("/sim/api/behaviour", json!({"repeats": 0, "receipt": {"pushed": false}})).await;
    caller.post("/sim/api/tokens/kill", json!({"still_handed_out": true})).await;
    assert_eq!(caller.send(OPENID, json!({})).await["errcode"], 40001);
    caller.post("/sim/api/clock/advance", json!({"seconds": 700})).await;
    let outcome = caller.post("/sim/api/scan", json!({"openid": OPENID, "url": url})).await;
    assert_eq!(outcome, json!({"seen": "expired", "pushes": [], "reply": null}));
    let stats = caller.get("/sim/api/stats").await;
    assert_eq!((&stats["messages_accepted"], &stats["faults"]), (&json!(1), &json!(1)));
}

#[tokio::test]
async fn the_page_brings_everything_it_needs() {
    let caller = TestClient::plain().await;
    let base = caller.simulator.base_url();
    let page = caller.http.get(&base).send().await.unwrap();
    assert!(
        page.headers()["content-security-policy"].to_str().unwrap().contains("default-src 'none'")
    );
    let html = page.text().await.unwrap();
    let mut open = vec!["/sim/phones.css".to_owned(), "/sim/phones.js".to_owned()];
    assert!(open.iter().all(|file| html.contains(file.as_str())));
    let mut loaded = Vec::new();
    while let Some(file) = open.pop() {
        let answer = caller.http.get(format!("{base}{file}")).send().await.unwrap();
        assert_eq!(answer.status(), 200, "{file}");
        let text = answer.text().await.unwrap();
        let imported = text.split("from './").skip(1).filter_map(|tail| tail.split('\'').next());
        let imported: Vec<_> = imported.map(|name| format!("/sim/{name}")).collect();
        loaded.push(file);
        open.extend(imported.into_iter().filter(|file| !loaded.contains(file)));
    }
    assert!(loaded.iter().any(|file| file == "/sim/words.js"), "{loaded:?}");
    assert!(!html.contains("https://") && !html.contains("<script>") && !html.contains("style="));
    let url = caller.code("q", 60).await;
    let ticket = caller.simulator.code(&url).unwrap().ticket;
    let drawing = caller.http.get(format!("{base}/sim/api/code.svg")).query(&[("ticket", ticket)]);
    assert!(drawing.send().await.unwrap().text().await.unwrap().contains("<svg"));
}

#[tokio::test]
async fn a_page_hears_of_lines_as_they_come() {
    let caller = TestClient::plain().await;
    let url = format!("{}/sim/events", caller.simulator.base_url());
    let mut events = caller.http.get(url).send().await.unwrap();
    caller.simulator.follow(None, OPENID).await;
    let chunk = events.chunk().await.unwrap().unwrap();
    let text = String::from_utf8_lossy(&chunk);
    let data = text.lines().find_map(|line| line.strip_prefix("data: ")).unwrap();
    let event: Value = serde_json::from_str(data).unwrap();
    assert!(text.starts_with("event: line\n"), "{text}");
    assert_eq!((event["openid"].as_str(), &event["line"]["kind"]), (Some(OPENID), &json!("note")));
    caller.simulator.stop().await;
}

#[test]
fn every_route_and_every_switch_is_documented() {
    let documented = include_str!("../../../../docs/guide/simulator.md");
    let routes = include_str!("../../src/control.rs").split(".route(\"").skip(1);
    let routes: Vec<&str> = routes.filter_map(|tail| tail.split('"').next()).collect();
    assert!(routes.len() > 20, "{routes:?}");
    for route in routes {
        assert!(documented.contains(&format!("{route}`")), "docs/guide/simulator.md lacks {route}");
    }
    let switches = include_str!("../../src/behaviour.rs");
    let switches = switches.lines().filter_map(|line| line.trim().split_once(": Option<"));
    for (switch, _) in switches.filter(|(switch, _)| !switch.contains(' ')) {
        let named = documented.contains(&format!("`{switch}`"))
            || documented.contains(&format!("`{switch}`:"))
            || documented.contains(&format!("\"{switch}\""));
        assert!(named, "docs/guide/simulator.md lacks the switch {switch}");
    }
}
