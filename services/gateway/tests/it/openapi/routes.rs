//! Tests of paths and methods: those of the document, and no other.

use super::fixture::Fixture;
use super::walk::{Coverage, DOCUMENT};
use reqwest::Method;
use serde_json::Value;

#[tokio::test]
async fn every_path_of_the_document_is_there_with_its_methods_and_no_other() {
    let fixture = Fixture::new(&Coverage::default()).await;
    for (path, methods) in DOCUMENT["paths"].as_object().unwrap() {
        let known: Vec<_> = methods.as_object().unwrap().keys().map(|m| m.to_uppercase()).collect();
        let path = path.replace(['{', '}'], "");
        for method in ["GET", "POST", "PUT", "PATCH", "DELETE"] {
            let request = fixture.client.http.request(
                Method::from_bytes(method.as_bytes()).unwrap(),
                format!("{}{path}", fixture.client.url),
            );
            let response = request.send().await.unwrap();
            let status = response.status();
            let allow = response.headers().get("allow").cloned();
            let bytes = response.bytes().await.unwrap_or_default();
            let body: Value = serde_json::from_slice(&bytes).unwrap_or_default();
            if known.iter().any(|name| name == method) {
                assert_ne!(body["code"], "unknown_path", "{method} {path}");
                assert_ne!(status, 405, "{method} {path}");
                continue;
            }
            assert_eq!(
                (status.as_u16(), &body["code"]),
                (405, &"method_not_allowed".into()),
                "{method} {path}"
            );
            let allow = allow.expect("what is allowed");
            let mut allowed: Vec<_> =
                allow.to_str().unwrap().split(',').filter(|m| *m != "HEAD").collect();
            allowed.sort_unstable();
            let mut known = known.clone();
            known.sort_unstable();
            assert_eq!(allowed, known, "{path}");
        }
    }
    for unknown_path in ["/api/v1/nothing", "/api/v1/sites/hall/counters/1/dance", "/api/v2/sites"]
    {
        let response = fixture
            .client
            .http
            .get(format!("{}{unknown_path}", fixture.client.url))
            .send()
            .await
            .unwrap();
        assert_eq!(response.status(), 404, "{unknown_path}");
        let body: Value = serde_json::from_slice(&response.bytes().await.unwrap()).unwrap();
        assert_eq!(body["code"], "unknown_path", "{unknown_path}");
    }
}

#[tokio::test]
async fn the_document_that_is_served_is_the_one_that_is_kept() {
    let fixture = Fixture::new(&Coverage::default()).await;
    let served = fixture.client.request("openapi").send().await;
    assert_eq!(&served.body, paihao_gateway::http::api::document());
}
