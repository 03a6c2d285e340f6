//! The fixed run of decisions as a program, for callgrind:
//! `valgrind --tool=callgrind target/release/footprint --rounds 500`.

use clap::Parser;
use footprint::decisions;

/// The allocator of the product.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Decides scans and calls in one thread, on simulated time.
#[derive(Parser)]
#[command(name = "footprint")]
struct Options {
    /// Rounds of four scans, a call and its end, each at the next site.
    #[arg(long, default_value_t = 500)]
    rounds: u64,
    /// By the domain alone, without an engine and a ledger.
    #[arg(long)]
    domain: bool,
}

fn main() -> anyhow::Result<()> {
    let options = Options::parse();
    if options.domain {
        return decisions::run_domain(options.rounds);
    }
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    runtime.enable_time().start_paused(true).build()?.block_on(decisions::run(options.rounds))
}
