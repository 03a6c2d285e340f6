//! The admin port of a process: is it alive, can it work, what has it counted.
//!
//! It is for operators and the machines that watch over the process, on a listener of its own that
//! customers never reach.

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

/// Asks one thing the process needs whether it works; the error is a sentence for the operator.
pub type ReadinessCheck = Arc<dyn Fn() -> BoxFuture<'static, Result<(), String>> + Send + Sync>;

/// How long one check may take unless [`Admin::check_timeout`] says otherwise.
const DEFAULT_CHECK_TIMEOUT: Duration = Duration::from_secs(2);

/// What the admin port of a process answers.
#[derive(Clone)]
pub struct Admin {
    checks: Vec<(String, ReadinessCheck)>,
    check_timeout: Duration,
    metrics: Option<PrometheusHandle>,
    stop: CancellationToken,
    extra_routes: Router,
}

/// The answer of `/ready`.
#[derive(Debug, Serialize)]
struct Readiness {
    ready: bool,
    stopping: bool,
    /// By name: `ok`, or what is wrong.
    checks: BTreeMap<String, String>,
}

impl Admin {
    /// An admin port that is ready until `stop`.
    pub fn new(stop: &CancellationToken) -> Admin {
        Admin {
            checks: Vec::new(),
            check_timeout: DEFAULT_CHECK_TIMEOUT,
            metrics: None,
            stop: stop.clone(),
            extra_routes: Router::new(),
        }
    }

    /// Is ready only while this check passes.
    #[must_use]
    pub fn check(mut self, name: &str, check: ReadinessCheck) -> Admin {
        self.checks.push((name.to_owned(), check));
        self
    }

    /// Gives each check this long, instead of two seconds, before it counts as failed.
    #[must_use]
    pub fn check_timeout(mut self, limit: Duration) -> Admin {
        self.check_timeout = limit;
        self
    }

    /// Answers `/metrics` with what this recorder has.
    #[must_use]
    pub fn metrics(mut self, recorder: PrometheusHandle) -> Admin {
        self.metrics = Some(recorder);
        self
    }

    /// Answers these routes too.
    #[must_use]
    pub fn merge(mut self, routes: Router) -> Admin {
        self.extra_routes = self.extra_routes.merge(routes);
        self
    }

    /// `/live`, `/ready`, `/metrics` and what was merged.
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
        let asked = self.checks.iter().map(|(name, check)| async move {
            let answer = match tokio::time::timeout(self.check_timeout, check()).await {
                Ok(Ok(())) => Ok(()),
                Ok(Err(problem)) => Err(problem),
                Err(_) => Err(format!("no answer within {:?}", self.check_timeout)),
            };
            (name.clone(), answer)
        });
        let answers = join_all(asked).await;
        let stopping = self.stop.is_cancelled();
        Readiness {
            ready: !stopping && answers.iter().all(|(_, answer)| answer.is_ok()),
            stopping,
            checks: answers
                .into_iter()
                .map(|(name, answer)| (name, answer.err().unwrap_or_else(|| "ok".to_owned())))
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
