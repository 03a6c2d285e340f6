//! Tests of the section of accounts: what an account may do, the way with a test account, and many
//! accounts.

use crate::browser::Browser;
use crate::demo::{Demo, http_client};
use crate::manage::{open_manage_page, open_section};
use crate::pictures::{
    NOTEBOOK, PHONE, PORTRAIT, SMALL_PHONE, Screen, TABLET, WALL, take_pictures,
};
use serde_json::json;

const SCREENS: &[Screen] = &[SMALL_PHONE, PHONE, TABLET, NOTEBOOK];

/// Has the simulated WeChat refuse a call as one that the account may not make.
async fn forbid(demo: &Demo, path: &str) {
    let sim = demo.printed_address("The phones");
    let url = format!("{}/sim/api/faults", sim.trim_end_matches('/'));
    let fault = json!({ "path": path, "effect": "errcode", "errcode": 48001 });
    let answer = http_client().post(url).json(&fault).send().await.unwrap();
    assert!(answer.status().is_success(), "{}", answer.text().await.unwrap());
}

#[tokio::test]
async fn what_an_account_may_do_is_asked_of_wechat_with_how_to_go_on_without() {
    let demo = Demo::start().await;
    let browser = Browser::start().await;
    let page = open_manage_page(&demo, &browser).await;
    open_section(&page, "accounts", "公众号连接").await;
    page.click("#accounts [data-account=demo] .item-buttons button").await;
    let ability = |name: &str| format!("#accounts .abilities [data-ability={name}]");
    let abilities = ["codes", "templates", "menu", "customer_service"];
    for name in abilities {
        page.wait_for_text(&ability(name), "· 可以").await;
    }
    take_pictures(&page, "manage-abilities", SCREENS).await;

    for path in [
        "/cgi-bin/qrcode/create",
        "/cgi-bin/template/get_all_private_template",
        "/cgi-bin/menu/get",
        "/cgi-bin/message/custom/send",
    ] {
        forbid(&demo, path).await;
    }
    page.click(".abilities .name button").await;
    for name in abilities {
        page.wait_for_text(&ability(name), "不可以").await;
        page.wait_for_text(&ability(name), "没有也行").await;
        page.wait_for_text(&ability(name), "48001").await;
    }
    page.click("#language").await;
    page.wait_for_text(&ability("codes"), "let the codes lead to a page").await;
    page.click("#language").await;
    take_pictures(&page, "manage-abilities-none", SCREENS).await;
    browser.quit(&["status of 401"]).await;
}

#[tokio::test]
async fn a_test_account_is_entered_step_by_step_with_texts_to_paste() {
    let demo = Demo::start().await;
    let browser = Browser::start().await;
    let page = open_manage_page(&demo, &browser).await;
    open_section(&page, "accounts", "公众号连接").await;
    page.click(".test-account summary").await;
    page.wait_for_text(".test-account", "新增测试模板").await;
    let modes = "return document.querySelector('#connecting select').value";
    assert_eq!(page.run_script(modes, json!([])).await, json!("secure"));
    page.click(".test-account .numbered button").await;
    page.wait_for_text(".test-account .numbered", "已选明文模式").await;
    assert_eq!(page.run_script(modes, json!([])).await, json!("plain"));
    let contents = page.run_script(CONTENTS_SCRIPT, json!([])).await;
    for (kind, keys) in [
        ("called", &["thing1", "character_string2", "thing3", "time4"][..]),
        ("missed", &["thing1", "character_string2", "thing3"]),
        ("progress", &["thing1", "character_string2", "thing3", "short_thing4", "short_thing5"]),
    ] {
        let content = contents[kind].as_str().expect("a content");
        assert_eq!(content.lines().count(), keys.len(), "{content}");
        for (line, key) in content.lines().zip(keys) {
            assert!(line.ends_with(&format!("：{{{{{key}.DATA}}}}")), "{line}");
        }
    }
    take_pictures(&page, "manage-test-account", SCREENS).await;
    browser.quit(&["status of 401"]).await;
}

const CONTENTS_SCRIPT: &str = "
const found = [...document.querySelectorAll('.template')];
return Object.fromEntries(found.map(one =>
  [one.dataset.template, one.querySelector('textarea').value]));";

/// Twenty accounts in every state, with long names.
const ACCOUNTS_SCRIPT: &str = "
const account = n => ({
  account: `clinic-of-the-north-${n}`, appid: `wx00000000000000${n + 10}`,
  source: n % 3 ? 'settings' : 'file', revision: n, mode: ['secure', 'compatible', 'plain'][n % 3],
  ...(n % 4 === 1 && { former_mode: { mode: 'plain', until: Date.now() + 86400000 } }),
  callback_url: `https://queue.example.com/wechat/clinic-${n}`, callback_path: `/wechat/clinic-${n}`,
  sites: Array.from({ length: n % 5 }, (_, site) => `hall-of-the-city-${site}`),
  verified_at: n % 2 ? Date.now() : null,
  token: n % 5 === 4 ? null : n % 5 === 3
    ? { ok: false, at: Date.now(), reason: 'address_not_listed',
        detail: `invalid ip 203.0.113.${n} ipv6 ::ffff:203.0.113.${n}, not in whitelist` }
    : { ok: true, at: Date.now() },
});
const answered = window.fetch;
window.fetch = (url, options) => String(url).endsWith('/api/v1/accounts')
  ? Promise.resolve(new Response(JSON.stringify(Array.from({ length: 20 }, (_, n) => account(n))),
      { headers: { 'content-type': 'application/json' } }))
  : answered(url, options);";

#[tokio::test]
async fn twenty_accounts_fit_every_screen() {
    let demo = Demo::start().await;
    let browser = Browser::start().await;
    let page = open_manage_page(&demo, &browser).await;
    page.before_each_page(ACCOUNTS_SCRIPT).await;
    // An address of its own, since one that differs by its fragment alone loads nothing.
    page.navigate(&format!("{}/manage/hall?many#accounts", demo.pages_url())).await;
    page.wait_for_text("#accounts [data-account=clinic-of-the-north-19]", "门店").await;
    take_pictures(&page, "manage-accounts-many", &[PHONE, TABLET, NOTEBOOK, WALL, PORTRAIT]).await;
    browser.quit(&["status of 401", "status of 404"]).await;
}
