//! The manager's page about people and keys: who is let in there is in at once, and out at once.

use crate::browser::Browser;
use crate::demo::Demo;
use crate::login::Phones;
use crate::manage::signed_in;
use crate::pictures::{DESK, PHONE, pictures};
use crate::window::Window;
use serde_json::json;

/// Goes to a section by its name.
async fn section(page: &Window, name: &str) {
    page.shows("#sections", name).await;
    page.run(GO, json!([name])).await;
    page.shows("#place h2", name).await;
}

const GO: &str = "
const buttons = [...document.querySelectorAll('#sections button')];
buttons.find(button => button.innerText.includes(arguments[0])).click();";

/// Has the code shown that makes somebody staff at the first counter.
pub async fn invite(page: &Window, name: &str) {
    section(page, "人员").await;
    page.write("#invitation input", name).await;
    page.click("#invitation .tick:first-child input").await;
    page.click("#invitation .primary").await;
    page.picture("#code").await;
    page.shows(".invited", "1号窗口").await;
    page.shows(".invited", "前有效").await;
}

async fn log_in(page: &Window, phones: &Phones) {
    page.shows("#said", "扫码登录").await;
    phones.scan("oBen", page).await;
    page.shows("#said", "回复 1").await;
    phones.answer("oBen", "1").await;
    page.shows("#choose, #desk", "号窗口").await;
}

#[tokio::test]
async fn who_is_invited_works_here_until_a_manager_says_otherwise() {
    let (demo, browser) = (Demo::start().await, Browser::start().await);
    let phones = Phones::of(&demo);
    let page = signed_in(&demo, &browser).await;
    section(&page, "人员").await;
    page.shows("#members", "还没有人").await;
    invite(&page, "李雷").await;
    pictures(&page, "manage-staff-invited", &[PHONE, DESK]).await;
    phones.scan("oBen", &page).await;
    page.shows(".told.done", "李雷 已加入").await;
    page.shows("#members", "1号窗口").await;

    // Somebody else's browser, which is sent to log in and comes back to the console.
    let theirs = Browser::start().await;
    let console = demo.address("#key=").split("#key=").next().unwrap().to_owned();
    let staff = theirs.open(&console).await;
    log_in(&staff, &phones).await;
    assert_eq!(staff.address().await, console);
    staff.shows("#counters", "1号窗口").await;
    assert!(!staff.texts("#counters").await.join("").contains("2号窗口"), "not their counter");

    page.click("#members .member > details:last-child summary").await;
    page.shows("#members .member .rows .one", "登录").await;
    pictures(&page, "manage-staff", &[PHONE, DESK]).await;
    page.click("#members .member .rows .one button").await;
    staff.shows("#said", "扫码登录").await;
    page.shows("#members .member .rows", "没有登录").await;

    // A console hears of another counter without being loaded anew.
    log_in(&staff, &phones).await;
    staff.click("#counters button").await;
    staff.shows("#counter", "1号窗口").await;
    page.click("#members .member > details:nth-of-type(1) summary").await;
    page.click("#members .member .tick:nth-child(1) input").await;
    page.click("#members .member .tick:nth-child(2) input").await;
    page.click("#members .member .adding button").await;
    page.shows(".told.done", "权限已改").await;
    staff.shows("#counters", "2号窗口").await;

    page.click("#members .remove").await;
    page.shows("#members .remove", "再按一次").await;
    page.click("#members .remove").await;
    page.shows("#members", "还没有人").await;
    staff.shows("#said", "扫码登录").await;
    theirs.end(&["status of 401"]).await;
    browser.end(&["status of 401"]).await;
}

#[tokio::test]
async fn a_key_works_from_when_it_is_made_until_it_is_revoked() {
    let (demo, browser) = (Demo::start().await, Browser::start().await);
    let page = signed_in(&demo, &browser).await;
    section(&page, "程序密钥").await;
    page.shows("#keys", "还没有密钥").await;
    page.write("#making input", "CRM").await;
    page.click("#making .tick:first-child input").await;
    page.click("#making .primary").await;
    page.shows("#making .secret", "只显示这一次").await;
    pictures(&page, "manage-keys", &[PHONE, DESK]).await;
    let key = page.run("return document.querySelector('.made').value", json!([])).await;
    let key = key.as_str().expect("a key").to_owned();
    let _ = rustls::crypto::ring::default_provider().install_default();
    let http = reqwest::Client::builder().no_proxy().build().expect("a client");
    let url = demo.address("/board/").replace("/board/hall", "/api/v1/sites/hall/desk");
    let asked = async || http.get(&url).bearer_auth(&key).send().await.expect("an answer").status();
    assert_eq!(asked().await, 200);

    page.click("#making .secret button").await;
    page.shows("#keys .one", "CRM").await;
    let kept = page.run("return document.documentElement.outerHTML", json!([])).await;
    assert!(!kept.as_str().unwrap().contains(&key), "it is shown once");
    page.click("#keys .remove").await;
    page.click("#keys .remove").await;
    page.shows(".told.done", "已吊销").await;
    assert_eq!(asked().await, 401);

    section(&page, "事件通知").await;
    page.shows("#webhooks", "配置文件里没有").await;
    browser.end(&["status of 401"]).await;
}
