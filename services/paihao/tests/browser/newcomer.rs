//! Test of the demo's first steps, through the addresses that it prints.

use crate::browser::Browser;
use crate::demo::{Demo, chat_selector, scan};
use serde_json::json;

#[tokio::test]
async fn a_scan_becomes_a_number_and_a_call_becomes_a_message() {
    let demo = Demo::start().await;
    let browser = Browser::start().await;

    let kiosk = browser.open(&demo.printed_address("/kiosk/")).await;
    kiosk.click("#queues .queue:first-child").await;
    kiosk.wait_for_text("#queue", "综合业务").await;
    let first_code = kiosk.wait_for_picture("#code").await;

    // The link below the code opens a window in which the phones offer that code.
    let before = browser.windows().await;
    kiosk.click("#phone").await;
    let phones = browser.window_opened_since(&before).await;
    phones.wait_for_picture(".phone:first-child .pick img").await;
    assert!(phones.url().await.starts_with(&demo.printed_address("The phones")));
    scan(&phones, 1).await;
    phones.wait_for_text(&chat_selector(1), "取号成功 A001").await;
    phones.wait_for_text(&chat_selector(1), "Your number is A001").await;

    kiosk.wait_for_text("#taken #number", "A001").await;
    let largest = kiosk.run_script(LARGEST_TEXT_SCRIPT, json!([])).await;
    assert_eq!(largest, json!("A001"), "the number is not what is seen first");

    let board = browser.open(&demo.printed_address("/board/")).await;
    board.wait_for_text("#hero", "请稍候").await;
    board.wait_for_text("#queues", "A001").await;

    let address = demo.printed_address("#key=");
    let (page, key) = address.split_once("#key=").unwrap();
    let staff = browser.open(&address).await;
    staff.click("#counters button:first-child").await;
    assert_eq!(staff.url().await, page);
    let html = staff.run_script("return document.documentElement.outerHTML", json!([])).await;
    assert!(!html.as_str().unwrap().contains(key), "the key is on the page");
    staff.wait_for_text("#counter", "1号窗口").await;
    staff.click("#next").await;
    staff.wait_for_text("#desk[data-state=called] #number", "A001").await;
    staff.wait_for_text("#said", "已叫 A001").await;

    board.wait_for_text("#hero .number", "A001").await;
    board.wait_for_text("#hero .to", "1号窗口").await;
    board.wait_for_text("#calls li:first-child", "A001").await;
    board.wait_for_text("#counters li:first-child", "A001").await;
    phones.wait_for_text(&format!("{} .card", chat_selector(1)), "A001").await;
    phones.wait_for_text(&format!("{} .card", chat_selector(1)), "1号窗口").await;

    // Meanwhile the kiosk has returned to the choice, which leads to a fresh code.
    kiosk.wait_until_hidden("#taken").await;
    kiosk.click("#queues .queue:first-child").await;
    assert_ne!(kiosk.wait_for_picture("#code").await, first_code, "the code was used");
    browser.quit(&[]).await;
}

/// Returns the text of the element with the largest font.
const LARGEST_TEXT_SCRIPT: &str = "
const size = element => parseFloat(getComputedStyle(element).fontSize);
const leaves = [...document.querySelectorAll('body *')]
  .filter(element => element.checkVisibility() && !element.children.length && element.innerText);
return leaves.sort((one, other) => size(other) - size(one))[0].innerText;";
