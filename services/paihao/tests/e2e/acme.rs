//! Test of the certificate that a gateway gets itself, from a real authority.

use crate::support::gateway::wait_until_ready;
use crate::support::http::client;
use harness::{AcmeServer, Program, free_port, wait_for_https_port, wait_until};
use paihao::acme::{self, AcmeOptions};
use paihao_chassis::Tasks;
use paihao_chassis::clock::{Clock, ManualClock, SystemClock};
use paihao_chassis::http::{Listener, ServedCertificate, redirect_to, serve};
use paihao_chassis::sealing::Keyring;
use reqwest::{Certificate, Client, StatusCode, redirect};
use std::ffi::OsString;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;

/// Long enough for an authority on a busy machine.
const ORDER_TIMEOUT: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3600);

/// Client that trusts the authority alone, and makes a connection for each request.
fn trusting(authority: &AcmeServer) -> Client {
    let root = std::fs::read(authority.root()).unwrap();
    Client::builder()
        .no_proxy()
        .redirect(redirect::Policy::none())
        .pool_max_idle_per_host(0)
        .tls_certs_only([Certificate::from_pem(&root).unwrap()])
        .build()
        .unwrap()
}

/// Text of every file in a folder and those below.
fn contents(folder: &Path) -> String {
    let mut text = String::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        text += &if path.is_dir() {
            contents(&path)
        } else {
            String::from_utf8_lossy(&std::fs::read(&path).unwrap()).into_owned()
        };
    }
    text
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_gateway_gets_keeps_and_renews_its_certificate_also_while_the_authority_is_away() {
    wait_for_https_port();
    let authority = AcmeServer::start();
    one_command_serves_https_and_a_restart_needs_no_authority(&authority).await;
    a_certificate_is_renewed_and_the_old_one_served_while_that_fails(&authority).await;
}

/// Environment of `paihao --domain`, without ports that others may have.
fn environment(authority: &AcmeServer, plain: u16, admin: u16) -> Vec<(OsString, OsString)> {
    let set = [
        ("GATEWAY__LISTEN", "127.0.0.1:443".to_owned()),
        ("GATEWAY__TLS__REDIRECT_LISTEN", format!("127.0.0.1:{plain}")),
        ("GATEWAY__TLS__ACME__DIRECTORY", authority.directory()),
        ("GATEWAY__TLS__ACME__AUTHORITY_CA", authority.root().display().to_string()),
        ("ADMIN__LISTEN", format!("127.0.0.1:{admin}")),
        ("WECHAT__API", "http://127.0.0.1:1/".to_owned()),
        ("WECHAT__MP", "http://127.0.0.1:1/".to_owned()),
    ];
    set.map(|(key, value)| (format!("PAIHAO__{key}").into(), value.into())).into()
}

async fn one_command_serves_https_and_a_restart_needs_no_authority(authority: &AcmeServer) {
    let [plain, admin_port] = [(); 2].map(|()| free_port());
    let environment = environment(authority, plain, admin_port);
    let arguments = ["--domain", "localhost", "--accept-terms"];
    let binary = env!("CARGO_BIN_EXE_paihao");

    // While the authority is away the program runs, and says why there is no https.
    authority.kill();
    let mut program = Program::start_with(binary, &arguments, &[], environment.clone());
    let admin = format!("http://127.0.0.1:{admin_port}");
    wait_until_ready(&client(), &admin).await;
    wait_until("the failure is told", ORDER_TIMEOUT, async || {
        program.output().contains("cannot get a certificate")
    })
    .await;
    assert!(trusting(authority).get("https://localhost/login").send().await.is_err());
    let metrics = async || {
        let answer = client().get(format!("{admin}/metrics")).send().await.unwrap();
        answer.text().await.unwrap()
    };
    assert!(metrics().await.contains("paihao_certificate_orders_total{result=\"failed\"} 1"));
    let doctor = doctor(&program, &environment).await;
    assert!(doctor.contains("certificate_missing") && doctor.contains("acme_unreachable"));

    // It tries again by itself, within a minute or so.
    authority.restart();
    wait_until("https is served", 3 * ORDER_TIMEOUT, async || {
        let page = trusting(authority).get("https://localhost/login").send().await;
        page.is_ok_and(|page| page.status() == StatusCode::OK)
    })
    .await;
    assert!(metrics().await.contains("paihao_certificate_orders_total{result=\"ok\"} 1"));
    assert!(metrics().await.contains("paihao_certificate_end_timestamp_seconds 1"));
    let moved = format!("http://127.0.0.1:{plain}/kiosk/hall?queue=a");
    let moved = trusting(authority).get(moved).send().await.unwrap();
    assert_eq!(moved.status(), StatusCode::PERMANENT_REDIRECT);
    assert_eq!(moved.headers()["location"], "https://localhost/kiosk/hall?queue=a");

    // A restart serves what was got, and asks nobody.
    authority.kill();
    program.restart();
    wait_until_ready(&client(), &admin).await;
    let page = trusting(authority).get("https://localhost/login").send().await.unwrap();
    assert_eq!(page.status(), StatusCode::OK);
    assert!(!metrics().await.contains("paihao_certificate_orders_total"));
    let text = self::doctor(&program, &environment).await;
    assert!(text.contains("certificate_ok") && !text.contains("acme_"), "{text}");
    let stored = contents(program.folder());
    assert!(stored.contains("BEGIN CERTIFICATE") && !stored.contains("PRIVATE KEY"));
    assert!(!stored.contains("key_pkcs8"), "the account's key is in the clear");
    assert_eq!(program.stop(), Some(0));
    authority.restart();
}

/// What `paihao doctor` finds, with the environment of the program.
async fn doctor(program: &Program, environment: &[(OsString, OsString)]) -> String {
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_paihao"));
    command.args(["doctor", "--json"]).current_dir(program.folder());
    command.envs(environment.iter().cloned()).envs([
        ("PAIHAO__GATEWAY__PUBLIC", "https://localhost"),
        ("PAIHAO__GATEWAY__TLS__ACME__ENABLED", "true"),
        ("PAIHAO__GATEWAY__TLS__ACME__ACCEPT_TERMS", "true"),
    ]);
    let run = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
    String::from_utf8(run.stdout).unwrap()
}

async fn a_certificate_is_renewed_and_the_old_one_served_while_that_fails(authority: &AcmeServer) {
    wait_for_https_port();
    let folder = tempfile::tempdir().unwrap();
    let options = AcmeOptions {
        host: "localhost".to_owned(),
        directory: authority.directory().parse().unwrap(),
        contact: Some("mailto:shop@example.com".to_owned()),
        authority_ca: Some(std::fs::read(authority.root()).unwrap()),
        folder: folder.path().join("acme"),
    };
    let tasks = Tasks::new();
    let served = ServedCertificate::default();
    let listener = TcpListener::bind("127.0.0.1:443").await.unwrap();
    let routes = redirect_to("https://localhost".to_owned());
    serve(&tasks, "https", Listener::https(listener, served.clone()), routes, Default::default());
    let clock = ManualClock::at(SystemClock.now_ms());
    let keyring = Arc::new(Keyring::parse(&Keyring::generate_key()).unwrap());
    let shared_clock = Arc::new(clock.clone());
    acme::start(options, served.clone(), keyring, shared_clock, &tasks).unwrap();
    let changed = async |from: Option<paihao_chassis::http::Certificate>| {
        wait_until("another certificate", ORDER_TIMEOUT, async || served.current() != from).await;
        served.current().unwrap()
    };
    let answers = async || trusting(authority).get("https://localhost/").send().await.is_ok();
    let first = changed(None).await;
    assert!(answers().await);

    // It has half a day: a third of that before its end it is renewed, and not before.
    clock.advance(7 * HOUR);
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(served.current(), Some(first.clone()), "renewed too early");
    clock.advance(2 * HOUR);
    let second = changed(Some(first)).await;
    assert!(second.ends_at_s() > 0 && answers().await);

    // The authority is away when the next one is due.
    authority.kill();
    clock.advance(8 * HOUR);
    let attempt = folder.path().join("acme/attempt.json");
    wait_until("the failure is noted", ORDER_TIMEOUT, async || attempt.exists()).await;
    assert_eq!(served.current(), Some(second.clone()));
    assert!(answers().await, "the old one is served on");
    authority.restart();
    clock.advance(Duration::from_secs(120));
    changed(Some(second)).await;
    assert!(answers().await && !attempt.exists());
    tasks.abort();
}
