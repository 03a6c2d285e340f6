//! Times at which requests of customers and counters were answered.

use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::time::Instant;

/// Kinds of service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Service {
    /// Somebody scanned and was told a number.
    Number,
    /// A counter called somebody.
    Call,
}

/// Request that was answered, in time since the start.
#[derive(Debug, Clone, Copy)]
struct Served {
    service: Service,
    began: Duration,
    ended: Duration,
}

/// Record of all answers.
pub struct Timeline {
    started: Instant,
    served: Mutex<Vec<Served>>,
}

impl Timeline {
    pub fn start() -> Arc<Timeline> {
        Arc::new(Timeline { started: Instant::now(), served: Mutex::default() })
    }

    pub fn now(&self) -> Duration {
        self.started.elapsed()
    }

    /// Notes that a request which began then has just been answered.
    pub fn record(&self, service: Service, began: Duration) {
        let served = Served { service, began, ended: self.now() };
        self.served.lock().expect("nobody panics with it").push(served);
    }

    /// Number of answers since then.
    pub fn count(&self, service: Service, since: Duration) -> usize {
        self.of(service, since).len()
    }

    /// Longest time since then in which nobody was served.
    pub fn longest_gap(&self, service: Service, since: Duration) -> Duration {
        let mut times: Vec<_> = self.of(service, since).iter().map(|served| served.ended).collect();
        times.push(since);
        times.push(self.now());
        times.sort_unstable();
        times.windows(2).map(|pair| pair[1] - pair[0]).max().unwrap_or_default()
    }

    /// Longest time that an answer since then took, with everything that was sent again.
    pub fn slowest(&self, service: Service, since: Duration) -> Duration {
        let served = self.of(service, since);
        served.iter().map(|served| served.ended - served.began).max().unwrap_or_default()
    }

    fn of(&self, service: Service, since: Duration) -> Vec<Served> {
        let served = self.served.lock().expect("nobody panics with it");
        let later = served.iter().filter(|s| s.service == service && s.ended >= since);
        later.copied().collect()
    }
}
