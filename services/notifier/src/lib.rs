//! Notifier: turns ledger entries into notices and delivers each of them once.
//!
//! Its workers are joined by work queues, so that each scales and fails independently:
//!
//! - [`planning`] consumes commits, queues notices and writes the visit log.
//! - [`delivery`] sends the notices through WeChat and records their outcomes.
//! - `receipts` matches WeChat's delivery receipts to their notices.
//! - `redrive` requeues dead letters on an operator's request.
//! - `templates` holds the texts in force, and `account_checks` compares them with WeChat.
//! - [`webhooks`] posts events to other systems.
//!
//! WeChat accepts each notice key at most once, over all channels, and each key has exactly one
//! recorded outcome. Of the notices of one ticket, none is sent after a later one.

pub mod delivery;
pub mod planning;
pub mod webhooks;

mod account_checks;
mod handlers;
mod person_tags;
mod ports;
mod receipts;
mod redrive;
mod settings;
mod stored_time;
mod templates;

pub use handlers::Handlers;
pub use paihao_notice_text::{AccountPolicies, NoticePolicy, render};
pub use ports::Ports;
pub use settings::{AccountCheckIntervals, Settings};

use account_checks::AccountCheckStarter;
use delivery::worker;
use paihao_chassis::Tasks;
use planning::{planner, visit_writer};
use tokio::sync::watch;

/// Handle to a running notifier.
pub struct Notifier {
    check_requests: watch::Sender<u64>,
}

impl Notifier {
    /// Requests an immediate check of every account's template bindings.
    pub fn check_bindings(&self) {
        self.check_requests.send_modify(|count| *count += 1);
    }
}

/// Starts all workers. After the soft stop no message is taken, and those in progress are finished.
pub fn start(settings: Settings, ports: Ports, tasks: &Tasks) -> Notifier {
    let stop = tasks.stop().clone();
    let check_requests = watch::Sender::new(0);
    let templates = templates::follow(&settings, ports.ledger.clone(), stop.clone(), tasks);
    let checks = AccountCheckStarter {
        templates: templates.clone(),
        intervals: settings.account_checks,
        wechat: ports.wechat.clone(),
        requests: check_requests.subscribe(),
        tasks: tasks.child("account-checks"),
    };
    tasks.spawn("account-checks", checks.run());
    for partition in ports.ledger.partitions().all() {
        planner::worker(partition, ports.ledger.clone(), ports.cache.clone())
            .start("planner", tasks);
        visit_writer::worker(partition, ports.ledger.clone()).start("visit-writer", tasks);
    }
    redrive::worker(ports.clone()).start("redriver", tasks);
    receipts::worker(ports.clone()).start("receipts", tasks);
    // A template that was set through the API is not in the configuration: without it a notice
    // would become a dead letter.
    let templates_read = templates.clone();
    let templates_read = async move { templates_read.until_caught_up().await };
    let person_tags = person_tags::follow(&settings, ports.ledger.clone(), stop, tasks);
    worker::worker(settings, templates, person_tags, ports).start_after(
        templates_read,
        "delivery",
        tasks,
    );
    Notifier { check_requests }
}
