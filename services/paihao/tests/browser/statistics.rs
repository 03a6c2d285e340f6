//! Tests of the manager's statistics: charts, tables and the CSV file agree with the acts, and a
//! past state of the queue can be shown.

use crate::browser::Browser;
use crate::demo::Demo;
use crate::manage::{open_manage_page, open_section};
use crate::pictures::{PHONE, Screen, take_pictures};
use crate::window::Window;
use serde_json::{Value, json};

/// Screens that show the whole section at once.
const LONG_PHONE: Screen = ("phone", 390, 6400);
const LONG_DESK: Screen = ("desk", 1440, 4600);

async fn post_act(demo: &Demo, page: &Window, path: &str, body: Value) {
    let address = demo.printed_address("#key=");
    let (_, key) = address.split_once("#key=").unwrap();
    assert_eq!(
        page.run_script(POST_ACT_SCRIPT, json!([key, path, body.to_string()])).await,
        json!(200),
        "{path}"
    );
}

const POST_ACT_SCRIPT: &str = "
const [key, path, body] = arguments;
const headers = { authorization: `Bearer ${key}`, 'idempotency-key': String(Math.random()), 'content-type': 'application/json' };
return fetch(`/api/v1/sites/hall/${path}`, { method: 'POST', headers, body }).then(answer => answer.status);";

/// Texts of a table's cells, row by row.
async fn table_cells(page: &Window, css: &str) -> Vec<Vec<String>> {
    let rows = page.run_script(TABLE_CELLS_SCRIPT, json!([css])).await;
    serde_json::from_value(rows).expect("rows of texts")
}

const TABLE_CELLS_SCRIPT: &str = "
return [...document.querySelectorAll(arguments[0])].map(row =>
  [...row.cells].map(cell => (cell.querySelector('[data-zh]')?.dataset.zh || (cell.querySelector('.barred > span') || cell).textContent).trim()));";

#[tokio::test]
async fn the_statistics_agree_with_the_acts() {
    let demo = Demo::start().await;
    let browser = Browser::start().await;
    let phones = demo.add_people_in_line(&browser, 4).await;
    let page = open_manage_page(&demo, &browser).await;
    page.run_script(CAPTURE_DOWNLOAD_SCRIPT, json!([])).await;
    let all_wait = page.run_script(LOCAL_NOW_SCRIPT, json!([])).await;

    // A001 is served; A003 is called out of turn and served; A002, which was overtaken, leaves;
    // A004 is missed and may return.
    for action in ["call-next", "start", "finish"] {
        post_act(&demo, &page, &format!("counters/1/{action}"), json!({})).await;
    }
    post_act(&demo, &page, "counters/1/call", json!({"number": "A003", "reason": "老人"})).await;
    post_act(&demo, &page, "counters/1/start", json!({})).await;
    post_act(&demo, &page, "counters/1/finish", json!({})).await;
    post_act(&demo, &page, "tickets/A002/leave", json!({"reason": "走了"})).await;
    post_act(&demo, &page, "counters/1/call-next", json!({})).await;
    post_act(&demo, &page, "counters/1/missed", json!({})).await;

    open_section(&page, "numbers", "数据").await;
    for (tile, figure) in [("taken", "4"), ("served", "2"), ("left", "1"), ("overtaken", "1")] {
        page.wait_for_text(&format!(".tiles .{tile} dd"), figure).await;
    }
    page.wait_for_text(".overtakes .soft", "1 人被超过，共 1 次").await;
    let causes = table_cells(&page, ".overtakes tbody tr").await;
    assert_eq!(causes[5], ["指定叫号", "1"]);
    page.wait_for_text(".messages tbody", "取号成功").await;

    // The figures of each chart equal those of the CSV file.
    page.click(".people summary").await;
    assert_eq!(
        table_cells(&page, ".people tfoot tr").await,
        [["全部", "4", "2", "0", "1", "0", "1"]]
    );
    let hours = table_cells(&page, ".people tbody tr").await;
    page.click(".csv").await;
    let mut table = Value::Null;
    let hours_shown = async || {
        table = page.run_script("return window.kept || null", json!([])).await;
        table.is_string()
    };
    page.wait_until("the CSV file is captured", hours_shown).await;
    let table = table.as_str().unwrap();
    let rows: Vec<Vec<&str>> =
        table.lines().skip(1).map(|line| line.split(',').collect()).collect();
    assert!(!rows.is_empty(), "{table}");
    for row in &rows {
        let hour = format!("{:0>2}:00", row[1]);
        let shown = hours.iter().find(|shown| shown[0] == hour).expect("its hour");
        assert_eq!(shown[1..], row[4..10], "{table}");
    }
    let times = table_cells(&page, ".times tbody tr").await;
    for row in &rows {
        let hour = format!("{:0>2}:00", row[1]);
        let shown = times.iter().find(|shown| shown[0] == hour).expect("its hour");
        let exact = |seconds: &str| match seconds.parse::<u32>() {
            Ok(seconds) => format!("{}:{:02}", seconds / 60, seconds % 60),
            Err(_) => "—".to_owned(),
        };
        assert_eq!(shown[1..], [row[12], row[13], row[15], row[16]].map(exact), "{table}");
    }
    let bars = page
        .run_script("return document.querySelectorAll('.people rect.served').length", json!([]));
    let served_hours = hours.iter().filter(|hour| hour[2] != "0").count();
    assert_eq!(bars.await, json!(served_hours + 1), "a column each, and the legend's");

    // Filters of queue and day.
    page.run_script(CHOOSE_SCRIPT, json!([".choosing select", "social"])).await;
    page.wait_for_text(".tiles .taken dd", "0").await;
    page.wait_for_text(".people .drawn", "还没有数据").await;
    page.run_script(CHOOSE_SCRIPT, json!([".choosing select", "general"])).await;
    page.wait_for_text(".tiles .taken dd", "4").await;
    page.click(".ranges button:nth-child(2)").await;
    page.wait_for_text(".ranges [aria-pressed=true]", "昨天").await;
    page.wait_for_text(".tiles .taken dd", "0").await;
    page.click(".ranges button:nth-child(3)").await;
    page.wait_for_text(".tiles .taken dd", "4").await;
    assert_eq!(table_cells(&page, ".people tbody tr").await.len(), 7);

    // The queue before the first call can be shown; that of a week ago cannot.
    page.run_script(CHOOSE_SCRIPT, json!([".past input", all_wait])).await;
    page.click(".past form button").await;
    page.wait_for_text(".past .then li", "4 人在等").await;
    page.wait_for_text(".past .numbers", "A001").await;
    page.run_script(CHOOSE_SCRIPT, json!([".past input", "2026-01-05T10:42"])).await;
    page.click(".past form button").await;
    page.wait_for_text(".past .stood .trouble", "").await;
    page.wait_until_hidden(".past .then").await;
    phones.close().await;
    browser.quit(&["status of 401", "status of 410", "status of 404"]).await;
}

#[tokio::test]
async fn a_busy_day_fits_every_screen_and_is_accessible() {
    let demo = Demo::start().await;
    let browser = Browser::start().await;
    let page = open_manage_page(&demo, &browser).await;
    open_section(&page, "numbers", "数据").await;
    page.wait_for_text(".people .drawn", "还没有数据").await;
    take_pictures(&page, "manage-numbers-none", &[PHONE]).await;
    page.run_script(BUSY_DAY_SCRIPT, json!([])).await;
    open_section(&page, "numbers", "数据").await;
    page.wait_for_text(".tiles .taken dd", "287").await;
    for closed in ["people", "times", "messages"] {
        page.click(&format!(".{closed} summary")).await;
    }
    page.click(".past form button").await;
    page.wait_for_text(".past .stood", "的队伍").await;
    take_pictures(&page, "manage-numbers", &[LONG_PHONE, LONG_DESK]).await;
    browser.quit(&["status of 401"]).await;
}

/// Keeps the text of a file that the page offers as a download.
const CAPTURE_DOWNLOAD_SCRIPT: &str = "
const made = URL.createObjectURL;
URL.createObjectURL = blob => { blob.text().then(text => { window.kept = text; }); return made.call(URL, blob); };";

/// Returns the current local time of the site.
const LOCAL_NOW_SCRIPT: &str = "
const now = new Date();
const written = now.toLocaleString('sv-SE', { timeZone: 'Asia/Shanghai' }).replace(' ', 'T');
return `${written}.${String(now.getMilliseconds()).padStart(3, '0')}`;";

const CHOOSE_SCRIPT: &str = "
const control = document.querySelector(arguments[0]);
control.value = arguments[1];
control.dispatchEvent(new Event('change', { bubbles: true }));";

/// Replaces the server's statistics by those of a busy day.
const BUSY_DAY_SCRIPT: &str = "
const reallyFetch = window.fetch;
const spread = (count, median_s, p90_s) => ({ count, median_s, p90_s });
const accuracy = (count, kept, mean_error_minutes, median_error_minutes, bias_minutes) => ({ count, kept, mean_error_minutes, median_error_minutes, bias_minutes });
const overtaken = { people: 23, priority: 12, returned: 17, transferred: 2, resumed: 5, taken_back: 1, out_of_order: 3 };
const day = [[9, 31, 26, 2, 3, 0, 240, 660, 300, 540], [10, 52, 45, 4, 3, 0, 780, 1440, 320, 600], [11, 48, 41, 3, 4, 0, 1020, 1980, 310, 560],
  [12, 12, 11, 1, 0, 0, 420, 900, 360, 700], [13, 29, 25, 2, 2, 0, 300, 780, 290, 520], [14, 44, 38, 2, 4, 0, 660, 1320, 300, 550],
  [15, 47, 36, 4, 2, 5, 900, 1740, 330, 610], [16, 24, 2, 1, 1, 20, 540, 840, 280, 400]];
const counted = ([, taken, served, missed, left, here, w, w9, s, s9]) => ({ taken, served, missed, left, void: 0, here,
  unanswered_calls: missed * 2, waiting: spread(taken, w, w9), serving: spread(served, s, s9), estimate: accuracy(taken, 0.84, 3.4, 2.25, -0.3), overtaken });
const total = { taken: 287, served: 224, missed: 19, left: 19, void: 0, here: 25, unanswered_calls: 38, waiting: spread(262, 690, 1560),
  serving: spread(224, 310, 570), estimate: accuracy(241, 0.85, 3.42, 2.25, -0.35), overtaken };
const band = (ahead, ...figures) => ({ ahead, ...accuracy(...figures) });
const message = (notice, fate, count) => ({ day: '2026-11-23', notice, fate, count });
const busy = from => ({ site: 'hall', zone: 'Asia/Shanghai', from, to: from, by: 'hour', rows: [], total,
  all_queues: day.map(hour => ({ day: from, hour: hour[0], ...counted(hour) })),
  estimates: [band('0-2', 84, 0.89, 1.62, 1.25, 0.2), band('3-6', 92, 0.86, 2.91, 2.25, -0.31), band('7-14', 51, 0.8, 5.4, 4.5, -0.9), band('15+', 14, 0.71, 9.8, 7.75, -3.1)],
  messages: [message('joined', 'delivered', 287), message('near', 'delivered', 201), message('near', 'superseded', 31), message('near', 'failed', 6),
    message('called', 'delivered', 236), message('called', 'sent', 4), message('called', 'not_delivered', 5), message('called', 'failed', 9), message('missed', 'delivered', 33), message('missed', 'unknown', 1)] });
window.fetch = async (path, options) => {
  const response = await reallyFetch(path, options);
  if (!String(path).includes('/numbers?')) return response;
  return Response.json(busy((await response.json()).from), { headers: { date: response.headers.get('date') } });
};";
