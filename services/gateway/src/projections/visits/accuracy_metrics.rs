//! Metrics of the accuracy of quoted waits: by the number of people ahead and by the hour of
//! joining, with `all` for everybody.

use paihao_domain::{Accuracy, AccuracyScore, AheadBand};

const ALL_LABEL: &str = "all";

/// Sets the gauges. Every replica has the same values.
pub(super) fn publish(accuracy: &Accuracy) {
    set_gauges(ALL_LABEL, ALL_LABEL, &accuracy.total());
    for band in AheadBand::ALL {
        set_gauges(band.name(), ALL_LABEL, &accuracy.of_band(band));
    }
    for hour in 0..24 {
        set_gauges(ALL_LABEL, &format!("{hour:02}"), &accuracy.of_hour(hour));
    }
}

fn set_gauges(band: &str, hour: &str, score: &AccuracyScore) {
    if score.count() == 0 {
        return;
    }
    let gauge = |name, figure: Option<f64>| {
        let labels = [("ahead", band.to_owned()), ("hour", hour.to_owned())];
        metrics::gauge!(name, &labels).set(figure.unwrap_or(0.0));
    };
    gauge("paihao_estimate_visits", Some(score.count() as f64));
    gauge("paihao_estimate_kept_ratio", score.coverage());
    gauge("paihao_estimate_mean_error_minutes", score.mean_error());
    gauge("paihao_estimate_median_error_minutes", score.median_error());
    gauge("paihao_estimate_bias_minutes", score.bias());
}
