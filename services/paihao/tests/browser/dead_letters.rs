//! Test of the manager's section for undelivered notices: their reasons, and their repeat after a
//! repair.

use crate::browser::Browser;
use crate::demo::{Demo, chat_selector};
use crate::manage::open_manage_page;
use crate::pictures::{DESKTOP, PHONE, take_pictures};
use serde_json::json;

#[tokio::test]
async fn a_notice_whose_template_was_deleted_is_sent_again_after_the_repair() {
    let demo = Demo::start().await;
    let browser = Browser::start().await;
    let phones = demo.add_people_in_line(&browser, 2).await;
    let page = open_manage_page(&demo, &browser).await;
    let key = demo.printed_address("#key=").split("#key=").nth(1).unwrap().to_owned();
    let set = async |template: &str| {
        let result = page.run_script(SET_TEMPLATE_SCRIPT, json!([key, template])).await;
        assert_eq!(result, json!(200));
    };
    let press = async |action: &str| {
        assert_eq!(
            page.run_script(POST_ACT_SCRIPT, json!([key, action])).await,
            json!(200),
            "{action}"
        );
    };
    set("gone").await;
    page.click("[data-section=letters]").await;
    page.wait_for_text(".letters", "没有未送达的消息").await;
    press("open").await;
    press("call-next").await;

    // The entry appears without a reload, with a reason and advice in both languages.
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

    // The first notice is given up; the second is sent again once its template exists.
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
    assert!(!first.contains("1号窗口"), "it was given up: {first}");
    browser.quit(&["status of 401"]).await;
}

/// Sets the account's channels to this template alone.
const SET_TEMPLATE_SCRIPT: &str = "
const [key, template] = arguments;
const headers = { authorization: `Bearer ${key}` };
const path = '/api/v1/book/accounts/demo';
return (async () => {
  const response = await fetch(path, { headers });
  const account = await response.json();
  account.channels = ['template'];
  account.called.template_id = template;
  return (await fetch(path, { method: 'PUT', body: JSON.stringify(account), headers: { ...headers, 'if-match': response.headers.get('etag') } })).status;
})();";

const POST_ACT_SCRIPT: &str = "
const [key, what] = arguments;
const headers = { authorization: `Bearer ${key}`, 'idempotency-key': crypto.randomUUID() };
return fetch(`/api/v1/sites/hall/counters/1/${what}`, { method: 'POST', headers }).then(answer => answer.status);";
