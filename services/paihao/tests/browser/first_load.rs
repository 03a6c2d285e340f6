//! First load of the pages on a slow phone: what comes over the network, and that nothing moves
//! once it is shown. With `--no-capture` the figures are printed, and the times, which no test has.

use crate::browser::Browser;
use crate::customer::ticket_link;
use crate::demo::Demo;
use crate::window::SlowPhone;
use serde_json::{Value, json};

/// Slow 4G, as audits of pages take it, and a processor a quarter as fast as this one.
const SLOW_PHONE: SlowPhone =
    SlowPhone { round_trip_ms: 150, down_kbps: 1600, up_kbps: 750, processor_slowdown: 4 };

/// Most bytes of a first load, with headers and what the API answers: on a phone, and on a screen
/// of the shop.
const MAX_BYTES: f64 = 44_000.0;
const MAX_BYTES_IN_SHOP: f64 = 90_000.0;

/// Largest sum of layout shifts, of which a tenth counts as good.
const MAX_LAYOUT_SHIFT: f64 = 0.02;

const PHONE: (u32, u32) = (390, 844);
const DESK: (u32, u32) = (1366, 768);

/// Page with what it shows when it is complete.
struct LoadedPage {
    name: &'static str,
    url: String,
    selector: &'static str,
    text: &'static str,
    /// Width and height in CSS pixels.
    screen: (u32, u32),
}

#[tokio::test]
async fn a_first_load_is_small_and_nothing_moves() {
    let demo = Demo::start().await;
    let browser = Browser::start().await;
    let phones = demo.add_people_in_line(&browser, 3).await;
    let ticket = ticket_link(&phones, 3).await;
    phones.close().await;
    let mut problems = Vec::new();
    println!("{:8} {:>8} {:>9} {:>9} {:>7}", "page", "bytes", "painted", "complete", "shift");
    for page in pages(&demo, ticket) {
        let measured = measure(&browser, &page).await;
        let figure = |name: &str| measured[name].as_f64().unwrap_or_else(|| panic!("{measured}"));
        let (bytes, shift) = (figure("bytes"), figure("shift"));
        println!(
            "{:8} {bytes:>8} {:>6.0} ms {:>6.0} ms {shift:>7.3}",
            page.name,
            figure("painted"),
            figure("complete")
        );
        let max_bytes = if page.screen == PHONE { MAX_BYTES } else { MAX_BYTES_IN_SHOP };
        if !(1_000.0..max_bytes).contains(&bytes) {
            problems.push(format!("{}: {bytes} bytes", page.name));
        }
        if shift > MAX_LAYOUT_SHIFT {
            problems.push(format!("{}: moves by {shift}: {}", page.name, measured["moved"]));
        }
    }
    assert!(problems.is_empty(), "{}", problems.join("\n"));
    browser.quit(&[]).await;
}

fn pages(demo: &Demo, ticket: String) -> Vec<LoadedPage> {
    let base = demo.pages_url();
    let page = |name, url, selector, text, screen| LoadedPage { name, url, selector, text, screen };
    let manage = demo.printed_address("#key=").replace("/console/", "/manage/");
    vec![
        page("ticket", ticket, "#number", "A003", PHONE),
        page("index", base, "#sites h2", "城南便民服务大厅", PHONE),
        page("kiosk", demo.printed_address("/kiosk/"), "#queues", "社保医保", (1080, 1920)),
        page("board", demo.printed_address("/board/"), "#queues", "社保医保", (1920, 1080)),
        page("console", demo.printed_address("#key="), "#counters", "号窗口", DESK),
        page("manage", manage, "#site", "城南便民服务大厅", DESK),
    ]
}

async fn measure(browser: &Browser, page: &LoadedPage) -> Value {
    let window = browser.open("about:blank").await;
    let (width, height) = page.screen;
    window.set_screen(width, height, "light").await;
    window.set_slow_phone(&SLOW_PHONE).await;
    window.before_each_page(OBSERVE_SHIFTS_SCRIPT).await;
    window.navigate(&page.url).await;
    window.wait_for_text(page.selector, page.text).await;
    let complete = window.run_script("return performance.now()", json!([])).await;
    let settled = async || window.run_script(IS_SETTLED_SCRIPT, json!([])).await == json!(true);
    window.wait_until("everything is loaded", settled).await;
    let mut measured = window.run_script(FIGURES_SCRIPT, json!([])).await;
    measured["complete"] = complete;
    window.close().await;
    measured
}

const OBSERVE_SHIFTS_SCRIPT: &str = "
window.shifts = [];
new PerformanceObserver(list => window.shifts.push(...list.getEntries()))
  .observe({ type: 'layout-shift', buffered: true });";

/// Tells whether for half a second nothing has been loaded and nothing has moved.
const IS_SETTLED_SCRIPT: &str = "
const ends = [...performance.getEntriesByType('resource').map(entry => entry.responseEnd),
  ...window.shifts.map(shift => shift.startTime)];
return document.readyState === 'complete' && performance.now() - Math.max(0, ...ends) > 500;";

const FIGURES_SCRIPT: &str = "
const loaded = [...performance.getEntriesByType('navigation'), ...performance.getEntriesByType('resource')];
const describe = node => node && `${node.nodeName} ${node.id || node.className || node.textContent.slice(0, 20)}`;
return {
  bytes: loaded.reduce((sum, entry) => sum + entry.transferSize, 0),
  painted: performance.getEntriesByName('first-contentful-paint')[0].startTime,
  shift: window.shifts.reduce((sum, shift) => sum + shift.value, 0),
  moved: window.shifts.flatMap(shift => shift.sources.map(source => describe(source.node))),
};";
