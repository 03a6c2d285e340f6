//! Settings F to K of synthetic halls, whose counters serve several queues, whose classes take
//! turns, or whose counters change by plan.
//!
//! Nothing was fitted: the loads were chosen so that lines of five to twenty people form, and the
//! rest is ordinary.

use super::settings::ServiceDistribution;
use paihao_domain::{CallPolicy, CounterId, CounterRules, QueueId, QueueRules, Rules};

/// Hall with its customers and staff. Times of day are minutes since midnight.
#[derive(Debug, Clone)]
pub struct Hall {
    /// Letter of the setting.
    pub name: char,
    /// Description.
    pub description: &'static str,
    /// Services, each with a queue.
    pub services: Vec<Service>,
    /// Counters.
    pub counters: Vec<StaffedCounter>,
    /// True if the program knows the shifts of the counters.
    pub has_plan: bool,
    /// Time after which nobody joins; people who are inside are served.
    pub closing_time: f64,
    /// Share of people who do not come when called.
    pub missed_share: f64,
    /// Share of people who leave if not called soon enough.
    pub cancelled_share: f64,
    /// Share by which a whole day's services may be longer or shorter.
    pub day_variation: f64,
}

/// Service of a hall.
#[derive(Debug, Clone)]
pub struct Service {
    /// Rules of its queue; the configured minutes are those of the owner.
    pub rules: QueueRules,
    /// Mean duration.
    pub mean_minutes: f64,
    /// Distribution of the durations.
    pub distribution: ServiceDistribution,
    /// Arrivals an hour, from each time on.
    pub rates: Vec<(f64, f64)>,
    /// Priority class of some customers, with their share.
    pub other_class: Option<(u8, f64)>,
}

/// Counter of a hall.
#[derive(Debug, Clone)]
pub struct StaffedCounter {
    /// Indices of the services that it offers.
    pub services: Vec<usize>,
    /// Times in which it is planned to be open.
    pub shifts: Vec<(f64, f64)>,
}

/// Minutes for which a counter waits for a missing person.
pub const GRACE_MINUTES: (f64, f64) = (0.5, 1.0);
/// Minutes by which staff are earlier or later than planned.
pub const STAFF_DELAY_MINUTES: (f64, f64) = (-2.0, 4.0);

impl Hall {
    /// Returns all halls.
    pub fn all() -> Vec<Hall> {
        vec![
            shared_counters(),
            specialised_counters(),
            better_queue(),
            classes_in_turn(),
            shifts(true),
            shifts(false),
        ]
    }

    /// Rules of the site.
    pub fn rules(&self) -> Rules {
        let queues = self.services.iter().enumerate();
        let counters = self.counters.iter().enumerate().map(|(index, counter)| {
            let queues = counter.services.iter().map(|service| queue_id(*service)).collect();
            (counter_id(index), CounterRules::new("counter", queues))
        });
        Rules {
            queues: queues.map(|(index, one)| (queue_id(index), one.rules.clone())).collect(),
            counters: counters.collect(),
            several_counters: true,
        }
    }
}

/// Id of the queue of a service.
pub fn queue_id(service: usize) -> QueueId {
    QueueId::new(&format!("q{service}"))
}

/// Id of a counter.
pub fn counter_id(counter: usize) -> CounterId {
    CounterId::new(&format!("c{counter}"))
}

fn service(prefix: &str, minutes: u32, variation: f64, rates: &[(f64, f64)]) -> Service {
    let rules = QueueRules { minutes, ..QueueRules::new("service", prefix) };
    Service {
        rules,
        mean_minutes: f64::from(minutes),
        distribution: ServiceDistribution::LogNormal(variation),
        rates: rates.iter().map(|(hour, rate)| (hour * 60.0, *rate)).collect(),
        other_class: None,
    }
}

fn counter(services: &[usize], shifts: &[(f64, f64)]) -> StaffedCounter {
    let shifts = shifts.iter().map(|(from, to)| (from * 60.0, to * 60.0)).collect();
    StaffedCounter { services: services.to_vec(), shifts }
}

fn whole_day(services: &[usize]) -> StaffedCounter {
    counter(services, &[(9.0, 17.0)])
}

fn shared_counters() -> Hall {
    Hall {
        name: 'F',
        description: "four counters for a short and a long service, first come first served",
        services: vec![
            service("A", 4, 0.7, &[(9.0, 17.0), (10.0, 26.0), (12.0, 12.0), (14.0, 23.0)]),
            service("B", 12, 0.6, &[(9.0, 9.0), (10.0, 12.0), (12.0, 8.0), (14.0, 12.0)]),
        ],
        counters: vec![whole_day(&[0, 1]); 4],
        has_plan: false,
        closing_time: 17.0 * 60.0,
        missed_share: 0.1,
        cancelled_share: 0.05,
        day_variation: 0.1,
    }
}

fn specialised_counters() -> Hall {
    Hall {
        name: 'G',
        description: "three services, two counters of one service and three of two",
        services: vec![
            service("A", 4, 0.7, &[(9.0, 34.0), (10.0, 42.0), (12.0, 24.0), (14.0, 38.0)]),
            service("B", 15, 0.5, &[(9.0, 4.5), (11.0, 3.0), (14.0, 4.5)]),
            service("C", 8, 0.8, &[(9.0, 9.0), (12.0, 6.0), (13.0, 11.0)]),
        ],
        counters: [&[0][..], &[0], &[0, 1], &[1, 2], &[2]].map(whole_day).to_vec(),
        missed_share: 0.12,
        ..shared_counters()
    }
}

fn better_queue() -> Hall {
    let ordinary = service("A", 5, 0.7, &[(9.0, 24.0), (11.0, 29.0), (13.0, 21.0), (15.0, 25.0)]);
    let better = service("B", 8, 0.6, &[(9.0, 4.5), (11.0, 7.0), (13.0, 5.5), (15.0, 4.0)]);
    Hall {
        name: 'H',
        description: "three counters; a queue of a better class, and priority for one in twelve",
        services: vec![
            Service { other_class: Some((2, 0.08)), ..ordinary },
            Service { rules: QueueRules { class: 4, ..better.rules.clone() }, ..better },
        ],
        counters: vec![whole_day(&[0, 1]); 3],
        ..shared_counters()
    }
}

fn classes_in_turn() -> Hall {
    let patients = service("A", 8, 0.6, &[(9.0, 20.0), (11.0, 14.0), (13.0, 22.0), (15.5, 12.0)]);
    let policy = CallPolicy::Interleave { first: 2, second: 1, missed_lane: false };
    Hall {
        name: 'I',
        description: "two doctors; two first visits, then one of four in ten who come back",
        services: vec![Service {
            rules: QueueRules { policy, ..patients.rules.clone() },
            other_class: Some((6, 0.4)),
            ..patients
        }],
        counters: vec![whole_day(&[0]); 2],
        ..shared_counters()
    }
}

fn shifts(has_plan: bool) -> Hall {
    let (name, description) = if has_plan {
        ('J', "F with three counters, at noon two, then four, then three, by plan")
    } else {
        ('K', "J, where the plan is not in the settings")
    };
    Hall {
        name,
        description,
        services: vec![
            service(
                "A",
                4,
                0.7,
                &[(9.0, 16.0), (10.0, 20.0), (11.5, 11.0), (13.0, 22.0), (15.5, 15.0)],
            ),
            service(
                "B",
                12,
                0.6,
                &[(9.0, 8.0), (10.0, 9.0), (11.5, 6.0), (13.0, 12.0), (15.5, 7.5)],
            ),
        ],
        counters: vec![
            whole_day(&[0, 1]),
            whole_day(&[0, 1]),
            counter(&[0, 1], &[(9.0, 11.5), (13.0, 17.0)]),
            counter(&[0, 1], &[(13.0, 15.5)]),
        ],
        has_plan,
        ..shared_counters()
    }
}
