//! Test of an owner's first day: from an empty folder to a number and its call, in the browser.

use crate::browser::{Browser, PAGE_TIMEOUT};
use crate::demo::kiosk_code_link;
use crate::manage::fill_control;
use crate::pictures::{NOTEBOOK, SMALL_PHONE, take_pictures};
use crate::window::Window;
use harness::{Program, free_port, wait_until};
use serde_json::json;
use std::ffi::OsString;
use std::process::Command;
use wechat_sim::{PushMode, Routing, SimAccount, SimConfig, Simulator};

pub const PROGRAM: &str = env!("CARGO_BIN_EXE_paihao");
pub const APPID: &str = "wx00000000f1257da1";
pub const SECRET: &str = "f1r57da4f1r57da4f1r57da4f1r57da4";

/// Environment that stands for the internet: the address of the pages, and WeChat's.
pub fn environment(pages: &str, port: u16, wechat: u16) -> Vec<(OsString, OsString)> {
    let wechat = format!("http://127.0.0.1:{wechat}/");
    let set = [
        ("GATEWAY__LISTEN", format!("127.0.0.1:{port}")),
        ("GATEWAY__PUBLIC", pages.to_owned()),
        ("GATEWAY__PHONES", wechat.clone()),
        ("ADMIN__LISTEN", format!("127.0.0.1:{}", free_port())),
        ("WECHAT__API", wechat.clone()),
        ("WECHAT__MP", wechat),
    ];
    set.map(|(key, value)| (format!("PAIHAO__{key}").into(), value.into())).into()
}

/// Has the command print the link of the first manager, beside the running program.
pub async fn first_manager_link(program: &Program, environment: &[(OsString, OsString)]) -> String {
    let mut command = Command::new(PROGRAM);
    command.arg("first-manager").current_dir(program.folder()).envs(environment.iter().cloned());
    let run = tokio::task::spawn_blocking(move || command.output().expect("the program runs"));
    let text = String::from_utf8(run.await.unwrap().stdout).unwrap();
    let link = text.split_whitespace().find(|word| word.contains("/login#first="));
    link.unwrap_or_else(|| panic!("no link: {text}")).to_owned()
}

/// Value that a page shows to be copied, by its label.
async fn shown_value(page: &Window, label: &str) -> String {
    let value = page.run_script(VALUE_SCRIPT, json!([label])).await;
    value.as_str().unwrap_or_else(|| panic!("no {label}")).to_owned()
}

const VALUE_SCRIPT: &str = "
const field = [...document.querySelectorAll('#console-values .field')]
  .find(field => field.querySelector('label').textContent.includes(arguments[0]));
return field?.querySelector('input').value;";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_empty_folder_becomes_a_shop_that_serves_by_clicks_and_four_fields() {
    let [port, wechat_port] = [(); 2].map(|()| free_port());
    let pages = format!("http://127.0.0.1:{port}");
    let environment = environment(&pages, port, wechat_port);
    let program = Program::start_with(PROGRAM, &[], &[], environment.clone());
    wait_until("the program runs", PAGE_TIMEOUT, async || {
        program.output().contains("paihao first-manager")
    })
    .await;
    let link = first_manager_link(&program, &environment).await;

    // There is nothing to scan yet: the link's holder manages in this browser.
    let browser = Browser::start().await;
    let page = browser.open(&link).await;
    page.click("#first-here").await;
    page.wait_for_text("#accounts", "还没有公众号").await;
    page.wait_for_text(".place h3", "新门店").await;
    take_pictures(&page, "first-day-empty", &[SMALL_PHONE, NOTEBOOK]).await;

    // The account: three fields. What is made for WeChat's console is copied there.
    let field = |n: usize| format!("#connecting .fields .field:nth-child({n}) input");
    for (n, text) in [(1, "shop"), (2, APPID), (3, SECRET)] {
        fill_control(&page, &field(n), text).await;
    }
    page.click("#connecting .primary").await;
    page.wait_for_text("#console-values h3", "服务器配置").await;
    let [url, token, aes_key] = [
        shown_value(&page, "URL").await,
        shown_value(&page, "Token").await,
        shown_value(&page, "EncodingAESKey").await,
    ];
    assert_eq!(url, format!("{pages}/wechat/shop"));
    take_pictures(&page, "first-day-account", &[SMALL_PHONE, NOTEBOOK]).await;
    let account = SimAccount {
        appid: APPID.to_owned(),
        secret: SECRET.to_owned(),
        callback_token: token,
        aes_key,
        mode: PushMode::Secure,
        callback_urls: vec![url.clone()],
        ..SimAccount::default()
    };
    let listen = format!("127.0.0.1:{wechat_port}").parse().expect("an address");
    let config = SimConfig { accounts: vec![account], listen, ..SimConfig::default() };
    let wechat = Simulator::start(config).await.expect("the simulator listens");
    wechat.verify_server(Some(APPID), &url).await.expect("WeChat verifies the address");
    page.wait_for_text("#console-values", "微信已于").await;
    page.wait_for_text("#console-values", "AppID 和 AppSecret 正确").await;

    // The shop: its name.
    fill_control(&page, "#new-site input[maxlength=\"40\"]", "老街面馆").await;
    fill_control(&page, "#new-site select", "restaurant").await;
    page.click("#new-site button").await;
    page.wait_for_text("#site", "老街面馆").await;
    page.wait_for_text("#place h2", "页面与二维码").await;

    // People scan and are called.
    let kiosk = browser.open(&format!("{pages}/kiosk/restaurant?queue=small")).await;
    let link = kiosk_code_link(&kiosk).await;
    let (_, code) = link.split_once("?scan=").expect("the code is in the link");
    let scanned = wechat.scan("oFirstGuest", code, Routing::default()).await;
    let reply = scanned.reply.unwrap_or_default();
    assert!(reply.contains("取号成功") && reply.contains("A001"), "{reply:?}");
    let desk = browser.open(&format!("{pages}/console/restaurant")).await;
    // With one counter nobody is asked for theirs.
    desk.click("#open:enabled").await;
    desk.click("#next:enabled").await;
    wait_until("the call is told", PAGE_TIMEOUT, async || {
        wechat.chat("oFirstGuest").iter().any(|line| format!("{line:?}").contains("迎宾台 1"))
    })
    .await;

    let shown = page.run_script("return document.documentElement.outerHTML", json!([])).await;
    assert!(!shown.as_str().expect("a page").contains(SECRET), "the secret is on the page");
    assert!(!program.output().contains(SECRET), "the secret is in the log");
    browser.quit(&["status of 401", "status of 404", "status of 409"]).await;
    wechat.stop().await;
}
