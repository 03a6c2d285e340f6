//! People of a run: customers on their phones, staff at their counters, the owner, a stranger.

pub mod customer;
pub mod owner;
pub mod staff;
pub mod stranger;

use crate::checks::answers::Answers;
use crate::edge::{Edge, NoReply, Reply, Request};
use crate::random::Random;
use crate::wechat::pushes::Pushes;
use crate::world::World;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// Time that a person waits for an answer.
const REPLY_TIMEOUT: Duration = Duration::from_secs(6);
/// Times that a person presses again without an answer.
const MAX_TRIES: usize = 8;

/// Surroundings of every person.
#[derive(Clone)]
pub struct Society {
    /// World of the run.
    pub world: Arc<World>,
    /// Balancer before the gateways.
    pub edge: Arc<Edge>,
    /// Pusher of what people do in WeChat.
    pub pushes: Arc<Pushes>,
    /// Check of the answers.
    pub answers: Arc<Answers>,
    /// Time at which people stop.
    pub until: Instant,
}

impl Society {
    /// Returns true while people act.
    fn is_open(&self) -> bool {
        Instant::now() < self.until
    }

    /// Sends a request until it is answered, as a page does with the same key. `None` without any
    /// answer.
    async fn insist(&self, request: &Request, random: &mut Random) -> Option<Reply> {
        for _ in 0..MAX_TRIES {
            match self.edge.call(request, REPLY_TIMEOUT).await {
                Ok(reply) if reply.status != 503 => return Some(reply),
                Ok(_) | Err(NoReply) => sleep(random.seconds(1..=8)).await,
            }
        }
        None
    }
}
