//! Tests of setting a site up by its trade, and of the first manager who begins in a browser.

use crate::browser::Browser;
use crate::demo::{Demo, chat_selector, http_client, kiosk_code_link, scan};
use crate::manage::{fill_control, open_manage_page};
use crate::pictures::{NOTEBOOK, PHONE, SMALL_PHONE, take_pictures};
use crate::window::Window;
use serde_json::{Value, json};

const TRADES: [&str; 7] = ["hall", "restaurant", "clinic", "bank", "barber", "repair", "campus"];

const TRADE: &str = "#new-site select";
const NAME: &str = "#new-site input[maxlength=\"40\"]";
const SERVICES: &str = "#new-site textarea";

#[tokio::test]
async fn a_site_of_each_trade_is_set_up_by_its_name_alone() {
    let demo = Demo::start().await;
    let browser = Browser::start().await;
    let page = open_manage_page(&demo, &browser).await;
    let all = format!("{}/manage", demo.pages_url());
    for trade in TRADES {
        page.navigate(&all).await;
        page.wait_for_text("#new-site h3", "新门店").await;
        fill_control(&page, TRADE, trade).await;
        page.wait_for_text("#new-site li", "").await;
        if trade == "restaurant" {
            take_pictures(&page, "manage-new-site", &[SMALL_PHONE, NOTEBOOK]).await;
        }
        fill_control(&page, NAME, "新店").await;
        page.click("#new-site button").await;
        // The demo has a hall already.
        let id = if trade == "hall" { "hall-2" } else { trade };
        let expected = format!("{all}/{id}#pages");
        page.wait_until("the site is there", async || page.url().await == expected).await;
        page.wait_for_text("#site", "新店").await;
    }
    // People are served there at once.
    let kiosk = browser.open(&format!("{}/kiosk/clinic?queue=blood", demo.pages_url())).await;
    let phones = browser.open(&kiosk_code_link(&kiosk).await).await;
    scan(&phones, 1).await;
    phones.wait_for_text(&chat_selector(1), "取号成功").await;
    browser.quit(&["status of 401"]).await;
}

#[tokio::test]
async fn a_new_sites_address_is_free_whoever_else_sets_one_up_and_another_can_be_typed() {
    let demo = Demo::start().await;
    let browser = Browser::start().await;
    let page = open_manage_page(&demo, &browser).await;
    let all = format!("{}/manage", demo.pages_url());
    let other = browser.open(&all).await;
    let proposal = "return document.querySelector('#new-site details input').value";
    let make = async |page: &Window, id: &str| {
        fill_control(page, NAME, "老街面馆").await;
        page.click("#new-site button").await;
        let expected = format!("{all}/{id}#pages");
        page.wait_until("the site is there", async || page.url().await == expected).await;
        page.wait_for_text("#site", "老街面馆").await;
    };
    for page in [&page, &other] {
        page.navigate(&all).await;
        page.wait_for_text("#new-site h3", "新门店").await;
        fill_control(page, TRADE, "restaurant").await;
        page.wait_until("an address is proposed", async || {
            page.run_script(proposal, json!([])).await == json!("restaurant")
        })
        .await;
    }
    make(&page, "restaurant").await;
    make(&other, "restaurant-2").await;
    // What was retired is not proposed again.
    let url = format!("{}/api/v1/book/sites/restaurant-2", demo.pages_url());
    let read = http_client().get(&url).bearer_auth(demo.key()).send().await.expect("an answer");
    let tag = read.headers()["etag"].clone();
    let retired = http_client().delete(&url).bearer_auth(demo.key()).header("if-match", tag);
    assert!(retired.send().await.expect("an answer").status().is_success());
    page.navigate(&all).await;
    page.wait_for_text("#new-site h3", "新门店").await;
    fill_control(&page, TRADE, "restaurant").await;
    page.wait_until("the next address is proposed", async || {
        page.run_script(proposal, json!([])).await == json!("restaurant-3")
    })
    .await;
    // One that was typed stays, also if the trade is changed.
    page.click("#new-site details summary").await;
    fill_control(&page, "#new-site details input", "old-street").await;
    fill_control(&page, TRADE, "barber").await;
    make(&page, "old-street").await;
    browser.quit(&["status of 401", "status of 404"]).await;
}

#[tokio::test]
async fn services_of_ones_own_take_the_place_of_the_trades() {
    let demo = Demo::start().await;
    let browser = Browser::start().await;
    let page = open_manage_page(&demo, &browser).await;
    page.navigate(&format!("{}/manage", demo.pages_url())).await;
    page.wait_for_text("#new-site h3", "新门店").await;
    fill_control(&page, TRADE, "barber").await;
    let twenty: Vec<String> = (1..=20).map(|n| format!("第 {n} 项服务")).collect();
    fill_control(&page, SERVICES, &format!("剪发\n{}", twenty.join("\n"))).await;
    fill_control(&page, NAME, "老街理发").await;
    take_pictures(&page, "manage-new-site-many", &[PHONE]).await;
    page.click("#new-site button").await;
    page.wait_for_text("#site", "老街理发").await;
    let queues = page.run_script(QUEUES_SCRIPT, json!([demo.key()])).await;
    let queues = queues.as_object().expect("the queues");
    assert_eq!(queues.len(), 12, "twelve fit on every kiosk");
    let names: Vec<&Value> =
        ["cut", "di-1-xiangfuwu", "di-11-xiangfuwu"].map(|id| &queues[id]["name"]).into();
    assert_eq!(names, ["剪发", "第 1 项服务", "第 11 项服务"]);
    browser.quit(&["status of 401"]).await;
}

const QUEUES_SCRIPT: &str = "
return (async () => {
  const headers = { authorization: `Bearer ${arguments[0]}` };
  const site = await fetch('/api/v1/book/sites/barber', { headers });
  return (await site.json()).queues;
})();";

#[tokio::test]
async fn the_link_of_the_first_manager_opens_the_managers_page_in_the_browser_at_once() {
    let demo = Demo::start().await;
    let browser = Browser::start().await;
    let page = browser.open(&demo.printed_address("/login#first=")).await;
    page.wait_for_text("#first-here", "成为管理员").await;
    page.wait_for_picture("#code").await;
    take_pictures(&page, "login-first", &[SMALL_PHONE, NOTEBOOK]).await;
    page.click("#first-here").await;
    page.wait_for_text("#place h2", "").await;
    page.wait_for_text("#new-site h3", "新门店").await;
    // The link leads there again until somebody has scanned.
    let again = browser.open(&demo.printed_address("/login#first=")).await;
    again.click("#first-here").await;
    again.wait_for_text("#new-site h3", "新门店").await;
    browser.quit(&[]).await;
}
