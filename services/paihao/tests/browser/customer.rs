//! Tests of the customer's ticket page: from the scan to the end, without network, and after the
//! phone has slept.

use crate::browser::Browser;
use crate::demo::{Demo, chat_selector};
use crate::pictures::{STAFF_SCREENS, take_pictures};
use crate::window::Window;
use harness::Proxy;
use serde_json::json;

/// Waits for the link in a person's first message, and returns it.
pub async fn ticket_link(phones: &Window, person: usize) -> String {
    let css = format!(".phone:nth-child({person}) .chat a");
    phones.wait_for_text(&css, "查看进度").await;
    let link =
        phones.run_script("return document.querySelector(arguments[0]).href", json!([css])).await;
    link.as_str().expect("a link").to_owned()
}

/// Performs an act of a counter through the API.
pub async fn press_counter_button(demo: &Demo, page: &Window, button: &str) {
    let address = demo.printed_address("#key=");
    let (_, key) = address.split_once("#key=").unwrap();
    assert_eq!(
        page.run_script(COUNTER_ACT_SCRIPT, json!([key, button])).await,
        json!(200),
        "{button}"
    );
}

#[tokio::test]
async fn a_ticket_page_follows_the_ticket_from_the_scan_to_the_end() {
    let demo = Demo::start().await;
    let browser = Browser::start().await;
    let phones = demo.add_people_in_line(&browser, 2).await;
    let first = ticket_link(&phones, 1).await;
    let second = ticket_link(&phones, 2).await;
    assert_ne!(first, second);
    let ann = browser.open("about:blank").await;
    ann.before_each_page(COUNT_VIBRATIONS_SCRIPT).await;
    ann.navigate(&first).await;
    let ben = browser.open(&second).await;
    ann.wait_for_text("#lead", "下一位就是您").await;
    // A phone vibrates only after the first touch of the page.
    ann.click("#number").await;
    ben.wait_for_text("#number", "A002").await;
    ben.wait_for_text("#lead", "前面还有 1 位").await;
    ben.wait_for_text("#wait", "分钟").await;
    ben.wait_for_text("#notices", "取号成功").await;

    press_counter_button(&demo, &ben, "counters/1/call-next").await;
    ann.wait_for_text("#hero[data-state=called] #where", "1号窗口").await;
    ann.wait_for_text("#clock", "前到").await;
    assert_eq!(ann.run_script("return vibrated", json!([])).await, json!(1));
    ann.wait_for_text("#notices .fate.told", "已").await;
    phones.wait_for_text(&format!("{} .card", chat_selector(1)), "A001").await;
    ben.wait_for_text("#last-called", "A001").await;
    ben.wait_for_text("#lead", "下一位就是您").await;

    // The call is undone: the other page shows one more ahead, with the cause.
    press_counter_button(&demo, &ben, "counters/1/put-back").await;
    ben.wait_for_text("#lead", "前面还有 1 位").await;
    ben.wait_for_text("#moves", "一次叫号被撤回，您前面多 1 位").await;
    ann.wait_for_text("#moves", "叫号已更正").await;

    press_counter_button(&demo, &ben, "counters/1/call-next").await;
    ann.wait_for_text("#hero[data-state=called]", "A001").await;
    press_counter_button(&demo, &ben, "counters/1/missed").await;
    ann.wait_for_text("#hero[data-state=missed] #lead", "前可以回来，顺延 3 位").await;
    ann.click("#act-return").await;
    ann.wait_for_text("#said.done", "您又在队伍里了").await;
    ann.wait_for_text("#hero[data-state=waiting] #lead", "前面还有 1 位").await;

    press_counter_button(&demo, &ben, "counters/1/call-next").await;
    press_counter_button(&demo, &ben, "counters/1/start").await;
    ben.wait_for_text("#hero[data-state=serving] #where", "1号窗口").await;
    press_counter_button(&demo, &ben, "counters/1/finish").await;
    ben.wait_for_text("#hero[data-state=done] #lead", "谢谢光临").await;
    ben.wait_until_hidden("#acts").await;
    browser.quit(&[]).await;
}

#[tokio::test]
async fn a_customer_lets_others_pass_chooses_a_notice_and_leaves() {
    let demo = Demo::start().await;
    let browser = Browser::start().await;
    let phones = demo.add_people_in_line(&browser, 2).await;
    let page = browser.open(&ticket_link(&phones, 1).await).await;
    page.click("#act-let-pass").await;
    page.wait_for_text("#sheet-text", "您的位置保留").await;
    page.click("#choices button").await;
    page.wait_for_text("#hero[data-state=held] #lead", "再让 1 位").await;
    page.click("#act-return").await;
    page.wait_for_text("#hero[data-state=waiting] #lead", "下一位就是您").await;

    page.click("#act-tell-me").await;
    page.click("#choices button:nth-child(4)").await;
    page.wait_for_text("#said.done", "到时提醒您").await;
    page.click("#act-tell-me").await;
    page.wait_for_text("#choices .chosen", "还剩 5 位时").await;
    page.click("#sheet-close").await;
    page.wait_until_hidden("#sheet").await;

    // Leaving needs a confirmation.
    page.click("#act-leave").await;
    page.wait_for_text("#sheet", "A001 号会作废").await;
    page.click("#sheet-close").await;
    page.wait_for_text("#hero[data-state=waiting]", "A001").await;
    page.click("#act-leave").await;
    page.click("#choices .danger").await;
    page.wait_for_text("#hero[data-state=closed] #lead", "您已取消").await;
    page.wait_until_hidden("#buttons button").await;

    let link = ticket_link(&phones, 2).await;
    let forged_link = format!("{}{}", &link[..link.len() - 4], "0000");
    page.navigate(&forged_link).await;
    page.wait_for_text("main", "没有这个号，或者已经过了保存时间").await;
    browser.quit(&["404"]).await;
}

#[tokio::test]
async fn a_lost_network_is_shown_and_no_act_is_lost_or_repeated() {
    let demo = Demo::start().await;
    let browser = Browser::start().await;
    let phones = demo.add_people_in_line(&browser, 2).await;
    let link = ticket_link(&phones, 1).await;
    let port = link.split([':', '/']).nth(4).unwrap().to_owned();
    let proxy = Proxy::start(port.parse().unwrap());
    let page = browser.open(&link.replace(&port, &proxy.port().to_string())).await;
    page.wait_for_text("#lead", "下一位就是您").await;

    proxy.cut();
    page.wait_for_text("#offline", "正在重新连接").await;
    page.wait_for_text("#age", "刚才的情况").await;
    page.click("#act-tell-me").await;
    page.click("#choices button:nth-child(2)").await;
    page.wait_for_text("#said", "没有网络，还没有办成").await;
    press_counter_button(&demo, &open_board(&browser, &demo).await, "counters/1/call-next").await;
    page.wait_for_text("#number", "A001").await;
    proxy.restore();
    page.wait_for_text("#hero[data-state=called] #where", "1号窗口").await;
    page.wait_until_hidden("#offline").await;
    browser.quit(&["net::ERR_", "Failed to load"]).await;
}

#[tokio::test]
async fn a_phone_that_slept_shows_the_current_state() {
    let demo = Demo::start().await;
    let browser = Browser::start().await;
    let phones = demo.add_people_in_line(&browser, 2).await;
    let page = browser.open(&ticket_link(&phones, 1).await).await;
    page.wait_for_text("#lead", "下一位就是您").await;
    let other = open_board(&browser, &demo).await;
    page.run_script(VISIBILITY_SCRIPT, json!([true])).await;
    press_counter_button(&demo, &other, "counters/1/call-next").await;
    other.wait_for_text("#calls", "A001").await;
    page.wait_for_text("#hero[data-state=waiting]", "A001").await;
    page.run_script(VISIBILITY_SCRIPT, json!([false])).await;
    page.wait_for_text("#hero[data-state=called] #where", "1号窗口").await;
    browser.quit(&[]).await;
}

/// Opens a page of the demo that can call its API.
async fn open_board(browser: &Browser, demo: &Demo) -> Window {
    browser.open(&demo.printed_address("/board/")).await
}

#[tokio::test]
async fn every_state_of_a_ticket_fits_every_screen_and_is_accessible() {
    let demo = Demo::start().await;
    let browser = Browser::start().await;
    let phones = demo.add_people_in_line(&browser, 2).await;
    let page = browser.open(&ticket_link(&phones, 1).await).await;
    page.wait_for_text("#lead", "下一位就是您").await;
    take_pictures(&page, "ticket-waiting", STAFF_SCREENS).await;
    page.click("#act-tell-me").await;
    take_pictures(&page, "ticket-sheet", STAFF_SCREENS).await;
    page.click("#sheet-close").await;
    press_counter_button(&demo, &page, "counters/1/call-next").await;
    page.wait_for_text("#hero[data-state=called]", "A001").await;
    take_pictures(&page, "ticket-called", STAFF_SCREENS).await;
    press_counter_button(&demo, &page, "counters/1/missed").await;
    page.wait_for_text("#hero[data-state=missed]", "A001").await;
    take_pictures(&page, "ticket-missed", STAFF_SCREENS).await;
    page.click("#act-return").await;
    page.wait_for_text("#hero[data-state=waiting]", "A001").await;
    page.click("#act-leave").await;
    page.click("#choices .danger").await;
    page.wait_for_text("#hero[data-state=closed]", "A001").await;
    take_pictures(&page, "ticket-closed", STAFF_SCREENS).await;
    browser.quit(&[]).await;
}

const COUNTER_ACT_SCRIPT: &str = "
const [key, button] = arguments;
const headers = { authorization: `Bearer ${key}`, 'idempotency-key': String(Math.random()) };
return fetch(`/api/v1/sites/hall/${button}`, { method: 'POST', headers }).then(answer => answer.status);";

/// Counts vibrations.
const COUNT_VIBRATIONS_SCRIPT: &str = "
window.vibrated = 0;
Object.defineProperty(navigator, 'vibrate', { value: () => { window.vibrated += 1; return true; } });";

/// Sets the page's visibility; the argument is `true` for hidden.
const VISIBILITY_SCRIPT: &str = "
Object.defineProperty(document, 'hidden', { value: arguments[0], configurable: true });
document.dispatchEvent(new Event('visibilitychange'));";
