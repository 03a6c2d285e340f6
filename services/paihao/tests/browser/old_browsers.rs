//! Tests of every page in browsers that lack a newer feature: the page works, or says that the
//! browser is too old for it. It never says "connection lost", and is never blank.

use crate::browser::Browser;
use crate::demo::Demo;
use crate::login::SimulatedPhones;
use crate::manage::lead_codes_to_a_page;
use crate::window::Window;
use serde_json::json;

/// Features that pages may not be without: each page says so then, the one about dialogs where it
/// has one. All others have to be dispensable.
const NEEDED: [&str; 13] = [
    "AbortController",
    "Array.prototype.flatMap",
    "Crypto.prototype.getRandomValues",
    "Element.prototype.replaceChildren",
    "FormData.prototype.entries",
    "HTMLDialogElement.prototype.showModal",
    "HTMLScriptElement.prototype.noModule",
    "Intl.DateTimeFormat.prototype.formatToParts",
    "Object.fromEntries",
    "Response.prototype.body",
    "String.prototype.replaceAll",
    "TextDecoder",
    "URLSearchParams",
];

/// Stands for a script that the browser cannot read: its syntax cannot be taken away.
const SYNTAX: &str = "syntax";

/// Features that came to browsers in the last years, or that owners and signs switch off.
const DISPENSABLE: [&str; 34] = [
    "AbortSignal.any",
    "AbortSignal.timeout",
    "Array.fromAsync",
    "Array.prototype.at",
    "Array.prototype.findLast",
    "Array.prototype.toReversed",
    "Array.prototype.toSorted",
    "AudioContext",
    "Intl.ListFormat",
    "Intl.PluralRules",
    "Intl.RelativeTimeFormat",
    "Iterator.prototype.map",
    "Map.groupBy",
    "Navigator.prototype.clipboard",
    "Navigator.prototype.userActivation",
    "Navigator.prototype.vibrate",
    "Navigator.prototype.wakeLock",
    "Object.groupBy",
    "Object.hasOwn",
    "Promise.allSettled",
    "Promise.any",
    "Promise.withResolvers",
    "ResizeObserver",
    "Set.prototype.union",
    "String.prototype.at",
    "String.prototype.isWellFormed",
    "URL.canParse",
    "WeakRef",
    "crypto.randomUUID",
    "localStorage",
    "reportError",
    "sessionStorage",
    "speechSynthesis",
    "structuredClone",
];

/// Number of problems after which a test goes no further.
const MAX_PROBLEMS: usize = 4;

/// Page with what it shows when it works.
struct Page {
    url: String,
    shown: &'static str,
    text: &'static str,
    /// Button to press then, and what it has to show.
    press: Option<(&'static str, &'static str, &'static str)>,
    /// False of paper, which is complete without its script.
    needs_script: bool,
}

impl Page {
    fn new(url: &str, shown: &'static str, text: &'static str) -> Page {
        Page { url: url.to_owned(), shown, text, press: None, needs_script: true }
    }

    fn paper(self) -> Page {
        Page { needs_script: false, ..self }
    }

    fn pressing(self, button: &'static str, shown: &'static str, text: &'static str) -> Page {
        Page { press: Some((button, shown, text)), ..self }
    }
}

#[tokio::test]
async fn pages_of_the_hall_work_in_old_browsers_or_say_that_they_do_not() {
    let demo = Demo::start().await;
    let browser = Browser::start().await;
    let pages = demo.pages_url();
    let window = old_browser(&browser).await;
    check_pages(
        &window,
        &[
            Page::new(&format!("{pages}/"), "#sites h2", "城南便民服务大厅"),
            Page::new(&format!("{pages}/kiosk/hall"), "#queues", "社保医保"),
            Page::new(&format!("{pages}/board/hall"), "#hero", "请稍候"),
            Page::new(&format!("{pages}/poster/hall"), ".sheet h2", "综合业务").paper(),
        ],
    )
    .await;
    browser.quit(&[""]).await;
}

#[tokio::test]
async fn pages_of_staff_work_in_old_browsers_or_say_that_they_do_not() {
    let demo = Demo::start().await;
    let browser = Browser::start().await;
    let pages = demo.pages_url();
    let window = old_browser(&browser).await;
    let login = Page::new(&format!("{pages}/login"), "#said", "扫码登录");
    check_pages(&window, &[login]).await;
    window.navigate("about:blank").await;
    window.navigate(&demo.printed_address("/login#first=")).await;
    let simulated = SimulatedPhones::for_demo(&demo);
    simulated.scan_and_confirm("oAnn", &window).await;
    window.wait_for_text("#sessions li", "就是这个浏览器").await;
    check_pages(
        &window,
        &[
            Page::new(&format!("{pages}/me"), "#sessions li", "就是这个浏览器"),
            Page::new(&format!("{pages}/console/hall"), "#counters, #counter", "1号窗口").pressing(
                "#help",
                "#dialog",
                "叫下一位",
            ),
            Page::new(&format!("{pages}/manage/hall"), "#place h2", "门店").pressing(
                "#sections [data-section=queues]",
                "#place h2",
                "业务",
            ),
        ],
    )
    .await;
    browser.quit(&[""]).await;
}

#[tokio::test]
async fn pages_of_customers_work_in_old_browsers_or_say_that_they_do_not() {
    let demo = Demo::start().await;
    let browser = Browser::start().await;
    let pages = demo.pages_url();
    lead_codes_to_a_page(&demo, &browser).await;
    let take = format!("{pages}/q/q_hall_general");
    let window = browser.open(&take).await;
    window.click("#take").await;
    window.wait_for_text("#number", "A001").await;
    let ticket = window.url().await;
    let window = old_browser(&browser).await;
    check_pages(
        &window,
        &[
            Page::new(&take, "#take, #mine", "号"),
            Page::new(&ticket, "#number", "A001").pressing("#act-leave", "#sheet", "不排了"),
            Page::new(&format!("{pages}/slip/hall/A001"), "#number", "A001"),
        ],
    )
    .await;
    browser.quit(&[""]).await;
}

/// Opens a window in which each page lacks the feature that its address names.
async fn old_browser(browser: &Browser) -> Window {
    let window = browser.open("about:blank").await;
    window.before_each_page(WITHOUT_SCRIPT).await;
    window
}

async fn check_pages(window: &Window, pages: &[Page]) {
    let mut problems = Vec::new();
    for page in pages {
        for feature in ["", SYNTAX].into_iter().chain(NEEDED).chain(DISPENSABLE) {
            let mut outcome = "unloaded".to_owned();
            // The machine's network may change meanwhile, and the browser breaks a page off then.
            while outcome == "unloaded" {
                window.navigate(&format!("{}?without={feature}", page.url)).await;
                outcome = outcome_of(window, page.shown, page.text).await;
            }
            if let (true, Some((button, shown, text))) = (outcome == "works", page.press) {
                window.run_script(CLICK_SCRIPT, json!([button])).await;
                outcome = outcome_of(window, shown, text).await;
            }
            let wanted = match feature {
                _ if !page.needs_script => &["works"][..],
                "HTMLDialogElement.prototype.showModal" => &["works", "told"],
                needed if needed == SYNTAX || NEEDED.contains(&needed) => &["told"],
                _ => &["works"],
            };
            if !wanted.contains(&&*outcome) {
                problems.push(format!("{} without {feature:?}: {outcome}", page.url));
            }
            // A page that never works would take its time for every feature.
            assert!(problems.len() < MAX_PROBLEMS, "{}", problems.join("\n"));
        }
    }
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}

/// Waits until the page works, says that the browser is too old, or says something else.
async fn outcome_of(window: &Window, shown: &str, text: &str) -> String {
    let mut outcome = String::new();
    // Far longer than a page takes: a page that shows nothing is one of the findings.
    for _ in 0..150 {
        let found = window.run_script(OUTCOME_SCRIPT, json!([shown, text])).await;
        outcome = found.as_str().unwrap_or_default().to_owned();
        if ["works", "told", "unloaded"].contains(&&*outcome) {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(40)).await;
    }
    outcome
}

/// Takes away the feature that the address names, and storage as a browser denies it.
const WITHOUT_SCRIPT: &str = "
const feature = new URLSearchParams(location.search).get('without');
if (feature === 'localStorage' || feature === 'sessionStorage') {
  Object.defineProperty(window, feature, { get() { throw new DOMException('denied', 'SecurityError'); } });
} else if (feature === 'syntax') {
  const error = new SyntaxError('Unexpected token');
  document.addEventListener('readystatechange', () => window.dispatchEvent(new ErrorEvent('error', { error })));
} else if (feature) {
  const names = feature.split('.');
  const last = names.pop();
  const owner = names.reduce((object, name) => object?.[name], window);
  if (owner) delete owner[last];
}";

const OUTCOME_SCRIPT: &str = "
const [css, text] = arguments;
if (location.protocol === 'chrome-error:') return 'unloaded';
const isShown = element => element && element.checkVisibility();
if (isShown(document.getElementById('too-old'))) return 'told';
const offline = document.getElementById('offline');
if (isShown(offline)) return `says ${offline.textContent}`;
const found = [...document.querySelectorAll(css)].some(element => isShown(element) && element.innerText.includes(text));
return found ? 'works' : `shows ${document.body.innerText.slice(0, 200)}`;";

const CLICK_SCRIPT: &str = "document.querySelector(arguments[0])?.click()";
