//! Tests of outages in a cluster: each kind of work continues, waits or fails as documented.

use crate::support::cluster::{Cluster, STAFF_KEY, site_id};
use crate::support::http::{send_json, staff_request};
use harness::wait_until;
use reqwest::StatusCode;
use serde_json::Value;
use std::time::Duration;
use wechat_sim::{Effect, Fault, Routing, TokenInvalidation};

const WAIT_TIMEOUT: Duration = Duration::from_secs(60);

async fn scan(cluster: &Cluster, person: &str, code: &str) -> String {
    let to = Routing { deliveries: 1, urls: vec![cluster.callback_urls().remove(0)] };
    let outcome = cluster.wechat.scan(person, code, to).await;
    outcome.reply.unwrap_or_else(|| panic!("no reply: {:?}", outcome.pushes))
}

async fn post_counter_act(cluster: &Cluster, act: &str, key: &str) -> (StatusCode, Value) {
    let url = format!("{}/api/v1/sites/{}/counters/1/{act}", cluster.gateways[0].url, site_id(0));
    send_json(staff_request(&cluster.http, STAFF_KEY, &url, key)).await
}

/// Waits until a person has a message, and checks that it is the only one.
async fn wait_until_notified(cluster: &Cluster, person: &str) {
    let notified = async || !cluster.wechat.messages(person).is_empty();
    wait_until("the called person is notified", WAIT_TIMEOUT, notified).await;
    assert_eq!(cluster.wechat.messages(person).len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_outage_ends_without_loss() {
    let cluster = Cluster::start(1).await;
    let code = cluster.site_code(0, &site_id(0)).await;
    assert!(scan(&cluster, "oAnn", &code).await.contains("A001"));
    assert_eq!(post_counter_act(&cluster, "open", "open").await.0, StatusCode::OK);

    // NATS is killed: the reply to a scan says that no number was issued; staff get an error.
    cluster.nats.kill();
    assert!(scan(&cluster, "oBen", &code).await.contains("没有取到号"));
    let (status, refused) = post_counter_act(&cluster, "call-next", "1").await;
    assert_eq!((status.as_u16(), &refused["code"]), (503, &"ledger_unavailable".into()));
    let ready = format!("{}/ready", cluster.gateways[0].admin);
    let (status, said) = send_json(cluster.http.get(&ready)).await;
    assert_eq!(status, StatusCode::OK, "no other gateway could do better: {said}");
    assert_eq!((&said["ready"], &said["degraded"]), (&true.into(), &true.into()), "{said}");
    // NATS restarts: work resumes by itself, and no command was executed halfway.
    cluster.nats.restart();
    cluster.wait_until_ready(&cluster.gateways[0]).await;
    assert!(scan(&cluster, "oBen", &code).await.contains("A002"));
    let (status, called) = post_counter_act(&cluster, "call-next", "2").await;
    assert_eq!((status, &called["number"]), (StatusCode::OK, &"A001".into()), "{called}");
    wait_until_notified(&cluster, "oAnn").await;

    // Redis hangs: permanent codes and counters work, session codes do not, and messages wait.
    cluster.redis.freeze();
    let reply = cluster.scan_permanent_code("oCai", &site_id(0)).await;
    assert!(reply.contains("A003"), "{reply}");
    assert!(scan(&cluster, "oDan", &code).await.contains("没有取到号"));
    let url = format!("{}/api/v1/scan-sessions", cluster.gateways[0].url);
    let body = format!(r#"{{"site":"{}","queue":"a"}}"#, site_id(0));
    let (status, refused) = send_json(cluster.http.post(url).body(body)).await;
    assert_eq!((status.as_u16(), &refused["code"]), (503, &"cache_unavailable".into()));
    assert_eq!(post_counter_act(&cluster, "finish", "3").await.0, StatusCode::OK);
    let (_, called) = post_counter_act(&cluster, "call-next", "4").await;
    assert_eq!(called["number"], "A002");
    cluster.redis.thaw();
    wait_until_notified(&cluster, "oBen").await;

    // WeChat is busy twice, then loses a response after it has accepted the message: one message
    // arrives.
    cluster.wechat.add_fault(Fault::errcode("/cgi-bin/message/template/send", -1).times(2));
    cluster
        .wechat
        .add_fault(Fault::new("/cgi-bin/message/template/send", Effect::Drop).after().times(1));
    assert_eq!(post_counter_act(&cluster, "finish", "5").await.0, StatusCode::OK);
    assert_eq!(post_counter_act(&cluster, "call-next", "6").await.1["number"], "A003");
    wait_until_notified(&cluster, "oCai").await;
    let repeated = async || cluster.wechat.stats().messages_repeated == 1;
    wait_until("the request with the lost response is repeated", WAIT_TIMEOUT, repeated).await;
    wait_until_notified(&cluster, "oCai").await;

    // The token becomes invalid before it expires: it is renewed once, and the message arrives.
    let before = cluster.wechat.stats().tokens_issued;
    cluster.wechat.kill_tokens(None, TokenInvalidation::Replaced);
    assert!(scan(&cluster, "oEve", &code).await.contains("A004"));
    assert_eq!(post_counter_act(&cluster, "finish", "7").await.0, StatusCode::OK);
    assert_eq!(post_counter_act(&cluster, "call-next", "8").await.1["number"], "A004");
    wait_until_notified(&cluster, "oEve").await;
    assert_eq!(cluster.wechat.stats().tokens_issued, before + 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_trace_spans_the_request_and_the_message() {
    const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
    let cluster = Cluster::start(1).await;
    let code = cluster.site_code(0, &site_id(0)).await;
    scan(&cluster, "oAnn", &code).await;
    post_counter_act(&cluster, "open", "open").await;
    let url =
        format!("{}/api/v1/sites/{}/counters/1/call-next", cluster.gateways[0].url, site_id(0));
    let traced = format!("00-{TRACE}-b7ad6b7169203331-01");
    let (status, _) =
        send_json(staff_request(&cluster.http, STAFF_KEY, &url, "1").header("traceparent", traced))
            .await;
    assert_eq!(status, StatusCode::OK);
    wait_until_notified(&cluster, "oAnn").await;
    let log = |process: &crate::support::cluster::ProgramProcess, line: &str| {
        let output = process.program.output();
        output.lines().any(|logged| logged.contains(TRACE) && logged.contains(line))
    };
    assert!(log(&cluster.gateways[0], "command="), "{}", cluster.gateways[0].program.output());
    let ended = async || cluster.notifiers.iter().any(|process| log(process, "a notice has ended"));
    wait_until("a notifier logs the end in the same trace", WAIT_TIMEOUT, ended).await;
}
