//! Tests that run seeds: replay, sweep, what is kept, and what is found with a mending taken out.

use simulation::checks::findings::{self, FindingKind};
use simulation::faults::FaultKind;
use simulation::kept::KEPT;
use simulation::mendings::Mending;
use simulation::run::Report;
use simulation::sweep::Sweep;
use std::ops::Range;

/// Seeds of one of the tests that run side by side. The command runs more.
const SEEDS_PER_TEST: u64 = 40;
/// Seeds within which a fault has to be found that is there.
const FINDING_SEEDS: Range<u64> = 0..400;
/// Seeds that run before the next ones are begun.
const STEP: u64 = 4;

fn sweep(seeds: Range<u64>) -> Sweep {
    let program = env!("CARGO_BIN_EXE_simulation").into();
    Sweep { program, seeds, without: None, faults: Vec::new(), jobs: 1 }
}

/// Runs seeds until one has a finding of one of these kinds.
fn find(sweep: &Sweep, kinds: &[FindingKind]) -> Option<Report> {
    let Range { start, end } = sweep.seeds;
    (start..end).step_by(STEP as usize).find_map(|first| {
        let seeds = first..end.min(first + STEP);
        let reports = Sweep { seeds, ..sweep.clone() }.run().unwrap().reports;
        let finds =
            |report: &Report| report.findings.iter().any(|found| kinds.contains(&found.kind));
        reports.into_iter().find(finds)
    })
}

/// On other systems the standard library seeds its hash maps from elsewhere.
#[cfg(target_os = "linux")]
#[test]
fn a_seed_replays_exactly() {
    let twice = [(); 2].map(|()| sweep(0..6).run().unwrap().reports);
    assert_eq!(twice[0], twice[1]);
    assert!(twice[0].iter().all(|report| report.events > 50), "{:#?}", twice[0]);
    let hashes: Vec<_> = twice[0].iter().map(|report| report.hash).collect();
    assert!(hashes.windows(2).all(|pair| pair[0] != pair[1]), "seeds differ: {hashes:?}");
}

/// Asserts that no seed of a quarter of them all finds anything.
fn assert_nothing_new(quarter: u64) {
    let first = quarter * SEEDS_PER_TEST;
    let result = sweep(first..first + SEEDS_PER_TEST).run().unwrap();
    assert_eq!(result.reports.len() as u64, SEEDS_PER_TEST);
    let unknown = result.unknown();
    assert!(unknown.is_empty(), "replay with `cargo run -p simulation -- --seed N`: {unknown:#?}");
}

#[test]
fn no_seed_of_the_first_quarter_finds_anything_new() {
    assert_nothing_new(0);
}

#[test]
fn no_seed_of_the_second_quarter_finds_anything_new() {
    assert_nothing_new(1);
}

#[test]
fn no_seed_of_the_third_quarter_finds_anything_new() {
    assert_nothing_new(2);
}

#[test]
fn no_seed_of_the_last_quarter_finds_anything_new() {
    assert_nothing_new(3);
}

#[test]
fn a_kept_seed_finds_nothing_new() {
    for kept in KEPT {
        let kept_run = Sweep { faults: kept.faults.to_vec(), ..sweep(0..1) };
        let report = kept_run.run_seed(kept.seed).unwrap();
        let unknown = findings::unknown(&report.findings);
        assert!(unknown.is_empty(), "{}: {unknown:#?}", kept.fault);
    }
}

/// Asserts that a mending is missed by one of these findings.
fn assert_missed(mending: Mending, faults: &[FaultKind], kinds: &[FindingKind]) {
    let without = Sweep { without: Some(mending), faults: faults.to_vec(), ..sweep(FINDING_SEEDS) };
    let found = find(&without, kinds);
    assert!(found.is_some(), "nothing finds that {mending:?} is missing");
}

#[test]
fn a_line_is_lost_without_snapshots() {
    assert_missed(Mending::Snapshots, &[], &[FindingKind::LineLost, FindingKind::StateDiffers]);
}

#[test]
fn a_repeat_after_the_turn_is_a_second_command_without_its_mending() {
    let faults = [FaultKind::LostAnswers, FaultKind::Storm];
    let kinds = [FindingKind::CommandTwice, FindingKind::AnswerChanged];
    assert_missed(Mending::IdempotencyOverTurn, &faults, &kinds);
}

#[test]
fn a_notice_is_buried_at_a_restart_without_its_mending() {
    let faults = [FaultKind::Crash, FaultKind::Restart];
    assert_missed(Mending::SettingsBeforeNotices, &faults, &[FindingKind::NoticeBuried]);
}

#[test]
fn a_wrong_clock_closes_a_day_without_its_mending() {
    let kinds = [FindingKind::DayClosedEarly];
    assert_missed(Mending::ComparedClocks, &[FaultKind::WrongClock], &kinds);
}

#[test]
fn a_claim_without_an_answer_ends_unsent_without_its_mending() {
    let faults = [FaultKind::LostAnswers, FaultKind::Storm];
    assert_missed(Mending::KnownClaims, &faults, &[FindingKind::UnknownUnsent]);
}

#[test]
fn a_dead_letter_is_lost_without_its_mending() {
    let faults = [FaultKind::DeletedTemplates, FaultKind::Storm];
    assert_missed(Mending::DueDeadLetters, &faults, &[FindingKind::DeadLetterLost]);
}
