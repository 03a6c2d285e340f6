//! Figures of a run, with their units in their names.

use hdrhistogram::Histogram;
use serde::Serialize;

/// All figures of a run.
#[derive(Serialize)]
pub struct Figures {
    pub nats_server: String,
    pub connections: usize,
    pub sites: usize,
    /// Bytes of a commit with one ticket, and of the reply to a scan.
    pub commit_bytes: usize,
    pub reply_bytes: usize,
    pub wechat_answers_in_ms: u64,
    /// Servers under a closed loop, in the order of the first round.
    pub closed: Vec<ClosedLoopFigures>,
    /// Rate of the gateway divided by that of each other server.
    pub ratios: Vec<RateRatio>,
    /// Servers that are left out, with the reason.
    pub absent: Vec<String>,
    /// Rate of the gateway in secure mode divided by its rate in plain mode.
    pub secure: RateRatio,
    pub open: Vec<OpenLoopFigures>,
    pub memory: Vec<MemoryFigures>,
    #[serde(rename = "truth")]
    pub validity: ValidityChecks,
    /// First bad reply, with the name of its server.
    pub first_bad: Option<String>,
}

/// Figures of one server under a closed loop.
#[derive(Serialize)]
pub struct ClosedLoopFigures {
    pub server: &'static str,
    /// Requests answered in recorded time, over all rounds.
    pub requests: u64,
    pub per_second: RoundSpread,
    pub latency: Latency,
    /// Processor time per request, in microseconds.
    pub cpu_us: CpuFigures,
    /// Share of the machine's processors that other processes used meanwhile, 0 to 1.
    #[serde(rename = "others")]
    pub other_cpu_share: f64,
}

/// Median, least and most of a figure over the rounds.
#[derive(Serialize, Clone, Copy)]
pub struct RoundSpread {
    pub median: f64,
    pub least: f64,
    pub most: f64,
}

/// Latency distribution in milliseconds.
#[derive(Serialize)]
pub struct Latency {
    pub p50_ms: f64,
    pub p99_ms: f64,
    pub p999_ms: f64,
    pub max_ms: f64,
}

/// Processor time by process.
#[derive(Serialize)]
pub struct CpuFigures {
    pub server: f64,
    pub nats_server: f64,
    /// The measuring process; in the tutorial's rounds this includes the simulator.
    pub generator: f64,
}

impl CpuFigures {
    pub fn total(&self) -> f64 {
        self.server + self.nats_server + self.generator
    }
}

/// Rate of the gateway divided by that of another server, round by round.
#[derive(Serialize)]
pub struct RateRatio {
    pub to: &'static str,
    #[serde(flatten)]
    pub spread: RoundSpread,
    /// Ratio from processor time alone: that of all of the other server's processes per request,
    /// divided by that of the gateway's. It equals the ratio of rates if nothing else uses the
    /// machine, and varies far less if something does.
    pub by_cpu: f64,
}

/// Figures of one server under an open loop, at a fixed rate.
#[derive(Serialize)]
pub struct OpenLoopFigures {
    pub server: &'static str,
    /// Requests that became due each second.
    pub per_second: f64,
    pub requests: u64,
    /// Time from the due moment of a request to the whole answer.
    pub latency: Latency,
    /// Time from the due moment of a request to its sending: the generator's own delay and the wait
    /// for a free connection.
    pub late: Latency,
    /// Longest latency among the requests of each second, round after round.
    pub slowest_by_second_ms: Vec<f64>,
    /// Share of the machine's processors that other processes used meanwhile, 0 to 1.
    #[serde(rename = "others")]
    pub other_cpu_share: f64,
}

/// Memory of one process, in MiB.
#[derive(Serialize)]
pub struct MemoryFigures {
    pub process: &'static str,
    pub at_rest_mib: f64,
    pub after_mib: f64,
    pub peak_mib: f64,
}

/// Checks that the measured servers did their work correctly.
#[derive(Serialize, Default)]
pub struct ValidityChecks {
    /// Callbacks to the gateway over the whole run, warm-up included.
    pub callbacks: u64,
    /// Replies of any server that lack the expected content.
    pub bad_replies: u64,
    /// Sites whose serials are not 1, 2, 3, … without a gap or a repeat.
    pub sites_out_of_order: usize,
    /// Ledger entries that the notifier had not read at the end.
    pub unplanned: u64,
}

impl RoundSpread {
    /// Computes the spread of at least one value.
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
    /// Checks that every site gave out its numbers without a gap or a repeat.
    pub fn check_serials(&mut self, serials: &mut [Vec<u32>]) {
        for site_serials in serials {
            site_serials.sort_unstable();
            let in_order = site_serials.iter().copied().eq(1..=site_serials.len() as u32);
            self.sites_out_of_order += usize::from(!in_order);
        }
    }

    /// True if all replies were good and all numbers in order.
    pub fn is_valid(&self) -> bool {
        self.bad_replies == 0 && self.sites_out_of_order == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_middle_of_rounds() {
        let spread = RoundSpread::from_values([3.0, 1.0, 10.0]);
        assert_eq!((spread.median, spread.least, spread.most), (3.0, 1.0, 10.0));
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
