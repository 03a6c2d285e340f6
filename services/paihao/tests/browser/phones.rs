//! What customers do with a code: scan it twice, share it, pick it from a list, come too late.

use crate::browser::Browser;
use crate::demo::{Demo, chat, code_of, scan};
use serde_json::json;

/// The codes that the third phone can choose from.
const CODES: &str = ".phone:nth-child(3) .codes .code";

#[tokio::test]
async fn the_same_phone_keeps_its_number_and_another_gets_the_next() {
    let (demo, browser) = (Demo::start().await, Browser::start().await);
    let phones = demo.people_in_line(&browser, 1).await;

    scan(&phones, 1).await;
    phones.shows(&chat(1), "您已取号 A001").await;
    scan(&phones, 2).await;
    phones.shows(&chat(2), "取号成功 A002").await;
    phones.shows(&chat(2), "前面 1 位").await;

    let board = browser.open(&demo.address("/board/")).await;
    board.shows("#queues li:first-child .name", "2 人在等").await;
    assert_eq!(board.texts("#queues .numbers li:not(.more)").await, ["A001", "A002"]);
    browser.end(&[]).await;
}

#[tokio::test]
async fn a_code_can_be_picked_from_the_list_and_a_dead_one_says_so() {
    let (demo, browser) = (Demo::start().await, Browser::start().await);
    let phones = browser.open(&demo.address("The phones")).await;
    phones.click(".phone:nth-child(3) .scan").await;
    phones.shows(".phone:nth-child(3) .sheet", "还没有二维码").await;

    // The sheet is open while the code is made elsewhere.
    let kiosk = browser.open(&demo.kiosk("social")).await;
    code_of(&kiosk).await;
    phones.click(CODES).await;
    phones.hides(".phone:nth-child(3) .sheet").await;
    phones.shows(&chat(3), "B001").await;
    kiosk.shows("#taken", "社保医保").await;
    kiosk.click("#next").await;
    kiosk.picture("#code").await;

    phones.click(".phone:nth-child(3) .scan").await;
    let codes = phones.texts(CODES).await.len();
    phones.write(".phone:nth-child(3) .paste input", "http://weixin.qq.example/q/").await;
    // A code that comes meanwhile does not take the pen away.
    kiosk.go(&demo.kiosk("general")).await;
    phones.until("a code comes", async || phones.texts(CODES).await.len() > codes).await;
    phones.press("nothing").await;
    let written = phones.run("return document.activeElement.value", json!([])).await;
    assert_eq!(written, json!("http://weixin.qq.example/q/nothing"));
    phones.click(".phone:nth-child(3) .paste button").await;
    phones.shows(&format!("{} .note", chat(3)), "码").await;
    browser.end(&[]).await;
}

#[tokio::test]
async fn the_halls_screen_stands_beside_the_phones() {
    let (demo, browser) = (Demo::start().await, Browser::start().await);
    let phones = demo.people_in_line(&browser, 1).await;
    phones.shows_framed("#hero", "请稍候").await;
    let staff = demo.staff_at_first_counter(&browser).await;
    staff.click("#next").await;
    phones.shows_framed("#hero .number", "A001").await;
    phones.shows(&chat(1), "叫号通知").await;
    browser.end(&["status of 401"]).await;
}

#[tokio::test]
async fn a_kiosk_serves_one_customer_after_the_other() {
    let (demo, browser) = (Demo::start().await, Browser::start().await);
    let phones = browser.open(&demo.address("The phones")).await;
    for _ in 3..8 {
        phones.click("#add").await;
    }
    let kiosk = browser.open(&demo.kiosk("general")).await;
    let mut used = Vec::new();
    for person in 1..=8 {
        let fresh = async || !used.contains(&code_of(&kiosk).await);
        kiosk.until("there is a fresh code", fresh).await;
        let code = code_of(&kiosk).await;
        phones.go(&code).await;
        scan(&phones, person).await;
        kiosk.shows("#taken #number", &format!("A{person:03}")).await;
        kiosk.click("#next").await;
        used.push(code);
    }
    browser.end(&[]).await;
}
