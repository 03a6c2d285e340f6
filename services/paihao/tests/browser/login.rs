//! Tests of login by scanning: this system's pages, and another site that is an OAuth client.

use crate::browser::{Browser, PAGE_TIMEOUT};
use crate::demo::{Demo, http_client};
use crate::members;
use crate::window::Window;
use harness::{Program, free_port, wait_until};
use serde_json::{Value, json};
use std::sync::Arc;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use wechat_sim::{Routing, SimAccount, SimConfig, Simulator};

/// Simulated phones, driven through the simulator's API.
pub struct SimulatedPhones {
    http: reqwest::Client,
    sim: String,
}

impl SimulatedPhones {
    pub fn for_demo(demo: &Demo) -> SimulatedPhones {
        SimulatedPhones {
            http: http_client(),
            sim: demo.printed_address("The phones").trim_end_matches('/').to_owned(),
        }
    }

    async fn post_action(&self, action: &str, act: Value) -> String {
        let url = format!("{}/sim/api/{action}", self.sim);
        let response = self.http.post(url).json(&act).send().await.expect("an answer");
        let response: Value = response.json().await.expect("JSON");
        response["reply"].as_str().unwrap_or_default().to_owned()
    }

    /// Scans the code that a page shows. Returns the reply.
    pub async fn scan(&self, person: &str, page: &Window) -> String {
        let code = code_on_page(page).await;
        self.post_action("scan", json!({ "openid": person, "url": code })).await
    }

    /// Scans the code that a login page shows, and enters the digits of the phone. Returns the
    /// reply to the scan.
    pub async fn scan_and_confirm(&self, person: &str, page: &Window) -> String {
        let reply = self.scan(person, page).await;
        page.wait_for_text("#said", "请看手机微信里的数字").await;
        self.enter_digits(&reply, page).await;
        reply
    }

    /// Enters the digits of a phone at the page that shows the code.
    pub async fn enter_digits(&self, prompt: &str, page: &Window) {
        page.type_into("#digits", &digits_in(prompt)).await;
        page.click("#digits-form button").await;
    }

    pub async fn send_text(&self, person: &str, text: &str) -> String {
        self.post_action("text", json!({ "openid": person, "text": text })).await
    }
}

/// Digits that a phone shows.
pub fn digits_in(prompt: &str) -> String {
    let number = prompt.split("数字 ").nth(1).unwrap_or_else(|| panic!("no digits: {prompt}"));
    number.chars().take_while(char::is_ascii_digit).collect()
}

/// Content of the code that a page shows.
pub async fn code_on_page(page: &Window) -> String {
    page.wait_for_picture("#code").await;
    let link = page.run_script("return document.getElementById('phone').href", json!([])).await;
    link.as_str().expect("a link").split("?scan=").nth(1).expect("a code").to_owned()
}

#[tokio::test]
async fn the_first_manager_logs_in_invites_a_member_and_logs_out() {
    let demo = Demo::start().await;
    let browser = Browser::start().await;
    let phones = SimulatedPhones::for_demo(&demo);
    let pages = demo.pages_url();

    let page = browser.open(&demo.printed_address("/login#first=")).await;
    page.wait_for_text("#target", "排号").await;
    page.wait_for_text("#said", "扫码登录").await;
    let reply = phones.scan_and_confirm("oAnn", &page).await;
    assert!(reply.contains("登录确认") && reply.contains("127.0.0.*"), "{reply}");
    page.wait_for_text("#who", "管理员").await;
    page.wait_for_text("#sessions li", "就是这个浏览器").await;
    let stored =
        page.run_script("return [document.cookie, sessionStorage.length]", json!([])).await;
    assert_eq!(stored, json!(["", 0]), "a script sees no cookie, and keeps no key");

    page.wait_for_text("#manage", "管理").await;
    page.navigate(&format!("{pages}/manage/hall")).await;
    members::show_invite_code(&page, "李雷").await;
    members::confirm_scan(&page, &phones.scan("oBen", &page).await).await;
    page.wait_for_text(".told.done", "李雷 已加入").await;
    page.wait_for_text("#members", "李雷").await;

    // The first manager's link works once. After the logout the console shows the login.
    page.click("#sign-out").await;
    page.wait_for_text("#said", "扫码登录").await;
    page.navigate("about:blank").await;
    page.navigate(&demo.printed_address("/login#first=")).await;
    page.wait_for_text("#login[data-state=over] #said", "首位管理员已经产生").await;
    page.navigate(&format!("{pages}/staff/hall")).await;
    page.wait_for_text("#said", "扫码登录").await;
    let reply = phones.scan("oEve", &page).await;
    assert!(reply.contains("不在工作人员名单"), "{reply}");
    page.wait_for_text("#login[data-state=over] #said", "不在工作人员名单").await;
    page.click("#again").await;
    page.wait_for_text("#login[data-state=waiting] #said", "扫码登录").await;
    phones.scan("oBen", &page).await;
    page.wait_for_text("#said", "请看手机微信里的数字").await;
    page.type_into("#digits", "xxxx").await;
    page.click("#digits-form button").await;
    page.wait_for_text("#digits-said", "数字不对").await;
    phones.send_text("oBen", "0").await;
    page.wait_for_text("#login[data-state=over] #said", "已在手机上拒绝登录").await;
    page.click("#again").await;
    page.wait_for_text("#login[data-state=waiting] #said", "扫码登录").await;
    phones.scan_and_confirm("oBen", &page).await;
    page.wait_for_text("#counter", "1号窗口").await;
    browser.quit(&["status of 401", "status of 409", "status of 410", "status of 403"]).await;
}

#[tokio::test]
async fn a_key_logs_in_and_a_wrong_one_does_not() {
    let demo = Demo::start().await;
    let browser = Browser::start().await;
    let staff = demo.printed_address("#key=");
    let (page, key) = staff.split_once("#key=").unwrap();
    let stranger = browser.open(page).await;
    stranger.click("#with-key summary").await;
    stranger.type_into("#key", "not-the-key").await;
    stranger.click("#sign-in .primary").await;
    stranger.wait_for_text("#key-said", "密钥不对，请再输入").await;
    stranger.type_into("#key", key).await;
    stranger.click("#sign-in .primary").await;
    stranger.wait_for_text("#counters", "3号窗口").await;
    browser.quit(&["status of 401"]).await;
}

/// Serves the documentation's example of a client. Returns its address.
async fn serve_example(issuer: &str) -> String {
    let page = include_str!("../../../../docs/guide/examples/login.html");
    let page = page.replace("http://127.0.0.1:8080", issuer);
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let at = format!("http://{}/login.html", listener.local_addr().expect("an address"));
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut request = vec![0; 8192];
            let _ = stream.read(&mut request).await;
            let header = "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nConnection: close";
            let response = format!("{header}\r\nContent-Length: {}\r\n\r\n{page}", page.len());
            let _ = stream.write_all(response.as_bytes()).await;
        }
    });
    at
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_example_of_the_documentation_logs_a_person_in() {
    let config = SimConfig { accounts: vec![SimAccount::default()], ..SimConfig::default() };
    let wechat = Arc::new(Simulator::start(config).await.expect("a free port"));
    let port = free_port();
    let admin = free_port();
    let SimAccount { appid, secret, callback_token, .. } = SimAccount::default();
    let issuer = format!("http://127.0.0.1:{port}");
    let sim = wechat.base_url();
    let back = serve_example(&issuer).await;
    let text = format!(
        "
        [gateway]
        listen = '127.0.0.1:{port}'
        public = '{issuer}'
        phones = '{sim}'
        [admin]
        listen = '127.0.0.1:{admin}'
        [ledger]
        file = '{{dir}}/ledger.sqlite'
        [wechat]
        api = '{sim}'
        mp = '{sim}'
        [accounts.shop]
        appid = '{appid}'
        secret = '{secret}'
        callback_token = '{callback_token}'
        mode = 'plain'
        [login.clients.example]
        name = '示例网站'
        redirects = ['{back}']
        "
    );
    let program = Program::start(
        env!("CARGO_BIN_EXE_paihao"),
        &["--config", "{dir}/paihao.toml", "all"],
        &[("paihao.toml", &text)],
    );
    let started = async || program.output().contains("paihao first-manager");
    wait_until("the gateway serves", PAGE_TIMEOUT, started).await;
    let routing = || Routing { deliveries: 1, urls: vec![format!("{issuer}/wechat/shop")] };

    let browser = Browser::start().await;
    let page = browser.open(&back).await;
    page.wait_for_text("#target", "示例网站").await;
    let scanned = wechat.scan("oAnn", &code_on_page(&page).await, routing()).await;
    let prompt = scanned.reply.unwrap_or_default();
    assert!(prompt.contains("「示例网站」"), "{prompt}");
    page.wait_for_text("#said", "请看手机微信里的数字").await;
    page.type_into("#digits", &digits_in(&prompt)).await;
    page.click("#digits-form button").await;
    page.wait_for_text("#who", "logged in as").await;
    assert!(page.url().await.starts_with(&back), "the browser is redirected back");
    let shown = page.texts("#who").await.join("");
    assert!(!shown.contains("oAnn"), "{shown}");

    // A code that was used is refused, and so is one with a foreign state.
    page.run_script("location.reload()", json!([])).await;
    page.wait_for_text("#who", "The code is not good").await;
    page.navigate(&format!("{back}?code=stolen&state=stolen")).await;
    page.wait_for_text("#who", "not the answer to our question").await;
    // A cancelled login returns to the client with an error.
    page.navigate("about:blank").await;
    page.navigate(&back).await;
    page.wait_for_text("#target", "示例网站").await;
    page.click("#cancel").await;
    page.wait_for_text("#who", "access_denied").await;
    browser.quit(&["status of 400", "favicon"]).await;
}
