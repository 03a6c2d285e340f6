//! Tests of processes with a wrong clock, and of the repair of a site that one led into the future.

use crate::support::cluster::STAFF_KEY;
use crate::support::gateway::{HALL, wait_until_ready};
use crate::support::http::{client, send_json};
use crate::support::wrong_clock::WrongClock;
use harness::{NatsServer, RedisServer, free_port, wait_until};
use reqwest::{Client, StatusCode};
use serde_json::{Value, json};
use std::process::{Command, Output};
use std::time::Duration;
use wechat_sim::{SimAccount, SimConfig, Simulator};

const DAY_MS: i64 = 24 * 3_600_000;
/// Options of the command, one run after the other, and what it prints.
const RESETS: [(&[&str], &str); 3] = [
    (&[], "stands in the present business day again"),
    (&[], "stands right, nothing was changed"),
    (&["--force"], "stands right, nothing was changed"),
];

const METRIC_TIMEOUT: Duration = Duration::from_secs(60);

/// Configuration of the hall.
fn configuration(port: u16, admin: u16, stores: &str, wechat: &str) -> String {
    let SimAccount { appid, secret, callback_token, .. } = SimAccount::default();
    format!(
        "
        [gateway]
        listen = '127.0.0.1:{port}'
        [admin]
        listen = '127.0.0.1:{admin}'
        {stores}
        [wechat]
        api = '{wechat}'
        mp = '{wechat}'
        [staff.tests]
        key = '{STAFF_KEY}'
        sites = ['hall']
        [accounts.shop]
        appid = '{appid}'
        secret = '{secret}'
        callback_token = '{callback_token}'
        mode = 'plain'
        {HALL}
        "
    )
}

/// Response of `/ready`.
async fn readiness(http: &Client, admin: &str) -> Option<(StatusCode, Value)> {
    let response = http.get(format!("{admin}/ready")).send().await.ok()?;
    Some((response.status(), response.json().await.ok()?))
}

async fn take_ticket(http: &Client, url: &str) -> (StatusCode, Value) {
    let url = format!("{url}/api/v1/sites/hall/queues/a/tickets");
    send_json(http.post(url).bearer_auth(STAFF_KEY).json(&json!({}))).await
}

/// Business day of the site, as the console has it.
async fn console_day(http: &Client, url: &str) -> i64 {
    let url = format!("{url}/api/v1/sites/hall/desk");
    let (status, console) = send_json(http.get(url).bearer_auth(STAFF_KEY)).await;
    assert_eq!(status, StatusCode::OK, "{console}");
    console["day"].as_i64().unwrap_or_else(|| panic!("{console}"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_process_of_any_role_steps_aside_while_its_clock_is_wrong() {
    let (nats, redis) = (NatsServer::start(), RedisServer::start());
    let wechat = Simulator::start(SimConfig::default()).await.unwrap();
    let stores = format!(
        "[ledger]\nkind = 'nats'\nurl = '{}'\n[cache]\nkind = 'redis'\nurl = '{}'",
        nats.url(),
        redis.url()
    );
    let http = client();
    for role in ["gateway", "token", "notifier"] {
        let (port, admin_port) = (free_port(), free_port());
        let text = configuration(port, admin_port, &stores, &wechat.base_url());
        let clock = WrongClock::new();
        let program = clock.start(role, &text);
        let (url, admin) =
            (format!("http://127.0.0.1:{port}"), format!("http://127.0.0.1:{admin_port}"));
        wait_until_ready(&http, &admin).await;
        let mut day = None;
        if role == "gateway" {
            assert_eq!(take_ticket(&http, &url).await.0, StatusCode::OK);
            day = Some(console_day(&http, &url).await);
        }
        for error_ms in [4 * DAY_MS, -4 * DAY_MS, 11_000] {
            clock.set_error_ms(error_ms);
            let (status, ready) = readiness(&http, &admin).await.unwrap();
            assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE, "{role} {error_ms}: {ready}");
            let sentence = ready["checks"]["clock"].as_str().unwrap();
            let side = if error_ms > 0 { "ahead of" } else { "behind" };
            assert!(sentence.contains(side) && sentence.contains("ledger"), "{sentence}");
            wait_until("the metric shows it", METRIC_TIMEOUT, async || {
                let metrics = http.get(format!("{admin}/metrics")).send().await.unwrap();
                let metrics = metrics.text().await.unwrap();
                let skew = |reference: &str| {
                    let name = format!("paihao_clock_skew_seconds{{reference=\"{reference}\"}} ");
                    let line = metrics.lines().find_map(|line| line.strip_prefix(&*name))?;
                    line.parse::<f64>().ok()
                };
                let is_about = |skew: f64| (skew - error_ms as f64 / 1000.0).abs() < 5.0;
                ["ledger", "cache"].iter().all(|store| skew(store).is_some_and(is_about))
            })
            .await;
            if let Some(day) = day {
                // Whoever comes all the same gets a number of today.
                assert_eq!(take_ticket(&http, &url).await.0, StatusCode::OK);
                assert_eq!(console_day(&http, &url).await, day, "{error_ms}");
            }
            clock.set_error_ms(0);
            wait_until_ready(&http, &admin).await;
        }
        assert!(program.output().contains("nothing due is proposed here"), "it says so in the log");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_command_leads_a_site_back_from_the_future() {
    let wechat = Simulator::start(SimConfig::default()).await.unwrap();
    let (port, admin_port) = (free_port(), free_port());
    let text = |wechat: &str, write_version: u32| {
        let stores = format!("[ledger]\nfile = 'ledger.sqlite'\nwrite_version = {write_version}\n");
        configuration(port, admin_port, &stores, wechat)
    };
    let (url, admin) =
        (format!("http://127.0.0.1:{port}"), format!("http://127.0.0.1:{admin_port}"));
    let http = client();
    let clock = WrongClock::new();
    // Nothing tells that the clock is wrong when the first day begins.
    clock.set_error_ms(3 * DAY_MS);
    let mut program = clock.start("all", &text("http://127.0.0.1:1", 1));
    wait_until_ready(&http, &admin).await;
    assert_eq!(take_ticket(&http, &url).await.1["number"], "A001");
    let future = console_day(&http, &url).await;
    program.stop();

    clock.set_error_ms(0);
    let restart = async |program: &mut harness::Program, write_version: u32| {
        let file = program.folder().join("paihao.toml");
        std::fs::write(file, text(&wechat.base_url(), write_version)).unwrap();
        program.restart();
        wait_until_ready(&http, &admin).await;
    };
    restart(&mut program, 1).await;
    assert_eq!(take_ticket(&http, &url).await.1["number"], "A002", "it is stuck there");
    assert_eq!(console_day(&http, &url).await, future);

    let reset = async |more: &'static [&'static str]| {
        let url = url.clone();
        let run = move || -> Output {
            let mut command = Command::new(env!("CARGO_BIN_EXE_paihao"));
            command.args(["site", "--gateway", &url, "reset-day", "hall"]).args(more);
            command.env("PAIHAO_KEY", STAFF_KEY).output().expect("the program runs")
        };
        tokio::task::spawn_blocking(run).await.unwrap()
    };
    let refused = reset(&[]).await;
    assert_eq!(refused.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&refused.stderr).contains("forms_held_back"), "{refused:?}");
    program.stop();
    restart(&mut program, 2).await;
    for (more, said) in RESETS {
        let done = reset(more).await;
        assert!(done.status.success(), "{done:?}");
        assert!(String::from_utf8_lossy(&done.stdout).contains(said), "{done:?}");
    }
    let today = console_day(&http, &url).await;
    assert_eq!(today, future - 3);
    assert_eq!(take_ticket(&http, &url).await.1["number"], "A003");
    // A restart reads the same from the ledger and its snapshots.
    program.stop();
    restart(&mut program, 2).await;
    assert_eq!(console_day(&http, &url).await, today);
    assert_eq!(take_ticket(&http, &url).await.1["number"], "A004");
}
