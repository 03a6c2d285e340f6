//! View of the statistics.

use crate::projections::visits::statistics::{Durations, Statistics, VisitTally};
use crate::settings::SiteSettings;
use crate::settings::calendar::date_from_days;
use crate::settings::documents::SettingsDocuments;
use paihao_domain::{Accuracy, AccuracyScore, AheadBand, OvertakeCounts, QueueId};
use schemars::JsonSchema;
use serde::Serialize;
use std::collections::BTreeMap;

/// Statistics of a site.
#[derive(Serialize, JsonSchema)]
pub(super) struct StatisticsView {
    pub(super) site: String,
    /// Time zone of days and hours.
    pub(super) zone: String,
    pub(super) from: String,
    pub(super) to: String,
    by: &'static str,
    /// Row of each day, or hour, and queue with visits.
    pub(super) rows: Vec<StatisticsRow>,
    /// Totals of all queues, by day or hour.
    all_queues: Vec<StatisticsSlot>,
    /// Total of all queues and days.
    total: VisitStats,
    /// Accuracy of quoted waits, by tickets ahead and by hour of joining.
    estimates: Vec<EstimateBreakdown>,
    /// Delivery of messages; of the last three days only.
    messages: Vec<NoticeCount>,
}

/// Statistics of a queue on a day, or in an hour of it.
#[derive(Serialize, JsonSchema)]
pub(super) struct StatisticsRow {
    pub(super) day: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) hour: Option<u8>,
    pub(super) queue: String,
    pub(super) queue_name: String,
    /// The same in English.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) queue_name_en: Option<String>,
    #[serde(flatten)]
    pub(super) stats: VisitStats,
}

/// Statistics of all queues on a day, or in an hour of it.
#[derive(Serialize, JsonSchema)]
struct StatisticsSlot {
    day: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    hour: Option<u8>,
    #[serde(flatten)]
    stats: VisitStats,
}

/// Totals of visits.
#[derive(Serialize, JsonSchema)]
pub(super) struct VisitStats {
    pub(super) taken: u32,
    pub(super) served: u32,
    pub(super) missed: u32,
    pub(super) left: u32,
    pub(super) void: u32,
    pub(super) here: u32,
    pub(super) unanswered_calls: u32,
    pub(super) waiting: DurationStats,
    pub(super) serving: DurationStats,
    pub(super) estimate: EstimateStats,
    pub(super) overtaken: OvertakingStats,
}

/// Distribution of durations, in seconds.
#[derive(Serialize, JsonSchema)]
pub(super) struct DurationStats {
    pub(super) count: u32,
    pub(super) median_s: Option<u32>,
    pub(super) p90_s: Option<u32>,
}

/// Accuracy of quoted waits.
#[derive(Serialize, JsonSchema)]
pub(super) struct EstimateStats {
    pub(super) count: u64,
    /// Share that was called within the upper bound of the quoted wait.
    pub(super) kept: Option<f64>,
    pub(super) mean_error_minutes: Option<f64>,
    pub(super) median_error_minutes: Option<f64>,
    pub(super) bias_minutes: Option<f64>,
}

/// Accuracy of quoted waits for a number of tickets ahead, or for an hour of joining.
#[derive(Serialize, JsonSchema)]
struct EstimateBreakdown {
    #[serde(skip_serializing_if = "Option::is_none")]
    ahead: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    hour: Option<u8>,
    #[serde(flatten)]
    stats: EstimateStats,
}

/// Overtaken tickets, and cases of overtaking by cause.
#[derive(Serialize, JsonSchema)]
pub(super) struct OvertakingStats {
    /// Tickets that were overtaken at least once.
    pub(super) people: u32,
    pub(super) priority: u32,
    pub(super) returned: u32,
    pub(super) transferred: u32,
    pub(super) resumed: u32,
    pub(super) taken_back: u32,
    pub(super) out_of_order: u32,
}

/// Number of messages of a kind with one delivery status.
#[derive(Serialize, JsonSchema)]
struct NoticeCount {
    day: String,
    notice: String,
    fate: &'static str,
    count: u32,
}

impl StatisticsView {
    pub(super) fn from_statistics(
        settings: &SiteSettings,
        documents: &SettingsDocuments,
        (from, to, by_hour): (i32, i32, bool),
        statistics: &Statistics,
        messages: BTreeMap<(i32, String, &'static str), u32>,
    ) -> StatisticsView {
        let rows = statistics.cells.iter().map(|((day, hour, queue), tally)| StatisticsRow {
            day: date_from_days(*day).to_string(),
            hour: *hour,
            queue: queue.as_str().to_owned(),
            queue_name: queue_name(settings, documents, queue).to_owned(),
            queue_name_en: settings.english_names.of_queue(queue).map(str::to_owned),
            stats: visit_stats(tally),
        });
        let all_queues = statistics.all_queues.iter().map(|((day, hour), tally)| StatisticsSlot {
            day: date_from_days(*day).to_string(),
            hour: *hour,
            stats: visit_stats(tally),
        });
        let messages = messages.into_iter().map(|((day, notice, fate), count)| NoticeCount {
            day: date_from_days(day).to_string(),
            notice,
            fate,
            count,
        });
        StatisticsView {
            site: settings.facts.id.to_string(),
            zone: settings.facts.zone.to_string(),
            from: date_from_days(from).to_string(),
            to: date_from_days(to).to_string(),
            by: if by_hour { "hour" } else { "day" },
            rows: rows.collect(),
            all_queues: all_queues.collect(),
            total: visit_stats(&statistics.total),
            estimates: estimate_breakdown(&statistics.total.accuracy),
            messages: messages.collect(),
        }
    }
}

/// Name of a queue, which may have been removed since.
fn queue_name<'a>(
    settings: &'a SiteSettings,
    documents: &'a SettingsDocuments,
    queue: &QueueId,
) -> &'a str {
    let name = settings.rules.queues.get(queue).map(|rules| &*rules.name);
    name.or_else(|| documents.queue_name(&settings.facts.id, queue.as_str())).unwrap_or_default()
}

fn estimate_breakdown(accuracy: &Accuracy) -> Vec<EstimateBreakdown> {
    let bands = AheadBand::ALL.map(|band| (Some(band.name()), None, accuracy.of_band(band)));
    let hours = (0..24).map(|hour| (None, Some(hour), accuracy.of_hour(hour)));
    let all = bands.into_iter().chain(hours).filter(|(_, _, score)| score.count() > 0);
    all.map(|(ahead, hour, score)| EstimateBreakdown { ahead, hour, stats: estimate_stats(&score) })
        .collect()
}

fn visit_stats(tally: &VisitTally) -> VisitStats {
    let OvertakeCounts { priority, returned, transferred, resumed, taken_back, out_of_order } =
        tally.overtaken;
    VisitStats {
        taken: tally.taken,
        served: tally.served,
        missed: tally.missed,
        left: tally.left,
        void: tally.void,
        here: tally.ongoing,
        unanswered_calls: tally.missed_calls,
        waiting: duration_stats(&tally.waits),
        serving: duration_stats(&tally.services),
        estimate: estimate_stats(&tally.accuracy.total()),
        overtaken: OvertakingStats {
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

fn duration_stats(times: &Durations) -> DurationStats {
    DurationStats { count: times.count(), median_s: times.quantile(50), p90_s: times.quantile(90) }
}

/// Accuracy figures, rounded to hundredths.
fn estimate_stats(score: &AccuracyScore) -> EstimateStats {
    let round = |figure: f64| (figure * 100.0).round() / 100.0;
    EstimateStats {
        count: score.count(),
        kept: score.coverage().map(round),
        mean_error_minutes: score.mean_error().map(round),
        median_error_minutes: score.median_error().map(round),
        bias_minutes: score.bias().map(round),
    }
}
