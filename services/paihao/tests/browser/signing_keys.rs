//! Tests of the manager's section of the keys that sign logins, and of the card of former members.

use crate::browser::Browser;
use crate::demo::{Demo, http_client};
use crate::manage::{open_manage_page, open_section};
use crate::pictures::{ALL_SCREENS, take_pictures};
use crate::window::Window;
use serde_json::{Value, json};

/// Returns the ids of the keys that logins are verified with.
async fn published(demo: &Demo) -> Vec<String> {
    let url = format!("{}/.well-known/jwks.json", demo.pages_url());
    let set: Value = http_client().get(url).send().await.unwrap().json().await.unwrap();
    let keys = set["keys"].as_array().unwrap().iter();
    keys.map(|key| key["kid"].as_str().unwrap().to_owned()).collect()
}

/// Presses a button that asks to be pressed again.
async fn press_twice(page: &Window, css: &str, asked: &str) {
    page.click(css).await;
    page.wait_for_text(css, asked).await;
    page.click(css).await;
}

#[tokio::test]
async fn a_manager_changes_the_key_of_logins_and_revokes_one() {
    let demo = Demo::start().await;
    let browser = Browser::start().await;
    let page = open_manage_page(&demo, &browser).await;
    open_section(&page, "signing", "登录签名").await;
    page.wait_for_text("#signing-keys", "第一次登录时自动生成").await;
    take_pictures(&page, "manage-signing-none", ALL_SCREENS).await;

    // The first one is in use at once, and the next one a day later.
    press_twice(&page, "#rotate", "再按一次").await;
    page.wait_for_text(".told.done", "下一个密钥已公布").await;
    page.wait_for_text("#signing-keys .one", "正在使用").await;
    page.wait_for_text("#signing-keys .one", "已有 0 天").await;
    page.wait_for_text("#signing-keys .one", "自动更换").await;
    let first = published(&demo).await;
    assert_eq!(first.len(), 1);
    press_twice(&page, "#rotate", "再按一次").await;
    page.wait_for_text(".told.done", "不会再生成").await;
    assert_eq!(published(&demo).await, first);
    take_pictures(&page, "manage-signing", ALL_SCREENS).await;

    press_twice(&page, "#signing-keys .remove", "再按一次：吊销").await;
    page.wait_for_text(".told.done", "已吊销").await;
    page.wait_for_text("#signing-keys", "第一次登录时自动生成").await;
    let second = published(&demo).await;
    assert!(second.len() == 1 && second != first, "another one signs: {second:?}");
    open_section(&page, "audit", "操作记录").await;
    page.wait_for_text("#audit [data-event=signing_key_revoked]", &first[0]).await;
    browser.quit(&["status of 401"]).await;
}

#[tokio::test]
async fn the_name_of_a_former_key_is_erased_on_the_page() {
    let demo = Demo::start().await;
    let browser = Browser::start().await;
    let page = open_manage_page(&demo, &browser).await;
    page.run_script(MAKE_AND_REVOKE_SCRIPT, json!([demo.key(), 20])).await;
    open_section(&page, "staff", "人员").await;
    page.click("details.card summary").await;
    page.wait_for_text("#former", "给报表用的钥匙 1 ").await;
    page.wait_for_text("#former .one", "名称保留到").await;
    take_pictures(&page, "manage-former-many", ALL_SCREENS).await;
    let count = page.texts("#former .one").await.len();
    assert_eq!(count, 20);
    press_twice(&page, "#former .one:first-child .remove", "再按一次：清除").await;
    page.wait_for_text(".told.done", "的名称已清除").await;
    page.wait_until("there is one less", async || page.texts("#former .one").await.len() == 19)
        .await;
    open_section(&page, "audit", "操作记录").await;
    page.wait_for_text("#audit [data-event=name_erased]", "k_").await;
    browser.quit(&["status of 401"]).await;
}

const MAKE_AND_REVOKE_SCRIPT: &str = "
const [key, count] = arguments;
const headers = { authorization: `Bearer ${key}`, 'content-type': 'application/json' };
const send = (path, method, body) => fetch(path, {
  method,
  headers: { ...headers, 'idempotency-key': crypto.randomUUID() },
  body: body && JSON.stringify(body),
});
return (async () => {
  for (let n = 1; n <= count; n += 1) {
    const body = { name: `给报表用的钥匙 ${n} `, sites: ['hall'], counters: [] };
    const made = await (await send('/api/v1/keys', 'POST', body)).json();
    await send(`/api/v1/keys/${made.id}`, 'DELETE');
  }
})();";
