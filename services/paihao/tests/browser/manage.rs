//! The manager's page: what is set up there is what people meet a moment later.

use crate::browser::Browser;
use crate::demo::Demo;
use crate::pictures::{DESK, PHONE, pictures};
use crate::window::Window;
use serde_json::json;

/// The manager's page of the demo's hall, signed in to.
pub async fn signed_in(demo: &Demo, browser: &Browser) -> Window {
    let page = browser.open(&demo.address("/manage/")).await;
    page.shows("#said", "扫码登录").await;
    demo.log_in_with_key(&page).await;
    page.shows("#place h2", "门店").await;
    page
}

/// Goes to a section by its place in the list.
pub async fn section(page: &Window, place: usize, title: &str) {
    page.click(&format!("#sections button:nth-child({place})")).await;
    page.shows("#place h2", title).await;
}

/// Puts a text into a control, as if somebody wrote it.
async fn fill(page: &Window, css: &str, text: &str) {
    page.shows("#place h2", "").await;
    page.run(FILL, json!([css, text])).await;
}

const FILL: &str = "
const control = document.querySelector(arguments[0]);
control.value = arguments[1];
control.dispatchEvent(new Event('input', { bubbles: true }));
control.dispatchEvent(new Event('change', { bubbles: true }));";

async fn save(page: &Window) {
    page.click("#save:enabled").await;
    page.shows("#said.done", "已保存").await;
}

#[tokio::test]
async fn what_is_set_up_is_what_people_meet() {
    let (demo, browser) = (Demo::start().await, Browser::start().await);
    let page = signed_in(&demo, &browser).await;
    let kiosk = browser.open(&demo.address("/kiosk/")).await;
    kiosk.shows("#queues", "社保医保").await;

    // A queue more: the kiosk has it without being loaded again.
    section(&page, 2, "业务").await;
    fill(&page, ".adding .field:nth-child(1) input", "loan").await;
    fill(&page, ".adding .field:nth-child(2) input", "小额贷款").await;
    page.click(".adding button").await;
    page.shows(".place .card:nth-last-child(2) h3", "小额贷款").await;
    save(&page).await;
    kiosk.shows("#queues", "小额贷款").await;

    // What cannot be is said where it stands, while it is written; and nothing of it counts.
    section(&page, 4, "开放时间").await;
    fill(&page, ".place .card:nth-of-type(2) textarea", "mon 12:00-09:60").await;
    page.shows(".place .wrong", "is not from when to when").await;
    page.shows("#said.refused", "设置有误").await;
    page.click("#undo").await;
    page.hides("#bar").await;

    // Words are shown as WeChat will, before anybody reads them there.
    section(&page, 5, "通知文字").await;
    page.shows(".phone-view .message-card", "A012").await;
    fill(&page, ".place textarea", "【{site}】{number} 请到 {counter}，带好证件").await;
    page.shows(".phone-view .bubble", "A012 请到 1号窗口，带好证件").await;
    save(&page).await;

    // Somebody else's change is not written over.
    let other = browser.open(&demo.address("/manage/")).await;
    other.shows("#place h2", "门店").await;
    fill(&other, ".place .fields input", "城北便民服务大厅").await;
    save(&other).await;
    section(&page, 1, "门店").await;
    fill(&page, ".place .fields input", "城西便民服务大厅").await;
    page.click("#save:enabled").await;
    page.shows("#said.refused", "设置已被别人修改").await;
    let board = browser.open(&demo.address("/board/")).await;
    board.shows("#site", "城北便民服务大厅").await;

    section(&other, 9, "修改记录").await;
    other.shows(".rows", "queues.loan").await;
    other.shows(".rows", "城北便民服务大厅").await;
    other.shows(".rows", "demo 修改").await;
    browser.end(&["status of 401", "status of 412", "status of 422"]).await;
}

#[tokio::test]
async fn every_section_fits_and_keeps_nobody_out() {
    let (demo, browser) = (Demo::start().await, Browser::start().await);
    let page = signed_in(&demo, &browser).await;
    let screens = &[PHONE, DESK];
    pictures(&page, "manage-site", screens).await;
    section(&page, 2, "业务").await;
    page.click("details summary").await;
    pictures(&page, "manage-queues", screens).await;
    section(&page, 4, "开放时间").await;
    pictures(&page, "manage-hours", screens).await;
    section(&page, 5, "通知文字").await;
    page.shows(".phone-view .message-card", "A012").await;
    pictures(&page, "manage-words", screens).await;
    section(&page, 6, "公众号").await;
    pictures(&page, "manage-account", screens).await;
    section(&page, 7, "门口海报").await;
    pictures(&page, "manage-posters", &[PHONE]).await;
    section(&page, 8, "导出与导入").await;
    pictures(&page, "manage-file", &[PHONE]).await;
    browser.end(&["status of 401"]).await;
}
