//! Tests of the editors of hours: the grid of a week, its text, dates that differ, shifts.

use crate::browser::Browser;
use crate::demo::{Demo, http_client};
use crate::manage::{fill_control, open_manage_page, open_section, save_section};
use crate::pictures::{ALL_SCREENS, PHONE, take_pictures};
use crate::window::Window;
use serde_json::{Value, json};

const MODE: &str = ".week-editor select";
const TEXT: &str = ".week-editor textarea";

/// Settings of the hall, as they are stored.
async fn stored_site(demo: &Demo) -> Value {
    let url = format!("{}/api/v1/book/sites/hall", demo.pages_url());
    let read = http_client().get(url).bearer_auth(demo.key()).send().await.expect("an answer");
    read.json().await.expect("settings")
}

/// Saves the section, and waits until the hall has this value.
async fn save_as(demo: &Demo, page: &Window, pointer: &str, expected: Value) {
    save_section(page).await;
    // What an earlier save said may still stand there.
    page.wait_until(&format!("{pointer} is {expected}"), async || {
        stored_site(demo).await.pointer(pointer) == Some(&expected)
    })
    .await;
}

/// Scrolls to an element, since the bar that saves covers the lowest ones, and clicks it.
async fn scroll_and_click(page: &Window, css: &str) {
    page.wait_until(&format!("{css} is there"), async || {
        page.run_script(SCROLL_SCRIPT, json!([css])).await == json!(true)
    })
    .await;
    page.click(css).await;
}

const SCROLL_SCRIPT: &str = "
const element = document.querySelector(arguments[0]);
element?.scrollIntoView({ block: 'center' });
return Boolean(element);";

/// Opens the parts of the section that are closed, for pictures of all of it.
async fn open_all_parts(page: &Window) {
    let script =
        "for (const part of document.querySelectorAll('#place details')) part.open = true;";
    page.run_script(script, json!([])).await;
}

#[tokio::test]
async fn a_week_is_set_by_clicks_and_the_text_is_the_same_week() {
    let demo = Demo::start().await;
    let browser = Browser::start().await;
    let page = open_manage_page(&demo, &browser).await;
    page.set_screen(PHONE.1, PHONE.2, "light").await;
    open_section(&page, "hours", "开放时间").await;
    page.wait_for_text(".place .card h3", "全部业务").await;
    page.wait_until_hidden(".week").await;
    fill_control(&page, MODE, "week").await;
    page.wait_for_text(".day:nth-child(1) strong", "周一").await;
    // A break at noon, on every working day.
    fill_control(&page, ".day:nth-child(1) .span input:nth-of-type(2)", "12:00").await;
    scroll_and_click(&page, ".day:nth-child(1) .day-acts button").await;
    fill_control(&page, ".day:nth-child(1) .span:nth-child(2) input", "13:30").await;
    fill_control(&page, ".day:nth-child(1) .span:nth-child(2) input:nth-of-type(2)", "17:30").await;
    fill_control(&page, ".day:nth-child(1) .copy", "weekdays").await;
    // Saturday goes on after midnight, and Sunday is open all day.
    scroll_and_click(&page, ".day:nth-child(6) .day-acts button").await;
    fill_control(&page, ".day:nth-child(6) .span input:nth-of-type(1)", "18:00").await;
    fill_control(&page, ".day:nth-child(6) .span input:nth-of-type(2)", "02:00").await;
    page.wait_for_text(".day:nth-child(6) .next-day", "次日").await;
    scroll_and_click(&page, ".day:nth-child(7) .day-acts button:nth-child(2)").await;
    page.wait_for_text(".day:nth-child(7) .span", "全天").await;
    let lines = json!(["mon-fri 09:00-12:00 13:30-17:30", "sat 18:00-02:00", "sun 00:00-24:00"]);
    save_as(&demo, &page, "/queues/general/hours", lines.clone()).await;
    assert_eq!(stored_site(&demo).await["queues"]["social"]["hours"], lines);

    // The text of an expert is the same week, and what it does not say is closed.
    scroll_and_click(&page, ".week-editor summary").await;
    fill_control(&page, TEXT, "周一至周五　9:00－17:30，周六 上午9点到12点\n周日 休息").await;
    page.wait_for_text(".day:nth-child(7) .spans", "休息").await;
    let lines = json!(["mon-fri 09:00-17:30", "sat 09:00-12:00"]);
    save_as(&demo, &page, "/queues/general/hours", lines).await;
    scroll_and_click(&page, ".week-editor summary").await;
    fill_control(&page, TEXT, "周一至周五 9:00-17:30\n周八 9:00-12:00").await;
    page.wait_for_text(".week-editor .wrong", "周八").await;
    // A week without any hours would be open always: it is said, and not saved.
    fill_control(&page, TEXT, "周一 9:00-12:00").await;
    page.wait_for_text(".day:nth-child(2) .spans", "休息").await;
    scroll_and_click(&page, ".day:nth-child(1) .cross").await;
    page.wait_for_text(".week-editor .wrong", "请至少留一段时间").await;
    fill_control(&page, MODE, "always").await;
    save_as(&demo, &page, "/queues/general/hours", json!([])).await;
    browser.quit(&["status of 401"]).await;
}

#[tokio::test]
async fn one_queue_has_hours_and_dates_of_its_own() {
    let demo = Demo::start().await;
    let browser = Browser::start().await;
    let page = open_manage_page(&demo, &browser).await;
    open_section(&page, "hours", "开放时间").await;
    page.wait_for_text(".place .card h3", "全部业务").await;
    scroll_and_click(&page, ".card > details:last-of-type summary").await;
    scroll_and_click(&page, ".card > details:last-of-type .day-acts button:nth-child(2)").await;
    page.wait_for_text(".place .place .card:nth-child(2) h3", "社保医保").await;
    fill_control(&page, ".card:nth-child(2) .week-editor select", "week").await;
    save_as(&demo, &page, "/queues/social/hours", json!(["mon-fri 09:00-17:30"])).await;
    assert_eq!(stored_site(&demo).await["queues"]["general"]["hours"], json!([]));
    page.wait_for_text(".place .place .card:nth-child(2) h3", "社保医保").await;
    // And back to those of the other.
    fill_control(&page, ".card:nth-child(2) > .field select", "general").await;
    page.wait_for_text(".place .card h3", "全部业务").await;
    save_as(&demo, &page, "/queues/social/hours", json!([])).await;
    browser.quit(&["status of 401"]).await;
}

const NOTICE: &str = "各部门：现将2027年部分节假日安排通知如下。\n\
    春节：2月5日（周五）至11日（周四）放假调休，共7天。2月14日（周日）上班。\n\
    10月1日（周六）至7日放假。\n12月31日 9:00-12:00\n请妥善安排。";

#[tokio::test]
async fn a_list_of_holidays_is_pasted_looked_at_and_added() {
    let demo = Demo::start().await;
    demo.change_site(|site| {
        for queue in ["general", "social"] {
            site["queues"][queue]["hours"] = json!(["mon-fri 09:00-17:30"]);
        }
    })
    .await;
    let browser = Browser::start().await;
    let page = open_manage_page(&demo, &browser).await;
    page.set_screen(PHONE.1, PHONE.2, "light").await;
    open_section(&page, "hours", "开放时间").await;
    page.wait_for_text(".dates-editor", "没有特殊日期").await;
    scroll_and_click(&page, ".paste summary").await;
    fill_control(&page, ".paste textarea", NOTICE).await;
    page.wait_for_text(".understood .read", "2027-02-05").await;
    let understood = page.texts(".understood li").await;
    let with = |text: &str| understood.iter().find(|part| part.contains(text)).cloned().unwrap();
    assert!(with("2月14日").contains("上班，按周一的时间"), "{understood:?}");
    assert!(with("10月1日").contains("2027-10-01 是周五：年份对吗"), "{understood:?}");
    assert!(with("12月31日").contains("09:00–12:00"), "{understood:?}");
    assert!(with("请妥善安排").contains("没有日期，不用"), "{understood:?}");
    take_pictures(&page, "manage-holidays", &[PHONE]).await;
    page.set_screen(PHONE.1, PHONE.2, "light").await;
    page.wait_for_text(".paste .primary", "加入这 3 条").await;
    scroll_and_click(&page, ".paste .primary").await;
    page.wait_for_text(".dates li:nth-child(2)", "2027-02-14").await;
    let expected = json!([
        "2027-02-05..2027-02-11 closed",
        "2027-02-14 09:00-17:30",
        "2027-12-31 09:00-12:00",
    ]);
    save_as(&demo, &page, "/dates", expected).await;

    // Each is changed by itself.
    scroll_and_click(&page, ".dates li:nth-child(3) button").await;
    fill_control(&page, ".editing select", "closed").await;
    scroll_and_click(&page, ".editing .day-acts button").await;
    scroll_and_click(&page, ".dates li:nth-child(2) .day-acts button:nth-child(2)").await;
    let expected = json!(["2027-02-05..2027-02-11 closed", "2027-12-31 closed"]);
    save_as(&demo, &page, "/dates", expected).await;
    browser.quit(&["status of 401"]).await;
}

#[tokio::test]
async fn twenty_queues_counters_and_dates_fit_every_screen() {
    let demo = Demo::start().await;
    demo.change_site(|site| {
        let ids: Vec<_> = (1..=20).map(|n| format!("queue-{n}")).collect();
        let letters = "ABCDEFGHJKLMNPQRSTUV".chars();
        let queues = ids.iter().zip(letters).enumerate().map(|(n, (id, letter))| {
            let hours = if n < 15 {
                ["mon-fri 09:00-12:00 13:30-17:30 18:30-20:00", "sat 18:00-02:00"]
            } else {
                ["mon-sat 08:30-12:00 13:30-17:30", "2027-03-05 10:00-11:00"]
            };
            let name = format!("第{}项综合业务受理", n + 1);
            let queue = json!({"name": name, "prefix": letter, "hours": hours});
            (id.clone(), queue)
        });
        site["queues"] = Value::Object(queues.collect());
        let counters = (1..=20).map(|n| {
            let shifts = json!(["mon-fri 09:00-12:00 13:30-17:30", "2027-02-05 closed"]);
            (n.to_string(), json!({"name": format!("{n}号窗口"), "queues": ids, "shifts": shifts}))
        });
        site["counters"] = Value::Object(counters.collect());
        let dates =
            (1..=20).map(|n| format!("2027-{:02}-{:02} 09:00-12:00 13:30-17:30", n % 12 + 1, n));
        site["dates"] = dates.collect();
    })
    .await;
    let browser = Browser::start().await;
    let page = open_manage_page(&demo, &browser).await;
    open_section(&page, "hours", "开放时间").await;
    page.wait_for_text(".dates-editor .dates li:nth-child(20)", "2027-").await;
    open_all_parts(&page).await;
    take_pictures(&page, "manage-hours-many", ALL_SCREENS).await;
    open_section(&page, "counters", "窗口").await;
    page.wait_for_text(".shifts summary .soft", "周一至周五 09:00–12:00 13:30–17:30").await;
    take_pictures(&page, "manage-counters-many", ALL_SCREENS).await;
    scroll_and_click(&page, ".card:nth-of-type(2) .shifts summary").await;
    page.wait_for_text(".card:nth-of-type(2) .day:nth-child(1)", "周一").await;
    take_pictures(&page, "manage-shifts", &[PHONE]).await;
    fill_control(&page, ".card:nth-of-type(2) .week-editor select", "always").await;
    page.wait_for_text(".card:nth-of-type(2) .shifts summary .soft", "没有排班").await;
    save_as(&demo, &page, "/counters/2/shifts", json!(["2027-02-05 closed"])).await;
    open_section(&page, "queues", "业务").await;
    scroll_and_click(&page, ".card:nth-of-type(1) .rules summary").await;
    page.wait_for_text(".example p", "叫到没来").await;
    take_pictures(&page, "manage-queues-many", ALL_SCREENS).await;
    browser.quit(&["status of 401"]).await;
}

#[tokio::test]
async fn services_are_added_by_their_names_and_a_rule_shows_what_it_does() {
    let demo = Demo::start().await;
    let browser = Browser::start().await;
    let page = open_manage_page(&demo, &browser).await;
    open_section(&page, "queues", "业务").await;
    fill_control(&page, ".adding textarea", "现金业务\nVIP 窗口\n\n现金业务").await;
    scroll_and_click(&page, ".adding > button").await;
    page.wait_for_text(".place .card:nth-of-type(5) h3", "现金业务").await;
    scroll_and_click(&page, ".card:nth-of-type(3) .rules summary").await;
    page.wait_for_text(".card:nth-of-type(3) .example", "C001 叫到没来").await;
    let calls = async || page.texts(".card:nth-of-type(3) .example-calls").await;
    let before = calls().await;
    assert!(before[0].starts_with("C002"), "{before:?}");
    fill_control(&page, ".card:nth-of-type(3) .rules .fields .field:nth-child(2) select", "tail")
        .await;
    page.wait_until("the example follows the rule", async || calls().await[0].ends_with("C001"))
        .await;
    save_as(&demo, &page, "/queues/xianjinyewu-2/prefix", json!("E")).await;
    let queues = stored_site(&demo).await["queues"].clone();
    for (id, prefix) in [("xianjinyewu", "C"), ("vip-chuangkou", "D"), ("xianjinyewu-2", "E")] {
        assert_eq!(queues[id]["prefix"], prefix, "{id}: {queues}");
    }
    open_section(&page, "counters", "窗口").await;
    fill_control(&page, ".adding textarea", "8号窗口\n导诊台").await;
    scroll_and_click(&page, ".adding > button").await;
    page.wait_for_text(".place", "daozhentai").await;
    save_as(&demo, &page, "/counters/8/name", json!("8号窗口")).await;
    browser.quit(&["status of 401"]).await;
}
