//! Pictures of the dashboards: each panel is drawn from the answers to its own queries.

use super::prometheus::Prometheus;
use serde_json::Value;
use std::fmt::Write;
use std::path::Path;

const PANEL_WIDTH: f64 = 420.0;
const PANEL_HEIGHT: f64 = 220.0;
const ROW_HEIGHT: f64 = 30.0;
/// Space around the plot of a panel: for its title, its legend and the numbers of its axis.
const TOP: f64 = 30.0;
const BOTTOM: f64 = 46.0;
const LEFT: f64 = 60.0;
const RIGHT: f64 = 12.0;

/// Most lines whose names are in a legend.
const MAX_NAMES: usize = 5;

const COLOURS: [&str; 8] =
    ["#2a6fdb", "#d1495b", "#2a9d62", "#b07d12", "#7b4bb7", "#008c9e", "#c2571a", "#5b6470"];

/// One line: its name, and its values by time from 0 to 1.
struct Line {
    name: String,
    values: Vec<(f64, f64)>,
}

/// Draws every dashboard over the time that Prometheus has seen. Returns the number of panels with
/// a line. With `PAIHAO_WRITE` the pictures are written into `docs/pictures`.
pub async fn draw(prometheus: &Prometheus) -> usize {
    let root = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."));
    let mut filled = 0;
    for name in ["day", "messages", "stores", "gateway", "notifier", "token"] {
        let file = root.join(format!("deploy/dashboards/{name}.json"));
        let dashboard: Value = serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap();
        let picture = draw_dashboard(prometheus, &dashboard, &mut filled).await;
        if std::env::var_os("PAIHAO_WRITE").is_some() {
            let file = root.join(format!("docs/pictures/dashboard-{name}.svg"));
            std::fs::write(file, picture).unwrap();
        }
    }
    filled
}

async fn draw_dashboard(prometheus: &Prometheus, dashboard: &Value, filled: &mut usize) -> String {
    let variables = dashboard["templating"]["list"].as_array().unwrap();
    let job = variables.iter().find(|variable| variable["name"] == "job");
    let job = job.and_then(|job| job["query"].as_str()).unwrap_or_default();
    let (mut drawn, mut y, mut column) = (String::new(), 40.0, 0);
    for panel in dashboard["panels"].as_array().unwrap() {
        let title = panel["title"].as_str().unwrap();
        if panel["type"] == "row" {
            y += if column == 0 { 0.0 } else { PANEL_HEIGHT };
            column = 0;
            text(&mut drawn, (12.0, y + 21.0), "row", title);
            y += ROW_HEIGHT;
            continue;
        }
        if column == 3 {
            column = 0;
            y += PANEL_HEIGHT;
        }
        let mut lines = Vec::new();
        for target in panel["targets"].as_array().unwrap() {
            let query = target["expr"].as_str().unwrap().replace("$job", job);
            let legend = target["legendFormat"].as_str().unwrap();
            let series = prometheus.query_range(&query).await;
            lines.extend(
                series
                    .into_iter()
                    .map(|(labels, values)| Line { name: name_of(legend, &labels), values }),
            );
        }
        *filled += usize::from(!lines.is_empty());
        let at = (f64::from(column) * PANEL_WIDTH, y);
        draw_panel(
            &mut drawn,
            at,
            title,
            panel["fieldConfig"]["defaults"]["unit"].as_str(),
            &lines,
        );
        column += 1;
    }
    y += PANEL_HEIGHT;
    let mut picture = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {y}\" width=\"{width}\" \
         height=\"{y}\" font-family=\"sans-serif\">\n<style>rect{{fill:#fff;stroke:#d5d9de}} \
         .background{{fill:#f4f5f7;stroke:none}} text{{fill:#22262b;font-size:11px}} .title{{font-\
         size:13px;font-weight:600}} .row{{font-size:14px;font-weight:600}} .axis{{fill:#6b7280;\
         text-anchor:end}} path{{fill:none;stroke-width:1.5}}</style>\n\
         <rect class=\"background\" width=\"{width}\" height=\"{y}\"/>\n",
        width = PANEL_WIDTH * 3.0,
    );
    text(&mut picture, (12.0, 26.0), "row", dashboard["title"].as_str().unwrap());
    picture + &drawn + "</svg>\n"
}

fn draw_panel(
    into: &mut String,
    (x, y): (f64, f64),
    title: &str,
    unit: Option<&str>,
    lines: &[Line],
) {
    let (width, height) = (PANEL_WIDTH - 8.0, PANEL_HEIGHT - 8.0);
    let (x, y) = (x + 4.0, y + 4.0);
    let _ = writeln!(into, "<rect x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"{height}\"/>");
    text(into, (x + 10.0, y + 19.0), "title", title);
    let values = lines.iter().flat_map(|line| line.values.iter().map(|(_, value)| *value));
    let (low, high) = values
        .filter(|value| value.is_finite())
        .fold((0.0_f64, 0.0_f64), |(low, high), value| (low.min(value), high.max(value)));
    let high = if high == low { low + 1.0 } else { high };
    let (plot_width, plot_height) = (width - LEFT - RIGHT, height - TOP - BOTTOM);
    let place = |(at, value): (f64, f64)| {
        let share = (value - low) / (high - low);
        (x + LEFT + at * plot_width, y + TOP + (1.0 - share) * plot_height)
    };
    for value in [low, high] {
        let (_, line) = place((0.0, value));
        text(into, (x + LEFT - 6.0, line + 4.0), "axis", &number(value, unit));
        let _ = writeln!(
            into,
            "<path stroke=\"#e4e7eb\" d=\"M{:.1} {line:.1}h{plot_width:.1}\"/>",
            x + LEFT
        );
    }
    for (line, colour) in lines.iter().zip(COLOURS.iter().cycle()) {
        let mut path = String::new();
        let mut open = false;
        for (at, value) in &line.values {
            if value.is_finite() {
                let (px, py) = place((*at, *value));
                let _ = write!(path, "{}{px:.1} {py:.1}", if open { 'L' } else { 'M' });
            }
            open = value.is_finite();
        }
        let _ = writeln!(into, "<path stroke=\"{colour}\" d=\"{path}\"/>");
    }
    let mut legend = x + 10.0;
    for (line, colour) in lines.iter().zip(COLOURS).take(MAX_NAMES) {
        let name: String = line.name.chars().take(24).collect();
        let at = y + height - 12.0;
        let _ = writeln!(
            into,
            "<path stroke=\"{colour}\" stroke-width=\"3\" d=\"M{legend:.0} {:.0}h10\"/>",
            at - 4.0
        );
        text(into, (legend + 14.0, at), "name", &name);
        legend += 26.0 + 6.2 * name.chars().count() as f64;
        if legend > x + width - 60.0 {
            break;
        }
    }
    if lines.is_empty() {
        text(into, (x + width / 2.0 - 20.0, y + height / 2.0), "axis", "无 · none");
    }
}

fn text(into: &mut String, (x, y): (f64, f64), class: &str, text: &str) {
    let text = text.replace('&', "&amp;").replace('<', "&lt;");
    let _ = writeln!(into, "<text class=\"{class}\" x=\"{x:.0}\" y=\"{y:.0}\">{text}</text>");
}

/// Fills the labels of a series into a legend.
fn name_of(legend: &str, labels: &Value) -> String {
    let mut name = legend.to_owned();
    for (label, value) in labels.as_object().into_iter().flatten() {
        name = name.replace(&format!("{{{{{label}}}}}"), value.as_str().unwrap_or_default());
    }
    name
}

fn number(value: f64, unit: Option<&str>) -> String {
    match unit {
        Some("percentunit") => format!("{:.0} %", value * 100.0),
        Some("bytes") => format!("{:.0} kB", value / 1000.0),
        Some("s") => format!("{value:.3} s"),
        Some("cpm") => format!("{value:.1}/min"),
        _ => format!("{value:.0}"),
    }
}
