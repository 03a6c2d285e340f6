//! How long somebody will wait: a range that is rounded for people.
//!
//! This is the cold-start form of product.md §7: the owner's minutes, the counters that are open
//! and how long they have been busy. Multipliers stand in for the quantiles that a queue's own
//! history will give.

/// A range of minutes. The upper bound is the promise.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Estimate {
    /// From, in whole minutes.
    pub low: u32,
    /// To, in whole minutes; never smaller than `low`.
    pub high: u32,
}

/// What the wait is made of.
pub(crate) struct Outlook {
    /// People ahead in the queue.
    pub(crate) ahead: usize,
    /// Minutes one customer takes.
    pub(crate) minutes: f64,
    /// For each open counter that serves the queue: minutes it has been busy, `None` if free.
    pub(crate) counters: Vec<Option<f64>>,
}

const PROMISE: f64 = 1.4;

impl Outlook {
    /// The range to tell, `None` while no counter is open.
    pub(crate) fn estimate(&self) -> Option<Estimate> {
        let open = self.counters.len() as f64;
        if self.counters.is_empty() {
            return None;
        }
        let all_busy = self.counters.iter().all(Option::is_some);
        if self.ahead == 0 && !all_busy {
            return Some(Estimate { low: 0, high: 5 });
        }
        let remaining: f64 = self
            .counters
            .iter()
            .flatten()
            .map(|spent| (self.minutes - spent).max(self.minutes / 4.0))
            .sum();
        let overlap = (open - 1.0) * self.minutes;
        let median = ((self.ahead as f64 * self.minutes + remaining - overlap) / open)
            .max(0.3 * self.minutes / open);
        Some(round(median, median * PROMISE))
    }
}

/// Outward to five minutes above ten, to the minute below.
fn round(low: f64, high: f64) -> Estimate {
    let down = if low > 10.0 { (low / 5.0).floor() * 5.0 } else { low.floor() };
    let up = if high > 10.0 { (high / 5.0).ceil() * 5.0 } else { high.ceil() };
    Estimate { low: down as u32, high: (up as u32).max(down as u32).max(1) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(ahead: usize, minutes: f64, counters: &[Option<f64>]) -> Option<(u32, u32)> {
        Outlook { ahead, minutes, counters: counters.to_vec() }.estimate().map(|e| (e.low, e.high))
    }

    #[test]
    fn nobody_can_say_while_no_counter_is_open() {
        assert_eq!(told(3, 5.0, &[]), None);
    }

    #[test]
    fn a_free_counter_and_nobody_ahead_is_at_once() {
        assert_eq!(told(0, 5.0, &[None]), Some((0, 5)));
    }

    #[test]
    fn more_people_ahead_is_never_a_shorter_wait() {
        for counters in 1..6 {
            let busy = vec![Some(1.0); counters];
            let highs: Vec<_> = (0..60).map(|n| told(n, 7.0, &busy).unwrap().1).collect();
            assert!(highs.is_sorted(), "{highs:?}");
        }
    }

    #[test]
    fn above_ten_minutes_the_range_is_in_fives() {
        // Seven people of five minutes each and one counter that just began: 40 to 56 minutes.
        assert_eq!(told(7, 5.0, &[Some(0.0)]), Some((40, 60)));
    }
}
