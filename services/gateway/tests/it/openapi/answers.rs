//! Tests of successful answers, apart from acts of staff.

use super::everywhere::{sample_body, sample_request};
use super::fixture::{CALLBACK_TOKEN, Fixture, MORNING_MS, deployment_settings};
use super::script::run_script;
use super::walk::{Coverage, OPERATIONS};
use paihao_contracts::staff::StaffRole;
use paihao_domain::{Person, QueueId};
use paihao_wechat::CallbackToken;
use paihao_wechat::callback::signature;
use serde_json::{Value, json};
use std::sync::Arc;

const EVENTFUL_DAY: &str = r#"
    manager take_ticket
    manager take_ticket
    manager take_ticket queue=b
    manager open_counter
    manager call_next
    manager start
    manager finish
    manager call_next
    manager missed
    manager return number=A002
    manager hold number=A002 {"reason": "a phone call"}
    manager pause_queue queue=b
    manager break_counter
    manager close_counter
"#;

/// Requests about members of staff and the principal; `COOKIE` is a browser of the manager's.
const MEMBERS: &str = r#"
    manager staff
    manager member_sessions
    manager end_member_session
    manager change_member {"name": "安", "role": "staff", "sites": ["hall"], "counters": ["2"]}
    manager remove_member
    manager make_key wish=w {"name": "crm", "sites": ["hall"], "counters": ["1"]}
    manager make_key wish=w {"name": "crm", "sites": ["hall"], "counters": ["1"]} -> key_made_before
    api me
    staff my_sessions
    staff begin_session
    anybody begin_session cookie=COOKIE
    anybody end_other_sessions cookie=COOKIE
    anybody end_session cookie=COOKIE
"#;

/// Requests about the settings, by principals who may make them.
const SETTINGS_SCRIPT: &str = r#"
    manager list_setups
    manager read_site
    manager page_links
    manager webhook_deliveries
    manager test_webhook
    manager list_queue_setups
    manager read_queue
    manager list_counter_setups
    manager read_counter
    manager list_wording
    manager read_hours
    api_manager put_queue queue=new seen=SEEN {"name": "贷款", "prefix": "N", "open": false}
    manager put_counter counter=4 seen=SEEN {"name": "4号", "queues": ["new"]}
    manager put_wording seen=SEEN {"news": "请到{counter}"}
    manager read_wording
    manager preview_notice {"kind": "called"}
    manager delete_wording seen=SEEN
    manager put_hours seen=SEEN {"dates": ["2026-12-31 closed"]}
    manager read_hours_text {"lists": {"a": ["周一至周五 9:00-17:30", "2026-12-31 closed"], "b": ["?"]}}
    manager read_holidays {"text": "10月1日至7日放假。10月10日上班。9月31日休息", "year": 2026}
    manager make_ids {"kind": "queue", "names": ["现金业务", "?"]}
    manager read_accent
    manager show_rules_example {"queue": "a", "setup": {"account": "shop", "name": "大厅", "queues": {"a": {"name": "存取款", "prefix": "A"}}, "counters": {"1": {"name": "1号", "queues": ["a"]}}}}
    manager put_logo seen=0 body=PNG
    manager read_logo
    manager delete_counter counter=4 seen=SEEN
    manager delete_queue queue=new seen=SEEN
    manager list_changes query=site=hall
    owner list_changes
    owner put_site site=new {"account": "shop", "name": "小站"}
    owner read_account
    owner put_account seen=0 {"greeting": "欢迎"}
    owner export_book
    owner export_book query=format=toml
    owner import_book {"sites": {"new": {"account": "shop", "name": "大站"}}}
    owner import_book query=dry_run=true {"sites": {"third": {"account": "shop", "name": "三站"}}}
    owner import_book {"logos": {"hall": {"png": "LOGO"}}}
    manager delete_logo query=dry_run=true
    owner retire_site site=other seen=0
"#;

/// Requests about the account at WeChat, by a principal with every site.
const MENU_SCRIPT: &str = r#"
    owner read_menu
    owner account_menu
    owner put_menu seen=0 {"buttons": [{"name": "我的号", "action": "my_ticket"}]}
    owner push_menu
    owner account_menu
    owner delete_menu
    owner callback_faults
    owner account_abilities
    owner begin_examination
    owner examination
    owner rehearsal
    owner begin_rehearsal
    owner rehearsal
    owner end_rehearsal query=keep_settings=false
"#;

/// Requests about the account's templates.
const TEMPLATES_SCRIPT: &str = r#"
    owner account_templates
    owner check_mapping {"notice": "missed", "kind": "message", "template_id": "T1"}
    owner choose_templates kind=missed seen=0 {"message": {"template_id": "T1", "fields": {"character_string1": "{number}", "thing2": "{news}"}}, "subscription": null}
    owner account_templates
    owner add_template {"notice": "missed", "kind": "message"}
    owner add_template {"notice": "missed", "kind": "subscription"}
"#;

/// Checks the test of a template, whose code nobody scans.
async fn check_template_test(coverage: &Coverage) {
    let fixture = Fixture::new(coverage).await;
    let body = json!({
        "notice": "missed",
        "kind": "message",
        "template_id": "T1",
        "fields": {"character_string1": "{number}", "thing2": "{news}"},
    });
    let request = fixture.client.request("test_template").with_key_of("owner").json(&body);
    let opened = request.send().await;
    assert_eq!(opened.status, 201, "{opened:?}");
    let request = fixture.client.request("template_test").with_key_of("owner");
    let uuid = opened.body["uuid"].as_str().unwrap();
    let shown = request.path_parameter("uuid", uuid).send().await;
    assert_eq!(shown.body["progress"], "waiting", "{shown:?}");
}

pub async fn run(coverage: &Coverage) {
    run_script(&Fixture::new(coverage).await, "", SETTINGS_SCRIPT).await;
    run_script(&Fixture::new(coverage).await, "", TEMPLATES_SCRIPT).await;
    check_template_test(coverage).await;
    run_script(&Fixture::new(coverage).await, "", MENU_SCRIPT).await;
    check_migration(coverage).await;
    check_pages(coverage).await;
    let fixture = Fixture::new(coverage).await;
    for (action, handled) in [("redrive", "redriven"), ("drop", "dropped")] {
        let letter = fixture.add_dead_letter("notices", "hall").await;
        let script = format!(
            "manager {action}_letter letter={letter}
             api_manager {action}_letter letter={letter}"
        );
        run_script(&fixture, "", &script).await;
        let all = fixture
            .client
            .request("dead_letters")
            .with_key_of("manager")
            .query("handled=true&site=hall");
        let newest = all.send().await.body["letters"][0].clone();
        assert_eq!(
            (&newest["handled"]["did"], &newest["handled"]["by"]),
            (&handled.into(), &"manager".into())
        );
        assert!(!newest.to_string().contains("oAnn"), "{newest}");
    }
    fixture.add_dead_letter("notices", "other").await;
    fixture.add_dead_letter("notices", "hall").await;
    let redrive_all = async || {
        let request = fixture
            .client
            .request("redrive_letters")
            .with_key_of("manager")
            .json(&sample_body("redrive_letters").unwrap());
        request.send().await.body["redriven"].clone()
    };
    assert_eq!([redrive_all().await, redrive_all().await], [1, 0]);
    let fixture = Fixture::new(coverage).await;
    fixture.add_member("m_ann", StaffRole::Staff, Some(&["hall"])).await;
    let cookie = fixture.client.log_in("manager").await;
    run_script(&fixture, "", &MEMBERS.replace("COOKIE", &cookie)).await;
    let made = fixture
        .client
        .request("make_key")
        .with_key_of("manager")
        .json(&sample_body("make_key").unwrap())
        .send();
    let key = made.await.body["id"].as_str().unwrap().to_owned();
    run_script(&fixture, "", &format!("manager revoke_key key={key}")).await;
    run_script(&fixture, "", "anybody open_scan_session {\"queue\": \"a\", \"site\": \"hall\", \"uuid\": \"0b2f6c9e-7d1a-4e0e-9a5f-0a1b2c3d4e5f\"}").await;
    run_script(&fixture, "", EVENTFUL_DAY).await;
    check_reset_day(coverage).await;
    check_kiosks(coverage).await;
    check_limit_lift(coverage).await;
    check_slips(coverage).await;
    // Nobody but the staff has a code made, and everybody sees it then.
    let with_codes = async || {
        let board = fixture.client.request("site").send().await;
        let queues = board.body["queues"].as_array().unwrap().iter();
        queues.filter(|it| it["door_code"] == true).map(|it| it["id"].clone()).collect::<Vec<_>>()
    };
    assert_eq!(with_codes().await, Vec::<Value>::new());
    run_script(&fixture, "", "manager door_svg").await;
    assert_eq!(with_codes().await, ["a"]);
    for id in [
        "door_svg",
        "door_png",
        "door_jpg",
        "scan_session_svg",
        "scan_session_png",
        "scan_session_jpg",
        "scan_session_events",
        "qr",
        "sites",
        "site",
        "site_events",
        "openapi",
        "codes",
        "feed",
        "feed_pages",
        "site_at",
        "numbers",
        "numbers_csv",
        "ticket_notices",
        "ticket_slip",
        "tickets",
        "desk",
        "desk_events",
        "webhooks",
        "replay_webhook",
    ] {
        let operation = &OPERATIONS[id];
        let request = sample_request(&fixture, operation);
        let request = match operation.roles() {
            Some(roles) if roles.contains(&"api") => request.with_key_of("api"),
            Some(_) => request.with_key_of("api_manager"),
            None => request,
        };
        let response = request.send().await;
        assert_eq!(response.problem_code(), "ok", "{id}: {response:?}");
    }
    let fixture = Fixture::new(coverage).await;
    let token = CallbackToken::new(CALLBACK_TOKEN);
    let at = (MORNING_MS / 1000).to_string();
    let signed = format!("signature={}&timestamp={at}&nonce=n", signature(&token, &at, "n"));
    let echo =
        fixture.client.request("verify").query(&format!("{signed}&echostr=hello")).send().await;
    assert_eq!(echo.body, "hello");
    let push = format!(
        "<xml><ToUserName>gh</ToUserName><FromUserName>oAnn</FromUserName><CreateTime>{at}</CreateTime><MsgType>event</MsgType><Event>SCAN</Event><EventKey>q_hall_a</EventKey></xml>"
    );
    let reply = fixture.client.request("hear").query(&signed).bytes(push).send().await;
    assert!(reply.body.as_str().unwrap().contains("A001"), "{reply:?}");
}

/// Hands a ticket over to its holder at the new account, once.
async fn check_migration(coverage: &Coverage) {
    let fixture = Fixture::new(coverage).await;
    fixture.take_ticket_link().await;
    let send = async |id: &str, body: Value| {
        let request = fixture.client.request(id).with_key_of("owner").json(&body);
        let response = request.send().await;
        assert_eq!(response.problem_code(), "ok", "{id}: {response:?}");
        response.body
    };
    for (migrated, current) in [(1, 0), (0, 1)] {
        let counts = send("migrate_people", json!({"from": "wx1"})).await;
        let expected = json!({
            "account": "shop", "sites": 2, "migrated": migrated, "live": migrated,
            "current": current, "unreachable": 0, "next": null,
        });
        assert_eq!(counts, expected);
    }
    let site = fixture.engine.snapshot("hall").unwrap().site;
    assert!(site.live_ticket_of(&Person::new("oNewAnn")).is_some());
    let prepared = send("prepare_migration", json!({})).await;
    assert_eq!((&prepared["members"], &prepared["others"]), (&json!(0), &json!(0)));
    let counts = send("migrate_staff", json!({"from": "wx1", "sealed": prepared["sealed"]})).await;
    assert_eq!((&counts["migrated"], &counts["removed"]), (&json!(0), &json!(0)));
}

/// Leads a site back that a wrong clock had led into the future.
async fn check_reset_day(coverage: &Coverage) {
    let fixture = Fixture::new(coverage).await;
    run_script(&fixture, "", "manager take_ticket").await;
    fixture.clock.set(MORNING_MS + 3 * 24 * 3_600_000);
    run_script(&fixture, "", "manager take_ticket").await;
    fixture.clock.set(MORNING_MS);
    let reset = "manager reset_day {}
        manager reset_day {} -> not_due
        manager reset_day {\"force\": true} -> not_due";
    run_script(&fixture, "", reset).await;
}

/// Lets somebody who has taken as many numbers as a person may take more.
async fn check_limit_lift(coverage: &Coverage) {
    let fixture = Fixture::new(coverage).await;
    let mut sites = deployment_settings().sites;
    let site = Arc::get_mut(sites.get_mut("hall").unwrap()).unwrap();
    site.rules.queues.get_mut(&QueueId::new("a")).unwrap().daily_per_person = Some(1);
    fixture.engine.set_sites(&sites);
    fixture.take_ticket_link().await;
    let script = r#"
        mate lift_limit number=A009 -> unknown_ticket
        manager remove {"reason": "x"}
        staff lift_limit
        manager lift_limit -> wrong_state
        manager take_ticket queue=idle
        staff lift_limit number=D001 -> not_your_queue"#;
    run_script(&fixture, "", script).await;
}

/// Pairs a kiosk by the code that it shows, and unpairs it.
async fn check_kiosks(coverage: &Coverage) {
    let fixture = Fixture::new(coverage).await;
    let shown = fixture.client.request("request_pairing").send().await.body;
    let pairing = json!({"code": shown["code"], "name": "东门"});
    let paired = fixture.client.request("pair_kiosk").with_key_of("manager").json(&pairing);
    let paired = paired.send().await.body;
    let id = paired["id"].as_str().unwrap();
    let script = format!(
        "manager kiosks
         anybody this_kiosk
         manager pair_kiosk {pairing} -> unknown_pairing
         manager unpair_kiosk kiosk={id}
         manager former_staff
         manager erase_former_staff member={id}",
    );
    run_script(&fixture, "", &script).await;
}

/// Prints slips of tickets of both queues, whose links are for those who act there.
async fn check_slips(coverage: &Coverage) {
    let fixture = Fixture::new(coverage).await;
    run_script(&fixture, "", "manager take_ticket\nmanager take_ticket queue=idle").await;
    for (holder, of_a, of_idle) in [
        ("staff", true, false),
        ("mate", true, true),
        ("manager", true, true),
        ("api", true, false),
        ("api_manager", true, true),
        ("reader", false, false),
    ] {
        for (number, expected) in [("A001", of_a), ("D001", of_idle)] {
            let request = fixture.client.request("ticket_slip").path_parameter("number", number);
            let slip = request.with_key_of(holder).send().await;
            assert_eq!(slip.body["code"].is_string(), expected, "{holder} {number}: {slip:?}");
        }
    }
}

/// Reads the tickets of the day by pages, each once, while the line moves.
async fn check_pages(coverage: &Coverage) {
    let fixture = Fixture::new(coverage).await;
    run_script(&fixture, "", "manager take_ticket\nmanager take_ticket\nmanager take_ticket").await;
    let page = async |query: &str| {
        let response =
            fixture.client.request("tickets").with_key_of("staff").query(query).send().await.body;
        let tickets = response["tickets"].as_array().unwrap().iter();
        let numbers: Vec<_> =
            tickets.map(|ticket| ticket["number"].as_str().unwrap().to_owned()).collect();
        (numbers, response["next"].as_str().map(str::to_owned))
    };
    let (first, next) = page("limit=2").await;
    assert_eq!(first, ["A001", "A002"]);
    run_script(&fixture, "", "manager open_counter\nmanager call_next\nmanager take_ticket").await;
    let (second, last) = page(&format!("limit=2&after={}", next.unwrap())).await;
    assert_eq!((second, last), (vec!["A003".to_owned(), "A004".to_owned()], None));
    assert_eq!(page("state=waiting&queue=a").await.0, ["A002", "A003", "A004"]);
    assert_eq!(page("state=called").await.0, ["A001"]);
    assert_eq!(page("after=1-1").await.0.len(), 4, "of another day it begins anew");
}
