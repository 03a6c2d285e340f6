//! The fixed run of decisions as a program, for callgrind:
//! `valgrind --tool=callgrind target/release/footprint --rounds 500`.

use clap::Parser;
use footprint::decisions;
use footprint::looks::{self, Look};

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
    /// Asks this of one line instead, once a round.
    #[arg(long, conflicts_with = "domain")]
    look: Option<Look>,
    /// People who wait in the line that is asked.
    #[arg(long, default_value_t = 1_000, requires = "look")]
    waiting: u64,
}

fn main() -> anyhow::Result<()> {
    let options = Options::parse();
    if let Some(look) = options.look {
        return looks::run(look, options.waiting, options.rounds);
    }
    if options.domain {
        return decisions::run_domain(options.rounds);
    }
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    runtime.enable_time().start_paused(true).build()?.block_on(decisions::run(options.rounds))
}
