//! Test of the section of templates with two accounts, whose lists differ.

use crate::browser::PAGE_TIMEOUT;
use crate::demo::kiosk_code_link;
use crate::manage::{fill_control, open_section};
use crate::pictures::{NOTEBOOK, PHONE, take_pictures};
use crate::templates::{OwnersShop, part, site};
use harness::wait_until;
use serde_json::json;
use wechat_sim::{PushMode, Routing, SimAccount, SimTemplate};

const OPTIONS_SCRIPT: &str = "
return [...document.querySelector(arguments[0]).options].map(option => option.value);";

/// Templates of an account: one with a label of its own, and one whose id both accounts have.
fn templates(id: &str, label: &str) -> Vec<SimTemplate> {
    let own = [("thing1", "门店名称"), ("character_string2", "排队号码"), ("thing3", label)];
    let shared = [("thing1", "门店名称"), ("character_string2", label)];
    vec![SimTemplate::new(id, "叫号通知", &own), SimTemplate::new("SHARED", "过号提醒", &shared)]
}

/// Account of the clinic, as in WeChat's console.
fn clinic() -> SimAccount {
    SimAccount {
        name: "clinic".to_owned(),
        appid: "wx00000000c11111c0".to_owned(),
        secret: "5ecre70f7hec11n1c5ecre70f7hec11n".to_owned(),
        original_id: "gh_clinic".to_owned(),
        callback_token: "tokenOfTheClinic2026".to_owned(),
        aes_key: "c11n1cdefghijklmnopqrstuvwxyz0123456789ABCD".to_owned(),
        mode: PushMode::Secure,
        templates: Some(templates("OF-CLINIC", "就诊地点")),
        ..SimAccount::default()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_notices_of_each_account_are_mapped_to_templates_of_its_own_list() {
    let shop = OwnersShop::start_beside(templates("OF-SHOP", "办理窗口"), 1, vec![clinic()]).await;
    let account = clinic();
    let credentials = json!({
        "appid": account.appid, "secret": account.secret,
        "callback_token": account.callback_token, "aes_key": account.aes_key,
    });
    shop.put("/api/v1/accounts/clinic", credentials).await;
    shop.put("/api/v1/book/sites/clinic", site("clinic", 1)).await;
    let page = &shop.page;
    let sites = [
        ("hall", "OF-SHOP", "办理窗口", "oGuestOfTheShop"),
        ("clinic", "OF-CLINIC", "就诊地点", "oGuestOfTheClinic"),
    ];
    for (site, id, label, _) in sites {
        page.navigate(&format!("{}/manage/{site}", shop.pages)).await;
        page.wait_for_text("#site", "老街面馆").await;
        open_section(page, "templates", "消息模板").await;
        page.wait_for_text("#templates", "叫号").await;
        for notice in ["called", "missed", "progress"] {
            let select = json!([part(notice, "select")]);
            let options = page.run_script(OPTIONS_SCRIPT, select).await;
            assert_eq!(options, json!(["", id, "SHARED"]), "{site} {notice}");
        }
        fill_control(page, &part("called", "select"), id).await;
        page.wait_for_text(&part("called", "dt"), label).await;
        page.wait_for_text(&part("called", "dd"), "1号窗口").await;
        page.click("[data-notice=called] .primary:enabled").await;
        page.wait_for_text(".told.done", "下一条消息就用它").await;
        take_pictures(page, &format!("templates-of-{site}"), &[PHONE, NOTEBOOK]).await;
    }
    // Each still shows its own after the other was chosen.
    for (site, id, ..) in sites {
        page.navigate(&format!("{}/manage/{site}#templates", shop.pages)).await;
        page.wait_for_text("#templates", "叫号").await;
        let chosen = "return document.querySelector(arguments[0]).value";
        let chosen = page.run_script(chosen, json!([part("called", "select")])).await;
        assert_eq!(chosen, json!(id));
    }

    for (site, id, label, person) in sites {
        let kiosk = shop.browser.open(&format!("{}/kiosk/{site}?queue=q1", shop.pages)).await;
        let link = kiosk_code_link(&kiosk).await;
        let (_, code) = link.split_once("?scan=").expect("the code is in the link");
        let scanned = shop.wechat.scan(person, code, Routing::default()).await;
        assert!(scanned.reply.unwrap_or_default().contains("取号成功"), "{site}");
        kiosk.close().await;
        let desk = shop.browser.open(&format!("{}/console/{site}", shop.pages)).await;
        desk.click("#open:enabled").await;
        desk.click("#next:enabled").await;
        wait_until("the call is sent by the account's template", PAGE_TIMEOUT, async || {
            !shop.wechat.messages(person).is_empty()
        })
        .await;
        desk.close().await;
        let sent = shop.wechat.messages(person);
        let ids: Vec<_> = sent.iter().map(|message| &*message.template_id).collect();
        assert_eq!(ids, [id], "{label}");
    }
    shop.browser.quit(&["status of 401", "status of 404", "status of 409"]).await;
    shop.wechat.stop().await;
}
