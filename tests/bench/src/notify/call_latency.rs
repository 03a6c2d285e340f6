//! Time from the press of *next* at a counter to WeChat's door: over an idle queue, and over one to
//! which notices come at half the rate that one notifier sends.

use super::backlog::{Backlog, enqueue};
use crate::callback::deployment::Deployment;
use crate::callback::figures::Latency;
use crate::callback::scans::{ScanGenerator, site_id};
use crate::callback::wire::HttpConnection;
use crate::member::wait_until;
use crate::staff;
use anyhow::{Context, ensure};
use hdrhistogram::Histogram;
use paihao_chassis::clock::{Clock, SystemClock};
use paihao_ledger::Ledger;
use serde::Serialize;
use std::time::Duration;
use tokio::time::{Instant, interval};

/// Time between two presses, and between two additions to the busy queue.
const PRESS_INTERVAL: Duration = Duration::from_millis(200);
const ADD_INTERVAL: Duration = Duration::from_millis(50);

/// First ticket of the notices of the busy queue; those of the backlogs are below.
const FIRST_TICKET: u32 = 10_000_000;

/// Time that a press took to WeChat's door.
#[derive(Serialize)]
pub struct DoorFigures {
    pub queue: &'static str,
    /// Notices that came to the queue meanwhile, a second.
    pub others_per_second: f64,
    pub presses: u32,
    pub latency: Latency,
}

/// Presses so often over a queue to which notices come at this rate.
pub async fn measure(
    queue: &'static str,
    others_per_second: f64,
    presses: u32,
    wechat: Duration,
) -> anyhow::Result<DoorFigures> {
    let deployment = Deployment::start(1, wechat).await?;
    let port = deployment.gateway.port;
    let mut wire = HttpConnection::connect(port).await?;
    staff::post(&mut wire, &site_id(0), "counters/1/open").await?;
    let scans = ScanGenerator::new(1);
    let mut form = scans.callback_form(port, SystemClock.now_ms(), false);
    for person in 1..=presses {
        let reply = wire.request(form.fill(u64::from(person), 0)).await?;
        ensure!(reply.ticket_serial().is_some(), "a reply without a number");
    }
    let ledger = deployment.ledger().await?;
    let add = add_at_rate(&ledger, others_per_second);
    let press = async {
        let mut pressed = Vec::new();
        let mut due = interval(PRESS_INTERVAL);
        for _ in 0..presses {
            due.tick().await;
            let at_ms = SystemClock.now_ms();
            staff::call_next(&mut wire, &site_id(0)).await?;
            staff::post(&mut wire, &site_id(0), "counters/1/finish").await?;
            pressed.push(at_ms);
        }
        anyhow::Ok(pressed)
    };
    let pressed = tokio::select! {
        pressed = press => pressed?,
        added = add => added.and_then(|()| anyhow::bail!("the queue stays busy"))?,
    };
    let accepted_at = |person: usize| {
        let messages = deployment.wechat.messages(&format!("oBench{:022}", person + 1));
        messages.first().map(|message| message.arrived_at as i64)
    };
    let all = || (0..pressed.len()).all(|person| accepted_at(person).is_some());
    wait_until("WeChat has a message for every press", all).await?;
    let mut to_door = Histogram::<u64>::new_with_bounds(1_000_000, 600_000_000_000, 3)?;
    for (person, pressed_ms) in pressed.iter().enumerate() {
        let accepted_ms = accepted_at(person).context("a message that was there")?;
        // WeChat accepts a message when it answers.
        let at_door_ms = accepted_ms - wechat.as_millis() as i64;
        to_door.saturating_record((at_door_ms - pressed_ms).max(1) as u64 * 1_000_000);
    }
    deployment.stop().await?;
    let latency = (&to_door).into();
    Ok(DoorFigures { queue, others_per_second, presses, latency })
}

/// Puts notices on the queue at a rate, until it is dropped.
async fn add_at_rate(ledger: &impl Ledger, per_second: f64) -> anyhow::Result<()> {
    if per_second == 0.0 {
        return std::future::pending().await;
    }
    let started = Instant::now();
    let mut due = interval(ADD_INTERVAL);
    let mut next = FIRST_TICKET;
    loop {
        due.tick().await;
        let end = FIRST_TICKET + (started.elapsed().as_secs_f64() * per_second) as u32;
        enqueue(ledger, Backlog::Usual, next..end).await?;
        next = end;
    }
}
