//! Tests of the customer's ticket page: from the scan to the end, without network, and after the
//! phone has slept.

use crate::browser::Browser;
use crate::demo::{Demo, chat_selector};
use crate::pictures::{DESKTOP, PHONE, SMALL_PHONE, STAFF_SCREENS, take_pictures};
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
    ann.wait_for_text("#hero[data-state=near] #lead", "前面还有 1 位").await;

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
    let phones = demo.add_people_in_line(&browser, 6).await;
    // The reminder in force is shown, and those that would come too late are not offered.
    let far = browser.open(&ticket_link(&phones, 6).await).await;
    far.wait_for_text("#hero[data-state=waiting] #lead", "前面还有 5 位").await;
    far.wait_for_text("#reminder", "还剩 3 位时，微信会提醒您").await;
    far.click("#act-tell-me").await;
    far.wait_for_text("#sheet-title", "什么时候提醒您").await;
    let offered = far.texts("#choices button").await;
    let people = ["1 位", "2 位", "3 位", "按通常的"];
    assert_eq!(offered.len(), people.len(), "{offered:?}");
    assert!(offered.iter().zip(people).all(|(text, people)| text.contains(people)), "{offered:?}");
    far.click("#choices button:nth-child(2)").await;
    far.wait_for_text("#said.done", "到时提醒您").await;
    far.wait_for_text("#reminder", "还剩 2 位时").await;
    far.click("#act-tell-me").await;
    far.wait_for_text("#choices .chosen", "还剩 2 位时").await;
    far.click("#sheet-close").await;
    far.close().await;

    let page = browser.open(&ticket_link(&phones, 1).await).await;
    page.wait_for_text("#hero[data-state=near] #lead", "下一位就是您").await;
    assert!(page.texts("#act-tell-me, #reminder").await.is_empty(), "it has passed");
    page.click("#act-let-pass").await;
    page.wait_for_text("#sheet-text", "您的位置保留").await;
    page.click("#choices button").await;
    page.wait_for_text("#hero[data-state=held] #lead", "再让 1 位").await;
    page.click("#act-return").await;
    page.wait_for_text("#hero[data-state=near] #lead", "下一位就是您").await;

    // Leaving needs a confirmation.
    page.click("#act-leave").await;
    page.wait_for_text("#sheet", "A001 号会作废").await;
    page.click("#sheet-close").await;
    page.wait_for_text("#hero[data-state=near]", "A001").await;
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
    // Beside the number, and not over it.
    for (name, width, height) in [PHONE, SMALL_PHONE, DESKTOP] {
        page.set_screen(width, height, "light").await;
        let overlaps = page.run_script(STRIP_OVERLAP_SCRIPT, json!([])).await;
        assert_eq!(overlaps, json!([]), "{name}");
    }
    page.click("#act-let-pass").await;
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
    page.wait_for_text("#hero[data-state=near]", "A001").await;
    page.run_script(VISIBILITY_SCRIPT, json!([false])).await;
    page.wait_for_text("#hero[data-state=called] #where", "1号窗口").await;
    browser.quit(&[]).await;
}

#[tokio::test]
async fn whoever_is_near_says_that_they_are_coming_and_the_counter_sees_it() {
    let demo = Demo::start().await;
    let browser = Browser::start().await;
    let phones = demo.add_people_in_line(&browser, 2).await;
    let page = browser.open(&ticket_link(&phones, 2).await).await;
    page.wait_for_text("#hero[data-state=near] #state", "快到您了").await;
    let staff = demo.staff_at_first_counter(&browser).await;
    page.click("#act-coming").await;
    page.wait_for_text("#coming", "已告诉工作人员您马上到").await;
    page.wait_until_hidden("#act-coming").await;
    staff.wait_for_text("#waiting .badge", "马上到").await;
    press_counter_button(&demo, &page, "counters/1/call-next").await;
    let called = browser.open(&ticket_link(&phones, 1).await).await;
    called.wait_for_text("#hero[data-state=called] #where", "1号窗口").await;
    called.click("#act-coming").await;
    called.wait_for_text("#coming", "已告诉工作人员您马上到").await;
    staff.wait_for_text("#facts", "马上到").await;
    browser.quit(&[]).await;
}

#[tokio::test]
async fn each_thing_is_said_once_with_its_time_of_the_day() {
    let demo = Demo::start().await;
    let browser = Browser::start().await;
    let phones = demo.add_people_in_line(&browser, 6).await;
    let page = browser.open(&ticket_link(&phones, 6).await).await;
    page.wait_for_text("#lead", "前面还有 5 位").await;
    page.wait_for_text("#notices", "取号成功").await;
    let read = async |page: &Window| page.texts("#hero").await.remove(0);
    let text = read(&page).await;
    assert_eq!(text.matches("前面").count(), 1, "{text}");
    assert_eq!(text.matches("A006").count(), 1, "{text}");
    let wait = page.texts("#wait").await.remove(0);
    assert!(wait.contains(':') && wait.contains("分钟"), "{wait}");

    // A wait that would end after the business day is told with its end.
    page.before_each_page(DAY_ENDS_SOON_SCRIPT).await;
    page.navigate(&ticket_link(&phones, 6).await).await;
    page.wait_for_text("#lead", "前面还有 5 位").await;
    let times = page.run_script(LATEST_TIME_SCRIPT, json!([])).await;
    let [shown, end] = [&times["shown"], &times["end"]].map(|time| time.as_str().unwrap());
    assert_eq!(shown, end);

    let called = browser.open(&ticket_link(&phones, 1).await).await;
    press_counter_button(&demo, &called, "counters/1/call-next").await;
    called.wait_for_text("#hero[data-state=called] #where", "1号窗口").await;
    let text = read(&called).await;
    for once in ["A001", "1号窗口", "请到", "到您了"] {
        assert_eq!(text.matches(once).count(), 1, "{once}: {text}");
    }
    press_counter_button(&demo, &called, "counters/1/start").await;
    called.wait_for_text("#hero[data-state=serving]", "办理中").await;
    let text = read(&called).await;
    assert_eq!(text.matches("办理").count(), 1, "{text}");
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
    take_pictures(&page, "ticket-near", STAFF_SCREENS).await;
    page.click("#act-let-pass").await;
    page.wait_for_text("#sheet-text", "您的位置保留").await;
    take_pictures(&page, "ticket-sheet", STAFF_SCREENS).await;
    page.click("#sheet-close").await;
    press_counter_button(&demo, &page, "counters/1/call-next").await;
    page.wait_for_text("#hero[data-state=called]", "A001").await;
    take_pictures(&page, "ticket-called", STAFF_SCREENS).await;
    press_counter_button(&demo, &page, "counters/1/missed").await;
    page.wait_for_text("#hero[data-state=missed]", "A001").await;
    take_pictures(&page, "ticket-missed", STAFF_SCREENS).await;
    page.click("#act-return").await;
    page.wait_for_text("#hero[data-state=near]", "A001").await;
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

/// Returns what the strip about the connection covers.
const STRIP_OVERLAP_SCRIPT: &str = "
const strip = document.getElementById('offline').getBoundingClientRect();
return [...document.querySelectorAll('.head > *, #hero > *, .buttons > *')].filter(element => {
  const box = element.getBoundingClientRect();
  return element.checkVisibility() && box.top < strip.bottom - 1 && strip.top < box.bottom - 1
    && box.left < strip.right - 1 && strip.left < box.right - 1;
}).map(element => element.id || element.className);";

/// Makes the page receive a business day that ends in two minutes, and a wait of 20 to 40.
const DAY_ENDS_SOON_SCRIPT: &str = "
const { parse } = JSON;
JSON.parse = text => {
  const body = parse(text);
  if (body?.day_ends_at) {
    window.dayEnd = body.day_ends_at = body.now + 120000;
    body.minutes = [20, 40];
  }
  return body;
};
const { json } = Response.prototype;
Response.prototype.json = async function () { return JSON.parse(await this.text()); };";

/// The latest time that the wait names, and the end of the business day.
const LATEST_TIME_SCRIPT: &str = "
const times = document.getElementById('wait').textContent.match(/[0-9]{2}:[0-9]{2}/g).sort();
const end = new Intl.DateTimeFormat('en-GB', { hour: '2-digit', minute: '2-digit', timeZone: 'Asia/Shanghai' }).format(window.dayEnd);
return { shown: times.at(-1), end };";
