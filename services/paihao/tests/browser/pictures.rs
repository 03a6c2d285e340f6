//! Every page on every screen, in both color schemes and languages: no element may overflow the
//! sides, and every page must be accessible. `PAIHAO_PICTURES` keeps screenshots.

use crate::accessibility::accessibility_findings;
use crate::browser::Browser;
use crate::demo::{Demo, chat_selector, kiosk_code_link, scan};
use crate::login::SimulatedPhones;
use crate::window::Window;
use serde_json::json;
use std::path::{Path, PathBuf};

/// Name, width and height of a screen, in CSS pixels.
pub type Screen = (&'static str, u32, u32);
pub const PHONE: Screen = ("phone", 390, 844);
/// The smallest phone that is in use.
pub const SMALL_PHONE: Screen = ("small-phone", 320, 568);
pub const TABLET: Screen = ("tablet", 1024, 768);
/// A small notebook.
pub const NOTEBOOK: Screen = ("notebook", 1366, 768);
pub const DESKTOP: Screen = ("desk", 1440, 900);
pub const WALL: Screen = ("wall", 1920, 1080);
/// A screen that stands upright.
pub const PORTRAIT: Screen = ("portrait", 1080, 1920);

/// Screens of the pages in the hall.
pub const HALL_SCREENS: &[Screen] = &[PHONE, TABLET, DESKTOP, WALL];
/// Screens of the pages for staff and customers.
pub const STAFF_SCREENS: &[Screen] = &[PHONE, TABLET, DESKTOP];
/// Every kind of screen.
pub const ALL_SCREENS: &[Screen] = &[PHONE, TABLET, NOTEBOOK, WALL, PORTRAIT];

#[tokio::test]
async fn every_page_fits_every_screen_and_is_accessible() {
    let demo = Demo::start().await;
    let browser = Browser::start().await;
    let pages = demo.pages_url();

    let page = browser.open(&pages).await;
    page.wait_for_text("#sites h2", "城南便民服务大厅").await;
    take_pictures(&page, "index", STAFF_SCREENS).await;
    page.navigate(&demo.printed_address("/board/").replace("/board/", "/poster/")).await;
    page.wait_for_text(".sheet h2", "综合业务").await;
    take_pictures(&page, "posters", STAFF_SCREENS).await;
    page.navigate(&demo.printed_address("/board/")).await;
    page.wait_for_text("#hero", "请稍候").await;
    take_pictures(&page, "board-quiet", HALL_SCREENS).await;
    page.navigate(demo.printed_address("#key=").split('#').next().unwrap()).await;
    page.wait_for_picture("#code").await;
    take_pictures(&page, "login-code", STAFF_SCREENS).await;
    let simulated = SimulatedPhones::for_demo(&demo);
    simulated.scan("oAnn", &page).await;
    page.wait_for_text("#login[data-state=over]", "不在工作人员名单").await;
    take_pictures(&page, "login-refused", STAFF_SCREENS).await;
    page.navigate("about:blank").await;
    page.navigate(&demo.printed_address("/login#first=")).await;
    let prompt = simulated.scan("oAnn", &page).await;
    page.wait_for_text("#login[data-state=scanned]", "请看手机微信里的数字").await;
    take_pictures(&page, "login-scanned", STAFF_SCREENS).await;
    simulated.enter_digits(&prompt, &page).await;
    page.wait_for_text("#sessions li", "就是这个浏览器").await;
    take_pictures(&page, "me", STAFF_SCREENS).await;
    page.click("#sign-out").await;
    page.wait_for_text("#said", "扫码登录").await;
    page.navigate(&demo.printed_address("/kiosk/")).await;
    page.wait_for_text("#queues", "社保医保").await;
    take_pictures(&page, "kiosk-queues", HALL_SCREENS).await;
    page.click("#queues button").await;
    page.wait_for_picture("#code").await;
    take_pictures(&page, "kiosk-code", HALL_SCREENS).await;

    let social = browser.open(&demo.kiosk_url("social")).await;
    let phones = browser.open(&kiosk_code_link(&social).await).await;
    take_pictures(&phones, "phones-chosen", STAFF_SCREENS).await;
    // Without timers the page keeps showing the number for all screenshots.
    social.run_script("window.setTimeout = () => 0", json!([])).await;
    scan(&phones, 3).await;
    social.wait_for_text("#taken #number", "B001").await;
    take_pictures(&social, "kiosk-number", HALL_SCREENS).await;
    social.close().await;
    page.close().await;

    let more_phones = demo.add_people_in_line(&browser, 2).await;
    for (person, number) in [(4, "A003"), (5, "A004"), (6, "A005")] {
        more_phones.click("#add").await;
        scan(&more_phones, person).await;
        more_phones.wait_for_text(&chat_selector(person), number).await;
    }
    more_phones.close().await;
    let staff = browser.open(&demo.printed_address("#key=")).await;
    staff.wait_for_text("#counters", "3号窗口").await;
    take_pictures(&staff, "console-counters", STAFF_SCREENS).await;
    staff.click("#counters button").await;
    staff.click("#next").await;
    staff.wait_for_text("#said", "已叫 A001").await;
    take_pictures(&staff, "console-called", STAFF_SCREENS).await;
    let board = browser.open(&demo.printed_address("/board/")).await;
    board.wait_for_text("#calls", "A001").await;
    take_pictures(&board, "board-one-call", HALL_SCREENS).await;
    open_busy_console(&staff).await;
    staff.click("#next").await;
    staff.wait_for_text("#said", "已叫 A004").await;
    staff.click("#change").await;
    staff.click("#counters button:last-child").await;
    staff.click("#next").await;
    staff.wait_for_text("#said", "已叫 B001").await;
    // A board highlights each call for a while; one that is just opened begins with the last.
    board.navigate(&format!("{}?voice=off", demo.printed_address("/board/"))).await;
    board.wait_for_text("#hero .number", "B001").await;
    take_pictures(&board, "board-busy", HALL_SCREENS).await;

    phones.wait_for_text(&format!("{} .card", chat_selector(3)), "B001").await;
    take_pictures(&phones, "phones-called", HALL_SCREENS).await;
    phones.click(".phone:nth-child(1) .scan").await;
    phones.wait_for_text(".phone:nth-child(1) .codes .code", "还剩").await;
    take_pictures(&phones, "phones-codes", STAFF_SCREENS).await;
    // Some pages were opened before a login.
    browser.quit(&["status of 401"]).await;
}

/// Brings the console into a state with a missed, a held and a serving ticket, and takes
/// screenshots of its dialogs.
async fn open_busy_console(staff: &Window) {
    staff.click("#missed").await;
    staff.wait_for_text("#missed-list", "A001").await;
    staff.click("#next").await;
    staff.click("#start").await;
    staff.click("#hold").await;
    staff.wait_for_text("#dialog-title", "挂起").await;
    take_pictures(staff, "console-hold", &[PHONE, DESKTOP]).await;
    staff.click("#dialog .option").await;
    staff.click("#dialog [type=submit]").await;
    staff.wait_for_text("#held-list", "A002").await;
    staff.click("#take").await;
    take_pictures(staff, "console-take", &[PHONE, DESKTOP]).await;
    staff.click("#dialog [type=submit]").await;
    staff.wait_for_text("#dialog-title", "已取号").await;
    staff.click("#dialog .ghost").await;
    staff.click("#next").await;
    staff.click("#start").await;
    staff.wait_for_text("#desk[data-state=serving] #number", "A003").await;
    take_pictures(staff, "console-serving", STAFF_SCREENS).await;
    for (button, name) in [("#queues", "console-queues"), ("#help", "console-help")] {
        staff.click(button).await;
        staff.wait_for_text("#dialog", "返回").await;
        take_pictures(staff, name, &[DESKTOP]).await;
        staff.click("#dialog .ghost").await;
    }
    staff.click("#waiting .row").await;
    staff.wait_for_text("#dialog .messages", "已送达").await;
    take_pictures(staff, "console-ticket", &[PHONE, DESKTOP]).await;
    staff.click("#dialog .ghost").await;
    staff.click("#finish").await;
    staff.click("#undo").await;
    staff.wait_for_text("#dialog-title", "撤销什么").await;
    take_pictures(staff, "console-undo", &[DESKTOP]).await;
    staff.click("#dialog .ghost").await;
    let slip = staff.url().await.replace("/console/hall", "/slip/hall/A006");
    let before = staff.url().await;
    staff.navigate(&slip).await;
    staff.wait_for_text("#number", "A006").await;
    take_pictures(staff, "slip", &[PHONE, DESKTOP]).await;
    staff.navigate(&before).await;
    staff.wait_for_text("#counter", "1号窗口").await;
}

/// Checks a page for overflow and accessibility on these screens, in both color schemes and
/// languages, and keeps a picture of each.
pub async fn take_pictures(page: &Window, name: &str, screens: &[Screen]) {
    let switched = switch_language(page).await;
    if switched {
        switch_language(page).await;
    }
    let mut problems = Vec::new();
    for language in ["zh", "en"].into_iter().take(if switched { 2 } else { 1 }) {
        for &(screen, width, height) in screens {
            for light in ["light", "dark"] {
                page.set_screen(width, height, light).await;
                let file_name = format!("{name}-{screen}-{light}-{language}");
                let findings = page.run_script(OVERFLOW_SCRIPT, json!([width])).await;
                let overflowing = serde_json::from_value::<Vec<String>>(findings).expect("texts");
                problems
                    .extend(overflowing.iter().map(|one| format!("{file_name}: overflows: {one}")));
                let findings = accessibility_findings(page).await;
                problems.extend(findings.iter().map(|one| format!("{file_name}: {one}")));
                keep_picture(page, &file_name).await;
            }
        }
        switch_language(page).await;
    }
    page.set_screen(1440, 900, "light").await;
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}

/// Switches the page's language. Returns `false` if it has no other.
pub async fn switch_language(page: &Window) -> bool {
    page.run_script(SWITCH_LANGUAGE_SCRIPT, json!([])).await == json!(true)
}

const SWITCH_LANGUAGE_SCRIPT: &str = "
const button = document.getElementById('language');
if (!button) return false;
button.click();
return true;";

/// Writes a screenshot of a page to `target/pictures`, where pictures are wanted.
pub async fn keep_picture(page: &Window, name: &str) {
    // A screenshot takes longer than what is measured, and there are a thousand.
    if let Some(folder) = wanted_picture_folder() {
        let file = folder.join(format!("{name}.png"));
        std::fs::write(file, page.screenshot().await).expect("a picture can be written");
    }
}

/// Folder of the pictures, if they are wanted.
pub fn wanted_picture_folder() -> Option<PathBuf> {
    std::env::var_os("PAIHAO_PICTURES")?;
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name("pictures");
    std::fs::create_dir_all(&folder).expect("a folder can be made");
    Some(folder)
}

/// Returns elements that overflow the sides of the screen, except within a scrolling parent, and
/// numbers that overflow their parent.
const OVERFLOW_SCRIPT: &str = "
const [width] = arguments;
const scrolls = element => element !== document.body
  && (element.matches('.sr, .wall') || getComputedStyle(element).overflowX === 'auto' || scrolls(element.parentElement));
const beyond = (inner, left, right) => inner.left < left - 1 || inner.right > right + 1;
return [...document.querySelectorAll('body *')].filter(element => {
  if (!element.checkVisibility() || scrolls(element)) return false;
  const [box, around] = [element, element.parentElement].map(one => one.getBoundingClientRect());
  return box.width > 0 && (beyond(box, 0, width)
    || element.matches('.number') && beyond(box, around.left, around.right));
}).map(element => element.outerHTML.slice(0, 120));";
