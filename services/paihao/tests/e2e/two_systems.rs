//! Story of two systems behind one address: paihao, and a CRM that is written with wechatpy.

use crate::support::gateway::{
    HALL, process_configuration, scan_body, start_program, wait_until_ready,
};
use crate::support::http::client;
use harness::{free_port, wait_until};
use std::process::Child;
use std::time::Duration;
use wechat_sim::{
    ActionOutcome, PushMode, PushOverrides, PushRecord, ReplyOutcome, Routing, SimAccount,
    SimConfig, Simulator,
};

/// The other system; ends with the test.
struct OtherSystem(Child);

impl OtherSystem {
    async fn start(port: u16, account: &SimAccount) -> OtherSystem {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/e2e/support/other_system.py");
        let arguments =
            [&port.to_string(), &account.callback_token, &account.aes_key, &account.appid];
        let child = harness::python().arg(script).args(arguments).spawn().unwrap();
        let system = OtherSystem(child);
        let http = client();
        wait_until("the other system answers", Duration::from_secs(60), async || {
            http.get(format!("http://127.0.0.1:{port}/")).send().await.is_ok()
        })
        .await;
        system
    }
}

impl Drop for OtherSystem {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn text_of(push: &PushRecord) -> String {
    match &push.answer {
        ReplyOutcome::Text { content } => content.clone(),
        ReplyOutcome::Success => "success".to_owned(),
        other => format!("{other:?}"),
    }
}

fn reply_of(outcome: &ActionOutcome) -> String {
    text_of(&outcome.pushes[0])
}

#[tokio::test]
async fn a_customer_talks_to_both_systems_at_one_address() {
    for (mode, name) in [
        (PushMode::Plain, "plain"),
        (PushMode::Compatible, "compatible"),
        (PushMode::Secure, "secure"),
    ] {
        let account = SimAccount { mode, ..SimAccount::default() };
        let config = SimConfig { accounts: vec![account.clone()], ..SimConfig::default() };
        let wechat = Simulator::start(config).await.unwrap();
        let [port, admin, other_port] = [free_port(), free_port(), free_port()];
        let other = OtherSystem::start(other_port, &account).await;
        let _program = start_program(&format!(
            "
            {process}
            gateway.forward_private = ['127.0.0.1']
            [accounts.shop]
            appid = '{}'
            secret = '{}'
            callback_token = '{}'
            aes_key = '{}'
            mode = '{name}'
            greeting = '排号欢迎您'
            customer_service = {{}}
            menu = {{ MINE = 'my_ticket' }}
            [[accounts.shop.forward]]
            name = 'crm'
            url = 'http://127.0.0.1:{other_port}/wechat'
            pushes = ['everything']
            {HALL}
            ",
            account.appid,
            account.secret,
            account.callback_token,
            account.aes_key,
            process = process_configuration(port, admin, &wechat.base_url()),
        ));
        wait_until_ready(&client(), &format!("http://127.0.0.1:{admin}")).await;
        wechat.set_callback_urls(None, [format!("http://127.0.0.1:{port}/wechat/shop")]);
        let scan = async |scene: &str| {
            let body = scan_body(&account, "oAnn", scene);
            let (routing, forged) = (Routing::default(), PushOverrides::default());
            let pushes = wechat.push_raw(None, "oAnn", &body, routing, forged).await;
            text_of(&pushes[0])
        };
        let send = async |text: &str| {
            let sent = wechat.send_text(None, "oAnn", text, Routing::default()).await;
            reply_of(&sent.expect("a follower"))
        };
        let click = async |key: &str| {
            let clicked = wechat.click(None, "oAnn", key, Routing::default()).await;
            reply_of(&clicked.expect("a follower"))
        };

        // The CRM has nothing to say to a new follower, so paihao greets.
        assert_eq!(reply_of(&wechat.follow(None, "oAnn").await), "排号欢迎您", "{name}");
        assert_eq!(scan("123").await, "CRM: 123", "{name}");
        assert!(scan("q_hall_a").await.contains("取号成功 A001"), "{name}");
        assert_eq!(send("优惠").await, "CRM: 满一百减二十", "{name}");
        assert!(send("还要多久？").await.contains("您已取号 A001"), "{name}");
        assert_eq!(click("THEIRS").await, "CRM: THEIRS", "{name}");
        assert!(click("MINE").await.contains("您已取号 A001"), "{name}");
        assert_eq!(send("别的").await, "success", "what the CRM is silent about stays so: {name}");

        // Without the CRM paihao goes on, and people get people.
        drop(other);
        let transferred = send("优惠").await;
        assert!(transferred.contains("transfer_customer_service"), "{name}: {transferred}");
        assert_eq!(scan("123").await, "success", "{name}");
        assert!(send("取消").await.contains("已取消 A001"), "{name}");
        assert_eq!(wechat.stats().pushes_failed, 0, "no customer saw an error: {name}");
    }
}
