//! Tests of the connection: pages show that it is lost, recover by themselves, and end it when
//! they are left.

use crate::browser::Browser;
use crate::demo::{Demo, chat_selector, kiosk_code_link, scan};
use serde_json::json;

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

#[tokio::test]
async fn a_page_that_is_left_ends_its_stream() {
    let demo = Demo::start().await;
    let browser = Browser::start().await;
    let window = browser.open("about:blank").await;
    window.before_each_page(COUNT_STREAMS_SCRIPT).await;
    // The browser keeps pages that are left, and would keep their streams.
    for pages in 1..=4 {
        window.navigate(&format!("{}?{pages}", demo.printed_address("/board/"))).await;
        window.wait_for_text("#hero", "请稍候").await;
        let streams = "return [localStorage.opened, localStorage.ended].map(Number)";
        let begun = async || window.run_script(streams, json!([])).await[0] == json!(pages);
        window.wait_until(&format!("{pages} streams have begun"), begun).await;
        assert_eq!(window.run_script(streams, json!([])).await, json!([pages, pages - 1]));
    }
    browser.quit(&[]).await;
}

const COUNT_STREAMS_SCRIPT: &str = "
localStorage.opened ??= 0;
localStorage.ended ??= 0;
const reallyFetch = window.fetch;
window.fetch = (path, options = {}) => {
  if (String(path).endsWith('/events')) {
    localStorage.opened = Number(localStorage.opened) + 1;
    options.signal.addEventListener('abort', () => {
      localStorage.ended = Number(localStorage.ended) + 1;
    });
  }
  return reallyFetch(path, options);
};";
