//! Erasures that come later than the push about them: of people queued in the cache, of those
//! queued in the ledger, and of those whom WeChat's refusals tell of.

use super::erasure::{Erasure, RETRY_INTERVAL, change_queued};
use super::refused_recipients::RefusedRecipients;
use super::send_window::erase_from_cache;
use crate::http::idempotency::derived_command_id;
use crate::http::state::AppState;
use paihao_chassis::Tasks;
use paihao_contracts::envelope::{self, NewerForm};
use paihao_contracts::streams::{ERASURES, OUTCOMES, UNFOLLOW_FINDER, erasures_key};
use paihao_contracts::unfollowed::{Unfollowed, UnfollowedPerson};
use paihao_domain::{CommandId, Person};
use paihao_ledger::worker::Source;
use paihao_ledger::{Delivery, Disposition, Handler, Worker};
use paihao_wechat::{OpenId, PersonTags};

/// Most messages that one worker of a gateway handles at once.
const MAX_IN_FLIGHT: usize = 8;

/// Most outcomes of notices that are looked at at once. Hardly any tells of a refusal.
const MAX_OUTCOMES: usize = 256;

/// Starts the parts that erase people later.
pub(crate) fn start(state: AppState, tasks: &Tasks) {
    let tasks = tasks.child("erasure");
    let ledger = state.ledger.clone();
    let caught_up = |state: &AppState| {
        let engine = state.engine.clone();
        let settings = state.live_settings.clone();
        async move {
            settings.until_caught_up().await;
            engine.until_caught_up().await;
        }
    };
    let in_cache = CacheErasures { state: state.clone() };
    Worker::new(ledger.clone(), Source::Queue(ERASURES), MAX_IN_FLIGHT, in_cache)
        .start("erasures", &tasks);
    let refused = RefusedRecipients { state: state.clone() };
    Worker::new(ledger, Source::Consumer(OUTCOMES, UNFOLLOW_FINDER), MAX_OUTCOMES, refused)
        .start_after(caught_up(&state), "refused-recipients", &tasks);
    let stop = tasks.stop().clone();
    tasks.spawn("queued-erasures", async move {
        let retrying = async {
            caught_up(&state).await;
            loop {
                tokio::time::sleep(RETRY_INTERVAL).await;
                erase_queued(&state).await;
            }
        };
        stop.run_until_cancelled(retrying).await;
    });
}

/// Erases the people who are queued in the cache.
async fn erase_queued(state: &AppState) {
    let Ok(tags) = state.person_tags().await else { return };
    for account in &state.deployment.account_names() {
        let Ok(Some(found)) = state.cache.get(&erasures_key(account)).await else { continue };
        let Ok(unfollowed) = envelope::decode::<Unfollowed>(&found) else { continue };
        for queued in unfollowed.people {
            let person = Person::new(&queued.person);
            let erasure = Erasure {
                state,
                account,
                person: &person,
                until: Some(queued.at),
                commands: vec![queued_command(&tags, account, &queued)],
            };
            let erased = async {
                erasure.erase_from_lines().await?;
                erasure.erase_from_cache().await?;
                change_queued(state, account, |people| {
                    let before = people.len();
                    people.retain(|other| *other != queued);
                    people.len() < before
                })
                .await
            };
            match erased.await {
                Ok(is_first) if is_first => {
                    metrics::counter!("paihao_gateway_late_erasures_total", "from" => "cache")
                        .increment(1);
                }
                Ok(_) => {}
                Err(error) => {
                    tracing::debug!(%error, "a person who unfollowed is erased later");
                    return;
                }
            }
        }
    }
}

/// Command id of a queued erasure, equal at every replica.
fn queued_command(tags: &PersonTags, account: &str, queued: &UnfollowedPerson) -> CommandId {
    let tag = tags.tag(account, &OpenId::new(&*queued.person));
    derived_command_id(format!("unfollowed\0{account}\0{tag}\0{}", queued.at))
}

/// Handler of the people whom the cache did not forget at the time.
struct CacheErasures {
    state: AppState,
}

impl Handler for CacheErasures {
    type Message = Unfollowed;

    async fn handle(&self, queued: Unfollowed, _: &Delivery) -> Result<Disposition, NewerForm> {
        let Ok(tags) = self.state.person_tags().await else {
            return Ok(Disposition::RetryAfter(RETRY_INTERVAL));
        };
        for person in &queued.people {
            let person = Person::new(&person.person);
            let erased = erase_from_cache(&self.state, &queued.account, &person, &tags).await;
            if let Err(error) = erased {
                tracing::debug!(%error, "cannot remove a customer from the cache, retrying");
                return Ok(Disposition::RetryAfter(RETRY_INTERVAL));
            }
        }
        metrics::counter!("paihao_gateway_late_erasures_total", "from" => "ledger").increment(1);
        Ok(Disposition::Ack)
    }
}
