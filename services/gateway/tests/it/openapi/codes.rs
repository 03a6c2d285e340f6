//! Scripts of refusals about codes: sessions, pages, and what WeChat refuses.

use super::fixture::{Fixture, deployment_settings};
use super::script::run_script;
use super::walk::Coverage;
use paihao_cache::Cache;
use paihao_contracts::streams::permanent_code_lease;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

/// Refusals of codes and of scan sessions.
const SESSIONS: &str = r#"
    anybody open_scan_session {"queue": "nothing"} -> unknown_queue
    anybody open_scan_session {"queue": "a"} -> malformed_request
    anybody open_scan_session {"queue": "a", "site": "nowhere"} -> unknown_site
    anybody open_scan_session {"queue": "a", "site": "hall", "uuid": "u"} -> malformed_uuid
    anybody qr uuid=u query=queue=a&site=hall -> malformed_uuid
    anybody qr query=site=hall -> malformed_request
    anybody qr query=queue=a&site=nowhere -> unknown_site
    anybody qr query=queue=z&site=hall -> unknown_queue
    anybody scan_session_svg uuid=u -> malformed_uuid
    anybody scan_session_png uuid=u -> malformed_uuid
    anybody scan_session_jpg uuid=u -> malformed_uuid
    anybody scan_session_events uuid=u -> malformed_uuid
    anybody scan_session_svg -> unknown_session
    anybody scan_session_png -> unknown_session
    anybody scan_session_jpg -> unknown_session
    anybody scan_session_events -> unknown_session
    anybody qr query=queue=a&site=hall
    anybody qr query=queue=b&site=hall -> session_taken
    anybody open_scan_session {"queue": "b", "site": "hall", "uuid": "0b2f6c9e-7d1a-4e0e-9a5f-0a1b2c3d4e5f"} -> session_taken
    wait 700
    anybody qr query=queue=a&site=hall -> session_expired
    anybody open_scan_session {"queue": "a", "site": "hall", "uuid": "0b2f6c9e-7d1a-4e0e-9a5f-0a1b2c3d4e5f"} -> session_expired
"#;

/// Refusals of the page that a code leads to.
const PAGE_CODES: &str = r#"
    anybody take_at_page scene=110 {} -> unknown_session
    anybody take_at_page scene=q_nowhere_a {} -> unknown_site
    anybody take_at_page scene=q_hall_z {} -> unknown_queue
    anybody take_at_page scene=q_hall_b {}
    anybody take_at_page scene=q_hall_b {} -> queue_full
    anybody take_at_page scene=q_hall_shut {} -> out_of_hours
    manager open_counter
    anybody take_at_page wish=one {}
    anybody take_at_page wish=one {}
    anybody take_at_page wish=two {"x": 1} -> malformed_request
    anybody take_at_page scene=q_hall_late {} -> queue_closing
    manager pause_queue
    anybody take_at_page {} -> queue_paused
    manager close_queue
    anybody take_at_page {} -> queue_closed
"#;

/// Refusals of a kiosk's slips. However few wait, three are allowed.
const SLIPS: &str = r#"
    anybody take_slip {"kiosk": "east"} -> malformed_request
    anybody take_slip queue=b {"kiosk": "the-east-kiosk"}
    anybody take_slip queue=b {"kiosk": "the-east-kiosk"} -> queue_full
    anybody take_slip queue=shut {"kiosk": "the-east-kiosk"} -> out_of_hours
    manager open_counter
    anybody take_slip queue=late {"kiosk": "the-east-kiosk"} -> queue_closing
    manager pause_queue
    anybody take_slip {"kiosk": "the-east-kiosk"} -> queue_paused
    manager close_queue
    anybody take_slip {"kiosk": "the-east-kiosk"} -> queue_closed
    manager open_queue
    anybody take_slip wish=one {"kiosk": "the-east-kiosk"}
    manager take_ticket
    anybody take_slip {"kiosk": "the-west-kiosk"}
    anybody take_slip {"kiosk": "the-west-kiosk"} -> too_many_slips
    anybody take_slip wish=one {"kiosk": "the-east-kiosk"}
"#;

pub async fn run(coverage: &Coverage) {
    for script in [SESSIONS, PAGE_CODES, SLIPS] {
        run_script(&Fixture::new(coverage).await, "", script).await;
    }
    check_without_slips(coverage).await;
    check_paired_kiosks_only(coverage).await;
    check_code_refusals(coverage).await;
    check_without_codes(coverage).await;
}

/// Checks requests while WeChat creates no codes, and while another replica is creating one.
async fn check_without_codes(coverage: &Coverage) {
    let fixture = Fixture::new(coverage).await;
    run_script(&fixture, "", "anybody qr query=queue=a&site=hall").await;
    fixture.refuses_qr.store(true, Ordering::SeqCst);
    let without_wechat = r#"
        anybody scan_session_jpg -> wechat_unavailable
        anybody qr uuid=ffffffff-7d1a-4e0e-9a5f-0a1b2c3d4e5f query=queue=a&site=hall -> wechat_unavailable
        anybody open_scan_session {"queue": "a", "site": "hall"} -> wechat_unavailable
        anybody begin_login {} -> wechat_unavailable
        manager invite {"name": "b", "role": "manager", "sites": ["hall"]} -> wechat_unavailable
        anybody door_svg -> no_door_code
        anybody door_png -> no_door_code
        anybody door_jpg -> no_door_code
        manager door_svg -> wechat_unavailable
        manager door_png queue=b -> wechat_unavailable
        manager door_jpg queue=idle -> wechat_unavailable"#;
    run_script(&fixture, "", without_wechat).await;
    let lease = permanent_code_lease("shop", "hall", "shut");
    fixture.cache.acquire(&lease, "somebody else", Duration::from_secs(60)).await.unwrap().unwrap();
    let scripts = ["door_svg", "door_png", "door_jpg"]
        .map(|id| format!("manager {id} queue=shut -> door_code_pending"));
    futures::future::join_all(scripts.iter().map(|script| run_script(&fixture, "", script))).await;
}

/// Checks the two ways in which WeChat refuses to create codes for good.
async fn check_code_refusals(coverage: &Coverage) {
    for (errcode, code) in [(48001, "codes_not_permitted"), (45029, "codes_used_up")] {
        let fixture = Fixture::new(coverage).await;
        fixture.qr_errcode.store(errcode, Ordering::SeqCst);
        fixture.refuses_qr.store(true, Ordering::SeqCst);
        let doors = format!(
            "manager door_svg -> {code}
             manager door_png queue=b -> {code}
             manager door_jpg queue=idle -> {code}"
        );
        run_script(&fixture, "", &doors).await;
        if errcode == 48001 {
            let sessions = r#"
                anybody qr uuid=ffffffff-7d1a-4e0e-9a5f-0a1b2c3d4e5f query=queue=a&site=hall -> codes_not_permitted
                anybody open_scan_session {"queue": "a", "site": "hall"} -> codes_not_permitted
                anybody begin_login {} -> codes_not_permitted
                manager invite {"name": "b", "role": "manager", "sites": ["hall"]} -> codes_not_permitted
                owner test_template {"notice": "missed", "kind": "message", "template_id": "T1", "fields": {"character_string1": "{number}", "thing2": "{news}"}} -> codes_not_permitted"#;
            run_script(&fixture, "", sessions).await;
        }
    }
}

/// Checks a site whose kiosks give numbers through WeChat alone.
async fn check_without_slips(coverage: &Coverage) {
    let fixture = Fixture::new(coverage).await;
    let mut sites = deployment_settings().sites;
    Arc::get_mut(sites.get_mut("hall").unwrap()).unwrap().kiosk_slips = 0;
    fixture.engine.set_sites(&sites);
    let script = r#"anybody take_slip {"kiosk": "the-east-kiosk"} -> no_slips"#;
    run_script(&fixture, "", script).await;
}

/// Checks a site that admits paired kiosks alone.
async fn check_paired_kiosks_only(coverage: &Coverage) {
    let fixture = Fixture::new(coverage).await;
    let mut sites = deployment_settings().sites;
    Arc::get_mut(sites.get_mut("hall").unwrap()).unwrap().paired_kiosks_only = true;
    fixture.engine.set_sites(&sites);
    let script = r#"
        anybody open_scan_session {"queue": "a", "site": "hall"} -> kiosk_not_paired
        anybody qr query=queue=a&site=hall -> kiosk_not_paired
        anybody take_slip {"kiosk": "the-east-kiosk"} -> kiosk_not_paired
        anybody open_scan_session {"queue": "a", "site": "other"}"#;
    run_script(&fixture, "", script).await;
}
