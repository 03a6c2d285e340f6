//! Check that all replicas agree, with each other and with a replay of everything.

use super::findings::FindingKind;
use crate::clock::SkewedClock;
use crate::link::Link;
use crate::process::{GatewayProcess, Outside};
use crate::stores::ledger::{SimulatedLedger, Store};
use crate::world::World;
use paihao_chassis::Tasks;
use paihao_gateway::engine::Engine;
use paihao_gateway::projections::visits::VisitProjection;
use paihao_gateway::settings::SiteSettings;
use paihao_ledger::conformance::next_release::Release;
use paihao_ledger::{ExpectedPosition, Position, StoredEntry};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// Longest time for a replica to read the ledger, once every fault is over.
const CATCH_UP_TIMEOUT: Duration = Duration::from_secs(60);

/// Checks that the gateways that stand at one position of the ledger have one state.
pub fn check_agreement(world: &World, gateways: &[Arc<GatewayProcess>], sites: &[&'static str]) {
    for site in sites {
        let mut by_position: BTreeMap<Position, (String, &str)> = BTreeMap::new();
        for gateway in gateways {
            let Some(snapshot) = gateway.gateway.engine.snapshot(site) else { continue };
            if snapshot.unreadable || snapshot.position == Position::START {
                continue;
            }
            let (digest, name) = (snapshot.digest(), &*gateway.name);
            match by_position.get(&snapshot.position) {
                Some((other, other_name)) if *other != digest => {
                    let position = snapshot.position.0;
                    world.report(
                        FindingKind::StateDiffers,
                        format_args!("{site} at {position}: {name} and {other_name} differ"),
                    );
                }
                _ => {
                    by_position.insert(snapshot.position, (digest, name));
                }
            }
        }
    }
}

/// Checks that every gateway has the state that a replay of all entries gives, also of those that
/// have aged out.
pub async fn check_replay(
    outside: &Outside,
    gateways: &[Arc<GatewayProcess>],
    sites: &[&'static str],
) {
    let world = &outside.world;
    let tasks = Tasks::new();
    let closed = CancellationToken::new();
    let Some(replay) = replay(outside, gateways, sites, &closed, &tasks).await else {
        return world.report(FindingKind::NotServing, format_args!("no gateway knows the sites"));
    };
    for site in sites {
        let Some(expected) = replay.snapshot(site) else { continue };
        let (digest, position) = (expected.digest(), expected.position);
        for gateway in gateways {
            let (engine, name) = (&gateway.gateway.engine, &gateway.name);
            let Some(mut snapshots) = engine.watch(site) else { continue };
            let caught_up = snapshots.wait_for(|snapshot| snapshot.position >= position);
            match tokio::time::timeout(CATCH_UP_TIMEOUT, caught_up).await {
                Ok(Ok(snapshot)) if snapshot.position > position => {}
                Ok(Ok(snapshot)) => {
                    if snapshot.digest() != digest {
                        let text = format_args!(
                            "{site} at {}: {name} differs from a replay of everything",
                            position.0
                        );
                        world.report(FindingKind::StateDiffers, text);
                    }
                }
                _ => world.report(
                    FindingKind::NotServing,
                    format_args!("{name} has not read {site} up to {}", position.0),
                ),
            }
        }
    }
    closed.cancel();
    tasks.abort();
}

/// Replays all entries into a further engine, which decides nothing: its clock stands far behind.
async fn replay(
    outside: &Outside,
    gateways: &[Arc<GatewayProcess>],
    sites: &[&'static str],
    closed: &CancellationToken,
    tasks: &Tasks,
) -> Option<Engine> {
    let partitions = outside.store.partitions();
    let copy = Store::new(partitions, Arc::new(|| 0), Arc::new(|_, _| {}));
    for log in partitions.all().map(|partition| partition.ledger) {
        for StoredEntry { subject, position, entry, .. } in outside.store.past(&log) {
            let appended = copy.append(&log, &subject, ExpectedPosition::Any, &entry);
            assert_eq!(appended, Ok(position), "the copy is complete");
        }
    }
    let mut settings: BTreeMap<String, Arc<SiteSettings>> = BTreeMap::new();
    for site in sites {
        let known = gateways.iter().find_map(|gateway| gateway.gateway.engine.settings(site));
        settings.insert((*site).to_owned(), known?);
    }
    let ledger = Release::NEWEST.ledger(Arc::new(SimulatedLedger::new(copy, Link::perfect())));
    let visits = Arc::new(VisitProjection::start(ledger.clone(), closed.clone(), tasks));
    let clock = Arc::new(SkewedClock::new(outside.world.clone(), -outside.world.now_ms()));
    let observer = Arc::new(|_: &_, _: &_| {});
    let engine = Engine::start(&settings, ledger, clock, visits, observer, closed, tasks);
    engine.until_caught_up().await;
    Some(engine)
}
