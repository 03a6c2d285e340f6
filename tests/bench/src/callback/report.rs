//! Report of the figures for people.

use super::figures::{
    ClosedLoopFigures, Figures, Latency, MemoryFigures, OpenLoopFigures, RateRatio, ValidityChecks,
};
use std::fmt::Write;

/// Formats the whole report.
pub fn text(figures: &Figures) -> String {
    let mut text = String::new();
    write(figures, &mut text).expect("writing to memory");
    text
}

fn write(figures: &Figures, out: &mut String) -> std::fmt::Result {
    writeln!(out, "From a callback to a durable number, {}", figures.nats_server)?;
    writeln!(
        out,
        "{} connections, {} sites; a commit has {} bytes, a reply {}",
        figures.connections, figures.sites, figures.commit_bytes, figures.reply_bytes,
    )?;
    closed(&figures.closed, out)?;
    ratios(&figures.ratios, out)?;
    for absent in &figures.absent {
        writeln!(out, "  left out: {absent}")?;
    }
    let secure = figures.secure.spread;
    let by_cpu = figures.secure.by_cpu;
    let median = secure.median;
    let least = secure.least;
    let most = secure.most;
    writeln!(out, "  Secure mode ÷ plain{median:>5.2} ({least:.2}..{most:.2})  {by_cpu:>7.2}")?;
    open(&figures.open, out)?;
    memory(&figures.memory, figures.validity.callbacks, out)?;
    validity(&figures.validity, figures.first_bad.as_deref(), out)
}

fn closed(servers: &[ClosedLoopFigures], out: &mut String) -> std::fmt::Result {
    writeln!(out, "\nClosed loop: each connection asks again as soon as it was answered")?;
    writeln!(
        out,
        "                 requests/s                      latency ms              CPU µs per request        others",
    )?;
    writeln!(
        out,
        "  server         median   least..most          p50      p99    p99.9   server   NATS  generator   CPU",
    )?;
    for server in servers {
        let Latency { p50_ms, p99_ms, p999_ms, .. } = server.latency;
        writeln!(
            out,
            "  {:<13}{:>8.0} {:>7.0}..{:<7.0} {:>8.2} {:>8.2} {:>8.2} {:>8.0} {:>6.0} {:>8.0} {:>6.0} %",
            server.server,
            server.per_second.median,
            server.per_second.least,
            server.per_second.most,
            p50_ms,
            p99_ms,
            p999_ms,
            server.cpu_us.server,
            server.cpu_us.nats_server,
            server.cpu_us.generator,
            server.other_cpu_share * 100.0,
        )?;
    }
    Ok(())
}

fn ratios(ratios: &[RateRatio], out: &mut String) -> std::fmt::Result {
    writeln!(
        out,
        "\nThe gateway's rate divided by another's, per round: median (least..most), and by CPU alone",
    )?;
    for RateRatio { to, spread, by_cpu } in ratios {
        let median = spread.median;
        let least = spread.least;
        let most = spread.most;
        writeln!(out, "  ÷ {to:<13}{median:>7.2} ({least:.2}..{most:.2})  {by_cpu:>7.2}")?;
    }
    Ok(())
}

fn open(servers: &[OpenLoopFigures], out: &mut String) -> std::fmt::Result {
    writeln!(out, "\nOpen loop: latency in ms from when a request was due")?;
    writeln!(
        out,
        "  server      due/s  requests      p50      p99    p99.9      max   sent late p50    p99   others",
    )?;
    for server in servers {
        let Latency { p50_ms, p99_ms, p999_ms, max_ms } = server.latency;
        writeln!(
            out,
            "  {:<9}{:>8.0} {:>9} {:>8.2} {:>8.2} {:>8.2} {:>8.2} {:>15.2} {:>6.2} {:>6.0} %",
            server.server,
            server.per_second,
            server.requests,
            p50_ms,
            p99_ms,
            p999_ms,
            max_ms,
            server.late.p50_ms,
            server.late.p99_ms,
            server.other_cpu_share * 100.0,
        )?;
    }
    writeln!(out, "  Slowest request of each second, in ms")?;
    for server in servers {
        let seconds: Vec<_> =
            server.slowest_by_second_ms.iter().map(|slowest| format!("{slowest:.0}")).collect();
        writeln!(out, "  {:<9} {}", server.server, seconds.join(" "))?;
    }
    Ok(())
}

fn memory(processes: &[MemoryFigures], callbacks: u64, out: &mut String) -> std::fmt::Result {
    writeln!(out, "\nMemory in MiB (resident), at rest and after {callbacks} callbacks")?;
    writeln!(out, "  process          at rest    after     peak")?;
    for MemoryFigures { process, at_rest_mib, after_mib, peak_mib } in processes {
        writeln!(out, "  {process:<14}{at_rest_mib:>10.1} {after_mib:>8.1} {peak_mib:>8.1}")?;
    }
    Ok(())
}

fn validity(
    validity: &ValidityChecks,
    first_bad: Option<&str>,
    out: &mut String,
) -> std::fmt::Result {
    let ValidityChecks { callbacks, bad_replies, sites_out_of_order, unplanned } = validity;
    writeln!(out, "\nWhat was measured was the real thing:")?;
    writeln!(out, "  {callbacks} callbacks; {bad_replies} replies without what they should hold")?;
    writeln!(out, "  {sites_out_of_order} sites with a gap or a repeat in the numbers given out")?;
    writeln!(out, "  {unplanned} entries of the ledger that the notifier had not read at the end")?;
    match first_bad {
        Some(reply) => writeln!(out, "  the first bad reply: {reply}"),
        None => Ok(()),
    }
}
