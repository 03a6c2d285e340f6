//! Tests of several counters at once, of paper tickets, and of the sound at a new ticket.

use crate::browser::Browser;
use crate::demo::Demo;
use crate::window::Window;
use serde_json::json;

#[tokio::test]
async fn two_consoles_that_race_never_call_the_same_ticket() {
    let demo = Demo::start().await;
    let browser = Browser::start().await;
    demo.add_people_in_line(&browser, 3).await;
    let board = browser.open(&demo.printed_address("/board/")).await;
    let one = demo.staff_at(&browser, 1).await;
    let two = demo.staff_at(&browser, 2).await;
    for window in [&one, &two] {
        window.wait_for_text("#next-hint", "3 人在等").await;
    }
    // Both press at about the same moment. The delay is short, since timers of a background window
    // are slow.
    let press = "setTimeout(() => document.getElementById('next').click(), 50)";
    one.run_script(press, json!([])).await;
    two.run_script(press, json!([])).await;
    let first = called_number(&one).await;
    let second = called_number(&two).await;
    assert_ne!(first, second);
    let mut shown_numbers = [first.clone(), second.clone()];
    shown_numbers.sort();
    assert_eq!(shown_numbers, ["A001", "A002"]);
    one.wait_for_text("#counter-list", &second).await;
    two.wait_for_text("#counter-list", &first).await;
    board
        .wait_until("both calls are shown", async || board.texts("#calls .number").await.len() == 2)
        .await;

    // One ticket is left: one console gets it, and the other shows a refusal.
    for window in [&one, &two] {
        window.click("#finish").await;
        window.wait_for_text("#said.done", "已完成").await;
        window.wait_for_text("#next:enabled", "1 人在等").await;
    }
    one.run_script(press, json!([])).await;
    two.run_script("document.getElementById('next').click()", json!([])).await;
    let shown = async |window: &Window| window.texts("#said").await.join(" ");
    one.wait_until("both were answered", async || {
        let shown_numbers = [shown(&one).await, shown(&two).await];
        shown_numbers.iter().any(|text| text.contains("已叫 A003"))
            && shown_numbers
                .iter()
                .any(|text| text.contains("没有人排队") || text.contains("叫了 A003"))
    })
    .await;
    browser.quit(&["status of 409"]).await;
}

#[tokio::test]
async fn a_colleagues_counter_is_taken_over_by_name_and_a_break_follows_the_customer() {
    let demo = Demo::start().await;
    let browser = Browser::start().await;
    demo.add_people_in_line(&browser, 2).await;
    let manager = demo.staff_at(&browser, 1).await;
    manager.click("#next:enabled").await;
    manager.wait_for_text("#desk[data-state=called] #number", "A001").await;

    // Somebody who works at this counter alone finds it taken.
    let address = demo.printed_address("#key=");
    let key = manager.run_script(MAKE_KEY_SCRIPT, json!([address.split("#key=").nth(1)])).await;
    let page = address.split('#').next().unwrap().to_owned() + "#key=" + key.as_str().unwrap();
    let staff = browser.open("about:blank").await;
    staff.navigate(&page).await;
    staff.wait_for_text("#owner", "demo 从").await;
    staff.wait_for_text("#finish:disabled, #finish", "完成").await;
    let enabled = staff.texts(".acts button:enabled, #next:enabled").await.join(" ");
    assert!(!enabled.contains("完成") && !enabled.contains("叫下一位"), "{enabled}");
    staff.click("#open:enabled").await;
    staff.wait_for_text("#dialog-title", "接 demo 的班").await;
    staff.wait_for_text("#dialog", "A001 由您继续办理").await;
    staff.press_keys("\u{E007}").await;
    staff.wait_for_text("#said.done", "已接班").await;
    staff.wait_until_hidden("#owner").await;
    manager.wait_for_text("#owner", "从").await;

    // A break follows the customer who is there.
    staff.wait_for_text("#break:enabled", "完后休息").await;
    staff.click("#break:enabled").await;
    staff.wait_for_text("#owner", "办完这位就休息").await;
    staff.wait_for_text("#number", "A001").await;
    staff.click("#finish:enabled").await;
    staff.wait_for_text("#desk[data-state=break] #number", "休息").await;
    staff.wait_for_text("#waiting", "A002").await;

    // Whoever chose the wrong service is sent on without a call.
    staff.click("#waiting li:first-child .row").await;
    staff.wait_for_text("#dialog .acts", "转号").await;
    staff.run_script(TRANSFER_SCRIPT, json!([])).await;
    staff.wait_for_text("#dialog-title", "A002 转到").await;
    staff.press_keys("\u{E007}").await;
    staff.wait_for_text("#said.done", "A002 已转号").await;
    browser.quit(&[]).await;
}

async fn called_number(window: &Window) -> String {
    window.wait_for_text("#desk[data-state=called] #number", "A0").await;
    window.texts("#number").await.remove(0)
}

#[tokio::test]
async fn a_person_without_wechat_gets_a_paper_ticket_and_is_called() {
    let demo = Demo::start().await;
    let browser = Browser::start().await;
    let staff = demo.staff_at(&browser, 2).await;
    staff.press_keys("k").await;
    staff.wait_for_text("#dialog-title", "给没有微信的客户取号").await;
    staff.press_keys("\u{E007}").await;
    staff.wait_for_text("#dialog-title", "A001 已取号").await;
    // The number is given: no way out of the dialog takes it back.
    assert_eq!(staff.texts("#dialog .ghost").await, ["不打印 No slip"]);
    let before = browser.windows().await;
    staff.press_keys("\u{E007}").await;
    let slip = browser.window_opened_since(&before).await;
    slip.wait_for_text("#number", "A001").await;
    slip.wait_for_text("#site", "城南便民服务大厅").await;
    slip.wait_for_text("#queue", "综合业务").await;
    slip.wait_for_text("#ahead", "前面没有人").await;
    let width = slip
        .run_script("return document.querySelector('.paper').offsetWidth / 96 * 25.4", json!([]));
    let width = width.await.as_f64().unwrap();
    assert!(width < 80.0, "{width} mm");
    let narrow = slip.url().await.split('#').next().unwrap().to_owned() + "?width=58";
    slip.navigate(&narrow).await;
    slip.wait_for_text("#number", "A001").await;
    let width = slip
        .run_script("return document.querySelector('.paper').offsetWidth / 96 * 25.4", json!([]));
    let width = width.await.as_f64().unwrap();
    assert!(width < 58.0, "{width} mm");

    staff.wait_for_text("#waiting", "纸票").await;
    staff.click("#next:enabled").await;
    staff.wait_for_text("#desk[data-state=called] #number", "A001").await;
    staff.wait_for_text("#facts", "纸票").await;
    browser.quit(&[]).await;
}

#[tokio::test]
async fn a_ticket_in_an_empty_queue_makes_a_sound_unless_it_is_off() {
    let demo = Demo::start().await;
    let browser = Browser::start().await;
    let address = demo.printed_address("#key=");
    let staff = browser.open("about:blank").await;
    staff.before_each_page(COUNT_TONES_SCRIPT).await;
    staff.navigate(&address).await;
    staff.wait_for_text("#counters", "1号窗口").await;
    staff.run_script("document.querySelector('#counters button').click()", json!([])).await;
    // A browser plays no sound before the first click.
    staff.click("#unlock").await;
    staff.wait_until_hidden("#unlock").await;
    let key = address.split("#key=").nth(1).unwrap();
    take_number(&staff, key, "general").await;
    staff.wait_for_text("#said.news", "有人来了 A001").await;
    wait_for_rings(&staff, 1).await;
    take_number(&staff, key, "general").await;
    staff.wait_for_text("#waiting", "A002").await;
    // A queue of other counters makes no sound here.
    take_number(&staff, key, "social").await;
    staff.wait_for_text("#queue-list", "1 人在等").await;
    wait_for_rings(&staff, 1).await;

    staff.press_keys("v").await;
    staff.wait_for_text("#sound[aria-pressed=false]", "声音").await;
    for number in ["A001", "A002"] {
        staff.click("#next:enabled").await;
        staff.wait_for_text("#desk[data-state=called] #number", number).await;
        staff.click("#finish:enabled").await;
        staff.wait_for_text("#said.done", "已完成").await;
    }
    take_number(&staff, key, "general").await;
    staff.wait_for_text("#said.news", "有人来了 A003").await;
    wait_for_rings(&staff, 1).await;
    browser.quit(&[]).await;
}

async fn take_number(staff: &Window, key: &str, queue: &str) {
    let response = staff.run_script(TAKE_NUMBER_SCRIPT, json!([key, queue])).await;
    assert_eq!(response, json!(200));
}

async fn wait_for_rings(staff: &Window, times: u64) {
    let rung = async || staff.run_script("return window.tones", json!([])).await == times * 2;
    staff.wait_until(&format!("it has rung {times} times"), rung).await;
}

const MAKE_KEY_SCRIPT: &str = "
const [key] = arguments;
const body = JSON.stringify({ name: 'desk', sites: ['hall'], counters: ['1'] });
const headers = { authorization: `Bearer ${key}`, 'content-type': 'application/json' };
return fetch('/api/v1/keys', { method: 'POST', headers, body }).then(answer => answer.json()).then(made => made.key);";

const TRANSFER_SCRIPT: &str = "
[...document.querySelectorAll('#dialog .acts button')].find(button => button.textContent.includes('转号')).click();";

const TAKE_NUMBER_SCRIPT: &str = "
const [key, queue] = arguments;
return fetch(`/api/v1/sites/hall/queues/${queue}/tickets`, { method: 'POST', headers: { authorization: `Bearer ${key}` } })
  .then(answer => answer.status);";

/// Counts tones instead of playing them; suspended until the first click, as in a real browser.
const COUNT_TONES_SCRIPT: &str = "
window.tones = 0;
const part = () => ({ gain: { setValueAtTime: () => {}, exponentialRampToValueAtTime: () => {} }, frequency: {},
  connect: next => next, start: () => { window.tones += 1; }, stop: () => {} });
window.AudioContext = class {
  state = 'suspended';
  currentTime = 0;
  async resume() { if (navigator.userActivation.isActive) this.state = 'running'; }
  createOscillator = part;
  createGain = part;
};";
