//! Tests of a gateway in a rehearsal: what it says of itself, and who opens the phones.

use crate::support::cluster::Cluster;
use crate::support::gateway::{MANAGER_KEY, OWNER_KEY, STAFF_KEY};
use crate::support::rehearsal::InstantRehearsals;
use reqwest::StatusCode;
use std::sync::Arc;

const HEADER: &str = "x-paihao-rehearsal";

#[tokio::test]
async fn every_answer_says_that_it_is_a_rehearsal_and_only_the_owner_has_the_phones() {
    let cluster = Cluster::new();
    let mut setup = cluster.hall_setup();
    setup.rehearsals = Some(Arc::new(InstantRehearsals { is_under_way: true.into() }));
    let gateway = cluster.start(setup).await;
    for path in ["/board/hall", "/kiosk/hall", "/api/v1/sites/hall", "/nowhere"] {
        assert!(gateway.get_page(path).await.headers().contains_key(HEADER), "{path}");
    }

    let scan = || gateway.http.post(format!("{}/sim/api/scan", gateway.url));
    let phones = || gateway.http.get(format!("{}/phones", gateway.url));
    for key in [MANAGER_KEY, STAFF_KEY] {
        assert_eq!(scan().bearer_auth(key).send().await.unwrap().status(), StatusCode::FORBIDDEN);
        let page = phones().bearer_auth(key).send().await.unwrap().text().await.unwrap();
        assert!(page.contains("login"), "{page}");
    }
    assert_eq!(scan().send().await.unwrap().status(), StatusCode::UNAUTHORIZED);
    let scanned = scan().bearer_auth(OWNER_KEY).send().await.unwrap();
    assert_eq!(scanned.text().await.unwrap(), "scanned");
    let page = phones().bearer_auth(OWNER_KEY).send().await.unwrap();
    assert!(page.headers().contains_key(HEADER));
    assert_eq!(page.text().await.unwrap(), "phones");
}

#[tokio::test]
async fn without_a_rehearsal_there_are_no_phones_and_no_sign_of_one() {
    let cluster = Cluster::new();
    let mut setup = cluster.hall_setup();
    setup.rehearsals = Some(Arc::new(InstantRehearsals::default()));
    let gateway = cluster.start(setup).await;
    assert!(!gateway.get_page("/board/hall").await.headers().contains_key(HEADER));
    for path in ["/phones", "/phones/", "/sim/api/people"] {
        let request = gateway.http.get(format!("{}{path}", gateway.url)).bearer_auth(OWNER_KEY);
        assert_eq!(request.send().await.unwrap().status(), StatusCode::NOT_FOUND, "{path}");
    }
}
