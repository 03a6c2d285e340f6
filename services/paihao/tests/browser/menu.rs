//! Tests of the menu: its editor on the manager's page, and the phones that press it.

use crate::browser::Browser;
use crate::demo::{Demo, chat_selector};
use crate::manage::{fill_control, open_manage_page, open_section, save_section};
use crate::pictures::{NOTEBOOK, PHONE, STAFF_SCREENS, take_pictures};
use crate::window::Window;

/// CSS selector of a part of the editor's last button: of its first entry.
fn first_entry(part: &str) -> String {
    // The name and the fields of the button stand before its entries.
    format!("#menu-editor > .card:nth-child(3) .menu-entry:nth-child(3) {part}")
}

/// Lets the first phone follow the account.
async fn open_phones(demo: &Demo, browser: &Browser) -> Window {
    let phones = browser.open(&demo.printed_address("The phones")).await;
    phones.wait_for_text(".phone:nth-child(1) .leave", "关注").await;
    phones.click(".phone:nth-child(1) .leave").await;
    phones.wait_for_text(".phone:nth-child(1) .menu", "取号").await;
    phones
}

#[tokio::test]
async fn a_phone_shows_the_menu_and_presses_it() {
    let demo = Demo::start().await;
    let browser = Browser::start().await;
    let phones = open_phones(&demo, &browser).await;
    let chat = chat_selector(1);
    // Of two queues the person chooses one, by a tap on its line.
    phones.click(".phone:nth-child(1) .menu .entry:nth-child(1) button").await;
    phones.wait_for_text(&format!("{chat} .bubble .choice"), "综合业务").await;
    take_pictures(&phones, "phones-choice", STAFF_SCREENS).await;
    phones.click(&format!("{chat} .bubble .choice:last-of-type")).await;
    phones.wait_for_text(&chat, "取号成功 B001").await;

    let heading = ".phone:nth-child(1) .menu .entry:nth-child(2) .heading";
    let below = |place: usize| {
        format!(".phone:nth-child(1) .menu .entry:nth-child(2) li:nth-child({place}) button")
    };
    phones.click(heading).await;
    phones.wait_for_text(&below(1), "我的号").await;
    take_pictures(&phones, "phones-menu", STAFF_SCREENS).await;
    phones.click(&below(1)).await;
    phones.wait_for_text(&chat, "您已取号 B001").await;
    phones.click(heading).await;
    phones.click(&below(2)).await;
    phones.wait_for_text(&chat, "B001 已暂离").await;
    phones.click(heading).await;
    phones.click(&below(3)).await;
    phones.wait_for_text(&chat, "已取消 B001").await;
    browser.quit(&[]).await;
}

#[tokio::test]
async fn a_menu_is_edited_pushed_and_deleted() {
    let demo = Demo::start().await;
    let browser = Browser::start().await;
    let phones = open_phones(&demo, &browser).await;
    let page = open_manage_page(&demo, &browser).await;
    open_section(&page, "menu", "菜单").await;
    page.wait_for_text("#at-wechat .menu-state[data-state=current]", "与这里一致").await;
    page.click("#menu-preview .menu-button:nth-child(2) .menu-heading").await;
    page.wait_for_text("#menu-preview .menu-button:nth-child(2) li", "我的号").await;
    let screens = &[PHONE, STAFF_SCREENS[1], NOTEBOOK, STAFF_SCREENS[2]];
    take_pictures(&page, "manage-menu", screens).await;

    // A name that is too long is counted while it is typed, and reported by the server.
    let name = "#menu-editor > .card:nth-child(1) .field input";
    fill_control(&page, name, "六个汉字太长").await;
    page.wait_for_text("#menu-editor .beyond", "18 / 16").await;
    page.wait_for_text("#menu-editor .wrong", "18 bytes, and WeChat takes 16").await;
    fill_control(&page, name, "马上取号").await;
    page.wait_for_text("#menu-preview .menu-button:nth-child(1)", "马上取号").await;

    // An entry is given another action and its text.
    fill_control(&page, &first_entry("select"), "text").await;
    page.wait_for_text(&first_entry(".field.wide"), "回复的文字").await;
    fill_control(&page, &first_entry("textarea"), "每天九点到五点").await;
    page.click("#at-wechat .primary").await;
    page.wait_for_text("#at-wechat .told.refused", "先保存，再推送").await;
    save_section(&page).await;
    phones.wait_for_text(".phone:nth-child(1) .menu .entry:nth-child(1)", "取号").await;
    page.click("#at-wechat .primary").await;
    page.wait_for_text("#at-wechat .told.done", "已推送").await;

    // The open phones have it, and it answers.
    let first = ".phone:nth-child(1) .menu .entry:nth-child(1)";
    phones.wait_for_text(first, "马上取号").await;
    phones.click(".phone:nth-child(1) .menu .entry:nth-child(3) .heading").await;
    phones.click(".phone:nth-child(1) .menu .entry:nth-child(3) li:nth-child(1) button").await;
    phones.wait_for_text(&chat_selector(1), "每天九点到五点").await;

    page.click("#at-wechat .remove").await;
    page.click("#at-wechat .remove").await;
    page.wait_for_text("#at-wechat .menu-state[data-state=absent]", "微信上没有菜单").await;
    phones.wait_until_hidden(".phone:nth-child(1) .menu").await;
    browser.quit(&["status of 401", "status of 422"]).await;
}
