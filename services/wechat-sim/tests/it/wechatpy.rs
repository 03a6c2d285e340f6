//! Tests with wechatpy, a library of others: as a client of the API, and as a server that receives
//! the pushes.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Stdio};
use std::time::Duration;

use serde_json::json;
use wechat_sim::{
    ActionOutcome, ChatContent, PushMode, Refusal, ReplyOutcome, Routing, SimAccount, SimConfig,
    Simulator,
};

use crate::fake::TestClient;

const SCRIPTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/wechatpy");

fn former_account() -> SimAccount {
    SimAccount {
        appid: "wx00000000000000f0".into(),
        original_id: "gh_former".into(),
        ..SimAccount::default()
    }
}

fn credentials(account: &SimAccount) -> String {
    json!({
        "appid": account.appid, "secret": account.secret, "original_id": account.original_id,
    })
    .to_string()
}

#[tokio::test]
async fn every_call_that_is_served_is_made_by_wechatpy() {
    let account = SimAccount { open_platform: Some("platform".into()), ..SimAccount::default() };
    let accounts = vec![account.clone(), former_account()];
    let wechat = Simulator::start(SimConfig { accounts, ..SimConfig::default() }).await.unwrap();
    let mut script = harness::python();
    script.arg(format!("{SCRIPTS}/client.py")).args([
        wechat.base_url(),
        credentials(&account),
        credentials(&former_account()),
    ]);
    let output = tokio::task::spawn_blocking(move || script.output().unwrap()).await.unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// Server of wechatpy, which ends with the test.
struct WechatpyServer {
    process: Child,
    output: BufReader<std::process::ChildStdout>,
    url: String,
}

impl WechatpyServer {
    fn start(account: &SimAccount) -> Self {
        let settings = json!({
            "appid": account.appid,
            "token": account.callback_token,
            "aes_key": account.aes_key,
            "sealed": account.mode != PushMode::Plain,
        });
        let mut process = harness::python()
            .args([format!("{SCRIPTS}/server.py"), settings.to_string()])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut output = BufReader::new(process.stdout.take().unwrap());
        let mut port = String::new();
        output.read_line(&mut port).unwrap();
        Self { process, output, url: format!("http://127.0.0.1:{}/", port.trim()) }
    }

    fn read_line(&mut self) -> String {
        let mut line = String::new();
        self.output.read_line(&mut line).unwrap();
        line.trim().to_owned()
    }
}

impl Drop for WechatpyServer {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Text that wechatpy's reply puts on the phone: what it read.
fn read_by_wechatpy(outcome: &ActionOutcome) -> &str {
    outcome.reply.as_deref().unwrap_or_else(|| panic!("{outcome:#?}"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn wechatpy_reads_every_push_and_answers_it_in_every_mode() {
    for mode in [PushMode::Plain, PushMode::Compatible, PushMode::Secure] {
        let account = SimAccount { mode, ..SimAccount::default() };
        let mut server = WechatpyServer::start(&account);
        let config = SimConfig { accounts: vec![account], ..SimConfig::default() };
        let caller = TestClient::new(config).await;
        let wechat = &caller.simulator;
        assert_eq!(wechat.verify_server(None, &server.url).await, Ok(()), "{mode:?}");
        wechat.set_callback_urls(None, [&server.url]);
        let code = caller.code("table-7", 60).await;
        let ticket = wechat.code(&code).unwrap().ticket;
        let gh = "gh_5a1e0c7d9b42";

        let scan = || wechat.scan("oA", &code, Routing::default());
        let follow = format!("SubscribeScanEvent oA {gh} table-7 {ticket}");
        assert_eq!(read_by_wechatpy(&scan().await), follow);
        let again = format!("ScanEvent oA {gh} table-7 {ticket}");
        assert_eq!(read_by_wechatpy(&scan().await), again);
        let outcome = wechat.follow(None, "oB").await;
        assert_eq!(read_by_wechatpy(&outcome), format!("SubscribeEvent oB {gh}"));

        let says = |text: &'static str| wechat.send_text(None, "oA", text, Routing::default());
        for text in ["排队", "a & b <c> \"d\" ☺ 😀"] {
            let outcome = says(text).await.unwrap();
            assert_eq!(read_by_wechatpy(&outcome), format!("TextMessage oA {gh} {text}"));
        }
        let outcome = says("人工").await.unwrap();
        let handover = ReplyOutcome::Other { msg_type: "transfer_customer_service".into() };
        assert_eq!(outcome.pushes[0].answer, handover);
        let line = wechat.chat("oA").pop().unwrap();
        assert_eq!(line.content, ChatContent::Note { text: "已转接人工客服".into() });
        let outcome = wechat.click(None, "oA", "MY", Routing::default()).await.unwrap();
        assert_eq!(read_by_wechatpy(&outcome), format!("ClickEvent oA {gh} MY"));

        // The way in which WeChat passes on `]]>` is no XML for wechatpy's parser; split, it is.
        wechat.change_behaviour(|behaviour| behaviour.repeats = 0);
        let outcome = says("a]]>b").await.unwrap();
        assert_eq!(outcome.pushes[0].answer.text(), None);
        wechat.change_behaviour(|behaviour| behaviour.splits_cdata = true);
        let outcome = says("a]]>b").await.unwrap();
        // It is read; wechatpy's reply to it then does not split what it repeats.
        let shown = format!("TextMessage oA {gh} ab]]>");
        assert_eq!(read_by_wechatpy(&outcome), shown);

        wechat.change_behaviour(|behaviour| behaviour.receipt.delay = Duration::ZERO);
        wechat.set_person(None, "oA", true, Refusal::InReceipt);
        assert_eq!(caller.send("oA", json!({})).await["errcode"], 0);
        let expected = format!("TemplateSendJobFinishEvent oA {gh} failed:user block");
        assert_eq!(server.read_line(), expected);

        let outcome = wechat.unfollow(None, "oB").await;
        assert!(matches!(outcome.pushes[0].answer, ReplyOutcome::Text { .. }), "{outcome:?}");
        assert_eq!(wechat.stats().pushes_failed, 1, "the one that is no XML");
    }
}
