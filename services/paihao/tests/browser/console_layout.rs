//! Layout of the console on every screen, in small and large halls: nothing overlaps, nothing
//! leaves its place, no button moves, and the primary button is in view.

use crate::browser::Browser;
use crate::demo::Demo;
use crate::pictures::keep_picture;
use crate::window::Window;
use serde_json::json;
use std::collections::BTreeMap;

/// Number of counters and of queues of a hall.
const HALLS: [(usize, usize); 2] = [(1, 2), (20, 12)];

/// Width and height of a window, in CSS pixels: 1366 × 625 is what a browser leaves of 1366 × 768.
const SCREENS: [(u32, u32); 8] = [
    (1280, 720),
    (1366, 625),
    (1366, 768),
    (1024, 768),
    (768, 1024),
    (390, 844),
    (1440, 900),
    (1920, 1080),
];

/// States of which pictures are kept.
const PICTURED: [&str; 4] = ["pick", "free", "called", "dialog-queues"];

/// Problems that were found, and where each button stands in each window.
#[derive(Default)]
struct Findings {
    problems: Vec<String>,
    buttons: BTreeMap<(String, String), String>,
}

#[tokio::test]
async fn the_console_of_a_hall_of_any_size_fits_any_screen() {
    let demo = Demo::start().await;
    let browser = Browser::start().await;
    let staff = browser.open("about:blank").await;
    staff.before_each_page(LATER_SCRIPT).await;
    staff.navigate(&demo.printed_address("#key=")).await;
    let key = demo.key();
    staff.wait_for_text("#counters button", "号窗口").await;
    let mut findings = Findings::default();
    for (counters, queues) in HALLS {
        let refused = staff.run_script(FILL_HALL_SCRIPT, json!([key, counters, queues])).await;
        assert_eq!(refused, json!([]), "{counters} counters, {queues} queues");
        staff.run_script("localStorage.removeItem('paihao-console-counter/hall')", json!([])).await;
        staff.navigate(&staff.url().await).await;
        let hall = format!("{counters}x{queues}");
        if counters > 1 {
            staff.wait_for_text("#counters button:nth-child(20)", "20号窗口").await;
            measure_on_every_screen(&staff, &hall, "pick", &mut findings).await;
            staff.set_screen(390, 844, "light").await;
            staff.click("#counters button:last-child").await;
            staff.wait_for_text("#counter", "20号窗口").await;
            assert_eq!(staff.run_script("return scrollY", json!([])).await, json!(0));
        }
        // Whoever has one counter is not asked which.
        staff.wait_for_text("#counter", &format!("{counters}号窗口")).await;
        staff.wait_for_text("#line-count", "60").await;
        assert_eq!(staff.texts("#change").await.len(), usize::from(counters > 1));
        go_through_a_day(&staff, &hall, &mut findings).await;
    }
    assert!(findings.problems.is_empty(), "{}", findings.problems.join("\n"));
    browser.quit(&["status of 409"]).await;
}

/// Brings the counter into each of its states, and measures each.
async fn go_through_a_day(staff: &Window, hall: &str, findings: &mut Findings) {
    staff.set_screen(1440, 900, "light").await;
    staff.wait_for_text("#next:enabled", "叫下一位").await;
    measure_on_every_screen(staff, hall, "free", findings).await;
    for (button, title) in
        [("take", "给没有微信的客户取号"), ("queues", "业务"), ("call", "指定叫号")]
    {
        staff.click(&format!("#{button}")).await;
        staff.wait_for_text("#dialog-title", title).await;
        measure_on_every_screen(staff, hall, &format!("dialog-{button}"), findings).await;
        staff.click("#dialog .ghost").await;
        staff.wait_until_hidden("#dialog").await;
    }
    staff.click("#close").await;
    staff.wait_for_text("#desk:not([aria-busy]) #said.done", "已关窗").await;
    staff.run_script(FORCE_CALL_SCRIPT, json!([])).await;
    staff.wait_for_text("#said.refused", "窗口未开").await;
    measure_on_every_screen(staff, hall, "refused", findings).await;
    staff.click("#open").await;
    staff.wait_for_text("#said.done", "已开窗").await;
    staff.click("#break").await;
    staff.wait_for_text("#said.done", "休息中").await;
    measure_on_every_screen(staff, hall, "break", findings).await;
    staff.click("#open").await;
    staff.wait_for_text("#said.done", "已开窗").await;
    staff.click("#next").await;
    staff.wait_for_text("#desk[data-state=called] #facts", "纸票").await;
    measure_on_every_screen(staff, hall, "called", findings).await;
    staff.click("#start").await;
    staff.wait_for_text("#desk[data-state=serving] #state", "办理中").await;
    measure_on_every_screen(staff, hall, "serving", findings).await;
    staff.click("#break").await;
    staff.wait_for_text("#owner", "办完这位就休息").await;
    measure_on_every_screen(staff, hall, "after", findings).await;
    staff.click("#finish").await;
    staff.wait_for_text("#said.done", "已完成").await;
    staff.click("#open").await;
    staff.wait_for_text("#said.done", "已开窗").await;
}

async fn measure_on_every_screen(staff: &Window, hall: &str, state: &str, findings: &mut Findings) {
    for language in ["zh", "en"] {
        for (width, height) in SCREENS {
            staff.set_screen(width, height, "light").await;
            let window = format!("{hall}-{width}x{height}-{language}");
            let name = format!("console-{state}-{window}");
            if PICTURED.contains(&state) {
                keep_picture(staff, &name).await;
            }
            let measured = staff.run_script(MEASURE_SCRIPT, json!([])).await;
            let problems = measured["problems"].as_array().unwrap().iter();
            findings
                .problems
                .extend(problems.map(|problem| format!("{name}: {}", problem.as_str().unwrap())));
            for (button, place) in measured["buttons"].as_object().unwrap() {
                let place = place.as_str().unwrap().to_owned();
                let known = (window.clone(), button.clone());
                let before = findings.buttons.entry(known).or_insert_with(|| place.clone());
                if *before != place {
                    findings.problems.push(format!("{name}: {button} moved: {before}, {place}"));
                }
            }
        }
        staff.run_script("document.getElementById('language').click()", json!([])).await;
    }
}

#[tokio::test]
async fn a_button_is_what_the_server_allows_and_nothing_else() {
    let demo = Demo::start().await;
    let browser = Browser::start().await;
    demo.add_people_in_line(&browser, 3).await;
    let staff = browser.open("about:blank").await;
    staff.before_each_page(RULED_SCRIPT).await;
    staff.navigate(&demo.printed_address("#key=")).await;
    staff.click("#counters button").await;
    staff.click("#next").await;
    staff.wait_for_text("#desk[data-state=called] #number", "A001").await;
    // Of a ticket that is called, whatever its state may suggest.
    let buttons = ["start", "recall", "finish", "missed", "hold", "transfer", "undo"];
    let acts = ["start", "recall", "finish", "missed", "suspend", "transfer", "put_back", "leave"];
    for act in acts {
        staff.run_script("window.ruled = [arguments[0]]", json!([act])).await;
        let wanted = match act {
            "suspend" => "hold",
            "put_back" => "undo",
            "leave" => "",
            other => other,
        };
        let wanted: Vec<_> = buttons.into_iter().filter(|button| *button == wanted).collect();
        let enabled = "return arguments[0].filter(id => !document.getElementById(id).disabled)";
        let ruled = async || staff.run_script(enabled, json!([buttons])).await == json!(wanted);
        staff.wait_until(&format!("of {act}, {wanted:?} is enabled"), ruled).await;
    }
    staff.run_script("window.ruled = ['finish']", json!([])).await;
    staff.click("#finish").await;
    staff.wait_for_text("#said.done", "已完成").await;
    // Of a ticket that waits, in its dialog.
    let dialog = [
        ("call", "指定叫号"),
        ("hold", "暂离"),
        ("transfer", "转号"),
        ("priority", "优先"),
        ("arrived", "已到"),
        ("party", "人数"),
        ("leave", "作废"),
    ];
    for (act, word) in dialog {
        staff.run_script("window.ruled = [arguments[0]]", json!([act])).await;
        staff.click("#waiting .row").await;
        staff.wait_for_text("#dialog .acts", "作废").await;
        let enabled = staff.texts("#dialog .acts button:enabled").await;
        assert!(matches!(&enabled[..], [only] if only.contains(word)), "{act}: {enabled:?}");
        staff.click("#dialog .ghost").await;
        staff.wait_until_hidden("#dialog").await;
    }
    browser.quit(&[]).await;
}

/// The server's clock as the page reads it, ninety minutes later: people have waited that long.
const LATER_SCRIPT: &str = "
const get = Headers.prototype.get;
Headers.prototype.get = function (name) {
  const value = get.call(this, name);
  return name === 'date' && value ? new Date(Date.parse(value) + 90 * 60000).toUTCString() : value;
};";

/// Lets the page read what may be done with each ticket from `window.ruled`, where it is there.
const RULED_SCRIPT: &str = "
const rule = value => {
  for (const ticket of value?.tickets || []) {
    const { may } = ticket;
    Object.defineProperty(ticket, 'may', { get: () => window.ruled || may });
  }
  return value;
};
const { parse } = JSON;
const { json } = Response.prototype;
JSON.parse = text => rule(parse(text));
Response.prototype.json = async function () {
  return rule(await json.call(this));
};";

const FORCE_CALL_SCRIPT: &str = "
const button = document.getElementById('next');
button.disabled = false;
button.click();";

/// Gives the hall so many counters and queues, and 60 people with everything that a row can show.
/// Returns the requests that were refused.
const FILL_HALL_SCRIPT: &str = "
const [key, counters, queues] = arguments;
return (async () => {
  const refused = [];
  const request = async (method, path, body, headers = {}) => {
    const response = await fetch(`/api/v1/${path}`, {
      method,
      body: body && JSON.stringify(body),
      headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json', ...headers },
    });
    if (!response.ok) refused.push([method, path, await response.text()]);
    return response;
  };
  const act = async (path, body) => {
    const response = await request('POST', `sites/hall/${path}`, body);
    return response.ok ? response.json() : {};
  };
  const read = await request('GET', 'book/sites/hall');
  const { setup, ...document } = await read.json();
  const site = setup || document;
  const names = ['综合业务', '社保医保', '不动产登记', '出入境证件', '企业开办与变更', '税务', '公积金', '车管业务',
    '户籍', '婚姻登记', '残疾人服务', '退役军人事务'];
  const ids = Object.keys(site.queues);
  for (let i = ids.length; i < queues; i += 1) {
    ids.push(`q${i}`);
    site.queues[`q${i}`] = { name: names[i], prefix: 'ABCDEFGHJKLM'[i] };
  }
  const readConsole = async () => (await request('GET', 'sites/hall/desk')).json();
  // A counter that is open cannot be taken away.
  for (const { id, state } of (await readConsole()).counters) {
    if (Number(id) > counters && state !== 'offline') await act(`counters/${id}/close`);
  }
  site.counters = {};
  for (let i = 1; i <= counters; i += 1) {
    site.counters[i] = { name: i === 7 ? '7号窗口（二楼东侧）' : `${i}号窗口`, queues: ids };
  }
  await request('PUT', 'book/sites/hall', site, { 'if-match': read.headers.get('etag') });
  const own = `counters/${counters}`;
  const { counters: states } = await readConsole();
  for (const { id, state } of states) if (state !== 'open') await act(`counters/${id}/open`);
  const taken = [];
  const take = async body => {
    const i = taken.length;
    const { number } = await act(`queues/${ids[i % queues]}/tickets`, body);
    taken.push(number);
    if (i % 4 === 0) await act(`tickets/${number}/arrived`);
    if (i % 6 === 0) await act(`tickets/${number}/party`, { people: i % 12 === 0 ? 1 : 4 });
  };
  for (let i = 0; i < 3; i += 1) await take();
  const [missed, held, suspended] = taken;
  const call = number => act(`${own}/call`, { number, reason: '先叫' });
  await call(missed);
  await act(`${own}/missed`, { number: missed });
  await act(`tickets/${held}/hold`, { reason: '等别的部门' });
  await call(suspended);
  await act(`${own}/start`, { number: suspended });
  await act(`${own}/suspend`, { number: suspended, reason: '缺材料，去补办一份加盖公章的营业执照复印件', affinity: true });
  for (const { id } of states) {
    if (id !== String(counters) && Number(id) % 3 > 0) await act(`counters/${id}/call-next`);
  }
  const waiting = (await readConsole()).queues.reduce((sum, line) => sum + line.waiting_count, 0);
  for (let i = waiting; i < 60; i += 1) await take(i % 9 === 0 ? { class: 2 } : undefined);
  return refused;
})();";

/// Measures the console: what overlaps, leaves its place or is cut off, and where buttons stand.
const MEASURE_SCRIPT: &str = "
const problems = [];
const describe = element => `${element.tagName} ${element.id || element.className} ${element.textContent.trim().slice(0, 30)}`;
const box = element => element.getBoundingClientRect();
const shown = selector => [...document.querySelectorAll(selector)].filter(element => element.checkVisibility());
const isWide = innerWidth > 760;
// The part that scrolls around an element, if one does.
const scroller = element => element.closest('.lists, .side, #said, #facts, dialog');
const overlap = (a, b) => a.left < b.right - 1 && b.left < a.right - 1 && a.top < b.bottom - 1 && b.top < a.bottom - 1;
const inside = (a, b) => a.left > b.left - 1.5 && a.right < b.right + 1.5 && a.top > b.top - 1.5 && a.bottom < b.bottom + 1.5;
for (const element of shown('body *')) {
  const { left, right, top, bottom, width } = box(element);
  if (width === 0 || element.matches('.sr')) continue;
  const isBelow = isWide && !scroller(element) && (top < -1 || bottom > innerHeight + 1);
  if (left < -1 || right > innerWidth + 1 || isBelow) problems.push(`leaves the screen: ${describe(element)}`);
  // Letters that are cut off, except of a name that says so by an ellipsis.
  const { overflowX, overflowY, textOverflow } = getComputedStyle(element);
  const cut = element.scrollWidth > element.clientWidth + 1 && overflowX === 'hidden' && textOverflow !== 'ellipsis'
    || element.scrollHeight > element.clientHeight + 2 && overflowY === 'hidden';
  if (cut && element.clientWidth > 0) problems.push(`is cut off: ${describe(element)}`);
}
const parents = new Map();
for (const element of shown('.head *, .picker *, .work > *, .who *, .now > *, .acts > *, .acts button > *, .heading > *, .rows li > *, .row > *, .marks > *, #facts > *, .side > *, .side li > *')) {
  const siblings = parents.get(element.parentElement) || [];
  for (const other of siblings) if (overlap(box(element), box(other))) problems.push(`overlap: ${describe(element)} and ${describe(other)}`);
  parents.set(element.parentElement, [...siblings, element]);
}
for (const element of shown('button > *, .row > *, .marks > *, li > *, .now > *, .work > *, .line > *, .heading > *')) {
  if (element.matches('.next')) continue;
  const parent = element.parentElement;
  if (!inside(box(element), box(parent))) problems.push(`leaves its place: ${describe(element)} in ${describe(parent)}`);
}
for (const one of shown('.work, .line, .side')) for (const other of shown('.work, .line, .side')) {
  if (one !== other && overlap(box(one), box(other))) problems.push(`overlap: ${describe(one)} and ${describe(other)}`);
}
for (const element of shown('.badge, .wait, .hint')) {
  if (box(element).height > 34) problems.push(`stands on several lines: ${describe(element)}`);
}
for (const element of shown('#said, #facts')) if (element.scrollHeight > element.clientHeight + 2) problems.push(`has to be scrolled: ${describe(element)}`);
const view = { left: 0, top: 0, right: innerWidth, bottom: innerHeight };
for (const button of shown('dialog .buttons button')) {
  if (!inside(box(button), view)) problems.push(`out of view: ${describe(button)}`);
}
const next = document.getElementById('next');
if (next.checkVisibility() && !inside(box(next), view)) problems.push('the primary button is out of view');
const buttons = {};
for (const element of shown('.work button')) {
  const { x, y, width, height } = box(element);
  // Where one stands in the place of the other.
  const id = element.id === 'break' ? 'open' : element.id;
  buttons[id] = [x, y + scrollY, width, height].map(Math.round).join(' ');
}
return { problems, buttons };";
