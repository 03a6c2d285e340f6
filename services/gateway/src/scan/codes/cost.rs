//! What an account's codes have cost of WeChat's caps: so many permanent ones ever, so many calls a
//! day.

use super::CodeSource;
use super::doors::{Doors, PERMANENT_CAP};
use super::pool::Pools;
use parking_lot::Mutex;
use schemars::JsonSchema;
use serde::Serialize;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// WeChat is asked for its figure at most this often: asking is a call, too.
const ASKED_EVERY: Duration = Duration::from_secs(60);

/// One account's codes and what they cost.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Cost {
    /// Codes for doors.
    pub permanent: Permanent,
    /// Calls that made codes of either kind since midnight in Beijing.
    pub today: Today,
    /// Codes that this replica has ready.
    pub ready: usize,
}

/// Permanent codes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Permanent {
    /// Those in the book; another system that uses the account may have made more.
    pub made: u64,
    /// How many WeChat gives an account, ever.
    pub cap: u64,
}

/// Calls of one day.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Today {
    /// How many.
    pub made: u64,
    /// How many there may be, if that is known.
    pub cap: Option<u64>,
    /// Whose count it is.
    pub counted_by: CountedBy,
}

/// Who counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum CountedBy {
    /// WeChat: every replica's calls, and other systems'.
    Wechat,
    /// This replica, which knows of its own alone, because WeChat did not say.
    ThisReplica,
}

/// Tells what codes have cost.
pub struct Costs {
    source: Arc<dyn CodeSource>,
    doors: Arc<Doors>,
    pools: Arc<Pools>,
    told: Mutex<HashMap<String, (Instant, Today)>>,
}

impl Costs {
    /// Of what these make.
    pub fn new(source: Arc<dyn CodeSource>, doors: Arc<Doors>, pools: Arc<Pools>) -> Costs {
        Costs { source, doors, pools, told: Mutex::default() }
    }

    /// Of an account, by its name and its appid.
    pub async fn of(&self, account: &str, appid: &str) -> Cost {
        let permanent = Permanent { made: self.doors.made(account, appid), cap: PERMANENT_CAP };
        let (today, ready) = (self.today(account).await, self.pools.ready(account));
        Cost { permanent, today, ready }
    }

    async fn today(&self, account: &str) -> Today {
        let known = self.told.lock().get(account).cloned();
        if let Some((at, today)) = known
            && at.elapsed() < ASKED_EVERY
        {
            return today;
        }
        let today = self.source.today(account).await;
        self.told.lock().insert(account.to_owned(), (Instant::now(), today.clone()));
        today
    }
}
