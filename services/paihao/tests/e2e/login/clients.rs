//! Test of logins to other sites: a client verifies its token, and nobody else gets one.

use super::{LoginCluster, REDIRECT_URI, digits_in};
use crate::support::http::send_json;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use reqwest::header::LOCATION;
use reqwest::{StatusCode, Url};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Verifier and challenge of RFC 7636, appendix B.
pub const CODE_VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
const CODE_CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

pub fn authorize_path(client: &str) -> String {
    let mut url = Url::parse("http://x/").unwrap();
    url.query_pairs_mut().extend_pairs([
        ("response_type", "code"),
        ("client_id", client),
        ("redirect_uri", REDIRECT_URI),
        ("state", "a b&c"),
        ("nonce", "n-1"),
        ("code_challenge", CODE_CHALLENGE),
        ("code_challenge_method", "S256"),
    ]);
    url.query().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_gets_a_token_that_it_can_verify_and_nobody_else_gets_one() {
    let deployment = LoginCluster::start().await;
    let http = &deployment.cluster.http;
    let url = |path: &str| format!("{}{path}", deployment.gateways[1].url);
    let page = async |query: &str| {
        let no_redirects = reqwest::redirect::Policy::none();
        let client = reqwest::Client::builder().no_proxy().redirect(no_redirects).build().unwrap();
        client.get(url(&format!("/login/authorize?{query}"))).send().await.unwrap()
    };
    let valid_path = authorize_path("intranet");
    assert_eq!(page(&valid_path).await.status(), 200);
    assert_eq!(page(&authorize_path("nobody")).await.status(), 400);
    assert_eq!(page(&valid_path.replace("back", "back2")).await.status(), 400);
    let sent = page(&valid_path.replace("S256", "plain")).await;
    let back = sent.headers()[LOCATION].to_str().unwrap();
    assert!(back.starts_with(REDIRECT_URI) && back.contains("error=invalid_request"), "{back}");

    let login = async |client: &str, person: &str| {
        let mut browser = deployment.browser(0);
        let opened = browser.open_login(json!({ "authorize": authorize_path(client) })).await;
        let reply = deployment.scan(person, &opened).await;
        if client == "intranet" {
            assert!(reply.contains("「内部网」"), "{reply}");
            assert_eq!(browser.enter(&opened, &digits_in(&reply)).await.0, 204);
        }
        let (_, redeemed) = browser.redeem(&opened).await;
        let Some(back) = redeemed["redirect"].as_str() else { return Err(redeemed) };
        let back = Url::parse(back).unwrap();
        let query: BTreeMap<_, _> = back.query_pairs().into_owned().collect();
        assert!(back.as_str().starts_with(REDIRECT_URI) && query["state"] == "a b&c", "{back}");
        assert_eq!(query["iss"], "http://queue.example.com", "RFC 9207");
        assert!(
            !browser.cookies.contains_key("paihao"),
            "the browser has no session of this system"
        );
        Ok(query["code"].clone())
    };
    let form = |client: &str, code: &str, verifier: &str| {
        let mut form = Url::parse("http://x/").unwrap();
        form.query_pairs_mut().extend_pairs([
            ("grant_type", "authorization_code"),
            ("client_id", client),
            ("redirect_uri", REDIRECT_URI),
            ("code", code),
            ("code_verifier", verifier),
        ]);
        form.query().unwrap().to_owned()
    };
    let exchange = async |client: &str, code: &str, verifier: &str| {
        send_json(http.post(url("/login/token")).body(form(client, code, verifier))).await
    };

    let code = login("intranet", "oAnn").await.unwrap();
    let (status, token) = exchange("intranet", &code, CODE_VERIFIER).await;
    assert_eq!(status, StatusCode::OK, "{token}");
    let claims = verified_claims(&deployment, token["id_token"].as_str().unwrap()).await;
    assert_eq!(claims["iss"], "http://queue.example.com");
    assert_eq!((&claims["aud"], &claims["nonce"]), (&json!("intranet"), &json!("n-1")));
    let lifetime_s = claims["exp"].as_i64().unwrap() - claims["iat"].as_i64().unwrap();
    assert_eq!(lifetime_s, 300);
    assert!(!claims.to_string().contains("oAnn"), "{claims}");
    let (status, refused) = exchange("intranet", &code, CODE_VERIFIER).await;
    assert_eq!((status.as_u16(), &refused["error"]), (400, &json!("invalid_grant")), "once");

    let code = login("intranet", "oAnn").await.unwrap();
    let wrong_verifier = CODE_VERIFIER.replace('d', "e");
    assert_eq!(exchange("intranet", &code, &wrong_verifier).await.1["code"], "invalid_grant");
    assert_eq!(
        exchange("intranet", &code, CODE_VERIFIER).await.1["code"],
        "invalid_grant",
        "spent"
    );
    let code = login("intranet", "oAnn").await.unwrap();
    assert_eq!(exchange("staff-only", &code, CODE_VERIFIER).await.1["code"], "invalid_grant");

    // A person has one subject at a client, and another one at another client.
    let code = login("intranet", "oAnn").await.unwrap();
    let token = exchange("intranet", &code, CODE_VERIFIER).await.1;
    let second = verified_claims(&deployment, token["id_token"].as_str().unwrap()).await;
    assert_eq!(second["sub"], claims["sub"]);
    assert_eq!(login("staff-only", "oAnn").await.unwrap_err()["code"], "not_staff");
    deployment.first_manager("oAnn").await;
    let code = login("staff-only", "oAnn").await.unwrap();
    let token = exchange("staff-only", &code, CODE_VERIFIER).await.1;
    let staff = verified_claims(&deployment, token["id_token"].as_str().unwrap()).await;
    assert_eq!((&staff["role"], &claims["role"]), (&json!("manager"), &Value::Null));
    assert_eq!((&staff["sites"], &claims["sites"]), (&json!(["*"]), &Value::Null));
    let discovery = send_json(http.get(url("/.well-known/openid-configuration"))).await.1;
    assert_eq!(discovery["issuer"], claims["iss"]);
    assert_eq!(discovery["jwks_uri"], "http://queue.example.com/.well-known/jwks.json");
    let metadata = send_json(http.get(url("/.well-known/oauth-authorization-server"))).await.1;
    assert_eq!(metadata, discovery);
    assert_ne!(staff["sub"], claims["sub"]);
}

/// Verifies an ID token with the published keys, as a client would. Returns its claims.
pub async fn verified_claims(deployment: &LoginCluster, token: &str) -> Value {
    let jwks_url = format!("{}/.well-known/jwks.json", deployment.gateways[0].url);
    let (_, keys) = send_json(deployment.cluster.http.get(jwks_url)).await;
    let (text, signature) = token.rsplit_once('.').unwrap();
    let part = |text: &str| URL_SAFE_NO_PAD.decode(text).unwrap();
    let mut parts =
        text.split('.').map(|text| serde_json::from_slice::<Value>(&part(text)).unwrap());
    let header = parts.next().unwrap();
    let claims = parts.next().unwrap();
    assert_eq!(header["alg"], "ES256");
    let key = keys["keys"].as_array().unwrap().iter().find(|key| key["kid"] == header["kid"]);
    let key = key.expect("the key is published");
    let half = |name: &str| part(key[name].as_str().unwrap());
    let point = [vec![4], half("x"), half("y")].concat();
    let key =
        ring::signature::UnparsedPublicKey::new(&ring::signature::ECDSA_P256_SHA256_FIXED, point);
    key.verify(text.as_bytes(), &part(signature)).expect("signed with it");
    claims
}
