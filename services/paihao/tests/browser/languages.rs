//! Tests of the two languages: the browser's at first, the chosen one from then on.

use crate::browser::Browser;
use crate::demo::Demo;
use crate::window::Window;
use serde_json::json;

#[tokio::test]
async fn the_browsers_language_holds_until_another_is_chosen() {
    let demo = Demo::start().await;
    let browser = Browser::start().await;
    let index = demo.printed_address("/kiosk/").replace("/kiosk/hall", "/");

    let page = browser.open(&index).await;
    assert_page_language(&page, "zh-CN", ".what", "全部门店 All sites").await;
    page.wait_for_text("#language", "English").await;
    page.set_languages("en-GB,en").await;
    page.navigate(&index).await;
    assert_page_language(&page, "en", ".what", "All sites 全部门店").await;
    page.set_languages("zh-CN,zh").await;
    page.navigate(&index).await;
    assert_page_language(&page, "zh-CN", ".what", "全部门店 All sites").await;

    // A choice changes the page at once, and holds for all pages.
    page.click("#language").await;
    assert_page_language(&page, "en", ".what", "All sites 全部门店").await;
    page.wait_for_text("#sites .to-kiosk", "Kiosk").await;
    page.wait_for_text("#language", "中文").await;
    page.navigate(&demo.printed_address("/board/")).await;
    assert_page_language(&page, "en", "#hero", "Please wait 请稍候").await;

    // At a kiosk a choice holds for one person only.
    page.navigate(&demo.printed_address("/kiosk/")).await;
    assert_page_language(&page, "zh-CN", "#choose h2", "请选择业务 What do you need?").await;
    page.click("#language").await;
    assert_page_language(&page, "en", "#choose h2", "What do you need? 请选择业务").await;
    page.click("#queues button").await;
    page.wait_for_picture("#code").await;
    assert_page_language(&page, "en", "#waiting", "Nobody is waiting").await;
    page.navigate(&demo.printed_address("/kiosk/")).await;
    assert_page_language(&page, "zh-CN", "#choose h2", "请选择业务").await;
    page.navigate(&format!("{}?lang=en", demo.printed_address("/kiosk/"))).await;
    assert_page_language(&page, "en", "#choose h2", "What do you need?").await;

    page.navigate(&format!("{index}board/nowhere")).await;
    assert_page_language(&page, "en", ".message h2", "没有这个门店").await;
    browser.quit(&["status of 404"]).await;
}

#[tokio::test]
async fn phones_and_posters_have_both_languages() {
    let demo = Demo::start().await;
    let browser = Browser::start().await;
    let phones = browser.open(&demo.printed_address("The phones")).await;
    assert_page_language(&phones, "zh-CN", "h1", "模拟手机 Customers’ phones").await;
    assert_page_language(&phones, "zh-CN", ".phone:first-child .scan", "扫一扫 Scan").await;
    phones.click("#language").await;
    assert_page_language(&phones, "en", "h1", "Customers’ phones 模拟手机").await;
    // Elements that are added later have the chosen language, too.
    phones.click("#add").await;
    assert_page_language(&phones, "en", ".phone:last-child .scan", "Scan 扫一扫").await;
    phones.navigate(&demo.printed_address("The phones")).await;
    assert_page_language(&phones, "en", "#add", "Add a customer 添加顾客").await;

    let poster = demo.printed_address("/board/").replace("/board/", "/poster/");
    let page = browser.open(&poster).await;
    assert_page_language(
        &page,
        "zh-CN",
        ".sheet:first-of-type .do",
        "微信扫码取号 Scan with WeChat",
    )
    .await;
    page.click("#language").await;
    assert_page_language(
        &page,
        "en",
        ".sheet:first-of-type .do",
        "Scan with WeChat to take a number 微信扫码取号",
    )
    .await;
    assert_page_language(&page, "en", "#print", "Print 打印").await;
    browser.quit(&[]).await;
}

#[tokio::test]
async fn english_pages_show_english_names_and_change_them_in_place() {
    let demo = Demo::start().await;
    let browser = Browser::start().await;
    demo.add_people_in_line(&browser, 1).await;
    demo.post_as_manager("sites/hall/counters/1/call-next").await;
    let places = [
        ("/kiosk/", "#queues .queue:first-child strong", "综合业务", "General services"),
        ("/board/", "#hero .to", "1号窗口", "Counter 1"),
        ("#key=", "#choose button:first-child strong", "1号窗口", "Counter 1"),
    ];
    for (address, css, zh, en) in places {
        let page = browser.open(&demo.printed_address(address)).await;
        for (leads, css, zh, en) in [
            ("zh-CN", "#site", "城南便民服务大厅", "Chengnan Service Hall"),
            ("zh-CN", css, zh, en),
        ] {
            assert_page_language(&page, leads, css, zh).await;
            page.click("#language").await;
            assert_page_language(&page, "en", css, en).await;
            page.click("#language").await;
        }
        page.close().await;
    }
    browser.quit(&[]).await;
}

async fn assert_page_language(page: &Window, language: &str, css: &str, text: &str) {
    let shown = async || {
        let shown = page.texts(css).await.join(" ");
        let lang = page.run_script("return document.documentElement.lang", json!([])).await;
        let words = shown.split_whitespace().collect::<Vec<_>>().join(" ");
        lang == json!(language) && words.contains(text)
    };
    page.wait_until(&format!("{css} shows {text:?} and {language} leads"), shown).await;
}
