//! Choices of templates that cannot be, and calls about them that WeChat refuses.

use super::fixture::Fixture;
use super::script::run_script;
use super::walk::Coverage;
use std::sync::atomic::Ordering;

/// Refused choices of templates.
const TEMPLATES_SCRIPT: &str = r#"
    owner check_mapping {"notice": "called", "kind": "message", "template_id": "gone"} -> unknown_template
    owner check_mapping {"notice": "called"} -> malformed_request
    owner test_template {"notice": "called", "kind": "subscription", "template_id": "T1"} -> unknown_template
    owner test_template {"notice": "called", "kind": "message", "template_id": "T1"} -> unsound_setup
    owner template_test uuid=gone -> unknown_session
    owner choose_templates kind=called {"message": null, "subscription": null} -> revision_needed
    owner choose_templates kind=called seen=7 {"message": null, "subscription": null} -> revision_changed
    owner choose_templates kind=nothing seen=0 {"message": null, "subscription": null} -> unknown_wording
    owner choose_templates kind=called seen=0 {"message": {"template_id": "gone", "fields": {}}, "subscription": null} -> unknown_template
    owner choose_templates kind=called seen=0 {"message": {"template_id": "T1", "fields": {"thing2": "{until}"}}, "subscription": null} -> unsound_setup
    owner add_template {"notice": "called", "kind": "subscription"} -> no_library_template
    owner account_templates account=nobody -> unknown_account
    manager account_templates -> not_every_site
"#;

pub async fn run(coverage: &Coverage) {
    let fixture = Fixture::new(coverage).await;
    run_script(&fixture, "", TEMPLATES_SCRIPT).await;
    let check = |id: &str| {
        format!(r#"owner {id} {{"notice": "missed", "kind": "message", "template_id": "T1"}}"#)
    };
    for (errcode, code) in [
        (48001, "templates_not_permitted"),
        (99999, "template_refused"),
        (-1, "wechat_unavailable"),
    ] {
        // Each has a list of its own: one that was read a moment ago is not read again.
        let fixture = Fixture::new(coverage).await;
        fixture.account_errcode.store(errcode, Ordering::SeqCst);
        let add = r#"owner add_template {"notice": "called", "kind": "message"}"#;
        let choose = r#"owner choose_templates kind=called seen=0 {"message": {"template_id": "T1", "fields": {}}, "subscription": null}"#;
        for request in [&check("check_mapping"), &check("test_template"), add, choose] {
            run_script(&fixture, "", &format!("{request} -> {code}")).await;
        }
        run_script(&fixture, "", "owner account_templates").await;
    }
}
