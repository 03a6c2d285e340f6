//! Test of invitations and keys whose maker may give them no longer.

use super::{LoginCluster, digits_in};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

/// Ways in which a manager loses the right to invite.
fn losses() -> [Option<Value>; 3] {
    [
        None,
        Some(json!({"role": "staff", "counters": ["1"]})),
        Some(json!({"role": "manager", "sites": []})),
    ]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_manager_gave_and_nobody_took_ends_with_the_right_to_give_it() {
    let deployment = LoginCluster::start().await;
    let mut owner = deployment.first_manager("oAnn").await;
    let staff = json!({"name": "李雷", "role": "staff", "sites": ["hall-0"], "counters": ["1"]});
    for (n, loss) in losses().into_iter().enumerate() {
        let person = format!("oManager{n}");
        let manager = json!({"name": "经理", "role": "manager", "sites": ["hall-0"]});
        let id = owner.invite(manager, &person).await["id"].as_str().unwrap().to_owned();
        let mut browser = deployment.browser(0);
        let (status, redeemed) = browser.log_in(&person, json!({})).await;
        assert_eq!(status, StatusCode::CREATED, "{redeemed}");
        let mut invitations = Vec::new();
        for _ in 0..3 {
            let wish = Some(staff.clone());
            invitations.push(browser.json(Method::POST, "/api/v1/invitations", wish).await.1);
        }
        let prompt = deployment.scan(&format!("oScanned{n}"), &invitations[0]).await;
        let wish = json!({"name": "CRM", "sites": ["hall-0"]});
        let (_, made) = browser.json(Method::POST, "/api/v1/keys", Some(wish)).await;
        let with_key = async || {
            let url = format!("{}/api/v1/sites/hall-0/desk", deployment.gateways[0].url);
            let request = deployment.cluster.http.get(url);
            request.bearer_auth(made["key"].as_str().unwrap()).send().await.unwrap().status()
        };
        assert_eq!(with_key().await, StatusCode::OK);
        let open = owner.json(Method::GET, "/api/v1/invitations", None).await.1;
        assert_eq!(open.as_array().unwrap().len(), 3, "{open}");
        assert!(open.as_array().unwrap().iter().all(|one| one["by"] == json!(id)), "{open}");
        let listed = owner.json(Method::GET, "/api/v1/staff", None).await.1;
        assert_eq!(listed["keys"][0]["made_by"], json!(id), "shown before it ends: {listed}");
        let members = listed["members"].as_array().unwrap().len();

        let path = format!("/api/v1/staff/{id}");
        let done = match &loss {
            None => owner.json(Method::DELETE, &path, None).await,
            Some(change) => owner.json(Method::PATCH, &path, Some(change.clone())).await,
        };
        assert!(done.0 < 300, "{done:?}");
        assert_eq!(with_key().await, StatusCode::UNAUTHORIZED, "{loss:?}");
        assert_eq!(owner.json(Method::GET, "/api/v1/invitations", None).await.1, json!([]));
        let enter = Some(json!({ "digits": digits_in(&prompt) }));
        let confirm = invitations[0]["confirm"].as_str().unwrap();
        let (status, refused) = browser.json(Method::POST, confirm, enter).await;
        assert!(matches!(status, 401 | 403), "{loss:?}: {refused}");
        for scanner in [person, format!("oAnother{n}"), format!("oScanned{n}")] {
            let reply = deployment.scan(&scanner, &invitations[1]).await;
            assert!(reply.contains("不能再用"), "{loss:?} {scanner}: {reply}");
        }
        let listed = owner.json(Method::GET, "/api/v1/staff", None).await.1;
        let left = members - usize::from(loss.is_none());
        assert_eq!(listed["members"].as_array().unwrap().len(), left, "nobody joined: {listed}");
        assert_eq!(listed["keys"], json!([]));
        if loss.is_some() {
            owner.json(Method::DELETE, &path, None).await;
        }
    }
    let entries = owner.json(Method::GET, "/api/v1/audit?kind=people", None).await.1;
    let events: Vec<_> = entries["entries"].as_array().unwrap().iter().collect();
    assert_eq!(events.iter().filter(|entry| entry["event"] == "member_joined").count(), 4);
    assert!(events.iter().any(|entry| entry["from"] == "127.0.0.*"), "{entries}");
}
