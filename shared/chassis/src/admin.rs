//! Admin port of a process: liveness, readiness and metrics.
//!
//! It serves operators and monitoring, on a listener of its own that customers cannot reach.
//!
//! Ready means that this process serves as well as any other. A store that all processes share is a
//! dependency: without it the process is degraded and stays ready, since sending its work to
//! another process would not help. A gateway can still say honestly that no number was taken.

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::get;
use axum::{Json, Router};
use futures::future::{BoxFuture, join_all};
use metrics_exporter_prometheus::PrometheusHandle;
use serde::Serialize;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// Check of one dependency of the process; the error is a sentence for the operator.
pub type ReadinessCheck = Arc<dyn Fn() -> BoxFuture<'static, Result<(), String>> + Send + Sync>;

/// Reader of a state of the process, as JSON; the error is a sentence for the operator.
pub type Report = Arc<dyn Fn() -> BoxFuture<'static, Result<Value, String>> + Send + Sync>;

/// Time between two runs of the checks for the metrics.
const CHECK_INTERVAL: Duration = Duration::from_secs(10);

/// Timeout of one check unless [`Admin::check_timeout`] sets another.
const DEFAULT_CHECK_TIMEOUT: Duration = Duration::from_secs(2);

/// Builder of the admin port's routes.
#[derive(Clone)]
pub struct Admin {
    checks: Vec<Check>,
    check_timeout: Duration,
    metrics: Option<PrometheusHandle>,
    draining: CancellationToken,
    extra_routes: Router,
}

#[derive(Clone)]
struct Check {
    name: String,
    run: ReadinessCheck,
    /// True for a store that all processes share.
    is_dependency: bool,
}

/// Response of `/ready`.
#[derive(Debug, Serialize)]
struct Readiness {
    ready: bool,
    /// True while a dependency fails.
    degraded: bool,
    stopping: bool,
    /// Results by name: `ok`, or the error.
    checks: BTreeMap<String, String>,
}

impl Admin {
    /// Creates an admin port that is ready until `draining`.
    pub fn new(draining: &CancellationToken) -> Admin {
        Admin {
            checks: Vec::new(),
            check_timeout: DEFAULT_CHECK_TIMEOUT,
            metrics: None,
            draining: draining.clone(),
            extra_routes: Router::new(),
        }
    }

    /// Adds a check that has to pass for the port to be ready.
    #[must_use]
    pub fn check(self, name: &str, check: ReadinessCheck) -> Admin {
        self.with_check(name, check, false)
    }

    /// Adds the check of a dependency that all processes share. While it fails the port is degraded
    /// and stays ready. The gauge `paihao_dependency_up` has its last result.
    #[must_use]
    pub fn dependency(self, name: &str, check: ReadinessCheck) -> Admin {
        self.with_check(name, check, true)
    }

    fn with_check(mut self, name: &str, run: ReadinessCheck, is_dependency: bool) -> Admin {
        self.checks.push(Check { name: name.to_owned(), run, is_dependency });
        self
    }

    /// Sets the timeout of a check, in place of two seconds.
    #[must_use]
    pub fn check_timeout(mut self, limit: Duration) -> Admin {
        self.check_timeout = limit;
        self
    }

    /// Serves the metrics of this recorder under `/metrics`.
    #[must_use]
    pub fn metrics(mut self, recorder: PrometheusHandle) -> Admin {
        self.metrics = Some(recorder);
        self
    }

    /// Serves a report as JSON under this path; 503 with `{"error": …}` if it cannot be read.
    #[must_use]
    pub fn report(self, path: &str, read: Report) -> Admin {
        let answer = async move || match read().await {
            Ok(report) => (StatusCode::OK, Json(report)),
            Err(error) => (StatusCode::SERVICE_UNAVAILABLE, Json(json!({ "error": error }))),
        };
        self.merge(Router::new().route(path, get(answer)))
    }

    /// Adds further routes.
    #[must_use]
    pub fn merge(mut self, routes: Router) -> Admin {
        self.extra_routes = self.extra_routes.merge(routes);
        self
    }

    /// Returns `/live`, `/ready`, `/metrics` and the added routes.
    pub fn router(mut self) -> Router {
        let extra = std::mem::take(&mut self.extra_routes);
        Router::new()
            .route("/live", get(async || "alive\n"))
            .route("/ready", get(ready))
            .route("/metrics", get(metrics))
            .with_state(Arc::new(self))
            .merge(extra)
    }

    /// Runs the checks again and again until `stop`, for the metrics: nobody may ask for `/ready`.
    pub async fn watch(self, stop: CancellationToken) {
        let mut ticks = tokio::time::interval(CHECK_INTERVAL);
        while stop.run_until_cancelled(ticks.tick()).await.is_some() {
            self.readiness().await;
        }
    }

    async fn run(&self, check: &Check) -> Result<(), String> {
        let answered = tokio::time::timeout(self.check_timeout, (check.run)()).await;
        let result =
            answered.unwrap_or_else(|_| Err(format!("no answer within {:?}", self.check_timeout)));
        if check.is_dependency {
            let up = f64::from(u8::from(result.is_ok()));
            ::metrics::gauge!("paihao_dependency_up", "dependency" => check.name.clone()).set(up);
        }
        result
    }

    async fn readiness(&self) -> Readiness {
        let results = join_all(self.checks.iter().map(|check| self.run(check))).await;
        let failed = |dependency: bool| {
            let mut results = self.checks.iter().zip(&results);
            results.any(|(check, result)| check.is_dependency == dependency && result.is_err())
        };
        let stopping = self.draining.is_cancelled();
        let ready = !stopping && !failed(false);
        ::metrics::gauge!("paihao_ready").set(f64::from(u8::from(ready)));
        Readiness {
            ready,
            degraded: failed(true),
            stopping,
            checks: self
                .checks
                .iter()
                .zip(&results)
                .map(|(check, result)| {
                    let text = result.clone().err().unwrap_or_else(|| "ok".to_owned());
                    (check.name.clone(), text)
                })
                .collect(),
        }
    }
}

async fn ready(State(admin): State<Arc<Admin>>) -> impl IntoResponse {
    let readiness = admin.readiness().await;
    let status = if readiness.ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, Json(readiness))
}

async fn metrics(State(admin): State<Arc<Admin>>) -> impl IntoResponse {
    match &admin.metrics {
        Some(recorder) => Ok((
            [(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")],
            recorder.render(),
        )),
        None => Err(StatusCode::NOT_FOUND),
    }
}
