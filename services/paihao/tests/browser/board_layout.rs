//! Layout of the board in halls of every size on every screen: nothing overlaps, nothing leaves its
//! place, and the called number has its share.

use crate::browser::Browser;
use crate::demo::Demo;
use crate::pictures::keep_picture;
use crate::window::Window;
use serde_json::{Value, json};

/// Number of counters and of queues of a hall; the demo begins with three and two.
const HALLS: [(usize, usize); 4] = [(4, 2), (8, 6), (12, 6), (20, 12)];

/// Name, width and height of a screen, in CSS pixels.
const SCREENS: [(&str, u32, u32); 5] = [
    ("phone", 390, 844),
    ("small", 1366, 768),
    ("wall", 1920, 1080),
    ("4k", 3840, 2160),
    ("portrait", 1080, 1920),
];

/// Smallest share of the screen's height that the large call has, upright or not.
const MIN_HERO_SHARE: f64 = 0.3;
/// Smallest share of the screen's shorter side that the called number is high.
const MIN_NUMBER_SHARE: f64 = 0.1;

#[tokio::test]
async fn the_board_of_a_hall_of_any_size_fits_any_screen() {
    let demo = Demo::start().await;
    let browser = Browser::start().await;
    let staff = demo.staff_at_first_counter(&browser).await;
    let key = demo.printed_address("#key=").split("#key=").nth(1).unwrap().to_owned();
    let board = browser.open(&demo.printed_address("/board/")).await;
    let mut problems = Vec::new();
    for (counters, queues) in HALLS {
        let arguments = json!([key, counters, queues]);
        let refused = staff.run_script(FILL_HALL_SCRIPT, arguments).await;
        assert_eq!(refused, json!([]), "{counters} counters, {queues} queues");
        for (screen, width, height) in SCREENS {
            board.set_screen(width, height, "light").await;
            board.navigate(&format!("{}?voice=off", demo.printed_address("/board/"))).await;
            board.wait_for_text("#hero .number", "0").await;
            board
                .wait_until("all images are there", async || images_are_loaded(&board).await)
                .await;
            let name = format!("board-{counters}x{queues}-{screen}");
            keep_picture(&board, &name).await;
            let measured = board.run_script(MEASURE_SCRIPT, json!([])).await;
            let mut add = |problem: String| problems.push(format!("{name}: {problem}"));
            for problem in measured["problems"].as_array().unwrap() {
                add(problem.as_str().unwrap().to_owned());
            }
            let share = |key: &str| measured[key].as_f64().unwrap();
            if share("hero") < MIN_HERO_SHARE || share("number") < MIN_NUMBER_SHARE {
                add(format!("the call is too small: {measured}"));
            }
            for (list, count) in [("counters", counters), ("queues", queues)] {
                if !shows_all(&measured[list], count) {
                    add(format!("not all of {count} {list} are ever shown: {measured}"));
                }
            }
        }
    }
    assert!(problems.is_empty(), "{}", problems.join("\n"));
    browser.quit(&[]).await;
}

/// Returns whether the pages of a list, each as long as this one, show so many entries.
fn shows_all(list: &Value, count: usize) -> bool {
    let pages = list["pages"].as_str().unwrap().split_once('/');
    let pages: usize = pages.map_or(1, |(_, pages)| pages.parse().unwrap());
    list["shown"].as_u64().unwrap() as usize * pages >= count
}

async fn images_are_loaded(board: &Window) -> bool {
    let script = "return [...document.images].every(image => image.complete)";
    board.run_script(script, json!([])).await == json!(true)
}

/// Gives the hall so many counters and queues, people in each queue, and a call at each counter.
/// One queue is halted and one is closed. Returns the requests that were refused.
const FILL_HALL_SCRIPT: &str = "
const [key, counters, queues] = arguments;
return (async () => {
  const refused = [];
  const request = async (method, path, body, headers = {}) => {
    const response = await fetch(`/api/v1/${path}`, {
      method,
      body: body && JSON.stringify(body),
      headers: { authorization: `Bearer ${key}`, 'idempotency-key': crypto.randomUUID(), ...headers },
    });
    if (!response.ok) refused.push([method, path, await response.text()]);
    return response;
  };
  const read = await request('GET', 'book/sites/hall');
  const { setup, ...document } = await read.json();
  const site = setup || document;
  const names = ['综合业务', '社保医保', '不动产登记', '出入境证件', '企业开办与变更', '税务', '公积金', '车管业务',
    '户籍', '婚姻登记', '残疾人服务', '退役军人事务'];
  const prefixes = 'ABCDEFGHJKLM';
  const ids = Object.keys(site.queues);
  for (let i = ids.length; i < queues; i += 1) {
    ids.push(`q${i}`);
    site.queues[`q${i}`] = { name: names[i], prefix: prefixes[i] };
  }
  for (let i = 1; i <= counters; i += 1) {
    site.counters[i] = { name: i === 7 ? '7号窗口（二楼东侧）' : `${i}号窗口`, queues: ids };
  }
  await request('PUT', 'book/sites/hall', site, { 'if-match': read.headers.get('etag') });
  const before = await (await request('GET', 'sites/hall')).json();
  for (const { id, open } of before.queues) {
    for (let i = 0; open && i < 3; i += 1) await request('POST', `sites/hall/queues/${id}/tickets`, {});
  }
  const state = await (await request('GET', 'sites/hall')).json();
  for (const { id, open, serving } of state.counters) {
    if (!open) await request('POST', `sites/hall/counters/${id}/open`);
    if (!serving) await request('POST', `sites/hall/counters/${id}/call-next`);
  }
  if (queues > 5) {
    await request('POST', `sites/hall/queues/${ids[3]}/halt`);
    await request('POST', `sites/hall/queues/${ids[4]}/close`);
  }
  return refused;
})();";

/// Measures the board: shares of the screen, entries of the lists, and what overlaps, leaves its
/// place or is cut off.
const MEASURE_SCRIPT: &str = "
const problems = [];
const describe = element => `${element.tagName} ${element.id || element.className} ${element.textContent.slice(0, 30)}`;
const box = element => element.getBoundingClientRect();
const shown = selector => [...document.querySelectorAll(selector)].filter(element => element.checkVisibility());
for (const element of shown('body *')) {
  if (element.matches('.sr, .sr *')) continue;
  const { left, right, top, bottom, width } = box(element);
  if (width === 0) continue;
  const isInList = element.closest('.numbers, .facts');
  // A phone scrolls.
  const isBelow = innerWidth > 900 && !isInList && (top < -1 || bottom > innerHeight + 1);
  if (left < -1 || right > innerWidth + 1 || isBelow) {
    problems.push(`leaves the screen: ${describe(element)}`);
  }
}
const blocks = shown('.head, #hero, .panel, #counters > li, #queues > li');
for (const [i, one] of blocks.entries()) {
  for (const other of blocks.slice(i + 1)) {
    const [a, b] = [box(one), box(other)];
    const overlaps = a.left < b.right - 1 && b.left < a.right - 1 && a.top < b.bottom - 1 && b.top < a.bottom - 1;
    if (overlaps) problems.push(`overlap: ${describe(one)} and ${describe(other)}`);
  }
}
for (const element of shown('.number, .idle, .state, .count, .calls time, .lines .text, .code, .hero .to')) {
  const [inner, outer] = [box(element), box(element.closest('li, #hero, .panel'))];
  const leaves = inner.left < outer.left - 1 || inner.right > outer.right + 1
    || inner.top < outer.top - 1 || inner.bottom > outer.bottom + 1;
  if (leaves) problems.push(`leaves its place: ${describe(element)}`);
  const above = element.closest('.lines li, .counters li, .calls li');
  for (const other of above ? above.querySelectorAll('.number, .idle, .where, .state, .count, strong, time, .code') : []) {
    if (other === element || other.contains(element) || element.contains(other)) continue;
    const there = box(other);
    const overlaps = inner.left < there.right - 1 && there.left < inner.right - 1
      && inner.top < there.bottom - 1 && there.top < inner.bottom - 1;
    if (overlaps) problems.push(`overlap in a cell: ${describe(element)} and ${describe(other)}`);
  }
}
const list = selector => {
  const element = document.querySelector(selector);
  return { shown: element.children.length, pages: element.dataset.pages };
};
return {
  problems,
  hero: box(document.querySelector('#hero')).height / innerHeight,
  number: box(document.querySelector('#hero .number')).height / Math.min(innerWidth, innerHeight),
  counters: list('#counters'),
  queues: list('#queues'),
};";
