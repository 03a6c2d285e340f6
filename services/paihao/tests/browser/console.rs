//! The console: one key each, one press one act, and every "no" in words.

use crate::browser::Browser;
use crate::demo::{Demo, chat};
use crate::window::Window;
use harness::Proxy;
use serde_json::json;

const ENTER: &str = "\u{E007}";
const ESCAPE: &str = "\u{E00C}";
const DOWN: &str = "\u{E015}";

/// Waits until a button can be pressed, and presses its key.
async fn key(staff: &Window, key: &str, button: &str) {
    staff.shows(&format!("#{button}:enabled"), "").await;
    staff.press(key).await;
}

/// Waits for a question, and answers it by the keyboard.
async fn answer(staff: &Window, title: &str, keys: &str) {
    staff.shows("#dialog-title", title).await;
    staff.press(keys).await;
}

#[tokio::test]
async fn the_whole_day_goes_by_keys_alone_and_calls_are_seen_at_once_everywhere() {
    let (demo, browser) = (Demo::start().await, Browser::start().await);
    let phones = demo.people_in_line(&browser, 5).await;
    let board = browser.open(&demo.address("/board/")).await;
    let other = demo.staff_at(&browser, 2).await;
    let staff = demo.staff_at_first_counter(&browser).await;
    staff.shows("#next-hint", "5 人在等").await;

    // Two presses are one call.
    staff.press("nn").await;
    staff.shows("#desk[data-state=called] #number", "A001").await;
    staff.shows("#said.done", "已叫 A001").await;
    board.shows("#hero .number", "A001").await;
    other.shows("#counter-list .fresh, #counter-list li", "A001").await;
    other.shows("#said.news", "别的窗口叫了 A001").await;
    phones.shows(&format!("{} .card", chat(1)), "1号窗口").await;
    staff.shows("#message", "已").await;
    staff.shows("#recall:disabled #recall-hint", "秒后").await;

    // The call was a mistake, and then it was none.
    key(&staff, "u", "undo").await;
    answer(&staff, "撤销什么", ENTER).await;
    staff.shows("#said.done", "已撤销 A001").await;
    staff.shows("#waiting li:first-child", "A001").await;
    key(&staff, "n", "next").await;
    staff.shows("#desk[data-state=called] #number", "A001").await;
    key(&staff, "s", "start").await;
    staff.shows("#desk[data-state=serving] #state", "办理中").await;

    // Suspended with a reason, which is asked for.
    key(&staff, "h", "hold").await;
    answer(&staff, "挂起 A001", ENTER).await;
    staff.shows("#dialog .wrong", "请选一个原因").await;
    staff.press(&format!(" {ENTER}")).await;
    staff.shows("#held-list", "A001").await;

    // Somebody who is not next, with a reason of one's own.
    key(&staff, "c", "call").await;
    answer(&staff, "指定叫号", &format!("a003{ENTER}")).await;
    answer(&staff, "先叫 A003", &format!(" {DOWN}{ENTER}")).await;
    staff.shows("#desk[data-state=called] #number", "A003").await;
    key(&staff, "m", "missed").await;
    staff.shows("#missed-list", "A003").await;
    board.shows("#calls li:first-child", "A003").await;

    // Through the list by arrows, to what may be done with one of it.
    staff.press(&format!("l{DOWN}{ENTER}")).await;
    staff.shows("#dialog-title", "A004").await;
    staff.shows("#dialog .messages", "已送达").await;
    staff.press(ESCAPE).await;
    staff.hides("#dialog").await;
    let focus = staff.run("return document.activeElement.innerText", json!([])).await;
    assert!(focus.as_str().unwrap().contains("A004"), "the focus is lost: {focus}");

    // A finished one is brought back, and transferred.
    key(&staff, "n", "next").await;
    staff.shows("#desk[data-state=called] #number", "A002").await;
    key(&staff, "s", "start").await;
    key(&staff, "f", "finish").await;
    staff.shows("#said.done", "A002 已完成").await;
    staff.shows("#undo-hint", "A002 完成").await;
    key(&staff, "u", "undo").await;
    answer(&staff, "撤销什么", ENTER).await;
    staff.shows("#desk[data-state=serving] #number", "A002").await;
    key(&staff, "t", "transfer").await;
    answer(&staff, "A002 转到", ENTER).await;
    staff.shows("#said.done", "A002 已转号").await;
    other.shows("#waiting", "A002").await;

    // Breaks, hours of the queue, and the list of all keys.
    key(&staff, "b", "break").await;
    staff.shows("#said.done", "休息中").await;
    staff.shows("#next-hint", "先开窗").await;
    staff.press("o").await;
    staff.shows("#said.done", "已开窗").await;
    staff.press("q").await;
    answer(&staff, "业务", ENTER).await;
    answer(&staff, "停止取号", ENTER).await;
    staff.shows("#said.done", "业务已改").await;
    other.shows("#queue-list", "停止取号").await;
    staff.press("?").await;
    staff.shows("#dialog .keys", "叫下一位").await;
    staff.press(ESCAPE).await;
    staff.hides("#dialog").await;
    key(&staff, "x", "close").await;
    staff.shows("#said.done", "已关窗").await;
    browser.end(&[]).await;
}

#[tokio::test]
async fn a_double_press_does_one_thing_also_when_the_answer_is_lost() {
    let (demo, browser) = (Demo::start().await, Browser::start().await);
    demo.people_in_line(&browser, 3).await;
    let board = browser.open(&demo.address("/board/")).await;
    let staff = browser.open("about:blank").await;
    staff.before_each_page(LOSES_AN_ANSWER).await;
    staff.go(&demo.address("#key=")).await;
    staff.click("#counters button").await;
    staff.shows("#next:enabled", "叫下一位").await;
    staff.run("const b = document.getElementById('next'); b.click(); b.click()", json!([])).await;
    staff.shows("#said.done", "已叫 A001").await;
    let asked = staff.run("return wishes", json!([])).await;
    let asked = asked.as_array().unwrap();
    assert_eq!(asked.len(), 2, "one press and its repeat: {asked:?}");
    assert_eq!(asked[0], asked[1], "the repeat is another wish");
    // A key that is held down is one press.
    staff.run(HELD_DOWN, json!([])).await;
    key(&staff, "f", "finish").await;
    staff.shows("#said.done", "A001 已完成").await;
    staff.shows("#next:enabled", "叫下一位").await;
    board.shows("#calls li:first-child", "A001").await;
    assert_eq!(board.texts("#calls .number").await, ["A001"], "not one call for each press");
    browser.end(&[]).await;
}

#[tokio::test]
async fn a_refusal_is_a_sentence_where_the_eyes_are_and_says_what_to_do() {
    let (demo, browser) = (Demo::start().await, Browser::start().await);
    let page = demo.address("#key=").split("#key=").next().unwrap().to_owned();

    // The page bars what makes no sense, but may know of it a moment too late.
    let staff = demo.staff_at_first_counter(&browser).await;
    staff.shows("#finish:disabled", "完成").await;
    staff.shows("#next-hint", "没有人排队").await;
    staff.run(PRESS_ANYWAY, json!(["next"])).await;
    staff.shows("#said.refused", "没有人排队").await;
    staff.shows("#said.refused .detail", "别的窗口可能刚叫走").await;
    staff.click("#close").await;
    staff.shows("#said.done", "已关窗").await;
    staff.run(PRESS_ANYWAY, json!(["next"])).await;
    staff.shows("#said.refused", "窗口未开").await;
    staff.shows("#said.refused", "The counter is not open").await;
    staff.shows("#said.refused .detail", "先开窗，再叫号").await;

    staff.click("#sign-out").await;
    staff.shows("#said", "扫码登录").await;
    // The former address still leads to the console, and that to the login.
    staff.go(&page.replace("/console/", "/staff/")).await;
    staff.shows("#said", "扫码登录").await;
    demo.log_in_with_key(&staff).await;
    staff.shows("#counter, #counters", "1号窗口").await;
    assert_eq!(staff.address().await, page);

    let lost = browser.open(&page.replace("hall", "nowhere")).await;
    lost.shows(".message", "没有这个门店").await;
    lost.shows(".message a", "全部门店").await;
    browser.end(&["status of 401", "status of 404", "status of 409"]).await;
}

#[tokio::test]
async fn a_console_that_is_cut_off_says_what_it_knows_and_goes_on() {
    let (demo, browser) = (Demo::start().await, Browser::start().await);
    demo.people_in_line(&browser, 3).await;
    let address = demo.address("#key=");
    let port = address.split([':', '/']).nth(4).unwrap();
    let proxy = Proxy::start(port.parse().unwrap());
    let staff = browser.open(&address.replace(port, &proxy.port().to_string())).await;
    staff.click("#counters button").await;
    staff.shows("#next-hint", "3 人在等").await;
    proxy.cut();
    staff.shows("#offline", "看到的是").await;
    staff.press("n").await;
    staff.shows("#said.refused", "连不上服务器").await;
    staff.shows("#said.refused", "不会重复").await;
    proxy.mend();
    staff.hides("#offline").await;
    key(&staff, "n", "next").await;
    staff.shows("#said.done", "已叫 A001").await;
    browser.end(&["net::ERR_"]).await;
}

/// The first answer to a wish does not arrive, though the wish did.
const LOSES_AN_ANSWER: &str = "
window.wishes = [];
const reallyFetch = window.fetch;
window.fetch = async (path, options = {}) => {
  const answer = await reallyFetch(path, options);
  if (options.method !== 'POST') return answer;
  window.wishes.push(options.headers['idempotency-key']);
  if (window.wishes.length === 1) throw new TypeError('lost');
  return answer;
};";

const HELD_DOWN: &str = "
for (let i = 0; i < 5; i += 1) document.dispatchEvent(new KeyboardEvent('keydown', { key: 's', repeat: true, bubbles: true }));";

const PRESS_ANYWAY: &str = "
const button = document.getElementById(arguments[0]);
button.disabled = false;
button.click();";
