//! The figures in the form in which they are answered.

use crate::book::SiteBook;
use crate::book::calendar::date_of;
use crate::projections::history::figures::{Figures, Tally, Times};
use paihao_domain::{Accuracy, Band, Overtaken, Score};
use schemars::JsonSchema;
use serde::Serialize;
use std::collections::BTreeMap;

/// A site's figures.
#[derive(Serialize, JsonSchema)]
pub(super) struct Numbers {
    pub(super) site: String,
    /// The time zone of days and hours.
    pub(super) zone: String,
    pub(super) from: String,
    pub(super) to: String,
    by: &'static str,
    /// One for each day, or hour, and queue in which there was anything.
    pub(super) rows: Vec<Row>,
    /// The same, with all queues as one.
    all_queues: Vec<Slot>,
    /// All of them as one.
    total: Counted,
    /// How well people were told the truth, by how many were ahead and by the hour of joining.
    estimates: Vec<Estimates>,
    /// What became of messages; only of the last three days.
    messages: Vec<Messages>,
}

/// The figures of a queue on a day, or in an hour of it.
#[derive(Serialize, JsonSchema)]
pub(super) struct Row {
    pub(super) day: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) hour: Option<u8>,
    pub(super) queue: String,
    pub(super) queue_name: String,
    #[serde(flatten)]
    pub(super) counted: Counted,
}

/// The figures of a day, or of an hour of it.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "NumbersSlot")]
struct Slot {
    day: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    hour: Option<u8>,
    #[serde(flatten)]
    counted: Counted,
}

/// What visits add up to.
#[derive(Serialize, JsonSchema)]
pub(super) struct Counted {
    pub(super) taken: u32,
    pub(super) served: u32,
    pub(super) missed: u32,
    pub(super) left: u32,
    pub(super) void: u32,
    pub(super) here: u32,
    pub(super) unanswered_calls: u32,
    pub(super) waiting: Spread,
    pub(super) serving: Spread,
    pub(super) estimate: Told,
    pub(super) overtaken: Passed,
}

/// Times in seconds.
#[derive(Serialize, JsonSchema)]
pub(super) struct Spread {
    pub(super) count: u32,
    pub(super) median_s: Option<u32>,
    pub(super) p90_s: Option<u32>,
}

/// Whether what was told came true.
#[derive(Serialize, JsonSchema)]
pub(super) struct Told {
    pub(super) count: u64,
    /// The share that was called within the upper bound as told.
    pub(super) kept: Option<f64>,
    pub(super) mean_error_minutes: Option<f64>,
    pub(super) median_error_minutes: Option<f64>,
    pub(super) bias_minutes: Option<f64>,
}

/// The same of those with so many ahead, or who joined in this hour.
#[derive(Serialize, JsonSchema)]
struct Estimates {
    #[serde(skip_serializing_if = "Option::is_none")]
    ahead: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    hour: Option<u8>,
    #[serde(flatten)]
    told: Told,
}

/// How often people were overtaken.
#[derive(Serialize, JsonSchema)]
pub(super) struct Passed {
    /// How many people were, at least once.
    pub(super) people: u32,
    pub(super) priority: u32,
    pub(super) returned: u32,
    pub(super) transferred: u32,
    pub(super) resumed: u32,
    pub(super) taken_back: u32,
    pub(super) out_of_order: u32,
}

/// Messages of a kind that came so far.
#[derive(Serialize, JsonSchema)]
struct Messages {
    day: String,
    notice: String,
    fate: &'static str,
    count: u32,
}

impl Numbers {
    pub(super) fn of(
        book: &SiteBook,
        (from, to, by_hour): (i32, i32, bool),
        figures: &Figures,
        messages: BTreeMap<(i32, String, &'static str), u32>,
    ) -> Numbers {
        let rows = figures.cells.iter().map(|((day, hour, queue), tally)| Row {
            day: date_of(*day).to_string(),
            hour: *hour,
            queue: queue.as_str().to_owned(),
            queue_name: book.rules.queues.get(queue).map_or("", |rules| &rules.name).to_owned(),
            counted: counted(tally),
        });
        let all_queues = figures.all_queues.iter().map(|((day, hour), tally)| Slot {
            day: date_of(*day).to_string(),
            hour: *hour,
            counted: counted(tally),
        });
        let messages = messages.into_iter().map(|((day, notice, fate), count)| Messages {
            day: date_of(day).to_string(),
            notice,
            fate,
            count,
        });
        Numbers {
            site: book.facts.id.to_string(),
            zone: book.facts.zone.to_string(),
            from: date_of(from).to_string(),
            to: date_of(to).to_string(),
            by: if by_hour { "hour" } else { "day" },
            rows: rows.collect(),
            all_queues: all_queues.collect(),
            total: counted(&figures.total),
            estimates: estimates(&figures.total.accuracy),
            messages: messages.collect(),
        }
    }
}

fn estimates(accuracy: &Accuracy) -> Vec<Estimates> {
    let bands = Band::ALL.map(|band| (Some(band.name()), None, accuracy.of_band(band)));
    let hours = (0..24).map(|hour| (None, Some(hour), accuracy.of_hour(hour)));
    let all = bands.into_iter().chain(hours).filter(|(_, _, score)| score.count() > 0);
    all.map(|(ahead, hour, score)| Estimates { ahead, hour, told: told(&score) }).collect()
}

fn counted(tally: &Tally) -> Counted {
    let Overtaken { priority, returned, transferred, resumed, taken_back, out_of_order } =
        tally.overtaken;
    Counted {
        taken: tally.taken,
        served: tally.served,
        missed: tally.missed,
        left: tally.left,
        void: tally.void,
        here: tally.here,
        unanswered_calls: tally.unanswered,
        waiting: spread(&tally.waits),
        serving: spread(&tally.services),
        estimate: told(&tally.accuracy.total()),
        overtaken: Passed {
            people: tally.overtaken_people,
            priority,
            returned,
            transferred,
            resumed,
            taken_back,
            out_of_order,
        },
    }
}

fn spread(times: &Times) -> Spread {
    Spread { count: times.count(), median_s: times.quantile(50), p90_s: times.quantile(90) }
}

/// To the hundredth.
fn told(score: &Score) -> Told {
    let round = |figure: f64| (figure * 100.0).round() / 100.0;
    Told {
        count: score.count(),
        kept: score.coverage().map(round),
        mean_error_minutes: score.mean_error().map(round),
        median_error_minutes: score.median_error().map(round),
        bias_minutes: score.bias().map(round),
    }
}
