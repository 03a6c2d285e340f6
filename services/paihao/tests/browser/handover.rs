//! Tests of the hand-over: its section, and the paper, each page of which holds its text.

use crate::browser::Browser;
use crate::demo::Demo;
use crate::look::{choose_picture, wait_for_logo};
use crate::manage::{open_manage_page, open_section};
use crate::pictures::{ALL_SCREENS, NOTEBOOK, PHONE, take_pictures, wanted_picture_folder};
use crate::templates::{OWNER_SCREENS, OwnersShop};
use crate::window::Window;
use serde_json::json;
use wechat_sim::SimTemplate;

/// Texts of the paper that lie beyond their sheet or are cut, and the number of sheets.
const PAPER_SCRIPT: &str = "
const sheets = [...document.querySelectorAll('.sheet')];
const beyond = sheets.flatMap(sheet => {
  const page = sheet.getBoundingClientRect();
  const halves = [...sheet.querySelectorAll('.half, .card-half')];
  return [...sheet.querySelectorAll('*')].filter(element => {
    if (![...element.childNodes].some(node => node.nodeType === 3 && node.data.trim())) return false;
    const range = document.createRange();
    range.selectNodeContents(element);
    const box = range.getBoundingClientRect();
    const around = halves.find(half => half.contains(element))?.getBoundingClientRect() ?? page;
    return box.left < around.left || box.right > around.right
      || box.top < around.top || box.bottom > around.bottom;
  }).map(element => element.outerHTML.slice(0, 120));
});
return [sheets.length, beyond];";

/// Prints a page of paper in both languages, and checks that each sheet is a page that holds its
/// text.
pub async fn check_paper(page: &Window, name: &str, sheets: usize) {
    page.set_paper().await;
    for language in ["zh", "en"] {
        let measured = page.run_script(PAPER_SCRIPT, json!([])).await;
        assert_eq!(measured, json!([sheets, []]), "{name} {language}");
        let pdf = page.print().await;
        let text = String::from_utf8_lossy(&pdf);
        let pages = text.matches("/Type /Page\n").count();
        assert_eq!(pages, sheets, "{name} {language}: pages of the document");
        if let Some(folder) = wanted_picture_folder() {
            std::fs::write(folder.join(format!("{name}-{language}.pdf")), &pdf).unwrap();
        }
        page.run_script("document.getElementById('language').click()", json!([])).await;
    }
}

#[tokio::test]
async fn the_last_page_leads_to_paper_screens_staff_and_menu() {
    let demo = Demo::start().await;
    let browser = Browser::start().await;
    let page = open_manage_page(&demo, &browser).await;
    open_section(&page, "handover", "交付").await;
    page.wait_for_text("[data-step=screens]", "/board/hall").await;
    page.wait_for_text("[data-step=staff] #invitation", "邀请").await;
    take_pictures(&page, "handover", OWNER_SCREENS).await;
    page.click("[data-step=menu] a").await;
    page.wait_for_text("#place h2", "菜单").await;

    let pages = demo.pages_url();
    page.navigate(&format!("{pages}/clerk/hall")).await;
    page.wait_for_text(".clerk kbd", "N").await;
    take_pictures(&page, "handover-clerk", &[PHONE, NOTEBOOK]).await;
    check_paper(&page, "paper-clerk", 1).await;
    for size in ["a4", "a5", "tent"] {
        page.navigate(&format!("{pages}/poster/hall?size={size}")).await;
        page.wait_for_text(".sheet h2", "综合业务").await;
        take_pictures(&page, &format!("handover-{size}"), &[PHONE, NOTEBOOK]).await;
        check_paper(&page, &format!("paper-{size}"), 2).await;
    }
    page.navigate(&format!("{pages}/poster/hall?size=a0")).await;
    page.wait_for_text("body", "请求内容不对").await;
    browser.quit(&["status of 401", "status of 400"]).await;
}

/// Opens each kind of paper of a shop with so many queues, and checks and pictures it.
async fn check_papers(shop: &OwnersShop, name: &str, queues: usize, has_logo: bool) {
    let page = &shop.page;
    for (paper, path, sheets) in [
        ("a4", "poster/hall?size=a4", queues),
        ("a5", "poster/hall?size=a5", queues),
        ("tent", "poster/hall?size=tent", queues),
        ("clerk", "clerk/hall", 1),
    ] {
        page.navigate(&format!("{}/{path}", shop.pages)).await;
        page.wait_for_text(".sheet", "老街面馆").await;
        if has_logo {
            wait_for_logo(page).await;
        }
        let logos = page.run_script(LOGOS_SCRIPT, json!([])).await;
        let halves = if matches!(paper, "tent" | "clerk") { 2 } else { 1 };
        assert_eq!(logos, json!(if has_logo { sheets * halves } else { 0 }), "{name} {paper}");
        if queues == 1 || paper == "tent" {
            take_pictures(page, &format!("{name}-{paper}"), ALL_SCREENS).await;
        }
        check_paper(page, &format!("paper-{name}-{paper}"), sheets).await;
        page.set_screen(1440, 900, "light").await;
    }
}

const LOGOS_SCRIPT: &str = "return document.querySelectorAll('.sheet .logo').length;";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_queue_is_handed_over_on_paper_with_a_logo_and_without() {
    let shop = OwnersShop::start(SimTemplate::demo(), 1).await;
    let page = &shop.page;
    open_section(page, "handover", "交付").await;
    page.wait_for_text("[data-step=screens]", "/board/hall").await;
    take_pictures(page, "handover-one", OWNER_SCREENS).await;
    check_papers(&shop, "one", 1, false).await;
    // A broad logo, and one that is as high as it is wide.
    for (shape, width, height) in [("broad", 1200, 300), ("square", 600, 600)] {
        page.navigate(&format!("{}/manage/hall#look", shop.pages)).await;
        page.wait_for_text("#logo-card h3", "").await;
        choose_picture(page, "image/png", width, height).await;
        page.wait_for_text("#logo-card .told", "标志已换").await;
        check_papers(&shop, &format!("one-{shape}"), 1, true).await;
    }
    shop.browser.quit(&["status of 401", "status of 404", "status of 409"]).await;
    shop.wechat.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn twenty_queues_and_counters_are_handed_over() {
    let shop = OwnersShop::start(SimTemplate::demo(), 20).await;
    let page = &shop.page;
    open_section(page, "handover", "交付").await;
    page.wait_for_text("[data-step=screens]", "/board/hall").await;
    page.click("[data-step=posters] summary").await;
    page.wait_for_text("[data-step=posters] li:nth-child(20)", "A4").await;
    take_pictures(page, "handover-twenty", OWNER_SCREENS).await;
    check_papers(&shop, "twenty", 20, false).await;
    shop.browser.quit(&["status of 401", "status of 404", "status of 409"]).await;
    shop.wechat.stop().await;
}
