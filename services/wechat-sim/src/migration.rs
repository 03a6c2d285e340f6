//! Migration of an account (账号迁移): the followers of one become followers of another, and
//! each has a new openid there.

use std::collections::HashMap;

use sha1::{Digest as _, Sha1};

/// Time after a migration in which openids are told.
const TOLD_FOR_MS: u64 = 15 * 24 * 3600 * 1000;

/// A migration that took place.
#[derive(Debug)]
pub(crate) struct Migration {
    pub(crate) from: usize,
    pub(crate) to: usize,
    at: u64,
    openids: HashMap<String, String>,
}

impl Migration {
    pub(crate) fn new(from: usize, to: usize, at: u64, openids: HashMap<String, String>) -> Self {
        Self { from, to, at, openids }
    }

    /// New openid of a person; `None` if they did not follow the former account.
    pub(crate) fn new_openid(&self, former: &str) -> Option<&str> {
        self.openids.get(former).map(String::as_str)
    }

    pub(crate) fn is_told(&self, now: u64) -> bool {
        now < self.at + TOLD_FOR_MS
    }
}

/// Openid at the new account of the person who has this one at the former.
pub(crate) fn migrated_openid(appid: &str, former: &str) -> String {
    let digest = Sha1::new().chain_update(appid).chain_update(former).finalize();
    format!("oM{}", &hex::encode(digest)[..26])
}
