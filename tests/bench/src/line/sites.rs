//! Test sites of the benchmark: one queue, several counters, and rounds of commands that leave the
//! length of the line unchanged.

use jiff::tz::TimeZone;
use paihao_contracts::commit::SiteFacts;
use paihao_domain::{
    Act, Actor, Command, CommandId, CounterId, CounterRules, CounterTicket, Person, QueueId,
    QueueRules, Rules,
};
use paihao_gateway::settings::calendar::Calendar;
use paihao_gateway::settings::{DeploymentSettings, SiteSettings};
use paihao_ledger::Subject;
use std::sync::Arc;

/// 10:00 in Shanghai on 20 November 2026.
pub const START_MS: i64 = 1_795_140_000_000;

/// Counters of each site.
pub const COUNTERS_PER_SITE: u64 = 16;

/// Commands in one round of a counter: take a ticket, call next, finish.
pub const COMMANDS_PER_ROUND: u64 = 3;

/// The queue that people join.
pub fn queue() -> QueueId {
    QueueId::new("a")
}

fn counter_id(i: u64) -> CounterId {
    CounterId::new(&(i % COUNTERS_PER_SITE + 1).to_string())
}

/// Rules of a site whose counters serve a second queue too, so that waits are simulated.
pub fn shared_site_rules() -> Rules {
    let mut rules = site_rules();
    rules.queues.insert(QueueId::new("b"), QueueRules::new("贷款", "B"));
    for counter in rules.counters.values_mut() {
        counter.queues.push(QueueId::new("b"));
    }
    rules
}

/// Rules of a site with one queue and its counters.
pub fn site_rules() -> Rules {
    let queue = QueueRules::new("综合业务", "A");
    let serving = |i| CounterRules::new(&format!("{i}号窗口"), vec![QueueId::new("a")]);
    Rules {
        queues: [(QueueId::new("a"), queue)].into(),
        counters: (0..COUNTERS_PER_SITE).map(|i| (counter_id(i), serving(i + 1))).collect(),
        several_counters: true,
    }
}

/// Id of the i-th site.
pub fn site_id(i: usize) -> String {
    format!("s{i:05}")
}

/// Facts of the i-th site.
pub fn bench_facts(i: usize) -> SiteFacts {
    SiteFacts {
        account: "shop".into(),
        id: site_id(i).into(),
        name: "大厅".into(),
        zone: "Asia/Shanghai".into(),
    }
}

/// Settings of the i-th site.
pub fn bench_site(i: usize, calendar: Calendar) -> anyhow::Result<SiteSettings> {
    let subject = Subject::new(&["shop", &site_id(i)])?;
    Ok(SiteSettings::new(bench_facts(i), subject, site_rules(), calendar))
}

/// Settings with this number of sites.
pub fn bench_settings(sites: usize) -> anyhow::Result<DeploymentSettings> {
    let zone = TimeZone::get("Asia/Shanghai")?;
    let mut settings = DeploymentSettings::default();
    for i in 0..sites {
        let site = bench_site(i, Calendar::new(zone.clone(), 4))?;
        settings.sites.insert(site_id(i), Arc::new(site));
    }
    Ok(settings)
}

fn command(id: String, actor: Actor, act: Act) -> Command {
    Command { id: CommandId::derived(&id), fingerprint: 0, actor, act, day: None }
}

fn manager(id: String, act: Act) -> Command {
    command(id, Actor::Manager("boss".into()), act)
}

/// Command by which the i-th person takes a ticket.
pub fn take_number_command(i: u64) -> Command {
    let person = Person::new(&format!("oSomebody{i:019}"));
    let actor = Actor::Customer(person.clone());
    let act = Act::Take {
        queue: QueueId::new("a"),
        person: Some(person),
        scan_session: None,
        class: None,
        key: None,
    };
    command(format!("take/{i}"), actor, act)
}

/// Command that opens a counter.
pub fn open_counter_command(i: u64) -> Command {
    manager(format!("open/{i}"), Act::OpenCounter(counter_id(i)))
}

/// Command by which a counter calls next, for the n-th time.
pub fn call_next_command(i: u64, n: u64) -> Command {
    manager(format!("call/{i}/{n}"), Act::CallNext(counter_id(i)))
}

/// Command by which a counter finishes the n-th service.
pub fn finish_command(i: u64, n: u64) -> Command {
    let served = CounterTicket { counter: counter_id(i), number: None };
    manager(format!("finish/{i}/{n}"), Act::Finish(served))
}
