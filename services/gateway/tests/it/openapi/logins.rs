//! Tests of logins and invitations by scanning, as far as they work without a phone.

use super::everywhere::sample_body;
use super::fixture::Fixture;
use super::script::run_script;
use super::walk::Coverage;
use serde_json::json;

/// Refused requests of logins and invitations.
const REFUSED_LOGINS: &str = r#"
    anybody begin_login {"first": "nonsense"} -> first_code_used
    anybody begin_login {"first": "a", "authorize": "b"} -> malformed_request
    anybody become_first_manager {"code": "nonsense"} -> first_code_used
    anybody begin_login {"authorize": "client_id=nobody&redirect_uri=x"} -> unknown_client
    anybody begin_login {"authorize": "client_id=intranet&redirect_uri=https://elsewhere.example"} -> wrong_redirect
    anybody login_code uuid=u -> malformed_uuid
    anybody login_events uuid=u -> malformed_uuid
    anybody redeem_login uuid=u -> malformed_uuid
    anybody confirm_login uuid=u {"digits": "0000"} -> malformed_uuid
    anybody confirm_login {"digits": "0000"} -> unknown_session
    manager confirm_invitation uuid=u {"digits": "0000"} -> malformed_uuid
    manager confirm_invitation {"digits": "0000"} -> unknown_session
    manager revoke_invitation uuid=u -> malformed_uuid
    manager revoke_invitation -> unknown_session
    manager audit query=kind=nonsense -> malformed_request
    owner signing_keys
    owner rotate_signing_key
    manager signing_keys -> not_every_site
    manager rotate_signing_key -> not_every_site
    manager revoke_signing_key -> not_every_site
    owner revoke_signing_key -> unknown_key
    anybody login_discovery -> login_unaddressed
    anybody login_metadata -> login_unaddressed
    anybody login_code -> unknown_session
    anybody login_events -> unknown_session
    anybody redeem_login -> unknown_session
    anybody login_token -> malformed_request
    manager invitation_code uuid=u -> malformed_uuid
    manager invitation_events uuid=u -> malformed_uuid
    manager invitation_code -> unknown_session
    manager invitation_events -> unknown_session
    manager invite {"name": "b", "role": "staff", "sites": ["nowhere"]} -> unknown_site
    manager invite {"name": "b", "role": "staff", "sites": ["other"]} -> not_your_site
    manager invite {"name": "b", "role": "staff", "sites": ["hall"], "counters": ["9"]} -> unknown_counter
"#;

pub async fn run(coverage: &Coverage) {
    let fixture = Fixture::new(coverage).await;
    let (uuid, cookie) = fixture.client.begin_login().await;
    let logins = r#"
        anybody begin_login {}
        anybody login_keys
        anybody login_code uuid=UUID cookie=COOKIE
        anybody login_events uuid=UUID cookie=COOKIE
        anybody redeem_login uuid=UUID cookie=COOKIE -> login_pending
        anybody confirm_login uuid=UUID cookie=COOKIE {"digits": "0000"} -> login_pending
        anybody confirm_login uuid=UUID {"digits": "0000"} -> wrong_browser
        anybody login_code uuid=UUID -> wrong_browser
        anybody login_events uuid=UUID -> wrong_browser
        anybody redeem_login uuid=UUID -> wrong_browser"#;
    run_script(&fixture, "", &logins.replace("UUID", &uuid).replace("COOKIE", &cookie)).await;
    let invite = fixture
        .client
        .request("invite")
        .with_key_of("manager")
        .json(&sample_body("invite").unwrap())
        .send()
        .await;
    let of_other = fixture
        .client
        .request("invite")
        .with_key_of("owner")
        .json(&json!({"name": "b", "role": "staff", "sites": ["other"], "counters": ["1"]}));
    let of_other = of_other.send().await;
    let invited = r#"
        manager invitations
        manager confirm_invitation uuid=UUID {"digits": "0000"} -> login_pending
        manager revoke_invitation uuid=OTHER -> not_your_site
        owner revoke_invitation uuid=OTHER
        manager invitation_code uuid=UUID
        manager invitation_events uuid=UUID
        wait 700
        manager invitation_code uuid=UUID -> session_expired
        manager invitation_events uuid=UUID -> session_expired
        manager confirm_invitation uuid=UUID {"digits": "0000"} -> session_expired
        manager revoke_invitation uuid=UUID -> session_expired
        anybody confirm_login uuid=LOGIN cookie=COOKIE {"digits": "0000"} -> session_expired
        anybody login_code uuid=LOGIN cookie=COOKIE -> session_expired
        anybody login_events uuid=LOGIN cookie=COOKIE -> session_expired
        anybody redeem_login uuid=LOGIN cookie=COOKIE -> session_expired"#;
    let invited = invited.replace("OTHER", of_other.body["uuid"].as_str().unwrap());
    let invited = invited.replace("UUID", invite.body["uuid"].as_str().unwrap());
    run_script(&fixture, "", &invited.replace("LOGIN", &uuid).replace("COOKIE", &cookie)).await;
    run_script(&Fixture::new(coverage).await, "", REFUSED_LOGINS).await;
    check_forms(&Fixture::new(coverage).await).await;
}

/// Exchanges codes for a token by forms, as other clients do.
async fn check_forms(fixture: &Fixture) {
    let form = "grant_type=authorization_code&code=c&redirect_uri=r&code_verifier=v&client_id=";
    for (client, code) in [("nobody", "unknown_client"), ("intranet", "login_unaddressed")] {
        let request = fixture.client.request("login_token").bytes(format!("{form}{client}"));
        let response = request.send().await;
        assert_eq!(response.problem_code(), code, "{response:?}");
    }
    let request = fixture.client.request("login_token").bytes(vec![b'a'; 9000]);
    assert_eq!(request.send().await.problem_code(), "body_too_large");
}
