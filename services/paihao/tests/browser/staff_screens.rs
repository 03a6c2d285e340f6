//! Pictures of the pages of staff on every kind of screen, with twenty of what there can be many.

use crate::browser::Browser;
use crate::demo::{Demo, http_client};
use crate::manage::{open_manage_page, open_section};
use crate::pictures::{ALL_SCREENS, take_pictures};
use serde_json::{Value, json};

/// Pairs a kiosk with the hall under this name, as a kiosk and a manager do together.
async fn pair_kiosk(demo: &Demo, name: &str) {
    let pairings = format!("{}/api/v1/sites/hall/kiosk-pairings", demo.pages_url());
    let client = http_client();
    let ask = client.post(&pairings).header("x-paihao-page", "1").body("{}");
    let shown: Value = ask.send().await.expect("an answer").json().await.expect("a code");
    let pairing = json!({"code": shown["code"], "name": name});
    let url = format!("{}/api/v1/sites/hall/kiosks", demo.pages_url());
    let paired = client.post(url).bearer_auth(demo.key()).json(&pairing).send().await;
    let paired = paired.expect("an answer");
    assert!(paired.status().is_success(), "{}", paired.text().await.expect("a body"));
}

#[tokio::test]
async fn twenty_kiosks_and_the_doctor_fit_every_screen() {
    let demo = Demo::start().await;
    for n in 1..=20 {
        pair_kiosk(&demo, &format!("一楼大厅东侧第{n}台自助取号机")).await;
    }
    let browser = Browser::start().await;
    let page = open_manage_page(&demo, &browser).await;
    open_section(&page, "kiosks", "取号机").await;
    page.wait_for_text("#place", "第20台").await;
    let names = page.texts("#kiosks li").await;
    assert!(
        names[1].contains("第2台") && names[9].contains("第10台"),
        "as people count: {names:?}"
    );
    take_pictures(&page, "manage-kiosks-many", ALL_SCREENS).await;
    open_section(&page, "doctor", "体检").await;
    page.wait_for_text("#findings h3", "一切正常").await;
    take_pictures(&page, "manage-doctor", ALL_SCREENS).await;
    open_section(&page, "accounts", "公众号连接").await;
    page.wait_for_text("#place .card h3", "").await;
    take_pictures(&page, "manage-accounts", ALL_SCREENS).await;
    page.navigate(&format!("{}/manage", demo.pages_url())).await;
    page.wait_for_text("#new-site .example", "叫号顺序").await;
    take_pictures(&page, "manage-new-site-screens", ALL_SCREENS).await;
    let first = browser.open(&demo.printed_address("/login#first=")).await;
    first.wait_for_text("#first-here", "成为管理员").await;
    first.wait_for_picture("#code").await;
    take_pictures(&first, "login-first-screens", ALL_SCREENS).await;
    browser.quit(&["status of 401"]).await;
}
