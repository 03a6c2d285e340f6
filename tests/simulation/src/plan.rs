//! Plan of a run, drawn from its seed: the deployment, the crowd, and the kinds of faults.

use crate::calendar;
use crate::faults::FaultKind;
use crate::random::Random;
use paihao_contracts::notice::Channel;
use paihao_contracts::partitions::Partitions;
use paihao_ledger::conformance::next_release::Release;
use std::time::Duration;

/// Plan of a run.
#[derive(Debug, Clone)]
pub struct Plan {
    /// Start of the run, in Unix milliseconds.
    pub start_ms: i64,
    /// Time in which people come and faults happen.
    pub busy: Duration,
    /// Time for which every process is off afterwards, if any.
    pub closure: Option<Duration>,
    /// Partitions of the ledger.
    pub partitions: Partitions,
    /// Sites.
    pub sites: Vec<&'static str>,
    /// Number of gateways, notifiers and token services.
    pub processes: [usize; 3],
    /// Releases, of which each process has one at first.
    pub releases: Vec<Release>,
    /// Number of customers.
    pub customers: u64,
    /// Channels of the account.
    pub channels: Vec<Channel>,
    /// True if the lines carry over the end of a day.
    pub carry_over: bool,
    /// True if a called customer who does not come is marked as missed by the system.
    pub auto_miss: bool,
    /// True if a call starts the service.
    pub start_on_call: bool,
    /// Kinds of faults that may happen.
    pub faults: Vec<FaultKind>,
    /// Number of faults.
    pub fault_count: u64,
}

impl Plan {
    /// Draws the plan of a seed.
    pub fn draw(seed: u64) -> Plan {
        use Channel::{CustomerService, Template};
        let mut random = Random::new(seed, "plan");
        let turns = random.percent(40);
        // The turn of the day then lies within the run.
        let start_ms = if turns {
            calendar::on_first_day(3, 60 - random.between(1..=3) as i64)
        } else {
            calendar::on_first_day(10, 0)
        };
        let channels: [&[Channel]; 5] = [
            &[Template],
            &[Template],
            &[Template, CustomerService],
            &[CustomerService, Template],
            &[CustomerService],
        ];
        let mut faults: Vec<_> =
            FaultKind::ALL.into_iter().filter(|kind| random.percent(kind.share())).collect();
        if faults.is_empty() {
            faults.push(FaultKind::Storm);
        }
        // Only a fault of the operator's lets the next release write its forms beside the present
        // one.
        let releases: [&[Release]; 4] = [
            &[Release::Present],
            &[Release::NEWEST],
            &[Release::Present, Release::Next { writes: false }],
            &[Release::Present, Release::NEWEST],
        ];
        // Whoever is called is then being served, and cannot be missed.
        let start_on_call = random.percent(30);
        // Drawn apart, so that what else a seed draws stays as it was.
        let mut divided = Random::new(seed, "partitions");
        let partitions = if divided.percent(25) { divided.between(2..=5) as usize } else { 1 };
        let partitions = Partitions::new(partitions).expect("a number of partitions");
        let is_divided = partitions != Partitions::ONE;
        Plan {
            start_ms,
            partitions,
            busy: random.seconds(120..=360),
            closure: random
                .percent(15)
                .then(|| Duration::from_secs(random.between(20..=120) * 3600)),
            sites: if random.percent(25) || is_divided {
                vec!["hall", "mall"]
            } else {
                vec!["hall"]
            },
            processes: [
                if random.percent(25) { 3 } else { 2 },
                random.between(1..=2) as usize,
                random.between(1..=2) as usize,
            ],
            releases: random.pick(&releases).to_vec(),
            customers: random.between(3..=10),
            channels: random.pick(&channels).to_vec(),
            carry_over: random.percent(60),
            auto_miss: !start_on_call && random.percent(60),
            start_on_call,
            faults,
            fault_count: random.between(1..=7),
        }
    }
}
