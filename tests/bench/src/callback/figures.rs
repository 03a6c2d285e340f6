//! What a run found: plain numbers with their units in their names, for people and for programs.

use hdrhistogram::Histogram;
use serde::Serialize;

/// Everything.
#[derive(Serialize)]
pub struct Figures {
    /// The build that was measured: `release`, or `debug`, whose figures mean nothing.
    pub build: &'static str,
    pub processors: usize,
    pub nats_server: String,
    pub connections: usize,
    pub sites: usize,
    /// Bytes of a commit of one ticket, and of the reply to a scan.
    pub commit_bytes: usize,
    pub reply_bytes: usize,
    pub wechat_answers_in_ms: u64,
    /// In the order in which the first round took them.
    pub closed: Vec<ClosedLoopFigures>,
    /// The gateway's rate divided by another server's.
    pub ratios: Vec<RateRatio>,
    /// The gateway's rate in secure mode divided by its rate in plain mode.
    pub secure: RateRatio,
    pub open: Vec<OpenLoopFigures>,
    pub memory: Vec<MemoryFigures>,
    pub truth: ValidityChecks,
    /// Who gave the first bad reply, and what it was.
    pub first_bad: Option<String>,
}

/// One server under a closed loop.
#[derive(Serialize)]
pub struct ClosedLoopFigures {
    pub server: &'static str,
    /// Requests answered in recorded time, over all rounds.
    pub requests: u64,
    pub per_second: RoundSpread,
    pub latency: Latency,
    /// Processor time per request, in microseconds.
    pub cpu_us: CpuFigures,
    /// Share of the machine's processors that others used meanwhile, 0 to 1.
    pub others: f64,
}

/// The median over the rounds, and the least and the most.
#[derive(Serialize, Clone, Copy)]
pub struct RoundSpread {
    pub median: f64,
    pub least: f64,
    pub most: f64,
}

/// In milliseconds.
#[derive(Serialize)]
pub struct Latency {
    pub p50_ms: f64,
    pub p99_ms: f64,
    pub p999_ms: f64,
    pub max_ms: f64,
}

/// By process.
#[derive(Serialize)]
pub struct CpuFigures {
    pub server: f64,
    pub nats_server: f64,
    /// The measuring process; in the article's rounds the simulator's work is in it.
    pub generator: f64,
}

impl CpuFigures {
    pub fn total(&self) -> f64 {
        self.server + self.nats_server + self.generator
    }
}

/// How the gateway compares, round by round.
#[derive(Serialize)]
pub struct RateRatio {
    pub to: &'static str,
    #[serde(flatten)]
    pub spread: RoundSpread,
    /// The same from processor time alone: what all of the other's processes together spend on a
    /// request, divided by what the gateway's do. It is what the ratio comes to where nobody else
    /// uses the machine, and moves far less than the rates do where somebody does.
    pub by_cpu: f64,
}

/// One server under a fixed rate.
#[derive(Serialize)]
pub struct OpenLoopFigures {
    pub server: &'static str,
    /// Requests that became due each second.
    pub per_second: f64,
    pub requests: u64,
    /// From when a request was due to the whole answer.
    pub latency: Latency,
    /// From when a request was due to when it was sent: the generator's own delay, and waiting for
    /// a free connection.
    pub late: Latency,
    /// Share of the machine's processors that others used meanwhile, 0 to 1.
    pub others: f64,
}

/// What one process holds, in MiB.
#[derive(Serialize)]
pub struct MemoryFigures {
    pub process: &'static str,
    pub at_rest_mib: f64,
    pub after_mib: f64,
    pub peak_mib: f64,
}

/// Whether what was measured was the real thing.
#[derive(Serialize, Default)]
pub struct ValidityChecks {
    /// Callbacks to the gateway over the whole run, warm-up included.
    pub callbacks: u64,
    /// Replies of any server without what they should hold.
    pub bad_replies: u64,
    /// Sites at which the numbers given out are not 1, 2, 3, … without gap or repeat.
    pub sites_out_of_order: usize,
    /// Ledger entries that the notifier had not read at the end.
    pub unplanned: u64,
}

impl RoundSpread {
    /// Of at least one value.
    pub fn from_values(values: impl IntoIterator<Item = f64>) -> RoundSpread {
        let mut values: Vec<f64> = values.into_iter().collect();
        values.sort_by(f64::total_cmp);
        let middle = values.len() / 2;
        let median = match values.len() % 2 {
            1 => values[middle],
            _ => (values[middle - 1] + values[middle]) / 2.0,
        };
        RoundSpread { median, least: values[0], most: values[values.len() - 1] }
    }
}

impl From<&Histogram<u64>> for Latency {
    fn from(nanos: &Histogram<u64>) -> Latency {
        let ms = |value: u64| value as f64 / 1e6;
        Latency {
            p50_ms: ms(nanos.value_at_quantile(0.5)),
            p99_ms: ms(nanos.value_at_quantile(0.99)),
            p999_ms: ms(nanos.value_at_quantile(0.999)),
            max_ms: ms(nanos.max()),
        }
    }
}

impl ValidityChecks {
    /// Looks whether every site gave out its numbers in order.
    pub fn check_serials(&mut self, serials: &mut [Vec<u32>]) {
        for given in serials {
            given.sort_unstable();
            let in_order = given.iter().copied().eq(1..=given.len() as u32);
            self.sites_out_of_order += usize::from(!in_order);
        }
    }

    /// Whether the figures are about what they say.
    pub fn is_valid(&self) -> bool {
        self.bad_replies == 0 && self.sites_out_of_order == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_middle_of_rounds() {
        let odd = RoundSpread::from_values([3.0, 1.0, 10.0]);
        assert_eq!((odd.median, odd.least, odd.most), (3.0, 1.0, 10.0));
        assert_eq!(RoundSpread::from_values([1.0, 2.0, 4.0, 9.0]).median, 3.0);
    }

    #[test]
    fn a_gap_and_a_repeat_are_found() {
        let mut truth = ValidityChecks::default();
        truth.check_serials(&mut [vec![2, 1, 3], vec![], vec![1, 3], vec![1, 1, 2]]);
        assert_eq!(truth.sites_out_of_order, 2);
        assert!(!truth.is_valid());
    }
}
