//! Clock of the machine that is compared with other clocks, such as those of the stores.
//!
//! Each comparison is good for as far as its round trip allows, and is carried forward by monotonic
//! time. So every reading is judged, and a clock that is set between two comparisons is noticed at
//! once. While the machine's clock differs by more than the bound, [`CheckedClock`] shows the time
//! of the reference instead.

use crate::clock::{Clock, ClockReading, ClockSkew, ClockTrust};
use futures::future::{BoxFuture, join_all};
use parking_lot::Mutex;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// Largest difference of two good clocks in the time that passes: 200 millionths.
const MAX_DRIFT_PER_MILLION: i64 = 200;

/// Shortest time between two looks at the references.
const LOOK_INTERVAL: Duration = Duration::from_secs(1);

/// Part of its interval after which a reference is asked again if it has not answered, or if the
/// clock is in doubt.
const SOONER: u32 = 10;

/// Longest wait for all references at the start.
const START_TIMEOUT: Duration = Duration::from_secs(5);

/// Name of the comparison with the time that has passed on this machine.
const ELAPSED: &str = "elapsed";

/// Time that a reference tells, in Unix milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReferenceTime {
    /// Time of a clock of its own, at some moment between request and response.
    Now(i64),
    /// A time that has passed.
    AtLeast(i64),
}

/// Question for the time of a reference. `None` is the answer of one that has no clock.
pub type AskTime =
    Arc<dyn Fn() -> BoxFuture<'static, Result<Option<ReferenceTime>, String>> + Send + Sync>;

/// Another clock to compare with.
#[derive(Clone)]
pub struct ClockReference {
    /// Name in logs and metrics.
    pub name: &'static str,
    /// Asks it.
    pub ask: AskTime,
    /// Time between two comparisons.
    pub interval: Duration,
}

/// Clock that is compared with references. The first of them that tells the time is believed more
/// than this machine; the others are compared for the metric.
pub struct CheckedClock {
    clock: Arc<dyn Clock>,
    max_skew: Duration,
    references: Vec<ClockReference>,
    state: Mutex<ComparisonState>,
    changes: watch::Sender<i64>,
}

#[derive(Default)]
struct ComparisonState {
    /// Newest comparison with each reference, in their order.
    comparisons: Vec<Option<Comparison>>,
    /// Comparison with the first plausible reading of this machine's clock.
    elapsed: Option<Comparison>,
}

/// Time of a reference at an instant.
#[derive(Debug, Clone, Copy)]
struct Comparison {
    at: Instant,
    time: ReferenceTime,
    uncertainty_ms: i64,
}

impl Comparison {
    /// Time of the reference now, and its uncertainty, in milliseconds.
    fn carried_to(&self, now: Instant) -> (i64, i64) {
        let passed = millis(now.saturating_duration_since(self.at));
        let (ReferenceTime::Now(then) | ReferenceTime::AtLeast(then)) = self.time;
        let drift = passed.saturating_mul(MAX_DRIFT_PER_MILLION) / 1_000_000;
        (then.saturating_add(passed), self.uncertainty_ms.saturating_add(drift))
    }

    fn is_clock(&self) -> bool {
        matches!(self.time, ReferenceTime::Now(_))
    }
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

impl CheckedClock {
    /// Creates a clock that shows the time of `clock` while it differs by at most `max_skew` from
    /// the first of the references that tells the time.
    pub fn new(
        clock: Arc<dyn Clock>,
        max_skew: Duration,
        references: Vec<ClockReference>,
    ) -> CheckedClock {
        let comparisons = vec![None; references.len()];
        let state = ComparisonState { comparisons, elapsed: None };
        CheckedClock {
            clock,
            max_skew,
            references,
            state: Mutex::new(state),
            changes: watch::Sender::new(0),
        }
    }

    /// Returns the largest difference at which the clock counts as right.
    pub fn max_skew(&self) -> Duration {
        self.max_skew
    }

    /// Time by which things may age: one that another clock stands behind, or did since the start.
    pub fn confirmed_ms(&self) -> Option<i64> {
        let reading = self.read();
        reading.trust.is_confirmed().then_some(reading.now_ms)
    }

    /// Skew of this machine's clock from each reference that has told the time.
    pub fn skews(&self) -> Vec<ClockSkew> {
        let (now, local_ms) = (Instant::now(), self.clock.now_ms());
        let state = self.state.lock();
        let told = self.references.iter().zip(&state.comparisons);
        let told = told.filter_map(|(reference, told)| Some((reference.name, (*told)?)));
        let skews =
            told.filter(|(_, comparison)| comparison.is_clock()).map(|(reference, comparison)| {
                ClockSkew {
                    reference,
                    ahead_ms: local_ms.saturating_sub(comparison.carried_to(now).0),
                }
            });
        skews.collect()
    }

    /// Error of a clock that is not to be trusted, as a sentence for the operator.
    pub fn check(&self) -> Result<(), String> {
        let trust = self.read().trust;
        match trust.skew() {
            Some(ClockSkew { reference, ahead_ms }) => {
                let seconds = ahead_ms.unsigned_abs() as f64 / 1000.0;
                let side = if ahead_ms < 0 { "behind" } else { "ahead of" };
                let other = match reference {
                    ELAPSED => "the time that has passed since the start".to_owned(),
                    name => format!("that of {name}"),
                };
                Err(format!("this machine's clock is {seconds:.1} s {side} {other}"))
            }
            None if trust == ClockTrust::Unchecked => {
                Err("the clock has not been compared with that of a store yet".to_owned())
            }
            None => Ok(()),
        }
    }

    /// Asks every reference once, within five seconds.
    pub async fn compare_all(&self) {
        let asking = join_all((0..self.references.len()).map(|index| self.compare(index)));
        if tokio::time::timeout(START_TIMEOUT, asking).await.is_err() {
            tracing::warn!("a reference of the clock does not answer");
        }
        self.publish();
    }

    /// Compares again and again until `stop`, each reference at its interval, and sooner while the
    /// clock is in doubt.
    pub async fn run(self: Arc<Self>, stop: CancellationToken) {
        let mut asked = vec![None; self.references.len()];
        let mut was_right = None;
        let mut in_doubt = false;
        loop {
            let now = Instant::now();
            let is_due = |index: &usize| {
                let interval = self.references[*index].interval;
                asked[*index].is_none_or(|(at, answered): (Instant, bool)| {
                    let wait = if answered && !in_doubt { interval } else { interval / SOONER };
                    now.saturating_duration_since(at) >= wait
                })
            };
            let due: Vec<_> = (0..self.references.len()).filter(is_due).collect();
            let asking = join_all(due.iter().map(|index| self.compare(*index)));
            let Some(answers) = stop.run_until_cancelled(asking).await else { return };
            due.into_iter().zip(answers).for_each(|(index, answered)| {
                asked[index] = Some((now, answered));
            });
            self.publish();
            let result = self.check();
            match (&result, was_right.replace(result.is_ok())) {
                (Err(problem), None | Some(true)) => {
                    tracing::error!(
                        "{problem}: nothing due is proposed here until the clock is set right"
                    );
                }
                (Ok(()), Some(false)) => tracing::info!("this machine's clock is right again"),
                _ => {}
            }
            in_doubt = result.is_err();
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(LOOK_INTERVAL) => {}
            }
        }
    }

    /// Asks one reference. Returns whether it answered in time.
    async fn compare(&self, index: usize) -> bool {
        let reference = &self.references[index];
        let sent = Instant::now();
        let answer = tokio::time::timeout(self.max_skew, (reference.ask)()).await;
        let received = Instant::now();
        let time = match answer {
            Ok(Ok(Some(time))) => time,
            Ok(Ok(None)) => return true,
            Ok(Err(error)) => {
                tracing::debug!(reference = reference.name, error, "cannot ask for the time");
                return false;
            }
            Err(_) => return false,
        };
        // Half the round trip: the time was told at some moment within it.
        let half_ms = millis(received.saturating_duration_since(sent)).div_euclid(2) + 1;
        let time = match time {
            ReferenceTime::Now(then) => ReferenceTime::Now(then.saturating_add(half_ms)),
            passed => passed,
        };
        let comparison = Comparison { at: received, time, uncertainty_ms: half_ms };
        let before = self.read().trust;
        {
            let known = &mut self.state.lock().comparisons[index];
            // A time that has passed is no less so because no later one has come.
            let is_weaker = |known: Comparison| {
                !comparison.is_clock()
                    && !known.is_clock()
                    && known.carried_to(received).0 > comparison.carried_to(received).0
            };
            if !known.is_some_and(is_weaker) {
                *known = Some(comparison);
            }
        }
        self.anchor();
        if std::mem::discriminant(&before) != std::mem::discriminant(&self.read().trust) {
            self.changes.send_modify(|version| *version += 1);
        }
        true
    }

    /// Notes the first plausible reading: from it on, time passes as the machine measures it.
    fn anchor(&self) {
        if self.state.lock().elapsed.is_some() || self.read().trust != ClockTrust::Plausible {
            return;
        }
        let time = ReferenceTime::Now(self.clock.now_ms());
        let anchor = Comparison { at: Instant::now(), time, uncertainty_ms: 0 };
        self.state.lock().elapsed = Some(anchor);
    }

    fn publish(&self) {
        for ClockSkew { reference, ahead_ms } in self.skews() {
            let seconds = ahead_ms as f64 / 1000.0;
            metrics::gauge!("paihao_clock_skew_seconds", "reference" => reference).set(seconds);
        }
        let right = f64::from(u8::from(self.check().is_ok()));
        metrics::gauge!("paihao_clock_right").set(right);
    }

    fn judge(&self, local_ms: i64, now: Instant) -> ClockReading {
        let state = self.state.lock();
        let told = self.references.iter().zip(&state.comparisons);
        let told = told.filter_map(|(reference, told)| Some((reference.name, (*told)?)));
        let max_skew_ms = millis(self.max_skew);
        // `None` within the bound, which is wider by what is uncertain.
        let differs = |(reference, comparison): (&'static str, Comparison)| {
            let (expected_ms, uncertainty_ms) = comparison.carried_to(now);
            let ahead_ms = local_ms.saturating_sub(expected_ms);
            let is_off = if comparison.is_clock() {
                ahead_ms.saturating_abs() > max_skew_ms.saturating_add(uncertainty_ms)
            } else {
                ahead_ms < -max_skew_ms.saturating_add(uncertainty_ms)
            };
            is_off.then_some((expected_ms, ClockSkew { reference, ahead_ms }))
        };
        if let Some(clock) = told.clone().find(|(_, comparison)| comparison.is_clock()) {
            return match differs(clock) {
                Some((now_ms, skew)) => ClockReading { now_ms, trust: ClockTrust::Corrected(skew) },
                None => ClockReading { now_ms: local_ms, trust: ClockTrust::Confirmed },
            };
        }
        let elapsed = state.elapsed.map(|elapsed| (ELAPSED, elapsed));
        if let Some((now_ms, skew)) = elapsed.into_iter().chain(told.clone()).find_map(differs) {
            return ClockReading { now_ms, trust: ClockTrust::Extrapolated(skew) };
        }
        let trust = if told.count() > 0 { ClockTrust::Plausible } else { ClockTrust::Unchecked };
        ClockReading { now_ms: local_ms, trust }
    }
}

impl Clock for CheckedClock {
    fn now_ms(&self) -> i64 {
        self.read().now_ms
    }

    fn adjustments(&self) -> Option<watch::Receiver<i64>> {
        self.clock.adjustments().or_else(|| Some(self.changes.subscribe()))
    }

    fn read(&self) -> ClockReading {
        self.judge(self.clock.now_ms(), Instant::now())
    }
}

#[cfg(test)]
mod tests;
