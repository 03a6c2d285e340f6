//! Tests of `paihao doctor`: a healthy deployment of either kind, and then one fault after the
//! other, each with its finding and no other.

pub mod run;

use crate::support::gateway::{start_program, wait_until_ready};
use crate::support::http::client;
use harness::{NatsServer, NatsSetup, Program, RedisServer, free_port};
use run::{
    DOCTOR_TIMEOUT, DoctorRun, PROGRAM, accounts, configuration, run_doctor, run_doctor_with, set,
    value_text,
};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::fs::Permissions;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use wechat_sim::{Quotas, SimAccount, SimConfig, SimTemplate, Simulator, TokenInvalidation};

const OTHER_KEY: &str = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

fn page_menu(name: &str) -> Value {
    json!({ "button": [{ "type": "view", "name": name, "url": "https://example.com/" }] })
}

#[tokio::test(flavor = "multi_thread")]
async fn each_fault_of_one_process_has_its_finding() {
    let quotas = Quotas { codes_per_day: 200, ..Quotas::default() };
    let config = SimConfig { accounts: accounts(), quotas, ..SimConfig::default() };
    let wechat = Simulator::start(config).await.unwrap();
    accounts().iter().for_each(|a| wechat.set_menu(Some(&a.appid), &page_menu("官网")));
    let folder = tempfile::tempdir().unwrap();
    let port = free_port();
    let admin = free_port();
    let head = format!(
        "
        [gateway]
        listen = '127.0.0.1:{port}'
        [admin]
        listen = '127.0.0.1:{admin}'
        [ledger]
        file = '{}/ledger.sqlite'
        write_version = 2
        ",
        folder.path().display()
    );
    let valid_config = configuration(&wechat, &head);
    let before = run_doctor(&valid_config).await;
    let callback_silent = set(["shop callback_silent", "clinic callback_silent"]);
    let always = set(["shop callback_inside", "shop mode_plain", "clinic callback_inside"]);
    assert_eq!(before.problems(), &callback_silent | &always, "{:#}", before.report);
    assert_eq!(before.exit, 1);
    assert!(before.passed().contains("ledger file_new"), "{:#}", before.report);
    assert!(!folder.path().join("ledger.sqlite").exists(), "it creates no file");

    let _program = start_program(&valid_config);
    let http = client();
    wait_until_ready(&http, &format!("http://127.0.0.1:{admin}")).await;
    let healthy = run_doctor(&valid_config).await;
    assert_eq!(healthy.problems(), always, "{:#}", healthy.report);
    assert_eq!(healthy.exit, 0, "warnings alone do not fail");
    for file in std::fs::read_dir(folder.path()).unwrap() {
        let file = file.unwrap();
        let mode = file.metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o077, 0, "{:?} is for others, too: {mode:o}", file.path());
    }
    let passed = [
        "credentials_ok",
        "calls_ok",
        "templates_ok",
        "channels_ok",
        "quota_ok",
        "callback_ok",
        "mode_ok",
    ];
    for account in ["shop", "clinic"] {
        for passed in passed {
            assert!(
                healthy.passed().contains(&format!("{account} {passed}")),
                "{account} {passed}"
            );
        }
    }
    for passed in ["wechat clock_ok", "ledger file_ok", "ledger disk_ok"] {
        let low = healthy.report.to_string().contains("disk_low");
        assert!(healthy.passed().contains(passed) || low, "{passed}");
    }
    let text = run_doctor_with(&valid_config, &[]).await;
    let text = value_text(&text.report).to_owned();
    assert!(text.contains("[shop]") && text.contains("微信接受 AppID"), "{text}");
    assert!(text.contains("→ 在微信后台改用安全模式"), "{text}");

    // Faults in the configuration.
    let [shop, clinic] = accounts().try_into().unwrap();
    let public =
        |to: &str| valid_config.replace("[gateway]", &format!("[gateway]\npublic = '{to}'"));
    let wrong_secret = valid_config.replace(&shop.secret, "another-secret-entirely-00000000");
    for (change, finding) in [
        (wrong_secret, set(["shop credentials_refused"])),
        (valid_config.replacen("thing3 = '{counter}', ", "", 1), set(["shop template_fault"])),
        (
            valid_config.replacen(SimTemplate::DEMO_CALLED, "deleted", 1),
            set(["shop template_fault"]),
        ),
        (
            valid_config.replace(&shop.callback_token, "anotherToken"),
            set(["shop callback_wrong_token"]),
        ),
        (valid_config.replace(&clinic.aes_key, OTHER_KEY), set(["clinic key_wrong"])),
        (
            valid_config.replace("mode = 'secure'", "mode = 'plain'"),
            set(["clinic mode_wrong", "clinic mode_plain"]),
        ),
        (
            valid_config.replace("per_day = 200", "per_day = 201"),
            set(["shop quota_above", "clinic quota_above"]),
        ),
    ] {
        let run = run_doctor(&change).await;
        assert_eq!(&run.problems() - &always, finding, "{:#}", run.report);
    }
    let (head, rest) = valid_config.split_once("[accounts.shop.called]").unwrap();
    let (_, tail) = rest.split_once("[accounts.clinic]").unwrap();
    let subscription = "subscription = { template_id = 'S', fields = { thing1 = '{site}' } }";
    for (called, finding, detail) in [
        ("", "template_unbound", "called: customer-service"),
        ("[accounts.shop.called]\ntext = '请'", "template_unbound", "called: customer-service"),
        (
            &format!("[accounts.shop.called]\ntext = ''\n{subscription}"),
            "template_unbound",
            "called: subscription",
        ),
        ("[accounts.shop.called]\ntext = ''", "no_channel", "called"),
    ] {
        let run = run_doctor(&format!("{head}{called}\n[accounts.clinic]{tail}")).await;
        let expected = set([&*format!("shop {finding}")]);
        assert_eq!(&run.problems() - &always, expected, "{called}: {:#}", run.report);
        assert_eq!(run.detail(finding), detail, "{called}");
        assert!(run.passed().contains("clinic templates_ok"), "{:#}", run.report);
    }
    for (change, finding) in [
        (
            public(&format!("http://127.0.0.1:{port}")),
            ["callback_not_https", "callback_private", "callback_wrong_port", "proxies_unnamed"]
                .as_slice(),
        ),
        (
            public(&wechat.base_url()),
            &[
                "callback_not_https",
                "callback_private",
                "callback_wrong_answer",
                "callback_wrong_port",
                "proxies_unnamed",
            ],
        ),
    ] {
        let run = run_doctor(&change).await;
        let all = ["shop", "clinic"];
        let all = all
            .iter()
            .flat_map(|account| finding.iter().map(move |code| format!("{account} {code}")));
        let all: BTreeSet<String> = all.chain(["shop mode_plain".to_owned()]).collect();
        assert_eq!(run.problems(), all, "{:#}", run.report);
    }

    let page = "action = { page = 'https://example.com/' }";
    let head = format!("buttons = [{{ name = '服务', {page} }}]\n[accounts.shop.called]");
    let with_menu = valid_config.replacen("[accounts.shop.called]", &head, 1);
    for (menu, found) in [
        (page_menu("官网"), "shop menu_differs"),
        (page_menu("服务"), "shop menu_ok"),
        (Value::Null, "shop menu_absent"),
    ] {
        wechat.set_menu(None, &menu);
        let run = run_doctor(&with_menu).await;
        assert!((&run.problems() | &run.passed()).contains(found), "{found}: {:#}", run.report);
    }
    wechat.set_menu(None, &page_menu("官网"));
    wechat.change_behaviour(|behaviour| behaviour.menu_permitted = false);
    let run = run_doctor(&valid_config).await;
    let forbidden = set(["shop menu_forbidden", "clinic menu_forbidden"]);
    assert_eq!(&run.problems() - &always, forbidden, "{:#}", run.report);
    wechat.change_behaviour(|behaviour| behaviour.menu_permitted = true);
    // What WeChat itself meets: a Token that was never entered, and an address of no account. Of
    // the probes above, refused ones among them, nothing is told.
    let verify = |account: &str| {
        let query = "signature=0&timestamp=1&nonce=1&echostr=1";
        http.get(format!("http://127.0.0.1:{port}/wechat/{account}?{query}")).send()
    };
    assert_eq!(verify("shop").await.unwrap().status(), 403);
    assert_eq!(verify("bakery").await.unwrap().status(), 404);
    let refused = run_doctor(&valid_config).await;
    let expected = set(["shop callbacks_refused", "unknown callbacks_refused"]);
    assert_eq!(&refused.problems() - &always, expected, "{:#}", refused.report);
    let detail = refused.detail("callbacks_refused");
    assert!(detail.starts_with("wrong_signature: 1, ") && detail.contains("Token"), "{detail}");
    let of_clinic = run_doctor_with(&valid_config, &["--json", "--account", "clinic"]).await;
    assert_eq!(&of_clinic.problems() - &always, set([]), "{:#}", of_clinic.report);
    let always = &always | &expected;

    wechat.change_behaviour(|behaviour| behaviour.address_listed = false);
    let unlisted = run_doctor(&valid_config).await;
    let expected = set(["shop address_not_listed", "clinic address_not_listed"]);
    assert_eq!(&unlisted.problems() - &always, expected, "{:#}", unlisted.report);
    assert!(unlisted.detail("address_not_listed").contains("203.0.113.7"));
    wechat.change_behaviour(|behaviour| behaviour.address_listed = true);
    for (offset, finding) in
        [(-5, "wechat clock_off"), (-20, "wechat clock_wrong"), (100, "wechat clock_wrong")]
    {
        wechat.change_behaviour(|behaviour| behaviour.date_off_s = offset);
        let run = run_doctor(&valid_config).await;
        assert_eq!(&run.problems() - &always, set([finding]), "{:#}", run.report);
    }
    wechat.change_behaviour(|behaviour| behaviour.date_off_s = 0);
    let token = stable_token(&wechat, &shop).await;
    wechat.clear_quotas(None);
    // The doctor itself makes a code in each run.
    for (codes, finding) in [(170, "shop quota_low"), (29, "shop quota_used_up")] {
        for _ in 0..codes {
            let url = format!("{}/cgi-bin/qrcode/create?access_token={token}", wechat.base_url());
            let body = r#"{"expire_seconds":60,"action_name":"QR_SCENE","action_info":{"scene":{"scene_id":1}}}"#;
            let response = http.post(url).body(body).send().await.unwrap().text().await.unwrap();
            assert!(response.contains("ticket"), "{response}");
        }
        let run = run_doctor(&valid_config).await;
        assert_eq!(&run.problems() - &always, set([finding]), "{:#}", run.report);
    }
    wechat.clear_quotas(None);
    wechat.refuse_connections(true);
    let away = run_doctor(&valid_config).await;
    let finding =
        set(["shop wechat_unreachable", "clinic wechat_unreachable", "wechat clock_unknown"]);
    assert_eq!(&away.problems() - &always, finding, "{:#}", away.report);
    wechat.refuse_connections(false);

    // A file that is no ledger, an unknown account, and an invalid configuration.
    let notes = folder.path().join("notes.txt");
    std::fs::write(&notes, "not a ledger ".repeat(100)).unwrap();
    std::fs::set_permissions(&notes, Permissions::from_mode(0o600)).unwrap();
    let notes = run_doctor(&valid_config.replace("ledger.sqlite", "notes.txt")).await;
    assert_eq!(&notes.problems() - &always, set(["ledger file_unusable"]), "{:#}", notes.report);
    let run_of_unknown = run_doctor_with(&valid_config, &["--json", "--account", "bakery"]).await;
    assert_eq!(
        run_of_unknown.problems(),
        set(["bakery no_account"]),
        "{:#}",
        run_of_unknown.report
    );
    assert_eq!(run_doctor(&valid_config.replace("mode = 'secure'", "mode = 'safe'")).await.exit, 2);

    let stats = wechat.stats();
    assert_eq!((stats.classic_fetches, stats.forced_refreshes), (0, 0));
    assert_eq!(stable_token(&wechat, &shop).await, token, "no check invalidated the token");
}

async fn stable_token(wechat: &Simulator, account: &SimAccount) -> String {
    let body = serde_json::json!({
        "grant_type": "client_credential",
        "appid": account.appid,
        "secret": account.secret,
    });
    let url = format!("{}/cgi-bin/stable_token", wechat.base_url());
    let response = client().post(url).body(body.to_string()).send().await.unwrap();
    let body: Value = serde_json::from_str(&response.text().await.unwrap()).unwrap();
    value_text(&body["access_token"]).to_owned()
}

fn cluster_configuration(wechat: &Simulator, nats: &str, redis: &str) -> String {
    configuration(
        wechat,
        &format!(
            "
            [gateway]
            listen = '127.0.0.1:{}'
            [admin]
            listen = '127.0.0.1:{}'
            [ledger]
            kind = 'nats'
            url = '{nats}'
            write_version = 2
            [cache]
            kind = 'redis'
            url = '{redis}'
            ",
            free_port(),
            free_port()
        ),
    )
}

/// Sends an inline command to Redis, which must answer OK.
fn redis_command(redis: &RedisServer, command: &str) {
    let mut stream = TcpStream::connect(("127.0.0.1", redis.port())).unwrap();
    stream.write_all(format!("{command}\r\nQUIT\r\n").as_bytes()).unwrap();
    let mut response = String::new();
    stream.read_to_string(&mut response).unwrap();
    assert!(response.starts_with("+OK"), "{response}");
}

/// Starts a server that announces itself as NATS 2.2.0. Returns its URL.
fn fake_old_nats() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        while let Ok((mut stream, _)) = listener.accept() {
            let info = format!(
                r#"INFO {{"server_id":"x","server_name":"x","version":"2.2.0","proto":1,"host":"127.0.0.1","port":{port},"headers":true,"max_payload":1048576,"jetstream":true}}"#
            );
            let _ = stream.write_all(format!("{info}\r\n").as_bytes());
            let reader = BufReader::new(stream.try_clone().unwrap());
            for line in reader.lines().map_while(Result::ok) {
                if line.starts_with("PING") {
                    let _ = stream.write_all(b"PONG\r\n");
                }
            }
        }
    });
    format!("nats://127.0.0.1:{port}")
}

#[tokio::test(flavor = "multi_thread")]
async fn each_fault_of_the_stores_and_of_the_cached_token_has_its_finding() {
    let nats = NatsServer::start();
    let redis = RedisServer::start();
    let config = SimConfig { accounts: accounts(), ..SimConfig::default() };
    let wechat = Simulator::start(config).await.unwrap();
    let valid_config = cluster_configuration(&wechat, &nats.url(), &redis.url());
    let of_stores = |run: &DoctorRun| -> BTreeSet<String> {
        let problems = run.problems().into_iter();
        problems.filter(|f| f.starts_with("ledger") || f.starts_with("cache")).collect()
    };
    let first = run_doctor(&valid_config).await;
    assert!(first.problems().contains("shop token_not_kept"), "{:#}", first.report);
    let unmonitored = set(["ledger streams_missing", "ledger nats_sync_unknown"]);
    assert_eq!(of_stores(&first), unmonitored, "{:#}", first.report);
    let monitored = |monitor: &str| {
        valid_config.replacen("[ledger]", &format!("[ledger]\nmonitor = '{monitor}'"), 1)
    };
    let slow = NatsServer::with_setup(NatsSetup { sync: false, ..NatsSetup::default() });
    for (monitors, found) in [
        (slow.monitor_url(), "ledger nats_not_synced"),
        (format!("{}, {}", nats.monitor_url(), slow.monitor_url()), "ledger nats_not_synced"),
        ("http://127.0.0.1:1".to_owned(), "ledger nats_sync_unknown"),
    ] {
        let run = run_doctor(&monitored(&monitors)).await;
        assert!(of_stores(&run).contains(found), "{found}: {:#}", run.report);
    }
    let valid_config = monitored(&nats.monitor_url());

    let mut token = Program::start(
        PROGRAM,
        &["--config", "{dir}/paihao.toml", "token"],
        &[("paihao.toml", &*valid_config)],
    );
    let mut run = run_doctor(&valid_config).await;
    let started = std::time::Instant::now();
    while !(run.passed().contains("shop token_kept") && run.passed().contains("clinic token_kept"))
    {
        assert!(started.elapsed() < DOCTOR_TIMEOUT, "{:#}\n{}", run.report, token.output());
        run = run_doctor(&valid_config).await;
    }
    for passed in [
        "shop calls_ok",
        "ledger nats_ok",
        "ledger nats_synced",
        "ledger streams_ok",
        "cache redis_ok",
        "cache clock_ok",
        "ledger clock_ok",
        "ledger forms_newest",
    ] {
        assert!(run.passed().contains(passed), "{passed}: {:#}", run.report);
    }
    assert_eq!(of_stores(&run), set([]));
    assert_eq!(wechat.stats().tokens_issued, 2, "one an account, for any number of runs");

    // The cached token is invalidated from outside while no token service runs to renew it.
    token.kill();
    let shop = accounts()[0].appid.clone();
    wechat.kill_tokens(Some(&shop), TokenInvalidation::Replaced);
    let refused = run_doctor(&valid_config).await;
    assert!(refused.problems().contains("shop token_refused"), "{:#}", refused.report);
    assert!(refused.passed().contains("shop templates_ok"), "the other checks use the new token");
    assert!(refused.passed().contains("clinic calls_ok"), "{:#}", refused.report);

    redis_command(&redis, "CONFIG SET appendonly no");
    redis_command(&redis, "CONFIG SET maxmemory 200mb");
    redis_command(&redis, "CONFIG SET maxmemory-policy allkeys-lru");
    let not_durable = run_doctor(&valid_config).await;
    let expected = set(["cache redis_not_persistent", "cache redis_evicts"]);
    assert_eq!(of_stores(&not_durable), expected, "{:#}", not_durable.report);

    let plain = NatsServer::with_setup(NatsSetup { jetstream: false, ..NatsSetup::default() });
    let divided = cluster_configuration(&wechat, &nats.url(), &redis.url())
        .replace("kind = 'nats'", "kind = 'nats'\npartitions = 4");
    let run = run_doctor(&divided).await;
    assert!(of_stores(&run).contains("ledger nats_partitions"), "{:#}", run.report);

    let away = format!("nats://127.0.0.1:{}", free_port());
    for (url, finding) in [
        (plain.url(), "ledger nats_no_jetstream"),
        (fake_old_nats(), "ledger nats_old"),
        (away, "ledger nats_away"),
    ] {
        let run = run_doctor(&cluster_configuration(&wechat, &url, &redis.url())).await;
        assert!(of_stores(&run).contains(finding), "{finding}: {:#}", run.report);
        assert_eq!(run.exit, 1);
    }
    redis.kill();
    let run = run_doctor(&valid_config).await;
    assert!(run.problems().contains("cache redis_away"), "{:#}", run.report);
    assert!(run.passed().contains("shop credentials_ok"), "{:#}", run.report);
}
