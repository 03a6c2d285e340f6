//! A newcomer's first two minutes, through the addresses that the terminal prints.

use crate::browser::Browser;
use crate::demo::{Demo, chat, scan};
use serde_json::json;

#[tokio::test]
async fn a_scan_becomes_a_number_and_a_call_becomes_a_message() {
    let (demo, browser) = (Demo::start().await, Browser::start().await);

    let kiosk = browser.open(&demo.address("/kiosk/")).await;
    kiosk.click("#queues .queue:first-child").await;
    kiosk.shows("#queue", "综合业务").await;
    let first_code = kiosk.picture("#code").await;

    // The link under the code is another window, in which that very code is held out to scan.
    let before = browser.windows().await;
    kiosk.click("#phone").await;
    let phones = browser.opened_since(&before).await;
    phones.picture(".phone:first-child .pick img").await;
    assert!(phones.address().await.starts_with(&demo.address("The phones")));
    scan(&phones, 1).await;
    phones.shows(&chat(1), "取号成功 A001").await;
    phones.shows(&chat(1), "Your number is A001").await;

    kiosk.shows("#taken #number", "A001").await;
    let largest = kiosk.run(LARGEST, json!([])).await;
    assert_eq!(largest, json!("A001"), "the number is not what is seen first");

    let board = browser.open(&demo.address("/board/")).await;
    board.shows("#hero", "请稍候").await;
    board.shows("#queues", "A001").await;

    let address = demo.address("#key=");
    let (page, key) = address.split_once("#key=").unwrap();
    let staff = browser.open(&address).await;
    staff.click("#counters .queue:first-child").await;
    assert_eq!(staff.address().await, page);
    let kept = staff.run("return document.documentElement.outerHTML", json!([])).await;
    assert!(!kept.as_str().unwrap().contains(key), "the key is on the page");
    staff.shows("#counter", "1号窗口").await;
    staff.click("#next").await;
    staff.shows("#desk[data-state=called] #number", "A001").await;
    staff.shows("#said", "已叫 A001").await;

    board.shows("#hero .number", "A001").await;
    board.shows("#hero .to", "1号窗口").await;
    board.shows("#calls li:first-child", "A001").await;
    board.shows("#counters li:first-child", "A001").await;
    phones.shows(&format!("{} .card", chat(1)), "A001").await;
    phones.shows(&format!("{} .card", chat(1)), "1号窗口").await;

    // Meanwhile the kiosk has had time for the next customer.
    kiosk.hides("#taken").await;
    assert_ne!(kiosk.picture("#code").await, first_code, "the code was used");
    browser.end(&[]).await;
}

/// The text of the element with the largest letters.
const LARGEST: &str = "
const size = element => parseFloat(getComputedStyle(element).fontSize);
const leaves = [...document.querySelectorAll('body *')]
  .filter(element => element.checkVisibility() && !element.children.length && element.innerText);
return leaves.sort((one, other) => size(other) - size(one))[0].innerText;";
