//! Tests of the manager's page: its settings take effect on the other pages at once.

use crate::browser::Browser;
use crate::demo::Demo;
use crate::pictures::{DESKTOP, NOTEBOOK, PHONE, SMALL_PHONE, keep_picture, take_pictures};
use crate::window::Window;
use serde_json::json;

/// Opens the manager's page of the demo's site, and logs in with the key.
pub async fn open_manage_page(demo: &Demo, browser: &Browser) -> Window {
    let page = browser.open(&demo.printed_address("/manage/")).await;
    page.wait_for_text("#said", "扫码登录").await;
    demo.log_in_with_key(&page).await;
    page.wait_for_text("#place h2", "门店").await;
    page
}

/// Opens a section by its name in the address.
pub async fn open_section(page: &Window, name: &str, title: &str) {
    page.click(&format!("#sections [data-section={name}]")).await;
    page.wait_for_text("#place h2", title).await;
}

/// Sets the text of a control with the events of typing.
pub async fn fill_control(page: &Window, css: &str, text: &str) {
    let is_there = async || page.run_script(THERE_SCRIPT, json!([css])).await == true;
    page.wait_until(css, is_there).await;
    page.run_script(FILL_SCRIPT, json!([css, text])).await;
}

const THERE_SCRIPT: &str = "return document.querySelector(arguments[0]) !== null;";

const FILL_SCRIPT: &str = "
const control = document.querySelector(arguments[0]);
control.value = arguments[1];
control.dispatchEvent(new Event('input', { bubbles: true }));
control.dispatchEvent(new Event('change', { bubbles: true }));";

pub async fn save_section(page: &Window) {
    page.click("#save:enabled").await;
    page.wait_for_text("#said.done", "已保存").await;
}

/// Sets the account's codes to those that lead to a page, as where WeChat makes none.
pub async fn lead_codes_to_a_page(demo: &Demo, browser: &Browser) {
    let manage = open_manage_page(demo, browser).await;
    open_section(&manage, "account", "公众号").await;
    manage.wait_for_text("#callback-faults", "微信的推送都处理了").await;
    fill_control(&manage, "#place .card:nth-of-type(3) select", "page").await;
    save_section(&manage).await;
}

#[tokio::test]
async fn settings_take_effect_on_the_other_pages_at_once() {
    let demo = Demo::start().await;
    let browser = Browser::start().await;
    let page = open_manage_page(&demo, &browser).await;
    let kiosk = browser.open(&demo.printed_address("/kiosk/")).await;
    kiosk.wait_for_text("#queues", "社保医保").await;

    // A new queue appears at the kiosk without a reload.
    open_section(&page, "queues", "业务").await;
    fill_control(&page, ".adding textarea", "小额贷款").await;
    fill_control(&page, ".adding details input", "loan").await;
    page.click(".adding > button").await;
    page.wait_for_text(".place .card:nth-of-type(3) h3", "小额贷款").await;
    save_section(&page).await;
    kiosk.wait_for_text("#queues", "小额贷款").await;

    // An invalid value is reported next to its field while it is typed, and is not saved.
    open_section(&page, "hours", "开放时间").await;
    page.wait_for_text(".week-editor summary", "写成文字").await;
    fill_control(&page, ".week-editor textarea", "mon 12:00-09:60").await;
    page.wait_for_text(".place .wrong", "is not from when to when").await;
    fill_control(&page, ".week-editor textarea", "mon 22:00-05:00").await;
    page.wait_for_text("#said.refused", "设置有误").await;
    page.wait_for_text(".place .wrong[role]:last-child", "换日时间落在这段时间里").await;
    page.click("#undo").await;
    page.wait_until_hidden("#bar").await;

    // A preview shows the notice as in WeChat.
    open_section(&page, "words", "通知文字").await;
    page.wait_for_text(".phone-view .message-card", "A012").await;
    fill_control(&page, ".place textarea", "【{site}】{number} 请到 {counter}，带好证件").await;
    page.wait_for_text(".phone-view .bubble", "A012 请到 1号窗口，带好证件").await;
    save_section(&page).await;

    // A save does not overwrite another manager's change.
    let other = browser.open(&demo.printed_address("/manage/")).await;
    other.wait_for_text("#place h2", "门店").await;
    fill_control(&other, ".place .fields input", "城北便民服务大厅").await;
    save_section(&other).await;
    open_section(&page, "site", "门店").await;
    fill_control(&page, ".place .fields input", "城西便民服务大厅").await;
    page.click("#save:enabled").await;
    page.wait_for_text("#said.refused", "设置已被别人修改").await;
    let board = browser.open(&demo.printed_address("/board/")).await;
    board.wait_for_text("#site", "城北便民服务大厅").await;

    open_section(&other, "history", "修改记录").await;
    other.wait_for_text(".rows", "queues.loan").await;
    other.wait_for_text(".rows", "城北便民服务大厅").await;
    other.wait_for_text(".rows", "demo 修改").await;
    browser.quit(&["status of 401", "status of 412", "status of 422"]).await;
}

#[tokio::test]
async fn a_section_has_an_address_and_the_browser_goes_back_and_forth() {
    let demo = Demo::start().await;
    let browser = Browser::start().await;
    let page = browser.open(&format!("{}#counters", demo.printed_address("/manage/"))).await;
    page.wait_for_text("#said", "扫码登录").await;
    demo.log_in_with_key(&page).await;
    // The login leads back to the section.
    page.wait_for_text("#place h2", "窗口").await;
    open_section(&page, "hours", "开放时间").await;
    assert!(page.url().await.ends_with("/manage/hall#hours"), "{}", page.url().await);
    page.wait_for_text(".week-editor summary", "写成文字").await;
    fill_control(&page, ".week-editor textarea", "mon-fri 09:00-12:00").await;
    page.wait_for_text(".week .day", "周一").await;
    page.run_script("history.back()", json!([])).await;
    page.wait_for_text("#place h2", "窗口").await;
    page.wait_for_text("#sections [aria-current]", "窗口").await;
    page.run_script("history.forward()", json!([])).await;
    page.wait_for_text("#place h2", "开放时间").await;
    // What was being edited is still there.
    save_section(&page).await;
    browser.quit(&["status of 401"]).await;
}

/// Height of the list of sections, and how far the current one lies beyond its ends.
const SECTIONS_SCRIPT: &str = "
const list = document.getElementById('sections').getBoundingClientRect();
const current = document.querySelector('#sections [aria-current]').getBoundingClientRect();
return [Math.round(list.height), Math.max(0, Math.round(Math.max(
  list.left - current.left, current.right - list.right,
  list.top - current.top, current.bottom - list.bottom)))];";

#[tokio::test]
async fn the_sections_are_one_row_on_a_phone_with_the_current_one_in_view() {
    let demo = Demo::start().await;
    let browser = Browser::start().await;
    let page = open_manage_page(&demo, &browser).await;
    for (name, width, height) in [SMALL_PHONE, PHONE, ("upright-tablet", 768, 1024), NOTEBOOK] {
        page.set_screen(width, height, "light").await;
        let sections = page.run_script(NAMES_SCRIPT, json!([])).await;
        let sections = sections.as_array().expect("names").clone();
        assert!(sections.len() > 20, "{sections:?}");
        for section in &sections {
            let section = section.as_str().expect("a name");
            page.click(&format!("#sections [data-section={section}]")).await;
            page.wait_until("it is the current one", async || {
                let current =
                    "return document.querySelector('#sections [aria-current]').dataset.section";
                page.run_script(current, json!([])).await == json!(section)
            })
            .await;
            let [row, beyond]: [u32; 2] =
                serde_json::from_value(page.run_script(SECTIONS_SCRIPT, json!([])).await)
                    .expect("two numbers");
            assert_eq!(beyond, 0, "{name}: {section} is out of view");
            assert!(row < 60 || width > 900, "{name}: the list is {row} high");
        }
        keep_picture(&page, &format!("manage-sections-{name}")).await;
    }
    browser.quit(&["status of 401", "status of 404"]).await;
}

const NAMES_SCRIPT: &str = "
return [...document.querySelectorAll('#sections a')].map(link => link.dataset.section);";

#[tokio::test]
async fn every_page_of_the_site_has_its_link_and_code() {
    let demo = Demo::start().await;
    let browser = Browser::start().await;
    let page = open_manage_page(&demo, &browser).await;
    open_section(&page, "pages", "页面与二维码").await;
    page.wait_for_picture(".page-link:last-child img").await;
    let links = page.texts(".page-link a").await;
    let site = demo.printed_address("/kiosk/").replace("/kiosk/hall", "");
    let expected = [
        "/kiosk/hall",
        "/board/hall",
        "/console/hall",
        "/kiosk/hall?queue=general",
        "/kiosk/hall?queue=social",
    ];
    assert_eq!(links, expected.map(|path| format!("{site}{path}")));
    assert_eq!(page.texts(".page-link img").await.len(), expected.len());
    page.click("#language").await;
    page.wait_for_text(".page-link:last-child h3", "Kiosk").await;
    page.wait_for_text(".page-link:last-child h3", "Social insurance").await;
    page.click("#language").await;
    take_pictures(&page, "manage-pages", &[PHONE, DESKTOP]).await;
    browser.quit(&["status of 401"]).await;
}

#[tokio::test]
async fn what_is_wrong_is_said_in_the_readers_language() {
    let demo = Demo::start().await;
    let browser = Browser::start().await;
    let page = open_manage_page(&demo, &browser).await;
    for (section, control, value, chinese, english) in [
        (
            "site",
            "input[type=number]",
            "40",
            "40 不是钟点 → 请填 0 到 23",
            "40 is not an hour → use 0 to 23",
        ),
        (
            "queues",
            ".place .card:nth-of-type(1) .field:nth-child(3) input",
            "B",
            "两个业务用了同一个字头，会发出相同的号 (B) → 每项业务用自己的字头",
            "two queues of one prefix give out the same numbers (B) → give each queue its own",
        ),
    ] {
        page.click(&format!("#sections [data-section={section}]")).await;
        page.wait_until("the section is open", async || page.url().await.ends_with(section)).await;
        fill_control(&page, control, value).await;
        page.wait_for_text(".place .wrong", chinese).await;
        page.click("#language").await;
        page.wait_for_text(".place .wrong", english).await;
        // The other language stands beside it, in small letters.
        let leading = "return document.querySelector('.place .wrong span').firstChild.textContent";
        assert_eq!(page.run_script(leading, json!([])).await, json!(english));
        page.click("#language").await;
        page.click("#undo").await;
        page.wait_until_hidden("#bar").await;
    }
    browser.quit(&["status of 401", "status of 422"]).await;
}

#[tokio::test]
async fn every_section_fits_every_screen_and_is_accessible() {
    let demo = Demo::start().await;
    let browser = Browser::start().await;
    let page = open_manage_page(&demo, &browser).await;
    let screens = &[PHONE, DESKTOP];
    take_pictures(&page, "manage-site", screens).await;
    open_section(&page, "queues", "业务").await;
    page.click("details summary").await;
    take_pictures(&page, "manage-queues", screens).await;
    open_section(&page, "hours", "开放时间").await;
    take_pictures(&page, "manage-hours", screens).await;
    open_section(&page, "words", "通知文字").await;
    page.wait_for_text(".phone-view .message-card", "A012").await;
    take_pictures(&page, "manage-words", screens).await;
    open_section(&page, "account", "公众号").await;
    take_pictures(&page, "manage-account", screens).await;
    open_section(&page, "posters", "门口海报").await;
    take_pictures(&page, "manage-posters", &[PHONE]).await;
    open_section(&page, "file", "导出与导入").await;
    take_pictures(&page, "manage-file", &[PHONE]).await;
    browser.quit(&["status of 401"]).await;
}
