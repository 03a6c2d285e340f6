//! Test of an owner's first day: from an empty folder over a rehearsal to a number and its call, in
//! the browser.

use crate::browser::{Browser, PAGE_TIMEOUT};
use crate::demo::kiosk_code_link;
use crate::first_day_secrets::Secrets;
use crate::guide_pictures::{NARROW, WIDE, take_guide_picture};
use crate::manage::fill_control;
use crate::pictures::{ALL_SCREENS, take_pictures};
use crate::rehearsal::{OWNER_SCREENS, Owner, rehearse_and_end};
use crate::window::Window;
use harness::{Program, free_port, wait_until};
use serde_json::json;
use std::ffi::OsString;
use std::process::Command;
use std::time::Instant;
use wechat_sim::{PushMode, Routing, SimAccount, SimConfig, Simulator};

pub const PROGRAM: &str = env!("CARGO_BIN_EXE_paihao");
pub const APPID: &str = "wx00000000f1257da1";
pub const SECRET: &str = "f1r57da4f1r57da4f1r57da4f1r57da4";

/// Most fields that an owner types into on the way.
const MAX_FIELDS: usize = 12;
/// Most pages that are opened, those of simulated guests and the hall's screens included.
const MAX_PAGES: usize = 10;

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
pub async fn first_manager_link(
    program: &Program,
    arguments: &[&str],
    environment: &[(OsString, OsString)],
) -> String {
    let mut command = Command::new(PROGRAM);
    command
        .args(arguments)
        .arg("first-manager")
        .current_dir(program.folder())
        .envs(environment.iter().cloned());
    let run = tokio::task::spawn_blocking(move || command.output().expect("the program runs"));
    let text = String::from_utf8(run.await.unwrap().stdout).unwrap();
    let link = text.split_whitespace().find(|word| word.contains("/login#first="));
    link.unwrap_or_else(|| panic!("no link: {text}")).to_owned()
}

/// Starts the program in an empty folder, and a browser in which its first manager begins.
pub async fn manage_an_empty_folder(
    environment: &[(OsString, OsString)],
) -> (Program, Browser, Window) {
    let program = Program::start_with(PROGRAM, &[], &[], environment.to_vec());
    wait_until("the program runs", PAGE_TIMEOUT, async || {
        program.output().contains("paihao first-manager")
    })
    .await;
    let link = first_manager_link(&program, &[], environment).await;
    let browser = Browser::start().await;
    let page = browser.open(&link).await;
    page.click("#first-here").await;
    page.wait_for_text("#accounts", "还没有公众号").await;
    (program, browser, page)
}

/// Backup by the command, beside the running program.
async fn backup(program: &Program, environment: &[(OsString, OsString)]) -> Vec<u8> {
    let file = program.folder().join("first-day.backup");
    let mut command = Command::new(PROGRAM);
    command.arg("backup").arg(&file).current_dir(program.folder());
    command.envs(environment.iter().cloned());
    let run = tokio::task::spawn_blocking(move || command.output().expect("the program runs"));
    let run = run.await.unwrap();
    assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
    std::fs::read(file).expect("the backup")
}

/// What the page makes for WeChat's console.
pub struct ConsoleValues {
    pub url: String,
    pub token: String,
    pub aes_key: String,
}

impl ConsoleValues {
    /// Secrets of the account, which are shown once and never stored in the clear.
    pub fn secrets(&self) -> Secrets {
        Secrets(vec![
            ("AppSecret", SECRET.to_owned()),
            ("callback token", self.token.clone()),
            ("EncodingAESKey", self.aes_key.clone()),
        ])
    }
}

/// Connects an account by its three fields. Returns what is shown to be copied.
pub async fn connect_account(
    page: &Window,
    name: &str,
    appid: &str,
    secret: &str,
) -> ConsoleValues {
    for (n, text) in [(1, name), (2, appid), (3, secret)] {
        fill_control(page, &account_field(n), text).await;
    }
    submit_account(page, name, appid).await
}

/// Selector of a field of the form that connects an account, from the first one on.
fn account_field(n: usize) -> String {
    format!("#connecting .fields .field:nth-child({n}) input")
}

/// Sends the form. Returns what is shown to be copied.
async fn submit_account(page: &Window, name: &str, appid: &str) -> ConsoleValues {
    page.click("#connecting .primary").await;
    page.wait_for_text("#accounts", appid).await;
    page.wait_for_text("#console-values h3", "服务器配置").await;
    let url = shown_value(page, "URL").await;
    assert!(url.ends_with(&format!("/wechat/{name}")), "{url}");
    ConsoleValues {
        url,
        token: shown_value(page, "Token").await,
        aes_key: shown_value(page, "EncodingAESKey").await,
    }
}

/// The account at WeChat, once its owner has entered in the console what the page has made.
pub fn wechat_account(made: &ConsoleValues) -> SimAccount {
    SimAccount {
        appid: APPID.to_owned(),
        secret: SECRET.to_owned(),
        callback_token: made.token.clone(),
        aes_key: made.aes_key.clone(),
        mode: PushMode::Secure,
        callback_urls: vec![made.url.clone()],
        ..SimAccount::default()
    }
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

/// Shows the address of an owner in place of the test's.
const PUBLIC_ADDRESS_SCRIPT: &str = "
document.querySelector('#console-values .hints')?.remove();
const url = document.querySelector('#console-values input.made');
url.value = url.value.replace(/^.*?(?=\\/wechat)/, 'https://queue.example.com');";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_empty_folder_becomes_a_shop_that_serves_by_clicks_and_three_fields() {
    let [port, wechat_port] = [(); 2].map(|()| free_port());
    let pages = format!("http://127.0.0.1:{port}");
    let environment = environment(&pages, port, wechat_port);
    let mut program = Program::start_with(PROGRAM, &[], &[], environment.clone());
    wait_until("the program runs", PAGE_TIMEOUT, async || {
        program.output().contains("paihao first-manager")
    })
    .await;
    let link = first_manager_link(&program, &[], &environment).await;
    let begun = Instant::now();

    // There is nothing to scan yet: the link's holder manages in this browser.
    let browser = Browser::start().await;
    let mut owner = Owner::new(browser.open(&link).await);
    owner.page.wait_for_text("#first-here", "成为管理员").await;
    owner.page.wait_until_hidden("#login .codebox").await;
    take_guide_picture(&owner.page, "welcome", "main", NARROW).await;
    owner.page.click("#first-here").await;
    owner.page.wait_for_text("#accounts", "还没有公众号").await;
    owner.wait_for_step("wechat").await;
    take_pictures(&owner.page, "first-day-empty", ALL_SCREENS).await;
    take_guide_picture(&owner.page, "empty", "main", WIDE).await;

    let folder = program.folder().join("paihao-data");
    rehearse_and_end(&mut owner, &browser, &pages, &folder).await;

    // The account: two fields, since the shop waits for its name. What is made for WeChat's console
    // is copied there.
    for (n, text) in [(2, APPID), (3, SECRET)] {
        owner.fill(&account_field(n), text).await;
    }
    let made = submit_account(&owner.page, "shop", APPID).await;
    assert_eq!(made.url, format!("{pages}/wechat/shop"));
    let page = &owner.page;
    take_pictures(page, "first-day-account", OWNER_SCREENS).await;
    let listen = format!("127.0.0.1:{wechat_port}").parse().expect("an address");
    let config =
        SimConfig { accounts: vec![wechat_account(&made)], listen, ..SimConfig::default() };
    let wechat = Simulator::start(config).await.expect("the simulator listens");
    wechat.verify_server(Some(APPID), &made.url).await.expect("WeChat verifies the address");
    page.wait_for_text("#console-values", "微信已于").await;
    page.wait_for_text("#console-values", "AppID 和 AppSecret 正确").await;
    page.wait_for_text("#console-values [data-ability=codes]", "扫码就能取号").await;
    take_pictures(page, "first-day-abilities", OWNER_SCREENS).await;
    take_guide_picture(page, "connected", "#console-values [role=status]", NARROW).await;
    // The address of a test is none that WeChat takes; the picture has one of those.
    page.run_script(PUBLIC_ADDRESS_SCRIPT, json!([])).await;
    take_guide_picture(page, "account", "#console-values .card", WIDE).await;
    owner.wait_for_step("try").await;

    // People scan and are called, from the first number on.
    let kiosk = browser.open(&format!("{pages}/kiosk/restaurant?queue=small")).await;
    let link = kiosk_code_link(&kiosk).await;
    take_guide_picture(&kiosk, "kiosk", "main", NARROW).await;
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
    owner.wait_for_step("templates").await;
    desk.wait_for_text("#desk #number", "A001").await;
    take_guide_picture(&desk, "console", "main", WIDE).await;

    // What the guide goes on with.
    let site = format!("{pages}/manage/restaurant");
    for (section, title, picture) in [
        ("templates", "消息模板", "templates"),
        ("hours", "开放时间", "hours"),
        ("handover", "交付", "hand-over"),
    ] {
        page.navigate("about:blank").await;
        page.navigate(&format!("{site}#{section}")).await;
        page.wait_for_text("#place h2", title).await;
        take_guide_picture(page, picture, "#place", WIDE).await;
    }

    // Nothing that stays has a secret.
    let secrets = made.secrets();
    page.navigate(&format!("{pages}/manage")).await;
    page.wait_for_text("#accounts", "shop").await;
    for window in [page, &kiosk, &desk] {
        secrets.assert_not_on(window).await;
    }
    secrets.assert_not_told_to(page).await;
    let backup = backup(&program, &environment).await;
    secrets.assert_not_in("the backup", &backup);
    assert!(backup.windows(APPID.len()).any(|window| window == APPID.as_bytes()));
    program.stop();
    assert!(secrets.assert_not_below(program.folder()) > 10_000, "the store was searched");
    let (fields, pages) = (owner.fields, browser.opened_pages());
    println!("{fields} fields, {pages} pages, {} s", begun.elapsed().as_secs());
    assert!(fields <= MAX_FIELDS && pages <= MAX_PAGES, "{fields} fields, {pages} pages");
    browser
        .quit(&["status of 401", "status of 404", "status of 409", "status of 503", "ERR_"])
        .await;
    wechat.stop().await;
}
