//! The counter's page: its keys, and every "no" in words.

use crate::browser::Browser;
use crate::demo::Demo;
use serde_json::json;

#[tokio::test]
async fn every_key_does_what_it_says_and_two_presses_are_one_call() {
    let (demo, browser) = (Demo::start().await, Browser::start().await);
    demo.people_in_line(&browser, 3).await;
    let board = browser.open(&demo.address("/board/")).await;
    let staff = demo.staff_at_first_counter(&browser).await;
    staff.shows("#next-hint", "3 人在等").await;

    staff.press("nn").await;
    staff.shows("#desk[data-state=serving] #number", "A001").await;
    staff.shows("#said.done", "已叫 A001").await;
    staff.press("nn").await;
    staff.press("m").await;
    staff.shows("#said.done", "A001 已过号").await;
    staff.shows("#desk[data-state=free] #number", "空闲").await;

    staff.shows("#call-next:enabled", "叫下一位").await;
    staff.press("N").await;
    staff.shows("#said.done", "已叫 A002").await;
    staff.press("fF").await;
    staff.shows("#said.done", "A002 已完成").await;
    staff.shows("#desk[data-state=free] #number", "空闲").await;

    // A double click is no second call either, and neither is a key that writes into a field.
    staff.shows("#call-next:enabled", "叫下一位").await;
    staff
        .run("const b = document.getElementById('call-next'); b.click(); b.click()", json!([]))
        .await;
    staff.shows("#said.done", "已叫 A003").await;
    staff.shows("#next-hint", "先完成或过号").await;
    board.shows("#calls li:first-child", "A003").await;
    let calls = board.texts("#calls .number").await;
    assert_eq!(calls, ["A003", "A002", "A001"], "not one call for each press");
    browser.end(&[]).await;
}

#[tokio::test]
async fn a_refusal_is_a_sentence_where_the_eyes_are() {
    let (demo, browser) = (Demo::start().await, Browser::start().await);
    let page = demo.address("#key=").split("#key=").next().unwrap().to_owned();

    // The page bars what makes no sense, but may know of it a moment too late.
    let staff = demo.staff_at_first_counter(&browser).await;
    staff.shows("#finish:disabled", "完成").await;
    staff.shows("#next-hint", "没有人排队").await;
    staff.run(PRESS_ANYWAY, json!(["finish"])).await;
    staff.shows("#said.refused", "窗口没有客户").await;
    staff.shows("#said.refused", "The counter has no customer").await;
    staff.run(PRESS_ANYWAY, json!(["call-next"])).await;
    staff.shows("#said.refused", "没有人排队").await;

    staff.click("#close").await;
    staff.shows("#said.done", "已关窗").await;
    staff.shows("#next-hint", "先开窗").await;
    staff.run(PRESS_ANYWAY, json!(["call-next"])).await;
    staff.shows("#said.refused", "窗口未开").await;
    staff.click("#open").await;
    staff.shows("#said.done", "已开窗").await;

    staff.click("#sign-out").await;
    staff.shows("#sign-in", "工作人员密钥").await;
    let stranger = browser.open(&page).await;
    stranger.write("#key", "not-the-key").await;
    stranger.click("#sign-in .primary").await;
    stranger.click("#counters button").await;
    stranger.click("#close").await;
    stranger.shows("#key-said", "密钥不对，请再输入").await;
    stranger.shows("#key-said", "The key is not right").await;

    let lost = browser.open(&page.replace("hall", "nowhere")).await;
    lost.shows(".message", "没有这个门店").await;
    lost.shows(".message a", "全部门店").await;
    browser.end(&["status of 401", "status of 404", "status of 409"]).await;
}

const PRESS_ANYWAY: &str = "
const button = document.getElementById(arguments[0]);
button.disabled = false;
button.click();";
