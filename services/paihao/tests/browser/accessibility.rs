//! Accessibility checker of the pages, and a test of the checker.
//!
//! It checks names and labels, headings and landmarks, the language of every part, contrast as
//! computed from styles, the size of targets, and the visibility of the focus. It cannot check the
//! sense of a text, the announcement of a change by a screen reader, or the reading order.

use crate::browser::Browser;
use crate::demo::Demo;
use crate::window::Window;
use serde_json::json;

const CHECKER_SCRIPT: &str = include_str!("checker.js");

/// Checks a page in its current state. Returns a sentence for each violation.
pub async fn accessibility_findings(page: &Window) -> Vec<String> {
    // A key press makes the browser show the focus; this key (shift) has no other effect.
    page.press_keys("\u{E008}").await;
    let findings = page.run_script(CHECKER_SCRIPT, json!([])).await;
    let findings = findings.as_array().expect("a list").iter();
    findings.map(|finding| finding.as_str().unwrap_or_default().to_owned()).collect()
}

#[tokio::test]
async fn the_checker_finds_every_kind_of_violation() {
    let demo = Demo::start().await;
    let browser = Browser::start().await;
    let index = demo.printed_address("/kiosk/").replace("/kiosk/hall", "/");
    let page = browser.open(&index).await;
    page.wait_for_text("#sites h2", "城南便民服务大厅").await;
    assert_eq!(accessibility_findings(&page).await, [""; 0]);
    page.run_script(FAULTS_SCRIPT, json!([])).await;
    let findings = accessibility_findings(&page).await.join("\n");
    for sentence in [
        "has no name",
        "has no label",
        "says nothing of what it shows",
        "two elements are sites",
        "2 first headings",
        "a heading of level 5",
        "cannot be enlarged",
        "Chinese that calls itself English",
        "English that calls itself Chinese",
        "text in no landmark",
        "contrast 1.",
        "letters of 8px",
        "a target of",
        "an edge that is hard to see",
        "does not show that it has the focus",
        "a value is missing",
        "one of many",
    ] {
        assert!(findings.contains(sentence), "{sentence}: {findings}");
    }
    page.run_script(DIALOG_SCRIPT, json!([])).await;
    let findings = accessibility_findings(&page).await.join("\n");
    assert!(findings.contains("two buttons of one dialog have the same word"), "{findings}");
    browser.quit(&[]).await;
}

/// Adds one violation of each kind. Styles are set as properties, since the page's policy forbids
/// style attributes.
const FAULTS_SCRIPT: &str = "
const make = (tag, text = '', style = {}, more = {}) => {
  const element = document.createElement(tag);
  element.textContent = text;
  Object.assign(element.style, style);
  Object.assign(element, more);
  document.body.append(element);
  return element;
};
make('button', '', { width: '10px', height: '10px', padding: 0 });
make('button', 'Press', { outline: 'none' }, { lang: 'en' });
make('input', '', { border: '1px solid #eee' });
make('img', '', { width: '9px', height: '9px' });
make('p', 'English');
make('p', '中文', {}, { lang: 'en', id: 'sites' });
make('p', 'told undefined min', {}, { lang: 'en' });
make('p', 'about 1 minutes', {}, { lang: 'en' });
make('h1', '又一个');
make('h5', '太深');
make('p', '看不清', { color: '#ddd', background: '#fff', fontSize: '8px' });
document.querySelector('meta[name=viewport]').content = 'width=device-width, user-scalable=no';";

/// Opens a dialog in which one word has two meanings.
const DIALOG_SCRIPT: &str = "
const dialog = document.createElement('dialog');
dialog.innerHTML = '<h2>?</h2><ul><li><button>关闭 <small lang=en>Close it</small></button></li></ul><button>关闭</button>';
document.body.append(dialog);
dialog.showModal();";
