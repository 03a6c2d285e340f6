//! Tests of TLS with a real NATS server: who is verified, and by what.

use harness::{Certificates, NatsServer, NatsSetup};
use paihao_contracts::streams::LEDGER;
use paihao_ledger::{Entry, ExpectedPosition, Ledger, Subject};
use paihao_ledger_nats::{ConnectError, NatsLedger, NatsOptions};
use std::path::PathBuf;
use std::time::Duration;

/// Starts a server that speaks TLS alone, to the user `paihao`, and asks for certificates if
/// `verify`.
fn start(certificates: &Certificates, verify: bool) -> NatsServer {
    let extra_config = format!(
        "tls {{ cert_file: \"{}\", key_file: \"{}\", ca_file: \"{}\", verify: {verify} }}\n\
         authorization {{ user: paihao, password: s3cret }}",
        certificates.text("server.pem"),
        certificates.text("server.key"),
        certificates.text("ca.pem"),
    );
    NatsServer::with_setup(NatsSetup { extra_config, ..NatsSetup::default() })
}

fn options(server: &NatsServer, ca: Option<PathBuf>) -> NatsOptions {
    NatsOptions {
        url: server.url().replace("nats://", "tls://"),
        user: Some("paihao".to_owned()),
        password: Some("s3cret".into()),
        tls_ca: ca,
        timeout: Duration::from_secs(5),
        ..NatsOptions::default()
    }
}

async fn connect(options: NatsOptions) -> Result<NatsLedger, ConnectError> {
    NatsLedger::connect(options).await
}

fn is_unreachable(result: Result<NatsLedger, ConnectError>) -> bool {
    matches!(result, Err(ConnectError::Unreachable(_)))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_is_verified_by_its_authority_and_used() {
    let certificates = Certificates::make();
    let server = start(&certificates, false);
    let ca = certificates.path("ca.pem");
    let ledger = connect(options(&server, Some(ca.clone()))).await.unwrap();
    let subject = Subject::new(&["shop", "hall"]).unwrap();
    let entry = Entry::new(&b"{}"[..]);
    let position = ledger.append(&LEDGER, &subject, ExpectedPosition::Empty, entry).await.unwrap();
    assert_eq!(ledger.last(&LEDGER, &subject).await.unwrap().unwrap().position, position);
    // The connection is TLS after the server was away, too.
    server.restart();
    let found = tokio::time::timeout(Duration::from_secs(30), async {
        loop {
            if let Ok(found) = ledger.last(&LEDGER, &subject).await {
                return found;
            }
        }
    });
    assert_eq!(found.await.unwrap().unwrap().position, position);

    assert!(is_unreachable(connect(options(&server, None)).await), "not of the machine's");
    let other = certificates.path("other/ca.pem");
    assert!(is_unreachable(connect(options(&server, Some(other))).await), "another authority");
    let wrong =
        NatsOptions { password: Some("wrong".into()), ..options(&server, Some(ca.clone())) };
    assert_eq!(connect(wrong).await.err(), Some(ConnectError::NotAllowed));
    // Another name than that of the certificate.
    let named = options(&server, Some(ca));
    let named = NatsOptions { url: named.url.replace("127.0.0.1", "localhost"), ..named };
    assert!(is_unreachable(connect(named).await));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_asks_for_a_certificate_gets_one() {
    let certificates = Certificates::make();
    let server = start(&certificates, true);
    let bare = options(&server, Some(certificates.path("ca.pem")));
    assert!(is_unreachable(connect(bare.clone()).await));
    let with = |name: &str| NatsOptions {
        tls_certificate: Some(certificates.path(&format!("{name}.pem"))),
        tls_key: Some(certificates.path(&format!("{name}.key"))),
        ..bare.clone()
    };
    assert!(connect(with("client")).await.is_ok());
    assert!(is_unreachable(connect(with("other/client")).await), "of another authority");
}

#[tokio::test]
async fn a_server_without_tls_is_not_spoken_to_in_the_clear() {
    let server = NatsServer::start();
    let url = server.url().replace("nats://", "tls://");
    let options = NatsOptions { url, timeout: Duration::from_secs(2), ..NatsOptions::default() };
    assert!(is_unreachable(connect(options).await));
}

#[tokio::test]
async fn files_that_do_not_fit_are_told_at_once() {
    let certificates = Certificates::make();
    let file = |name: &str| Some(certificates.path(name));
    let of = |url: &str| NatsOptions { url: url.to_owned(), ..NatsOptions::default() };
    let tls = "tls://127.0.0.1:1";
    for (options, part) in [
        (NatsOptions { tls_ca: file("ca.pem"), ..of("nats://127.0.0.1:1") }, "begin with tls://"),
        (of("tls://127.0.0.1:1, nats://127.0.0.1:2"), "all NATS servers"),
        (NatsOptions { tls_ca: file("missing.pem"), ..of(tls) }, "missing.pem"),
        (NatsOptions { tls_certificate: file("client.pem"), ..of(tls) }, "its key"),
        (NatsOptions { tls_key: file("client.key"), ..of(tls) }, "its certificate"),
    ] {
        match connect(options).await {
            Err(ConnectError::Invalid(text)) => assert!(text.contains(part), "{part}: {text}"),
            Err(error) => panic!("{part}: {error}"),
            Ok(_) => panic!("{part}: connected"),
        }
    }
}
