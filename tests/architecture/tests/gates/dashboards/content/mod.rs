//! Content of the dashboards: their rows, panels and queries.

mod overview;
mod roles;

/// A dashboard, by the name of its file.
pub(crate) struct Dashboard {
    pub(crate) name: &'static str,
    pub(crate) title: &'static str,
    pub(crate) rows: &'static [(&'static str, &'static [Panel])],
}

/// A panel with its unit, as Grafana names it, and its queries with their legends.
pub(crate) struct Panel {
    pub(crate) title: &'static str,
    pub(crate) unit: &'static str,
    pub(crate) queries: &'static [(&'static str, &'static str)],
}

pub(crate) const fn panel(
    title: &'static str,
    unit: &'static str,
    queries: &'static [(&'static str, &'static str)],
) -> Panel {
    Panel { title, unit, queries }
}

const PER_MINUTE: &str = "cpm";
const NUMBER: &str = "short";
const SECONDS: &str = "s";
const BYTES: &str = "bytes";
const RATIO: &str = "percentunit";
const YES_OR_NO: &str = "bool_yes_no";

/// Readiness, stores and clock of the processes of a role.
const HEALTH: &[Panel] = &[
    panel("就绪 · Ready", YES_OR_NO, &[(r#"paihao_ready{job=~"$job"}"#, "{{instance}}")]),
    panel(
        "账本与缓存 · Ledger and cache",
        YES_OR_NO,
        &[(r#"paihao_dependency_up{job=~"$job"}"#, "{{instance}} {{dependency}}")],
    ),
    panel(
        "时钟偏差 · Clock skew",
        SECONDS,
        &[(r#"paihao_clock_skew_seconds{job=~"$job"}"#, "{{instance}} {{reference}}")],
    ),
];

/// All dashboards, each a file.
pub(crate) fn dashboards() -> impl Iterator<Item = &'static Dashboard> {
    overview::DASHBOARDS.iter().chain(roles::DASHBOARDS)
}
