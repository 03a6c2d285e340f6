//! Sites and commands: one queue and one counter each, as most sites have them.

use anyhow::Context;
use jiff::tz::TimeZone;
use paihao_contracts::commit::SiteFacts;
use paihao_domain::{
    Act, Actor, Command, CommandId, CounterId, CounterRules, CounterTicket, Person, QueueId,
    QueueRules, Rules, TicketKey,
};
use paihao_gateway::site::SiteSettings;
use paihao_gateway::site::calendar::Calendar;
use paihao_ledger::Subject;
use std::collections::BTreeMap;
use std::sync::Arc;

/// 10:00 in Shanghai on 20 November 2026.
pub const START_MS: i64 = 1_795_140_000_000;

/// Id of the i-th site.
pub fn site_id(i: u64) -> String {
    format!("s{i:05}")
}

/// Settings of so many sites.
pub fn settings(sites: u64) -> anyhow::Result<BTreeMap<String, Arc<SiteSettings>>> {
    let zone = TimeZone::get("Asia/Shanghai")?;
    let settings = (0..sites).map(|i| {
        let id = site_id(i);
        let facts = SiteFacts {
            account: "shop".into(),
            id: id.as_str().into(),
            name: "城南大厅".into(),
            zone: "Asia/Shanghai".into(),
        };
        let subject = Subject::new(&["shop", &id]).context("a site's name")?;
        let queue = QueueId::new("a");
        let rules = Rules {
            counters: [(counter(), CounterRules::new("1号窗口", vec![queue.clone()]))].into(),
            queues: [(queue, QueueRules::new("综合业务", "A"))].into(),
            several_counters: false,
        };
        let calendar = Calendar::new(zone.clone(), 4);
        Ok((id, Arc::new(SiteSettings::new(facts, subject, rules, calendar))))
    });
    settings.collect()
}

fn counter() -> CounterId {
    CounterId::new("1")
}

fn manager(id: &str, act: Act) -> Command {
    let actor = Actor::Manager("boss".into());
    Command { id: CommandId::derived(id), fingerprint: 0, actor, act, day: None }
}

/// Command of a scan by which the i-th person takes a ticket, as a gateway makes it.
pub fn scan(i: u64) -> Command {
    let person = Person::new(&format!("oSomebody{i:019}"));
    let mut key = [7; 16];
    key[..8].copy_from_slice(&i.to_be_bytes());
    let act = Act::Take {
        queue: QueueId::new("a"),
        person: Some(person.clone()),
        scan_session: None,
        class: None,
        key: Some(TicketKey(key)),
    };
    let id = CommandId::derived(&format!("scan/{i}"));
    Command { id, fingerprint: i, actor: Actor::Customer(person), act, day: None }
}

/// Command that opens the counter, for the n-th time.
pub fn open_counter(n: u64) -> Command {
    manager(&format!("open/{n}"), Act::OpenCounter(counter()))
}

/// Command by which the counter calls next, for the n-th time.
pub fn call_next(n: u64) -> Command {
    manager(&format!("call/{n}"), Act::CallNext(counter()))
}

/// Command by which the counter finishes the n-th service.
pub fn finish(n: u64) -> Command {
    let served = CounterTicket { counter: counter(), number: None };
    manager(&format!("finish/{n}"), Act::Finish(served))
}
