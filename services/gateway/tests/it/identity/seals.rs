//! Tests of the secrets in the log of staff: sealed, also those that a former version stored.

use crate::support::cluster::Cluster;
use crate::support::gateway::{OWNER_KEY, read_json};
use crate::support::wait_until;
use futures::StreamExt;
use paihao_contracts::envelope::WriteVersion;
use paihao_contracts::staff::{StaffEntry, StaffEvent};
use paihao_contracts::streams::STAFF;
use paihao_ledger::{Ledger, LogItem, Position, StoredEntry};
use reqwest::Method;
use serde_json::Value;

/// Secrets of the log, as they are stored.
async fn stored_secrets(cluster: &Cluster) -> Vec<(StoredEntry, String)> {
    let head = cluster.ledger.head(&STAFF).await.unwrap();
    let mut items = cluster.ledger.follow(&STAFF, Position::START).await.unwrap();
    let mut secrets = Vec::new();
    let mut position = Position::START;
    while position < head {
        let Some(LogItem::Entry(stored)) = items.next().await else { panic!("cut off") };
        position = stored.position;
        let entry: StaffEntry = serde_json::from_slice(&stored.entry.payload).unwrap();
        if let StaffEvent::SecretMade { secret, .. }
        | StaffEvent::SigningKeyMade { pkcs8: secret, .. } = entry.event
        {
            secrets.push((stored, secret.as_stored().to_owned()));
        }
    }
    secrets
}

/// Keys that tokens are verified with.
async fn key_set(gateway: &crate::support::gateway::Gateway) -> Value {
    read_json(gateway.get_page("/.well-known/jwks.json").await).await.1
}

fn has(bytes: &[u8], text: &str) -> bool {
    bytes.windows(text.len()).any(|window| window == text.as_bytes())
}

#[tokio::test]
async fn secrets_are_sealed_from_the_first_entry_on() {
    let cluster = Cluster::new();
    let gateway = cluster.start_gateway().await;
    key_set(&gateway).await;
    let secrets = stored_secrets(&cluster).await;
    assert_eq!(secrets.len(), 2);
    assert!(secrets.iter().all(|(_, secret)| secret.starts_with("sealed:")), "{secrets:?}");
    cluster.tasks.abort();
}

#[tokio::test]
async fn what_a_former_version_stored_is_sealed_and_its_bytes_are_gone() {
    let cluster = Cluster::new();
    let mut setup = cluster.hall_setup();
    setup.settings.write_version = WriteVersion::clamped(1);
    let gateway = cluster.start(setup).await;
    let before = key_set(&gateway).await;
    let revoked = before["keys"][0]["kid"].as_str().unwrap().to_owned();
    let clear: Vec<_> = stored_secrets(&cluster).await.into_iter().map(|(_, text)| text).collect();
    assert!(clear.len() == 2 && !clear.iter().any(|text| text.starts_with("sealed:")));
    let stored = cluster.stored_bytes();
    assert!(clear.iter().all(|text| has(&stored, text)), "where they are looked for");
    cluster.tasks.stop().cancel();
    cluster.tasks.wait().await;

    let cluster = cluster.restarted();
    let gateway = cluster.start_gateway().await;
    wait_until("all is sealed, and the rest is erased", async || {
        let secrets = stored_secrets(&cluster).await;
        secrets.len() == 2 && secrets.iter().all(|(_, text)| text.starts_with("sealed:"))
    })
    .await;
    wait_until("no byte of them is left", async || {
        let stored = cluster.stored_bytes();
        !clear.iter().any(|text| has(&stored, text))
    })
    .await;
    assert_eq!(key_set(&gateway).await, before, "the keys are the same");
    // Also a key that is revoked stays so.
    let url = gateway.api(&format!("/signing-keys/{revoked}"));
    let request = gateway.http.request(Method::DELETE, url).bearer_auth(OWNER_KEY);
    assert_eq!(request.send().await.unwrap().status(), 204);
    cluster.tasks.stop().cancel();
    cluster.tasks.wait().await;
    let cluster = cluster.restarted();
    let gateway = cluster.start_gateway().await;
    let after = key_set(&gateway).await;
    assert!(!after.to_string().contains(&revoked), "{after}");
    let audit = gateway.http.get(gateway.api("/audit?kind=secrets")).bearer_auth(OWNER_KEY);
    let audit = audit.send().await.unwrap().text().await.unwrap();
    assert!(audit.contains("secret_sealed") && audit.contains("signing_key_sealed"), "{audit}");
    cluster.tasks.abort();
}

#[tokio::test]
async fn without_the_key_nobody_is_vouched_for_and_the_gateway_says_why() {
    let cluster = Cluster::new();
    let gateway = cluster.start_gateway().await;
    key_set(&gateway).await;
    cluster.tasks.stop().cancel();
    cluster.tasks.wait().await;
    let cluster = cluster.restarted();
    let mut setup = cluster.hall_setup();
    setup.keyring = None;
    let gateway = cluster.start(setup).await;
    wait_until("it says so", async || gateway.service.unsealable().is_some()).await;
    let told = gateway.service.unsealable().unwrap().to_string();
    assert!(told.contains(cluster.keyring.current_id()), "{told}");
    let keys = gateway.get_page("/.well-known/jwks.json").await;
    assert_eq!(keys.status(), 503);
    assert_eq!(stored_secrets(&cluster).await.len(), 2, "nothing is made in its place");
    cluster.tasks.abort();
}
