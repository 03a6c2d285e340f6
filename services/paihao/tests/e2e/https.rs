//! Tests of a gateway with a certificate of its own.

use crate::support::gateway::{
    HALL, NO_WECHAT, process_configuration, start_program, wait_until_ready,
};
use crate::support::http::client;
use harness::{free_port, wait_until};
use reqwest::{Client, StatusCode, redirect};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::time::Duration;

const HOST: &str = "queue.example.com";

/// Writes a new certificate and its key where the configuration names them. Returns it.
fn renew(folder: &Path) -> reqwest::Certificate {
    let made = rcgen::generate_simple_self_signed([HOST.to_owned()]).unwrap();
    std::fs::write(folder.join("chain.pem"), made.cert.pem()).unwrap();
    std::fs::write(folder.join("key.pem"), made.signing_key.serialize_pem()).unwrap();
    reqwest::Certificate::from_pem(made.cert.pem().as_bytes()).unwrap()
}

/// Client that trusts one certificate alone and finds the host on this machine. It follows no
/// redirect.
fn trusting(certificate: &reqwest::Certificate) -> Client {
    Client::builder()
        .no_proxy()
        .redirect(redirect::Policy::none())
        .tls_certs_only([certificate.clone()])
        .resolve(HOST, SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))
        .build()
        .unwrap()
}

#[tokio::test]
async fn pages_come_by_https_and_a_renewed_certificate_needs_no_restart() {
    let [port, plain, admin] = [(); 3].map(|()| free_port());
    let public = format!("https://{HOST}:{port}");
    let files = tempfile::tempdir().unwrap();
    let first = renew(files.path());
    let folder = files.path().display();
    let configuration = format!(
        "{}
        gateway.public = '{public}'
        gateway.tls.certificate = '{folder}/chain.pem'
        gateway.tls.key = '{folder}/key.pem'
        gateway.tls.redirect_listen = '127.0.0.1:{plain}'
        token.reload_seconds = 1
        [accounts.shop]
        appid = 'wx5f1d2c3b4a596877'
        secret = 'asecretfornobody'
        callback_token = 'atokenforthistest'
        mode = 'plain'
        {HALL}",
        process_configuration(port, admin, NO_WECHAT)
    );
    let program = start_program(&configuration);
    wait_until_ready(&client(), &format!("http://127.0.0.1:{admin}")).await;

    let by_first = trusting(&first);
    let page = by_first.get(format!("{public}/login")).send().await.unwrap();
    assert_eq!(page.status(), StatusCode::OK);
    assert!(page.headers().contains_key("strict-transport-security"));

    // Plain HTTP leads there, and says nothing else.
    let moved = format!("http://{HOST}:{plain}/kiosk/hall?queue=a");
    let moved = by_first.get(moved).send().await.unwrap();
    assert_eq!(moved.status(), StatusCode::PERMANENT_REDIRECT);
    assert_eq!(moved.headers()["location"], format!("{public}/kiosk/hall?queue=a"));

    // What cannot be used is not taken up.
    std::fs::write(files.path().join("key.pem"), "half a key").unwrap();
    wait_until("the broken key is logged", Duration::from_secs(30), async || {
        program.output().contains("gateway.tls.key")
    })
    .await;
    assert!(trusting(&first).get(format!("{public}/login")).send().await.is_ok());

    let second = renew(files.path());
    wait_until("new connections have the new certificate", Duration::from_secs(30), async || {
        trusting(&second).get(format!("{public}/login")).send().await.is_ok()
    })
    .await;
    assert!(trusting(&first).get(format!("{public}/login")).send().await.is_err());
    let kept = by_first.get(format!("{public}/login")).send().await;
    assert!(kept.is_ok(), "the open connection goes on");
    assert!(!program.output().contains("PRIVATE"), "a key is in the log");
}
