//! The server goes away and comes back: the pages say so, and recover by themselves.

use crate::browser::Browser;
use crate::demo::{Demo, chat, code_of, scan};

#[tokio::test]
async fn pages_recover_by_themselves_and_the_numbers_are_still_there() {
    let (mut demo, browser) = (Demo::start().await, Browser::start().await);
    demo.people_in_line(&browser, 2).await;
    let kiosk = browser.open(&demo.kiosk("general")).await;
    let old_code = code_of(&kiosk).await;
    let board = browser.open(&demo.address("/board/")).await;
    let staff = demo.staff_at_first_counter(&browser).await;
    staff.click("#next").await;
    board.shows("#hero .number", "A001").await;

    demo.kill();
    for page in [&board, &kiosk, &staff] {
        page.shows("#offline", "正在重新连接").await;
    }
    demo.restart().await;
    // The demo has a new key; whoever has the former one is asked who they are.
    demo.log_in_with_key(&staff).await;
    for page in [&board, &kiosk, &staff] {
        page.hides("#offline").await;
    }
    board.shows("#hero .number", "A001").await;
    board.shows("#queues", "A002").await;
    kiosk.shows("#waiting", "1 人在等").await;
    staff.shows("#desk[data-state=called] #number", "A001").await;

    // WeChat's codes went with the demo: the kiosk shows one that works.
    kiosk.until("there is a new code", async || code_of(&kiosk).await != old_code).await;
    let phones = browser.open(&code_of(&kiosk).await).await;
    scan(&phones, 3).await;
    phones.shows(&chat(3), "取号成功 A003").await;
    kiosk.shows("#taken #number", "A003").await;
    board.shows("#queues", "A003").await;
    browser.end(&["net::ERR_", "status of 401", "status of 404"]).await;
}
