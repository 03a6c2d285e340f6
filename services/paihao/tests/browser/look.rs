//! Tests of the look of a site: a logo and a colour are chosen, and are on every page.

use crate::browser::Browser;
use crate::customer::ticket_link;
use crate::demo::Demo;
use crate::manage::{fill_control, open_manage_page, open_section, save_section};
use crate::pictures::{
    ALL_SCREENS, DESKTOP, HALL_SCREENS, PHONE, PORTRAIT, STAFF_SCREENS, TABLET, WALL, take_pictures,
};
use crate::window::Window;
use serde_json::json;

/// Chooses a picture of this type and size in the page's file field, as a person does.
pub async fn choose_picture(page: &Window, kind: &str, width: u32, height: u32) {
    page.run_script(CHOOSE_SCRIPT, json!([kind, width, height])).await;
}

const CHOOSE_SCRIPT: &str = "
const [kind, width, height] = arguments;
const choose = blob => {
  const files = new DataTransfer();
  files.items.add(new File([blob], 'logo', { type: kind }));
  const control = document.querySelector('#logo-card input[type=file]');
  control.files = files.files;
  control.dispatchEvent(new Event('change', { bubbles: true }));
};
if (kind === 'image/svg+xml') {
  choose(new Blob([`<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 300 120' width='${width}' height='${height}'
    onload='document.title = \"a script ran\"'><script>parent.document.title = 'a script ran'</script>
    <rect width='300' height='120' rx='20' fill='#c0271b'/><text x='150' y='84' font-size='76'
    text-anchor='middle' fill='white'>老街</text></svg>`], { type: kind }));
} else if (kind === 'text/plain') choose(new Blob(['no picture'], { type: kind }));
else {
  const canvas = document.createElement('canvas');
  Object.assign(canvas, { width, height });
  const context = canvas.getContext('2d');
  const gradient = context.createLinearGradient(0, 0, width, height);
  gradient.addColorStop(0, '#c0271b');
  gradient.addColorStop(1, '#f0b429');
  context.fillStyle = gradient;
  context.fillRect(0, 0, width, height);
  context.fillStyle = '#fff';
  context.font = `${height / 2}px sans-serif`;
  context.fillText('老街', width / 8, height / 1.5);
  canvas.toBlob(choose, kind);
}";

/// Size of the logo on a page, and whether its picture is there.
async fn shown_logo(page: &Window) -> Vec<i64> {
    let script = "
        const logo = document.querySelector('.logo');
        if (!logo) return [];
        const { width, height } = logo.getBoundingClientRect();
        return [Math.round(width), Math.round(height), logo.naturalWidth];";
    let sizes = page.run_script(script, json!([])).await;
    serde_json::from_value(sizes).expect("numbers")
}

pub async fn wait_for_logo(page: &Window) {
    page.wait_until("the logo is there", async || {
        matches!(shown_logo(page).await[..], [width, height, natural] if width > 10 && height > 10 && natural > 0)
    })
    .await;
}

#[tokio::test]
async fn a_logo_is_chosen_on_a_phone_and_is_on_every_page() {
    let demo = Demo::start().await;
    let browser = Browser::start().await;
    let board = browser.open(&demo.printed_address("/board/")).await;
    board.wait_for_text("#site", "城南便民服务大厅").await;
    let page = open_manage_page(&demo, &browser).await;
    page.set_screen(PHONE.1, PHONE.2, "light").await;
    open_section(&page, "look", "外观").await;
    page.wait_for_text(".logo-now", "还没有标志").await;
    choose_picture(&page, "text/plain", 0, 0).await;
    page.wait_for_text("#logo-card .told", "打不开这张图片").await;
    // A photograph of a phone becomes small enough for every page.
    choose_picture(&page, "image/jpeg", 3000, 2000).await;
    page.wait_for_text("#logo-card .told", "标志已换").await;
    page.wait_for_text(".logo-now", "像素").await;
    // A drawing is taken as the pixels that it shows; its scripts do not come along.
    choose_picture(&page, "image/svg+xml", 300, 120).await;
    page.wait_for_text(".logo-now", "300 × 120 像素").await;
    assert!(
        !page.run_script("return document.title", json!([])).await.to_string().contains("script")
    );
    // The screen on the wall has it without being loaded again.
    wait_for_logo(&board).await;

    page.click("#colour-card .tick input").await;
    fill_control(&page, "#colour-card input[type=color]", "#ffd400").await;
    page.wait_for_text("#colour-card .rows", "浅色页面和纸上").await;
    take_pictures(&page, "manage-look", ALL_SCREENS).await;
    save_section(&page).await;
    let accent =
        "return getComputedStyle(document.documentElement).getPropertyValue('--accent').trim()";
    board
        .wait_until("the board has the colour", async || {
            board.run_script(accent, json!([])).await != json!("#0b6b52")
        })
        .await;
    take_pictures(&board, "look-board", HALL_SCREENS).await;

    let staff = demo.staff_at_first_counter(&browser).await;
    wait_for_logo(&staff).await;
    take_pictures(&staff, "look-console", STAFF_SCREENS).await;
    let kiosk = browser.open(&demo.printed_address("/kiosk/")).await;
    kiosk.wait_for_text("#queues", "社保医保").await;
    wait_for_logo(&kiosk).await;
    take_pictures(&kiosk, "look-kiosk", HALL_SCREENS).await;
    let poster =
        browser.open(&demo.printed_address("/board/").replace("/board/", "/poster/")).await;
    poster.wait_for_text(".sheet h2", "综合业务").await;
    wait_for_logo(&poster).await;
    take_pictures(&poster, "look-posters", STAFF_SCREENS).await;
    let phones = demo.add_people_in_line(&browser, 1).await;
    let ticket = browser.open(&ticket_link(&phones, 1).await).await;
    ticket.wait_for_text("#number", "A001").await;
    wait_for_logo(&ticket).await;
    take_pictures(&ticket, "look-ticket", &[PHONE, TABLET]).await;
    let slip = browser.open(&format!("{}/slip/hall/A001", demo.pages_url())).await;
    slip.wait_for_text("#number", "A001").await;
    wait_for_logo(&slip).await;
    take_pictures(&slip, "look-slip", &[PHONE, DESKTOP]).await;
    staff.click("#next:enabled").await;
    board.wait_for_text("#hero .number", "A001").await;
    take_pictures(&board, "look-board-call", &[WALL, PORTRAIT]).await;

    page.click(".logo-now .remove").await;
    page.click(".logo-now .remove").await;
    page.wait_for_text(".logo-now", "还没有标志").await;
    board.wait_until("the board has none", async || shown_logo(&board).await.is_empty()).await;
    page.click("#colour-card .tick input").await;
    save_section(&page).await;
    board
        .wait_until("the usual colour is back", async || {
            board.run_script(accent, json!([])).await == json!("#0b6b52")
        })
        .await;
    browser.quit(&["status of 401", "status of 404"]).await;
}
