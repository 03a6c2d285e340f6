//! Tests of the button that begins another rehearsal: in every state in which an owner may want
//! one, with what is there in the rehearsal, and with what is there when it is over.

use crate::browser::PAGE_TIMEOUT;
use crate::demo::{chat_selector, kiosk_code_link, scan};
use crate::first_day::{APPID, SECRET, environment, manage_an_empty_folder};
use crate::handover::check_paper;
use crate::pictures::{ALL_SCREENS, take_pictures};
use crate::rehearsal::OWNER_SCREENS;
use crate::templates::{OwnersShop, site};
use crate::window::Window;
use harness::{free_port, wait_until};
use serde_json::{Value, json};
use wechat_sim::{PushMode, Routing, SimAccount, SimConfig, SimTemplate, Simulator};

const AGAIN_BUTTON: &str = "#rehearse-again .remove";
const FIRST: &str = "#first-steps [data-step=wechat] .primary";
const KEEP: &str = "#first-steps [data-step=real] .remove:nth-of-type(1)";
const FORGET: &str = "#first-steps [data-step=real] .remove:nth-of-type(2)";

/// Sends a request of the owner, with the newest revision of what is there.
const SEND_SCRIPT: &str = "
const [method, path, body] = arguments;
return (async () => {
  const headers = { 'x-paihao-page': '1', 'content-type': 'application/json' };
  const tag = (await fetch(path, { headers })).headers.get('etag');
  const more = tag && method !== 'GET' ? { 'if-match': tag } : {};
  const answer = await fetch(path, {
    method, headers: { ...headers, ...more }, body: body ? JSON.stringify(body) : undefined });
  return [answer.status, await answer.json().catch(() => null)];
})();";

async fn send(page: &Window, method: &str, path: &str, body: Value) -> Value {
    let answer = page.run_script(SEND_SCRIPT, json!([method, path, body])).await;
    assert_eq!(answer[0], 200, "{method} {path}: {answer}");
    answer[1].clone()
}

/// Ids of the sites, in their order.
async fn sites(page: &Window) -> Vec<String> {
    let sites = send(page, "GET", "/api/v1/book/sites", Value::Null).await;
    let ids = sites.as_array().expect("a list").iter();
    ids.map(|site| site["site"].as_str().expect("an id").to_owned()).collect()
}

/// Numbers of a site that are in its line.
async fn numbers(page: &Window, site: &str) -> Vec<String> {
    let answer = send(page, "GET", &format!("/api/v1/sites/{site}/tickets"), Value::Null).await;
    let tickets = answer["tickets"].as_array().expect("a list").iter();
    tickets.map(|ticket| ticket["number"].as_str().expect("a number").to_owned()).collect()
}

/// Opens the page of all sites.
async fn open_all_sites(page: &Window, pages: &str) {
    page.navigate(&format!("{pages}/manage")).await;
    page.wait_for_text("#place h2", "公众号连接").await;
}

/// Presses a button that wants a second press.
async fn press_twice(page: &Window, button: &str) {
    page.click(button).await;
    page.wait_for_text(button, "再按一次").await;
    page.click(button).await;
}

/// Begins a rehearsal with a button, and waits until it is there.
async fn begin(page: &Window, button: &str) {
    if button == AGAIN_BUTTON {
        page.click(button).await;
        page.wait_for_text(button, "真的公众号停着；再按一次就开始").await;
    }
    page.click(button).await;
    page.wait_for_text(".rehearsal", "彩排中").await;
    page.wait_for_text("#accounts", "彩排用的模拟公众号").await;
    page.wait_for_text("#first-steps [data-step=real]", "换成真的公众号").await;
    assert!(page.texts(AGAIN_BUTTON).await.is_empty(), "one is under way");
}

/// Ends the rehearsal with a button, and waits until it is over.
async fn end(page: &Window, button: &str) {
    press_twice(page, button).await;
    page.wait_until_hidden(".rehearsal").await;
    page.wait_for_text("#place h2", "公众号连接").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_rehearsal_can_begin_with_and_without_sites_and_an_account() {
    let [port, wechat_port] = [(); 2].map(|()| free_port());
    let pages = format!("http://127.0.0.1:{port}");
    let (token, aes_key) =
        ("tokenOfTheFirstShop2026", "f1r57sh0pijklmnopqrstuvwxyz0123456789ABCDEF");
    let account = SimAccount {
        appid: APPID.to_owned(),
        secret: SECRET.to_owned(),
        callback_token: token.to_owned(),
        aes_key: aes_key.to_owned(),
        mode: PushMode::Secure,
        ..SimAccount::default()
    };
    let listen = format!("127.0.0.1:{wechat_port}").parse().expect("an address");
    let config = SimConfig { accounts: vec![account], listen, ..SimConfig::default() };
    let wechat = Simulator::start(config).await.expect("the simulator listens");
    let environment = environment(&pages, port, wechat_port);
    let (_program, browser, page) = manage_an_empty_folder(&environment).await;

    // With each button once: the rehearsal has the sites, and forgets its own if it is told to.
    let rehearse = async |button: &str, other: &str, expected: &[&str]| {
        let hidden = if button == AGAIN_BUTTON { FIRST } else { AGAIN_BUTTON };
        page.wait_for_text(button, "彩排").await;
        assert!(page.texts(hidden).await.is_empty(), "{hidden} is shown beside {button}");
        begin(&page, button).await;
        assert_eq!(sites(&page).await, expected);
        send(&page, "PUT", &format!("/api/v1/book/sites/{other}"), site("shop", 1)).await;
        end(&page, FORGET).await;
        assert_eq!(sites(&page).await, expected);
    };
    rehearse(FIRST, "thrown-away", &[]).await;
    begin(&page, FIRST).await;
    send(&page, "PUT", "/api/v1/book/sites/one", site("shop", 1)).await;
    send(&page, "PUT", "/api/v1/book/sites/two", site("shop", 1)).await;
    end(&page, KEEP).await;
    assert_eq!(sites(&page).await, ["one", "two"]);
    page.wait_for_text("#first-steps [data-step=wechat]", "门店在等公众号「shop」").await;
    rehearse(AGAIN_BUTTON, "three", &["one", "two"]).await;

    // The account, before WeChat has verified its address and after.
    let credentials = json!({
        "appid": APPID, "secret": SECRET, "callback_token": token, "aes_key": aes_key,
    });
    send(&page, "PUT", "/api/v1/accounts/shop", credentials).await;
    open_all_sites(&page, &pages).await;
    page.wait_for_text("#first-steps [data-step=wechat]", "公众号已添加").await;
    rehearse(AGAIN_BUTTON, "three", &["one", "two"]).await;
    // Nothing but the cache, which ends with the process, knows that an address was verified.
    let url = format!("{pages}/wechat/shop");
    let verify = async || {
        wechat.verify_server(Some(APPID), &url).await.expect("WeChat verifies the address");
    };
    verify().await;
    open_all_sites(&page, &pages).await;
    page.wait_for_text("#first-steps [data-step=try]", "下一步").await;
    rehearse(AGAIN_BUTTON, "three", &["one", "two"]).await;
    for site in ["one", "two"] {
        send(&page, "DELETE", &format!("/api/v1/book/sites/{site}"), Value::Null).await;
    }
    verify().await;
    open_all_sites(&page, &pages).await;
    page.wait_for_text("#first-steps [data-step=shop]", "下一步").await;
    take_pictures(&page, "rehearse-again-no-site", OWNER_SCREENS).await;
    rehearse(AGAIN_BUTTON, "three", &[]).await;
    page.wait_for_text(FIRST, "先彩排").await;
    browser
        .quit(&["status of 401", "status of 404", "status of 409", "status of 503", "ERR_"])
        .await;
    wechat.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_shop_in_service_is_rehearsed_again_and_stands_as_it_stood() {
    let fields = [("thing1", "门店名称"), ("character_string2", "号码"), ("thing3", "窗口")];
    let own = SimTemplate::new("OWN-TEMPLATE-OF-THE-SHOP", "叫号通知", &fields);
    let template = json!({
        "template_id": own.template_id,
        "fields": { "thing1": "{site}", "character_string2": "{number}", "thing3": "{counter}" },
    });
    let shop = OwnersShop::start(vec![own], 1).await;
    let (page, wechat) = (&shop.page, &shop.wechat);
    send(page, "PUT", "/api/v1/book/accounts/shop", json!({ "called": template })).await;
    send(page, "PUT", "/api/v1/book/sites/other", site("shop", 1)).await;
    let url = format!("{}/wechat/shop", shop.pages);
    wechat.verify_server(Some(APPID), &url).await.expect("WeChat verifies the address");
    let kiosk = shop.browser.open(&format!("{}/kiosk/hall?queue=q1", shop.pages)).await;
    let link = kiosk_code_link(&kiosk).await;
    let (_, code) = link.split_once("?scan=").expect("the code is in the link");
    let scanned = wechat.scan("oFirstGuest", code, Routing::default()).await;
    assert!(scanned.reply.unwrap_or_default().contains("A001"));
    kiosk.close().await;

    // The steps may be hidden: the way to a rehearsal stays.
    open_all_sites(page, &shop.pages).await;
    page.wait_for_text(AGAIN_BUTTON, "再彩排一次").await;
    page.click("#place .name .ghost").await;
    page.wait_until_hidden("#first-steps").await;
    take_pictures(page, "rehearse-again", OWNER_SCREENS).await;
    begin(page, AGAIN_BUTTON).await;
    assert_eq!(sites(page).await, ["hall", "other"]);
    for site in ["hall", "other"] {
        assert_eq!(numbers(page, site).await, [] as [&str; 0], "{site} has a line of its own");
    }
    take_pictures(page, "rehearse-again-begun", OWNER_SCREENS).await;
    // Nobody puts its paper up by mistake.
    let poster = shop.browser.open(&format!("{}/poster/hall", shop.pages)).await;
    for size in ["a4", "a5", "tent"] {
        poster.navigate(&format!("{}/poster/hall?size={size}", shop.pages)).await;
        poster.wait_for_text(".sheet .rehearsal", "彩排，请勿张贴").await;
        take_pictures(&poster, &format!("rehearsal-poster-{size}"), ALL_SCREENS).await;
        check_paper(&poster, &format!("paper-rehearsal-{size}"), 1).await;
        poster.set_screen(1440, 900, "light").await;
    }
    poster.close().await;
    // The real account is not heard.
    let unheard = wechat.scan("oSecondGuest", code, Routing::default()).await;
    assert_eq!(unheard.reply, None);
    for site in ["hall", "other"] {
        let kiosk = shop.browser.open(&format!("{}/kiosk/{site}?queue=q1", shop.pages)).await;
        let phones = shop.browser.open(&kiosk_code_link(&kiosk).await).await;
        scan(&phones, 1).await;
        phones.wait_for_text(&chat_selector(1), "A001").await;
        kiosk.close().await;
        let desk = shop.browser.open(&format!("{}/console/{site}", shop.pages)).await;
        desk.click("#open:enabled").await;
        desk.click("#next:enabled").await;
        // By a template of the simulated account: it has none of the real one's.
        phones.wait_for_text(&format!("{} .card", chat_selector(1)), "1号窗口").await;
        desk.close().await;
        phones.close().await;
        assert_eq!(numbers(page, site).await, ["A001"]);
    }
    send(page, "PUT", "/api/v1/book/sites/third", site("shop", 1)).await;
    end(page, KEEP).await;
    assert_eq!(sites(page).await, ["hall", "other", "third"]);
    assert_eq!(numbers(page, "hall").await, ["A001"]);
    assert_eq!(numbers(page, "other").await, [] as [&str; 0]);
    let kept = send(page, "GET", "/api/v1/book/accounts/shop", Value::Null).await;
    assert_eq!(kept["called"], template);
    assert_eq!((&kept["missed"], &kept["progress"]), (&Value::Null, &Value::Null));

    // The real line goes on: its first number is called by the account's own template.
    let desk = shop.browser.open(&format!("{}/console/hall", shop.pages)).await;
    desk.click("#open:enabled").await;
    desk.click("#next:enabled").await;
    desk.wait_for_text("#desk #number", "A001").await;
    wait_until("the call is sent", PAGE_TIMEOUT, async || {
        !wechat.messages("oFirstGuest").is_empty()
    })
    .await;
    assert_eq!(wechat.messages("oFirstGuest")[0].template_id, "OWN-TEMPLATE-OF-THE-SHOP");
    assert!(wechat.messages("oSecondGuest").is_empty());
    page.wait_for_text(AGAIN_BUTTON, "再彩排一次").await;
    shop.browser
        .quit(&["status of 401", "status of 404", "status of 409", "status of 503", "ERR_"])
        .await;
    shop.wechat.stop().await;
}
