//! Clocks: the time of day as a dependency that callers pass in.

use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::Instant;

/// A source of the time of day.
pub trait Clock: Send + Sync + 'static {
    /// Milliseconds since 1970-01-01T00:00:00Z.
    fn now_ms(&self) -> i64;

    /// Notifies of adjustments of the clock, so that a sleep until a time of day can be corrected;
    /// `None` for a clock that only advances, as the runtime's timers do.
    fn adjustments(&self) -> Option<watch::Receiver<i64>> {
        None
    }

    /// Time of day, with what is known of its truth. A clock that is compared with nothing counts
    /// as confirmed.
    fn read(&self) -> ClockReading {
        ClockReading { now_ms: self.now_ms(), trust: ClockTrust::Confirmed }
    }
}

/// Time of day, with what is known of its truth.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClockReading {
    /// Milliseconds since 1970-01-01T00:00:00Z.
    pub now_ms: i64,
    /// Basis of that time.
    pub trust: ClockTrust,
}

/// Basis of a time of day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClockTrust {
    /// This machine's clock; another clock agrees with it.
    Confirmed,
    /// The other clock, since this machine's differs from it.
    Corrected(ClockSkew),
    /// This machine's clock; nothing contradicts it, and nothing confirms it.
    Plausible,
    /// The time that has passed on this machine since a plausible one, since its clock has jumped,
    /// or shows a time before the newest entry of the store.
    Extrapolated(ClockSkew),
    /// This machine's clock; it has not been compared with anything yet.
    Unchecked,
}

/// Difference of this machine's clock from another time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClockSkew {
    /// Name of the other time.
    pub reference: &'static str,
    /// Milliseconds by which this machine's clock is ahead; negative if it is behind.
    pub ahead_ms: i64,
}

impl ClockTrust {
    /// Returns whether changes that time alone brings about may be proposed.
    pub fn may_propose(self) -> bool {
        matches!(self, ClockTrust::Confirmed | ClockTrust::Plausible)
    }

    /// Returns whether another clock stands behind the time.
    pub fn is_confirmed(self) -> bool {
        matches!(self, ClockTrust::Confirmed | ClockTrust::Corrected(_))
    }

    /// Returns the skew of a clock that differs by more than is allowed.
    pub fn skew(self) -> Option<ClockSkew> {
        match self {
            ClockTrust::Corrected(skew) | ClockTrust::Extrapolated(skew) => Some(skew),
            ClockTrust::Confirmed | ClockTrust::Plausible | ClockTrust::Unchecked => None,
        }
    }
}

impl<C: Clock + ?Sized> Clock for Arc<C> {
    fn now_ms(&self) -> i64 {
        (**self).now_ms()
    }

    fn adjustments(&self) -> Option<watch::Receiver<i64>> {
        (**self).adjustments()
    }

    fn read(&self) -> ClockReading {
        (**self).read()
    }
}

/// Clock of the machine.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "the one place that may read the system clock")]
    fn now_ms(&self) -> i64 {
        match std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH) {
            Ok(since) => i64::try_from(since.as_millis()).unwrap_or(i64::MAX),
            Err(before) => -i64::try_from(before.duration().as_millis()).unwrap_or(i64::MAX),
        }
    }
}

/// Clock that stands still until it is set; for tests without a runtime. Clones share the time.
#[derive(Debug, Clone, Default)]
pub struct ManualClock(Arc<watch::Sender<i64>>);

impl ManualClock {
    /// Creates a clock that shows `now_ms`.
    pub fn at(now_ms: i64) -> ManualClock {
        ManualClock(Arc::new(watch::Sender::new(now_ms)))
    }

    /// Sets the time to `now_ms`; it may go backwards, as on real machines.
    pub fn set(&self, now_ms: i64) {
        self.0.send_replace(now_ms);
    }

    /// Advances by `by` and returns the new time in milliseconds.
    pub fn advance(&self, by: Duration) -> i64 {
        let by = i64::try_from(by.as_millis()).unwrap_or(i64::MAX);
        let mut now_ms = 0;
        self.0.send_modify(|shown| {
            *shown = shown.saturating_add(by);
            now_ms = *shown;
        });
        now_ms
    }
}

impl Clock for ManualClock {
    fn now_ms(&self) -> i64 {
        *self.0.borrow()
    }

    fn adjustments(&self) -> Option<watch::Receiver<i64>> {
        Some(self.0.subscribe())
    }
}

/// Clock that advances with Tokio's timers, so that a test with a paused runtime has a single time.
#[derive(Debug)]
pub struct RuntimeClock {
    start: (Instant, i64),
}

impl RuntimeClock {
    /// Creates a clock that shows `now_ms` at this moment of the current runtime.
    pub fn starting_at(now_ms: i64) -> RuntimeClock {
        RuntimeClock { start: (Instant::now(), now_ms) }
    }
}

impl Clock for RuntimeClock {
    fn now_ms(&self) -> i64 {
        let (since, at) = self.start;
        at.saturating_add(i64::try_from(since.elapsed().as_millis()).unwrap_or(i64::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_system_clock_stands_in_this_century() {
        let now = SystemClock.now_ms();
        assert!(now > 1_700_000_000_000 && now < 4_102_444_800_000, "{now}");
    }

    #[test]
    fn a_manual_clock_advances_only_when_set() {
        let clock = ManualClock::at(1_000);
        let seen_elsewhere = clock.clone();
        assert_eq!(clock.now_ms(), 1_000);
        assert_eq!(clock.advance(Duration::from_secs(2)), 3_000);
        assert_eq!(seen_elsewhere.now_ms(), 3_000);
        clock.set(5);
        assert_eq!(seen_elsewhere.now_ms(), 5);
    }

    #[tokio::test(start_paused = true)]
    async fn a_runtime_clock_moves_with_the_timers() {
        let clock = RuntimeClock::starting_at(7_000);
        tokio::time::sleep(Duration::from_secs(60)).await;
        assert_eq!(clock.now_ms(), 67_000);
    }
}
