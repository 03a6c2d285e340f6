//! Ledger that holds the entries of one log back, for tests of what happens before they are read.

use super::layer::LedgerLayer;
use crate::{Ledger, LogItem, Position, Unavailable};
use async_trait::async_trait;
use futures::StreamExt;
use futures::stream::BoxStream;
use paihao_chassis::CancellationToken;
use paihao_contracts::streams::Log;
use std::sync::Arc;

/// Ledger whose followers of one log get its entries only once they are released.
pub struct HeldLog {
    ledger: Arc<dyn Ledger>,
    held: &'static str,
    released: CancellationToken,
}

impl HeldLog {
    /// Holds a log back until `released`.
    pub fn new(ledger: Arc<dyn Ledger>, log: &Log, released: CancellationToken) -> HeldLog {
        HeldLog { ledger, held: log.name, released }
    }
}

#[async_trait]
impl LedgerLayer for HeldLog {
    fn inner(&self) -> &dyn Ledger {
        &*self.ledger
    }

    async fn follow(
        &self,
        log: &Log,
        after: Position,
    ) -> Result<BoxStream<'static, LogItem>, Unavailable> {
        let entries = self.ledger.follow(log, after).await?;
        if log.name != self.held {
            return Ok(entries);
        }
        let released = self.released.clone();
        let wait = futures::stream::once(async move { released.cancelled().await });
        Ok(wait.flat_map(|()| futures::stream::empty()).chain(entries).boxed())
    }
}
