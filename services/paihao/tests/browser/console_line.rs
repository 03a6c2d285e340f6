//! Tests of the console's line: numbers as people type them, the search, and what a row tells.

use crate::browser::Browser;
use crate::demo::Demo;
use serde_json::json;

const ENTER_KEY: &str = "\u{E007}";
const DOWN_KEY: &str = "\u{E015}";
const ESCAPE_KEY: &str = "\u{E00C}";

#[tokio::test]
async fn a_number_is_called_as_people_type_it() {
    let demo = Demo::start().await;
    let browser = Browser::start().await;
    // The second counter serves both queues.
    let staff = demo.staff_at(&browser, 2).await;
    for (queue, people) in [("general", 3), ("social", 2)] {
        for i in 0..people {
            demo.post_as_manager(&format!("sites/hall/queues/{queue}/tickets?{i}")).await;
        }
    }
    staff.wait_for_text("#line-count", "5 人").await;
    for (typed, number) in [("3", "A003"), ("a3", "A003"), ("Ｂ００１", "B001"), (" b 2", "B002")]
    {
        staff.press_keys("c").await;
        staff.wait_for_text("#dialog-title", "指定叫号").await;
        staff.type_into("#field-number", typed).await;
        staff.press_keys(ENTER_KEY).await;
        staff.wait_for_text("#dialog-title", &format!("先叫 {number}")).await;
        staff.press_keys(ESCAPE_KEY).await;
        staff.wait_until_hidden("#dialog").await;
    }
    // Digits that two numbers share are no choice.
    staff.press_keys("c").await;
    staff.type_into("#field-number", "２").await;
    staff.press_keys(ENTER_KEY).await;
    staff.wait_for_text("#dialog .wrong", "A002 B002 都是这个号").await;
    staff.type_into("#field-number", "9").await;
    staff.press_keys(ENTER_KEY).await;
    staff.wait_for_text("#dialog .wrong", "没有这个号在等").await;
    browser.quit(&[]).await;
}

#[tokio::test]
async fn the_line_is_searched_and_a_row_tells_queue_and_reason() {
    let demo = Demo::start().await;
    let browser = Browser::start().await;
    let staff = demo.staff_at(&browser, 2).await;
    for (queue, people) in [("general", 2), ("social", 1)] {
        for i in 0..people {
            demo.post_as_manager(&format!("sites/hall/queues/{queue}/tickets?{i}")).await;
        }
    }
    staff.wait_for_text("#line-count", "3 人").await;
    staff.wait_for_text("#waiting", "综合业务").await;
    staff.wait_for_text("#waiting", "社保医保").await;
    staff.run_script(HOLD_SCRIPT, json!([demo.key()])).await;
    staff.wait_for_text("#held-list", "等别的部门").await;
    staff.wait_for_text("#held-list", "综合业务").await;

    staff.press_keys("/").await;
    staff.type_into("#search", "b1").await;
    staff.wait_for_text("#line-count", "找到 1 个").await;
    assert_eq!(staff.texts(".line .row .number").await, ["B001"]);
    staff.press_keys(ESCAPE_KEY).await;
    staff.wait_for_text("#line-count", "2 人").await;
    staff.press_keys("/").await;
    staff.type_into("#search", "部门").await;
    staff.wait_for_text("#line-count", "找到 1 个").await;
    staff.wait_for_text("#waiting", "没有找到").await;
    assert_eq!(staff.texts(".line .row .number").await, ["A001"]);
    // An arrow leads to the first row.
    staff.press_keys(ESCAPE_KEY).await;
    staff.wait_for_text("#line-count", "2 人").await;
    staff.press_keys(&format!("/{DOWN_KEY}")).await;
    let focus = staff.run_script("return document.activeElement.innerText", json!([])).await;
    assert!(focus.as_str().unwrap().contains("A002"), "{focus}");
    staff.press_keys("/").await;
    staff.type_into("#search", "部门").await;
    staff.wait_for_text("#line-count", "找到 1 个").await;
    // Enter leads to what was found, and Enter opens it.
    staff.press_keys(&format!("{ENTER_KEY}{ENTER_KEY}")).await;
    staff.wait_for_text("#dialog-title", "A001").await;
    browser.quit(&[]).await;
}

const HOLD_SCRIPT: &str = "
return fetch('/api/v1/sites/hall/tickets/A001/hold', {
  method: 'POST',
  body: JSON.stringify({ reason: '等别的部门' }),
  headers: { authorization: `Bearer ${arguments[0]}`, 'content-type': 'application/json' },
}).then(response => response.status);";
