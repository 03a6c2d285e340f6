//! Tests of paths and methods: those of the document, and no other.

use super::fixture::Fixture;
use super::walk::{Coverage, DOCUMENT};
use reqwest::Method;
use serde_json::Value;

#[tokio::test]
async fn every_path_of_the_document_is_there_with_its_methods_and_no_other() {
    let hall = Fixture::new(&Coverage::default()).await;
    for (path, methods) in DOCUMENT["paths"].as_object().unwrap() {
        let known: Vec<_> = methods.as_object().unwrap().keys().map(|m| m.to_uppercase()).collect();
        let path = path.replace(['{', '}'], "");
        for method in ["GET", "POST", "PUT", "PATCH", "DELETE"] {
            let asked = hall.client.http.request(
                Method::from_bytes(method.as_bytes()).unwrap(),
                format!("{}{path}", hall.client.url),
            );
            let answer = asked.send().await.unwrap();
            let (status, allow) = (answer.status(), answer.headers().get("allow").cloned());
            let said = answer.bytes().await.unwrap_or_default();
            let said: Value = serde_json::from_slice(&said).unwrap_or_default();
            if known.iter().any(|known| known == method) {
                assert_ne!(said["code"], "unknown_path", "{method} {path}");
                assert_ne!(status, 405, "{method} {path}");
                continue;
            }
            assert_eq!(
                (status.as_u16(), &said["code"]),
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
    for nowhere in ["/api/v1/nothing", "/api/v1/sites/hall/counters/1/dance", "/api/v2/sites"] {
        let answer =
            hall.client.http.get(format!("{}{nowhere}", hall.client.url)).send().await.unwrap();
        assert_eq!(answer.status(), 404, "{nowhere}");
        let said: Value = serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap();
        assert_eq!(said["code"], "unknown_path", "{nowhere}");
    }
}

#[tokio::test]
async fn the_document_that_is_served_is_the_one_that_is_kept() {
    let hall = Fixture::new(&Coverage::default()).await;
    let served = hall.client.request("openapi").send().await;
    assert_eq!(&served.body, paihao_gateway::http::api::document());
}
