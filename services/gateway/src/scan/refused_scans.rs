//! Newest scans of sessions that got no number, in one value of the cache that every replica reads
//! for all browsers that wait there.

use super::shared_read::SharedRead;
use paihao_cache::{Cache, Unavailable, update};
use paihao_contracts::envelope::read_stored;
use paihao_contracts::session::{RefusedScan, RefusedScans, SessionRefusal};
use paihao_contracts::streams;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use uuid::Uuid;

/// Shortest time between two reads of the value.
const READ_INTERVAL: Duration = Duration::from_secs(1);

/// Time for which the value is kept after its newest scan: many times that in which it is read.
const RETENTION: Duration = Duration::from_secs(60);

/// Most scans of the value. The oldest one leaves first.
const MAX_SCANS: usize = 200;

/// Refused scans of a deployment.
pub(super) struct RefusedScanLog {
    cache: Arc<dyn Cache>,
    scans: SharedRead<Arc<HashMap<String, RefusedScan>>>,
}

impl RefusedScanLog {
    pub(super) fn new(cache: Arc<dyn Cache>) -> RefusedScanLog {
        RefusedScanLog { cache, scans: SharedRead::new(READ_INTERVAL) }
    }

    /// Adds a scan of a session, in the place of a former one.
    pub(super) async fn add(&self, uuid: Uuid, refused: RefusedScan) -> Result<(), Unavailable> {
        let uuid = uuid.to_string();
        update(&*self.cache, streams::refused_scans_key(), RETENTION, |stored| {
            let mut scans = read(stored)?;
            scans.retain(|scan| scan.uuid != uuid);
            scans.push(SessionRefusal { uuid: uuid.clone(), refused: refused.clone() });
            let excess = scans.len().saturating_sub(MAX_SCANS);
            scans.drain(..excess);
            let scans = RefusedScans { v: 1, scans };
            Ok(serde_json::to_vec(&scans).expect("string keys only").into())
        })
        .await
    }

    /// Returns the newest refused scan of a session, as anybody has read it within the interval.
    /// There is none while the cache does not answer.
    pub(super) async fn newest(&self, uuid: Uuid) -> Option<RefusedScan> {
        let read = async {
            let stored = self.cache.get(streams::refused_scans_key()).await;
            let scans = stored.and_then(|stored| read(stored.as_deref())).unwrap_or_default();
            Arc::new(scans.into_iter().map(|scan| (scan.uuid, scan.refused)).collect())
        };
        self.scans.get(read).await.get(&uuid.to_string()).cloned()
    }
}

fn read(stored: Option<&[u8]>) -> Result<Vec<SessionRefusal>, Unavailable> {
    let scans = read_stored::<RefusedScans>(stored);
    let scans = scans.map_err(|newer| Unavailable(newer.to_string()))?;
    Ok(scans.map_or_else(Vec::new, |scans| scans.scans))
}
