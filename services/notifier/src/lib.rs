//! Carries out what the ledger says people are to be told, each thing once.
//!
//! Four parts, joined by work queues, so that each scales and fails by itself:
//!
//! - the **planner** reads commits and puts notices on the queue: [`plan`] (pure), `planner`;
//! - the **senders** take notices and say them in WeChat: [`channels`] (pure: how, and what comes
//!   after a channel that did not take it; [`paihao_notice_text`] has the words), `says` (which those are
//!   now), [`claim`] (who may try, and for how long), [`thread`] (what comes before and after it), `record` (what the ledger
//!   knows of it), `ending`, `say`, [`verdict`] (pure: what an attempt's result means), `share` (how
//!   many of which account at once), `sender`;
//! - the **redriver** tries again what was given up, when somebody has mended the reason and says so:
//!   `redrive`;
//! - the **receipts**, what WeChat told of messages later, are matched to their notices: `sent`,
//!   `receipts`.
//!
//! Beside them the `historian` keeps what is left of each visit, `upkeep` looks after each account's templates and quotas, and [`webhooks`] tells the
//! owner's other systems what happened.
//!
//! Every notice has a key. A key is accepted by WeChat at most once, over all channels, and ends in
//! exactly one recorded outcome. Of what is said about one ticket, nothing is said after something
//! later.

pub mod plan;
mod planner;

mod historian;

pub mod channels;

mod allowance;
pub mod claim;
mod ending;
mod record;
mod say;
pub mod thread;
pub mod verdict;

mod says;
mod sender;
mod share;

mod redrive;

mod receipts;
mod sent;

mod upkeep;

pub mod webhooks;

pub use paihao_notice_text::render;
pub use upkeep::AccountCheckIntervals;

use channels::AccountPolicies;
use paihao_cache::Cache;
use paihao_chassis::Tasks;
use paihao_chassis::clock::Clock;
use paihao_contracts::settings::Wording;
use paihao_ledger::Ledger;
use paihao_wechat::AccountClient;
use std::collections::BTreeMap;
use std::sync::Arc;
use tokio::sync::watch;

/// What can be set about a notifier.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Notices of each account that are worked on at once.
    pub in_flight: usize,
    /// What each account says and how, by the account's name.
    pub accounts: BTreeMap<String, AccountPolicies>,
    /// Where sites have words of their own: by the site's id, and the kind of notice.
    pub wording: BTreeMap<String, BTreeMap<String, Wording>>,
    /// How often the accounts are looked after.
    pub account_checks: AccountCheckIntervals,
    /// Under which address people reach the gateway, without a slash at the end; without it no
    /// message has a link.
    pub public_url: Option<String>,
}

/// What a notifier stands on.
#[derive(Clone)]
pub struct Ports {
    /// The message store.
    pub ledger: Arc<dyn Ledger>,
    /// The cache, for claims.
    pub cache: Arc<dyn Cache>,
    /// WeChat, with the token taken care of.
    pub wechat: AccountClient,
    /// The time.
    pub clock: Arc<dyn Clock>,
}

/// A running notifier.
pub struct Notifier {
    check_requests: watch::Sender<u64>,
}

impl Notifier {
    /// Has every account's templates checked now.
    pub fn check_bindings(&self) {
        self.check_requests.send_modify(|asked| *asked += 1);
    }
}

/// Starts planning and sending. On the soft stop nothing new is taken and what is under way ends.
pub fn start(settings: Settings, ports: Ports, tasks: &Tasks) -> Notifier {
    let stop = tasks.stop().clone();
    let asked = watch::Sender::new(0);
    let says = says::follow(&settings, ports.ledger.clone(), stop.clone(), tasks);
    for name in settings.accounts.keys().cloned() {
        let (upkeep, wechat) = (settings.account_checks, ports.wechat.clone());
        let (asked, says) = (asked.subscribe(), says.clone());
        let looking = upkeep::run(name, says, upkeep, wechat, asked, stop.clone());
        tasks.spawn("upkeep", looking);
    }
    planner::worker(ports.ledger.clone(), ports.cache.clone()).start("planner", tasks);
    historian::worker(ports.ledger.clone()).start("historian", tasks);
    redrive::worker(ports.clone()).start("redriver", tasks);
    receipts::worker(ports.clone()).start("receipts", tasks);
    sender::worker(settings, says, ports).start("sender", tasks);
    Notifier { check_requests: asked }
}
