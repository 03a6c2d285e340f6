//! Several counters at once, people without WeChat, and the sound of somebody coming.

use crate::browser::Browser;
use crate::demo::Demo;
use crate::window::Window;
use serde_json::json;

#[tokio::test]
async fn two_consoles_race_for_the_next_and_nobody_is_called_twice() {
    let (demo, browser) = (Demo::start().await, Browser::start().await);
    demo.people_in_line(&browser, 3).await;
    let board = browser.open(&demo.address("/board/")).await;
    let one = demo.staff_at(&browser, 1).await;
    let two = demo.staff_at(&browser, 2).await;
    for window in [&one, &two] {
        window.shows("#next-hint", "3 人在等").await;
    }
    // Both press at an agreed moment; a window that is not looked at has slow timers, so it is soon.
    let press = "setTimeout(() => document.getElementById('next').click(), 50)";
    one.run(press, json!([])).await;
    two.run(press, json!([])).await;
    let (first, second) = (called(&one).await, called(&two).await);
    assert_ne!(first, second);
    let mut both = [first.clone(), second.clone()];
    both.sort();
    assert_eq!(both, ["A001", "A002"]);
    one.shows("#counter-list", &second).await;
    two.shows("#counter-list", &first).await;
    board
        .until("both calls are seen", async || board.texts("#calls .number").await.len() == 2)
        .await;

    // Only one is left: one gets them, the other is told why not and what to do.
    for window in [&one, &two] {
        window.click("#finish").await;
        window.shows("#said.done", "已完成").await;
        window.shows("#next:enabled", "1 人在等").await;
    }
    one.run(press, json!([])).await;
    two.run("document.getElementById('next').click()", json!([])).await;
    let told = async |window: &Window| window.texts("#said").await.join(" ");
    let mut said = Vec::new();
    one.until("both were answered", async || {
        said = vec![told(&one).await, told(&two).await];
        said.iter().any(|said| said.contains("已叫 A003"))
            && said.iter().any(|said| said.contains("没有人排队") || said.contains("叫了 A003"))
    })
    .await;
    browser.end(&["status of 409"]).await;
}

async fn called(window: &Window) -> String {
    window.shows("#desk[data-state=called] #number", "A0").await;
    window.texts("#number").await.remove(0)
}

#[tokio::test]
async fn somebody_without_wechat_gets_a_slip_and_is_called_like_anybody() {
    let (demo, browser) = (Demo::start().await, Browser::start().await);
    let staff = demo.staff_at(&browser, 2).await;
    staff.press("k").await;
    staff.shows("#dialog-title", "给没有微信的客户取号").await;
    staff.press("\u{E007}").await;
    staff.shows("#dialog-title", "A001 已取号").await;
    let before = browser.windows().await;
    staff.press("\u{E007}").await;
    let slip = browser.opened_since(&before).await;
    slip.shows("#number", "A001").await;
    slip.shows("#site", "城南便民服务大厅").await;
    slip.shows("#queue", "综合业务").await;
    slip.shows("#ahead", "前面没有人").await;
    let width =
        slip.run("return document.querySelector('.paper').offsetWidth / 96 * 25.4", json!([]));
    let width = width.await.as_f64().unwrap();
    assert!(width < 80.0, "{width} mm");
    let narrow = slip.address().await.split('#').next().unwrap().to_owned() + "?width=58";
    slip.go(&narrow).await;
    slip.shows("#number", "A001").await;
    let width =
        slip.run("return document.querySelector('.paper').offsetWidth / 96 * 25.4", json!([]));
    let width = width.await.as_f64().unwrap();
    assert!(width < 58.0, "{width} mm");

    staff.shows("#waiting", "纸票").await;
    staff.click("#next:enabled").await;
    staff.shows("#desk[data-state=called] #number", "A001").await;
    staff.shows("#facts", "纸票").await;
    browser.end(&[]).await;
}

#[tokio::test]
async fn an_empty_line_that_somebody_joins_is_heard_unless_sound_is_off() {
    let (demo, browser) = (Demo::start().await, Browser::start().await);
    let address = demo.address("#key=");
    let staff = browser.open("about:blank").await;
    staff.before_each_page(EARS).await;
    staff.go(&address).await;
    staff.shows("#counters", "1号窗口").await;
    staff.run("document.querySelector('#counters button').click()", json!([])).await;
    // A browser is silent until it is touched.
    staff.click("#unlock").await;
    staff.hides("#unlock").await;
    let key = address.split("#key=").nth(1).unwrap();
    take(&staff, key, "general").await;
    staff.shows("#said.news", "有人来了 A001").await;
    rings(&staff, 1).await;
    take(&staff, key, "general").await;
    staff.shows("#waiting", "A002").await;
    // Another counter's line is not this one's.
    take(&staff, key, "social").await;
    staff.shows("#queue-list", "1 人在等").await;
    rings(&staff, 1).await;

    staff.press("v").await;
    staff.shows("#sound[aria-pressed=false]", "声音").await;
    for number in ["A001", "A002"] {
        staff.click("#next:enabled").await;
        staff.shows("#desk[data-state=called] #number", number).await;
        staff.click("#finish:enabled").await;
        staff.shows("#said.done", "已完成").await;
    }
    take(&staff, key, "general").await;
    staff.shows("#said.news", "有人来了 A003").await;
    rings(&staff, 1).await;
    browser.end(&[]).await;
}

async fn take(staff: &Window, key: &str, queue: &str) {
    let taken = staff.run(TAKE, json!([key, queue])).await;
    assert_eq!(taken, json!(200));
}

async fn rings(staff: &Window, times: u64) {
    let rung = async || staff.run("return window.tones", json!([])).await == times * 2;
    staff.until(&format!("it has rung {times} times"), rung).await;
}

const TAKE: &str = "
const [key, queue] = arguments;
return fetch(`/api/v1/sites/hall/queues/${queue}/tickets`, { method: 'POST', headers: { authorization: `Bearer ${key}` } })
  .then(answer => answer.status);";

/// Counts tones instead of sounding them; silent until touched, as a browser is.
const EARS: &str = "
window.tones = 0;
const part = () => ({ gain: { setValueAtTime: () => {}, exponentialRampToValueAtTime: () => {} }, frequency: {},
  connect: next => next, start: () => { window.tones += 1; }, stop: () => {} });
window.AudioContext = class {
  state = 'suspended';
  currentTime = 0;
  async resume() { if (navigator.userActivation.isActive) this.state = 'running'; }
  createOscillator = part;
  createGain = part;
};";
