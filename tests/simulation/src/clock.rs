//! Clock of one process, which may be wrong.

use crate::world::World;
use paihao_chassis::clock::Clock;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

/// Clock that differs from the true time by an offset.
pub struct SkewedClock {
    world: Arc<World>,
    offset_ms: AtomicI64,
}

impl SkewedClock {
    /// Creates a clock that differs by so many milliseconds.
    pub fn new(world: Arc<World>, offset_ms: i64) -> SkewedClock {
        SkewedClock { world, offset_ms: AtomicI64::new(offset_ms) }
    }

    /// Sets the difference.
    pub fn set_offset(&self, offset_ms: i64) {
        self.offset_ms.store(offset_ms, Ordering::Relaxed);
    }
}

impl Clock for SkewedClock {
    fn now_ms(&self) -> i64 {
        self.world.now_ms() + self.offset_ms.load(Ordering::Relaxed)
    }
}
