//! Gate on the instructions of a decision, as callgrind counts them in the build of the tests.
//!
//! `PAIHAO_WRITE=1 cargo test -p footprint instructions` writes the counts anew.

#![cfg(target_arch = "x86_64")]

use footprint::decisions::DECISIONS_PER_ROUND;
use std::process::Command;

/// Committed counts of instructions of a decision.
const COMMITTED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/instructions.txt");

/// Share by which a count may differ: hash seeds and other versions of the C library.
const TOLERANCE: f64 = 0.03;

/// Name and options of each count, and the rounds of the two runs whose difference counts.
const COUNTED: [(&str, &[&str], [u64; 2]); 2] =
    [("domain", &["--domain"], [5, 205]), ("engine", &[], [5, 55])];

/// Counts the instructions of one run.
fn count_run(options: &[&str], rounds: u64) -> u64 {
    let run = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .arg(env!("CARGO_BIN_EXE_footprint"))
        .args(["--rounds", &rounds.to_string()])
        .args(options)
        .output()
        .expect("valgrind cannot be started: `./tests/run tools` installs it");
    let report = String::from_utf8_lossy(&run.stderr);
    assert!(run.status.success(), "{report}");
    let collected = report.lines().find_map(|line| line.split_once("Collected :"));
    let (_, count) = collected.unwrap_or_else(|| panic!("no count in\n{report}"));
    count.trim().parse().expect("a count is a number")
}

/// Lengths of the line between which a question is compared. A simulation ends after 200 calls.
const LINES: [u64; 2] = [300, 1_500];

/// Most that the longer line may take of the instructions of the shorter one: some more levels of
/// the trees that hold the line.
const MAX_GROWTH: f64 = 2.0;

#[test]
fn what_is_asked_of_a_line_does_not_grow_with_those_who_wait() {
    for look in ["due", "quote", "simulated-quote"] {
        let [short, long] = LINES.map(|waiting| {
            let waiting = waiting.to_string();
            let options = ["--look", look, "--waiting", &waiting];
            (count_run(&options, 120) - count_run(&options, 20)) / 100
        });
        assert!(short > 500, "nothing was asked: {look} takes {short} instructions");
        let growth = long as f64 / short as f64;
        assert!(
            growth <= MAX_GROWTH,
            "{look} takes {short} instructions with {} waiting and {long} with {}: {growth:.1} times",
            LINES[0],
            LINES[1]
        );
    }
}

#[test]
fn a_decision_takes_no_more_instructions_than_before() {
    let counts = COUNTED.map(|(name, options, rounds)| {
        let [few, many] = rounds.map(|rounds| count_run(options, rounds));
        (name, (many - few) / ((rounds[1] - rounds[0]) * DECISIONS_PER_ROUND))
    });
    if std::env::var_os("PAIHAO_WRITE").is_some() {
        let lines = counts.map(|(name, count)| format!("{name} {count}\n"));
        std::fs::write(COMMITTED, lines.concat()).unwrap();
    }
    let committed = std::fs::read_to_string(COMMITTED).unwrap();
    for (name, counted) in counts {
        let line = committed.lines().find_map(|line| line.strip_prefix(name));
        let before: f64 = line.expect("a line of each").trim().parse().unwrap();
        let change = counted as f64 / before - 1.0;
        assert!(
            change.abs() <= TOLERANCE,
            "a decision takes {counted} instructions ({name}), {:+.1} % of the {before} in {COMMITTED}.\n\
             More: find what the change added (`valgrind --tool=callgrind {} --rounds 55`, then \
             callgrind_annotate), and take it out or say in the commit why it is worth that.\n\
             Less, or worth it: PAIHAO_WRITE=1 cargo test -p footprint instructions",
            change * 100.0,
            env!("CARGO_BIN_EXE_footprint"),
        );
    }
}
