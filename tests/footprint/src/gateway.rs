//! Core of a gateway: the engine, with or without what observes its decisions.

use crate::commands::START_MS;
use anyhow::anyhow;
use paihao_chassis::Tasks;
use paihao_chassis::clock::ManualClock;
use paihao_domain::{Command, Decision, ForecastModel};
use paihao_gateway::engine::{DecisionObserver, Engine, Forecasts};
use paihao_gateway::projections::delivery_status::DeliveryStatusProjection;
use paihao_gateway::site::SiteSettings;
use paihao_ledger::{Ledger, Subject};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// Time in which the timers have come to rest.
const SETTLE_TIME: Duration = Duration::from_millis(100);

/// Forecasts of a gateway that has learned nothing.
struct NothingLearned;

impl Forecasts for NothingLearned {
    fn model(&self, _: &Subject) -> ForecastModel {
        ForecastModel::default()
    }
}

/// Core of a gateway on a ledger, with a clock that is set by hand.
pub struct Gateway {
    engine: Engine,
    /// Clock of its decisions.
    pub clock: ManualClock,
    tasks: Tasks,
}

impl Gateway {
    /// Starts one that keeps no delivery status.
    pub async fn start(
        sites: &BTreeMap<String, Arc<SiteSettings>>,
        ledger: Arc<dyn Ledger>,
    ) -> Gateway {
        Gateway::start_observed(sites, ledger, Arc::new(|_: &Subject, _: &Decision| {})).await
    }

    /// Starts one that keeps the delivery status of every notice, as a gateway does.
    pub async fn start_whole(
        sites: &BTreeMap<String, Arc<SiteSettings>>,
        ledger: Arc<dyn Ledger>,
    ) -> Gateway {
        let statuses = DeliveryStatusProjection::default();
        let observer = move |subject: &Subject, decision: &Decision| {
            statuses.observe(subject, decision);
        };
        Gateway::start_observed(sites, ledger, Arc::new(observer)).await
    }

    async fn start_observed(
        sites: &BTreeMap<String, Arc<SiteSettings>>,
        ledger: Arc<dyn Ledger>,
        observer: DecisionObserver,
    ) -> Gateway {
        let clock = ManualClock::at(START_MS);
        let (tasks, closed) = (Tasks::new(), CancellationToken::new());
        let (time, forecasts) = (Arc::new(clock.clone()), Arc::new(NothingLearned));
        let engine = Engine::start(sites, ledger, time, forecasts, observer, &closed, &tasks);
        engine.until_caught_up().await;
        let gateway = Gateway { engine, clock, tasks };
        gateway.settle().await;
        gateway
    }

    /// Submits a command, which must not be refused.
    pub async fn submit(&self, site: &str, command: Command) -> anyhow::Result<()> {
        let act = format!("{:?}", command.act);
        let decided = self.engine.submit(site, command).await;
        decided.map(drop).map_err(|error| anyhow!("{act} led to {error:?}"))
    }

    /// Waits until the timers are done with what has changed.
    pub async fn settle(&self) {
        tokio::time::sleep(SETTLE_TIME).await;
    }

    /// Ends it as it is: a soft end would write snapshots.
    pub async fn kill(self) {
        self.tasks.abort();
        self.tasks.wait().await;
    }
}
