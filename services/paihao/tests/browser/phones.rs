//! Tests of the simulated phones: repeated scans, shared codes, the list of codes, and expired
//! ones.

use crate::browser::Browser;
use crate::demo::{Demo, chat_selector, kiosk_code_link, scan};
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

    scan(&phones, 1).await;
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
