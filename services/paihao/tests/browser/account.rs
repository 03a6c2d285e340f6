//! Tests of the account's section of the manager's page, and of the page that a code leads to where
//! WeChat makes none.

use crate::browser::Browser;
use crate::demo::{Demo, http_client};
use crate::login::code_on_page;
use crate::manage::{fill_control, lead_codes_to_a_page, open_manage_page, open_section};
use crate::pictures::{NOTEBOOK, PHONE, SMALL_PHONE, STAFF_SCREENS, Screen, take_pictures};
use crate::window::Window;
use serde_json::json;
use std::fmt::Write;

/// Screens of the section: a phone, a tablet and a small desk, and heights that show all of it at
/// once.
const SECTION_SCREENS: &[Screen] =
    &[SMALL_PHONE, STAFF_SCREENS[1], NOTEBOOK, ("long-phone", 390, 7000)];
/// Screens of the page that takes a number.
const TAKE_SCREENS: &[Screen] = &[SMALL_PHONE, PHONE, STAFF_SCREENS[1], NOTEBOOK, STAFF_SCREENS[2]];

/// Requests a path of the gateway so many times with this method. Returns the last status.
async fn request(page: &Window, method: &str, path: &str, times: usize) -> u64 {
    let arguments = json!([method, path, times]);
    page.run_script(REQUEST_SCRIPT, arguments).await.as_u64().expect("a status")
}

const REQUEST_SCRIPT: &str = "
const [method, path, times] = arguments;
const once = () => fetch(path, { method, body: method === 'POST' ? '<xml></xml>' : undefined });
return (async () => {
  let status = 0;
  for (let count = 0; count < times; count += 1) status = (await once()).status;
  return status;
})();";

const FORGED_CALLBACK: &str =
    "/wechat/demo?signature=0&timestamp=1795384474&nonce=n&openid=oVictim";

#[tokio::test]
async fn refused_pushes_are_told_on_the_accounts_card_with_what_to_do() {
    let demo = Demo::start().await;
    let browser = Browser::start().await;
    let page = open_manage_page(&demo, &browser).await;
    open_section(&page, "account", "公众号").await;
    page.wait_for_text("#callback-faults .rows", "微信的推送都处理了").await;
    take_pictures(&page, "manage-account-quiet", SECTION_SCREENS).await;

    assert_eq!(request(&page, "GET", &format!("{FORGED_CALLBACK}&echostr=e"), 1).await, 403);
    page.click("#callback-faults button").await;
    let row = "#callback-faults [data-code=wrong_signature]";
    page.wait_for_text(row, "签名不对").await;
    page.wait_for_text(row, "× 1").await;
    page.wait_for_text(row, "callback_token 与后台的 Token 不一致").await;
    take_pictures(&page, "manage-account-fault", SECTION_SCREENS).await;
    assert_eq!(request(&page, "POST", FORGED_CALLBACK, 19).await, 403);
    for path in ["/wechat/demo", "/wechat/shpo?signature=0&timestamp=1&nonce=n"] {
        request(&page, "POST", path, 3).await;
    }
    page.click("#callback-faults button").await;
    page.wait_for_text(row, "× 20").await;
    page.wait_for_text("#callback-faults [data-code=bad_callback_query]", "× 3").await;
    page.wait_for_text("#callback-faults [data-code=unknown_account]", "末尾").await;
    page.click("#language").await;
    page.wait_for_text(row, "callback_token differs from the Token there").await;
    page.click("#language").await;
    let html = page.run_script("return document.body.innerHTML", json!([])).await;
    assert!(!html.as_str().unwrap().contains("oVictim"), "a person is on the page");
    fill_many_words(&page).await;
    take_pictures(&page, "manage-account-many", SECTION_SCREENS).await;
    browser
        .quit(&["status of 401", "status of 403", "status of 400", "status of 404", "422"])
        .await;
}

/// Fills the fields that take several lines with twenty of each, the longest ones among them.
async fn fill_many_words(page: &Window) {
    let (mut words, mut targets) = (String::new(), String::new());
    for n in 1..=20 {
        let text =
            "请到一楼大厅的服务台咨询，工作日上午九点到下午五点都有人值班。".repeat(1 + n % 3);
        let _ = writeln!(words, "关键词{n:02} = \"{text}\"");
        let _ = writeln!(
            targets,
            "system-{n:02} scenes,keys,texts https://system-{n:02}.example.com/wechat/callback/of/another/system begin_{n}_"
        );
    }
    fill_control(page, "#place .card:nth-of-type(3) textarea", &words).await;
    fill_control(page, "#place .card:nth-of-type(3) .field:last-child textarea", &targets).await;
}

#[tokio::test]
async fn a_full_menu_fits_every_screen() {
    let demo = Demo::start().await;
    let browser = Browser::start().await;
    let page = open_manage_page(&demo, &browser).await;
    open_section(&page, "menu", "菜单").await;
    page.wait_for_text("#at-wechat .menu-state[data-state=current]", "与这里一致").await;
    for entry in 3..=5 {
        page.run_script(ADD_ENTRY_SCRIPT, json!([])).await;
        let last_button = "#menu-editor > .card:nth-child(3)";
        page.wait_for_text(last_button, &format!("第 {entry} 项")).await;
    }
    page.run_script(LONGEST_NAMES_SCRIPT, json!([])).await;
    page.run_script(OPEN_HEADING_SCRIPT, json!([])).await;
    take_pictures(&page, "manage-menu-full", SECTION_SCREENS).await;
    // An account that may make none is told so, in words.
    let sim = demo.printed_address("The phones");
    let url = format!("{}/sim/api/behaviour", sim.trim_end_matches('/'));
    let change = json!({ "menu_permitted": false });
    assert!(http_client().post(url).json(&change).send().await.unwrap().status().is_success());
    page.click("#undo").await;
    page.click("#at-wechat .primary").await;
    page.wait_for_text("#at-wechat .told.refused", "不能用接口做菜单").await;
    page.wait_for_text("#at-wechat .told.refused", "扫码、发关键词或打开页面取号").await;
    take_pictures(&page, "manage-menu-forbidden", SECTION_SCREENS).await;
    browser.quit(&["status of 401", "status of 409", "status of 422"]).await;
}

/// Adds an entry to the last button. A click would have to scroll past the bar at the foot.
const ADD_ENTRY_SCRIPT: &str =
    "document.querySelector('#menu-editor > .card:nth-child(3) > button').click();";

/// Opens the last button of the picture, which stands above the part that is on the screen.
const OPEN_HEADING_SCRIPT: &str =
    "document.querySelector('#menu-preview .menu-button:nth-child(3) .menu-heading').click();";

/// Gives each name field of the editor the longest name that WeChat takes.
const LONGEST_NAMES_SCRIPT: &str = "
for (const input of document.querySelectorAll('#menu-editor .fields > .field:first-child input')) {
  input.value = input.closest('.menu-entry') ? '城南便民服务大厅综合业务预约取号' : '综合业务';
  input.dispatchEvent(new Event('input', { bubbles: true }));
}";

#[tokio::test]
async fn the_page_that_takes_a_number_fits_every_screen_and_finds_the_number_again() {
    let demo = Demo::start().await;
    let browser = Browser::start().await;
    let pages = demo.pages_url();
    lead_codes_to_a_page(&demo, &browser).await;

    let queue_page = format!("{pages}/q/q_hall_general");
    let page = browser.open(&queue_page).await;
    page.wait_for_text("#take", "取号").await;
    take_pictures(&page, "take", TAKE_SCREENS).await;
    page.click("#take").await;
    page.wait_for_text("#number", "A001").await;
    page.navigate(&queue_page).await;
    page.wait_for_text("#mine", "查看我的号码").await;
    take_pictures(&page, "take-again", TAKE_SCREENS).await;
    page.click("#mine").await;
    page.wait_for_text("#number", "A001").await;

    // A queue that takes nobody says so on the page.
    demo.post_as_manager("sites/hall/queues/social/pause").await;
    page.navigate(&format!("{pages}/q/q_hall_social")).await;
    page.run_script("localStorage.clear(); location.reload()", json!([])).await;
    page.click("#take").await;
    page.wait_for_text("#said", "暂停取号").await;
    take_pictures(&page, "take-refused", TAKE_SCREENS).await;

    // The code of a login works from the menu of the account only.
    let login = browser.open(&format!("{pages}/login")).await;
    let code = code_on_page(&login).await;
    login.navigate(&code).await;
    login.wait_for_text("main", "请在公众号的菜单里").await;
    take_pictures(&login, "take-login", TAKE_SCREENS).await;
    browser.quit(&["status of 401", "status of 409", "status of 422"]).await;
}

#[tokio::test]
async fn the_doctor_says_what_works_and_what_to_do_and_its_light_leads_there() {
    let demo = Demo::start().await;
    let browser = Browser::start().await;
    let page = open_manage_page(&demo, &browser).await;
    // The light comes on with the first examination, and leads to it.
    page.wait_for_text("#light[data-level=ok]", "一切正常").await;
    page.click("#light").await;
    page.wait_for_text("#place h2", "体检").await;
    page.wait_for_text("#findings h3", "一切正常").await;
    page.wait_for_text(".card .name [role=status]", "检查于").await;
    page.click("#findings summary").await;
    page.wait_for_text("#findings [data-code=credentials_ok]", "微信接受").await;
    take_pictures(&page, "manage-doctor", &[SMALL_PHONE, NOTEBOOK]).await;
    page.click("#place .name button").await;
    page.wait_for_text("#findings h3", "一切正常").await;
    page.click("#language").await;
    page.wait_for_text("#place h2", "Doctor").await;
    page.wait_for_text("#findings summary", "without a finding").await;
    browser.quit(&["status of 401"]).await;
}

/// Findings of every level, with long texts, and details without a place to break. An address that
/// ends with `failed` gets the reason why there are none.
const FINDINGS_SCRIPT: &str = "
const path = `/srv/${'paihao.data.of.the.hall'.repeat(6)}/paihao.sqlite, 48 KiB`;
const finding = (level, n) => ({
  about: n % 2 ? 'shop' : 'ledger', code: `${level}_${n}`, level,
  title: `第 ${n} 项检查发现的情况写成一句话，说清楚哪里不对`,
  title_en: `Finding ${n} said in one sentence that names what is wrong and where it was found`,
  detail: ['', path, `40164: invalid ip 203.0.113.${n} ipv6 ::ffff:203.0.113.${n}, not in list`][n % 3],
  advice: level === 'ok' ? '' : '在微信后台的 IP 白名单里加入所示的 IP',
  advice_en: level === 'ok' ? '' : 'add the address named here to the IP allow list of WeChat',
});
const many = (level, count) => Array.from({ length: count }, (_, n) => finding(level, n + 1));
const answered = window.fetch;
window.fetch = (url, options) => String(url).includes('/api/v1/examination')
  ? Promise.resolve(new Response(JSON.stringify({
      running: false, examined_at: Date.now(),
      failure: location.search === '?failed' ? `cannot read ${path}` : undefined,
      findings: [...many('ok', 20), ...many('bad', 20), ...many('warning', 20)],
    }), { headers: { 'content-type': 'application/json' } }))
  : answered(url, options);";

#[tokio::test]
async fn twenty_findings_of_each_level_fit_and_the_worst_come_first() {
    let demo = Demo::start().await;
    let browser = Browser::start().await;
    let page = open_manage_page(&demo, &browser).await;
    page.before_each_page(FINDINGS_SCRIPT).await;
    // An address of its own, since one that differs by its fragment alone loads nothing.
    page.navigate(&format!("{}/manage/hall?many#doctor", demo.pages_url())).await;
    page.wait_for_text("#light[data-level=bad]", "20 项不行").await;
    page.wait_for_text("#findings h3", "20 项不行").await;
    let codes = page.run_script(CODES_SCRIPT, json!([])).await;
    assert_eq!((&codes[0], &codes[20]), (&json!("bad_1"), &json!("warning_1")));
    page.click("#findings summary").await;
    page.wait_for_text("#findings [data-code=ok_20]", "第 20 项").await;
    take_pictures(&page, "manage-doctor-many", &[SMALL_PHONE, PHONE, NOTEBOOK]).await;
    page.navigate(&format!("{}/manage/hall?failed#doctor", demo.pages_url())).await;
    page.wait_for_text("#findings .refused", "cannot read").await;
    take_pictures(&page, "manage-doctor-failed", &[SMALL_PHONE, NOTEBOOK]).await;
    browser.quit(&["status of 401"]).await;
}

const CODES_SCRIPT: &str =
    "return [...document.querySelectorAll('#findings [data-code]')].map(row => row.dataset.code)";
