//! One customer's page: what it says and does from the scan to the end, without network, and after a
//! phone has slept.

use crate::browser::Browser;
use crate::demo::{Demo, chat};
use crate::pictures::{HAND, pictures};
use crate::window::Window;
use harness::Proxy;
use serde_json::json;

/// The link in the first message that a person was sent.
pub async fn link_of(phones: &Window, person: usize) -> String {
    let css = format!(".phone:nth-child({person}) .chat a");
    phones.shows(&css, "查看进度").await;
    let link = phones.run("return document.querySelector(arguments[0]).href", json!([css])).await;
    link.as_str().expect("a link").to_owned()
}

/// Presses a counter's button for the staff.
pub async fn press(demo: &Demo, page: &Window, button: &str) {
    let address = demo.address("#key=");
    let (_, key) = address.split_once("#key=").unwrap();
    assert_eq!(page.run(PRESS, json!([key, button])).await, json!(200), "{button}");
}

#[tokio::test]
async fn a_number_is_followed_from_the_scan_to_the_end() {
    let (demo, browser) = (Demo::start().await, Browser::start().await);
    let phones = demo.people_in_line(&browser, 2).await;
    let (first, second) = (link_of(&phones, 1).await, link_of(&phones, 2).await);
    assert_ne!(first, second);
    let ann = browser.open("about:blank").await;
    ann.before_each_page(FEELS).await;
    ann.go(&first).await;
    let ben = browser.open(&second).await;
    ann.shows("#lead", "下一位就是您").await;
    // A phone shakes only for who has touched the page.
    ann.click("#number").await;
    ben.shows("#number", "A002").await;
    ben.shows("#lead", "前面还有 1 位").await;
    ben.shows("#wait", "分钟").await;
    ben.shows("#notices", "取号成功").await;

    press(&demo, &ben, "counters/1/call-next").await;
    ann.shows("#hero[data-state=called] #where", "1号窗口").await;
    ann.shows("#clock", "前到").await;
    assert_eq!(ann.run("return vibrated", json!([])).await, json!(1));
    ann.shows("#notices .fate.told", "已").await;
    phones.shows(&format!("{} .card", chat(1)), "A001").await;
    ben.shows("#last-called", "A001").await;
    ben.shows("#lead", "下一位就是您").await;

    // The call was a mistake: one more ahead, and why.
    press(&demo, &ben, "counters/1/put-back").await;
    ben.shows("#lead", "前面还有 1 位").await;
    ben.shows("#moves", "一次叫号被撤回，您前面多 1 位").await;
    ann.shows("#moves", "叫号已更正").await;

    press(&demo, &ben, "counters/1/call-next").await;
    ann.shows("#hero[data-state=called]", "A001").await;
    press(&demo, &ben, "counters/1/missed").await;
    ann.shows("#hero[data-state=missed] #lead", "前可以回来，顺延 3 位").await;
    ann.click("#act-return").await;
    ann.shows("#said.done", "您又在队伍里了").await;
    ann.shows("#hero[data-state=waiting] #lead", "前面还有 1 位").await;

    press(&demo, &ben, "counters/1/call-next").await;
    press(&demo, &ben, "counters/1/start").await;
    ben.shows("#hero[data-state=serving] #where", "1号窗口").await;
    press(&demo, &ben, "counters/1/finish").await;
    ben.shows("#hero[data-state=done] #lead", "谢谢光临").await;
    ben.hides("#acts").await;
    browser.end(&[]).await;
}

#[tokio::test]
async fn a_holder_lets_others_pass_chooses_when_to_be_told_and_leaves() {
    let (demo, browser) = (Demo::start().await, Browser::start().await);
    let phones = demo.people_in_line(&browser, 2).await;
    let page = browser.open(&link_of(&phones, 1).await).await;
    page.click("#act-let-pass").await;
    page.shows("#sheet-text", "您的位置保留").await;
    page.click("#choices button").await;
    page.shows("#hero[data-state=held] #lead", "再让 1 位").await;
    page.click("#act-return").await;
    page.shows("#hero[data-state=waiting] #lead", "下一位就是您").await;

    page.click("#act-tell-me").await;
    page.click("#choices button:nth-child(4)").await;
    page.shows("#said.done", "到时提醒您").await;
    page.click("#act-tell-me").await;
    page.shows("#choices .chosen", "还剩 5 位时").await;
    page.click("#sheet-close").await;
    page.hides("#sheet").await;

    // What hurts is asked about first.
    page.click("#act-leave").await;
    page.shows("#sheet", "A001 号会作废").await;
    page.click("#sheet-close").await;
    page.shows("#hero[data-state=waiting]", "A001").await;
    page.click("#act-leave").await;
    page.click("#choices .danger").await;
    page.shows("#hero[data-state=closed] #lead", "您已取消").await;
    page.hides("#buttons button").await;

    let wrong = link_of(&phones, 2).await;
    let wrong = format!("{}{}", &wrong[..wrong.len() - 4], "0000");
    page.go(&wrong).await;
    page.shows("main", "没有这个号，或者已经过了保存时间").await;
    browser.end(&["404"]).await;
}

#[tokio::test]
async fn a_cut_network_is_said_and_nothing_is_lost_or_done_twice() {
    let (demo, browser) = (Demo::start().await, Browser::start().await);
    let phones = demo.people_in_line(&browser, 2).await;
    let link = link_of(&phones, 1).await;
    let port = link.split([':', '/']).nth(4).unwrap().to_owned();
    let proxy = Proxy::start(port.parse().unwrap());
    let page = browser.open(&link.replace(&port, &proxy.port().to_string())).await;
    page.shows("#lead", "下一位就是您").await;

    proxy.cut();
    page.shows("#offline", "正在重新连接").await;
    page.shows("#age", "刚才的情况").await;
    page.click("#act-tell-me").await;
    page.click("#choices button:nth-child(2)").await;
    page.shows("#said", "没有网络，还没有办成").await;
    press(&demo, &board_of(&browser, &demo).await, "counters/1/call-next").await;
    page.shows("#number", "A001").await;
    proxy.mend();
    page.shows("#hero[data-state=called] #where", "1号窗口").await;
    page.hides("#offline").await;
    browser.end(&["net::ERR_", "Failed to load"]).await;
}

#[tokio::test]
async fn a_phone_that_slept_shows_how_it_stands_now() {
    let (demo, browser) = (Demo::start().await, Browser::start().await);
    let phones = demo.people_in_line(&browser, 2).await;
    let page = browser.open(&link_of(&phones, 1).await).await;
    page.shows("#lead", "下一位就是您").await;
    let other = board_of(&browser, &demo).await;
    page.run(LOOKS, json!([true])).await;
    press(&demo, &other, "counters/1/call-next").await;
    other.shows("#calls", "A001").await;
    page.shows("#hero[data-state=waiting]", "A001").await;
    page.run(LOOKS, json!([false])).await;
    page.shows("#hero[data-state=called] #where", "1号窗口").await;
    browser.end(&[]).await;
}

/// A page of the demo from which its counters can be pressed.
async fn board_of(browser: &Browser, demo: &Demo) -> Window {
    browser.open(&demo.address("/board/")).await
}

#[tokio::test]
async fn every_state_of_a_number_fits_every_screen_and_keeps_nobody_out() {
    let (demo, browser) = (Demo::start().await, Browser::start().await);
    let phones = demo.people_in_line(&browser, 2).await;
    let page = browser.open(&link_of(&phones, 1).await).await;
    page.shows("#lead", "下一位就是您").await;
    pictures(&page, "ticket-waiting", HAND).await;
    page.click("#act-tell-me").await;
    pictures(&page, "ticket-sheet", HAND).await;
    page.click("#sheet-close").await;
    press(&demo, &page, "counters/1/call-next").await;
    page.shows("#hero[data-state=called]", "A001").await;
    pictures(&page, "ticket-called", HAND).await;
    press(&demo, &page, "counters/1/missed").await;
    page.shows("#hero[data-state=missed]", "A001").await;
    pictures(&page, "ticket-missed", HAND).await;
    page.click("#act-return").await;
    page.shows("#hero[data-state=waiting]", "A001").await;
    page.click("#act-leave").await;
    page.click("#choices .danger").await;
    page.shows("#hero[data-state=closed]", "A001").await;
    pictures(&page, "ticket-closed", HAND).await;
    browser.end(&[]).await;
}

const PRESS: &str = "
const [key, button] = arguments;
const headers = { authorization: `Bearer ${key}`, 'idempotency-key': String(Math.random()) };
return fetch(`/api/v1/sites/hall/${button}`, { method: 'POST', headers }).then(answer => answer.status);";

/// Counts how often the phone shook.
const FEELS: &str = "
window.vibrated = 0;
Object.defineProperty(navigator, 'vibrate', { value: () => { window.vibrated += 1; return true; } });";

/// Whether anybody looks at the page.
const LOOKS: &str = "
Object.defineProperty(document, 'hidden', { value: arguments[0], configurable: true });
document.dispatchEvent(new Event('visibilitychange'));";
