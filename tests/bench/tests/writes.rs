//! Gate on what a scan and a call with its message and its receipt write, as the stores count it.
//!
//! Entries, deliveries and writes are the same in each run. How many of them a server syncs
//! together, and how long consumers ask for messages meanwhile, depends on what else the machine
//! does: the bounds of syncs have room.

use serde_json::Value;
use std::process::Command;

/// Most that one act may write.
struct Bound {
    shape: &'static str,
    step: &'static str,
    /// Entries and messages of all streams.
    stored: f64,
    deliveries: f64,
    /// Of files and streams, at all servers together.
    syncs: f64,
    /// Of consumers, what they write at rest included: without a bound where it follows the time
    /// that single acts take.
    consumer_syncs: f64,
    redis_writes: f64,
}

const BOUNDS: [Bound; 5] = [
    // The append of the scan itself.
    Bound::of("file", "scan", [0.0, 0.0, 1.5, 0.0, 0.0]),
    Bound::of("file", "call", [0.0, 0.0, 9.0, 0.0, 0.0]),
    Bound::of("three-nats", "scan", [1.0, 3.0, 3.5, f64::INFINITY, 2.5]),
    Bound::of("three-nats", "call", [8.0, 15.0, 31.0, f64::INFINITY, 10.0]),
    Bound::of("three-nats", "backlog", [4.0, 9.0, 5.0, 12.0, 9.0]),
];

impl Bound {
    const fn of(
        shape: &'static str,
        step: &'static str,
        [stored, deliveries, syncs, consumer_syncs, redis_writes]: [f64; 5],
    ) -> Bound {
        Bound { shape, step, stored, deliveries, syncs, consumer_syncs, redis_writes }
    }
}

#[test]
fn a_scan_and_a_call_write_no_more_than_before() {
    let folder = tempfile::tempdir().unwrap();
    let json = folder.path().join("figures.json");
    let run = Command::new(env!("CARGO_BIN_EXE_bench"))
        .args(["writes", "--people", "20", "--backlog", "200"])
        .args(["--shapes", "file,three-nats", "--json"])
        .arg(&json)
        .output()
        .unwrap();
    let report = String::from_utf8_lossy(&run.stdout);
    assert!(run.status.success(), "{}\n{report}", String::from_utf8_lossy(&run.stderr));
    let record: Value = serde_json::from_slice(&std::fs::read(&json).unwrap()).unwrap();
    let steps = record["figures"]["steps"].as_array().unwrap();
    assert_eq!(steps.len(), BOUNDS.len(), "{report}");
    for (step, bound) in steps.iter().zip(BOUNDS) {
        assert_eq!((&step["shape"], &step["step"]), (&bound.shape.into(), &bound.step.into()));
        let sum = |name: &str, of_consumers: bool| -> f64 {
            let parts = step["parts"].as_object().unwrap().iter();
            let parts = parts.filter(|(part, _)| part.contains('→') == of_consumers);
            parts.map(|(_, part)| part[name].as_f64().unwrap()).sum()
        };
        let syncs = sum("syncs", false);
        let redis_writes = step["redis_writes"].as_f64().unwrap();
        let counted = [
            ("entries", sum("stored", false), bound.stored),
            ("deliveries", sum("delivered", true), bound.deliveries),
            ("syncs", syncs, bound.syncs),
            ("syncs of consumers", sum("syncs", true), bound.consumer_syncs),
            ("writes of Redis", redis_writes, bound.redis_writes),
        ];
        for (what, count, most) in counted {
            // A little of what the roles do at rest is in it.
            assert!(
                count <= most + 0.1,
                "{}, {}: {count} {what}, and at most {most} are meant\n{report}",
                bound.shape,
                bound.step
            );
        }
        assert!(syncs > 0.5, "nothing was counted\n{report}");
    }
}
