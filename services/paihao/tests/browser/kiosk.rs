//! Tests of the kiosk: the choice of services, changes of the settings while it runs, and numbers
//! for people without WeChat.

use crate::browser::Browser;
use crate::demo::{Demo, chat_selector, kiosk_code_link, scan};
use crate::manage::open_manage_page;
use crate::members::open_section_named;
use crate::pictures::{ALL_SCREENS, DESKTOP, HALL_SCREENS, NOTEBOOK, PHONE, take_pictures};
use crate::window::Window;
use serde_json::{Value, json};

/// Changes of a queue: its name here, and the words that a kiosk shows then.
const CHANGES: [(&str, &str); 5] = [
    ("renamed", "护照加急"),
    ("halt", "暂停叫号，可以先取号"),
    ("pause", "暂停取号"),
    ("close", "现在不取号"),
    ("removed", "没有这个业务"),
];

#[tokio::test]
async fn after_each_number_a_kiosk_of_several_services_is_at_the_choice_again() {
    let demo = Demo::start().await;
    let browser = Browser::start().await;
    let kiosk = browser.open(&demo.printed_address("/kiosk/")).await;
    kiosk.click("#queues .queue:last-child").await;
    let phones = browser.open(&kiosk_code_link(&kiosk).await).await;
    scan(&phones, 1).await;
    phones.wait_for_text(&chat_selector(1), "取号成功 B001").await;
    // The card of the code is gone from the phone, so that the number is seen.
    phones.wait_until_hidden(".phone:nth-child(1) .pick").await;
    kiosk.wait_for_text("#taken #number", "B001").await;
    kiosk.click("#next").await;
    kiosk.wait_for_text("#choose h2", "请选择业务").await;
    assert!(kiosk.texts("#scan").await.is_empty());
    browser.quit(&[]).await;
}

/// The kiosk in each of its views, while the queue goes through every change. A kiosk that asked
/// for the code of a queue that gives none would leave errors in the browser's log.
#[tokio::test]
async fn every_change_of_a_queue_is_shown_at_once_in_every_view() {
    let demo = Demo::start().await;
    let browser = Browser::start().await;
    demo.change_site(add_extra_queue).await;
    let choice = browser.open(&demo.printed_address("/kiosk/")).await;
    let chosen = browser.open(&demo.printed_address("/kiosk/")).await;
    // The machine's other name: a browser limits its connections to one host.
    let fixed = browser.open(&demo.kiosk_url("extra").replace("127.0.0.1", "localhost")).await;
    let button = "#queues .queue[value=extra]";
    for (change, words) in CHANGES {
        choice.wait_for_text(button, "出入境").await;
        chosen.click(button).await;
        for kiosk in [&chosen, &fixed] {
            kiosk.wait_for_text("#queue", "出入境").await;
            kiosk.wait_for_picture("#code").await;
        }
        match change {
            "renamed" => {
                demo.change_site(|site| site["queues"]["extra"]["name"] = json!("护照加急")).await;
                choice.wait_for_text(button, words).await;
                for kiosk in [&chosen, &fixed] {
                    kiosk.wait_for_text("#queue", words).await;
                    kiosk.wait_for_picture("#code").await;
                }
            }
            "removed" => {
                demo.change_site(remove_extra_queue).await;
                choice.wait_until_hidden(button).await;
                chosen.wait_for_text("#choose h2", "请选择业务").await;
                fixed.wait_for_text("#trouble", words).await;
                assert!(fixed.texts("#code").await.is_empty());
            }
            state => {
                demo.act("queues/extra", state).await;
                choice.wait_for_text(button, words).await;
                let is_enabled = !choice.texts(&format!("{button}:enabled")).await.is_empty();
                assert_eq!(is_enabled, state == "halt", "{state}");
                for kiosk in [&chosen, &fixed] {
                    if state == "halt" {
                        kiosk.wait_for_text("#waiting", words).await;
                        kiosk.wait_for_picture("#code").await;
                    } else {
                        kiosk.wait_for_text("#trouble", words).await;
                        kiosk.wait_until_hidden("#code").await;
                    }
                }
                demo.act("queues/extra", "open").await;
            }
        }
        demo.change_site(add_extra_queue).await;
        // A queue that gives numbers again has its code again.
        fixed.wait_for_picture("#code").await;
        if change != "removed" {
            chosen.wait_for_picture("#code").await;
            chosen.click("#back").await;
        }
    }
    browser.quit(&[]).await;
}

#[tokio::test]
async fn somebody_without_wechat_gets_a_number_and_nobody_gets_a_handful() {
    let demo = Demo::start().await;
    let browser = Browser::start().await;
    let kiosk = browser.open(&demo.printed_address("/kiosk/")).await;
    for number in ["A001", "A002"] {
        take_slip(&kiosk).await;
        kiosk.wait_for_text("#taken #number", number).await;
        kiosk.wait_for_picture("#slip-code").await;
        kiosk.wait_for_text("#of", "综合业务").await;
        kiosk.wait_for_text("#when", "取号").await;
        kiosk.wait_for_text("#told", "请看大屏").await;
        kiosk.click("#next").await;
    }
    kiosk.wait_for_text("#choose h2", "请选择业务").await;
    let board = browser.open(&demo.printed_address("/board/")).await;
    board.wait_for_text("#queues li:first-child .name", "2 人在等").await;

    // This kiosk has given its two of this minute. Another one gives the third, of three in a line.
    take_slip(&kiosk).await;
    kiosk.wait_for_text("#refused", "请求太多").await;
    for (refused, words) in [(false, "A003"), (true, "纸号已发得较多")] {
        kiosk.run_script("localStorage.clear()", json!([])).await;
        kiosk.navigate(&demo.printed_address("/kiosk/")).await;
        take_slip(&kiosk).await;
        kiosk.wait_for_text(if refused { "#refused" } else { "#number" }, words).await;
    }

    demo.change_site(|site| site["kiosk_slips"] = json!(0)).await;
    kiosk.wait_until_hidden("#no-wechat").await;
    kiosk.wait_for_picture("#code").await;
    browser.quit(&["429", "409"]).await;
}

#[tokio::test]
async fn whoever_has_taken_as_many_as_one_may_reads_it_at_the_kiosk_and_what_staff_can_do() {
    let demo = Demo::start().await;
    let browser = Browser::start().await;
    demo.change_site(|site| site["queues"]["social"]["daily_per_person"] = json!(1)).await;
    let kiosk = browser.open(&demo.printed_address("/kiosk/")).await;
    let open_code = async || {
        kiosk.click("#queues .queue:last-child").await;
        browser.open(&kiosk_code_link(&kiosk).await).await
    };
    let phones = open_code().await;
    scan(&phones, 1).await;
    phones.wait_for_text(&chat_selector(1), "取号成功 B001").await;
    kiosk.wait_for_text("#taken #number", "B001").await;
    phones.type_into(".phone:nth-child(1) .write input", "cancel").await;
    phones.click(".phone:nth-child(1) .send").await;
    phones.wait_for_text(&chat_selector(1), "given up").await;
    phones.close().await;

    kiosk.click("#next").await;
    let phones = open_code().await;
    scan(&phones, 1).await;
    phones.wait_for_text(&chat_selector(1), "到了每人每天的上限").await;
    phones.close().await;
    kiosk.wait_for_text("#refused", "您今天已取 1 个号").await;
    kiosk.wait_for_text("#refused", "他们可以为您放开").await;
    kiosk.wait_for_picture("#code").await;
    take_pictures(&kiosk, "kiosk-person-limit", ALL_SCREENS).await;
    browser.quit(&[]).await;
}

/// A kiosk of a site that admits paired ones alone: it shows a code until a manager has entered it,
/// and again once it was unpaired.
#[tokio::test]
async fn a_kiosk_shows_a_code_until_a_manager_has_paired_it() {
    let demo = Demo::start().await;
    let browser = Browser::start().await;
    let kiosk = browser.open(&demo.printed_address("/kiosk/")).await;
    kiosk.wait_for_text("#choose h2", "请选择业务").await;
    demo.change_site(|site| site["paired_kiosks_only"] = json!(true)).await;
    kiosk.wait_for_text("#pair h2", "这台取号机还没有配对").await;
    kiosk.wait_for_text("#pair", "This kiosk is not paired yet").await;
    kiosk.wait_for_text("#pair", "取号请扫门口的二维码").await;
    take_pictures(&kiosk, "kiosk-pairing", HALL_SCREENS).await;
    let code = kiosk.texts(".pair-code").await.remove(0);

    let page = open_manage_page(&demo, &browser).await;
    open_section_named(&page, "取号机").await;
    page.wait_for_text("#kiosks", "还没有配对的取号机").await;
    let [code_field, name_field] = ["[inputmode]", "[maxlength='40']"];
    page.type_into(&format!("#pairing {code_field}"), "1234 5678").await;
    page.type_into(&format!("#pairing {name_field}"), "东门").await;
    page.click("#pairing .primary").await;
    page.wait_for_text(".told.refused", "没有这个配对码").await;
    page.run_script("document.querySelector('#pairing [inputmode]').value = ''", json!([])).await;
    page.type_into(&format!("#pairing {code_field}"), &code).await;
    page.click("#pairing .primary").await;
    page.wait_for_text(".told.done", "东门 已配对").await;
    page.wait_for_text("#kiosks", "东门").await;
    take_pictures(&page, "manage-kiosks", &[PHONE, NOTEBOOK, DESKTOP]).await;
    kiosk.wait_for_text("#choose h2", "请选择业务").await;
    kiosk.click("#queues .queue").await;
    kiosk.wait_for_picture("#code").await;

    page.click("#kiosks .remove").await;
    page.click("#kiosks .remove").await;
    page.wait_for_text(".told.done", "已解除配对").await;
    kiosk.click("#back").await;
    kiosk.click("#queues .queue:last-child").await;
    kiosk.wait_for_text("#pair h2", "这台取号机还没有配对").await;
    browser.quit(&["401", "403", "404"]).await;
}

#[tokio::test]
async fn the_code_of_a_slip_opens_the_page_of_its_number() {
    let demo = Demo::start().await;
    let browser = Browser::start().await;
    let kiosk = browser.open("about:blank").await;
    kiosk.before_each_page(RECORD_SLIP_SCRIPT).await;
    kiosk.navigate(&demo.kiosk_url("general")).await;
    kiosk.click("#no-wechat").await;
    kiosk.wait_for_text("#taken #number", "A001").await;
    let path = kiosk.run_script("return window.slip.path", json!([])).await;
    let pages = demo.pages_url();
    let ticket = browser.open(&format!("{pages}{}", path.as_str().unwrap())).await;
    ticket.wait_for_text("#number", "A001").await;
    // On its own, the kiosk of one queue goes on with its code.
    kiosk.click("#next").await;
    kiosk.wait_for_picture("#code").await;
    browser.quit(&[]).await;
}

/// Chooses the first service and presses the button for people without WeChat.
async fn take_slip(kiosk: &Window) {
    kiosk.click("#queues .queue").await;
    kiosk.click("#no-wechat").await;
}

fn add_extra_queue(site: &mut Value) {
    let queue = json!({"name": "出入境", "prefix": "E", "order": 9});
    site["queues"]["extra"] = queue;
    for counter in site["counters"].as_object_mut().unwrap().values_mut() {
        let queues = counter["queues"].as_array_mut().unwrap();
        if !queues.contains(&json!("extra")) {
            queues.push(json!("extra"));
        }
    }
}

fn remove_extra_queue(site: &mut Value) {
    site["queues"].as_object_mut().unwrap().remove("extra");
    for counter in site["counters"].as_object_mut().unwrap().values_mut() {
        counter["queues"].as_array_mut().unwrap().retain(|queue| queue != "extra");
    }
}

/// Records the answer that the kiosk gets to its request for a slip.
const RECORD_SLIP_SCRIPT: &str = "
const reallyFetch = window.fetch;
window.fetch = async (path, options) => {
  const response = await reallyFetch(path, options);
  if (String(path).endsWith('/slips')) window.slip = await response.clone().json();
  return response;
};";
