//! Trace of a simulation: what happened and when, as a hash and, if asked for, as text.

use parking_lot::Mutex;
use std::fmt::Arguments;

/// Trace of one run. Two runs that did the same have the same hash.
pub struct Trace {
    prints: bool,
    state: Mutex<TraceState>,
}

struct TraceState {
    hash: u64,
    events: u64,
}

impl Trace {
    /// Creates an empty trace, which prints its events if asked to.
    pub fn new(prints: bool) -> Trace {
        Trace { prints, state: Mutex::new(TraceState { hash: 0xcbf2_9ce4_8422_2325, events: 0 }) }
    }

    /// Records an event at an instant, in Unix milliseconds.
    pub fn record(&self, at_ms: i64, event: Arguments<'_>) {
        let line = format!("{at_ms} {event}");
        if self.prints {
            println!("{line}");
        }
        let mut state = self.state.lock();
        // FNV-1a
        for byte in line.bytes() {
            state.hash = (state.hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
        state.events += 1;
    }

    /// Returns the hash of all events so far.
    pub fn hash(&self) -> u64 {
        self.state.lock().hash
    }

    /// Returns the number of events so far.
    pub fn events(&self) -> u64 {
        self.state.lock().events
    }
}
