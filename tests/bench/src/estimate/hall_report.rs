//! Report of the halls' figures for people.

use super::figures::Figures;
use super::hall_figures::{CellFigures, HallFigures};
use std::fmt::Write;

/// Formats the part of the halls.
pub fn text(figures: &Figures) -> String {
    let mut text = String::new();
    write(&figures.halls, &mut text).expect("writing to memory");
    text
}

fn write(halls: &[HallFigures], out: &mut String) -> std::fmt::Result {
    writeln!(out, "Halls, as their customers are told; in brackets: the closed form")?;
    for HallFigures { hall, what, people, .. } in halls {
        writeln!(out, "  {hall}  {what}; {people} people scored")?;
    }
    writeln!(
        out,
        "\n   mean wait  mean absolute error  less than closed form  median error   bias  within \
         25 % or 5 min  within 80 % bound  within told",
    )?;
    for one in halls {
        writeln!(
            out,
            "  {} {:>9.2} {:>11.2} ({:>5.2}) {:>15.2} ± {:.2} {:>13.2} {:>6.2} {:>20.1} % {:>10.1} ({:.1}) % {:>10.1} %",
            one.hall,
            one.wait,
            one.error,
            one.closed_form_error,
            one.gain.0,
            one.gain.1,
            one.median_error,
            one.bias,
            one.within * 100.0,
            one.coverage * 100.0,
            one.closed_form_coverage * 100.0,
            one.told_coverage * 100.0,
        )?;
    }
    let by_band = |one: &HallFigures, out: &mut String| write_cells(one.hall, &one.bands, out);
    let by_hour = |one: &HallFigures, out: &mut String| write_cells(one.hall, &one.hours, out);
    writeln!(out, "\nBy people ahead: people, mean absolute error, within the 80 % bound")?;
    halls.iter().try_for_each(|one| by_band(one, out))?;
    writeln!(out, "\nBy hour of joining")?;
    halls.iter().try_for_each(|one| by_hour(one, out))
}

fn write_cells(hall: char, cells: &[CellFigures], out: &mut String) -> std::fmt::Result {
    for (index, one) in cells.iter().enumerate() {
        let CellFigures { cell, people, error, closed_form_error, .. } = one;
        writeln!(
            out,
            "  {} {cell:>5}: {people:>7} {error:>6.2} ({closed_form_error:>5.2}) {:>6.1} ({:.1}) %",
            if index == 0 { hall } else { ' ' },
            one.coverage * 100.0,
            one.closed_form_coverage * 100.0,
        )?;
    }
    Ok(())
}
