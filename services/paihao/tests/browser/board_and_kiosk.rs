//! Tests of the board, which shows and announces every call, and of the kiosk, whose code always
//! works.

use crate::browser::Browser;
use crate::demo::{Demo, chat_selector, kiosk_code_link, scan};
use crate::window::Window;
use harness::Proxy;
use serde_json::{Value, json};

#[tokio::test]
async fn simultaneous_calls_are_shown_and_spoken_one_after_the_other_also_after_an_outage() {
    let demo = Demo::start().await;
    let browser = Browser::start().await;
    demo.add_people_in_line(&browser, 4).await;
    let staff = demo.staff_at_first_counter(&browser).await;

    let address = demo.printed_address("/board/");
    let port = address.split([':', '/']).nth(4).unwrap();
    let proxy = Proxy::start(port.parse().unwrap());
    let board = browser.open("about:blank").await;
    board.before_each_page(RECORDER_SCRIPT).await;
    board.navigate(&address.replace(port, &proxy.port().to_string())).await;

    // A browser plays no sound before the first click.
    board.click("#unlock").await;
    board.wait_until_hidden("#unlock").await;
    wait_until_spoken(&board, &["语音已打开"]).await;

    // Both calls are shown even if no announcement ends.
    board.run_script("window.holding = true", json!([])).await;
    press_counter_buttons(&demo, &staff, &["1/call-next", "2/call-next"]).await;
    board
        .wait_until("both calls are shown", async || highlighted_numbers(&board).await.len() == 2)
        .await;
    board.run_script("window.holding = false; window.held()", json!([])).await;
    let first = ["请 A零零一 号到一号窗口", "Number A zero zero one, please go to Counter 1"];
    let second = ["请 A零零二 号到二号窗口", "Number A zero zero two, please go to Counter 2"];
    let spoken = [&["语音已打开"][..], &first, &second, &second].concat();
    wait_until_spoken(&board, &spoken).await;

    proxy.cut();
    board.wait_for_text("#offline", "正在重新连接").await;
    press_counter_buttons(&demo, &staff, &["1/finish", "2/finish", "1/call-next", "2/call-next"])
        .await;
    proxy.restore();
    board
        .wait_until("all calls are shown", async || highlighted_numbers(&board).await.len() == 4)
        .await;
    board.wait_until_hidden("#offline").await;
    let highlighted = highlighted_numbers(&board).await;
    let numbers: Vec<_> = highlighted.iter().map(|(number, _)| number.as_str()).collect();
    assert_eq!(numbers, ["A001", "A002", "A003", "A004"]);
    for pair in [&highlighted[..2], &highlighted[2..]] {
        assert!(
            pair[1].1 - pair[0].1 > 4_900.0,
            "a call was highlighted for less than 5 s: {highlighted:?}"
        );
    }
    let repeated = board.run_script("return spoken.slice(7)", json!([])).await;
    let repeated = repeated.as_array().unwrap();
    assert!(repeated[0].as_str().unwrap().contains("A零零三"), "{repeated:?}");
    board
        .wait_until("the last call is spoken", async || {
            let last = board.run_script("return spoken.at(-1)", json!([])).await;
            last.as_str().unwrap().contains("zero zero four")
        })
        .await;

    // The voice stays off after a reload.
    board.click("#voice").await;
    board.navigate(&address).await;
    board.wait_for_text("#voice[aria-pressed=false], #voice", "语音").await;
    browser.quit(&["net::ERR_"]).await;
}

#[tokio::test]
async fn an_old_call_is_listed_without_an_announcement_and_clocks_have_the_sites_zone() {
    let demo = Demo::start().await;
    let browser = Browser::start().await;
    demo.add_people_in_line(&browser, 3).await;
    let staff = demo.staff_at_first_counter(&browser).await;
    let address = demo.printed_address("/board/");
    let port = address.split([':', '/']).nth(4).unwrap();
    let proxy = Proxy::start(port.parse().unwrap());
    let board = browser.open("about:blank").await;
    board.before_each_page(RECORDER_SCRIPT).await;
    board.set_time_zone("America/New_York").await;
    board.navigate(&address.replace(port, &proxy.port().to_string())).await;
    press_counter_buttons(&demo, &staff, &["1/call-next"]).await;
    board.wait_for_text("#hero .number", "A001").await;
    let clocks = board.run_script(CLOCKS_SCRIPT, json!([])).await;
    assert_eq!(clocks["shown"], clocks["shanghai"], "{clocks}");
    assert_ne!(clocks["shown"], clocks["here"], "{clocks}");

    proxy.cut();
    board.wait_for_text("#offline", "正在重新连接").await;
    press_counter_buttons(&demo, &staff, &["2/call-next"]).await;
    board.run_script(OLD_CALL_SCRIPT, json!(["A002"])).await;
    proxy.restore();
    board.wait_for_text("#calls li:first-child", "A002").await;
    press_counter_buttons(&demo, &staff, &["1/finish", "1/call-next"]).await;
    board.wait_for_text("#hero .number", "A003").await;
    let highlighted = highlighted_numbers(&board).await;
    let numbers: Vec<_> = highlighted.iter().map(|(number, _)| number.as_str()).collect();
    assert_eq!(numbers, ["A001", "A003"]);
    browser.quit(&["net::ERR_"]).await;
}

#[tokio::test]
async fn a_kiosk_shows_the_current_wait_of_each_queue() {
    let demo = Demo::start().await;
    let browser = Browser::start().await;
    demo.add_people_in_line(&browser, 3).await;
    let kiosk = browser.open(&demo.printed_address("/kiosk/")).await;
    kiosk.wait_for_text("#queues .queue:first-child", "3 人在等").await;
    kiosk.wait_for_text("#queues .queue:first-child", "现在约等").await;
    let staff = demo.staff_at_first_counter(&browser).await;
    press_counter_buttons(&demo, &staff, &["1/close", "2/close", "3/close"]).await;
    kiosk
        .wait_until("no wait is shown", async || {
            !kiosk.texts("#queues .queue:first-child").await[0].contains("现在约等")
        })
        .await;
    browser.quit(&[]).await;
}

#[tokio::test]
async fn a_queues_own_announcement_is_spoken_and_one_may_be_yao() {
    let demo = Demo::start().await;
    let browser = Browser::start().await;
    let board = browser.open(&demo.printed_address("/board/")).await;
    let sentence = async |call: Value, queue: Value, language: &str, yao: bool| {
        board.run_script(SPOKEN_TEXT_SCRIPT, json!([call, queue, language, yao])).await
    };
    let call = json!({"number": "A012", "counter_name": "3号窗口"});
    let queue = json!({"name": "综合", "announcement": {"zh": "{queue}{number}，{counter}有请"}});
    assert_eq!(sentence(call.clone(), Value::Null, "zh", false).await, "请 A零一二 号到三号窗口");
    assert_eq!(sentence(call.clone(), Value::Null, "zh", true).await, "请 A零幺二 号到三号窗口");
    assert_eq!(
        sentence(call.clone(), queue.clone(), "zh", false).await,
        "综合A零一二，三号窗口有请"
    );
    let english = "Number A zero one two, please go to counter 3";
    assert_eq!(sentence(call, queue, "en", true).await, english);
    let office = json!({"number": "B007", "counter_name": "Desk 12"});
    let english = "Number B zero zero seven, please go to Desk 12";
    assert_eq!(sentence(office, Value::Null, "en", false).await, english);
    let named = json!({"number": "B007", "counter_name": "内科诊室", "counter_name_en": "Room 5"});
    let english = "Number B zero zero seven, please go to Room 5";
    assert_eq!(sentence(named.clone(), Value::Null, "en", false).await, english);
    assert_eq!(sentence(named, Value::Null, "zh", false).await, "请 B零零七 号到内科诊室");
    let room = json!({"number": "B007", "counter_name": "内科诊室"});
    let english = "Number B zero zero seven, please see the screen";
    assert_eq!(sentence(room, Value::Null, "en", false).await, english);
    browser.quit(&[]).await;
}

#[tokio::test]
async fn a_kiosk_renews_its_code_in_time_and_shows_a_new_one_after_a_ticket() {
    let demo = Demo::start().await;
    let browser = Browser::start().await;
    let kiosk = browser.open("about:blank").await;
    kiosk.before_each_page(SHORT_CODE_SCRIPT).await;
    kiosk.navigate(&demo.kiosk_url("general")).await;
    let first = kiosk_code_link(&kiosk).await;
    kiosk.wait_until("there is a new code", async || kiosk_code_link(&kiosk).await != first).await;
    let ended = kiosk.run_script("return Date.now() > window.firstEnds", json!([])).await;
    assert_eq!(ended, json!(false), "renewed too late");

    let phones = browser.open(&kiosk_code_link(&kiosk).await).await;
    scan(&phones, 1).await;
    phones.wait_for_text(&chat_selector(1), "取号成功 A001").await;
    kiosk.wait_for_text("#taken #number", "A001").await;
    kiosk.wait_until_hidden("#taken").await;
    kiosk.wait_for_picture("#code").await;
    browser.quit(&[]).await;
}

#[tokio::test]
async fn a_kiosk_that_is_left_halfway_returns_to_its_start() {
    let demo = Demo::start().await;
    let browser = Browser::start().await;
    let kiosk = browser.open("about:blank").await;
    kiosk.before_each_page(SHORT_IDLE_SCRIPT).await;
    kiosk.navigate(&demo.printed_address("/kiosk/")).await;
    kiosk.wait_for_text("#choose h2", "请选择业务").await;
    kiosk.click("#language").await;
    kiosk.wait_for_text("#language", "中文").await;
    kiosk.click("#queues .queue:last-child").await;
    kiosk.wait_for_text("#queue", "Social insurance").await;
    kiosk.wait_for_picture("#code").await;
    kiosk.wait_for_text("#choose h2", "请选择业务 What").await;
    browser.quit(&[]).await;
}

/// Performs acts of counters through the API, one right after the other.
async fn press_counter_buttons(demo: &Demo, staff: &Window, buttons: &[&str]) {
    let address = demo.printed_address("#key=");
    let (_, key) = address.split_once("#key=").unwrap();
    let result = staff.run_script(COUNTER_ACTS_SCRIPT, json!([key, buttons])).await;
    assert_eq!(result, json!(vec![200; buttons.len()]));
}

/// Numbers that were highlighted, each with its time in milliseconds.
async fn highlighted_numbers(board: &Window) -> Vec<(String, f64)> {
    let recorded = board.run_script("return heroes", json!([])).await;
    serde_json::from_value(recorded).expect("numbers and moments")
}

async fn wait_until_spoken(board: &Window, expected: &[&str]) {
    let spoken = async || board.run_script("return spoken", json!([])).await == json!(expected);
    board.wait_until(&format!("{expected:?} is spoken"), spoken).await;
}

const COUNTER_ACTS_SCRIPT: &str = "
const [key, buttons] = arguments;
return (async () => {
  const done = [];
  for (const button of buttons) {
    const headers = { authorization: `Bearer ${key}`, 'idempotency-key': crypto.randomUUID() };
    done.push((await fetch(`/api/v1/sites/hall/counters/${button}`, { method: 'POST', headers })).status);
  }
  return done;
})();";

/// Records spoken texts and highlighted numbers. Speech is refused before the first click, as in a
/// real browser.
const RECORDER_SCRIPT: &str = "
window.spoken = [];
window.heroes = [];
window.holding = false;
window.held = () => {};
window.SpeechSynthesisUtterance = class { constructor(text) { this.text = text; } };
const speechSynthesis = {
  getVoices: () => [],
  cancel: () => {},
  speak: words => setTimeout(() => {
    if (!navigator.userActivation.hasBeenActive) return words.onerror({ error: 'not-allowed' });
    window.spoken.push(words.text);
    words.onstart({});
    if (window.holding) window.held = () => words.onend({});
    else words.onend({});
  }),
};
Object.defineProperty(window, 'speechSynthesis', { value: speechSynthesis });
const { replaceChildren } = Element.prototype;
Element.prototype.replaceChildren = function (...parts) {
  const number = this.id === 'hero' && parts.find(part => part.className === 'number');
  // At the moment itself: a busy browser draws late.
  if (number) window.heroes.push([number.textContent, performance.now()]);
  replaceChildren.apply(this, parts);
};";

/// Shortens the kiosk's idle timeout of 90 s to 4 s.
const SHORT_IDLE_SCRIPT: &str = "
const later = window.setTimeout;
window.setTimeout = (done, ms) => later(done, ms === 90000 ? 4000 : ms);";

/// Makes the page receive a call of this number as ten minutes old.
const OLD_CALL_SCRIPT: &str = "
const [number] = arguments;
const { parse } = JSON;
JSON.parse = text => {
  const body = parse(text);
  for (const call of body.calls || []) if (call.number === number) call.called_at -= 600000;
  return body;
};";

const CLOCKS_SCRIPT: &str = "
const read = timeZone => new Intl.DateTimeFormat('en-GB',
  { hour: '2-digit', minute: '2-digit', hourCycle: 'h23', timeZone }).format(Date.now()).slice(0, 2);
return { shown: document.getElementById('clock').textContent.slice(0, 2), shanghai: read('Asia/Shanghai'), here: read() };";

const SPOKEN_TEXT_SCRIPT: &str = "
const given = arguments;
return import(new URL('speech.js', document.querySelector('script[type=module]').src)).then(voice => voice.sentence(...given));";

/// Makes the page's first code expire in 8 s.
const SHORT_CODE_SCRIPT: &str = "
const reallyFetch = window.fetch;
window.fetch = async (path, options) => {
  const response = await reallyFetch(path, options);
  if (!String(path).endsWith('/scan-sessions') || window.firstEnds) return response;
  const opened = await response.json();
  window.firstEnds = opened.expires_at = Date.now() + 8000;
  return new Response(JSON.stringify(opened), { status: response.status, headers: response.headers });
};";
