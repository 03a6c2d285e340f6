//! Gate: the tables of docs/reference/bench.md are those of the kept runs, and a run is refused
//! where others take too much of the machine.

use serde_json::{Value, json};
use std::path::Path;
use std::process::{Command, Output};

fn bench(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_bench")).args(arguments).output().unwrap()
}

fn document(document: &Path, records: &Path, check: bool) -> Result<(), String> {
    let [document, records] = [document, records].map(|path| path.to_str().unwrap());
    let mut arguments = vec!["document", "--document", document, "--records", records];
    arguments.extend(check.then_some("--check"));
    let run = bench(&arguments);
    let error = String::from_utf8_lossy(&run.stderr).into_owned();
    if run.status.success() { Ok(()) } else { Err(error) }
}

/// A record of `bench history`.
fn record() -> Value {
    json!({
        "bench": "history",
        "command": "history --days 30",
        "date": "2026-11-30",
        "commit": "0123456789",
        "build": "release",
        "machine": { "processors": 2, "model": "Abacus", "kernel": "6.1" },
        "others": 0.012,
        "noisy": false,
        "short": false,
        "timed": true,
        "figures": {
            "visits": 45_000, "write_seconds": 5.1, "drop_seconds": 0.7, "read_seconds": 1.4,
            "ratio": 0.5, "before_mib": 35, "after_mib": 39
        }
    })
}

#[test]
fn the_document_shows_what_the_kept_runs_hold() {
    let run = bench(&["document", "--check"]);
    assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
}

#[test]
fn a_record_and_a_document_that_disagree_are_found() {
    let folder = tempfile::tempdir().unwrap();
    let (file, records) = (folder.path().join("bench.md"), folder.path().join("records"));
    let kept = records.join("visits.json");
    std::fs::create_dir(&records).unwrap();
    let keep = |record: &Value| std::fs::write(&kept, record.to_string()).unwrap();
    keep(&record());
    let place = "# Title\n\n<!-- figures: visits -->\n<!-- end of figures -->\n";
    std::fs::write(&file, place).unwrap();
    assert!(document(&file, &records, true).unwrap_err().contains("differs"));

    document(&file, &records, false).unwrap();
    document(&file, &records, true).unwrap();
    let made = std::fs::read_to_string(&file).unwrap();
    let head = "2026-11-30, commit 0123456789, release build, 2 × Abacus, Linux 6.1, others took 1 %: \
                `bench history --days 30`";
    assert!(made.contains(head), "{made}");
    assert!(
        made.contains("| 45,000 | 5.1 s | 0.70 s | 1.40 s | 0.50 | 35 MiB | 39 MiB |"),
        "{made}"
    );

    std::fs::write(&file, made.replace("0.50", "0.60")).unwrap();
    assert!(document(&file, &records, true).unwrap_err().contains("differs"));
    std::fs::write(&file, &made).unwrap();

    // What is no result of the product does not come into the document.
    for (name, value) in [("short", json!(true)), ("build", json!("debug"))] {
        let mut wrong = record();
        wrong[name] = value;
        keep(&wrong);
        assert!(document(&file, &records, true).unwrap_err().contains("may not stand"), "{name}");
    }
    // A noisy run may, and says so.
    let mut noisy = record();
    noisy["noisy"] = json!(true);
    keep(&noisy);
    document(&file, &records, false).unwrap();
    assert!(std::fs::read_to_string(&file).unwrap().contains("noisy"));
    keep(&record());

    std::fs::write(&file, format!("{made}\n| a | b |\n| --- | --- |\n")).unwrap();
    assert!(document(&file, &records, true).unwrap_err().contains("outside of a place"));
    std::fs::write(&file, "# Title\n").unwrap();
    assert!(document(&file, &records, true).unwrap_err().contains("has no place"));
}

/// Child processes that keep an eighth of the processors busy, and end with the test.
struct Others(Vec<std::process::Child>);

impl Others {
    fn start() -> Others {
        let processors = std::thread::available_parallelism().unwrap().get().div_ceil(8);
        let busy = || Command::new("sh").args(["-c", "while :; do :; done"]).spawn().unwrap();
        Others((0..processors).map(|_| busy()).collect())
    }
}

impl Drop for Others {
    fn drop(&mut self) {
        for child in &mut self.0 {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }
}

#[test]
fn a_run_beside_others_prints_no_figures_unless_it_is_told_to() {
    let _others = Others::start();
    let folder = tempfile::tempdir().unwrap();
    let json = folder.path().join("run.json");
    let small = ["history", "--sites", "1", "--days", "2", "--visits", "10"];
    let run =
        |more: &[&str]| bench(&[&small[..], &["--json", json.to_str().unwrap()], more].concat());
    let refused = run(&[]);
    let error = String::from_utf8_lossy(&refused.stderr);
    assert_eq!(refused.status.code(), Some(3), "{error}");
    assert!(refused.stdout.is_empty() && !json.exists(), "figures were printed");
    assert!(error.contains("others took") && error.contains("--noisy"), "{error}");

    let shown = run(&["--noisy"]);
    assert!(shown.status.success(), "{}", String::from_utf8_lossy(&shown.stderr));
    let record: Value = serde_json::from_slice(&std::fs::read(&json).unwrap()).unwrap();
    assert_eq!(record["noisy"], true, "{record}");
    assert!(record["others"].as_f64().unwrap() > 0.05, "{record}");
    assert!(String::from_utf8_lossy(&shown.stdout).contains("noisy"));
}
