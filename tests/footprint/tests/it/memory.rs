//! Bounds on the bytes that a gateway asks the allocator for, by part.

use footprint::memory::{Size, measure};
use peak_alloc::PeakAlloc;

#[global_allocator]
static MEMORY: PeakAlloc = PeakAlloc;

/// Bytes of a waiting ticket, its command and its delivery status. 590 were counted; the target is
/// 600 (docs/reference/bench.md).
const MAX_WAITING_TICKET: f64 = 600.0;

/// Bytes of ticket and command at a gateway that has read them. 556 were counted.
const MAX_TICKET_ELSEWHERE: f64 = 575.0;

/// Bytes of a site that nobody asks about, beside its settings.
const MAX_QUIET_SITE: f64 = 1_024.0;

/// Bytes that are left of a line of thousands when the day after it is over, too.
const MAX_LEFT: f64 = 20_000.0;

#[test]
fn what_a_gateway_keeps_stays_within_its_bounds() {
    let size = Size { waiting: 3_000, sites: 300 };
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
    let gauge = || MEMORY.current_usage() as u64;
    let parts = runtime.unwrap().block_on(measure(size, &gauge)).unwrap();
    assert!(parts.waiting_ticket() <= MAX_WAITING_TICKET, "{parts:#?}");
    assert!(parts.ticket_elsewhere <= MAX_TICKET_ELSEWHERE, "{parts:#?}");
    assert!(parts.quiet_site <= MAX_QUIET_SITE, "{parts:#?}");
    assert!(parts.ticket > 100.0 && parts.recent_command > 20.0, "nothing was kept: {parts:#?}");
    assert!(parts.two_days_after <= MAX_LEFT, "{parts:#?}");
}
