//! Test of an owner's first day: from an empty folder over a rehearsal to a number and its call, in
//! the browser.

use crate::browser::{Browser, PAGE_TIMEOUT};
use crate::demo::{chat_selector, kiosk_code_link, scan};
use crate::manage::fill_control;
use crate::pictures::{
    NOTEBOOK, PHONE, PORTRAIT, SMALL_PHONE, Screen, TABLET, WALL, take_pictures,
};
use crate::window::Window;
use harness::{Program, free_port, wait_until};
use serde_json::json;
use std::ffi::OsString;
use std::path::Path;
use std::process::Command;
use wechat_sim::{PushMode, Routing, SimAccount, SimConfig, Simulator};

const PROGRAM: &str = env!("CARGO_BIN_EXE_paihao");
const APPID: &str = "wx00000000f1257da1";
const SECRET: &str = "f1r57da4f1r57da4f1r57da4f1r57da4";

/// Most fields that an owner types into on the way.
const MAX_FIELDS: usize = 12;
/// Screens of a page that an owner sees on the way, and of one that hangs in the hall.
const OWNER_SCREENS: &[Screen] = &[SMALL_PHONE, PHONE, TABLET, NOTEBOOK];
const ALL_SCREENS: &[Screen] = &[PHONE, TABLET, NOTEBOOK, WALL, PORTRAIT];

/// Environment that stands for the internet: the address of the pages, and WeChat's.
fn environment(pages: &str, port: u16, wechat: u16) -> Vec<(OsString, OsString)> {
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
async fn first_manager_link(program: &Program, environment: &[(OsString, OsString)]) -> String {
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

/// Owner in a browser, whose fields are counted.
struct Owner {
    page: Window,
    fields: usize,
}

impl Owner {
    async fn fill(&mut self, css: &str, text: &str) {
        fill_control(&self.page, css, text).await;
        self.fields += 1;
    }

    /// Waits for the step that comes next.
    async fn wait_for_step(&self, step: &str) {
        let next = format!("#first-steps [data-step={step}][data-state=next]");
        self.page.wait_for_text(&next, "下一步").await;
    }
}

/// Returns whether a text stands in any file below a folder, byte for byte.
fn is_stored(folder: &Path, text: &str) -> bool {
    let mut open = vec![folder.to_owned()];
    while let Some(folder) = open.pop() {
        for entry in std::fs::read_dir(folder).expect("a folder").flatten() {
            let path = entry.path();
            if path.is_dir() {
                open.push(path);
            } else if std::fs::read(&path)
                .is_ok_and(|bytes| bytes.windows(text.len()).any(|part| part == text.as_bytes()))
            {
                return true;
            }
        }
    }
    false
}

/// Openids of the simulated people who have done something.
const OPENIDS_SCRIPT: &str = "
return fetch('/sim/api/people').then(answer => answer.json())
  .then(people => people.map(person => person.openid));";

/// Rehearses: sets the shop up, lets a simulated phone scan, and calls it. Returns openids.
async fn rehearse(owner: &mut Owner, browser: &Browser, pages: &str) -> Vec<String> {
    owner.page.click("#first-steps [data-step=wechat] .primary").await;
    owner.page.wait_for_text(".rehearsal", "彩排中").await;
    owner.wait_for_step("shop").await;
    owner.page.wait_for_text("#accounts", "彩排用的模拟公众号").await;
    take_pictures(&owner.page, "rehearsal-begun", OWNER_SCREENS).await;

    // The shop: its name.
    owner.fill("#new-site input[maxlength=\"40\"]", "老街面馆").await;
    fill_control(&owner.page, "#new-site select", "restaurant").await;
    owner.page.click("#new-site button").await;
    owner.page.wait_for_text("#site", "老街面馆").await;
    owner.page.wait_for_text("#steps", "还有").await;
    take_pictures(&owner.page, "rehearsal-site", OWNER_SCREENS).await;
    owner.page.click("#steps").await;
    owner.wait_for_step("try").await;

    let kiosk = browser.open(&format!("{pages}/kiosk/restaurant?queue=small")).await;
    let link = kiosk_code_link(&kiosk).await;
    assert!(link.starts_with(&format!("{pages}/phones/?scan=")), "{link}");
    take_pictures(&kiosk, "rehearsal-kiosk", ALL_SCREENS).await;
    let phones = browser.open(&link).await;
    scan(&phones, 1).await;
    phones.wait_for_text(&chat_selector(1), "A001").await;
    kiosk.close().await;
    let ticket = phones.run_script(TICKET_SCRIPT, json!([])).await;
    let ticket = browser.open(ticket.as_str().expect("a link to the ticket")).await;
    ticket.wait_for_text("#number", "A001").await;
    take_pictures(&ticket, "rehearsal-ticket", &[SMALL_PHONE, PHONE]).await;
    ticket.close().await;

    let desk = browser.open(&format!("{pages}/console/restaurant")).await;
    desk.click("#open:enabled").await;
    desk.click("#next:enabled").await;
    desk.wait_for_text(".rehearsal", "彩排中").await;
    phones.wait_for_text(&format!("{} .card", chat_selector(1)), "迎宾台 1").await;
    take_pictures(&desk, "rehearsal-console", &[PHONE, NOTEBOOK]).await;
    desk.close().await;
    let board = browser.open(&format!("{pages}/board/restaurant?voice=off")).await;
    board.wait_for_text("#hero .number", "A001").await;
    board.wait_for_text(".rehearsal", "彩排中").await;
    take_pictures(&board, "rehearsal-board", ALL_SCREENS).await;
    board.close().await;
    let openids = phones.run_script(OPENIDS_SCRIPT, json!([])).await;
    phones.close().await;
    let openids = openids.as_array().expect("people").iter();
    openids.map(|openid| openid.as_str().expect("an openid").to_owned()).collect()
}

/// Address of the ticket's page in the chat of the first phone.
const TICKET_SCRIPT: &str = "
return document.querySelector('.phone:nth-child(1) .chat a[href*=\"/t/\"]')?.href;";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_empty_folder_becomes_a_shop_that_serves_by_clicks_and_three_fields() {
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
    let mut owner = Owner { page: browser.open(&link).await, fields: 0 };
    owner.page.click("#first-here").await;
    owner.page.wait_for_text("#accounts", "还没有公众号").await;
    owner.wait_for_step("wechat").await;
    take_pictures(&owner.page, "first-day-empty", ALL_SCREENS).await;

    let openids = rehearse(&mut owner, &browser, &pages).await;
    assert!(!openids.is_empty());
    let folder = program.folder().join("paihao-data");
    assert!(is_stored(&folder, &openids[0]), "the rehearsal is stored while it goes on");

    // One switch: the browser stays logged in, what was set up is there, and the rest is gone.
    owner.wait_for_step("real").await;
    take_pictures(&owner.page, "rehearsal-ending", OWNER_SCREENS).await;
    let end = "#first-steps [data-step=real] .remove";
    owner.page.click(end).await;
    owner.page.wait_for_text(end, "再按一次").await;
    owner.page.click(end).await;
    owner.page.wait_for_text("#first-steps [data-step=wechat]", "门店在等公众号「shop」").await;
    owner.page.wait_until_hidden(".rehearsal").await;
    owner.wait_for_step("wechat").await;
    take_pictures(&owner.page, "rehearsal-ended", OWNER_SCREENS).await;
    for text in openids.iter().map(String::as_str).chain(["取号成功"]) {
        assert!(!is_stored(&folder, text), "{text} is still stored");
    }

    // The account: two fields, since the shop waits for its name. What is made for WeChat's console
    // is copied there.
    let field = |n: usize| format!("#connecting .fields .field:nth-child({n}) input");
    owner.fill(&field(2), APPID).await;
    owner.fill(&field(3), SECRET).await;
    owner.page.click("#connecting .primary").await;
    owner.page.wait_for_text("#console-values h3", "服务器配置").await;
    let page = &owner.page;
    let [url, token, aes_key] = [
        shown_value(page, "URL").await,
        shown_value(page, "Token").await,
        shown_value(page, "EncodingAESKey").await,
    ];
    assert_eq!(url, format!("{pages}/wechat/shop"));
    take_pictures(page, "first-day-account", OWNER_SCREENS).await;
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
    page.wait_for_text("#console-values [data-ability=codes]", "扫码就能取号").await;
    take_pictures(page, "first-day-abilities", OWNER_SCREENS).await;
    owner.wait_for_step("try").await;

    // People scan and are called, from the first number on.
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
    owner.wait_for_step("templates").await;

    let html = "return document.documentElement.outerHTML";
    let shown = owner.page.run_script(html, json!([])).await;
    assert!(!shown.as_str().expect("a page").contains(SECRET), "the secret is on the page");
    assert!(!program.output().contains(SECRET), "the secret is in the log");
    assert!(!is_stored(&folder, SECRET), "the secret is stored in the clear");
    assert!(owner.fields <= MAX_FIELDS, "{} fields", owner.fields);
    browser
        .quit(&["status of 401", "status of 404", "status of 409", "status of 503", "ERR_"])
        .await;
    wechat.stop().await;
}
