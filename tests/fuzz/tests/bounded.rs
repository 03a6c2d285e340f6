//! Bounded run of the fuzzer: every corpus, and as many mutations as a test has time for.

use fuzz::run::run;
use fuzz::targets::{TARGETS, Target};

/// Executions of each target, chosen for the speed of a debug build.
const EXECUTIONS_PER_TARGET: u64 = 50_000;

#[test]
fn nothing_that_is_thrown_at_the_codec_makes_it_panic_grow_or_take_what_it_must_not() {
    // The targets run one after the other, because memory is counted for the whole process.
    for target in &TARGETS {
        let summary = run(target, EXECUTIONS_PER_TARGET, 7).unwrap();
        assert_eq!(summary.executions, EXECUTIONS_PER_TARGET);
        let accepted = match target.name {
            "query" => "read",
            "xml" => "scan",
            "crypt" | "seal" => "opened",
            _ => "Secure false text",
        };
        let answers = &summary.distinct_outcomes;
        assert!(answers.iter().any(|answer| answer.starts_with(accepted)), "{answers:?}");
        assert!(answers.len() > 3, "{}: the corpus reaches little: {answers:?}", target.name);
        if target.name == "callback" {
            let moving = answers.iter().filter(|answer| answer.contains("formerly")).count();
            assert!(moving > 3, "{answers:?}");
        }
    }
    harness_sees_what_is_wrong();
}

/// Checks that the fuzzer detects a codec that panics, grows or accepts wrong input.
fn harness_sees_what_is_wrong() {
    let folder = fuzz::run::corpus_folder(&TARGETS[0]);
    let before = std::fs::read_dir(&folder).unwrap().count();
    type Wrong = fn(&[u8]) -> Result<String, String>;
    let panics: Wrong =
        |input| if input.len() > 60 { panic!("as the test wants") } else { Ok("".into()) };
    let grows: Wrong = |input| {
        let large = if input.len() > 60 { vec![1_u8; 1 << 20] } else { Vec::new() };
        Ok(format!("{}", large.iter().map(|byte| u64::from(*byte)).sum::<u64>()))
    };
    let refuses_long: Wrong =
        |input| if input.len() > 60 { Err("taken".into()) } else { Ok("".into()) };
    std::panic::set_hook(Box::new(|_| {}));
    for (try_out, expected) in
        [(panics, "it panics"), (grows, "make it hold"), (refuses_long, "taken")]
    {
        let error =
            run(&Target { name: "query", execute: try_out }, 1000, 1).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
        let file = error.rsplit(' ').next().unwrap();
        std::fs::remove_file(file).unwrap();
    }
    let _ = std::panic::take_hook();
    assert_eq!(std::fs::read_dir(&folder).unwrap().count(), before);
}
