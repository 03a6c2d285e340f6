//! A table of a document from a list in the figures of a run.

use anyhow::{Context, bail};
use serde_json::Value;

/// One table: its heading, the list of its rows, and its columns.
pub struct Table {
    pub caption: &'static str,
    /// JSON pointer to the rows: a list, or an object, which is one row.
    pub rows: &'static str,
    pub columns: &'static [Column],
}

/// A column: its head, the JSON pointer within a row, and its form.
pub struct Column(pub &'static str, pub &'static str, pub Form);

/// Form of a figure.
#[derive(Debug, Clone, Copy)]
pub enum Form {
    Text,
    /// A whole number, with commas between thousands.
    Count,
    /// A number with so many decimals, and its unit.
    Number(usize, &'static str),
    /// A share from 0 to 1 in percent.
    Percent,
    /// Median with least and most over the rounds, with decimals and unit.
    Spread(usize, &'static str),
    /// A factor between the figures of a record and the unit that is shown.
    Scaled(f64, usize, &'static str),
}

impl Table {
    /// Formats the table; `None` if the run has none of its rows.
    pub fn text(&self, figures: &Value) -> anyhow::Result<Option<String>> {
        let rows = match figures.pointer(self.rows) {
            Some(Value::Array(rows)) => &rows[..],
            Some(row @ Value::Object(_)) => std::slice::from_ref(row),
            _ => bail!("no rows at {:?}", self.rows),
        };
        if rows.is_empty() {
            return Ok(None);
        }
        let mut lines = vec![
            line(self.columns.iter().map(|Column(head, ..)| (*head).to_owned())),
            line(self.columns.iter().map(|_| "---".to_owned())),
        ];
        for row in rows {
            let cell = |Column(head, pointer, form): &Column| {
                let value = row.pointer(pointer).with_context(|| format!("no {pointer:?}"))?;
                form.text(value).with_context(|| format!("{head}: {value} is no {form:?}"))
            };
            let cells = self.columns.iter().map(cell).collect::<anyhow::Result<Vec<_>>>()?;
            lines.push(line(cells));
        }
        Ok(Some(format!("{}\n\n{}\n", self.caption, lines.join("\n"))))
    }
}

fn line(cells: impl IntoIterator<Item = String>) -> String {
    let cells: Vec<_> = cells.into_iter().map(|cell| cell.replace('|', "\\|")).collect();
    format!("| {} |", cells.join(" | "))
}

impl Form {
    fn text(self, value: &Value) -> Option<String> {
        let number = |decimals: usize, unit: &str, value: f64| {
            let space = if unit.is_empty() { "" } else { " " };
            format!("{}{space}{unit}", with_commas(&format!("{value:.decimals$}")))
        };
        Some(match self {
            _ if value.is_null() => String::new(),
            Form::Text => match value {
                Value::String(text) => text.clone(),
                Value::Bool(true) => "yes".to_owned(),
                Value::Bool(false) => "no".to_owned(),
                other => other.to_string(),
            },
            Form::Count => number(0, "", value.as_f64()?),
            Form::Number(decimals, unit) => number(decimals, unit, value.as_f64()?),
            Form::Scaled(factor, decimals, unit) => {
                number(decimals, unit, value.as_f64()? * factor)
            }
            Form::Percent => number(0, "%", value.as_f64()? * 100.0),
            Form::Spread(decimals, unit) => {
                let of = |name: &str| value.get(name)?.as_f64();
                let [median, least, most] = [of("median")?, of("least")?, of("most")?];
                let range = [least, most].map(|end| number(decimals, "", end)).join("..");
                format!("{} ({range})", number(decimals, unit, median))
            }
        })
    }
}

/// Puts commas between thousands.
fn with_commas(number: &str) -> String {
    let digits = number.find('.').unwrap_or(number.len());
    let mut text = String::new();
    for (at, character) in number.char_indices() {
        let left = digits.saturating_sub(at);
        if at < digits && left % 3 == 0 && text.ends_with(|last: char| last.is_ascii_digit()) {
            text.push(',');
        }
        text.push(character);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn figures_have_their_units_and_commas() {
        let text = |form: Form, value: Value| form.text(&value).unwrap();
        assert_eq!(text(Form::Count, json!(1_234_567)), "1,234,567");
        assert_eq!(text(Form::Count, json!(-999.4)), "-999");
        assert_eq!(text(Form::Count, json!(-1000)), "-1,000");
        assert_eq!(text(Form::Number(2, "ms"), json!(12345.678)), "12,345.68 ms");
        assert_eq!(text(Form::Percent, json!(0.126)), "13 %");
        assert_eq!(text(Form::Scaled(1e-3, 1, "kB"), json!(1550)), "1.6 kB");
        let spread = json!({"median": 1.5, "least": 1.0, "most": 2.0});
        assert_eq!(text(Form::Spread(1, "s"), spread), "1.5 s (1.0..2.0)");
        assert!(Form::Count.text(&json!("many")).is_none());
    }

    #[test]
    fn a_row_without_its_figure_is_an_error_and_no_row_is_no_table() {
        let table =
            Table { caption: "c", rows: "/list", columns: &[Column("a", "/a", Form::Count)] };
        let full = table.text(&json!({"list": [{"a": 1}, {"a": 2}]})).unwrap().unwrap();
        assert_eq!(full, "c\n\n| a |\n| --- |\n| 1 |\n| 2 |\n");
        assert!(table.text(&json!({"list": [{"b": 1}]})).is_err());
        assert!(table.text(&json!({})).is_err());
        assert_eq!(table.text(&json!({"list": []})).unwrap(), None);
    }
}
