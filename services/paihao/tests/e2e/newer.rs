//! Test of readiness over a ledger in which a newer program has written.

use crate::support::gateway::start_program;
use crate::support::http::client;
use harness::{free_port, wait_until};
use paihao_chassis::clock::{Clock, SystemClock};
use paihao_contracts::streams::{LEDGER, OUTCOMES, SETTINGS};
use paihao_ledger::{Entry, ExpectedPosition, Ledger, Subject};
use paihao_ledger_sqlite::{SqliteLedger, SqliteOptions};
use reqwest::StatusCode;
use serde_json::Value;
use std::sync::Arc;
use std::time::Duration;

#[tokio::test]
async fn a_gateway_behind_a_newer_one_is_not_ready_and_behind_a_newer_notifier_is_degraded() {
    for (log, status, check) in [
        (LEDGER, StatusCode::SERVICE_UNAVAILABLE, "newer_gateway"),
        (SETTINGS, StatusCode::SERVICE_UNAVAILABLE, "newer_gateway"),
        (OUTCOMES, StatusCode::OK, "newer_notifier"),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("ledger.sqlite");
        let options = SqliteOptions::new(Arc::new(|| SystemClock.now_ms()));
        let ledger = SqliteLedger::open(&file, options).unwrap();
        let newer = Entry::new(&br#"{"v":99,"wonders":["gilded"]}"#[..]);
        let subject = Subject::new(&["site", "hall"]).unwrap();
        ledger.append(&log, &subject, ExpectedPosition::Any, newer).await.unwrap();
        ledger.close().await;
        drop(ledger);
        let (port, admin) = (free_port(), free_port());
        let _program = start_program(&format!(
            "
            [gateway]
            listen = '127.0.0.1:{port}'
            [admin]
            listen = '127.0.0.1:{admin}'
            [ledger]
            file = '{}'
            ",
            file.display()
        ));
        let http = client();
        let read = async || -> Option<(StatusCode, Value)> {
            let response = http.get(format!("http://127.0.0.1:{admin}/ready")).send().await.ok()?;
            let status = response.status();
            Some((status, serde_json::from_str(&response.text().await.ok()?).ok()?))
        };
        let names = async || read().await.is_some_and(|(_, ready)| ready["checks"][check] != "ok");
        wait_until(log.name, Duration::from_secs(60), names).await;
        let lines =
            async || read().await.is_some_and(|(_, ready)| ready["checks"]["lines"] == "ok");
        wait_until(log.name, Duration::from_secs(60), lines).await;
        let (found, ready) = read().await.unwrap();
        assert_eq!(found, status, "{ready}");
        assert_eq!(ready["degraded"], check == "newer_notifier", "{ready}");
        let text = ready["checks"][check].as_str().unwrap();
        assert!(text.contains("version 99"), "{text}");
    }
}
