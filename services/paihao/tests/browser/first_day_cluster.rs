//! Test of an owner's first day in the cluster shape: the requests of the browser and the pushes of
//! WeChat go to either of two gateways in turn.

use crate::browser::{Browser, PAGE_TIMEOUT};
use crate::demo::{http_client, kiosk_code_link};
use crate::first_day::{
    APPID, PROGRAM, SECRET, connect_account, first_manager_link, wechat_account,
};
use crate::first_day_secrets::Secrets;
use crate::manage::fill_control;
use harness::{NatsServer, Program, RedisServer, free_port, wait_until};
use paihao_chassis::sealing::Keyring;
use paihao_contracts::envelope::WriteVersion;
use wechat_sim::{Routing, SimConfig, Simulator};

/// Proxy that gives each request to the next gateway, and writes down to which.
fn proxy_configuration(port: u16, gateways: [u16; 2]) -> String {
    let [one, other] = gateways;
    format!(
        "
        pid {{dir}}/nginx.pid;
        error_log stderr;
        worker_processes 1;
        events {{}}
        http {{
            log_format gateway '$upstream_addr';
            access_log {{dir}}/access.log gateway;
            upstream gateways {{
                server 127.0.0.1:{one};
                server 127.0.0.1:{other};
            }}
            server {{
                listen 127.0.0.1:{port};
                location / {{
                    proxy_pass http://gateways;
                    proxy_http_version 1.1;
                    proxy_set_header Host $http_host;
                    proxy_set_header X-Forwarded-For $remote_addr;
                    proxy_buffering off;
                }}
            }}
        }}
        "
    )
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn either_of_two_gateways_serves_every_step_of_the_first_day() {
    let (nats, redis) = (NatsServer::start(), RedisServer::start());
    let [front, one, other, wechat_port] = [(); 4].map(|()| free_port());
    let pages = format!("http://127.0.0.1:{front}");
    let operator_key = Keyring::generate_key();
    let start = |role: &str, port: u16| {
        let admin = free_port();
        let configuration = format!(
            "
            gateway.listen = '127.0.0.1:{port}'
            gateway.public = '{pages}'
            gateway.phones = 'http://127.0.0.1:{wechat_port}/'
            gateway.trusted_proxies = ['127.0.0.1']
            admin.listen = '127.0.0.1:{admin}'
            secrets.key = '{operator_key}'
            wechat.api = 'http://127.0.0.1:{wechat_port}/'
            wechat.mp = 'http://127.0.0.1:{wechat_port}/'
            [ledger]
            kind = 'nats'
            url = '{nats}'
            write_version = {version}
            [cache]
            kind = 'redis'
            url = '{redis}'
            ",
            nats = nats.url(),
            redis = redis.url(),
            version = WriteVersion::NEWEST.number(),
        );
        let arguments = ["--config", "{dir}/paihao.toml", role];
        (Program::start(PROGRAM, &arguments, &[("paihao.toml", &configuration)]), admin)
    };
    let roles =
        [("gateway", one), ("gateway", other), ("token", free_port()), ("notifier", free_port())];
    let processes = roles.map(|(role, port)| start(role, port));
    for (_, admin) in &processes {
        let ready = format!("http://127.0.0.1:{admin}/ready");
        wait_until("every process is ready", PAGE_TIMEOUT, async || {
            http_client().get(&ready).send().await.is_ok_and(|answer| answer.status().is_success())
        })
        .await;
    }
    let arguments = ["-p", "{dir}", "-c", "{dir}/nginx.conf", "-g", "daemon off;"];
    let configuration = proxy_configuration(front, [one, other]);
    let proxy = Program::start(harness::nginx(), &arguments, &[("nginx.conf", &configuration)]);
    wait_until("the proxy answers", PAGE_TIMEOUT, async || {
        http_client().get(format!("{pages}/login")).send().await.is_ok()
    })
    .await;

    let (gateway, _) = &processes[0];
    let link = first_manager_link(gateway, &["--config", "paihao.toml"], &[]).await;
    let browser = Browser::start().await;
    let page = browser.open(&link).await;
    page.click("#first-here").await;
    page.wait_for_text("#accounts", "还没有公众号").await;
    let made = connect_account(&page, "shop", APPID, SECRET).await;
    assert_eq!(made.url, format!("{pages}/wechat/shop"));
    let listen = format!("127.0.0.1:{wechat_port}").parse().expect("an address");
    let config =
        SimConfig { accounts: vec![wechat_account(&made)], listen, ..SimConfig::default() };
    let wechat = Simulator::start(config).await.expect("the simulator listens");
    // Each gateway takes the account up by itself.
    for _ in 0..2 {
        wait_until("WeChat verifies the address", PAGE_TIMEOUT, async || {
            wechat.verify_server(Some(APPID), &made.url).await.is_ok()
        })
        .await;
    }
    page.wait_for_text("#console-values", "微信已于").await;
    page.wait_for_text("#console-values", "AppID 和 AppSecret 正确").await;

    fill_control(&page, "#new-site input[maxlength=\"40\"]", "老街面馆").await;
    fill_control(&page, "#new-site select", "restaurant").await;
    page.click("#new-site button").await;
    page.wait_for_text("#site", "老街面馆").await;
    page.wait_for_text("#place h2", "页面与二维码").await;

    let kiosk = browser.open(&format!("{pages}/kiosk/restaurant?queue=small")).await;
    let board = browser.open(&format!("{pages}/board/restaurant")).await;
    for (person, number) in [("oFirstGuest", "A001"), ("oSecondGuest", "A002")] {
        let link = kiosk_code_link(&kiosk).await;
        let (_, code) = link.split_once("?scan=").expect("the code is in the link");
        let scanned = wechat.scan(person, code, Routing::default()).await;
        let reply = scanned.reply.unwrap_or_default();
        assert!(reply.contains("取号成功") && reply.contains(number), "{reply:?}");
        kiosk.wait_for_text("#taken #number", number).await;
        kiosk.wait_until_hidden("#taken").await;
    }
    let desk = browser.open(&format!("{pages}/console/restaurant")).await;
    desk.click("#open:enabled").await;
    for (person, number) in [("oFirstGuest", "A001"), ("oSecondGuest", "A002")] {
        desk.click("#next:enabled").await;
        desk.wait_for_text("#desk #number", number).await;
        board.wait_for_text("#hero .number", number).await;
        wait_until("the call is told", PAGE_TIMEOUT, async || {
            wechat.chat(person).iter().any(|line| format!("{line:?}").contains("迎宾台 1"))
        })
        .await;
        desk.click("#finish:enabled").await;
    }

    let log = std::fs::read_to_string(proxy.folder().join("access.log")).expect("the proxy's log");
    for port in [one, other] {
        let share = log.lines().filter(|line| line.ends_with(&format!(":{port}"))).count();
        assert!(share * 3 > log.lines().count(), "{port} had {share} of {}", log.lines().count());
    }
    let secrets = made.secrets();
    secrets.assert_not_told_to(&page).await;
    page.navigate(&format!("{pages}/manage")).await;
    page.wait_for_text("#accounts", "shop").await;
    for window in [&page, &kiosk, &desk, &board] {
        secrets.assert_not_on(window).await;
    }
    assert!(secrets.assert_not_below(nats.data_folder()) > 10_000);
    assert!(secrets.assert_not_below(redis.data_folder()) > 100);
    for (process, _) in &processes {
        assert!(secrets.assert_not_below(process.folder()) > 100, "it has no log");
    }
    let found = Secrets(vec![("account's name", "wx00000000f1257da1".to_owned())]);
    let search = std::panic::AssertUnwindSafe(|| found.assert_not_below(nats.data_folder()));
    assert!(std::panic::catch_unwind(search).is_err(), "the search finds what is there");
    browser.quit(&["status of 401", "status of 404", "status of 409", "status of 503"]).await;
    wechat.stop().await;
}
