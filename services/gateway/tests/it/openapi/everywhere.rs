//! Tests that are the same for every operation: access, and malformed requests.

use super::fixture::{Fixture, KEY_HOLDERS, logo_png};
use super::script::run_script;
use super::walk::{ApiRequest, Coverage, OPERATIONS, Operation};
use paihao_contracts::staff::StaffRole;
use serde_json::{Value, json};

/// Returns a valid body for the operation.
pub fn sample_body(id: &str) -> Option<Value> {
    Some(match id {
        "call" => json!({"number": "A001", "reason": "an appointment"}),
        "resume_here" => json!({"number": "A001"}),
        "suspend" | "remove" | "hold" => json!({"reason": "a reason"}),
        "take_over_counter" => json!({"from": "manager"}),
        "transfer" => json!({"queue": "b"}),
        "prioritise" => json!({"class": 2, "reason": "a reason"}),
        "party" => json!({"people": 3}),
        "replay_webhook" => json!({"from": "2026-11-20T09:00"}),
        "redrive_letters" => json!({"reason": "template_unknown"}),
        "change_member" => json!({"name": "安"}),
        "make_key" => json!({"name": "crm", "sites": ["hall"], "counters": ["1"]}),
        "confirm_login" | "confirm_invitation" => json!({"digits": "0000"}),
        "become_first_manager" => json!({"code": "nonsense"}),
        "begin_login" | "reset_day" | "take_at_page" => json!({}),
        "pair_kiosk" => json!({"code": "0000 0000", "name": "东门"}),
        "take_slip" => json!({"kiosk": "the-east-kiosk"}),
        "invite" => json!({"name": "李", "role": "staff", "sites": ["hall"], "counters": ["1"]}),
        "open_scan_session" => json!({"site": "hall", "queue": "a"}),
        "put_site" => json!({"account": "shop", "name": "大厅"}),
        "put_hours" => json!({"dates": ["2026-12-31 closed"]}),
        "read_hours_text" => json!({"lists": {"a": ["mon 09:00-12:00"]}}),
        "read_holidays" => json!({"text": "10月1日放假", "year": 2026}),
        "show_rules_example" => json!({"queue": "a", "setup": {"account": "shop", "name": "大厅",
            "queues": {"a": {"name": "存取款", "prefix": "A"}},
            "counters": {"1": {"name": "1号", "queues": ["a"]}}}}),
        "make_ids" => json!({"kind": "queue", "names": ["现金"]}),
        "put_queue" => json!({"name": "存取款", "prefix": "A"}),
        "put_counter" => json!({"name": "1号", "queues": ["a"]}),
        "put_wording" => json!({"news": "请到{counter}"}),
        "put_account" => json!({"greeting": "欢迎", "codes": "page"}),
        "connect_account" => json!({"appid": "wx1", "secret": "0123456789abcdef"}),
        "put_menu" => json!({"buttons": [{"name": "我的号", "action": "my_ticket"}]}),
        "check_mapping" => json!({"notice": "missed", "kind": "message", "template_id": "T1"}),
        "test_template" => {
            json!({"notice": "missed", "kind": "message", "template_id": "T1", "fields": {"character_string1": "{number}", "thing2": "{news}"}})
        }
        "choose_templates" => json!({"message": null, "subscription": null}),
        "add_template" => json!({"notice": "missed", "kind": "message"}),
        "import_book" => json!({"accounts": {"shop": {"greeting": "欢迎", "codes": "page"}}}),
        "migrate_people" => json!({"from": "wx1"}),
        "migrate_staff" => json!({"from": "wx1", "sealed": "AAAA"}),
        "preview_notice" => json!({"kind": "called"}),
        _ => return None,
    })
}

/// Returns a valid query for the operation, empty if it needs none.
pub fn sample_query(id: &str) -> &'static str {
    match id {
        "site_at" => "time=2026-11-20T09:59",
        "qr" => "queue=a&site=hall",
        _ => "",
    }
}

/// Builds a valid request.
pub fn sample_request<'a>(fixture: &'a Fixture, operation: &Operation) -> ApiRequest<'a> {
    let request = fixture.client.request(&operation.id).query(sample_query(&operation.id));
    match sample_body(&operation.id) {
        Some(body) => request.json(&body),
        None if operation.id == "put_logo" => request.bytes(logo_png()),
        None => request,
    }
}

/// Builds a valid request by a principal who may make it.
fn permitted_request<'a>(fixture: &'a Fixture, operation: &Operation) -> ApiRequest<'a> {
    match operation.roles() {
        Some(_) => sample_request(fixture, operation).with_key_of(operation.permitted_holder()),
        None => sample_request(fixture, operation),
    }
}

/// Requests of a manager and of the owner, who has every site.
const KEYED_REQUESTS: &str = r#"
    manager take_ticket wish=one
    manager put_hours wish=one seen=0 {"dates": ["2026-12-30 closed"]}
    owner put_account wish=one seen=0 {"greeting": "您好", "codes": "page"}
    owner import_book wish=one {"accounts": {"shop": {"greeting": "你好", "codes": "page"}}}
    anybody take_at_page wish=one scene=q_hall_b {}
    anybody take_slip wish=one {"kiosk": "the-east-kiosk"}
"#;

pub async fn run(coverage: &Coverage) {
    let fixture = Fixture::new(coverage).await;
    run_script(&fixture, "", KEYED_REQUESTS).await;
    fixture.add_member("m_ann", StaffRole::Staff, Some(&["hall"])).await;
    let cookie = fixture.client.log_in("manager").await;
    for operation in OPERATIONS.values().filter(|operation| !operation.is_for_ticket_holder()) {
        let id = &operation.id;
        let roles = operation.roles();
        let expect_refusal = async |request: ApiRequest<'_>, status: u16, code: &str| {
            let response = request.send().await;
            assert_eq!(
                (response.status, response.problem_code()),
                (status, code),
                "{id}: {response:?}"
            );
        };
        if let Some(roles) = &roles {
            expect_refusal(sample_request(&fixture, operation), 401, "unauthorised").await;
            let unknown =
                sample_request(&fixture, operation).header("authorization", "Bearer nobody's");
            expect_refusal(unknown, 401, "unauthorised").await;
            if operation.has_path_parameter("site") {
                expect_refusal(
                    sample_request(&fixture, operation).with_key_of("stranger"),
                    403,
                    "not_your_site",
                )
                .await;
            }
            for holder in KEY_HOLDERS {
                let role = if holder == "mate" { "staff" } else { holder };
                let nobody = sample_request(&fixture, operation)
                    .path_parameter("counter", "9")
                    .path_parameter("queue", "z");
                let response =
                    nobody.path_parameter("number", "Z999").with_key_of(holder).send().await;
                if roles.contains(&role) {
                    assert_ne!(response.problem_code(), "not_allowed", "{holder} {id}");
                } else {
                    assert_eq!(response.problem_code(), "not_allowed", "{holder} {id}");
                }
            }
            if operation.codes().contains("not_in_scope") {
                let holder = if operation.scope() == "feed" { "reader" } else { "follower" };
                expect_refusal(
                    sample_request(&fixture, operation).with_key_of(holder),
                    403,
                    "not_in_scope",
                )
                .await;
            }
            if operation.is_write() {
                // A page of another site makes the manager's browser send this.
                expect_refusal(
                    sample_request(&fixture, operation).header("cookie", &cookie),
                    403,
                    "cross_site",
                )
                .await;
            }
        }
        if operation.is_same_origin_only() {
            expect_refusal(sample_request(&fixture, operation).cross_site(), 403, "cross_site")
                .await;
        }
        if operation.has_path_parameter("site") && !operation.creates("site") {
            expect_refusal(
                permitted_request(&fixture, operation).path_parameter("site", "nowhere"),
                404,
                "unknown_site",
            )
            .await;
        }
        for (parameter, code) in [
            ("counter", "unknown_counter"),
            ("queue", "unknown_queue"),
            ("number", "unknown_ticket"),
            ("id", "unknown_webhook"),
            ("member", "unknown_member"),
            ("key", "unknown_key"),
            ("kind", "unknown_wording"),
            ("kiosk", "unknown_kiosk"),
            ("letter", "unknown_letter"),
        ] {
            if operation.has_path_parameter(parameter) && !operation.creates(parameter) {
                expect_refusal(
                    permitted_request(&fixture, operation).path_parameter(parameter, "nothing"),
                    404,
                    code,
                )
                .await;
            }
        }
        if operation.takes_json() || operation.is_for_settings() && operation.is_write() {
            for malformed in ["{", "[]", "7", r#"{"nonsense": 1}"#, "\u{0}"] {
                // A file is checked as a whole, and all its problems are reported at once.
                let (status, code) = match &**id {
                    "import_book" => (422, "unsound_setup"),
                    "put_logo" => (422, "bad_logo"),
                    _ => (400, "malformed_request"),
                };
                expect_refusal(
                    permitted_request(&fixture, operation).bytes(malformed),
                    status,
                    code,
                )
                .await;
            }
            let large = match &**id {
                "migrate_staff" => 1_100_000,
                "import_book" => 9_000_000,
                _ if operation.is_for_settings() => 600_000,
                _ => 5000,
            };
            let large = vec![b' '; large];
            expect_refusal(
                permitted_request(&fixture, operation).bytes(large),
                413,
                "body_too_large",
            )
            .await;
        }
        if operation.takes_idempotency_key() {
            for key in ["k".repeat(256), "钥匙".to_owned()] {
                let request =
                    permitted_request(&fixture, operation).header("idempotency-key", &key);
                expect_refusal(request, 400, "malformed_idempotency_key").await;
            }
            if id != "replay_webhook" && id != "make_key" {
                let request = permitted_request(&fixture, operation)
                    .header("idempotency-key", "one")
                    .path_parameter("queue", "b");
                expect_refusal(request, 422, "idempotency_key_reused").await;
            }
        }
    }
}
