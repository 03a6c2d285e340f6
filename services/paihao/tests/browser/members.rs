//! Tests of the manager's sections for members and API keys: both take effect and end at once.

use crate::browser::Browser;
use crate::demo::Demo;
use crate::login::{SimulatedPhones, digits_in};
use crate::manage::open_manage_page;
use crate::pictures::{DESKTOP, PHONE, take_pictures};
use crate::window::Window;
use serde_json::json;

/// Opens a section by its name.
pub async fn open_section_named(page: &Window, name: &str) {
    page.wait_for_text("#sections", name).await;
    page.run_script(OPEN_SECTION_SCRIPT, json!([name])).await;
    page.wait_for_text("#place h2", name).await;
}

const OPEN_SECTION_SCRIPT: &str = "
const buttons = [...document.querySelectorAll('#sections a')];
buttons.find(button => button.innerText.includes(arguments[0])).click();";

/// Invites a member for the first counter, so that the page shows the code.
pub async fn show_invite_code(page: &Window, name: &str) {
    open_section_named(page, "人员").await;
    page.type_into("#invitation input", name).await;
    page.click("#invitation .tick:first-child input").await;
    page.click("#invitation .primary").await;
    page.wait_for_picture("#code").await;
    page.wait_for_text(".invited", "1号窗口").await;
    page.wait_for_text(".invited", "前有效").await;
}

/// Enters the digits of the phone that scanned the invitation that a page shows.
pub async fn confirm_scan(page: &Window, prompt: &str) {
    page.wait_for_text(".invited .seen", "有人扫了码").await;
    page.type_into(".invited .digits", &digits_in(prompt)).await;
    page.click(".invited form button").await;
}

/// Logs oBen in on a page that shows the login, and waits for the console.
async fn log_in(page: &Window, phones: &SimulatedPhones) {
    page.wait_for_text("#said", "扫码登录").await;
    phones.scan_and_confirm("oBen", page).await;
    page.wait_for_text("#choose, #desk", "号窗口").await;
}

#[tokio::test]
async fn an_invited_member_can_work_until_removed() {
    let demo = Demo::start().await;
    let browser = Browser::start().await;
    let phones = SimulatedPhones::for_demo(&demo);
    let page = open_manage_page(&demo, &browser).await;
    open_section_named(&page, "人员").await;
    page.wait_for_text("#members", "还没有人").await;
    show_invite_code(&page, "李雷").await;
    take_pictures(&page, "manage-staff-invited", &[PHONE, DESKTOP]).await;
    confirm_scan(&page, &phones.scan("oBen", &page).await).await;
    page.wait_for_text(".told.done", "李雷 已加入").await;
    page.wait_for_text("#members", "1号窗口").await;

    // The member's own browser is redirected to the login and back to the console.
    let other_browser = Browser::start().await;
    let console = demo.printed_address("#key=").split("#key=").next().unwrap().to_owned();
    let staff = other_browser.open(&console).await;
    log_in(&staff, &phones).await;
    assert_eq!(staff.url().await, console);
    // Whoever has one counter is at it, and has no other to change to.
    staff.wait_for_text("#counter", "1号窗口").await;
    assert_eq!(staff.texts("#change, #counters button").await, [""; 0]);

    page.click("#members .member > details:last-child summary").await;
    page.wait_for_text("#members .member .rows .one", "登录").await;
    take_pictures(&page, "manage-staff", &[PHONE, DESKTOP]).await;
    page.click("#members .member .rows .one button").await;
    staff.wait_for_text("#said", "扫码登录").await;
    page.wait_for_text("#members .member .rows", "没有登录").await;

    // The console gets another counter without a reload.
    log_in(&staff, &phones).await;
    staff.wait_for_text("#counter", "1号窗口").await;
    page.click("#members .member > details:nth-of-type(1) summary").await;
    page.click("#members .member .tick:nth-child(1) input").await;
    page.click("#members .member .tick:nth-child(2) input").await;
    page.click("#members .member .adding button").await;
    page.wait_for_text(".told.done", "权限已改").await;
    staff.wait_for_text("#counter", "2号窗口").await;

    page.click("#members .remove").await;
    page.wait_for_text("#members .remove", "再按一次").await;
    page.click("#members .remove").await;
    page.wait_for_text("#members", "还没有人").await;
    staff.wait_for_text("#said", "扫码登录").await;
    other_browser.quit(&["status of 401"]).await;
    browser.quit(&["status of 401"]).await;
}

/// Makes a key on the manager's page, which shows it.
async fn make_key(demo: &Demo, browser: &Browser) -> Window {
    let page = open_manage_page(demo, browser).await;
    open_section_named(&page, "程序密钥").await;
    page.wait_for_text("#keys", "还没有密钥").await;
    page.type_into("#making input", "CRM").await;
    page.click("#making .tick:first-child input").await;
    page.click("#making .primary").await;
    page.wait_for_text("#making .secret", "只显示这一次").await;
    page
}

#[tokio::test]
async fn a_key_works_from_its_creation_until_it_is_revoked() {
    let demo = Demo::start().await;
    let browser = Browser::start().await;
    let page = make_key(&demo, &browser).await;
    take_pictures(&page, "manage-keys", &[PHONE, DESKTOP]).await;
    let key = page.run_script("return document.querySelector('.made').value", json!([])).await;
    let key = key.as_str().expect("a key").to_owned();
    let _ = rustls::crypto::ring::default_provider().install_default();
    let http = reqwest::Client::builder().no_proxy().build().expect("a client");
    let url = demo.printed_address("/board/").replace("/board/hall", "/api/v1/sites/hall/desk");
    let status = async || {
        let request = http.get(&url).bearer_auth(&key);
        request.send().await.expect("a response").status()
    };
    assert_eq!(status().await, 200);

    page.click("#making .secret button").await;
    page.wait_for_text("#keys .one", "CRM").await;
    let html = page.run_script("return document.documentElement.outerHTML", json!([])).await;
    assert!(!html.as_str().unwrap().contains(&key), "it is shown once");
    page.click("#keys .remove").await;
    page.click("#keys .remove").await;
    page.wait_for_text(".told.done", "已吊销").await;
    assert_eq!(status().await, 401);

    open_section_named(&page, "事件通知").await;
    page.wait_for_text("#webhooks", "配置文件里没有").await;
    browser.quit(&["status of 401"]).await;
}

#[tokio::test]
async fn the_audit_log_says_who_made_a_key_and_from_where() {
    let demo = Demo::start().await;
    let browser = Browser::start().await;
    let page = make_key(&demo, &browser).await;
    open_section_named(&page, "操作记录").await;
    page.wait_for_text("#audit [data-event=key_made]", "CRM").await;
    page.wait_for_text("#audit [data-event=key_made]", "demo").await;
    page.wait_for_text("#audit [data-event=key_made]", "来自 127.0.0.*").await;
    take_pictures(&page, "manage-audit", &[PHONE, DESKTOP]).await;
    browser.quit(&["status of 401"]).await;
}
