//! Memory by part, as the bytes that are asked of the allocator:
//! `cargo run --release -p footprint --bin memory`.

use clap::Parser;
use footprint::memory::{Size, measure};
use peak_alloc::PeakAlloc;

#[global_allocator]
static MEMORY: PeakAlloc = PeakAlloc;

/// Counts the bytes that each part of a gateway keeps.
#[derive(Parser)]
#[command(name = "memory")]
struct Options {
    /// People who wait in one line.
    #[arg(long, default_value_t = 100_000)]
    waiting: u64,
    /// Sites that nobody asks about.
    #[arg(long, default_value_t = 1_000)]
    sites: u64,
}

fn main() -> anyhow::Result<()> {
    let Options { waiting, sites } = Options::parse();
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = runtime.enable_time().start_paused(true).build()?;
    let gauge = || MEMORY.current_usage() as u64;
    let parts = runtime.block_on(measure(Size { waiting, sites }, &gauge))?;
    let rows = [
        ("a waiting ticket, in the line", parts.ticket),
        ("its command, for a quarter of an hour", parts.recent_command),
        ("the delivery status of its notice", parts.delivery_status),
        ("all of it", parts.waiting_ticket()),
        ("ticket and command at another gateway", parts.ticket_elsewhere),
        ("a site that nobody asks about", parts.quiet_site),
        ("the settings of a site", parts.settings),
        ("the line, a day after, in all", parts.day_after),
        ("the line, two days after, in all", parts.two_days_after),
    ];
    for (part, bytes) in rows {
        println!("{bytes:>12.0} bytes  {part}");
    }
    Ok(())
}
