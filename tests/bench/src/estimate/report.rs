//! Report of the figures for people.

use super::figures::{Comparison, Figures, SettingFigures};
use std::fmt::Write;

/// Formats the whole report.
pub fn text(figures: &Figures) -> String {
    let mut text = String::new();
    write(figures, &mut text).expect("writing to memory");
    text
}

fn write(figures: &Figures, out: &mut String) -> std::fmt::Result {
    let Figures { seeds, days, discarded, settings, .. } = figures;
    writeln!(
        out,
        "Waits estimated at joining, for those who have to wait: {seeds} seeds of {days} days, \
         the first {discarded} only learned from",
    )?;
    for measured in settings {
        let SettingFigures { setting, what, people, .. } = measured;
        writeln!(out, "  {setting}  {what}; {people} people scored")?;
    }
    writeln!(out, "\nMean absolute error in minutes (in brackets: the reference table)")?;
    write!(out, "  {:<52}", "")?;
    for measured in settings {
        write!(out, "{:>9}      ", measured.setting)?;
    }
    writeln!(out)?;
    row(out, "mean wait", settings, |measured| measured.wait)?;
    let names = settings.first().map_or(&[][..], |measured| &measured.simple);
    for (index, (name, _)) in names.iter().enumerate() {
        row(out, name, settings, |measured| measured.simple[index].1)?;
    }
    row(out, "paihao", settings, |measured| measured.error)?;
    writeln!(
        out,
        "\n   off the table  ± seeds  less than last 30 slots  median error   bias  within 25 % or \
         5 min  within 80 % bound  within told",
    )?;
    for m in settings {
        let deviation_percent = (m.error.seen / m.error.table - 1.0) * 100.0;
        writeln!(
            out,
            "  {} {deviation_percent:>+9.1} % {:>10.3} {:>14.2} ± {:.2} {:>16.2} {:>8.2} {:>17.1} % {:>15.1} % {:>10.1} %",
            m.setting,
            m.error_spread,
            m.gain.0,
            m.gain.1,
            m.median_error,
            m.bias,
            m.within * 100.0,
            m.coverage * 100.0,
            m.told_coverage * 100.0,
        )?;
    }
    writeln!(
        out,
        "\nBy people ahead: share of people, mean absolute error, within the 80 % bound"
    )?;
    for m in settings {
        write!(out, "  {}", m.setting)?;
        for band in &m.bands {
            let share = band.people as f64 / m.people as f64 * 100.0;
            let ahead = band.ahead;
            let coverage = band.coverage * 100.0;
            write!(out, "   {ahead:>4}: {share:>4.1} % {:>6.2} {coverage:>5.1} %", band.error)?;
        }
        writeln!(out)?;
    }
    Ok(())
}

fn row(
    out: &mut String,
    name: &str,
    settings: &[SettingFigures],
    figure: impl Fn(&SettingFigures) -> Comparison,
) -> std::fmt::Result {
    write!(out, "  {name:<52}")?;
    for measured in settings {
        let Comparison { seen, table } = figure(measured);
        write!(out, "{seen:>8.2} ({table:>4.1})")?;
    }
    writeln!(out)
}
