//! Tests of the simulated phones: repeated scans, shared codes, the list of codes, and expired
//! ones.

use crate::browser::Browser;
use crate::demo::{Demo, chat_selector, kiosk_code_link, scan};
use crate::pictures::keep_picture;
use serde_json::json;

/// CSS selector of the codes that the third phone offers.
const CODE_SELECTOR: &str = ".phone:nth-child(3) .codes .code";

/// Clicks the first code that ends, which is a kiosk's: those of the board, beside the phones, last
/// for ever. Returns whether there was one.
const PICK_SCRIPT: &str = "
const code = [...document.querySelectorAll(arguments[0])]
  .find(code => !code.textContent.includes('长期有效'));
code?.click();
return Boolean(code);
";

#[tokio::test]
async fn the_same_phone_keeps_its_number_and_another_gets_the_next() {
    let demo = Demo::start().await;
    let browser = Browser::start().await;
    let phones = demo.add_people_in_line(&browser, 1).await;

    // The card of the used code is gone, and the code can still be picked from the list.
    phones.wait_until_hidden(".phone:nth-child(1) .pick").await;
    phones.click(".phone:nth-child(1) .scan").await;
    phones.click(".phone:nth-child(1) .codes .code").await;
    phones.wait_for_text(&chat_selector(1), "您已取号 A001").await;
    scan(&phones, 2).await;
    phones.wait_for_text(&chat_selector(2), "取号成功 A002").await;
    phones.wait_for_text(&chat_selector(2), "前面 1 位").await;

    let board = browser.open(&demo.printed_address("/board/")).await;
    board.wait_for_text("#queues li:first-child .name", "2 人在等").await;
    assert_eq!(board.texts("#queues .numbers li:not(.more)").await, ["A001", "A002"]);
    browser.quit(&[]).await;
}

#[tokio::test]
async fn a_code_can_be_picked_from_the_list_and_an_invalid_one_is_reported() {
    let demo = Demo::start().await;
    let browser = Browser::start().await;
    let phones = browser.open(&demo.printed_address("The phones")).await;
    // The page is complete, and moves no more under a click.
    phones.wait_for_text(".beside", "大厅的屏幕").await;
    phones.click(".phone:nth-child(3) .scan").await;
    phones.wait_for_text(".phone:nth-child(3) .sheet", "扫一扫 Scan a code").await;

    // The list is open while another window creates the code.
    let kiosk = browser.open(&demo.kiosk_url("social")).await;
    kiosk_code_link(&kiosk).await;
    phones
        .wait_until("a kiosk's code is offered", async || {
            phones.run_script(PICK_SCRIPT, json!([CODE_SELECTOR])).await == json!(true)
        })
        .await;
    phones.wait_until_hidden(".phone:nth-child(3) .sheet").await;
    phones.wait_for_text(&chat_selector(3), "B001").await;
    kiosk.wait_for_text("#taken", "社保医保").await;
    kiosk.click("#next").await;
    kiosk.wait_for_picture("#code").await;

    phones.click(".phone:nth-child(3) .scan").await;
    let codes = phones.texts(CODE_SELECTOR).await.len();
    phones.type_into(".phone:nth-child(3) .paste input", "http://weixin.qq.example/q/").await;
    // A code that is added meanwhile does not take the focus.
    kiosk.navigate(&demo.kiosk_url("general")).await;
    phones
        .wait_until("a code comes", async || phones.texts(CODE_SELECTOR).await.len() > codes)
        .await;
    phones.press_keys("nothing").await;
    let written = phones.run_script("return document.activeElement.value", json!([])).await;
    assert_eq!(written, json!("http://weixin.qq.example/q/nothing"));
    phones.click(".phone:nth-child(3) .paste button").await;
    phones.wait_for_text(&format!("{} .note", chat_selector(3)), "码").await;
    browser.quit(&[]).await;
}

#[tokio::test]
async fn the_board_is_shown_beside_the_phones() {
    let demo = Demo::start().await;
    let browser = Browser::start().await;
    let phones = demo.add_people_in_line(&browser, 1).await;
    phones.wait_for_framed_text("#hero", "请稍候").await;
    let staff = demo.staff_at_first_counter(&browser).await;
    staff.click("#next").await;
    phones.wait_for_framed_text("#hero .number", "A001").await;
    phones.wait_for_text(&chat_selector(1), "叫号通知").await;
    browser.quit(&["status of 401"]).await;
}

/// Sizes of windows in which the phones are used, and one with a taller header.
const WINDOWS: [(u32, u32); 7] =
    [(1920, 1080), (1440, 900), (1366, 625), (1280, 720), (1024, 768), (768, 1024), (390, 844)];

#[tokio::test]
async fn the_foot_of_every_phone_is_in_view_and_the_focus_moves_no_phone() {
    let demo = Demo::start().await;
    let browser = Browser::start().await;
    let phones = demo.add_people_in_line(&browser, 2).await;
    phones.wait_for_text(".phone:nth-child(1) .menu", "我的排队").await;
    for language in ["中文", "English"] {
        for (width, height) in WINDOWS {
            phones.set_screen(width, height, "light").await;
            let problems = phones.run_script(PHONE_FEET_SCRIPT, json!([])).await;
            assert_eq!(problems, json!([]), "{width} x {height}, {language}");
        }
        phones.click("#language").await;
    }
    keep_picture(&phones, "phones-feet").await;
    browser.quit(&[]).await;
}

/// Returns what of a phone's foot is cut off, and what the focus moves.
const PHONE_FEET_SCRIPT: &str = "
const problems = [];
const box = element => element.getBoundingClientRect();
for (const phone of document.querySelectorAll('.phone')) {
  if (!phone.checkVisibility()) continue;
  const frame = phone.querySelector('.frame');
  const outer = box(frame);
  if (outer.bottom > innerHeight + 1) problems.push(`the phone ends at ${outer.bottom}`);
  for (const part of phone.querySelectorAll('.write input, .send, .scan, .menu, .menu .entry, .chat')) {
    if (!part.checkVisibility()) continue;
    const inner = box(part);
    if (inner.left < outer.left - 1 || inner.right > outer.right + 1 || inner.bottom > outer.bottom + 1 || inner.top < outer.top - 1) {
      problems.push(`${part.className} leaves its phone`);
    }
  }
  const before = [frame.scrollTop, frame.scrollLeft, outer.top];
  for (const part of phone.querySelectorAll('button, input, a, .chat')) {
    part.focus();
    const now = [frame.scrollTop, frame.scrollLeft, box(frame).top];
    if (String(now) !== String(before)) problems.push(`${part.className} moves its phone: ${before} ${now}`);
  }
}
return problems;";

#[tokio::test]
async fn a_kiosk_serves_one_customer_after_the_other() {
    let demo = Demo::start().await;
    let browser = Browser::start().await;
    let phones = browser.open(&demo.printed_address("The phones")).await;
    for _ in 3..8 {
        phones.click("#add").await;
    }
    let kiosk = browser.open(&demo.kiosk_url("general")).await;
    let mut used = Vec::new();
    for person in 1..=8 {
        let fresh = async || !used.contains(&kiosk_code_link(&kiosk).await);
        kiosk.wait_until("there is a fresh code", fresh).await;
        let code = kiosk_code_link(&kiosk).await;
        phones.navigate(&code).await;
        scan(&phones, person).await;
        kiosk.wait_for_text("#taken #number", &format!("A{person:03}")).await;
        kiosk.click("#next").await;
        used.push(code);
    }
    browser.quit(&[]).await;
}
