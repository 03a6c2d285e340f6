//! Carries out what the ledger says people are to be told, each thing once.
//!
//! Two halves, joined by a work queue, so that each scales and fails by itself:
//!
//! - the **planner** reads commits and puts notices on the queue: [`plan`] (pure), [`planner`];
//! - the **senders** take notices and say them in WeChat: [`render`] (pure), [`claim`] (who may
//!   try, and for how long), [`verdict`] (pure: what an attempt's result means), [`sender`].
//!
//! Every notice has a key. A key is accepted by WeChat at most once and ends in exactly one
//! recorded outcome.

pub mod plan;
mod planner;

pub mod claim;
pub mod render;
mod sender;
pub mod verdict;

mod drain;

use paihao_cache::Cache;
use paihao_chassis::Tasks;
use paihao_chassis::clock::Clock;
use paihao_ledger::Ledger;
use paihao_wechat::Caller;
use render::Bindings;
use std::collections::BTreeMap;
use std::sync::Arc;

/// What can be set about a notifier.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Messages on their way to WeChat at once.
    pub in_flight: usize,
    /// What each account says, by the account's name.
    pub bindings: BTreeMap<String, Bindings>,
}

/// What a notifier stands on.
#[derive(Clone)]
pub struct Ports {
    /// The message store.
    pub ledger: Arc<dyn Ledger>,
    /// The cache, for claims.
    pub cache: Arc<dyn Cache>,
    /// WeChat, with the token taken care of.
    pub wechat: Caller,
    /// The time.
    pub clock: Arc<dyn Clock>,
}

/// Starts planning and sending. On the soft stop nothing new is taken and what is under way ends.
pub fn start(settings: Settings, ports: Ports, tasks: &Tasks) {
    let stop = tasks.stop().clone();
    tasks.spawn_essential("planner", planner::run(ports.ledger.clone(), stop.clone()));
    tasks.spawn_essential("sender", sender::run(settings, ports, stop));
}
