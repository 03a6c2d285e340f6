//! What could not be said is seen by who runs things, with a reason that people understand, and said
//! once that is mended.

use crate::browser::Browser;
use crate::demo::{Demo, chat_selector};
use crate::manage::open_manage_page;
use crate::pictures::{DESKTOP, PHONE, take_pictures};
use serde_json::json;

#[tokio::test]
async fn a_call_whose_template_is_gone_reaches_the_phone_once_that_is_mended() {
    let (demo, browser) = (Demo::start().await, Browser::start().await);
    let phones = demo.add_people_in_line(&browser, 2).await;
    let page = open_manage_page(&demo, &browser).await;
    let key = demo.printed_address("#key=").split("#key=").nth(1).unwrap().to_owned();
    let set = async |template: &str| {
        let done = page.run_script(SET_TEMPLATE_SCRIPT, json!([key, template])).await;
        assert_eq!(done, json!(200));
    };
    let press = async |what: &str| {
        assert_eq!(
            page.run_script(POST_ACT_SCRIPT, json!([key, what])).await,
            json!(200),
            "{what}"
        );
    };
    set("gone").await;
    page.click("[data-section=letters]").await;
    page.wait_for_text(".letters", "没有未送达的消息").await;
    press("open").await;
    press("call-next").await;

    // It comes by itself, in words that say what to do, in both languages.
    page.wait_for_text(".letters li", "A001 叫号").await;
    page.wait_for_text(".letters .why", "模板不存在或已被删除").await;
    page.wait_for_text(".letters .why small", "the template was deleted").await;
    page.wait_for_text(".letters li", "尝试 1 次").await;
    press("finish").await;
    press("call-next").await;
    page.wait_for_text(".letters li", "A002 叫号").await;
    page.wait_for_text(".reasons b", "× 2").await;
    take_pictures(&page, "manage-letters", &[PHONE, DESKTOP]).await;
    let shown = page.texts("#place").await.concat();
    assert!(!shown.contains("sim-") && !shown.contains("openid"), "{shown}");

    // The first is needed no more; the second is said when its template is there.
    page.click(".letters li:last-child .remove").await;
    page.wait_for_text(".letters li:last-child", "已放弃").await;
    set("SIM43522_the_number_is_called_0000000000002").await;
    let before = phones.texts(&chat_selector(2)).await.concat();
    page.click(".reasons .primary").await;
    page.wait_for_text(".letters li:first-child", "demo 已重发").await;
    phones
        .wait_until("the call reaches the phone", async || {
            phones.texts(&chat_selector(2)).await.concat() != before
        })
        .await;
    phones.wait_for_text(&chat_selector(2), "1号窗口").await;
    let first = phones.texts(&chat_selector(1)).await.concat();
    assert!(!first.contains("1号窗口"), "nobody wanted it said: {first}");
    browser.quit(&["status of 401"]).await;
}

/// The account says calls through this template, and in no other way.
const SET_TEMPLATE_SCRIPT: &str = "
const [key, template] = arguments;
const headers = { authorization: `Bearer ${key}` };
const path = '/api/v1/book/accounts/demo';
return (async () => {
  const seen = await fetch(path, { headers });
  const said = await seen.json();
  said.channels = ['template'];
  said.called.template_id = template;
  return (await fetch(path, { method: 'PUT', body: JSON.stringify(said), headers: { ...headers, 'if-match': seen.headers.get('etag') } })).status;
})();";

const POST_ACT_SCRIPT: &str = "
const [key, what] = arguments;
const headers = { authorization: `Bearer ${key}`, 'idempotency-key': crypto.randomUUID() };
return fetch(`/api/v1/sites/hall/counters/1/${what}`, { method: 'POST', headers }).then(answer => answer.status);";
