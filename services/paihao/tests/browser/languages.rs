//! Two languages on every page: the browser's at first, the chosen one from then on.

use crate::browser::Browser;
use crate::demo::Demo;
use crate::window::Window;
use serde_json::json;

#[tokio::test]
async fn the_browsers_language_leads_until_another_is_chosen() {
    let (demo, browser) = (Demo::start().await, Browser::start().await);
    let index = demo.address("/kiosk/").replace("/kiosk/hall", "/");

    let page = browser.open(&index).await;
    leads(&page, "zh-CN", ".what", "全部门店 All sites").await;
    page.shows("#language", "English").await;
    page.prefers("en-GB,en").await;
    page.go(&index).await;
    leads(&page, "en", ".what", "All sites 全部门店").await;
    page.prefers("zh-CN,zh").await;
    page.go(&index).await;
    leads(&page, "zh-CN", ".what", "全部门店 All sites").await;

    // What is chosen turns over where it stands, and holds for all pages.
    page.click("#language").await;
    leads(&page, "en", ".what", "All sites 全部门店").await;
    page.shows("#sites .to-kiosk", "Kiosk").await;
    page.shows("#language", "中文").await;
    page.go(&demo.address("/board/")).await;
    leads(&page, "en", "#hero", "Please wait 请稍候").await;

    // At a kiosk it is for one person only.
    page.go(&demo.address("/kiosk/")).await;
    leads(&page, "zh-CN", "#choose h2", "请选择业务 What do you need?").await;
    page.click("#language").await;
    leads(&page, "en", "#choose h2", "What do you need? 请选择业务").await;
    page.click("#queues button").await;
    page.picture("#code").await;
    leads(&page, "en", "#waiting", "Nobody is waiting").await;
    page.go(&demo.address("/kiosk/")).await;
    leads(&page, "zh-CN", "#choose h2", "请选择业务").await;
    page.go(&format!("{}?lang=en", demo.address("/kiosk/"))).await;
    leads(&page, "en", "#choose h2", "What do you need?").await;

    page.go(&format!("{index}board/nowhere")).await;
    leads(&page, "en", ".message h2", "没有这个门店").await;
    browser.end(&["status of 404"]).await;
}

#[tokio::test]
async fn phones_and_posters_turn_over_too() {
    let (demo, browser) = (Demo::start().await, Browser::start().await);
    let phones = browser.open(&demo.address("The phones")).await;
    leads(&phones, "zh-CN", "h1", "模拟手机 Customers’ phones").await;
    leads(&phones, "zh-CN", ".phone:first-child .scan", "扫一扫 Scan").await;
    phones.click("#language").await;
    leads(&phones, "en", "h1", "Customers’ phones 模拟手机").await;
    // What is made later is in the chosen language, too.
    phones.click("#add").await;
    leads(&phones, "en", ".phone:last-child .scan", "Scan 扫一扫").await;
    phones.go(&demo.address("The phones")).await;
    leads(&phones, "en", "#add", "Add a customer 添加顾客").await;

    let poster = demo.address("/board/").replace("/board/", "/poster/");
    let page = browser.open(&poster).await;
    leads(&page, "zh-CN", ".sheet:first-of-type .do", "微信扫码取号 Scan with WeChat").await;
    page.click("#language").await;
    leads(
        &page,
        "en",
        ".sheet:first-of-type .do",
        "Scan with WeChat to take a number 微信扫码取号",
    )
    .await;
    leads(&page, "en", "#print", "Print 打印").await;
    browser.end(&[]).await;
}

async fn leads(page: &Window, language: &str, css: &str, text: &str) {
    let shown = async || {
        let shown = page.texts(css).await.join(" ");
        let lang = page.run("return document.documentElement.lang", json!([])).await;
        let words = shown.split_whitespace().collect::<Vec<_>>().join(" ");
        lang == json!(language) && words.contains(text)
    };
    page.until(&format!("{css} shows {text:?} and {language} leads"), shown).await;
}
