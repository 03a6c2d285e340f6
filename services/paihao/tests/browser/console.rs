//! Tests of the console: keyboard shortcuts, one act a press, and refusals as sentences.

use crate::browser::Browser;
use crate::demo::{Demo, chat_selector};
use crate::window::Window;
use harness::Proxy;
use serde_json::json;

const ENTER_KEY: &str = "\u{E007}";
const ESCAPE_KEY: &str = "\u{E00C}";
const DOWN_KEY: &str = "\u{E015}";

/// Waits until a button is enabled, and presses its shortcut.
async fn press_shortcut(staff: &Window, key: &str, button: &str) {
    staff.wait_for_text(&format!("#{button}:enabled"), "").await;
    staff.press_keys(key).await;
}

/// Waits for a dialog, and answers it by keyboard.
async fn answer_dialog(staff: &Window, title: &str, keys: &str) {
    staff.wait_for_text("#dialog-title", title).await;
    staff.press_keys(keys).await;
}

#[tokio::test]
async fn every_act_of_a_day_has_a_shortcut_and_calls_are_shown_at_once_everywhere() {
    let demo = Demo::start().await;
    let browser = Browser::start().await;
    let phones = demo.add_people_in_line(&browser, 5).await;
    let board = browser.open(&demo.printed_address("/board/")).await;
    let other = demo.staff_at(&browser, 2).await;
    let staff = demo.staff_at_first_counter(&browser).await;
    staff.wait_for_text("#next-hint", "5 人在等").await;

    // Two presses are one call.
    staff.press_keys("nn").await;
    staff.wait_for_text("#desk[data-state=called] #number", "A001").await;
    staff.wait_for_text("#said.done", "已叫 A001").await;
    board.wait_for_text("#hero .number", "A001").await;
    other.wait_for_text("#counter-list .fresh, #counter-list li", "A001").await;
    other.wait_for_text("#said.news", "别的窗口叫了 A001").await;
    phones.wait_for_text(&format!("{} .card", chat_selector(1)), "1号窗口").await;
    staff.wait_for_text("#message", "已").await;
    staff.wait_for_text("#recall:disabled #recall-hint", "秒后").await;

    // The call is undone, and repeated.
    press_shortcut(&staff, "u", "undo").await;
    answer_dialog(&staff, "撤销什么", ENTER_KEY).await;
    staff.wait_for_text("#said.done", "已撤销 A001").await;
    staff.wait_for_text("#waiting li:first-child", "A001").await;
    press_shortcut(&staff, "n", "next").await;
    staff.wait_for_text("#desk[data-state=called] #number", "A001").await;
    press_shortcut(&staff, "s", "start").await;
    staff.wait_for_text("#desk[data-state=serving] #state", "办理中").await;

    // A ticket is held; the reason is required.
    press_shortcut(&staff, "h", "hold").await;
    answer_dialog(&staff, "挂起 A001", ENTER_KEY).await;
    staff.wait_for_text("#dialog .wrong", "请选一个原因").await;
    staff.press_keys(&format!(" {ENTER_KEY}")).await;
    staff.wait_for_text("#held-list", "A001").await;

    // A ticket is called out of turn, with a reason.
    press_shortcut(&staff, "c", "call").await;
    answer_dialog(&staff, "指定叫号", &format!("a003{ENTER_KEY}")).await;
    answer_dialog(&staff, "先叫 A003", &format!(" {DOWN_KEY}{ENTER_KEY}")).await;
    staff.wait_for_text("#desk[data-state=called] #number", "A003").await;
    press_shortcut(&staff, "m", "missed").await;
    staff.wait_for_text("#missed-list", "A003").await;
    board.wait_for_text("#calls li:first-child", "A003").await;

    // Arrow keys lead through the list to the acts for a ticket.
    staff.press_keys(&format!("l{DOWN_KEY}{ENTER_KEY}")).await;
    staff.wait_for_text("#dialog-title", "A004").await;
    staff.wait_for_text("#dialog .messages", "已送达").await;
    staff.press_keys(ESCAPE_KEY).await;
    staff.wait_until_hidden("#dialog").await;
    let focus = staff.run_script("return document.activeElement.innerText", json!([])).await;
    assert!(focus.as_str().unwrap().contains("A004"), "the focus is lost: {focus}");

    // A finished ticket is restored and transferred.
    press_shortcut(&staff, "n", "next").await;
    staff.wait_for_text("#desk[data-state=called] #number", "A002").await;
    press_shortcut(&staff, "s", "start").await;
    press_shortcut(&staff, "f", "finish").await;
    staff.wait_for_text("#said.done", "A002 已完成").await;
    staff.wait_for_text("#undo-hint", "A002 完成").await;
    press_shortcut(&staff, "u", "undo").await;
    answer_dialog(&staff, "撤销什么", ENTER_KEY).await;
    staff.wait_for_text("#desk[data-state=serving] #number", "A002").await;
    press_shortcut(&staff, "t", "transfer").await;
    answer_dialog(&staff, "A002 转到", ENTER_KEY).await;
    staff.wait_for_text("#said.done", "A002 已转号").await;
    other.wait_for_text("#waiting", "A002").await;

    // A break, a closed queue, and the list of all shortcuts.
    press_shortcut(&staff, "b", "break").await;
    staff.wait_for_text("#said.done", "休息中").await;
    staff.wait_for_text("#next-hint", "先开窗").await;
    staff.press_keys("o").await;
    staff.wait_for_text("#said.done", "已开窗").await;
    staff.press_keys("q").await;
    answer_dialog(&staff, "业务", ENTER_KEY).await;
    answer_dialog(&staff, "停止取号", ENTER_KEY).await;
    staff.wait_for_text("#said.done", "业务已改").await;
    other.wait_for_text("#queue-list", "停止取号").await;
    staff.press_keys("?").await;
    staff.wait_for_text("#dialog .keys", "叫下一位").await;
    staff.press_keys(ESCAPE_KEY).await;
    staff.wait_until_hidden("#dialog").await;
    press_shortcut(&staff, "x", "close").await;
    staff.wait_for_text("#said.done", "已关窗").await;
    browser.quit(&[]).await;
}

#[tokio::test]
async fn a_double_press_acts_once_even_if_the_response_is_lost() {
    let demo = Demo::start().await;
    let browser = Browser::start().await;
    demo.add_people_in_line(&browser, 3).await;
    let board = browser.open(&demo.printed_address("/board/")).await;
    let staff = browser.open("about:blank").await;
    staff.before_each_page(LOSE_ANSWER_SCRIPT).await;
    staff.navigate(&demo.printed_address("#key=")).await;
    staff.click("#counters button").await;
    staff.wait_for_text("#next:enabled", "叫下一位").await;
    staff
        .run_script("const b = document.getElementById('next'); b.click(); b.click()", json!([]))
        .await;
    staff.wait_for_text("#said.done", "已叫 A001").await;
    let keys = staff.run_script("return keys", json!([])).await;
    let keys = keys.as_array().unwrap();
    assert_eq!(keys.len(), 2, "one press and its repeat: {keys:?}");
    assert_eq!(keys[0], keys[1], "the repeat has the same idempotency key");
    // A key that is held down counts once.
    staff.run_script(HELD_KEY_SCRIPT, json!([])).await;
    press_shortcut(&staff, "f", "finish").await;
    staff.wait_for_text("#said.done", "A001 已完成").await;
    staff.wait_for_text("#next:enabled", "叫下一位").await;
    board.wait_for_text("#calls li:first-child", "A001").await;
    assert_eq!(board.texts("#calls .number").await, ["A001"], "not one call for each press");
    browser.quit(&[]).await;
}

#[tokio::test]
async fn a_refusal_is_shown_as_a_sentence_with_advice() {
    let demo = Demo::start().await;
    let browser = Browser::start().await;
    let page = demo.printed_address("#key=").split("#key=").next().unwrap().to_owned();

    // The page disables buttons that make no sense, but its state may be a moment old.
    let staff = demo.staff_at_first_counter(&browser).await;
    staff.wait_for_text("#finish:disabled", "完成").await;
    staff.wait_for_text("#next-hint", "没有人排队").await;
    staff.run_script(FORCE_CLICK_SCRIPT, json!(["next"])).await;
    staff.wait_for_text("#said.refused", "没有人排队").await;
    staff.wait_for_text("#said.refused .detail", "别的窗口可能刚叫走").await;
    staff.click("#close").await;
    staff.wait_for_text("#said.done", "已关窗").await;
    staff.run_script(FORCE_CLICK_SCRIPT, json!(["next"])).await;
    staff.wait_for_text("#said.refused", "窗口未开").await;
    staff.wait_for_text("#said.refused", "The counter is not open").await;
    staff.wait_for_text("#said.refused .detail", "先开窗，再叫号").await;

    staff.click("#sign-out").await;
    staff.wait_for_text("#said", "扫码登录").await;
    // The former address redirects to the console, and that to the login.
    staff.navigate(&page.replace("/console/", "/staff/")).await;
    staff.wait_for_text("#said", "扫码登录").await;
    demo.log_in_with_key(&staff).await;
    staff.wait_for_text("#counter, #counters", "1号窗口").await;
    assert_eq!(staff.url().await, page);

    let missing_page = browser.open(&page.replace("hall", "nowhere")).await;
    missing_page.wait_for_text(".message", "没有这个门店").await;
    missing_page.wait_for_text(".message a", "全部门店").await;
    browser.quit(&["status of 401", "status of 404", "status of 409"]).await;
}

#[tokio::test]
async fn a_console_that_is_cut_off_shows_its_last_state_and_recovers() {
    let demo = Demo::start().await;
    let browser = Browser::start().await;
    demo.add_people_in_line(&browser, 3).await;
    let address = demo.printed_address("#key=");
    let port = address.split([':', '/']).nth(4).unwrap();
    let proxy = Proxy::start(port.parse().unwrap());
    let staff = browser.open(&address.replace(port, &proxy.port().to_string())).await;
    staff.click("#counters button").await;
    staff.wait_for_text("#next-hint", "3 人在等").await;
    proxy.cut();
    staff.wait_for_text("#offline", "看到的是").await;
    staff.press_keys("n").await;
    staff.wait_for_text("#said.refused", "连不上服务器").await;
    staff.wait_for_text("#said.refused", "不会重复").await;
    proxy.restore();
    staff.wait_until_hidden("#offline").await;
    press_shortcut(&staff, "n", "next").await;
    staff.wait_for_text("#said.done", "已叫 A001").await;
    browser.quit(&["net::ERR_"]).await;
}

#[tokio::test]
async fn a_dialog_that_opens_as_another_closes_keeps_its_content() {
    let demo = Demo::start().await;
    let browser = Browser::start().await;
    let staff = demo.staff_at_first_counter(&browser).await;
    let shown = staff.run_script(TWO_DIALOGS_SCRIPT, json!([])).await;
    assert_eq!(shown, json!([null, true, "two"]));
    browser.quit(&[]).await;
}

/// Opens a dialog in the instant in which another one closes.
const TWO_DIALOGS_SCRIPT: &str = "
return import(new URL('../../shared/dialog.js', document.querySelector('script[type=module]').src)).then(async ({ openDialog, closeDialog }) => {
  const first = openDialog({ title: 'one' });
  closeDialog();
  openDialog({ title: 'two' });
  const former = await first;
  await new Promise(resolve => setTimeout(resolve, 300));
  return [former, document.getElementById('dialog').open, document.getElementById('dialog-title').textContent];
});";

/// Loses the first response to a POST after the request was sent, and records idempotency keys.
const LOSE_ANSWER_SCRIPT: &str = "
window.keys = [];
const reallyFetch = window.fetch;
window.fetch = async (path, options = {}) => {
  const response = await reallyFetch(path, options);
  if (options.method !== 'POST') return response;
  window.keys.push(options.headers['idempotency-key']);
  if (window.keys.length === 1) throw new TypeError('lost');
  return response;
};";

const HELD_KEY_SCRIPT: &str = "
for (let i = 0; i < 5; i += 1) document.dispatchEvent(new KeyboardEvent('keydown', { key: 's', repeat: true, bubbles: true }));";

const FORCE_CLICK_SCRIPT: &str = "
const button = document.getElementById(arguments[0]);
button.disabled = false;
button.click();";
