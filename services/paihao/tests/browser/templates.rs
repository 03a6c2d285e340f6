//! Tests of the section of templates: chosen by menus, tested by a scan, used by the next notice.

use crate::browser::{Browser, PAGE_TIMEOUT};
use crate::first_day::{APPID, SECRET, environment, manage_an_empty_folder};
use crate::manage::{fill_control, open_section};
use crate::pictures::{NOTEBOOK, PHONE, Screen, take_pictures};
use crate::window::Window;
use harness::{Program, free_port, wait_until};
use serde_json::{Map, Value, json};
use wechat_sim::{PushMode, Routing, SimAccount, SimConfig, SimTemplate, Simulator};

/// Screens of the owner's pages.
pub const OWNER_SCREENS: &[Screen] = &[
    PHONE,
    ("tablet", 768, 1024),
    NOTEBOOK,
    ("wall", 1920, 1080),
    ("portrait", 1080, 1920),
    ("long-phone", 390, 4000),
];
const TOKEN: &str = "tokenOfTheFirstShop2026";
const AES_KEY: &str = "f1r57sh0pijklmnopqrstuvwxyz0123456789ABCDEF";

/// Program without a configuration, with an account of a simulated WeChat and a site that was set
/// up through the API, as its owner sees it.
pub struct OwnersShop {
    pub browser: Browser,
    pub page: Window,
    pub pages: String,
    pub wechat: Simulator,
    _program: Program,
}

impl OwnersShop {
    /// Starts with these templates of the account, and so many queues and counters.
    pub async fn start(templates: Vec<SimTemplate>, size: usize) -> OwnersShop {
        OwnersShop::start_beside(templates, size, Vec::new()).await
    }

    /// Starts it with further accounts at WeChat, which are not connected yet.
    pub async fn start_beside(
        templates: Vec<SimTemplate>,
        size: usize,
        further: Vec<SimAccount>,
    ) -> OwnersShop {
        let [port, wechat_port] = [(); 2].map(|()| free_port());
        let pages = format!("http://127.0.0.1:{port}");
        let environment = environment(&pages, port, wechat_port);
        let account = SimAccount {
            appid: APPID.to_owned(),
            secret: SECRET.to_owned(),
            callback_token: TOKEN.to_owned(),
            aes_key: AES_KEY.to_owned(),
            mode: PushMode::Secure,
            callback_urls: vec![format!("{pages}/wechat/shop")],
            ..SimAccount::default()
        };
        let listen = format!("127.0.0.1:{wechat_port}").parse().expect("an address");
        let accounts = std::iter::once(account).chain(further.into_iter().map(|mut account| {
            let name = account.name.clone();
            account.callback_urls = vec![format!("{pages}/wechat/{name}")];
            account
        }));
        let accounts = accounts.collect();
        let config = SimConfig { accounts, listen, templates, ..SimConfig::default() };
        let wechat = Simulator::start(config).await.expect("the simulator listens");
        let (program, browser, page) = manage_an_empty_folder(&environment).await;
        let shop = OwnersShop { browser, page, pages, wechat, _program: program };
        let credentials = json!({
            "appid": APPID, "secret": SECRET, "callback_token": TOKEN, "aes_key": AES_KEY,
        });
        shop.put("/api/v1/accounts/shop", credentials).await;
        shop.put("/api/v1/book/sites/hall", site("shop", size)).await;
        shop.page.navigate(&format!("{}/manage/hall", shop.pages)).await;
        shop.page.wait_for_text("#site", "老街面馆").await;
        shop
    }

    /// Sets a document that is not there yet.
    pub async fn put(&self, path: &str, body: Value) {
        self.page.run_script(PUT_SCRIPT, json!([path, body])).await;
    }

    /// Scans the code whose link is on a page.
    async fn scan_shown(&self, person: &str, css: &str) -> String {
        let link = self.page.run_script(LINK_SCRIPT, json!([css])).await;
        let code =
            link.as_str().expect("a link").split_once("?scan=").expect("a code").1.to_owned();
        let scanned = self.wechat.scan(person, &code, Routing::default()).await;
        scanned.reply.unwrap_or_default()
    }
}

const LINK_SCRIPT: &str = "return document.querySelector(arguments[0]).getAttribute('href');";
const PUT_SCRIPT: &str = "
const [path, body] = arguments;
return import(new URL('../../shared/http.js', document.querySelector('script[type=module]').src)).then(({ fetchJson }) =>
  fetchJson(path, { method: 'PUT', body: JSON.stringify(body),
    headers: { 'content-type': 'application/json' } }));";

/// Site of an account, with so many queues and counters.
pub fn site(account: &str, size: usize) -> Value {
    let queue = |n: usize| {
        let name =
            if n == 1 { "堂食小桌".to_owned() } else { format!("第{n}号业务办理队列") };
        // I and O do not read well in front of a number.
        let prefix = &"ABCDEFGHJKLMNPQRSTUV"[n - 1..n];
        (format!("q{n}"), json!({"name": name, "prefix": prefix}))
    };
    let queues: Map<String, Value> = (1..=size).map(queue).collect();
    let ids: Vec<String> = queues.keys().cloned().collect();
    let counter =
        |n: usize| (format!("c{n}"), json!({"name": format!("{n}号窗口"), "queues": ids}));
    let counters: Map<String, Value> = (1..=size).map(counter).collect();
    json!({"account": account, "name": "老街面馆", "queues": queues, "counters": counters})
}

/// Selector of a part of the card of a notice.
pub fn part(notice: &str, rest: &str) -> String {
    format!("[data-notice={notice}] [data-kind=message] {rest}")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_template_is_chosen_by_menus_tested_by_a_scan_and_used_by_the_next_call() {
    let shop = OwnersShop::start(vec![SimTemplate::demo().remove(1)], 1).await;
    let page = &shop.page;
    open_section(page, "templates", "消息模板").await;
    page.wait_for_text("#templates", "叫号").await;
    take_pictures(page, "templates-none", &[PHONE, NOTEBOOK]).await;

    fill_control(page, &part("called", "select"), SimTemplate::DEMO_CALLED).await;
    page.wait_for_text(&part("called", "dd"), "老街面馆").await;
    page.wait_for_text(&part("called", "dd"), "A012").await;
    page.wait_for_text(&part("called", "dd"), "1号窗口").await;
    // A name cannot stand in a field without Chinese: the choice says why, and cannot be made.
    let option = part("called", "[data-field=character_string2] option[value='{site}']:disabled");
    let why =
        page.run_script("return document.querySelector(arguments[0]).textContent", json!([option]));
    assert!(why.await.as_str().expect("a choice").contains("不收这样的字符"));
    take_pictures(page, "templates-one", OWNER_SCREENS).await;
    // Other words are checked as they are typed, and nothing wrong can be saved.
    fill_control(page, &part("called", "[data-field=time4] select"), "=").await;
    fill_control(page, &part("called", "[data-field=time4] input"), "今天下午").await;
    page.wait_for_text(&part("called", "[data-field=time4] .wrong"), "不是这个字段的格式").await;
    let disabled = "return document.querySelector('[data-notice=called] .primary').disabled";
    assert_eq!(page.run_script(disabled, json!([])).await, json!(true));
    fill_control(page, &part("called", "[data-field=time4] select"), "{time}").await;

    page.click(&part("called", "button[data-test=message]")).await;
    let picture = part("called", ".template-test a");
    page.wait_until("the code is shown", async || {
        let found = "return Boolean(document.querySelector(arguments[0]))";
        page.run_script(found, json!([picture])).await == json!(true)
    })
    .await;
    take_pictures(page, "templates-test", &[PHONE, NOTEBOOK]).await;
    let reply = shop.scan_shown("oTesterOfTheShop", &picture).await;
    assert!(reply.contains("测试消息已交给微信"), "{reply}");
    page.wait_for_text(&part("called", ".template-test"), "已送达").await;
    assert_eq!(shop.wechat.messages("oTesterOfTheShop").len(), 1);
    page.click("[data-notice=called] .primary:enabled").await;
    page.wait_for_text(".told.done", "下一条消息就用它").await;

    // The library has one for a missed number.
    page.click(&part("missed", "button[data-add=message]")).await;
    page.wait_for_text(&part("missed", "dd"), "已过号").await;
    page.click("[data-notice=missed] .primary:enabled").await;
    page.wait_for_text(".told.done", "下一条消息就用它").await;
    take_pictures(page, "templates-chosen", OWNER_SCREENS).await;

    let kiosk = shop.browser.open(&format!("{}/kiosk/hall?queue=q1", shop.pages)).await;
    let link = crate::demo::kiosk_code_link(&kiosk).await;
    let (_, code) = link.split_once("?scan=").expect("the code is in the link");
    let scanned = shop.wechat.scan("oFirstGuest", code, Routing::default()).await;
    assert!(scanned.reply.unwrap_or_default().contains("取号成功"));
    let desk = shop.browser.open(&format!("{}/console/hall", shop.pages)).await;
    desk.click("#open:enabled").await;
    desk.click("#next:enabled").await;
    wait_until("the call is sent by the template", PAGE_TIMEOUT, async || {
        let sent = shop.wechat.messages("oFirstGuest");
        sent.iter().any(|message| message.template_id == SimTemplate::DEMO_CALLED)
    })
    .await;
    let shown = page.run_script("return document.documentElement.outerHTML", json!([])).await;
    let shown = shown.as_str().expect("a page");
    assert!(!shown.contains("oTesterOfTheShop") && !shown.contains(SECRET));
    shop.browser.quit(&["status of 401", "status of 404", "status of 409"]).await;
    shop.wechat.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn twenty_templates_and_an_old_one_are_a_menu() {
    let mut templates = SimTemplate::demo();
    templates.push(SimTemplate::new("OLD", "旧版排队提醒", &[("first", ""), ("keyword1", "号码")]));
    for n in templates.len()..20 {
        let title = format!("第{n}种服务进度变更与办理结果通知提醒");
        let fields =
            [("thing1", "服务内容说明"), ("phrase2", "办理状态"), ("number3", "前方等待人数")];
        templates.push(SimTemplate::new(&format!("T{n}"), &title, &fields));
    }
    let shop = OwnersShop::start(templates, 20).await;
    let page = &shop.page;
    open_section(page, "templates", "消息模板").await;
    page.wait_for_text("#templates", "叫号").await;
    let options = "return [...document.querySelector(arguments[0]).options]
      .map(option => [option.textContent, option.disabled])";
    let options = page.run_script(options, json!([part("progress", "select")])).await;
    let options = options.as_array().expect("options").clone();
    assert_eq!(options.len(), 21);
    let old = options.iter().find(|one| one[0].as_str().is_some_and(|text| text.contains("旧版")));
    assert_eq!(old.expect("it is listed")[1], true);
    fill_control(page, &part("progress", "select"), "T19").await;
    page.wait_for_text(&part("progress", ".template-missing"), "卡片上没有号码").await;
    take_pictures(page, "templates-twenty", OWNER_SCREENS).await;
    shop.browser.quit(&["status of 401", "status of 404", "status of 409"]).await;
    shop.wechat.stop().await;
}
