//! Story of an owner who chooses templates while the program runs: from the account's own list and
//! from the library, tested by a scan and used by the next notice; in one process and in a cluster.

use crate::accounts::{
    Deployment, WAIT_TIMEOUT, assert_no_secret, clinic, simulator, start_cluster_with_clinic,
};
use crate::support::cluster::STAFF_KEY;
use crate::support::gateway::{process_configuration, start_program, wait_until_ready};
use crate::support::http::{client, send_json};
use harness::{free_port, wait_until};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use wechat_sim::{Fault, ReceiptStatus, Routing, SimTemplate};

const TESTER: &str = "oTesterOfTheTemplates";

impl Deployment<'_> {
    /// Sends a request of the owner to the last gateway.
    async fn ask(&self, method: Method, path: &str, body: Value) -> (StatusCode, Value) {
        let url = format!("{}/api/v1{path}", self.gateways[self.gateways.len() - 1]);
        let request = self.http.request(method, url).bearer_auth(STAFF_KEY);
        send_json(if body.is_null() { request } else { request.json(&body) }).await
    }

    /// What the server proposes for a template's fields.
    async fn propose(&self, notice: &str, kind: &str, id: &str) -> Value {
        let body = json!({"notice": notice, "kind": kind, "template_id": id});
        let path = "/accounts/clinic/templates/mapping";
        let (status, mapping) = self.ask(Method::POST, path, body).await;
        assert_eq!(status, StatusCode::OK, "{mapping}");
        assert_eq!(mapping["complete"], true, "{mapping}");
        let fields = mapping["fields"].as_array().unwrap().iter();
        let fields: serde_json::Map<String, Value> = fields
            .map(|one| (one["key"].as_str().unwrap().into(), one["wording"].clone()))
            .collect();
        json!({"template_id": id, "fields": fields})
    }

    /// Chooses a template for template messages of a kind of notice, as it is proposed.
    async fn choose(&self, notice: &str, id: &str) {
        let message = self.propose(notice, "message", id).await;
        let list = format!("{}/api/v1/accounts/clinic/templates", self.gateways[0]);
        let request = self.http.get(list).bearer_auth(STAFF_KEY);
        let tag = request.send().await.unwrap().headers()["etag"].clone();
        let path = format!("/api/v1/book/accounts/clinic/notices/{notice}");
        let url = format!("{}{path}", self.gateways[0]);
        let body = json!({"message": message, "subscription": null});
        let request = self.http.put(url).bearer_auth(STAFF_KEY).header("if-match", tag).json(&body);
        let (status, answer) = send_json(request).await;
        assert_eq!(status, StatusCode::OK, "{answer}");
    }

    /// Tests a template by a scan, and waits until it has come so far. Returns what is told.
    async fn test(&self, kind: &str, chosen: &Value, until: &str) -> Value {
        let mut body = chosen.clone();
        body["notice"] = json!("called");
        body["kind"] = json!(kind);
        let path = "/accounts/clinic/template-tests";
        let (status, opened) = self.ask(Method::POST, path, body).await;
        assert_eq!(status, StatusCode::CREATED, "{opened}");
        let code = opened["scan_link"].as_str().unwrap().split_once("?scan=").unwrap().1;
        let scanned = self.wechat.scan(TESTER, code, Routing::default()).await;
        assert!(scanned.reply.is_some(), "{scanned:?}");
        let again = self.wechat.scan("oAnotherTester", code, Routing::default()).await;
        assert!(again.reply.unwrap_or_default().contains("已经用过"), "the first scan counts");
        let uuid = opened["uuid"].as_str().unwrap();
        let mut shown = Value::Null;
        wait_until("the test has its result", WAIT_TIMEOUT, async || {
            shown = self.ask(Method::GET, &format!("{path}/{uuid}"), Value::Null).await.1;
            shown["progress"] == until
        })
        .await;
        shown
    }

    /// The story of the templates. Returns everything that the API told.
    async fn choose_templates(&self) -> String {
        self.connect().await;
        let mut list = Value::Null;
        // The token of an account comes a moment after the account.
        wait_until("WeChat lists the templates", WAIT_TIMEOUT, async || {
            let path = "/accounts/clinic/templates";
            list = self.ask(Method::GET, path, Value::Null).await.1;
            list["message"]["templates"].as_array().is_some_and(|all| all.len() == 4)
        })
        .await;
        assert_eq!(list["subscription"]["templates"].as_array().unwrap().len(), 1, "{list}");
        assert!(list["notices"][0]["message"].is_null(), "{list}");
        self.choose("called", SimTemplate::DEMO_CALLED).await;
        self.set_up_site().await;
        self.visit("oFirstOfTheClinic").await;
        let first = self.wechat.messages("oFirstOfTheClinic");
        assert_eq!(first[0].template_id, SimTemplate::DEMO_CALLED);
        assert_eq!(first[0].data["thing3"], "1诊室");

        // A template of the library is added, tested, and used by the next call.
        let body = json!({"notice": "called", "kind": "message"});
        let (status, added) = self.ask(Method::POST, "/accounts/clinic/templates", body).await;
        assert_eq!(status, StatusCode::CREATED, "{added}");
        let id = added["template_id"].as_str().unwrap();
        let chosen = self.propose("called", "message", id).await;
        self.test("message", &chosen, "delivered").await;
        let sent = self.wechat.messages(TESTER);
        assert_eq!((sent.len(), &*sent[0].template_id), (1, id));
        self.choose("called", id).await;
        wait_until("the next notice uses it", WAIT_TIMEOUT, async || {
            let person = format!("oLater{}", self.requests.get());
            self.visit(&person).await;
            self.wechat.messages(&person)[0].template_id == id
        })
        .await;

        // What WeChat says of a test is told in its own words.
        self.wechat.add_fault(Fault::errcode("/cgi-bin/message/template/send", 43116).times(1));
        let refused = self.test("message", &chosen, "refused").await;
        assert_eq!(refused["code"], 43116, "{refused}");
        assert!(refused["words"].as_str().unwrap().contains("banned"), "{refused}");
        self.wechat.change_behaviour(|behaviour| {
            behaviour.receipt.status = ReceiptStatus::UserBlock;
        });
        let undelivered = self.test("message", &chosen, "undelivered").await;
        assert_eq!(undelivered["words"], "failed:user block");
        self.wechat.change_behaviour(|behaviour| {
            behaviour.receipt.status = ReceiptStatus::Success;
        });
        // A subscription notice needs the person's consent.
        let body = json!({"notice": "called", "kind": "subscription"});
        let (status, added) = self.ask(Method::POST, "/accounts/clinic/templates", body).await;
        assert_eq!(status, StatusCode::CREATED, "{added}");
        let id = added["template_id"].as_str().unwrap();
        let subscription = self.propose("called", "subscription", id).await;
        let refused = self.test("subscription", &subscription, "refused").await;
        assert_eq!(refused["code"], 43101, "{refused}");
        self.wechat.grant_notices(Some(&clinic().appid), TESTER, id, 1);
        self.test("subscription", &subscription, "delivered").await;

        let mut told = list.to_string() + &refused.to_string();
        for path in ["/accounts/clinic/templates", "/book/changes", "/audit", "/book"] {
            told.push_str(&self.ask(Method::GET, path, Value::Null).await.1.to_string());
        }
        assert!(told.contains(SimTemplate::DEMO_CALLED), "{told}");
        for hidden in [TESTER, "oFirstOfTheClinic", "oLater"] {
            assert!(!told.contains(hidden), "{hidden} is told");
        }
        told
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn templates_are_chosen_tested_and_used_in_one_process() {
    let wechat = simulator(0).await;
    let (port, admin) = (free_port(), free_port());
    let sim = wechat.base_url();
    let mut configuration = process_configuration(port, admin, &sim);
    configuration.push_str(&format!(
        "
        gateway.phones = '{sim}'
        ledger.write_version = 2
        [staff.owner]
        key = '{STAFF_KEY}'
        sites = ['*']
        "
    ));
    let program = start_program(&configuration);
    wait_until_ready(&client(), &format!("http://127.0.0.1:{admin}")).await;
    let deployment = Deployment::new(vec![format!("http://127.0.0.1:{port}")], &wechat);
    let told = deployment.choose_templates().await;
    assert_no_secret("the answers of the API", told.as_bytes());
    let output = program.output();
    assert_no_secret("the output", output.as_bytes());
    assert!(!output.contains(TESTER), "an openid is in the output");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn templates_are_chosen_tested_and_used_in_a_cluster() {
    let cluster = start_cluster_with_clinic([2, 1, 2]).await;
    let gateways = cluster.gateways.iter().map(|gateway| gateway.url.clone()).collect();
    let deployment = Deployment::new(gateways, &cluster.wechat);
    let told = deployment.choose_templates().await;
    assert_no_secret("the answers of the API", told.as_bytes());
    for process in cluster.gateways.iter().chain(&cluster.notifiers) {
        let output = process.program.output();
        assert_no_secret("the output", output.as_bytes());
        assert!(!output.contains(TESTER), "an openid is in the output");
    }
}
