//! Metrics of this process in Prometheus's text format.

use crate::tasks::Tasks;
use metrics_exporter_prometheus::{BuildError, Matcher, PrometheusBuilder, PrometheusHandle};
use parking_lot::Mutex;
use std::time::Duration;

/// Bucket bounds, in seconds, of histograms whose name ends in `_seconds`: finest around the five
/// seconds for which WeChat waits and the milliseconds of a decision.
const SECONDS_BUCKETS: [f64; 16] = [
    0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 4.0, 5.0, 10.0,
    60.0,
];

static RECORDER: Mutex<Option<PrometheusHandle>> = Mutex::new(None);

/// Installs the recorder behind the `metrics` macros. There is one recorder per process: a second
/// call, by another role in the same process, returns the same one.
pub fn install(tasks: &Tasks) -> Result<PrometheusHandle, BuildError> {
    let mut installed = RECORDER.lock();
    if let Some(handle) = installed.as_ref() {
        return Ok(handle.clone());
    }
    let handle = PrometheusBuilder::new()
        .set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), &SECONDS_BUCKETS)?
        .install_recorder()?;
    *installed = Some(handle.clone());
    tasks.spawn("metrics", run_upkeep(handle.clone(), tasks.clone()));
    Ok(handle)
}

/// Folds the samples of histograms into their buckets at intervals; without that they accumulate.
async fn run_upkeep(handle: PrometheusHandle, tasks: Tasks) {
    let interval = Duration::from_secs(5);
    while tasks.stop().run_until_cancelled(tokio::time::sleep(interval)).await.is_some() {
        handle.run_upkeep();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn recorded_metrics_can_be_read_and_there_is_one_recorder() {
        let tasks = Tasks::new();
        let handle = install(&tasks).unwrap();
        metrics::counter!("chassis_test_total", "kind" => "a").increment(2);
        metrics::histogram!("chassis_test_seconds").record(0.003);
        let again = install(&tasks).unwrap();
        for text in [handle.render(), again.render()] {
            assert!(text.contains("chassis_test_total{kind=\"a\"} 2"), "{text}");
            assert!(text.contains("chassis_test_seconds_bucket{le=\"0.005\"} 1"), "{text}");
        }
        tasks.stop_and_wait().await;
    }
}
