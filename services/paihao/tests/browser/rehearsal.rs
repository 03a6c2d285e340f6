//! The rehearsal on an owner's first day: a shop is set up, tried with simulated phones, and begins
//! for real with nothing of that left.

use crate::browser::Browser;
use crate::demo::{chat_selector, kiosk_code_link, scan};
use crate::guide_pictures::{NARROW, WIDE, take_guide_picture};
use crate::manage::fill_control;
use crate::pictures::{ALL_SCREENS, NOTEBOOK, PHONE, SMALL_PHONE, Screen, TABLET, take_pictures};
use crate::window::Window;
use serde_json::json;
use std::path::Path;

/// Screens of a page that an owner sees on the way.
pub const OWNER_SCREENS: &[Screen] = &[SMALL_PHONE, PHONE, TABLET, NOTEBOOK];

/// Owner in a browser, whose fields are counted.
pub struct Owner {
    pub page: Window,
    pub fields: usize,
}

impl Owner {
    pub fn new(page: Window) -> Owner {
        Owner { page, fields: 0 }
    }

    pub async fn fill(&mut self, css: &str, text: &str) {
        fill_control(&self.page, css, text).await;
        self.fields += 1;
    }

    /// Waits for the step that comes next.
    pub async fn wait_for_step(&self, step: &str) {
        let next = format!("#first-steps [data-step={step}][data-state=next]");
        self.page.wait_for_text(&next, "下一步").await;
    }
}

/// Returns whether a text stands in any file below a folder, byte for byte.
fn is_stored(folder: &Path, text: &str) -> bool {
    let mut open = vec![folder.to_owned()];
    while let Some(folder) = open.pop() {
        for entry in std::fs::read_dir(folder).expect("a folder").flatten() {
            let path = entry.path();
            if path.is_dir() {
                open.push(path);
            } else if std::fs::read(&path)
                .is_ok_and(|bytes| bytes.windows(text.len()).any(|part| part == text.as_bytes()))
            {
                return true;
            }
        }
    }
    false
}

/// Openids of the simulated people who have done something.
const OPENIDS_SCRIPT: &str = "
return fetch('/sim/api/people').then(answer => answer.json())
  .then(people => people.map(person => person.openid));";

/// Rehearses, and ends the rehearsal: the browser stays logged in, what was set up is there, and
/// nothing else is left in the folder of the ledger.
pub async fn rehearse_and_end(owner: &mut Owner, browser: &Browser, pages: &str, folder: &Path) {
    let openids = rehearse(owner, browser, pages).await;
    assert!(!openids.is_empty());
    assert!(is_stored(folder, &openids[0]), "the rehearsal is stored while it goes on");
    owner.wait_for_step("real").await;
    take_pictures(&owner.page, "rehearsal-ending", OWNER_SCREENS).await;
    let end = "#first-steps [data-step=real] .remove";
    owner.page.click(end).await;
    owner.page.wait_for_text(end, "再按一次").await;
    owner.page.click(end).await;
    owner.page.wait_for_text("#first-steps [data-step=wechat]", "门店在等公众号「shop」").await;
    owner.page.wait_until_hidden(".rehearsal").await;
    owner.wait_for_step("wechat").await;
    take_pictures(&owner.page, "rehearsal-ended", OWNER_SCREENS).await;
    for text in openids.iter().map(String::as_str).chain(["取号成功"]) {
        assert!(!is_stored(folder, text), "{text} is still stored");
    }
}

/// Rehearses: sets the shop up, lets a simulated phone scan, and calls it. Returns openids.
async fn rehearse(owner: &mut Owner, browser: &Browser, pages: &str) -> Vec<String> {
    owner.page.click("#first-steps [data-step=wechat] .primary").await;
    owner.page.wait_for_text(".rehearsal", "彩排中").await;
    owner.wait_for_step("shop").await;
    owner.page.wait_for_text("#accounts", "彩排用的模拟公众号").await;
    take_pictures(&owner.page, "rehearsal-begun", OWNER_SCREENS).await;

    // The shop: its name.
    owner.fill("#new-site input[maxlength=\"40\"]", "老街面馆").await;
    fill_control(&owner.page, "#new-site select", "restaurant").await;
    take_guide_picture(&owner.page, "shop", "#new-site", WIDE).await;
    owner.page.click("#new-site button").await;
    owner.page.wait_for_text("#site", "老街面馆").await;
    owner.page.wait_for_text("#place h2", "页面与二维码").await;
    owner.page.wait_for_text("#place .page-link", "/console/restaurant").await;
    take_guide_picture(&owner.page, "pages", "#place", WIDE).await;
    owner.page.wait_for_text("#steps", "还有").await;
    take_pictures(&owner.page, "rehearsal-site", OWNER_SCREENS).await;
    owner.page.click("#steps").await;
    owner.wait_for_step("try").await;

    let kiosk = browser.open(&format!("{pages}/kiosk/restaurant?queue=small")).await;
    let link = kiosk_code_link(&kiosk).await;
    assert!(link.starts_with(&format!("{pages}/phones/?scan=")), "{link}");
    take_pictures(&kiosk, "rehearsal-kiosk", ALL_SCREENS).await;
    let phones = browser.open(&link).await;
    scan(&phones, 1).await;
    phones.wait_for_text(&chat_selector(1), "A001").await;
    kiosk.close().await;
    let ticket = phones.run_script(TICKET_SCRIPT, json!([])).await;
    let ticket = browser.open(ticket.as_str().expect("a link to the ticket")).await;
    ticket.wait_for_text("#number", "A001").await;
    take_pictures(&ticket, "rehearsal-ticket", &[SMALL_PHONE, PHONE]).await;
    ticket.close().await;

    let desk = browser.open(&format!("{pages}/console/restaurant")).await;
    desk.click("#open:enabled").await;
    desk.click("#next:enabled").await;
    desk.wait_for_text(".rehearsal", "彩排中").await;
    phones.wait_for_text(&format!("{} .card", chat_selector(1)), "迎宾台 1").await;
    take_guide_picture(&phones, "rehearsal-phone", ".phone:nth-child(1)", NARROW).await;
    take_pictures(&desk, "rehearsal-console", &[PHONE, NOTEBOOK]).await;
    desk.close().await;
    let board = browser.open(&format!("{pages}/board/restaurant?voice=off")).await;
    board.wait_for_text("#hero .number", "A001").await;
    board.wait_for_text(".rehearsal", "彩排中").await;
    take_pictures(&board, "rehearsal-board", ALL_SCREENS).await;
    board.close().await;
    let openids = phones.run_script(OPENIDS_SCRIPT, json!([])).await;
    phones.close().await;
    let openids = openids.as_array().expect("people").iter();
    openids.map(|openid| openid.as_str().expect("an openid").to_owned()).collect()
}

/// Address of the ticket's page in the chat of the first phone.
const TICKET_SCRIPT: &str = "
return document.querySelector('.phone:nth-child(1) .chat a[href*=\"/t/\"]')?.href;";
