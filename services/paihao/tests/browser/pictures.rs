//! Every page on every screen, in both lights, as pictures in `target/pictures`; on none of them
//! may anything stick out sideways.

use crate::accessibility::findings;
use crate::browser::Browser;
use crate::demo::{Demo, chat, code_of, scan};
use crate::login::Phones;
use crate::window::Window;
use serde_json::json;
use std::path::{Path, PathBuf};

pub type Screen = (&'static str, u32, u32);
pub const PHONE: Screen = ("phone", 390, 844);
const TABLET: Screen = ("tablet", 1024, 768);
pub const DESK: Screen = ("desk", 1440, 900);
const WALL: Screen = ("wall", 1920, 1080);

/// Where a page of the hall may be looked at.
const HALL: &[Screen] = &[PHONE, TABLET, DESK, WALL];
/// Where one that a person works with is.
pub const HAND: &[Screen] = &[PHONE, TABLET, DESK];

#[tokio::test]
async fn every_page_fits_every_screen_and_keeps_nobody_out() {
    let (demo, browser) = (Demo::start().await, Browser::start().await);
    let pages = demo.address("/kiosk/").split("/kiosk").next().unwrap().to_owned();

    let page = browser.open(&pages).await;
    page.shows("#sites h2", "城南便民服务大厅").await;
    pictures(&page, "index", HAND).await;
    page.go(&demo.address("/board/").replace("/board/", "/poster/")).await;
    page.shows(".sheet h2", "综合业务").await;
    pictures(&page, "posters", HAND).await;
    page.go(&demo.address("/board/")).await;
    page.shows("#hero", "请稍候").await;
    pictures(&page, "board-quiet", HALL).await;
    page.go(demo.address("#key=").split('#').next().unwrap()).await;
    page.picture("#code").await;
    pictures(&page, "login-code", HAND).await;
    let by_hand = Phones::of(&demo);
    by_hand.scan("oAnn", &page).await;
    page.shows("#login[data-state=over]", "不在工作人员名单").await;
    pictures(&page, "login-refused", HAND).await;
    page.go("about:blank").await;
    page.go(&demo.address("/login#first=")).await;
    by_hand.scan("oAnn", &page).await;
    page.shows("#login[data-state=scanned]", "回复 1").await;
    pictures(&page, "login-scanned", HAND).await;
    by_hand.answer("oAnn", "1").await;
    page.shows("#sessions li", "就是这个浏览器").await;
    pictures(&page, "me", HAND).await;
    page.click("#sign-out").await;
    page.shows("#said", "扫码登录").await;
    page.go(&demo.address("/kiosk/")).await;
    page.shows("#queues", "社保医保").await;
    pictures(&page, "kiosk-queues", HALL).await;
    page.click("#queues button").await;
    page.picture("#code").await;
    pictures(&page, "kiosk-code", HALL).await;

    let social = browser.open(&demo.kiosk("social")).await;
    let phones = browser.open(&code_of(&social).await).await;
    pictures(&phones, "phones-chosen", HAND).await;
    // The number would leave before it has sat for all its pictures.
    social.run("window.setTimeout = () => 0", json!([])).await;
    scan(&phones, 3).await;
    social.shows("#taken #number", "B001").await;
    pictures(&social, "kiosk-number", HALL).await;
    social.close().await;
    page.close().await;

    let hall = demo.people_in_line(&browser, 2).await;
    for (person, number) in [(4, "A003"), (5, "A004"), (6, "A005")] {
        hall.click("#add").await;
        scan(&hall, person).await;
        hall.shows(&chat(person), number).await;
    }
    hall.close().await;
    let staff = browser.open(&demo.address("#key=")).await;
    staff.shows("#counters", "3号窗口").await;
    pictures(&staff, "console-counters", HAND).await;
    staff.click("#counters button").await;
    staff.click("#next").await;
    staff.shows("#said", "已叫 A001").await;
    pictures(&staff, "console-called", HAND).await;
    let board = browser.open(&demo.address("/board/")).await;
    board.shows("#calls", "A001").await;
    pictures(&board, "board-one-call", HALL).await;
    console_at_work(&staff).await;
    staff.click("#next").await;
    staff.shows("#said", "已叫 A004").await;
    staff.click("#change").await;
    staff.click("#counters button:last-child").await;
    staff.click("#next").await;
    staff.shows("#said", "已叫 B001").await;
    // A call stays the big one for a while; a board that is just opened begins with the last.
    board.go(&format!("{}?voice=off", demo.address("/board/"))).await;
    board.shows("#hero .number", "B001").await;
    pictures(&board, "board-busy", HALL).await;

    phones.shows(&format!("{} .card", chat(3)), "B001").await;
    pictures(&phones, "phones-called", HALL).await;
    phones.click(".phone:nth-child(1) .scan").await;
    phones.shows(".phone:nth-child(1) .codes .code", "还剩").await;
    pictures(&phones, "phones-codes", HAND).await;
    // Nobody had signed in yet.
    browser.end(&["status of 401"]).await;
}

/// The console with somebody missed, somebody away and somebody being served, and what it asks.
async fn console_at_work(staff: &Window) {
    staff.click("#missed").await;
    staff.shows("#missed-list", "A001").await;
    staff.click("#next").await;
    staff.click("#start").await;
    staff.click("#hold").await;
    staff.shows("#dialog-title", "挂起").await;
    pictures(staff, "console-hold", &[PHONE, DESK]).await;
    staff.click("#dialog .option").await;
    staff.click("#dialog [type=submit]").await;
    staff.shows("#held-list", "A002").await;
    staff.click("#take").await;
    pictures(staff, "console-take", &[PHONE, DESK]).await;
    staff.click("#dialog [type=submit]").await;
    staff.shows("#dialog-title", "已取号").await;
    staff.click("#dialog .ghost").await;
    staff.click("#next").await;
    staff.click("#start").await;
    staff.shows("#desk[data-state=serving] #number", "A003").await;
    pictures(staff, "console-serving", HAND).await;
    for (button, name) in [("#queues", "console-queues"), ("#help", "console-help")] {
        staff.click(button).await;
        staff.shows("#dialog", "关闭").await;
        pictures(staff, name, &[DESK]).await;
        staff.click("#dialog .ghost").await;
    }
    staff.click("#waiting .row").await;
    staff.shows("#dialog .messages", "已送达").await;
    pictures(staff, "console-ticket", &[PHONE, DESK]).await;
    staff.click("#dialog .ghost").await;
    staff.click("#finish").await;
    staff.click("#undo").await;
    staff.shows("#dialog-title", "撤销什么").await;
    pictures(staff, "console-undo", &[DESK]).await;
    staff.click("#dialog .ghost").await;
    let slip = staff.address().await.replace("/console/hall", "/slip/hall/A006");
    let before = staff.address().await;
    staff.go(&slip).await;
    staff.shows("#number", "A006").await;
    pictures(staff, "slip", &[PHONE, DESK]).await;
    staff.go(&before).await;
    staff.shows("#counter", "1号窗口").await;
}

/// Looks at a page on these screens, in both lights and languages.
pub async fn pictures(page: &Window, name: &str, screens: &[Screen]) {
    let switched = page.run(SWITCH, json!([])).await == json!(true);
    if switched {
        page.run(SWITCH, json!([])).await;
    }
    let mut wrong = Vec::new();
    for language in ["zh", "en"].into_iter().take(if switched { 2 } else { 1 }) {
        for &(screen, width, height) in screens {
            for light in ["light", "dark"] {
                page.on_screen(width, height, light).await;
                let what = format!("{name}-{screen}-{light}-{language}");
                let out = page.run(STICKING_OUT, json!([width])).await;
                let out = serde_json::from_value::<Vec<String>>(out).expect("texts");
                wrong.extend(out.iter().map(|one| format!("{what}: sticks out: {one}")));
                let found = findings(page).await;
                wrong.extend(found.iter().map(|one| format!("{what}: {one}")));
                let file = folder().join(format!("{what}.png"));
                std::fs::write(file, page.photograph().await).expect("a picture can be written");
            }
        }
        page.run(SWITCH, json!([])).await;
    }
    page.on_screen(1440, 900, "light").await;
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Turns the page to its other language, if it has one.
const SWITCH: &str = "
const button = document.getElementById('language');
if (!button) return false;
button.click();
return true;";

fn folder() -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name("pictures");
    std::fs::create_dir_all(&folder).expect("a folder can be made");
    folder
}

/// What reaches beyond the sides of the screen, unless it scrolls within something that does not,
/// and numbers that reach beyond what they stand in.
const STICKING_OUT: &str = "
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
