//! Scripts of refusals that depend on the state.

use super::everywhere::sample_request;
use super::fixture::{CALLBACK_TOKEN, Fixture, MORNING_MS, deployment_settings};
use super::managed::{ACCOUNTS_SCRIPT, DEAD_LETTERS_SCRIPT, MENU_SCRIPT, SETTINGS_SCRIPT};
use super::script::run_script;
use super::templates;
use super::walk::{Coverage, OPERATIONS};
use paihao_contracts::staff::StaffRole;
use paihao_domain::{QueueId, Rules};
use paihao_wechat::CallbackToken;
use paihao_wechat::callback::signature;
use serde_json::json;
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// Refusals of counters.
const COUNTERS: &str = r#"
    staff open_counter counter=3 -> not_your_counter
    staff take_over_counter counter=3 {"from": "mate"} -> not_your_counter
    staff break_counter -> counter_closed
    staff call_next -> counter_closed
    manager take_ticket
    staff call {"number": "A001", "reason": "x"} -> counter_closed
    staff open_counter
    mate open_counter -> counter_taken
    mate take_over_counter {"from": "manager"} -> counter_taken
    mate call_next -> not_your_counter
    mate open_counter counter=2
    mate open_counter counter=3 -> elsewhere_logged_in
    mate take_over_counter counter=3 {"from": "manager"} -> elsewhere_logged_in
    staff break_counter
    staff call_next -> counter_on_break
    staff call {"number": "A001", "reason": "x"} -> counter_on_break
    staff open_counter
    staff call_next
    staff call_next -> counter_busy
    staff break_counter counter=3 -> not_your_counter
    staff close_counter counter=3 -> not_your_counter
    staff call counter=3 {"number": "A001", "reason": "x"} -> not_your_counter
    staff recall counter=3 -> not_your_counter
    staff start counter=3 -> not_your_counter
    staff put_back counter=3 -> not_your_counter
    staff finish counter=3 -> not_your_counter
    staff missed counter=3 -> not_your_counter
    staff suspend counter=3 {"reason": "x"} -> not_your_counter
    staff resume_here counter=3 {"number": "A001"} -> not_your_counter
"#;

/// Refusals of calling and serving.
const SERVING: &str = r#"
    staff open_counter
    staff call_next -> nobody_waiting
    staff recall -> counter_idle
    staff start -> counter_idle
    staff put_back -> counter_idle
    staff finish -> counter_idle
    staff missed -> counter_idle
    staff suspend {"reason": "x"} -> counter_idle
    manager take_ticket
    manager take_ticket
    manager take_ticket queue=idle
    manager take_ticket
    staff call {"number": "A001"} -> reason_needed
    staff call {"number": "Z999", "reason": "x"} -> unknown_ticket
    staff call {"number": "D001", "reason": "x"} -> wrong_counter
    manager halt_queue
    staff call_next -> queue_halted
    staff call {"number": "A001", "reason": "x"} -> queue_halted
    manager close_queue
    staff call_next -> queue_closed
    staff call {"number": "A001", "reason": "x"} -> queue_closed
    manager open_queue
    staff call_next
    staff recall -> too_soon
    staff recall {"number": "A007"} -> counter_busy
    staff start {"number": "A007"} -> counter_busy
    staff put_back {"number": "A007"} -> counter_busy
    staff finish {"number": "A007"} -> counter_busy
    staff missed {"number": "A007"} -> counter_busy
    staff suspend {"number": "A007", "reason": "x"} -> counter_busy
    staff suspend {"reason": "x"} -> wrong_state
    staff call {"number": "A002", "reason": "x"} -> counter_busy
    wait 20
    staff recall
    wait 20
    staff recall
    wait 20
    staff recall -> too_often
    wait 20
    staff put_back -> too_late
    staff start
    staff start -> wrong_state
    staff recall -> wrong_state
    staff put_back -> wrong_state
    staff missed -> wrong_state
    staff suspend -> reason_needed
    staff suspend {"reason": "a paper", "affinity": true}
    manager open_counter counter=2
    manager resume_here counter=2 {"number": "A001"} -> wrong_counter
    manager resume_here counter=3 {"number": "A001"} -> counter_closed
    manager open_counter counter=3
    manager break_counter counter=3
    manager resume_here counter=3 {"number": "A001"} -> counter_on_break
    staff resume_here {"number": "Z999"} -> unknown_ticket
    staff resume_here {"number": "A002"} -> wrong_state
    staff call {"number": "A001", "reason": "x"} -> wrong_state
    staff call_next
    staff resume_here {"number": "A001"} -> counter_busy
    staff finish
    staff resume_here {"number": "A002"} -> ticket_ended
    staff call {"number": "A002", "reason": "x"} -> ticket_ended
"#;

/// Refusals of tickets, in all states.
const TICKETS: &str = r#"
    manager take_ticket
    manager take_ticket queue=idle
    staff leave number=D001 -> not_your_queue
    staff remove number=D001 {"reason": "x"} -> not_your_queue
    staff return number=D001 -> not_your_queue
    staff hold number=D001 {"reason": "x"} -> not_your_queue
    staff resume number=D001 -> not_your_queue
    staff transfer number=D001 {"queue": "a"} -> not_your_queue
    staff undo number=D001 -> not_your_queue
    staff prioritise number=D001 {"class": 1, "reason": "x"} -> not_your_queue
    staff arrived number=D001 -> not_your_queue
    staff party number=D001 {"people": 2} -> not_your_queue
    staff take_ticket queue=idle -> not_your_queue
    staff remove -> reason_needed
    staff hold -> reason_needed
    staff prioritise {"class": 1} -> reason_needed
    staff prioritise {"class": 9, "reason": "x"} -> out_of_range
    staff party {"people": 0} -> out_of_range
    staff take_ticket {"class": 9} -> out_of_range
    staff return -> wrong_state
    staff resume -> wrong_state
    staff undo -> wrong_state
    staff transfer {"queue": "a"} -> wrong_state
    staff hold {"reason": "a phone call"}
    staff hold {"reason": "a phone call"} -> wrong_state
    staff resume
    staff open_counter
    staff call_next
    staff start
    staff leave -> wrong_state
    staff remove {"reason": "x"} -> wrong_state
    staff transfer {"queue": "z"} -> unknown_queue
    manager pause_queue queue=b
    staff transfer {"queue": "b"} -> queue_paused
    manager halt_queue queue=b
    staff transfer {"queue": "b"} -> queue_halted
    manager close_queue queue=b
    staff transfer {"queue": "b"} -> queue_closed
    staff finish
    staff leave -> ticket_ended
    staff remove {"reason": "x"} -> ticket_ended
    staff return -> ticket_ended
    staff hold {"reason": "x"} -> ticket_ended
    staff resume -> ticket_ended
    staff transfer {"queue": "b"} -> ticket_ended
    staff prioritise {"class": 1, "reason": "x"} -> ticket_ended
    staff arrived -> ticket_ended
    staff party {"people": 2} -> ticket_ended
    staff take_ticket
    staff call_next
    staff undo -> counter_busy
    staff finish
    staff close_counter
    staff undo -> counter_closed
    wait 70
    staff undo -> too_late
"#;

/// Refusals of the return of a missed customer.
const RETURNS: &str = r#"
    staff open_counter
    manager take_ticket
    staff call_next
    staff missed
    staff return
    staff call_next
    staff missed
    staff return
    staff call_next
    staff missed
    staff return -> ticket_ended
    manager take_ticket
    staff call_next
    staff missed
    wait 1900
    staff return number=A002 -> too_late
"#;

/// Refusals of the statistics.
const STATISTICS: &str = r#"
    manager take_ticket queue=b
    manager take_ticket queue=b -> queue_full
    manager take_ticket queue=shut -> out_of_hours
    manager open_counter
    api take_ticket queue=late -> queue_closing
    manager take_ticket queue=late
    manager pause_queue
    manager take_ticket -> queue_paused
    manager close_queue
    manager take_ticket -> queue_closed
"#;

/// Refusals of reads by other systems, and of the replay of their webhooks.
const READS: &str = r#"
    api feed query=after=nonsense -> malformed_request
    api feed_pages query=limit=0 -> malformed_request
    api feed_pages query=limit=many -> malformed_request
    api feed_pages query=after=-1 -> malformed_request
    api tickets query=state=gone -> malformed_request
    api tickets query=after=x -> malformed_request
    api tickets query=queue=z -> unknown_queue
    manager site_at query=time=never -> malformed_request
    manager site_at query=time=2026-11-21T10:00 -> malformed_request
    manager site_at query=time=2026-11-10T10:00 -> past_gone
    api numbers query=from=never -> malformed_request
    api numbers_csv query=by=week -> malformed_request
    manager replay_webhook wish=r {"from": "2026-11-20T09:00"}
    manager replay_webhook wish=r {"from": "2026-11-20T09:30"} -> idempotency_key_reused
    manager replay_webhook {"from": "2026-11-10T09:00"} -> past_gone
    manager replay_webhook {"from": "yesterday"} -> malformed_request
"#;

/// Refusals of acts of a ticket's holder.
const HOLDER_ACTS: &str = r#"
    anybody held_ticket id=LINK
    anybody held_ticket id=x -> unknown_link
    anybody held_ticket_events id=LINK
    anybody held_ticket_events id=x -> unknown_link
    anybody coming id=x -> unknown_link
    anybody let_pass id=x -> unknown_link
    anybody come_back id=x -> unknown_link
    anybody tell_me id=x -> unknown_link
    anybody give_up id=x -> unknown_link
    anybody tell_me id=LINK wish=one {"ahead": 2}
    anybody tell_me id=LINK wish=one {"ahead": 3} -> idempotency_key_reused
    anybody coming id=LINK wish=one -> idempotency_key_reused
    anybody let_pass id=LINK wish=one -> idempotency_key_reused
    anybody come_back id=LINK wish=one -> idempotency_key_reused
    anybody give_up id=LINK wish=one -> idempotency_key_reused
    anybody tell_me id=LINK {"nonsense": 1} -> malformed_request
    anybody let_pass id=LINK {"others": 1, "minutes": 1} -> malformed_request
    anybody come_back id=LINK {"nonsense": 1} -> malformed_request
    anybody coming id=LINK {"nonsense": 1} -> malformed_request
    anybody give_up id=LINK {"nonsense": 1} -> malformed_request
    anybody tell_me id=LINK {"ahead": 99} -> out_of_range
    anybody let_pass id=LINK {"minutes": 999} -> out_of_range
    anybody come_back id=LINK -> wrong_state
    wait 70
    anybody let_pass id=LINK {"others": 1}
    anybody let_pass id=LINK -> wrong_state
    anybody come_back id=LINK
    anybody let_pass id=LINK
    anybody come_back id=LINK
    anybody let_pass id=LINK -> too_often
    manager open_counter
    manager call_next
    anybody coming id=LINK
    anybody coming id=LINK -> wrong_state
    manager start
    anybody give_up id=LINK -> wrong_state
    anybody tell_me id=LINK -> wrong_state
    manager undo -> wrong_state
    manager finish
    anybody tell_me id=LINK -> ticket_ended
    anybody coming id=LINK -> ticket_ended
    anybody let_pass id=LINK -> ticket_ended
    anybody come_back id=LINK -> ticket_ended
    anybody give_up id=LINK -> ticket_ended
"#;

/// Refusals of a holder who returns too late; leaving is still possible.
const AFTER_HOURS: &str = "
    manager open_counter
    manager call_next
    manager missed
    wait 1900
    anybody come_back id=LINK -> too_late
    anybody give_up id=LINK";

/// Refusals of managing members: `boss` manages everything, `ann` the hall, `bob` is staff at
/// another site.
const MEMBERS: &str = r#"
    manager change_member member=m_ann {"role": "manager", "sites": ["nowhere"]} -> unknown_site
    manager change_member member=m_ann {"role": "manager", "sites": ["other"]} -> not_your_site
    manager change_member member=m_ann {"role": "staff", "counters": ["9"]} -> unknown_counter
    manager change_member member=m_bob {"name": "b"} -> not_your_site
    manager remove_member member=m_bob -> not_your_site
    manager member_sessions member=m_bob -> not_your_site
    manager end_member_session member=m_bob -> not_your_site
    manager make_key {"name": "crm"} -> not_your_site
    manager make_key {"name": "crm", "sites": ["nowhere"]} -> unknown_site
    manager make_key {"name": "crm", "sites": ["hall"], "counters": ["9"]} -> unknown_counter
    manager make_key {"name": "", "sites": ["hall"]} -> malformed_request
    owner remove_member member=m_boss -> last_manager
    owner change_member member=m_boss {"role": "staff", "counters": ["1"]} -> last_manager
"#;

pub async fn run(coverage: &Coverage) {
    let fixture = Fixture::new(coverage).await;
    fixture.add_member("m_ann", StaffRole::Manager, Some(&["hall"])).await;
    fixture.add_member("m_bob", StaffRole::Staff, Some(&["other"])).await;
    fixture.add_member("m_boss", StaffRole::Manager, None).await;
    run_script(&fixture, "", MEMBERS).await;
    let [own, elsewhere, strange] = [("notices", "hall"), ("notices", "other"), ("ledger", "hall")]
        .map(|(origin, site)| fixture.add_dead_letter(origin, site));
    let letters = DEAD_LETTERS_SCRIPT
        .replace("OWN", &own.await)
        .replace("ELSEWHERE", &elsewhere.await)
        .replace("STRANGE", &strange.await);
    run_script(&fixture, "", &letters).await;
    let elsewhere = json!({"name": "crm", "sites": ["other"], "counters": ["1"]});
    let created =
        fixture.client.request("make_key").with_key_of("owner").json(&elsewhere).send().await;
    let key = created.body["id"].as_str().unwrap();
    run_script(&fixture, "", &format!("manager revoke_key key={key} -> not_your_site")).await;
    for script in
        [COUNTERS, SERVING, TICKETS, RETURNS, STATISTICS, READS, SETTINGS_SCRIPT, ACCOUNTS_SCRIPT]
    {
        run_script(&Fixture::new(coverage).await, "", script).await;
    }
    for script in [HOLDER_ACTS, AFTER_HOURS] {
        let fixture = Fixture::new(coverage).await;
        let link = fixture.take_ticket_link().await;
        run_script(&fixture, "", &script.replace("LINK", &link)).await;
    }
    check_newer_ledger(coverage).await;
    check_menus(coverage).await;
    templates::run(coverage).await;
    check_migrations(coverage).await;
    super::codes::run(coverage).await;
    check_callbacks(coverage).await;
    check_settings_changed(coverage).await;
}

/// Operations that answer from what this program can read, to a key of the configuration.
const READABLE_WHEN_NEWER: &str = "
    list_changes list_setups preview_notice invite invitation_events invitation_code me
    end_other_sessions my_sessions begin_session end_session codes desk desk_events feed tickets
    confirm_invitation invitations revoke_invitation signing_keys ticket_slip page_links
    kiosks webhooks webhook_deliveries test_webhook staff former_staff member_sessions end_member_session
    callback_faults examination begin_examination accounts rehearsal begin_rehearsal end_rehearsal
    account_abilities read_hours_text read_holidays make_ids read_accent show_rules_example check_mapping
    add_template test_template template_test";

/// Checks a site whose ledger receives entries of a newer program during the day.
async fn check_newer_ledger(coverage: &Coverage) {
    let fixture = Fixture::new(coverage).await;
    run_script(&fixture, "", "manager take_ticket").await;
    let cookie = fixture.client.log_in("manager").await;
    fixture.write_newer_versions().await;
    for operation in OPERATIONS.values().filter(|operation| operation.roles().is_some()) {
        assert!(operation.codes().contains("newer_ledger"), "{}", operation.id);
        if !READABLE_WHEN_NEWER.split_whitespace().any(|id| id == operation.id) {
            let request = match &*operation.id {
                "site_at" => sample_request(&fixture, operation).query("time=2026-11-20T10:00"),
                _ => sample_request(&fixture, operation),
            };
            let response = request.with_key_of(operation.permitted_holder()).send().await;
            assert_eq!(response.problem_code(), "newer_ledger", "{}", operation.id);
        }
    }
    run_script(&fixture, "", "anybody request_pairing -> newer_ledger").await;
    // A session that a newer replica wrote can be used at no operation.
    fixture.write_newer_session(&cookie).await;
    for operation in OPERATIONS.values().filter(|operation| operation.roles().is_some()) {
        let request = sample_request(&fixture, operation).header("cookie", &cookie);
        let response = request.header("x-paihao-page", "1").send().await;
        assert_eq!(response.problem_code(), "newer_ledger", "{}", operation.id);
    }
}

/// Checks menus that cannot be set, and calls about them that WeChat refuses.
async fn check_menus(coverage: &Coverage) {
    let fixture = Fixture::new(coverage).await;
    run_script(&fixture, "", MENU_SCRIPT).await;
    // Unauthorised, unknown, and busy.
    for (errcode, code) in
        [(48001, "menu_not_permitted"), (99999, "menu_refused"), (-1, "wechat_unavailable")]
    {
        fixture.account_errcode.store(errcode, Ordering::SeqCst);
        for id in ["account_menu", "push_menu", "delete_menu"] {
            run_script(&fixture, "", &format!("owner {id} -> {code}")).await;
        }
    }
}

/// Checks migrations that WeChat refuses, with a person and a member to ask about.
async fn check_migrations(coverage: &Coverage) {
    let fixture = Fixture::new(coverage).await;
    fixture.take_ticket_link().await;
    fixture.add_member("m_ann", StaffRole::Staff, Some(&["hall"])).await;
    let migrate = r#"owner migrate_people {"from": "wx1"}"#;
    for (errcode, code) in
        [(63178, "migration_refused"), (99999, "migration_refused"), (-1, "wechat_unavailable")]
    {
        fixture.account_errcode.store(errcode, Ordering::SeqCst);
        let script = format!("owner prepare_migration -> {code}\n{migrate} -> {code}");
        run_script(&fixture, "", &script).await;
    }
    let malformed = r#"owner migrate_people {"from": "wx 1"} -> malformed_request
        owner migrate_people {"from": "wx1", "after": "hall"} -> malformed_request
        owner migrate_staff {"from": "", "sealed": ""} -> malformed_request
        owner migrate_staff {"from": "wx1", "sealed": "AAAA"} -> wrong_seal
        owner migrate_people account=nobody {"from": "wx1"} -> unknown_account"#;
    run_script(&fixture, "", malformed).await;
}

/// Checks tickets whose queue is removed during the day, or no longer allows returns.
async fn check_settings_changed(coverage: &Coverage) {
    let fixture = Fixture::new(coverage).await;
    let set = |change: fn(&mut Rules)| {
        let mut sites = deployment_settings().sites;
        let site = Arc::get_mut(sites.get_mut("hall").unwrap()).unwrap();
        change(&mut site.rules);
        fixture.engine.set_sites(&sites);
    };
    let missed = "
        staff open_counter
        manager take_ticket
        manager take_ticket
        staff call_next
        staff missed";
    run_script(&fixture, "", missed).await;
    set(|rules| rules.queues.get_mut(&QueueId::new("a")).unwrap().missed.returns = 0);
    run_script(&fixture, "", "staff return -> too_often\nstaff call_next").await;
    set(|rules| drop(rules.queues.remove(&QueueId::new("a"))));
    for operation in OPERATIONS.values() {
        if operation.has_path_parameter("number") || operation.has_path_parameter("counter") {
            for (number, holder) in
                [("A001", "staff"), ("A002", "staff"), ("A001", "manager"), ("A002", "manager")]
            {
                sample_request(&fixture, operation)
                    .path_parameter("number", number)
                    .with_key_of(holder)
                    .send()
                    .await;
            }
        }
    }
}

async fn check_callbacks(coverage: &Coverage) {
    let fixture = Fixture::new(coverage).await;
    let token = CallbackToken::new(CALLBACK_TOKEN);
    let at = |seconds: i64| (MORNING_MS / 1000 + seconds).to_string();
    let signed = |at: &str| {
        format!("signature={}&timestamp={at}&nonce=n&echostr=e", signature(&token, at, "n"))
    };
    let now = signed(&at(0));
    let old = signed(&at(-1000));
    let wrong = now.replace("nonce=n", "nonce=m");
    for id in ["verify", "hear"] {
        for (query, code) in
            [(&*old, "stale_callback"), (&wrong, "wrong_signature"), ("", "bad_callback_query")]
        {
            let response = fixture.client.request(id).query(query).send().await;
            assert_eq!(response.problem_code(), code, "{id}");
        }
        let response =
            fixture.client.request(id).path_parameter("account", "nobody").query(&now).send().await;
        assert_eq!(response.problem_code(), "unknown_account", "{id}");
    }
    // What is rightly signed is answered 200 whatever its body.
    let large = vec![b'x'; 5000];
    let encrypted = format!("{now}&encrypt_type=aes&msg_signature=m");
    for (query, body) in
        [(&now, &b"<xml>"[..]), (&now, &large), (&now, b""), (&encrypted, b"<xml></xml>")]
    {
        let response = fixture.client.request("hear").query(query).bytes(body).send().await;
        assert_eq!(response.status, 200, "{response:?}");
    }
}
