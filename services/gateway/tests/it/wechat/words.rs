//! Tests of words: each action in each state of the person who writes.

use crate::support::cluster::Cluster;
use crate::support::gateway::Gateway;
use crate::support::wechat::event_elements;
use paihao_contracts::settings::{AccountSetup, CodeKind, KeywordAction};
use paihao_domain::QueueId;
use serde_json::json;
use std::sync::Arc;

/// State of a person.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Nothing,
    Waiting,
    Called,
    Serving,
    Held,
    Missed,
}

const STATES: [State; 6] =
    [State::Nothing, State::Waiting, State::Called, State::Serving, State::Held, State::Missed];

/// Decorated words of an action, with what the reply says in each state.
const WORDS: [(&str, [&str; 6]); 5] = [
    (
        "进度？",
        [
            "hold no number",
            "Nobody is ahead",
            "please go to 1号",
            "is being served at 1号",
            "while you are away",
            "missed",
        ],
    ),
    (
        "Ｃａｎｃｅｌ！",
        ["hold no number", "given up", "given up", "being served|given up", "given up", "given up"],
    ),
    (
        " 暂 离。",
        [
            "hold no number",
            "keeps its place",
            "please go to 1号",
            "is being served at 1号",
            "while you are away",
            "was missed",
        ],
    ),
    (
        "回来了!",
        [
            "hold no number",
            "Nobody is ahead",
            "please go to 1号",
            "is being served at 1号",
            "Nobody is ahead",
            "Nobody is ahead",
        ],
    ),
    (
        "取号～",
        [
            "取号成功",
            "您已取号 A001",
            "please go to 1号",
            "is being served at 1号",
            "while you are away",
            "Nobody is ahead",
        ],
    ),
];

/// Gateway with a person in a state, whose first message has this id.
async fn gateway_with(cluster: &Cluster, person: &str, state: State) -> Gateway {
    let account = AccountSetup { codes: CodeKind::Page, ..AccountSetup::default() };
    let gateway = cluster.start(cluster.setup_with_account(account)).await;
    let counter = async |act: &str| {
        let request = gateway.http.post(gateway.api(&format!("/sites/hall/counters/1/{act}")));
        let request = request.bearer_auth(crate::support::gateway::MANAGER_KEY).json(&json!({}));
        let response = request.send().await.unwrap();
        assert!(response.status().is_success(), "{act}: {}", response.text().await.unwrap());
    };
    if state != State::Nothing {
        let reply = gateway.push(person, &event_elements("SCAN", "q_hall_a", "t")).await.1;
        assert!(reply.contains("A001"), "{reply}");
    }
    match state {
        State::Nothing | State::Waiting => {}
        State::Held => {
            let reply = gateway.push_text(person, "暂离", 90).await;
            assert!(reply.contains("keeps its place"), "{reply}");
        }
        State::Called => {
            counter("open").await;
            counter("call-next").await;
        }
        State::Serving => {
            counter("open").await;
            counter("call-next").await;
            counter("start").await;
        }
        State::Missed => {
            counter("open").await;
            counter("call-next").await;
            counter("missed").await;
        }
    }
    gateway
}

#[tokio::test(flavor = "multi_thread")]
async fn each_word_is_answered_in_each_state() {
    for (word, replies) in WORDS {
        for (state, expected) in STATES.into_iter().zip(replies) {
            let cluster = Cluster::new();
            let gateway = gateway_with(&cluster, "oAnn", state).await;
            let reply = gateway.push_text("oAnn", word, 1).await;
            let is_expected = expected.split('|').any(|expected| reply.contains(expected));
            assert!(is_expected, "{word} while {state:?}: {reply}");
            // A repeat of the push gets the same reply, whatever the state is now.
            assert_eq!(gateway.push_text("oAnn", word, 1).await, reply, "{word} while {state:?}");
            cluster.tasks.stop_and_wait().await;
        }
    }
}

#[tokio::test]
async fn whoever_has_taken_enough_today_is_told_so_by_scan_and_by_word() {
    let cluster = Cluster::new();
    let account = AccountSetup { codes: CodeKind::Page, ..AccountSetup::default() };
    let mut setup = cluster.setup_with_account(account);
    let site = Arc::get_mut(setup.deployment.sites.get_mut("hall").unwrap()).unwrap();
    site.rules.queues.get_mut(&QueueId::new("a")).unwrap().daily_per_person = Some(1);
    let gateway = cluster.start(setup).await;
    let scan = event_elements("SCAN", "q_hall_a", "t");
    assert!(gateway.push("oAnn", &scan).await.1.contains("A001"));
    assert!(gateway.push_text("oAnn", "cancel", 1).await.contains("given up"));
    let again = event_elements("SCAN", "q_hall_a", "u");
    let by_scan = gateway.push("oAnn", &again).await.1;
    let by_word = gateway.push_text("oAnn", "取号", 2).await;
    for reply in [by_scan, by_word] {
        assert!(reply.contains("号 1 个") && reply.contains("can lift this"), "{reply}");
    }
    assert!(gateway.push("oBen", &scan).await.1.contains("A002"), "somebody else");
    cluster.tasks.stop_and_wait().await;
}

#[tokio::test]
async fn the_owners_words_answer_with_a_text_or_a_queue() {
    let cluster = Cluster::new();
    let account = AccountSetup {
        keywords: [
            ("停车".to_owned(), KeywordAction::Text("地下一层".into())),
            ("存钱".to_owned(), KeywordAction::Queue("hall/a".into())),
            ("贷款".to_owned(), KeywordAction::Queue("hall/none".into())),
        ]
        .into(),
        ..AccountSetup::default()
    };
    let gateway = cluster.start(cluster.setup_with_account(account)).await;
    assert!(gateway.push_text("oAnn", "停车？", 1).await.contains("地下一层"));
    assert!(gateway.push_text("oAnn", "存 钱", 2).await.contains("取号成功 A001"));
    assert!(gateway.push_text("oAnn", "贷款", 3).await.contains("no queue"));
    for (text, id) in [("存钱吗", 4), ("", 5), ("？", 6), ("取号", 7)] {
        let reply = gateway.push_text("oBen", text, id).await;
        let expected = if text == "取号" { "hold no number" } else { "success" };
        assert!(reply.contains(expected), "{text}: {reply}");
    }
}
