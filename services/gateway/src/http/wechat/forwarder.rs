//! Forwarder of pushes to other systems, with a circuit breaker for each of them.

use crate::settings::ForwardTarget;
use metrics::Label;
use paihao_wechat::forward::{ForwardError, ForwardedReply, PushForwarder, RawPush};
use paihao_wechat::private_targets::PrivateTargets;
use paihao_wechat::traffic::{Breaker, BreakerRules};
use parking_lot::Mutex;
use std::collections::HashMap;
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use tokio::time::Instant;

/// Failures in a row after which a system is left alone, and for how long.
const BREAKER_RULES: BreakerRules = BreakerRules {
    failure_threshold: 5,
    open_duration: Duration::from_secs(5),
    max_open_duration: Duration::from_secs(60),
};

/// Account, name and address of a system: a new address begins with a closed circuit.
type CircuitKey = (String, String, String);

/// Forwarder with a circuit breaker for each system.
pub(crate) struct Forwarder {
    private_targets: PrivateTargets,
    /// Client, made for the first push: most gateways forward nothing. `None` if it cannot be made.
    client: OnceLock<Option<PushForwarder>>,
    started: Instant,
    circuits: Mutex<HashMap<CircuitKey, Arc<Mutex<Breaker>>>>,
}

impl Forwarder {
    /// Creates a forwarder that also reaches these private networks.
    pub(crate) fn new(private_targets: PrivateTargets) -> Forwarder {
        Forwarder {
            private_targets,
            client: OnceLock::new(),
            started: Instant::now(),
            circuits: Mutex::default(),
        }
    }

    fn client(&self) -> Option<&PushForwarder> {
        let make = || {
            PushForwarder::new(self.private_targets.clone())
                .inspect_err(|error| tracing::error!(%error, "cannot forward pushes"))
                .ok()
        };
        self.client.get_or_init(make).as_ref()
    }

    /// Forwards a push, and returns the reply if it comes by the deadline.
    pub(super) async fn forward(
        &self,
        account: &str,
        target: &ForwardTarget,
        push: RawPush<'_>,
        deadline: Instant,
    ) -> Option<ForwardedReply> {
        let labels = || {
            [Label::new("account", account.to_owned()), Label::new("target", target.name.clone())]
        };
        let count = |outcome: &'static str| {
            let labels = labels().into_iter().chain([Label::new("outcome", outcome)]);
            let labels: Vec<_> = labels.collect();
            metrics::counter!("paihao_gateway_forwards_total", labels).increment(1);
        };
        let client = self.client()?;
        let circuit = self.circuit(account, target);
        let Some(call) = CircuitCall::start(self, &circuit) else {
            count("circuit_open");
            return None;
        };
        let begin = Instant::now();
        let timeout = deadline.saturating_duration_since(begin);
        let result = client.forward(&target.url, push, timeout).await;
        call.finish(result.is_ok());
        metrics::histogram!("paihao_gateway_forward_seconds", labels().to_vec())
            .record(begin.elapsed().as_secs_f64());
        metrics::gauge!("paihao_gateway_forward_circuit", labels().to_vec())
            .set(circuit.lock().gauge_value());
        count(result.as_ref().map_or_else(ForwardError::label, |_| "passed_on"));
        let forward_target = &*target.name;
        result
            .inspect_err(|error| {
                tracing::warn!(account, forward_target, %error, "cannot forward a push");
            })
            .ok()
    }

    fn circuit(&self, account: &str, target: &ForwardTarget) -> Arc<Mutex<Breaker>> {
        let key = (account.to_owned(), target.name.clone(), target.url.to_string());
        let mut circuits = self.circuits.lock();
        let circuit = circuits.entry(key);
        circuit.or_insert_with(|| Arc::new(Mutex::new(Breaker::new(BREAKER_RULES)))).clone()
    }
}

/// Call through a circuit. One that is dropped without a result gives its probe back.
struct CircuitCall<'a> {
    circuit: Arc<Mutex<Breaker>>,
    forwarder: &'a Forwarder,
    is_probe: bool,
    is_finished: bool,
}

impl CircuitCall<'_> {
    /// Starts a call; `None` while the circuit is open.
    fn start<'a>(
        forwarder: &'a Forwarder,
        circuit: &Arc<Mutex<Breaker>>,
    ) -> Option<CircuitCall<'a>> {
        let mut breaker = circuit.lock();
        if !breaker.retry_in(forwarder.started.elapsed()).is_zero() {
            return None;
        }
        let is_probe = breaker.start_call();
        Some(CircuitCall { circuit: circuit.clone(), forwarder, is_probe, is_finished: false })
    }

    fn finish(mut self, succeeded: bool) {
        let now = self.forwarder.started.elapsed();
        self.circuit.lock().finish_call(now, self.is_probe, succeeded);
        self.is_finished = true;
    }
}

impl Drop for CircuitCall<'_> {
    fn drop(&mut self) {
        if self.is_probe && !self.is_finished {
            self.circuit.lock().abandon_probe(self.forwarder.started.elapsed());
        }
    }
}
