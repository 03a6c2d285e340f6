//! Release gate of the estimator. In the short form its error stays within the recorded one, and it
//! beats the simpler estimators; the same seeds give the same figures.

use serde_json::Value;
use std::path::Path;
use std::process::{Command, Output};

fn run_estimate(arguments: &[&str], json: &Path) -> Output {
    Command::new(env!("CARGO_BIN_EXE_bench"))
        .args(["estimate", "--json"])
        .arg(json)
        .args(arguments)
        .output()
        .unwrap()
}

#[test]
fn the_same_seeds_give_the_same_figures() {
    let folder = tempfile::tempdir().unwrap();
    let run = |name: &str, seeds| {
        let json = folder.path().join(name);
        run_estimate(&["--seeds", seeds, "--days", "62"], &json);
        let record: Value = serde_json::from_slice(&std::fs::read(json).unwrap()).unwrap();
        assert_eq!(record["command"], format!("estimate --seeds {seeds} --days 62"));
        record["figures"].clone()
    };
    let once = run("once.json", "1");
    assert!(once["settings"][0]["people"].as_u64().unwrap() > 0, "{once}");
    assert!(once == run("again.json", "1"), "chance from elsewhere");
    assert!(once != run("more.json", "2"), "the seeds make no difference");
}

#[test]
fn the_short_form_is_no_worse_than_recorded() {
    let folder = tempfile::tempdir().unwrap();
    let json = folder.path().join("figures.json");
    let run = run_estimate(&["--short"], &json);
    assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
    let figures = std::fs::read(&json).unwrap();
    let figures: Value = serde_json::from_slice(&figures).unwrap();
    let figures = &figures["figures"];
    let settings = figures["settings"].as_array().unwrap();
    let names: Vec<_> = settings.iter().map(|s| s["setting"].as_str().unwrap()).collect();
    assert_eq!(names, ["A", "B", "C", "D", "E"]);
    for setting in settings {
        let of = |figure: &Value| figure.as_f64().unwrap();
        // The first simple estimator is skipped. The others know neither the line nor the counters,
        // or do not know how long the services in progress have lasted.
        let ours = of(&setting["error"]["seen"]);
        for simple in &setting["simple"].as_array().unwrap()[1..] {
            assert!(ours < of(&simple[1]["seen"]), "{} is better in {setting}", simple[0]);
        }
        // The synthetic sites still resemble those of the table.
        let wait = of(&setting["wait"]["seen"]) / of(&setting["wait"]["table"]);
        assert!((0.85..1.15).contains(&wait), "{setting}");
    }
    let halls = figures["halls"].as_array().unwrap();
    let of = |hall: &str, figure: &str| {
        let hall = halls.iter().find(|h| h["hall"] == hall).unwrap();
        hall[figure].as_f64().unwrap()
    };
    for hall in ["F", "G", "H", "I", "J", "K"] {
        assert!(of(hall, "error") < of(hall, "closed_form_error"), "{hall}");
        // A promise in words is rounded outward.
        assert!(of(hall, "told_coverage") > of(hall, "coverage"), "{hall}");
    }
    assert!(of("J", "error") < of("K", "error"), "the shifts are of use");
}
