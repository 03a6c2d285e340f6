//! Tests of accounts of the configuration file beside accounts that are added on the page: their
//! names, and what the operator's commands say of each.

use crate::accounts::{Deployment, clinic};
use crate::support::cluster::STAFF_KEY;
use crate::support::gateway::{HALL, process_configuration, start_program, wait_until_ready};
use crate::support::http::{client, send_json};
use harness::{Program, free_port, wait_until};
use reqwest::{Client, Method, StatusCode};
use serde_json::{Value, json};
use std::process::Command;
use std::time::Duration;
use wechat_sim::{PushMode, SimAccount, SimConfig, SimTemplate, Simulator};

const PROGRAM: &str = env!("CARGO_BIN_EXE_paihao");
const WAIT_TIMEOUT: Duration = Duration::from_secs(60);

/// Account of the configuration file.
fn shop() -> SimAccount {
    SimAccount { original_id: "gh_shop".to_owned(), ..SimAccount::default() }
}

/// Section of an account in the configuration file.
fn section(name: &str, account: &SimAccount) -> String {
    let SimAccount { appid, secret, callback_token, aes_key, mode, .. } = account;
    let mode = if *mode == PushMode::Plain { "plain" } else { "secure" };
    format!(
        "
        [accounts.{name}]
        appid = '{appid}'
        secret = '{secret}'
        callback_token = '{callback_token}'
        aes_key = '{aes_key}'
        mode = '{mode}'
        "
    )
}

/// Process with the account `shop` of its file.
struct Process {
    program: Program,
    wechat: Simulator,
    http: Client,
    url: String,
    admin: String,
    configuration: String,
}

impl Process {
    /// Starts it; `more` stands behind the accounts and sites of the file.
    async fn start(more: &str) -> Process {
        let accounts = vec![shop(), clinic()];
        let templates = SimTemplate::demo();
        let config = SimConfig { accounts, templates, ..SimConfig::default() };
        let wechat = Simulator::start(config).await.unwrap();
        let (port, admin) = (free_port(), free_port());
        let sim = wechat.base_url();
        let configuration = format!(
            "
            {process}
            gateway.phones = '{sim}'
            ledger.write_version = 2
            [staff.owner]
            key = '{STAFF_KEY}'
            sites = ['*']
            {shop}
            {HALL}
            {more}",
            process = process_configuration(port, admin, &sim),
            shop = section("shop", &shop()),
        );
        let program = start_program(&configuration);
        let url = format!("http://127.0.0.1:{port}");
        let admin = format!("http://127.0.0.1:{admin}");
        let http = client();
        wait_until_ready(&http, &admin).await;
        Process { program, wechat, http, url, admin, configuration }
    }

    /// Starts it again with more in its file than at first.
    async fn restart_with(&mut self, more: &str) {
        let folder = self.program.folder().to_owned();
        let text = format!("{}{more}", self.configuration);
        let text = text.replace("{dir}", folder.to_str().unwrap());
        std::fs::write(folder.join("paihao.toml"), text).unwrap();
        self.program.restart();
        wait_until_ready(&self.http, &self.admin).await;
    }

    async fn send(&self, method: Method, path: &str, body: Option<&Value>) -> (StatusCode, Value) {
        let url = format!("{}/api/v1{path}", self.url);
        let request = self.http.request(method, url).bearer_auth(STAFF_KEY);
        send_json(match body {
            Some(body) => request.json(body),
            None => request,
        })
        .await
    }

    /// Where each account comes from, by name.
    async fn sources(&self) -> Vec<(String, String)> {
        let (_, accounts) = self.send(Method::GET, "/accounts", None).await;
        let text = |account: &Value, key: &str| account[key].as_str().unwrap().to_owned();
        let accounts = accounts.as_array().unwrap().iter();
        accounts.map(|account| (text(account, "account"), text(account, "source"))).collect()
    }

    /// Runs a command of the program. Returns whether it succeeded, and what it said.
    async fn run(&self, arguments: &[&str]) -> (bool, String) {
        let mut command = Command::new(PROGRAM);
        command.arg("--config").arg(self.program.folder().join("paihao.toml")).args(arguments);
        command.env("PAIHAO_GATEWAY", &self.url).env("PAIHAO_KEY", STAFF_KEY);
        command.current_dir(self.program.folder());
        let run = tokio::task::spawn_blocking(move || command.output().expect("the program runs"));
        let run = run.await.unwrap();
        (run.status.success(), String::from_utf8([run.stdout, run.stderr].concat()).unwrap())
    }

    /// Findings of the doctor about an account, or about the names of accounts.
    async fn findings(&self, arguments: &[&str], about: &str) -> Vec<String> {
        let (_, report) = self.run(&[&["doctor", "--json"], arguments].concat()).await;
        let report: Value = serde_json::from_str(&report).unwrap_or_else(|_| panic!("{report}"));
        let findings = report["findings"].as_array().unwrap().iter();
        let about = findings.filter(|finding| finding["about"] == about);
        about.map(|finding| finding["finding"].as_str().unwrap().to_owned()).collect()
    }

    /// Status of WeChat's request that verifies the address of an account.
    async fn verifies(&self, name: &str, account: &SimAccount) -> bool {
        let url = format!("{}/wechat/{name}", self.url);
        self.wechat.verify_server(Some(&account.appid), &url).await.is_ok()
    }
}

fn credentials(account: &SimAccount) -> Value {
    json!({
        "appid": account.appid, "secret": account.secret,
        "callback_token": account.callback_token, "aes_key": account.aes_key,
    })
}

fn sources(sources: [(&str, &str); 2]) -> Vec<(String, String)> {
    sources.map(|(name, source)| (name.to_owned(), source.to_owned())).into()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_command_takes_an_account_of_the_page_as_one_of_the_file() {
    let process = Process::start("").await;
    let deployment = Deployment::new(vec![process.url.clone()], &process.wechat);
    deployment.connect().await;
    deployment.bind_template().await;
    deployment.set_up_site().await;
    deployment.visit("oFirstOfTheClinic").await;
    assert_eq!(process.sources().await, sources([("clinic", "settings"), ("shop", "file")]));

    // The menu, the repair of a site, the way to another account. Of an account that nobody has,
    // each says so.
    let buttons = json!([{ "name": "取号", "action": { "take": {} } }]);
    for account in ["shop", "clinic"] {
        let path = format!("/book/accounts/{account}");
        let (_, mut setup) = process.send(Method::GET, &path, None).await;
        setup["buttons"] = buttons.clone();
        let url = format!("{}/api/v1{path}", process.url);
        let current = process.http.get(&url).bearer_auth(STAFF_KEY).send().await.unwrap();
        let tag = current.headers()["etag"].clone();
        let put = process.http.put(&url).bearer_auth(STAFF_KEY).header("if-match", tag);
        let (status, answer) = send_json(put.json(&setup)).await;
        assert_eq!(status, StatusCode::OK, "{answer}");
    }
    for (command, words) in [
        ("show", "WeChat has no menu"),
        ("push", "WeChat has the menu that is set"),
        ("show", "WeChat has the menu that is set"),
        ("delete", "WeChat has no menu"),
    ] {
        for account in ["shop", "clinic"] {
            let (done, text) = process.run(&["menu", command, account]).await;
            assert!(done && text.contains(words), "menu {command} {account}: {text}");
        }
        let (done, text) = process.run(&["menu", command, "nobody"]).await;
        assert!(!done && text.contains("unknown_account"), "menu {command}: {text}");
    }
    for site in ["hall", "clinic"] {
        let (done, text) = process.run(&["site", "reset-day", site]).await;
        assert!(done && text.contains("stands right"), "{site}: {text}");
    }
    let file = process.program.folder().join("staff.sealed");
    for (account, is_known) in [("nobody", false), ("clinic", true)] {
        let out = file.to_str().unwrap();
        let (done, text) = process.run(&["account", "prepare", account, "--out", out]).await;
        assert_eq!(done, is_known, "{text}");
        assert_eq!(text.contains("unknown_account"), !is_known, "{text}");
    }
    // What is exported has no credentials, and is imported again as it is.
    let (done, exported) = process.run(&["settings", "export"]).await;
    assert!(done && exported.contains("[accounts.clinic.called]"), "{exported}");
    assert!(exported.contains("[sites.clinic]") && !exported.contains(&clinic().appid));
    let settings = process.program.folder().join("settings.toml");
    std::fs::write(&settings, &exported).unwrap();
    let (done, text) =
        process.run(&["settings", "import", settings.to_str().unwrap(), "--dry-run"]).await;
    assert!(done, "{text}");

    // The doctor examines both alike.
    let of_shop = process.findings(&[], "shop").await;
    let of_clinic = process.findings(&[], "clinic").await;
    for found in [&of_shop, &of_clinic] {
        for finding in ["credentials_ok", "calls_ok", "mode_ok"] {
            assert!(found.iter().any(|found| found == finding), "no {finding}: {found:?}");
        }
    }
    assert_eq!(process.findings(&["--account", "clinic"], "clinic").await, of_clinic);
    assert_eq!(process.findings(&["--account", "clinic"], "shop").await, [] as [&str; 0]);
    assert_eq!(process.findings(&["--account", "nobody"], "nobody").await, ["no_account"]);
    let (done, printed) = process.run(&["config", "print"]).await;
    assert!(done && !printed.contains("clinic"), "the file's alone: {printed}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_account_of_the_file_and_one_of_the_page_never_have_one_name_at_once() {
    let named = "
        [sites.branch]
        account = 'clinic'
        name = '分院'
        [sites.branch.queues.a]
        name = '业务'
        prefix = 'A'
        [sites.branch.counters.1]
        name = '1号窗口'
        queues = ['a']
        ";
    let mut process = Process::start(named).await;
    // The file may name an account before the page has it; the doctor says so until then.
    assert_eq!(process.sources().await.len(), 1);
    assert_eq!(process.findings(&[], "clinic").await, ["account_unknown"]);
    assert!(!process.verifies("clinic", &clinic()).await);

    // The page cannot have the file's name.
    for method in [Method::PUT, Method::DELETE] {
        let body = credentials(&clinic());
        let body = (method == Method::PUT).then_some(&body);
        let (status, answer) = process.send(method, "/accounts/shop", body).await;
        assert_eq!((status, &answer["code"]), (StatusCode::CONFLICT, &json!("set_by_file")));
    }
    let (status, answer) =
        process.send(Method::PUT, "/accounts/clinic", Some(&credentials(&clinic()))).await;
    assert_eq!(status, StatusCode::OK, "{answer}");
    wait_until("WeChat verifies the address", WAIT_TIMEOUT, async || {
        process.verifies("clinic", &clinic()).await
    })
    .await;
    let by_page = sources([("clinic", "settings"), ("shop", "file")]);
    let by_file = sources([("clinic", "file"), ("shop", "file")]);
    assert_eq!(process.sources().await, by_page);
    assert!(!process.findings(&[], "clinic").await.contains(&"account_unknown".to_owned()));

    // A file that gets the name later counts, and the page's comes back when it loses it.
    let of_file = SimAccount { callback_token: "tokenOfTheFile2026".to_owned(), ..clinic() };
    for round in 0..2 {
        process.restart_with(&section("clinic", &of_file)).await;
        assert_eq!(process.sources().await, by_file, "{round}");
        assert!(!process.verifies("clinic", &clinic()).await, "the page's token counts no more");
        let body = credentials(&clinic());
        let (status, answer) = process.send(Method::PUT, "/accounts/clinic", Some(&body)).await;
        assert_eq!((status, &answer["code"]), (StatusCode::CONFLICT, &json!("set_by_file")));
        let found = process.findings(&[], "clinic").await;
        assert!(found.contains(&"credentials_ok".to_owned()), "{found:?}");

        process.restart_with("").await;
        assert_eq!(process.sources().await, by_page, "{round}");
        wait_until("the page's token counts", WAIT_TIMEOUT, async || {
            process.verifies("clinic", &clinic()).await
        })
        .await;
    }
}
