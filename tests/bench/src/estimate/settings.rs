//! Settings A to E of synthetic sites, and the reference table of an independent simulation.
//!
//! The specification leaves open the arrivals, the variation of services and the wait for missing
//! people. They were fitted so that the mean wait and the four simple estimators come close to the
//! table; docs/reference/estimate.md describes the remaining differences.

/// Site with its customers and staff. Times of day are minutes since midnight.
#[derive(Debug, Clone)]
pub struct Setting {
    /// Letter of the setting.
    pub name: char,
    /// Description.
    pub description: &'static str,
    /// Mean duration of a service.
    pub mean_service_minutes: f64,
    /// Distribution of the durations.
    pub service_distribution: ServiceDistribution,
    /// Number of open counters, from each time on.
    pub counters: Vec<(f64, usize)>,
    /// Arrivals an hour, from each time on; the first is the opening time.
    pub rates: Vec<(f64, f64)>,
    /// Closing time; people who are inside are served.
    pub closing_time: f64,
    /// Length of the line at which nobody joins any more.
    pub max_waiting: usize,
    /// Share of people who do not come when called.
    pub missed_share: f64,
    /// Bounds of the minutes for which a counter waits for a missing person.
    pub grace_minutes: (f64, f64),
    /// Share of people who leave if not called soon enough.
    pub cancelled_share: f64,
    /// Share by which a whole day's services may be longer or shorter.
    pub day_variation: f64,
    /// Factor of the duration of services that begin after noon.
    pub afternoon_factor: f64,
    /// Settings of the owner: minutes per customer, and counters.
    pub configured: (u32, u32),
    /// Column of the reference table.
    pub reference: ReferenceFigures,
}

/// Distribution of the durations of services.
#[derive(Debug, Clone, Copy)]
pub enum ServiceDistribution {
    /// Exponential distribution.
    Exponential,
    /// Log-normal distribution with this standard deviation, as a share of the mean.
    LogNormal(f64),
}

/// Column of the reference table, in minutes.
#[derive(Debug, Clone, Copy)]
pub struct ReferenceFigures {
    /// Mean wait.
    pub wait: f64,
    /// Mean absolute errors of the simple estimators, in the order of the rows.
    pub simple: [f64; 4],
    /// Mean absolute error of the estimator to reach.
    pub target: f64,
}

const NOON: f64 = 12.0 * 60.0;

impl Setting {
    /// Returns all settings.
    pub fn all() -> [Setting; 5] {
        [counters(), service_hall(), barber(), restaurant(), slow_afternoon()]
    }

    /// Opening time.
    pub fn opening_time(&self) -> f64 {
        self.rates[0].0
    }

    /// Arrivals an hour at this time.
    pub fn arrival_rate(&self, at: f64) -> f64 {
        step_value(&self.rates, at).unwrap_or(0.0)
    }

    /// Highest number of arrivals an hour.
    pub fn max_arrival_rate(&self) -> f64 {
        self.rates.iter().map(|(_, rate)| *rate).fold(0.0, f64::max)
    }

    /// Number of open counters at this time.
    pub fn open_counters(&self, at: f64) -> usize {
        step_value(&self.counters, at).unwrap_or(0)
    }

    /// Factor of the duration of a service that begins at this time.
    pub fn service_factor(&self, at: f64) -> f64 {
        if at >= NOON { self.afternoon_factor } else { 1.0 }
    }
}

/// Value of the last step that has begun.
pub fn step_value<T: Copy>(steps: &[(f64, T)], at: f64) -> Option<T> {
    steps.iter().rev().find(|(from, _)| *from <= at).map(|(_, value)| *value)
}

fn hours_to_minutes<T: Copy>(steps: &[(f64, T)]) -> Vec<(f64, T)> {
    steps.iter().map(|(hour, value)| (hour * 60.0, *value)).collect()
}

fn counters() -> Setting {
    Setting {
        name: 'A',
        description: "three counters, exponential services, nobody misses",
        mean_service_minutes: 5.0,
        service_distribution: ServiceDistribution::Exponential,
        counters: hours_to_minutes(&[(9.0, 3)]),
        rates: hours_to_minutes(&[(9.0, 35.5)]),
        closing_time: 18.0 * 60.0,
        max_waiting: usize::MAX,
        missed_share: 0.0,
        grace_minutes: (0.0, 0.0),
        cancelled_share: 0.0,
        day_variation: 0.0,
        afternoon_factor: 1.0,
        configured: (5, 3),
        reference: ReferenceFigures { wait: 20.3, simple: [4.6, 9.2, 6.8, 5.7], target: 4.9 },
    }
}

fn service_hall() -> Setting {
    Setting {
        name: 'B',
        description: "service hall: counters change, peaks, misses, cancels, faster and slower days",
        mean_service_minutes: 4.0,
        service_distribution: ServiceDistribution::LogNormal(0.85),
        counters: hours_to_minutes(&[(9.0, 3), (11.5, 2), (13.0, 4), (16.0, 3)]),
        rates: hours_to_minutes(&[
            (9.0, 45.5),
            (10.0, 57.0),
            (11.5, 35.5),
            (13.0, 51.5),
            (15.0, 57.0),
            (16.5, 43.5),
        ]),
        closing_time: 18.0 * 60.0,
        max_waiting: usize::MAX,
        missed_share: 0.13,
        grace_minutes: (0.25, 0.75),
        cancelled_share: 0.05,
        day_variation: 0.15,
        afternoon_factor: 1.0,
        configured: (4, 3),
        reference: ReferenceFigures { wait: 12.7, simple: [3.8, 6.8, 5.0, 4.3], target: 3.5 },
    }
}

fn barber() -> Setting {
    Setting {
        name: 'C',
        description: "barber, one chair: few seats, many leave again",
        mean_service_minutes: 20.0,
        service_distribution: ServiceDistribution::LogNormal(0.4),
        counters: hours_to_minutes(&[(10.0, 1)]),
        rates: hours_to_minutes(&[(10.0, 3.2)]),
        closing_time: 20.0 * 60.0,
        max_waiting: 6,
        missed_share: 0.1,
        grace_minutes: (3.0, 5.0),
        cancelled_share: 0.3,
        day_variation: 0.0,
        afternoon_factor: 1.0,
        configured: (20, 1),
        reference: ReferenceFigures { wait: 32.5, simple: [19.0, 20.5, 20.3, 15.4], target: 10.2 },
    }
}

fn restaurant() -> Setting {
    Setting {
        name: 'D',
        description: "restaurant, twelve tables, 50-minute turns, dinner peak, misses",
        mean_service_minutes: 50.0,
        service_distribution: ServiceDistribution::LogNormal(0.5),
        counters: hours_to_minutes(&[(17.0, 12)]),
        rates: hours_to_minutes(&[(17.0, 14.0), (18.0, 22.0), (20.0, 13.0), (21.0, 4.5)]),
        closing_time: 22.0 * 60.0,
        max_waiting: usize::MAX,
        missed_share: 0.16,
        grace_minutes: (2.0, 4.0),
        cancelled_share: 0.05,
        day_variation: 0.0,
        afternoon_factor: 1.0,
        configured: (50, 12),
        reference: ReferenceFigures { wait: 26.1, simple: [8.8, 19.1, 12.2, 8.1], target: 6.3 },
    }
}

/// The hall with services 35 % slower after noon, and with fewer people to match the table's
/// shorter wait.
fn slow_afternoon() -> Setting {
    let service_hall = service_hall();
    Setting {
        name: 'E',
        description: "the hall, 35 % slower after noon, with four fifths of the people",
        afternoon_factor: 1.35,
        rates: service_hall.rates.iter().map(|(from, rate)| (*from, rate * 0.8)).collect(),
        reference: ReferenceFigures { wait: 10.1, simple: [3.1, 5.5, 4.4, 3.2], target: 3.0 },
        ..service_hall
    }
}
