//! Test of a first manager who begins in a browser and scans later.

use super::LoginCluster;
use reqwest::Method;
use serde_json::json;

const PATH: &str = "/api/v1/first-manager";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_has_the_link_manages_in_the_browser_and_is_the_same_after_a_scan() {
    let deployment = LoginCluster::start().await;
    let [code, later] = [deployment.first_code().await, deployment.first_code().await];
    let mut browser = deployment.browser(0);
    let forged = Some(json!({ "code": format!("{code}0") }));
    assert_eq!(browser.json(Method::POST, PATH, forged).await.1["code"], "first_code_used");
    let (status, me) = browser.json(Method::POST, PATH, Some(json!({ "code": code }))).await;
    assert_eq!((status, &me["role"]), (201, &json!("manager")), "{me}");
    assert_eq!(browser.me().await.1["id"], me["id"]);

    // At another replica and in another browser the link leads to the same manager.
    let mut other = deployment.browser(1);
    let (status, again) = other.json(Method::POST, PATH, Some(json!({ "code": later }))).await;
    assert_eq!((status, &again["id"]), (201, &me["id"]));
    let (_, listed) = other.json(Method::GET, "/api/v1/staff", None).await;
    assert_eq!(listed["members"].as_array().unwrap().len(), 1, "{listed}");

    // The operator's command still prints one, by which the manager's WeChat becomes known.
    let code = deployment.first_code().await;
    let mut phone = deployment.browser(0);
    let (status, redeemed) = phone.log_in("oAnn", json!({ "first": code })).await;
    assert_eq!((status.as_u16(), &redeemed["me"]["id"]), (201, &me["id"]));
    assert_eq!(browser.me().await.0, 200, "the browser goes on");
    let (status, refused) = other.json(Method::POST, PATH, Some(json!({ "code": later }))).await;
    assert_eq!((status, &refused["code"]), (410, &json!("first_code_used")));
    let mut own = deployment.browser(1);
    let (_, redeemed) = own.log_in("oAnn", json!({})).await;
    assert_eq!(redeemed["me"]["id"], me["id"], "by scanning from then on");
}
