//! Test of an outage of the server: the pages show it, and recover by themselves.

use crate::browser::Browser;
use crate::demo::{Demo, chat_selector, kiosk_code_link, scan};

#[tokio::test]
async fn pages_recover_by_themselves_and_the_numbers_are_still_there() {
    let mut demo = Demo::start().await;
    let browser = Browser::start().await;
    demo.add_people_in_line(&browser, 2).await;
    let kiosk = browser.open(&demo.kiosk_url("general")).await;
    let old_code = kiosk_code_link(&kiosk).await;
    let board = browser.open(&demo.printed_address("/board/")).await;
    let staff = demo.staff_at_first_counter(&browser).await;
    staff.click("#next").await;
    board.wait_for_text("#hero .number", "A001").await;

    demo.kill();
    for page in [&board, &kiosk, &staff] {
        page.wait_for_text("#offline", "正在重新连接").await;
    }
    demo.restart().await;
    // The restarted demo has a new key, so the console shows the login.
    demo.log_in_with_key(&staff).await;
    for page in [&board, &kiosk, &staff] {
        page.wait_until_hidden("#offline").await;
    }
    board.wait_for_text("#hero .number", "A001").await;
    board.wait_for_text("#queues", "A002").await;
    kiosk.wait_for_text("#waiting", "1 人在等").await;
    staff.wait_for_text("#desk[data-state=called] #number", "A001").await;

    // The simulator has lost its codes at the restart: the kiosk shows a new one that works.
    kiosk
        .wait_until("there is a new code", async || kiosk_code_link(&kiosk).await != old_code)
        .await;
    let phones = browser.open(&kiosk_code_link(&kiosk).await).await;
    scan(&phones, 3).await;
    phones.wait_for_text(&chat_selector(3), "取号成功 A003").await;
    kiosk.wait_for_text("#taken #number", "A003").await;
    board.wait_for_text("#queues", "A003").await;
    browser.quit(&["net::ERR_", "status of 401", "status of 404"]).await;
}
