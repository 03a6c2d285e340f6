//! Admin port of a process: liveness, readiness and metrics.
//!
//! It serves operators and monitoring, on a listener of its own that customers cannot reach.

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::get;
use axum::{Json, Router};
use futures::future::{BoxFuture, join_all};
use metrics_exporter_prometheus::PrometheusHandle;
use serde::Serialize;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// Check of one dependency of the process; the error is a sentence for the operator.
pub type ReadinessCheck = Arc<dyn Fn() -> BoxFuture<'static, Result<(), String>> + Send + Sync>;

/// Timeout of one check unless [`Admin::check_timeout`] sets another.
const DEFAULT_CHECK_TIMEOUT: Duration = Duration::from_secs(2);

/// Builder of the admin port's routes.
#[derive(Clone)]
pub struct Admin {
    checks: Vec<(String, ReadinessCheck)>,
    check_timeout: Duration,
    metrics: Option<PrometheusHandle>,
    stop: CancellationToken,
    extra_routes: Router,
}

/// Response of `/ready`.
#[derive(Debug, Serialize)]
struct Readiness {
    ready: bool,
    stopping: bool,
    /// Results by name: `ok`, or the error.
    checks: BTreeMap<String, String>,
}

impl Admin {
    /// Creates an admin port that is ready until `stop`.
    pub fn new(stop: &CancellationToken) -> Admin {
        Admin {
            checks: Vec::new(),
            check_timeout: DEFAULT_CHECK_TIMEOUT,
            metrics: None,
            stop: stop.clone(),
            extra_routes: Router::new(),
        }
    }

    /// Adds a check that has to pass for the port to be ready.
    #[must_use]
    pub fn check(mut self, name: &str, check: ReadinessCheck) -> Admin {
        self.checks.push((name.to_owned(), check));
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

    async fn readiness(&self) -> Readiness {
        let running = self.checks.iter().map(|(name, check)| async move {
            let result = match tokio::time::timeout(self.check_timeout, check()).await {
                Ok(Ok(())) => Ok(()),
                Ok(Err(problem)) => Err(problem),
                Err(_) => Err(format!("no answer within {:?}", self.check_timeout)),
            };
            (name.clone(), result)
        });
        let results = join_all(running).await;
        let stopping = self.stop.is_cancelled();
        Readiness {
            ready: !stopping && results.iter().all(|(_, result)| result.is_ok()),
            stopping,
            checks: results
                .into_iter()
                .map(|(name, result)| (name, result.err().unwrap_or_else(|| "ok".to_owned())))
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
