//! Tables of a run, as Markdown.

use crate::timeline::{Service, Timeline};
use std::fmt::Write;
use std::time::Duration;

/// All tables of a run.
#[derive(Default)]
pub struct Tables {
    pub faults: Vec<FaultRow>,
    pub drains: Vec<DrainRow>,
    pub at_rest: Vec<Usage>,
    pub under_load: LoadUsage,
}

/// Effects of a fault on people.
pub struct FaultRow {
    fault: String,
    numbers: usize,
    calls: usize,
    /// Longest time in which nobody was told a number, or called.
    gaps: [Duration; 2],
    /// Slowest answer to a customer, and to a counter.
    slowest: [Duration; 2],
}

/// Time to send a backlog.
pub struct DrainRow {
    pub notifiers: String,
    pub notices: u64,
    /// From the first message to the last.
    pub sending: Duration,
    /// From the command that started the containers to the last message.
    pub whole: Duration,
    pub remark: String,
}

/// Memory and processor time of one container.
#[derive(Debug, Clone, PartialEq)]
pub struct Usage {
    pub container: String,
    pub memory_mib: f64,
    /// Percent of one processor.
    pub cpu_percent: f64,
}

/// Usage of every container at a rate of scans.
#[derive(Default)]
pub struct LoadUsage {
    pub wanted_per_second: u32,
    pub reached_per_second: f64,
    pub median: Duration,
    pub slowest_percent: Duration,
    pub usage: Vec<Usage>,
}

impl FaultRow {
    pub fn new(fault: String, timeline: &Timeline, since: Duration) -> FaultRow {
        let services = [Service::Number, Service::Call];
        FaultRow {
            fault,
            numbers: timeline.count(Service::Number, since),
            calls: timeline.count(Service::Call, since),
            gaps: services.map(|service| timeline.longest_gap(service, since)),
            slowest: services.map(|service| timeline.slowest(service, since)),
        }
    }

    pub fn render(&self) -> String {
        let FaultRow { fault, numbers, calls, gaps, slowest } = self;
        let times = [gaps[0], gaps[1], slowest[0], slowest[1]].map(seconds);
        format!("| {fault} | {numbers} | {calls} | {} |", times.join(" | "))
    }
}

fn seconds(time: Duration) -> String {
    format!("{:.1} s", time.as_secs_f64())
}

impl Tables {
    pub fn render(&self) -> String {
        let mut text = String::new();
        self.render_into(&mut text).expect("writing to memory");
        text
    }

    fn render_into(&self, text: &mut String) -> std::fmt::Result {
        let titles = [
            "fault",
            "numbers",
            "calls",
            "no number for",
            "no call for",
            "slowest number",
            "slowest call",
        ];
        head(text, &titles)?;
        for row in &self.faults {
            writeln!(text, "{}", row.render())?;
        }
        if !self.drains.is_empty() {
            let titles =
                ["notifiers", "notices", "first to last message", "from the start", "beside"];
            head(text, &titles)?;
        }
        for DrainRow { notifiers, notices, sending, whole, remark } in &self.drains {
            let (sending, whole) = (seconds(*sending), seconds(*whole));
            writeln!(text, "| {notifiers} | {notices} | {sending} | {whole} | {remark} |")?;
        }
        if !self.at_rest.is_empty() {
            self.render_usage(text)?;
        }
        Ok(())
    }

    fn render_usage(&self, text: &mut String) -> std::fmt::Result {
        let load = &self.under_load;
        head(
            text,
            &["container", "memory at rest", "CPU at rest", "memory under load", "CPU under load"],
        )?;
        for rest in &self.at_rest {
            let Some(busy) = load.usage.iter().find(|busy| busy.container == rest.container) else {
                continue;
            };
            writeln!(
                text,
                "| {} | {:.0} MiB | {:.1} % | {:.0} MiB | {:.1} % |",
                rest.container,
                rest.memory_mib,
                rest.cpu_percent,
                busy.memory_mib,
                busy.cpu_percent
            )?;
        }
        writeln!(
            text,
            "\nUnder load: {} scans a second wanted, {:.0} answered; half within {} ms, 99 % within {} \
             ms.",
            load.wanted_per_second,
            load.reached_per_second,
            load.median.as_millis(),
            load.slowest_percent.as_millis(),
        )
    }
}

fn head(text: &mut String, titles: &[&str]) -> std::fmt::Result {
    let rule: Vec<_> = titles.iter().map(|_| "---").collect();
    writeln!(text, "\n| {} |\n| {} |", titles.join(" | "), rule.join(" | "))
}
