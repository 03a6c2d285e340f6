//! Test of the unionid that a client is told, and what is left of it.

use super::clients::{CODE_VERIFIER, authorize_path, verified_claims};
use super::{LoginCluster, REDIRECT_URI, digits_in};
use crate::support::http::send_json;
use paihao_cache::Cache;
use paihao_cache_redis::{RedisCache, RedisOptions};
use reqwest::{StatusCode, Url};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use wechat_sim::{Effect, Fault};

/// Logs a person in at a client, and exchanges the code. Returns the question on the phone, what
/// the cache holds of the login before it is redeemed and after, and the claims.
async fn log_in_at_client(
    deployment: &LoginCluster,
    client: &str,
    person: &str,
) -> (String, [String; 2], Value) {
    let options = RedisOptions::new(deployment.cluster.redis.url());
    let cache = RedisCache::connect(options).expect("the cache of the cluster");
    let mut browser = deployment.browser(0);
    let opened = browser.open_login(json!({ "authorize": authorize_path(client) })).await;
    let key = paihao_contracts::streams::scan_session_key(opened["uuid"].as_str().unwrap());
    let stored = async || {
        let session = cache.get(&key).await.unwrap().expect("a session");
        String::from_utf8(session.to_vec()).unwrap()
    };
    let question = deployment.scan(person, &opened).await;
    assert_eq!(browser.enter(&opened, &digits_in(&question)).await.0, 204);
    assert_eq!(opened["unionid"], json!(question.contains("unionid")), "{opened}");
    let before = stored().await;
    let (status, redeemed) = browser.redeem(&opened).await;
    assert_eq!(status, StatusCode::CREATED, "{redeemed}");
    let after = stored().await;
    let redirect = Url::parse(redeemed["redirect"].as_str().unwrap()).unwrap();
    let query: BTreeMap<_, _> = redirect.query_pairs().into_owned().collect();
    let mut form = Url::parse("http://x/").unwrap();
    form.query_pairs_mut().extend_pairs([
        ("grant_type", "authorization_code"),
        ("client_id", client),
        ("redirect_uri", REDIRECT_URI),
        ("code", &query["code"]),
        ("code_verifier", CODE_VERIFIER),
    ]);
    let url = format!("{}/login/token", deployment.gateways[1].url);
    let form = form.query().unwrap().to_owned();
    let (status, token) = send_json(deployment.cluster.http.post(url).body(form)).await;
    assert_eq!(status, StatusCode::OK, "{token}");
    let claims = verified_claims(deployment, token["id_token"].as_str().unwrap()).await;
    (question, [before, after], claims)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_with_the_option_is_told_the_unionid_and_no_other_is() {
    const USER_INFO: &str = "/cgi-bin/user/info";
    let deployment = LoginCluster::start().await;
    let wechat = &deployment.cluster.wechat;
    let (question, [before, after], claims) = log_in_at_client(&deployment, "crm", "oAnn").await;
    let unionid = claims["unionid"].as_str().expect("a unionid").to_owned();
    assert!(unionid.starts_with("oU") && unionid.len() == 28, "{unionid}");
    assert!(question.contains("该网站会收到您的 unionid"), "{question}");
    assert!(question.contains("It is told your unionid"), "{question}");
    assert!(before.contains(&unionid), "the session has it until it is redeemed");
    assert!(!after.contains(&unionid), "{after}");
    // Without the option nothing is asked.
    let calls = || wechat.stats().calls.get(USER_INFO).copied().unwrap_or_default();
    let asked = calls();
    let (question, sessions, claims) = log_in_at_client(&deployment, "intranet", "oAnn").await;
    assert_eq!((&claims["unionid"], calls()), (&Value::Null, asked));
    assert!(!question.contains("unionid") && !sessions.concat().contains(&unionid), "{question}");

    // An account of no open platform, a refusal, and no answer: the login works without.
    let text = r#"{"subscribe":1,"openid":"oAnn","tagid_list":[]}"#.to_owned();
    for effect in [
        Effect::Text { text },
        Effect::Errcode { errcode: 48001, errmsg: None },
        Effect::Delay { ms: 20_000 },
    ] {
        wechat.add_fault(Fault::new(USER_INFO, effect.clone()));
        let (_, _, claims) = log_in_at_client(&deployment, "crm", "oAnn").await;
        assert_eq!(claims["unionid"], Value::Null, "{effect:?}");
        assert!(claims["sub"].is_string(), "{claims}");
        wechat.clear_faults();
    }
    assert!(calls() > asked, "WeChat was asked");
    for gateway in &deployment.gateways {
        let output = gateway.program.output();
        assert!(!output.contains(&unionid) && !output.contains("oAnn"), "a person is in the logs");
    }
}
