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
    assert!(names.iter().all(|name| name.contains("还没有用过")), "just paired: {names:?}");
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

#[tokio::test]
async fn twenty_sites_fit_every_screen() {
    let demo = Demo::start().await;
    let client = http_client();
    let url = |id: &str| format!("{}/api/v1/book/sites/{id}", demo.pages_url());
    let hall = client.get(url("hall")).bearer_auth(demo.key()).send().await.expect("an answer");
    let mut site: Value = hall.json().await.expect("settings");
    for n in 2..=20 {
        site["name"] = json!(format!("城南便民服务大厅第{n}分中心（临时办公点）"));
        let put = client.put(url(&format!("branch-of-the-city-{n}"))).bearer_auth(demo.key());
        let put = put.json(&site).send().await.expect("an answer");
        assert!(put.status().is_success(), "{}", put.text().await.expect("a body"));
    }
    let browser = Browser::start().await;
    let page = open_manage_page(&demo, &browser).await;
    page.navigate(&format!("{}/manage", demo.pages_url())).await;
    page.wait_for_text("#new-site .example", "叫号顺序").await;
    let names = page.texts("#place .links a[href^='/manage/']").await;
    assert_eq!(names.len(), 20);
    assert!(names[1].contains("第2") && names[9].contains("第10"), "as people count: {names:?}");
    take_pictures(&page, "manage-sites-many", ALL_SCREENS).await;
    browser.quit(&["status of 401"]).await;
}

/// Kiosks and keys that were made a number of days ago, by that number, and used or not.
const USES_SCRIPT: &str = "
const day = 86400000;
const made = [0, 29, 31].flatMap(age => [true, false].map(used => ({
  id: `${age}-${used}`, name: `${age} ${used}`, sites: null, counters: [], purpose: null,
  scopes: null, expires_at: null, expired: false,
  paired_by: 'm', made_by: 'm', paired_at: Date.now() - age * day, made_at: Date.now() - age * day,
  last_used_at: used ? Date.now() : null, last_used_from: used ? '192.0.2.*' : null,
})));
const answered = window.fetch;
const json = body => new Response(JSON.stringify(body),
  { headers: { 'content-type': 'application/json' } });
window.fetch = async (url, options) => {
  if (String(url).endsWith('/kiosks')) return json(made);
  const answer = await answered(url, options);
  return String(url).endsWith('/staff') && answer.ok
    ? json({ ...(await answer.json()), keys: made }) : answer;
};";

#[tokio::test]
async fn what_is_new_is_not_said_to_be_unused_for_a_month() {
    let demo = Demo::start().await;
    let browser = Browser::start().await;
    let page = open_manage_page(&demo, &browser).await;
    page.before_each_page(USES_SCRIPT).await;
    for (section, list) in [("kiosks", "#kiosks"), ("keys", "#keys")] {
        page.navigate(&format!("{}/manage/hall?{section}#{section}", demo.pages_url())).await;
        page.wait_for_text(list, "31 false").await;
        let rows = page.texts(&format!("{list} li")).await;
        assert_eq!(rows.len(), 6, "{rows:?}");
        for (name, words) in [
            ("0 true", "来自 192.0.2.*"),
            ("0 false", "还没有用过"),
            ("29 true", "来自 192.0.2.*"),
            ("29 false", "还没有用过"),
            ("31 true", "来自 192.0.2.*"),
            ("31 false", "近一个月没有用过"),
        ] {
            let row = rows.iter().find(|row| row.contains(name)).expect("it is listed");
            assert!(row.contains(words), "{section}: {row}");
        }
    }
    browser.quit(&["status of 401"]).await;
}
