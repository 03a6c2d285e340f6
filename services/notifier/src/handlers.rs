//! Handlers of commits, notices and receipts without their queues, which a test or a simulation
//! plays.

use crate::delivery::worker;
use crate::person_tags::{self, PersonTagsReader};
use crate::planning::planner;
use crate::receipts;
use crate::templates::{self, TemplatesReceiver};
use crate::{Ports, Settings};
use paihao_chassis::Tasks;
use paihao_contracts::commit::Commit;
use paihao_contracts::notice::Notice;
use paihao_contracts::receipt::Receipt;
use paihao_ledger::{Handler, Ledger};
use std::sync::Arc;

/// Maker of handlers, which share the templates in force.
pub struct Handlers {
    settings: Settings,
    templates: TemplatesReceiver,
    person_tags: PersonTagsReader,
}

impl Handlers {
    /// Begins to follow the templates, until the soft stop.
    pub fn start(settings: Settings, ledger: Arc<dyn Ledger>, tasks: &Tasks) -> Handlers {
        let stop = tasks.stop();
        let templates = templates::follow(&settings, ledger.clone(), stop.clone(), tasks);
        let person_tags = person_tags::follow(&settings, ledger, stop.clone(), tasks);
        Handlers { settings, templates, person_tags }
    }

    /// Creates the handler of the planner's consumer.
    pub fn planner(&self, ports: &Ports) -> impl Handler<Message = Commit> + use<> {
        planner::handler(ports.ledger.clone(), ports.cache.clone())
    }

    /// Creates the handler of the notice queue.
    pub fn delivery(&self, ports: Ports) -> impl Handler<Message = Notice> + use<> {
        worker::handler(&self.settings, self.templates.clone(), self.person_tags.clone(), ports)
    }

    /// Creates the handler of the receipt queue.
    pub fn receipts(&self, ports: Ports) -> impl Handler<Message = Receipt> + use<> {
        receipts::handler(ports)
    }
}
