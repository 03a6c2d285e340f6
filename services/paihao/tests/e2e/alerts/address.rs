//! Test of the alerts about the public address: its answers and its certificate, as Debian's
//! blackbox exporter sees them.

use super::prometheus::Prometheus;
use crate::support::http::client;
use harness::{Program, blackbox_exporter, free_port};
use std::cell::RefCell;
use std::path::Path;
use std::process::Command;

/// Alerts about what does not run here.
const WITHOUT_PROCESSES: [&str; 1] = ["PaihaoRoleAway"];

/// Makes a certificate for this machine's loopback address that is good for so many days.
fn make_certificate(folder: &Path, name: &str, days: u32) -> String {
    let file = |ending: &str| folder.join(format!("{name}.{ending}")).display().to_string();
    let made = Command::new("openssl")
        .args(["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", &days.to_string()])
        .args(["-subj", "/CN=queue.example.com", "-addext", "subjectAltName=IP:127.0.0.1"])
        .args(["-keyout", &file("key"), "-out", &file("pem")])
        .output()
        .expect("openssl");
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    std::fs::read_to_string(file("pem")).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_address_that_does_not_answer_and_a_certificate_that_ends_are_seen() {
    let folder = tempfile::tempdir().unwrap();
    let certificates = [("long", 90), ("short", 5)]
        .map(|(name, days)| make_certificate(folder.path(), name, days));
    let (port, exporter_port) = (free_port(), free_port());
    let serve = |name: &str| {
        let file = |ending: &str| folder.path().join(format!("{name}.{ending}"));
        let (certificate, key) = (file("pem"), file("key"));
        let accept = format!("127.0.0.1:{port}");
        let files = ["-cert", certificate.to_str().unwrap(), "-key", key.to_str().unwrap()];
        let arguments = [&["s_server", "-www", "-quiet", "-accept", &accept][..], &files].concat();
        Program::start("openssl", &arguments, &[])
    };
    let modules = "modules:\n  https:\n    prober: http\n    http:\n      preferred_ip_protocol: ip4\n      \
                   tls_config: { ca_file: '{dir}/known.pem' }\n";
    let _exporter = Program::start(
        blackbox_exporter(),
        &[
            "--config.file={dir}/blackbox.yaml",
            &format!("--web.listen-address=127.0.0.1:{exporter_port}"),
        ],
        &[("blackbox.yaml", modules), ("known.pem", &certificates.concat())],
    );
    let job = format!(
        "- job_name: paihao-public\n  metrics_path: /probe\n  params: {{ module: [https], target: \
         ['https://127.0.0.1:{port}/'] }}\n  static_configs: [{{ targets: ['127.0.0.1:{exporter_port}'] }}]\n"
    );
    let server = RefCell::new(Some(serve("long")));
    let mut prometheus = Prometheus::start_beside(&client(), &[], &job, &WITHOUT_PROCESSES).await;
    prometheus
        .see(
            "the public address is away",
            &[("PaihaoAddressAway", "paihao-public")],
            async |_| *server.borrow_mut() = None,
            async |round| {
                if round == 0 {
                    *server.borrow_mut() = Some(serve("long"));
                }
            },
        )
        .await;
    let replace = |name: &str| {
        *server.borrow_mut() = None;
        *server.borrow_mut() = Some(serve(name));
    };
    prometheus
        .see(
            "the certificate ends in five days",
            &[("PaihaoCertificateEnding", "")],
            async |round| {
                if round == 0 {
                    replace("short");
                }
            },
            async |round| {
                if round == 0 {
                    replace("long");
                }
            },
        )
        .await;
    println!("{}", prometheus.table());
}
