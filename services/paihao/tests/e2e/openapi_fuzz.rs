//! Fuzzing of every route by schemathesis, which knows nothing but the OpenAPI document: as a
//! stranger, at a counter and as a manager.
//!
//! `PAIHAO_FUZZ_EXAMPLES` is the number of requests made up for each operation and role; with it
//! every border of every parameter is tried first, without it one request is made up for each.

use crate::support::cluster::STAFF_KEY;
use crate::support::gateway::{HALL, process_configuration, start_program, wait_until_ready};
use crate::support::http::client;
use harness::free_port;
use std::process::Output;
use wechat_sim::{SimAccount, SimConfig, Simulator};

/// Key of somebody at a counter.
const COUNTER_KEY: &str = "the-key-of-counter-one-and-no-other";

/// Roles by the header that they send.
const ROLES: [(&str, Option<&str>); 3] =
    [("a stranger", None), ("at a counter", Some(COUNTER_KEY)), ("a manager", Some(STAFF_KEY))];

/// Streams end with the process, and a client that waits for their end learns nothing.
const ENDLESS: &str = "(events|feed)$";

/// Limits that a single address comes to at once.
const LIMITS: &str = "
    [gateway.limits]
    codes_per_minute = 1000000
    looks_per_minute = 1000000
    slips_per_minute = 1000000
    kiosk_slips_per_minute = 1000000
";

async fn fuzz(url: &str, key: Option<&str>, examples: Option<&str>) -> Output {
    let phases = if examples.is_some() { "coverage,fuzzing" } else { "fuzzing" };
    // It keeps a cache where it runs.
    let folder = tempfile::tempdir().unwrap();
    let mut schemathesis = harness::schemathesis();
    schemathesis
        .current_dir(folder.path())
        .args(["run", &format!("{url}/api/v1/openapi.json"), "--no-color", "--seed", "1"])
        .args(["--phases", phases, "--continue-on-failure"])
        .args(["--max-examples", examples.unwrap_or("1"), "--request-timeout", "10"])
        .args(["--exclude-path-regex", ENDLESS])
        .args(["--checks", "not_a_server_error,status_code_conformance,content_type_conformance"])
        .args(["--checks", "response_schema_conformance,response_headers_conformance"]);
    if let Some(key) = key {
        schemathesis.args(["--header", &format!("Authorization: Bearer {key}")]);
    }
    let output = tokio::task::spawn_blocking(move || schemathesis.output().unwrap()).await;
    drop(folder);
    output.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_request_gets_a_server_error_or_an_answer_outside_of_the_document() {
    let examples = std::env::var("PAIHAO_FUZZ_EXAMPLES").ok();
    let account = SimAccount::default();
    let config = SimConfig { accounts: vec![account.clone()], ..SimConfig::default() };
    let wechat = Simulator::start(config).await.unwrap();
    let (port, admin) = (free_port(), free_port());
    let url = format!("http://127.0.0.1:{port}");
    let configuration = format!(
        "
        {process}
        gateway.public = '{url}'
        {LIMITS}
        [login]
        account = 'shop'
        [staff.tests]
        key = '{STAFF_KEY}'
        sites = ['*']
        [staff.one]
        key = '{COUNTER_KEY}'
        role = 'staff'
        sites = ['hall']
        counters = ['1']
        [accounts.shop]
        appid = '{appid}'
        secret = '{secret}'
        callback_token = '{token}'
        mode = 'plain'
        {HALL}
        ",
        process = process_configuration(port, admin, &wechat.base_url()),
        appid = account.appid,
        secret = account.secret,
        token = account.callback_token,
    );
    let program = start_program(&configuration);
    wait_until_ready(&client(), &format!("http://127.0.0.1:{admin}")).await;
    // One after the other: what a manager removes is not there for the others.
    for (role, key) in ROLES {
        let output = fuzz(&url, key, examples.as_deref()).await;
        let report = String::from_utf8_lossy(&output.stdout);
        let summary = report.rsplit("= SUMMARY =").next().unwrap_or_default();
        assert!(output.status.success(), "{role}: {report}");
        assert!(summary.contains("Test cases:"), "{role}: {report}");
        println!("{role}:{summary}");
    }
    assert!(!program.output().contains("panicked"), "{}", program.output());
    wechat.stop().await;
}
