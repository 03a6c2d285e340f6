//! Layout of the kiosk with few and with many services, in both languages on every screen: nothing
//! is cut off, nothing overlaps, and the code and the number have their share.

use crate::browser::Browser;
use crate::demo::Demo;
use crate::pictures::keep_picture;
use crate::window::Window;
use serde_json::{Value, json};
use std::time::{SystemTime, UNIX_EPOCH};

/// Numbers of services.
const SERVICES: [usize; 3] = [2, 5, 12];

/// Name, width and height of a screen, in CSS pixels.
const SCREENS: [(&str, u32, u32); 6] = [
    ("phone", 390, 844),
    ("tablet", 768, 1024),
    ("tablet-wide", 1024, 768),
    ("small", 1366, 768),
    ("wall", 1920, 1080),
    ("portrait", 1080, 1920),
];

/// Smallest part of the screen's shorter side that a code and a number are high.
const MIN_CODE_SHARE: f64 = 0.25;
const MIN_SLIP_CODE_SHARE: f64 = 0.15;
const MIN_NUMBER_SHARE: f64 = 0.09;

const NAMES: [&str; 12] = [
    "综合业务",
    "社保医保",
    "不动产登记与房屋交易",
    "出入境证件",
    "企业开办与变更",
    "税务",
    "Housing provident fund",
    "车管业务",
    "户籍",
    "婚姻登记",
    "残疾人服务",
    "退役军人事务",
];

#[tokio::test]
async fn a_kiosk_of_any_number_of_services_fits_any_screen_in_both_languages() {
    let demo = Demo::start().await;
    let browser = Browser::start().await;
    let kiosk = browser.open(&demo.printed_address("/kiosk/")).await;
    let mut problems = Vec::new();
    for services in SERVICES {
        demo.change_site(|site| set_services(site, services)).await;
        if services > 4 {
            demo.act("queues/q2", "halt").await;
            demo.act("queues/q3", "close").await;
        }
        for language in ["zh", "en"] {
            for screen in SCREENS {
                let name = format!("kiosk-{services}-{language}-{}", screen.0);
                kiosk.set_screen(screen.1, screen.2, "light").await;
                kiosk
                    .navigate(&format!("{}?lang={language}", demo.printed_address("/kiosk/")))
                    .await;
                kiosk.wait_for_text("#queues", NAMES[services - 1]).await;
                problems.extend(measure(&kiosk, &name).await);
            }
        }
    }
    assert!(problems.is_empty(), "{}", problems.join("\n"));
    browser.quit(&[]).await;
}

#[tokio::test]
async fn the_code_and_the_number_of_a_kiosk_fit_any_screen_in_both_languages() {
    let demo = Demo::start().await;
    let browser = Browser::start().await;
    let kiosk = browser.open(&demo.printed_address("/kiosk/")).await;
    demo.change_site(|site| set_services(site, 12)).await;
    let mut problems = Vec::new();
    for language in ["zh", "en"] {
        for screen in SCREENS {
            let name = |view: &str| format!("kiosk-{view}-{language}-{}", screen.0);
            kiosk.set_screen(screen.1, screen.2, "light").await;
            kiosk.navigate(&format!("{}?lang={language}", demo.printed_address("/kiosk/"))).await;
            kiosk.run_script("localStorage.clear()", json!([])).await;
            kiosk.click("#queues .queue[value=q2]").await;
            kiosk.wait_for_picture("#code").await;
            problems.extend(measure(&kiosk, &name("code")).await);
            // The number as a scan brings it, and as a slip.
            for (view, script) in [("number", SHOW_NUMBER_SCRIPT), ("slip", SHOW_SLIP_SCRIPT)] {
                kiosk.run_script(script, json!([])).await;
                problems.extend(measure(&kiosk, &name(view)).await);
            }
        }
    }
    assert!(problems.is_empty(), "{}", problems.join("\n"));
    browser.quit(&[]).await;
}

/// Widths of the paper of receipt printers, 58 and 80 mm, in CSS pixels.
const PAPERS: [(&str, u32); 2] = [("58", 219), ("80", 302)];

#[tokio::test]
async fn the_slip_of_a_kiosk_fits_its_paper_and_has_nothing_else_on_it() {
    let demo = Demo::start().await;
    let browser = Browser::start().await;
    let kiosk = browser.open("about:blank").await;
    kiosk
        .before_each_page("window.prints = 0; window.print = () => { window.prints += 1; };")
        .await;
    kiosk.navigate(&format!("{}&print", demo.kiosk_url("general"))).await;
    kiosk.click("#no-wechat").await;
    kiosk.wait_for_picture("#slip-code").await;
    let printed = async || kiosk.run_script("return window.prints", json!([])).await == json!(1);
    kiosk.wait_until("it is printed", printed).await;
    let mut problems = Vec::new();
    for (name, width) in PAPERS {
        kiosk.set_screen(width, 700, "light").await;
        kiosk.set_paper().await;
        problems.extend(measure(&kiosk, &format!("kiosk-paper-{name}")).await);
        let shown = kiosk.texts("body *").await.join(" ");
        for part in ["城南便民服务大厅", "A001", "综合业务", "前面没有人", "取号"]
        {
            assert!(shown.contains(part), "{part} is not on the paper: {shown}");
        }
        for button in ["打印", "下一位", "English"] {
            assert!(!shown.contains(button), "{button} is on the paper: {shown}");
        }
    }
    assert!(problems.is_empty(), "{}", problems.join("\n"));
    browser.quit(&[]).await;
}

fn set_services(site: &mut Value, count: usize) {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    // The demo's hall keeps the time of Beijing. One service is outside its hours, at any time.
    let hours = match (now.as_secs() / 3600 + 8) % 24 {
        8..18 => "mon-sun 18:30-20:30 21:00-22:30",
        _ => "mon-sun 08:30-11:30 13:00-17:30",
    };
    let queues = site["queues"].as_object_mut().unwrap();
    for (i, (name, prefix)) in NAMES.iter().zip("ABCDEFGHJKLM".chars()).enumerate().take(count) {
        let id = ["general", "social"].get(i).map_or(format!("q{i}"), ToString::to_string);
        let queue = json!({"name": name, "prefix": prefix.to_string(), "order": i,
            "hours": if i == 4 { json!([hours]) } else { json!([]) }});
        queues.insert(id, queue);
    }
    let ids: Vec<_> = queues.keys().cloned().collect();
    for counter in site["counters"].as_object_mut().unwrap().values_mut() {
        counter["queues"] = json!(ids);
    }
}

/// Keeps a picture of the kiosk, and returns what is wrong with it.
async fn measure(kiosk: &Window, name: &str) -> Vec<String> {
    keep_picture(kiosk, name).await;
    let measured = kiosk.run_script(MEASURE_SCRIPT, json!([])).await;
    let mut problems: Vec<_> = measured["problems"]
        .as_array()
        .unwrap()
        .iter()
        .map(|problem| format!("{name}: {}", problem.as_str().unwrap()))
        .collect();
    for (what, least) in
        [("code", MIN_CODE_SHARE), ("slip", MIN_SLIP_CODE_SHARE), ("number", MIN_NUMBER_SHARE)]
    {
        if measured[what].as_f64().is_some_and(|share| share < least) {
            problems.push(format!("{name}: the {what} is too small: {measured}"));
        }
    }
    problems
}

/// Shows a number, as the kiosk does after a scan.
const SHOW_NUMBER_SCRIPT: &str = "
const show = (id, text) => {
  const element = document.getElementById(id);
  element.textContent = text;
  element.hidden = false;
};
for (const id of ['choose', 'scan', 'slip', 'when', 'print']) document.getElementById(id).hidden = true;
document.getElementById('taken').hidden = false;
document.getElementById('told').hidden = false;
document.getElementById('taken').classList.remove('with-slip');
show('number', 'A1038');
show('of', '不动产登记与房屋交易');
show('ahead', '前面 128 位 128 ahead of you');
show('minutes', '预计 60 分钟以上 more than an hour');";

/// Shows the number as a slip, with a code.
const SHOW_SLIP_SCRIPT: &str = "
for (const id of ['slip', 'when', 'print']) document.getElementById(id).hidden = false;
document.getElementById('when').textContent = '11-30 09:41 取号 Taken 11-30 09:41';
document.getElementById('taken').classList.add('with-slip');
document.getElementById('slip-code').src = document.getElementById('code').src;
return import(new URL('slips.js', document.querySelector('script[type=module]').src))
  .then(() => document.getElementById('slip-code').decode())
  .then(() => new Promise(done => {
    const sheet = [...document.styleSheets].find(sheet => sheet.href?.endsWith('slips.css'));
    if (sheet) return done();
    document.querySelector('link[href$=\"slips.css\"]').onload = done;
  }));";

/// Measures the kiosk: what leaves the screen, is cut off or overlaps, and the shares of the
/// shorter side that the code and the number have.
const MEASURE_SCRIPT: &str = "
const problems = [];
const describe = element => `${element.tagName} ${element.id || element.className} ${element.textContent.slice(0, 30)}`;
const box = element => element.getBoundingClientRect();
const shown = selector => [...document.querySelectorAll(selector)].filter(element => element.checkVisibility());
const overlap = (a, b) => a.left < b.right - 1 && b.left < a.right - 1 && a.top < b.bottom - 1 && b.top < a.bottom - 1;
for (const element of shown('body *')) {
  const { left, right, top, bottom, width } = box(element);
  if (width === 0) continue;
  if (left < -1 || right > innerWidth + 1 || top < -1 || bottom > innerHeight + 1) {
    problems.push(`leaves the screen: ${describe(element)}`);
  }
  if (element.matches('button, a, h1, h2, p, strong, .queue > *') && element.scrollWidth > element.clientWidth + 1 && element.clientWidth > 0) {
    problems.push(`is cut off: ${describe(element)}`);
  }
  if (element.children.length === 0 && element.textContent && parseFloat(getComputedStyle(element).fontSize) < 11) {
    problems.push(`cannot be read: ${describe(element)}`);
  }
}
for (const selector of ['.queue', '.head > *, .choose h2, .queue', '.head > *, .words > *, .codebox', '.actions > *', '#taken > *']) {
  const blocks = shown(selector);
  for (const [i, one] of blocks.entries()) {
    for (const other of blocks.slice(i + 1)) {
      if (overlap(box(one), box(other))) problems.push(`overlap: ${describe(one)} and ${describe(other)}`);
    }
  }
}
for (const element of shown('.queue *')) {
  const [inner, outer] = [box(element), box(element.closest('.queue'))];
  const leaves = inner.left < outer.left - 1 || inner.right > outer.right + 1
    || inner.top < outer.top - 1 || inner.bottom > outer.bottom + 1;
  if (leaves) problems.push(`leaves its button: ${describe(element)}`);
}
const share = selector => {
  const [element] = shown(selector);
  return element ? box(element).height / Math.min(innerWidth, innerHeight) : null;
};
return { problems, code: share('#code'), slip: share('#slip-code'), number: share('#taken .number') };";
